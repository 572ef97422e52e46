//! What a run of many seeds has met. A load test fails when the load was too low.

use std::collections::BTreeMap;

/// What must be met, and in how many of a thousand seeds at least.
pub(crate) const WANTED: [(&str, u64); 33] = [
    ("a tenant unsettled", 300),
    ("settled as landed", 200),
    ("settled as lost", 100),
    ("settled as unknowable", 20),
    ("told that it is open", 300),
    ("a commit sent again", 200),
    ("an empty commit in its place", 20),
    ("a driver sent twice", 300),
    ("a late copy landed", 100),
    ("own commit behind a conflict", 20),
    ("a conflict", 300),
    ("an update that ran again", 200),
    ("no effect", 200),
    ("no effect, on a base that had moved", 50),
    ("too old, then a load", 200),
    ("a birth unsettled", 50),
    ("a birth settled by another call", 20),
    ("a slug taken", 100),
    ("a tenant deleted", 200),
    ("a tenant renamed", 100),
    ("a future dropped after it had asked", 300),
    ("a store that panics", 100),
    ("a process crashed", 200),
    ("a backup restored", 200),
    ("a history that went back, refused", 50),
    ("refused for good", 200),
    ("content refused, then accepted", 50),
    ("unavailable", 300),
    ("a plan committed", 50),
    ("a plan refused as stale", 50),
    ("closed while unsettled", 20),
    ("opened with a commit still open", 5),
    ("a wait for a turn", 300),
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
            table.push_str(&format!("{found:>8}  {what}\n"));
            if found == 0 || found * 1_000 < wanted * seeds {
                seldom.push(what);
            }
        }
        (table, seldom)
    }
}
