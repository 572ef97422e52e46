//! The lint: each rule finds its case and no other.

use super::*;

fn found(acme: &Tenant) -> Vec<(Code, String)> {
    acme.now().lint().map(|finding| (finding.code, finding.message)).collect()
}

#[test]
fn each_rule_of_the_lint_finds_its_case_and_no_other() {
    type Call = fn(&rolecall::Tx) -> rolecall::Result<()>;
    let table: &[(Call, &[(Code, &str)])] = &[
        (|_| Ok(()), &[]),
        (
            |tx| {
                tx.create_permission("a")?;
                tx.create_permission("b")?;
                tx.create_role("root")?.grant("a")?.grant("b")?;
                tx.create_user("alice")?.assign("root")?;
                tx.create_user("bob")?.assign("root")?.suspend()?.done()
            },
            &[(Code::AllPermissions, "user `alice` has all 2 permissions")],
        ),
        (
            |tx| {
                tx.create_permission("guests:invite")?;
                tx.create_role("host")?.grant("gests:*")?;
                tx.create_user("alice")?.assign("host")?.done()
            },
            &[(Code::PatternMatchesNothing, "role `host` grants `gests:*`, which matches no permission")],
        ),
        (
            |tx| {
                (0..10).try_for_each(|n| tx.create_permission(&format!("p:{n}"))?.done())?;
                tx.create_permission("q")?;
                tx.create_role("r")?.grant("p:*")?;
                tx.create_user("alice")?.assign("r")?.done()
            },
            &[(Code::PatternMatchesMuch, "role `r` grants `p:*`, which matches 10 of 11 permissions")],
        ),
        (
            |tx| {
                tx.create_permission("a:x")?;
                tx.create_permission("b")?;
                tx.create_permission("c")?;
                tx.create_role("inner")?.grant("b")?.grant("c")?;
                tx.create_role("r")?.grant("a:x")?.grant("a:*")?.grant("a*")?.grant("b")?.include("inner")?;
                tx.create_permission("d")?;
                tx.create_user("alice")?.assign("r")?.done()
            },
            &[
                (Code::CoveredGrant, "role `r` grants `a:x`, which is covered by its grant `a*`"),
                (Code::CoveredGrant, "role `r` grants `b`, which is also granted by role `inner`, which it includes"),
                (Code::CoveredGrant, "role `r` grants `a:*`, which is covered by its grant `a*`"),
            ],
        ),
        (
            |tx| {
                for slug in ["a", "b", "c"] {
                    tx.create_permission(slug)?;
                }
                tx.create_role("one")?.grant("a")?;
                tx.create_role("two")?.grant("a")?.grant("b")?;
                tx.create_role("r")?.include("one")?.include("two")?;
                tx.create_user("alice")?.assign("r")?.done()
            },
            &[(Code::RedundantInclusion, "role `r` includes role `one`, which adds no permission to it")],
        ),
        (
            |tx| {
                for slug in ["a", "b", "c"] {
                    tx.create_permission(slug)?;
                }
                tx.create_role("names")?.grant("a")?.grant("b")?;
                tx.create_role("one")?.grant("a")?;
                tx.create_role("two")?.include("one")?.grant("b")?;
                tx.create_user("alice")?.assign("names")?.assign("two")?.done()
            },
            &[(Code::EqualRoles, "role `two` gives the same 2 permissions as role `names`")],
        ),
        (
            |tx| {
                tx.create_user("alice")?;
                tx.create_group("ghosts")?;
                tx.create_role("idle")?;
                tx.create_role("haunting")?;
                tx.group("ghosts")?.assign("haunting")?.done()
            },
            &[
                (Code::UnusedRole, "role `haunting` is assigned or included, but no user has it"),
                (Code::UnusedRole, "nothing assigns or includes role `idle`"),
                (Code::EmptyGroup, "group `ghosts` has no members, neither direct nor inherited ones"),
            ],
        ),
        (
            |tx| {
                tx.create_user("alice")?;
                tx.create_user("al\u{200b}ice")?.set_name(Some("A\u{a0}B"))?.done()
            },
            &[
                (Code::HiddenCharacters, r"the key of user `al\u{200b}ice` has characters that cannot be seen"),
                (
                    Code::HiddenCharacters,
                    r"the name of user `al\u{200b}ice`, `A\u{a0}B`, has characters that cannot be seen",
                ),
            ],
        ),
        (
            |tx| {
                tx.create_user("Alice")?;
                tx.create_user("alice")?;
                tx.create_user("paypal")?;
                tx.create_user("paypa1")?.done()
            },
            &[
                (Code::CaseVariants, "user `alice` differs only in case from `Alice`"),
                (Code::ConfusableNames, "user `paypal` looks like `paypa1`"),
            ],
        ),
    ];
    for (call, expected) in table {
        let acme = empty();
        acme.update(call).unwrap();
        let mut found = found(&acme);
        // A skeleton has no hidden characters, so with all scripts the two are alike, too.
        found.retain(|(code, message)| *code != Code::ConfusableNames || !message.contains("200b"));
        let expected: Vec<(Code, String)> =
            expected.iter().map(|(code, message)| (*code, (*message).to_owned())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn expired_memberships_assignments_and_parent_links_are_found() {
    let clock = Arc::new(ManualClock::new(at(50)));
    let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
    let soon = Window::until(at(60));
    acme.update(|tx| {
        tx.create_role("r")?;
        tx.create_group("g")?;
        tx.create_group("h")?.add_parent_during("g", soon)?.assign_during("r", soon)?;
        tx.create_user("alice")?.join("g")?.join_during("h", soon)?.assign_during("r", soon)?.done()
    })
    .unwrap();
    assert_eq!(found(&acme), []);
    clock.set(at(60));
    let keys: Vec<String> = acme.now().lint().map(|finding| finding.key().replace('\t', " ")).collect();
    assert_eq!(
        keys,
        [
            "unused_role role r",
            "empty_group group h",
            "expired_membership user alice group h",
            "expired_assignment group h role r",
            "expired_assignment user alice role r",
            "expired_parent_link group h group g",
        ]
    );
    let message = acme.now().lint().nth(5).unwrap().message;
    assert_eq!(message, "parent link of group `h` to group `g` ended at 1970-01-01T00:01:00Z");
}

#[test]
fn references_to_removed_catalog_entries_and_slugs_in_conflict_are_found() {
    let store = MemoryStore::default();
    let open = |permissions: &[PermissionDef<'static>], roles: &[RoleDef<'static>]| {
        let catalog = Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap();
        Authorizer::builder().store(store.clone()).catalog(&catalog).build()
    };
    let old = open(&[PermissionDef::new("fax:send")], &[RoleDef::new("clerk")]);
    let acme = old.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("mail:send")?;
        tx.create_role("editor")?.grant("fax:send")?.include("clerk")?;
        tx.create_user("alice")?.assign("editor")?.done()
    })
    .unwrap();
    let new = open(&[PermissionDef::new("mail:send")], &[RoleDef::new("editor")]);
    let acme = new.tenant("acme").unwrap();
    let now = acme.now();
    let found: Vec<_> = now.lint().map(|finding| (finding.code, finding.severity, finding.place.name)).collect();
    assert_eq!(
        found,
        [
            (Code::CatalogConflict, Severity::Error, "mail:send".to_owned()),
            (Code::CatalogConflict, Severity::Warning, "editor".to_owned()),
            (Code::RemovedFromCatalog, Severity::Warning, "fax:send".to_owned()),
            (Code::RemovedFromCatalog, Severity::Warning, "clerk".to_owned()),
            (Code::RedundantInclusion, Severity::Info, "editor".to_owned()),
        ]
    );
    let of = |permission: &str| {
        let report = now.access_report().permission(permission);
        (report.unavailable(), report.unknown(), report.rows().count())
    };
    assert_eq!(of("mail:send"), (Some(Reason::CatalogConflict), None, 0));
    assert_eq!(of("fax:send"), (None, Some(EntityKind::Permission), 0));
}

#[test]
fn a_role_that_is_kept_apart_is_not_called_redundant() {
    let acme = acme();
    acme.update(|tx| tx.role("owner")?.include("clerk")?.done()).unwrap();
    assert!(!acme.now().lint().any(|finding| finding.code == Code::RedundantInclusion));
}

#[test]
fn accepted_findings_are_those_that_are_listed() {
    let acme = acme();
    acme.update(|tx| tx.create_group("a")?.done()).unwrap();
    let now = acme.now();
    let codes: BTreeSet<Code> = now.lint().map(|finding| finding.code).collect();
    assert_eq!(codes, BTreeSet::from([Code::AllPermissions, Code::UnusedRole, Code::EmptyGroup]));
    let accepted: Accepted =
        "unused_role\trole\tclerk\nall_permissions\tuser\talice\twarning: has everything\n".parse().unwrap();
    let left: Vec<String> =
        now.lint().filter(|finding| !accepted.accepts(finding)).map(|f| f.place.to_string()).collect();
    assert_eq!(left, ["role `approver`", "group `a`"]);
    let json = serde_json::to_value(now.lint().collect::<Vec<_>>()).unwrap();
    assert_eq!((&json[0]["code"], &json[0]["severity"]), (&"all_permissions".into(), &"warning".into()));
    assert_eq!((&json[0]["place"]["name"], &json[0]["other"]), (&"alice".into(), &serde_json::Value::Null));
}

#[test]
fn every_code_is_parsed_from_its_text_and_is_its_json() {
    for code in Code::ALL {
        assert_eq!(code.code().parse::<Code>().unwrap(), *code);
        assert_eq!(serde_json::to_value(code).unwrap(), code.code());
        assert!(!code.advice().is_empty() && !code.advice().ends_with('.'));
    }
    assert!(Code::ALL.is_sorted() && "unused_roles".parse::<Code>().is_err());
}

/// A long chain of roles, and many that grant the same: no rule is quadratic in them.
#[test]
fn a_lint_of_a_deep_tenant_ends() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("a")?;
        tx.create_user("alice")?;
        tx.create_role("r0")?;
        for n in 1..2_000 {
            tx.create_role(&format!("r{n}"))?.include(format!("r{}", n - 1))?;
        }
        (0..300).try_for_each(|n| tx.create_role(&format!("same{n}"))?.grant("a")?.done())
    })
    .unwrap();
    let codes: Vec<Code> = acme.now().lint().map(|finding| finding.code).collect();
    let count = |code: Code| codes.iter().filter(|found| **found == code).count();
    assert_eq!(count(Code::EqualRoles), 299);
    assert_eq!(count(Code::UnusedRole), 2_300);
    assert_eq!(count(Code::RedundantInclusion), 100, "an inclusion with more roles above it is not judged");
}
