//! Handles of one owner are never accepted by another: sessions and catalogs get their tokens from one counter (R8, R12).

use rolecall::blocking::Authorizer;
use rolecall::catalog::{Catalog, Definition, PermissionDef};

#[test]
fn a_catalogs_handle_is_unknown_on_a_tenant_that_does_not_have_that_catalog() {
    let mut strangers = Vec::new();
    let plain = Authorizer::in_memory();
    for i in 0..100 {
        let tenant = plain.create_tenant(&format!("victim-{i}"), "Victim").unwrap();
        tenant
            .update(|tx| {
                tx.create_permission("money:wire")?;
                tx.create_role("r")?.grant("money:wire")?;
                tx.create_user("alice")?.assign("r")?;
                Ok(())
            })
            .unwrap();
        strangers.push((i, tenant));
    }
    let permissions = &[PermissionDef::new("harmless:look")];
    let mut wrong = Vec::new();
    for c in 0..20 {
        let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
        let other = Authorizer::builder().catalog(&catalog).build();
        let tenant = other.create_tenant("other", "Other").unwrap();
        let handle = tenant.permission_handle("harmless:look").unwrap();
        for (i, victim) in &strangers {
            if victim.check("alice", handle) {
                wrong.push((c, *i, victim.explain("alice", handle).to_string()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_tenants_own_handle_is_unknown_in_another_authorizers_catalog() {
    let permissions = &[PermissionDef::new("admin:everything")];
    let mut victims = Vec::new();
    for _ in 0..40 {
        let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
        let other = Authorizer::builder().catalog(&catalog).build();
        let tenant = other.create_tenant("victim", "Victim").unwrap();
        tenant
            .update(|tx| {
                tx.create_role("r")?.grant("admin:everything")?;
                tx.create_user("alice")?.assign("r")?;
                Ok(())
            })
            .unwrap();
        victims.push((other, tenant));
    }
    let mut wrong = Vec::new();
    let plain = Authorizer::in_memory();
    for n in 0..60 {
        let tenant = plain.create_tenant(&format!("mine-{n}"), "Mine").unwrap();
        tenant.update(|tx| tx.create_permission("mine:look")?.done()).unwrap();
        let handle = tenant.permission_handle("mine:look").unwrap();
        for (i, (_, victim)) in victims.iter().enumerate() {
            if victim.check("alice", handle) {
                wrong.push((i, victim.explain("alice", handle).to_string()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
