//! The rights that users, groups and roles have over time, before and after a transaction, for the guard (R13).
//!
//! A right is the content of a grant: a permission by name, or a pattern. A node of the graph of groups and roles has
//! the rights of everything above it, at the instants of the windows on the way. After the transaction, only the rights
//! that the actor lacks matter. They are found first and are usually none, so nothing else is read.
//!
//! Each node is computed once, from those above it. Nothing recurses. Deliberately absent: cached rows, which have
//! permissions and not patterns; and changes, which `plan/guard.rs` reads.

use std::collections::HashMap as RandomHashMap;

use hashbrown::HashMap;

use super::edge::NEAR_END;
use super::entity_rows::{GroupRow, RoleRow, UserRow};
use super::source::Source;
use super::state::State;
use super::table::Origin;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::{Pattern, Timestamp, Window, WindowSet};
use crate::resolver::bits::Bits;
use crate::resolver::timeline::Timeline;

/// The content of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Right {
    /// A permission that can be granted, under its slug after the transaction.
    Permission(u32),
    /// A permission that could be granted before, under another slug than after.
    FormerPermission(u32),
    /// A permission that the catalog lacks, or whose slug is in conflict (R9). Nobody holds it.
    UnavailablePermission(u32),
    Pattern(Pattern),
    /// A role that the catalog lacks. Nobody holds what it would grant.
    UnavailableRole(u32),
}

impl Right {
    fn is_available(&self) -> bool {
        match self {
            Self::Permission(_) | Self::FormerPermission(_) | Self::Pattern(_) => true,
            Self::UnavailablePermission(_) | Self::UnavailableRole(_) => false,
        }
    }
}

/// An entity that can gain a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gainer {
    User(u32),
    Group(u32),
    Role(u32),
}

/// The rights before and after a transaction, and those that its actor lacks, at each instant from the transaction on.
#[derive(Debug)]
pub(crate) struct Rights<'a> {
    before: &'a State,
    after: &'a State,
    from: Timestamp,
    /// Every right met so far has a number. Patterns come from outside, so the hash has a random key.
    numbered: Vec<Right>,
    numbers: RandomHashMap<Right, u32>,
    /// Which of the numbers are patterns.
    patterns: Bits,
    actor: Option<u32>,
    /// The rights of the actor before the transaction, once they were needed.
    held_by_actor: Option<Timeline>,
    /// When the actor lacks each right that was asked for.
    lacks: HashMap<u32, WindowSet>,
    held_before: HashMap<Source, Timeline>,
    lacking_after: HashMap<Source, Timeline>,
}

impl<'a> Rights<'a> {
    /// The rights around a transaction of this actor, a user of the state before it. Without an actor, nobody holds
    /// anything.
    pub(crate) fn new(before: &'a State, after: &'a State, from: Timestamp, actor: Option<u32>) -> Self {
        Self {
            before,
            after,
            from,
            numbered: Vec::new(),
            numbers: RandomHashMap::new(),
            patterns: Bits::new(),
            actor,
            held_by_actor: None,
            lacks: HashMap::new(),
            held_before: HashMap::new(),
            lacking_after: HashMap::new(),
        }
    }

    pub(crate) fn right(&self, number: u32) -> Option<&Right> {
        self.numbered.get(number as usize)
    }

    /// The rights to which an edge leads after the transaction, during its window, and that the actor lacks.
    ///
    /// # Complexity
    /// O(groups and roles above, their relations and grants) that were not asked for before. A right that is met for
    /// the first time is matched with each pattern of the actor. The first one costs a walk over the actor's groups and
    /// roles.
    pub(crate) fn lacking_over(&mut self, to: Source, during: Window) -> Timeline {
        let mut lacking = Timeline::new(self.from);
        self.fill_lacking(to);
        if let Some(of) = must(self.lacking_after.get(&to), FILLED) {
            lacking.add(of, during);
        }
        lacking
    }

    /// When the actor lacks one right.
    pub(crate) fn lacking_right(&mut self, right: Right) -> Timeline {
        let mut lacking = Timeline::new(self.from);
        let number = self.number(right);
        lacking.insert(number, self.lacks(number));
        lacking
    }

    /// The right that a role has by granting a permission by name after the transaction.
    pub(crate) fn by_name(&self, permission: u32) -> Right {
        if self.after.permission_is_grantable(permission) {
            Right::Permission(permission)
        } else {
            Right::UnavailablePermission(permission)
        }
    }

    /// Whether a permission gives something after the transaction that it did not give before to those who had it by
    /// name.
    pub(crate) fn is_new_by_name(&self, permission: u32) -> bool {
        self.after.permissions.row(permission).is_some() && self.by_name_before(permission) != self.by_name(permission)
    }

    fn by_name_before(&self, permission: u32) -> Right {
        let slug = |state: &'a State| state.permissions.row(permission).map(|row| &row.record.slug);
        match (self.before.permission_is_grantable(permission), self.after.permission_is_grantable(permission)) {
            (true, true) if slug(self.before) == slug(self.after) => Right::Permission(permission),
            (false, false) => Right::UnavailablePermission(permission),
            _ => Right::FormerPermission(permission),
        }
    }

    /// The rights that one of these holds or passes on before the transaction, suspended or not.
    pub(crate) fn before(&mut self, gainer: Gainer) -> Timeline {
        let source = match gainer {
            Gainer::Group(number) => Source::Group(number),
            Gainer::Role(number) => Source::Role(number),
            Gainer::User(number) => {
                let mut all = Timeline::new(self.from);
                let before = self.before;
                for (source, edge) in before.users.row(number).into_iter().flat_map(UserRow::sources) {
                    self.fill_before(source);
                    if let Some(of) = must(self.held_before.get(&source), FILLED) {
                        all.add(of, edge.window);
                    }
                }
                return all;
            }
        };
        let exists = match gainer {
            Gainer::Group(number) => self.before.groups.row(number).is_some(),
            Gainer::Role(number) => self.before.roles.row(number).is_some(),
            Gainer::User(_) => true,
        };
        if !exists {
            return Timeline::new(self.from);
        }
        self.fill_before(source);
        must(self.held_before.get(&source).cloned(), FILLED).unwrap_or_else(|| Timeline::new(self.from))
    }

    /// The instants at which none of these rights covers another one.
    pub(crate) fn uncovered(&self, number: u32, during: Window, by: &Timeline) -> impl Iterator<Item = Window> {
        let steps = by.steps().filter(|(_, held)| !held.contains(number) && !self.is_covered(number, held));
        steps.filter_map(|(window, _)| window.intersection(during)).collect::<Vec<_>>().into_iter()
    }

    /// Whether one of the patterns among these rights covers a right. No pattern covers a right that nobody can hold.
    fn is_covered(&self, number: u32, held: &Bits) -> bool {
        let Some(right) = must(self.right(number), NUMBERED) else { return false };
        let mut patterns = self.patterns.clone();
        patterns.intersect_with(held);
        patterns.iter().any(|pattern| match (self.right(pattern), right) {
            (Some(Right::Pattern(pattern)), Right::Permission(permission)) => {
                pattern.matches(self.after.permissions.name_at(*permission))
            }
            (Some(Right::Pattern(pattern)), Right::Pattern(other)) => pattern.covers(other),
            _ => false,
        })
    }

    fn lacks(&mut self, number: u32) -> &WindowSet {
        if !self.lacks.contains_key(&number) {
            let held = self.held_by_actor.take().unwrap_or_else(|| match self.actor {
                Some(actor) => self.before(Gainer::User(actor)),
                None => Timeline::new(self.from),
            });
            let windows = match must(self.right(number), NUMBERED) {
                Some(right) if right.is_available() => self.uncovered(number, Window::ALWAYS, &held).collect(),
                _ => WindowSet::always(),
            };
            self.held_by_actor = Some(held);
            self.lacks.insert(number, windows);
        }
        self.lacks.entry(number).or_insert_with(WindowSet::always)
    }

    fn number(&mut self, right: Right) -> u32 {
        if let Some(number) = self.numbers.get(&right) {
            return *number;
        }
        let number = must(u32::try_from(self.numbered.len()).ok(), NUMBERED).unwrap_or_default();
        if matches!(right, Right::Pattern(_)) {
            self.patterns.insert(number);
        }
        self.numbered.push(right.clone());
        self.numbers.insert(right, number);
        number
    }

    fn fill_before(&mut self, source: Source) {
        let (state, from) = (self.before, self.from);
        for (node, above) in missing(state, from, source, &self.held_before) {
            let own = own_rights(state, node, |permission| self.by_name_before(permission));
            let own = own.into_iter().map(|right| self.number(right)).collect();
            let timeline = joined(Timeline::always(from, own), above, &self.held_before);
            self.held_before.insert(node, timeline);
        }
    }

    fn fill_lacking(&mut self, source: Source) {
        let (state, from) = (self.after, self.from);
        for (node, above) in missing(state, from, source, &self.lacking_after) {
            let mut lacking = Timeline::new(from);
            for right in own_rights(state, node, |permission| self.by_name(permission)) {
                let number = self.number(right);
                lacking.insert(number, self.lacks(number));
            }
            let timeline = joined(lacking, above, &self.lacking_after);
            self.lacking_after.insert(node, timeline);
        }
    }
}

const FILLED: &str = "the rights of a node are computed after those of the nodes above it";
const NUMBERED: &str = "every right has a number";

type EdgesAbove = Vec<(Source, Window)>;

/// The nodes to be computed for a node, each after those above it, with the edges to these.
fn missing(
    state: &State,
    from: Timestamp,
    node: Source,
    known: &HashMap<Source, Timeline>,
) -> Vec<(Source, EdgesAbove)> {
    if known.contains_key(&node) {
        return Vec::new();
    }
    let order = graph::topological_order([node], |node| {
        let above = if known.contains_key(&node) { Vec::new() } else { above(state, from, node) };
        above.into_iter().map(|(source, _)| source)
    });
    let unknown = order.into_iter().rev().filter(|node| !known.contains_key(node));
    unknown.map(|node| (node, above(state, from, node))).collect()
}

/// The edges that leave a node and have not ended.
fn above(state: &State, from: Timestamp, node: Source) -> EdgesAbove {
    match node {
        Source::Group(number) => {
            let edges = must(state.groups.row(number), NEAR_END).into_iter().flat_map(GroupRow::sources);
            edges.map(|(to, edge)| (to, edge.window)).filter(|(_, window)| !window.has_ended(from)).collect()
        }
        Source::Role(number) => {
            let role = must(state.roles.row(number), NEAR_END).into_iter();
            role.flat_map(|role| role.includes.iter()).map(|to| (Source::Role(*to), Window::ALWAYS)).collect()
        }
    }
}

fn joined(mut own: Timeline, above: EdgesAbove, known: &HashMap<Source, Timeline>) -> Timeline {
    for (to, window) in above {
        if let Some(of) = must(known.get(&to), FILLED) {
            own.add(of, window);
        }
    }
    own
}

/// The node's own grants.
fn own_rights(state: &State, node: Source, by_name: impl Fn(u32) -> Right) -> Vec<Right> {
    let Source::Role(number) = node else { return Vec::new() };
    let Some(role): Option<&RoleRow> = must(state.roles.row(number), NEAR_END) else { return Vec::new() };
    let unavailable = (role.origin == Origin::RemovedFromCatalog).then_some(Right::UnavailableRole(number));
    let by_name = role.grants.iter().map(|permission| by_name(*permission));
    by_name.chain(role.patterns.iter().cloned().map(Right::Pattern)).chain(unavailable).collect()
}
