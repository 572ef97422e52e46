//! The options of a store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[cfg(doc)]
use rolecall::store::{Since, Store, StoreError, Watch};
#[cfg(feature = "deadpool")]
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
#[cfg(feature = "deadpool")]
use tokio_postgres::{Config, Socket};

use super::{Inner, PostgresStore};
use crate::notification;
use crate::pool::ConnectionPool;
use crate::statements::{self, Statements};
use crate::watch::Listener;

/// The options of a [`PostgresStore`].
///
/// ```
/// use std::time::Duration;
/// use deadpool_postgres::{Manager, Pool};
/// use rolecall_postgres::PostgresStore;
///
/// # fn pool() -> Result<Pool, Box<dyn std::error::Error>> {
/// #     let config: tokio_postgres::Config = "host=localhost".parse()?;
/// #     Ok(Pool::builder(Manager::new(config, tokio_postgres::NoTls)).build()?)
/// # }
/// let store = PostgresStore::builder(pool()?).schema("access").step_timeout(Duration::from_secs(5)).build();
/// assert_eq!(store.schema(), "access");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresStoreBuilder {
    pool: ConnectionPool,
    schema: String,
    step_timeout: Option<Duration>,
    max_changes: u32,
    notify: bool,
    listener: Option<Listener>,
}

impl PostgresStoreBuilder {
    pub(super) fn new(pool: ConnectionPool) -> Self {
        Self {
            pool,
            schema: "rolecall".to_owned(),
            step_timeout: Some(Duration::from_secs(30)),
            max_changes: 250_000,
            notify: false,
            listener: None,
        }
    }

    /// Sets the name of the schema that contains the tables: `rolecall` by default. Any name is allowed; it is quoted.
    ///
    /// PostgreSQL shortens names of more than 63 bytes, so such a name is a mistake: the first call says that the schema
    /// is missing.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// let store = PostgresStore::builder(pool).schema("access").build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn schema(self, name: impl Into<String>) -> Self {
        Self { schema: name.into(), ..self }
    }

    /// Sets how long one step of a call may take: 30 seconds by default.
    ///
    /// A step is the wait for a connection, one statement, the next rows of a load, or COMMIT. A step that takes longer
    /// ends the call: with [`InDoubt`](StoreError::InDoubt) at COMMIT, else with [`Unavailable`](StoreError::Unavailable).
    /// Its connection is closed. The server limits pauses within a commit by the same time, and the wait for locks by three
    /// quarters of it.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// # use std::time::Duration;
    /// let store = PostgresStore::builder(pool).step_timeout(Duration::from_secs(5)).build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn step_timeout(self, limit: Duration) -> Self {
        Self { step_timeout: Some(limit), ..self }
    }

    /// Removes the limit on steps. A call on a link that is silently dead then waits as long as the system does.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// let store = PostgresStore::builder(pool).no_step_timeout().build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn no_step_timeout(self) -> Self {
        Self { step_timeout: None, ..self }
    }

    /// Sets how many changes a [`since`](Store::since) may return: 250,000 by default. For more it answers
    /// [`TooOld`](Since::TooOld), and the authorizer loads the tenant instead.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// let store = PostgresStore::builder(pool).max_changes(20_000).build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn max_changes(self, changes: u32) -> Self {
        Self { max_changes: changes, ..self }
    }

    /// Sends a notification with each commit, for the processes that [`listen`](Self::listen). The default is not to.
    ///
    /// Every process that writes must do this, even one that does not listen. PostgreSQL lets transactions that notify
    /// commit one after the other, over all databases of the server. Servers that do not know `pg_notify` refuse such
    /// commits.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// let store = PostgresStore::builder(pool).notify().build(); // in a process that only writes
    /// # let _ = store;
    /// # }
    /// ```
    pub fn notify(self) -> Self {
        Self { notify: true, ..self }
    }

    /// Makes [`watch`](Watch::watch) work: it listens on a connection of its own, which it makes with these options. The
    /// store also [notifies](Self::notify).
    ///
    /// The connection must lead to the server itself. A pooler in transaction mode swallows notifications; `watch` tests
    /// that and returns an error. The store's pool may go through such a pooler, and it may be a pool of sqlx. The method
    /// needs the feature `deadpool`, which is a default. [`listen_with_pool`](Self::listen_with_pool) does without it.
    ///
    /// ```no_run
    /// use deadpool_postgres::{Manager, Pool};
    /// use rolecall::Authorizer;
    /// use rolecall_postgres::PostgresStore;
    /// use tokio_postgres::NoTls;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let pooled: tokio_postgres::Config = "host=pooler user=app dbname=app".parse()?;
    /// let direct: tokio_postgres::Config = "host=server user=app dbname=app".parse()?;
    /// let pool = Pool::builder(Manager::new(pooled, NoTls)).build()?;
    /// let store = PostgresStore::builder(pool).listen(direct, NoTls).build();
    /// let runtime = tokio::runtime::Handle::current();
    /// let authorizer = Authorizer::builder().store(store.clone()).runtime(runtime).build();
    /// tokio::spawn(authorizer.follow(store.clone()).watch(store).run());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "deadpool")]
    pub fn listen<T>(self, config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Self { notify: true, listener: Some(Listener::connects(config, tls)), ..self }
    }

    /// Makes [`watch`](Watch::watch) work, as [`listen`](Self::listen) does, with a connection of a pool of sqlx.
    ///
    /// Each watch takes one connection out of this pool, and keeps it until its hints are dropped. It can be the pool of the
    /// store, if that has one connection more than the application needs, and leads to the server itself.
    ///
    /// ```no_run
    /// use rolecall::Authorizer;
    /// use rolecall_postgres::{PostgresStore, sqlx};
    ///
    /// # async fn example() -> Result<(), sqlx::Error> {
    /// let pool = sqlx::PgPool::connect("postgres://app@localhost/app").await?;
    /// let store = PostgresStore::builder(pool.clone()).listen_with_pool(pool).build();
    /// let runtime = tokio::runtime::Handle::current();
    /// let authorizer = Authorizer::builder().store(store.clone()).runtime(runtime).build();
    /// tokio::spawn(authorizer.follow(store.clone()).watch(store).run());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlx")]
    pub fn listen_with_pool(self, pool: sqlx::PgPool) -> Self {
        Self { notify: true, listener: Some(Listener::of_pool(pool)), ..self }
    }

    /// Returns the store. It connects at the first call.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// # use rolecall_postgres::PostgresStore;
    /// let store: PostgresStore = PostgresStore::builder(pool).build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn build(self) -> PostgresStore {
        let channel = self.notify.then(|| notification::channel(&self.schema));
        PostgresStore(Arc::new(Inner {
            sql: Statements::new(&self.schema, channel),
            begin_commit: statements::begin_commit(self.step_timeout),
            is_checked: AtomicBool::new(false),
            pool: self.pool,
            schema: self.schema,
            step_timeout: self.step_timeout,
            max_changes: self.max_changes,
            listener: self.listener,
        }))
    }
}
