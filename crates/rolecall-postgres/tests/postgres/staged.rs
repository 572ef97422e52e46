//! Commits inside the application's own transaction, with each client: a project row and its group are there together,
//! or neither is.

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use rolecall::authorizer::Staged;
use rolecall::records::Revision;
use rolecall::store::StoreError;
use rolecall::{Authorizer, ErrorKind, Reason, Tenant};
use rolecall_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio_postgres::{Client, Config, NoTls};

use crate::proxy::{Break, Proxy};
use crate::server::{self, quoted};

/// The client of the application, which need not be that of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TokioPostgres,
    Deadpool,
    Sqlx,
}

const KINDS: [Kind; 3] = [Kind::TokioPostgres, Kind::Deadpool, Kind::Sqlx];

enum Session {
    TokioPostgres(Client),
    Deadpool(deadpool_postgres::Object),
    Sqlx(PgConnection),
}

enum Transaction<'c> {
    TokioPostgres(tokio_postgres::Transaction<'c>),
    Deadpool(deadpool_postgres::Transaction<'c>),
    Sqlx(sqlx::Transaction<'c, sqlx::Postgres>),
}

impl Session {
    async fn open(kind: Kind, config: &Config) -> Self {
        match kind {
            Kind::TokioPostgres => {
                let (client, connection) = config.connect(NoTls).await.unwrap();
                tokio::spawn(connection);
                Self::TokioPostgres(client)
            }
            Kind::Deadpool => {
                let pool = Pool::builder(Manager::new(config.clone(), NoTls)).max_size(1).build().unwrap();
                Self::Deadpool(pool.get().await.unwrap())
            }
            Kind::Sqlx => {
                let pool = server::sqlx_pool(1).connect_lazy_with(server::sqlx_options(config));
                Self::Sqlx(pool.acquire().await.unwrap().detach())
            }
        }
    }

    async fn begin(&mut self) -> Transaction<'_> {
        match self {
            Self::TokioPostgres(client) => Transaction::TokioPostgres(client.transaction().await.unwrap()),
            Self::Deadpool(client) => Transaction::Deadpool(client.transaction().await.unwrap()),
            Self::Sqlx(connection) => Transaction::Sqlx(connection.begin().await.unwrap()),
        }
    }
}

impl Transaction<'_> {
    async fn run(&mut self, sql: &str) {
        assert!(self.runs(sql).await);
    }

    /// Whether the statement succeeds. It fails only after sqlx has rolled back to a savepoint that was released before: it did
    /// not wait for the answer to that.
    async fn runs(&mut self, sql: &str) -> bool {
        match self {
            Self::TokioPostgres(transaction) => transaction.batch_execute(sql).await.unwrap(),
            Self::Deadpool(transaction) => transaction.batch_execute(sql).await.unwrap(),
            Self::Sqlx(transaction) => {
                let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                if let Err(error) = (**transaction).execute(statement).await {
                    let code = error.as_database_error().and_then(|error| error.code().map(String::from));
                    assert_eq!(code.as_deref(), Some("3B001"), "{error}");
                    return false;
                }
            }
        }
        true
    }

    async fn write<T>(&mut self, store: &PostgresStore, staged: &Staged<T>) -> Result<Revision, StoreError> {
        match self {
            Self::TokioPostgres(transaction) => store.commit_in(transaction, staged.commit()).await,
            Self::Deadpool(transaction) => store.commit_in(transaction, staged.commit()).await,
            Self::Sqlx(transaction) => store.commit_in(transaction, staged.commit()).await,
        }
    }

    /// Whether the answer to COMMIT came.
    async fn commit(self) -> bool {
        match self {
            Self::TokioPostgres(transaction) => transaction.commit().await.is_ok(),
            Self::Deadpool(transaction) => transaction.commit().await.is_ok(),
            Self::Sqlx(transaction) => transaction.commit().await.is_ok(),
        }
    }

    async fn roll_back(self) {
        match self {
            Self::TokioPostgres(transaction) => transaction.rollback().await.unwrap(),
            Self::Deadpool(transaction) => transaction.rollback().await.unwrap(),
            Self::Sqlx(transaction) => transaction.rollback().await.unwrap(),
        }
    }
}

/// A tenant that two processes have open, and a table of the application.
struct Application {
    store: PostgresStore,
    acme: Tenant,
    /// The tenant in another process.
    elsewhere: Tenant,
    insert: String,
    admin: Client,
}

impl Application {
    async fn new(step_timeout: Duration) -> Self {
        let migrated = server::store().await;
        let schema = migrated.schema();
        let store = PostgresStore::builder(server::pool(server::config(), 4));
        let store = store.schema(schema).step_timeout(step_timeout).build();
        let admin = server::admin().await;
        admin.batch_execute(&format!("CREATE TABLE {}.projects (name text)", quoted(schema))).await.unwrap();
        let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").await.unwrap();
        let setup = acme.update(|tx| {
            tx.create_permission("projects:write")?;
            tx.create_role("editor")?.grant("projects:write")?;
            tx.create_user("alice")?.done()
        });
        setup.await.unwrap();
        let elsewhere = Authorizer::builder().store(store.clone()).build().tenant("acme").await.unwrap();
        let insert = format!("INSERT INTO {}.projects VALUES ('project')", quoted(schema));
        Self { store, acme, elsewhere, insert, admin }
    }

    async fn stage(&self) -> Staged<()> {
        let staged = self.acme.stage(|tx| {
            tx.create_group("project")?.assign("editor")?;
            tx.user("alice")?.join("project")?.done()
        });
        staged.await.unwrap()
    }

    async fn rows(&self) -> i64 {
        let sql = format!("SELECT count(*) FROM {}.projects", quoted(self.store.schema()));
        self.admin.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Whether the group exists: in this process, in another one, and in a load.
    async fn has_group(&self) -> bool {
        self.elsewhere.refresh().await.unwrap();
        let loaded = Authorizer::builder().store(self.store.clone()).build().tenant("acme").await.unwrap();
        let found = [&self.acme, &self.elsewhere, &loaded].map(|tenant| {
            let may = tenant.check("alice", "projects:write");
            assert_eq!(tenant.now().group("project").is_some(), may, "{:?}", tenant.now().unavailable());
            may
        });
        assert_eq!(found, [found[0]; 3]);
        found[0]
    }

    async fn end(self) {
        server::drop_schema(self.store.schema()).await;
    }
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_row_and_its_group_are_rolled_back_or_committed_together() {
    for kind in KINDS {
        let application = Application::new(LONG).await;
        let mut session = Session::open(kind, &server::config()).await;
        let before = application.acme.revision();

        let staged = application.stage().await;
        let mut transaction = session.begin().await;
        transaction.run(&application.insert).await;
        transaction.write(&application.store, &staged).await.unwrap();
        assert!(!application.acme.check("alice", "projects:write"), "{kind:?}: not committed");
        transaction.roll_back().await;
        staged.rolled_back();
        assert_eq!((application.rows().await, application.has_group().await), (0, false), "{kind:?}");
        application.acme.refresh().await.unwrap();
        assert_eq!(application.acme.revision(), before, "{kind:?}: nothing has happened");

        let staged = application.stage().await;
        let mut transaction = session.begin().await;
        transaction.write(&application.store, &staged).await.unwrap();
        transaction.run(&application.insert).await;
        assert!(transaction.commit().await);
        assert!(!application.acme.check("alice", "projects:write"), "{kind:?}: not finished");
        let updated = staged.finish().await.unwrap();
        assert_eq!((updated.revision, updated.changes.len()), (before.next(), 3), "{kind:?}");
        assert!(application.acme.check("alice", "projects:write"), "{kind:?}: finished");
        assert_eq!((application.rows().await, application.has_group().await), (1, true), "{kind:?}");
        assert_eq!(application.acme.revision(), before.next());
        application.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_the_answer_to_commit_is_lost_finish_finds_out() {
    for kind in KINDS {
        for (rule, is_committed) in [(Break::CommitResponse, true), (Break::Commit, false)] {
            let application = Application::new(LONG).await;
            let proxy = Proxy::start(server::address()).await.unwrap();
            let mut session = Session::open(kind, &server::config_at("127.0.0.1", proxy.port)).await;
            let staged = application.stage().await;
            let mut transaction = session.begin().await;
            transaction.run(&application.insert).await;
            transaction.write(&application.store, &staged).await.unwrap();
            proxy.set(rule, true);
            assert!(!transaction.commit().await, "{kind:?} {rule:?}: no answer");
            let finished = staged.finish().await.map(drop).map_err(|error| error.kind());
            let expected = if is_committed { Ok(()) } else { Err(ErrorKind::Conflict) };
            assert_eq!(finished, expected, "{kind:?} {rule:?}");
            let found = (application.rows().await == 1, application.has_group().await);
            assert_eq!(found, (is_committed, is_committed), "{kind:?} {rule:?}");
            application.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_is_dropped_is_in_doubt_until_its_transaction_has_ended() {
    for kind in KINDS {
        for commits in [true, false] {
            let application = Application::new(Duration::from_secs(4)).await;
            application.acme.update(|tx| tx.user("alice")?.assign("editor")?.done()).await.unwrap();
            assert!(application.acme.check("alice", "projects:write"));
            let mut session = Session::open(kind, &server::config()).await;
            let staged = application.acme.stage(|tx| tx.user("alice")?.unassign("editor")?.done()).await.unwrap();
            let mut transaction = session.begin().await;
            transaction.run(&application.insert).await;
            transaction.write(&application.store, &staged).await.unwrap();
            drop(staged);
            assert!(!application.acme.check("alice", "projects:write"), "what may have been revoked is denied");
            assert_eq!(application.acme.now().unavailable(), Some(Reason::InDoubt));
            // The empty commit waits for the row of the tenant, but not for ever.
            let refreshed = tokio::time::timeout(LONG, application.acme.refresh()).await.expect("no silent hang");
            assert_eq!(refreshed.unwrap_err().kind(), ErrorKind::Blocked, "{kind:?}");
            if commits {
                assert!(transaction.commit().await);
            } else {
                transaction.roll_back().await;
            }
            application.acme.refresh().await.unwrap();
            assert_eq!(application.acme.check("alice", "projects:write"), !commits, "{kind:?} {commits}");
            assert_eq!(application.rows().await, i64::from(commits));
            application.end().await;
        }
    }
}

/// The application calls `finish` before COMMIT, in the task that has the transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finish_before_commit_ends_in_doubt_and_not_in_a_hang() {
    for kind in KINDS {
        let application = Application::new(Duration::from_secs(4)).await;
        let mut session = Session::open(kind, &server::config()).await;
        let staged = application.stage().await;
        let mut transaction = session.begin().await;
        transaction.write(&application.store, &staged).await.unwrap();
        let finished = tokio::time::timeout(LONG, staged.finish()).await.expect("no silent hang");
        assert_eq!(finished.unwrap_err().kind(), ErrorKind::InDoubt, "{kind:?}");
        assert!(transaction.commit().await);
        application.acme.refresh().await.unwrap();
        assert!(application.has_group().await, "{kind:?}");
        application.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_in_that_fails_or_is_dropped_leaves_the_transaction_as_it_was() {
    for kind in KINDS {
        let application = Application::new(LONG).await;
        let mut session = Session::open(kind, &server::config()).await;
        // Another process commits first.
        let staged = application.stage().await;
        application.elsewhere.update(|tx| tx.create_user("bob")?.done()).await.unwrap();
        let mut transaction = session.begin().await;
        let written = transaction.write(&application.store, &staged).await;
        assert!(matches!(written, Err(StoreError::Conflict { .. })), "{kind:?}: {written:?}");
        transaction.run(&application.insert).await;
        assert!(transaction.commit().await);
        assert_eq!(staged.finish().await.unwrap_err().kind(), ErrorKind::Conflict, "{kind:?}");
        assert_eq!((application.rows().await, application.has_group().await), (1, false), "{kind:?}");
        assert!(application.acme.now().user("bob").is_some(), "{kind:?}: finish publishes what the store has");

        // The call is dropped while it waits, and at many other instants.
        for wait in [0, 200, 500, 1_000, 2_000, 3_000, 5_000, 50_000] {
            let lock = server::admin().await;
            let locked = format!("BEGIN; SELECT 1 FROM {}.tenants FOR UPDATE", quoted(application.store.schema()));
            let is_locked = wait == 50_000;
            if is_locked {
                lock.batch_execute(&locked).await.unwrap();
            }
            let staged = application.stage().await;
            let mut transaction = session.begin().await;
            let written = transaction.write(&application.store, &staged);
            let written = tokio::time::timeout(Duration::from_micros(wait), written).await;
            if is_locked {
                assert!(written.is_err(), "it waits for the lock");
                lock.batch_execute("ROLLBACK").await.unwrap();
            }
            if transaction.runs(&application.insert).await {
                assert!(transaction.commit().await);
            } else {
                transaction.roll_back().await;
            }
            let finished = staged.finish().await.map(drop).map_err(|error| error.kind());
            // The whole commit, or nothing of it.
            match finished {
                Ok(()) => {
                    assert!(application.has_group().await, "{kind:?} {wait}");
                    application.acme.update(|tx| tx.delete_group("project")).await.unwrap();
                }
                Err(kind) => assert_eq!((kind, application.has_group().await), (ErrorKind::Conflict, false)),
            }
        }
        application.end().await;
    }
}
