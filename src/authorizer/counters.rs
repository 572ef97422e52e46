//! The numbers of the events of an authorizer, which its clones share.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often each event has happened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) opens: Counter,
    pub(super) open_failures: Counter,
    pub(super) commits: Counter,
    pub(super) commit_failures: Counter,
    pub(super) conflicts: Counter,
    pub(super) in_doubt: Counter,
    pub(super) resolved: Counter,
    pub(super) followed_commits: Counter,
    pub(super) reloads: Counter,
    pub(super) refresh_failures: Counter,
    pub(super) polls: Counter,
    pub(super) poll_failures: Counter,
    pub(super) hints: Counter,
    pub(super) watch_failures: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
