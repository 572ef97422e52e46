//! Commits and records that the tests share.

use rolecall::records::{
    Change, CommitId, Envelope, Fingerprint, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug,
    Timestamp, UserId, UserKey, UserRecord,
};
use rolecall::store::{Base, Commit, Store, StoreError};
use uuid::Uuid;

/// Numbers that are the same in every run with the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

pub(crate) fn envelope(previous: Option<CommitId>) -> Envelope {
    let (at, catalog) = (Timestamp::UNIX_EPOCH, Fingerprint::from_uuid(Uuid::nil()));
    Envelope { id: CommitId::random(), previous, actor: None, at, note: None, catalog }
}

pub(crate) fn tenant(slug: &str) -> Record {
    Record::Tenant(TenantRecord { slug: TenantSlug::new(slug).unwrap(), name: Name::new(slug).unwrap() })
}

pub(crate) fn user(number: u128) -> Record {
    let id = UserId::from_uuid(Uuid::from_u128(number));
    Record::User(UserRecord::new(id, UserKey::new(&format!("user-{number}")).unwrap()))
}

pub(crate) fn users(numbers: std::ops::Range<u128>) -> Vec<Change> {
    numbers.map(|number| Change::added(user(number))).collect()
}

/// A deletion, an update and an addition in one table. The first two of the three users must exist, and the last two do then.
pub(crate) fn mixed(first: u128) -> Vec<Change> {
    let id = UserId::from_uuid(Uuid::from_u128(first + 1));
    let renamed = Record::User(UserRecord::new(id, UserKey::new(&format!("renamed-{first}")).unwrap()));
    let update = Change::new(Some(user(first + 1)), Some(renamed)).unwrap();
    vec![Change::removed(user(first)), update, Change::added(user(first + 2))]
}

/// Sends a commit, and returns the position that it makes if it succeeds.
pub(crate) async fn send(store: &impl Store, base: Base, changes: &[Change]) -> (Position, Result<(), StoreError>) {
    let (previous, revision) = match base {
        Base::Create(_) => (None, Revision::FIRST),
        Base::At(at) => (Some(at.commit), at.revision.next()),
    };
    let envelope = envelope(previous);
    let position = Position { tenant_id: base.tenant_id(), revision, commit: envelope.id };
    let answer = store.commit(Commit { base, envelope: &envelope, changes }).await;
    (position, answer.map(|made| assert_eq!(made, revision)))
}

pub(crate) async fn create(store: &impl Store, slug: &str) -> Position {
    let base = Base::Create(TenantId::random());
    let (at, answer) = send(store, base, &[Change::added(tenant(slug))]).await;
    answer.expect("a creation");
    at
}

pub(crate) async fn load(
    store: &impl Store,
    tenant_id: TenantId,
) -> Result<Option<(Vec<Record>, Position)>, StoreError> {
    let mut records = Vec::new();
    Ok(store.load(tenant_id, &mut records).await?.map(|at| (records, at)))
}
