//! Applies the commits of other writers, from the history or by a full load.

use std::sync::Arc;

use super::store_error::store_error;
use super::telemetry::TenantEvent;
use super::tenant::Inner;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::invariants::{Violation, internal_fault, refused};
use crate::model::records::{Change, Position, Record, RecordKind, Revision, TenantId};
use crate::resolver::snapshot::advance::Unfit;
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::session::News;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::{Availability, CompiledTenant};
use crate::store::{DynStore, Since, Sink, Stop, StoreError, StoredCommit};

const NOT_PUBLISHED: &str = "the tenant is out of service until a refresh succeeds";

/// The result of a load.
pub(super) enum Loaded {
    Tenant(Box<CompiledTenant>),
    Deleted,
}

/// The tenant to load, and the session and numbers that the load continues.
pub(super) struct Earlier<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) state: Option<&'a State>,
    pub(super) session: Arc<crate::resolver::snapshot::session::Session>,
    pub(super) catalog: Arc<crate::resolver::snapshot::compiled_catalog::CompiledCatalog>,
}

impl Inner {
    /// Asks the store for the commits since the current snapshot, and applies them.
    pub(super) async fn sync(&self) -> Result<()> {
        let position = self.current.guard().position;
        let answer = self.store().since(position).await;
        self.take_in(answer).await
    }

    pub(super) async fn take_in(&self, answer: Result<Since, StoreError>) -> Result<()> {
        self.apply(answer).await.inspect_err(|error| self.record_failed_refresh(error))
    }

    async fn apply(&self, answer: Result<Since, StoreError>) -> Result<()> {
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

    /// Applies these commits. If they do not fit, or the current snapshot is out of service, loads the whole tenant.
    pub(super) async fn follow(&self, commits: Vec<StoredCommit>) -> Result<()> {
        if self.is_broken() {
            return self.reload().await;
        }
        let present = self.current.load();
        let newer = commits.iter().filter(|commit| commit.revision > present.position.revision);
        let steps = newer.map(|commit| (commit.revision, &commit.envelope, commit.changes.as_slice()));
        match present.advance(steps) {
            Ok(next) => {
                let changes: Vec<&[Change]> = commits.iter().map(|commit| commit.changes.as_slice()).collect();
                let revision = next.position.revision;
                self.publish(Arc::new(next), News::Changes(&changes)).map_err(|fault| fault.error(NOT_PUBLISHED))?;
                if !commits.is_empty() {
                    self.record(TenantEvent::Followed(commits.len(), revision));
                }
                Ok(())
            }
            Err(Unfit::Internal(fault)) => {
                self.current.set_availability(Availability::Broken);
                Err(fault.error(NOT_PUBLISHED))
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

    /// Publishes a loaded snapshot, unless the store went back in history.
    pub(super) fn accept(&self, loaded: Box<CompiledTenant>) -> Result<()> {
        let (present, found) = (self.current.guard().position, loaded.position);
        let other = found.revision == present.revision && found.commit != present.commit;
        if found.revision < present.revision || other {
            self.current.set_availability(Availability::InvalidContent);
            let reason = if other {
                format!(
                    "the store has another history: expected commit {} at revision {}, found {}",
                    present.commit, present.revision, found.commit
                )
            } else {
                format!(
                    "the store went back in history: expected revision {} or later, found {}",
                    present.revision, found.revision
                )
            };
            return Err(Error::new(ErrorKind::Corrupt).reason(reason));
        }
        let revision = loaded.position.revision;
        self.publish(Arc::from(loaded), News::All).map_err(|fault| fault.error(NOT_PUBLISHED))?;
        self.record(TenantEvent::Reloaded(revision));
        Ok(())
    }

    /// Loads the whole tenant, and keeps the numbers of the current snapshot.
    pub(super) async fn load(&self) -> Result<Loaded> {
        let present = self.current.load();
        let earlier = Earlier {
            tenant_id: self.tenant_id,
            state: Some(&present.state),
            session: Arc::clone(&self.session),
            catalog: Arc::clone(&self.shared.catalog),
        };
        match load(self.store(), earlier).await {
            Ok(loaded) => Ok(loaded),
            Err(Unloaded::Store(error)) => Err(self.failed(error)),
            Err(Unloaded::Invalid(violations)) => {
                let is_internal = internal_fault(&violations).is_some();
                let broken = if is_internal { Availability::Broken } else { Availability::InvalidContent };
                self.current.set_availability(broken);
                Err(refused(&violations))
            }
        }
    }

    /// Records a failed refresh. If the content is damaged, every check is denied; any other failure is only lag.
    fn failed(&self, error: StoreError) -> Error {
        self.refresh_failed();
        if matches!(error, StoreError::Corrupt(_) | StoreError::UnsupportedRecord(_) | StoreError::Stopped) {
            self.current.set_availability(Availability::InvalidContent);
        }
        store_error(error, "")
    }
}

/// The reason why a load failed.
pub(super) enum Unloaded {
    Store(StoreError),
    Invalid(Vec<Violation>),
}

pub(super) async fn load(store: &dyn DynStore, earlier: Earlier<'_>) -> Result<Loaded, Unloaded> {
    let Earlier { tenant_id, state, session, catalog } = earlier;
    let build = Build::new(catalog, session);
    // Before the first record, so that each id keeps its number.
    let build = match state {
        Some(state) => build.keeping_numbers_of(state),
        None => build,
    };
    let mut sink = BuildSink { build, stopped: false, last: RecordKind::Tenant, misplaced: None };
    let at: Option<Position> = match store.load(tenant_id, &mut sink).await {
        Err(StoreError::Stopped) if sink.stopped => None,
        answer => match answer.map_err(Unloaded::Store)? {
            Some(at) if at.tenant_id != tenant_id => {
                let other = format!("a load of tenant {tenant_id} returned a position of tenant {}", at.tenant_id);
                return Err(Unloaded::Store(StoreError::corrupt(other)));
            }
            Some(at) => Some(at),
            None => return Ok(Loaded::Deleted),
        },
    };
    let BuildSink { build, misplaced, .. } = sink;
    // A load that was stopped has violations, so this placeholder position is never used.
    let at = at.unwrap_or(Position {
        tenant_id,
        revision: Revision::FIRST,
        commit: crate::model::records::CommitId::from_uuid(uuid::Uuid::nil()),
    });
    let compiled = build.finish(at).map_err(|violations| match misplaced {
        // Every record may be there: a relation came before its entities.
        Some((found, after)) if violations.iter().any(|v| matches!(v, Violation::Dangling { .. })) => {
            Unloaded::Store(StoreError::corrupt(format!(
                "the load returned a record of kind `{found}` after one of kind `{after}`; \
                 records must come in the order of `RecordKind`"
            )))
        }
        _ => Unloaded::Invalid(violations),
    })?;
    Ok(Loaded::Tenant(Box::new(compiled)))
}

/// Builds a snapshot from the records of a load.
struct BuildSink {
    build: Build,
    stopped: bool,
    last: RecordKind,
    /// The first record that came too late, and the kind before it.
    misplaced: Option<(RecordKind, RecordKind)>,
}

impl Sink for BuildSink {
    fn push(&mut self, record: Record) -> Result<(), Stop> {
        let kind = record.kind();
        if kind < self.last && self.misplaced.is_none() {
            self.misplaced = Some((kind, self.last));
        }
        self.last = kind;
        self.stopped |= !self.build.push(&record);
        if self.stopped { Err(Stop) } else { Ok(()) }
    }
}
