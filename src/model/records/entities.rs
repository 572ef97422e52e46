//! The entities: tenant, permission, role, group and user. The id of an entity never changes; its slug or key may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::directory::{Directory, Profile, directory_accessors};
use super::{Description, ExternalId, GroupId, Manager, Name, PermissionId, RoleId, Slug, TenantSlug, UserId, UserKey};
use crate::model::error::{Error, Result};

/// The tenant itself. A tenant has exactly one such record, and the commit that removes it deletes the tenant.
///
/// ```
/// use rolecall::records::{Name, TenantRecord, TenantSlug};
///
/// let tenant = TenantRecord { slug: TenantSlug::new("acme")?, name: Name::new("Acme Corp")? };
/// assert_eq!(tenant.slug, "acme");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// The slug, which is unique among the tenants of a store that are not deleted.
    pub slug: TenantSlug,
    /// The display name.
    pub name: Name,
}

/// A permission of the tenant's own.
///
/// ```
/// use rolecall::records::{Description, Name, PermissionId, PermissionRecord, Slug};
///
/// let permission = PermissionRecord {
///     id: PermissionId::random(),
///     slug: Slug::new("posts:write")?,
///     name: Name::new("Write posts")?,
///     description: Description::default(),
///     category: Some(Name::new("Posts")?),
/// };
/// assert_eq!(permission.slug, "posts:write");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// The id, which never changes.
    pub id: PermissionId,
    /// The slug, which is unique among the permissions of the tenant and the catalog.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// The description, which may be empty.
    pub description: Description,
    /// The heading under which an administration page lists it.
    pub category: Option<Name>,
}

/// A role of the tenant's own.
///
/// ```
/// use rolecall::records::{Description, Name, RoleId, RoleRecord, Slug};
///
/// let role = RoleRecord {
///     id: RoleId::random(),
///     slug: Slug::new("editor")?,
///     name: Name::new("Editor")?,
///     description: Description::default(),
/// };
/// assert_eq!(role.slug, "editor");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRecord {
    /// The id, which never changes.
    pub id: RoleId,
    /// The slug, which is unique among the roles of the tenant and the catalog.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// The description, which may be empty.
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
    /// The id, which never changes.
    pub id: GroupId,
    /// The slug, which is unique among the groups of the tenant.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// The description, which may be empty.
    pub description: Description,
    pub(super) directory: Option<Box<Directory>>,
}

impl GroupRecord {
    /// Creates a group that no directory manages.
    ///
    /// ```
    /// use rolecall::records::{Description, GroupId, GroupRecord, Name, Slug};
    ///
    /// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
    /// let group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
    /// assert_eq!(group.managed_by(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn new(id: GroupId, slug: Slug, name: Name, description: Description) -> Self {
        Self { id, slug, name, description, directory: None }
    }
}

/// Whether a user is active or suspended (R4).
///
/// ```
/// use rolecall::records::Status;
///
/// assert_eq!(Status::default(), Status::Active);
/// assert_eq!("suspended".parse::<Status>()?.to_string(), "suspended");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The memberships and assignments of the user have effect.
    #[default]
    Active,
    /// Every check is denied. Memberships and assignments are still listed.
    Suspended,
}

impl Status {
    /// Its word in texts, which is also that of its serialised form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// Writes the status as in JSON.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Parses what `Display` writes.
impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let statuses = [Self::Active, Self::Suspended].into_iter();
        let mut named = statuses.filter(|status| status.word() == text);
        named.next().ok_or_else(|| Error::invalid("status", text, "`active` or `suspended`"))
    }
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
    /// The id, which never changes.
    pub id: UserId,
    /// The key, which is unique among the users of the tenant.
    pub key: UserKey,
    /// Active or suspended.
    pub status: Status,
    pub(super) profile: Option<Box<Profile>>,
}

impl UserRecord {
    /// Creates an active user that has no display name and is managed by no directory.
    ///
    /// ```
    /// use rolecall::records::{Status, UserId, UserKey, UserRecord};
    ///
    /// let user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
    /// assert_eq!(user.status, Status::Active);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn new(id: UserId, key: UserKey) -> Self {
        Self { id, key, status: Status::Active, profile: None }
    }

    /// Returns the same user with this status.
    ///
    /// ```
    /// use rolecall::records::{Status, UserId, UserKey, UserRecord};
    ///
    /// let user = UserRecord::new(UserId::random(), UserKey::new("alice")?).with_status(Status::Suspended);
    /// assert_eq!(user.status, Status::Suspended);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// Returns the name to show: the display name, or the key of a user without one.
    ///
    /// ```
    /// use rolecall::records::{UserId, UserKey, UserRecord};
    ///
    /// assert_eq!(UserRecord::new(UserId::random(), UserKey::new("alice")?).name(), "alice");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.display_name().map_or(self.key.as_str(), Name::as_str)
    }

    /// Returns the display name, if the user has one.
    ///
    /// ```
    /// use rolecall::records::{UserId, UserKey, UserRecord};
    ///
    /// assert_eq!(UserRecord::new(UserId::random(), UserKey::new("alice")?).display_name(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn display_name(&self) -> Option<&Name> {
        self.profile.as_deref().and_then(|profile| profile.name.as_ref())
    }

    /// Sets or clears the display name.
    ///
    /// ```
    /// use rolecall::records::{Name, UserId, UserKey, UserRecord};
    ///
    /// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
    /// user.set_name(Some(Name::new("Alice Adams")?));
    /// assert_eq!(user.name(), "Alice Adams");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn set_name(&mut self, name: Option<Name>) {
        self.edit_profile(|profile| profile.name = name);
    }
}

/// The serialised form of a group: one flat list of fields. Formats without field names (postcard) depend on their number
/// and order.
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

/// The serialised form of a user.
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
