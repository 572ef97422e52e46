//! Counts what is allocated: bytes for each user of an organisation (P10), bytes for each of ten thousand small tenants
//! (P11), allocations in checks (P6). Nothing is timed here, for an allocator that counts slows what it counts.
//!
//! ```text
//! cargo bench --bench memory                        # S and M
//! ROLECALL_SIZES=S,M,L cargo bench --bench memory   # L too
//! ```
//!
//! Bytes are those asked for, without what the system's allocator adds to each block. The store's records are not
//! counted, and the tenant's texts are its own: the store copies them, as one over a database would make them.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench that is wrong stops")]

#[path = "../common/bytes.rs"]
mod bytes;
#[path = "../common/copied.rs"]
mod copied;
#[path = "../common/organisation.rs"]
mod organisation;
#[path = "../common/records.rs"]
mod records;
#[path = "../common/shelf.rs"]
mod shelf;
#[path = "../common/stream.rs"]
mod stream;
#[path = "../common/variant.rs"]
mod variant;

use std::hint::black_box;

use allocation_counter::measure;
use rolecall::blocking::Tenant;
use uuid::Uuid;

use self::bytes::SMALL;
use self::copied::copy;
use self::organisation::{L, M, Organisation, S, Size, is_wanted, key, now, slug};
use self::records::Owner;
use self::shelf::{Shelf, tenant_id};
use self::variant::Variant;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if is_wanted(&S) {
        one_size::<4>(&S);
        small_tenants();
    }
    if is_wanted(&M) {
        one_size::<16>(&M);
    }
    if is_wanted(&L) {
        one_size::<32>(&L);
    }
}

/// P10 and P6.
fn one_size<const N: usize>(size: &'static Size) {
    let (organisation, _) = Organisation::draw(size);
    organisation.print();
    let shelf = Shelf::copying(records::of(&organisation, Owner::Tenant).into(), copy);
    let mut tenant = None;
    let info = measure(|| tenant = Some(shelf.open(None)));
    let (kept, most) = (info.bytes_current / i64::from(size.users), info.bytes_max / u64::from(size.users));
    println!("P10  {}: {kept} bytes a user all in, goal at L <= 250; {most} at most while loading", size.name);
    let catalog = variant::catalog::<N>(size.permissions);
    let enumerated = Shelf::new(records::of(&organisation, Owner::Catalog(catalog)).into()).open(Some(catalog));
    checks::<N>(&organisation, &tenant.unwrap(), &enumerated);
}

/// Every user is asked about one permission, in every form.
fn checks<const N: usize>(organisation: &Organisation, tenant: &Tenant, enumerated: &Tenant) {
    let permissions = organisation.size.permissions;
    let slugs: Vec<String> = (0..permissions).map(slug).collect();
    let users: Vec<(Uuid, String)> = (0..).zip(&organisation.users).map(|(n, user)| (user.id, key(n))).collect();
    let held = tenant.snapshot().at(now());
    let handles: Vec<_> = users.iter().map(|(id, _)| held.user_handle(*id).unwrap()).collect();
    let named: Vec<_> = slugs.iter().map(|slug| held.permission_handle(slug).unwrap()).collect();
    let asked = || (0..users.len()).zip((0..permissions).cycle());
    let counted = |form: &str, check: &dyn Fn(usize, u32) -> bool| {
        let info = measure(|| asked().for_each(|(user, permission)| _ = black_box(check(user, permission))));
        println!(
            "P6   {}: {} allocations in {} checks by {form}",
            organisation.size.name,
            info.count_total,
            users.len()
        );
    };
    counted("handle", &|user, permission| held.check(handles[user], named[permission as usize]));
    counted("UUID", &|user, permission| held.check(users[user].0, named[permission as usize]));
    counted("key and slug", &|user, permission| held.check(&users[user].1, &slugs[permission as usize]));
    counted("enum", &|user, permission| enumerated.check(users[user].0, Variant::<N>(permission)));
}

/// P11.
fn small_tenants() {
    const TENANTS: u32 = 10_000;
    let catalog = variant::catalog::<4>(SMALL.permissions);
    let (organisation, _) = Organisation::draw(&SMALL);
    organisation.print();
    let shelf = Shelf::copying(records::of(&organisation, Owner::Catalog(catalog)).into(), copy);
    let authorizer = shelf.authorizer(Some(catalog));
    let mut open: Vec<Tenant> = Vec::with_capacity(TENANTS as usize);
    let opened =
        measure(|| open.extend((0..TENANTS).map(|number| authorizer.tenant_by_id(tenant_id(number)).unwrap())));
    let closed = measure(|| open.drain(..).for_each(|tenant| tenant.close().unwrap()));
    let each = opened.bytes_current / i64::from(TENANTS);
    let left = (opened.bytes_current + closed.bytes_current) / i64::from(TENANTS);
    println!("P11  {each} bytes a small tenant, goal <= 8192; {left} of them are left after all were closed");
}
