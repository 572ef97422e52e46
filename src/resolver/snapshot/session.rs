//! One opening of a tenant: who its handles belong to, and which numbers have been given out.
//!
//! An id has one number per opening, whoever met it first: a plan that was only looked at, a commit whose outcome was
//! unknown, a refresh. A number is never given to a second id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::CompiledTenant;
use super::edge::MOST_NUMBERS;
use super::state::State;
use crate::model::catalog::new_token;
use crate::model::error::{EntityKind, Error, ErrorKind, Result};
use crate::model::records::{Change, Record};

#[derive(Debug)]
pub(crate) struct Session {
    token: u64,
    next: [AtomicU32; 4],
    met: Mutex<Numbers>,
}

/// Who was met under which number, beside those that the state a plan is made on knows.
#[derive(Debug, Default)]
struct Numbers {
    /// What was published last: a plan that is being made may not know it yet. It holds this opening in turn, so whoever
    /// publishes closes the opening at the end.
    latest: Option<Arc<CompiledTenant>>,
    /// Numbers given to ids that no published state held. An entry goes when its id is published; those of dropped plans
    /// stay as long as the opening, since a handle from their preview may be held by someone.
    numbers: HashMap<(EntityKind, Uuid), u32>,
}

/// What is new in a snapshot that is published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    /// What these commits added.
    Changes(&'a [&'a [Change]]),
    /// Perhaps all of it: it was loaded.
    All,
}

impl Numbers {
    /// A published snapshot knows what was added.
    fn forget<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        for record in changes.filter(|change| change.before().is_none()).filter_map(Change::after) {
            let id = match record {
                Record::Permission(record) => (EntityKind::Permission, record.id.as_uuid()),
                Record::Role(record) => (EntityKind::Role, record.id.as_uuid()),
                Record::Group(record) => (EntityKind::Group, record.id.as_uuid()),
                Record::User(record) => (EntityKind::User, record.id.as_uuid()),
                Record::Tenant(_)
                | Record::Grant(_)
                | Record::Inclusion(_)
                | Record::Parent(_)
                | Record::Assignment(_)
                | Record::Membership(_) => continue,
            };
            self.numbers.remove(&id);
        }
    }
}

impl Session {
    /// An opening whose numbers begin after those of the catalog.
    pub(crate) fn new(first_permission: u32, first_role: u32) -> Self {
        let next = [first_permission, first_role, 0, 0].map(AtomicU32::new);
        Self { token: new_token(), next, met: Mutex::default() }
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// The number of an id: the one that it has in this state, or was given before, or a new one.
    pub(crate) fn number(&self, state: &State, entity: EntityKind, id: Uuid) -> Result<u32> {
        match state.number_of(entity, id) {
            Some(number) => Ok(number),
            None => self.unmet(entity, id),
        }
    }

    /// The number of an id that the caller does not know: the one that it was given before, or a new one.
    pub(crate) fn unmet(&self, entity: EntityKind, id: Uuid) -> Result<u32> {
        let mut met = self.met();
        let latest = met.latest.as_ref().and_then(|latest| latest.state.number_of(entity, id));
        if let Some(number) = latest.or_else(|| met.numbers.get(&(entity, id)).copied()) {
            return Ok(number);
        }
        let [permissions, roles, groups, users] = &self.next;
        let next = match entity {
            EntityKind::Permission => permissions,
            EntityKind::Role => roles,
            EntityKind::Group => groups,
            EntityKind::User | EntityKind::Tenant => users,
        };
        let number = next.load(Ordering::Relaxed);
        if number >= MOST_NUMBERS {
            return Err(Error::new(ErrorKind::TooManyEntities));
        }
        next.store(number + 1, Ordering::Relaxed); // the lock is held: nobody stores between the two
        met.numbers.insert((entity, id), number);
        Ok(number)
    }

    /// A new number, while nobody else knows this opening: so the id was not met before, and whatever state the caller
    /// puts it in will be the first that is published.
    pub(crate) fn first_met(&mut self, entity: EntityKind) -> Result<u32> {
        let [permissions, roles, groups, users] = &mut self.next;
        let next = match entity {
            EntityKind::Permission => permissions,
            EntityKind::Role => roles,
            EntityKind::Group => groups,
            EntityKind::User | EntityKind::Tenant => users,
        };
        let next = next.get_mut();
        if *next >= MOST_NUMBERS {
            return Err(Error::new(ErrorKind::TooManyEntities));
        }
        *next += 1;
        Ok(*next - 1)
    }

    /// A snapshot was published: it knows what is new in it from now on.
    pub(crate) fn published(&self, next: &Arc<CompiledTenant>, news: News<'_>) {
        let mut met = self.met();
        match news {
            News::Changes(commits) => met.forget(commits.iter().copied().flatten()),
            News::All => {
                met.numbers.retain(|(entity, id), _| next.state.number_of(*entity, *id).is_none());
                met.numbers.shrink_to_fit();
            }
        }
        let earlier = met.latest.replace(Arc::clone(next));
        drop(met);
        drop(earlier);
    }

    /// Nothing more will be met: a snapshot that is still held keeps only itself in memory.
    pub(crate) fn close(&self) {
        let met = std::mem::take(&mut *self.met());
        drop(met);
    }

    /// Each critical section leaves both parts whole, so what a panic left behind is whole.
    fn met(&self) -> MutexGuard<'_, Numbers> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
