//! A tenant with many roles, each of which grants its own pattern.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall::blocking::Tenant;

use super::fixed_store::FixedStore;

/// The number of permissions at the start, one for each of a thousand resources.
const PERMISSIONS: u32 = 1_000;

pub(crate) struct PatternTenant {
    tenant: Tenant,
    roles: u32,
    next: u32,
}

impl PatternTenant {
    /// Creates a tenant with this many roles. The first grants `svc0:*`, the next `svc1:*`, and so on.
    pub(crate) fn new(roles: u32) -> Self {
        let tenant = FixedStore::new(Arc::from([])).open(None);
        tenant
            .update(|tx| {
                (0..PERMISSIONS).try_for_each(|n| tx.create_permission(&format!("svc{n}:read"))?.done())?;
                (0..roles).try_for_each(|n| tx.create_role(&format!("role{n}"))?.grant(format!("svc{n}:*"))?.done())
            })
            .unwrap();
        Self { tenant, roles, next: 0 }
    }

    /// Times commits that create one permission each, matched by one pattern. Deletes the permissions afterwards.
    pub(crate) fn permission(&mut self, count: u32) -> Duration {
        let slugs: Vec<String> = (self.next..self.next + count)
            .map(|n| format!("svc{}:new{n}", n.wrapping_mul(7_919) % self.roles))
            .collect();
        self.next += count;
        let start = Instant::now();
        for slug in &slugs {
            self.tenant.update(|tx| tx.create_permission(slug)?.done()).unwrap();
        }
        let took = start.elapsed();
        self.tenant.update(|tx| slugs.iter().try_for_each(|slug| tx.delete_permission(slug))).unwrap();
        took / count
    }
}
