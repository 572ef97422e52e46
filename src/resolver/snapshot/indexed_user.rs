//! An indexed user: the data that a check by id reads. It fills half a cache line, and its place follows from the hash
//! of the id. Where users have many sources, it fills one line or two (`user_index.rs`).
//!
//! It has a copy of the user's summary (I11), in one of four forms. Two are complete but for windows: up to six columns
//! that are always held, or up to five of which some are held within windows. With up to four columns, at least half of
//! them within windows, it says instead which of them are active within one span of time (`steady_span.rs`). That form is
//! not used if more than three are inactive in the span. Of everything else it has the first six columns that are always
//! held, which often decide. Where it does not decide, its number leads to the summary. An indexed user of one line has
//! 22 columns instead of six, and one of two lines has 54.
//!
//! Next: `user_index.rs`, where indexed users are stored; `check.rs`, which reads them.

use uuid::Uuid;

use super::columns::USUAL;
use super::steady_span::{START_BITS, SteadySpan};
use super::user_summaries::{Held, UserSummary};
use crate::model::internal_fault::must;
use crate::model::records::Timestamp;
use crate::resolver::tables::persistent_hash_table::Item;

/// The number of columns is the usual one of a summary, so that an indexed user has 32 bytes, or one that fills a cache
/// line or two. In this order, everything but the last columns is in the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct IndexedUser<const COLUMNS: usize = USUAL> {
    pub(crate) id: Uuid,
    /// The number plus one; the two highest bits are the form. Zero is a free slot.
    tagged_number: u32,
    columns: [u16; COLUMNS],
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

/// If some columns are held within windows, these come first, and the last place has their number.
const BESIDE_WINDOWED: usize = 1;

/// With a span, the columns come first that are not active in it. The last two places have their number and the span.
const BESIDE_STEADY: usize = 2;

/// The most columns that are not active in the span.
const MOST_INACTIVE: usize = (1 << (u16::BITS - START_BITS)) - 1;

/// The columns of a user, some of which are active only at some instants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady<'a> {
    pub(crate) columns: &'a [u16],
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

impl<const COLUMNS: usize> IndexedUser<COLUMNS> {
    pub(crate) fn of(id: Uuid, number: u32, summary: &UserSummary) -> Self {
        let (columns, form) = match summary {
            UserSummary::Held(held) => placed(held),
            UserSummary::Absent | UserSummary::Suspended | UserSummary::Wide => ([0; COLUMNS], PART),
        };
        Self { id, columns, tagged_number: number.saturating_add(1) | form }
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        (self.tagged_number & !FORM).wrapping_sub(1)
    }

    /// The columns, if they are everything that the user holds and are active at every instant.
    #[inline]
    pub(crate) fn columns(&self) -> Option<&[u16]> {
        (self.tagged_number & FORM == COMPLETE).then_some(&self.columns)
    }

    /// Columns that are active at every instant, and whether they are everything that the user holds.
    #[inline]
    pub(crate) fn always(&self) -> Option<(&[u16; COLUMNS], bool)> {
        (self.tagged_number & WINDOWED == 0).then_some((&self.columns, self.tagged_number & FORM == COMPLETE))
    }

    /// The columns, if they are everything that the user holds, and which of them it holds within windows: bit 0 is the
    /// first column.
    #[inline]
    pub(crate) fn windowed(&self) -> Option<(&[u16], u64)> {
        let (columns, [windowed]) = self.columns.split_last_chunk::<BESIDE_WINDOWED>()?;
        (self.tagged_number & FORM == WINDOWED).then(|| (columns, (1 << windowed) - 1))
    }

    /// The columns, if they are everything that the user holds, and what of them is active in a span of time.
    #[inline]
    pub(crate) fn steady(&self) -> Option<Steady<'_>> {
        let (columns, [start, end]) = self.columns.split_last_chunk::<BESIDE_STEADY>()?;
        let span = SteadySpan { start: *start & START, end: *end };
        let steady = Steady { columns, inactive: *start >> START_BITS, span };
        (self.tagged_number & FORM == STEADY).then_some(steady)
    }
}

const START: u16 = (1 << START_BITS) - 1;

/// The columns of a user in the most informative form.
fn placed<const COLUMNS: usize>(held: &Held) -> ([u16; COLUMNS], u32) {
    let mut columns = [0; COLUMNS];
    let (count, windows) = (held.columns.len(), held.windows.len());
    // Where more is held always than within windows, the windows seldom decide, and no clock need be read for the rest.
    if windows * 2 >= count && (1..=COLUMNS - BESIDE_STEADY).contains(&count) {
        if let Some((SteadySpan { start, end }, active)) = SteadySpan::of(&held.windows) {
            let is_active = |at: usize| at >= windows || active >> at & 1 == 1;
            let (last, first): (Vec<_>, Vec<_>) = (0..count).zip(&held.columns).partition(|(at, _)| is_active(*at));
            if let Some(inactive) = u16::try_from(first.len()).ok().filter(|n| usize::from(*n) <= MOST_INACTIVE) {
                let placed = first.into_iter().chain(last).map(|(_, column)| *column);
                columns.iter_mut().zip(placed).for_each(|(place, column)| *place = column);
                let span = [start | inactive << START_BITS, end];
                columns.iter_mut().skip(COLUMNS - BESIDE_STEADY).zip(span).for_each(|(place, word)| *place = word);
                return (columns, STEADY);
            }
        }
    }
    let (form, shown) = match windows {
        0 if count <= COLUMNS => (COMPLETE, 0),
        1.. if count <= COLUMNS - BESIDE_WINDOWED => (WINDOWED, 0),
        _ => (PART, windows),
    };
    columns.iter_mut().zip(held.columns.iter().skip(shown)).for_each(|(place, column)| *place = *column);
    if form == WINDOWED {
        // If it were missing, no column would count as held within a window.
        let Some((last, windows)) =
            must(columns.last_mut().zip(u16::try_from(windows).ok()), "an entry has few windows")
        else {
            return ([0; COLUMNS], PART);
        };
        *last = windows;
    }
    (columns, form)
}

impl<const COLUMNS: usize> Item for IndexedUser<COLUMNS> {
    const FREE: Self = Self { id: Uuid::nil(), columns: [0; COLUMNS], tagged_number: 0 };

    #[inline]
    fn is_free(&self) -> bool {
        self.tagged_number == 0
    }
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::model::records::Window;
    use crate::resolver::snapshot::edge::MOST_NUMBERS;
    use crate::resolver::snapshot::user_summaries::Held;

    fn indexed<const COLUMNS: usize>(number: u32, summary: &UserSummary) -> IndexedUser<COLUMNS> {
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
    fn an_indexed_user_has_six_columns_and_says_whether_they_are_complete() {
        assert_eq!(indexed::<6>(9, &held(0, 6)).columns(), Some(&[1, 2, 3, 4, 5, 6][..]));
        assert_eq!(indexed::<6>(9, &held(0, 6)).always(), Some((&[1, 2, 3, 4, 5, 6], true)));
        for (unusual, always) in [
            (UserSummary::Absent, [0; 6]),
            (UserSummary::Suspended, [0; 6]),
            (UserSummary::Wide, [0; 6]),
            (held(0, 7), [1, 2, 3, 4, 5, 6]),
            (held(1, 5), [2, 3, 4, 5, 6, 0]),
            (held(6, 0), [0; 6]),
        ] {
            let indexed = indexed::<6>(MOST_NUMBERS - 1, &unusual);
            assert_eq!((indexed.columns(), indexed.always()), (None, Some((&always, false))));
            assert!(indexed.windowed().is_none() && indexed.steady().is_none());
            assert_eq!(indexed.number(), MOST_NUMBERS - 1);
        }
        assert_eq!([0, MOST_NUMBERS - 1].map(|n| indexed::<6>(n, &held(0, 6)).number()), [0, MOST_NUMBERS - 1]);
    }

    /// Whatever the number of columns, all of them are in the entry, and it says when they are active.
    fn windows_are_told<const COLUMNS: usize>() {
        for (windowed, always) in (1..COLUMNS).flat_map(|w| (0..COLUMNS - w).map(move |a| (w, a))) {
            let indexed = indexed::<COLUMNS>(9, &held(windowed, always));
            assert_eq!((indexed.columns(), indexed.always(), indexed.number()), (None, None, 9));
            let expected: Vec<u16> = (1..).take(windowed + always).collect();
            if windowed >= always && windowed + always <= COLUMNS - 2 {
                let steady = indexed.steady().unwrap();
                assert!(steady.columns.len() == COLUMNS - 2 && steady.columns.starts_with(&expected));
                assert_eq!(steady.active(Timestamp::from_secs(29).unwrap()), Some(!0));
                assert_eq!(steady.active(Timestamp::from_secs(30).unwrap()), None);
                continue;
            }
            let (columns, windows) = indexed.windowed().unwrap();
            assert!(columns.len() == COLUMNS - 1 && columns.starts_with(&expected));
            assert_eq!(windows, (1 << windowed) - 1, "the first ones");
        }
    }

    #[test]
    fn an_indexed_user_says_which_columns_are_held_within_windows() {
        windows_are_told::<6>();
        windows_are_told::<22>();
        windows_are_told::<54>();
    }

    #[test]
    fn no_more_columns_are_inactive_in_a_span_than_an_entry_can_say() {
        let windows = |inactive: i64| {
            let past = (0..inactive).map(|n| Window::until(Timestamp::from_secs(n * 3 + 3).unwrap()));
            let windows: SmallVec<_> =
                past.chain((0..9).map(|_| Window::from(Timestamp::from_secs(90).unwrap()))).collect();
            indexed::<22>(1, &UserSummary::Held(Held { columns: (1..).take(windows.len()).collect(), windows }))
        };
        let at = Timestamp::from_secs(90).unwrap();
        for inactive in 0..=3 {
            assert_eq!(windows(inactive).steady().unwrap().active(at), Some(!0 << inactive), "{inactive}");
        }
        assert!(windows(4).steady().is_none() && windows(4).windowed().unwrap().1 == (1 << 13) - 1);
    }

    #[test]
    fn what_is_not_active_in_the_span_comes_first() {
        let from = |secs| Window::from(Timestamp::from_secs(secs).unwrap());
        let windows = [until(30), from(60), until(90)].into_iter().collect();
        let held = UserSummary::Held(Held { columns: [7, 8, 9, 10].into_iter().collect(), windows });
        let indexed = indexed::<6>(3, &held);
        let steady = indexed.steady().unwrap();
        assert_eq!((steady.columns, indexed.number()), (&[7, 8, 9, 10][..], 3));
        let active = |secs| steady.active(Timestamp::from_secs(secs).unwrap());
        assert_eq!((active(59), active(60), active(89), active(90)), (None, Some(!1), Some(!1), None));
    }
}
