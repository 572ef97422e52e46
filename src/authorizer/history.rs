//! The past of a tenant, from a store that shows its [`History`].

use super::store_error::store_error;
use super::tenant::Tenant;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::invariants::refused;
use crate::model::records::{Envelope, Position, RecordKey, Revision, Timestamp};
use crate::resolver::snapshot::past::Undone;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::store::{CommitPage, CommitQuery, History, StoredCommit};

use std::sync::Arc;

/// How many commits one call to the store asks for.
const PAGE: usize = 200;

/// A point in a tenant's past: a revision, or an instant.
///
/// At an instant, the state is that of the newest commit made at or before it, by the clocks of the writers.
///
/// ```
/// use rolecall::Timestamp;
/// use rolecall::authorizer::history::PastPoint;
/// use rolecall::records::Revision;
///
/// assert_eq!(PastPoint::from(Revision::new(7)), PastPoint::Revision(Revision::new(7)));
/// let third_of_march: Timestamp = "2026-03-03T12:00:00Z".parse()?;
/// assert_eq!(PastPoint::from(third_of_march), PastPoint::Instant(third_of_march));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastPoint {
    /// The state that the commit of this revision produced.
    Revision(Revision),
    /// The state at this instant.
    Instant(Timestamp),
}

impl From<Revision> for PastPoint {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<Timestamp> for PastPoint {
    fn from(instant: Timestamp) -> Self {
        Self::Instant(instant)
    }
}

/// A past state of a tenant, as [`Tenant::as_of`] returns it.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::MemoryStore;
///
/// let store = MemoryStore::default();
/// let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")?;
/// let created = acme.update(|tx| tx.create_user("alice")?.done())?;
/// acme.update(|tx| tx.delete_user("alice"))?;
///
/// let past = acme.as_of(&store, created.revision)?;
/// assert!(past.snapshot.now(&rolecall::clock::SystemClock).user("alice").is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PastState {
    /// The state. It answers every question of a [`Moment`](crate::Moment). Its handles are not those of the tenant.
    pub snapshot: Snapshot,
    /// The envelope of the commit that produced this state: who made it, when and why. `None` for the state in which the
    /// history begins.
    pub envelope: Option<Envelope>,
    /// Whether that commit was written with another catalog than this authorizer has. If so, roles and permissions of the
    /// catalog may have meant something else then: the snapshot has today's. `None` if the envelope is not known.
    pub another_catalog: Option<bool>,
}

impl Tenant {
    /// Returns a past state of the tenant: *what could she do on 3 March?*
    ///
    /// The state is made from the present one and the history of the store, backwards. Pass the store that the authorizer
    /// was built with. The catalog is today's (see [`PastState::another_catalog`]).
    ///
    /// Two clocks matter. The point decides which *records* existed. The instant of the question decides which *windows*
    /// were open: ask the snapshot [`at`](Snapshot::at) the same instant.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::clock::ManualClock;
    /// use rolecall::store::MemoryStore;
    /// use std::sync::Arc;
    ///
    /// let (store, clock) = (MemoryStore::default(), Arc::new(ManualClock::new("2026-03-01T09:00:00Z".parse()?)));
    /// let authorizer = Authorizer::builder().store(store.clone()).clock(clock.clone()).build();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("invoices:approve")?;
    ///     tx.create_role("approver")?.grant("invoices:approve")?;
    ///     tx.create_user("alice")?.assign("approver")?.done()
    /// })?;
    /// clock.set("2026-03-09T09:00:00Z".parse()?);
    /// acme.update(|tx| tx.user("alice")?.unassign("approver")?.done())?;
    ///
    /// let third_of_march = "2026-03-03T12:00:00Z".parse()?;
    /// let past = acme.as_of(&store, third_of_march)?;
    /// assert!(past.snapshot.at(third_of_march).check("alice", "invoices:approve"));
    /// assert!(!acme.check("alice", "invoices:approve"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// Begins with the present snapshot, and does not ask the store for newer commits. Call
    /// [`refresh`](Self::refresh) first if the instant is a moment ago and other processes write.
    ///
    /// # Complexity
    /// One call to the store for each 200 commits that are undone, and the time of building the tenant once from records in
    /// memory. It takes memory for the changes undone and for the past state.
    ///
    /// # Errors
    /// [`NotInHistory`](ErrorKind::NotInHistory) if the history begins later, or the revision is later than the present
    /// one. [`Deleted`](ErrorKind::Deleted), [`Unavailable`](ErrorKind::Unavailable),
    /// [`UnsupportedRecord`](ErrorKind::UnsupportedRecord); [`Corrupt`](ErrorKind::Corrupt) if the history does not
    /// lead to the present state, for example because it is another store's.
    pub async fn as_of(&self, history: &impl History, point: impl Into<PastPoint>) -> Result<PastState> {
        let point = point.into();
        let present = self.0.current.load();
        if matches!(point, PastPoint::Revision(revision) if revision > present.position.revision) {
            let reason = format!("the present revision is {}", present.position.revision);
            return Err(not_in_history(point, &reason));
        }
        if matches!(point, PastPoint::Revision(revision) if revision < Revision::FIRST) {
            return Err(not_in_history(point, &format!("a tenant begins at revision {}", Revision::FIRST)));
        }
        let mut walk = Walk { present: &present, undone: Undone::default(), at: present.position };
        let mut query = CommitQuery::newest(PAGE).before(present.position.revision.next());
        loop {
            let page = self.page(history, &query).await?;
            for commit in &page.commits {
                walk.expect(commit)?;
                if is_at(point, commit) {
                    return walk.end(Some(commit.envelope.clone()));
                }
                walk.undo(commit, page.start);
            }
            let Some(next) = page.next else {
                return walk.at_start(point, page.start);
            };
            query = query.before(next);
        }
    }

    /// Returns the newest commit that changed a record: *who gave her this role?*
    ///
    /// `None` if no commit of the history changed it: it is older than the history, or never existed.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::records::RecordKey;
    /// use rolecall::store::MemoryStore;
    ///
    /// let store = MemoryStore::default();
    /// let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")?;
    /// let ids = acme.update(|tx| {
    ///     tx.set_actor("people-ops")?;
    ///     let group = tx.create_group("engineering")?.id()?;
    ///     Ok((tx.create_user("alice")?.join("engineering")?.id()?, group))
    /// })?;
    /// let (alice, engineering) = ids.value;
    /// let commit = acme.last_change(&store, &RecordKey::Membership(alice, engineering))?.unwrap();
    /// assert_eq!(commit.envelope.actor.unwrap(), "people-ops");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// The store reads commits, newest first, until it finds one.
    ///
    /// # Errors
    /// [`Deleted`](ErrorKind::Deleted), [`Unavailable`](ErrorKind::Unavailable),
    /// [`UnsupportedRecord`](ErrorKind::UnsupportedRecord), [`Corrupt`](ErrorKind::Corrupt).
    pub async fn last_change(&self, history: &impl History, key: &RecordKey) -> Result<Option<StoredCommit>> {
        let mut query = CommitQuery::newest(1).of_record(key.clone());
        loop {
            let page = self.page(history, &query).await?;
            if let Some(commit) = page.commits.into_iter().next() {
                return Ok(Some(commit));
            }
            let Some(next) = page.next else { return Ok(None) };
            query = query.before(next);
        }
    }

    /// Returns a page of the history. Fails if its `next` does not precede the position that the query ends before.
    async fn page(&self, history: &impl History, query: &CommitQuery) -> Result<CommitPage> {
        let page = history.commits(self.tenant_id(), query).await.map_err(|error| store_error(error, ""))?;
        let page = page.ok_or_else(|| Error::new(ErrorKind::Deleted))?;
        if page.next.is_some_and(|next| query.ends_before().is_some_and(|before| next >= before)) {
            return Err(Error::new(ErrorKind::Corrupt).reason("H2: the next page of the history would begin again"));
        }
        Ok(page)
    }
}

/// The way backwards from the present state.
struct Walk<'a> {
    present: &'a Arc<CompiledTenant>,
    undone: Undone,
    /// The position before the commits that were undone.
    at: Position,
}

impl Walk<'_> {
    /// Fails unless this is the commit that produced the position.
    fn expect(&self, commit: &StoredCommit) -> Result<()> {
        let Position { revision, commit: id, .. } = self.at;
        if commit.revision == revision && commit.envelope.id == id {
            return Ok(());
        }
        let reason = format!(
            "H6: the history has commit {} of revision {}, expected commit {id} of revision {revision}",
            commit.envelope.id, commit.revision
        );
        Err(Error::new(ErrorKind::Corrupt).reason(reason))
    }

    fn undo(&mut self, commit: &StoredCommit, start: Position) {
        self.undone.undo(&commit.changes);
        let revision = Revision::new(commit.revision.number().saturating_sub(1));
        let before = commit.envelope.previous.unwrap_or(start.commit);
        self.at = Position { revision, commit: before, ..self.at };
    }

    /// No older commit is in the history: only the state in which it begins is left.
    fn at_start(self, point: PastPoint, start: Position) -> Result<PastState> {
        if self.at != start {
            let reason = format!("H6: the history begins at revision {} and has a gap", start.revision);
            return Err(Error::new(ErrorKind::Corrupt).reason(reason));
        }
        if point == PastPoint::Revision(start.revision) {
            return self.end(None);
        }
        Err(not_in_history(point, &format!("the history begins at revision {}", start.revision)))
    }

    fn end(self, envelope: Option<Envelope>) -> Result<PastState> {
        let catalog = self.present.catalog.definition.fingerprint();
        let compiled = self.present.rewound(&self.undone, self.at).map_err(|violations| refused(&violations))?;
        let another_catalog = envelope.as_ref().map(|envelope| envelope.catalog != catalog);
        Ok(PastState { snapshot: Snapshot(Arc::new(compiled)), envelope, another_catalog })
    }
}

/// Whether a commit produced the state of a point, if no newer one did.
fn is_at(point: PastPoint, commit: &StoredCommit) -> bool {
    match point {
        PastPoint::Revision(revision) => commit.revision == revision,
        PastPoint::Instant(instant) => commit.envelope.at <= instant,
    }
}

fn not_in_history(point: PastPoint, reason: &str) -> Error {
    let point = match point {
        PastPoint::Revision(revision) => format!("revision {revision}"),
        PastPoint::Instant(instant) => format!("the state at {instant}"),
    };
    Error::new(ErrorKind::NotInHistory).reason(format!("{point} was asked for, and {reason}"))
}
