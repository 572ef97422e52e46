//! Transaction calls for groups. Those for their parents are in `parents.rs`, those for their members and roles in
//! `groups/relations.rs`.

mod relations;

use super::relations::{HolderNumber, NumberedRelation, Wish};
use super::tx::Tx;
use crate::model::error::{EntityKind, Result};
use crate::model::records::{
    Assignment, Change, Description, ExternalId, GroupId, GroupRecord, Holder, Manager, Membership, Name, Record, Slug,
};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow};
use crate::resolver::snapshot::names::{AsGroup, AsUser, External};

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

    /// Returns the group with this external id, and creates it if it does not exist. A new group is managed by the
    /// directory, and has the name and a slug derived from it. The transaction must act for the directory
    /// ([`Tx::set_manager`]).
    ///
    /// An existing group keeps its name and slug. A new group never takes over another group: if the derived slug is in
    /// use, the external id is appended to it.
    ///
    /// ```
    /// use rolecall::snapshot::External;
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
    /// external id is in use as well; [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the
    /// directory (R16). Then nothing is changed.
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
    /// acme.update(|tx| tx.create_group("engineering")?.done())?;
    /// acme.update(|tx| tx.delete_group("engineering"))?;
    /// assert!(acme.now().group("engineering").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Managed`](crate::ErrorKind::Managed) if a directory manages the
    /// group or one of its direct subgroups (R16); [`Rejected`](crate::ErrorKind::Rejected) if an assertion names it (R17).
    pub fn delete_group(&self, group: impl AsGroup) -> Result<()> {
        let number = self.find_group(&group)?;
        self.check_not_asserted(Asserted::Group(number))?;
        let row = self.with_group(number, GroupRow::clone)?;
        let id = row.id();
        let mut records = Vec::new();
        for edge in row.parents().iter() {
            let link = NumberedRelation::Parent { group: number, parent: edge.to };
            records.push(self.relation_record(link, edge.window)?);
        }
        for reverse in row.children.iter() {
            let link = NumberedRelation::Parent { group: reverse.from(), parent: number };
            let window = self.window_of(link)?;
            records.push(self.relation_record(link, self.far_end(window)?)?);
        }
        for edge in row.roles().iter() {
            let role = self.with_role(edge.to, RoleRow::reference)?;
            records.push(Record::Assignment(Assignment { role, holder: Holder::Group(id), window: edge.window }));
        }
        records.reserve_exact(row.members.len() + 1);
        for reverse in row.members.iter() {
            let (user, edge) = self.with_user(reverse.from(), |user| (user.id(), user.groups().get(number)))?;
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
    /// acme.update(|tx| tx.create_group("eng")?.set_slug("engineering")?.done())?;
    /// assert!(acme.now().group("engineering").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages the group (R16).
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
    /// acme.update(|tx| tx.create_group("eng")?.set_name("Engineering")?.done())?;
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
    /// acme.update(|tx| tx.create_group("eng")?.set_description("Builds the product.")?.done())?;
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
    /// [`Invalid`](crate::ErrorKind::Invalid); [`Managed`](crate::ErrorKind::Managed) if the transaction does not act
    /// for the directory that it is taken from or given to (R16).
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
    /// [`Invalid`](crate::ErrorKind::Invalid), also when no directory manages it;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if another group of that directory has the id;
    /// [`Managed`](crate::ErrorKind::Managed) (R16).
    pub fn set_external_id(&self, id: Option<&str>) -> Result<&Self> {
        let id = id.map(ExternalId::new).transpose()?;
        let manager = self.tx.with_group(self.number, |row| row.record.managed_by().cloned())?;
        self.tx.check_external_id(self.number, id.as_ref(), manager.as_ref(), |state| &state.groups)?;
        self.change(|record| record.set_external_id(id))
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_role("editor")?.done())?;
    /// acme.update(|tx| tx.create_group("engineering")?.assign("editor")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn member(&self, user: u32) -> NumberedRelation {
        NumberedRelation::Membership { user, group: self.number }
    }

    fn assignment(&self, role: u32) -> NumberedRelation {
        NumberedRelation::Assignment { role, holder: HolderNumber::Group(self.number) }
    }

    fn wish_member(&self, user: &impl AsUser, wish: Wish) -> Result<&Self> {
        let user = self.tx.find_user(user)?;
        self.tx.wish(self.member(user), wish, "use `set_member_window` to change it")?;
        Ok(self)
    }

    fn wish_role(&self, role: u32, wish: Wish) -> Result<&Self> {
        self.tx.wish(self.assignment(role), wish, "use `set_assignment_window` to change it")?;
        Ok(self)
    }

    fn change(&self, change: impl FnOnce(&mut GroupRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.groups, Record::Group, change)?;
        Ok(self)
    }
}
