//! The one error of the public API, as plain data: its kind, the entity it is about, and what belongs to the kind.
//!
//! It is near the bottom layer, so every layer can create one. An application needs no conversion: a call inside a
//! transaction returns the same type as the transaction. `error/codes.rs` has the kinds and their codes,
//! `error/mistakes.rs` the items that an error can list, `error/message.rs` the texts, `error/serialize.rs` the error as
//! data. `error/asked.rs` has what the caller wrote, `error/suggestions.rs` what the caller probably meant,
//! `error/cycle.rs` describes a cycle, and `error/text.rs` how a name is quoted.
//!
//! Deliberately absent: the errors of a store, which are in [`crate::store`].

mod serialize;
mod details;
mod message;
#[cfg(test)]
mod tests;
mod mistakes;
mod missing_right;
mod relation;
mod assertion;
mod separation;
mod asked;
mod cycle;
mod codes;
mod suggestions;
mod text;

use std::error::Error as StdError;
use std::sync::Arc;

pub(crate) use self::asked::{Asked, AskedBy};
pub use self::assertion::AssertionViolation;
pub use self::codes::{EntityKind, ErrorKind};
pub(crate) use self::cycle::CycleNames;
pub use self::missing_right::{MissingRight, RightKind};
pub use self::mistakes::{InvariantViolation, Mistake, MistakeCode, ViolationCode};
pub use self::relation::{Relation, RelationKind};
pub use self::separation::{HeldRole, SeparationViolation};
pub(crate) use self::suggestions::{GuessName, Suggestions};
pub use self::text::Quoted;
pub(crate) use self::text::{DidYouMean, escaped, is_hidden};
use crate::model::ids::{CommitId, Revision};

/// The result type of this crate.
///
/// ```
/// use rolecall::blocking::Tenant;
///
/// fn add_user(tenant: &Tenant, key: &str) -> rolecall::Result<()> {
///     tenant.update(|tx| tx.ensure_user(key)?.done())?;
///     Ok(())
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: its kind, the data of that kind, and one sentence for people.
///
/// [`kind`](Error::kind) says which of the other accessors have something to return. `Display` writes the sentence.
///
/// # Example
/// ```
/// use rolecall::{EntityKind, ErrorKind, blocking::Authorizer};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_role("editor")?.done())?;
/// let error = acme.update(|tx| tx.role("edtior")?.done()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!((error.entity(), error.name()), (Some(EntityKind::Role), Some("edtior")));
/// assert_eq!(error.suggestions(), ["editor"]);
/// assert_eq!(error.to_string(), "role `edtior` not found; did you mean `editor`?");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # As data
/// An error serialises as the members of a problem description (RFC 9457): `code`, `title`, `detail`, and all other details
/// that the error has. The application adds `type` and `status`. Members without a value are left out. `detail` is the
/// sentence without the advice. The member `advice` is for developers, because it may name a call of this crate.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # #[cfg(feature = "json")] {
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| tx.create_role("editor")?.done())?;
/// let error = acme.update(|tx| tx.role("edtior")?.done()).unwrap_err();
/// assert_eq!(
///     serde_json::to_value(&error).unwrap(),
///     serde_json::json!({
///         "code": "not_found",
///         "title": "not found",
///         "detail": "role `edtior` not found; did you mean `editor`?",
///         "entity": "role",
///         "name": "edtior",
///         "suggestions": ["editor"],
///         "revision": 2,
///     })
/// );
/// # }
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Security
/// An error for a user that does not exist names similar users in [`Error::suggestions`] and [`Error::did_you_mean`]
/// only. Neither the sentence nor the serialised form has them, so that a response does not disclose the keys of other
/// users.
///
/// [`SeparationOfDuties`](ErrorKind::SeparationOfDuties) and [`AssertionFailed`](ErrorKind::AssertionFailed) name a user whom
/// the change affects, and the path, because somebody has to look at it. It can be another user than the caller wrote: a
/// member of a group that would get a role. Show these errors as they are to people who may see that user; for others, the
/// code and the title say enough.
///
/// Names are written as [`Quoted`] writes them, so no name can imitate the words around it.
///
/// # Complexity
/// An error is cheap to make and to drop. Similar names are searched for when the error is shown or asked. The search covers
/// the first 10,000 names, or those with the same beginning if there are more. Until then an error of a look-up holds the
/// revision of the tenant that it was made from, and clones share the work.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    entity: Option<EntityKind>,
    name: Option<Asked>,
    /// The name that the entity's slug was derived from.
    derived_from: Option<String>,
    /// The membership, assignment or parent link that the error is about.
    relation: Option<Relation>,
    what: Option<&'static str>,
    expected: Option<String>,
    found: Option<String>,
    suggestions: Suggestions,
    cycle: CycleNames,
    /// The store has refused a commit, so nothing was changed.
    is_refused_commit: bool,
    mistakes: Vec<Mistake>,
    violations: Vec<InvariantViolation>,
    /// The rights that the actor of a guarded transaction lacks (R13).
    missing_rights: Vec<MissingRight>,
    /// How many mistakes, violations or rights are not listed.
    unlisted: usize,
    /// The reason, if the kind does not imply it: a text of the application, the store, or this crate.
    reason: Option<String>,
    /// The prefix of the slug that the catalog reserves.
    reserved_prefix: Option<String>,
    /// The directory that manages the entity, or to which it was to be given.
    manager: Option<String>,
    /// Whether the entity was to be given to the directory, which does not manage it.
    is_given: bool,
    /// Whether nothing has the slug, and it cannot be used all the same.
    is_unusable: bool,
    /// The problem in words, where those of the kind would mislead.
    problem: Option<String>,
    /// How many bytes the invalid text has, if the message does not show it whole.
    length: Option<usize>,
    /// The beginning of the sentence: the reason for the call.
    preface: Option<&'static str>,
    /// The violation of a separation of duties.
    separation: Option<SeparationViolation>,
    /// An assertion that fails.
    assertion: Option<AssertionViolation>,
    /// The advice for a developer.
    advice: Option<&'static str>,
    revision: Option<Revision>,
    commit: Option<CommitId>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error of the application, for closures that return this crate's error.
    ///
    /// # Example
    /// ```
    /// use rolecall::{Error, ErrorKind};
    ///
    /// let error = Error::rejected("the trial has ended");
    /// assert_eq!(error.kind(), ErrorKind::Rejected);
    /// assert_eq!(error.to_string(), "the trial has ended");
    /// ```
    ///
    /// # Security
    /// The text shows the reason in one line, with everything escaped that cannot be seen. A name in the reason can still
    /// imitate your words: write names with [`Quoted`](crate::error::Quoted).
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected).reason(reason)
    }

    /// Returns the kind of the error.
    ///
    /// # Example
    /// ```
    /// use rolecall::{ErrorKind, records::Slug};
    ///
    /// assert_eq!(Slug::new("a b").unwrap_err().kind(), ErrorKind::Invalid);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the kind of entity that the error is about, if it is about one. For a relation, that is the group or the
    /// role.
    ///
    /// # Example
    /// ```
    /// use rolecall::{EntityKind, blocking::Authorizer};
    ///
    /// let error = Authorizer::in_memory().tenant("acme").unwrap_err();
    /// assert_eq!(error.entity(), Some(EntityKind::Tenant));
    /// ```
    pub fn entity(&self) -> Option<EntityKind> {
        self.0.entity
    }

    /// Returns whether the same call may succeed if it is repeated, without a change by the caller. It may if other
    /// writers were faster ([`Conflict`](ErrorKind::Conflict)), an earlier commit blocks the tenant
    /// ([`Blocked`](ErrorKind::Blocked)), or the store could not be reached ([`Unavailable`](ErrorKind::Unavailable)).
    /// Nothing was changed, so a repetition cannot do anything twice. See [`ErrorKind::is_retryable`].
    ///
    /// # Example
    /// ```
    /// let error = rolecall::blocking::Authorizer::in_memory().tenant("acme").unwrap_err();
    /// assert!(!error.is_retryable());
    /// ```
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

/// The advice about a slug that belongs to the tenant and to the catalog.
const CONFLICT_ADVICE: &str = "rename or delete the tenant's own by its id";
/// The advice about content that breaks invariants.
const CORRUPT_ADVICE: &str = "repair these records in the store or restore a backup, then open or refresh the tenant";
/// The advice about a commit in doubt.
const IN_DOUBT_ADVICE: &str = "ask for its `outcome` before you repeat the call: the commit may have been applied";

/// Constructors for this crate.
impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            entity: None,
            name: None,
            derived_from: None,
            relation: None,
            what: None,
            expected: None,
            found: None,
            suggestions: Suggestions::default(),
            cycle: CycleNames::default(),
            is_refused_commit: false,
            mistakes: Vec::new(),
            violations: Vec::new(),
            missing_rights: Vec::new(),
            unlisted: 0,
            reason: None,
            reserved_prefix: None,
            manager: None,
            is_given: false,
            is_unusable: false,
            problem: None,
            length: None,
            preface: None,
            separation: None,
            assertion: None,
            advice: None,
            revision: None,
            commit: None,
            source: None,
        }))
    }

    pub(crate) fn invalid(what: &'static str, found: &str, expected: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Invalid);
        error.0.what = Some(what);
        error.0.expected = Some(expected.into());
        error.0.found = Some(text::kept(found));
        error.0.length = text::is_cut(found).then_some(found.len());
        error
    }

    pub(crate) fn not_found(entity: EntityKind, name: impl Into<Asked>) -> Self {
        Self::new(ErrorKind::NotFound).about(entity, name)
    }

    pub(crate) fn already_exists(entity: EntityKind, name: impl Into<Asked>) -> Self {
        Self::new(ErrorKind::AlreadyExists).about(entity, name)
    }

    pub(crate) fn cycle_of(entity: EntityKind, name: impl Into<Asked>, names: Vec<String>) -> Self {
        let mut error = Self::new(ErrorKind::Cycle).about(entity, name);
        error.0.cycle = CycleNames::new(names);
        error
    }

    pub(crate) fn in_doubt(commit: CommitId) -> Self {
        Self::new(ErrorKind::InDoubt).of_commit(commit).advise(IN_DOUBT_ADVICE)
    }

    /// Nothing was sent, because this earlier commit is in doubt.
    pub(crate) fn blocked(by: CommitId) -> Self {
        Self::new(ErrorKind::Blocked).of_commit(by)
    }

    #[cfg(feature = "json")]
    pub(crate) fn document(mistakes: Vec<Mistake>, unlisted: usize) -> Self {
        let mut error = Self::new(ErrorKind::Document);
        (error.0.mistakes, error.0.unlisted) = (mistakes, unlisted);
        error
    }

    pub(crate) fn violating(violations: Vec<InvariantViolation>, unlisted: usize) -> Self {
        let mut error = Self::new(ErrorKind::Corrupt);
        (error.0.violations, error.0.unlisted) = (violations, unlisted);
        error.advise(CORRUPT_ADVICE)
    }

    /// The error of a guarded transaction whose actor lacks rights (R13).
    pub(crate) fn escalation(actor: impl Into<Asked>, missing_rights: Vec<MissingRight>, unlisted: usize) -> Self {
        let mut error = Self::new(ErrorKind::Escalation).about(EntityKind::User, actor);
        (error.0.missing_rights, error.0.unlisted) = (missing_rights, unlisted);
        error
    }

    /// The error of a write by a slug that belongs to the tenant and to the catalog (R9).
    pub(crate) fn catalog_conflict(entity: EntityKind, slug: &str, own: uuid::Uuid) -> Self {
        let mut error = Self::new(ErrorKind::CatalogConflict).about(entity, slug);
        error.0.found = Some(own.to_string());
        error.advise(CONFLICT_ADVICE)
    }

    /// The error of a slug that begins with a prefix that the catalog reserves (R9).
    pub(crate) fn reserved(entity: EntityKind, slug: &str, prefix: &str) -> Self {
        let mut error = Self::new(ErrorKind::Reserved).about(entity, slug);
        error.0.reserved_prefix = Some(prefix.to_owned());
        error.advise("choose a slug that does not begin with it")
    }

    pub(crate) fn about(mut self, entity: EntityKind, name: impl Into<Asked>) -> Self {
        self.0.entity = Some(entity);
        self.0.name = Some(name.into());
        self
    }

    /// Sets the kind of an entity whose name is no longer known.
    pub(crate) fn about_a(mut self, entity: EntityKind) -> Self {
        self.0.entity = Some(entity);
        self
    }

    pub(crate) fn of_relation(mut self, relation: Relation) -> Self {
        self.0.relation = Some(relation);
        self
    }

    /// Sets the name that the slug was derived from, if the slug is the problem.
    pub(crate) fn derived_slug(mut self, name: &str) -> Self {
        if matches!(self.0.kind, ErrorKind::AlreadyExists | ErrorKind::Reserved) {
            self.0.derived_from = Some(name.to_owned());
        }
        self
    }

    pub(crate) fn instead_of(mut self, found: impl ToString, expected: impl ToString) -> Self {
        self.0.found = Some(found.to_string());
        self.0.expected = Some(expected.to_string());
        self
    }

    pub(crate) fn of_commit(mut self, commit: CommitId) -> Self {
        self.0.commit = Some(commit);
        self
    }

    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Creates the error for a plan after which a binding assertion fails (R17).
    pub(crate) fn asserted(violation: AssertionViolation) -> Self {
        let mut error =
            Self::new(ErrorKind::AssertionFailed).about(EntityKind::Assertion, violation.assertion.as_str());
        error.0.assertion = Some(violation);
        error
    }

    /// Creates the error for a plan that breaks a separation of duties (R14).
    pub(crate) fn separated(violation: SeparationViolation) -> Self {
        let mut error = Self::new(ErrorKind::SeparationOfDuties).about(EntityKind::User, violation.user.as_str());
        let in_session = violation.in_session;
        error.0.separation = Some(violation);
        error.advise(if in_session {
            "activate fewer of these roles at once"
        } else {
            "remove one of these roles from the user first, or change the separation"
        })
    }

    pub(crate) fn managed_by(mut self, manager: &str) -> Self {
        self.0.manager = Some(manager.to_owned());
        self
    }

    /// Says that the entity was to be given to the directory, which does not manage it.
    pub(crate) fn given_to_manager(mut self) -> Self {
        self.0.is_given = true;
        self
    }

    /// Says that the store has refused a commit, and not a read.
    pub(crate) fn of_refused_commit(mut self) -> Self {
        self.0.is_refused_commit = true;
        self
    }

    /// Says that the slug cannot be used, although nothing has it.
    pub(crate) fn unusable(mut self) -> Self {
        self.0.is_unusable = true;
        self
    }

    /// Sets the problem in words, where those of the kind would mislead.
    pub(crate) fn in_words(mut self, problem: String) -> Self {
        self.0.problem = Some(problem);
        self
    }

    pub(crate) fn preceded_by(mut self, preface: &'static str) -> Self {
        self.0.preface = Some(preface);
        self
    }

    pub(crate) fn advise(mut self, advice: &'static str) -> Self {
        self.0.advice = Some(advice);
        self
    }

    pub(crate) fn suggest(mut self, suggestions: impl Into<Suggestions>) -> Self {
        self.0.suggestions = suggestions.into();
        self
    }

    pub(crate) fn at_revision(mut self, revision: Revision) -> Self {
        self.0.revision = Some(revision);
        self
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
