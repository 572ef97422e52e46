//! The summaries of all users, by number: what a check reads of a user.
//!
//! The summary of a user is a *row* of 16-bit words. Two words say what it is. Then come the columns of the sources that the
//! user holds, those within windows first. Column 0, which has no permissions, pads the row. The rows of 32 users are in one
//! allocation, all of the same length, and the windows of these users come after them. So a check finds a row without an
//! offset, knows its length before it has read it, and reads windows from a place nearby. Usual rows have eight words: two
//! cache lines for eight users.
//!
//! With an allocation of its own for each user with many groups or with a window, a check had two more cache misses and took
//! twice as long. Next: `index_entry.rs`, a copy of short rows where the hash of an id leads.

use std::sync::Arc;

use smallvec::SmallVec;

use super::columns::{Columns, USUAL};
use super::entity_rows::UserRow;
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::Window;
use crate::resolver::tables::persistent_vec::PersistentVec;

/// The number of users whose rows are in one allocation.
const ROWS: u32 = 32;
/// The length of a row is a multiple of this.
const STEP: usize = 8;
/// The words of a row before its columns: the kind and the number of windows; the position of the first one.
const HEAD: usize = 2;
/// The words of a window.
const WINDOW: usize = 8;
/// The shortest row has the usual number of columns.
const _: () = assert!(STEP - HEAD == USUAL);
/// The most columns of a row. One user who has so many makes the rows of its neighbours as long. The tests of this crate's
/// modules have fewer, so that small histories reach users with more.
const MOST: usize = if cfg!(test) { 9 } else { 16 * STEP - HEAD };

/// The highest column that fits in a row. The tests of this crate's modules have a lower one, so that histories reach users
/// whose columns do not fit.
pub(super) const HIGHEST: u32 = if cfg!(test) { 255 } else { u16::MAX as u32 };

/// The meaning of the first byte of a row.
const ABSENT: u8 = 0;
const SUSPENDED: u8 = 1;
const WIDE: u8 = 2;
const HELD: u8 = 3;

#[derive(Clone, Debug, Default)]
pub(crate) struct UserSummaries {
    leaves: PersistentVec<Leaf>,
}

/// The rows of 32 users, or of fewer at the end, then their windows.
#[derive(Clone, Debug, Default)]
struct Leaf {
    words: Arc<[u16]>,
    /// The words of a row.
    stride: u16,
    rows: u16,
    /// Bit 0 is the first user. So the users of a set who are suspended are found without their rows.
    suspended: u32,
}

/// The summary of a user: the columns that it holds (I11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum UserSummary {
    /// The user does not exist.
    #[default]
    Absent,
    /// Nothing is active.
    Suspended,
    /// A user that does not fit: more than 126 sources, or columns beyond 16 bits.
    Wide,
    Held(Held),
}

/// The columns of everything that a user holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Those held within windows, then those that are always held.
    pub(crate) columns: SmallVec<[u16; 14]>,
    pub(crate) windows: SmallVec<[Window; 3]>,
}

/// A summary as a check reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Summary<'a> {
    /// Nothing is active, or the user does not exist.
    Nothing,
    /// Only the user's own row knows what it holds.
    Wide,
    /// Everything is active at every instant. Padded with column 0.
    Always(&'a [u16]),
    /// The first columns are held within windows. Padded with column 0.
    Windowed(Windowed<'a>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Windowed<'a> {
    columns: &'a [u16],
    /// [`WINDOW`] words for each column that is held within one.
    windows: &'a [u16],
}

impl<'a> Windowed<'a> {
    /// All columns.
    #[inline]
    pub(crate) fn columns(self) -> &'a [u16] {
        self.columns
    }

    /// The columns that are always held.
    #[inline]
    pub(crate) fn always(self) -> &'a [u16] {
        self.columns.get(self.windows.len() / WINDOW..).unwrap_or_default()
    }

    /// The others, each with its window.
    #[inline]
    pub(crate) fn windowed(self) -> impl Iterator<Item = (u16, Window)> + 'a {
        let windows = self.windows.chunks_exact(WINDOW).filter_map(|words| words.first_chunk());
        self.columns.iter().copied().zip(windows.map(Window::from_words))
    }

    /// The columns that are held at an instant.
    #[inline]
    pub(crate) fn active(self, when: &When<'a>) -> impl Iterator<Item = u16> {
        let active = self.windowed().filter(|(_, window)| window.contains(when.instant()));
        active.map(|(column, _)| column).chain(self.always().iter().copied())
    }
}

impl UserSummary {
    /// Summarises a user.
    pub(crate) fn of(row: &UserRow, columns: &Columns) -> Self {
        if row.is_suspended() {
            return Self::Suspended;
        }
        let (mut held, mut always) = (Held::default(), SmallVec::<[u16; 14]>::new());
        for (source, edge) in row.sources() {
            let Some(column) = must(columns.column(source), "a source has a column") else { continue };
            let narrow = u16::try_from(column).ok().filter(|_| column <= HIGHEST);
            let Some(column) = narrow else { return Self::Wide };
            if edge.window.is_always() {
                always.push(column);
            } else {
                held.columns.push(column);
                held.windows.push(edge.window);
            }
        }
        held.columns.extend(always);
        if held.columns.len() > MOST { Self::Wide } else { Self::Held(held) }
    }

    fn len(&self) -> usize {
        if let Self::Held(held) = self { held.columns.len() } else { 0 }
    }

    fn windows(&self) -> &[Window] {
        if let Self::Held(held) = self { &held.windows } else { &[] }
    }

    /// Writes the row. The windows begin at `first`.
    fn write(&self, row: &mut [u16], first: usize) {
        row.fill(0);
        let kind = match self {
            Self::Absent => ABSENT,
            Self::Suspended => SUSPENDED,
            Self::Wide => WIDE,
            Self::Held(_) => HELD,
        };
        let (windows, first) = (u8::try_from(self.windows().len()), u16::try_from(first));
        let windows = must(windows.ok(), "a row has few windows").unwrap_or(0);
        let [head, position, columns @ ..] = row else { return };
        *head = u16::from_le_bytes([kind, windows]);
        *position = must(first.ok(), "32 users have few windows").unwrap_or(0);
        if let Self::Held(held) = self {
            columns.iter_mut().zip(&held.columns).for_each(|(place, column)| *place = *column);
        }
    }
}

impl Leaf {
    /// As short as possible. Absent users at the end are left out.
    fn of(summaries: &[UserSummary]) -> Self {
        let rows = summaries.iter().rposition(|summary| *summary != UserSummary::Absent).map_or(0, |last| last + 1);
        let summaries = summaries.get(..rows).unwrap_or_default();
        let columns = summaries.iter().map(UserSummary::len).max().unwrap_or(0);
        let stride = (HEAD + columns).next_multiple_of(STEP);
        let windows = summaries.iter().flat_map(UserSummary::windows);
        let mut words = vec![0; rows * stride];
        let mut first = 0;
        for (row, summary) in words.chunks_exact_mut(stride).zip(summaries) {
            summary.write(row, first);
            first += summary.windows().len();
        }
        words.extend(windows.flat_map(|window| window.to_words()));
        let narrow = |n| must(u16::try_from(n).ok(), "a row has few words").unwrap_or(0);
        let is_suspended = |summary: &UserSummary| u32::from(*summary == UserSummary::Suspended);
        let suspended = (0..).zip(summaries).fold(0, |all, (at, summary)| all | is_suspended(summary) << at);
        Self { words: words.into(), stride: narrow(stride), rows: narrow(rows), suspended }
    }

    #[inline]
    fn row(&self, at: usize) -> Option<&[u16]> {
        let stride = usize::from(self.stride);
        if at >= usize::from(self.rows) {
            return None;
        }
        self.words.get(at * stride..)?.get(..stride)
    }

    #[inline]
    fn windows(&self, first: u16, count: u8) -> &[u16] {
        let start = usize::from(self.rows) * usize::from(self.stride) + usize::from(first) * WINDOW;
        let windows = self.words.get(start..start + usize::from(count) * WINDOW);
        must(windows, "a row has its windows").unwrap_or_default()
    }

    #[inline]
    fn summary(&self, at: usize) -> Option<Summary<'_>> {
        let [head, position, columns @ ..] = self.row(at)? else { return None };
        let [kind, windows] = head.to_le_bytes();
        Some(match kind {
            HELD if windows == 0 => Summary::Always(columns),
            HELD => Summary::Windowed(Windowed { columns, windows: self.windows(*position, windows) }),
            WIDE => Summary::Wide,
            _ => Summary::Nothing,
        })
    }

    /// The summary as it was set.
    fn read(&self, at: usize) -> UserSummary {
        let kind = self.row(at).and_then(|row| row.first()).map_or(ABSENT, |head| head.to_le_bytes()[0]);
        let all = |columns: &[u16]| columns.iter().copied().take_while(|column| *column != 0).collect();
        match self.summary(at) {
            None | Some(Summary::Nothing) if kind == SUSPENDED => UserSummary::Suspended,
            None | Some(Summary::Nothing) => UserSummary::Absent,
            Some(Summary::Wide) => UserSummary::Wide,
            Some(Summary::Always(columns)) => {
                UserSummary::Held(Held { columns: all(columns), windows: SmallVec::new() })
            }
            Some(Summary::Windowed(held)) => UserSummary::Held(Held {
                columns: all(held.columns),
                windows: held.windowed().map(|(_, window)| window).collect(),
            }),
        }
    }

    /// Replaces a row, if it fits and no window comes or goes.
    fn replace(&mut self, at: usize, summary: &UserSummary) -> bool {
        let Some([head, ..]) = self.row(at) else { return false };
        let [_, windows] = head.to_le_bytes();
        let stride = usize::from(self.stride);
        if windows > 0 || !summary.windows().is_empty() || HEAD + summary.len() > stride {
            return false;
        }
        let row = Arc::make_mut(&mut self.words).get_mut(at * stride..(at + 1) * stride);
        self.suspended = self.suspended & !(1 << at) | u32::from(*summary == UserSummary::Suspended) << at;
        row.map(|row| summary.write(row, 0)).is_some()
    }
}

/// Collects the summaries of users 0 and up. It keeps no more than 32 of them in their long form.
#[derive(Debug, Default)]
pub(crate) struct SummariesInOrder {
    leaves: Vec<Leaf>,
    last: Vec<UserSummary>,
}

impl SummariesInOrder {
    pub(crate) fn push(&mut self, summary: UserSummary) {
        self.last.push(summary);
        if self.last.len() == ROWS as usize {
            self.leaves.push(Leaf::of(&self.last));
            self.last.clear();
        }
    }

    /// Returns the table. Its rows are copied, so that they follow each other in memory. Where they were first allocated, a
    /// load stores much else between them. At a million users, a check by handle took 1.5 times as long from there.
    pub(crate) fn finish(mut self) -> UserSummaries {
        if !self.last.is_empty() {
            self.leaves.push(Leaf::of(&self.last));
        }
        let packed: Vec<Arc<[u16]>> = self.leaves.iter().map(|leaf| Arc::from(&*leaf.words)).collect();
        self.leaves.iter_mut().zip(packed).for_each(|(leaf, words)| leaf.words = words);
        UserSummaries { leaves: PersistentVec::from_vec(self.leaves) }
    }
}

impl UserSummaries {
    /// Whether two tables share everything: nothing in them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.leaves.is_same(&other.leaves)
    }

    /// Returns the summary as a check reads it.
    ///
    /// # Complexity
    /// O(1): the pointers of the vector, and one line or more of the row.
    #[inline]
    pub(crate) fn summary(&self, number: u32) -> Summary<'_> {
        let leaf = self.leaves.get(number / ROWS);
        leaf.and_then(|leaf| leaf.summary((number % ROWS) as usize)).unwrap_or(Summary::Nothing)
    }

    #[inline]
    fn kind(&self, number: u32) -> u8 {
        let row = self.leaves.get(number / ROWS).and_then(|leaf| leaf.row((number % ROWS) as usize));
        row.and_then(|row| row.first()).map_or(ABSENT, |head| head.to_le_bytes()[0])
    }

    /// Whether there is such a user.
    #[inline]
    pub(crate) fn has(&self, number: u32) -> bool {
        self.kind(number) != ABSENT
    }

    #[inline]
    pub(crate) fn is_suspended(&self, number: u32) -> bool {
        self.leaves.get(number / ROWS).is_some_and(|leaf| leaf.suspended >> (number % ROWS) & 1 == 1)
    }

    /// Which of the 64 users from the number `64 * at` on are suspended. Bit 0 is the first of them.
    pub(crate) fn suspended_word(&self, at: usize) -> u64 {
        let half = |leaf| self.leaves.get(leaf).map_or(0, |leaf| u64::from(leaf.suspended));
        u32::try_from(2 * at).map_or(0, |leaf| half(leaf) | half(leaf + 1) << ROWS)
    }

    /// The summary as it was set.
    #[cfg(test)]
    pub(crate) fn read(&self, number: u32) -> UserSummary {
        let leaf = self.leaves.get(number / ROWS);
        leaf.map(|leaf| leaf.read((number % ROWS) as usize)).unwrap_or_default()
    }

    /// Replaces the summary of a user.
    ///
    /// # Complexity
    /// O(words in the rows of 32 users).
    pub(crate) fn set(&mut self, number: u32, summary: &UserSummary) {
        let (leaf, at) = (number / ROWS, (number % ROWS) as usize);
        if self.leaves.get_mut(leaf).is_some_and(|leaf| leaf.replace(at, summary)) {
            return;
        }
        let old = self.leaves.get(leaf).cloned().unwrap_or_default();
        let mut all: Vec<UserSummary> = (0..ROWS as usize).map(|at| old.read(at)).collect();
        if let Some(place) = must(all.get_mut(at), "a leaf has a place for each of its users") {
            place.clone_from(summary);
        }
        self.leaves.set(leaf, Leaf::of(&all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::Timestamp;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn held(windowed: usize, always: usize) -> UserSummary {
        let until = |secs: i64| Window::until(Timestamp::from_secs(secs).unwrap());
        UserSummary::Held(Held {
            columns: (1..).take(windowed + always).collect(),
            windows: (1..).map(until).take(windowed).collect(),
        })
    }

    fn of(summaries: &[UserSummary]) -> UserSummaries {
        let mut all = SummariesInOrder::default();
        for summary in summaries {
            all.push(summary.clone());
        }
        all.finish()
    }

    fn summaries() -> impl Strategy<Value = UserSummary> {
        prop_oneof![
            Just(UserSummary::Absent),
            Just(UserSummary::Suspended),
            Just(UserSummary::Wide),
            (0..3usize, 0..4usize).prop_map(|(windowed, always)| held(windowed, always)),
            (0..3usize, 0..12usize).prop_map(|(windowed, always)| held(windowed, always)),
        ]
    }

    #[test]
    fn usual_rows_are_a_quarter_of_a_cache_line_and_are_as_long_as_the_longest() {
        let words = |all: &[UserSummary]| Leaf::of(all).words.len();
        assert_eq!(words(&[held(0, 6), held(0, 1)]), 16);
        assert_eq!(words(&[held(0, 7), held(0, 1), UserSummary::Absent]), 32);
        assert_eq!(words(&[held(1, 0), UserSummary::Suspended]), 16 + 8);
        assert_eq!(words(&[]), 0);
    }

    #[test]
    fn a_leaf_has_three_words() {
        assert_eq!(size_of::<Leaf>(), 24);
    }

    #[test]
    fn a_check_reads_what_is_active() {
        let table = of(&[held(2, 3), held(0, 2), UserSummary::Wide, UserSummary::Suspended]);
        let Summary::Windowed(windowed) = table.summary(0) else { panic!("windows") };
        let active = |secs| {
            let when = When::Chosen(Timestamp::from_secs(secs).unwrap());
            windowed.active(&when).filter(|column| *column != 0).collect::<Vec<_>>()
        };
        assert_eq!((active(0), active(1), active(2)), (vec![1, 2, 3, 4, 5], vec![2, 3, 4, 5], vec![3, 4, 5]));
        assert_eq!(windowed.always(), [3, 4, 5, 0]);
        assert!(matches!(table.summary(1), Summary::Always([1, 2, 0, 0, 0, 0])));
        assert!(matches!(table.summary(2), Summary::Wide));
        assert!(matches!((table.summary(3), table.summary(4)), (Summary::Nothing, Summary::Nothing)));
        assert_eq!(
            [1, 3, 4].map(|n| (table.has(n), table.is_suspended(n))),
            [(true, false), (true, true), (false, false)]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
        #[test]
        fn summaries_are_read_as_they_were_set_and_older_clones_do_not_change(
            first in vec(summaries(), 0..80),
            steps in vec((0..90u32, summaries()), 1..60),
        ) {
            let mut table = of(&first);
            let mut model = first;
            model.resize(90, UserSummary::Absent);
            for (number, summary) in steps {
                let (older, before) = (table.clone(), model.clone());
                table.set(number, &summary);
                model[number as usize] = summary;
                for (number, (old, new)) in (0..).zip(before.iter().zip(&model)) {
                    prop_assert_eq!(&older.read(number), old);
                    prop_assert_eq!(&table.read(number), new);
                    prop_assert_eq!(table.has(number), *new != UserSummary::Absent);
                    prop_assert_eq!(table.is_suspended(number), *new == UserSummary::Suspended);
                    let word = table.suspended_word(number as usize / 64);
                    prop_assert_eq!(word >> (number % 64) & 1 == 1, *new == UserSummary::Suspended);
                }
            }
        }
    }
}
