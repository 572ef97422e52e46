//! One opening of a tenant: who its handles belong to, and which numbers have been given out.
//!
//! An id has one number per opening, whoever met it first: a plan that was only looked at, a commit whose outcome was
//! unknown, a refresh. A number is never given to a second id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::nouns::MOST_NUMBERS;
use super::state::State;
use crate::catalog::new_token;
use crate::error::{Error, ErrorKind, Noun, Result};
use crate::records::{Change, Record};

#[derive(Debug)]
pub(crate) struct Opening {
    token: u64,
    next: [AtomicU32; 4],
    /// Numbers given to ids that no published snapshot held at that time. An entry goes when its id is published; those
    /// of dropped plans stay as long as the opening, since a handle from their preview may be held by someone.
    met: Mutex<HashMap<(Noun, Uuid), u32>>,
}

fn place(noun: Noun) -> usize {
    match noun {
        Noun::Permission => 0,
        Noun::Role => 1,
        Noun::Group => 2,
        Noun::User | Noun::Tenant => 3,
    }
}

impl Opening {
    /// An opening whose numbers begin after those of the catalog.
    pub(crate) fn new(first_permission: u32, first_role: u32) -> Self {
        let next = [first_permission, first_role, 0, 0].map(AtomicU32::new);
        Self { token: new_token(), next, met: Mutex::default() }
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// The number of an id: the one that it has in this state, or was given before, or a new one.
    pub(crate) fn number(&self, state: &State, noun: Noun, id: Uuid) -> Result<u32> {
        if let Some(number) = state.number_met(noun, id) {
            return Ok(number);
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = met.get(&(noun, id)) {
            return Ok(*number);
        }
        let [permissions, roles, groups, users] = &self.next;
        let next = [permissions, roles, groups, users].into_iter().nth(place(noun)).unwrap_or(users);
        let number = next.load(Ordering::Relaxed);
        if number >= MOST_NUMBERS {
            return Err(Error::new(ErrorKind::Exhausted));
        }
        next.store(number + 1, Ordering::Relaxed); // the lock is held: nobody stores between the two
        met.insert((noun, id), number);
        Ok(number)
    }

    /// A state was published with these things: its own index knows them from now on.
    pub(crate) fn published(&self, changes: &[Change]) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        for record in changes.iter().filter(|change| change.before().is_none()).filter_map(Change::after) {
            let id = match record {
                Record::Permission(record) => (Noun::Permission, record.id.uuid()),
                Record::Role(record) => (Noun::Role, record.id.uuid()),
                Record::Group(record) => (Noun::Group, record.id.uuid()),
                Record::User(record) => (Noun::User, record.id.uuid()),
                _ => continue,
            };
            met.remove(&id);
        }
    }

    /// A state was published whole: what it holds, its own index knows.
    pub(crate) fn published_all(&self, state: &State) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.retain(|(noun, id), _| state.number_met(*noun, *id).is_none());
    }
}
