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

/// The notes are these lines, with what to do about each.
#[track_caller]
fn has_notes(imported: &Imported, expected: &str) {
    let notes = notes(imported);
    assert_eq!(notes, expected.lines().collect::<Vec<_>>(), "{}", notes.join("\n"));
}

#[test]
fn a_policy_of_casbin_with_denials_and_wildcards() {
    let (model, policy) = (include_str!("fixtures/casbin/model.conf"), include_str!("fixtures/casbin/policy.csv"));
    let imported = casbin::read(model, policy, Some("clinic")).unwrap();
    has_notes(&imported, include_str!("fixtures/casbin/notes.txt"));
    // The first part of the matcher is not all of it, so a denial may reach further than can be seen.
    assert!(tenant(&imported).effective("lea").is_empty());

    // Without the alternative, only what the denial touches is left out.
    let model = model.replace(" || r.sub == \"root\"", "");
    let imported = casbin::read(&model, policy, Some("clinic")).unwrap();
    has_notes(&imported, include_str!("fixtures/casbin/notes-without-root.txt"));
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
    has_notes(&imported, include_str!("fixtures/laravel/notes.txt"));
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
    has_notes(&imported, include_str!("fixtures/keycloak/notes.txt"));
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
        // The access of a new user of the realm.
        ("bo", "berths:view", true),
        ("dina", "berths:view", false),
        ("bo", "offline_access", true),
        ("bo", "account:view-profile", false),
        ("service-account-berths", "berths:book", true),
    ] {
        assert_eq!(harbour.check(user, permission), allowed, "{user} {permission}");
    }
    let id: rolecall::records::UserId = "6f1c9f0e-2a54-4a53-9d53-1f8f0c0a0001".parse().unwrap();
    assert!(harbour.check(id, "berths:book"), "the id of a token");
    let incomplete = keycloak::read(&[r#"{"realm": "a", "users": [{"username": "eve"}]}"#], None).unwrap();
    has_notes(&incomplete, "changed: user `eve`: the user is disabled in the source, so it is suspended");

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

/// The note about each omitted entry says what to do.
#[test]
fn notes_about_mistakes_of_the_source_have_advice() {
    let model = |subject: &str| {
        format!(
            "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act, eft\n[role_definition]\ng = _, _\n\
             [policy_effect]\ne = some(where (p.eft == allow))\n\
             [matchers]\nm = {subject} && r.obj == p.obj && r.act == p.act"
        )
    };
    let (links, own) = ("g(r.sub, p.sub)", "r.sub == p.sub");
    for (subject, policy, expected) in [
        (
            links,
            "p2, ann, pay, read",
            "left out: policy: line 1: lines of the kind `p2` are not read; import them apart, as the `p` and `g` lines of \
             another model, or add what they give by hand",
        ),
        (
            links,
            "p, ann, pay, read, perhaps",
            "left out: policy: line 1: the effect `perhaps` neither allows nor denies; write `allow` if the line is meant to \
             give something",
        ),
        (links, "p, , pay, read", "left out: policy: line 1: the subject is empty; name a user or a role in the line"),
        (links, "g, , editor", "left out: policy: line 1: a name is empty; name a user and a role in the line"),
        (
            own,
            "g, ann, editor",
            "left out: policy: line 1: the matcher follows no links; compare subjects by `g(r.sub, p.sub)` in the matcher if \
             roles are meant to count",
        ),
        (
            "r.obj.Owner == r.sub",
            "p, ann, pay, read",
            "left out: model: [matchers]: what `r.obj.Owner==r.sub&&r.obj==p.obj&&r.act==p.act` allows is not carried over; \
             decide it in the application: who may do everything has a role with the pattern `*`, conditions on attributes \
             need a policy engine\n\
             left out: model: [matchers]: no rule is carried over, because each depends on these conditions; take them out of \
             the matcher, and decide them in the application",
        ),
    ] {
        has_notes(&casbin::read(&model(subject), policy, None).unwrap(), expected);
    }

    let tables = [
        ("users", "id,email\n1,ana@press.example\n"),
        ("roles", "id,name\n5,writer\n"),
        ("model_has_roles", "role_id,model_type,model_id\n5,App\\Models\\User,9\n"),
    ];
    has_notes(
        &laravel::read(&tables, &laravel::Options::default()).unwrap(),
        "left out: model_has_roles: line 2: there is no user with the id `9`; export the whole table `users`, unless the user \
         was deleted",
    );

    let realm = r#"{"realm": "a", "groups": [{"name": "g"}, {"name": "g"}],
                    "users": [{"username": "eve", "enabled": true}, {"username": "eve", "enabled": true}]}"#;
    has_notes(
        &keycloak::read(&[realm], None).unwrap(),
        "left out: group `/g`: another group has the same path; its subgroups are left out, too; rename one of them, and \
         export the realm again\n\
         left out: user `eve`: another user has the same name; rename one of them, and export the realm again",
    );
}

/// Every realm has these roles and mappings, so nothing needs to be said about them.
#[test]
fn a_new_realm_of_keycloak_has_no_notes() {
    let realm = |included: &str, mapped: &str, client: &str| {
        format!(
            r#"{{"realm": "a", "users": [{{"username": "eve", "enabled": true, "realmRoles": ["default-roles-a"]}}],
                "roles": {{"realm": [{{"name": "offline_access"}}, {{"name": "uma_authorization"}}, {{"name": "user"}},
                    {{"name": "default-roles-a", "composites": {{"realm": ["offline_access", "{included}"]}}}}],
                    "client": {{"broker": [{{"name": "read-token"}}], "account": [{{"name": "manage-account"}}]}}}},
                "defaultRole": {{"name": "default-roles-a"}},
                "scopeMappings": [{{"clientScope": "offline_access", "roles": ["{mapped}"]}}],
                "clientScopeMappings": {{"{client}": [{{"client": "account-console", "roles": ["manage-account"]}}]}}}}"#
        )
    };
    let read = |included, mapped, client| keycloak::read(&[&realm(included, mapped, client)], None).unwrap();
    has_notes(&read("uma_authorization", "offline_access", "account"), "");
    let of_mappings = "left out: scope mappings: they limit which roles a token has, and not what a user may do; ask a narrowed \
                       question for a client with fewer roles";
    has_notes(&read("uma_authorization", "user", "account"), of_mappings);
    has_notes(&read("uma_authorization", "offline_access", "shop"), of_mappings);
    has_notes(
        &read("user", "offline_access", "account"),
        "left out: default role `default-roles-a`: new users do not get it by themselves; assign it when you create a user",
    );
}

/// Editors on Windows put it in front of a file.
#[test]
fn a_byte_order_mark_is_passed_over() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let (model, policy) = (include_str!("fixtures/casbin/model.conf"), include_str!("fixtures/casbin/policy.csv"));
    let plain = casbin::read(model, policy, Some("clinic")).unwrap();
    let imported = casbin::read(&marked(model), &marked(policy), Some("clinic")).unwrap();
    assert_eq!((imported.to_json(), notes(&imported)), (plain.to_json(), notes(&plain)));

    let tables = [("users", "id,email\n1,ann@example.com\n"), ("roles", "id,name,guard_name\n1,editor,web\n")];
    let marked_tables: Vec<(&str, String)> = tables.iter().map(|(name, text)| (*name, marked(text))).collect();
    let marked_tables: Vec<(&str, &str)> = marked_tables.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let read = |tables: &[(&str, &str)]| laravel::read(tables, &laravel::Options::default()).unwrap().to_json();
    assert_eq!(read(&marked_tables), read(&tables));

    let realm = include_str!("fixtures/keycloak/realm.json");
    let read = |realm: &str| keycloak::read(&[realm], None).unwrap().to_json();
    assert_eq!(read(&marked(realm)), read(realm));
}
