//! The invariants that are checked after every step, as a user would see them.

use rolecall::catalog::Catalog;
use rolecall::records::{CommitId, Position, TenantId, Timestamp, UserRecord};
use rolecall::reference::Model;
use rolecall::store::Base;
use rolecall::{PageRequest, Reason, Snapshot, Tenant, authorizer::Outcome};

use crate::history::{History, Node};
use crate::operations::PERMISSION;
use crate::process::{Handle, Known, Process};
use crate::server::tenant;
use crate::world::{Checked, World};

/// Returns an error with this message if the condition is false.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($what:tt)*) => {
        if !$holds {
            return Err(format!($($what)*));
        }
    };
}

impl World {
    /// No update takes effect twice in one history, and a commit that was reported as aborted is never committed.
    pub(crate) fn check_landing(&self, commit: CommitId) -> Checked {
        let now = self.now();
        let Some(node) = self.history.node(commit) else { return Ok(()) };
        if let Some(op) = node.op.filter(|_| !node.is_empty) {
            must!(self.history.effects(op, now) == 1, "op-{op} takes effect twice in one history");
        }
        let mut never = self.never.iter().filter(|(other, _)| *other == commit);
        let told = never.find(|(_, since)| self.history.precedes(*since, now));
        must!(
            told.is_none(),
            "a commit of op-{} is committed, and was reported as aborted",
            node.op.unwrap_or_default()
        );
        Ok(())
    }

    /// Checks everything that a process can see of its tenants.
    pub(crate) fn observe(&mut self, process: usize) -> Checked {
        self.observe_told(process)?;
        for handle in 0..self.processes[process].handles.len() {
            self.observe_one(process, handle)?;
        }
        self.open_once(process)?;
        // A tenant may load and be in doubt again within one step: then its next answer comes after the load.
        let Process { loaded, handles, .. } = &mut self.processes[process];
        let is_silent = |handle: &Handle| handle.tenant.now().unavailable().is_some();
        let silent = |id: &TenantId| handles.iter().any(|handle| handle.tenant.tenant_id() == *id && is_silent(handle));
        loaded.retain(silent);
        Ok(())
    }

    /// Checks the outcomes that tenants report. A final outcome never changes, and it agrees with the current snapshot.
    pub(crate) fn observe_told(&mut self, process: usize) -> Checked {
        let Self { processes, history, coverage, .. } = self;
        let process = &mut processes[process];
        for handle in &mut process.handles {
            for doubt in &mut process.commits {
                let (Base::At(base), Some(outcome)) = (doubt.base, handle.tenant.outcome(doubt.commit)) else {
                    continue;
                };
                if outcome == Outcome::InDoubt {
                    coverage.met("reported as in doubt");
                    let told = handle.told.get(&doubt.commit);
                    must!(told.is_none(), "a commit reported as {told:?} is in doubt again");
                    continue;
                }
                doubt.state = Known::Resolved;
                handle.told.insert(doubt.commit, outcome);
                if let Some(told) = doubt.told.replace(outcome) {
                    must!(told == outcome, "a commit reported as {told:?} is now {outcome:?}");
                    continue;
                }
                coverage.met(match outcome {
                    Outcome::Committed(_) => "resolved as committed",
                    Outcome::Aborted => "resolved as aborted",
                    _ => "resolved as unknown",
                });
                // If the tenant was dropped in the meantime, nobody saw the snapshot of that outcome.
                if !doubt.is_unwatched {
                    told_truly(history, doubt.commit, base, outcome, &handle.tenant)?;
                }
            }
        }
        Ok(())
    }

    /// A tenant is open once in a process: all holders share one session, with the same numbers.
    fn open_once(&self, process: usize) -> Checked {
        let handles = &self.processes[process].handles;
        let numbered = handles.iter().filter(|handle| handle.tenant.now().unavailable().is_none());
        for handle in numbered {
            let Some((user, number)) = handle.number else { continue };
            for other in handles.iter().filter(|other| other.tenant.tenant_id() == handle.tenant.tenant_id()) {
                let now = other.tenant.now();
                let found = now.user_handle(user).filter(|_| now.unavailable().is_none());
                must!(
                    found.is_none_or(|found| found == number),
                    "two openings of one tenant, or a number that changed"
                );
            }
        }
        Ok(())
    }

    fn observe_one(&mut self, process: usize, handle: usize) -> Checked {
        let now = self.now();
        let Self { processes, history, coverage, .. } = self;
        let process = &mut processes[process];
        let handle = &mut process.handles[handle];
        let silent = handle.tenant.now().unavailable();
        match silent {
            Some(Reason::InDoubt) => coverage.met("a tenant in doubt"),
            Some(Reason::InvalidStoreContent) => handle.was_refused = true,
            _ => {}
        }
        if silent.is_some() {
            must!(!handle.tenant.check("alice", PERMISSION), "a tenant that does not answer allows");
            return Ok(());
        }
        if handle.was_refused {
            coverage.met("content refused, then accepted");
            handle.was_refused = false;
        }
        must!(handle.tenant.in_doubt().is_none(), "a tenant answers, and says that a commit is not resolved");
        let snapshot = handle.tenant.snapshot();
        let at = snapshot.position();
        let unknown = process.commits.iter().find(|doubt| {
            let undecided =
                matches!(doubt.base, Base::At(base) if base.tenant_id == at.tenant_id && at.revision <= base.revision);
            // Nobody saw the outcome that a dropped tenant reported. If a backup was restored since its base was made, it
            // may have reported one, and answers from what was restored.
            let is_lost = |base: Base| matches!(base, Base::At(base) if !history.has(base.commit, now));
            let is_restored = is_lost(doubt.base) && history.has(at.commit, now);
            let may_be_told = doubt.is_unwatched && (doubt.era != history.era() || is_restored);
            doubt.state == Known::Unknown && undecided && !may_be_told
        });
        if let Some(doubt) = unknown {
            return Err(format!(
                "a tenant answers from {}, and the outcome of {:?} is unknown",
                at.revision, doubt.commit
            ));
        }
        if handle.last == Some(at.commit) {
            return Ok(());
        }
        let Some(node) = history.node(at.commit) else { return Err("a tenant answers from what never was".into()) };
        must!((node.tenant_id, node.revision) == (at.tenant_id, at.revision), "a tenant mixes two states");
        if let Some(last) = handle.last.replace(at.commit) {
            // A load contains no history. If the store was restored and has moved further, the load is accepted.
            let before = history.node(last).map(|node| node.revision);
            let went_on = Some(at.revision) > before && process.loaded.contains(&at.tenant_id);
            must!(
                history.holds(at.commit, last) || went_on,
                "a tenant goes from {before:?} to {}, which does not come after it",
                at.revision
            );
        }
        let found = snapshot.at(Timestamp::MIN);
        if let Some(user) = found.users(&PageRequest::of(1)).items.first().filter(|_| handle.number.is_none()) {
            handle.number = found.user_handle(user.id).map(|number| (user.id, number));
        }
        same(&snapshot, node)
    }

    /// A commit that was reported as not done is not in that history, and never will be.
    pub(crate) fn nothing_happened(&mut self, commit: CommitId, at: crate::history::Instant) -> Checked {
        must!(!self.history.has(commit, at), "reported as nothing happened, and it is committed");
        self.never.push((commit, at));
        Ok(())
    }

    /// Whether a tenant did not exist, or was deleted, at some time between these steps.
    pub(crate) fn was_missing(&self, tenant_id: TenantId, from: usize, to: usize) -> bool {
        let states = self.history.states(tenant_id, from, to);
        states.into_iter().any(|head| head.is_none_or(|commit| self.history.node(commit).is_none_or(Node::is_end)))
    }

    /// Whether a tenant contains a commit, if it is available.
    pub(crate) fn reflects(&self, tenant: &Tenant, commit: CommitId) -> bool {
        let snapshot = tenant.snapshot();
        let (at, node) = (snapshot.position(), self.history.node(commit));
        self.history.holds(at.commit, commit) || node.is_some_and(|node| at.revision > node.revision)
    }
}

/// Whether the reported outcome of a commit agrees with the current snapshot.
fn told_truly(history: &History, commit: CommitId, base: Position, outcome: Outcome, tenant: &Tenant) -> Checked {
    let (at, silent) = (tenant.snapshot().position(), tenant.now().unavailable());
    let holds = history.holds(at.commit, commit);
    match outcome {
        Outcome::Committed(revision) => {
            let is_there = history.node(commit).is_some_and(|node| node.revision == revision);
            must!(is_there && holds, "reported as committed at {revision}, and the current snapshot lacks it");
        }
        Outcome::Aborted => {
            must!(!holds, "reported as aborted, and the current snapshot holds it");
            must!(
                at.revision > base.revision,
                "reported as aborted, and the current snapshot is still at {}",
                at.revision
            );
        }
        _ => {
            let over = matches!(silent, Some(Reason::Deleted | Reason::InvalidStoreContent | Reason::Closed));
            let beyond = at.revision > base.revision.next();
            let elsewhere = at.revision <= base.revision && at.commit != base.commit; // a backup was restored
            must!(over || beyond || elsewhere, "reported as unknown at {}, on {}", at.revision, base.revision);
        }
    }
    Ok(())
}

/// Whether a snapshot agrees with the records of its state.
fn same(snapshot: &Snapshot, node: &Node) -> Checked {
    let found = snapshot.at(Timestamp::MIN);
    let Some(record) = tenant(&node.records) else { return Err("a tenant answers after its end".into()) };
    must!(snapshot.slug() == Some(&record.slug) && snapshot.name() == Some(&record.name), "another tenant's name");
    let records: Vec<_> = node.records.values().cloned().collect();
    let catalog = Catalog::empty();
    let reference = Model::new(&records, &catalog);
    let mut users: Vec<&UserRecord> = reference.users().collect();
    users.sort_by(|a, b| a.key.cmp(&b.key));
    let listed = found.users(&PageRequest::of(1_000)).items;
    must!(listed.iter().eq(users.iter().copied()), "other users than the store's at {}", node.revision);
    let separations = found.separations().iter().map(|separation| separation.id).collect::<Vec<_>>();
    must!(
        reference.separations().map(|separation| separation.id).eq(separations),
        "other separations than the store's at {}",
        node.revision
    );
    must!(found.separation_violations().is_empty(), "a user breaks a separation at {}", node.revision);
    let assertions = found.assertions().iter().map(|assertion| assertion.id).collect::<Vec<_>>();
    must!(
        reference.assertions().map(|assertion| assertion.id).eq(assertions),
        "other assertions than the store's at {}",
        node.revision
    );
    must!(found.assertion_violations().is_empty(), "a binding assertion fails at {}", node.revision);
    for user in users {
        let (may, says) = (reference.may(user.id, PERMISSION, Timestamp::MIN), found.check(user.id, PERMISSION));
        must!(may == says, "{} may: {may}; the tenant says {says} at {}", user.key, node.revision);
        let roles = reference.roles(user.id, Timestamp::MIN);
        must!(found.roles_of(user.id).len() == roles.len(), "other roles of {} at {}", user.key, node.revision);
    }
    Ok(())
}
