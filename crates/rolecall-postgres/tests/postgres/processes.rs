//! Several processes write and ask the same tenants, with conflicts. Afterwards everything that they were told is
//! compared with the history. Ignored: it takes a minute, or `ROLECALL_PROCESSES_SECONDS`. `.ci/postgres` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rolecall::records::{Change, CommitId, Position, Record, RecordKey, Revision, TenantId};
use rolecall::store::{Since, Store, StoredCommit};
use rolecall::{Authorizer, ErrorKind, PageRequest, Tenant};
use rolecall_postgres::PostgresStore;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::fixtures::{Random, load};
use crate::server;
use crate::watching;
use crate::writers::Counting;

const PROCESSES: u64 = 4;
const TENANTS: u64 = 3;
/// The groups whose parents change.
const GROUPS: u64 = 8;
/// The users who join and leave the group that may read.
const USERS: u64 = 12;

/// How often each process polls the positions of its tenants. In one of two processes hints come before.
const INTERVAL: Duration = Duration::from_millis(50);

/// How late a removal may become visible elsewhere: one interval, and what following takes on a busy machine.
const BOUND: Duration = Duration::from_secs(10);

/// Environment variables of a child: its number, the schema, and how long it writes.
const NUMBER: &str = "ROLECALL_PROCESS";
const SCHEMA: &str = "ROLECALL_PROCESS_SCHEMA";
const SECONDS: &str = "ROLECALL_PROCESSES_SECONDS";

fn slug(tenant: u64) -> String {
    format!("tenant-{tenant}")
}

/// All processes are on one machine, so they have one clock.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

/// The output of a child: one line for each update that succeeded, and for each answer.
#[derive(Clone, Debug)]
enum Line {
    /// An update was acknowledged at this instant. The user was removed, if there is one.
    Update { tenant: u64, revision: u64, raised: bool, removed: Option<u64>, at: u128 },
    /// A question was asked at an instant, on the state of this revision.
    Answer { tenant: u64, revision: u64, user: u64, allowed: bool, asked: u128 },
    /// The counts of the child at its end.
    End { conflicts: u64, cycles: u64, given_up: u64 },
}

impl Line {
    fn print(&self) {
        match self {
            Self::Update { tenant, revision, raised, removed, at } => {
                let removed = removed.map_or(-1, i128::from);
                println!("update {tenant} {revision} {} {removed} {at}", u8::from(*raised));
            }
            Self::Answer { tenant, revision, user, allowed, asked } => {
                println!("answer {tenant} {revision} {user} {} {asked}", u8::from(*allowed));
            }
            Self::End { conflicts, cycles, given_up } => println!("end {conflicts} {cycles} {given_up}"),
        }
    }

    /// `None` for the output of the test harness.
    fn parse(line: &str) -> Option<Self> {
        // The harness begins the first line itself.
        let line = ["update ", "answer ", "end "].iter().find_map(|word| line.get(line.find(word)?..))?;
        let mut words = line.split(' ');
        let kind = words.next()?;
        let numbers: Vec<i128> = words.map(|word| word.trim().parse().ok()).collect::<Option<_>>()?;
        let number = |at: usize| numbers.get(at).and_then(|number| u64::try_from(*number).ok());
        let instant = |at: usize| numbers.get(at).and_then(|number| u128::try_from(*number).ok());
        Some(match kind {
            "update" => Self::Update {
                tenant: number(0)?,
                revision: number(1)?,
                raised: number(2)? == 1,
                removed: number(3),
                at: instant(4)?,
            },
            "answer" => Self::Answer {
                tenant: number(0)?,
                revision: number(1)?,
                user: number(2)?,
                allowed: number(3)? == 1,
                asked: instant(4)?,
            },
            _ => Self::End { conflicts: number(0)?, cycles: number(1)?, given_up: number(2)? },
        })
    }
}

/// The program of a child. Without the variables it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_writes_and_asks_until_its_time_is_over() {
    let (Ok(number), Ok(schema)) = (std::env::var(NUMBER), std::env::var(SCHEMA)) else { return };
    let number: u64 = number.parse().unwrap();
    let postgres = watching::open(&schema, watching::direct());
    let (store, conflicts) = Counting::new(postgres.clone());
    let authorizer = Authorizer::builder().store(store).max_staleness(BOUND).build();
    let follower = authorizer.follow(postgres.clone()).every(INTERVAL).on_error(|error| panic!("{error}"));
    let hinted = number % 2 == 0;
    let following = if hinted { tokio::spawn(follower.watch(postgres).run()) } else { tokio::spawn(follower.run()) };
    let mut tenants = Vec::new();
    for tenant in 0..TENANTS {
        tenants.push(authorizer.tenant(&slug(tenant)).await.unwrap());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(ask(tenants.clone(), number, Arc::clone(&stop)));
    let end = tokio::time::Instant::now() + seconds();
    let mut random = Random::new(number);
    let (mut cycles, mut given_up) = (0, 0);
    while tokio::time::Instant::now() < end {
        // One process writes a single tenant, so that it learns of the others by following alone.
        let tenant = if number == PROCESSES { 0 } else { random.below(TENANTS) };
        match write(&tenants[usize::try_from(tenant).unwrap()], tenant, number, &mut random).await {
            Ok(line) => line.print(),
            Err(error) if error.kind() == ErrorKind::Cycle => cycles += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => given_up += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // Once more, so that the last removals are asked for, too.
    tokio::time::sleep(INTERVAL * 4).await;
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert!(!following.is_finished(), "an error ended the follower");
    Line::End { conflicts: conflicts.load(Ordering::Relaxed).into(), cycles, given_up }.print();
}

fn seconds() -> Duration {
    Duration::from_secs(std::env::var(SECONDS).ok().map_or(60, |seconds| seconds.parse().expect(SECONDS)))
}

/// One update: a counter rises by one, a group gets another parent, or a user joins or leaves.
async fn write(tenant: &Tenant, number: u64, process: u64, random: &mut Random) -> rolecall::Result<Line> {
    let kind = random.below(3);
    let (child, parent, user) = (random.below(GROUPS), random.below(GROUPS), random.below(USERS));
    let updated = tenant.update(|tx| {
        tx.set_actor(&format!("process-{process}"))?;
        let mut removed = None;
        match kind {
            // The key of one user is the counter. Each update raises what it read.
            0 => {
                let users = tx.base().at(tx.instant()).users(&PageRequest::of(1));
                let key = users.items.first().map(|user| user.key.to_string()).unwrap_or_default();
                tx.user(key.as_str())?.set_key(&(key.parse::<u64>().unwrap() + 1).to_string())?;
            }
            // Two halves of a cycle, each of which is none.
            1 => drop(tx.group(format!("g{child}").as_str())?.set_parents([format!("g{parent}").as_str()])?),
            _ => {
                let key = format!("user-{user}");
                let readers = tx.group("readers")?;
                if tx.base().at(tx.instant()).check(key.as_str(), "docs:read") {
                    readers.remove_member(key.as_str())?;
                    removed = Some(user);
                } else {
                    readers.add_member(key.as_str())?;
                }
            }
        }
        Ok(removed)
    });
    let updated = updated.await?;
    // An update that changed nothing made no revision.
    let revision = if updated.commit.is_some() { updated.revision.number() } else { 0 };
    let raised = kind == 0;
    Ok(Line::Update { tenant: number, revision, raised, removed: updated.value, at: now() })
}

/// Asks again and again, about every user, what the follower has brought.
async fn ask(tenants: Vec<Tenant>, process: u64, stop: Arc<AtomicBool>) {
    let mut last = vec![0; tenants.len()];
    let mut random = Random::new(process + 100);
    while !stop.load(Ordering::Relaxed) {
        for (number, tenant) in (0..).zip(&tenants) {
            let (asked, moment) = (now(), tenant.now());
            let revision = moment.snapshot().revision().number();
            let seen: &mut u64 = &mut last[usize::try_from(number).unwrap()];
            assert!(*seen <= revision, "revision {revision} came after {seen}");
            *seen = revision;
            for user in 0..USERS {
                let allowed = moment.check(format!("user-{user}").as_str(), "docs:read");
                Line::Answer { tenant: number, revision, user, allowed, asked }.print();
            }
        }
        tokio::time::sleep(Duration::from_millis(5 + random.below(20))).await;
    }
}

/// Starts the children, and returns what each of them printed.
async fn run_children(schema: &str) -> Vec<Vec<Line>> {
    let mut reading = Vec::new();
    for number in 1..=PROCESSES {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::a_child_writes_and_asks_until_its_time_is_over", "--nocapture"]);
        command.env(NUMBER, number.to_string()).env(SCHEMA, schema).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        reading.push(tokio::spawn(async move {
            let mut lines = Vec::new();
            while let Some(line) = output.next_line().await.unwrap() {
                lines.extend(Line::parse(&line));
            }
            let status = child.wait().await.unwrap();
            assert!(status.success(), "process {number}: {status}");
            lines
        }));
    }
    let mut all = Vec::new();
    for lines in reading {
        all.push(lines.await.unwrap());
    }
    all
}

async fn create(authorizer: &Authorizer, tenant: u64) -> Tenant {
    let created = authorizer.create_tenant(&slug(tenant), "Tenant").await.unwrap();
    let content = created.update(|tx| {
        // It sorts before all other keys.
        tx.create_user("1000000")?;
        tx.create_permission("docs:read")?;
        tx.create_role("reader")?.grant("docs:read")?;
        tx.create_group("readers")?.assign("reader")?;
        (0..GROUPS).try_for_each(|number| tx.create_group(&format!("g{number}")).map(drop))?;
        (0..USERS).try_for_each(|number| tx.create_user(&format!("user-{number}")).map(drop))
    });
    content.await.unwrap();
    created
}

/// The history of one tenant.
struct Truth {
    tenant: u64,
    commits: Vec<StoredCommit>,
    start: u64,
    /// For each user the revisions from which on it may or may not read.
    may_read: Vec<BTreeMap<u64, bool>>,
}

impl Truth {
    async fn read(store: &PostgresStore, tenant: u64, tenant_id: TenantId, from: (Vec<Record>, Position)) -> Self {
        let (records, start) = from;
        let Since::Commits(commits) = store.since(start).await.unwrap() else { panic!("the history is not complete") };
        let mut replayed: BTreeMap<RecordKey, Record> =
            records.into_iter().map(|record| (record.key(), record)).collect();
        let find = |records: &BTreeMap<RecordKey, Record>| {
            let group = records.values().find_map(|record| match record {
                Record::Group(group) if group.slug.as_str() == "readers" => Some(group.id),
                _ => None,
            });
            let users = records.values().filter_map(|record| match record {
                Record::User(user) => Some((user.id, user.key.as_str().strip_prefix("user-")?.parse::<u64>().ok()?)),
                _ => None,
            });
            (group.unwrap(), users.collect::<BTreeMap<_, _>>())
        };
        let (readers, numbers) = find(&replayed);
        let mut may_read = vec![BTreeMap::from([(start.revision.number(), false)]); usize::try_from(USERS).unwrap()];
        let mut last: (Revision, CommitId) = (start.revision, start.commit);
        for commit in &commits {
            assert_eq!(commit.revision, last.0.next(), "a gap in the history");
            assert_eq!(commit.envelope.previous, Some(last.1), "revision {}", commit.revision);
            last = (commit.revision, commit.envelope.id);
            for change in &commit.changes {
                replay(&mut replayed, change);
                if let Some(Record::Membership(member)) = change.after().or(change.before()) {
                    assert_eq!(member.group, readers);
                    let number = usize::try_from(numbers[&member.user]).unwrap();
                    may_read[number].insert(commit.revision.number(), change.after().is_some());
                }
            }
        }
        let (stored, at) = load(store, tenant_id).await.unwrap().unwrap();
        assert_eq!((at.revision, at.commit), last);
        let stored: BTreeMap<RecordKey, Record> = stored.into_iter().map(|record| (record.key(), record)).collect();
        assert!(stored == replayed, "the records of tenant {tenant} are not what the history makes of them");
        Self { tenant, commits, start: start.revision.number(), may_read }
    }

    fn allowed(&self, user: u64, revision: u64) -> bool {
        let history = &self.may_read[usize::try_from(user).unwrap()];
        *history.range(..=revision).next_back().expect("the revision is not before the start").1
    }
}

/// Each change names what was there before.
fn replay(records: &mut BTreeMap<RecordKey, Record>, change: &Change) {
    let before = match change.after() {
        Some(after) => records.insert(change.key(), after.clone()),
        None => records.remove(&change.key()),
    };
    assert_eq!(before.as_ref(), change.before(), "an update is lost");
}

/// Checks the updates of one tenant: each is the revision that its process was told. Returns how often the counter rose.
fn check_updates(truth: &Truth, told: &[Vec<Line>]) -> u64 {
    let (mut raises, mut all) = (0, BTreeSet::new());
    for (process, lines) in (1..).zip(told) {
        let mut last = 0;
        for line in lines {
            let Line::Update { tenant, revision, raised, .. } = line else { continue };
            if *tenant != truth.tenant || *revision == 0 {
                continue;
            }
            assert!(*revision > last, "process {process}: revision {revision} came after {last}");
            last = *revision;
            raises += u64::from(*raised);
            assert!(all.insert(*revision), "two updates made revision {revision}");
            let commit = &truth.commits[usize::try_from(revision - truth.start - 1).unwrap()];
            let actor = commit.envelope.actor.as_ref().map(ToString::to_string);
            assert_eq!(actor, Some(format!("process-{process}")), "revision {revision}");
        }
    }
    assert_eq!(all.len(), truth.commits.len(), "a commit that nobody was told of");
    raises
}

/// Checks the answers about one tenant. Returns, for each removal and other process, after how long it was denied there.
fn check_answers(truth: &Truth, told: &[Vec<Line>]) -> Vec<Duration> {
    let mut updates = Vec::new();
    for (process, lines) in told.iter().enumerate() {
        updates.extend(lines.iter().filter_map(|line| match line {
            Line::Update { tenant, revision, removed, at, .. } if *tenant == truth.tenant && *revision > 0 => {
                Some((*at, *revision, *removed, process))
            }
            _ => None,
        }));
    }
    updates.sort_unstable();
    // The highest revision that any process was told, by instant.
    let mut known: BTreeMap<u128, u64> = BTreeMap::new();
    let mut highest = 0;
    for (at, revision, ..) in &updates {
        highest = highest.max(*revision);
        known.insert(*at, highest);
    }
    let mut delays = Vec::new();
    for (process, lines) in told.iter().enumerate() {
        let (mut last, mut last_asked) = (truth.start, 0);
        let mut denied: BTreeMap<u64, u128> = BTreeMap::new();
        for line in lines {
            let Line::Answer { tenant, revision, user, allowed, asked } = line else { continue };
            if *tenant != truth.tenant {
                continue;
            }
            assert!(*revision >= last, "process {process}: revision {revision} came after {last}");
            (last, last_asked) = (*revision, *asked);
            assert_eq!(*allowed, truth.allowed(*user, *revision), "user {user} at revision {revision}");
            // After the bound, every process knows each outcome that was returned.
            let told_before = known.range(..asked - BOUND.as_micros()).next_back().map_or(0, |(_, revision)| *revision);
            assert!(*revision >= told_before, "revision {told_before} is missing: found revision {revision}");
            denied.entry(*revision).or_insert(*asked);
        }
        for (at, revision, removed, writer) in &updates {
            if removed.is_none() || *writer == process {
                continue;
            }
            let Some((_, seen)) = denied.range(revision..).next() else {
                // A process may end before the others.
                assert!(at + BOUND.as_micros() > last_asked, "revision {revision} was never seen");
                continue;
            };
            delays.push(Duration::from_micros(u64::try_from(seen.saturating_sub(*at)).unwrap()));
        }
    }
    delays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute: run by .ci/postgres"]
async fn four_processes_that_write_the_same_tenants_get_true_outcomes() {
    let store = server::store().await;
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let mut before = Vec::new();
    for tenant in 0..TENANTS {
        let tenant_id = create(&authorizer, tenant).await.tenant_id();
        before.push((tenant_id, load(&store, tenant_id).await.unwrap().unwrap()));
    }
    let told = run_children(store.schema()).await;

    let (mut delays, mut commits) = (Vec::new(), 0);
    for (tenant, (tenant_id, start)) in (0..).zip(before) {
        let truth = Truth::read(&store, tenant, tenant_id, start).await;
        let raises = check_updates(&truth, &told);
        delays.extend(check_answers(&truth, &told));
        commits += truth.commits.len();
        // A fresh authorizer checks every invariant, also that no groups form a cycle.
        let fresh = Authorizer::builder().store(store.clone()).build().tenant(&slug(tenant)).await.unwrap();
        let counter = (1_000_000 + raises).to_string();
        assert!(fresh.now().user(counter.as_str()).is_some(), "an update is lost: expected {counter}");
    }
    let ends = told.iter().filter_map(|lines| match lines.last() {
        Some(Line::End { conflicts, cycles, given_up }) => Some((*conflicts, *cycles, *given_up)),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.len() as u64, PROCESSES, "a process ended early");
    let (conflicts, cycles) = ends.iter().fold((0, 0), |sum, end| (sum.0 + end.0, sum.1 + end.1));
    let given_up: u64 = ends.iter().map(|end| end.2).sum();
    delays.sort_unstable();
    let quantile = |part: usize| delays.get((delays.len() * part / 1_000).min(delays.len() - 1)).unwrap();
    println!(
        "{commits} commits, {conflicts} conflicts, {cycles} cycles refused, {given_up} updates given up\n\
         {} removals seen elsewhere: median {:?}, 99 % {:?}, 99.9 % {:?}, all {:?}",
        delays.len(),
        quantile(500),
        quantile(990),
        quantile(999),
        quantile(1_000),
    );
    // Otherwise the test shows nothing.
    let least = seconds().as_secs() * 10;
    assert!(conflicts >= least && cycles >= least / 10, "{conflicts} conflicts, {cycles} cycles refused");
    assert!(delays.len() as u64 >= least && *quantile(1_000) <= BOUND, "{:?}", quantile(1_000));
    server::drop_schema(store.schema()).await;
}
