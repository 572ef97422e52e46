//! The counters and reports of an authorizer: one list of events, for the counters and for the feature `tracing`.
//!
//! Deliberately absent: checks, and everything that names a person or a tenant. An event has ids, revisions, numbers and
//! the codes of errors. The text of an error may contain keys and slugs, so it is left out.

use std::future::Future;
use std::time::Duration;

use super::counters::Counters;
use super::tenant::{Inner, Outcome, Shared};
use crate::model::error::{Error, ErrorKind};
use crate::model::records::{CommitId, Position, Revision, TenantId};

/// An event in the life of a tenant.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only spans and events show what an event contains"))]
pub(super) enum TenantEvent {
    /// It was loaded and is open.
    Opened(Revision),
    OpenFailed(ErrorKind),
    /// A commit of this authorizer was applied.
    Committed(Revision),
    CommitFailed(ErrorKind),
    /// Another writer committed first.
    Conflict(Revision),
    /// It is not known whether a commit was applied.
    InDoubt(CommitId),
    /// A commit is not in doubt any more.
    Resolved(CommitId, Outcome),
    /// Commits of other writers were applied, up to this revision.
    Followed(usize, Revision),
    /// The whole tenant was loaded again.
    Reloaded(Revision),
    RefreshFailed(ErrorKind),
    Deleted,
}

impl TenantEvent {
    fn count(self, counters: &Counters) {
        match self {
            Self::Opened(_) => counters.opens.add(1),
            Self::OpenFailed(_) => counters.open_failures.add(1),
            Self::Committed(_) => counters.commits.add(1),
            Self::CommitFailed(_) => counters.commit_failures.add(1),
            Self::Conflict(_) => counters.conflicts.add(1),
            Self::InDoubt(_) => counters.in_doubt.add(1),
            Self::Resolved(_, outcome) => {
                counters.resolved.add(1);
                counters.commits.add(u64::from(matches!(outcome, Outcome::Committed(_))));
            }
            Self::Followed(commits, _) => counters.followed_commits.add(u64::try_from(commits).unwrap_or(u64::MAX)),
            Self::Reloaded(_) => counters.reloads.add(1),
            Self::RefreshFailed(_) => counters.refresh_failures.add(1),
            Self::Deleted => {}
        }
    }
}

/// An event in the work of a follower.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only events show what it contains"))]
pub(super) enum FollowerEvent {
    /// The store answered a poll about this many tenants.
    Polled(usize),
    PollFailed(ErrorKind),
    /// The link for hints works.
    Watching,
    Hinted(Option<(TenantId, Revision)>),
    WatchFailed(ErrorKind),
}

impl FollowerEvent {
    pub(super) fn record(self, counters: &Counters) {
        match self {
            Self::Polled(_) => counters.polls.add(1),
            Self::PollFailed(_) => counters.poll_failures.add(1),
            Self::Watching => {}
            Self::Hinted(_) => counters.hints.add(1),
            Self::WatchFailed(_) => counters.watch_failures.add(1),
        }
        report_following(self);
    }
}

impl Shared {
    pub(super) fn record(&self, tenant_id: TenantId, event: TenantEvent) {
        event.count(&self.counters);
        report(tenant_id, event);
    }
}

impl Inner {
    pub(super) fn record(&self, event: TenantEvent) {
        self.shared.record(self.tenant_id, event);
    }

    /// Records that commits of others could not be taken in.
    pub(super) fn record_failed_refresh(&self, error: &Error) {
        match error.kind() {
            ErrorKind::Deleted => self.record(TenantEvent::Deleted),
            kind => self.record(TenantEvent::RefreshFailed(kind)),
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn report(_: TenantId, _: TenantEvent) {}

#[cfg(not(feature = "tracing"))]
fn report_following(_: FollowerEvent) {}

/// Levels: success is `DEBUG`. `WARN` asks an operator to look. `ERROR` means that a tenant is out of service.
#[cfg(feature = "tracing")]
fn report(tenant_id: TenantId, event: TenantEvent) {
    use tracing::{debug, error, warn};
    match event {
        TenantEvent::Opened(revision) => debug!(target: TARGET, %tenant_id, %revision, "tenant opened"),
        TenantEvent::OpenFailed(ErrorKind::NotFound) => debug!(target: TARGET, %tenant_id, "tenant not found"),
        TenantEvent::OpenFailed(kind) => warn!(target: TARGET, %tenant_id, error = kind.code(), "tenant not opened"),
        TenantEvent::Committed(revision) => debug!(target: TARGET, %tenant_id, %revision, "committed"),
        TenantEvent::CommitFailed(kind) => warn!(target: TARGET, %tenant_id, error = kind.code(), "commit failed"),
        TenantEvent::Conflict(revision) => {
            debug!(target: TARGET, %tenant_id, %revision, "conflict with another writer");
        }
        TenantEvent::InDoubt(commit) => {
            warn!(target: TARGET, %tenant_id, %commit, "commit in doubt: every check is denied");
        }
        TenantEvent::Resolved(commit, outcome) => {
            let (outcome, revision) = match outcome {
                Outcome::Committed(revision) => ("committed", Some(revision.number())),
                Outcome::Aborted => ("aborted", None),
                Outcome::InDoubt => ("in_doubt", None),
                Outcome::Unknown => ("unknown", None),
            };
            warn!(target: TARGET, %tenant_id, %commit, outcome, revision, "commit resolved");
        }
        TenantEvent::Followed(commits, revision) => {
            debug!(target: TARGET, %tenant_id, commits, %revision, "commits of other writers applied");
        }
        TenantEvent::Reloaded(revision) => debug!(target: TARGET, %tenant_id, %revision, "tenant loaded again"),
        TenantEvent::RefreshFailed(kind @ ErrorKind::Unavailable) => {
            warn!(target: TARGET, %tenant_id, error = kind.code(), "refresh failed");
        }
        TenantEvent::RefreshFailed(kind) => error!(target: TARGET, %tenant_id, error = kind.code(), "refresh failed"),
        TenantEvent::Deleted => debug!(target: TARGET, %tenant_id, "tenant deleted"),
    }
}

/// Each poll and each hint is `TRACE`: there is one every second, or with each commit.
#[cfg(feature = "tracing")]
fn report_following(event: FollowerEvent) {
    use tracing::{debug, trace, warn};
    match event {
        FollowerEvent::Polled(tenants) => trace!(target: TARGET, tenants, "polled"),
        FollowerEvent::PollFailed(kind) => warn!(target: TARGET, error = kind.code(), "poll failed"),
        FollowerEvent::Watching => debug!(target: TARGET, "hints of the store arrive"),
        FollowerEvent::Hinted(Some((tenant_id, revision))) => trace!(target: TARGET, %tenant_id, %revision, "hint"),
        FollowerEvent::Hinted(None) => debug!(target: TARGET, "hints were lost"),
        FollowerEvent::WatchFailed(kind) => {
            warn!(target: TARGET, error = kind.code(), "no hints: the follower polls");
        }
    }
}

#[cfg(feature = "tracing")]
const TARGET: &str = "rolecall";

/// A span around a call. Nothing without the feature `tracing`.
///
/// Create it where the application calls, not in a task of the runtime: it becomes a child of the caller's span.
pub(super) struct Span(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(feature = "tracing")]
impl Span {
    pub(super) fn open(tenant_id: TenantId) -> Self {
        Self(tracing::debug_span!(target: TARGET, "open", %tenant_id))
    }

    pub(super) fn commit(tenant_id: TenantId, base: Option<Position>, commit: CommitId, changes: usize) -> Self {
        let base = base.map(|base| base.revision.number());
        Self(tracing::debug_span!(target: TARGET, "commit", %tenant_id, base, %commit, changes))
    }

    pub(super) fn resolve(tenant_id: TenantId, commit: CommitId) -> Self {
        Self(tracing::debug_span!(target: TARGET, "resolve", %tenant_id, %commit))
    }

    pub(super) fn refresh(tenant_id: TenantId, revision: Revision) -> Self {
        Self(tracing::debug_span!(target: TARGET, "refresh", %tenant_id, %revision))
    }

    pub(super) fn follow(interval: Duration) -> Self {
        Self(tracing::debug_span!(target: TARGET, "follow", ?interval))
    }

    pub(super) fn around<F: Future>(self, call: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(call, self.0)
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(super) fn open(_: TenantId) -> Self {
        Self()
    }

    pub(super) fn commit(_: TenantId, _: Option<Position>, _: CommitId, _: usize) -> Self {
        Self()
    }

    pub(super) fn resolve(_: TenantId, _: CommitId) -> Self {
        Self()
    }

    pub(super) fn refresh(_: TenantId, _: Revision) -> Self {
        Self()
    }

    pub(super) fn follow(_: Duration) -> Self {
        Self()
    }

    pub(super) fn around<F: Future>(self, call: F) -> F {
        let Self() = self;
        call
    }
}
