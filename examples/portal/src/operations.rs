//! Deletions that take longer than an answer may.
//!
//! To delete a group or a role that very many users have is one commit with a change for each of them. It runs on a thread of
//! its own, so the threads that serve requests are free for others. If it is not finished soon, its request is answered all the
//! same. The deletion goes on as an *operation*, and its user asks for the outcome later. The outcome is the answer that the request
//! would have had.
//!
//! SCIM has no such answer, so its large changes only have the thread ([`Operations::alone`]).
//!
//! Operations are kept in memory, for their users only. The finished ones are forgotten after some minutes, and earlier if there
//! are too many. If too many of them are running, the next request waits for its deletion instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::ErrorKind;
use rolecall_axum::Problem;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::deletion::Deletion;
use crate::state::Principal;

/// A request waits so long for its deletion.
const MOST_WAIT: Duration = Duration::from_millis(50);

/// An outcome is kept so long.
const MOST_AGE: Duration = Duration::from_secs(600);

/// So many operations at most.
const MOST_OPERATIONS: usize = 200;

/// So many operations of one user at most, so nobody makes the portal forget those of all others.
const MOST_OF_ONE: usize = 10;

/// So many of these changes are made at a time. The others wait for their turn without a thread.
const MOST_AT_ONCE: u32 = 2;

/// All operations. A clone refers to the same.
#[derive(Clone, Debug)]
pub(crate) struct Operations(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    turns: Semaphore,
    kept: Mutex<HashMap<String, Operation>>,
}

/// A deletion that was not finished soon.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    owner: Principal,
    /// What is deleted.
    pub(crate) deletion: Deletion,
    /// What the deletion is called: `Deleting the group Staff`.
    pub(crate) title: String,
    /// What the request would have been answered. `None` while the deletion is running.
    pub(crate) outcome: Option<Outcome>,
}

/// An answer, read whole, so that it can be given more than once.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    at: Instant,
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What became of a deletion within the time of an answer.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It is finished: the answer.
    Finished(Response),
    /// It is running, as the operation with this id.
    Running(String),
}

impl Default for Operations {
    fn default() -> Self {
        let turns = Semaphore::new(usize::try_from(MOST_AT_ONCE).unwrap_or(1));
        Self(Arc::new(Shared { turns, kept: Mutex::default() }))
    }
}

impl Operations {
    /// Makes a deletion, which ends with the answer to its request. It goes on if it is not waited for.
    pub(crate) async fn run(
        &self,
        owner: Principal,
        deletion: Deletion,
        title: String,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Progress {
        let operations = self.clone();
        let mut task = tokio::spawn(async move { operations.alone(work).await.unwrap_or_else(stopped) });
        if let Ok(answer) = timeout(MOST_WAIT, &mut task).await {
            return Progress::Finished(answer.unwrap_or_else(|_| stopped()));
        }
        let Some(id) = self.begin(owner, deletion, title) else {
            return Progress::Finished(task.await.unwrap_or_else(|_| stopped()));
        };
        let (operations, own) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let answer = task.await.unwrap_or_else(|_| stopped());
            operations.finish(&own, Outcome::of(answer).await);
        });
        Progress::Running(id)
    }

    /// Does this on a thread of its own, when there is a turn. `None` if it has panicked, or the runtime has stopped it.
    pub(crate) async fn alone<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        // Nobody closes the semaphore.
        let _turn = self.0.turns.acquire().await;
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(work)).await.ok()
    }

    /// Returns an operation of this user.
    pub(crate) fn of(&self, owner: Principal, id: &str) -> Option<Operation> {
        let now = Instant::now();
        self.lock().get(id).filter(|operation| operation.owner == owner && !operation.is_old(now)).cloned()
    }

    /// Waits until no deletion is running.
    pub(crate) async fn finished(&self) {
        // Whoever waits for a turn already gets it first.
        drop(self.0.turns.acquire_many(MOST_AT_ONCE).await);
    }

    /// Keeps a running operation. `None` if there are too many that are running.
    fn begin(&self, owner: Principal, deletion: Deletion, title: String) -> Option<String> {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.retain(|_, operation| !operation.is_old(now));
        let is_own = |operation: &Operation| operation.owner == owner;
        if kept.values().filter(|operation| is_own(operation)).count() >= MOST_OF_ONE {
            forget_one(&mut kept, is_own)?;
        }
        if kept.len() >= MOST_OPERATIONS {
            forget_one(&mut kept, |_| true)?;
        }
        let id = uuid::Uuid::new_v4().to_string();
        kept.insert(id.clone(), Operation { owner, deletion, title, outcome: None });
        Some(id)
    }

    fn finish(&self, id: &str, outcome: Outcome) {
        if let Some(operation) = self.lock().get_mut(id) {
            operation.outcome = Some(outcome);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Operation>> {
        // Each critical section leaves a valid map, even after a panic.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the one of these that was finished first. `None` if all of them are running.
fn forget_one(kept: &mut HashMap<String, Operation>, is_one: impl Fn(&Operation) -> bool) -> Option<Operation> {
    let these = kept.iter().filter(|(_, operation)| is_one(operation));
    let finished = these.filter_map(|(id, operation)| Some((operation.outcome.as_ref()?.at, id)));
    let first = finished.min().map(|(_, id)| id.clone())?;
    kept.remove(&first)
}

impl Operation {
    fn is_old(&self, now: Instant) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| now.duration_since(outcome.at) >= MOST_AGE)
    }
}

impl Outcome {
    async fn of(answer: Response) -> Self {
        // The answer to the request no longer has the error for the log.
        if let Some(error) = answer.extensions().get::<rolecall::Error>().filter(|_| answer.status().is_server_error())
        {
            tracing::error!(status = answer.status().as_u16(), %error, "operation failed");
        }
        let (parts, body) = answer.into_parts();
        // The body is in memory already.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Self { at: Instant::now(), status: parts.status, headers: parts.headers, body }
    }

    /// Gives the answer.
    pub(crate) fn answer(&self) -> Response {
        let mut answer = Response::new(Body::from(self.body.clone()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        answer
    }
}

/// The answer if the deletion has panicked, or the runtime has stopped it.
fn stopped() -> Response {
    let (status, code) = (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.code());
    Problem::new(status, code, "internal error").into_response()
}

#[cfg(test)]
mod tests {
    use rolecall::records::{GroupId, TenantId, UserId};
    use tokio::sync::oneshot;

    use super::*;

    const GROUP: &str = "7b0c4f0e-0000-4000-8000-000000000000";

    fn user(n: u32) -> Principal {
        let id = format!("7b0c4f0e-0000-4000-8000-{n:012}");
        Principal { tenant: GROUP.parse::<TenantId>().unwrap(), user: id.parse::<UserId>().unwrap() }
    }

    fn deletion() -> Deletion {
        Deletion::Group(GROUP.parse::<GroupId>().unwrap())
    }

    fn begin(operations: &Operations, n: u32) -> Option<String> {
        operations.begin(user(n), deletion(), "Deleting".to_owned())
    }

    async fn finish(operations: &Operations, id: &str) {
        operations.finish(id, Outcome::of(StatusCode::NO_CONTENT.into_response()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_finished_soon_is_answered_at_once() {
        let operations = Operations::default();
        let progress = operations.run(user(1), deletion(), String::new(), async { StatusCode::OK.into_response() });
        let Progress::Finished(answer) = progress.await else { panic!("it is finished") };
        assert_eq!((answer.status(), operations.lock().len()), (StatusCode::OK, 0));
        let panics = operations.run(user(1), deletion(), String::new(), async { panic!("a panic of the test") });
        let Progress::Finished(answer) = panics.await else { panic!("it is finished") };
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test]
    async fn only_so_many_are_made_at_a_time_and_the_end_waits_for_all() {
        let operations = Operations::default();
        let (mut gates, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..=MOST_AT_ONCE {
            let (open, gate) = oneshot::channel::<()>();
            let work = async move {
                gate.await.unwrap();
                StatusCode::OK.into_response()
            };
            let Progress::Running(id) = operations.run(user(1), deletion(), String::new(), work).await else {
                panic!("the gate is closed")
            };
            gates.push(open);
            ids.push(id);
        }
        // The last one has no turn yet, so its gate does not help it.
        gates.pop().unwrap().send(()).unwrap();
        tokio::task::yield_now().await;
        assert!(ids.iter().all(|id| operations.of(user(1), id).unwrap().outcome.is_none()));
        assert!(timeout(Duration::from_millis(20), operations.finished()).await.is_err());
        for gate in gates {
            gate.send(()).unwrap();
        }
        operations.finished().await;
        while ids.iter().any(|id| operations.of(user(1), id).unwrap().outcome.is_none()) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_finished_one_of_a_user_is_forgotten_and_none_that_is_running() {
        let operations = Operations::default();
        let ids: Vec<String> = (0..MOST_OF_ONE).map(|_| begin(&operations, 1).unwrap()).collect();
        assert_eq!(begin(&operations, 1), None, "all are running");
        assert!(begin(&operations, 2).is_some(), "that is of no concern to others");
        for id in [&ids[4], &ids[2]] {
            finish(&operations, id).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(begin(&operations, 1).is_some());
        assert!(operations.of(user(1), &ids[4]).is_none() && operations.of(user(1), &ids[2]).is_some());
        assert!(begin(&operations, 1).is_some() && operations.of(user(1), &ids[2]).is_none());
        assert_eq!(begin(&operations, 1), None);
        assert!(operations.of(user(1), &ids[0]).is_some() && operations.of(user(2), &ids[0]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_all_is_bounded() {
        let operations = Operations::default();
        let users = u32::try_from(MOST_OPERATIONS).unwrap();
        let ids: Vec<String> = (0..users).map(|n| begin(&operations, n).unwrap()).collect();
        assert_eq!(begin(&operations, users), None, "all are running");
        finish(&operations, &ids[7]).await;
        assert!(begin(&operations, users).is_some());
        assert!(operations.of(user(7), &ids[7]).is_none() && operations.lock().len() == MOST_OPERATIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_forgotten_after_its_time_and_a_running_one_never() {
        let operations = Operations::default();
        let (finished, running) = (begin(&operations, 1).unwrap(), begin(&operations, 1).unwrap());
        tokio::time::advance(2 * MOST_AGE).await;
        finish(&operations, &finished).await;
        tokio::time::advance(MOST_AGE / 2).await;
        assert!(operations.of(user(1), &finished).unwrap().outcome.is_some());
        tokio::time::advance(MOST_AGE / 2).await;
        assert!(operations.of(user(1), &finished).is_none());
        assert!(begin(&operations, 1).is_some());
        assert!(operations.lock().len() == 2 && operations.of(user(1), &running).is_some());
    }
}
