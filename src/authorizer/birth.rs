//! Creating tenants. A birth whose outcome is not known belongs to its slug: the next one who asks for that slug settles
//! it first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Authorizer;
use super::commit::{not_done, not_nested};
use super::tenant::{Inner, Tenant};
use super::turns::Turns;
use crate::error::{Error, ErrorKind, Noun, Result};
use crate::invariants::refused;
use crate::plan::Origins;
use crate::records::{At, Change, CommitId, Envelope, Life, Name, Record, Revision, TenantRecord, TenantSlug};
use crate::snapshot::build::Build;
use crate::store::{Base, Commit, StoreError};

/// The births under one slug: one after the other.
#[derive(Debug, Default)]
pub(crate) struct Birth {
    turns: Turns,
    pending: Mutex<Option<Arc<Unborn>>>,
}

/// A birth of ours whose outcome is not known.
#[derive(Debug)]
pub(crate) struct Unborn {
    life: Life,
    envelope: Envelope,
    changes: Vec<Change>,
}

enum Fate {
    Lives,
    Lost,
    Open,
}

impl Birth {
    fn slot(&self) -> MutexGuard<'_, Option<Arc<Unborn>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending(&self) -> Option<Arc<Unborn>> {
        self.slot().clone()
    }
}

impl Authorizer {
    /// Creates a tenant with nothing in it but the catalog.
    ///
    /// # Errors
    /// [`Malformed`](ErrorKind::Malformed), [`Exists`](ErrorKind::Exists), [`Unavailable`](ErrorKind::Unavailable);
    /// [`Unsettled`](ErrorKind::Unsettled) if it is not known whether it was created: the next call for this slug, to
    /// open or to create it, finds out.
    pub async fn create_tenant(&self, slug: &str, name: &str) -> Result<Tenant> {
        let tenant = TenantRecord { slug: TenantSlug::new(slug)?, name: Name::new(name)? };
        self.give_birth(tenant.slug.clone(), vec![Change::added(Record::Tenant(tenant))]).await
    }

    /// Creates a tenant with this name, and the slug that is made from it (R10).
    ///
    /// # Errors
    /// Those of [`Authorizer::create_tenant`].
    pub async fn create_tenant_named(&self, name: &str) -> Result<Tenant> {
        self.create_tenant(TenantSlug::from_name(name)?.as_str(), name).await
    }

    /// Begins a life in which these records are added, in one commit.
    pub(super) async fn give_birth(&self, slug: TenantSlug, changes: Vec<Change>) -> Result<Tenant> {
        not_nested()?;
        let birth = self.registry.birth(&slug);
        let born = {
            let _turn = birth.turns.take().await;
            match self.settle_birth_in_turn(&birth, &slug).await {
                Ok(()) => self.bear(&birth, &slug, changes).await,
                Err(error) => Err(error),
            }
        };
        self.registry.birth_done(&slug);
        born
    }

    async fn bear(&self, birth: &Birth, slug: &TenantSlug, changes: Vec<Change>) -> Result<Tenant> {
        let origins = Origins::new(&*self.tools.clock);
        let life = Life::random();
        let base = Arc::clone(&self.tools.base);
        let catalog = base.catalog.fingerprint();
        let mut build = Build::new(Arc::clone(&base), Arc::new(base.open()), false);
        for record in changes.iter().filter_map(Change::after) {
            build.push(record);
        }
        let position = At { life, revision: Revision::FIRST, commit: origins.commit };
        let compiled = build.finish(position).map_err(|violations| refused(&violations))?;
        let envelope = Envelope {
            id: origins.commit,
            previous: None,
            actor: None,
            actor_id: None,
            at: origins.at,
            note: None,
            catalog,
        };
        let unborn = Arc::new(Unborn { life, envelope, changes });

        // Before the store is reached, so that a future that is dropped leaves it for the next one who asks.
        *birth.slot() = Some(Arc::clone(&unborn));
        let slot = self.registry.hold(life);
        let turn = slot.turns.take().await;
        match self.tools.store.commit(unborn.as_commit()).await {
            Ok(Revision::FIRST) => {
                *birth.slot() = None;
                let registry = Arc::downgrade(&self.registry);
                let inner = Inner::new(Arc::clone(&self.tools), registry, self.registry.hold(life), compiled);
                let inner = Arc::new(inner);
                self.registry.opened(life, &inner);
                Ok(Tenant(inner))
            }
            Err(
                error @ (StoreError::Taken
                | StoreError::TooLarge(_)
                | StoreError::Refused(_)
                | StoreError::Corrupt(_)
                | StoreError::Unavailable(_)),
            ) => {
                *birth.slot() = None;
                Err(not_done(error, slug.as_str()))
            }
            // Unknown, or what no first answer to a birth of a new life can be.
            Ok(_) | Err(_) => {
                drop(turn);
                match self.find_out(birth, &unborn).await {
                    Fate::Lives => self.open(life).await.map_err(|error| unopened(error, slug, &unborn)),
                    Fate::Lost => Err(Error::new(ErrorKind::Exists).about(Noun::Tenant, slug.as_str())),
                    Fate::Open => Err(Error::new(ErrorKind::Unsettled).of_commit(unborn.envelope.id.uuid())),
                }
            }
        }
    }

    /// Settles a birth under this slug, if one is open.
    pub(super) async fn settle_birth(&self, slug: &TenantSlug) -> Result<()> {
        if !self.registry.has_birth(slug) {
            return Ok(());
        }
        let birth = self.registry.birth(slug);
        let settled = {
            let _turn = birth.turns.take().await;
            self.settle_birth_in_turn(&birth, slug).await
        };
        self.registry.birth_done(slug);
        settled
    }

    async fn settle_birth_in_turn(&self, birth: &Birth, slug: &TenantSlug) -> Result<()> {
        let Some(unborn) = birth.pending() else { return Ok(()) };
        match self.find_out(birth, &unborn).await {
            Fate::Lives | Fate::Lost => Ok(()),
            Fate::Open => {
                let error = Error::new(ErrorKind::Unsettled).about(Noun::Tenant, slug.as_str());
                Err(error.of_commit(unborn.envelope.id.uuid()))
            }
        }
    }

    /// The same birth again: a life that lives answers *conflict*, one that ended *gone* (S1). What is refused for good is
    /// ended before it began, so that a late copy can no longer land.
    async fn find_out(&self, birth: &Birth, unborn: &Unborn) -> Fate {
        let fate = match self.tools.store.commit(unborn.as_commit()).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Fate::Lives,
            Err(StoreError::Gone) => Fate::Lost,
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => Fate::Open,
            Err(_) => {
                let envelope = Envelope { id: CommitId::random(), ..unborn.envelope.clone() };
                let nothing = Commit { base: Base::Nothing(unborn.life), envelope: &envelope, changes: &[] };
                match self.tools.store.commit(nothing).await {
                    Ok(_) | Err(StoreError::Gone) => Fate::Lost,
                    Err(StoreError::Conflict { .. }) => Fate::Lives,
                    Err(_) => Fate::Open,
                }
            }
        };
        if !matches!(fate, Fate::Open) {
            *birth.slot() = None;
        }
        fate
    }
}

/// It was created, and could not be opened: no error that says *nothing happened*. Who asks for the slug next opens it,
/// unless its life has ended already: then the slug was taken meanwhile, as it is where a birth is found to be gone.
fn unopened(error: Error, slug: &TenantSlug, unborn: &Unborn) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Deleted => Error::new(ErrorKind::Exists).about(Noun::Tenant, slug.as_str()),
        _ => {
            let detail = format!("the tenant was created, and could not be opened: {error}");
            Error::new(ErrorKind::Unsettled).detail(detail).of_commit(unborn.envelope.id.uuid()).because(error)
        }
    }
}

impl Unborn {
    fn as_commit(&self) -> Commit<'_> {
        Commit { base: Base::Nothing(self.life), envelope: &self.envelope, changes: &self.changes }
    }
}
