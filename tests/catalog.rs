//! R9: the catalog of an application, over several of its releases.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, CatalogPermission, Definition, PermissionDef, RoleDef};
use rolecall::moment::Origin;
use rolecall::records::Granted;
use rolecall::store::MemoryStore;
use rolecall::{Decision, EntityKind, ErrorKind, PageRequest, Reason, Timestamp, Window};

rolecall::catalog! {
    /// What a user of the first release may do.
    pub enum Permission {
        PostsRead = "posts:read" { name: "Read posts", category: "Posts" },
        PostsWrite = "posts:write",
        PostsDelete = "posts:delete",
    }
    retired ["posts:publish"];
    /// Its system roles.
    pub enum SystemRole {
        Viewer = "viewer" { grants: [PostsRead] },
        Editor = "editor" { name: "Editor", grants: [PostsWrite, "drafts:*"], includes: [Viewer] },
    }
    retired ["moderator"];
}

mod other {
    rolecall::catalog! {
        /// The permissions of another application that look the same.
        pub enum Permission {
            PostsRead = "posts:read",
            PostsWrite = "posts:write",
        }
    }
}

fn first(store: &MemoryStore) -> Tenant {
    let authorizer = Authorizer::builder().store(store.clone()).catalog(Permission::catalog()).build();
    authorizer.open_or_create("acme", "Acme").unwrap()
}

fn release(store: &MemoryStore, definition: &Definition<'_>) -> Authorizer {
    Authorizer::builder().store(store.clone()).catalog(&Catalog::new(definition).unwrap()).build()
}

fn populate(acme: &Tenant) {
    acme.update(|tx| {
        tx.create_permission("drafts:read")?;
        tx.create_role("writer")?.include(SystemRole::Editor)?.grant(Permission::PostsDelete)?;
        tx.create_group("staff")?.assign("writer")?;
        tx.create_user("alice")?.join("staff")?;
        tx.create_user("bob")?.assign(SystemRole::Viewer)?;
        tx.create_user("carol")?.assign_during("editor", Window::until(Timestamp::MAX))?.done()
    })
    .unwrap();
}

#[test]
fn a_variant_is_a_permission_and_costs_no_string() {
    let acme = first(&MemoryStore::default());
    populate(&acme);
    assert!(acme.check("alice", Permission::PostsWrite) && acme.check("alice", Permission::PostsDelete));
    assert!(acme.check("bob", Permission::PostsRead) && !acme.check("bob", Permission::PostsWrite));
    assert!(acme.check_all("alice", Permission::ALL.iter().copied()));
    assert_eq!(acme.check("alice", "posts:write"), acme.check("alice", Permission::PostsWrite));
    assert!(acme.check("carol", "drafts:read"), "a catalog role's pattern covers the tenant's own");
    assert_eq!(acme.effective("alice").slugs(), ["drafts:read", "posts:delete", "posts:read", "posts:write"]);
    assert_eq!(acme.now().permission(Permission::PostsRead).unwrap().record.name, "Read posts");
    let handle = acme.permission_handle(Permission::PostsRead).unwrap();
    let globex = Authorizer::builder().catalog(Permission::catalog()).build();
    let globex = globex.create_tenant("globex", "Globex").unwrap();
    globex.update(|tx| tx.create_user("bob")?.assign("viewer")?.done()).unwrap();
    assert!(globex.check("bob", handle), "a handle of a catalog is valid in every tenant with that catalog");
    assert!(acme.explain("alice", Permission::PostsRead).is_allowed());
}

#[test]
fn a_variant_of_another_catalog_is_unknown() {
    let acme = first(&MemoryStore::default());
    populate(&acme);
    assert_eq!(acme.decide("alice", other::Permission::PostsRead), Decision::Denied(Reason::UnknownPermission));
    assert!(!acme.check("alice", other::Permission::PostsWrite));
    assert!(other::Permission::catalog().permissions().len() == 2);
    let error = acme.update(|tx| tx.role("writer")?.grant(other::Permission::PostsRead)?.done()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let plain = Authorizer::in_memory().create_tenant("plain", "No catalog").unwrap();
    plain.update(|tx| tx.create_user("alice")?.done()).unwrap();
    assert!(!plain.check("alice", Permission::PostsRead));
    assert!(<Permission as CatalogPermission>::catalog().roles().len() == 2);
}

#[test]
fn a_tenant_uses_the_catalog_and_cannot_change_it() {
    let acme = first(&MemoryStore::default());
    populate(&acme);
    type Call = fn(&rolecall::Tx) -> rolecall::Result<()>;
    let system: [Call; 8] = [
        |tx| tx.delete_role(SystemRole::Viewer),
        |tx| tx.delete_permission(Permission::PostsRead),
        |tx| tx.role("editor")?.grant("*")?.done(),
        |tx| tx.role("editor")?.revoke("drafts:*")?.done(),
        |tx| tx.role("editor")?.include("writer")?.done(),
        |tx| tx.role("viewer")?.set_slug("reader")?.done(),
        |tx| tx.role("viewer")?.set_grants(["*"]).map(drop),
        |tx| tx.permission("posts:read")?.set_name("x")?.done(),
    ];
    for call in system {
        assert_eq!(acme.update(call).unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    let taken: [Call; 5] = [
        |tx| tx.create_permission("posts:read")?.done(),
        |tx| tx.create_permission("posts:publish")?.done(),
        |tx| tx.create_role("viewer")?.done(),
        |tx| tx.create_role("moderator")?.done(),
        |tx| tx.role("writer")?.set_slug("editor")?.done(),
    ];
    for call in taken {
        assert_eq!(acme.update(call).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert!(acme.update(|tx| tx.create_role("posts:publish")?.done()).is_ok(), "each kind has its own slugs");
}

/// The second release renames one entry and drops others that the tenant still refers to.
#[test]
fn r9_entries_removed_from_the_catalog_grant_nothing_and_are_listed() {
    let store = MemoryStore::default();
    populate(&first(&store));
    let second = Definition {
        permissions: &[
            PermissionDef { renamed_from: &["posts:read"], ..PermissionDef::new("articles:read") },
            PermissionDef::new("posts:write"),
        ],
        roles: &[RoleDef { grants: &["articles:read"], ..RoleDef::new("viewer") }],
        retired_roles: &["editor"],
        ..Definition::default()
    };
    let acme = release(&store, &second).tenant("acme").unwrap();
    assert!(acme.check("bob", "articles:read"), "a rename in code keeps the id");
    assert!(!acme.check("bob", "posts:read"));
    assert!(!acme.check("alice", "posts:write") && !acme.check("carol", "drafts:read"), "the editor was removed");
    let now = acme.now();
    let removed_from_catalog: Vec<String> =
        now.roles_removed_from_catalog().iter().map(|role| role.record.slug.to_string()).collect();
    assert_eq!(removed_from_catalog, ["editor"]);
    assert_eq!(now.permissions_removed_from_catalog()[0].record.slug, "posts:delete");
    assert!(
        now.role("editor").unwrap().origin == Origin::RemovedFromCatalog
            && now.roles(&PageRequest::of(99)).items.iter().all(|role| role.origin != Origin::RemovedFromCatalog)
    );
    assert!(now.roles_of("carol").len() == 1, "the assignment is still listed");
    drop(now);
    // It can be unassigned but not assigned, and its slug is taken.
    let refused = |error: rolecall::Error, kind| assert_eq!(error.kind(), kind);
    refused(acme.update(|tx| tx.user("bob")?.assign("editor")?.done()).unwrap_err(), ErrorKind::NotFound);
    refused(acme.update(|tx| tx.role("writer")?.grant("posts:delete")?.done()).unwrap_err(), ErrorKind::NotFound);
    refused(acme.update(|tx| tx.create_permission("posts:delete")?.done()).unwrap_err(), ErrorKind::AlreadyExists);
    refused(acme.update(|tx| tx.delete_role("editor")).unwrap_err(), ErrorKind::ReadOnly);
    acme.update(|tx| {
        tx.user("carol")?.unassign("editor")?;
        tx.role("writer")?.exclude("editor")?.revoke("posts:delete")?.done()
    })
    .unwrap();
    assert!(
        acme.now().roles_removed_from_catalog().is_empty() && acme.now().permissions_removed_from_catalog().is_empty()
    );
    assert!(acme.update(|tx| tx.create_permission("posts:delete")?.done()).is_ok());

    // Under the first release, the slug conflicts again.
    let authorizer = Authorizer::builder().store(store).catalog(Permission::catalog()).build();
    assert_eq!(authorizer.tenant("acme").unwrap_err().kind(), ErrorKind::CatalogConflict);
}

#[test]
fn an_entry_that_returns_to_the_catalog_grants_again() {
    let store = MemoryStore::default();
    populate(&first(&store));
    let acme = release(&store, &Definition::default()).tenant("acme").unwrap();
    assert!(!acme.check("alice", "posts:write") && acme.now().roles_removed_from_catalog().len() == 2);
    let grants = acme.now().grants_of("writer");
    assert!(
        matches!(&grants[0], Granted::Permission(reference) if !matches!(reference, rolecall::records::PermissionRef::Own(_)))
    );
    assert!(first(&store).check("alice", "posts:write"));
}

#[test]
fn a_catalog_conflict_lists_the_slugs_and_can_be_repaired() {
    let store = MemoryStore::default();
    let old = release(&store, &Definition::default());
    let acme = old.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_user("alice")?.assign("editor")?.done()
    })
    .unwrap();
    let new = Authorizer::builder().store(store.clone()).catalog(Permission::catalog()).build();
    let error = new.tenant("acme").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CatalogConflict);
    let conflicts = |error: &rolecall::Error| error.violations().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(conflicts(&error), ["permission `posts:read`", "permission `posts:write`", "role `editor`"]);
    assert_eq!(
        error.to_string(),
        "tenant has slugs that the catalog defines: permission `posts:read`; permission `posts:write`; role `editor`"
    );
    assert_eq!(new.tenant_by_id(acme.tenant_id()).unwrap_err().kind(), ErrorKind::CatalogConflict);

    let repair = new.repair("acme").unwrap();
    let clashes: Vec<(EntityKind, String)> =
        repair.clashes().into_iter().map(|(entity, slug)| (entity, slug.to_string())).collect();
    assert_eq!(clashes.len(), 3);
    let refused = repair.update(|tx| tx.create_user("mallory")?.done()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Rejected);
    assert_eq!(
        repair.update(|tx| tx.user("alice")?.suspend()?.done()).map(|_| ()).unwrap_err().kind(),
        ErrorKind::Rejected
    );
    repair.update(|tx| tx.permission("posts:read")?.set_slug("acme:read")?.done()).unwrap();
    assert_eq!(new.tenant("acme").unwrap_err().violations().len(), 2);
    repair
        .update(|tx| {
            tx.delete_permission("posts:write")?;
            tx.role("editor")?.set_slug("acme-editor")?.done()
        })
        .unwrap();
    assert!(repair.clashes().is_empty());
    let acme = new.tenant("acme").unwrap();
    assert!(acme.check("alice", Permission::PostsRead), "its pattern now covers the catalog's");
    assert!(!acme.check("alice", "acme:read"));
    assert_eq!(new.repair("acme").unwrap_err().kind(), ErrorKind::Rejected);
}

/// A tenant that is open under the old release receives a slug that conflicts with its catalog: it denies every check.
#[test]
fn a_refresh_with_a_catalog_conflict_denies_until_it_is_repaired() {
    let store = MemoryStore::default();
    let acme = first(&store);
    populate(&acme);
    let other = release(&store, &Definition::default()).tenant("acme").unwrap();
    other
        .update(|tx| {
            tx.role("writer")?.exclude(SystemRole::Viewer).ok();
            Ok(())
        })
        .unwrap();
    // Without the catalog, the slug is taken only while the tenant refers to it.
    other.update(|tx| tx.create_permission("posts:write")?.done()).unwrap();
    assert_eq!(acme.refresh().unwrap_err().kind(), ErrorKind::CatalogConflict);
    assert_eq!(acme.decide("alice", "posts:read"), Decision::Denied(Reason::InvalidStoreContent));
    assert_eq!(acme.update(|tx| tx.create_user("x")?.done()).unwrap_err().kind(), ErrorKind::CatalogConflict);
    other.update(|tx| tx.delete_permission("posts:write")).unwrap();
    acme.refresh().unwrap();
    assert!(acme.check("alice", "posts:read"));
}

#[test]
fn the_fingerprint_depends_only_on_the_contents() {
    let of =
        |slug| Catalog::new(&Definition { permissions: &[PermissionDef::new(slug)], ..Definition::default() }).unwrap();
    assert_eq!(of("a").fingerprint(), of("a").fingerprint());
    assert_ne!(of("a").fingerprint(), of("b").fingerprint());
    assert_ne!(Permission::catalog().fingerprint(), Catalog::empty().fingerprint());
}

/// A stored reference keeps the slug of its time. A release with a newer slug of the entry can still remove it.
#[test]
fn a_reference_with_an_older_slug_can_be_removed() {
    let store = MemoryStore::default();
    populate(&first(&store));
    let renamed = Definition {
        permissions: &[PermissionDef { renamed_from: &["posts:delete"], ..PermissionDef::new("articles:delete") }],
        roles: &[RoleDef { renamed_from: &["viewer"], ..RoleDef::new("reader") }],
        ..Definition::default()
    };
    let acme = release(&store, &renamed).tenant("acme").unwrap();
    assert!(acme.check("alice", "articles:delete"));
    acme.update(|tx| {
        tx.role("writer")?.revoke("articles:delete")?;
        tx.user("bob")?.unassign("reader")?.done()
    })
    .unwrap();
    let again = release(&store, &renamed).tenant("acme").unwrap();
    assert!(!again.check("alice", "articles:delete") && again.now().roles_of("bob").is_empty());
}
