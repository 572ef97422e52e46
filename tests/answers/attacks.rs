//! Known failures of other systems that no other test file covers. `src/docs/security.md` lists all of them, each with
//! the test that rules it out.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::{Arc, Mutex};

use rolecall::blocking::Authorizer;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::records::{
    Change, CommitId, Envelope, Grant, Granted, GroupId, GroupRecord, Inclusion, Membership, ParentLink, PermissionId,
    PermissionRecord, PermissionRef, Position, Record, Revision, RoleId, RoleRecord, RoleRef, TenantId, TenantRecord,
    TenantSlug, UserId, UserRecord,
};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, StoredCommit, TenantSummary};
use rolecall::{Decision, ErrorKind, Reason, Timestamp, Window, error::ViolationCode};
use uuid::Uuid;

/// A store that returns the responses it was given.
#[derive(Clone, Default)]
struct Liar {
    records: Arc<Mutex<Vec<Record>>>,
    since: Arc<Mutex<Vec<Vec<Change>>>>,
}

fn at(revision: u64) -> Position {
    let commit = CommitId::from_uuid(Uuid::from_u128(revision.into()));
    Position { tenant_id: TenantId::from_uuid(Uuid::from_u128(1)), revision: Revision::new(revision), commit }
}

impl Store for Liar {
    async fn find(&self, _: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        Ok(Some(at(1).tenant_id))
    }

    async fn list(&self, _: Option<&TenantSlug>, _: usize) -> Result<Vec<TenantSummary>, StoreError> {
        Ok(Vec::new())
    }

    async fn load(&self, _: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let records = self.records.lock().unwrap().clone();
        for record in records {
            sink.push(record).map_err(|_| StoreError::Stopped)?;
        }
        Ok(Some(at(1)))
    }

    async fn commit(&self, _: Commit<'_>) -> Result<Revision, StoreError> {
        Err(StoreError::unavailable("it only lies"))
    }

    async fn since(&self, from: Position) -> Result<Since, StoreError> {
        let lies = self.since.lock().unwrap().clone();
        let commits = (from.revision.number() + 1..).zip(lies).map(|(revision, changes)| StoredCommit {
            revision: Revision::new(revision),
            envelope: envelope(revision),
            changes,
        });
        Ok(Since::Commits(commits.collect()))
    }
}

fn envelope(revision: u64) -> Envelope {
    Envelope {
        id: at(revision).commit,
        previous: Some(at(revision - 1).commit),
        actor: None,
        at: Timestamp::MIN,
        note: None,
        catalog: Catalog::empty().fingerprint(),
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn tenant() -> Record {
    Record::Tenant(TenantRecord { slug: "acme".parse().unwrap(), name: "Acme".parse().unwrap() })
}

fn group(n: u128, slug: &str) -> Record {
    let (slug, name, description) = (slug.parse().unwrap(), "G".parse().unwrap(), String::new().parse().unwrap());
    Record::Group(GroupRecord::new(GroupId::from_uuid(id(n)), slug, name, description))
}

fn role(n: u128, slug: &str) -> Record {
    let (slug, name, description) = (slug.parse().unwrap(), "R".parse().unwrap(), String::new().parse().unwrap());
    Record::Role(RoleRecord { id: RoleId::from_uuid(id(n)), slug, name, description })
}

fn permission(n: u128, slug: &str) -> Record {
    let (slug, name, description) = (slug.parse().unwrap(), "P".parse().unwrap(), String::new().parse().unwrap());
    Record::Permission(PermissionRecord { id: PermissionId::from_uuid(id(n)), slug, name, description, category: None })
}

fn user(n: u128, key: &str) -> Record {
    Record::User(UserRecord::new(UserId::from_uuid(id(n)), key.parse().unwrap()))
}

/// A record with the same external id every time, managed by this directory or by none.
fn managed_user(n: u128, key: &str, manager: &str) -> Record {
    let mut user = UserRecord::new(UserId::from_uuid(id(n)), key.parse().unwrap());
    user.set_external_id(Some("x".parse().unwrap()));
    user.set_managed_by(manager.parse().ok());
    Record::User(user)
}

fn managed_group(n: u128, slug: &str, manager: &str) -> Record {
    let (slug, name, description) = (slug.parse().unwrap(), "G".parse().unwrap(), String::new().parse().unwrap());
    let mut group = GroupRecord::new(GroupId::from_uuid(id(n)), slug, name, description);
    group.set_external_id(Some("x".parse().unwrap()));
    group.set_managed_by(manager.parse().ok());
    Record::Group(group)
}

fn parent(group: u128, parent: u128) -> Record {
    let (group, parent) = (GroupId::from_uuid(id(group)), GroupId::from_uuid(id(parent)));
    Record::Parent(ParentLink { group, parent, window: Window::ALWAYS })
}

fn includes(role: u128, included: RoleRef) -> Record {
    Record::Inclusion(Inclusion { role: RoleId::from_uuid(id(role)), included })
}

fn member(user: u128, group: u128) -> Record {
    let (user, group) = (UserId::from_uuid(id(user)), GroupId::from_uuid(id(group)));
    Record::Membership(Membership { user, group, window: Window::ALWAYS })
}

fn grant(role: u128, permission: PermissionRef) -> Record {
    Record::Grant(Grant { role: RoleId::from_uuid(id(role)), granted: Granted::Permission(permission) })
}

/// The content of a store is not trusted: each broken invariant makes the load fail, with its number.
#[test]
fn a12_a_load_that_breaks_an_invariant_is_refused_with_the_list() {
    let catalog = Catalog::new(&Definition { permissions: &[PermissionDef::new("sys:p")], ..Definition::default() });
    let catalog = catalog.unwrap();
    let system = catalog.permissions()[0].id();
    let own = |n| RoleRef::Own(RoleId::from_uuid(id(n)));
    let table = [
        ("I1", vec![tenant(), group(1, "g"), parent(1, 2)]),
        ("I1", vec![tenant(), user(1, "u"), member(1, 2)]),
        ("I1", vec![tenant(), role(1, "r"), includes(1, own(2))]),
        ("I1", vec![tenant(), role(1, "r"), grant(1, PermissionRef::Own(PermissionId::from_uuid(id(2))))]),
        ("I1", vec![tenant(), grant(1, PermissionRef::Own(PermissionId::from_uuid(id(2))))]),
        ("I2", vec![tenant(), group(1, "g"), group(2, "g")]),
        ("I2", vec![tenant(), group(1, "g"), group(1, "h")]),
        ("I2", vec![tenant(), user(1, "u"), user(2, "u")]),
        ("I12", vec![tenant(), managed_user(1, "u", "okta"), managed_user(2, "v", "okta")]),
        ("I12", vec![tenant(), managed_group(1, "g", "okta"), managed_group(2, "h", "okta")]),
        ("I12", vec![tenant(), managed_user(1, "u", "")]),
        ("I12", vec![tenant(), managed_group(1, "g", "")]),
        ("I3", vec![tenant(), group(1, "g"), parent(1, 1)]),
        ("I3", vec![tenant(), group(1, "g"), group(2, "h"), group(3, "i"), parent(1, 2), parent(2, 3), parent(3, 1)]),
        ("I3", vec![tenant(), role(1, "r"), role(2, "s"), includes(1, own(2)), includes(2, own(1))]),
        ("I4", vec![tenant(), group(1, "g"), group(2, "h"), parent(1, 2), parent(1, 2)]),
        ("I4", vec![tenant(), tenant()]),
        ("I4", vec![tenant(), user(1, "u"), group(1, "g")]),
        ("I5", vec![]),
        ("I5", vec![group(1, "g")]),
        ("I6", vec![tenant(), role(1, "r"), grant(1, PermissionRef::Own(system))]),
        (
            "I6",
            vec![
                tenant(),
                role(1, "r"),
                includes(1, RoleRef::Catalog { id: RoleId::from_uuid(id(1)), slug: "r".parse().unwrap() }),
            ],
        ),
    ];
    for (number, records) in table {
        let liar = Liar::default();
        *liar.records.lock().unwrap() = records.clone();
        let authorizer = Authorizer::builder().store(liar).catalog(&catalog).build();
        let error = authorizer.tenant("acme").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{records:?}");
        assert!(error.violations().iter().any(|violation| violation.message.starts_with(number)), "{number}: {error}");
    }
}

/// A load with a cycle of 1,000 and 200,000 wrong records fails, without deep recursion or an endless list.
#[test]
fn a12_an_invalid_load_is_refused_with_a_short_message() {
    let mut records = vec![tenant()];
    records.extend((0..1_000).map(|n| group(n, &format!("g{n}"))));
    records.extend((0..1_000).map(|n| parent(n, (n + 1) % 1_000)));
    let liar = Liar::default();
    *liar.records.lock().unwrap() = records;
    let error = Authorizer::builder().store(liar).build().tenant("acme").unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.violations()[0].code == ViolationCode::Cycle);

    let liar = Liar::default();
    *liar.records.lock().unwrap() = [tenant()].into_iter().chain((0..200_000).map(|n| member(n, n))).collect();
    let error = Authorizer::builder().store(liar).build().tenant("acme").unwrap_err();
    assert!(error.violations().len() <= 100 && error.to_string().len() < 4_000);
}

/// A14: the commits of other writers are applied whole or not at all. If one does not fit, the tenant denies every check.
#[test]
fn a14_an_invalid_refresh_is_not_published() {
    let good = vec![tenant(), permission(1, "p"), role(1, "r"), role(2, "s"), user(1, "u")];
    let own = |n| RoleRef::Own(RoleId::from_uuid(id(n)));
    let lies = [
        vec![Change::added(user(2, "v")), Change::added(user(3, "v"))],
        vec![Change::removed(user(9, "u"))],
        vec![Change::removed(user(1, "other key"))],
        vec![Change::added(includes(1, own(2))), Change::added(includes(2, own(1)))],
        vec![Change::removed(member(1, 1))],
        vec![Change::added(tenant())],
    ];
    for lie in lies {
        let liar = Liar::default();
        *liar.records.lock().unwrap() = good.clone();
        let authorizer = Authorizer::builder().store(liar.clone()).build();
        let acme = authorizer.tenant("acme").unwrap();
        acme.refresh().unwrap();
        // The commits do not fit, and the next load returns the state before them, which is the current one.
        *liar.since.lock().unwrap() = vec![vec![Change::added(user(7, "w"))], lie.clone()];
        acme.refresh().unwrap();
        assert!(acme.now().user("w").is_none() && acme.now().user("v").is_none() && acme.now().user("u").is_some());
        // If the load is wrong as well, the tenant denies every check.
        liar.records.lock().unwrap().push(member(5, 5));
        assert_eq!(acme.refresh().unwrap_err().kind(), ErrorKind::Corrupt, "{lie:?}");
        assert_eq!(acme.decide("u", "p"), Decision::Denied(Reason::InvalidStoreContent));
        liar.records.lock().unwrap().pop();
        liar.since.lock().unwrap().clear();
        acme.refresh().unwrap();
        assert_eq!(acme.decide("u", "p"), Decision::Denied(Reason::NoPath));
    }
}

/// A10: only `*` is special in a pattern, and case matters.
#[test]
fn a10_no_regular_expressions_and_no_case_folding() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for slug in ["a.c", "abc", "A.C", "a[bc]", "ab?", "a\\c"] {
            tx.create_permission(slug)?;
        }
        for pattern in ["a.c*", "a[bc]*", "ab?*", "*\\c"] {
            tx.create_role(&pattern.replace('*', "#"))?.grant(pattern)?;
            tx.create_user(pattern)?.assign(pattern.replace('*', "#"))?;
        }
        Ok(())
    })
    .unwrap();
    for (pattern, slug) in [("a.c*", "a.c"), ("a[bc]*", "a[bc]"), ("ab?*", "ab?"), ("*\\c", "a\\c")] {
        assert_eq!(acme.effective(pattern).slugs(), [slug]);
    }
}

/// A13: a question depends on no ambient state. Two tenants that are asked in turn on one thread never mix.
#[test]
fn a13_there_is_no_ambient_tenant_user_or_time() {
    let authorizer = Authorizer::in_memory();
    let tenants: Vec<_> = (0..4)
        .map(|n| {
            let tenant = authorizer.create_tenant(&format!("t{n}"), "T").unwrap();
            tenant
                .update(|tx| {
                    tx.create_permission("p")?;
                    tx.create_role("r")?.grant("p")?;
                    let user = tx.create_user("u")?;
                    if n % 2 == 0 {
                        user.assign("r")?;
                    }
                    Ok(())
                })
                .unwrap();
            tenant
        })
        .collect();
    for round in 0..100 {
        for (n, tenant) in tenants.iter().enumerate() {
            assert_eq!(tenant.check("u", "p"), n % 2 == 0, "round {round}");
        }
    }
}

/// A17: after every kind of change, a load equals the state in memory: nothing of a deleted entity stays in the store.
#[test]
fn a17_store_then_load_gives_equal_records_after_every_kind_of_change() {
    type Call = fn(&rolecall::Tx) -> rolecall::Result<()>;
    let until = Window::until(Timestamp::MAX);
    let store = MemoryStore::default();
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    let set_up = |tx: &rolecall::Tx| {
        tx.create_permission("p")?.set_category(Some("C"))?.set_description("d")?;
        tx.create_permission("q")?;
        tx.create_role("base")?.grant("q")?;
        tx.create_role("r")?.grant("p")?.grant("p*")?.include("base")?;
        tx.create_group("wide")?;
        tx.create_group("g")?.assign_during("r", until)?.add_parent("wide")?;
        tx.create_user("u")?.join_during("g", until)?.assign_during("r", until)?;
        tx.create_user("v")?.join("g")?.assign("base")?.done()
    };
    acme.update(set_up).unwrap();
    let changes: [Call; 12] = [
        |tx| tx.user("u")?.set_membership_window("g", Window::ALWAYS)?.done(),
        |tx| tx.group("g")?.set_assignment_window("r", Window::ALWAYS)?.done(),
        |tx| tx.user("u")?.suspend()?.set_key("w")?.done(),
        |tx| tx.role("r")?.revoke("p*")?.set_slug("s")?.done(),
        |tx| tx.permission("p")?.set_slug("pp")?.set_category(None)?.done(),
        |tx| tx.user("v")?.leave("g")?.done(),
        |tx| tx.group("g")?.remove_parent("wide")?.done(),
        |tx| tx.delete_role("base"),
        |tx| tx.delete_permission("pp"),
        |tx| tx.delete_user("w"),
        |tx| tx.delete_group("g"),
        |tx| tx.set_tenant_name("Acme Corp")?.set_tenant_slug("acme-corp")?.done(),
    ];
    for change in changes {
        assert!(!acme.update(change).unwrap().changes.is_empty());
        let slug = acme.slug().unwrap();
        let loaded = Authorizer::builder().store(store.clone()).build().tenant(slug.as_str()).unwrap();
        assert_eq!(loaded.revision(), acme.revision());
        let (ours, theirs) = (acme.now(), loaded.now());
        let all = rolecall::PageRequest::of(100);
        assert_eq!(ours.users(&all), theirs.users(&all));
        assert_eq!((ours.groups(&all), ours.roles(&all)), (theirs.groups(&all), theirs.roles(&all)));
        assert_eq!(ours.permissions(&all), theirs.permissions(&all));
        for user in &ours.users(&all).items {
            assert_eq!(ours.groups_of(user.id), theirs.groups_of(user.id));
            assert_eq!(ours.roles_of(user.id), theirs.roles_of(user.id));
            assert_eq!(ours.effective(user.id).slugs(), theirs.effective(user.id).slugs());
        }
        for role in &ours.roles(&all).items {
            assert_eq!(ours.grants_of(role.record.id), theirs.grants_of(role.record.id));
            assert_eq!(ours.includes_of(role.record.id), theirs.includes_of(role.record.id));
        }
        for group in &ours.groups(&all).items {
            assert_eq!(ours.parents_of(group.id), theirs.parents_of(group.id));
            assert_eq!(ours.members(group.id, &all), theirs.members(group.id, &all));
            assert_eq!(ours.roles_of_group(group.id), theirs.roles_of_group(group.id));
        }
    }
}
