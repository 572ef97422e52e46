//! Times commits and loads, each beside what PostgreSQL itself takes for the same.
//!
//! ```text
//! ROLECALL_POSTGRES_URL=postgres://user@host/database cargo bench -p rolecall-postgres --all-features --bench postgres
//! ROLECALL_SHORT=1 ...        # a few seconds
//! ROLECALL_SIZES=S,M,L ...    # which organisations are loaded: S and M unless it is set, S alone if it is short
//! ```
//!
//! The contestants take turns, because the speed of a machine drifts. A figure is the median.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../../../benches/common/organisation.rs"]
#[expect(dead_code, reason = "the other benches ask questions, too")]
mod organisation;
#[path = "../../../benches/common/random.rs"]
mod random;
#[path = "../../../benches/common/records.rs"]
#[expect(dead_code, reason = "here the tenant owns the permissions")]
mod records;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, Pool};
use futures_util::TryStreamExt;
use rolecall::Authorizer;
use rolecall::records::{
    Change, CommitId, Envelope, Fingerprint, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug,
    Timestamp, UserId, UserKey, UserRecord,
};
use rolecall::store::{Base, Commit, Sink, Stop, Store};
use rolecall_postgres::{ConnectionPool, PostgresStore};
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

use self::organisation::{L, M, Organisation, S, Size, is_wanted};
use self::records::Owner;

/// The tables in which the organisation has rows.
const TABLES: [&str; 10] = [
    "permissions",
    "roles",
    "groups",
    "users",
    "grants",
    "pattern_grants",
    "inclusions",
    "parents",
    "assignments",
    "memberships",
];

/// Counts records and drops them.
struct Count(usize);

impl Sink for Count {
    fn push(&mut self, _: Record) -> Result<(), Stop> {
        self.0 += 1;
        Ok(())
    }
}

#[derive(Clone)]
struct Bench {
    name: &'static str,
    store: PostgresStore,
    /// Sends a notification with each commit.
    notifying: PostgresStore,
    client: Arc<Client>,
    schema: String,
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn users(count: u128) -> Vec<Change> {
    let user = |number: u128| {
        let key = UserKey::new(&format!("user-{number}@example.com")).unwrap();
        Change::added(Record::User(UserRecord::new(UserId::from_uuid(Uuid::from_u128(number << 64 | number)), key)))
    };
    (0..count).map(user).collect()
}

impl Bench {
    async fn commit(&self, base: Base, changes: &[Change]) -> Position {
        self.commit_to(&self.store, base, changes).await
    }

    async fn commit_to(&self, store: &PostgresStore, base: Base, changes: &[Change]) -> Position {
        let previous = if let Base::At(at) = base { Some(at.commit) } else { None };
        let (at, catalog) = (Timestamp::UNIX_EPOCH, Fingerprint::from_uuid(Uuid::nil()));
        let envelope = Envelope { id: CommitId::random(), previous, actor: None, at, note: None, catalog };
        let revision: Revision = store.commit(Commit { base, envelope: &envelope, changes }).await.unwrap();
        Position { tenant_id: base.tenant_id(), revision, commit: envelope.id }
    }

    async fn create(&self, slug: &str, changes: Vec<Change>) -> Position {
        let tenant = TenantRecord { slug: TenantSlug::new(slug).unwrap(), name: Name::new(slug).unwrap() };
        let mut all = vec![Change::added(Record::Tenant(tenant))];
        all.extend(changes);
        self.commit(Base::Create(TenantId::random()), &all).await
    }

    /// One change, beside the smallest transaction that waits for the disk: one row is updated.
    async fn commits(&self, rounds: usize) {
        let mut at = self.create(&format!("commits-{}", self.name), Vec::new()).await;
        let mut notified = self.create(&format!("notifying-{}", self.name), Vec::new()).await;
        let mut notifying = Vec::new();
        let one = format!("UPDATE {}.one SET n = n + 1", self.schema);
        let (mut commits, mut empty, mut finds, mut sinces) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let slug = TenantSlug::new(&format!("commits-{}", self.name)).unwrap();
        for change in users(rounds as u128) {
            let start = Instant::now();
            self.client.batch_execute(&one).await.unwrap();
            empty.push(start.elapsed());
            let (before, start) = (at, Instant::now());
            at = self.commit(Base::At(at), std::slice::from_ref(&change)).await;
            commits.push(start.elapsed());
            let start = Instant::now();
            notified = self.commit_to(&self.notifying, Base::At(notified), &[change]).await;
            notifying.push(start.elapsed());
            let start = Instant::now();
            self.store.since(before).await.unwrap();
            sinces.push(start.elapsed());
            let start = Instant::now();
            self.store.find(&slug).await.unwrap();
            finds.push(start.elapsed());
        }
        let (commit, empty) = (median(commits), median(empty));
        println!("commit of one change            {commit:>12.2?}");
        println!("the same with a notification    {:>12.2?}", median(notifying));
        println!("the smallest durable transaction{empty:>12.2?}   ratio {:.1}", ratio(commit, empty));
        println!("since, one commit               {:>12.2?}", median(sinces));
        println!("find                            {:>12.2?}", median(finds));
    }

    /// An organisation in one commit, and its load, beside COPY of the same rows.
    async fn loads(&self, size: &'static Size, rounds: usize) {
        let changes: Vec<Change> =
            records::of(&Organisation::draw(size).0, Owner::Tenant).into_iter().map(Change::added).collect();
        let (name, count, start) = (size.name, changes.len() + 1, Instant::now());
        let at = self.create(&format!("loads-{}-{}", self.name, name.to_lowercase()), changes).await;
        println!("{name}: commit of {count:>7} records    {:>12.2?}", start.elapsed());
        for table in TABLES {
            self.client.batch_execute(&format!("ANALYZE {}.{table}", self.schema)).await.unwrap();
        }
        let copy = |table| {
            let rows = format!("SELECT * FROM {}.{table} WHERE tenant_id = '{}'", self.schema, at.tenant_id);
            format!("COPY ({rows}) TO STDOUT")
        };
        let (mut loads, mut copies) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let start = Instant::now();
            let mut sink = Count(0);
            self.store.load(at.tenant_id, &mut sink).await.unwrap().unwrap();
            assert_eq!(sink.0, count);
            loads.push(start.elapsed());
            let (start, mut bytes) = (Instant::now(), 0);
            for table in TABLES {
                let mut rows = pin!(self.client.copy_out(&copy(table)).await.unwrap());
                while let Some(row) = rows.try_next().await.unwrap() {
                    bytes += row.len();
                }
            }
            assert!(bytes > count * 32, "{bytes} bytes");
            copies.push(start.elapsed());
        }
        let (load, copy) = (median(loads), median(copies));
        println!("{name}: load                         {load:>12.2?}");
        println!("{name}: COPY TO STDOUT of its tables {copy:>12.2?}   ratio {:.1}", ratio(load, copy));
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let alone = alone.env(LOAD_ALONE, format!("{} {} {}", self.name, self.schema, at.tenant_id));
        assert!(alone.status().unwrap().success());
    }
}

impl Bench {
    /// Commits of one change each, on so many tenants at once: each tenant has one writer.
    async fn rate(&self, tenants: usize, time: Duration) {
        let counts = (0..tenants).map(|number| {
            let bench = self.clone();
            tokio::spawn(async move {
                let mut at = bench.create(&format!("rate-{}-{tenants}-{number}", bench.name), Vec::new()).await;
                let changes = users(50_000);
                let (start, mut count) = (Instant::now(), 0_u32);
                for change in changes {
                    at = bench.commit(Base::At(at), &[change]).await;
                    count += 1;
                    if start.elapsed() > time {
                        break;
                    }
                }
                f64::from(count) / start.elapsed().as_secs_f64()
            })
        });
        let mut rate = 0.0;
        for count in counts.collect::<Vec<_>>() {
            rate += count.await.unwrap();
        }
        println!("commits per second, {tenants:>2} tenants  {rate:>12.0}");
    }
}

/// The cost of each commit of another process: it asks the store, reads the commit, applies it, and publishes the state.
/// First for one commit at a time, then for many at once.
async fn following(url: &str, schema: &str, rounds: u32) {
    let config: Config = url.parse().unwrap();
    let open = || {
        let pool = Pool::builder(Manager::new(config.clone(), NoTls)).max_size(2).build().unwrap();
        Authorizer::builder().store(PostgresStore::builder(pool).schema(schema).build()).build()
    };
    let (first, second) = (open(), open());
    let acme = first.create_tenant("following", "Following").await.unwrap();
    acme.update(|tx| tx.create_user("alice")?.done()).await.unwrap();
    let elsewhere = second.tenant("following").await.unwrap();
    let turn = async |round: u32| {
        let suspends = round % 2 == 0;
        let update = acme.update(|tx| {
            let alice = tx.user("alice")?;
            if suspends { alice.suspend()?.done() } else { alice.activate()?.done() }
        });
        update.await.unwrap().revision
    };
    let mut times = Vec::new();
    for round in 0..rounds {
        let revision = turn(round).await;
        let start = Instant::now();
        elsewhere.refresh().await.unwrap();
        times.push(start.elapsed());
        assert_eq!(elsewhere.revision(), revision);
    }
    println!("following, one commit           {:>12.2?}", median(times));
    let mut last = elsewhere.revision();
    for round in 0..rounds {
        last = turn(round).await;
    }
    let start = Instant::now();
    elsewhere.refresh().await.unwrap();
    println!("following, each of {rounds:>5} commits {:>12.2?}", start.elapsed() / rounds);
    assert_eq!(elsewhere.revision(), last);
}

/// Times a revocation: from the call of `update` in one process until a check in another one is `false`.
async fn revocations(url: &str, schema: &str, rounds: u32, interval: Duration, with_hints: bool) {
    let config: Config = url.parse().unwrap();
    let open = |config: &Config| {
        let pool = Pool::builder(Manager::new(config.clone(), NoTls)).max_size(2).build().unwrap();
        let store = PostgresStore::builder(pool).schema(schema);
        if with_hints { store.listen(config.clone(), NoTls).build() } else { store.build() }
    };
    let slug = format!("revocations-{}-{with_hints}", interval.as_millis());
    let first = Authorizer::builder().store(open(&config)).build();
    let acme = first.create_tenant(&slug, "Revocations").await.unwrap();
    let seed = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?.done()
    });
    seed.await.unwrap();
    let store = open(&config);
    let second = Authorizer::builder().store(store.clone()).build();
    let elsewhere = second.tenant(&slug).await.unwrap();
    let follower = second.follow(store.clone()).every(interval);
    let follower = if with_hints { follower.watch(store) } else { follower };
    let task = tokio::spawn(follower.run());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for round in 0..rounds {
        let start = Instant::now();
        acme.update(|tx| tx.user("alice")?.unassign("editor")?.done()).await.unwrap();
        while elsewhere.check("alice", "posts:write") {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        times.push(start.elapsed());
        let assigned = acme.update(|tx| tx.user("alice")?.assign("editor")?.done()).await.unwrap();
        elsewhere.at_least(acme.snapshot().position()).await.unwrap();
        assert_eq!(elsewhere.revision(), assigned.revision);
        // Not in step with the polls.
        let pause = if with_hints { Duration::from_millis(7) } else { interval };
        tokio::time::sleep(pause * (round % 7) / 7).await;
    }
    task.abort();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let how = if with_hints { "with hints".to_owned() } else { format!("polled every {interval:?}") };
    println!("revocation to denied elsewhere, {how:<20} median {:>10.2?}   99 % {:>10.2?}", at(50), at(99));
}

/// For the bench itself: a process that only loads one tenant, so that its memory is that of the load.
const LOAD_ALONE: &str = "ROLECALL_LOAD_ALONE";

/// Loads a tenant, and prints the most memory that this process had. Linux knows it.
async fn load_alone(url: &str, what: &str) {
    let mut what = what.split(' ');
    let (client, schema, tenant_id) = (what.next().unwrap(), what.next().unwrap(), what.next().unwrap());
    let pool = if client == "sqlx" {
        ConnectionPool::from(sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(url).await.unwrap())
    } else {
        Pool::builder(Manager::new(url.parse().unwrap(), NoTls)).max_size(1).build().unwrap().into()
    };
    let store = PostgresStore::builder(pool).schema(schema).build();
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    store.list(None, 1).await.unwrap();
    let before = memory();
    store.load(TenantId::from_uuid(tenant_id.parse().unwrap()), &mut Count(0)).await.unwrap().unwrap();
    if let (Some(before), Some(after)) = (before, memory()) {
        println!("a process that only loads it      {:>9.1} MiB at most, {:.1} before", mib(after), mib(before));
    }
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let Ok(url) = std::env::var("ROLECALL_POSTGRES_URL") else {
        println!(
            "ROLECALL_POSTGRES_URL is not set: expected the URL of a PostgreSQL server. `.ci/postgres` starts one."
        );
        std::process::exit(1);
    };
    if let Ok(what) = std::env::var(LOAD_ALONE) {
        return load_alone(&url, &what).await;
    }
    let is_short = std::env::var("ROLECALL_SHORT").is_ok();
    let config: Config = url.parse().unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let schema = format!("bench_{}", std::process::id());
    let deadpool = Pool::builder(Manager::new(config, NoTls)).max_size(16).build().unwrap();
    let sqlx = sqlx::postgres::PgPoolOptions::new().max_connections(16).connect(&url).await.unwrap();
    let pools = [("deadpool", ConnectionPool::from(deadpool)), ("sqlx", ConnectionPool::from(sqlx))];
    let client = Arc::new(client);
    for (number, (name, pool)) in pools.into_iter().enumerate() {
        // A commit of a million users is one COPY for each table, which takes longer than the default.
        let builder = || PostgresStore::builder(pool.clone()).schema(&schema).step_timeout(Duration::from_secs(600));
        let (store, notifying) = (builder().build(), builder().notify().build());
        store.migrate().await.unwrap();
        if number == 0 {
            let one = format!("CREATE TABLE {schema}.one (n bigint); INSERT INTO {schema}.one VALUES (0)");
            client.batch_execute(&one).await.unwrap();
        }
        println!("-- {name}");
        let bench = Bench { name, store, notifying, client: Arc::clone(&client), schema: schema.clone() };
        bench.commits(if is_short { 200 } else { 5_000 }).await;
        let time = Duration::from_secs(if is_short { 1 } else { 5 });
        bench.rate(1, time).await;
        bench.rate(16, time).await;
        for (size, rounds) in [(&S, 31), (&M, 31), (&L, 5)] {
            if is_wanted(size) && (!is_short || size.name == "S" || std::env::var_os("ROLECALL_SIZES").is_some()) {
                bench.loads(size, rounds).await;
            }
        }
    }
    following(&url, &schema, if is_short { 200 } else { 2_000 }).await;
    revocations(&url, &schema, if is_short { 200 } else { 2_000 }, Duration::from_secs(1), true).await;
    revocations(&url, &schema, if is_short { 100 } else { 1_000 }, Duration::from_millis(100), false).await;
    client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
}
