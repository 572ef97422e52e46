//! Later releases read stored data: the JSON of records, keys, changes and envelopes never changes.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::fmt::Debug;

use rolecall::records::{
    Actor, AssertionId, AssertionRecord, Assignment, Change, CommitId, Description, Envelope, Expectation, ExternalId,
    Fingerprint, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Manager, Membership, Name, Note, ParentLink,
    Pattern, PermissionId, PermissionRecord, PermissionRef, Position, Record, RecordKey, RecordKind, Revision, RoleId,
    RoleRecord, RoleRef, SeparationId, SeparationRecord, Slug, Status, TenantId, TenantRecord, TenantSlug, UserId,
    UserKey, UserRecord,
};
use rolecall::store::{Base, StoredCommit, TenantSummary};
use rolecall::{Reason, Timestamp, Window};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The id that ends in this digit.
fn id(digit: u128) -> Uuid {
    Uuid::from_u128(digit)
}

/// Checks that a value serialises to this JSON, with `#n` for the id that ends in n, and reads back equal.
fn is_written<T: Serialize + DeserializeOwned + PartialEq + Debug>(thing: &T, expected: &str) {
    let mut expected = expected.to_owned();
    for digit in 0..10 {
        expected = expected.replace(&format!("#{digit}"), &format!("\"{}\"", id(digit)));
    }
    assert_eq!(serde_json::to_string(thing).unwrap(), expected);
    assert_eq!(serde_json::from_str::<T>(&expected).unwrap(), *thing);
}

fn name() -> Name {
    Name::new("Näme").unwrap()
}

fn slug() -> Slug {
    Slug::new("a:b").unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table with a row for each shape of a record")]
fn the_json_of_each_record_kind_is_fixed() {
    let description = Description::new("line\n").unwrap();
    let (user, group) = (UserId::from_uuid(id(1)), GroupId::from_uuid(id(2)));
    let (role, permission) = (RoleId::from_uuid(id(3)), PermissionId::from_uuid(id(4)));
    let window = Window::between(Timestamp::from_micros(-1).unwrap(), Timestamp::from_micros(2).unwrap()).unwrap();
    let catalog_role = RoleRef::Catalog { id: RoleId::from_uuid(id(5)), slug: slug() };
    let catalog_permission = PermissionRef::Catalog { id: PermissionId::from_uuid(id(6)), slug: slug() };
    let granted = |granted| Record::Grant(Grant { role, granted });
    let (okta, external_id) = (Manager::new("okta").unwrap(), ExternalId::new("cn=ü").unwrap());
    let mut managed_group = GroupRecord::new(group, slug(), name(), Description::default());
    managed_group.set_managed_by(Some(okta.clone()));
    managed_group.set_external_id(Some(external_id.clone()));
    let mut managed_user = UserRecord::new(user, UserKey::new("a@b").unwrap());
    managed_user.set_name(Some(name()));
    managed_user.set_managed_by(Some(okta));
    managed_user.set_external_id(Some(external_id));
    let asserted = |expected| {
        let (id, description) = (AssertionId::from_uuid(id(9)), Description::default());
        Record::Assertion(AssertionRecord { id, slug: slug(), description, binding: true, expected })
    };
    let table = [
        (
            Record::Tenant(TenantRecord { slug: TenantSlug::new("acme").unwrap(), name: name() }),
            r#"{"tenant":{"slug":"acme","name":"Näme"}}"#,
        ),
        (
            Record::Permission(PermissionRecord {
                id: permission,
                slug: slug(),
                name: name(),
                description: description.clone(),
                category: None,
            }),
            r#"{"permission":{"id":#4,"slug":"a:b","name":"Näme","description":"line\n","category":null}}"#,
        ),
        (
            Record::Role(RoleRecord { id: role, slug: slug(), name: name(), description: Description::default() }),
            r#"{"role":{"id":#3,"slug":"a:b","name":"Näme","description":""}}"#,
        ),
        (
            Record::Group(GroupRecord::new(group, slug(), name(), description)),
            r#"{"group":{"id":#2,"slug":"a:b","name":"Näme","description":"line\n","external_id":null,"managed_by":null}}"#,
        ),
        (
            Record::Group(managed_group),
            r#"{"group":{"id":#2,"slug":"a:b","name":"Näme","description":"","external_id":"cn=ü","managed_by":"okta"}}"#,
        ),
        (
            Record::User(UserRecord::new(user, UserKey::new("a@b").unwrap()).with_status(Status::Suspended)),
            r#"{"user":{"id":#1,"key":"a@b","name":null,"status":"suspended","external_id":null,"managed_by":null}}"#,
        ),
        (
            Record::User(managed_user),
            r#"{"user":{"id":#1,"key":"a@b","name":"Näme","status":"active","external_id":"cn=ü","managed_by":"okta"}}"#,
        ),
        (
            granted(Granted::Permission(PermissionRef::Own(permission))),
            r#"{"grant":{"role":#3,"granted":{"permission":{"own":#4}}}}"#,
        ),
        (
            granted(Granted::Permission(catalog_permission)),
            r#"{"grant":{"role":#3,"granted":{"permission":{"catalog":{"id":#6,"slug":"a:b"}}}}}"#,
        ),
        (
            granted(Granted::Pattern(Pattern::new("a:*").unwrap())),
            r#"{"grant":{"role":#3,"granted":{"pattern":"a:*"}}}"#,
        ),
        (
            Record::Inclusion(Inclusion { role, included: catalog_role.clone() }),
            r#"{"inclusion":{"role":#3,"included":{"catalog":{"id":#5,"slug":"a:b"}}}}"#,
        ),
        (
            Record::Parent(ParentLink { group, parent: GroupId::from_uuid(id(7)), window: Window::ALWAYS }),
            r#"{"parent":{"group":#2,"parent":#7,"window":{"from":null,"until":null}}}"#,
        ),
        (
            Record::Parent(ParentLink { group, parent: GroupId::from_uuid(id(7)), window }),
            r#"{"parent":{"group":#2,"parent":#7,"window":{"from":"1969-12-31T23:59:59.999999Z","until":"1970-01-01T00:00:00.000002Z"}}}"#,
        ),
        (
            Record::Assignment(Assignment { role: RoleRef::Own(role), holder: Holder::User(user), window }),
            r#"{"assignment":{"role":{"own":#3},"holder":{"user":#1},"window":{"from":"1969-12-31T23:59:59.999999Z","until":"1970-01-01T00:00:00.000002Z"}}}"#,
        ),
        (
            Record::Assignment(Assignment {
                role: catalog_role,
                holder: Holder::Group(group),
                window: Window::from(Timestamp::from_micros(3).unwrap()),
            }),
            r#"{"assignment":{"role":{"catalog":{"id":#5,"slug":"a:b"}},"holder":{"group":#2},"window":{"from":"1970-01-01T00:00:00.000003Z","until":null}}}"#,
        ),
        (
            Record::Membership(Membership { user, group, window: Window::ALWAYS }),
            r#"{"membership":{"user":#1,"group":#2,"window":{"from":null,"until":null}}}"#,
        ),
        (
            Record::Separation(SeparationRecord {
                id: SeparationId::from_uuid(id(8)),
                slug: slug(),
                description: Description::default(),
                at_most: 1.try_into().unwrap(),
                roles: vec![RoleRef::Own(role), RoleRef::Catalog { id: RoleId::from_uuid(id(5)), slug: slug() }],
            }),
            r#"{"separation":{"id":#8,"slug":"a:b","description":"","at_most":1,"roles":[{"own":#3},{"catalog":{"id":#5,"slug":"a:b"}}]}}"#,
        ),
        (
            asserted(Expectation::Only {
                permission: PermissionRef::Own(PermissionId::from_uuid(id(4))),
                users: vec![user],
                groups: vec![group],
            }),
            r#"{"assertion":{"id":#9,"slug":"a:b","description":"","binding":true,"expected":{"only":{"permission":{"own":#4},"users":[#1],"groups":[#2]}}}}"#,
        ),
        (
            asserted(Expectation::Separate { roles: vec![RoleRef::Own(role)] }),
            r#"{"assertion":{"id":#9,"slug":"a:b","description":"","binding":true,"expected":{"separate":{"roles":[{"own":#3}]}}}}"#,
        ),
    ];
    assert!(RecordKind::ALL.iter().all(|kind| table.iter().any(|(record, _)| record.kind() == *kind)));
    for (record, json) in table {
        is_written(&record, json);
    }
}

/// Stores find records by this JSON.
#[test]
fn the_json_of_each_record_key_is_fixed() {
    let (user, group) = (UserId::from_uuid(id(1)), GroupId::from_uuid(id(2)));
    let (role, permission) = (RoleId::from_uuid(id(3)), PermissionId::from_uuid(id(4)));
    let table = [
        (RecordKey::Tenant, r#""tenant""#),
        (RecordKey::Permission(permission), r#"{"permission":#4}"#),
        (RecordKey::Role(role), r#"{"role":#3}"#),
        (RecordKey::Group(group), r#"{"group":#2}"#),
        (RecordKey::User(user), r#"{"user":#1}"#),
        (RecordKey::Grant(role, permission), r#"{"grant":[#3,#4]}"#),
        (RecordKey::GrantPattern(role, Pattern::new("*").unwrap()), r#"{"grantpattern":[#3,"*"]}"#),
        (RecordKey::Inclusion(role, RoleId::from_uuid(id(5))), r#"{"inclusion":[#3,#5]}"#),
        (RecordKey::Parent(group, GroupId::from_uuid(id(7))), r#"{"parent":[#2,#7]}"#),
        (RecordKey::Assignment(role, Holder::User(user)), r#"{"assignment":[#3,{"user":#1}]}"#),
        (RecordKey::Assignment(role, Holder::Group(group)), r#"{"assignment":[#3,{"group":#2}]}"#),
        (RecordKey::Membership(user, group), r#"{"membership":[#1,#2]}"#),
        (RecordKey::Separation(SeparationId::from_uuid(id(8))), r#"{"separation":#8}"#),
        (RecordKey::Assertion(AssertionId::from_uuid(id(9))), r#"{"assertion":#9}"#),
    ];
    assert!(RecordKind::ALL.iter().all(|kind| table.iter().any(|(key, _)| key.kind() == *kind)));
    for (key, json) in table {
        is_written(&key, json);
    }
}

#[test]
fn the_json_of_a_commit_is_fixed() {
    let tenant_id = TenantId::from_uuid(id(1));
    let (group, parent) = (GroupId::from_uuid(id(2)), GroupId::from_uuid(id(3)));
    let window = Window::until(Timestamp::from_micros(9).unwrap());
    let record = Record::Parent(ParentLink { group, parent, window });
    let change = Change::removed(record);
    is_written(
        &change,
        r#"{"before":{"parent":{"group":#2,"parent":#3,"window":{"from":null,"until":"1970-01-01T00:00:00.000009Z"}}},"after":null}"#,
    );
    let at = Position { tenant_id, revision: Revision::new(7), commit: CommitId::from_uuid(id(4)) };
    is_written(&at, r#"{"tenant_id":#1,"revision":7,"commit":#4}"#);
    is_written(&Base::At(at), r#"{"at":{"tenant_id":#1,"revision":7,"commit":#4}}"#);
    is_written(&Base::Create(tenant_id), r#"{"create":#1}"#);
    let envelope = Envelope {
        id: CommitId::from_uuid(id(5)),
        previous: Some(at.commit),
        actor: Some(Actor::new("alice").unwrap()),
        at: Timestamp::from_micros(-5).unwrap(),
        note: Some(Note::new("why").unwrap()),
        catalog: Fingerprint::from_uuid(id(8)),
    };
    let json =
        r#"{"id":#5,"previous":#4,"actor":"alice","at":"1969-12-31T23:59:59.999995Z","note":"why","catalog":#8}"#;
    is_written(&envelope, json);
    let committed = StoredCommit { revision: Revision::new(8), envelope, changes: vec![] };
    is_written(&committed, &format!(r#"{{"revision":8,"envelope":{json},"changes":[]}}"#));
    is_written(
        &TenantSummary { tenant_id, slug: TenantSlug::new("acme").unwrap() },
        r#"{"tenant_id":#1,"slug":"acme"}"#,
    );
}

/// A code is the name of the reason in the serialised form.
#[test]
fn the_code_of_a_reason_is_its_serialised_name() {
    let instant = Timestamp::UNIX_EPOCH;
    for reason in [
        Reason::UnknownUser,
        Reason::UuidAsKey,
        Reason::UnknownPermission,
        Reason::CatalogConflict,
        Reason::PermissionRenamed,
        Reason::PatternAsked,
        Reason::UuidAsSlug,
        Reason::Suspended,
        Reason::Expired { until: instant },
        Reason::NotYetActive { from: instant },
        Reason::NoPath,
        Reason::NeverActive,
        Reason::OutsideWindows,
        Reason::Narrowed,
        Reason::Unconfirmed,
        Reason::InDoubt,
        Reason::InvalidStoreContent,
        Reason::InternalError,
        Reason::Closed,
        Reason::Deleted,
    ] {
        let json = serde_json::to_value(reason).unwrap();
        let name = json.as_str().or_else(|| json.as_object().unwrap().keys().next().map(String::as_str));
        assert_eq!(name, Some(reason.code()));
    }
}
