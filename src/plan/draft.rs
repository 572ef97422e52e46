//! The state of a transaction so far, and each changed record before and after.

use std::sync::Arc;

use uuid::Uuid;

use super::guard::{self, Guard};
use super::journal::{Journal, TWO_SIDES};
use super::managed::{self, Author};
use super::{Plan, asserted, separated};
use crate::model::catalog::Taken;
use crate::model::error::{Asked, EntityKind, Error, ErrorKind, Result};
use crate::model::internal_fault::{InternalFault, must, watch};
use crate::model::invariants::Violation;
use crate::model::records::{
    Actor, Change, CommitId, Envelope, Manager, Note, Position, Record, RecordKey, Revision, Slug, Timestamp,
};
use crate::resolver::snapshot::build::cycles;
use crate::resolver::snapshot::edit::{Edit, Touched};
use crate::resolver::snapshot::row_cache::recompute_rows;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Origin, Row, Table};
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot};
use crate::resolver::suggestions::history;

/// The inputs that a plan cannot create itself: the id of its commit, the time, and new ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitContext {
    pub(crate) commit: CommitId,
    pub(crate) at: Timestamp,
    pub(crate) new_id: fn() -> Uuid,
}

#[derive(Debug)]
pub(crate) struct Draft {
    base: Arc<CompiledTenant>,
    pub(super) next: CompiledTenant,
    touched: Touched,
    journal: Journal,
    context: CommitContext,
    pub(super) actor: Option<Actor>,
    pub(super) note: Option<Note>,
    /// The directory that the transaction currently acts for (R16).
    manager: Option<Manager>,
    /// Every directory that the transaction has acted for.
    acts_for: Vec<Manager>,
    /// The actors of a guarded transaction (R13).
    pub(crate) guards: Vec<Guard>,
    /// The relations that a call was to remove and that were not there.
    pub(super) removed_in_vain: Vec<RecordKey>,
    /// A fault makes the state unusable, so no plan is made.
    fault: Option<InternalFault>,
}

impl Draft {
    pub(crate) fn new(base: Arc<CompiledTenant>, context: CommitContext) -> Self {
        let next = (*base).clone();
        let touched = Touched::default();
        let journal = Journal::default();
        let (actor, note, manager, acts_for) = (None, None, None, Vec::new());
        let (guards, removed_in_vain, fault) = (Vec::new(), Vec::new(), None);
        Self { base, next, touched, journal, context, actor, note, manager, acts_for, guards, removed_in_vain, fault }
    }

    /// Acts for a directory from here on (R16).
    pub(super) fn act_for(&mut self, manager: Manager) {
        if !self.acts_for.contains(&manager) {
            self.acts_for.push(manager.clone());
        }
        self.manager = Some(manager);
    }

    pub(super) fn new_id(&self) -> Uuid {
        (self.context.new_id)()
    }

    pub(super) fn instant(&self) -> Timestamp {
        self.context.at
    }

    pub(super) fn preview(&self) -> Snapshot {
        let mut so_far = self.next.clone();
        let recomputed = watch(|| recompute_rows(&mut so_far.state, &mut self.touched.clone()));
        if so_far.state.tenant.is_none() {
            so_far.availability = Availability::Deleted;
        } else if self.fault.or(recomputed.err()).is_some() {
            so_far.availability = Availability::Broken;
        }
        Snapshot(Arc::new(so_far))
    }

    pub(super) fn base(&self) -> &Arc<CompiledTenant> {
        &self.base
    }

    /// Applies a change that has been validated.
    pub(super) fn apply(&mut self, change: Change) -> Result<()> {
        self.intact()?;
        self.check_managed(&change)?;
        self.apply_in_order(vec![change])
    }

    /// Applies validated changes, in order. The rule about directories (R16) is checked for all of them before anything changes.
    pub(super) fn apply_all(&mut self, changes: Vec<Change>) -> Result<()> {
        self.intact()?;
        self.check_all_managed(&changes)?;
        self.apply_in_order(changes)
    }

    fn apply_in_order(&mut self, mut changes: Vec<Change>) -> Result<()> {
        let CompiledTenant { state, session, .. } = &mut self.next;
        if state.tenant.is_none() {
            return Err(Error::new(ErrorKind::Deleted));
        }
        let mut edit = Edit { state, session, touched: &mut self.touched };
        let mut done = 0;
        let applied = watch(|| edit.apply_in_order(&changes, &mut done));
        changes.truncate(done);
        self.journal.record(changes);
        self.check_applied(applied)
    }

    /// Checks the result of an edit. Every change was validated against this state, so a violation is a fault of this
    /// crate.
    fn check_applied(&mut self, applied: Result<Result<(), Violation>, InternalFault>) -> Result<()> {
        let fault = match applied {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Violation::TooManyEntities)) => return Err(Error::new(ErrorKind::TooManyEntities)),
            Ok(Err(violation)) => {
                let fault = InternalFault("a change that was judged fits on what is there");
                self.fault = Some(fault);
                return Err(fault.error_by(violation, "nothing was committed"));
            }
            Err(fault) => fault,
        };
        self.fault = Some(fault);
        Err(fault.into())
    }

    /// Returns a value that must exist, or an internal error.
    pub(super) fn must<T>(&mut self, found: Option<T>, what: &'static str) -> Result<T> {
        must(found, what).ok_or_else(|| {
            self.fault = Some(InternalFault(what));
            InternalFault(what).into()
        })
    }

    /// Creates the change between two records with the same key.
    pub(super) fn change(&mut self, before: Record, after: Record) -> Result<Change> {
        self.must(Change::new(Some(before), Some(after)), TWO_SIDES)
    }

    /// Runs a part of a plan whose lookups must succeed.
    pub(super) fn watch<T>(&mut self, work: impl FnOnce(&Self) -> T) -> Result<T> {
        let outcome = watch(|| work(self));
        self.fault = self.fault.or(outcome.as_ref().err().copied());
        Ok(outcome?)
    }

    /// Returns the fault, if there was one: a transaction continues after an error, but not after a fault.
    fn intact(&self) -> Result<()> {
        self.fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Checks that the transaction acts for the directory that manages the changed entity (R16).
    pub(super) fn check_managed(&self, change: &Change) -> Result<()> {
        managed::check_managed(&self.next.state, change, Author::Transaction, |manager| self.acts_now_for(manager))
    }

    /// Checks the same for changes that are made together.
    pub(super) fn check_all_managed(&self, changes: &[Change]) -> Result<()> {
        let acts_for = |manager: &Manager| self.acts_now_for(manager);
        managed::check_all_managed(&self.next.state, changes, Author::Transaction, acts_for)
    }

    fn acts_now_for(&self, manager: &Manager) -> bool {
        self.manager.as_ref() == Some(manager)
    }

    /// Applies a set of changes that the caller has validated as a whole. Only the rule about directories (R16) is
    /// checked here.
    #[cfg(feature = "json")]
    pub(crate) fn apply_whole(&mut self, changes: Vec<Change>, acts_for: &[Manager]) -> Result<()> {
        let state = &self.base.state;
        managed::check_all_managed(state, &changes, Author::Document, |manager| acts_for.contains(manager))?;
        self.acts_for.extend_from_slice(acts_for);
        let applied = self.edit_all(&changes);
        self.check_applied(applied)?;
        self.journal.record(changes);
        Ok(())
    }

    /// Applies the changes of a plan that was made on another state, for the directories that it acts for. The caller
    /// has checked each change by itself. The invariants of the changes together are checked here. After a violation,
    /// the draft must be discarded.
    pub(super) fn apply_again(&mut self, changes: &[Change], acts_for: &[Manager]) -> Result<Result<(), Violation>> {
        self.acts_for.extend_from_slice(acts_for);
        if let Err(violation) = self.edit_all(changes)? {
            return Ok(Err(violation));
        }
        if let Some(cycle) = watch(|| cycles(&self.next.state, &self.touched))? {
            return Ok(Err(cycle));
        }
        self.journal.record(changes.iter().cloned());
        Ok(Ok(()))
    }

    fn edit_all(&mut self, changes: &[Change]) -> Result<Result<(), Violation>, InternalFault> {
        let CompiledTenant { state, session, .. } = &mut self.next;
        let mut edit = Edit { state, session, touched: &mut self.touched };
        watch(|| edit.apply_all(changes))
    }

    /// Records that a call should remove a relation that does not exist. The plan warns if something else still has the
    /// same effect.
    pub(super) fn removes_in_vain(&mut self, relation: RecordKey) {
        self.removed_in_vain.push(relation);
    }

    /// Returns the plan: the changes that remain, without those undone within the transaction, and the state that they
    /// lead to.
    ///
    /// # Errors
    /// [`Escalation`](ErrorKind::Escalation) (R13), [`SeparationOfDuties`](ErrorKind::SeparationOfDuties) (R14),
    /// [`AssertionFailed`](ErrorKind::AssertionFailed) (R17), [`Internal`](ErrorKind::Internal).
    pub(crate) fn finish(mut self) -> Result<Plan> {
        self.intact()?;
        let ends = self.next.state.tenant.is_none();
        let mut changes = watch(|| self.journal.into_difference())?;
        if ends {
            // Deleting the tenant deletes all its records; the store derives those removals.
            changes.retain(|change| change.key() == RecordKey::Tenant);
        }
        let Position { tenant_id, revision, commit } = self.base.position;
        let envelope = Envelope {
            id: self.context.commit,
            previous: Some(commit),
            actor: self.actor,
            at: self.context.at,
            note: self.note,
            catalog: self.base.catalog.definition.fingerprint(),
        };
        let (acts_for, guards, removed_in_vain) = (self.acts_for, self.guards, self.removed_in_vain);
        if changes.is_empty() {
            let next = Arc::clone(&self.base);
            return Ok(Plan { next, base: self.base, envelope, changes, acts_for, guards, removed_in_vain });
        }
        watch(|| recompute_rows(&mut self.next.state, &mut self.touched))?;
        if ends {
            self.next.availability = Availability::Deleted;
        }
        if !ends {
            let (before, after) = (&self.base.state, &self.next.state);
            watch(|| separated::check(before, after, &changes, envelope.at))??;
            watch(|| asserted::check(before, &self.next, &changes, envelope.at))??;
        }
        self.next.position = Position { tenant_id, revision: revision.next(), commit: envelope.id };
        let (base, next) = (self.base, Arc::new(self.next));
        let plan = Plan { base, next, envelope, changes, acts_for, guards, removed_in_vain };
        guard::check(&plan)?;
        Ok(plan)
    }

    /// Returns the error for an unknown name. It is cheap: similar names are searched for when somebody asks for them.
    pub(super) fn not_found(&self, entity: EntityKind, asked: Asked) -> Error {
        let error = Error::not_found(entity, asked).at_revision(self.revision());
        error.suggest(self.next.suggestions(entity))
    }

    pub(super) fn removed_from_catalog(&self, entity: EntityKind, asked: Asked) -> Error {
        Error::not_found(entity, asked).reason("it was removed from the catalog").at_revision(self.revision())
    }

    pub(super) fn exists(&self, entity: EntityKind, asked: impl Into<Asked>) -> Error {
        Error::already_exists(entity, asked).at_revision(self.revision())
    }

    /// Returns the error for a slug that the catalog had, and no longer uses.
    pub(super) fn retired(&self, entity: EntityKind, slug: &str) -> Error {
        let reason = history(&self.next.catalog.definition, entity, slug);
        self.exists(entity, slug).unusable().reason(reason.unwrap_or_default())
    }

    /// Checks that the catalog neither has nor had this slug of a new permission. A removed entry that the tenant still
    /// refers to counts, unless `earlier` has it, too. A plan on that state may then use the slug.
    pub(super) fn check_permission_slug_in_catalog(&self, slug: &Slug, earlier: Option<&State>) -> Result<()> {
        let taken = self.next.catalog.definition.permission_slug_is_taken(slug.as_str());
        self.check_slug_in_catalog(taken, slug, earlier, |state| &state.permissions)
    }

    /// As [`Draft::check_permission_slug_in_catalog`].
    pub(super) fn check_role_slug_in_catalog(&self, slug: &Slug, earlier: Option<&State>) -> Result<()> {
        let taken = self.next.catalog.definition.role_slug_is_taken(slug.as_str());
        self.check_slug_in_catalog(taken, slug, earlier, |state| &state.roles)
    }

    fn check_slug_in_catalog<R: Row>(
        &self,
        taken: Taken,
        slug: &Slug,
        earlier: Option<&State>,
        table: fn(&State) -> &Table<R>,
    ) -> Result<()> {
        let exists = || self.exists(R::ENTITY, slug.as_str());
        match taken {
            Taken::Present => return Err(exists().reason("the catalog defines it")),
            Taken::Retired => return Err(self.retired(R::ENTITY, slug.as_str())),
            Taken::Reserved(prefix) => return Err(self.reserved(R::ENTITY, slug.as_str(), prefix.as_str())),
            Taken::Free => {}
        }
        let is_removed = |state: &State| {
            let row = table(state).by_name(slug.as_str()).and_then(|number| table(state).row(number));
            row.is_some_and(|row| row.origin() == Origin::RemovedFromCatalog)
        };
        if is_removed(&self.next.state) && !earlier.is_some_and(is_removed) {
            return Err(exists().unusable().reason("it was removed from the catalog and is still referred to"));
        }
        Ok(())
    }

    pub(super) fn reserved(&self, entity: EntityKind, slug: &str, prefix: &str) -> Error {
        Error::reserved(entity, slug, prefix).at_revision(self.revision())
    }

    pub(super) fn read_only(entity: EntityKind, name: &str) -> Error {
        Error::new(ErrorKind::ReadOnly).about(entity, name)
    }

    /// Checks that an entity is the tenant's own. An entry of the catalog cannot be changed.
    pub(super) fn check_is_own(entity: EntityKind, name: &str, origin: Origin) -> Result<()> {
        match origin {
            Origin::Tenant => Ok(()),
            Origin::Catalog | Origin::RemovedFromCatalog => Err(Self::read_only(entity, name)),
        }
    }

    pub(super) fn revision(&self) -> Revision {
        self.base.position.revision
    }
}
