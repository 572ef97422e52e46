//! The record of a separation of duties: roles of which one user may hold only some (R14).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Description, RoleId, RoleRef, SeparationId, Slug};

/// A static separation of duties: a set of roles, and how many of them one user may hold at most (R14).
///
/// ```
/// use std::num::NonZeroU32;
///
/// use rolecall::records::{Description, RoleId, RoleRef, SeparationId, SeparationRecord, Slug};
///
/// let (clerk, approver) = (RoleId::random(), RoleId::random());
/// let separation = SeparationRecord {
///     id: SeparationId::random(),
///     slug: Slug::new("payments")?,
///     description: Description::default(),
///     at_most: NonZeroU32::MIN,
///     roles: vec![RoleRef::Own(clerk), RoleRef::Own(approver)],
/// };
/// assert!(separation.names(clerk));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparationRecord {
    /// The id, which never changes.
    pub id: SeparationId,
    /// The slug, which is unique among the separations of the tenant.
    pub slug: Slug,
    /// The description, which may be empty.
    pub description: Description,
    /// How many of the roles one user may hold at most.
    pub at_most: NonZeroU32,
    /// The roles. This crate writes them in the order of their ids.
    pub roles: Vec<RoleRef>,
}

impl SeparationRecord {
    /// Returns whether the separation names a role.
    ///
    /// ```
    /// # use std::num::NonZeroU32;
    /// # use rolecall::records::{Description, RoleId, RoleRef, SeparationId, SeparationRecord, Slug};
    /// # let (clerk, approver) = (RoleId::random(), RoleId::random());
    /// # let separation = SeparationRecord {
    /// #     id: SeparationId::random(),
    /// #     slug: Slug::new("payments")?,
    /// #     description: Description::default(),
    /// #     at_most: NonZeroU32::MIN,
    /// #     roles: vec![RoleRef::Own(clerk), RoleRef::Own(approver)],
    /// # };
    /// assert!(separation.names(approver) && !separation.names(RoleId::random()));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn names(&self, role: RoleId) -> bool {
        self.roles.iter().any(|named| named.id() == role)
    }
}
