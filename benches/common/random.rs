//! `SplitMix64`: the random number generator that everything is drawn from.

/// A seeded generator. A clone continues with the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `n`.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let wide = (u128::from(self.next()) * u128::from(n)) >> 64;
        u32::try_from(wide).unwrap()
    }

    /// Returns `count` different numbers below `n`, in the order in which they were drawn. A repeat is drawn again.
    pub(crate) fn distinct(&mut self, count: u32, n: u32) -> Vec<u32> {
        let mut drawn = Vec::new();
        while drawn.len() < count as usize {
            let one = self.below(n);
            if !drawn.contains(&one) {
                drawn.push(one);
            }
        }
        drawn
    }
}
