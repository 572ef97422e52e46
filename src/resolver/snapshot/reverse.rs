//! The reverse walk: from permissions and roles down to groups and users.
//!
//! It shares nothing with the forward walk except the edges. Tests compare the two.

use super::edge::{FAR_END, NEAR_END, ReverseEdge};
use super::edges::Edges;
use super::source::Source;
use super::state::State;
use super::user_summaries::Summary;
use super::walk::is_active;
use crate::model::clock::When;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::resolver::bits::Bits;
use crate::resolver::tables::sorted_seq::SortedSeq;

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
    let mut users = Bits::new();
    for (number, role) in roles.iter().filter_map(|n| must(state.roles.row(n), NEAR_END).map(|row| (n, row))) {
        users_by(state, &role.users, Source::Role(number), when, &mut users);
    }
    for (number, group) in groups.iter().filter_map(|n| must(state.groups.row(n), NEAR_END).map(|row| (n, row))) {
        users_by(state, &group.members, Source::Group(number), when, &mut users);
    }
    users
}

/// Adds the users who hold a source at an instant. A user's summary has its windows, and is half as far as its row.
fn users_by(state: &State, backs: &SortedSeq<ReverseEdge>, source: Source, when: &When<'_>, users: &mut Bits) {
    let Some(column) = must(state.columns.column(source), "a source has a column") else { return };
    let by_row = |user| {
        // A suspended user holds what it has; its summary does not say so.
        let row = state.users.row(user);
        row.is_some_and(|row| row.sources().any(|(other, edge)| other == source && is_active(edge, when)))
    };
    for back in backs.iter() {
        let user = back.from();
        let holds = !back.is_windowed()
            || match state.summaries.summary(user) {
                Summary::Windowed(held) => held.windowed().fold(false, |any, (other, window)| {
                    any | (u32::from(other) == column && window.contains(when.instant()))
                }),
                Summary::Nothing | Summary::Always(_) | Summary::Wide => by_row(user),
            };
        if holds {
            users.insert(user);
        }
    }
}

/// Those whose edge to `to` is active. A window is stored at the other end of the edge, and is read only if there is
/// one.
pub(crate) fn active<'a>(
    backs: &'a SortedSeq<ReverseEdge>,
    to: u32,
    when: &When<'_>,
    edges: impl Fn(u32) -> Option<Edges<'a>>,
) -> impl Iterator<Item = u32> {
    let edge = move |from| must(edges(from).and_then(|edges| edges.get(to)), FAR_END);
    let active = move |from| edge(from).is_some_and(|edge| is_active(edge, when));
    backs.iter().filter(move |back| !back.is_windowed() || active(back.from())).map(|back| back.from())
}
