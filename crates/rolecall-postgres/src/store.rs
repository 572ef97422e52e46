//! The store: how each call begins, is tried again, and ends. Its options are in `store/options.rs`.

mod options;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres_types::{ToSql, Type};
use rolecall::Timestamp;
use rolecall::records::{Position, Revision, TenantId, TenantSlug, UserKey};
use rolecall::store::{
    Commit, CommitPage, CommitQuery, History, Positions, Since, Sink, Store, StoreError, TenantSummary, UserDirectory,
    Watch,
};

pub use self::options::PostgresStoreBuilder;
use crate::connection::Connection;
use crate::error::{Failure, PostgresError, PostgresErrorKind};
use crate::pool::ConnectionPool;
use crate::read::Loading;
use crate::statements::{self, NOTIFY, Statements};
use crate::step::Row;
use crate::transaction::OpenTransaction;
use crate::value::Micros;
use crate::watch::{Listener, PostgresHints};
use crate::{commit, directory, history, migrate, notification, read, schema};

/// How often a transaction starts again after deadlocks and the like.
const MOST_AGAIN: u32 = 6;

/// How often a call starts again on another connection. After a restart of the server, some connections of the pool may be
/// dead without knowing it yet.
const MOST_ELSEWHERE: u32 = 2;

/// Runs a call on a connection, again where that is certain to do no harm.
macro_rules! call {
    ($connect:expr, $connection:ident => $answer:expr) => {{
        let mut tries = Tries::default();
        loop {
            let attempt = async {
                let $connection = $connect.await?;
                let answer = $answer.await;
                $connection.finish(answer).await
            };
            match attempt.await {
                Ok(answer) => break Ok(answer),
                Err(failure) => {
                    if let Err(answer) = tries.after(failure).await {
                        break Err(answer);
                    }
                }
            }
        }
    }};
}

/// Keeps tenants in PostgreSQL, over a connection pool of the application. A clone shares the pool.
///
/// [The guide](crate::guide) describes the tables, the privileges and the pool. The futures need a tokio runtime with
/// its timer.
///
/// ```no_run
/// use deadpool_postgres::{Manager, Pool};
/// use rolecall::Authorizer;
/// use rolecall_postgres::PostgresStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config: tokio_postgres::Config = "host=localhost user=app dbname=app target_session_attrs=read-write".parse()?;
/// let pool = Pool::builder(Manager::new(config, tokio_postgres::NoTls)).max_size(8).build()?;
///
/// let store = PostgresStore::new(pool);
/// store.migrate().await?;
/// let authorizer = Authorizer::builder().store(store).runtime(tokio::runtime::Handle::current()).build();
/// # let _ = authorizer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    pool: ConnectionPool,
    schema: String,
    sql: Statements,
    begin_commit: String,
    step_timeout: Option<Duration>,
    max_changes: u32,
    listener: Option<Listener>,
    /// Whether the version of the schema was found to be right.
    is_checked: AtomicBool,
}

/// Returns the SQL that creates all tables in a schema, as one transaction, for those who apply migrations by hand.
///
/// [`PostgresStore::migrate`] does the same for a database without these tables, and also upgrades an older schema, which this
/// script does not.
///
/// ```
/// let sql = rolecall_postgres::migration_sql("rolecall");
/// assert!(sql.contains("CREATE TABLE \"rolecall\".tenants"));
/// ```
pub fn migration_sql(schema: &str) -> String {
    schema::script(schema)
}

impl PostgresStore {
    /// Returns a store in the schema `rolecall` of the pool's database. It connects at the first call.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// let store = rolecall_postgres::PostgresStore::new(pool);
    /// assert_eq!(store.schema(), "rolecall");
    /// # }
    /// ```
    pub fn new(pool: impl Into<ConnectionPool>) -> Self {
        Self::builder(pool).build()
    }

    /// Returns the options of a store.
    ///
    /// ```
    /// # fn example(pool: rolecall_postgres::ConnectionPool) {
    /// let store = rolecall_postgres::PostgresStore::builder(pool).schema("access").notify().build();
    /// # let _ = store;
    /// # }
    /// ```
    pub fn builder(pool: impl Into<ConnectionPool>) -> PostgresStoreBuilder {
        PostgresStoreBuilder::new(pool.into())
    }

    /// Returns the name of the schema.
    ///
    /// ```
    /// # fn example(store: rolecall_postgres::PostgresStore) {
    /// println!("the tables are in {}", store.schema());
    /// # }
    /// ```
    pub fn schema(&self) -> &str {
        &self.0.schema
    }

    /// Returns the pool.
    ///
    /// ```
    /// # use rolecall_postgres::{ConnectionPool, PostgresStore};
    /// fn connections(store: &PostgresStore) -> usize {
    ///     match store.pool() {
    ///         ConnectionPool::Deadpool(pool) => pool.status().size,
    ///         _ => 0,
    ///     }
    /// }
    /// ```
    pub fn pool(&self) -> &ConnectionPool {
        &self.0.pool
    }

    /// Creates the schema and its tables, or updates them to this release. Does nothing if they are up to date.
    ///
    /// No other call creates or changes a table. Processes that migrate at the same time wait for each other, at most for the
    /// time limit of a step. The role needs the privilege to create the schema, or to create tables in it.
    ///
    /// ```no_run
    /// # async fn example(store: rolecall_postgres::PostgresStore) -> Result<(), rolecall_postgres::PostgresError> {
    /// store.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`PostgresError`]. Nothing was changed, or everything; calling it again is always safe.
    pub async fn migrate(&self) -> Result<(), PostgresError> {
        let inner = &*self.0;
        let connect = || Connection::open(&inner.pool, inner.step_timeout);
        let migrated: Result<(), StoreError> =
            call!(connect(), connection => migrate::migrate(&connection, &inner.sql, &inner.schema));
        migrated.map_err(into_postgres_error)
    }

    /// Writes a [staged](rolecall::Tenant::stage) commit into a transaction of the application, which commits it together
    /// with the application's own rows, or rolls both back.
    ///
    /// The transaction is one of tokio-postgres, of deadpool or of sqlx, on the database of the store; it need not be a
    /// connection of the store's pool. Its isolation level does not matter. From here to its end it holds the lock of the
    /// tenant, and all other writers of the tenant wait for that. `synchronous_commit` is `on` if it was `off` or `local`.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     acme: rolecall::Tenant, store: rolecall_postgres::PostgresStore, mut client: tokio_postgres::Client,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.id()).await?;
    /// let mut transaction = client.transaction().await?;
    /// transaction.execute("INSERT INTO projects (name) VALUES ('project-7')", &[]).await?;
    /// if let Err(error) = store.commit_in(&mut transaction, staged.commit()).await {
    ///     // Whatever this returns: COMMIT was not sent, so nothing has happened.
    ///     let _ = transaction.rollback().await;
    ///     staged.rolled_back();
    ///     return Err(error.into());
    /// }
    /// let answer = transaction.commit().await;
    /// // Even if COMMIT returned an error: the answer may have been lost, and the database knows.
    /// match (staged.finish().await, answer) {
    ///     (Ok(_), _) => Ok(()),
    ///     // The database has refused COMMIT: to try again is of no use.
    ///     (Err(_), Err(refused)) => Err(refused.into()),
    ///     (Err(error), Ok(())) => Err(error.into()),
    /// }
    /// # }
    /// ```
    ///
    /// If the future is dropped, or an error comes, the transaction is as it was before the call. With sqlx there is one
    /// exception. If the future is dropped while it waits for the answer to its last statement, `RELEASE SAVEPOINT`, the
    /// client rolls back to a released savepoint. The next statement then fails with SQLSTATE 3B001, and the transaction can
    /// only be rolled back.
    ///
    /// # Errors
    /// Those of [`Store::commit`] except [`InDoubt`](StoreError::InDoubt): nothing is in the transaction. It can be used
    /// further, unless its connection is lost. With isolation above `READ COMMITTED`, another writer since the
    /// transaction's first statement is [`Unavailable`](StoreError::Unavailable) or
    /// [`Conflict`](StoreError::Conflict): roll back and begin anew.
    pub async fn commit_in<'t, 'c: 't>(
        &self,
        transaction: impl Into<OpenTransaction<'t, 'c>>,
        commit: Commit<'_>,
    ) -> Result<Revision, StoreError> {
        self.0.commit_in(transaction.into(), commit).await.map_err(Failure::into_answer)
    }

    /// Removes old commits from the history: those older than an instant, but never the newest `keep` of a tenant. Returns
    /// how many commits it removed.
    ///
    /// The store never removes history by itself, also not that of deleted tenants. Keep the last few thousand commits. A
    /// process that is behind by more loads the whole tenant, and a commit whose response was lost may end as
    /// [`Outcome::Unknown`](rolecall::authorizer::Outcome::Unknown).
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use rolecall::Timestamp;
    ///
    /// # async fn example(store: rolecall_postgres::PostgresStore) -> Result<(), rolecall_postgres::PostgresError> {
    /// let now = Timestamp::from_system_time(SystemTime::now());
    /// let year_ago = now.saturating_sub(Duration::from_secs(365 * 24 * 60 * 60));
    /// let removed = store.remove_history(year_ago, 5_000).await?;
    /// println!("{removed} commits removed");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`PostgresError`]. The role needs `DELETE` on `commits` and `changes`, which no other call needs. After
    /// [`StepTimeout`](PostgresErrorKind::StepTimeout) or [`ConnectionLost`](PostgresErrorKind::ConnectionLost) the commits may
    /// have been removed. It is safe to call it again, even from several processes.
    ///
    /// # Complexity
    /// One statement that reads each tenant's row, and removes from the oldest commit on, within the time limit of a step. If
    /// there is much to remove, use a store with a longer [`step_timeout`](PostgresStoreBuilder::step_timeout), or bring
    /// `before` forward in several calls.
    ///
    /// # Security
    /// `keep` holds for deleted tenants, too. Use 0, or delete their rows by SQL, to erase personal data.
    pub async fn remove_history(&self, before: Timestamp, keep: u32) -> Result<u64, PostgresError> {
        let inner = &*self.0;
        let (before, keep) = (Micros::from(before), i64::from(keep));
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&before, Type::TIMESTAMPTZ), (&keep, Type::INT8)];
        let removed: Result<Option<Row>, StoreError> = call!(
            inner.connect(),
            connection => connection.query_one("the removal of history", &inner.sql.remove_history, &values)
        );
        let count = removed.map_err(into_postgres_error)?.and_then(|row| row.try_get::<i64>(0).ok());
        let count = count.and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| PostgresError::damaged("the removal of history returned no number"))
    }
}

/// The cause of an answer of a call that is not part of [`Store`].
fn into_postgres_error(error: StoreError) -> PostgresError {
    match error {
        StoreError::Unavailable(cause)
        | StoreError::InDoubt(cause)
        | StoreError::Corrupt(cause)
        | StoreError::TooLarge(cause)
        | StoreError::UnsupportedRecord(cause) => match cause.downcast::<PostgresError>() {
            Ok(error) => *error,
            Err(cause) => PostgresError::new(PostgresErrorKind::Other, cause.to_string()),
        },
        other => PostgresError::new(PostgresErrorKind::Other, other.to_string()),
    }
}

impl Store for PostgresStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => read::find(&connection, &inner.sql, slug))
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => read::list(&connection, &inner.sql, after, limit))
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let inner = &*self.0;
        let mut loading = Loading::new(sink);
        call!(inner.connect(), connection => async {
            let loaded = read::load(&connection, &inner.sql, tenant_id, &mut loading).await;
            // Records that the sink has received cannot be taken back.
            loaded.map_err(|failure| if loading.pushed { Failure::Answer(failure.into_answer()) } else { failure })
        })
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => inner.commit(&connection, commit))
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => read::since(&connection, &inner.sql, at, i64::from(inner.max_changes)))
    }
}

impl History for PostgresStore {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => history::commits(&connection, &inner.sql, tenant_id, query))
    }
}

impl Positions for PostgresStore {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => directory::positions(&connection, &inner.sql, tenant_ids))
    }
}

impl UserDirectory for PostgresStore {
    async fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let inner = &*self.0;
        call!(inner.connect(), connection => directory::tenants_of_user(&connection, &inner.sql, key, after, limit))
    }
}

/// Needs [`PostgresStoreBuilder::listen`] or [`PostgresStoreBuilder::listen_with_pool`].
impl Watch for PostgresStore {
    type Hints = PostgresHints;

    async fn watch(&self) -> Result<PostgresHints, StoreError> {
        let inner = &*self.0;
        let Some(listener) = &inner.listener else {
            let missing =
                "the store was built without `listen` or `listen_with_pool`, so it has no connection for hints";
            return Err(StoreError::unavailable(PostgresError::new(PostgresErrorKind::Other, missing)));
        };
        let hints = listener.listen(&inner.schema).await?;
        let test = uuid::Uuid::new_v4();
        let (channel, payload) = (notification::channel(&inner.schema), notification::of_test(test));
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&channel, Type::TEXT), (&payload, Type::TEXT)];
        let sent: Result<u64, StoreError> =
            call!(inner.connect(), connection => connection.execute("the test of hints", NOTIFY, &values));
        sent?;
        hints.expect_test(test).await
    }
}

impl Inner {
    /// Takes a connection of the pool. The first call of a store checks the version of the schema.
    async fn connect(&self) -> Result<Connection<'static>, Failure> {
        let connection = Connection::open(&self.pool, self.step_timeout).await?;
        if !self.is_checked.load(Ordering::Relaxed) {
            read::check_schema(&connection, &self.sql, &self.schema).await?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    async fn commit(&self, connection: &Connection<'_>, commit: Commit<'_>) -> Result<Revision, Failure> {
        let revision = commit::write(connection, &self.sql, &self.begin_commit, commit).await?;
        connection.commit().await?;
        Ok(revision)
    }

    async fn commit_in(&self, transaction: OpenTransaction<'_, '_>, commit: Commit<'_>) -> Result<Revision, Failure> {
        let connection = Connection::savepoint(transaction, self.step_timeout).await?;
        if !self.is_checked.load(Ordering::Relaxed) {
            read::check_schema(&connection, &self.sql, &self.schema).await?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        let limited = match self.step_timeout {
            None => None,
            Some(limit) => {
                let limit = statements::lock_timeout(limit).to_string();
                let values: [(&(dyn ToSql + Sync), Type); 1] = [(&limit, Type::TEXT)];
                connection.query_one("the settings of the transaction", statements::LOCK_TIMEOUT, &values).await?
            }
        };
        let revision = commit::write(&connection, &self.sql, statements::DURABLE, commit).await?;
        if limited.is_some() {
            connection.batch("the settings of the transaction", statements::END_OF_LOCK_TIMEOUT).await?;
        }
        connection.release_savepoint().await?;
        Ok(revision)
    }
}

/// Counts how often a call has started again.
#[derive(Default)]
struct Tries {
    again: u32,
    elsewhere: u32,
}

impl Tries {
    /// Returns if the call shall start again. Else the error is its answer.
    async fn after(&mut self, failure: Failure) -> Result<(), StoreError> {
        match failure {
            Failure::Again(_) if self.again < MOST_AGAIN => {
                self.again += 1;
                pause(self.again).await;
                Ok(())
            }
            Failure::Elsewhere(_) if self.elsewhere < MOST_ELSEWHERE => {
                self.elsewhere += 1;
                Ok(())
            }
            other => Err(other.into_answer()),
        }
    }
}

/// Waits a little before a transaction that met another one starts again: longer each time, and not as long as the other.
async fn pause(tries: u32) {
    let random = uuid::Uuid::new_v4().as_u128() % 1_000;
    let micros = u64::try_from(random).unwrap_or(0) << tries.min(6);
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.0.schema).finish_non_exhaustive()
    }
}
