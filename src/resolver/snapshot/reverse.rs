//! The reverse walk: from permissions and roles down to groups and users.
//!
//! It shares nothing with the forward walk except the edges. Tests compare the two.

use smallvec::SmallVec;

use super::edge::{FAR_END, NEAR_END, ReverseEdge};
use super::edges::Edges;
use super::entity_rows::UserRow;
use super::source::Source;
use super::state::State;
use super::table::AT_A_TIME;
use super::user_summaries::Summary;
use super::walk::is_active;
use crate::model::clock::When;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::Timestamp;
use crate::resolver::bits::Bits;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// The roles and the groups that give a permission at an instant.
///
/// # Complexity
/// If no source gives anything only at some instants: O(roles + groups) bits, all in a few cache lines. Otherwise
/// O(roles and groups walked).
pub(crate) fn sources_giving(state: &State, permission: u32, when: &When<'_>) -> (Bits, Bits) {
    if !state.columns.are_complete() {
        let roles = roles_giving(state, permission);
        let groups = groups_having(state, &roles, when);
        return (roles, groups);
    }
    let (mut roles, mut groups) = (Bits::new(), Bits::new());
    for source in state.columns.sources_with(permission) {
        match source {
            Source::Role(number) => roles.insert(number),
            Source::Group(number) => groups.insert(number),
        };
    }
    (roles, groups)
}

/// The roles that give a permission: by name, by pattern, or by including a role that does.
pub(crate) fn roles_giving(state: &State, permission: u32) -> Bits {
    let Some(row) = state.permissions.row(permission) else { return Bits::new() };
    if !state.permission_is_grantable(permission) {
        return Bits::new();
    }
    let mut roles: Bits = state.reverse_grants.of(permission).collect();
    for role in state.roles_matching(row.record.slug.as_str()) {
        roles.insert(role);
    }
    with_includers(state, roles)
}

/// These roles and all roles that include them.
pub(crate) fn with_includers(state: &State, mut roles: Bits) -> Bits {
    graph::follow(roles.clone().iter(), |role| state.includers(role), |role| roles.insert(role));
    roles
}

/// The groups that have one of these roles at an instant, and all their subgroups.
pub(crate) fn groups_having(state: &State, roles: &Bits, when: &When<'_>) -> Bits {
    let mut groups = Bits::new();
    for (number, role) in roles.iter().filter_map(|n| must(state.roles.row(n), NEAR_END).map(|row| (n, row))) {
        for number in active(&role.groups, number, when, |n| Some(state.groups.row(n)?.roles())) {
            groups.insert(number);
        }
    }
    with_subgroups(state, groups, when)
}

/// These groups and all their subgroups at an instant.
pub(crate) fn with_subgroups(state: &State, mut groups: Bits, when: &When<'_>) -> Bits {
    let next = |group| {
        let row = must(state.groups.row(group), NEAR_END).into_iter();
        row.flat_map(move |row| active(&row.children, group, when, |n| Some(state.groups.row(n)?.parents())))
    };
    graph::follow(groups.clone().iter(), next, |group| groups.insert(group));
    groups
}

/// The users who have one of these roles directly, or are direct members of one of these groups, at an instant.
///
/// # Complexity
/// O(assignments and members of these roles and groups).
pub(crate) fn users_of(state: &State, roles: &Bits, groups: &Bits, when: &When<'_>) -> Bits {
    let of_roles = roles.iter().filter_map(|n| must(state.roles.row(n), NEAR_END)).map(|row| &row.users);
    let of_groups = groups.iter().filter_map(|n| must(state.groups.row(n), NEAR_END)).map(|row| &row.members);
    let holders: Vec<&SortedSeq<ReverseEdge>> = of_roles.chain(of_groups).collect();
    let mut found = Bits::new();
    // Those for whom a window decides are read afterwards, once each and in the order of numbers, in which they are
    // stored.
    let mut windowed = Bits::new();
    for some in holders.chunks(AT_A_TIME) {
        // The rows, the first nodes and the items are seldom cached. So the processor waits for several of each at a time.
        let some: SmallVec<[_; AT_A_TIME]> = some.iter().map(|reverse_edges| reverse_edges.iter()).collect();
        some.into_iter().flatten().for_each(|reverse| {
            let set = if reverse.is_windowed() { &mut windowed } else { &mut found };
            set.insert(reverse.from());
        });
    }
    if windowed.is_empty() {
        return found;
    }
    let sources = roles.iter().map(Source::Role).chain(groups.iter().map(Source::Group));
    let column = |source| must(state.columns.column(source), "a source has a column");
    let columns: Bits = sources.filter_map(column).collect();
    windowed.subtract(&found);
    let at = when.instant();
    for user in windowed.iter() {
        if holds_within_window(state, user, &columns, when, at) {
            found.insert(user);
        }
    }
    found
}

/// Whether a user holds one of these columns within a window that is active. `at` is the instant of `when`, so that the
/// clock is read once.
fn holds_within_window(state: &State, user: u32, columns: &Bits, when: &When<'_>, at: Timestamp) -> bool {
    let is_meant = |column| columns.contains(column);
    match state.summaries.summary(user) {
        Summary::Windowed(held) => held
            .windowed()
            .fold(false, |any, (column, window)| any | (is_meant(u32::from(column)) & window.contains(at))),
        // A suspended user keeps its groups and roles, but its summary does not contain them.
        Summary::Nothing | Summary::Always(_) | Summary::Wide => {
            let row = must(state.users.row(user), NEAR_END).into_iter();
            let mut active = row.flat_map(UserRow::sources).filter(|(_, edge)| is_active(*edge, when));
            active.any(|(source, _)| state.columns.column(source).is_some_and(is_meant))
        }
    }
}

/// Those whose edge to `to` is active. A window is stored at the other end of the edge, and is read only if there is
/// one.
pub(crate) fn active<'a>(
    reverse_edges: &'a SortedSeq<ReverseEdge>,
    to: u32,
    when: &When<'_>,
    edges: impl Fn(u32) -> Option<Edges<'a>>,
) -> impl Iterator<Item = u32> {
    let edge = move |from| must(edges(from).and_then(|edges| edges.get(to)), FAR_END);
    let active = move |from| edge(from).is_some_and(|edge| is_active(edge, when));
    reverse_edges
        .iter()
        .filter(move |reverse| !reverse.is_windowed() || active(reverse.from()))
        .map(|reverse| reverse.from())
}
