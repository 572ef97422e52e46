//! Reads the file of a catalog: the permissions and roles of a document, and the slugs that they had before.

use std::collections::BTreeMap;
use std::path::Path;

use rolecall::Document;
use rolecall::blocking::Authorizer;
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::SystemClock;
use rolecall::moment::WithOrigin;
use rolecall::records::{Granted, PermissionRecord, Slug};

use super::{Failure, all, invalid, read};

/// A permission of a catalog.
pub(super) struct CatalogPermission {
    pub(super) slug: String,
    pub(super) renamed_from: Vec<String>,
}

/// A role of a catalog: its slug, and the slugs and patterns of what it grants and includes.
pub(super) struct CatalogRole {
    pub(super) slug: String,
    pub(super) renamed_from: Vec<String>,
    pub(super) grants: Vec<String>,
    pub(super) includes: Vec<String>,
}

/// Reads a catalog from the permissions and roles of a document, and their earlier slugs.
pub(super) fn catalog(file: &Path) -> Result<Catalog, Failure> {
    let mut json: serde_json::Value =
        serde_json::from_slice(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    let [permissions_renamed, roles_renamed] = ["permissions", "roles"].map(|list| renames(&mut json, list));
    let tenant = Document::from_json(json.to_string().as_bytes())
        .and_then(|document| Authorizer::in_memory().import(&document))
        .map_err(|error| invalid(file, &error))?;
    let snapshot = tenant.snapshot();
    let moment = snapshot.now(&SystemClock);
    let permissions = all(|page| moment.permissions(page));
    let slug_of = |granted: &Granted| match granted {
        Granted::Pattern(pattern) => Some(pattern.to_string()),
        Granted::Permission(reference) => moment.permission(reference.id()).map(|item| item.slug().to_string()),
    };
    let mut waiting: Vec<CatalogRole> = all(|page| moment.roles(page))
        .iter()
        .map(|role| CatalogRole {
            slug: role.slug().to_string(),
            renamed_from: roles_renamed.get(role.slug().as_str()).cloned().unwrap_or_default(),
            grants: moment.grants_of(role.record.id).iter().filter_map(slug_of).collect(),
            includes: moment.includes_of(role.record.id).iter().map(|included| included.slug().to_string()).collect(),
        })
        .collect();
    // A role comes after those that it includes. A document has no cycles, so each round finds at least one.
    let mut roles: Vec<CatalogRole> = Vec::new();
    while !waiting.is_empty() {
        let is_there = |slug: &String| roles.iter().any(|role| role.slug == *slug);
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|role| role.includes.iter().all(is_there));
        waiting = rest;
        roles.extend(ready);
    }
    let renamed_from = |slug: &Slug| permissions_renamed.get(slug.as_str()).cloned().unwrap_or_default();
    let permissions = permissions.iter().map(WithOrigin::<PermissionRecord>::slug);
    let permissions: Vec<CatalogPermission> = permissions
        .map(|slug| CatalogPermission { slug: slug.to_string(), renamed_from: renamed_from(slug) })
        .collect();
    build(&permissions, &roles).map_err(|error| invalid(file, &error))
}

/// Takes the earlier slugs out of a list of entries: by slug.
fn renames(json: &mut serde_json::Value, list: &str) -> BTreeMap<String, Vec<String>> {
    let entries = json.get_mut(list).and_then(serde_json::Value::as_array_mut).into_iter().flatten();
    let renamed = entries.filter_map(|entry| {
        let earlier = entry.as_object_mut()?.remove("renamed_from")?;
        let earlier = earlier.as_array()?.iter().filter_map(|slug| slug.as_str().map(str::to_owned)).collect();
        Some((entry.get("slug")?.as_str()?.to_owned(), earlier))
    });
    renamed.collect()
}

pub(super) fn build(permissions: &[CatalogPermission], roles: &[CatalogRole]) -> rolecall::Result<Catalog> {
    fn slices(texts: &[String]) -> Vec<&str> {
        texts.iter().map(String::as_str).collect()
    }
    let earlier: Vec<_> = permissions.iter().map(|permission| slices(&permission.renamed_from)).collect();
    let defined = permissions.iter().zip(&earlier);
    let permissions: Vec<_> = defined
        .map(|(permission, renamed_from)| PermissionDef { renamed_from, ..PermissionDef::new(&permission.slug) })
        .collect();
    let lists: Vec<_> =
        roles.iter().map(|role| (slices(&role.grants), slices(&role.includes), slices(&role.renamed_from))).collect();
    let defined = roles.iter().zip(&lists);
    let roles: Vec<_> = defined
        .map(|(role, (grants, includes, renamed_from))| RoleDef {
            grants,
            includes,
            renamed_from,
            ..RoleDef::new(&role.slug)
        })
        .collect();
    Catalog::new(&Definition { permissions: &permissions, roles: &roles, ..Definition::default() })
}
