//! The hierarchy of groups: the groups that have a role, all subgroups of a group, and the paths that lead to a group.

use hashbrown::HashMap;
use serde::Serialize;

use super::list::WhyEmpty;
use super::page::{self, Page, PageRequest};
use super::{Inherited, Moment, Via, WithWindow};
use crate::model::clock::When;
use crate::model::error::EntityKind;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::GroupRecord;
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::explain::paths::{MOST_PATHS, MOST_STEPS};
use crate::resolver::snapshot::edge::{Edge, FAR_END};
use crate::resolver::snapshot::entity_rows::GroupRow;
use crate::resolver::snapshot::names::{AsGroup, AsRole};
use crate::resolver::snapshot::reverse::active;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::is_active;

/// The paths that lead to a group, each from a group without parents down to the group itself.
///
/// [`Moment::paths_of`] returns them.
///
/// ```
/// use rolecall::moment::GroupPaths;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_group("engineering")?.add_parent("staff")?.done()
/// })?;
/// let found: GroupPaths = acme.now().paths_of("engineering");
/// let path: Vec<&str> = found.paths[0].iter().map(|group| group.slug.as_str()).collect();
/// assert_eq!(path, ["staff", "engineering"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupPaths {
    /// The paths, each with the group without parents first and the group itself last.
    pub paths: Vec<Vec<GroupRecord>>,
    /// Whether there are more paths than these.
    pub more_paths: bool,
    /// Why the tenant is unavailable, if it is. The list of paths is empty then.
    pub unavailable: Option<Reason>,
    /// [`EntityKind::Group`] if the group does not exist. The list of paths is empty then.
    pub unknown: Option<EntityKind>,
}

impl Moment<'_> {
    /// Returns a page of the groups to which a role is assigned directly, by slug, each with its window. The search looks
    /// at slugs and names.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// use rolecall::PageRequest;
    ///
    /// let groups = acme.now().groups_with("editor", &PageRequest::of(50));
    /// assert_eq!(groups.items[0].record.slug, "engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For a page of k from n groups: O(n log k).
    pub fn groups_with(&self, role: impl AsRole, page: &PageRequest) -> Page<WithWindow<GroupRecord>> {
        let snapshot = self.compiled();
        let groups = &snapshot.state.groups;
        let role = role.role(snapshot.scope()).and_then(|n| snapshot.state.roles.row(n).map(|row| (n, row)));
        let holders = role.into_iter().flat_map(|(_, row)| row.groups.iter().map(|reverse| reverse.from())).collect();
        self.page_of_groups(&holders, page, self.about(EntityKind::Role, role.is_some()), |n| {
            let row = groups.row(n)?;
            let edge = must(row.roles().get(role?.0), FAR_END)?;
            Some(self.with_window(row, edge))
        })
    }

    /// Returns a page of all groups whose members have a role through them at the instant, by slug. The search looks at
    /// slugs and names.
    ///
    /// A group has the role in one of three ways. The role is assigned to the group ([`Via::Direct`]), another role of the
    /// group includes it ([`Via::Role`]), or a parent group has it ([`Via::Group`]). Where several are true, `via` is on a
    /// shortest path.
    ///
    /// ```
    /// use rolecall::PageRequest;
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
    /// let groups = acme.now().all_groups_with("viewer", &PageRequest::of(50));
    /// let [engineering, staff] = &groups.items[..] else { panic!("two groups have it") };
    /// assert_eq!(engineering.via, Via::Group("staff".parse()?));
    /// assert_eq!(staff.via, Via::Role("editor".parse()?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(roles that include it, their groups, the subgroups of those), for a page of any size.
    pub fn all_groups_with(&self, role: impl AsRole, page: &PageRequest) -> Page<Inherited<GroupRecord>> {
        let role = role.role(self.compiled().scope());
        let found = role.map(|role| self.groups_having(role)).unwrap_or_default();
        self.page_of_inherited(&found, role.map(Source::Role), page, self.about(EntityKind::Role, role.is_some()))
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
        let children = row.into_iter().flat_map(|row| row.children.iter().map(|reverse| reverse.from())).collect();
        self.page_of_groups(&children, page, self.about(EntityKind::Group, parent.is_some()), |n| {
            let row = groups.row(n)?;
            let edge = must(row.parents().get(parent?), FAR_END)?;
            Some(self.with_window(row, edge))
        })
    }

    /// Returns a page of all groups below a group at the instant, by slug: its subgroups, and the subgroups of those.
    ///
    /// Each comes with where it is on a shortest path: directly below the group ([`Via::Direct`]), or below another one
    /// ([`Via::Group`]). Links outside their windows are left out. The search looks at slugs and names.
    ///
    /// ```
    /// use rolecall::PageRequest;
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
    /// let below = acme.now().all_subgroups("staff", &PageRequest::of(50)).items;
    /// assert_eq!((below[0].record.slug.as_str(), &below[0].via), ("backend", &Via::Group("engineering".parse()?)));
    /// assert_eq!((below[1].record.slug.as_str(), &below[1].via), ("engineering", &Via::Direct));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups below it and their parent links), for a page of any size.
    pub fn all_subgroups(&self, group: impl AsGroup, page: &PageRequest) -> Page<Inherited<GroupRecord>> {
        let snapshot = self.compiled();
        let top = group.group(snapshot.scope());
        let reached = graph::breadth_first(top, |group| self.children(group)).into_iter();
        let found = reached.filter_map(|(group, from)| Some((group, Source::Group(from?)))).collect();
        self.page_of_inherited(&found, top.map(Source::Group), page, self.about(EntityKind::Group, top.is_some()))
    }

    /// Returns the paths of active links that lead to a group, for a breadcrumb. Each begins at a group above it that
    /// has no parents, and ends at the group itself. A group without parents has one path, which is itself; an unknown
    /// group has none, and [`GroupPaths::unknown`] says so.
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
        let bottom = group.group(snapshot.scope());
        let WhyEmpty { unavailable, unknown } = self.about(EntityKind::Group, bottom.is_some());
        let bottom = bottom.filter(|_| unavailable.is_none());
        let (paths, more_paths) =
            bottom.map(|bottom| paths_above(&snapshot.state, bottom, &self.when)).unwrap_or_default();
        let record = |n: &u32| snapshot.state.groups.row(*n).map(|row| row.record.clone());
        let paths = paths.iter().map(|path| path.iter().filter_map(record).collect()).collect();
        GroupPaths { paths, more_paths, unavailable, unknown }
    }

    /// The groups that have a role, each with its predecessor on a shortest path from the role.
    fn groups_having(&self, target: u32) -> HashMap<u32, Source> {
        let state = &self.compiled().state;
        let reached = graph::breadth_first([Source::Role(target)], |source| -> Vec<Source> {
            match source {
                Source::Role(role) => {
                    let groups = self.groups_with_active(role).into_iter().map(Source::Group);
                    groups.chain(state.includers(role).map(Source::Role)).collect()
                }
                Source::Group(group) => self.children(group).map(Source::Group).collect(),
            }
        });
        let group = |(source, from): (Source, Option<Source>)| match source {
            Source::Group(group) => Some((group, from?)),
            Source::Role(_) => None,
        };
        reached.into_iter().filter_map(group).collect()
    }

    /// The groups that a role is assigned to, where the assignment is active.
    fn groups_with_active(&self, role: u32) -> Vec<u32> {
        let state = &self.compiled().state;
        let active = |group: &u32| {
            let edge = state.groups.row(*group).and_then(|row| row.roles().get(role));
            edge.is_some_and(|edge| is_active(edge, &self.when))
        };
        let reverse_edges = state.roles.row(role).into_iter().flat_map(|row| row.groups.iter());
        reverse_edges.map(|reverse| reverse.from()).filter(active).collect()
    }

    /// The subgroups of a group whose links are active.
    fn children(&self, group: u32) -> impl Iterator<Item = u32> {
        let state = &self.compiled().state;
        let row = state.groups.row(group).into_iter();
        row.flat_map(move |row| active(&row.children, group, &self.when, |n| Some(state.groups.row(n)?.parents())))
    }

    /// A page of these groups, each with what it was reached through. `start` is where the search began.
    fn page_of_inherited(
        &self,
        found: &HashMap<u32, Source>,
        start: Option<Source>,
        page: &PageRequest,
        why: WhyEmpty,
    ) -> Page<Inherited<GroupRecord>> {
        let state = &self.compiled().state;
        self.page_of_groups(&found.keys().copied().collect(), page, why, |n| {
            let (record, from) = (state.groups.row(n)?.record.clone(), *found.get(&n)?);
            let via = if start == Some(from) { Via::Direct } else { Via::of(state, from)? };
            Some(Inherited { record, via, suspended: false })
        })
    }

    /// A page of these groups.
    fn page_of_groups<T>(
        &self,
        found: &Bits,
        page: &PageRequest,
        why: WhyEmpty,
        item: impl Fn(u32) -> Option<T>,
    ) -> Page<T> {
        let groups = &self.compiled().state.groups;
        let finds = |row: &GroupRow| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]);
        Page::new(page::of_set(groups, found, page, finds), page, why, |n| groups.name_at(n), item)
    }

    fn with_window(&self, row: &GroupRow, edge: Edge) -> WithWindow<GroupRecord> {
        let active = is_active(edge, &self.when);
        WithWindow { record: row.record.clone(), window: edge.window, active, suspended: false }
    }
}

/// The parents of a group whose links are active, by slug.
fn parents(state: &State, group: u32, when: &When<'_>) -> std::vec::IntoIter<u32> {
    let edges = state.groups.row(group).into_iter().flat_map(|row| row.parents().iter());
    let mut parents: Vec<u32> = edges.filter(|edge| is_active(*edge, when)).map(|edge| edge.to).collect();
    parents.sort_unstable_by(|a, b| state.groups.name_at(*a).cmp(state.groups.name_at(*b)));
    parents.into_iter()
}

/// The paths from groups without parents down to a group, and whether there are more. Depth first, without recursion.
/// Groups form no cycles (R7), so every way up ends at a group without parents, and no step is useless.
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
