//! Clients that send or read slowly, over sockets: they are given up within the stated time, and others are served meanwhile.
//! Time passes at once.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::net::SocketAddr;
use std::time::Duration;

use rolecall_portal::serve::{MOST_HEAD_TIME, MOST_WRITE_TIME, serve};
use rolecall_portal::state::PortalState;
use rolecall_portal::stores::StoreChoice;
use rolecall_portal::{MOST_TIME, app, tenant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const API: &str = "/t/acme-corp/api/v1/groups";
const PAGE: &str = "/t/acme-corp/portal/access-management/groups";
const LOGIN: &str = "/t/acme-corp/portal/login";

async fn start() -> SocketAddr {
    let store = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await.unwrap();
    let acme = tenant::open_or_create_sample(&store.authorizer, "acme-corp").await.unwrap();
    let state = PortalState::over(store, "http://localhost");
    state.add_token("secret", &acme, tenant::ensure_administrator(&acme).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, app(state), std::future::pending()));
    address
}

/// The head of a request with a body of 1,000 bytes.
fn head(path: &str, token: &str, kind: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Length: 1000\r\n\r\n"
    )
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Sends the text, and then a byte in each interval. Returns what the server has answered until it closed the connection, and
/// when that was.
async fn send_slowly(address: SocketAddr, text: String, interval: Option<Duration>) -> (String, Duration) {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let sender = tokio::spawn(async move {
        while let Some(interval) = interval {
            sleep(interval).await;
            if to.write_all(b"x").await.is_err() {
                break;
            }
        }
        // Without an interval, the client says nothing more, and keeps the connection.
        std::future::pending::<()>().await;
        drop(to);
    });
    let mut answer = Vec::new();
    // A client that sends on a closed connection may get an error instead of the end.
    drop(from.read_to_end(&mut answer).await);
    sender.abort();
    (String::from_utf8(answer).unwrap(), begin.elapsed())
}

/// A request of somebody else, which is answered at once.
async fn is_served(address: SocketAddr) {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {API} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_byte_by_byte_or_stops_is_given_up_and_others_are_served() {
    let address = start().await;
    for (path, kind, expected) in
        [(API, JSON, "application/problem+json"), (PAGE, FORM, "text/html"), (LOGIN, FORM, "text/html")]
    {
        for interval in [Some(Duration::from_secs(1)), None] {
            let slow = tokio::spawn(send_slowly(address, head(path, "secret", kind) + "{\"na", interval));
            sleep(MOST_TIME / 2).await;
            assert!(!slow.is_finished(), "{path}");
            is_served(address).await;
            let (answer, time) = slow.await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{path} {interval:?}: {answer}");
            assert!(answer.contains(expected) && answer.contains("request_timeout"), "{answer}");
            assert!(time >= MOST_TIME && time < MOST_TIME + Duration::from_secs(2), "{path}: {time:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_not_awaited_from_somebody_who_may_not_send_it() {
    let address = start().await;
    for (path, kind, status) in [(API, JSON, "401"), (PAGE, FORM, "303")] {
        let (answer, time) = send_slowly(address, head(path, "guessed", kind), None).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(time < Duration::from_secs(1), "{path}: {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_closes_the_connection() {
    let address = start().await;
    for (text, interval) in
        [("", None), ("GET / HTTP/1.1\r\nHost:", None), ("GET / HTTP/1.1\r\nX-Slow: ", Some(Duration::from_secs(1)))]
    {
        let slow = tokio::spawn(send_slowly(address, text.to_owned(), interval));
        sleep(MOST_HEAD_TIME / 2).await;
        is_served(address).await;
        let (answer, time) = slow.await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(time < MOST_HEAD_TIME + Duration::from_secs(2), "{text:?}: {time:?}");
    }
}

/// A file of the page to try the calls, of more than a megabyte.
const LARGE: &str = "/api-docs/swagger-ui-bundle.js";

/// So many of them are more than the buffers of a connection take.
const TIMES: usize = 40;

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answers_is_given_up() {
    let address = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.repeat(TIMES).as_bytes()).await.unwrap();
    sleep(MOST_WRITE_TIME / 2).await;
    is_served(address).await;
    sleep(MOST_WRITE_TIME).await;
    let mut answers = Vec::new();
    // The answers under way arrive, and then the end or an error.
    drop(stream.read_to_end(&mut answers).await);
    assert!(
        answers.starts_with(b"HTTP/1.1 200 "),
        "{:?}",
        String::from_utf8_lossy(answers.get(..40).unwrap_or_default())
    );
    assert!(answers.len() < TIMES * usize::pow(2, 20), "all {} bytes were sent", answers.len());
}
