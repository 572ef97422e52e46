//! A plain model of a correct store (S1 to S15). It is a value, so a backup is a clone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rolecall::records::{
    Change, CommitId, Envelope, Position, Record, RecordKey, Revision, TenantId, TenantRecord, TenantSlug,
};
use rolecall::store::{Base, Since, StoreError, StoredCommit, TenantSummary};

pub(crate) type Records = BTreeMap<RecordKey, Record>;

/// A request of a client.
pub(crate) enum Request {
    Find(TenantSlug),
    List(Option<TenantSlug>, usize),
    Load(TenantId),
    Since(Position),
    Positions(Vec<TenantId>),
    Commit(Sent),
}

/// A commit on its way.
pub(crate) struct Sent {
    pub(crate) base: Base,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
}

/// An answer of the server, or of the driver in its place.
pub(crate) enum Reply {
    Found(Option<TenantId>),
    TenantSummary(Vec<TenantSummary>),
    Loaded(Option<(Position, Arc<Records>)>),
    Since(Since),
    Positions(Vec<Option<Position>>),
    StoredCommit(Revision),
    Failed(StoreError),
    /// The driver panics inside the call.
    Panic,
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    tenants: HashMap<TenantId, Lived>,
    slugs: BTreeMap<TenantSlug, TenantId>,
}

#[derive(Clone)]
enum Lived {
    Living(Living),
    /// Deleted by this commit; `None` if an empty commit deleted the tenant before it was created.
    Ended(Option<CommitId>),
}

#[derive(Clone)]
struct Living {
    at: Position,
    records: Arc<Records>,
    /// The state on which the first of the commits was made.
    floor: Position,
    commits: Vec<StoredCommit>,
}

pub(crate) fn tenant(records: &Records) -> Option<&TenantRecord> {
    match records.get(&RecordKey::Tenant) {
        Some(Record::Tenant(tenant)) => Some(tenant),
        _ => None,
    }
}

impl Server {
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        match request {
            Request::Find(slug) => Reply::Found(self.slugs.get(slug).copied()),
            Request::List(after, limit) => {
                let after = self.slugs.iter().filter(|(slug, _)| after.as_ref().is_none_or(|after| *slug > after));
                Reply::TenantSummary(
                    after
                        .take(*limit)
                        .map(|(slug, tenant_id)| TenantSummary { tenant_id: *tenant_id, slug: slug.clone() })
                        .collect(),
                )
            }
            Request::Load(tenant_id) => {
                Reply::Loaded(self.living(*tenant_id).map(|found| (found.at, Arc::clone(&found.records))))
            }
            Request::Since(at) => Reply::Since(self.since(*at)),
            Request::Positions(ids) => {
                Reply::Positions(ids.iter().map(|id| self.living(*id).map(|living| living.at)).collect())
            }
            Request::Commit(sent) => self.commit(sent).map_or_else(Reply::Failed, Reply::StoredCommit),
        }
    }

    fn living(&self, tenant_id: TenantId) -> Option<&Living> {
        match self.tenants.get(&tenant_id) {
            Some(Lived::Living(living)) => Some(living),
            _ => None,
        }
    }

    /// The commit that made the latest state of a tenant, or that deleted it.
    pub(crate) fn head(&self, tenant_id: TenantId) -> Option<CommitId> {
        match self.tenants.get(&tenant_id)? {
            Lived::Living(living) => Some(living.at.commit),
            Lived::Ended(by) => *by,
        }
    }

    pub(crate) fn records(&self, tenant_id: TenantId) -> Option<(Position, Arc<Records>)> {
        self.living(tenant_id).map(|living| (living.at, Arc::clone(&living.records)))
    }

    pub(crate) fn bearer(&self, slug: &TenantSlug) -> Option<TenantId> {
        self.slugs.get(slug).copied()
    }

    /// Forgets the commits up to the latest state. A request since an older state gets `TooOld`.
    pub(crate) fn forget_history(&mut self, tenant_id: TenantId) {
        if let Some(Lived::Living(living)) = self.tenants.get_mut(&tenant_id) {
            living.commits.clear();
            living.floor = living.at;
        }
    }

    fn since(&self, at: Position) -> Since {
        let Some(living) = self.living(at.tenant_id) else { return Since::Deleted };
        if at == living.floor {
            return Since::Commits(living.commits.clone());
        }
        let is_at = |c: &StoredCommit| c.revision == at.revision && c.envelope.id == at.commit;
        match living.commits.iter().position(is_at) {
            Some(index) => Since::Commits(living.commits.iter().skip(index + 1).cloned().collect()),
            None => Since::TooOld,
        }
    }

    fn commit(&mut self, sent: &Sent) -> Result<Revision, StoreError> {
        let tenant_id = sent.base.tenant_id();
        let (revision, mut records) = match (self.tenants.get(&tenant_id), sent.base) {
            (Some(Lived::Ended(_)), _) | (None, Base::At(_)) => return Err(StoreError::Deleted),
            (None, Base::Create(_)) => (Revision::FIRST, Arc::default()),
            (Some(Lived::Living(living)), Base::At(at)) if at == living.at => {
                (at.revision.next(), Arc::clone(&living.records))
            }
            (Some(Lived::Living(living)), _) => return Err(StoreError::Conflict { actual: living.at.revision }),
        };
        let before = tenant(&records).map(|tenant| tenant.slug.clone());
        if !sent.changes.is_empty() {
            apply(Arc::make_mut(&mut records), &sent.changes)?;
        }
        let after = tenant(&records).map(|tenant| tenant.slug.clone());
        if after.as_ref().and_then(|slug| self.slugs.get(slug)).is_some_and(|bearer| *bearer != tenant_id) {
            return Err(StoreError::SlugTaken);
        }
        if let Some(before) = before {
            self.slugs.remove(&before);
        }
        let at = Position { tenant_id, revision, commit: sent.envelope.id };
        let Some(after) = after else {
            let began = self.tenants.contains_key(&tenant_id);
            self.tenants.insert(tenant_id, Lived::Ended(began.then_some(at.commit)));
            return Ok(revision);
        };
        self.slugs.insert(after, tenant_id);
        let committed = StoredCommit { revision, envelope: sent.envelope.clone(), changes: sent.changes.clone() };
        if let Some(Lived::Living(living)) = self.tenants.get_mut(&tenant_id) {
            living.commits.push(committed);
            living.at = at;
            living.records = records;
        } else {
            let living = Living { at, records, floor: at, commits: Vec::new() };
            self.tenants.insert(tenant_id, Lived::Living(living));
        }
        Ok(revision)
    }
}

fn apply(records: &mut Records, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        if records.get(&change.key()) != change.before() {
            return Err(StoreError::corrupt(format!("S3: {:?} is not the record before the change", change.key())));
        }
        match change.after() {
            Some(after) => records.insert(change.key(), after.clone()),
            None => records.remove(&change.key()),
        };
    }
    Ok(())
}
