//! The hierarchy of groups: the groups that have a role, all subgroups of a group, and the paths that lead to a group.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::page::{self, Page, PageRequest};
use super::{Inherited, Moment, Via, WithWindow};
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::GroupRecord;
use crate::resolver::bits::Bits;
use crate::resolver::explain::paths::{MOST_PATHS, MOST_STEPS};
use crate::resolver::snapshot::edge::FAR_END;
use crate::resolver::snapshot::names::{AsGroup, AsRole};
use crate::resolver::snapshot::reverse::active;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::is_active;

/// The paths that lead to a group, each from a group without parents down to the group itself.
///
/// Returned by [`Moment::paths_of`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupPaths {
    /// The paths, each with the group without parents first and the group itself last.
    pub paths: Vec<Vec<GroupRecord>>,
    /// Whether there are more paths than these.
    pub more_paths: bool,
}

impl Moment<'_> {
    /// Returns all groups whose members have a role through them at the instant, by slug.
    ///
    /// A group has the role because it is assigned to the group ([`Via::Direct`]), because another role of the group
    /// includes it ([`Via::Role`]), or because a parent group has it ([`Via::Group`]). Where several are true, `via` is
    /// on a shortest path.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::moment::Via;
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("viewer")?;
    ///     tx.create_role("editor")?.include("viewer")?;
    ///     tx.create_group("staff")?.assign("editor")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?.done()
    /// })?;
    ///
    /// let groups = acme.now().all_groups_with("viewer");
    /// let [engineering, staff] = &groups[..] else { panic!("two groups have it") };
    /// assert_eq!(engineering.via, Via::Group("staff".parse()?));
    /// assert_eq!(staff.via, Via::Role("editor".parse()?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(roles that include it, their groups, the subgroups of those), and their order.
    pub fn all_groups_with(&self, role: impl AsRole) -> Vec<Inherited<GroupRecord>> {
        let snapshot = self.compiled();
        let target = role.role(snapshot.scope()).filter(|_| self.answers());
        target.map(|target| self.inherited(self.groups_having(target))).unwrap_or_default()
    }

    /// Returns a page of the direct subgroups of a group, by slug, each with the window of its link. The search looks at
    /// slugs and names.
    ///
    /// ```
    /// use rolecall::PageRequest;
    /// use rolecall::blocking::Authorizer;
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     for slug in ["engineering", "marketing", "sales"] {
    ///         tx.create_group(slug)?.add_parent("staff")?;
    ///     }
    ///     Ok(())
    /// })?;
    ///
    /// let page = acme.now().subgroups("staff", &PageRequest::of(2));
    /// assert_eq!(page.items.iter().map(|group| group.record.slug.as_str()).collect::<Vec<_>>(), ["engineering", "marketing"]);
    /// assert_eq!(page.next.as_deref(), Some("marketing"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For a page of k from n subgroups: O(n log k).
    pub fn subgroups(&self, group: impl AsGroup, page: &PageRequest) -> Page<WithWindow<GroupRecord>> {
        let snapshot = self.compiled();
        let groups = &snapshot.state.groups;
        let parent = group.group(snapshot.scope());
        let row = parent.and_then(|n| groups.row(n));
        let children: Bits = row.into_iter().flat_map(|row| row.children.iter().map(|back| back.from())).collect();
        let finds = |record: &GroupRecord| page.finds(&[record.slug.as_str(), record.name.as_str()]);
        let found = page::of_set(groups, &children, page, |row| finds(&row.record));
        let item = |n| {
            let row = groups.row(n)?;
            let edge = must(row.parents().get(parent?), FAR_END)?;
            Some(WithWindow { record: row.record.clone(), window: edge.window, active: is_active(edge, &self.when) })
        };
        Page::new(found, page, self.unavailable(), |n| groups.name_at(n), item)
    }

    /// Returns all groups below a group at the instant, by slug: its subgroups ([`Via::Direct`]), and the subgroups of
    /// those, each with the group that it is a subgroup of ([`Via::Group`]) on a shortest path. Links outside their windows
    /// are left out.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::moment::Via;
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?;
    ///     tx.create_group("backend")?.add_parent("engineering")?.done()
    /// })?;
    ///
    /// let below = acme.now().all_subgroups("staff");
    /// assert_eq!((below[0].record.slug.as_str(), &below[0].via), ("backend", &Via::Group("engineering".parse()?)));
    /// assert_eq!((below[1].record.slug.as_str(), &below[1].via), ("engineering", &Via::Direct));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups below it and their parent links), and their order.
    pub fn all_subgroups(&self, group: impl AsGroup) -> Vec<Inherited<GroupRecord>> {
        let snapshot = self.compiled();
        let Some(top) = group.group(snapshot.scope()).filter(|_| self.answers()) else { return Vec::new() };
        let mut found = HashMap::new();
        let mut todo = VecDeque::from([(top, Via::Direct)]);
        while let Some((number, via)) = todo.pop_front() {
            for child in self.children(number) {
                if let Entry::Vacant(vacant) = found.entry(child) {
                    vacant.insert(via.clone());
                    todo.extend(slug_of_group(&snapshot.state, child).map(|via| (child, via)));
                }
            }
        }
        self.inherited(found)
    }

    /// Returns the paths of active links that lead to a group, for a breadcrumb. Each begins at a group above it that
    /// has no parents, and ends at the group itself. A group without parents has one path, which is itself; an unknown
    /// group has none.
    ///
    /// A group may have several parents, so the number of paths can grow exponentially. At most 64 paths with together
    /// at most 10,000 groups are returned, as many as in an [`Explanation`](crate::Explanation), and
    /// [`GroupPaths::more_paths`] says whether others were left out.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("berlin")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?;
    ///     tx.create_group("backend")?.add_parent("engineering")?.add_parent("berlin")?.done()
    /// })?;
    ///
    /// let found = acme.now().paths_of("backend");
    /// let shown = found.paths.iter().map(|path| path.iter().map(|group| group.slug.as_str()).collect::<Vec<_>>().join("/"));
    /// assert_eq!(shown.collect::<Vec<_>>(), ["berlin/backend", "staff/engineering/backend"]);
    /// assert!(!found.more_paths);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups in the paths returned, times the logarithm of the parents of each).
    pub fn paths_of(&self, group: impl AsGroup) -> GroupPaths {
        let snapshot = self.compiled();
        let Some(bottom) = group.group(snapshot.scope()).filter(|_| self.answers()) else {
            return GroupPaths::default();
        };
        let (paths, more_paths) = paths_above(&snapshot.state, bottom, &self.when);
        let record = |n: &u32| snapshot.state.groups.row(*n).map(|row| row.record.clone());
        GroupPaths { paths: paths.iter().map(|path| path.iter().filter_map(record).collect()).collect(), more_paths }
    }

    /// The groups that have a role, breadth first from the role, each with where it was first reached from.
    fn groups_having(&self, target: u32) -> HashMap<u32, Via> {
        let state = &self.compiled().state;
        let (mut found, mut roles) = (HashMap::new(), Bits::from_iter([target]));
        let mut todo = VecDeque::from([(Source::Role(target), Via::Direct)]);
        while let Some((source, via)) = todo.pop_front() {
            let below = match source {
                Source::Role(role) => self.groups_with_active(role),
                Source::Group(group) => self.children(group).collect(),
            };
            for group in below {
                if let Entry::Vacant(vacant) = found.entry(group) {
                    vacant.insert(via.clone());
                    todo.extend(slug_of_group(state, group).map(|via| (Source::Group(group), via)));
                }
            }
            let Source::Role(role) = source else { continue };
            let includers = state.roles.row(role).into_iter().flat_map(|row| row.included_by.iter().copied());
            for includer in includers.filter(|n| roles.insert(*n)) {
                let via = state.roles.row(includer).map(|row| Via::Role(row.record.slug.clone()));
                todo.extend(via.map(|via| (Source::Role(includer), via)));
            }
        }
        found
    }

    /// The groups that a role is assigned to, where the assignment is active.
    fn groups_with_active(&self, role: u32) -> Vec<u32> {
        let state = &self.compiled().state;
        let active = |group: &u32| {
            let edge = state.groups.row(*group).and_then(|row| row.roles().get(role));
            edge.is_some_and(|edge| is_active(edge, &self.when))
        };
        let backs = state.roles.row(role).into_iter().flat_map(|row| row.groups.iter());
        backs.map(|back| back.from()).filter(active).collect()
    }

    /// The subgroups of a group whose links are active.
    fn children(&self, group: u32) -> impl Iterator<Item = u32> {
        let state = &self.compiled().state;
        let row = state.groups.row(group).into_iter();
        row.flat_map(move |row| active(&row.children, group, &self.when, |n| Some(state.groups.row(n)?.parents())))
    }

    fn inherited(&self, found: HashMap<u32, Via>) -> Vec<Inherited<GroupRecord>> {
        let groups = &self.compiled().state.groups;
        let record = |(n, via)| groups.row(n).map(|row| Inherited { record: row.record.clone(), via });
        let mut found: Vec<_> = found.into_iter().filter_map(record).collect();
        found.sort_unstable_by(|a, b| a.record.slug.cmp(&b.record.slug));
        found
    }
}

/// Where something that a group leads to comes from: the group.
fn slug_of_group(state: &State, group: u32) -> Option<Via> {
    state.groups.row(group).map(|row| Via::Group(row.record.slug.clone()))
}

/// The parents of a group whose links are active, by slug.
fn parents(state: &State, group: u32, when: &When<'_>) -> std::vec::IntoIter<u32> {
    let edges = state.groups.row(group).into_iter().flat_map(|row| row.parents().iter());
    let mut parents: Vec<u32> = edges.filter(|edge| is_active(*edge, when)).map(|edge| edge.to).collect();
    parents.sort_unstable_by(|a, b| state.groups.name_at(*a).cmp(state.groups.name_at(*b)));
    parents.into_iter()
}

/// The paths from groups without parents down to a group, and whether there are more. Depth first, without recursion.
/// There are no cycles (R7), so every way up ends at a group without parents, and no step is useless.
fn paths_above(state: &State, bottom: u32, when: &When<'_>) -> (Vec<Vec<u32>>, bool) {
    let (mut paths, mut steps): (Vec<Vec<u32>>, usize) = (Vec::new(), 0);
    let mut way_up = vec![(bottom, parents(state, bottom, when))];
    let mut is_end = way_up.iter().all(|(_, parents)| parents.len() == 0);
    loop {
        if is_end {
            if paths.len() == MOST_PATHS || steps + way_up.len() > MOST_STEPS {
                return (paths, true);
            }
            steps += way_up.len();
            paths.push(way_up.iter().rev().map(|(group, _)| *group).collect());
        }
        let Some((_, remaining)) = way_up.last_mut() else { return (paths, false) };
        let next = remaining.next().map(|parent| (parent, parents(state, parent, when)));
        is_end = next.as_ref().is_some_and(|(_, parents)| parents.len() == 0);
        match next {
            Some(_) if way_up.len() >= MOST_STEPS => return (paths, true),
            Some(next) => way_up.push(next),
            None => drop(way_up.pop()),
        }
    }
}
