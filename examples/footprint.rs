//! Prints how many bytes a user and a tenant take.
//!
//! It prints the memory that the crate allocated, and the resident memory that the system reports. Neither includes the
//! records in the store.
//!
//! ```text
//! cargo run --release --example footprint                 # one tenant of size S: 1,000 users
//! cargo run --release --example footprint -- M            # 100,000 users; L: 1,000,000
//! cargo run --release --example footprint -- tenants 500  # 500 small tenants of 10 users, over one catalog
//! ```
//!
//! The resident memory comes from `/proc/self/status`, if that file exists. It grows by pages, the allocator keeps freed
//! memory, and loading needs temporary memory. So it means little at size S. The times include an allocator that counts.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "an example fails by panicking")]

#[path = "../benches/common/small_tenant.rs"]
mod small_tenant;
#[path = "../benches/common/copy_record.rs"]
mod copy_record;
#[expect(dead_code, reason = "only the benches use the rest")]
#[path = "../benches/common/organisation.rs"]
mod organisation;
#[path = "../benches/common/records.rs"]
mod records;
#[expect(dead_code, reason = "only the benches use the rest")]
#[path = "../benches/common/fixed_store.rs"]
mod fixed_store;
#[path = "../benches/common/random.rs"]
mod random;
#[path = "../benches/common/enum_permission.rs"]
mod enum_permission;

use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;
use rolecall::blocking::Tenant;

use self::copy_record::copy;
use self::enum_permission::EnumPermission;
use self::fixed_store::{FixedStore, tenant_id};
use self::organisation::{L, M, Organisation, S, Size};
use self::records::Owner;
use self::small_tenant::SMALL;

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
    let store = FixedStore::copying(records::of(&organisation, Owner::Tenant).into(), copy);
    let (tenant, cost) = cost(|| store.open(None));
    cost.print("a user", size.users);
    assert_eq!(tenant.now().users(&rolecall::PageRequest::of(1)).items.len(), 1, "the tenant has users");
}

fn small_tenants(count: u32) {
    let catalog = enum_permission::catalog::<4>(SMALL.permissions);
    let (organisation, _) = Organisation::draw(&SMALL);
    organisation.print();
    let store = FixedStore::copying(records::of(&organisation, Owner::Catalog(catalog)).into(), copy);
    let authorizer = store.authorizer(Some(catalog));
    let open = || (0..count).map(|number| authorizer.tenant_by_id(tenant_id(number)).unwrap());
    let (tenants, opened) = cost(|| open().collect::<Vec<Tenant>>());
    opened.print("a tenant", count);
    let knows = |tenant: &Tenant| tenant.permission_handle(EnumPermission::<4>(0)).is_some();
    assert!(tenants.iter().all(knows), "every tenant has the catalog");
    let ((), closed) = cost(|| tenants.into_iter().for_each(|tenant| tenant.close().unwrap()));
    let left = opened.allocated.bytes_current + closed.allocated.bytes_current;
    println!("after closing: {} of {} bytes remain", grouped(left), grouped(opened.allocated.bytes_current));
}

/// The memory that a call has allocated and not freed.
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
        line("allocated while loading (peak)", i64::try_from(self.allocated.bytes_max).unwrap());
        match self.resident {
            Some(bytes) => line("resident", bytes),
            None => println!("resident: unknown, since this system has no /proc/self/status"),
        }
        println!("loaded in {:.1?}, {:.1?} {each}", self.took, self.took / count);
    }
}

/// Returns the resident memory of this process in bytes.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Formats a number with digits in groups of three.
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
