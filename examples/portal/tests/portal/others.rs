//! Users, roles, permissions, questions and the export.

use rolecall::Document;
use serde_json::json;

use crate::support::Portal;

#[tokio::test]
async fn a_user_is_created_changed_suspended_and_deleted() {
    let portal = Portal::start().await;
    let body = json!({ "key": "zoe@acme.com", "name": "Zoe" });
    let created = portal.call("POST", "/users").by("root").json(&body).send().await;
    created.is(201);
    let path = format!("/users/{}", created.id());
    let role = json!({ "roleId": portal.role("editor") });
    portal.call("POST", &format!("{path}/roles")).by("root").json(&role).send().await.is(201);
    assert!(portal.acme.check("zoe@acme.com", "posts:read"));
    let suspended = json!({ "suspended": true, "name": null });
    let tag = portal.call("GET", &path).by("auditor").send().await.header("etag");
    let changed =
        portal.call("PATCH", &path).by("root").header("if-match", tag).json(&suspended).send().await.is(200).json();
    assert_eq!((&changed["suspended"], &changed["name"]), (&true.into(), &"zoe@acme.com".into()));
    assert!(!portal.acme.check("zoe@acme.com", "posts:read"));
    let found = portal.call("GET", "/users?search=ZOE").by("auditor").send().await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let roles = portal.call("GET", &format!("{path}/roles")).by("auditor").send().await.is(200).json();
    assert_eq!(roles["items"][0]["slug"], "editor");
    let bulk =
        json!({ "add": [portal.role("payer")], "remove": [portal.role("editor")], "until": "2999-01-01T00:00:00Z" });
    let changed = portal.call("PATCH", &format!("{path}/roles")).by("root").json(&bulk).send().await;
    assert_eq!(changed.is(200).json(), json!({ "added": 1, "removed": 1 }));
    portal.call("DELETE", &format!("{path}/roles/{}", portal.role("payer"))).by("root").send().await.is(204);
    portal.call("DELETE", &path).by("root").send().await.is(204);
    assert!(portal.acme.now().user("zoe@acme.com").is_none());
}

#[tokio::test]
async fn a_suspended_user_has_no_access_with_a_valid_token() {
    let portal = Portal::start().await;
    portal.call("GET", "/groups").by("auditor").send().await.is(200);
    portal.acme.update(|tx| tx.user("auditor")?.suspend()?.done()).await.unwrap();
    portal.call("GET", "/groups").by("auditor").send().await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn roles_and_permissions_are_managed() {
    let portal = Portal::start().await;
    let permission = json!({ "slug": "reports:read", "name": "Read reports", "category": "Reports" });
    let permission = portal.call("POST", "/permissions").by("root").json(&permission).send().await.is(201).id();
    let role = portal.call("POST", "/roles").by("root").json(&json!({ "name": "Analyst" })).send().await;
    assert_eq!(role.is(201).json()["slug"], "analyst");
    let path = format!("/roles/{}", role.id());
    let grants = format!("{path}/grants");
    for (grant, status) in
        [("reports:read", 201), ("reports:read", 200), ("posts:*", 201), ("no:such", 404), ("a b", 422)]
    {
        portal.call("POST", &grants).by("root").json(&json!({ "grant": grant })).send().await.is(status);
    }
    let listed = portal.call("GET", &grants).by("auditor").send().await.is(200).json();
    assert_eq!(listed["items"], json!([{ "grant": "posts:*" }, { "grant": "reports:read" }]));
    portal.call("DELETE", &format!("{grants}?grant=posts:*")).by("root").send().await.is(204);

    let bulk = json!({ "add": ["posts:read", "billing:pay"], "remove": ["reports:read"] });
    let changed = portal.call("PATCH", &grants).by("root").json(&bulk).send().await.is(200).json();
    assert_eq!(changed, json!({ "added": 2, "removed": 1 }));
    let wrong = json!({ "add": ["reports:read", "no:such"] });
    portal.call("PATCH", &grants).by("root").json(&wrong).send().await.is_problem(404, "not_found");
    let back = json!({ "add": ["reports:read"], "remove": ["posts:read", "billing:pay"] });
    portal.call("PATCH", &grants).by("root").json(&back).send().await.is(200);

    let editor = portal.role("editor");
    let include = json!({ "roleId": role.id() });
    portal.call("POST", &format!("/roles/{editor}/includes")).by("root").json(&include).send().await.is(201);
    let included = portal.call("GET", &format!("/roles/{editor}/includes")).by("auditor").send().await.is(200).json();
    assert_eq!(included["items"][0]["slug"], "analyst");
    let users = portal.call("GET", &format!("/roles/{editor}/users")).by("auditor").send().await.is(200).json();
    assert_eq!(users["items"][0]["key"], "lead");
    let who = portal.call("GET", &format!("/permissions/{permission}/users")).by("auditor").send().await.is(200).json();
    assert_eq!((&who["items"][0]["key"], &who["items"][1]["key"]), (&"lead".into(), &"root".into()));
    portal.call("DELETE", &format!("/roles/{editor}/includes/{}", role.id())).by("root").send().await.is(204);

    let tag = portal.call("GET", &format!("/permissions/{permission}")).by("auditor").send().await.header("etag");
    let cleared = portal.call("PATCH", &format!("/permissions/{permission}")).by("root").header("if-match", tag);
    assert_eq!(cleared.json(&json!({ "category": null })).send().await.is(200).json().get("category"), None);
    portal.call("DELETE", &format!("/permissions/{permission}")).by("root").send().await.is(204);
    portal.call("DELETE", &path).by("root").send().await.is(204);

    // The entities that the portal's own code defines are read-only.
    let own = portal.acme.now().role("administrator").unwrap().id();
    portal.call("DELETE", &format!("/roles/{own}")).by("root").send().await.is_problem(403, "read_only");
    let taken = json!({ "slug": "groups:read" });
    portal.call("POST", "/permissions").by("root").json(&taken).send().await.is(409);
}

#[tokio::test]
async fn questions_are_answered_one_many_any_and_all() {
    let portal = Portal::start().await;
    let ask = async |path: &str, body: serde_json::Value| {
        portal.call("POST", &format!("/access/{path}")).by("auditor").json(&body).send().await
    };
    let lead = portal.user("lead");
    let yes = ask("check", json!({ "userId": lead, "permission": "posts:write" })).await.is(200).json();
    assert_eq!(yes, json!({ "allowed": true }));
    let no = ask("check", json!({ "userKey": "alice", "permission": "posts:write" })).await.is(200).json();
    assert_eq!(no, json!({ "allowed": false, "reason": "no_path" }));
    let unknown = ask("check", json!({ "userKey": "mallory", "permission": "posts:write" })).await.is(200).json();
    assert_eq!(unknown["reason"], "unknown_user");
    for body in [
        json!({ "permission": "posts:write" }),
        json!({ "userId": lead, "userKey": "lead", "permission": "posts:write" }),
        json!({ "userId": "lead", "permission": "posts:write" }),
        json!({ "userId": lead }),
    ] {
        ask("check", body).await.is_problem(422, "invalid");
    }
    let many = json!({ "checks": [
        { "userKey": "lead", "permission": "posts:write" },
        { "userKey": "lead", "permission": "billing:pay" },
    ] });
    let many = ask("check-many", many).await.is(200).json();
    assert_eq!((&many["results"][0]["allowed"], &many["results"][1]["allowed"]), (&true.into(), &false.into()));
    let set = json!({ "userId": lead, "permissions": ["posts:write", "billing:pay"] });
    assert_eq!(ask("check-any", set.clone()).await.is(200).json()["allowed"], true);
    assert_eq!(ask("check-all", set).await.is(200).json()["allowed"], false);
    let none = json!({ "userId": lead, "permissions": [] });
    assert_eq!(ask("check-all", none).await.is(200).json()["allowed"], false);
    let long = json!({ "userId": lead, "permissions": vec!["posts:write"; 1_001] });
    ask("check-all", long).await.is_problem(422, "invalid");
    let why = ask("explain", json!({ "userKey": "lead", "permission": "posts:write" })).await.is(200).json();
    assert_eq!(why["text"], "allowed: `lead` has the role `editor`, which grants `posts:*`");
    assert_eq!(why["explanation"]["decision"], "allowed");
    // Similar keys are not disclosed.
    let typo = ask("explain", json!({ "userKey": "leda", "permission": "posts:write" })).await;
    assert!(!typo.is(200).body.contains("`lead`"), "{}", typo.body);
}

#[tokio::test]
async fn the_export_is_the_whole_tenant() {
    let portal = Portal::start().await;
    portal.call("GET", "/document").by("auditor").send().await.is_problem(403, "forbidden");
    let exported = portal.call("GET", "/document").by("root").send().await;
    let document = Document::from_json(exported.is(200).body.as_bytes()).unwrap();
    assert_eq!(document.slug(), "acme-corp");
    assert_eq!(exported.header("etag"), format!("\"revision-{}\"", portal.acme.revision()));
}

#[tokio::test]
async fn the_history_says_who_changed_what_and_is_paged() {
    let portal = Portal::start().await;
    let group = portal.group("ops").await;
    let user = portal.user("alice").to_string();
    let member = json!({ "userId": user });
    portal.call("POST", &format!("/groups/{group}/members")).by("root").json(&member).send().await.is(201);

    let newest =
        portal.call("GET", &format!("/groups/{group}/history?limit=1")).by("auditor").send().await.is(200).json();
    let commit = &newest["items"][0];
    assert_eq!((&commit["actor"], &commit["total"]), (&"root".into(), &1.into()), "{newest}");
    assert_eq!(commit["changes"][0]["event"], "group.member.added");
    assert_eq!(commit["changes"][0]["text"], "added membership of `alice` in `ops`");
    let next = newest["next"].as_str().unwrap();
    let path = format!("/groups/{group}/history?limit=1&after={next}");
    let older = portal.call("GET", &path).by("auditor").send().await.is(200).json();
    assert_eq!(older["items"][0]["changes"][0]["event"], "group.created");

    let by_root = portal.call("GET", "/history?actor=root").by("auditor").send().await.is(200).json();
    assert_eq!(by_root["items"].as_array().unwrap().len(), 2);
    let of_user = portal.call("GET", &format!("/users/{user}/history")).by("auditor").send().await.is(200).json();
    assert_eq!(of_user["items"].as_array().unwrap().len(), 2, "{of_user}");
    for wrong in ["/history?limit=0", "/history?limit=201", "/history?after=x", "/history?actor=", "/history?x=1"] {
        portal.call("GET", wrong).by("auditor").send().await.is(422);
    }
}
