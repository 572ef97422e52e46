//! A type for each kind of id, so that the id of a role cannot be passed where the id of a group is expected.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What every type around a UUID has: conversions to and from [`Uuid`], and its text form.
macro_rules! uuid_traits {
    ($name:ident, $what:literal) => {
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

        /// Parses every form of a UUID that [`Uuid`] parses. `Display` writes the hyphenated one.
        impl std::str::FromStr for $name {
            type Err = crate::model::error::Error;

            fn from_str(text: &str) -> crate::model::error::Result<Self> {
                let invalid = |_| Self::Err::invalid($what, text, "expected a UUID");
                Uuid::parse_str(text).map(Self).map_err(invalid)
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
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
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
            /// Makes a new, random id.
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

        uuid_traits!($name, $what);
    )*};
}

ids! {
    /// The id of a tenant, which is never reused. A deleted tenant's slug may be given to a new tenant, which has
    /// another id, so nothing of the old tenant applies to it.
    TenantId, "tenant id";
    /// The id of a commit. The writer chooses it, so that it can look for the commit when its outcome is not known.
    CommitId, "commit id";
    /// The id of a permission, of a tenant or of the catalog.
    PermissionId, "permission id";
    /// The id of a role, of a tenant or of the catalog.
    RoleId, "role id";
    /// The id of a group.
    GroupId, "group id";
    /// The id of a user.
    UserId, "user id";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_parsed_in_every_form_of_a_uuid() {
        let id = TenantId::from_uuid(Uuid::from_u128(0xa1));
        let table = [
            "00000000-0000-0000-0000-0000000000a1",
            "00000000-0000-0000-0000-0000000000A1",
            "000000000000000000000000000000a1",
            "{00000000-0000-0000-0000-0000000000a1}",
        ];
        for text in table {
            assert_eq!(text.parse::<TenantId>().unwrap(), id, "{text}");
        }
        for bad in ["", "a1", "00000000-0000-0000-0000-0000000000a1 ", "acme"] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
        assert_eq!(id.to_string(), table[0]);
    }
}
