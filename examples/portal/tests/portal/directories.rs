//! Users and groups that are handed to a directory, and released from it.

use rolecall::{Timestamp, Window};
use rolecall_portal::catalog::Permission;
use serde_json::{Value, json};

use crate::support::Portal;

#[tokio::test]
async fn a_user_and_a_group_are_handed_to_a_directory_and_released() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    for (path, scim) in [
        (format!("/users/{}", portal.user("alice")), format!("/Users/{}", portal.user("alice"))),
        (format!("/groups/{group}"), format!("/Groups/{group}")),
    ] {
        let directory = format!("{path}/directory");
        let entry = json!({ "directory": "okta", "externalId": "00x1" });
        portal.scim("GET", &scim).send().await.is(404);
        let before = portal.acme.revision();
        let preview = portal.call("PUT", &format!("{directory}?preview=true")).by("root").json(&entry).send().await;
        let preview = preview.is(200).json();
        assert!(preview["changes"][0].as_str().unwrap().contains("managed by none → `okta`"), "{preview}");
        assert_eq!((&preview["access"], portal.acme.revision()), (&json!([]), before));

        let handed = portal.call("PUT", &directory).by("root").json(&entry).send().await;
        let handed_over = handed.is(200).json();
        assert_eq!((&handed_over["managedBy"], &handed_over["externalId"]), (&json!("okta"), &json!("00x1")));
        assert_eq!(portal.call("GET", &path).by("root").send().await.header("etag"), handed.header("etag"));
        assert_eq!(portal.scim("GET", &scim).send().await.is(200).json()["externalId"], "00x1");
        let revision = portal.acme.revision();
        portal.call("PUT", &directory).by("root").json(&entry).send().await.is(200);
        assert_eq!(portal.acme.revision(), revision, "the same again");
        // The directory's from now on, and not another one's.
        let rename = portal.call("PATCH", &path).by("root").header("if-match", "*").json(&json!({ "name": "New" }));
        rename.send().await.is_problem(403, "managed");
        let other = json!({ "directory": "entra" });
        portal.call("PUT", &directory).by("root").json(&other).send().await.is_problem(403, "managed");
        portal.call("DELETE", &directory).by("root").header("if-match", "\"old\"").send().await.is(412);

        let released = portal.call("DELETE", &directory).by("root").send().await.is(200).json();
        assert_eq!((released.get("managedBy"), released.get("externalId")), (None::<&Value>, None));
        portal.call("DELETE", &directory).by("root").send().await.is(200);
        portal.scim("GET", &scim).send().await.is(404);
        let rename = portal.call("PATCH", &path).by("root").header("if-match", "*").json(&json!({ "name": "New" }));
        rename.send().await.is(200);
    }
}

#[tokio::test]
async fn handing_over_needs_its_permission_and_fits() {
    let portal = Portal::start().await;
    let (alice, bob) = (portal.user("alice"), portal.user("bob"));
    let path = format!("/users/{alice}/directory");
    let entry = json!({ "directory": "okta", "externalId": "00u1" });
    let before = portal.acme.revision();
    for by in ["lead", "auditor", "nobody"] {
        portal.call("PUT", &path).by(by).json(&entry).send().await.is_problem(403, "forbidden");
        portal.call("DELETE", &path).by(by).send().await.is_problem(403, "forbidden");
    }
    for body in [
        json!({}),
        json!({ "directory": "" }),
        json!({ "directory": "a b\n" }),
        json!({ "directory": "okta", "externalId": "" }),
        json!({ "directory": "okta", "token": "x" }),
    ] {
        portal.call("PUT", &path).by("root").json(&body).send().await.is_problem(422, "invalid");
    }
    let missing = format!("/users/{}/directory", portal.globex.now().user("root").unwrap().id);
    portal.call("PUT", &missing).by("root").json(&entry).send().await.is_problem(404, "not_found");
    portal.call("DELETE", &missing).by("root").send().await.is_problem(404, "not_found");
    assert_eq!(portal.acme.revision(), before);
    portal.call("PUT", &path).by("root").json(&entry).send().await.is(200);
    let again = portal.call("PUT", &format!("/users/{bob}/directory")).by("root").json(&entry).send().await;
    again.is_problem(409, "already_exists");
}

const PAGES: &str = "/t/acme-corp/portal/access-management";

#[tokio::test]
async fn a_group_is_handed_over_only_by_those_who_hold_what_it_gives() {
    let portal = Portal::start().await;
    // `lead` holds `posts:*`, and not `billing:pay`.
    let later = Timestamp::parse("2999-01-01T00:00:00Z").unwrap();
    let filled = portal.acme.update(|tx| {
        let role = tx.create_role("provisioner")?;
        role.grant(Permission::DirectoriesManage)?.grant(Permission::GroupsRead)?;
        tx.user("lead")?.assign("provisioner")?;
        tx.create_group("writers")?.assign("editor")?;
        tx.create_group("payers")?.assign("payer")?;
        tx.create_group("below")?.add_parent("payers")?;
        tx.create_group("later")?.assign_during("payer", Window::new(Some(later), None)?)?.done()
    });
    filled.await.unwrap();
    let path = |group: &str| format!("/groups/{}/directory", portal.acme.now().group(group).unwrap().id);
    let okta = json!({ "directory": "okta" });
    let hand_over = |by: &str, path: &str| portal.call("PUT", path).by(by).json(&okta).send();
    let before = portal.acme.revision();
    for group in ["payers", "below", "later"] {
        for query in ["", "?preview=true"] {
            let refused = hand_over("lead", &format!("{}{query}", path(group))).await;
            refused.is_problem(403, "escalation");
            assert!(!refused.body.contains("billing") && !refused.body.contains("payer"), "{refused:?}");
        }
        let form = "do=hand-over&directory=okta&version=any&step=preview";
        let refused = portal.at("POST", &format!("{PAGES}{}", path(group))).by("lead").form(form).send().await;
        assert!(refused.is(403).body.contains("everything that a group gives"), "{refused:?}");
    }
    assert_eq!(portal.acme.revision(), before);
    hand_over("lead", &path("writers")).await.is(200);
    hand_over("root", &path("payers")).await.is(200);
    // `lead` holds this for a time only, and the directory could give it for ever.
    portal.call("DELETE", &path("writers")).by("lead").send().await.is(200);
    let shortened = portal
        .acme
        .update(|tx| tx.user("lead")?.unassign("editor")?.assign_during("editor", Window::until(later))?.done());
    shortened.await.unwrap();
    assert!(portal.acme.check("lead", "posts:write"));
    hand_over("lead", &path("writers")).await.is_problem(403, "escalation");
}

#[tokio::test]
async fn nothing_is_handed_to_a_directory_without_a_token_of_the_tenant() {
    let portal = Portal::start().await;
    let path = format!("/users/{}/directory", portal.user("alice"));
    for directory in ["ping", "Okta", ""] {
        let refused = portal.call("PUT", &path).by("root").json(&json!({ "directory": directory })).send().await;
        refused.is_problem(422, "invalid");
        assert!(refused.json()["detail"].as_str().unwrap().contains("--scim-token"), "{refused:?}");
    }
    let form = "do=hand-over&directory=ping&version=any&step=preview";
    let page = portal.at("POST", &format!("{PAGES}{path}")).by("root").form(form).send().await;
    assert!(page.is(422).body.contains("--scim-token") && page.body.contains("directory-error"), "{page:?}");
    // `globex` has `okta` only.
    let there = format!("/t/globex/api/v1/users/{}/directory", portal.globex.now().user("root").unwrap().id);
    for (directory, status) in [("entra", 422), ("okta", 200)] {
        let body = json!({ "directory": directory });
        portal.at("PUT", &there).by("globex-root").json(&body).send().await.is(status);
    }
}

#[tokio::test]
async fn the_answer_needs_the_permission_to_read_it() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let filled = portal.acme.update(|tx| {
        tx.create_role("provisioner")?.grant(Permission::DirectoriesManage)?;
        tx.user("nobody")?.assign("provisioner")?.done()
    });
    filled.await.unwrap();
    for (path, permission) in
        [(format!("/users/{}", portal.user("alice")), "users:read"), (format!("/groups/{group}"), "groups:read")]
    {
        let path = format!("{path}/directory");
        let put = portal.call("PUT", &path).by("nobody").json(&json!({ "directory": "okta" })).send().await;
        let delete = portal.call("DELETE", &path).by("nobody").send().await;
        for refused in [put, delete] {
            refused.is_problem(403, "forbidden");
            assert_eq!(refused.json()["permission"], permission);
        }
    }
}

#[tokio::test]
async fn an_external_id_that_a_request_does_not_mention_stays() {
    let portal = Portal::start().await;
    let path = format!("/users/{}/directory", portal.user("alice"));
    for (body, id) in [
        (json!({ "directory": "okta" }), None),
        (json!({ "directory": "okta", "externalId": "00u1" }), Some("00u1")),
        (json!({ "directory": "okta" }), Some("00u1")),
        (json!({ "directory": "okta", "externalId": "00u2" }), Some("00u2")),
        (json!({ "directory": "okta", "externalId": null }), None),
    ] {
        let answer = portal.call("PUT", &path).by("root").json(&body).send().await.is(200).json();
        assert_eq!(answer.get("externalId").and_then(Value::as_str), id, "{body}");
    }
}
