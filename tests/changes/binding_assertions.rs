//! Assertions that a tenant carries, and the commits that a binding one refuses (R17).

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::assertions::Assertion;
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::store::MemoryStore;
use rolecall::{ErrorKind, Timestamp, Tx, Window, error::RightKind};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `payer` pays, `finance` has it, and `bob` and `carol` are users.
fn tenant() -> Tenant {
    let clock = ManualClock::new(at("2027-01-01T00:00:00Z"));
    let acme = Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme").unwrap();
    let fill = |tx: &Tx| {
        tx.create_permission("billing:pay")?;
        tx.create_permission("posts:write")?;
        tx.create_role("payer")?.grant("billing:pay")?;
        tx.create_role("clerk")?.done()?;
        tx.create_role("wide")?.grant("billing:*")?;
        tx.create_group("finance")?.assign("payer")?;
        tx.create_group("contractors")?;
        tx.create_group("temps")?.add_parent("contractors")?;
        tx.create_user("bob")?;
        tx.create_user("carol")?.join("finance")?.done()
    };
    acme.update(fill).unwrap();
    acme
}

fn bind(tenant: &Tenant, slug: &str, expected: &Assertion) {
    tenant.update(|tx| tx.create_assertion(slug, expected)?.set_binding(true)?.done()).unwrap();
}

fn refused(tenant: &Tenant, change: impl Fn(&Tx) -> rolecall::Result<()>) -> String {
    let before = tenant.revision();
    let error = tenant.update(change).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AssertionFailed, "{error}");
    assert_eq!(tenant.revision(), before);
    error.assertion().unwrap().problem.clone()
}

#[test]
fn a_commit_after_which_a_binding_assertion_fails_is_refused_with_the_path() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    bind(&acme, "outsiders", &Assertion::denied("billing:pay").with_groups(["contractors"]));
    bind(&acme, "carol-pays", &Assertion::allowed("billing:pay").with_users(["carol"]));
    bind(&acme, "apart", &Assertion::separate(["clerk", "wide"]));
    let problem = refused(&acme, |tx| tx.user("bob")?.assign("payer")?.done());
    assert_eq!(problem, "user `bob` may do `billing:pay`: has the role `payer`, which grants `billing:pay`");
    let problem = refused(&acme, |tx| tx.group("temps")?.set_members(["carol"]).map(drop));
    assert!(problem.starts_with("user `carol` may do `billing:pay`: is in `finance`"), "{problem}");
    let problem = refused(&acme, |tx| tx.user("carol")?.suspend()?.done());
    assert_eq!(problem, "user `carol` may not do `billing:pay`: the user is suspended");
    refused(&acme, |tx| tx.user("carol")?.leave("finance")?.done());
    refused(&acme, |tx| tx.group("finance")?.unassign("payer")?.done());
    refused(&acme, |tx| tx.role("payer")?.revoke("billing:pay")?.done());
    refused(&acme, |tx| tx.delete_group("finance").or_else(|_| tx.delete_role("payer")));
    refused(&acme, |tx| tx.user("bob")?.assign("wide")?.done());
    refused(&acme, |tx| {
        tx.role("clerk")?.grant("*")?;
        tx.user("bob")?.assign("clerk")?.done()
    });
    let problem = refused(&acme, |tx| tx.user("carol")?.assign("clerk")?.assign("wide")?.done());
    assert_eq!(problem, "user `carol` holds 2 of the roles: has the role `clerk`; has the role `wide`");
    let error = acme.update(|tx| tx.user("bob")?.assign("payer")?.done()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused: after this change, assertion `payments` does not hold: user `bob` may do `billing:pay`: has the role `payer`, which grants `billing:pay`"
    );
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!((&json["code"], &json["assertion"]["user"]), (&"assertion_failed".into(), &"bob".into()));
    // Changes that break no assertion are committed.
    acme.update(|tx| tx.user("bob")?.join("finance")?.done()).unwrap();
}

/// Changes of neither a user nor its groups and roles that make an assertion fail for it.
#[test]
fn a_grant_a_rename_or_another_expectation_can_break_an_assertion() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    bind(&acme, "nobody-writes", &Assertion::only("posts:write"));
    acme.update(|tx| tx.user("bob")?.assign("clerk")?.done()).unwrap();
    refused(&acme, |tx| tx.role("clerk")?.grant("billing:pay")?.done());
    refused(&acme, |tx| tx.role("clerk")?.grant("billing:*")?.done());
    acme.update(|tx| tx.role("clerk")?.grant("drafts:*")?.done()).unwrap();
    let problem = refused(&acme, |tx| tx.permission("posts:write")?.set_slug("drafts:write")?.done());
    assert_eq!(problem, "user `bob` may do `drafts:write`: has the role `clerk`, which grants `drafts:*`");
    refused(&acme, |tx| tx.assertion("nobody-writes")?.set_expected(&Assertion::only("billing:pay"))?.done());
}

/// Opens a tenant with a release of the catalog. In the second one, clerks are approvers and viewers may read.
fn release(store: &MemoryStore, is_second: bool) -> Authorizer {
    let includes: &[&str] = if is_second { &["approver"] } else { &[] };
    let grants: &[&str] = if is_second { &["sys:read"] } else { &[] };
    let roles = [
        RoleDef::new("approver"),
        RoleDef::new("auditor"),
        RoleDef { includes, ..RoleDef::new("clerk") },
        RoleDef { grants, ..RoleDef::new("viewer") },
    ];
    let permissions = ["sys:read", "sys:write"].map(PermissionDef::new);
    let catalog = Catalog::new(&Definition { permissions: &permissions, roles: &roles, ..Definition::default() });
    let clock = ManualClock::new(at("2027-01-01T00:00:00Z"));
    Authorizer::builder().clock(clock).store(store.clone()).catalog(&catalog.unwrap()).build()
}

/// No plan makes a binding assertion fail, but a release of the catalog can.
#[test]
fn a_violation_by_a_release_is_tolerated_but_must_not_grow() {
    let (store, may, june) = (MemoryStore::default(), at("2027-05-01T00:00:00Z"), at("2027-06-01T00:00:00Z"));
    let acme = release(&store, false).create_tenant("acme", "Acme").unwrap();
    let apart = Assertion::separate(["approver", "auditor", "clerk"]);
    acme.update(|tx| {
        tx.create_role("writer")?.grant("sys:write")?;
        tx.create_user("alice")?.assign("clerk")?.assign("viewer")?.assign("writer")?;
        tx.create_user("bob")?.assign_during("clerk", Window::until(may))?;
        tx.create_user("carol")?;
        tx.create_assertion("lax", &apart)?.done()
    })
    .unwrap();
    bind(&acme, "apart", &apart);
    bind(&acme, "nobody-reads", &Assertion::only("sys:read"));
    let acme = release(&store, true).tenant("acme").unwrap();
    let failures =
        |slug: &str| acme.now().assertion_violations().into_iter().filter(|failure| failure.assertion == slug).count();
    assert_eq!((failures("apart"), failures("lax"), failures("nobody-reads")), (2, 2, 1));
    // Changes after which no more fails than before are committed.
    acme.update(|tx| tx.user("alice")?.assign("approver")?.done()).unwrap();
    acme.update(|tx| tx.assertion("nobody-reads")?.set_description("An excess of a release.")?.done()).unwrap();
    assert_eq!(acme.now().assertion("nobody-reads").unwrap().description, "An excess of a release.");
    let problem = refused(&acme, |tx| tx.user("alice")?.assign("auditor")?.done());
    assert!(problem.starts_with("user `alice` holds 3 of the roles: "), "{problem}");
    refused(&acme, |tx| tx.user("carol")?.assign("clerk")?.done());
    // A failure that ends in May must not last until June.
    let problem = refused(&acme, |tx| tx.user("bob")?.extend_assignment("clerk", june)?.done());
    assert!(problem.starts_with("user `bob` holds 2 of the roles from 2027-05-01T00:00:00Z: "), "{problem}");
    // A failure is tolerated only if the assertion was binding before and about the same.
    refused(&acme, |tx| tx.assertion("lax")?.set_binding(true)?.done());
    let problem =
        refused(&acme, |tx| tx.assertion("nobody-reads")?.set_expected(&Assertion::only("sys:write"))?.done());
    assert!(problem.starts_with("user `alice` may do `sys:write`"), "{problem}");
}

/// A reference to an entry of the catalog is kept as it is stored, even if the entry has another slug since then.
#[test]
fn the_same_expectation_under_a_new_slug_changes_nothing() {
    let store = MemoryStore::default();
    let acme = release(&store, false).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_assertion("apart", &Assertion::separate(["approver", "clerk"]))?;
        tx.create_assertion("nobody-reads", &Assertion::only("sys:read"))?.done()
    })
    .unwrap();
    let roles = [RoleDef::new("approver"), RoleDef { renamed_from: &["clerk"], ..RoleDef::new("cashier") }];
    let permissions = [PermissionDef { renamed_from: &["sys:read"], ..PermissionDef::new("sys:view") }];
    let catalog = Catalog::new(&Definition { permissions: &permissions, roles: &roles, ..Definition::default() });
    let acme = Authorizer::builder().store(store).catalog(&catalog.unwrap()).build().tenant("acme").unwrap();
    let updated = acme.update(|tx| {
        tx.assertion("apart")?.set_expected(&Assertion::separate(["approver", "cashier"]))?;
        tx.assertion("nobody-reads")?.set_expected(&Assertion::only("sys:view"))?.done()
    });
    assert_eq!(updated.unwrap().changes, []);
}

#[test]
fn it_holds_at_every_instant_from_the_commit_on() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    let (may, june) = (at("2027-05-01T00:00:00Z"), at("2027-06-01T00:00:00Z"));
    let problem = refused(&acme, |tx| tx.user("bob")?.assign_during("payer", Window::from(june))?.done());
    assert!(problem.contains("from 2027-06-01T00:00:00Z"), "{problem}");
    // The role until May, and a group that covers it.
    acme.update(|tx| {
        tx.user("bob")?.join_during("finance", Window::until(june))?;
        tx.user("bob")?.assign_during("payer", Window::until(may))?.done()
    })
    .unwrap();
    let error =
        acme.update(|tx| tx.user("bob")?.set_membership_window("finance", Window::from(may))?.done()).unwrap_err();
    assert_eq!(error.assertion().unwrap().at, "2027-01-01T00:00:00Z", "without the group until May");
    // A group that is left before the role ends.
    refused(&acme, |tx| {
        tx.user("bob")?.set_assignment_window("payer", Window::until(at("2027-07-01T00:00:00Z")))?.done()
    });
    // Access that ends breaks an expectation of access.
    let temporary = Assertion::allowed("billing:pay").with_users(["bob"]);
    let create = |tx: &Tx| tx.create_assertion("bob-pays", &temporary)?.set_binding(true)?.done();
    let problem = refused(&acme, create);
    assert!(problem.starts_with("user `bob` may not do `billing:pay` from 2027-06-01T00:00:00Z"), "{problem}");
}

#[test]
fn a_violation_from_before_the_binding_is_tolerated_but_must_not_grow() {
    let acme = tenant();
    // Not binding: nothing is refused.
    acme.update(|tx| {
        tx.create_assertion("payments", &Assertion::only("billing:pay").with_groups(["finance"]))?.done()?;
        tx.user("bob")?.assign("payer")?.done()
    })
    .unwrap();
    assert_eq!(acme.now().assertion_violations().len(), 1);
    let problem = refused(&acme, |tx| tx.assertion("payments")?.set_binding(true)?.done());
    assert!(problem.starts_with("user `bob`"), "a new binding assertion over data that breaks it: {problem}");
    refused(&acme, |tx| {
        tx.create_assertion("other", &Assertion::denied("billing:pay").with_users(["bob"]))?.set_binding(true)?.done()
    });
}

#[test]
fn names_are_kept_by_id_and_what_is_named_is_not_deleted() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_users(["carol"]).with_groups(["finance"]));
    bind(&acme, "apart", &Assertion::separate(["clerk", "wide"]));
    acme.update(|tx| {
        tx.permission("billing:pay")?.set_slug("billing:transfer")?;
        tx.user("carol")?.set_key("carol@acme.com")?;
        tx.group("finance")?.set_slug("accounting")?.done()
    })
    .unwrap();
    let expected = acme.now().assertion("payments").unwrap().expected;
    assert_eq!(
        expected,
        Assertion::only("billing:transfer").with_users(["carol@acme.com"]).with_groups(["accounting"])
    );
    type Delete = fn(&Tx) -> rolecall::Result<()>;
    let deletions: [(Delete, &str); 5] = [
        (
            |tx| tx.delete_user("carol@acme.com"),
            "user `carol@acme.com` cannot be deleted: assertion `payments` names it; take the user out",
        ),
        (
            |tx| tx.delete_group("accounting"),
            "group `accounting` cannot be deleted: assertion `payments` names it; take the group out",
        ),
        (
            |tx| tx.delete_permission("billing:transfer"),
            "permission `billing:transfer` cannot be deleted: assertion `payments` names it; change",
        ),
        (|tx| tx.delete_role("clerk"), "role `clerk` cannot be deleted: assertion `apart` names it; take the role out"),
        (
            |tx| tx.merge_users("carol@acme.com", "bob").map(drop),
            "user `carol@acme.com` cannot be deleted: assertion `payments` names it",
        ),
    ];
    for (delete, message) in deletions {
        let error = acme.update(delete).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    acme.update(|tx| {
        tx.assertion("payments")?.set_expected(&Assertion::only("billing:transfer").with_groups(["accounting"]))?;
        tx.delete_user("carol@acme.com")?;
        tx.delete_assertion("apart")?;
        tx.delete_role("clerk")
    })
    .unwrap();
}

#[test]
fn calls_say_what_is_wrong() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    let kind = |change: &dyn Fn(&Tx) -> rolecall::Result<()>| acme.update(|tx| change(tx)).unwrap_err().kind();
    assert_eq!(
        kind(&|tx| tx.create_assertion("payments", &Assertion::only("billing:pay"))?.done()),
        ErrorKind::AlreadyExists
    );
    assert_eq!(kind(&|tx| tx.create_assertion("x", &Assertion::only("billing:pya"))?.done()), ErrorKind::NotFound);
    assert_eq!(kind(&|tx| tx.create_assertion("x", &Assertion::allowed("billing:pay"))?.done()), ErrorKind::Invalid);
    assert_eq!(kind(&|tx| tx.create_assertion("x", &Assertion::denied("billing:pay"))?.done()), ErrorKind::Invalid);
    assert_eq!(
        kind(&|tx| tx.create_assertion("x", &Assertion::separate(["clerk", "clerk"]))?.done()),
        ErrorKind::Invalid
    );
    let renamed = |slug: &'static str| {
        move |tx: &Tx| tx.create_assertion("x", &Assertion::only("billing:pay"))?.set_slug(slug)?.done()
    };
    assert_eq!(kind(&renamed("payments")), ErrorKind::AlreadyExists);
    let _ = acme.plan(renamed("x")).unwrap();
    assert_eq!(kind(&|tx| tx.assertion("paymnets")?.done()), ErrorKind::NotFound);
    assert_eq!(kind(&|tx| tx.create_assertion("a b", &Assertion::only("billing:pay"))?.done()), ErrorKind::Invalid);
    let error = acme.update(|tx| tx.assertion("paymnets")?.done()).unwrap_err();
    assert_eq!(error.to_string(), "assertion `paymnets` not found; did you mean `payments`?");
}

#[test]
fn changes_are_described_with_names() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    let expected = Assertion::only("billing:pay").with_users(["bob"]).with_groups(["finance", "temps"]);
    let updated =
        acme.update(|tx| tx.assertion("payments")?.set_binding(false)?.set_expected(&expected)?.done()).unwrap();
    let lines: Vec<String> = updated.described().map(|change| change.to_string()).collect();
    assert_eq!(
        lines,
        ["changed assertion `payments`: binding `true` → `false`, users added `bob`, groups added `temps`"]
    );
}

/// A comma in a name separates nothing, and a long list shows what changes.
#[test]
fn f10_a_list_in_a_description_cannot_be_forged_or_cut() {
    let acme = tenant();
    let many: Vec<String> = (0..40).map(|n| format!("person-{n:02}@example.com")).collect();
    acme.update(|tx| {
        many.iter().map(String::as_str).chain(["alice", "alice, bob"]).try_for_each(|key| tx.create_user(key)?.done())
    })
    .unwrap();
    let described = |before: &[&str], after: &[&str]| {
        let listed = |keys: &[&str]| Assertion::only("billing:pay").with_users(keys.iter().copied());
        acme.update(|tx| tx.create_assertion("listed", &listed(before))?.done()).unwrap();
        let ((), plan) = acme.plan(|tx| tx.assertion("listed")?.set_expected(&listed(after))?.done()).unwrap();
        let line = plan.described().next().unwrap();
        acme.update(|tx| tx.delete_assertion("listed")).unwrap();
        (line.to_string(), line.lists)
    };
    let (one, lists) = described(&["carol"], &["alice, bob"]);
    assert_eq!(one, "changed assertion `listed`: users added `alice, bob` and removed `carol`");
    assert_eq!((&*lists[0].added, &*lists[0].removed), (&["alice, bob".to_owned()][..], &["carol".to_owned()][..]));
    let (two, _) = described(&["carol"], &["alice", "bob"]);
    assert_eq!(two, "changed assertion `listed`: users added `alice`, `bob` and removed `carol`");
    acme.update(|tx| tx.create_assertion("one", &Assertion::only("billing:pay"))?.done()).unwrap();
    let other = Assertion::only("posts:write");
    let ((), plan) = acme.plan(|tx| tx.assertion("one")?.set_expected(&other)?.done()).unwrap();
    let line = plan.described().next().unwrap().to_string();
    assert_eq!(line, "changed assertion `one`: permission `billing:pay` → `posts:write`");
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    let (line, _) = described(&all, &all[1..]);
    assert_eq!(line, "changed assertion `listed`: users removed `person-00@example.com`");
}

#[test]
fn a_guarded_transaction_does_not_loosen_a_binding_assertion() {
    let acme = tenant();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    acme.update(|tx| {
        tx.create_role("root")?.grant("*")?;
        tx.create_user("root")?.join("finance")?.assign("root")?.done()
    })
    .unwrap();
    type Change = fn(&Tx) -> rolecall::Result<()>;
    let looser: [Change; 4] = [
        |tx| tx.delete_assertion("payments"),
        |tx| tx.assertion("payments")?.set_binding(false)?.done(),
        |tx| tx.assertion("payments")?.set_expected(&Assertion::only("posts:write").with_users(["root"]))?.done(),
        |tx| {
            let more = Assertion::only("billing:pay").with_groups(["finance", "temps"]);
            tx.assertion("payments")?.set_expected(&more)?.done()
        },
    ];
    for change in looser {
        let error = acme
            .update(|tx| {
                tx.set_guard("root");
                change(tx)
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Escalation, "{error}");
        assert_eq!(error.missing_rights()[0].kind, RightKind::LooserAssertion);
        assert!(error.to_string().contains("cannot loosen a binding assertion"), "{error}");
    }
    acme.update(|tx| {
        tx.set_guard("root");
        tx.assertion("payments")?.set_slug("only-finance")?.set_description("Stricter words.")?.done()
    })
    .unwrap();
}

/// Each row: a binding assertion that holds, one that takes its place, and whether that one refuses less.
#[test]
fn r13_an_expectation_that_refuses_less_loosens_a_binding_assertion() {
    let pays = || Assertion::allowed("billing:pay");
    let only = || Assertion::only("billing:pay");
    let no_posts = || Assertion::denied("posts:write");
    let table = [
        (pays().with_users(["carol"]).with_groups(["finance"]), pays().with_users(["carol"]), true),
        (pays().with_users(["carol"]).with_groups(["finance"]), pays().with_groups(["finance"]), true),
        (pays().with_users(["carol"]), pays().with_users(["carol"]).with_groups(["finance"]), false),
        (no_posts().with_users(["bob"]).with_groups(["temps"]), no_posts().with_users(["bob"]), true),
        (no_posts().with_users(["bob"]).with_groups(["temps"]), no_posts().with_groups(["temps"]), true),
        (no_posts().with_users(["bob"]), no_posts().with_users(["bob", "carol"]), false),
        (only().with_users(["carol"]).with_groups(["finance"]), only().with_groups(["finance"]), false),
        (only().with_groups(["finance"]), only().with_users(["carol"]).with_groups(["finance"]), true),
        (only().with_users(["carol"]), only().with_users(["carol"]).with_groups(["finance"]), true),
        (Assertion::separate(["clerk", "wide", "payer"]), Assertion::separate(["clerk", "wide"]), true),
        (Assertion::separate(["clerk", "wide"]), Assertion::separate(["clerk", "wide", "payer"]), false),
        // Another permission, and another kind of expectation.
        (Assertion::only("posts:write"), only().with_groups(["finance"]), true),
        (no_posts().with_users(["bob"]), Assertion::denied("billing:pay").with_users(["bob"]), true),
        (no_posts().with_users(["bob"]), Assertion::only("posts:write").with_users(["bob"]), true),
        (Assertion::only("posts:write"), no_posts().with_users(["bob", "carol"]), true),
    ];
    for (before, after, is_looser) in table {
        let acme = tenant();
        bind(&acme, "rule", &before);
        let changed = acme.update(|tx| tx.set_guard("bob").assertion("rule")?.set_expected(&after)?.done());
        let error = changed.err().map(|error| error.kind());
        assert_eq!(error, is_looser.then_some(ErrorKind::Escalation), "{before:?} to {after:?}");
    }
}

#[test]
fn a_rebased_plan_is_judged_again() {
    let acme = tenant();
    let ((), plan) = acme.plan(|tx| tx.user("bob")?.assign("payer")?.done()).unwrap();
    bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
    assert_eq!(acme.rebase(&plan).unwrap_err().kind(), ErrorKind::AssertionFailed);
    // An assertion about entities that are deleted meanwhile.
    let create = |tx: &Tx| tx.create_assertion("x", &Assertion::denied("billing:pay").with_users(["bob"]))?.done();
    let ((), plan) = acme.plan(create).unwrap();
    acme.update(|tx| tx.delete_user("bob")).unwrap();
    let error = acme.rebase(&plan).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("user `bob` not found"), "{error}");
}

#[cfg(feature = "json")]
mod documents {
    use rolecall::Document;

    use super::*;

    #[test]
    fn a_document_carries_assertions() {
        let acme = tenant();
        bind(&acme, "payments", &Assertion::only("billing:pay").with_groups(["finance"]));
        acme.update(|tx| tx.create_assertion("apart", &Assertion::separate(["clerk", "wide"]))?.done()).unwrap();
        let document = acme.snapshot().export().unwrap().without_ids();
        let json = document.to_json();
        assert!(json.contains(r#""expect": "only""#) && json.contains(r#""binding": true"#), "{json}");
        let copy = Authorizer::in_memory().import(&document).unwrap();
        assert_eq!(copy.snapshot().export().unwrap().without_ids(), document);
        assert_eq!(copy.now().assertions().len(), 2);
        // The document is judged like a transaction.
        let broken = json.replace(r#""bob""#, r#"{"key": "bob", "roles": ["payer"]}"#);
        assert_ne!(broken, json);
        let broken = Document::from_json(broken.as_bytes()).unwrap();
        let refused = [acme.replace(&broken).unwrap_err(), Authorizer::in_memory().import(&broken).unwrap_err()];
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::AssertionFailed, "{error}");
        }
    }

    #[test]
    fn mistakes_in_assertions_have_a_place() {
        let table = [
            (r#"{"slug": "a", "expect": "allowed"}"#, "/assertions/0/permission: expected a permission"),
            (
                r#"{"slug": "a", "expect": "denied", "permission": "p"}"#,
                "/assertions/0/users: expected a user or a group",
            ),
            (
                r#"{"slug": "a", "expect": "only", "permission": "q"}"#,
                "/assertions/0/permission: permission `q` not found in the document",
            ),
            (
                r#"{"slug": "a", "expect": "only", "permission": "p", "users": ["u", "u"]}"#,
                "/assertions/0/users/1: user `u` is listed twice",
            ),
            (
                r#"{"slug": "a", "expect": "only", "permission": "p", "groups": ["g"]}"#,
                "/assertions/0/groups/0: group `g` not found in the document",
            ),
            (
                r#"{"slug": "a", "expect": "separate", "roles": ["r"]}"#,
                "/assertions/0/roles: expected at least 2 roles, found 1",
            ),
            (
                r#"{"slug": "a", "expect": "separate", "roles": ["r", "r"]}"#,
                "/assertions/0/roles/1: role `r` is listed twice",
            ),
            (
                r#"{"slug": "a", "expect": "separate", "permission": "p", "roles": ["r", "s"]}"#,
                "/assertions/0/permission: unexpected, because `separate` is about roles",
            ),
            (r#"{"slug": "a b", "expect": "only", "permission": "p"}"#, "/assertions/0/slug: invalid slug `a b`"),
        ];
        for (assertion, mistake) in table {
            let json = format!(
                r#"{{"format": 1, "tenant": {{"slug": "t"}}, "permissions": ["p"], "roles": ["r", "s"], "users": ["u"],
                     "assertions": [{assertion}]}}"#
            );
            let error = Authorizer::in_memory().import(&Document::from_json(json.as_bytes()).unwrap()).unwrap_err();
            assert!(error.mistakes()[0].to_string().starts_with(mistake), "{}", error.mistakes()[0]);
            assert_eq!(error.mistakes().len(), 1);
        }
    }
}
