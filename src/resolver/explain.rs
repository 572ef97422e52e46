//! Explanations: the walk of a check, with the path recorded. The decision is the check's own.
//!
//! This file contains the answer as data, with `explain/decision.rs` and `explain/steps.rs`; `explain/text.rs` writes it
//! as text. `explain/paths.rs` finds the paths, `explain/first.rs` the first of them alone, and `explain/reason.rs` finds
//! the reason for a denial. `explain/unknown.rs` says more about a user or permission that is unknown.

pub(crate) mod first;
pub(crate) mod reason;
pub(crate) mod paths;
pub(crate) mod unknown;
mod text;
mod steps;
mod decision;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use self::decision::{Decision, Reason};
pub use self::steps::{Path, PathStep};
pub(crate) use self::text::Steps;
use crate::model::error::{Asked, DidYouMean, EntityKind, Suggestions};
use crate::model::records::{GroupId, Manager, RoleId, Slug};
use crate::resolver::snapshot::SlugConflict;
use crate::resolver::snapshot::entity_rows::RoleRow;
use crate::resolver::snapshot::table::{Origin, Row as _};

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
/// `Display` writes several lines: the answer, then the paths, then what would grant the permission. For one line of a log,
/// take [`Moment::decide`](crate::Moment::decide) and [`Reason::code`].
///
/// # Security
/// Names are written as [`Quoted`](crate::error::Quoted) writes them, so no name can imitate the words around it. The
/// explanation for an unknown user names similar users in [`Explanation::suggestions`] and
/// [`Explanation::did_you_mean`] only. Neither the text nor the serialised form has them.
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
    /// another time; [`Path::window`] says when. First come those that begin later, the next one first, then those that have
    /// ended, the last one first.
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
    /// The shortest path is always found. The search for others stops after 64 paths or 10,000 steps. If
    /// [`has_more_paths`](Self::has_more_paths) is `true`, a path that is not listed may begin earlier.
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

    /// Returns the steps of a shortest path if no path is ever active ([`Reason::NeverActive`]): their windows have no
    /// common instant. Empty otherwise.
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
    /// [`SlugConflict::own`](crate::snapshot::SlugConflict::own).
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

    /// Returns advice about a name, if there is some. The catalog has renamed it, or it belongs to the tenant and to the
    /// catalog. Or it is a pattern, or an id that was passed as text.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let explanation = acme.explain("alice", "posts:*");
    /// assert_eq!(explanation.advice(), Some("this is a pattern, which only a grant accepts; name one permission"));
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
            Decision::Denied(Reason::UnknownUser | Reason::UuidAsKey) => (EntityKind::User, &self.user),
            Decision::Denied(
                Reason::UnknownPermission | Reason::PermissionRenamed | Reason::PatternAsked | Reason::UuidAsSlug,
            ) => (EntityKind::Permission, &self.permission),
            _ => return None,
        };
        asked.name().map(|name| (entity, name))
    }

    /// Returns the roles that would allow it if they were assigned to the user, by slug, if it is denied. At most 32.
    ///
    /// A role that the user has directly, in a window that has not ended, is left out: it cannot be assigned again. It
    /// is on one of the [`paths`](Explanation::paths).
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

/// A role that would give the denied permission. See [`Explanation::roles`].
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

/// A group that would give the denied permission to a member. See [`Explanation::groups`].
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

impl GrantingRole {
    pub(crate) fn of(row: &RoleRow) -> Self {
        let (origin, in_conflict) = (row.origin(), row.is_in_conflict());
        Self { slug: row.record.slug.clone(), origin, in_conflict, id: row.record.id }
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
