//! The record of an assertion, which states what the tenant is expected to allow and to deny (R17).

use serde::{Deserialize, Serialize};

use super::{AssertionId, Description, GroupId, PermissionRef, RoleRef, Slug, UserId};

/// An assertion that a tenant carries (R17).
///
/// ```
/// use rolecall::records::{AssertionId, AssertionRecord, Description, Expectation, GroupId, PermissionId, PermissionRef, Slug};
///
/// let (pay, finance) = (PermissionId::random(), GroupId::random());
/// let assertion = AssertionRecord {
///     id: AssertionId::random(),
///     slug: Slug::new("only-finance-pays")?,
///     description: Description::default(),
///     binding: true,
///     expected: Expectation::Only { permission: PermissionRef::Own(pay), users: vec![], groups: vec![finance] },
/// };
/// assert_eq!(assertion.expected.groups(), [finance]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionRecord {
    /// The id, which never changes.
    pub id: AssertionId,
    /// The slug, which is unique among the assertions of the tenant.
    pub slug: Slug,
    /// The description, which may be empty.
    pub description: Description,
    /// Whether a commit is refused if the assertion fails after it.
    pub binding: bool,
    /// The expectation.
    pub expected: Expectation,
}

/// The expectation of an assertion. This crate writes every list in the order of its ids.
///
/// ```
/// use rolecall::records::{Expectation, RoleId, RoleRef};
///
/// let (clerk, approver) = (RoleRef::Own(RoleId::random()), RoleRef::Own(RoleId::random()));
/// let expected = Expectation::Separate { roles: vec![clerk, approver] };
/// assert_eq!((expected.roles().len(), expected.permission()), (2, None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Expectation {
    /// Each of these users, and each member of these groups who is not suspended, may do it.
    Allowed {
        /// The permission.
        permission: PermissionRef,
        /// Users.
        users: Vec<UserId>,
        /// Groups, with their subgroups.
        groups: Vec<GroupId>,
    },
    /// None of these users, and nobody while a member of one of these groups, may do it.
    Denied {
        /// The permission.
        permission: PermissionRef,
        /// Users.
        users: Vec<UserId>,
        /// Groups, with their subgroups.
        groups: Vec<GroupId>,
    },
    /// Nobody other than these users and the members of these groups may do it.
    Only {
        /// The permission.
        permission: PermissionRef,
        /// Users.
        users: Vec<UserId>,
        /// Groups, with their subgroups.
        groups: Vec<GroupId>,
    },
    /// Nobody holds two of these roles together, suspended or not.
    Separate {
        /// The roles.
        roles: Vec<RoleRef>,
    },
}

impl Expectation {
    /// Returns the permission, or `None` if it is about roles.
    ///
    /// ```
    /// # use rolecall::records::Expectation;
    /// assert!(Expectation::Separate { roles: vec![] }.permission().is_none());
    /// ```
    pub fn permission(&self) -> Option<&PermissionRef> {
        match self {
            Self::Allowed { permission, .. } | Self::Denied { permission, .. } | Self::Only { permission, .. } => {
                Some(permission)
            }
            Self::Separate { .. } => None,
        }
    }

    /// Returns the users that it names.
    ///
    /// ```
    /// # use rolecall::records::Expectation;
    /// assert!(Expectation::Separate { roles: vec![] }.users().is_empty());
    /// ```
    pub fn users(&self) -> &[UserId] {
        match self {
            Self::Allowed { users, .. } | Self::Denied { users, .. } | Self::Only { users, .. } => users,
            Self::Separate { .. } => &[],
        }
    }

    /// Returns the groups that it names.
    ///
    /// ```
    /// # use rolecall::records::Expectation;
    /// assert!(Expectation::Separate { roles: vec![] }.groups().is_empty());
    /// ```
    pub fn groups(&self) -> &[GroupId] {
        match self {
            Self::Allowed { groups, .. } | Self::Denied { groups, .. } | Self::Only { groups, .. } => groups,
            Self::Separate { .. } => &[],
        }
    }

    /// Returns the roles that it keeps apart.
    ///
    /// ```
    /// # use rolecall::records::Expectation;
    /// assert!(Expectation::Separate { roles: vec![] }.roles().is_empty());
    /// ```
    pub fn roles(&self) -> &[RoleRef] {
        match self {
            Self::Separate { roles } => roles,
            Self::Allowed { .. } | Self::Denied { .. } | Self::Only { .. } => &[],
        }
    }

    /// Returns the word for the expectation, as in JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Allowed { .. } => "allowed",
            Self::Denied { .. } => "denied",
            Self::Only { .. } => "only",
            Self::Separate { .. } => "separate",
        }
    }
}
