//! Transaction calls for groups. Those for their parents are in `parents.rs`.

use std::collections::HashSet;

use super::assignments::HolderNumber;
use super::tx::{RelationTo, Tx, window_mismatch};
use crate::model::error::{EntityKind, Relation, RelationKind, Result};
use crate::model::records::{
    Assignment, Change, Description, ExternalId, GroupId, GroupRecord, Holder, Manager, Membership, Name, Record, Slug,
    UserKey, Window,
};
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser, External};

/// The users who joined and left a group. See [`GroupEdit::set_members`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let changes = acme.update(|tx| {
///     tx.create_user("alice")?;
///     tx.create_group("staff")?.set_members(["alice"])
/// })?.value;
/// assert_eq!((changes.added.len(), changes.removed.len()), (1, 0));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemberChanges {
    /// The users that are new members, in bytewise order of their keys.
    pub added: Vec<UserKey>,
    /// The users that are no longer members, in bytewise order of their keys.
    pub removed: Vec<UserKey>,
}

impl MemberChanges {
    /// Returns whether nobody joined and nobody left.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let changes = acme.update(|tx| tx.create_group("staff")?.set_members::<&str>([]))?.value;
    /// assert!(changes.is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// A group in a transaction. Its calls can be chained.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_role("editor")?;
///     tx.create_user("alice")?;
///     tx.create_group("engineering")?.add_member("alice")?.assign("editor")?;
///     Ok(())
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GroupEdit<'a> {
    pub(super) tx: &'a Tx,
    pub(super) number: u32,
}

impl Tx {
    /// Finds a group to edit.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("engineering")?;
    ///     tx.group("engineering")?.set_name("Engineering")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn group(&self, group: impl AsGroup) -> Result<GroupEdit<'_>> {
        self.find_group(&group).map(|number| GroupEdit::new(self, number))
    }

    /// Creates a group. Its name is its slug until another is set.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("engineering")?.set_name("Engineering")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_group(&self, slug: &str) -> Result<GroupEdit<'_>> {
        self.new_group(Slug::new(slug)?, Name::of_slug(slug))
    }

    /// Creates a group with this display name and a slug derived from it (R10).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group_with_name("Human Resources")?;
    ///     Ok(())
    /// })?;
    /// assert!(acme.now().group("human-resources").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_group_with_name(&self, name: &str) -> Result<GroupEdit<'_>> {
        let name = Name::new(name)?;
        let created = self.new_group(Slug::from_name(name.as_str())?, name.clone());
        created.map_err(|error| error.derived_slug(name.as_str()))
    }

    /// Returns the group with this slug, and creates it if it does not exist.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.ensure_group("engineering")?;
    ///     tx.ensure_group("engineering")?; // the same group
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn ensure_group(&self, slug: &str) -> Result<GroupEdit<'_>> {
        if let Some(number) = self.lookup_group(&slug) {
            return Ok(GroupEdit::new(self, number));
        }
        self.create_group(slug)
    }

    /// Returns the group with this external id, and creates it if it does not exist: managed by the directory, with the
    /// name and a slug derived from it. The transaction must act for the directory ([`Tx::set_manager`]).
    ///
    /// An existing group keeps its name and slug. A new group never takes over another group: if the derived slug is in use,
    /// the external id is appended to it.
    ///
    /// ```
    /// use rolecall::External;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("sales")?; // a local group
    ///     tx.set_manager("okta")?;
    ///     tx.ensure_managed_group(External { manager: "okta", id: "00g1" }, "Sales")?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().group(External { manager: "okta", id: "00g1" }).unwrap().slug, "sales-00g1");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the slug with the
    /// external id is in use as well; [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the directory
    /// (R16). Then nothing is changed.
    pub fn ensure_managed_group(&self, external: External<'_>, name: &str) -> Result<GroupEdit<'_>> {
        if let Some(number) = self.lookup_group(&external) {
            return Ok(GroupEdit::new(self, number));
        }
        let name = Name::new(name)?;
        let mut slug = Slug::from_name(name.as_str())?;
        if self.check_group_slug(&slug).is_err() {
            slug = Slug::from_name(&format!("{slug}-{}", external.id))?;
            self.check_group_slug(&slug)?;
        }
        let id = GroupId::from_uuid(self.draft().new_id());
        let mut record = GroupRecord::new(id, slug, name, Description::default());
        record.set_managed_by(Some(Manager::new(external.manager)?));
        record.set_external_id(Some(ExternalId::new(external.id)?));
        self.apply(Change::added(Record::Group(record)))?;
        self.created(EntityKind::Group, id.as_uuid()).map(|number| GroupEdit::new(self, number))
    }

    /// Deletes a group. Its members lose the access it gave, and its subgroups lose this parent (R8).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("engineering").map(drop))?;
    /// acme.update(|tx| tx.delete_group("engineering"))?;
    /// assert!(acme.now().group("engineering").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Managed`](crate::ErrorKind::Managed) if a directory manages the group or
    /// one of its direct subgroups (R16).
    pub fn delete_group(&self, group: impl AsGroup) -> Result<()> {
        let number = self.find_group(&group)?;
        let row = self.with_group(number, GroupRow::clone)?;
        let id = row.id();
        let mut records = Vec::new();
        for edge in row.parents().iter() {
            records.push(self.parent_link(number, edge.to, edge.window)?);
        }
        for back in row.children.iter() {
            let window = self.parent_window(back.from(), number)?.unwrap_or_default();
            records.push(self.parent_link(back.from(), number, window)?);
        }
        for edge in row.roles().iter() {
            let role = self.with_role(edge.to, RoleRow::reference)?;
            records.push(Record::Assignment(Assignment { role, holder: Holder::Group(id), window: edge.window }));
        }
        for back in row.members.iter() {
            let (user, edge) = self.with_user(back.from(), |user| (user.id(), user.groups().get(number)))?;
            let window = self.far_end(edge)?.window;
            records.push(Record::Membership(Membership { user, group: id, window }));
        }
        records.push(Record::Group(row.record));
        self.remove_all(records)
    }

    fn new_group(&self, slug: Slug, name: Name) -> Result<GroupEdit<'_>> {
        self.check_group_slug(&slug)?;
        let id = GroupId::from_uuid(self.draft().new_id());
        let record = GroupRecord::new(id, slug, name, Description::default());
        self.apply(Change::added(Record::Group(record)))?;
        self.created(EntityKind::Group, id.as_uuid()).map(|number| GroupEdit::new(self, number))
    }

    fn check_group_slug(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        match draft.next.state.groups.by_name(slug.as_str()) {
            None => Ok(()),
            Some(_) => Err(draft.exists(EntityKind::Group, slug.as_str())),
        }
    }

    /// Returns users with their keys, in the order of the keys.
    fn by_key(&self, users: impl Iterator<Item = u32>) -> Result<Vec<(UserKey, u32)>> {
        let with_key = |user| Ok((self.with_user(user, |row| row.key().clone())?, user));
        let mut users = users.map(with_key).collect::<Result<Vec<_>>>()?;
        users.sort_unstable();
        Ok(users)
    }

    /// Adds a membership. The advice names the call that changes its window, on the user or on the group.
    pub(super) fn add_membership(&self, user: u32, group: u32, window: Window, advice: &'static str) -> Result<()> {
        match self.member_during(user, group)? {
            None => self.apply(Change::added(self.membership(user, group, window)?)),
            Some(present) if present == window => Ok(()),
            Some(present) => {
                let error = window_mismatch(self.membership_to(user, group)?, present, window);
                Err(error.advise(advice))
            }
        }
    }

    /// Returns the membership of a user in a group, for an error.
    fn membership_to(&self, user: u32, group: u32) -> Result<RelationTo> {
        let key = self.with_user(user, |row| row.key().to_string())?;
        let name = self.with_group(group, |row| row.record.slug.to_string())?;
        let relation = Relation::new(RelationKind::Membership, EntityKind::User, key);
        Ok(RelationTo { entity: EntityKind::Group, name, relation })
    }

    pub(super) fn remove_membership(&self, user: u32, group: u32) -> Result<()> {
        match self.member_during(user, group)? {
            Some(window) => self.apply(Change::removed(self.membership(user, group, window)?)),
            None => Ok(()),
        }
    }

    pub(super) fn set_membership(&self, user: u32, group: u32, window: Window) -> Result<()> {
        let Some(present) = self.member_during(user, group)? else {
            return Err(self.no_relation(self.membership_to(user, group)?));
        };
        if present == window {
            return Ok(());
        }
        let (before, after) = (self.membership(user, group, present)?, self.membership(user, group, window)?);
        self.replace(before, after)
    }

    /// Adds a membership with this window, or changes its window.
    pub(super) fn ensure_membership(&self, user: u32, group: u32, window: Window) -> Result<()> {
        match self.member_during(user, group)? {
            None => self.apply(Change::added(self.membership(user, group, window)?)),
            Some(_) => self.set_membership(user, group, window),
        }
    }

    /// Returns the window of a membership, or `None` if it does not exist.
    fn member_during(&self, user: u32, group: u32) -> Result<Option<Window>> {
        self.with_group(group, GroupRow::id)?;
        self.with_user(user, |row| row.groups().get(group).map(|edge| edge.window))
    }

    fn membership(&self, user: u32, group: u32, window: Window) -> Result<Record> {
        let user = self.with_user(user, UserRow::id)?;
        Ok(Record::Membership(Membership { user, group: self.with_group(group, GroupRow::id)?, window }))
    }
}

impl<'a> GroupEdit<'a> {
    pub(super) fn new(tx: &'a Tx, number: u32) -> Self {
        Self { tx, number }
    }

    /// Returns the id of the group.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     let id = tx.create_group("engineering")?.id()?;
    ///     tx.group(id)?.set_name("Engineering")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the group was deleted in this transaction.
    pub fn id(&self) -> Result<GroupId> {
        self.tx.with_group(self.number, GroupRow::id)
    }

    /// Changes the slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("eng")?.set_slug("engineering").map(drop))?;
    /// assert!(acme.now().group("engineering").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists); [`Managed`](crate::ErrorKind::Managed) if a directory
    /// manages the group (R16).
    pub fn set_slug(&self, slug: &str) -> Result<&Self> {
        let slug = Slug::new(slug)?;
        if self.tx.with_group(self.number, |row| row.record.slug != slug)? {
            self.tx.check_group_slug(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Changes the display name.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("eng")?.set_name("Engineering").map(drop))?;
    /// assert_eq!(acme.now().group("eng").unwrap().name, "Engineering");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if a directory
    /// manages the group (R16).
    pub fn set_name(&self, name: &str) -> Result<&Self> {
        let name = Name::new(name)?;
        self.change(|record| record.name = name)
    }

    /// Changes the description.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("eng")?.set_description("Builds the product.").map(drop))?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if a directory
    /// manages the group (R16).
    pub fn set_description(&self, description: &str) -> Result<&Self> {
        let description = Description::new(description)?;
        self.change(|record| record.description = description)
    }

    /// Sets or clears the directory that manages the group. The transaction must act for that directory
    /// ([`Tx::set_manager`]).
    ///
    /// To move a group from one directory to another, clear the first, then set the second. Clearing it also clears the
    /// external id, which belongs to the directory.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_group("engineering")?.set_managed_by(Some("okta"))?;
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

    /// Sets or clears the id of the group in the directory that manages it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_group("engineering")?.set_managed_by(Some("okta"))?.set_external_id(Some("00g1"))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), also if no directory manages it;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another group of that directory has the id;
    /// [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_external_id(&self, id: Option<&str>) -> Result<&Self> {
        let id = id.map(ExternalId::new).transpose()?;
        let manager = self.tx.with_group(self.number, |row| row.record.managed_by().cloned())?;
        self.tx.check_external_id(self.number, id.as_ref(), manager.as_ref(), |state| &state.groups)?;
        self.change(|record| record.set_external_id(id))
    }

    /// Gives the group exactly these direct members. Existing members keep their windows; new members have none. Use it to
    /// apply the list of members that a directory sends.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { for user in ["alice", "bob", "carol"] { tx.create_user(user)?; } Ok(()) })?;
    /// acme.update(|tx| tx.create_group("staff")?.set_members(["alice", "bob"]).map(drop))?;
    /// let changes = acme.update(|tx| tx.group("staff")?.set_members(["bob", "carol"]))?.value;
    /// assert_eq!((changes.added[0].as_str(), changes.removed[0].as_str()), ("carol", "alice"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// A look-up for each listed member, and O(n log n) on numbers for the members before and after. A member who stays
    /// costs nothing else.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Managed`](crate::ErrorKind::Managed) (R16); then nothing is changed.
    pub fn set_members<U: AsUser>(&self, members: impl IntoIterator<Item = U>) -> Result<MemberChanges> {
        let mut wanted = members.into_iter().map(|user| self.tx.find_user(&user)).collect::<Result<Vec<u32>>>()?;
        let mut present: Vec<u32> =
            self.tx.with_group(self.number, |row| row.members.iter().map(|back| back.from()).collect())?;
        wanted.sort_unstable();
        wanted.dedup();
        present.sort_unstable();
        let removed = self.tx.by_key(without(&present, &wanted))?;
        let added = self.tx.by_key(without(&wanted, &present))?;
        // All changes concern this group, so R16 fails at the first change or not at all: nothing is half done.
        removed.iter().try_for_each(|(_, user)| self.tx.remove_membership(*user, self.number))?;
        added.iter().try_for_each(|(_, user)| self.tx.add_membership(*user, self.number, Window::ALWAYS, ""))?;
        let keys = |list: Vec<(UserKey, u32)>| list.into_iter().map(|(key, _)| key).collect();
        Ok(MemberChanges { added: keys(added), removed: keys(removed) })
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
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user
    /// is already a member with a window (R3); [`Managed`](crate::ErrorKind::Managed) if a directory manages the
    /// group (R16).
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
    ///     let friday = Timestamp::from_secs(1_800_000_000)?;
    ///     tx.create_user("temp")?;
    ///     tx.create_group("on-call")?.add_member_during("temp", Window::until(friday))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user
    /// is already a member with another window (R3); [`Managed`](crate::ErrorKind::Managed) if a directory manages
    /// the group (R16).
    pub fn add_member_during(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.add_membership(user, self.number, window, "use `set_member_window` to change it")?;
        Ok(self)
    }

    /// Makes the user a member with this window: adds the membership, or changes its window.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::Window;
    ///
    ///     tx.create_user("alice")?;
    ///     let group = tx.create_group("engineering")?;
    ///     group.ensure_member("alice", Window::ALWAYS)?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Managed`](crate::ErrorKind::Managed) if a directory manages the
    /// group (R16).
    pub fn ensure_member(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.ensure_membership(user, self.number, window)?;
        Ok(self)
    }

    /// Changes the window of a membership.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_user("alice")?;
    ///     let group = tx.create_group("on-call")?;
    ///     group.add_member("alice")?;
    ///     group.set_member_window("alice", Window::until(Timestamp::from_secs(1_800_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the user is not a member;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
    pub fn set_member_window(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.set_membership(user, self.number, window)?;
        Ok(self)
    }

    /// Removes a member. The user loses what came through this group, unless it also comes another way (R2).
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
        self.id()?;
        self.tx.remove_membership(user, self.number)?;
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
    /// is already assigned with a window (R3).
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
    ///     let window = Window::until(Timestamp::from_secs(1_800_000_000)?);
    ///     tx.create_group("engineering")?.assign_during("release-manager", window)?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the role
    /// is already assigned with another window (R3).
    pub fn assign_during(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.assign_to(HolderNumber::Group(self.number), &role, window)?;
        Ok(self)
    }

    /// Changes the window of an assignment.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     use rolecall::{Timestamp, Window};
    ///
    ///     tx.create_role("editor")?;
    ///     let group = tx.create_group("engineering")?;
    ///     group.assign("editor")?;
    ///     group.set_assignment_window("editor", Window::until(Timestamp::from_secs(1_800_000_000)?))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the role is not assigned to the group.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.set_assignment(HolderNumber::Group(self.number), &role, window)?;
        Ok(self)
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
        self.tx.unassign_from(HolderNumber::Group(self.number), role)?;
        Ok(self)
    }

    /// Assigns exactly these roles to the group, without a window. All other assignments are removed, including
    /// those that an administrator made.
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
    pub fn set_roles<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<&Self> {
        let wanted: Vec<u32> = roles.into_iter().map(|role| self.tx.usable_role(&role)).collect::<Result<_>>()?;
        let holder = HolderNumber::Group(self.number);
        let keep: HashSet<u32> = wanted.iter().copied().collect();
        let present: Vec<_> = self.tx.with_group(self.number, |row| row.roles().iter().collect())?;
        // All errors occur here, before anything is removed.
        wanted.iter().try_for_each(|role| self.tx.assign_without_window(holder, *role))?;
        for edge in present.into_iter().filter(|edge| !keep.contains(&edge.to)) {
            self.tx.unassign_from(holder, edge.to)?;
        }
        Ok(self)
    }

    fn change(&self, change: impl FnOnce(&mut GroupRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.groups, Record::Group, change)?;
        Ok(self)
    }
}

/// Returns the numbers of the first list that are not in the second. Both are sorted and without duplicates.
fn without<'a>(list: &'a [u32], other: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    let mut other = other.iter().copied().peekable();
    list.iter().copied().filter(move |number| {
        while other.next_if(|next| next < number).is_some() {}
        other.peek() != Some(number)
    })
}
