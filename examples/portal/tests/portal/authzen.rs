//! The AuthZEN Authorization API 1.0.

use rolecall_portal::catalog::Permission;
use serde_json::{Value, json};

use crate::support::{Answer, Portal};

/// alice may read and write `record-1`, bob may read it and not write it.
async fn start() -> Portal {
    let portal = Portal::start().await;
    portal
        .acme
        .update(|tx| {
            tx.create_permission("record:read")?;
            tx.create_permission("record:record-1:write")?;
            tx.create_permission("record:write")?;
            tx.create_role("reader")?.grant("record:read")?;
            tx.create_role("owner")?.grant("record:read")?.grant("record:record-1:write")?;
            tx.user("alice")?.assign("owner")?;
            tx.user("bob")?.assign("reader")?.done()
        })
        .await
        .unwrap();
    portal
}

async fn ask(portal: &Portal, call: &str, body: &Value) -> Answer {
    portal.at("POST", &format!("/t/acme-corp/access/v1/{call}")).by("auditor").json(body).send().await
}

fn question(subject: &str, action: &str, record: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": subject },
        "action": { "name": action },
        "resource": { "type": "record", "id": record },
    })
}

#[tokio::test]
async fn alice_may_read_and_write_a_record_that_bob_may_only_read() {
    let portal = start().await;
    for (subject, action, record, decision) in [
        ("alice", "read", "record-1", true),
        ("alice", "write", "record-1", true),
        ("alice", "write", "record-2", false),
        ("bob", "read", "record-1", true),
        ("bob", "write", "record-1", false),
        ("bob", "delete", "record-1", false),
        ("mallory", "read", "record-1", false),
        // An administrator holds every permission.
        ("root", "write", "record-2", true),
    ] {
        let answer = ask(&portal, "evaluation", &question(subject, action, record)).await;
        assert_eq!(answer.is(200).json()["decision"], decision, "{subject} {action} {record}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    // Unknown members are ignored. A subject of another type matches nobody.
    let mut rich = question("alice", "read", "record-1");
    rich["context"] = json!({ "time": "2026-01-01T00:00:00Z" });
    rich["subject"]["properties"] = json!({ "department": "sales" });
    rich["new"] = json!(1);
    assert_eq!(ask(&portal, "evaluation", &rich).await.is(200).json()["decision"], true);
    rich["subject"]["type"] = json!("service");
    assert_eq!(ask(&portal, "evaluation", &rich).await.is(200).json()["decision"], false);
}

#[tokio::test]
async fn no_text_means_the_permission_of_another_resource() {
    let portal = start().await;
    portal.acme.update(|tx| tx.create_permission("record:a:b:read")?.done()).await.unwrap();
    let ask = async |resource: &str, id: &str, action: &str| {
        let body = json!({
            "subject": { "type": "user", "id": "alice" },
            "action": { "name": action },
            "resource": { "type": resource, "id": id },
        });
        ask(&portal, "evaluation", &body).await.is(200).json()["decision"].clone()
    };
    // `record:record-1:write`, cut in other places.
    assert_eq!(ask("record:record-1", "", "write").await, false);
    assert_eq!(ask("record", "", "record-1:write").await, false);
    assert_eq!(ask("record:record-1", "x", "write").await, false);
    assert_eq!(ask("record", "*", "write").await, false);
    assert_eq!(ask("*", "record-1", "read").await, false);
    // An id with a colon has its own permission, which alice does not have.
    assert_eq!(ask("record", "a:b", "read").await, false);
    assert_eq!(ask("record", "c:d", "read").await, true);
}

async fn decides(portal: &Portal, subject: &str, record: &str) -> bool {
    let answer = ask(portal, "evaluation", &question(subject, "write", record)).await;
    answer.is(200).json()["decision"].as_bool().unwrap()
}

#[tokio::test]
async fn a_permission_of_one_resource_is_ended_only_by_those_who_hold_it() {
    let portal = start().await;
    let filled = portal.acme.update(|tx| {
        tx.create_permission("record:record-2:archive")?;
        tx.create_role("namer")?.grant("permissions:*")?.grant("record:write")?;
        tx.user("lead")?.assign("namer")?.done()
    });
    filled.await.unwrap();
    let id = |slug: &str| portal.acme.now().permission(slug).unwrap().id();
    let path = format!("/permissions/{}", id("record:record-1:write"));
    assert!(decides(&portal, "lead", "record-2").await && !decides(&portal, "lead", "record-1").await);
    let before = portal.acme.revision();
    let rename =
        |call: &str, body: Value| portal.call("PATCH", call).by("lead").header("if-match", "*").json(&body).send();
    // Nor is the general one ended first, to be created again afterwards.
    let general = format!("/permissions/{}", id("record:write"));
    for call in [path.clone(), format!("{path}?preview=true"), general.clone()] {
        let deleted = portal.call("DELETE", &call).by("lead").send().await;
        assert!(deleted.is_problem(403, "escalation").body.contains("only a user who holds"), "{deleted:?}");
        rename(&call, json!({ "slug": "record:record-9:write" })).await.is_problem(403, "escalation");
    }
    // By the page as well.
    let page = format!("/t/acme-corp/portal/access-management{path}");
    for form in ["do=delete", "do=edit&name=Old&slug=old"] {
        let form = format!("{form}&version=any&step=preview");
        let refused = portal.at("POST", &page).by("lead").form(&form).send().await;
        assert!(refused.is(403).body.contains("only a user who holds"), "{refused:?}");
    }
    assert_eq!(portal.acme.revision(), before);
    // Everything but the slug is free, and so is a permission without a general one.
    rename(&path, json!({ "name": "Write it", "slug": "record:record-1:write" })).await.is(200);
    portal.call("DELETE", &format!("/permissions/{}", id("record:record-2:archive"))).by("lead").send().await.is(204);
    assert!(!decides(&portal, "lead", "record-1").await);

    // `root` holds it. The preview says what its end means.
    let preview = portal.call("DELETE", &format!("{path}?preview=true")).by("root").send().await.is(200).json();
    let warning = preview["warnings"][0].as_str().unwrap();
    assert!(warning.contains("users who hold `record:write` gain access"), "{warning}");
    portal.call("DELETE", &path).by("root").send().await.is(204);
    assert!(decides(&portal, "lead", "record-1").await);
    portal.call("DELETE", &general).by("lead").send().await.is(204);
}

#[tokio::test]
async fn a_new_permission_of_one_resource_takes_access_from_holders_of_the_general_one() {
    let portal = start().await;
    let filled = portal.acme.update(|tx| {
        tx.create_role("writer")?.grant("record:write")?.grant(Permission::PermissionsRead)?;
        tx.user("bob")?.assign("writer")?.done()
    });
    filled.await.unwrap();
    assert!(decides(&portal, "bob", "record-2").await);
    let body = json!({ "slug": "record:record-2:write" });
    let preview = portal.call("POST", "/permissions?preview=true").by("root").json(&body).send().await.is(200).json();
    let warning = preview["warnings"][0].as_str().unwrap();
    assert!(warning.contains("users who hold only `record:write` lose access"), "{warning}");
    portal.call("POST", "/permissions").by("root").json(&body).send().await.is(201);
    assert!(!decides(&portal, "bob", "record-2").await && decides(&portal, "bob", "record-3").await);
}

#[tokio::test]
async fn evaluations_have_defaults_and_three_semantics() {
    let portal = start().await;
    let mut body = json!({
        "subject": { "type": "user", "id": "alice" },
        "resource": { "type": "record", "id": "record-1" },
        "evaluations": [
            { "action": { "name": "read" } },
            { "action": { "name": "write" }, "resource": { "type": "record", "id": "record-2" } },
            { "action": { "name": "write" } },
            { "action": { "name": "write" }, "subject": { "type": "user", "id": "bob" } },
        ],
    });
    let decisions = async |body: &Value| -> Vec<bool> {
        let answer = ask(&portal, "evaluations", body).await.is(200).json();
        answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
    };
    assert_eq!(decisions(&body).await, [true, false, true, false]);
    body["options"] = json!({ "evaluations_semantic": "execute_all" });
    assert_eq!(decisions(&body).await, [true, false, true, false]);
    body["options"] = json!({ "evaluations_semantic": "deny_on_first_deny" });
    assert_eq!(decisions(&body).await, [true, false]);
    body["options"] = json!({ "evaluations_semantic": "permit_on_first_permit" });
    assert_eq!(decisions(&body).await, [true]);
    body["options"] = json!({ "evaluations_semantic": "coin" });
    ask(&portal, "evaluations", &body).await.is_problem(400, "malformed");

    // Without a list, it is one question.
    let one = ask(&portal, "evaluations", &question("alice", "read", "record-1")).await.is(200).json();
    assert_eq!(one, json!({ "decision": true }));
    let mut empty = question("alice", "read", "record-1");
    empty["evaluations"] = json!([]);
    assert_eq!(ask(&portal, "evaluations", &empty).await.is(200).json(), json!({ "decision": true }));
    // Something is missing in some of them: a denial at each of these places.
    let mut missing = json!({ "subject": { "type": "user", "id": "alice" }, "evaluations": [
        { "action": { "name": "read" } }, question("bob", "read", "record-1"), { "resource": { "type": "record" } }, 7,
    ] });
    for (semantic, expected) in [
        ("execute_all", vec![false, true, false, false]),
        ("deny_on_first_deny", vec![false]),
        ("permit_on_first_permit", vec![false, true]),
    ] {
        missing["options"] = json!({ "evaluations_semantic": semantic });
        assert_eq!(decisions(&missing).await, expected, "{semantic}");
    }
    // The place has the error, as in the example of the specification.
    missing["options"] = json!({});
    let answer = ask(&portal, "evaluations", &missing).await.is(200).json();
    let error = json!({ "status": 400, "message": "`resource` is missing" });
    assert_eq!(answer["evaluations"][0], json!({ "decision": false, "context": { "error": error } }));
}

#[tokio::test]
async fn searches_find_subjects_and_actions_in_parts() {
    let portal = start().await;
    let mut body = json!({
        "subject": { "type": "user" },
        "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" },
        "page": { "limit": 2 },
    });
    let first = ask(&portal, "search/subject", &body).await.is(200).json();
    assert_eq!(first["results"], json!([{ "type": "user", "id": "alice" }, { "type": "user", "id": "bob" }]));
    body["page"]["token"] = first["page"]["next_token"].clone();
    let second = ask(&portal, "search/subject", &body).await.is(200).json();
    assert_eq!(
        (&second["results"], &second["page"]["next_token"]),
        (&json!([{ "type": "user", "id": "root" }]), &"".into())
    );
    body["page"] = json!({ "limit": 2 });
    body["action"] = json!({ "name": "burn" });
    assert_eq!(ask(&portal, "search/subject", &body).await.is(200).json()["results"], json!([]));

    let actions = async |subject: &str, record: &str| {
        let body =
            json!({ "subject": { "type": "user", "id": subject }, "resource": { "type": "record", "id": record } });
        ask(&portal, "search/action", &body).await.is(200).json()["results"].clone()
    };
    assert_eq!(actions("alice", "record-1").await, json!([{ "name": "read" }, { "name": "write" }]));
    assert_eq!(actions("alice", "record-2").await, json!([{ "name": "read" }]));
    assert_eq!(actions("bob", "record-1").await, json!([{ "name": "read" }]));
    assert_eq!(actions("mallory", "record-1").await, json!([]));
    // The general permission does not give the specific one.
    portal.acme.update(|tx| tx.role("reader")?.grant("record:write")?.done()).await.unwrap();
    assert_eq!(actions("bob", "record-1").await, json!([{ "name": "read" }]));
    assert_eq!(actions("bob", "record-2").await, json!([{ "name": "read" }, { "name": "write" }]));
}

#[tokio::test]
async fn a_token_is_for_the_question_and_the_limit_that_it_was_made_for() {
    let portal = start().await;
    let subjects = json!({
        "subject": { "type": "user" },
        "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" },
        "page": { "limit": 1 },
    });
    let actions = json!({
        "subject": { "type": "user", "id": "alice" },
        "resource": { "type": "record", "id": "record-1" },
        "page": { "limit": 1 },
    });
    for (call, body, count) in [("search/subject", subjects, 3), ("search/action", actions, 2)] {
        let first = ask(&portal, call, &body).await.is(200).json();
        let token = first["page"]["next_token"].clone();
        assert_eq!((&first["page"]["count"], token.as_str() != Some("")), (&json!(1), true), "{first}");
        // The limit need not be repeated. The rest comes in parts of the same size.
        let (mut found, mut next) = (1, token.clone());
        while next != "" {
            let mut body = body.clone();
            body["page"] = json!({ "token": next });
            let answer = ask(&portal, call, &body).await.is(200).json();
            found += answer["results"].as_array().unwrap().len();
            next = answer["page"]["next_token"].clone();
        }
        assert_eq!(found, count, "{call}");
        let changed = [
            ("/page", json!({ "token": token, "limit": 2 })),
            ("/page", json!({ "token": "guessed" })),
            ("/page", json!({ "token": format!("{}.1", token.as_str().unwrap().split('.').next().unwrap()) })),
            ("/resource/id", json!("record-2")),
            ("/resource/properties", json!({ "status": "archived" })),
            ("/subject/type", json!("service")),
            ("/context", json!({ "ip": "192.0.2.1" })),
        ];
        for (place, value) in changed {
            let mut body = body.clone();
            body["page"]["token"] = token.clone();
            body["resource"]["properties"] = json!({});
            body["context"] = json!({});
            ask(&portal, call, &body).await.is(200);
            *body.pointer_mut(place).unwrap() = value;
            ask(&portal, call, &body).await.is_problem(400, "malformed");
        }
        // No results, but there are some.
        let mut none = body.clone();
        none["page"]["limit"] = json!(0);
        let answer = ask(&portal, call, &none).await.is(200).json();
        assert_eq!((&answer["results"], &answer["page"]["count"]), (&json!([]), &json!(0)));
        assert_ne!(answer["page"]["next_token"], "");
    }
}

/// Basic Core and Batch Core of the certification scenario, what the other tests do not have.
#[tokio::test]
async fn every_required_field_is_required_and_the_same_question_has_the_same_answer() {
    let portal = start().await;
    let whole = question("alice", "read", "record-1");
    for (entity, field) in [
        ("subject", None),
        ("action", None),
        ("resource", None),
        ("subject", Some("type")),
        ("subject", Some("id")),
        ("action", Some("name")),
        ("resource", Some("type")),
        ("resource", Some("id")),
    ] {
        let mut body = whole.clone();
        match field {
            Some(field) => body[entity].as_object_mut().unwrap().remove(field),
            None => body.as_object_mut().unwrap().remove(entity),
        };
        for call in ["evaluation", "evaluations"] {
            ask(&portal, call, &body).await.is_problem(400, "malformed");
        }
        body = whole.clone();
        match field {
            Some(field) => body[entity][field] = json!(123),
            None => body[entity] = json!("alice"),
        }
        ask(&portal, "evaluation", &body).await.is_problem(400, "malformed");
    }
    let path = "/t/acme-corp/access/v1/evaluation";
    portal.at("POST", path).by("auditor").form("subject=alice").send().await.is_problem(400, "malformed");
    portal.at("POST", path).by("auditor").send().await.is_problem(400, "malformed");
    for _ in 0..3 {
        assert_eq!(ask(&portal, "evaluation", &whole).await.is(200).json(), json!({ "decision": true }));
    }
    // A search ignores the id of what it searches for, and needs those of the rest.
    let mut search = json!({
        "subject": { "type": "user", "id": "alice" }, "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" }, "context": { "ip": "192.168.1.1" },
    });
    let found = ask(&portal, "search/subject", &search).await.is(200).json();
    assert_eq!(found["results"].as_array().unwrap().len(), 3, "{found}");
    let mut other = search.clone();
    other["subject"]["type"] = json!("spaceship");
    assert_eq!(ask(&portal, "search/subject", &other).await.is(200).json()["results"], json!([]));
    search["resource"].as_object_mut().unwrap().remove("id");
    ask(&portal, "search/subject", &search).await.is_problem(400, "malformed");
    ask(&portal, "search/action", &search).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn malformed_requests_are_400_and_ids_of_requests_are_returned() {
    let portal = start().await;
    for body in ["", "{", "[]", "{}", r#"{"subject":{"type":"user","id":"alice"}}"#, r#"{"subject":7}"#] {
        let call = portal.at("POST", "/t/acme-corp/access/v1/evaluation").by("auditor");
        let answer = call.header("x-request-id", "r-17").text(body).send().await;
        answer.is_problem(400, "malformed");
        assert_eq!(answer.header("x-request-id"), "r-17");
    }
    let call = portal.at("POST", "/t/acme-corp/access/v1/evaluation").header("x-request-id", "r-18");
    let answer = call.json(&question("alice", "read", "record-1")).send().await;
    answer.is_problem(401, "unauthenticated");
    assert_eq!(answer.header("x-request-id"), "r-18");
}

#[tokio::test]
async fn the_metadata_names_the_calls_and_no_tenant() {
    let portal = start().await;
    let answer = portal.at("GET", "/.well-known/authzen-configuration/t/acme-corp").send().await;
    let metadata = answer.is(200).json();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    assert_eq!(metadata["policy_decision_point"], "https://portal.test/t/acme-corp");
    assert_eq!(metadata["access_evaluation_endpoint"], "https://portal.test/t/acme-corp/access/v1/evaluation");
    // A31: the base URL is configured, and no header of a request changes it.
    let call = portal.at("GET", "/.well-known/authzen-configuration/t/acme-corp");
    let call =
        call.header("host", "evil.test").header("x-forwarded-host", "evil.test").header("forwarded", "host=evil.test");
    assert_eq!(call.send().await.is(200).json(), metadata);
    let unknown = portal.at("GET", "/.well-known/authzen-configuration/t/initech").send().await;
    assert!(unknown.is(200).body.contains("/t/initech/access/v1/evaluations"));
}
