//! The contract, as rolecall's own suite tests it: over a link that breaks at the first byte, and at COMMIT.

use std::sync::Arc;

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
}

impl Postgres {
    async fn open(&self, schema: &str) -> Result<Linked, FixtureError> {
        let proxy = Proxy::start(server::address()).await?;
        let pool = server::pool(server::config_at("127.0.0.1", proxy.port), 8);
        Ok(Linked { store: PostgresStore::builder(pool).schema(schema).build(), proxy })
    }
}

impl Fixture for Postgres {
    type Store = Linked;

    async fn fresh(&self) -> Result<Linked, FixtureError> {
        let linked = self.open(&server::schema_name()).await?;
        linked.store.migrate().await?;
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
    let sql = format!("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test \"{}.%'", std::process::id());
    for row in server::admin().await.query(&sql, &[]).await.expect("the schemas") {
        server::drop_schema(row.get(0)).await;
    }
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
    run(Postgres { requests_lost: Break::Requests, responses_lost: Break::Responses }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_keeps_the_contract_over_a_link_that_breaks_at_commit() {
    run(Postgres { requests_lost: Break::Commit, responses_lost: Break::CommitResponse }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_keeps_its_contract() {
    let fixture = Postgres { requests_lost: Break::Requests, responses_lost: Break::Responses };
    let report = conformance::run_history(&fixture).await;
    assert!(report.passed() && report.not_exercised().count() == 0, "{report}");
}
