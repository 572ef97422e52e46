//! The server: connections, and how long each part of a request may take.
//!
//! A client that sends its request slowly holds one connection, and nobody else waits for it. If the head is not complete within
//! [`MOST_HEAD_TIME`], the connection is closed. If the body is not complete within the time of a request, the answer is 408 and
//! the connection is closed. If the portal takes too long itself, the answer is 503. A client that stops reading its answer
//! is given up after [`MOST_WRITE_TIME`].

mod write_limit;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use self::write_limit::WriteLimit;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// The longest time for the head of a request, and for a connection without one.
pub const MOST_HEAD_TIME: Duration = Duration::from_secs(10);

/// The longest time that an answer waits for a client that reads none of it.
pub const MOST_WRITE_TIME: Duration = Duration::from_secs(60);

/// The longest time that requests in progress get when the server stops. Deletions that were answered already get
/// as long after that.
pub const MOST_STOPPING_TIME: Duration = Duration::from_secs(30);

/// Serves an application until `stopped` is ready, and then finishes the requests in progress.
///
/// # Errors
/// If the listener cannot accept connections at all.
pub async fn serve(listener: TcpListener, app: Router, stopped: impl Future<Output = ()>) -> io::Result<()> {
    let (graceful, mut stopped) = (GracefulShutdown::new(), pin!(stopped));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(MOST_HEAD_TIME);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, for example: others end meanwhile.
                    tracing::warn!(%error, "no connection accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stopped => break,
        };
        let stream = TokioIo::new(WriteLimit::new(stream, MOST_WRITE_TIME));
        let connection = http.serve_connection(stream, TowerToHyperService::new(app.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    // Connections that are still open then are closed.
    drop(tokio::time::timeout(MOST_STOPPING_TIME, graceful.shutdown()).await);
    Ok(())
}

/// A request that took too long.
pub(crate) struct TooLong {
    /// Whether the server was still waiting for the body.
    of_client: bool,
}

impl TooLong {
    /// 408 if the client was too slow, and otherwise 503, with the code and the text.
    pub(crate) fn status(&self) -> (StatusCode, &'static str, &'static str) {
        if self.of_client {
            (StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body of the request took too long")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "timeout", "the request took too long")
        }
    }
}

/// Runs a request that may take this long, its body included.
pub(crate) async fn within(time: Duration, request: Request, next: Next) -> Result<Response, TooLong> {
    let is_complete = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let seen = Arc::clone(&is_complete);
    let request = request.map(|body| Body::new(Watched { body, is_complete }));
    let answer = tokio::time::timeout(time, next.run(request)).await;
    answer.map_err(|_| TooLong { of_client: !seen.load(Ordering::Relaxed) })
}

/// A body that notes when it is complete.
struct Watched {
    body: Body,
    is_complete: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_complete.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
