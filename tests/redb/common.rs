//! Short constructors for records and commits, and short calls of the store.

use std::path::Path;

use pollster::block_on;
use rolecall::records::{
    Actor, AssertionId, AssertionRecord, Assignment, Change, CommitId, Description, Envelope, Expectation, ExternalId,
    Fingerprint, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Manager, Membership, Name, Note, ParentLink,
    Pattern, PermissionId, PermissionRecord, PermissionRef, Position, Record, Revision, RoleId, RoleRecord, RoleRef,
    SeparationId, SeparationRecord, Slug, Status, TenantId, TenantRecord, UserId, UserKey, UserRecord,
};
use rolecall::store::{Base, Commit, RedbStore, Since, Store, StoreError};
use rolecall::{Timestamp, Window};
use uuid::Uuid;

pub(crate) fn tenant_id(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn at(tenant_id: TenantId, revision: u64, commit: u128) -> Position {
    Position { tenant_id, revision: Revision::new(revision), commit: CommitId::from_uuid(Uuid::from_u128(commit)) }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn tenant(slug: &str) -> Record {
    Record::Tenant(TenantRecord { slug: slug.parse().unwrap(), name: name("A Tenant") })
}

pub(crate) fn user(n: u128, key: &str) -> Record {
    let id = UserId::from_uuid(Uuid::from_u128(n));
    Record::User(UserRecord::new(id, UserKey::new(key).unwrap()).with_status(Status::Suspended))
}

pub(crate) fn membership(user: u128, group: u128, until: Option<i64>) -> Record {
    let window = until.map_or(Window::ALWAYS, |secs| Window::until(Timestamp::from_secs(secs).unwrap()));
    let (user, group) = (UserId::from_uuid(Uuid::from_u128(user)), GroupId::from_uuid(Uuid::from_u128(group)));
    Record::Membership(Membership { user, group, window })
}

/// Returns a record of each kind and shape, in the order of their keys in the file. The tenant is `acme`.
pub(crate) fn one_of_each() -> Vec<Record> {
    let uuid = Uuid::from_u128;
    let slug = |text: &str| Slug::new(text).unwrap();
    let (group, wider) = (GroupId::from_uuid(uuid(1)), GroupId::from_uuid(uuid(2)));
    let (user_id, role) = (UserId::from_uuid(uuid(1)), RoleId::from_uuid(uuid(1)));
    let permission = PermissionId::from_uuid(uuid(1));
    let catalog_permission = PermissionRef::Catalog { id: PermissionId::from_uuid(uuid(2)), slug: slug("of:catalog") };
    let catalog_role = RoleRef::Catalog { id: RoleId::from_uuid(uuid(3)), slug: slug("Of-Catalog") };
    let window = Window::between(Timestamp::from_secs(1).unwrap(), Timestamp::MAX).unwrap();
    let granted = |granted| Record::Grant(Grant { role, granted });
    let group_record = |id, text| Record::Group(GroupRecord::new(id, slug(text), name("G"), Description::default()));
    let (okta, external_id) = (Manager::new("okta").unwrap(), ExternalId::new("00u1").unwrap());
    let mut managed_group =
        GroupRecord::new(GroupId::from_uuid(uuid(3)), slug("managed"), name("G"), Description::default());
    managed_group.set_managed_by(Some(okta.clone()));
    managed_group.set_external_id(Some(external_id.clone()));
    let mut managed_user = UserRecord::new(UserId::from_uuid(uuid(2)), UserKey::new("carol").unwrap());
    managed_user.set_name(Some(name("Carol")));
    managed_user.set_managed_by(Some(okta));
    managed_user.set_external_id(Some(external_id));
    let asserted = |id, expected| {
        let description = Description::default();
        let (id, slug, binding) = (AssertionId::from_uuid(uuid(id)), slug(&format!("assertion-{id}")), id % 2 == 0);
        Record::Assertion(AssertionRecord { id, slug, description, binding, expected })
    };
    vec![
        tenant("acme"),
        Record::Permission(PermissionRecord {
            id: permission,
            slug: slug("posts:write"),
            name: name("Write"),
            description: Description::new("posts").unwrap(),
            category: Some(name("Posts")),
        }),
        Record::Role(RoleRecord {
            id: role,
            slug: slug("editor"),
            name: name("R"),
            description: Description::default(),
        }),
        group_record(group, "narrow"),
        group_record(wider, "wide"),
        Record::Group(managed_group),
        user(1, "alice@acme.com"),
        Record::User(managed_user),
        granted(Granted::Permission(PermissionRef::Own(permission))),
        granted(Granted::Permission(catalog_permission.clone())),
        granted(Granted::Pattern(Pattern::new("posts:*").unwrap())),
        Record::Inclusion(Inclusion { role, included: catalog_role.clone() }),
        Record::Parent(ParentLink { group, parent: wider, window }),
        Record::Assignment(Assignment { role: RoleRef::Own(role), holder: Holder::User(user_id), window }),
        Record::Assignment(Assignment {
            role: catalog_role.clone(),
            holder: Holder::Group(group),
            window: Window::ALWAYS,
        }),
        Record::Membership(Membership { user: user_id, group, window: Window::until(Timestamp::MAX) }),
        Record::Separation(SeparationRecord {
            id: SeparationId::from_uuid(uuid(1)),
            slug: slug("payments"),
            description: Description::default(),
            at_most: 1.try_into().unwrap(),
            roles: vec![
                RoleRef::Own(role),
                RoleRef::Catalog { id: RoleId::from_uuid(uuid(3)), slug: slug("Of-Catalog") },
            ],
        }),
        asserted(
            1,
            Expectation::Allowed { permission: PermissionRef::Own(permission), users: vec![user_id], groups: vec![] },
        ),
        asserted(2, Expectation::Denied { permission: catalog_permission, users: vec![], groups: vec![group, wider] }),
        asserted(3, Expectation::Only { permission: PermissionRef::Own(permission), users: vec![], groups: vec![] }),
        asserted(4, Expectation::Separate { roles: vec![RoleRef::Own(role), catalog_role] }),
    ]
}

pub(crate) fn envelope(id: u128) -> Envelope {
    Envelope {
        id: CommitId::from_uuid(Uuid::from_u128(id)),
        previous: Some(CommitId::from_uuid(Uuid::from_u128(id.wrapping_sub(1)))),
        actor: Some(Actor::new(&format!("actor {id}")).unwrap()),
        at: Timestamp::MAX,
        note: Some(Note::new(&format!("note\n{id}")).unwrap()),
        catalog: Fingerprint::from_uuid(Uuid::from_u128(id)),
    }
}

pub(crate) fn commit<S: Store>(store: &S, base: Base, id: u128, changes: &[Change]) -> Result<Revision, StoreError> {
    block_on(store.commit(Commit { base, envelope: &envelope(id), changes }))
}

/// Creates the tenant with this number, which is also the commit id.
pub(crate) fn created<S: Store>(store: &S, number: u128, slug: &str, more: &[Record]) -> Position {
    let changes: Vec<_> = more.iter().cloned().chain([tenant(slug)]).map(Change::added).collect();
    commit(store, Base::Create(tenant_id(number)), number, &changes).unwrap();
    at(tenant_id(number), 1, number)
}

pub(crate) fn found<S: Store>(store: &S, slug: &str) -> Result<Option<TenantId>, StoreError> {
    block_on(store.find(&slug.parse().unwrap()))
}

pub(crate) fn loaded<S: Store>(store: &S, tenant_id: TenantId) -> Result<Option<(Vec<Record>, Position)>, StoreError> {
    let mut records = Vec::new();
    Ok(block_on(store.load(tenant_id, &mut records))?.map(|at| (records, at)))
}

pub(crate) fn since<S: Store>(store: &S, at: Position) -> Result<Since, StoreError> {
    block_on(store.since(at))
}

pub(crate) fn open(path: &Path) -> RedbStore {
    RedbStore::open(path).unwrap()
}

/// `SplitMix64`: a generator with the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below::<u64>(many) == 0
    }

    pub(crate) fn below<N: TryFrom<u64>>(&mut self, bound: u64) -> N {
        N::try_from(self.next() % bound).ok().unwrap()
    }
}
