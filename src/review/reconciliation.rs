//! The changes that another catalog would make in a tenant: asked before a deploy, for each tenant.
//!
//! The records of the tenant are read again under the other catalog, as the next release would load them, and the two
//! snapshots are compared. So the result follows the rules by construction, not by a second implementation of them.
//!
//! Entries of both catalogs, and permissions, are matched by id, because a renamed entry keeps its id. An application that
//! names its permissions by the variants of an enum asks about the same entry before and after.
//!
//! `reconciliation/entries.rs` has the rules about entries of the catalog, `reconciliation/grants.rs` those about what a tenant
//! gives, and `reconciliation/limits.rs` those about separations and assertions.

mod entries;
mod grants;
mod limits;

use std::sync::Arc;

use serde::Serialize;

use super::lint::Finding;
use crate::model::catalog::Catalog;
use crate::model::error::{Error, Result};
use crate::model::invariants::refused;
use crate::model::records::{PermissionId, Timestamp};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::entity_rows::PermissionRow;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::resolver::what_if::{UserAccessChange, access_changes_by_id};

/// The changes that another catalog, for example that of the next release, would make in a tenant. [`Snapshot::reconcile`]
/// returns it.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::catalog::{Catalog, Definition, PermissionDef};
///
/// let present = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:write")], ..Definition::default() })?;
/// let acme = Authorizer::builder().catalog(&present).build().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_role("editor")?.grant("posts:*")?;
///     tx.create_user("alice")?.assign("editor")?.done()
/// })?;
///
/// // The next release renames a permission, so that a pattern no longer matches it.
/// let renamed = PermissionDef { renamed_from: &["posts:write"], ..PermissionDef::new("articles:write") };
/// let next = Catalog::new(&Definition { permissions: &[renamed], ..Definition::default() })?;
/// let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant())?;
/// let findings: Vec<String> = reconciliation.findings().map(|finding| finding.to_string()).collect();
/// assert_eq!(findings[1], "pattern_matches_less: role `editor` grants `posts:*`, which would no longer match \
///                          `posts:write` (then `articles:write`)");
/// let changes: Vec<String> = reconciliation.access_changes().map(|change| change.to_string()).collect();
/// assert_eq!(changes, ["user `alice` loses `articles:write`"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is read with `findings` and `access_changes`"]
pub struct Reconciliation {
    before: Snapshot,
    after: Snapshot,
    from: Timestamp,
}

/// How many users gain access, and how many lose some. See [`Reconciliation::count`].
///
/// ```
/// use rolecall::catalog::Catalog;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let count = acme.snapshot().reconcile(&Catalog::empty(), acme.now().instant())?.count();
/// assert_eq!((count.gaining, count.losing), (0, 0));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct AccessCount {
    /// The users who gain a permission at some instant.
    pub gaining: usize,
    /// The users who lose a permission at some instant. A user may do both.
    pub losing: usize,
}

impl Snapshot {
    /// Returns what another catalog would change in the tenant. Findings with stable codes list the entries that are added,
    /// removed or renamed, and the grants, inclusions and assignments that would give less or more. Access changes list the
    /// users who would gain or lose permissions at `from` or later. Ask for every tenant before you deploy a catalog.
    /// [`Reconciliation`] has an example, and the cookbook a loop over all tenants.
    ///
    /// The tenant is not changed. Commits that come later are not in the result. A catalog declares its renames
    /// ([`PermissionDef::renamed_from`](crate::catalog::PermissionDef::renamed_from)): an entry whose earlier slug it does
    /// not have is one that goes and another that comes.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition, PermissionDef};
    /// use rolecall::review::Code;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_role("auditor")?.grant("*")?.done())?;
    /// let next = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:read")], ..Definition::default() })?;
    /// let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant())?;
    /// let codes: Vec<Code> = reconciliation.findings().map(|finding| finding.code).collect();
    /// assert_eq!(codes, [Code::PermissionAdded, Code::PatternMatchesMore]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Blocked`](crate::ErrorKind::Blocked),
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Internal`](crate::ErrorKind::Internal), [`Closed`](crate::ErrorKind::Closed)
    /// or [`Deleted`](crate::ErrorKind::Deleted), by the reason why the tenant is unavailable. Also `Corrupt` if the tenant
    /// could not be opened with the other catalog: an entity of its own has the id of an entry.
    ///
    /// # Complexity
    /// As opening the tenant: O(n log n) for n records, in time and memory.
    pub fn reconcile(&self, next: &Catalog, from: Timestamp) -> Result<Reconciliation> {
        // An empty list would look as if nothing were to be found.
        if let Some(kind) = self.0.availability.refusal() {
            return Err(Error::new(kind));
        }
        let catalog = Arc::new(CompiledCatalog::new(next.clone()));
        let after = CompiledTenant::under(&self.0, catalog).map_err(|violations| refused(&violations))?;
        Ok(Reconciliation { before: self.clone(), after: Self(Arc::new(after)), from })
    }
}

impl Reconciliation {
    /// Returns the tenant as it is.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let reconciliation = acme.snapshot().reconcile(&Catalog::empty(), acme.now().instant())?;
    /// assert_eq!(reconciliation.before().revision(), acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn before(&self) -> &Snapshot {
        &self.before
    }

    /// Returns the tenant as it would be with the other catalog. Ask it what you like, for example with
    /// [`replay`](Snapshot::replay).
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef};
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let next = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:read")], ..Definition::default() })?;
    /// let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant())?;
    /// assert!(reconciliation.after().at(acme.now().instant()).permission("posts:read").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn after(&self) -> &Snapshot {
        &self.after
    }

    /// Returns the findings, code by code in the order of [`Code::ALL`](super::Code::ALL).
    ///
    /// A finding with the severity [`Error`](super::Severity::Error) is something that would be lost or broken, and a
    /// [`Warning`](super::Severity::Warning) something that would be given. If no finding is either, no user gains or loses
    /// anything. Leave out what somebody has accepted with [`Accepted`](super::Accepted).
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition, PermissionDef};
    /// use rolecall::review::Severity;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let next = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:read")], ..Definition::default() })?;
    /// let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant())?;
    /// assert!(reconciliation.findings().all(|finding| finding.severity == Severity::Info));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(entries of the catalogs, roles and their grants + permissions of each role of the catalog). One match for each
    /// different pattern and each permission that begins with its literal prefix. Users are read only where they hold a role
    /// that goes or comes back, or where the tenant has separations or assertions: then all, twice.
    pub fn findings(&self) -> impl Iterator<Item = Finding> + '_ {
        RULES.iter().flat_map(|rule| rule(self))
    }

    /// Returns which users gain or lose access at the instant of the question or later, by key. Permissions are matched by
    /// id and shown with the slug that they have afterwards. The iterator compares each user when it is asked, so it needs
    /// memory for one user only.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition, PermissionDef};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("reader")?.grant("posts:*")?;
    ///     tx.create_user("alice")?.assign("reader")?.done()
    /// })?;
    /// let next = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:read")], ..Definition::default() })?;
    /// let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant())?;
    /// let changes: Vec<String> = reconciliation.access_changes().map(|change| change.to_string()).collect();
    /// assert_eq!(changes, ["user `alice` gains `posts:read`"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Two effective sets for each user, at each instant at which a window around the user begins or ends.
    pub fn access_changes(&self) -> impl Iterator<Item = UserAccessChange> + '_ {
        access_changes_by_id(&self.before, &self.after, self.from)
    }

    /// Counts the users who gain or lose access.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef};
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_role("reader")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// let next = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:read")], ..Definition::default() })?;
    /// assert_eq!(acme.snapshot().reconcile(&next, acme.now().instant())?.count().gaining, 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// As [`access_changes`](Self::access_changes).
    pub fn count(&self) -> AccessCount {
        self.access_changes().fold(AccessCount::default(), |count, change| AccessCount {
            gaining: count.gaining + usize::from(!change.gained.is_empty()),
            losing: count.losing + usize::from(!change.lost.is_empty()),
        })
    }

    /// The states before and after.
    fn states(&self) -> [&State; 2] {
        [&self.before.0.state, &self.after.0.state]
    }

    /// The row of a permission before and after, if there is one.
    fn permission(&self, id: PermissionId) -> [Option<&PermissionRow>; 2] {
        self.states().map(|state| state.permissions.row(state.permissions.by_id(id.as_uuid())?))
    }
}

/// The findings of one rule, lazily.
type Findings<'r> = Box<dyn Iterator<Item = Finding> + 'r>;

type Rule = for<'r> fn(&'r Reconciliation) -> Findings<'r>;

/// In the order of the codes.
const RULES: &[Rule] = &[
    entries::new_conflicts,
    entries::slugs_reused,
    entries::permissions_removed,
    entries::roles_removed,
    entries::permissions_renamed,
    entries::roles_renamed,
    entries::permissions_added,
    entries::roles_added,
    entries::slugs_reserved,
    grants::roles_changed,
    grants::lost_grants,
    grants::lost_inclusions,
    grants::lost_assignments,
    grants::regained_grants,
    grants::regained_inclusions,
    grants::regained_assignments,
    grants::patterns_that_match_less,
    grants::patterns_that_match_more,
    limits::assertions_that_fail,
    limits::separations_exceeded,
];
