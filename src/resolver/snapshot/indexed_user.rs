//! What a check by id reads of a user: half a cache line, in the place where the id's hash leads.
//!
//! It says what the brief says (I11), and less where that is unusual: then the number leads to the brief. Next:
//! `tables/persistent_hash_table.rs`, where cards lie; `check.rs`, which reads them.

use uuid::Uuid;

use super::user_summary::{Form, MOST_SOURCES, UserSummary};
use crate::resolver::tables::persistent_hash_table::Item;

/// Six of the seven sources of a brief, so that a card is 32 bytes.
const MOST_COLUMNS: usize = MOST_SOURCES - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser {
    pub(crate) id: Uuid,
    columns: [u16; MOST_COLUMNS],
    /// The number and one, and in the highest bit whether the columns are not all. Zero is nobody.
    who: u32,
}

const UNUSUAL: u32 = 1 << 31;

impl IndexedUser {
    pub(crate) fn of(id: Uuid, number: u32, summary: &UserSummary) -> Self {
        let [columns @ .., seventh] = summary.columns;
        let usual = summary.form == Form::Plain && seventh == 0;
        let flag = if usual { 0 } else { UNUSUAL };
        Self { id, columns, who: number.saturating_add(1) | flag }
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        (self.who & !UNUSUAL).wrapping_sub(1)
    }

    /// The columns, if they are all that counts, at every instant.
    #[inline]
    pub(crate) fn columns(&self) -> Option<&[u16; MOST_COLUMNS]> {
        (self.who & UNUSUAL == 0).then_some(&self.columns)
    }
}

impl Item for IndexedUser {
    const FREE: Self = Self { id: Uuid::nil(), columns: [0; MOST_COLUMNS], who: 0 };

    #[inline]
    fn is_free(&self) -> bool {
        self.who == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::snapshot::edge::MOST_NUMBERS;

    #[test]
    fn an_indexed_user_is_half_a_cache_line() {
        assert_eq!(size_of::<IndexedUser>(), 32);
    }

    #[test]
    fn an_indexed_user_has_columns_only_if_they_are_complete() {
        let summary = |columns, form| UserSummary { columns, form };
        let six = [1, 2, 3, 4, 5, 6, 0];
        let indexed = |number, columns, form| IndexedUser::of(Uuid::nil(), number, &summary(columns, form));
        assert_eq!(indexed(9, six, Form::Plain).columns(), Some(&[1, 2, 3, 4, 5, 6]));
        let unusual = [Form::Absent, Form::Suspended, Form::Long].map(|form| (six, form));
        for (columns, form) in unusual.into_iter().chain([([1, 2, 3, 4, 5, 6, 7], Form::Plain)]) {
            assert_eq!(indexed(9, columns, form).columns(), None);
            assert_eq!(indexed(MOST_NUMBERS - 1, columns, form).number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| indexed(n, six, Form::Plain).number()), [0, MOST_NUMBERS - 1]);
    }
}
