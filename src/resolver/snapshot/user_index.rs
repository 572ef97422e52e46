//! The index of users by id: where the hash of an id leads, with a copy of the user's summary.
//!
//! All index entries of a tenant have one width, the size of half a cache line, of a line, or of two. It is chosen when
//! the users are loaded, for the sources that they have then, and kept until the tenant is loaded again. A tenant that
//! begins empty has half lines. If not all sources of a user fit and those that do not decide, a check reads the
//! summary, which costs one more wait for memory.
//!
//! The first halves of the two entries of a pair of slots share a cache line. A check reads further lines only if the
//! first half is full. If the user has no windows and no source is incomplete, it reads them only if the first half
//! does not give the permission.
//!
//! With half lines only, a check among users with up to 12 groups took 1.6 times as long as with up to 5, and with up
//! to 40 groups 2.3 times. Next: `index_entry.rs`, the entries; `tables/persistent_hash_table.rs`, the table.

use uuid::Uuid;

use super::columns::USUAL;
use super::index_entry::{COLUMNS_IN_PART, Entry, EntryHead, EntryRef};
use super::user_summaries::UserSummary;
use crate::model::records::Window;
use crate::resolver::tables::persistent_hash_table::PersistentHashTable;

/// The parts that an entry of a line, or of two, has behind its first half.
const PARTS_IN_LINE: usize = 1;
const PARTS_IN_TWO_LINES: usize = 3;
/// A check has a bit for each column of an entry.
const _: () = assert!(USUAL + PARTS_IN_TWO_LINES * COLUMNS_IN_PART <= 64);

/// How many columns an entry of each width is meant for. The tests of this crate's modules choose other widths sooner, so
/// that small histories reach them.
const FITS: [usize; 2] = if cfg!(test) { [2, 4] } else { [USUAL, USUAL + COLUMNS_IN_PART] };

/// A width is chosen if at most one user in so many has more sources than fit. If none is, the widest is.
const ONE_IN: usize = 8;

/// The width of the index entries of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    HalfLine,
    Line,
    TwoLines,
}

/// Index entries by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserIndex {
    /// Empty if entries are wide. A check looks here first: the usual one has no branch for the width then.
    half_lines: PersistentHashTable<EntryHead>,
    wide: Option<Wide>,
}

#[derive(Clone, Debug)]
enum Wide {
    Lines(PersistentHashTable<EntryHead, PARTS_IN_LINE>),
    TwoLines(PersistentHashTable<EntryHead, PARTS_IN_TWO_LINES>),
}

/// Collects entries for an index.
#[derive(Debug)]
pub(crate) enum UserIndexBuilder {
    HalfLines(Vec<Entry<0>>),
    Lines(Vec<Entry<PARTS_IN_LINE>>),
    TwoLines(Vec<Entry<PARTS_IN_TWO_LINES>>),
}

impl Width {
    /// The width for users who have sources within these windows.
    pub(crate) fn of<W: IntoIterator<Item = Window>>(users: impl Iterator<Item = W>) -> Self {
        let (mut count, mut beyond) = (0, FITS.map(|_| 0));
        for windows in users {
            let (sources, windowed) = windows.into_iter().fold((0, false), |(n, any), w| (n + 1, any | !w.is_always()));
            // An entry with windows has a column less.
            let needed = sources + usize::from(windowed);
            count += 1;
            beyond.iter_mut().zip(FITS).for_each(|(beyond, fits)| *beyond += usize::from(needed > fits));
        }
        match beyond.map(|beyond| beyond * ONE_IN <= count) {
            [true, _] => Self::HalfLine,
            [false, true] => Self::Line,
            [false, false] => Self::TwoLines,
        }
    }
}

impl UserIndexBuilder {
    pub(crate) fn new(width: Width, users: usize) -> Self {
        match width {
            Width::HalfLine => Self::HalfLines(Vec::with_capacity(users)),
            Width::Line => Self::Lines(Vec::with_capacity(users)),
            Width::TwoLines => Self::TwoLines(Vec::with_capacity(users)),
        }
    }

    pub(crate) fn push(&mut self, id: Uuid, number: u32, summary: &UserSummary) {
        match self {
            Self::HalfLines(entries) => entries.push(EntryHead::entry(id, number, summary)),
            Self::Lines(entries) => entries.push(EntryHead::entry(id, number, summary)),
            Self::TwoLines(entries) => entries.push(EntryHead::entry(id, number, summary)),
        }
    }

    /// The index, by this hash of ids.
    pub(crate) fn finish(self, hash: impl Fn(Uuid) -> u64) -> UserIndex {
        let wide = |wide| UserIndex { wide: Some(wide), ..UserIndex::default() };
        match self {
            Self::HalfLines(entries) => {
                UserIndex { half_lines: PersistentHashTable::from_items(entries, |user| hash(user.id)), wide: None }
            }
            Self::Lines(entries) => wide(Wide::Lines(PersistentHashTable::from_items(entries, |user| hash(user.id)))),
            Self::TwoLines(entries) => {
                wide(Wide::TwoLines(PersistentHashTable::from_items(entries, |user| hash(user.id))))
            }
        }
    }
}

impl UserIndex {
    /// The entry of an id with this hash, unless entries are wide.
    #[inline]
    pub(crate) fn find_usual(&self, hash: u64, id: Uuid) -> Option<&EntryHead> {
        self.half_lines.find(hash, |user| user.id == id).map(|stored| stored.item)
    }

    /// Calls `call` with the entry of an id with this hash, if entries are wide. A returned entry would go through memory,
    /// which made checks slower.
    #[inline]
    pub(crate) fn with_wide<'a, R>(&'a self, hash: u64, id: Uuid, call: impl FnOnce(EntryRef<'a>) -> R) -> Option<R> {
        match self.wide.as_ref()? {
            Wide::Lines(table) => table.find(hash, |user| user.id == id).map(EntryRef::new).map(call),
            Wide::TwoLines(table) => table.find(hash, |user| user.id == id).map(EntryRef::new).map(call),
        }
    }

    /// Replaces or adds the entry of a user. `hash` computes the hash of an id.
    pub(crate) fn set(&mut self, id: Uuid, number: u32, summary: &UserSummary, hash: impl Fn(Uuid) -> u64) {
        match &mut self.wide {
            None => {
                let entry = EntryHead::entry(id, number, summary);
                self.half_lines.set(entry, |user| hash(user.id), |other| other.id == id);
            }
            Some(Wide::Lines(table)) => {
                table.set(EntryHead::entry(id, number, summary), |user| hash(user.id), |other| other.id == id);
            }
            Some(Wide::TwoLines(table)) => {
                table.set(EntryHead::entry(id, number, summary), |user| hash(user.id), |other| other.id == id);
            }
        }
    }

    /// Whether two indexes share everything: nothing in them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let wide = match (&self.wide, &other.wide) {
            (None, None) => true,
            (Some(Wide::Lines(a)), Some(Wide::Lines(b))) => a.is_same(b),
            (Some(Wide::TwoLines(a)), Some(Wide::TwoLines(b))) => a.is_same(b),
            _ => false,
        };
        wide && self.half_lines.is_same(&other.half_lines)
    }

    #[cfg(test)]
    pub(crate) fn width(&self) -> Width {
        match &self.wide {
            None => Width::HalfLine,
            Some(Wide::Lines(_)) => Width::Line,
            Some(Wide::TwoLines(_)) => Width::TwoLines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::Timestamp;

    fn width(users: &[(usize, usize)]) -> Width {
        let until = Window::until(Timestamp::from_secs(30).unwrap());
        let all = |(windowed, always)| [vec![until; windowed], vec![Window::ALWAYS; always]].concat();
        Width::of(users.iter().copied().map(all))
    }

    #[test]
    fn a_width_is_chosen_that_fits_all_but_one_user_in_eight() {
        assert_eq!(width(&[]), Width::HalfLine);
        let among = |one, others, count: usize| {
            let mut users = vec![others; count - 1];
            users.push(one);
            width(&users)
        };
        assert_eq!(among((0, 9), (0, 2), 8), Width::HalfLine);
        assert_eq!(among((0, 3), (0, 2), 7), Width::Line);
        assert_eq!(among((1, 1), (0, 2), 1), Width::Line);
        assert_eq!(among((2, 0), (0, 2), 1), Width::Line, "one column less, however many windows");
        assert_eq!(among((0, 9), (0, 4), 8), Width::Line);
        assert_eq!(among((0, 5), (0, 4), 7), Width::TwoLines);
        assert_eq!(among((3, 1), (0, 4), 1), Width::TwoLines);
    }
}
