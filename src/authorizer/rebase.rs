//! Rebases a plan onto the newest state of its tenant. `src/plan/rebase.rs` has the rules.

use super::tenant::Tenant;
use crate::model::error::Result;
use crate::plan::{CommitContext, Plan};

impl Tenant {
    /// Returns a plan with the same changes, with the same ids, on the newest state of the tenant, or the reason why
    /// that is not possible. Nothing is committed.
    ///
    /// Use it if a plan waits, for example for a person's approval, and [`Tenant::commit`] then returns
    /// [`Stale`](crate::ErrorKind::Stale). Planning again would give new ids to what the plan creates, and would not be
    /// the plan that was approved. The plan may also be from before the tenant was closed and opened again.
    ///
    /// The changes of the new plan are equal to those of the old one: none is dropped, none is adapted, none is added.
    /// Actor and note are the same. The commit has a new id and the present instant. **The effect need not be the
    /// same:** a user who joins a group gets all that the group's roles give by now. Compare it with
    /// [`Plan::access_differences`] before you commit. The cookbook in [`crate::docs`] has the whole recipe.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// # let acme = authorizer.create_tenant("acme", "Acme")?;
    /// use rolecall::ErrorKind;
    ///
    /// let (_, approved) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// acme.update(|tx| tx.create_user("bob")?.done())?; // somebody else, meanwhile
    /// assert_eq!(acme.commit(approved.clone()).unwrap_err().kind(), ErrorKind::Stale);
    ///
    /// let rebased = acme.rebase(&approved)?;
    /// assert_eq!(rebased.changes(), approved.changes(), "with the same id of alice");
    /// assert!(rebased.access_differences(&approved, acme.now().instant()).next().is_none());
    /// acme.commit(rebased)?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// A window of the plan may have ended since the plan was made. It is stored as it is and has no effect, as by a late
    /// [`Tenant::commit`] (R3).
    ///
    /// # Consistency
    /// The store is asked for newer commits first, as by [`Tenant::refresh`]. If others commit between the rebase and the
    /// commit, the commit is stale again.
    ///
    /// # Complexity
    /// One call to the store. For each change, a few look-ups and its cost in a transaction.
    ///
    /// # Errors
    /// Those of [`Tenant::refresh`]; [`ForeignPlan`](crate::ErrorKind::ForeignPlan) for a plan of another tenant.
    /// Otherwise the first reason why a change does not apply. [`RebaseConflict::of`](crate::plan::RebaseConflict::of)
    /// returns the change and the record that is there now.
    ///
    /// | kind | since the plan was made |
    /// |---|---|
    /// | [`Stale`](crate::ErrorKind::Stale) | somebody has added, changed or removed a record of the plan, even in the same way |
    /// | [`Stale`](crate::ErrorKind::Stale) | an entity that the plan deletes has gained relations |
    /// | [`Stale`](crate::ErrorKind::Stale) | anything has changed, and the plan deletes the tenant |
    /// | [`NotFound`](crate::ErrorKind::NotFound) | an end of a new relation was deleted, or removed from the catalog |
    /// | [`AlreadyExists`](crate::ErrorKind::AlreadyExists) | a new slug, key, id or external id was taken, by the catalog or by another entity |
    /// | [`Cycle`](crate::ErrorKind::Cycle) | together with what others have added, the plan closes a cycle |
    /// | [`Managed`](crate::ErrorKind::Managed) | a directory that the transaction did not act for manages what the plan changes (R16) |
    /// | [`Escalation`](crate::ErrorKind::Escalation) | the actor of a guarded plan lost a right, or what the plan gives has grown (R13) |
    /// | [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) | together with what others have added, a user holds too many roles of a separation (R14) |
    /// | [`AssertionFailed`](crate::ErrorKind::AssertionFailed) | together with what others have added, the plan breaks a binding assertion (R17) |
    /// | [`CatalogConflict`](crate::ErrorKind::CatalogConflict) | the slug of something that the plan changes or refers to has come to belong to the tenant and to the catalog (R9) |
    pub async fn rebase(&self, plan: &Plan) -> Result<Plan> {
        self.refresh().await?;
        self.0.writable()?;
        plan.rebase_onto(self.0.current.load(), CommitContext::new(&*self.0.shared.clock))
    }
}
