//! The numbers that an application reads and exports.

use std::fmt::Write as _;

use serde::Serialize;

use super::Authorizer;
use crate::resolver::snapshot::Availability;

/// Counters of an authorizer, and the state of its open tenants. See [`Authorizer::metrics`].
///
/// The first five are gauges, which show the present state. The others are counters, which start at zero and only rise.
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_user("alice")?.done())?;
///
/// let metrics = authorizer.metrics();
/// assert_eq!((metrics.open_tenants, metrics.commits, metrics.conflicts), (1, 2, 0));
/// assert_eq!(metrics.tenants_in_doubt + metrics.tenants_out_of_service, 0);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Open tenants.
    pub open_tenants: u64,
    /// Open tenants with a commit in doubt: every check on them is denied.
    pub tenants_in_doubt: u64,
    /// Open tenants on which every check is denied for another reason. Their content is invalid, they had an internal error,
    /// or the store has not confirmed their state within [`max_staleness`](crate::AuthorizerBuilder::max_staleness).
    pub tenants_out_of_service: u64,
    /// Open tenants whose last refresh has failed.
    pub tenants_not_refreshed: u64,
    /// How many revisions the store is known to be ahead, over all open tenants.
    pub revisions_behind: u64,
    /// Tenants that were loaded and opened.
    pub opens: u64,
    /// Tenants that could not be opened, including those that the store does not have any more.
    pub open_failures: u64,
    /// Commits of this authorizer that were applied, including the creations of tenants.
    pub commits: u64,
    /// Commits that the store refused or could not take. Nothing was changed.
    pub commit_failures: u64,
    /// Commits that conflicted with another writer's commit and were planned again.
    pub conflicts: u64,
    /// Commits that came into doubt.
    pub in_doubt: u64,
    /// Commits that are not in doubt any more.
    pub resolved: u64,
    /// Commits of other writers that were applied to open tenants.
    pub followed_commits: u64,
    /// Open tenants that were loaded again as a whole.
    pub reloads: u64,
    /// Failed attempts to apply the commits of other writers.
    pub refresh_failures: u64,
    /// Polls of [followers](crate::Authorizer::follow) that the store answered.
    pub polls: u64,
    /// Polls of followers that failed.
    pub poll_failures: u64,
    /// Hints that followers have received.
    pub hints: u64,
    /// How often followers could not watch the store, or lost the link for hints. They polled instead.
    pub watch_failures: u64,
}

impl Metrics {
    /// Returns the numbers in the text format of Prometheus, for an endpoint that Prometheus scrapes.
    ///
    /// The names begin with `rolecall_`; those of counters end with `_total`. Only numbers are in the text: no name of a
    /// tenant or user.
    ///
    /// ```
    /// let text = rolecall::Authorizer::in_memory().metrics().to_prometheus();
    /// assert!(text.contains("# TYPE rolecall_commits_total counter\nrolecall_commits_total 0\n"));
    /// assert!(text.contains("# TYPE rolecall_open_tenants gauge\nrolecall_open_tenants 0\n"));
    /// ```
    pub fn to_prometheus(&self) -> String {
        let gauges = [
            ("open_tenants", "Open tenants.", self.open_tenants),
            ("tenants_in_doubt", "Open tenants with a commit in doubt.", self.tenants_in_doubt),
            ("tenants_out_of_service", "Open tenants that deny every check.", self.tenants_out_of_service),
            ("tenants_not_refreshed", "Open tenants whose last refresh failed.", self.tenants_not_refreshed),
            ("revisions_behind", "Revisions that the store is known to be ahead.", self.revisions_behind),
        ];
        let counters = [
            ("opens", "Tenants opened.", self.opens),
            ("open_failures", "Tenants not opened.", self.open_failures),
            ("commits", "Commits applied.", self.commits),
            ("commit_failures", "Commits refused.", self.commit_failures),
            ("conflicts", "Commits that met another writer.", self.conflicts),
            ("in_doubt", "Commits that came into doubt.", self.in_doubt),
            ("resolved", "Commits in doubt that were resolved.", self.resolved),
            ("followed_commits", "Commits of other writers applied.", self.followed_commits),
            ("reloads", "Open tenants loaded again.", self.reloads),
            ("refresh_failures", "Refreshes that failed.", self.refresh_failures),
            ("polls", "Polls of followers.", self.polls),
            ("poll_failures", "Polls of followers that failed.", self.poll_failures),
            ("hints", "Hints received by followers.", self.hints),
            ("watch_failures", "Links for hints that failed.", self.watch_failures),
        ];
        let mut text = String::new();
        for (name, help, value) in gauges {
            write_sample(&mut text, &format!("rolecall_{name}"), "gauge", help, value);
        }
        for (name, help, value) in counters {
            write_sample(&mut text, &format!("rolecall_{name}_total"), "counter", help, value);
        }
        text
    }
}

fn write_sample(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    // A `String` takes everything.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
}

impl Authorizer {
    /// Returns the counters of this authorizer, and the state of its open tenants. Clones of an authorizer count together.
    ///
    /// [`Metrics::to_prometheus`] exports it. [`Tenant::lag`](crate::Tenant::lag),
    /// [`Tenant::in_doubt`](crate::Tenant::in_doubt) and [`Tenant::revision`](crate::Tenant::revision) say the same of one
    /// tenant.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::in_memory();
    /// assert_eq!(authorizer.metrics().open_tenants, 0);
    /// ```
    ///
    /// # Complexity
    /// O(open tenants). The store is not called.
    pub fn metrics(&self) -> Metrics {
        let counters = &self.shared.counters;
        let mut metrics = Metrics {
            opens: counters.opens.get(),
            open_failures: counters.open_failures.get(),
            commits: counters.commits.get(),
            commit_failures: counters.commit_failures.get(),
            conflicts: counters.conflicts.get(),
            in_doubt: counters.in_doubt.get(),
            resolved: counters.resolved.get(),
            followed_commits: counters.followed_commits.get(),
            reloads: counters.reloads.get(),
            refresh_failures: counters.refresh_failures.get(),
            polls: counters.polls.get(),
            poll_failures: counters.poll_failures.get(),
            hints: counters.hints.get(),
            watch_failures: counters.watch_failures.get(),
            ..Metrics::default()
        };
        for tenant in self.open_tenants() {
            metrics.open_tenants += 1;
            match tenant.0.current.guard().availability {
                Availability::InDoubt => metrics.tenants_in_doubt += 1,
                Availability::InvalidContent | Availability::Broken | Availability::Unconfirmed => {
                    metrics.tenants_out_of_service += 1;
                }
                Availability::Serving | Availability::Closed | Availability::Deleted => {}
            }
            let lag = tenant.lag();
            metrics.tenants_not_refreshed += u64::from(lag.failed_refreshes > 0);
            metrics.revisions_behind = metrics.revisions_behind.saturating_add(lag.revisions);
        }
        metrics
    }
}
