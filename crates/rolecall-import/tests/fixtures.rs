//! Small exports of each product: the decisions that are carried over, and the notes about the rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall_import::{Error, Imported, casbin, keycloak, laravel};

fn tenant(imported: &Imported) -> Tenant {
    Authorizer::in_memory().import(&imported.document().unwrap()).unwrap()
}

fn notes(imported: &Imported) -> Vec<String> {
    imported.notes().iter().map(ToString::to_string).collect()
}

/// Every note is expected, and every expected beginning is there.
fn has_notes(imported: &Imported, expected: &[&str]) {
    let notes = notes(imported);
    for beginning in expected {
        assert!(notes.iter().any(|note| note.starts_with(beginning)), "{beginning} in {notes:#?}");
    }
    for note in &notes {
        assert!(expected.iter().any(|beginning| note.starts_with(beginning)), "{note}");
    }
}

#[test]
fn a_policy_of_casbin_with_denials_and_wildcards() {
    let (model, policy) = (include_str!("fixtures/casbin/model.conf"), include_str!("fixtures/casbin/policy.csv"));
    let imported = casbin::read(model, policy, Some("clinic")).unwrap();
    has_notes(
        &imported,
        &[
            "left out: model: [matchers]: what `r.sub==\"root\"` allows is not carried over",
            "left out: policy: line 2: line 6 denies",
            "left out: policy: line 3: line 6 denies",
            "left out: policy: line 4: line 6 denies",
            "left out: policy: line 5: line 6 denies",
            "left out: policy: line 7: line 6 denies",
            "left out: policy: line 8: line 6 denies",
            "left out: policy: line 6: the rule denies",
            "left out: policy: line 18: objects are not grouped",
            "left out: policy: 2 lines are about other domains",
            "left out: link of ",
        ],
    );
    // The first part of the matcher is not all of it, so a denial may reach further than can be seen.
    assert!(tenant(&imported).effective("lea").is_empty());

    // Without the alternative, only what the denial touches is left out.
    let model = model.replace(" || r.sub == \"root\"", "");
    let imported = casbin::read(&model, policy, Some("clinic")).unwrap();
    has_notes(
        &imported,
        &[
            "left out: policy: line 3: line 6 denies to some users what this line gives to them; rolecall has no rules that deny",
            "left out: policy: line 6: the rule denies",
            "left out: policy: line 18: objects are not grouped",
            "left out: policy: 2 lines are about other domains",
            "left out: link of ",
            "changed: policy: line 4: the rule is the pattern `records/*:*`, which covers permissions that exist",
            "renamed: permission `ward 3:enter`: the slug is `ward-3:enter`",
        ],
    );
    let clinic = tenant(&imported);
    for (user, permission, allowed) in [
        ("noor", "appointments:read", true),
        ("noor", "appointments:write", false),
        ("timo", "appointments:read", true),
        ("timo", "appointments:write", false),
        ("lea", "records/xray:read", true),
        ("lea", "ward-3:enter", true),
        ("mira", "stock:read", false),
    ] {
        assert_eq!(clinic.check(user, permission), allowed, "{user} {permission}");
    }
    let error = casbin::read(&model, policy, None).unwrap_err();
    assert_eq!(error.to_string(), "choose one domain; found `clinic`, `pharmacy`");
    assert!(matches!(casbin::read(&model, policy, Some("shop")), Err(Error::Choose { asked: Some(_), .. })));
}

#[test]
fn tables_of_laravel_permission_with_teams_and_guards() {
    let tables = [
        ("users", include_str!("fixtures/laravel/users.csv")),
        ("roles", include_str!("fixtures/laravel/roles.csv")),
        ("permissions", include_str!("fixtures/laravel/permissions.csv")),
        ("role_has_permissions", include_str!("fixtures/laravel/role_has_permissions.csv")),
        ("model_has_roles", include_str!("fixtures/laravel/model_has_roles.csv")),
        ("model_has_permissions", include_str!("fixtures/laravel/model_has_permissions.csv")),
        ("teams", include_str!("fixtures/laravel/teams.csv")),
    ];
    let options = laravel::Options { team: Some("10".into()), guard: Some("web".into()), ..Default::default() };
    let imported = laravel::read(&tables, &options).unwrap();
    has_notes(
        &imported,
        &[
            "left out: permissions: line 5: the permission `comments.*` has a wildcard",
            "left out: guards: 2 roles and permissions are of other guards",
            "left out: teams: 1 role is of another team",
            "left out: model_has_roles: line 4: the column `expires_at` may restrict the row",
            "left out: model_has_roles: line 7: `App\\\\Models\\\\Device` is not a user",
            "changed: users: line 4: `pia@press.example` is deleted, and so suspended",
            "renamed: tenant `Daily News`: the slug is `daily-news`",
            "renamed: role `chief editor`: the slug is `chief-editor`",
            "renamed: permission `edit articles`: the slug is `edit-articles`",
            "renamed: permission `Edit Articles!`: the slug is `edit-articles-2`, because another permission has",
        ],
    );
    let news = tenant(&imported);
    for (user, permission, allowed) in [
        ("ines@press.example", "edit-articles", true),
        ("ines@press.example", "publish", true),
        ("ines@press.example", "comments.delete", false),
        ("otto@press.example", "edit-articles", true),
        ("otto@press.example", "edit-articles-2", true),
        ("otto@press.example", "publish", false),
        ("pia@press.example", "edit-articles", false),
    ] {
        assert_eq!(news.check(user, permission), allowed, "{user} {permission}");
    }
    let explained = news.explain("otto@press.example", "edit-articles-2").to_string();
    assert!(explained.contains("`direct-otto@press.example`"), "{explained}");

    // With wildcards, `comments.*` is a pattern.
    let imported = laravel::read(&tables, &laravel::Options { wildcards: true, ..options.clone() }).unwrap();
    assert!(tenant(&imported).check("ines@press.example", "comments.delete"));
    assert!(
        notes(&imported).iter().any(|note| note.starts_with("changed: permissions: line 5: `comments.*` is a pattern"))
    );

    for (options, expected) in [
        (laravel::Options { guard: None, ..options.clone() }, "choose one guard; found `api`, `web`"),
        (laravel::Options { team: None, ..options.clone() }, "choose one team; found `10`, `20`"),
        (laravel::Options { team: Some("11".into()), ..options }, "team `11` not found; found `10`, `20`"),
    ] {
        assert_eq!(laravel::read(&tables, &options).unwrap_err().to_string(), expected);
    }
    let error = laravel::read(&[("roles", "id,title\n")], &laravel::Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "roles: the column `name` is missing");
}

#[test]
fn a_realm_of_keycloak_in_two_files() {
    let files = [include_str!("fixtures/keycloak/realm.json"), include_str!("fixtures/keycloak/users.json")];
    let imported = keycloak::read(&files, None).unwrap();
    has_notes(
        &imported,
        &[
            "left out: roles: the attributes of 1 role",
            "left out: groups: the attributes of 1 group",
            "left out: users: the attributes of 1 user",
            "left out: role `deputy`: `chief` closes a cycle of composite roles",
            "left out: user `dina`: the role `harbourmaster` is not in the export",
            "left out: user `dina`: the group `/offices` is not in the export",
            "left out: client `berths`: its resources, scopes and policies",
            "left out: scope mappings: ",
            "left out: default group `/port`: ",
            "left out: client `account`: its roles are about Keycloak itself; 2 assignments and composites",
            "changed: user `carl`: the user is disabled, and so suspended",
            "renamed: role `Night shift`: the slug is `night-shift-2`, because another role has `night-shift`",
            "renamed: group `port/Tug boats`: the slug is `port-tug-boats`",
        ],
    );
    let harbour = tenant(&imported);
    for (user, permission, allowed) in [
        ("asta", "pilot", true),
        ("asta", "crew", true),
        ("asta", "berths:book", true),
        ("asta", "berths:cancel", false),
        ("bo", "crew", true),
        ("bo", "berths:cancel", true),
        ("carl", "crew", false),
        ("dina", "crew", false),
    ] {
        assert_eq!(harbour.check(user, permission), allowed, "{user} {permission}");
    }
    let id: rolecall::records::UserId = "6f1c9f0e-2a54-4a53-9d53-1f8f0c0a0001".parse().unwrap();
    assert!(harbour.check(id, "berths:book"), "the id of a token");
    let incomplete = keycloak::read(&[r#"{"realm": "a", "users": [{"username": "eve"}]}"#], None).unwrap();
    has_notes(&incomplete, &["changed: user `eve`: the user is disabled, and so suspended"]);

    assert_eq!(keycloak::read(&files, Some("x")).unwrap_err().to_string(), "realm `x` not found; found `harbour`");
    assert_eq!(
        keycloak::read(&["{}"], None).unwrap_err().to_string(),
        "files: expected an object with the name of a `realm`"
    );
    assert!(keycloak::read(&["[1]"], None).unwrap_err().to_string().starts_with("file 1: "));
}

/// Whatever the names are, the document can be imported.
#[test]
fn strange_names_become_valid_documents() {
    let long = "ä".repeat(400);
    let names = ["", " ", "*", "a\\u0000", "a\\u202eb", "-", "direct-alice", &long, "a:b", "a: b", "A b", "a b", "a-b"];
    let roles = names.map(|name| format!(r#"{{"name": "{name}"}}"#)).join(",");
    let users = names.map(|name| format!(r#"{{"username": "{name}", "realmRoles": ["{name}"]}}"#)).join(",");
    let groups = names.map(|name| format!(r#"{{"name": "{name}", "realmRoles": ["{name}"]}}"#)).join(",");
    let realm =
        format!(r#"{{"realm": "Ö", "roles": {{"realm": [{roles}]}}, "users": [{users}], "groups": [{groups}]}}"#);
    let imported = keycloak::read(&[&realm], None).unwrap();
    let o = tenant(&imported);
    assert_eq!(o.now().counts().unwrap().roles, names.len());
    for note in notes(&imported) {
        assert!(note.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{note}");
    }
}
