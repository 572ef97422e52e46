//! The effective permissions of one user as a document for a front end, with what is needed to notice that it is old.
//!
//! A walk of its own, never part of a check.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Moment;
use crate::model::clock::When;
use crate::model::records::{Position, Slug, TenantSlug, Timestamp, UserKey};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::names::AsUser;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk;

/// How many ends and beginnings of windows are tried. If none of them changes anything, the document holds at least until the
/// next one.
const MOST_EDGES: usize = 256;

/// The effective permissions of one user at an instant, for a program that cannot ask the tenant: a page in a browser, an app.
///
/// [`Moment::permissions_document`] returns one. It hides buttons; it does not protect anything. The server checks again.
///
/// # The format
/// Its JSON is stable. Later versions may add members, so a reader ignores members that it does not know.
///
/// | member | content |
/// |---|---|
/// | `tenant` | the slug of the tenant |
/// | `user` | the key of the user |
/// | `position` | the state of the tenant: `tenant_id`, `revision` and `commit` |
/// | `instant` | the instant of the answer, RFC 3339 |
/// | `valid_until` | the instant from which another document is needed, or `null` |
/// | `permissions` | slugs in bytewise order; patterns are resolved |
///
/// A document is *old* if the tenant has a newer position, and *expired* from `valid_until` on. A front end compares
/// positions like this. Another `tenant_id` is another tenant. A lower `revision` is older. The same `revision` with another
/// `commit` is from before a backup was restored.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::moment::PermissionsDocument;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("invoices:read")?;
///     tx.create_role("clerk")?.grant("invoices:*")?;
///     tx.create_user("alice")?.assign("clerk")?.done()
/// })?;
/// let document = acme.now().permissions_document("alice").expect("alice exists");
/// let json = serde_json::to_value(&document).unwrap();
/// assert_eq!(json["permissions"], serde_json::json!(["invoices:read"]));
/// assert_eq!(json["valid_until"], serde_json::Value::Null);
/// assert_eq!(serde_json::from_value::<PermissionsDocument>(json).unwrap(), document);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PermissionsDocument {
    /// The slug of the tenant.
    pub tenant: TenantSlug,
    /// The key of the user.
    pub user: UserKey,
    /// The state of the tenant that the document is about.
    pub position: Position,
    /// The instant of the answer.
    pub instant: Timestamp,
    /// The instant from which another document is needed, if nobody changes the tenant before. `None` if the answer never
    /// changes.
    pub valid_until: Option<Timestamp>,
    /// Everything that the user may do, in bytewise order. Empty if the user is suspended (R4).
    pub permissions: Vec<Slug>,
}

impl Moment<'_> {
    /// Returns the effective permissions of a user as a document for a front end. `None` if the user is unknown, or the tenant
    /// is [unavailable](Self::unavailable).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let noon: Timestamp = "2099-01-31T12:00:00Z".parse()?;
    /// acme.update(|tx| {
    ///     tx.create_permission("invoices:read")?;
    ///     tx.create_permission("invoices:pay")?;
    ///     tx.create_role("clerk")?.grant("invoices:read")?;
    ///     tx.create_role("payer")?.grant("invoices:*")?;
    ///     tx.create_user("alice")?.assign("clerk")?.assign_during("payer", Window::until(noon))?.done()
    /// })?;
    /// let morning = acme.snapshot().at("2099-01-31T08:00:00Z".parse()?);
    /// let document = morning.permissions_document("alice").expect("alice exists");
    /// assert_eq!(document.permissions, ["invoices:pay", "invoices:read"]);
    /// assert_eq!(document.valid_until, Some(noon));
    /// assert_eq!(document.position, acme.snapshot().position());
    /// assert!(morning.permissions_document("mallory").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n permissions, plus O(groups and roles that the user may reach). With windows, an effective set more for
    /// each beginning and end until one changes the answer. If 256 change nothing, `valid_until` is the last of these: the
    /// answer does not change before, but may be the same afterwards.
    ///
    /// # Security
    /// The document says what a user may do. Send it only to that user, and over an encrypted connection. A front end that has no
    /// document, or an expired one, shows nothing that needs a permission.
    pub fn permissions_document(&self, user: impl AsUser) -> Option<PermissionsDocument> {
        let snapshot = self.snapshot();
        let state = &snapshot.0.state;
        let row =
            user.user(snapshot.0.scope()).filter(|_| self.answers()).and_then(|number| state.users.row(number))?;
        let instant = self.instant();
        let permissions = self.effective(row.id()).slugs();
        let valid_until = if row.is_suspended() { None } else { changes_at(state, row, instant) };
        Some(PermissionsDocument {
            tenant: snapshot.slug()?.clone(),
            user: row.record.key.clone(),
            position: snapshot.position(),
            instant,
            valid_until,
            permissions,
        })
    }
}

/// The instant at which the effective permissions of a user become others.
fn changes_at(state: &State, user: &UserRow, instant: Timestamp) -> Option<Timestamp> {
    let mut edges = BTreeSet::new();
    walk::window_ends(state, user, instant, &mut edges);
    let mut later = edges.iter().peekable();
    later.peek()?;
    let present = walk::effective(state, user, &When::Chosen(instant));
    for (tried, edge) in later.enumerate() {
        if tried + 1 == MOST_EDGES || walk::effective(state, user, &When::Chosen(*edge)) != present {
            return Some(*edge);
        }
    }
    None
}
