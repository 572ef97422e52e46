//! The flaws, in the order of the clauses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use rolecall::records::{
    Assignment, At, Change, CommitId, Envelope, Granted, Holder, Kind, Life, Membership, Record, RecordKey, Revision,
    TenantSlug, Timestamp, UserKey, Window,
};
use rolecall::store::{Base, Commit, Committed, Listed, MemoryStore, Since, Sink, Stop, Store, StoreError};

use super::wrong::Flaw;

type Shared<T> = Arc<Mutex<T>>;

/// All records of a life, and where it stands.
async fn whole(store: &MemoryStore, life: Life) -> Result<Option<(Vec<Record>, At)>, StoreError> {
    let mut records = Vec::new();
    Ok(store.load(life, &mut records).await?.map(|at| (records, at)))
}

fn push(records: Vec<Record>, sink: &mut dyn Sink) -> Result<(), StoreError> {
    records.into_iter().try_for_each(|record| sink.push(record)).map_err(|Stop| StoreError::Stopped)
}

/// Lets others run.
async fn awaits_something() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::thread::yield_now();
        Poll::Pending
    })
    .await;
}

/// A load whose records go through this.
async fn retold(
    store: &MemoryStore,
    life: Life,
    sink: &mut dyn Sink,
    tell: impl FnOnce(Vec<Record>) -> Vec<Record>,
) -> Result<Option<At>, StoreError> {
    let Some((records, at)) = whole(store, life).await? else { return Ok(None) };
    push(tell(records), sink).map(|()| Some(at))
}

fn slug_of(changes: &[Change]) -> Option<TenantSlug> {
    changes.iter().find_map(|change| match change.after() {
        Some(Record::Tenant(tenant)) => Some(tenant.slug.clone()),
        _ => None,
    })
}

/// S1. A tenant is found by the slug that its life had: whoever asks for the old life is told of the new one.
#[derive(Clone, Default)]
pub(super) struct KeepsTenantsBySlug(Shared<HashMap<Life, TenantSlug>>);

impl KeepsTenantsBySlug {
    async fn bearer(&self, store: &MemoryStore, life: Life) -> Result<Life, StoreError> {
        let slug = self.0.lock().unwrap().get(&life).cloned();
        Ok(match slug {
            Some(slug) => store.find(&slug).await?.unwrap_or(life),
            None => life,
        })
    }
}

impl Flaw for KeepsTenantsBySlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if let Some(slug) = slug_of(commit.changes) {
            self.0.lock().unwrap().insert(commit.base.life(), slug);
        }
        Ok(revision)
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        store.load(self.bearer(store, life).await?, sink).await
    }

    async fn since(&self, store: &MemoryStore, at: At) -> Result<Since, StoreError> {
        store.since(At { life: self.bearer(store, at.life).await?, ..at }).await
    }
}

/// S2. One query for each kind, without a transaction around them.
#[derive(Clone, Default)]
pub(super) struct LoadsKindByKind;

impl Flaw for LoadsKindByKind {
    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let Some((mut records, _)) = whole(store, life).await? else { return Ok(None) };
        records.retain(|record| record.kind() < Kind::User);
        push(records, sink)?;
        awaits_something().await;
        let Some((mut records, at)) = whole(store, life).await? else { return Ok(None) };
        records.retain(|record| record.kind() >= Kind::User);
        push(records, sink)?;
        Ok(Some(at))
    }
}

/// Where each life stands, as far as this process has seen.
#[derive(Clone, Default)]
struct Heads(Shared<HashMap<Life, At>>);

impl Heads {
    fn of(&self, life: Life) -> Option<At> {
        self.0.lock().unwrap().get(&life).copied()
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        let at = At { life: commit.base.life(), revision, commit: commit.envelope.id };
        self.0.lock().unwrap().insert(at.life, at);
        Ok(revision)
    }
}

/// S3. `WHERE revision = ?`.
#[derive(Clone, Default)]
pub(super) struct ComparesRevisionsOnly(Heads);

impl Flaw for ComparesRevisionsOnly {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::State(at) => {
                Base::State(self.0.of(at.life).filter(|head| head.revision == at.revision).unwrap_or(at))
            }
            base => base,
        };
        self.0.commit(store, Commit { base, ..commit }).await
    }
}

fn without_tenant(changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| change.kind() != Kind::Tenant).cloned().collect()
}

/// S4. The unique index on slugs is violated by the last statement, and the ones before it stay.
#[derive(Clone, Default)]
pub(super) struct WritesBeforeItRefuses;

impl Flaw for WritesBeforeItRefuses {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let answer = store.commit(commit).await;
        if matches!((&answer, commit.base), (Err(StoreError::Taken), Base::State(_))) {
            store.commit(Commit { changes: &without_tenant(commit.changes), ..commit }).await?;
        }
        answer
    }
}

/// S4. A batch has at most 1,000 rows, and each batch is committed.
#[derive(Clone, Default)]
pub(super) struct SplitsLargeCommits;

impl Flaw for SplitsLargeCommits {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let (Base::State(base), Some((first, rest))) = (commit.base, commit.changes.split_at_checked(1_000)) else {
            return store.commit(commit).await;
        };
        let envelope = Envelope { id: CommitId::random(), ..commit.envelope.clone() };
        let revision = store.commit(Commit { envelope: &envelope, changes: first, ..commit }).await?;
        let base = Base::State(At { revision, commit: envelope.id, ..base });
        store.commit(Commit { base, envelope: commit.envelope, changes: rest }).await
    }
}

/// S5. Reads of a second connection go to a replica that is one commit behind.
#[derive(Clone, Default)]
pub(super) struct ReadsFromALaggingCopy {
    is_second: bool,
    replica: MemoryStore,
    last: Shared<Option<(Base, Envelope, Vec<Change>)>>,
}

impl Flaw for ReadsFromALaggingCopy {
    fn second(&self, store: &MemoryStore) -> (MemoryStore, Self) {
        (store.clone(), Self { is_second: true, ..self.clone() })
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        let this = (commit.base, commit.envelope.clone(), commit.changes.to_vec());
        let last = self.last.lock().unwrap().replace(this);
        if let Some((base, envelope, changes)) = last {
            drop(self.replica.commit(Commit { base, envelope: &envelope, changes: &changes }).await);
        }
        Ok(revision)
    }

    async fn find(&self, store: &MemoryStore, slug: &TenantSlug) -> Result<Option<Life>, StoreError> {
        if self.is_second { self.replica.find(slug).await } else { store.find(slug).await }
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        if self.is_second { self.replica.load(life, sink).await } else { store.load(life, sink).await }
    }
}

/// S7. The revision is counted in memory, and after reopening it is one less than it was.
#[derive(Clone, Default)]
pub(super) struct RepeatsARevision(Arc<AtomicU64>);

impl RepeatsARevision {
    fn up(&self, at: At) -> At {
        At { revision: Revision::new(at.revision.number() + self.0.load(Ordering::SeqCst)), ..at }
    }

    fn down(&self, revision: Revision) -> Revision {
        Revision::new(revision.number() - self.0.load(Ordering::SeqCst))
    }
}

impl Flaw for RepeatsARevision {
    fn reopened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        Ok(store.load(life, sink).await?.map(|at| At { revision: self.down(at.revision), ..at }))
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::State(at) => Base::State(self.up(at)),
            base => base,
        };
        match store.commit(Commit { base, ..commit }).await {
            Ok(revision) => Ok(self.down(revision)),
            Err(StoreError::Conflict { actual }) => Err(StoreError::Conflict { actual: self.down(actual) }),
            Err(error) => Err(error),
        }
    }

    async fn since(&self, store: &MemoryStore, at: At) -> Result<Since, StoreError> {
        Ok(match store.since(self.up(at)).await? {
            Since::Commits(commits) => Since::Commits(
                commits.into_iter().map(|told| Committed { revision: self.down(told.revision), ..told }).collect(),
            ),
            other => other,
        })
    }
}

/// What a unique index is on.
fn indexed(record: &Record) -> Option<(Kind, &str)> {
    let text = match record {
        Record::Permission(record) => record.slug.as_str(),
        Record::Role(record) => record.slug.as_str(),
        Record::Group(record) => record.slug.as_str(),
        Record::User(record) => record.key.as_str(),
        Record::Grant(grant) => match &grant.granted {
            Granted::Pattern(pattern) => pattern.as_str(),
            Granted::Permission(_) => return None,
        },
        _ => return None,
    };
    Some((record.kind(), text))
}

/// Of records whose indexed texts are equal in the eyes of the collation, there is one.
fn with_collation(records: Vec<Record>, collate: impl Fn(&str) -> String) -> Vec<Record> {
    let mut seen = BTreeSet::new();
    let is_new = |record: &Record| indexed(record).is_none_or(|(kind, text)| seen.insert((kind, collate(text))));
    let mut is_new = is_new;
    records.into_iter().filter(|record| is_new(record)).collect()
}

macro_rules! collations {
    ($($(#[$doc:meta])* $name:ident: $collate:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(super) struct $name;

        impl Flaw for $name {
            async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
                retold(store, life, sink, |records| with_collation(records, $collate)).await
            }
        }
    )+};
}

collations! {
    /// S8. `utf8mb4_general_ci`.
    ComparesWithoutCase: str::to_lowercase;
    /// S8. `CHAR(320)`, or a collation that pads.
    TrimsSpaces: |text| text.trim_end().to_owned();
    /// S8. A driver that sends NFC.
    NormalisesUnicode: |text| text.replace("e\u{301}", "\u{e9}").replace('\u{212b}', "\u{c5}");
}

/// S8. `VARCHAR(255)`, without strict mode.
#[derive(Clone, Default)]
pub(super) struct CutsAt255Bytes;

impl Flaw for CutsAt255Bytes {
    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let cut = |record| match record {
            Record::User(mut user) => {
                let text = user.key.as_str();
                let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 255).last();
                user.key = UserKey::new(&text[..end.unwrap_or(0)]).unwrap();
                Record::User(user)
            }
            other => other,
        };
        retold(store, life, sink, |records| records.into_iter().map(cut).collect()).await
    }
}

/// S8. A collation that does not look at punctuation first.
#[derive(Clone, Default)]
pub(super) struct SortsLikePeople;

impl Flaw for SortsLikePeople {
    async fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let sorted = |slug: &TenantSlug| (slug.as_str().replace('-', ""), slug.to_string());
        let mut listed = store.list(None, usize::MAX).await?;
        listed.sort_by_key(|listed| sorted(&listed.slug));
        listed.retain(|listed| after.is_none_or(|after| sorted(&listed.slug) > sorted(after)));
        listed.truncate(limit);
        Ok(listed)
    }
}

/// S9. The slug is unique when a tenant is made, and nobody thought of renames: the name stays, the answer is success.
#[derive(Clone, Default)]
pub(super) struct IgnoresATakenSlug;

impl Flaw for IgnoresATakenSlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match store.commit(commit).await {
            Err(StoreError::Taken) if matches!(commit.base, Base::State(_)) => {
                store.commit(Commit { changes: &without_tenant(commit.changes), ..commit }).await
            }
            answer => answer,
        }
    }
}

/// S9. `UPDATE … WHERE id = ?`, without the tenant.
#[derive(Clone, Default)]
pub(super) struct UpdatesEveryTenant(Shared<HashMap<RecordKey, (Life, Record)>>);

impl Flaw for UpdatesEveryTenant {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        for change in without_tenant(commit.changes) {
            match (change.before(), change.after()) {
                (Some(_), Some(after)) => {
                    self.0.lock().unwrap().insert(change.key(), (commit.base.life(), after.clone()))
                }
                _ => self.0.lock().unwrap().remove(&change.key()),
            };
        }
        Ok(revision)
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let updated = |record: Record| match self.0.lock().unwrap().get(&record.key()) {
            Some((other, updated)) if *other != life => updated.clone(),
            _ => record,
        };
        retold(store, life, sink, |records| records.into_iter().map(updated).collect()).await
    }
}

/// S10. The window of an assignment to a group has no column.
#[derive(Clone, Default)]
pub(super) struct DropsWindows;

impl Flaw for DropsWindows {
    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let widened = |record| match record {
            Record::Assignment(assignment) if matches!(assignment.holder, Holder::Group(_)) => {
                Record::Assignment(Assignment { window: Window::ALWAYS, ..assignment })
            }
            other => other,
        };
        retold(store, life, sink, |records| records.into_iter().map(widened).collect()).await
    }
}

/// S10. `DATETIME` keeps seconds.
#[derive(Clone, Default)]
pub(super) struct RoundsInstants;

impl Flaw for RoundsInstants {
    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let second = |at: Timestamp| Timestamp::from_secs(at.micros().div_euclid(1_000_000)).unwrap();
        let rounded = |record| match record {
            Record::Membership(membership) => {
                let (start, end) = (membership.window.start().map(second), membership.window.end().map(second));
                let window = Window::new(start, end).unwrap_or(membership.window);
                Record::Membership(Membership { window, ..membership })
            }
            other => other,
        };
        retold(store, life, sink, |records| records.into_iter().map(rounded).collect()).await
    }
}

/// S10. `DELETE … WHERE user = ?`, without the role.
#[derive(Clone, Default)]
pub(super) struct RemovesTooMuch(Shared<BTreeSet<(Life, Holder)>>);

impl Flaw for RemovesTooMuch {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        for change in commit.changes {
            if let (Some(Record::Assignment(before)), None) = (change.before(), change.after()) {
                self.0.lock().unwrap().insert((commit.base.life(), before.holder));
            }
        }
        Ok(revision)
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let is_kept = |record: &Record| match record {
            Record::Assignment(assignment) => !self.0.lock().unwrap().contains(&(life, assignment.holder)),
            _ => true,
        };
        retold(store, life, sink, |records| records.into_iter().filter(is_kept).collect()).await
    }
}

/// S11. The second half is written after something was awaited, and nobody cleans up behind a future that is dropped.
#[derive(Clone, Default)]
pub(super) struct StopsHalfway(Shared<BTreeMap<Life, BTreeSet<RecordKey>>>);

impl Flaw for StopsHalfway {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let late = commit.changes.iter().skip(commit.changes.len() / 2 + 1).map(Change::key).collect();
        let life = commit.base.life();
        let revision = store.commit(commit).await?;
        self.0.lock().unwrap().insert(life, late);
        awaits_something().await;
        self.0.lock().unwrap().remove(&life);
        Ok(revision)
    }

    async fn load(&self, store: &MemoryStore, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let late = self.0.lock().unwrap().get(&life).cloned().unwrap_or_default();
        retold(store, life, sink, |records| records.into_iter().filter(|r| !late.contains(&r.key())).collect()).await
    }
}

/// S12. `SELECT revision`, a comparison in the program, `UPDATE`.
#[derive(Clone, Default)]
pub(super) struct ChecksThenWrites(Heads);

impl Flaw for ChecksThenWrites {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let life = commit.base.life();
        let is_latest = matches!(commit.base, Base::State(at) if self.0.of(life) == Some(at));
        if !is_latest {
            return self.0.commit(store, commit).await;
        }
        awaits_something().await;
        loop {
            let base = self.0.of(life).map_or(commit.base, Base::State);
            match self.0.commit(store, Commit { base, ..commit }).await {
                Err(StoreError::Conflict { .. }) => awaits_something().await,
                answer => return answer,
            }
        }
    }
}

/// S13. `:memory:`.
#[derive(Clone, Default)]
pub(super) struct SharesNothing;

impl Flaw for SharesNothing {
    fn second(&self, _: &MemoryStore) -> (MemoryStore, Self) {
        (MemoryStore::default(), Self)
    }
}

macro_rules! histories {
    ($($(#[$doc:meta])* $name:ident: $tell:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(super) struct $name;

        impl Flaw for $name {
            async fn since(&self, store: &MemoryStore, at: At) -> Result<Since, StoreError> {
                let tell: fn(Since) -> Since = $tell;
                store.since(at).await.map(tell)
            }
        }
    )+};
}

histories! {
    /// S14. The history is made from the rows that changed.
    ForgetsEmptyCommits: |since| match since {
        Since::Commits(mut commits) => {
            commits.retain(|told| !told.changes.is_empty());
            Since::Commits(commits)
        }
        other => other,
    };
    /// S14. `WHERE revision > ?`: nothing comes after a state that nobody knows.
    KnowsEveryState: |since| match since {
        Since::TooOld => Since::Commits(Vec::new()),
        other => other,
    };
    /// S14. The history has columns for changes, and none for the actor and the note.
    LosesEnvelopes: |since| match since {
        Since::Commits(mut commits) => {
            for told in &mut commits {
                (told.envelope.actor, told.envelope.note) = (None, None);
            }
            Since::Commits(commits)
        }
        other => other,
    };
}

/// S15. The statement with too many parameters fails, and nobody looks at its error.
#[derive(Clone, Default)]
pub(super) struct SwallowsTheRest;

impl Flaw for SwallowsTheRest {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let changes = commit.changes.get(..65_535).unwrap_or(commit.changes);
        store.commit(Commit { changes, ..commit }).await
    }
}
