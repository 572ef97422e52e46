//! Access reviews: what an auditor asks of a tenant. The report of who has what, what begins and ends, and a lint.
//!
//! Each is a question on a [`Moment`] or a [`Snapshot`], and returns an iterator. Nothing is collected, so a tenant with a
//! million users is read in bounded memory.
//!
//! | question | call |
//! |---|---|
//! | which user has which permission, through what, and until when | [`Moment::access_report`] |
//! | which memberships, assignments and parent links begin or end within a span | [`Moment::window_changes`] |
//! | everything unused, covered, expired or easy to mistake for something else | [`Moment::lint`] |
//! | what the catalog of the next release would change | [`Snapshot::reconcile`] |
//! | who granted it, and when | [`Moment::records_behind`] a row, and [`Tenant::last_change`](crate::Tenant::last_change) of each |
//!
//! [`docs::review`](crate::docs::review) maps the functions of the RBAC standard to the methods of this crate.
//!
//! Deliberately absent from a row: who granted it. A snapshot has no history. A store may have one
//! ([`store::History`](crate::store::History)).

mod provenance;
mod access;
mod reconciliation;
mod lint;
mod changes;

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

pub use self::access::{AccessReport, AccessRow, AccessRows};
pub use self::changes::{Bound, WindowChange, WindowChanges};
pub use self::lint::{Accepted, Code, Finding, Lint, Severity};
pub use self::reconciliation::{AccessCount, Reconciliation};
use crate::model::error::{EntityKind, Quoted};
use crate::resolver::snapshot::table::{Row, Table};
#[cfg(doc)]
use crate::{Moment, Snapshot};

/// An entity that a row or a finding names.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| { tx.create_user("alice")?; tx.create_group("staff")?.done() })?;
/// let finding = acme.now().lint().next().unwrap();
/// assert_eq!((finding.place.name.as_str(), finding.place.to_string().as_str()), ("staff", "group `staff`"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct EntityRef {
    /// The kind of entity.
    pub entity: EntityKind,
    /// Its id.
    pub id: Uuid,
    /// Its slug, or the key of a user.
    pub name: String,
}

impl EntityRef {
    fn of<R: Row>(row: &R) -> Self {
        Self { entity: R::ENTITY, id: row.id(), name: row.name().to_owned() }
    }

    fn at<R: Row>(table: &Table<R>, number: u32) -> Option<Self> {
        table.row(number).map(Self::of)
    }
}

/// The kind, and the name in back quotes.
impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entity, Quoted(&self.name))
    }
}
