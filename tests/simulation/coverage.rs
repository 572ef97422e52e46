//! What a run of many seeds has met. A load test fails when the load was too low.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What must be met, and in how many of a thousand seeds at least.
pub(crate) const WANTED: [(&str, u64); 33] = [
    ("a tenant unsettled", 340),
    ("settled as landed", 250),
    ("settled as lost", 240),
    ("settled as unknowable", 150),
    ("told that it is open", 340),
    ("a commit sent again", 290),
    ("an empty commit in its place", 150),
    ("a driver sent twice", 190),
    ("a late copy landed", 140),
    ("own commit behind a conflict", 90),
    ("a conflict", 310),
    ("an update that ran again", 160),
    ("no effect", 440),
    ("no effect, on a base that had moved", 300),
    ("too old, then a load", 310),
    ("a birth unsettled", 180),
    ("a birth settled by another call", 110),
    ("a slug taken", 380),
    ("a tenant deleted", 150),
    ("a tenant renamed", 80),
    ("a future dropped after it had asked", 240),
    ("a store that panics", 140),
    ("a process crashed", 270),
    ("a backup restored", 190),
    ("a history that went back, refused", 110),
    ("refused for good", 150),
    ("content refused, then accepted", 80),
    ("unavailable", 240),
    ("a plan committed", 40),
    ("a plan refused as stale", 170),
    ("closed while unsettled", 10),
    ("opened with a commit still open", 11),
    ("a wait for a turn", 490),
];

#[derive(Clone, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn met(&mut self, what: &'static str) {
        debug_assert!(WANTED.iter().any(|(wanted, _)| *wanted == what), "{what}");
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds what one seed has met: each thing once.
    pub(crate) fn add(&mut self, seed: &Self) {
        for what in seed.0.keys() {
            *self.0.entry(what).or_default() += 1;
        }
    }

    /// A table, and what was met too seldom.
    pub(crate) fn report(&self, seeds: u64) -> (String, Vec<&'static str>) {
        let mut table = format!("of {seeds} seeds, so many met:\n");
        let mut seldom = Vec::new();
        for (what, wanted) in WANTED {
            let found = self.0.get(what).copied().unwrap_or_default();
            writeln!(table, "{found:>8}  {what}").unwrap();
            if found == 0 || found * 1_000 < wanted * seeds {
                seldom.push(what);
            }
        }
        (table, seldom)
    }
}
