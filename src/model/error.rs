//! The one error of the public API, as plain data: what kind, of which thing, with which names.
//!
//! It stands at the bottom so that every layer can make one and an application writes no conversion: what a call inside
//! a transaction returns is what the transaction returns. A store's own errors are in [`crate::store`].

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EntityKind {
    /// An isolated environment.
    Tenant,
    /// An action on a resource.
    Permission,
    /// A named collection of permissions.
    Role,
    /// A named collection of users.
    Group,
    /// A principal.
    User,
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::Group => "group",
            Self::User => "user",
        })
    }
}

/// The kinds of [`Error`]. What a caller can do about it differs from kind to kind, and so do the details it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text that is no slug, key, name, pattern, window or instant. The details say what was expected.
    Invalid,
    /// A name or id that stands for nothing here. [`Error::near`] has names that were perhaps meant.
    NotFound,
    /// The name or id that was to be created is taken.
    AlreadyExists,
    /// A group would be its own parent, or a role would include itself, in the end. [`Error::cycle_names`] shows how.
    Cycle,
    /// The membership or assignment is there already, with another window. Changing a window is a call of its own.
    WindowMismatch,
    /// The thing belongs to the catalog, which a tenant may use but not change.
    ReadOnly,
    /// A directory manages the user or group, and the transaction does not act for it (R16). [`Error::manager`] names it.
    Managed,
    /// A tenant holds slugs that the catalog defines or has retired. The details list them; a repair renames them.
    CatalogConflict,
    /// A document breaks rules. The details list every one, each with its place.
    Document,
    /// A call that reaches the store was made inside the closure of an update, on the same thread. End the closure first.
    NestedUpdate,
    /// The plan was made on a base that is no longer the tenant's state. Planning again helps.
    Stale,
    /// The plan was made by another tenant, or by another opening of this one. Trying again does not help.
    ForeignPlan,
    /// Other writers won every try.
    Conflict,
    /// Whether the commit has landed is not known yet. [`Error::commit`] is its id.
    InDoubt,
    /// The store could not be reached, and nothing happened.
    Unavailable,
    /// The commit is larger than the store takes, and nothing happened.
    TooLarge,
    /// The store does not take, or does not know, a kind of record: nothing was committed, or the tenant cannot be read.
    UnsupportedRecord,
    /// What the store holds breaks an invariant. The details list what.
    Corrupt,
    /// The tenant was closed. Opening it again makes a tenant that answers.
    Closed,
    /// The tenant was deleted.
    Deleted,
    /// More things than a 32-bit number can count were met in one opening.
    TooManyEntities,
    /// The application's own refusal, made with [`Error::rejected`].
    Rejected,
}

/// Why something was not done: plain data, and one sentence.
///
/// # Example
/// ```
/// use rolecall::{ErrorKind, blocking::Authorizer};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| { tx.create_role("editor")?; Ok(()) })?;
/// let error = acme.update(|tx| { tx.role("edtior")?; Ok(()) }).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.suggestions(), ["editor"]);
/// assert_eq!(error.to_string(), "there is no role `edtior` at revision 2; did you mean `editor`?");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Box<Detail>);

#[derive(Clone)]
struct Detail {
    kind: ErrorKind,
    entity: Option<EntityKind>,
    name: String,
    details: Vec<String>,
    near: Vec<String>,
    revision: Option<u64>,
    commit: Option<Uuid>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Detail {
            kind,
            entity: None,
            name: String::new(),
            details: Vec::new(),
            near: Vec::new(),
            revision: None,
            commit: None,
            source: None,
        }))
    }

    /// The application's own reason to give up a transaction, for closures that return this crate's error.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected).detail(reason)
    }

    pub(crate) fn invalid(what: &str, found: &str, expected: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Invalid).detail(expected);
        what.clone_into(&mut error.0.name);
        error.0.near.push(shown(found));
        error
    }

    pub(crate) fn about(mut self, entity: EntityKind, name: impl Into<String>) -> Self {
        self.0.entity = Some(entity);
        self.0.name = name.into();
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    pub(crate) fn details_of(mut self, details: Vec<String>) -> Self {
        self.0.details = details;
        self
    }

    pub(crate) fn suggest_among(mut self, near: Vec<String>) -> Self {
        self.0.near = near;
        self
    }

    pub(crate) fn at_revision(mut self, revision: u64) -> Self {
        self.0.revision = Some(revision);
        self
    }

    pub(crate) fn of_commit(mut self, commit: Uuid) -> Self {
        self.0.commit = Some(commit);
        self
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What it is about, where it is about one thing.
    pub fn entity(&self) -> Option<EntityKind> {
        self.0.entity
    }

    /// The name of the thing it is about, or of the kind of text that is malformed; empty where there is none.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Names that were perhaps meant, nearest first.
    pub fn suggestions(&self) -> &[String] {
        if self.0.kind == ErrorKind::Invalid { &[] } else { &self.0.near }
    }

    /// The names around the cycle, the first one again at the end; empty for other kinds. A long cycle is cut.
    pub fn cycle_names(&self) -> &[String] {
        if self.0.kind == ErrorKind::Cycle { &self.0.details } else { &[] }
    }

    /// The directory that manages the user or group; `None` for other kinds than [`Managed`](ErrorKind::Managed).
    pub fn manager(&self) -> Option<&str> {
        self.0.details.first().filter(|_| self.0.kind == ErrorKind::Managed).map(String::as_str)
    }

    /// What else there is to say, a line each: what was expected, every broken rule, every clash.
    pub fn details(&self) -> &[String] {
        &self.0.details
    }

    /// The revision that the error speaks of: what does not exist, or exists, did so at this one.
    pub fn revision(&self) -> Option<u64> {
        self.0.revision
    }

    /// The id of the commit whose outcome is not known: `into()` a [`CommitId`](crate::records::CommitId), by which
    /// `Tenant::outcome` tells what became of it.
    pub fn commit(&self) -> Option<Uuid> {
        self.0.commit
    }

    fn listed(&self, f: &mut fmt::Formatter<'_>, intro: &str) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "{intro}")?;
        for (i, line) in self.0.details.iter().take(SHOWN).enumerate() {
            write!(f, "{}{line}", if i == 0 { ": " } else { "; " })?;
        }
        match self.0.details.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => write!(f, "; and {more} more"),
            _ => Ok(()),
        }
    }

    fn subject(&self) -> String {
        let entity = self.0.entity.map_or_else(String::new, |entity| format!("{entity} "));
        format!("{entity}`{}`", shown(&self.0.name))
    }

    fn not_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.entity {
            Some(entity) if self.0.name.is_empty() => write!(f, "there is no such {entity}")?,
            _ => write!(f, "there is no {}", self.subject())?,
        }
        if let Some(detail) = self.0.details.first() {
            write!(f, " {detail}")?;
        }
        if let Some(revision) = self.0.revision {
            write!(f, " at revision {revision}")?;
        }
        for (i, near) in self.0.near.iter().enumerate() {
            write!(f, "{}`{near}`", if i == 0 { "; did you mean " } else { " or " })?;
        }
        if self.0.near.is_empty() { Ok(()) } else { f.write_str("?") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        match detail.kind {
            ErrorKind::Invalid => {
                let found = detail.near.first().map_or("", String::as_str);
                self.listed(f, &format!("`{found}` is no {}", detail.name))
            }
            ErrorKind::NotFound => self.not_found(f),
            ErrorKind::AlreadyExists => {
                write!(f, "the {} exists already", self.subject())?;
                if let Some(revision) = detail.revision {
                    write!(f, " at revision {revision}")?;
                }
                self.listed(f, "")
            }
            ErrorKind::Cycle => write!(f, "this would make a cycle: `{}`", detail.details.join("` > `")),
            ErrorKind::WindowMismatch => {
                let what = if detail.entity == Some(EntityKind::Group) { "membership in" } else { "assignment of" };
                let intro =
                    format!("the {what} the {} has another window, to be changed by a call of its own", self.subject());
                self.listed(f, &intro)
            }
            ErrorKind::ReadOnly => {
                write!(f, "the {} belongs to the catalog and cannot be changed here", self.subject())
            }
            ErrorKind::Managed => {
                let manager = shown(self.manager().unwrap_or_default());
                let subject = self.subject();
                write!(f, "the {subject} is managed by `{manager}`: only a transaction that acts for it may do this")
            }
            ErrorKind::CatalogConflict => self.listed(f, "the tenant has slugs that the catalog takes"),
            ErrorKind::Document => self.listed(f, "the document breaks rules"),
            ErrorKind::NestedUpdate => {
                f.write_str("a call that reaches the store, inside the closure of an update on this thread")
            }
            ErrorKind::Stale => f.write_str("the plan was made on a state that is no longer the latest"),
            ErrorKind::ForeignPlan => {
                f.write_str("the plan was made by another tenant, or by another opening of this one")
            }
            ErrorKind::Conflict => f.write_str("other writers won every try"),
            ErrorKind::InDoubt => self.listed(f, "whether the commit has landed is not known yet"),
            ErrorKind::Unavailable => self.listed(f, "the store is unavailable, and nothing happened"),
            ErrorKind::TooLarge => self.listed(f, "the commit is larger than the store takes"),
            ErrorKind::UnsupportedRecord => {
                self.listed(f, "the store does not take, or does not know, a kind of record")
            }
            ErrorKind::Corrupt => self.listed(f, "what the store holds breaks invariants"),
            ErrorKind::Closed => f.write_str("the tenant was closed"),
            ErrorKind::Deleted => f.write_str("the tenant was deleted"),
            ErrorKind::TooManyEntities => f.write_str("more things than 31 bits can count in one opening"),
            ErrorKind::Rejected => f.write_str(detail.details.first().map_or("refused", String::as_str)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// A text from outside as it may stand in a message: control characters escaped, cut after 80 characters.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, 80)
}

/// The same, cut after so many characters.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(most) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}
