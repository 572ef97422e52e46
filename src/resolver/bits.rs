//! Sets of small integers: [`Bits`] to work on, [`BitRow`] to keep.
//!
//! Use them for numbers that are dense and mostly below a few hundred thousand: a set costs one bit for every number
//! below its highest. The file does not know what the numbers mean.
//!
//! Guarantees: `contains` is one word lookup and one bit test. The union of two sets is O(words), 64 numbers at a
//! time. Cloning a [`BitRow`] is O(1) and shares its words.
//!
//! Deliberately absent: compression. A row costs 8 bytes for each 64 numbers of its *span*, so a row of two numbers
//! far apart is expensive. A compressed row would need a search before the bit test.
//!
//! Read next: `tables.rs`, the persistent tables that hold rows.

use std::fmt;
use std::slice;
use std::sync::Arc;

use crate::model::internal_fault::must;

/// A growable working set.
///
/// INVARIANT: the last word is not zero, so that equal sets have equal words.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The empty set; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Adds `n`. Returns whether it was not in the set before.
    pub(crate) fn insert(&mut self, n: u32) -> bool {
        let (at, bit) = place(n);
        let Some(word) = self.words.get_mut(at) else { return self.insert_beyond(n) };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Adds `n`, which has no word yet. Separate, so that the code of other insertions stays short.
    #[cold]
    fn insert_beyond(&mut self, n: u32) -> bool {
        let (at, bit) = place(n);
        self.reach(at + 1);
        let word = self.words.get_mut(at);
        must(word.map(|word| *word |= bit), "a set has room for a number").is_some()
    }

    /// Removes `n` if it is present.
    pub(crate) fn remove(&mut self, n: u32) {
        let (at, bit) = place(n);
        if let Some(word) = self.words.get_mut(at) {
            *word &= !bit;
            self.trim();
        }
    }

    #[inline]
    pub(crate) fn contains(&self, n: u32) -> bool {
        let (at, bit) = place(n);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// The number of members, counted in O(words).
    pub(crate) fn len(&self) -> usize {
        count(&self.words)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn union_with(&mut self, other: &Self) {
        self.union_words(0, &other.words);
    }

    /// Adds every number of `row`. O(words of the row).
    pub(crate) fn union_row(&mut self, row: &BitRow) {
        self.union_words(row.first as usize, row.words());
    }

    /// The union of these rows.
    pub(crate) fn union_of(rows: &[&BitRow]) -> Self {
        let end = rows.iter().filter(|row| row.words.is_some()).map(|row| row.words_end()).max();
        let mut words = vec![0; end.unwrap_or(0)];
        for row in rows {
            let part = words.iter_mut().skip(row.first as usize);
            part.zip(row.words()).for_each(|(mine, theirs)| *mine |= theirs);
        }
        // Some row ends last, and its last word is not zero.
        Self { words }
    }

    pub(crate) fn intersect_with(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= theirs);
        self.trim();
    }

    /// Removes every number of `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
        self.trim();
    }

    /// Removes the numbers of `other`, which returns a word by its index. Asks only for words in which this set has a
    /// number.
    pub(crate) fn subtract_words(&mut self, other: impl Fn(usize) -> u64) {
        let words = self.words.iter_mut().enumerate().filter(|(_, word)| **word != 0);
        words.for_each(|(at, word)| *word &= !other(at));
        self.trim();
    }

    /// Whether every number of this set is in `other`.
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.words.len() <= other.words.len() && self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        Ones::new(&self.words, 0)
    }

    /// Adds the bits of `words`, which begin at the word `first`. INVARIANT: `words` is empty, or its last word is not zero.
    /// So the union needs no trim.
    fn union_words(&mut self, first: usize, words: &[u64]) {
        if words.is_empty() {
            return;
        }
        self.reach(first + words.len());
        self.words.iter_mut().skip(first).zip(words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    fn reach(&mut self, words: usize) {
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    fn trim(&mut self) {
        let cached = self.words.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        self.words.truncate(cached);
    }
}

impl FromIterator<u32> for Bits {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut bits = Self::new();
        for n in numbers {
            bits.insert(n);
        }
        bits
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "Bits", self.len(), self.iter())
    }
}

/// An immutable set that stores only the span that it covers, and shares it with its clones.
///
/// INVARIANT: neither the first nor the last word is zero, and the empty row has no words. Each set therefore has
/// exactly one row. `None` rather than an empty `Arc<[u64]>` makes [`BitRow::EMPTY`] a constant, and keeps threads that
/// clone empty rows from contending for one counter.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct BitRow {
    words: Option<Arc<[u64]>>,
    /// The index, in a [`Bits`], of the first of `words`.
    first: u32,
}

impl BitRow {
    /// The empty row; allocates nothing.
    pub(crate) const EMPTY: Self = Self { words: None, first: 0 };

    /// The same numbers, trimmed at both ends.
    pub(crate) fn from_bits(bits: &Bits) -> Self {
        let Some((first, _)) = (0..).zip(&bits.words).find(|(_, word)| **word != 0) else {
            return Self::EMPTY;
        };
        let words = must(bits.words.get(first as usize..), "a set has the words of its span");
        Self { words: words.map(Arc::from), first }
    }

    /// The union of these rows and numbers, or `None` if it spans more than `most` words.
    ///
    /// O(words of the rows + numbers + words of the span). Words before the span cost nothing.
    pub(crate) fn join(rows: &[&Self], numbers: &[u32], most: usize) -> Option<Self> {
        let spans = rows.iter().filter(|row| row.words.is_some()).map(|row| (row.first as usize, row.words_end()));
        let singles = numbers.iter().map(|n| (*n as usize / 64, *n as usize / 64 + 1));
        let whole = spans.chain(singles).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((start, end)) = whole else { return Some(Self::EMPTY) };
        if end - start > most {
            return None;
        }
        let mut words = vec![0; end - start];
        for row in rows {
            let part = words.iter_mut().skip((row.first as usize).saturating_sub(start));
            part.zip(row.words()).for_each(|(word, more)| *word |= more);
        }
        for n in numbers {
            let word = words.get_mut(*n as usize / 64 - start);
            if let Some(word) = must(word, "a joined row spans every number") {
                *word |= 1 << (n % 64);
            }
        }
        // Neither end is zero: each is the end of a row or contains a number.
        Some(Self { words: Some(words.into()), first: u32::try_from(start).ok()? })
    }

    /// Whether `n` is in the row. For a number before the span, the subtraction wraps to an index far beyond it.
    #[inline]
    pub(crate) fn contains(&self, n: u32) -> bool {
        let at = (n / 64).wrapping_sub(self.first) as usize;
        self.words().get(at).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }

    /// The word that a [`Bits`] of the same numbers would have at this index, inside or outside the span.
    pub(crate) fn word(&self, at: usize) -> u64 {
        let within = at.checked_sub(self.first as usize);
        within.and_then(|at| self.words().get(at)).copied().unwrap_or(0)
    }

    /// The index of its first word in a [`Bits`].
    pub(crate) fn words_start(&self) -> usize {
        self.first as usize
    }

    /// The index after its last word in a [`Bits`].
    pub(crate) fn words_end(&self) -> usize {
        self.first as usize + self.word_count()
    }

    /// The number of words that it stores, 8 bytes each.
    pub(crate) fn word_count(&self) -> usize {
        self.words().len()
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        Ones::new(self.words(), self.first)
    }

    #[inline]
    fn words(&self) -> &[u64] {
        self.words.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for BitRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "BitRow", count(self.words()), self.iter())
    }
}

/// The numbers of the bits that are set, ascending.
struct Ones<'a> {
    rest: slice::Iter<'a, u64>,
    /// The remaining bits of the word whose lowest bit is number `base`.
    word: u64,
    base: u32,
}

impl<'a> Ones<'a> {
    fn new(words: &'a [u64], first: u32) -> Self {
        // Reading the first word advances `base` to it.
        Self { rest: words.iter(), word: 0, base: (first * 64).wrapping_sub(64) }
    }
}

impl Iterator for Ones<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        while self.word == 0 {
            self.word = *self.rest.next()?;
            self.base = self.base.wrapping_add(64);
        }
        let lowest = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(self.base + lowest)
    }
}

#[inline]
fn place(n: u32) -> (usize, u64) {
    ((n / 64) as usize, 1 << (n % 64))
}

fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// Formats a small set with its numbers and a large one with only their count.
fn show(f: &mut fmt::Formatter<'_>, name: &str, len: usize, numbers: impl Iterator<Item = u32>) -> fmt::Result {
    if len > 16 {
        return write!(f, "{name}({len} numbers)");
    }
    write!(f, "{name}")?;
    f.debug_set().entries(numbers).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Set = BTreeSet<u32>;

    fn bits(set: &Set) -> Bits {
        set.iter().copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 256 }))]
        #[test]
        fn a_working_set_answers_like_a_btree_set(ops in vec((any::<bool>(), 0..700u32), 0..200)) {
            let (mut ours, mut theirs) = (Bits::new(), Set::new());
            for (add, n) in ops {
                if add {
                    prop_assert_eq!(ours.insert(n), theirs.insert(n));
                } else {
                    ours.remove(n);
                    theirs.remove(&n);
                }
                prop_assert_eq!(ours.contains(n), theirs.contains(&n));
                prop_assert_eq!((ours.len(), ours.is_empty()), (theirs.len(), theirs.is_empty()));
                prop_assert!(ours.iter().eq(theirs.iter().copied()));
                prop_assert_eq!(&ours, &bits(&theirs));
            }
        }

        #[test]
        fn two_joined_sets_answer_like_btree_sets(a in btree_set(0..400u32, 0..40), b in btree_set(0..500u32, 0..40)) {
            let (x, y) = (bits(&a), bits(&b));
            let after = |join: fn(&mut Bits, &Bits)| { let mut joined = x.clone(); join(&mut joined, &y); joined };
            prop_assert_eq!(after(Bits::union_with), bits(&(&a | &b)));
            prop_assert_eq!(after(|x, y| x.union_row(&BitRow::from_bits(y))), bits(&(&a | &b)));
            prop_assert_eq!(after(Bits::intersect_with), bits(&(&a & &b)));
            prop_assert_eq!(after(Bits::subtract), bits(&(&a - &b)));
            let by_words = |x: &mut Bits, y: &Bits| x.subtract_words(|at| y.words.get(at).copied().unwrap_or(0));
            prop_assert_eq!(after(by_words), bits(&(&a - &b)));
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
            prop_assert!(bits(&(&a & &b)).is_subset(&x));
            let (row, more): (BitRow, Vec<u32>) = (BitRow::from_bits(&y), a.iter().copied().collect());
            let joined = BitRow::from_bits(&bits(&(&a | &b)));
            prop_assert_eq!(Bits::union_of(&[&row, &BitRow::EMPTY, &BitRow::from_bits(&x)]), bits(&(&a | &b)));
            prop_assert_eq!(BitRow::join(&[&row, &BitRow::EMPTY], &more, joined.word_count()), Some(joined.clone()));
            prop_assert!(joined.word_count() == 0 || BitRow::join(&[&row], &more, joined.word_count() - 1).is_none());
        }

        #[test]
        fn a_row_holds_what_its_bits_held_and_no_more_words_than_the_span(set in btree_set(0..2000u32, 0..30)) {
            let row = BitRow::from_bits(&bits(&set));
            prop_assert!(row.iter().eq(set.iter().copied()));
            prop_assert!((0..2200).all(|n| row.contains(n) == set.contains(&n)) && !row.contains(u32::MAX));
            let span = set.first().zip(set.last()).map_or(0, |(a, z)| z / 64 - a / 64 + 1);
            prop_assert_eq!(row.word_count(), span as usize);
            prop_assert_eq!(row.words_start(), set.first().map_or(0, |first| *first as usize / 64));
        }
    }

    #[test]
    fn the_empty_row_is_the_row_of_the_empty_set() {
        assert_eq!(BitRow::from_bits(&Bits::new()), BitRow::EMPTY);
        assert!(!BitRow::default().contains(0));
    }
}
