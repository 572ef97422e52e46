//! Transaction calls for users. Those for their groups and roles are in `users/relations.rs`.

mod relations;

use super::tx::Tx;
use crate::model::error::{Asked, EntityKind, Result};
use crate::model::records::{
    Assignment, Change, ExternalId, Holder, Manager, Membership, Name, Record, Status, UserId, UserKey, UserRecord,
};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsUser, External};

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
    /// Keys are compared exactly: `Alice@acme.com` and `alice@acme.com` are two users. If keys are e-mail addresses, write
    /// them in lower case at both ends: here, and in each question.
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
    /// Keys are compared exactly, as in [`Tx::create_user`]. Write e-mail addresses in lower case at both ends.
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
    /// An existing user keeps its key; [`UserEdit::set_key`] changes it. A user with this key but another external id
    /// is never taken for this one. Adopting a user by its e-mail address would give its roles to somebody else.
    ///
    /// ```
    /// use rolecall::snapshot::External;
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
    /// [`Invalid`](crate::ErrorKind::Invalid); [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another user has
    /// the key; [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the directory (R16). Then
    /// nothing is changed.
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
    /// [`NotFound`](crate::ErrorKind::NotFound). [`Managed`](crate::ErrorKind::Managed) if a directory manages the user or a
    /// group that the user is a direct member of (R16). [`Rejected`](crate::ErrorKind::Rejected) if an assertion names it
    /// (R17). Suspend a local user instead, or let the directory remove it.
    pub fn delete_user(&self, user: impl AsUser) -> Result<()> {
        let number = self.find_user(&user)?;
        self.check_not_asserted(Asserted::User(number))?;
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
            Some(_) => error.advise("remove it in the directory, or suspend the user"),
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
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if the transaction does not act
    /// for the directory that it is taken from or given to (R16).
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
    /// [`Invalid`](crate::ErrorKind::Invalid), also when no directory manages it;
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
