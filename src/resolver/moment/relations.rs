//! Questions about direct relations: members, holders, assignments, parents, grants and inclusions.

use serde::Serialize;

use super::list::List;
use super::{Moment, Page, PageRequest, WithOrigin};
use crate::model::error::EntityKind;
use crate::model::internal_fault::must;
use crate::model::records::{Granted, GroupRecord, RoleRecord, Slug, UserRecord, Window};
use crate::resolver::snapshot::edge::{Edge, FAR_END, NEAR_END, ReverseEdge};
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser};
use crate::resolver::snapshot::walk::is_active;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// An entity at the other end of a direct relation, and when the relation is active.
///
/// ```
/// use rolecall::moment::WithWindow;
/// use rolecall::records::GroupRecord;
/// use rolecall::{Timestamp, Window};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let end: Timestamp = "2027-02-01T00:00:00Z".parse()?;
/// acme.update(|tx| {
///     tx.create_group("project")?;
///     tx.create_user("alice")?.join_during("project", Window::until(end))?.done()
/// })?;
/// let after = acme.snapshot().at(end);
/// let held: &WithWindow<GroupRecord> = &after.groups_of("alice")[0];
/// assert_eq!((held.record.slug.as_str(), held.window, held.active), ("project", Window::until(end), false));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithWindow<R> {
    /// The entity.
    #[serde(flatten)]
    pub record: R,
    /// When the relation is active.
    pub window: Window,
    /// Whether it is active at the instant: the instant lies in the window, and the user, if there is one, is not
    /// suspended.
    pub active: bool,
    /// Whether the user of the relation is suspended. `false` for a relation between a group and a role or another group.
    pub suspended: bool,
}

impl Moment<'_> {
    /// Returns a page of the direct members of a group, by key, each with its window.
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
    /// let members = acme.now().members("engineering", &PageRequest::of(50));
    /// assert_eq!(members.items[0].record.key, "alice");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(log n + page size). With a search, also the entries that are skipped.
    pub fn members(&self, group: impl AsGroup, page: &PageRequest) -> Page<WithWindow<UserRecord>> {
        let snapshot = self.compiled();
        let row = group.group(snapshot.scope()).and_then(|n| snapshot.state.groups.row(n).map(|row| (n, row)));
        self.users_by_key(EntityKind::Group, row.map(|(n, row)| (n, &row.members)), page, UserRow::groups)
    }

    /// Returns a page of the users to whom a role is assigned directly, by key, each with its window.
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
    /// let holders = acme.now().holders("reader", &PageRequest::of(50));
    /// assert_eq!(holders.items[0].record.key, "bob");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn holders(&self, role: impl AsRole, page: &PageRequest) -> Page<WithWindow<UserRecord>> {
        let snapshot = self.compiled();
        let row = role.role(snapshot.scope()).and_then(|n| snapshot.state.roles.row(n).map(|row| (n, row)));
        self.users_by_key(EntityKind::Role, row.map(|(n, row)| (n, &row.users)), page, UserRow::roles)
    }

    /// Returns the groups of which the user is a direct member, by slug, each with its window.
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
    /// assert_eq!(acme.now().groups_of("alice")[0].record.slug, "engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn groups_of(&self, user: impl AsUser) -> List<WithWindow<GroupRecord>> {
        let snapshot = self.compiled();
        let user = user.user(snapshot.scope()).and_then(|n| snapshot.state.users.row(n));
        List::about(user, self.about(EntityKind::User, user.is_some()), |user| {
            self.held_groups(user.groups().iter(), user.is_suspended())
        })
    }

    /// Returns the roles that are assigned directly to a user, by slug, each with its window.
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
    /// assert_eq!(acme.now().roles_of("bob")[0].record.slug().as_str(), "reader");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles_of(&self, user: impl AsUser) -> List<WithWindow<WithOrigin<RoleRecord>>> {
        let snapshot = self.compiled();
        let user = user.user(snapshot.scope()).and_then(|n| snapshot.state.users.row(n));
        List::about(user, self.about(EntityKind::User, user.is_some()), |user| {
            self.held_roles(user.roles().iter(), user.is_suspended())
        })
    }

    /// Returns the roles that are assigned directly to a group, by slug, each with its window.
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
    /// assert_eq!(acme.now().roles_of_group("engineering")[0].record.slug().as_str(), "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles_of_group(&self, group: impl AsGroup) -> List<WithWindow<WithOrigin<RoleRecord>>> {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope()).and_then(|n| snapshot.state.groups.row(n));
        List::about(group, self.about(EntityKind::Group, group.is_some()), |group| {
            self.held_roles(group.roles().iter(), false)
        })
    }

    /// Returns the parents of a group, by slug, each with the window of its link. A link outside its window is listed, too,
    /// and marked as not active.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?.done()
    /// })?;
    /// let now = acme.now();
    /// assert_eq!(now.parents_of("engineering")[0].record.slug, "staff");
    /// assert!(now.parents_of("staff").is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn parents_of(&self, group: impl AsGroup) -> List<WithWindow<GroupRecord>> {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope()).and_then(|n| snapshot.state.groups.row(n));
        List::about(group, self.about(EntityKind::Group, group.is_some()), |group| {
            self.held_groups(group.parents().iter(), false)
        })
    }

    /// Returns the grants of a role itself: permissions by slug, then patterns. Included roles are not followed.
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
    /// assert_eq!(acme.now().grants_of("editor").len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn grants_of(&self, role: impl AsRole) -> List<Granted> {
        let snapshot = self.compiled();
        let row = role.role(snapshot.scope()).and_then(|n| snapshot.state.roles.row(n));
        List::about(row, self.about(EntityKind::Role, row.is_some()), |row| {
            let permissions = row.grants.iter().filter_map(|n| must(snapshot.state.permissions.row(*n), NEAR_END));
            let mut granted: Vec<(Slug, Granted)> =
                permissions.map(|p| (p.record.slug.clone(), Granted::Permission(p.reference()))).collect();
            granted.sort_by(|a, b| a.0.cmp(&b.0));
            granted.into_iter().map(|(_, g)| g).chain(row.patterns.iter().cloned().map(Granted::Pattern)).collect()
        })
    }

    /// Returns the roles that a role includes directly, by slug.
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
    /// assert_eq!(acme.now().includes_of("editor")[0].record.slug, "reader");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn includes_of(&self, role: impl AsRole) -> List<WithOrigin<RoleRecord>> {
        let snapshot = self.compiled();
        let roles = &snapshot.state.roles;
        let row = role.role(snapshot.scope()).and_then(|n| roles.row(n));
        List::about(row, self.about(EntityKind::Role, row.is_some()), |row| {
            let rows = row.includes.iter().filter_map(|n| must(roles.row(*n), NEAR_END));
            let mut included: Vec<WithOrigin<RoleRecord>> = rows.map(WithOrigin::from).collect();
            included.sort_by(|a, b| a.record.slug.cmp(&b.record.slug));
            included
        })
    }

    fn held<'s, R>(
        &self,
        edges: impl Iterator<Item = Edge>,
        suspended: bool,
        name: impl Fn(u32) -> &'s str,
        record: impl Fn(u32) -> Option<R>,
    ) -> Vec<WithWindow<R>> {
        let mut edges: Vec<Edge> = edges.collect();
        edges.sort_by(|a, b| name(a.to).cmp(name(b.to)));
        let held = |edge: Edge| {
            Some(WithWindow {
                record: must(record(edge.to), NEAR_END)?,
                window: edge.window,
                active: !suspended && is_active(edge, &self.when),
                suspended,
            })
        };
        edges.into_iter().filter_map(held).collect()
    }

    /// The groups at the other end of these edges.
    fn held_groups(&self, edges: impl Iterator<Item = Edge>, suspended: bool) -> Vec<WithWindow<GroupRecord>> {
        let groups = &self.compiled().state.groups;
        self.held(edges, suspended, |n| groups.name_at(n), |n| groups.row(n).map(|group| group.record.clone()))
    }

    /// The roles at the other end of these edges.
    fn held_roles(
        &self,
        edges: impl Iterator<Item = Edge>,
        suspended: bool,
    ) -> Vec<WithWindow<WithOrigin<RoleRecord>>> {
        let roles = &self.compiled().state.roles;
        self.held(edges, suspended, |n| roles.name_at(n), |n| roles.row(n).map(WithOrigin::from))
    }

    /// A page of a list that is kept sorted by key.
    fn users_by_key(
        &self,
        entity: EntityKind,
        list: Option<(u32, &SortedSeq<ReverseEdge>)>,
        page: &PageRequest,
        edges: impl Fn(&UserRow) -> Edges<'_>,
    ) -> Page<WithWindow<UserRecord>> {
        let users = &self.compiled().state.users;
        let why = self.about(entity, list.is_some());
        let (to, list) = list.map_or((0, None), |(to, list)| (to, Some(list)));
        let numbers =
            list.into_iter().flat_map(|list| list.iter_from(|reverse| users.name_at(reverse.from()).cmp(page.from())));
        let wanted = numbers.map(|reverse| reverse.from()).filter(|n| {
            let name = users.name_at(*n);
            page.is_after(name) && users.row(*n).is_some_and(|row| page.finds_user(&row.record))
        });
        let item = |n: u32| {
            let row = must(users.row(n), FAR_END)?;
            let edge = must(edges(row).get(to), FAR_END)?;
            let suspended = row.is_suspended();
            let active = !suspended && is_active(edge, &self.when);
            Some(WithWindow { record: row.record.clone(), window: edge.window, active, suspended })
        };
        Page::new(wanted, page, why, |n| users.name_at(n), item)
    }
}
