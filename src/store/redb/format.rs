//! The contents of the file: tables, keys, and the checksum of every value. `rows.rs` defines the values. Golden tests fix
//! all of it; another layout needs another [`FORMAT`].
//!
//! | table | key | value |
//! |---|---|---|
//! | `rolecall` | `format` | the format number, four bytes |
//! | `rolecall.slugs` | the slug of an existing tenant | its id |
//! | `rolecall.tenants` | the tenant id | a [`TenantRow`](super::rows::TenantRow) |
//! | `rolecall.records` | the tenant id, the kind's ordinal, the record's ids | a record |
//! | `rolecall.commits` | the tenant id, the revision, the part number, both big-endian | a [`CommitPart`](super::rows::CommitPart) |
//!
//! A checksum follows every value: eight bytes, little-endian, the XXH3 of the value seeded by the XXH3 of the key seeded
//! by the table's number. Redb verifies page checksums only at opening; this one also finds later damage and misplaced
//! rows. It does not protect against somebody who can write the file.

use redb::TableDefinition;
use twox_hash::XxHash3_64;

use super::failure::RedbFailure;
use crate::model::records::{Holder, RecordKey, Revision, TenantId};

/// The format that this release writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 2;

/// Values are plain bytes, so that redb's type names are not part of the format.
pub(super) type Bytes = &'static [u8];

pub(super) const ABOUT: TableDefinition<'_, &str, Bytes> = TableDefinition::new("rolecall");
pub(super) const SLUGS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.slugs");
pub(super) const TENANTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.tenants");
pub(super) const RECORDS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.records");
pub(super) const COMMITS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.commits");

/// The key of [`FORMAT`] in [`ABOUT`].
pub(super) const FORMAT_KEY: &str = "format";

/// The table of a value, which its checksum includes.
#[derive(Clone, Copy, Debug)]
pub(super) enum TableId {
    About = 1,
    Slugs = 2,
    Tenants = 3,
    Records = 4,
    Commits = 5,
}

/// How many bytes of a value are its check.
const CHECK: usize = 8;

/// Puts the check behind the value; tells it too, for the digest of a tenant's records.
pub(super) fn with_checksum(place: TableId, key: &[u8], mut value: Vec<u8>) -> (Vec<u8>, u64) {
    let check = check(place, key, &value);
    value.extend_from_slice(&check.to_le_bytes());
    (value, check)
}

/// The value without its check, and the check.
pub(super) fn verify_checksum<'a>(
    place: TableId,
    key: &[u8],
    sealed: &'a [u8],
) -> Result<(&'a [u8], u64), RedbFailure> {
    match sealed.split_last_chunk::<CHECK>() {
        Some((value, stored)) if check(place, key, value) == u64::from_le_bytes(*stored) => {
            Ok((value, u64::from_le_bytes(*stored)))
        }
        _ => Err(RedbFailure::corrupt(format!("S10: a row of {place:?} is not what was written"))),
    }
}

fn check(place: TableId, key: &[u8], value: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot_with_seed(place as u64, key), value)
}

/// The key of a tenant.
pub(super) fn tenant_key(tenant_id: TenantId) -> [u8; 16] {
    tenant_id.as_uuid().into_bytes()
}

/// The key of a record. Sorts tenant by tenant, and within one kind by kind.
pub(super) fn record_key(tenant_id: TenantId, key: &RecordKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(tenant_id.as_uuid().as_bytes());
    bytes.push(key.kind().ordinal());
    let mut ids = |ids: &[uuid::Uuid]| ids.iter().for_each(|id| bytes.extend_from_slice(id.as_bytes()));
    match key {
        RecordKey::Tenant => {}
        RecordKey::Permission(id) => ids(&[id.as_uuid()]),
        RecordKey::Role(id) => ids(&[id.as_uuid()]),
        RecordKey::Group(id) => ids(&[id.as_uuid()]),
        RecordKey::User(id) => ids(&[id.as_uuid()]),
        RecordKey::Separation(id) => ids(&[id.as_uuid()]),
        RecordKey::Assertion(id) => ids(&[id.as_uuid()]),
        RecordKey::Inclusion(role, included) => ids(&[role.as_uuid(), included.as_uuid()]),
        RecordKey::Parent(group, parent) => ids(&[group.as_uuid(), parent.as_uuid()]),
        RecordKey::Membership(user, group) => ids(&[user.as_uuid(), group.as_uuid()]),
        // Two shapes of one kind: a byte tells which.
        RecordKey::Grant(role, permission) => {
            ids(&[role.as_uuid()]);
            bytes.push(0);
            bytes.extend_from_slice(permission.as_uuid().as_bytes());
        }
        RecordKey::GrantPattern(role, pattern) => {
            ids(&[role.as_uuid()]);
            bytes.push(1);
            bytes.extend_from_slice(pattern.as_str().as_bytes());
        }
        RecordKey::Assignment(role, holder) => {
            ids(&[role.as_uuid()]);
            let (shape, id) = match holder {
                Holder::User(id) => (0, id.as_uuid()),
                Holder::Group(id) => (1, id.as_uuid()),
            };
            bytes.push(shape);
            bytes.extend_from_slice(id.as_bytes());
        }
    }
    bytes
}

/// The ordinal of the kind in the key of a record.
pub(super) fn kind_in(key: &[u8]) -> Option<u8> {
    key.get(16).copied()
}

/// Where the records of a tenant begin and end.
pub(super) fn records_of(tenant_id: TenantId) -> ([u8; 16], [u8; 17]) {
    let mut end = [u8::MAX; 17];
    end.iter_mut().zip(tenant_key(tenant_id)).for_each(|(to, from)| *to = from);
    (tenant_key(tenant_id), end)
}

/// The key of a part of a commit.
pub(super) fn commit_key(tenant_id: TenantId, revision: Revision, part: u32) -> [u8; 28] {
    let bytes = tenant_key(tenant_id).into_iter().chain(revision.number().to_be_bytes()).chain(part.to_be_bytes());
    let mut key = [0; 28];
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    key
}

/// The revision in the key of a part of a commit.
pub(super) fn revision_in(key: &[u8]) -> Option<Revision> {
    let number = key.get(16..24)?.first_chunk()?;
    Some(Revision::new(u64::from_be_bytes(*number)))
}
