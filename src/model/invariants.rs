//! The invariants of every state of a tenant. `src/docs/rules.md` lists I1 to I13. A load fails with a list of
//! violations if the content of the store breaks one of I1 to I6, or I12. I7 to I11 and I13 concern the compiled form
//! only; tests check them after every step.

use std::fmt;

use crate::model::error::{CycleNames, EntityKind, Error, InvariantViolation, Quoted, ViolationCode};
use crate::model::internal_fault::InternalFault;
use crate::model::records::{Holder, RecordKey};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// I1
    Dangling { edge: RecordKey, entity: EntityKind },
    /// I2
    Duplicate { entity: EntityKind, name: String },
    /// I3
    Cycle { entity: EntityKind, names: Vec<String> },
    /// I4
    Mismatch { key: RecordKey },
    /// I12
    DuplicateExternalId { entity: EntityKind, manager: String, id: String },
    /// I12
    NotManaged { key: RecordKey },
    /// I5
    NoTenant,
    /// I6
    NotOwn { key: RecordKey },
    /// A record of a kind that this release does not know.
    UnknownKind,
    /// More entities of one kind than can be numbered.
    TooManyEntities,
    /// A bug in this crate, not a fault of the data.
    Internal(InternalFault),
}

impl Violation {
    /// Returns the violation in the public form that an error lists.
    pub(crate) fn to_public(&self) -> InvariantViolation {
        InvariantViolation { code: self.code(), entity: self.entity(), names: self.names(), message: self.to_string() }
    }

    fn code(&self) -> ViolationCode {
        match self {
            Self::Dangling { .. } => ViolationCode::DanglingReference,
            Self::Duplicate { .. } | Self::DuplicateExternalId { .. } => ViolationCode::Duplicate,
            Self::Cycle { .. } => ViolationCode::Cycle,
            Self::Mismatch { .. } | Self::NotManaged { .. } => ViolationCode::Mismatch,
            Self::NoTenant => ViolationCode::TenantRecord,
            Self::NotOwn { .. } => ViolationCode::WrongOrigin,
            Self::UnknownKind => ViolationCode::UnknownRecord,
            Self::TooManyEntities => ViolationCode::TooManyEntities,
            Self::Internal(_) => ViolationCode::Internal,
        }
    }

    fn entity(&self) -> Option<EntityKind> {
        match self {
            Self::Dangling { entity, .. }
            | Self::Duplicate { entity, .. }
            | Self::DuplicateExternalId { entity, .. }
            | Self::Cycle { entity, .. } => Some(*entity),
            Self::NoTenant => Some(EntityKind::Tenant),
            Self::Mismatch { .. }
            | Self::NotManaged { .. }
            | Self::NotOwn { .. }
            | Self::UnknownKind
            | Self::TooManyEntities
            | Self::Internal(_) => None,
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Duplicate { name, .. } => vec![name.clone()],
            Self::DuplicateExternalId { manager, id, .. } => vec![manager.clone(), id.clone()],
            Self::Cycle { names, .. } => CycleNames::new(names.clone()).names,
            Self::Dangling { .. }
            | Self::Mismatch { .. }
            | Self::NotManaged { .. }
            | Self::NoTenant
            | Self::NotOwn { .. }
            | Self::UnknownKind
            | Self::TooManyEntities
            | Self::Internal(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling { edge, entity } => {
                write!(f, "I1: {} refers to a {entity} that does not exist", Named(edge))
            }
            Self::Duplicate { entity, name } => write!(f, "I2: two {entity}s have the name or id {}", Quoted(name)),
            Self::Cycle { entity, names } => {
                write!(f, "I3: cycle of {entity}s: {}", CycleNames::new(names.clone()).of(*entity))
            }
            Self::Mismatch { key } => {
                write!(f, "I4: {} is stored twice, or a change does not match it", Named(key))
            }
            Self::DuplicateExternalId { entity, manager, id } => {
                write!(f, "I12: two {entity}s have the external id {} of {}", Quoted(id), Quoted(manager))
            }
            Self::NotManaged { key } => write!(f, "I12: {} has an external id without a manager", Named(key)),
            Self::NoTenant => f.write_str("I5: expected exactly one tenant record"),
            Self::NotOwn { key } => write!(f, "I6: {} refers to a catalog entry as the tenant's own", Named(key)),
            Self::UnknownKind => f.write_str("a record has a kind that this release does not know"),
            Self::TooManyEntities => f.write_str("too many entities of one kind"),
            Self::Internal(InternalFault(what)) => f.write_str(what),
        }
    }
}

/// Formats the record with a key for a message.
struct Named<'a>(&'a RecordKey);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RecordKey::Tenant => f.write_str("tenant"),
            RecordKey::Permission(id) => write!(f, "permission {id}"),
            RecordKey::Role(id) => write!(f, "role {id}"),
            RecordKey::Group(id) => write!(f, "group {id}"),
            RecordKey::User(id) => write!(f, "user {id}"),
            RecordKey::Grant(role, permission) => write!(f, "grant of permission {permission} by role {role}"),
            RecordKey::GrantPattern(role, pattern) => write!(f, "grant of {} by role {role}", Quoted(pattern.as_str())),
            RecordKey::Inclusion(role, included) => write!(f, "inclusion of role {included} in role {role}"),
            RecordKey::Parent(group, parent) => write!(f, "parent {parent} of group {group}"),
            RecordKey::Assignment(role, Holder::User(user)) => write!(f, "assignment of role {role} to user {user}"),
            RecordKey::Assignment(role, Holder::Group(group)) => {
                write!(f, "assignment of role {role} to group {group}")
            }
            RecordKey::Membership(user, group) => write!(f, "membership of user {user} in group {group}"),
            RecordKey::Separation(id) => write!(f, "separation {id}"),
            RecordKey::Assertion(id) => write!(f, "assertion {id}"),
        }
    }
}

/// Returns the error for invalid content: `Internal` for a fault of this crate, otherwise `Corrupt`.
pub(crate) fn refused(violations: &[Violation]) -> Error {
    const MOST: usize = 100;
    if let Some(fault) = internal_fault(violations) {
        return fault.error("the snapshot was not published");
    }
    let mut listed: Vec<InvariantViolation> = violations.iter().take(MOST).map(Violation::to_public).collect();
    listed.sort_by(|a, b| a.message.cmp(&b.message));
    Error::violating(listed, violations.len().saturating_sub(MOST))
}

/// Returns the first internal fault among these.
pub(crate) fn internal_fault(violations: &[Violation]) -> Option<InternalFault> {
    violations.iter().find_map(|violation| match violation {
        Violation::Internal(fault) => Some(*fault),
        _ => None,
    })
}
