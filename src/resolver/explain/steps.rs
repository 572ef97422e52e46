//! A path from a user to a permission, step by step.

use serde::Serialize;

use crate::model::internal_fault::must;
use crate::model::records::{Slug, Window};
use crate::resolver::snapshot::table::Origin;

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

    /// Returns the grant of the last role: the permission's slug or a pattern.
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
