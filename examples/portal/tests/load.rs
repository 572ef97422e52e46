//! The throughput of the portal on a loopback connection, and the share of the permission check in a request. Run it in
//! release: `cargo test --release -p rolecall-portal --test load -- --ignored --nocapture`.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test says so by failing, and the figures are small"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use rolecall::Tenant;
use rolecall_portal::state::PortalState;
use rolecall_portal::stores::StoreChoice;
use rolecall_portal::{app, tenant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

const GROUP_COUNT: usize = 1_000;
const CLIENTS: usize = 8;
const DURATION: Duration = Duration::from_secs(3);

async fn start() -> (axum::Router, Tenant) {
    let store = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await.unwrap();
    let acme = tenant::open_or_create_sample(&store.authorizer, "acme-corp").await.unwrap();
    let filled = acme.update(|tx| {
        for i in 0..GROUP_COUNT {
            tx.create_group(&format!("group-{i:04}"))?;
        }
        Ok(())
    });
    filled.await.unwrap();
    let state = PortalState::over(store, "http://localhost");
    state.add_token("secret", &acme, tenant::ensure_administrator(&acme).await.unwrap());
    (app(state), acme)
}

/// Nanoseconds of one call, the best of some rounds.
fn nanoseconds(rounds: usize, calls: u32, mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let begin = Instant::now();
        (0..calls).for_each(|_| call());
        best = best.min(begin.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    best
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs release and some seconds; .ci/run calls it by name"]
async fn load_and_the_share_of_the_check() {
    let (router, acme) = start().await;
    let group = acme.now().group("group-0500").unwrap().id;
    let path = format!("/t/acme-corp/api/v1/groups/{group}");
    let administrator = tenant::ensure_administrator(&acme).await.unwrap();

    // One request in this process, without a socket, and the check in it.
    let mut request = f64::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        for _ in 0..2_000 {
            let ask = Request::get(&path).header(AUTHORIZATION, "Bearer secret").body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(ask).await.unwrap();
            assert!(answer.status().is_success());
            to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        }
        request = request.min(begin.elapsed().as_secs_f64() * 1e9 / 2_000.0);
    }
    let moment = acme.now();
    let check = nanoseconds(5, 200_000, || {
        assert!(black_box(&moment).check(administrator, black_box(rolecall_portal::catalog::Permission::GroupsRead)));
    });
    let share = check / request * 100.0;
    println!("one request in this process {:.1} µs, the check in it {check:.0} ns: {share:.2} %", request / 1e3);

    // Over the loopback, each client with one connection that stays open.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let key = acme.now().user(administrator).unwrap().key;
    let question = format!(
        r#"{{"subject":{{"type":"user","id":"{key}"}},"action":{{"name":"read"}},"resource":{{"type":"groups","id":"1"}}}}"#
    );
    // A change has a text of its own each time, so each of them is a commit.
    let requests = [
        Asked::get(&path),
        Asked::get("/t/acme-corp/api/v1/groups"),
        Asked::get("/t/acme-corp/portal/access-management/groups"),
        Asked { method: "POST", path: "/t/acme-corp/access/v1/evaluation".to_owned(), body: question },
        Asked { method: "PATCH", path, body: r#"{"description":"NUMBER"}"#.to_owned() },
    ];
    for asked in requests {
        let begin = Instant::now();
        let (before, asked) = (acme.revision(), Arc::new(asked));
        let clients: Vec<_> =
            (0..CLIENTS).map(|n| tokio::spawn(client(address, Arc::clone(&asked), n, begin + DURATION))).collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.unwrap());
        }
        let sustained = times.len() as f64 / begin.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 1_000).min(times.len() - 1)].as_secs_f64() * 1e3;
        let (method, path) = (asked.method, &asked.path);
        println!(
            "{sustained:>7.0} requests/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms  {method} {path}",
            at(500),
            at(990),
            at(999)
        );
        assert!(at(990) < 100.0, "{method} {path}");
        let commits = acme.revision().number() - before.number();
        assert_eq!(commits, if method == "PATCH" { times.len() as u64 } else { 0 });
    }
}

/// The requests of the clients.
struct Asked {
    method: &'static str,
    path: String,
    /// `NUMBER` is another number each time.
    body: String,
}

impl Asked {
    fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), body: String::new() }
    }
}

/// Asks until the end, and returns how long each answer took.
async fn client(address: std::net::SocketAddr, asked: Arc<Asked>, n: usize, end: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let Asked { method, path, body } = &*asked;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\nIf-Match: *\r\nContent-Type: application/json\r\n"
    );
    let (mut times, mut buffer, mut request) = (Vec::new(), Vec::new(), String::new());
    while Instant::now() < end {
        let body = body.replace("NUMBER", &format!("{n} {}", times.len()));
        request.clear();
        write!(request, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let begin = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        buffer.clear();
        loop {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the server has closed the connection");
            let Some(head) = buffer.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 200"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if buffer.len() == head + 4 + length.parse::<usize>().unwrap() {
                break;
            }
        }
        times.push(begin.elapsed());
    }
    times
}
