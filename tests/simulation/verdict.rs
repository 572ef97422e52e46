//! What an answer promises: that what was acknowledged is there, and that what was told as not done is not.

use rolecall::records::{CommitId, TenantId};
use rolecall::{Error, ErrorKind, Outcome, Reason, Result, Tenant, Updated};

use crate::history::Instant;
use crate::operations::{Answer, Edit, RecordKind, SLUGS, slug};
use crate::process::Known;
use crate::world::{Checked, Task, World};

impl World {
    /// Holds an answer against what was true between the call and now.
    pub(crate) fn judge(&mut self, task: &Task, answer: Answer, before: &[bool]) -> Checked {
        let most = usize::try_from(self.faults.retries).unwrap_or(usize::MAX).saturating_add(1);
        must!(task.sent.len() <= most, "an update ran {} times", task.sent.len());
        match answer {
            Answer::Updated(Ok(done)) => self.acknowledged(task, &done),
            Answer::Updated(Err(error)) => self.not_updated(task, &error),
            Answer::Refreshed(refreshed) => self.refreshed(task, refreshed.map_err(|e| e.kind()), before),
            Answer::Closed(closed) => self.closed(task, closed.is_ok()),
            Answer::Opened(opened) => {
                self.creations_asked_about(task, opened.as_ref().map(drop).map_err(Error::kind))?;
                self.opened(task, opened)
            }
        }
    }

    fn acknowledged(&mut self, task: &Task, done: &Updated<()>) -> Checked {
        let (Some(tenant), RecordKind::Update(edit) | RecordKind::Commit(edit)) = (&task.tenant, task.kind) else {
            return Ok(());
        };
        let (now, op, silent) = (self.now(), task.op, tenant.now().unavailable());
        must!(
            silent != Some(Reason::InvalidStoreContent),
            "op-{op} was acknowledged, and its tenant's content is refused"
        );
        if matches!(task.kind, RecordKind::Commit(_)) && done.commit.is_some() {
            self.coverage.met("a plan committed");
        }
        let Some(commit) = done.commit else { return self.without_effect(task, tenant, edit, done) };
        must!(self.history.had(commit, task.began, now), "op-{op} was acknowledged, and the store does not have it");
        let Some(node) = self.history.node(commit) else { return Err(format!("op-{op} was never carried out")) };
        must!(node.op == Some(op) && !node.is_empty && node.revision == done.revision, "op-{op}: another's commit");
        must!(edit.is_true(op, &node.records), "op-{op} ({edit:?}) was acknowledged, and is not true");
        must!(!done.changes.is_empty(), "op-{op} was acknowledged with a commit and without changes");
        if edit == Edit::Delete {
            must!(matches!(silent, Some(Reason::Deleted | Reason::Closed)), "op-{op}: deleted, and it says {silent:?}");
        }
        must!(
            silent.is_some() || self.reflects(tenant, commit),
            "op-{op} was acknowledged, and its tenant is behind it"
        );
        Ok(())
    }

    fn without_effect(&mut self, task: &Task, tenant: &Tenant, edit: Edit, done: &Updated<()>) -> Checked {
        let op = task.op;
        self.coverage.met("no effect");
        if task.revision.is_some_and(|revision| revision != done.revision) {
            self.coverage.met("no effect, on a base that had moved");
        }
        let renamed_from = self.history.renamed_from(tenant.tenant_id(), task.began, self.step, |_, node| {
            node.revision == done.revision && edit.is_true(op, &node.records)
        });
        must!(renamed_from && done.changes.is_empty(), "op-{op} ({edit:?}) had no effect, and was not true meanwhile");
        Ok(())
    }

    fn not_updated(&mut self, task: &Task, error: &Error) -> Checked {
        let Some(tenant) = &task.tenant else { return Ok(()) };
        let last = task.sent.last().copied();
        match error.kind() {
            ErrorKind::NestedUpdate => return Err("nested in nothing".into()),
            ErrorKind::Deleted => {
                must!(tenant.now().unavailable().is_some(), "op-{}: deleted, and it answers", task.op);
            }
            ErrorKind::Stale => self.coverage.met("a plan refused as stale"),
            ErrorKind::InDoubt => {
                let Some(id) = error.commit().map(CommitId::from_uuid) else { return Err("unsettled, what?".into()) };
                let told = tenant.outcome(id);
                let open = matches!(told, Some(Outcome::InDoubt | Outcome::Unknown));
                must!(open || !task.sent.contains(&id), "op-{} is unsettled, and its tenant says {told:?}", task.op);
                must!(tenant.now().unavailable().is_some() || told != Some(Outcome::InDoubt), "open, and answered");
                return Ok(());
            }
            _ => {}
        }
        match last {
            // What was told as lost was looked at when it was told.
            Some(commit) if tenant.outcome(commit) != Some(Outcome::Aborted) => self
                .nothing_happened(commit, task.heard)
                .map_err(|e| format!("op-{}: {:?}: {e}", task.op, error.kind())),
            _ => Ok(()),
        }
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
                let renamed_from =
                    self.history.renamed_from(tenant_id, task.began, self.step, |commit, _| commit == at.commit);
                must!(
                    renamed_from && at.revision == revision,
                    "refreshed to {revision}, which was not the latest meanwhile"
                );
            }
            Err(ErrorKind::Unavailable) => {
                must!(tenant.lag().failed_refreshes > 0 || silent.is_some(), "a refresh failed, and is not counted");
                // A tenant that could not be refreshed goes on answering.
                let handles = &self.processes[task.process].handles;
                let of_tenant = handles.iter().zip(before).filter(|(handle, _)| handle.tenant.tenant_id() == tenant_id);
                for (handle, answered) in of_tenant {
                    let silent = handle.tenant.now().unavailable();
                    must!(!answered || silent.is_none(), "lag, and it says {silent:?}");
                }
            }
            Err(ErrorKind::Deleted) => {
                must!(silent.is_some(), "deleted, and it answers");
                must!(self.was_gone(tenant_id, 0, self.step), "deleted, and it lives");
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
            self.coverage.met("closed while unsettled");
            must!(task.has_resolved, "closed while unsettled, and nobody was asked");
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
                    (RecordKind::Open(index), ErrorKind::NotFound) => {
                        let free = self.history.was_free(&slug(index), task.began, self.step);
                        must!(free, "{} is not found, and was there all the time", SLUGS[index]);
                    }
                    (RecordKind::Create(_), kind) => {
                        let documented = !matches!(kind, ErrorKind::NotFound | ErrorKind::Deleted | ErrorKind::Closed);
                        must!(documented, "op-{} was to create, and says {kind:?}", task.op);
                    }
                    (RecordKind::Open(_) | RecordKind::OpenOrCreate(_), ErrorKind::Deleted) => {
                        return Err("a slug is asked for, and the answer is about a life that ended".into());
                    }
                    (RecordKind::OpenTenant(tenant_id), ErrorKind::NotFound | ErrorKind::Deleted) => {
                        must!(self.was_gone(tenant_id, task.began, self.step), "a life is not found, and was there");
                    }
                    _ => {}
                }
                let Some((commit, tenant_id, answered)) = own else { return Ok(()) };
                // Since the store last said anything of the birth; it may have been restored from a backup meanwhile.
                let since = answered.unwrap_or(task.heard).step;
                let gone = self.was_gone(tenant_id, since, self.step);
                must!(gone, "op-{} says {:?}, and its tenant lives", task.op, error.kind());
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
            self.coverage.met("opened with a commit still open");
            must!(task.has_resolved, "opened while unsettled, and nobody was asked");
        }
        match task.kind {
            RecordKind::Open(index) => {
                must!(tenant.slug() == SLUGS[index], "asked for {}, and got {}", SLUGS[index], tenant.slug());
            }
            RecordKind::OpenTenant(tenant_id) => must!(tenant.tenant_id() == tenant_id, "another life was opened"),
            RecordKind::Create(_) => {
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

    /// Births under a slug that were open when a call for it began are decided when it answers.
    fn creations_asked_about(&mut self, task: &Task, opened: std::result::Result<(), ErrorKind>) -> Checked {
        let (RecordKind::Create(index) | RecordKind::Open(index) | RecordKind::OpenOrCreate(index)) = task.kind else {
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
                    return Err(format!("op-{} answers, and nobody has settled an earlier birth", task.op));
                };
                decided.push((doubt.commit, at));
            }
        }
        for (commit, at) in decided {
            self.is_decided(commit, at);
        }
        Ok(())
    }

    /// A birth has landed, or never will.
    fn is_decided(&mut self, commit: CommitId, at: Instant) {
        if !self.history.has(commit, at) {
            self.never.push((commit, at));
        }
    }
}
