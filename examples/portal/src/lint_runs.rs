//! The lint reads every name of a tenant, so it takes longer for a large tenant than a page may. It runs in the background,
//! once for each revision, and the page shows the last result meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rolecall::records::{Revision, TenantId};
use rolecall::review::Finding;
use rolecall::{Snapshot, Timestamp};

/// So many findings of one run at most are kept.
pub const MOST_FINDINGS: usize = 2_000;

/// A request waits so long for a run. A small tenant is ready by then.
const MOST_WAIT: Duration = Duration::from_millis(50);

/// A result is made again after this time, because windows have ended meanwhile.
const MOST_AGE: Duration = Duration::from_secs(600);

/// The results of so many tenants at most are kept.
const MOST_TENANTS: usize = 100;

/// The findings of a run.
#[derive(Debug)]
pub struct LintResult {
    /// The revision that was judged.
    pub revision: Revision,
    /// When it was judged.
    pub at: Timestamp,
    /// The findings, at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
}

#[derive(Debug, Default)]
struct Run {
    result: Option<Arc<LintResult>>,
    is_running: bool,
}

/// The last result of each tenant. A clone refers to the same.
#[derive(Clone, Debug, Default)]
pub struct LintRuns(Arc<Mutex<HashMap<TenantId, Run>>>);

impl LintRuns {
    /// Returns the last result, which may be of an older revision, or `None` if the first run is not ready yet. Starts a run
    /// if the result is old and none is under way.
    pub async fn latest(&self, tenant: TenantId, snapshot: Snapshot, at: Timestamp) -> Option<Arc<LintResult>> {
        let revision = snapshot.revision();
        {
            let mut runs = self.lock();
            if runs.len() >= MOST_TENANTS && !runs.contains_key(&tenant) {
                runs.retain(|_, run| run.is_running);
            }
            let run = runs.entry(tenant).or_default();
            let is_current =
                |result: &Arc<LintResult>| result.revision == revision && at < result.at.saturating_add(MOST_AGE);
            if run.is_running || run.result.as_ref().is_some_and(is_current) {
                return run.result.clone();
            }
            run.is_running = true;
        }
        let runs = self.clone();
        let task = tokio::spawn(async move {
            let lint = move || snapshot.at(at).lint().take(MOST_FINDINGS).collect::<Vec<_>>();
            let findings = tokio::task::spawn_blocking(lint).await;
            let mut runs = runs.lock();
            let run = runs.entry(tenant).or_default();
            run.is_running = false;
            if let Ok(findings) = findings {
                run.result = Some(Arc::new(LintResult { revision, at, findings }));
            }
        });
        // The task goes on if it is not waited for.
        drop(tokio::time::timeout(MOST_WAIT, task).await);
        self.lock().get(&tenant).and_then(|run| run.result.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Run>> {
        // Each critical section leaves a valid map, even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
