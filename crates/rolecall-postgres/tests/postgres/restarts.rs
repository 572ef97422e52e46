//! The server is stopped, killed and started while applications write. Ignored: it disturbs other tests, and needs a
//! server that it may stop. `.ci/postgres` runs it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rolecall::records::CommitId;
use rolecall::{Authorizer, ErrorKind, Tenant, authorizer::Outcome};
use rolecall_postgres::PostgresStore;

use crate::server;

/// Runs the command that starts and stops the server.
pub(crate) async fn control(arguments: &'static [&'static str]) {
    let command = std::env::var("ROLECALL_POSTGRES_CONTROL").expect(
        "ROLECALL_POSTGRES_CONTROL is not set: expected a command that takes `start`, `stop fast`, `stop immediate`",
    );
    let run = move || {
        let mut words = command.split_whitespace();
        Command::new(words.next().expect("a command")).args(words).args(arguments).status()
    };
    let status = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(status.success(), "{arguments:?}: {status}");
}

/// The answers that one application received.
#[derive(Default)]
struct Told {
    succeeded: Vec<String>,
    failed: Vec<String>,
    in_doubt: Vec<(String, CommitId)>,
}

/// Writes until it is stopped, and does not stop for an error.
async fn write(tenant: Tenant, name: u32, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{name}-{number}");
        match tenant.update(|tx| tx.create_user(&key).map(drop)).await {
            Ok(_) => told.succeeded.push(key),
            Err(error) => {
                match (error.kind(), error.commit()) {
                    (ErrorKind::InDoubt, Some(commit)) => told.in_doubt.push((key, commit)),
                    (ErrorKind::Unavailable | ErrorKind::Blocked | ErrorKind::Conflict, _) => told.failed.push(key),
                    (other, _) => panic!("{other:?}: {error}"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "stops the server: run by .ci/postgres"]
async fn applications_survive_restarts_of_the_server_and_get_true_outcomes() {
    let direct = server::store().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for name in 0..3 {
        let store = PostgresStore::builder(server::pool(server::config(), 3))
            .schema(direct.schema())
            .step_timeout(Duration::from_secs(5))
            .build();
        let tenant = Authorizer::builder().store(store).build().open_or_create("acme", "Acme").await.unwrap();
        writers.push((tenant.clone(), tokio::spawn(write(tenant, name, Arc::clone(&stop)))));
    }
    let (watched, mut slowest) = (writers[0].0.clone(), Duration::ZERO);
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        control(if round % 2 == 0 { &["stop", "immediate"] } else { &["stop", "fast"] }).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = watched.revision();
        control(&["start"]).await;
        let started = Instant::now();
        while watched.revision() == before {
            assert!(started.elapsed() < Duration::from_secs(20), "no commit after the restart");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(started.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for (tenant, writer) in writers {
        let told = writer.await.unwrap();
        // Resolves commits in doubt.
        tenant.update(|tx| tx.ensure_user("last").map(drop)).await.unwrap();
        all.push((tenant, told));
    }
    let fresh = Authorizer::builder().store(direct.clone()).build().tenant("acme").await.unwrap();
    let exists = |key: &String| fresh.now().user(key.as_str()).is_some();
    let (mut applied, mut aborted) = (0, 0);
    for (tenant, told) in &all {
        assert!(told.succeeded.iter().all(exists), "a commit that succeeded is lost");
        assert!(!told.failed.iter().any(exists), "a commit that failed was applied");
        for (key, commit) in &told.in_doubt {
            match tenant.outcome(*commit) {
                Some(Outcome::Committed(_)) => {
                    assert!(exists(key), "{key}");
                    applied += 1;
                }
                Some(Outcome::Aborted) => {
                    assert!(!exists(key), "{key}");
                    aborted += 1;
                }
                other => panic!("{key} ended as {other:?}"),
            }
        }
    }
    let sum = |count: fn(&Told) -> usize| all.iter().map(|(_, told)| count(told)).sum::<usize>();
    println!(
        "{} succeeded, {} failed, in doubt: {applied} applied, {aborted} not; writing again after {slowest:?} at most",
        sum(|told| told.succeeded.len()),
        sum(|told| told.failed.len()),
    );
    // A pool of sqlx waits for the server, so hardly any call fails.
    let few = if server::is_sqlx() { 0 } else { 10 };
    let not_done = sum(|told| told.failed.len() + told.in_doubt.len());
    assert!(sum(|told| told.succeeded.len()) > 100 && not_done > few);
    server::drop_schema(direct.schema()).await;
}
