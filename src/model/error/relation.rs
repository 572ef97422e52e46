//! The relation that an error is about.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::codes::codes;
use super::{EntityKind, Quoted};

codes! {
    /// A kind of relation that an error can be about.
    ///
    /// # Example
    /// ```
    /// use rolecall::error::RelationKind;
    ///
    /// assert_eq!(RelationKind::Membership.code(), "membership");
    /// ```
    RelationKind {
        /// A user is a member of a group.
        Membership = "membership",
        /// A role is assigned to a user or a group.
        Assignment = "assignment",
        /// A group has a parent group.
        Parent = "parent",
        /// A role grants a permission or a pattern.
        Grant = "grant",
        /// A role includes another role.
        Inclusion = "inclusion",
    }
}

/// The relation of an error. It exists with another window, it does not exist although both of its entities do, or only a
/// directory may remove it.
///
/// The other end is [`Error::entity`](crate::Error::entity) and [`Error::name`](crate::Error::name): the group of a
/// membership, the role of an assignment, the parent of a parent link.
///
/// # Example
/// ```
/// use rolecall::{EntityKind, Window, blocking::Authorizer, error::RelationKind};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_user("alice")?.done()
/// })?;
/// let error = acme.update(|tx| tx.group("staff")?.set_member_window("alice", Window::ALWAYS)?.done()).unwrap_err();
/// let relation = error.relation().expect("both exist, and she is not a member");
/// assert_eq!(relation.kind, RelationKind::Membership);
/// assert_eq!((relation.entity, &*relation.name), (EntityKind::User, "alice"));
/// assert_eq!((error.entity(), error.name()), (Some(EntityKind::Group), Some("staff")));
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// Errors of [`Tenant::rebase`](crate::Tenant::rebase) are also about grants and inclusions. The other end of a grant
/// is the permission or pattern, that of an inclusion is the included role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Relation {
    /// The kind of relation.
    pub kind: RelationKind,
    /// The kind of the entity that has the relation: a user, a group or a role.
    pub entity: EntityKind,
    /// The key of the member, the key or slug of the role's holder, the slug of the subgroup, or the slug of the role
    /// that grants or includes.
    pub name: String,
}

impl Relation {
    pub(crate) fn new(kind: RelationKind, entity: EntityKind, name: impl Into<String>) -> Self {
        Self { kind, entity, name: name.into() }
    }

    /// Describes the relation to an entity with this name.
    pub(super) fn to<'a>(&'a self, other: &'a str) -> impl Display + 'a {
        DescribedRelation { relation: self, other }
    }
}

struct DescribedRelation<'a> {
    relation: &'a Relation,
    other: &'a str,
}

impl Display for DescribedRelation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, other) = (Quoted(&self.relation.name), Quoted(self.other));
        match self.relation.kind {
            RelationKind::Membership => write!(f, "membership of {name} in {other}"),
            RelationKind::Assignment => write!(f, "assignment of {other} to {name}"),
            RelationKind::Parent => write!(f, "parent link of {name} to {other}"),
            RelationKind::Grant => write!(f, "grant of {other} by role {name}"),
            RelationKind::Inclusion => write!(f, "inclusion of role {other} in role {name}"),
        }
    }
}
