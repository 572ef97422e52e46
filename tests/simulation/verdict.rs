//! Checks every answer: an acknowledged change is in the store, and a change reported as not done is not.

use rolecall::records::{CommitId, TenantId};
use rolecall::{
    Error, ErrorKind, Reason, Result, Tenant,
    authorizer::{Outcome, Updated},
};

use crate::history::Instant;
use crate::operations::{Answer, Edit, Ending, OpKind, SLUGS, is_missing, refusal, slug};
use crate::process::Known;
use crate::world::{Checked, Task, World};

impl World {
    /// Compares an answer with everything that was true between the call and now.
    pub(crate) fn judge(&mut self, task: &Task, answer: Answer, before: &[bool]) -> Checked {
        let most = usize::try_from(self.faults.retries).unwrap_or(usize::MAX).saturating_add(1);
        must!(task.sent.len() <= most, "an update ran {} times", task.sent.len());
        match answer {
            Answer::Updated(Ok(done)) => self.acknowledged(task, &done),
            Answer::Updated(Err(error)) => self.not_updated(task, &error),
            Answer::Refreshed(refreshed) => self.refreshed(task, refreshed.map_err(|e| e.kind()), before),
            Answer::Closed(closed) => self.closed(task, closed.is_ok()),
            Answer::Followed => Ok(()),
            Answer::Unasked => self.unasked(task),
            Answer::Opened(opened) => {
                self.creations_asked_about(task, opened.as_ref().map(drop).map_err(Error::kind))?;
                self.opened(task, opened)
            }
        }
    }

    /// The task of a call has panicked. The caller receives an error that does not claim too much.
    pub(crate) fn judge_panicked(&self, task: &Task, answer: &Answer) -> Checked {
        let kind = match answer {
            Answer::Updated(Err(error))
            | Answer::Opened(Err(error))
            | Answer::Refreshed(Err(error))
            | Answer::Closed(Err(error)) => error.kind(),
            // It goes on.
            Answer::Followed | Answer::Unasked => return Ok(()),
            _ => return Err(format!("the store has panicked, and op-{} succeeds", task.op)),
        };
        // Nothing was sent, or the store has refused it: a creation whose slug is taken goes on with a load.
        let commits = &self.processes[task.process].commits;
        let is_refused = |id: &CommitId| {
            let is_open = commits.iter().any(|doubt| doubt.commit == *id && doubt.state != Known::Resolved);
            !is_open && self.history.node(*id).is_none()
        };
        let may_be_unavailable = task.sent.iter().all(is_refused);
        let is_honest = kind == ErrorKind::InDoubt || kind == ErrorKind::Unavailable && may_be_unavailable;
        must!(is_honest, "the store has panicked, and op-{} says {kind:?}", task.op);
        Ok(())
    }

    fn acknowledged(&mut self, task: &Task, done: &Updated<()>) -> Checked {
        let (Some(tenant), OpKind::Update(edit) | OpKind::Commit(edit) | OpKind::Stage(edit, _)) =
            (&task.tenant, task.kind)
        else {
            return Ok(());
        };
        let (now, op, silent) = (self.now(), task.op, tenant.now().unavailable());
        must!(
            silent != Some(Reason::InvalidStoreContent),
            "op-{op} was acknowledged, and its tenant's content is refused"
        );
        if matches!(task.kind, OpKind::Commit(_)) && done.commit.is_some() {
            self.coverage.met("a plan committed");
        }
        let Some(commit) = done.commit else { return self.without_effect(task, tenant, edit, done) };
        must!(self.history.had(commit, task.began, now), "op-{op} was acknowledged, and the store does not have it");
        let Some(node) = self.history.node(commit) else { return Err(format!("op-{op} was never carried out")) };
        // A staged transaction without effect is a commit all the same.
        let is_staged = matches!(task.kind, OpKind::Stage(..));
        let is_full = !node.is_empty && !done.changes.is_empty() || is_staged;
        must!(node.op == Some(op) && node.revision == done.revision, "op-{op}: another's commit");
        must!(edit.is_true(op, &node.records), "op-{op} ({edit:?}) was acknowledged, and is not true");
        must!(is_full, "op-{op} was acknowledged with a commit and without changes");
        if is_staged {
            self.coverage.met("a stage that was committed");
        }
        if edit == Edit::Delete {
            must!(matches!(silent, Some(Reason::Deleted | Reason::Closed)), "op-{op}: deleted, and it says {silent:?}");
        }
        must!(
            silent.is_some() || self.reflects(tenant, commit),
            "op-{op} was acknowledged, and its tenant is behind it"
        );
        Ok(())
    }

    /// The application has ended a stage without asking for the outcome.
    fn unasked(&mut self, task: &Task) -> Checked {
        let (Some(tenant), OpKind::Stage(_, ending)) = (&task.tenant, task.kind) else { return Ok(()) };
        match ending {
            Ending::RollBack | Ending::FinishOrRollBack => {
                self.coverage.met("a stage that was rolled back");
                must!(tenant.in_doubt().is_none(), "op-{}: a stage was rolled back, and it is in doubt", task.op);
            }
            _ => {
                self.coverage.met("a stage that was dropped");
                must!(tenant.now().unavailable().is_some(), "op-{}: a stage was dropped, and it answers", task.op);
            }
        }
        Ok(())
    }

    fn without_effect(&mut self, task: &Task, tenant: &Tenant, edit: Edit, done: &Updated<()>) -> Checked {
        let op = task.op;
        self.coverage.met("no effect");
        if task.revision.is_some_and(|revision| revision != done.revision) {
            self.coverage.met("no effect, on a base that had moved");
        }
        let existed = self.history.existed(tenant.tenant_id(), task.began, self.step, |_, node| {
            node.revision == done.revision && edit.is_true(op, &node.records)
        });
        must!(existed && done.changes.is_empty(), "op-{op} ({edit:?}) had no effect, and was not true meanwhile");
        Ok(())
    }

    fn not_updated(&mut self, task: &Task, error: &Error) -> Checked {
        let Some(tenant) = &task.tenant else { return Ok(()) };
        let last = task.sent.last().copied();
        match error.kind() {
            ErrorKind::NestedUpdate => return Err("an update outside of any update is reported as nested".into()),
            ErrorKind::Deleted => {
                must!(tenant.now().unavailable().is_some(), "op-{}: deleted, and it answers", task.op);
            }
            ErrorKind::Stale => self.coverage.met("a plan refused as stale"),
            ErrorKind::Conflict if matches!(task.kind, OpKind::Stage(..)) => {
                self.coverage.met("a stage that was not committed");
            }
            ErrorKind::NotFound => self.not_found(task, tenant, error)?,
            ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed => {
                let edit = task.kind.edit();
                let is_meant = matches!(edit, Some(Edit::AssignTwo(_, other)) if refusal(other) == error.kind());
                must!(is_meant, "op-{} ({edit:?}) is refused: {:?}", task.op, error.kind());
                must!(task.sent.is_empty(), "op-{} is refused, and it has sent a commit", task.op);
                self.coverage.met("a plan refused by a separation or an assertion");
            }
            ErrorKind::Blocked => {
                let Some(id) = error.commit() else { return Err("blocked without a commit id".into()) };
                self.coverage.met("blocked by a commit in doubt");
                must!(task.sent.is_empty(), "op-{} is blocked, and it has sent a commit", task.op);
                must!(tenant.now().unavailable().is_some(), "blocked by {id:?}, and the tenant answers");
            }
            ErrorKind::InDoubt => {
                let Some(id) = error.commit() else { return Err("in doubt without a commit id".into()) };
                let told = tenant.outcome(id);
                let open = matches!(told, Some(Outcome::InDoubt | Outcome::Unknown));
                // The application may have rolled back before it sent anything.
                let is_own = task.sent.contains(&id) || matches!(task.kind, OpKind::Stage(..));
                must!(is_own, "op-{} is in doubt, and the commit is not its own", task.op);
                must!(open, "op-{} is in doubt, and its tenant says {told:?}", task.op);
                must!(tenant.now().unavailable().is_some() || told != Some(Outcome::InDoubt), "open, and answered");
                return Ok(());
            }
            _ => {}
        }
        match last {
            // An aborted commit was checked when it was reported.
            Some(commit) if tenant.outcome(commit) != Some(Outcome::Aborted) => self
                .nothing_happened(commit, task.heard)
                .map_err(|e| format!("op-{}: {:?}: {e}", task.op, error.kind())),
            _ => Ok(()),
        }
    }

    /// An entity that a closure did not find was missing at some time during the update.
    fn not_found(&mut self, task: &Task, tenant: &Tenant, error: &Error) -> Checked {
        let (OpKind::Update(Edit::AssignExisting(user)) | OpKind::Stage(Edit::AssignExisting(user), _)) = task.kind
        else {
            return Ok(());
        };
        self.coverage.met("a closure that failed");
        if error.revision() > task.revision {
            self.coverage.met("a closure that failed, on a base that had moved");
        }
        let was_missing =
            self.history.existed(tenant.tenant_id(), task.began, self.step, |_, node| is_missing(&node.records, user));
        must!(was_missing, "op-{} did not find what was there all the time", task.op);
        Ok(())
    }

    fn refreshed(
        &mut self,
        task: &Task,
        refreshed: std::result::Result<rolecall::records::Revision, ErrorKind>,
        before: &[bool],
    ) -> Checked {
        let Some(tenant) = &task.tenant else { return Ok(()) };
        let (tenant_id, silent) = (tenant.tenant_id(), tenant.now().unavailable());
        match refreshed {
            Ok(revision) => {
                must!(silent.is_none(), "refreshed, and it says {silent:?}");
                let at = tenant.snapshot().position();
                let existed = self.history.existed(tenant_id, task.began, self.step, |commit, _| commit == at.commit);
                must!(
                    existed && at.revision == revision,
                    "refreshed to {revision}, which was not the latest meanwhile"
                );
            }
            Err(ErrorKind::Unavailable) => {
                must!(tenant.lag().failed_refreshes > 0 || silent.is_some(), "a refresh failed, and is not counted");
                // A tenant that could not be refreshed is still available.
                let handles = &self.processes[task.process].handles;
                let of_tenant = handles.iter().zip(before).filter(|(handle, _)| handle.tenant.tenant_id() == tenant_id);
                for (handle, answered) in of_tenant {
                    let silent = handle.tenant.now().unavailable();
                    must!(!answered || silent.is_none(), "lag, and it says {silent:?}");
                }
            }
            Err(ErrorKind::Deleted) => {
                must!(silent.is_some(), "deleted, and it answers");
                must!(self.was_missing(tenant_id, 0, self.step), "deleted, and the store still has it");
            }
            Err(kind) => {
                must!(silent.is_some(), "a refresh says {kind:?}, and the tenant answers");
                if kind == ErrorKind::Corrupt && silent == Some(Reason::InvalidStoreContent) {
                    self.coverage.met("a history that went back, refused");
                }
            }
        }
        Ok(())
    }

    fn closed(&mut self, task: &Task, done: bool) -> Checked {
        let Some(tenant) = &task.tenant else { return Ok(()) };
        let silent = tenant.now().unavailable();
        must!(done && matches!(silent, Some(Reason::Closed | Reason::Deleted)), "closed, and it says {silent:?}");
        if tenant.in_doubt().is_some() && !matches!(task.silent, Some(Reason::Closed | Reason::Deleted)) {
            self.coverage.met("closed while in doubt");
            must!(task.has_resolved, "closed while in doubt, and nobody was asked");
        }
        Ok(())
    }

    fn opened(&mut self, task: &Task, opened: Result<Tenant>) -> Checked {
        let own = self.processes[task.process].commits.iter().find(|doubt| doubt.task == task.number);
        let own = own.map(|doubt| (doubt.commit, doubt.base.tenant_id(), doubt.answered));
        match opened {
            Ok(tenant) => self.opened_as(task, &tenant, own),
            Err(error) if error.kind() == ErrorKind::InDoubt => Ok(()),
            Err(error) => {
                match (task.kind, error.kind()) {
                    (OpKind::Open(index), ErrorKind::NotFound) => {
                        let free = self.history.was_free(&slug(index), task.began, self.step);
                        must!(free, "{} is not found, and was there all the time", SLUGS[index]);
                    }
                    (OpKind::Create(_), kind) => {
                        let documented = !matches!(kind, ErrorKind::NotFound | ErrorKind::Deleted | ErrorKind::Closed);
                        must!(documented, "op-{} was to create, and says {kind:?}", task.op);
                    }
                    (OpKind::Open(_) | OpKind::OpenOrCreate(_), ErrorKind::Deleted) => {
                        return Err("a slug is asked for, and the answer is about a deleted tenant".into());
                    }
                    (OpKind::OpenTenant(tenant_id), ErrorKind::NotFound | ErrorKind::Deleted) => {
                        must!(
                            self.was_missing(tenant_id, task.began, self.step),
                            "a tenant is not found, and was there"
                        );
                    }
                    _ => {}
                }
                let Some((commit, tenant_id, answered)) = own else { return Ok(()) };
                // From the last answer of the store about the creation. It may have been restored from a backup since.
                let since = answered.unwrap_or(task.heard).step;
                let missing = self.was_missing(tenant_id, since, self.step);
                must!(missing, "op-{} says {:?}, and its tenant exists", task.op, error.kind());
                self.is_decided(commit, answered.unwrap_or(task.heard));
                Ok(())
            }
        }
    }

    fn opened_as(
        &mut self,
        task: &Task,
        tenant: &Tenant,
        own: Option<(CommitId, TenantId, Option<Instant>)>,
    ) -> Checked {
        let silent = tenant.now().unavailable();
        must!(!matches!(silent, Some(Reason::Closed | Reason::Deleted)), "opened, and it says {silent:?}");
        if silent == Some(Reason::InDoubt) {
            self.coverage.met("opened with a commit still in doubt");
            must!(task.has_resolved, "opened while in doubt, and nobody was asked");
        }
        match task.kind {
            OpKind::Open(index) => {
                must!(
                    tenant.slug().is_some_and(|slug| slug == SLUGS[index]),
                    "asked for {}, and got {}",
                    SLUGS[index],
                    tenant.slug().map_or_else(String::new, String::from)
                );
            }
            OpKind::OpenTenant(tenant_id) => must!(tenant.tenant_id() == tenant_id, "another tenant was opened"),
            OpKind::Create(_) => {
                let Some((commit, tenant_id, _)) = own else { return Err("created without a commit".into()) };
                let had = self.history.had(commit, task.began, self.now());
                must!(
                    had && tenant.tenant_id() == tenant_id,
                    "op-{} says created, and the store does not have it",
                    task.op
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// Creations under a slug that were in doubt when a call for the slug began are decided when the call returns.
    fn creations_asked_about(&mut self, task: &Task, opened: std::result::Result<(), ErrorKind>) -> Checked {
        let (OpKind::Create(index) | OpKind::Open(index) | OpKind::OpenOrCreate(index)) = task.kind else {
            return Ok(());
        };
        if !matches!(opened, Ok(()) | Err(ErrorKind::NotFound | ErrorKind::AlreadyExists)) {
            return Ok(());
        }
        let mut decided = Vec::new();
        for doubt in &mut self.processes[task.process].commits {
            let asked = doubt.slug.as_deref() == Some(SLUGS[index]) && doubt.task != task.number;
            if asked && doubt.state == Known::Unknown && doubt.unknown_since <= task.began {
                doubt.state = Known::Resolved;
                let Some(at) = doubt.answered else {
                    return Err(format!("op-{} answers, and nobody has resolved an earlier creation", task.op));
                };
                decided.push((doubt.commit, at));
            }
        }
        for (commit, at) in decided {
            self.is_decided(commit, at);
        }
        Ok(())
    }

    /// A creation is committed, or never will be.
    fn is_decided(&mut self, commit: CommitId, at: Instant) {
        if !self.history.has(commit, at) {
            self.never.push((commit, at));
        }
    }
}
