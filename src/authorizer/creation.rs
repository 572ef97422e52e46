//! Creates tenants. A creation in doubt is recorded under its slug, and the next request for that slug resolves it
//! first.

use std::ops::Deref;
use std::sync::Arc;

use super::creation_queue::{CreationQueue, PendingCreate};
use super::detached::{Stopped, detached};
use super::nested::reject_nested;
use super::store_error::store_error;
use super::telemetry::{Span, TenantEvent};
use super::tenant::{Inner, Outcome, Tenant};
use super::{Authorizer, Registry};
use crate::model::error::{EntityKind, Error, ErrorKind, Result};
use crate::model::internal_fault::watch;
use crate::model::invariants::refused;
use crate::model::records::{
    Change, CommitId, Envelope, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug,
};
use crate::plan::{CommitContext, check_assertions, check_separations};
use crate::resolver::snapshot::build::Build;
use crate::store::{Base, Commit, StoreError};

enum CreationOutcome {
    Created,
    Aborted,
    InDoubt,
}

/// Keeps the queue of creations under a slug in the registry. The last one to be dropped removes it, unless a creation is
/// in doubt. A dropped future therefore leaves nothing behind.
struct Creation {
    registry: Arc<Registry>,
    slug: TenantSlug,
    queue: Arc<CreationQueue>,
}

impl Deref for Creation {
    type Target = CreationQueue;

    fn deref(&self) -> &CreationQueue {
        &self.queue
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        self.registry.release_creation(&self.slug);
    }
}

impl Authorizer {
    /// Creates a tenant that contains only the catalog.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme-corp", "Acme Corp")?;
    /// assert!(!acme.check("alice", "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists),
    /// [`Unavailable`](crate::ErrorKind::Unavailable); [`InDoubt`](crate::ErrorKind::InDoubt) if it is not known
    /// whether the tenant was created. The next call that opens or creates this slug finds out.
    /// [`Blocked`](crate::ErrorKind::Blocked) if an earlier creation under this slug is in doubt, and nothing was sent.
    /// [`TooLarge`](crate::ErrorKind::TooLarge), [`UnsupportedRecord`](crate::ErrorKind::UnsupportedRecord) or
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the store refused the commit: no tenant was created.
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update.
    pub async fn create_tenant(&self, slug: &str, name: &str) -> Result<Tenant> {
        let tenant = TenantRecord { slug: TenantSlug::new(slug)?, name: Name::new(name)? };
        self.create(tenant.slug.clone(), vec![Change::added(Record::Tenant(tenant))]).await
    }

    /// Creates a tenant with this display name and a slug derived from it (R10).
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// authorizer.create_tenant_with_name("Acme Corp")?;
    /// assert!(authorizer.tenant("acme-corp").is_ok());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Authorizer::create_tenant`].
    pub async fn create_tenant_with_name(&self, name: &str) -> Result<Tenant> {
        self.create_tenant(TenantSlug::from_name(name)?.as_str(), name).await.map_err(|error| error.derived_slug(name))
    }

    /// Creates a tenant with these records, in one commit.
    pub(super) async fn create(&self, slug: TenantSlug, changes: Vec<Change>) -> Result<Tenant> {
        reject_nested()?;
        let creation = self.creation(&slug);
        let turn = creation.write_queue.take().await;
        let authorizer = self.clone();
        let create = async move {
            let _turn = turn;
            authorizer.resolve_creation_in_turn(&creation, &slug).await?;
            authorizer.commit_creation(&creation, &slug, changes).await
        };
        detached(self.shared.runtime.as_ref(), create).await.map_err(stopped)?
    }

    fn creation(&self, slug: &TenantSlug) -> Creation {
        let queue = self.registry.creation_queue(slug);
        Creation { registry: Arc::clone(&self.registry), slug: slug.clone(), queue }
    }

    async fn commit_creation(
        &self,
        creation: &CreationQueue,
        slug: &TenantSlug,
        changes: Vec<Change>,
    ) -> Result<Tenant> {
        let context = CommitContext::new(&*self.shared.clock);
        let tenant_id = TenantId::random();
        let catalog = Arc::clone(&self.shared.catalog);
        let fingerprint = catalog.definition.fingerprint();
        let mut build = Build::new(Arc::clone(&catalog), Arc::new(catalog.open()));
        for record in changes.iter().filter_map(Change::after) {
            build.push(record);
        }
        let position = Position { tenant_id, revision: Revision::FIRST, commit: context.commit };
        let compiled = build.finish(position).map_err(|violations| refused(&violations))?;
        watch(|| check_separations(&catalog.state, &compiled.state, &changes, context.at))??;
        watch(|| check_assertions(&catalog.state, &compiled, &changes, context.at))??;
        let envelope = Envelope {
            id: context.commit,
            previous: None,
            actor: None,
            at: context.at,
            note: None,
            catalog: fingerprint,
        };
        let pending = Arc::new(PendingCreate { tenant_id, envelope, changes });

        // Set before the store is called: if this future is dropped, the next request for the slug resolves the
        // creation.
        creation.set_pending(Some(Arc::clone(&pending)));
        let write_state = self.registry.write_state(tenant_id);
        let turn = write_state.write_queue.take().await;
        let asked = self.shared.staleness.asked();
        let span = Span::commit(tenant_id, None, pending.envelope.id, pending.changes.len());
        match span.around(self.shared.store.commit(pending.as_commit())).await {
            Ok(Revision::FIRST) => {
                creation.set_pending(None);
                let write_state = self.registry.write_state(tenant_id);
                let inner = Inner::open(Arc::clone(&self.shared), write_state, compiled, asked);
                self.registry.insert_open(tenant_id, &inner);
                inner.record(TenantEvent::Committed(Revision::FIRST));
                Ok(Tenant(inner))
            }
            Err(
                error @ (StoreError::SlugTaken
                | StoreError::TooLarge(_)
                | StoreError::UnsupportedRecord(_)
                | StoreError::Corrupt(_)
                | StoreError::Unavailable(_)),
            ) => {
                creation.set_pending(None);
                let error = store_error(error, slug.as_str()).of_refused_commit();
                self.shared.record(tenant_id, TenantEvent::CommitFailed(error.kind()));
                Err(error)
            }
            // In doubt, or an answer that a correct store never gives to the first commit of a new tenant.
            Ok(_) | Err(_) => {
                drop(turn);
                self.shared.record(tenant_id, TenantEvent::InDoubt(pending.envelope.id));
                match self.find_out(creation, &pending).await {
                    CreationOutcome::Created => {
                        self.open(tenant_id).await.map_err(|error| created_but_not_opened(error, slug, &pending))
                    }
                    CreationOutcome::Aborted => Err(Error::already_exists(EntityKind::Tenant, slug.as_str())),
                    CreationOutcome::InDoubt => Err(Error::in_doubt(pending.envelope.id).advise(CREATION_ADVICE)),
                }
            }
        }
    }

    /// Resolves a creation in doubt under this slug, if there is one.
    pub(super) async fn resolve_creation(&self, slug: &TenantSlug) -> Result<()> {
        if !self.registry.has_creation(slug) {
            return Ok(());
        }
        let creation = self.creation(slug);
        let turn = creation.write_queue.take().await;
        let (authorizer, slug) = (self.clone(), slug.clone());
        let resolve = async move {
            let _turn = turn;
            authorizer.resolve_creation_in_turn(&creation, &slug).await
        };
        detached(self.shared.runtime.as_ref(), resolve).await?
    }

    async fn resolve_creation_in_turn(&self, creation: &CreationQueue, slug: &TenantSlug) -> Result<()> {
        let Some(pending) = creation.pending() else { return Ok(()) };
        match self.find_out(creation, &pending).await {
            CreationOutcome::Created | CreationOutcome::Aborted => Ok(()),
            CreationOutcome::InDoubt => {
                Err(Error::blocked(pending.envelope.id).about(EntityKind::Tenant, slug.as_str()))
            }
        }
    }

    /// Sends the same creation again. The store returns `Conflict` if the tenant exists and `Deleted` if it was deleted
    /// (S1). If the store rejects the creation permanently, an empty commit deletes the tenant before it is created.
    /// A late copy of the creation can then no longer be applied.
    async fn find_out(&self, creation: &CreationQueue, pending: &PendingCreate) -> CreationOutcome {
        let send = self.shared.store.commit(pending.as_commit());
        let outcome = match Span::resolve(pending.tenant_id, pending.envelope.id).around(send).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => CreationOutcome::Created,
            Err(StoreError::Deleted) => CreationOutcome::Aborted,
            Err(StoreError::Unavailable(_) | StoreError::InDoubt(_)) => CreationOutcome::InDoubt,
            Err(_) => {
                let envelope = Envelope { id: CommitId::random(), ..pending.envelope.clone() };
                let nothing = Commit { base: Base::Create(pending.tenant_id), envelope: &envelope, changes: &[] };
                match self.shared.store.commit(nothing).await {
                    Ok(_) | Err(StoreError::Deleted) => CreationOutcome::Aborted,
                    Err(StoreError::Conflict { .. }) => CreationOutcome::Created,
                    Err(_) => CreationOutcome::InDoubt,
                }
            }
        };
        let resolved = match outcome {
            CreationOutcome::Created => Outcome::Committed(Revision::FIRST),
            CreationOutcome::Aborted => Outcome::Aborted,
            CreationOutcome::InDoubt => return outcome,
        };
        self.shared.record(pending.tenant_id, TenantEvent::Resolved(pending.envelope.id, resolved));
        creation.set_pending(None);
        outcome
    }
}

/// The advice about a creation in doubt.
const CREATION_ADVICE: &str = "open the tenant by its slug to find out, before you create it again";

/// The error of a creation whose task the runtime has stopped.
fn stopped(stopped: Stopped) -> Error {
    let error = Error::from(stopped);
    match stopped {
        Stopped::BeforeItBegan => error,
        Stopped::HalfWay => Error::new(ErrorKind::InDoubt)
            .reason("the task of the creation was stopped before it finished")
            .advise(CREATION_ADVICE),
    }
}

/// The error for a tenant that was created and could not be opened. It must not say that nothing happened: the next
/// request for the slug opens the tenant. If the tenant is already deleted, the slug counts as taken, as for an aborted
/// creation.
fn created_but_not_opened(error: Error, slug: &TenantSlug, pending: &PendingCreate) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Deleted => Error::already_exists(EntityKind::Tenant, slug.as_str()),
        _ => {
            let problem = format!("tenant `{slug}` was created, but could not be opened: {}", error.kind().title());
            let advice = "open it by its slug; do not create it again";
            Error::in_doubt(pending.envelope.id).in_words(problem).advise(advice).because(error)
        }
    }
}
