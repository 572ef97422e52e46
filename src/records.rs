//! What a store keeps: nouns, the edges between them, and the commits that change them. Plain data, no behaviour beyond
//! being well formed: a text that reaches a record has been parsed. Rules about *sets* of records are in
//! [`crate::meaning`].
//!
//! Start with [`Record`], then [`Change`] and [`Envelope`].

mod change;
mod edges;
mod envelope;
mod ids;
mod nouns;
mod pattern;
mod record;
mod slug;
mod text;
mod timestamp;
mod window;

pub use change::Change;
pub use edges::{Assignment, Grant, Granted, Holder, Inclusion, Membership, Parent, PermissionRef, RoleRef};
pub use envelope::{At, Envelope, Fingerprint, Revision};
pub use ids::{CommitId, GroupId, Life, PermissionId, RoleId, UserId};
pub use nouns::{GroupRecord, PermissionRecord, RoleRecord, Status, TenantRecord, UserRecord};
pub use pattern::Pattern;
pub use record::{Kind, Record, RecordKey};
pub use slug::{Slug, TenantSlug};
pub use text::{Actor, Description, Name, Note, UserKey};
pub use timestamp::Timestamp;
pub use window::Window;
