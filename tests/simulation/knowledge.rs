//! Derives from the messages alone what a process can know of its own commits, and compares it with the outcomes that
//! tenants report.

use std::sync::Arc;

use rolecall::ErrorKind;

use crate::history::Instant;
use crate::network::{Heard, What};
use crate::operations::{Answer, Ending, OpKind, number};
use crate::process::{Conflict, Doubt, Known};
use crate::server::{Request, Sent};
use crate::world::{Checked, Task, World};

impl World {
    /// Records the requests and answers of a task.
    pub(crate) fn hear(&mut self, index: usize) -> Checked {
        let events = std::mem::take(&mut self.line.network().events);
        for event in events {
            let request = Arc::clone(&self.line.network().calls[event.call].request);
            let task = &mut self.tasks[index];
            if task.number != event.task {
                return Err("an event of another task".into());
            }
            match event.what {
                What::Asked => {
                    task.has_asked = true;
                    if task.kind == OpKind::Follow {
                        match &*request {
                            Request::Positions(_) => self.coverage.met("a follower asked for positions"),
                            _ => self.coverage.met("a follower refreshed a tenant"),
                        }
                    }
                    task.has_resolved |= matches!(&*request, Request::Since(_) | Request::Commit(_));
                    let (process, op) = (task.process, task.op);
                    self.trace.add(self.step, |names| format!("p{process} op-{op} asks: {}", names.request(&request)));
                    self.asked(index, &request)?;
                }
                What::Heard(heard, at) => {
                    let (process, op) = (task.process, task.op);
                    self.trace.add(self.step, |names| {
                        format!("p{process} op-{op} hears {heard:?}: {}", names.request(&request))
                    });
                    let now = Instant { era: self.history.era(), step: self.step };
                    self.tasks[index].heard = at.unwrap_or(now);
                    self.heard(index, &request, heard, at.unwrap_or(now));
                }
            }
        }
        Ok(())
    }

    fn asked(&mut self, index: usize, request: &Request) -> Checked {
        let Request::Commit(sent) = request else { return Ok(()) };
        let era = self.history.era();
        self.sent_by_the_application(&self.tasks[index], sent)?;
        let task = &mut self.tasks[index];
        let doubts = &mut self.processes[task.process].commits;
        if sent.changes.is_empty() {
            self.coverage.met("an empty commit in its place");
        } else if let Some(doubt) = doubts.iter_mut().find(|doubt| doubt.commit == sent.id()) {
            doubt.conflict = Conflict::None;
            self.coverage.met("a commit sent again");
        } else {
            let (earlier, heard) = (task.sent.last().copied(), task.heard);
            task.sent.push(sent.id());
            doubts.push(Doubt::new(sent, task.number, era));
            if let Some(earlier) = earlier {
                // An update runs again only after it knows that its earlier commit is aborted.
                self.coverage.met("an update that ran again");
                let mut of_task = self.processes[self.tasks[index].process].commits.iter_mut();
                if let Some(doubt) = of_task.find(|doubt| doubt.commit == earlier) {
                    doubt.state = Known::Resolved;
                }
                return self.nothing_happened(earlier, heard);
            }
        }
        Ok(())
    }

    /// Only the application sends a staged commit, and only once: with its own transaction.
    fn sent_by_the_application(&self, task: &Task, sent: &Sent) -> Checked {
        let op = sent.envelope.note.as_ref().and_then(|note| number(note.as_str()));
        let Some((op, ending)) = op.and_then(|op| Some((op, *self.stages.get(&op)?))) else { return Ok(()) };
        let commits = matches!(ending, Ending::Finish | Ending::FinishOrRollBack | Ending::CommitAndDrop);
        let is_first = commits && task.op == op && task.sent.is_empty();
        must!(is_first || sent.changes.is_empty(), "op-{op}: a staged commit is sent without its transaction");
        Ok(())
    }

    /// The answer of an update decides its commits: it returns one, or names the one in doubt. The others are aborted.
    pub(crate) fn decided_by(&mut self, task: &Task, answer: &Answer) -> Checked {
        let (own, named) = match answer {
            Answer::Updated(Ok(done)) => (done.commit, None),
            Answer::Updated(Err(error)) if error.kind() == ErrorKind::InDoubt => (None, error.commit()),
            Answer::Updated(Err(_)) => (None, None),
            _ => return Ok(()),
        };
        let mut aborted = Vec::new();
        for doubt in &mut self.processes[task.process].commits {
            let undecided = doubt.task == task.number && doubt.slug.is_none() && doubt.state != Known::Resolved;
            if undecided && Some(doubt.commit) != named {
                doubt.state = Known::Resolved;
                aborted.extend(Some(doubt.commit).filter(|commit| Some(*commit) != own));
            }
        }
        aborted.into_iter().try_for_each(|commit| self.nothing_happened(commit, task.heard))
    }

    fn heard(&mut self, index: usize, request: &Request, heard: Heard, at: Instant) {
        let (task, step) = (&self.tasks[index], self.step);
        let process = &mut self.processes[task.process];
        let tenant_id = match request {
            Request::Load(tenant_id) => {
                process.loaded.push(*tenant_id);
                *tenant_id
            }
            Request::Since(at) => at.tenant_id,
            Request::Commit(sent) => sent.base.tenant_id(),
            Request::Find(_) | Request::List(..) | Request::Positions(_) => return,
        };
        match heard {
            Heard::Conflict => self.coverage.met("a conflict"),
            Heard::TooOld => self.coverage.met("too old, then a load"),
            _ => {}
        }
        for doubt in process.commits.iter_mut().filter(|doubt| doubt.base.tenant_id() == tenant_id) {
            let is_creation = doubt.slug.is_some();
            // A call that resolves the commit finds the tenant deleted, which is final. A call that only opens the
            // tenant does not.
            if heard == Heard::Deleted && task.has_resolved && !is_creation && doubt.state == Known::Unknown {
                doubt.state = Known::Resolved;
            }
            let Request::Commit(sent) = request else {
                if doubt.task == task.number && doubt.conflict == Conflict::Heard && heard == Heard::Other {
                    doubt.conflict = Conflict::Explained;
                }
                continue;
            };
            if is_creation && sent.is_creation() && !matches!(heard, Heard::Unknown | Heard::Nothing) {
                doubt.answered = Some(at);
                if doubt.state == Known::Unknown && doubt.task != task.number {
                    self.coverage.met("a creation resolved by another call");
                }
            }
            if doubt.commit != sent.id() {
                continue;
            }
            if heard == Heard::Conflict && self.history.node(sent.id()).is_some() {
                self.coverage.met("own commit behind a conflict");
            }
            if heard == Heard::Conflict && doubt.task == task.number {
                doubt.conflict = Conflict::Heard;
            }
            match (heard, doubt.state) {
                // The application asks for the outcome of its own transaction, or drops the stage.
                (Heard::Unknown, Known::InFlight) if matches!(task.kind, OpKind::Stage(..)) => {}
                (Heard::Unknown, Known::InFlight) => {
                    doubt.is_unknown(step);
                    if is_creation {
                        self.coverage.met("a creation in doubt");
                    }
                }
                (Heard::Success, _) | (Heard::Nothing | Heard::Deleted, Known::InFlight) => {
                    doubt.state = Known::Resolved;
                }
                _ => {}
            }
        }
    }

    /// Marks the commits of a task that ended without an answer as unknown.
    pub(crate) fn abandoned(&mut self, task: &Task) {
        for doubt in &mut self.processes[task.process].commits {
            if doubt.task == task.number && doubt.state == Known::InFlight {
                // A creation that the store has answered, or a commit that lost against another one.
                if doubt.answered.is_some() || doubt.conflict == Conflict::Explained {
                    doubt.state = Known::Resolved;
                } else {
                    doubt.is_unknown(self.step);
                }
            }
        }
    }
}
