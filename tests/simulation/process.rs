//! One of the two processes: its authorizer, the tenants it holds, and its commits without a known outcome.

use std::collections::HashMap;

use rolecall::clock::ManualClock;
use rolecall::records::{CommitId, Record, TenantId, UserId};
use rolecall::store::Base;
use rolecall::{Authorizer, Plan, Tenant, Timestamp, authorizer::Outcome, snapshot::UserHandle};

use crate::faults::Faults;
use crate::history::Instant;
use crate::network::Line;
use crate::operations::Edit;
use crate::runtime::Simulated;
use crate::server::Sent;

/// The tenants that it holds, and its commits without a known outcome.
pub(crate) struct Process {
    pub(crate) authorizer: Authorizer,
    /// The runtime of the calls whose callers have gone, if there is one.
    pub(crate) runtime: Option<Simulated>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) plans: Vec<(usize, Edit, Plan, Tenant)>,
    pub(crate) commits: Vec<Doubt>,
    /// The tenants that it has loaded since the last check.
    pub(crate) loaded: Vec<TenantId>,
}

/// A commit that this process has sent, and what it knows of it.
pub(crate) struct Doubt {
    pub(crate) commit: CommitId,
    pub(crate) base: Base,
    pub(crate) task: usize,
    pub(crate) state: Known,
    pub(crate) unknown_since: usize,
    /// The era in which it was sent, and whether its tenant was dropped since. Nobody sees the outcome that is reported
    /// by a tenant which nobody holds.
    pub(crate) era: usize,
    pub(crate) is_unwatched: bool,
    /// The final outcome that its tenants have reported.
    pub(crate) told: Option<Outcome>,
    /// For a creation: the slug, and the step of the last answer of the store about it.
    pub(crate) slug: Option<String>,
    pub(crate) answered: Option<Instant>,
    pub(crate) conflict: Conflict,
}

/// How far the task that sent a commit has followed up a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    None,
    /// The store has answered with a conflict. An earlier copy of the commit may have made the revision.
    Heard,
    /// The store has said what made the revision, so the outcome is known, unless the commit is sent again.
    Explained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its task is still running.
    InFlight,
    /// It is in doubt.
    Unknown,
    Resolved,
}

/// A tenant that the process holds.
pub(crate) struct Handle {
    pub(crate) tenant: Tenant,
    /// The last state from which it answered.
    pub(crate) last: Option<CommitId>,
    /// The final outcomes that it has reported.
    pub(crate) told: HashMap<CommitId, Outcome>,
    pub(crate) was_refused: bool,
    /// The first user that was asked for, and its handle.
    pub(crate) number: Option<(UserId, UserHandle)>,
}

impl Process {
    pub(crate) fn new(line: &Line, faults: &Faults, with_runtime: bool) -> Self {
        let builder = Authorizer::builder()
            .store(line.clone())
            .clock(ManualClock::new(Timestamp::UNIX_EPOCH))
            .retries(faults.retries)
            .max_open_tenants(faults.most_open);
        let runtime = with_runtime.then(Simulated::default);
        let authorizer = match &runtime {
            Some(runtime) => builder.runtime(runtime.clone()).build(),
            None => builder.build(),
        };
        Self { authorizer, runtime, handles: Vec::new(), plans: Vec::new(), commits: Vec::new(), loaded: Vec::new() }
    }
}

impl Doubt {
    pub(crate) fn new(sent: &Sent, task: usize, era: usize) -> Self {
        let slug = sent.changes.iter().find_map(|change| match change.after() {
            Some(Record::Tenant(tenant)) if sent.is_creation() => Some(tenant.slug.to_string()),
            _ => None,
        });
        let state = Known::InFlight;
        Self {
            commit: sent.id(),
            base: sent.base,
            task,
            state,
            unknown_since: 0,
            era,
            is_unwatched: false,
            told: None,
            slug,
            answered: None,
            conflict: Conflict::None,
        }
    }

    pub(crate) fn is_unknown(&mut self, step: usize) {
        self.state = Known::Unknown;
        self.unknown_since = step;
        self.answered = None;
    }
}
