//! Transaction calls for the members and the roles of a group.

use super::GroupEdit;
use crate::model::error::Result;
use crate::model::records::{Slug, Timestamp, UserKey, Window};
use crate::plan::lists::ListChanges;
use crate::plan::relations::{PresentEnd, Windows, Wish};
use crate::plan::tx::Tx;
use crate::resolver::snapshot::entity_rows::GroupRow;
use crate::resolver::snapshot::names::{AsRole, AsUser};

impl GroupEdit<'_> {
    /// Gives the group exactly these direct members, and returns the added and removed users. Existing members keep their
    /// windows, unless they have ended; new members have none. Use it to apply the list of members that a directory sends.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { for user in ["alice", "bob", "carol"] { tx.create_user(user)?; } Ok(()) })?;
    /// acme.update(|tx| tx.create_group("staff")?.set_members(["alice", "bob"]))?;
    /// let changes = acme.update(|tx| tx.group("staff")?.set_members(["bob", "carol"]))?.value;
    /// assert_eq!((changes.added[0].as_str(), changes.removed[0].as_str()), ("carol", "alice"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// A look-up for each listed member, and O(n log n) on numbers for the members before and after. A member who stays
    /// costs a look-up more if the membership has a window.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Managed`](crate::ErrorKind::Managed) (R16); then nothing is changed.
    pub fn set_members<U: AsUser>(&self, members: impl IntoIterator<Item = U>) -> Result<ListChanges<UserKey>> {
        let wanted = self.tx.find_users(&members.into_iter().collect::<Vec<U>>())?;
        let present = |row: &GroupRow| row.members.iter().copied().map(PresentEnd::from).collect();
        let present = self.tx.with_group(self.number, present)?;
        self.tx.set_relations(present, wanted, Windows::Keep, |user| self.member(user), Tx::users_changed)
    }

    /// Adds a member without a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     tx.create_group("engineering")?.add_member("alice")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is
    /// already a member with a window that has not ended (R3); [`Managed`](crate::ErrorKind::Managed) if a directory
    /// manages the group (R16).
    pub fn add_member(&self, user: impl AsUser) -> Result<&Self> {
        self.add_member_during(user, Window::ALWAYS)
    }

    /// Adds a member whose membership has a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     let friday = Timestamp::from_secs(4_000_000_000)?;
    ///     tx.create_user("temp")?;
    ///     tx.create_group("on-call")?.add_member_during("temp", Window::until(friday))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is
    /// already a member with another window that has not ended (R3). [`Invalid`](crate::ErrorKind::Invalid) if the
    /// window has ended. [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn add_member_during(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        self.wish_member(&user, Wish::Add(window))
    }

    /// Makes the user a member during this window at least: adds the membership, or makes its window longer. It never
    /// makes a window shorter, so a permanent membership stays permanent.
    ///
    /// A membership that has ended gets this window. A gap between the two windows is an error, because one window cannot
    /// contain both.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let friday = Window::until(Timestamp::from_secs(4_000_000_000)?);
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     tx.create_group("engineering")?.add_member("alice")?.ensure_member("alice", friday)?.done()
    /// })?;
    /// assert_eq!(acme.now().groups_of("alice")[0].window, Window::ALWAYS);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`Invalid`](crate::ErrorKind::Invalid) if the window has ended and the
    /// membership would have to change. [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between
    /// the two windows. [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn ensure_member(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        self.wish_member(&user, Wish::Ensure(window))
    }

    /// Makes a membership end at `until` or later. One that ends later, or never, stays as it is. One that has ended is
    /// active again.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [june, july] = [Timestamp::from_secs(4_000_000_000)?, Timestamp::from_secs(4_002_592_000)?];
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     let group = tx.create_group("on-call")?;
    ///     group.add_member_during("alice", Window::until(june))?.extend_member("alice", july)?.done()
    /// })?;
    /// assert_eq!(acme.now().groups_of("alice")[0].window, Window::until(july));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the membership does not exist;
    /// [`Invalid`](crate::ErrorKind::Invalid) if it would end in the past; [`Managed`](crate::ErrorKind::Managed) if a
    /// directory manages the group (R16).
    pub fn extend_member(&self, user: impl AsUser, until: Timestamp) -> Result<&Self> {
        self.wish_member(&user, Wish::Extend(until))
    }

    /// Changes the window of a membership to exactly this one, which may be shorter.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_user("alice")?;
    ///     let group = tx.create_group("on-call")?;
    ///     group.add_member("alice")?;
    ///     group.set_member_window("alice", Window::until(Timestamp::from_secs(4_000_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the user is not a member;
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn set_member_window(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        self.wish_member(&user, Wish::Set(window))
    }

    /// Removes a member. The user loses the permissions of this group, unless it also has them in another way (R2).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     let group = tx.create_group("engineering")?;
    ///     group.add_member("alice")?;
    ///     group.remove_member("alice")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the user does not exist. Removing a user who is not a member is
    /// not an error. [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn remove_member(&self, user: impl AsUser) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.remove(self.member(user))?;
        Ok(self)
    }

    /// Assigns a role to the group. All its members have the role.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?;
    ///     tx.create_group("engineering")?.assign("editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the role
    /// is already assigned with a window that has not ended (R3).
    pub fn assign(&self, role: impl AsRole) -> Result<&Self> {
        self.assign_during(role, Window::ALWAYS)
    }

    /// Assigns a role to the group with a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_role("release-manager")?;
    ///     let window = Window::until(Timestamp::from_secs(4_000_000_000)?);
    ///     tx.create_group("engineering")?.assign_during("release-manager", window)?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the role
    /// is already assigned with another window that has not ended (R3),
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended.
    pub fn assign_during(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        let role = self.tx.usable_role(&role)?;
        self.wish_role(role, Wish::Add(window))
    }

    /// Makes sure that the group has the role during this window at least: adds the assignment, or makes its window
    /// longer. It never makes a window shorter, so a permanent assignment stays permanent.
    ///
    /// An assignment that has ended gets this window. If there is a gap between the two windows, one window cannot
    /// contain both: then it is an error.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let friday = Window::until(Timestamp::from_secs(4_000_000_000)?);
    /// acme.update(|tx| {
    ///     tx.create_role("auditor")?;
    ///     tx.create_group("engineering")?.assign("auditor")?.ensure_assignment("auditor", friday)?.done()
    /// })?;
    /// assert_eq!(acme.now().roles_of_group("engineering")[0].window, Window::ALWAYS);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Invalid`](crate::ErrorKind::Invalid) if the window has ended and the
    /// assignment would have to change; [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between
    /// the two windows.
    pub fn ensure_assignment(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        let role = self.tx.usable_role(&role)?;
        self.wish_role(role, Wish::Ensure(window))
    }

    /// Makes an assignment end at `until` or later. One that ends later, or never, stays as it is. One that has ended is
    /// active again.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [june, july] = [Timestamp::from_secs(4_000_000_000)?, Timestamp::from_secs(4_002_592_000)?];
    /// acme.update(|tx| {
    ///     tx.create_role("auditor")?;
    ///     let engineering = tx.create_group("engineering")?;
    ///     engineering.assign_during("auditor", Window::until(june))?.extend_assignment("auditor", july)?.done()
    /// })?;
    /// assert_eq!(acme.now().roles_of_group("engineering")[0].window, Window::until(july));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the assignment does not exist;
    /// [`Invalid`](crate::ErrorKind::Invalid) if it would end in the past.
    pub fn extend_assignment(&self, role: impl AsRole, until: Timestamp) -> Result<&Self> {
        let role = self.tx.usable_role(&role)?;
        self.wish_role(role, Wish::Extend(until))
    }

    /// Changes the window of an assignment to exactly this one, which may be shorter.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_role("editor")?;
    ///     let group = tx.create_group("engineering")?;
    ///     group.assign("editor")?;
    ///     group.set_assignment_window("editor", Window::until(Timestamp::from_secs(4_000_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the role is not assigned to the group;
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.wish_role(role, Wish::Set(window))
    }

    /// Removes an assignment. Does nothing if the role is not assigned to the group.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?;
    ///     tx.create_group("engineering")?.assign("editor")?.unassign("editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the role does not exist.
    pub fn unassign(&self, role: impl AsRole) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.tx.remove(self.assignment(role))?;
        Ok(self)
    }

    /// Assigns exactly these roles to the group, without a window, and returns which were added and removed. All other
    /// assignments are removed, including those that an administrator made. To keep those, call [`GroupEdit::assign`] for
    /// each role instead.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("reader")?;
    ///     tx.create_role("editor")?;
    ///     tx.create_group("engineering")?.set_roles(["reader", "editor"])?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). Then nothing is changed.
    pub fn set_roles<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<ListChanges<Slug>> {
        let wanted = roles.into_iter().map(|role| self.tx.usable_role(&role)).collect::<Result<_>>()?;
        let present = self.tx.with_group(self.number, |row| row.roles().iter().map(PresentEnd::from).collect())?;
        self.tx.set_relations(present, wanted, Windows::Clear, |role| self.assignment(role), Tx::roles_changed)
    }
}
