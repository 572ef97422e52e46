//! Transaction calls for roles. Those for their grants and inclusions are in `roles/relations.rs`.

mod relations;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::draft::Draft;
use super::tx::Tx;
use crate::model::catalog::CatalogPermission;
use crate::model::error::{EntityKind, Error, Result};
use crate::model::graph;
use crate::model::records::{
    Assignment, Change, Description, Grant, Granted, Holder, Inclusion, Name, Pattern, PermissionId, Record, RoleId,
    RoleRecord, Slug,
};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{PermissionRow, RoleRow};
use crate::resolver::snapshot::names::{AsPermission, AsRole, PermissionHandle};
use crate::resolver::snapshot::table::Origin;

/// A role in a transaction. Its calls can be chained.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?;
///     let editor = tx.create_role("editor")?;
///     editor.set_name("Editor")?.grant("posts:write")?;
///     Ok(())
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RoleEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

mod sealed {
    use super::{Granted, Result, Tx};

    pub trait Grant {
        /// Returns the permission or pattern. A permission that left the catalog is accepted only for revoking.
        fn granted(&self, tx: &Tx, revoking: bool) -> Result<Granted>;
    }
}

/// Names something that a role can grant. It is a permission's slug or a pattern, a [`Slug`], a [`Pattern`], a permission's
/// id or handle, or a variant of the application's enum.
///
/// # Security
/// A `&str` that contains `*` is a pattern. If the text comes from a user, `*` grants every permission, and `posts:*`
/// every permission that begins so. Parse such a text as a [`Slug`] first, which has no `*`.
///
/// This trait is sealed.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     let write = tx.create_permission("posts:write")?.id()?;
///     tx.create_role("writer")?.grant(write)?;
///     tx.create_role("editor")?.grant("posts:*")?;
///     Ok(())
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
pub trait AsGrant: sealed::Grant {}

fn granted_text(text: &str, tx: &Tx, revoking: bool) -> Result<Granted> {
    if Pattern::is_meant(text) {
        return Pattern::new(text).map(Granted::Pattern);
    }
    // A text that cannot be a slug is invalid rather than unknown.
    Slug::new(text)?;
    tx.granted(&text, revoking)
}

macro_rules! grants_by_text {
    ($($type:ty),*) => {$(
        impl sealed::Grant for $type {
            fn granted(&self, tx: &Tx, revoking: bool) -> Result<Granted> {
                granted_text(self, tx, revoking)
            }
        }

        impl AsGrant for $type {}
    )*};
}

grants_by_text! {
    &str, &&str, String, &String, Box<str>, &Box<str>, Arc<str>, &Arc<str>, Rc<str>, &Rc<str>, Cow<'_, str>, &Cow<'_, str>
}

impl sealed::Grant for Pattern {
    fn granted(&self, _: &Tx, _: bool) -> Result<Granted> {
        Ok(Granted::Pattern(self.clone()))
    }
}

impl sealed::Grant for &Pattern {
    fn granted(&self, _: &Tx, _: bool) -> Result<Granted> {
        Ok(Granted::Pattern((*self).clone()))
    }
}

impl<T: CatalogPermission> sealed::Grant for T {
    fn granted(&self, tx: &Tx, revoking: bool) -> Result<Granted> {
        tx.granted(self, revoking)
    }
}

macro_rules! grants_by_name {
    ($($type:ty),*) => {$(
        impl sealed::Grant for $type {
            fn granted(&self, tx: &Tx, revoking: bool) -> Result<Granted> {
                tx.granted(self, revoking)
            }
        }

        impl AsGrant for $type {}
    )*};
}

grants_by_name!(Slug, &Slug, uuid::Uuid, PermissionId, PermissionHandle);

impl AsGrant for Pattern {}
impl AsGrant for &Pattern {}
impl<T: CatalogPermission> AsGrant for T {}

impl Tx {
    /// Finds a role to edit.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?;
    ///     tx.role("editor")?.grant("posts:*")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn role(&self, role: impl AsRole) -> Result<RoleEdit<'_>> {
        self.find_role(&role).map(|number| RoleEdit::new(self, number))
    }

    /// Creates a role that grants nothing. Its name is its slug until another is set.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?.set_name("Editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`AlreadyExists`](crate::ErrorKind::AlreadyExists), also when the catalog
    /// uses the slug or has retired it; [`Reserved`](crate::ErrorKind::Reserved) if it begins with a prefix that the
    /// catalog reserves.
    pub fn create_role(&self, slug: &str) -> Result<RoleEdit<'_>> {
        self.new_role(Slug::new(slug)?, Name::of_slug(slug))
    }

    /// Creates a role with this display name and a slug derived from it (R10).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role_with_name("Release Manager")?;
    ///     Ok(())
    /// })?;
    /// assert!(acme.now().role("release-manager").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tx::create_role`].
    pub fn create_role_with_name(&self, name: &str) -> Result<RoleEdit<'_>> {
        let name = Name::new(name)?;
        let created = self.new_role(Slug::from_name(name.as_str())?, name.clone());
        created.map_err(|error| error.derived_slug(name.as_str()))
    }

    /// Returns the role with this slug, and creates it if it does not exist.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.ensure_role("editor")?;
    ///     tx.ensure_role("editor")?; // the same role
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tx::create_role`].
    pub fn ensure_role(&self, slug: &str) -> Result<RoleEdit<'_>> {
        if let Some(number) = self.lookup_role(&slug)? {
            return Ok(RoleEdit::new(self, number));
        }
        self.create_role(slug)
    }

    /// Deletes a role with its grants, inclusions and assignments (R8).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?;
    ///     tx.delete_role("editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`ReadOnly`](crate::ErrorKind::ReadOnly) for a role of the catalog.
    /// [`CatalogConflict`](crate::ErrorKind::CatalogConflict) for a slug that belongs to the tenant and to the catalog (R9).
    /// [`Rejected`](crate::ErrorKind::Rejected) if a separation (R14) or an assertion (R17) names it.
    pub fn delete_role(&self, role: impl AsRole) -> Result<()> {
        let number = self.find_role(&role)?;
        let row = self.with_role(number, RoleRow::clone)?;
        Draft::check_is_own(EntityKind::Role, row.record.slug.as_str(), row.origin)?;
        self.check_not_separated(number)?;
        self.check_not_asserted(Asserted::Role(number))?;
        let records = self.edges_of_role(number, &row)?;
        self.remove_all(records)?;
        self.apply(Change::removed(Record::Role(row.record)))
    }

    fn edges_of_role(&self, number: u32, row: &RoleRow) -> Result<Vec<Record>> {
        let id = row.record.id;
        let mut records = Vec::new();
        for permission in row.grants.iter() {
            let reference = self.with_permission(*permission, PermissionRow::reference)?;
            records.push(Record::Grant(Grant { role: id, granted: Granted::Permission(reference) }));
        }
        for pattern in &row.patterns {
            records.push(Record::Grant(Grant { role: id, granted: Granted::Pattern(pattern.clone()) }));
        }
        for included in row.includes.iter() {
            let included = self.with_role(*included, RoleRow::reference)?;
            records.push(Record::Inclusion(Inclusion { role: id, included }));
        }
        for role in row.included_by.iter() {
            let role = self.with_role(*role, |role| role.record.id)?;
            records.push(Record::Inclusion(Inclusion { role, included: row.reference() }));
        }
        for reverse in row.groups.iter() {
            let (id, edge) = self.with_group(reverse.from(), |group| (group.id(), group.roles().get(number)))?;
            let window = self.far_end(edge)?.window;
            records.push(Record::Assignment(Assignment { role: row.reference(), holder: Holder::Group(id), window }));
        }
        for reverse in row.users.iter() {
            let (id, edge) = self.with_user(reverse.from(), |user| (user.id(), user.roles().get(number)))?;
            let window = self.far_end(edge)?.window;
            records.push(Record::Assignment(Assignment { role: row.reference(), holder: Holder::User(id), window }));
        }
        Ok(records)
    }

    fn new_role(&self, slug: Slug, name: Name) -> Result<RoleEdit<'_>> {
        self.check_role_slug(&slug)?;
        let id = RoleId::from_uuid(self.draft().new_id());
        let record = RoleRecord { id, slug, name, description: Description::default() };
        self.apply(Change::added(Record::Role(record)))?;
        self.created(EntityKind::Role, id.as_uuid()).map(|number| RoleEdit::new(self, number))
    }

    fn check_role_slug(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        draft.check_role_slug_in_catalog(slug, None)?;
        match draft.next.state.roles.by_name(slug.as_str()) {
            Some(_) => Err(draft.exists(EntityKind::Role, slug.as_str())),
            None => Ok(()),
        }
    }

    /// A permission that a role may grant, or stop granting.
    fn granted(&self, permission: &impl AsPermission, revoking: bool) -> Result<Granted> {
        let number = self.find_permission(permission)?;
        let (reference, origin) = self.with_permission(number, |row| (row.reference(), row.origin))?;
        if origin == Origin::RemovedFromCatalog && !revoking {
            return Err(self.draft().removed_from_catalog(EntityKind::Permission, permission.permission_text()));
        }
        Ok(Granted::Permission(reference))
    }

    /// A role that may be assigned or included: one that has left the catalog may only be taken away.
    pub(super) fn usable_role(&self, role: &impl AsRole) -> Result<u32> {
        let number = self.find_role(role)?;
        if self.with_role(number, |row| row.origin == Origin::RemovedFromCatalog)? {
            return Err(self.draft().removed_from_catalog(EntityKind::Role, role.role_text()));
        }
        Ok(number)
    }
}

impl<'a> RoleEdit<'a> {
    pub(super) fn new(tx: &'a Tx, number: u32) -> Self {
        Self { tx, number }
    }

    /// Returns the id of the role.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     let id = tx.create_role("editor")?.id()?;
    ///     tx.role(id)?.set_name("Editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the role was deleted in this transaction.
    pub fn id(&self) -> Result<RoleId> {
        self.tx.with_role(self.number, |row| row.record.id)
    }

    /// Changes the slug. Assignments and inclusions are not affected.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?.set_slug("author")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists),
    /// [`Reserved`](crate::ErrorKind::Reserved), [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn set_slug(&self, slug: &str) -> Result<&Self> {
        let slug = Slug::new(slug)?;
        if self.tx.with_role(self.number, |row| row.record.slug != slug)? {
            self.tx.check_role_slug(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Changes the display name.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?.set_name("Editor")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn set_name(&self, name: &str) -> Result<&Self> {
        let name = Name::new(name)?;
        self.change(|record| record.name = name)
    }

    /// Changes the description.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?.set_description("Writes and publishes posts.")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn set_description(&self, description: &str) -> Result<&Self> {
        let description = Description::new(description)?;
        self.change(|record| record.description = description)
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_permission("posts:write")?.done())?;
    /// acme.update(|tx| tx.create_role("editor")?.grant("posts:write")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn check_is_own(&self) -> Result<()> {
        self.tx
            .with_role(self.number, |row| Draft::check_is_own(EntityKind::Role, row.record.slug.as_str(), row.origin))?
    }

    /// Returns the role's own grants, without those of included roles.
    fn grants(&self) -> Result<Vec<Granted>> {
        let (numbers, patterns) = self
            .tx
            .with_role(self.number, |row| (row.grants.iter().copied().collect::<Vec<u32>>(), row.patterns.clone()))?;
        let permissions = numbers
            .into_iter()
            .map(|number| self.tx.with_permission(number, PermissionRow::reference).map(Granted::Permission));
        permissions.chain(patterns.into_iter().map(|pattern| Ok(Granted::Pattern(pattern)))).collect()
    }

    fn set_grant(&self, granted: Granted, wanted: bool) -> Result<&Self> {
        self.check_is_own()?;
        let number = match &granted {
            Granted::Permission(reference) => self.tx.find_permission(&reference.id())?,
            Granted::Pattern(_) => u32::MAX,
        };
        let (role, has) = self.tx.with_role(self.number, |row| {
            let has = match &granted {
                Granted::Permission(_) => row.grants.contains(|n| n.cmp(&number)),
                Granted::Pattern(pattern) => row.patterns.binary_search(pattern).is_ok(),
            };
            (row.record.id, has)
        })?;
        let record = Record::Grant(Grant { role, granted });
        match (wanted, has) {
            (true, false) => self.tx.apply(Change::added(record))?,
            (false, true) => self.tx.apply(Change::removed(record))?,
            (false, false) => self.tx.draft().removes_in_vain(record.key()),
            (true, true) => {}
        }
        Ok(self)
    }

    fn set_inclusion(&self, included: u32, wanted: bool) -> Result<&Self> {
        let has = self.tx.with_role(self.number, |row| row.includes.contains(|n| n.cmp(&included)))?;
        if wanted && !has {
            self.acyclic(included)?;
        }
        let role = self.id()?;
        let reference = self.tx.with_role(included, RoleRow::reference)?;
        let record = Record::Inclusion(Inclusion { role, included: reference });
        match (wanted, has) {
            (true, false) => self.tx.apply(Change::added(record))?,
            (false, true) => self.tx.apply(Change::removed(record))?,
            (false, false) => self.tx.draft().removes_in_vain(record.key()),
            (true, true) => {}
        }
        Ok(self)
    }

    fn acyclic(&self, included: u32) -> Result<()> {
        let mut draft = self.tx.draft();
        let path = draft.watch(|draft| {
            let state = &draft.next.state;
            graph::path(included, self.number, |n| state.includes(n), |n| state.includers(n))
        })?;
        let Some(path) = path else { return Ok(()) };
        let roles = &draft.next.state.roles;
        let names = [self.number].into_iter().chain(path).map(|n| roles.name_at(n).to_owned()).collect();
        Err(Error::cycle_of(EntityKind::Role, roles.name_at(self.number), names))
    }

    fn change(&self, change: impl FnOnce(&mut RoleRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.roles, Record::Role, change)?;
        Ok(self)
    }
}
