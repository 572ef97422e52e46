//! Records: the entities and relations that a store keeps, and the changes and commits that modify them.
//!
//! They are plain data. Every text in a record has been validated. Rules about *sets* of records are in
//! [`crate::reference`].
//!
//! Start with [`Record`], then [`Change`] and [`Envelope`].

mod fields;
mod event;
mod change;
mod parsed;
mod envelope;
mod record;
mod assertion;
mod separation;
mod relations;
mod entities;
mod directory;
pub(crate) mod pattern;
mod slug;
mod text;
mod window_set;
mod window;
mod timestamp;

pub use assertion::{AssertionRecord, Expectation};
pub use change::Change;
pub use entities::{GroupRecord, PermissionRecord, RoleRecord, Status, TenantRecord, UserRecord};
pub use envelope::{Envelope, Fingerprint, Position};
pub use fields::FieldChange;
pub use pattern::Pattern;
pub use record::{Record, RecordKey, RecordKind};
pub use relations::{Assignment, Grant, Granted, Holder, Inclusion, Membership, ParentLink, PermissionRef, RoleRef};
pub use separation::SeparationRecord;
pub use slug::{Slug, TenantSlug};
pub use text::{Actor, Description, ExternalId, Manager, Name, Note, UserKey};
pub use timestamp::Timestamp;
pub use window::Window;
pub use window_set::WindowSet;

pub use super::ids::{AssertionId, CommitId, GroupId, PermissionId, Revision, RoleId, SeparationId, TenantId, UserId};
