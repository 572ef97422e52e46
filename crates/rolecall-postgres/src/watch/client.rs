//! The connection for hints that tokio-postgres makes.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use rolecall::store::StoreError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Config, Error, Socket};

use super::{Listener, lost, within};
use crate::error::PostgresError;
use crate::schema::quoted;

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(tokio_postgres::Client, Box<dyn Messages>), Error>> + Send + 'a>>;

/// Makes a connection, whatever its TLS.
pub(crate) trait Connect: Send + Sync {
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
pub(crate) trait Messages: Send {
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
    pub(crate) fn connects<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Self::Client(std::sync::Arc::new(Connector(config, tls)))
    }
}

pub(super) struct OwnConnection {
    /// Dropping it closes the connection. `None` while it is asked something.
    client: Option<tokio_postgres::Client>,
    messages: Box<dyn Messages>,
    /// Notifications that came while something else was awaited.
    waiting: VecDeque<String>,
}

impl OwnConnection {
    pub(super) async fn listen(connect: &dyn Connect, channel: &str) -> Result<Self, StoreError> {
        let connecting = within("a connection for hints", connect.connect(), PostgresError::of_client);
        let (client, messages) = connecting.await?;
        let mut link = Self { client: None, messages, waiting: VecDeque::new() };
        let listen = format!("LISTEN {}", quoted(channel));
        let listening = async { Ok(link.drive(client.batch_execute(&listen)).await) };
        within("LISTEN", listening, PostgresError::of_client).await??;
        link.client = Some(client);
        Ok(link)
    }

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
                    self.waiting.push_back(notification.payload().to_owned());
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

    pub(super) async fn next(&mut self) -> Result<String, StoreError> {
        loop {
            if let Some(payload) = self.waiting.pop_front() {
                return Ok(payload);
            }
            // Dropped half way: the client was not given back, and nothing can be asked any more.
            if self.client.is_none() {
                return Err(lost());
            }
            poll_fn(|cx| self.poll(cx)).await?;
        }
    }

    pub(super) async fn probe(&mut self) -> Result<(), StoreError> {
        let client = self.client.take().ok_or_else(lost)?;
        let answer = self.drive(client.batch_execute("")).await;
        self.client = Some(client);
        answer
    }
}
