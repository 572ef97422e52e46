//! Transaction calls for the tenant itself.

use super::Tx;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Change, Name, Record, TenantRecord, TenantSlug};

impl Tx {
    /// Changes the tenant's slug. Only the store knows whether the slug is free; if it is not, the update fails as
    /// a whole.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_tenant_slug("acme-corp")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid). The update itself may fail with
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn set_tenant_slug(&self, slug: &str) -> Result<&Self> {
        let slug = TenantSlug::new(slug)?;
        self.change_tenant(|tenant| tenant.slug = slug)
    }

    /// Changes the tenant's display name.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_tenant_name("Acme Corporation")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_tenant_name(&self, name: &str) -> Result<&Self> {
        let name = Name::new(name)?;
        self.change_tenant(|tenant| tenant.name = name)
    }

    /// Deletes the tenant with everything in it. Later calls in the same transaction are refused.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.delete_tenant()?;
    ///     Ok(())
    /// })?;
    /// assert!(!acme.check("alice", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Deleted`](crate::ErrorKind::Deleted) if it was called before.
    pub fn delete_tenant(&self) -> Result<()> {
        let tenant = self.tenant()?;
        self.apply(Change::removed(Record::Tenant(tenant)))
    }

    fn tenant(&self) -> Result<TenantRecord> {
        self.draft().next.state.tenant.clone().ok_or_else(|| Error::new(ErrorKind::Deleted))
    }

    fn change_tenant(&self, change: impl FnOnce(&mut TenantRecord)) -> Result<&Self> {
        let before = self.tenant()?;
        let mut after = before.clone();
        change(&mut after);
        self.replace(Record::Tenant(before), Record::Tenant(after))?;
        Ok(self)
    }
}
