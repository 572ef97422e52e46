//! The part of a tenant that a directory sees: the users and groups that it manages, as SCIM resources.
//!
//! Everything else of the tenant is invisible: local users and groups, those of other directories, and who of its own is in
//! those groups. The members of a group are what R16 leaves to the directory: all direct members who are users, and the
//! subgroups that the directory manages. So a local group with a managed one as its parent is not a member of that.

use std::borrow::Cow;

use rolecall::records::{ExternalId, GroupId, GroupRecord, Manager, Name, Status, UserId, UserRecord};
use rolecall::{Moment, PageRequest, snapshot::External};
use serde_json::{Map, Value, json};

use super::attribute::ResourceKind;
use super::error::ScimError;
use super::filter::Candidates;
use super::query::Projection;
use crate::api::views::tag_of;

/// So many members of groups, and groups of users, at most in one answer.
pub(crate) const MOST_RELATED: usize = 10_000;

/// A tenant as a directory sees it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) moment: Moment<'a>,
    /// The name of the directory.
    pub(crate) directory: &'a str,
    /// The URL under which clients reach the resources, without a slash at the end.
    pub(crate) base: &'a str,
}

/// How many members and groups an answer can still have.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MOST_RELATED)
    }
}

impl Room {
    fn take(&mut self, related: usize, name: &str) -> Result<(), ScimError> {
        self.0 = self.0.checked_sub(related).ok_or_else(|| {
            ScimError::too_many(format!(
                "more than {MOST_RELATED} entries of `{name}` in one answer: ask with `excludedAttributes={name}`, or for the \
                 users with the filter `groups eq \"…\"`"
            ))
        })?;
        Ok(())
    }
}

impl View<'_> {
    fn is_own(&self, manager: Option<&Manager>) -> bool {
        manager.is_some_and(|manager| manager.as_str() == self.directory)
    }

    /// Finds a user of the directory.
    pub(crate) fn user(&self, id: &str) -> Option<UserRecord> {
        let user = self.moment.user(id.parse::<UserId>().ok()?)?;
        Some(user).filter(|user| self.is_own(user.managed_by()))
    }

    /// Finds a group of the directory.
    pub(crate) fn group(&self, id: &str) -> Option<GroupRecord> {
        let group = self.moment.group(id.parse::<GroupId>().ok()?)?;
        Some(group).filter(|group| self.is_own(group.managed_by()))
    }

    fn external<'e>(&'e self, id: &'e str) -> External<'e> {
        External { manager: self.directory, id }
    }

    /// Finds a user of the directory by its external id.
    pub(crate) fn external_user(&self, id: &str) -> Option<UserRecord> {
        self.moment.user(self.external(id))
    }

    /// Finds a group of the directory by its external id.
    pub(crate) fn external_group(&self, id: &str) -> Option<GroupRecord> {
        self.moment.group(self.external(id))
    }

    /// Finds the users that are at a place, by key. The members of a group are not copied: there may be very many.
    pub(crate) fn users_at(&self, place: &Candidates) -> Box<dyn Iterator<Item = Cow<'_, UserRecord>> + '_> {
        fn one<'u>(user: Option<UserRecord>) -> Box<dyn Iterator<Item = Cow<'u, UserRecord>> + 'u> {
            Box::new(user.into_iter().map(Cow::Owned))
        }
        match place {
            Candidates::Id(id) => one(self.user(id).filter(|user| user.id.to_string() == *id)),
            Candidates::ExternalId(id) => one(self.external_user(id)),
            Candidates::RelatedTo(id) => match self.group(id) {
                Some(group) => Box::new(self.moment.members_managed_by(group.id, self.directory).map(Cow::Borrowed)),
                None => one(None),
            },
        }
    }

    /// Finds the groups that are at a place.
    pub(crate) fn groups_at(&self, place: &Candidates) -> Vec<GroupRecord> {
        match place {
            Candidates::Id(id) => self.group(id).into_iter().filter(|group| group.id.to_string() == *id).collect(),
            Candidates::ExternalId(id) => self.external_group(id).into_iter().collect(),
            Candidates::RelatedTo(id) => self.groups_with(id),
        }
    }

    /// The groups of the directory that a user is a direct member of.
    pub(crate) fn groups_of(&self, user: UserId) -> Vec<GroupRecord> {
        let groups = self.moment.groups_of(user).items.into_iter().map(|held| held.record);
        groups.filter(|group| self.is_own(group.managed_by())).collect()
    }

    /// The groups of the directory that have this user or group as a member.
    pub(crate) fn groups_with(&self, id: &str) -> Vec<GroupRecord> {
        if let Ok(user) = id.parse::<UserId>()
            && self.moment.user(user).is_some()
        {
            return self.groups_of(user);
        }
        let Some(child) = self.group(id) else { return Vec::new() };
        let parents = self.moment.parents_of(child.id).items.into_iter().map(|held| held.record);
        parents.filter(|group| self.is_own(group.managed_by())).collect()
    }

    /// The users who are direct members of a group.
    fn member_users(&self, group: GroupId) -> Vec<UserRecord> {
        let all = PageRequest::of(self.moment.member_count(group).unwrap_or(0));
        self.moment.members(group, &all).items.into_iter().map(|held| held.record).collect()
    }

    /// The subgroups that the directory manages.
    pub(crate) fn member_groups(&self, group: GroupId) -> Vec<GroupRecord> {
        let all = PageRequest::of(self.moment.subgroup_count(group).unwrap_or(0));
        let subgroups = self.moment.subgroups(group, &all).items.into_iter().map(|held| held.record);
        subgroups.filter(|group| self.is_own(group.managed_by())).collect()
    }

    /// How many members a group has, and local subgroups.
    pub(crate) fn related(&self, group: GroupId) -> usize {
        let (users, groups) = (self.moment.member_count(group), self.moment.subgroup_count(group));
        users.unwrap_or(0).saturating_add(groups.unwrap_or(0))
    }

    /// Whether a group has members.
    pub(crate) fn has_members(&self, group: GroupId) -> bool {
        self.moment.member_count(group).unwrap_or(0) > 0 || !self.member_groups(group).is_empty()
    }

    /// The URL of a user or group.
    pub(crate) fn location(&self, kind: ResourceKind, id: &str) -> String {
        format!("{}{}/{id}", self.base, kind.endpoint())
    }

    /// The version of a user: a hash of its attributes and groups.
    pub(crate) fn user_version(&self, user: &UserRecord) -> String {
        Self::version_with(user, &self.groups_of(user.id))
    }

    fn version_with(user: &UserRecord, groups: &[GroupRecord]) -> String {
        let mut groups: Vec<String> = groups.iter().map(|group| group.id.to_string()).collect();
        groups.sort_unstable();
        let name = user.display_name().map(Name::as_str);
        let external_id = user.external_id().map(ExternalId::as_str);
        let attributes = (user.key.as_str(), name, user.status == Status::Active, external_id);
        format!("W/{}", tag_of(&(user.id.to_string(), attributes, groups)))
    }

    /// The version of a group: a hash of its attributes and members. A group with many members has the tenant's revision
    /// instead, because a list contains the version of each group. The revision changes with every commit, so a client that
    /// compares versions may have to read a large group again although nobody has changed it.
    pub(crate) fn group_version(&self, group: &GroupRecord) -> String {
        const MOST_HASHED: usize = 1_000;
        if self.related(group.id) > MOST_HASHED {
            return format!("W/\"revision-{}\"", self.moment.snapshot().revision().number());
        }
        let users = self.member_users(group.id).into_iter().map(|user| user.id.to_string());
        let groups = self.member_groups(group.id).into_iter().map(|group| group.id.to_string());
        let mut members: Vec<String> = users.chain(groups).collect();
        members.sort_unstable();
        let external_id = group.external_id().map(ExternalId::as_str);
        format!("W/{}", tag_of(&(group.id.to_string(), group.name.as_str(), external_id, members)))
    }

    fn resource(&self, kind: ResourceKind, id: &str, external_id: Option<&str>, version: &str) -> Map<String, Value> {
        let mut resource = Map::new();
        resource.insert("schemas".to_owned(), json!([kind.schema()]));
        resource.insert("id".to_owned(), id.into());
        if let Some(external_id) = external_id {
            resource.insert("externalId".to_owned(), external_id.into());
        }
        let meta = json!({ "resourceType": kind.name(), "location": self.location(kind, id), "version": version });
        resource.insert("meta".to_owned(), meta);
        resource
    }

    /// A user as a resource.
    pub(crate) fn user_resource(
        &self,
        user: &UserRecord,
        projection: &Projection,
        room: &mut Room,
    ) -> Result<Value, ScimError> {
        let external_id = user.external_id().map(ExternalId::as_str);
        let groups = self.groups_of(user.id);
        let version = Self::version_with(user, &groups);
        let mut resource = self.resource(ResourceKind::User, &user.id.to_string(), external_id, &version);
        resource.insert("userName".to_owned(), user.key.as_str().into());
        if let Some(name) = user.display_name() {
            resource.insert("displayName".to_owned(), name.as_str().into());
        }
        resource.insert("active".to_owned(), (user.status == Status::Active).into());
        if projection.wants("groups") {
            room.take(groups.len(), "groups")?;
            let group = |group: GroupRecord| {
                let id = group.id.to_string();
                let location = self.location(ResourceKind::Group, &id);
                json!({ "value": id, "$ref": location, "display": group.name.as_str(), "type": "direct" })
            };
            if !groups.is_empty() {
                resource.insert("groups".to_owned(), groups.into_iter().map(group).collect());
            }
        }
        Ok(projection.apply(ResourceKind::User, resource))
    }

    /// A group as a resource.
    pub(crate) fn group_resource(
        &self,
        group: &GroupRecord,
        projection: &Projection,
        room: &mut Room,
    ) -> Result<Value, ScimError> {
        let external_id = group.external_id().map(ExternalId::as_str);
        let version = self.group_version(group);
        let mut resource = self.resource(ResourceKind::Group, &group.id.to_string(), external_id, &version);
        resource.insert("displayName".to_owned(), group.name.as_str().into());
        if projection.wants("members") {
            room.take(self.related(group.id), "members")?;
            let member = |kind: ResourceKind, id: String| {
                let location = self.location(kind, &id);
                json!({ "value": id, "$ref": location, "type": kind.name() })
            };
            let users = self.member_users(group.id).into_iter().map(|user| (ResourceKind::User, user.id.to_string()));
            let groups = self.member_groups(group.id).into_iter();
            let groups = groups.map(|group| (ResourceKind::Group, group.id.to_string()));
            let members: Vec<Value> = users.chain(groups).map(|(kind, id)| member(kind, id)).collect();
            if !members.is_empty() {
                resource.insert("members".to_owned(), members.into());
            }
        }
        Ok(projection.apply(ResourceKind::Group, resource))
    }
}
