//! A store that returns fixed records and keeps no commits, so that a bench measures the crate alone.

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::Catalog;
use rolecall::clock::ManualClock;
use rolecall::records::{CommitId, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug};
use rolecall::store::{Base, Commit, Since, Sink, Stop, Store, StoreError, TenantSummary};
use uuid::Uuid;

use super::organisation::now;

/// Every tenant id has these records.
#[derive(Clone, Debug)]
pub(crate) struct FixedStore {
    records: Arc<[Record]>,
    copy: fn(&Record) -> Record,
}

impl FixedStore {
    /// Creates a store whose loads share the texts of the records.
    pub(crate) fn new(records: Arc<[Record]>) -> Self {
        Self::copying(records, Record::clone)
    }

    /// Creates a store whose loads copy each record with `copy`.
    pub(crate) fn copying(records: Arc<[Record]>, copy: fn(&Record) -> Record) -> Self {
        Self { records, copy }
    }

    /// Returns an authorizer over this store. Its clock always returns `NOW`.
    pub(crate) fn authorizer(self, catalog: Option<&Catalog>) -> Authorizer {
        let builder = Authorizer::builder().store(self).clock(ManualClock::new(now()));
        match catalog {
            Some(catalog) => builder.catalog(catalog).build(),
            None => builder.build(),
        }
    }

    /// Opens a tenant with these records.
    pub(crate) fn open(self, catalog: Option<&Catalog>) -> Tenant {
        self.authorizer(catalog).tenant_by_id(tenant_id(0)).unwrap()
    }
}

/// Returns the tenant id with this number.
pub(crate) fn tenant_id(number: u32) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number.into()))
}

impl Store for FixedStore {
    async fn find(&self, _: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: Option<&TenantSlug>, _: usize) -> Result<Vec<TenantSummary>, StoreError> {
        Ok(Vec::new())
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let slug = format!("tenant-{}", tenant_id.as_uuid().as_u128());
        let (slug, name) = (TenantSlug::new(&slug).unwrap(), Name::new(&slug).unwrap());
        let tenant = Record::Tenant(TenantRecord { slug, name });
        sink.push(tenant).map_err(|Stop| StoreError::Stopped)?;
        for record in &*self.records {
            sink.push((self.copy)(record)).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(Position { tenant_id, revision: Revision::FIRST, commit: CommitId::from_uuid(Uuid::nil()) }))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        Ok(match commit.base {
            Base::Create(_) => Revision::FIRST,
            Base::At(at) => at.revision.next(),
        })
    }

    async fn since(&self, _: Position) -> Result<Since, StoreError> {
        Ok(Since::Commits(Vec::new()))
    }
}
