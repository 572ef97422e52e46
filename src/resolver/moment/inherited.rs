//! Questions about what is held or given through others: all members and holders, effective permissions, and where a user's
//! groups and roles come from.

use hashbrown::HashMap;
use serde::Serialize;

use super::list::List;
use super::{Moment, PermissionSet, UserSet, WithOrigin};
use crate::model::error::EntityKind;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::{GroupRecord, RoleRecord, Slug};
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::names::{AsGroup, AsPermission, AsRole, AsUser};
use crate::resolver::snapshot::reverse;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::{edges_of, effective_from, is_active};

/// A group or role that is held directly or through others, and the way in which it is held.
///
/// ```
/// use rolecall::moment::{Inherited, Via};
/// use rolecall::records::GroupRecord;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_group("engineering")?.add_parent("staff")?;
///     tx.create_user("alice")?.join("engineering")?.done()
/// })?;
/// let now = acme.now();
/// let groups = now.all_groups_of("alice");
/// let staff: &Inherited<GroupRecord> = &groups[1];
/// assert_eq!((staff.record.slug.as_str(), &staff.via), ("staff", &Via::Group("engineering".parse()?)));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inherited<R> {
    /// The group or role.
    #[serde(flatten)]
    pub record: R,
    /// The way in which it is held, on a shortest path. Look up the group or role that it names in the same list, and so on.
    pub via: Via,
    /// Whether the user that the list is about is suspended, so that this gives the user nothing (R4).
    pub suspended: bool,
}

/// The way in which a user or group holds a group or role.
///
/// ```
/// use rolecall::moment::Via;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_group("engineering")?.add_parent("staff")?;
///     tx.create_user("alice")?.join("engineering")?.done()
/// })?;
/// let groups = acme.now().all_groups_of("alice");
/// assert_eq!(groups[0].via, Via::Direct);
/// assert_eq!(groups[1].via, Via::Group("engineering".parse()?));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// It is held directly.
    Direct,
    /// From this group.
    Group(Slug),
    /// From this role, which includes it.
    Role(Slug),
}

impl Via {
    /// How something is held that this group or role gives. `None` if it does not exist.
    pub(super) fn of(state: &State, source: Source) -> Option<Self> {
        match source {
            Source::Group(n) => must(state.groups.row(n), NEAR_END).map(|row| Self::Group(row.record.slug.clone())),
            Source::Role(n) => must(state.roles.row(n), NEAR_END).map(|row| Self::Role(row.record.slug.clone())),
        }
    }
}

impl Moment<'_> {
    /// Returns the direct and inherited members of a group.
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
    /// assert_eq!(acme.now().all_members("staff").keys(), ["alice"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn all_members(&self, group: impl AsGroup) -> UserSet {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope());
        let groups = reverse::with_subgroups(&snapshot.state, group.into_iter().collect(), &self.when);
        let users = reverse::users_of(&snapshot.state, &Bits::new(), &groups, &self.when);
        UserSet::new(self.snapshot(), users, self.about(EntityKind::Group, group.is_some()))
    }

    /// Returns the users who have a role: directly, through groups, or through roles that include it.
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
    /// assert_eq!(acme.now().all_holders("reader").keys(), ["alice", "bob"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn all_holders(&self, role: impl AsRole) -> UserSet {
        let snapshot = self.compiled();
        let role = role.role(snapshot.scope());
        let roles = reverse::with_includers(&snapshot.state, role.into_iter().collect());
        let groups = reverse::groups_having(&snapshot.state, &roles, &self.when);
        let users = reverse::users_of(&snapshot.state, &roles, &groups, &self.when);
        UserSet::new(self.snapshot(), users, self.about(EntityKind::Role, role.is_some()))
    }

    /// Returns the users who may do this.
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
    /// assert_eq!(acme.now().who_can("posts:write").keys(), ["alice"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// If [`decide`](Moment::decide) would give the same reason for every user, the set has that reason. It is
    /// [unknown](UserSet::unknown) for a permission that does not exist or was removed from the catalog. It is
    /// [unavailable](UserSet::unavailable) with [`Reason::CatalogConflict`] for one whose slug is in conflict (R9).
    ///
    /// # Complexity
    /// O(roles, groups and members that lead to the permission).
    pub fn who_can(&self, permission: impl AsPermission) -> UserSet {
        let snapshot = self.compiled();
        let state = &snapshot.state;
        let permission = permission.permission(snapshot.scope());
        let row = permission.and_then(|number| state.permissions.row(number));
        let mut why = self.about(EntityKind::Permission, row.is_some_and(|row| row.in_conflict || row.is_grantable()));
        if row.is_some_and(|row| row.in_conflict) {
            why.unavailable = why.unavailable.or(Some(Reason::CatalogConflict));
        }
        let Some(permission) = permission.filter(|_| why.is_none()) else {
            return UserSet::new(self.snapshot(), Bits::new(), why);
        };
        let (roles, groups) = reverse::sources_giving(state, permission, &self.when);
        let mut users = reverse::users_of(state, &roles, &groups, &self.when);
        users.subtract_words(|at| state.summaries.suspended_word(at));
        UserSet::new(self.snapshot(), users, why)
    }

    /// Returns all permissions of a role, including those of its included roles.
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
    /// assert_eq!(acme.now().effective_of_role("editor").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn effective_of_role(&self, role: impl AsRole) -> PermissionSet {
        let snapshot = self.compiled();
        self.given_by(EntityKind::Role, role.role(snapshot.scope()).map(Source::Role))
    }

    /// Returns all permissions that a group gives its members, including those of its parent groups.
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
    /// assert_eq!(acme.now().effective_of_group("engineering").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn effective_of_group(&self, group: impl AsGroup) -> PermissionSet {
        let snapshot = self.compiled();
        self.given_by(EntityKind::Group, group.group(snapshot.scope()).map(Source::Group))
    }

    fn given_by(&self, entity: EntityKind, source: Option<Source>) -> PermissionSet {
        let why = self.about(entity, source.is_some());
        let bits = effective_from(&self.compiled().state, source.into_iter(), &self.when);
        PermissionSet::new(self.snapshot(), bits, why)
    }

    /// Returns the active groups of a user, direct and inherited, by slug, each with where it comes from.
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
    /// use rolecall::moment::Via;
    ///
    /// let groups = acme.now().all_groups_of("alice");
    /// assert_eq!(groups[0].via, Via::Direct);
    /// assert_eq!(groups[1].record.slug, "staff");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn all_groups_of(&self, user: impl AsUser) -> List<Inherited<GroupRecord>> {
        let snapshot = self.compiled();
        let user = user.user(snapshot.scope()).and_then(|n| snapshot.state.users.row(n));
        List::about(user, self.about(EntityKind::User, user.is_some()), |user| {
            let suspended = user.is_suspended();
            let found = self.sources(user).into_iter().filter_map(|(source, via)| match source {
                Source::Group(n) => {
                    let row = must(snapshot.state.groups.row(n), NEAR_END)?;
                    Some(Inherited { record: row.record.clone(), via, suspended })
                }
                Source::Role(_) => None,
            });
            let mut found: Vec<_> = found.collect();
            found.sort_by(|a, b| a.record.slug.cmp(&b.record.slug));
            found
        })
    }

    /// Returns the active roles of a user by slug: direct ones, those of its groups, and those that these include,
    /// each with where it comes from.
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
    /// assert_eq!(acme.now().all_roles_of("alice").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn all_roles_of(&self, user: impl AsUser) -> List<Inherited<WithOrigin<RoleRecord>>> {
        let snapshot = self.compiled();
        let user = user.user(snapshot.scope()).and_then(|n| snapshot.state.users.row(n));
        List::about(user, self.about(EntityKind::User, user.is_some()), |user| {
            self.roles_among(self.sources(user), user.is_suspended())
        })
    }

    /// Returns the active roles of a group by slug: direct ones, those of its parent groups, and those that these
    /// include, each with where it comes from.
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
    /// assert_eq!(acme.now().all_roles_of_group("engineering").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn all_roles_of_group(&self, group: impl AsGroup) -> List<Inherited<WithOrigin<RoleRecord>>> {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope());
        List::about(group, self.about(EntityKind::Group, group.is_some()), |group| {
            self.roles_among(self.held_transitively([Source::Group(group)].into_iter()), false)
        })
    }

    fn roles_among(&self, found: HashMap<Source, Via>, suspended: bool) -> Vec<Inherited<WithOrigin<RoleRecord>>> {
        let roles = &self.compiled().state.roles;
        let found = found.into_iter().filter_map(|(source, via)| match source {
            Source::Role(n) => must(roles.row(n), NEAR_END).map(|row| Inherited { record: row.into(), via, suspended }),
            Source::Group(_) => None,
        });
        let mut found: Vec<Inherited<WithOrigin<RoleRecord>>> = found.collect();
        found.sort_by(|a, b| a.record.in_order(&b.record));
        found
    }

    /// Everything that a user has at the instant, directly or through others, whether suspended or not.
    fn sources(&self, user: &UserRow) -> HashMap<Source, Via> {
        let active = user.sources().filter(|(_, edge)| is_active(*edge, &self.when));
        self.held_transitively(active.map(|(source, _)| source))
    }

    /// These sources and all that they lead to, breadth first, each with where it was first reached from.
    fn held_transitively(&self, held: impl Iterator<Item = Source>) -> HashMap<Source, Via> {
        let state = &self.compiled().state;
        let active = |(to, edge)| is_active(edge, &self.when).then_some(to);
        let found = graph::breadth_first(held, |source| edges_of(state, source).filter_map(active));
        let via = |from: Option<Source>| from.map_or(Some(Via::Direct), |from| Via::of(state, from));
        found.into_iter().filter_map(|(source, from)| Some((source, via(from)?))).collect()
    }
}
