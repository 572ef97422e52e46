//! The nouns: tenant, permission, role, group, user. A noun has an id that does not change and a name that may.

use serde::{Deserialize, Serialize};

use super::directory::{Directory, Profile, directory_accessors};
use super::{Description, ExternalId, GroupId, Manager, Name, PermissionId, RoleId, Slug, TenantSlug, UserId, UserKey};

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
///
/// ```
/// use rolecall::records::{Description, GroupId, GroupRecord, Manager, Name, Slug};
///
/// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
/// let mut group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
/// group.set_managed_by(Some(Manager::new("okta")?));
/// assert_eq!(group.managed_by().unwrap(), "okta");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "GroupFields", into = "GroupFields")]
pub struct GroupRecord {
    /// Does not change.
    pub id: GroupId,
    /// Unique among the tenant's groups.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: Description,
    pub(super) directory: Option<Box<Directory>>,
}

impl GroupRecord {
    /// A group of the tenant's own, which no directory manages.
    pub fn new(id: GroupId, slug: Slug, name: Name, description: Description) -> Self {
        Self { id, slug, name, description, directory: None }
    }
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
///
/// ```
/// use rolecall::records::{Name, Status, UserId, UserKey, UserRecord};
///
/// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice@acme.com")?);
/// assert_eq!((user.name(), user.status), ("alice@acme.com", Status::Active));
/// user.set_name(Some(Name::new("Alice Adams")?));
/// assert_eq!(user.name(), "Alice Adams");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "UserFields", into = "UserFields")]
pub struct UserRecord {
    /// Does not change.
    pub id: UserId,
    /// Unique among the tenant's users.
    pub key: UserKey,
    /// Active or suspended.
    pub status: Status,
    pub(super) profile: Option<Box<Profile>>,
}

impl UserRecord {
    /// An active user of the tenant's own, without a display name.
    pub fn new(id: UserId, key: UserKey) -> Self {
        Self { id, key, status: Status::Active, profile: None }
    }

    /// The same user with this status.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The name to show: the display name, or the key of a user that has none.
    pub fn name(&self) -> &str {
        self.display_name().map_or(self.key.as_str(), Name::as_str)
    }

    /// The display name, if the user was given one.
    pub fn display_name(&self) -> Option<&Name> {
        self.profile.as_deref().and_then(|profile| profile.name.as_ref())
    }

    /// Sets or clears the display name.
    pub fn set_name(&mut self, name: Option<Name>) {
        self.edit_profile(|profile| profile.name = name);
    }
}

/// A group as it is written: all fields side by side. Formats without names (postcard) count on their number and order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFields {
    id: GroupId,
    slug: Slug,
    name: Name,
    description: Description,
    external_id: Option<ExternalId>,
    managed_by: Option<Manager>,
}

/// A user as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFields {
    id: UserId,
    key: UserKey,
    name: Option<Name>,
    status: Status,
    external_id: Option<ExternalId>,
    managed_by: Option<Manager>,
}

impl From<GroupRecord> for GroupFields {
    fn from(group: GroupRecord) -> Self {
        let (external_id, managed_by) = (group.external_id().cloned(), group.managed_by().cloned());
        let GroupRecord { id, slug, name, description, directory: _ } = group;
        Self { id, slug, name, description, external_id, managed_by }
    }
}

impl From<GroupFields> for GroupRecord {
    fn from(fields: GroupFields) -> Self {
        let GroupFields { id, slug, name, description, external_id, managed_by } = fields;
        let mut group = Self::new(id, slug, name, description);
        group.set_external_id(external_id);
        group.set_managed_by(managed_by);
        group
    }
}

impl From<UserRecord> for UserFields {
    fn from(user: UserRecord) -> Self {
        let (external_id, managed_by) = (user.external_id().cloned(), user.managed_by().cloned());
        let name = user.display_name().cloned();
        let UserRecord { id, key, status, profile: _ } = user;
        Self { id, key, name, status, external_id, managed_by }
    }
}

impl From<UserFields> for UserRecord {
    fn from(fields: UserFields) -> Self {
        let UserFields { id, key, name, status, external_id, managed_by } = fields;
        let mut user = Self::new(id, key).with_status(status);
        user.set_name(name);
        user.set_external_id(external_id);
        user.set_managed_by(managed_by);
        user
    }
}

directory_accessors! {
    UserRecord, "user";
    GroupRecord, "group";
}

impl GroupRecord {
    fn directory(&self) -> Option<&Directory> {
        self.directory.as_deref()
    }

    fn edit_directory(&mut self, edit: impl FnOnce(&mut Directory)) {
        let mut directory = self.directory.take().unwrap_or_default();
        edit(&mut directory);
        // Two equal records are equal in memory, too.
        self.directory = Some(directory).filter(|directory| !directory.is_empty());
    }
}

impl UserRecord {
    fn directory(&self) -> Option<&Directory> {
        self.profile.as_deref().map(|profile| &profile.directory)
    }

    fn edit_directory(&mut self, edit: impl FnOnce(&mut Directory)) {
        self.edit_profile(|profile| edit(&mut profile.directory));
    }

    pub(super) fn edit_profile(&mut self, edit: impl FnOnce(&mut Profile)) {
        let mut profile = self.profile.take().unwrap_or_default();
        edit(&mut profile);
        self.profile = Some(profile).filter(|profile| profile.name.is_some() || !profile.directory.is_empty());
    }
}
