//! What a check by id reads of a user: half a cache line, in the place where the id's hash leads.
//!
//! It says what the brief says (I11), and less where that is unusual: then the number leads to the brief. Next:
//! `tables/roll.rs`, where cards lie; `check.rs`, which reads them.

use uuid::Uuid;

use super::brief::{Brief, Form, MOST_SOURCES};
use crate::tables::roll::Item;

/// Six of the seven sources of a brief, so that a card is 32 bytes.
const MOST_COLUMNS: usize = MOST_SOURCES - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) id: Uuid,
    columns: [u16; MOST_COLUMNS],
    /// The number and one, and in the highest bit whether the columns are not all. Zero is nobody.
    who: u32,
}

const UNUSUAL: u32 = 1 << 31;

impl Card {
    pub(crate) fn of(id: Uuid, number: u32, brief: &Brief) -> Self {
        let [columns @ .., seventh] = brief.columns;
        let usual = brief.form == Form::Plain && seventh == 0;
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

impl Item for Card {
    const FREE: Self = Self { id: Uuid::nil(), columns: [0; MOST_COLUMNS], who: 0 };

    #[inline]
    fn is_free(&self) -> bool {
        self.who == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::edge::MOST_NUMBERS;

    #[test]
    fn a_card_is_half_a_cache_line() {
        assert_eq!(size_of::<Card>(), 32);
    }

    #[test]
    fn a_card_has_the_columns_only_where_they_are_all() {
        let brief = |columns, form| Brief { columns, form };
        let six = [1, 2, 3, 4, 5, 6, 0];
        let card = |number, columns, form| Card::of(Uuid::nil(), number, &brief(columns, form));
        assert_eq!(card(9, six, Form::Plain).columns(), Some(&[1, 2, 3, 4, 5, 6]));
        let unusual = [Form::Absent, Form::Suspended, Form::Long].map(|form| (six, form));
        for (columns, form) in unusual.into_iter().chain([([1, 2, 3, 4, 5, 6, 7], Form::Plain)]) {
            assert_eq!(card(9, columns, form).columns(), None);
            assert_eq!(card(MOST_NUMBERS - 1, columns, form).number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| card(n, six, Form::Plain).number()), [0, MOST_NUMBERS - 1]);
    }
}
