//! Texts that people write (R10): user keys, names, descriptions, notes and actors, each with its bounds.
//!
//! A text of up to 23 bytes is stored inside the record. A separate allocation would take 32 bytes more per user.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::model::error::{Error, Result};

/// The methods of every validated text: conversions from and to text, comparison with `&str`, and look-up by `&str` in
/// maps.
macro_rules! text_traits {
    ($($name:ident: $sample:literal),* $(,)?) => {$(
        impl $name {
            /// Returns the text.
            ///
            /// ```
            #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
            ///
            #[doc = concat!("let text: ", stringify!($name), " = \"", $sample, "\".parse()?;")]
            #[doc = concat!("assert_eq!(text.as_str(), \"", $sample, "\");")]
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(&text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// Compares and hashes like its text, so a map with these keys can be searched with a `&str`.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialEq<$name> for str {
            fn eq(&self, other: &$name) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$name> for &str {
            fn eq(&self, other: &$name) -> bool {
                *self == other.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    )*};
}
pub(super) use text_traits;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $sample:literal, $range:expr, $lines:literal, $expected:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// Validates a text.
            ///
            /// ```
            #[doc = concat!("use rolecall::records::", stringify!($name), ";")]
            ///
            #[doc = concat!("assert_eq!(", stringify!($name), "::new(\"", $sample, "\")?, \"", $sample, "\");")]
            #[doc = concat!("assert!(", stringify!($name), "::new(\"\\0\").is_err());")]
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            ///
            /// # Errors
            #[doc = concat!("[`Invalid`](crate::ErrorKind::Invalid) if it is anything but ", $expected, ".")]
            pub fn new(text: &str) -> Result<Self> {
                let plain = |c: char| !c.is_control() || ($lines && (c == '\n' || c == '\t'));
                if $range.contains(&text.len()) && text.chars().all(plain) {
                    Ok(Self(text.into()))
                } else {
                    Err(Error::invalid($what, text, $expected))
                }
            }
        }

        text_traits!($name: $sample);
    )*};
}

texts! {
    /// The key by which the application knows a user (an e-mail address, a row id): 1 to 320 bytes, no control
    /// characters.
    ///
    /// Compared byte for byte, without Unicode normalization.
    UserKey: "user key", "alice@acme.com", 1..=320, false, "1 to 320 bytes without control characters";
    /// A display name, or a category: 1 to 255 bytes, no control characters.
    Name: "name", "Engineering", 1..=255, false, "1 to 255 bytes without control characters";
    /// A description: at most 4,096 bytes, newline and tab allowed.
    Description: "description", "May read everything", 0..=4096, true, "at most 4,096 bytes, no control characters but newline and tab";
    /// The id of a user or group in the directory that it is synchronised from: 1 to 255 bytes, no control characters.
    ///
    /// Compared byte for byte. Unique for each directory and kind within a tenant.
    ExternalId: "external id", "00u1b2c3d4", 1..=255, false, "1 to 255 bytes without control characters";
    /// The name of a directory that manages users and groups: 1 to 255 bytes, no control characters.
    ///
    /// Compared byte for byte.
    Manager: "name of a directory", "okta", 1..=255, false, "1 to 255 bytes without control characters";
    /// The actor of a commit, in the application's words: 1 to 320 bytes, no control characters.
    Actor: "actor", "nightly-sync", 1..=320, false, "1 to 320 bytes without control characters";
    /// Why a commit was made: at most 4,096 bytes, newline and tab allowed.
    Note: "note", "Requested in ticket 4711", 0..=4096, true, "at most 4,096 bytes, no control characters but newline and tab";
}

/// The empty description.
impl Default for Description {
    fn default() -> Self {
        Self("".into())
    }
}

impl Description {
    /// Returns whether the description is empty.
    ///
    /// ```
    /// use rolecall::records::Description;
    ///
    /// assert!(Description::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Name {
    /// Derives a name from a slug, for entities that are created without a name.
    pub(crate) fn of_slug(slug: &str) -> Self {
        Self(slug.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r10_external_ids_and_names_of_directories_have_bounds_and_no_control_characters() {
        let (long, longer) = ("x".repeat(255), "x".repeat(256));
        for good in ["00u1", "CN=Ünï, OU=x", " ", &long] {
            assert!(ExternalId::new(good).is_ok() && Manager::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a\0", "a\n", "\u{85}", &longer] {
            assert!(ExternalId::new(bad).is_err() && Manager::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn r10_keys_and_names_have_bounds_and_no_control_characters() {
        let long = "k".repeat(320);
        for good in ["alice@acme.com", "1", "ünï@x", "with space ", &long] {
            assert!(UserKey::new(good).is_ok(), "{good:?}");
        }
        let longer = "k".repeat(321);
        for bad in ["", "a\0", "a\n", "\u{85}", "\t", &longer] {
            assert!(UserKey::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::new(&"ü".repeat(128)).is_err(), "bounds are bytes");
        assert!(
            Description::new("").is_ok() && Description::new("a\n\tb").is_ok() && Description::new("a\rb").is_err()
        );
        assert!(
            Description::new(&"d".repeat(4097)).is_err() && Note::new("\u{1b}").is_err() && Actor::new("").is_err()
        );
    }

    #[test]
    fn a1_similar_texts_are_different() {
        assert_ne!(UserKey::new("e\u{301}").unwrap(), UserKey::new("é").unwrap());
        assert_ne!(UserKey::new("a").unwrap(), UserKey::new("a ").unwrap());
        assert_ne!(UserKey::new("Alice").unwrap(), UserKey::new("alice").unwrap());
    }
}
