//! How a caller names a user, permission, role or group: by name, by id, or by a handle.
//!
//! The type decides which. Nothing is guessed from the form of a string.

mod users;
pub(crate) mod found;

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use uuid::Uuid;

use self::found::FoundUsual;
use self::sealed::Scope;
use super::CompiledTenant;
use super::table::Origin;
use crate::model::catalog::{CatalogPermission, CatalogRole};
use crate::model::error::{Asked, Quoted};
use crate::model::records::{GroupId, GroupRecord, PermissionId, PermissionRecord, RoleId, RoleRecord, Slug};

/// A small number that identifies a user in fast checks. It is valid while the tenant stays open, through all commits
/// and refreshes. On another tenant, or after the tenant was closed, every check with it is denied.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| tx.create_user("alice")?.done())?;
/// let alice = acme.user_handle("alice").expect("she exists");
/// assert!(!acme.check(alice, "posts:read"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserHandle {
    pub(crate) owner: u64,
    pub(crate) number: u32,
}

/// A small number that identifies a permission in fast checks. It is valid while the tenant stays open, through all
/// commits and refreshes. On another tenant, or after the tenant was closed, every check with it is denied. A handle of a
/// catalog's permission is valid on every tenant with that catalog.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| tx.create_permission("posts:read")?.done())?;
/// let read = acme.permission_handle("posts:read").expect("it exists");
/// assert!(!acme.check("alice", read));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PermissionHandle {
    pub(crate) owner: u64,
    pub(crate) number: u32,
}

/// Names a user or group by the id that a directory gives it.
///
/// # Example
/// ```
/// use rolecall::{blocking::Authorizer, snapshot::External};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.set_manager("okta")?;
///     tx.create_user("alice@acme.com")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
///     Ok(())
/// })?;
/// let alice = acme.now().user(External { manager: "okta", id: "00u1" });
/// assert_eq!(alice.unwrap().key, "alice@acme.com");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct External<'a> {
    /// The directory that manages it.
    pub manager: &'a str,
    /// Its id in that directory.
    pub id: &'a str,
}

pub(crate) mod sealed {
    use super::CompiledTenant;
    use super::found::{Found, FoundUsual};
    use crate::model::error::Asked;
    use crate::model::records::UserRecord;

    /// Where a name is looked up.
    #[derive(Clone, Copy, Debug)]
    pub struct Scope<'a>(pub(crate) &'a CompiledTenant);

    pub trait User {
        fn user(&self, scope: Scope<'_>) -> Option<u32>;
        fn user_text(&self) -> Asked;

        /// The same, with the index entry if the lookup has read it. The user may be deleted, and then has no
        /// permissions.
        #[inline]
        fn found<'a>(&self, scope: Scope<'a>) -> Option<Found<'a>> {
            self.found_usual(scope).map(Found::from).or_else(|| self.with_found_wide(scope, |user| user))
        }

        /// The part of [`User::found`] that suffices unless index entries are wide. It is short enough to be inlined in
        /// every check.
        #[inline]
        fn found_usual<'a>(&self, scope: Scope<'a>) -> Option<FoundUsual<'a>> {
            self.user(scope).map(FoundUsual::by_number)
        }

        /// Calls `call` with the user if index entries are wide: the other part of [`User::found`].
        #[inline]
        fn with_found_wide<'a, R>(&self, _: Scope<'a>, _: impl FnOnce(Found<'a>) -> R) -> Option<R> {
            None
        }

        /// The hash of a text under which the user is listed, and `None` for anything else. This and the next two are the
        /// parts of a look-up, for looking up several users at a time.
        #[inline]
        fn hash(&self, _: Scope<'_>) -> Option<u64> {
            None
        }

        /// The number to which the index leads first. It reads no row, so [`User::is`] may say that it is another user.
        #[inline]
        fn likely(&self, _: Scope<'_>, _: u64) -> Option<u32> {
            None
        }

        /// Whether the record that was found is this user's.
        #[inline]
        fn is(&self, _: &UserRecord) -> bool {
            false
        }
    }

    pub trait Permission {
        fn permission(&self, scope: Scope<'_>) -> Option<u32>;
        fn permission_text(&self) -> Asked;

        /// The same, without asking whether the permission is deleted: nothing grants a deleted permission.
        #[inline]
        fn permission_or_deleted(&self, scope: Scope<'_>) -> Option<u32> {
            self.permission(scope)
        }
    }

    pub trait Role {
        fn role(&self, scope: Scope<'_>) -> Option<u32>;
        fn role_text(&self) -> Asked;
    }

    pub trait Group {
        fn group(&self, scope: Scope<'_>) -> Option<u32>;
        fn group_text(&self) -> Asked;
    }
}

/// Names a user: its key (any string type, [`UserKey`](crate::records::UserKey)), its id
/// ([`UserId`](crate::records::UserId), [`Uuid`]), its external id ([`External`]), a [`UserHandle`], or its record; by value
/// or by reference.
///
/// This trait is sealed: only this crate implements it.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_role("reader")?;
/// #     tx.create_group("staff")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// # let now = acme.now();
/// let alice = now.user("alice").expect("she exists");
/// assert!(now.user(alice.id).is_some() && now.user(&alice).is_some());
/// let key: std::borrow::Cow<str> = "alice".into();
/// assert!(now.user(key).is_some());
/// // Nothing is guessed from the form of a text: this looks up a user whose key is that text.
/// assert!(now.user(alice.id.to_string()).is_none());
/// # Ok::<(), rolecall::Error>(())
/// ```
pub trait AsUser: sealed::User {}
/// Names a permission: its slug (any string type, [`Slug`]), its id ([`PermissionId`], [`Uuid`]), a
/// [`PermissionHandle`], its record, or a variant of the application's own enum ([`catalog!`](crate::catalog!)).
///
/// This trait is sealed: only this crate implements it.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_role("reader")?;
/// #     tx.create_group("staff")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// # let now = acme.now();
/// let read = now.permission("posts:read").expect("it exists");
/// assert!(now.permission(read.record.id).is_some() && now.permission(&read).is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
pub trait AsPermission: sealed::Permission {}
/// Names a role: its slug (any string type, [`Slug`]), its id ([`RoleId`], [`Uuid`]), its record, or a variant of the
/// catalog's enum of roles.
///
/// This trait is sealed: only this crate implements it.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_role("reader")?;
/// #     tx.create_group("staff")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// # let now = acme.now();
/// let reader = now.role("reader").expect("it exists");
/// assert!(now.role(reader.record.id).is_some() && now.role(&reader).is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
pub trait AsRole: sealed::Role {}
/// Names a group: its slug (any string type, [`Slug`]), its id ([`GroupId`], [`Uuid`]), its external id ([`External`]),
/// or its record.
///
/// This trait is sealed: only this crate implements it.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:read")?;
/// #     tx.create_role("reader")?;
/// #     tx.create_group("staff")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// # let now = acme.now();
/// let staff = now.group("staff").expect("it exists");
/// assert!(now.group(staff.id).is_some() && now.group(&staff).is_some());
/// # Ok::<(), rolecall::Error>(())
/// ```
pub trait AsGroup: sealed::Group {}

macro_rules! named {
    ($as:ident, $trait:ident, $find:ident, $text:ident, $table:ident, $id:ident, $record:ident) => {
        named!(# $as, $trait, $find, $text, $table, Slug);
        named!(@ $as, $trait, $find, $text, |self_, s| s.state.$table.by_id(*self_), |self_| Asked::by_id(*self_), Uuid);
        named!(@ $as, $trait, $find, $text,
            |self_, s| s.state.$table.by_id(self_.as_uuid()), |self_| Asked::by_id(self_.as_uuid()), $id);
        named!(@ $as, $trait, $find, $text,
            |self_, s| s.state.$table.by_id(self_.id.as_uuid()), |self_| Asked::by_id(self_.id.as_uuid()), $record);
    };
    (# $as:ident, $trait:ident, $find:ident, $text:ident, $table:ident, $name:ident) => {
        named!(% $as, $trait, $find, $text, $table,
            str, String, Box<str>, Arc<str>, Rc<str>, Cow<'_, str>, $name);
    };
    (% $as:ident, $trait:ident, $find:ident, $text:ident, $table:ident, $($type:ty),*) => {$(
        named!(@ $as, $trait, $find, $text, |self_, s| s.state.$table.by_name(self_.as_ref()),
            |self_| Asked::from(AsRef::<str>::as_ref(self_)), $type);
    )*};
    (@ $as:ident, $trait:ident, $find:ident, $text:ident, |$a:ident, $s:ident| $found:expr, |$b:ident| $shown:expr, $type:ty) => {
        impl sealed::$trait for $type {
            #[inline]
            fn $find(&self, scope: Scope<'_>) -> Option<u32> {
                let ($a, $s) = (self, scope.0);
                $found
            }

            fn $text(&self) -> Asked {
                let $b = self;
                $shown
            }
        }

        impl $as for $type {}
    };
}

macro_rules! by_reference {
    ($($as:ident, $trait:ident, $find:ident, $text:ident, $extra:ident, $($type:ty),*;)*) => {$($(
        impl sealed::$trait for &$type {
            #[inline]
            fn $find(&self, scope: Scope<'_>) -> Option<u32> {
                (**self).$find(scope)
            }

            fn $text(&self) -> Asked {
                (**self).$text()
            }

            $extra!();
        }

        impl $as for &$type {}
    )*)*};
}

macro_rules! permission_or_deleted_by_reference {
    () => {
        #[inline]
        fn permission_or_deleted(&self, scope: Scope<'_>) -> Option<u32> {
            (**self).permission_or_deleted(scope)
        }
    };
}

macro_rules! no_more {
    () => {};
}

named!(@ AsGroup, Group, group, group_text,
    |external, s| s.state.groups.by_external(external.pair()), |external| external.asked(), External<'_>);
named!(AsPermission, Permission, permission, permission_text, permissions, PermissionId, PermissionRecord);
named!(AsRole, Role, role, role_text, roles, RoleId, RoleRecord);
named!(AsGroup, Group, group, group_text, groups, GroupId, GroupRecord);
by_reference! {
    AsPermission, Permission, permission, permission_text, permission_or_deleted_by_reference,
        str, &str, String, &String, Box<str>, Arc<str>, Rc<str>, Cow<'_, str>, Slug, PermissionRecord, Uuid, PermissionId,
        PermissionHandle;
    AsRole, Role, role, role_text, no_more,
        str, &str, String, &String, Box<str>, Arc<str>, Rc<str>, Cow<'_, str>, Slug, RoleRecord, Uuid, RoleId;
}

// By any reference, as users.
impl<T: sealed::Group + ?Sized> sealed::Group for &T {
    #[inline]
    fn group(&self, scope: Scope<'_>) -> Option<u32> {
        (**self).group(scope)
    }

    fn group_text(&self) -> Asked {
        (**self).group_text()
    }
}

impl<T: AsGroup + ?Sized> AsGroup for &T {}

impl<'a> External<'a> {
    pub(super) fn pair(&self) -> (&'a str, &'a str) {
        (self.manager, self.id)
    }

    pub(super) fn asked(&self) -> Asked {
        Asked::by_external_id(self.manager, self.id)
    }
}

/// ``external id `00u1` of `okta` ``.
impl fmt::Display for External<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "external id {} of {}", Quoted(self.id), Quoted(self.manager))
    }
}

impl sealed::User for UserHandle {
    #[inline]
    fn user(&self, scope: Scope<'_>) -> Option<u32> {
        scope.0.number_of(*self).filter(|number| scope.0.state.user_is_there(*number))
    }

    #[inline]
    fn found_usual<'a>(&self, scope: Scope<'a>) -> Option<FoundUsual<'a>> {
        scope.0.number_of(*self).map(FoundUsual::by_number)
    }

    fn user_text(&self) -> Asked {
        Asked::by_handle()
    }
}

impl AsUser for UserHandle {}

impl sealed::Permission for PermissionHandle {
    #[inline]
    fn permission(&self, scope: Scope<'_>) -> Option<u32> {
        self.permission_or_deleted(scope).filter(|number| scope.0.state.permissions.row(*number).is_some())
    }

    #[inline]
    fn permission_or_deleted(&self, scope: Scope<'_>) -> Option<u32> {
        scope.0.permission_number(*self)
    }

    fn permission_text(&self) -> Asked {
        Asked::by_handle()
    }
}

impl AsPermission for PermissionHandle {}

impl<T: CatalogPermission> sealed::Permission for T {
    #[inline]
    fn permission(&self, Scope(snapshot): Scope<'_>) -> Option<u32> {
        (T::catalog().token() == snapshot.catalog.definition.token()).then(|| self.index())
    }

    fn permission_text(&self) -> Asked {
        Asked::by_variant(self)
    }
}

impl<T: CatalogPermission> AsPermission for T {}

impl<T: CatalogRole> sealed::Role for T {
    #[inline]
    fn role(&self, Scope(snapshot): Scope<'_>) -> Option<u32> {
        (T::catalog().token() == snapshot.catalog.definition.token()).then(|| self.index())
    }

    fn role_text(&self) -> Asked {
        Asked::by_variant(self)
    }
}

impl<T: CatalogRole> AsRole for T {}

impl CompiledTenant {
    /// Where names are looked up.
    #[inline]
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope(self)
    }

    /// The number of a user's handle. The user may be deleted.
    #[inline]
    fn number_of(&self, handle: UserHandle) -> Option<u32> {
        (handle.owner == self.session.token()).then_some(handle.number)
    }

    /// The number of a permission's handle. The permission may be deleted.
    #[inline]
    fn permission_number(&self, handle: PermissionHandle) -> Option<u32> {
        let is_own = handle.owner == self.session.token();
        let is_catalogs =
            (handle.owner == self.catalog.definition.token()) & self.catalog.has_permission(handle.number);
        (is_own | is_catalogs).then_some(handle.number)
    }

    pub(crate) fn permission_handle(&self, number: u32) -> Option<PermissionHandle> {
        let origin = self.state.permissions.row(number)?.origin;
        let owner = if origin == Origin::Catalog { self.catalog.definition.token() } else { self.session.token() };
        Some(PermissionHandle { owner, number })
    }

    pub(crate) fn user_handle(&self, number: u32) -> UserHandle {
        UserHandle { owner: self.session.token(), number }
    }
}
