//! Catalogs that break a rule of R9 are rejected, with these messages.
//!
//! Not covered here: that the macro does not compile it. Its documentation has such cases, and both ask one function.

use super::assert_sound;
use crate::model::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use crate::model::error::{ErrorKind, Result};

const P: PermissionDef<'_> = PermissionDef::new("posts:read");
const Q: PermissionDef<'_> = PermissionDef::new("posts:write");
const R: RoleDef<'_> = RoleDef::new("viewer");
const S: RoleDef<'_> = RoleDef::new("editor");

fn of_permissions(permissions: &[PermissionDef<'_>]) -> Result<Catalog> {
    Catalog::new(&Definition { permissions, ..Definition::default() })
}

/// Roles beside `posts:read`, which was `posts:see`.
fn of_roles(roles: &[RoleDef<'_>]) -> Result<Catalog> {
    let permissions = &[PermissionDef { renamed_from: &["posts:see"], ..P }];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() })
}

fn of_retired(retired_permissions: &[&str], retired_roles: &[&str]) -> Result<Catalog> {
    Catalog::new(&Definition {
        permissions: &[P],
        retired_permissions,
        roles: &[R],
        retired_roles,
        ..Definition::default()
    })
}

fn of_reserved(reserved_permission_prefixes: &[&str], reserved_role_prefixes: &[&str]) -> Result<Catalog> {
    Catalog::new(&Definition { reserved_permission_prefixes, reserved_role_prefixes, ..Definition::default() })
}

/// Each row has the result of a definition, and a part of the expected message.
fn refused<const N: usize>(kind: ErrorKind, table: [(Result<Catalog>, &str); N]) {
    for (row, (result, part)) in table.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "row {row}: {error}");
        assert!(error.to_string().contains(part), "row {row}: {error}");
    }
}

#[test]
fn r9_a_malformed_text_is_refused() {
    let (long, stars) = ("x".repeat(256), "*".repeat(9));
    let table = [
        (of_permissions(&[PermissionDef::new("")]), "invalid slug ``"),
        (of_permissions(&[PermissionDef::new("posts:*")]), "invalid slug `posts:*`"),
        (of_permissions(&[PermissionDef::new(&long)]), "invalid slug `"),
        (of_permissions(&[PermissionDef { renamed_from: &["ü"], ..P }]), "invalid slug `ü`"),
        (of_permissions(&[PermissionDef { name: Some(""), ..P }]), "invalid name `"),
        (of_permissions(&[PermissionDef { category: Some("a\tb"), ..P }]), "invalid category `"),
        (of_roles(&[RoleDef::new("a b")]), "invalid slug `a b`"),
        (of_roles(&[RoleDef { description: "\0", ..R }]), "invalid description `"),
        (of_roles(&[RoleDef { grants: &[&stars], ..R }]), "invalid pattern `"),
        (of_roles(&[RoleDef { grants: &["a *"], ..R }]), "invalid pattern `a *` of role `viewer`: expected"),
        (of_roles(&[RoleDef { grants: &[""], ..R }]), "invalid pattern ``"),
        (of_retired(&["\n"], &[]), "invalid slug `"),
        (of_retired(&[], &["a b"]), "invalid slug `a b`"),
        (of_reserved(&["a:", "posts:*"], &[]), "invalid reserved prefix `posts:*`: expected 1 to 255 visible ASCII"),
        (of_reserved(&[], &[""]), "invalid reserved prefix ``"),
        (of_reserved(&[&long], &[]), "invalid reserved prefix `"),
    ];
    refused(ErrorKind::Invalid, table);
}

#[test]
fn r9_a_slug_that_occurs_twice_is_refused() {
    let table = [
        (of_permissions(&[P, P]), "permission `posts:read` already exists"),
        (of_permissions(&[P, PermissionDef { renamed_from: &["posts:read"], ..Q }]), "`posts:read`"),
        (of_permissions(&[PermissionDef { renamed_from: &["posts:write"], ..P }, Q]), "`posts:write`"),
        (of_permissions(&[PermissionDef { renamed_from: &["a", "a"], ..P }]), "`a`"),
        (of_permissions(&[PermissionDef { renamed_from: &["posts:read", "posts:read"], ..P }]), "`posts:read`"),
        (of_roles(&[R, S, R]), "role `viewer` already exists"),
        (of_roles(&[R, RoleDef { renamed_from: &["viewer"], ..S }]), "role `viewer`"),
        (of_retired(&["posts:read"], &[]), "permission `posts:read`"),
        (of_retired(&["x", "x"], &[]), "permission `x`"),
        (of_retired(&[], &["viewer"]), "role `viewer`"),
    ];
    refused(ErrorKind::AlreadyExists, table);
}

/// An entry may be renamed back, and no entry is renamed to the slug that it has.
#[test]
fn r9_the_last_earlier_slug_is_not_the_present_one() {
    let renamed = |renamed_from| of_permissions(&[PermissionDef { renamed_from, ..P }]);
    let role = |renamed_from| of_roles(&[RoleDef { renamed_from, ..R }]);
    let text = "`posts:read` cannot be used: it is the present slug, so `renamed_from` must not end with it";
    let table = [
        (renamed(&["posts:read"]), text),
        (renamed(&["a", "posts:read"]), text),
        (role(&["viewer"]), "role `viewer` cannot be used: it is the present slug"),
    ];
    refused(ErrorKind::AlreadyExists, table);
    assert!(renamed(&["posts:read", "a"]).is_ok() && role(&["viewer", "watcher"]).is_ok());
}

#[test]
#[should_panic(expected = "role `editor`: `editor` is the present slug, so `renamed_from` must not end with it")]
fn a_compile_error_names_a_slug_that_is_renamed_to_itself() {
    let roles = &[RoleDef { renamed_from: &["editor"], ..RoleDef::new("editor") }];
    assert_sound::<8>(&Definition { roles, ..Definition::default() });
}

#[test]
fn r9_unknown_permissions_and_roles_cannot_be_granted_or_included() {
    let table = [
        (
            of_roles(&[RoleDef { grants: &["posts:raed"], ..R }]),
            "permission `posts:raed` not found: role `viewer` grants it",
        ),
        (of_roles(&[RoleDef { grants: &["posts:see"], ..R }]), "permission `posts:see` not found"),
        (of_roles(&[RoleDef { includes: &["author"], ..R }]), "role `author` not found: role `viewer` includes it"),
    ];
    refused(ErrorKind::NotFound, table);
}

#[test]
fn r7_roles_have_no_cycle() {
    let forward = RoleDef { includes: &["editor"], ..R };
    let back = RoleDef { includes: &["viewer"], ..S };
    refused(ErrorKind::NotFound, [(of_roles(&[forward, back]), "role `editor` not found: role `viewer` includes it")]);
    refused(ErrorKind::Cycle, [(of_roles(&[RoleDef { includes: &["viewer"], ..R }]), "`viewer` includes `viewer`")]);
    assert!(of_roles(&[R, back, RoleDef { includes: &["editor", "viewer"], ..RoleDef::new("admin") }]).is_ok());
}

#[test]
#[should_panic(expected = "role `editor`: `posts:raed` is not a permission of the catalog")]
fn a_compile_error_names_the_entry_and_the_text() {
    let roles = &[RoleDef { grants: &["posts:raed"], ..RoleDef::new("editor") }];
    assert_sound::<8>(&Definition { roles, ..Definition::default() });
}

#[test]
#[should_panic(expected = "roles: invalid reserved prefix `posts:*`: expected 1 to 255 visible ASCII")]
fn a_compile_error_names_a_reserved_prefix() {
    assert_sound::<8>(&Definition { reserved_role_prefixes: &["posts:*"], ..Definition::default() });
}

#[test]
#[should_panic(expected = "retired permissions: invalid slug `…`: expected 1 to 255 visible ASCII")]
fn a_compile_error_leaves_out_what_is_too_long() {
    let long = "x".repeat(2000);
    assert_sound::<8>(&Definition { retired_permissions: &[&long], ..Definition::default() });
}
