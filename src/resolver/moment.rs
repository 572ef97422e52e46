//! The moment: every question about a tenant is a method on a snapshot at an instant.
//!
//! This file has the questions about decisions. `moment/lookup.rs`, `moment/relations.rs` and `moment/inherited.rs` have those
//! that an administration page asks. `moment/hierarchy.rs` has those about parent groups and subgroups, and
//! `moment/role_hierarchy.rs` those about included roles. `moment/sets.rs` has the sets that they return, `moment/page.rs` the
//! pages, `moment/handles.rs` handles, and `moment/many.rs` bulk checks. `moment/narrowed.rs` has questions as a user with
//! only some of its roles. `moment/separations.rs` and `moment/assertions.rs` have those about separations of duties and
//! assertions. `moment/permissions_document.rs` has the document for a front end.
//!
//! Deliberately absent: anything that fails, blocks or awaits. For an unknown name, the answer is a denial, or it is empty
//! and says what is unknown (`moment/list.rs`).

mod valid_until;
mod counts;
mod handles;
mod hierarchy;
mod role_hierarchy;
mod many;
mod narrowed;
mod inherited;
mod relations;
mod sets;
mod separations;
pub(crate) mod assertions;
mod lookup;
mod page;
mod permissions_document;
pub(crate) mod list;

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;

pub use self::assertions::StoredAssertion;
pub use self::counts::Counts;
pub use self::hierarchy::GroupPaths;
pub use self::inherited::{Inherited, Via};
pub use self::list::List;
use self::list::WhyEmpty;
pub use self::lookup::{Origin, WithOrigin};
pub use self::narrowed::NarrowedUser;
pub use self::page::{Page, PageRequest};
pub use self::permissions_document::PermissionsDocument;
pub use self::relations::WithWindow;
pub use self::separations::Separation;
pub use self::sets::{PermissionSet, UserSet};
use crate::model::clock::{Clock, When};
use crate::model::error::{Asked, EntityKind};
use crate::model::records::Timestamp;
use crate::resolver::check::{allows_found, allows_usual};
use crate::resolver::explain::{Decision, Explanation, Path, Reason, first, reason, unknown};
use crate::resolver::snapshot::names::{AsPermission, AsUser};
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot, walk};

/// A snapshot at an instant. Every question is asked on one.
///
/// [`Snapshot::at`] chooses the instant. [`Tenant::now`](crate::Tenant::now) uses the clock, which is read at
/// most once, when a question first meets a window. So all questions on one moment have the same instant.
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
/// assert!(now.check("alice", "posts:write"));
/// assert_eq!(now.groups_of("alice").len(), 1);
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Consistency
/// All answers of one moment are about one revision.
pub struct Moment<'a> {
    view: View,
    when: When<'a>,
}

enum View {
    Owned(Arc<CompiledTenant>),
    /// A reader's guard on the tenant's current snapshot: more expensive to keep for long, but half the cost to take.
    Guarded(Guard<Arc<CompiledTenant>>),
}

impl Snapshot {
    /// Returns this snapshot at an instant.
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
    /// use rolecall::Timestamp;
    ///
    /// let moment = acme.snapshot().at(Timestamp::from_secs(1_800_000_000)?);
    /// assert!(moment.check("alice", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn at(&self, at: Timestamp) -> Moment<'static> {
        Moment { view: View::Owned(Arc::clone(&self.0)), when: When::Chosen(at) }
    }

    /// Returns this snapshot at the instant of the clock, which is read when a question first needs it.
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
    /// use rolecall::clock::SystemClock;
    ///
    /// let snapshot = acme.snapshot();
    /// assert!(snapshot.now(&SystemClock).check("alice", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn now<'a>(&self, clock: &'a dyn Clock) -> Moment<'a> {
        Moment { view: View::Owned(Arc::clone(&self.0)), when: When::now(clock) }
    }
}

impl<'a> Moment<'a> {
    pub(crate) fn guarded(guard: Guard<Arc<CompiledTenant>>, clock: &'a dyn Clock) -> Self {
        Self { view: View::Guarded(guard), when: When::now(clock) }
    }

    #[inline]
    pub(crate) fn compiled(&self) -> &CompiledTenant {
        match &self.view {
            View::Owned(compiled) => compiled,
            View::Guarded(guard) => guard,
        }
    }

    /// Returns the snapshot.
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
    /// assert_eq!(acme.now().snapshot().revision(), acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        match &self.view {
            View::Owned(compiled) => Snapshot(Arc::clone(compiled)),
            View::Guarded(guard) => Snapshot(Arc::clone(guard)),
        }
    }

    /// Returns the instant. Reads the clock if no question has done so yet.
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
    /// assert_eq!(now.instant(), now.instant());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn instant(&self) -> Timestamp {
        self.when.instant()
    }

    /// Returns why every question is denied, or `None` if the tenant is available.
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
    /// assert_eq!(acme.now().unavailable(), None);
    /// acme.close()?;
    /// assert_eq!(acme.now().unavailable(), Some(rolecall::Reason::Closed));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn unavailable(&self) -> Option<Reason> {
        reason::unavailable_reason(self.compiled().availability)
    }

    /// Why an answer about an entity of this kind is empty, if it is for another reason than that it has nothing.
    fn about(&self, entity: EntityKind, is_found: bool) -> WhyEmpty {
        WhyEmpty::about(entity, is_found, self.unavailable())
    }

    /// Whether questions are answered at all. Every question looks at this first.
    #[inline]
    fn answers(&self) -> bool {
        self.compiled().availability == Availability::Serving
    }

    /// May this user do this? Unknown users and permissions are denied.
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
    /// assert!(acme.now().check("alice", "posts:write"));
    /// assert!(!acme.now().check("bob", "posts:write"));
    /// assert!(!acme.now().check("mallory", "posts:write"), "unknown");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// One lookup for each name, a word for each source of the user and one bit test. Where a cached row is incomplete,
    /// O(groups and roles walked). No allocation, except in a long walk.
    #[inline]
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check(&self, user: impl AsUser, permission: impl AsPermission) -> bool {
        let snapshot = self.compiled();
        if !self.answers() {
            return false;
        }
        match (user.found_usual(snapshot.scope()), permission.permission_or_deleted(snapshot.scope())) {
            (Some(user), Some(permission)) => allows_usual(&snapshot.state, user, permission, &self.when),
            (None, Some(permission)) => self.check_wide(&user, permission),
            (_, None) => false,
        }
    }

    /// Separate, so that the code of a usual check stays short enough to be inlined.
    #[inline(never)]
    fn check_wide(&self, user: &impl AsUser, permission: u32) -> bool {
        let snapshot = self.compiled();
        user.with_found_wide(snapshot.scope(), |user| allows_found(&snapshot.state, user, permission, &self.when))
            .unwrap_or(false)
    }

    /// May this user do at least one of these? Unknown permissions are ignored. An empty list is `false`.
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
    /// assert!(acme.now().check_any("bob", ["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_any<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        let snapshot = self.compiled();
        let Some(user) = user.found(snapshot.scope()).filter(|_| self.answers()) else { return false };
        let mut known =
            permissions.into_iter().filter_map(|permission| permission.permission_or_deleted(snapshot.scope()));
        known.any(|permission| allows_found(&snapshot.state, user, permission, &self.when))
    }

    /// May this user do all of these? An unknown permission is denied. An empty list is `false`.
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
    /// assert!(acme.now().check_all("alice", ["posts:write", "posts:read"]));
    /// assert!(!acme.now().check_all("bob", ["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_all<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        let snapshot = self.compiled();
        let Some(user) = user.found(snapshot.scope()).filter(|_| self.answers()) else { return false };
        let mut some = false;
        let all = permissions.into_iter().all(|permission| {
            some = true;
            permission
                .permission_or_deleted(snapshot.scope())
                .is_some_and(|p| allows_found(&snapshot.state, user, p, &self.when))
        });
        all && some
    }

    /// Returns the check's answer with the reason for a denial.
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
    /// use rolecall::{Decision, Reason};
    ///
    /// assert_eq!(acme.now().decide("alice", "posts:write"), Decision::Allowed);
    /// assert_eq!(acme.now().decide("bob", "posts:write"), Decision::Denied(Reason::NoPath));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// That of the check if it is allowed. Otherwise O(groups and roles of the user, active or not), times the windows that
    /// combine on their paths.
    pub fn decide(&self, user: impl AsUser, permission: impl AsPermission) -> Decision {
        let scope = self.compiled().scope();
        let (user_number, number) = (user.user(scope), permission.permission(scope));
        self.decide_by_number((user_number, || user.user_text()), (number, || permission.permission_text()))
    }

    /// The same for a user and a permission that were found, or not. The texts are read if one is unknown.
    fn decide_by_number(
        &self,
        (user, user_text): (Option<u32>, impl FnOnce() -> Asked),
        (permission, permission_text): (Option<u32>, impl FnOnce() -> Asked),
    ) -> Decision {
        let snapshot = self.compiled();
        let decision = reason::decide(snapshot, user, permission, &self.when);
        unknown::refine(snapshot, decision, user_text, permission_text)
    }

    /// Returns the decision with the paths that allow it, or with the roles and groups that would.
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
    /// println!("{}", acme.now().explain("alice", "posts:read"));
    /// let denied = acme.now().explain("bob", "posts:write");
    /// assert_eq!(denied.roles()[0].slug, "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups and roles of the user, active or not), then the length of each path.
    pub fn explain(&self, user: impl AsUser, permission: impl AsPermission) -> Explanation {
        let snapshot = self.compiled();
        let user = (user.user(snapshot.scope()), user.user_text());
        let permission = (permission.permission(snapshot.scope()), permission.permission_text());
        reason::explain(snapshot, user, permission, &self.when)
    }

    /// Returns one path by which a user is allowed: the first that [`Moment::explain`] lists. `None` if the check is
    /// denied.
    ///
    /// For a log line or an audit record that is written on every request.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("editor")?;
    /// #     Ok(())
    /// # })?;
    /// let path = acme.now().first_path("alice", "posts:write").map(|path| path.to_string());
    /// assert_eq!(path.as_deref(), Some("has the role `editor`, which grants `posts:*`"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(relations of the groups and roles on the shortest paths) where all cached rows are complete. Otherwise also those
    /// that are nearer. With short paths, [`Moment::explain`] takes three times as long if the tenant is in the processor's
    /// cache. It takes 1.6 times as long if it is not (S and M on the page of benchmarks).
    pub fn first_path(&self, user: impl AsUser, permission: impl AsPermission) -> Option<Path> {
        let snapshot = self.compiled();
        let (user, permission) = (user.user(snapshot.scope())?, permission.permission(snapshot.scope())?);
        let grantable = self.answers() && snapshot.state.permission_is_grantable(permission);
        let row = snapshot.state.users.row(user).filter(|row| grantable && !row.is_suspended())?;
        first::find(&snapshot.state, row, permission, &self.when)
    }

    /// Returns everything that a user may do. Nothing, if the user is suspended (R4).
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
    /// assert_eq!(acme.now().effective("alice").slugs(), ["posts:read", "posts:write"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(sources of the user), a union of one row for each, or O(groups and roles walked).
    pub fn effective(&self, user: impl AsUser) -> PermissionSet {
        let snapshot = self.compiled();
        let user = user.found(snapshot.scope()).filter(|user| snapshot.state.user_is_there(user.number()));
        let why = self.about(EntityKind::User, user.is_some());
        let user = user.filter(|_| why.is_none());
        let bits = user.map(|user| walk::effective_found(&snapshot.state, user, &self.when)).unwrap_or_default();
        PermissionSet::new(self.snapshot(), bits, why)
    }
}

impl fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment").field("snapshot", &self.snapshot()).field("when", &self.when).finish()
    }
}
