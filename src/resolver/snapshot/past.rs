//! A past state of a tenant, rebuilt from a present one and the changes since then, backwards.
//!
//! The past state has a session of its own. So the ids of deleted entities take no numbers in the tenant's session, and a
//! handle of one is not accepted by the other.

use std::collections::BTreeMap;

use super::CompiledTenant;
use super::build::Build;
use crate::model::invariants::Violation;
use crate::model::records::{Change, Position, Record, RecordKey};

/// The records that later changes have changed: each record as it was before the oldest of them.
#[derive(Debug, Default)]
pub(crate) struct Undone(BTreeMap<RecordKey, Option<Record>>);

impl Undone {
    /// Undoes the changes of one commit, which is older than those that were undone before.
    pub(crate) fn undo(&mut self, changes: &[Change]) {
        self.0.extend(changes.iter().map(|change| (change.key(), change.before().cloned())));
    }
}

impl CompiledTenant {
    /// Returns the state of a position, from which the undone changes led to this one.
    ///
    /// # Complexity
    /// That of a load.
    pub(crate) fn rewound(&self, undone: &Undone, position: Position) -> Result<Self, Vec<Violation>> {
        let mut build = Build::new(self.catalog.clone(), self.catalog.open().into());
        let unchanged = self.state.records().filter(|record| !undone.0.contains_key(&record.key()));
        let mut restored = undone.0.values().flatten().peekable();
        // Both are sorted by kind, and a key sorts by its kind first.
        for record in unchanged {
            while let Some(earlier) = restored.next_if(|earlier| earlier.kind() <= record.kind()) {
                build.push(earlier);
            }
            if !build.push(&record) {
                break;
            }
        }
        restored.for_each(|earlier| {
            build.push(earlier);
        });
        build.finish(position)
    }
}
