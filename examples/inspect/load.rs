//! Loads the tenant of a document, even of one that breaks its own separations or binding assertions.

use std::path::Path;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::Catalog;
use rolecall::clock::{Clock as _, SystemClock};
use rolecall::moment::Origin;
use rolecall::records::{Change, CommitId, Envelope, Record, RoleRef, SeparationId, SeparationRecord, Slug, Timestamp};
use rolecall::store::{Base, Commit, MemoryStore, Store as _};
use rolecall::{Document, ErrorKind, Snapshot};
use serde_json::Value;

use super::catalog_file::{CatalogPermission, CatalogRole, build};
use super::{Failure, invalid, read};

/// Loads the tenant of a document, with the catalog of its application.
///
/// A slug of the document that the catalog has, too, is in conflict: the document is that of a tenant which had it before the
/// catalog. So the document is imported with an earlier catalog, and opened with this one.
///
/// An import refuses a document that breaks one of its separations or binding assertions, and names the first case only. With
/// the earlier catalog, whose roles give nothing, it also refuses some that hold. Such a document is loaded all the same: the
/// command `test` lists every case.
pub(super) fn load(catalog: Option<&Catalog>, file: &Path) -> Result<Tenant, Failure> {
    let json = read(file)?;
    let invalid = |error| invalid(file, &error);
    let document = Document::from_json(&json).map_err(invalid)?;
    let empty = Catalog::empty();
    let catalog = catalog.unwrap_or(&empty);
    let earlier = earlier(catalog, &json).map_err(invalid)?;
    let store = MemoryStore::default();
    let with = |catalog: &Catalog| Authorizer::builder().store(store.clone()).catalog(catalog).build();
    match with(&earlier).import(&document) {
        Err(error) if matches!(error.kind(), ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed) => {
            let unjudged = import_unjudged(&with(&earlier), &store, &json);
            unjudged.map_err(|error| format!("{}: {error}", file.display()))?;
        }
        imported => _ = imported.map_err(invalid)?,
    }
    with(catalog).tenant(document.slug()).map_err(invalid)
}

/// Refuses a document with a role or permission that has no id.
pub(super) fn requires_ids(file: &Path) -> Result<(), Failure> {
    let document: Value = serde_json::from_slice(&read(file)?).unwrap_or_default();
    let lacks_id = |list: &&str| entries(&document, list).iter().any(|entry| entry.get("id").is_none());
    match ["roles", "permissions"].into_iter().find(lacks_id) {
        Some(list) => Err(format!("{}: expected ids of all {list}, as in an exported document", file.display())),
        None => Ok(()),
    }
}

/// The entries of a catalog, apart from those whose slugs the document has. The roles grant and include nothing.
fn earlier(catalog: &Catalog, json: &[u8]) -> rolecall::Result<Catalog> {
    let document: Value = serde_json::from_slice(json).unwrap_or_default();
    let listed = |list: &str| -> Vec<String> {
        let slug = |entry: &Value| entry.as_str().or_else(|| entry.get("slug")?.as_str()).map(str::to_owned);
        entries(&document, list).iter().filter_map(slug).collect()
    };
    let (own_permissions, own_roles) = (listed("permissions"), listed("roles"));
    let texts = |slugs: &[Slug]| slugs.iter().map(ToString::to_string).collect();
    let permissions = catalog
        .permissions()
        .iter()
        .map(|entry| CatalogPermission { slug: entry.slug().to_string(), renamed_from: texts(entry.renamed_from()) });
    let permissions: Vec<_> = permissions.filter(|entry| !own_permissions.contains(&entry.slug)).collect();
    let roles = catalog.roles().iter().map(|entry| CatalogRole {
        slug: entry.slug().to_string(),
        renamed_from: texts(entry.renamed_from()),
        grants: Vec::new(),
        includes: Vec::new(),
    });
    let roles: Vec<_> = roles.filter(|entry| !own_roles.contains(&entry.slug)).collect();
    build(&permissions, &roles)
}

/// Imports a document without its separations, and with assertions that are not binding: no answer depends on that. Then it
/// writes the separations into the store. A store judges nothing, and a tenant opens with whatever is stored. The document has
/// no other mistakes.
fn import_unjudged(
    authorizer: &Authorizer,
    store: &MemoryStore,
    json: &[u8],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut document: Value = serde_json::from_slice(json)?;
    let separations = document.as_object_mut().and_then(|document| document.remove("separations"));
    for entry in document.get_mut("assertions").and_then(Value::as_array_mut).into_iter().flatten() {
        _ = entry.as_object_mut().and_then(|entry| entry.remove("binding"));
    }
    let tenant = authorizer.import(&Document::from_json(document.to_string().as_bytes())?)?;

    let (snapshot, mut changes) = (tenant.snapshot(), Vec::new());
    for mut separation in separations.as_ref().and_then(Value::as_array).cloned().unwrap_or_default() {
        let slugs = entries(&separation, "roles").iter().filter_map(Value::as_str);
        let roles: Option<Vec<RoleRef>> = slugs.map(|slug| reference(&snapshot, &document, slug)).collect();
        let mut roles = roles.ok_or("a role of a separation is missing")?;
        roles.sort_by_key(RoleRef::id);
        let fields = separation.as_object_mut().ok_or("a separation is not an object")?;
        fields.insert("roles".to_owned(), serde_json::to_value(roles)?);
        fields.entry("id").or_insert(serde_json::to_value(SeparationId::random())?);
        fields.entry("description").or_insert_with(|| "".into());
        let record: SeparationRecord = serde_json::from_value(separation)?;
        changes.push(Change::added(Record::Separation(record)));
    }
    let position = snapshot.position();
    let envelope = Envelope {
        id: CommitId::random(),
        previous: Some(position.commit),
        actor: None,
        at: SystemClock.now(),
        note: None,
        catalog: authorizer.catalog().fingerprint(),
    };
    let commit = Commit { base: Base::At(position), envelope: &envelope, changes: &changes };
    pollster::block_on(store.commit(commit))?;
    Ok(())
}

/// The reference to a role of the tenant, of the catalog, or of those that were removed from it.
fn reference(snapshot: &Snapshot, document: &Value, slug: &str) -> Option<RoleRef> {
    let of_catalog = |id, slug| RoleRef::Catalog { id, slug };
    if let Some(role) = snapshot.at(Timestamp::UNIX_EPOCH).role(slug) {
        let is_own = role.origin == Origin::Tenant;
        return Some(if is_own { RoleRef::Own(role.record.id) } else { of_catalog(role.record.id, role.record.slug) });
    }
    let is_it = |entry: &&Value| {
        let has = |field: &str, value: &str| entry.get(field).and_then(Value::as_str) == Some(value);
        has("kind", "role") && has("slug", slug)
    };
    let removed = entries(document, "removed_from_catalog").iter().find(is_it)?;
    Some(of_catalog(removed.get("id")?.as_str()?.parse().ok()?, Slug::new(slug).ok()?))
}

fn entries<'v>(document: &'v Value, list: &str) -> &'v [Value] {
    document.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
