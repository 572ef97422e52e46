//! Why: the same walk as a check's, remembering its path. The verdict is the check's own.
//!
//! This file has the answer as data and as text; `explain/paths.rs` finds the paths, `explain/first.rs` one of them,
//! `explain/reason.rs` says why not.

pub(crate) mod reason;
pub(crate) mod paths;

use std::fmt;

use serde::Serialize;

use crate::model::error::shown;
use crate::model::records::{Slug, Timestamp, Window};

/// Allowed, or denied for a reason.
///
/// Exhaustive on purpose: code that matches on a decision must have thought of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[must_use = "a decision that is not looked at decides nothing"]
pub enum Decision {
    /// The user may.
    Allowed,
    /// The user may not.
    Denied(Reason),
}

/// Why a question was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No such user: perhaps a typo, a deleted user, or another tenant's.
    UnknownUser,
    /// No such permission: perhaps a typo, a deleted permission, or another tenant's.
    UnknownPermission,
    /// The user is suspended.
    Suspended,
    /// There is a path, and a window on it is over.
    Expired {
        /// When it ended.
        until: Timestamp,
    },
    /// There is a path, and a window on it has not begun.
    NotYetActive {
        /// When it will begin.
        from: Timestamp,
    },
    /// Nothing that the user holds grants it.
    NoPath,
    /// The outcome of a commit of the tenant's own is unknown, so the tenant does not answer until it is settled.
    InDoubt,
    /// What the store holds was refused at the last refresh, so the tenant does not answer until one succeeds.
    InvalidStoreContent,
    /// An internal invariant was broken, which is a bug of this crate. The tenant does not answer until a refresh succeeds.
    InternalError,
    /// The tenant was opened for repair, and answers nothing.
    Repair,
    /// The tenant was closed.
    Closed,
    /// The tenant was deleted.
    Deleted,
}

impl Decision {
    /// Whether the user may.
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// How a user comes to a permission, or why not.
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
///     "allowed: alice is in engineering, which has the role editor, which grants posts:*",
/// );
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub(crate) user: String,
    pub(crate) permission: String,
    pub(crate) decision: Decision,
    pub(crate) paths: Vec<Path>,
    pub(crate) more_paths: bool,
    pub(crate) near: Vec<String>,
    pub(crate) roles: Vec<Slug>,
    pub(crate) groups: Vec<Slug>,
    pub(crate) more_holders: bool,
}

impl Explanation {
    /// The verdict, which is the check's.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Whether the user may.
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allowed()
    }

    /// The distinct paths, shortest first, those of one length bytewise by the names along them. Of an allowed question
    /// those that count; of one that a window denies, those that would count at another time.
    ///
    /// # Complexity
    /// The shortest path is always found. The search for others ends after 64 paths or 10,000 steps.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Whether there may be more paths than [`Explanation::paths`] has.
    pub fn has_more_paths(&self) -> bool {
        self.more_paths
    }

    /// Where the permission is unknown: names that were perhaps meant, nearest first.
    pub fn suggestions(&self) -> &[String] {
        &self.near
    }

    /// Where the question is denied: roles that would grant it to whom they are assigned, by slug; at most 32.
    pub fn roles(&self) -> &[Slug] {
        &self.roles
    }

    /// Where the question is denied: groups whose members have it at the instant, by slug; at most 32.
    pub fn groups(&self) -> &[Slug] {
        &self.groups
    }

    /// Whether there are more roles or groups that would grant it than are listed.
    pub fn has_more_holders(&self) -> bool {
        self.more_holders
    }
}

/// One path from a user to a permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Path {
    pub(crate) steps: Vec<PathStep>,
    pub(crate) grant: String,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PathStep {
    /// The user is a member of a group.
    Member {
        /// Which group.
        group: Slug,
        /// When it counts.
        window: Window,
    },
    /// The group before has this parent.
    Parent {
        /// Which group.
        group: Slug,
        /// When the link is active.
        window: Window,
    },
    /// The user or group before has this role.
    Role {
        /// Which role.
        role: Slug,
        /// When it counts.
        window: Window,
    },
    /// The role before includes this one.
    Included {
        /// Which role.
        role: Slug,
    },
}

impl Path {
    /// The steps, from the user to the role that grants.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// What the last role grants: the permission's slug, or a pattern.
    pub fn grant(&self) -> &str {
        &self.grant
    }

    /// The groups and roles along it, by slug.
    pub fn names(&self) -> impl Iterator<Item = &Slug> {
        self.steps.iter().map(PathStep::name)
    }

    /// The first window on it that has ended by this instant, if one has.
    pub(crate) fn over(&self, at: Timestamp) -> Option<Timestamp> {
        self.windows().filter_map(Window::end).filter(|end| *end <= at).min()
    }

    /// The last window on it that begins after this instant, if one does.
    pub(crate) fn not_begun(&self, at: Timestamp) -> Option<Timestamp> {
        self.windows().filter_map(Window::start).filter(|start| *start > at).max()
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
    /// The group or role that the step leads to.
    pub fn name(&self) -> &Slug {
        match self {
            Self::Member { group, .. } | Self::Parent { group, .. } => group,
            Self::Role { role, .. } | Self::Included { role } => role,
        }
    }
}

/// More paths than this are left out of the text; the data has them all.
const MOST_PATHS_SHOWN: usize = 8;
/// More steps than this of one path are cut from the text; the data has them all.
const MOST_SHOWN: usize = 24;

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |window: &Window| if window.is_always() { String::new() } else { format!(" ({window})") };
        let hidden = self.steps.len().saturating_sub(MOST_SHOWN);
        for (i, link) in self.steps.iter().enumerate() {
            if (MOST_SHOWN / 2..MOST_SHOWN / 2 + hidden).contains(&i) {
                if i == MOST_SHOWN / 2 {
                    write!(f, ", … {hidden} more steps …")?;
                }
                continue;
            }
            match link {
                PathStep::Member { group, window } => write!(f, "is in {group}{}", within(window))?,
                PathStep::Parent { group, window } => write!(f, ", a part of {group}{}", within(window))?,
                PathStep::Role { role, window } => {
                    let has = if i == 0 { "has the role" } else { ", which has the role" };
                    write!(f, "{has} {role}{}", within(window))?;
                }
                PathStep::Included { role } => write!(f, ", which includes {role}")?,
            }
        }
        write!(f, ", which grants {}", self.grant)
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
            Self::Suspended => f.write_str("the user is suspended"),
            Self::Expired { until } => write!(f, "it was allowed until {until}"),
            Self::NotYetActive { from } => write!(f, "it will not be allowed before {from}"),
            Self::NoPath => f.write_str("nothing that the user holds grants it"),
            Self::InDoubt => f.write_str("the tenant is unsettled: the outcome of its own commit is not known yet"),
            Self::InvalidStoreContent => f.write_str("what the store holds was refused"),
            Self::InternalError => f.write_str("an internal invariant is broken; the tenant must be refreshed"),
            Self::Repair => f.write_str("the tenant is open for repair"),
            Self::Closed => f.write_str("the tenant was closed"),
            Self::Deleted => f.write_str("the tenant was deleted"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, permission) = (shown(&self.user), shown(&self.permission));
        match self.decision {
            Decision::Allowed => f.write_str("allowed")?,
            Decision::Denied(Reason::UnknownUser) => write!(f, "denied: there is no user {user}")?,
            Decision::Denied(Reason::UnknownPermission) => write!(f, "denied: there is no permission {permission}")?,
            Decision::Denied(Reason::Suspended) => write!(f, "denied: {user} is suspended")?,
            Decision::Denied(Reason::NoPath) => write!(f, "denied: nothing that {user} holds grants {permission}")?,
            Decision::Denied(_) => write!(f, "{}", self.decision)?,
        }
        for (i, path) in self.paths.iter().take(MOST_PATHS_SHOWN).enumerate() {
            write!(f, "{} {user} {path}", if i == 0 { ":" } else { "\n  also:" })?;
        }
        match (self.paths.len().checked_sub(MOST_PATHS_SHOWN), self.more_paths) {
            (_, true) => f.write_str("\n  and by more paths")?,
            (Some(hidden @ 1..), false) => write!(f, "\n  and by {hidden} more paths")?,
            _ => {}
        }
        listed(f, &self.near, "; near names: ")?;
        listed(f, &self.roles, "\n  roles that would grant it: ")?;
        listed(f, &self.groups, "\n  groups that would grant it: ")?;
        if self.more_holders { f.write_str("\n  and more") } else { Ok(()) }
    }
}

fn listed(f: &mut fmt::Formatter<'_>, names: &[impl fmt::Display], intro: &str) -> fmt::Result {
    for (i, name) in names.iter().enumerate() {
        write!(f, "{}{name}", if i == 0 { intro } else { ", " })?;
    }
    Ok(())
}
