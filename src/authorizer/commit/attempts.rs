//! The attempts of an update. Nothing here depends on the closure, so an application compiles it once and not for each of
//! its updates. The futures are boxed for the same reason.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::super::nested::reject_nested;
use super::super::tenant::Inner;
use super::super::write_queue::Turn;
use super::Attempt;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Position, Timestamp};
use crate::plan::Plan;
use crate::resolver::snapshot::CompiledTenant;

const NOT_CONFIRMED: &str = "the closure failed, perhaps on an old revision, and newer commits could not be read";

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// An update that has the turn.
pub(super) struct Attempts {
    inner: Arc<Inner>,
    turn: Turn,
    began: Timestamp,
    made: u32,
    /// The base of the present attempt.
    base: Position,
    /// A position that the store has reported as the latest since this update got its turn. The closure therefore sees a
    /// state that was the latest at some instant during the update.
    confirmed: Option<Position>,
}

pub(super) enum Progress {
    /// The plan is committed, or it has no effect on the latest revision.
    Done(Plan),
    /// Another writer was first: plan again.
    Again(Attempts),
}

impl Attempts {
    /// Waits for the turn, until the tenant is ready for a write.
    pub(super) fn begin(inner: &Arc<Inner>) -> Boxed<'_, Self> {
        Box::pin(async move {
            reject_nested()?;
            let turn = inner.turn().await?;
            let turn = inner.made_ready(turn).await?;
            let began = inner.shared.clock.now();
            inner.let_others_in(began).await?;
            let base = inner.current.guard().position;
            Ok(Self { inner: Arc::clone(inner), turn, began, made: 0, base, confirmed: None })
        })
    }

    /// Returns the state for the next attempt.
    pub(super) fn base(&mut self) -> Result<Arc<CompiledTenant>> {
        if self.made > self.inner.shared.retries {
            return Err(Error::new(ErrorKind::Conflict));
        }
        self.made += 1;
        let base = self.inner.current.load();
        self.base = base.position;
        Ok(base)
    }

    /// After an error of the closure. Returns `None` if the base was the latest state, so the error counts.
    pub(super) fn with_newer_base(mut self) -> Boxed<'static, Option<Self>> {
        Box::pin(async move {
            if self.confirmed == Some(self.base) {
                return Ok(None);
            }
            let latest = self.inner.latest().await.map_err(|error| error.preceded_by(NOT_CONFIRMED))?;
            if latest == self.base {
                return Ok(None);
            }
            self.confirmed = Some(latest);
            Ok(Some(self))
        })
    }

    /// Sends the plan of an attempt.
    pub(super) fn send(self, plan: Plan) -> Boxed<'static, Progress> {
        Box::pin(async move {
            if plan.is_empty() && self.confirmed == Some(self.base) {
                return Ok(Progress::Done(plan));
            }
            let Self { inner, turn, began, made, base, .. } = self;
            let sent = inner.shared.clock.now();
            let (turn, plan, attempt) = inner.push_to_the_end(turn, plan).await?;
            match attempt {
                Attempt::Done => {
                    inner.has_committed(&plan, sent);
                    Ok(Progress::Done(plan))
                }
                Attempt::Retry => {
                    inner.writable()?;
                    inner.write_state.pacing.met_others();
                    if has_passed(inner.shared.retry_timeout, began, inner.shared.clock.now()) {
                        return Err(Error::new(ErrorKind::Conflict));
                    }
                    let confirmed = Some(inner.current.guard().position);
                    Ok(Progress::Again(Self { inner, turn, began, made, base, confirmed }))
                }
            }
        })
    }
}

/// Whether this much time has passed between two instants. Never, if the clock goes back.
fn has_passed(duration: Duration, from: Timestamp, to: Timestamp) -> bool {
    from.saturating_add(duration) <= to
}
