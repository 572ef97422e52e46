//! Replacing a tenant: how entries match existing entities, and the effect on ids, relations and handles.

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::records::Change;
use rolecall::store::MemoryStore;
use rolecall::{Document, ErrorKind, error::MistakeCode};
use serde_json::{Value, json};

use super::{acme, document, export, first_release};

fn tenant(json: &Value) -> Tenant {
    Authorizer::in_memory().import(&document(json)).unwrap()
}

/// A short form of a change.
fn shown(changes: &[Change]) -> Vec<String> {
    let sign = |change: &Change| match (change.before(), change.after()) {
        (None, _) => "+",
        (_, None) => "-",
        _ => "~",
    };
    changes.iter().map(|change| format!("{}{:?}", sign(change), change.kind())).collect()
}

/// Edits the exported document.
fn edited(tenant: &Tenant, edit: impl FnOnce(&mut Value)) -> Document {
    let mut value = serde_json::to_value(export(tenant)).unwrap();
    edit(&mut value);
    document(&value)
}

fn small() -> Value {
    json!({"format": 1, "tenant": {"slug": "acme"}, "permissions": ["read"], "roles": [{"slug": "editor", "permissions": ["read"]}, "viewer"],
           "groups": [{"slug": "staff", "roles": ["editor"], "members": ["alice"]}], "users": ["alice"]})
}

#[test]
fn without_ids_entries_are_matched_by_name_and_equal_content_makes_no_revision() {
    let acme = tenant(&small());
    let before = export(&acme);
    let replaced = acme.replace(&document(&small())).unwrap();
    assert_eq!((replaced.commit, replaced.changes.len(), acme.revision().number()), (None, 0, 1));
    assert_eq!(export(&acme), before);
}

#[test]
fn an_entry_with_a_known_id_is_renamed() {
    let acme = tenant(&small());
    let (role, alice) = (acme.now().role("editor").unwrap().record.id, acme.now().user("alice").unwrap().id);
    let renamed = edited(&acme, |value| {
        value["roles"][0]["slug"] = json!("writer");
        value["groups"][0]["roles"][0] = json!("writer");
        value["users"][0]["key"] = json!("alicia");
        value["groups"][0]["members"][0] = json!("alicia");
    });
    let replaced = acme.replace(&renamed).unwrap();
    assert_eq!(shown(&replaced.changes), ["~Role", "~User"]);
    assert_eq!((acme.now().role("writer").unwrap().record.id, acme.now().user("alicia").unwrap().id), (role, alice));
    assert!(acme.check("alicia", "read") && !acme.check("alice", "read"));
}

#[test]
fn two_entries_can_swap_names_by_id() {
    let acme = tenant(&small());
    let editor = acme.now().role("editor").unwrap().record.id;
    let swapped = edited(&acme, |value| {
        value["roles"][0]["slug"] = json!("viewer");
        value["roles"][1]["slug"] = json!("editor");
        value["groups"][0]["roles"][0] = json!("viewer");
    });
    assert_eq!(shown(&acme.replace(&swapped).unwrap().changes), ["~Role", "~Role"]);
    assert_eq!(acme.now().role("viewer").unwrap().record.id, editor);
    assert!(acme.check("alice", "read"));
}

#[test]
fn a22_an_unknown_id_under_an_old_slug_is_another_thing() {
    let acme = tenant(&small());
    let old = acme.now().role("editor").unwrap().record.id;
    let handle = acme.user_handle("alice").unwrap();
    let anew = edited(&acme, |value| {
        value["roles"][0]["id"] = json!("67e55044-10b1-426f-9247-bb680e5fe0c8");
        value["groups"][0]["roles"] = json!([]);
        value["users"][0] = json!({"key": "alice", "id": "0f3f1f8e-3f5e-4b0a-9d2c-1a2b3c4d5e6f"});
    });
    let replaced = acme.replace(&anew).unwrap();
    // The group is the same, and all relations of the deleted entities are deleted.
    let mut changes = shown(&replaced.changes);
    changes.sort();
    assert_eq!(
        changes,
        ["+Grant", "+Membership", "+Role", "+User", "-Assignment", "-Grant", "-Membership", "-Role", "-User"]
    );
    assert_ne!(acme.now().role("editor").unwrap().record.id, old);
    assert!(
        !acme.check("alice", "read") && !acme.check(handle, "read"),
        "the new role inherits nothing from the old one"
    );
    acme.update(|tx| tx.group("staff")?.assign("editor")?.done()).unwrap();
    assert!(acme.check("alice", "read") && !acme.check(handle, "read"), "a handle never comes to mean another user");
}

#[test]
fn a22_a_slug_that_an_id_leaves_is_free_for_another_thing() {
    let acme = tenant(&small());
    let old = acme.now().role("editor").unwrap().record.id;
    // The old editor is renamed to writer by its id. The entry without an id is therefore new, although it has the old
    // slug.
    let split = edited(&acme, |value| {
        value["roles"][0]["slug"] = json!("writer");
        value["roles"].as_array_mut().unwrap().push(json!("editor"));
        value["groups"][0]["roles"][0] = json!("writer");
    });
    let replaced = acme.replace(&split).unwrap();
    assert_eq!(shown(&replaced.changes).len(), 2, "one role is added and one renamed: {:?}", shown(&replaced.changes));
    assert_eq!(acme.now().role("writer").unwrap().record.id, old);
    assert_ne!(acme.now().role("editor").unwrap().record.id, old);
    assert!(acme.check("alice", "read"));
}

#[test]
fn a22_deleted_and_created_again_in_two_replaces_inherits_nothing() {
    let acme = tenant(&small());
    let old = acme.now().user("alice").unwrap().id;
    let handle = acme.user_handle("alice").unwrap();
    let yesterday = export(&acme);
    acme.replace(&edited(&acme, |value| {
        value["users"] = json!([]);
        value["groups"][0]["members"] = json!([]);
    }))
    .unwrap();
    assert!(!acme.check(handle, "read"));
    acme.replace(&edited(&acme, |value| value["users"] = json!(["alice"]))).unwrap();
    assert_ne!(acme.now().user("alice").unwrap().id, old);
    assert!(!acme.check("alice", "read") && !acme.check(handle, "read"));
    // A restore brings the old id back because the document contains it.
    acme.replace(&yesterday).unwrap();
    assert_eq!(acme.now().user("alice").unwrap().id, old);
    assert!(acme.check("alice", "read") && acme.check(handle, "read"));
}

#[test]
fn unmatched_entities_are_deleted_with_their_relations() {
    let acme = Authorizer::in_memory().import(&acme()).unwrap();
    let empty = json!({"format": 1, "tenant": {"slug": "acme-corp", "name": "Acme Corp"}});
    let count = acme.replace(&document(&empty)).unwrap().changes.len();
    assert_eq!(
        count,
        5 + 4 + 3 + 4 + 4 + 1 + 2 + 4 + 4,
        "permissions, roles, groups, users; grants, inclusion, parents, roles, members"
    );
    assert_eq!(export(&acme).to_json(), document(&empty).to_json());
}

#[test]
fn every_kind_of_relation_is_changed_in_place() {
    let acme = Authorizer::in_memory().import(&acme()).unwrap();
    let changed = edited(&acme, |value| {
        value["tenant"]["name"] = json!("Acme");
        value["groups"][1]["members"][1] = json!("bob@acme.com");
        value["groups"][1]["roles"][0]["until"] = json!("2029-01-01T00:00:00Z");
        value["users"][0]["roles"][0] = json!("auditor");
        value["users"][3]["status"] = json!("active");
    });
    assert_eq!(
        shown(&acme.replace(&changed).unwrap().changes),
        ["~Tenant", "~User", "~Assignment", "~Assignment", "~Membership"].map(str::to_owned)
    );
    assert_eq!(export(&acme), changed);
    assert_eq!(acme.name().unwrap(), "Acme");
}

/// Each entity stays, and loses one of the relations that leave it.
#[test]
fn each_kind_of_relation_is_removed_alone() {
    let full = json!({"format": 1, "tenant": {"slug": "acme"}, "permissions": ["read", "write"],
        "roles": [{"slug": "editor", "permissions": ["read", "write", "*"], "includes": ["viewer", "auditor"]}, "viewer", "auditor"],
        "groups": [{"slug": "backend", "parents": ["staff", {"group": "guests", "until": "2999-01-01T00:00:00Z"}],
                    "roles": ["viewer", "editor"], "members": ["alice", {"user": "bob", "until": "2999-01-01T00:00:00Z"}]},
                   {"slug": "staff", "members": ["alice", "bob"]}, "guests"],
        "users": [{"key": "alice", "roles": ["editor", "viewer"]}, {"key": "bob", "roles": [{"role": "viewer", "from": "2999-01-01T00:00:00Z"}]}]});
    let cases = [
        ("/roles/0/permissions", "-Grant", 3),
        ("/roles/0/includes", "-Inclusion", 2),
        ("/groups/0/parents", "-Parent", 2),
        ("/groups/0/roles", "-Assignment", 2),
        ("/groups/0/members", "-Membership", 2),
        ("/groups/1/members", "-Membership", 2),
        ("/users/0/roles", "-Assignment", 2),
        ("/users/1/roles", "-Assignment", 1),
    ];
    for (list, change, count) in cases {
        for at in 0..count {
            let acme = tenant(&full);
            let mut less = full.clone();
            less.pointer_mut(list).unwrap().as_array_mut().unwrap().remove(at);
            let replaced = acme.replace(&document(&less)).unwrap();
            assert_eq!(shown(&replaced.changes), [change], "{list}/{at}");
            assert_eq!(export(&acme).without_ids(), document(&less), "{list}/{at}");
            let restored = acme.replace(&document(&full)).unwrap();
            assert_eq!(shown(&restored.changes), [change.replace('-', "+")], "{list}/{at}");
        }
    }
}

/// Assertions are compared, kept, changed, added and removed like every other record.
#[test]
fn assertions_are_replaced_like_every_other_entry() {
    let mut full = small();
    full["roles"] = json!([{"slug": "editor", "permissions": ["read"]}, "viewer", "auditor"]);
    full["assertions"] = json!([
        {"slug": "alice-reads", "expect": "allowed", "permission": "read", "users": ["alice"], "binding": true},
        {"slug": "apart", "expect": "separate", "roles": ["editor", "auditor"]},
        {"slug": "staff-only", "expect": "only", "permission": "read", "groups": ["staff"]}]);
    let acme = tenant(&full);
    let replaced = acme.replace(&document(&full)).unwrap();
    assert!(replaced.changes.is_empty(), "without ids: {:?}", shown(&replaced.changes));
    assert!(acme.replace(&export(&acme)).unwrap().changes.is_empty(), "with ids");

    let ids = |tenant: &Tenant| {
        let now = tenant.now();
        ["alice-reads", "apart", "staff-only"].map(|slug| now.assertion(slug).map(|assertion| assertion.id))
    };
    let before = ids(&acme);
    let changed = edited(&acme, |value| {
        value["assertions"][0]["binding"] = json!(false);
        value["assertions"][1]["roles"][1] = json!("viewer");
        value["assertions"][2]["slug"] = json!("staff-alone");
    });
    assert_eq!(shown(&acme.replace(&changed).unwrap().changes), ["~Assertion"; 3]);
    assert_eq!(export(&acme), changed);
    assert_eq!(acme.now().assertion("staff-alone").map(|assertion| assertion.id), before[2]);

    for at in 0..3 {
        let acme = tenant(&full);
        let mut less = full.clone();
        less["assertions"].as_array_mut().unwrap().remove(at);
        assert_eq!(shown(&acme.replace(&document(&less)).unwrap().changes), ["-Assertion"], "{at}");
        assert_eq!(export(&acme).without_ids(), document(&less), "{at}");
        assert_eq!(shown(&acme.replace(&document(&full)).unwrap().changes), ["+Assertion"], "{at}");
        assert_eq!(export(&acme).without_ids(), document(&full), "{at}");
    }
}

#[test]
fn a_planned_replace_is_stale_if_another_commit_came_first() {
    let acme = tenant(&small());
    let empty = json!({"format": 1, "tenant": {"slug": "acme"}, "permissions": ["read"], "users": ["alice"]});
    let plan = acme.plan_replace(&document(&empty)).unwrap();
    let lost: Vec<String> = plan
        .access_changes(super::at("2027-01-01T00:00:00Z"))
        .map(|difference| format!("{} loses {:?}", difference.user.key, difference.lost.slugs()))
        .collect();
    assert_eq!(lost, ["alice loses [\"read\"]"]);
    assert!(acme.check("alice", "read"), "the plan has changed nothing");
    acme.update(|tx| tx.create_user("bob")?.done()).unwrap();
    assert_eq!(acme.commit(plan).unwrap_err().kind(), ErrorKind::Stale);
    let plan = acme.plan_replace(&document(&empty)).unwrap();
    acme.commit(plan).unwrap();
    assert!(!acme.check("alice", "read") && acme.now().user("bob").is_none());
}

#[test]
fn a_replace_plans_again_after_another_commit() {
    let store = rolecall::store::MemoryStore::default();
    let [ours, theirs] = [(); 2].map(|()| Authorizer::builder().store(store.clone()).build());
    let ours = ours.import(&document(&small())).unwrap();
    theirs.tenant("acme").unwrap().update(|tx| tx.create_user("bob")?.join("staff")?.done()).unwrap();
    assert_eq!(shown(&ours.replace(&document(&small())).unwrap().changes), ["-User", "-Membership"]);
    assert_eq!(ours.revision().number(), 3);
}

#[test]
fn handles_of_remaining_entities_survive_a_replace() {
    let acme = tenant(&small());
    let (alice, read) = (acme.user_handle("alice").unwrap(), acme.permission_handle("read").unwrap());
    acme.replace(&edited(&acme, |value| {
        value["users"].as_array_mut().unwrap().insert(0, json!("aaron"));
        value["permissions"].as_array_mut().unwrap().insert(0, json!("a"));
    }))
    .unwrap();
    assert!(acme.check(alice, read));
}

#[test]
fn a_closed_or_deleted_tenant_is_not_replaced() {
    let acme = tenant(&small());
    acme.delete().unwrap();
    assert_eq!(acme.replace(&document(&small())).unwrap_err().kind(), ErrorKind::Deleted);
    assert_eq!(acme.plan_replace(&document(&small())).unwrap_err().kind(), ErrorKind::Deleted);
    let acme = tenant(&small());
    acme.close().unwrap();
    assert_eq!(acme.plan_replace(&document(&small())).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn an_import_inside_an_update_is_an_error() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.import(&document(&small())).unwrap();
    let (mut import, mut replace) = (None, None);
    acme.update(|_| {
        import = authorizer.import(&super::acme()).err().map(|error| error.kind());
        replace = acme.replace(&document(&small())).err().map(|error| error.kind());
        Ok(())
    })
    .unwrap();
    assert_eq!((import, replace), (Some(ErrorKind::NestedUpdate), Some(ErrorKind::NestedUpdate)));
}

#[test]
fn r16_a_document_changes_what_a_directory_manages_only_where_it_acts_for_it() {
    let managed = |name: &str| {
        json!({"format": 1, "tenant": {"slug": "acme"}, "roles": ["editor"],
               "groups": [{"slug": "eng", "managed_by": "okta", "members": ["alice"]}, {"slug": "local", "members": ["alice"]}],
               "users": [{"key": "alice", "name": name, "managed_by": "okta", "external_id": "1"}, "bob"]})
    };
    let acme = tenant(&managed("Alice"));
    assert_eq!(acme.now().user("alice").unwrap().name(), "Alice", "an import needs no `act_for`");
    type Edit = fn(&mut Value);
    let table: [(&str, Option<&str>, Edit); 10] = [
        ("a name", Some("alice"), |value| value["users"][0]["name"] = json!("Alicia")),
        ("a suspension", Some("alice"), |value| value["users"][0]["status"] = json!("suspended")),
        ("a user given", Some("bob"), |value| value["users"][1] = json!({"key": "bob", "managed_by": "okta"})),
        ("a new managed user", Some("zoe"), |value| value["users"][1] = json!({"key": "zoe", "managed_by": "okta"})),
        ("a group taken", Some("eng"), |value| drop(value["groups"][0].as_object_mut().unwrap().remove("managed_by"))),
        ("a member", Some("eng"), |value| value["groups"][0]["members"] = json!(["alice", "bob"])),
        ("a parent", Some("eng"), |value| value["groups"][0]["parents"] = json!(["local"])),
        ("a role", None, |value| value["groups"][0]["roles"] = json!(["editor"])),
        ("a local group", None, |value| value["groups"][1] = json!("local")),
        ("a local user", None, |value| value["users"][1] = json!({"key": "bob", "status": "suspended"})),
    ];
    for (what, refused, edit) in table {
        let mut value = managed("Alice");
        edit(&mut value);
        let acme = tenant(&managed("Alice"));
        let mut document = document(&value);
        if let Some(name) = refused {
            for plan in [acme.plan_replace(&document), acme.plan_replace(document.act_for("entra").unwrap())] {
                let error = plan.unwrap_err();
                let told = (error.kind(), error.name(), error.manager());
                assert_eq!(told, (ErrorKind::Managed, Some(name), Some("okta")), "{what}");
                // A document has no `set_manager`.
                assert_eq!(error.advice(), Some("use `act_for` to act for that directory"), "{what}");
                assert_eq!(error.gives_to_manager(), what.contains("given") || what.contains("new"), "{what}");
            }
            document.act_for("okta").unwrap();
        }
        assert!(!acme.replace(&document).unwrap().changes.is_empty(), "{what}");
    }
    assert_eq!(document(&managed("A")).act_for("\n").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn external_ids_are_swapped_by_id() {
    let acme = tenant(&json!({"format": 1, "tenant": {"slug": "acme"}, "users": [
        {"key": "alice", "managed_by": "okta", "external_id": "1"}, {"key": "bob", "managed_by": "okta", "external_id": "2"}]}));
    let mut swapped = edited(&acme, |value| {
        value["users"][0]["external_id"] = json!("2");
        value["users"][1]["external_id"] = json!("1");
    });
    assert_eq!(shown(&acme.replace(swapped.act_for("okta").unwrap()).unwrap().changes), ["~User", "~User"]);
    let found = acme.now().user(rolecall::snapshot::External { manager: "okta", id: "2" });
    assert_eq!(found.unwrap().key, "alice");
}

/// The document leaves out a user who is a member of a managed group.
#[test]
fn r16_a_document_that_deletes_a_member_of_a_managed_group_says_so() {
    let acme = tenant(&json!({"format": 1, "tenant": {"slug": "acme"},
        "groups": [{"slug": "eng", "managed_by": "okta", "members": ["bob"], "parents": ["all"]}, "all"], "users": ["bob"]}));
    type Edit = fn(&mut Value);
    let table: [(Edit, &str, &str); 2] = [
        (
            |value| {
                value["users"] = json!([]);
                value["groups"][1]["members"] = json!([]);
            },
            "user `bob` is a member of group `eng`",
            "membership",
        ),
        (
            |value| {
                value["groups"][1]["parents"] = json!([]);
                drop(value["groups"].as_array_mut().unwrap().remove(0));
            },
            "group `all` is a parent of group `eng`",
            "parent link",
        ),
    ];
    for (edit, what, relation) in table {
        let error = acme.replace(&edited(&acme, edit)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{what}, which is managed by `okta`; only a change that acts for `okta` may remove this {relation}; \
                 use `act_for` to act for that directory"
            )
        );
    }
}

/// A catalog that reserves prefixes refuses new entries under them. The entities of the tenant stay, and a backup can be
/// restored.
#[test]
fn f26_a_document_cannot_bring_a_slug_that_the_catalog_reserves() {
    let store = MemoryStore::default();
    let old = Authorizer::builder().store(store.clone()).build();
    let lists = |permissions: Value, roles: Value| json!({"format": 1, "tenant": {"slug": "acme"}, "permissions": permissions, "roles": roles});
    let both = lists(json!(["invoices:pay", "read"]), json!(["billing-clerk", "viewer"]));
    let backup = export(&old.import(&document(&both)).unwrap());
    let new = Authorizer::builder().store(store).catalog(&first_release()).build();
    let acme = new.tenant("acme").unwrap();
    let codes = |error: rolecall::Error| error.mistakes().iter().map(|mistake| mistake.code).collect::<Vec<_>>();
    let refused =
        |permissions: Value, roles: Value| codes(acme.replace(&document(&lists(permissions, roles))).unwrap_err());
    use MistakeCode::{Reserved, Retired};

    // Unchanged, with and without ids.
    assert_eq!(acme.replace(&document(&both)).unwrap().changes.len(), 0);
    assert_eq!(acme.replace(&backup).unwrap().changes.len(), 0);
    // New, and renamed.
    assert_eq!(refused(json!(["invoices:pay", "invoices:send"]), json!(["billing-clerk", "billing-x"])), [Reserved; 2]);
    let [read, viewer] =
        [acme.now().permission("read").unwrap().id().to_string(), acme.now().role("viewer").unwrap().id().to_string()];
    let renamed = refused(
        json!([{"slug": "invoices:read", "id": read}]),
        json!([{"slug": "billing-viewer", "id": viewer}, {"slug": "bookkeeper"}]),
    );
    assert_eq!(renamed, [Reserved, Reserved, Retired]);
    let retired = refused(json!([{"slug": "billing:all", "id": read}]), json!([]));
    assert_eq!(retired, [Retired], "a rename to a retired slug is refused in a document as in a transaction");

    // Deleted, and restored from the backup, here and in another store.
    acme.replace(&document(&lists(json!(["read"]), json!(["viewer"])))).unwrap();
    assert_eq!(refused(json!(["invoices:pay"]), json!([])), [Reserved]);
    assert_eq!(shown(&acme.replace(&backup).unwrap().changes), ["+Permission", "+Role"]);
    let other = Authorizer::builder().catalog(&first_release()).build();
    assert_eq!(codes(other.import(&document(&both)).unwrap_err()), [Reserved; 2]);
    assert!(other.import(&backup).unwrap().now().role("billing-clerk").is_some());
}
