//! Hints by LISTEN and NOTIFY, and followers in two processes. `.ci/postgres` runs these tests through PgBouncer too:
//! then `ROLECALL_POSTGRES_DIRECT` is the URL of the server behind it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
use rolecall::store::{Hint, Hints, Watch};
use rolecall::{Authorizer, Tenant};
use rolecall_postgres::PostgresStore;
use tokio_postgres::{Config, NoTls};

use crate::server;

/// The server itself, even if the tests go through a pooler.
pub(crate) fn direct() -> Config {
    std::env::var("ROLECALL_POSTGRES_DIRECT").map_or_else(|_| server::config(), |url| url.parse().expect("a URL"))
}

fn is_pooled() -> bool {
    std::env::var("ROLECALL_POSTGRES_DIRECT").is_ok()
}

/// A store with a pool of its own, as in a process of its own. Its hints come over the client that is tested.
pub(crate) fn open(schema: &str, listens: Config) -> PostgresStore {
    let builder = PostgresStore::builder(server::pool(server::config(), 4)).schema(schema);
    if server::is_sqlx() {
        let pool = server::sqlx_pool(2).connect_lazy_with(server::sqlx_options(&listens));
        return builder.listen_with_pool(pool).build();
    }
    builder.listen(listens, NoTls).build()
}

async fn fresh() -> PostgresStore {
    let store = open(&server::schema_name(), direct());
    store.migrate().await.expect("the migration");
    store
}

/// Stores without a proxy.
#[derive(Default)]
struct Direct {
    schemas: Mutex<Vec<String>>,
}

impl Fixture for Direct {
    type Store = PostgresStore;

    async fn fresh(&self) -> Result<PostgresStore, FixtureError> {
        let store = fresh().await;
        self.schemas.lock().unwrap().push(store.schema().to_owned());
        Ok(store)
    }

    async fn second_connection(&self, store: &PostgresStore) -> Result<Option<PostgresStore>, FixtureError> {
        Ok(Some(open(store.schema(), direct())))
    }

    async fn reopen(&self, store: PostgresStore) -> Result<Option<PostgresStore>, FixtureError> {
        Ok(Some(open(store.schema(), direct())))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        for task in tasks.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
            task.await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_positions_and_the_directory_keep_their_contracts() {
    let direct = Direct::default();
    let reports = [
        conformance::run_watch(&direct).await,
        conformance::run_positions(&direct).await,
        conformance::run_user_directory(&direct).await,
    ];
    for schema in direct.schemas.into_inner().unwrap() {
        server::drop_schema(&schema).await;
    }
    for report in reports {
        assert!(report.passed() && report.not_exercised().count() == 0, "{report}");
    }
}

/// Hints are tested before anybody relies on them.
#[tokio::test]
async fn a_pooler_that_swallows_notifications_is_found_out() {
    let store = fresh().await;
    let through_the_pool = open(store.schema(), server::config());
    match through_the_pool.watch().await {
        Ok(_) => assert!(!is_pooled(), "hints through a pooler in transaction mode"),
        Err(error) => assert!(is_pooled() && error.to_string().contains("pooler"), "{error}"),
    }
    let without = PostgresStore::builder(server::pool(server::config(), 1)).schema(store.schema()).build();
    let error = without.watch().await.expect_err("it was built without `listen`");
    assert!(error.to_string().contains("listen"), "{error}");
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn a_connection_for_hints_that_is_cut_says_so() {
    let store = fresh().await;
    let mut hints = store.watch().await.unwrap();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND query LIKE $1";
    // Only those of this schema: other tests listen, too.
    let like = format!("%\"{}\"%", store.schema().split('"').nth(1).unwrap());
    // Not through the pooler, which would give the prepared statement to another connection.
    let (client, connection) = direct().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let ended = client.query(sql, &[&like]).await.unwrap();
    assert_eq!(ended.len(), 1);
    let answer = tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap();
    assert!(answer.is_err(), "{answer:?}");
    assert!(store.watch().await.is_ok(), "again");
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn a_commit_that_is_rolled_back_sends_no_hint() {
    let store = fresh().await;
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = authorizer.create_tenant("acme", "Acme").await.unwrap();
    let mut hints = store.watch().await.unwrap();
    let stale = acme.plan(|tx| tx.create_user("alice")?.done()).unwrap().1;
    acme.update(|tx| tx.create_user("bob")?.done()).await.unwrap();
    acme.commit(stale).await.unwrap_err();
    acme.update(|tx| tx.create_user("carol")?.done()).await.unwrap();
    for revision in 2..=3 {
        let hint = tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap().unwrap();
        let Hint::Moved { revision: found, .. } = hint else { panic!("{hint:?}") };
        assert_eq!(found.number(), revision);
    }
    server::drop_schema(store.schema()).await;
}

/// Dropping hints never panics, wherever it happens, and frees their connection.
#[test]
fn hints_can_be_dropped_outside_the_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = runtime.block_on(fresh());
    // More than the pool of sqlx has.
    for _ in 0..4 {
        drop(runtime.block_on(store.watch()).unwrap());
    }
    let hints = runtime.block_on(store.watch()).unwrap();
    runtime.block_on(server::drop_schema(store.schema()));
    drop(runtime);
    drop(hints);
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn set(acme: &Tenant, may: bool) {
    let changed = acme.update(|tx| {
        let alice = tx.user("alice")?;
        if may { alice.assign("editor")?.done() } else { alice.unassign("editor")?.done() }
    });
    changed.await.unwrap();
}

/// How the second process learns of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By hints, with a long interval.
    Hints,
    Polls,
    /// By polls, because a pooler swallows the hints.
    PollsWithoutHints,
}

/// Two processes, of which the second follows the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_sees_what_the_first_commits() {
    for by in [By::Hints, By::Polls, By::PollsWithoutHints] {
        if by == By::PollsWithoutHints && !is_pooled() {
            continue;
        }
        let store = fresh().await;
        let first = Authorizer::builder().store(store.clone()).build();
        let acme = first.create_tenant("acme", "Acme").await.unwrap();
        let seed = acme.update(|tx| {
            tx.create_permission("posts:write")?;
            tx.create_role("editor")?.grant("posts:write")?;
            tx.create_user("alice")?.assign("editor")?.done()
        });
        seed.await.unwrap();
        let listens = if by == By::PollsWithoutHints { server::config() } else { direct() };
        let other_store = open(store.schema(), listens);
        let second = Authorizer::builder()
            .store(other_store.clone())
            .runtime(|task: rolecall::authorizer::runtime::BoxFuture| drop(tokio::spawn(task)))
            .max_staleness(Duration::from_secs(600))
            .build();
        let elsewhere = second.tenant("acme").await.unwrap();
        let errors = Arc::new(Mutex::new(Vec::new()));
        let report = Arc::clone(&errors);
        let follower =
            second.follow(other_store.clone()).on_error(move |error| report.lock().unwrap().push(error.to_string()));
        let follower = match by {
            By::Hints => follower.watch(other_store).every(Duration::from_secs(300)),
            By::Polls => follower.every(Duration::from_millis(20)),
            By::PollsWithoutHints => follower.watch(other_store).every(Duration::from_millis(20)),
        };
        let task = tokio::spawn(follower.run());
        // The first hint that arrives shows that the watch has begun.
        let start = Instant::now();
        while elsewhere.revision() != acme.revision() || start.elapsed() < Duration::from_millis(300) {
            acme.update(|tx| tx.create_user(&format!("u{}", start.elapsed().as_micros()))?.done()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", errors.lock().unwrap());
        }
        for _ in 0..20 {
            set(&acme, false).await;
            eventually("denied", || !elsewhere.check("alice", "posts:write")).await;
            set(&acme, true).await;
            eventually("allowed", || elsewhere.check("alice", "posts:write")).await;
        }
        let token = acme.update(|tx| tx.delete_user("alice")).await.map(|_| acme.snapshot().position()).unwrap();
        elsewhere.at_least(token).await.unwrap();
        assert!(elsewhere.now().user("alice").is_none());
        let errors = std::mem::take(&mut *errors.lock().unwrap());
        assert!(
            errors.iter().all(|error| by == By::PollsWithoutHints && error.contains("pooler")),
            "{by:?}: {errors:?}"
        );
        task.abort();
        server::drop_schema(store.schema()).await;
    }
}
