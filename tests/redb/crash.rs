//! Kills a process at random instants (S4, S7).
//!
//! A store that acknowledges a commit too early, or writes it in two steps, passes every test that closes its file
//! properly. So a child process commits as fast as it can, prints each acknowledged commit, and is killed. Afterwards the
//! file must contain all acknowledged commits, at most one more, and none in part. The cache of the system survives a
//! killed process; `src/store/redb/tests.rs` tests a loss of power.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rolecall::records::{Change, Position, Record, RecordKey};
use rolecall::store::{Base, Since};

use super::common::{Random, at, commit, created, found, loaded, membership, open, since, tenant, tenant_id, user};

/// Environment variables of the child: the file, and the seed for its commits.
const FILE: &str = "ROLECALL_CRASH_FILE";
const SEED: &str = "ROLECALL_CRASH_SEED";

/// The number of tenants that the child commits to in turns.
const TENANTS: u128 = 3;

/// The program of the child. Without the variables it does nothing.
#[test]
fn the_child_commits_until_it_is_killed() {
    let (Ok(file), Ok(seed)) = (std::env::var(FILE), std::env::var(SEED)) else { return };
    let store = open(Path::new(&file));
    let mut random = Random(seed.parse().unwrap());
    let mut states: Vec<(BTreeMap<RecordKey, Record>, Position)> = (1..=TENANTS)
        .map(|n| {
            if let Some((records, at)) = loaded(&store, tenant_id(n)).unwrap() {
                return (records.into_iter().map(|record| (record.key(), record)).collect(), at);
            }
            let at = created(&store, n, &format!("tenant-{n}"), &[]);
            acknowledge(n, at.revision.number(), n);
            ([tenant(&format!("tenant-{n}"))].map(|record| (record.key(), record)).into(), at)
        })
        .collect();
    for turn in 0.. {
        let (records, base) = &mut states[turn % TENANTS as usize];
        let id = u128::from(random.next()) << 1 | 1;
        let changes = drawn(records, &mut random);
        let revision = commit(&store, Base::At(*base), id, &changes).unwrap();
        *base = at(base.tenant_id, revision.number(), id);
        acknowledge(base.tenant_id.as_uuid().as_u128(), revision.number(), id);
        replay(records, &changes);
    }
}

/// Prints an acknowledged commit with one write, so that a kill does not split the line unnoticed.
fn acknowledge(tenant_id: u128, revision: u64, commit: u128) {
    std::io::stdout().write_all(format!("committed {tenant_id} {revision} {commit}\n").as_bytes()).unwrap();
}

/// Draws one to fifty valid changes of these records.
fn drawn(records: &BTreeMap<RecordKey, Record>, random: &mut Random) -> Vec<Change> {
    let mut changes = BTreeMap::new();
    for _ in 0..=random.below(50) {
        let n = random.below::<u128>(60);
        let record = match random.below(3) {
            0 => user(n, &format!("user{}", random.next() % 9)),
            _ => membership(n, n % 7, Some(random.below(100))),
        };
        let before = records.get(&record.key()).cloned();
        let after = (before.is_none() || !random.one_in(3)).then_some(record.clone());
        changes.extend(Change::new(before, after).map(|change| (record.key(), change)));
    }
    changes.into_values().collect()
}

fn replay(records: &mut BTreeMap<RecordKey, Record>, changes: &[Change]) {
    for change in changes {
        match change.after() {
            Some(after) => records.insert(change.key(), after.clone()),
            None => records.remove(&change.key()),
        };
    }
}

fn spawn(file: &Path, seed: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::the_child_commits_until_it_is_killed", "--nocapture"]);
    command.env(FILE, file).env(SEED, seed.to_string()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The acknowledged commits of one child, as tenant id, revision and commit id. It is killed some time after it
/// acknowledged this many, however slow the disk is.
fn killed_after(mut child: Child, many: u64, wait: Duration) -> Vec<[u128; 3]> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    // Read its output while it runs, since a full pipe would block it.
    let reader = thread::spawn(move || {
        let whole = |line: String| {
            let mut words = line.split("committed ").nth(1)?.split(' ').map(|word| word.parse().ok());
            Some([words.next()??, words.next()??, words.next()??])
        };
        // Commits that were acknowledged just before the kill count too.
        output.lines().map_while(Result::ok).filter_map(whole).for_each(|commit| sender.send(commit).unwrap_or(()));
    });
    let mut acknowledged: Vec<_> = receiver.iter().take(many.try_into().unwrap()).collect();
    assert_eq!(acknowledged.len() as u64, many, "the child failed");
    thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    acknowledged.extend(receiver.try_iter());
    acknowledged
}

/// Checks everything. Returns how many commits were applied and not acknowledged.
fn verify(file: &Path, acknowledged: &[[u128; 3]], round: &str) -> usize {
    let store = open(file);
    let mut unacknowledged = 0;
    for n in 1..=TENANTS {
        let acknowledged: BTreeMap<u128, u128> =
            acknowledged.iter().filter(|t| t[0] == n).map(|t| (t[1], t[2])).collect();
        let Some((records, latest)) = loaded(&store, tenant_id(n)).unwrap() else {
            assert!(acknowledged.is_empty(), "{round}: an acknowledged creation is lost");
            continue;
        };
        assert_eq!(found(&store, &format!("tenant-{n}")).unwrap(), Some(tenant_id(n)), "{round}");
        let Since::Commits(commits) = since(&store, at(tenant_id(n), 1, n)).unwrap() else {
            panic!("{round}: the history is missing")
        };
        let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision.number()).collect();
        assert_eq!(revisions, (2..=latest.revision.number()).collect::<Vec<_>>(), "{round}: a gap in the history (S7)");
        let mut replayed = BTreeMap::from([tenant(&format!("tenant-{n}"))].map(|record| (record.key(), record)));
        let mut found = BTreeMap::from([(1, n)]);
        for commit in commits {
            replay(&mut replayed, &commit.changes);
            found.insert(commit.revision.number().into(), commit.envelope.id.as_uuid().as_u128());
        }
        assert!(
            acknowledged.iter().all(|(revision, id)| found.get(revision) == Some(id)),
            "{round}: an acknowledged commit is lost"
        );
        let mut records = records;
        records.sort_by_key(Record::key);
        assert!(records.into_iter().eq(replayed.into_values()), "{round}: a commit was applied in part (S4)");
        unacknowledged += found.len() - acknowledged.len();
    }
    unacknowledged
}

fn killed(times: u32, seed: u64) {
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants");
    let mut random = Random(seed);
    let (mut acknowledged, mut found, mut between, mut idle) = (Vec::new(), 0, 0, 0);
    for kill in 0..times {
        // Every fifth is killed while it starts, creates or recovers the file, or at its first commits.
        let (many, wait) = if kill % 5 == 4 { (0, 60_000) } else { (1 + random.below::<u64>(20), 12_000) };
        let wait = Duration::from_micros(random.below(wait));
        let before = acknowledged.len();
        acknowledged.extend(killed_after(spawn(&file, seed + u64::from(kill) * 1000), many, wait));
        let round = format!("seed {seed}, kill {kill} after {many} commits and {wait:?}");
        idle += u32::from(acknowledged.len() == before);
        let unacknowledged = if file.exists() { verify(&file, &acknowledged, &round) } else { 0 };
        assert!(unacknowledged <= found + 1, "{round}: only the pending commit may be unacknowledged");
        between += unacknowledged - found;
        found = unacknowledged;
    }
    println!(
        "{} commits acknowledged, {idle} of {times} kills before the first, {between} between commit and acknowledgement",
        acknowledged.len()
    );
    assert!(acknowledged.len() >= 4 * times as usize, "the load was too low: {} commits", acknowledged.len());
    assert!(
        times < 50 || (between > 0 && idle > 0),
        "no kill hit these phases: {between} between, {idle} at the start"
    );
}

#[test]
fn s4_s7_a_few_kills_lose_no_acknowledged_commit_and_leave_none_in_part() {
    killed(5, 1);
}

#[test]
#[ignore = "long"]
fn s4_s7_a_hundred_kills_lose_no_acknowledged_commit_and_leave_none_in_part() {
    killed(100, 2);
}
