//! Transaction calls for users.

use super::lists::ListChanges;
use super::relations::{HolderNumber, Relation, Windows, Wish};
use super::tx::Tx;
use crate::model::error::{Asked, EntityKind, Result};
use crate::model::records::{
    Assignment, Change, ExternalId, Holder, Manager, Membership, Name, Record, Slug, Status, Timestamp, UserId,
    UserKey, UserRecord, Window,
};
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser, External};

/// A user in a transaction. Its calls can be chained.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_group("engineering")?;
///     tx.create_role("auditor")?;
///     tx.create_user("alice@acme.com")?.join("engineering")?.assign("auditor")?;
///     Ok(())
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UserEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// Finds a user to edit.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     tx.user("alice")?.suspend()?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn user(&self, user: impl AsUser) -> Result<UserEdit<'_>> {
        self.find_user(&user).map(|number| UserEdit::new(self, number))
    }

    /// Creates an active user with this key and without any roles.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice@acme.com")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_user(&self, key: &str) -> Result<UserEdit<'_>> {
        let id = UserId::from_uuid(self.draft().new_id());
        self.create_user_with_id(id, key)
    }

    /// Creates a user with an id that the application chooses. No other entity of the tenant may have it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::records::UserId;
    ///
    ///     tx.create_user_with_id(UserId::random(), "alice@acme.com")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_user_with_id(&self, id: UserId, key: &str) -> Result<UserEdit<'_>> {
        let key = UserKey::new(key)?;
        self.check_user_key(&key)?;
        if self.draft().next.state.has_id(id.as_uuid()) {
            return Err(self.draft().exists(EntityKind::User, Asked::by_id(id.as_uuid())));
        }
        self.apply(Change::added(Record::User(UserRecord::new(id, key))))?;
        self.created(EntityKind::User, id.as_uuid()).map(|number| UserEdit::new(self, number))
    }

    /// Returns the user with this key, and creates it if it does not exist.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.ensure_user("alice@acme.com")?;
    ///     tx.ensure_user("alice@acme.com")?; // the same user
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn ensure_user(&self, key: &str) -> Result<UserEdit<'_>> {
        if let Some(number) = self.lookup_user(&key) {
            return Ok(UserEdit::new(self, number));
        }
        self.create_user(key)
    }

    /// Returns the user with this external id, and creates it if it does not exist: active, with this key, managed by the
    /// directory. The transaction must act for the directory ([`Tx::set_manager`]).
    ///
    /// An existing user keeps its key; [`UserEdit::set_key`] changes it. A user with this key but another external id is never
    /// taken for this one: adopting a user by its e-mail address would give its roles to somebody else.
    ///
    /// ```
    /// use rolecall::External;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let synchronise = |mail: &'static str| acme.update(move |tx| {
    ///     tx.set_manager("okta")?;
    ///     let alice = tx.ensure_managed_user(External { manager: "okta", id: "00u1" }, mail)?;
    ///     alice.set_key(mail)?;
    ///     alice.id()
    /// });
    /// let created = synchronise("alice@acme.com")?.value;
    /// assert_eq!(synchronise("alice.adams@acme.com")?.value, created, "the same user under another address");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another user has the key;
    /// [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the directory (R16). Then nothing is changed.
    pub fn ensure_managed_user(&self, external: External<'_>, key: &str) -> Result<UserEdit<'_>> {
        if let Some(number) = self.lookup_user(&external) {
            return Ok(UserEdit::new(self, number));
        }
        let key = UserKey::new(key)?;
        self.check_user_key(&key)?;
        let id = UserId::from_uuid(self.draft().new_id());
        let mut record = UserRecord::new(id, key);
        record.set_managed_by(Some(Manager::new(external.manager)?));
        record.set_external_id(Some(ExternalId::new(external.id)?));
        self.apply(Change::added(Record::User(record)))?;
        self.created(EntityKind::User, id.as_uuid()).map(|number| UserEdit::new(self, number))
    }

    /// Deletes a user with all memberships and assignments (R8).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_user("alice")?.done())?;
    /// acme.update(|tx| tx.delete_user("alice"))?;
    /// assert!(acme.now().user("alice").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Managed`](crate::ErrorKind::Managed) if a directory manages the user or a
    /// group that the user is a direct member of (R16): suspend a local user instead, or let the directory remove it.
    pub fn delete_user(&self, user: impl AsUser) -> Result<()> {
        let number = self.find_user(&user)?;
        let row = self.with_user(number, UserRow::clone)?;
        let id = row.id();
        let mut records = Vec::new();
        for edge in row.groups().iter() {
            let group = self.with_group(edge.to, GroupRow::id)?;
            records.push(Record::Membership(Membership { user: id, group, window: edge.window }));
        }
        for edge in row.roles().iter() {
            let role = self.with_role(edge.to, RoleRow::reference)?;
            records.push(Record::Assignment(Assignment { role, holder: Holder::User(id), window: edge.window }));
        }
        records.push(Record::User(row.record));
        self.remove_all(records).map_err(|error| match error.relation() {
            Some(_) => error.advise("use `set_manager` to act for that directory, or suspend the user"),
            None => error,
        })
    }

    fn check_user_key(&self, key: &UserKey) -> Result<()> {
        let draft = self.draft();
        match draft.next.state.users.by_name(key.as_str()) {
            None => Ok(()),
            Some(_) => Err(draft.exists(EntityKind::User, key.as_str())),
        }
    }
}

impl<'a> UserEdit<'a> {
    pub(super) fn new(tx: &'a Tx, number: u32) -> Self {
        Self { tx, number }
    }

    /// Returns the id of the user.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     let id = tx.create_user("alice@acme.com")?.id()?;
    ///     tx.user(id)?.suspend()?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the user was deleted in this transaction.
    pub fn id(&self) -> Result<UserId> {
        self.tx.with_user(self.number, UserRow::id)
    }

    /// Changes the key. The person with the new key then has all access of this user.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice@acme.com")?.set_key("alice.smith@acme.com")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the user (R16).
    pub fn set_key(&self, key: &str) -> Result<&Self> {
        // A synchronisation sets every user's values, and nearly all are the same: this returns without an allocation.
        if self.tx.with_user(self.number, |row| row.key().as_str() == key)? {
            return Ok(self);
        }
        let key = UserKey::new(key)?;
        self.tx.check_user_key(&key)?;
        self.change(|record| record.key = key)
    }

    /// Gives it a display name, or takes it away: then its key is shown.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_user("alice@acme.com")?.set_name(Some("Alice Adams"))?.done())?;
    /// assert_eq!(acme.now().user("alice@acme.com").unwrap().name(), "Alice Adams");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_name(&self, name: Option<&str>) -> Result<&Self> {
        if self.tx.with_user(self.number, |row| row.record.display_name().map(Name::as_str) == name)? {
            return Ok(self);
        }
        let name = name.map(Name::new).transpose()?;
        self.change(|record| record.set_name(name))
    }

    /// Sets or clears the directory that manages the user. The transaction must act for that directory
    /// ([`Tx::set_manager`]).
    ///
    /// To move a user from one directory to another, clear the first, then set the second. Clearing it also clears the
    /// external id, which belongs to the directory.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the
    /// directory that it is taken from or given to (R16).
    pub fn set_managed_by(&self, manager: Option<&str>) -> Result<&Self> {
        let manager = manager.map(Manager::new).transpose()?;
        self.change(|record| record.hand_over(manager))
    }

    /// Sets or clears the id of the user in the directory that manages it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), also if no directory manages it;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another user of that directory has the id;
    /// [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_external_id(&self, id: Option<&str>) -> Result<&Self> {
        let id = id.map(ExternalId::new).transpose()?;
        let manager = self.tx.with_user(self.number, |row| row.record.managed_by().cloned())?;
        self.tx.check_external_id(self.number, id.as_ref(), manager.as_ref(), |state| &state.users)?;
        self.change(|record| record.set_external_id(id))
    }

    /// Suspends the user: every check is denied. Memberships and assignments stay (R4).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice@acme.com")?.suspend()?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the user was deleted in this transaction;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the user (R16).
    pub fn suspend(&self) -> Result<&Self> {
        self.set_status(Status::Suspended)
    }

    /// Ends a suspension.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice@acme.com")?.suspend()?.activate()?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the user was deleted in this transaction;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the user (R16).
    pub fn activate(&self) -> Result<&Self> {
        self.set_status(Status::Active)
    }

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
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user
    /// is already a member with a window that has not ended (R3); [`Managed`](crate::ErrorKind::Managed) if a directory manages the
    /// group (R16).
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
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user
    /// is already a member with another window that has not ended (R3),
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended; [`Managed`](crate::ErrorKind::Managed) if a directory manages
    /// the group (R16).
    pub fn join_during(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish_group(&group, Wish::Add(window))
    }

    /// Makes the user a member of the group during this window at least: adds the membership, or makes its window longer. It never makes a
    /// window shorter, so a permanent membership stays permanent.
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
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Invalid`](crate::ErrorKind::Invalid) if the window has ended and the
    /// membership would have to change; [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between the two
    /// windows; [`Managed`](crate::ErrorKind::Managed) if a
    /// directory manages the group (R16).
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
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the membership does not exist; [`Invalid`](crate::ErrorKind::Invalid) if
    /// it would end in the past; [`Managed`](crate::ErrorKind::Managed) if a
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
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the user is not a member;
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

    /// Makes sure that the user has the role directly during this window at least: adds the assignment, or makes its window longer. It never makes a
    /// window shorter, so a permanent assignment stays permanent.
    ///
    /// An assignment that has ended gets this window. If there is a gap between the two windows, one window cannot contain
    /// both: then it is an error.
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
    /// assignment would have to change; [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between the two
    /// windows.
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
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the assignment does not exist; [`Invalid`](crate::ErrorKind::Invalid) if
    /// it would end in the past.
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
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the role is not assigned directly;
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.wish_role(role, Wish::Set(window))
    }

    /// Removes a direct assignment. What groups give stays.
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

    /// Makes the user a direct member of exactly these groups, and returns which it joined and left. It keeps the windows of
    /// memberships that stay, unless they have ended; new ones have none.
    ///
    /// All groups count, also those that an administrator added. A membership of a group that a directory manages can be
    /// added or removed only for that directory (R16).
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
        let present = self.tx.with_user(self.number, |row| row.groups().iter().map(|edge| edge.to).collect())?;
        self.tx.set_relations(present, wanted, Windows::Keep, |group| self.membership(group), Tx::groups_changed)
    }

    /// Assigns exactly these roles directly to the user, without a window, and returns which were added and removed. What
    /// groups give stays. All other direct assignments are removed, including those that an administrator made.
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
        let present = self.tx.with_user(self.number, |row| row.roles().iter().map(|edge| edge.to).collect())?;
        self.tx.set_relations(present, wanted, Windows::Clear, |role| self.assignment(role), Tx::roles_changed)
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_group("engineering")?.done())?;
    /// acme.update(|tx| tx.create_user("alice")?.join("engineering")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn membership(&self, group: u32) -> Relation {
        Relation::Membership { user: self.number, group }
    }

    fn assignment(&self, role: u32) -> Relation {
        Relation::Assignment { role, holder: HolderNumber::User(self.number) }
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

    fn set_status(&self, status: Status) -> Result<&Self> {
        if self.tx.with_user(self.number, |row| row.record.status == status)? {
            return Ok(self);
        }
        self.change(|record| record.status = status)
    }

    fn change(&self, change: impl FnOnce(&mut UserRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.users, Record::User, change)?;
        Ok(self)
    }
}
