//! The catalog's promises (R9): the lists of the macro, stable ids, and taken slugs.
//!
//! Read next: `check/tests.rs` tests the rejected catalogs.

#![expect(clippy::allow_attributes, reason = "the macro writes them for applications, where they are right")]

use super::*;
use crate::model::records::Pattern;

const P: PermissionDef<'_> = PermissionDef::new("posts:read");
const R: RoleDef<'_> = RoleDef::new("viewer");

fn permissions(permissions: &[PermissionDef<'_>]) -> Catalog {
    Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap()
}

mod listed {
    crate::catalog! {
        pub(super) enum Permission {
            PostsRead = "posts:read",
            PostsWrite = "posts:write" {
                renamed_from: ["posts:edit"], name: "Write posts", category: "Posts", description: "Write.",
            },
        }
        retired ["posts:publish"];
        reserved ["posts:", "billing:", "posts:x",];

        pub(super) enum Role {
            Viewer = "viewer" { grants: [PostsRead,] },
            Editor = "editor" { grants: ["drafts:*", PostsWrite, PostsWrite], includes: [Viewer], renamed_from: ["author"] },
        }
        retired ["moderator",];
        reserved ["acme-"];
    }
}

const LISTED: Definition<'_> = Definition {
    permissions: &[
        P,
        PermissionDef {
            slug: "posts:write",
            name: Some("Write posts"),
            description: "Write.",
            category: Some("Posts"),
            renamed_from: &["posts:edit"],
        },
    ],
    retired_permissions: &["posts:publish"],
    roles: &[
        RoleDef { grants: &["posts:read"], ..R },
        RoleDef {
            grants: &["posts:write", "drafts:*"],
            includes: &["viewer"],
            renamed_from: &["author"],
            ..RoleDef::new("editor")
        },
    ],
    retired_roles: &["moderator"],
    reserved_permission_prefixes: &["billing:", "posts:"],
    reserved_role_prefixes: &["acme-"],
};

#[test]
fn r9_the_macro_lists_what_the_constructor_makes() {
    use listed::{Permission, Role};
    let catalog = Permission::catalog();
    assert_eq!(catalog.token(), Role::catalog().token(), "both enums share one");
    assert_eq!(catalog.fingerprint(), Catalog::new(&LISTED).unwrap().fingerprint());
    for (at, permission) in Permission::ALL.iter().enumerate() {
        assert_eq!(permission.index() as usize, at);
        assert_eq!(catalog.permissions()[at].slug(), &permission.slug());
        assert_eq!(Permission::from_slug(permission.slug()), Some(*permission));
    }
    for (at, role) in Role::ALL.iter().enumerate() {
        assert_eq!(role.index() as usize, at);
        assert_eq!(Role::from_slug(catalog.roles()[at].slug().as_str()), Some(*role));
    }
    assert_eq!((Permission::from_slug("posts:edit"), Role::from_slug("moderator")), (None, None));
    assert_eq!(format!("{:>9}", Role::Viewer), "   viewer");
    assert!(catalog.reserved_permission_prefixes().eq(LISTED.reserved_permission_prefixes.iter().copied()));
    assert!(catalog.reserved_role_prefixes().eq(["acme-"]));
}

/// Both lists are optional, for permissions and for roles.
#[test]
fn f26_the_macro_reserves_prefixes_beside_retired_slugs_or_alone() {
    mod alone {
        crate::catalog! {
            pub(super) enum Permission { PostsRead = "posts:read" }
            reserved ["posts:"];
            pub(super) enum Role { Viewer = "viewer" }
            reserved [];
        }
    }
    mod without_roles {
        crate::catalog! {
            pub(super) enum Permission { PostsRead = "posts:read" }
            retired ["a"];
            reserved ["posts:"];
        }
    }
    mod of_roles {
        crate::catalog! {
            pub(super) enum Permission { PostsRead = "posts:read" }
            pub(super) enum Role { Viewer = "viewer" }
            retired ["x"];
            reserved ["acme-"];
        }
    }
    for catalog in [alone::Permission::catalog(), without_roles::Permission::catalog()] {
        assert!(catalog.reserved_permission_prefixes().eq(["posts:"]));
        assert_eq!(catalog.reserved_role_prefixes().count(), 0);
    }
    let roles = of_roles::Role::catalog();
    assert!(roles.reserved_role_prefixes().eq(["acme-"]) && roles.reserved_permission_prefixes().count() == 0);
    assert_eq!(alone::Role::ALL.len() + of_roles::Permission::ALL.len(), 2);
}

/// The look-up by bisection finds the same as a comparison with every prefix.
#[test]
fn f26_a_slug_is_reserved_if_it_begins_with_a_prefix() {
    let prefixes = ["b:", "a", "b:c", "a:", "bb", "~", "b:", "!"];
    let definition = Definition { reserved_permission_prefixes: &prefixes, ..Definition::default() };
    let catalog = Catalog::new(&definition).unwrap();
    assert!(catalog.reserved_permission_prefixes().eq(["!", "a", "b:", "bb", "~"]));
    for slug in ["a", "a:x", "ab", "b", "b:", "b:cd", "b;", "ba", "bb", "bbb", "c", "A", "B:", "~x", "!", "x~", "0"] {
        let expected = prefixes.iter().any(|prefix| slug.starts_with(prefix));
        let found = matches!(catalog.permission_slug_is_taken(slug), Taken::Reserved(prefix) if slug.starts_with(prefix.as_str()));
        assert_eq!(found, expected, "{slug}");
        assert_eq!(catalog.role_slug_is_taken(slug), Taken::Free, "{slug}");
    }
}

#[test]
fn r9_a_role_tells_what_it_grants_and_includes() {
    let catalog = Catalog::new(&LISTED).unwrap();
    let editor = &catalog.roles()[1];
    assert_eq!((editor.grants(), editor.includes()), (&[1][..], &[0][..]));
    assert_eq!(catalog.granted(editor.id()).map(PermissionEntry::slug).collect::<Vec<_>>(), ["posts:write"]);
    assert_eq!(catalog.included(editor.id()).map(RoleEntry::slug).collect::<Vec<_>>(), ["viewer"]);
    assert_eq!(editor.patterns(), [Pattern::new("drafts:*").unwrap()]);
    let of_another = RoleId::from_uuid(uuid::Uuid::nil());
    assert_eq!(catalog.granted(of_another).count() + catalog.included(of_another).count(), 0);
}

#[test]
fn r9_a_rename_keeps_the_id_and_look_up_by_id() {
    let first = permissions(&[PermissionDef::new("a")]);
    let id = first.permissions()[0].id();
    for (slug, renamed_from) in [("b", &["a"][..]), ("c", &["a", "b"]), ("a", &["a", "b"]), ("b", &["a", "b", "c"])] {
        let renamed = permissions(&[PermissionDef { renamed_from, ..PermissionDef::new(slug) }]);
        assert_eq!(renamed.permissions()[0].id(), id, "{slug}");
        assert_eq!(renamed.permission_by_slug(slug), Some(0));
    }
    assert_ne!(permissions(&[PermissionDef::new("b")]).permissions()[0].id(), id);
}

#[test]
fn r9_ids_and_fingerprints_are_those_that_were_stored() {
    let catalog = Catalog::new(&LISTED).unwrap();
    assert_eq!(catalog.permissions()[0].id().to_string(), "e8759b8a-c72b-5720-94a3-510a63aaf18a");
    assert_eq!(catalog.roles()[0].id().to_string(), "3d8d2823-408f-5ec7-bc8f-f44cc3d4fd4d");
    assert_eq!(catalog.fingerprint().as_uuid().to_string(), "97fee70f-16bb-5848-ba8c-e0aa052385e7");
    assert_eq!(Catalog::empty().fingerprint().as_uuid().to_string(), "cb07bf0a-48bd-5eae-8daa-090eeb7d9a62");
}

#[test]
fn r9_slugs_that_were_and_are_retired_are_taken() {
    let catalog = Catalog::new(&LISTED).unwrap();
    let [posts, acme] = ["posts:", "acme-"].map(|prefix| Slug::new(prefix).unwrap());
    let table = [
        ("posts:read", Taken::Present, Taken::Free),
        ("posts:edit", Taken::Retired, Taken::Free),
        ("posts:publish", Taken::Retired, Taken::Free),
        ("viewer", Taken::Free, Taken::Present),
        ("author", Taken::Free, Taken::Retired),
        ("moderator", Taken::Free, Taken::Retired),
        ("Viewer", Taken::Free, Taken::Free),
        ("posts:list", Taken::Reserved(&posts), Taken::Free),
        ("acme-editor", Taken::Free, Taken::Reserved(&acme)),
    ];
    for (slug, permission, role) in table {
        assert_eq!(
            (catalog.permission_slug_is_taken(slug), catalog.role_slug_is_taken(slug)),
            (permission, role),
            "{slug}"
        );
    }
    assert_eq!((catalog.permission_by_slug("posts:edit"), catalog.role_by_slug("author")), (None, None));
    let back = permissions(&[PermissionDef { renamed_from: &["a", "b"], ..PermissionDef::new("a") }]);
    assert_eq!(back.permission_slug_is_taken("a"), Taken::Present);
}

#[test]
fn r9_a_token_is_of_one_catalog_and_its_clones() {
    let (a, b) = (Catalog::empty(), Catalog::empty());
    assert_eq!(a.token(), a.clone().token());
    assert!(a.token() != b.token() && a.token() > 0);
}

#[test]
fn debug_shows_counts_and_no_content() {
    let shown = format!("{:?}", Catalog::new(&LISTED).unwrap());
    assert!(shown.contains("permissions: 2, roles: 2, fingerprint: "), "{shown}");
    assert!(!shown.contains("posts"), "{shown}");
}

#[test]
fn r9_permissions_and_roles_have_slugs_of_their_own() {
    let (same, renamed_from) = (PermissionDef::new("x"), &["y"][..]);
    let permissions = &[PermissionDef { renamed_from, ..same }];
    let roles = &[RoleDef { renamed_from, ..RoleDef::new("x") }];
    let retired = &["z"][..];
    let catalog = Catalog::new(&Definition {
        permissions,
        roles,
        retired_permissions: retired,
        retired_roles: retired,
        ..Definition::default()
    });
    let catalog = catalog.unwrap();
    assert_ne!(catalog.permissions()[0].id().as_uuid(), catalog.roles()[0].id().as_uuid(), "and ids of their own");
}
