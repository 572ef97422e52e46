//! Records, commits and expectations that the cases share.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::case::{CaseError, CaseResult, expect_eq};
use super::dyn_fixture::Connection;
use crate::model::records::{
    Actor, Change, CommitId, Description, Envelope, Fingerprint, GroupId, GroupRecord, Membership, Name, Note,
    Position, Record, RecordKey, Revision, Slug, TenantId, TenantRecord, TenantSlug, Timestamp, UserId, UserKey,
    UserRecord, Window,
};
use crate::store::{Base, Commit, Since, StoreError, StoredCommit};

/// The records of a tenant, by their keys.
pub(super) type Records = BTreeMap<RecordKey, Record>;

/// An id that is the same in every run.
pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn tenant_id(number: u128) -> TenantId {
    TenantId::from_uuid(id(number))
}

pub(super) fn slug(text: &str) -> CaseResult<TenantSlug> {
    TenantSlug::new(text).map_err(suite_bug)
}

/// Reports a bug of the suite itself.
pub(super) fn suite_bug(error: crate::Error) -> CaseError {
    CaseError::new(format!("the suite built an invalid record: {error}"))
}

pub(super) fn tenant(text: &str) -> CaseResult<Record> {
    Ok(Record::Tenant(TenantRecord { slug: slug(text)?, name: Name::of_slug(text) }))
}

pub(super) fn user(number: u128, key: &str) -> CaseResult<Record> {
    let key = UserKey::new(key).map_err(suite_bug)?;
    Ok(Record::User(UserRecord::new(UserId::from_uuid(id(number)), key)))
}

pub(super) fn group(number: u128, text: &str) -> CaseResult<Record> {
    let slug = Slug::new(text).map_err(suite_bug)?;
    let name = Name::of_slug(text);
    Ok(Record::Group(GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, Description::default())))
}

pub(super) fn member(user: u128, group: u128, window: Window) -> Record {
    let (user, group) = (UserId::from_uuid(id(user)), GroupId::from_uuid(id(group)));
    Record::Membership(Membership { user, group, window })
}

/// Additions of users with these numbers.
pub(super) fn users(numbers: std::ops::Range<u128>) -> CaseResult<Vec<Change>> {
    numbers.map(|number| Ok(Change::added(user(number, &format!("user-{number}"))?))).collect()
}

pub(super) fn added(records: impl IntoIterator<Item = Record>) -> Vec<Change> {
    records.into_iter().map(Change::added).collect()
}

/// A change of one record.
pub(super) fn changed(before: Record, after: Record) -> CaseResult<Change> {
    Change::new(Some(before), Some(after)).ok_or_else(|| CaseError::new("the suite's own change is of two records"))
}

/// An envelope with a new commit id. Every second one has an actor and a note. Each pair is older than the pair before,
/// because clocks go back and a store must not order commits by time.
pub(super) fn envelope(base: Base) -> Envelope {
    let (id, catalog) = (CommitId::random(), Fingerprint::from_uuid(Uuid::nil()));
    let plain = Envelope { id, previous: None, actor: None, at: Timestamp::MIN, note: None, catalog };
    let Base::At(Position { revision, commit, .. }) = base else { return plain };
    let number = revision.number();
    let earlier = i64::try_from(number / 2).unwrap_or(i64::MAX);
    let at = Timestamp::from_micros(1_700_000_000_000_000 - earlier).unwrap_or(Timestamp::MIN);
    let later = Envelope { previous: Some(commit), at, ..plain };
    if number % 2 == 0 {
        return later;
    }
    let (actor, note) = (Actor::new("somebody").ok(), Note::new("for a reason").ok());
    Envelope { actor, note, ..later }
}

/// Sends a commit with a new envelope.
pub(super) async fn send(
    store: &dyn Connection,
    base: Base,
    changes: &[Change],
) -> (Envelope, Result<Revision, StoreError>) {
    let envelope = envelope(base);
    let answer = store.commit(Commit { base, envelope: &envelope, changes }).await;
    (envelope, answer)
}

/// Creates a tenant with a tenant record and these changes.
pub(super) async fn create_tenant(
    store: &dyn Connection,
    tenant_id: TenantId,
    slug: &str,
    more: &[Change],
) -> CaseResult<Position> {
    let mut changes = vec![Change::added(tenant(slug)?)];
    changes.extend_from_slice(more);
    let (envelope, answer) = send(store, Base::Create(tenant_id), &changes).await;
    let revision = answer.map_err(|error| CaseError::from(error).in_context("a creation"))?;
    expect_eq("the revision of a creation", &revision, &Revision::FIRST)?;
    Ok(Position { tenant_id, revision, commit: envelope.id })
}

/// Commits changes that should succeed. Returns the new position.
pub(super) async fn commit_on(store: &dyn Connection, at: Position, changes: &[Change]) -> CaseResult<Position> {
    commit_recorded(store, at, changes).await.map(|(at, _)| at)
}

/// Commits changes that should succeed. Returns the new position and the commit as the history should return it.
pub(super) async fn commit_recorded(
    store: &dyn Connection,
    at: Position,
    changes: &[Change],
) -> CaseResult<(Position, StoredCommit)> {
    let (envelope, answer) = send(store, Base::At(at), changes).await;
    let revision = answer.map_err(|error| CaseError::from(error).in_context("a commit on the latest position"))?;
    expect_eq("the revision of a commit", &revision, &at.revision.next())?;
    let next = Position { revision, commit: envelope.id, ..at };
    Ok((next, StoredCommit { revision, envelope, changes: changes.to_vec() }))
}

/// Deletes the tenant with this tenant record.
pub(super) async fn delete_tenant(store: &dyn Connection, at: Position, tenant: Record) -> CaseResult<Position> {
    commit_on(store, at, &[Change::removed(tenant)]).await
}

/// Loads all records of a tenant and its position. Fails if a record comes twice or kinds are out of order.
pub(super) async fn load(store: &dyn Connection, tenant_id: TenantId) -> CaseResult<Option<(Records, Position)>> {
    let mut pushed = Vec::new();
    let Some(at) =
        store.load(tenant_id, &mut pushed).await.map_err(|error| CaseError::from(error).in_context("a load"))?
    else {
        return Ok(None);
    };
    let mut records = Records::new();
    let mut last = None;
    for record in pushed {
        if let Some(last) = last.filter(|last| *last > record.kind()) {
            return Err(CaseError::new(format!(
                "S2: a load pushed a record of kind `{}` after one of kind `{last}`, expected the order of `RecordKind`",
                record.kind()
            )));
        }
        last = Some(record.kind());
        if let Some(twice) = records.insert(record.key(), record) {
            return Err(CaseError::new(format!("S2: a load pushed {:?} twice", twice.key())));
        }
    }
    Ok(Some((records, at)))
}

/// Loads a tenant that must exist.
pub(super) async fn load_existing(store: &dyn Connection, tenant_id: TenantId) -> CaseResult<(Records, Position)> {
    load(store, tenant_id).await?.ok_or_else(|| CaseError::new("a load found no such tenant"))
}

/// Changes sorted by their keys: the contract leaves their order within a commit open.
pub(super) fn sorted_by_key(changes: &[Change]) -> Vec<&Change> {
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_cached_key(|change| change.key());
    changes
}

/// The records after these changes.
pub(super) fn applied(mut records: Records, changes: &[Change]) -> Records {
    for change in changes {
        match change.after() {
            Some(after) => records.insert(change.key(), after.clone()),
            None => records.remove(&change.key()),
        };
    }
    records
}

/// Fails unless the tenant has exactly these records and this position.
pub(super) async fn expect_state(store: &dyn Connection, at: Position, records: &Records) -> CaseResult {
    let (found, found_at) = load_existing(store, at.tenant_id).await?;
    expect_eq("the position that a load returns", &found_at, &at)?;
    expect_records(&found, records)
}

pub(super) fn expect_records(found: &Records, expected: &Records) -> CaseResult {
    for (key, record) in expected {
        match found.get(key) {
            None => return Err(CaseError::new(format!("a load did not return {key:?}, which was committed"))),
            Some(other) => expect_eq("a record", other, record)?,
        }
    }
    match found.keys().find(|key| !expected.contains_key(*key)) {
        Some(key) => Err(CaseError::new(format!("a load returned {key:?}, which was removed or never committed"))),
        None => Ok(()),
    }
}

/// The commits since a position; `None` if it is too old.
pub(super) async fn commits_since(store: &dyn Connection, at: Position) -> CaseResult<Option<Vec<StoredCommit>>> {
    match store.since(at).await.map_err(|error| CaseError::from(error).in_context("since"))? {
        Since::Commits(commits) => Ok(Some(commits)),
        Since::TooOld => Ok(None),
        Since::Deleted => Err(CaseError::new("S14: since reports an existing tenant as deleted")),
    }
}

/// Returns the revision of a commit that should succeed.
pub(super) fn expect_success(what: &str, answer: Result<Revision, StoreError>) -> CaseResult<Revision> {
    answer.map_err(|error| unexpected(what, Err(error), "success"))
}

/// Fails unless the answer is `Conflict` with this revision.
pub(super) fn expect_conflict(what: &str, answer: Result<Revision, StoreError>, actual: Revision) -> CaseResult {
    match answer {
        Err(StoreError::Conflict { actual: told }) => {
            expect_eq(&format!("{what}: the revision of the conflict"), &told, &actual)
        }
        other => Err(unexpected(what, other, "conflict")),
    }
}

/// Fails unless the answer is `Deleted`.
pub(super) fn expect_deleted(what: &str, answer: Result<Revision, StoreError>) -> CaseResult {
    if matches!(answer, Err(StoreError::Deleted)) { Ok(()) } else { Err(unexpected(what, answer, "deleted")) }
}

/// Fails unless the answer is `SlugTaken`.
pub(super) fn expect_slug_taken(what: &str, answer: Result<Revision, StoreError>) -> CaseResult {
    if matches!(answer, Err(StoreError::SlugTaken)) { Ok(()) } else { Err(unexpected(what, answer, "slug taken")) }
}

pub(super) fn unexpected(what: &str, answer: Result<Revision, StoreError>, expected: &str) -> CaseError {
    match answer {
        Ok(revision) => CaseError::new(format!("{what}: succeeded at revision {revision}, expected {expected}")),
        Err(error) => CaseError::new(format!("{what}: failed with `{error}`, expected {expected}")),
    }
}
