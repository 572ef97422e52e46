//! Several authorizers, each with a pool of its own as in a process of its own, write one tenant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Authorizer, ErrorKind};
use rolecall_postgres::PostgresStore;

use crate::fixtures::Random;
use crate::server;

/// A store that counts conflicts.
pub(crate) struct Counting {
    store: PostgresStore,
    conflicts: Arc<AtomicU32>,
}

impl Counting {
    /// Returns the store and its counter.
    pub(crate) fn new(store: PostgresStore) -> (Self, Arc<AtomicU32>) {
        let conflicts = Arc::new(AtomicU32::new(0));
        (Self { store, conflicts: Arc::clone(&conflicts) }, conflicts)
    }
}

impl Store for Counting {
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
        let answer = self.store.commit(commit).await;
        if matches!(answer, Err(StoreError::Conflict { .. })) {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.store.since(at).await
    }
}

const WRITERS: u64 = 4;
const ROUNDS: u64 = 60;
const GROUPS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_and_no_cycle_is_made_by_two_halves() {
    let direct = server::store().await;
    let first = Authorizer::builder().store(direct.clone()).build();
    let acme = first.create_tenant("acme", "Acme").await.unwrap();
    acme.update(|tx| {
        tx.create_user("0")?;
        (0..GROUPS).try_for_each(|number| tx.create_group(&format!("g{number}")).map(drop))
    })
    .await
    .unwrap();
    let start = acme.revision().number();
    let conflicts = Arc::new(AtomicU32::new(0));
    let writer = |seed: u64| {
        let store = PostgresStore::builder(server::pool(server::config(), 3)).schema(direct.schema()).build();
        let store = Counting { store, conflicts: Arc::clone(&conflicts) };
        let authorizer = Authorizer::builder().store(store).build();
        async move {
            let tenant = authorizer.tenant("acme").await.unwrap();
            let mut random = Random::new(seed);
            let (mut revisions, mut cycles) = (Vec::new(), 0);
            for _ in 0..ROUNDS {
                // The key of the one user counts the updates: each raises what it read by one.
                let (child, parent) = (random.below(GROUPS), random.below(GROUPS));
                let answer = tenant.update(|tx| {
                    let users = tx.base().at(tx.instant()).users(&rolecall::PageRequest::of(1));
                    let key = users.items.first().map(|user| user.key.to_string()).unwrap_or_default();
                    let next = key.parse::<u64>().unwrap_or_default() + 1;
                    tx.user(key.as_str())?.set_key(&next.to_string())?;
                    tx.group(format!("g{child}").as_str())?.set_parents([format!("g{parent}").as_str()])?;
                    Ok(())
                });
                match answer.await {
                    Ok(updated) => revisions.push(updated.revision.number()),
                    Err(error) => {
                        let kind = error.kind();
                        assert_eq!(kind, ErrorKind::Cycle, "{error}");
                        cycles += 1;
                    }
                }
            }
            (revisions, cycles)
        }
    };
    let tasks: Vec<_> = (1..=WRITERS).map(|seed| tokio::spawn(writer(seed))).collect();
    let (mut all, mut cycles) = (BTreeSet::new(), 0);
    for task in tasks {
        let (revisions, refused) = task.await.unwrap();
        assert!(revisions.is_sorted_by(|a, b| a < b), "revisions go back: {revisions:?}");
        for revision in revisions {
            assert!(all.insert(revision), "two commits made revision {revision}");
        }
        cycles += refused;
    }
    let conflicts = conflicts.load(Ordering::Relaxed);
    println!("{} updates, {conflicts} conflicts, {cycles} cycles refused", all.len());
    // Otherwise the test shows nothing.
    assert!(conflicts >= 20 && cycles >= 10, "{conflicts} conflicts, {cycles} cycles");
    // A fresh authorizer checks every invariant, also that no groups form a cycle.
    let fresh = Authorizer::builder().store(direct.clone()).build().tenant("acme").await.unwrap();
    assert_eq!(fresh.revision().number() - start, all.len() as u64);
    assert!(fresh.now().user(all.len().to_string().as_str()).is_some(), "an update was lost");
    server::drop_schema(direct.schema()).await;
}
