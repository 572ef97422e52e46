//! What would this change, and may it? A transaction's calls, validated one by one against the state they were made on,
//! and the state that they lead to. Pure: no store, no clock; new ids and the time come in from above.
//!
//! `draft.rs` is the work in progress; `tx.rs` what a closure is handed, with one file per noun for its calls;
//! `cycle.rs` the one rule that needs a search.

mod assignments;
mod cycle;
mod draft;
mod groups;
mod permissions;
mod roles;
mod tenant;
mod tx;
mod users;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "json")]
pub(crate) use self::cycle::shortened;
pub(crate) use self::draft::{Draft, Origins};
pub use self::groups::GroupEdit;
pub use self::permissions::PermissionEdit;
pub use self::roles::{AsGrant, RoleEdit};
pub use self::tx::Tx;
pub use self::users::UserEdit;
use crate::clock::When;
use crate::moment::PermissionSet;
use crate::records::{Change, Envelope, Revision, Timestamp, UserRecord};
use crate::snapshot::nouns::UserRow;
use crate::snapshot::{Compiled, Snapshot, walk};

/// A transaction that has not been committed: what it would change, and the state it leads to.
///
/// It can be looked at, dropped, or committed with `Tenant::commit`, which refuses it as stale if the tenant has moved
/// on in the meantime.
pub struct Plan {
    pub(crate) base: Arc<Compiled>,
    pub(crate) next: Arc<Compiled>,
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
    pub fn differences(&self, at: Timestamp) -> impl Iterator<Item = Difference> + '_ {
        let (before, after) = (&self.base.state.users, &self.next.state.users);
        let new = after.sorted().filter(|n| before.row(*n).is_none());
        before.sorted().chain(new).filter_map(move |number| self.difference(number, at))
    }

    fn difference(&self, number: u32, at: Timestamp) -> Option<Difference> {
        let (before, after) = (self.base.state.users.row(number), self.next.state.users.row(number));
        match (before, after) {
            (Some(before), Some(_))
                if self.next.standing == self.base.standing && self.is_untouched(number, before) =>
            {
                None
            }
            _ => self.compare(number, at),
        }
    }

    fn compare(&self, number: u32, at: Timestamp) -> Option<Difference> {
        let set = |compiled: &Arc<Compiled>| {
            let row = compiled.state.users.row(number).filter(|row| !row.is_suspended());
            let bits = row.map(|row| walk::effective(&compiled.state, row, &When::Chosen(at))).unwrap_or_default();
            let snapshot = Snapshot(Arc::clone(compiled));
            let unanswered = snapshot.at(at).unanswered();
            PermissionSet::new(snapshot, bits, unanswered)
        };
        let (before, after) = (set(&self.base), set(&self.next));
        let (gained, lost) = (after.difference(&before), before.difference(&after));
        let row = self.next.state.users.row(number).or_else(|| self.base.state.users.row(number))?;
        (!gained.is_empty() || !lost.is_empty()).then(|| Difference { user: row.record.clone(), gained, lost })
    }

    /// Whether nothing about a user can have changed: same row, and all its sources have the same exact rows.
    fn is_untouched(&self, number: u32, before: &UserRow) -> bool {
        let (old, new) = (&self.base.state, &self.next.state);
        let same = |source| match (old.kept(source), new.kept(source)) {
            (Some(a), Some(b)) => a.exact && b.exact && a.row == b.row,
            _ => false,
        };
        old.users.same_row(&new.users, number) && before.sources().all(|(source, _)| same(source))
    }
}

/// What one user would gain and lose.
#[derive(Clone, Debug)]
pub struct Difference {
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
