//! An indexed user: the data that a check by id reads. It fills half a cache line, and its place follows from the hash
//! of the id.
//!
//! It has a copy of the user's summary (I11), in one of four forms. Two are complete but for windows: up to six columns
//! that are always held, or up to five of which some are held within windows. With up to four columns, most of them
//! within windows, it says instead what is active within one span of time (`steady_span.rs`). Of everything else it has
//! the first six columns that are always held, which often decide. Where it does not decide, its number leads to the
//! summary.
//!
//! Next: `tables/persistent_hash_table.rs`, where indexed users are stored; `check.rs`, which reads them.

use uuid::Uuid;

use super::columns::USUAL;
use super::steady_span::{START_BITS, SteadySpan};
use super::user_summaries::{Held, UserSummary};
use crate::model::records::Timestamp;
use crate::resolver::tables::persistent_hash_table::Item;

/// As many as in a usual summary, so that an indexed user has 32 bytes.
const MOST_COLUMNS: usize = USUAL;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser {
    pub(crate) id: Uuid,
    columns: [u16; MOST_COLUMNS],
    /// The number plus one; the two highest bits are the form. Zero is a free slot.
    tagged_number: u32,
}

/// The form: all columns, each always held.
const COMPLETE: u32 = 0;
/// Some of the columns that are always held, or none.
const PART: u32 = 1 << 30;
/// All columns, some of them within windows.
const WINDOWED: u32 = 2 << 30;
/// All columns, and what of it is active in a span of time.
const STEADY: u32 = 3 << 30;
const FORM: u32 = STEADY;

/// The number of columns if some are held within windows. The last place then says which: bit 0 is the first column.
const MOST_WINDOWED: usize = MOST_COLUMNS - 1;

/// The number of columns with a span. First come those that are not active in it; the two places behind the columns
/// have their number and the span.
const MOST_STEADY: usize = MOST_COLUMNS - 2;

/// What a user holds, of which not all is always active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady<'a> {
    pub(crate) columns: &'a [u16; MOST_STEADY],
    inactive: u16,
    span: SteadySpan,
}

impl Steady<'_> {
    /// Which of the columns are active at an instant: bit 0 is the first one. `None` if the windows must be read.
    #[inline]
    pub(crate) fn active(self, at: Timestamp) -> Option<u64> {
        self.span.contains(at).then_some(!0 << self.inactive)
    }
}

impl IndexedUser {
    pub(crate) fn of(id: Uuid, number: u32, summary: &UserSummary) -> Self {
        let (columns, form) = match summary {
            UserSummary::Held(held) => placed(held),
            UserSummary::Absent | UserSummary::Suspended | UserSummary::Wide => ([0; MOST_COLUMNS], PART),
        };
        Self { id, columns, tagged_number: number.saturating_add(1) | form }
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        (self.tagged_number & !FORM).wrapping_sub(1)
    }

    /// The columns, if they are everything that the user holds and are active at every instant.
    #[inline]
    pub(crate) fn columns(&self) -> Option<&[u16; MOST_COLUMNS]> {
        (self.tagged_number & FORM == COMPLETE).then_some(&self.columns)
    }

    /// Columns that are active at every instant, and whether they are everything that the user holds.
    #[inline]
    pub(crate) fn always(&self) -> Option<(&[u16; MOST_COLUMNS], bool)> {
        (self.tagged_number & WINDOWED == 0).then_some((&self.columns, self.tagged_number & FORM == COMPLETE))
    }

    /// The columns, if they are everything that the user holds, and which of them it holds within windows: bit 0 is the
    /// first column.
    #[inline]
    pub(crate) fn windowed(&self) -> Option<(&[u16; MOST_WINDOWED], u32)> {
        let (columns, [windowed]) = self.columns.split_first_chunk()? else { return None };
        (self.tagged_number & FORM == WINDOWED).then_some((columns, u32::from(*windowed)))
    }

    /// The columns, if they are everything that the user holds, and what of them is active in a span of time.
    #[inline]
    pub(crate) fn steady(&self) -> Option<Steady<'_>> {
        let (columns, [start, end]) = self.columns.split_first_chunk()? else { return None };
        let span = SteadySpan { start: *start & START, end: *end };
        let steady = Steady { columns, inactive: *start >> START_BITS, span };
        (self.tagged_number & FORM == STEADY).then_some(steady)
    }
}

const START: u16 = (1 << START_BITS) - 1;

/// The columns of a user in the most informative form.
fn placed(held: &Held) -> ([u16; MOST_COLUMNS], u32) {
    let mut columns = [0; MOST_COLUMNS];
    let (count, windows) = (held.columns.len(), held.windows.len());
    // Where more is held always than within windows, the windows seldom decide, and no clock need be read for the rest.
    if windows * 2 >= count && (1..=MOST_STEADY).contains(&count) {
        if let Some((SteadySpan { start, end }, active)) = SteadySpan::of(&held.windows) {
            let is_active = |at: usize| at >= windows || active >> at & 1 == 1;
            let (last, first): (Vec<_>, Vec<_>) = (0..count).zip(&held.columns).partition(|(at, _)| is_active(*at));
            let inactive = u16::try_from(first.len()).unwrap_or(0);
            let placed = first.into_iter().chain(last).map(|(_, column)| *column);
            columns.iter_mut().zip(placed).for_each(|(place, column)| *place = column);
            columns.iter_mut().skip(MOST_STEADY).zip([start | inactive << START_BITS, end]).for_each(|(a, b)| *a = b);
            return (columns, STEADY);
        }
    }
    let (form, shown) = match windows {
        0 if count <= MOST_COLUMNS => (COMPLETE, 0),
        1.. if count <= MOST_WINDOWED => (WINDOWED, 0),
        _ => (PART, windows),
    };
    columns.iter_mut().zip(held.columns.iter().skip(shown)).for_each(|(place, column)| *place = *column);
    if let (WINDOWED, Some(last)) = (form, columns.last_mut()) {
        *last = (1 << windows) - 1;
    }
    (columns, form)
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

    fn until(secs: i64) -> Window {
        Window::until(Timestamp::from_secs(secs).unwrap())
    }

    fn held(windowed: usize, always: usize) -> UserSummary {
        UserSummary::Held(Held {
            columns: (1..).take(windowed + always).collect(),
            windows: std::iter::repeat_n(until(30), windowed).collect(),
        })
    }

    #[test]
    fn an_indexed_user_is_half_a_cache_line() {
        assert_eq!(size_of::<IndexedUser>(), 32);
    }

    #[test]
    fn an_indexed_user_has_six_columns_and_says_whether_they_are_complete() {
        assert_eq!(indexed(9, &held(0, 6)).columns(), Some(&[1, 2, 3, 4, 5, 6]));
        for (unusual, always) in [
            (UserSummary::Absent, [0; 6]),
            (UserSummary::Suspended, [0; 6]),
            (UserSummary::Wide, [0; 6]),
            (held(0, 7), [1, 2, 3, 4, 5, 6]),
            (held(1, 5), [2, 3, 4, 5, 6, 0]),
            (held(6, 0), [0; 6]),
        ] {
            let indexed = indexed(MOST_NUMBERS - 1, &unusual);
            assert_eq!((indexed.columns(), indexed.always()), (None, Some((&always, false))));
            assert!(indexed.windowed().is_none() && indexed.steady().is_none());
            assert_eq!(indexed.number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| indexed(n, &held(0, 6)).number()), [0, MOST_NUMBERS - 1]);
    }

    #[test]
    fn an_indexed_user_says_which_columns_are_held_within_windows() {
        for (windowed, always) in (1..=5).flat_map(|w| (0..=5 - w).map(move |a| (w, a))) {
            let indexed = indexed(9, &held(windowed, always));
            assert_eq!((indexed.columns(), indexed.always(), indexed.number()), (None, None, 9));
            let count = |columns: &[u16]| columns.iter().filter(|column| **column != 0).count();
            if windowed >= always && windowed + always <= 4 {
                let steady = indexed.steady().unwrap();
                assert_eq!(count(steady.columns), windowed + always);
                assert_eq!(steady.active(Timestamp::from_secs(29).unwrap()), Some(!0));
                assert_eq!(steady.active(Timestamp::from_secs(30).unwrap()), None);
                continue;
            }
            let (columns, windows) = indexed.windowed().unwrap();
            assert_eq!((count(columns), windows), (windowed + always, (1 << windowed) - 1));
        }
    }

    #[test]
    fn what_is_not_active_in_the_span_comes_first() {
        let from = |secs| Window::from(Timestamp::from_secs(secs).unwrap());
        let windows = [until(30), from(60), until(90)].into_iter().collect();
        let held = UserSummary::Held(Held { columns: [7, 8, 9, 10].into_iter().collect(), windows });
        let indexed = indexed(3, &held);
        let steady = indexed.steady().unwrap();
        assert_eq!((*steady.columns, indexed.number()), ([7, 8, 9, 10], 3));
        let active = |secs| steady.active(Timestamp::from_secs(secs).unwrap());
        assert_eq!((active(59), active(60), active(89), active(90)), (None, Some(!1), Some(!1), None));
    }
}
