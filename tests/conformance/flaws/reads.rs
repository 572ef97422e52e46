//! Flaws in reads (S2, S5, S8, S10, S11, S13).

use super::prelude::*;

/// S2. One query for each kind, without a transaction around them.
#[derive(Clone, Default)]
pub(crate) struct LoadsKindByKind;

impl Flaw for LoadsKindByKind {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let Some((mut records, _)) = whole(store, tenant_id).await? else { return Ok(None) };
        records.retain(|record| record.kind() < RecordKind::User);
        push(records, sink)?;
        yield_once().await;
        let Some((mut records, at)) = whole(store, tenant_id).await? else { return Ok(None) };
        records.retain(|record| record.kind() >= RecordKind::User);
        push(records, sink)?;
        Ok(Some(at))
    }
}

/// S5. Reads of a second connection go to a replica that is one commit behind.
#[derive(Clone, Default)]
pub(crate) struct ReadsFromALaggingReplica {
    is_second: bool,
    replica: MemoryStore,
    last: Shared<Option<(Base, Envelope, Vec<Change>)>>,
}

impl Flaw for ReadsFromALaggingReplica {
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

    async fn find(&self, store: &MemoryStore, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        if self.is_second { self.replica.find(slug).await } else { store.find(slug).await }
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        if self.is_second { self.replica.load(tenant_id, sink).await } else { store.load(tenant_id, sink).await }
    }
}

/// The columns of a unique index.
fn indexed(record: &Record) -> Option<(RecordKind, &str)> {
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
        pub(crate) struct $name;

        impl Flaw for $name {
            async fn load(&self, store: &MemoryStore, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
                load_altered(store, tenant_id, sink, |records| with_collation(records, $collate)).await
            }
        }
    )+};
}

collations! {
    /// S8. `utf8mb4_general_ci`.
    IgnoresCase: str::to_lowercase;
    /// S8. `CHAR(320)`, or a collation that pads.
    TrimsSpaces: |text| text.trim_end().to_owned();
    /// S8. A driver that sends NFC.
    NormalisesUnicode: |text| text.replace("e\u{301}", "\u{e9}").replace('\u{212b}', "\u{c5}");
}

/// S8. `VARCHAR(255)`, without strict mode.
#[derive(Clone, Default)]
pub(crate) struct TruncatesAt255Bytes;

impl Flaw for TruncatesAt255Bytes {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let cut = |record| match record {
            Record::User(mut user) => {
                let text = user.key.as_str();
                let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 255).last();
                user.key = UserKey::new(text.get(..end.unwrap_or(0)).unwrap()).unwrap();
                Record::User(user)
            }
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(cut).collect()).await
    }
}

/// S8. A collation that does not look at punctuation first.
#[derive(Clone, Default)]
pub(crate) struct SortsByLocale;

impl Flaw for SortsByLocale {
    async fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let sorted = |slug: &TenantSlug| (slug.as_str().replace('-', ""), slug.to_string());
        let mut listed = store.list(None, usize::MAX).await?;
        listed.sort_by_key(|listed| sorted(&listed.slug));
        listed.retain(|listed| after.is_none_or(|after| sorted(&listed.slug) > sorted(after)));
        listed.truncate(limit);
        Ok(listed)
    }
}

/// S10. The window of an assignment to a group has no column.
#[derive(Clone, Default)]
pub(crate) struct DropsWindows;

impl Flaw for DropsWindows {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let widened = |record| match record {
            Record::Assignment(assignment) if matches!(assignment.holder, Holder::Group(_)) => {
                Record::Assignment(Assignment { window: Window::ALWAYS, ..assignment })
            }
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(widened).collect()).await
    }
}

/// S10. The table of parent links was made before they had windows.
#[derive(Clone, Default)]
pub(crate) struct DropsWindowsOfParents;

impl Flaw for DropsWindowsOfParents {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let widened = |record| match record {
            Record::Parent(link) => Record::Parent(ParentLink { window: Window::ALWAYS, ..link }),
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(widened).collect()).await
    }
}

/// S10. `DATETIME` keeps seconds.
#[derive(Clone, Default)]
pub(crate) struct RoundsInstants;

impl Flaw for RoundsInstants {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let second = |at: Timestamp| Timestamp::from_secs(at.as_micros().div_euclid(1_000_000)).unwrap();
        let rounded = |record| match record {
            Record::Membership(membership) => {
                let (start, end) = (membership.window.start().map(second), membership.window.end().map(second));
                let window = Window::new(start, end).unwrap_or(membership.window);
                Record::Membership(Membership { window, ..membership })
            }
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(rounded).collect()).await
    }
}

/// S10. `DELETE … WHERE user = ?`, without the role.
#[derive(Clone, Default)]
pub(crate) struct RemovesAllOfAHolder(Shared<BTreeSet<(TenantId, Holder)>>);

impl Flaw for RemovesAllOfAHolder {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        for change in commit.changes {
            if let (Some(Record::Assignment(before)), None) = (change.before(), change.after()) {
                self.0.lock().unwrap().insert((commit.base.tenant_id(), before.holder));
            }
        }
        Ok(revision)
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let is_kept = |record: &Record| match record {
            Record::Assignment(assignment) => !self.0.lock().unwrap().contains(&(tenant_id, assignment.holder)),
            _ => true,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().filter(is_kept).collect()).await
    }
}

/// S11. The second half is written after something was awaited, and and a dropped future leaves the first half.
#[derive(Clone, Default)]
pub(crate) struct AppliesHalfWhenDropped(Shared<BTreeMap<TenantId, BTreeSet<RecordKey>>>);

impl Flaw for AppliesHalfWhenDropped {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let late = commit.changes.iter().skip(commit.changes.len() / 2 + 1).map(Change::key).collect();
        let tenant_id = commit.base.tenant_id();
        let revision = store.commit(commit).await?;
        self.0.lock().unwrap().insert(tenant_id, late);
        yield_once().await;
        self.0.lock().unwrap().remove(&tenant_id);
        Ok(revision)
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let late = self.0.lock().unwrap().get(&tenant_id).cloned().unwrap_or_default();
        load_altered(store, tenant_id, sink, |records| {
            records.into_iter().filter(|r| !late.contains(&r.key())).collect()
        })
        .await
    }
}

/// S13. `:memory:`.
#[derive(Clone, Default)]
pub(crate) struct SharesNothing;

impl Flaw for SharesNothing {
    fn second(&self, _: &MemoryStore) -> (MemoryStore, Self) {
        (MemoryStore::default(), Self)
    }
}

/// S2. The sink's answer is ignored.
#[derive(Clone, Default)]
pub(crate) struct IgnoresStop;

impl Flaw for IgnoresStop {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let Some((records, at)) = whole(store, tenant_id).await? else { return Ok(None) };
        for record in records {
            let _unheard = sink.push(record);
        }
        Ok(Some(at))
    }
}

/// S2. The state of a load is the one that was the latest when this process first looked.
#[derive(Clone, Default)]
pub(crate) struct CachesPositions(Shared<HashMap<TenantId, Position>>);

impl Flaw for CachesPositions {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let Some(at) = store.load(tenant_id, sink).await? else { return Ok(None) };
        Ok(Some(*self.0.lock().unwrap().entry(tenant_id).or_insert(at)))
    }
}

/// S2. An unknown tenant is loaded as one without records.
#[derive(Clone, Default)]
pub(crate) struct LoadsUnknownTenantsAsEmpty;

impl Flaw for LoadsUnknownTenantsAsEmpty {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let nothing = Position { tenant_id, revision: Revision::new(0), commit: CommitId::random() };
        Ok(store.load(tenant_id, sink).await?.or(Some(nothing)))
    }
}

/// S10. `UPDATE … SET slug = ?, name = ?`, and the description is forgotten.
#[derive(Clone, Default)]
pub(crate) struct UpdatesSomeColumns;

impl Flaw for UpdatesSomeColumns {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let kept = |change: &Change| match (change.before(), change.after()) {
            (Some(Record::Group(before)), Some(Record::Group(after))) => {
                let (mut kept, before) = (after.clone(), before.clone());
                kept.description = before.description.clone();
                Change::new(Some(Record::Group(before)), Some(Record::Group(kept))).unwrap()
            }
            _ => change.clone(),
        };
        let changes: Vec<_> = commit.changes.iter().map(kept).collect();
        store.commit(Commit { changes: &changes, ..commit }).await
    }
}

/// S10. The `before` of a change is compared field by field.
#[derive(Clone, Default)]
pub(crate) struct ComparesRememberedSlugs;

impl Flaw for ComparesRememberedSlugs {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let relations: Vec<_> = commit.changes.iter().filter(|change| change.kind() == RecordKind::Inclusion).collect();
        if !relations.is_empty() {
            let records = whole(store, commit.base.tenant_id()).await?.map(|(records, _)| records).unwrap_or_default();
            let is_there = |change: &&&Change| change.before().is_none_or(|before| records.contains(before));
            if relations.iter().filter(is_there).count() < relations.len() {
                return Err(StoreError::corrupt("not what was there"));
            }
        }
        store.commit(commit).await
    }
}

/// S10. A user that is deleted is marked so, and the unique index on keys does not look at the mark.
#[derive(Clone, Default)]
pub(crate) struct NeverFreesKeys(Shared<BTreeSet<(TenantId, UserKey)>>);

impl Flaw for NeverFreesKeys {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let tenant_id = commit.base.tenant_id();
        let key = |record: Option<&Record>| match record {
            Some(Record::User(user)) => Some((tenant_id, user.key.clone())),
            _ => None,
        };
        let is_new = |change: &&Change| change.before().is_none();
        let added = commit.changes.iter().filter(is_new).filter_map(|change| key(change.after()));
        if added.into_iter().any(|key| self.0.lock().unwrap().contains(&key)) {
            return Err(StoreError::corrupt("the key is taken"));
        }
        let revision = store.commit(commit).await?;
        let is_gone = |change: &&Change| change.after().is_none();
        let removed = commit.changes.iter().filter(is_gone).filter_map(|change| key(change.before()));
        self.0.lock().unwrap().extend(removed);
        Ok(revision)
    }
}

/// S11. A load takes a lock, and gives it back when it has ended.
#[derive(Clone, Default)]
pub(crate) struct KeepsALockWhenDropped(Arc<AtomicU64>);

impl Flaw for KeepsALockWhenDropped {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        yield_once().await;
        let answer = store.load(tenant_id, sink).await;
        self.0.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        for _ in 0..200 {
            if self.0.load(Ordering::SeqCst) == 0 {
                return store.commit(commit).await;
            }
            yield_once().await;
        }
        Err(StoreError::unavailable("locked"))
    }
}

/// Whether the store has been closed and opened again: its answers are then what it wrote, not what it remembers.
#[derive(Clone, Default)]
struct Reopened(Arc<AtomicBool>);

impl Reopened {
    fn is_so(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

macro_rules! when_reopened {
    ($($(#[$doc:meta])* $name:ident: $alter:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name(Reopened);

        impl Flaw for $name {
            fn reopened(&self) {
                self.0.0.store(true, Ordering::SeqCst);
            }

            async fn load(&self, store: &MemoryStore, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
                let alter: fn(Vec<Record>) -> Vec<Record> = $alter;
                let is_reopened = self.0.is_so();
                load_altered(store, tenant_id, sink, |records| if is_reopened { alter(records) } else { records }).await
            }
        }
    )+};
}

when_reopened! {
    /// S10. The status is remembered, and not written.
    DoesNotPersistStatus: |records| {
        let active = |record| match record {
            Record::User(user) => Record::User(user.with_status(Status::Active)),
            other => other,
        };
        records.into_iter().map(active).collect()
    };
    /// S10. The table was made before users had a name and a directory.
    WritesNoProfile: |records| {
        let bare = |record| match record {
            Record::User(user) => Record::User(UserRecord::new(user.id, user.key).with_status(user.status)),
            other => other,
        };
        records.into_iter().map(bare).collect()
    };
    /// S8. Remembers the text that was sent, but writes a trimmed one.
    TrimsPersistedTexts: |records| with_collation(records, |text| text.trim_end().to_owned());
    /// S15. The number of records is written in 16 bits.
    CountsIn16Bits: |mut records| {
        let kept = records.len() & 0xffff;
        records.truncate(kept);
        records
    };
}
