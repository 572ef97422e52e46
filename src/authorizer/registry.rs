//! The open tenants and the slugs under which they were last found. Closes idle tenants to make room.
//!
//! The registry closes only a tenant that nothing else references. Its reference count proves that, and no new
//! reference can appear while the maps are locked. A check therefore costs nothing extra; only handing a tenant out
//! records the time.
//!
//! A tenant that is taken out is dropped after the lock is released, because freeing a large tenant takes a while.

mod recency;

use std::fmt;
use std::hash::{Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hashbrown::HashMap;

use self::recency::Recency;
use super::creation_queue::CreationQueue;
use super::tenant::Inner;
use super::write_state::{WriteState, WriteStateKeeper, WriteStateRef};
use crate::model::clock::Clock;
use crate::model::internal_fault::must;
use crate::model::records::{TenantId, TenantSlug, Timestamp};
use crate::resolver::snapshot::session::Session;

/// Slugs come from outside, and tenant ids from a store. The hash is keyed, so nobody can choose names that collide.
type KeyedMap<K, V> = HashMap<K, V, RandomState>;

/// The name of the internal fault of a tenant in the order of use that is not open.
const IN_ORDER: &str = "every tenant in the order of use is open";

pub(crate) struct Registry {
    max_open: usize,
    clock: Arc<dyn Clock>,
    maps: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    tenants: KeyedMap<TenantId, TenantEntry>,
    /// Hints, at most one for each tenant. The slug in the tenant's own snapshot is authoritative.
    slugs: KeyedMap<TenantSlug, TenantId>,
    creations: KeyedMap<TenantSlug, Arc<CreationQueue>>,
    /// The open tenants, by last use.
    recent: Recency,
}

struct TenantEntry {
    write_state: Arc<WriteState>,
    /// The number of [`WriteStateRef`]s: one for each session that still exists, and one for each caller that opens the
    /// tenant or waits.
    references: usize,
    slug: Option<TenantSlug>,
    open: Option<OpenTenant>,
}

struct OpenTenant {
    inner: Arc<Inner>,
    /// The index in [`Maps::recent`].
    place: usize,
    handed_out: Timestamp,
}

/// The number of tenants that are tried for each one that is opened beyond the bound.
const MAX_TRIED: usize = 64;

impl Registry {
    pub(crate) fn new(max_open: usize, clock: Arc<dyn Clock>) -> Self {
        Self { max_open, clock, maps: Mutex::default() }
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        let is_open = |entry: &&TenantEntry| entry.open.as_ref().is_some_and(|open| open.inner.is_open());
        self.maps().tenants.values().filter(is_open).count()
    }

    /// Returns all open tenants. This does not count as use.
    pub(crate) fn all_open(&self) -> Vec<Arc<Inner>> {
        let maps = self.maps();
        let open = maps.tenants.values().filter_map(|entry| entry.open.as_ref());
        open.map(|open| Arc::clone(&open.inner)).filter(|inner| inner.is_open()).collect()
    }

    /// Returns the open tenant with this id. This does not count as use.
    pub(crate) fn open_tenant(&self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let inner = self.maps().tenants.get(&tenant_id)?.open.as_ref().map(|open| Arc::clone(&open.inner));
        inner.filter(|inner| inner.is_open())
    }

    /// Returns the open tenant that was last found under this slug. The caller checks whether it still has the slug.
    pub(crate) fn by_slug(&self, slug: &TenantSlug) -> Option<Arc<Inner>> {
        let tenant_id = self.maps().slugs.get(slug).copied()?;
        self.by_tenant_id(tenant_id)
    }

    /// Returns the open tenant with this id.
    pub(crate) fn by_tenant_id(&self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let now = self.clock.now();
        self.maps().hand_out(tenant_id, now).filter(|inner| inner.is_open())
    }

    /// Returns the write queue of a tenant and its pending commit.
    pub(crate) fn write_state(self: &Arc<Self>, tenant_id: TenantId) -> WriteStateRef {
        let mut maps = self.maps();
        let new = || TenantEntry { write_state: Arc::default(), references: 0, slug: None, open: None };
        let entry = maps.tenants.entry(tenant_id).or_insert_with(new);
        entry.references += 1;
        let keeper: Weak<dyn WriteStateKeeper> = Arc::<Self>::downgrade(self);
        WriteStateRef::new(keeper, tenant_id, Arc::clone(&entry.write_state))
    }

    /// Adds an open tenant. If that exceeds the bound, tenants that nothing references are closed.
    pub(crate) fn insert_open(&self, tenant_id: TenantId, inner: &Arc<Inner>) {
        let slug = inner.current.guard().state.tenant.as_ref().map(|tenant| tenant.slug.clone());
        let now = self.clock.now();
        let mut maps = self.maps();
        let earlier = maps.open(tenant_id, inner, now);
        if let Some(slug) = slug {
            maps.record_slug(slug, tenant_id);
        }
        let closed = maps.make_room(self.max_open);
        drop(maps);
        drop((earlier, closed));
    }

    /// Records that the store has found a tenant under this slug.
    pub(crate) fn record_slug(&self, slug: TenantSlug, tenant_id: TenantId) {
        self.maps().record_slug(slug, tenant_id);
    }

    /// Closes the tenants that nothing references, that have no commit in doubt, and that were last handed out at least
    /// this long ago. Returns how many were closed.
    pub(crate) fn close_idle(&self, unused_for: Duration) -> usize {
        let now = self.clock.now();
        let unused_for = i64::try_from(unused_for.as_micros()).unwrap_or(i64::MAX);
        let mut maps = self.maps();
        let is_old = |open: &mut OpenTenant| {
            // If the clock was set back, the idle time starts again from now. Otherwise the tenant would stay open
            // until the clock has caught up.
            open.handed_out = open.handed_out.min(now);
            now.as_micros().saturating_sub(open.handed_out.as_micros()) >= unused_for
        };
        let old =
            maps.tenants.iter_mut().filter_map(|(tenant_id, entry)| entry.open.as_mut().map(|open| (*tenant_id, open)));
        let tenants: Vec<TenantId> = old.filter_map(|(tenant_id, open)| is_old(open).then_some(tenant_id)).collect();
        let closed: Vec<Arc<Inner>> = tenants.into_iter().filter_map(|tenant_id| maps.take_idle(tenant_id)).collect();
        drop(maps);
        closed.len()
    }

    /// Returns the queue of creations under a slug.
    pub(crate) fn creation_queue(&self, slug: &TenantSlug) -> Arc<CreationQueue> {
        Arc::clone(self.maps().creations.entry_ref(slug).or_default())
    }

    /// Whether a creation under this slug is under way or in doubt.
    pub(crate) fn has_creation(&self, slug: &TenantSlug) -> bool {
        self.maps().creations.contains_key(slug)
    }

    /// Removes the queue of creations under a slug if nobody uses it and no creation is in doubt.
    pub(crate) fn release_creation(&self, slug: &TenantSlug) {
        let mut maps = self.maps();
        let idle = |creation: &Arc<CreationQueue>| Arc::strong_count(creation) <= 2 && creation.pending().is_none();
        if maps.creations.get(slug).is_some_and(idle) {
            maps.creations.remove(slug);
        }
    }
}

impl Maps {
    fn hand_out(&mut self, tenant_id: TenantId, now: Timestamp) -> Option<Arc<Inner>> {
        let open = self.tenants.get_mut(&tenant_id)?.open.as_mut()?;
        open.handed_out = now;
        self.recent.touch(open.place);
        Some(Arc::clone(&open.inner))
    }

    /// Returns the session of this tenant that was open before, if there was one.
    fn open(&mut self, tenant_id: TenantId, inner: &Arc<Inner>, now: Timestamp) -> Option<Arc<Inner>> {
        let earlier = self.take_out(tenant_id);
        // The tenant's own reference keeps the entry in the map.
        if let Some(entry) = must(self.tenants.get_mut(&tenant_id), "a tenant that is opened has an entry") {
            let place = self.recent.push(tenant_id);
            entry.open = Some(OpenTenant { inner: Arc::clone(inner), place, handed_out: now });
        }
        earlier
    }

    fn record_slug(&mut self, slug: TenantSlug, tenant_id: TenantId) {
        // If the tenant was closed in the meantime, nothing would remove the hint again.
        let Some(entry) = self.tenants.get_mut(&tenant_id).filter(|entry| entry.open.is_some()) else { return };
        let earlier = entry.slug.replace(slug.clone());
        self.remove_slug(earlier, tenant_id);
        self.slugs.insert(slug, tenant_id);
    }

    /// Removes the hint from a slug to a tenant, unless the slug leads to another tenant by now.
    fn remove_slug(&mut self, slug: Option<TenantSlug>, tenant_id: TenantId) {
        if let Some(slug) = slug.filter(|slug| self.slugs.get(slug) == Some(&tenant_id)) {
            self.slugs.remove(&slug);
        }
    }

    /// Closes the least recently used tenants, until the bound is met or [`MAX_TRIED`] were tried. A tenant that is
    /// still referenced counts as used now, so that the next call tries others.
    fn make_room(&mut self, max_open: usize) -> Vec<Arc<Inner>> {
        let mut closed = Vec::new();
        for _ in 0..MAX_TRIED.min(self.recent.len()) {
            if self.recent.len() <= max_open {
                break;
            }
            let Some(tenant_id) = self.recent.oldest() else { break };
            match self.take_idle(tenant_id) {
                Some(inner) => closed.push(inner),
                None => self.put_last(tenant_id),
            }
        }
        closed
    }

    fn put_last(&mut self, tenant_id: TenantId) {
        let open = self.tenants.get(&tenant_id).and_then(|entry| entry.open.as_ref());
        if let Some(open) = must(open, IN_ORDER) {
            self.recent.touch(open.place);
        }
    }

    /// Takes out a tenant that only this map references, that nobody waits for, and that has no pending commit. Nobody
    /// can start to use it while the maps are locked.
    fn take_idle(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get(&tenant_id)?;
        let is_held = entry.open.as_ref().is_none_or(|open| Arc::strong_count(&open.inner) > 1);
        if is_held || entry.references > 1 || entry.write_state.pending().is_some() {
            return None;
        }
        self.take_out(tenant_id)
    }

    /// Takes out an open tenant. Its entry stays while its write state is referenced.
    fn take_out(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get_mut(&tenant_id)?;
        let (open, slug) = (entry.open.take()?, entry.slug.take());
        let moved = self.recent.remove(open.place);
        if let Some(other) = moved {
            let other = self.tenants.get_mut(&other).and_then(|entry| entry.open.as_mut());
            must(other.map(|other| other.place = open.place), IN_ORDER);
        }
        self.remove_slug(slug, tenant_id);
        Some(open.inner)
    }

    /// Drops one reference. An entry without references is removed unless it has a pending commit.
    fn release(&mut self, tenant_id: TenantId, write_state: &Arc<WriteState>) {
        let Some(entry) = self.tenants.get_mut(&tenant_id).filter(|entry| Arc::ptr_eq(&entry.write_state, write_state))
        else {
            return;
        };
        entry.references -= 1;
        if entry.references == 0 && entry.write_state.pending().is_none() {
            self.tenants.remove(&tenant_id);
            shrink(&mut self.tenants);
            shrink(&mut self.slugs);
        }
    }
}

/// Shrinks a map that is three quarters empty, so that its size follows the number of its entries.
fn shrink<K: Eq + Hash, V>(table: &mut KeyedMap<K, V>) {
    if table.capacity() / 4 > table.len() {
        table.shrink_to(table.len() * 2);
    }
}

impl WriteStateKeeper for Registry {
    fn release(&self, tenant_id: TenantId, write_state: &Arc<WriteState>) {
        self.maps().release(tenant_id, write_state);
    }

    fn forget(&self, tenant_id: TenantId, session: &Arc<Session>) {
        let mut maps = self.maps();
        let open = maps.tenants.get(&tenant_id).and_then(|entry| entry.open.as_ref());
        if open.is_some_and(|open| Arc::ptr_eq(&open.inner.session, session)) {
            let closed = maps.take_out(tenant_id);
            drop(maps);
            drop(closed);
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::SystemClock;

    #[test]
    fn no_slug_hint_remains_for_a_tenant_that_was_closed() {
        let registry = Arc::new(Registry::new(usize::MAX, Arc::new(SystemClock)));
        let (tenant_id, slug) = (TenantId::random(), TenantSlug::new("acme").unwrap());
        let reference = registry.write_state(tenant_id);
        registry.record_slug(slug, tenant_id);
        drop(reference);
        let maps = registry.maps();
        assert!(maps.slugs.is_empty() && maps.tenants.is_empty());
    }
}
