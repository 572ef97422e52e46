//! Which tenants are open, under which slugs they were last found, and which ones are closed to make room.
//!
//! Only a tenant that nobody else references is closed here: its reference count says so, and while the maps are locked
//! nobody can obtain a new reference. Checks pay nothing for it; only handing a tenant out is recorded.
//!
//! A closed tenant is dropped after the lock is released, because freeing a large tenant takes a while.

mod recency;

use std::fmt;
use std::hash::{Hash, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use self::recency::Recency;
use super::creation::CreationQueue;
use super::tenant::{Inner, WriteState};
use crate::model::clock::Clock;
use crate::model::records::{TenantId, TenantSlug, Timestamp};

/// Slugs come from outside, so the hash is keyed at random for each map.
type HashMap<K, V> = hashbrown::HashMap<K, V, RandomState>;

pub(crate) struct Registry {
    max_open: usize,
    clock: Arc<dyn Clock>,
    maps: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    tenants: HashMap<TenantId, TenantEntry>,
    /// Hints, at most one for each tenant: the tenant's own snapshot is the authority on its slug.
    by_slug: HashMap<TenantSlug, TenantId>,
    creations: HashMap<TenantSlug, Arc<CreationQueue>>,
    /// The open tenants.
    recency: Recency,
}

#[derive(Default)]
struct TenantEntry {
    write_state: Arc<WriteState>,
    /// The number of [`WriteStateRef`]s: one for each opening that still exists, and for each caller that opens or waits.
    references: usize,
    slug: Option<TenantSlug>,
    open: Option<OpenTenant>,
}

struct OpenTenant {
    inner: Arc<Inner>,
    /// Its index in [`Maps::recency`].
    recency_index: usize,
    handed_out: Timestamp,
}

/// Keeps a tenant's write state in the registry, so that every opening of the tenant meanwhile finds the same one.
pub(crate) struct WriteStateRef {
    registry: Weak<Registry>,
    tenant_id: TenantId,
    write_state: Arc<WriteState>,
}

/// How many tenants are tried for each one that is opened beyond the bound.
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

    /// Returns the open tenants. Listing them does not count as handing them out.
    pub(crate) fn all_open(&self) -> Vec<Arc<Inner>> {
        let maps = self.maps();
        let open = maps.tenants.values().filter_map(|entry| entry.open.as_ref());
        open.map(|open| Arc::clone(&open.inner)).filter(|inner| inner.is_open()).collect()
    }

    /// Returns the open tenant that was last found under this slug. Its snapshot says whether it still has that slug.
    pub(crate) fn by_slug(&self, slug: &TenantSlug) -> Option<Arc<Inner>> {
        let tenant_id = self.maps().by_slug.get(slug).copied()?;
        self.by_tenant_id(tenant_id)
    }

    pub(crate) fn by_tenant_id(&self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let now = self.clock.now();
        self.maps().hand_out(tenant_id, now).filter(|inner| inner.is_open())
    }

    /// Returns the write state of a tenant, which is open or about to be opened.
    pub(crate) fn write_state(self: &Arc<Self>, tenant_id: TenantId) -> WriteStateRef {
        let mut maps = self.maps();
        let entry = maps.tenants.entry(tenant_id).or_default();
        entry.references += 1;
        WriteStateRef { registry: Arc::downgrade(self), tenant_id, write_state: Arc::clone(&entry.write_state) }
    }

    /// Adds a tenant that was opened. If that is one too many, closes others that nobody references.
    pub(crate) fn insert_open(&self, tenant_id: TenantId, inner: &Arc<Inner>) {
        let slug = inner.current.guard().state.tenant.as_ref().map(|tenant| tenant.slug.clone());
        let now = self.clock.now();
        let mut maps = self.maps();
        let earlier = maps.insert_open(tenant_id, inner, now);
        if let Some(slug) = slug {
            maps.record_slug(slug, tenant_id);
        }
        let closed = maps.make_room(self.max_open);
        drop(maps);
        drop((earlier, closed));
    }

    /// Records under which slug the store has a tenant.
    pub(crate) fn record_slug(&self, slug: TenantSlug, tenant_id: TenantId) {
        self.maps().record_slug(slug, tenant_id);
    }

    /// Removes a tenant that was closed or deleted, unless another opening has taken its place.
    pub(crate) fn remove_open(&self, tenant_id: TenantId, inner: &Inner) {
        let mut maps = self.maps();
        let is_it = |open: &OpenTenant| std::ptr::eq(&raw const *open.inner, inner);
        if maps.tenants.get(&tenant_id).and_then(|entry| entry.open.as_ref()).is_some_and(is_it) {
            let closed = maps.remove_open(tenant_id);
            drop(maps);
            drop(closed);
        }
    }

    /// Closes the tenants that nobody references, that have no commit in doubt, and that were last handed out at least
    /// this long ago. Returns how many.
    pub(crate) fn close_idle(&self, unused_for: Duration) -> usize {
        let now = self.clock.now();
        let unused_for = i64::try_from(unused_for.as_micros()).unwrap_or(i64::MAX);
        let mut maps = self.maps();
        let is_unused = |open: &mut OpenTenant| {
            // If the clock was set back, the time starts again: no tenant stays open for as long as the clock went back.
            open.handed_out = open.handed_out.min(now);
            now.as_micros().saturating_sub(open.handed_out.as_micros()) >= unused_for
        };
        let open = maps.tenants.iter_mut().filter_map(|(id, entry)| entry.open.as_mut().map(|open| (*id, open)));
        let unused: Vec<TenantId> = open.filter_map(|(id, open)| is_unused(open).then_some(id)).collect();
        let closed: Vec<Arc<Inner>> = unused.into_iter().filter_map(|id| maps.close_if_idle(id)).collect();
        drop(maps);
        closed.len()
    }

    /// Returns the queue of those that create a tenant under a slug.
    pub(crate) fn creation_queue(&self, slug: &TenantSlug) -> Arc<CreationQueue> {
        Arc::clone(self.maps().creations.entry_ref(slug).or_default())
    }

    /// Whether somebody is creating a tenant under a slug, or has left a creation in doubt.
    pub(crate) fn has_creation(&self, slug: &TenantSlug) -> bool {
        self.maps().creations.contains_key(slug)
    }

    /// Removes the queue of a slug, unless somebody else waits in it or a creation is in doubt.
    pub(crate) fn release_creation(&self, slug: &TenantSlug) {
        let mut maps = self.maps();
        // The map and the caller have a reference each.
        let is_idle = |queue: &Arc<CreationQueue>| Arc::strong_count(queue) <= 2 && queue.pending().is_none();
        if maps.creations.get(slug).is_some_and(is_idle) {
            maps.creations.remove(slug);
        }
    }
}

impl Maps {
    fn hand_out(&mut self, tenant_id: TenantId, now: Timestamp) -> Option<Arc<Inner>> {
        let open = self.tenants.get_mut(&tenant_id)?.open.as_mut()?;
        open.handed_out = now;
        self.recency.touch(open.recency_index);
        Some(Arc::clone(&open.inner))
    }

    /// Returns the earlier opening that this one replaces, to be dropped without the lock.
    fn insert_open(&mut self, tenant_id: TenantId, inner: &Arc<Inner>, now: Timestamp) -> Option<Arc<Inner>> {
        let earlier = self.remove_open(tenant_id);
        // The write state that `inner` references keeps the entry.
        let entry = self.tenants.get_mut(&tenant_id)?;
        let recency_index = self.recency.push(tenant_id);
        entry.open = Some(OpenTenant { inner: Arc::clone(inner), recency_index, handed_out: now });
        earlier
    }

    fn record_slug(&mut self, slug: TenantSlug, tenant_id: TenantId) {
        // If the tenant was closed meanwhile, nothing would ever remove the hint.
        let Some(entry) = self.tenants.get_mut(&tenant_id).filter(|entry| entry.open.is_some()) else { return };
        let earlier = entry.slug.replace(slug.clone());
        self.remove_slug(earlier, tenant_id);
        self.by_slug.insert(slug, tenant_id);
    }

    /// Removes the hint from a slug to a tenant, unless another tenant has that slug by now.
    fn remove_slug(&mut self, slug: Option<TenantSlug>, tenant_id: TenantId) {
        if let Some(slug) = slug.filter(|slug| self.by_slug.get(slug) == Some(&tenant_id)) {
            self.by_slug.remove(&slug);
        }
    }

    /// Closes the least recently handed out tenants until there are few enough, or enough were tried. One that is in use
    /// moves to the end, so that the next opening tries others.
    fn make_room(&mut self, max_open: usize) -> Vec<Arc<Inner>> {
        let mut closed = Vec::new();
        for _ in 0..MAX_TRIED.min(self.recency.len()) {
            if self.recency.len() <= max_open {
                break;
            }
            let Some(tenant_id) = self.recency.oldest() else { break };
            match self.close_if_idle(tenant_id) {
                Some(inner) => closed.push(inner),
                None => self.move_to_end(tenant_id),
            }
        }
        closed
    }

    fn move_to_end(&mut self, tenant_id: TenantId) {
        if let Some(open) = self.tenants.get(&tenant_id).and_then(|entry| entry.open.as_ref()) {
            self.recency.touch(open.recency_index);
        }
    }

    /// Removes a tenant if only this registry references it, nobody waits to write, and no commit is in doubt. Nobody
    /// can obtain a reference while the maps are locked.
    fn close_if_idle(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get(&tenant_id)?;
        let is_referenced = entry.open.as_ref().is_none_or(|open| Arc::strong_count(&open.inner) > 1);
        if is_referenced || entry.references > 1 || entry.write_state.pending().is_some() {
            return None;
        }
        self.remove_open(tenant_id)
    }

    /// Removes an open tenant. Its entry stays for as long as its write state is referenced.
    fn remove_open(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get_mut(&tenant_id)?;
        let (open, slug) = (entry.open.take()?, entry.slug.take());
        let moved = self.recency.remove(open.recency_index);
        if let Some(other) = moved.and_then(|tenant_id| self.tenants.get_mut(&tenant_id)?.open.as_mut()) {
            other.recency_index = open.recency_index;
        }
        self.remove_slug(slug, tenant_id);
        Some(open.inner)
    }

    /// Drops one reference to a write state. The last one removes the entry, unless a commit is in doubt.
    fn release(&mut self, tenant_id: TenantId, write_state: &Arc<WriteState>) {
        let is_it = |entry: &&mut TenantEntry| Arc::ptr_eq(&entry.write_state, write_state);
        let Some(entry) = self.tenants.get_mut(&tenant_id).filter(is_it) else { return };
        entry.references -= 1;
        if entry.references == 0 && entry.write_state.pending().is_none() {
            self.tenants.remove(&tenant_id);
            shrink(&mut self.tenants);
            shrink(&mut self.by_slug);
        }
    }
}

/// Returns memory when three quarters of a map are empty, so that its size follows its content.
fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() / 4 > map.len() {
        map.shrink_to(map.len() * 2);
    }
}

impl Deref for WriteStateRef {
    type Target = WriteState;

    fn deref(&self) -> &WriteState {
        &self.write_state
    }
}

impl Drop for WriteStateRef {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.maps().release(self.tenant_id, &self.write_state);
        }
    }
}

impl Inner {
    /// Whether the tenant has this slug at its own revision.
    pub(crate) fn has_slug(&self, slug: &TenantSlug) -> bool {
        self.current.guard().state.tenant.as_ref().is_some_and(|tenant| tenant.slug == *slug)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.current.guard().availability.is_over()
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
    fn recording_the_slug_of_a_closed_tenant_leaves_no_hint() {
        let registry = Arc::new(Registry::new(usize::MAX, Arc::new(SystemClock)));
        let (tenant_id, slug) = (TenantId::random(), TenantSlug::new("acme").unwrap());
        let write_state = registry.write_state(tenant_id);
        registry.record_slug(slug, tenant_id);
        drop(write_state);
        let maps = registry.maps();
        assert!(maps.by_slug.is_empty() && maps.tenants.is_empty());
    }
}
