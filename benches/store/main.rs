//! Times the durable store, compared with redb itself and with the store in memory.
//!
//! It times the commit of one change, and opening and loading an organisation.
//!
//! ```text
//! cargo bench -p rolecall-benches --features redb --bench store                       # S and M
//! ROLECALL_SIZES=S cargo bench -p rolecall-benches --features redb --bench store      # briefly
//! ```
//!
//! The contestants of a table take turns within one run; the table compares their medians. The files are in the folder
//! for temporary files. Where that folder is in memory, the disk costs nothing, so the ratios of commits are at their
//! worst. Deliberately absent: concurrent writers, since redb makes one durable commit at a time.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../common/organisation.rs"]
mod organisation;
#[expect(dead_code, reason = "here the tenant owns the permissions")]
#[path = "../common/records.rs"]
mod records;
#[path = "../common/random.rs"]
mod random;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use pollster::block_on;
use redb::{Database, TableDefinition};
use rolecall::Timestamp;
use rolecall::records::{
    Change, CommitId, Envelope, Fingerprint, Position, Record, Revision, TenantId, TenantRecord, UserId, UserKey,
    UserRecord,
};
use rolecall::store::{Base, Commit, MemoryStore, RedbStore, Sink, Stop, Store};
use uuid::Uuid;

use self::organisation::{L, M, Organisation, S, Size, is_wanted, now};
use self::records::Owner;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for size in [&S, &M, &L].into_iter().filter(|size| is_wanted(size)) {
        one_size(size);
    }
}

fn one_size(size: &'static Size) {
    let (organisation, _) = Organisation::draw(size);
    organisation.print();
    let slug = "acme".parse().unwrap();
    let tenant = Record::Tenant(TenantRecord { slug, name: "Acme".parse().unwrap() });
    let mut all = vec![tenant];
    all.extend(records::of(&organisation, Owner::Tenant));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (memory, durable) = (MemoryStore::with_history(0), RedbStore::open(&path).unwrap());
    let creation = Writer::new();
    let begun = Instant::now();
    let mut on_disk = creation.begin(durable, &all);
    let took = begun.elapsed();
    drop(on_disk.store.take());
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("\n{} records in one creation: {}, a file of {} KiB", all.len(), shown(took), bytes / 1024);
    let begun = Instant::now();
    on_disk.store = Some(RedbStore::open(&path).unwrap());
    println!("opening the file with all checksums verified: {}", shown(begun.elapsed()));

    let mut in_memory = creation.begin(memory, &all);
    loads(size, &all, &in_memory, &on_disk);
    commits(size, folder.path(), &mut in_memory, &mut on_disk);
}

/// Counts records and drops them.
struct Counting(usize);

impl Sink for Counting {
    fn push(&mut self, record: Record) -> Result<(), Stop> {
        self.0 += 1;
        drop(black_box(record));
        Ok(())
    }
}

fn loads(size: &Size, all: &[Record], memory: &Tenant<MemoryStore>, durable: &Tenant<RedbStore>) {
    let bytes: Vec<Vec<u8>> = all.iter().map(|record| postcard::to_allocvec(record).unwrap()).collect();
    let decode = || bytes.iter().for_each(|bytes| drop(black_box(postcard::from_bytes::<Record>(bytes).unwrap())));
    let rounds = if size.users < 10_000 { 51 } else { 11 };
    let mut times = Times::new(&["decoding alone", "MemoryStore", "RedbStore"]);
    for _ in 0..rounds {
        times.measure(0, decode);
        times.measure(1, || memory.load(all.len()));
        times.measure(2, || durable.load(all.len()));
    }
    times.print(&format!("load of {}", size.name), 0);
}

fn commits(size: &Size, folder: &Path, memory: &mut Tenant<MemoryStore>, durable: &mut Tenant<RedbStore>) {
    const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    let raw = Database::create(folder.join("raw")).unwrap();
    let write = |two_phases, row: Option<u64>| {
        let mut writing = raw.begin_write().unwrap();
        writing.set_two_phase_commit(two_phases);
        if let Some(row) = row {
            writing.open_table(ROWS).unwrap().insert(row, &[0; 100][..]).unwrap();
        }
        writing.commit().unwrap();
    };
    let names = [
        "redb, empty, two phases (the floor)",
        "redb, empty, one phase",
        "redb, one row, two phases",
        "redb, one row, one phase",
        "RedbStore, one change",
        "MemoryStore, one change",
    ];
    let mut times = Times::new(&names);
    for round in 0..400 {
        times.measure(0, || write(true, None));
        times.measure(1, || write(false, None));
        times.measure(2, || write(true, Some(2 * round)));
        times.measure(3, || write(false, Some(2 * round + 1)));
        times.measure(4, || durable.add_one());
        times.measure(5, || memory.add_one());
    }
    times.print(&format!("commit at {}", size.name), 0);
}

/// Creates envelopes and the first commit.
struct Writer {
    envelope: Envelope,
}

/// A store with the organisation, and the latest position.
struct Tenant<S> {
    store: Option<S>,
    at: Position,
}

impl Writer {
    fn new() -> Self {
        let catalog = Fingerprint::from_uuid(Uuid::nil());
        let id = CommitId::random();
        Self { envelope: Envelope { id, previous: None, actor: None, at: now(), note: None, catalog } }
    }

    fn begin<S: Store>(&self, store: S, all: &[Record]) -> Tenant<S> {
        let tenant_id = TenantId::random();
        let changes: Vec<Change> = all.iter().cloned().map(Change::added).collect();
        let commit = Commit { base: Base::Create(tenant_id), envelope: &self.envelope, changes: &changes };
        block_on(store.commit(commit)).unwrap();
        Tenant { store: Some(store), at: Position { tenant_id, revision: Revision::FIRST, commit: self.envelope.id } }
    }
}

impl<S: Store> Tenant<S> {
    fn load(&self, records: usize) {
        let mut counting = Counting(0);
        block_on(self.store.as_ref().unwrap().load(self.at.tenant_id, &mut counting)).unwrap();
        assert_eq!(counting.0, records);
    }

    fn add_one(&mut self) {
        let id = CommitId::random();
        let user = UserRecord::new(UserId::random(), UserKey::new(&id.to_string()).unwrap());
        let writer = Writer::new();
        let envelope = Envelope { id, previous: Some(self.at.commit), at: Timestamp::MIN, ..writer.envelope };
        let changes = [Change::added(Record::User(user))];
        let commit = Commit { base: Base::At(self.at), envelope: &envelope, changes: &changes };
        let revision = block_on(self.store.as_ref().unwrap().commit(commit)).unwrap();
        self.at = Position { revision, commit: id, ..self.at };
    }
}

/// The time of each contestant in each round.
struct Times<'a> {
    names: &'a [&'a str],
    taken: Vec<Vec<Duration>>,
}

impl<'a> Times<'a> {
    fn new(names: &'a [&'a str]) -> Self {
        Self { names, taken: vec![Vec::new(); names.len()] }
    }

    fn measure(&mut self, contestant: usize, work: impl FnOnce()) {
        let begun = Instant::now();
        work();
        self.taken[contestant].push(begun.elapsed());
    }

    /// Prints a row for each contestant: the median, the fastest round, and the ratio of its median to that of `floor`.
    fn print(&mut self, what: &str, floor: usize) {
        let medians: Vec<Duration> = self
            .taken
            .iter_mut()
            .map(|times| {
                times.sort();
                times[times.len() / 2]
            })
            .collect();
        println!("\n| {what}, {} rounds | median | fastest | ratio |\n|---|--:|--:|--:|", self.taken[0].len());
        for ((name, median), times) in self.names.iter().zip(&medians).zip(&self.taken) {
            let ratio = median.as_secs_f64() / medians[floor].as_secs_f64();
            println!("| {name} | {} | {} | {ratio:.2} |", shown(*median), shown(times[0]));
        }
    }
}

fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1e4 { format!("{micros:.1} µs") } else { format!("{:.1} ms", micros / 1e3) }
}
