//! One tenant at one revision, compiled for questions, immutable.
//!
//! `state.rs` is what a snapshot is made of; `build.rs` makes one from records (users by `gather.rs`), `advance.rs` the
//! next one from changes, `walk.rs` goes through one. Questions are asked on a moment of it ([`crate::Moment`]).

pub(crate) mod advance;
pub(crate) mod base;
pub(crate) mod build;
pub(crate) mod brief;
pub(crate) mod card;
pub(crate) mod columns;
pub(crate) mod edge;
pub(crate) mod edges;
pub(crate) mod edit;
pub(crate) mod flatten;
pub(crate) mod gather;
pub(crate) mod granters;
pub(crate) mod names;
pub(crate) mod nouns;
pub(crate) mod opening;
pub(crate) mod patterned;
pub(crate) mod reverse;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod verify;
pub(crate) mod walk;

use std::fmt;
use std::sync::Arc;

pub use self::names::{AsGroup, AsPermission, AsRole, AsUser, PermissionHandle, UserHandle};

use self::base::Base;
use self::opening::Opening;
use self::state::State;
use crate::records::{At, Life, Revision};

/// One tenant at one revision. It does not change: who holds one asks many questions of the same state.
///
/// A clone costs a reference count. A snapshot that was taken while the tenant did not answer (its own commit was not
/// settled, say) does not answer either, and says why.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<Compiled>);

/// What a snapshot is. In this order, as the state is: what every check reads comes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Compiled {
    pub(crate) standing: Standing,
    pub(crate) opening: Arc<Opening>,
    pub(crate) state: State,
    pub(crate) base: Arc<Base>,
    pub(crate) position: At,
}

/// Whether a snapshot answers, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// It answers.
    Good,
    /// A commit of the tenant's own has an unknown outcome.
    Unsettled,
    /// The store's content was refused at the last refresh.
    Refused,
    /// Opened for repair.
    Repair,
    /// The tenant was closed.
    Closed,
    /// The life has ended.
    Deleted,
}

impl Standing {
    /// Whether there is no way back.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Deleted)
    }
}

impl Snapshot {
    /// The life of the tenant.
    pub fn life(&self) -> Life {
        self.0.position.life
    }

    /// The revision of the tenant.
    pub fn revision(&self) -> Revision {
        self.0.position.revision
    }

    /// Where in the tenant's history it stands: the token that processes pass to each other.
    pub fn position(&self) -> At {
        self.0.position
    }

    /// The tenant's slug at this revision; empty once the tenant was deleted.
    pub fn slug(&self) -> &str {
        self.0.state.tenant.as_ref().map_or("", |tenant| tenant.slug.as_str())
    }

    /// The tenant's name at this revision; empty once the tenant was deleted.
    pub fn name(&self) -> &str {
        self.0.state.tenant.as_ref().map_or("", |tenant| tenant.name.as_str())
    }
}

impl Compiled {
    /// The same state with another standing.
    pub(crate) fn standing_as(&self, standing: Standing) -> Self {
        Self { standing, ..self.clone() }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("life", &self.life())
            .field("revision", &self.revision())
            .field("standing", &self.0.standing)
            .finish_non_exhaustive()
    }
}
