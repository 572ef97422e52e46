//! R9: the catalog of an application, over several of its releases.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, CatalogPermission, Definition, PermissionDef, RoleDef};
use rolecall::moment::{Origin, WithOrigin};
use rolecall::records::{Granted, RoleRecord};
use rolecall::review::Code;
use rolecall::store::MemoryStore;
use rolecall::{Decision, EntityKind, ErrorKind, PageRequest, Reason, Timestamp, Window};

rolecall::catalog! {
    /// The permissions of the first release.
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
    assert_eq!(
        error.to_string(),
        "permission `PostsRead` belongs to a catalog that this authorizer was not built with"
    );
    assert_eq!(
        acme.explain("alice", other::Permission::PostsRead).to_string().lines().next(),
        Some("denied: permission `PostsRead` belongs to a catalog that this authorizer was not built with")
    );
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

    // Under the first release, the slug conflicts again: it gives nothing, and the rest does.
    let acme = Authorizer::builder().store(store).catalog(Permission::catalog()).build().tenant("acme").unwrap();
    assert_eq!(acme.decide("alice", Permission::PostsDelete), Decision::Denied(Reason::CatalogConflict));
    assert!(acme.check("bob", Permission::PostsRead));
}

/// The last relation to an entry takes the entry with it, and a list that is replaced still says what it has lost.
#[test]
fn replacing_a_list_removes_the_last_relation_to_an_entry_removed_from_the_catalog() {
    let roles = |acme: &Tenant| {
        acme.update(|tx| {
            tx.create_permission("own")?;
            tx.create_role("r")?.grant(Permission::PostsRead)?.include(SystemRole::Editor)?;
            tx.create_group("g")?.assign(SystemRole::Editor)?;
            tx.create_user("u")?.assign(SystemRole::Editor)?.done()
        })
        .unwrap();
    };
    let store = MemoryStore::default();
    roles(&first(&store));
    let acme = release(&store, &Definition::default()).tenant("acme").unwrap();
    let removed = acme.update(|tx| {
        let group = tx.group("g")?.set_roles::<&str>([])?.removed;
        let role = tx.role("r")?.set_includes::<&str>([])?.removed;
        let user = tx.user("u")?.set_roles::<&str>([])?.removed;
        Ok(([group, role, user], tx.role("r")?.set_grants::<&str>([])?.removed.len()))
    });
    let editor = || vec!["editor".parse().unwrap()];
    assert_eq!(removed.unwrap().value, ([editor(), editor(), editor()], 1));
    assert!(acme.now().roles_of("u").is_empty());
    assert!(first(&store).now().roles_of("u").is_empty());
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

/// The catalog's role first, whatever lists them (R9).
fn both_roles_are_listed(acme: &Tenant) {
    let page = acme.now().roles(&PageRequest::of(100));
    let editors: Vec<_> =
        page.items.iter().filter(|role| role.slug() == "editor").map(WithOrigin::<RoleRecord>::id).collect();
    let [one, other]: [_; 2] = editors.try_into().unwrap();
    let calls = |tx: &rolecall::Tx| {
        tx.create_role("both")?.include(one)?.include(other)?;
        tx.create_group("team")?.assign(other)?.assign(one)?;
        tx.create_user("carol")?.assign(other)?.assign(one)?.done()
    };
    let ((), plan) = acme.plan(calls).unwrap();
    let preview = plan.preview();
    let now = preview.at(Timestamp::UNIX_EPOCH);
    let inherited = [now.all_roles_of("carol"), now.all_roles_of_group("team"), now.all_includes_of("both")];
    let direct = [now.roles_of("carol"), now.roles_of_group("team")];
    let inherited = inherited.iter().map(|list| list.iter().map(|role| role.record.clone()).collect::<Vec<_>>());
    let direct = direct.iter().map(|list| list.iter().map(|role| role.record.clone()).collect());
    for roles in inherited.chain(direct).chain([now.includes_of("both").to_vec()]) {
        let editors = roles.iter().filter(|role| role.slug() == "editor");
        assert_eq!(editors.map(|role| role.origin).collect::<Vec<_>>(), [Origin::Catalog, Origin::Tenant]);
    }
}

#[test]
fn f26_a_catalog_conflict_lists_the_slugs_and_can_be_repaired() {
    let store = MemoryStore::default();
    let old = release(&store, &Definition::default());
    let acme = old.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_permission("posts:list")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_user("alice")?.assign("editor")?.done()
    })
    .unwrap();
    let expected = acme.snapshot().catalog_conflicts(Permission::catalog());
    let new = Authorizer::builder().store(store.clone()).catalog(Permission::catalog()).build();
    let acme = new.tenant("acme").unwrap();
    let conflicts = acme.conflicts();
    assert_eq!(conflicts, expected, "they were listed before the deploy");
    let names: Vec<(EntityKind, &str)> = conflicts.iter().map(|c| (c.entity, c.slug.as_str())).collect();
    use EntityKind::{Permission as P, Role};
    assert_eq!(names, [(P, "posts:read"), (P, "posts:write"), (Role, "editor")]);

    // A pattern that would match the two without the conflict is not a mistake.
    acme.update(|tx| tx.create_role("writer")?.grant("posts:w*")?.grant("posts:x*")?.done()).unwrap();
    let unmatched: Vec<_> = acme.now().lint().filter(|one| one.code == Code::PatternMatchesNothing).collect();
    assert_eq!(unmatched.iter().map(|one| one.grant.as_deref().unwrap()).collect::<Vec<_>>(), ["posts:x*"]);
    acme.update(|tx| tx.delete_role("writer")).unwrap();

    // The tenant works, but for the two permissions.
    assert!(acme.check("alice", "posts:list") && acme.check("alice", Permission::PostsDelete));
    for slug in ["posts:read", "posts:write"] {
        assert_eq!(acme.decide("alice", slug), Decision::Denied(Reason::CatalogConflict));
    }
    acme.update(|tx| tx.create_user("bob")?.done()).unwrap();
    both_roles_are_listed(&acme);
    type Call = fn(&rolecall::Tx) -> rolecall::Result<()>;
    let by_slug: [Call; 9] = [
        |tx| tx.permission("posts:read")?.done(),
        |tx| tx.ensure_permission("posts:read")?.done(),
        |tx| tx.delete_permission("posts:read"),
        |tx| tx.create_role("r")?.grant("posts:read")?.done(),
        |tx| tx.create_role("r")?.revoke("posts:read")?.done(),
        |tx| tx.role("editor")?.done(),
        |tx| tx.user("bob")?.assign("editor")?.done(),
        |tx| tx.user("alice")?.unassign("editor")?.done(),
        |tx| tx.create_role("r")?.include("editor")?.done(),
    ];
    for (row, call) in by_slug.into_iter().enumerate() {
        let error = acme.update(call).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CatalogConflict, "row {row}: {error}");
        let own = conflicts.iter().find(|conflict| error.name() == Some(conflict.slug.as_str())).unwrap().own;
        assert_eq!(error.found(), Some(&*own.to_string()), "row {row}: the id that repairs it");
    }
    assert_eq!(acme.update(|tx| tx.create_role("editor")?.done()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    acme.update(|tx| tx.user("bob")?.assign(SystemRole::Editor)?.done()).unwrap();

    let [read, write, role] = [0, 1, 2].map(|n: usize| conflicts[n].own);
    acme.update(|tx| tx.permission(read)?.set_slug("acme:read")?.done()).unwrap();
    assert_eq!(acme.conflicts().len(), 2);
    acme.update(|tx| {
        tx.delete_permission(write)?;
        tx.role(role)?.set_slug("acme-editor")?.done()
    })
    .unwrap();
    assert!(acme.conflicts().is_empty());
    assert!(acme.check("alice", Permission::PostsRead), "its pattern now covers the catalog's");
    assert!(!acme.check("alice", "acme:read"));
}

/// A tenant that is open under the new release receives a slug of the catalog. Only that slug is affected, in every
/// form of question and also with earlier handles. After the repair, every question is answered again.
#[test]
fn f26_an_old_process_takes_a_slug_of_the_open_catalog() {
    let store = MemoryStore::default();
    let acme = first(&store);
    populate(&acme);
    let read = acme.permission_handle("posts:read").unwrap();
    let write = acme.permission_handle(Permission::PostsWrite).unwrap();
    let write_id = acme.now().permission(write).unwrap().id();
    assert!(acme.check("alice", write) && acme.check("alice", read));
    let other = release(&store, &Definition::default()).tenant("acme").unwrap();
    // Without the catalog, the slug is taken only while the tenant refers to it.
    let own = other.update(|tx| tx.create_permission("posts:write")?.id()).unwrap().value;
    let there = other.permission_handle("posts:write").unwrap();
    other
        .update(|tx| {
            tx.create_role("own")?.grant(own)?.grant("posts:*")?;
            tx.create_user("olga")?.assign("own")?.done()
        })
        .unwrap();
    assert!(other.check("olga", there));
    acme.refresh().unwrap();
    let loaded = first(&store);
    for acme in [&acme, &loaded] {
        let now = acme.now();
        assert!(
            acme.check("alice", read) && acme.check("alice", Permission::PostsRead) && acme.check("olga", "posts:read")
        );
        for user in ["alice", "olga"] {
            let denied = Decision::Denied(Reason::CatalogConflict);
            assert_eq!(acme.decide(user, "posts:write"), denied);
            assert_eq!(acme.decide(user, Permission::PostsWrite), denied);
            assert_eq!(acme.decide(user, own), denied);
            assert_eq!(acme.decide(user, write_id), denied);
            assert_eq!(acme.explain(user, "posts:write").decision(), denied);
            assert!(!acme.check(user, "posts:write") && !acme.check(user, Permission::PostsWrite));
            assert!(!acme.check(user, own) && !acme.check(user, write_id));
            assert!(acme.check_many([(user, "posts:write"), (user, "posts:read")]).eq([false, true]));
            assert!(!acme.check_all(user, ["posts:read", "posts:write"]));
            assert!(!now.effective(user).contains(own) && !now.effective(user).contains(write_id));
            assert!(now.effective(user).slugs().iter().all(|slug| slug != "posts:write"));
            assert_eq!((now.first_path(user, own), now.valid_until(user, "posts:write")), (None, None));
            assert!([write_id, own].iter().all(|id| now.access_windows(user, *id).is_some_and(|set| set.is_empty())));
        }
        assert!(now.who_can("posts:write").is_empty() && now.who_can(own).is_empty());
        let listed = now.permissions(&PageRequest::of(99)).items;
        let marked: Vec<_> = listed.iter().filter(|one| one.in_conflict).map(|one| (one.id(), one.origin)).collect();
        assert_eq!(marked, [(write_id, Origin::Catalog), (own, Origin::Tenant)], "both appear, marked");
    }
    assert!(!acme.check("alice", write), "a handle from before");
    let own_handle = acme.permission_handle(own).unwrap();
    let renamed = acme.plan(|tx| tx.permission(own)?.set_slug("own:write")?.done()).unwrap().1;
    let changes: Vec<_> = renamed.access_changes(Timestamp::UNIX_EPOCH).collect();
    assert!(changes.iter().any(|change| change.user.key == "alice" && change.gained.slugs() == ["posts:write"]));
    other.update(|tx| tx.permission(own)?.set_slug("own:write")?.done()).unwrap();
    acme.refresh().unwrap();
    assert!(acme.check("alice", write) && acme.check("alice", "posts:write") && acme.conflicts().is_empty());
    assert!(acme.check("olga", own_handle) && acme.check("olga", "own:write"));
    assert!(first(&store).check("alice", "posts:write"));
}

/// Two tenants share one catalog. A conflict in one does not affect the other (R12).
#[test]
fn f26_a_conflict_stays_in_its_tenant() {
    let store = MemoryStore::default();
    let old = release(&store, &Definition::default());
    old.create_tenant("b", "B").unwrap().update(|tx| tx.create_permission("posts:write")?.done()).unwrap();
    let acme = first(&store);
    populate(&acme);
    let new = Authorizer::builder().store(store).catalog(Permission::catalog()).build();
    let (a, b) = (new.tenant("acme").unwrap(), new.tenant("b").unwrap());
    assert!(b.conflicts().len() == 1 && a.conflicts().is_empty() && a.check("alice", Permission::PostsWrite));
}

/// A thousand slugs at once, listed completely in pages of any size.
#[test]
fn f26_a_thousand_conflicts_at_once() {
    let store = MemoryStore::default();
    let slugs: Vec<String> = (0..1_000).map(|n| format!("p{n}")).collect();
    let acme = release(&store, &Definition::default()).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        slugs.iter().try_for_each(|slug| tx.create_permission(slug)?.done())?;
        tx.create_permission("q")?;
        tx.create_role("all")?.grant("*")?;
        tx.create_user("alice")?.assign("all")?.done()
    })
    .unwrap();
    let permissions: Vec<PermissionDef<'_>> = slugs.iter().map(|slug| PermissionDef::new(slug)).collect();
    let acme =
        release(&store, &Definition { permissions: &permissions, ..Definition::default() }).tenant("acme").unwrap();
    assert_eq!((acme.conflicts().len(), acme.effective("alice").slugs()), (1_000, vec!["q".parse().unwrap()]));
    for size in [1, 7, 100] {
        let (mut ids, mut page) = (std::collections::HashSet::new(), PageRequest::of(size));
        loop {
            let listed = acme.now().permissions(&page);
            assert!(listed.items.iter().all(|item| ids.insert(item.id())), "none is repeated");
            let Some(next) = listed.next else { break };
            page = page.after(next);
        }
        assert_eq!(ids.len(), 2_001, "none is left out");
    }
    acme.update(|tx| {
        let own = acme.conflicts();
        own.iter()
            .try_for_each(|conflict| tx.permission(conflict.own)?.set_slug(&format!("own-{}", conflict.slug))?.done())
    })
    .unwrap();
    assert_eq!((acme.conflicts().len(), acme.effective("alice").len()), (0, 2_001));
}

const RESERVING: Definition<'_> = Definition {
    permissions: &[PermissionDef::new("billing:read"), PermissionDef::new("posts:read")],
    retired_permissions: &["billing:all"],
    roles: &[RoleDef { grants: &["billing:*"], ..RoleDef::new("clerk") }],
    retired_roles: &[],
    reserved_permission_prefixes: &["billing:"],
    reserved_role_prefixes: &["acme-"],
};

/// Every call by which a tenant could take a slug under a reserved prefix, and those that only look like it.
#[test]
fn f26_a_tenant_cannot_take_a_reserved_slug() {
    let acme = release(&MemoryStore::default(), &RESERVING).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.done()
    })
    .unwrap();
    type Call = fn(&rolecall::Tx) -> rolecall::Result<()>;
    use EntityKind::{Permission as P, Role};
    let refused: [(EntityKind, &str, &str, Call); 8] = [
        (P, "billing:write", "billing:", |tx| tx.create_permission("billing:write")?.done()),
        (P, "billing:", "billing:", |tx| tx.create_permission("billing:")?.done()),
        (P, "billing:x", "billing:", |tx| tx.ensure_permission("billing:x")?.done()),
        (P, "billing:write", "billing:", |tx| tx.permission("posts:write")?.set_slug("billing:write")?.done()),
        (Role, "acme-x", "acme-", |tx| tx.create_role("acme-x")?.done()),
        (Role, "acme-x", "acme-", |tx| tx.ensure_role("acme-x")?.done()),
        (Role, "acme-editor", "acme-", |tx| tx.create_role_with_name("Acme Editor")?.done()),
        (Role, "acme-editor", "acme-", |tx| tx.role("editor")?.set_slug("acme-editor")?.done()),
    ];
    for (entity, slug, prefix, call) in refused {
        let error = acme.update(call).unwrap_err();
        assert_eq!((error.kind(), error.entity()), (ErrorKind::Reserved, Some(entity)), "{error}");
        assert_eq!((error.name(), error.reserved_prefix()), (Some(slug), Some(prefix)), "{error}");
        assert_eq!(error.advice(), Some("choose a slug that does not begin with it"));
        assert_eq!(error.revision(), Some(acme.revision()));
    }
    let error = acme.update(|tx| tx.create_role_with_name("Acme Editor")?.done()).unwrap_err();
    assert_eq!(error.derived_from(), Some("Acme Editor"));
    for taken in ["billing:read", "billing:all"] {
        let error = acme.update(|tx| tx.create_permission(taken)?.done()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "what the catalog has is said first");
    }
    let allowed: [Call; 6] = [
        |tx| tx.create_permission("billing")?.done(),
        |tx| tx.create_permission("Billing:write")?.done(),
        |tx| tx.create_permission("acme-x")?.done(),
        |tx| tx.create_role("billing:write")?.done(),
        |tx| tx.create_group("acme-x")?.done(),
        |tx| tx.create_role("own")?.grant("billing:*")?.grant("billing:read")?.done(),
    ];
    for (row, call) in allowed.into_iter().enumerate() {
        assert!(acme.update(call).is_ok(), "row {row}");
    }
}

/// A prefix is reserved although a tenant has such slugs: they are listed before and after the deploy, and keep working.
#[test]
fn f26_slugs_under_a_newly_reserved_prefix_keep_working_and_are_listed() {
    let store = MemoryStore::default();
    let acme = release(&store, &Definition::default()).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for slug in ["billing", "billing:pay", "billing:read", "billing;", "pay"] {
            tx.create_permission(slug)?;
        }
        tx.create_role("acme-editor")?.grant("billing:pay")?.done()?;
        tx.create_user("alice")?.assign("acme-editor")?.done()
    })
    .unwrap();
    let next = Catalog::new(&RESERVING).unwrap();
    let expected = acme.snapshot().reserved_slugs(&next);
    let acme = release(&store, &RESERVING).tenant("acme").unwrap();
    let listed = acme.snapshot().reserved_slugs(&next);
    assert_eq!(listed, expected, "they were listed before the deploy");
    let shown: Vec<_> = listed.iter().map(|one| (one.entity, one.slug.as_str(), one.prefix.as_str())).collect();
    use EntityKind::{Permission as P, Role};
    assert_eq!(
        shown,
        [(P, "billing:pay", "billing:"), (P, "billing:read", "billing:"), (Role, "acme-editor", "acme-")],
        "also a slug in conflict"
    );
    assert_eq!(
        listed[2].to_string(),
        format!("role `acme-editor` ({}) begins with `acme-`, which the catalog reserves", listed[2].own)
    );
    assert_eq!(acme.conflicts().len(), 1);

    assert!(acme.check("alice", "billing:pay"));
    acme.update(|tx| {
        tx.permission("billing:pay")?.set_slug("billing:pay")?.set_name("Pay")?;
        tx.ensure_permission("billing:pay")?;
        tx.ensure_role("acme-editor")?.set_name("Editor")?.done()
    })
    .unwrap();
    let rename = acme.update(|tx| tx.permission("billing:pay")?.set_slug("billing:spend")?.done());
    assert_eq!(rename.unwrap_err().kind(), ErrorKind::Reserved);
    acme.update(|tx| tx.delete_permission("billing:pay")).unwrap();
    let again = acme.update(|tx| tx.create_permission("billing:pay")?.done());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Reserved);
}

/// Nobody has a permission whose slug is in conflict or that the catalog has dropped. The answer to a question about it
/// states that reason, and so does every value derived from the answer.
#[test]
fn f26_who_can_reports_a_slug_in_conflict() {
    let store = MemoryStore::default();
    populate(&first(&store));
    let old = release(&store, &Definition::default()).tenant("acme").unwrap();
    let own = old.update(|tx| tx.create_permission("posts:write")?.id()).unwrap().value;
    let acme = first(&store);
    let now = acme.now();
    for set in [now.who_can("posts:write"), now.who_can(own), now.who_can(Permission::PostsWrite)] {
        assert!(set.is_empty() && !set.is_known());
        assert_eq!((set.unavailable(), set.unknown()), (Some(Reason::CatalogConflict), None));
        assert_eq!(format!("{set:?}"), "UserSet(0, unavailable: CatalogConflict)");
        let page = set.page(&PageRequest::of(9));
        assert_eq!((page.unavailable, page.is_known()), (Some(Reason::CatalogConflict), false));
        let readers = now.who_can("posts:read");
        assert!(readers.is_known() && readers.len() == 3);
        assert!(!set.is_subset(&readers) && !set.is_disjoint(&readers));
        for combined in [&set | &readers, &readers | &set, &readers & &set, &readers - &set] {
            assert_eq!(combined.unavailable(), Some(Reason::CatalogConflict), "it was made from no answer");
        }
    }
    let removed = old.now().who_can("posts:delete");
    assert_eq!((removed.unavailable(), removed.unknown()), (None, Some(EntityKind::Permission)), "as `decide` says");
    assert_eq!(old.decide("alice", "posts:delete"), Decision::Denied(Reason::UnknownPermission));
    acme.close().unwrap();
    assert_eq!(acme.now().who_can("posts:write").unavailable(), Some(Reason::Closed), "the tenant comes first");
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
