//! Which tenants are open, under which slugs they were last found, and which are closed to make room.
//!
//! A tenant that is closed here is one that nobody references: its reference count says so, and while the table is locked
//! nobody can come to hold it. So a check pays nothing for it; only handing a tenant out notes when.
//!
//! What is taken out is dropped after the lock is given back: a large tenant takes a while to be freed.

mod recency;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use self::recency::Recency;
use super::creation_queue::CreationQueue;
use super::tenant::Inner;
use super::write_state::{WriteState, WriteStateKeeper, WriteStateRef};
use crate::model::clock::Clock;
use crate::model::records::{TenantId, TenantSlug, Timestamp};
use crate::resolver::snapshot::session::Session;

pub(crate) struct Registry {
    max_open: usize,
    clock: Arc<dyn Clock>,
    maps: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    tenants: HashMap<TenantId, TenantEntry>,
    /// Hints, one for each life at most: the tenant's own snapshot has the last word on its slug.
    slugs: HashMap<TenantSlug, TenantId>,
    creations: HashMap<TenantSlug, Arc<CreationQueue>>,
    /// The ids that are open.
    recent: Recency,
}

struct TenantEntry {
    write_state: Arc<WriteState>,
    /// How many [`WriteStateRef`]s there are on the write_state: one of each opening that still exists, and of each who opens or waits.
    references: usize,
    slug: Option<TenantSlug>,
    open: Option<OpenTenant>,
}

struct OpenTenant {
    inner: Arc<Inner>,
    /// In [`Maps::recent`].
    place: usize,
    handed_out: Timestamp,
}

/// How many tenants are looked at for each one that is opened beyond the bound.
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

    /// All that are open. Nothing is noted: to be listed is not to be handed out.
    pub(crate) fn all_open(&self) -> Vec<Arc<Inner>> {
        let maps = self.maps();
        let open = maps.tenants.values().filter_map(|entry| entry.open.as_ref());
        open.map(|open| Arc::clone(&open.inner)).filter(|inner| inner.is_open()).collect()
    }

    /// The open tenant that was last found under this slug. Whether it still bears it, its own snapshot says.
    pub(crate) fn by_slug(&self, slug: &TenantSlug) -> Option<Arc<Inner>> {
        let tenant_id = self.maps().slugs.get(slug).copied()?;
        self.by_tenant_id(tenant_id)
    }

    /// The open tenant of this life.
    pub(crate) fn by_tenant_id(&self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let now = self.clock.now();
        self.maps().hand_out(tenant_id, now).filter(|inner| inner.is_open())
    }

    /// The turns of a life, and what is pending of it.
    pub(crate) fn write_state(self: &Arc<Self>, tenant_id: TenantId) -> WriteStateRef {
        let mut maps = self.maps();
        let new = || TenantEntry { write_state: Arc::default(), references: 0, slug: None, open: None };
        let entry = maps.tenants.entry(tenant_id).or_insert_with(new);
        entry.references += 1;
        let keeper: Weak<dyn WriteStateKeeper> = Arc::<Self>::downgrade(self);
        WriteStateRef::new(keeper, tenant_id, Arc::clone(&entry.write_state))
    }

    /// A tenant is open from now on. If that is one too many, others that nobody references are closed.
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

    /// A tenant was found under a slug, by the store's word.
    pub(crate) fn record_slug(&self, slug: TenantSlug, tenant_id: TenantId) {
        self.maps().record_slug(slug, tenant_id);
    }

    /// Closes what nobody references, is settled, and was last handed out at least this long ago. How many were closed.
    pub(crate) fn close_idle(&self, unused_for: Duration) -> usize {
        let now = self.clock.now();
        let unused_for = i64::try_from(unused_for.as_micros()).unwrap_or(i64::MAX);
        let mut maps = self.maps();
        let is_old = |open: &mut OpenTenant| {
            // Where the clock was set back, the time begins anew: nothing stays open for as long as it went back.
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

    /// The turns of births under a slug.
    pub(crate) fn creation_queue(&self, slug: &TenantSlug) -> Arc<CreationQueue> {
        Arc::clone(self.maps().creations.entry(slug.clone()).or_default())
    }

    /// Whether somebody is at a birth under a slug, or has left one open.
    pub(crate) fn has_creation(&self, slug: &TenantSlug) -> bool {
        self.maps().creations.contains_key(slug)
    }

    /// Nobody is at a birth any more: it is forgotten unless something is pending.
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

    /// What was open of this life before comes back.
    fn open(&mut self, tenant_id: TenantId, inner: &Arc<Inner>, now: Timestamp) -> Option<Arc<Inner>> {
        let earlier = self.take_out(tenant_id);
        // Its own hold keeps the entry there.
        let entry = self.tenants.get_mut(&tenant_id)?;
        entry.open = Some(OpenTenant { inner: Arc::clone(inner), place: self.recent.push(tenant_id), handed_out: now });
        earlier
    }

    fn record_slug(&mut self, slug: TenantSlug, tenant_id: TenantId) {
        // It may have been closed meanwhile: then nothing would take the hint away again.
        let Some(entry) = self.tenants.get_mut(&tenant_id).filter(|entry| entry.open.is_some()) else { return };
        let earlier = entry.slug.replace(slug.clone());
        self.unname(earlier, tenant_id);
        self.slugs.insert(slug, tenant_id);
    }

    /// Takes away the hint that leads from a slug to a life, unless the slug has another by now.
    fn unname(&mut self, slug: Option<TenantSlug>, tenant_id: TenantId) {
        if let Some(slug) = slug.filter(|slug| self.slugs.get(slug) == Some(&tenant_id)) {
            self.slugs.remove(&slug);
        }
    }

    /// Closes the one that was handed out longest ago, until there are few enough or it has looked often enough. One
    /// that is held when it is looked at counts as used then, so that the next opening looks at others.
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
        if let Some(open) = self.tenants.get(&tenant_id).and_then(|entry| entry.open.as_ref()) {
            self.recent.touch(open.place);
        }
    }

    /// Takes out the tenant of a life, if nobody but this table references it, so that nobody can begin anything with it while
    /// the table is locked; if nobody waits for its turn; and if nothing is pending.
    fn take_idle(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get(&tenant_id)?;
        let is_held = entry.open.as_ref().is_none_or(|open| Arc::strong_count(&open.inner) > 1);
        if is_held || entry.references > 1 || entry.write_state.pending().is_some() {
            return None;
        }
        self.take_out(tenant_id)
    }

    /// The tenant is open no more. Its entry stays for as long as its write_state is held.
    fn take_out(&mut self, tenant_id: TenantId) -> Option<Arc<Inner>> {
        let entry = self.tenants.get_mut(&tenant_id)?;
        let (open, slug) = (entry.open.take()?, entry.slug.take());
        let moved = self.recent.remove(open.place);
        if let Some(other) = moved.and_then(|tenant_id| self.tenants.get_mut(&tenant_id)?.open.as_mut()) {
            other.place = open.place;
        }
        self.unname(slug, tenant_id);
        Some(open.inner)
    }

    /// One hold less. What nobody references is forgotten, unless something is pending.
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

/// Gives room back where three quarters are empty, so that a table which was once large costs what it references.
fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
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
        let hold = registry.write_state(tenant_id);
        registry.record_slug(slug, tenant_id);
        drop(hold);
        let maps = registry.maps();
        assert!(maps.slugs.is_empty() && maps.tenants.is_empty());
    }
}
