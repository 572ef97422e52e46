//! Rules about the entries of the two catalogs, and about slugs that an entry would share.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Findings, Reconciliation};
use crate::model::catalog::Catalog;
use crate::model::error::{EntityKind, Quoted};
use crate::model::records::Slug;
use crate::review::lint::{Code, Finding};
use crate::review::{EntityRef, lint};

/// An entry of either kind.
#[derive(Clone, Copy)]
struct CatalogEntry<'c> {
    entity: EntityKind,
    id: Uuid,
    slug: &'c Slug,
}

impl CatalogEntry<'_> {
    fn place(&self) -> EntityRef {
        EntityRef { entity: self.entity, id: self.id, name: self.slug.to_string() }
    }
}

fn entries(catalog: &Catalog, entity: EntityKind) -> Vec<CatalogEntry<'_>> {
    match entity {
        EntityKind::Permission => catalog
            .permissions()
            .iter()
            .map(|e| CatalogEntry { entity, id: e.id().as_uuid(), slug: e.slug() })
            .collect(),
        _ => catalog.roles().iter().map(|e| CatalogEntry { entity, id: e.id().as_uuid(), slug: e.slug() }).collect(),
    }
}

impl Reconciliation {
    /// The entries of a kind in both catalogs, each in the order of its catalog.
    fn entries(&self, entity: EntityKind) -> [Vec<CatalogEntry<'_>>; 2] {
        [&self.before, &self.after].map(|snapshot| entries(&snapshot.0.catalog.definition, entity))
    }
}

/// The entries of the first list that the second has not.
fn without<'c>(these: Vec<CatalogEntry<'c>>, others: &[CatalogEntry<'_>]) -> Vec<CatalogEntry<'c>> {
    let others: HashSet<Uuid> = others.iter().map(|entry| entry.id).collect();
    these.into_iter().filter(|entry| !others.contains(&entry.id)).collect()
}

pub(super) fn new_conflicts(reconciliation: &Reconciliation) -> Findings<'_> {
    let present: HashSet<_> = reconciliation.before.conflicts().into_iter().collect();
    let conflicts = reconciliation.after.conflicts().into_iter().filter(move |conflict| !present.contains(conflict));
    Box::new(conflicts.map(|conflict| lint::conflict(&conflict)))
}

pub(super) fn slugs_reused(reconciliation: &Reconciliation) -> Findings<'_> {
    let kinds = [EntityKind::Permission, EntityKind::Role].into_iter();
    Box::new(kinds.flat_map(|entity| {
        let [before, after] = reconciliation.entries(entity);
        let present: HashMap<&Slug, Uuid> = before.iter().map(|entry| (entry.slug, entry.id)).collect();
        let reused = after.into_iter().filter_map(|entry| {
            let former = *present.get(entry.slug).filter(|id| **id != entry.id)?;
            let place = entry.place();
            let (id, what) = (entry.id, "would belong to another entry");
            let message =
                format!("the slug of {place} belongs to the entry with the id {former}, and {what}, with the id {id}");
            Some(Finding::new(Code::SlugReused, place, message))
        });
        reused.collect::<Vec<_>>()
    }))
}

/// The advice about a removed entry, if another one is added.
const IF_RENAMED: &str = "if this is a rename, declare `renamed_from`; otherwise keep it until nothing refers to it; then list its \
                          slug as retired";

pub(super) fn permissions_removed(reconciliation: &Reconciliation) -> Findings<'_> {
    removed(reconciliation, EntityKind::Permission, Code::PermissionRemoved)
}

pub(super) fn roles_removed(reconciliation: &Reconciliation) -> Findings<'_> {
    removed(reconciliation, EntityKind::Role, Code::RoleRemoved)
}

fn removed(reconciliation: &Reconciliation, entity: EntityKind, code: Code) -> Findings<'_> {
    let [before, after] = reconciliation.entries(entity);
    let has_new = !without(after.clone(), &before).is_empty();
    Box::new(without(before, &after).into_iter().map(move |entry| {
        let place = entry.place();
        let message = format!("{place} would be removed from the catalog{}", uses(reconciliation, entry));
        let finding = Finding::new(code, place, message);
        // A rename that is not declared is a removal and an addition.
        if has_new { Finding { advice: IF_RENAMED, ..finding } } else { finding }
    }))
}

pub(super) fn permissions_added(reconciliation: &Reconciliation) -> Findings<'_> {
    added(reconciliation, EntityKind::Permission, Code::PermissionAdded)
}

pub(super) fn roles_added(reconciliation: &Reconciliation) -> Findings<'_> {
    added(reconciliation, EntityKind::Role, Code::RoleAdded)
}

fn added(reconciliation: &Reconciliation, entity: EntityKind, code: Code) -> Findings<'_> {
    let [before, after] = reconciliation.entries(entity);
    Box::new(without(after, &before).into_iter().map(move |entry| {
        let place = entry.place();
        let message = format!("{place} would be added to the catalog");
        Finding::new(code, place, message)
    }))
}

pub(super) fn permissions_renamed(reconciliation: &Reconciliation) -> Findings<'_> {
    renamed(reconciliation, EntityKind::Permission, Code::PermissionRenamed)
}

pub(super) fn roles_renamed(reconciliation: &Reconciliation) -> Findings<'_> {
    renamed(reconciliation, EntityKind::Role, Code::RoleRenamed)
}

fn renamed(reconciliation: &Reconciliation, entity: EntityKind, code: Code) -> Findings<'_> {
    let [before, after] = reconciliation.entries(entity);
    let present: HashMap<Uuid, CatalogEntry<'_>> = before.into_iter().map(|entry| (entry.id, entry)).collect();
    Box::new(after.into_iter().filter_map(move |entry| {
        let former = *present.get(&entry.id).filter(|former| former.slug != entry.slug)?;
        let (place, slug) = (former.place(), Quoted(entry.slug.as_str()));
        let message = format!("{place} would be renamed to {slug}{}", uses(reconciliation, former));
        Some(Finding::new(code, place, message).with(entry.place()))
    }))
}

/// How often the tenant refers to an entry, as the end of a sentence.
fn uses(reconciliation: &Reconciliation, entry: CatalogEntry<'_>) -> String {
    let [state, _] = reconciliation.states();
    let found = match entry.entity {
        EntityKind::Permission => state.permissions.by_id(entry.id).map(|number| {
            let granting =
                state.reverse_grants.of(number).filter(|role| !reconciliation.before.0.catalog.has_role(*role));
            vec![(granting.count(), "role grants it by name", "roles grant it by name")]
        }),
        _ => state.roles.by_id(entry.id).and_then(|number| state.roles.row(number)).map(|row| {
            let including = row.included_by.iter().filter(|role| !reconciliation.before.0.catalog.has_role(**role));
            vec![
                (row.users.len(), "user has it", "users have it"),
                (row.groups.len(), "group has it", "groups have it"),
                (including.count(), "role includes it", "roles include it"),
            ]
        }),
    };
    let counts = found.unwrap_or_default().into_iter().filter(|(count, _, _)| *count > 0);
    let text: Vec<String> = counts.map(|(n, one, more)| format!("{n} {}", if n == 1 { one } else { more })).collect();
    if text.is_empty() { String::new() } else { format!("; {}", text.join(", ")) }
}

pub(super) fn slugs_reserved(reconciliation: &Reconciliation) -> Findings<'_> {
    let (before, after) = (&reconciliation.before.0.catalog.definition, &reconciliation.after.0.catalog.definition);
    let present: HashSet<Uuid> =
        reconciliation.before.reserved_slugs(before).into_iter().map(|slug| slug.own).collect();
    let reserved = reconciliation.after.reserved_slugs(after).into_iter();
    Box::new(reserved.filter(move |slug| !present.contains(&slug.own)).map(|reserved| {
        let (slug, prefix) = (reserved.slug.to_string(), Quoted(&reserved.prefix));
        let place = EntityRef { entity: reserved.entity, id: reserved.own, name: slug };
        let message = format!("{place} of the tenant would begin with {prefix}, which the catalog reserves");
        Finding::new(Code::SlugReserved, place, message)
    }))
}
