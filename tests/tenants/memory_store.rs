//! The memory store against the contract in `store.rs`, clause by clause. S6 has no test: this store never returns
//! `InDoubt`. It has no link that could break, and it cannot be reopened (S7) or killed in the middle (S4).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pollster::block_on;
use rolecall::records::{
    Actor, AssertionId, AssertionRecord, Assignment, Change, CommitId, Description, Envelope, Expectation, Fingerprint,
    Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Membership, Name, Note, ParentLink, Pattern, PermissionId,
    PermissionRecord, PermissionRef, Position, Record, RecordKind, Revision, RoleId, RoleRecord, RoleRef, SeparationId,
    SeparationRecord, Slug, Status, TenantId, TenantRecord, TenantSlug, UserId, UserKey, UserRecord,
};
use rolecall::store::{Base, Commit, MemoryStore, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};
use rolecall::{Timestamp, Window};
use uuid::Uuid;

#[test]
fn s1_a_tenant_is_created_once_and_stays_deleted() {
    const DELETED: &str = "tenant is deleted";
    let store = MemoryStore::default();
    let (one, two, three) = (tenant_id(1), tenant_id(2), tenant_id(3));
    let [first, other, third] = [one, two, three].map(Base::Create);
    let state = |revision, commit| Base::At(at(one, revision, commit));
    let creation = |slug| vec![Change::added(tenant(slug))];
    let end = |slug| vec![Change::removed(tenant(slug)), Change::added(user(1, "a"))];
    let no_tenant = vec![Change::added(user(1, "a"))];
    let table = [
        ("a commit on an unknown tenant", state(1, 0), vec![], DELETED),
        ("a creation without a tenant record", first, no_tenant, "corrupt: S1"),
        ("a creation that removes a record", first, end("a"), "corrupt: S3"),
        ("a creation", first, creation("a"), "revision 1"),
        ("the same again", first, creation("a"), "conflict: the latest revision is 1"),
        ("the same with another slug", first, creation("b"), "conflict: the latest revision is 1"),
        ("an empty creation of an existing tenant", first, vec![], "conflict: the latest revision is 1"),
        ("another tenant with its slug", other, creation("a"), "tenant slug is taken"),
        ("an empty creation", other, vec![], "revision 1"),
        ("the empty creation again", other, vec![], DELETED),
        ("a prevented creation", other, creation("b"), DELETED),
        ("the same with a slug that is taken", other, creation("a"), DELETED),
        ("the deletion", state(1, 3), end("a"), "revision 2"),
        ("a commit after the deletion", state(2, 12), vec![], DELETED),
        ("a commit on a base before the deletion", state(1, 3), vec![], DELETED),
        ("a creation after the deletion", first, creation("a"), DELETED),
        ("an empty creation after the deletion", first, vec![], DELETED),
        ("a new tenant with the free slug", third, creation("a"), "revision 1"),
    ];
    for (id, (what, base, changes, expected)) in table.into_iter().enumerate() {
        let answer = match commit(&store, base, id as u128, &changes) {
            Ok(revision) => format!("revision {revision}"),
            Err(error) => error.to_string(),
        };
        assert!(answer.starts_with(expected), "{what}: {answer}");
    }
    assert_eq!(found(&store, "a"), Some(three));
    for deleted in [one, two, tenant_id(4)] {
        assert_eq!(loaded(&store, deleted), None);
        assert_eq!(since(&store, at(deleted, 1, 3)), Since::Deleted);
    }
    assert_eq!(loaded(&store, three).unwrap().0, [tenant("a")], "the new tenant has no old records");
}

#[test]
fn s2_a_load_is_one_state_despite_concurrent_commits() {
    struct Writer {
        store: MemoryStore,
        base: Position,
        taken: Vec<Record>,
    }
    impl Sink for Writer {
        fn push(&mut self, record: Record) -> Result<(), Stop> {
            if self.taken.is_empty() {
                let changes = [Change::removed(user(1, "a")), Change::added(user(2, "b"))];
                commit(&self.store, Base::At(self.base), 7, &changes).unwrap();
            }
            self.taken.push(record);
            Ok(())
        }
    }
    let store = MemoryStore::default();
    let base = created(&store, 1, "acme", &[Change::added(user(1, "a"))]);
    let mut writer = Writer { store: store.clone(), base, taken: Vec::new() };
    assert_eq!(block_on(store.load(base.tenant_id, &mut writer)).unwrap(), Some(base));
    assert_eq!(writer.taken, [tenant("acme"), user(1, "a")]);
    assert_eq!(loaded(&store, base.tenant_id), Some((vec![tenant("acme"), user(2, "b")], at(base.tenant_id, 2, 7))));
}

#[test]
fn s2_a_load_stops_when_the_sink_says_so() {
    struct Full;
    impl Sink for Full {
        fn push(&mut self, _: Record) -> Result<(), Stop> {
            Err(Stop)
        }
    }
    let store = MemoryStore::default();
    let base = created(&store, 1, "acme", &[]);
    assert!(matches!(block_on(store.load(base.tenant_id, &mut Full)), Err(StoreError::Stopped)));
}

#[test]
fn s3_a_stale_base_changes_nothing() {
    let store = MemoryStore::default();
    let creation = created(&store, 1, "acme", &[]);
    commit(&store, Base::At(creation), 2, &[Change::added(user(1, "a"))]).unwrap();
    let before = loaded(&store, creation.tenant_id);
    let restored = at(creation.tenant_id, 2, 99);
    let ahead = at(creation.tenant_id, 3, 2);
    for base in [creation, restored, ahead, at(creation.tenant_id, 0, 2)] {
        let answer = commit(&store, Base::At(base), 3, &[Change::added(user(2, "b"))]);
        assert!(matches!(answer, Err(StoreError::Conflict { actual }) if actual.number() == 2), "{base:?}: {answer:?}");
        assert_eq!(loaded(&store, creation.tenant_id), before);
    }
}

#[test]
fn s4_one_wrong_change_aborts_the_commit() {
    let store = MemoryStore::default();
    let base = created(&store, 1, "acme", &[Change::added(user(1, "a"))]);
    let good = Change::added(user(2, "b"));
    let table = [
        ("S3", Change::added(user(1, "a"))),
        ("S10", Change::added(tenant("second"))),
        ("S3", Change::removed(user(9, "a"))),
        ("S3", Change::new(Some(user(9, "other")), Some(user(9, "b"))).unwrap()),
        ("S10", good.clone()),
        ("S10", Change::added(user(2, "another"))),
    ];
    let before = loaded(&store, base.tenant_id);
    for (clause, wrong) in table {
        let changes = [good.clone(), Change::new(Some(tenant("acme")), Some(tenant("new"))).unwrap(), wrong];
        let answer = commit(&store, Base::At(base), 2, &changes).unwrap_err();
        assert!(matches!(&answer, StoreError::Corrupt(why) if why.to_string().starts_with(clause)), "{answer}");
        assert_eq!(loaded(&store, base.tenant_id), before);
        assert_eq!((found(&store, "acme"), found(&store, "new")), (Some(base.tenant_id), None));
        assert_eq!(since(&store, base), Since::Commits(vec![]));
    }
}

#[test]
fn s5_s13_a_second_connection_sees_each_commit_at_once() {
    let store = MemoryStore::default();
    let second = store.clone();
    let base = created(&store, 1, "acme", &[]);
    assert_eq!(found(&second, "acme"), Some(base.tenant_id));
    commit(&second, Base::At(base), 2, &[Change::added(user(1, "a"))]).unwrap();
    assert_eq!(loaded(&store, base.tenant_id).unwrap().1, at(base.tenant_id, 2, 2));
    assert!(matches!(since(&store, base), Since::Commits(commits) if commits.len() == 1));
    assert_eq!(listed(&store, None, 9), [(base.tenant_id, "acme".to_owned())]);
}

#[test]
fn s7_revisions_rise_by_one_with_empty_commits_too() {
    let store = MemoryStore::default();
    let mut base = created(&store, 1, "acme", &[]);
    for n in 2..50 {
        let changes = if n % 2 == 0 { vec![] } else { vec![Change::added(user(n, "a"))] };
        assert_eq!(u128::from(commit(&store, Base::At(base), n, &changes).unwrap().number()), n);
        base = loaded(&store, base.tenant_id).unwrap().1;
        assert_eq!(base.commit, CommitId::from_uuid(Uuid::from_u128(n)));
    }
}

#[test]
fn s8_similar_texts_stay_distinct() {
    // A1: case, trailing space, NFC and NFD, length.
    let (long, longer) = ("k".repeat(319), "k".repeat(320));
    let keys = ["Alice", "alice", "alice ", " alice", "\u{e9}", "e\u{301}", &long, &longer];
    let mut records: Vec<_> = (1..).zip(keys).map(|(n, key)| user(n, key)).collect();
    let slugs = ["Editor", "editor", "editor.", "edito"];
    records.extend((1..).zip(slugs).map(|(n, slug)| role(n, slug)));
    let role = RoleId::from_uuid(Uuid::from_u128(1));
    for pattern in ["a:*", "A:*", "a:**"] {
        records.push(Record::Grant(Grant { role, granted: Granted::Pattern(Pattern::new(pattern).unwrap()) }));
    }
    let store = MemoryStore::default();
    let base = created(&store, 1, "a", &records.iter().cloned().map(Change::added).collect::<Vec<_>>());
    created(&store, 2, "a-", &[]);
    assert_eq!(
        (found(&store, "a"), found(&store, "a-"), found(&store, "a--")),
        (Some(tenant_id(1)), Some(tenant_id(2)), None)
    );
    let (loaded, _) = loaded(&store, base.tenant_id).unwrap();
    assert_eq!(loaded.len(), 1 + records.len());
    assert!(records.iter().all(|record| loaded.contains(record)));
    let key = |wanted: &str| loaded.iter().filter(|r| matches!(r, Record::User(u) if u.key == wanted)).count();
    assert!(keys.iter().all(|wanted| key(wanted) == 1));
}

#[test]
fn s9_the_same_id_in_two_tenants_is_separate() {
    let store = MemoryStore::default();
    let one = created(&store, 1, "one", &[Change::added(user(1, "a"))]);
    let two = created(&store, 2, "two", &[Change::added(user(1, "b"))]);
    // The same commit id, too.
    commit(&store, Base::At(one), 5, &[Change::removed(user(1, "a"))]).unwrap();
    assert_eq!(loaded(&store, two.tenant_id), Some((vec![tenant("two"), user(1, "b")], two)));
    commit(&store, Base::At(two), 5, &[Change::removed(tenant("two"))]).unwrap();
    assert_eq!(loaded(&store, one.tenant_id), Some((vec![tenant("one")], at(one.tenant_id, 2, 5))));
}

#[test]
fn s9_a_tenant_slug_is_unique_by_rename_too() {
    let store = MemoryStore::default();
    let rename = |from, to| [Change::new(Some(tenant(from)), Some(tenant(to))).unwrap()];
    let one = created(&store, 1, "one", &[]);
    let two = created(&store, 2, "two", &[]);
    assert!(matches!(commit(&store, Base::At(two), 3, &rename("two", "one")), Err(StoreError::SlugTaken)));
    assert_eq!((found(&store, "one"), found(&store, "two")), (Some(one.tenant_id), Some(two.tenant_id)));
    commit(&store, Base::At(one), 4, &rename("one", "first")).unwrap();
    commit(&store, Base::At(two), 5, &rename("two", "one")).unwrap();
    let seen = [("first", Some(one.tenant_id)), ("one", Some(two.tenant_id)), ("two", None)];
    for (slug, tenant_id) in seen {
        assert_eq!(found(&store, slug), tenant_id, "{slug}");
    }
    // A new display name under the slug that it has already does not clash with itself.
    let named = Record::Tenant(TenantRecord { slug: "one".parse().unwrap(), name: name("One") });
    let change = Change::new(Some(tenant("one")), Some(named)).unwrap();
    commit(&store, Base::At(at(two.tenant_id, 2, 5)), 6, &[change]).unwrap();
    assert_eq!(found(&store, "one"), Some(two.tenant_id));
}

#[test]
fn s9_existing_tenants_are_listed_by_slug() {
    let store = MemoryStore::default();
    for (n, slug) in (1..).zip(["b", "a", "c-", "c", "-", "0"]) {
        created(&store, n, slug, &[]);
    }
    commit(&store, Base::At(at(tenant_id(4), 1, 4)), 9, &[Change::removed(tenant("c"))]).unwrap();
    let slugs = |after, limit| listed(&store, after, limit).into_iter().map(|(_, slug)| slug).collect::<Vec<_>>();
    assert_eq!(slugs(None, usize::MAX), ["-", "0", "a", "b", "c-"]);
    assert_eq!(slugs(None, 2), ["-", "0"]);
    assert_eq!(slugs(Some("0"), 2), ["a", "b"]);
    assert_eq!(slugs(Some("c"), 2), ["c-"], "the one to begin after need not be there");
    assert!(slugs(Some("c-"), 2).is_empty() && slugs(None, 0).is_empty());
}

#[test]
fn s10_every_kind_is_loaded_as_written_in_the_order_of_kinds() {
    let store = MemoryStore::default();
    let records = one_of_each();
    let mut kinds: Vec<RecordKind> = records.iter().map(Record::kind).collect();
    kinds.dedup();
    assert_eq!(kinds, RecordKind::ALL);
    let creations: Vec<_> = records.iter().skip(1).rev().cloned().map(Change::added).collect();
    let base = created(&store, 1, "acme", &creations);
    assert_eq!(loaded(&store, base.tenant_id), Some((records.clone(), base)));
    let mut base = base;
    for (n, record) in (10..).zip(records.iter().skip(1).rev()) {
        commit(&store, Base::At(base), n, &[Change::removed(record.clone())]).unwrap();
        base = at(base.tenant_id, base.revision.number() + 1, n);
        assert!(!loaded(&store, base.tenant_id).unwrap().0.contains(record));
    }
    assert_eq!(loaded(&store, base.tenant_id), Some((vec![tenant("acme")], base)));
}

#[test]
fn s11_a_future_that_is_never_polled_does_nothing() {
    let store = MemoryStore::default();
    let base = created(&store, 1, "acme", &[]);
    let changes = [Change::removed(tenant("acme"))];
    drop(store.commit(Commit { base: Base::At(base), envelope: &envelope(2), changes: &changes }));
    assert_eq!(loaded(&store, base.tenant_id), Some((vec![tenant("acme")], base)));
}

#[test]
fn s12_of_racing_commits_exactly_one_wins() {
    const RACERS: u128 = 4;
    let store = MemoryStore::default();
    let mut base = created(&store, 1, "acme", &[]);
    let (inside, together) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for round in 1..=300 {
        let start = Barrier::new(RACERS.try_into().unwrap());
        let race = |racer: u128| {
            let id = round * 100 + racer;
            let changes = [Change::added(user(id, "racer"))];
            start.wait();
            together.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now(); // so that they meet on a single core too
            let answer = commit(&store.clone(), Base::At(base), id, &changes);
            inside.fetch_sub(1, Ordering::SeqCst);
            (id, answer)
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let next = base.revision.next();
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(id, _)| *id).collect();
        let lost = |answer: &_| matches!(answer, Err(StoreError::Conflict { actual }) if *actual == next);
        assert_eq!((winners.len(), answers.iter().filter(|(_, answer)| lost(answer)).count()), (1, 3));
        base = at(base.tenant_id, next.number(), *winners.first().unwrap());
        let (records, latest) = loaded(&store, base.tenant_id).unwrap();
        assert_eq!((records.len(), latest), (1 + usize::try_from(round).unwrap(), base));
    }
    assert!(together.into_inner() > 1, "no two commits were ever under way at once: nothing was shown");
}

#[test]
fn s12_of_racing_creations_with_one_slug_exactly_one_wins() {
    let store = MemoryStore::default();
    for round in 0..100 {
        let (slug, start) = (format!("slug-{round}"), Barrier::new(2));
        let race = |tenant_number| {
            start.wait();
            commit(&store, Base::Create(tenant_id(tenant_number)), tenant_number, &[Change::added(tenant(&slug))])
        };
        let (a, b) = thread::scope(|scope| {
            let other = scope.spawn(|| race(2 * round + 1));
            (race(2 * round + 2), other.join().unwrap())
        });
        assert!(matches!((a, b), (Ok(_), Err(StoreError::SlugTaken)) | (Err(StoreError::SlugTaken), Ok(_))));
    }
}

#[test]
fn s14_the_commits_since_a_base_are_in_order_with_their_envelopes() {
    let store = MemoryStore::default();
    let creation = created(&store, 1, "acme", &[]);
    let commits = written(&store, creation, 2..=5);
    for (skipped, id) in (1..=5).enumerate() {
        let answer = since(&store, at(creation.tenant_id, u64::try_from(id).unwrap(), id));
        assert_eq!(answer, Since::Commits(commits.iter().skip(skipped).cloned().collect()));
    }
}

#[test]
fn s14_a_base_that_is_not_in_the_history_is_too_old() {
    let store = MemoryStore::default();
    let creation = created(&store, 1, "acme", &[]);
    written(&store, creation, 2..=5);
    for (revision, id) in [(0, 0), (0, 1), (1, 2), (3, 2), (5, 4), (5, 99), (6, 5), (6, 6), (u64::MAX, 5)] {
        assert_eq!(since(&store, at(creation.tenant_id, revision, id)), Since::TooOld, "revision {revision} by {id}");
    }
}

#[test]
fn s14_commits_above_the_limit_are_too_old() {
    // Each of the commits counts for one change, the empty ones too.
    for (max_changes, oldest) in [(0, 9), (1, 8), (3, 6), (8, 1), (100, 1)] {
        let store = MemoryStore::with_history(max_changes);
        let creation = created(&store, 1, "acme", &[Change::added(user(100, "a")), Change::added(user(101, "b"))]);
        written(&store, creation, 2..=9);
        for id in 1..=9 {
            let answer = since(&store, at(creation.tenant_id, u64::try_from(id).unwrap(), id));
            assert_eq!(answer != Since::TooOld, id >= oldest, "{id} with room for {max_changes}");
        }
    }
}

#[test]
fn s15_a_commit_of_200_000_changes_is_one_commit() {
    let store = MemoryStore::with_history(200_000);
    let base = created(&store, 1, "acme", &[]);
    let changes: Vec<_> = (1..=200_000).map(|n| Change::added(user(n, &format!("user-{n}")))).collect();
    assert_eq!(commit(&store, Base::At(base), 2, &changes).unwrap().number(), 2);
    assert_eq!(loaded(&store, base.tenant_id).unwrap().0.len(), 200_001);
    let Since::Commits(commits) = since(&store, base) else { panic!("one commit fits") };
    assert!(commits.len() == 1 && commits.first().unwrap().changes == changes);
    commit(&store, Base::At(at(base.tenant_id, 2, 2)), 3, &[]).unwrap();
    assert_eq!(since(&store, base), Since::TooOld);
}

#[test]
fn debug_output_contains_no_tenant_data() {
    let store = MemoryStore::default();
    created(&store, 1, "acme", &[Change::added(user(1, "alice@acme.com"))]);
    assert_eq!(format!("{store:?}"), "MemoryStore { .. }");
}

fn tenant_id(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn at(tenant_id: TenantId, revision: u64, commit: u128) -> Position {
    Position { tenant_id, revision: Revision::new(revision), commit: CommitId::from_uuid(Uuid::from_u128(commit)) }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn tenant(slug: &str) -> Record {
    Record::Tenant(TenantRecord { slug: slug.parse().unwrap(), name: name("A Tenant") })
}

fn user(n: u128, key: &str) -> Record {
    let id = UserId::from_uuid(Uuid::from_u128(n));
    Record::User(UserRecord::new(id, UserKey::new(key).unwrap()).with_status(Status::Suspended))
}

fn role(n: u128, slug: &str) -> Record {
    let (id, description) = (RoleId::from_uuid(Uuid::from_u128(n)), Description::new("what it is\nfor").unwrap());
    Record::Role(RoleRecord { id, slug: Slug::new(slug).unwrap(), name: name("A Role"), description })
}

/// A record of each kind and shape, in the order of a load; the tenant is `acme`.
fn one_of_each() -> Vec<Record> {
    let uuid = Uuid::from_u128;
    let slug = |text: &str| Slug::new(text).unwrap();
    let (group, wider) = (GroupId::from_uuid(uuid(1)), GroupId::from_uuid(uuid(2)));
    let (user_id, role_id) = (UserId::from_uuid(uuid(1)), RoleId::from_uuid(uuid(1)));
    let permission = PermissionId::from_uuid(uuid(1));
    let catalog_permission = PermissionRef::Catalog { id: PermissionId::from_uuid(uuid(2)), slug: slug("of:catalog") };
    let catalog_role = RoleRef::Catalog { id: RoleId::from_uuid(uuid(3)), slug: slug("Of-Catalog") };
    let window = Window::between(Timestamp::from_secs(1).unwrap(), Timestamp::MAX).unwrap();
    let granted = |granted| Record::Grant(Grant { role: role_id, granted });
    let group_record = |id, text| Record::Group(GroupRecord::new(id, slug(text), name("G"), Description::default()));
    let asserted = |id, expected| {
        let description = Description::default();
        let (id, slug, binding) = (AssertionId::from_uuid(uuid(id)), slug(&format!("assertion-{id}")), id % 2 == 0);
        Record::Assertion(AssertionRecord { id, slug, description, binding, expected })
    };
    let own = PermissionRef::Own(permission);
    vec![
        tenant("acme"),
        Record::Permission(PermissionRecord {
            id: permission,
            slug: slug("posts:write"),
            name: name("Write"),
            description: Description::new("posts").unwrap(),
            category: Some(name("Posts")),
        }),
        role(1, "editor"),
        group_record(group, "narrow"),
        group_record(wider, "wide"),
        user(1, "alice@acme.com"),
        granted(Granted::Permission(own.clone())),
        granted(Granted::Permission(catalog_permission.clone())),
        granted(Granted::Pattern(Pattern::new("posts:*").unwrap())),
        Record::Inclusion(Inclusion { role: role_id, included: catalog_role.clone() }),
        Record::Parent(ParentLink { group, parent: wider, window }),
        Record::Assignment(Assignment { role: RoleRef::Own(role_id), holder: Holder::User(user_id), window }),
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
            roles: vec![RoleRef::Own(role_id), catalog_role.clone()],
        }),
        asserted(1, Expectation::Allowed { permission: own.clone(), users: vec![user_id], groups: vec![] }),
        asserted(2, Expectation::Denied { permission: catalog_permission, users: vec![], groups: vec![group, wider] }),
        asserted(3, Expectation::Only { permission: own, users: vec![], groups: vec![] }),
        asserted(4, Expectation::Separate { roles: vec![RoleRef::Own(role_id), catalog_role] }),
    ]
}

fn envelope(id: u128) -> Envelope {
    Envelope {
        id: CommitId::from_uuid(Uuid::from_u128(id)),
        previous: Some(CommitId::from_uuid(Uuid::from_u128(id.wrapping_sub(1)))),
        actor: Some(Actor::new(&format!("actor {id}")).unwrap()),
        at: Timestamp::MAX,
        note: Some(Note::new(&format!("note\n{id}")).unwrap()),
        catalog: Fingerprint::from_uuid(Uuid::from_u128(id)),
    }
}

fn commit(store: &MemoryStore, base: Base, id: u128, changes: &[Change]) -> Result<Revision, StoreError> {
    block_on(store.commit(Commit { base, envelope: &envelope(id), changes }))
}

/// Creates the tenant with this number. The commit id is the same number.
fn created(store: &MemoryStore, number: u128, slug: &str, more: &[Change]) -> Position {
    let changes: Vec<_> = more.iter().cloned().chain([Change::added(tenant(slug))]).collect();
    commit(store, Base::Create(tenant_id(number)), number, &changes).unwrap();
    at(tenant_id(number), 1, number)
}

/// One commit for each of these numbers, which is its revision and its id; every other one is empty.
fn written(store: &MemoryStore, creation: Position, numbers: std::ops::RangeInclusive<u64>) -> Vec<StoredCommit> {
    let mut base = creation;
    let mut commits = Vec::new();
    for n in numbers {
        let (id, revision) = (u128::from(n), Revision::new(n));
        let changes = if n % 2 == 0 { vec![Change::added(user(id, "a"))] } else { vec![] };
        assert_eq!(commit(store, Base::At(base), id, &changes).unwrap(), revision);
        commits.push(StoredCommit { revision, envelope: envelope(id), changes });
        base = at(creation.tenant_id, n, id);
    }
    commits
}

fn found(store: &MemoryStore, slug: &str) -> Option<TenantId> {
    block_on(store.find(&TenantSlug::new(slug).unwrap())).unwrap()
}

fn listed(store: &MemoryStore, after: Option<&str>, limit: usize) -> Vec<(TenantId, String)> {
    let after = after.map(|slug| TenantSlug::new(slug).unwrap());
    let listed = block_on(store.list(after.as_ref(), limit)).unwrap();
    listed.into_iter().map(|TenantSummary { tenant_id, slug }| (tenant_id, slug.to_string())).collect()
}

fn loaded(store: &MemoryStore, tenant_id: TenantId) -> Option<(Vec<Record>, Position)> {
    let mut records = Vec::new();
    block_on(store.load(tenant_id, &mut records)).unwrap().map(|at| (records, at))
}

fn since(store: &MemoryStore, at: Position) -> Since {
    block_on(store.since(at)).unwrap()
}
