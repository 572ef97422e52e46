//! History: the commits of a tenant, for auditors.

use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use super::{Store, StoreError, StoredCommit};
use crate::model::records::{Actor, Position, RecordKey, Revision, TenantId, Timestamp};

/// A store that returns the commits of a tenant: the changes, their actor, their time and their reason.
///
/// The capability is optional: the library needs only [`Store`]. [`Tenant::as_of`](crate::Tenant::as_of) rebuilds a past
/// state from it, and [`Tenant::last_change`](crate::Tenant::last_change) finds who changed a record.
///
/// # Contract
/// | | clause |
/// |---|---|
/// | H1 | The commits of a page are newest first, each with its envelope and all changes, as they were sent. |
/// | H2 | Nothing is skipped: the pages of one query together contain every commit of the history that matches, once. A store may end a page before its limit, also at none, if it names the revision at which the next page begins. |
/// | H3 | `next` is `None` only if no older commit is in the history. |
/// | H4 | `start` is the position before the oldest commit of the history. A tenant's creation may be missing; then the history starts at revision 1. |
/// | H5 | A commit is in the history once it is visible (S5). |
/// | H6 | A history has no gap: from `start` to the latest position, each revision has its commit. |
/// | H7 | For an unknown or deleted tenant the answer is `None`. |
///
/// # Example
/// ```
/// use rolecall::records::TenantId;
/// use rolecall::store::{CommitQuery, History, StoreError};
///
/// async fn print_changes(store: &impl History, tenant_id: TenantId) -> Result<(), StoreError> {
///     let Some(page) = store.commits(tenant_id, &CommitQuery::newest(20)).await? else { return Ok(()) };
///     for commit in page.commits {
///         let who = commit.envelope.actor.as_ref().map_or("somebody", |actor| actor.as_str());
///         for change in &commit.changes {
///             println!("{} {who}: {}", commit.envelope.at, change.event_name());
///         }
///     }
///     Ok(())
/// }
/// ```
pub trait History: Store {
    /// Returns commits of a tenant, newest first, or `None` if the tenant does not exist.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedRecord`], [`StoreError::Corrupt`] or [`StoreError::Unavailable`] if the commits cannot be
    /// read.
    fn commits(
        &self,
        tenant_id: TenantId,
        query: &CommitQuery,
    ) -> impl Future<Output = Result<Option<CommitPage>, StoreError>> + Send;
}

impl<S: History> History for Arc<S> {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        (**self).commits(tenant_id, query).await
    }
}

/// Which commits a [`History`] returns.
///
/// A commit must match all conditions. A condition on what was changed selects whole commits, not single changes.
///
/// ```
/// use rolecall::records::UserId;
/// use rolecall::store::CommitQuery;
///
/// let alice = UserId::random();
/// let query = CommitQuery::newest(50).about(alice).by("people-ops".parse()?);
/// assert_eq!(query.limit(), 50);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitQuery {
    limit: usize,
    before: Option<Revision>,
    actor: Option<Actor>,
    entity: Option<Uuid>,
    record: Option<RecordKey>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl CommitQuery {
    /// Selects the newest commits, at most `limit` of them.
    ///
    /// ```
    /// use rolecall::store::CommitQuery;
    ///
    /// assert_eq!(CommitQuery::newest(20).limit(), 20);
    /// ```
    pub fn newest(limit: usize) -> Self {
        Self { limit, before: None, actor: None, entity: None, record: None, from: None, until: None }
    }

    /// Selects only commits before this revision, which is the `next` of the previous page.
    ///
    /// ```
    /// use rolecall::records::Revision;
    /// use rolecall::store::CommitQuery;
    ///
    /// let second_page = CommitQuery::newest(20).before(Revision::new(81));
    /// assert_eq!(second_page.ends_before(), Some(Revision::new(81)));
    /// ```
    #[must_use]
    pub fn before(mut self, revision: Revision) -> Self {
        self.before = Some(revision);
        self
    }

    /// Selects only commits of this actor.
    ///
    /// ```
    /// use rolecall::store::CommitQuery;
    ///
    /// let query = CommitQuery::newest(20).by("people-ops".parse()?);
    /// # let _ = query;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Selects only commits that changed this user, group, role, permission, separation or assertion, or a relation of
    /// it.
    ///
    /// ```
    /// use rolecall::records::GroupId;
    /// use rolecall::store::CommitQuery;
    ///
    /// let query = CommitQuery::newest(20).about(GroupId::random());
    /// # let _ = query;
    /// ```
    #[must_use]
    pub fn about(mut self, id: impl Into<Uuid>) -> Self {
        self.entity = Some(id.into());
        self
    }

    /// Selects only commits that changed the record with this key.
    ///
    /// ```
    /// use rolecall::records::{GroupId, RecordKey, UserId};
    /// use rolecall::store::CommitQuery;
    ///
    /// let membership = RecordKey::Membership(UserId::random(), GroupId::random());
    /// let query = CommitQuery::newest(1).of_record(membership);
    /// # let _ = query;
    /// ```
    #[must_use]
    pub fn of_record(mut self, key: RecordKey) -> Self {
        self.record = Some(key);
        self
    }

    /// Selects only commits made at or after this instant, by the clocks of their writers.
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use rolecall::store::CommitQuery;
    ///
    /// let query = CommitQuery::newest(20).from("2026-03-01T00:00:00Z".parse()?);
    /// # let _ = query;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn from(mut self, instant: Timestamp) -> Self {
        self.from = Some(instant);
        self
    }

    /// Selects only commits made before this instant, by the clocks of their writers.
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use rolecall::store::CommitQuery;
    ///
    /// let query = CommitQuery::newest(20).until("2026-04-01T00:00:00Z".parse()?);
    /// # let _ = query;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn until(mut self, instant: Timestamp) -> Self {
        self.until = Some(instant);
        self
    }

    /// Returns the most commits of a page.
    ///
    /// ```
    /// # use rolecall::store::CommitQuery;
    /// assert_eq!(CommitQuery::newest(20).limit(), 20);
    /// ```
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the revision before which the commits are, if there is one.
    ///
    /// ```
    /// # use rolecall::store::CommitQuery;
    /// assert_eq!(CommitQuery::newest(20).ends_before(), None);
    /// ```
    pub fn ends_before(&self) -> Option<Revision> {
        self.before
    }

    /// Returns whether a commit matches: for stores that read commits one by one.
    ///
    /// ```
    /// use rolecall::store::{CommitQuery, StoredCommit};
    ///
    /// fn matching(commits: Vec<StoredCommit>, query: &CommitQuery) -> Vec<StoredCommit> {
    ///     commits.into_iter().rev().filter(|commit| query.matches(commit)).take(query.limit()).collect()
    /// }
    /// # assert!(matching(Vec::new(), &CommitQuery::newest(1)).is_empty());
    /// ```
    ///
    /// # Complexity
    /// O(changes of the commit).
    pub fn matches(&self, commit: &StoredCommit) -> bool {
        let envelope = &commit.envelope;
        self.before.is_none_or(|before| commit.revision < before)
            && self.actor.as_ref().is_none_or(|actor| envelope.actor.as_ref() == Some(actor))
            && self.from.is_none_or(|from| from <= envelope.at)
            && self.until.is_none_or(|until| envelope.at < until)
            && self.entity.is_none_or(|id| commit.changes.iter().any(|change| change.key().names(id)))
            && self.record.as_ref().is_none_or(|key| commit.changes.iter().any(|change| change.key() == *key))
    }
}

/// A page of a tenant's history.
///
/// ```
/// use rolecall::store::{CommitPage, CommitQuery};
///
/// fn following(page: &CommitPage, query: CommitQuery) -> Option<CommitQuery> {
///     page.next.map(|next| query.before(next))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPage {
    /// The commits that match, newest first.
    pub commits: Vec<StoredCommit>,
    /// Where the next page begins: pass it to [`CommitQuery::before`]. `None` if no older commit is in the history.
    pub next: Option<Revision>,
    /// The position before the oldest commit of the history. Earlier changes are not known any more.
    pub start: Position,
}

/// The most changes that one page of this crate's stores reads, whether they match or not. One commit may have more.
const MOST_CHANGES: usize = 100_000;

/// Collects a page from the commits of a history, newest first.
pub(super) fn page<E>(
    query: &CommitQuery,
    start: Position,
    newest_first: impl IntoIterator<Item = Result<Arc<StoredCommit>, E>>,
) -> Result<CommitPage, E> {
    let (mut commits, mut read) = (Vec::new(), 0);
    for commit in newest_first {
        let commit = commit?;
        if query.before.is_some_and(|before| commit.revision >= before) {
            continue;
        }
        read += commit.changes.len().max(1);
        if query.matches(&commit) && query.limit > 0 {
            commits.push(StoredCommit::clone(&commit));
        }
        let is_oldest = commit.revision == start.revision.next();
        if !is_oldest && (commits.len() >= query.limit || read >= MOST_CHANGES) {
            return Ok(CommitPage { commits, next: Some(commit.revision), start });
        }
    }
    Ok(CommitPage { commits, next: None, start })
}
