//! A store that fails while a whole tenant is created, replaced or repaired. Every fault is injected at every call,
//! alone and followed by an unavailable store. Acknowledged changes are applied, rejected ones are not, and nothing
//! is applied in part. The tenant recovers with the store.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use pollster::block_on;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::store::{MemoryStore, Store as _};
use rolecall::{Authorizer, Document, ErrorKind, Result};

type Store = FaultyStore<MemoryStore>;

/// The document of the organisation, with this member of its staff.
fn document(member: &str) -> Document {
    let json = format!(
        r#"{{"format": 1, "tenant": {{"slug": "acme"}}, "permissions": ["posts:write"],
            "roles": [{{"slug": "editor", "permissions": ["posts:*"]}}],
            "groups": [{{"slug": "staff", "roles": ["editor"], "members": ["{member}"]}}], "users": ["{member}"]}}"#
    );
    Document::from_json(json.as_bytes()).unwrap()
}

/// Polls a call. `None` if it hung and was dropped, or if it panicked.
fn play<T>(future: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
        Ok(Poll::Ready(answer)) => Some(answer),
        Ok(Poll::Pending) | Err(_) => None,
    }
}

/// The staff members in the store, of these two; `None` if the tenant does not exist.
fn truth(store: &Store) -> Option<Vec<&'static str>> {
    let authorizer = Authorizer::builder().store(store.inner().clone()).build();
    let tenant = block_on(authorizer.open_if_there("acme"))?;
    let may = |user: &&str| tenant.check(*user, "posts:write");
    let json = tenant.snapshot().export().unwrap().to_json();
    assert!(json.matches("posts:").count() > 1 && json.contains("staff"), "applied in part: {json}");
    Some(["alice", "bob"].into_iter().filter(may).collect())
}

/// Opens a tenant that may not exist.
trait OpenIfThere {
    async fn open_if_there(&self, slug: &str) -> Option<rolecall::Tenant>;
}

impl OpenIfThere for Authorizer {
    async fn open_if_there(&self, slug: &str) -> Option<rolecall::Tenant> {
        match self.tenant(slug).await {
            Ok(tenant) => Some(tenant),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                None
            }
        }
    }
}

/// All combinations of a fault, a call of its kind, and the number of calls for which the store is down afterwards.
fn plots(calls: &[Call]) -> Vec<(Fault, Call, usize, usize)> {
    let mut plots = Vec::new();
    for fault in Fault::ALL {
        for (n, call) in calls.iter().enumerate() {
            let before = calls.iter().take(n).filter(|other| *other == call).count();
            plots.extend([0, 1, 4].map(|down| (fault, *call, before, down)));
        }
    }
    plots
}

fn arm(store: &Store, (fault, call, before, down): (Fault, Call, usize, usize)) {
    (0..before).for_each(|_| store.pass_next(call));
    store.fail_next(call, fault);
    for _ in 0..down {
        Call::ALL
            .into_iter()
            .filter(|other| *other != call)
            .for_each(|other| store.fail_next(other, Fault::Unavailable));
        store.fail_next(call, Fault::Unavailable);
    }
}

/// Whether an error says for certain that nothing happened, neither by this call nor by an earlier one in doubt.
fn says_nothing_happened(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::InDoubt | ErrorKind::Blocked | ErrorKind::Deleted)
}

#[test]
fn an_import_is_applied_as_a_whole_or_not_at_all() {
    let calls = {
        let store = FaultyStore::new(MemoryStore::default());
        block_on(Authorizer::builder().store(store.clone()).build().import(&document("alice"))).unwrap();
        store.take_calls()
    };
    assert!(calls.contains(&Call::Commit), "{calls:?}");
    // One call more than a creation makes, so that the calls that resolve it fail too.
    for plot in plots(&[calls, vec![Call::Commit, Call::Commit, Call::Load, Call::Find]].concat()) {
        let store = FaultyStore::new(MemoryStore::default());
        let authorizer = Authorizer::builder().store(store.clone()).build();
        arm(&store, plot);
        let mut acknowledged = false;
        for attempt in 1..=3 {
            let came = play(authorizer.import(&document("alice")));
            let is_there = truth(&store).is_some();
            match &came {
                Some(Ok(tenant)) => {
                    assert!(is_there && tenant.check("alice", "posts:write"), "{plot:?}, {attempt}: acknowledged");
                    assert!(!acknowledged, "{plot:?}, {attempt}: created twice");
                    acknowledged = true;
                }
                Some(Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
                    assert!(is_there, "{plot:?}, {attempt}");
                }
                Some(Err(error)) if says_nothing_happened(error.kind()) => {
                    assert!(!is_there || acknowledged, "{plot:?}, {attempt}: {error}, and it exists");
                }
                Some(Err(_)) | None => {}
            }
        }
        store.clear_faults();
        let there = block_on(authorizer.open_if_there("acme"));
        assert!(there.is_some() || !acknowledged, "{plot:?}: lost");
        let tenant = there.unwrap_or_else(|| block_on(authorizer.import(&document("alice"))).unwrap());
        assert!(tenant.check("alice", "posts:write"), "{plot:?}");
        block_on(tenant.update(|tx| tx.user("alice")?.leave("staff")?.done())).unwrap();
        assert_eq!(truth(&store), Some(vec![]), "{plot:?}");
        assert_eq!(block_on(store.inner().list(None, 10)).unwrap().len(), 1, "{plot:?}: two tenants");
    }
}

#[test]
fn a_replace_leaves_the_old_tenant_or_the_new_one() {
    let begun = || {
        let store = FaultyStore::new(MemoryStore::default());
        let authorizer = Authorizer::builder().store(store.clone()).build();
        let acme = block_on(authorizer.import(&document("alice"))).unwrap();
        store.take_calls();
        (store, authorizer, acme)
    };
    let calls = {
        let (store, _authorizer, acme) = begun();
        block_on(acme.replace(&document("bob"))).unwrap();
        block_on(acme.replace(&document("bob"))).unwrap();
        store.take_calls()
    };
    for plot in plots(&[calls, vec![Call::Commit, Call::Since, Call::Load]].concat()) {
        let (store, authorizer, acme) = begun();
        arm(&store, plot);
        let (mut present, mut under_way) = (vec!["alice"], None);
        for (attempt, goal) in ["bob", "alice", "bob"].into_iter().enumerate() {
            let came = play(acme.replace(&document(goal)));
            let found = truth(&store).unwrap();
            // A commit of an earlier attempt may be applied during this one.
            let stayed = found == present || under_way.is_some_and(|goal| found == [goal]);
            match &came {
                Some(Ok(_)) => {
                    assert_eq!(found, [goal], "{plot:?}, {attempt}: acknowledged");
                    assert!(acme.check(goal, "posts:write"), "{plot:?}, {attempt}: acknowledged, and not visible");
                }
                Some(Err(error)) if says_nothing_happened(error.kind()) => {
                    assert!(stayed, "{plot:?}, {attempt}: {error}, and {found:?}");
                }
                Some(Err(_)) | None => {
                    assert!(found == [goal] || stayed, "{plot:?}, {attempt}: {found:?}");
                    under_way = Some(goal);
                }
            }
            for user in ["alice", "bob"].into_iter().filter(|user| acme.check(*user, "posts:write")) {
                let may = found == [user];
                assert!(may || came.as_ref().is_some_and(Result::is_err), "{plot:?}, {attempt}: {user} may still");
            }
            present = found;
        }
        store.clear_faults();
        let acme =
            block_on(authorizer.tenant_by_id(acme.tenant_id())).unwrap_or_else(|error| panic!("{plot:?}: {error}"));
        block_on(acme.refresh()).unwrap();
        block_on(acme.replace(&document("alice"))).unwrap();
        assert_eq!((truth(&store).unwrap(), acme.check("alice", "posts:write")), (vec!["alice"], true), "{plot:?}");
        assert!(!acme.check("bob", "posts:write"), "{plot:?}");
    }
}

#[test]
fn a_repair_is_applied_or_not_and_the_tenant_opens() {
    let begun = || {
        let inner = MemoryStore::default();
        let old = Authorizer::builder().store(inner.clone()).build();
        block_on(old.import(&document("alice"))).unwrap();
        let permissions = &[PermissionDef::new("posts:write")];
        let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
        let store = FaultyStore::new(inner);
        (store.clone(), Authorizer::builder().store(store).catalog(&catalog).build())
    };
    async fn repaired(new: &Authorizer) -> Result<()> {
        let acme = new.tenant("acme").await?;
        // A commit of an earlier attempt may have been applied when the tenant was opened.
        let Some(conflict) = acme.conflicts().pop() else { return Ok(()) };
        acme.update(|tx| tx.permission(conflict.own)?.set_slug("posts:own")?.done()).await.map(drop)
    }
    let calls = {
        let (store, new) = begun();
        block_on(repaired(&new)).unwrap();
        block_on(new.tenant("acme")).unwrap();
        store.take_calls()
    };
    for plot in plots(&[calls, vec![Call::Commit, Call::Since]].concat()) {
        let (store, new) = begun();
        arm(&store, plot);
        for attempt in 1..=3 {
            let came = play(repaired(&new));
            // The old release sees the permission before or after the rename, and nothing in between.
            let is_made = truth(&store).is_some_and(|may| may.is_empty());
            match &came {
                Some(Ok(())) => assert!(is_made, "{plot:?}, {attempt}: acknowledged"),
                Some(Err(error)) if error.kind() == ErrorKind::NotFound => {
                    assert!(is_made || plot.0 == Fault::Deleted, "{plot:?}, {attempt}: {error}");
                }
                Some(Err(error)) if says_nothing_happened(error.kind()) => {
                    assert!(!is_made || attempt > 1, "{plot:?}, {attempt}: {error}");
                }
                Some(Err(_)) | None => {}
            }
            if let Some(Ok(acme)) = play(new.tenant("acme")) {
                // It may be open with a commit in doubt. Every check is then denied.
                let is_repaired = acme.in_doubt().is_none() && acme.conflicts().is_empty();
                assert_eq!(acme.check("alice", "posts:write"), is_repaired, "{plot:?}, {attempt}: open");
            }
        }
        store.clear_faults();
        block_on(repaired(&new)).unwrap_or_else(|error| panic!("{plot:?}: {error}"));
        assert!(block_on(new.tenant("acme")).unwrap().check("alice", "posts:write"), "{plot:?}");
    }
}
