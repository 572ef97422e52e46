//! Counts the situations that a run of many seeds has reached. The run fails if it reaches one too seldom.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The situations that must be reached, and in how many of a thousand seeds at least.
pub(crate) const WANTED: [(&str, u64); 43] = [
    ("a tenant in doubt", 400),
    ("resolved as committed", 290),
    ("resolved as aborted", 230),
    ("resolved as unknown", 130),
    ("reported as in doubt", 400),
    ("a commit sent again", 370),
    ("an empty commit in its place", 210),
    ("a driver sent twice", 160),
    ("a late copy committed", 220),
    ("own commit behind a conflict", 100),
    ("a conflict", 260),
    ("an update that ran again", 110),
    ("no effect", 360),
    ("no effect, on a base that had moved", 210),
    ("too old, then a load", 270),
    ("a creation in doubt", 270),
    ("a creation resolved by another call", 200),
    ("a slug taken", 380),
    ("a tenant deleted", 110),
    ("a tenant renamed", 70),
    ("a future dropped after it had asked", 230),
    ("a store that panics", 110),
    ("a process crashed", 270),
    ("a backup restored", 190),
    ("a history that went back, refused", 70),
    ("refused for good", 120),
    ("content refused, then accepted", 50),
    ("unavailable", 210),
    ("a plan committed", 20),
    ("a plan refused as stale", 110),
    ("a plan refused by a separation or an assertion", 40),
    ("closed while in doubt", 150),
    ("opened with a commit still in doubt", 70),
    ("an in doubt tenant that nobody holds", 10),
    ("an outage", 270),
    ("a wait for a turn", 490),
    ("blocked by a commit in doubt", 260),
    ("a closure that failed", 200),
    ("a closure that failed, on a base that had moved", 60),
    ("a stage that was committed", 100),
    ("a stage that was not committed", 50),
    ("a stage that was rolled back", 50),
    ("a stage that was dropped", 50),
];

/// The same for processes that follow each other.
pub(crate) const WANTED_WITH_FOLLOWERS: [(&str, u64); 8] = [
    ("a follower asked for positions", 500),
    ("a follower refreshed a tenant", 200),
    ("a tenant in doubt", 100),
    ("resolved as committed", 100),
    ("resolved as aborted", 100),
    ("a commit sent again", 100),
    ("a process crashed", 100),
    ("a backup restored", 100),
];

/// The same for processes with runtimes: what only they meet, and that they still meet the rest.
pub(crate) const WANTED_WITH_A_RUNTIME: [(&str, u64); 15] = [
    ("a caller that hung up on a task", 100),
    ("a task ended that resolved a commit", 100),
    ("in doubt until the store could be reached", 20),
    ("a tenant in doubt", 100),
    ("resolved as committed", 100),
    ("resolved as aborted", 100),
    ("resolved as unknown", 20),
    ("a commit sent again", 100),
    ("an update that ran again", 50),
    ("a store that panics", 50),
    ("a process crashed", 100),
    ("a backup restored", 100),
    ("closed while in doubt", 10),
    ("opened with a commit still in doubt", 10),
    ("a wait for a turn", 100),
];

#[derive(Clone, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn met(&mut self, what: &'static str) {
        let mut wanted = WANTED.iter().chain(&WANTED_WITH_A_RUNTIME).chain(&WANTED_WITH_FOLLOWERS);
        debug_assert!(wanted.any(|(wanted, _)| *wanted == what), "{what}");
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds the situations of one seed, each once.
    pub(crate) fn add(&mut self, seed: &Self) {
        for what in seed.0.keys() {
            *self.0.entry(what).or_default() += 1;
        }
    }

    /// Returns a table, and the situations that were reached too seldom.
    pub(crate) fn report(&self, wanted: &[(&'static str, u64)], seeds: u64) -> (String, Vec<&'static str>) {
        let mut table = format!("of {seeds} seeds, so many met:\n");
        let mut seldom = Vec::new();
        for (what, wanted) in wanted.iter().copied() {
            let found = self.0.get(what).copied().unwrap_or_default();
            writeln!(table, "{found:>8}  {what}").unwrap();
            if found == 0 || found * 1_000 < wanted * seeds {
                seldom.push(what);
            }
        }
        (table, seldom)
    }
}
