//! Moves users, groups and roles from other products to rolecall: reads their exports and writes an organisation
//! document.
//!
//! ```
//! let model = "
//!     [request_definition]
//!     r = sub, obj, act
//!     [policy_definition]
//!     p = sub, obj, act
//!     [role_definition]
//!     g = _, _
//!     [policy_effect]
//!     e = some(where (p.eft == allow))
//!     [matchers]
//!     m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act";
//! let policy = "p, editor, posts, write\ng, alice, editor";
//!
//! let imported = rolecall_import::casbin::read(model, policy, None)?;
//! assert_eq!(imported.notes(), [], "everything was carried over");
//! # #[cfg(feature = "json")] {
//! let acme = rolecall::blocking::Authorizer::in_memory().import(&imported.document()?)?;
//! assert!(acme.check("alice", "posts:write"));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | from | module |
//! |---|---|
//! | casbin: a model and a policy with `p` and `g` lines | [`casbin`] |
//! | laravel-permission: its tables as CSV | [`laravel`] |
//! | Keycloak: the export of a realm | [`keycloak`] |
//!
//! An import never gives a user more than the source does. It leaves out everything that a document cannot express, and adds
//! a [`Note`] about each such thing. Read all of them before you use the document. The page *Moving in* of rolecall's
//! documentation says what becomes what.
//!
//! # Security
//! The input decides who may do what. Import only what an administrator has exported. Names are quoted in notes and
//! errors, so they can be printed.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod casbin;
pub mod keycloak;
pub mod laravel;
mod cycles;
mod names;
mod notes;
mod output;

use std::fmt;

use rolecall::error::Quoted;

pub use self::notes::{Note, NoteKind};
use self::output::Output;

/// A tenant that was read, and notes about its differences from the source.
///
/// ```
/// let imported = rolecall_import::keycloak::read(&[r#"{"realm": "acme", "users": [{"username": "alice"}]}"#], None)?;
/// assert!(imported.to_json().contains(r#""key": "alice""#) || imported.to_json().contains(r#""alice""#));
/// # Ok::<(), rolecall_import::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Imported {
    output: Output,
    notes: Vec<Note>,
}

impl Imported {
    /// Returns the organisation document as JSON, indented, with lists in bytewise order.
    ///
    /// ```
    /// let imported = rolecall_import::keycloak::read(&[r#"{"realm": "acme"}"#], None)?;
    /// assert!(imported.to_json().contains(r#""slug": "acme""#));
    /// # Ok::<(), rolecall_import::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for n entries and relations.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "every key is a string, and writing to memory does not fail"
    )]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(&self.output).expect("a document is JSON");
        json.push('\n');
        json
    }

    /// Returns the organisation document, for [`Authorizer::import`](rolecall::Authorizer::import).
    ///
    /// ```
    /// let imported = rolecall_import::keycloak::read(&[r#"{"realm": "acme"}"#], None)?;
    /// assert_eq!(imported.document()?.slug(), "acme");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// None is expected: the document has the shape that [`Document::from_json`](rolecall::Document::from_json) reads.
    #[cfg(feature = "json")]
    pub fn document(&self) -> rolecall::Result<rolecall::Document> {
        rolecall::Document::from_json(self.to_json().as_bytes())
    }

    /// Returns what was left out, renamed or expressed in another way.
    ///
    /// ```
    /// use rolecall_import::NoteKind;
    ///
    /// let realm = r#"{"realm": "acme", "users": [{"username": "bob", "enabled": false}]}"#;
    /// let imported = rolecall_import::keycloak::read(&[realm], None)?;
    /// assert_eq!(imported.notes()[0].kind, NoteKind::Changed);
    /// # Ok::<(), rolecall_import::Error>(())
    /// ```
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// Why nothing could be read.
///
/// ```
/// let error = rolecall_import::keycloak::read(&["{"], None).unwrap_err();
/// assert!(error.to_string().starts_with("file 1: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The input does not have the shape of the format.
    Invalid {
        /// The file and line, as far as they are known.
        place: String,
        /// The mistake.
        message: String,
    },
    /// The input has several of something, or not the one that was asked for, and only one can be read.
    Choose {
        /// The kind to choose one of: `domain`, `team`, `guard` or `realm`.
        what: &'static str,
        /// The one that was asked for.
        asked: Option<String>,
        /// Those that exist.
        found: Vec<String>,
    },
}

impl Error {
    fn invalid(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::Invalid { place: place.to_string(), message: message.to_string() }
    }
}

/// Chooses what was asked for, or the only one. `None` if nothing was asked for and there is none.
fn choose(what: &'static str, found: Vec<String>, asked: Option<&str>) -> Result<Option<String>, Error> {
    match (asked, found.as_slice()) {
        (Some(asked), _) if found.iter().any(|one| one == asked) => Ok(Some(asked.to_owned())),
        (None, []) => Ok(None),
        (None, [one]) => Ok(Some(one.clone())),
        _ => Err(Error::Choose { what, asked: asked.map(str::to_owned), found }),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { place, message } => write!(f, "{place}: {message}"),
            Self::Choose { what, asked, found } => {
                match asked {
                    Some(asked) => write!(f, "{what} {} not found", Quoted(asked))?,
                    None => write!(f, "choose one {what}")?,
                }
                let shown = found.iter().take(20).map(|one| Quoted(one).to_string()).collect::<Vec<_>>();
                write!(f, "; found {}", if shown.is_empty() { "none".to_owned() } else { shown.join(", ") })?;
                if found.len() > shown.len() { write!(f, " and {} more", found.len() - shown.len()) } else { Ok(()) }
            }
        }
    }
}

impl std::error::Error for Error {}
