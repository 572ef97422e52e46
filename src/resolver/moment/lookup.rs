//! Looking things up, and listing them.

use std::ops::Deref;

use serde::Serialize;

use super::Moment;
use super::page::{self, Page, PageRequest};
use crate::model::records::{GroupRecord, PermissionRecord, RoleRecord, UserRecord};
use crate::resolver::snapshot::entity_rows::{PermissionRow, RoleRow};
use crate::resolver::snapshot::names::{AsGroup, AsPermission, AsRole, AsUser, sealed};
use crate::resolver::snapshot::table::Origin;

/// A permission or role, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithOrigin<R> {
    /// What there is to say about it.
    #[serde(flatten)]
    pub record: R,
    /// Whether the application's catalog defines it: then the tenant can use it, and not change it.
    pub system: bool,
    /// Whether it has left the catalog: then it gives nothing, and the tenant still refers to it.
    pub removed_from_catalog: bool,
}

impl<R> WithOrigin<R> {
    fn new(record: R, origin: Origin) -> Self {
        Self { record, system: origin != Origin::Tenant, removed_from_catalog: origin == Origin::RemovedFromCatalog }
    }
}

impl<R> Deref for WithOrigin<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.record
    }
}

impl From<&PermissionRow> for WithOrigin<PermissionRecord> {
    fn from(row: &PermissionRow) -> Self {
        Self::new(row.record.clone(), row.origin)
    }
}

impl From<&RoleRow> for WithOrigin<RoleRecord> {
    fn from(row: &RoleRow) -> Self {
        Self::new(row.record.clone(), row.origin)
    }
}

macro_rules! owned_names {
    ($($as:ident, $trait:ident, $find:ident, $text:ident, $record:ty;)*) => {$(
        impl sealed::$trait for &WithOrigin<$record> {
            fn $find(&self, scope: sealed::Scope<'_>) -> Option<u32> {
                self.record.$find(scope)
            }

            fn $text(&self) -> String {
                self.record.$text()
            }
        }

        impl $as for &WithOrigin<$record> {}
    )*};
}

owned_names! {
    AsPermission, Permission, permission, permission_text, PermissionRecord;
    AsRole, Role, role, role_text, RoleRecord;
}

impl Moment<'_> {
    /// The user of this name.
    pub fn user(&self, user: impl AsUser) -> Option<UserRecord> {
        let snapshot = self.compiled();
        let number = user.user(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.users.row(number).map(|row| row.record.clone())
    }

    /// The group of this name.
    pub fn group(&self, group: impl AsGroup) -> Option<GroupRecord> {
        let snapshot = self.compiled();
        let number = group.group(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.groups.row(number).map(|row| row.record.clone())
    }

    /// The role of this name, the tenant's or the catalog's.
    pub fn role(&self, role: impl AsRole) -> Option<WithOrigin<RoleRecord>> {
        let snapshot = self.compiled();
        let number = role.role(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.roles.row(number).map(WithOrigin::from)
    }

    /// The permission of this name, the tenant's or the catalog's.
    pub fn permission(&self, permission: impl AsPermission) -> Option<WithOrigin<PermissionRecord>> {
        let snapshot = self.compiled();
        let number = permission.permission(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.permissions.row(number).map(WithOrigin::from)
    }

    /// A page of all users, by key. The search looks at keys and display names.
    ///
    /// # Complexity
    /// O(log n + the page); with a search text, O(what is passed over).
    pub fn users(&self, page: &PageRequest) -> Page<UserRecord> {
        let users = &self.compiled().state.users;
        let found = page::of_table(users, page, |row| page.finds_user(&row.record));
        let record = |n| users.row(n).map(|row| row.record.clone());
        Page::new(found, page, self.unavailable(), |n| users.name_at(n), record)
    }

    /// A page of all groups, by slug. The search looks at slugs and names.
    ///
    /// # Complexity
    /// O(log n + the page); with a search text, O(what is passed over).
    pub fn groups(&self, page: &PageRequest) -> Page<GroupRecord> {
        let groups = &self.compiled().state.groups;
        let found =
            page::of_table(groups, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        let record = |n| groups.row(n).map(|row| row.record.clone());
        Page::new(found, page, self.unavailable(), |n| groups.name_at(n), record)
    }

    /// A page of all roles, the tenant's and the catalog's, by slug. The search looks at slugs and names.
    ///
    /// # Complexity
    /// O(log n + the page); with a search text, O(what is passed over).
    pub fn roles(&self, page: &PageRequest) -> Page<WithOrigin<RoleRecord>> {
        let roles = &self.compiled().state.roles;
        let found =
            page::of_table(roles, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        Page::new(found, page, self.unavailable(), |n| roles.name_at(n), |n| roles.row(n).map(WithOrigin::from))
    }

    /// A page of all permissions, the tenant's and the catalog's, by slug. The search looks at slugs and names.
    ///
    /// # Complexity
    /// O(log n + the page); with a search text, O(what is passed over).
    pub fn permissions(&self, page: &PageRequest) -> Page<WithOrigin<PermissionRecord>> {
        let all = &self.compiled().state.permissions;
        let found = page::of_table(all, page, |row| page.finds(&[row.record.slug.as_str(), row.record.name.as_str()]));
        Page::new(found, page, self.unavailable(), |n| all.name_at(n), |n| all.row(n).map(WithOrigin::from))
    }

    /// Roles that the tenant refers to and that have left the catalog. They give nothing (R9).
    pub fn roles_removed_from_catalog(&self) -> Vec<WithOrigin<RoleRecord>> {
        let rows = self.compiled().state.roles.rows().filter(|row| row.origin == Origin::RemovedFromCatalog);
        let mut removed_from_catalog: Vec<WithOrigin<RoleRecord>> =
            rows.filter(|_| self.answers()).map(WithOrigin::from).collect();
        removed_from_catalog.sort_by(|a, b| a.slug.cmp(&b.slug));
        removed_from_catalog
    }

    /// Permissions that the tenant refers to and that have left the catalog. Nobody has them (R9).
    pub fn permissions_removed_from_catalog(&self) -> Vec<WithOrigin<PermissionRecord>> {
        let rows = self.compiled().state.permissions.rows().filter(|row| row.origin == Origin::RemovedFromCatalog);
        let mut removed_from_catalog: Vec<WithOrigin<PermissionRecord>> =
            rows.filter(|_| self.answers()).map(WithOrigin::from).collect();
        removed_from_catalog.sort_by(|a, b| a.slug.cmp(&b.slug));
        removed_from_catalog
    }
}
