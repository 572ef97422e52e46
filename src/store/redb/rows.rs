//! The values of the file: tenant rows, parts of commits, records. Encoded with postcard, whose format is fixed, from the
//! serde forms of the records.
//!
//! A kind of record of a later release has an unknown ordinal. The ordinal is in the key of a record and at the start of
//! every part of a commit, so this release rejects it before it decodes anything (S10).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::RedbFailure;
use crate::model::records::{Change, CommitId, Envelope, Position, Record, RecordKind, Revision, TenantId, TenantSlug};
use crate::store::StoreError;

/// The row of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TenantRow {
    /// Deleted, or its creation was prevented.
    Deleted,
    /// It exists.
    Live(LiveTenant),
}

/// An existing tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LiveTenant {
    /// The latest position.
    pub(super) latest: LocalPosition,
    /// The oldest position in the history.
    pub(super) history_start: LocalPosition,
    /// The size of the history in changes; an empty commit counts as one.
    pub(super) history_size: u64,
    /// The tenant's slug.
    pub(super) slug: TenantSlug,
    /// The number of records.
    pub(super) records: u64,
    /// The sum of the records' checksums. Together with the number it reveals a missing or an extra row.
    pub(super) digest: u64,
}

/// A position without its tenant id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LocalPosition {
    pub(super) revision: Revision,
    pub(super) commit: CommitId,
}

impl LocalPosition {
    /// The full position.
    pub(super) fn of(self, tenant_id: TenantId) -> Position {
        Position { tenant_id, revision: self.revision, commit: self.commit }
    }
}

/// A part of a commit, which bounds the size of values. Only the first part has a head.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CommitPart {
    pub(super) head: Option<CommitHead>,
    pub(super) changes: Vec<Change>,
}

/// The envelope of a commit and the number of its changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CommitHead {
    pub(super) envelope: Envelope,
    /// The number of changes in all parts.
    pub(super) changes: u64,
}

/// The most changes in one part: some 100 kilobytes, at most 8 megabytes.
pub(super) const PART: usize = 1_000;

/// The newest kind that this release knows.
const NEWEST: u8 = match RecordKind::ALL {
    [.., newest] => newest.ordinal(),
    [] => 0,
};

/// Encodes a value.
pub(super) fn encode<T: Serialize>(what: &T) -> Result<Vec<u8>, RedbFailure> {
    postcard::to_allocvec(what).map_err(|e| RedbFailure::corrupt(format!("S10: cannot encode a value: {e}")))
}

/// Decodes a value from all of the bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RedbFailure> {
    match postcard::take_from_bytes(bytes) {
        Ok((what, [])) => Ok(what),
        Ok(_) => Err(RedbFailure::corrupt("S10: trailing bytes in a row")),
        Err(e) => Err(RedbFailure::corrupt(format!("S10: cannot decode a row: {e}"))),
    }
}

/// Decodes a record; `kind` is the ordinal in its key.
pub(super) fn record(kind: u8, bytes: &[u8]) -> Result<Record, RedbFailure> {
    check_kind(kind)?;
    let record: Record = decode(bytes)?;
    if record.kind().ordinal() == kind {
        Ok(record)
    } else {
        Err(RedbFailure::corrupt("S10: a record under another kind"))
    }
}

/// Encodes a part after the ordinal of its newest kind.
pub(super) fn encode_part(part: &CommitPart) -> Result<Vec<u8>, RedbFailure> {
    let newest = part.changes.iter().map(|change| change.kind().ordinal()).max().unwrap_or_default();
    encode(&(newest, part))
}

/// Decodes a part, unless it contains a kind of a later release.
pub(super) fn part(bytes: &[u8]) -> Result<CommitPart, RedbFailure> {
    let (newest, rest) = bytes.split_first().ok_or_else(|| RedbFailure::corrupt("S14: empty part of a commit"))?;
    check_kind(*newest)?;
    decode(rest)
}

fn check_kind(kind: u8) -> Result<(), RedbFailure> {
    if kind <= NEWEST {
        return Ok(());
    }
    Err(StoreError::unsupported_record(format!("record kind {kind} needs a later release")).into())
}
