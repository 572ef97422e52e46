//! Hostile requests: the right status, nothing changed in part, nothing leaked.

use rolecall::store::conformance::{Call as StoreCall, Fault};
use serde_json::json;

use crate::support::Portal;

#[tokio::test]
async fn an_invalid_body_is_refused_before_anything_changes() {
    let portal = Portal::start().await;
    let before = portal.acme.revision();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_name = format!(r#"{{"name":{deep}}}"#);
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    for (body, status, code) in [
        ("", 400, "malformed"),
        ("{", 400, "malformed"),
        (r#"{"name":"A"}}"#, 400, "malformed"),
        ("\u{0}", 400, "malformed"),
        (deep.as_str(), 422, "invalid"),
        (deep_name.as_str(), 422, "invalid"),
        (huge.as_str(), 413, "too_large"),
        (r#"{"name":"A","name":"B"}"#, 422, "invalid"),
        (r#"{"name":"A\u0000B","slug":"a"}"#, 422, "invalid"),
        (r#"{"name":"A","slug":"../../etc"}"#, 201, ""),
    ] {
        let answer = portal.call("POST", "/groups").by("root").text(body).send().await;
        if status == 201 {
            answer.is(201);
        } else {
            answer.is_problem(status, code);
        }
    }
    // Where any value is allowed, the depth is bounded.
    let open = format!(r#"{{"subject":{{"type":"user","id":"a","properties":{{"x":{deep}}}}}}}"#);
    portal
        .at("POST", "/t/acme-corp/access/v1/evaluation")
        .by("root")
        .text(open)
        .send()
        .await
        .is_problem(400, "malformed");
    let bytes = portal.call("POST", "/groups").by("root").text(vec![b'{', b'"', 0xFF, 0xFE]).send().await;
    bytes.is_problem(400, "malformed");
    let form = portal.call("POST", "/groups").by("root").header("content-type", "text/plain").send().await;
    form.is_problem(415, "media_type");
    assert_eq!(portal.acme.revision(), before.next(), "only the one valid group");
}

#[tokio::test]
async fn paths_that_are_nothing_are_404_and_methods_that_are_none_are_405() {
    let portal = Portal::start().await;
    for path in ["/groups/not-an-id", "/groups/1", "/groups/%00", "/groups/%2e%2e%2fusers", "/nothing", "/groups/%FF"] {
        portal.call("GET", path).by("root").send().await.is_problem(404, "not_found");
    }
    portal.call("PUT", "/groups").by("root").send().await.is(405);
    portal.at("GET", "/").send().await.is_problem(404, "not_found");
    portal.at("GET", "/t/A%20B/api/v1/groups").by("root").send().await.is_problem(404, "not_found");
}

#[tokio::test]
async fn authorization_headers_that_are_no_token() {
    let portal = Portal::start().await;
    for value in ["", "Bearer", "Bearer ", "Basic cm9vdDpyb290", "root", "Bearer root, Bearer root", "Bearer  \t"] {
        let answer = portal.call("GET", "/groups").header("authorization", value).send().await;
        answer.is_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    // Two headers: another program on the way may have judged the other one.
    portal.call("GET", "/groups").by("root").by("nobody").send().await.is_problem(401, "unauthenticated");
    portal.call("GET", "/groups").header("authorization", "bearer root").send().await.is(200);
    // A token is not taken from the query.
    portal.call("GET", "/groups?access_token=root").send().await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn ids_of_another_tenant_do_not_exist_here() {
    let portal = Portal::start().await;
    let now = portal.globex.now();
    let (group, role) = (now.group("staff").unwrap().id, now.role("editor").unwrap().id());
    let user = now.user("root").unwrap().id;
    drop(now);
    let own = portal.group("staff").await;
    let before = (portal.acme.revision(), portal.globex.revision());
    portal.call("GET", &format!("/groups/{group}")).by("root").send().await.is_problem(404, "not_found");
    portal.call("DELETE", &format!("/groups/{group}")).by("root").send().await.is_problem(404, "not_found");
    for (path, body) in [
        (format!("/groups/{own}/members"), json!({ "userId": user })),
        (format!("/groups/{own}/roles"), json!({ "roleId": role })),
        (format!("/groups/{own}/subgroups"), json!({ "groupId": group })),
        (format!("/groups/{group}/members"), json!({ "userId": portal.user("alice") })),
    ] {
        portal.call("POST", &path).by("root").json(&body).send().await.is_problem(404, "not_found");
    }
    let ask = json!({ "userId": user, "permission": "groups:read" });
    let answer = portal.call("POST", "/access/check").by("auditor").json(&ask).send().await.is(200).json();
    assert_eq!(answer["allowed"], false);
    assert_eq!((portal.acme.revision(), portal.globex.revision()), before);
}

#[tokio::test]
async fn nobody_gives_rights_that_they_do_not_hold() {
    let portal = Portal::start().await;
    // `lead` manages groups, and holds `posts:*`.
    let body = json!({ "name": "Mine", "slug": "mine" });
    let group = portal.call("POST", "/groups").by("lead").json(&body).send().await.is(201).id();
    let me = json!({ "userId": portal.user("lead") });
    portal.call("POST", &format!("/groups/{group}/members")).by("lead").json(&me).send().await.is(201);
    let roles = format!("/groups/{group}/roles");
    portal.call("POST", &roles).by("lead").json(&json!({ "roleId": portal.role("editor") })).send().await.is(201);
    for role in ["payer", "administrator", "auditor"] {
        let answer = portal.call("POST", &roles).by("lead").json(&json!({ "roleId": portal.role(role) })).send().await;
        answer.is_problem(403, "escalation");
    }
    assert!(!portal.acme.check("lead", "billing:pay") && !portal.acme.check("lead", "users:manage"));
    // A preview tells no more than a commit would.
    let preview = portal.call("POST", &format!("{roles}?preview=true")).by("lead");
    preview.json(&json!({ "roleId": portal.role("payer") })).send().await.is_problem(403, "escalation");
}

#[tokio::test]
async fn a_session_changes_nothing_for_another_site() {
    let portal = Portal::start().await;
    let login = "/t/acme-corp/portal/login";
    // The form itself: not from another site, not with a token of another tenant.
    let submit = async |token: &str, site: &str| {
        portal.at("POST", login).header("sec-fetch-site", site).form(&format!("token={token}")).send().await
    };
    let refused = submit("root", "cross-site").await;
    refused.is(403);
    assert_eq!(refused.header("set-cookie"), "", "no session");
    let refused = submit("globex-root", "same-origin").await;
    refused.is(422); // the form again
    assert_eq!(refused.header("set-cookie"), "", "no session");
    let refused = submit("guessed", "same-origin").await;
    refused.is(422); // the form again
    assert_eq!(refused.header("set-cookie"), "", "no session");
    let answer = submit("root", "same-origin").await;
    answer.is(303);
    let cookie = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/t/acme-corp/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    portal.call("GET", "/groups").header("cookie", cookie.clone()).send().await.is(200);
    let body = json!({ "name": "Forged", "slug": "forged" });
    let forged: [&[(&str, &str)]; 9] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.test")],
        &[("origin", "http://portal.test")],
        &[("origin", "https://portal.test:8443")],
        &[("origin", "https://portal.test.evil.test")],
        &[("origin", "null")],
    ];
    for headers in forged {
        let mut call = portal.call("POST", "/groups").header("cookie", cookie.clone()).json(&body);
        for (name, value) in headers {
            call = call.header(name, *value);
        }
        call.send().await.is_problem(403, "cross_site");
    }
    assert!(portal.acme.now().group("forged").is_none());
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", "https://portal.test")] {
        let body = json!({ "name": "Own", "slug": name });
        let call = portal.call("POST", "/groups").header("cookie", cookie.clone()).header(name, value);
        call.json(&body).send().await.is(201);
    }
    // After the end of the session, the cookie is worth nothing.
    let logout = portal.at("POST", "/t/acme-corp/portal/logout").header("cookie", cookie.clone());
    logout.header("sec-fetch-site", "same-origin").send().await.is(303);
    portal.call("GET", "/groups").header("cookie", cookie).send().await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_page_without_a_session_leads_to_the_form() {
    let portal = Portal::start().await;
    let answer = portal.at("GET", "/t/acme-corp/portal/access-management/groups").send().await;
    answer.is(303);
    let form = "/t/acme-corp/portal/login?next=%2Ft%2Facme-corp%2Fportal%2Faccess-management%2Fgroups";
    assert_eq!(answer.header("location"), form);
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    let portal = Portal::start().await;
    let name = "<script>alert(1)</script>\"'&";
    let body = json!({ "name": name, "slug": "<script>", "description": name });
    let created = portal.call("POST", "/groups").by("root").json(&body).send().await;
    assert_eq!(created.is(201).json()["name"], name);
    assert_eq!(created.header("content-type"), "application/json");
    assert_eq!(created.header("x-content-type-options"), "nosniff");
    // In an error, too.
    let again = portal.call("POST", "/groups").by("root").json(&body).send().await;
    again.is_problem(409, "already_exists");
    assert_eq!(again.json()["name"], "<script>");
}

#[tokio::test]
async fn a_mistyped_preview_or_condition_commits_nothing() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let (path, grants) = (format!("/groups/{group}"), format!("/roles/{}/grants?grant=posts:*", portal.role("editor")));
    let before = portal.acme.revision();
    for query in ["Preview=true", "preview=True", "preview=true&x=1", "preview", "dry_run=true"] {
        portal.call("DELETE", &format!("{path}?{query}")).by("root").send().await.is_problem(422, "invalid");
        portal.call("DELETE", &format!("{grants}&{query}")).by("root").send().await.is_problem(422, "invalid");
    }
    let preview = portal.call("DELETE", &format!("{grants}&preview=true")).by("root").send().await.is(200).json();
    assert_eq!(preview["changes"].as_array().unwrap().len(), 1);
    for tags in ["", " ", ",", " , "] {
        let call = portal.call("DELETE", &path).by("root").header("if-match", tags);
        call.send().await.is_problem(422, "invalid");
        let rename = portal.call("PATCH", &path).by("root").header("if-match", tags).json(&json!({ "name": "New" }));
        rename.send().await.is_problem(422, "invalid");
    }
    assert_eq!(portal.acme.revision(), before);
}

#[tokio::test]
async fn of_two_concurrent_changes_of_one_group_one_fails_with_412() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let path = format!("/groups/{group}");
    let tag = portal.call("GET", &path).by("root").send().await.header("etag");
    let rename = |name: &str| {
        portal.call("PATCH", &path).by("root").header("if-match", tag.clone()).json(&json!({ "name": name })).send()
    };
    let (first, second) = tokio::join!(rename("First"), rename("Second"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn a_permission_that_was_taken_away_in_between_counts() {
    let portal = Portal::start().await;
    // Another process takes the role away. This one does not know of it until it commits.
    let other = rolecall::Authorizer::builder()
        .store(portal.store.clone())
        .catalog(rolecall_portal::catalog::Permission::catalog())
        .build();
    let there = other.tenant("acme-corp").await.unwrap();
    there.update(|tx| tx.user("lead")?.unassign("group-manager")?.done()).await.unwrap();
    assert!(portal.acme.check("lead", "groups:manage"), "not seen yet");
    let body = json!({ "name": "Late", "slug": "late" });
    portal.call("POST", "/groups").by("lead").json(&body).send().await.is_problem(403, "forbidden");
    assert!(portal.acme.now().group("late").is_none());
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_nothing_is_changed_in_part() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let path = format!("/groups/{group}/members");
    let before = portal.acme.revision();
    let body = json!({ "add": [portal.user("alice"), portal.user("bob")] });
    for (fault, status, code) in [
        (Fault::Unavailable, 503, "unavailable"),
        (Fault::TooLarge, 413, "too_large"),
        (Fault::Corrupt, 503, "corrupt"),
    ] {
        portal.store.fail_next(StoreCall::Commit, fault);
        let answer = portal.call("PATCH", &path).by("root").json(&body).send().await;
        answer.is_problem(status, code);
        if status == 503 {
            assert!(answer.json().get("detail").is_none(), "nothing about the store: {answer:?}");
        }
        assert_eq!(portal.acme.revision(), before, "{fault:?}");
        portal.store.clear_faults();
        // Some faults are found out about by a refresh.
        portal.acme.refresh().await.unwrap();
    }
    portal.call("PATCH", &path).by("root").json(&body).send().await.is(200);
}

#[tokio::test]
async fn while_a_commit_is_in_doubt_everything_is_503() {
    let portal = Portal::start().await;
    portal.store.fail_next(StoreCall::Commit, Fault::ResponseLost);
    portal.store.fail_every(StoreCall::Since, Fault::Unavailable);
    let body = json!({ "name": "Doubt", "slug": "doubt" });
    let doubtful = portal.call("POST", "/groups").by("root").json(&body).send().await;
    doubtful.is_problem(503, "in_doubt");
    let read = portal.call("GET", "/groups").by("root").send().await;
    read.is_problem(503, "unavailable");
    assert_eq!(read.header("retry-after"), "1");
    let ask = json!({
        "subject": { "type": "user", "id": "root" }, "action": { "name": "read" }, "resource": { "type": "posts", "id": "1" },
    });
    portal.at("POST", "/t/acme-corp/access/v1/evaluation").by("auditor").json(&ask).send().await.is(503);
    portal.store.clear_faults();
    portal.acme.refresh().await.unwrap();
    let read = portal.call("GET", "/groups?search=doubt").by("root").send().await.is(200).json();
    assert_eq!(read["items"].as_array().unwrap().len(), 1, "it was committed");
}

const PAGES: &str = "/t/acme-corp/portal/access-management";

#[tokio::test]
async fn forms_that_are_malformed_or_huge_are_refused_on_a_page() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let before = portal.acme.revision();
    let path = format!("{PAGES}/groups/{group}");
    let huge = format!("do=edit&name={}", "x".repeat(2 * 1024 * 1024));
    let ids = (0..20_000).map(|i| format!("7b0c4f0e-0000-4000-8000-{i:012}"));
    let many = ids.fold(String::new(), |form, id| form + "&user=" + &id);
    let version = "version=any&step=preview";
    for (body, status, text) in [
        (String::new(), 409, "Somebody has changed this"),
        (huge, 413, "too large"),
        (format!("do=nothing&{version}"), 422, "does not say what to do"),
        (format!("do=edit&name=%FF%00&slug=a&{version}"), 422, "There is a problem"),
        (format!("do=add-members&user=x&{version}"), 422, "There is a problem"),
        (format!("do=add-members&{version}{many}"), 422, "at most 500"),
    ] {
        let answer = portal.at("POST", &path).by("root").form(&body).send().await;
        assert!(answer.is(status).body.contains(text), "{answer:?}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    }
    let answer = portal.at("POST", &path).by("root").text("{}").send().await;
    assert!(answer.is(415).body.starts_with("<!DOCTYPE html>"), "{answer:?}");
    assert_eq!(portal.acme.revision(), before);
}

#[tokio::test]
async fn ids_of_another_tenant_are_nothing_on_the_pages() {
    let portal = Portal::start().await;
    let now = portal.globex.now();
    let (group, role) = (now.group("staff").unwrap().id, now.role("editor").unwrap().id());
    let user = now.user("root").unwrap().id;
    drop(now);
    let own = portal.group("staff").await;
    let before = (portal.acme.revision(), portal.globex.revision());
    for path in [
        format!("groups/{group}"),
        format!("groups/{group}/settings"),
        format!("groups/{group}/directory"),
        format!("groups/{own}/members/{user}"),
        format!("users/{user}"),
        format!("roles/{role}"),
    ] {
        portal.at("GET", &format!("{PAGES}/{path}")).by("root").send().await.is(404);
    }
    for (path, form) in [
        (format!("groups/{group}"), "do=delete&version=any&step=preview".to_owned()),
        (format!("groups/{own}"), format!("do=add-members&user={user}&version=any&step=preview")),
        (format!("groups/{own}"), format!("do=assign&role={role}&version=any&step=preview")),
    ] {
        portal.at("POST", &format!("{PAGES}/{path}")).by("root").form(&form).send().await.is(409);
    }
    // The pages of another tenant do not exist for this one's token.
    let there = format!("/t/globex/portal/access-management/groups/{group}");
    portal.at("GET", &there).by("root").send().await.is(404);
    portal.at("POST", &there).by("root").form("do=delete&version=any&step=preview").send().await.is(404);
    assert_eq!((portal.acme.revision(), portal.globex.revision()), before);
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_is_a_page_that_says_so() {
    let portal = Portal::start().await;
    let before = portal.acme.revision();
    let create = || portal.at("POST", &format!("{PAGES}/groups")).by("root").form("name=New&step=save").send();
    portal.store.fail_next(StoreCall::Commit, Fault::Unavailable);
    let answer = create().await;
    assert!(answer.is(503).body.contains("Out of service"), "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    portal.store.clear_faults();
    portal.acme.refresh().await.unwrap();
    assert_eq!(portal.acme.revision(), before, "nothing is saved in part");
    create().await.is(303);
    // The outcome of a commit is not known: no page answers before it is.
    portal.store.fail_next(StoreCall::Commit, Fault::ResponseLost);
    portal.store.fail_every(StoreCall::Since, Fault::Unavailable);
    portal.at("POST", &format!("{PAGES}/groups")).by("root").form("name=Doubt&step=save").send().await.is(503);
    portal.at("GET", &format!("{PAGES}/groups")).by("root").send().await.is(503);
    portal.store.clear_faults();
    portal.acme.refresh().await.unwrap();
    let page = portal.at("GET", &format!("{PAGES}/groups?q=doubt")).by("root").send().await;
    assert!(page.is(200).body.contains("Doubt"), "it was committed");
}
