//! An indexed user: what a check by id reads of a user, half a cache line, stored where the hash of the id leads.
//!
//! It contains the same as the user's summary (I11). In unusual cases it contains less, and its number leads to the
//! summary. Next: `tables/persistent_hash_table.rs`, where indexed users are stored; `check.rs`, which reads them.

use uuid::Uuid;

use super::user_summary::{MOST_SOURCES, UserSummary};
use crate::resolver::tables::persistent_hash_table::Item;

/// Six of the seven sources of a summary, so that an indexed user has 32 bytes.
const MOST_COLUMNS: usize = MOST_SOURCES - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser {
    pub(crate) id: Uuid,
    columns: [u16; MOST_COLUMNS],
    /// The number plus one; the highest bit says whether the columns are incomplete. Zero is a free slot.
    tagged_number: u32,
}

const UNUSUAL: u32 = 1 << 31;

impl IndexedUser {
    pub(crate) fn of(id: Uuid, number: u32, summary: &UserSummary) -> Self {
        let (columns, flag) = match summary {
            UserSummary::Short([columns @ .., 0]) => (*columns, 0),
            _ => ([0; MOST_COLUMNS], UNUSUAL),
        };
        Self { id, columns, tagged_number: number.saturating_add(1) | flag }
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        (self.tagged_number & !UNUSUAL).wrapping_sub(1)
    }

    /// The columns, if they are everything that the user holds and are active at every instant.
    #[inline]
    pub(crate) fn columns(&self) -> Option<&[u16; MOST_COLUMNS]> {
        (self.tagged_number & UNUSUAL == 0).then_some(&self.columns)
    }
}

impl Item for IndexedUser {
    const FREE: Self = Self { id: Uuid::nil(), columns: [0; MOST_COLUMNS], tagged_number: 0 };

    #[inline]
    fn is_free(&self) -> bool {
        self.tagged_number == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::resolver::snapshot::edge::MOST_NUMBERS;

    #[test]
    fn an_indexed_user_is_half_a_cache_line() {
        assert_eq!(size_of::<IndexedUser>(), 32);
    }

    #[test]
    fn an_indexed_user_has_columns_only_if_they_are_complete() {
        let six = UserSummary::Short([1, 2, 3, 4, 5, 6, 0]);
        let indexed = |number, summary: &UserSummary| IndexedUser::of(Uuid::nil(), number, summary);
        assert_eq!(indexed(9, &six).columns(), Some(&[1, 2, 3, 4, 5, 6]));
        let seven = UserSummary::Short([1, 2, 3, 4, 5, 6, 7]);
        for unusual in [UserSummary::Absent, UserSummary::Suspended, UserSummary::Long(Arc::default()), seven] {
            assert_eq!(indexed(9, &unusual).columns(), None);
            assert_eq!(indexed(MOST_NUMBERS - 1, &unusual).number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| indexed(n, &six).number()), [0, MOST_NUMBERS - 1]);
    }
}
