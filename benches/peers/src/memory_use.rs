//! Measures the memory of each contestant: the bytes that it requested while it was built and has not freed.
//!
//! What the system's allocator adds to each block does not count. Nor does the data that an application keeps beside a
//! library (`app_data.rs`), nor a store. This is a separate program (`memory`), since an allocator that counts is slow.

use std::any::Any;
use std::sync::Arc;

use crate::app_data::AppData;
use crate::common::by_hand::Limits;
use crate::common::fixed_store::FixedStore;
use crate::common::oracle::Oracle;
use crate::common::organisation::{M, Organisation, S, Size, is_wanted};
use crate::common::records::{self, Owner};
use crate::copy_record::copy;
use crate::figures::{Figures, MEMORY, shown};
use crate::peers::by_hand::{Fast, Flat};
use crate::peers::casbin::Casbin;
use crate::peers::cedar::{Cedar, Design};
use crate::peers::gatehouse::Gatehouse;
use crate::peers::gatehouse_rbac::GatehouseRbac;
use crate::peers::role_system::Roles;
use crate::peers::rs_tenant::RsTenant;

/// Runs a closure. Returns how many more bytes are allocated afterwards.
pub type CountBytes<'a> = &'a dyn Fn(&mut dyn FnMut()) -> i64;

/// Measures all contestants at the selected sizes and prints the results. Saves them if `save` is set.
pub fn run(count_bytes: CountBytes<'_>, save: bool) {
    let mut figures = Figures::default();
    if is_wanted(&S) {
        one_size::<4>(&S, count_bytes, &mut figures);
    }
    if is_wanted(&M) {
        one_size::<16>(&M, count_bytes, &mut figures);
    }
    if save {
        figures.save().expect("the file can be written");
    }
}

fn one_size<const N: usize>(size: &'static Size, count_bytes: CountBytes<'_>, figures: &mut Figures) {
    let (organisation, _) = Organisation::draw(size);
    let oracle = Oracle::<N>::new(&organisation);
    let app_data = AppData::<N>::new(&organisation);
    let store = FixedStore::copying(Arc::from(records::of(&organisation, Owner::Tenant)), copy);
    let users = f64::from(size.users);
    println!("{MEMORY}, {}", size.name);
    let mut measure = |name: &str, build: &dyn Fn() -> Box<dyn Any>| {
        let mut built = None;
        let bytes = count_bytes(&mut || built = Some(build()));
        drop(built);
        let bytes = bytes as f64;
        println!("  {name:<16} {:>10}  {:>8.0} bytes a user", shown(bytes / MIB, "MiB"), bytes / users);
        figures.put(name, size.name, MEMORY, bytes / MIB, "allocated when built");
    };
    measure("rolecall", &|| Box::new(store.clone().open(None)));
    measure("limit_one", &|| Box::new(vec![0_u64; oracle.rows.len()]));
    measure("limit_two", &|| Box::new(Limits::new(&oracle)));
    measure("by_hand_fast", &|| Box::new(Fast::new(&app_data)));
    measure("by_hand_flat", &|| Box::new(Flat::new(&app_data)));
    measure("gatehouse", &|| Box::new(Gatehouse::new(&app_data)));
    measure("gatehouse_rbac", &|| Box::new(GatehouseRbac::new(&app_data)));
    measure("role_system", &|| Box::new(Roles::new(&app_data)));
    measure("rs_tenant", &|| Box::new(RsTenant::new(&app_data)));
    measure("cedar", &|| Box::new(Cedar::new(&app_data, Design::RoleBased)));
    measure("cedar_relation", &|| Box::new(Cedar::new(&app_data, Design::Relationship)));
    measure("casbin", &|| Box::new(Casbin::new(&app_data)));
}

const MIB: f64 = 1_048_576.0;
