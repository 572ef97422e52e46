//! The cached rows transposed: for each *page* of 64 permissions, one word per source with one bit per permission.
//!
//! A check reads one word for each source of the user, all from one page, and joins them without a branch.
//!
//! The columns contain exactly what the rows contain (I7). `row_cache.rs` updates both together. Measurements show
//! that this halves the time of a check, compared with following a pointer to the row of each source. The length of a
//! user's list of sources, and the position of the hit in it, are unpredictable branches.
//!
//! Each source has a *column*. Column 0 belongs to no source. Its words are zero, and it pads lists of columns. While
//! there are few columns, a page is one array of words. Reading a column then takes four instructions, instead of
//! sixteen through blocks. With many columns, a page is an array of blocks, so that a change copies one block and not
//! the whole width.

use std::sync::Arc;

use super::source::{CachedRow, Source};
use crate::model::internal_fault::must;
use crate::resolver::bits::Row;

/// The number of columns in one array: half of them for groups and half for roles, alternating. A change copies at
/// most four kilobytes.
const FEW: usize = 512;

/// The number of columns that are copied when one of many changes: a kilobyte. With 32, a change of many pages at
/// 2,000 groups took three times as long, because the reference counts of the other blocks are updated, page by page.
const WIDTH: usize = 128;
const BLOCK: u32 = 128;

/// The name of the internal fault of a missing word.
pub(crate) const WORD: &str = "a column has a word in every page";

#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// INVARIANT: all pages are equally wide, and include every column that was ever written in any of them.
    pages: Pages,
    /// The number of sources whose cached row is incomplete.
    incomplete: u32,
}

#[derive(Clone, Debug)]
enum Pages {
    /// As wide as the highest column needs, so that a small tenant pays only for what it has; at most [`FEW`].
    Few(Arc<[Few]>),
    Many(Arc<[Arc<[Block]>]>),
}

type Few = Arc<[u64]>;

/// Pages in which no source has a permission share one blank block. A page costs at least its pointers.
type Block = Arc<[u64; WIDTH]>;

/// The column of a source, or `None` if its number is too large for the 16 bits of a user summary.
pub(crate) fn column(source: Source) -> Option<u16> {
    let (number, kind) = match source {
        Source::Group(number) => (number.checked_add(1)?, 0),
        Source::Role(number) => (number.checked_add(1)?, 1),
    };
    if (number as usize) < FEW / 2 {
        return u16::try_from(number * 2 + kind).ok();
    }
    // From here on blocks alternate. A tenant may have many more groups than roles.
    let block = (number / BLOCK).checked_mul(2)?.checked_add(kind)?;
    u16::try_from(block.checked_mul(BLOCK)?.checked_add(number % BLOCK)?).ok()
}

/// The source of a column.
pub(crate) fn source(column: u16) -> Option<Source> {
    let (block, at) = (u32::from(column) / BLOCK, u32::from(column) % BLOCK);
    let (number, kind) = match usize::from(column) {
        0..FEW => (u32::from(column) / 2, column % 2),
        _ => (block / 2 * BLOCK + at, u16::from(block % 2 == 1)),
    };
    let number = number.checked_sub(1)?;
    Some(if kind == 0 { Source::Group(number) } else { Source::Role(number) })
}

impl Columns {
    /// Whether one of these columns has a permission.
    #[inline]
    pub(crate) fn any<const N: usize>(&self, columns: &[u16; N], permission: u32) -> bool {
        let page = (permission / 64) as usize;
        let joined = match &self.pages {
            Pages::Few(pages) => {
                let Some(page) = pages.get(page) else { return false };
                let word = |column: &u16| page.get(usize::from(*column)).copied().unwrap_or(0);
                columns.iter().fold(0, |all, column| all | word(column))
            }
            Pages::Many(pages) => {
                let Some(page) = pages.get(page) else { return false };
                let word = |column: &u16| {
                    let block = page.get(usize::from(*column) / WIDTH)?;
                    block.get(usize::from(*column) % WIDTH).copied()
                };
                columns.iter().fold(0, |all, column| all | word(column).unwrap_or(0))
            }
        };
        joined >> (permission % 64) & 1 == 1
    }

    /// Whether every cached row is complete. A permission that is in no column is denied then.
    #[inline]
    pub(crate) fn are_complete(&self) -> bool {
        self.incomplete == 0
    }

    /// Replaces the cached row of a source.
    pub(crate) fn replace(&mut self, source: Source, before: Option<&CachedRow>, after: &CachedRow) {
        let incomplete = |cached: &CachedRow| u32::from(!cached.complete);
        let counted = (self.incomplete + incomplete(after)).checked_sub(before.map_or(0, incomplete));
        self.incomplete = must(counted, "a row that is not complete was counted").unwrap_or(1);
        let Some(column) = column(source) else { return };
        let old = before.map_or(&Row::EMPTY, |cached| &cached.row);
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
        let place = match &mut self.pages {
            Pages::Few(pages) => {
                let page = Arc::make_mut(pages).get_mut(page).map(Arc::make_mut);
                page.and_then(|page| page.get_mut(column))
            }
            Pages::Many(pages) => {
                let page = Arc::make_mut(pages).get_mut(page).map(Arc::make_mut);
                let block = page.and_then(|page| page.get_mut(column / WIDTH)).map(Arc::make_mut);
                block.and_then(|block| block.get_mut(column % WIDTH))
            }
        };
        if let Some(place) = must(place, WORD) {
            *place = word;
        }
    }

    /// Makes room for `count` pages, and for this column in each of them.
    fn reach(&mut self, count: usize, column: usize) {
        if let Pages::Few(pages) = &self.pages {
            if column < FEW {
                let width = pages.first().map_or(0, |page| page.len());
                let wide = if column < width { width } else { (column + 1).next_power_of_two().max(8) };
                if wide > width || count > pages.len() {
                    self.pages = Pages::Few(widened(pages, count, wide, 0));
                }
                return;
            }
            let blank = Arc::new([0; WIDTH]);
            self.pages = Pages::Many(pages.iter().map(|page| blocks(page, &blank)).collect());
        }
        if let Pages::Many(pages) = &self.pages {
            let width = pages.first().map_or(0, |page| page.len());
            let wide = width.max(column / WIDTH + 1);
            if wide > width || count > pages.len() {
                self.pages = Pages::Many(widened(pages, count, wide, Arc::new([0; WIDTH])));
            }
        }
    }
}

/// `count` pages of this width.
fn widened<P: Clone>(pages: &[Arc<[P]>], count: usize, width: usize, blank: P) -> Arc<[Arc<[P]>]> {
    let blank_page: Arc<[P]> = std::iter::repeat_n(blank.clone(), width).collect();
    let wide = |page: Option<&Arc<[P]>>| match page {
        Some(page) if page.len() == width => Arc::clone(page),
        Some(page) => page.iter().cloned().chain(std::iter::repeat(blank.clone())).take(width).collect(),
        None => Arc::clone(&blank_page),
    };
    (0..count.max(pages.len())).map(|at| wide(pages.get(at))).collect()
}

/// Converts a page to blocks.
fn blocks(page: &[u64], blank: &Block) -> Arc<[Block]> {
    let block = |words: &[u64]| {
        let mut words = words.iter().copied();
        let block: [u64; WIDTH] = std::array::from_fn(|_| words.next().unwrap_or(0));
        if block == **blank { Arc::clone(blank) } else { Arc::new(block) }
    };
    page.chunks(WIDTH).map(block).collect()
}

impl Default for Columns {
    fn default() -> Self {
        Self { pages: Pages::Few(Arc::default()), incomplete: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::bits::Bits;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn cached_row(numbers: &[u32], complete: bool) -> CachedRow {
        let bits: Bits = numbers.iter().copied().collect();
        CachedRow { row: Row::from_bits(&bits), complete }
    }

    #[test]
    fn no_two_sources_share_a_column_and_column_zero_is_free() {
        let all = (0..5_000).flat_map(|n| [column(Source::Group(n)), column(Source::Role(n))]);
        let mut columns: Vec<u16> = all.map(Option::unwrap).collect();
        columns.sort_unstable();
        assert!(columns.windows(2).all(|pair| pair[0] < pair[1]) && columns[0] != 0);
        let sources = (0..5_000).flat_map(|n| [Source::Group(n), Source::Role(n)]);
        assert!(sources.into_iter().all(|one| source(column(one).unwrap()) == Some(one)) && source(0).is_none());
        assert_eq!((column(Source::Group(u32::MAX)), column(Source::Role(40_000))), (None, None));
    }

    #[test]
    fn a_column_equals_its_row_and_older_clones_do_not_change() {
        let mut columns = Columns::default();
        let (group, role) = (Source::Group(70), Source::Role(3));
        let both = [column(group).unwrap(), column(role).unwrap()];
        let first = cached_row(&[5, 700], true);
        columns.replace(group, None, &first);
        let older = columns.clone();
        columns.replace(role, None, &cached_row(&[5, 64], false));
        columns.replace(group, Some(&first), &cached_row(&[5, 6], true));
        let held = |columns: &Columns| (0..1_000).filter(|p| columns.any(&both, *p)).collect::<Vec<_>>();
        assert_eq!((held(&older), held(&columns)), (vec![5, 700], vec![5, 6, 64]));
        assert_eq!((older.are_complete(), columns.are_complete()), (true, false));
        columns.replace(role, Some(&cached_row(&[5, 64], false)), &cached_row(&[], true));
        assert!(columns.are_complete() && !columns.any(&[0; 7], 64) && !columns.any(&both, u32::MAX));
    }

    #[test]
    fn a_small_tenant_has_short_columns_and_keeps_their_contents_when_it_grows() {
        let mut columns = Columns::default();
        columns.replace(Source::Group(0), None, &cached_row(&[5, 64, 128], true));
        let widths = |columns: &Columns| match &columns.pages {
            Pages::Few(pages) => pages.iter().map(|page| page.len()).collect::<Vec<_>>(),
            Pages::Many(pages) => pages.iter().map(|page| page.len() * WIDTH).collect(),
        };
        assert_eq!(widths(&columns), [8, 8, 8]);
        let mut written = vec![(0, 5)];
        for (group, wide) in [(3, 16), (40, 128), (254, 512), (255, 640), (2_000, 3_968), (9_000, 18_048)] {
            let older = columns.clone();
            columns.replace(Source::Group(group), None, &cached_row(&[7], true));
            assert_eq!(widths(&columns), [wide; 3], "group {group}");
            let has = |columns: &Columns, (group, permission)| {
                columns.any(&[column(Source::Group(group)).unwrap()], permission)
            };
            assert!(!has(&older, (group, 7)) && written.iter().all(|each| has(&columns, *each)));
            written.push((group, 7));
        }
        let Pages::Many(pages) = &columns.pages else { panic!("many columns are in blocks") };
        assert!(Arc::ptr_eq(&pages[1][9], &pages[2][9]), "empty blocks are shared");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn columns_equal_the_rows_that_were_written(
            steps in vec((any::<bool>(), 0..400u32, btree_set(0..200u32, 0..4), any::<bool>()), 1..60),
        ) {
            let mut columns = Columns::default();
            let mut rows = HashMap::new();
            for (is_group, number, numbers, complete) in steps {
                let source = if is_group { Source::Group(number) } else { Source::Role(number) };
                let after = cached_row(&numbers.into_iter().collect::<Vec<_>>(), complete);
                columns.replace(source, rows.get(&source), &after);
                rows.insert(source, after);
                prop_assert_eq!(columns.are_complete(), rows.values().all(|cached| cached.complete));
            }
            for (source, cached) in &rows {
                let column = column(*source).unwrap();
                prop_assert!((0..256).all(|p| columns.any(&[0, column], p) == cached.row.contains(p)));
            }
            for ((one, ours), (other, theirs)) in rows.iter().zip(rows.iter().skip(1)) {
                let both = [column(*one).unwrap(), column(*other).unwrap()];
                let joined = |p| ours.row.contains(p) || theirs.row.contains(p);
                prop_assert!((0..256).all(|p| columns.any(&both, p) == joined(p)), "{one:?} and {other:?}");
            }
            prop_assert!((0..256).all(|p| !columns.any(&[0, u16::MAX], p)), "columns of no source");
        }
    }
}
