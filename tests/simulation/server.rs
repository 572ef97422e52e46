//! The store as it should be (S1 to S15), as plain as it can be said, and a value: a backup is a clone of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rolecall::records::{At, Change, CommitId, Envelope, Life, Record, RecordKey, Revision, TenantRecord, TenantSlug};
use rolecall::store::{Base, Committed, Listed, Since, StoreError};

pub(crate) type Records = BTreeMap<RecordKey, Record>;

/// What a client asks.
pub(crate) enum Request {
    Find(TenantSlug),
    List(Option<TenantSlug>, usize),
    Load(Life),
    Since(At),
    Commit(Sent),
}

/// A commit on its way.
pub(crate) struct Sent {
    pub(crate) base: Base,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
}

/// What a server answers, or the driver in its place.
pub(crate) enum Reply {
    Found(Option<Life>),
    Listed(Vec<Listed>),
    Loaded(Option<(At, Arc<Records>)>),
    Since(Since),
    Committed(Revision),
    Failed(StoreError),
    /// The driver panics inside the call.
    Panic,
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    lives: HashMap<Life, Lived>,
    slugs: BTreeMap<TenantSlug, Life>,
}

#[derive(Clone)]
enum Lived {
    Living(Living),
    /// By this commit; by none if the life was ended before it began.
    Ended(Option<CommitId>),
}

#[derive(Clone)]
struct Living {
    at: At,
    records: Arc<Records>,
    /// The state on which the first of the commits was made.
    floor: At,
    commits: Vec<Committed>,
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
                Reply::Listed(
                    after.take(*limit).map(|(slug, life)| Listed { life: *life, slug: slug.clone() }).collect(),
                )
            }
            Request::Load(life) => {
                Reply::Loaded(self.living(*life).map(|found| (found.at, Arc::clone(&found.records))))
            }
            Request::Since(at) => Reply::Since(self.since(*at)),
            Request::Commit(sent) => self.commit(sent).map_or_else(Reply::Failed, Reply::Committed),
        }
    }

    fn living(&self, life: Life) -> Option<&Living> {
        match self.lives.get(&life) {
            Some(Lived::Living(living)) => Some(living),
            _ => None,
        }
    }

    /// The commit that made the latest state of a life, or that ended it.
    pub(crate) fn head(&self, life: Life) -> Option<CommitId> {
        match self.lives.get(&life)? {
            Lived::Living(living) => Some(living.at.commit),
            Lived::Ended(by) => *by,
        }
    }

    pub(crate) fn records(&self, life: Life) -> Option<(At, Arc<Records>)> {
        self.living(life).map(|living| (living.at, Arc::clone(&living.records)))
    }

    pub(crate) fn bearer(&self, slug: &TenantSlug) -> Option<Life> {
        self.slugs.get(slug).copied()
    }

    /// Forgets the commits up to the latest state: whoever asks since an older one is told that it is too old.
    pub(crate) fn forget_history(&mut self, life: Life) {
        if let Some(Lived::Living(living)) = self.lives.get_mut(&life) {
            living.commits.clear();
            living.floor = living.at;
        }
    }

    fn since(&self, at: At) -> Since {
        let Some(living) = self.living(at.life) else { return Since::Gone };
        if at == living.floor {
            return Since::Commits(living.commits.clone());
        }
        let is_at = |c: &Committed| c.revision == at.revision && c.envelope.id == at.commit;
        match living.commits.iter().position(is_at) {
            Some(index) => Since::Commits(living.commits.iter().skip(index + 1).cloned().collect()),
            None => Since::TooOld,
        }
    }

    fn commit(&mut self, sent: &Sent) -> Result<Revision, StoreError> {
        let life = sent.base.life();
        let (revision, mut records) = match (self.lives.get(&life), sent.base) {
            (Some(Lived::Ended(_)), _) | (None, Base::State(_)) => return Err(StoreError::Gone),
            (None, Base::Nothing(_)) => (Revision::FIRST, Arc::default()),
            (Some(Lived::Living(living)), Base::State(at)) if at == living.at => {
                (at.revision.next(), Arc::clone(&living.records))
            }
            (Some(Lived::Living(living)), _) => return Err(StoreError::Conflict { actual: living.at.revision }),
        };
        let before = tenant(&records).map(|tenant| tenant.slug.clone());
        if !sent.changes.is_empty() {
            apply(Arc::make_mut(&mut records), &sent.changes)?;
        }
        let after = tenant(&records).map(|tenant| tenant.slug.clone());
        if after.as_ref().and_then(|slug| self.slugs.get(slug)).is_some_and(|bearer| *bearer != life) {
            return Err(StoreError::Taken);
        }
        if let Some(before) = before {
            self.slugs.remove(&before);
        }
        let at = At { life, revision, commit: sent.envelope.id };
        let Some(after) = after else {
            let began = self.lives.contains_key(&life);
            self.lives.insert(life, Lived::Ended(began.then_some(at.commit)));
            return Ok(revision);
        };
        self.slugs.insert(after, life);
        let committed = Committed { revision, envelope: sent.envelope.clone(), changes: sent.changes.clone() };
        if let Some(Lived::Living(living)) = self.lives.get_mut(&life) {
            living.commits.push(committed);
            living.at = at;
            living.records = records;
        } else {
            let living = Living { at, records, floor: at, commits: Vec::new() };
            self.lives.insert(life, Lived::Living(living));
        }
        Ok(revision)
    }
}

fn apply(records: &mut Records, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        if records.get(&change.key()) != change.before() {
            return Err(StoreError::Corrupt(format!("S3: {:?} is not what the change begins with", change.key())));
        }
        match change.after() {
            Some(after) => records.insert(change.key(), after.clone()),
            None => records.remove(&change.key()),
        };
    }
    Ok(())
}
