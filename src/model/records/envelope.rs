//! What a commit carries beside its changes, and where in a tenant's history a state stands.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, CommitId, Note, TenantId, Timestamp, UserId};

/// The number of a tenant's state within one life. A birth makes revision 1, and every commit the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The state that a birth makes.
    pub const FIRST: Self = Self(1);

    /// The revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one that the next commit makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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
    /// Who made it, where the actor is a user of the tenant.
    pub actor_id: Option<UserId>,
    /// When it was made, by the clock of whoever made it.
    pub at: Timestamp,
    /// Why it was made.
    pub note: Option<Note>,
    /// The catalog under which it was made.
    pub catalog: Fingerprint,
}
