//! Runs two processes, one store and the network between them, one step at a time. A step is one event: a message
//! arrives or is lost; a task is polled, dropped or started; a process crashes; a backup is restored.
//!
//! It uses no threads and no real clock. The seed decides everything, so a run can be repeated. `checks.rs` runs after
//! every step.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rolecall::records::{CommitId, Revision};
use rolecall::store::MemoryStore;
use rolecall::{Reason, Tenant};

use crate::coverage::Coverage;
use crate::faults::Faults;
use crate::history::{History, Instant};
use crate::network::{Line, StorePanic};
use crate::operations::{Answer, Ending, Op, OpKind, Running};
use crate::process::{Handle, Process};
use crate::random::Random;
use crate::runtime::{Job, Simulated};
use crate::server::Server;
use crate::trace::Trace;

/// The message of a violated invariant.
pub(crate) type Checked = Result<(), String>;

pub(crate) struct World {
    pub(crate) chance: Random,
    pub(crate) faults: Faults,
    pub(crate) line: Line,
    pub(crate) server: Server,
    pub(crate) history: History,
    pub(crate) processes: Vec<Process>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) backups: Vec<(Server, Instant)>,
    pub(crate) step: usize,
    pub(crate) coverage: Coverage,
    /// Gets the same requests as the server, until the two may differ.
    pub(crate) memory_store: Option<MemoryStore>,
    pub(crate) trace: Trace,
    /// The commits that were reported as aborted, and when.
    pub(crate) never: Vec<(CommitId, Instant)>,
    pub(crate) ops: usize,
    /// The use of the stage by the application, for each operation that has one.
    pub(crate) stages: HashMap<usize, Ending>,
    /// Whether processes with runtimes follow each other now and then.
    pub(crate) follows: bool,
}

pub(crate) struct Task {
    pub(crate) number: usize,
    pub(crate) op: usize,
    pub(crate) process: usize,
    pub(crate) kind: OpKind,
    pub(crate) tenant: Option<Tenant>,
    /// The position of the tenant when the task began.
    pub(crate) revision: Option<Revision>,
    pub(crate) began: usize,
    /// The instant of the last answer that the task received.
    pub(crate) heard: Instant,
    /// Whether the task has called the store, and the commits that it sent.
    pub(crate) has_asked: bool,
    /// Whether the task has sent a request that resolves a commit, and the state of its tenant before the last poll.
    pub(crate) has_resolved: bool,
    pub(crate) silent: Option<Reason>,
    pub(crate) sent: Vec<CommitId>,
    /// `None` if the caller has hung up, or has its answer.
    future: Option<Running>,
    flag: Arc<Flag>,
    /// The work of the runtime for it.
    jobs: Vec<Job>,
    /// Whether the store has panicked in the job that the caller waits for.
    has_panicked: bool,
}

/// Whether a future was woken.
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn set() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Task {
    pub(crate) fn hang_up(&mut self) {
        self.future = None;
    }

    pub(crate) fn add_jobs(&mut self, jobs: Vec<Job>) {
        self.jobs.extend(jobs);
    }

    pub(crate) fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether a caller waits, or work goes on that must end.
    fn must_end(&self) -> bool {
        self.future.is_some() || self.jobs.iter().any(|job| !job.resolves)
    }

    fn is_woken(&self) -> bool {
        self.future.is_some() && self.flag.is_set() || self.jobs.iter().any(|job| job.flag.is_set())
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World {
    /// With runtimes, the first process has one, and often the second.
    pub(crate) fn new(seed: u64, traced: bool, runtimes: bool) -> Self {
        let mut chance = Random::new(seed);
        let faults = Faults::of(&mut chance);
        let line = Line::default();
        let second = runtimes && chance.permille(600);
        let processes = [runtimes, second].map(|with_runtime| Process::new(&line, &faults, with_runtime)).into();
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
            memory_store: (seed % 8 == 0).then(MemoryStore::default),
            trace: Trace::new(traced),
            never: Vec::new(),
            ops: 0,
            stages: HashMap::new(),
            follows: false,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant { era: self.history.era(), step: self.step }
    }

    /// Runs the whole simulation, from an empty store to the recovery.
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
        if self.processes[0].runtime.is_some() && self.chance.permille(500) {
            self.all_hang_up()?;
        }
        self.faults.quiet = true;
        self.until_idle()?;
        self.until_resolved()?;
        self.recover()
    }

    /// Runs one event.
    fn step(&mut self) -> Checked {
        self.step += 1;
        self.processes.iter().filter_map(|process| process.runtime.as_ref()).for_each(|runtime| runtime.at(self.step));
        let messages = self.line.network().messages.len();
        let (woken, callers) = (self.woken().len(), self.callers().len());
        let (some, faulty) = (|many: usize, weight| if many > 0 { weight } else { 0 }, u64::from(!self.faults.quiet));
        let faulty = faulty * 10;
        let weights = [
            some(messages, 60),
            some(woken, 80),
            some(5usize.saturating_sub(callers), 3 * faulty),
            some(callers, self.faults.drops * faulty / 10),
            some(self.tasks.len(), 2),
            self.faults.crashes * faulty / 10,
            self.faults.restores * faulty / 10,
            self.faults.forgets * faulty / 10,
            self.faults.outages * faulty / 10,
        ];
        match self.chance.weighted(&weights) {
            0 => self.message()?,
            1 => {
                let woken = self.woken();
                let task = woken[self.chance.below(woken.len())];
                self.poll(task)?;
            }
            2 => self.begin_some(),
            3 => self.drop_some()?,
            4 => {
                // An executor may poll whenever it likes.
                let task = self.chance.below(self.tasks.len());
                self.poll(task)?;
            }
            5 => self.crash(),
            6 => self.back_up_or_restore(),
            7 => self.forget(),
            _ => self.outage(),
        }
        Ok(())
    }

    fn woken(&self) -> Vec<usize> {
        let woken = self.tasks.iter().enumerate().filter(|(_, task)| task.is_woken());
        woken.map(|(n, _)| n).collect()
    }

    /// The tasks whose callers wait for an answer.
    pub(crate) fn callers(&self) -> Vec<usize> {
        let callers = self.tasks.iter().enumerate().filter(|(_, task)| task.future.is_some());
        callers.map(|(n, _)| n).collect()
    }

    /// Runs every task to its end, without new tasks and faults. Late copies stay under way, or arrive.
    pub(crate) fn until_idle(&mut self) -> Checked {
        for _ in 0..4_000 {
            if !self.tasks.iter().any(Task::must_end) {
                return Ok(());
            }
            let resolves = self.tasks.iter().flat_map(|task| &task.jobs).any(|job| job.resolves);
            let pauses = resolves || self.tasks.iter().any(|task| task.kind == OpKind::Follow);
            if !pauses && self.woken().is_empty() && self.line.network().messages.is_empty() {
                return Err(format!("nobody will ever wake {} tasks", self.tasks.len()));
            }
            self.step()?;
        }
        Err("tasks do not end although faults have stopped".into())
    }

    /// Without faults, the tasks of a runtime resolve every commit in doubt, and nobody calls a tenant meanwhile.
    fn until_resolved(&mut self) -> Checked {
        for _ in 0..1_000 {
            let with_runtime = self.processes.iter().filter(|process| process.runtime.is_some());
            let mut tenants = with_runtime.flat_map(|process| process.authorizer.open_tenants());
            if !tenants.any(|tenant| tenant.now().unavailable() == Some(Reason::InDoubt)) {
                return Ok(());
            }
            drop(tenants);
            must!(!self.tasks.is_empty(), "a tenant is in doubt, and no task resolves it");
            self.coverage.met("in doubt until the store could be reached");
            self.step()?;
        }
        Err("a tenant stays in doubt although the store can be reached".into())
    }

    pub(crate) fn begin(&mut self, process: usize, op: Op) -> usize {
        let number = self.ops;
        self.ops += 1;
        self.begin_as(number, process, op)
    }

    pub(crate) fn begin_as(&mut self, number: usize, process: usize, op: Op) -> usize {
        let kind = op.kind();
        let tenant = op.tenant().cloned();
        let authorizer = self.processes[process].authorizer.clone();
        if let OpKind::Stage(_, ending) = kind {
            self.stages.insert(number, ending);
        }
        let (began, heard) = (self.step, self.now());
        let flag = Flag::set();
        self.trace.add(self.step, |names| {
            let of = tenant.as_ref().map_or(String::new(), |t| format!(" of {}", names.of(t.tenant_id().as_uuid())));
            let what = match kind {
                OpKind::OpenTenant(tenant_id) => format!("OpenTenant({})", names.of(tenant_id.as_uuid())),
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
            has_resolved: false,
            silent: None,
            sent: Vec::new(),
            future,
            flag,
            jobs: Vec::new(),
            has_panicked: false,
        };
        self.tasks.push(task);
        number
    }

    /// Polls a task or one of its jobs, and checks what its process sees afterwards.
    fn poll(&mut self, index: usize) -> Checked {
        let task = &mut self.tasks[index];
        let process = task.process;
        task.silent = task.tenant.as_ref().and_then(|tenant| tenant.now().unavailable());
        let before = self.look(process);
        let task = &self.tasks[index];
        // Those that were woken come first. Otherwise any of them is polled.
        let everybody = (0..=task.jobs.len()).filter(|n| *n < task.jobs.len() || task.future.is_some());
        let (woken, asleep): (Vec<usize>, Vec<usize>) =
            everybody.partition(|n| task.jobs.get(*n).map_or(&task.flag, |job| &job.flag).is_set());
        let some = if woken.is_empty() { asleep } else { woken };
        let many = task.jobs.len();
        let who = if some.len() > 1 { some[self.chance.below(some.len())] } else { some[0] };
        if who < many {
            self.poll_job(index, who)?;
            // The caller hears of it at once, before anything else happens.
            if self.tasks[index].future.is_none() || !self.tasks[index].flag.is_set() {
                self.tidy(index)?;
                return self.observe(process);
            }
        }
        self.poll_caller(index, &before)?;
        self.observe(process)
    }

    fn poll_job(&mut self, index: usize, job: usize) -> Checked {
        let Self { tasks, line, processes, .. } = self;
        let task = &mut tasks[index];
        let Some(runtime) = processes[task.process].runtime.clone() else {
            return Err("a job without a runtime".into());
        };
        line.network().task = task.number;
        let mut polled = task.jobs.remove(job);
        polled.flag.0.store(false, Ordering::Relaxed);
        let (was_in_doubt, op) = (polled.resolves, task.op);
        let answer = catch_unwind(AssertUnwindSafe(|| polled.poll()));
        polled.resolves |= runtime.has_paused();
        match answer {
            Ok(Poll::Pending) => task.jobs.push(polled),
            Ok(Poll::Ready(())) => {
                drop(polled);
                if was_in_doubt {
                    self.coverage.met("a task ended that resolved a commit");
                }
            }
            Err(panic) if panic.is::<StorePanic>() => {
                task.has_panicked |= !was_in_doubt;
                drop(polled);
                self.coverage.met("a store that panics");
                self.trace.add(self.step, |_| format!("a task of op-{op} panics"));
            }
            Err(_) => return Err(format!("a task of op-{op} panics, and the store did not")),
        }
        self.tasks[index].jobs.extend(runtime.spawned());
        self.hear(index)
    }

    fn poll_caller(&mut self, index: usize, before: &[bool]) -> Checked {
        let task = &mut self.tasks[index];
        let (process, op) = (task.process, task.op);
        task.flag.0.store(false, Ordering::Relaxed);
        self.line.network().task = task.number;
        let waker = Waker::from(Arc::clone(&task.flag));
        let Some(mut future) = task.future.take() else { return Err("a task without a future".into()) };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        let spawned = self.processes[process].runtime.as_ref().map(Simulated::spawned).unwrap_or_default();
        self.tasks[index].jobs.extend(spawned);
        if let (OpKind::Follow, Some(runtime)) = (self.tasks[index].kind, &self.processes[process].runtime) {
            // A follower pauses; its jobs do not.
            runtime.has_paused();
        }
        match polled {
            Ok(Poll::Pending) => {
                self.tasks[index].future = Some(future);
                self.hear(index)?;
                if !self.tasks[index].has_asked && !self.tasks[index].has_jobs() {
                    self.coverage.met("a wait for a turn");
                }
                Ok(())
            }
            Ok(Poll::Ready(answer)) => {
                drop(future);
                self.hear(index)?;
                let task = self.detach(index);
                self.ended(task, answer, before)
            }
            Err(panic) if panic.is::<StorePanic>() => {
                drop(future);
                self.hear(index)?;
                self.coverage.met("a store that panics");
                self.trace.add(self.step, |_| format!("p{process} op-{op} panics"));
                let task = self.detach(index);
                self.abandoned(&task);
                Ok(())
            }
            Err(_) => Err(format!("op-{op} panics, and the store did not")),
        }
    }

    /// Takes out a task whose caller is gone. Its jobs go on, as a task without a caller.
    fn detach(&mut self, index: usize) -> Task {
        let mut task = self.tasks.remove(index);
        let jobs = std::mem::take(&mut task.jobs);
        if !jobs.is_empty() {
            self.tasks.push(Task {
                number: task.number,
                op: task.op,
                process: task.process,
                kind: task.kind,
                // It holds the tenant no longer than the runtime does.
                tenant: None,
                revision: task.revision,
                began: task.began,
                heard: task.heard,
                has_asked: task.has_asked,
                has_resolved: task.has_resolved,
                silent: None,
                sent: Vec::new(),
                future: None,
                flag: Arc::clone(&task.flag),
                jobs,
                has_panicked: false,
            });
        }
        task
    }

    /// Takes out a task whose caller has hung up, once the runtime has done what must end.
    pub(crate) fn tidy(&mut self, index: usize) -> Checked {
        if self.tasks[index].must_end() {
            return Ok(());
        }
        let process = self.tasks[index].process;
        self.observe_told(process)?;
        let task = self.detach(index);
        self.abandoned(&task);
        Ok(())
    }

    /// Whether each tenant that a process holds is available before a poll.
    fn look(&self, process: usize) -> Vec<bool> {
        let handles = &self.processes[process].handles;
        handles.iter().map(|handle| handle.tenant.now().unavailable().is_none()).collect()
    }

    fn ended(&mut self, task: Task, answer: Answer, before: &[bool]) -> Checked {
        self.trace.add(self.step, |names| {
            let what = match &answer {
                Answer::Opened(Ok(tenant)) => format!("opened {}", names.of(tenant.tenant_id().as_uuid())),
                Answer::Updated(Ok(done)) if done.commit.is_some() => format!("done, revision {}", done.revision),
                Answer::Updated(Ok(done)) => format!("no effect, revision {}", done.revision),
                Answer::Refreshed(Ok(revision)) => format!("refreshed to {revision}"),
                Answer::Closed(Ok(())) => "closed".into(),
                Answer::Followed => "followed".into(),
                Answer::Unasked => "a stage has ended".into(),
                Answer::Opened(Err(error))
                | Answer::Updated(Err(error))
                | Answer::Refreshed(Err(error))
                | Answer::Closed(Err(error)) => format!("{:?}", error.kind()),
            };
            format!("p{} op-{} answers: {what}", task.process, task.op)
        });
        if let Answer::Opened(Ok(tenant)) = &answer {
            self.hold(task.process, tenant);
        }
        // Check the reported outcomes first. Only then do the remaining commits of the task count as unknown.
        self.observe_told(task.process)?;
        self.decided_by(&task, &answer)?;
        self.abandoned(&task);
        if task.has_panicked {
            return self.judge_panicked(&task, &answer);
        }
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
