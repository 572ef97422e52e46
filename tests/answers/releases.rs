//! Catalogs over several releases: tenants of an older catalog under a new one.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
use pollster::block_on;
use rolecall::assertions::Assertion;
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::review::Code;
use rolecall::store::MemoryStore;
use rolecall::{Authorizer, Decision, ErrorKind, Reason};

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

/// A finding as a line: its severity, and its text, which begins with its code.
fn reconciled(acme: &rolecall::Tenant, next: Definition<'_>) -> (Vec<String>, Vec<String>) {
    let next = Catalog::new(&next).unwrap();
    let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant()).unwrap();
    let findings = reconciliation.findings().map(|finding| format!("{} {finding}", finding.severity)).collect();
    (findings, reconciliation.access_changes().map(|change| change.to_string()).collect())
}

const fn permission(slug: &str) -> PermissionDef<'_> {
    PermissionDef::new(slug)
}

/// A tenant of a catalog with `posts:read`, `posts:write` and `mail:send`, and two roles.
fn present(store: &MemoryStore) -> rolecall::Tenant {
    let permissions = &["posts:read", "posts:write", "mail:send"].map(permission);
    let viewer = RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") };
    let sender = RoleDef { grants: &["mail:*"], includes: &["viewer"], ..RoleDef::new("sender") };
    let first = over(store, Definition { permissions, roles: &[viewer, sender], ..Definition::default() });
    let acme = block_on(first.create_tenant("acme", "Acme")).unwrap();
    let populate = |tx: &rolecall::Tx| {
        tx.create_permission("bills:pay")?;
        tx.create_role("author")?.grant("posts:write")?;
        tx.create_role("all-posts")?.grant("posts:*")?;
        tx.create_role("payer")?.grant("bills:pay")?.include("viewer")?;
        tx.create_group("staff")?.assign("sender")?;
        tx.create_user("alice")?.assign("author")?;
        tx.create_user("bob")?.assign("all-posts")?;
        tx.create_user("carol")?.assign("payer")?;
        tx.create_user("dave")?.join("staff")?.done()
    };
    block_on(acme.update(populate)).unwrap();
    acme
}

#[test]
fn each_change_of_a_catalog_is_found_with_those_whom_it_affects() {
    let renamed = PermissionDef { renamed_from: &["posts:write"], ..permission("articles:write") };
    let viewer = RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") };
    let sender = RoleDef { grants: &["mail:*"], includes: &["viewer"], ..RoleDef::new("sender") };
    let (posts, mail) = ([permission("posts:read"), permission("posts:write")], permission("mail:send"));
    let all = [posts[0], posts[1], mail];
    let roles = &[viewer, sender];
    macro_rules! definition {
        ($permissions:expr) => {
            Definition { permissions: $permissions, roles, ..Definition::default() }
        };
    }
    let acme = present(&MemoryStore::default());
    let cases: &[(Definition<'_>, &[&str], &[&str])] = &[
        (definition!(&all), &[], &[]),
        (
            // Renamed: the grant by name follows, the pattern does not.
            definition!(&[posts[0], renamed, mail]),
            &[
                "info permission_renamed: permission `posts:write` would be renamed to `articles:write`; 1 role grants it by name",
                "error pattern_matches_less: role `all-posts` grants `posts:*`, which would no longer match `posts:write` (then `articles:write`)",
            ],
            &["user `bob` loses `articles:write`"],
        ),
        (
            definition!(&[posts[0], mail]),
            &[
                "warning permission_removed: permission `posts:write` would be removed from the catalog; 1 role grants it by name",
                "error lost_grant: role `author` grants `posts:write` by name, which would give nothing: it is removed from the catalog",
                "error pattern_matches_less: role `all-posts` grants `posts:*`, which would no longer match `posts:write`",
            ],
            &["user `alice` loses `posts:write`", "user `bob` loses `posts:write`"],
        ),
        (
            definition!(&[posts[0], posts[1], mail, permission("posts:delete"), permission("mail:read")]),
            &[
                "info permission_added: permission `posts:delete` would be added to the catalog",
                "info permission_added: permission `mail:read` would be added to the catalog",
                "warning role_changed: role `sender` of the catalog would also give `mail:read`",
                "warning pattern_matches_more: role `all-posts` grants `posts:*`, which would also match `posts:delete`",
            ],
            &["user `bob` gains `posts:delete`", "user `dave` gains `mail:read`"],
        ),
        (
            Definition { permissions: &all, roles: &[viewer], ..Definition::default() },
            &[
                "warning role_removed: role `sender` would be removed from the catalog; 1 group has it",
                "error lost_assignment: group `staff` has role `sender`, which is removed from the catalog, and would give nothing",
            ],
            &["user `dave` loses `mail:send`, `posts:read`"],
        ),
        (
            Definition { permissions: &all, roles: &[RoleDef { includes: &[], ..sender }], ..Definition::default() },
            &[
                "warning role_removed: role `viewer` would be removed from the catalog; 1 role includes it",
                "warning role_changed: role `sender` of the catalog would no longer give `posts:read`",
                "error lost_inclusion: role `payer` includes role `viewer`, which is removed from the catalog, and would give nothing",
            ],
            &["user `carol` loses `posts:read`", "user `dave` loses `posts:read`"],
        ),
        (
            // An entry takes the slug of another one.
            definition!(&[posts[0], PermissionDef { renamed_from: &["mail:send"], ..permission("posts:write") }]),
            &[
                "error slug_reused: the slug of permission `posts:write` belongs to the entry with the id {posts:write}, and would belong to another entry, with the id {mail:send}",
                "warning permission_removed: permission `posts:write` would be removed from the catalog; 1 role grants it by name",
                "info permission_renamed: permission `mail:send` would be renamed to `posts:write`",
                "warning role_changed: role `sender` of the catalog would no longer give `mail:send` (then `posts:write`)",
                "error lost_grant: role `author` grants `posts:write` by name, which would give nothing: it is removed from the catalog",
                "error pattern_matches_less: role `all-posts` grants `posts:*`, which would no longer match `posts:write`",
                "warning pattern_matches_more: role `all-posts` grants `posts:*`, which would also match `posts:write` (now `mail:send`)",
            ],
            &[
                "user `alice` loses `posts:write`",
                "user `bob` gains `posts:write`; loses `posts:write`",
                "user `dave` loses `posts:write`",
            ],
        ),
        (
            Definition { reserved_permission_prefixes: &["bills:"], ..definition!(&all) },
            &[
                "info slug_reserved: permission `bills:pay` of the tenant would begin with `bills:`, which the catalog reserves",
            ],
            &[],
        ),
    ];
    let ids = |text: &str| {
        all.iter().fold(text.to_owned(), |text, entry| {
            let catalog = Catalog::new(&Definition { permissions: &[*entry], ..Definition::default() }).unwrap();
            text.replace(&format!("{{{}}}", entry.slug), &catalog.permissions()[0].id().to_string())
        })
    };
    for (next, findings, changes) in cases {
        let found = reconciled(&acme, *next);
        let findings: Vec<String> = findings.iter().map(|finding| ids(finding)).collect();
        assert_eq!((&found.0, found.1.iter().map(String::as_str).collect::<Vec<_>>()), (&findings, changes.to_vec()));
    }
}

/// A grant is dormant if its entry was removed or its slug is in conflict. A new catalog can make it effective again,
/// which widens the grant.
#[test]
fn a_grant_that_would_give_something_again_is_found() {
    let store = MemoryStore::default();
    present(&store);
    let permissions = &[permission("posts:read"), permission("bills:pay")];
    let without = over(&store, Definition { permissions, ..Definition::default() });
    let acme = block_on(without.tenant("acme")).unwrap();
    let all = &["posts:read", "posts:write", "mail:send"].map(permission);
    let sender = RoleDef { grants: &["mail:*"], ..RoleDef::new("sender") };
    let next = Definition { permissions: all, roles: &[RoleDef::new("viewer"), sender], ..Definition::default() };
    let (findings, changes) = reconciled(&acme, next);
    let expected = [
        "warning permission_removed: permission `bills:pay` would be removed from the catalog",
        "info permission_added: permission `posts:write` would be added to the catalog",
        "info permission_added: permission `mail:send` would be added to the catalog",
        "info role_added: role `viewer` would be added to the catalog",
        "info role_added: role `sender` would be added to the catalog",
        "warning regained_grant: role `author` grants `posts:write` by name, which would give it again: it is added to the catalog again",
        "warning regained_grant: role `payer` grants `bills:pay` by name, which would give it again: its slug no longer belongs both to the tenant and to the catalog",
        "warning regained_inclusion: role `payer` includes role `viewer`, which is added to the catalog again, and would give something again",
        "warning regained_assignment: group `staff` has role `sender`, which is added to the catalog again, and would give something again",
        "warning pattern_matches_more: role `all-posts` grants `posts:*`, which would also match `posts:write`",
    ];
    assert_eq!(findings, expected);
    assert_eq!(
        changes,
        [
            "user `alice` gains `posts:write`",
            "user `bob` gains `posts:write`",
            "user `carol` gains `bills:pay`",
            "user `dave` gains `mail:send`"
        ]
    );
    // The way back: the slug is in conflict again.
    let acme = block_on(over(&store, next).tenant("acme")).unwrap();
    let (findings, _) = reconciled(&acme, Definition { permissions, ..Definition::default() });
    let of = |code: &str| findings.iter().filter(|finding| finding.contains(code)).count();
    let conflict =
        findings.iter().find(|finding| finding.starts_with("error catalog_conflict: permission `bills:pay`"));
    assert!(conflict.is_some() && of("lost_grant") == 2 && of("lost_inclusion") == 1, "{findings:?}");
    assert!(findings.iter().any(|finding| finding.ends_with("its slug belongs to the tenant and to the catalog")));
}

#[test]
fn a_catalog_that_breaks_a_separation_or_an_assertion_is_found() {
    let acme = present(&MemoryStore::default());
    let limit = |tx: &rolecall::Tx| {
        tx.create_separation("four-eyes", 1, ["author", "viewer"])?;
        tx.create_assertion("dave-sends", &Assertion::allowed("mail:send").with_users(["dave"]))?.set_binding(true)?;
        tx.user("alice")?.assign("sender")?.unassign("author")?;
        tx.user("dave")?.assign("author")?.done()
    };
    let refused = block_on(acme.update(limit)).unwrap_err();
    assert_eq!(refused.kind(), rolecall::ErrorKind::SeparationOfDuties);
    // With a catalog in which the sender does not include the viewer, it is allowed.
    let store = MemoryStore::default();
    let permissions = &["posts:read", "posts:write", "mail:send"].map(permission);
    let viewer = RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") };
    let sender = RoleDef { grants: &["mail:*"], ..RoleDef::new("sender") };
    present(&store);
    let apart = Definition { permissions, roles: &[viewer, sender], ..Definition::default() };
    let acme = block_on(over(&store, apart).tenant("acme")).unwrap();
    block_on(acme.update(limit)).unwrap();
    let together = RoleDef { grants: &["posts:read"], includes: &["viewer"], ..RoleDef::new("sender") };
    let next = Definition { permissions, roles: &[viewer, together], ..Definition::default() };
    let (findings, _) = reconciled(&acme, next);
    assert_eq!(
        findings[1..],
        [
            "error assertion_fails: assertion `dave-sends` would not hold any more: user `dave` may not do `mail:send`: nothing that the user holds grants it",
            "error separation_exceeded: user `dave` would hold `author`, `viewer`, of which separation `four-eyes` allows 1",
        ]
    );
}

/// Roles that grant `posts:read` and `mail:*`, as [`present`] has them.
const VIEWER: RoleDef<'static> = RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") };
const SENDER: RoleDef<'static> = RoleDef { grants: &["mail:*"], includes: &["viewer"], ..RoleDef::new("sender") };

#[test]
fn holders_and_roles_that_name_an_entry_are_counted_without_the_catalogs_own() {
    let acme = present(&MemoryStore::default());
    block_on(acme.update(|tx| {
        tx.create_role("publisher")?.grant("posts:write")?;
        tx.user("alice")?.assign("sender")?;
        tx.user("bob")?.assign("sender")?.done()
    }))
    .unwrap();
    let renamed = |slug, renamed_from| PermissionDef { renamed_from, ..permission(slug) };
    let permissions =
        &[renamed("notes:read", &["posts:read"]), renamed("posts:edit", &["posts:write"]), permission("mail:send")];
    let viewer = RoleDef { grants: &["notes:read"], ..VIEWER };
    let (findings, _) = reconciled(&acme, Definition { permissions, roles: &[viewer], ..Definition::default() });
    assert_eq!(
        findings,
        [
            "warning role_removed: role `sender` would be removed from the catalog; 2 users have it, 1 group has it",
            "info permission_renamed: permission `posts:read` would be renamed to `notes:read`",
            "info permission_renamed: permission `posts:write` would be renamed to `posts:edit`; 2 roles grant it by name",
            "error lost_assignment: group `staff` has role `sender`, which is removed from the catalog, and would give nothing",
            "error lost_assignment: user `alice` has role `sender`, which is removed from the catalog, and would give nothing",
            "error lost_assignment: user `bob` has role `sender`, which is removed from the catalog, and would give nothing",
            "error pattern_matches_less: role `all-posts` grants `posts:*`, which would no longer match `posts:read` (then `notes:read`)",
        ]
    );
}

#[test]
fn a_role_takes_the_slug_of_another_one() {
    let acme = present(&MemoryStore::default());
    let permissions = &["posts:read", "posts:write", "mail:send"].map(permission);
    let sender = RoleDef { grants: &["mail:*"], renamed_from: &["sender"], ..RoleDef::new("viewer") };
    let (findings, _) = reconciled(&acme, Definition { permissions, roles: &[sender], ..Definition::default() });
    assert!(
        findings[0].starts_with("error slug_reused: the slug of role `viewer` belongs to the entry with "),
        "{findings:?}"
    );
}

#[test]
fn a_long_list_of_permissions_is_sorted_and_cut() {
    let acme = present(&MemoryStore::default());
    let slugs: Vec<String> = (0..12).map(|n| format!("posts:{n:02}")).collect();
    for (count, cut) in [(10, ""), (11, " and 1 more"), (12, " and 2 more")] {
        let new = slugs.iter().take(count).rev().map(|slug| permission(slug));
        let old = ["posts:read", "posts:write", "mail:send"].map(permission);
        let permissions: Vec<_> = old.into_iter().chain(new).collect();
        let roles = &[VIEWER, SENDER];
        let (findings, _) = reconciled(&acme, Definition { permissions: &permissions, roles, ..Definition::default() });
        let listed: Vec<String> = slugs.iter().take(10).map(|slug| format!("`{slug}`")).collect();
        let expected = format!(
            "warning pattern_matches_more: role `all-posts` grants `posts:*`, which would also match {}{cut}",
            listed.join(", ")
        );
        assert_eq!(findings.last(), Some(&expected));
    }
}

/// Neither permission of a conflict gives anything (R9), so a role of the catalog that grants its own does not either.
#[test]
fn a_permission_in_conflict_is_not_given_by_a_role_of_the_catalog() {
    let acme = present(&MemoryStore::default());
    let permissions = &["posts:read", "posts:write", "mail:send", "bills:pay"].map(permission);
    let viewer = RoleDef { grants: &["posts:read", "bills:pay"], ..VIEWER };
    let next = Definition { permissions, roles: &[viewer, SENDER], ..Definition::default() };
    let (findings, changes) = reconciled(&acme, next);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.split(':').next().unwrap()).collect();
    assert_eq!(codes, ["error catalog_conflict", "info permission_added", "error lost_grant"]);
    assert_eq!(changes, ["user `carol` loses `bills:pay`"]);
}

/// A conflict, a reserved slug, an assertion that fails and an excess that are there already are nothing that a catalog
/// changes.
#[test]
fn a_problem_that_a_release_found_already_is_not_reported_again() {
    let store = MemoryStore::default();
    let release = |n: u8| {
        let all = ["posts:read", "mail:send", "bills:pay"].map(permission);
        let auditor = RoleDef { grants: if n == 3 { &["posts:read"] } else { &[] }, ..RoleDef::new("auditor") };
        let includes: &[&str] = match n {
            1 => &[],
            2 => &["viewer"],
            _ => &["viewer", "auditor"],
        };
        let roles = &[VIEWER, auditor, RoleDef { includes, ..SENDER }];
        let permissions = if n == 1 { &all[..2] } else { &all[..] };
        let reserved_permission_prefixes: &[&str] = if n == 1 { &[] } else { &["acme:"] };
        let definition = Definition { permissions, roles, reserved_permission_prefixes, ..Definition::default() };
        Catalog::new(&definition).unwrap()
    };
    let open = |n| Authorizer::builder().store(store.clone()).catalog(&release(n)).build();
    let acme = block_on(open(1).create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| {
        tx.create_permission("bills:pay")?;
        tx.create_permission("acme:note")?;
        tx.create_user("alice")?.assign("sender")?;
        tx.create_user("bob")?.assign("auditor")?;
        tx.create_separation("apart", 1, ["viewer", "auditor", "sender"])?;
        tx.create_assertion("no-reading", &Assertion::denied("posts:read").with_users(["alice", "bob"]))?.done()
    }))
    .unwrap();
    let acme = block_on(open(2).tenant("acme")).unwrap();
    let (failures, excesses) = (acme.now().assertion_violations(), acme.now().separation_violations());
    assert_eq!((failures.len(), excesses.len(), acme.conflicts().len()), (1, 1, 1));
    let found = |n| {
        let reconciliation = acme.snapshot().reconcile(&release(n), acme.now().instant()).unwrap();
        let findings: Vec<(String, Option<String>)> = reconciliation
            .findings()
            .map(|finding| (finding.to_string(), finding.other.map(|other| other.to_string())))
            .collect();
        let count = reconciliation.count();
        (findings, (count.gaining, count.losing))
    };
    assert_eq!(found(2), (vec![], (0, 0)));
    let (findings, count) = found(3);
    let findings: Vec<(&str, Option<&str>)> =
        findings.iter().map(|(text, other)| (text.as_str(), other.as_deref())).collect();
    assert_eq!(
        findings,
        [
            ("role_changed: role `auditor` of the catalog would also give `posts:read`", None),
            (
                "assertion_fails: assertion `no-reading` would not hold any more: user `bob` may do `posts:read`: has the \
                 role `auditor`, which grants `posts:read`",
                Some("user `bob`")
            ),
            (
                "separation_exceeded: user `alice` would hold `auditor`, `sender`, `viewer`, of which separation `apart` \
                 allows 1",
                Some("separation `apart`")
            ),
        ]
    );
    assert_eq!(count, (1, 0), "bob may read");
}

#[test]
fn a_tenant_that_the_next_release_cannot_open_is_an_error() {
    let acme = present(&MemoryStore::default());
    let snapshot = acme.snapshot();
    block_on(acme.delete()).unwrap();
    let now = acme.now().instant();
    assert_eq!(acme.snapshot().reconcile(&Catalog::empty(), now).unwrap_err().kind(), rolecall::ErrorKind::Deleted);
    assert!(snapshot.reconcile(&Catalog::empty(), now).is_ok(), "a snapshot of before can be asked");
}

/// A removed entry beside a new one may be a rename that the release does not declare.
#[test]
fn the_advice_about_a_removed_entry_asks_whether_it_was_renamed() {
    let acme = present(&MemoryStore::default());
    let advice = |permissions: &[PermissionDef<'_>]| {
        let next = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
        let reconciliation = acme.snapshot().reconcile(&next, acme.now().instant()).unwrap();
        reconciliation.findings().find(|one| one.code == Code::PermissionRemoved).unwrap().advice
    };
    let removed = ["posts:read", "mail:send"].map(permission);
    let renamed = ["posts:read", "mail:send", "posts:edit"].map(permission);
    assert!(!advice(&removed).contains("rename"));
    assert!(advice(&renamed).starts_with("if this is a rename, declare `renamed_from`; otherwise keep it"));
}

/// The table of the cookbook about a rolling deploy, row by row: what an old and a new process answer on one store.
#[test]
fn f26_while_two_releases_run_each_answers_by_its_own_catalog() {
    let renamed = PermissionDef { renamed_from: &["posts:write"], ..permission("articles:write") };
    let permissions = &[permission("posts:read"), renamed, permission("mail:send"), permission("posts:archive")];
    let viewer = RoleDef { grants: &["posts:read"], ..RoleDef::new("viewer") };
    let writer = RoleDef { grants: &["articles:write"], ..RoleDef::new("writer") };
    let next =
        Definition { permissions, roles: &[viewer, writer], retired_roles: &["sender"], ..Definition::default() };
    let store = MemoryStore::default();
    let permissions = &["posts:read", "posts:write", "mail:send"].map(permission);
    let sender = RoleDef { grants: &["mail:*"], ..RoleDef::new("sender") };
    let before = [viewer, RoleDef { grants: &["posts:write"], ..writer }, sender];
    let old = over(&store, Definition { permissions, roles: &before, ..Definition::default() });
    let old = block_on(old.create_tenant("acme", "Acme")).unwrap();
    let new = block_on(over(&store, next).tenant("acme")).unwrap();
    let refresh = || {
        block_on(old.refresh()).unwrap();
        block_on(new.refresh()).unwrap();
    };
    let denied = |reason| Decision::Denied(reason);
    let unknown = Reason::UnknownPermission;

    // A role of the tenant grants a pattern, and only the new release has one of its permissions.
    block_on(old.update(|tx| {
        tx.create_role("all-posts")?.grant("posts:*")?;
        tx.create_role("author")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("all-posts")?;
        tx.create_user("bob")?.assign("writer")?;
        tx.create_user("carol")?.assign("author")?;
        tx.create_user("dave")?;
        tx.create_user("erin")?.done()
    }))
    .unwrap();
    refresh();
    assert_eq!(old.decide("alice", "posts:archive"), denied(unknown));
    assert!(new.check("alice", "posts:archive"));
    // The same pattern no longer gives the renamed permission in the new release.
    assert!(old.check("alice", "posts:write") && !new.check("alice", "articles:write"));

    // A role of the catalog, and a grant by name, follow the rename. Each process knows the permission by its own slug.
    for user in ["bob", "carol"] {
        assert!(old.check(user, "posts:write") && new.check(user, "articles:write"));
        assert_eq!(old.decide(user, "articles:write"), denied(unknown));
        assert_eq!(new.decide(user, "posts:write"), denied(Reason::PermissionRenamed));
    }

    // The new release grants by name what the old one does not have.
    block_on(new.update(|tx| {
        tx.create_role("archivist")?.grant("posts:archive")?;
        tx.user("dave")?.assign("archivist")?.done()
    }))
    .unwrap();
    refresh();
    assert!(new.check("dave", "posts:archive") && !old.check("dave", "posts:archive"));
    let listed = |process: &rolecall::Tenant| {
        let now = process.now();
        let found = now.lint().filter(|one| one.code == Code::RemovedFromCatalog);
        found.map(|one| one.to_string()).collect::<Vec<_>>()
    };
    assert!(listed(&old)[0].contains("`posts:archive`") && listed(&new).is_empty(), "only the new release is right");
    block_on(new.update(|tx| tx.role("archivist")?.revoke("posts:archive")?.done())).unwrap();

    // The old release assigns a role that the new one has removed.
    block_on(old.update(|tx| tx.user("erin")?.assign("sender")?.done())).unwrap();
    refresh();
    assert!(old.check("erin", "mail:send") && !new.check("erin", "mail:send"));
    let refused = block_on(new.update(|tx| tx.user("dave")?.assign("sender")?.done())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(listed(&new)[0].contains("`sender`"));
    block_on(new.update(|tx| tx.user("erin")?.unassign("sender")?.done())).unwrap();
    assert!(listed(&new).is_empty());

    // The old release creates as the tenant's own a permission that the new catalog has.
    refresh();
    block_on(old.update(|tx| tx.create_permission("posts:archive")?.done())).unwrap();
    refresh();
    assert!(old.check("alice", "posts:archive"), "the tenant's own, by the pattern");
    assert_eq!(new.decide("alice", "posts:archive"), denied(Reason::CatalogConflict));
    let own = new.conflicts()[0].own;
    block_on(new.update(|tx| tx.permission(own)?.set_slug("own:archive")?.done())).unwrap();
    assert!(new.check("alice", "posts:archive"));
}
