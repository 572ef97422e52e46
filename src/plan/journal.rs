//! The changes that a transaction has made so far.
//!
//! They are kept in the order in which they were made. The plan has one change for each record, by key. They are sorted and
//! combined only then, at once: a transaction with very many changes searches for none of them. The price: a record that
//! changes several times takes the space of all its changes until then.

use crate::model::internal_fault::must;
use crate::model::records::Change;

/// The text of the fault that the two sides of a change do not fit.
pub(super) const TWO_SIDES: &str = "the two sides of a change are one record";

/// INVARIANT: of two changes of one record, the later one begins with what the earlier one ends with.
#[derive(Debug, Default)]
pub(super) struct Journal(Vec<Change>);

impl Journal {
    pub(super) fn record(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.0.extend(changes);
    }

    /// Returns the difference that the changes make together: one change for each record that is not as before, by key.
    ///
    /// A missing lookup is a fault, so call it under `watch`.
    pub(super) fn into_difference(self) -> Vec<Change> {
        let mut changes = self.0;
        // Stable, so that the changes of one record stay in order.
        changes.sort_by_cached_key(Change::key);
        let mut difference = Vec::with_capacity(changes.len());
        let mut changes = changes.into_iter().peekable();
        while let Some(first) = changes.next() {
            let key = first.key();
            let (before, mut after) = first.into_sides();
            while let Some(later) = changes.next_if(|change| change.key() == key) {
                after = later.into_sides().1;
            }
            if before != after {
                difference.extend(must(Change::new(before, after), TWO_SIDES));
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{Record, UserId, UserKey, UserRecord};

    #[test]
    fn changes_of_one_record_become_one_and_those_that_change_nothing_none() {
        let user = |id: u128, key: &str| {
            Record::User(UserRecord::new(UserId::from_uuid(uuid::Uuid::from_u128(id)), UserKey::new(key).unwrap()))
        };
        let renamed = |id, from, to| Change::new(Some(user(id, from)), Some(user(id, to))).unwrap();
        let mut journal = Journal::default();
        journal.record([renamed(5, "e", "f"), Change::added(user(3, "c")), Change::removed(user(2, "b"))]);
        journal.record([Change::added(user(4, "d")), renamed(5, "f", "g"), renamed(3, "c", "x")]);
        // Undone: created and deleted, deleted and created again, renamed there and back.
        journal.record([Change::removed(user(4, "d")), Change::added(user(2, "b")), renamed(1, "a", "z")]);
        journal.record([renamed(1, "z", "a"), Change::removed(user(6, "y")), Change::added(user(6, "z"))]);
        let expected = [Change::added(user(3, "x")), renamed(5, "e", "g"), renamed(6, "y", "z")];
        assert_eq!(journal.into_difference(), expected);
    }
}
