//! The cached rows transposed: for each *page* of 64 permissions, which sources have which of them.
//!
//! A check reads one word for each source of the user, all from one page, and joins them without a branch.
//!
//! The columns contain exactly what the rows contain (I7). `row_cache.rs` updates both together. Measurements show
//! that this halves the time of a check, compared with following a pointer to the row of each source. The length of a
//! user's list of sources, and the position of the hit in it, are unpredictable branches.
//!
//! Each source has a *column* (`column_places.rs`). Column 0 belongs to no source. Its words are zero, and it pads lists of
//! columns. While there are few columns, a page is one array with a word for each column. With many columns, a page has 16
//! permissions and is a list of *tiles*. A tile has one bit for each of 4,096 columns and each of two permissions. So a
//! check reads one tile in most tenants, and in it at most one cache line for each 512 columns, however many groups the user
//! is in. A change copies one tile and not the whole width.
//! With a word for each column in blocks of 128, a user in forty groups read forty lines instead of five at 2,500 sources.
//! With tiles of 512 columns and 16 permissions, a check looked up the tile of each column, and a permission for many groups
//! copied eight times as many tiles.

use std::sync::Arc;

use super::column_places::ColumnPlaces;
use super::source::{CachedRow, Given, Source};
use crate::model::internal_fault::must;
use crate::resolver::bits::BitRow;

/// The number of columns that most users hold at most.
pub(crate) const USUAL: usize = 6;

/// The number of columns that are joined at a time beyond the usual ones.
pub(crate) const CHUNK: usize = 8;

/// The number of columns in one array. A change copies at most four kilobytes. The tests of this crate's modules have tiles
/// sooner, so that small histories reach them.
const FEW: usize = if cfg!(test) { 8 } else { 512 };

/// The permissions of a page of tiles. A change copies all pointers to pages. With 64 permissions, it copies four times as
/// many pointers to tiles; with 8, there are twice as many pages.
const BLOCK: u32 = 16;
/// The pages of tiles that take the place of one array.
const BLOCKS: usize = 64 / BLOCK as usize;

/// The columns of a tile. The tests of this crate's modules have narrow ones, so that a few hundred sources fill several.
const WIDTH: usize = if cfg!(test) { 128 } else { 4_096 };
const LINE: usize = WIDTH / 64;
/// The permissions of a tile. A change of a group copies a tile for each of its permissions, more or less.
const DEEP: u32 = 2;
/// The tiles of a page for the same columns.
const PARTS: usize = (BLOCK / DEEP) as usize;

/// The name of the internal fault of a missing word.
pub(crate) const WORD: &str = "a column has a word in every page";

/// A check reads only the first fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// INVARIANT: all pages are equally wide, and include every column that was ever written in any of them.
    pages: Pages,
    /// The number of incomplete sources: a check that does not find a permission in their columns must look further.
    incomplete_count: u32,
    /// One bit for each column, up to the highest one that was ever incomplete.
    incomplete: Arc<[u64]>,
    /// Likewise for those whose sources give everything that can be granted.
    all: Arc<[u64]>,
    places: ColumnPlaces,
}

#[derive(Clone, Debug)]
enum Pages {
    /// As wide as the highest column needs, so that a small tenant pays only for what it has; at most [`FEW`].
    Few(Arc<[Few]>),
    Many(Arc<[Arc<[Tile]>]>),
}

impl Default for Pages {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

type Few = Arc<[u64]>;

/// The bits of the columns, for each permission. Tiles without a bit share one blank tile. A page costs at least its
/// pointers: first those of the first columns.
type Tile = Arc<Lines>;
type Lines = [[u64; LINE]; DEEP as usize];

const BLANK: Lines = [[0; LINE]; DEEP as usize];

/// The place of a bit in a page of tiles.
#[derive(Clone, Copy)]
struct Bit {
    tile: usize,
    line: usize,
    word: usize,
    shift: u32,
}

impl Bit {
    #[inline]
    fn of(column: u32, permission: u32) -> Self {
        let at = column as usize;
        let (part, line) = place(permission);
        Self { tile: at / WIDTH * PARTS + part, line, word: at % WIDTH / 64, shift: column % 64 }
    }

    /// The word, shifted so that the bit is the lowest one.
    #[inline]
    fn read(self, page: &[Tile]) -> u64 {
        let word = page.get(self.tile).and_then(|tile| tile.get(self.line)?.get(self.word));
        word.copied().unwrap_or(0) >> self.shift
    }

    /// Changes the bit in its tile.
    fn flip(self, tile: &mut Lines) {
        let word = tile.get_mut(self.line).and_then(|line| line.get_mut(self.word));
        if let Some(word) = must(word, WORD) {
            *word ^= 1 << self.shift;
        }
    }
}

/// The tile of a permission among those of the same columns, and its line.
#[inline]
fn place(permission: u32) -> (usize, usize) {
    ((permission % BLOCK / DEEP) as usize, (permission % DEEP) as usize)
}

/// All bits of a permission, if one tile has them.
#[inline]
fn only_line(page: &[Tile], permission: u32) -> Option<&[u64; LINE]> {
    let (part, line) = place(permission);
    if page.len() == PARTS { page.get(part)?.get(line) } else { None }
}

impl Columns {
    /// Whether one of these columns has a permission. Padding comes last. Fastest for the usual number of columns.
    #[inline]
    pub(crate) fn any_of(&self, columns: &[u16], permission: u32) -> bool {
        match columns.try_into() {
            Ok(usual) => self.any_of_usual(usual, permission),
            Err(_) => self.any_of_many(columns, permission),
        }
    }

    /// The same for the usual number of columns.
    #[inline]
    pub(crate) fn any_of_usual(&self, columns: &[u16; USUAL], permission: u32) -> bool {
        self.fold(columns, permission, |all, bit| all | bit) & 1 == 1
    }

    /// The same for more columns or fewer. Fastest if their number is two less than a multiple of eight.
    fn any_of_many(&self, columns: &[u16], permission: u32) -> bool {
        let Some((first, rest)) = columns.split_first_chunk() else {
            return self.any_of_few(columns, permission);
        };
        let chunks = rest.chunks_exact(CHUNK);
        let few = chunks.remainder();
        let chunks = chunks.filter_map(|chunk| chunk.try_into().ok());
        self.any_of_chunks(self.any_of_usual(first, permission), chunks, permission) || self.any_of_few(few, permission)
    }

    /// The same for columns in chunks; `true` if `found`. A chunk that begins with padding is the end.
    #[inline]
    pub(crate) fn any_of_chunks<'a>(
        &self,
        found: bool,
        chunks: impl Iterator<Item = &'a [u16; CHUNK]>,
        permission: u32,
    ) -> bool {
        let mut joined = u64::from(found);
        for chunk in chunks {
            // One branch for both, because neither can be predicted.
            if joined & 1 == 1 || chunk[0] == 0 {
                break;
            }
            joined |= self.fold(chunk, permission, |all, bit| all | bit);
        }
        joined & 1 == 1
    }

    /// Returns a bit for each of these 1 to 64 columns: whether it has the permission. Bit 0 is the first one.
    #[inline]
    pub(crate) fn given<const N: usize>(&self, columns: &[u16; N], permission: u32) -> u64 {
        let reversed = self.fold(columns, permission, |all, bit| all << 1 | (bit & 1));
        reversed.reverse_bits() >> (64 - N)
    }

    /// Joins what says in its lowest bit whether a column has a permission, in the order of these columns.
    #[inline]
    fn fold<'a>(
        &self,
        columns: impl IntoIterator<Item = &'a u16>,
        permission: u32,
        join: impl Fn(u64, u64) -> u64,
    ) -> u64 {
        let columns = columns.into_iter();
        match &self.pages {
            Pages::Few(pages) => {
                let Some(page) = pages.get((permission / 64) as usize) else { return 0 };
                let word = |column: &u16| page.get(usize::from(*column)).copied().unwrap_or(0);
                columns.fold(0, |all, column| join(all, word(column) >> (permission % 64)))
            }
            Pages::Many(pages) => {
                let Some(page) = pages.get((permission / BLOCK) as usize) else { return 0 };
                if let Some(line) = only_line(page, permission) {
                    let word = |column: u16| line.get(usize::from(column / 64)).copied().unwrap_or(0);
                    return columns.fold(0, |all, column| join(all, word(*column) >> (column % 64)));
                }
                columns.fold(0, |all, column| join(all, Bit::of(u32::from(*column), permission).read(page)))
            }
        }
    }

    /// Whether one of these columns has a permission.
    #[inline]
    fn any_of_few(&self, columns: &[u16], permission: u32) -> bool {
        columns.iter().fold(false, |any, column| any | self.has(u32::from(*column), permission))
    }

    /// Whether a column has a permission.
    #[inline]
    pub(crate) fn has(&self, column: u32, permission: u32) -> bool {
        let bit = match &self.pages {
            Pages::Few(pages) => {
                let page = pages.get((permission / 64) as usize);
                page.and_then(|page| page.get(column as usize)).map_or(0, |word| word >> (permission % 64))
            }
            Pages::Many(pages) => {
                let page = pages.get((permission / BLOCK) as usize);
                page.map_or(0, |page| Bit::of(column, permission).read(page))
            }
        };
        bit & 1 == 1
    }

    /// The sources that have a permission.
    ///
    /// # Complexity
    /// O(columns) bits.
    pub(crate) fn sources_with(&self, permission: u32) -> impl Iterator<Item = Source> + '_ {
        let (few, many) = self.words_with(permission);
        let has = move |word: u64| word >> (permission % 64) & 1 == 1;
        let few = (0..).zip(few).filter(move |(_, word)| has(**word)).map(|(column, _)| column);
        let many = (0..).step_by(64).zip(many).flat_map(move |(start, word)| ones(*word).map(move |n| start + n));
        few.chain(many).filter_map(|column| self.source(column))
    }

    /// How many sources have a permission. Reads one bit of each.
    pub(crate) fn count_with(&self, permission: u32) -> usize {
        let (few, many) = self.words_with(permission);
        let few = few.filter(|word| *word >> (permission % 64) & 1 == 1).count();
        few + many.map(|word| word.count_ones() as usize).sum::<usize>()
    }

    /// The words of a page of one array, each with a bit of a permission; or the lines of a permission in the tiles of a page.
    fn words_with(&self, permission: u32) -> (impl Iterator<Item = &u64>, impl Iterator<Item = &u64>) {
        let (few, many) = match &self.pages {
            Pages::Few(pages) => (pages.get((permission / 64) as usize), None),
            Pages::Many(pages) => (None, pages.get((permission / BLOCK) as usize)),
        };
        let (part, line) = place(permission);
        let tiles = many.into_iter().flat_map(move |page| page.iter().skip(part).step_by(PARTS));
        (few.into_iter().flat_map(|page| page.iter()), tiles.filter_map(move |tile| tile.get(line)).flatten())
    }

    /// How many tiles there are side by side. None if pages have no tiles.
    #[cfg(test)]
    pub(crate) fn ranges(&self) -> usize {
        if let Pages::Many(pages) = &self.pages { pages.first().map_or(1, |page| page.len() / PARTS) } else { 0 }
    }

    /// Whether no source is incomplete. A permission that is in no column is denied then.
    #[inline]
    pub(crate) fn are_complete(&self) -> bool {
        self.incomplete_count == 0
    }

    /// Whether one of these columns is of an incomplete source.
    #[inline]
    pub(crate) fn any_incomplete<'a>(&self, columns: impl IntoIterator<Item = &'a u16>) -> bool {
        self.incomplete_count != 0
            && columns.into_iter().fold(false, |any, column| any | self.is_incomplete(u32::from(*column)))
    }

    #[inline]
    pub(crate) fn is_incomplete(&self, column: u32) -> bool {
        self.incomplete.get((column / 64) as usize).is_some_and(|word| word >> (column % 64) & 1 == 1)
    }

    /// The column of a source that exists.
    pub(crate) fn column(&self, source: Source) -> Option<u32> {
        self.places.column(source)
    }

    /// The source of a column, if one has it.
    pub(crate) fn source(&self, column: u32) -> Option<Source> {
        self.places.source(column)
    }

    /// Gives a source a column, unless it has one.
    pub(crate) fn assign(&mut self, source: Source) {
        self.places.assign(source);
    }

    /// Lets another source have the column of a deleted one, whose row has been replaced by the empty one.
    pub(crate) fn release(&mut self, source: Source) {
        self.places.release(source);
    }

    /// Replaces the cached row of a source.
    pub(crate) fn replace(
        &mut self,
        source: Source,
        before: Option<&CachedRow>,
        after: &CachedRow,
        grantable: &BitRow,
    ) {
        let Some(column) = must(self.places.column(source), "a source has a column") else { return };
        self.set_incomplete(column, after.is_incomplete());
        set(&mut self.all, column, after.always == Given::All);
        let old = before.map_or(&BitRow::EMPTY, |cached| cached.always.row(grantable));
        let new = after.always.row(grantable);
        if old == new {
            return;
        }
        self.reach(new.words_end(), column as usize);
        let starts = [old, new].into_iter().filter(|row| row.word_count() > 0).map(BitRow::words_start);
        for at in starts.min().unwrap_or(0)..old.words_end().max(new.words_end()) {
            if old.word(at) != new.word(at) {
                self.write(at, column, old.word(at), new.word(at));
            }
        }
    }

    /// Adds or removes each of these permissions in the columns of all sources that give everything.
    ///
    /// # Complexity
    /// O(columns) bits for each of them.
    pub(crate) fn flip_for_all(&mut self, permissions: &[u32]) {
        let all = Arc::clone(&self.all);
        let held = |column: &usize| all.get(column / 64).is_some_and(|word| word >> (column % 64) & 1 == 1);
        let Some(last) = (0..all.len() * 64).rfind(held) else { return };
        for permission in permissions {
            let (word, bit) = ((permission / 64) as usize, 1 << (permission % 64));
            self.reach(word + 1, last);
            match &mut self.pages {
                Pages::Few(pages) => {
                    let page = Arc::make_mut(pages).get_mut(word).map(Arc::make_mut);
                    let words = must(page, WORD).into_iter().flatten().zip(0..);
                    words.filter(|(_, column)| held(column)).for_each(|(word, _)| *word ^= bit);
                }
                Pages::Many(pages) => {
                    let page = Arc::make_mut(pages).get_mut((permission / BLOCK) as usize).map(Arc::make_mut);
                    let (part, line) = place(*permission);
                    let tiles = must(page, WORD).into_iter().flat_map(|page| page.iter_mut().skip(part).step_by(PARTS));
                    for (tile, all) in tiles.zip(all.chunks(LINE)) {
                        if all.iter().any(|word| *word != 0) {
                            let words = must(Arc::make_mut(tile).get_mut(line), WORD).into_iter().flatten().zip(all);
                            words.for_each(|(word, all)| *word ^= all);
                        }
                    }
                }
            }
        }
    }

    fn set_incomplete(&mut self, column: u32, incomplete: bool) {
        if !set(&mut self.incomplete, column, incomplete) {
            return;
        }
        let counted =
            if incomplete { self.incomplete_count.checked_add(1) } else { self.incomplete_count.checked_sub(1) };
        self.incomplete_count = must(counted, "an incomplete source was counted").unwrap_or(1);
    }

    /// Replaces a word of a row, and with it the bits of 64 permissions.
    fn write(&mut self, at: usize, column: u32, old: u64, new: u64) {
        match &mut self.pages {
            Pages::Few(pages) => {
                let page = Arc::make_mut(pages).get_mut(at).map(Arc::make_mut);
                must(page.and_then(|page| page.get_mut(column as usize)).map(|word| *word = new), WORD);
            }
            Pages::Many(pages) => {
                let pages = Arc::make_mut(pages).get_mut(at * BLOCKS..(at + 1) * BLOCKS);
                for (page, flipped) in must(pages, WORD).into_iter().flatten().zip(blocks(old ^ new)) {
                    for bit in ones(flipped).map(|permission| Bit::of(column, permission)) {
                        let tile = Arc::make_mut(page).get_mut(bit.tile).map(Arc::make_mut);
                        must(tile.map(|tile| bit.flip(tile)), WORD);
                    }
                }
            }
        }
    }

    /// Makes room for rows of so many words, and for this column in each page.
    fn reach(&mut self, words: usize, column: usize) {
        if let Pages::Few(pages) = &self.pages {
            if column < FEW {
                let width = pages.first().map_or(0, |page| page.len());
                let wide = if column < width { width } else { (column + 1).next_power_of_two().max(8) };
                if wide > width || words > pages.len() {
                    self.pages = Pages::Few(widened(pages, words, wide, 0));
                }
                return;
            }
            let blank = Arc::new(BLANK);
            self.pages = Pages::Many(pages.iter().flat_map(|page| tiles(page, &blank)).collect());
        }
        if let Pages::Many(pages) = &self.pages {
            let width = pages.first().map_or(0, |page| page.len());
            let wide = width.max((column / WIDTH + 1) * PARTS);
            if wide > width || words * BLOCKS > pages.len() {
                self.pages = Pages::Many(widened(pages, words * BLOCKS, wide, Arc::new(BLANK)));
            }
        }
    }
}

/// Sets the bit of a column. Returns whether it was different.
fn set(bits: &mut Arc<[u64]>, column: u32, value: bool) -> bool {
    let at = (column / 64) as usize;
    if bits.get(at).is_some_and(|word| word >> (column % 64) & 1 == 1) == value {
        return false;
    }
    if at >= bits.len() {
        *bits = bits.iter().copied().chain(std::iter::repeat(0)).take((at + 1).next_power_of_two()).collect();
    }
    if let Some(word) = must(Arc::make_mut(bits).get_mut(at), WORD) {
        *word ^= 1 << (column % 64);
    }
    true
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

/// The bits of a word for each page of tiles.
fn blocks(word: u64) -> impl Iterator<Item = u64> {
    (0..64).step_by(BLOCK as usize).map(move |first| word >> first & ((1 << BLOCK) - 1))
}

/// The positions of the bits of a word, from the lowest one.
fn ones(word: u64) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(word), |left| Some(left & left.wrapping_sub(1)))
        .take_while(|left| *left != 0)
        .map(u64::trailing_zeros)
}

/// Converts a page to pages of tiles.
fn tiles(page: &[u64], blank: &Tile) -> impl Iterator<Item = Arc<[Tile]>> {
    (0..BLOCKS).map(move |at| {
        let mut tiles = vec![BLANK; page.len().div_ceil(WIDTH) * PARTS];
        for (column, word) in (0..).zip(page) {
            for bit in ones(blocks(*word).nth(at).unwrap_or(0)).map(|permission| Bit::of(column, permission)) {
                must(tiles.get_mut(bit.tile).map(|tile| bit.flip(tile)), WORD);
            }
        }
        let shared = |tile| if tile == BLANK { Arc::clone(blank) } else { Arc::new(tile) };
        tiles.into_iter().map(shared).collect()
    })
}

#[cfg(test)]
mod tests;
