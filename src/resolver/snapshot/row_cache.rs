//! The kept rows: what a role or group gives at every instant, worked out ahead (I7, I8).
//!
//! After a set of edits, the rows of what was touched are worked out again, and of whatever leans on a row that came out
//! different: roles that include it, groups that hold it, their sub-groups. No user is visited.
//!
//! **The bound.** A row is kept if it has at most `WORDS_PER_EDGE` words for each of its own parents, roles,
//! inclusions and grants, and one more. Past that nothing is kept and the walk walks: a chain of 100,000 groups costs
//! its length and not its square. A row spans only the words between its first and last permission.

use std::collections::{BTreeSet, HashMap};

use smallvec::SmallVec;

use super::edit::Touched;
use super::entity_rows::{GroupRow, RoleRow};
use super::source::{CachedRow, Source};
use super::state::State;
use super::table::Origin;
use crate::model::records::Pattern;
use crate::resolver::bits::Row as BitRow;

/// Works out the kept rows again, after the touched roles, groups and slugs.
///
/// # Complexity
/// O(edges of what is touched and of all that leans on it), a union of rows each; patterns cost one match for each
/// permission that begins with their literal prefix.
pub(crate) fn recompute_rows(state: &mut State, touched: &mut Touched) {
    touch_patterned(state, touched);
    let mut patterns = HashMap::new();
    let affected = closure(&touched.roles, |role, visit| {
        if let Some(row) = state.roles.row(role) {
            row.included_by.iter().for_each(|n| visit(*n));
        }
    });
    let order = in_order(&affected, |role, visit| {
        if let Some(row) = state.roles.row(role) {
            row.includes.iter().for_each(|n| visit(*n));
        }
    });
    let mut changed = BTreeSet::new();
    for role in order {
        let leans = |row: &RoleRow| row.includes.iter().any(|n| changed.contains(n));
        if touched.roles.contains(&role) || state.roles.row(role).is_some_and(leans) {
            let cached = role_row(state, role, &mut patterns);
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
    // What has a window is in no row, so no row leans on a parent through one.
    let affected = closure(&touched.groups, |group, visit| {
        if let Some(row) = state.groups.row(group) {
            row.children.iter().filter(|back| !back.is_windowed()).for_each(|back| visit(back.from()));
        }
    });
    let order = in_order(&affected, |group, visit| {
        if let Some(row) = state.groups.row(group) {
            steady_parents(row).for_each(visit);
        }
    });
    let mut changed = BTreeSet::new();
    for group in order {
        let leans = |row: &GroupRow| steady_parents(row).any(|n| changed.contains(&n));
        if touched.groups.contains(&group) || state.groups.row(group).is_some_and(leans) {
            let cached = group_row(state, group);
            if state.keep(Source::Group(group), cached) {
                changed.insert(group);
            }
        }
    }
}

/// The parents of a group by links that always count.
fn steady_parents(row: &GroupRow) -> impl Iterator<Item = u32> + '_ {
    row.parents().iter().filter(|edge| edge.window.is_always()).map(|edge| edge.to)
}

/// The rows that one is made of.
type Rows<'a> = SmallVec<[&'a BitRow; 8]>;

/// Roles whose patterns match a slug that came or went.
fn touch_patterned(state: &State, touched: &mut Touched) {
    for slug in &touched.slugs {
        touched.roles.extend(state.roles_matching(slug));
    }
}

fn role_row(state: &State, number: u32, patterns: &mut HashMap<Pattern, BitRow>) -> CachedRow {
    let Some(role) = state.roles.row(number) else { return CachedRow::default() };
    let mut complete = true;
    let mut rows = Rows::new();
    for cached in role.includes.iter().filter_map(|included| state.role_rows.get(*included)) {
        rows.push(&cached.row);
        complete &= cached.complete;
    }
    let mut numbers = Vec::new();
    if role.origin != Origin::RemovedFromCatalog {
        numbers.extend(role.grants.iter().copied().filter(|n| state.permission_counts(*n)));
        for pattern in &role.patterns {
            patterns.entry(pattern.clone()).or_insert_with(|| BitRow::from_bits(&state.matched(pattern)));
        }
        rows.extend(role.patterns.iter().filter_map(|pattern| patterns.get(pattern)));
    }
    bound(state, &rows, &numbers, complete, role.includes.len() + role.grants.len() + role.patterns.len())
}

fn group_row(state: &State, number: u32) -> CachedRow {
    let Some(group) = state.groups.row(number) else { return CachedRow::default() };
    let mut complete = true;
    let mut rows = Rows::new();
    for (source, edge) in group.sources() {
        match state.cached_row(source) {
            Some(cached) if edge.window.is_always() => {
                rows.push(&cached.row);
                complete &= cached.complete;
            }
            // What has a window is not in the row, so the row cannot be all.
            _ => complete = false,
        }
    }
    bound(state, &rows, &[], complete, group.edges.len())
}

/// These rows and numbers as one row, if it is within the bound.
fn bound(state: &State, rows: &[&BitRow], numbers: &[u32], complete: bool, edges: usize) -> CachedRow {
    match BitRow::join(rows, numbers, state.words_per_edge * (edges + 1)) {
        Some(row) => CachedRow { row, complete },
        None => CachedRow { row: BitRow::EMPTY, complete: false },
    }
}

/// All that is reached from these, themselves included, ascending.
fn closure(from: &BTreeSet<u32>, next: impl Fn(u32, &mut dyn FnMut(u32))) -> Vec<u32> {
    let mut reached = from.clone();
    let mut todo: Vec<u32> = from.iter().copied().collect();
    while let Some(node) = todo.pop() {
        next(node, &mut |to| {
            if reached.insert(to) {
                todo.push(to);
            }
        });
    }
    reached.into_iter().collect()
}

/// The same, each after all those among them that it depends on. There is no cycle (I3), so each gets its turn.
fn in_order(nodes: &[u32], depends: impl Fn(u32, &mut dyn FnMut(u32))) -> Vec<u32> {
    // By their places in `nodes`: who is depended on, and by whom; and on how many each waits.
    let mut leaners: Vec<(usize, usize)> = Vec::new();
    let mut waiting = vec![0_u32; nodes.len()];
    for ((at, node), count) in nodes.iter().enumerate().zip(&mut waiting) {
        depends(*node, &mut |on| {
            if let Ok(on) = nodes.binary_search(&on) {
                leaners.push((on, at));
                *count += 1;
            }
        });
    }
    leaners.sort_unstable();
    let mut order: Vec<usize> = (0..).zip(&waiting).filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
    let mut done = 0;
    while let Some(node) = order.get(done).copied() {
        done += 1;
        let first = leaners.partition_point(|(on, _)| *on < node);
        for (_, leaner) in leaners.iter().skip(first).take_while(|(on, _)| *on == node) {
            if let Some(count) = waiting.get_mut(*leaner) {
                *count -= 1;
                if *count == 0 {
                    order.push(*leaner);
                }
            }
        }
    }
    order.into_iter().filter_map(|at| nodes.get(at).copied()).collect()
}
