//! What each contestant's built state takes in memory: the bytes that are asked for while it is built and still held
//! afterwards, without what the system's allocator adds to each block.
//!
//! It is a program of its own (`memory`), since an allocator that counts slows what it counts. What an application
//! keeps beside a library (`plain.rs`) is not counted, nor is a store.

use std::any::Any;
use std::sync::Arc;

use crate::common::by_hand::Limits;
use crate::common::oracle::Oracle;
use crate::common::organisation::{M, Organisation, S, Size, is_wanted};
use crate::common::records::{self, Owner};
use crate::common::shelf::Shelf;
use crate::copied::copy;
use crate::figures::{Figures, MEMORY, shown};
use crate::peers::by_hand::{Fast, Flat};
use crate::peers::casbin::Casbin;
use crate::peers::cedar::{Cedar, Design};
use crate::peers::gatehouse::Gatehouse;
use crate::peers::gatehouse_rbac::GatehouseRbac;
use crate::peers::role_system::Roles;
use crate::peers::rs_tenant::RsTenant;
use crate::plain::Plain;

/// Does what it is given, and tells how many bytes more are held afterwards.
pub type Scales<'a> = &'a dyn Fn(&mut dyn FnMut()) -> i64;

/// Weighs all at the sizes that are wanted, prints it, and keeps the figures if they are to be kept.
pub fn run(scales: Scales<'_>, keep: bool) {
    let mut figures = Figures::default();
    if is_wanted(&S) {
        one_size::<4>(&S, scales, &mut figures);
    }
    if is_wanted(&M) {
        one_size::<16>(&M, scales, &mut figures);
    }
    if keep {
        figures.keep().expect("the file can be written");
    }
}

fn one_size<const N: usize>(size: &'static Size, scales: Scales<'_>, figures: &mut Figures) {
    let (organisation, _) = Organisation::draw(size);
    let oracle = Oracle::<N>::new(&organisation);
    let plain = Plain::<N>::new(&organisation);
    let shelf = Shelf::copying(Arc::from(records::of(&organisation, Owner::Tenant)), copy);
    let users = f64::from(size.users);
    println!("{MEMORY}, {}", size.name);
    let mut weigh = |name: &str, build: &dyn Fn() -> Box<dyn Any>| {
        let mut built = None;
        let bytes = scales(&mut || built = Some(build()));
        drop(built);
        let bytes = bytes as f64;
        println!("  {name:<16} {:>10}  {:>8.0} bytes a user", shown(bytes / MIB, "MiB"), bytes / users);
        figures.put(name, size.name, MEMORY, bytes / MIB, "allocated when built");
    };
    weigh("rolecall", &|| Box::new(shelf.clone().open(None)));
    weigh("limit_one", &|| Box::new(vec![0_u64; oracle.rows.len()]));
    weigh("limit_two", &|| Box::new(Limits::new(&oracle)));
    weigh("by_hand_fast", &|| Box::new(Fast::new(&plain)));
    weigh("by_hand_flat", &|| Box::new(Flat::new(&plain)));
    weigh("gatehouse", &|| Box::new(Gatehouse::new(&plain)));
    weigh("gatehouse_rbac", &|| Box::new(GatehouseRbac::new(&plain)));
    weigh("role_system", &|| Box::new(Roles::new(&plain)));
    weigh("rs_tenant", &|| Box::new(RsTenant::new(&plain)));
    weigh("cedar", &|| Box::new(Cedar::new(&plain, Design::RoleBased)));
    weigh("cedar_relation", &|| Box::new(Cedar::new(&plain, Design::Relationship)));
    weigh("casbin", &|| Box::new(Casbin::new(&plain)));
}

const MIB: f64 = 1_048_576.0;
