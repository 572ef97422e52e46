//! Checks the relations of a document: each reference has a target, occurs once in its list, and closes no cycle.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::{Output, RecordBuilder};
use crate::document::entry::Entry;
use crate::document::ids::Named;
use crate::document::mistakes::{JsonPointer, Mistakes};
use crate::document::shape::{Group, Holding, Role, User};
use crate::document::targets::Targets;
use crate::model::error::{CycleNames, MistakeCode, Quoted};
use crate::model::graph::each_cycle;
use crate::model::records::{
    Assignment, Grant, Granted, Holder, Inclusion, Membership, ParentLink, Pattern, Record, RoleRef, Timestamp, Window,
};
use crate::resolver::tables::counting_sort::counting_sort;

impl RecordBuilder<'_> {
    pub(super) fn grants(&mut self) {
        let Self { data, mistakes, records, permissions, roles, .. } = self;
        for (at, entry) in data.roles.iter().enumerate() {
            let (place, mut patterns) = (JsonPointer::entry(Role::LIST, at), HashSet::new());
            permissions.begin();
            for (n, text) in entry.permissions.iter().enumerate() {
                let place = place.part("permissions", n);
                let granted = if Pattern::is_meant(text) {
                    if !patterns.insert(text) {
                        mistakes.add(place, MistakeCode::DuplicateReference, || {
                            format!("pattern {} is listed twice", Quoted(text))
                        });
                    }
                    mistakes.check(place, Pattern::new(text)).map(Granted::Pattern)
                } else {
                    permissions.take(text, place, mistakes).map(|(_, target)| Granted::Permission(target))
                };
                let role = roles.own_at(at).map(RoleRef::id);
                records.extend(role.zip(granted).map(|(role, granted)| Record::Grant(Grant { role, granted })));
            }
        }
    }

    pub(super) fn inclusions(&mut self) {
        let Self { data, mistakes, records, roles, .. } = self;
        let mut graph = Vec::with_capacity(data.roles.len());
        for (at, entry) in data.roles.iter().enumerate() {
            let mut out: Vec<Link> = Vec::new();
            roles.begin();
            for (n, text) in entry.includes.iter().enumerate() {
                let Some((slot, included)) =
                    roles.take(text, JsonPointer::entry(Role::LIST, at).part("includes", n), mistakes)
                else {
                    continue;
                };
                out.extend(roles.entry_of(slot).map(|to| (to, n)));
                let role = roles.own_at(at).map(RoleRef::id);
                records.extend(role.map(|role| Record::Inclusion(Inclusion { role, included })));
            }
            graph.push(out);
        }
        acyclic(roles, &graph, Role::LIST, "includes", mistakes);
    }

    pub(super) fn parents(&mut self) {
        let Self { data, mistakes, records, groups, .. } = self;
        let mut graph = Vec::with_capacity(data.groups.len());
        for (at, entry) in data.groups.iter().enumerate() {
            let mut out: Vec<Link> = Vec::new();
            groups.begin();
            for (n, link) in entry.parents.iter().enumerate() {
                let place = JsonPointer::entry(Group::LIST, at).part("parents", n);
                let target = groups.take_own(&link.group, place.name(link.plain, "group"), mistakes);
                let window = window(link.from.as_deref(), link.until.as_deref(), place, mistakes);
                let Some((to, parent)) = target else { continue };
                out.push((to, n));
                let edge = groups.own_at(at).copied().zip(window);
                records.extend(edge.map(|(group, window)| Record::Parent(ParentLink { group, parent, window })));
            }
            graph.push(out);
        }
        acyclic(groups, &graph, Group::LIST, "parents", mistakes);
    }

    pub(super) fn assignments(&mut self) {
        for (at, entry) in self.data.groups.iter().enumerate() {
            let holder = self.groups.own_at(at).map(|id| Holder::Group(*id));
            self.assigned(&entry.roles, holder, JsonPointer::entry(Group::LIST, at));
        }
        for (at, entry) in self.data.users.iter().enumerate() {
            let holder = self.users.own_at(at).map(|id| Holder::User(*id));
            self.assigned(&entry.roles, holder, JsonPointer::entry(User::LIST, at));
        }
    }

    fn assigned(&mut self, holdings: &[Entry<Holding>], holder: Option<Holder>, entry: JsonPointer) {
        let Self { mistakes, records, roles, .. } = self;
        roles.begin();
        for (n, holding) in holdings.iter().enumerate() {
            let place = entry.part("roles", n);
            let target = roles.take(&holding.role, place.name(holding.plain, "role"), mistakes);
            let window = window(holding.from.as_deref(), holding.until.as_deref(), place, mistakes);
            if let (Some((_, role)), Some(holder), Some(window)) = (target, holder, window) {
                records.push(Record::Assignment(Assignment { role, holder, window }));
            }
        }
    }

    /// A document lists memberships by group. The records are ordered by user, so that loading them looks up each user
    /// once and not once per group.
    pub(super) fn memberships(&mut self) {
        let Self { data, mistakes, records, groups, users, group_numbers, user_numbers, .. } = self;
        let mut joined = Vec::new();
        for (at, entry) in data.groups.iter().enumerate() {
            users.begin();
            let number = group_numbers.get(at).copied().flatten();
            if let Output::Difference(difference) = records {
                difference.begin_members(number);
            }
            for (n, member) in entry.members.iter().enumerate() {
                let place = JsonPointer::entry(Group::LIST, at).part("members", n);
                let target = users.take_own(&member.user, place.name(member.plain, "user"), mistakes);
                let window = window(member.from.as_deref(), member.until.as_deref(), place, mistakes);
                if let (Some((user, _)), Some(window)) = (target, window) {
                    if let Output::Difference(difference) = records {
                        let user = user_numbers.get(user).copied().flatten();
                        if window.is_always() && difference.has_member(user, number) {
                            continue;
                        }
                    }
                    joined.push(Joined { user, group: at, window });
                }
            }
        }
        for Joined { user, group, window } in counting_sort(joined, data.users.len(), |one| one.user).0 {
            let (user, group) = (users.own_at(user).copied(), groups.own_at(group).copied());
            let edge = user.zip(group).map(|(user, group)| Membership { user, group, window });
            records.extend(edge.map(Record::Membership));
        }
    }
}

/// A membership, as indexes into the lists of users and groups.
#[derive(Clone, Copy)]
struct Joined {
    user: usize,
    group: usize,
    window: Window,
}

/// Parses the window of a relation (R3).
fn window(
    from: Option<&SmolStr>,
    until: Option<&SmolStr>,
    place: JsonPointer,
    mistakes: &mut Mistakes,
) -> Option<Window> {
    if from.is_none() && until.is_none() {
        return Some(Window::ALWAYS);
    }
    let mut end = |text: Option<&SmolStr>, field| match text {
        None => Some(None),
        Some(text) => mistakes.check(place.field(field), Timestamp::parse(text)).map(Some),
    };
    let (from, until) = (end(from, "from"), end(until, "until"));
    mistakes.check(place, Window::new(from?, until?))
}

/// A reference to an entry of the same list: the index of the entry, and the index of the reference in its own list.
type Link = (usize, usize);

/// Reports each cycle (R7), at the reference that closes it.
fn acyclic<R>(
    targets: &Targets<'_, R>,
    graph: &[Vec<Link>],
    list: &'static str,
    part: &'static str,
    mistakes: &mut Mistakes,
) {
    let edges = |entry: usize| graph.get(entry).map_or(&[][..], Vec::as_slice);
    let next = |entry| edges(entry).iter().map(|(to, _)| *to);
    each_cycle(0..graph.len(), next, |cycle| {
        let at = edges(cycle.from).get(cycle.edge).map_or(0, |(_, at)| *at);
        mistakes.add(JsonPointer::entry(list, cycle.from).part(part, at), MistakeCode::Cycle, || {
            let names = cycle.around.map(|entry| targets.name(entry).to_owned()).collect();
            format!("cycle of {list}: {}", CycleNames::new(names).of(targets.kind()))
        });
    });
}
