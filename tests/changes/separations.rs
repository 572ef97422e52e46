//! Separation of duties (R14): refusals, their texts, changes that are not refused, and excesses that are only reported.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, RoleDef};
use rolecall::records::{RecordKind, Slug};
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, Error, ErrorKind, Result, Timestamp, Tx, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

/// Far enough in the future for every clock.
fn year(n: i64) -> Timestamp {
    at(4_000_000_000 + n * 31_536_000)
}

fn between(from: i64, until: i64) -> Window {
    Window::between(year(from), year(until)).unwrap()
}

/// Clerks and approvers are separated. `junior` is a part of `office`, and `senior` includes `approver`.
fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for role in ["clerk", "approver", "auditor", "reader"] {
            tx.create_role(role)?;
        }
        tx.create_role("senior")?.include("approver")?;
        for group in ["office", "junior", "bank"] {
            tx.create_group(group)?;
        }
        tx.group("junior")?.add_parent("office")?;
        for user in ["alice", "bob", "carol"] {
            tx.create_user(user)?;
        }
        tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    })
    .unwrap();
    acme
}

fn refused<T>(acme: &Tenant, call: impl FnMut(&Tx) -> Result<T>) -> Error {
    let before = acme.revision();
    let error = acme.update(call).map(drop).expect_err("it breaks the separation");
    assert_eq!(error.kind(), ErrorKind::SeparationOfDuties, "{error}");
    assert_eq!(acme.revision(), before, "nothing was committed");
    error
}

type Call = fn(&Tx) -> Result<()>;

#[test]
fn a7_a_user_gets_no_second_separated_role_by_any_way() {
    let ways: [(&str, Call, Call); 9] = [
        (
            "an assignment",
            |tx| tx.user("alice")?.assign("clerk")?.done(),
            |tx| tx.user("alice")?.assign("approver")?.done(),
        ),
        (
            "a membership",
            |tx| {
                tx.group("office")?.assign("clerk")?;
                tx.user("alice")?.assign("approver")?.done()
            },
            |tx| tx.user("alice")?.join("junior")?.done(),
        ),
        (
            "a parent",
            |tx| {
                tx.group("bank")?.assign("approver")?;
                tx.user("alice")?.assign("clerk")?.join("junior")?.done()
            },
            |tx| tx.group("office")?.add_parent("bank")?.done(),
        ),
        (
            "a role of a group",
            |tx| tx.user("alice")?.assign("clerk")?.join("junior")?.done(),
            |tx| tx.group("office")?.assign("approver")?.done(),
        ),
        (
            "an included role",
            |tx| tx.user("alice")?.assign("clerk")?.done(),
            |tx| tx.user("alice")?.assign("senior")?.done(),
        ),
        (
            "an inclusion",
            |tx| {
                tx.group("office")?.assign("reader")?;
                tx.user("alice")?.assign("clerk")?.join("junior")?.done()
            },
            |tx| tx.role("reader")?.include("senior")?.done(),
        ),
        (
            "an inclusion in one of the two",
            |tx| tx.user("alice")?.assign("clerk")?.done(),
            |tx| tx.role("clerk")?.include("approver")?.done(),
        ),
        (
            "a merge",
            |tx| {
                tx.user("alice")?.assign("clerk")?;
                tx.user("bob")?.assign("approver")?.done()
            },
            |tx| tx.merge_users("bob", "alice").map(drop),
        ),
        (
            "a suspended user",
            |tx| tx.user("alice")?.assign("clerk")?.suspend()?.done(),
            |tx| tx.user("alice")?.assign("approver")?.done(),
        ),
    ];
    for (way, before, second) in ways {
        let acme = acme();
        acme.update(before).unwrap();
        let error = refused(&acme, second);
        let violation = error.separation().unwrap();
        assert_eq!((&*violation.separation, &*violation.user), ("payments", "alice"), "{way}");
        let roles: Vec<&str> = violation.roles.iter().map(|held| held.role.as_str()).collect();
        assert_eq!(roles, ["approver", "clerk"], "{way}");
        assert!(acme.now().separation_violations().is_empty(), "{way}");
    }
}

#[test]
fn a_refusal_says_who_and_by_which_paths() {
    let acme = acme();
    acme.update(|tx| {
        tx.group("office")?.assign("clerk")?;
        tx.user("alice")?.join("junior")?.done()
    })
    .unwrap();
    let error = refused(&acme, |tx| tx.user("alice")?.assign_during("senior", between(1, 2))?.done());
    assert_eq!(
        error.to_string(),
        format!(
            "refused: after this change, separation `payments` allows a user at most one of its roles; at {}, user `alice` \
             holds more than one of them: has the role `senior` ({}), which includes `approver`; \
             is in `junior`, a part of `office`, which has the role `clerk`; \
             remove one of these roles from the user first, or change the separation",
            year(1),
            between(1, 2)
        )
    );
    assert_eq!((error.entity(), error.name()), (Some(rolecall::EntityKind::User), Some("alice")));
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!(json["code"], "separation_of_duties");
    assert_eq!(json["separation"]["at"], year(1).to_string());
    assert_eq!(
        json["separation"]["roles"][1]["path"],
        "is in `junior`, a part of `office`, which has the role `clerk`"
    );
}

#[test]
fn windows_that_do_not_overlap_break_no_separation() {
    let acme = acme();
    acme.update(|tx| tx.user("alice")?.assign_during("clerk", between(1, 3))?.done()).unwrap();
    acme.update(|tx| tx.user("alice")?.assign_during("approver", between(3, 5))?.done()).unwrap();
    refused(&acme, |tx| tx.user("alice")?.extend_assignment("clerk", year(4))?.done());
    refused(&acme, |tx| tx.user("alice")?.set_assignment_window("approver", between(2, 5))?.done());
    acme.update(|tx| tx.user("alice")?.set_assignment_window("approver", between(4, 5))?.done()).unwrap();
    acme.update(|tx| tx.user("alice")?.extend_assignment("clerk", year(4))?.done()).unwrap();
    // Windows along one path count together.
    acme.update(|tx| {
        tx.user("bob")?.assign_during("clerk", between(1, 2))?.join_during("junior", between(1, 3))?;
        tx.group("junior")?.set_parent_window("office", between(2, 3))?;
        tx.group("office")?.assign("approver")?.done()
    })
    .unwrap();
    refused(&acme, |tx| tx.group("junior")?.set_parent_window("office", between(1, 3))?.done());
    assert!(acme.now().separation_violations().is_empty(), "neither does a report find one");
}

#[test]
fn a8_a_plan_is_judged_as_a_whole_by_separations() {
    let acme = acme();
    acme.update(|tx| tx.user("alice")?.assign("clerk")?.done()).unwrap();
    acme.update(|tx| tx.user("alice")?.assign("approver")?.unassign("clerk")?.done()).unwrap();
    acme.update(|tx| {
        tx.user("alice")?.assign("clerk")?;
        tx.delete_separation("payments")?;
        tx.create_separation("payments", 1, ["clerk", "reader"])?.done()
    })
    .unwrap();
    assert_eq!(acme.now().separations().len(), 1);
}

#[test]
fn a_separation_allows_as_many_as_it_says() {
    let acme = acme();
    acme.update(|tx| tx.create_separation("three", 2, ["clerk", "auditor", "reader"])?.done()).unwrap();
    acme.update(|tx| tx.user("alice")?.assign("clerk")?.assign("auditor")?.done()).unwrap();
    assert_eq!(refused(&acme, |tx| tx.user("alice")?.assign("reader")?.done()).separation().unwrap().roles.len(), 3);
    refused(&acme, |tx| tx.separation("three")?.set_at_most(1)?.done());
    refused(&acme, |tx| tx.create_separation("two", 1, ["clerk", "auditor"])?.done());
    refused(&acme, |tx| tx.separation("payments")?.set_roles(["clerk", "auditor"]).map(drop));
    let changes =
        acme.update(|tx| tx.separation("payments")?.set_roles(["auditor", "approver", "auditor"])).unwrap().value;
    let [added, removed] =
        [&changes.added, &changes.removed].map(|list| list.iter().map(Slug::as_str).collect::<Vec<_>>());
    assert_eq!((added, removed), (vec!["auditor"], vec!["clerk"]));
    let again = acme.update(|tx| tx.separation("payments")?.set_roles(["approver", "auditor"])).unwrap();
    assert!(again.value.is_empty() && again.changes.is_empty());
    acme.update(|tx| tx.separation("three")?.set_description("x")?.set_slug("3")?.done()).unwrap();
    let renamed = acme.now().separation("3").unwrap();
    assert_eq!((renamed.at_most, renamed.description.as_str()), (2, "x"));
}

#[test]
fn each_separation_above_a_group_is_seen() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_separation("reports", 1, ["auditor", "reader"])?;
        tx.group("office")?.assign("clerk")?.assign("auditor")?;
        tx.user("alice")?.assign("approver")?;
        tx.user("bob")?.assign("reader")?.done()
    })
    .unwrap();
    for (user, separation) in [("alice", "payments"), ("bob", "reports")] {
        let error = refused(&acme, |tx| tx.user(user)?.join("junior")?.done());
        assert_eq!(error.separation().unwrap().separation, separation);
    }
}

#[test]
fn a_separation_forbids_something_and_allows_something() {
    let acme = acme();
    for (at_most, roles, expected) in [
        (0, vec!["clerk", "approver"], "expected 1, because the separation has 2 roles"),
        (2, vec!["clerk", "approver"], "expected 1, because the separation has 2 roles"),
        (3, vec!["clerk", "approver", "reader"], "expected 1 to 2, because the separation has 3 roles"),
        (1, vec!["clerk", "clerk"], "expected at least 2 roles, found 1"),
    ] {
        let error = acme.update(|tx| tx.create_separation("s", at_most, &roles)?.done()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    for call in [
        |tx: &Tx| tx.separation("payments")?.set_at_most(2)?.done(),
        |tx: &Tx| tx.separation("payments")?.set_roles(["clerk"]).map(drop),
    ] {
        assert_eq!(acme.update(call).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let error = acme.update(|tx| tx.create_separation("payments", 1, ["clerk", "reader"])?.done()).unwrap_err();
    assert_eq!(error.to_string(), "separation `payments` already exists");
    let renamed = |slug: &'static str| {
        acme.plan(move |tx| tx.create_separation("s", 1, ["clerk", "reader"])?.set_slug(slug)?.done())
    };
    assert_eq!(renamed("payments").unwrap_err().kind(), ErrorKind::AlreadyExists);
    let _ = renamed("s").unwrap();
    let error = acme.update(|tx| tx.separation("paymnts")?.done()).unwrap_err();
    assert_eq!(error.to_string(), "separation `paymnts` not found; did you mean `payments`?");
}

#[test]
fn a_role_is_deleted_only_together_with_its_mention() {
    let acme = acme();
    let error = acme.update(|tx| tx.delete_role("clerk")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(
        error.to_string(),
        "role `clerk` cannot be deleted: separation `payments` names it; take the role out of the separation first, or delete \
         the separation"
    );
    acme.update(|tx| {
        tx.separation("payments")?.set_roles(["approver", "reader"])?;
        tx.delete_role("clerk")
    })
    .unwrap();
    acme.update(|tx| {
        tx.delete_separation("payments")?;
        tx.delete_role("approver")
    })
    .unwrap();
    assert!(acme.now().separations().is_empty());
}

fn over(store: &MemoryStore, roles: &[RoleDef<'_>]) -> Authorizer {
    let catalog = Catalog::new(&Definition { roles, ..Definition::default() }).unwrap();
    Authorizer::builder().store(store.clone()).catalog(&catalog).build()
}

/// A new catalog gives `clerk` what `approver` has: stored data then breaks the separation.
#[test]
fn an_excess_in_stored_data_is_reported_and_does_not_grow() {
    let store = MemoryStore::default();
    let roles = ["clerk", "approver", "auditor"].map(RoleDef::new);
    let acme = over(&store, &roles).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_user("alice")?.assign("clerk")?;
        tx.create_user("bob")?;
        tx.create_group("office")?;
        tx.create_separation("payments", 1, ["clerk", "approver", "auditor"])?.done()
    })
    .unwrap();
    let roles = [
        RoleDef::new("approver"),
        RoleDef { includes: &["approver"], ..RoleDef::new("clerk") },
        RoleDef::new("auditor"),
    ];
    let acme = over(&store, &roles).tenant("acme").unwrap();
    let violations = acme.now().separation_violations();
    assert_eq!(violations.len(), 1);
    assert_eq!((violations[0].user.as_str(), violations[0].roles.len()), ("alice", 2));
    // Changes that give nothing more are possible, even to the same user. Changes that give more are not.
    acme.update(|tx| tx.user("alice")?.assign("approver")?.done()).unwrap();
    refused(&acme, |tx| tx.user("alice")?.assign("auditor")?.done());
    refused(&acme, |tx| tx.user("bob")?.assign("clerk")?.done());
    refused(&acme, |tx| tx.create_separation("new", 1, ["clerk", "approver"])?.done());
    acme.update(|tx| tx.user("bob")?.assign("auditor")?.join("office")?.done()).unwrap();
    acme.update(|tx| tx.user("alice")?.unassign("clerk")?.done()).unwrap();
    assert!(acme.now().separation_violations().is_empty());
}

/// The windows of the user decide since when there is an excess, and how long it is tolerated.
#[test]
fn an_excess_in_stored_data_has_its_instants() {
    let store = MemoryStore::default();
    let acme = over(&store, &["approver", "clerk"].map(RoleDef::new)).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_user("alice")?.assign_during("clerk", Window::until(year(2)))?;
        tx.create_user("bob")?.assign_during("clerk", between(1, 3))?;
        tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    })
    .unwrap();
    let roles = [RoleDef::new("approver"), RoleDef { includes: &["approver"], ..RoleDef::new("clerk") }];
    let acme = over(&store, &roles).tenant("acme").unwrap();
    let violations = acme.now().separation_violations();
    let found: Vec<(&str, bool)> =
        violations.iter().map(|found| (found.user.as_str(), found.at == year(1).to_string())).collect();
    assert_eq!(found, [("alice", false), ("bob", true)]);
    let longer = refused(&acme, |tx| tx.user("alice")?.extend_assignment("clerk", year(4))?.done());
    assert_eq!(longer.separation().unwrap().at, year(2).to_string());
    acme.update(|tx| tx.user("alice")?.set_assignment_window("clerk", Window::until(year(1)))?.done()).unwrap();
}

/// R9: a role that the catalog no longer has gives nothing, and still counts.
#[test]
fn a_role_that_was_removed_from_the_catalog_counts_as_held() {
    let store = MemoryStore::default();
    let acme = over(&store, &["clerk", "approver"].map(RoleDef::new)).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_user("alice")?.assign("clerk")?;
        tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    })
    .unwrap();
    let acme = over(&store, &[RoleDef::new("approver")]).tenant("acme").unwrap();
    let separation = acme.now().separation("payments").unwrap();
    assert_eq!(separation.roles.iter().map(|role| role.slug().as_str()).collect::<Vec<_>>(), ["approver", "clerk"]);
    refused(&acme, |tx| tx.user("alice")?.assign("approver")?.done());
    // The mention alone keeps the role known.
    acme.update(|tx| tx.user("alice")?.unassign("clerk")?.assign("approver")?.done()).unwrap();
    assert_eq!(acme.now().roles_removed_from_catalog().len(), 1);
    acme.update(|tx| tx.delete_separation("payments")).unwrap();
    assert!(acme.now().roles_removed_from_catalog().is_empty());
}

#[test]
fn an_entry_that_was_renamed_in_the_catalog_is_the_same_role() {
    let store = MemoryStore::default();
    let acme = over(&store, &["clerk", "approver"].map(RoleDef::new)).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_user("alice")?.assign("clerk")?;
        tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    })
    .unwrap();
    let renamed = RoleDef { renamed_from: &["clerk"], ..RoleDef::new("cashier") };
    let acme = over(&store, &[renamed, RoleDef::new("approver")]).tenant("acme").unwrap();
    refused(&acme, |tx| tx.user("alice")?.assign("approver")?.done());
    let updated = acme.update(|tx| tx.separation("payments")?.set_roles(["approver", "cashier"])).unwrap();
    assert_eq!(updated.changes, [], "a reference is kept as it is stored");
    assert!(updated.value.is_empty());
    #[cfg(feature = "json")]
    {
        let document = acme.snapshot().export().unwrap();
        assert!(document.to_json().contains(r#""cashier""#));
        assert!(acme.plan_replace(&document).unwrap().is_empty(), "it equals what is there");
    }
    acme.update(|tx| tx.separation("payments")?.set_description("x")?.done()).unwrap();
    acme.update(|tx| tx.delete_separation("payments")).unwrap();
}

#[test]
fn changes_of_a_separation_are_described_with_names() {
    let acme = acme();
    let describe = |call: Call| -> Vec<String> {
        let updated = acme.update(call).unwrap();
        updated.described().map(|change| change.to_string()).collect()
    };
    assert_eq!(describe(|tx| tx.create_separation("s", 1, ["clerk", "reader"])?.done()), ["created separation `s`"]);
    assert_eq!(
        describe(|tx| {
            let edit = tx.separation("s")?;
            edit.set_roles(["clerk", "reader", "auditor"])?;
            edit.set_at_most(2)?.done()
        }),
        ["changed separation `s`: at most `1` → `2`, roles added `auditor`"]
    );
    assert_eq!(describe(|tx| tx.separation("s")?.set_slug("t")?.done()), ["renamed separation `s` to `t`"]);
    assert_eq!(describe(|tx| tx.delete_separation("t")), ["deleted separation `t`"]);
    let ((), plan) = acme.plan(|tx| tx.delete_separation("payments")).unwrap();
    assert_eq!(plan.count(RecordKind::Separation).removed, 1);
}

#[test]
fn a_rebased_plan_is_judged_on_the_newest_state() {
    let acme = acme();
    let ((), assign) = acme.plan(|tx| tx.user("alice")?.assign("clerk")?.done()).unwrap();
    let ((), separate) = acme.plan(|tx| tx.create_separation("s", 1, ["reader", "auditor"])?.done()).unwrap();
    let ((), delete) = acme.plan(|tx| tx.delete_role("auditor")).unwrap();
    acme.update(|tx| {
        tx.user("alice")?.assign("approver")?;
        tx.user("bob")?.assign("reader")?.assign("auditor")?.done()
    })
    .unwrap();
    assert_eq!(acme.rebase(&assign).unwrap_err().kind(), ErrorKind::SeparationOfDuties);
    assert_eq!(acme.rebase(&separate).unwrap_err().kind(), ErrorKind::SeparationOfDuties);
    acme.update(|tx| {
        tx.user("bob")?.unassign("auditor")?;
        tx.create_separation("t", 1, ["reader", "auditor"])?.done()
    })
    .unwrap();
    assert_eq!(acme.rebase(&delete).unwrap_err().kind(), ErrorKind::Stale);
    acme.commit(acme.rebase(&separate).unwrap()).unwrap();
    assert_eq!(acme.now().separations().len(), 3);
}

#[test]
fn a_rebased_plan_that_names_a_deleted_role_says_so() {
    let acme = acme();
    let ((), created) = acme.plan(|tx| tx.create_separation("s", 1, ["reader", "auditor"])?.done()).unwrap();
    acme.update(|tx| tx.create_separation("t", 1, ["reader", "clerk"])?.done()).unwrap();
    let ((), changed) =
        acme.plan(|tx| tx.separation("t")?.set_roles(["reader", "clerk", "auditor"]).map(drop)).unwrap();
    acme.update(|tx| tx.delete_role("auditor")).unwrap();
    for plan in [&created, &changed] {
        let error = acme.rebase(plan).unwrap_err();
        assert_eq!(
            (error.kind(), error.entity(), error.name()),
            (ErrorKind::NotFound, Some(EntityKind::Role), Some("auditor"))
        );
        assert_eq!(
            error.to_string(),
            "the tenant has changed since the plan was made: role `auditor` not found: it was deleted after the plan was made"
        );
        let conflict = rolecall::plan::RebaseConflict::of(&error).unwrap();
        assert_eq!(Some(&conflict.change), plan.changes().first());
    }
    // Another role with the slug is another role.
    acme.update(|tx| tx.create_role("auditor")?.done()).unwrap();
    assert_eq!(acme.rebase(&created).unwrap_err().kind(), ErrorKind::NotFound);
}

/// A plan waits while the catalog loses a role, or gets one with a slug of the tenant.
#[test]
fn a_rebased_plan_names_roles_as_a_transaction_would() {
    let store = MemoryStore::default();
    let old = over(&store, &["clerk", "approver"].map(RoleDef::new)).create_tenant("acme", "Acme").unwrap();
    old.update(|tx| tx.create_role("auditor")?.done()).unwrap();
    let ((), removed) = old.plan(|tx| tx.create_separation("s", 1, ["clerk", "approver"])?.done()).unwrap();
    let ((), in_conflict) = old.plan(|tx| tx.create_separation("t", 1, ["auditor", "approver"])?.done()).unwrap();
    let new = over(&store, &["approver", "auditor"].map(RoleDef::new)).tenant("acme").unwrap();
    let error = new.rebase(&removed).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::NotFound, Some("clerk")));
    let error = new.rebase(&in_conflict).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::CatalogConflict, Some("auditor")));
}

#[cfg(feature = "json")]
mod document {
    use super::*;
    use rolecall::{Document, error::MistakeCode};

    #[test]
    fn a_document_states_separations() {
        let acme = acme();
        acme.update(|tx| tx.separation("payments")?.set_description("Four eyes.")?.done()).unwrap();
        let document = acme.snapshot().export().unwrap();
        let restored = Authorizer::in_memory().import(&document).unwrap();
        assert_eq!(restored.snapshot().export().unwrap(), document);
        assert_eq!(restored.now().separations(), acme.now().separations());
        acme.update(|tx| tx.delete_separation("payments")).unwrap();
        let plan = acme.plan_replace(&document).unwrap();
        assert_eq!(plan.count(RecordKind::Separation).added, 1);
        acme.commit(plan).unwrap();
        refused(&acme, |tx| tx.user("alice")?.assign("clerk")?.assign("approver")?.done());
        let without = document.without_ids();
        assert!(acme.plan_replace(&without).unwrap().is_empty());
    }

    fn read(separations: &str, roles: &str) -> Document {
        let json = format!(
            r#"{{"format": 1, "tenant": {{"slug": "acme"}}, "roles": ["a", "b"],
                "users": [{{"key": "alice", "roles": [{roles}]}}], "separations": [{separations}]}}"#
        );
        Document::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn a7_a_document_that_breaks_its_own_separation_is_refused() {
        let separation = r#"{"slug": "s", "at_most": 1, "roles": ["a", "b"]}"#;
        let error = Authorizer::in_memory().import(&read(separation, r#""a", "b""#)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SeparationOfDuties);
        let acme = Authorizer::in_memory().import(&read(separation, r#""a""#)).unwrap();
        let error = acme.plan_replace(&read(separation, r#""a", "b""#)).unwrap_err();
        assert_eq!(error.separation().unwrap().user, "alice");
        // Both at once: judged by the states before and after.
        acme.commit(acme.plan_replace(&read("", r#""a", "b""#)).unwrap()).unwrap();
        let error = acme.plan_replace(&read(separation, r#""a", "b""#)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SeparationOfDuties);
    }

    #[test]
    fn mistakes_in_separations_have_their_place() {
        let table = [
            (r#"{"slug": "s", "at_most": 2, "roles": ["a", "b"]}"#, "/separations/0/at_most", MistakeCode::Invalid),
            (r#"{"slug": "s", "at_most": 0, "roles": ["a", "b"]}"#, "/separations/0/at_most", MistakeCode::Invalid),
            (r#"{"slug": "s", "at_most": 1, "roles": ["a", "c"]}"#, "/separations/0/roles/1", MistakeCode::NotFound),
            (
                r#"{"slug": "s", "at_most": 1, "roles": ["a", "b", "a"]}"#,
                "/separations/0/roles/2",
                MistakeCode::DuplicateReference,
            ),
            (
                r#"{"slug": "s", "at_most": 1, "roles": ["a", "b"]}, {"slug": "s", "at_most": 1, "roles": ["a", "b"]}"#,
                "/separations/1/slug",
                MistakeCode::DuplicateEntry,
            ),
            (r#"{"slug": "s *", "at_most": 1, "roles": ["a", "b"]}"#, "/separations/0/slug", MistakeCode::Invalid),
        ];
        for (separations, pointer, code) in table {
            let error = Authorizer::in_memory().import(&read(separations, "")).unwrap_err();
            let [mistake] = error.mistakes() else { panic!("{error}") };
            assert_eq!((mistake.pointer.as_str(), mistake.code), (pointer, code), "{error}");
        }
    }
}
