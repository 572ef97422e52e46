//! Hints: the optional capability [`Watch`](rolecall::store::Watch), by LISTEN and NOTIFY.
//!
//! LISTEN belongs to a session. A connection of a pool is somebody else's in the next moment, so the hints have a connection
//! of their own. It needs no task: the caller that waits for the next hint reads the socket.
//!
//! A pooler in transaction mode accepts LISTEN and gives its session to others. No error says so. So a watch begins with a
//! test: it sends a notification through the pool, and waits until it arrives.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rolecall::records::{Revision, TenantId};
use rolecall::store::{Hint, Hints, StoreError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Socket};
use uuid::Uuid;

use crate::error::{PostgresError, PostgresErrorKind};
use crate::notification::channel;
use crate::schema::quoted;

/// How long the notification of the test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// After this pause without a hint, the link is tested: a link that is silently dead shows no hints either.
const QUIET: Duration = Duration::from_secs(30);

/// How long the answer to that test may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

fn hint(payload: &str) -> Option<Hint> {
    let (tenant_id, revision) = payload.split_once(' ')?;
    Some(Hint::Moved {
        tenant_id: TenantId::from_uuid(tenant_id.parse().ok()?),
        revision: Revision::new(revision.parse().ok()?),
    })
}

/// Makes the connection that listens.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Connect>);

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, Box<dyn Messages>), Error>> + Send + 'a>>;

trait Connect: Send + Sync {
    fn connect(&self) -> Connecting<'_>;
}

struct Connector<T>(Config, T);

impl<T> Connect for Connector<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let (client, connection) = self.0.connect(self.1.clone()).await?;
            let messages: Box<dyn Messages> = Box::new(connection);
            Ok((client, messages))
        })
    }
}

/// The connection itself, whatever its TLS.
trait Messages: Send {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<S, T> Messages for tokio_postgres::Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        self.poll_message(cx)
    }
}

impl Listener {
    pub(crate) fn new<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Self(Arc::new(Connector(config, tls)))
    }

    /// Connects and listens, without the test.
    pub(crate) async fn listen(&self, schema: &str) -> Result<PostgresHints, StoreError> {
        let (client, messages) = within(TEST_TIMEOUT, "a connection for hints", self.0.connect()).await?;
        let mut hints = PostgresHints { client: None, messages, waiting: VecDeque::new(), tests: Vec::new() };
        let listen = format!("LISTEN {}", quoted(&channel(schema)));
        let listening = hints.drive(client.batch_execute(&listen));
        let listening = within(TEST_TIMEOUT, "LISTEN", async { Ok(listening.await) }).await?;
        hints.client = Some(client);
        listening.map(|()| hints)
    }
}

/// The hints of a [`PostgresStore`](crate::PostgresStore). Dropping them closes their connection.
///
/// ```no_run
/// use rolecall::store::{Hint, Hints, StoreError, Watch};
/// use rolecall_postgres::PostgresStore;
///
/// # async fn example(store: PostgresStore) -> Result<(), StoreError> {
/// let mut hints = store.watch().await?;
/// while let Hint::Moved { tenant_id, revision } = hints.next().await? {
///     println!("tenant {tenant_id} has revision {revision}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct PostgresHints {
    /// Dropping it closes the connection. `None` while it is asked something.
    client: Option<Client>,
    messages: Box<dyn Messages>,
    /// Hints that came while something else was awaited.
    waiting: VecDeque<Hint>,
    /// The tests that have arrived.
    tests: Vec<Uuid>,
}

impl PostgresHints {
    /// Reads one message, and keeps what it says.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        loop {
            match self.messages.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Err(lost())),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(StoreError::unavailable(PostgresError::of_client(error))));
                }
                Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                    match notification.payload().strip_prefix("test ") {
                        Some(test) => self.tests.extend(test.parse::<Uuid>()),
                        None => self.waiting.extend(hint(notification.payload())),
                    }
                    return Poll::Ready(Ok(()));
                }
                // A notice of the server.
                Poll::Ready(Some(Ok(_))) => {}
            }
        }
    }

    /// Waits for the answer of the client, for which somebody must read the socket.
    async fn drive<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let mut answer = pin!(answer);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(
                        answer.map_err(|error| StoreError::unavailable(PostgresError::of_client(error))),
                    );
                }
                match self.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                }
            }
        })
        .await
    }

    /// Waits until the notification of a test has arrived.
    pub(crate) async fn expect_test(mut self, test: Uuid) -> Result<Self, StoreError> {
        let arrives = async {
            while !self.tests.contains(&test) {
                poll_fn(|cx| self.poll(cx)).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(TEST_TIMEOUT, arrives).await {
            Ok(Ok(())) => {
                self.tests.clear();
                Ok(self)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::unavailable(PostgresError::new(
                PostgresErrorKind::Other,
                format!(
                    "a notification did not arrive within {TEST_TIMEOUT:?}: expected a connection to the server itself, \
                     because a pooler in transaction mode swallows notifications"
                ),
            ))),
        }
    }

    /// Asks the server whether it is there.
    async fn probe(&mut self) -> Result<(), StoreError> {
        let client = self.client.take().ok_or_else(lost)?;
        let answer = tokio::time::timeout(PROBE_TIMEOUT, self.drive(client.batch_execute(""))).await;
        self.client = Some(client);
        match answer {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unavailable(PostgresError::step_timeout("the test of the link", PROBE_TIMEOUT))),
        }
    }
}

impl Hints for PostgresHints {
    async fn next(&mut self) -> Result<Hint, StoreError> {
        loop {
            if let Some(hint) = self.waiting.pop_front() {
                return Ok(hint);
            }
            // Dropped half way: the client was not given back, and nothing can be asked any more.
            if self.client.is_none() {
                return Err(lost());
            }
            match tokio::time::timeout(QUIET, poll_fn(|cx| self.poll(cx))).await {
                Ok(read) => read?,
                Err(_) => self.probe().await?,
            }
        }
    }
}

impl fmt::Debug for PostgresHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresHints").finish_non_exhaustive()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

fn lost() -> StoreError {
    StoreError::unavailable(PostgresError::new(PostgresErrorKind::ConnectionLost, "the connection for hints was lost"))
}

async fn within<T>(
    limit: Duration,
    step: &'static str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, future).await {
        Ok(done) => done.map_err(|error| StoreError::unavailable(PostgresError::of_client(error))),
        Err(_) => Err(StoreError::unavailable(PostgresError::step_timeout(step, limit))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::payload;

    #[test]
    fn hints_are_parsed_from_what_commits_send() {
        let tenant_id = Uuid::from_u128(7);
        let expected = Hint::Moved { tenant_id: TenantId::from_uuid(tenant_id), revision: Revision::new(12) };
        assert_eq!(hint(&payload(tenant_id, 12)), Some(expected));
        for other in ["", "x 1", "test 00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007"] {
            assert_eq!(hint(other), None, "{other}");
        }
    }
}
