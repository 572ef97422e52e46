//! Compares two plans: their changes, and their effect on the access of each user at every instant.

use std::collections::{BTreeSet, HashSet};

use super::{AccessChange, Plan};
use crate::model::error::EntityKind;
use crate::model::records::{Change, PermissionId, Slug, Timestamp, UserId, UserRecord};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::window_ends;

/// A user whose access two plans change differently. See [`Plan::access_differences`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.done()?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// let now = acme.now().instant();
/// let (_, approved) = acme.plan(|tx| tx.user("alice")?.assign("editor")?.done())?; // a role that grants nothing
/// acme.update(|tx| tx.role("editor")?.grant("posts:write")?.done())?;
/// let rebased = acme.rebase(&approved)?;
/// let difference = rebased.access_differences(&approved, now).next().unwrap();
/// assert_eq!(difference.user.key, "alice");
/// assert_eq!(difference.this.unwrap().gained.slugs(), ["posts:write"]);
/// assert!(difference.other.is_none());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessDifference {
    /// The user, as in the plan that was asked if it has the user.
    pub user: UserRecord,
    /// The first instant at which the plans differ for this user, among those that were compared.
    pub at: Timestamp,
    /// The change that this plan makes for the user at that instant. `None` if it changes nothing.
    pub this: Option<AccessChange>,
    /// The change that the other plan makes for the user at that instant. `None` if it changes nothing.
    pub other: Option<AccessChange>,
}

impl Plan {
    /// Returns the changes of this plan that another plan does not make, in the order of [`Plan::changes`].
    ///
    /// A rebased plan has exactly the changes of its original, and no others. Use this to compare a plan with one that
    /// was made again. Created entities get new ids each time, so they are in the result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_user("alice")?; tx.create_user("bob")?.done() })?;
    /// let (_, approved) = acme.plan(|tx| tx.user("alice")?.suspend()?.done())?;
    /// let (_, again) = acme.plan(|tx| { tx.user("alice")?.suspend()?; tx.user("bob")?.suspend()?.done() })?;
    /// assert_eq!(again.changes_not_in(&approved).count(), 1);
    /// assert_eq!(approved.changes_not_in(&again).count(), 0);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n + m) for the changes of both.
    pub fn changes_not_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Change> + 'a {
        let others: HashSet<&Change> = other.changes.iter().collect();
        self.changes.iter().filter(move |change| !others.contains(change))
    }

    /// Returns the users whose access this plan changes in another way than the other plan does, at `from` or later.
    ///
    /// Compare a plan that was [rebased](crate::Tenant::rebase) with the one that a person has approved: the changes
    /// are the same, but their effect may differ. Somebody may have assigned a role to the group that a user is to
    /// join.
    ///
    /// The permissions gained and lost are compared by id and slug, for each user that one of the plans affects. They are
    /// compared at `from`, and at each later instant at which a window around the user begins or ends. A user whose key
    /// differs counts, too. An empty result therefore means: the same users gain and lose the same permissions at every
    /// instant from `from` on.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_group("staff")?; tx.create_user("alice")?.done() })?;
    /// let (_, approved) = acme.plan(|tx| tx.user("alice")?.join("staff")?.done())?;
    /// acme.update(|tx| tx.create_user("bob")?.done())?; // something unrelated
    /// let rebased = acme.rebase(&approved)?;
    /// assert!(rebased.access_differences(&approved, acme.now().instant()).next().is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// [`AccessDifference`] has an example with a difference.
    ///
    /// # Complexity
    /// As [`Plan::access_changes`] of both plans. For each user that may be affected: four effective sets at each
    /// instant, of which there are as many as windows around the user begin and end.
    pub fn access_differences<'a>(
        &'a self,
        other: &'a Self,
        from: Timestamp,
    ) -> impl Iterator<Item = AccessDifference> + 'a {
        let ours = self.affected();
        let known: HashSet<UserId> = ours.iter().copied().collect();
        let theirs = other.affected().into_iter().filter(move |user| !known.contains(user));
        ours.into_iter().chain(theirs).filter_map(move |user| self.first_difference(other, user, from))
    }

    /// The users whose access the plan may change.
    fn affected(&self) -> Vec<UserId> {
        let id = |number| self.next.state.users.id_at(number).or_else(|| self.base.state.users.id_at(number));
        self.may_differ().filter_map(id).map(UserId::from_uuid).collect()
    }

    fn change_of(&self, user: UserId, at: Timestamp) -> Option<AccessChange> {
        let number = self.next.state.number_of(EntityKind::User, user.as_uuid());
        let number = number.or_else(|| self.base.state.number_of(EntityKind::User, user.as_uuid()));
        self.compare(number?, at)
    }

    fn first_difference(&self, other: &Self, user: UserId, from: Timestamp) -> Option<AccessDifference> {
        let mut instants = BTreeSet::from([from]);
        for plan in [self, other] {
            edges_after(&plan.base.state, user, from, &mut instants);
            edges_after(&plan.next.state, user, from, &mut instants);
        }
        instants.into_iter().find_map(|at| {
            let (this, that) = (self.change_of(user, at), other.change_of(user, at));
            if this.as_ref().map(Content::of) == that.as_ref().map(Content::of) {
                return None;
            }
            let user = this.as_ref().or(that.as_ref())?.user.clone();
            Some(AccessDifference { user, at, this, other: that })
        })
    }
}

/// The part of an access change that a person approves: who gains and loses which permissions. Ids alone are not
/// enough, because checks name a permission by its slug, and somebody may have renamed it.
#[derive(PartialEq, Eq)]
struct Content {
    key: crate::model::records::UserKey,
    gained: Vec<(PermissionId, Slug)>,
    lost: Vec<(PermissionId, Slug)>,
}

impl Content {
    fn of(change: &AccessChange) -> Self {
        let permissions = |set: &crate::resolver::moment::PermissionSet| {
            set.records().into_iter().map(|permission| (permission.record.id, permission.record.slug)).collect()
        };
        Self { key: change.user.key.clone(), gained: permissions(&change.gained), lost: permissions(&change.lost) }
    }
}

/// Adds the instants at which a window on a way up from a user begins or ends.
fn edges_after(state: &State, user: UserId, from: Timestamp, instants: &mut BTreeSet<Timestamp>) {
    let Some(row) = state.user_by_id(user.as_uuid()).and_then(|number| state.users.row(number)) else { return };
    window_ends(state, row, from, instants);
}
