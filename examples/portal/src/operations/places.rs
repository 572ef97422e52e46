//! Limits how many large changes are under way, and orders them.
//!
//! A change reserves a *place* before it begins, and keeps it until it has ended, whether its client waits or not. So there are
//! never more of them than there are places. Then it waits for its *turn*. Each tenant has one turn at a time, so a tenant
//! whose changes wait for its store does not hold up all others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::records::TenantId;
use rolecall_axum::Problem;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::joined;
use crate::state::{DirectoryAccount, Principal};

/// So many places.
pub(super) const MOST_PLACES: u32 = 200;

/// So many places of one user or directory at most, so nobody takes those of all others.
pub(super) const MOST_OF_ONE: usize = 10;

/// So many of these changes are made at a time. The others wait for their turn without a thread.
const MOST_AT_ONCE: usize = 2;

/// The owner of a large change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    User(Principal),
    Directory(DirectoryAccount),
}

impl Owner {
    fn tenant(&self) -> TenantId {
        match self {
            Self::User(principal) => principal.tenant,
            Self::Directory(account) => account.tenant,
        }
    }
}

/// All places. A clone refers to the same.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Semaphore,
    taken: Mutex<HashMap<Owner, usize>>,
    turns: Semaphore,
    /// The turn of each tenant that has a place.
    tenants: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
}

/// The place of one change. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    owner: Owner,
}

/// Why no place can be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The owner has as many as one may have.
    OfOne,
    /// All are taken, or the server is about to stop.
    OfAll,
}

impl Default for Places {
    fn default() -> Self {
        let free = Semaphore::new(usize::try_from(MOST_PLACES).unwrap_or(Semaphore::MAX_PERMITS));
        let turns = Semaphore::new(MOST_AT_ONCE);
        Self(Arc::new(Shared { free, taken: Mutex::default(), turns, tenants: Mutex::default() }))
    }
}

impl Places {
    /// Takes a place.
    pub(super) fn reserve(&self, owner: Owner) -> Result<Place, Full> {
        let mut taken = lock(&self.0.taken);
        let own = taken.get(&owner).copied().unwrap_or(0);
        if own >= MOST_OF_ONE {
            return Err(Full::OfOne);
        }
        // The place gives it back.
        self.0.free.try_acquire().map_err(|_| Full::OfAll)?.forget();
        taken.insert(owner.clone(), own + 1);
        Ok(Place { places: self.clone(), owner })
    }

    /// Waits until all places are free. None can be reserved meanwhile.
    pub(super) async fn all_free(&self) {
        drop(self.0.free.acquire_many(MOST_PLACES).await);
    }

    fn turn_of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = lock(&self.0.tenants);
        tenants.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = tenants.get(&tenant).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Semaphore::new(1));
        tenants.insert(tenant, Arc::downgrade(&turn));
        turn
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each critical section leaves a valid map, even after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    /// Does this on a thread of its own, when there is a turn. `None` if it has panicked, or the runtime has stopped it.
    pub(crate) async fn alone<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let of_tenant = self.places.turn_of(self.owner.tenant());
        // Nobody closes the semaphores. The turn of the tenant comes first, so a deletion that waits for it takes no turn
        // from others.
        let _of_tenant = of_tenant.acquire().await;
        let _turn = self.places.0.turns.acquire().await;
        let runtime = Handle::current();
        joined(tokio::task::spawn_blocking(move || runtime.block_on(work))).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.0.taken);
        match taken.get_mut(&self.owner) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.owner)),
        }
        drop(taken);
        self.places.0.free.add_permits(1);
    }
}

impl Full {
    /// The status, the code and the text of the answer.
    pub(crate) fn status(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::OfOne => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_operations",
                "too many of your large changes have not ended yet",
            ),
            Self::OfAll => (StatusCode::SERVICE_UNAVAILABLE, "busy", "too many large changes have not ended yet"),
        }
    }
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let (status, code, title) = self.status();
        let mut response = Problem::new(status, code, title).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::super::tests::{until, user};
    use super::*;

    fn reserve(places: &Places, tenant: u32, n: u32) -> Result<Place, Full> {
        places.reserve(Owner::User(user(tenant, n)))
    }

    #[tokio::test]
    async fn one_owner_and_all_have_so_many_places_and_a_dropped_one_is_free() {
        let places = Places::default();
        let mut taken: Vec<Place> = (0..MOST_OF_ONE).map(|_| reserve(&places, 1, 1).unwrap()).collect();
        assert_eq!(reserve(&places, 1, 1).unwrap_err(), Full::OfOne);
        for tenant in 1.. {
            let name = "okta".into();
            let directory = Owner::Directory(DirectoryAccount { tenant: user(tenant, 1).tenant, name });
            match places.reserve(directory).and_then(|place| Ok([place, reserve(&places, tenant, 2)?])) {
                Ok(more) => taken.extend(more),
                Err(full) => {
                    assert_eq!(full, Full::OfAll);
                    break;
                }
            }
        }
        assert_eq!(taken.len(), usize::try_from(MOST_PLACES).unwrap());
        assert_eq!(reserve(&places, 1, 1).unwrap_err(), Full::OfOne, "its own places are the nearer reason");
        taken.swap_remove(0);
        taken.push(reserve(&places, 1, 1).unwrap());
        assert!(timeout(Duration::from_millis(20), places.all_free()).await.is_err());
        taken.clear();
        timeout(Duration::from_secs(30), places.all_free()).await.unwrap();
        assert!(lock(&places.0.taken).is_empty());
    }

    #[tokio::test]
    async fn a_panic_frees_the_place_and_both_turns() {
        let places = Places::default();
        for _ in 0..=MOST_AT_ONCE {
            let place = reserve(&places, 1, 1).unwrap();
            assert_eq!(place.alone(async { panic!("a panic of the test") }).await, None::<()>);
        }
        timeout(Duration::from_secs(30), places.all_free()).await.unwrap();
    }

    #[tokio::test]
    async fn one_change_of_a_tenant_is_made_at_a_time_and_two_of_all() {
        let places = Places::default();
        let (mut gates, mut begun) = (Vec::new(), Vec::new());
        for tenant in [1, 1, 1, 2, 3] {
            let place = reserve(&places, tenant, 1).unwrap();
            let (open, gate) = oneshot::channel::<()>();
            let has_begun = Arc::new(AtomicBool::new(false));
            gates.push(Some(open));
            begun.push(has_begun.clone());
            tokio::spawn(async move {
                let work = async move {
                    has_begun.store(true, Ordering::SeqCst);
                    gate.await.unwrap();
                };
                place.alone(work).await
            });
            // It is in the queue before the next one.
            tokio::task::yield_now().await;
        }
        let states = || begun.iter().map(|begun| begun.load(Ordering::SeqCst)).collect::<Vec<_>>();
        for (opened, expected) in [
            (None, [true, false, false, true, false]),
            // The tenant that has waited longer is the next one.
            (Some(0), [true, false, false, true, true]),
            (Some(4), [true, true, false, true, true]),
            (Some(3), [true, true, false, true, true]),
            (Some(1), [true; 5]),
        ] {
            if let Some(opened) = opened {
                let gate: oneshot::Sender<()> = gates.get_mut(opened).and_then(Option::take).unwrap();
                gate.send(()).unwrap();
            }
            until(|| states() == expected).await;
            // The end waits for those without a turn, too, and none of them begins meanwhile.
            assert!(timeout(Duration::from_millis(20), places.all_free()).await.is_err());
            assert_eq!(states(), expected, "{opened:?}");
        }
        gates[2].take().unwrap().send(()).unwrap();
        timeout(Duration::from_secs(30), places.all_free()).await.unwrap();
        assert!(lock(&places.0.tenants).values().all(|turn| turn.strong_count() == 0));
    }
}
