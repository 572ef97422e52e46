//! Narrowed questions (R15): a user with only some of its roles.

use std::fmt;

use smallvec::SmallVec;

use super::{List, Moment, PermissionSet, WithOrigin};
use crate::model::error::{Asked, EntityKind, Error, HeldRole, Quoted, Result, SeparationViolation};
use crate::model::internal_fault::must;
use crate::model::records::RoleRecord;
use crate::resolver::explain::reason::MOST_HOLDERS;
use crate::resolver::explain::{Decision, Explanation, GrantingRole, PathStep, Reason, first, reason};
use crate::resolver::separations::checked_number;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::names::{AsPermission, AsRole, AsUser};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::{reverse, walk};

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
    /// The user as it was asked for, if it is unknown.
    asked: Option<Asked>,
    /// Those of the given roles that the user has at the moment, without duplicates. Empty if the user may do nothing.
    roles: SmallVec<[u32; 4]>,
}

impl Moment<'_> {
    /// Returns a user with only these of its roles (R15), for an agent, a token, or a page that shows *act as*.
    ///
    /// A role counts if the user has it at this moment: directly, through a group, or because another of its roles includes it.
    /// The included roles of a given role count, too. A role that the user does not have gives nothing, and neither does an
    /// unknown one. So an answer is never *allowed* where it is not *allowed* for the user itself.
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
        let asked = row.is_none().then(|| user.user_text());
        NarrowedUser { moment: self, asked, user: number.filter(|_| row.is_some()), roles: held.unwrap_or_default() }
    }
}

impl NarrowedUser<'_> {
    /// Returns an error if more than `at_most` of these roles are active: dynamic separation of duties.
    ///
    /// Alice may be a clerk and an approver, but not in the same session. A session is the list of roles that the application
    /// activates for her. Ask in this way for each request, so that a role which she gets later counts, too.
    ///
    /// A role counts if the narrowed user has it: it was given and the user has it at this moment, or such a role includes it.
    /// The name is that of the separation in the error. It is not a separation of the tenant ([`create_separation`](crate::Tx::create_separation)), which forbids *holding* the roles together (R14).
    ///
    /// ```
    /// # use rolecall::ErrorKind;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    /// #     tx.create_user("alice")?.assign("clerk")?.assign("approver")?.done()
    /// # })?;
    /// let (now, payments) = (acme.now(), ["clerk", "approver"]);
    /// let session = now.narrowed("alice", ["clerk"]).separated("payments", 1, payments)?;
    /// assert_eq!(session.roles().len(), 1);
    ///
    /// let refused = now.narrowed("alice", ["clerk", "approver"]).separated("payments", 1, payments).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::SeparationOfDuties);
    /// assert_eq!(refused.separation().map(|violation| violation.in_session), Some(true));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) if more of the roles are active.
    /// [`NotFound`](crate::ErrorKind::NotFound) for a role that the tenant does not have, so that a typing error allows nothing.
    /// [`Invalid`](crate::ErrorKind::Invalid) if there are not more roles than may be active at once.
    ///
    /// # Complexity
    /// O(roles, and what they include).
    pub fn separated<R: AsRole>(self, name: &str, at_most: u32, roles: impl IntoIterator<Item = R>) -> Result<Self> {
        let snapshot = self.moment.compiled();
        let find = |role: R| {
            let unknown =
                || Error::not_found(EntityKind::Role, role.role_text()).at_revision(snapshot.position.revision);
            role.role(snapshot.scope()).ok_or_else(|| unknown().suggest(snapshot.suggestions(EntityKind::Role)))
        };
        let mut roles: Vec<u32> = roles.into_iter().map(find).collect::<Result<_>>()?;
        roles.sort_unstable();
        roles.dedup();
        checked_number(at_most, roles.len()).map_err(|expected| {
            Error::invalid("number of roles", &at_most.to_string(), expected).about(EntityKind::Separation, name)
        })?;
        let active = walk::roles_among_from(&snapshot.state, self.sources(), &roles, &self.moment.when);
        if usize::try_from(at_most).is_ok_and(|at_most| active.len() <= at_most) {
            return Ok(self);
        }
        let user = self.user.and_then(|user| snapshot.state.users.row(user)).map(|row| row.key().as_str().to_owned());
        let mut listed: Vec<HeldRole> = active.iter().map(|role| self.activated(*role)).collect();
        listed.sort_by(|a, b| a.role.cmp(&b.role));
        let (user, at) = (user.unwrap_or_default(), self.moment.instant().to_string());
        let violation = SeparationViolation::new(name.to_owned(), at_most, user, at, listed);
        Err(Error::separated(violation.in_session()))
    }

    /// A role that is active, and the given role that includes it.
    fn activated(&self, role: u32) -> HeldRole {
        let state = &self.moment.compiled().state;
        let name = |role: u32| state.roles.name_at(role);
        let includes = |given: &&u32| {
            let given = std::iter::once(Source::Role(**given));
            !walk::roles_among_from(state, given, &[role], &self.moment.when).is_empty()
        };
        let path = match self.roles.iter().find(includes) {
            Some(given) if !self.roles.contains(&role) => {
                format!("activates the role {}, which includes {}", Quoted(name(*given)), Quoted(name(role)))
            }
            _ => format!("activates the role {}", Quoted(name(role))),
        };
        HeldRole::new(name(role).to_owned(), path)
    }

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

    /// Returns the decision with its reason. If the user would be denied without the narrowing, too, the reason is the same.
    /// If only the narrowing causes the denial, it is [`Reason::Narrowed`].
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
        let user = (self.user, || self.user_text());
        match self.moment.decide_by_number(user, (number, || permission.permission_text())) {
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

    /// Returns those of the given roles that the user has at this moment, by slug: the roles that count.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_role("reader")?;
    /// #     tx.create_role("editor")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// let now = acme.now();
    /// let roles = now.narrowed("alice", ["reader", "editor"]).roles();
    /// assert_eq!(roles.iter().map(|role| role.slug().as_str()).collect::<Vec<_>>(), ["reader"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(roles).
    pub fn roles(&self) -> List<WithOrigin<RoleRecord>> {
        let table = &self.moment.compiled().state.roles;
        let why = self.moment.about(EntityKind::User, self.user.is_some());
        List::about(Some(()), why, |()| {
            let rows = self.roles.iter().filter_map(|role| must(table.row(*role), NEAR_END));
            let mut roles: Vec<WithOrigin<RoleRecord>> = rows.map(WithOrigin::from).collect();
            roles.sort_by(WithOrigin::in_order);
            roles
        })
    }

    /// Returns the decision with the paths that lead through one of these roles.
    ///
    /// Where the user itself is denied, it is the explanation of the user. Where only the narrowing denies, it lists the roles
    /// of the user that would grant the permission.
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
    /// assert_eq!(
    ///     reading.explain("posts:read").to_string(),
    ///     "allowed: `alice` has the role `reader`, which grants `posts:read`"
    /// );
    /// let denied = reading.explain("posts:write");
    /// assert_eq!(denied.decision(), reading.decide("posts:write"));
    /// assert_eq!(denied.roles()[0].slug, "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// As [`Moment::explain`].
    pub fn explain(&self, permission: impl AsPermission) -> Explanation {
        let snapshot = self.moment.compiled();
        let number = permission.permission(snapshot.scope());
        let asked = permission.permission_text();
        let when = &self.moment.when;
        let user = (self.user, self.user_text());
        let explanation = reason::explain(snapshot, user, (number, asked), when);
        let row = self.user.and_then(|user| snapshot.state.users.row(user));
        let (true, Some(row), Some(permission)) = (explanation.is_allowed(), row, number) else { return explanation };
        if self.allows(permission) {
            self.explain_allowed(explanation, row, permission)
        } else {
            self.explain_denied(explanation, row, permission)
        }
    }

    /// The user as it was asked for. Empty for a known user, which the snapshot names.
    fn user_text(&self) -> Asked {
        self.asked.clone().unwrap_or_else(|| Asked::from(""))
    }

    /// Keeps the paths through one of the roles. There is one if there are too many paths to list them all.
    fn explain_allowed(&self, mut explanation: Explanation, user: &UserRow, permission: u32) -> Explanation {
        let state = &self.moment.compiled().state;
        let rows = self.roles.iter().filter_map(|role| state.roles.row(*role));
        let names: Vec<_> = rows.map(|row| (&row.record.slug, row.origin)).collect();
        let is_one = |step: &PathStep| match step {
            PathStep::Role { role, origin, .. } | PathStep::Included { role, origin, .. } => {
                names.contains(&(role, *origin))
            }
            PathStep::Member { .. } | PathStep::Parent { .. } => false,
        };
        explanation.paths.retain(|path| path.steps().iter().any(is_one));
        if explanation.paths.is_empty() {
            let through = || first::find_through(state, user, &self.roles, permission, &self.moment.when);
            explanation.paths.extend(must(through(), "what is allowed has a path"));
        }
        explanation
    }

    /// Lists the other roles of the user that give the permission.
    fn explain_denied(&self, mut explanation: Explanation, user: &UserRow, permission: u32) -> Explanation {
        let (state, when) = (&self.moment.compiled().state, &self.moment.when);
        let giving: SmallVec<[u32; 4]> = reverse::roles_giving(state, permission).iter().collect();
        let held = walk::roles_among(state, user, &giving, when);
        let mut roles: Vec<GrantingRole> =
            held.iter().filter_map(|role| must(state.roles.row(*role), NEAR_END)).map(GrantingRole::of).collect();
        roles.sort_unstable();
        explanation.decision = Decision::Denied(Reason::Narrowed);
        explanation.paths.clear();
        (explanation.more_paths, explanation.more_holders) = (false, roles.len() > MOST_HOLDERS);
        roles.truncate(MOST_HOLDERS);
        explanation.roles = roles;
        explanation
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
