//! A type for each kind of id, and for revisions: the id of a role cannot be passed as the id of a group.
//!
//! They are below the error, which contains some of them; `records/parsed.rs` parses them.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The methods of every type that wraps a UUID: conversions to and from [`Uuid`], and its text form.
macro_rules! uuid_traits {
    ($name:ident) => {
        impl $name {
            /// Wraps a UUID.
            ///
            /// ```
            #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
            /// use uuid::Uuid;
            ///
            #[doc = concat!("let id = ", stringify!($name), "::from_uuid(Uuid::from_u128(7));")]
            #[doc = concat!("assert_eq!(id, ", stringify!($name), "::from(Uuid::from_u128(7)));")]
            /// ```
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID, for a database column or another crate.
            ///
            /// ```
            #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
            /// use uuid::Uuid;
            ///
            #[doc = concat!("let id = ", stringify!($name), "::from_uuid(Uuid::from_u128(7));")]
            /// assert_eq!(id.as_uuid().as_u128(), 7);
            /// assert_eq!(Uuid::from(id), id.as_uuid());
            /// ```
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}
pub(super) use uuid_traits;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
        ///
        #[doc = concat!("let id = ", stringify!($name), "::random();")]
        #[doc = concat!("assert_eq!(id.to_string().parse::<", stringify!($name), ">()?, id);")]
        /// # Ok::<(), rolecall::Error>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Returns a new, random id.
            ///
            /// ```
            #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
            ///
            #[doc = concat!("assert_ne!(", stringify!($name), "::random(), ", stringify!($name), "::random());")]
            /// ```
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        uuid_traits!($name);
    )*};
}

ids! {
    /// The id of a tenant, which is never reused. A deleted tenant's slug may be given to a new tenant, which has
    /// another id, so nothing of the old tenant applies to it.
    TenantId;
    /// The id of a commit. The writer chooses it, so that it can look for the commit when its outcome is not known.
    CommitId;
    /// The id of a permission, of a tenant or of the catalog.
    PermissionId;
    /// The id of a role, of a tenant or of the catalog.
    RoleId;
    /// The id of a group.
    GroupId;
    /// The id of a user.
    UserId;
    /// The id of a separation of duties.
    SeparationId;
    /// The id of an assertion.
    AssertionId;
}

/// The number of a tenant's state. The commit that creates the tenant makes revision 1, and each later commit the next.
///
/// ```
/// use rolecall::records::Revision;
///
/// let revision = Revision::FIRST.next();
/// assert_eq!(revision, Revision::new(2));
/// assert_eq!(revision.to_string().parse::<Revision>()?, revision);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The revision that the creation of a tenant makes.
    ///
    /// ```
    /// use rolecall::records::Revision;
    ///
    /// assert_eq!(Revision::FIRST.number(), 1);
    /// ```
    pub const FIRST: Self = Self(1);

    /// Wraps a number.
    ///
    /// ```
    /// use rolecall::records::Revision;
    ///
    /// assert_eq!(Revision::new(1), Revision::FIRST);
    /// ```
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    ///
    /// ```
    /// use rolecall::records::Revision;
    ///
    /// assert_eq!(Revision::FIRST.number(), 1);
    /// ```
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the revision that the next commit makes.
    ///
    /// ```
    /// use rolecall::records::Revision;
    ///
    /// assert_eq!(Revision::new(7).next(), Revision::new(8));
    /// ```
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<u64> for Revision {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Revision> for u64 {
    fn from(revision: Revision) -> Self {
        revision.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
