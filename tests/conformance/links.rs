//! Stores behind a link that breaks: one that tells the truth about it, and those that do not.

use rolecall::records::{At, Life, Revision, TenantSlug};
use rolecall::store::conformance::{self, Call, Clause, Fault, Faulty, Fixture, Link, Problem, Task};
use rolecall::store::{Commit, Listed, MemoryStore, Since, Sink, Store, StoreError};

use super::wrong::is_caught;

type Found = Result<Option<Life>, StoreError>;

/// What is made of an answer that came over the link.
#[derive(Clone, Copy)]
struct Answers {
    commit: fn(Result<Revision, StoreError>) -> Result<Revision, StoreError>,
    find: fn(Found) -> Found,
}

/// The memory store behind a link.
struct Linked(Faulty<MemoryStore>, Answers);

impl Store for Linked {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<Life>, StoreError> {
        (self.1.find)(self.0.find(slug).await)
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.0.list(after, limit).await
    }

    async fn load(&self, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        self.0.load(life, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        (self.1.commit)(self.0.commit(commit).await)
    }

    async fn since(&self, at: At) -> Result<Since, StoreError> {
        self.0.since(at).await
    }
}

impl Fixture for Answers {
    type Store = Linked;

    async fn fresh(&self) -> Result<Linked, Problem> {
        Ok(Linked(Faulty::new(MemoryStore::default()), *self))
    }

    async fn second_connection(&self, store: &Linked) -> Result<Option<Linked>, Problem> {
        Ok(Some(Linked(Faulty::new(store.0.inner().clone()), *self)))
    }

    async fn reopen(&self, store: Linked) -> Result<Option<Linked>, Problem> {
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

    async fn set_link(&self, store: &Linked, link: Link) -> Result<bool, Problem> {
        store.0.heal();
        let fault = match link {
            Link::RequestsLost => Fault::RequestLost,
            Link::AnswersLost => Fault::AnswerLost,
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
    "a_commit_whose_answer_was_lost_is_unknown_if_it_may_have_landed",
    "a_birth_whose_answer_was_lost_is_unknown_if_it_may_have_landed",
    "a_commit_whose_request_was_lost_never_lands_if_it_was_unavailable",
    "a_broken_link_answers_no_read_with_absence",
];

const TRUE: Answers = Answers { commit: |answer| answer, find: |answer| answer };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_a_link_keeps_the_contract_within_a_runtime() {
    let report = conformance::run(&TRUE).await;
    assert!(report.all_passed(), "{report}");
}

/// S6. "Connection reset" is reported as if nothing had been sent.
#[test]
fn it_answers_unavailable_after_a_success() {
    let commit = |answer| match answer {
        Err(StoreError::Unknown(why)) => Err(StoreError::Unavailable(why)),
        answer => answer,
    };
    let by = &FOUND_BY[..2];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. An error becomes success, because nobody looks at it.
#[test]
fn it_answers_success_after_a_request_was_lost() {
    let commit = |answer| match answer {
        Err(StoreError::Unknown(_)) => Ok(Revision::new(3)),
        answer => answer,
    };
    let by = &FOUND_BY[2..3];
    is_caught(&Answers { commit, ..TRUE }, Clause::S6, by, &[]);
}

/// S6. `unwrap_or_default`.
#[test]
fn it_says_that_a_tenant_is_absent_when_it_could_not_look() {
    let find = |answer: Result<_, _>| Ok(answer.unwrap_or_default());
    is_caught(&Answers { find, ..TRUE }, Clause::S6, &FOUND_BY[3..], &[]);
}
