//! Two releases of a small catalog, shared by the targets.

use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};

pub(crate) fn first() -> Catalog {
    let permissions = &[PermissionDef::new("sys:read"), PermissionDef::new("sys:write")];
    let roles = &[
        RoleDef { grants: &["sys:read", "a:*"], ..RoleDef::new("sys-viewer") },
        RoleDef { grants: &["sys:*"], includes: &["sys-viewer"], ..RoleDef::new("sys-all") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).expect("the catalog is valid")
}

/// The next release: one permission renamed, one removed, one added, one role removed, and prefixes reserved.
pub(crate) fn second() -> Catalog {
    let permissions = &[
        PermissionDef { renamed_from: &["sys:write"], ..PermissionDef::new("sys:change") },
        PermissionDef::new("sys:new"),
    ];
    let roles = &[RoleDef { grants: &["sys:new", "b:*"], ..RoleDef::new("sys-all") }];
    let definition = Definition {
        permissions,
        roles,
        reserved_permission_prefixes: &["sys:", "a"],
        reserved_role_prefixes: &["r"],
        ..Definition::default()
    };
    Catalog::new(&definition).expect("the catalog is valid")
}
