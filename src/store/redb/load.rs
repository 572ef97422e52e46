//! Loads: one read transaction, read in batches. No thread is held between two batches, so a sink may be slow. A dropped
//! future drops its transaction.

use std::sync::Arc;

use redb::{OwnedRange, ReadableDatabase};

use super::failure::{RedbFailure, catch_panic};
use super::format::{Bytes, RECORDS, TableId, kind_in, records_of, verify_checksum};
use super::read::live_tenant;
use super::rows::{LiveTenant, record};
use super::shared_database::SharedDatabase;
use crate::model::records::{Position, Record, TenantId};
use crate::store::StoreError;

/// How many records one batch decodes. Switching threads for a batch (some 10 µs) is negligible then, and two batches, one
/// decoded and one pushed, take about a megabyte.
const BATCH: usize = 4_000;

/// Reads the records of one tenant from one state.
pub(super) struct LoadCursor {
    shared: Arc<SharedDatabase>,
    opening: u64,
    tenant_id: TenantId,
    tenant: LiveTenant,
    rows: OwnedRange<Bytes, Bytes>,
    seen: u64,
    digest: u64,
}

impl LoadCursor {
    /// Starts a load, if the tenant exists.
    pub(super) fn start(shared: &Arc<SharedDatabase>, tenant_id: TenantId) -> Result<Option<Self>, StoreError> {
        shared.with(|database, opening| {
            let reading = database.begin_read()?;
            let Some(tenant) = live_tenant(&reading, tenant_id)? else { return Ok(None) };
            let (first, end) = records_of(tenant_id);
            let rows = reading.open_table(RECORDS)?.range_owned::<&[u8]>(&first[..]..&end[..])?;
            Ok(Some(Self { shared: Arc::clone(shared), opening, tenant_id, tenant, rows, seen: 0, digest: 0 }))
        })
    }

    /// The position of the state that is read.
    pub(super) fn at(&self) -> Position {
        self.tenant.latest.of(self.tenant_id)
    }

    /// Reads the next batch. Returns the cursor if there is more. The last batch fails unless every record was read intact.
    pub(super) fn next_batch(mut self) -> Result<(Vec<Record>, Option<Self>), StoreError> {
        let panicked = |text: String| RedbFailure { error: StoreError::corrupt(text), reopen: true };
        let batch =
            catch_panic(|| self.read_batch(), panicked).map_err(|failure| self.shared.note(failure, self.opening))?;
        let more = batch.len() == BATCH;
        Ok((batch, more.then_some(self)))
    }

    fn read_batch(&mut self) -> Result<Vec<Record>, RedbFailure> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let Some(row) = self.rows.next() else {
                self.verify_end()?;
                break;
            };
            let (key, value) = row?;
            let key = key.value();
            let (value, check) = verify_checksum(TableId::Records, key, value.value())?;
            self.seen += 1;
            self.digest = self.digest.wrapping_add(check);
            batch.push(record(kind_in(key).unwrap_or(u8::MAX), value)?);
        }
        Ok(batch)
    }

    fn verify_end(&self) -> Result<(), RedbFailure> {
        if (self.seen, self.digest) == (self.tenant.records, self.tenant.digest) {
            return Ok(());
        }
        let Self { tenant_id, tenant, seen, .. } = self;
        Err(RedbFailure::corrupt(format!(
            "S10: found {seen} records of tenant {tenant_id}, expected {} with another digest",
            tenant.records
        )))
    }
}
