//! The one cell that readers and writers share. Readers load a pointer; the writer that has the turn swaps it.

#[cfg(test)]
#[cfg(loom)]
mod loom_model;

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;

use super::sync::ArcSwap;
use crate::resolver::snapshot::{Availability, CompiledTenant};

pub(crate) struct CurrentSnapshot(ArcSwap<CompiledTenant>);

impl CurrentSnapshot {
    pub(crate) fn new(compiled: Arc<CompiledTenant>) -> Self {
        Self(ArcSwap::new(compiled))
    }

    #[inline]
    pub(crate) fn guard(&self) -> Guard<Arc<CompiledTenant>> {
        self.0.load()
    }

    pub(crate) fn load(&self) -> Arc<CompiledTenant> {
        self.0.load_full()
    }

    /// Publishes a snapshot, and returns whether it did. A snapshot of an earlier revision is ignored. So is every
    /// snapshot after the tenant was closed or deleted.
    ///
    /// Only the holder of the turn calls this. Between the comparison and the swap, only [`set_confirmed`] changes the
    /// cell, and what is published replaces that.
    ///
    /// [`set_confirmed`]: Self::set_confirmed
    pub(crate) fn publish(&self, next: Arc<CompiledTenant>) -> bool {
        let present = self.0.load();
        let rises = next.position.revision >= present.position.revision && !present.availability.is_over();
        if rises {
            self.0.store(next);
        }
        rises
    }

    /// Changes the availability of the current snapshot. A closed or deleted tenant stays closed or deleted. A broken
    /// one stays broken until another snapshot is published or it is closed or deleted.
    pub(crate) fn set_availability(&self, availability: Availability) {
        let present = self.0.load_full();
        let stays = present.availability == Availability::Broken && !availability.is_over();
        if present.availability != availability && !present.availability.is_over() && !stays {
            self.0.store(Arc::new(present.with_availability(availability)));
        }
    }

    /// Stops answering because the state was not confirmed in time, or answers again. Changes nothing else: a snapshot
    /// that denies for another reason still does so.
    ///
    /// The caller does not have the turn. If the holder of the turn changes the cell meanwhile, that change wins.
    pub(crate) fn set_confirmed(&self, confirmed: bool) {
        use Availability::{Serving, Unconfirmed};
        let (from, to) = if confirmed { (Unconfirmed, Serving) } else { (Serving, Unconfirmed) };
        let present = self.0.load_full();
        if present.availability == from {
            self.0.compare_and_swap(&present, Arc::new(present.with_availability(to)));
        }
    }
}

impl fmt::Debug for CurrentSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = self.0.load();
        write!(f, "CurrentSnapshot({:?}, {:?})", present.position, present.availability)
    }
}
