//! The items that an error can list: mistakes in a document, and invariants that stored content breaks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::codes::{EntityKind, codes};

codes! {
    /// A kind of mistake in a document.
    ///
    /// # Example
    /// ```
    /// use rolecall::error::MistakeCode;
    ///
    /// assert_eq!(MistakeCode::DuplicateId.code(), "duplicate_id");
    /// ```
    MistakeCode {
        /// The bytes are not JSON.
        Syntax = "syntax",
        /// The JSON does not have the shape of a document: an unknown or missing field, or a value of the wrong type.
        Shape = "shape",
        /// A text is not a valid slug, key, name, pattern, id, instant or window.
        Invalid = "invalid",
        /// A reference names nothing in the document or in the catalog.
        NotFound = "not_found",
        /// Two entries of a list have the same slug or key.
        DuplicateEntry = "duplicate_entry",
        /// Two entries have the same id.
        DuplicateId = "duplicate_id",
        /// An external id has no manager.
        MissingManager = "missing_manager",
        /// A list contains the same reference twice.
        DuplicateReference = "duplicate_reference",
        /// A reference closes a cycle of groups or roles.
        Cycle = "cycle",
        /// An entry has a slug that the catalog defines.
        DefinedByCatalog = "defined_by_catalog",
        /// A new entry has a slug that the catalog has retired.
        Retired = "retired",
        /// A new entry has a slug that begins with a prefix that the catalog reserves.
        Reserved = "reserved",
        /// An id belongs to another entity.
        IdTaken = "id_taken",
        /// The slug of an entry in `removed_from_catalog` belongs to another entity.
        SlugTaken = "slug_taken",
        /// The document is of another tenant than the one that it is to replace.
        OtherTenant = "other_tenant",
    }
}

/// One mistake in a document, with its place, its kind, and a message for people.
///
/// # Example
/// ```
/// use rolecall::{Document, blocking::Authorizer, error::MistakeCode};
///
/// # #[cfg(feature = "json")] {
/// let json = br#"{"format": 1, "tenant": {"slug": "acme"}, "roles": ["editor"],
///                 "users": [{"key": "alice", "roles": ["edtior"]}]}"#;
/// let error = Authorizer::in_memory().import(&Document::from_json(json)?).unwrap_err();
/// let [mistake] = error.mistakes() else { panic!("one mistake") };
/// assert_eq!((mistake.pointer.as_str(), mistake.code), ("/users/0/roles/0", MistakeCode::NotFound));
/// assert_eq!(
///     mistake.to_string(),
///     "/users/0/roles/0: role `edtior` not found in the document; did you mean `editor`?"
/// );
/// # }
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mistake {
    /// The place in the document, as a JSON pointer (RFC 6901). Empty if the document could not be read at all: the
    /// message then starts with the line and column.
    pub pointer: String,
    /// The kind of mistake.
    pub code: MistakeCode,
    /// The description of the mistake.
    pub message: String,
}

impl Mistake {
    #[cfg(feature = "json")]
    pub(crate) fn new(pointer: String, code: MistakeCode, message: String) -> Self {
        Self { pointer, code, message }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

codes! {
    /// The rule that the content of a store breaks.
    ///
    /// # Example
    /// ```
    /// use rolecall::error::ViolationCode;
    ///
    /// assert_eq!(ViolationCode::DanglingReference.code(), "dangling_reference");
    /// ```
    ViolationCode {
        /// A relation refers to an entity that does not exist.
        DanglingReference = "dangling_reference",
        /// Two entities of one kind have the same id, slug or key.
        Duplicate = "duplicate",
        /// Groups or roles form a cycle.
        Cycle = "cycle",
        /// A change does not fit the records before it, or a record is stored twice.
        Mismatch = "mismatch",
        /// There is not exactly one tenant record.
        TenantRecord = "tenant_record",
        /// A reference states the wrong origin: an entry of the catalog as the tenant's own, or the reverse.
        WrongOrigin = "wrong_origin",
        /// The kind of a record is not known to this release.
        UnknownRecord = "unknown_record",
        /// There are more entities than can be numbered.
        TooManyEntities = "too_many_entities",
        /// An internal invariant of this crate is broken.
        Internal = "internal",
    }
}

/// One way in which the content of a store breaks the invariants of a tenant.
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::catalog::Catalog;
/// use rolecall::records::{Change, CommitId, Envelope, Name, Record, TenantId, TenantRecord};
/// use rolecall::store::{Base, Commit, MemoryStore, Store};
/// use rolecall::{EntityKind, Timestamp, error::ViolationCode};
///
/// // A store that somebody has written to directly: two roles have one slug.
/// let store = MemoryStore::default();
/// let role = || -> rolecall::Result<Change> {
///     let (slug, name, description) = ("editor".parse()?, Name::new("Editor")?, Default::default());
///     let id = rolecall::records::RoleId::random();
///     Ok(Change::added(Record::Role(rolecall::records::RoleRecord { id, slug, name, description })))
/// };
/// let tenant = TenantRecord { slug: "acme".parse()?, name: Name::new("Acme")? };
/// let changes = [Change::added(Record::Tenant(tenant)), role()?, role()?];
/// let (id, catalog) = (CommitId::random(), Catalog::empty().fingerprint());
/// let envelope = Envelope { id, previous: None, actor: None, at: Timestamp::UNIX_EPOCH, note: None, catalog };
/// let commit = Commit { base: Base::Create(TenantId::random()), envelope: &envelope, changes: &changes };
/// pollster::block_on(store.commit(commit)).unwrap();
///
/// let error = Authorizer::builder().store(store).build().tenant("acme").unwrap_err();
/// let [violation] = error.violations() else { panic!("one violation") };
/// assert_eq!(violation.code, ViolationCode::Duplicate);
/// assert_eq!((violation.entity, &violation.names[..]), (Some(EntityKind::Role), &["editor".to_owned()][..]));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvariantViolation {
    /// The rule that is broken.
    pub code: ViolationCode,
    /// The kind of entity that it is about, if it is about one kind.
    pub entity: Option<EntityKind>,
    /// The slugs, keys or ids of the entities. For a cycle, the names around it, cut if there are many.
    pub names: Vec<String>,
    /// The description of the violation. It begins with the number of the invariant (I1 to I12 in
    /// [`docs::rules`](crate::docs::rules)), if it has one.
    pub message: String,
}

impl fmt::Display for InvariantViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
