//! A custom store on one page: a log, to which each commit is appended.
//!
//! ```sh
//! cargo run --example custom_store --features conformance
//! ```
//!
//! Read it from the top: the implementation of the contract ([`LogStore`]), its state in memory ([`Tenants`]), the file
//! ([`Log`]), and the format of the log ([`read`]). The tests, with the conformance suite, are in
//! `custom_store/checks.rs`.
//!
//! The design, and the differences in a store for production:
//!
//! - **Records.** Each record of the log is one commit as JSON, with checksums. The store syncs it before any reader
//!   sees the commit. It keeps everything in memory, history included. *In production*: write a snapshot now and then
//!   and start a new log after it. Keep only the last few thousand commits (S14). Copy nothing under the lock during a
//!   load.
//! - **Crashes.** A log that ends within a record was cut short by a crash. That commit was never acknowledged, so the
//!   store cuts it off. A complete record with a wrong checksum may have been acknowledged, so opening the log returns
//!   an error. This has a price. If a file system keeps the length of the file and loses its last bytes in a loss of
//!   power, a person must repair the log. And a log that somebody has shortened looks like a crash. *In production*:
//!   record the length of the synced log in a second place.
//! - **Threads.** A commit is written and synced on the thread that polls it. That suits `blocking`, but would block a
//!   worker of a runtime for milliseconds. *In production*: a separate thread that receives copies of commits and syncs
//!   many together.
//! - **Processes.** A lock file ensures that one process at a time opens the log. A killed process leaves it behind,
//!   and a person must remove it. *In production*: a lock that ends with its process, such as `File::try_lock`, which
//!   needs a newer Rust than this crate does.

#[path = "custom_store/checks.rs"]
mod checks;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rolecall::records::{Change, CommitId, Envelope, Position, Record, RecordKey, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::LinkState;
use rolecall::store::{Base, Commit, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};

fn main() -> Result<(), Box<dyn Error>> {
    checks::all()
}

/// Keeps tenants in a log. A clone is a second connection (S13). Dropping the last one closes the file.
///
/// Every call runs under one lock (S5, S12). No call awaits anything, so a dropped future has no effect (S11).
#[derive(Clone)]
struct LogStore(Arc<Mutex<Log>>);

impl LogStore {
    /// Opens a log. Creates it if it does not exist.
    fn open(path: &Path) -> io::Result<Self> {
        Log::open(path).map(|log| Self(Arc::new(Mutex::new(log))))
    }

    /// Locks the log. After a panic, memory and file may differ, so all later calls return an error.
    fn log(&self) -> Result<MutexGuard<'_, Log>, StoreError> {
        self.0.lock().map_err(|_| StoreError::unavailable("a call panicked: open the log again"))
    }
}

impl Store for LogStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        Ok(self.log()?.tenants.slugs.get(slug).copied())
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let listed =
            |(slug, tenant_id): (&TenantSlug, &TenantId)| TenantSummary { tenant_id: *tenant_id, slug: slug.clone() };
        Ok(self.log()?.tenants.slugs.range::<TenantSlug, _>((from, Bound::Unbounded)).take(limit).map(listed).collect())
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        // One state (S2). It is copied, since a slow sink would block all other calls. The keys have the order in which
        // a load must push.
        let (at, records): (Position, Vec<Record>) = {
            let log = self.log()?;
            let Some(tenant) = log.tenants.get(tenant_id)? else { return Ok(None) };
            (tenant.at, tenant.records.values().cloned().collect())
        };
        for record in records {
            sink.push(record).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let mut log = self.log()?;
        let revision = log.tenants.validate(commit.base, commit.changes)?;
        // JSON can be read with any editor and without this crate.
        let text = serde_json::to_vec(&(commit.base, commit.envelope, commit.changes)).map_err(StoreError::corrupt)?;
        log.append(commit.envelope.id, &framed(&text)?)?;
        // The commit is durable, so readers may see it.
        let Commit { base, envelope, changes } = commit;
        log.tenants.apply(base, StoredCommit { revision, envelope: envelope.clone(), changes: changes.to_vec() });
        Ok(revision)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let log = self.log()?;
        let Some(tenant) = log.tenants.get(at.tenant_id)? else { return Ok(Since::Deleted) };
        let known =
            tenant.commits.iter().rposition(|past| (past.revision, past.envelope.id) == (at.revision, at.commit));
        let after = known.and_then(|known| tenant.commits.get(known + 1..));
        Ok(after.map_or(Since::TooOld, |after| Since::Commits(after.to_vec())))
    }
}

/// The tenants in a log.
#[derive(Debug, Default, PartialEq)]
struct Tenants {
    /// `None` for deleted tenants. Their ids are kept forever (S1).
    by_id: HashMap<TenantId, Option<Tenant>>,
    slugs: BTreeMap<TenantSlug, TenantId>,
}

#[derive(Debug, PartialEq)]
struct Tenant {
    at: Position,
    records: BTreeMap<RecordKey, Record>,
    /// All commits since the creation.
    commits: Vec<StoredCommit>,
    /// Whether a later version has written a record that this version cannot read.
    newer: bool,
}

impl Tenant {
    fn slug(&self) -> Option<&TenantSlug> {
        self.records.get(&RecordKey::Tenant).and_then(slug_in)
    }
}

fn slug_in(record: &Record) -> Option<&TenantSlug> {
    if let Record::Tenant(tenant) = record { Some(&tenant.slug) } else { None }
}

impl Tenants {
    fn get(&self, tenant_id: TenantId) -> Result<Option<&Tenant>, StoreError> {
        match self.by_id.get(&tenant_id) {
            Some(Some(tenant)) if tenant.newer => {
                Err(StoreError::unsupported_record("written by a later version (S10)"))
            }
            Some(Some(tenant)) => Ok(Some(tenant)),
            Some(None) | None => Ok(None),
        }
    }

    /// Validates a commit and returns its revision. Changes nothing.
    fn validate(&self, base: Base, changes: &[Change]) -> Result<Revision, StoreError> {
        let tenant_id = base.tenant_id();
        let (revision, tenant) = match (self.by_id.get(&tenant_id), base) {
            (None, Base::Create(_)) => (Revision::FIRST, None),
            (None, Base::At(_)) | (Some(None), _) => return Err(StoreError::Deleted),
            (Some(Some(tenant)), _) => {
                if base != Base::At(tenant.at) {
                    return Err(StoreError::Conflict { actual: tenant.at.revision });
                }
                (tenant.at.revision.next(), Some(tenant))
            }
        };
        let slug = changes.iter().find_map(|change| change.after().and_then(slug_in));
        if slug.and_then(|slug| self.slugs.get(slug)).is_some_and(|holder| *holder != tenant_id) {
            return Err(StoreError::SlugTaken);
        }
        // An authorizer sends only valid changes. But a record stays in the log forever, so validate it anyway.
        let exists = |key| tenant.is_some_and(|tenant| tenant.records.contains_key(&key));
        if changes.iter().any(|change| change.before().is_some() != exists(change.key())) {
            return Err(StoreError::corrupt("change of a missing record, or addition of an existing one"));
        }
        if tenant.is_none() && slug.is_none() && !changes.is_empty() {
            return Err(StoreError::corrupt("creation without a tenant record"));
        }
        Ok(revision)
    }

    /// Applies a valid commit.
    fn apply(&mut self, base: Base, commit: StoredCommit) {
        let tenant_id = base.tenant_id();
        let at = Position { tenant_id, revision: commit.revision, commit: commit.envelope.id };
        let created = || Tenant { at, records: BTreeMap::new(), commits: Vec::new(), newer: false };
        let mut tenant = self.by_id.remove(&tenant_id).flatten().unwrap_or_else(created);
        if let Some(slug) = tenant.slug() {
            self.slugs.remove(slug);
        }
        tenant.at = at;
        for change in &commit.changes {
            match change.after() {
                Some(record) => tenant.records.insert(change.key(), record.clone()),
                None => tenant.records.remove(&change.key()),
            };
        }
        tenant.commits.push(commit);
        // Without a tenant record the tenant is deleted: the commit removed it, or was an empty creation (S1).
        let slug = tenant.slug().cloned();
        self.by_id.insert(tenant_id, slug.is_some().then_some(tenant));
        self.slugs.extend(slug.map(|slug| (slug, tenant_id)));
    }
}

/// The file and its contents.
struct Log {
    tenants: Tenants,
    disk: Disk,
    /// The length of the file that is known to be written and synced.
    end: u64,
    /// The commit that may be in the file after `end`, whole or in part.
    in_doubt: Option<CommitId>,
    _lock: Lock,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let lock = Lock::take(path)?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let broken = |broken| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {broken}", path.display()));
        let (tenants, whole) = read(&bytes).map_err(broken)?;
        let end = u64::try_from(whole).map_err(io::Error::other)?;
        let mut log =
            Self { tenants, disk: Disk { file, link: LinkState::Connected }, end, in_doubt: None, _lock: lock };
        // Cut off an incomplete record. This also syncs what a killed process wrote, before any reader sees it.
        log.cut()?;
        if end == 0 {
            log.write(MAGIC)?;
        }
        // Sync the name of the file too. Other systems do this themselves and cannot open a folder.
        if cfg!(unix) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(log)
    }

    /// Appends a record durably, or returns what happened to it (S6).
    fn append(&mut self, commit: CommitId, record: &[u8]) -> Result<(), StoreError> {
        if let Some(in_doubt) = self.in_doubt {
            // Cut off the rest of the earlier record first: this one would make it permanent. If the earlier record
            // is the same commit, it is still in doubt.
            let failure = if in_doubt == commit { StoreError::InDoubt } else { StoreError::Unavailable };
            self.cut().map_err(|error| failure(error.into()))?;
        }
        self.in_doubt = Some(commit);
        if let Err(error) = self.write(record) {
            // The record may be in the file, whole or in part. Syncing again does not help: a system may drop what it
            // could not write and report success. But once the record is cut off, the commit certainly failed.
            return Err(match self.cut() {
                Ok(()) => StoreError::unavailable(error),
                Err(_) => StoreError::in_doubt(error),
            });
        }
        self.in_doubt = None;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(self.end, bytes)?;
        self.end += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.disk.cut(self.end)?;
        self.in_doubt = None;
        Ok(())
    }
}

/// A file that fails on command. A production store has this in its tests only.
struct Disk {
    file: File,
    link: LinkState,
}

impl Disk {
    /// Writes and syncs.
    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        if self.link == LinkState::RequestsLost {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            self.file.write_all(half)?;
            return Err(io::Error::other("the disk is full"));
        }
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.respond()
    }

    /// Truncates the file, and syncs.
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.respond()?;
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    fn respond(&self) -> io::Result<()> {
        if self.link == LinkState::ResponsesLost { Err(io::Error::other("the disk does not respond")) } else { Ok(()) }
    }
}

/// A file beside the log that exists while a process has the log open.
struct Lock(PathBuf);

impl Lock {
    fn take(log: &Path) -> io::Result<Self> {
        let mut path = log.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let mut file = File::create_new(&path).map_err(|error| {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let reason =
                format!("{error}: process {} has opened the log; if it was killed, remove this file", holder.trim());
            io::Error::new(error.kind(), format!("{}: {reason}", path.display()))
        })?;
        let lock = Self(path);
        writeln!(file, "{}", std::process::id()).map(|()| lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it cannot be removed, the next opening reports it.
        let _ = fs::remove_file(&self.0);
    }
}

/// The first bytes of a log. Without them, another file would look like an incomplete log and be cut.
const MAGIC: &[u8] = b"rolecall log 1\n";

/// Reads a log. Returns its tenants and the length of its complete records. Nothing follows them, except a record that a
/// crash cut short.
fn read(log: &[u8]) -> Result<(Tenants, usize), String> {
    let mut tenants = Tenants::default();
    let Some(mut rest) = log.strip_prefix(MAGIC) else {
        let torn = MAGIC.starts_with(log);
        return if torn { Ok((tenants, 0)) } else { Err("not a log of tenants".to_owned()) };
    };
    loop {
        let at = log.len() - rest.len();
        let Some(text) = take_record(&mut rest).map_err(|broken| format!("at byte {at}: {broken}"))? else {
            return Ok((tenants, at));
        };
        replay(&mut tenants, text).map_err(|broken| format!("at byte {at}: {broken}"))?;
    }
}

/// Applies a commit of the log again, with the same validation as before. So a lost or repeated record is an error.
fn replay(tenants: &mut Tenants, text: &[u8]) -> Result<(), Box<dyn Error>> {
    let (base, envelope, texts): (Base, Envelope, Vec<serde_json::Value>) = serde_json::from_slice(text)?;
    // The checksum is right, so a later version has written a change that cannot be read. The log still keeps it.
    let all = texts.len();
    let changes: Vec<Change> = texts.into_iter().filter_map(|change| serde_json::from_value(change).ok()).collect();
    let newer = changes.len() < all;
    let revision = tenants.validate(base, &changes)?;
    tenants.apply(base, StoredCommit { revision, envelope, changes });
    if let Some(Some(tenant)) = tenants.by_id.get_mut(&base.tenant_id()) {
        tenant.newer |= newer;
    }
    Ok(())
}

/// Encodes a record of the log: the length of the text, its checksum, the text, its checksum. Without the first checksum,
/// a wrong length would make the rest of the log look incomplete.
fn framed(text: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = u32::try_from(text.len()).map_err(|_| StoreError::too_large("4 GiB or more"))?.to_le_bytes();
    Ok([&length, &crc32(&length).to_le_bytes(), text, &crc32(text).to_le_bytes()].concat())
}

/// Removes the first record and returns its text. Returns `None` for an incomplete record.
fn take_record<'a>(log: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let Some((length, rest)) = log.split_first_chunk::<4>() else { return Ok(None) };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if crc32(length).to_le_bytes() != *check {
        return Err("checksum of a length does not match");
    }
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| "record does not fit into memory")?;
    let Some((text, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if crc32(text).to_le_bytes() != *check {
        return Err("checksum of a text does not match");
    }
    *log = rest;
    Ok(Some(text))
}

/// Computes the usual CRC-32. It detects every change within four neighbouring bytes. It does not stop an attacker.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0xEDB8_8320 })
    })
}
