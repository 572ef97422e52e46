//! rolecall
#![forbid(unsafe_code)]

pub mod blocking;
mod authorizer;
pub mod store;
mod plan;
mod moment;
mod explain;
mod check;
mod near;
mod snapshot;
pub mod meaning;
mod invariants;
pub mod catalog;
mod clock;
pub mod records;
mod error;
mod tables;
mod bits;

pub use authorizer::{Authorizer, Builder, Committed, Lag, Outcome, Repair, Tenant};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind, Noun, Result};
pub use explain::{Decision, Explanation, Link, Path, Reason};
pub use moment::{Held, Inherited, Listing, Moment, Owned, Page, PermissionSet, UserSet, Via};
pub use plan::{AsGrant, Difference, GroupEdit, PermissionEdit, Plan, RoleEdit, Tx, UserEdit};
pub use records::{Timestamp, Window};
pub use snapshot::Snapshot;
pub use snapshot::names::{AsGroup, AsPermission, AsRole, AsUser, PermissionHandle, UserHandle};
