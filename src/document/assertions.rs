//! Reads a file of assertions (R17).
//!
//! Their meaning is in `resolver/assertions.rs`.

use serde::Deserialize;

use super::misshapen;
use super::mistakes::{JsonPointer, Mistakes};
use super::shape::Expect;
use super::values::Format;
use crate::model::error::{MistakeCode, Result};
use crate::resolver::assertions::{Assertion, Assertions};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileData {
    #[serde(rename = "format")]
    _format: Format,
    assertions: Vec<AssertionData>,
}

/// An assertion as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssertionData {
    expect: Expect,
    #[serde(default)]
    permission: Option<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
}

impl Assertions {
    /// Reads assertions from JSON.
    ///
    /// ```
    /// # use rolecall::assertions::Assertions;
    /// let json = br#"{"format": 1, "assertions": [{"expect": "separate", "roles": ["clerk"]}]}"#;
    /// let error = Assertions::from_json(json).unwrap_err();
    /// assert_eq!(error.mistakes()[0].to_string(), "/assertions/0/roles: expected at least 2 roles, found 1");
    /// ```
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document), with the line and column of the first error, or with all assertions
    /// that say too little or too much.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        let file: FileData = serde_json::from_slice(json).map_err(|fault| misshapen(&fault))?;
        let mut mistakes = Mistakes::default();
        let entries = file.assertions.into_iter().enumerate();
        let assertions: Vec<Assertion> =
            entries.filter_map(|(n, entry)| entry.checked(JsonPointer::entry(LIST, n), &mut mistakes)).collect();
        mistakes.finish()?;
        Ok(Self::new(assertions))
    }
}

const LIST: &str = "assertions";

impl AssertionData {
    fn checked(self, place: JsonPointer, mistakes: &mut Mistakes) -> Option<Assertion> {
        let Self { expect, permission, users, groups, roles } = self;
        let mistake = expect.mistake(permission.is_some(), [users.len(), groups.len()], roles.iter());
        if let Some((field, message)) = mistake {
            mistakes.add(place.field(field), MistakeCode::Shape, || message);
            return None;
        }
        let permission = permission.unwrap_or_default();
        Some(match expect {
            Expect::Allowed => Assertion::Allowed { permission, users, groups },
            Expect::Denied => Assertion::Denied { permission, users, groups },
            Expect::Only => Assertion::Only { permission, users, groups },
            Expect::Separate => Assertion::Separate { roles },
        })
    }
}
