//! The changes that a transaction has made so far.
//!
//! They are kept in the order in which they were made. The plan has one change for each record, by key. They are sorted and
//! combined only then, at once: a transaction with very many changes searches for none of them. The price: a record that
//! changes several times takes the space of all its changes until then.

use uuid::Uuid;

use crate::model::internal_fault::must;
use crate::model::records::{Change, Holder, RecordKey};

/// The text of the fault that the two sides of a change do not fit.
pub(super) const TWO_SIDES: &str = "the two sides of a change are one record";

/// INVARIANT: of two changes of one record, the later one begins with what the earlier one ends with.
#[derive(Debug, Default)]
pub(super) struct Journal(Vec<Change>);

impl Journal {
    pub(super) fn record(&mut self, changes: Vec<Change>) {
        // The first changes of a transaction are often all of them.
        if self.0.is_empty() {
            self.0 = changes;
        } else {
            self.0.extend(changes);
        }
    }

    /// Returns the difference that the changes make together: one change for each record that is not as before, by key.
    ///
    /// A missing lookup is a fault, so call it under `watch`.
    pub(super) fn into_difference(self) -> Vec<Change> {
        // Changes are large, and there may be 100,000 of them. So what is sorted are small numbers, and each change is moved once.
        let place = |(place, change): (usize, &Change)| {
            let (first, second) = order_of(&change.key());
            (first, second, place)
        };
        let mut order: Vec<(u128, u64, usize)> = self.0.iter().enumerate().map(place).collect();
        order.sort_unstable();
        let mut changes: Vec<Option<Change>> = self.0.into_iter().map(Some).collect();
        let mut difference = Vec::with_capacity(changes.len());
        let mut take = |place: usize| must(changes.get_mut(place).and_then(Option::take), "a change has one place");
        for equal in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            if let [(_, _, place)] = equal {
                difference.extend(take(*place).filter(|change| change.before() != change.after()));
                continue;
            }
            let mut equal: Vec<Change> = equal.iter().filter_map(|(_, _, place)| take(*place)).collect();
            // Stable, so that the changes of one record stay in order.
            equal.sort_by_cached_key(Change::key);
            combine(equal, &mut difference);
        }
        difference
    }
}

/// Numbers in the order of the keys: a greater key never has smaller numbers. Different keys seldom have equal ones.
///
/// They are the first 192 bits of a number of the variant, the first id and what follows.
fn order_of(key: &RecordKey) -> (u128, u64) {
    let (variant, first, second) = match key {
        RecordKey::Tenant => (0, Uuid::nil(), 0),
        RecordKey::Permission(id) => (1, id.as_uuid(), 0),
        RecordKey::Role(id) => (2, id.as_uuid(), 0),
        RecordKey::Group(id) => (3, id.as_uuid(), 0),
        RecordKey::User(id) => (4, id.as_uuid(), 0),
        RecordKey::Grant(role, permission) => (5, role.as_uuid(), permission.as_uuid().as_u128()),
        RecordKey::GrantPattern(role, _) => (6, role.as_uuid(), 0),
        RecordKey::Inclusion(role, included) => (7, role.as_uuid(), included.as_uuid().as_u128()),
        RecordKey::Parent(group, parent) => (8, group.as_uuid(), parent.as_uuid().as_u128()),
        RecordKey::Assignment(role, Holder::User(user)) => (9, role.as_uuid(), user.as_uuid().as_u128() >> 1),
        RecordKey::Assignment(role, Holder::Group(group)) => {
            (9, role.as_uuid(), group.as_uuid().as_u128() >> 1 | 1 << 127)
        }
        RecordKey::Membership(user, group) => (10, user.as_uuid(), group.as_uuid().as_u128()),
        RecordKey::Separation(id) => (11, id.as_uuid(), 0),
        RecordKey::Assertion(id) => (12, id.as_uuid(), 0),
    };
    let (first, rest): (u128, u128) = (first.as_u128(), first.as_u128() << 124 | second >> 4);
    (variant << 124 | first >> 4, u64::try_from(rest >> 64).unwrap_or(u64::MAX))
}

/// Adds the difference that these changes make together. They are sorted by key.
fn combine(changes: Vec<Change>, difference: &mut Vec<Change>) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{
        AssertionId, GroupId, Membership, Pattern, PermissionId, Record, RoleId, SeparationId, UserId, UserKey,
        UserRecord, Window,
    };
    use proptest::prelude::*;

    #[test]
    fn changes_of_one_record_become_one_and_those_that_change_nothing_none() {
        let user = |id: u128, key: &str| {
            Record::User(UserRecord::new(UserId::from_uuid(uuid::Uuid::from_u128(id)), UserKey::new(key).unwrap()))
        };
        let renamed = |id, from, to| Change::new(Some(user(id, from)), Some(user(id, to))).unwrap();
        let mut journal = Journal::default();
        journal.record(vec![renamed(5, "e", "f"), Change::added(user(3, "c")), Change::removed(user(2, "b"))]);
        journal.record(vec![Change::added(user(4, "d")), renamed(5, "f", "g"), renamed(3, "c", "x")]);
        // Undone: created and deleted, deleted and created again, renamed there and back.
        journal.record(vec![Change::removed(user(4, "d")), Change::added(user(2, "b")), renamed(1, "a", "z")]);
        journal.record(vec![renamed(1, "z", "a"), Change::removed(user(6, "y")), Change::added(user(6, "z"))]);
        let expected = [Change::added(user(3, "x")), renamed(5, "e", "g"), renamed(6, "y", "z")];
        assert_eq!(journal.into_difference(), expected);
    }

    fn keys() -> impl Strategy<Value = RecordKey> {
        // Ids that differ in one of their ends only, or not at all.
        let ids = || (0..3_u64, 0..3_u64).prop_map(|(high, low)| Uuid::from_u64_pair(high << 61, low));
        let patterns = prop_oneof![Just("*"), Just("a:*"), Just("ab:*")];
        (0..14, ids(), ids(), patterns).prop_map(|(variant, one, other, pattern)| match variant {
            0 => RecordKey::Tenant,
            1 => RecordKey::Permission(PermissionId::from_uuid(one)),
            2 => RecordKey::Role(RoleId::from_uuid(one)),
            3 => RecordKey::Group(GroupId::from_uuid(one)),
            4 => RecordKey::User(UserId::from_uuid(one)),
            5 => RecordKey::Grant(RoleId::from_uuid(one), PermissionId::from_uuid(other)),
            6 => RecordKey::GrantPattern(RoleId::from_uuid(one), Pattern::new(pattern).unwrap()),
            7 => RecordKey::Inclusion(RoleId::from_uuid(one), RoleId::from_uuid(other)),
            8 => RecordKey::Parent(GroupId::from_uuid(one), GroupId::from_uuid(other)),
            9 => RecordKey::Assignment(RoleId::from_uuid(one), Holder::User(UserId::from_uuid(other))),
            10 => RecordKey::Assignment(RoleId::from_uuid(one), Holder::Group(GroupId::from_uuid(other))),
            11 => RecordKey::Membership(UserId::from_uuid(one), GroupId::from_uuid(other)),
            12 => RecordKey::Separation(SeparationId::from_uuid(one)),
            _ => RecordKey::Assertion(AssertionId::from_uuid(one)),
        })
    }

    proptest! {
        #[test]
        fn a_greater_key_never_has_smaller_numbers(one in keys(), other in keys()) {
            let (smaller, greater) = if one < other { (one, other) } else { (other, one) };
            prop_assert!(order_of(&smaller) <= order_of(&greater), "{:?} {:?}", smaller, greater);
        }
    }

    #[test]
    fn changes_with_equal_numbers_are_sorted_by_key_and_combined() {
        let id = |low| Uuid::from_u64_pair(7, low);
        let of = |user, group, window| {
            let (user, group) = (UserId::from_uuid(id(user)), GroupId::from_uuid(id(group)));
            Record::Membership(Membership { user, group, window })
        };
        let until = Window::until(crate::Timestamp::MAX);
        let mut journal = Journal::default();
        journal.record(vec![Change::added(of(2, 1, Window::ALWAYS)), Change::removed(of(1, 2, until))]);
        journal.record(vec![Change::added(of(1, 1, until)), Change::removed(of(2, 1, Window::ALWAYS))]);
        journal.record(vec![Change::added(of(1, 2, Window::ALWAYS))]);
        let moved = Change::new(Some(of(1, 2, until)), Some(of(1, 2, Window::ALWAYS))).unwrap();
        assert_eq!(journal.into_difference(), [Change::added(of(1, 1, until)), moved]);
    }
}
