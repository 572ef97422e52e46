//! A link between the client and the server, which breaks on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// When the link breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Never,
    /// Requests do not arrive.
    Requests,
    /// Requests arrive, and the first response does not.
    Responses,
    /// All goes well until a COMMIT, which does not arrive.
    Commit,
    /// All goes well until a COMMIT, which arrives; its response does not.
    CommitResponse,
    /// So many more bytes arrive at the server.
    AfterRequestBytes(u64),
    /// So many more bytes arrive at the client.
    AfterResponseBytes(u64),
    /// The server cannot read the BEGIN of a commit, and goes on.
    Begin,
    /// Nothing breaks. Requests that are sent without waiting for an answer arrive together, and count as one.
    CountTrips,
    /// Nothing arrives any more, and no connection is closed.
    Silent,
    /// All goes well until a COMMIT, which arrives; then nothing arrives any more, and no connection is closed.
    SilentAfterCommit,
}

/// How long requests are gathered: longer than a client needs that does not wait.
const GATHERED: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Mutex<State>,
    /// Whether a connection was cut since the link was broken.
    is_cut: AtomicBool,
    /// Whether a COMMIT has come from the client, and was answered in full to it.
    commit_seen: AtomicBool,
    /// How many requests were gathered, up to the COMMIT.
    pub(crate) gathered: AtomicU64,
    pub(crate) request_bytes: AtomicU64,
    pub(crate) response_bytes: AtomicU64,
    all: Notify,
    task: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct State {
    rule: Break,
    /// Whether new connections are refused after the first cut.
    stays_down: bool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.all.notify_waiters();
    }
}

impl Proxy {
    pub(crate) async fn start(upstream: (String, u16)) -> std::io::Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (give, take) = tokio::sync::oneshot::channel::<std::sync::Weak<Self>>();
        let task = tokio::spawn(async move {
            let Ok(proxy) = take.await else { return };
            while let Ok((client, _)) = listener.accept().await {
                let Some(proxy) = proxy.upgrade() else { return };
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    if proxy.state().stays_down && proxy.is_cut.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(server) = TcpStream::connect((upstream.0.as_str(), upstream.1)).await else { return };
                    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
                    tokio::select! {
                        () = proxy.pass(client, server) => {}
                        () = proxy.all.notified() => {}
                    }
                });
            }
        });
        let proxy = Arc::new(Self {
            port,
            state: Mutex::new(State { rule: Break::Never, stays_down: false }),
            is_cut: AtomicBool::new(false),
            commit_seen: AtomicBool::new(false),
            gathered: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            all: Notify::new(),
            task: task.abort_handle(),
        });
        let _ = give.send(Arc::downgrade(&proxy));
        Ok(proxy)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms the proxy. If it stays down, it refuses connections after the first cut.
    pub(crate) fn set(&self, rule: Break, stays_down: bool) {
        *self.state() = State { rule, stays_down: stays_down && rule != Break::Never };
        self.is_cut.store(false, Ordering::SeqCst);
        self.commit_seen.store(false, Ordering::SeqCst);
        self.gathered.store(0, Ordering::SeqCst);
        self.request_bytes.store(0, Ordering::SeqCst);
        self.response_bytes.store(0, Ordering::SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }

    /// Whether a COMMIT has come from the client since the link was armed.
    pub(crate) fn commit_seen(&self) -> bool {
        self.commit_seen.load(Ordering::SeqCst)
    }

    /// How many of the bytes may pass; fewer than all if the link breaks among them.
    fn allowed(&self, length: usize, is_limited: impl Fn(Break) -> Option<u64>, counter: &AtomicU64) -> usize {
        let before = counter.fetch_add(length as u64, Ordering::SeqCst);
        match is_limited(self.state().rule) {
            Some(limit) if !self.is_cut() => {
                usize::try_from(limit.saturating_sub(before)).unwrap_or(length).min(length)
            }
            _ => length,
        }
    }

    /// Counts the connection as cut. One that the client or the server ends is not.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    async fn pass(&self, client: TcpStream, server: TcpStream) {
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        let (mut requests, mut responses) = (vec![0; 65_536], vec![0; 65_536]);
        let mut is_committing = false;
        loop {
            tokio::select! {
                read = from_client.read(&mut requests) => {
                    let Ok(length @ 1..) = read else { return };
                    let mut sent = requests[..length].to_vec();
                    let rule = if self.is_cut() { Break::Never } else { self.state().rule };
                    if rule == Break::CountTrips && !self.commit_seen() {
                        tokio::time::sleep(GATHERED).await;
                        while let Ok(more @ 1..) = from_client.try_read(&mut requests) {
                            sent.extend(&requests[..more]);
                        }
                        self.gathered.fetch_add(1, Ordering::SeqCst);
                    }
                    if let (Break::Begin, Some(at)) = (rule, sent.windows(10).position(|bytes| bytes == b"READ WRITE")) {
                        sent[at + 5] = b'X';
                    }
                    let is_commit = sent.windows(7).any(|bytes| bytes == b"COMMIT\0");
                    if is_commit {
                        self.commit_seen.store(true, Ordering::SeqCst);
                        is_committing = true;
                    }
                    match rule {
                        Break::Requests => return self.cut(),
                        Break::Commit if is_commit => return self.cut(),
                        Break::Silent => continue,
                        _ => {}
                    }
                    let limit = |rule| if let Break::AfterRequestBytes(n) = rule { Some(n) } else { None };
                    let allowed = self.allowed(sent.len(), limit, &self.request_bytes);
                    if to_server.write_all(&sent[..allowed]).await.is_err() {
                        return;
                    }
                    if allowed < sent.len() {
                        return self.cut();
                    }
                }
                read = from_server.read(&mut responses) => {
                    let Ok(length @ 1..) = read else { return };
                    match if self.is_cut() { Break::Never } else { self.state().rule } {
                        Break::Responses | Break::Requests => return self.cut(),
                        Break::CommitResponse if is_committing => return self.cut(),
                        Break::SilentAfterCommit if is_committing => continue,
                        Break::Silent => continue,
                        _ => {}
                    }
                    let limit = |rule| if let Break::AfterResponseBytes(n) = rule { Some(n) } else { None };
                    let allowed = self.allowed(length, limit, &self.response_bytes);
                    if to_client.write_all(&responses[..allowed]).await.is_err() {
                        return;
                    }
                    if allowed < length {
                        return self.cut();
                    }
                    is_committing = false;
                }
            }
        }
    }
}
