//! The organisation as records, as a store keeps it.

use rolecall::Timestamp;
use rolecall::Window;
use rolecall::catalog::Catalog;
use rolecall::records::{
    Assignment, Description, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Membership, Name, ParentLink,
    Pattern, PermissionId, PermissionRecord, PermissionRef, Record, RoleId, RoleRecord, RoleRef, Slug, Status, UserId,
    UserKey, UserRecord,
};
use uuid::Uuid;

use super::organisation::{NOW, Organisation, key, slug};

/// Who defines the permissions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    Tenant,
    Catalog(&'static Catalog),
}

fn id(kind: u128, number: u32) -> Uuid {
    Uuid::from_u128(kind << 96 | u128::from(number))
}

pub(crate) fn permission_id(number: u32) -> PermissionId {
    PermissionId::from_uuid(id(1, number))
}

pub(crate) fn role_id(number: u32) -> RoleId {
    RoleId::from_uuid(id(2, number))
}

pub(crate) fn group_id(number: u32) -> GroupId {
    GroupId::from_uuid(id(3, number))
}

/// Returns all records except the tenant record, ordered by kind.
pub(crate) fn of(organisation: &Organisation, owner: Owner) -> Vec<Record> {
    let mut records = entities(organisation, owner);
    for (number, role) in (0..).zip(&organisation.roles) {
        let grant = |granted| Record::Grant(Grant { role: role_id(number), granted });
        let reference = |permission: &u32| Granted::Permission(reference(*permission, owner));
        records.extend(role.grants.iter().map(reference).map(grant));
        let pattern = |res| Granted::Pattern(Pattern::new(&format!("res{res}:*")).unwrap());
        records.extend(role.pattern.map(pattern).map(grant));
    }
    for (number, role) in (0..).zip(&organisation.roles) {
        let inclusion =
            |to| Record::Inclusion(Inclusion { role: role_id(number), included: RoleRef::Own(role_id(to)) });
        records.extend(role.includes.map(inclusion));
    }
    for (number, group) in (0..).zip(&organisation.groups) {
        let parent =
            |to| Record::Parent(ParentLink { group: group_id(number), parent: group_id(to), window: Window::ALWAYS });
        records.extend(group.parent.map(parent));
    }
    let assignment = |role, holder| {
        Record::Assignment(Assignment { role: RoleRef::Own(role_id(role)), holder, window: Window::ALWAYS })
    };
    for (number, group) in (0..).zip(&organisation.groups) {
        records.extend(group.roles.iter().map(|role| assignment(*role, Holder::Group(group_id(number)))));
    }
    for user in &organisation.users {
        records.extend(user.role.map(|role| assignment(role, Holder::User(UserId::from_uuid(user.id)))));
    }
    for user in &organisation.users {
        records.extend(user.groups.iter().map(|(group, end)| {
            let until = |seconds: u32| Window::until(Timestamp::from_secs(NOW + i64::from(seconds)).unwrap());
            let window = end.map_or(Window::ALWAYS, until);
            Record::Membership(Membership { user: UserId::from_uuid(user.id), group: group_id(*group), window })
        }));
    }
    records
}

fn entities(organisation: &Organisation, owner: Owner) -> Vec<Record> {
    let mut records = Vec::new();
    if let Owner::Tenant = owner {
        records.extend((0..organisation.size.permissions).map(|number| permission_record(number, &slug(number))));
    }
    records.extend((0..organisation.size.roles).map(role_record));
    records.extend((0..organisation.size.groups).map(group_record));
    records.extend((0..).zip(&organisation.users).map(|(number, user)| user_record(number, user.id, user.suspended)));
    records
}

pub(crate) fn permission_record(number: u32, slug: &str) -> Record {
    let (slug, name) = names(slug);
    let description = Description::default();
    Record::Permission(PermissionRecord { id: permission_id(number), slug, name, description, category: None })
}

pub(crate) fn role_record(number: u32) -> Record {
    let (slug, name) = names(&format!("role{number}"));
    Record::Role(RoleRecord { id: role_id(number), slug, name, description: Description::default() })
}

pub(crate) fn group_record(number: u32) -> Record {
    let (slug, name) = names(&format!("group{number}"));
    Record::Group(GroupRecord::new(group_id(number), slug, name, Description::default()))
}

pub(crate) fn user_record(number: usize, id: Uuid, suspended: bool) -> Record {
    let status = if suspended { Status::Suspended } else { Status::Active };
    let key = UserKey::new(&key(number)).unwrap();
    Record::User(UserRecord::new(UserId::from_uuid(id), key).with_status(status))
}

fn names(text: &str) -> (Slug, Name) {
    (Slug::new(text).unwrap(), Name::new(text).unwrap())
}

fn reference(permission: u32, owner: Owner) -> PermissionRef {
    match owner {
        Owner::Tenant => PermissionRef::Own(permission_id(permission)),
        Owner::Catalog(catalog) => {
            let entry = &catalog.permissions()[permission as usize];
            PermissionRef::Catalog { id: entry.id(), slug: entry.slug().clone() }
        }
    }
}
