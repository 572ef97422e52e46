//! The world of the model: who takes part, what may happen next, and which rules everybody follows.

/// The id of a commit.
pub(crate) type Id = u8;

/// The most processes that have an authorizer of this crate, and an application with a transaction of its own.
const MOST: Id = 2;

/// The first id that is neither that of a staged commit nor that of an empty one.
const FRESH: Id = 2 * MOST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    TakesTurn,
    DropIsInDoubt,
    InDoubtDenies,
    UnusedIsForgotten,
    FinishAsks,
    LooksForId,
    NotSentAgain,
    EmptyCommit,
    ConflictIsLookedInto,
    UnknownResolvesNothing,
    LockedUntilItEnds,
    AppliedAsAWhole,
    VisibleAfterCommit,
}

pub(crate) const RULES: &[(Rule, &str)] = &[
    (Rule::TakesTurn, "a stage keeps the tenant's turn until it is finished or dropped"),
    (Rule::DropIsInDoubt, "a stage that is dropped after its commit was handed out is in doubt"),
    (Rule::InDoubtDenies, "a tenant in doubt denies"),
    (Rule::UnusedIsForgotten, "a stage whose commit was never handed out is not in doubt"),
    (Rule::FinishAsks, "finish asks the store, and publishes what the store has"),
    (Rule::LooksForId, "the commit that made the next revision decides"),
    (Rule::NotSentAgain, "a staged commit is never sent again"),
    (Rule::EmptyCommit, "only an empty commit on the same base makes sure that it was not and will not be committed"),
    (Rule::ConflictIsLookedInto, "a conflict of the empty commit is looked into"),
    (Rule::UnknownResolvesNothing, "an answer that was lost resolves nothing"),
    (Rule::LockedUntilItEnds, "the transaction keeps the tenant's row locked until it ends"),
    (Rule::AppliedAsAWhole, "the transaction is applied with the commit and the application's row, or not at all"),
    (Rule::VisibleAfterCommit, "once COMMIT has returned, every read sees the commit"),
];

pub(crate) const ALL_RULES: u32 = (1 << RULES.len()) - 1;

impl Rule {
    pub(crate) fn bit(self) -> u32 {
        1 << self as u32
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Availability {
    Serving,
    InDoubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    Committed,
    Aborted,
}

/// The application's transaction, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transaction {
    None,
    /// The staged commit is written in it, with the application's row.
    Open,
    /// COMMIT is on its way.
    Committing,
    /// Nobody will send COMMIT any more, and the server does not know yet.
    Abandoned,
    Committed,
    RolledBack,
}

/// The event that an authorizer waits for while it resolves its staged commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resolving {
    /// About to ask for the commits since the base.
    Since,
    /// They have been read: this was the number of revisions.
    Read(usize),
    /// About to send the commit, or an empty one with this id.
    Send(Id),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authorizer {
    pub(crate) snapshot: Vec<Id>,
    pub(crate) availability: Availability,
    /// The application holds a stage on this base.
    pub(crate) stage: Option<usize>,
    pub(crate) is_handed_out: bool,
    /// The commit to be resolved: its id and its base.
    pub(crate) pending: Option<(Id, usize)>,
    pub(crate) resolving: Option<Resolving>,
    /// Whether the application has dropped a stage whose commit was handed out.
    pub(crate) is_dropped: bool,
    /// The result of finish.
    pub(crate) told: Option<Known>,
}

/// A process with an authorizer of this crate, and an application that stages one commit at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    /// The staged commit.
    pub(crate) staged: Id,
    /// The empty commit that resolves it. Several copies of one are as good as several: one succeeds at most.
    pub(crate) empty: Id,
    pub(crate) authorizer: Authorizer,
    pub(crate) transaction: Transaction,
    /// The base of the transaction.
    written_on: usize,
    /// Whether the application has received the answer to its COMMIT.
    is_acknowledged: bool,
    pub(crate) has_application_row: bool,
    /// An empty commit that was sent and may still arrive.
    pub(crate) late_empty: Option<(Id, usize)>,
    pub(crate) has_restarted: bool,
    /// How many stages its application may still begin.
    stages: u8,
}

/// How often what may go wrong still may, in all processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    others: u8,
    updates: u8,
    unavailable: u8,
    lost_answers: u8,
    deaths: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    rules: u32,
    /// The commits of the tenant, in order. Their number is the revision.
    pub(crate) log: Vec<Id>,
    pub(crate) processes: Vec<Process>,
    next_id: Id,
    left: Left,
    pub(crate) broken: Option<&'static str>,
}

/// A step: the process that takes it or is struck by it, its name, and where it leads.
pub(crate) type Step = ((usize, &'static str), World);

/// Takes a step: its name, and what it changes.
type Then<'a> = dyn FnMut(&'static str, &dyn Fn(&mut World)) + 'a;

impl World {
    /// One process, and another writer that commits at any time. Faults may happen twice.
    pub(crate) fn with_one(rules: u32) -> Self {
        Self::new(rules, 1, Left { others: 3, updates: 1, unavailable: 2, lost_answers: 2, deaths: 2 })
    }

    /// Two processes, which stage and update one tenant. Faults may happen once.
    pub(crate) fn with_two(rules: u32) -> Self {
        Self::new(rules, MOST, Left { others: 0, updates: 1, unavailable: 1, lost_answers: 1, deaths: 1 })
    }

    fn new(rules: u32, processes: Id, left: Left) -> Self {
        let processes = (0..processes).map(|number| Process::new(number, MOST + number)).collect();
        Self { rules, log: Vec::new(), processes, next_id: FRESH, left, broken: None }
    }

    fn follows(&self, rule: Rule) -> bool {
        self.rules & rule.bit() != 0
    }

    /// The row of the tenant is locked by the transaction of an application.
    fn is_locked(&self) -> bool {
        let is_open = |process: &Process| process.transaction.is_open();
        self.processes.iter().any(is_open) && self.follows(Rule::LockedUntilItEnds)
    }

    /// Whether a staged commit may still be committed, or is and its authorizer cannot know it.
    pub(crate) fn is_undecided(&self, process: &Process) -> bool {
        let may_come = matches!(process.transaction, Transaction::Open | Transaction::Committing);
        may_come && process.written_on == self.log.len()
            || self.log.contains(&process.staged) && !process.authorizer.snapshot.contains(&process.staged)
    }

    fn fresh(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    /// No more faults and no more writers. The transactions of the applications end as the server thinks fit.
    pub(crate) fn quieten(&mut self) {
        self.left = Left { others: 0, updates: 0, unavailable: 0, lost_answers: 0, deaths: 0 };
        for at in 0..self.processes.len() {
            let mine = &mut self.processes[at];
            mine.stages = 0;
            if mine.transaction == Transaction::Open {
                mine.transaction = Transaction::Abandoned;
            }
            self.drop_stage(at);
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        let is_idle = |mine: &Process| mine.authorizer.pending.is_none() && mine.authorizer.stage.is_none();
        self.processes.iter().all(is_idle) && !self.is_locked()
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for part in [Self::server_steps, Self::authorizer_steps, Self::application_steps, Self::other_steps] {
            for at in 0..self.processes.len() {
                let mut then = |name: &'static str, change: &dyn Fn(&mut World)| {
                    let mut world = self.clone();
                    change(&mut world);
                    steps.push(((at, name), world));
                };
                part(self, at, &mut then);
            }
        }
        steps
    }

    fn server_steps(&self, at: usize, then: &mut Then<'_>) {
        let mine = &self.processes[at];
        match mine.transaction {
            Transaction::Committing => {
                then("the server commits the transaction", &|world| world.commit_transaction(at));
                then("the server rolls the transaction back", &|world| {
                    world.processes[at].transaction = Transaction::RolledBack;
                });
            }
            Transaction::Abandoned => {
                then("the server notices that the client is gone", &|world| {
                    world.processes[at].transaction = Transaction::RolledBack;
                });
            }
            _ => {}
        }
        if let Some((id, base)) = mine.late_empty.filter(|(_, base)| *base == self.log.len() && !self.is_locked()) {
            then("a late empty commit arrives", &|world| {
                world.processes[at].late_empty = None;
                world.append(id, base);
            });
        }
    }

    fn append(&mut self, id: Id, base: usize) {
        if base != self.log.len() {
            self.broken = Some("two commits on one base");
        }
        self.log.push(id);
    }

    fn commit_transaction(&mut self, at: usize) {
        let has_row = self.follows(Rule::AppliedAsAWhole);
        let mine = &mut self.processes[at];
        (mine.transaction, mine.has_application_row) = (Transaction::Committed, has_row);
        let (staged, base) = (mine.staged, mine.written_on);
        self.append(staged, base);
    }

    fn application_steps(&self, at: usize, then: &mut Then<'_>) {
        let mine = &self.processes[at];
        if let (Some(base), Transaction::None) = (mine.authorizer.stage, mine.transaction) {
            self.writing_steps(at, base, then);
        }
        if mine.transaction == Transaction::Open {
            for (name, next) in [
                ("the application sends COMMIT", Transaction::Committing),
                ("the application sends ROLLBACK", Transaction::RolledBack),
                ("the connection of the application breaks", Transaction::Abandoned),
            ] {
                then(name, &|world| world.processes[at].transaction = next);
            }
        }
        if mine.transaction == Transaction::Committed && !mine.is_acknowledged {
            then("the application receives the answer to COMMIT", &|world| world.processes[at].is_acknowledged = true);
        }
        if mine.authorizer.stage.is_some() {
            // At any time, even before COMMIT or after its answer was lost.
            then("the application calls finish", &|world| world.finish(at));
            then("the application drops the stage", &|world| world.drop_stage(at));
            if mine.transaction == Transaction::RolledBack {
                then("the application says that it rolled back", &|world| {
                    let authorizer = &mut world.processes[at].authorizer;
                    (authorizer.stage, authorizer.told) = (None, Some(Known::Aborted));
                });
            }
        }
    }

    /// The application gives the staged commit to its transaction, which locks the row of the tenant.
    fn writing_steps(&self, at: usize, base: usize, then: &mut Then<'_>) {
        let rolls_back = |world: &mut World| {
            let mine = &mut world.processes[at];
            (mine.authorizer.is_handed_out, mine.transaction) = (true, Transaction::RolledBack);
        };
        if self.is_locked() {
            // Or it waits for the end of the other transaction.
            then("the store gives up waiting for the row, and the application rolls back", &rolls_back);
        } else if base == self.log.len() {
            then("the application writes the commit into its transaction", &|world| {
                let mine = &mut world.processes[at];
                mine.authorizer.is_handed_out = true;
                (mine.transaction, mine.written_on) = (Transaction::Open, base);
            });
        } else {
            then("the store finds the base stale, and the application rolls back", &rolls_back);
        }
    }

    fn finish(&mut self, at: usize) {
        let asks = self.follows(Rule::FinishAsks);
        let mine = &mut self.processes[at];
        let Some(base) = mine.authorizer.stage.take() else { return };
        if !asks {
            mine.authorizer.snapshot.push(mine.staged);
            mine.authorizer.told = Some(Known::Committed);
            return;
        }
        mine.authorizer.begins_to_resolve(mine.staged, base);
    }

    fn drop_stage(&mut self, at: usize) {
        let [forgets, is_in_doubt, denies] =
            [Rule::UnusedIsForgotten, Rule::DropIsInDoubt, Rule::InDoubtDenies].map(|rule| self.follows(rule));
        let mine = &mut self.processes[at];
        let Some(base) = mine.authorizer.stage.take() else { return };
        if !mine.authorizer.is_handed_out && forgets {
            return;
        }
        if !mine.authorizer.is_handed_out {
            self.broken = Some("a stage that nobody used takes the tenant out of service");
        }
        mine.authorizer.is_dropped = true;
        if is_in_doubt {
            mine.authorizer.begins_to_resolve(mine.staged, base);
            mine.authorizer.deny(denies);
        }
    }

    fn authorizer_steps(&self, at: usize, then: &mut Then<'_>) {
        let mine = &self.processes[at];
        let authorizer = &mine.authorizer;
        let is_free = authorizer.stage.is_none() || !self.follows(Rule::TakesTurn);
        let is_ready = authorizer.pending.is_none() && authorizer.availability == Availability::Serving;
        if mine.stages > 0 && is_ready && authorizer.stage.is_none() {
            then("the application stages a commit", &|world| {
                let mine = &mut world.processes[at];
                mine.stages -= 1;
                mine.authorizer.snapshot.clone_from(&world.log);
                mine.authorizer.stage = Some(world.log.len());
            });
        }
        let is_latest = authorizer.snapshot.len() == self.log.len();
        if self.left.updates > 0 && is_free && is_ready && is_latest && !self.is_locked() {
            then("an update of this process commits", &|world| {
                world.left.updates -= 1;
                let id = world.fresh();
                world.append(id, world.log.len());
                let authorizer = &mut world.processes[at].authorizer;
                authorizer.snapshot.clone_from(&world.log);
                if authorizer.stage.is_some() {
                    world.broken = Some("a snapshot is published while a stage is open on another");
                }
            });
        }
        if let (Some(resolving), Some((id, base))) = (authorizer.resolving, authorizer.pending) {
            self.resolve_steps(at, resolving, (id, base), then);
        }
    }

    /// Resolving begins again. Finish returns that the commit is in doubt.
    fn begin_again(&mut self, at: usize) {
        let denies = self.follows(Rule::InDoubtDenies);
        let authorizer = &mut self.processes[at].authorizer;
        authorizer.resolving = Some(Resolving::Since);
        authorizer.deny(denies);
        authorizer.is_dropped = true;
    }

    fn resolve_steps(&self, at: usize, resolving: Resolving, (id, base): (Id, usize), then: &mut Then<'_>) {
        if self.left.unavailable > 0 {
            then("the store is unavailable, and resolving begins again", &|world| {
                world.left.unavailable -= 1;
                world.begin_again(at);
            });
        }
        match resolving {
            Resolving::Since => self.read_steps(at, then),
            Resolving::Read(seen) if seen > base => {
                then("the authorizer publishes what it has read", &|world| {
                    let is_there = world.log[base] == id || !world.follows(Rule::LooksForId);
                    let read = world.log[..seen].to_vec();
                    let outcome = if is_there { Known::Committed } else { Known::Aborted };
                    world.processes[at].authorizer.resolved(outcome, read);
                });
            }
            Resolving::Read(_) => self.nothing_found(at, id, then),
            Resolving::Send(sent) => self.send_steps(at, sent, base, then),
        }
    }

    fn read_steps(&self, at: usize, then: &mut Then<'_>) {
        then("the authorizer reads the commits since the base", &|world| {
            world.processes[at].authorizer.resolving = Some(Resolving::Read(world.log.len()));
        });
        // A read that lags behind sees at least what was acknowledged, to whomever.
        let last = |process: &&Process| self.log.last() == Some(&process.staged);
        let Some(writer) = self.processes.iter().find(last) else { return };
        let is_acknowledged = writer.is_acknowledged;
        if !is_acknowledged || !self.follows(Rule::VisibleAfterCommit) {
            then("a read lags behind the commit", &|world| {
                if is_acknowledged {
                    world.broken = Some("an acknowledged COMMIT is not seen by a later read");
                }
                world.processes[at].authorizer.resolving = Some(Resolving::Read(world.log.len() - 1));
            });
        }
    }

    fn nothing_found(&self, at: usize, id: Id, then: &mut Then<'_>) {
        if !self.follows(Rule::EmptyCommit) {
            then("the authorizer takes the commit as aborted", &|world| {
                let authorizer = &mut world.processes[at].authorizer;
                authorizer.resolved(Known::Aborted, authorizer.snapshot.clone());
            });
        } else if self.follows(Rule::NotSentAgain) {
            then("the authorizer is about to send an empty commit", &|world| {
                let mine = &mut world.processes[at];
                mine.authorizer.resolving = Some(Resolving::Send(mine.empty));
            });
        } else {
            then("the authorizer is about to send the commit again", &|world| {
                world.processes[at].authorizer.resolving = Some(Resolving::Send(id));
            });
        }
    }

    fn send_steps(&self, at: usize, sent: Id, base: usize, then: &mut Then<'_>) {
        if self.is_locked() {
            then("the store gives up waiting for the row, and resolving begins again", &|world| {
                world.begin_again(at);
            });
            return;
        }
        if self.left.lost_answers > 0 {
            then("the answer to the empty commit is lost", &|world| {
                world.left.lost_answers -= 1;
                world.processes[at].late_empty = Some((sent, base));
                if world.follows(Rule::UnknownResolvesNothing) {
                    world.begin_again(at);
                } else {
                    let authorizer = &mut world.processes[at].authorizer;
                    let mut snapshot = authorizer.snapshot.clone();
                    snapshot.push(sent);
                    authorizer.resolved(Known::Aborted, snapshot);
                }
            });
        }
        if base == self.log.len() {
            then("the store applies what resolves the commit", &|world| {
                world.append(sent, base);
                let log = world.log.clone();
                let mine = &mut world.processes[at];
                let outcome = if sent == mine.staged { Known::Committed } else { Known::Aborted };
                mine.authorizer.resolved(outcome, log);
            });
        } else if self.follows(Rule::ConflictIsLookedInto) {
            then("the store answers with a conflict", &|world| {
                world.processes[at].authorizer.resolving = Some(Resolving::Since);
            });
        } else {
            then("a conflict is taken as aborted", &|world| {
                let log = world.log.clone();
                world.processes[at].authorizer.resolved(Known::Aborted, log);
            });
        }
    }

    fn other_steps(&self, at: usize, then: &mut Then<'_>) {
        if at == 0 && self.left.others > 0 && !self.is_locked() {
            then("another process commits", &|world| {
                world.left.others -= 1;
                let id = world.fresh();
                world.append(id, world.log.len());
            });
        }
        if self.left.deaths > 0 {
            then("the process dies and starts again", &|world| {
                world.left.deaths -= 1;
                let mine = &mut world.processes[at];
                mine.has_restarted = true;
                if mine.transaction == Transaction::Open {
                    mine.transaction = Transaction::Abandoned;
                }
                // It loads the tenant. Nobody in it has asked for the staged commit.
                mine.authorizer = Authorizer::serving(world.log.clone());
            });
        }
    }
}

impl Transaction {
    fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Committing | Self::Abandoned)
    }
}

impl Process {
    fn new(staged: Id, empty: Id) -> Self {
        Self {
            staged,
            empty,
            authorizer: Authorizer::serving(Vec::new()),
            transaction: Transaction::None,
            written_on: 0,
            is_acknowledged: false,
            has_application_row: false,
            late_empty: None,
            has_restarted: false,
            stages: 1,
        }
    }
}

impl Authorizer {
    fn serving(snapshot: Vec<Id>) -> Self {
        Self {
            snapshot,
            availability: Availability::Serving,
            stage: None,
            is_handed_out: false,
            pending: None,
            resolving: None,
            is_dropped: false,
            told: None,
        }
    }

    fn begins_to_resolve(&mut self, staged: Id, base: usize) {
        self.pending = Some((staged, base));
        self.resolving = Some(Resolving::Since);
    }

    fn deny(&mut self, denies: bool) {
        if denies {
            self.availability = Availability::InDoubt;
        }
    }

    fn resolved(&mut self, outcome: Known, snapshot: Vec<Id>) {
        self.snapshot = snapshot;
        self.told = Some(outcome);
        (self.pending, self.resolving) = (None, None);
        self.availability = Availability::Serving;
        self.is_dropped = false;
    }
}
