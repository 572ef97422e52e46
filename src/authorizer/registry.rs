//! Which tenants are open, and under which slugs they were last found.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::birth::Birth;
use super::tenant::{Inner, Slot};
use crate::records::{Life, TenantSlug};

pub(crate) struct Registry {
    most_open: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    lives: HashMap<Life, Entry>,
    /// Hints: the tenant's own snapshot has the last word on its slug.
    slugs: HashMap<TenantSlug, Life>,
    births: HashMap<TenantSlug, Arc<Birth>>,
    clock: u64,
}

struct Entry {
    slot: Arc<Slot>,
    tenant: Option<Arc<Inner>>,
    used: u64,
}

impl Registry {
    pub(crate) fn new(most_open: usize) -> Self {
        Self { most_open, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        let is_open = |entry: &&Entry| entry.tenant.as_ref().is_some_and(|inner| inner.is_open());
        self.entries().lives.values().filter(is_open).count()
    }

    /// The open tenant that was last found under this slug. Whether it still bears it, its own snapshot says.
    pub(crate) fn by_slug(&self, slug: &TenantSlug) -> Option<Arc<Inner>> {
        let life = self.entries().slugs.get(slug).copied()?;
        self.by_life(life)
    }

    /// The open tenant of this life.
    pub(crate) fn by_life(&self, life: Life) -> Option<Arc<Inner>> {
        let mut entries = self.entries();
        let used = entries.tick();
        let entry = entries.lives.get_mut(&life)?;
        entry.used = used;
        entry.tenant.clone().filter(|inner| inner.is_open())
    }

    /// The turns of a life, and what is pending of it.
    pub(crate) fn slot(&self, life: Life) -> Arc<Slot> {
        let mut entries = self.entries();
        let used = entries.tick();
        let new = || Entry { slot: Arc::default(), tenant: None, used };
        Arc::clone(&entries.lives.entry(life).or_insert_with(new).slot)
    }

    /// A tenant is open from now on. If that is one too many, one that nobody holds is closed.
    pub(crate) fn opened(&self, life: Life, inner: &Arc<Inner>) {
        let mut entries = self.entries();
        let used = entries.tick();
        if let Some(tenant) = &inner.current.guard().state.tenant {
            entries.slugs.insert(tenant.slug.clone(), life);
        }
        let entry = Entry { slot: Arc::clone(&inner.slot), tenant: Some(Arc::clone(inner)), used };
        entries.lives.insert(life, entry);
        entries.make_room(self.most_open);
    }

    /// A tenant was found under a slug, by the store's word.
    pub(crate) fn bears(&self, slug: TenantSlug, life: Life) {
        self.entries().slugs.insert(slug, life);
    }

    /// A tenant is open no more.
    pub(crate) fn forget(&self, life: Life, inner: &Inner) {
        let mut entries = self.entries();
        let Some(entry) = entries.lives.get_mut(&life) else { return };
        if entry.tenant.as_ref().is_some_and(|tenant| std::ptr::eq(&raw const **tenant, inner)) {
            entry.tenant = None;
        }
        entries.sweep();
    }

    /// A life was asked for and is not there: nothing is kept of it, unless somebody else waits or something is pending.
    pub(crate) fn not_there(&self, life: Life) {
        let mut entries = self.entries();
        let idle = |entry: &Entry| {
            entry.tenant.is_none() && entry.slot.pending().is_none() && Arc::strong_count(&entry.slot) <= 2
        };
        if entries.lives.get(&life).is_some_and(idle) {
            entries.lives.remove(&life);
            entries.slugs.retain(|_, other| *other != life);
        }
    }

    /// The turns of births under a slug.
    pub(crate) fn birth(&self, slug: &TenantSlug) -> Arc<Birth> {
        Arc::clone(self.entries().births.entry(slug.clone()).or_default())
    }

    /// Whether somebody is at a birth under a slug, or has left one open.
    pub(crate) fn has_birth(&self, slug: &TenantSlug) -> bool {
        self.entries().births.contains_key(slug)
    }

    /// Nobody is at a birth any more: it is forgotten unless something is pending.
    pub(crate) fn birth_done(&self, slug: &TenantSlug) {
        let mut entries = self.entries();
        let idle = |birth: &Arc<Birth>| Arc::strong_count(birth) <= 2 && birth.pending().is_none();
        if entries.births.get(slug).is_some_and(idle) {
            entries.births.remove(slug);
        }
    }
}

impl Entries {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn make_room(&mut self, most_open: usize) {
        // What is not open may stand among them, but not many such: so most calls count nothing.
        while self.lives.len() > most_open {
            if self.lives.values().filter(|entry| entry.tenant.is_some()).count() <= most_open {
                return;
            }
            // Held by nobody but this table, so nobody can begin anything with it while the table is locked; and nobody
            // waits for its turn: only this table and the tenant hold the turns.
            let idle = |entry: &Entry| {
                entry.tenant.as_ref().is_some_and(|inner| Arc::strong_count(inner) == 1)
                    && Arc::strong_count(&entry.slot) == 2
                    && entry.slot.pending().is_none()
            };
            let oldest = self.lives.iter().filter(|(_, entry)| idle(entry)).min_by_key(|(_, entry)| entry.used);
            let Some(life) = oldest.map(|(life, _)| *life) else { return };
            self.lives.remove(&life);
            self.slugs.retain(|_, other| *other != life);
        }
    }

    /// Forgets lives that are not open, have nothing pending, and that nobody waits for.
    fn sweep(&mut self) {
        self.lives.retain(|_, entry| {
            entry.tenant.is_some() || entry.slot.pending().is_some() || Arc::strong_count(&entry.slot) > 1
        });
        let lives = &self.lives;
        self.slugs.retain(|_, life| lives.contains_key(life));
    }
}

impl Inner {
    /// Whether it is open and bears this slug at its own revision.
    pub(crate) fn bears(&self, slug: &TenantSlug) -> bool {
        self.current.guard().state.tenant.as_ref().is_some_and(|tenant| tenant.slug == *slug)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.current.guard().standing.is_over()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.len())
    }
}
