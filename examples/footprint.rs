//! How many bytes does a user cost, and how many a tenant? Allocated, as the crate asked for it, and resident, as the
//! system counts it. The store's records are not in it: these come from a shelf that is there before.
//!
//! ```text
//! cargo run --release --example footprint                 # one tenant of size S: 1,000 users
//! cargo run --release --example footprint -- M            # 100,000 users; L: 1,000,000
//! cargo run --release --example footprint -- tenants 500  # 500 small tenants of 10 users, over one catalog
//! ```
//!
//! Resident is read from `/proc/self/status`, where there is one. It grows by pages, the allocator keeps what it was
//! given back, and the loading itself needs room for a while: at size S it says little. The times are those of an
//! allocator that counts.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "an example that is wrong stops")]

#[path = "../benches/common/bytes.rs"]
mod bytes;
#[path = "../benches/common/copied.rs"]
mod copied;
#[expect(dead_code, reason = "what only a bench asks for")]
#[path = "../benches/common/organisation.rs"]
mod organisation;
#[path = "../benches/common/records.rs"]
mod records;
#[expect(dead_code, reason = "what only a bench asks for")]
#[path = "../benches/common/shelf.rs"]
mod shelf;
#[path = "../benches/common/stream.rs"]
mod stream;
#[path = "../benches/common/variant.rs"]
mod variant;

use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;
use rolecall::blocking::Tenant;

use self::bytes::SMALL;
use self::copied::copy;
use self::organisation::{L, M, Organisation, S, Size};
use self::records::Owner;
use self::shelf::{Shelf, tenant_id};
use self::variant::Variant;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["S"] => one_tenant(&S),
        ["M"] => one_tenant(&M),
        ["L"] => one_tenant(&L),
        ["tenants", count] if count.parse().is_ok_and(|count: u32| count > 0) => {
            small_tenants(count.parse().unwrap());
        }
        _ => {
            eprintln!("footprint [S | M | L | tenants COUNT]");
            std::process::exit(2);
        }
    }
}

fn one_tenant(size: &'static Size) {
    let (organisation, _) = Organisation::draw(size);
    organisation.print();
    let shelf = Shelf::copying(records::of(&organisation, Owner::Tenant).into(), copy);
    let (tenant, cost) = cost(|| shelf.open(None));
    cost.print("a user", size.users);
    assert_eq!(tenant.now().users(&rolecall::PageRequest::of(1)).items.len(), 1, "it is open");
}

fn small_tenants(count: u32) {
    let catalog = variant::catalog::<4>(SMALL.permissions);
    let (organisation, _) = Organisation::draw(&SMALL);
    organisation.print();
    let shelf = Shelf::copying(records::of(&organisation, Owner::Catalog(catalog)).into(), copy);
    let authorizer = shelf.authorizer(Some(catalog));
    let open = || (0..count).map(|number| authorizer.tenant_by_id(tenant_id(number)).unwrap());
    let (tenants, opened) = cost(|| open().collect::<Vec<Tenant>>());
    opened.print("a tenant", count);
    let knows = |tenant: &Tenant| tenant.permission_handle(Variant::<4>(0)).is_some();
    assert!(tenants.iter().all(knows), "each knows the catalog");
    let ((), closed) = cost(|| tenants.into_iter().for_each(|tenant| tenant.close().unwrap()));
    let left = opened.allocated.bytes_current + closed.allocated.bytes_current;
    println!("closed: {} of {} bytes are left", grouped(left), grouped(opened.allocated.bytes_current));
}

/// What some work left behind.
struct Cost {
    allocated: AllocationInfo,
    resident: Option<i64>,
    took: Duration,
}

fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (before, start, mut made) = (resident(), Instant::now(), None);
    let allocated = allocation_counter::measure(|| made = Some(work()));
    let (took, after) = (start.elapsed(), resident());
    let resident = before.zip(after).map(|(before, after)| after - before);
    (made.unwrap(), Cost { allocated, resident, took })
}

impl Cost {
    fn print(&self, each: &str, count: u32) {
        let line = |what: &str, bytes: i64| {
            println!("{what}: {} bytes, {} {each}", grouped(bytes), grouped(bytes / i64::from(count)));
        };
        line("allocated", self.allocated.bytes_current);
        line("allocated while loading, at most", i64::try_from(self.allocated.bytes_max).unwrap());
        match self.resident {
            Some(bytes) => line("resident", bytes),
            None => println!("resident: this system has no /proc/self/status to read it from"),
        }
        println!("loaded in {:.1?}, {:.1?} {each}", self.took, self.took / count);
    }
}

/// What the system counts as this process's memory, in bytes.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The digits by threes.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (place, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if place % 3 == 1 && place > 1 {
            text.push(',');
        }
    }
    text
}
