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
    match block_on(next.tenant("acme")) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::CatalogConflict),
        Ok(acme) => {
            let document = acme.snapshot().export().unwrap();
            let plan = acme.plan_replace(&document).map(|plan| plan.is_empty());
            assert_eq!(plan.map_err(|e| e.to_string()), Ok(true), "the document equals the current content");
        }
    }
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

/// A repair accepts renames and deletions. A call that it rejects changes nothing.
#[test]
fn a_refused_repair_changes_nothing() {
    let store = MemoryStore::default();
    let first = over(&store, Definition::default());
    let acme = block_on(first.create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| {
        tx.create_permission("x:read")?;
        tx.create_permission("y:read")?;
        tx.create_role("r")?.grant("y:read")?;
        tx.create_role("s")?;
        tx.create_group("g")?.assign("r")?;
        tx.create_user("u")?.join("g")?.assign("r")?;
        tx.create_user("v")?;
        tx.create_group("p")?;
        tx.create_group("q")?;
        tx.group("g")?.add_parent("p")?.done()
    }))
    .unwrap();
    let next = over(&store, Definition { permissions: &[PermissionDef::new("x:read")], ..Definition::default() });
    let repair = block_on(next.repair("acme")).unwrap();
    let done = block_on(repair.update(|tx| {
        assert!(tx.role("r")?.set_grants(["*"]).is_err());
        assert!(tx.group("g")?.set_roles(["s"]).is_err() && tx.group("g")?.set_members(["v"]).is_err());
        assert!(tx.group("g")?.set_parents(["q"]).is_err() && tx.role("r")?.set_includes(["s"]).is_err());
        assert!(tx.user("u")?.set_groups(["q"]).is_err() && tx.user("u")?.set_roles(["s"]).is_err());
        assert!(tx.permission("y:read")?.set_name("Y").is_err() && tx.role("r")?.set_name("R").is_err());
        assert!(tx.group("g")?.set_name("G").is_err() && tx.user("u")?.suspend().is_err());
        Ok(())
    }))
    .unwrap();
    assert_eq!(done.changes, []);
    let done = block_on(repair.update(|tx| {
        tx.permission("y:read")?.set_slug("z:read")?;
        tx.role("r")?.set_slug("q")?;
        tx.group("g")?.set_slug("h")?;
        tx.user("u")?.set_key("w")?;
        Ok(())
    }))
    .unwrap();
    assert_eq!(done.changes.len(), 4, "each kind can be renamed");
}
