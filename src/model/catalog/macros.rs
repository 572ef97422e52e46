//! The macro `catalog!`, with which an application defines its permissions and system roles.
//!
//! No step recurses over the entries, so thousands of them need no higher recursion limit. `catalog!` adds an empty list
//! where no permission is retired or no prefix reserved. Read next: `generated.rs`, the generated code.

/// Defines the application's permissions and system roles as enums, and a [`Catalog`] of both.
///
/// # Example
/// ```
/// rolecall::catalog! {
///     /// What a user of this application may do.
///     pub enum Permission {
///         /// Drafts are posts too.
///         PostsRead = "posts:read",
///         PostsWrite = "posts:write" {
///             name: "Write posts",
///             description: "Write new posts and change those of others.",
///             category: "Posts",
///             renamed_from: ["posts:edit"],
///         },
///     }
///     retired ["posts:publish"];
///     reserved ["posts:"];
///
///     /// The roles that every tenant has.
///     pub enum SystemRole {
///         Viewer = "viewer" { grants: [PostsRead] },
///         Editor = "editor" { name: "Editor", grants: [PostsWrite, "drafts:*"], includes: [Viewer], renamed_from: ["author"] },
///     }
///     retired ["moderator"];
/// }
///
/// assert_eq!(Permission::PostsRead.slug(), "posts:read");
/// assert_eq!(Permission::PostsRead.to_string(), "posts:read");
/// assert_eq!(Permission::from_slug("posts:write"), Some(Permission::PostsWrite));
/// assert_eq!(Permission::from_slug("posts:edit"), None, "an earlier slug");
/// assert_eq!(SystemRole::ALL, [SystemRole::Viewer, SystemRole::Editor]);
///
/// // Both enums belong to one catalog.
/// let catalog = Permission::catalog();
/// assert_eq!(catalog.fingerprint(), SystemRole::catalog().fingerprint());
/// assert_eq!(catalog.permissions().len(), 2);
/// assert_eq!(catalog.permissions()[1].name().as_str(), "Write posts");
/// assert_eq!(catalog.roles()[1].patterns()[0].as_str(), "drafts:*");
/// ```
///
/// # Syntax
/// An enum of permissions, then optionally an enum of roles. Each may be followed by `retired [...];` with the slugs of
/// removed entries, and then by `reserved [...];` with prefixes of slugs. A tenant cannot create its own permission or role
/// whose slug begins with a reserved prefix. So a later release can use such slugs. An entry is a variant and its slug.
/// Further fields follow in braces, in any order; every text is a literal:
///
/// | field | for | meaning | if left out |
/// |---|---|---|---|
/// | `name: "…"` | both | the display name | the slug |
/// | `description: "…"` | both | the text that administrators read | empty |
/// | `category: "…"` | permissions | the heading on an administration page | none |
/// | `renamed_from: ["…"]` | both | the earlier slugs, *oldest first* | none |
/// | `grants: [Variant, "…*"]` | roles | permissions, and patterns of slugs | none |
/// | `includes: [Variant]` | roles | roles that *precede* it | none |
///
/// The enums derive `Clone`, `Copy`, `Debug`, `PartialEq`, `Eq`, `PartialOrd`, `Ord` and `Hash`. Doc comments and other
/// attributes are passed on to the enum and its variants. A doc comment is for programmers; it is not the description.
/// Each variant gets a line of documentation with its slug. An entry cannot depend on a `#[cfg]`: a slug means the same
/// in every build.
///
/// # Generated items
/// Each enum is ordered as written, and its [`Display`](std::fmt::Display) shows the slug. It has `const ALL: &[Self]`,
/// `const fn slug(self) -> &'static str`, `fn from_slug(&str) -> Option<Self>` for current slugs, and
/// `fn catalog() -> &'static Catalog`. The enums implement [`CatalogPermission`] and [`CatalogRole`]. The order of
/// variants can change at any time; no stored data depends on it.
///
/// # Renaming and retiring
/// The id of an entry is derived from its first published slug: the first of `renamed_from`, or else its slug.
///
/// - To rename an entry, write the new slug and append the old one to the *end* of `renamed_from`. Never remove it.
/// - To give an entry an earlier slug again, leave that slug in `renamed_from` as well.
/// - To remove an entry, put its slug and its earlier slugs into `retired`. Never remove them.
///
/// A stored reference therefore never refers to another entry.
///
/// Remove a role in two steps. First, while a release still has it, unassign and exclude it in every tenant.
/// [`Moment::holders`](crate::Moment::holders) lists the users who have it directly,
/// [`Moment::groups_with`](crate::Moment::groups_with) the groups, and
/// [`Moment::includers_of`](crate::Moment::includers_of) the roles that include it. Then deploy a release that removes and
/// retires it. After the last old process has stopped, the [lint](crate::Moment::lint) lists what still refers to it, as
/// `removed_from_catalog`.
///
/// # Errors
/// The following do not compile:
///
/// - an invalid slug, reserved prefix, pattern, name, description or category;
/// - a slug that occurs twice among the current, earlier and retired slugs of permissions, or of roles;
/// - a grant of a permission that does not exist;
/// - an included role that does not exist, or that does not precede the role that includes it. This rule excludes
///   cycles.
///
/// ```compile_fail,E0599
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
///     enum Role { Viewer = "viewer" { grants: [PostRead] } } // a typo
/// }
/// ```
/// ```compile_fail,E0080
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read", PostsView = "posts:read" } // the same slug
/// }
/// ```
/// ```compile_fail,E0080
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts read" } // a space
/// }
/// ```
/// ```compile_fail,E0080
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
///     retired ["posts:read"]; // still in use
/// }
/// ```
/// ```compile_fail,E0080
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
///     reserved ["posts:*"]; // a prefix has no star
/// }
/// ```
/// ```compile_fail,E0080
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
///     enum Role { Viewer = "viewer" { includes: [Viewer] } } // itself
/// }
/// ```
///
/// # Complexity
/// The checks are linear in the text. 2,000 permissions and 200 roles with 20 grants each add 2.2 s to a first build, and
/// 0.2 s to a later one in which they have not changed.
///
/// [`Catalog`]: crate::catalog::Catalog
/// [`CatalogPermission`]: crate::catalog::CatalogPermission
/// [`CatalogRole`]: crate::catalog::CatalogRole
#[macro_export]
macro_rules! catalog {
    (
        $(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ }
        retired [$($retired:literal),* $(,)?];
        reserved [$($reserved:literal),* $(,)?];
        $($roles:tt)*
    ) => {
        $crate::__catalog! {
            { $(#[$meta])* $vis enum $Permission { $($permissions)+ } retired [$($retired),*]; reserved [$($reserved),*]; }
            $($roles)*
        }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ }
        retired [$($retired:literal),* $(,)?];
        $($roles:tt)*
    ) => {
        $crate::__catalog! {
            { $(#[$meta])* $vis enum $Permission { $($permissions)+ } retired [$($retired),*]; reserved []; }
            $($roles)*
        }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ }
        reserved [$($reserved:literal),* $(,)?];
        $($roles:tt)*
    ) => {
        $crate::__catalog! {
            { $(#[$meta])* $vis enum $Permission { $($permissions)+ } retired []; reserved [$($reserved),*]; }
            $($roles)*
        }
    };
    ($(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ } $($roles:tt)*) => {
        $crate::__catalog! {
            { $(#[$meta])* $vis enum $Permission { $($permissions)+ } retired []; reserved []; }
            $($roles)*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __catalog {
    // No roles.
    ({
        $(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ }
        retired $retired:tt; reserved $reserved:tt;
    }) => {
        $crate::__catalog_enum! { permission CatalogPermission $(#[$meta])* $vis enum $Permission { $($permissions)+ } }
        const _: () = {
            $crate::__catalog_data! { permissions $Permission $Permission { $($permissions)+ } }
            const DEFINITION: $crate::catalog::Definition<'static> = $crate::catalog::Definition {
                permissions: PERMISSIONS,
                retired_permissions: &$retired,
                roles: &[],
                retired_roles: &[],
                reserved_permission_prefixes: &$reserved,
                reserved_role_prefixes: &[],
            };
            $crate::__catalog_shared! { CatalogPermission for $Permission }
        };
    };
    (
        {
            $(#[$meta:meta])* $vis:vis enum $Permission:ident { $($permissions:tt)+ }
            retired $retired:tt; reserved $reserved:tt;
        }
        $(#[$role_meta:meta])* $role_vis:vis enum $Role:ident { $($roles:tt)+ }
        $(retired [$($retired_role:literal),* $(,)?];)?
        $(reserved [$($reserved_role:literal),* $(,)?];)?
    ) => {
        $crate::__catalog_enum! { permission CatalogPermission $(#[$meta])* $vis enum $Permission { $($permissions)+ } }
        $crate::__catalog_enum! { role CatalogRole $(#[$role_meta])* $role_vis enum $Role { $($roles)+ } }
        const _: () = {
            $crate::__catalog_data! { permissions $Permission $Role { $($permissions)+ } }
            $crate::__catalog_data! { roles $Permission $Role { $($roles)+ } }
            const DEFINITION: $crate::catalog::Definition<'static> = $crate::catalog::Definition {
                permissions: PERMISSIONS,
                retired_permissions: &$retired,
                roles: ROLES,
                retired_roles: &[$($($retired_role),*)?],
                reserved_permission_prefixes: &$reserved,
                reserved_role_prefixes: &[$($($reserved_role),*)?],
            };
            $crate::__catalog_shared! { CatalogPermission for $Permission, CatalogRole for $Role }
        };
    };
}
