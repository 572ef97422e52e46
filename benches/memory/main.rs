//! Counts allocated memory.
//!
//! It prints the bytes for each user of an organisation (P10), the bytes for each of ten thousand small tenants (P11),
//! and the allocations of checks (P6). For the organisation with one thing varied, it also prints the bytes of a user in the
//! id table, and of the cached rows and columns. It times nothing, since an allocator that counts is slow.
//!
//! ```text
//! cargo bench -p rolecall-benches --bench memory                        # S and M
//! ROLECALL_SIZES=S,M,L cargo bench -p rolecall-benches --bench memory   # with L
//! ROLECALL_SIZES=none cargo bench -p rolecall-benches --bench memory    # the variations alone
//! ```
//!
//! With `ROLECALL_SIZES=S` the variations have a tenth of the users. `ROLECALL_ROLES` names documents whose permissions and
//! roles are variations, too (`benches/ratios/variations.rs`).
//!
//! A byte counts if the crate requested it; what the system's allocator adds to each block does not. The records of the
//! store do not count. The store copies all texts, as a store over a database does, so the tenant's own texts count.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../common/small_tenant.rs"]
mod small_tenant;
#[path = "../common/copy_record.rs"]
mod copy_record;
#[path = "../common/organisation.rs"]
mod organisation;
#[path = "../common/records.rs"]
mod records;
#[path = "../common/fixed_store.rs"]
mod fixed_store;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/enum_permission.rs"]
mod enum_permission;
#[expect(dead_code, reason = "only the bench `ratios` uses the rest")]
#[path = "../common/varied.rs"]
mod varied;
mod variations;

/// The names that `varied.rs` uses.
mod common {
    pub(crate) use crate::{organisation, random, records};
}

use std::hint::black_box;

use allocation_counter::measure;
use rolecall::blocking::Tenant;
use uuid::Uuid;

use self::copy_record::copy;
use self::enum_permission::EnumPermission;
use self::fixed_store::{FixedStore, tenant_id};
use self::organisation::{L, M, Organisation, S, Size, is_wanted, key, now, slug};
use self::records::Owner;
use self::small_tenant::SMALL;

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
    variations::variations();
}

/// Measures P10 and P6.
fn one_size<const N: usize>(size: &'static Size) {
    let (organisation, _) = Organisation::draw(size);
    organisation.print();
    let store = FixedStore::copying(records::of(&organisation, Owner::Tenant).into(), copy);
    let mut tenant = None;
    let info = measure(|| tenant = Some(store.open(None)));
    let (kept, most) = (info.bytes_current / i64::from(size.users), info.bytes_max / u64::from(size.users));
    println!("P10  {}: {kept} bytes a user in total, goal at L <= 240; at most {most} while loading", size.name);
    let catalog = enum_permission::catalog::<N>(size.permissions);
    let enumerated = FixedStore::new(records::of(&organisation, Owner::Catalog(catalog)).into()).open(Some(catalog));
    checks::<N>(&organisation, &tenant.unwrap(), &enumerated);
}

/// Counts the allocations of checks in every form, one check for each user.
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
    counted("enum", &|user, permission| enumerated.check(users[user].0, EnumPermission::<N>(permission)));
}

/// Measures P11.
fn small_tenants() {
    const TENANTS: u32 = 10_000;
    let catalog = enum_permission::catalog::<4>(SMALL.permissions);
    let (organisation, _) = Organisation::draw(&SMALL);
    organisation.print();
    let store = FixedStore::copying(records::of(&organisation, Owner::Catalog(catalog)).into(), copy);
    let authorizer = store.authorizer(Some(catalog));
    let mut open: Vec<Tenant> = Vec::with_capacity(TENANTS as usize);
    let opened =
        measure(|| open.extend((0..TENANTS).map(|number| authorizer.tenant_by_id(tenant_id(number)).unwrap())));
    let closed = measure(|| open.drain(..).for_each(|tenant| tenant.close().unwrap()));
    let each = opened.bytes_current / i64::from(TENANTS);
    let left = (opened.bytes_current + closed.bytes_current) / i64::from(TENANTS);
    println!("P11  {each} bytes a small tenant, goal <= 8192; {left} of them remain after all tenants were closed");
}
