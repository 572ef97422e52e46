//! The world of the model: who takes part, what may happen next, and which rules everybody follows.

/// The id of a commit.
pub(crate) type Id = u8;

/// The staged commit. Ids of other commits follow.
pub(crate) const STAGED: Id = 0;

/// The empty commit that resolves it. Several copies of one are as good as several: one succeeds at most.
const EMPTY: Id = 1;

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

/// What the authorizer waits for while it resolves the staged commit.
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
    /// What finish has returned.
    pub(crate) told: Option<Known>,
}

/// How often what may go wrong still may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    others: u8,
    updates: u8,
    unavailable: u8,
    lost_answers: u8,
    deaths: u8,
    stages: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    rules: u32,
    /// The commits of the tenant, in order. Their number is the revision.
    pub(crate) log: Vec<Id>,
    pub(crate) has_application_row: bool,
    pub(crate) transaction: Transaction,
    /// The base of the transaction.
    written_on: usize,
    /// Whether the application has received the answer to its COMMIT.
    is_acknowledged: bool,
    /// An empty commit that was sent and may still arrive.
    pub(crate) late_empty: Option<(Id, usize)>,
    pub(crate) authorizer: Authorizer,
    pub(crate) has_restarted: bool,
    next_id: Id,
    left: Left,
    pub(crate) broken: Option<&'static str>,
}

type Step = (&'static str, World);

/// Takes a step: its name, and what it changes.
type Then<'a> = dyn FnMut(&'static str, &dyn Fn(&mut World)) + 'a;

impl World {
    pub(crate) fn new(rules: u32) -> Self {
        Self {
            rules,
            log: Vec::new(),
            has_application_row: false,
            transaction: Transaction::None,
            written_on: 0,
            is_acknowledged: false,
            late_empty: None,
            authorizer: Authorizer::serving(Vec::new()),
            has_restarted: false,
            next_id: EMPTY + 1,
            left: Left { others: 3, updates: 1, unavailable: 2, lost_answers: 2, deaths: 2, stages: 1 },
            broken: None,
        }
    }

    fn follows(&self, rule: Rule) -> bool {
        self.rules & rule.bit() != 0
    }

    /// The row of the tenant is locked by the application's transaction.
    fn is_locked(&self) -> bool {
        let is_open = matches!(self.transaction, Transaction::Open | Transaction::Committing | Transaction::Abandoned);
        is_open && self.follows(Rule::LockedUntilItEnds)
    }

    /// Whether the staged commit may still be committed, or is and the authorizer cannot know it.
    pub(crate) fn is_undecided(&self) -> bool {
        let may_come = matches!(self.transaction, Transaction::Open | Transaction::Committing);
        may_come && self.written_on == self.log.len()
            || self.log.contains(&STAGED) && !self.authorizer.snapshot.contains(&STAGED)
    }

    fn fresh(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    /// No more faults and no more writers. The application's transaction ends as the server thinks fit.
    pub(crate) fn quieten(&mut self) {
        self.left = Left { others: 0, updates: 0, unavailable: 0, lost_answers: 0, deaths: 0, stages: 0 };
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Abandoned;
        }
        if self.authorizer.stage.is_some() {
            self.drop_stage();
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.authorizer.pending.is_none() && self.authorizer.stage.is_none() && !self.is_locked()
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut then = |name: &'static str, change: &dyn Fn(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            steps.push((name, world));
        };
        self.server_steps(&mut then);
        self.authorizer_steps(&mut then);
        self.application_steps(&mut then);
        self.other_steps(&mut then);
        steps
    }

    fn server_steps(&self, then: &mut Then<'_>) {
        match self.transaction {
            Transaction::Committing => {
                then("the server commits the transaction", &World::commit_transaction);
                then("the server rolls the transaction back", &|world| world.transaction = Transaction::RolledBack);
            }
            Transaction::Abandoned => {
                then("the server notices that the client is gone", &|world| {
                    world.transaction = Transaction::RolledBack;
                });
            }
            _ => {}
        }
        if let Some((id, base)) = self.late_empty.filter(|(_, base)| *base == self.log.len() && !self.is_locked()) {
            then("a late empty commit arrives", &|world| {
                world.late_empty = None;
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

    fn commit_transaction(&mut self) {
        self.transaction = Transaction::Committed;
        self.append(STAGED, self.written_on);
        self.has_application_row = self.follows(Rule::AppliedAsAWhole);
    }

    fn application_steps(&self, then: &mut Then<'_>) {
        let authorizer = &self.authorizer;
        if let (Some(base), Transaction::None) = (authorizer.stage, self.transaction) {
            if base == self.log.len() {
                then("the application writes the commit into its transaction", &|world| {
                    world.authorizer.is_handed_out = true;
                    (world.transaction, world.written_on) = (Transaction::Open, base);
                });
            } else {
                then("the store finds the base stale, and the application rolls back", &|world| {
                    world.authorizer.is_handed_out = true;
                    world.transaction = Transaction::RolledBack;
                });
            }
        }
        if self.transaction == Transaction::Open {
            then("the application sends COMMIT", &|world| world.transaction = Transaction::Committing);
            then("the application sends ROLLBACK", &|world| world.transaction = Transaction::RolledBack);
            then("the connection of the application breaks", &|world| world.transaction = Transaction::Abandoned);
        }
        if self.transaction == Transaction::Committed && !self.is_acknowledged {
            then("the application receives the answer to COMMIT", &|world| world.is_acknowledged = true);
        }
        if authorizer.stage.is_some() {
            // At any time, also before COMMIT or after its answer was lost.
            then("the application calls finish", &World::finish);
            then("the application drops the stage", &World::drop_stage);
            if self.transaction == Transaction::RolledBack {
                then("the application says that it rolled back", &|world| {
                    world.authorizer.stage = None;
                    world.authorizer.told = Some(Known::Aborted);
                });
            }
        }
    }

    fn finish(&mut self) {
        let Some(base) = self.authorizer.stage.take() else { return };
        if !self.follows(Rule::FinishAsks) {
            self.authorizer.snapshot.push(STAGED);
            self.authorizer.told = Some(Known::Committed);
            return;
        }
        self.authorizer.pending = Some((STAGED, base));
        self.authorizer.resolving = Some(Resolving::Since);
    }

    fn drop_stage(&mut self) {
        let Some(base) = self.authorizer.stage.take() else { return };
        if !self.authorizer.is_handed_out && self.follows(Rule::UnusedIsForgotten) {
            return;
        }
        if !self.authorizer.is_handed_out {
            self.broken = Some("a stage that nobody used takes the tenant out of service");
        }
        self.authorizer.is_dropped = true;
        if self.follows(Rule::DropIsInDoubt) {
            self.authorizer.pending = Some((STAGED, base));
            self.authorizer.resolving = Some(Resolving::Since);
            self.authorizer.deny(self.follows(Rule::InDoubtDenies));
        }
    }

    fn authorizer_steps(&self, then: &mut Then<'_>) {
        let authorizer = &self.authorizer;
        let is_free = authorizer.stage.is_none() || !self.follows(Rule::TakesTurn);
        let is_ready = authorizer.pending.is_none() && authorizer.availability == Availability::Serving;
        if self.left.stages > 0 && is_ready && authorizer.stage.is_none() {
            then("the application stages a commit", &|world| {
                world.left.stages -= 1;
                world.authorizer.snapshot = world.log.clone();
                world.authorizer.stage = Some(world.log.len());
            });
        }
        if self.left.updates > 0 && is_free && is_ready && !self.is_locked() {
            let is_latest = authorizer.snapshot.len() == self.log.len();
            if is_latest {
                then("an update of this process commits", &|world| {
                    world.left.updates -= 1;
                    let id = world.fresh();
                    world.append(id, world.log.len());
                    world.authorizer.snapshot = world.log.clone();
                    if world.authorizer.stage.is_some() {
                        world.broken = Some("a snapshot is published while a stage is open on another");
                    }
                });
            }
        }
        if let (Some(resolving), Some((id, base))) = (authorizer.resolving, authorizer.pending) {
            self.resolve_steps(resolving, id, base, then);
        }
    }

    fn resolve_steps(&self, resolving: Resolving, id: Id, base: usize, then: &mut Then<'_>) {
        if self.left.unavailable > 0 {
            then("the store is unavailable, and resolving begins again", &|world| {
                world.left.unavailable -= 1;
                world.authorizer.resolving = Some(Resolving::Since);
                // Finish returns that the commit is in doubt.
                let denies = world.follows(Rule::InDoubtDenies);
                world.authorizer.deny(denies);
                world.authorizer.is_dropped = true;
            });
        }
        match resolving {
            Resolving::Since => {
                then("the authorizer reads the commits since the base", &|world| {
                    world.authorizer.resolving = Some(Resolving::Read(world.log.len()));
                });
                // A read that lags behind sees at least what was acknowledged.
                let may_lag = !self.is_acknowledged || !self.follows(Rule::VisibleAfterCommit);
                if may_lag && self.log.last() == Some(&STAGED) {
                    then("a read lags behind the commit", &|world| {
                        if world.is_acknowledged {
                            world.broken = Some("an acknowledged COMMIT is not seen by a later read");
                        }
                        world.authorizer.resolving = Some(Resolving::Read(world.log.len() - 1));
                    });
                }
            }
            Resolving::Read(seen) if seen > base => {
                then("the authorizer publishes what it has read", &|world| {
                    let is_there = world.log[base] == id || !world.follows(Rule::LooksForId);
                    let read = world.log[..seen].to_vec();
                    world.authorizer.resolved(if is_there { Known::Committed } else { Known::Aborted }, read);
                });
            }
            Resolving::Read(_) => self.nothing_found(id, then),
            Resolving::Send(sent) => self.send_steps(sent, base, then),
        }
    }

    fn nothing_found(&self, id: Id, then: &mut Then<'_>) {
        if !self.follows(Rule::EmptyCommit) {
            then("the authorizer takes the commit as aborted", &|world| {
                let snapshot = world.authorizer.snapshot.clone();
                world.authorizer.resolved(Known::Aborted, snapshot);
            });
        } else if self.follows(Rule::NotSentAgain) {
            then("the authorizer is about to send an empty commit", &|world| {
                world.authorizer.resolving = Some(Resolving::Send(EMPTY));
            });
        } else {
            then("the authorizer is about to send the commit again", &|world| {
                world.authorizer.resolving = Some(Resolving::Send(id));
            });
        }
    }

    fn send_steps(&self, sent: Id, base: usize, then: &mut Then<'_>) {
        if self.is_locked() {
            then("the store gives up waiting for the row, and resolving begins again", &|world| {
                world.authorizer.resolving = Some(Resolving::Since);
                let denies = world.follows(Rule::InDoubtDenies);
                world.authorizer.deny(denies);
                world.authorizer.is_dropped = true;
            });
            return;
        }
        if self.left.lost_answers > 0 {
            then("the answer to the empty commit is lost", &|world| {
                world.left.lost_answers -= 1;
                world.late_empty = Some((sent, base));
                if world.follows(Rule::UnknownResolvesNothing) {
                    world.authorizer.resolving = Some(Resolving::Since);
                    let denies = world.follows(Rule::InDoubtDenies);
                    world.authorizer.deny(denies);
                    world.authorizer.is_dropped = true;
                } else {
                    let mut snapshot = world.authorizer.snapshot.clone();
                    snapshot.push(sent);
                    world.authorizer.resolved(Known::Aborted, snapshot);
                }
            });
        }
        if base == self.log.len() {
            then("the store applies what resolves the commit", &|world| {
                world.append(sent, base);
                let outcome = if sent == STAGED { Known::Committed } else { Known::Aborted };
                let log = world.log.clone();
                world.authorizer.resolved(outcome, log);
            });
        } else if self.follows(Rule::ConflictIsLookedInto) {
            then("the store answers with a conflict", &|world| {
                world.authorizer.resolving = Some(Resolving::Since);
            });
        } else {
            then("a conflict is taken as aborted", &|world| {
                let log = world.log.clone();
                world.authorizer.resolved(Known::Aborted, log);
            });
        }
    }

    fn other_steps(&self, then: &mut Then<'_>) {
        if self.left.others > 0 && !self.is_locked() {
            then("another process commits", &|world| {
                world.left.others -= 1;
                let id = world.fresh();
                world.append(id, world.log.len());
            });
        }
        if self.left.deaths > 0 {
            then("the process dies and starts again", &|world| {
                world.left.deaths -= 1;
                world.has_restarted = true;
                if world.transaction == Transaction::Open {
                    world.transaction = Transaction::Abandoned;
                }
                // It loads the tenant. Nobody in it has asked for the staged commit.
                world.authorizer = Authorizer::serving(world.log.clone());
            });
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
