//! Parsing of ids, fingerprints and revisions. It is apart from their types because those are below the error.

use std::str::FromStr;

use uuid::Uuid;

use super::Fingerprint;
use crate::model::error::{Error, Result};
use crate::model::ids::{
    AssertionId, CommitId, GroupId, PermissionId, Revision, RoleId, SeparationId, TenantId, UserId,
};

macro_rules! parsed {
    ($($name:ident: $what:literal;)*) => {$(
        /// Parses every form of a UUID that [`Uuid`] parses. `Display` writes the hyphenated one.
        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let invalid = |_| Error::invalid($what, text, "a UUID");
                Uuid::parse_str(text).map(Self::from_uuid).map_err(invalid)
            }
        }
    )*};
}

parsed! {
    TenantId: "tenant id";
    CommitId: "commit id";
    PermissionId: "permission id";
    RoleId: "role id";
    GroupId: "group id";
    UserId: "user id";
    SeparationId: "separation id";
    AssertionId: "assertion id";
    Fingerprint: "fingerprint";
}

/// Parses what `Display` writes: decimal digits.
impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_digits { text.parse().ok() } else { None };
        number.map(Self::new).ok_or_else(|| Error::invalid("revision", text, "a whole number of at most 64 bits"))
    }
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
