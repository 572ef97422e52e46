//! Deletions that take longer than an answer may.
//!
//! The deletion of a group or role that very many users have is one commit with a change for each of them. It runs on a thread of
//! its own, so the threads that serve requests are free for others. If it is not finished soon, its request is answered all the
//! same. The deletion goes on as an *operation*, and its user asks for the outcome later. The outcome is the answer that the request
//! would have had, without details if the user has lost a permission since.
//!
//! SCIM has no such answer, so its large changes only have a place and the thread (`operations/places.rs`).
//!
//! Operations are kept in memory, for their users only. The finished ones are forgotten after some minutes, and earlier if there
//! are too many. A deletion that finds no place is refused.

mod places;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::records::Status;
use rolecall::{ErrorKind, Moment};
use rolecall_axum::{Problem, Subject};
use serde_json::{Map, Value};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout};

pub(crate) use places::{Full, Owner, Place};

use crate::catalog::Permission;
use crate::deletion::Deletion;
use crate::state::Principal;
use places::{MOST_OF_ONE, MOST_PLACES, Places};

/// A request waits so long for its deletion.
const MOST_WAIT: Duration = Duration::from_millis(50);

/// An outcome is kept so long.
const MOST_AGE: Duration = Duration::from_secs(600);

/// So many operations are kept at most, and so many of one user at most. Those that are running have a place each.
const MOST_KEPT: (usize, usize) = (MOST_PLACES as usize, MOST_OF_ONE);

/// All operations. A clone refers to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    places: Places,
    kept: Arc<Mutex<HashMap<String, KeptOperation>>>,
}

/// A deletion that may take long, as its request begins it.
#[derive(Clone, Debug)]
pub(crate) struct LongDeletion {
    owner: Principal,
    /// The deletion.
    pub(crate) deletion: Deletion,
    /// The title of the deletion: ``Deleting the group `Staff` ``.
    pub(crate) title: String,
    /// The permissions of the portal that its user has at the request. They choose what the answer tells.
    held: Vec<Permission>,
}

/// A deletion that was not finished soon.
#[derive(Clone, Debug)]
pub(crate) struct KeptOperation {
    pub(crate) begun: LongDeletion,
    /// The answer that the request would have received. `None` while the deletion is running.
    pub(crate) answer: Option<StoredAnswer>,
}

/// An answer, read whole, so that it can be given more than once.
#[derive(Clone, Debug)]
pub(crate) struct StoredAnswer {
    at: Instant,
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The state of a deletion after the time of an answer.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It is finished, or it was refused a place: the answer.
    Finished(Response),
    /// It is running, as the operation with this id.
    Running(String),
}

impl LongDeletion {
    /// The deletion that this user begins at this moment. `None` if few users have what is deleted.
    pub(crate) fn of(owner: Principal, deletion: Deletion, moment: &Moment<'_>) -> Option<Self> {
        let title = deletion.title_if_long(moment)?;
        let held = Permission::ALL.iter().copied().filter(|permission| has(owner, moment, *permission)).collect();
        Some(Self { owner, deletion, title, held })
    }
}

fn has(user: Principal, moment: &Moment<'_>, permission: Permission) -> bool {
    Subject::Id(user.user).decide(moment, permission).is_allowed()
}

impl Operations {
    /// Makes a deletion, which ends with the answer to its request. It goes on if it is not waited for.
    pub(crate) async fn run(
        &self,
        begun: LongDeletion,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Progress {
        let place = match self.reserve(Owner::User(begun.owner)) {
            Ok(place) => place,
            Err(full) => return Progress::Finished(full.into_response()),
        };
        // The task owns the place, so a client that hangs up does not free it.
        let mut task = tokio::spawn(async move { (place.alone(work).await, place) });
        if let Ok(end) = timeout(MOST_WAIT, &mut task).await {
            return Progress::Finished(ended(end).0);
        }
        let id = self.begin(begun);
        let (operations, own) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let (answer, place) = ended(task.await);
            operations.finish(&own, StoredAnswer::of(answer).await);
            drop(place);
        });
        Progress::Running(id)
    }

    /// Reserves a place for a large change.
    pub(crate) fn reserve(&self, owner: Owner) -> Result<Place, Full> {
        self.places.reserve(owner)
    }

    /// Returns an operation of this user, who must be active at this moment.
    ///
    /// # Errors
    /// 404, or 503 if the tenant cannot answer.
    pub(crate) fn find(&self, owner: Principal, moment: &Moment<'_>, id: &str) -> Result<KeptOperation, Problem> {
        if let Some(reason) = moment.unavailable() {
            return Err(Problem::denied(reason, ""));
        }
        let is_active = moment.user(owner.user).is_some_and(|user| user.status == Status::Active);
        let (status, code) = (StatusCode::NOT_FOUND, ErrorKind::NotFound.code());
        let missing = || Problem::new(status, code, "operation not found");
        self.of(owner, id).filter(|_| is_active).ok_or_else(missing)
    }

    fn of(&self, owner: Principal, id: &str) -> Option<KeptOperation> {
        let now = Instant::now();
        self.lock().get(id).filter(|operation| operation.begun.owner == owner && !operation.is_old(now)).cloned()
    }

    /// Waits until all large changes have ended. None can begin meanwhile.
    pub(crate) async fn finished(&self) {
        self.places.all_free().await;
    }

    /// Keeps a running operation, which has a place.
    fn begin(&self, begun: LongDeletion) -> String {
        let (now, owner) = (Instant::now(), begun.owner);
        let mut kept = self.lock();
        kept.retain(|_, operation| !operation.is_old(now));
        // If there are so many, one of them is finished: the others have a place each, and this one has another.
        let (most, most_of_one) = MOST_KEPT;
        let is_own = |operation: &KeptOperation| operation.begun.owner == owner;
        if kept.values().filter(|operation| is_own(operation)).count() >= most_of_one {
            forget_one(&mut kept, is_own);
        }
        if kept.len() >= most {
            forget_one(&mut kept, |_| true);
        }
        let id = uuid::Uuid::new_v4().to_string();
        kept.insert(id.clone(), KeptOperation { begun, answer: None });
        id
    }

    fn finish(&self, id: &str, answer: StoredAnswer) {
        if let Some(operation) = self.lock().get_mut(id) {
            operation.answer = Some(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KeptOperation>> {
        // Each critical section leaves a valid map, even after a panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the one of these that was finished first.
fn forget_one(kept: &mut HashMap<String, KeptOperation>, is_one: impl Fn(&KeptOperation) -> bool) {
    let these = kept.iter().filter(|(_, operation)| is_one(operation));
    let finished = these.filter_map(|(id, operation)| Some((operation.answer.as_ref()?.at, id)));
    let first = finished.min().map(|(_, id)| id.clone());
    first.and_then(|first| kept.remove(&first));
}

impl KeptOperation {
    fn is_old(&self, now: Instant) -> bool {
        self.answer.as_ref().is_some_and(|answer| now.duration_since(answer.at) >= MOST_AGE)
    }

    /// Whether its user still has each permission that the user had at the request. Otherwise the answer may tell what the user
    /// may no longer ask for.
    pub(crate) fn tells_details(&self, moment: &Moment<'_>) -> bool {
        self.begun.held.iter().all(|permission| has(self.begun.owner, moment, *permission))
    }
}

impl StoredAnswer {
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

    /// The problem details of a refusal. Without `details`, they tell no more than their kind.
    pub(crate) fn problem(&self, details: bool) -> Option<Map<String, Value>> {
        let is_refused = self.status.is_client_error() || self.status.is_server_error();
        let mut problem: Map<String, Value> = serde_json::from_slice(&self.body).ok().filter(|_| is_refused)?;
        problem.retain(|name, _| details || matches!(name.as_str(), "status" | "code" | "title" | "permission"));
        Some(problem)
    }

    /// Gives the answer.
    pub(crate) fn answer(&self) -> Response {
        let mut answer = Response::new(Body::from(self.body.clone()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        answer
    }

    /// Gives the answer without details: the next page, an empty body, or a problem. `None` if all that it has are details.
    pub(crate) fn answer_without_details(&self) -> Option<Response> {
        if self.status.is_redirection() || self.status == StatusCode::NO_CONTENT {
            return Some(self.answer());
        }
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        self.problem(false).map(|problem| (self.status, json, Value::Object(problem).to_string()).into_response())
    }
}

/// Waits for a task with a change. `None`, with a line in the log, if it has panicked, or the runtime has stopped it.
pub(crate) async fn joined<T>(task: JoinHandle<T>) -> Option<T> {
    task.await.inspect_err(log).ok()
}

/// The message of a panic is not in the line, because it may have names in it.
fn log(error: &JoinError) {
    tracing::error!(has_panicked = error.is_panic(), "a change was not finished");
}

/// The problem of a change that was not finished.
pub(crate) fn internal_error() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.code(), "internal error")
}

/// The answer of a task that makes a deletion, and its place.
fn ended(end: Result<(Option<Response>, Place), JoinError>) -> (Response, Option<Place>) {
    let (answer, place) = match end.inspect_err(log) {
        Ok((answer, place)) => (answer, Some(place)),
        Err(_) => (None, None),
    };
    (answer.unwrap_or_else(|| internal_error().into_response()), place)
}

#[cfg(test)]
pub(super) mod tests {
    use std::task::{Context, Waker};

    use rolecall::records::{GroupId, TenantId, UserId};
    use tokio::sync::oneshot;

    use super::*;
    use crate::logged::logged;

    const GROUP: &str = "7b0c4f0e-0000-4000-8000-000000000000";

    /// A user of a tenant.
    pub(super) fn user(tenant: u32, n: u32) -> Principal {
        let id = |n: u32| format!("7b0c4f0e-0000-4000-8000-{n:012}");
        Principal { tenant: id(tenant).parse::<TenantId>().unwrap(), user: id(n).parse::<UserId>().unwrap() }
    }

    /// Waits until this is so, for 30 seconds at most.
    pub(super) async fn until(is_so: impl Fn() -> bool) {
        let poll = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), poll).await.unwrap();
    }

    fn deletion(n: u32) -> LongDeletion {
        let deletion = Deletion::Group(GROUP.parse::<GroupId>().unwrap());
        LongDeletion { owner: user(1, n), deletion, title: "Deleting".to_owned(), held: Vec::new() }
    }

    async fn finish(operations: &Operations, id: &str) {
        operations.finish(id, StoredAnswer::of(StatusCode::NO_CONTENT.into_response()).await);
    }

    /// A deletion that ends when its gate is opened.
    fn gated() -> (oneshot::Sender<()>, impl Future<Output = Response> + Send + 'static) {
        let (open, gate) = oneshot::channel::<()>();
        let work = async move {
            gate.await.unwrap();
            StatusCode::OK.into_response()
        };
        (open, work)
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_finishes_soon_is_answered_at_once() {
        let operations = Operations::default();
        let progress = operations.run(deletion(1), async { StatusCode::OK.into_response() });
        let Progress::Finished(answer) = progress.await else { panic!("it is finished") };
        assert_eq!((answer.status(), operations.lock().len()), (StatusCode::OK, 0));
        let panics = operations.run(deletion(1), async { panic!("a panic of the test") });
        let Progress::Finished(answer) = panics.await else { panic!("it is finished") };
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn a_panic_has_one_line_in_the_log_without_its_message() {
        let text = logged(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let operations = Operations::default();
                drop(operations.run(deletion(1), async { panic!("about Alice") }).await);
                operations.finished().await;
            });
        });
        assert!(text.lines().count() == 1 && text.contains("ERROR") && text.contains("has_panicked=true"), "{text}");
        assert!(!text.contains("Alice"), "{text}");
    }

    #[tokio::test]
    async fn the_end_waits_for_all_outcomes() {
        let operations = Operations::default();
        let (mut gates, mut ids) = (Vec::new(), Vec::new());
        for n in 0..4 {
            let (gate, work) = gated();
            let Progress::Running(id) = operations.run(deletion(n), work).await else { panic!("the gate is closed") };
            gates.push(gate);
            ids.push((n, id));
        }
        assert!(timeout(Duration::from_millis(20), operations.finished()).await.is_err());
        let is_running = |(n, id): &(u32, String)| operations.of(user(1, *n), id).unwrap().answer.is_none();
        assert!(ids.iter().all(is_running));
        for gate in gates {
            gate.send(()).unwrap();
        }
        timeout(Duration::from_secs(30), operations.finished()).await.unwrap();
        assert!(!ids.iter().any(is_running));
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_frees_no_place_before_its_deletion_has_ended() {
        let operations = Operations::default();
        let mut gates = Vec::new();
        for _ in 0..MOST_OF_ONE {
            let (gate, work) = gated();
            let mut run = Box::pin(operations.run(deletion(1), work));
            assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(operations.lock().is_empty(), "an operation exists already");
            gates.push(gate);
        }
        let (_gate, work) = gated();
        let refused = timeout(Duration::from_secs(30), operations.run(deletion(1), work)).await.unwrap();
        let Progress::Finished(answer) = refused else { panic!("it has no place") };
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let others = operations.run(deletion(2), async { StatusCode::OK.into_response() }).await;
        assert!(matches!(others, Progress::Running(_)), "it waits for its tenant's turn");
        for gate in gates {
            gate.send(()).unwrap();
        }
        timeout(Duration::from_secs(30), operations.finished()).await.unwrap();
        let progress = operations.run(deletion(1), async { StatusCode::OK.into_response() }).await;
        assert!(!matches!(progress, Progress::Finished(answer) if answer.status() != StatusCode::OK));
    }

    #[test]
    fn an_operation_is_found_by_its_active_user_while_the_tenant_is_in_service() -> rolecall::Result<()> {
        let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
        let users =
            acme.update(|tx| Ok([tx.create_user("bob")?.id()?, tx.create_user("eve")?.suspend()?.id()?]))?.value;
        let operations = Operations::default();
        let find = |user| {
            let owner = Principal { tenant: acme.tenant_id(), user };
            let id = operations.begin(LongDeletion { owner, ..deletion(1) });
            let found = operations.find(owner, &acme.now(), &id);
            found.map(|operation| operation.begun.owner == owner).map_err(|problem| problem.status())
        };
        let nobody = user(1, 1).user;
        assert_eq!((find(users[0]), find(users[1])), (Ok(true), Err(StatusCode::NOT_FOUND)));
        assert_eq!(find(nobody), Err(StatusCode::NOT_FOUND));
        acme.close()?;
        assert_eq!(find(users[0]), Err(StatusCode::SERVICE_UNAVAILABLE));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_finished_one_of_a_user_is_forgotten_and_none_that_is_running() {
        let operations = Operations::default();
        let ids: Vec<String> = (0..MOST_OF_ONE).map(|_| operations.begin(deletion(1))).collect();
        operations.begin(deletion(2));
        for id in [&ids[4], &ids[2]] {
            finish(&operations, id).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        operations.begin(deletion(1));
        assert!(operations.of(user(1, 1), &ids[4]).is_none() && operations.of(user(1, 1), &ids[2]).is_some());
        operations.begin(deletion(1));
        assert!(operations.of(user(1, 1), &ids[2]).is_none() && operations.lock().len() == MOST_OF_ONE + 1);
        assert!(operations.of(user(1, 1), &ids[0]).is_some() && operations.of(user(1, 2), &ids[0]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_all_is_bounded() {
        let operations = Operations::default();
        let ids: Vec<String> = (0..MOST_PLACES).map(|n| operations.begin(deletion(n))).collect();
        finish(&operations, &ids[7]).await;
        operations.begin(deletion(MOST_PLACES));
        assert!(operations.of(user(1, 7), &ids[7]).is_none() && operations.lock().len() == MOST_KEPT.0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_forgotten_after_its_time_and_a_running_one_never() {
        let operations = Operations::default();
        let (finished, running) = (operations.begin(deletion(1)), operations.begin(deletion(1)));
        tokio::time::advance(2 * MOST_AGE).await;
        finish(&operations, &finished).await;
        tokio::time::advance(MOST_AGE / 2).await;
        assert!(operations.of(user(1, 1), &finished).unwrap().answer.is_some());
        tokio::time::advance(MOST_AGE / 2).await;
        assert!(operations.of(user(1, 1), &finished).is_none());
        operations.begin(deletion(1));
        assert!(operations.lock().len() == 2 && operations.of(user(1, 1), &running).is_some());
    }
}
