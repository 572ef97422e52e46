//! What is inside the frames: the row of a life, the parts of a commit, a record. Postcard, whose format is fixed, over
//! the serde forms that the records have anyway.
//!
//! A kind of record that a later release adds has an ordinal that this one does not know. It stands in the key of a
//! record and in front of every part of a commit, so it is recognised, and refused, before anything is decoded (S10).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::model::records::{Change, CommitId, Envelope, Position, Record, RecordKind, Revision, TenantId, TenantSlug};
use crate::store::StoreError;

/// What is known of a life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TenantRow {
    /// It has ended, or never began and never will.
    Ended,
    /// It is there.
    Living(Living),
}

/// A living tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Living {
    /// The latest state.
    pub(super) latest: State,
    /// The oldest state that is in the history.
    pub(super) floor: State,
    /// What the history weighs: a commit its changes, and at least one.
    pub(super) weight: u64,
    /// The slug under which the tenant is found.
    pub(super) slug: TenantSlug,
    /// How many records there are.
    pub(super) records: u64,
    /// The sum of their checks. With their number it tells that a row is missing, or is there too often.
    pub(super) digest: u64,
}

/// A state of a life that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) commit: CommitId,
}

impl State {
    /// The state as the contract has it.
    pub(super) fn of(self, tenant_id: TenantId) -> Position {
        Position { tenant_id, revision: self.revision, commit: self.commit }
    }
}

/// A part of a commit, so that no value grows with the largest commit. Only the first part has a head.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) head: Option<Head>,
    pub(super) changes: Vec<Change>,
}

/// What a commit is, beside its changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) envelope: Envelope,
    /// How many changes there are in all parts.
    pub(super) changes: u64,
}

/// At most so many changes are in a part: some 100 kilobytes, and 8 megabytes where every description is as long as it
/// may be.
pub(super) const PART: usize = 1_000;

/// The newest kind that this release knows.
const NEWEST: u8 = match RecordKind::ALL {
    [.., newest] => newest.ordinal(),
    [] => 0,
};

/// The bytes of something.
pub(super) fn encode<T: Serialize>(what: &T) -> Result<Vec<u8>, Fault> {
    postcard::to_allocvec(what).map_err(|e| Fault::corrupt(format!("S10: cannot be written: {e}")))
}

/// What has these bytes, all of them.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((what, [])) => Ok(what),
        Ok(_) => Err(Fault::corrupt("S10: a row goes on behind its end")),
        Err(e) => Err(Fault::corrupt(format!("S10: a row cannot be read: {e}"))),
    }
}

/// A record, from the ordinal in its key and its bytes.
pub(super) fn record(kind: u8, bytes: &[u8]) -> Result<Record, Fault> {
    refuse_newer(kind)?;
    let record: Record = decode(bytes)?;
    if record.kind().ordinal() == kind { Ok(record) } else { Err(Fault::corrupt("S10: a record of another kind")) }
}

/// The bytes of a part: the ordinal of the newest kind in it comes first.
pub(super) fn encode_part(part: &Part) -> Result<Vec<u8>, Fault> {
    let newest = part.changes.iter().map(|change| change.kind().ordinal()).max().unwrap_or_default();
    encode(&(newest, part))
}

/// A part, unless it holds a kind that only a later release knows.
pub(super) fn part(bytes: &[u8]) -> Result<Part, Fault> {
    let (newest, rest) = bytes.split_first().ok_or_else(|| Fault::corrupt("S14: a part of a commit is empty"))?;
    refuse_newer(*newest)?;
    decode(rest)
}

fn refuse_newer(kind: u8) -> Result<(), Fault> {
    if kind <= NEWEST {
        return Ok(());
    }
    Err(StoreError::UnsupportedRecord(format!("a record of kind {kind}, which only a later release knows")).into())
}
