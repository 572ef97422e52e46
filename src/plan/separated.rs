//! Checks that a plan breaks no separation of duties (R14).
//!
//! A plan is judged as a whole, by the states before and after it. Only users below a changed edge are looked at, and
//! only if a separation names a role above that edge.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::error::{Error, Result};
use crate::model::internal_fault::must;
use crate::model::records::{Change, GroupId, Holder, Record, RoleId, Timestamp, UserId};
use crate::resolver::bits::Bits;
use crate::resolver::separations::{Below, SeparationsAbove, count_held, count_reached, violation};
use crate::resolver::snapshot::entity_rows::{SeparationRow, UserRow};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::walk::window_ends;

/// The name of the invariant that each judged entity, and both ends of each changed relation, are in the state.
pub(crate) const JUDGED: &str = "the state has everything that is judged";

/// Refuses the changes if after them some user at some instant holds more roles of a separation than it allows. A user
/// who held as many at that instant before, in breach of the same separation, does not cause a refusal.
///
/// # Complexity
/// Nothing if the tenant has no separation. Otherwise O(groups and roles above the changed edges, and groups, roles and
/// members below those edges that lead to a role of a separation). For each of these users, add the cost of
/// [`count_held`].
pub(crate) fn check(before: &State, after: &State, changes: &[Change], from: Timestamp) -> Result<()> {
    if after.separations.len() == 0 {
        return Ok(());
    }
    for (number, users) in affected(before, after, changes) {
        let Some(separation) = must(after.separations.row(number), JUDGED) else { continue };
        let earlier = before.separations.row(number);
        for user in users.iter() {
            let Some(row) = must(after.users.row(user), JUDGED) else { continue };
            let was = earlier.and_then(|earlier| Some((before, before.users.row(user)?, earlier)));
            if let Some(at) = first_new_excess(was, (after, row, separation), from) {
                return Err(Error::separated(violation(after, row, separation, at)));
            }
        }
    }
    Ok(())
}

/// A user and a separation in a state.
type Judged<'a> = (&'a State, &'a UserRow, &'a SeparationRow);

fn first_new_excess(before: Option<Judged<'_>>, after: Judged<'_>, from: Timestamp) -> Option<Timestamp> {
    let (state, user, separation) = after;
    if count_reached(state, user, &separation.roles, from) <= separation.at_most() {
        return None;
    }
    let mut instants = BTreeSet::from([from]);
    window_ends(state, user, from, &mut instants);
    if let Some((state, user, _)) = before {
        window_ends(state, user, from, &mut instants);
    }
    instants.into_iter().find(|at| {
        let held = count_held(state, user, &separation.roles, *at);
        let is_tolerated = || {
            before.is_some_and(|(state, user, separation)| {
                let was = count_held(state, user, &separation.roles, *at);
                was > separation.at_most() && held <= was
            })
        };
        held > separation.at_most() && !is_tolerated()
    })
}

/// Returns the users who may hold more roles of a separation than before, for each separation.
fn affected(before: &State, after: &State, changes: &[Change]) -> BTreeMap<u32, Bits> {
    let (mut above, mut below) = (SeparationsAbove::default(), BTreeMap::<u32, Below>::new());
    for record in changes.iter().filter_map(added) {
        let Some((lower, upper)) = ends(after, record) else {
            if let Record::Separation(separation) = record {
                tightened(before, after, separation.id.as_uuid(), &mut below);
            }
            continue;
        };
        for separation in above.separations(after, upper) {
            let below = below.entry(*separation).or_default();
            match lower {
                Lower::User(user) => {
                    below.users.insert(user);
                }
                Lower::Source(source) => below.insert(source),
            }
        }
    }
    below.into_iter().map(|(separation, below)| (separation, below.all_users(after))).collect()
}

/// Returns the record after a change that may give somebody a role: a new one, or one with another window.
fn added(change: &Change) -> Option<&Record> {
    let after = change.after()?;
    let same_window = |before| change.kind().is_relation() && window_of(before) == window_of(after);
    (!change.before().is_some_and(same_window)).then_some(after)
}

/// A separation that is new, allows less, or names another role: everybody with one of its roles is looked at.
fn tightened(before: &State, after: &State, id: uuid::Uuid, below: &mut BTreeMap<u32, Below>) {
    let number = after.separations.by_id(id);
    let found = number.and_then(|number| Some((number, after.separations.row(number)?)));
    let Some((number, row)) = must(found, JUDGED) else { return };
    let is_looser = |earlier: &SeparationRow| {
        let names_new = row.roles.iter().any(|role| earlier.roles.binary_search(role).is_err());
        row.at_most() >= earlier.at_most() && !names_new
    };
    if !before.separations.row(number).is_some_and(is_looser) {
        let below = below.entry(number).or_default();
        row.roles.iter().for_each(|role| below.insert(Source::Role(*role)));
    }
}

/// The end of an edge from which users come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lower {
    User(u32),
    Source(Source),
}

/// Returns both ends of an edge that leads from users to roles, and nothing for other records. The state must have both ends.
pub(super) fn ends(state: &State, record: &Record) -> Option<(Lower, Source)> {
    let user = |id: UserId| must(state.user_by_id(id.as_uuid()), JUDGED).map(Lower::User);
    let group = |id: GroupId| must(state.groups.by_id(id.as_uuid()), JUDGED).map(Source::Group);
    let role = |id: RoleId| must(state.roles.by_id(id.as_uuid()), JUDGED).map(Source::Role);
    match record {
        Record::Membership(edge) => user(edge.user).zip(group(edge.group)),
        Record::Parent(edge) => group(edge.group).map(Lower::Source).zip(group(edge.parent)),
        Record::Inclusion(edge) => role(edge.role).map(Lower::Source).zip(role(edge.included.id())),
        Record::Assignment(edge) => {
            let holder = match edge.holder {
                Holder::User(id) => user(id),
                Holder::Group(id) => group(id).map(Lower::Source),
            };
            holder.zip(role(edge.role.id()))
        }
        Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Grant(_)
        | Record::Separation(_)
        | Record::Assertion(_) => None,
    }
}
