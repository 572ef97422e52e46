//! Assertions: what a tenant is expected to allow and to deny (R17).
//!
//! A tenant can carry them ([`Tx::create_assertion`](crate::Tx::create_assertion)). A commit after which a *binding*
//! one fails is refused. Or an application keeps them in a file beside the organisation document, and its continuous
//! integration checks them. [`Assertions::check`] lists the failures, each with the path that breaks the assertion. The
//! example program `inspect` does both with its command `test`.
//!
//! `assertions/judge.rs` decides whether an assertion holds.

pub(crate) mod judge;

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::model::error::{EntityKind, HeldRole, Quoted};
use crate::model::records::{Timestamp, UserKey};
use crate::resolver::explain::{Path, Reason};

/// A list of assertions about a tenant (R17).
///
/// # The format
/// ```
/// # use rolecall::{assertions::Assertions, blocking::Authorizer};
/// let assertions = Assertions::from_json(br#"{
///   "format": 1,
///   "assertions": [
///     {"expect": "allowed",  "permission": "posts:write", "users": ["alice"], "groups": ["staff"]},
///     {"expect": "denied",   "permission": "billing:pay", "users": ["mallory"], "groups": ["contractors"]},
///     {"expect": "only",     "permission": "billing:pay", "groups": ["finance"]},
///     {"expect": "separate", "roles": ["clerk", "approver"]}
///   ]
/// }"#)?;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     for permission in ["posts:write", "billing:pay"] { tx.create_permission(permission)?; }
/// #     for group in ["staff", "contractors", "finance"] { tx.create_group(group)?; }
/// #     tx.create_role("clerk")?.grant("billing:pay")?;
/// #     tx.create_role("approver")?.grant("posts:*")?;
/// #     tx.create_user("mallory")?.join("contractors")?;
/// #     tx.create_user("alice")?.assign("approver")?.done()
/// # })?;
/// assert!(assertions.check(&acme.now()).is_empty());
///
/// acme.update(|tx| tx.group("contractors")?.assign("clerk")?.done())?;
/// let failures: Vec<String> = assertions.check(&acme.now()).iter().map(ToString::to_string).collect();
/// assert_eq!(failures[0], "assertion 2: user `mallory` may do `billing:pay`: is in `contractors`, which has the role \
///                          `clerk`, which grants `billing:pay`");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// [`Assertion`] says what each means. An unknown field is an error, and so is an assertion that nothing could break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertions(Vec<Assertion>);

/// A statement that a tenant must allow or deny something.
///
/// Users are named by their keys; groups, roles and permissions by their slugs. A name that the tenant does not have
/// breaks the assertion, so that a typing error is not taken for a denial.
///
/// ```
/// use rolecall::assertions::{Assertion, Assertions};
///
/// let (permission, groups) = ("billing:pay".to_owned(), vec!["finance".to_owned()]);
/// let assertions = Assertions::new([Assertion::Only { permission, users: Vec::new(), groups }]);
/// assert_eq!(assertions.list().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "expect", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Assertion {
    /// Each of these users, and each member of these groups, may do it at the instant of the check. A suspended member
    /// of a group does not count; a suspended user who is named does.
    Allowed {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// None of these users may do it, and nobody while a member of one of these groups. This holds at the instant of the
    /// check and at every later one.
    Denied {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// Everybody who may do it is one of these users, or a member of one of these groups at that time. This must hold
    /// at the instant of the check and at every later one. Without users and groups, nobody may do it.
    Only {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// Nobody holds two of these roles at one time, suspended or not: at the instant of the check and at every later one.
    Separate {
        /// The roles.
        roles: Vec<String>,
    },
}

/// An assertion that does not hold, and one case in which it does not.
///
/// ```
/// # use rolecall::{assertions::{Assertions, Problem}, blocking::Authorizer};
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let json = br#"{"format": 1, "assertions": [{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}]}"#;
/// let failures = Assertions::from_json(json)?.check(&acme.now());
/// assert_eq!(failures[0].number, 0);
/// assert!(matches!(&failures[0].problem, Problem::Unknown { name, .. } if name == "billing:pay"));
/// assert_eq!(failures[0].to_string(), "assertion 1: permission `billing:pay` not found");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The place of the assertion in the list, from 0. The text counts from 1.
    pub number: usize,
    /// The problem.
    pub problem: Problem,
}

/// Why an assertion does not hold.
///
/// ```
/// use rolecall::assertions::Problem;
/// use rolecall::explain::Reason;
///
/// let problem = Problem::Unavailable { reason: Reason::Deleted };
/// assert_eq!(problem.to_string(), "the tenant cannot be asked: the tenant was deleted");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The tenant has no entity with this name.
    Unknown {
        /// The kind of entity.
        entity: EntityKind,
        /// The name, as the assertion has it.
        name: String,
        /// The slug that was probably meant: a similar one, or the one that the catalog has renamed it to. It never has keys of
        /// other users.
        hint: Option<String>,
    },
    /// The user may not do it, and should be allowed.
    Denied {
        /// The user.
        user: UserKey,
        /// The permission.
        permission: String,
        /// The first instant at which the user may not do it, if that is later than the check.
        from: Option<Timestamp>,
        /// Why not.
        reason: Reason,
    },
    /// The user may do it, and should not.
    Allowed {
        /// The user.
        user: UserKey,
        /// The permission.
        permission: String,
        /// The first instant at which the user may do it, if that is later than the check.
        from: Option<Timestamp>,
        /// A shortest path by which the user may do it then.
        path: Path,
    },
    /// The user holds roles that nobody combines.
    Combined {
        /// The user.
        user: UserKey,
        /// The first instant at which the user holds them together, if that is later than the check.
        from: Option<Timestamp>,
        /// The roles, each with a path.
        roles: Vec<HeldRole>,
    },
    /// Every question is denied, because the tenant is not in service or was deleted.
    Unavailable {
        /// Why.
        reason: Reason,
    },
}

impl Assertion {
    /// Expects that users and groups, which are added, may do this.
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// let assertion = Assertion::allowed("posts:write").with_users(["alice"]).with_groups(["staff"]);
    /// assert!(matches!(assertion, Assertion::Allowed { users, .. } if users == ["alice"]));
    /// ```
    #[must_use]
    pub fn allowed(permission: impl Into<String>) -> Self {
        Self::Allowed { permission: permission.into(), users: Vec::new(), groups: Vec::new() }
    }

    /// Expects that users and groups, which are added, may not do this.
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// let assertion = Assertion::denied("billing:pay").with_groups(["contractors"]);
    /// assert!(matches!(assertion, Assertion::Denied { groups, .. } if groups == ["contractors"]));
    /// ```
    #[must_use]
    pub fn denied(permission: impl Into<String>) -> Self {
        Self::Denied { permission: permission.into(), users: Vec::new(), groups: Vec::new() }
    }

    /// Expects that nobody may do this except the users and groups that are added to it.
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// let nobody = Assertion::only("tenants:drop");
    /// assert!(matches!(nobody, Assertion::Only { users, .. } if users.is_empty()));
    /// ```
    #[must_use]
    pub fn only(permission: impl Into<String>) -> Self {
        Self::Only { permission: permission.into(), users: Vec::new(), groups: Vec::new() }
    }

    /// Expects that nobody holds two of these roles together.
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// let assertion = Assertion::separate(["clerk", "approver"]);
    /// assert!(matches!(assertion, Assertion::Separate { roles } if roles.len() == 2));
    /// ```
    #[must_use]
    pub fn separate<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self::Separate { roles: roles.into_iter().map(Into::into).collect() }
    }

    /// Adds users, by key. An assertion about roles names none, and stays as it is.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// let assertion = Assertion::denied("billing:pay").with_users(["mallory"]);
    /// assert!(matches!(assertion, Assertion::Denied { users, .. } if users == ["mallory"]));
    /// ```
    #[must_use]
    pub fn with_users<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        match &mut self {
            Self::Allowed { users, .. } | Self::Denied { users, .. } | Self::Only { users, .. } => {
                users.extend(keys.into_iter().map(Into::into));
            }
            Self::Separate { .. } => {}
        }
        self
    }

    /// Adds groups, by slug. An assertion about roles names none, and stays as it is.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// let assertion = Assertion::only("billing:pay").with_groups(["finance"]);
    /// assert!(matches!(assertion, Assertion::Only { groups, .. } if groups == ["finance"]));
    /// ```
    #[must_use]
    pub fn with_groups<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        match &mut self {
            Self::Allowed { groups, .. } | Self::Denied { groups, .. } | Self::Only { groups, .. } => {
                groups.extend(slugs.into_iter().map(Into::into));
            }
            Self::Separate { .. } => {}
        }
        self
    }

    /// Returns the names in it: the permission, users, groups and roles.
    pub(crate) fn names(&self) -> (Option<&str>, &[String], &[String], &[String]) {
        match self {
            Self::Allowed { permission, users, groups }
            | Self::Denied { permission, users, groups }
            | Self::Only { permission, users, groups } => (Some(permission), users, groups, &[]),
            Self::Separate { roles } => (None, &[], &[], roles),
        }
    }
}

impl Assertions {
    /// Makes a list of assertions.
    ///
    /// ```
    /// # use rolecall::assertions::{Assertion, Assertions};
    /// let roles = vec!["clerk".to_owned(), "approver".to_owned()];
    /// assert_eq!(Assertions::new([Assertion::Separate { roles }]).list().len(), 1);
    /// ```
    pub fn new(assertions: impl IntoIterator<Item = Assertion>) -> Self {
        Self(assertions.into_iter().collect())
    }

    /// Returns the assertions, in their order.
    ///
    /// ```
    /// # use rolecall::assertions::Assertions;
    /// assert!(Assertions::default().list().is_empty());
    /// ```
    pub fn list(&self) -> &[Assertion] {
        &self.0
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "assertion {}: {}", self.number + 1, self.problem)
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let from = |from: &Option<Timestamp>| from.map(|at| format!(" from {at}")).unwrap_or_default();
        match self {
            Self::Unknown { entity, name, hint } => {
                write!(f, "{entity} {} not found", Quoted(name))?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
            }
            Self::Denied { user, permission, from: at, reason } => {
                write!(f, "user {} may not do {}{}: {reason}", Quoted(user.as_str()), Quoted(permission), from(at))
            }
            Self::Allowed { user, permission, from: at, path } => {
                write!(f, "user {} may do {}{}: {path}", Quoted(user.as_str()), Quoted(permission), from(at))
            }
            Self::Combined { user, from: at, roles } => {
                write!(f, "user {} holds {} of the roles{}", Quoted(user.as_str()), roles.len(), from(at))?;
                let mut roles = roles.iter().enumerate();
                roles.try_for_each(|(n, held)| write!(f, "{}{}", if n == 0 { ": " } else { "; " }, held.path))
            }
            Self::Unavailable { reason } => write!(f, "the tenant cannot be asked: {reason}"),
        }
    }
}
