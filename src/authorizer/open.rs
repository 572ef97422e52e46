//! Asking for a tenant opens it, once per life.

use std::sync::Arc;

use super::commit::not_nested;
use super::refresh::{Earlier, Loaded, Unloaded, load};
use super::tenant::{Inner, Tenant};
use super::{Authorizer, commit};
use crate::error::{Error, ErrorKind, Noun, Result};
use crate::invariants::refused;
use crate::records::{Life, TenantSlug};
use crate::snapshot::Standing;
use crate::store::{Listed, StoreError};

impl Authorizer {
    /// The tenant with this slug, opened if it is not open.
    ///
    /// # Consistency
    /// An open tenant that bears the slug at its own revision is answered from memory, exactly as fresh as that tenant
    /// is; otherwise the store is asked.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), [`Unavailable`](ErrorKind::Unavailable), [`Corrupt`](ErrorKind::Corrupt);
    /// [`Refused`](ErrorKind::Refused) if a later release has written what this store does not know;
    /// [`Clash`](ErrorKind::Clash) if the tenant has slugs that the catalog takes, see [`Authorizer::repair`];
    /// [`Unsettled`](ErrorKind::Unsettled) if it is not known whether a tenant was created under this slug.
    pub async fn tenant(&self, slug: &str) -> Result<Tenant> {
        not_nested()?;
        let slug = TenantSlug::new(slug)?;
        self.settle_birth(&slug).await?;
        if let Some(inner) = self.registry.by_slug(&slug) {
            // Settled first: what was open may be a rename.
            if settled(&inner).await && inner.bears(&slug) {
                return Ok(Tenant(inner));
            }
        }
        // Between the look-up and the opening, the tenant may be renamed and its slug given to another.
        for _ in 0..MOST_RENAMES {
            let life = self.find(&slug).await?.ok_or_else(|| not_found(slug.as_str()))?;
            match self.open(life).await {
                Ok(tenant) if tenant.bears(&slug).await? => {
                    self.registry.bears(slug, life);
                    return Ok(tenant);
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Deleted) => {}
                Err(error) => return Err(error),
            }
        }
        Err(not_found(slug.as_str()))
    }

    /// The tenant of this life, opened if it is not open.
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`].
    pub async fn tenant_of(&self, life: Life) -> Result<Tenant> {
        not_nested()?;
        match self.registry.by_life(life) {
            Some(inner) if settled(&inner).await => Ok(Tenant(inner)),
            _ => self.open(life).await,
        }
    }

    /// The tenant with this slug, created with this name if there is none: for what runs at every start.
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`] and [`Authorizer::create_tenant`].
    pub async fn open_or_create(&self, slug: &str, name: &str) -> Result<Tenant> {
        match self.tenant(slug).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            answer => return answer,
        }
        match self.create_tenant(slug, name).await {
            // Somebody else has just created it.
            Err(error) if error.kind() == ErrorKind::Exists => self.tenant(slug).await,
            answer => answer,
        }
    }

    /// At most `limit` tenants of the store, open or not, by slug, after this one.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable), [`Corrupt`](ErrorKind::Corrupt), [`Malformed`](ErrorKind::Malformed).
    pub async fn tenants(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>> {
        let after = after.map(TenantSlug::new).transpose()?;
        let listed = self.tools.store.list(after.as_ref(), limit).await;
        listed.map_err(|error| commit::not_done(error, ""))
    }

    pub(super) async fn find(&self, slug: &TenantSlug) -> Result<Option<Life>> {
        self.tools.store.find(slug).await.map_err(|error| commit::not_done(error, slug.as_str()))
    }

    pub(super) async fn open(&self, life: Life) -> Result<Tenant> {
        let slot = self.registry.hold(life);
        let _turn = slot.turns.take().await;
        if let Some(inner) = self.registry.by_life(life) {
            // Whoever had the turn before may have left a commit open.
            drop(inner.settle_first().await);
            inner.alive()?;
            return Ok(Tenant(inner));
        }
        let inner = self.load_life(life, false).await?;
        if slot.pending().is_some() {
            inner.current.stand(Standing::Unsettled);
            // What cannot be settled now is tried again by the next call on the tenant, which denies until then.
            drop(inner.settle_first().await);
        }
        inner.alive()?;
        self.registry.opened(life, &inner);
        Ok(Tenant(inner))
    }

    /// A new opening of a life. The caller has its turn.
    pub(super) async fn load_life(&self, life: Life, repair: bool) -> Result<Arc<Inner>> {
        let base = Arc::clone(&self.tools.base);
        let earlier = Earlier { life, state: None, opening: Arc::new(base.open()), base, repair };
        match load(&*self.tools.store, earlier).await {
            Ok(Loaded::At(compiled)) => {
                let registry = Arc::downgrade(&self.registry);
                let slot = self.registry.hold(life);
                Ok(Arc::new(Inner::new(Arc::clone(&self.tools), registry, slot, *compiled)))
            }
            Ok(Loaded::Gone) | Err(Unloaded::Store(StoreError::Gone)) => Err(not_found(&life.to_string())),
            Err(Unloaded::Store(error)) => Err(commit::not_done(error, "")),
            Err(Unloaded::Refused(violations)) => Err(refused(&violations)),
        }
    }
}

/// How often a slug may move to another tenant while it is asked for.
const MOST_RENAMES: usize = 4;

impl Tenant {
    /// Whether it has this slug: in the snapshot in hand, or else in the newest one, since the store has just said so.
    async fn bears(&self, slug: &TenantSlug) -> Result<bool> {
        if self.0.bears(slug) {
            return Ok(true);
        }
        match self.refresh().await {
            Err(error) if error.kind() == ErrorKind::Deleted => Ok(false),
            Err(error) => Err(error),
            Ok(_) => Ok(self.0.bears(slug)),
        }
    }
}

/// Settles an open tenant, if that can be done; where it cannot, the tenant denies, and the next call on it tries again.
/// False if it is open no more: closed while this waited for its turn, or found to have ended.
async fn settled(inner: &Inner) -> bool {
    if inner.slot.pending().is_some() || inner.current.guard().standing == Standing::Unsettled {
        let _turn = inner.slot.turns.take().await;
        if inner.is_open() {
            drop(inner.settle_first().await);
        }
    }
    inner.is_open()
}

fn not_found(name: &str) -> Error {
    Error::new(ErrorKind::NotFound).about(Noun::Tenant, name)
}
