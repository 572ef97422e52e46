//! The name of a change in audit logs.

use super::{Change, Granted, Holder, Record, RecordKey, Status};
use uuid::Uuid;

impl Change {
    /// Returns the name of the change for audit logs and webhooks, such as `group.member.added`.
    ///
    /// Names are stable. A new kind of record adds names.
    ///
    /// | record | added | changed | removed |
    /// |---|---|---|---|
    /// | tenant | `tenant.created` | `tenant.updated` | `tenant.deleted` |
    /// | permission | `permission.created` | `permission.updated` | `permission.deleted` |
    /// | role | `role.created` | `role.updated` | `role.deleted` |
    /// | group | `group.created` | `group.updated` | `group.deleted` |
    /// | user | `user.created` | `user.updated`, `user.suspended`, `user.reactivated` | `user.deleted` |
    /// | grant of a permission | `role.permission.granted` | `role.permission.updated` | `role.permission.revoked` |
    /// | grant of a pattern | `role.pattern.granted` | `role.pattern.updated` | `role.pattern.revoked` |
    /// | inclusion | `role.inclusion.added` | `role.inclusion.updated` | `role.inclusion.removed` |
    /// | parent link | `group.parent.added` | `group.parent.updated` | `group.parent.removed` |
    /// | assignment to a user | `user.role.assigned` | `user.role.updated` | `user.role.unassigned` |
    /// | assignment to a group | `group.role.assigned` | `group.role.updated` | `group.role.unassigned` |
    /// | membership | `group.member.added` | `group.member.updated` | `group.member.removed` |
    /// | separation | `separation.created` | `separation.updated` | `separation.deleted` |
    /// | assertion | `assertion.created` | `assertion.updated` | `assertion.deleted` |
    ///
    /// ```
    /// use rolecall::records::{Change, GroupId, Membership, Record, UserId, Window};
    ///
    /// let (user, group) = (UserId::random(), GroupId::random());
    /// let change = Change::removed(Record::Membership(Membership { user, group, window: Window::ALWAYS }));
    /// assert_eq!(change.event_name(), "group.member.removed");
    /// ```
    pub fn event_name(&self) -> &'static str {
        let [added, changed, removed] = match self.after().or(self.before()) {
            Some(Record::Tenant(_)) => ["tenant.created", "tenant.updated", "tenant.deleted"],
            Some(Record::Permission(_)) => ["permission.created", "permission.updated", "permission.deleted"],
            Some(Record::Role(_)) => ["role.created", "role.updated", "role.deleted"],
            Some(Record::Group(_)) => ["group.created", "group.updated", "group.deleted"],
            Some(Record::User(_)) => ["user.created", self.update_of_user(), "user.deleted"],
            Some(Record::Separation(_)) => ["separation.created", "separation.updated", "separation.deleted"],
            Some(Record::Assertion(_)) => ["assertion.created", "assertion.updated", "assertion.deleted"],
            Some(Record::Grant(grant)) => match grant.granted {
                Granted::Permission(_) => {
                    ["role.permission.granted", "role.permission.updated", "role.permission.revoked"]
                }
                Granted::Pattern(_) => ["role.pattern.granted", "role.pattern.updated", "role.pattern.revoked"],
            },
            Some(Record::Inclusion(_)) => ["role.inclusion.added", "role.inclusion.updated", "role.inclusion.removed"],
            Some(Record::Parent(_)) => ["group.parent.added", "group.parent.updated", "group.parent.removed"],
            Some(Record::Assignment(assignment)) => match assignment.holder {
                Holder::User(_) => ["user.role.assigned", "user.role.updated", "user.role.unassigned"],
                Holder::Group(_) => ["group.role.assigned", "group.role.updated", "group.role.unassigned"],
            },
            Some(Record::Membership(_)) => ["group.member.added", "group.member.updated", "group.member.removed"],
            None => ["nothing"; 3], // a change has at least one side
        };
        match (self.before(), self.after()) {
            (None, _) => added,
            (Some(_), Some(_)) => changed,
            (Some(_), None) => removed,
        }
    }

    fn update_of_user(&self) -> &'static str {
        match (self.before(), self.after()) {
            (Some(Record::User(before)), Some(Record::User(after))) if before.status != after.status => {
                match after.status {
                    Status::Suspended => "user.suspended",
                    Status::Active => "user.reactivated",
                }
            }
            _ => "user.updated",
        }
    }
}

impl RecordKey {
    /// Returns whether the record is the entity with this id, or a relation of it.
    ///
    /// ```
    /// use rolecall::records::{GroupId, RecordKey, UserId};
    ///
    /// let (user, group) = (UserId::random(), GroupId::random());
    /// let membership = RecordKey::Membership(user, group);
    /// assert!(membership.names(user.into()) && membership.names(group.into()));
    /// assert!(!RecordKey::User(user).names(group.into()));
    /// ```
    pub fn names(&self, id: Uuid) -> bool {
        let either = |one: Uuid, other: Uuid| one == id || other == id;
        match self {
            Self::Tenant => false,
            Self::Permission(own) => own.as_uuid() == id,
            Self::Role(own) => own.as_uuid() == id,
            Self::Group(own) => own.as_uuid() == id,
            Self::User(own) => own.as_uuid() == id,
            Self::Separation(own) => own.as_uuid() == id,
            Self::Assertion(own) => own.as_uuid() == id,
            Self::Grant(role, permission) => either(role.as_uuid(), permission.as_uuid()),
            Self::GrantPattern(role, _) => role.as_uuid() == id,
            Self::Inclusion(role, included) => either(role.as_uuid(), included.as_uuid()),
            Self::Parent(group, parent) => either(group.as_uuid(), parent.as_uuid()),
            Self::Membership(user, group) => either(user.as_uuid(), group.as_uuid()),
            Self::Assignment(role, Holder::User(user)) => either(role.as_uuid(), user.as_uuid()),
            Self::Assignment(role, Holder::Group(group)) => either(role.as_uuid(), group.as_uuid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{GroupId, Membership, UserId, Window};

    #[test]
    fn the_name_says_which_side_is_there() {
        let member = |window| {
            Record::Membership(Membership {
                user: UserId::from_uuid(Uuid::nil()),
                group: GroupId::from_uuid(Uuid::nil()),
                window,
            })
        };
        let (always, ended) = (member(Window::ALWAYS), member(Window::until(crate::Timestamp::MAX)));
        assert_eq!(Change::added(always.clone()).event_name(), "group.member.added");
        assert_eq!(Change::removed(always.clone()).event_name(), "group.member.removed");
        assert_eq!(Change::new(Some(always), Some(ended)).unwrap().event_name(), "group.member.updated");
    }

    #[test]
    fn a_suspension_has_a_name_of_its_own() {
        let user = |status| {
            let json = serde_json::json!({
                "id": Uuid::nil(), "key": "alice", "name": null, "status": status, "external_id": null, "managed_by": null
            });
            serde_json::from_value::<crate::records::UserRecord>(json).map(Record::User)
        };
        let (active, suspended) = (user("active").unwrap(), user("suspended").unwrap());
        let change = |before: &Record, after: &Record| Change::new(Some(before.clone()), Some(after.clone())).unwrap();
        assert_eq!(change(&active, &suspended).event_name(), "user.suspended");
        assert_eq!(change(&suspended, &active).event_name(), "user.reactivated");
        assert_eq!(change(&active, &active).event_name(), "user.updated");
    }
}
