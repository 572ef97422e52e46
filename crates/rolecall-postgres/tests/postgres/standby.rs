//! A standby is recognised, and takes over. Ignored: it needs a standby of the server, and stops the server.
//! `.ci/postgres` makes one and runs this test.

use std::time::{Duration, Instant};

use rolecall::store::{Base, Store, StoreError};
use rolecall::{Authorizer, ErrorKind};
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};
use tokio_postgres::{Config, NoTls};

use crate::fixtures::{load, send, users};
use crate::restarts::control;
use crate::server;

fn standby() -> Config {
    let url = std::env::var("ROLECALL_POSTGRES_STANDBY_URL");
    url.expect("ROLECALL_POSTGRES_STANDBY_URL is not set: expected the URL of a standby").parse().expect("a URL")
}

async fn connect(config: &Config) -> tokio_postgres::Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until a query of one boolean returns true.
async fn wait_until(client: &tokio_postgres::Client, sql: &str) {
    let start = Instant::now();
    while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(start.elapsed() < Duration::from_secs(30), "{sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A pool of deadpool finds the primary of two hosts. That of sqlx has one host, which then leads to the standby.
fn of_both_hosts() -> PostgresStore {
    let (first, second) = (server::config(), standby());
    let mut config = first.clone();
    for host in second.get_hosts() {
        let tokio_postgres::config::Host::Tcp(host) = host else { panic!("{host:?}") };
        config.host(host);
    }
    for port in second.get_ports() {
        config.port(*port);
    }
    config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
    PostgresStore::builder(server::pool(if server::is_sqlx() { first } else { config }, 4)).build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a standby: run by .ci/postgres"]
async fn a_standby_is_recognised_and_takes_over() {
    let schema = server::schema_name();
    let (primary, behind) = (connect(&server::config()).await, connect(&standby()).await);
    let store = of_both_hosts();
    let store = PostgresStore::builder(store.pool().clone()).schema(&schema).build();
    store.migrate().await.unwrap();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = authorizer.create_tenant("acme", "Acme").await.unwrap();
    acme.update(|tx| tx.create_user("alice")?.done()).await.unwrap();
    let caught_up = "SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication";
    wait_until(&primary, caught_up).await;

    // The standby refuses every call, because its rows may be old.
    let second = PostgresStore::builder(server::pool(standby(), 2)).schema(&schema).build();
    let at = acme.snapshot().position();
    let answers = [
        second.list(None, 1).await.map(drop),
        load(&second, at.tenant_id).await.map(drop),
        second.since(at).await.map(drop),
        send(&second, Base::At(at), &users(1..2)).await.1,
        second.migrate().await.map_err(StoreError::unavailable),
    ];
    for answer in answers {
        let Err(StoreError::Unavailable(cause)) = answer else { panic!("{answer:?}") };
        let kind = cause.downcast_ref::<PostgresError>().map(PostgresError::kind);
        assert_eq!(kind, Some(PostgresErrorKind::ReadOnly), "{cause}");
    }

    // The server is gone, and the standby takes over.
    drop(primary);
    control(&["stop", "immediate"]).await;
    assert_eq!(acme.update(|tx| tx.create_user("bob")?.done()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    wait_until(&behind, "SELECT pg_promote(true, 30)").await;
    let (position, records) = {
        let (records, position) = load(&second, at.tenant_id).await.unwrap().unwrap();
        (position, records.len())
    };
    assert_eq!((position, records), (at, 2), "what was committed before");
    if !server::is_sqlx() {
        // Without a restart of the application: the pool finds the new primary.
        acme.update(|tx| tx.create_user("bob")?.done()).await.unwrap();
        assert!(acme.now().user("bob").is_some());
    }
    control(&["start"]).await;
}
