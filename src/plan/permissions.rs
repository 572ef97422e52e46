//! Transaction calls for permissions.

use super::draft::Draft;
use super::tx::Tx;
use crate::model::error::{EntityKind, Result};
use crate::model::records::{Change, Description, Grant, Granted, Name, PermissionId, PermissionRecord, Record, Slug};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::PermissionRow;
use crate::resolver::snapshot::names::AsPermission;

/// A permission in a transaction. Its calls can be chained.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?.set_name("Write posts")?.set_category(Some("Posts"))?;
///     Ok(())
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PermissionEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// Finds a permission to edit.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.permission("posts:write")?.set_name("Write posts")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn permission(&self, permission: impl AsPermission) -> Result<PermissionEdit<'_>> {
        self.find_permission(&permission).map(|number| PermissionEdit::new(self, number))
    }

    /// Creates a permission. Its name is its slug until another is set.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); [`AlreadyExists`](crate::ErrorKind::AlreadyExists), also when the catalog
    /// uses the slug or has retired it; [`Reserved`](crate::ErrorKind::Reserved) if it begins with a prefix that the
    /// catalog reserves.
    pub fn create_permission(&self, slug: &str) -> Result<PermissionEdit<'_>> {
        let slug = Slug::new(slug)?;
        self.check_permission_slug(&slug)?;
        let id = PermissionId::from_uuid(self.draft().new_id());
        let name = Name::of_slug(slug.as_str());
        let record = PermissionRecord { id, slug, name, description: Description::default(), category: None };
        self.apply(Change::added(Record::Permission(record)))?;
        self.created(EntityKind::Permission, id.as_uuid()).map(|number| PermissionEdit::new(self, number))
    }

    /// Returns the permission with this slug, and creates it if it does not exist.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.ensure_permission("posts:write")?;
    ///     tx.ensure_permission("posts:write")?; // the same permission
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tx::create_permission`].
    pub fn ensure_permission(&self, slug: &str) -> Result<PermissionEdit<'_>> {
        if let Some(number) = self.lookup_permission(&slug)? {
            return Ok(PermissionEdit::new(self, number));
        }
        self.create_permission(slug)
    }

    /// Deletes a permission and all grants of it (R8). Patterns that matched it stay.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.delete_permission("posts:write")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound). [`ReadOnly`](crate::ErrorKind::ReadOnly) for a permission of the catalog.
    /// [`CatalogConflict`](crate::ErrorKind::CatalogConflict) for a slug that belongs to the tenant and to the catalog (R9).
    /// [`Rejected`](crate::ErrorKind::Rejected) if an assertion names it (R17).
    pub fn delete_permission(&self, permission: impl AsPermission) -> Result<()> {
        let number = self.find_permission(&permission)?;
        let row = self.with_permission(number, PermissionRow::clone)?;
        Draft::check_is_own(EntityKind::Permission, row.record.slug.as_str(), row.origin)?;
        self.check_not_asserted(Asserted::Permission(number))?;
        let mut records = Vec::new();
        let reverse_grants: Vec<u32> = self.draft().next.state.reverse_grants.of(number).collect();
        for role in reverse_grants {
            let role = self.with_role(role, |role| role.record.id)?;
            records.push(Record::Grant(Grant { role, granted: Granted::Permission(row.reference()) }));
        }
        records.push(Record::Permission(row.record));
        self.remove_all(records)
    }

    fn check_permission_slug(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        draft.check_permission_slug_in_catalog(slug, None)?;
        match draft.next.state.permissions.by_name(slug.as_str()) {
            Some(_) => Err(draft.exists(EntityKind::Permission, slug.as_str())),
            None => Ok(()),
        }
    }
}

impl<'a> PermissionEdit<'a> {
    pub(super) fn new(tx: &'a Tx, number: u32) -> Self {
        Self { tx, number }
    }

    /// Returns the id of the permission.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     let id = tx.create_permission("posts:write")?.id()?;
    ///     tx.permission(id)?.set_name("Write posts")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the permission was deleted in this transaction.
    pub fn id(&self) -> Result<PermissionId> {
        self.tx.with_permission(self.number, |row| row.record.id)
    }

    /// Changes the slug. Grants by name keep granting it. Patterns match the new slug (R5).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:edit")?.set_slug("posts:write")?;
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
        if self.tx.with_permission(self.number, |row| row.record.slug != slug)? {
            self.tx.check_permission_slug(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Changes the display name.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?.set_name("Write posts")?;
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
    ///     tx.create_permission("posts:write")?.set_description("Create and change posts.")?;
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

    /// Changes the category, or removes it with `None`.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?.set_category(Some("Posts"))?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn set_category(&self, category: Option<&str>) -> Result<&Self> {
        let category = category.map(Name::new).transpose()?;
        self.change(|record| record.category = category)
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_permission("posts:write")?.set_name("Write posts")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut PermissionRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.permissions, Record::Permission, change)?;
        Ok(self)
    }
}
