//! A store of one's own, small enough to be read at once: a log, to which each commit is appended.
//!
//! ```sh
//! cargo run --example custom_store --features conformance
//! ```
//!
//! Read it from the top: the store as the contract sees it ([`LogStore`]), what it keeps in memory ([`Tenants`]), the
//! file ([`Log`]), the text of the log ([`read`]). What it is put through, the conformance suite at last, is in
//! `custom_store/checks.rs`.
//!
//! What was chosen, and what a store for production would do otherwise:
//!
//! - Each record of the log is one commit as JSON, with checksums. It is synced before the commit is shown to anybody.
//!   What the log says is kept in memory, history included. *Otherwise*: a snapshot now and then, and a log that begins
//!   anew after it; the last few thousand commits only (S14); a load that copies nothing under the lock.
//! - A log that ends within a record was torn by a crash. Nobody was told of that commit, and it is cut off. A record
//!   that has its length and not its checksum is an error, and nothing is opened: it may have been answered. The price
//!   is that a power cut in which the file system kept the file's length and lost its last bytes leaves a log that a
//!   person has to look at; and a log that somebody has shortened looks torn. *Otherwise*: how far the log is synced is
//!   written down in a second place.
//! - A commit is written and synced on the thread that polls it. That suits `blocking`; it would hold up a worker of a
//!   runtime for milliseconds. *Otherwise*: a thread of the store's own, which gets copies of commits and syncs many at
//!   once.
//! - One process at a time has the log, by a lock file. One that is killed leaves it behind for a person to remove.
//!   *Otherwise*: a lock that dies with its process, such as `File::try_lock`, which is younger than the Rust that this
//!   crate promises.

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

/// Keeps tenants in a log. A clone is a second connection (S13); the last one gives the file free.
///
/// Every call runs under one lock (S5, S12). No call awaits anything, so a dropped future did nothing (S11).
#[derive(Clone)]
struct LogStore(Arc<Mutex<Log>>);

impl LogStore {
    /// Opens a log, or begins one where there is none.
    fn open(path: &Path) -> io::Result<Self> {
        Log::open(path).map(|log| Self(Arc::new(Mutex::new(log))))
    }

    /// After a panic, memory and file may differ: return nothing from memory.
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
        // One state (S2), copied, since a sink may be slow and the lock keeps everybody waiting. Keys are in the order
        // in which a load is to push.
        let (at, records): (Position, Vec<Record>) = {
            let log = self.log()?;
            let Some(tenant) = log.tenants.living(tenant_id)? else { return Ok(None) };
            (tenant.at, tenant.records.values().cloned().collect())
        };
        for record in records {
            sink.push(record).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let mut log = self.log()?;
        let revision = log.tenants.admit(commit.base, commit.changes)?;
        // A record may be looked at with any editor, and read without this crate.
        let text = serde_json::to_vec(&(commit.base, commit.envelope, commit.changes)).map_err(StoreError::corrupt)?;
        log.append(commit.envelope.id, &framed(&text)?)?;
        // Durable, so it may be shown.
        let Commit { base, envelope, changes } = commit;
        log.tenants.apply(base, StoredCommit { revision, envelope: envelope.clone(), changes: changes.to_vec() });
        Ok(revision)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let log = self.log()?;
        let Some(tenant) = log.tenants.living(at.tenant_id)? else { return Ok(Since::Deleted) };
        let known =
            tenant.commits.iter().rposition(|past| (past.revision, past.envelope.id) == (at.revision, at.commit));
        let after = known.and_then(|known| tenant.commits.get(known + 1..));
        Ok(after.map_or(Since::TooOld, |after| Since::Commits(after.to_vec())))
    }
}

/// The tenants in a log.
#[derive(Debug, Default, PartialEq)]
struct Tenants {
    /// `None` for deleted tenants, which are remembered forever (S1).
    by_id: HashMap<TenantId, Option<Tenant>>,
    slugs: BTreeMap<TenantSlug, TenantId>,
}

#[derive(Debug, PartialEq)]
struct Tenant {
    at: Position,
    records: BTreeMap<RecordKey, Record>,
    /// Since the creation.
    commits: Vec<StoredCommit>,
    /// Whether a later version has committed what this one cannot read.
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
    fn living(&self, tenant_id: TenantId) -> Result<Option<&Tenant>, StoreError> {
        match self.by_id.get(&tenant_id) {
            Some(Some(tenant)) if tenant.newer => {
                Err(StoreError::unsupported_record("written by a later version (S10)"))
            }
            Some(Some(tenant)) => Ok(Some(tenant)),
            Some(None) | None => Ok(None),
        }
    }

    /// Whether a commit may be made now, and the revision that it makes. Nothing is changed yet.
    fn admit(&self, base: Base, changes: &[Change]) -> Result<Revision, StoreError> {
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
        // An authorizer sends nothing else; but what is in a log is there for good.
        let is_there = |key| tenant.is_some_and(|tenant| tenant.records.contains_key(&key));
        if changes.iter().any(|change| change.before().is_some() != is_there(change.key())) {
            return Err(StoreError::corrupt("a change of what is not there, or an addition of what is"));
        }
        if tenant.is_none() && slug.is_none() && !changes.is_empty() {
            return Err(StoreError::corrupt("a creation without a tenant record"));
        }
        Ok(revision)
    }

    /// Makes the changes of a commit that was admitted.
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

/// The file, and what it says.
struct Log {
    tenants: Tenants,
    disk: Disk,
    /// How far the file is known to be written and synced.
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
        // What was torn goes. And what a process wrote that was killed before it synced is synced before it is shown.
        log.cut()?;
        if end == 0 {
            log.write(BEGINNING)?;
        }
        // A file whose name is lost is lost. Elsewhere a folder cannot be opened, and the system sees to it.
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
            // A part of it may be in the file, or all of it. Syncing once more is no answer: a system may forget what it
            // could not write, and report success. Cut off, it certainly did not happen.
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
        self.answer()
    }

    /// Truncates the file, and syncs.
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.answer()?;
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    fn answer(&self) -> io::Result<()> {
        if self.link == LinkState::ResponsesLost { Err(io::Error::other("the disk does not answer")) } else { Ok(()) }
    }
}

/// A file beside the log, as long as a process has the log open.
struct Lock(PathBuf);

impl Lock {
    fn take(log: &Path) -> io::Result<Self> {
        let mut path = log.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let mut file = File::create_new(&path).map_err(|error| {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let reason = format!("{error}; process {} has the log, or died: then remove it", holder.trim());
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

/// What a log begins with: another file is not to be taken for a torn log, and cut.
const BEGINNING: &[u8] = b"rolecall log 1\n";

/// Reads a log. Returns its tenants and the length of its complete records. After those there is nothing, or a record
/// that a crash cut short.
fn read(log: &[u8]) -> Result<(Tenants, usize), String> {
    let mut tenants = Tenants::default();
    let Some(mut rest) = log.strip_prefix(BEGINNING) else {
        let torn = BEGINNING.starts_with(log);
        return if torn { Ok((tenants, 0)) } else { Err("this is not a log of tenants".to_owned()) };
    };
    loop {
        let at = log.len() - rest.len();
        let Some(text) = take_record(&mut rest).map_err(|broken| format!("at byte {at}: {broken}"))? else {
            return Ok((tenants, at));
        };
        replay(&mut tenants, text).map_err(|broken| format!("at byte {at}: {broken}"))?;
    }
}

/// Makes a commit of the log once more, with the same doubts as at first: a lost or doubled record is found, too.
fn replay(tenants: &mut Tenants, text: &[u8]) -> Result<(), Box<dyn Error>> {
    let (base, envelope, texts): (Base, Envelope, Vec<serde_json::Value>) = serde_json::from_slice(text)?;
    // The checksum is right, so a change that cannot be read is one of a kind that came later. The log keeps it whole.
    let all = texts.len();
    let changes: Vec<Change> = texts.into_iter().filter_map(|change| serde_json::from_value(change).ok()).collect();
    let newer = changes.len() < all;
    let revision = tenants.admit(base, &changes)?;
    tenants.apply(base, StoredCommit { revision, envelope, changes });
    if let Some(Some(tenant)) = tenants.by_id.get_mut(&base.tenant_id()) {
        tenant.newer |= newer;
    }
    Ok(())
}

/// A record of the log: its length, the checksum of that, its text, the checksum of that. Without the first checksum, a
/// wrong length would make all that follows look torn.
fn framed(text: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = u32::try_from(text.len()).map_err(|_| StoreError::too_large("4 GiB or more"))?.to_le_bytes();
    Ok([&length, &crc32(&length).to_le_bytes(), text, &crc32(text).to_le_bytes()].concat())
}

/// Takes the first record off, and hands on its text; nothing if there is less than a record.
fn take_record<'a>(log: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let Some((length, rest)) = log.split_first_chunk::<4>() else { return Ok(None) };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if crc32(length).to_le_bytes() != *check {
        return Err("the length of a record is broken");
    }
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| "a record is larger than the memory")?;
    let Some((text, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if crc32(text).to_le_bytes() != *check {
        return Err("the text of a record is broken");
    }
    *log = rest;
    Ok(Some(text))
}

/// The usual CRC-32. It finds every change within four neighbouring bytes; against an attacker it is no use.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0xEDB8_8320 })
    })
}
