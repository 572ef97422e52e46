//! Records to write, commits to send, and what was read, in few words.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::any::Connection;
use super::case::{Fail, Verdict, same};
use crate::model::records::{
    Actor, Change, CommitId, Description, Envelope, Fingerprint, GroupId, GroupRecord, Membership, Name, Note,
    Position, Record, RecordKey, Revision, Slug, TenantId, TenantRecord, TenantSlug, Timestamp, UserId, UserKey,
    UserRecord, Window,
};
use crate::store::{Base, Commit, Since, StoreError, StoredCommit};

/// The records of a life by their keys.
pub(super) type Records = BTreeMap<RecordKey, Record>;

/// An id that is the same in every run.
pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn tenant_id(number: u128) -> TenantId {
    TenantId::from_uuid(id(number))
}

pub(super) fn slug(text: &str) -> Verdict<TenantSlug> {
    TenantSlug::new(text).map_err(own_fault)
}

/// A mistake of the suite's own.
pub(super) fn own_fault(error: crate::Error) -> Fail {
    Fail::new(format!("the suite's own record is malformed: {error}"))
}

pub(super) fn tenant(text: &str) -> Verdict<Record> {
    Ok(Record::Tenant(TenantRecord { slug: slug(text)?, name: Name::of_slug(text) }))
}

pub(super) fn user(number: u128, key: &str) -> Verdict<Record> {
    let key = UserKey::new(key).map_err(own_fault)?;
    Ok(Record::User(UserRecord::new(UserId::from_uuid(id(number)), key)))
}

pub(super) fn group(number: u128, text: &str) -> Verdict<Record> {
    let slug = Slug::new(text).map_err(own_fault)?;
    let name = Name::of_slug(text);
    Ok(Record::Group(GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, Description::default())))
}

pub(super) fn member(user: u128, group: u128, window: Window) -> Record {
    let (user, group) = (UserId::from_uuid(id(user)), GroupId::from_uuid(id(group)));
    Record::Membership(Membership { user, group, window })
}

/// Users with these numbers, each a change.
pub(super) fn users(numbers: std::ops::Range<u128>) -> Verdict<Vec<Change>> {
    numbers.map(|number| Ok(Change::added(user(number, &format!("user-{number}"))?))).collect()
}

pub(super) fn added(records: impl IntoIterator<Item = Record>) -> Vec<Change> {
    records.into_iter().map(Change::added).collect()
}

/// One record before and after.
pub(super) fn changed(before: Record, after: Record) -> Verdict<Change> {
    Change::new(Some(before), Some(after)).ok_or_else(|| Fail::new("the suite's own change is of two records"))
}

/// An envelope with an id that no other commit has. Every second one says who and why; and each pair of them is older
/// than the pair before, for clocks are turned back, and nothing is ordered by them.
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

/// Sends a commit under an envelope of its own.
pub(super) async fn send(
    store: &dyn Connection,
    base: Base,
    changes: &[Change],
) -> (Envelope, Result<Revision, StoreError>) {
    let envelope = envelope(base);
    let answer = store.commit(Commit { base, envelope: &envelope, changes }).await;
    (envelope, answer)
}

/// Begins a life with a tenant record and these changes.
pub(super) async fn created(
    store: &dyn Connection,
    tenant_id: TenantId,
    slug: &str,
    more: &[Change],
) -> Verdict<Position> {
    let mut changes = vec![Change::added(tenant(slug)?)];
    changes.extend_from_slice(more);
    let (envelope, answer) = send(store, Base::Create(tenant_id), &changes).await;
    let revision = answer.map_err(|error| Fail::from(error).while_("a birth"))?;
    same("the revision of a birth", &revision, &Revision::FIRST)?;
    Ok(Position { tenant_id, revision, commit: envelope.id })
}

/// A commit that should succeed, and where the tenant stands then.
pub(super) async fn go_on(store: &dyn Connection, at: Position, changes: &[Change]) -> Verdict<Position> {
    told(store, at, changes).await.map(|(at, _)| at)
}

/// The same, with the commit as the history should tell it.
pub(super) async fn told(
    store: &dyn Connection,
    at: Position,
    changes: &[Change],
) -> Verdict<(Position, StoredCommit)> {
    let (envelope, answer) = send(store, Base::At(at), changes).await;
    let revision = answer.map_err(|error| Fail::from(error).while_("a commit on the latest state"))?;
    same("the revision of a commit", &revision, &at.revision.next())?;
    let next = Position { revision, commit: envelope.id, ..at };
    Ok((next, StoredCommit { revision, envelope, changes: changes.to_vec() }))
}

/// Ends the life whose tenant record this is.
pub(super) async fn end(store: &dyn Connection, at: Position, tenant: Record) -> Verdict<Position> {
    go_on(store, at, &[Change::removed(tenant)]).await
}

/// All that a life has, and where it stands. Each record comes once, after those of the kinds before its own.
pub(super) async fn loaded(store: &dyn Connection, tenant_id: TenantId) -> Verdict<Option<(Records, Position)>> {
    let mut pushed = Vec::new();
    let Some(at) = store.load(tenant_id, &mut pushed).await.map_err(|error| Fail::from(error).while_("a load"))? else {
        return Ok(None);
    };
    let mut records = Records::new();
    let mut last = None;
    for record in pushed {
        if let Some(last) = last.filter(|last| *last > record.kind()) {
            return Err(Fail::new(format!("a load pushed a {:?} after a {last:?}", record.kind())));
        }
        last = Some(record.kind());
        if let Some(twice) = records.insert(record.key(), record) {
            return Err(Fail::new(format!("a load pushed {:?} twice", twice.key())));
        }
    }
    Ok(Some((records, at)))
}

/// The same of a life that is there.
pub(super) async fn present(store: &dyn Connection, tenant_id: TenantId) -> Verdict<(Records, Position)> {
    loaded(store, tenant_id).await?.ok_or_else(|| Fail::new("a load found no such life"))
}

/// Changes in the order of their keys: in which order a history tells those of one commit is not promised.
pub(super) fn by_key(changes: &[Change]) -> Vec<&Change> {
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_cached_key(|change| change.key());
    changes
}

/// What a life has once these changes are made.
pub(super) fn applied(mut records: Records, changes: &[Change]) -> Records {
    for change in changes {
        match change.after() {
            Some(after) => records.insert(change.key(), after.clone()),
            None => records.remove(&change.key()),
        };
    }
    records
}

/// Fails unless the life has just these records and stands there.
pub(super) async fn stands(store: &dyn Connection, at: Position, records: &Records) -> Verdict {
    let (found, found_at) = present(store, at.tenant_id).await?;
    same("where a load says that the tenant stands", &found_at, &at)?;
    same_records(&found, records)
}

pub(super) fn same_records(found: &Records, expected: &Records) -> Verdict {
    for (key, record) in expected {
        match found.get(key) {
            None => return Err(Fail::new(format!("{key:?} is lost"))),
            Some(other) => same("a record", other, record)?,
        }
    }
    match found.keys().find(|key| !expected.contains_key(*key)) {
        Some(key) => Err(Fail::new(format!("{key:?} was never written, or is removed"))),
        None => Ok(()),
    }
}

/// The commits since a state, or none if the store cannot tell.
pub(super) async fn since(store: &dyn Connection, at: Position) -> Verdict<Option<Vec<StoredCommit>>> {
    match store.since(at).await.map_err(|error| Fail::from(error).while_("since"))? {
        Since::Commits(commits) => Ok(Some(commits)),
        Since::TooOld => Ok(None),
        Since::Deleted => Err(Fail::new("since says that a living tenant is gone")),
    }
}

/// The revision of a commit that should succeed.
pub(super) fn is_done(what: &str, answer: Result<Revision, StoreError>) -> Verdict<Revision> {
    answer.map_err(|error| unexpected(what, Err(error), "success"))
}

/// Fails unless the answer is *conflict* at this revision.
pub(super) fn is_conflict(what: &str, answer: Result<Revision, StoreError>, actual: Revision) -> Verdict {
    match answer {
        Err(StoreError::Conflict { actual: told }) => {
            same(&format!("{what}: the revision of the conflict"), &told, &actual)
        }
        other => Err(unexpected(what, other, "conflict")),
    }
}

/// Fails unless the answer is *gone*.
pub(super) fn is_gone(what: &str, answer: Result<Revision, StoreError>) -> Verdict {
    if matches!(answer, Err(StoreError::Deleted)) { Ok(()) } else { Err(unexpected(what, answer, "gone")) }
}

/// Fails unless the answer is *taken*.
pub(super) fn is_taken(what: &str, answer: Result<Revision, StoreError>) -> Verdict {
    if matches!(answer, Err(StoreError::SlugTaken)) { Ok(()) } else { Err(unexpected(what, answer, "taken")) }
}

pub(super) fn unexpected(what: &str, answer: Result<Revision, StoreError>, expected: &str) -> Fail {
    match answer {
        Ok(revision) => Fail::new(format!("{what}: succeeded at revision {revision}, expected {expected}")),
        Err(error) => Fail::new(format!("{what}: answered `{error}`, expected {expected}")),
    }
}
