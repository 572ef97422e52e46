//! Every question, once: on a snapshot at an instant.
//!
//! This file has the questions about decisions; `moment/lookup.rs` and `moment/relations.rs` those that an
//! administration page asks, `moment/hierarchy.rs` those about parent groups and subgroups, `moment/sets.rs` the sets they answer with, `moment/page.rs` the listings,
//! `moment/many.rs` checks by the dozen.
//!
//! Deliberately absent: anything that fails, blocks or awaits. What is unknown is denied or empty.

mod valid_until;
mod hierarchy;
mod many;
mod relations;
mod sets;
mod lookup;
mod page;

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;

pub use self::hierarchy::GroupPaths;
pub use self::lookup::{Origin, WithOrigin};
pub use self::page::{Page, PageRequest};
pub use self::relations::{Inherited, Via, WithWindow};
pub use self::sets::{PermissionSet, UserSet};
use crate::model::clock::{Clock, When};
use crate::model::records::Timestamp;
use crate::resolver::check::allows_found;
use crate::resolver::explain::{Decision, Explanation, Reason, reason};
use crate::resolver::snapshot::names::{AsPermission, AsUser, PermissionHandle, UserHandle};
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot, walk};

/// A snapshot at an instant. Every question is asked here.
///
/// From [`Snapshot::at`] it stays at the instant chosen; from `Tenant::now` the instant is the clock's, which is read
/// when a question first meets a window, and at most once: all questions on one moment have the same instant.
///
/// # Consistency
/// All answers of one moment are about one revision.
pub struct Moment<'a> {
    view: View,
    when: When<'a>,
}

enum View {
    Owned(Arc<CompiledTenant>),
    /// A reader's hold on the tenant's present snapshot: dearer to keep for long, and half the price to take.
    Guarded(Guard<Arc<CompiledTenant>>),
}

impl Snapshot {
    /// This snapshot at an instant.
    pub fn at(&self, at: Timestamp) -> Moment<'static> {
        Moment { view: View::Owned(Arc::clone(&self.0)), when: When::Chosen(at) }
    }

    /// This snapshot at the instant that a clock shows when a question first needs it.
    pub fn now<'a>(&self, clock: &'a dyn Clock) -> Moment<'a> {
        Moment { view: View::Owned(Arc::clone(&self.0)), when: When::now(clock) }
    }
}

impl<'a> Moment<'a> {
    pub(crate) fn guarded(guard: Guard<Arc<CompiledTenant>>, clock: &'a dyn Clock) -> Self {
        Self { view: View::Guarded(guard), when: When::now(clock) }
    }

    #[inline]
    fn compiled(&self) -> &CompiledTenant {
        match &self.view {
            View::Owned(compiled) => compiled,
            View::Guarded(guard) => guard,
        }
    }

    /// The snapshot, to be held.
    pub fn snapshot(&self) -> Snapshot {
        match &self.view {
            View::Owned(compiled) => Snapshot(Arc::clone(compiled)),
            View::Guarded(guard) => Snapshot(Arc::clone(guard)),
        }
    }

    /// The instant. Asking for it reads the clock, if no question has.
    pub fn instant(&self) -> Timestamp {
        self.when.instant()
    }

    /// Why nothing is answered, if nothing is.
    pub fn unavailable(&self) -> Option<Reason> {
        reason::silence(self.compiled().availability)
    }

    /// Whether questions are answered at all: the first thing that every one of them looks at.
    #[inline]
    fn answers(&self) -> bool {
        self.compiled().availability == Availability::Serving
    }

    /// May this user do this? Whatever is unknown is denied.
    ///
    /// # Complexity
    /// A table look-up for each name, then seven words and one bit test; with windows or more than seven sources,
    /// O(sources of the user); where the bound on kept rows or a window on a group's role or parent is met, O(groups and
    /// roles walked). No allocation but in a long walk.
    #[inline]
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check(&self, user: impl AsUser, permission: impl AsPermission) -> bool {
        let snapshot = self.compiled();
        if !self.answers() {
            return false;
        }
        match (user.found(snapshot.scope()), permission.met(snapshot.scope())) {
            (Some(user), Some(permission)) => allows_found(&snapshot.state, user, permission, &self.when),
            _ => false,
        }
    }

    /// May this user do at least one of these? Unknown ones are ignored; of nothing, no.
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_any<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        let snapshot = self.compiled();
        let Some(user) = user.found(snapshot.scope()).filter(|_| self.answers()) else { return false };
        let mut known = permissions.into_iter().filter_map(|permission| permission.met(snapshot.scope()));
        known.any(|permission| allows_found(&snapshot.state, user, permission, &self.when))
    }

    /// May this user do all of these? An unknown one is denied; of nothing, no.
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_all<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        let snapshot = self.compiled();
        let Some(user) = user.found(snapshot.scope()).filter(|_| self.answers()) else { return false };
        let mut some = false;
        let all = permissions.into_iter().all(|permission| {
            some = true;
            permission.met(snapshot.scope()).is_some_and(|p| allows_found(&snapshot.state, user, p, &self.when))
        });
        all && some
    }

    /// The check, and the reason where it is denied.
    ///
    /// # Complexity
    /// That of the check where it is allowed; otherwise O(groups and roles of the user, whenever they count).
    pub fn decide(&self, user: impl AsUser, permission: impl AsPermission) -> Decision {
        let snapshot = self.compiled();
        reason::decide(snapshot, user.user(snapshot.scope()), permission.permission(snapshot.scope()), &self.when)
    }

    /// The decision with the paths that led to it, or with what would grant it.
    ///
    /// # Complexity
    /// O(groups and roles of the user, whenever they count), then the length of each path.
    pub fn explain(&self, user: impl AsUser, permission: impl AsPermission) -> Explanation {
        let snapshot = self.compiled();
        let user = (user.user(snapshot.scope()), user.user_text());
        let permission = (permission.permission(snapshot.scope()), permission.permission_text());
        reason::explain(snapshot, user, permission, &self.when)
    }

    /// Everything that a user may do.
    ///
    /// # Complexity
    /// O(sources of the user), a union of rows each, or O(groups and roles walked).
    pub fn effective(&self, user: impl AsUser) -> PermissionSet {
        let snapshot = self.compiled();
        let user = user.found(snapshot.scope()).filter(|_| self.answers());
        let bits = user.map(|user| walk::effective_found(&snapshot.state, user, &self.when)).unwrap_or_default();
        PermissionSet::new(self.snapshot(), bits, self.unavailable())
    }

    /// A number for a user, for fast questions on this opening of the tenant.
    pub fn user_handle(&self, user: impl AsUser) -> Option<UserHandle> {
        let snapshot = self.compiled();
        user.user(snapshot.scope()).map(|number| snapshot.user_handle(number))
    }

    /// A number for a permission, for fast questions on this opening of the tenant.
    pub fn permission_handle(&self, permission: impl AsPermission) -> Option<PermissionHandle> {
        let snapshot = self.compiled();
        permission.permission(snapshot.scope()).and_then(|number| snapshot.permission_handle(number))
    }
}

impl fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment").field("snapshot", &self.snapshot()).field("when", &self.when).finish()
    }
}
