//! The kept rows once more, turned: for each *page* of 64 permissions a word of every source, one bit a permission. So
//! a check reads one word for each source of the user, all from one page, and joins them without a branch.
//!
//! It says nothing that the rows do not say (I7); `flatten.rs` writes a row, and this with it. Measured, that no row is
//! followed from source to source is half of a check's time: the length of a user's list of sources, and the place in
//! it where the answer lies, are what a processor cannot foresee.
//!
//! A source stands in a *column*, groups and roles by turns in blocks of [`BLOCK`]. Column 0 is nobody's: its words are
//! zero, so that lists can be filled up with it.

use std::sync::Arc;

use super::source::{Kept, Source};
use crate::bits::Row;

/// How many columns are copied when one changes, at most: a kilobyte. With 32, a change of many pages at 2,000 groups took
/// three times as long, for the references to the other blocks are counted, page by page.
const BLOCK: u32 = 128;
const WIDTH: usize = BLOCK as usize;

/// As long as its last column that was ever written asks for, so that a small tenant pays for what it has.
type Block = Arc<[u64]>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// What no permission of a page is in shares one blank block, so that a page costs its pointers at least.
    ///
    /// INVARIANT: pages are equally long, and so are the blocks at one place of all pages; they reach every column that
    /// was ever written in any of them. So whether a column is there is the same for nearly all questions.
    pages: Arc<[Arc<[Block]>]>,
    /// How many sources have a kept row that is not exact.
    inexact: u32,
}

/// The column of a source, where there is one: a brief has 16 bits for it.
pub(crate) fn column(source: Source) -> Option<u16> {
    let (number, kind) = match source {
        Source::Group(number) => (number.checked_add(1)?, 0),
        Source::Role(number) => (number.checked_add(1)?, 1),
    };
    let block = (number / BLOCK).checked_mul(2)?.checked_add(kind)?;
    u16::try_from(block.checked_mul(BLOCK)?.checked_add(number % BLOCK)?).ok()
}

/// Whose a column is.
pub(crate) fn source(column: u16) -> Option<Source> {
    let (block, at) = (u32::from(column) / BLOCK, u32::from(column) % BLOCK);
    let number = (block / 2 * BLOCK + at).checked_sub(1)?;
    Some(if block % 2 == 0 { Source::Group(number) } else { Source::Role(number) })
}

impl Columns {
    /// Whether one of these columns has a permission.
    #[inline]
    pub(crate) fn any<const N: usize>(&self, columns: &[u16; N], permission: u32) -> bool {
        let Some(page) = self.pages.get((permission / 64) as usize) else { return false };
        let word = |column: &u16| {
            let block = page.get(usize::from(*column) / WIDTH)?;
            block.get(usize::from(*column) % WIDTH).copied()
        };
        let joined = columns.iter().fold(0, |all, column| all | word(column).unwrap_or(0));
        joined >> (permission % 64) & 1 == 1
    }

    /// Whether every kept row is exact: then what no column has is denied.
    #[inline]
    pub(crate) fn are_exact(&self) -> bool {
        self.inexact == 0
    }

    /// Writes what is kept about a source, in place of what was.
    pub(crate) fn replace(&mut self, source: Source, before: Option<&Kept>, after: &Kept) {
        let counts = |kept: &Kept| u32::from(!kept.exact);
        self.inexact = self.inexact + counts(after) - before.map_or(0, counts);
        let Some(column) = column(source) else { return };
        let old = before.map_or(&Row::EMPTY, |kept| &kept.row);
        if old == &after.row {
            return;
        }
        self.reach(after.row.words_end(), usize::from(column));
        let starts = [old, &after.row].into_iter().filter(|row| row.word_count() > 0).map(Row::words_start);
        for page in starts.min().unwrap_or(0)..old.words_end().max(after.row.words_end()) {
            if old.word(page) != after.row.word(page) {
                self.write(page, usize::from(column), after.row.word(page));
            }
        }
    }

    fn write(&mut self, page: usize, column: usize, word: u64) {
        let page = Arc::make_mut(&mut self.pages).get_mut(page).map(Arc::make_mut);
        let block = page.and_then(|page| page.get_mut(column / WIDTH)).map(Arc::make_mut);
        if let Some(place) = block.and_then(|block| block.get_mut(column % WIDTH)) {
            *place = word;
        }
    }

    /// Makes room for so many pages, and in each for this column.
    fn reach(&mut self, pages: usize, column: usize) {
        let (block, length) = (column / WIDTH, (column % WIDTH + 1).next_power_of_two().max(8));
        let first: &[Block] = self.pages.first().map_or(&[], |page| page);
        let is_there = first.get(block).is_some_and(|block| block.len() >= length);
        if is_there && self.pages.len() >= pages {
            return;
        }
        let mut lengths: Vec<usize> = first.iter().map(|block| block.len()).collect();
        lengths.resize(lengths.len().max(block + 1), 0);
        if let Some(present) = lengths.get_mut(block) {
            *present = length.max(*present);
        }
        let blanks: Vec<Block> = lengths.iter().map(|length| std::iter::repeat_n(0, *length).collect()).collect();
        let padded = |present: Option<&Block>, blank: &Block| match present {
            Some(block) if block.len() == blank.len() => Arc::clone(block),
            Some(block) if block.iter().any(|word| *word != 0) => {
                let words = block.iter().copied().chain(std::iter::repeat(0));
                words.take(blank.len()).collect()
            }
            Some(_) | None => Arc::clone(blank),
        };
        let blocks = |page: Option<&Arc<[Block]>>| -> Arc<[Block]> {
            let present = |at| page.and_then(|page| page.get(at));
            (0..).zip(&blanks).map(|(at, blank)| padded(present(at), blank)).collect()
        };
        self.pages = (0..pages.max(self.pages.len())).map(|at| blocks(self.pages.get(at))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn kept(numbers: &[u32], exact: bool) -> Kept {
        let bits: Bits = numbers.iter().copied().collect();
        Kept { row: Row::from_bits(&bits), exact }
    }

    #[test]
    fn no_two_sources_share_a_column_and_none_has_the_first() {
        let all = (0..5_000).flat_map(|n| [column(Source::Group(n)), column(Source::Role(n))]);
        let mut columns: Vec<u16> = all.map(Option::unwrap).collect();
        columns.sort_unstable();
        assert!(columns.windows(2).all(|pair| pair[0] < pair[1]) && columns[0] != 0);
        let sources = (0..5_000).flat_map(|n| [Source::Group(n), Source::Role(n)]);
        assert!(sources.into_iter().all(|one| source(column(one).unwrap()) == Some(one)) && source(0).is_none());
        assert_eq!((column(Source::Group(u32::MAX)), column(Source::Role(40_000))), (None, None));
    }

    #[test]
    fn a_column_says_what_its_row_says_and_older_clones_stay() {
        let mut columns = Columns::default();
        let (group, role) = (Source::Group(70), Source::Role(3));
        let both = [column(group).unwrap(), column(role).unwrap()];
        let first = kept(&[5, 700], true);
        columns.replace(group, None, &first);
        let older = columns.clone();
        columns.replace(role, None, &kept(&[64], false));
        columns.replace(group, Some(&first), &kept(&[5, 6], true));
        let held = |columns: &Columns| (0..1_000).filter(|p| columns.any(&both, *p)).collect::<Vec<_>>();
        assert_eq!((held(&older), held(&columns)), (vec![5, 700], vec![5, 6, 64]));
        assert_eq!((older.are_exact(), columns.are_exact()), (true, false));
        columns.replace(role, Some(&kept(&[64], false)), &kept(&[], true));
        assert!(columns.are_exact() && !columns.any(&[0; 7], 64) && !columns.any(&both, u32::MAX));
    }

    #[test]
    fn a_block_is_as_long_as_it_must_be_and_its_words_stay_when_it_grows() {
        let mut columns = Columns::default();
        columns.replace(Source::Group(0), None, &kept(&[5, 64, 128], true));
        let lengths = |columns: &Columns| columns.pages[0].iter().map(|block| block.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&columns), [8], "a small tenant pays for what it has");
        let older = columns.clone();
        // The first eight columns of the third block, so that none of its words is zero, and the ninth.
        for group in BLOCK - 1..BLOCK + 8 {
            assert_eq!(column(Source::Group(group)).map(u32::from), Some(2 * BLOCK + group + 1 - BLOCK));
            columns.replace(Source::Group(group), None, &kept(&[7], true));
        }
        assert_eq!(lengths(&columns), [8, 0, 16]);
        let has = |group: &u32| columns.any(&[column(Source::Group(*group)).unwrap()], 7);
        assert!((BLOCK - 1..BLOCK + 8).all(|group| has(&group)));
        // What did not grow is not copied, and what nothing is in is there once.
        assert!(Arc::ptr_eq(&older.pages[0][0], &columns.pages[0][0]));
        assert!(Arc::ptr_eq(&columns.pages[1][2], &columns.pages[2][2]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn columns_answer_like_the_rows_that_were_written(
            steps in vec((any::<bool>(), 0..400u32, btree_set(0..200u32, 0..4), any::<bool>()), 1..60),
        ) {
            let mut columns = Columns::default();
            let mut rows = HashMap::new();
            for (is_group, number, numbers, exact) in steps {
                let source = if is_group { Source::Group(number) } else { Source::Role(number) };
                let after = kept(&numbers.into_iter().collect::<Vec<_>>(), exact);
                columns.replace(source, rows.get(&source), &after);
                rows.insert(source, after);
                prop_assert_eq!(columns.are_exact(), rows.values().all(|kept| kept.exact));
            }
            for (source, kept) in &rows {
                let column = column(*source).unwrap();
                prop_assert!((0..256).all(|p| columns.any(&[0, column], p) == kept.row.contains(p)));
            }
            prop_assert!((0..256).all(|p| !columns.any(&[0, u16::MAX], p)), "nobody's columns");
        }
    }
}
