//! The kinds of errors, with the stable code of each, and the kinds of entities that an error can be about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of entity.
///
/// # Example
/// ```
/// use rolecall::EntityKind;
///
/// assert_eq!(EntityKind::Role.to_string(), "role");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EntityKind {
    /// An isolated environment.
    Tenant,
    /// An action on a resource.
    Permission,
    /// A named set of permissions.
    Role,
    /// A named set of users.
    Group,
    /// A principal.
    User,
    /// A set of roles of which a user may hold only some (R14).
    Separation,
    /// A statement that the tenant must allow or deny something (R17).
    Assertion,
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::Group => "group",
            Self::User => "user",
            Self::Separation => "separation",
            Self::Assertion => "assertion",
        })
    }
}

/// An enum whose variants each have a stable code, which is their name in snake case.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of declaration.
            ///
            /// ```
            #[doc = concat!("use rolecall::error::", stringify!($name), ";")]
            ///
            #[doc = concat!("assert!(", stringify!($name), "::ALL.len() > 1);")]
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the stable code. It never changes for a value, so programs and clients may compare it.
            ///
            /// ```
            #[doc = concat!("use rolecall::error::", stringify!($name), ";")]
            ///
            #[doc = concat!("assert_eq!(", stringify!($name), "::ALL[0].code(), ", stringify!($name), "::ALL[0].to_string());")]
            /// ```
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}
pub(super) use codes;

codes! {
    /// The kinds of [`Error`](crate::Error). Each kind calls for a different reaction and carries different data.
    ///
    /// [`code`](ErrorKind::code) and serde write a kind as its name in snake case. Codes are stable. A later release may
    /// add kinds, so a `match` needs an arm for the others.
    ///
    /// # Example
    /// ```
    /// use rolecall::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::NotFound.code(), "not_found");
    /// assert_eq!(ErrorKind::NotFound.to_string(), "not_found");
    /// assert_eq!(ErrorKind::NotFound.title(), "not found");
    /// assert!(ErrorKind::ALL.iter().any(|kind| kind.code() == "in_doubt"));
    /// ```
    ErrorKind {
        /// A text is not a valid slug, key, name, pattern, window or instant. [`Error::what`](crate::Error::what),
        /// [`Error::expected`](crate::Error::expected) and [`Error::found`](crate::Error::found) describe it.
        Invalid = "invalid",
        /// No entity has this name or id, and [`Error::suggestions`](crate::Error::suggestions) lists similar names. Or
        /// the entities exist and the relation between them does not: [`Error::relation`](crate::Error::relation).
        NotFound = "not_found",
        /// The name or id of a new entity is taken, or the catalog once had the slug (R9).
        AlreadyExists = "already_exists",
        /// A group would become its own ancestor, or a role would include itself.
        /// [`Error::cycle_names`](crate::Error::cycle_names) lists the names around the cycle.
        Cycle = "cycle",
        /// The membership, assignment or parent link already exists with another window, which
        /// [`Error::found`](crate::Error::found) shows. To change a window, use the call that the message names.
        WindowMismatch = "window_mismatch",
        /// The entity belongs to the catalog. A tenant can use it and cannot change it.
        ReadOnly = "read_only",
        /// The slug belongs to a permission or role of the tenant and to one of the catalog, so a write by it is
        /// ambiguous (R9). Rename or delete the tenant's own by its id, which [`Error::found`](crate::Error::found)
        /// shows. [`Snapshot::conflicts`](crate::Snapshot::conflicts) lists all such slugs.
        CatalogConflict = "catalog_conflict",
        /// The slug of a new permission or role of the tenant begins with a prefix that the catalog reserves (R9), which
        /// [`Error::reserved_prefix`](crate::Error::reserved_prefix) returns. Choose another slug.
        Reserved = "reserved",
        /// A document has mistakes. [`Error::mistakes`](crate::Error::mistakes) lists them.
        Document = "document",
        /// A call that uses the store was made inside the closure of an update, on the same thread.
        NestedUpdate = "nested_update",
        /// The tenant has changed since the plan was made. [Rebase](crate::Tenant::rebase) the plan, or plan again. If
        /// the plan cannot be rebased, [`RebaseConflict::of`](crate::plan::RebaseConflict::of) returns the change that
        /// does not apply.
        Stale = "stale",
        /// The plan was made by another tenant, or before the tenant was closed and opened again. A retry does not help.
        /// A plan of the same tenant can be [rebased](crate::Tenant::rebase).
        ForeignPlan = "foreign_plan",
        /// Other writers committed first at every attempt, within the bounds that
        /// [`AuthorizerBuilder::retries`](crate::AuthorizerBuilder::retries) and
        /// [`retry_timeout`](crate::AuthorizerBuilder::retry_timeout) set. Nothing was changed. Call again after a random
        /// pause, or raise the bounds.
        Conflict = "conflict",
        /// This call's own commit may or may not have been applied. [`Error::commit`](crate::Error::commit) is its id,
        /// and [`Tenant::outcome`](crate::Tenant::outcome) returns what became of it. Do not call again before that. After a
        /// creation, open the tenant by its slug instead. A tenant that was certainly created and could not be opened is in
        /// doubt, too; the text says so.
        InDoubt = "in_doubt",
        /// An earlier commit blocks the tenant: it is in doubt, or it is staged and was not finished in time. Nothing of
        /// this call was sent, so call again later. Every call first tries to resolve a commit in doubt.
        /// [`Error::commit`](crate::Error::commit) is the id of the earlier commit.
        Blocked = "blocked",
        /// The store could not be reached. Nothing was changed.
        Unavailable = "unavailable",
        /// The commit is larger than the store accepts. Nothing was changed.
        TooLarge = "too_large",
        /// The store does not support a kind of record. Nothing was changed, or the tenant cannot be loaded.
        UnsupportedRecord = "unsupported_record",
        /// The content of the store breaks invariants, which [`Error::violations`](crate::Error::violations) lists. Or
        /// the store itself reports that its content or the commit is corrupt: the list is empty then, and the text has
        /// the store's reason.
        Corrupt = "corrupt",
        /// The tenant was closed. Open it again.
        Closed = "closed",
        /// The tenant was deleted.
        Deleted = "deleted",
        /// Since the tenant was opened, it has had more entities of one kind than it can number: 1,073,741,823. Close the
        /// tenant and open it again.
        TooManyEntities = "too_many_entities",
        /// The application rejected the change with [`Error::rejected`](crate::Error::rejected), or the call does not
        /// fit the state of the tenant.
        Rejected = "rejected",
        /// A directory manages the user or group, and the transaction does not act for it (R16).
        /// [`Error::manager`](crate::Error::manager) names the directory, and
        /// [`Error::gives_to_manager`](crate::Error::gives_to_manager) says whether the entity was to be given to it.
        Managed = "managed",
        /// A guarded transaction would give somebody a right that its actor does not hold (R13), or loosen a separation
        /// of duties (R14) or a binding assertion (R17). [`Error::missing_rights`](crate::Error::missing_rights) lists the
        /// rights, separations and assertions, and the changes that would do so.
        Escalation = "escalation",
        /// A user would hold more roles of a separation of duties than it allows, and more than before (R14).
        /// [`Error::separation`](crate::Error::separation) has the user, and the roles with their paths.
        SeparationOfDuties = "separation_of_duties",
        /// A binding assertion would fail, and did not fail before (R17). [`Error::assertion`](crate::Error::assertion)
        /// has the assertion, a user for whom it would fail, and the path.
        AssertionFailed = "assertion_failed",
        /// The history of the store does not go back to the state that was asked for, or the state is in the future.
        /// The text says where the history begins or ends.
        NotInHistory = "not_in_history",
        /// An internal invariant of this crate is broken, which is a bug. Nothing was committed, or the tenant is out of
        /// service until a refresh succeeds; the text says which.
        Internal = "internal",
    }
}

impl ErrorKind {
    /// Returns whether the same call may succeed if it is repeated, without a change by the caller. If it is `true`, nothing
    /// was changed by the call that failed.
    ///
    /// `true` for [`Blocked`](ErrorKind::Blocked): nothing of the call was sent, and the call that is repeated resolves
    /// the earlier commit first. `false` for [`InDoubt`](ErrorKind::InDoubt): the commit may have been applied, so find
    /// out first. `false` for [`Stale`](ErrorKind::Stale) and [`Closed`](ErrorKind::Closed): rebase the plan or plan
    /// again, or open the tenant again.
    ///
    /// ```
    /// use rolecall::ErrorKind;
    ///
    /// let retryable: Vec<_> = ErrorKind::ALL.iter().filter(|kind| kind.is_retryable()).collect();
    /// assert_eq!(retryable, [&ErrorKind::Conflict, &ErrorKind::Blocked, &ErrorKind::Unavailable]);
    /// ```
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Conflict | Self::Blocked | Self::Unavailable => true,
            Self::Invalid
            | Self::NotFound
            | Self::AlreadyExists
            | Self::Cycle
            | Self::WindowMismatch
            | Self::ReadOnly
            | Self::CatalogConflict
            | Self::Reserved
            | Self::Document
            | Self::NestedUpdate
            | Self::Stale
            | Self::ForeignPlan
            | Self::InDoubt
            | Self::TooLarge
            | Self::UnsupportedRecord
            | Self::Corrupt
            | Self::Closed
            | Self::Deleted
            | Self::TooManyEntities
            | Self::Rejected
            | Self::Managed
            | Self::Escalation
            | Self::SeparationOfDuties
            | Self::AssertionFailed
            | Self::NotInHistory
            | Self::Internal => false,
        }
    }

    /// Returns the HTTP status that suits an error of this kind: the `status` of a problem description (RFC 9457).
    ///
    /// | status | kinds |
    /// |---|---|
    /// | 403 | `Escalation`, `Managed`, `ReadOnly` |
    /// | 404 | `NotFound`, `NotInHistory`, `Deleted` |
    /// | 409 | `AlreadyExists`, `WindowMismatch`, `CatalogConflict`, `Reserved`, `Conflict`, `ForeignPlan`, `SeparationOfDuties`, `AssertionFailed` |
    /// | 412 | `Stale` |
    /// | 413 | `TooLarge` |
    /// | 422 | `Invalid`, `Cycle`, `Document`, `Rejected` |
    /// | 500 | `NestedUpdate`, `UnsupportedRecord`, `TooManyEntities`, `Internal` |
    /// | 503 | `InDoubt`, `Blocked`, `Unavailable`, `Closed`, `Corrupt` |
    ///
    /// ```
    /// assert_eq!(rolecall::ErrorKind::NotFound.http_status(), 404);
    /// ```
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Escalation | Self::Managed | Self::ReadOnly => 403,
            Self::NotFound | Self::NotInHistory | Self::Deleted => 404,
            Self::AlreadyExists
            | Self::WindowMismatch
            | Self::CatalogConflict
            | Self::Reserved
            | Self::Conflict
            | Self::ForeignPlan
            | Self::SeparationOfDuties
            | Self::AssertionFailed => 409,
            Self::Stale => 412,
            Self::TooLarge => 413,
            Self::Invalid | Self::Cycle | Self::Document | Self::Rejected => 422,
            Self::NestedUpdate | Self::UnsupportedRecord | Self::TooManyEntities | Self::Internal => 500,
            Self::InDoubt | Self::Blocked | Self::Unavailable | Self::Closed | Self::Corrupt => 503,
        }
    }

    /// Returns a short constant text: the `title` of a problem description (RFC 9457).
    ///
    /// ```
    /// assert_eq!(rolecall::ErrorKind::NotFound.title(), "not found");
    /// ```
    pub const fn title(self) -> &'static str {
        match self {
            Self::Invalid => "invalid text",
            Self::NotFound => "not found",
            Self::AlreadyExists => "entity already exists",
            Self::Cycle => "cycle of groups or roles",
            Self::WindowMismatch => "relation exists with another window",
            Self::ReadOnly => "entity belongs to the catalog",
            Self::CatalogConflict => "slug of the tenant and of the catalog",
            Self::Reserved => "slug reserved for the catalog",
            Self::Document => "invalid document",
            Self::NestedUpdate => "call inside an update",
            Self::Stale => "stale plan",
            Self::ForeignPlan => "plan of another tenant or opening",
            Self::Conflict => "commit conflict",
            Self::InDoubt => "commit in doubt",
            Self::Blocked => "blocked by an earlier commit",
            Self::Unavailable => "store unavailable",
            Self::TooLarge => "commit too large",
            Self::UnsupportedRecord => "unsupported kind of record",
            Self::Corrupt => "corrupt store content",
            Self::Closed => "tenant closed",
            Self::Deleted => "tenant deleted",
            Self::TooManyEntities => "too many entities",
            Self::Rejected => "rejected",
            Self::Managed => "managed by a directory",
            Self::Escalation => "privilege escalation",
            Self::SeparationOfDuties => "separation of duties",
            Self::AssertionFailed => "assertion does not hold",
            Self::NotInHistory => "not in the history",
            Self::Internal => "internal error",
        }
    }
}
