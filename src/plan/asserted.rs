//! Checks that no binding assertion fails after a plan (R17).
//!
//! A plan is judged as a whole, by the states before and after it. Only users below a changed edge are looked at, and
//! only if that edge leads to what a binding assertion is about. An assertion that is new or has changed is judged for
//! everybody whom it can concern.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::separated::{JUDGED, Lower, ends};
use crate::model::error::{Error, Result};
use crate::model::internal_fault::{must, must_hold};
use crate::model::records::{Change, Granted, Record, Timestamp};
use crate::resolver::assertions::judge::{Expected, Judge};
use crate::resolver::bits::Bits;
use crate::resolver::moment::assertions::violation;
use crate::resolver::separations::Below;
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::entity_rows::AssertionRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::walk::all_above;

/// The name of the invariant that [`Judge::problem`] finds what [`Judge::first_new_failure`] has found.
pub(crate) const FAILURE: &str = "a failure of an assertion can be described";

/// Refuses the changes if after them a binding assertion fails for some user at some instant. An assertion that failed
/// as much for that user at that instant before does not count.
///
/// # Complexity
/// O(assertions) if none is binding. Otherwise O(groups and roles above the changed edges, and groups, roles and
/// members below those edges that lead to the subject of a binding assertion). For each of these users, add the groups
/// and roles above, once for each instant at which a window on the way begins or ends.
pub(crate) fn check(before: &State, after: &CompiledTenant, changes: &[Change], from: Timestamp) -> Result<()> {
    let state = &after.state;
    let numbers = state.assertions.sorted();
    let binding = numbers.filter_map(|number| Some((number, must(state.assertions.row(number), JUDGED)?)));
    let binding: Vec<(u32, &AssertionRow)> = binding.filter(|(_, row)| row.record.binding).collect();
    if binding.is_empty() {
        return Ok(());
    }
    let mut affected = Affected::new(before, state, &binding);
    for change in changes {
        affected.add(change);
    }
    for (place, (number, row)) in binding.iter().enumerate() {
        let judge = row.judge(state);
        let earlier = before.assertions.row(*number).filter(|earlier| is_comparable(earlier, row));
        let earlier = earlier.map(|earlier| earlier.judge(before));
        for user in affected.users_of(place, judge).iter() {
            let Some(user_row) = state.users.row(user) else {
                must_hold(affected.deleted.contains(user), JUDGED);
                continue;
            };
            let Some(at) = judge.first_new_failure(earlier.as_ref(), user, from) else { continue };
            let problem = judge.problem(after, user, from, at);
            let Some(problem) = must(problem, FAILURE) else { continue };
            return Err(Error::asserted(violation(row, user_row.key(), at, &problem)));
        }
    }
    Ok(())
}

/// Whether what failed before is a reason to tolerate that it fails: it was binding, and about the same.
fn is_comparable(before: &AssertionRow, after: &AssertionRow) -> bool {
    let about = |row: &AssertionRow| (row.expected(), row.named.permission);
    before.record.binding && about(before) == about(after)
}

/// The users for whom the answer to an assertion may have changed.
struct Affected<'a> {
    assertions: &'a [(u32, &'a AssertionRow)],
    sides: [Side<'a>; 2],
    /// The assertions to judge for everybody.
    whole: Vec<bool>,
    /// Users for whom every assertion is judged.
    users: Bits,
    /// Users whom the changes delete.
    deleted: Bits,
}

impl<'a> Affected<'a> {
    fn new(before: &'a State, after: &'a State, assertions: &'a [(u32, &'a AssertionRow)]) -> Self {
        let sides = [Side::new(before, assertions), Side::new(after, assertions)];
        let whole = assertions.iter().map(|(number, row)| {
            let earlier = before.assertions.row(*number);
            !earlier.is_some_and(|earlier| earlier.record.binding && earlier.record.expected == row.record.expected)
        });
        Self { assertions, sides, whole: whole.collect(), users: Bits::new(), deleted: Bits::new() }
    }

    fn add(&mut self, change: &Change) {
        let [before, after] = &mut self.sides;
        for (side, record) in [(before, change.before()), (after, change.after())] {
            let Some(record) = record else { continue };
            match record {
                Record::Membership(_) | Record::Parent(_) | Record::Inclusion(_) | Record::Assignment(_) => {
                    let windows = change.before().map(window_of) == change.after().map(window_of);
                    if !windows {
                        side.edge(record);
                    }
                }
                Record::Grant(grant) => {
                    let number = match &grant.granted {
                        Granted::Permission(granted) => {
                            must(side.state.permissions.by_id(granted.id().as_uuid()), JUDGED)
                        }
                        Granted::Pattern(_) => None,
                    };
                    let is_about = |row: &AssertionRow| {
                        let permission = row.named.permission?;
                        Some(match &grant.granted {
                            Granted::Permission(_) => number == Some(permission),
                            Granted::Pattern(pattern) => pattern.matches(side.state.permissions.name_at(permission)),
                        })
                    };
                    let Some(role) = must(side.state.roles.by_id(grant.role.as_uuid()), JUDGED) else { continue };
                    for (place, (_, row)) in self.assertions.iter().enumerate() {
                        if is_about(row) == Some(true) {
                            side.below.entry(place).or_default().insert(Source::Role(role));
                        }
                    }
                }
                // A permission that is renamed may gain or lose patterns, and another one its conflict (R9).
                Record::Permission(permission) => {
                    for (whole, (_, row)) in self.whole.iter_mut().zip(self.assertions) {
                        let slug = row.named.permission.map(|number| side.state.permissions.name_at(number));
                        *whole |= slug == Some(permission.slug.as_str());
                    }
                }
                Record::User(user) => {
                    let status = |record: Option<&Record>| match record {
                        Some(Record::User(user)) => Some(user.status),
                        _ => None,
                    };
                    if status(change.before()) != status(change.after()) {
                        if let Some(number) = must(side.state.user_by_id(user.id.as_uuid()), JUDGED) {
                            self.users.insert(number);
                            if change.after().is_none() {
                                self.deleted.insert(number);
                            }
                        }
                    }
                }
                Record::Tenant(_)
                | Record::Role(_)
                | Record::Group(_)
                | Record::Separation(_)
                // A changed assertion is judged for everybody.
                | Record::Assertion(_) => {}
            }
        }
    }

    fn users_of(&mut self, place: usize, judge: Judge<'_>) -> Bits {
        if self.whole.get(place).copied().unwrap_or(true) {
            return judge.candidates();
        }
        let mut users = self.users.clone();
        for side in &mut self.sides {
            if let Some(below) = side.below.remove(&place) {
                users.union_with(&below.all_users(side.state));
            }
        }
        users
    }
}

/// One of the two states, and where the affected users are in it.
struct Side<'a> {
    state: &'a State,
    /// The assertions that are about a group or role: by place, in order.
    about: HashMap<Source, Places>,
    /// The assertions about a group or role above. It remembers the results.
    above: HashMap<Source, Places>,
    /// Where the users are whom an assertion may concern differently, by its place.
    below: HashMap<usize, Below>,
}

type Places = SmallVec<[usize; 2]>;

impl<'a> Side<'a> {
    fn new(state: &'a State, assertions: &[(u32, &AssertionRow)]) -> Self {
        let mut about: HashMap<Source, Places> = HashMap::new();
        for (place, (_, row)) in assertions.iter().enumerate() {
            let judge = Judge { state, expected: row.expected(), named: &row.named };
            let groups = row.named.groups.iter().map(|group| Source::Group(*group));
            let roles: Vec<u32> = match judge.expected {
                Expected::Separate => row.named.roles.clone(),
                Expected::Allowed | Expected::Denied | Expected::Only => judge.granting_roles().collect(),
            };
            for source in groups.chain(roles.into_iter().map(Source::Role)) {
                about.entry(source).or_default().push(place);
            }
        }
        Self { state, about, above: HashMap::new(), below: HashMap::new() }
    }

    /// Adds the users below an edge, for the assertions about the groups and roles above it.
    fn edge(&mut self, record: &Record) {
        let Some((lower, upper)) = ends(self.state, record) else { return };
        for place in self.above(upper) {
            let below = self.below.entry(place).or_default();
            match lower {
                Lower::User(user) => {
                    below.users.insert(user);
                }
                Lower::Source(source) => below.insert(source),
            }
        }
    }

    /// The assertions about a source or something above it.
    fn above(&mut self, source: Source) -> Places {
        let Self { state, about, above, .. } = self;
        let found = above.entry(source).or_insert_with(|| {
            let about = |source: &Source| about.get(source).into_iter().flatten().copied();
            let mut found: Places = all_above(state, source).iter().flat_map(about).collect();
            found.sort_unstable();
            found.dedup();
            found
        });
        found.clone()
    }
}
