//! Runs `examples/inspect.rs` as a user would: checks its output, its errors and its exit status.

#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "examples/limits.rs"]
mod limits;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const ACME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/acme.json");
const BROKEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/broken.json");
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/acme.expected.csv");
const AT: [&str; 2] = ["--at", "2027-01-15T00:00:00Z"];

/// When Cargo runs all tests, it first builds the examples into a folder beside that of the tests.
fn inspect() -> Command {
    let test = std::env::current_exe().unwrap();
    let profile: PathBuf = test.ancestors().nth(2).unwrap().to_owned();
    let program = profile.join("examples").join(format!("inspect{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "`cargo test --test examples` builds no examples; add `--examples`, or run all tests");
    Command::new(program)
}

fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = inspect().args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn ask(words: &[&str]) -> (i32, String) {
    let args: Vec<&str> = [ACME].iter().chain(words).chain(&AT).copied().collect();
    let (status, out, errors) = run(&args);
    assert_eq!(errors, "", "{words:?}");
    (status, out)
}

#[test]
fn questions_are_answered_with_yes_or_no() {
    let table: &[(&[&str], i32, &str)] = &[
        (&["check", "alice@acme.com", "posts:write"], 0, "allowed\n"),
        (&["check", "alice@acme.com", "users:write"], 1, "denied\n"),
        (&["check", "mallory@acme.com", "posts:read"], 1, "denied\n"),
        (&["check", "nobody", "posts:read"], 1, "denied\n"),
        (&["check", "alice@acme.com", "nothing"], 1, "denied\n"),
        (&["effective", "alice@acme.com"], 0, "audit-logs:read\nposts:read\nposts:write\nusers:read\n"),
        (&["effective", "mallory@acme.com"], 0, ""),
        (&["who-can", "posts:write"], 0, "alice@acme.com\nbob@acme.com\ncarol@acme.com\n"),
        (&["who-can", "users:write"], 0, ""),
        (&["verify", EXPECTED], 0, "8 decisions, 0 wrong\n"),
    ];
    for (words, status, out) in table {
        assert_eq!(ask(words), (*status, (*out).to_owned()), "{words:?}");
    }
    let (status, out) = ask(&["explain", "carol@acme.com", "posts:write"]);
    assert_eq!(
        (status, out.lines().next().unwrap()),
        (
            0,
            "allowed: `carol@acme.com` is in `backend`, a part of `engineering`, \
        which has the role `editor` (until 2027-06-30T00:00:00Z), which grants `posts:*`"
        )
    );
    let (status, out) = ask(&["matrix"]);
    assert!(out.lines().is_sorted() && out.lines().any(|line| line == "carol@acme.com\tposts:read"));
    assert_eq!((status, out.lines().count()), (0, 10));
    let (status, out) = ask(&["stats"]);
    assert_eq!(status, 0);
    for line in [
        "tenant `acme-corp` (`Acme Corp`)",
        "permissions 5",
        "users 4",
        "suspended users 1",
        "memberships 4",
        "assignments 4",
    ] {
        assert!(out.lines().any(|found| found == line), "{line} in {out}");
    }
}

#[test]
fn the_instant_of_a_question_can_be_chosen() {
    let at = |instant| run(&[ACME, "--at", instant, "check", "bob@acme.com", "posts:write"]).0;
    assert_eq!(
        (at("2027-01-30T23:59:59.999999Z"), at("2027-01-31T00:00:00Z"), at("2027-01-31T00:30:00+01:00")),
        (0, 1, 0)
    );
}

#[test]
fn inspect_counts_and_explains_wrong_decisions() {
    let file = std::env::temp_dir().join(format!("rolecall-inspect-{}.csv", std::process::id()));
    let lines = "alice@acme.com,posts:write,false\n".repeat(12);
    std::fs::write(&file, format!("user,permission,allowed\n{lines}bob@acme.com,users:read,true\n")).unwrap();
    let (status, out) = ask(&["verify", file.to_str().unwrap()]);
    assert_eq!((status, out.lines().last().unwrap()), (1, "13 decisions, 12 wrong"));
    assert_eq!(out.matches("expected false for `alice@acme.com`, `posts:write`, found").count(), 10);
    assert!(out.contains("allowed: `alice@acme.com` is in `engineering`"));

    for (bad, line) in [
        ("a,b\n", 2),
        ("a,b,yes\n", 2),
        ("a,b,true\n\n", 3),
        ("\"a,b,true\n", 2),
        ("a,b,true,\n", 2),
        ("a\"b,c,true\n", 2),
    ] {
        std::fs::write(&file, format!("user,permission,allowed\n{bad}")).unwrap();
        let (status, out, errors) = run(&[ACME, "verify", file.to_str().unwrap()]);
        assert!(
            !out.contains("decisions") && errors.contains(&format!("line {line}: expected `user,permission,true`")),
            "{errors}"
        );
        assert_eq!(status, 2);
    }
    for bad in [&b""[..], b"user,permission\n", b"user,permission,allowed\n\xff,b,true\n"] {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(run(&[ACME, "verify", file.to_str().unwrap()]).0, 2);
    }
    std::fs::remove_file(file).unwrap();
}

/// Editors and spreadsheets write a byte-order mark in front of each kind of file. The answers are the same with it.
#[test]
fn f17_every_file_may_begin_with_a_byte_order_mark() {
    let folder = std::env::temp_dir().join(format!("rolecall-inspect-marks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let acme = std::fs::read_to_string(ACME).unwrap();
    let files = [
        ("acme.json", &*acme),
        ("other.json", OTHER),
        ("expected.csv", &std::fs::read_to_string(EXPECTED).unwrap()),
        ("log.csv", "alice@acme.com,posts:write\n"),
        ("assertions.json", r#"{"format": 1, "assertions": [{"expect": "only", "permission": "posts:write"}]}"#),
        ("accepted.txt", "unused_role\n"),
        (
            "catalog.json",
            r#"{"format": 1, "tenant": {"slug": "c"}, "permissions": ["posts:write"], "roles": ["editor"]}"#,
        ),
    ];
    let commands: [&[&str]; 9] = [
        &["acme.json", "matrix"],
        &["acme.json", "verify", "expected.csv"],
        &["acme.json", "replay", "log.csv", "other.json"],
        &["acme.json", "test", "assertions.json"],
        &["acme.json", "lint", "--accept", "accepted.txt"],
        &["acme.json", "conflicts", "catalog.json"],
        &["acme.json", "conflicts", "--catalog", "catalog.json"],
        &["acme.json", "catalog", "catalog.json"],
        &["acme.json", "diff", "other.json"],
    ];
    let answers = |mark: &str| {
        for (name, content) in files {
            std::fs::write(folder.join(name), format!("{mark}{content}")).unwrap();
        }
        let answer = |words: &&[&str]| {
            let output = inspect().args(*words).args(AT).current_dir(&folder).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        commands.iter().map(answer).collect::<Vec<_>>()
    };
    let (without, with) = (answers(""), answers("\u{feff}"));
    for ((words, without), with) in commands.iter().zip(&without).zip(&with) {
        assert_eq!(without.2, "", "{words:?}");
        // Ids differ from one import to the next.
        let lines = |text: &str| text.lines().count();
        assert_eq!((without.0, lines(&without.1)), (with.0, lines(&with.1)), "{words:?}: {with:?}");
    }
    assert!(without[2].1.contains("user `alice@acme.com`, permission `posts:write`: allowed, would be denied"));
    assert_eq!(
        without[6].1.lines().count(),
        2,
        "a slug in conflict is one that the document lists, alone or in an object"
    );
    assert_eq!((&without[2].1, &without[1].1), (&with[2].1, &with[1].1));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Conflicts of a tenant with the catalog of a next release, whose permissions and roles are in a document.
#[test]
fn f26_conflicts_with_a_catalog_are_listed() {
    let file = std::env::temp_dir().join(format!("rolecall-catalog-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let next = |permissions: &str, roles: &str| {
        format!(
            r#"{{"format": 1, "tenant": {{"slug": "catalog"}}, "permissions": [{permissions}], "roles": [{roles}]}}"#
        )
    };
    std::fs::write(&file, next(r#""invoices:read", "posts:read""#, r#""editor", "clerk""#)).unwrap();
    let (status, out) = ask(&["conflicts", path]);
    assert_eq!((status, out.lines().count()), (1, 2), "{out}");
    assert!(out.starts_with("permission `posts:read`: the tenant's own is "), "{out}");
    assert!(out.lines().nth(1).unwrap().starts_with("role `editor`: the tenant's own is "), "{out}");

    std::fs::write(&file, next(r#""invoices:read""#, "")).unwrap();
    assert_eq!(ask(&["conflicts", path]), (0, String::new()));
    let (status, _, errors) = run(&[ACME, "conflicts", BROKEN]);
    assert!(status == 2 && errors.contains("broken.json: /groups/0/members/0: user `alcie` not found"), "{errors}");
    std::fs::remove_file(file).unwrap();
}

/// The document of a tenant refers to entries of a catalog, and has a role of its own whose slug the catalog has, too.
#[test]
fn a_document_is_inspected_with_a_catalog() {
    let file = |name: &str, json: &str| {
        let file = std::env::temp_dir().join(format!("rolecall-{name}-{}.json", std::process::id()));
        std::fs::write(&file, json).unwrap();
        file
    };
    let catalog = file(
        "with-catalog",
        r#"{"format": 1, "tenant": {"slug": "catalog"}, "permissions": ["posts:read", "posts:write"],
            "roles": [{"slug": "writer", "permissions": ["posts:w*"], "includes": ["reader"]},
                      {"slug": "reader", "permissions": ["posts:read"]}, "editor"]}"#,
    );
    let document = file(
        "with-document",
        r#"{"format": 1, "tenant": {"slug": "acme"}, "roles": [{"slug": "editor", "permissions": ["posts:write"]}],
            "users": [{"key": "alice", "roles": ["writer"]}, {"key": "bob", "roles": ["editor"]}]}"#,
    );
    let (document, catalog) = (document.to_str().unwrap(), catalog.to_str().unwrap());
    let ask = |words: &[&str]| run(&[&[document], words, &["--catalog", catalog]].concat());
    let allowed = |path: &str| (0, format!("allowed: {path}\n"), String::new());
    assert_eq!(
        ask(&["explain", "alice", "posts:read"]),
        allowed("`alice` has the role `writer`, which includes `reader`, which grants `posts:read`")
    );
    assert_eq!(
        ask(&["explain", "bob", "posts:write"]),
        allowed("`bob` has the tenant's role `editor`, which grants `posts:write`")
    );
    assert_eq!(ask(&["check", "bob", "posts:read"]), (1, "denied\n".to_owned(), String::new()));
    assert_eq!(ask(&["matrix"]).1, "alice\tposts:read\nalice\tposts:write\nbob\tposts:write\n");
    let (status, out, _) = ask(&["conflicts"]);
    assert!(status == 1 && out.starts_with("role `editor`: the tenant's own is ") && out.lines().count() == 1, "{out}");
    let (status, again, _) = ask(&["conflicts", catalog]);
    assert!(status == 1 && again.starts_with("role `editor`: ") && again.lines().count() == 1, "{again}");

    let (status, out, _) = ask(&["lint"]);
    assert!(
        status == 1 && out.starts_with("catalog_conflict\trole\teditor\twarning: role `editor` belongs to "),
        "{out}"
    );

    // Without the catalog, the document refers to what does not exist.
    let (status, _, errors) = run(&[document, "matrix"]);
    assert!(status == 2 && errors.contains("/users/0/roles/0: role `writer` not found"), "{errors}");
    let (status, _, errors) = run(&[document, "matrix", "--catalog", BROKEN]);
    assert!(status == 2 && errors.contains("broken.json: /groups/0/members/0"), "{errors}");
    for file in [document, catalog] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn r17_assertions_are_checked_with_an_exit_status() {
    let file = std::env::temp_dir().join(format!("rolecall-assertions-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let write = |list: &str| std::fs::write(&file, format!(r#"{{"format": 1, "assertions": [{list}]}}"#)).unwrap();
    let holds = r#"{"expect": "denied", "permission": "users:write", "groups": ["engineering"]}"#;
    write(holds);
    assert_eq!(ask(&["test", path]), (0, "0 of 1 assertion failed\n".to_owned()));

    write(&format!(
        r#"{holds}, {{"expect": "only", "permission": "posts:write", "users": ["alice@acme.com"], "groups": ["backend"]}},
           {{"expect": "denied", "permission": "posts:wirte", "users": ["nobody"]}}"#
    ));
    let (status, out) = ask(&["test", path]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        (status, lines),
        (
            1,
            vec![
                "assertion 2: user `bob@acme.com` may do `posts:write`: is in `engineering` (until 2027-01-31T00:00:00Z), \
                 which has the role `editor` (until 2027-06-30T00:00:00Z), which grants `posts:*`",
                "assertion 3: permission `posts:wirte` not found; did you mean `posts:write`?",
                "assertion 3: user `nobody` not found",
                "2 of 3 assertions failed",
            ]
        )
    );
    // When the membership has ended, it breaks nothing.
    assert_eq!(run(&[ACME, "--at", "2027-02-01T00:00:00Z", "test", path]).1.lines().count(), 3);

    write(r#"{"expect": "separate", "roles": ["editor"]}"#);
    let (status, out, errors) = run(&[ACME, "test", path]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(errors.ends_with(".json: /assertions/0/roles: expected at least 2 roles, found 1\n"), "{errors}");
    std::fs::remove_file(file).unwrap();
}

/// A release renames one permission and adds another. The exit status says whether something would be lost or given.
#[test]
fn a_catalog_is_compared_with_the_next_one() {
    let folder = std::env::temp_dir().join(format!("rolecall-inspect-catalog-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, content: &str| {
        let file = folder.join(name);
        std::fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let catalog = |name: &str, permissions: &str| {
        file(name, &format!(r#"{{"format": 1, "tenant": {{"slug": "catalog"}}, "permissions": [{permissions}]}}"#))
    };
    let present = catalog("present.json", r#""posts:read", "posts:write""#);
    let renamed = r#""posts:read", {"slug": "articles:write", "renamed_from": ["posts:write"]}"#;
    let (renamed, more) = (catalog("renamed.json", renamed), r#""posts:read", "posts:write", "posts:pin""#);
    let more = catalog("more.json", more);
    let document = r#"{"format": 1, "tenant": {"slug": "acme"}, "users": [{"key": "alice", "roles": ["editor"]}],
        "roles": [{"slug": "editor", "permissions": ["posts:*"]}, {"slug": "author", "permissions": ["posts:write"]}]}"#;
    let document = file("document.json", document);
    let ask = |words: &[&str]| run(&[&[document.as_str()], words, &["--catalog", &present]].concat());
    assert_eq!(
        ask(&["catalog", &present]),
        (0, "0 users would gain access, 0 would lose some\n".to_owned(), String::new())
    );
    let (status, out, _) = ask(&["catalog", &renamed]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((status, lines.len()), (3, 4), "{out}");
    assert!(
        lines[0].starts_with("permission_renamed\tpermission\tposts:write\tpermission\tarticles:write\tinfo: "),
        "{out}"
    );
    assert!(lines[1].starts_with("pattern_matches_less\trole\teditor\tgrant\tposts:*\terror: "), "{out}");
    assert_eq!(lines[2], "user `alice` loses `articles:write`");
    assert_eq!(lines[3], "0 users would gain access, 1 would lose some");
    let (status, out, _) = ask(&["catalog", &more]);
    assert!(status == 1 && out.contains("user `alice` gains `posts:pin`"), "{out}");
    let accepted = file("accepted", out.split_once("user `alice`").unwrap().0);
    let (status, out, _) = ask(&["catalog", &more, "--accept", &accepted]);
    assert_eq!((status, out.lines().count()), (0, 2), "{out}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Each format is imported, and the document that is printed is inspected.
#[test]
fn documents_are_made_from_the_files_of_other_products() {
    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/rolecall-import/tests/fixtures");
    let paths = |names: &str| names.split(' ').map(|name| format!("{FIXTURES}/{name}")).collect::<Vec<_>>();
    let tables = "laravel/users.csv laravel/roles.csv laravel/permissions.csv laravel/role_has_permissions.csv \
                  laravel/model_has_roles.csv laravel/model_has_permissions.csv laravel/teams.csv";
    let document = std::env::temp_dir().join(format!("rolecall-imported-{}.json", std::process::id()));
    let report = document.with_extension("report");
    let [document, report] = [&document, &report].map(|file| file.to_str().unwrap());
    for (format, files, options, check) in [
        ("casbin", paths("casbin/model.conf casbin/policy.csv"), &["--domain", "pharmacy"][..], ["mira", "stock:read"]),
        ("laravel", paths(tables), &["--team", "10", "--guard", "web"], ["ines@press.example", "publish"]),
        ("keycloak", paths("keycloak/realm.json keycloak/users.json"), &[], ["bo", "berths:cancel"]),
    ] {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let (status, out, notes) = run(&[&["import", format], &files[..], options].concat());
        assert_eq!(status, 0, "{notes}");
        assert!(notes.lines().last().unwrap().ends_with(" renamed"), "{notes}");
        std::fs::write(document, &out).unwrap();
        let answer = run(&[document, "check", check[0], check[1]]);
        assert_eq!(answer, (0, "allowed\n".to_owned(), String::new()), "{format}");

        let (status, again, errors) = run(&[&["import", format], &files[..], options, &["--report", report]].concat());
        assert_eq!((status, again, errors.as_str()), (0, out, ""));
        assert_eq!(std::fs::read_to_string(report).unwrap(), notes);
    }
    for file in [document, report] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_report_is_csv() {
    let (status, out) = ask(&["report"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((status, lines.first()), (0, Some(&"user,permission,from,until,path")));
    assert_eq!(
        lines.get(3),
        Some(
            &"alice@acme.com,posts:write,,2027-06-30T00:00:00Z,\"is in `engineering`, which has the role `editor` (until \
              2027-06-30T00:00:00Z), which grants `posts:*`\""
        )
    );
    let (_, matrix) = ask(&["matrix"]);
    assert_eq!(matrix.lines().count() + 1, lines.len(), "a row for each user and permission");
}

#[test]
fn findings_are_listed_unless_they_are_accepted() {
    let (status, out) = ask(&["lint"]);
    let first = "redundant_inclusion\trole\teditor\trole\tviewer\tinfo: role `editor` includes role `viewer`, ";
    assert!(status == 0 && out.starts_with(first), "{out}");

    let file = std::env::temp_dir().join(format!("rolecall-accepted-{}.txt", std::process::id()));
    let name = file.to_str().unwrap();
    std::fs::write(&file, format!("# As printed.\n{out}")).unwrap();
    assert_eq!(ask(&["lint", "--accept", name]), (0, String::new()));
    std::fs::write(&file, "redundant_inclusion\n").unwrap();
    assert_eq!(ask(&["lint", "--accept", name]).1.lines().count() + 1, out.lines().count());
    std::fs::remove_file(&file).unwrap();

    // A permission that a pattern matches has come since. Entities are matched by id.
    let reader = r#"{"format": 1, "tenant": {"slug": "acme"}, "roles": [{"slug": "reader", "id": "11111111-1111-4111-8111-111111111111", "permissions": ["posts:*"]}]"#;
    std::fs::write(&file, format!("{reader}}}")).unwrap();
    let later = file.with_extension("json");
    std::fs::write(&later, format!("{reader}, \"permissions\": [{{\"slug\": \"posts:read\", \"id\": \"22222222-2222-4222-8222-222222222222\"}}]}}")).unwrap();
    let (status, out, errors) = run(&[later.to_str().unwrap(), "lint", "--since", name]);
    assert_eq!((status, errors.as_str()), (1, ""));
    let grown = "role `reader` grants `posts:*`, which now also matches `posts:read`";
    assert!(out.lines().any(|line| line.starts_with("pattern_has_grown\t") && line.contains(grown)), "{out}");
    assert!(!run(&[later.to_str().unwrap(), "lint"]).1.contains("pattern_has_grown"));
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(later).unwrap();
}

#[test]
fn errors_go_to_standard_error_with_status_2() {
    let table: &[(&[&str], &str)] = &[
        (&[], "usage: inspect"),
        (&["import"], "usage: inspect import"),
        (&["import", "ldap"], "usage: inspect import"),
        (&["import", "casbin", ACME], "usage: inspect import"),
        (&["import", "keycloak", ACME, "--report"], "--report: expected a value"),
        (&["import", "keycloak", ACME, "--quiet"], "unknown option `--quiet`"),
        (&["import", "keycloak", "no-such-file"], "no-such-file: "),
        (&["import", "keycloak", ACME], "file 1: "),
        (&["import", "laravel", ACME], "`acme`: expected one of"),
        (&[ACME], "usage: inspect"),
        (&[ACME, "check", "alice@acme.com"], "usage: inspect"),
        (&[ACME, "matrix", "x"], "usage: inspect"),
        (&[ACME, "conflicts"], "usage: inspect"),
        (&[ACME, "conflicts", "no-such-file"], "no-such-file: "),
        (&[ACME, "audit"], "usage: inspect"),
        (&[ACME, "test", "a", "b"], "usage: inspect"),
        (&[ACME, "test", "no-such-file"], "no-such-file: "),
        (&[ACME, "matrix", "--at"], "--at: expected an instant"),
        (&[ACME, "matrix", "--at", "today"], "--at: invalid instant `today`"),
        (&[ACME, "matrix", "--at", AT[1], "--at", AT[1]], "--at: expected one instant"),
        (&[ACME, "matrix", "--accept", EXPECTED], "--accept: expected the command `lint` or `catalog`"),
        (&[ACME, "lint", "--accept"], "--accept: expected a file"),
        (&[ACME, "matrix", "--since", ACME], "--since: expected the command `lint`"),
        (&[ACME, "lint", "--since", "no-such-file"], "no-such-file: "),
        (&[ACME, "lint", "--since", ACME], "expected ids of all"),
        (&[ACME, "lint", "--accept", "no-such-file"], "no-such-file: "),
        (&[ACME, "lint", "--accept", EXPECTED], "invalid code of a finding `user,permission,allowed`"),
        (&[ACME, "matrix", "--catalog"], "--catalog: expected a file"),
        (&[ACME, "matrix", "--catalog", ACME, "--catalog", ACME], "--catalog: expected one file"),
        (&[ACME, "matrix", "--catalog", "no-such-file"], "no-such-file: "),
        (&["no-such-file", "matrix"], "no-such-file: "),
        (&[ACME, "verify", "no-such-file"], "no-such-file: "),
        (&[ACME, "effective", "nobody"], "user `nobody` not found"),
        (&[ACME, "who-can", "nothing"], "permission `nothing` not found"),
        (&[EXPECTED, "matrix"], "acme.expected.csv: line 1, column 1: expected value"),
        (&[BROKEN, "stats"], "/groups/0/members/0: user `alcie` not found in the document; did you mean `alice`?"),
    ];
    for (args, expected) in table {
        let (status, out, errors) = run(args);
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}");
        assert!(errors.contains(expected), "{args:?}: {errors}");
    }
    assert_eq!(run(&[BROKEN, "stats"]).2.lines().count(), 2, "one line per mistake");
}

#[test]
fn a_closed_pipe_is_an_error_and_not_a_panic() {
    for words in [&["matrix"][..], &["stats"], &["check", "alice@acme.com", "posts:write"]] {
        let mut child =
            inspect().arg(ACME).args(words).args(AT).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        let errors = String::from_utf8(stderr).unwrap();
        // The program may have finished writing into the buffer of the pipe before it was closed.
        assert!(matches!(status.code(), Some(0 | 2)) && !errors.contains("panicked"), "{status}: {errors}");
    }
}

/// A key that reverses the text behind it and breaks the line, and one that a file must not have.
#[test]
fn f10_every_command_shows_what_is_hidden_in_a_key() {
    const HIDDEN: &str = "mallory\u{202e}\u{2028}root";
    let folder = std::env::temp_dir().join(format!("rolecall-inspect-hidden-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let document = |key: &str, roles: &str| {
        let key = key.replace('\n', "\\n");
        format!(
            r#"{{"format": 1, "tenant": {{"slug": "t"}}, "permissions": ["pay"], "roles": [
                {{"slug": "payer", "permissions": ["pay"]}}, "clerk"], "users": [{{"key": "{key}", "roles": [{roles}]}}],
                "separations": [{{"slug": "two", "at_most": 1, "roles": ["payer", "clerk"]}}]}}"#
        )
    };
    let log = format!("{HIDDEN},pay\n");
    let files = [
        ("t.json", document(HIDDEN, r#""payer", "clerk""#)),
        ("other.json", document(HIDDEN, "")),
        ("broken.json", document("a\nb", "")),
        ("log.csv", log.clone()),
        ("expected.csv", format!("user,permission,allowed\n{HIDDEN},pay,false\n")),
        ("none.json", r#"{"format": 1, "assertions": [{"expect": "only", "permission": "pay"}]}"#.to_owned()),
    ];
    for (name, content) in &files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let asked = |words: &[&str]| {
        let Output { stdout, stderr, .. } = inspect().args(words).current_dir(&folder).output().unwrap();
        format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let shown = r"mallory\u{202e}\u{2028}root";
    let commands: [&[&str]; 9] = [
        &["t.json", "who-can", "pay"],
        &["t.json", "matrix"],
        &["t.json", "report"],
        &["t.json", "lint"],
        &["t.json", "explain", HIDDEN, "pay"],
        &["t.json", "verify", "expected.csv"],
        &["t.json", "diff", "other.json"],
        &["t.json", "replay", "log.csv", "other.json"],
        &["t.json", "test", "none.json"],
    ];
    for words in commands {
        let out = asked(words);
        assert!(out.contains(shown) && !out.contains(['\u{202e}', '\u{2028}']), "{words:?}: {out}");
    }
    assert_eq!(asked(commands[0]), format!("{shown}\n"));
    assert_eq!(asked(commands[1]), format!("{shown}\tpay\n"));
    // A printed finding can be copied into the list of those that are accepted.
    std::fs::write(folder.join("accepted.txt"), asked(commands[3])).unwrap();
    assert_eq!(asked(&["t.json", "lint", "--accept", "accepted.txt"]), "");

    // A key never has a line break, so only the words of a question and an invalid document can.
    let questions: [(&[&str], &str); 5] = [
        (&["t.json", "explain", "a\nb", "pay"], "denied: user `a\\nb` not found\n"),
        (&["t.json", "who-can", "a\nb"], "permission `a\\nb` not found\n"),
        (&["t.json", "effective", "a\nb"], "user `a\\nb` not found\n"),
        (&["import", "casbin", "--a\nb"], "unknown option `--a\\nb`\n"),
        (&["broken.json", "matrix"], "broken.json: /users/0/key: invalid user key `a\\nb`: "),
    ];
    for (words, text) in questions {
        let out = asked(words);
        assert!(out.starts_with(text), "{words:?}: {out}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

const OTHER: &str = r#"{"format": 1, "tenant": {"slug": "t"}, "permissions": ["pay"],
    "roles": [{"slug": "payer", "permissions": ["pay"]}], "users": [{"key": "bob", "roles": ["payer"]}, "alice"]}"#;

#[test]
fn two_documents_are_compared_and_past_questions_replayed() {
    let folder = std::env::temp_dir().join(format!("rolecall-inspect-diff-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (before, after, log) = (path("before.json"), path("after.json"), path("log.csv"));
    let present = OTHER.replace(r#""alice""#, r#"{"key": "alice", "roles": ["payer"]}"#);
    let present = present.replace(r#""roles": ["payer"]}, {"key": "alice""#, r#""roles": []}, {"key": "alice""#);
    std::fs::write(&before, present).unwrap();
    std::fs::write(&after, OTHER).unwrap();
    std::fs::write(&log, "alice,pay\nalice,other\nbob,pay,2027-01-01T00:00:00Z\n").unwrap();
    let run = |words: &[&str]| {
        let Output { status, stdout, stderr } = inspect().args(words).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    };
    let (code, text) = run(&[&before, "diff", &after]);
    let lines = "user `alice` loses `pay`\nuser `bob` gains `pay`\n2 users would gain or lose access\n";
    assert_eq!((code, &*text), (Some(1), lines));
    assert_eq!(run(&[&after, "diff", &after]), (Some(0), "0 users would gain or lose access\n".to_owned()));
    let (code, text) = run(&[&before, "replay", &log, &after]);
    let lines = "user `alice`, permission `pay`: allowed, would be denied: nothing that the user holds grants it\n\
                 user `bob`, permission `pay`, at 2027-01-01T00:00:00Z: denied: nothing that the user holds grants it, would be \
                 allowed\n3 questions, 2 answers would differ\n";
    assert_eq!((code, &*text), (Some(1), lines));
    std::fs::write(&log, "alice,pay\nalice\n").unwrap();
    let (code, text) = run(&[&before, "replay", &log, &after]);
    assert!(code == Some(2) && text.contains("line 2: expected `user,permission`"), "{text}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The shell script of a recipe.
fn recipe(title: &str) -> String {
    let cookbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/cookbook.md")).unwrap();
    let (_, recipe) = cookbook.split_once(&format!("## {title}\n")).unwrap();
    let (_, script) = recipe.split_once("```sh\n").unwrap();
    script.split_once("```\n").unwrap().0.to_owned()
}

/// The job of the cookbook fails for a failed assertion, a warning and a broken file, and not for a change of access.
#[test]
#[cfg(unix)]
fn the_recipe_for_ci_says_what_to_look_at() {
    let folder = std::env::temp_dir().join(format!("rolecall-inspect-ci-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let script = format!("inspect() {{ \"$INSPECT\" \"$@\"; }}\n{}", recipe("Review a change of a document in CI"));
    let present = OTHER.replace(r#", "alice""#, "");
    let assertions = |expected: &str| {
        format!(r#"{{"format": 1, "assertions": [{{"expect": "{expected}", "permission": "pay", "users": ["bob"]}}]}}"#)
    };
    let gains = OTHER.replace(r#""alice""#, r#"{"key": "alice", "roles": ["payer"]}"#);
    let alike = gains.replace(r#""users": ["#, r#""users": ["Bob", "#);
    let conflict = r#"{"format": 1}"#;
    let (allowed, denied) = (assertions("allowed"), assertions("denied"));
    let table: [(&str, &str, &str, i32, &str); 5] = [
        (
            &present,
            &allowed,
            "bob,pay\n",
            0,
            "0 of 1 assertion failed\n0 users would gain or lose access\n1 question, 0",
        ),
        (
            &gains,
            &allowed,
            "alice,pay\n",
            0,
            "user `alice` gains `pay`\n1 user would gain or lose access\nuser `alice`",
        ),
        (&gains, &denied, "bob,pay\n", 1, "1 of 1 assertion failed"),
        (&alike, &allowed, "bob,pay\n", 1, "case_variants"),
        (conflict, &allowed, "bob,pay\n", 1, ""),
    ];
    for (proposed, assertions, log, status, text) in table {
        let files = [("acme.json", &*present), ("proposed.json", proposed), ("assertions.json", assertions)];
        for (name, content) in files.into_iter().chain([("questions.csv", log), ("accepted.txt", "")]) {
            std::fs::write(folder.join(name), content).unwrap();
        }
        let program = inspect().get_program().to_owned();
        let mut shell = Command::new("sh");
        let Output { status: found, stdout, .. } =
            shell.args(["-c", &script]).env("INSPECT", program).current_dir(&folder).output().unwrap();
        let out = String::from_utf8(stdout).unwrap();
        assert_eq!(found.code(), Some(status), "{out}");
        assert!(out.contains(text), "{out}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
