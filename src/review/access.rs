//! The access report lists which user has which permission, through what, and from when until when.
//!
//! It goes from user to user. The paths of one user to all of its permissions are found in one search
//! (`resolver/explain/first.rs`), so a row costs little more than its text.

mod rows;

pub use self::rows::{AccessRow, AccessRows};

use self::rows::users_from;
use crate::model::clock::When;
use crate::model::error::EntityKind;
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::moment::Moment;
use crate::resolver::moment::list::WhyEmpty;
use crate::resolver::snapshot::names::{AsGroup, AsPermission, AsRole, AsUser};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::{reverse, walk};

impl Moment<'_> {
    /// Returns a report of the users who are allowed something at this instant: one row for each user and permission, with a
    /// path and the end of the access.
    ///
    /// Narrow it down with its methods, and read it with [`rows`](AccessReport::rows). There is a row for each user and
    /// permission for which the check is *allowed*, and no other. So suspended users have none (R4).
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:read")?;
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("reader")?.grant("posts:read")?;
    ///     tx.create_role("editor")?.grant("posts:write")?.include("reader")?;
    ///     tx.create_group("staff")?.assign("reader")?;
    ///     tx.create_user("alice")?.assign("editor")?;
    ///     tx.create_user("bob")?.join("staff")?.done()
    /// })?;
    /// let now = acme.now();
    /// let lines: Vec<String> = now.access_report().rows().map(|row| format!("{} {}", row.user, row.permission)).collect();
    /// assert_eq!(lines, ["alice posts:read", "alice posts:write", "bob posts:read"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// All rows are about the revision and the instant of the moment, even if the tenant changes meanwhile.
    pub fn access_report(&self) -> AccessReport<'_> {
        AccessReport {
            moment: self,
            why: WhyEmpty::unavailable(self.unavailable()),
            users: None,
            permissions: None,
            after: String::new(),
            every_path: false,
        }
    }
}

/// An access report that has not been read yet. [`Moment::access_report`] returns one.
///
/// Several restrictions hold together.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:*")?;
/// #     tx.create_user("alice")?.assign("editor")?;
/// #     tx.create_user("bob")?.assign("editor")?.done()
/// # })?;
/// let now = acme.now();
/// let report = now.access_report().role("editor").permission("posts:write");
/// assert_eq!(report.rows().map(|row| row.user.to_string()).collect::<Vec<_>>(), ["alice", "bob"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a report is read with `rows`"]
pub struct AccessReport<'m> {
    moment: &'m Moment<'m>,
    why: WhyEmpty,
    users: Option<Bits>,
    permissions: Option<Bits>,
    after: String,
    every_path: bool,
}

impl<'m> AccessReport<'m> {
    /// Restricts the report to one user.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// assert_eq!(acme.now().access_report().user("alice").rows().count(), 0);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn user(mut self, user: impl AsUser) -> Self {
        let snapshot = self.moment.compiled();
        let user = user.user(snapshot.scope());
        self.find(EntityKind::User, user.is_some());
        self.only_users(user.into_iter().collect());
        self
    }

    /// Restricts the report to the permissions that direct and inherited members of a group have through it. They may have
    /// it in another way, too; the path in a row is a shortest one.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?;
    /// #     tx.create_group("staff")?.assign("reader")?;
    /// #     tx.create_user("alice")?.join("staff")?.assign("editor")?.done()
    /// # })?;
    /// assert_eq!(acme.now().access_report().group("staff").rows().count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// That of [`Moment::all_members`], and then of the rows of those.
    pub fn group(mut self, group: impl AsGroup) -> Self {
        let (state, when) = (&self.moment.compiled().state, self.when());
        let group = group.group(self.moment.compiled().scope()).filter(|n| state.groups.row(*n).is_some());
        self.find(EntityKind::Group, group.is_some());
        let groups = reverse::with_subgroups(state, group.into_iter().collect(), &when);
        self.only_users(reverse::users_of(state, &Bits::new(), &groups, &when));
        self.only_permissions(walk::effective_from(state, group.map(Source::Group).into_iter(), &when));
        self
    }

    /// Restricts the report to the permissions that direct and inherited holders of a role have through it. They may have it
    /// in another way, too; the path in a row is a shortest one.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.now().access_report().role("reader").rows().count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// That of [`Moment::all_holders`], and then of the rows of those.
    pub fn role(mut self, role: impl AsRole) -> Self {
        let (state, when) = (&self.moment.compiled().state, self.when());
        let role = role.role(self.moment.compiled().scope()).filter(|n| state.roles.row(*n).is_some());
        self.find(EntityKind::Role, role.is_some());
        let roles = reverse::with_includers(state, role.into_iter().collect());
        let groups = reverse::groups_having(state, &roles, &when);
        self.only_users(reverse::users_of(state, &roles, &groups, &when));
        self.only_permissions(walk::effective_from(state, role.map(Source::Role).into_iter(), &when));
        self
    }

    /// Restricts the report to one permission.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for slug in ["posts:read", "posts:write"] { tx.create_permission(slug)?; }
    /// #     tx.create_role("editor")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("editor")?.done()
    /// # })?;
    /// assert_eq!(acme.now().access_report().permission("posts:read").rows().count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The cost of [`Moment::who_can`], plus that of the rows of the users found.
    pub fn permission(mut self, permission: impl AsPermission) -> Self {
        let (state, when) = (&self.moment.compiled().state, self.when());
        let permission = permission.permission(self.moment.compiled().scope());
        let row = permission.and_then(|n| state.permissions.row(n));
        self.find(EntityKind::Permission, row.is_some_and(|row| row.in_conflict || row.is_grantable()));
        if row.is_some_and(|row| row.in_conflict) {
            self.why.unavailable = self.why.unavailable.or(Some(Reason::CatalogConflict));
        }
        if let Some(permission) = permission.filter(|_| self.why.is_none()) {
            let (roles, groups) = reverse::sources_giving(state, permission, &when);
            self.only_users(reverse::users_of(state, &roles, &groups, &when));
            self.only_permissions([permission].into_iter().collect());
        }
        self
    }

    /// Begins after the user with this key. So a page of a report ends with the last row of a user, and the next one begins
    /// after that user.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     for key in ["alice", "bob"] { tx.create_user(key)?.assign("reader")?; }
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.now().access_report().after("alice").rows().next().unwrap().user, "bob");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.after = key.into();
        self
    }

    /// Asks for a row for every path, and not only for a shortest one. There are as many as an
    /// [`Explanation`](crate::Explanation) has: at most 64 for each user and permission.
    ///
    /// Use it before you revoke something, because the user may have it in another way, too.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.now().access_report().rows().count(), 1);
    /// assert_eq!(acme.now().access_report().every_path().rows().count(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For each user and permission as [`Moment::explain`].
    pub fn every_path(mut self) -> Self {
        self.every_path = true;
        self
    }

    /// Returns why the tenant, or the permission, cannot be asked about. The report is empty then.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().access_report().unavailable().is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn unavailable(&self) -> Option<Reason> {
        self.why.unavailable
    }

    /// Returns the kind of the user, group, role or permission that the report is restricted to, if it does not exist. The
    /// report is empty then.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert_eq!(acme.now().access_report().role("editro").unknown(), Some(rolecall::EntityKind::Role));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn unknown(&self) -> Option<EntityKind> {
        self.why.unknown
    }

    /// Returns the rows, by the key of the user and then by the slug of the permission. Those of one user and permission
    /// begin with the shortest path.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// let now = acme.now();
    /// for row in now.access_report().rows() {
    ///     println!("{}", row.to_csv());
    /// }
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Before the first row O(permissions), and O(users) if the report is restricted to some. For each user O(groups and
    /// roles of the user, their relations and grants), and for each row the length of its path. Where a path has a window, as
    /// [`Moment::access_windows`]. Memory: that of the permissions of one user, and a few bits for each
    /// user of the tenant if the report is restricted to some.
    pub fn rows(self) -> AccessRows<'m> {
        let state = &self.moment.compiled().state;
        let (when, why) = (self.when(), self.why);
        let (permissions, every_path) = (self.permissions, self.every_path);
        let is_empty = why.is_some() || permissions.as_ref().is_some_and(Bits::is_empty);
        let ranks = if is_empty { Vec::new() } else { ranks(state) };
        let users = if is_empty { Box::new(std::iter::empty()) } else { users_from(state, self.users, &self.after) };
        let only = permissions.as_ref().filter(|wanted| wanted.len() == 1).and_then(|wanted| wanted.iter().next());
        AccessRows { state, when, users, permissions, only, ranks, every_path, current: None }
    }

    fn when(&self) -> When<'static> {
        When::Chosen(self.moment.instant())
    }

    fn find(&mut self, entity: EntityKind, is_found: bool) {
        self.why = self.why.or(WhyEmpty::about(entity, is_found, self.why.unavailable));
    }

    fn only_users(&mut self, users: Bits) {
        only(&mut self.users, users);
    }

    fn only_permissions(&mut self, permissions: Bits) {
        only(&mut self.permissions, permissions);
    }
}

fn only(all: &mut Option<Bits>, these: Bits) {
    match all {
        Some(all) => all.intersect_with(&these),
        None => *all = Some(these),
    }
}

/// The place of each permission in the bytewise order of slugs.
fn ranks(state: &State) -> Vec<u32> {
    let mut ranks = Vec::new();
    for (rank, number) in (0..).zip(state.permissions.sorted()) {
        let at = number as usize;
        if ranks.len() <= at {
            ranks.resize(at + 1, 0);
        }
        if let Some(place) = ranks.get_mut(at) {
            *place = rank;
        }
    }
    ranks
}
