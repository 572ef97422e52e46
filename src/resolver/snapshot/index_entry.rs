//! An index entry of a user: the data that a check by id reads. Its *head* fills half a cache line. Where users have many
//! sources, one or three *parts* of 16 columns follow (`user_index.rs`). The entry copies the user's summary (I11) in one of
//! four forms:
//!
//! - complete: all columns, each always held;
//! - windowed: all columns, some of them within windows. Takes one place more;
//! - steady: all columns, and which are active within one span of time (`steady_span.rs`). Takes two places more. Used if at
//!   least half are within windows and at most three are inactive in the span;
//! - partial: columns that are always held, as many as fit. Where they do not decide, the number leads to the summary.
//!
//! Next: `user_index.rs`, where index entries are stored; `check.rs`, which reads them.

use smallvec::SmallVec;
use uuid::Uuid;

use super::columns::{CHUNK, USUAL};
use super::steady_span::{START_BITS, SteadySpan};
use super::user_summaries::{Held, UserSummary};
use crate::model::records::Timestamp;
use crate::resolver::tables::persistent_hash_table::{Item, ItemRef};

/// The first half line of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct EntryHead {
    pub(crate) id: Uuid,
    /// The number plus one; the two highest bits are the form. Zero is a free slot.
    tagged_number: u32,
    columns: [u16; USUAL],
}

/// Columns behind the first ones.
pub(crate) type Part = [[u16; CHUNK]; 2];

pub(crate) const COLUMNS_IN_PART: usize = 2 * CHUNK;

/// An entry with all its parts.
pub(crate) type Entry<const PARTS: usize> = (EntryHead, [Part; PARTS]);

/// An entry where it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryRef<'a>(ItemRef<'a, EntryHead>);

/// The form: all columns, each always held.
const COMPLETE: u32 = 0;
/// Some of the columns that are always held, or none.
const PARTIAL: u32 = 1 << 30;
/// All columns, some of them within windows.
const WINDOWED: u32 = 2 << 30;
/// All columns, and what of it is active in a span of time.
const STEADY: u32 = 3 << 30;
const FORM: u32 = STEADY;

/// If some columns are held within windows, these come first, and the last place of the first half line has their number.
const WINDOWED_TRAILER: usize = 1;
type FirstWindowed = [u16; USUAL - WINDOWED_TRAILER];

/// With a span, the columns come first that are not active in it. The last two places of the first half line have their
/// number and the span.
const STEADY_TRAILER: usize = 2;
type FirstSteady = [u16; USUAL - STEADY_TRAILER];

/// The most columns that are not active in the span.
const MOST_INACTIVE: usize = (1 << (u16::BITS - START_BITS)) - 1;

/// Which columns of a user are active in a span of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    inactive: u16,
    span: SteadySpan,
}

impl Steady {
    /// Which of the columns are active at an instant: bit 0 is the first one. `None` if the windows must be read.
    #[inline]
    pub(crate) fn active(self, at: Timestamp) -> Option<u64> {
        self.span.contains(at).then_some(!0 << self.inactive)
    }
}

impl<'a> EntryRef<'a> {
    #[inline]
    pub(crate) fn new(stored: ItemRef<'a, EntryHead>) -> Self {
        Self(stored)
    }

    /// An entry of half a line.
    #[inline]
    pub(crate) fn half_line(user: &'a EntryHead) -> Self {
        Self(ItemRef::without_parts(user))
    }

    #[inline]
    pub(crate) fn number(self) -> u32 {
        (self.0.item.tagged_number & !FORM).wrapping_sub(1)
    }

    #[inline]
    fn form(self) -> u32 {
        self.0.item.tagged_number & FORM
    }

    /// Whether the entry has more than half a line.
    #[inline]
    pub(crate) fn has_parts(self) -> bool {
        self.0.has_parts()
    }

    /// The columns behind the first ones, in chunks. If the first ones end with padding, none follow. No chunk begins with
    /// padding.
    #[inline]
    pub(crate) fn chunks_after(self, first: &[u16]) -> impl Iterator<Item = &'a [u16; CHUNK]> {
        let any = first.last().is_some_and(|last| *last != 0);
        let parts = any.then(|| self.0.parts()).into_iter().flatten();
        parts.flatten().take_while(|chunk| chunk[0] != 0)
    }

    /// The first columns, and those behind them. Padding comes last.
    #[inline]
    pub(crate) fn columns_from(self, first: &'a [u16]) -> impl Iterator<Item = &'a u16> {
        first.iter().chain(self.chunks_after(first).flatten())
    }

    /// The first columns, which are active at every instant, and whether the entry has all that the user holds.
    #[inline]
    pub(crate) fn always(self) -> Option<(&'a [u16; USUAL], bool)> {
        let complete = self.form() == COMPLETE;
        (self.0.item.tagged_number & WINDOWED == 0).then_some((&self.0.item.columns, complete))
    }

    /// All columns, if they are everything that the user holds and are active at every instant. Padding comes last.
    #[inline]
    pub(crate) fn complete(self) -> Option<impl Iterator<Item = &'a u16>> {
        let (first, _) = self.always().filter(|(_, complete)| *complete)?;
        Some(self.columns_from(first))
    }

    /// The first columns, if the entry has all that the user holds, and which columns it holds within windows: bit 0 is the
    /// first one.
    #[inline]
    pub(crate) fn windowed(self) -> Option<(&'a FirstWindowed, u64)> {
        let [columns @ .., windowed] = &self.0.item.columns;
        (self.form() == WINDOWED).then(|| (columns, (1 << windowed) - 1))
    }

    /// The first columns, if the entry has all that the user holds, and which columns are active in a span of time.
    #[inline]
    pub(crate) fn steady(self) -> Option<(&'a FirstSteady, Steady)> {
        let [columns @ .., start, end] = &self.0.item.columns;
        let span = SteadySpan { start: *start & START, end: *end };
        (self.form() == STEADY).then_some((columns, Steady { inactive: *start >> START_BITS, span }))
    }

    /// Whether the entry is the right one for this user.
    #[cfg(test)]
    pub(crate) fn is_of(self, id: Uuid, number: u32, summary: &UserSummary) -> bool {
        fn agree<const PARTS: usize>(indexed: EntryRef<'_>, (user, parts): Entry<PARTS>) -> bool {
            *indexed.0.item == user && indexed.0.parts().eq(&parts)
        }
        match self.0.parts().count() {
            0 => agree(self, EntryHead::entry::<0>(id, number, summary)),
            1 => agree(self, EntryHead::entry::<1>(id, number, summary)),
            3 => agree(self, EntryHead::entry::<3>(id, number, summary)),
            _ => false,
        }
    }
}

impl EntryHead {
    /// The entry of a user with this number.
    pub(crate) fn entry<const PARTS: usize>(id: Uuid, number: u32, summary: &UserSummary) -> Entry<PARTS> {
        let content = match summary {
            UserSummary::Held(held) => Content::of(held, USUAL + PARTS * COLUMNS_IN_PART),
            UserSummary::Absent | UserSummary::Suspended | UserSummary::Wide => Content::without_columns(),
        };
        let (mut columns, mut parts) = ([0; USUAL], [Self::NO_PART; PARTS]);
        let (first, last) = columns.split_at_mut(USUAL - content.trailer.len());
        last.copy_from_slice(&content.trailer);
        let places = first.iter_mut().chain(parts.iter_mut().flatten().flatten());
        places.zip(content.columns).for_each(|(place, column)| *place = column);
        (Self { id, columns, tagged_number: number.saturating_add(1) | content.form }, parts)
    }
}

/// The content of an entry, without id and number.
struct Content {
    form: u32,
    columns: SmallVec<[u16; 14]>,
    /// The last places of the first half line: at most two.
    trailer: SmallVec<[u16; 2]>,
}

const START: u16 = (1 << START_BITS) - 1;

impl Content {
    /// Of users whose summary has no columns.
    fn without_columns() -> Self {
        Self { form: PARTIAL, columns: SmallVec::new(), trailer: SmallVec::new() }
    }

    /// The most informative form that has room in this many places.
    fn of(held: &Held, places: usize) -> Self {
        let (count, windows) = (held.columns.len(), held.windows.len());
        // If most columns are always held, windows seldom decide, and most checks need no clock.
        if windows * 2 >= count && (1..=places - STEADY_TRAILER).contains(&count) {
            if let Some((SteadySpan { start, end }, active)) = SteadySpan::of(&held.windows) {
                let is_active = |at: usize| at >= windows || active >> at & 1 == 1;
                let (last, first): (Vec<_>, Vec<_>) = (0..count).zip(&held.columns).partition(|(at, _)| is_active(*at));
                if let Some(inactive) = u16::try_from(first.len()).ok().filter(|n| usize::from(*n) <= MOST_INACTIVE) {
                    let columns = first.into_iter().chain(last).map(|(_, column)| *column).collect();
                    return Self { form: STEADY, columns, trailer: [start | inactive << START_BITS, end].into() };
                }
            }
        }
        let some = |columns: &[u16]| SmallVec::from_slice(columns);
        if windows == 0 && count <= places {
            return Self { form: COMPLETE, columns: some(&held.columns), trailer: SmallVec::new() };
        }
        if let (1.., true, Ok(windowed)) = (windows, count <= places - WINDOWED_TRAILER, u16::try_from(windows)) {
            return Self { form: WINDOWED, columns: some(&held.columns), trailer: [windowed].into_iter().collect() };
        }
        let always = held.columns.get(windows..).unwrap_or_default();
        Self { form: PARTIAL, columns: some(always), trailer: SmallVec::new() }
    }
}

impl Item for EntryHead {
    const FREE: Self = Self { id: Uuid::nil(), columns: [0; USUAL], tagged_number: 0 };

    type Part = Part;
    const NO_PART: Part = [[0; CHUNK]; 2];

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
    use crate::resolver::tables::persistent_hash_table::PersistentHashTable;

    /// Reads the entry of a user with this summary.
    fn read<const PARTS: usize, T>(number: u32, summary: &UserSummary, ask: impl Fn(EntryRef<'_>) -> T) -> T {
        let entry: Entry<PARTS> = EntryHead::entry(Uuid::max(), number, summary);
        let table = PersistentHashTable::from_items(vec![entry], |_| 7);
        ask(EntryRef::new(table.find(7, |user| user.id == Uuid::max()).unwrap()))
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

    /// These columns and those behind them, without padding.
    fn with_more(first: &[u16], indexed: EntryRef<'_>) -> Vec<u16> {
        indexed.columns_from(first).copied().take_while(|column| *column != 0).collect()
    }

    #[test]
    fn each_part_is_as_long_as_the_head() {
        assert_eq!((size_of::<EntryHead>(), size_of::<Part>()), (32, 32));
    }

    #[test]
    fn an_entry_has_six_columns_and_marks_whether_they_are_all() {
        read::<0, _>(9, &held(0, 6), |indexed| assert_eq!(indexed.always(), Some((&[1, 2, 3, 4, 5, 6], true))));
        for (unusual, always) in [
            (UserSummary::Absent, [0; 6]),
            (UserSummary::Suspended, [0; 6]),
            (UserSummary::Wide, [0; 6]),
            (held(0, 7), [1, 2, 3, 4, 5, 6]),
            (held(1, 5), [2, 3, 4, 5, 6, 0]),
            (held(6, 0), [0; 6]),
        ] {
            read::<0, _>(MOST_NUMBERS - 1, &unusual, |indexed| {
                assert_eq!(indexed.always(), Some((&always, false)));
                assert!(
                    indexed.windowed().is_none()
                        && indexed.steady().is_none()
                        && indexed.chunks_after(&always).next().is_none()
                );
                assert_eq!(indexed.number(), MOST_NUMBERS - 1);
            });
        }
        read::<0, _>(0, &held(0, 6), |indexed| assert_eq!(indexed.number(), 0));
    }

    /// All columns that fit are in the entry, and it says when they are active.
    fn every_column_is_stored<const PARTS: usize>() {
        let most = USUAL + COLUMNS_IN_PART * PARTS;
        for (windowed, always) in (0..=most + 1).flat_map(|w| (0..=most + 1 - w).map(move |a| (w, a))) {
            let count = windowed + always;
            let expected: Vec<u16> = (1..).take(count).collect();
            read::<PARTS, _>(9, &held(windowed, always), |indexed| {
                assert_eq!(indexed.number(), 9);
                if windowed == 0 && count <= most {
                    let (columns, complete) = indexed.always().unwrap();
                    assert!(complete && with_more(columns, indexed) == expected);
                    assert!(
                        indexed.complete().unwrap().copied().take_while(|column| *column != 0).eq(expected.clone())
                    );
                } else if windowed > 0 && windowed >= always && count <= most - 2 {
                    let (columns, steady) = indexed.steady().unwrap();
                    assert_eq!(with_more(columns, indexed), expected);
                    assert_eq!(steady.active(Timestamp::from_secs(29).unwrap()), Some(!0));
                    assert_eq!(steady.active(Timestamp::from_secs(30).unwrap()), None);
                    assert!(indexed.always().is_none() && indexed.complete().is_none() && indexed.windowed().is_none());
                } else if windowed > 0 && count < most {
                    let (columns, windows) = indexed.windowed().unwrap();
                    assert_eq!(with_more(columns, indexed), expected);
                    assert_eq!(windows, (1 << windowed) - 1, "the first ones");
                    assert!(indexed.always().is_none() && indexed.complete().is_none() && indexed.steady().is_none());
                } else {
                    let (columns, complete) = indexed.always().unwrap();
                    let always: Vec<u16> = expected.iter().copied().skip(windowed).take(most).collect();
                    assert!(!complete && indexed.complete().is_none() && with_more(columns, indexed) == always);
                }
            });
        }
    }

    #[test]
    fn an_entry_stores_each_column_and_when_it_is_active() {
        every_column_is_stored::<0>();
        every_column_is_stored::<1>();
        every_column_is_stored::<3>();
    }

    #[test]
    fn an_entry_with_a_span_has_at_most_three_inactive_columns() {
        let at = Timestamp::from_secs(90).unwrap();
        let asked = |inactive: i64| {
            let past = (0..inactive).map(|n| Window::until(Timestamp::from_secs(n * 3 + 3).unwrap()));
            let windows: SmallVec<_> = past.chain((0..9).map(|_| Window::from(at))).collect();
            let held = Held { columns: (1..).take(windows.len()).collect(), windows };
            read::<1, _>(1, &UserSummary::Held(held), |indexed| {
                (
                    indexed.steady().map(|(_, steady)| steady.active(at)),
                    indexed.windowed().map(|(_, windowed)| windowed),
                )
            })
        };
        for inactive in 0..=3 {
            assert_eq!(asked(inactive), (Some(Some(!0 << inactive)), None), "{inactive}");
        }
        assert_eq!(asked(4), (None, Some((1 << 13) - 1)));
    }

    #[test]
    fn columns_that_are_not_active_in_the_span_come_first() {
        let from = |secs| Window::from(Timestamp::from_secs(secs).unwrap());
        let windows = [until(30), from(60), until(90)].into_iter().collect();
        let held = UserSummary::Held(Held { columns: [7, 8, 9, 10].into_iter().collect(), windows });
        read::<0, _>(3, &held, |indexed| {
            let (columns, steady) = indexed.steady().unwrap();
            assert_eq!((columns, indexed.number()), (&[7, 8, 9, 10], 3));
            let active = |secs| steady.active(Timestamp::from_secs(secs).unwrap());
            assert_eq!((active(59), active(60), active(89), active(90)), (None, Some(!1), Some(!1), None));
        });
    }
}
