//! A type for each kind of id, so that the id of a role is never passed where the id of a group is meant.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID, to be stored or sent.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// A new id that nothing has.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

ids! {
    /// One existence of a tenant. A slug that is used again begins a new life, so nothing old sticks to it.
    TenantId,
    /// A commit, made by whoever wrote it, so that it can be found again when its outcome was not heard.
    CommitId,
    /// A permission, of a tenant or of the catalog.
    PermissionId,
    /// A role, of a tenant or of the catalog.
    RoleId,
    /// A group.
    GroupId,
    /// A user.
    UserId,
}
