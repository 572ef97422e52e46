//! Transaction calls for the grants and inclusions of a role.

use std::collections::HashSet;

use super::{AsGrant, RoleEdit};
use crate::model::error::Result;
use crate::model::records::{Granted, Slug};
use crate::plan::lists::ListChanges;
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::names::AsRole;

impl RoleEdit<'_> {
    /// Grants a permission or a pattern of permissions.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("editor")?.grant("posts:write")?.grant("drafts:*")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Invalid`](crate::ErrorKind::Invalid),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn grant(&self, what: impl AsGrant) -> Result<&Self> {
        let granted = what.granted(self.tx, false)?;
        self.set_grant(granted, true)
    }

    /// Revokes a grant. A pattern is revoked by its own text; it cannot be narrowed.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("editor")?.grant("posts:*")?;
    ///     tx.role("editor")?.revoke("posts:*")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Invalid`](crate::ErrorKind::Invalid),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn revoke(&self, what: impl AsGrant) -> Result<&Self> {
        let granted = what.granted(self.tx, true)?;
        self.set_grant(granted, false)
    }

    /// Makes the role grant exactly these. Missing grants are added and all others are revoked, including those
    /// that an administrator added. To keep those, call [`RoleEdit::grant`] for each instead.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:read")?;
    ///     tx.create_role("reader")?.grant("drafts:*")?;
    ///     tx.role("reader")?.set_grants(["posts:read"])?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RoleEdit::grant`]. Then nothing is changed.
    pub fn set_grants<G: AsGrant>(&self, what: impl IntoIterator<Item = G>) -> Result<ListChanges<Granted>> {
        self.check_is_own()?;
        let wanted: Vec<Granted> = what.into_iter().map(|what| what.granted(self.tx, false)).collect::<Result<_>>()?;
        let key = |granted: &Granted| match granted {
            Granted::Permission(reference) => (Some(reference.id()), None),
            Granted::Pattern(pattern) => (None, Some(pattern.clone())),
        };
        let present = self.grants()?;
        let (keep, has) = (wanted.iter().map(key).collect(), present.iter().map(key).collect());
        let missing_from = |list: Vec<Granted>, other: &HashSet<_>| {
            let mut seen = HashSet::new();
            list.into_iter().filter(|granted| !other.contains(&key(granted)) && seen.insert(key(granted))).collect()
        };
        let (added, removed): (Vec<Granted>, Vec<Granted>) = (missing_from(wanted, &has), missing_from(present, &keep));
        added.iter().try_for_each(|granted| self.set_grant(granted.clone(), true).map(drop))?;
        removed.iter().try_for_each(|granted| self.set_grant(granted.clone(), false).map(drop))?;
        Ok(ListChanges { added, removed })
    }

    /// Includes another role: everybody who has this role also has the other one.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("reader")?;
    ///     tx.create_role("editor")?.include("reader")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn include(&self, role: impl AsRole) -> Result<&Self> {
        self.check_is_own()?;
        let included = self.tx.usable_role(&role)?;
        self.set_inclusion(included, true)
    }

    /// Removes an inclusion. Does nothing if the role is not included.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("reader")?;
    ///     tx.create_role("editor")?.include("reader")?.exclude("reader")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`ReadOnly`](crate::ErrorKind::ReadOnly).
    pub fn exclude(&self, role: impl AsRole) -> Result<&Self> {
        self.check_is_own()?;
        let included = self.tx.find_role(&role)?;
        self.set_inclusion(included, false)
    }

    /// Makes the role include exactly these roles, and returns which inclusions it added and removed.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("reader")?;
    ///     tx.create_role("commenter")?;
    ///     tx.create_role("editor")?.set_includes(["reader", "commenter"])?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RoleEdit::include`]. Then nothing is changed.
    pub fn set_includes<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<ListChanges<Slug>> {
        self.check_is_own()?;
        let wanted: Bits = roles.into_iter().map(|role| self.tx.usable_role(&role)).collect::<Result<_>>()?;
        let present: Bits = self.tx.with_role(self.number, |row| row.includes.iter().copied().collect())?;
        let added: Vec<u32> = wanted.iter().filter(|role| !present.contains(*role)).collect();
        let removed: Vec<u32> = present.iter().filter(|role| !wanted.contains(*role)).collect();
        // A cycle leads through a new inclusion back to this role, never through its current inclusions. So every new
        // inclusion can be checked before anything changes.
        added.iter().try_for_each(|role| self.acyclic(*role))?;
        let changes = self.tx.roles_changed(&added, &removed)?;
        added.iter().try_for_each(|role| self.set_inclusion(*role, true).map(drop))?;
        removed.iter().try_for_each(|role| self.set_inclusion(*role, false).map(drop))?;
        Ok(changes)
    }
}
