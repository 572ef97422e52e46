//! What would this change, and may it? A transaction's calls, validated one by one against the state they were made on,
//! and the state that they lead to. Pure: no store, no clock; new ids and the time come in from above.
//!
//! `draft.rs` is the work in progress; `tx.rs` is what a closure gets, and each kind of entity has a file for
//! its calls. `managed.rs` says what only a directory may change.

mod tenant;
mod parents;
mod permissions;
mod roles;
mod groups;
mod users;
mod assignments;
mod tx;
mod draft;
mod managed;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::draft::{CommitContext, Draft};
pub use self::groups::{GroupEdit, MemberChanges};
pub use self::permissions::PermissionEdit;
pub use self::roles::{AsGrant, RoleEdit};
pub use self::tx::Tx;
pub use self::users::UserEdit;
use crate::model::clock::When;
use crate::model::records::{Change, Envelope, Revision, Timestamp, UserRecord};
use crate::resolver::moment::PermissionSet;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::{CompiledTenant, Snapshot, walk};

/// A transaction that has not been committed: what it would change, and the state it leads to.
///
/// It can be looked at, dropped, or committed with `Tenant::commit`, which refuses it as stale if the tenant has moved
/// on in the meantime.
pub struct Plan {
    pub(crate) base: Arc<CompiledTenant>,
    pub(crate) next: Arc<CompiledTenant>,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
}

impl Plan {
    /// The state that it was made on.
    pub fn base(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.base))
    }

    /// The state that it leads to, to be asked like any other.
    pub fn preview(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.next))
    }

    /// The changes, ordered by the keys of their records.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether it changes anything.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The revision that it would make, or the present one if it changes nothing.
    pub fn revision(&self) -> Revision {
        self.next.position.revision
    }

    /// Who would gain or lose what at an instant, user by user, worked out as the iterator is asked: first users that
    /// are there before, by key, then new ones, by key. What a window keeps from counting at that instant is not among it:
    /// ask at other instants, too, where access for a time matters.
    ///
    /// # Complexity
    /// A comparison of the sources of each user passed over; for each that is touched, two effective sets.
    pub fn access_changes(&self, at: Timestamp) -> impl Iterator<Item = AccessChange> + '_ {
        let (before, after) = (&self.base.state.users, &self.next.state.users);
        let new = after.sorted().filter(|n| before.row(*n).is_none());
        before.sorted().chain(new).filter_map(move |number| self.difference(number, at))
    }

    fn difference(&self, number: u32, at: Timestamp) -> Option<AccessChange> {
        let (before, after) = (self.base.state.users.row(number), self.next.state.users.row(number));
        match (before, after) {
            (Some(before), Some(_))
                if self.next.availability == self.base.availability && self.is_untouched(number, before) =>
            {
                None
            }
            _ => self.compare(number, at),
        }
    }

    fn compare(&self, number: u32, at: Timestamp) -> Option<AccessChange> {
        let set = |compiled: &Arc<CompiledTenant>| {
            let row = compiled.state.users.row(number).filter(|row| !row.is_suspended());
            let bits = row.map(|row| walk::effective(&compiled.state, row, &When::Chosen(at))).unwrap_or_default();
            let snapshot = Snapshot(Arc::clone(compiled));
            let unavailable = snapshot.at(at).unavailable();
            PermissionSet::new(snapshot, bits, unavailable)
        };
        let (before, after) = (set(&self.base), set(&self.next));
        let (gained, lost) = (after.difference(&before), before.difference(&after));
        let row = self.next.state.users.row(number).or_else(|| self.base.state.users.row(number))?;
        (!gained.is_empty() || !lost.is_empty()).then(|| AccessChange { user: row.record.clone(), gained, lost })
    }

    /// Whether nothing about a user can have changed: same row, and all its sources have the same exact rows.
    fn is_untouched(&self, number: u32, before: &UserRow) -> bool {
        let (old, new) = (&self.base.state, &self.next.state);
        let same = |source| match (old.cached_row(source), new.cached_row(source)) {
            (Some(a), Some(b)) => a.complete && b.complete && a.row == b.row,
            _ => false,
        };
        old.users.same_row(&new.users, number) && before.sources().all(|(source, _)| same(source))
    }
}

/// What one user would gain and lose.
#[derive(Clone, Debug)]
pub struct AccessChange {
    /// The user, as after the plan, or as before if it is deleted.
    pub user: UserRecord,
    /// What it may do after the plan and not before.
    pub gained: PermissionSet,
    /// What it may do before the plan and not after.
    pub lost: PermissionSet,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("base", &self.base.position)
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}
