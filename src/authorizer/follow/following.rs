//! The future of a follower: a list of things that are under way, and what to do when one of them ends.

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use super::Follower;
use super::retries::Retries;
use crate::authorizer::staleness::AskedAt;
use crate::authorizer::store_error::store_error;
use crate::authorizer::telemetry::FollowerEvent;
use crate::authorizer::tenant::Inner;
use crate::model::error::{ErrorKind, Result};
use crate::model::records::{Position, Revision, TenantId};
use crate::resolver::snapshot::Availability;
use crate::store::{DynHints, Hint, StoreError};

/// How many tenants one call to the store asks for.
const MOST_ASKED: usize = 10_000;

/// How many tenants are refreshed at a time.
const MOST_REFRESHES: usize = 64;

/// How long a poll waits for the store. A store that does not answer must not stop the follower for ever.
const POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest pause after polls that failed, unless the interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest pause before the store is watched again.
const LONGEST_WATCH_PAUSE: Duration = Duration::from_secs(60);

/// A future that ends with a completion.
type Underway = Pin<Box<dyn Future<Output = Completion> + Send>>;

/// The end of something that was under way.
enum Completion {
    PollIsDue,
    WatchIsDue,
    Polled(Box<Polled>),
    Watching(Result<Box<dyn DynHints>, StoreError>),
    Hinted(Box<dyn DynHints>, Result<Hint, StoreError>),
    Refreshed(TenantId, Result<()>),
}

/// The answer to a poll.
struct Polled {
    asked: AskedAt,
    /// The tenants, and the positions that they had before the call.
    tenants: Vec<(Weak<Inner>, Position)>,
    answer: Result<Vec<Option<Position>>, StoreError>,
}

pub(super) struct Following {
    follower: Follower,
    underway: Vec<Underway>,
    /// How many polls are under way, and how many failed since the last one that did not.
    polls: usize,
    failed_polls: u32,
    /// Whether the pause before the next poll is under way.
    is_pausing: bool,
    failed_watches: u32,
    due: Refreshes,
    refreshing: HashSet<TenantId>,
    /// The news of polls and hints about the tenants that are being refreshed.
    due_again: Refreshes,
    retries: Retries,
}

/// The tenants to refresh, and the revision that is enough; `None` for a refresh in any case.
type Refreshes = BTreeMap<TenantId, Option<Revision>>;

impl Following {
    pub(super) fn new(follower: Follower) -> Self {
        Self {
            follower,
            underway: Vec::new(),
            polls: 0,
            failed_polls: 0,
            is_pausing: false,
            failed_watches: 0,
            due: Refreshes::new(),
            refreshing: HashSet::new(),
            due_again: Refreshes::new(),
            retries: Retries::default(),
        }
    }

    pub(super) async fn run(mut self) {
        self.start_poll();
        self.start_watch();
        // Without an authorizer, nothing may be under way, and nothing would end the wait.
        while !self.has_no_authorizer() {
            let completion = self.next_completion().await;
            if self.has_no_authorizer() {
                return;
            }
            self.take_in(completion);
            self.start_refreshes();
        }
    }

    fn has_no_authorizer(&self) -> bool {
        self.follower.registry.strong_count() == 0
    }

    /// Waits until something ends. The last entry of the list takes the place of the one that ended, so every entry is
    /// polled.
    fn next_completion(&mut self) -> impl Future<Output = Completion> + '_ {
        poll_fn(|cx| {
            for place in 0..self.underway.len() {
                let Some(future) = self.underway.get_mut(place) else { break };
                if let Poll::Ready(completion) = future.as_mut().poll(cx) {
                    drop(self.underway.swap_remove(place));
                    return Poll::Ready(completion);
                }
            }
            Poll::Pending
        })
    }

    fn take_in(&mut self, completion: Completion) {
        match completion {
            Completion::PollIsDue => {
                self.is_pausing = false;
                self.retries.next_round();
                self.start_poll();
            }
            Completion::Polled(polled) => self.polled(*polled),
            Completion::WatchIsDue => self.start_watch(),
            Completion::Watching(Ok(hints)) => {
                self.failed_watches = 0;
                self.follower.record(FollowerEvent::Watching);
                self.wait_for_hint(hints);
                // Finds the commits that were made before the watch began.
                self.poll_now();
            }
            Completion::Hinted(hints, Ok(hint)) => {
                self.hinted(hint);
                self.wait_for_hint(hints);
            }
            Completion::Watching(Err(error)) | Completion::Hinted(_, Err(error)) => self.watch_failed(error),
            Completion::Refreshed(tenant_id, result) => self.refreshed(tenant_id, result),
        }
    }
}

/// Polls.
impl Following {
    /// Asks the store for the positions of all open tenants.
    fn start_poll(&mut self) {
        let Some(registry) = self.follower.registry.upgrade() else { return };
        let open = registry.all_open();
        self.polls += 1;
        let ids: Vec<TenantId> = open.iter().map(|inner| inner.tenant_id).collect();
        let position = |inner: &Arc<Inner>| (Arc::downgrade(inner), inner.current.guard().position);
        let tenants: Vec<_> = open.iter().map(position).collect();
        drop(open);
        let asked = self.follower.staleness.asked();
        let (store, timeout) = (Arc::clone(&self.follower.positions), self.follower.sleep(POLL_TIMEOUT));
        let ask = async move {
            let mut all = Vec::with_capacity(ids.len());
            for ids in ids.chunks(MOST_ASKED) {
                let found = store.positions(ids).await?;
                if found.len() != ids.len() {
                    let lengths = format!("P1: {} positions for {} tenants", found.len(), ids.len());
                    return Err(StoreError::corrupt(lengths));
                }
                all.extend(found);
            }
            Ok(all)
        };
        self.underway.push(Box::pin(async move {
            let answer = either(Box::pin(catching(ask)), timeout).await;
            let answer = answer.unwrap_or_else(|| {
                Err(StoreError::unavailable(format!("the store did not return positions within {POLL_TIMEOUT:?}")))
            });
            Completion::Polled(Box::new(Polled { asked, tenants, answer }))
        }));
    }

    /// Polls without a pause, and without delaying the next poll.
    fn poll_now(&mut self) {
        // A poll that is under way may have asked too early, so a second one is started. There are no more at once, so that a
        // store which does not answer gets no more calls. The next regular poll follows them.
        if self.polls < 2 {
            self.start_poll();
        }
    }

    fn polled(&mut self, polled: Polled) {
        let Polled { asked, tenants, answer } = polled;
        self.polls = self.polls.saturating_sub(1);
        match answer {
            Ok(positions) => {
                self.failed_polls = 0;
                self.follower.record(FollowerEvent::Polled(tenants.len()));
                for ((inner, before), found) in tenants.into_iter().zip(positions) {
                    if let Some(inner) = inner.upgrade() {
                        self.compare(&inner, before, found, asked);
                    }
                }
            }
            Err(error) => {
                self.failed_polls = self.failed_polls.saturating_add(1);
                tenants.iter().filter_map(|(inner, _)| inner.upgrade()).for_each(|inner| inner.refresh_failed());
                let error = store_error(error, "");
                self.follower.record(FollowerEvent::PollFailed(error.kind()));
                self.follower.report(&error);
            }
        }
        if self.polls == 0 && !self.is_pausing {
            self.is_pausing = true;
            let interval = self.follower.interval;
            let pause = doubled(interval, self.failed_polls, LONGEST_PAUSE.max(interval));
            self.after(pause, || Completion::PollIsDue);
        }
    }

    /// Refreshes a tenant if the store has another position than this process, or if the tenant is out of service.
    fn compare(&mut self, inner: &Arc<Inner>, before: Position, found: Option<Position>, asked: AskedAt) {
        let (present, availability) = {
            let present = inner.current.guard();
            (present.position, present.availability)
        };
        let Some(found) = found.filter(|found| found.tenant_id == inner.tenant_id) else {
            return self.refresh(inner.tenant_id, None);
        };
        inner.seen(found.revision);
        // A commit of this process may have been published since the store was asked.
        let is_passed = found.revision < present.revision && (found == before || before.revision < found.revision);
        let is_out_of_service =
            matches!(availability, Availability::InDoubt | Availability::InvalidContent | Availability::Broken);
        if found.revision > present.revision {
            self.refresh(inner.tenant_id, Some(found.revision));
        } else if is_out_of_service {
            self.refresh(inner.tenant_id, None);
        } else if found == present || is_passed {
            inner.is_confirmed(asked);
        } else {
            // The store went back in history: the refresh finds that out.
            self.refresh(inner.tenant_id, None);
        }
    }
}

/// Hints.
impl Following {
    fn start_watch(&mut self) {
        let Some(watch) = self.follower.watch.clone() else { return };
        self.underway
            .push(Box::pin(async move { Completion::Watching(catching(async { watch.watch().await }).await) }));
    }

    fn wait_for_hint(&mut self, hints: Box<dyn DynHints>) {
        self.underway.push(Box::pin(async move {
            let mut hints = hints;
            let hint = catching(async { hints.next().await }).await;
            Completion::Hinted(hints, hint)
        }));
    }

    fn hinted(&mut self, hint: Hint) {
        let Some(registry) = self.follower.registry.upgrade() else { return };
        let moved = match hint {
            Hint::Moved { tenant_id, revision } => Some((tenant_id, revision)),
            Hint::Lost => None,
        };
        self.follower.record(FollowerEvent::Hinted(moved));
        match hint {
            Hint::Lost => self.poll_now(),
            Hint::Moved { tenant_id, revision } => {
                // Only the store knows which revisions there are: in some databases, everybody can send a hint.
                if registry.open_tenant(tenant_id).is_some() {
                    self.refresh(tenant_id, Some(revision));
                }
            }
        }
    }

    fn watch_failed(&mut self, error: StoreError) {
        let pause = doubled(self.follower.interval, self.failed_watches, LONGEST_WATCH_PAUSE);
        self.failed_watches = self.failed_watches.saturating_add(1);
        let error = store_error(error, "").preceded_by("the link for hints failed, and the follower polls meanwhile");
        self.follower.record(FollowerEvent::WatchFailed(error.kind()));
        self.follower.report(&error);
        self.after(pause, || Completion::WatchIsDue);
    }
}

/// Refreshes.
impl Following {
    /// Asks for a refresh, unless an earlier one failed a short while ago.
    fn refresh(&mut self, tenant_id: TenantId, reached: Option<Revision>) {
        if !self.retries.may_try(tenant_id) {
            return;
        }
        let list = if self.refreshing.contains(&tenant_id) { &mut self.due_again } else { &mut self.due };
        let due = list.entry(tenant_id).or_insert(reached);
        *due = due.zip(reached).map(|(a, b)| a.max(b));
    }

    fn start_refreshes(&mut self) {
        let Some(registry) = self.follower.registry.upgrade() else { return };
        while self.refreshing.len() < MOST_REFRESHES {
            let Some((tenant_id, reached)) = self.due.pop_first() else { return };
            let Some(inner) = registry.open_tenant(tenant_id) else { continue };
            // The process may have committed that revision itself.
            if reached.is_some_and(|revision| inner.has_reached(revision)) {
                continue;
            }
            self.refreshing.insert(tenant_id);
            self.underway.push(Box::pin(async move {
                let refresh = catching(async { Ok(inner.catch_up(reached).await) }).await;
                Completion::Refreshed(tenant_id, refresh.unwrap_or_else(|error| Err(store_error(error, ""))))
            }));
        }
    }

    fn refreshed(&mut self, tenant_id: TenantId, result: Result<()>) {
        self.refreshing.remove(&tenant_id);
        match result {
            Err(error) if !matches!(error.kind(), ErrorKind::Closed | ErrorKind::Deleted) => {
                self.retries.failed(tenant_id);
                self.due_again.remove(&tenant_id);
                self.follower.report(&error);
            }
            Ok(()) | Err(_) => {
                self.retries.succeeded(tenant_id);
                if let Some(reached) = self.due_again.remove(&tenant_id) {
                    self.due.insert(tenant_id, reached);
                }
            }
        }
    }

    fn after(&mut self, pause: Duration, completion: fn() -> Completion) {
        let pause = self.follower.sleep(pause);
        self.underway.push(Box::pin(async move {
            pause.await;
            completion()
        }));
    }
}

/// The interval, doubled for each failure, up to the longest pause.
fn doubled(interval: Duration, failures: u32, longest: Duration) -> Duration {
    interval.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(longest)
}

/// Waits for an answer until the timeout ends.
async fn either<T>(
    mut answer: Pin<Box<impl Future<Output = T>>>,
    mut timeout: crate::authorizer::runtime::BoxFuture,
) -> Option<T> {
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => timeout.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Turns a panic of the store into an error. A future that panicked is never polled again, so no broken state is seen.
async fn catching<T>(future: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let mut future = Box::pin(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Err(StoreError::unavailable("the store panicked"))),
    })
    .await
}
