//! The row cache: what a role or group gives at every instant, computed in advance (I7, I8).
//!
//! After a set of edits, the rows of what was touched are computed again. So are the rows that depend on a changed
//! row: those of roles that include it, of groups that have it, and of their subgroups. No user is visited.
//!
//! **The bound.** A row is cached if it has at most `WORDS_PER_EDGE` words for each of its own parents, roles,
//! inclusions and grants, and one more. A longer row is not cached, and checks walk instead. A chain of 100,000 groups
//! therefore costs its length and not its square. A row spans only the words between its first and last permission.

use std::collections::BTreeSet;
use std::hash::RandomState;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::edit::Touched;
use super::entity_rows::GroupRow;
use super::source::{CachedRow, Source};
use super::state::State;
use super::table::Origin;
use crate::model::graph::topological_order;
use crate::model::internal_fault::must;
use crate::model::records::Pattern;
use crate::resolver::bits::{Bits, Row as BitRow};

/// The name of the internal fault of a missing row.
pub(crate) const ROW: &str = "a row is computed after the rows that it is made of";

/// Recomputes the cached rows, after the touched roles, groups and slugs.
///
/// # Complexity
/// O(edges of what is touched and of all that depends on it), a union of one row for each. A pattern that is new costs
/// one match for each permission that begins with its literal prefix. A permission that is new costs one match for each
/// pattern whose literal prefix its slug begins with, however many permissions there are.
pub(crate) fn recompute_rows(state: &mut State, touched: &mut Touched) {
    match_new_patterns(state, touched);
    match_touched_permissions(state, touched);
    let mut changed = HashSet::new();
    for role in topological_order(touched.roles.iter().copied(), |role| state.includers(role)) {
        if touched.roles.contains(&role) || state.includes(role).any(|included| changed.contains(&included)) {
            let cached = role_row(state, role);
            if state.keep(Source::Role(role), cached) {
                changed.insert(role);
                if let Some(row) = state.roles.row(role) {
                    touched.groups.extend(row.groups.iter().map(|back| back.from()));
                }
            }
        }
    }
    recompute_groups(state, touched);
}

fn recompute_groups(state: &mut State, touched: &Touched) {
    // No row contains what is reached through a window, so no row depends on a parent through one.
    let mut changed = HashSet::new();
    for group in topological_order(touched.groups.iter().copied(), |group| subgroups_without_window(state, group)) {
        let depends = |row: &GroupRow| parents_without_window(row).any(|parent| changed.contains(&parent));
        if touched.groups.contains(&group) || state.groups.row(group).is_some_and(depends) {
            let cached = group_row(state, group);
            if state.keep(Source::Group(group), cached) {
                changed.insert(group);
            }
        }
    }
}

/// The parents of a group by links without a window.
fn parents_without_window(row: &GroupRow) -> impl Iterator<Item = u32> + '_ {
    row.parents().iter().filter(|edge| edge.window.is_always()).map(|edge| edge.to)
}

/// The subgroups of a group by links without a window.
fn subgroups_without_window(state: &State, group: u32) -> impl Iterator<Item = u32> {
    let children = state.groups.row(group).into_iter().flat_map(|row| row.children.iter());
    children.filter(|back| !back.is_windowed()).map(|back| back.from())
}

/// The matches of each pattern seen so far. Patterns come from outside, so the hash is keyed (A21).
type Patterns = HashMap<Pattern, BitRow, RandomState>;

/// The rows that another one is made of.
type Rows<'a> = SmallVec<[&'a BitRow; 8]>;

/// Matches all patterns of the roles whose patterns changed with all permissions.
fn match_new_patterns(state: &mut State, touched: &Touched) {
    let mut seen = Patterns::default();
    for number in &touched.patterns {
        let Some(role) = state.roles.row(*number).filter(|role| role.origin != Origin::RemovedFromCatalog) else {
            continue;
        };
        for pattern in &role.patterns {
            seen.entry(pattern.clone()).or_insert_with(|| BitRow::from_bits(&state.matched(pattern)));
        }
        let rows: Rows<'_> = role.patterns.iter().filter_map(|pattern| must(seen.get(pattern), ROW)).collect();
        let matched = BitRow::join(&rows, &[], usize::MAX);
        if let (Some(matched), Some(role)) = (must(matched, ROW), state.roles.row_mut(*number)) {
            role.matched = matched;
        }
    }
}

/// Matches the permissions whose slugs changed with the patterns that match a slug that was added or removed, and touches
/// the roles that have such patterns. Roles whose patterns changed have been matched with all permissions.
fn match_touched_permissions(state: &mut State, touched: &mut Touched) {
    let mut roles = BTreeSet::new();
    for slug in &touched.slugs {
        let candidates = state.pattern_index.candidates(state.roles.hashers(), slug);
        let candidates = candidates.filter(|role| !touched.patterns.contains(role));
        let unseen: BTreeSet<u32> = candidates.filter(|role| !roles.contains(role)).collect();
        roles.extend(unseen.into_iter().filter(|n| state.roles.row(*n).is_some_and(|role| role.matches(slug))));
    }
    for number in &roles {
        let Some(role) = state.roles.row(*number) else { continue };
        let mut bits = Bits::new();
        bits.union_row(&role.matched);
        for permission in &touched.permissions {
            let row = state.permissions.row(*permission).filter(|row| row.is_grantable());
            if row.is_some_and(|row| role.matches(row.record.slug.as_str())) {
                bits.insert(*permission);
            } else {
                bits.remove(*permission);
            }
        }
        if let Some(role) = state.roles.row_mut(*number) {
            role.matched = BitRow::from_bits(&bits);
        }
    }
    touched.roles.extend(roles);
}

fn role_row(state: &State, number: u32) -> CachedRow {
    let Some(role) = state.roles.row(number) else { return CachedRow::default() };
    let mut complete = true;
    let mut rows = Rows::new();
    for cached in role.includes.iter().filter_map(|included| must(state.role_rows.get(*included), ROW)) {
        rows.push(&cached.row);
        complete &= cached.complete;
    }
    let mut numbers = Vec::new();
    if role.origin != Origin::RemovedFromCatalog {
        numbers.extend(role.grants.iter().copied().filter(|n| state.permission_is_grantable(*n)));
        rows.push(&role.matched);
    }
    bound(state, &rows, &numbers, complete, role.includes.len() + role.grants.len() + role.patterns.len())
}

fn group_row(state: &State, number: u32) -> CachedRow {
    let Some(group) = state.groups.row(number) else { return CachedRow::default() };
    let mut complete = true;
    let mut rows = Rows::new();
    for (source, edge) in group.sources() {
        // An edge with a window is left out of the row, and makes the row incomplete.
        let always = edge.window.is_always().then(|| must(state.cached_row(source), ROW)).flatten();
        complete &= always.is_some_and(|cached| cached.complete);
        rows.extend(always.map(|cached| &cached.row));
    }
    bound(state, &rows, &[], complete, group.edges.len())
}

/// The union of these rows and numbers as a cached row, if it is within the bound.
fn bound(state: &State, rows: &[&BitRow], numbers: &[u32], complete: bool, edges: usize) -> CachedRow {
    match BitRow::join(rows, numbers, state.words_per_edge * (edges + 1)) {
        Some(row) => CachedRow { row, complete },
        None => CachedRow { row: BitRow::EMPTY, complete: false },
    }
}
