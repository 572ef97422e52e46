//! The decision of a check, and the reason for a denial.

use serde::Serialize;

use crate::model::records::Timestamp;

/// Allowed, or denied for a reason.
///
/// Exhaustive on purpose: code that matches on a decision must handle both.
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
/// use rolecall::{Decision, Reason};
///
/// match acme.decide("bob", "posts:write") {
///     Decision::Allowed => println!("go ahead"),
///     Decision::Denied(reason) => assert_eq!(reason, Reason::NoPath),
/// }
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[must_use = "a decision that is not looked at decides nothing"]
pub enum Decision {
    /// The user may do this.
    Allowed,
    /// The user may not do this.
    Denied(Reason),
}

/// Why a check was denied.
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
/// use rolecall::{Decision, Reason};
///
/// assert_eq!(acme.decide("mallory", "posts:read"), Decision::Denied(Reason::UnknownUser));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No such user: perhaps a typing error, a deleted user, or a user of another tenant. If the text is a UUID, the reason
    /// is [`UuidAsKey`](Reason::UuidAsKey) instead, so a match on an unknown user needs both.
    UnknownUser,
    /// No user has this key, and the key is a UUID: probably an id that was passed as text. To look up an id, pass a
    /// [`UserId`](crate::records::UserId).
    UuidAsKey,
    /// No such permission: perhaps a typing error, a deleted permission, or a permission of another tenant. If the text is a
    /// UUID, the reason is [`UuidAsSlug`](Reason::UuidAsSlug) instead.
    UnknownPermission,
    /// The slug belongs to a permission of the tenant and to one of the catalog. Neither gives anything until the tenant's
    /// own is renamed or deleted (R9). [`Snapshot::conflicts`](crate::Snapshot::conflicts) lists such slugs.
    CatalogConflict,
    /// The catalog has renamed the permission: the slug is an earlier one.
    /// [`Explanation::suggestions`](crate::Explanation::suggestions) has the present one.
    PermissionRenamed,
    /// The question has a pattern, such as `posts:*`, in place of a permission. Only a grant can have a pattern.
    PatternAsked,
    /// No permission has this slug, and the slug is a UUID: probably an id that was passed as text. To look up an id, pass
    /// a [`PermissionId`](crate::records::PermissionId).
    UuidAsSlug,
    /// The user is suspended.
    Suspended,
    /// The user holds something that grants it, and the windows on the paths have ended.
    Expired {
        /// The end of the last window of a path: the intersection of the windows along it.
        until: Timestamp,
    },
    /// The user holds something that grants it, and the windows on a path have not all begun.
    NotYetActive {
        /// The beginning of the next window of a path: the intersection of the windows along it.
        from: Timestamp,
    },
    /// Nothing that the user holds grants it.
    NoPath,
    /// The user holds something that grants it, but on each path the windows have no common instant. So no path was ever
    /// active, and none will be.
    NeverActive,
    /// The user holds something that grants it, but not now. Too many windows combine to work out when, or whether, all
    /// windows of a path are active.
    OutsideWindows,
    /// The user may do it, but not with the roles to which the question is narrowed (R15).
    Narrowed,
    /// The store has not confirmed the state of the tenant for longer than the
    /// [bound on staleness](crate::AuthorizerBuilder::max_staleness). The tenant denies every check until it does.
    Unconfirmed,
    /// A commit of this tenant is in doubt. The tenant denies every check until the commit is resolved.
    InDoubt,
    /// The last refresh rejected the content of the store. The tenant denies every check until a refresh succeeds.
    InvalidStoreContent,
    /// An internal invariant was broken, which is a bug of this crate. The tenant denies every check until a refresh
    /// succeeds.
    InternalError,
    /// The tenant was closed.
    Closed,
    /// The tenant was deleted.
    Deleted,
}

impl Decision {
    /// Returns whether the user is allowed.
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
    /// assert!(acme.decide("alice", "posts:write").is_allowed());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }
}

impl Reason {
    /// Returns a stable code for logs and metrics. It is the name of the reason in the serialised form, without an instant.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::Decision;
    ///
    /// let decision = acme.decide("mallory", "posts:read");
    /// assert!(matches!(decision, Decision::Denied(reason) if reason.code() == "unknown_user"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::UuidAsKey => "uuid_as_key",
            Self::UnknownPermission => "unknown_permission",
            Self::CatalogConflict => "catalog_conflict",
            Self::PermissionRenamed => "permission_renamed",
            Self::PatternAsked => "pattern_asked",
            Self::UuidAsSlug => "uuid_as_slug",
            Self::Suspended => "suspended",
            Self::Expired { .. } => "expired",
            Self::NotYetActive { .. } => "not_yet_active",
            Self::NoPath => "no_path",
            Self::NeverActive => "never_active",
            Self::OutsideWindows => "outside_windows",
            Self::Narrowed => "narrowed",
            Self::Unconfirmed => "unconfirmed",
            Self::InDoubt => "in_doubt",
            Self::InvalidStoreContent => "invalid_store_content",
            Self::InternalError => "internal_error",
            Self::Closed => "closed",
            Self::Deleted => "deleted",
        }
    }
}
