//! The walk the other way: from permissions and roles down to groups and users. Who can, who holds, who is in.
//!
//! It shares nothing with the forward walk but the edges, and tests hold the two against each other.

use super::edges::Edges;
use super::nouns::{Back, UserRow};
use super::state::State;
use super::walk::counts;
use crate::bits::Bits;
use crate::clock::When;

/// The roles that give a permission: by name, by pattern, or by including one that does.
pub(crate) fn roles_giving(state: &State, permission: u32) -> Bits {
    let Some(row) = state.permissions.row(permission) else { return Bits::new() };
    if !state.permission_counts(permission) {
        return Bits::new();
    }
    let mut roles: Bits = row.granted_by.iter().copied().collect();
    let matches = |role: &&u32| state.roles.row(**role).is_some_and(|r| r.matches(row.record.slug.as_str()));
    for role in state.patterned.iter().filter(matches) {
        roles.insert(*role);
    }
    with_includers(state, roles)
}

/// These roles and all that include them.
pub(crate) fn with_includers(state: &State, roles: Bits) -> Bits {
    closure(roles, |role, visit| {
        if let Some(row) = state.roles.row(role) {
            row.included_by.iter().for_each(|n| visit(*n));
        }
    })
}

/// The groups that have one of these roles at an instant, and all their sub-groups.
pub(crate) fn groups_having(state: &State, roles: &Bits, when: &When<'_>) -> Bits {
    let mut groups = Bits::new();
    for role in roles.iter() {
        for back in state.roles.row(role).into_iter().flat_map(|row| row.groups.iter()) {
            let edges = state.groups.row(back.from()).map(|group| Edges::from(&group.roles));
            if back_counts(*back, role, edges, when) {
                groups.insert(back.from());
            }
        }
    }
    with_subgroups(state, groups)
}

/// These groups and all their sub-groups.
pub(crate) fn with_subgroups(state: &State, groups: Bits) -> Bits {
    closure(groups, |group, visit| {
        if let Some(row) = state.groups.row(group) {
            row.children.iter().for_each(|n| visit(*n));
        }
    })
}

/// The users that hold one of these roles directly, or are members of one of these groups, at an instant.
pub(crate) fn users_of(state: &State, roles: &Bits, groups: &Bits, when: &When<'_>) -> Bits {
    let mut users = Bits::new();
    for role in roles.iter() {
        for back in state.roles.row(role).into_iter().flat_map(|row| row.users.iter()) {
            if back_counts(*back, role, state.users.row(back.from()).map(UserRow::roles), when) {
                users.insert(back.from());
            }
        }
    }
    for group in groups.iter() {
        for back in state.groups.row(group).into_iter().flat_map(|row| row.members.iter()) {
            if back_counts(*back, group, state.users.row(back.from()).map(UserRow::groups), when) {
                users.insert(back.from());
            }
        }
    }
    users
}

/// Whether the edge whose far end this is counts. Its window is kept at the near end.
fn back_counts(back: Back, to: u32, edges: Option<Edges<'_>>, when: &When<'_>) -> bool {
    let edge = || edges.and_then(|edges| edges.get(to));
    !back.is_windowed() || edge().is_some_and(|edge| counts(edge, when))
}

fn closure(from: Bits, next: impl Fn(u32, &mut dyn FnMut(u32))) -> Bits {
    let mut todo: Vec<u32> = from.iter().collect();
    let mut reached = from;
    while let Some(node) = todo.pop() {
        next(node, &mut |to| {
            if reached.insert(to) {
                todo.push(to);
            }
        });
    }
    reached
}
