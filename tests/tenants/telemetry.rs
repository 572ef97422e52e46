//! The numbers of an authorizer, and the content of the spans and events of the feature `tracing`, including whom they
//! name.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
#![cfg_attr(feature = "tracing", expect(clippy::unreachable, reason = "a test says so by failing"))]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use pollster::block_on;
use rolecall::authorizer::Metrics;
use rolecall::authorizer::follow::Follower;
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::store::{
    Commit, LocalHints, MemoryStore, Positions, Since, Sink, Store, StoreError, TenantSummary, Watch,
};
use rolecall::{Authorizer, ErrorKind};

/// A store that answers nothing.
struct Unreachable;

fn unreachable<T>() -> Result<T, StoreError> {
    Err(StoreError::unavailable("zq-host does not answer"))
}

impl Store for Unreachable {
    async fn find(&self, _: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        unreachable()
    }

    async fn list(&self, _: Option<&TenantSlug>, _: usize) -> Result<Vec<TenantSummary>, StoreError> {
        unreachable()
    }

    async fn load(&self, _: TenantId, _: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        unreachable()
    }

    async fn commit(&self, _: Commit<'_>) -> Result<Revision, StoreError> {
        unreachable()
    }

    async fn since(&self, _: Position) -> Result<Since, StoreError> {
        unreachable()
    }
}

impl Positions for Unreachable {
    async fn positions(&self, _: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        unreachable()
    }
}

impl Watch for Unreachable {
    type Hints = LocalHints;

    async fn watch(&self) -> Result<LocalHints, StoreError> {
        unreachable()
    }
}

/// Lets a follower do what it can do at once, before and after something happens.
async fn follow(follower: Follower, happens: impl Future<Output = ()>) {
    let mut following = pin!(follower.run());
    let mut happens = pin!(happens);
    for step in 0..16 {
        poll_fn(|cx| {
            assert!(following.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        if step == 8 {
            happens.as_mut().await;
        }
    }
}

/// Something of everything, in which each key, slug, name, actor and note contains `zq`. Returns the numbers at the end.
async fn scenario() -> Metrics {
    let store = FaultyStore::new(MemoryStore::default());
    let first = Authorizer::builder().store(store.clone()).build();
    let second = Authorizer::builder().store(store.inner().clone()).build();
    let acme = first.create_tenant("zq-acme", "The zq company").await.unwrap();
    acme.update(|tx| {
        tx.set_actor("zq-admin")?.set_note("a note with zq")?;
        tx.create_permission("zq-docs:read")?;
        tx.create_role("zq-reader")?.grant("zq-docs:read")?;
        tx.create_group("zq-staff")?.assign("zq-reader")?;
        tx.create_user("alice@zq.example")?.set_name(Some("Alice zq"))?.join("zq-staff")?.done()
    })
    .await
    .unwrap();
    // Another process commits: a conflict, then a refresh, then one whose history is lost, and one that cannot be
    // reached.
    let elsewhere = second.tenant("zq-acme").await.unwrap();
    elsewhere.update(|tx| tx.create_user("zq-1")?.done()).await.unwrap();
    acme.update(|tx| tx.create_user("zq-2")?.done()).await.unwrap();
    elsewhere.update(|tx| tx.create_user("zq-3")?.done()).await.unwrap();
    acme.refresh().await.unwrap();
    elsewhere.update(|tx| tx.create_user("zq-4")?.done()).await.unwrap();
    store.fail_next(Call::Since, Fault::TooOld);
    acme.refresh().await.unwrap();
    store.fail_next(Call::Since, Fault::Unavailable);
    assert_eq!(acme.refresh().await.unwrap_err().kind(), ErrorKind::Unavailable);
    acme.refresh().await.unwrap();
    // A follower that gets a hint, and one whose store answers nothing.
    let follower = first.follow(store.inner().clone()).watch(store.inner().clone());
    follow(follower, async { drop(elsewhere.update(|tx| tx.create_user("zq-8")?.done()).await.unwrap()) }).await;
    assert!(acme.now().user("zq-8").is_some());
    follow(first.follow(Unreachable).watch(Unreachable), async {}).await;
    // A commit that is refused, one in doubt that was applied, and one that was not and stays in doubt for a while.
    store.fail_next(Call::Commit, Fault::TooLarge);
    assert!(acme.update(|tx| tx.create_user("zq-5")?.done()).await.is_err());
    store.fail_next(Call::Commit, Fault::ResponseLost);
    acme.update(|tx| tx.create_user("zq-6")?.done()).await.unwrap();
    store.fail_next(Call::Commit, Fault::RequestLost);
    store.fail_next(Call::Since, Fault::Unavailable);
    assert_eq!(acme.update(|tx| tx.create_user("zq-7")?.done()).await.unwrap_err().kind(), ErrorKind::InDoubt);
    assert_eq!((first.metrics().tenants_in_doubt, first.metrics().in_doubt), (1, 2));
    acme.refresh().await.unwrap();
    // Tenants that are opened, cannot be opened, cannot be created, and whose content is damaged.
    acme.close().await.unwrap();
    drop(acme);
    store.fail_next(Call::Load, Fault::Unavailable);
    assert!(first.tenant("zq-acme").await.is_err() && first.tenant("zq-nobody").await.is_err());
    let acme = first.tenant("zq-acme").await.unwrap();
    assert!(first.create_tenant("zq-acme", "Again zq").await.is_err());
    store.fail_next(Call::Since, Fault::Corrupt);
    assert_eq!(acme.refresh().await.unwrap_err().kind(), ErrorKind::Corrupt);
    for _ in 0..1_000 {
        assert!(!acme.check("alice@zq.example", "zq-docs:read"), "the content is damaged");
    }
    first.metrics()
}

#[test]
fn the_numbers_of_an_authorizer_count_what_happened() {
    let metrics = block_on(scenario());
    let gauges = [metrics.open_tenants, metrics.tenants_in_doubt, metrics.tenants_out_of_service];
    assert_eq!(gauges, [1, 0, 1], "{metrics:?}");
    assert_eq!((metrics.tenants_not_refreshed, metrics.revisions_behind), (1, 0), "{metrics:?}");
    assert_eq!((metrics.opens, metrics.open_failures), (1, 1), "{metrics:?}");
    // The creation, alice, and zq-2, zq-6, zq-7.
    assert_eq!((metrics.commits, metrics.commit_failures, metrics.conflicts), (5, 2, 1), "{metrics:?}");
    assert_eq!((metrics.in_doubt, metrics.resolved), (2, 2), "{metrics:?}");
    // zq-1, zq-3 and zq-8, and zq-6 in the history after its answer was lost.
    assert_eq!((metrics.followed_commits, metrics.reloads, metrics.refresh_failures), (4, 1, 2), "{metrics:?}");
    // A poll at the start, and one when the hints begin to arrive.
    assert_eq!((metrics.polls, metrics.hints), (2, 1), "{metrics:?}");
    assert_eq!((metrics.poll_failures, metrics.watch_failures), (1, 1), "{metrics:?}");
    let text = metrics.to_prometheus();
    assert!(text.contains("\nrolecall_commits_total 5\n") && text.contains("\nrolecall_open_tenants 1\n"), "{text}");
}

#[cfg(feature = "tracing")]
mod traced {
    use std::fmt::{Debug, Write};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread::{self, ThreadId};

    use pollster::block_on;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::scenario;

    /// Keeps everything that it gets from one thread, as text.
    ///
    /// It serves the whole program: `tracing` remembers for each place in the code whether anybody wants its events, and
    /// another test may be the first there.
    #[derive(Clone)]
    struct Captured {
        thread: ThreadId,
        lines: Arc<Mutex<Vec<String>>>,
        spans: Arc<AtomicU64>,
    }

    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    impl Captured {
        fn push(&self, what: &str, metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields)) {
            if thread::current().id() != self.thread {
                return;
            }
            let mut fields = Fields(format!("{what} {} {}", metadata.level(), metadata.name()));
            record(&mut fields);
            self.lines.lock().unwrap().push(fields.0);
        }
    }

    impl Subscriber for Captured {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "rolecall"
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            self.push("span", span.metadata(), |fields| span.record(fields));
            Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {
            unreachable!("no span gets values later");
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            self.push("event", event.metadata(), |fields| event.record(fields));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn spans_and_events_tell_what_happened_and_name_nobody() {
        let (thread, lines, spans) = (thread::current().id(), Arc::default(), Arc::default());
        let captured = Captured { thread, lines, spans };
        tracing::subscriber::set_global_default(captured.clone()).unwrap();
        block_on(scenario());
        let lines = captured.lines.lock().unwrap();
        let count = |begin: &str, part: &str| {
            lines.iter().filter(|line| line.starts_with(begin) && line.contains(part)).count()
        };
        for name in ["open", "commit", "resolve", "refresh"] {
            let found = count("span DEBUG ", &format!(" {name} tenant_id="));
            assert!(found >= 2, "{found} spans `{name}`: {lines:#?}");
        }
        assert_eq!(count("span DEBUG ", " follow interval="), 2, "{lines:#?}");
        for (level, text) in [
            ("TRACE", "polled"),
            ("WARN", "poll failed"),
            ("DEBUG", "hints of the store arrive"),
            ("TRACE", "hint"),
            ("WARN", "no hints: the follower polls"),
            ("DEBUG", "tenant opened"),
            ("WARN", "tenant not opened"),
            ("DEBUG", "committed"),
            ("WARN", "commit failed"),
            ("DEBUG", "conflict with another writer"),
            ("WARN", "commit in doubt"),
            ("WARN", "commit resolved"),
            ("DEBUG", "commits of other writers applied"),
            ("DEBUG", "tenant loaded again"),
            ("WARN", "refresh failed"),
            ("ERROR", "refresh failed"),
        ] {
            assert!(count(&format!("event {level} "), text) >= 1, "{level} {text}: {lines:#?}");
        }
        // A thousand checks were made.
        assert!(lines.len() < 200, "{} lines", lines.len());
        let names: Vec<_> = lines.iter().filter(|line| line.to_lowercase().contains("zq")).collect();
        assert!(names.is_empty(), "{names:#?}");
    }
}
