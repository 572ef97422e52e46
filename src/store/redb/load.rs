//! A load: one read transaction, walked batch by batch. Between two batches no thread is held, so a sink may be slow, and
//! a future that is dropped takes its transaction with it.

use std::sync::Arc;

use redb::{OwnedRange, ReadableDatabase};

use super::fault::{Fault, caught};
use super::format::{Bytes, Place, RECORDS, kind_in, records_of, unseal};
use super::link::Link;
use super::read::living;
use super::rows::{Living, record};
use crate::model::records::{Position, Record, TenantId};
use crate::store::StoreError;

/// So many records are decoded at once: a change of threads for each batch (some 10 µs) is then nothing beside decoding,
/// and two batches, one being decoded and one being pushed, are about a megabyte.
const BATCH: usize = 4_000;

/// The walk over the records of one life, in one state.
pub(super) struct Walk {
    link: Arc<Link>,
    opening: u64,
    tenant_id: TenantId,
    tenant: Living,
    rows: OwnedRange<Bytes, Bytes>,
    seen: u64,
    digest: u64,
}

impl Walk {
    /// Begins the walk, if the life is there.
    pub(super) fn begin(link: &Arc<Link>, tenant_id: TenantId) -> Result<Option<Self>, StoreError> {
        link.with(|database, opening| {
            let reading = database.begin_read()?;
            let Some(tenant) = living(&reading, tenant_id)? else { return Ok(None) };
            let (first, end) = records_of(tenant_id);
            let rows = reading.open_table(RECORDS)?.range_owned::<&[u8]>(&first[..]..&end[..])?;
            Ok(Some(Self { link: Arc::clone(link), opening, tenant_id, tenant, rows, seen: 0, digest: 0 }))
        })
    }

    /// Where the state stands.
    pub(super) fn at(&self) -> Position {
        self.tenant.latest.of(self.tenant_id)
    }

    /// The next records, and the walk if it goes on. It ends well only if it met every record, each as it was written.
    pub(super) fn step(mut self) -> Result<(Vec<Record>, Option<Self>), StoreError> {
        let panicked = |text| Fault { error: StoreError::Corrupt(text), reopen: true };
        let batch = caught(|| self.batch(), panicked).map_err(|fault| self.link.note(fault, self.opening))?;
        let more = batch.len() == BATCH;
        Ok((batch, more.then_some(self)))
    }

    fn batch(&mut self) -> Result<Vec<Record>, Fault> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let Some(row) = self.rows.next() else {
                self.end()?;
                break;
            };
            let (key, value) = row?;
            let key = key.value();
            let (value, check) = unseal(Place::Records, key, value.value())?;
            self.seen += 1;
            self.digest = self.digest.wrapping_add(check);
            batch.push(record(kind_in(key).unwrap_or(u8::MAX), value)?);
        }
        Ok(batch)
    }

    fn end(&self) -> Result<(), Fault> {
        if (self.seen, self.digest) == (self.tenant.records, self.tenant.digest) {
            return Ok(());
        }
        let Self { tenant_id, tenant, seen, .. } = self;
        Err(Fault::corrupt(format!(
            "S10: life {tenant_id} has {seen} records that are not the {} it should have",
            tenant.records
        )))
    }
}
