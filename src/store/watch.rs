//! Watch: hints that some tenant has a newer revision, so that followers need not wait for their next poll.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::dyn_store::Answer;
use super::{Store, StoreError};
use crate::model::records::{Revision, TenantId};

/// A store that reports when tenants change.
///
/// The capability is optional, and nothing depends on it for correctness. A hint says when to look, and does not
/// contain the changes. Followers poll, too ([`Authorizer::follow`](crate::Authorizer::follow)).
///
/// # Contract
/// | | clause |
/// |---|---|
/// | W1 | A hint about a revision comes after that revision is visible (S5). |
/// | W2 | Once [`watch`](Self::watch) has returned, each commit on every connection leads to a hint about its tenant, with its revision or a later one. Otherwise it leads to [`Hint::Lost`] or to an error. A deletion is a commit too. |
/// | W3 | Dropping the future of [`Hints::next`] loses no hint. |
/// | W4 | Each [`Hints`] gets all hints. |
/// | W5 | Commits never wait for those who watch. |
///
/// A store that cannot keep W2 in its present surroundings returns an error from `watch`. A link that is cut without
/// notice may lose hints. That is not a breach: the next poll finds the changes.
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::{Hint, Hints, MemoryStore, Watch};
///
/// let store = MemoryStore::default();
/// let mut hints = pollster::block_on(store.watch())?;
/// let acme = Authorizer::builder().store(store).build().create_tenant("acme", "Acme")?;
/// let hint = pollster::block_on(hints.next())?;
/// assert_eq!(hint, Hint::Moved { tenant_id: acme.tenant_id(), revision: acme.revision() });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Watch: Store {
    /// The hints of this store.
    type Hints: Hints;

    /// Begins to watch all tenants. Dropping the returned value ends the watch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot be reached, or cannot send hints to this process.
    fn watch(&self) -> impl Future<Output = Result<Self::Hints, StoreError>> + Send;
}

impl<S: Watch> Watch for Arc<S> {
    type Hints = S::Hints;

    async fn watch(&self) -> Result<S::Hints, StoreError> {
        (**self).watch().await
    }
}

/// The hints that [`Watch::watch`] returns.
///
/// ```
/// use rolecall::store::{Hint, Hints, StoreError};
///
/// async fn print(mut hints: impl Hints) -> Result<(), StoreError> {
///     loop {
///         match hints.next().await? {
///             Hint::Moved { tenant_id, revision } => println!("{tenant_id} has revision {revision}"),
///             Hint::Lost => println!("some tenants have newer revisions"),
///         }
///     }
/// }
/// ```
pub trait Hints: Send + 'static {
    /// Waits for the next hint.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the link to the store is lost. No more hints come: call [`Watch::watch`] again.
    fn next(&mut self) -> impl Future<Output = Result<Hint, StoreError>> + Send;
}

/// [`Watch`] for use behind an `Arc<dyn DynWatch>`.
pub(crate) trait DynWatch: Send + Sync {
    fn watch(&self) -> Answer<'_, Box<dyn DynHints>>;
}

/// [`Hints`] for use behind a `Box<dyn DynHints>`.
pub(crate) trait DynHints: Send {
    fn next(&mut self) -> Answer<'_, Hint>;
}

impl<S: Watch> DynWatch for S {
    fn watch(&self) -> Answer<'_, Box<dyn DynHints>> {
        Box::pin(async {
            let hints: Box<dyn DynHints> = Box::new(Watch::watch(self).await?);
            Ok(hints)
        })
    }
}

impl<H: Hints> DynHints for H {
    fn next(&mut self) -> Answer<'_, Hint> {
        Box::pin(Hints::next(self))
    }
}

/// A message of a store about newer revisions.
///
/// ```
/// use rolecall::records::{Revision, TenantId};
/// use rolecall::store::Hint;
///
/// let hint = Hint::Moved { tenant_id: TenantId::random(), revision: Revision::new(7) };
/// assert_ne!(hint, Hint::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// The tenant has this revision, or a later one.
    Moved {
        /// The tenant.
        tenant_id: TenantId,
        /// Its revision. The deletion of a tenant is the revision after its last state.
        revision: Revision,
    },
    /// Hints were lost: any tenant may have moved.
    Lost,
}

/// The tenants that one receiver has not heard of yet. More than these become [`Hint::Lost`].
const MOST_WAITING: usize = 1_024;

/// Sends hints to all who watch a store of this process. A clone sends to the same receivers.
#[derive(Clone, Default)]
pub(super) struct HintSender(Arc<Mutex<Vec<Weak<Mutex<Waiting>>>>>);

#[derive(Default)]
struct Waiting {
    moved: BTreeMap<TenantId, Revision>,
    has_lost: bool,
    waker: Option<Waker>,
}

/// The hints of the stores of this crate.
///
/// ```
/// use rolecall::store::{LocalHints, MemoryStore, Watch};
///
/// let hints: LocalHints = pollster::block_on(MemoryStore::default().watch())?;
/// # drop(hints);
/// # Ok::<(), rolecall::store::StoreError>(())
/// ```
pub struct LocalHints(Arc<Mutex<Waiting>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No critical section leaves a value half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HintSender {
    pub(super) fn watch(&self) -> LocalHints {
        let waiting = Arc::default();
        lock(&self.0).push(Arc::downgrade(&waiting));
        LocalHints(waiting)
    }

    /// Notifies all watchers. A waker runs code of the executor, so no lock is held while one is called or dropped.
    pub(super) fn send(&self, tenant_id: TenantId, revision: Revision) {
        let receivers: Vec<_> = {
            let mut receivers = lock(&self.0);
            if receivers.is_empty() {
                return;
            }
            receivers.retain(|receiver| receiver.strong_count() > 0);
            receivers.iter().filter_map(Weak::upgrade).collect()
        };
        for receiver in receivers {
            let waker = {
                let mut waiting = lock(&receiver);
                waiting.add(tenant_id, revision);
                waiting.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, tenant_id: TenantId, revision: Revision) {
        if self.moved.len() >= MOST_WAITING && !self.moved.contains_key(&tenant_id) {
            self.moved.clear();
            self.has_lost = true;
            return;
        }
        let latest = self.moved.entry(tenant_id).or_insert(revision);
        *latest = revision.max(*latest);
    }

    fn take(&mut self) -> Option<Hint> {
        if std::mem::take(&mut self.has_lost) {
            return Some(Hint::Lost);
        }
        self.moved.pop_first().map(|(tenant_id, revision)| Hint::Moved { tenant_id, revision })
    }
}

impl LocalHints {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Hint> {
        let waker = cx.waker().clone();
        let earlier = {
            let mut waiting = lock(&self.0);
            if let Some(hint) = waiting.take() {
                return Poll::Ready(hint);
            }
            waiting.waker.replace(waker)
        };
        drop(earlier);
        Poll::Pending
    }
}

impl Hints for LocalHints {
    async fn next(&mut self) -> Result<Hint, StoreError> {
        Ok(poll_fn(|cx| self.poll(cx)).await)
    }
}

impl fmt::Debug for HintSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HintSender").finish_non_exhaustive()
    }
}

impl fmt::Debug for LocalHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHints").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_falls_behind_learns_that_it_lost_hints() {
        let sender = HintSender::default();
        let hints = sender.watch();
        for _ in 0..=MOST_WAITING {
            sender.send(TenantId::random(), Revision::FIRST);
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(hints.poll(&mut cx), Poll::Ready(Hint::Lost));
        assert!(hints.poll(&mut cx).is_pending());
    }

    #[test]
    fn hints_about_one_tenant_become_one_and_a_dropped_receiver_is_forgotten() {
        let (sender, tenant_id) = (HintSender::default(), TenantId::random());
        let (hints, dropped) = (sender.watch(), sender.watch());
        drop(dropped);
        for revision in [3, 5, 4] {
            sender.send(tenant_id, Revision::new(revision));
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(hints.poll(&mut cx), Poll::Ready(Hint::Moved { tenant_id, revision: Revision::new(5) }));
        assert!(hints.poll(&mut cx).is_pending());
        assert_eq!(lock(&sender.0).len(), 1);
    }
}
