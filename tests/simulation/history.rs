//! The history of the store: every state of every tenant, with its time. Restoring a backup starts a new era. The
//! commits after the backup do not belong to the history of that era.

use std::collections::HashMap;
use std::sync::Arc;

use rolecall::records::{CommitId, Revision, TenantId, TenantSlug};

use crate::server::{Records, tenant};

/// A step of the world and its era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) era: usize,
    pub(crate) step: usize,
}

/// The state that a commit made. A commit has a fixed base, so it makes the same state in every history.
pub(crate) struct Node {
    pub(crate) tenant_id: TenantId,
    pub(crate) revision: Revision,
    pub(crate) parent: Option<CommitId>,
    pub(crate) records: Arc<Records>,
    /// The operation of the commit, and whether it changed anything.
    pub(crate) op: Option<usize>,
    pub(crate) is_empty: bool,
}

type Heads = Vec<(usize, Option<CommitId>)>;

#[derive(Default)]
pub(crate) struct History {
    nodes: HashMap<CommitId, Node>,
    /// The commits that made the latest states of a tenant, with their times; `None` if the tenant does not exist.
    heads: Vec<(TenantId, Heads)>,
    landings: Vec<(CommitId, Instant)>,
    /// The instants at which the eras branched off.
    eras: Vec<Option<Instant>>,
    /// The ends of all eras but the last.
    ends: Vec<usize>,
}

impl Node {
    /// Whether the commit deleted the tenant.
    pub(crate) fn is_end(&self) -> bool {
        tenant(&self.records).is_none()
    }
}

impl History {
    pub(crate) fn new() -> Self {
        Self { eras: vec![None], ..Self::default() }
    }

    pub(crate) fn era(&self) -> usize {
        self.eras.len() - 1
    }

    pub(crate) fn node(&self, commit: CommitId) -> Option<&Node> {
        self.nodes.get(&commit)
    }

    /// All tenants, ordered by their first commits.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = TenantId> {
        self.heads.iter().map(|(tenant_id, _)| *tenant_id)
    }

    pub(crate) fn committed(&mut self, commit: CommitId, node: Node, now: Instant) {
        let tenant_id = node.tenant_id;
        self.nodes.entry(commit).or_insert(node);
        self.landings.push((commit, now));
        self.head_is(tenant_id, now.step, Some(commit));
    }

    fn head_is(&mut self, tenant_id: TenantId, step: usize, head: Option<CommitId>) {
        match self.heads.iter_mut().find(|(other, _)| *other == tenant_id) {
            Some((_, heads)) => heads.push((step, head)),
            None => self.heads.push((tenant_id, vec![(step, head)])),
        }
    }

    /// Restores the store to its state at that instant.
    pub(crate) fn restored(&mut self, from: Instant, step: usize, head: impl Fn(TenantId) -> Option<CommitId>) {
        self.ends.push(step);
        self.eras.push(Some(from));
        for tenant_id in self.tenants().collect::<Vec<_>>() {
            self.head_is(tenant_id, step, head(tenant_id));
        }
    }

    /// Whether an instant is in the past of another one.
    pub(crate) fn precedes(&self, earlier: Instant, later: Instant) -> bool {
        let mut at = later;
        while at.era != earlier.era {
            let Some(from) = self.eras[at.era] else { return false };
            at = from;
        }
        earlier.step <= at.step
    }

    /// Whether a commit is in the history of an instant.
    pub(crate) fn has(&self, commit: CommitId, at: Instant) -> bool {
        self.landings.iter().any(|(other, committed)| *other == commit && self.precedes(*committed, at))
    }

    /// The commits of an operation that changed something, in the history of an instant.
    pub(crate) fn effects(&self, op: usize, at: Instant) -> usize {
        let of_op = |commit: &CommitId| self.nodes.get(commit).is_some_and(|n| n.op == Some(op) && !n.is_empty);
        self.landings.iter().filter(|(commit, committed)| of_op(commit) && self.precedes(*committed, at)).count()
    }

    /// Whether a commit was in the history that was current at some instant from this step on until now.
    pub(crate) fn had(&self, commit: CommitId, since: usize, now: Instant) -> bool {
        let ends = self.ends.iter().enumerate().filter(|(_, end)| **end >= since);
        let mut last = ends.map(|(era, end)| Instant { era, step: *end }).chain([now]);
        last.any(|at| self.has(commit, at))
    }

    /// Whether the history of the state that one commit made holds another.
    pub(crate) fn holds(&self, state: CommitId, commit: CommitId) -> bool {
        let mut at = Some(state);
        while let Some(id) = at {
            if id == commit {
                return true;
            }
            at = self.nodes.get(&id).and_then(|node| node.parent);
        }
        false
    }

    /// The latest states of a tenant between these steps; `None` where it did not exist.
    pub(crate) fn states(&self, tenant_id: TenantId, from: usize, to: usize) -> Vec<Option<CommitId>> {
        let Some((_, heads)) = self.heads.iter().find(|(other, _)| *other == tenant_id) else { return vec![None] };
        let before = heads.iter().rfind(|(step, _)| *step <= from).and_then(|(_, head)| *head);
        let later = heads.iter().filter(|(step, _)| *step > from && *step <= to).map(|(_, head)| *head);
        [before].into_iter().chain(later).collect()
    }

    /// Whether a latest state of a tenant in that time fulfils this condition.
    pub(crate) fn existed(
        &self,
        tenant_id: TenantId,
        from: usize,
        to: usize,
        so: impl Fn(CommitId, &Node) -> bool,
    ) -> bool {
        let mut states = self.states(tenant_id, from, to).into_iter().flatten();
        states.any(|commit| self.node(commit).is_some_and(|node| so(commit, node)))
    }

    /// Whether a slug was free at some time between these steps.
    pub(crate) fn was_free(&self, slug: &TenantSlug, from: usize, to: usize) -> bool {
        let changes = self.heads.iter().flat_map(|(_, heads)| heads.iter().map(|(step, _)| *step));
        let mut times = changes.filter(|step| (from..=to).contains(step)).chain([from]);
        let has_slug = |tenant_id, step| {
            let has_slug = |node: &Node| tenant(&node.records).is_some_and(|tenant| tenant.slug == *slug);
            self.states(tenant_id, step, step).into_iter().flatten().filter_map(|c| self.node(c)).any(has_slug)
        };
        times.any(|step| !self.tenants().any(|tenant_id| has_slug(tenant_id, step)))
    }
}
