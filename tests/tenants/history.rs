//! Past states and the history of commits, on the memory store and on redb; and wrong stores, which the suite must catch.

#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::assertions::Assertion;
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::records::{RecordKey, Revision, TenantId};
use rolecall::store::{
    Commit, CommitPage, CommitQuery, History, MemoryStore, Since, Sink, Store, StoreError, TenantSummary,
};
use rolecall::{ErrorKind, Snapshot, Timestamp};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(instant("2026-03-01T09:00:00Z")))
}

fn acme(store: impl Store, clock: &Arc<ManualClock>) -> Tenant {
    let authorizer = Authorizer::builder().store(store).clock(Arc::clone(clock)).build();
    authorizer.open_or_create("acme", "Acme").unwrap()
}

/// A history with every kind of record, in which entities come, swap their names and go. Returns every state.
fn live(acme: &Tenant) -> Vec<Snapshot> {
    let mut states = vec![acme.snapshot()];
    let mut update = |f: &dyn Fn(&rolecall::Tx) -> rolecall::Result<()>| {
        acme.update(f).unwrap();
        states.push(acme.snapshot());
    };
    update(&|tx| {
        tx.set_actor("people-ops")?;
        tx.create_permission("invoices:read")?;
        tx.create_permission("invoices:approve")?;
        tx.create_role("reader")?.grant("invoices:read")?;
        tx.create_role("approver")?.grant("invoices:*")?.include("reader")?;
        tx.create_role("clerk")?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_group("finance")?.add_parent("staff")?.assign("approver")?;
        tx.create_user("alice")?.join("finance")?;
        tx.create_user("bob")?.join("staff")?.done()
    });
    update(&|tx| tx.create_separation("duties", 2, ["reader", "approver", "clerk"])?.done());
    update(&|tx| tx.create_assertion("apart", &Assertion::separate(["approver", "clerk"]))?.set_binding(true)?.done());
    update(&|tx| {
        tx.group("staff")?.set_slug("elsewhere")?;
        tx.group("finance")?.set_slug("staff")?;
        tx.group("elsewhere")?.set_slug("finance")?.done()
    });
    update(&|tx| tx.user("bob")?.suspend()?.done());
    update(&|tx| tx.delete_user("alice"));
    update(&|tx| tx.create_user("alice")?.assign("reader")?.done());
    update(&|tx| tx.delete_separation("duties"));
    update(&|tx| tx.delete_assertion("apart"));
    update(&|tx| tx.delete_role("approver"));
    update(&|tx| tx.delete_permission("invoices:approve"));
    update(&|tx| tx.delete_group("finance"));
    states
}

/// Every past state equals the tenant of that time in its document, its position and its decisions.
fn check_every_past_state(store: &(impl History + Clone)) {
    let acme = acme(store.clone(), &clock());
    let states = live(&acme);
    assert!(states.len() > 10);
    for state in &states {
        let past = acme.as_of(store, state.revision()).unwrap();
        assert_eq!(past.snapshot.position(), state.position());
        assert_eq!(past.snapshot.export().unwrap(), state.export().unwrap(), "revision {}", state.revision());
        let now = instant("2026-03-01T09:00:00Z");
        for user in ["alice", "bob"] {
            for permission in ["invoices:read", "invoices:approve"] {
                let (found, expected) = (past.snapshot.at(now), state.at(now));
                assert_eq!(found.check(user, permission), expected.check(user, permission), "{user} {permission}");
            }
        }
        let is_first = state.revision() == Revision::FIRST;
        assert_eq!(past.envelope.as_ref().map(|envelope| envelope.id), (!is_first).then_some(state.position().commit));
        assert_eq!(past.another_catalog, (!is_first).then_some(false));
    }
}

#[test]
fn every_past_state_is_what_the_tenant_was() {
    check_every_past_state(&MemoryStore::default());
}

#[cfg(feature = "redb")]
#[test]
fn every_past_state_is_what_the_tenant_was_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    check_every_past_state(&rolecall::store::RedbStore::open(folder.path().join("tenants")).unwrap());
}

#[test]
fn a_past_state_is_found_by_its_instant() {
    let (store, clock) = (MemoryStore::default(), clock());
    let acme = acme(store.clone(), &clock);
    for (at, user) in [("2026-03-02T00:00:00Z", "alice"), ("2026-03-04T00:00:00Z", "bob")] {
        clock.set(instant(at));
        acme.update(|tx| tx.create_user(user)?.done()).unwrap();
    }
    let revision_at = |at| acme.as_of(&store, instant(at)).map(|past| past.snapshot.revision().number());
    assert_eq!(revision_at("2026-03-09T00:00:00Z").unwrap(), 3);
    assert_eq!(revision_at("2026-03-04T00:00:00Z").unwrap(), 3);
    assert_eq!(revision_at("2026-03-03T23:59:59Z").unwrap(), 2);
    assert_eq!(revision_at("2026-03-02T00:00:00Z").unwrap(), 2);
    let error = revision_at("2026-03-01T23:59:59Z").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotInHistory);
    assert!(error.to_string().contains("the history begins at revision 1"), "{error}");
}

#[test]
fn a_revision_that_the_history_does_not_keep_is_an_error() {
    let store = MemoryStore::with_history(2);
    let acme = acme(store.clone(), &clock());
    for number in 0..5 {
        acme.update(|tx| tx.create_user(&format!("user-{number}"))?.done()).unwrap();
    }
    assert_eq!(acme.revision().number(), 6);
    assert!(acme.as_of(&store, Revision::new(4)).unwrap().envelope.is_none(), "where the history begins");
    for revision in [0, 3, 7] {
        let error = acme.as_of(&store, Revision::new(revision)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotInHistory, "{error}");
    }
    let other = MemoryStore::default();
    assert_eq!(acme.as_of(&other, Revision::new(5)).unwrap_err().kind(), ErrorKind::Deleted, "another store");
}

#[test]
fn the_newest_change_of_a_record_says_who_made_it() {
    let store = MemoryStore::default();
    let acme = acme(store.clone(), &clock());
    let created = acme.update(|tx| Ok((tx.create_user("alice")?.id()?, tx.create_group("staff")?.id()?))).unwrap();
    let (alice, staff) = created.value;
    let membership = RecordKey::Membership(alice, staff);
    assert!(acme.last_change(&store, &membership).unwrap().is_none());
    for (actor, joins) in [("people-ops", true), ("security", false)] {
        acme.update(|tx| {
            tx.set_actor(actor)?;
            let alice = tx.user("alice")?;
            if joins { alice.join("staff")?.done() } else { alice.leave("staff")?.done() }
        })
        .unwrap();
        let commit = acme.last_change(&store, &membership).unwrap().unwrap();
        assert_eq!(commit.envelope.actor.unwrap(), actor);
        let name = if joins { "group.member.added" } else { "group.member.removed" };
        assert_eq!(commit.changes.first().unwrap().event_name(), name);
    }
}

/// The answer of a wrong store instead of the page.
type Distort = fn(&CommitQuery, Option<CommitPage>) -> Option<CommitPage>;

/// A memory store with a wrong history.
#[derive(Clone)]
struct Wrong(MemoryStore, Distort);

impl Store for Wrong {
    async fn find(&self, slug: &rolecall::records::TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.0.find(slug).await
    }

    async fn list(
        &self,
        after: Option<&rolecall::records::TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        self.0.list(after, limit).await
    }

    async fn load(
        &self,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<rolecall::records::Position>, StoreError> {
        self.0.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.0.commit(commit).await
    }

    async fn since(&self, at: rolecall::records::Position) -> Result<Since, StoreError> {
        self.0.since(at).await
    }
}

impl History for Wrong {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        Ok((self.1)(query, self.0.commits(tenant_id, query).await?))
    }
}

#[cfg(feature = "conformance")]
fn loses_the_newest(query: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|mut page| {
        if query.ends_before().is_none() && !page.commits.is_empty() {
            page.commits.remove(0);
        }
        page
    })
}

fn is_oldest_first(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|mut page| {
        page.commits.reverse();
        page
    })
}

fn ends_with_the_first_page(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|page| CommitPage { next: None, ..page })
}

fn starts_at_the_first_commit(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|mut page| {
        page.start.commit = page.commits.last().map_or(page.start.commit, |commit| commit.envelope.id);
        page
    })
}

#[cfg(feature = "conformance")]
fn forgets_actors(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|mut page| {
        page.commits.iter_mut().for_each(|commit| commit.envelope.actor = None);
        page
    })
}

#[cfg(feature = "conformance")]
fn ignores_conditions(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    page.map(|mut page| {
        if page.commits.is_empty() {
            page.next = None;
        }
        page.commits.truncate(1);
        page
    })
}

#[cfg(feature = "conformance")]
fn answers_for_every_tenant(_: &CommitQuery, page: Option<CommitPage>) -> Option<CommitPage> {
    let position = "00000000-0000-0000-0000-000000000009.1.00000000-0000-0000-0000-000000000009";
    page.or_else(|| Some(CommitPage { commits: Vec::new(), next: None, start: position.parse().unwrap() }))
}

#[cfg(feature = "conformance")]
mod suite {
    use rolecall::store::conformance::{self, Clause, Fixture, FixtureError, Report, Task};

    use pollster::block_on;

    use super::*;

    struct InMemory<S>(fn() -> S);

    impl<S: History + Clone> Fixture for InMemory<S> {
        type Store = S;

        async fn fresh(&self) -> Result<S, FixtureError> {
            Ok((self.0)())
        }

        async fn second_connection(&self, store: &S) -> Result<Option<S>, FixtureError> {
            Ok(Some(store.clone()))
        }

        async fn reopen(&self, store: S) -> Result<Option<S>, FixtureError> {
            Ok(Some(store))
        }

        async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
            conformance::run_on_threads(tasks)
        }
    }

    fn run<S: History + Clone>(fresh: fn() -> S) -> Report {
        block_on(conformance::run_history(&InMemory(fresh)))
    }

    #[test]
    fn our_stores_pass() {
        let report = run(MemoryStore::default);
        assert!(report.passed() && report.not_exercised().next().is_none(), "{report}");
        for clause in Clause::HISTORY {
            assert!(report.cases.iter().any(|case| case.clause == clause), "{clause} has no case");
        }
        let report = run(|| MemoryStore::with_history(3));
        assert!(report.passed(), "with a short history: {report}");
    }

    #[cfg(feature = "redb")]
    #[test]
    fn the_file_passes() {
        struct Files(tempfile::TempDir, std::sync::atomic::AtomicUsize);

        impl Fixture for Files {
            type Store = rolecall::store::RedbStore;

            async fn fresh(&self) -> Result<Self::Store, FixtureError> {
                let number = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(rolecall::store::RedbStore::open(self.0.path().join(number.to_string()))?)
            }

            async fn second_connection(&self, store: &Self::Store) -> Result<Option<Self::Store>, FixtureError> {
                Ok(Some(store.clone()))
            }

            async fn reopen(&self, _: Self::Store) -> Result<Option<Self::Store>, FixtureError> {
                Ok(None)
            }

            async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
                conformance::run_on_threads(tasks)
            }
        }

        let report = block_on(conformance::run_history(&Files(tempfile::tempdir().unwrap(), 0.into())));
        assert!(report.passed() && report.not_exercised().next().is_none(), "{report}");
    }

    #[test]
    fn wrong_histories_are_caught() {
        let caught = |report: Report, clause| {
            let failed: Vec<_> = report.failed().map(|case| case.clause).collect();
            assert!(failed.contains(&clause), "expected a failure of {clause}: {report}");
        };
        caught(run(|| Wrong(MemoryStore::default(), is_oldest_first)), Clause::H1);
        caught(run(|| Wrong(MemoryStore::default(), forgets_actors)), Clause::H1);
        caught(run(|| Wrong(MemoryStore::default(), ends_with_the_first_page)), Clause::H2);
        caught(run(|| Wrong(MemoryStore::default(), ignores_conditions)), Clause::H2);
        caught(run(|| Wrong(MemoryStore::default(), ends_with_the_first_page)), Clause::H3);
        caught(run(|| Wrong(MemoryStore::default(), starts_at_the_first_commit)), Clause::H4);
        caught(run(|| Wrong(MemoryStore::default(), loses_the_newest)), Clause::H5);
        caught(run(|| Wrong(MemoryStore::default(), loses_the_newest)), Clause::H6);
        caught(run(|| Wrong(MemoryStore::default(), answers_for_every_tenant)), Clause::H7);
    }
}

#[test]
fn a_history_that_does_not_lead_to_the_present_state_is_refused() {
    for distort in [is_oldest_first as Distort, starts_at_the_first_commit] {
        let store = Wrong(MemoryStore::default(), distort);
        let acme = acme(store.clone(), &clock());
        live(&acme);
        assert_eq!(acme.as_of(&store, Revision::FIRST).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let store = Wrong(MemoryStore::default(), ends_with_the_first_page);
    let acme = acme(store.clone(), &clock());
    live(&acme);
    assert!(acme.as_of(&store, Revision::FIRST).is_ok(), "one page has it all");
}
