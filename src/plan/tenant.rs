//! What a transaction can do to the tenant itself.

use super::Tx;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Change, Name, Record, TenantRecord, TenantSlug};

impl Tx {
    /// Gives the tenant another slug. Whether it is free, only the store knows: if not, the update is refused as a whole.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid); the update then, [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn rename_tenant(&self, slug: &str) -> Result<&Self> {
        let slug = TenantSlug::new(slug)?;
        self.change_tenant(|tenant| tenant.slug = slug)
    }

    /// Gives the tenant another display name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn name_tenant(&self, name: &str) -> Result<&Self> {
        let name = Name::new(name)?;
        self.change_tenant(|tenant| tenant.name = name)
    }

    /// Ends the tenant's life with all that it has. Everything else in this transaction goes with it, and every call
    /// after this one is refused.
    ///
    /// # Errors
    /// [`Deleted`](crate::ErrorKind::Deleted) if it was done before.
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
