//! SCIM, hostile requests: the right status, nothing changed in part, nothing leaked.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::{StreamExt, stream};
use rolecall::Tx;
use rolecall::store::conformance::{Call as StoreCall, Fault};
use serde_json::json;
use tower::ServiceExt;

use crate::scim::{filtered, group, members, user};
use crate::support::Portal;

#[tokio::test]
async fn tokens_are_for_one_directory_of_one_tenant() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let path = format!("/t/acme-corp/scim/v2/Users/{zoe}");
    for value in
        ["", "Bearer", "Bearer ", "Basic b2t0YTo=", "okta", "Bearer okta, Bearer okta", "Bearer root", "Bearer Okta"]
    {
        let answer = portal.at("GET", &path).header("authorization", value).send().await;
        assert!(answer.is_scim_error(401, "").header("www-authenticate").starts_with("Bearer"), "{value}");
    }
    portal.at("GET", &path).send().await.is_scim_error(401, "");
    portal.at("GET", &path).by("okta").by("okta").send().await.is_scim_error(401, "");
    // Only those who may know learn that an entity does not exist.
    portal.at("GET", "/t/acme-corp/scim/v2/nothing").send().await.is_scim_error(401, "");
    portal.at("DELETE", "/t/acme-corp/scim/v2/Schemas").send().await.is_scim_error(401, "");
    for tenant in ["globex", "initech", "acme-corp%FF", "ACME-CORP"] {
        for path in ["Users", "Users/x", "Schemas", "nothing"] {
            portal.at("GET", &format!("/t/{tenant}/scim/v2/{path}")).by("okta").send().await.is_scim_error(404, "");
        }
    }
    // Directories of two tenants with one name, and an id of the other tenant.
    let there = format!("/t/globex/scim/v2/Users/{zoe}");
    portal.at("GET", &there).by("globex-okta").send().await.is_scim_error(404, "");
    portal.at("DELETE", &there).by("globex-okta").send().await.is_scim_error(404, "");
    let body = json!({ "displayName": "Spies", "members": [{ "value": zoe }] });
    let spies = portal.at("POST", "/t/globex/scim/v2/Groups").by("globex-okta").json(&body).send().await;
    spies.is_scim_error(400, "invalidValue");
    // A directory's token is none for the API and for the pages.
    portal.call("GET", "/groups").by("okta").send().await.is_problem(401, "unauthenticated");
    // A session is none for SCIM, so another site can do nothing with it.
    let login = portal.at("POST", "/t/acme-corp/portal/login").header("sec-fetch-site", "same-origin");
    let cookie = login.form("token=root").send().await.header("set-cookie");
    let cookie = cookie.split(';').next().unwrap();
    portal.at("GET", &path).header("cookie", cookie).send().await.is_scim_error(401, "");
}

#[tokio::test]
async fn bodies_that_are_malformed_deep_or_huge_change_nothing() {
    let portal = Portal::start().await;
    let staff = group(&portal, "Staff", &[]).await;
    let before = portal.acme.revision();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_object = format!(r#"{{"userName":"a","x":{}1{}}}"#, r#"{"y":"#.repeat(200), "}".repeat(200));
    let deep_list = format!(r#"{{"userName":"a","emails":{deep}}}"#);
    let huge = format!(r#"{{"userName":"{}"}}"#, "x".repeat(5 * 1024 * 1024));
    let long = format!(r#"{{"userName":"{}"}}"#, "x".repeat(400));
    for (body, status, scim_type) in [
        ("", 400, "invalidSyntax"),
        ("{", 400, "invalidSyntax"),
        ("[]", 400, "invalidSyntax"),
        ("7", 400, "invalidSyntax"),
        (r#"{"userName":"a"}}"#, 400, "invalidSyntax"),
        (&*deep, 400, "invalidSyntax"),
        (&*deep_object, 400, "invalidSyntax"),
        (&*deep_list, 400, "invalidSyntax"),
        (&*huge, 413, ""),
        (&*long, 400, "invalidValue"),
        (r#"{"userName":"a","USERNAME":"b"}"#, 400, "invalidSyntax"),
        (r#"{"userName":"a","active":true,"Active":false}"#, 400, "invalidSyntax"),
        ("{}", 400, "invalidValue"),
        (r#"{"userName":null}"#, 400, "invalidValue"),
        (r#"{"userName":""}"#, 400, "invalidValue"),
        (r#"{"userName":7}"#, 400, "invalidValue"),
        (r#"{"userName":"a\u0000b"}"#, 400, "invalidValue"),
        (r#"{"userName":"a","active":"yes"}"#, 400, "invalidValue"),
        (r#"{"userName":"a","displayName":[]}"#, 400, "invalidValue"),
        (r#"{"userName":"a","externalId":"\n"}"#, 400, "invalidValue"),
        (r#"{"userName":"a","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}"#, 400, "invalidValue"),
        (r#"{"userName":"a","schemas":"x"}"#, 400, "invalidValue"),
    ] {
        portal.scim("POST", "/Users").text(body).send().await.is_scim_error(status, scim_type);
    }
    // A name that would imitate the words around it, and turn them round.
    let twice = "{\"a` b\u{202E}\":1,\"A` B\u{202E}\":2}";
    let twice = portal.scim("POST", "/Users").text(twice).send().await;
    let detail = twice.is_scim_error(400, "invalidSyntax").json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with(r"malformed JSON: duplicate attribute `A\u{60} B\u{202e}` at line 1"), "{detail}");
    let bytes = portal.scim("POST", "/Users").text(vec![b'{', b'"', 0xFF, 0xFE]).send().await;
    bytes.is_scim_error(400, "invalidSyntax");
    portal.scim("POST", "/Users").header("content-type", "text/plain").send().await.is_scim_error(415, "");
    portal.scim("POST", "/Users").form("userName=a").send().await.is_scim_error(415, "");
    let nested = "members[".repeat(5_000);
    let body = json!({ "Operations": [{ "op": "remove", "path": nested }] });
    portal.scim("PATCH", &format!("/Groups/{staff}")).json(&body).send().await.is_scim_error(400, "invalidPath");
    for path in [
        "/Users/not-an-id",
        "/Users/%00",
        "/Users/%FF",
        "/Users/%2e%2e%2fGroups",
        "/Groups/1",
        "/nothing",
        "/Users/a/b",
    ] {
        portal.scim("GET", path).send().await.is_scim_error(404, "");
    }
    portal.scim("DELETE", "/Users").send().await.is_scim_error(405, "");
    portal.scim("GET", "/.search").send().await.is_scim_error(405, "");
    let empty =
        portal.scim("PUT", &format!("/Groups/{staff}")).header("if-match", " ,").json(&json!({ "displayName": "x" }));
    empty.send().await.is_scim_error(400, "invalidValue");
    assert_eq!(portal.acme.revision(), before, "nothing was changed");
}

#[tokio::test]
async fn long_filters_and_long_lists_of_attributes_are_refused() {
    let portal = Portal::start().await;
    let (zoe, yan) = (user(&portal, "zoe").await, user(&portal, "yan").await);
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let other = group(&portal, "Other", &[&zoe, &yan]).await;
    let terms = |term: &str, count: usize| vec![term; count].join(" or ");
    for (path, term, found) in [
        ("/Users", format!("groups eq \"{other}\""), 2),
        ("/Users", format!("not (groups eq \"{staff}\")"), 1),
        ("/Users", format!("not (groups eq \"{other}\")"), 0),
        ("/Groups", format!("members eq \"{yan}\""), 1),
        ("/Groups", format!("not (members eq \"{yan}\")"), 1),
        ("/Groups", format!("not (members eq \"{staff}\")"), 2),
        ("/Groups", "members pr".to_owned(), 2),
    ] {
        let answer = filtered(&portal, path, &terms(&term, 50)).await;
        assert_eq!(answer.is(200).json()["totalResults"], found, "{term}");
        assert_eq!(answer.json()["Resources"].as_array().unwrap().len(), found, "{term}");
        filtered(&portal, path, &terms(&term, 51)).await.is_scim_error(400, "invalidFilter");
    }
    for name in ["attributes", "excludedAttributes"] {
        for (count, status) in [(100, 200), (101, 400)] {
            let names = vec!["userName"; count];
            let path = format!("/Users/{zoe}?{name}={}", names.join(","));
            portal.scim("GET", &path).send().await.is(status);
            let repeated = names.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            portal.scim("GET", &format!("/Users?{repeated}")).send().await.is(status);
            portal.scim("POST", "/Users/.search").json(&json!({ name: names })).send().await.is(status);
        }
    }
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    let portal = Portal::start().await;
    let name = "<script>alert(1)</script>\"'&";
    let body = json!({ "displayName": name, "externalId": name });
    let created = portal.scim("POST", "/Groups").json(&body).send().await;
    assert_eq!(
        (&created.is(201).json()["displayName"], created.header("x-content-type-options")),
        (&name.into(), "nosniff".to_owned())
    );
    // A slug comes from the name, even from one without letters.
    for name in ["<>", "<>", "销售", "-"] {
        let body = json!({ "displayName": name, "externalId": format!("{name}{}", portal.acme.revision()) });
        portal.scim("POST", "/Groups").json(&body).send().await.is(201);
    }
    let long = "é".repeat(127);
    for id in ["1", "2"] {
        let body = json!({ "displayName": long, "externalId": id });
        portal.scim("POST", "/Groups").json(&body).send().await.is(201);
    }
}

#[tokio::test]
async fn a_directory_does_not_learn_the_rules_of_the_tenant() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let writers = group(&portal, "Writers", &[&zoe]).await;
    let payers = group(&portal, "Payers", &[]).await;
    portal
        .acme
        .update(|tx: &Tx| {
            tx.group("writers")?.assign("editor")?;
            tx.group("payers")?.assign("payer")?;
            tx.create_separation("secret-rule", 1, ["editor", "payer"])?.done()
        })
        .await
        .unwrap();
    let body = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": zoe }] }] });
    let refused = portal.scim("PATCH", &format!("/Groups/{payers}")).json(&body).send().await;
    refused.is_scim_error(409, "");
    assert!(!refused.body.contains("secret-rule") && !refused.body.contains("editor"), "{refused:?}");
    assert!(members(&portal, &payers).await.is_empty());
    assert_eq!(members(&portal, &writers).await, [zoe]);
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_changes_nothing() {
    let portal = Portal::start().await;
    let (zoe, yan) = (user(&portal, "zoe").await, user(&portal, "yan").await);
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let path = format!("/Groups/{staff}");
    let before = portal.acme.revision();
    let body = json!({ "displayName": "New", "members": [{ "value": yan }] });
    for (fault, status) in [(Fault::Unavailable, 503), (Fault::TooLarge, 413), (Fault::Corrupt, 503)] {
        portal.store.fail_next(StoreCall::Commit, fault);
        let answer = portal.scim("PUT", &path).json(&body).send().await;
        answer.is_scim_error(status, "");
        assert!(!answer.body.contains("store"), "nothing about the store: {answer:?}");
        assert_eq!(portal.acme.revision(), before, "{fault:?}");
        portal.store.clear_faults();
        portal.acme.refresh().await.unwrap();
        assert_eq!(members(&portal, &staff).await, std::slice::from_ref(&zoe));
    }
    // In doubt: everything is 503 until it is resolved.
    portal.store.fail_next(StoreCall::Commit, Fault::ResponseLost);
    portal.store.fail_every(StoreCall::Since, Fault::Unavailable);
    let doubtful = portal.scim("PUT", &path).json(&body).send().await;
    assert_eq!(doubtful.is_scim_error(503, "").header("retry-after"), "1");
    assert_eq!(portal.scim("GET", &path).send().await.is_scim_error(503, "").header("retry-after"), "1");
    portal.scim("GET", "/Users").send().await.is_scim_error(503, "");
    portal.store.clear_faults();
    portal.acme.refresh().await.unwrap();
    assert_eq!(members(&portal, &staff).await, [yan], "it was committed");
    portal.scim("PUT", &path).json(&body).send().await.is(200);
}

#[tokio::test]
async fn two_requests_change_one_group_at_once() {
    let portal = Portal::start().await;
    let staff = group(&portal, "Staff", &[]).await;
    let path = format!("/Groups/{staff}");
    let version = portal.scim("GET", &path).send().await.header("etag");
    let rename = |name: &str| {
        portal.scim("PUT", &path).header("if-match", version.clone()).json(&json!({ "displayName": name })).send()
    };
    let (first, second) = tokio::join!(rename("First"), rename("Second"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn a30_eight_writers_add_the_same_member_without_an_error() {
    // A30: an idempotent write answered 409 under concurrency.
    let portal = Portal::start().await;
    let (zoe, staff) = (user(&portal, "zoe").await, group(&portal, "Staff", &[]).await);
    let before = portal.acme.revision();
    let body = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": zoe }] }] });
    let path = format!("/Groups/{staff}");
    let add = || portal.scim("PATCH", &path).json(&body).send();
    let answers = tokio::join!(add(), add(), add(), add(), add(), add(), add(), add());
    for answer in [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5, answers.6, answers.7] {
        answer.is(204);
    }
    assert_eq!(portal.acme.revision(), before.next(), "one revision");
    // By the API as well: the one that was first creates it.
    let zoe = json!({ "userId": zoe });
    let local = portal.group("local").await;
    let before = portal.acme.revision();
    let path = format!("/groups/{local}/members");
    let add = || portal.call("POST", &path).by("root").json(&zoe).send();
    let answers = tokio::join!(add(), add(), add(), add(), add(), add(), add(), add());
    let answers = [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5, answers.6, answers.7];
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    assert_eq!(portal.acme.revision(), before.next(), "one revision");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_given_up() {
    let portal = Portal::start().await;
    let staff = group(&portal, "Staff", &[]).await;
    let unfinished = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(br#"{"displayName":"#))]);
    let request = Request::put(format!("/t/acme-corp/scim/v2/Groups/{staff}"))
        .header("authorization", "Bearer okta")
        .header("content-type", "application/scim+json")
        .body(Body::from_stream(unfinished.chain(stream::pending())))
        .unwrap();
    let start = tokio::time::Instant::now();
    let answer = portal.router.clone().oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), start.elapsed()), (408, Duration::from_secs(25)));
    assert_eq!(answer.headers()["content-type"], "application/scim+json");
}
