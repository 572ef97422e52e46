//! A store that passes everything on to another one, and plays faults where it is told to: for the tests of whatever uses
//! a store, ours included.
//!
//! Deliberately absent: chance. A test says which call meets which fault; a seeded choice is three lines of its own.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::records::{Change, Envelope, Position, Record, Revision, TenantId, TenantSlug};
use crate::store::{Base, Commit, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};

/// The calls of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Store::find`]
    Find,
    /// [`Store::list`]
    List,
    /// [`Store::load`]
    Load,
    /// [`Store::commit`]
    Commit,
    /// [`Store::since`]
    Since,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Find, Self::List, Self::Load, Self::Commit, Self::Since];
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing happens, and the store says so: *unavailable*.
    Down,
    /// It is lost on the way. A commit is answered with *unknown*, a read with *unavailable*.
    RequestLost,
    /// It is carried out, and the answer is lost. A commit is answered with *unknown*, a read with *unavailable*.
    AnswerLost,
    /// A driver carries it out twice and passes on the second answer.
    SentTwice,
    /// A commit is answered with *unknown* at once, and carried out when so many more calls have come, before the last of
    /// them is. Of a read: as [`Fault::RequestLost`].
    LandsAfter(u8),
    /// *Conflict*, though nobody moved: the revision is that of the base.
    Conflict,
    /// *Too large*: refused for good.
    TooLarge,
    /// *Corrupt*: what the store holds cannot be right.
    Corrupt,
    /// *Refused*: a kind of record that the store does not know.
    Refused,
    /// *Gone*, though the life goes on.
    Deleted,
    /// *Too old*, of [`Store::since`]; of other calls, as [`Fault::Down`].
    TooOld,
    /// An answer that nobody can give: a commit that made revision 0, a load of another life, a commit in the history that
    /// nobody sent.
    Nonsense,
    /// It panics before the store is reached.
    PanicsBefore,
    /// It is carried out, and panics.
    PanicsAfter,
    /// It hangs before the store is reached, until its future is dropped.
    HangsBefore,
    /// It is carried out, and hangs until its future is dropped.
    HangsAfter,
}

impl Fault {
    /// All of them; of [`Fault::LandsAfter`], the first three.
    pub const ALL: [Self; 18] = [
        Self::Down,
        Self::RequestLost,
        Self::AnswerLost,
        Self::SentTwice,
        Self::LandsAfter(1),
        Self::LandsAfter(2),
        Self::LandsAfter(3),
        Self::Conflict,
        Self::TooLarge,
        Self::Corrupt,
        Self::Refused,
        Self::Deleted,
        Self::TooOld,
        Self::Nonsense,
        Self::PanicsBefore,
        Self::PanicsAfter,
        Self::HangsBefore,
        Self::HangsAfter,
    ];
}

type Lie = dyn FnMut(&mut Vec<Record>, &mut Position) + Send;
type Tale = dyn FnMut(&mut Vec<StoredCommit>) + Send;

/// What is to happen, and what has.
#[derive(Default)]
struct Plan {
    next: VecDeque<(Call, Option<Fault>)>,
    every: Vec<(Call, Fault)>,
    lie: Option<Box<Lie>>,
    tale: Option<Box<Tale>>,
    late: Vec<(u8, Late)>,
    made: Vec<Call>,
}

/// A commit on its way.
struct Late {
    base: Base,
    envelope: Envelope,
    changes: Vec<Change>,
}

/// A store that passes everything on, but for the faults that it is told to play. A clone is another connection with the
/// same faults to come.
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::MemoryStore;
/// use rolecall::store::conformance::{Call, Fault, Faulty};
///
/// let store = Faulty::new(MemoryStore::default());
/// let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")?;
/// store.next(Call::Commit, Fault::AnswerLost);
/// acme.update(|tx| tx.create_user("alice").map(drop))?; // found among the commits since
/// assert!(acme.now().user("alice").is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct Faulty<S> {
    inner: S,
    plan: Arc<Mutex<Plan>>,
}

impl<S> Faulty<S> {
    /// A store that plays no fault yet.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// The store that everything is passed on to.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The next call of this kind meets this fault; said twice, the next two do.
    pub fn next(&self, call: Call, fault: Fault) {
        self.plan().next.push_back((call, Some(fault)));
    }

    /// The next call of this kind, after those that are spoken for, meets none.
    pub fn spare(&self, call: Call) {
        self.plan().next.push_back((call, None));
    }

    /// Every call of this kind that is not spoken for meets this fault, until [`Faulty::heal`].
    pub fn every(&self, call: Call, fault: Fault) {
        self.plan().every.push((call, fault));
    }

    /// Every load tells what this makes of the truth, until [`Faulty::heal`].
    pub fn lie(&self, lie: impl FnMut(&mut Vec<Record>, &mut Position) + Send + 'static) {
        self.plan().lie = Some(Box::new(lie));
    }

    /// Every *since* that knows the history tells what this makes of it, until [`Faulty::heal`].
    pub fn lie_of_history(&self, tale: impl FnMut(&mut Vec<StoredCommit>) + Send + 'static) {
        self.plan().tale = Some(Box::new(tale));
    }

    /// No call meets a fault any more. A commit that is to land later still does.
    pub fn heal(&self) {
        let mut plan = self.plan();
        plan.next.clear();
        plan.every.clear();
        (plan.lie, plan.tale) = (None, None);
    }

    /// The calls that were made, in order, since this was last asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.plan().made)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, call: Call) -> Option<Fault> {
        let mut plan = self.plan();
        plan.made.push(call);
        if let Some(place) = plan.next.iter().position(|(of, _)| *of == call) {
            return plan.next.remove(place).and_then(|(_, fault)| fault);
        }
        plan.every.iter().rev().find(|(of, _)| *of == call).map(|(_, fault)| *fault)
    }
}

impl<S: Store + Clone> Faulty<S> {
    /// What becomes of a read that meets this fault, where all reads fare alike.
    async fn read<T: Send, A: Future<Output = Result<T, StoreError>> + Send>(
        &self,
        fault: Option<Fault>,
        carry_out: impl Fn() -> A + Send + Sync,
    ) -> Result<T, StoreError> {
        match fault {
            None => carry_out().await,
            Some(Fault::AnswerLost) => carry_out().await.and_then(|_| down()),
            Some(Fault::SentTwice) => {
                drop(carry_out().await);
                carry_out().await
            }
            Some(Fault::PanicsAfter) => {
                drop(carry_out().await);
                panicking()
            }
            Some(Fault::HangsAfter) => {
                drop(carry_out().await);
                pending().await
            }
            Some(fault) => instead(fault).await,
        }
    }

    async fn arrive_late(&self) {
        let arrived: Vec<(u8, Late)> = {
            let late = &mut self.plan().late;
            for (calls, _) in &mut *late {
                *calls = calls.saturating_sub(1);
            }
            let (arrived, on_the_way) = std::mem::take(late).into_iter().partition(|(calls, _)| *calls == 0);
            *late = on_the_way;
            arrived
        };
        for (_, Late { base, envelope, changes }) in &arrived {
            drop(self.inner.commit(Commit { base: *base, envelope, changes }).await);
        }
    }
}

/// A load, whole.
async fn whole(store: &impl Store, tenant_id: TenantId) -> Result<Option<(Vec<Record>, Position)>, StoreError> {
    let mut records = Vec::new();
    let at = store.load(tenant_id, &mut records).await?;
    Ok(at.map(|at| (records, at)))
}

/// What is answered where the store is not reached.
async fn instead<T>(fault: Fault) -> Result<T, StoreError> {
    match fault {
        Fault::TooLarge => Err(StoreError::TooLarge("played".to_owned())),
        Fault::Corrupt | Fault::Nonsense => Err(StoreError::Corrupt("played".to_owned())),
        Fault::Refused => Err(StoreError::UnsupportedRecord("played".to_owned())),
        Fault::Deleted => Err(StoreError::Deleted),
        Fault::Conflict => Err(StoreError::Conflict { actual: Revision::FIRST }),
        Fault::PanicsBefore | Fault::PanicsAfter => panicking(),
        Fault::HangsBefore | Fault::HangsAfter => pending().await,
        _ => down(),
    }
}

fn down<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("played".to_owned()))
}

fn unknown<T>() -> Result<T, StoreError> {
    Err(StoreError::InDoubt("played".to_owned()))
}

#[expect(clippy::panic, reason = "whoever asks for a panic gets one")]
fn panicking<T>() -> Result<T, StoreError> {
    panic!("the store panics, as it was told to");
}

impl<S: Store + Clone> Store for Faulty<S> {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let fault = self.meet(Call::Find);
        self.arrive_late().await;
        self.read(fault, || self.inner.find(slug)).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let fault = self.meet(Call::List);
        self.arrive_late().await;
        self.read(fault, || self.inner.list(after, limit)).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let fault = self.meet(Call::Load);
        self.arrive_late().await;
        let fault_of_read = fault.filter(|fault| *fault != Fault::Nonsense);
        let Some((mut records, mut at)) = self.read(fault_of_read, || whole(&self.inner, tenant_id)).await? else {
            return Ok(None);
        };
        if fault == Some(Fault::Nonsense) {
            at.tenant_id = TenantId::random();
        }
        if let Some(lie) = &mut self.plan().lie {
            lie(&mut records, &mut at);
        }
        for record in records {
            sink.push(record).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let fault = self.meet(Call::Commit);
        self.arrive_late().await;
        match fault {
            None => self.inner.commit(commit).await,
            Some(Fault::RequestLost) => unknown(),
            Some(Fault::AnswerLost) => self.inner.commit(commit).await.and_then(|_| unknown()),
            Some(Fault::SentTwice) => {
                drop(self.inner.commit(commit).await);
                self.inner.commit(commit).await
            }
            Some(Fault::LandsAfter(calls)) => {
                let (envelope, changes) = (commit.envelope.clone(), commit.changes.to_vec());
                self.plan().late.push((calls, Late { base: commit.base, envelope, changes }));
                unknown()
            }
            Some(Fault::Conflict) => {
                let actual = match commit.base {
                    Base::Create(_) => Revision::FIRST,
                    Base::At(at) => at.revision,
                };
                Err(StoreError::Conflict { actual })
            }
            Some(Fault::Nonsense) => self.inner.commit(commit).await.map(|_| Revision::new(0)),
            Some(Fault::PanicsAfter) => {
                drop(self.inner.commit(commit).await);
                panicking()
            }
            Some(Fault::HangsAfter) => {
                drop(self.inner.commit(commit).await);
                pending().await
            }
            Some(fault) => instead(fault).await,
        }
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let fault = self.meet(Call::Since);
        self.arrive_late().await;
        let told = match fault {
            Some(Fault::TooOld) => return Ok(Since::TooOld),
            Some(Fault::Deleted) => return Ok(Since::Deleted),
            Some(Fault::Nonsense) => self.inner.since(at).await?,
            fault => self.read(fault, || self.inner.since(at)).await?,
        };
        let Since::Commits(mut commits) = told else { return Ok(told) };
        if fault == Some(Fault::Nonsense) {
            for told in &mut commits {
                told.revision = Revision::new(told.revision.number() + 7);
            }
        }
        if let Some(tale) = &mut self.plan().tale {
            tale(&mut commits);
        }
        Ok(Since::Commits(commits))
    }
}

impl<S> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}
