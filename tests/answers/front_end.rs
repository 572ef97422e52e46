//! The permissions document: its JSON, and `examples/front-end`, which answers from it as the library does.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::path::Path;
use std::process::Command;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::moment::PermissionsDocument;
use rolecall::records::{Position, Revision, TenantId};
use rolecall::{Timestamp, Window};
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Alice may pay until noon and after two, and always read; Mallory is suspended.
fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let (noon, two) = (at("2099-01-31T12:00:00Z"), at("2099-01-31T14:00:00Z"));
    let update = acme.update(|tx| {
        for slug in ["invoices:read", "invoices:pay", "posts:read"] {
            tx.create_permission(slug)?;
        }
        tx.create_role("reader")?.grant("invoices:read")?;
        tx.create_role("payer")?.grant("invoices:*")?;
        tx.create_group("office")?.assign("reader")?;
        tx.create_group("evening")?
            .add_parent_during("office", Window::from(two))?
            .assign_during("payer", Window::from(two))?;
        tx.create_user("alice")?.join("office")?.join("evening")?.assign_during("payer", Window::until(noon))?;
        // The window changes nothing: Bob can read through the office anyway.
        tx.create_user("bob")?.join("office")?.assign_during("reader", Window::until(noon))?;
        tx.create_user("mallory")?.join("office")?.suspend()?.done()
    });
    update.unwrap();
    acme
}

fn document(acme: &Tenant, user: &str, instant: &str) -> PermissionsDocument {
    acme.snapshot().at(at(instant)).permissions_document(user).unwrap()
}

#[test]
fn the_document_has_what_a_user_may_do_until_that_changes() {
    let acme = acme();
    for (user, instant, permissions, until) in [
        ("alice", "2099-01-31T08:00:00Z", &["invoices:pay", "invoices:read"][..], Some("2099-01-31T12:00:00Z")),
        ("alice", "2099-01-31T12:00:00Z", &["invoices:read"], Some("2099-01-31T14:00:00Z")),
        ("alice", "2099-01-31T14:00:00Z", &["invoices:pay", "invoices:read"], None),
        ("bob", "2099-01-31T08:00:00Z", &["invoices:read"], None),
        ("mallory", "2099-01-31T08:00:00Z", &[], None),
    ] {
        let document = document(&acme, user, instant);
        assert_eq!(document.permissions, permissions, "{user} {instant}");
        assert_eq!(document.valid_until, until.map(at), "{user} {instant}");
    }
    assert!(acme.now().permissions_document("nobody").is_none());
    acme.close().unwrap();
    assert!(acme.now().permissions_document("alice").is_none());
}

#[test]
fn the_json_of_the_document_is_fixed() {
    let acme = acme();
    let document = document(&acme, "alice", "2099-01-31T08:00:00Z");
    let position = acme.snapshot().position();
    let expected = json!({
        "tenant": "acme",
        "user": "alice",
        "position": {"tenant_id": position.tenant_id, "revision": 2, "commit": position.commit},
        "instant": "2099-01-31T08:00:00Z",
        "valid_until": "2099-01-31T12:00:00Z",
        "permissions": ["invoices:pay", "invoices:read"],
    });
    assert_eq!(serde_json::to_value(&document).unwrap(), expected);
    assert_eq!(serde_json::from_value::<PermissionsDocument>(expected).unwrap(), document);
}

/// Until the end of a document, the front end answers as the library; from then on it denies.
#[test]
#[ignore = "needs Node.js; .ci/run has a step for it"]
fn the_front_end_answers_as_the_library() {
    let acme = acme();
    let instants = ["2099-01-31T08:00:00Z", "2099-01-31T11:59:59.999Z", "2099-01-31T12:00:00Z", "2099-01-31T14:00:00Z"];
    let mut cases: Vec<Value> = Vec::new();
    for user in ["alice", "bob", "mallory"] {
        for (n, issued) in instants.into_iter().enumerate() {
            let document = document(&acme, user, issued);
            for instant in instants.into_iter().skip(n) {
                for permission in ["invoices:pay", "invoices:read", "posts:read", "unknown"] {
                    let holds = document.valid_until.is_none_or(|until| at(instant) < until);
                    let allowed = holds && acme.snapshot().at(at(instant)).check(user, permission);
                    let document = serde_json::to_string(&document).unwrap();
                    cases.push(json!({
                        "document": document, "permission": permission, "instant": instant, "allowed": allowed,
                    }));
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.json");
    std::fs::write(&file, serde_json::to_vec(&cases).unwrap()).unwrap();
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/front-end/permissions.test.js");
    let run = Command::new("node").arg("--test").arg(tests).env("ROLECALL_ANSWERS", file).output().unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("skipped 0"), "{output}");
}

/// The code of the recipe, with the names that the page around it has.
fn recipe() -> String {
    let cookbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/cookbook.md")).unwrap();
    let (_, recipe) = cookbook.split_once("## Permissions for a front end\n").unwrap();
    let (_, code) = recipe.split_once("```ts\n").unwrap();
    let (code, _) = code.split_once("```\n").unwrap();
    format!("import {{ reload, showInvoices }} from \"./page.js\";\n{code}\nexport {{ onResponse }};\n")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{text}");
}

/// The compiler accepts the recipe by the rules of the example, and it does what the text around it says.
#[test]
#[ignore = "needs Node.js and the compiler of TypeScript; .ci/run has a step for it"]
fn the_recipe_for_a_front_end_compiles_and_notices_old_documents() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/front-end");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    for name in ["permissions.js", "permissions.d.ts"] {
        std::fs::copy(example.join(name), folder.path().join(name)).unwrap();
    }
    write("recipe.ts", &recipe());
    write("page.ts", include_str!("front_end/page.ts"));
    let settings = json!({
        "extends": example.join("tsconfig.json"),
        "compilerOptions": {
            "noEmit": false,
            "allowImportingTsExtensions": false,
            "outDir": "compiled",
            "rootDir": ".",
            "typeRoots": [example.join("node_modules/@types")],
        },
        "include": ["*.ts", "*.js"],
    });
    write("tsconfig.json", &settings.to_string());
    write("package.json", r#"{"type": "module"}"#);
    run(Command::new(example.join("node_modules/.bin/tsc")).current_dir(folder.path()));

    let acme = acme();
    let position = acme.snapshot().position();
    let earlier = Position { revision: Revision::FIRST, ..position };
    let issued = |user: &str| serde_json::to_string(&document(&acme, user, "2098-01-01T00:00:00Z")).unwrap();
    let documents = [("alice", true, true), ("bob", true, false), ("mallory", false, false)];
    let documents =
        documents.map(|(user, shows, waits)| json!({"document": issued(user), "shows": shows, "waits": waits}));
    acme.update(|tx| tx.create_user("carol")?.done()).unwrap();
    let later = acme.snapshot().position();
    let headers = [
        (Some(position.to_string()), false),
        (Some(earlier.to_string()), false),
        (Some(later.to_string()), true),
        (Some(Position { commit: later.commit, ..position }.to_string()), true),
        (Some(Position { tenant_id: TenantId::random(), ..position }.to_string()), true),
        (None, false),
        // Text that is not a position says nothing.
        (Some(format!("{later}.1")), false),
        (Some("later".to_owned()), false),
    ];
    let headers = headers.map(|(header, reloads)| json!({"header": header, "reloads": reloads}));
    write("compiled/cases.json", &json!({"documents": documents, "headers": headers}).to_string());
    write("compiled/run.js", include_str!("front_end/run.js"));
    run(Command::new("node").arg("compiled/run.js").current_dir(folder.path()));
}
