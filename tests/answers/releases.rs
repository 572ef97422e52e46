//! Catalogs over several releases: a new catalog over tenants of an older one.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
use pollster::block_on;
use rolecall::Authorizer;
#[cfg(feature = "json")]
use rolecall::ErrorKind;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::store::MemoryStore;

fn over(store: &MemoryStore, definition: Definition<'_>) -> Authorizer {
    Authorizer::builder().store(store.clone()).catalog(&Catalog::new(&definition).unwrap()).build()
}

/// R9: a slug that the catalog retires counts as taken. A tenant that uses one can still be opened, so its export must
/// be importable.
#[cfg(feature = "json")]
#[test]
fn an_export_can_be_imported_after_the_catalog_retires_one_of_its_slugs() {
    let store = MemoryStore::default();
    let first = over(&store, Definition::default());
    let acme = block_on(first.create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| tx.create_permission("x:read")?.done())).unwrap();
    let next = over(&store, Definition { retired_permissions: &["x:read"], ..Definition::default() });
    let acme = block_on(next.tenant("acme")).unwrap();
    let document = acme.snapshot().export().unwrap();
    let plan = acme.plan_replace(&document).map(|plan| plan.is_empty());
    assert_eq!(plan.map_err(|e| e.to_string()), Ok(true), "the document equals the current content");
}

/// A tenant has an entity with the slug of an entity that was removed from the catalog. All snapshots agree on it.
#[test]
fn a_slug_of_the_tenant_wins_over_a_removed_entry_in_every_snapshot() {
    let renamed_from: &[&str] = &["s0"];
    let s1 = &[PermissionDef { renamed_from, ..PermissionDef::new("s1") }];
    let s2 = &[PermissionDef { renamed_from, ..PermissionDef::new("s2") }];
    for _ in 0..8 {
        let store = MemoryStore::default();
        let release_1 = over(&store, Definition { permissions: s1, ..Definition::default() });
        let acme = block_on(release_1.create_tenant("acme", "Acme")).unwrap();
        block_on(acme.update(|tx| {
            tx.create_role("old")?.grant("s1")?;
            tx.create_user("alice")?.done()
        }))
        .unwrap();
        let without = over(&store, Definition::default());
        let here = block_on(without.tenant("acme")).unwrap();
        let release_2 = over(&store, Definition { permissions: s2, ..Definition::default() });
        let there = block_on(release_2.tenant("acme")).unwrap();
        block_on(there.update(|tx| {
            tx.create_permission("s1")?;
            tx.create_role("new")?.grant("s1")?;
            tx.user("alice")?.assign("new")?.done()
        }))
        .unwrap();
        block_on(here.refresh()).unwrap();
        let anew = block_on(over(&store, Definition::default()).tenant("acme")).unwrap();
        assert_eq!(here.check("alice", "s1"), anew.check("alice", "s1"), "advanced and loaded snapshots agree");
    }
}

/// R9: the document of a tenant in conflict keeps both entities apart. It is a mistake under the same catalog, and a
/// document without the tenant's own repairs the tenant.
#[cfg(feature = "json")]
#[test]
fn f26_documents_of_a_tenant_in_conflict() {
    let store = MemoryStore::default();
    let acme = block_on(over(&store, Definition::default()).create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| {
        tx.create_permission("x:read")?;
        tx.create_role("r")?.grant("x:read")?;
        tx.create_user("u")?.assign("r")?.done()
    }))
    .unwrap();
    let next = over(&store, Definition { permissions: &[PermissionDef::new("x:read")], ..Definition::default() });
    let acme = block_on(next.tenant("acme")).unwrap();
    let own = acme.conflicts()[0].own;
    let catalogs = rolecall::records::PermissionId::from_uuid(acme.conflicts()[0].catalog);
    block_on(acme.update(|tx| tx.create_role("s")?.grant(catalogs)?.done())).unwrap();
    let document = acme.snapshot().export().unwrap();
    let mistake = acme.plan_replace(&document).unwrap_err();
    assert_eq!(mistake.kind(), ErrorKind::Document);
    assert_eq!(mistake.mistakes()[0].code, rolecall::error::MistakeCode::DefinedByCatalog);
    // Without the catalog, it restores both: the tenant's own, and the reference to the removed entry.
    let plain = block_on(Authorizer::in_memory().import(&document)).unwrap();
    assert!(plain.check("u", "x:read") && plain.now().permissions_removed_from_catalog().len() == 1);
    let without =
        rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme", "name": "Acme"}}"#).unwrap();
    block_on(acme.replace(&without)).unwrap();
    assert!(acme.conflicts().is_empty() && acme.now().permission(own).is_none());
}
