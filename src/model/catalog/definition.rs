//! What can be written of a catalog, as plain data: it borrows its texts, and a constant can hold it.
//!
//! Nothing here is checked. [`Catalog::new`](super::Catalog::new) checks it when the program runs, and the macro
//! [`catalog!`](crate::catalog!) when it compiles, both by the rules in `check.rs`, which is what to read next.

/// A catalog before it is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Definition<'a> {
    /// The permissions.
    pub permissions: &'a [PermissionDef<'a>],
    /// The slugs of permissions that are no more. Nothing else may have them.
    pub retired_permissions: &'a [&'a str],
    /// The roles, each after those it includes.
    pub roles: &'a [RoleDef<'a>],
    /// The slugs of roles that are no more. Nothing else may have them.
    pub retired_roles: &'a [&'a str],
}

/// A permission of a catalog before it is checked.
///
/// Written with what differs from [`PermissionDef::new`]:
///
/// ```
/// use rolecall::catalog::PermissionDef;
/// let write = PermissionDef { name: Some("Write posts"), ..PermissionDef::new("posts:write") };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PermissionDef<'a> {
    /// What programs call it, `resource:action` by convention.
    pub slug: &'a str,
    /// The display name; the slug where there is none.
    pub name: Option<&'a str>,
    /// What it is for; may be empty.
    pub description: &'a str,
    /// Where an administration page groups it.
    pub category: Option<&'a str>,
    /// Its earlier slugs, oldest first. The oldest makes its id, so none is ever taken out of this list.
    pub renamed_from: &'a [&'a str],
}

impl<'a> PermissionDef<'a> {
    /// The permission with this slug, and nothing else to say about it.
    pub const fn new(slug: &'a str) -> Self {
        Self { slug, name: None, description: "", category: None, renamed_from: &[] }
    }
}

/// A role of a catalog before it is checked.
///
/// Written with what differs from [`RoleDef::new`]:
///
/// ```
/// use rolecall::catalog::RoleDef;
/// let editor = RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RoleDef<'a> {
    /// What programs call it.
    pub slug: &'a str,
    /// The display name; the slug where there is none.
    pub name: Option<&'a str>,
    /// What it is for; may be empty.
    pub description: &'a str,
    /// Its earlier slugs, oldest first. The oldest makes its id, so none is ever taken out of this list.
    pub renamed_from: &'a [&'a str],
    /// What it grants: slugs of the catalog's permissions, and patterns, which have a star.
    pub grants: &'a [&'a str],
    /// The slugs of the roles it includes. They stand before it.
    pub includes: &'a [&'a str],
}

impl<'a> RoleDef<'a> {
    /// The role with this slug, and nothing else to say about it.
    pub const fn new(slug: &'a str) -> Self {
        Self { slug, name: None, description: "", renamed_from: &[], grants: &[], includes: &[] }
    }
}
