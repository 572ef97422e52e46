//! The faults and their frequencies. A seed has some faults and not others, so each occurs alone and with others.
//!
//! The driver between client and server keeps S6. A commit that may have been sent twice is in doubt, unless the answer
//! is success or a conflict. The driver returns `Unavailable` only if nothing can have happened, and nothing still can.

use rolecall::store::{Cause, Since, StoreError};

use crate::history::Node;
use crate::network::{Body, Message};
use crate::operations::number;
use crate::random::Random;
use crate::server::{Reply, Request, Sent, tenant};
use crate::world::{Checked, World};

#[derive(Default)]
pub(crate) struct Faults {
    /// Faults have stopped.
    pub(crate) quiet: bool,
    pub(crate) steps: usize,
    pub(crate) retries: u32,
    pub(crate) most_open: usize,
    /// Frequencies, as weights among the events of a step.
    pub(crate) drops: u64,
    pub(crate) crashes: u64,
    pub(crate) restores: u64,
    pub(crate) forgets: u64,
    pub(crate) outages: u64,
    /// The store is unreachable until this step.
    pub(crate) out_until: usize,
    /// Frequencies per thousand messages.
    lose: u64,
    duplicate: u64,
    give_up: u64,
    down: u64,
    refuse: u64,
    damage: u64,
    too_old: u64,
    panic: u64,
}

impl Faults {
    pub(crate) fn of(chance: &mut Random) -> Self {
        let mut rate = |most: usize| {
            let on = chance.permille(600);
            u64::try_from(chance.below(most) + 1).unwrap() * u64::from(on)
        };
        Self {
            quiet: false,
            drops: rate(4),
            crashes: rate(3),
            restores: rate(4),
            forgets: rate(5),
            outages: rate(4),
            out_until: 0,
            lose: rate(120),
            duplicate: rate(250),
            give_up: rate(200),
            down: rate(150),
            refuse: rate(150),
            damage: rate(80),
            too_old: rate(250),
            panic: rate(40),
            steps: 100 + chance.below(200),
            retries: [16, 1, 2][chance.weighted(&[4, 1, 1])],
            most_open: [usize::MAX, 1][chance.weighted(&[3, 1])],
        }
    }
}

/// The fate of a request that a client waits for.
enum CreationOutcome {
    Deliver,
    Duplicate,
    Lose,
    GiveUp,
    Down,
    Refuse,
    Damage,
    TooOld,
    Panic,
}

impl World {
    /// Delivers a message, or loses it.
    pub(crate) fn message(&mut self) -> Checked {
        let many = self.line.network().messages.len();
        let message = self.line.network().messages.swap_remove(self.chance.below(many));
        let call = message.call;
        match message.body {
            Body::Reply(reply, at) => {
                let chance = &mut self.chance;
                let lost = !self.faults.quiet && chance.permille(self.faults.lose);
                let panics = !self.faults.quiet && chance.permille(self.faults.panic);
                if lost {
                    self.say(call, "the answer is lost to");
                    self.no_answer(call);
                } else if panics {
                    self.line.network().hand_over(call, Reply::Panic, None);
                } else {
                    self.hand_over(call, reply, at);
                }
                Ok(())
            }
            Body::Request if self.line.network().is_waiting(call) => self.request(call),
            Body::Request => {
                if self.chance.permille(400) {
                    self.say(call, "a late copy is lost:");
                    return Ok(());
                }
                self.say(call, "a late copy arrives:");
                self.deliver(call).map(drop)
            }
        }
    }

    fn say(&mut self, call: usize, what: &str) {
        let request = std::sync::Arc::clone(&self.line.network().calls[call].request);
        self.trace.add(self.step, |names| format!("{what} {}", names.request(&request)));
    }

    fn outcome(&mut self, call: usize) -> CreationOutcome {
        if self.faults.quiet {
            return CreationOutcome::Deliver;
        }
        if self.step < self.faults.out_until {
            return if self.chance.permille(500) { CreationOutcome::Lose } else { CreationOutcome::GiveUp };
        }
        let network = self.line.network();
        let call = &network.calls[call];
        let sent_once = call.copies == 1;
        let is_commit = matches!(&*call.request, Request::Commit(_));
        let is_since = matches!(&*call.request, Request::Since(_));
        let f = &self.faults;
        let only = |when: bool, often: u64| if when { often } else { 0 };
        let odds = [
            f.lose,
            f.give_up,
            only(sent_once, f.down),
            only(is_commit, f.duplicate),
            only(is_commit && sent_once, f.refuse),
            only(!is_commit, f.damage),
            only(is_since, f.too_old),
            only(is_commit, f.panic),
        ];
        let rest = 1_000_u64.saturating_sub(odds.iter().sum());
        let weights: Vec<u64> = odds.into_iter().chain([rest.max(300)]).collect();
        drop(network);
        match self.chance.weighted(&weights) {
            0 => CreationOutcome::Lose,
            1 => CreationOutcome::GiveUp,
            2 => CreationOutcome::Down,
            3 => CreationOutcome::Duplicate,
            4 => CreationOutcome::Refuse,
            5 => CreationOutcome::Damage,
            6 => CreationOutcome::TooOld,
            7 => CreationOutcome::Panic,
            _ => CreationOutcome::Deliver,
        }
    }

    fn request(&mut self, call: usize) -> Checked {
        let now = self.now();
        match self.outcome(call) {
            CreationOutcome::Deliver => {
                let reply = self.deliver(call)?;
                self.line.network().messages.push(Message { call, body: Body::Reply(reply, now) });
            }
            CreationOutcome::Duplicate => {
                self.coverage.met("a driver sent twice");
                self.send_copy(call);
                let reply = self.deliver(call)?;
                self.line.network().messages.push(Message { call, body: Body::Reply(reply, now) });
            }
            CreationOutcome::Lose => {
                self.say(call, "lost on the way:");
                self.no_answer(call);
            }
            CreationOutcome::GiveUp => {
                self.say(call, "the driver stops waiting for");
                self.line.network().messages.push(Message { call, body: Body::Request });
                self.no_answer(call);
            }
            CreationOutcome::Down => {
                self.say(call, "the store is down for");
                self.coverage.met("unavailable");
                let down = StoreError::Unavailable("down".into());
                self.line.network().hand_over(call, Reply::Failed(down), Some(now));
            }
            CreationOutcome::Refuse => {
                self.say(call, "rejected permanently:");
                self.coverage.met("refused for good");
                let errors: [fn(Cause) -> StoreError; 3] =
                    [StoreError::TooLarge, StoreError::UnsupportedRecord, StoreError::Corrupt];
                let refused = errors[self.chance.below(3)]("refused".into());
                self.line.network().hand_over(call, Reply::Failed(refused), Some(now));
            }
            CreationOutcome::Damage => {
                self.say(call, "damaged:");
                let damaged = StoreError::Corrupt("damaged".into());
                self.line.network().hand_over(call, Reply::Failed(damaged), Some(now));
            }
            CreationOutcome::TooOld => {
                self.say(call, "too old:");
                self.line.network().hand_over(call, Reply::Since(Since::TooOld), Some(now));
            }
            CreationOutcome::Panic => {
                if self.chance.permille(500) {
                    self.line.network().messages.push(Message { call, body: Body::Request });
                }
                self.line.network().hand_over(call, Reply::Panic, None);
            }
        }
        Ok(())
    }

    fn send_copy(&mut self, call: usize) {
        self.say(call, "sent twice:");
        let mut network = self.line.network();
        network.calls[call].copies += 1;
        network.messages.push(Message { call, body: Body::Request });
    }

    /// No answer will come: a commit is in doubt, and a question is unavailable.
    fn no_answer(&mut self, call: usize) {
        let mut network = self.line.network();
        let error = match &*network.calls[call].request {
            Request::Commit(_) => StoreError::InDoubt("the line went dead".into()),
            _ => StoreError::Unavailable("the line went dead".into()),
        };
        network.hand_over(call, Reply::Failed(error), None);
    }

    fn hand_over(&mut self, call: usize, reply: Reply, at: crate::history::Instant) {
        let mut network = self.line.network();
        let is_sure = matches!(reply, Reply::StoredCommit(_) | Reply::Failed(StoreError::Conflict { .. }));
        let is_commit = matches!(&*network.calls[call].request, Request::Commit(_));
        if is_commit && network.calls[call].copies > 1 && !is_sure {
            drop(network);
            self.no_answer(call);
        } else {
            network.hand_over(call, reply, Some(at));
        }
    }

    /// The server executes a request, and the history records the result.
    fn deliver(&mut self, call: usize) -> Result<Reply, String> {
        let (request, is_late) = {
            let network = self.line.network();
            (std::sync::Arc::clone(&network.calls[call].request), !network.is_waiting(call))
        };
        let before = match &*request {
            Request::Commit(sent) => self.server.records(sent.base.tenant_id()).map(|(_, records)| records),
            _ => None,
        };
        let reply = self.server.answer(&request);
        if let Some(memory_store) = &self.memory_store {
            crate::memory_store::agrees(memory_store, &request, &reply)?;
        }
        self.trace.add(self.step, |names| {
            let what = match &reply {
                Reply::StoredCommit(revision) => format!("made revision {revision}"),
                Reply::Failed(error) => format!("{error}"),
                Reply::Found(tenant_id) => {
                    tenant_id.map_or("nothing".into(), |tenant_id| names.of(tenant_id.as_uuid()))
                }
                Reply::Loaded(loaded) => loaded.as_ref().map_or("nothing".into(), |(at, _)| at.revision.to_string()),
                Reply::Since(Since::Commits(commits)) => format!("{} commits", commits.len()),
                Reply::Since(other) => format!("{other:?}"),
                Reply::TenantSummary(_) | Reply::Positions(_) | Reply::Panic => String::new(),
            };
            format!("the store answers {}: {what}", names.request(&request))
        });
        match (&*request, &reply) {
            (Request::Commit(sent), Reply::StoredCommit(_)) => {
                if is_late && !sent.changes.is_empty() {
                    self.coverage.met("a late copy committed");
                }
                let renamed = |records: &crate::server::Records| tenant(records).map(|tenant| tenant.slug.clone());
                let after = self.server.records(sent.base.tenant_id()).map(|(_, records)| records);
                match (before.as_deref().and_then(renamed), after.as_deref().and_then(renamed)) {
                    (Some(_), None) => self.coverage.met("a tenant deleted"),
                    (Some(before), Some(after)) if before != after => self.coverage.met("a tenant renamed"),
                    _ => {}
                }
                self.committed(sent)?;
            }
            (Request::Commit(_), Reply::Failed(StoreError::SlugTaken)) => self.coverage.met("a slug taken"),
            _ => {}
        }
        Ok(reply)
    }

    fn committed(&mut self, sent: &Sent) -> Checked {
        let tenant_id = sent.base.tenant_id();
        let (parent, revision) = match sent.base {
            rolecall::store::Base::Create(_) if sent.changes.is_empty() => return Ok(()),
            rolecall::store::Base::Create(_) => (None, rolecall::records::Revision::FIRST),
            rolecall::store::Base::At(at) => (Some(at.commit), at.revision.next()),
        };
        let records = self.server.records(tenant_id).map(|(_, records)| records).unwrap_or_default();
        let op = match &sent.envelope.note {
            Some(note) => number(note.as_str()),
            None => tenant(&records).and_then(|tenant| number(tenant.name.as_str())),
        };
        let node = Node { tenant_id, revision, parent, records, op, is_empty: sent.changes.is_empty() };
        let now = self.now();
        self.history.committed(sent.id(), node, now);
        self.check_landing(sent.id())
    }
}
