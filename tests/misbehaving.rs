//! An open tenant over a store that fails. Every fault is injected into every call of a fixed script, alone and
//! followed by an unavailable store. After every step the tenant is consistent and reports what happened.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use pollster::block_on;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::records::{
    Change, CommitId, GroupId, Membership, ParentLink, Record, Revision, RoleId, RoleRecord, Slug, UserId, UserKey,
    UserRecord, Window,
};
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::store::{MemoryStore, Store as _, StoredCommit};
use rolecall::{Authorizer, Decision, ErrorKind, Reason, Result, Tenant, Timestamp, authorizer::Outcome};

type Store = FaultyStore<MemoryStore>;

/// The result of a call on the tenant.
#[derive(Debug)]
enum CallResult {
    Done,
    /// It returned this error.
    Refused(ErrorKind),
    /// The store hung and the future was dropped.
    Dropped,
    Panicked,
}

/// Polls a future once: it is ready, panics, or hangs and is dropped.
fn play(future: impl Future<Output = Result<()>>) -> CallResult {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
        Ok(Poll::Ready(Ok(()))) => CallResult::Done,
        Ok(Poll::Ready(Err(error))) => CallResult::Refused(error.kind()),
        Ok(Poll::Pending) => CallResult::Dropped,
        Err(_) => CallResult::Panicked,
    }
}

type Act = fn(&Tenant) -> Pin<Box<dyn Future<Output = Result<()>> + '_>>;

/// One step of the script: its call, and whether alice may write after it; `None` if it changes nothing.
struct Step {
    what: &'static str,
    act: Act,
    may: Option<bool>,
}

fn steps() -> Vec<Step> {
    let step = |what, act, may| Step { what, act, may };
    vec![
        step("assign", |t| Box::pin(async { assign(t).await }), Some(true)),
        step("assign again", |t| Box::pin(async { assign(t).await }), Some(true)),
        step("refresh", |t| Box::pin(async { t.refresh().await.map(drop) }), None),
        step("unassign", |t| Box::pin(async { unassign(t).await }), Some(false)),
        step("unassign again", |t| Box::pin(async { unassign(t).await }), Some(false)),
        step("assign once more", |t| Box::pin(async { assign(t).await }), Some(true)),
        step(
            "rename",
            |t| Box::pin(async { t.update(|tx| tx.set_tenant_slug("acme-2")?.done()).await.map(drop) }),
            None,
        ),
    ]
}

async fn assign(tenant: &Tenant) -> Result<()> {
    tenant.update(|tx| tx.user("alice")?.assign("editor")?.done()).await.map(drop)
}

async fn unassign(tenant: &Tenant) -> Result<()> {
    tenant.update(|tx| tx.user("alice")?.unassign("editor")?.done()).await.map(drop)
}

fn acme() -> (Store, Authorizer, Tenant) {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    let set_up = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.done()
    });
    block_on(set_up).unwrap();
    store.take_calls();
    (store, authorizer, acme)
}

/// The content of the store, read by a separate authorizer: whether alice may write, and the revision.
fn truth(store: &Store, acme: &Tenant) -> (bool, Revision) {
    let authorizer = Authorizer::builder().store(store.inner().clone()).build();
    let tenant = block_on(authorizer.tenant_by_id(acme.tenant_id())).unwrap();
    (tenant.check("alice", "posts:write"), tenant.revision())
}

/// A tenant either reports in every question why it is unavailable, or agrees with the store at that revision.
fn is_consistent(store: &Store, acme: &Tenant, plot: &str) {
    let decision = acme.decide("alice", "posts:write");
    assert_eq!(acme.check("alice", "posts:write"), decision == Decision::Allowed, "{plot}");
    match decision {
        Decision::Denied(
            reason @ (Reason::InDoubt | Reason::InvalidStoreContent | Reason::Deleted | Reason::Closed),
        ) => {
            assert_eq!(acme.effective("alice").unavailable(), Some(reason), "{plot}");
            assert_eq!(acme.now().unavailable(), Some(reason), "{plot}");
            assert!(acme.now().user("alice").is_none(), "{plot}");
        }
        decision => {
            assert_eq!(acme.in_doubt(), None, "{plot}: it answers although its commit is in doubt");
            let (may, revision) = truth(store, acme);
            assert!(acme.revision() <= revision, "{plot}: it answers from a revision that no commit made");
            if acme.revision() == revision {
                assert_eq!(decision == Decision::Allowed, may, "{plot}: its answer differs from the store");
            }
        }
    }
}

/// The calls of the script without faults: the kind of each, and how many of its kind come before it.
fn calls_of_the_script() -> Vec<(Call, usize)> {
    let (store, _authorizer, acme) = acme();
    for step in steps() {
        assert!(matches!(play((step.act)(&acme)), CallResult::Done), "{}", step.what);
    }
    let calls = store.take_calls();
    calls
        .iter()
        .enumerate()
        .map(|(n, call)| (*call, calls.iter().take(n).filter(|other| *other == call).count()))
        .collect()
}

/// Runs the script with this fault at this call, and compares the outcome with what was reported.
fn run_script_with(fault: Fault, call: Call, before: usize, then_down: usize) {
    let plot = format!("{fault:?} at {call:?} {before}, then down for {then_down}");
    let (store, authorizer, acme) = acme();
    for _ in 0..before {
        store.pass_next(call);
    }
    store.fail_next(call, fault);
    let (mut acknowledged, mut downs) = (false, then_down);
    for step in steps() {
        let (renamed_from, at) = truth(&store, &acme);
        let result = play((step.act)(&acme));
        let plot = format!("{plot}: {} led to {result:?}", step.what);
        if !matches!(result, CallResult::Done) {
            // The store is down for the next calls that try to resolve the commit.
            for _ in 0..std::mem::take(&mut downs) {
                for call in Call::ALL {
                    store.fail_next(call, Fault::Unavailable);
                }
            }
        }
        is_consistent(&store, &acme, &plot);
        let (may, now) = truth(&store, &acme);
        match result {
            CallResult::Done => {
                if let Some(expected) = step.may {
                    assert_eq!(may, expected, "{plot}: it was acknowledged, and was not applied");
                    acknowledged = true;
                    assert_eq!(acme.check("alice", "posts:write"), expected, "{plot}: acknowledged, and not visible");
                }
            }
            CallResult::Refused(
                ErrorKind::Unavailable
                | ErrorKind::TooLarge
                | ErrorKind::UnsupportedRecord
                | ErrorKind::Corrupt
                | ErrorKind::Conflict,
            ) => {
                let resolves_as_nothing = now == at || may == renamed_from;
                assert!(resolves_as_nothing, "{plot}: it reports that nothing happened");
            }
            CallResult::Refused(ErrorKind::InDoubt | ErrorKind::Blocked) => {
                assert!(acme.in_doubt().is_some(), "{plot}");
                assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::InDoubt), "{plot}");
            }
            CallResult::Refused(ErrorKind::Deleted) => assert_eq!(fault, Fault::Deleted, "{plot}"),
            CallResult::Refused(kind) => panic!("{plot}: {kind:?}"),
            CallResult::Dropped | CallResult::Panicked => {}
        }
    }
    store.clear_faults();
    // Recovery needs no restart. After two calls at most, every question is answered from the latest state.
    let recovered = block_on(async {
        let tenant = authorizer.tenant_by_id(acme.tenant_id()).await?;
        tenant.refresh().await?;
        Ok::<_, rolecall::Error>(tenant)
    });
    let recovered = recovered.unwrap_or_else(|error| panic!("{plot}: not recovered: {error}"));
    let (may, latest) = truth(&store, &recovered);
    assert_eq!((recovered.check("alice", "posts:write"), recovered.revision()), (may, latest), "{plot}");
    assert_eq!(recovered.in_doubt(), None, "{plot}");
    block_on(unassign(&recovered)).unwrap();
    assert!(!truth(&store, &recovered).0 && !recovered.check("alice", "posts:write"), "{plot}");
    assert!(acknowledged || fault == Fault::Deleted || then_down > 1, "{plot}: the script went on");
}

#[test]
fn every_fault_at_every_call_leaves_a_tenant_that_is_consistent_and_recovers() {
    let calls = calls_of_the_script();
    assert!(calls.len() >= 7, "the script reaches the store: {calls:?}");
    for fault in Fault::ALL {
        for (call, before) in &calls {
            for then_down in [0, 1, 4] {
                run_script_with(fault, *call, *before, then_down);
            }
        }
    }
}

/// A tenant is created, closed and opened again, with every fault at every call. In the end there is exactly one tenant
/// with that slug. A call that reported that nothing happened has had no effect.
#[test]
fn every_fault_at_a_creation_and_at_an_opening_leaves_one_tenant_at_most() {
    for fault in Fault::ALL {
        for call in Call::ALL {
            for then_down in [0, 1, 3] {
                let plot = format!("{fault:?} at {call:?}, then down for {then_down}");
                let store = FaultyStore::new(MemoryStore::default());
                let authorizer = Authorizer::builder().store(store.clone()).build();
                let tenants = || block_on(store.inner().list(None, 9)).unwrap();
                store.fail_next(call, fault);
                for _ in 0..then_down {
                    store.fail_next(Call::Commit, Fault::Unavailable);
                }
                let result = play(async { authorizer.create_tenant("acme", "Acme").await.map(drop) });
                if let CallResult::Refused(kind) = result {
                    let says_nothing = !matches!(kind, ErrorKind::InDoubt | ErrorKind::AlreadyExists);
                    assert!(!says_nothing || tenants().is_empty(), "{plot}: {kind:?}, and the tenant exists");
                }
                // The next request resolves a creation in doubt, or reports that it is still in doubt.
                let asked = play(async { authorizer.open_or_create("acme", "Acme").await.map(drop) });
                assert!(tenants().len() <= 1, "{plot}: two tenants with one slug");
                store.clear_faults();
                let acme = block_on(authorizer.open_or_create("acme", "Acme"));
                let acme = acme.unwrap_or_else(|error| panic!("{plot}: {result:?}, {asked:?}, then {error}"));
                assert_eq!((tenants().len(), tenants()[0].tenant_id), (1, acme.tenant_id()), "{plot}");

                block_on(acme.close()).unwrap();
                store.fail_next(call, fault);
                let _asked = play(async { authorizer.tenant("acme").await.map(drop) });
                store.clear_faults();
                let acme = block_on(authorizer.tenant("acme")).unwrap_or_else(|error| panic!("{plot}: {error}"));
                block_on(acme.update(|tx| tx.create_user("alice")?.done())).unwrap();
                assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::UnknownPermission), "{plot}");
            }
        }
    }
}

/// Every commit of the store fails.
#[test]
fn a_store_that_always_fails_is_always_reported() {
    let faults = [
        (Fault::Unavailable, ErrorKind::Unavailable),
        (Fault::Conflict, ErrorKind::Conflict),
        (Fault::RequestLost, ErrorKind::InDoubt),
        (Fault::TooLarge, ErrorKind::TooLarge),
        (Fault::UnsupportedRecord, ErrorKind::UnsupportedRecord),
        (Fault::Corrupt, ErrorKind::Corrupt),
    ];
    for (fault, kind) in faults {
        let (store, authorizer, acme) = acme();
        store.fail_every(Call::Commit, fault);
        for attempt in 0..3 {
            let CallResult::Refused(answer) = play(assign(&acme)) else { panic!("{fault:?}") };
            // After a conflict without a new revision, the same commit is sent again. That it keeps failing does not
            // prove that it will never be applied.
            let expected = match kind {
                ErrorKind::InDoubt | ErrorKind::Conflict if attempt == 0 => ErrorKind::InDoubt,
                ErrorKind::InDoubt | ErrorKind::Conflict => ErrorKind::Blocked,
                kind => kind,
            };
            assert_eq!(answer, expected, "{fault:?}");
            is_consistent(&store, &acme, &format!("{fault:?} for ever"));
        }
        assert!(!truth(&store, &acme).0, "{fault:?}");
        store.clear_faults();
        let acme = block_on(authorizer.tenant("acme")).unwrap();
        block_on(assign(&acme)).unwrap();
        assert!(acme.check("alice", "posts:write"), "{fault:?}");
    }
}

/// The commit is applied while the library looks for it.
#[test]
fn a_commit_applied_while_it_is_resolved_is_found() {
    for calls in 1..=3 {
        let (store, _authorizer, acme) = acme();
        store.fail_next(Call::Commit, Fault::CommitsAfter(calls));
        let done = block_on(acme.update(|tx| tx.user("alice")?.assign("editor")?.done())).unwrap();
        assert_eq!((done.revision, acme.revision()), (Revision::new(3), Revision::new(3)), "it took effect once");
        assert!(acme.check("alice", "posts:write"));
        assert_eq!(truth(&store, &acme), (true, Revision::new(3)));
    }
}

/// A client drops its commit, and another client calls.
#[test]
fn the_next_call_resolves_a_dropped_commit() {
    type Next = fn(&Authorizer, &Tenant) -> Result<()>;
    let next_calls: [(&str, Next); 5] = [
        ("open", |authorizer, _| block_on(authorizer.tenant("acme")).map(drop)),
        ("open by id", |authorizer, acme| block_on(authorizer.tenant_by_id(acme.tenant_id())).map(drop)),
        ("refresh", |_, acme| block_on(acme.refresh()).map(drop)),
        ("update", |_, acme| block_on(acme.update(|_| Ok(()))).map(drop)),
        ("plan and commit", |_, acme| {
            block_on(acme.commit(acme.plan(|tx| tx.create_user("bob")?.done())?.1)).map(drop)
        }),
    ];
    for (what, next) in next_calls {
        for fault in [Fault::HangsBefore, Fault::HangsAfter, Fault::PanicsBefore, Fault::PanicsAfter] {
            let (store, authorizer, acme) = acme();
            store.fail_next(Call::Commit, fault);
            assert!(matches!(play(assign(&acme)), CallResult::Dropped | CallResult::Panicked));
            let commit = acme.in_doubt().unwrap();
            assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::InDoubt));
            let answer = next(&authorizer, &acme);
            // A plan made before the commit was resolved is stale. That the commit was resolved is what counts.
            assert!(answer.is_ok() || answer.unwrap_err().kind() == ErrorKind::Stale, "{what} after {fault:?}");
            assert_eq!(acme.decide("alice", "posts:write"), Decision::Allowed, "{what} after {fault:?}");
            assert!(matches!(acme.outcome(commit), Some(Outcome::Committed(_))), "{what} after {fault:?}");
        }
    }
}

fn role(slug: &str) -> Record {
    let (slug, name) = (Slug::new(slug).unwrap(), rolecall::records::Name::new(slug).unwrap());
    Record::Role(RoleRecord {
        id: RoleId::random(),
        slug,
        name,
        description: rolecall::records::Description::default(),
    })
}

fn user(key: &str) -> Record {
    Record::User(UserRecord::new(UserId::random(), UserKey::new(key).unwrap()))
}

fn parent(group: u128, parent: u128) -> Record {
    parent_during(group, parent, Window::ALWAYS)
}

fn parent_during(group: u128, parent: u128, window: Window) -> Record {
    let id = |n| GroupId::from_uuid(uuid::Uuid::from_u128(n));
    Record::Parent(ParentLink { group: id(group), parent: id(parent), window })
}

fn group(n: u128) -> Record {
    let (slug, name) = (Slug::new(&format!("g{n}")).unwrap(), rolecall::records::Name::new("g").unwrap());
    let description = rolecall::records::Description::default();
    let id = GroupId::from_uuid(uuid::Uuid::from_u128(n));
    Record::Group(rolecall::records::GroupRecord::new(id, slug, name, description))
}

/// Adds records in the order of a load.
fn put(records: &mut Vec<Record>, more: impl IntoIterator<Item = Record>) {
    records.extend(more);
    records.sort_by_key(Record::kind);
}

#[test]
fn an_invalid_load_is_rejected_and_the_next_valid_one_is_used() {
    type AlterLoad = fn(&mut Vec<Record>, &mut rolecall::records::Position);
    let cases: [(&str, ErrorKind, AlterLoad); 12] = [
        ("a cycle of two groups", ErrorKind::Corrupt, |r, _| put(r, [group(1), group(2), parent(1, 2), parent(2, 1)])),
        ("a cycle whose windows never meet", ErrorKind::Corrupt, |r, _| {
            let instant = Timestamp::from_secs(10).unwrap();
            let (early, late) = (Window::until(instant), Window::from(instant));
            put(r, [group(1), group(2), parent_during(1, 2, early), parent_during(2, 1, late)]);
        }),
        ("a link twice, with another window", ErrorKind::Corrupt, |r, _| {
            let until = Window::until(Timestamp::from_secs(10).unwrap());
            put(r, [group(1), group(2), parent(1, 2), parent_during(1, 2, until)]);
        }),
        ("a group that is its own parent", ErrorKind::Corrupt, |r, _| put(r, [group(1), parent(1, 1)])),
        ("a parent that is not there", ErrorKind::Corrupt, |r, _| put(r, [group(1), parent(1, 2)])),
        ("two permissions with one slug, which the catalog has, too", ErrorKind::Corrupt, |r, _| {
            put(r, [permission_of_the_catalog(), permission_of_the_catalog()]);
        }),
        ("two roles with one slug", ErrorKind::Corrupt, |r, _| put(r, [role("editor")])),
        ("two users with one key", ErrorKind::Corrupt, |r, _| put(r, [user("alice")])),
        ("no tenant", ErrorKind::Corrupt, |r, _| r.retain(|record| !matches!(record, Record::Tenant(_)))),
        ("a record twice", ErrorKind::Corrupt, |r, _| put(r, r.clone())),
        ("a revision that went back", ErrorKind::Corrupt, |_, at| at.revision = Revision::FIRST),
        ("the same revision by another commit", ErrorKind::Corrupt, |_, at| at.commit = CommitId::random()),
    ];
    let permissions = &[PermissionDef::new("catalog:read")];
    let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
    for (what, kind, alter) in cases {
        let store = FaultyStore::new(MemoryStore::default());
        let authorizer = Authorizer::builder().store(store.clone()).catalog(&catalog).build();
        let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
        let set_up = acme.update(|tx| {
            tx.create_permission("posts:write")?;
            tx.create_role("editor")?.grant("posts:write")?;
            tx.create_user("alice")?.assign("editor")?.done()
        });
        block_on(set_up).unwrap();
        assert!(acme.check("alice", "posts:write"));
        store.alter_loads(alter);
        store.fail_next(Call::Since, Fault::TooOld);
        let error = block_on(acme.refresh()).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::InvalidStoreContent), "{what}");
        // The store still returns invalid loads: every check is denied, and so is an update.
        store.fail_next(Call::Since, Fault::TooOld);
        assert_eq!(block_on(assign(&acme)).unwrap_err().kind(), kind, "{what}");
        assert!(!acme.check("alice", "posts:write"), "{what}");
        store.clear_faults();
        block_on(acme.refresh()).unwrap();
        assert!(acme.check("alice", "posts:write"), "{what}: a valid load is used again");
    }
}

/// Every record is there, so it would mislead to say that a relation refers to nothing.
#[test]
fn a_load_in_the_wrong_order_is_named_as_such() {
    let store = FaultyStore::new(MemoryStore::default());
    let acme = block_on(Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")).unwrap();
    let joined = acme.update(|tx| tx.create_group("staff")?.id().and(tx.create_user("alice")?.join("staff")?.done()));
    block_on(joined).unwrap();
    store.alter_loads(|records, _| records.reverse());
    let error = block_on(Authorizer::builder().store(store).build().tenant("acme")).unwrap_err();
    assert_eq!((error.kind(), error.violations().len()), (ErrorKind::Corrupt, 0));
    assert_eq!(
        error.to_string(),
        "corrupt store content or commit: the load returned a record of kind `user` after one of kind `membership`; \
         records must come in the order of `RecordKind`"
    );
}

fn permission_of_the_catalog() -> Record {
    let (slug, name) = (Slug::new("catalog:read").unwrap(), rolecall::records::Name::new("x").unwrap());
    let (id, description) = (rolecall::records::PermissionId::random(), rolecall::records::Description::default());
    Record::Permission(rolecall::records::PermissionRecord { id, slug, name, description, category: None })
}

/// The history has changes that cannot be applied to the snapshot: the tenant loads instead.
#[test]
fn changes_that_do_not_apply_lead_to_a_load() {
    type AlterHistory = fn(&mut Vec<StoredCommit>);
    let cases: [(&str, AlterHistory); 6] = [
        ("a user removed that is not there", |commits| {
            commits.first_mut().unwrap().changes = vec![Change::removed(user("nobody"))];
        }),
        ("a user added that is there", |commits| {
            commits.first_mut().unwrap().changes.push(Change::added(user("alice")));
        }),
        ("a member of a group that is not there", |commits| {
            let (user, group) = (UserId::random(), GroupId::random());
            let member = Record::Membership(Membership { user, group, window: Window::ALWAYS });
            commits.first_mut().unwrap().changes.push(Change::added(member));
        }),
        ("a revision left out", |commits| commits.first_mut().unwrap().revision = Revision::new(9)),
        ("another commit before it", |commits| {
            commits.first_mut().unwrap().envelope.previous = Some(CommitId::random());
        }),
        ("the same commit twice", |commits| commits.extend(commits.first().cloned())),
    ];
    for (what, alter) in cases {
        let (store, _authorizer, acme) = acme();
        let other = Authorizer::builder().store(store.inner().clone()).build();
        let other = block_on(other.tenant("acme")).unwrap();
        block_on(assign(&other)).unwrap();
        store.alter_histories(alter);
        block_on(acme.refresh()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((acme.check("alice", "posts:write"), acme.revision()), truth(&store, &acme), "{what}");
        assert!(store.take_calls().contains(&Call::Load) || what.ends_with("twice"), "{what}");
    }
}
