//! The same without an executor. Only the difference is documented here: each call waits on the calling thread.
//!
//! For stores that need no reactor: the one in memory, and those whose futures are woken by a thread of their own. A
//! store that needs a runtime's reactor (tokio's sockets, say) would wait for ever; use the asynchronous types within
//! that runtime for it.

use std::ops::Deref;

use crate::authorizer::{self, Updated};
use crate::block_on::block_on;
#[cfg(feature = "json")]
use crate::document::Document;
use crate::model::catalog::Catalog;
use crate::model::clock::Clock;
use crate::model::error::{EntityKind, Error, Result};
use crate::model::records::{Revision, Slug, TenantId};
use crate::plan::{Plan, Tx};
use crate::store::{Store, TenantSummary};

/// [`crate::Authorizer`] without an executor.
#[derive(Clone, Debug)]
pub struct Authorizer(authorizer::Authorizer);

/// [`crate::Tenant`] without an executor. Questions are those of the asynchronous type, to which it dereferences.
#[derive(Clone, Debug)]
pub struct Tenant(authorizer::Tenant);

/// [`crate::Repair`] without an executor.
#[derive(Clone, Debug)]
pub struct Repair(authorizer::Repair);

impl Authorizer {
    /// See [`crate::Authorizer::in_memory`].
    pub fn in_memory() -> Self {
        Self(authorizer::Authorizer::in_memory())
    }

    /// See [`crate::Authorizer::builder`].
    pub fn builder() -> AuthorizerBuilder {
        AuthorizerBuilder::default()
    }

    /// See [`crate::Authorizer::create_tenant`].
    ///
    /// # Errors
    /// The same.
    pub fn create_tenant(&self, slug: &str, name: &str) -> Result<Tenant> {
        block_on(self.0.create_tenant(slug, name)).map(Tenant)
    }

    /// See [`crate::Authorizer::create_tenant_with_name`].
    ///
    /// # Errors
    /// The same.
    pub fn create_tenant_with_name(&self, name: &str) -> Result<Tenant> {
        block_on(self.0.create_tenant_with_name(name)).map(Tenant)
    }

    /// See [`crate::Authorizer::tenant`].
    ///
    /// # Errors
    /// The same.
    pub fn tenant(&self, slug: &str) -> Result<Tenant> {
        block_on(self.0.tenant(slug)).map(Tenant)
    }

    /// See [`crate::Authorizer::tenant_by_id`].
    ///
    /// # Errors
    /// The same.
    pub fn tenant_by_id(&self, tenant_id: TenantId) -> Result<Tenant> {
        block_on(self.0.tenant_by_id(tenant_id)).map(Tenant)
    }

    /// See [`crate::Authorizer::open_or_create`].
    ///
    /// # Errors
    /// The same.
    pub fn open_or_create(&self, slug: &str, name: &str) -> Result<Tenant> {
        block_on(self.0.open_or_create(slug, name)).map(Tenant)
    }

    /// See [`crate::Authorizer::tenants`].
    ///
    /// # Errors
    /// The same.
    pub fn tenants(&self, after: Option<&str>, limit: usize) -> Result<Vec<TenantSummary>> {
        block_on(self.0.tenants(after, limit))
    }

    /// See [`crate::Authorizer::import`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "json")]
    pub fn import(&self, document: &Document) -> Result<Tenant> {
        block_on(self.0.import(document)).map(Tenant)
    }

    /// See [`crate::Authorizer::open_tenants`].
    pub fn open_tenants(&self) -> Vec<Tenant> {
        self.0.open_tenants().into_iter().map(Tenant).collect()
    }

    /// See [`crate::Authorizer::repair`].
    ///
    /// # Errors
    /// The same.
    pub fn repair(&self, slug: &str) -> Result<Repair> {
        block_on(self.0.repair(slug)).map(Repair)
    }
}

impl Deref for Authorizer {
    type Target = authorizer::Authorizer;

    fn deref(&self) -> &authorizer::Authorizer {
        &self.0
    }
}

impl From<authorizer::Authorizer> for Authorizer {
    fn from(authorizer: authorizer::Authorizer) -> Self {
        Self(authorizer)
    }
}

/// [`crate::AuthorizerBuilder`] without an executor.
#[derive(Debug, Default)]
#[must_use]
pub struct AuthorizerBuilder(authorizer::AuthorizerBuilder);

impl AuthorizerBuilder {
    /// See [`crate::AuthorizerBuilder::store`].
    pub fn store(self, store: impl Store) -> Self {
        Self(self.0.store(store))
    }

    /// See [`crate::AuthorizerBuilder::catalog`].
    pub fn catalog(self, catalog: &Catalog) -> Self {
        Self(self.0.catalog(catalog))
    }

    /// See [`crate::AuthorizerBuilder::clock`].
    pub fn clock(self, clock: impl Clock) -> Self {
        Self(self.0.clock(clock))
    }

    /// See [`crate::AuthorizerBuilder::retries`].
    pub fn retries(self, retries: u32) -> Self {
        Self(self.0.retries(retries))
    }

    /// See [`crate::AuthorizerBuilder::max_open_tenants`].
    pub fn max_open_tenants(self, max: usize) -> Self {
        Self(self.0.max_open_tenants(max))
    }

    /// See [`crate::AuthorizerBuilder::build`].
    pub fn build(self) -> Authorizer {
        Authorizer(self.0.build())
    }
}

impl Tenant {
    /// See [`crate::Tenant::update`].
    ///
    /// # Errors
    /// The same.
    pub fn update<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Updated<T>> {
        block_on(self.0.update(f))
    }

    /// See [`crate::Tenant::try_update`].
    ///
    /// # Errors
    /// The same.
    pub fn try_update<T, E: From<Error>>(&self, f: impl FnMut(&Tx) -> Result<T, E>) -> Result<Updated<T>, E> {
        block_on(self.0.try_update(f))
    }

    /// See [`crate::Tenant::commit`].
    ///
    /// # Errors
    /// The same.
    pub fn commit(&self, plan: Plan) -> Result<Updated<()>> {
        block_on(self.0.commit(plan))
    }

    /// See [`crate::Tenant::replace`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "json")]
    pub fn replace(&self, document: &Document) -> Result<Updated<()>> {
        block_on(self.0.replace(document))
    }

    /// See [`crate::Tenant::delete`].
    ///
    /// # Errors
    /// The same.
    pub fn delete(&self) -> Result<()> {
        block_on(self.0.delete())
    }

    /// See [`crate::Tenant::refresh`].
    ///
    /// # Errors
    /// The same.
    pub fn refresh(&self) -> Result<Revision> {
        block_on(self.0.refresh())
    }

    /// See [`crate::Tenant::close`].
    ///
    /// # Errors
    /// The same.
    pub fn close(&self) -> Result<()> {
        block_on(self.0.close())
    }
}

impl Deref for Tenant {
    type Target = authorizer::Tenant;

    fn deref(&self) -> &authorizer::Tenant {
        &self.0
    }
}

impl Repair {
    /// See [`crate::Repair::clashes`].
    pub fn clashes(&self) -> Vec<(EntityKind, Slug)> {
        self.0.clashes()
    }

    /// See [`crate::Repair::update`].
    ///
    /// # Errors
    /// The same.
    pub fn update<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Updated<T>> {
        block_on(self.0.update(f))
    }
}
