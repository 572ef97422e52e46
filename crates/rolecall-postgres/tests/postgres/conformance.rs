//! The contract, as rolecall's own suite tests it: over a link that breaks at the first byte, and at COMMIT.

use std::sync::{Arc, Mutex, PoisonError};

use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{self, Clause, Fixture, FixtureError, LinkState, Task};
use rolecall::store::{Commit, CommitPage, CommitQuery, History, Since, Sink, Store, StoreError, TenantSummary};
use rolecall_postgres::PostgresStore;

use crate::proxy::{Break, Proxy};
use crate::server;

/// A store behind a proxy of its own.
struct Linked {
    store: PostgresStore,
    proxy: Arc<Proxy>,
}

impl Store for Linked {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.store.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.store.since(at).await
    }
}

impl History for Linked {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        self.store.commits(tenant_id, query).await
    }
}

struct Postgres {
    requests_lost: Break,
    responses_lost: Break,
    /// The schemas that this fixture created. Other fixtures of this process have schemas of their own.
    schemas: Mutex<Vec<String>>,
}

impl Postgres {
    fn new(requests_lost: Break, responses_lost: Break) -> Self {
        Self { requests_lost, responses_lost, schemas: Mutex::default() }
    }

    async fn open(&self, schema: &str) -> Result<Linked, FixtureError> {
        let proxy = Proxy::start(server::address()).await?;
        let pool = server::pool(server::config_at("127.0.0.1", proxy.port), 8);
        Ok(Linked { store: PostgresStore::builder(pool).schema(schema).build(), proxy })
    }

    /// Drops the schemas of this fixture only: those of a fixture that still runs are in use.
    async fn drop_schemas(self) {
        for schema in self.schemas.into_inner().unwrap_or_else(PoisonError::into_inner) {
            server::drop_schema(&schema).await;
        }
    }
}

impl Fixture for Postgres {
    type Store = Linked;

    async fn fresh(&self) -> Result<Linked, FixtureError> {
        let schema = server::schema_name();
        let linked = self.open(&schema).await?;
        linked.store.migrate().await?;
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).push(schema);
        Ok(linked)
    }

    async fn second_connection(&self, store: &Linked) -> Result<Option<Linked>, FixtureError> {
        self.open(store.store.schema()).await.map(Some)
    }

    async fn reopen(&self, store: Linked) -> Result<Option<Linked>, FixtureError> {
        let schema = store.store.schema().to_owned();
        drop(store);
        self.open(&schema).await.map(Some)
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in running {
            task.await?;
        }
        Ok(())
    }

    async fn set_link(&self, store: &Linked, link: LinkState) -> Result<bool, FixtureError> {
        let rule = match link {
            LinkState::Connected => Break::Never,
            LinkState::RequestsLost => self.requests_lost,
            LinkState::ResponsesLost => self.responses_lost,
            _ => return Ok(false),
        };
        store.proxy.set(rule, true);
        Ok(true)
    }

    fn case_started(&self, case: &str) {
        println!("{case}");
    }
}

/// Runs the suite, and drops its schemas.
async fn run(fixture: Postgres) {
    let report = conformance::run(&fixture).await;
    fixture.drop_schemas().await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(
        report.not_exercised().map(|case| (case.clause, case.name)).collect::<Vec<(Clause, _)>>(),
        [],
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_keeps_the_contract_over_a_link_that_breaks_at_once() {
    run(Postgres::new(Break::Requests, Break::Responses)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_keeps_the_contract_over_a_link_that_breaks_at_commit() {
    run(Postgres::new(Break::Commit, Break::CommitResponse)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_keeps_its_contract() {
    let fixture = Postgres::new(Break::Requests, Break::Responses);
    let report = conformance::run_history(&fixture).await;
    fixture.drop_schemas().await;
    assert!(report.passed() && report.not_exercised().count() == 0, "{report}");
}
