//! Narrowed questions (R15): a user with only some of its roles.

use std::fmt;

use smallvec::SmallVec;

use super::{Moment, PermissionSet};
use crate::model::error::EntityKind;
use crate::resolver::explain::{Decision, Reason};
use crate::resolver::snapshot::names::{AsPermission, AsRole, AsUser};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::walk;

/// A user at a moment with only some of its roles, and never with more than it has (R15).
///
/// [`Moment::narrowed`] returns one.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("reader")?.grant("posts:read")?;
/// #     tx.create_role("editor")?.grant("posts:*")?;
/// #     tx.create_user("alice")?.assign("reader")?.assign("editor")?.done()
/// # })?;
/// let now = acme.now();
/// let reading = now.narrowed("alice", ["reader"]);
/// assert!(reading.check("posts:read"));
/// assert!(!reading.check("posts:write"), "as Alice, she may");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Consistency
/// All answers are about the revision and the instant of the moment.
pub struct NarrowedUser<'m> {
    moment: &'m Moment<'m>,
    /// The user, unless it is unknown.
    user: Option<u32>,
    /// Those of the given roles that the user has at the moment, without duplicates. Empty if the user may do nothing.
    roles: SmallVec<[u32; 4]>,
}

impl Moment<'_> {
    /// Returns a user with only these of its roles: what an agent, a token or a page that shows *act as* asks with (R15).
    ///
    /// A role counts if the user has it at this moment: directly, through a group, or because another of its roles includes it.
    /// What a given role includes counts, too. A role that the user does not have gives nothing, and neither does an unknown
    /// one. So an answer is never *allowed* where it is not *allowed* for the user itself.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_permission("billing:pay")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("payer")?.grant("billing:pay")?;
    /// #     tx.create_group("staff")?.assign("reader")?;
    /// #     tx.create_user("alice")?.join("staff")?.done()
    /// # })?;
    /// let now = acme.now();
    /// let agent = now.narrowed("alice", ["reader", "payer"]);
    /// assert!(agent.check("posts:read"));
    /// assert!(!agent.check("billing:pay"), "Alice does not have that role");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(groups and roles of the user, and their relations). The clock is read if there is a window among them.
    pub fn narrowed<R: AsRole>(&self, user: impl AsUser, roles: impl IntoIterator<Item = R>) -> NarrowedUser<'_> {
        let snapshot = self.compiled();
        let number = user.user(snapshot.scope());
        let row = number.and_then(|n| snapshot.state.users.row(n));
        let may = row.filter(|row| !row.is_suspended() && self.answers());
        let mut wanted: SmallVec<[u32; 4]> = roles.into_iter().filter_map(|role| role.role(snapshot.scope())).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let held = may.map(|row| walk::roles_among(&snapshot.state, row, &wanted, &self.when));
        NarrowedUser { moment: self, user: number.filter(|_| row.is_some()), roles: held.unwrap_or_default() }
    }
}

impl NarrowedUser<'_> {
    /// Returns whether the user may do this with these roles.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// let now = acme.now();
    /// assert!(now.narrowed("alice", ["reader"]).check("posts:read"));
    /// assert!(!now.narrowed("alice", [""; 0]).check("posts:read"), "no role");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(roles), or a walk to what they include if their rows are not cached.
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check(&self, permission: impl AsPermission) -> bool {
        let snapshot = self.moment.compiled();
        permission.permission_or_deleted(snapshot.scope()).is_some_and(|permission| self.allows(permission))
    }

    /// Returns whether the user may do at least one of these with these roles. `false` for an empty list.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert!(acme.now().narrowed("alice", ["reader"]).check_any(["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_any<P: AsPermission>(&self, permissions: impl IntoIterator<Item = P>) -> bool {
        permissions.into_iter().any(|permission| self.check(permission))
    }

    /// Returns whether the user may do all of these with these roles. `false` for an empty list.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert!(!acme.now().narrowed("alice", ["reader"]).check_all(["posts:write", "posts:read"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_all<P: AsPermission>(&self, permissions: impl IntoIterator<Item = P>) -> bool {
        let mut some = false;
        let all = permissions.into_iter().all(|permission| {
            some = true;
            self.check(permission)
        });
        all && some
    }

    /// Returns the decision with its reason. Where the user itself is denied, the reason is that of the user. Where only the
    /// narrowing denies, it is [`Reason::Narrowed`].
    ///
    /// ```
    /// use rolecall::{Decision, Reason};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("idle")?;
    /// #     tx.create_user("alice")?.assign("reader")?.assign("idle")?.done()
    /// # })?;
    /// let now = acme.now();
    /// let idle = now.narrowed("alice", ["idle"]);
    /// assert_eq!(idle.decide("posts:read"), Decision::Denied(Reason::Narrowed));
    /// assert_eq!(idle.decide("posts:write"), Decision::Denied(Reason::NoPath));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// As [`Moment::decide`], and one check.
    pub fn decide(&self, permission: impl AsPermission) -> Decision {
        let number = permission.permission(self.moment.compiled().scope());
        match self.moment.decide_by_number(self.user, number, || permission.permission_text()) {
            Decision::Allowed if !number.is_some_and(|number| self.allows(number)) => {
                Decision::Denied(Reason::Narrowed)
            }
            decision => decision,
        }
    }

    /// Returns everything that the user may do with these roles.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.now().narrowed("alice", ["reader"]).effective().slugs(), ["posts:read"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// A union of one row for each role.
    pub fn effective(&self) -> PermissionSet {
        let moment = self.moment;
        let bits = walk::effective_from(&moment.compiled().state, self.sources(), &moment.when);
        PermissionSet::new(moment.snapshot(), bits, moment.about(EntityKind::User, self.user.is_some()))
    }

    fn allows(&self, permission: u32) -> bool {
        walk::reaches(&self.moment.compiled().state, self.sources(), permission, &self.moment.when)
    }

    fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.roles.iter().map(|role| Source::Role(*role))
    }
}

impl fmt::Debug for NarrowedUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NarrowedUser").field("moment", &self.moment).field("roles", &self.roles.len()).finish()
    }
}
