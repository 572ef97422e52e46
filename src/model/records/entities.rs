//! The nouns: tenant, permission, role, group, user. A noun has an id that does not change and a name that may.

use serde::{Deserialize, Serialize};

use super::{Description, GroupId, Name, PermissionId, RoleId, Slug, TenantSlug, UserId, UserKey};

/// The tenant itself. There is one in every life; a commit that removes it ends the life.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// Unique among the living tenants of a store.
    pub slug: TenantSlug,
    /// The display name.
    pub name: Name,
}

/// A permission of the tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// Does not change.
    pub id: PermissionId,
    /// Unique among the tenant's permissions and the catalog's.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: Description,
    /// Where an administration page groups it.
    pub category: Option<Name>,
}

/// A role of the tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRecord {
    /// Does not change.
    pub id: RoleId,
    /// Unique among the tenant's roles and the catalog's.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: Description,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Does not change.
    pub id: GroupId,
    /// Unique among the tenant's groups.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: Description,
}

/// Whether a user may do anything at all (R4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Memberships and assignments count.
    #[default]
    Active,
    /// Nothing counts; everything is still listed.
    Suspended,
}

/// A user: a principal that the application knows by a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// Does not change.
    pub id: UserId,
    /// Unique among the tenant's users.
    pub key: UserKey,
    /// Active or suspended.
    pub status: Status,
}
