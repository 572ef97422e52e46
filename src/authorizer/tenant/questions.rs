//! The questions that a tenant answers, each on the current snapshot.

use super::{Lag, Outcome, Tenant, lock};
use crate::model::records::{CommitId, Name, Revision, TenantId, TenantSlug};
use crate::resolver::explain::{Decision, Explanation};
use crate::resolver::moment::{Moment, PermissionSet};
use crate::resolver::snapshot::names::{AsPermission, AsUser, PermissionHandle, UserHandle};
use crate::resolver::snapshot::{SlugConflict, Snapshot};

impl Tenant {
    /// May this user do this, now? See [`Moment::check`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert!(acme.check("alice", "posts:write"));
    /// assert!(!acme.check("bob", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[inline]
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check(&self, user: impl AsUser, permission: impl AsPermission) -> bool {
        self.now().check(user, permission)
    }

    /// May this user do at least one of these, now? See [`Moment::check_any`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert!(acme.check_any("bob", ["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check_any<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.now().check_any(user, permissions)
    }

    /// May this user do all of these, now? See [`Moment::check_all`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert!(!acme.check_all("bob", ["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check whose result is ignored protects nothing"]
    pub fn check_all<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.now().check_all(user, permissions)
    }

    /// Answers many checks at one moment. See [`Moment::check_many`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let answers: Vec<bool> = acme.check_many([("alice", "posts:write"), ("bob", "posts:write")]).collect();
    /// assert_eq!(answers, [true, false]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "answers are computed as they are taken, and one that is ignored protects nothing"]
    pub fn check_many<U: AsUser, P: AsPermission>(
        &self,
        questions: impl IntoIterator<Item = (U, P)>,
    ) -> impl Iterator<Item = bool> {
        let now = self.now();
        questions.into_iter().map(move |(user, permission)| now.check(user, permission))
    }

    /// Returns the check's answer with the reason for a denial, now. See [`Moment::decide`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// println!("{}", acme.decide("bob", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn decide(&self, user: impl AsUser, permission: impl AsPermission) -> Decision {
        self.now().decide(user, permission)
    }

    /// Returns the decision now, with the paths that allow it, or with the roles and groups that would. See
    /// [`Moment::explain`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// println!("{}", acme.explain("alice", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn explain(&self, user: impl AsUser, permission: impl AsPermission) -> Explanation {
        self.now().explain(user, permission)
    }

    /// Returns everything that a user may do, now. See [`Moment::effective`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.effective("bob").slugs(), ["posts:read"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn effective(&self, user: impl AsUser) -> PermissionSet {
        self.now().effective(user)
    }

    /// Returns a number that represents a user in fast checks, while the tenant stays open. See
    /// [`Moment::user_handle`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let alice = acme.user_handle("alice").unwrap();
    /// assert!(acme.check(alice, "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn user_handle(&self, user: impl AsUser) -> Option<UserHandle> {
        self.now().user_handle(user)
    }

    /// Returns a number that represents a permission in fast checks, while the tenant stays open. See
    /// [`Moment::permission_handle`].
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let write = acme.permission_handle("posts:write").unwrap();
    /// assert!(acme.check("alice", write));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permission_handle(&self, permission: impl AsPermission) -> Option<PermissionHandle> {
        self.now().permission_handle(permission)
    }

    /// Returns this moment: the newest snapshot at the clock's instant. All questions are asked on it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let now = acme.now();
    /// assert!(now.check("alice", "posts:write") && !now.check("bob", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// An atomic load. Keep a moment for a request, not for long; to keep one for long, use [`Tenant::snapshot`].
    #[inline]
    pub fn now(&self) -> Moment<'_> {
        Moment::guarded(self.0.current.guard(), &*self.0.shared.clock)
    }

    /// Returns the newest snapshot, to be kept.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let snapshot = acme.snapshot();
    /// assert_eq!(snapshot.revision(), acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.current.load())
    }

    /// Returns the id of the tenant.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.tenant_id(), acme.snapshot().tenant_id());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn tenant_id(&self) -> TenantId {
        self.0.current.guard().position.tenant_id
    }

    /// Returns the newest revision that this process has published.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let before = acme.revision();
    /// acme.update(|tx| tx.create_user("carol")?.done())?;
    /// assert_eq!(acme.revision(), before.next());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn revision(&self) -> Revision {
        self.0.current.guard().position.revision
    }

    /// Returns the tenant's slug in the newest snapshot; `None` after the tenant was deleted.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme Corp")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.slug(), Some("acme".parse()?));
    /// acme.delete()?;
    /// assert_eq!(acme.slug(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn slug(&self) -> Option<TenantSlug> {
        self.0.current.guard().state.tenant.as_ref().map(|tenant| tenant.slug.clone())
    }

    /// Returns the tenant's name in the newest snapshot; `None` after the tenant was deleted.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme Corp")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.name(), Some("Acme Corp".parse()?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn name(&self) -> Option<Name> {
        self.0.current.guard().state.tenant.as_ref().map(|tenant| tenant.name.clone())
    }

    /// Returns the slugs that belong to the tenant and to the catalog (R9). [`SlugConflict`] has an example.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.conflicts().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(entries of the catalog · log n).
    pub fn conflicts(&self) -> Vec<SlugConflict> {
        self.snapshot().conflicts()
    }

    /// Returns how far this tenant is known to be behind its store. A tenant that was never refreshed has a lag of
    /// zero.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.lag().failed_refreshes, 0);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn lag(&self) -> Lag {
        let sync_state = lock(&self.0.sync_state);
        let ahead = sync_state.latest.map_or(0, |latest| latest.number().saturating_sub(self.revision().number()));
        Lag {
            revisions: ahead,
            failed_refreshes: sync_state.failed_refreshes,
            confirmed_at: sync_state.confirmed.instant,
        }
    }

    /// Returns the outcome of a commit that was in doubt when its update returned or was dropped. `None` if no such commit
    /// is known: only the last 1,024 are remembered while the tenant is open. Updates that succeeded or met a conflict do
    /// not count, nor do finished stages, unless the caller of [`finish`](crate::authorizer::Staged::finish) no longer
    /// waited.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.outcome(rolecall::records::CommitId::random()), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn outcome(&self, commit: CommitId) -> Option<Outcome> {
        let sync_state = lock(&self.0.sync_state);
        sync_state.outcomes.iter().find(|remembered| remembered.commit == commit).map(|remembered| remembered.outcome)
    }

    /// Returns the commit that must be resolved before the tenant is available again, if there is one.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.in_doubt(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn in_doubt(&self) -> Option<CommitId> {
        self.0.write_state.pending().map(|pending| pending.envelope.id)
    }
}
