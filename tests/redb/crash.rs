//! Killed at any instant (S4, S7).
//!
//! A store that acknowledges before the disk has the commit, or writes it in two steps, passes every test that closes its
//! file properly. So a child process commits as fast as it can, tells each acknowledged commit, and is killed; what is
//! found afterwards must be all that it told, at most one commit more, and nothing in part. Killing a process leaves
//! the system's cache: what a loss of power leaves is tested in `src/store/redb/tests.rs`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rolecall::records::{Change, Position, Record, RecordKey};
use rolecall::store::{Base, Since};

use super::common::{Numbers, at, commit, created, found, loaded, membership, open, since, tenant, tenant_id, user};

/// Set in the child: the file, and the seed of what it commits.
const FILE: &str = "ROLECALL_CRASH_FILE";
const SEED: &str = "ROLECALL_CRASH_SEED";

/// How many tenants the child commits to, in turns.
const TENANTS: u128 = 3;

/// Not a test of its own: what the child runs.
#[test]
fn the_child_commits_until_it_is_killed() {
    let (Ok(file), Ok(seed)) = (std::env::var(FILE), std::env::var(SEED)) else { return };
    let store = open(Path::new(&file));
    let mut numbers = Numbers(seed.parse().unwrap());
    let mut states: Vec<(BTreeMap<RecordKey, Record>, Position)> = (1..=TENANTS)
        .map(|n| {
            if let Some((records, at)) = loaded(&store, tenant_id(n)).unwrap() {
                return (records.into_iter().map(|record| (record.key(), record)).collect(), at);
            }
            let at = created(&store, n, &format!("tenant-{n}"), &[]);
            tell(n, at.revision.number(), n);
            ([tenant(&format!("tenant-{n}"))].map(|record| (record.key(), record)).into(), at)
        })
        .collect();
    for turn in 0.. {
        let (records, base) = &mut states[turn % TENANTS as usize];
        let id = u128::from(numbers.next()) << 1 | 1;
        let changes = drawn(records, &mut numbers);
        let revision = commit(&store, Base::At(*base), id, &changes).unwrap();
        *base = at(base.tenant_id, revision.number(), id);
        tell(base.tenant_id.as_uuid().as_u128(), revision.number(), id);
        replay(records, &changes);
    }
}

/// One write of one line: a kill cuts it off or not.
fn tell(tenant_id: u128, revision: u64, commit: u128) {
    std::io::stdout().write_all(format!("told {tenant_id} {revision} {commit}\n").as_bytes()).unwrap();
}

/// One to fifty changes that fit these records.
fn drawn(records: &BTreeMap<RecordKey, Record>, numbers: &mut Numbers) -> Vec<Change> {
    let mut changes = BTreeMap::new();
    for _ in 0..=numbers.below(50) {
        let n = numbers.below::<u128>(60);
        let record = match numbers.below(3) {
            0 => user(n, &format!("user{}", numbers.next() % 9)),
            _ => membership(n, n % 7, Some(numbers.below(100))),
        };
        let before = records.get(&record.key()).cloned();
        let after = (before.is_none() || !numbers.one_in(3)).then_some(record.clone());
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
    // Its output is read while it runs: a full pipe would stop it.
    let reader = thread::spawn(move || {
        let whole = |line: String| {
            let mut words = line.split("told ").nth(1)?.split(' ').map(|word| word.parse().ok());
            Some([words.next()??, words.next()??, words.next()??])
        };
        // The receiver is gone after the kill; what was acknowledged until then counts too.
        output.lines().map_while(Result::ok).filter_map(whole).for_each(|told| sender.send(told).unwrap_or(()));
    });
    let mut told: Vec<_> = receiver.iter().take(many.try_into().unwrap()).collect();
    assert_eq!(told.len() as u64, many, "the child has failed");
    thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    told.extend(receiver.try_iter());
    told
}

/// Checks everything. Returns how many commits were applied and not acknowledged.
fn verify(file: &Path, told: &[[u128; 3]], round: &str) -> usize {
    let store = open(file);
    let mut unacknowledged = 0;
    for n in 1..=TENANTS {
        let told: BTreeMap<u128, u128> = told.iter().filter(|t| t[0] == n).map(|t| (t[1], t[2])).collect();
        let Some((records, latest)) = loaded(&store, tenant_id(n)).unwrap() else {
            assert!(told.is_empty(), "{round}: an acknowledged creation is lost");
            continue;
        };
        assert_eq!(found(&store, &format!("tenant-{n}")).unwrap(), Some(tenant_id(n)), "{round}");
        let Since::Commits(commits) = since(&store, at(tenant_id(n), 1, n)).unwrap() else {
            panic!("{round}: the history is not there")
        };
        let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision.number()).collect();
        assert_eq!(revisions, (2..=latest.revision.number()).collect::<Vec<_>>(), "{round}: no hole (S7)");
        let mut replayed = BTreeMap::from([tenant(&format!("tenant-{n}"))].map(|record| (record.key(), record)));
        let mut found = BTreeMap::from([(1, n)]);
        for commit in commits {
            replay(&mut replayed, &commit.changes);
            found.insert(commit.revision.number().into(), commit.envelope.id.as_uuid().as_u128());
        }
        assert!(
            told.iter().all(|(revision, id)| found.get(revision) == Some(id)),
            "{round}: an acknowledged commit is lost"
        );
        let mut records = records;
        records.sort_by_key(Record::key);
        assert!(records.into_iter().eq(replayed.into_values()), "{round}: a commit is there in part (S4)");
        unacknowledged += found.len() - told.len();
    }
    unacknowledged
}

fn killed(times: u32, seed: u64) {
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants");
    let mut numbers = Numbers(seed);
    let (mut told, mut found, mut between, mut idle) = (Vec::new(), 0, 0, 0);
    for kill in 0..times {
        // Every fifth is killed while it starts, creates or recovers the file, or at its first commits.
        let (many, wait) = if kill % 5 == 4 { (0, 60_000) } else { (1 + numbers.below::<u64>(20), 12_000) };
        let wait = Duration::from_micros(numbers.below(wait));
        let before = told.len();
        told.extend(killed_after(spawn(&file, seed + u64::from(kill) * 1000), many, wait));
        let round = format!("seed {seed}, kill {kill} after {many} commits and {wait:?}");
        idle += u32::from(told.len() == before);
        let unacknowledged = if file.exists() { verify(&file, &told, &round) } else { 0 };
        assert!(unacknowledged <= found + 1, "{round}: only the commit under way may be there unacknowledged");
        between += unacknowledged - found;
        found = unacknowledged;
    }
    println!(
        "{} commits acknowledged, {idle} of {times} kills before the first, {between} between commit and acknowledgement",
        told.len()
    );
    assert!(told.len() >= 4 * times as usize, "the load was too low: {} commits", told.len());
    assert!(times < 50 || (between > 0 && idle > 0), "no kill ever hit there: {between} between, {idle} at the start");
}

#[test]
fn s4_s7_killed_a_few_times_it_has_lost_nothing_and_nothing_is_there_in_part() {
    killed(5, 1);
}

#[test]
#[ignore = "long"]
fn s4_s7_killed_a_hundred_times_it_has_lost_nothing_and_nothing_is_there_in_part() {
    killed(100, 2);
}
