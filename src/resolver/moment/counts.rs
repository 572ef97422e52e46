//! Counts: how many there are, without listing them.

use serde::Serialize;

use super::Moment;
use crate::resolver::snapshot::names::{AsGroup, AsRole};

/// How many users, groups, roles and permissions a tenant has. Returned by [`Moment::counts`].
///
/// Each is the number of entries that the pages of that kind list.
///
/// ```
/// use rolecall::blocking::Authorizer;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_user("alice")?.join("staff")?;
///     tx.create_user("bob")?.done()
/// })?;
/// let counts = acme.now().counts().expect("the tenant is available");
/// assert_eq!((counts.users, counts.groups, counts.roles), (2, 1, 0));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// The users, suspended ones included.
    pub users: usize,
    /// The groups.
    pub groups: usize,
    /// The roles, those of the catalog included.
    pub roles: usize,
    /// The permissions, those of the catalog included.
    pub permissions: usize,
}

impl Moment<'_> {
    /// Returns how many users, groups, roles and permissions there are, or `None` if the tenant is
    /// [unavailable](Self::unavailable).
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// assert_eq!(acme.now().counts().map(|counts| counts.users), Some(1));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(1).
    pub fn counts(&self) -> Option<Counts> {
        let state = &self.compiled().state;
        self.answers().then(|| Counts {
            users: state.users.len(),
            groups: state.groups.len(),
            roles: state.roles.len(),
            permissions: state.permissions.len(),
        })
    }

    /// Returns how many direct members a group has: as many as the pages of [`members`](Self::members) list, suspended
    /// users and memberships outside their windows included. `None` if the group does not exist.
    ///
    /// For direct and inherited members, take the length of [`all_members`](Self::all_members), which costs what finding
    /// them costs.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?;
    ///     tx.create_user("alice")?.join("staff")?;
    ///     tx.create_user("bob")?.join("engineering")?.done()
    /// })?;
    /// let now = acme.now();
    /// assert_eq!((now.member_count("staff"), now.member_count("stuff")), (Some(1), None));
    /// assert_eq!(now.all_members("staff").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The lookup of the name, and O(1).
    pub fn member_count(&self, group: impl AsGroup) -> Option<usize> {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.groups.row(group).map(|row| row.members.len())
    }

    /// Returns how many direct subgroups a group has: as many as the pages of [`subgroups`](Self::subgroups) list. `None`
    /// if the group does not exist.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.done()
    /// # })?;
    /// assert_eq!(acme.now().subgroup_count("staff"), Some(1));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The lookup of the name, and O(1).
    pub fn subgroup_count(&self, group: impl AsGroup) -> Option<usize> {
        let snapshot = self.compiled();
        let group = group.group(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.groups.row(group).map(|row| row.children.len())
    }

    /// Returns to how many users a role is assigned directly: as many as the pages of [`holders`](Self::holders) list.
    /// `None` if the role does not exist.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_role("reader")?;
    /// #     tx.create_user("bob")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.now().holder_count("reader"), Some(1));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The lookup of the name, and O(1).
    pub fn holder_count(&self, role: impl AsRole) -> Option<usize> {
        let snapshot = self.compiled();
        let role = role.role(snapshot.scope()).filter(|_| self.answers())?;
        snapshot.state.roles.row(role).map(|row| row.users.len())
    }
}
