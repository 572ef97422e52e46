//! Explanations: the walk of a check, with the path recorded. The decision is the check's own.
//!
//! This file contains the answer as data and as text. `explain/paths.rs` finds the paths, `explain/first.rs` the first of
//! them alone, and `explain/reason.rs` finds the reason for a denial. `explain/unknown.rs` says more about a permission
//! that is unknown.

pub(crate) mod first;
pub(crate) mod reason;
pub(crate) mod paths;
pub(crate) mod unknown;

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::model::error::{Asked, DidYouMean, EntityKind, Quoted, Suggestions};
use crate::model::internal_fault::must;
use crate::model::records::{GroupId, Manager, RoleId, Slug, Timestamp, Window};
use crate::resolver::snapshot::SlugConflict;
use crate::resolver::snapshot::table::Origin;

/// Allowed, or denied for a reason.
///
/// Exhaustive on purpose: code that matches on a decision must handle both.
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
/// match acme.decide("bob", "posts:write") {
///     Decision::Allowed => println!("go ahead"),
///     Decision::Denied(reason) => assert_eq!(reason, Reason::NoPath),
/// }
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[must_use = "a decision that is not looked at decides nothing"]
pub enum Decision {
    /// The user may do this.
    Allowed,
    /// The user may not do this.
    Denied(Reason),
}

/// Why a check was denied.
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
/// assert_eq!(acme.decide("mallory", "posts:read"), Decision::Denied(Reason::UnknownUser));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No such user: perhaps a typing error, a deleted user, or a user of another tenant.
    UnknownUser,
    /// No such permission: perhaps a typing error, a deleted permission, or a permission of another tenant.
    UnknownPermission,
    /// The slug belongs to a permission of the tenant and to one of the catalog, and neither gives anything until the
    /// tenant's own is renamed or deleted (R9). [`Snapshot::conflicts`](crate::Snapshot::conflicts) lists such slugs.
    CatalogConflict,
    /// The catalog has renamed the permission: the slug is an earlier one. [`Explanation::suggestions`] has the present one.
    PermissionRenamed,
    /// The question has a pattern, such as `posts:*`, in place of a permission. Only a grant can have a pattern.
    PatternAsked,
    /// The user is suspended.
    Suspended,
    /// The user was allowed, but is no longer: the windows on the paths have ended.
    Expired {
        /// The end of the last time at which the user was allowed.
        until: Timestamp,
    },
    /// The user will be allowed later: the windows on a path have not all begun.
    NotYetActive {
        /// The beginning of the next time at which the user is allowed.
        from: Timestamp,
    },
    /// Nothing that the user holds grants it.
    NoPath,
    /// The user holds something that grants it, but on each path the windows have no common instant. So no path was ever
    /// active, and none will be.
    NeverActive,
    /// The user holds something that grants it, but not now. So many windows combine that it was not worked out when, or
    /// whether, all windows of a path are active.
    OutsideWindows,
    /// The user may do it, and not with the roles to which the question is narrowed (R15).
    Narrowed,
    /// A commit of this tenant is in doubt. The tenant denies every check until the commit is resolved.
    InDoubt,
    /// The last refresh rejected the content of the store. The tenant denies every check until a refresh succeeds.
    InvalidStoreContent,
    /// An internal invariant was broken, which is a bug of this crate. The tenant denies every check until a refresh
    /// succeeds.
    InternalError,
    /// The tenant was closed.
    Closed,
    /// The tenant was deleted.
    Deleted,
}

impl Decision {
    /// Returns whether the user is allowed.
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
    /// assert!(acme.decide("alice", "posts:write").is_allowed());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// The paths by which a user holds a permission, or why the user does not hold it.
///
/// # Example
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:*")?;
/// #     tx.create_group("engineering")?.assign("editor")?;
/// #     tx.create_user("alice")?.join("engineering")?;
/// #     Ok(())
/// # })?;
/// let explanation = acme.explain("alice", "posts:write");
/// assert!(explanation.decision().is_allowed());
/// assert_eq!(
///     explanation.to_string(),
///     "allowed: `alice` is in `engineering`, which has the role `editor`, which grants `posts:*`",
/// );
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Security
/// Names are written as [`Quoted`](crate::Quoted) writes them, so no name can imitate the words around it. The explanation
/// for an unknown user names similar users in [`Explanation::suggestions`] and [`Explanation::did_you_mean`] only. Neither
/// the text nor the serialised form has them.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub(crate) user: Asked,
    pub(crate) permission: Asked,
    pub(crate) decision: Decision,
    pub(crate) paths: Vec<Path>,
    pub(crate) more_paths: bool,
    /// A shortest path, if no path is ever active.
    pub(crate) never_active: Option<Path>,
    pub(crate) suggestions: Suggestions,
    /// The permission's slug, if it is in conflict, and what to do about it.
    pub(crate) conflict: Option<(SlugConflict, String)>,
    pub(crate) roles: Vec<GrantingRole>,
    pub(crate) groups: Vec<GrantingGroup>,
    pub(crate) more_holders: bool,
}

impl Explanation {
    /// Returns the decision, which is always that of the check.
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
    /// assert!(acme.explain("alice", "posts:write").decision().is_allowed());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Returns whether the user is allowed.
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
    /// assert!(!acme.explain("bob", "posts:write").is_allowed());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allowed()
    }

    /// Returns the distinct paths, shortest first; paths of one length are ordered by the names along them. If the
    /// check is allowed, these are the active paths. If a window denies it, these are the paths that allow it at
    /// another time; [`Path::window`] says when.
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
    /// let explanation = acme.explain("alice", "posts:write");
    /// assert_eq!(explanation.paths()[0].grant(), "posts:*");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The shortest path is always found. The search for others stops after 64 paths or 10,000 steps.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Returns whether there may be more paths than [`Explanation::paths`] lists.
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
    /// assert!(!acme.explain("alice", "posts:write").has_more_paths());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn has_more_paths(&self) -> bool {
        self.more_paths
    }

    /// Returns the steps of a shortest path if no path is ever active ([`Reason::NeverActive`]): their windows have no common
    /// instant. Empty otherwise.
    ///
    /// # Example
    /// ```
    /// use rolecall::{Decision, Reason, Timestamp, Window};
    ///
    /// # let clock = rolecall::clock::ManualClock::new("2026-12-01T00:00:00Z".parse()?);
    /// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
    /// let new_year: Timestamp = "2027-01-01T00:00:00Z".parse()?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("editor")?.grant("posts:write")?;
    ///     tx.create_group("staff")?.assign_during("editor", Window::from(new_year))?;
    ///     tx.create_user("alice")?.join_during("staff", Window::until(new_year))?.done()
    /// })?;
    /// let explanation = acme.explain("alice", "posts:write");
    /// assert_eq!(explanation.decision(), Decision::Denied(Reason::NeverActive));
    /// assert_eq!(explanation.never_active().len(), 2);
    /// assert!(explanation.paths().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn never_active(&self) -> &[PathStep] {
        self.never_active.as_ref().map_or(&[], Path::steps)
    }

    /// Returns both permissions with the slug, if it belongs to the tenant and to the catalog
    /// ([`Reason::CatalogConflict`]). The tenant's own is renamed or deleted by its id, which is
    /// [`SlugConflict::own`](crate::SlugConflict::own).
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.explain("alice", "posts:write").conflict().is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn conflict(&self) -> Option<&SlugConflict> {
        self.conflict.as_ref().map(|(conflict, _)| conflict)
    }

    /// Returns similar names, nearest first, if a name is unknown.
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
    /// assert_eq!(acme.explain("alice", "posts:wirte").suggestions(), ["posts:write"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// A slug that the catalog has renamed suggests its new slug.
    ///
    /// # Security
    /// For an unknown user, these are the keys of other users. Show them only to people who may list users.
    ///
    /// # Complexity
    /// The first call searches; later calls return the same slice.
    pub fn suggestions(&self) -> &[String] {
        self.unknown().map_or(&[], |(_, name)| self.suggestions.names(name))
    }

    /// Returns [`Explanation::suggestions`] as a question, which says which code points differ where two names look the
    /// same. See [`Error::did_you_mean`](crate::Error::did_you_mean).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let explanation = acme.explain("alcie", "posts:read");
    /// assert_eq!(explanation.did_you_mean().unwrap(), "did you mean `alice`?");
    /// assert_eq!(explanation.to_string(), "denied: user `alcie` not found");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Security
    /// For an unknown user, it has the keys of other users. The text of the explanation therefore leaves it out.
    pub fn did_you_mean(&self) -> Option<String> {
        let (_, asked) = self.unknown()?;
        let names = Some(self.suggestions()).filter(|names| !names.is_empty())?;
        Some(DidYouMean { asked, names }.to_string())
    }

    /// Returns what is wrong with a name, if that is known: the catalog has renamed it, it is a pattern, it is an id that was
    /// passed as text, or it belongs to the tenant and to the catalog.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let explanation = acme.explain("alice", "posts:*");
    /// assert_eq!(explanation.advice(), Some("this is a pattern, and only a grant can have one; name one permission"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn advice(&self) -> Option<&str> {
        if let Some((_, advice)) = &self.conflict {
            return Some(advice);
        }
        self.unknown().and_then(|(_, name)| self.suggestions.advice(name))
    }

    /// The slug or key that is unknown.
    fn unknown(&self) -> Option<(EntityKind, &str)> {
        let (entity, asked) = match self.decision {
            Decision::Denied(Reason::UnknownUser) => (EntityKind::User, &self.user),
            Decision::Denied(Reason::UnknownPermission | Reason::PermissionRenamed | Reason::PatternAsked) => {
                (EntityKind::Permission, &self.permission)
            }
            _ => return None,
        };
        asked.name().map(|name| (entity, name))
    }

    /// Returns the roles that would allow it if they were assigned to the user, by slug, if it is denied. At most 32.
    ///
    /// A role that the user has directly, in a window that has not ended, is left out: it cannot be assigned again. It is on
    /// one of the [`paths`](Explanation::paths).
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
    /// assert_eq!(acme.explain("bob", "posts:write").roles()[0].slug, "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles(&self) -> &[GrantingRole] {
        &self.roles
    }

    /// Returns the groups whose members are allowed at this instant, by slug, if it is denied. At most 32.
    ///
    /// A group that the user is a direct member of, in a window that has not ended, is left out: the user cannot be added
    /// again. It is on one of the [`paths`](Explanation::paths). A group that a directory manages is marked: only that
    /// directory can add the user (R16).
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
    /// assert_eq!(acme.explain("bob", "posts:write").groups()[0].slug, "engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn groups(&self) -> &[GrantingGroup] {
        &self.groups
    }

    /// Returns whether more roles or groups would allow it than are listed.
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
    /// assert!(!acme.explain("bob", "posts:write").has_more_holders());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn has_more_holders(&self) -> bool {
        self.more_holders
    }
}

/// A role that would allow what was denied. See [`Explanation::roles`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?;
///     tx.create_role("editor")?.grant("posts:write")?;
///     tx.create_user("alice")?.done()
/// })?;
/// let explanation = acme.explain("alice", "posts:write");
/// acme.update(|tx| tx.user("alice")?.assign(explanation.roles()[0].id)?.done())?;
/// assert!(acme.check("alice", "posts:write"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct GrantingRole {
    /// The slug.
    pub slug: Slug,
    /// Whether the tenant or the catalog defines it.
    pub origin: Origin,
    /// Whether the tenant and the catalog each have a role with this slug (R9). Assign it by its id then.
    pub in_conflict: bool,
    /// The id.
    pub id: RoleId,
}

/// A group whose members are allowed what was denied. See [`Explanation::groups`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?;
///     tx.create_role("editor")?.grant("posts:write")?;
///     tx.set_manager("okta")?;
///     tx.create_group("staff")?.assign("editor")?.set_managed_by(Some("okta"))?;
///     tx.create_user("alice")?.done()
/// })?;
/// let explanation = acme.explain("alice", "posts:write");
/// assert_eq!(explanation.groups()[0].managed_by.as_ref().unwrap(), "okta");
/// assert!(explanation.to_string().ends_with("groups that would grant it: `staff` (managed by `okta`)"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct GrantingGroup {
    /// The slug.
    pub slug: Slug,
    /// The id.
    pub id: GroupId,
    /// The directory that manages it, and which alone can add members (R16).
    pub managed_by: Option<Manager>,
}

/// A path from a user to a permission.
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
/// let explanation = acme.explain("alice", "posts:read");
/// let path = &explanation.paths()[0];
/// assert_eq!(path.to_string(), "is in `engineering`, which has the role `editor`, which grants `posts:*`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Path {
    pub(crate) steps: Vec<PathStep>,
    pub(crate) grant: String,
}

/// A step of a path.
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
/// use rolecall::explain::PathStep;
///
/// let explanation = acme.explain("alice", "posts:write");
/// assert!(matches!(explanation.paths()[0].steps()[0], PathStep::Member { .. }));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PathStep {
    /// The user is a member of a group.
    Member {
        /// The group.
        group: Slug,
        /// When the membership is active.
        window: Window,
    },
    /// The group of the step before has this parent group.
    Parent {
        /// The parent group.
        group: Slug,
        /// When the link is active.
        window: Window,
    },
    /// The user or group of the step before has this role.
    Role {
        /// The role.
        role: Slug,
        /// Whether the tenant or the catalog defines the role.
        origin: Origin,
        /// Whether the tenant and the catalog each have a role with this slug (R9).
        in_conflict: bool,
        /// When the assignment is active.
        window: Window,
    },
    /// The role of the step before includes this role.
    Included {
        /// The included role.
        role: Slug,
        /// Whether the tenant or the catalog defines the role.
        origin: Origin,
        /// Whether the tenant and the catalog each have a role with this slug (R9).
        in_conflict: bool,
    },
}

impl Path {
    /// Returns the steps, from the user to the role that grants.
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
    /// assert_eq!(acme.explain("alice", "posts:write").paths()[0].steps().len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// Returns what the last role grants: the permission's slug or a pattern.
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
    /// assert_eq!(acme.explain("alice", "posts:write").paths()[0].grant(), "posts:*");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn grant(&self) -> &str {
        &self.grant
    }

    /// Returns the slugs of the groups and roles along the path.
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
    /// let explanation = acme.explain("alice", "posts:write");
    /// let names: Vec<&str> = explanation.paths()[0].names().map(|slug| slug.as_str()).collect();
    /// assert_eq!(names, ["engineering", "editor"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn names(&self) -> impl Iterator<Item = &Slug> {
        self.steps.iter().map(PathStep::name)
    }

    /// Returns the time during which the whole path is active: the intersection of the windows on it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two, three] = [Timestamp::MIN, Timestamp::from_secs(2)?, Timestamp::MAX];
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("editor")?.grant("posts:write")?;
    ///     tx.create_group("staff")?.assign_during("editor", Window::between(one, three)?)?;
    ///     tx.create_user("alice")?.join_during("staff", Window::from(two))?;
    ///     Ok(())
    /// })?;
    /// let explanation = acme.snapshot().at(one).explain("alice", "posts:write");
    /// assert_eq!(explanation.paths()[0].window(), Window::between(two, three)?);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn window(&self) -> Window {
        let all = self.windows().try_fold(Window::ALWAYS, Window::intersection);
        must(all, "the windows on a path have a common instant").unwrap_or_default()
    }

    fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        self.steps.iter().filter_map(|link| match link {
            PathStep::Member { window, .. } | PathStep::Parent { window, .. } | PathStep::Role { window, .. } => {
                Some(*window)
            }
            PathStep::Included { .. } => None,
        })
    }
}

impl PathStep {
    /// Returns the slug of the group or role that the step leads to.
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
    /// assert_eq!(acme.explain("alice", "posts:write").paths()[0].steps()[0].name(), "engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn name(&self) -> &Slug {
        match self {
            Self::Member { group, .. } | Self::Parent { group, .. } => group,
            Self::Role { role, .. } | Self::Included { role, .. } => role,
        }
    }
}

/// The most paths that the text shows. The data contains them all.
const MOST_PATHS_SHOWN: usize = 8;
/// The most steps of one path that the text shows. The data contains them all.
const MOST_SHOWN: usize = 24;

/// Says which of two roles with one slug it is.
fn whose(origin: Origin, in_conflict: bool) -> Option<&'static str> {
    in_conflict.then_some(if origin == Origin::Tenant { "the tenant's role" } else { "the catalog's role" })
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which grants {}", Steps(&self.steps), Quoted(&self.grant))
    }
}

/// The text of the steps from a user to a role.
pub(crate) struct Steps<'a>(pub(crate) &'a [PathStep]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |window: &Window| if window.is_always() { String::new() } else { format!(" ({window})") };
        let hidden = self.0.len().saturating_sub(MOST_SHOWN);
        for (i, link) in self.0.iter().enumerate() {
            if (MOST_SHOWN / 2..MOST_SHOWN / 2 + hidden).contains(&i) {
                if i == MOST_SHOWN / 2 {
                    write!(f, ", … {hidden} more {} …", if hidden == 1 { "step" } else { "steps" })?;
                }
                continue;
            }
            match link {
                PathStep::Member { group, window } => write!(f, "is in {}{}", Quoted(group.as_str()), within(window))?,
                PathStep::Parent { group, window } => {
                    write!(f, ", a part of {}{}", Quoted(group.as_str()), within(window))?;
                }
                PathStep::Role { role, origin, in_conflict, window } => {
                    let has = if i == 0 { "has" } else { ", which has" };
                    let whose = whose(*origin, *in_conflict).unwrap_or("the role");
                    write!(f, "{has} {whose} {}{}", Quoted(role.as_str()), within(window))?;
                }
                PathStep::Included { role, origin, in_conflict } => {
                    let whose = whose(*origin, *in_conflict).map_or_else(String::new, |whose| format!("{whose} "));
                    write!(f, ", which includes {whose}{}", Quoted(role.as_str()))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(reason) => write!(f, "denied: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUser => f.write_str("the user is unknown"),
            Self::UnknownPermission => f.write_str("the permission is unknown"),
            Self::CatalogConflict => f.write_str("the permission's slug belongs to the tenant and to the catalog"),
            Self::PermissionRenamed => f.write_str("the catalog has renamed the permission"),
            Self::PatternAsked => f.write_str("a pattern was asked for, and only a grant can have one"),
            Self::Suspended => f.write_str("the user is suspended"),
            Self::Expired { until } => write!(f, "it was allowed until {until}"),
            Self::NotYetActive { from } => write!(f, "it will not be allowed before {from}"),
            Self::NoPath => f.write_str("nothing that the user holds grants it"),
            Self::NeverActive => {
                f.write_str("no path of the user is ever active: the windows on each have no common instant")
            }
            Self::OutsideWindows => f.write_str("it is outside the windows of what the user holds"),
            Self::InDoubt => f.write_str("the tenant has a commit in doubt; refresh the tenant to resolve it"),
            Self::InvalidStoreContent => {
                f.write_str("the content of the store is invalid; a refresh of the tenant lists what to repair")
            }
            Self::Narrowed => f.write_str("the roles to which the question is narrowed do not grant it"),
            Self::InternalError => f.write_str("an internal invariant is broken; the tenant must be refreshed"),
            Self::Closed => f.write_str("the tenant was closed"),
            Self::Deleted => f.write_str("the tenant was deleted"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, permission) = (Quoted(&self.user.text), Quoted(&self.permission.text));
        match self.decision {
            Decision::Allowed => f.write_str("allowed")?,
            Decision::Denied(Reason::UnknownUser) => {
                write!(f, "denied: {} not found", self.user.of(EntityKind::User))?;
            }
            Decision::Denied(Reason::UnknownPermission | Reason::PermissionRenamed | Reason::PatternAsked) => {
                write!(f, "denied: {} not found", self.permission.of(EntityKind::Permission))?;
            }
            Decision::Denied(Reason::CatalogConflict) => {
                write!(f, "denied: {permission} is a permission of the tenant and one of the catalog")?;
            }
            Decision::Denied(Reason::Suspended) => write!(f, "denied: {user} is suspended")?,
            Decision::Denied(Reason::NoPath) => write!(f, "denied: nothing that {user} holds grants {permission}")?,
            Decision::Denied(Reason::NeverActive) => {
                write!(f, "denied: no path from {user} to {permission} is ever active: ")?;
                f.write_str("the windows on each have no common instant")?;
            }
            Decision::Denied(_) => write!(f, "{}", self.decision)?,
        }
        if let Some(path) = &self.never_active {
            write!(f, "\n  a path that is never active: {user} {path}")?;
        }
        for (i, path) in self.paths.iter().take(MOST_PATHS_SHOWN).enumerate() {
            // The instant of a denial is that of all paths together, not of the first one.
            let begin = match (i, self.decision) {
                (0, Decision::Allowed) => ":",
                (0, Decision::Denied(_)) => "\n  a path that is not active now:",
                _ => "\n  also:",
            };
            write!(f, "{begin} {user} {path}")?;
        }
        match (self.paths.len().checked_sub(MOST_PATHS_SHOWN), self.more_paths) {
            (_, true) => f.write_str("\n  and by more paths")?,
            (Some(1), false) => f.write_str("\n  and by 1 more path")?,
            (Some(hidden @ 2..), false) => write!(f, "\n  and by {hidden} more paths")?,
            _ => {}
        }
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        } else if let Some((EntityKind::Permission, _)) = self.unknown() {
            self.did_you_mean().map_or(Ok(()), |question| write!(f, "; {question}"))?;
        }
        listed(f, &self.roles, "\n  roles that would grant it: ")?;
        listed(f, &self.groups, "\n  groups that would grant it: ")?;
        if self.more_holders { f.write_str("\n  and more") } else { Ok(()) }
    }
}

/// Writes a list, with an introduction if there is anything in it.
fn listed(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], intro: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { intro } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for GrantingRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.slug.as_str()))?;
        whose(self.origin, self.in_conflict).map_or(Ok(()), |whose| write!(f, " ({whose}, with the id {})", self.id))
    }
}

impl fmt::Display for GrantingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.slug.as_str()))?;
        let manager = self.managed_by.as_ref();
        manager.map_or(Ok(()), |manager| write!(f, " (managed by {})", Quoted(manager.as_str())))
    }
}

impl PartialEq for Explanation {
    fn eq(&self, other: &Self) -> bool {
        let data = |of: &Self| (of.decision, of.more_paths, of.more_holders);
        data(self) == data(other)
            && (&self.user, &self.permission) == (&other.user, &other.permission)
            && (&self.paths, &self.never_active) == (&other.paths, &other.never_active)
            && (&self.conflict, &self.roles, &self.groups) == (&other.conflict, &other.roles, &other.groups)
            && (self.suggestions(), self.advice()) == (other.suggestions(), other.advice())
    }
}

impl Eq for Explanation {}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Not everyone who may ask about a user may see the keys of other users.
        let is_public = self.unknown().is_some_and(|(entity, _)| entity == EntityKind::Permission);
        let suggestions = if is_public { self.suggestions() } else { &[] };
        let mut data = serializer.serialize_struct("Explanation", 12)?;
        data.serialize_field("user", &self.user.data())?;
        data.serialize_field("permission", &self.permission.data())?;
        data.serialize_field("decision", &self.decision)?;
        data.serialize_field("paths", &self.paths)?;
        data.serialize_field("more_paths", &self.more_paths)?;
        data.serialize_field("never_active", &self.never_active)?;
        data.serialize_field("conflict", &self.conflict())?;
        data.serialize_field("suggestions", suggestions)?;
        data.serialize_field("advice", &self.advice())?;
        data.serialize_field("roles", &self.roles)?;
        data.serialize_field("groups", &self.groups)?;
        data.serialize_field("more_holders", &self.more_holders)?;
        data.end()
    }
}
