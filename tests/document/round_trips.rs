//! Exporting, importing and exporting again gives the same document and the same answers. Replacing a tenant by its own
//! export commits nothing.

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::Catalog;
use rolecall::clock::ManualClock;
use rolecall::{Document, ErrorKind, Result, Tx, Window};
use serde_json::json;

use super::{acme, answers, at, authorizer, document, export, first_release, second_release, stored};

const BEFORE: &str = "2026-12-31T23:59:59Z";
const WITHIN: &str = "2027-01-15T00:00:00Z";
const AFTER: &str = "2028-01-01T00:00:00Z";

/// Checks the properties that hold for every tenant.
fn survives(tenant: &Tenant, store: &rolecall::store::MemoryStore, catalog: &Catalog, what: &str) {
    let exported = export(tenant);
    let read = Document::from_json(exported.to_json().as_bytes()).unwrap();
    assert_eq!(read.to_json(), exported.to_json(), "{what}");
    let (elsewhere, other_store) = authorizer(catalog);
    let other = elsewhere.import(&read).unwrap();
    assert_eq!(export(&other).to_json(), exported.to_json(), "{what}");
    assert_eq!(stored(&other_store, &other), stored(store, tenant), "a17: equal records after {what}");
    for instant in [BEFORE, WITHIN, AFTER] {
        assert_eq!(answers(&other, instant), answers(tenant, instant), "a18: {what}");
    }
    let before = tenant.revision();
    let replaced = tenant.replace(&read).unwrap();
    assert_eq!((replaced.commit, tenant.revision()), (None, before), "{what}");
    assert!(other.plan_replace(&exported).unwrap().is_empty(), "{what}");
}

type Step = (&'static str, fn(&Tx) -> Result<()>);

const STEPS: &[Step] = &[
    ("a category", |tx| tx.permission("posts:read")?.set_category(Some("Posts"))?.done()),
    ("no category", |tx| tx.permission("users:read")?.set_category(None)?.done()),
    ("a description with lines", |tx| tx.role("viewer")?.set_description("a\n\tb \"c\" \\ é")?.done()),
    ("a name", |tx| tx.group("staff")?.set_name("Ståff")?.done()),
    ("a renamed permission", |tx| tx.permission("posts:read")?.set_slug("Microsoft.Posts/posts/read")?.done()),
    ("a renamed user", |tx| tx.user("carol@acme.com")?.set_key("cåról \"x\"")?.done()),
    ("a display name", |tx| tx.user("bob@acme.com")?.set_name(Some("Bøb"))?.done()),
    ("a display name that is the key", |tx| tx.user("mallory@acme.com")?.set_name(Some("mallory@acme.com"))?.done()),
    ("a managed user", |tx| tx.set_manager("okta")?.user("mallory@acme.com")?.set_managed_by(Some("okta"))?.done()),
    ("an external id", |tx| {
        tx.set_manager("okta")?
            .create_user("dora@acme.com")?
            .set_managed_by(Some("okta"))?
            .set_external_id(Some("ü"))?;
        tx.create_group("managed")?
            .set_managed_by(Some("okta"))?
            .set_external_id(Some("ü"))?
            .add_member("dora@acme.com")?;
        Ok(())
    }),
    ("a user taken back", |tx| tx.set_manager("okta")?.user("mallory@acme.com")?.set_managed_by(None)?.done()),
    ("a suspended user", |tx| tx.user("bob@acme.com")?.suspend()?.done()),
    ("a user active again", |tx| tx.user("mallory@acme.com")?.activate()?.done()),
    ("an eight-star pattern", |tx| tx.role("empty")?.grant("*a*b*c*d*e*f*g*")?.done()),
    ("everything granted", |tx| tx.role("empty")?.grant("*")?.done()),
    ("a catalog's permission", |tx| tx.role("viewer")?.grant("billing:write")?.done()),
    ("a catalog's role included", |tx| tx.role("editor")?.include("accountant")?.done()),
    ("a catalog's role to a group", |tx| tx.group("staff")?.assign("clerk")?.done()),
    ("a catalog's role to a user, for a time", |tx| {
        tx.user("bob@acme.com")?.assign_during("accountant", Window::between(at(BEFORE), at(AFTER))?)?.done()
    }),
    ("a deeper group", |tx| tx.create_group("kernel")?.add_parent("backend")?.add_member("bob@acme.com")?.done()),
    ("a second parent", |tx| tx.create_group("eu").and_then(|_| tx.group("kernel")?.add_parent("eu")?.done())),
    ("a parent for a time", |tx| {
        tx.group("eu")?.add_parent_during("staff", Window::between(at(BEFORE), at(AFTER))?)?.done()
    }),
    ("another window of a parent", |tx| {
        tx.group("kernel")?.set_parent_window("backend", Window::until(at(WITHIN)))?.done()
    }),
    ("a parent for good again", |tx| tx.group("eu")?.set_parent_window("staff", Window::ALWAYS)?.done()),
    ("a window from one microsecond", |tx| {
        tx.user("carol@acme.com")
            .or_else(|_| tx.user("cåról \"x\""))?
            .join_during("eu", Window::from(at("0000-01-01T00:00:00.000001Z")))?
            .done()
    }),
    ("a deleted role", |tx| tx.delete_role("auditor")),
    ("a deleted permission", |tx| tx.delete_permission("posts:write")),
    ("a deleted group", |tx| tx.delete_group("engineering")),
    ("a deleted user", |tx| tx.delete_user("alice@acme.com")),
    ("made anew", |tx| tx.create_user("alice@acme.com")?.join("staff")?.done()),
    ("slugs that differ in case alone", |tx| tx.create_role("Viewer").and_then(|_| tx.create_role("VIEWER")).map(drop)),
    ("the tenant's own name", |tx| tx.set_tenant_slug("acme")?.set_tenant_name("Acme & Söhne")?.done()),
];

#[test]
fn a17_a18_nothing_is_lost_after_any_kind_of_change() {
    let catalog = first_release();
    let (authorizer, store) = authorizer(&catalog);
    let acme = authorizer.import(&acme()).unwrap();
    survives(&acme, &store, &catalog, "the import");
    for (what, step) in STEPS {
        acme.update(step).unwrap();
        survives(&acme, &store, &catalog, what);
    }
}

#[test]
fn a18_a_window_ends_on_time_after_export_and_import() {
    let clock = std::sync::Arc::new(ManualClock::new(at(WITHIN)));
    let authorizer = Authorizer::builder().clock(clock.clone()).build();
    let exported = export(&Authorizer::in_memory().import(&acme()).unwrap());
    let acme = authorizer.import(&exported).unwrap();
    let held = acme.snapshot();
    assert!(acme.check("bob@acme.com", "posts:write"));
    clock.set(at("2027-01-31T00:00:00Z"));
    assert!(!acme.check("bob@acme.com", "posts:write"));
    assert!(!held.now(&clock).check("bob@acme.com", "posts:write"));
    assert!(acme.check("alice@acme.com", "posts:write"));
    clock.set(at("2027-06-29T23:59:59.999999Z"));
    assert!(acme.check("alice@acme.com", "posts:write"));
    clock.set(at("2027-06-30T00:00:00Z"));
    assert!(!acme.check("alice@acme.com", "posts:write"));
}

#[test]
fn r3_a_parent_in_a_window_is_written_as_an_object_and_one_for_good_as_a_slug() {
    let written = json!({
        "format": 1, "tenant": {"slug": "acme"}, "permissions": ["p"],
        "roles": [{"slug": "r", "permissions": ["p"]}],
        "groups": [
            {"slug": "backend", "members": ["alice"], "parents": [
                "staff",
                {"group": "apollo", "from": "2027-01-01T01:00:00+01:00", "until": "2027-04-01T00:00:00Z"},
                {"group": "gemini"},
            ]},
            {"slug": "apollo", "roles": ["r"]}, "gemini", "staff",
        ],
        "users": ["alice"],
    });
    let (elsewhere, store) = authorizer(&Catalog::empty());
    let acme = elsewhere.import(&document(&written)).unwrap();
    for (instant, expected) in [
        ("2026-12-31T23:59:59.999999Z", false),
        ("2027-01-01T00:00:00Z", true),
        ("2027-03-31T23:59:59.999999Z", true),
        ("2027-04-01T00:00:00Z", false),
    ] {
        assert_eq!(acme.snapshot().at(at(instant)).check("alice", "p"), expected, "at {instant}");
    }
    survives(&acme, &store, &Catalog::empty(), "the import");
    let mut exported = serde_json::to_value(export(&acme)).unwrap();
    let window = json!({"group": "apollo", "from": "2027-01-01T00:00:00Z", "until": "2027-04-01T00:00:00Z"});
    assert_eq!(exported["groups"][1]["parents"], json!([window, "gemini", "staff"]));
    // Changing a window changes one record.
    exported["groups"][1]["parents"][0] = json!("apollo");
    let plan = acme.plan_replace(&document(&exported)).unwrap();
    let [change] = plan.changes() else { panic!("one change, and not {:?}", plan.changes()) };
    assert!(change.before().is_some() && change.after().is_some());
    acme.commit(plan).unwrap();
    assert!(acme.check("alice", "p"));
    survives(&acme, &store, &Catalog::empty(), "a replace");
}

#[test]
fn r9_removed_entries_are_exported_and_imported() {
    let (first, second) = (first_release(), second_release());
    let (old, store) = authorizer(&first);
    let acme = old.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("boss")?.include("accountant")?.grant("billing:write")?.grant("billing:read")?;
        tx.create_user("bob")?.assign("accountant")?.assign("boss")?.assign("clerk")?.done()
    })
    .unwrap();
    let under_first = export(&acme);
    let new = Authorizer::builder().store(store).catalog(&second).build();
    let acme = new.tenant("acme").unwrap();
    let exported = export(&acme);
    let value = serde_json::to_value(&exported).unwrap();
    assert_eq!(
        value["removed_from_catalog"],
        json!([
            {"kind": "permission", "slug": "billing:write", "id": first.permissions()[1].id()},
            {"kind": "role", "slug": "accountant", "id": first.roles()[1].id()},
        ])
    );
    assert_eq!(value["users"][0]["roles"], json!(["accountant", "billing-clerk", "boss"]));

    // Importing under the same catalog changes nothing; under the first catalog, the removed entries exist again.
    let elsewhere = authorizer(&second).0.import(&exported).unwrap();
    assert_eq!(export(&elsewhere), exported);
    assert!(!elsewhere.check("bob", "billing:write"));
    assert!(acme.plan_replace(&exported).unwrap().is_empty());
    let mut renamed = serde_json::to_value(&exported).unwrap();
    renamed["users"][0]["roles"][1] = json!("clerk");
    let back = authorizer(&first).0.import(&document(&renamed)).unwrap();
    assert_eq!(export(&back), under_first);
    assert!(back.check("bob", "billing:write"));
}

#[test]
fn r9_a_removed_slug_that_was_reused_is_exported_by_id() {
    use rolecall::catalog::{Definition, RoleDef};
    let release = |roles| Catalog::new(&Definition { roles, ..Definition::default() }).unwrap();
    // `a` was renamed to `b` and removed; then another `b` was created.
    let (first, second) =
        (release(&[RoleDef { renamed_from: &["a"], ..RoleDef::new("b") }]), release(&[RoleDef::new("b")]));
    let (old, store) = authorizer(&first);
    old.create_tenant("acme", "Acme").unwrap().update(|tx| tx.create_user("u")?.assign("b")?.done()).unwrap();
    let new = Authorizer::builder().store(store).catalog(&second).build();
    let acme = new.tenant("acme").unwrap();
    acme.update(|tx| tx.user("u")?.assign("b")?.done()).unwrap();
    let (exported, id) = (export(&acme), first.roles()[0].id());
    let value = serde_json::to_value(&exported).unwrap();
    assert_eq!(value["users"][0]["roles"], json!(["b", format!("removed:{id}")]));
    assert!(acme.plan_replace(&exported).unwrap().is_empty());
    assert_eq!(export(&authorizer(&second).0.import(&exported).unwrap()), exported);
}

#[test]
fn a11_a_long_chain_is_exported_and_imported_in_linear_time() {
    let last = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    let entry = |list: &str, n: usize| match n {
        0 => json!({"slug": "0"}),
        _ => json!({"slug": n.to_string(), list: [(n - 1).to_string()]}),
    };
    let entries = |list, top| (0..=last).map(|n| entry(list, n)).chain([top]).collect::<Vec<_>>();
    let top = last.to_string();
    let chain = json!({
        "format": 1, "tenant": {"slug": "chain"}, "permissions": ["p"], "users": ["u"],
        "roles": entries("includes", json!({"slug": "r", "permissions": ["p"], "includes": [top]})),
        "groups": entries("parents", json!({"slug": "g", "parents": [top], "roles": ["r"], "members": ["u"]})),
    });
    let tenant = Authorizer::in_memory().import(&document(&chain)).unwrap();
    assert!(tenant.check("u", "p"));
    let exported = export(&tenant);
    assert!(tenant.plan_replace(&exported).unwrap().is_empty());
    let only = json!({"format": 1, "tenant": {"slug": "chain"}, "users": ["u"]});
    assert_eq!(tenant.replace(&document(&only)).unwrap().changes.len(), 4 * last + 10);
}

#[test]
fn an_unavailable_snapshot_cannot_be_exported() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.import(&acme()).unwrap();
    let held = acme.snapshot();
    acme.close().unwrap();
    assert_eq!(acme.snapshot().export().unwrap_err().kind(), ErrorKind::Closed);
    assert!(held.export().is_ok(), "a snapshot taken before still answers");
    let acme = authorizer.tenant("acme-corp").unwrap();
    acme.delete().unwrap();
    assert_eq!(acme.snapshot().export().unwrap_err().kind(), ErrorKind::Deleted);
}

#[test]
fn an_id_in_capital_letters_is_read_and_written_in_lower_case() {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let with = |id: &str| {
        let text = json!({"format": 1, "tenant": {"slug": "acme"}, "users": [{"key": "alice", "id": id}]});
        Document::from_json(text.to_string().as_bytes()).unwrap()
    };
    let tenant = Authorizer::in_memory().import(&with(&id.to_uppercase())).unwrap();
    assert_eq!(tenant.now().user("alice").unwrap().id.to_string(), id);
    assert!(with(&id.to_uppercase()) == with(id) && export(&tenant).to_json().contains(id));
}

/// Every field of a document, in two environments that give their entities other ids.
#[test]
fn f18_without_ids_two_environments_export_the_same_bytes() {
    let catalog = Catalog::empty();
    let document = acme().without_ids();
    let environments = [authorizer(&catalog), authorizer(&catalog)].map(|(authorizer, store)| {
        let tenant = authorizer.import(&document).unwrap();
        (tenant, store)
    });
    let [one, other] = environments.each_ref().map(|(tenant, _)| export(tenant));
    assert_ne!(one.to_json(), other.to_json(), "each has its own ids");
    assert_eq!(one.clone().without_ids().to_json(), other.without_ids().to_json());
    assert_eq!(one.clone().without_ids().to_json(), document.to_json());
    assert!(!one.to_json().contains("\"id\": \"") || !document.to_json().contains("\"id\": \""));
    // Replacing matches by slugs and keys: nothing changes in either.
    for (tenant, store) in &environments {
        let before = stored(store, tenant);
        assert!(tenant.plan_replace(&document).unwrap().changes().is_empty());
        assert!(tenant.replace(&one.clone().without_ids()).unwrap().commit.is_none());
        assert_eq!(stored(store, tenant), before);
    }
    // A change in one environment is carried to the other by slugs and keys.
    let [(staging, _), (production, store)] = &environments;
    let ids = |records: Vec<rolecall::records::Record>| {
        records.iter().map(rolecall::records::Record::key).collect::<Vec<_>>()
    };
    let before = ids(stored(store, production));
    staging.update(|tx| tx.create_user("new@acme.com")?.done()).unwrap();
    let mut changed = export(staging).without_ids();
    production.replace(changed.act_for("okta").unwrap()).unwrap();
    assert_eq!(export(production).without_ids(), export(staging).without_ids());
    let after = ids(stored(store, production));
    assert!(before.iter().all(|key| after.contains(key)) && after.len() == before.len() + 1, "entities keep their ids");
}

/// References to entries that are removed from the catalog keep their ids, which come from the catalog.
#[test]
fn f18_entries_removed_from_the_catalog_keep_their_ids() {
    let (first, second) = (first_release(), second_release());
    let store = rolecall::store::MemoryStore::default();
    let tenant =
        Authorizer::builder().store(store.clone()).catalog(&first).build().create_tenant("acme", "Acme").unwrap();
    tenant.update(|tx| tx.create_user("alice")?.assign("accountant")?.done()).unwrap();
    tenant.close().unwrap();
    let tenant = Authorizer::builder().store(store).catalog(&second).build().tenant("acme").unwrap();
    let document = export(&tenant).without_ids();
    assert!(document.to_json().contains("removed_from_catalog"));
    let copy = authorizer(&second).0.import(&document).unwrap();
    assert_eq!(export(&copy).without_ids().to_json(), document.to_json());
}
