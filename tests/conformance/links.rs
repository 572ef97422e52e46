//! Stores behind a link that breaks: one that reports this correctly, and those that do not.

use std::sync::Mutex;

use rolecall::records::{
    Change, CommitId, Envelope, Fingerprint, Position, Record, Revision, TenantId, TenantSlug, Timestamp,
};
use rolecall::store::conformance::{self, Call, Clause, Fault, FaultyStore, Fixture, FixtureError, LinkState, Task};
use rolecall::store::{Base, Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

use super::MOST_RUNS;
use super::wrong::is_caught;

type Found = Result<Option<TenantId>, StoreError>;

/// How the store alters answers over the link, and what it does with a commit in doubt when it is reopened.
#[derive(Clone, Copy)]
struct Answers {
    late: Late,
    commit: fn(Result<Revision, StoreError>) -> Result<Revision, StoreError>,
    find: fn(Found) -> Found,
}

/// The outcome of a commit over a broken link.
#[derive(Clone, Copy, PartialEq)]
enum Late {
    /// It depends on the link alone, and does not change later.
    Never,
    /// It is found when the store is opened again, though it was called *unavailable*.
    WhenReopened,
    /// It is found when the store is opened again, and replaces the later commits.
    InsteadOfLater,
    /// It is found when the store is opened again, with a slug that another tenant has got meanwhile and loses now.
    WithItsSlug,
}

/// The memory store behind a link.
struct Linked(FaultyStore<MemoryStore>, Answers, Mutex<Option<Left>>);

/// A commit that was left behind.
type Left = (Base, Envelope, Vec<Change>);

impl Store for Linked {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        (self.1.find)(self.0.find(slug).await)
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.0.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.0.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let answer = self.0.commit(commit).await;
        if matches!(answer, Err(StoreError::InDoubt(_))) && self.1.late != Late::Never {
            *self.2.lock().unwrap() = Some((commit.base, commit.envelope.clone(), commit.changes.to_vec()));
        }
        (self.1.commit)(answer)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.0.since(at).await
    }
}

/// Deletes the tenant that has the slug which these changes give to another one.
async fn delete_other_holder(store: &MemoryStore, changes: &[Change]) -> Result<(), StoreError> {
    let Some(record @ Record::Tenant(tenant)) = changes.iter().find_map(Change::after) else { return Ok(()) };
    let Some(holder) = store.find(&tenant.slug).await? else { return Ok(()) };
    let mut records = Vec::new();
    let Some(at) = store.load(holder, &mut records).await? else { return Ok(()) };
    let removed = records.into_iter().find(|other| other.kind() == record.kind()).map(Change::removed);
    let changes: Vec<_> = removed.into_iter().collect();
    let catalog = Fingerprint::from_uuid(uuid::Uuid::nil());
    let (id, previous) = (CommitId::random(), Some(at.commit));
    let envelope = Envelope { id, previous, actor: None, at: Timestamp::MIN, note: None, catalog };
    store.commit(Commit { base: Base::At(at), envelope: &envelope, changes: &changes }).await.map(drop)
}

impl Fixture for Answers {
    type Store = Linked;

    async fn fresh(&self) -> Result<Linked, FixtureError> {
        Ok(Linked(FaultyStore::new(MemoryStore::default()), *self, Mutex::default()))
    }

    async fn second_connection(&self, store: &Linked) -> Result<Option<Linked>, FixtureError> {
        Ok(Some(Linked(FaultyStore::new(store.0.inner().clone()), *self, Mutex::default())))
    }

    async fn reopen(&self, store: Linked) -> Result<Option<Linked>, FixtureError> {
        let left = store.2.lock().unwrap().take();
        if let Some((base, envelope, changes)) = left {
            let commit = Commit { base, envelope: &envelope, changes: &changes };
            let mut answer = store.0.inner().commit(commit).await;
            if let (Err(StoreError::SlugTaken), Late::WithItsSlug) = (&answer, self.late) {
                delete_other_holder(store.0.inner(), &changes).await?;
                answer = store.0.inner().commit(commit).await;
            }
            if answer.is_err() && self.late == Late::InsteadOfLater {
                return Err("the log has two commits on one base".into());
            }
        }
        Ok(Some(store))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return conformance::run_on_threads(tasks);
        }
        let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in running {
            task.await?;
        }
        Ok(())
    }

    async fn set_link(&self, store: &Linked, link: LinkState) -> Result<bool, FixtureError> {
        store.0.clear_faults();
        let fault = match link {
            LinkState::RequestsLost => Fault::RequestLost,
            LinkState::ResponsesLost => Fault::ResponseLost,
            _ => return Ok(true),
        };
        for call in Call::ALL {
            store.0.fail_every(call, fault);
        }
        Ok(true)
    }
}

/// The cases that a wrong store below is found by.
pub(super) const FOUND_BY: &[&str] = &[
    "a_commit_whose_response_is_lost_is_in_doubt",
    "a_creation_whose_response_is_lost_is_in_doubt",
    "an_unavailable_commit_is_never_applied",
    "a_read_over_a_broken_link_never_reports_absence",
    "after_reopening_a_commit_over_a_broken_link_is_as_reported",
    "after_reopening_commits_made_since_a_broken_link_are_intact",
    "after_reopening_a_slug_in_doubt_belongs_to_one_tenant",
];

const TRUE: Answers = Answers { late: Late::Never, commit: |answer| answer, find: |answer| answer };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
async fn a_store_with_a_link_keeps_the_contract_within_a_runtime() {
    let mut report = conformance::run(&TRUE).await;
    for _ in 1..MOST_RUNS {
        if report.all_passed() {
            break;
        }
        report = conformance::run(&TRUE).await;
    }
    assert!(report.all_passed(), "{report}");
}

/// S6. "Connection reset" is reported as if nothing had been sent.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_reports_an_applied_commit_as_unavailable() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(why)) => Err(StoreError::Unavailable(why)),
        answer => answer,
    };
    let by = &FOUND_BY[..2];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. An error becomes success, because it is ignored.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_reports_a_lost_request_as_a_success() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(_)) => Ok(Revision::new(3)),
        answer => answer,
    };
    let by = &FOUND_BY[2..3];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. `unwrap_or_default`.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_reports_a_failed_find_as_absence() {
    let find = |answer: Result<_, _>| Ok(answer.unwrap_or_default());
    is_caught(&Answers { find, ..TRUE }, Clause::S6, &FOUND_BY[3..4], &[]);
}

/// S6. The failed write is still in the file, and the next opening applies it.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_applies_an_unavailable_commit_on_reopening() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(why)) => Err(StoreError::Unavailable(why)),
        answer => answer,
    };
    is_caught(&Answers { late: Late::WhenReopened, commit, ..TRUE }, Clause::S6, &FOUND_BY[4..5], &[]);
}

/// S6. The rest of a failed commit stays in the file, before later ones.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_leaves_a_failed_commit_in_the_log() {
    is_caught(&Answers { late: Late::InsteadOfLater, ..TRUE }, Clause::S6, &FOUND_BY[5..6], &[]);
}

/// S6. A rename in doubt holds its new slug only in the file, so another tenant gets the slug too.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn it_gives_a_slug_in_doubt_to_another_tenant() {
    is_caught(&Answers { late: Late::WithItsSlug, ..TRUE }, Clause::S6, &FOUND_BY[6..], &[]);
}
