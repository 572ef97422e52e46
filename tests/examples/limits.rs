//! `inspect FILE test`: documents that break the separations and assertions in them.

use super::run;

/// A folder of files, which is removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The answer to a question about an instant, with its lines.
fn ask(document: &str, words: &[&str]) -> (i32, Vec<String>) {
    let (status, out, errors) = run(&[&[document, "--at", "2098-01-01T00:00:00Z"], words].concat());
    assert_eq!(errors, "", "{words:?}");
    (status, out.lines().map(str::to_owned).collect())
}

/// Bob pays and approves, eve pays from 2099 on, and ann does not pay.
const BROKEN: &str = r#"{
    "format": 1, "tenant": {"slug": "acme"}, "permissions": ["billing:pay"],
    "roles": [{"slug": "payer", "permissions": ["billing:pay"]}, "approver"],
    "groups": [{"slug": "finance", "members": ["ann"]}, {"slug": "office", "roles": ["payer"], "members": ["bob"]}],
    "users": ["ann", {"key": "bob", "roles": ["approver"]},
              {"key": "eve", "roles": [{"role": "payer", "from": "2099-01-01T00:00:00Z"}]}],
    "separations": [
        {"slug": "audit", "at_most": 1, "roles": ["approver", "auditor"]},
        {"slug": "payments", "at_most": 1, "roles": ["payer", "approver", "auditor"], "description": "Four eyes",
         "id": "7e6c0a4e-4b1c-4f0e-9a53-0d5a3f0c9a01"}
    ],
    "assertions": [
        {"slug": "ann-pays", "expect": "allowed", "permission": "billing:pay", "users": ["ann"]},
        {"slug": "holds", "binding": true, "expect": "denied", "permission": "billing:pay", "groups": ["finance"]},
        {"slug": "only-finance", "binding": true, "expect": "only", "permission": "billing:pay", "groups": ["finance"]}
    ],
    "removed_from_catalog": [{"kind": "role", "slug": "auditor", "id": "7e6c0a4e-4b1c-4f0e-9a53-0d5a3f0c9a02"}]
}"#;

#[test]
fn every_mistake_in_a_document_is_listed_with_its_path() {
    let folder = Folder::new();
    let document = folder.write("acme.json", BROKEN);
    let expected = [
        "separation `payments` allows a user at most one of its roles; at 2098-01-01T00:00:00Z, user `bob` holds more than one \
         of them: has the role `approver`; is in `office`, which has the role `payer`",
        "assertion `ann-pays` does not hold: user `ann` may not do `billing:pay`: nothing that the user holds grants it",
        "assertion `only-finance` does not hold: user `bob` may do `billing:pay`: is in `office`, which has the role \
         `payer`, which grants `billing:pay`",
        "assertion `only-finance` does not hold: user `eve` may do `billing:pay` from 2099-01-01T00:00:00Z: has the role \
         `payer` (from 2099-01-01T00:00:00Z), which grants `billing:pay`",
        "1 of 2 separations exceeded",
        "2 of 3 assertions failed",
    ];
    assert_eq!(ask(&document, &["test"]), (1, expected.map(str::to_owned).to_vec()));

    // A file of assertions adds to them.
    let assertions = r#"{"format": 1, "assertions": [{"expect": "denied", "permission": "billing:pay", "users": ["bob"]},
                                                     {"expect": "allowed", "permission": "billing:pay", "users": ["bob"]}]}"#;
    let (status, lines) = ask(&document, &["test", &folder.write("assertions.json", assertions)]);
    assert_eq!((status, lines.len()), (1, expected.len() + 1));
    assert_eq!(lines[..4], expected[..4]);
    assert!(lines[4].starts_with("assertion 1: user `bob` may do `billing:pay`: is in `office`"), "{lines:?}");
    assert_eq!(lines[5..], ["1 of 2 separations exceeded", "3 of 5 assertions failed"]);

    // Every other question is answered, too.
    assert_eq!(ask(&document, &["check", "bob", "billing:pay"]), (0, vec!["allowed".to_owned()]));
    let (_, counts) = ask(&document, &["stats"]);
    for line in ["separations 2", "assertions 3", "removed_from_catalog 1"] {
        assert!(counts.iter().any(|found| found == line), "{line} in {counts:?}");
    }
    let (status, lines) = ask(&document, &["diff", &folder.write("next.json", &BROKEN.replace(r#"["bob"]}"#, "[]}"))]);
    assert_eq!((status, lines[0].as_str()), (1, "user `bob` loses `billing:pay`"));
}

/// One limit at a time, so that none of them hides behind another one.
#[test]
fn a_single_failure_has_the_status_1_and_none_has_0() {
    let document = |limits: &str| {
        format!(
            r#"{{"format": 1, "tenant": {{"slug": "acme"}}, "permissions": ["pay"],
                "roles": [{{"slug": "payer", "permissions": ["pay"]}}, "clerk"],
                "users": [{{"key": "bob", "roles": ["clerk", "payer"]}}], {limits}}}"#
        )
    };
    let denied = |binding: &str| {
        format!(
            r#""assertions": [{{"slug": "a", {binding} "expect": "denied", "permission": "pay", "users": ["bob"]}}]"#
        )
    };
    let allowed =
        r#""assertions": [{"slug": "a", "binding": true, "expect": "allowed", "permission": "pay", "users": ["bob"]}]"#;
    let separation = r#""separations": [{"slug": "s", "at_most": 1, "roles": ["clerk", "payer"]}]"#;
    let fails = "assertion `a` does not hold: user `bob` may do `pay`: has the role `payer`, which grants `pay`";
    let exceeds = "separation `s` allows a user at most one of its roles; at 2098-01-01T00:00:00Z, user `bob` holds more than one \
                   of them: has the role `clerk`; has the role `payer`";
    let folder = Folder::new();
    for (limits, status, expected) in [
        (denied(""), 1, vec![fails, "1 of 1 assertion failed"]),
        (denied(r#""binding": true,"#), 1, vec![fails, "1 of 1 assertion failed"]),
        (allowed.to_owned(), 0, vec!["0 of 1 assertion failed"]),
        (separation.to_owned(), 1, vec![exceeds, "1 of 1 separation exceeded", "0 of 0 assertions failed"]),
        (r#""groups": []"#.to_owned(), 0, vec!["0 of 0 assertions failed"]),
    ] {
        let file = folder.write("acme.json", &document(&limits));
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(ask(&file, &["test"]), (status, expected), "{limits}");
    }
}

/// The roles of the catalog give what a binding assertion expects, and one of them includes the other.
#[test]
fn limits_are_judged_with_the_catalog() {
    let folder = Folder::new();
    let catalog = |name: &str, payer: &str| {
        let roles = format!(r#"[{{"slug": "payer", {payer} "permissions": ["billing:*"]}}, "clerk"]"#);
        let json = r#"{"format": 1, "tenant": {"slug": "catalog"}, "permissions": ["billing:pay"], "roles": ROLES}"#;
        folder.write(name, &json.replace("ROLES", &roles))
    };
    let (apart, including) = (catalog("apart.json", ""), catalog("including.json", r#""includes": ["clerk"],"#));
    let document = folder.write(
        "acme.json",
        r#"{"format": 1, "tenant": {"slug": "acme"}, "users": [{"key": "alice", "roles": ["payer"]}],
            "separations": [{"slug": "payments", "at_most": 1, "roles": ["clerk", "payer"]}],
            "assertions": [
                {"slug": "alice-pays", "binding": true, "expect": "allowed", "permission": "billing:pay", "users": ["alice"]}
            ]}"#,
    );
    let holds = ["0 of 1 separation exceeded", "0 of 1 assertion failed"].map(str::to_owned).to_vec();
    assert_eq!(ask(&document, &["test", "--catalog", &apart]), (0, holds));
    assert_eq!(ask(&document, &["check", "alice", "billing:pay", "--catalog", &apart]).0, 0);
    assert_eq!(ask(&document, &["lint", "--catalog", &apart]).0, 0);

    let (status, lines) = ask(&document, &["test", "--catalog", &including]);
    let exceeded = "separation `payments` allows a user at most one of its roles; at 2098-01-01T00:00:00Z, user `alice` holds \
                    more than one of them: has the role `payer`, which includes `clerk`; has the role `payer`";
    assert_eq!(status, 1);
    assert_eq!(lines, [exceeded, "1 of 1 separation exceeded", "0 of 1 assertion failed"]);
}

/// A document that breaks its limits is refused for any other mistake, at its place in the file.
#[test]
fn other_mistakes_of_a_document_are_errors() {
    let folder = Folder::new();
    let document = folder.write("acme.json", &BROKEN.replace(r#"["payer", "approver", "#, r#"["payer", "aprover", "#));
    let (status, out, errors) = run(&[&document, "test"]);
    assert_eq!((status, out.as_str()), (2, ""));
    let expected = "/separations/1/roles/1: role `aprover` not found in the document; did you mean `approver`?";
    assert!(errors.contains(expected), "{errors}");
}
