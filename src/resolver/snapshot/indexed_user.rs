//! An indexed user: what a check by id reads of a user, half a cache line, stored where the hash of the id leads.
//!
//! It contains the same as the user's summary (I11), but no windows. In unusual cases it contains less, and its number leads
//! to the summary. Next: `tables/persistent_hash_table.rs`, where indexed users are stored; `check.rs`, which reads them.

use uuid::Uuid;

use super::columns::USUAL;
use super::user_summaries::UserSummary;
use crate::resolver::tables::persistent_hash_table::Item;

/// As many as in a usual summary, so that an indexed user has 32 bytes.
const MOST_COLUMNS: usize = USUAL;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser {
    pub(crate) id: Uuid,
    columns: [u16; MOST_COLUMNS],
    /// The number plus one; the highest bit says whether the columns are incomplete. Zero is a free slot.
    tagged_number: u32,
}

const UNUSUAL: u32 = 1 << 31;

/// The number of columns if some are held within windows. The last place then says which: bit 0 is the first column.
const MOST_WINDOWED: usize = MOST_COLUMNS - 1;

impl IndexedUser {
    pub(crate) fn of(id: Uuid, number: u32, summary: &UserSummary) -> Self {
        let (mut columns, mut flag) = ([0; MOST_COLUMNS], UNUSUAL);
        if let UserSummary::Held(held) = summary {
            let (count, windows) = (held.columns.len(), held.windows.len());
            let most = if windows == 0 { MOST_COLUMNS } else { MOST_WINDOWED };
            if count <= most {
                columns.iter_mut().zip(&held.columns).for_each(|(place, column)| *place = *column);
                match columns.last_mut().filter(|_| windows > 0) {
                    Some(last) => *last = (1 << windows) - 1,
                    None => flag = 0,
                }
            }
        }
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

    /// The columns, if they are everything that the user holds, and which of them it holds within windows: bit 0 is the first
    /// column.
    #[inline]
    pub(crate) fn windowed(&self) -> Option<(&[u16; MOST_WINDOWED], u32)> {
        let (columns, [windowed]) = self.columns.split_first_chunk()? else { return None };
        (self.tagged_number & UNUSUAL != 0 && *windowed != 0).then_some((columns, u32::from(*windowed)))
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
    use super::*;
    use crate::model::records::Window;
    use crate::resolver::snapshot::edge::MOST_NUMBERS;
    use crate::resolver::snapshot::user_summaries::Held;

    fn indexed(number: u32, summary: &UserSummary) -> IndexedUser {
        IndexedUser::of(Uuid::nil(), number, summary)
    }

    fn held(windowed: usize, always: usize) -> UserSummary {
        UserSummary::Held(Held {
            columns: (1..).take(windowed + always).collect(),
            windows: std::iter::repeat_n(Window::ALWAYS, windowed).collect(),
        })
    }

    #[test]
    fn an_indexed_user_is_half_a_cache_line() {
        assert_eq!(size_of::<IndexedUser>(), 32);
    }

    #[test]
    fn an_indexed_user_has_columns_only_if_they_are_complete() {
        assert_eq!(indexed(9, &held(0, 6)).columns(), Some(&[1, 2, 3, 4, 5, 6]));
        for unusual in [UserSummary::Absent, UserSummary::Suspended, UserSummary::Wide, held(0, 7), held(1, 5)] {
            assert_eq!((indexed(9, &unusual).columns(), indexed(9, &unusual).windowed()), (None, None));
            assert_eq!(indexed(MOST_NUMBERS - 1, &unusual).number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| indexed(n, &held(0, 6)).number()), [0, MOST_NUMBERS - 1]);
    }

    #[test]
    fn an_indexed_user_says_which_columns_are_held_within_windows() {
        for (windowed, always) in (1..=5).flat_map(|w| (0..=5 - w).map(move |a| (w, a))) {
            let indexed = indexed(9, &held(windowed, always));
            let (columns, windows) = indexed.windowed().unwrap();
            assert_eq!(columns.iter().filter(|column| **column != 0).count(), windowed + always);
            assert_eq!(windows, (1 << windowed) - 1);
            assert_eq!((indexed.columns(), indexed.number()), (None, 9));
        }
    }
}
