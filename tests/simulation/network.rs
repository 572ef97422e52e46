//! The network between a process and the store. Each call is a request, and the world decides when its answer arrives.
//!
//! A call whose future is dropped leaves its request under way. `faults.rs` makes all random choices.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Base, Commit, Positions, Since, Sink, Store, StoreError, TenantSummary};

use crate::history::Instant;
use crate::server::{Reply, Request, Sent};

/// The payload of a panic of the store, to distinguish it from a panic of the crate.
pub(crate) struct StorePanic;

#[derive(Default)]
pub(crate) struct Network {
    pub(crate) calls: Vec<Call>,
    pub(crate) messages: Vec<Message>,
    /// The actions of clients since the world last looked.
    pub(crate) events: Vec<ClientEvent>,
    /// The task that is being polled.
    pub(crate) task: usize,
}

pub(crate) struct Call {
    pub(crate) request: Arc<Request>,
    /// How often the driver has sent the request.
    pub(crate) copies: u32,
    state: State,
    waker: Option<Waker>,
}

enum State {
    Waiting,
    Answered(Reply, Option<Instant>),
    Over,
}

pub(crate) struct Message {
    pub(crate) call: usize,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Request,
    /// An answer, with the instant at which the server gave it.
    Reply(Reply, Instant),
}

/// An action of a client.
pub(crate) struct ClientEvent {
    pub(crate) task: usize,
    pub(crate) call: usize,
    pub(crate) what: What,
}

pub(crate) enum What {
    Asked,
    /// It received an answer, from the server at this instant or from the driver.
    Heard(Heard, Option<Instant>),
}

/// The meaning of an answer for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Success,
    Conflict,
    Deleted,
    Unknown,
    TooOld,
    /// Nothing happened: a temporary or a permanent error.
    Nothing,
    /// An answer to a question.
    Other,
}

impl Network {
    pub(crate) fn is_waiting(&self, call: usize) -> bool {
        matches!(self.calls[call].state, State::Waiting)
    }

    /// The driver delivers an answer, if a client still waits for it. The caller keeps S6.
    pub(crate) fn hand_over(&mut self, call: usize, reply: Reply, at: Option<Instant>) {
        let call = &mut self.calls[call];
        if matches!(call.state, State::Waiting) {
            call.state = State::Answered(reply, at);
            if let Some(waker) = call.waker.take() {
                waker.wake();
            }
        }
    }

    fn ask(&mut self, request: Request) -> usize {
        let call = self.calls.len();
        self.calls.push(Call { request: Arc::new(request), copies: 1, state: State::Waiting, waker: None });
        self.messages.push(Message { call, body: Body::Request });
        self.events.push(ClientEvent { task: self.task, call, what: What::Asked });
        call
    }

    fn take(&mut self, call: usize, waker: &Waker) -> Option<Reply> {
        let entry = &mut self.calls[call];
        match std::mem::replace(&mut entry.state, State::Over) {
            State::Answered(reply, at) => {
                self.events.push(ClientEvent { task: self.task, call, what: What::Heard(heard(&reply), at) });
                Some(reply)
            }
            other => {
                entry.state = other;
                entry.waker = Some(waker.clone());
                None
            }
        }
    }
}

fn heard(reply: &Reply) -> Heard {
    match reply {
        Reply::StoredCommit(_) => Heard::Success,
        Reply::Failed(StoreError::Conflict { .. }) => Heard::Conflict,
        Reply::Failed(StoreError::Deleted) | Reply::Since(Since::Deleted) | Reply::Loaded(None) => Heard::Deleted,
        Reply::Since(Since::TooOld) => Heard::TooOld,
        Reply::Failed(StoreError::InDoubt(_)) | Reply::Panic => Heard::Unknown,
        Reply::Failed(_) => Heard::Nothing,
        _ => Heard::Other,
    }
}

/// A connection to the store.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Network>>);

impl Line {
    pub(crate) fn network(&self) -> MutexGuard<'_, Network> {
        self.0.lock().unwrap()
    }

    fn ask(&self, request: Request) -> Asked {
        let call = self.network().ask(request);
        Asked { line: self.clone(), call }
    }
}

/// Waits for the answer to one call.
struct Asked {
    line: Line,
    call: usize,
}

impl Future for Asked {
    type Output = Result<Reply, StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = self.line.network().take(self.call, cx.waker());
        match reply {
            None => Poll::Pending,
            Some(Reply::Failed(error)) => Poll::Ready(Err(error)),
            Some(Reply::Panic) => std::panic::resume_unwind(Box::new(StorePanic)),
            Some(reply) => Poll::Ready(Ok(reply)),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.line.network().calls[self.call].state = State::Over;
    }
}

fn mixed_up<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("the answer to another question".into()))
}

impl Store for Line {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let Reply::Found(tenant_id) = self.ask(Request::Find(slug.clone())).await? else { return mixed_up() };
        Ok(tenant_id)
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let Reply::TenantSummary(listed) = self.ask(Request::List(after.cloned(), limit)).await? else {
            return mixed_up();
        };
        Ok(listed)
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let Reply::Loaded(loaded) = self.ask(Request::Load(tenant_id)).await? else { return mixed_up() };
        let Some((at, records)) = loaded else { return Ok(None) };
        for record in records.values() {
            sink.push(record.clone()).map_err(|_| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let Commit { base, envelope, changes } = commit;
        let sent = Sent { base, envelope: envelope.clone(), changes: changes.to_vec() };
        let Reply::StoredCommit(revision) = self.ask(Request::Commit(sent)).await? else { return mixed_up() };
        Ok(revision)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let Reply::Since(since) = self.ask(Request::Since(at)).await? else { return mixed_up() };
        Ok(since)
    }
}

impl Positions for Line {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        let Reply::Positions(found) = self.ask(Request::Positions(tenant_ids.to_vec())).await? else {
            return mixed_up();
        };
        Ok(found)
    }
}

impl Sent {
    pub(crate) fn id(&self) -> CommitId {
        self.envelope.id
    }

    pub(crate) fn is_creation(&self) -> bool {
        matches!(self.base, Base::Create(_))
    }
}
