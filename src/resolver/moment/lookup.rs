//! Questions that look up and list users, groups, roles and permissions.

use std::cmp::Ordering;

use serde::Serialize;

use super::Moment;
use super::list::{List, WhyEmpty};
use super::page::{self, Page, PageRequest};
use crate::model::error::Asked;
use crate::model::internal_fault::must;
use crate::model::records::{GroupRecord, Name, PermissionId, PermissionRecord, RoleId, RoleRecord, Slug, UserRecord};
use crate::resolver::snapshot::edge::FAR_END;
use crate::resolver::snapshot::entity_rows::{PermissionRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsPermission, AsRole, AsUser, sealed};
use crate::resolver::snapshot::state::State;
pub use crate::resolver::snapshot::table::Origin;

/// A permission or role, and where it is defined.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::moment::Origin;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_permission("posts:read")?.done())?;
///
/// let found = acme.now().permission("posts:read").expect("it exists");
/// assert_eq!((found.record.slug.as_str(), found.origin), ("posts:read", Origin::Tenant));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithOrigin<R> {
    /// The permission or role.
    #[serde(flatten)]
    pub record: R,
    /// Where it is defined.
    pub origin: Origin,
    /// Whether its slug belongs to the tenant and to the catalog (R9). A permission then gives nothing. A question by the
    /// slug is about the catalog's; the other one is found by its id.
    pub in_conflict: bool,
}

impl WithOrigin<RoleRecord> {
    /// The order of lists: by slug, and of two with one slug the catalog's first (R9).
    pub(crate) fn in_order(&self, other: &Self) -> Ordering {
        let is_own = |role: &Self| role.origin == Origin::Tenant;
        self.record.slug.cmp(&other.record.slug).then_with(|| is_own(self).cmp(&is_own(other)))
    }
}

impl From<&PermissionRow> for WithOrigin<PermissionRecord> {
    fn from(row: &PermissionRow) -> Self {
        Self { record: row.record.clone(), origin: row.origin, in_conflict: row.in_conflict }
    }
}

impl From<&RoleRow> for WithOrigin<RoleRecord> {
    fn from(row: &RoleRow) -> Self {
        Self { record: row.record.clone(), origin: row.origin, in_conflict: row.in_conflict }
    }
}

macro_rules! accessors {
    ($($record:ty, $id:ty, $question:literal;)*) => {$(
        impl WithOrigin<$record> {
            /// Returns the id.
            #[doc = concat!("```\n# let acme = rolecall::blocking::Authorizer::in_memory().create_tenant(\"a\", \"A\")?;\n# acme.update(|tx| {\n#     tx.create_role(\"editor\")?;\n#     tx.create_permission(\"posts:read\")?.done()\n# })?;\nlet found = acme.now().", $question, ".expect(\"it exists\");\nassert_eq!(found.id(), found.record.id);\n# Ok::<(), rolecall::Error>(())\n```")]
            pub fn id(&self) -> $id {
                self.record.id
            }

            /// Returns the slug.
            #[doc = concat!("```\n# let acme = rolecall::blocking::Authorizer::in_memory().create_tenant(\"a\", \"A\")?;\n# acme.update(|tx| {\n#     tx.create_role(\"editor\")?;\n#     tx.create_permission(\"posts:read\")?.done()\n# })?;\nlet found = acme.now().", $question, ".expect(\"it exists\");\nassert_eq!(*found.slug(), found.record.slug);\n# Ok::<(), rolecall::Error>(())\n```")]
            pub fn slug(&self) -> &Slug {
                &self.record.slug
            }

            /// Returns the display name.
            #[doc = concat!("```\n# let acme = rolecall::blocking::Authorizer::in_memory().create_tenant(\"a\", \"A\")?;\n# acme.update(|tx| {\n#     tx.create_role(\"editor\")?;\n#     tx.create_permission(\"posts:read\")?.done()\n# })?;\nlet found = acme.now().", $question, ".expect(\"it exists\");\nassert_eq!(*found.name(), found.record.name);\n# Ok::<(), rolecall::Error>(())\n```")]
            pub fn name(&self) -> &Name {
                &self.record.name
            }
        }
    )*};
}

accessors! {
    RoleRecord, RoleId, "role(\"editor\")";
    PermissionRecord, PermissionId, "permission(\"posts:read\")";
}

macro_rules! origin_names {
    ($($as:ident, $trait:ident, $find:ident, $text:ident, $record:ty;)*) => {$(
        impl sealed::$trait for &WithOrigin<$record> {
            fn $find(&self, scope: sealed::Scope<'_>) -> Option<u32> {
                self.record.$find(scope)
            }

            fn $text(&self) -> Asked {
                self.record.$text()
            }
        }

        impl $as for &WithOrigin<$record> {}
    )*};
}

origin_names! {
    AsPermission, Permission, permission, permission_text, PermissionRecord;
    AsRole, Role, role, role_text, RoleRecord;
}

impl Moment<'_> {
    /// Returns a user.
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
    /// assert_eq!(acme.now().user("alice").unwrap().key, "alice");
    /// assert!(acme.now().user("mallory").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn user(&self, user: impl AsUser) -> Option<UserRecord> {
        let snapshot = self.compiled();
        let number = user.user(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.users.row(number).map(|row| row.record.clone())
    }

    /// Returns a group.
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
    /// assert_eq!(acme.now().group("engineering").unwrap().slug, "engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn group(&self, group: impl AsGroup) -> Option<GroupRecord> {
        let snapshot = self.compiled();
        let number = group.group(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.groups.row(number).map(|row| row.record.clone())
    }

    /// Returns a role, of the tenant or of the catalog.
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
    /// assert_eq!(acme.now().role("editor").unwrap().record.slug, "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn role(&self, role: impl AsRole) -> Option<WithOrigin<RoleRecord>> {
        let snapshot = self.compiled();
        let number = role.role(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.roles.row(number).map(WithOrigin::from)
    }

    /// Returns a permission, of the tenant or of the catalog.
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
    /// assert_eq!(acme.now().permission("posts:write").unwrap().record.slug, "posts:write");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permission(&self, permission: impl AsPermission) -> Option<WithOrigin<PermissionRecord>> {
        let snapshot = self.compiled();
        let number = permission.permission(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.permissions.row(number).map(WithOrigin::from)
    }

    /// Returns a page of users, by key. A search looks at keys and display names.
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
    /// let page = acme.now().users(&PageRequest::of(50).search("ali"));
    /// assert_eq!(page.items.len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(log n + page size). With a search, also the entries that are skipped.
    pub fn users(&self, page: &PageRequest) -> Page<UserRecord> {
        let users = &self.compiled().state.users;
        let found = page::of_table(users, page, |row| page.finds_user(&row.record));
        let record = |n| users.row(n).map(|row| row.record.clone());
        Page::new(found, page, WhyEmpty::unavailable(self.unavailable()), |n| users.name_at(n), record)
    }

    /// Returns a page of groups, by slug. A search looks at slugs and names.
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
    /// assert_eq!(acme.now().groups(&PageRequest::of(50)).items.len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn groups(&self, page: &PageRequest) -> Page<GroupRecord> {
        let groups = &self.compiled().state.groups;
        let found =
            page::of_table(groups, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        let record = |n| groups.row(n).map(|row| row.record.clone());
        Page::new(found, page, WhyEmpty::unavailable(self.unavailable()), |n| groups.name_at(n), record)
    }

    /// Returns a page of roles, those of the catalog included, by slug. A search looks at slugs and names.
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
    /// assert_eq!(acme.now().roles(&PageRequest::of(50)).items.len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles(&self, page: &PageRequest) -> Page<WithOrigin<RoleRecord>> {
        let roles = &self.compiled().state.roles;
        let found =
            page::of_table(roles, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        Page::new(
            found,
            page,
            WhyEmpty::unavailable(self.unavailable()),
            |n| roles.cursor_at(n),
            |n| roles.row(n).map(WithOrigin::from),
        )
    }

    /// Returns a page of permissions, those of the catalog included, by slug. A search looks at slugs and names.
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
    /// assert_eq!(acme.now().permissions(&PageRequest::of(50)).items.len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permissions(&self, page: &PageRequest) -> Page<WithOrigin<PermissionRecord>> {
        let all = &self.compiled().state.permissions;
        let found = page::of_table(all, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        Page::new(
            found,
            page,
            WhyEmpty::unavailable(self.unavailable()),
            |n| all.cursor_at(n),
            |n| all.row(n).map(WithOrigin::from),
        )
    }

    /// Returns the users that this directory manages (R16), by key. Empty if the tenant is
    /// [unavailable](Moment::unavailable), or if the directory manages nobody: a directory is only a name.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?;
    ///     tx.create_user("local")?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().users_managed_by("okta").count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for all users of the tenant.
    pub fn users_managed_by(&self, manager: &str) -> impl Iterator<Item = &UserRecord> {
        let users = &self.compiled().state.users;
        let is_managed = move |row: &UserRow| row.record.managed_by().is_some_and(|by| by.as_str() == manager);
        users.rows_that(users.sorted().filter(|_| self.answers()), is_managed).map(|row| &row.record)
    }

    /// Returns the direct members of a group who are managed by this directory (R16), by key, whatever the windows of their
    /// memberships are. Empty if the group does not exist, or the tenant is [unavailable](Moment::unavailable). A directory asks
    /// for them, for example. [`Moment::members`] returns all members in pages, and says why there are none.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_group("staff")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?.join("staff")?;
    ///     tx.create_user("local")?.join("staff")?.done()
    /// })?;
    /// let keys: Vec<_> = acme.now().members_managed_by("staff", "okta").map(|user| user.key.to_string()).collect();
    /// assert_eq!(keys, ["alice"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for all direct members of the group. Nothing is copied.
    pub fn members_managed_by(&self, group: impl AsGroup, manager: &str) -> impl Iterator<Item = &UserRecord> {
        let snapshot = self.compiled();
        let State { users, groups, .. } = &snapshot.state;
        let row = group.group(snapshot.scope()).and_then(|number| groups.row(number)).filter(|_| self.answers());
        let members = row.into_iter().flat_map(|row| row.members.iter());
        let records =
            members.filter_map(move |reverse| must(users.row(reverse.from()), FAR_END)).map(|row| &row.record);
        records.filter(move |record| record.managed_by().is_some_and(|by| by.as_str() == manager))
    }

    /// Returns the groups that this directory manages (R16), by slug. Empty if the tenant is
    /// [unavailable](Moment::unavailable).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_group("staff")?.set_managed_by(Some("okta"))?;
    ///     tx.create_group("local")?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().groups_managed_by("okta").count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for all groups of the tenant.
    pub fn groups_managed_by(&self, manager: &str) -> impl Iterator<Item = &GroupRecord> {
        let groups = &self.compiled().state.groups;
        let records = groups.sorted().filter_map(|number| groups.row(number)).map(|row| &row.record);
        let is_managed = move |record: &&GroupRecord| record.managed_by().is_some_and(|by| by.as_str() == manager);
        records.filter(|_| self.answers()).filter(is_managed)
    }

    /// Returns the roles that are removed from the catalog and that the tenant still refers to, by slug (R9).
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
    /// assert!(acme.now().roles_removed_from_catalog().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles_removed_from_catalog(&self) -> List<WithOrigin<RoleRecord>> {
        let rows = self.compiled().state.roles.rows().filter(|row| row.origin == Origin::RemovedFromCatalog);
        let mut removed_from_catalog: Vec<WithOrigin<RoleRecord>> = rows.map(WithOrigin::from).collect();
        removed_from_catalog.sort_by(|a, b| a.record.slug.cmp(&b.record.slug));
        let why = WhyEmpty::unavailable(self.unavailable());
        List::about(Some(removed_from_catalog), why, |removed_from_catalog| removed_from_catalog)
    }

    /// Returns the permissions that are removed from the catalog and that the tenant still refers to, by slug (R9).
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
    /// assert!(acme.now().permissions_removed_from_catalog().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permissions_removed_from_catalog(&self) -> List<WithOrigin<PermissionRecord>> {
        let rows = self.compiled().state.permissions.rows().filter(|row| row.origin == Origin::RemovedFromCatalog);
        let mut removed_from_catalog: Vec<WithOrigin<PermissionRecord>> = rows.map(WithOrigin::from).collect();
        removed_from_catalog.sort_by(|a, b| a.record.slug.cmp(&b.record.slug));
        let why = WhyEmpty::unavailable(self.unavailable());
        List::about(Some(removed_from_catalog), why, |removed_from_catalog| removed_from_catalog)
    }
}
