//! Hints: the optional capability [`Watch`](rolecall::store::Watch), by LISTEN and NOTIFY.
//!
//! LISTEN belongs to a session. A pooled connection passes to the next caller. So hints use their own connection: one that
//! `client.rs` makes with tokio-postgres, or one that `sqlx.rs` takes out of a pool and keeps. It needs no task: the caller
//! that waits for the next hint reads the socket.
//!
//! A pooler in transaction mode accepts LISTEN and gives its session to others. No error says so. So a watch begins with a
//! test: it sends a notification through the pool, and waits until it arrives.

#[cfg(feature = "deadpool")]
mod client;
#[cfg(feature = "sqlx")]
mod sqlx;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use rolecall::records::{Revision, TenantId};
use rolecall::store::{Hint, Hints, StoreError};
use uuid::Uuid;

#[cfg(feature = "deadpool")]
use self::client::{Connect, OwnConnection};
#[cfg(feature = "sqlx")]
use self::sqlx::PoolListener;
use crate::error::{PostgresError, PostgresErrorKind};
use crate::notification::channel;

/// How long connecting, LISTEN and the notification of the test may take, each.
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
pub(crate) enum Listener {
    #[cfg(feature = "deadpool")]
    Client(std::sync::Arc<dyn Connect>),
    #[cfg(feature = "sqlx")]
    Pool(::sqlx::PgPool),
}

impl Listener {
    /// Connects and listens, without the test.
    pub(crate) async fn listen(&self, schema: &str) -> Result<PostgresHints, StoreError> {
        let channel = channel(schema);
        let link = match self {
            #[cfg(feature = "deadpool")]
            Self::Client(connect) => Link::Client(OwnConnection::listen(&**connect, &channel).await?),
            #[cfg(feature = "sqlx")]
            Self::Pool(pool) => Link::Sqlx(PoolListener::listen(pool, &channel).await?),
        };
        Ok(PostgresHints { link, waiting: VecDeque::new() })
    }
}

/// The connection that listens, over either client.
enum Link {
    #[cfg(feature = "deadpool")]
    Client(OwnConnection),
    #[cfg(feature = "sqlx")]
    Sqlx(PoolListener),
}

impl Link {
    /// Waits for the text of the next notification. Dropping the future loses none.
    async fn next(&mut self) -> Result<String, StoreError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(client) => client.next().await,
            #[cfg(feature = "sqlx")]
            Self::Sqlx(listener) => listener.next().await,
        }
    }

    /// Asks the server whether it is there. The link ends with a future that was dropped.
    async fn probe(&mut self) -> Result<(), StoreError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(client) => client.probe().await,
            #[cfg(feature = "sqlx")]
            Self::Sqlx(listener) => listener.probe().await,
        }
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
    link: Link,
    /// Hints that came before the test did.
    waiting: VecDeque<Hint>,
}

impl PostgresHints {
    /// Waits until the notification of a test has arrived.
    pub(crate) async fn expect_test(mut self, test: Uuid) -> Result<Self, StoreError> {
        let expected = crate::notification::of_test(test);
        let arrives = async {
            loop {
                let payload = self.link.next().await?;
                if payload == expected {
                    return Ok(());
                }
                self.waiting.extend(hint(&payload));
            }
        };
        match tokio::time::timeout(TEST_TIMEOUT, arrives).await {
            Ok(Ok(())) => Ok(self),
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
}

impl Hints for PostgresHints {
    async fn next(&mut self) -> Result<Hint, StoreError> {
        loop {
            if let Some(hint) = self.waiting.pop_front() {
                return Ok(hint);
            }
            match tokio::time::timeout(QUIET, self.link.next()).await {
                // This ignores the test notifications of other watches.
                Ok(payload) => self.waiting.extend(hint(&payload?)),
                Err(_) => match tokio::time::timeout(PROBE_TIMEOUT, self.link.probe()).await {
                    Ok(answer) => answer?,
                    Err(_) => return Err(step_timeout("the test of the link", PROBE_TIMEOUT)),
                },
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

fn step_timeout(step: &str, limit: Duration) -> StoreError {
    StoreError::unavailable(PostgresError::step_timeout(step, limit))
}

/// Waits for one step of connecting.
async fn within<T, E>(
    step: &'static str,
    future: impl Future<Output = Result<T, E>>,
    error: impl FnOnce(E) -> PostgresError,
) -> Result<T, StoreError> {
    match tokio::time::timeout(TEST_TIMEOUT, future).await {
        Ok(done) => done.map_err(|found| StoreError::unavailable(error(found))),
        Err(_) => Err(step_timeout(step, TEST_TIMEOUT)),
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
