//! Transaction calls for the groups and roles of a user.

use super::UserEdit;
use crate::model::error::Result;
use crate::model::records::{Slug, Timestamp, Window};
use crate::plan::lists::ListChanges;
use crate::plan::relations::{HolderNumber, NumberedRelation, PresentEnd, Windows, Wish};
use crate::plan::tx::Tx;
use crate::resolver::snapshot::names::{AsGroup, AsRole};

impl UserEdit<'_> {
    /// Adds the user to a group without a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("engineering")?;
    ///     tx.create_user("alice@acme.com")?.join("engineering")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is
    /// already a member with a window that has not ended (R3); [`Managed`](crate::ErrorKind::Managed) if a directory
    /// manages the group (R16).
    pub fn join(&self, group: impl AsGroup) -> Result<&Self> {
        self.join_during(group, Window::ALWAYS)
    }

    /// Adds the user to a group with a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_group("on-call")?;
    ///     let window = Window::until(Timestamp::from_secs(4_000_000_000)?);
    ///     tx.create_user("alice@acme.com")?.join_during("on-call", window)?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is
    /// already a member with another window that has not ended (R3). [`Invalid`](crate::ErrorKind::Invalid) if the
    /// window has ended. [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn join_during(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish_group(&group, Wish::Add(window))
    }

    /// Makes the user a member of the group during this window at least: adds the membership, or makes its window
    /// longer. It never makes a window shorter, so a permanent membership stays permanent.
    ///
    /// A membership that has ended gets this window. If there is a gap between the two windows, one window cannot contain
    /// both: then it is an error.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let friday = Window::until(Timestamp::from_secs(4_000_000_000)?);
    /// acme.update(|tx| {
    ///     tx.create_group("engineering")?;
    ///     tx.create_user("alice")?.join("engineering")?.ensure_membership("engineering", friday)?.done()
    /// })?;
    /// assert_eq!(acme.now().groups_of("alice")[0].window, Window::ALWAYS);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`Invalid`](crate::ErrorKind::Invalid) if the window has ended and the
    /// membership would have to change. [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between
    /// the two windows. [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn ensure_membership(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish_group(&group, Wish::Ensure(window))
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
    ///     tx.create_group("on-call")?;
    ///     let alice = tx.create_user("alice")?;
    ///     alice.join_during("on-call", Window::until(june))?.extend_membership("on-call", july)?.done()
    /// })?;
    /// assert_eq!(acme.now().groups_of("alice")[0].window, Window::until(july));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the membership does not exist;
    /// [`Invalid`](crate::ErrorKind::Invalid) if it would end in the past; [`Managed`](crate::ErrorKind::Managed) if a
    /// directory manages the group (R16).
    pub fn extend_membership(&self, group: impl AsGroup, until: Timestamp) -> Result<&Self> {
        self.wish_group(&group, Wish::Extend(until))
    }

    /// Changes the window of a membership to exactly this one, which may be shorter.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_group("on-call")?;
    ///     let alice = tx.create_user("alice@acme.com")?;
    ///     alice.join("on-call")?;
    ///     alice.set_membership_window("on-call", Window::until(Timestamp::from_secs(4_000_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the user is not a member;
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn set_membership_window(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish_group(&group, Wish::Set(window))
    }

    /// Removes the user from a group (R2). Does nothing if the user is not a member.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("engineering")?;
    ///     tx.create_user("alice@acme.com")?.join("engineering")?.leave("engineering")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the group does not exist; [`Managed`](crate::ErrorKind::Managed)
    /// if a directory manages the group (R16).
    pub fn leave(&self, group: impl AsGroup) -> Result<&Self> {
        let group = self.tx.find_group(&group)?;
        self.tx.remove(self.membership(group))?;
        Ok(self)
    }

    /// Assigns a role directly to the user.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("auditor")?;
    ///     tx.create_user("alice@acme.com")?.assign("auditor")?;
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

    /// Assigns a role directly to the user with a window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_role("auditor")?;
    ///     let window = Window::until(Timestamp::from_secs(4_000_000_000)?);
    ///     tx.create_user("alice@acme.com")?.assign_during("auditor", window)?;
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

    /// Makes sure that the user has the role directly during this window at least: adds the assignment, or makes its
    /// window longer. It never makes a window shorter, so a permanent assignment stays permanent.
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
    ///     tx.create_user("alice")?.assign("auditor")?.ensure_assignment("auditor", friday)?.done()
    /// })?;
    /// assert_eq!(acme.now().roles_of("alice")[0].window, Window::ALWAYS);
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
    ///     let alice = tx.create_user("alice")?;
    ///     alice.assign_during("auditor", Window::until(june))?.extend_assignment("auditor", july)?.done()
    /// })?;
    /// assert_eq!(acme.now().roles_of("alice")[0].window, Window::until(july));
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

    /// Changes the window of a direct assignment to exactly this one, which may be shorter.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_role("auditor")?;
    ///     let alice = tx.create_user("alice@acme.com")?;
    ///     alice.assign("auditor")?;
    ///     alice.set_assignment_window("auditor", Window::until(Timestamp::from_secs(4_000_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the role is not assigned directly;
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.wish_role(role, Wish::Set(window))
    }

    /// Removes a direct assignment. Roles that come from groups stay.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("auditor")?;
    ///     tx.create_user("alice@acme.com")?.assign("auditor")?.unassign("auditor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the role does not exist. Removing a role that is not assigned is
    /// not an error.
    pub fn unassign(&self, role: impl AsRole) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.tx.remove(self.assignment(role))?;
        Ok(self)
    }

    /// Makes the user a direct member of exactly these groups, and returns which it joined and left. It keeps the
    /// windows of memberships that stay, unless they have ended; new ones have none.
    ///
    /// All groups count, including those that an administrator added. A membership of a group that a directory manages can
    /// be added or removed only for that directory (R16).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { for group in ["eng", "sales"] { tx.create_group(group)?; } Ok(()) })?;
    /// acme.update(|tx| tx.create_user("alice")?.join("sales")?.done())?;
    /// let changes = acme.update(|tx| tx.user("alice")?.set_groups(["eng"]))?.value;
    /// assert_eq!((changes.added[0].as_str(), changes.removed[0].as_str()), ("eng", "sales"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for the groups before and after, and O(log n) for each one that is joined or left.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Managed`](crate::ErrorKind::Managed) (R16); then nothing is changed.
    pub fn set_groups<G: AsGroup>(&self, groups: impl IntoIterator<Item = G>) -> Result<ListChanges<Slug>> {
        let wanted = groups.into_iter().map(|group| self.tx.find_group(&group)).collect::<Result<_>>()?;
        let present = self.tx.with_user(self.number, |row| row.groups().iter().map(PresentEnd::from).collect())?;
        self.tx.set_relations(present, wanted, Windows::Keep, |group| self.membership(group), Tx::groups_changed)
    }

    /// Assigns exactly these roles directly to the user, without a window, and returns which were added and removed. Roles
    /// that come from groups stay. All other direct assignments are removed, including those that an administrator made.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { for role in ["auditor", "editor"] { tx.create_role(role)?; } Ok(()) })?;
    /// acme.update(|tx| tx.create_user("alice")?.assign("editor")?.done())?;
    /// let changes = acme.update(|tx| tx.user("alice")?.set_roles(["auditor"]))?.value;
    /// assert_eq!((changes.added[0].as_str(), changes.removed[0].as_str()), ("auditor", "editor"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). Then nothing is changed.
    pub fn set_roles<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<ListChanges<Slug>> {
        let wanted = roles.into_iter().map(|role| self.tx.usable_role(&role)).collect::<Result<_>>()?;
        let present = self.tx.with_user(self.number, |row| row.roles().iter().map(PresentEnd::from).collect())?;
        self.tx.set_relations(present, wanted, Windows::Clear, |role| self.assignment(role), Tx::roles_changed)
    }

    fn membership(&self, group: u32) -> NumberedRelation {
        NumberedRelation::Membership { user: self.number, group }
    }

    fn assignment(&self, role: u32) -> NumberedRelation {
        NumberedRelation::Assignment { role, holder: HolderNumber::User(self.number) }
    }

    fn wish_group(&self, group: &impl AsGroup, wish: Wish) -> Result<&Self> {
        let group = self.tx.find_group(group)?;
        self.tx.wish(self.membership(group), wish, "use `set_membership_window` to change it")?;
        Ok(self)
    }

    fn wish_role(&self, role: u32, wish: Wish) -> Result<&Self> {
        self.tx.wish(self.assignment(role), wish, "use `set_assignment_window` to change it")?;
        Ok(self)
    }
}
