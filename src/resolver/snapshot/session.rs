//! The session: the time during which a tenant is open, with the numbers that ids have in it.
//!
//! An id has one number per session, whatever the origin of the number: a plan that was dropped, an in-doubt commit, a
//! refresh. A number is never given to a second id.

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
    next: [AtomicU32; 6],
    numbers: Mutex<Numbers>,
}

/// The numbers that were given out, besides those in the state that a plan is based on.
#[derive(Debug, Default)]
struct Numbers {
    /// The snapshot that was published last. A plan in progress may be based on an older one. The snapshot refers to
    /// this session in turn, so the publisher of snapshots must close the session at the end.
    latest: Option<Arc<CompiledTenant>>,
    /// Numbers of ids that no published state has. An entry is removed when its id is published. Those of dropped
    /// plans stay as long as the session, because a handle from their preview may still be in use.
    by_id: HashMap<(EntityKind, Uuid), u32>,
}

/// The changes that a published snapshot brought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    /// The entities that these commits added.
    Changes(&'a [&'a [Change]]),
    /// Perhaps everything: it was loaded.
    All,
}

impl Numbers {
    /// Removes the numbers that a published snapshot contains.
    fn forget<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        for record in changes.filter(|change| change.before().is_none()).filter_map(Change::after) {
            let id = match record {
                Record::Permission(record) => (EntityKind::Permission, record.id.as_uuid()),
                Record::Role(record) => (EntityKind::Role, record.id.as_uuid()),
                Record::Group(record) => (EntityKind::Group, record.id.as_uuid()),
                Record::User(record) => (EntityKind::User, record.id.as_uuid()),
                Record::Separation(record) => (EntityKind::Separation, record.id.as_uuid()),
                Record::Assertion(record) => (EntityKind::Assertion, record.id.as_uuid()),
                Record::Tenant(_)
                | Record::Grant(_)
                | Record::Inclusion(_)
                | Record::Parent(_)
                | Record::Assignment(_)
                | Record::Membership(_) => continue,
            };
            self.by_id.remove(&id);
        }
    }
}

impl Session {
    /// A session whose numbers begin after those of the catalog.
    pub(crate) fn new(first_permission: u32, first_role: u32) -> Self {
        let next = [first_permission, first_role, 0, 0, 0, 0].map(AtomicU32::new);
        Self { token: new_token(), next, numbers: Mutex::default() }
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// The number of an id: the one in this state, the one that it was given before, or a new one.
    pub(crate) fn number(&self, state: &State, entity: EntityKind, id: Uuid) -> Result<u32> {
        match state.number_of(entity, id) {
            Some(number) => Ok(number),
            None => self.number_of_new(entity, id),
        }
    }

    /// The number of an id that the caller's state does not have: the one that it was given before, or a new one.
    pub(crate) fn number_of_new(&self, entity: EntityKind, id: Uuid) -> Result<u32> {
        let mut numbers = self.lock();
        let latest = numbers.latest.as_ref().and_then(|latest| latest.state.number_of(entity, id));
        if let Some(number) = latest.or_else(|| numbers.by_id.get(&(entity, id)).copied()) {
            return Ok(number);
        }
        let [permissions, roles, groups, users, separations, assertions] = &self.next;
        let next = match entity {
            EntityKind::Permission => permissions,
            EntityKind::Role => roles,
            EntityKind::Group => groups,
            EntityKind::User | EntityKind::Tenant => users,
            EntityKind::Separation => separations,
            EntityKind::Assertion => assertions,
        };
        let number = next.load(Ordering::Relaxed);
        if number >= MOST_NUMBERS {
            return Err(Error::new(ErrorKind::TooManyEntities));
        }
        next.store(number + 1, Ordering::Relaxed); // the lock is held: nobody stores between the two
        numbers.by_id.insert((entity, id), number);
        Ok(number)
    }

    /// A new number, while nobody else has this session. The id cannot have a number yet, and the state that the
    /// caller adds it to will be the first to be published.
    pub(crate) fn new_number(&mut self, entity: EntityKind) -> Result<u32> {
        let [permissions, roles, groups, users, separations, assertions] = &mut self.next;
        let next = match entity {
            EntityKind::Permission => permissions,
            EntityKind::Role => roles,
            EntityKind::Group => groups,
            EntityKind::User | EntityKind::Tenant => users,
            EntityKind::Separation => separations,
            EntityKind::Assertion => assertions,
        };
        let next = next.get_mut();
        if *next >= MOST_NUMBERS {
            return Err(Error::new(ErrorKind::TooManyEntities));
        }
        *next += 1;
        Ok(*next - 1)
    }

    /// Records that a snapshot was published, which contains the new ids from here on.
    pub(crate) fn published(&self, next: &Arc<CompiledTenant>, news: News<'_>) {
        let mut numbers = self.lock();
        match news {
            News::Changes(commits) => numbers.forget(commits.iter().copied().flatten()),
            News::All => {
                numbers.by_id.retain(|(entity, id), _| next.state.number_of(*entity, *id).is_none());
                numbers.by_id.shrink_to_fit();
            }
        }
        let earlier = numbers.latest.replace(Arc::clone(next));
        drop(numbers);
        drop(earlier);
    }

    /// Closes the session: no more numbers are given out. A snapshot that is still referenced then keeps only itself
    /// in memory.
    pub(crate) fn close(&self) {
        let numbers = std::mem::take(&mut *self.lock());
        drop(numbers);
    }

    /// Every critical section leaves both parts consistent, so the content is consistent after a panic, too.
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
