//! Two processes, one store and a network between them, one step at a time. A step is one thing that happens: a message
//! arrives or is lost, a task is polled, dropped or begun, a process crashes, a backup is restored.
//!
//! No thread, no clock of the machine: the seed decides, so a run can be repeated. `checks.rs` looks after every step.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rolecall::records::{CommitId, Life, Record, Revision, UserId};
use rolecall::store::Base;
use rolecall::{Authorizer, Outcome, Plan, Reason, Tenant, UserHandle};
use uuid::Uuid;

use crate::chance::Chance;
use crate::coverage::Coverage;
use crate::faults::Faults;
use crate::history::{History, Instant};
use crate::network::{Heard, Line, StorePanic, What};
use crate::operations::{Answer, Edit, Kind, Op, Running, SLUGS, USERS};
use crate::server::{Request, Sent, Server};

/// What must not be, in words.
pub(crate) type Checked = Result<(), String>;

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    pub(crate) line: Line,
    pub(crate) server: Server,
    pub(crate) history: History,
    pub(crate) processes: Vec<Process>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) backups: Vec<(Server, Instant)>,
    pub(crate) step: usize,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    /// What was told as never to land, and since when.
    pub(crate) never: Vec<(CommitId, Instant)>,
    ops: usize,
}

/// One process: what it holds, and what it does not know.
pub(crate) struct Process {
    pub(crate) authorizer: Authorizer,
    pub(crate) handles: Vec<Handle>,
    pub(crate) plans: Vec<(usize, Edit, Plan, Tenant)>,
    pub(crate) commits: Vec<Doubt>,
    /// The lives that it has loaded since it was last looked at.
    pub(crate) loaded: Vec<Life>,
}

/// A commit that this process has sent, and what it heard of it.
pub(crate) struct Doubt {
    pub(crate) commit: CommitId,
    pub(crate) base: Base,
    pub(crate) task: usize,
    pub(crate) state: Known,
    pub(crate) unknown_since: usize,
    /// What its tenants have told of it for good.
    pub(crate) told: Option<Outcome>,
    /// Of a birth: the slug, and when the store last answered anything about it.
    pub(crate) slug: Option<String>,
    pub(crate) answered: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its task is at it.
    InFlight,
    /// Nobody knows.
    Unknown,
    Settled,
}

/// A tenant in hand.
pub(crate) struct Handle {
    pub(crate) tenant: Tenant,
    /// The last state that it answered from.
    pub(crate) last: Option<CommitId>,
    /// What it has told for good of commits.
    pub(crate) told: HashMap<CommitId, Outcome>,
    pub(crate) was_refused: bool,
    /// The first user that it was asked for, and the number that it gave.
    pub(crate) number: Option<(UserId, UserHandle)>,
}

pub(crate) struct Task {
    pub(crate) number: usize,
    pub(crate) op: usize,
    pub(crate) process: usize,
    pub(crate) kind: Kind,
    pub(crate) tenant: Option<Tenant>,
    /// Where the tenant stood when it began.
    pub(crate) revision: Option<Revision>,
    pub(crate) began: usize,
    /// When the last answer that it heard was given.
    pub(crate) heard: Instant,
    /// Whether it has asked the store anything, and with what commits.
    pub(crate) has_asked: bool,
    /// Whether it has asked anything that settles, and what its tenant said before it was last polled.
    pub(crate) has_settled: bool,
    pub(crate) silent: Option<Reason>,
    pub(crate) sent: Vec<CommitId>,
    future: Option<Running>,
    flag: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The story so far, with ordinals in the place of ids.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) lines: Option<Vec<String>>,
    names: HashMap<Uuid, usize>,
}

impl Trace {
    pub(crate) fn add(&mut self, step: usize, line: impl FnOnce(&mut Names<'_>) -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{step:>4}  {}", line(&mut Names(&mut self.names))));
        }
    }
}

pub(crate) struct Names<'a>(&'a mut HashMap<Uuid, usize>);

impl Names<'_> {
    pub(crate) fn of(&mut self, id: Uuid) -> String {
        let next = self.0.len();
        format!("#{}", self.0.entry(id).or_insert(next))
    }

    pub(crate) fn request(&mut self, request: &Request) -> String {
        match request {
            Request::Find(slug) => format!("find {slug}"),
            Request::List(..) => "list".into(),
            Request::Load(life) => format!("load {}", self.of(life.uuid())),
            Request::Since(at) => format!("since {} of {}", at.revision, self.of(at.life.uuid())),
            Request::Commit(sent) => {
                let (id, life) = (self.of(sent.id().uuid()), self.of(sent.base.life().uuid()));
                let base = match sent.base {
                    Base::Nothing(_) => "nothing".into(),
                    Base::State(at) => format!("{} by {}", at.revision, self.of(at.commit.uuid())),
                };
                let empty = if sent.changes.is_empty() { ", empty" } else { "" };
                format!("commit {id} on {base} of {life}{empty}")
            }
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let faults = Faults::of(&mut chance);
        let line = Line::default();
        let processes = (0..2).map(|_| Process::new(&line, &faults)).collect();
        let trace = Trace { lines: traced.then(Vec::new), ..Trace::default() };
        Self {
            chance,
            faults,
            line,
            server: Server::default(),
            history: History::new(),
            processes,
            tasks: Vec::new(),
            backups: Vec::new(),
            step: 0,
            coverage: Coverage::default(),
            trace,
            never: Vec::new(),
            ops: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant { era: self.history.era(), step: self.step }
    }

    /// Everything, from an empty store to a quiet end.
    pub(crate) fn run(&mut self) -> Checked {
        self.faults.quiet = true;
        for process in 0..2 {
            self.begin(process, Op::OpenOrCreate(0));
            self.until_idle()?;
        }
        self.faults.quiet = false;
        for _ in 0..self.faults.steps {
            self.step()?;
        }
        self.faults.quiet = true;
        self.until_idle()?;
        self.recover()
    }

    /// One thing happens.
    fn step(&mut self) -> Checked {
        self.step += 1;
        let messages = self.line.network().messages.len();
        let woken = self.woken().len();
        let (some, faulty) = (|many: usize, weight| if many > 0 { weight } else { 0 }, u64::from(!self.faults.quiet));
        let faulty = faulty * 10;
        let weights = [
            some(messages, 60),
            some(woken, 80),
            some(5usize.saturating_sub(self.tasks.len()), 3 * faulty),
            some(self.tasks.len(), self.faults.drops * faulty / 10),
            some(self.tasks.len(), 2),
            self.faults.crashes * faulty / 10,
            self.faults.restores * faulty / 10,
            self.faults.forgets * faulty / 10,
        ];
        match self.chance.weighed(&weights) {
            0 => self.message(),
            1 => {
                let woken = self.woken();
                let task = woken[self.chance.below(woken.len())];
                self.poll(task)
            }
            2 => self.begin_some(),
            3 => self.drop_some(),
            4 => {
                // An executor may poll whenever it likes.
                let task = self.chance.below(self.tasks.len());
                self.poll(task)
            }
            5 => self.crash(),
            6 => self.back_up_or_restore(),
            _ => self.forget(),
        }
    }

    fn woken(&self) -> Vec<usize> {
        let woken = self.tasks.iter().enumerate().filter(|(_, task)| task.flag.0.load(Ordering::Relaxed));
        woken.map(|(n, _)| n).collect()
    }

    /// Lets every task come to its end, without new ones and without faults. Late copies stay under way, or arrive.
    pub(crate) fn until_idle(&mut self) -> Checked {
        for _ in 0..4_000 {
            if self.tasks.is_empty() {
                return Ok(());
            }
            if self.woken().is_empty() && self.line.network().messages.is_empty() {
                return Err(format!("nobody will ever wake {} tasks", self.tasks.len()));
            }
            self.step()?;
        }
        Err("tasks do not end though nothing is wrong any more".into())
    }

    pub(crate) fn begin(&mut self, process: usize, op: Op) -> usize {
        let number = self.ops;
        self.ops += 1;
        self.begin_as(number, process, op)
    }

    fn begin_as(&mut self, number: usize, process: usize, op: Op) -> usize {
        let kind = op.kind();
        let tenant = op.tenant().cloned();
        let authorizer = self.processes[process].authorizer.clone();
        let (began, heard) = (self.step, self.now());
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        self.trace.add(self.step, |names| {
            let of = tenant.as_ref().map_or(String::new(), |t| format!(" of {}", names.of(t.life().uuid())));
            let what = match kind {
                Kind::OpenLife(life) => format!("OpenLife({})", names.of(life.uuid())),
                other => format!("{other:?}"),
            };
            format!("p{process} op-{number} begins: {what}{of}")
        });
        let future = Some(op.begin(number, authorizer));
        let task = Task {
            number: self.line.network().calls.len() + number * 1_000_000,
            op: number,
            process,
            kind,
            revision: tenant.as_ref().map(Tenant::revision),
            tenant,
            began,
            heard,
            has_asked: false,
            has_settled: false,
            silent: None,
            sent: Vec::new(),
            future,
            flag,
        };
        self.tasks.push(task);
        number
    }

    fn begin_some(&mut self) -> Checked {
        let process = self.chance.below(self.processes.len());
        let known: Vec<Life> = self.history.lives().collect();
        let slug = self.chance.below(SLUGS.len());
        let user = self.chance.below(USERS.len());
        let handle = self.chance.below(self.processes[process].handles.len());
        let Some(tenant) = self.processes[process].handles.get(handle).map(|handle| handle.tenant.clone()) else {
            let ops = [Op::Open(slug), Op::OpenOrCreate(slug), Op::Create(slug)];
            let op = ops.into_iter().nth(self.chance.weighed(&[4, 1, 1])).unwrap();
            self.begin(process, op);
            return Ok(());
        };
        if matches!(tenant.now().unanswered(), Some(Reason::Closed | Reason::Deleted)) {
            // Calls on what is over are tried now and then; mostly it is let go.
            self.let_go(process, handle);
            if self.chance.permille(700) {
                return Ok(());
            }
        }
        let edits =
            [Edit::Assign(user), Edit::Unassign(user), Edit::Unique, Edit::Nothing, Edit::Rename(slug), Edit::Delete];
        let edit = edits[self.chance.weighed(&[8, 8, 6, 1, 2, 1])];
        let op = match self.chance.weighed(&[26, 4, 8, 2, 8, 3, 2, 2, 1]) {
            0 => Op::Update(tenant, edit),
            1 => return self.plan(process, &tenant, edit),
            2 => {
                let plans = &mut self.processes[process].plans;
                if plans.is_empty() {
                    return Ok(());
                }
                let (number, edit, plan, tenant) = plans.remove(0);
                self.begin_as(number, process, Op::Commit(tenant, edit, plan));
                return Ok(());
            }
            3 => Op::Create(slug),
            4 => Op::Refresh(tenant),
            5 => Op::Open(slug),
            6 => Op::OpenLife(known[self.chance.below(known.len())]),
            7 => Op::Close(tenant),
            _ => {
                self.let_go(process, handle);
                return Ok(());
            }
        };
        self.begin(process, op);
        Ok(())
    }

    /// Plans, to be committed later.
    fn plan(&mut self, process: usize, tenant: &Tenant, edit: Edit) -> Checked {
        let number = self.ops;
        self.ops += 1;
        if let Ok(((), plan)) = tenant.plan(|tx| edit.apply(number, tx)) {
            self.trace.add(self.step, |_| format!("p{process} op-{number} plans {edit:?}"));
            self.processes[process].plans.push((number, edit, plan, tenant.clone()));
        }
        Ok(())
    }

    /// Lets a tenant go, so that it may be closed to make room: never one of which something is not known.
    fn let_go(&mut self, process: usize, handle: usize) {
        let Some(life) = self.processes[process].handles.get(handle).map(|handle| handle.tenant.life()) else { return };
        let doubts = &self.processes[process].commits;
        let doubtful = doubts.iter().any(|doubt| doubt.base.life() == life && doubt.state != Known::Settled);
        let busy = self.tasks.iter().any(|task| task.tenant.as_ref().is_some_and(|tenant| tenant.life() == life));
        if !doubtful && !busy {
            self.trace.add(self.step, |names| format!("p{process} lets {} go", names.of(life.uuid())));
            self.processes[process].handles.remove(handle);
            self.processes[process].plans.retain(|(.., tenant)| tenant.life() != life);
        }
    }

    /// Polls a task, and looks at what its process can see then.
    fn poll(&mut self, index: usize) -> Checked {
        let task = &mut self.tasks[index];
        let (process, op) = (task.process, task.op);
        task.flag.0.store(false, Ordering::Relaxed);
        task.silent = task.tenant.as_ref().and_then(|tenant| tenant.now().unanswered());
        self.line.network().task = task.number;
        let waker = Waker::from(Arc::clone(&task.flag));
        let Some(mut future) = task.future.take() else { return Err("a task without a future".into()) };
        let before = self.look(process);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        let answer = match polled {
            Ok(Poll::Pending) => {
                self.tasks[index].future = Some(future);
                self.hear(index)?;
                if !self.tasks[index].has_asked {
                    self.coverage.met("a wait for a turn");
                }
                None
            }
            Ok(Poll::Ready(answer)) => {
                drop(future);
                self.hear(index)?;
                Some(answer)
            }
            Err(panic) if panic.is::<StorePanic>() => {
                drop(future);
                self.hear(index)?;
                self.coverage.met("a store that panics");
                self.trace.add(self.step, |_| format!("p{process} op-{op} panics"));
                let task = self.tasks.remove(index);
                self.abandoned(&task);
                None
            }
            Err(_) => return Err(format!("op-{op} panics, and the store did not")),
        };
        if let Some(answer) = answer {
            let task = self.tasks.remove(index);
            self.ended(task, answer, &before)?;
        }
        self.observe(process)
    }

    /// Takes note of what a task has asked and heard.
    fn hear(&mut self, index: usize) -> Checked {
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
                    task.has_settled |= matches!(&*request, Request::Since(_) | Request::Commit(_));
                    let (process, op) = (task.process, task.op);
                    self.trace.add(self.step, |names| format!("p{process} op-{op} asks: {}", names.request(&request)));
                    self.asked(index, &request);
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

    fn asked(&mut self, index: usize, request: &Request) {
        let Request::Commit(sent) = request else { return };
        let task = &mut self.tasks[index];
        let doubts = &mut self.processes[task.process].commits;
        if sent.changes.is_empty() {
            self.coverage.met("an empty commit in its place");
        } else if doubts.iter().any(|doubt| doubt.commit == sent.id()) {
            self.coverage.met("a commit sent again");
        } else {
            if !task.sent.is_empty() {
                self.coverage.met("an update that ran again");
            }
            task.sent.push(sent.id());
            doubts.push(Doubt::new(sent, task.number));
        }
    }

    fn heard(&mut self, index: usize, request: &Request, heard: Heard, at: Instant) {
        let (task, step) = (&self.tasks[index], self.step);
        let process = &mut self.processes[task.process];
        let life = match request {
            Request::Load(life) => {
                process.loaded.push(*life);
                *life
            }
            Request::Since(at) => at.life,
            Request::Commit(sent) => sent.base.life(),
            Request::Find(_) | Request::List(..) => return,
        };
        match heard {
            Heard::Conflict => self.coverage.met("a conflict"),
            Heard::TooOld => self.coverage.met("too old, then a load"),
            _ => {}
        }
        for doubt in process.commits.iter_mut().filter(|doubt| doubt.base.life() == life) {
            let is_birth = doubt.slug.is_some();
            if heard == Heard::Gone && !is_birth && doubt.state == Known::Unknown {
                doubt.state = Known::Settled; // the life is over, and with it the question
            }
            let Request::Commit(sent) = request else { continue };
            if is_birth && sent.is_birth() && !matches!(heard, Heard::Unknown | Heard::Nothing) {
                doubt.answered = Some(at);
                if doubt.state == Known::Unknown && doubt.task != task.number {
                    self.coverage.met("a birth settled by another call");
                }
            }
            if doubt.commit != sent.id() {
                continue;
            }
            if heard == Heard::Conflict && self.history.node(sent.id()).is_some() {
                self.coverage.met("own commit behind a conflict");
            }
            match (heard, doubt.state) {
                (Heard::Success, _) => doubt.state = Known::Settled,
                (Heard::Unknown, Known::InFlight) => {
                    doubt.is_unknown(step);
                    if is_birth {
                        self.coverage.met("a birth unsettled");
                    }
                }
                (Heard::Nothing | Heard::Gone, Known::InFlight) => doubt.state = Known::Settled,
                _ => {}
            }
        }
    }

    /// A task has ended without an answer: what it was at, nobody knows.
    pub(crate) fn abandoned(&mut self, task: &Task) {
        for doubt in &mut self.processes[task.process].commits {
            if doubt.task == task.number && doubt.state == Known::InFlight {
                doubt.is_unknown(self.step);
            }
        }
    }

    fn drop_some(&mut self) -> Checked {
        let task = self.tasks.remove(self.chance.below(self.tasks.len()));
        self.trace.add(self.step, |_| format!("p{} op-{} is dropped", task.process, task.op));
        if task.has_asked {
            self.coverage.met("a future dropped after it had asked");
        }
        self.abandoned(&task);
        let process = task.process;
        drop(task);
        self.observe(process)
    }

    fn crash(&mut self) -> Checked {
        let process = self.chance.below(self.processes.len());
        self.trace.add(self.step, |_| format!("p{process} crashes and begins anew"));
        self.coverage.met("a process crashed");
        self.tasks.retain(|task| task.process != process);
        self.processes[process] = Process::new(&self.line, &self.faults);
        Ok(())
    }

    fn back_up_or_restore(&mut self) -> Checked {
        if self.backups.is_empty() || self.chance.permille(600) {
            self.trace.add(self.step, |_| "a backup is made".into());
            self.backups.push((self.server.clone(), self.now()));
            return Ok(());
        }
        let (server, from) = self.backups[self.chance.below(self.backups.len())].clone();
        self.trace.add(self.step, |_| format!("the backup of step {} is restored", from.step));
        self.coverage.met("a backup restored");
        self.server = server;
        let server = &self.server;
        self.history.restored(from, self.step, |life| server.head(life));
        Ok(())
    }

    fn forget(&mut self) -> Checked {
        let lives: Vec<Life> = self.history.lives().collect();
        let life = lives[self.chance.below(lives.len())];
        self.trace.add(self.step, |names| format!("the commits of {} are forgotten", names.of(life.uuid())));
        self.server.forget_history(life);
        Ok(())
    }

    /// What each tenant in hand of a process was like before a poll: whether it answered.
    fn look(&self, process: usize) -> Vec<bool> {
        let handles = &self.processes[process].handles;
        handles.iter().map(|handle| handle.tenant.now().unanswered().is_none()).collect()
    }

    fn ended(&mut self, task: Task, answer: Answer, before: &[bool]) -> Checked {
        self.trace.add(self.step, |names| {
            let what = match &answer {
                Answer::Opened(Ok(tenant)) => format!("opened {}", names.of(tenant.life().uuid())),
                Answer::Updated(Ok(done)) => {
                    let effect = if done.commit.is_some() { "done" } else { "no effect" };
                    format!("{effect}, revision {}", done.revision)
                }
                Answer::Refreshed(Ok(revision)) => format!("refreshed to {revision}"),
                Answer::Closed(Ok(())) => "closed".into(),
                Answer::Opened(Err(e)) => format!("{:?}", e.kind()),
                Answer::Updated(Err(e)) => format!("{:?}", e.kind()),
                Answer::Refreshed(Err(e)) => format!("{:?}", e.kind()),
                Answer::Closed(Err(e)) => format!("{:?}", e.kind()),
            };
            format!("p{} op-{} answers: {what}", task.process, task.op)
        });
        if let Answer::Opened(Ok(tenant)) = &answer {
            self.hold(task.process, tenant);
        }
        // What is told is looked at first, and only then what is still open at the end of a task counts as unknown.
        self.observe_told(task.process)?;
        self.abandoned(&task);
        self.judge(&task, answer, before)
    }

    fn hold(&mut self, process: usize, tenant: &Tenant) {
        let handles = &mut self.processes[process].handles;
        handles.push(Handle {
            tenant: tenant.clone(),
            last: None,
            told: HashMap::new(),
            was_refused: false,
            number: None,
        });
        if handles.len() > 4 {
            let handle = self.chance.below(4);
            self.let_go(process, handle);
        }
    }
}

impl Process {
    fn new(line: &Line, faults: &Faults) -> Self {
        let authorizer =
            Authorizer::builder().store(line.clone()).retries(faults.retries).most_open(faults.most_open).build();
        Self { authorizer, handles: Vec::new(), plans: Vec::new(), commits: Vec::new(), loaded: Vec::new() }
    }
}

impl Doubt {
    fn new(sent: &Sent, task: usize) -> Self {
        let slug = sent.changes.iter().find_map(|change| match change.after() {
            Some(Record::Tenant(tenant)) if sent.is_birth() => Some(tenant.slug.to_string()),
            _ => None,
        });
        let state = Known::InFlight;
        Self { commit: sent.id(), base: sent.base, task, state, unknown_since: 0, told: None, slug, answered: None }
    }

    fn is_unknown(&mut self, step: usize) {
        self.state = Known::Unknown;
        self.unknown_since = step;
    }
}
