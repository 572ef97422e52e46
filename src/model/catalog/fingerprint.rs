//! The fingerprint of a catalog: the UUID (version 5) of a canonical text of everything that can change a decision or a
//! look-up.
//!
//! Two catalogs with the same meaning have the same fingerprint. The text lists entries in the order of their ids, and
//! grants, inclusions and slugs in their own order. The order in the source code does not matter. The text is
//! unambiguous: every list begins with its length, and every word with its number of bytes.

use std::fmt::Write as _;

use uuid::{Uuid, uuid};

use super::entries::{Label, PermissionEntry, RoleEntry};
use crate::model::records::{Fingerprint, Slug};

/// The namespace of fingerprints. Stored envelopes contain fingerprints, so neither the namespace nor the text below ever
/// changes.
const CATALOGS: Uuid = uuid!("51d67c05-7892-48cb-9180-81504475c063");

/// Everything that the fingerprint covers.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) permissions: &'a [PermissionEntry],
    pub(super) retired_permissions: &'a [Slug],
    pub(super) roles: &'a [RoleEntry],
    pub(super) retired_roles: &'a [Slug],
}

pub(super) fn of(content: Content<'_>) -> Fingerprint {
    Fingerprint::from_uuid(Uuid::new_v5(&CATALOGS, canonical(content).as_bytes()))
}

fn canonical(content: Content<'_>) -> String {
    let mut text = Text(String::new());
    let mut permissions: Vec<_> = content.permissions.iter().collect();
    permissions.sort_unstable_by_key(|permission| permission.id);
    text.count(permissions.len());
    for permission in permissions {
        text.label(permission.id.as_uuid(), &permission.label);
        text.list(permission.category.iter().map(|category| category.as_str().to_owned()));
    }
    text.slugs(content.retired_permissions);

    let mut roles: Vec<_> = content.roles.iter().collect();
    roles.sort_unstable_by_key(|role| role.id);
    text.count(roles.len());
    for role in roles {
        text.label(role.id.as_uuid(), &role.label);
        let granted = role.grants.iter().filter_map(|at| content.permissions.get(*at as usize));
        text.list(granted.map(|permission| permission.id.to_string()));
        text.list(role.patterns.iter().map(ToString::to_string));
        let included = role.includes.iter().filter_map(|at| content.roles.get(*at as usize));
        text.list(included.map(|role| role.id.to_string()));
    }
    text.slugs(content.retired_roles);
    text.0
}

struct Text(String);

impl Text {
    fn count(&mut self, count: usize) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{count};");
    }

    fn word(&mut self, word: &str) {
        let _ = write!(self.0, "{}:{word}", word.len());
    }

    fn list(&mut self, words: impl Iterator<Item = String>) {
        let mut words: Vec<_> = words.collect();
        words.sort_unstable();
        self.count(words.len());
        for word in &words {
            self.word(word);
        }
    }

    fn slugs(&mut self, slugs: &[Slug]) {
        self.list(slugs.iter().map(ToString::to_string));
    }

    fn label(&mut self, id: Uuid, label: &Label) {
        self.word(&id.to_string());
        self.word(label.slug.as_str());
        self.word(label.name.as_str());
        self.word(label.description.as_str());
        self.slugs(&label.renamed_from);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::model::catalog::{Catalog, Definition, PermissionDef, RoleDef};

    const P: PermissionDef<'_> = PermissionDef::new("posts:read");
    const R: RoleDef<'_> = RoleDef::new("viewer");
    const X: RoleDef<'_> = RoleDef::new("x");

    const PLAIN: Definition<'_> = Definition {
        permissions: &[P],
        retired_permissions: &[],
        roles: &[R, X],
        retired_roles: &[],
        reserved_permission_prefixes: &[],
        reserved_role_prefixes: &[],
    };

    #[test]
    fn r9_different_catalogs_have_different_fingerprints() {
        let permissions = [
            PermissionDef { slug: "posts:Read", ..P },
            PermissionDef { name: Some("Read"), ..P },
            PermissionDef { description: "Read", ..P },
            PermissionDef { category: Some("Read"), ..P },
            PermissionDef { renamed_from: &["Read"], ..P },
            PermissionDef { renamed_from: &["posts:read", "Read"], ..P },
        ];
        let roles = [
            RoleDef { slug: "Viewer", ..R },
            RoleDef { name: Some("Read"), ..R },
            RoleDef { description: "Read", ..R },
            RoleDef { renamed_from: &["Read"], ..R },
            RoleDef { grants: &["posts:read"], ..R },
            RoleDef { grants: &["posts:read", "*"], ..R },
            RoleDef { grants: &["*"], ..R },
            RoleDef { grants: &["**"], ..R },
            RoleDef { includes: &["x"], ..R },
        ];
        let rest = [
            PLAIN,
            Definition::default(),
            Definition { permissions: &[], ..PLAIN },
            Definition { roles: &[], ..PLAIN },
            Definition { roles: &[R], ..PLAIN },
            Definition { retired_permissions: &["y"], ..PLAIN },
            Definition { retired_permissions: &["y", "z"], ..PLAIN },
            Definition { retired_roles: &["y"], ..PLAIN },
        ];
        let of = |definition: Definition<'_>| Catalog::new(&definition).unwrap().fingerprint();
        let permissions = permissions.map(|permission| of(Definition { permissions: &[permission], ..PLAIN }));
        let roles = roles.map(|role| of(Definition { roles: &[X, role], ..PLAIN }));
        let all = [&permissions[..], &roles, &rest.map(of)].concat();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn f26_reserved_prefixes_do_not_change_the_fingerprint() {
        let reserving =
            Definition { reserved_permission_prefixes: &["posts:"], reserved_role_prefixes: &["x"], ..PLAIN };
        let of = |definition| Catalog::new(definition).unwrap().fingerprint();
        assert_eq!(of(&PLAIN), of(&reserving), "no decision and no look-up depends on them");
    }

    #[test]
    fn r9_equivalent_catalogs_have_the_same_fingerprint() {
        let q = PermissionDef::new("posts:write");
        let of = |permissions, retired_permissions, grants| {
            let roles = &[RoleDef { grants, ..R }];
            let definition = Definition { permissions, retired_permissions, roles, ..PLAIN };
            Catalog::new(&definition).unwrap().fingerprint()
        };
        assert_eq!(
            of(&[P, q], &["a", "b"], &["posts:read", "posts:write", "a*", "b*"]),
            of(
                &[q, PermissionDef { name: Some("posts:read"), ..P }],
                &["b", "a"],
                &["b*", "a*", "b*", "posts:write", "posts:read"]
            ),
        );
    }
}
