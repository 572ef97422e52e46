//! Reads and writes the single values of a document: ids, instants, keywords and the format number.

use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::model::records::Timestamp;

/// An optional text that few entries have. Boxed, so it costs the others only a pointer.
pub(super) type OptionalText = Option<Box<SmolStr>>;

/// An id as it was read. A text would need an allocation per entry. An invalid id is kept and reported later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Read(Uuid),
    Other(Box<str>),
}

/// The format number, which is always 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format;

/// The status of a user. Its serde implementations are written by hand: the derived ones would also accept a map.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Active,
    Suspended,
}

/// The kind of an entry that was removed from the catalog.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RemovedKind {
    Permission,
    Role,
}

impl Status {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's attribute passes a reference")]
    pub(super) fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// Serialises an instant in UTC, whatever its offset was. An invalid text is serialised unchanged.
pub(super) fn instant<S: Serializer>(text: &OptionalText, serializer: S) -> Result<S::Ok, S::Error> {
    let text = text.as_deref().map_or("", SmolStr::as_str);
    match Timestamp::parse(text) {
        Ok(instant) => serializer.collect_str(&instant),
        Err(_) => serializer.serialize_str(text),
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Format;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number 1")
            }

            fn visit_u64<E: serde::de::Error>(self, format: u64) -> Result<Format, E> {
                match format {
                    1 => Ok(Format),
                    _ => Err(E::custom(format_args!("expected format 1, found format {format}"))),
                }
            }
        }

        deserializer.deserialize_u64(Read)
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(1)
    }
}

impl Id {
    /// Reads an id in the only accepted form: 36 characters with hyphens.
    pub(super) fn of(text: &str) -> Self {
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH);
        id.map_or_else(|| Self::Other(text.into()), Self::Read)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id::of(text))
            }
        }

        deserializer.deserialize_str(Read)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(id) => serializer.serialize_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Self::Other(text) => serializer.serialize_str(text),
        }
    }
}

/// Implements serde for enums whose values are keywords.
macro_rules! words {
    ($($words:ident: $($variant:ident = $word:literal),*;)*) => {$(
        impl $words {
            pub(super) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl<'de> Deserialize<'de> for $words {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                match text.as_str() {
                    $($word => Ok(Self::$variant),)*
                    other => Err(D::Error::unknown_variant(other, &[$($word),*])),
                }
            }
        }

        impl Serialize for $words {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    )*};
}

words! {
    Status: Active = "active", Suspended = "suspended";
    RemovedKind: Permission = "permission", Role = "role";
}
