//! What `custom_store.rs` is put through: a day, a disk that fails, every crash, every flipped bit, a later version, a
//! process that is killed, and the conformance suite.
//!
//! Not tried: a machine that loses its power. That a sync is one is believed, not seen.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall::blocking::Authorizer;
use rolecall::records::{CommitId, TenantId};
use rolecall::store::conformance::{self, Fixture, LinkState, Problem, Task};
use rolecall::store::{Base, Commit, Store, StoreError};
use rolecall::{ErrorKind, Timestamp, Window};

use super::{LogStore, framed, read};

/// All of it. The same program, told to, is the process that is killed.
pub(super) fn all() -> Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return commit_for_ever(Path::new(&path));
    }
    let folder = Folder::new("day", std::env::temp_dir())?;
    let log = a_day(&folder.file("day"))?;
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

/// A tenant is made, closed, torn and found again. What the log was in the end is handed on.
fn a_day(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    {
        let store = LogStore::open(path)?;
        let acme = over(store.clone()).create_tenant("acme", "Acme Corp")?;
        let spring = Window::until(Timestamp::from_secs(1_800_000_000)?);
        acme.update(|tx| {
            tx.set_actor("people-ops")?.set_note("the first day")?;
            tx.create_permission("posts:write")?;
            tx.create_role("editor")?.grant("posts:*")?;
            tx.create_group("guests")?.set_description("Those who\n\tcome and go")?;
            tx.create_user("alice")?.assign("editor")?;
            tx.create_user("Bob ")?.assign_during("editor", spring)?.join_during("guests", spring)?.suspend().map(drop)
        })?;
        assert!(acme.check("alice", "posts:write"));
        assert!(said_is_kept(&store, path)?);
        println!("while it is open: {}", LogStore::open(path).err().ok_or("a log was opened twice")?);
    }
    println!("opened again: {}", over(LogStore::open(path)?).tenant("acme")?.explain("alice", "posts:write"));

    // A process died while it appended: half of a record is there.
    let before = fs::read(path)?;
    fs::write(path, [&before, framed(b"never answered")?.split_at(15).0].concat())?;
    let store = LogStore::open(path)?;
    assert_eq!(fs::read(path)?, before);
    let acme = over(store.clone()).tenant("acme")?;
    assert!(acme.check("alice", "posts:write"));
    acme.update(|tx| tx.delete_user("alice"))?;
    assert!(said_is_kept(&store, path)?);
    println!("torn, opened and written to: {}", acme.explain("alice", "posts:write"));
    Ok(fs::read(path)?)
}

/// What is answered from memory is what the next one to open the log will read, and nothing stands behind that.
fn said_is_kept(store: &LogStore, path: &Path) -> Result<bool, Box<dyn Error>> {
    let log = fs::read(path)?;
    let (tenants, end) = read(&log)?;
    Ok(end == log.len() && tenants == store.log()?.tenants)
}

/// Half of a record is written and the rest refused; or all of it, and nobody hears. What is told is true, and is still
/// true for those who open the log later (S6).
fn a_failing_disk(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = LogStore::open(path)?;
    let acme = over(store.clone()).create_tenant("acme", "Acme Corp")?;
    for (link, kind) in
        [(LinkState::RequestsLost, ErrorKind::Unavailable), (LinkState::AnswersLost, ErrorKind::InDoubt)]
    {
        store.log()?.disk.link = link;
        let failed = acme.update(|tx| tx.create_user("a-long-name-that-fails").map(drop)).err().ok_or("it landed")?;
        assert_eq!(failed.kind(), kind, "{failed}");
        println!("{link:?}: {failed}");
        // What is in doubt stands in the log, and a process that opened it now would find it.
        assert_eq!(said_is_kept(&store, path)?, kind == ErrorKind::Unavailable);
        // Whatever is left of it, the next commit does not make that a part of the log.
        store.log()?.disk.link = LinkState::Whole;
        over(store.clone()).tenant("acme")?.update(|tx| tx.create_user(&format!("{link:?}")).map(drop))?;
        assert!(said_is_kept(&store, path)?);
        acme.refresh()?;
    }

    // What is sent again is as much in doubt as before; what is sent after it was certainly not written.
    store.log()?.disk.link = LinkState::AnswersLost;
    let (tenant_id, other) = (TenantId::random(), TenantId::random());
    let (tenants, _) = read(&fs::read(path)?)?;
    let last = tenants.lives.values().flatten().find_map(|tenant| tenant.commits.last());
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

/// A crash leaves any beginning of the log. Each says what its whole records say, and no more.
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
    println!("{} beginnings of the log, {records} of them whole: each says what it should", log.len() + 1);
    Ok(())
}

/// No bit of the log can be another one without being found.
fn flipped_bits(log: &[u8]) -> Result<(), Box<dyn Error>> {
    for place in 0..log.len() {
        for bit in 0..8 {
            let mut broken = log.to_vec();
            *broken.get_mut(place).ok_or("a place outside of the log")? ^= 1 << bit;
            assert!(read(&broken).is_err(), "bit {bit} of byte {place}");
        }
    }
    println!("{} flipped bits: each was found", 8 * log.len());
    Ok(())
}

/// A kind of record that a later version has written (S10) is not dropped: its tenant is refused, and no other.
fn a_later_version(path: &Path, log: &[u8]) -> Result<(), Box<dyn Error>> {
    let (tenants, _) = read(log)?;
    let acme = tenants.lives.values().flatten().next().ok_or("the day left no tenant")?;
    let envelope = acme.commits.last().map(|last| &last.envelope);
    let change = serde_json::json!({"before": null, "after": {"Robot": {"id": 1}}});
    let text = serde_json::to_vec(&(Base::At(acme.at), envelope, [change]))?;
    let later = [log, &framed(&text)?].concat();
    fs::write(path, &later)?;
    let authorizer = over(LogStore::open(path)?);
    authorizer.create_tenant("beta", "Beta")?;
    let refused = authorizer.tenant("acme").err().ok_or("a tenant was opened without its robots")?;
    assert_eq!(refused.kind(), ErrorKind::UnsupportedRecord);
    assert_eq!(authorizer.tenants(None, 3)?.len(), 2);
    assert!(fs::read(path)?.starts_with(&later));
    println!("from a later version: {refused}");
    Ok(())
}

/// A process dies while it commits. What it was told to have landed has, and at most the next one beside it (S4).
fn a_killed_process(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg(path).stdout(Stdio::piped()).spawn()?;
    let mut told = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    let first: Vec<String> = told.by_ref().take(20).collect::<io::Result<_>>()?;
    child.kill()?;
    child.wait()?;
    let last = told.last().transpose()?.or(first.last().cloned()).ok_or("it was never told anything")?;

    let refused = LogStore::open(path).err().ok_or("the lock of a dead process was overlooked")?;
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    fs::remove_file(path.with_extension("log.lock"))?;
    let acme = over(LogStore::open(path)?).tenant("acme")?;
    let (last, found) = (last.parse::<u64>()?, acme.revision().number());
    assert!(found == last || found == last + 1, "{found} was found after {last}");
    assert!(acme.now().user(format!("user-{last}").as_str()).is_some());
    println!("killed when it was told of revision {last}: {found} was found");
    Ok(())
}

fn commit_for_ever(path: &Path) -> Result<(), Box<dyn Error>> {
    let acme = over(LogStore::open(path)?).create_tenant("acme", "Acme Corp")?;
    loop {
        let name = format!("user-{}", acme.revision().next());
        println!("{}", acme.update(|tx| tx.create_user(&name).map(drop))?.revision);
    }
}

/// A folder that is removed with what is in it.
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

    async fn fresh(&self) -> Result<LogStore, Problem> {
        // Some cases leave megabytes; the file of the case before has been done with.
        let _ = fs::remove_file(self.present());
        self.case.fetch_add(1, Ordering::Relaxed);
        Ok(LogStore::open(&self.present())?)
    }

    async fn second_connection(&self, store: &LogStore) -> Result<Option<LogStore>, Problem> {
        Ok(Some(store.clone()))
    }

    async fn reopen(&self, store: LogStore) -> Result<Option<LogStore>, Problem> {
        drop(store);
        Ok(Some(LogStore::open(&self.present())?))
    }

    async fn run_at_once(&self, tasks: Vec<Task>) -> Result<(), Problem> {
        conformance::on_threads(tasks)
    }

    async fn set_link(&self, store: &LogStore, link: LinkState) -> Result<bool, Problem> {
        store.log()?.disk.link = link;
        Ok(true)
    }
}

/// The suite makes thousands of commits and cannot see whether a sync is one: where there is a file system in memory, it
/// takes seconds instead of minutes.
fn the_contract() -> Result<(), Box<dyn Error>> {
    let in_memory = PathBuf::from("/dev/shm");
    let parent = if in_memory.is_dir() { in_memory } else { std::env::temp_dir() };
    let report = conformance::run_blocking(&Folder::new("suite", parent)?);
    if !report.all_passed() {
        println!("{report}");
    }
    println!("conformance: {}", report.summary());
    // What was not tried is not known: here everything can be.
    if report.all_passed() { Ok(()) } else { Err("the store does not keep the contract, or nobody has seen it".into()) }
}
