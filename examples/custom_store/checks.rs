//! Tests of `custom_store.rs`: normal use, a failing disk, every truncation, every flipped bit, a later version, a killed
//! process, and the conformance suite.
//!
//! Not tested: a loss of power. The tests cannot see whether a sync reaches the disk.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall::blocking::Authorizer;
use rolecall::records::{CommitId, TenantId};
use rolecall::store::conformance::{self, Fixture, FixtureError, LinkState, Task};
use rolecall::store::{Base, Commit, Store, StoreError};
use rolecall::{ErrorKind, Timestamp, Window};

use super::{LogStore, framed, read};

/// Runs all checks. With an argument, this program is the process that is killed.
pub(super) fn all() -> Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return commit_forever(Path::new(&path));
    }
    let folder = Folder::new("day", std::env::temp_dir())?;
    let log = normal_use(&folder.file("day"))?;
    a_failing_disk(&folder.file("failing"))?;
    crashes(&log)?;
    flipped_bits(&log)?;
    a_later_version(&folder.file("later"), &log)?;
    a_killed_process(&folder.file("killed"))?;
    the_contract()
}

fn over(store: LogStore) -> Authorizer {
    Authorizer::builder().store(store).build()
}

/// Creates, closes and reopens a tenant, also after an incomplete write. Returns the bytes of the log.
fn normal_use(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    {
        let store = LogStore::open(path)?;
        let acme = over(store.clone()).create_tenant("acme", "Acme Corp")?;
        let spring = Window::until(Timestamp::from_secs(4_000_000_000)?);
        acme.update(|tx| {
            tx.set_actor("people-ops")?.set_note("the first day")?;
            tx.create_permission("posts:write")?;
            tx.create_role("editor")?.grant("posts:*")?;
            tx.create_group("guests")?.set_description("Short-term\n\tvisitors")?;
            tx.create_user("alice")?.assign("editor")?;
            tx.create_user("Bob ")?.assign_during("editor", spring)?.join_during("guests", spring)?.suspend()?.done()
        })?;
        assert!(acme.check("alice", "posts:write"));
        assert!(memory_matches_log(&store, path)?);
        println!("opening an open log: {}", LogStore::open(path).err().ok_or("a log was opened twice")?);
    }
    println!("opened again: {}", over(LogStore::open(path)?).tenant("acme")?.explain("alice", "posts:write"));

    // A process was killed while it appended, so half of a record is in the file.
    let before = fs::read(path)?;
    fs::write(path, [&before, framed(b"never acknowledged")?.split_at(15).0].concat())?;
    let store = LogStore::open(path)?;
    assert_eq!(fs::read(path)?, before);
    let acme = over(store.clone()).tenant("acme")?;
    assert!(acme.check("alice", "posts:write"));
    acme.update(|tx| tx.delete_user("alice"))?;
    assert!(memory_matches_log(&store, path)?);
    println!("after an incomplete write: {}", acme.explain("alice", "posts:write"));
    Ok(fs::read(path)?)
}

/// Whether the log and the memory of the store are equal.
fn memory_matches_log(store: &LogStore, path: &Path) -> Result<bool, Box<dyn Error>> {
    let log = fs::read(path)?;
    let (tenants, end) = read(&log)?;
    Ok(end == log.len() && tenants == store.log()?.tenants)
}

/// The disk writes half of a record, or all of it without a response. The reported outcome is true (S6).
fn a_failing_disk(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = LogStore::open(path)?;
    let acme = over(store.clone()).create_tenant("acme", "Acme Corp")?;
    for (link, kind) in
        [(LinkState::RequestsLost, ErrorKind::Unavailable), (LinkState::ResponsesLost, ErrorKind::InDoubt)]
    {
        store.log()?.disk.link = link;
        let failed =
            acme.update(|tx| tx.create_user("a-long-name-that-fails")?.done()).err().ok_or("the commit was applied")?;
        assert_eq!(failed.kind(), kind, "{failed}");
        println!("{link:?}: {failed}");
        // A commit in doubt is in the log: a process that opened it now would find it.
        assert_eq!(memory_matches_log(&store, path)?, kind == ErrorKind::Unavailable);
        // The next commit must not make the failed one permanent.
        store.log()?.disk.link = LinkState::Connected;
        over(store.clone()).tenant("acme")?.update(|tx| tx.create_user(&format!("{link:?}"))?.done())?;
        assert!(memory_matches_log(&store, path)?);
        acme.refresh()?;
    }

    // The same commit, sent again, is still in doubt. Another commit was certainly not written.
    store.log()?.disk.link = LinkState::ResponsesLost;
    let (tenant_id, other) = (TenantId::random(), TenantId::random());
    let (tenants, _) = read(&fs::read(path)?)?;
    let last = tenants.by_id.values().flatten().find_map(|tenant| tenant.commits.last());
    let mut envelope = last.ok_or("nothing was committed")?.envelope.clone();
    let mut answers = Vec::new();
    for tenant_id in [tenant_id, tenant_id, other] {
        envelope.id = CommitId::from_uuid(tenant_id.as_uuid());
        let commit = Commit { base: Base::Create(tenant_id), envelope: &envelope, changes: &[] };
        answers.push(pollster::block_on(store.commit(commit)));
    }
    assert!(matches!(
        answers.as_slice(),
        [Err(StoreError::InDoubt(_)), Err(StoreError::InDoubt(_)), Err(StoreError::Unavailable(_))]
    ));
    Ok(())
}

/// A crash can cut the log anywhere. Its complete records are found, and nothing else.
fn crashes(log: &[u8]) -> Result<(), Box<dyn Error>> {
    let (mut last, mut records) = (read(&[])?, 0);
    for length in 0..=log.len() {
        let found = read(log.split_at(length).0)?;
        if found.1 == length && length > 0 {
            (last, records) = (found, records + 1);
        } else {
            assert_eq!(found, last, "{length} bytes");
        }
    }
    println!("{} lengths of the log, {records} of them after a record: each has the right contents", log.len() + 1);
    Ok(())
}

/// Every flipped bit is detected.
fn flipped_bits(log: &[u8]) -> Result<(), Box<dyn Error>> {
    for place in 0..log.len() {
        for bit in 0..8 {
            let mut broken = log.to_vec();
            *broken.get_mut(place).ok_or("a position outside of the log")? ^= 1 << bit;
            assert!(read(&broken).is_err(), "bit {bit} of byte {place}");
        }
    }
    println!("{} flipped bits: each was detected", 8 * log.len());
    Ok(())
}

/// A tenant with a record of a later version cannot be opened (S10). Other tenants can, and the record is kept.
fn a_later_version(path: &Path, log: &[u8]) -> Result<(), Box<dyn Error>> {
    let (tenants, _) = read(log)?;
    let acme = tenants.by_id.values().flatten().next().ok_or("the log has no tenant")?;
    let envelope = acme.commits.last().map(|last| &last.envelope);
    let change = serde_json::json!({"before": null, "after": {"Robot": {"id": 1}}});
    let text = serde_json::to_vec(&(Base::At(acme.at), envelope, [change]))?;
    let later = [log, &framed(&text)?].concat();
    fs::write(path, &later)?;
    let authorizer = over(LogStore::open(path)?);
    authorizer.create_tenant("beta", "Beta")?;
    let error = authorizer.tenant("acme").err().ok_or("a tenant was opened without a record")?;
    assert_eq!(error.kind(), ErrorKind::UnsupportedRecord);
    assert_eq!(authorizer.tenants(None, 3)?.len(), 2);
    assert!(fs::read(path)?.starts_with(&later));
    println!("from a later version: {error}");
    Ok(())
}

/// Kills a process while it commits. Every acknowledged commit is found, and at most one more (S4).
fn a_killed_process(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg(path).stdout(Stdio::piped()).spawn()?;
    let mut acknowledged = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    let first: Vec<String> = acknowledged.by_ref().take(20).collect::<io::Result<_>>()?;
    child.kill()?;
    child.wait()?;
    let last = acknowledged.last().transpose()?.or(first.last().cloned()).ok_or("no commit was acknowledged")?;

    let error = LogStore::open(path).err().ok_or("the lock of a killed process was ignored")?;
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    fs::remove_file(path.with_extension("log.lock"))?;
    let acme = over(LogStore::open(path)?).tenant("acme")?;
    let (last, found) = (last.parse::<u64>()?, acme.revision().number());
    assert!(found == last || found == last + 1, "{found} was found after {last}");
    assert!(acme.now().user(format!("user-{last}").as_str()).is_some());
    println!("killed after it acknowledged revision {last}: {found} was found");
    Ok(())
}

fn commit_forever(path: &Path) -> Result<(), Box<dyn Error>> {
    let acme = over(LogStore::open(path)?).create_tenant("acme", "Acme Corp")?;
    loop {
        let name = format!("user-{}", acme.revision().next());
        println!("{}", acme.update(|tx| tx.create_user(&name)?.done())?.revision);
    }
}

/// A folder that is removed with its contents.
struct Folder {
    path: PathBuf,
    case: AtomicU32,
}

impl Folder {
    fn new(name: &str, parent: PathBuf) -> io::Result<Self> {
        let path = parent.join(format!("rolecall-{name}-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path, case: AtomicU32::new(0) })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name).with_extension("log")
    }

    fn present(&self) -> PathBuf {
        self.file(&self.case.load(Ordering::Relaxed).to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Fixture for Folder {
    type Store = LogStore;

    async fn fresh(&self) -> Result<LogStore, FixtureError> {
        // Some cases leave megabytes, so remove the file of the previous case.
        let _ = fs::remove_file(self.present());
        self.case.fetch_add(1, Ordering::Relaxed);
        Ok(LogStore::open(&self.present())?)
    }

    async fn second_connection(&self, store: &LogStore) -> Result<Option<LogStore>, FixtureError> {
        Ok(Some(store.clone()))
    }

    async fn reopen(&self, store: LogStore) -> Result<Option<LogStore>, FixtureError> {
        drop(store);
        Ok(Some(LogStore::open(&self.present())?))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        conformance::run_on_threads(tasks)
    }

    async fn set_link(&self, store: &LogStore, link: LinkState) -> Result<bool, FixtureError> {
        store.log()?.disk.link = link;
        Ok(true)
    }
}

/// Runs the conformance suite. It makes thousands of commits and cannot see whether a sync reaches a disk. On a file
/// system in memory it takes seconds instead of minutes.
fn the_contract() -> Result<(), Box<dyn Error>> {
    let in_memory = PathBuf::from("/dev/shm");
    let parent = if in_memory.is_dir() { in_memory } else { std::env::temp_dir() };
    let report = conformance::run_blocking(&Folder::new("suite", parent)?);
    if !report.all_passed() {
        println!("{report}");
    }
    println!("conformance: {}", report.summary());
    // This store can exercise every case, so none may be left out.
    if report.all_passed() { Ok(()) } else { Err("a case failed or was not exercised".into()) }
}
