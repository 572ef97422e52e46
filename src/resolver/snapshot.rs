//! The snapshot: one tenant at one revision, compiled for questions, immutable.
//!
//! `state.rs` defines the parts of a snapshot. `build.rs` makes one from records (users in `bulk_load.rs`),
//! `advance.rs` makes the next one from changes, and `walk.rs` traverses one. Questions are asked on a moment of it
//! ([`crate::Moment`]).

#[cfg(test)]
pub(crate) mod verify;
pub(crate) mod advance;
pub(crate) mod past;
pub(crate) mod build;
pub(crate) mod compiled_catalog;
pub(crate) mod row_cache;
pub(crate) mod bulk_load;
pub(crate) mod edit;
pub(crate) mod session;
pub(crate) mod rights;
pub(crate) mod reverse;
pub(crate) mod walk;
pub(crate) mod names;
pub(crate) mod conflicts;
pub(crate) mod stored;
pub(crate) mod state;
pub(crate) mod user_index;
pub(crate) mod index_entry;
mod steady_span;
pub(crate) mod user_summaries;
pub(crate) mod columns;
mod column_places;
pub(crate) mod pattern_index;
pub(crate) mod reverse_grants;
pub(crate) mod entity_rows;
pub(crate) mod table;
pub(crate) mod edges;
pub(crate) mod edge;
pub(crate) mod source;

use std::fmt;
use std::sync::Arc;

pub use self::conflicts::{ReservedSlug, SlugConflict};
pub use self::names::{AsGroup, AsPermission, AsRole, AsUser, External, PermissionHandle, UserHandle};

use self::compiled_catalog::CompiledCatalog;
use self::session::Session;
use self::state::State;
use crate::model::error::ErrorKind;
use crate::model::records::{Name, Position, Revision, TenantId, TenantSlug};

/// A tenant at one revision, in memory, immutable.
///
/// A clone costs a reference count. If the tenant was unavailable when the snapshot was taken, every question
/// on it is denied with that reason.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_role("reader")?.grant("posts:read")?;
/// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
/// #     tx.create_group("staff")?;
/// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
/// #     tx.create_user("alice")?.join("engineering")?;
/// #     tx.create_user("bob")?.assign("reader")?;
/// #     Ok(())
/// # })?;
/// let before = acme.snapshot();
/// acme.update(|tx| tx.delete_user("alice"))?;
/// let instant = acme.now().instant();
/// assert!(before.at(instant).check("alice", "posts:write"), "the old revision");
/// assert!(!acme.check("alice", "posts:write"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<CompiledTenant>);

/// The content of a snapshot. The order of the fields matters, as in the state: what every check reads comes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct CompiledTenant {
    pub(crate) availability: Availability,
    pub(crate) session: Arc<Session>,
    pub(crate) state: State,
    pub(crate) catalog: Arc<CompiledCatalog>,
    pub(crate) position: Position,
}

/// Whether a snapshot answers questions, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Availability {
    /// It answers questions.
    Serving,
    /// The store has not confirmed the state for longer than the bound on staleness.
    Unconfirmed,
    /// A commit of this tenant is in doubt.
    InDoubt,
    /// The last refresh rejected the content of the store.
    InvalidContent,
    /// An internal invariant was broken when the next snapshot was made or published.
    Broken,
    /// The tenant was closed.
    Closed,
    /// The tenant was deleted.
    Deleted,
}

impl Availability {
    /// Whether this availability is final.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Deleted)
    }

    /// The error of a call that cannot return a value which says that the tenant is unavailable.
    pub(crate) fn refusal(self) -> Option<ErrorKind> {
        match self {
            Self::Serving => None,
            Self::Unconfirmed => Some(ErrorKind::Unavailable),
            Self::InDoubt => Some(ErrorKind::Blocked),
            Self::InvalidContent => Some(ErrorKind::Corrupt),
            Self::Broken => Some(ErrorKind::Internal),
            Self::Closed => Some(ErrorKind::Closed),
            Self::Deleted => Some(ErrorKind::Deleted),
        }
    }
}

impl Snapshot {
    /// Returns the id of the tenant.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.snapshot().tenant_id(), acme.tenant_id());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn tenant_id(&self) -> TenantId {
        self.0.position.tenant_id
    }

    /// Returns the revision.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// assert_eq!(acme.snapshot().revision(), acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn revision(&self) -> Revision {
        self.0.position.revision
    }

    /// Returns the position in the tenant's history: the token that processes exchange.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let position = acme.snapshot().position();
    /// assert_eq!(position.revision, acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// Returns the tenant's slug at this revision; `None` in the revision that deleted the tenant.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert_eq!(acme.snapshot().slug(), Some(&"acme".parse()?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn slug(&self) -> Option<&TenantSlug> {
        self.0.state.tenant.as_ref().map(|tenant| &tenant.slug)
    }

    /// Returns the tenant's name at this revision; `None` in the revision that deleted the tenant.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme Corp")?;
    /// assert_eq!(acme.snapshot().name(), Some(&"Acme Corp".parse()?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn name(&self) -> Option<&Name> {
        self.0.state.tenant.as_ref().map(|tenant| &tenant.name)
    }
}

impl CompiledTenant {
    /// The same state with another availability.
    pub(crate) fn with_availability(&self, availability: Availability) -> Self {
        Self { availability, ..self.clone() }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("tenant_id", &self.tenant_id())
            .field("revision", &self.revision())
            .field("availability", &self.0.availability)
            .finish_non_exhaustive()
    }
}
