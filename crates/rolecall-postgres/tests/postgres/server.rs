//! What the tests share: the server, schemas of their own, and pools over a proxy that cuts connections.
//!
//! The server is that of `ROLECALL_POSTGRES_URL`. `.ci/postgres` starts one.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use rolecall_postgres::{ConnectionPool, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// The server's address, as `postgres://user@host:port/database`.
pub(crate) fn url() -> String {
    env::var("ROLECALL_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("ROLECALL_POSTGRES_URL is not set: expected the URL of a PostgreSQL server. `.ci/postgres` starts one.")
    })
}

pub(crate) fn config() -> Config {
    url().parse().expect("ROLECALL_POSTGRES_URL")
}

/// The server's host and port.
pub(crate) fn address() -> (String, u16) {
    let config = config();
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        panic!("expected a host name or an address in the URL")
    };
    (host.clone(), config.get_ports().first().copied().unwrap_or(5432))
}

/// The same user and database at another address.
pub(crate) fn config_at(host: &str, port: u16) -> Config {
    let (from, mut config) = (config(), Config::new());
    config.host(host).port(port).connect_timeout(Duration::from_secs(5));
    if let Some(user) = from.get_user() {
        config.user(user);
    }
    if let Some(password) = from.get_password() {
        config.password(password);
    }
    if let Some(database) = from.get_dbname() {
        config.dbname(database);
    }
    config
}

/// Whether the tests use sqlx: `ROLECALL_POSTGRES_CLIENT=sqlx`.
pub(crate) fn is_sqlx() -> bool {
    env::var("ROLECALL_POSTGRES_CLIENT").is_ok_and(|client| client == "sqlx")
}

/// A pool of the client that is tested.
pub(crate) fn pool(config: Config, size: usize) -> ConnectionPool {
    if is_sqlx() {
        return sqlx_pool(&config, size).into();
    }
    let builder = Pool::builder(Manager::new(config, NoTls)).max_size(size);
    builder.build().expect("a pool").into()
}

pub(crate) fn sqlx_pool(config: &Config, size: usize) -> sqlx::PgPool {
    let mut options = PgConnectOptions::new_without_pgpass();
    if let Some(Host::Tcp(host)) = config.get_hosts().first() {
        options = options.host(host);
    }
    if let Some(port) = config.get_ports().first() {
        options = options.port(*port);
    }
    if let Some(user) = config.get_user() {
        options = options.username(user);
    }
    if let Some(password) = config.get_password() {
        options = options.password(std::str::from_utf8(password).expect("a password"));
    }
    if let Some(database) = config.get_dbname() {
        options = options.database(database);
    }
    if let Some(name) = config.get_application_name() {
        options = options.application_name(name);
    }
    // As `-c name=value`.
    for setting in config.get_options().unwrap_or_default().split("-c ").filter_map(|text| text.split_once('=')) {
        options = options.options([(setting.0.trim(), setting.1.trim())]);
    }
    let size = u32::try_from(size).expect("a small pool");
    PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(options)
}

/// How many connections the pool of a store has.
pub(crate) fn connections(store: &PostgresStore) -> usize {
    match store.pool() {
        ConnectionPool::Deadpool(pool) => pool.status().size,
        ConnectionPool::Sqlx(pool) => pool.size() as usize,
        _ => panic!("another pool"),
    }
}

/// Takes a connection out of the pool of a store.
pub(crate) async fn hold(store: &PostgresStore) -> Box<dyn std::any::Any + Send> {
    match store.pool() {
        ConnectionPool::Deadpool(pool) => Box::new(pool.get().await.unwrap()),
        ConnectionPool::Sqlx(pool) => Box::new(pool.acquire().await.unwrap()),
        _ => panic!("another pool"),
    }
}

/// Closes the pool of a store.
pub(crate) async fn close(store: &PostgresStore) {
    match store.pool() {
        ConnectionPool::Deadpool(pool) => pool.close(),
        ConnectionPool::Sqlx(pool) => pool.close().await,
        _ => panic!("another pool"),
    }
}

/// A name that no other test has. It needs its quotes.
pub(crate) fn schema_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test \"{}.{}\"", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A schema that is dropped when the test calls `drop_schema`.
pub(crate) async fn admin() -> Client {
    let (client, connection) = config().connect(NoTls).await.expect("the server of ROLECALL_POSTGRES_URL");
    tokio::spawn(connection);
    client.batch_execute("SET client_min_messages = warning").await.expect("an administrator's session");
    client
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) async fn drop_schema(name: &str) {
    let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(name));
    admin().await.batch_execute(&sql).await.expect("the schema is dropped");
}

/// A migrated store in a schema of its own, without a proxy.
pub(crate) async fn store() -> PostgresStore {
    let store = PostgresStore::builder(pool(config(), 8)).schema(schema_name()).build();
    store.migrate().await.expect("the migration");
    store
}
