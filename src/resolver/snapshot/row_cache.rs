//! The row cache: the permissions that a role or group gives at every instant, computed in advance (I7, I8).
//!
//! After a set of edits, the rows of what was touched are computed again. So are the rows that depend on a changed
//! row: those of roles that include it, of groups that have it, and of their subgroups. No user is visited.
//!
//! **The bound.** A row is cached if it is within the bound of its own edges or the tenant's budget (`RowBound`). Another
//! row is not cached, and checks walk instead. A chain of 100,000 groups therefore costs its length and not its square. A
//! row spans only the words between its first and last permission.

use std::collections::BTreeSet;
use std::hash::RandomState;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::edge::NEAR_END;
use super::edit::Touched;
use super::source::{CachedRow, Ever, Given, Source};
use super::state::State;
use super::table::Origin;
use crate::model::graph::topological_order;
use crate::model::internal_fault::must;
use crate::model::records::Pattern;
use crate::resolver::bits::{BitRow, Bits};

/// The name of the internal fault of a missing row.
pub(crate) const ROW: &str = "a row is computed after the rows that it is made of";

#[cfg(test)]
thread_local! {
    /// How many rows this thread has computed.
    pub(crate) static ROWS_RECOMPUTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Recomputes the cached rows, after the touched roles, groups and slugs.
///
/// # Complexity
/// O(edges of what is touched and of all that depends on it), a union of one row for each. A pattern that is new costs
/// one match for each permission that begins with its literal prefix. A permission that is new costs one match for each
/// pattern whose literal prefix its slug begins with, however many permissions there are.
pub(crate) fn recompute_rows(state: &mut State, touched: &mut Touched) {
    match_new_patterns(state, touched);
    match_touched_permissions(state, touched);
    count_grantable(state, touched.permissions.iter().copied());
    let mut changed = HashSet::new();
    for role in topological_order(touched.roles.iter().copied(), |role| state.includers(role)) {
        if touched.roles.contains(&role) || state.includes(role).any(|included| changed.contains(&included)) {
            let cached = role_row(state, role);
            if state.keep(Source::Role(role), cached) {
                changed.insert(role);
                if let Some(row) = state.roles.row(role) {
                    touched.groups.extend(row.groups.iter().map(|reverse| reverse.from()));
                }
            }
        }
    }
    recompute_groups(state, touched);
    release_columns(state, touched);
}

/// Frees the columns of groups and roles that were deleted.
fn release_columns(state: &mut State, touched: &Touched) {
    let groups = touched.groups.iter().map(|n| (Source::Group(*n), state.groups.row(*n).is_none()));
    let roles = touched.roles.iter().map(|n| (Source::Role(*n), state.roles.row(*n).is_none()));
    let deleted: Vec<Source> = groups.chain(roles).filter(|(_, deleted)| *deleted).map(|(source, _)| source).collect();
    for source in deleted {
        if state.columns.column(source).is_some() {
            state.columns.release(source);
        }
    }
}

fn recompute_groups(state: &mut State, touched: &Touched) {
    let mut changed = HashSet::new();
    for group in topological_order(touched.groups.iter().copied(), |group| state.subgroups(group)) {
        if touched.groups.contains(&group) || state.parents(group).any(|parent| changed.contains(&parent)) {
            let cached = group_row(state, group);
            if state.keep(Source::Group(group), cached) {
                changed.insert(group);
            }
        }
    }
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
        if let (Some(matched), Some(role)) = (must(matched, ROW), must(state.roles.row_mut(*number), NEAR_END)) {
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
        let Some(role) = must(state.roles.row(*number), NEAR_END) else { continue };
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
        if let Some(role) = must(state.roles.row_mut(*number), NEAR_END) {
            role.matched = BitRow::from_bits(&bits);
        }
    }
    touched.roles.extend(roles);
}

/// Updates what can be granted, and with it the columns of all that give it.
pub(crate) fn count_grantable(state: &mut State, permissions: impl Iterator<Item = u32>) {
    let (mut bits, mut changed) = (Bits::new(), Vec::new());
    bits.union_row(&state.grantable);
    for permission in permissions {
        let can_be = state.permission_is_grantable(permission);
        if bits.contains(permission) == can_be {
            continue;
        }
        changed.push(permission);
        if can_be {
            bits.insert(permission);
        } else {
            bits.remove(permission);
        }
    }
    if !changed.is_empty() {
        state.grantable = BitRow::from_bits(&bits);
        state.columns.flip_for_all(&changed);
    }
}

fn role_row(state: &State, number: u32) -> CachedRow {
    let Some(role) = state.roles.row(number) else { return CachedRow::default() };
    let mut parts = Parts::default();
    for cached in role.includes.iter().filter_map(|included| must(state.role_rows.get(*included), ROW)) {
        parts.add(cached, true);
    }
    let mut numbers = Vec::new();
    if role.origin != Origin::RemovedFromCatalog {
        numbers.extend(role.grants.iter().copied().filter(|n| state.permission_is_grantable(*n)));
        if role.patterns.iter().any(|pattern| pattern.as_str() == ALL) {
            (parts.always.all, parts.ever.all) = (true, true);
        } else {
            parts.always.rows.push(&role.matched);
            parts.ever.rows.push(&role.matched);
        }
    }
    let edges = role.includes.len() + role.grants.len() + role.patterns.len();
    parts.join(state, Source::Role(number), &numbers, edges)
}

fn group_row(state: &State, number: u32) -> CachedRow {
    let Some(group) = state.groups.row(number) else { return CachedRow::default() };
    let mut parts = Parts::default();
    for (source, edge) in group.sources() {
        if let Some(cached) = must(state.cached_row(source), ROW) {
            parts.add(cached, edge.window.is_always());
        }
    }
    parts.join(state, Source::Group(number), &[], group.edges.len())
}

/// The pattern that matches everything.
const ALL: &str = "*";

/// Rows to be joined.
#[derive(Default)]
struct Union<'a> {
    rows: Rows<'a>,
    /// Whether one of them is everything that can be granted.
    all: bool,
}

impl<'a> Union<'a> {
    fn add(&mut self, given: &'a Given) {
        match given {
            Given::All => self.all = true,
            Given::These(row) => self.rows.push(row),
        }
    }

    /// The union of these rows and numbers, or `None` if it has more than `most` words.
    fn join(&self, numbers: &[u32], most: usize) -> Option<Given> {
        if self.all { Some(Given::All) } else { BitRow::join(&self.rows, numbers, most).map(Given::These) }
    }
}

/// The parts of a row.
#[derive(Default)]
struct Parts<'a> {
    always: Union<'a>,
    ever: Union<'a>,
    /// Whether something is not known about one of them, or one of them is there only at some instants.
    is_unknown: bool,
    is_windowed: bool,
}

impl<'a> Parts<'a> {
    /// Adds the permissions that a source gives, at every instant or only within a window.
    fn add(&mut self, cached: &'a CachedRow, always: bool) {
        if always {
            self.always.add(&cached.always);
        }
        self.is_windowed |= !always || cached.is_incomplete();
        match cached.ever() {
            Some(ever) => self.ever.add(ever),
            None => self.is_unknown = true,
        }
    }

    /// The union of the parts and of these numbers, as far as it is within the bound.
    fn join(&self, state: &State, source: Source, numbers: &[u32], edges: usize) -> CachedRow {
        #[cfg(test)]
        ROWS_RECOMPUTED.set(ROWS_RECOMPUTED.get() + 1);
        let own = state.bound.per_edge * (edges + 1);
        let before = state.cached_row(source).map_or(0, |cached| cached.extra);
        let budget = state.bound.extra.saturating_sub(state.extra_words.saturating_sub(before)) as usize;
        let mut row = CachedRow::UNKNOWN;
        let Some(always) = self.always.join(numbers, own + budget) else { return row };
        let extra = always.word_count().saturating_sub(own);
        row.ever = if self.is_unknown {
            Ever::Unknown
        } else if self.is_windowed {
            match self.ever.join(numbers, own + (budget - extra)) {
                Some(ever) if ever == always => Ever::Same,
                Some(ever) => Ever::More(ever),
                None => Ever::Unknown,
            }
        } else {
            Ever::Same
        };
        let more = if let Ever::More(ever) = &row.ever { ever.word_count().saturating_sub(own) } else { 0 };
        row.extra = u32::try_from(extra + more).unwrap_or(u32::MAX);
        row.always = always;
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::snapshot::state::RowBound;
    use crate::resolver::snapshot::table::Hashers;

    /// Both rows of a source are beyond its own bound, which is none.
    #[test]
    fn both_rows_of_a_source_share_the_budget() {
        let row = |numbers: &[u32]| BitRow::from_bits(&numbers.iter().copied().collect());
        let (always, ever) = (row(&[0, 64]), row(&[0, 64, 128]));
        let joined = |extra| {
            let bound = RowBound { per_edge: 0, extra };
            let state = State { bound, ..State::new(&Hashers::new(&RandomState::new())) };
            let mut parts = Parts { is_windowed: true, ..Parts::default() };
            parts.always.rows.push(&always);
            parts.ever.rows.push(&ever);
            parts.join(&state, Source::Group(0), &[], 0)
        };
        let more = Ever::More(Given::These(ever.clone()));
        assert_eq!(joined(1), CachedRow::UNKNOWN);
        let row = |ever, extra| CachedRow { always: Given::These(always.clone()), ever, extra };
        assert_eq!([joined(4), joined(5)], [row(Ever::Unknown, 2), row(more, 5)]);
    }
}
