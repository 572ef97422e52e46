//! The one cell that readers and writers share. Readers load a pointer; a writer that has the turn swaps it.

#[cfg(test)]
#[cfg(loom)]
mod model;

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;

use super::sync::ArcSwap;
use crate::snapshot::{Compiled, Standing};

pub(crate) struct Current(ArcSwap<Compiled>);

impl Current {
    pub(crate) fn new(compiled: Arc<Compiled>) -> Self {
        Self(ArcSwap::new(compiled))
    }

    #[inline]
    pub(crate) fn guard(&self) -> Guard<Arc<Compiled>> {
        self.0.load()
    }

    pub(crate) fn load(&self) -> Arc<Compiled> {
        self.0.load_full()
    }

    /// Publishes a snapshot. Revisions only go up: one that is behind the present one is left out, and false returned;
    /// so is any once the tenant was closed or deleted.
    ///
    /// Only who has the turn calls this, so nobody swaps between the look and the swap.
    pub(crate) fn publish(&self, next: Arc<Compiled>) -> bool {
        let present = self.0.load();
        let rises = next.position.revision >= present.position.revision && !present.standing.is_over();
        if rises {
            self.0.store(next);
        }
        rises
    }

    /// Changes whether the present snapshot answers. What is closed or deleted stays so.
    pub(crate) fn stand(&self, standing: Standing) {
        let present = self.0.load_full();
        if present.standing != standing && !present.standing.is_over() {
            self.0.store(Arc::new(present.standing_as(standing)));
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = self.0.load();
        write!(f, "Current({:?}, {:?})", present.position, present.standing)
    }
}
