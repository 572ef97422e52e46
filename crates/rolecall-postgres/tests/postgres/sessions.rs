//! Sessions and the pool: dropped calls, exhausted connections, and refusals of the server.

use std::time::Duration;

use rolecall::store::{Base, Store, StoreError};
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};
use tokio_postgres::Client;

use crate::fixtures::{Random, create, load, send, users};
use crate::server::{self, quoted};

/// Answers of a commit that was certainly not applied.
fn unavailable(answer: Result<(), StoreError>) -> (PostgresErrorKind, String) {
    let Err(StoreError::Unavailable(cause)) = answer else { panic!("expected unavailable, found {answer:?}") };
    let error = cause.downcast_ref::<PostgresError>().expect("the cause of every failure");
    (error.kind(), error.to_string())
}

/// A store on one connection, whose name among the server's sessions is that of the schema.
fn with_options(store: &PostgresStore, options: &str, connections: usize, limit: Duration) -> PostgresStore {
    let mut config = server::config();
    config.application_name(store.schema()).options(options);
    PostgresStore::builder(server::pool(config, connections)).schema(store.schema()).step_timeout(limit).build()
}

const LONG: Duration = Duration::from_secs(20);

/// Holds the lock of every tenant until it is dropped.
async fn lock(store: &PostgresStore) -> Client {
    let client = server::admin().await;
    client.batch_execute(&format!("BEGIN; SELECT 1 FROM {}.tenants FOR UPDATE", quoted(store.schema()))).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_call_was_dropped_never_answers_another_call() {
    let direct = server::store().await;
    let store = with_options(&direct, "", 2, LONG);
    let mut random = Random::new(5);
    let mut at = create(&direct, "acme").await;
    for round in 0..400_u128 {
        // A call is dropped at any of its awaits, or succeeds.
        let limit = Duration::from_micros(random.below(3_000));
        let changes = users(round..round + 1);
        let dropped = match round % 4 {
            0 => tokio::time::timeout(limit, send(&store, Base::At(at), &changes)).await.is_err(),
            1 => tokio::time::timeout(limit, load(&store, at.tenant_id)).await.is_err(),
            2 => tokio::time::timeout(limit, store.since(at)).await.is_err(),
            _ => tokio::time::timeout(limit, store.list(None, 5)).await.is_err(),
        };
        let _ = dropped;
        let (records, found) = load(&store, at.tenant_id).await.unwrap().unwrap();
        assert!(found.revision >= at.revision && !records.is_empty());
        assert_eq!(store.list(None, 5).await.unwrap().len(), 1);
        at = load(&direct, at.tenant_id).await.unwrap().unwrap().1;
        assert!(server::connections(&store) <= 2);
    }
    server::drop_schema(direct.schema()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_free_in_time_is_no_doubt() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    let holder = lock(&direct).await;
    // The limit of the store, which the server keeps, too; one that the role has; and a cancellation.
    let store = with_options(&direct, "", 1, Duration::from_millis(200));
    let (kind, text) = unavailable(send(&store, Base::At(at), &users(1..2)).await.1);
    assert_eq!(kind, PostgresErrorKind::Cancelled, "{text}");
    assert_eq!(server::connections(&store), 0, "a session that failed is closed");
    let store = with_options(&direct, "-c statement_timeout=200", 1, LONG);
    let (kind, text) = unavailable(send(&store, Base::At(at), &users(1..2)).await.1);
    assert_eq!(kind, PostgresErrorKind::Cancelled, "{text}");
    drop(holder);
    let (at, answer) = send(&store, Base::At(at), &users(1..2)).await;
    answer.unwrap();
    assert_eq!(load(&direct, at.tenant_id).await.unwrap().unwrap().1, at);
    server::drop_schema(direct.schema()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_without_a_free_connection_says_so() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    let store = with_options(&direct, "", 1, Duration::from_millis(200));
    let held = server::hold(&store).await;
    let (kind, text) = unavailable(send(&store, Base::At(at), &[]).await.1);
    assert_eq!(
        (kind, text.as_str()),
        (PostgresErrorKind::PoolExhausted, "no connection became free within 200ms: all 1 are in use")
    );
    drop(held);
    send(&store, Base::At(at), &[]).await.1.unwrap();
    server::close(&store).await;
    let (kind, _) = unavailable(send(&store, Base::At(at), &[]).await.1);
    assert_eq!(kind, PostgresErrorKind::PoolUnusable);
    let mut nowhere = server::config_at("127.0.0.1", 1);
    nowhere.connect_timeout(Duration::from_secs(2));
    let store = PostgresStore::new(server::pool(nowhere, 1));
    let (kind, text) = unavailable(send(&store, Base::At(at), &[]).await.1);
    assert_eq!(kind, PostgresErrorKind::Unreachable, "{text}");
    server::drop_schema(direct.schema()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_session_is_told_apart() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    // A commit asks for a transaction that writes, so a default is overridden. A standby refuses it.
    let store = with_options(&direct, "-c default_transaction_read_only=on", 1, LONG);
    let (at, answer) = send(&store, Base::At(at), &users(1..2)).await;
    answer.unwrap();
    assert_eq!(load(&store, at.tenant_id).await.unwrap().unwrap().1, at);
    server::drop_schema(direct.schema()).await;
}

/// What `pg_terminate_backend` does is what a shutdown and a failover do: 57P01.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_terminated_while_it_waits_is_no_doubt() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    let store = with_options(&direct, "", 3, LONG);
    let (holder, admin) = (lock(&direct).await, server::admin().await);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { send(&store, Base::At(at), &users(1..2)).await }
    });
    // Three times: the store starts again twice.
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE application_name = $1 AND wait_event_type = 'Lock'";
    let mut killed = 0;
    while killed < 3 {
        killed += admin.query_one(kill, &[&store.schema()]).await.unwrap().get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (kind, text) = unavailable(waiting.await.unwrap().1);
    assert!(matches!(kind, PostgresErrorKind::ShuttingDown | PostgresErrorKind::ConnectionLost), "{text}");
    drop(holder);
    send(&store, Base::At(at), &users(1..2)).await.1.unwrap();
    server::drop_schema(direct.schema()).await;
}

/// Two tenants that swap their slugs at the same time wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_are_tried_again() {
    use crate::fixtures::tenant;
    use rolecall::records::Change;

    let store = server::store().await;
    let (mut a, mut b) = (create(&store, "a").await, create(&store, "b").await);
    let change = |from: &str, to: &str| vec![Change::new(Some(tenant(from)), Some(tenant(to))).unwrap()];
    for round in 0..10 {
        // Each takes the slug of the other: at most one can, and neither may be left in doubt.
        let (to_b, to_a) = (change("a", "b"), change("b", "a"));
        let (first, second) = tokio::join!(send(&store, Base::At(a), &to_b), send(&store, Base::At(b), &to_a));
        for (sent, at) in [(first, &mut a), (second, &mut b)] {
            match sent {
                (_, Err(StoreError::SlugTaken)) => {}
                (_, Err(StoreError::Unavailable(cause))) => {
                    let kind = cause.downcast_ref::<PostgresError>().unwrap().kind();
                    assert_eq!(kind, PostgresErrorKind::Contention, "round {round}: {cause}");
                }
                other => panic!("round {round}: {other:?}"),
            }
            assert_eq!(load(&store, at.tenant_id).await.unwrap().unwrap().1, *at);
        }
    }
    server::drop_schema(store.schema()).await;
}
