//! A web service over a slow store, and clients that hang up whenever they like. Checks run all the time. None is
//! denied because a client has hung up. A commit in doubt causes denials hardly longer than the store is unreachable.
//! No acknowledged update is lost.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Authorizer, Decision, Error, ErrorKind, Reason, Tenant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A store some milliseconds away. While it is down, requests and answers are lost.
#[derive(Clone, Default)]
struct Remote {
    store: MemoryStore,
    is_down: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
}

impl Remote {
    async fn travel(&self) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_micros(call.wrapping_mul(7_919) % 3_000)).await;
        if self.is_down.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable("the line is dead".into()))
        } else {
            Ok(())
        }
    }
}

impl Store for Remote {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.travel().await?;
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.travel().await?;
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.travel().await?;
        let answer = self.store.commit(commit).await;
        self.travel().await.map_err(|_| StoreError::InDoubt("the answer is lost".into()))?;
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.travel().await?;
        self.store.since(at).await
    }
}

/// An error as the body of RFC 9457.
struct Problem(Error);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::InDoubt | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self.0)).into_response()
    }
}

async fn create_user(State(acme): State<Tenant>, Path(key): Path<String>) -> Result<StatusCode, Problem> {
    let created = acme.update(|tx| tx.create_user(&key)?.assign("editor")?.done()).await;
    created.map(|_| StatusCode::CREATED).map_err(Problem)
}

async fn check(State(acme): State<Tenant>, Path(key): Path<String>) -> StatusCode {
    match acme.decide(key.as_str(), "posts:write") {
        Decision::Allowed => StatusCode::NO_CONTENT,
        Decision::Denied(Reason::InDoubt) => StatusCode::SERVICE_UNAVAILABLE,
        Decision::Denied(_) => StatusCode::FORBIDDEN,
    }
}

struct Service {
    address: std::net::SocketAddr,
    store: Remote,
    acme: Tenant,
    acknowledged: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(with_a_runtime: bool) -> Self {
        let store = Remote::default();
        let builder = Authorizer::builder().store(store.clone());
        let builder = if with_a_runtime { builder.runtime(tokio::runtime::Handle::current()) } else { builder };
        let acme = builder.build().create_tenant("acme", "Acme").await.unwrap();
        let set_up = acme.update(|tx| {
            tx.create_permission("posts:write")?;
            tx.create_role("editor")?.grant("posts:write")?;
            tx.create_user("alice")?.assign("editor")?.done()
        });
        set_up.await.unwrap();
        let router = Router::new()
            .route("/users/{key}", post(create_user))
            .route("/users/{key}/check", get(check))
            .with_state(acme.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, store, acme, acknowledged: Arc::default() }
    }

    /// The status of one request; `None` if the client hangs up before the answer.
    fn request(&self, line: String, patience: Duration) -> impl Future<Output = Option<u16>> + use<> {
        let address = self.address;
        let exchange = async move {
            let mut stream = TcpStream::connect(address).await.ok()?;
            let request = format!("{line} HTTP/1.1\r\nhost: acme\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            answer.split(' ').nth(1)?.parse().ok()
        };
        async move { tokio::time::timeout(patience, exchange).await.ok().flatten() }
    }

    /// So many clients create a user each, many at a time. Most of them hang up within the time of one write.
    async fn clients(&self, name: &str, many: u64) {
        let mut clients = JoinSet::new();
        for n in 0..many {
            let patience =
                Duration::from_micros(if n % 5 == 0 { 10_000_000 } else { n.wrapping_mul(104_729) % 30_000 });
            let key = format!("{name}-{n}");
            let (request, acknowledged) =
                (self.request(format!("POST /users/{key}"), patience), Arc::clone(&self.acknowledged));
            clients.spawn(async move {
                if request.await == Some(201) {
                    acknowledged.lock().unwrap().push(key);
                }
            });
            if clients.len() >= 8 {
                clients.join_next().await;
            }
        }
        while clients.join_next().await.is_some() {}
    }

    /// Checks all the while, in the process and over HTTP. Returns the longest time of denials without a pause.
    async fn checks_while(&self, work: impl Future<Output = ()>) -> (u64, Duration) {
        let over = Arc::new(AtomicBool::new(false));
        let (acme, ended) = (self.acme.clone(), Arc::clone(&over));
        let checks = tokio::spawn(async move {
            let (mut denied, mut checked_at) = (0, Instant::now());
            let (mut denied_for, mut longest) = (Duration::ZERO, Duration::ZERO);
            while !ended.load(Ordering::SeqCst) {
                // A pause of the whole machine between two checks counts only this much.
                denied_for += checked_at.elapsed().min(Duration::from_millis(10));
                checked_at = Instant::now();
                match acme.decide("alice", "posts:write") {
                    Decision::Allowed => denied_for = Duration::ZERO,
                    Decision::Denied(reason) => {
                        assert_eq!(reason, Reason::InDoubt);
                        denied += 1;
                        longest = longest.max(denied_for);
                    }
                }
                sleep(Duration::from_micros(200)).await;
            }
            (denied, longest)
        });
        work.await;
        over.store(true, Ordering::SeqCst);
        checks.await.unwrap()
    }

    /// Every acknowledged user is in the store, and in the tenant that is open.
    async fn nothing_is_lost(&self) {
        let other = Authorizer::builder().store(self.store.store.clone()).build().tenant("acme").await.unwrap();
        for key in self.acknowledged.lock().unwrap().iter() {
            assert!(other.check(key.as_str(), "posts:write"), "{key} was acknowledged, and is not in the store");
            assert!(self.acme.check(key.as_str(), "posts:write"), "{key} was acknowledged, and is denied");
        }
    }
}

const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_clients_that_hang_up_deny_nobody() {
    let service = Service::start(true).await;
    let checked_over_http = async {
        for _ in 0..500 {
            let status = service.request("GET /users/alice/check".into(), PATIENT).await;
            assert_eq!(status, Some(204));
        }
    };
    let (denied, _) = service
        .checks_while(async {
            tokio::join!(service.clients("early", 3_000), checked_over_http);
        })
        .await;
    let acknowledged = service.acknowledged.lock().unwrap().len();
    println!("{acknowledged} of 3,000 clients waited; revision {}; {denied} checks denied", service.acme.revision());
    assert_eq!(denied, 0);
    assert!((600..2_900).contains(&acknowledged), "some wait, and others hang up: {acknowledged}");
    let written = usize::try_from(service.acme.revision().number()).unwrap();
    assert!(written > acknowledged + 50, "writes go on without their clients");
    service.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_commit_in_doubt_denies_hardly_longer_than_the_store_is_unreachable() {
    let service = Service::start(true).await;
    const OUTAGE: Duration = Duration::from_millis(100);
    let outages = async {
        for _ in 0..20 {
            sleep(Duration::from_millis(250)).await;
            service.store.is_down.store(true, Ordering::SeqCst);
            sleep(OUTAGE).await;
            service.store.is_down.store(false, Ordering::SeqCst);
        }
    };
    let (denied, longest) = service
        .checks_while(async {
            tokio::join!(service.clients("late", 2_000), outages);
            // No client is left to resolve anything.
            sleep(Duration::from_millis(500)).await;
        })
        .await;
    println!("{denied} checks denied, for {longest:?} at most");
    assert!(denied > 0, "the outages left commits in doubt");
    // The pauses double, so the last one is as long as the outage at most; the rest is the journey and a busy machine.
    assert!(longest < OUTAGE * 2 + Duration::from_millis(400), "{longest:?}");
    assert_eq!(service.acme.in_doubt(), None);
    service.nothing_is_lost().await;
}

/// Shows that the test would notice: without a runtime, one client that hangs up denies everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_without_a_runtime_clients_that_hang_up_deny_everybody() {
    let service = Service::start(false).await;
    let (denied, _) = service.checks_while(service.clients("early", 500)).await;
    assert!(denied > 0);
}
