//! The result of an update.

use std::fmt;

use crate::model::records::{Change, CommitId, Revision};
use crate::plan::{DescribedChange, Warning};
use crate::resolver::snapshot::Snapshot;

/// The result of an update.
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// let updated = acme.update(|tx| tx.create_user("alice")?.id())?;
/// assert_eq!(updated.revision, acme.revision());
/// assert_eq!(acme.now().user(updated.value).unwrap().key, "alice");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// It keeps the snapshots before and after the update in memory until it is dropped, for [`Updated::described`]. To keep
/// results for long, keep `changes`, or what `described` returns.
#[derive(Clone)]
pub struct Updated<T> {
    /// The result of the closure.
    pub value: T,
    /// The revision that contains the changes.
    pub revision: Revision,
    /// The id of the commit; `None` if there was nothing to change.
    pub commit: Option<CommitId>,
    /// The changes, ordered by the keys of the records; empty if there was nothing to change.
    pub changes: Vec<Change>,
    /// Probable mistakes in the changes. See [`Plan::warnings`](crate::Plan::warnings).
    pub warnings: Vec<Warning>,
    /// The snapshots before and after; `None` if there was nothing to change.
    pub(super) sides: Option<(Snapshot, Snapshot)>,
}

impl<T> Updated<T> {
    /// Returns the changes with the names of the entities before and after, in the order of `changes`: for a log, as text or
    /// as data.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let updated = acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_user("alice")?.join("staff")?.done()
    /// })?;
    /// let lines: Vec<String> = updated.described().map(|change| change.to_string()).collect();
    /// assert_eq!(lines, ["created group `staff`", "created user `alice`", "added membership of `alice` in `staff`"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Security
    /// The texts contain the keys of users, which are often e-mail addresses. A log with them is personal data.
    ///
    /// # Complexity
    /// Looks up the names of each change when it is asked for. An update itself costs nothing more.
    pub fn described(&self) -> impl Iterator<Item = DescribedChange> + '_ {
        let sides = self.sides.iter();
        sides.flat_map(|(before, after)| {
            self.changes.iter().map(move |change| DescribedChange::new(change, before, after))
        })
    }
}

impl Updated<()> {
    /// Returns the same result with the value of the closure.
    pub(crate) fn with_value<T>(self, value: T) -> Updated<T> {
        let Self { value: (), revision, commit, changes, warnings, sides } = self;
        Updated { value, revision, commit, changes, warnings, sides }
    }
}

/// Two results are equal if everything but their snapshots is.
impl<T: PartialEq> PartialEq for Updated<T> {
    fn eq(&self, other: &Self) -> bool {
        let Self { value, revision, commit, changes, warnings, sides: _ } = self;
        let same_commit = (*revision, *commit) == (other.revision, other.commit);
        same_commit && *value == other.value && *changes == other.changes && *warnings == other.warnings
    }
}

impl<T: Eq> Eq for Updated<T> {}

impl<T: fmt::Debug> fmt::Debug for Updated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updated")
            .field("value", &self.value)
            .field("revision", &self.revision)
            .field("commit", &self.commit)
            .field("changes", &self.changes.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}
