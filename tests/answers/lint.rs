//! The limits of the lint's rules: entries that are just found, entries that are just not found, and entries that only the
//! catalog could mend. `review.rs` has the usual case of each rule.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::review::{Accepted, Code};
use rolecall::store::MemoryStore;
use rolecall::{Result, Timestamp, Tx, Window};

/// The tests ask at this instant, which is ahead of every clock.
fn later() -> Timestamp {
    Timestamp::from_secs(5_000_000_000).unwrap()
}

fn acme(change: impl Fn(&Tx) -> Result<()>) -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(change).unwrap();
    acme
}

fn found(acme: &Tenant) -> Vec<String> {
    acme.snapshot().at(later()).lint().map(|finding| finding.to_string()).collect()
}

#[test]
fn a_pattern_matches_much_from_a_hundred_on_or_from_half_of_ten_on() {
    for (matched, all, expected) in
        [(9, 9, false), (5, 10, true), (4, 10, false), (5, 11, false), (99, 300, false), (100, 300, true)]
    {
        let acme = acme(|tx| {
            (0..matched).try_for_each(|n| tx.create_permission(&format!("p:{n}"))?.done())?;
            (matched..all).try_for_each(|n| tx.create_permission(&format!("q:{n}"))?.done())?;
            tx.create_role("r")?.grant("p:*")?.done()
        });
        let text = format!("pattern_matches_much: role `r` grants `p:*`, which matches {matched} of {all} permissions");
        assert_eq!(found(&acme), if expected { vec![text] } else { vec![] }, "{matched} of {all}");
    }
}

#[test]
fn the_only_permission_is_not_everything() {
    let acme = acme(|tx| {
        tx.create_permission("read")?;
        tx.create_role("reader")?.grant("read")?;
        tx.create_user("alice")?.assign("reader")?.done()
    });
    assert_eq!(found(&acme), [""; 0]);
    acme.update(|tx| {
        tx.create_permission("write")?;
        tx.role("reader")?.grant("write")?.done()
    })
    .unwrap();
    assert_eq!(found(&acme), ["all_permissions: user `alice` has all 2 permissions"]);
}

/// Later matches of a pattern count. Of two equal grants, one is not reported.
#[test]
fn a_grant_is_redundant_if_another_one_covers_it_now_and_later() {
    let by_pattern = acme(|tx| {
        ["a:read", "b:read"].into_iter().try_for_each(|slug| tx.create_permission(slug)?.done())?;
        tx.create_role("inner")?.grant("a*")?;
        tx.create_role("outer")?.grant("a:read")?.include("inner")?.done()
    });
    let covered =
        "covered_grant: role `outer` grants `a:read`, which is also granted by role `inner`, which it includes";
    assert_eq!(found(&by_pattern), [covered], "`inner` would give a permission that comes later");
    let same_pattern = acme(|tx| {
        ["a:read", "b:read"].into_iter().try_for_each(|slug| tx.create_permission(slug)?.done())?;
        tx.create_role("r")?.grant("a*")?.grant("a**")?.done()
    });
    assert_eq!(found(&same_pattern), ["covered_grant: role `r` grants `a**`, which is covered by its grant `a*`"]);
    let same_role = acme(|tx| {
        ["a", "b"].into_iter().try_for_each(|slug| tx.create_permission(slug)?.done())?;
        ["one", "two"].into_iter().try_for_each(|slug| tx.create_role(slug)?.grant("a")?.done())?;
        tx.create_role("r")?.include("one")?.include("two")?.done()
    });
    assert_eq!(
        found(&same_role),
        [
            "redundant_inclusion: role `r` includes role `one`, which adds no permission to it",
            "equal_roles: role `two` gives the same permission as role `one`",
        ]
    );
}

#[test]
fn roles_and_groups_of_a_tenant_without_users_are_not_called_unused() {
    let acme = acme(|tx| {
        tx.create_role("reader")?;
        tx.create_group("staff")?.done()
    });
    assert_eq!(found(&acme), [""; 0]);
    acme.update(|tx| tx.create_user("alice")?.done()).unwrap();
    assert_eq!(
        found(&acme),
        [
            "unused_role: nothing assigns or includes role `reader`",
            "empty_group: group `staff` has no members, neither direct nor inherited ones",
        ]
    );
}

#[test]
fn expired_relations_do_not_count_as_members_or_users() {
    let soon = Window::until(Timestamp::from_secs(4_000_000_000).unwrap());
    let acme = acme(|tx| {
        tx.create_role("reader")?;
        tx.create_group("company")?;
        tx.create_group("staff")?.assign_during("reader", soon)?.add_parent_during("company", soon)?;
        tx.create_user("alice")?.join("staff")?.done()
    });
    assert_eq!(
        found(&acme),
        [
            "unused_role: role `reader` is assigned or included, but no user has it",
            "empty_group: group `company` has no members, neither direct nor inherited ones",
            "expired_assignment: assignment of role `reader` to group `staff` ended at 2096-10-02T07:06:40Z",
            "expired_parent_link: parent link of group `staff` to group `company` ended at 2096-10-02T07:06:40Z",
        ]
    );
}

#[test]
fn names_of_every_kind_are_compared_and_read() {
    let acme = acme(|tx| {
        for slug in ["Read", "read"] {
            tx.create_permission(slug)?;
            tx.create_role(slug)?;
            tx.create_group(slug)?;
        }
        tx.permission("read")?.set_name("P\u{a0}")?;
        tx.role("read")?.set_name("R\u{a0}")?;
        tx.group("read")?.set_name("G\u{a0}")?.done()
    });
    assert_eq!(
        found(&acme),
        [
            r"hidden_characters: the name of group `read`, `G\u{a0}`, has characters that cannot be seen",
            r"hidden_characters: the name of role `read`, `R\u{a0}`, has characters that cannot be seen",
            r"hidden_characters: the name of permission `read`, `P\u{a0}`, has characters that cannot be seen",
            "case_variants: group `read` differs only in case from `Read`",
            "case_variants: role `read` differs only in case from `Read`",
            "case_variants: permission `read` differs only in case from `Read`",
        ]
    );
}

/// A state alone does not know what a pattern matched before.
#[test]
fn a_pattern_has_grown_if_it_matches_what_it_did_not_match_in_an_earlier_state() {
    let acme = acme(|tx| {
        for slug in ["posts:read", "drafts:read", "billing:pay"] {
            tx.create_permission(slug)?;
        }
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("author")?.grant("posts:*")?.grant("drafts:*")?;
        tx.create_user("alice")?.assign("editor")?.assign("author")?.done()
    });
    let reviewed = acme.snapshot();
    let grown = |earlier: &rolecall::Snapshot| -> Vec<String> {
        let grown = acme.now().lint().since(earlier).map(|finding| finding.to_string()).collect::<Vec<_>>();
        grown.into_iter().filter(|text| text.starts_with("pattern_has_grown")).collect()
    };
    assert_eq!(grown(&reviewed), [""; 0]);
    acme.update(|tx| {
        // One is new, one has another slug, and one goes and comes back with another id.
        tx.create_permission("posts:write")?;
        tx.create_permission("billing:refund")?;
        tx.permission("drafts:read")?.set_slug("posts:draft")?;
        tx.delete_permission("posts:read")?;
        tx.create_permission("posts:read")?;
        // These are decisions of somebody, and not a pattern that has grown.
        tx.role("editor")?.grant("billing:*")?.revoke("posts:*")?;
        tx.create_role("new")?.grant("posts:*")?.done()
    })
    .unwrap();
    let message = "pattern_has_grown: role `author` grants `posts:*`, which now also matches `posts:draft`, `posts:read`, \
                   `posts:write`";
    assert_eq!(grown(&reviewed), [message]);
    assert_eq!(grown(&acme.snapshot()), [""; 0]);
    let elsewhere = self::acme(|tx| tx.create_role("author")?.grant("posts:*")?.done());
    assert_eq!(grown(&elsewhere.snapshot()), [""; 0], "another tenant has other roles");
    let accepted: Accepted = "pattern_has_grown\trole\tauthor\tgrant\tposts:*".parse().unwrap();
    assert!(!acme.now().lint().since(&reviewed).any(|f| f.code == Code::PatternHasGrown && !accepted.accepts(&f)));
    acme.close().unwrap();
    assert_eq!(acme.now().lint().since(&reviewed).count(), 0);
}

/// So many that some of them share a part of their hash.
#[test]
fn names_that_differ_are_not_called_alike() {
    let acme = acme(|tx| (0..1_000).try_for_each(|n| tx.create_user(&format!("{n}"))?.done()));
    assert_eq!(found(&acme), [""; 0]);
}

fn over(store: &MemoryStore, definition: Definition<'_>) -> Authorizer {
    Authorizer::builder().store(store.clone()).catalog(&Catalog::new(&definition).unwrap()).build()
}

/// An administrator of the tenant cannot mend the catalog.
#[test]
fn only_the_tenants_own_entries_are_judged() {
    let permissions = &["a:read", "b:read"].map(PermissionDef::new);
    let roles = &[
        RoleDef { grants: &["a:read", "a:*", "z:*"], name: Some("Viewer\u{a0}"), ..RoleDef::new("viewer") },
        RoleDef { grants: &["a:read"], ..RoleDef::new("Viewer") },
    ];
    let authorizer = over(&MemoryStore::default(), Definition { permissions, roles, ..Definition::default() });
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| tx.create_user("alice")?.done()).unwrap();
    assert_eq!(found(&acme), [""; 0]);
    // The role of the tenant is the one to change, whichever name comes first.
    acme.update(|tx| {
        ["VIEWER", "vIEWER"].into_iter().try_for_each(|slug| tx.create_role(slug)?.grant("a:read")?.done())?;
        tx.user("alice")?.assign("VIEWER")?.assign("vIEWER")?.done()
    })
    .unwrap();
    assert_eq!(
        found(&acme),
        [
            "equal_roles: role `VIEWER` gives the same permission as role `Viewer`",
            "equal_roles: role `vIEWER` gives the same permission as role `Viewer`",
            "case_variants: role `VIEWER` differs only in case from `Viewer`",
            "case_variants: role `vIEWER` differs only in case from `VIEWER`",
            "case_variants: role `VIEWER` differs only in case from `viewer`",
        ]
    );
}

#[test]
fn a_removed_catalog_entry_is_not_reported_as_covered_but_its_expired_relations_are() {
    let store = MemoryStore::default();
    let soon = Window::until(Timestamp::from_secs(4_000_000_000).unwrap());
    let permissions = &[PermissionDef::new("fax:send")];
    let roles = &[RoleDef::new("clerk")];
    let old = over(&store, Definition { permissions, roles, ..Definition::default() });
    let acme = old.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("fax:read")?;
        tx.create_role("editor")?.grant("fax:send")?.grant("fax:*")?;
        tx.create_user("alice")?.assign("editor")?.assign_during("clerk", soon)?.done()
    })
    .unwrap();
    let acme = over(&store, Definition::default()).tenant("acme").unwrap();
    let codes: Vec<Code> = acme.snapshot().at(later()).lint().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::RemovedFromCatalog, Code::RemovedFromCatalog, Code::ExpiredAssignment]);
    assert_eq!(acme.now().window_changes(..).rows().count(), 1);
}

/// The permission may come back with another release.
#[test]
fn an_inclusion_that_gives_a_removed_permission_is_not_redundant() {
    let store = MemoryStore::default();
    let permissions = &["fax:read", "fax:send"].map(PermissionDef::new);
    let acme = over(&store, Definition { permissions, ..Definition::default() }).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("reader")?.grant("fax:read")?;
        tx.create_role("sender")?.grant("fax:read")?.grant("fax:send")?;
        tx.create_role("clerk")?.grant("fax:read")?.include("reader")?.include("sender")?.done()
    })
    .unwrap();
    let authorizer = over(&store, Definition { permissions: &permissions[..1], ..Definition::default() });
    let acme = authorizer.tenant("acme").unwrap();
    let redundant: Vec<String> =
        found(&acme).into_iter().filter(|line| line.starts_with("redundant_inclusion")).collect();
    assert_eq!(redundant, ["redundant_inclusion: role `clerk` includes role `reader`, which adds no permission to it"]);
}

#[test]
fn a_finding_about_one_grant_is_accepted_alone_and_a_code_with_all() {
    let acme = acme(|tx| {
        ["a:read", "a:write", "b"].into_iter().try_for_each(|slug| tx.create_permission(slug)?.done())?;
        tx.create_role("r")?.grant("a:read")?.grant("a:write")?.grant("a:*")?.done()
    });
    let findings: Vec<_> = acme.now().lint().collect();
    let grants: Vec<&str> = findings.iter().filter_map(|finding| finding.grant.as_deref()).collect();
    assert_eq!(grants, ["a:read", "a:write"]);
    let mut accepted = Accepted::default();
    accepted.accept(&findings[0]);
    assert!(accepted.accepts(&findings[0]) && !accepted.accepts(&findings[1]));
    let accepted: Accepted = "covered_grant\n".parse().unwrap();
    assert!(findings.iter().all(|finding| accepted.accepts(finding)));
}
