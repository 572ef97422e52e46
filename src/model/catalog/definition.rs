//! The definition of a catalog as plain data that borrows its texts and can be a constant.
//!
//! Nothing here is checked. [`Catalog::new`](super::Catalog::new) checks it at run time and the macro
//! [`catalog!`](crate::catalog!) at compile time, both by the rules in `check.rs`.

/// A catalog before it is checked.
///
/// ```
/// use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
///
/// const DEFINITION: Definition<'static> = Definition {
///     permissions: &[PermissionDef::new("posts:read")],
///     retired_permissions: &["posts:publish"],
///     roles: &[RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") }],
///     retired_roles: &[],
///     reserved_permission_prefixes: &["posts:"],
///     reserved_role_prefixes: &[],
/// };
/// let catalog = Catalog::new(&DEFINITION)?;
/// assert_eq!(catalog.roles()[0].slug(), "viewer");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Definition<'a> {
    /// The permissions.
    pub permissions: &'a [PermissionDef<'a>],
    /// The slugs of removed permissions. No other permission may use them.
    pub retired_permissions: &'a [&'a str],
    /// The roles, each after those it includes.
    pub roles: &'a [RoleDef<'a>],
    /// The slugs of removed roles. No other role may use them. Unassign a role in every tenant before a release removes it:
    /// see [`catalog!`](crate::catalog!#renaming-and-retiring).
    pub retired_roles: &'a [&'a str],
    /// Prefixes of slugs that are for the catalog's permissions alone. A tenant cannot create a permission of its own
    /// whose slug begins with one of them, so a later release can use such slugs. The catalog's permissions may have
    /// any slug.
    pub reserved_permission_prefixes: &'a [&'a str],
    /// The same for roles.
    pub reserved_role_prefixes: &'a [&'a str],
}

/// A permission of a catalog before it is checked.
///
/// Use struct update syntax with [`PermissionDef::new`]:
///
/// ```
/// use rolecall::catalog::PermissionDef;
/// let write = PermissionDef { name: Some("Write posts"), ..PermissionDef::new("posts:write") };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PermissionDef<'a> {
    /// The identifier used in code, `resource:action` by convention.
    pub slug: &'a str,
    /// The display name. `None` shows the slug.
    pub name: Option<&'a str>,
    /// The description for administrators. It may be empty.
    pub description: &'a str,
    /// The heading under which an administration page lists it.
    pub category: Option<&'a str>,
    /// The earlier slugs, oldest first. The id is derived from the oldest, so never remove one from this list. The present
    /// slug may be in the list if the entry was renamed back, but not as the last one.
    pub renamed_from: &'a [&'a str],
}

impl<'a> PermissionDef<'a> {
    /// Creates a definition with this slug and no other details.
    ///
    /// ```
    /// use rolecall::catalog::PermissionDef;
    ///
    /// assert_eq!(PermissionDef::new("posts:read").name, None);
    /// ```
    pub const fn new(slug: &'a str) -> Self {
        Self { slug, name: None, description: "", category: None, renamed_from: &[] }
    }
}

/// A role of a catalog before it is checked.
///
/// Use struct update syntax with [`RoleDef::new`]:
///
/// ```
/// use rolecall::catalog::RoleDef;
/// let editor = RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RoleDef<'a> {
    /// The identifier used in code.
    pub slug: &'a str,
    /// The display name. `None` shows the slug.
    pub name: Option<&'a str>,
    /// The description for administrators. It may be empty.
    pub description: &'a str,
    /// The earlier slugs, oldest first. The id is derived from the oldest, so never remove one from this list. The present
    /// slug may be in the list if the entry was renamed back, but not as the last one.
    pub renamed_from: &'a [&'a str],
    /// The grants: slugs of the catalog's permissions, and patterns (texts with a `*`).
    pub grants: &'a [&'a str],
    /// The slugs of the included roles, which must precede this role.
    pub includes: &'a [&'a str],
}

impl<'a> RoleDef<'a> {
    /// Creates a definition with this slug and no other details.
    ///
    /// ```
    /// use rolecall::catalog::RoleDef;
    ///
    /// assert!(RoleDef::new("viewer").grants.is_empty());
    /// ```
    pub const fn new(slug: &'a str) -> Self {
        Self { slug, name: None, description: "", renamed_from: &[], grants: &[], includes: &[] }
    }
}
