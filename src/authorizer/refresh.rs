//! Seeing what other writers did.

use std::sync::Arc;

use super::commit::{reject_nested, store_error};
use super::tenant::{Inner, Tenant};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::invariants::{Violation, refused};
use crate::model::records::{Position, Record, Revision, TenantId};
use crate::resolver::snapshot::advance::Unfit;
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::{Availability, CompiledTenant};
use crate::store::{DynStore, Since, Sink, Stop, StoreError, StoredCommit};

impl Tenant {
    /// Brings the tenant up to its store, and returns the revision.
    ///
    /// # Consistency
    /// Readers see the old snapshot until the new one is whole. If the store cannot be reached, they go on seeing it,
    /// and [`Tenant::lag`] counts. If what the store holds is refused, the tenant denies until a refresh succeeds.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable), [`InDoubt`](ErrorKind::InDoubt), [`Corrupt`](ErrorKind::Corrupt),
    /// [`CatalogConflict`](ErrorKind::CatalogConflict), [`Closed`](ErrorKind::Closed), [`Deleted`](ErrorKind::Deleted).
    pub async fn refresh(&self) -> Result<Revision> {
        reject_nested()?;
        let _turn = self.0.slot.write_queue.take().await;
        self.0.alive()?;
        self.0.resolve_pending().await?;
        self.0.sync().await?;
        self.0.alive()?;
        Ok(self.revision())
    }

    /// Closes the tenant: it answers nothing any more, and gives its memory back once nobody holds it. Opening it again
    /// makes another one. A commit that is unsettled is settled first; where that cannot be done, it is kept for the next
    /// opening.
    ///
    /// # Errors
    /// [`NestedUpdate`](ErrorKind::NestedUpdate) inside the closure of an update.
    pub async fn close(&self) -> Result<()> {
        reject_nested()?;
        let _turn = self.0.slot.write_queue.take().await;
        // What is pending of a life belongs to its newest opening: an older one that was closed leaves it alone.
        if self.0.alive().is_ok() && self.0.slot.pending().is_some() {
            // What cannot be settled now stays with the slot.
            drop(self.0.resolve_pending().await);
        }
        self.0.current.set_availability(Availability::Closed);
        self.0.session.close();
        if let Some(registry) = self.0.registry.upgrade() {
            registry.forget(self.tenant_id(), &self.0);
        }
        Ok(())
    }
}

/// What a load found.
pub(super) enum Loaded {
    Tenant(Box<CompiledTenant>),
    Deleted,
}

/// Whose numbers a load keeps, and whose life it is.
pub(super) struct Earlier<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) state: Option<&'a State>,
    pub(super) session: Arc<crate::resolver::snapshot::session::Session>,
    pub(super) base: Arc<crate::resolver::snapshot::compiled_catalog::Base>,
    pub(super) repair: bool,
}

impl Inner {
    /// Asks the store what happened since the snapshot in hand, and takes it in.
    pub(super) async fn sync(&self) -> Result<()> {
        let position = self.current.guard().position;
        let answer = self.shared.store.since(position).await;
        self.take_in(answer).await
    }

    pub(super) async fn take_in(&self, answer: Result<Since, StoreError>) -> Result<()> {
        match answer {
            Ok(Since::Commits(commits)) => self.follow(commits).await,
            Ok(Since::TooOld) => self.reload().await,
            Ok(Since::Deleted) => {
                self.ended();
                Err(Error::new(ErrorKind::Deleted))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Advances by these commits; where they do not fit, loads the whole.
    pub(super) async fn follow(&self, commits: Vec<StoredCommit>) -> Result<()> {
        let present = self.current.load();
        let newer = commits.iter().filter(|commit| commit.revision > present.position.revision);
        let steps = newer.map(|commit| (commit.revision, &commit.envelope, commit.changes.as_slice()));
        match present.advance(steps) {
            Ok(next) => {
                let next = Arc::new(next);
                self.publish(Arc::clone(&next));
                self.session.published(&next, commits.iter().flat_map(|commit| &commit.changes));
                Ok(())
            }
            Err(Unfit::OutOfOrder | Unfit::Broken) => self.reload().await,
        }
    }

    async fn reload(&self) -> Result<()> {
        match self.load().await? {
            Loaded::Tenant(compiled) => self.accept(compiled),
            Loaded::Deleted => {
                self.ended();
                Err(Error::new(ErrorKind::Deleted))
            }
        }
    }

    /// Publishes what was loaded, unless the history went back.
    pub(super) fn accept(&self, loaded: Box<CompiledTenant>) -> Result<()> {
        let (present, found) = (self.current.guard().position, loaded.position);
        let other = found.revision == present.revision && found.commit != present.commit;
        if found.revision < present.revision || other {
            self.current.set_availability(Availability::InvalidContent);
            let detail = format!("the history went back: revision {} is in hand", present.revision);
            return Err(Error::new(ErrorKind::Corrupt).detail(detail));
        }
        let loaded = Arc::from(loaded);
        self.session.published_all(&loaded);
        self.publish(loaded);
        Ok(())
    }

    /// Loads the whole, with the numbers of the snapshot in hand.
    pub(super) async fn load(&self) -> Result<Loaded> {
        let present = self.current.load();
        let earlier = Earlier {
            tenant_id: self.tenant_id,
            state: Some(&present.state),
            session: Arc::clone(&self.session),
            base: Arc::clone(&self.shared.base),
            repair: self.repair,
        };
        match load(&*self.shared.store, earlier).await {
            Ok(loaded) => Ok(loaded),
            Err(Unloaded::Store(error)) => Err(self.failed(error)),
            Err(Unloaded::Invalid(violations)) => {
                self.current.set_availability(Availability::InvalidContent);
                Err(refused(&violations))
            }
        }
    }

    /// What a failed refresh means: damage is refused, anything else is lag.
    fn failed(&self, error: StoreError) -> Error {
        self.refresh_failed();
        if matches!(error, StoreError::Corrupt(_) | StoreError::UnsupportedRecord(_) | StoreError::Stopped) {
            self.current.set_availability(Availability::InvalidContent);
        }
        store_error(error, "")
    }
}

/// Why a load came to nothing.
pub(super) enum Unloaded {
    Store(StoreError),
    Invalid(Vec<Violation>),
}

pub(super) async fn load(store: &dyn DynStore, earlier: Earlier<'_>) -> Result<Loaded, Unloaded> {
    struct BuildSink(Build, bool);
    impl Sink for BuildSink {
        fn push(&mut self, record: Record) -> Result<(), Stop> {
            self.1 |= !self.0.push(&record);
            if self.1 { Err(Stop) } else { Ok(()) }
        }
    }

    let Earlier { tenant_id, state, session, base, repair } = earlier;
    let build = Build::new(base, session, repair);
    // Before the first record: what number an id was met as, it keeps.
    let build = match state {
        Some(state) => build.keeping_numbers_of(state),
        None => build,
    };
    let mut sink = BuildSink(build, false);
    let at: Option<Position> = match store.load(tenant_id, &mut sink).await {
        Err(StoreError::Stopped) if sink.1 => None,
        answer => match answer.map_err(Unloaded::Store)? {
            Some(at) if at.tenant_id != tenant_id => {
                let other = format!("a load of tenant {tenant_id} returned a position of tenant {}", at.tenant_id);
                return Err(Unloaded::Store(StoreError::corrupt(other)));
            }
            Some(at) => Some(at),
            None => return Ok(Loaded::Deleted),
        },
    };
    let BuildSink(build, _) = sink;
    // A load that was stopped has violations, so the position it lacks is never used.
    let at = at.unwrap_or(Position {
        tenant_id,
        revision: Revision::FIRST,
        commit: crate::model::records::CommitId::from_uuid(uuid::Uuid::nil()),
    });
    build.finish(at).map(|compiled| Loaded::Tenant(Box::new(compiled))).map_err(Unloaded::Invalid)
}
