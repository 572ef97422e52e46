//! Plans: validates the calls of a transaction one by one, and returns the changes and the snapshot that they lead to.
//!
//! This layer is pure. It uses neither a store nor a clock; the layer above passes in new ids and the time. `tx.rs` is
//! the transaction that a closure receives, with one file of calls for each kind of entity. `relations.rs` decides on
//! windows, `merge.rs` merges two users, and `draft.rs` is the state so far. `managed.rs` checks what only a directory
//! may change, `guard.rs` what an actor may give, `separated.rs` the separations of duties, and `asserted.rs` the
//! binding assertions. `warnings.rs` finds probable mistakes of a plan. `rebase.rs`, `compare.rs` and `described.rs`
//! work on finished plans, and `serialize_error.rs` adds what a rebase conflicts with to the error as data.

mod serialize_error;
mod rebase;
mod compare;
mod tenant;
mod parents;
mod permissions;
mod separations;
mod assertions;
mod roles;
mod groups;
mod users;
mod merge;
mod relations;
mod lists;
mod tx;
mod draft;
mod guard;
mod journal;
mod managed;
mod asserted;
mod separated;
mod warnings;
mod described;

use std::fmt;
use std::sync::Arc;

#[cfg(test)]
pub(crate) use self::asserted::FAILURE;
pub(crate) use self::asserted::check as check_assertions;
pub use self::assertions::AssertionEdit;
#[cfg(feature = "json")]
pub(crate) use self::assertions::as_stored;
pub use self::compare::AccessDifference;
pub use self::described::{ChangeKind, DescribedChange, DescribedListChange, NamedEntity};
pub(crate) use self::draft::{CommitContext, Draft};
pub use self::groups::GroupEdit;
pub(crate) use self::guard::Guard;
pub use self::lists::ListChanges;
pub use self::merge::{MovedRelation, UserMerge};
pub use self::permissions::PermissionEdit;
pub use self::rebase::RebaseConflict;
pub use self::roles::{AsGrant, RoleEdit};
#[cfg(test)]
pub(crate) use self::separated::JUDGED;
pub(crate) use self::separated::check as check_separations;
pub use self::separations::SeparationEdit;
pub use self::tx::Tx;
pub use self::users::UserEdit;
pub use self::warnings::Warning;
use crate::model::clock::When;
use crate::model::error::Quoted;
use crate::model::records::{
    Actor, Change, Envelope, Manager, Note, RecordKey, RecordKind, Revision, Timestamp, UserRecord,
};
use crate::resolver::bits::Bits;
use crate::resolver::moment::PermissionSet;
use crate::resolver::moment::list::WhyEmpty;
use crate::resolver::snapshot::names::found::Found;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot, walk};

/// A transaction that has not been committed: the changes it would make and the snapshot they lead to.
///
/// Inspect it, drop it, or commit it with [`Tenant::commit`](crate::Tenant::commit). The commit is refused as
/// stale if the tenant has changed since. [`Tenant::rebase`](crate::Tenant::rebase) then makes the same changes, with the
/// same ids, on the newest state.
///
/// A clone is the same plan. Keep one if the commit may be refused. Only one of a plan and its clones can be committed.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let ((), plan) = acme.plan(|tx| {
///     tx.create_user("alice")?;
///     Ok(())
/// })?;
/// assert_eq!(plan.changes().len(), 1);
/// acme.commit(plan)?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a plan changes nothing until it is committed"]
pub struct Plan {
    pub(crate) base: Arc<CompiledTenant>,
    pub(crate) next: Arc<CompiledTenant>,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
    /// The directories that the transaction acted for (R16).
    pub(crate) acts_for: Vec<Manager>,
    /// The actors of a guarded transaction (R13).
    pub(crate) guards: Vec<Guard>,
    /// The relations that a call was to remove and that were not there.
    pub(crate) removed_in_vain: Vec<RecordKey>,
}

impl Plan {
    /// Returns the snapshot that the plan was made on.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// assert_eq!(plan.base().revision(), acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn base(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.base))
    }

    /// Returns the snapshot that the plan leads to. Ask it like any other.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// let now = acme.now().instant();
    /// assert!(plan.preview().at(now).user("alice").is_some());
    /// assert!(acme.now().user("alice").is_none(), "not committed");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn preview(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.next))
    }

    /// Returns the changes, ordered by the keys of their records.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// assert!(plan.changes()[0].before().is_none(), "a new record");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Returns the actor of the change in the application's words, if the transaction has set one ([`Tx::set_actor`]).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.set_actor("ops@acme.com")?.create_user("alice")?.done())?;
    /// assert_eq!(plan.actor().unwrap(), "ops@acme.com");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn actor(&self) -> Option<&Actor> {
        self.envelope.actor.as_ref()
    }

    /// Returns why the change is made, if the transaction said so ([`Tx::set_note`]).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.set_note("ticket 7")?.create_user("alice")?.done())?;
    /// assert_eq!(plan.note().unwrap(), "ticket 7");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn note(&self) -> Option<&Note> {
        self.envelope.note.as_ref()
    }

    /// Returns the instant at which the plan was made, by the tenant's clock. Windows are judged at it (R3), and the
    /// commit carries it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (instant, plan) = acme.plan(|tx| Ok(tx.instant()))?;
    /// assert_eq!(plan.instant(), instant);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn instant(&self) -> Timestamp {
        self.envelope.at
    }

    /// Returns whether the plan changes nothing.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|_| Ok(()))?;
    /// assert!(plan.is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns the revision that the plan would make, or the current one if it changes nothing.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// assert_eq!(plan.revision(), acme.revision().next());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn revision(&self) -> Revision {
        self.next.position.revision
    }

    /// Counts the changes of one kind of record. Use it to refuse a plan that removes more than it should.
    ///
    /// A suspended user is a changed record, not a removed one.
    ///
    /// ```
    /// use rolecall::records::RecordKind;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for user in ["alice", "bob", "carol"] { tx.create_user(user)?; }
    /// #     tx.create_group("staff")?.set_members(["alice", "bob", "carol"]).map(drop)
    /// # })?;
    /// let (_, plan) = acme.plan(|tx| tx.group("staff")?.set_members::<&str>([]))?; // the directory answered with an empty list
    /// let removed = plan.count(RecordKind::Membership).removed;
    /// assert!(removed > 2, "too many: do not commit");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(changes).
    pub fn count(&self, kind: RecordKind) -> ChangeCount {
        let mut count = ChangeCount::default();
        for change in self.changes.iter().filter(|change| change.kind() == kind) {
            match (change.before().is_some(), change.after().is_some()) {
                (false, _) => count.added += 1,
                (true, true) => count.changed += 1,
                (true, false) => count.removed += 1,
            }
        }
        count
    }

    /// Returns the users who would gain or lose permissions at an instant, each with these permissions. Existing users come
    /// first, by key, then new users by key. The iterator computes each user when it is asked.
    ///
    /// Memberships and assignments outside their window at this instant have no effect. Ask at other instants as well if
    /// access is temporary. A tenant that is temporarily unavailable denies everything. Here it counts as if it answered,
    /// because the plan can be committed once its state is known.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("editor")?.grant("posts:write")?;
    /// #     tx.create_user("alice")?.assign("editor")?.done()
    /// # })?;
    /// let (_, plan) = acme.plan(|tx| tx.delete_role("editor"))?;
    /// for change in plan.access_changes(acme.now().instant()) {
    ///     assert_eq!(change.lost.slugs(), ["posts:write"]);
    /// }
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups and roles, users) to find out who may be affected, without a look at a user who is not. Then two
    /// effective sets for each of them.
    pub fn access_changes(&self, at: Timestamp) -> impl Iterator<Item = AccessChange> + '_ {
        self.may_differ().filter_map(move |number| self.compare(number, at))
    }

    /// The users whose access may change at some instant: those before the plan, by key, then those that it creates, by
    /// key.
    ///
    /// A user is not among them if its row and the rows of all its groups and roles are the same.
    fn may_differ(&self) -> impl Iterator<Item = u32> + '_ {
        let (before, after) = (&self.base.state.users, &self.next.state.users);
        let is_whole = self.next.availability != self.base.availability;
        let (mut changed, mut new) = (Bits::new(), Vec::new());
        for number in before.unshared_rows(after) {
            if before.row(number).is_some() {
                changed.insert(number);
            } else {
                new.push(number);
            }
        }
        for source in self.changed_sources().filter(|_| !is_whole) {
            for user in self.users_of(source) {
                changed.insert(user);
            }
        }
        let is_existing = |number: &u32| before.row(*number).is_some();
        // To sort few users costs less than to pass over all of them. A caller who asks for the first of many does not wait
        // for the others.
        let are_many = is_whole || changed.len().saturating_mul(16) > after.len();
        let mut few: Vec<u32> = changed.iter().filter(|_| !are_many).filter(is_existing).collect();
        few.sort_unstable_by_key(|number| before.name_at(*number));
        new.sort_unstable_by_key(|number| after.name_at(*number));
        let is_affected = move |number: &u32| is_whole || changed.contains(*number);
        let many = are_many.then(|| before.sorted().filter(is_affected));
        many.into_iter().flatten().chain(few).chain(new)
    }

    /// The groups and roles that may give something else at some instant. An incomplete one may do so because of the
    /// groups and roles above it.
    fn changed_sources(&self) -> impl Iterator<Item = Source> + '_ {
        let (old, new) = (&self.base.state, &self.next.state);
        let is_changed = move |source: &Source| match (old.cached_row(*source), new.cached_row(*source)) {
            (Some(a), Some(b)) => {
                a.is_incomplete() || b.is_incomplete() || a.always.row(&old.grantable) != b.always.row(&new.grantable)
            }
            (before, after) => before.is_some() || after.is_some(),
        };
        let roles = old.roles.numbers_in_use().max(new.roles.numbers_in_use());
        let groups = old.groups.numbers_in_use().max(new.groups.numbers_in_use());
        (0..roles).map(Source::Role).chain((0..groups).map(Source::Group)).filter(is_changed)
    }

    /// The users who have a group or role directly, before or after the plan.
    fn users_of(&self, source: Source) -> impl Iterator<Item = u32> + '_ {
        let states = [&self.base.state, &self.next.state].into_iter();
        states.flat_map(move |state| {
            let users = match source {
                Source::Group(number) => state.groups.row(number).map(|row| &row.members),
                Source::Role(number) => state.roles.row(number).map(|row| &row.users),
            };
            users.into_iter().flat_map(|users| users.iter().map(|reverse| reverse.from()))
        })
    }

    fn compare(&self, number: u32, at: Timestamp) -> Option<AccessChange> {
        let bits = |compiled: &CompiledTenant| {
            walk::effective_found(&compiled.state, Found::by_number(number), &When::Chosen(at))
        };
        let (before, after) = (bits(&self.base), bits(&self.next));
        if before == after && self.base.availability == self.next.availability {
            return None;
        }
        let set = |compiled: &Arc<CompiledTenant>, bits| {
            let snapshot = Snapshot(Arc::clone(compiled));
            // The effect of the plan is shown, although the tenant denies as long as its state is not known.
            let is_known = match compiled.availability {
                Availability::Serving
                | Availability::Unconfirmed
                | Availability::InDoubt
                | Availability::InvalidContent => true,
                Availability::Broken | Availability::Closed | Availability::Deleted => false,
            };
            let why = snapshot.at(at).unavailable().filter(|_| !is_known);
            PermissionSet::new(snapshot, bits, WhyEmpty::unavailable(why))
        };
        let (before, after) = (set(&self.base, before), set(&self.next, after));
        let (gained, lost) = (after.difference(&before), before.difference(&after));
        let row = self.next.state.users.row(number).or_else(|| self.base.state.users.row(number))?;
        (!gained.is_empty() || !lost.is_empty()).then(|| AccessChange { user: row.record.clone(), gained, lost })
    }
}

/// How many records of one kind a plan adds, changes and removes. See [`Plan::count`].
///
/// ```
/// use rolecall::records::RecordKind;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
/// let users = plan.count(RecordKind::User);
/// assert_eq!((users.added, users.changed, users.removed), (1, 0, 0));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ChangeCount {
    /// Records that do not exist before the plan.
    pub added: usize,
    /// Records that exist before and after, with other content.
    pub changed: usize,
    /// Records that do not exist after the plan.
    pub removed: usize,
}

/// The permissions that one user would gain and lose. See [`Plan::access_changes`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:write")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// let (_, plan) = acme.plan(|tx| tx.user("alice")?.assign("editor")?.done())?;
/// let change = plan.access_changes(acme.now().instant()).next().unwrap();
/// assert_eq!((change.gained.len(), change.lost.len()), (1, 0));
/// assert_eq!(change.to_string(), "user `alice` gains `posts:write`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessChange {
    /// The user, as after the plan, or as before if it is deleted.
    pub user: UserRecord,
    /// The permissions that the user has after the plan but not before.
    pub gained: PermissionSet,
    /// The permissions that the user has before the plan but not after.
    pub lost: PermissionSet,
}

/// One line: ``user `alice` gains `posts:read`, `posts:write`; loses `posts:delete` ``.
impl fmt::Display for AccessChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", Quoted(self.user.key.as_str()))?;
        let mut separator = "";
        for (verb, permissions) in [("gains", &self.gained), ("loses", &self.lost)] {
            for (n, permission) in permissions.iter().enumerate() {
                match n {
                    0 => write!(f, "{separator} {verb} {}", Quoted(permission.as_str()))?,
                    _ => write!(f, ", {}", Quoted(permission.as_str()))?,
                }
                separator = ";";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("base", &self.base.position)
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}
