//! What a commit carries beside its changes, and where in a tenant's history a state stands.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, CommitId, Note, Revision, TenantId, Timestamp};

/// One state in the history of one life: the token that processes pass to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Whose history.
    pub tenant_id: TenantId,
    /// Which state.
    pub revision: Revision,
    /// The commit that made it. A restored backup can reach the same revision by another one.
    pub commit: CommitId,
}

/// What identifies the content of a catalog: two catalogs that mean the same have the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Uuid);

impl Fingerprint {
    /// The fingerprint with this UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID, to be stored.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.0)
    }
}

/// What a commit carries beside its changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The commit's own id.
    pub id: CommitId,
    /// The commit before it: that of the base. None for a birth. A store need not check it.
    pub previous: Option<CommitId>,
    /// Who made it, in the application's words.
    pub actor: Option<Actor>,
    /// When it was made, by the clock of whoever made it.
    pub at: Timestamp,
    /// Why it was made.
    pub note: Option<Note>,
    /// The catalog under which it was made.
    pub catalog: Fingerprint,
}
