//! Sets of permissions and of users, with set algebra: what "everything a user may do" and "who may do this" are.

use std::fmt;

use super::lookup::WithOrigin;
use super::page::{self, Page, PageRequest};
use crate::model::records::{PermissionRecord, Slug, UserId, UserKey, UserRecord};
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::names::{AsPermission, AsUser};

macro_rules! algebra {
    ($set:ident, $as:ident, $find:ident, $table:ident) => {
        impl $set {
            pub(crate) fn new(snapshot: Snapshot, bits: Bits, unavailable: Option<Reason>) -> Self {
                let bits = if unavailable.is_some() { Bits::new() } else { bits };
                Self { snapshot, bits, unavailable }
            }

            /// How many.
            pub fn len(&self) -> usize {
                self.bits.len()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.bits.is_empty()
            }

            /// Why the set is empty although nothing was looked at, if that is so.
            pub fn unavailable(&self) -> Option<Reason> {
                self.unavailable
            }

            /// Whether this one is in it.
            pub fn contains(&self, one: impl $as) -> bool {
                one.$find(self.snapshot.0.scope()).is_some_and(|number| self.bits.contains(number))
            }

            /// What is in this set or in the other. Sets of two openings have nothing in common: of another opening's
            /// set, nothing is taken. Of two revisions the result is of the newer one, without what is gone by then.
            #[must_use]
            pub fn union(&self, other: &Self) -> Self {
                let mut union = self.with(other, |bits, other| bits.union_with(other));
                if self.is_beside(other) && self.snapshot.revision() != other.snapshot.revision() {
                    if other.snapshot.revision() > self.snapshot.revision() {
                        union.snapshot = other.snapshot.clone();
                    }
                    let gone = |n: &u32| union.snapshot.0.state.$table.row(*n).is_none();
                    for number in union.bits.iter().filter(gone).collect::<Vec<_>>() {
                        union.bits.remove(number);
                    }
                }
                union
            }

            /// What is in this set and in the other.
            #[must_use]
            pub fn intersection(&self, other: &Self) -> Self {
                self.with(other, |bits, other| bits.intersect_with(other))
            }

            /// What is in this set and not in the other.
            #[must_use]
            pub fn difference(&self, other: &Self) -> Self {
                self.with(other, |bits, other| bits.subtract(other))
            }

            /// Whether all of this set is in the other. Of a set that was not looked at, no.
            pub fn is_subset(&self, other: &Self) -> bool {
                self.unavailable.is_none() && self.bits.is_subset(&self.intersection(other).bits)
            }

            /// Whether the numbers of both mean the same.
            fn is_beside(&self, other: &Self) -> bool {
                self.snapshot.0.session.token() == other.snapshot.0.session.token()
            }

            fn with(&self, other: &Self, join: impl FnOnce(&mut Bits, &Bits)) -> Self {
                let mut bits = self.bits.clone();
                join(&mut bits, if self.is_beside(other) { &other.bits } else { const { &Bits::new() } });
                Self { snapshot: self.snapshot.clone(), bits, unavailable: self.unavailable }
            }
        }

        impl PartialEq for $set {
            /// Equal sets are of one opening of a tenant, whatever their revisions.
            fn eq(&self, other: &Self) -> bool {
                self.is_beside(other) && self.bits == other.bits
            }
        }

        impl Eq for $set {}

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($set), "({})"), self.len())
            }
        }
    };
}

/// A set of permissions of a tenant and its catalog.
#[derive(Clone)]
pub struct PermissionSet {
    snapshot: Snapshot,
    bits: Bits,
    unavailable: Option<Reason>,
}

/// A set of users of a tenant.
#[derive(Clone)]
pub struct UserSet {
    snapshot: Snapshot,
    bits: Bits,
    unavailable: Option<Reason>,
}

algebra!(PermissionSet, AsPermission, permission, permissions);
algebra!(UserSet, AsUser, user, users);

impl PermissionSet {
    /// The permissions, by slug.
    ///
    /// # Complexity
    /// O(n log n) for n in the set.
    pub fn records(&self) -> Vec<WithOrigin<PermissionRecord>> {
        let rows = self.bits.iter().filter_map(|n| self.snapshot.0.state.permissions.row(n));
        let mut records: Vec<WithOrigin<PermissionRecord>> = rows.map(WithOrigin::from).collect();
        records.sort_unstable_by(|a, b| a.slug.cmp(&b.slug));
        records
    }

    /// The slugs, in bytewise order.
    ///
    /// # Complexity
    /// O(n log n) for n in the set.
    pub fn slugs(&self) -> Vec<Slug> {
        let rows = self.bits.iter().filter_map(|n| self.snapshot.0.state.permissions.row(n));
        let mut slugs: Vec<Slug> = rows.map(|row| row.record.slug.clone()).collect();
        slugs.sort_unstable();
        slugs
    }
}

impl UserSet {
    /// The ids, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = UserId> + '_ {
        self.bits.iter().filter_map(|n| self.snapshot.0.state.users.id_at(n)).map(UserId::from_uuid)
    }

    /// The keys, in bytewise order.
    ///
    /// # Complexity
    /// O(n log n) for n in the set; a [`UserSet::page`] of a large set costs much less.
    pub fn keys(&self) -> Vec<UserKey> {
        let rows = self.bits.iter().filter_map(|n| self.snapshot.0.state.users.row(n));
        let mut keys: Vec<UserKey> = rows.map(|row| row.key().clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// A page of the users, in bytewise order of their keys.
    ///
    /// # Complexity
    /// For a page of k from a set of n among N users: O(n log k) where n² < k·N, else O(k·N / n) on average; so at most
    /// about √(k·N) steps. With a search text, O(n) more.
    pub fn page(&self, page: &PageRequest) -> Page<UserRecord> {
        let users = &self.snapshot.0.state.users;
        let record = |n: u32| users.row(n).map(|row| row.record.clone());
        let found = page::of_set(users, &self.bits, page, |row| page.finds_user(&row.record));
        Page::new(found, page, self.unavailable, |n| users.name_at(n), record)
    }
}
