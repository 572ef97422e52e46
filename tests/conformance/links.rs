//! Stores behind a link that breaks: one that tells the truth about it, and those that do not.

use std::sync::Mutex;

use rolecall::records::{Change, Envelope, Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{self, Call, Clause, Fault, Faulty, Fixture, LinkState, Problem, Task};
use rolecall::store::{Base, Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

use super::MOST_RUNS;
use super::wrong::is_caught;

type Found = Result<Option<TenantId>, StoreError>;

/// What is made of an answer that came over the link, and of what was on its way when the store is closed.
#[derive(Clone, Copy)]
struct Answers {
    late: Late,
    commit: fn(Result<Revision, StoreError>) -> Result<Revision, StoreError>,
    find: fn(Found) -> Found,
}

/// What becomes of a commit that met a broken link.
#[derive(Clone, Copy, PartialEq)]
enum Late {
    /// What the link made of it, and nothing later.
    Never,
    /// It is found when the store is opened again, though it was called *unavailable*.
    WhenReopened,
    /// It is found when the store is opened again, and takes the place of what was written after it.
    InsteadOfLater,
}

/// The memory store behind a link.
struct Linked(Faulty<MemoryStore>, Answers, Mutex<Option<Left>>);

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

impl Fixture for Answers {
    type Store = Linked;

    async fn fresh(&self) -> Result<Linked, Problem> {
        Ok(Linked(Faulty::new(MemoryStore::default()), *self, Mutex::default()))
    }

    async fn second_connection(&self, store: &Linked) -> Result<Option<Linked>, Problem> {
        Ok(Some(Linked(Faulty::new(store.0.inner().clone()), *self, Mutex::default())))
    }

    async fn reopen(&self, store: Linked) -> Result<Option<Linked>, Problem> {
        let left = store.2.lock().unwrap().take();
        if let Some((base, envelope, changes)) = left {
            let answer = store.0.inner().commit(Commit { base, envelope: &envelope, changes: &changes }).await;
            if answer.is_err() && self.late == Late::InsteadOfLater {
                return Err("the log has two commits on one base".into());
            }
        }
        Ok(Some(store))
    }

    async fn run_at_once(&self, tasks: Vec<Task>) -> Result<(), Problem> {
        if tokio::runtime::Handle::try_current().is_err() {
            return conformance::on_threads(tasks);
        }
        let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in running {
            task.await?;
        }
        Ok(())
    }

    async fn set_link(&self, store: &Linked, link: LinkState) -> Result<bool, Problem> {
        store.0.heal();
        let fault = match link {
            LinkState::RequestsLost => Fault::RequestLost,
            LinkState::AnswersLost => Fault::AnswerLost,
            _ => return Ok(true),
        };
        for call in Call::ALL {
            store.0.every(call, fault);
        }
        Ok(true)
    }
}

/// The cases that a wrong store below is found by.
pub(super) const FOUND_BY: &[&str] = &[
    "a_commit_whose_answer_was_lost_is_unknown_if_it_may_have_committed",
    "a_creation_whose_answer_was_lost_is_unknown_if_it_may_have_committed",
    "a_commit_whose_request_was_lost_never_commits_if_it_was_unavailable",
    "a_broken_link_answers_no_read_with_absence",
    "a_commit_on_a_broken_link_is_what_was_told_after_reopening",
    "a_store_that_went_on_after_a_broken_link_is_whole_after_reopening",
];

const TRUE: Answers = Answers { late: Late::Never, commit: |answer| answer, find: |answer| answer };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
fn it_answers_unavailable_after_a_success() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(why)) => Err(StoreError::Unavailable(why)),
        answer => answer,
    };
    let by = &FOUND_BY[..2];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. An error becomes success, because nobody looks at it.
#[test]
fn it_answers_success_after_a_request_was_lost() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(_)) => Ok(Revision::new(3)),
        answer => answer,
    };
    let by = &FOUND_BY[2..3];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. `unwrap_or_default`.
#[test]
fn it_says_that_a_tenant_is_absent_when_it_could_not_look() {
    let find = |answer: Result<_, _>| Ok(answer.unwrap_or_default());
    is_caught(&Answers { find, ..TRUE }, Clause::S6, &FOUND_BY[3..4], &[]);
}

/// S6. The write was given up, and stands in the file all the same: the next one who opens it finds it.
#[test]
fn it_answers_unavailable_and_finds_the_commit_when_it_is_opened_again() {
    let commit = |answer| match answer {
        Err(StoreError::InDoubt(why)) => Err(StoreError::Unavailable(why)),
        answer => answer,
    };
    is_caught(&Answers { late: Late::WhenReopened, commit, ..TRUE }, Clause::S6, &FOUND_BY[4..5], &[]);
}

/// S6. What was left of a commit stands in the file before what was written later.
#[test]
fn it_leaves_a_commit_in_the_way_of_later_ones() {
    is_caught(&Answers { late: Late::InsteadOfLater, ..TRUE }, Clause::S6, &FOUND_BY[5..], &[]);
}
