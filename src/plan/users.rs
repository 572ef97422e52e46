//! What a transaction can do to users.

use super::assignments::By;
use super::tx::Tx;
use crate::model::error::{EntityKind, Result};
use crate::model::records::{
    Assignment, Change, ExternalId, Holder, Manager, Membership, Name, Record, Status, UserId, UserKey, UserRecord,
    Window,
};
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser};

/// A user in a transaction.
#[derive(Clone, Copy, Debug)]
pub struct UserEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// The user of this name, to be edited.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn user(&self, user: impl AsUser) -> Result<UserEdit<'_>> {
        self.find_user(&user).map(|number| UserEdit::new(self, number))
    }

    /// Creates a user that the application knows by this key, active and without any rights.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_user(&self, key: &str) -> Result<UserEdit<'_>> {
        let id = UserId::from_uuid(self.draft().new_id());
        self.create_user_with_id(id, key)
    }

    /// Creates a user with an id of the application's own choosing, which nothing else of the tenant has.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_user_with_id(&self, id: UserId, key: &str) -> Result<UserEdit<'_>> {
        let key = UserKey::new(key)?;
        self.free_user(&key)?;
        if self.draft().next.state.has_id(id.as_uuid()) {
            return Err(self.draft().exists(EntityKind::User, &id.to_string()).reason("the id is in use"));
        }
        self.apply(Change::added(Record::User(UserRecord::new(id, key))))?;
        self.created(EntityKind::User, id.as_uuid()).map(|number| UserEdit::new(self, number))
    }

    /// The user with this key, which is created if it is not there.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn ensure_user(&self, key: &str) -> Result<UserEdit<'_>> {
        if let Some(number) = self.lookup_user(&key) {
            return Ok(UserEdit::new(self, number));
        }
        self.create_user(key)
    }

    /// Deletes a user with all memberships and assignments (R8).
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
        self.remove_all(records)
    }

    fn free_user(&self, key: &UserKey) -> Result<()> {
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

    /// Its id.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it was deleted in this transaction.
    pub fn id(&self) -> Result<UserId> {
        self.tx.with_user(self.number, UserRow::id)
    }

    /// Gives it another key: whoever the application knows by that key has from now on all that this user has.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn set_key(&self, key: &str) -> Result<&Self> {
        let key = UserKey::new(key)?;
        if self.tx.with_user(self.number, |row| *row.key() != key)? {
            self.tx.free_user(&key)?;
        }
        self.change(|record| record.key = key)
    }

    /// Gives it a display name, or takes it away: then its key is shown.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_user("alice@acme.com")?.set_name(Some("Alice Adams")).map(drop))?;
    /// assert_eq!(acme.now().user("alice@acme.com").unwrap().name(), "Alice Adams");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_name(&self, name: Option<&str>) -> Result<&Self> {
        let name = name.map(Name::new).transpose()?;
        self.change(|record| record.set_name(name))
    }

    /// Gives it to a directory, or takes it back from one. The transaction acts for that directory
    /// ([`Tx::set_manager`]). To hand a user from one directory to another, take it from the first, then give it to the
    /// second. The external id, which is the directory's, goes with it.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the
    /// directory that it is taken from or given to (R16).
    pub fn set_managed_by(&self, manager: Option<&str>) -> Result<&Self> {
        let manager = manager.map(Manager::new).transpose()?;
        self.change(|record| {
            if record.managed_by() != manager.as_ref() {
                record.set_external_id(None);
                record.set_managed_by(manager);
            }
        })
    }

    /// Sets or clears the id by which the directory that manages it knows it.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), also if no directory manages it;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another user of that directory has the id;
    /// [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_external_id(&self, id: Option<&str>) -> Result<&Self> {
        let id = id.map(ExternalId::new).transpose()?;
        let manager = self.tx.with_user(self.number, |row| row.record.managed_by().cloned())?;
        self.tx.free_external(self.number, id.as_ref(), manager.as_ref(), |state| &state.users)?;
        self.change(|record| record.set_external_id(id))
    }

    /// Takes all its rights away, and none of its memberships and assignments (R4).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it was deleted in this transaction.
    pub fn suspend(&self) -> Result<&Self> {
        self.change(|record| record.status = Status::Suspended)
    }

    /// Gives back what [`UserEdit::suspend`] took.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it was deleted in this transaction.
    pub fn activate(&self) -> Result<&Self> {
        self.change(|record| record.status = Status::Active)
    }

    /// Makes it a member of a group for good.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a member for a
    /// time (R3).
    pub fn join(&self, group: impl AsGroup) -> Result<&Self> {
        self.join_during(group, Window::ALWAYS)
    }

    /// Makes it a member of a group for a time.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a member for
    /// another time, or for good (R3).
    pub fn join_during(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        let group = self.tx.find_group(&group)?;
        self.tx.add_membership(self.number, group, window, "use `set_membership_window` to change it")?;
        Ok(self)
    }

    /// Makes it a member during this window, whatever it was before: added, or its window changed.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn ensure_membership(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        let group = self.tx.find_group(&group)?;
        self.tx.ensure_membership(self.number, group, window)?;
        Ok(self)
    }

    /// Changes when a membership counts.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if it is no member.
    pub fn set_membership_window(&self, group: impl AsGroup, window: Window) -> Result<&Self> {
        let group = self.tx.find_group(&group)?;
        self.tx.set_membership(self.number, group, window)?;
        Ok(self)
    }

    /// Makes it a member of a group no more (R2).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such group; none if it is no member.
    pub fn leave(&self, group: impl AsGroup) -> Result<&Self> {
        let group = self.tx.find_group(&group)?;
        self.tx.remove_membership(self.number, group)?;
        Ok(self)
    }

    /// Assigns a role to it directly.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is assigned for a
    /// time (R3).
    pub fn assign(&self, role: impl AsRole) -> Result<&Self> {
        self.assign_during(role, Window::ALWAYS)
    }

    /// Assigns a role to it directly for a time.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is assigned for
    /// another time, or for good (R3).
    pub fn assign_during(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.assign_to(By::User(self.number), &role, window)?;
        Ok(self)
    }

    /// Changes when a direct assignment counts.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the role is not assigned to it directly.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.reassign_to(By::User(self.number), &role, window)?;
        Ok(self)
    }

    /// Takes a directly assigned role from it. What groups give stays.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such role; none if it is not assigned.
    pub fn unassign(&self, role: impl AsRole) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.tx.unassign_from(By::User(self.number), role)?;
        Ok(self)
    }

    fn change(&self, change: impl FnOnce(&mut UserRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.users, Record::User, change)?;
        Ok(self)
    }
}
