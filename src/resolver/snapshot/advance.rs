//! Advancing a snapshot by one or more commits, of this process or of another.
//!
//! The result gives the same answers as a snapshot built from scratch. Tests compare the two after every step.

use super::CompiledTenant;
use super::build::cycles;
use super::edit::{Edit, Touched};
use super::row_cache::recompute_rows;
use crate::model::internal_fault::{InternalFault, watch};
use crate::model::records::{Change, Envelope, Position, Revision};

/// Why a commit cannot be applied to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It does not follow the revision of the snapshot.
    OutOfOrder,
    /// It breaks an invariant.
    Broken,
    /// A bug of this crate.
    Internal(InternalFault),
}

impl CompiledTenant {
    /// Returns the snapshot after these commits, in order. A commit that deletes the tenant leaves a state without a
    /// tenant record.
    pub(crate) fn advance<'a>(
        &self,
        commits: impl IntoIterator<Item = (Revision, &'a Envelope, &'a [Change])>,
    ) -> Result<Self, Unfit> {
        let mut next = self.clone();
        let mut touched = Touched::default();
        for (revision, envelope, changes) in commits {
            let Position { tenant_id, revision: before, commit } = next.position;
            if revision != before.next() || envelope.previous != Some(commit) {
                return Err(Unfit::OutOfOrder);
            }
            let Self { state, session, .. } = &mut next;
            let mut edit = Edit { state, session, touched: &mut touched };
            watch(|| edit.apply_all(changes)).map_err(Unfit::Internal)?.map_err(|_| Unfit::Broken)?;
            next.position = Position { tenant_id, revision, commit: envelope.id };
            if next.state.tenant.is_none() {
                break;
            }
        }
        if cycles(&next.state, &touched).is_some() {
            return Err(Unfit::Broken);
        }
        watch(|| recompute_rows(&mut next.state, &mut touched)).map_err(Unfit::Internal)?;
        Ok(next)
    }
}
