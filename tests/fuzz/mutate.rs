//! Mutates the corpus with a seeded generator, to run the targets without a fuzzer.

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("the remainder fits")
    }

    #[expect(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }

    /// Returns one input of the corpus with one to eight random changes.
    pub(crate) fn mutant(&mut self, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut bytes = self.of(corpus).clone();
        for _ in 0..=self.below(8) {
            let (from, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            let short = from..to.min(from + 1 + self.below(12));
            match self.below(6) {
                0 if from < bytes.len() => bytes[from] = self.byte(),
                1 => bytes.insert(from, self.byte()),
                2 => drop(bytes.splice(short, [])),
                3 => drop(bytes.splice(short, self.of(words).bytes())),
                4 => {
                    let other = self.of(corpus);
                    let start = self.below(other.len() + 1);
                    let part = &other[start..other.len().min(start + 1 + self.below(60))];
                    drop(bytes.splice(from..from, part.iter().copied()));
                }
                _ => {
                    let again = bytes[from..to].to_vec();
                    drop(bytes.splice(from..from, again));
                }
            }
            bytes.truncate(4_096);
        }
        bytes
    }
}
