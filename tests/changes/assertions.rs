//! Assertions about a tenant (R17): what holds, what breaks them and by which path, and files that cannot be read.

#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::assertions::{Assertion, Assertions, Problem};
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, ErrorKind, Reason, Snapshot, Timestamp, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn until(secs: i64) -> Window {
    Window::until(at(secs))
}

/// The times are years ahead of every clock.
const START: i64 = 5_000_000_000;

/// `alice` and `carol` are in finance, which pays; `bob` is a contractor; `mallory` is suspended, and in finance.
fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for permission in ["posts:write", "billing:pay", "billing:enter"] {
            tx.create_permission(permission)?;
        }
        tx.create_role("payer")?.grant("billing:pay")?;
        tx.create_role("clerk")?.grant("billing:enter")?;
        tx.create_role("writer")?.grant("posts:*")?;
        tx.create_role("head")?.include("payer")?.include("writer")?;
        tx.create_group("finance")?.assign("payer")?;
        tx.create_group("treasury")?.add_parent("finance")?;
        tx.create_group("contractors")?.assign("writer")?;
        for user in ["alice", "bob", "carol", "mallory"] {
            tx.create_user(user)?;
        }
        tx.user("alice")?.join("finance")?.assign("writer")?;
        tx.user("bob")?.join("contractors")?;
        tx.user("carol")?.join("treasury")?;
        tx.user("mallory")?.join("finance")?.suspend()?.done()
    })
    .unwrap();
    acme
}

fn failures_of(snapshot: &Snapshot, assertions: &str) -> Vec<String> {
    let json = format!(r#"{{"format": 1, "assertions": [{assertions}]}}"#);
    let failures = Assertions::from_json(json.as_bytes()).unwrap().check(&snapshot.at(at(START)));
    failures.iter().map(|failure| failure.to_string().split_once(": ").unwrap().1.to_owned()).collect()
}

fn failures(acme: &Tenant, assertions: &str) -> Vec<String> {
    failures_of(&acme.snapshot(), assertions)
}

#[test]
fn r17_assertions_that_hold_have_no_failures() {
    let acme = acme();
    for assertion in [
        r#"{"expect": "allowed", "permission": "billing:pay", "users": ["alice", "carol"]}"#,
        r#"{"expect": "allowed", "permission": "billing:pay", "groups": ["finance", "treasury"]}"#,
        r#"{"expect": "allowed", "permission": "posts:write", "users": ["alice"], "groups": ["contractors"]}"#,
        r#"{"expect": "denied", "permission": "billing:pay", "users": ["bob", "mallory"], "groups": ["contractors"]}"#,
        r#"{"expect": "denied", "permission": "billing:enter", "groups": ["finance", "contractors"]}"#,
        r#"{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}"#,
        r#"{"expect": "only", "permission": "billing:pay", "users": ["alice", "carol"]}"#,
        r#"{"expect": "only", "permission": "billing:pay", "users": ["alice"], "groups": ["treasury"]}"#,
        r#"{"expect": "only", "permission": "billing:enter"}"#,
        r#"{"expect": "separate", "roles": ["payer", "clerk"]}"#,
    ] {
        assert_eq!(failures(&acme, assertion), [""; 0], "{assertion}");
    }
    assert_eq!(Assertions::default().check(&acme.now()), []);
}

#[test]
fn r17_a_failure_has_the_user_and_the_path() {
    let acme = acme();
    for (assertion, expected) in [
        (
            r#"{"expect": "allowed", "permission": "billing:enter", "users": ["bob", "alice"]}"#,
            &[
                "user `alice` may not do `billing:enter`: nothing that the user holds grants it",
                "user `bob` may not do `billing:enter`: nothing that the user holds grants it",
            ][..],
        ),
        // A suspended member of a group does not count, and a suspended user who is named does.
        (
            r#"{"expect": "allowed", "permission": "billing:pay", "users": ["mallory"], "groups": ["finance"]}"#,
            &["user `mallory` may not do `billing:pay`: the user is suspended"],
        ),
        (
            r#"{"expect": "denied", "permission": "billing:pay", "users": ["alice"]}"#,
            &[
                "user `alice` may do `billing:pay`: is in `finance`, which has the role `payer`, which grants `billing:pay`",
            ],
        ),
        (
            r#"{"expect": "denied", "permission": "billing:pay", "groups": ["finance"]}"#,
            &[
                "user `alice` may do `billing:pay`: is in `finance`, which has the role `payer`, which grants `billing:pay`",
                "user `carol` may do `billing:pay`: is in `treasury`, a part of `finance`, which has the role `payer`, \
                 which grants `billing:pay`",
            ],
        ),
        (
            r#"{"expect": "only", "permission": "posts:write", "groups": ["contractors", "treasury"]}"#,
            &["user `alice` may do `posts:write`: has the role `writer`, which grants `posts:*`"],
        ),
        (
            r#"{"expect": "only", "permission": "billing:pay"}"#,
            &[
                "user `alice` may do `billing:pay`: is in `finance`, which has the role `payer`, which grants `billing:pay`",
                "user `carol` may do `billing:pay`: is in `treasury`, a part of `finance`, which has the role `payer`, \
                 which grants `billing:pay`",
            ],
        ),
        (
            r#"{"expect": "separate", "roles": ["writer", "payer"]}"#,
            &["user `alice` holds 2 of the roles: is in `finance`, which has the role `payer`; has the role `writer`"],
        ),
    ] {
        assert_eq!(failures(&acme, assertion), expected, "{assertion}");
    }
}

#[test]
fn r17_later_windows_break_what_is_never_to_be() {
    let acme = acme();
    acme.update(|tx| {
        tx.user("bob")?.join_during("treasury", Window::from(at(START + 10)))?.done()?;
        tx.group("contractors")?.assign_during("clerk", Window::between(at(START + 5), at(START + 20))?)?.done()
    })
    .unwrap();
    let path = "is in `treasury` (from 2128-06-11T08:53:30Z), a part of `finance`, which has the role `payer`, which grants \
                `billing:pay`";
    for (assertion, expected) in [
        (
            r#"{"expect": "denied", "permission": "billing:pay", "groups": ["contractors"]}"#,
            vec![format!("user `bob` may do `billing:pay` from 2128-06-11T08:53:30Z: {path}")],
        ),
        (r#"{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}"#, vec![]),
        (
            r#"{"expect": "only", "permission": "billing:pay", "users": ["alice", "carol"], "groups": ["contractors"]}"#,
            vec![],
        ),
        (
            r#"{"expect": "separate", "roles": ["payer", "clerk"]}"#,
            vec![
                "user `bob` holds 2 of the roles from 2128-06-11T08:53:30Z: is in `contractors`, which has the role `clerk` \
                 (from 2128-06-11T08:53:25Z until 2128-06-11T08:53:40Z); is in `treasury` (from 2128-06-11T08:53:30Z), a \
                 part of `finance`, which has the role `payer`"
                    .to_owned(),
            ],
        ),
    ] {
        assert_eq!(failures(&acme, assertion), expected, "{assertion}");
    }
    // The membership ends, and the assignment does not.
    acme.update(|tx| {
        tx.user("carol")?.leave("treasury")?.join_during("treasury", until(START + 10))?.assign("payer")?.done()
    })
    .unwrap();
    assert_eq!(
        failures(&acme, r#"{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}"#),
        [
            "user `carol` may do `billing:pay` from 2128-06-11T08:53:30Z: has the role `payer`, which grants `billing:pay`"
        ]
    );
    // An assignment that has ended breaks nothing.
    acme.update(|tx| tx.user("bob")?.assign_during("payer", until(START - 1))?.done()).unwrap();
    assert_eq!(failures(&acme, r#"{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}"#).len(), 1);
}

#[test]
fn r17_suspended_users_hold_roles_and_may_do_nothing() {
    let acme = acme();
    acme.update(|tx| tx.user("mallory")?.assign("writer")?.done()).unwrap();
    assert_eq!(failures(&acme, r#"{"expect": "denied", "permission": "posts:write", "users": ["mallory"]}"#), [""; 0]);
    let both = failures(&acme, r#"{"expect": "separate", "roles": ["writer", "payer"]}"#);
    assert_eq!(both.len(), 2);
    assert!(both[1].starts_with("user `mallory` holds 2 of the roles: "));
}

#[test]
fn r17_an_unknown_name_breaks_an_assertion() {
    let acme = acme();
    for (assertion, expected) in [
        (
            r#"{"expect": "denied", "permission": "billing:pya", "users": ["bbo"], "groups": ["contractor"]}"#,
            &[
                "permission `billing:pya` not found; did you mean `billing:pay`?",
                "user `bbo` not found",
                "group `contractor` not found; did you mean `contractors`?",
            ][..],
        ),
        (
            r#"{"expect": "only", "permission": "billing:*"}"#,
            &["permission `billing:*` not found; this is a pattern, which only a grant accepts; name one permission"],
        ),
        (r#"{"expect": "separate", "roles": ["payer", "a\nb"]}"#, &["role `a\\nb` not found"]),
    ] {
        assert_eq!(failures(&acme, assertion), expected, "{assertion}");
    }
}

#[test]
fn r17_assertions_about_a_tenant_without_answers_all_fail() {
    let acme = acme();
    let roles = ["payer", "clerk"].map(str::to_owned).to_vec();
    let assertions = Assertions::new([Assertion::Separate { roles }]);
    let ((), plan) = acme.plan(rolecall::Tx::delete_tenant).unwrap();
    let failures = assertions.check(&plan.preview().at(at(START)));
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].problem, Problem::Unavailable { reason: Reason::Deleted });
}

/// R9: neither permission of a conflict gives anything, and a role that was removed counts as held.
#[test]
fn r17_conflicts_and_removed_roles_count_as_elsewhere() {
    let store = MemoryStore::default();
    let over = |permissions: &[&str], roles: &[&str]| {
        let permissions: Vec<_> = permissions.iter().copied().map(PermissionDef::new).collect();
        let roles: Vec<_> = roles.iter().copied().map(RoleDef::new).collect();
        let catalog = Catalog::new(&Definition { permissions: &permissions, roles: &roles, ..Definition::default() });
        Authorizer::builder().store(store.clone()).catalog(&catalog.unwrap()).build()
    };
    let acme = over(&[], &["viewer", "owner"]).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_user("alice")?.assign("reader")?.assign("viewer")?.done()
    })
    .unwrap();
    let only = r#"{"expect": "only", "permission": "posts:read"}"#;
    assert_eq!(failures(&acme, only).len(), 1);
    let acme = over(&["posts:read"], &["owner"]).tenant("acme").unwrap();
    assert_eq!(failures(&acme, only), [""; 0]);
    assert_eq!(
        failures(&acme, r#"{"expect": "allowed", "permission": "posts:read", "users": ["alice"]}"#),
        ["user `alice` may not do `posts:read`: the permission's slug belongs to the tenant and to the catalog"]
    );
    assert_eq!(
        failures(&acme, r#"{"expect": "separate", "roles": ["viewer", "reader"]}"#),
        ["user `alice` holds 2 of the roles: has the role `reader`; has the role `viewer`"]
    );
}

#[test]
fn r17_a_failure_is_data() {
    let acme = acme();
    let json = br#"{"format": 1, "assertions": [
        {"expect": "separate", "roles": ["payer", "writer"]},
        {"expect": "only", "permission": "nothing"},
        {"expect": "denied", "permission": "posts:write", "users": ["alice"]}
    ]}"#;
    let assertions = Assertions::from_json(json).unwrap();
    let failures = assertions.check(&acme.snapshot().at(at(START)));
    assert_eq!(
        failures[1].problem,
        Problem::Unknown { entity: EntityKind::Permission, name: "nothing".to_owned(), hint: None }
    );
    let data = serde_json::to_value(&failures).unwrap();
    assert_eq!((&data[0]["number"], &data[2]["number"]), (&0.into(), &2.into()));
    let allowed = &data[2]["problem"]["allowed"];
    assert_eq!((&allowed["user"], &allowed["from"]), (&"alice".into(), &serde_json::Value::Null));
    assert_eq!(allowed["path"]["grant"], "posts:*");
    let combined = &data[0]["problem"]["combined"]["roles"];
    assert_eq!(combined[1], serde_json::json!({"role": "writer", "path": "has the role `writer`"}));
    assert_eq!(
        serde_json::to_value(&assertions.list()[0]).unwrap(),
        serde_json::json!({"expect": "separate", "roles": ["payer", "writer"]})
    );
}

#[test]
fn r17_a_file_that_says_too_little_or_too_much_is_refused() {
    for (assertion, mistake) in [
        (r#"{"expect": "separate", "roles": ["a"]}"#, "/assertions/0/roles: expected at least 2 roles, found 1"),
        (r#"{"expect": "separate", "roles": ["a", "b", "a"]}"#, "/assertions/0/roles: expected each role once"),
        (
            r#"{"expect": "separate", "roles": ["a", "b"], "users": ["c"]}"#,
            "/assertions/0/users: unexpected, because `separate` is about roles",
        ),
        (
            r#"{"expect": "only", "permission": "a", "roles": ["b"]}"#,
            "/assertions/0/roles: unexpected, because only `separate` is about roles",
        ),
        (r#"{"expect": "only", "users": ["a"]}"#, "/assertions/0/permission: expected a permission"),
        (r#"{"expect": "denied", "permission": "a"}"#, "/assertions/0/users: expected a user or a group"),
        (r#"{"expect": "allowed", "permission": "a", "users": []}"#, "/assertions/0/users: expected a user or a group"),
    ] {
        let json = format!(r#"{{"format": 1, "assertions": [{assertion}]}}"#);
        let error = Assertions::from_json(json.as_bytes()).unwrap_err();
        let mistakes: Vec<String> = error.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!((error.kind(), mistakes), (ErrorKind::Document, vec![mistake.to_owned()]), "{assertion}");
    }
    for json in [
        &b""[..],
        b"[]",
        br#"{"assertions": []}"#,
        br#"{"format": 2, "assertions": []}"#,
        br#"{"format": 1}"#,
        br#"{"format": 1, "assertions": [], "more": 1}"#,
        br#"{"format": 1, "assertions": [{"expect": "maybe"}]}"#,
        br#"{"format": 1, "assertions": [{"permission": "a", "users": ["b"]}]}"#,
        br#"{"format": 1, "assertions": [{"expect": "denied", "permission": "a", "user": "b"}]}"#,
        br#"{"format": 1, "assertions": [{"expect": "denied", "permission": "a", "users": ["b"], "users": ["c"]}]}"#,
        br#"{"format": 1, "assertions": [{"expect": "denied", "permission": "a", "users": "b"}]}"#,
        b"\xff\xfe",
    ] {
        let error = Assertions::from_json(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Document, "{}", String::from_utf8_lossy(json));
        assert!(error.mistakes()[0].message.starts_with("line 1, column "), "{error}");
    }
    let with_mark = "\u{feff}{\"format\": 1, \"assertions\": []}";
    assert_eq!(Assertions::from_json(with_mark.as_bytes()).unwrap(), Assertions::default());
}
