//! A store that passes every call on to another store and plays the faults that a test asks for.
//!
//! Deliberately absent: random faults. A test says which call meets which fault.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::records::{Change, Envelope, Position, Record, Revision, TenantId, TenantSlug};
use crate::store::{Base, Commit, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};

/// A method of [`Store`].
///
/// ```
/// use rolecall::store::conformance::Call;
///
/// assert_eq!(Call::ALL.len(), 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Find, Self::List, Self::Load, Self::Commit, Self::Since];
}

/// A fault that a [`FaultyStore`] plays in a call.
///
/// ```
/// use rolecall::store::conformance::Fault;
///
/// assert!(Fault::ALL.contains(&Fault::ResponseLost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The store does nothing and returns `Unavailable`.
    Unavailable,
    /// The request is lost. A commit returns `InDoubt`, a read `Unavailable`.
    RequestLost,
    /// The call is executed and its response is lost. A commit returns `InDoubt`, a read `Unavailable`.
    ResponseLost,
    /// A driver executes the call twice and returns the second answer.
    SentTwice,
    /// A commit returns `InDoubt` at once. It is executed just before the n-th later call. A read behaves as with
    /// [`Fault::RequestLost`].
    CommitsAfter(u8),
    /// `Conflict` without a concurrent commit: it names the revision of the base.
    Conflict,
    /// `TooLarge`.
    TooLarge,
    /// `Corrupt`.
    Corrupt,
    /// `UnsupportedRecord`.
    UnsupportedRecord,
    /// `Deleted`, although the tenant exists.
    Deleted,
    /// `TooOld` from [`Store::since`]; from other calls, as [`Fault::Unavailable`].
    TooOld,
    /// An answer that breaks the contract: a commit that made revision 0, a load with the position of another tenant, a
    /// wrong revision in the history.
    InvalidAnswer,
    /// The call panics before it reaches the store.
    PanicsBefore,
    /// The call is executed and panics.
    PanicsAfter,
    /// The call hangs before it reaches the store, until its future is dropped.
    HangsBefore,
    /// The call is executed and hangs until its future is dropped.
    HangsAfter,
}

impl Fault {
    /// Every fault; of [`Fault::CommitsAfter`], the first three.
    pub const ALL: [Self; 18] = [
        Self::Unavailable,
        Self::RequestLost,
        Self::ResponseLost,
        Self::SentTwice,
        Self::CommitsAfter(1),
        Self::CommitsAfter(2),
        Self::CommitsAfter(3),
        Self::Conflict,
        Self::TooLarge,
        Self::Corrupt,
        Self::UnsupportedRecord,
        Self::Deleted,
        Self::TooOld,
        Self::InvalidAnswer,
        Self::PanicsBefore,
        Self::PanicsAfter,
        Self::HangsBefore,
        Self::HangsAfter,
    ];
}

type AlterLoad = dyn FnMut(&mut Vec<Record>, &mut Position) + Send;
type AlterHistory = dyn FnMut(&mut Vec<StoredCommit>) + Send;

/// The faults to come and the calls that were made.
#[derive(Default)]
struct Script {
    next: VecDeque<(Call, Option<Fault>)>,
    every: Vec<(Call, Fault)>,
    alter_load: Option<Box<AlterLoad>>,
    alter_history: Option<Box<AlterHistory>>,
    delayed: Vec<(u8, DelayedCommit)>,
    calls: Vec<Call>,
}

/// A commit that is executed some calls later.
struct DelayedCommit {
    base: Base,
    envelope: Envelope,
    changes: Vec<Change>,
}

/// A store that passes every call on to another store and plays the faults that a test asks for.
///
/// A clone is another connection with the same faults to come.
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::MemoryStore;
/// use rolecall::store::conformance::{Call, Fault, FaultyStore};
///
/// let store = FaultyStore::new(MemoryStore::default());
/// let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")?;
/// store.fail_next(Call::Commit, Fault::ResponseLost);
/// acme.update(|tx| tx.create_user("alice")?.done())?; // the library finds it in the history
/// assert!(acme.now().user("alice").is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct FaultyStore<S> {
    inner: S,
    script: Arc<Mutex<Script>>,
}

impl<S> FaultyStore<S> {
    /// Returns a store that plays no fault yet.
    ///
    /// ```
    /// # use rolecall::store::{MemoryStore, Store, conformance::FaultyStore};
    /// let store = FaultyStore::new(MemoryStore::default());
    /// assert!(pollster::block_on(store.list(None, 10)).is_ok());
    /// ```
    pub fn new(inner: S) -> Self {
        Self { inner, script: Arc::default() }
    }

    /// Returns the store that receives the calls.
    ///
    /// ```
    /// # use rolecall::store::{MemoryStore, conformance::FaultyStore};
    /// let store = FaultyStore::new(MemoryStore::default());
    /// let without_faults: MemoryStore = store.inner().clone();
    /// ```
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Injects this fault into the next call of this method. Faults queue: two requests concern the next two calls.
    ///
    /// ```
    /// # use rolecall::store::conformance::{Call, Fault, FaultyStore};
    /// # use rolecall::store::{MemoryStore, Store};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let list = || pollster::block_on(store.list(None, 10));
    /// store.fail_next(Call::List, Fault::Unavailable);
    /// assert!(list().is_err());
    /// assert!(list().is_ok());
    /// ```
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.script().next.push_back((call, Some(fault)));
    }

    /// Injects no fault into the next call of this method that has none queued.
    ///
    /// ```
    /// # use rolecall::store::conformance::{Call, Fault, FaultyStore};
    /// # use rolecall::store::{MemoryStore, Store};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let list = || pollster::block_on(store.list(None, 10));
    /// store.fail_every(Call::List, Fault::Unavailable);
    /// store.pass_next(Call::List);
    /// assert!(list().is_ok());
    /// assert!(list().is_err());
    /// ```
    pub fn pass_next(&self, call: Call) {
        self.script().next.push_back((call, None));
    }

    /// Injects this fault into every call of this method that has none queued, until [`FaultyStore::clear_faults`].
    ///
    /// ```
    /// # use rolecall::store::conformance::{Call, Fault, FaultyStore};
    /// # use rolecall::store::{MemoryStore, Store};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let list = || pollster::block_on(store.list(None, 10));
    /// store.fail_every(Call::List, Fault::Unavailable);
    /// assert!(list().is_err());
    /// assert!(list().is_err());
    /// ```
    pub fn fail_every(&self, call: Call, fault: Fault) {
        self.script().every.push((call, fault));
    }

    /// Passes the records and position of every load through this function, until [`FaultyStore::clear_faults`].
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # use rolecall::records::RecordKind;
    /// # use rolecall::store::{MemoryStore, conformance::FaultyStore};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let open = || Authorizer::builder().store(store.clone()).build();
    /// # let acme = open().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// store.alter_loads(|records, _| records.retain(|record| record.kind() != RecordKind::User));
    /// assert!(open().tenant("acme")?.now().user("alice").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn alter_loads(&self, alter: impl FnMut(&mut Vec<Record>, &mut Position) + Send + 'static) {
        self.script().alter_load = Some(Box::new(alter));
    }

    /// Passes the commits that [`Store::since`] returns through this function, until [`FaultyStore::clear_faults`].
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # use rolecall::store::{MemoryStore, conformance::FaultyStore};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let open = || Authorizer::builder().store(store.clone()).build();
    /// # let acme = open().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// store.alter_histories(Vec::clear);
    /// open().tenant("acme")?.update(|tx| tx.create_user("bob")?.done())?; // another process
    /// acme.refresh()?;
    /// assert!(acme.now().user("bob").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn alter_histories(&self, alter: impl FnMut(&mut Vec<StoredCommit>) + Send + 'static) {
        self.script().alter_history = Some(Box::new(alter));
    }

    /// Plays no more faults. A commit that [`Fault::CommitsAfter`] delayed is still executed.
    ///
    /// ```
    /// # use rolecall::store::conformance::{Call, Fault, FaultyStore};
    /// # use rolecall::store::{MemoryStore, Store};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let list = || pollster::block_on(store.list(None, 10));
    /// store.fail_every(Call::List, Fault::Unavailable);
    /// store.clear_faults();
    /// assert!(list().is_ok());
    /// ```
    pub fn clear_faults(&self) {
        let mut script = self.script();
        script.next.clear();
        script.every.clear();
        (script.alter_load, script.alter_history) = (None, None);
    }

    /// Returns the calls since the last request, in order.
    ///
    /// ```
    /// # use rolecall::store::conformance::{Call, FaultyStore};
    /// # use rolecall::store::{MemoryStore, Store};
    /// # let store = FaultyStore::new(MemoryStore::default());
    /// # let list = || pollster::block_on(store.list(None, 10));
    /// list()?;
    /// assert_eq!(store.take_calls(), [Call::List]);
    /// assert!(store.take_calls().is_empty());
    /// # Ok::<(), rolecall::store::StoreError>(())
    /// ```
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.script().calls)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, call: Call) -> Option<Fault> {
        let mut script = self.script();
        script.calls.push(call);
        if let Some(index) = script.next.iter().position(|(of, _)| *of == call) {
            return script.next.remove(index).and_then(|(_, fault)| fault);
        }
        script.every.iter().rev().find(|(of, _)| *of == call).map(|(_, fault)| *fault)
    }
}

impl<S: Store + Clone> FaultyStore<S> {
    /// Executes a read under a fault that concerns all reads in the same way.
    async fn read<T: Send, A: Future<Output = Result<T, StoreError>> + Send>(
        &self,
        fault: Option<Fault>,
        execute: impl Fn() -> A + Send + Sync,
    ) -> Result<T, StoreError> {
        match fault {
            None => execute().await,
            Some(Fault::ResponseLost) => execute().await.and_then(|_| unavailable()),
            Some(Fault::SentTwice) => {
                drop(execute().await);
                execute().await
            }
            Some(Fault::PanicsAfter) => {
                drop(execute().await);
                panicking()
            }
            Some(Fault::HangsAfter) => {
                drop(execute().await);
                pending().await
            }
            Some(fault) => answer_without_store(fault).await,
        }
    }

    async fn execute_delayed(&self) {
        let due: Vec<(u8, DelayedCommit)> = {
            let delayed = &mut self.script().delayed;
            for (calls, _) in &mut *delayed {
                *calls = calls.saturating_sub(1);
            }
            let (due, remaining) = std::mem::take(delayed).into_iter().partition(|(calls, _)| *calls == 0);
            *delayed = remaining;
            due
        };
        for (_, DelayedCommit { base, envelope, changes }) in &due {
            drop(self.inner.commit(Commit { base: *base, envelope, changes }).await);
        }
    }
}

/// Loads all records of a tenant.
async fn load_all(store: &impl Store, tenant_id: TenantId) -> Result<Option<(Vec<Record>, Position)>, StoreError> {
    let mut records = Vec::new();
    let at = store.load(tenant_id, &mut records).await?;
    Ok(at.map(|at| (records, at)))
}

/// The answer of a call that does not reach the store.
async fn answer_without_store<T>(fault: Fault) -> Result<T, StoreError> {
    match fault {
        Fault::TooLarge => Err(StoreError::too_large("injected fault")),
        Fault::Corrupt | Fault::InvalidAnswer => Err(StoreError::corrupt("injected fault")),
        Fault::UnsupportedRecord => Err(StoreError::unsupported_record("injected fault")),
        Fault::Deleted => Err(StoreError::Deleted),
        Fault::Conflict => Err(StoreError::Conflict { actual: Revision::FIRST }),
        Fault::PanicsBefore | Fault::PanicsAfter => panicking(),
        Fault::HangsBefore | Fault::HangsAfter => pending().await,
        _ => unavailable(),
    }
}

fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::unavailable("injected fault"))
}

fn in_doubt<T>() -> Result<T, StoreError> {
    Err(StoreError::in_doubt("injected fault"))
}

#[expect(clippy::panic, reason = "the test asked for a panic")]
fn panicking<T>() -> Result<T, StoreError> {
    panic!("the test asked this store to panic");
}

impl<S: Store + Clone> Store for FaultyStore<S> {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let fault = self.meet(Call::Find);
        self.execute_delayed().await;
        self.read(fault, || self.inner.find(slug)).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let fault = self.meet(Call::List);
        self.execute_delayed().await;
        self.read(fault, || self.inner.list(after, limit)).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let fault = self.meet(Call::Load);
        self.execute_delayed().await;
        let fault_of_read = fault.filter(|fault| *fault != Fault::InvalidAnswer);
        let Some((mut records, mut at)) = self.read(fault_of_read, || load_all(&self.inner, tenant_id)).await? else {
            return Ok(None);
        };
        if fault == Some(Fault::InvalidAnswer) {
            at.tenant_id = TenantId::random();
        }
        if let Some(alter) = &mut self.script().alter_load {
            alter(&mut records, &mut at);
        }
        for record in records {
            sink.push(record).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let fault = self.meet(Call::Commit);
        self.execute_delayed().await;
        match fault {
            None => self.inner.commit(commit).await,
            Some(Fault::RequestLost) => in_doubt(),
            Some(Fault::ResponseLost) => self.inner.commit(commit).await.and_then(|_| in_doubt()),
            Some(Fault::SentTwice) => {
                drop(self.inner.commit(commit).await);
                self.inner.commit(commit).await
            }
            Some(Fault::CommitsAfter(calls)) => {
                let (envelope, changes) = (commit.envelope.clone(), commit.changes.to_vec());
                self.script().delayed.push((calls, DelayedCommit { base: commit.base, envelope, changes }));
                in_doubt()
            }
            Some(Fault::Conflict) => {
                let actual = match commit.base {
                    Base::Create(_) => Revision::FIRST,
                    Base::At(at) => at.revision,
                };
                Err(StoreError::Conflict { actual })
            }
            Some(Fault::InvalidAnswer) => self.inner.commit(commit).await.map(|_| Revision::new(0)),
            Some(Fault::PanicsAfter) => {
                drop(self.inner.commit(commit).await);
                panicking()
            }
            Some(Fault::HangsAfter) => {
                drop(self.inner.commit(commit).await);
                pending().await
            }
            Some(fault) => answer_without_store(fault).await,
        }
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let fault = self.meet(Call::Since);
        self.execute_delayed().await;
        let since = match fault {
            Some(Fault::TooOld) => return Ok(Since::TooOld),
            Some(Fault::Deleted) => return Ok(Since::Deleted),
            Some(Fault::InvalidAnswer) => self.inner.since(at).await?,
            fault => self.read(fault, || self.inner.since(at)).await?,
        };
        let Since::Commits(mut commits) = since else { return Ok(since) };
        if fault == Some(Fault::InvalidAnswer) {
            for commit in &mut commits {
                commit.revision = Revision::new(commit.revision.number() + 7);
            }
        }
        if let Some(alter) = &mut self.script().alter_history {
            alter(&mut commits);
        }
        Ok(Since::Commits(commits))
    }
}

impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").finish_non_exhaustive()
    }
}
