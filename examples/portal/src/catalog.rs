//! The permissions of the portal itself: its permissions and the role of its administrators. Every tenant has them.

use rolecall_axum::RequiredPermission;

rolecall::catalog! {
    /// A permission in the portal.
    pub enum Permission {
        /// Read groups, their members and their roles.
        GroupsRead = "groups:read" { name: "Read groups", category: "Portal" },
        /// Change groups, their members, their roles and their subgroups.
        GroupsManage = "groups:manage" { name: "Manage groups", category: "Portal" },
        /// Read users, their groups and their roles.
        UsersRead = "users:read" { name: "Read users", category: "Portal" },
        /// Change users and their roles.
        UsersManage = "users:manage" { name: "Manage users", category: "Portal" },
        /// Read roles, and what they grant and include.
        RolesRead = "roles:read" { name: "Read roles", category: "Portal" },
        /// Change roles, and what they grant and include.
        RolesManage = "roles:manage" { name: "Manage roles", category: "Portal" },
        /// Read permissions.
        PermissionsRead = "permissions:read" { name: "Read permissions", category: "Portal" },
        /// Change permissions.
        PermissionsManage = "permissions:manage" { name: "Manage permissions", category: "Portal" },
        /// Ask what any user may do, and why.
        AccessRead = "access:read" { name: "Ask who may do what", category: "Portal" },
        /// Read who changed what, and when.
        HistoryRead = "history:read" { name: "Read the history", category: "Portal" },
        /// Hand users and groups to a directory, and release them.
        DirectoriesManage = "directories:manage" { name: "Hand over to directories", category: "Portal" },
        /// Export the whole tenant.
        TenantExport = "tenant:export" { name: "Export the tenant", category: "Portal" },
    }
    /// The roles of the portal.
    pub enum SystemRole {
        /// May do everything, and give everything.
        Administrator = "administrator" { name: "Administrator", grants: ["*"] },
        /// May read everything in the portal.
        Auditor = "auditor" {
            name: "Auditor",
            grants: [GroupsRead, UsersRead, RolesRead, PermissionsRead, AccessRead, HistoryRead],
        },
    }
}

macro_rules! required {
    ($($Name:ident),+ $(,)?) => {$(
        #[doc = concat!("Requires [`Permission::", stringify!($Name), "`].")]
        #[derive(Debug)]
        pub struct $Name;

        impl RequiredPermission for $Name {
            type Permission = Permission;
            const PERMISSION: Permission = Permission::$Name;
        }
    )+};
}

/// The permissions as types, for the signatures of handlers: `Permitted<required::GroupsRead>`.
pub mod required {
    use super::{Permission, RequiredPermission};

    required! {
        GroupsRead, GroupsManage, UsersRead, UsersManage, RolesRead, RolesManage, PermissionsRead, PermissionsManage,
        AccessRead, HistoryRead, DirectoriesManage, TenantExport,
    }
}
