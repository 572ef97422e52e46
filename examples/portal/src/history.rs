//! The history of a tenant, whatever the store is: its commits, each with lines that people can read.
//!
//! The names in a line are those of today. An entity that was deleted since then has the name that the commits of the page
//! know, or else its id.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::StatusCode;
use rolecall::plan::{DescribedChange, NamedEntity};
use rolecall::records::{Actor, Change, Record, Revision, TenantId, Timestamp};
use rolecall::store::{CommitPage, CommitQuery, History, StoreError, StoredCommit};
use rolecall::{Snapshot, Tenant};
use rolecall_axum::Problem;
use uuid::Uuid;

use crate::state::PortalState;

/// So many lines of one commit at most.
const MOST_LINES: usize = 50;

/// So often the store is asked for one page. It may answer without commits, although there are older ones.
const MOST_CALLS: usize = 4;

/// The commits of a store. A clone refers to the same.
///
/// [`History`] has asynchronous functions, so it cannot be a `dyn` trait. This type wraps any store that has it.
#[derive(Clone)]
pub struct Commits(Arc<dyn ErasedHistory>);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Option<CommitPage>, StoreError>> + Send + 'a>>;

trait ErasedHistory: Send + Sync {
    fn commits<'a>(&'a self, tenant: TenantId, query: &'a CommitQuery) -> Answer<'a>;
}

impl<H: History> ErasedHistory for H {
    fn commits<'a>(&'a self, tenant: TenantId, query: &'a CommitQuery) -> Answer<'a> {
        Box::pin(History::commits(self, tenant, query))
    }
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits").finish_non_exhaustive()
    }
}

impl Commits {
    /// Takes the history of a store: the one over which the authorizer was built.
    pub fn of(store: impl History) -> Self {
        Self(Arc::new(store))
    }

    /// Returns commits of a tenant, newest first, or `None` for an unknown tenant.
    ///
    /// # Errors
    /// As those of [`History::commits`].
    pub async fn page(&self, tenant: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        self.0.commits(tenant, query).await
    }
}

/// Which part of a history.
#[derive(Clone, Debug)]
pub struct Asked {
    /// At most this many commits.
    pub limit: usize,
    /// Only commits before this revision.
    pub before: Option<Revision>,
    /// Only commits that changed this entity or a relation of it, and of them only these changes.
    pub about: Option<Uuid>,
    /// Only commits of this actor.
    pub actor: Option<Actor>,
}

/// A part of a history, newest first.
#[derive(Debug)]
pub struct Shown {
    /// The commits.
    pub entries: Vec<Entry>,
    /// Where the next page begins. `None` on the last one.
    pub next: Option<Revision>,
}

/// The changes of one commit.
#[derive(Debug)]
pub struct Entry {
    /// The revision that it made.
    pub revision: Revision,
    /// When it was made.
    pub at: Timestamp,
    /// The actor.
    pub actor: Option<Actor>,
    /// Why.
    pub note: Option<String>,
    /// The changes, at most 50 lines.
    pub lines: Vec<Line>,
    /// The number of changes.
    pub total: usize,
}

/// One change.
#[derive(Debug)]
pub struct Line {
    /// The name of the event, such as `group.member.added`.
    pub event: &'static str,
    /// The change, with names.
    pub described: DescribedChange,
}

/// Reads a part of the history of a tenant.
///
/// # Errors
/// 404 if the store keeps no history; 503 or 500 if it cannot be read.
pub async fn read(state: &PortalState, tenant: &Tenant, asked: &Asked) -> Result<Shown, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_history", "this store keeps no history");
    let history = state.history().ok_or_else(missing)?;
    let mut query = CommitQuery::newest(asked.limit);
    if let Some(id) = asked.about {
        query = query.about(id);
    }
    if let Some(actor) = &asked.actor {
        query = query.by(actor.clone());
    }
    let (mut commits, mut next) = (Vec::new(), asked.before);
    for _ in 0..MOST_CALLS {
        let part = next.map_or_else(|| query.clone(), |next| query.clone().before(next));
        let page = history.page(tenant.tenant_id(), &part).await.map_err(|error| unreadable(&error))?;
        let page = page.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "tenant not found"))?;
        commits.extend(page.commits);
        next = page.next;
        if !commits.is_empty() || next.is_none() {
            break;
        }
    }
    let (names, snapshot) = (names(&commits), tenant.snapshot());
    let entries = commits.into_iter().map(|commit| entry(commit, asked.about, &names, &snapshot)).collect();
    Ok(Shown { entries, next })
}

/// The answer does not say why the store failed; the log does.
fn unreadable(error: &StoreError) -> Problem {
    tracing::error!(%error, "the history cannot be read");
    match error {
        StoreError::Unavailable(_) | StoreError::InDoubt(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the history cannot be read now")
        }
        _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the history cannot be read"),
    }
}

type EntityNames = HashMap<Uuid, String>;

/// The names in the records of these commits, for entities that are deleted today.
fn names(commits: &[StoredCommit]) -> EntityNames {
    let records = commits.iter().flat_map(|commit| &commit.changes).filter_map(|change| change.before());
    records
        .filter_map(|record| {
            Some(match record {
                Record::User(user) => (user.id.as_uuid(), user.key.to_string()),
                Record::Group(group) => (group.id.as_uuid(), group.slug.to_string()),
                Record::Role(role) => (role.id.as_uuid(), role.slug.to_string()),
                Record::Permission(permission) => (permission.id.as_uuid(), permission.slug.to_string()),
                _ => return None,
            })
        })
        .collect()
}

fn entry(commit: StoredCommit, about: Option<Uuid>, names: &EntityNames, snapshot: &Snapshot) -> Entry {
    let StoredCommit { revision, envelope, changes } = commit;
    let is_about = |change: &&Change| about.is_none_or(|id| change.key().names(id));
    let line = |change: &Change| {
        let mut described = DescribedChange::new(change, snapshot, snapshot);
        name(&mut described.subject, names);
        if let Some(object) = &mut described.object {
            name(object, names);
        }
        Line { event: change.event_name(), described }
    };
    Entry {
        revision,
        at: envelope.at,
        actor: envelope.actor,
        note: envelope.note.map(|note| note.to_string()),
        lines: changes.iter().filter(is_about).take(MOST_LINES).map(line).collect(),
        total: changes.iter().filter(is_about).count(),
    }
}

fn name(entity: &mut NamedEntity, names: &EntityNames) {
    if entity.before.is_none() && entity.after.is_none() {
        entity.after = names.get(&entity.id).cloned();
    }
}
