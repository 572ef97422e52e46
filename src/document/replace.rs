//! Plans the replacement of a tenant by a document. `difference.rs` compares the current records with those of the
//! document.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::Document;
use super::ids::ImportContext;
use super::rules;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::invariants::refused;
use crate::model::records::{Change, CommitId, Manager, Position, Record, RecordKind, Revision, TenantId, Timestamp};
use crate::plan::{CommitContext, Draft, Guard, Plan};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;

impl Document {
    /// Returns the plan that makes this state equal to the document.
    ///
    /// # Complexity
    /// O(n) for the records before and after, and O(m log m) for m changes.
    pub(crate) fn plan_on(&self, base: Arc<CompiledTenant>, commit_context: CommitContext) -> Result<Plan> {
        if base.state.tenant.is_none() {
            return Err(Error::new(ErrorKind::Deleted));
        }
        let catalog = &base.catalog.definition;
        let context = ImportContext { catalog, present: Some(&base.state), new_id: commit_context.new_id };
        let changes = rules::changes(&self.0, context)?;
        let guards = self.0.guards.iter().map(|asked| Guard::of_asked(&base, asked)).collect();
        let mut draft = Draft::new(base, commit_context);
        draft.guards = guards;
        draft.apply_whole(changes, &self.0.acts_for)?;
        draft.finish()
    }

    /// Checks that an import gives nobody a right that one of the actors lacks (R13): nobody is there before.
    pub(crate) fn check_guard(&self, changes: &[Change], catalog: &Arc<CompiledCatalog>, at: Timestamp) -> Result<()> {
        if self.0.guards.is_empty() {
            return Ok(());
        }
        let mut build = Build::new(Arc::clone(catalog), Arc::new(catalog.open()));
        let (tenant, others): (Vec<_>, Vec<_>) =
            changes.iter().cloned().partition(|change| change.kind() == RecordKind::Tenant);
        for record in tenant.iter().filter_map(Change::after) {
            build.push(record);
        }
        let (commit, revision) = (CommitId::random(), Revision::FIRST);
        let position = Position { tenant_id: TenantId::random(), revision, commit };
        let base = Arc::new(build.finish(position).map_err(|violations| refused(&violations))?);
        let guards = self.0.guards.iter().map(|asked| Guard::of_asked(&base, asked)).collect();
        let mut draft = Draft::new(base, CommitContext { commit, at, new_id: Uuid::new_v4 });
        draft.guards = guards;
        draft.apply_whole(others, &managers(changes))?;
        draft.finish().map(drop)
    }
}

/// The directories that manage something in these changes. An import acts for all of them.
fn managers(changes: &[Change]) -> Vec<Manager> {
    let managed = changes.iter().filter_map(|change| match change.after()? {
        Record::User(record) => record.managed_by(),
        Record::Group(record) => record.managed_by(),
        _ => None,
    });
    let managers: BTreeSet<&Manager> = managed.collect();
    managers.into_iter().cloned().collect()
}
