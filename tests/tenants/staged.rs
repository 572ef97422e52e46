//! Staged transactions: what the tenant does until the application has committed or rolled back.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test says so by failing")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pollster::block_on;
use rolecall::store::{Base, Commit, MemoryStore, Since, Store, StoreError};
use rolecall::{Authorizer, Error, ErrorKind, Reason, Tenant, Tx, assertions::Assertion, authorizer::Outcome};

use crate::runtime::Slow;

fn acme(retry_timeout: Duration) -> (Arc<MemoryStore>, Tenant) {
    let store = Arc::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(Arc::clone(&store)).retry_timeout(retry_timeout).build();
    let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    let setup = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?.done()
    });
    block_on(setup).unwrap();
    (store, acme)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn readers_see_the_revision_before_the_stage_until_it_is_finished() {
    let (store, acme) = acme(LONG);
    block_on(async {
        let before = acme.revision();
        let staged = acme.stage(|tx| tx.user("alice")?.unassign("editor")?.done()).await.unwrap();
        assert_eq!((staged.plan().changes().len(), *staged.value()), (1, ()));
        assert!(acme.check("alice", "posts:write"));
        store.commit(staged.commit()).await.unwrap();
        assert!(acme.check("alice", "posts:write"), "not finished");
        let updated = staged.finish().await.unwrap();
        assert!(!acme.check("alice", "posts:write"));
        assert_eq!((acme.revision(), updated.revision), (before.next(), before.next()));
        assert!(acme.update(|tx| tx.create_user("bob")?.done()).await.is_ok(), "the turn was passed on");
    });
}

/// The task that has the stage would wait for itself.
#[test]
fn calls_that_wait_for_a_stage_are_refused_in_time() {
    let (_, acme) = acme(Duration::from_millis(30));
    block_on(async {
        let staged = acme.stage(|tx| tx.create_user("bob")?.done()).await.unwrap();
        let refused = [
            acme.update(|tx| tx.create_user("carol")?.done()).await.map(drop),
            acme.stage(|tx| tx.create_user("carol")?.done()).await.map(drop),
            acme.refresh().await.map(drop),
            acme.close().await,
        ];
        for answer in refused {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Blocked);
            assert!(error.to_string().contains("this process staged it"), "{error}");
            assert_eq!(error.commit(), Some(staged.commit().envelope.id));
        }
        assert!(acme.check("alice", "posts:write"), "the tenant serves all the time");
        staged.rolled_back();
        assert!(acme.update(|tx| tx.create_user("carol")?.done()).await.is_ok());
    });
}

/// A call that is polled when it is woken, and not otherwise.
struct Call<F> {
    future: Pin<Box<F>>,
    waker: Waker,
    woken: Receiver<()>,
}

struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap_or_default();
    }
}

impl<F: Future> Call<F> {
    fn new(future: F) -> Self {
        let (bell, woken) = channel();
        Self { future: Box::pin(future), waker: Waker::from(Arc::new(Bell(bell))), woken }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    fn poll_when_woken(&mut self) -> Poll<F::Output> {
        self.woken.recv_timeout(LONG).expect("nobody wakes the call");
        self.poll()
    }
}

/// An update that waits behind another update does not wait for a stage. One that waits behind a stage has a limit, also
/// if it was in the queue before the stage began.
#[test]
fn each_stage_has_the_whole_limit_and_updates_have_none() {
    let store = Slow::default();
    let timeout = Duration::from_millis(30);
    let authorizer = Authorizer::builder().store(store.clone()).retry_timeout(timeout).build();
    let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    let create = |user: &'static str| Call::new(acme.update(move |tx| tx.create_user(user)?.done()));
    let stage = |user: &'static str| Call::new(acme.stage(move |tx| tx.create_user(user)?.done()));

    let mut stages = [stage("alice"), stage("bob")];
    let Poll::Ready(Ok(first)) = stages[0].poll() else { panic!("nobody else has the turn") };
    let (mut slow, mut last) = (create("carol"), create("dave"));
    assert!(slow.poll().is_pending() && stages[1].poll().is_pending() && last.poll().is_pending());
    store.waits(true);
    first.rolled_back();
    assert!(slow.poll_when_woken().is_pending(), "it has the turn, and waits for the store");
    assert!(last.poll_when_woken().is_pending(), "the first stage has ended, and its limit was over only then");
    store.waits(false);
    assert!(matches!(slow.poll(), Poll::Ready(Ok(_))));
    let Poll::Ready(Ok(second)) = stages[1].poll_when_woken() else { panic!("it has the turn") };
    let commit = second.commit().envelope.id;
    assert!(last.poll_when_woken().is_pending(), "the second stage wakes it, and has the whole limit");
    let Poll::Ready(Err(error)) = last.poll_when_woken() else { panic!("the limit is over") };
    assert_eq!((error.kind(), error.commit()), (ErrorKind::Blocked, Some(commit)));
    second.rolled_back();
    assert!(matches!(create("dave").poll(), Poll::Ready(Ok(_))), "the turn was passed on");
}

#[test]
fn a_stage_that_was_not_used_or_was_rolled_back_changes_nothing() {
    let (_, acme) = acme(LONG);
    block_on(async {
        let before = acme.revision();
        drop(acme.stage(|tx| tx.create_user("bob")?.done()).await.unwrap());
        assert_eq!(acme.now().unavailable(), None, "nobody has its commit");
        let staged = acme.stage(|tx| tx.create_user("bob")?.done()).await.unwrap();
        assert_eq!(staged.finish().await.unwrap_err().kind(), ErrorKind::Conflict, "nobody has its commit");
        let staged = acme.stage(|tx| tx.create_user("bob")?.done()).await.unwrap();
        let _ = staged.commit();
        staged.rolled_back();
        assert_eq!(acme.now().unavailable(), None);
        assert_eq!(acme.refresh().await.unwrap(), before);
        let failed = acme.stage(|_| Err::<(), _>(Error::rejected("no"))).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Rejected);
        assert!(acme.update(|tx| tx.create_user("bob")?.done()).await.is_ok(), "the turn was passed on");
    });
}

#[test]
fn a_dropped_stage_is_resolved_by_an_empty_commit_and_never_sent() {
    let (store, acme) = acme(LONG);
    block_on(async {
        let base = acme.snapshot().position();
        let staged = acme.stage(|tx| tx.create_user("bob")?.done()).await.unwrap();
        let commit = staged.commit().envelope.id;
        drop(staged);
        assert_eq!(acme.now().unavailable(), Some(Reason::InDoubt));
        assert_eq!((acme.in_doubt(), acme.outcome(commit)), (Some(commit), Some(Outcome::InDoubt)));
        acme.refresh().await.unwrap();
        assert_eq!((acme.in_doubt(), acme.outcome(commit)), (None, Some(Outcome::Aborted)));
        assert!(acme.check("alice", "posts:write"), "it serves again");
        let Since::Commits(commits) = store.since(base).await.unwrap() else { panic!("too old") };
        assert!(commits.len() == 1 && commits[0].changes.is_empty(), "{commits:?}");
        // A transaction of the application comes too late.
        let late = Commit { base: Base::At(base), envelope: &commits[0].envelope, changes: &[] };
        assert!(matches!(store.commit(late).await, Err(StoreError::Conflict { .. })));
    });
}

#[test]
fn a_dropped_stage_that_was_committed_is_found() {
    let (store, acme) = acme(LONG);
    block_on(async {
        let staged = acme.stage(|tx| tx.user("alice")?.unassign("editor")?.done()).await.unwrap();
        let commit = staged.commit().envelope.id;
        let revision = store.commit(staged.commit()).await.unwrap();
        drop(staged);
        assert!(!acme.check("alice", "posts:write"), "denied at once");
        acme.refresh().await.unwrap();
        assert_eq!(acme.outcome(commit), Some(Outcome::Committed(revision)));
        assert_eq!((acme.now().unavailable(), acme.check("alice", "posts:write")), (None, false));
    });
}

#[test]
fn a_stage_that_gives_too_much_is_refused_and_blocks_nobody() {
    let (_, acme) = acme(Duration::from_millis(30));
    let restrict = acme.update(|tx| {
        tx.create_permission("posts:review")?;
        tx.create_role("reviewer")?.grant("posts:review")?;
        tx.create_separation("four-eyes", 1, ["editor", "reviewer"])?;
        tx.create_user("bob")?;
        let expected = Assertion::only("posts:write").with_users(["alice"]);
        tx.create_assertion("only-alice", &expected)?.set_binding(true)?.done()
    });
    block_on(restrict).unwrap();
    type Edit = fn(&Tx) -> rolecall::Result<()>;
    let plans: [(ErrorKind, Edit); 3] = [
        (ErrorKind::Escalation, |tx| tx.set_guard("alice").user("bob")?.assign("reviewer")?.done()),
        (ErrorKind::SeparationOfDuties, |tx| tx.user("alice")?.assign("reviewer")?.done()),
        (ErrorKind::AssertionFailed, |tx| tx.user("bob")?.assign("editor")?.done()),
    ];
    block_on(async {
        for (kind, calls) in plans {
            let before = acme.revision();
            let error = acme.stage(calls).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!((acme.in_doubt(), acme.now().unavailable()), (None, None));
            assert_eq!((acme.refresh().await.unwrap(), acme.revision()), (before, before));
            let updated = acme.update(|tx| tx.create_user(kind.code())?.done()).await.unwrap();
            assert_eq!(updated.revision, before.next(), "the turn was passed on");
        }
    });
}

/// It conflicts with a commit that gives it an effect.
#[test]
fn a_stage_without_effect_is_an_empty_commit() {
    let (store, acme) = acme(LONG);
    block_on(async {
        let before = acme.revision();
        let staged = acme.stage(|tx| tx.ensure_user("alice")?.assign("editor")?.done()).await.unwrap();
        assert!(staged.commit().changes.is_empty());
        store.commit(staged.commit()).await.unwrap();
        let updated = staged.finish().await.unwrap();
        assert!(updated.commit.is_some() && updated.changes.is_empty());
        assert_eq!((updated.revision, acme.revision()), (before.next(), before.next()));
    });
}

#[test]
fn a_stage_begins_on_the_latest_state_and_cannot_delete_the_tenant() {
    let (store, acme) = acme(LONG);
    block_on(async {
        let elsewhere = Authorizer::builder().store(store).build().tenant("acme").await.unwrap();
        elsewhere.update(|tx| tx.create_group("staff")?.done()).await.unwrap();
        let staged = acme.stage(|tx| tx.user("alice")?.join("staff")?.done()).await.unwrap();
        staged.rolled_back();
        assert_eq!(acme.stage(rolecall::Tx::delete_tenant).await.unwrap_err().kind(), ErrorKind::Rejected);
        assert!(acme.check("alice", "posts:write"));
    });
}
