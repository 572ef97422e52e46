//! The organisation document: a whole tenant as JSON, for people to read, edit and keep under version control.
//!
//! | file | purpose |
//! |---|---|
//! | `shape.rs` | the format |
//! | `entry.rs`, `values.rs` | reading and writing of list entries and of single values |
//! | `rules.rs` | checks a document: returns its records, or every mistake |
//! | `ids.rs`, `targets.rs`, `mistakes.rs` | ids of entries, targets of references, places of mistakes |
//! | `export.rs` | from a snapshot to a document |
//! | `assertions.rs` | reads a file of its own: what a tenant is expected to allow and to deny |
//! | `replace.rs` | the plan that makes a tenant equal to a document |
//! | `difference.rs` | the changes of that plan, found while the document is read |
//!
//! All of it is pure. `authorizer/import.rs` creates and replaces tenants.
//!
//! Deliberately absent: partial documents. A document describes a whole tenant, so two documents can be compared.

mod assertions;
mod export;
mod replace;
mod rules;
mod difference;
mod ids;
mod shape;
mod targets;
mod mistakes;
mod names;
mod values;
mod entry;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use self::entry::object;
use self::ids::ImportContext;
use self::shape::DocumentData;
use crate::model::catalog::Catalog;
use crate::model::error::{Error, Mistake, MistakeCode, Quoted, Result, escaped};
use crate::model::records::{Change, Manager};
use crate::resolver::snapshot::names::AsUser;

/// A whole tenant as a document: its permissions, roles, groups and users, with all memberships and assignments.
///
/// Reading a document checks only its shape. [`Authorizer::import`](crate::Authorizer::import) and
/// [`Tenant::replace`](crate::Tenant::replace) check the rules, with the catalog of the authorizer.
/// [`Snapshot::export`](crate::Snapshot::export) returns the document of a tenant.
///
/// # The format
/// - An unknown field is an error. An empty list may be left out. The order of lists does not matter.
/// - An entry that needs only a slug or key may be a plain string.
/// - A name that is left out is the slug. A user without a name is shown by its key.
/// - Every entry may have an `id`. An entry without one gets a new id. [`without_ids`](Document::without_ids) leaves all
///   of them out.
/// - A user or group may have `managed_by`, the directory that it is synchronised from, and its `external_id` there.
/// - References are slugs or keys, of entries of the document or of the catalog.
/// - The `permissions` of a role are its grants: slugs and patterns.
/// - Instants are RFC 3339 with an offset and at most six digits of a second.
///
/// ```
/// use rolecall::{Document, blocking::Authorizer};
///
/// let document = Document::from_json(br#"{
///   "format": 1,
///   "tenant": {"slug": "acme-corp", "name": "Acme Corp"},
///   "permissions": ["audit-logs:read", {"slug": "users:read", "name": "Read Users", "category": "Users"}],
///   "roles": [{"slug": "editor", "permissions": ["users:read", "posts:*"], "includes": ["viewer"]}, "viewer"],
///   "groups": [{"slug": "engineering", "parents": ["staff", {"group": "apollo", "until": "2027-03-31T00:00:00Z"}],
///               "roles": ["viewer"],
///               "members": ["alice@acme.com", {"user": "bob@acme.com", "until": "2027-01-31T00:00:00Z"}]},
///              "staff", "apollo"],
///   "users": ["bob@acme.com", {"key": "alice@acme.com", "roles": [{"role": "editor"}]},
///             {"key": "carol@acme.com", "name": "Carol", "managed_by": "okta", "external_id": "00u1"},
///             {"key": "mallory@acme.com", "status": "suspended"}]
/// }"#)?;
/// let acme = Authorizer::in_memory().import(&document)?;
/// assert!(acme.check("alice@acme.com", "users:read"));
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// `"separations": [{"slug": "payments", "at_most": 1, "roles": ["clerk", "approver"]}]` lists separations of duties
/// (R14). A document with a user who breaks one is refused as
/// [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties).
///
/// `"assertions": [{"slug": "payments", "binding": true, "expect": "only", "permission": "billing:pay", "groups": ["finance"]}]`
/// lists what the tenant is expected to allow and to deny (R17). An assertion may name `permission`, `users` and
/// `groups`, or the `roles` of `"expect": "separate"`. A document in which a `binding` one fails is refused as
/// [`AssertionFailed`](crate::ErrorKind::AssertionFailed).
///
/// `"removed_from_catalog": [{"kind": "role", "slug": …, "id": …}]` lists entries of an earlier catalog to
/// which the document still refers by these slugs. Such references are kept and grant nothing.
///
/// # Mistakes
/// If a document breaks rules, the error lists all mistakes at once ([`Error::mistakes`](crate::Error::mistakes)). Each
/// has a JSON pointer to its place, a message, and one of these codes:
///
/// | code | mistake |
/// |---|---|
/// | `syntax` | the bytes are not JSON |
/// | `shape` | the JSON does not have the shape of a document |
/// | `invalid` | a text is not a valid slug, key, name, pattern, id, instant or window, or `at_most` is not from 1 to one less than the roles |
/// | `not_found` | a reference names nothing in the document or in the catalog |
/// | `duplicate_entry` | two entries of a list have the same slug or key |
/// | `duplicate_id` | two entries have the same id |
/// | `missing_manager` | an external id has no manager |
/// | `duplicate_reference` | a list contains the same reference twice |
/// | `cycle` | a reference closes a cycle of groups or roles |
/// | `defined_by_catalog` | an entry has a slug that the catalog defines |
/// | `retired` | a new entry has a slug that the catalog has retired |
/// | `reserved` | a new entry has a slug that begins with a prefix that the catalog reserves |
/// | `id_taken` | an id belongs to another entity |
/// | `slug_taken` | a slug in `removed_from_catalog` belongs to another entity |
/// | `other_tenant` | the document belongs to another tenant than the one to replace |
///
/// For `retired` and `reserved`, an entry is not new if the tenant already has it under that slug. Neither is one whose
/// `id` the tenant does not have: it restores a backup.
///
/// # Security
/// A person who may import a document decides who may do what. Let only administrators import.
#[derive(Clone)]
pub struct Document(DocumentData);

impl Document {
    /// Reads a document. Only its shape is checked; the rules are checked when it is imported.
    ///
    /// ```
    /// let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#)?;
    /// assert_eq!(document.slug(), "acme");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// A byte-order mark, which some editors write in front of UTF-8, is skipped.
    ///
    /// # Complexity
    /// O(bytes). Reading stops at brackets that are nested deeper than the format allows.
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document), with line and column of the first error. The bytes are not UTF-8, not
    /// JSON or cut off. Or the document has a format other than 1, an unknown field, a field that occurs twice, or a
    /// value of the wrong type.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        if json.starts_with(b"\xFF\xFE") || json.starts_with(b"\xFE\xFF") {
            let message = "line 1, column 1: expected UTF-8, found UTF-16".to_owned();
            return Err(Error::document(vec![Mistake::new(String::new(), MistakeCode::Syntax, message)], 0));
        }
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        serde_json::from_slice(json).map_err(|fault| misshapen(&fault))
    }

    /// Returns the same document without the ids of its permissions, roles, groups and users.
    ///
    /// Ids differ between environments. Take two tenants that were imported from one document, say in staging and in
    /// production. Without ids, their documents are equal byte for byte, and a comparison shows only real differences.
    /// Use it for a document under version control that more than one tenant is made from.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use rolecall::{Document, blocking::Authorizer};
    ///
    /// let document = Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}, "users": ["alice"]}"#)?;
    /// let staging = Authorizer::in_memory().import(&document)?.snapshot().export()?;
    /// let production = Authorizer::in_memory().import(&document)?.snapshot().export()?;
    /// assert_ne!(staging.to_json(), production.to_json(), "alice has two ids");
    /// assert_eq!(staging.without_ids().to_json(), production.without_ids().to_json());
    /// # }
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// Such a document can be imported, and a tenant can be replaced by it. Entries are then matched by their slugs and
    /// keys. An entry whose slug or key has changed counts as another entity. A replacement deletes the old entity, with
    /// everything that refers to it, and creates a new one. If the entry has an id, the entity is renamed instead.
    ///
    /// The ids in `removed_from_catalog` stay. They come from the catalog and are the same in every environment. External
    /// ids stay, too. They come from the directory.
    ///
    /// # Complexity
    /// O(entries).
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        let DocumentData { permissions, roles, groups, users, separations, assertions, .. } = &mut self.0;
        for entry in permissions {
            entry.id = None;
        }
        for entry in roles {
            entry.id = None;
        }
        for entry in groups {
            entry.id = None;
        }
        for entry in users {
            entry.id = None;
        }
        for entry in separations {
            entry.id = None;
        }
        for entry in assertions {
            entry.id = None;
        }
        self
    }

    /// Returns the document as JSON: indented, with lists in bytewise order and without default values.
    ///
    /// ```
    /// let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#)?;
    /// assert!(document.to_json().contains(r#""slug": "acme""#));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n entries.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "every key is a string, and writing to memory does not fail"
    )]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(&self.0).expect("a document is JSON");
        json.push('\n');
        json
    }

    /// Lets a replacement by this document change the users and groups that a directory manages (R16).
    ///
    /// Without this call, [`Tenant::replace`](crate::Tenant::replace) fails if the document changes them. The setting is
    /// neither serialised nor compared. An import creates a tenant and does not need it. Call it for each directory: a document
    /// may act for several, unlike a transaction ([`Tx::set_manager`](crate::Tx::set_manager)).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{ErrorKind, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let mut yesterday = acme.snapshot().export()?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.replace(&yesterday).unwrap_err().kind(), ErrorKind::Managed);
    /// acme.replace(yesterday.act_for("okta")?)?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn act_for(&mut self, manager: &str) -> Result<&mut Self> {
        self.0.acts_for.push(Manager::new(manager)?);
        Ok(self)
    }

    /// Guards a replacement by this document, or an import of it. It then gives nobody a right that this user lacks (R13).
    ///
    /// It is [`Tx::set_guard`](crate::Tx::set_guard) for documents. An import creates a tenant, and nobody is in that
    /// tenant before. So a guarded import is refused as soon as it gives anybody anything. A guarded replacement
    /// loosens no separation of duties (R14). The setting is neither serialised nor compared. Name the actor by key, id
    /// or external id; a handle names nobody here.
    ///
    /// # Example
    /// ```
    /// # use rolecall::{ErrorKind, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("billing:pay")?;
    ///     tx.create_role("accountant")?.grant("billing:pay")?;
    ///     tx.create_user("alice")?;
    ///     tx.create_user("bob")?.assign("accountant")?.done()
    /// })?;
    /// let mut yesterday = acme.snapshot().export()?;
    /// acme.update(|tx| tx.user("bob")?.unassign("accountant")?.done())?;
    /// let error = acme.replace(yesterday.set_guard("alice")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Escalation);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn set_guard(&mut self, actor: impl AsUser) -> &mut Self {
        self.0.guards.push(actor.user_text());
        self
    }

    /// Returns the tenant's slug as the document states it.
    ///
    /// ```
    /// let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#)?;
    /// assert_eq!(document.slug(), "acme");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn slug(&self) -> &str {
        &self.0.tenant.slug
    }

    /// Returns the additions that create the tenant of this document, in the order of kinds.
    pub(crate) fn additions(&self, catalog: &Catalog, new_id: fn() -> Uuid) -> Result<Vec<Change>> {
        rules::changes(&self.0, ImportContext { catalog, present: None, new_id })
    }
}

/// Returns the error for a document that cannot be read: the place, then the problem.
fn misshapen(fault: &serde_json::Error) -> Error {
    let (line, column) = (fault.line(), fault.column());
    let text = fault.to_string();
    // The text of the parser ends with the place.
    let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let what = unknown_name(what).or_else(|| wrong_type(what)).unwrap_or_else(|| escaped(&in_json(what), 300));
    let code = if fault.is_data() { MistakeCode::Shape } else { MistakeCode::Syntax };
    let message = format!("line {line}, column {}: {}", column.max(1), what);
    Error::document(vec![Mistake::new(String::new(), code, message)], 0)
}

/// Says what was expected and found, in the words of JSON, in place of a message of the parser about a value of the wrong
/// type. The expectation is the parser's own text, so its last occurrence ends the value.
fn wrong_type(message: &str) -> Option<String> {
    let (found, expected) = message.strip_prefix("invalid type: ")?.rsplit_once(", expected ")?;
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the string {text}"),
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", number)) => format!("the number {}", number.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", word)) => word.trim_matches('`').to_owned(),
        _ => in_json(found),
    };
    Some(format!("expected {}, found {}", in_json(expected), escaped(&found, 300)))
}

/// Names the types of a message of the parser as JSON names them.
fn in_json(message: &str) -> String {
    match message {
        "map" => "an object".to_owned(),
        "sequence" | "a sequence" => "an array".to_owned(),
        "EOF while parsing a list" => "the document ends inside an array".to_owned(),
        other => match other.strip_prefix("EOF while parsing ") {
            Some("a value") => "the document ends where a value is expected".to_owned(),
            Some(what) => format!("the document ends inside {what}"),
            None => other.to_owned(),
        },
    }
}

/// Quotes the name in a message of the parser about an unknown field or value, which the parser does not escape. The text
/// after the name is the parser's own, so the last occurrence of that text ends the name.
fn unknown_name(message: &str) -> Option<String> {
    let (kind, rest) = [("unknown field `", "unknown field "), ("unknown variant `", "unknown value ")]
        .into_iter()
        .find_map(|(begin, kind)| Some((kind, message.strip_prefix(begin)?)))?;
    let at = ["`, expected ", "`, there are no "].into_iter().filter_map(|end| rest.rfind(end)).max()?;
    let (name, after) = (rest.get(..at)?, rest.get(at + 1..)?);
    Some(format!("{kind}{}{}", Quoted(name), escaped(after, 300)))
}

/// Two documents are equal if their JSON is equal. The order of their lists does not matter.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Eq for Document {}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer, "an organisation document: an object with `format` and `tenant`").map(Self)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DocumentData { permissions, roles, groups, users, separations, assertions, .. } = &self.0;
        f.debug_struct("Document")
            .field("slug", &self.slug())
            .field("permissions", &permissions.len())
            .field("roles", &roles.len())
            .field("groups", &groups.len())
            .field("users", &users.len())
            .field("separations", &separations.len())
            .field("assertions", &assertions.len())
            .finish_non_exhaustive()
    }
}
