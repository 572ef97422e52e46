//! Sessions and the pool: dropped calls, exhausted connections, and refusals of the server.

use std::collections::HashSet;
use std::time::Duration;

use rolecall::records::{Change, Revision, TenantId};
use rolecall::store::{Base, Store, StoreError};
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};
use tokio_postgres::Client;

use crate::fixtures::{Random, create, load, mixed, send, tenant, user, users};
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
async fn a_lock_timeout_leaves_no_commit_in_doubt() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    let holder = lock(&direct).await;
    // The limit of the store, which the server keeps, too; one that the role has; and a cancellation.
    let store = with_options(&direct, "", 1, Duration::from_secs(4));
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
async fn a_pool_without_a_free_connection_returns_an_error() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    let store = with_options(&direct, "", 1, Duration::from_secs(2));
    let held = server::hold(&store).await;
    let (kind, text) = unavailable(send(&store, Base::At(at), &[]).await.1);
    assert_eq!(
        (kind, text.as_str()),
        (PostgresErrorKind::PoolExhausted, "no connection became free within 2s: all 1 are in use")
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
async fn a_read_only_default_of_the_session_is_overridden() {
    let direct = server::store().await;
    let at = create(&direct, "acme").await;
    // A commit asks for a transaction that writes, so a default is overridden. A standby refuses it.
    let store = with_options(&direct, "-c default_transaction_read_only=on", 1, LONG);
    let (at, answer) = send(&store, Base::At(at), &users(1..2)).await;
    answer.unwrap();
    assert_eq!(load(&store, at.tenant_id).await.unwrap().unwrap().1, at);
    server::drop_schema(direct.schema()).await;
}

/// `pg_terminate_backend` has the effect of a shutdown or a failover: 57P01.
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
    let kill = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE application_name = $1 AND wait_event_type = 'Lock'";
    // A session may still be listed after it was told to end.
    let mut killed = HashSet::new();
    while killed.len() < 3 {
        killed.extend(admin.query(kill, &[&store.schema()]).await.unwrap().iter().map(|row| row.get::<_, i32>(0)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (kind, text) = unavailable(waiting.await.unwrap().1);
    assert!(matches!(kind, PostgresErrorKind::ShuttingDown | PostgresErrorKind::ConnectionLost), "{text}");
    drop(holder);
    send(&store, Base::At(at), &users(1..2)).await.1.unwrap();
    server::drop_schema(direct.schema()).await;
}

/// Waits until so many sessions of a store wait for a lock.
async fn wait_for_waiting(store: &PostgresStore, admin: &Client, sessions: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    while admin.query_one(waiting, &[&store.schema()]).await.unwrap().get::<_, i64>(0) < sessions {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All statements of a commit are on their way while the first one waits for the tenant's row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_applies_all_of_its_changes_or_none() {
    let direct = server::store().await;
    let store = with_options(&direct, "", 3, LONG);
    let (schema, admin) = (quoted(direct.schema()), server::admin().await);
    let mut at = create(&direct, "acme").await;
    (at, _) = send(&direct, Base::At(at), &users(0..2)).await;
    let raise = "SET revision = revision + 1, commit_id = gen_random_uuid()";
    for (sql, is_stale) in [
        // Another commit, and what is not one: the row has a new version then.
        (format!("UPDATE {schema}.tenants {raise}; COMMIT"), true),
        (format!("UPDATE {schema}.tenants {raise}; ROLLBACK"), false),
        (format!("UPDATE {schema}.tenants SET newest_kind = newest_kind; COMMIT"), false),
    ] {
        let before = load(&direct, at.tenant_id).await.unwrap().unwrap();
        let holder = lock(&direct).await;
        let waiting = tokio::spawn({
            let (store, changes) = (store.clone(), mixed(u128::from(at.revision.number() - 2)));
            async move { send(&store, Base::At(at), &changes).await }
        });
        wait_for_waiting(&store, &admin, 1).await;
        holder.batch_execute(&sql).await.unwrap();
        let (sent, answer) = waiting.await.unwrap();
        let after = load(&direct, at.tenant_id).await.unwrap().unwrap();
        if is_stale {
            let Err(StoreError::Conflict { actual }) = answer else { panic!("{sql}: {answer:?}") };
            assert_eq!((actual, &after.0), (at.revision.next(), &before.0), "{sql}");
            // Back to what the store has written.
            let back = format!("UPDATE {schema}.tenants SET revision = $1, commit_id = $2");
            let revision = i64::try_from(at.revision.number()).unwrap();
            admin.execute(&back, &[&revision, &at.commit.as_uuid()]).await.unwrap();
        } else {
            answer.unwrap();
            assert_eq!((after.1, after.0.len()), (sent, 3), "{sql}: {:?}", after.0);
            at = sent;
        }
        let rows = format!("SELECT count(*) FROM {schema}.commits");
        let commits: i64 = admin.query_one(&rows, &[]).await.unwrap().get(0);
        assert_eq!(Revision::new(u64::try_from(commits).unwrap()), at.revision, "{sql}");
    }
    server::drop_schema(direct.schema()).await;
}

/// Two creations of one tenant: the second waits, and begins again if the first is rolled back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_waits_for_another_one_is_applied_in_full_or_refused() {
    let direct = server::store().await;
    let store = with_options(&direct, "", 3, LONG);
    let (schema, admin) = (quoted(direct.schema()), server::admin().await);
    for (end, is_refused) in [("ROLLBACK", false), ("COMMIT", true)] {
        let tenant_id = TenantId::random();
        let holder = server::admin().await;
        let id = tenant_id.as_uuid();
        let insert = format!("INSERT INTO {schema}.tenants VALUES ('{id}', '{end}', 'x', 1, gen_random_uuid(), 0)");
        holder.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
        let waiting = tokio::spawn({
            let store = store.clone();
            let changes = vec![Change::added(tenant("acme")), Change::added(user(1))];
            async move { send(&store, Base::Create(tenant_id), &changes).await.1 }
        });
        wait_for_waiting(&store, &admin, 1).await;
        holder.batch_execute(end).await.unwrap();
        let answer = waiting.await.unwrap();
        let rows = format!("SELECT count(*) FROM {schema}.users WHERE tenant_id = '{id}'");
        let users: i64 = admin.query_one(&rows, &[]).await.unwrap().get(0);
        if is_refused {
            assert!(matches!(answer, Err(StoreError::Conflict { actual }) if actual == Revision::FIRST), "{answer:?}");
            assert_eq!(users, 0);
        } else {
            answer.unwrap();
            assert_eq!(users, 1);
        }
    }
    server::drop_schema(direct.schema()).await;
}

/// A row that somebody edits meanwhile has a new version when the commit comes to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_row_that_is_edited_goes_on() {
    let direct = server::store().await;
    let store = with_options(&direct, "", 3, LONG);
    let (schema, admin) = (quoted(direct.schema()), server::admin().await);
    let at = create(&direct, "acme").await;
    let (at, _) = send(&direct, Base::At(at), &users(0..2)).await;
    let holder = server::admin().await;
    holder.batch_execute(&format!("BEGIN; UPDATE {schema}.users SET name = NULL")).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { send(&store, Base::At(at), &mixed(0)).await }
    });
    wait_for_waiting(&store, &admin, 1).await;
    holder.batch_execute("COMMIT").await.unwrap();
    let (at, answer) = waiting.await.unwrap();
    answer.unwrap();
    let (records, found) = load(&direct, at.tenant_id).await.unwrap().unwrap();
    assert_eq!((found, records.len()), (at, 3));
    server::drop_schema(direct.schema()).await;
}

/// Two tenants that swap their slugs at the same time wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_are_tried_again() {
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
