//! rolecall
#![forbid(unsafe_code)]

mod authorizer;
mod bits;
pub mod blocking;
pub mod catalog;
mod check;
mod clock;
mod error;
mod explain;
#[cfg(test)]
mod histories;
mod invariants;
pub mod meaning;
mod moment;
mod near;
mod plan;
pub mod records;
mod snapshot;
pub mod store;
mod tables;

pub use authorizer::{Authorizer, Builder, Committed, Lag, Outcome, Repair, Tenant};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind, Noun, Result};
pub use explain::{Decision, Explanation, Link, Path, Reason};
pub use moment::{Held, Inherited, Listing, Moment, Owned, Page, PermissionSet, UserSet, Via};
pub use plan::{AsGrant, Difference, GroupEdit, PermissionEdit, Plan, RoleEdit, Tx, UserEdit};
pub use records::{Timestamp, Window};
pub use snapshot::Snapshot;
pub use snapshot::names::{AsGroup, AsPermission, AsRole, AsUser, PermissionHandle, UserHandle};
