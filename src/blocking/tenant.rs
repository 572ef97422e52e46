//! A tenant without an executor. [`crate::Tenant`] has the documentation and the examples.

use std::future::Future;

use super::{Staged, twin, wait};
use crate::authorizer::history::{PastPoint, PastState};
use crate::authorizer::{self, Lag, Outcome, Updated};
#[cfg(feature = "json")]
use crate::document::Document;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{CommitId, Name, Position, RecordKey, Revision, TenantId, TenantSlug};
use crate::plan::{Plan, Tx};
use crate::resolver::explain::{Decision, Explanation};
use crate::resolver::moment::{Moment, PermissionSet};
use crate::resolver::snapshot::{AsPermission, AsUser, PermissionHandle, SlugConflict, Snapshot, UserHandle};
use crate::store::{History, StoredCommit};

/// [`crate::Tenant`] without an executor. Questions are the same, and never wait.
///
/// ```
/// use rolecall::blocking::Authorizer;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:read")?;
///     tx.create_role("reader")?.grant("posts:read")?;
///     tx.create_user("alice")?.assign("reader")?.done()
/// })?;
/// assert!(acme.check("alice", "posts:read"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tenant(authorizer::Tenant);

twin!(Tenant, |acme| "let acme = authorizer.create_tenant(\"acme\", \"Acme\")?;");

const NO_RESULT: &str = "an update has ended without a result of its closure";

/// Why an update failed. The error of its closure is kept where its type is known.
enum ClosureError {
    ByClosure,
    Otherwise(Error),
}

impl From<Error> for ClosureError {
    fn from(error: Error) -> Self {
        Self::Otherwise(error)
    }
}

impl Tenant {
    fn wait<T, E: From<Error>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        wait(self.0.0.shared.runtime.as_ref(), call)
    }

    /// See [`crate::Tenant::check`].
    #[inline]
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check(&self, user: impl AsUser, permission: impl AsPermission) -> bool {
        self.0.check(user, permission)
    }

    /// See [`crate::Tenant::check_any`].
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check_any<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.0.check_any(user, permissions)
    }

    /// See [`crate::Tenant::check_all`].
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check_all<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.0.check_all(user, permissions)
    }

    /// See [`crate::Tenant::check_many`].
    #[must_use = "answers are computed as they are taken, and one that is ignored protects nothing"]
    pub fn check_many<U: AsUser, P: AsPermission>(
        &self,
        questions: impl IntoIterator<Item = (U, P)>,
    ) -> impl Iterator<Item = bool> {
        self.0.check_many(questions)
    }

    /// See [`crate::Tenant::decide`].
    pub fn decide(&self, user: impl AsUser, permission: impl AsPermission) -> Decision {
        self.0.decide(user, permission)
    }

    /// See [`crate::Tenant::explain`].
    pub fn explain(&self, user: impl AsUser, permission: impl AsPermission) -> Explanation {
        self.0.explain(user, permission)
    }

    /// See [`crate::Tenant::effective`].
    pub fn effective(&self, user: impl AsUser) -> PermissionSet {
        self.0.effective(user)
    }

    /// See [`crate::Tenant::user_handle`].
    pub fn user_handle(&self, user: impl AsUser) -> Option<UserHandle> {
        self.0.user_handle(user)
    }

    /// See [`crate::Tenant::permission_handle`].
    pub fn permission_handle(&self, permission: impl AsPermission) -> Option<PermissionHandle> {
        self.0.permission_handle(permission)
    }

    /// See [`crate::Tenant::now`].
    #[inline]
    pub fn now(&self) -> Moment<'_> {
        self.0.now()
    }

    /// See [`crate::Tenant::snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    /// See [`crate::Tenant::tenant_id`].
    pub fn tenant_id(&self) -> TenantId {
        self.0.tenant_id()
    }

    /// See [`crate::Tenant::revision`].
    pub fn revision(&self) -> Revision {
        self.0.revision()
    }

    /// See [`crate::Tenant::slug`].
    pub fn slug(&self) -> Option<TenantSlug> {
        self.0.slug()
    }

    /// See [`crate::Tenant::name`].
    pub fn name(&self) -> Option<Name> {
        self.0.name()
    }

    /// See [`crate::Tenant::conflicts`].
    pub fn conflicts(&self) -> Vec<SlugConflict> {
        self.0.conflicts()
    }

    /// See [`crate::Tenant::lag`].
    pub fn lag(&self) -> Lag {
        self.0.lag()
    }

    /// See [`crate::Tenant::outcome`].
    pub fn outcome(&self, commit: CommitId) -> Option<Outcome> {
        self.0.outcome(commit)
    }

    /// See [`crate::Tenant::in_doubt`].
    pub fn in_doubt(&self) -> Option<CommitId> {
        self.0.in_doubt()
    }

    /// See [`crate::Tenant::update`].
    ///
    /// # Errors
    /// The same.
    pub fn update<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Updated<T>> {
        self.try_update(f)
    }

    /// See [`crate::Tenant::try_update`].
    ///
    /// # Errors
    /// The same.
    pub fn try_update<T, E: From<Error>>(&self, mut f: impl FnMut(&Tx) -> Result<T, E>) -> Result<Updated<T>, E> {
        // An application compiles this part for each update. So it has only the code that needs the closure's types.
        let mut last = None;
        let updated = self.run(&mut |tx| {
            let result = f(tx);
            let succeeded = result.is_ok();
            last = Some(result);
            succeeded
        });
        match (updated, last) {
            (Ok(updated), Some(Ok(value))) => Ok(updated.with_value(value)),
            (Err(ClosureError::ByClosure), Some(Err(error))) => Err(error),
            (Err(ClosureError::Otherwise(error)), _) => Err(error.into()),
            (Ok(_) | Err(ClosureError::ByClosure), _) => Err(Error::new(ErrorKind::Internal).reason(NO_RESULT).into()),
        }
    }

    fn run(&self, f: &mut dyn FnMut(&Tx) -> bool) -> Result<Updated<()>, ClosureError> {
        self.wait(self.0.try_update(|tx| if f(tx) { Ok(()) } else { Err(ClosureError::ByClosure) }))
    }

    /// See [`crate::Tenant::plan`].
    ///
    /// # Errors
    /// The same.
    pub fn plan<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<(T, Plan)> {
        self.0.plan(f)
    }

    /// See [`crate::Tenant::try_plan`].
    ///
    /// # Errors
    /// The same.
    pub fn try_plan<T, E: From<Error>>(&self, f: impl FnMut(&Tx) -> Result<T, E>) -> Result<(T, Plan), E> {
        self.0.try_plan(f)
    }

    /// See [`crate::Tenant::stage`].
    ///
    /// # Errors
    /// The same.
    pub fn stage<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Staged<T>> {
        self.try_stage(f)
    }

    /// See [`crate::Tenant::try_stage`].
    ///
    /// # Errors
    /// The same.
    pub fn try_stage<T, E: From<Error>>(&self, f: impl FnMut(&Tx) -> Result<T, E>) -> Result<Staged<T>, E> {
        let staged = self.wait(self.0.try_stage(f))?;
        Ok(Staged::new(staged, self.0.0.shared.runtime.clone()))
    }

    /// See [`crate::Tenant::commit`].
    ///
    /// # Errors
    /// The same.
    pub fn commit(&self, plan: Plan) -> Result<Updated<()>> {
        self.wait(self.0.commit(plan))
    }

    /// See [`crate::Tenant::rebase`].
    ///
    /// # Errors
    /// The same.
    pub fn rebase(&self, plan: &Plan) -> Result<Plan> {
        self.wait(self.0.rebase(plan))
    }

    /// See [`crate::Tenant::as_of`].
    ///
    /// # Errors
    /// The same.
    pub fn as_of(&self, history: &impl History, point: impl Into<PastPoint>) -> Result<PastState> {
        self.wait(self.0.as_of(history, point))
    }

    /// See [`crate::Tenant::last_change`].
    ///
    /// # Errors
    /// The same.
    pub fn last_change(&self, history: &impl History, key: &RecordKey) -> Result<Option<StoredCommit>> {
        self.wait(self.0.last_change(history, key))
    }

    /// See [`crate::Tenant::replace`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "json")]
    pub fn replace(&self, document: &Document) -> Result<Updated<()>> {
        self.wait(self.0.replace(document))
    }

    /// See [`crate::Tenant::plan_replace`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "json")]
    pub fn plan_replace(&self, document: &Document) -> Result<Plan> {
        self.0.plan_replace(document)
    }

    /// See [`crate::Tenant::delete`].
    ///
    /// # Errors
    /// The same.
    pub fn delete(&self) -> Result<()> {
        self.wait(self.0.delete())
    }

    /// See [`crate::Tenant::refresh`].
    ///
    /// # Errors
    /// The same.
    pub fn refresh(&self) -> Result<Revision> {
        self.wait(self.0.refresh())
    }

    /// See [`crate::Tenant::at_least`].
    ///
    /// # Errors
    /// The same.
    pub fn at_least(&self, position: Position) -> Result<Revision> {
        self.wait(self.0.at_least(position))
    }

    /// See [`crate::Tenant::close`].
    ///
    /// # Errors
    /// The same.
    pub fn close(&self) -> Result<()> {
        self.wait(self.0.close())
    }
}
