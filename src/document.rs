//! The organisation document: a whole tenant as JSON, for people to read, edit and keep under version control.
//!
//! `document/shape.rs` is the format, `document/written.rs` and `document/values.rs` how it is read and written;
//! `document/rules.rs` makes records of it, or finds every mistake (`mistakes.rs` has the places, `targets.rs` what
//! references mean, `ids.rs` what is matched with what); `document/export.rs` is the way back, `document/replace.rs`
//! the difference to a present state. All of it is pure: what creates or replaces a tenant is in
//! `authorizer/import.rs`.
//!
//! Deliberately absent: partial documents. A document is the whole tenant, so that two of them can be compared.

mod export;
mod replace;
mod rules;
mod ids;
mod shape;
mod targets;
mod mistakes;
mod names;
mod values;
mod written;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use self::ids::Ground;
use self::shape::Whole;
use self::written::object;
use crate::model::catalog::Catalog;
use crate::model::error::{Error, Mistake, MistakeCode, Result, escaped};
use crate::model::records::{Change, Manager};

/// A whole tenant as a document: its permissions, roles, groups and users, with who is in what and who has what.
///
/// A document that was read has the right shape and nothing more: whether it keeps the rules shows when it is imported
/// ([`Authorizer::import`](crate::Authorizer::import), [`Tenant::replace`](crate::Tenant::replace)), against the
/// catalog of the authorizer. [`Snapshot::export`](crate::Snapshot::export) makes one of a tenant.
///
/// # The format
/// Unknown fields are refused. Lists may be left out when empty; an entry that needs only a slug (or key) may be written
/// as a plain string; a name that is left out is the slug, and a user without one is shown by its key. A user or group
/// may carry `managed_by`, the directory that it is synchronised from, and with that its `external_id` there. Everything but the tenant may carry an `id`, and gets a new
/// one if it carries none. References are by slug or key; one that names an entry of the catalog refers to that.
/// A role's `permissions` are what it grants: slugs, and patterns.
/// Order does not matter. Instants are RFC 3339 with an offset, at most six digits of a second.
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
/// `"removed_from_catalog": [{"kind": "role", "slug": …, "id": …}]` lists entries of an earlier catalog that are still referred to
/// by these slugs: such references are kept, and give nothing.
///
/// # Mistakes
/// A document that breaks rules is refused with all its mistakes at once
/// ([`Error::mistakes`](crate::Error::mistakes)). Each has a JSON pointer to its place, a message, and one of these codes:
///
/// | code | mistake |
/// |---|---|
/// | `syntax` | the bytes are not JSON |
/// | `shape` | the JSON does not have the shape of a document |
/// | `invalid` | a text is not a valid slug, key, name, pattern, id, instant or window |
/// | `not_found` | a reference names nothing in the document or in the catalog |
/// | `duplicate_entry` | two entries of a list have the same slug or key |
/// | `duplicate_id` | two entries have the same id |
/// | `missing_manager` | an external id has no manager |
/// | `duplicate_reference` | a list contains the same reference twice |
/// | `cycle` | a reference closes a cycle of groups or roles |
/// | `defined_by_catalog` | an entry has a slug that the catalog defines |
/// | `retired` | an entry has a slug that the catalog has retired |
/// | `id_taken` | an id belongs to another entity |
/// | `slug_taken` | a slug in `removed_from_catalog` belongs to another entity |
/// | `other_tenant` | the document is of another tenant than the one to be replaced |
///
/// # Security
/// Whoever may import a document decides who may do what.
#[derive(Clone)]
pub struct Document(Whole);

impl Document {
    /// Reads a document. Only its shape is checked; the rules are checked when it is imported.
    ///
    /// ```
    /// let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#)?;
    /// assert_eq!(document.slug(), "acme");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(bytes). Brackets nested deeper than the format allows are refused where they begin.
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document), with line and column of the first error: not JSON, not UTF-8, cut
    /// off, a format other than 1, an unknown field, a field that occurs twice, or a value of the wrong type.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|fault| misshapen(&fault))
    }

    /// Returns the document as JSON: one list entry to a line, lists in bytewise order, defaults left out.
    ///
    /// ```
    /// let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#)?;
    /// assert!(document.to_json().contains("\"slug\": \"acme\"") ||
    /// document.to_json().contains("\"slug\":\"acme\""));
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

    /// Makes a replacement by this document act for a directory, too (R16): otherwise [`Tenant::replace`](crate::Tenant::replace)
    /// refuses a document that changes what the directory manages. It is not part of what is written or compared. An
    /// import creates a tenant, and needs none.
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
    /// [`Invalid`](ErrorKind::Invalid).
    pub fn act_for(&mut self, manager: &str) -> Result<&mut Self> {
        self.0.acts_for.push(Manager::new(manager)?);
        Ok(self)
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

    /// The records of a new tenant, each as it is added, in the order of kinds.
    pub(crate) fn additions(&self, catalog: &Catalog, new_id: fn() -> Uuid) -> Result<Vec<Change>> {
        rules::additions(&self.0, Ground { catalog, present: None, new_id })
    }
}

/// The error for a fault of shape: where, then what.
fn misshapen(fault: &serde_json::Error) -> Error {
    let (line, column) = (fault.line(), fault.column());
    let text = fault.to_string();
    // The parser says where at the end of its text.
    let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let code = if fault.is_data() { MistakeCode::Shape } else { MistakeCode::Syntax };
    let message = format!("line {line}, column {}: {}", column.max(1), escaped(what, 300));
    Error::document(vec![Mistake::new(String::new(), code, message)], 0)
}

/// Two documents are equal if they are written equally, in whatever order they list things.
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
        let Whole { permissions, roles, groups, users, .. } = &self.0;
        f.debug_struct("Document")
            .field("slug", &self.slug())
            .field("permissions", &permissions.len())
            .field("roles", &roles.len())
            .field("groups", &groups.len())
            .field("users", &users.len())
            .finish_non_exhaustive()
    }
}
