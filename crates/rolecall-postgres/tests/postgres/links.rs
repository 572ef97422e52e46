//! S6: the connection is cut at every byte of a commit. The answer never confuses in doubt and unavailable, and the
//! next call works.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rolecall::records::{Change, CommitId, Position, TenantId};
use rolecall::store::{Base, Store, StoreError};
use rolecall::{Authorizer, ErrorKind, authorizer::Outcome};
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};

use crate::fixtures::{Random, create, load, mixed, send, tenant, users};
use crate::proxy::{Break, Proxy};
use crate::server;

/// A store with one connection behind a proxy, and another beside it.
struct Links {
    proxy: Arc<Proxy>,
    store: PostgresStore,
    direct: PostgresStore,
    /// How often each answer came.
    answers: BTreeMap<&'static str, u32>,
}

impl Links {
    async fn new(connections: usize) -> Self {
        let direct = server::store().await;
        let proxy = Proxy::start(server::address()).await.unwrap();
        let pool = server::pool(server::config_at("127.0.0.1", proxy.port), connections);
        let store = PostgresStore::builder(pool).schema(direct.schema()).step_timeout(Duration::from_secs(5)).build();
        Self { proxy, store, direct, answers: BTreeMap::new() }
    }

    /// Sends a commit while the link breaks, finds out what became of it, and compares with the answer. Returns the
    /// latest position, whose commit is either this one, or an empty one that came in its place.
    async fn cut(&mut self, base: Base, changes: &[Change], rule: Break, stays_down: bool) -> Position {
        self.store.list(None, 1).await.expect("the link works before it is cut");
        server::wait_until_idle(&self.store).await;
        self.proxy.set(rule, stays_down);
        let (sent, answer) = send(&self.store, base, changes).await;
        let commit_seen = self.proxy.commit_seen();
        self.proxy.set(Break::Never, false);
        // Every commit that is still under way is applied before this one, or never.
        let (empty, other) = send(&self.direct, base, &[]).await;
        let is_applied = match other {
            Ok(()) => false,
            Err(StoreError::Conflict { actual }) => {
                assert_eq!(actual, sent.revision, "{rule:?}");
                true
            }
            Err(StoreError::Deleted) => true,
            Err(other) => panic!("{rule:?}: {other}"),
        };
        let name = match answer {
            Ok(()) => {
                assert!(is_applied, "{rule:?}: a commit that succeeded is lost");
                "success"
            }
            Err(StoreError::Unavailable(cause)) => {
                assert!(!is_applied, "{rule:?}: a commit that was reported as unavailable was applied: {cause}");
                assert!(!commit_seen, "{rule:?}: COMMIT was sent, so its outcome is in doubt: {cause}");
                "unavailable"
            }
            Err(StoreError::InDoubt(cause)) => {
                // sqlx does not know whether its connection is lost before it sends the COMMIT.
                let is_certain = !commit_seen && !server::is_sqlx();
                assert!(!is_certain, "{rule:?}: COMMIT was not sent, so its outcome is certain: {cause}");
                if is_applied { "in doubt, applied" } else { "in doubt, not applied" }
            }
            Err(other) => panic!("{rule:?}: {other}"),
        };
        *self.answers.entry(name).or_default() += 1;
        if is_applied { sent } else { empty }
    }

    /// How many bytes a commit sends and receives.
    async fn measure(&self, base: Base, changes: &[Change]) -> (Position, u64, u64) {
        self.store.list(None, 1).await.unwrap();
        server::wait_until_idle(&self.store).await;
        self.proxy.set(Break::Never, false);
        let (at, answer) = send(&self.store, base, changes).await;
        answer.unwrap();
        let bytes = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
        (at, bytes(&self.proxy.request_bytes), bytes(&self.proxy.response_bytes))
    }

    async fn end(self, expected: &[&str]) {
        println!("{:?}", self.answers);
        for name in expected {
            assert!(self.answers.contains_key(name), "no commit was answered {name}: {:?}", self.answers);
        }
        server::drop_schema(self.direct.schema()).await;
    }
}

const ALL: [&str; 4] = ["success", "unavailable", "in doubt, applied", "in doubt, not applied"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_commit_whose_connection_is_cut_at_any_byte_is_answered_truly() {
    let mut links = Links::new(1).await;
    let mut at = create(&links.direct, "acme").await;
    let (next, requests, responses) = links.measure(Base::At(at), &users(100_000..100_002)).await;
    at = next;
    println!("{requests} bytes to the server, {responses} bytes from it");
    // Every byte of the responses and of the COMMIT, and every third of what comes before it: other ones in each run.
    let offset = u64::from(std::process::id() % 3);
    let far = (0..requests).filter(|byte| byte % 3 == offset || byte + 20 > requests);
    let cuts = far.map(Break::AfterRequestBytes).chain((0..=responses).map(Break::AfterResponseBytes));
    // All keys have the same length, so all commits have.
    for (number, rule) in (100_010..).step_by(2).zip(cuts) {
        at = links.cut(Base::At(at), &users(number..number + 2), rule, number % 4 == 0).await;
    }
    assert!(links.answers.get("in doubt, not applied").is_some_and(|count| *count >= 5), "{:?}", links.answers);
    links.end(&ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_creations_deletions_and_large_commits_that_are_cut_are_answered_truly() {
    let mut links = Links::new(1).await;
    let mut random = Random::new(1);
    let mut at = create(&links.direct, "acme").await;
    let (next, requests, responses) = links.measure(Base::At(at), &users(100_000..101_500)).await;
    at = next;
    for round in 1..=60_u128 {
        // Keys of the same length, so that the commits have the same number of bytes.
        let first = 100_000 + round * 2_000;
        let rule = match round % 4 {
            0 => Break::AfterResponseBytes(random.below(responses)),
            1 => Break::CommitResponse,
            // The end of the conversation is the COMMIT.
            2 => Break::AfterRequestBytes(requests - random.below(40)),
            _ => Break::AfterRequestBytes(random.below(requests)),
        };
        at = links.cut(Base::At(at), &users(first..first + 1_500), rule, round % 3 == 0).await;
    }
    let creation = [Change::added(tenant("tenant-999"))];
    let (_, requests, responses) = links.measure(Base::Create(TenantId::random()), &creation).await;
    for round in 0..150 {
        let base = Base::Create(TenantId::random());
        let creation = [Change::added(tenant(&format!("tenant-{round:03}")))];
        let rule = match round % 5 {
            0 | 1 => Break::AfterRequestBytes(random.below(requests)),
            2 | 3 => Break::AfterResponseBytes(random.below(responses)),
            _ => Break::Commit,
        };
        let created = links.cut(base, &creation, rule, round % 3 == 0).await;
        if load(&links.direct, created.tenant_id).await.unwrap().is_some() {
            let deletion = [Change::removed(tenant(&format!("tenant-{round:03}")))];
            links.cut(Base::At(created), &deletion, rule, round % 3 == 1).await;
        }
    }
    links.end(&ALL).await;
}

/// BEGIN and the statements of a commit are sent together. Without a transaction, they must not commit by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_commit_whose_begin_fails_changes_nothing() {
    let links = Links::new(1).await;
    let at = create(&links.direct, "acme").await;
    let (at, answer) = send(&links.direct, Base::At(at), &users(0..2)).await;
    answer.unwrap();
    let before = load(&links.direct, at.tenant_id).await.unwrap();
    let new = TenantId::random();
    let cases = [
        (Base::At(at), users(10..11)),
        (Base::At(at), mixed(0)),
        (Base::At(at), users(1_000..3_000)),
        (Base::At(at), Vec::new()),
        (Base::At(at), vec![Change::removed(tenant("acme"))]),
        (Base::Create(new), vec![Change::added(tenant("new"))]),
        (Base::Create(new), Vec::new()),
    ];
    for (base, changes) in &cases {
        links.store.list(None, 1).await.unwrap();
        server::wait_until_idle(&links.store).await;
        links.proxy.set(Break::Begin, false);
        let answer = send(&links.store, *base, changes).await.1;
        links.proxy.set(Break::Never, false);
        let error = answer.expect_err("BEGIN failed");
        assert!(matches!(error, StoreError::Unavailable(_)), "{base:?}: {error}");
        assert_eq!(kind(&error), Some(PostgresErrorKind::Other), "{base:?}: a syntax error: {error}");
        assert_eq!(load(&links.direct, at.tenant_id).await.unwrap(), before, "{base:?}: the tenant was changed");
    }
    // No row of the new tenant, which would be a deleted one.
    let is_current = [true, false, false, true, false];
    for ((base, changes), is_current) in cases.iter().skip(2).zip(is_current) {
        let answer = send(&links.store, *base, changes).await.1;
        assert_eq!(answer.is_ok(), is_current, "{base:?}: {answer:?}");
    }
    links.end(&[]).await;
}

/// BEGIN and all changes in one, COMMIT in another. sqlx waits for each answer, and asks twice for each statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_takes_two_round_trips() {
    let mut links = Links::new(1).await;
    let config = server::config_at("127.0.0.1", links.proxy.port);
    let pool = if server::is_sqlx() {
        // Without a sign of life from a connection before it is used.
        let pool = server::sqlx_pool(1).test_before_acquire(false);
        pool.connect_lazy_with(server::sqlx_options(&config)).into()
    } else {
        server::pool(config, 1)
    };
    links.store = PostgresStore::builder(pool).schema(links.direct.schema()).notify().build();
    let at = create(&links.direct, "acme").await;
    let trips = async |at, changes: &[Change]| {
        links.store.list(None, 1).await.unwrap();
        server::wait_until_idle(&links.store).await;
        links.proxy.set(Break::CountTrips, false);
        let (at, answer) = send(&links.store, Base::At(at), changes).await;
        answer.unwrap();
        let trips = links.proxy.gathered.load(Ordering::SeqCst);
        links.proxy.set(Break::Never, false);
        (at, trips)
    };
    let (at, of_one_statement) = trips(at, &users(0..2)).await;
    let (at, of_three_statements) = trips(at, &mixed(0)).await;
    let (_, of_a_deletion) = trips(at, &[Change::removed(tenant("acme"))]).await;
    let expected = if server::is_sqlx() { (4, 8, 4) } else { (2, 2, 2) };
    assert_eq!((of_one_statement, of_three_statements, of_a_deletion), expected);
    links.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_whose_connection_is_cut_is_complete_or_fails() {
    let links = Links::new(1).await;
    let mut random = Random::new(2);
    let at = create(&links.direct, "acme").await;
    let (at, answer) = send(&links.direct, Base::At(at), &users(0..500)).await;
    answer.unwrap();
    let (mut complete, mut failed) = (0, 0);
    for round in 0..200 {
        links.proxy.set(Break::Never, false);
        links.store.list(None, 1).await.unwrap();
        links.proxy.set(Break::AfterResponseBytes(random.below(70_000)), round % 2 == 0);
        match load(&links.store, at.tenant_id).await {
            Ok(loaded) => {
                let (records, found) = loaded.expect("the tenant exists");
                assert_eq!((records.len(), found), (501, at));
                complete += 1;
            }
            Err(StoreError::Unavailable(_)) => failed += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(complete > 10 && failed > 10, "{complete} complete, {failed} failed");
    links.end(&[]).await;
}

/// An application behind the link, which never stops and never starts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_recovers_from_every_cut_without_a_restart() {
    let links = Links::new(3).await;
    let authorizer = Authorizer::builder().store(links.store.clone()).build();
    let tenant = authorizer.create_tenant("acme", "Acme").await.unwrap();
    let mut random = Random::new(3);
    let (mut succeeded, mut failed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut in_doubt: Vec<(String, CommitId)> = Vec::new();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..300 {
        let rule = match random.below(5) {
            0 => Break::Commit,
            1 => Break::CommitResponse,
            2 => Break::AfterResponseBytes(random.below(700)),
            _ => Break::AfterRequestBytes(random.below(2_500)),
        };
        links.proxy.set(rule, random.below(2) == 0);
        let key = format!("user-{round}");
        let answer = tenant.update(|tx| tx.create_user(&key).map(drop)).await;
        links.proxy.set(Break::Never, false);
        let name = match answer {
            Ok(_) => {
                succeeded.push(key);
                "success".to_owned()
            }
            Err(error) => {
                match (error.kind(), error.commit()) {
                    (ErrorKind::InDoubt, Some(commit)) => in_doubt.push((key, commit)),
                    (ErrorKind::Unavailable | ErrorKind::Blocked, _) => failed.push(key),
                    (other, _) => panic!("{other:?}: {error}"),
                }
                format!("{:?}", error.kind())
            }
        };
        *kinds.entry(name).or_default() += 1;
        // The link is back: the next update works, and resolves what is in doubt.
        tenant.update(|tx| tx.create_group(&format!("group-{round}")).map(drop)).await.expect("the link is back");
    }
    println!("{kinds:?}");
    // sqlx sends and reads more before the commit, so fewer of these cuts are within one.
    let few = if server::is_sqlx() { 5 } else { 20 };
    assert!(succeeded.len() > few && failed.len() > few && in_doubt.len() > few, "{kinds:?}");
    let fresh = Authorizer::builder().store(links.direct.clone()).build().tenant("acme").await.unwrap();
    for (key, commit) in in_doubt {
        let exists = fresh.now().user(key.as_str()).is_some();
        match tenant.outcome(commit) {
            Some(Outcome::Committed(_)) => assert!(exists, "{key}: {commit}"),
            Some(Outcome::Aborted) => assert!(!exists, "{key}: {commit}"),
            other => panic!("{key}: {commit} ended as {other:?}"),
        }
    }
    assert!(succeeded.iter().all(|key| fresh.now().user(key.as_str()).is_some()));
    assert!(failed.iter().all(|key| fresh.now().user(key.as_str()).is_none()));
    links.end(&[]).await;
}

fn kind(error: &StoreError) -> Option<PostgresErrorKind> {
    let (StoreError::Unavailable(cause) | StoreError::InDoubt(cause) | StoreError::Corrupt(cause)) = error else {
        return None;
    };
    cause.downcast_ref::<PostgresError>().map(PostgresError::kind)
}

/// Nothing is cut, and nothing arrives any more: only the time limit ends such a call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_link_ends_calls_by_the_step_timeout() {
    let mut links = Links::new(1).await;
    let mut pool = links.store.pool().clone();
    if server::is_sqlx() {
        // By default sqlx asks for a sign of life before it hands a connection out: then the wait for it ends such a call.
        let options = server::sqlx_options(&server::config_at("127.0.0.1", links.proxy.port));
        pool = server::sqlx_pool(1).test_before_acquire(false).connect_lazy_with(options).into();
    }
    links.store =
        PostgresStore::builder(pool).schema(links.direct.schema()).step_timeout(Duration::from_secs(2)).build();
    let mut at = create(&links.direct, "acme").await;
    for (number, rule) in [(1, Break::Silent), (2, Break::SilentAfterCommit), (3, Break::Silent)] {
        links.store.list(None, 1).await.unwrap();
        server::wait_until_idle(&links.store).await;
        links.proxy.set(rule, false);
        let (sent, answer) = send(&links.store, Base::At(at), &users(number..number + 1)).await;
        let error = answer.unwrap_err();
        assert_eq!(kind(&error), Some(PostgresErrorKind::StepTimeout), "{rule:?}: {error}");
        assert_eq!(matches!(error, StoreError::InDoubt(_)), rule == Break::SilentAfterCommit, "{rule:?}: {error}");
        links.proxy.set(Break::Never, false);
        // The connection is not used again.
        at = if rule == Break::SilentAfterCommit { sent } else { at };
        let (_, found) = load(&links.store, at.tenant_id).await.unwrap().unwrap();
        assert_eq!(found, at, "{rule:?}");
    }
    links.end(&[]).await;
}
