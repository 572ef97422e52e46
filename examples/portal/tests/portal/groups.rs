//! Groups, members, roles of groups and subgroups: the answers of the calls, and their changes.

use rolecall::PageRequest;
use rolecall::records::{GroupId, RecordKind};
use serde_json::json;

use crate::support::Portal;

#[tokio::test]
async fn a_group_is_created_read_changed_and_deleted() {
    let portal = Portal::start().await;
    let body = json!({ "name": "Engineering", "slug": "engineering", "description": "Engineering team" });
    let created = portal.call("POST", "/groups").by("root").json(&body).send().await;
    created.is(201);
    let id = created.id();
    assert_eq!(created.header("location"), format!("/t/acme-corp/api/v1/groups/{id}"));
    let record = portal.acme.now().group("engineering").unwrap();
    assert_eq!((record.name.as_str(), record.description.as_str()), ("Engineering", "Engineering team"));

    let read = portal.at("GET", &created.header("location")).by("auditor").send().await;
    read.is(200);
    assert_eq!((read.body.as_str(), read.header("etag")), (created.body.as_str(), created.header("etag")));

    let path = format!("/groups/{id}");
    let renamed = json!({ "name": "Engineers" });
    portal.call("PATCH", &path).by("root").json(&renamed).send().await.is_problem(428, "precondition_required");
    let changed =
        portal.call("PATCH", &path).by("root").header("if-match", read.header("etag")).json(&renamed).send().await;
    changed.is(200);
    assert_eq!((&changed.json()["name"], &changed.json()["slug"]), (&"Engineers".into(), &"engineering".into()));

    portal.call("DELETE", &path).by("root").send().await.is(204);
    portal.call("GET", &path).by("root").send().await.is_problem(404, "not_found");
    portal.call("DELETE", &path).by("root").send().await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_group_without_a_slug_gets_one_from_its_name() {
    let portal = Portal::start().await;
    let created = portal.call("POST", "/groups").by("root").json(&json!({ "name": "Müller & Söhne" })).send().await;
    assert_eq!(created.is(201).json()["slug"], "muller-sohne");
}

#[tokio::test]
async fn errors_name_the_mistake_in_a_group() {
    let portal = Portal::start().await;
    portal.group("engineering").await;
    for (body, status, code) in [
        (json!({ "name": "E", "slug": "engineering" }), 409, "already_exists"),
        (json!({ "name": "E", "slug": "two words" }), 422, "invalid"),
        (json!({ "name": "", "slug": "x" }), 422, "invalid"),
        (json!({ "slug": "x" }), 422, "invalid"),
        (json!({ "name": "E", "slug": "x", "owner": "me" }), 422, "invalid"),
        (json!({ "name": 7 }), 422, "invalid"),
        (json!([]), 422, "invalid"),
    ] {
        let answer = portal.call("POST", "/groups").by("root").json(&body).send().await;
        answer.is_problem(status, code);
        assert!(answer.json()["detail"].is_string(), "{answer:?}");
    }
}

#[tokio::test]
async fn lists_are_searched_and_paged_and_never_without_a_limit() {
    let portal = Portal::start().await;
    for n in 0..60 {
        portal.acme.update(|tx| tx.create_group(&format!("team-{n:02}"))?.done()).await.unwrap();
    }
    let first = portal.call("GET", "/groups").by("auditor").send().await.is(200).json();
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (50, &"team-49".into()));
    let second = portal.call("GET", "/groups?after=team-49").by("auditor").send().await.is(200).json();
    assert_eq!((second["items"].as_array().unwrap().len(), second.get("next")), (10, None));
    let found = portal.call("GET", "/groups?search=M-4&limit=3").by("auditor").send().await.is(200).json();
    assert_eq!((&found["items"][2]["slug"], &found["next"]), (&"team-42".into(), &"team-42".into()));
    for query in ["limit=0", "limit=201", "limit=x", "limit=99999999999999999999", "page=2"] {
        portal.call("GET", &format!("/groups?{query}")).by("auditor").send().await.is_problem(422, "invalid");
    }
}

#[tokio::test]
async fn members_are_added_one_and_many_always_and_in_a_window() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let (alice, bob) = (portal.user("alice"), portal.user("bob"));
    let path = format!("/groups/{group}/members");

    let body = json!({ "userId": alice, "until": "2999-01-01T00:00:00Z" });
    let added = portal.call("POST", &path).by("root").json(&body).send().await;
    added.is(201);
    assert_eq!((&added.json()["key"], &added.json()["active"]), (&"alice".into(), &true.into()));
    assert_eq!(added.json()["until"], "2999-01-01T00:00:00Z");
    portal.at("GET", &added.header("location")).by("root").send().await.is(200);
    portal.call("POST", &path).by("root").json(&body).send().await.is(200);
    portal
        .call("POST", &path)
        .by("root")
        .json(&json!({ "userId": alice }))
        .send()
        .await
        .is_problem(409, "window_mismatch");
    // Exactly this window, whatever it was.
    let member = format!("{path}/{alice}");
    portal.call("PUT", &member).by("root").json(&json!({})).send().await.is(200);
    assert_eq!(portal.call("GET", &member).by("root").send().await.is(200).json().get("until"), None);

    // In bulk: all or none.
    let bulk = json!({ "add": [bob, portal.user("lead")], "remove": [alice], "from": "2998-01-01T00:00:00Z" });
    let changed = portal.call("PATCH", &path).by("root").json(&bulk).send().await;
    assert_eq!(changed.is(200).json(), json!({ "added": 2, "removed": 1 }));
    let unknown = json!({ "add": [alice, "7b0c4f0e-0000-4000-8000-000000000000"] });
    portal.call("PATCH", &path).by("root").json(&unknown).send().await.is_problem(404, "not_found");
    let both = json!({ "add": [alice], "remove": [alice] });
    portal.call("PATCH", &path).by("root").json(&both).send().await.is_problem(422, "invalid");
    let listed = portal.call("GET", &path).by("auditor").send().await.is(200).json();
    assert_eq!((&listed["items"][0]["key"], &listed["items"][0]["active"]), (&"bob".into(), &false.into()));
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    portal.call("DELETE", &format!("{path}/{bob}")).by("root").send().await.is(204);
    portal.call("DELETE", &format!("{path}/{bob}")).by("root").send().await.is(204);
    portal.call("GET", &format!("{path}/{bob}")).by("root").send().await.is_problem(404, "not_found");
}

#[tokio::test]
async fn members_inherit_the_roles_of_a_group_and_of_those_above_it() {
    let portal = Portal::start().await;
    let (all, team) = (portal.group("all").await, portal.group("team").await);
    let role = json!({ "roleId": portal.role("editor") });
    portal.call("POST", &format!("/groups/{all}/roles")).by("root").json(&role).send().await.is(201);
    portal.call("POST", &format!("/groups/{all}/roles")).by("root").json(&role).send().await.is(200);
    let alice = json!({ "userId": portal.user("alice") });
    portal.call("POST", &format!("/groups/{team}/members")).by("root").json(&alice).send().await.is(201);
    assert!(!portal.acme.check("alice", "posts:write"));
    let link = json!({ "groupId": team });
    portal.call("POST", &format!("/groups/{all}/subgroups")).by("root").json(&link).send().await.is(201);
    assert!(portal.acme.check("alice", "posts:write"));

    // The other way round it is a cycle.
    let cycle = json!({ "groupId": all });
    portal
        .call("POST", &format!("/groups/{team}/subgroups"))
        .by("root")
        .json(&cycle)
        .send()
        .await
        .is_problem(422, "cycle");

    let get = async |path: String| portal.call("GET", &path).by("auditor").send().await.is(200).json();
    assert_eq!(get(format!("/groups/{all}/subgroups")).await["items"][0]["slug"], "team");
    assert_eq!(get(format!("/groups/{team}/parents")).await["items"][0]["slug"], "all");
    assert_eq!(get(format!("/groups/{all}/members/all")).await["items"][0]["key"], "alice");
    assert_eq!(get(format!("/groups/{all}/roles")).await["items"][0]["slug"], "editor");
    assert_eq!(get(format!("/groups/{team}/effective-roles")).await["items"][0]["via"], json!({ "group": "all" }));
    assert_eq!(get(format!("/groups/{team}/effective-permissions")).await["items"][1]["slug"], "posts:write");
    let user = portal.user("alice");
    assert_eq!(get(format!("/users/{user}/effective-groups")).await["items"][0]["via"], json!({ "group": "team" }));
    let effective = get(format!("/users/{user}/effective-permissions")).await;
    assert_eq!(
        effective["items"][0]["source"],
        "is in `team`, a part of `all`, which has the role `editor`, which grants `posts:*`"
    );

    portal.call("DELETE", &format!("/groups/{all}/subgroups/{team}")).by("root").send().await.is(204);
    portal.call("DELETE", &format!("/groups/{all}/roles/{}", portal.role("editor"))).by("root").send().await.is(204);
    assert!(!portal.acme.check("alice", "posts:write"));
}

#[tokio::test]
async fn a_preview_says_who_would_gain_what_and_commits_nothing() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let editor = json!({ "roleId": portal.role("editor") });
    portal.call("POST", &format!("/groups/{group}/roles")).by("root").json(&editor).send().await.is(201);
    let before = portal.acme.revision();
    let body = json!({ "userId": portal.user("alice") });
    let path = format!("/groups/{group}/members?preview=true");
    let preview = portal.call("POST", &path).by("root").json(&body).send().await.is(200).json();
    assert_eq!(preview["changes"], json!(["added membership of `alice` in `staff`"]));
    assert_eq!(preview["access"][0]["key"], "alice");
    assert_eq!(preview["access"][0]["gained"], json!(["posts:read", "posts:write"]));
    let delete = portal.call("DELETE", &format!("/groups/{group}?preview=true")).by("root").send().await;
    assert!(delete.is(200).body.contains("deleted group `staff`"));
    // A preview refuses a change that a commit would refuse.
    portal.call("POST", &path).by("auditor").json(&body).send().await.is_problem(403, "forbidden");
    assert_eq!(portal.acme.revision(), before);
    assert!(portal.acme.now().members("staff", &PageRequest::of(1)).items.is_empty());
}

#[tokio::test]
async fn a_preview_counts_the_users_of_what_would_be_deleted_if_they_are_many() {
    let portal = Portal::start().await;
    let (group, editor) = (portal.group("staff").await, portal.role("editor"));
    let filled = portal.acme.update(|tx| {
        tx.group("staff")?.assign("editor")?;
        for n in 0..250 {
            tx.create_user(&format!("user-{n:03}"))?.join("staff")?;
            tx.create_user(&format!("editor-{n:03}"))?.assign("editor")?;
        }
        Ok(())
    });
    filled.await.unwrap();
    let before = portal.acme.revision();
    let group_lines = [
        "deleted group `staff`",
        "removed assignment of `editor` to group `staff`",
        "removed 250 memberships in `staff`",
    ];
    let role_lines = [
        "deleted role `editor`",
        "removed grant of `posts:*` to role `editor`",
        "removed assignment of `editor` to group `staff`",
        "removed 251 assignments of `editor` to users",
    ];
    for (path, lines, first) in [
        (format!("/groups/{group}"), &group_lines[..], "user-000"),
        (format!("/roles/{editor}"), &role_lines[..], "editor-000"),
    ] {
        let preview = portal.call("DELETE", &format!("{path}?preview=true")).by("root").send().await.is(200).json();
        assert_eq!((&preview["changes"], &preview["more"]), (&json!(lines), &json!(true)));
        assert_eq!((&preview["usersLosing"], &preview["access"][0]["key"]), (&json!(100), &json!(first)));
        assert_eq!(preview["access"][0]["lost"], json!(["posts:read", "posts:write"]));
        assert_eq!(preview["revision"], json!(before.number()));
        // A condition is judged in a preview, too.
        let stale =
            portal.call("DELETE", &format!("{path}?preview=true")).by("root").header("if-match", "\"revision-1\"");
        stale.send().await.is(412);
    }
    assert_eq!(portal.acme.revision(), before);
    portal.delete(&format!("/groups/{group}")).await;
    portal.delete(&format!("/roles/{editor}")).await;
    assert!(!portal.acme.check("user-000", "posts:read") && !portal.acme.check("editor-000", "posts:read"));
}

#[tokio::test]
async fn two_clients_cannot_overwrite_each_other() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let path = format!("/groups/{group}");
    let tag = portal.call("GET", &path).by("root").send().await.header("etag");
    let revision = portal.call("GET", "/groups").by("root").send().await.header("etag");
    assert!(revision.starts_with("\"revision-"), "{revision}");
    // Another group does not matter to the tag of this one, and does to that of the tenant.
    portal.group("other").await;
    let rename = |tag: &str, name: &str| {
        portal.call("PATCH", &path).by("root").header("if-match", tag).json(&json!({ "name": name })).send()
    };
    rename(&revision, "Late").await.is_problem(412, "changed");
    let changed = rename(&tag, "First").await;
    changed.is(200);
    rename(&tag, "Second").await.is_problem(412, "changed");
    assert_eq!(portal.acme.now().group("staff").unwrap().name, "First");
    rename(&format!("\"nonsense\", {}", changed.header("etag")), "Third").await.is(200);
    rename("*", "Fourth").await.is(200);
    // A deletion and the members may have a condition, too.
    for (method, path) in [("DELETE", path.clone()), ("POST", format!("{path}/members"))] {
        let body = json!({ "userId": portal.user("alice") });
        let answer = portal.call(method, &path).by("root").header("if-match", tag.clone()).json(&body).send().await;
        answer.is_problem(412, "changed");
    }
    assert!(portal.acme.now().members("staff", &PageRequest::of(1)).items.is_empty());
}

#[tokio::test]
async fn members_leave_together_and_the_others_stay_in_order() {
    let portal = Portal::start().await;
    let group: GroupId = portal.group("staff").await.parse().unwrap();
    let keys: Vec<String> = (0..150).map(|i| format!("member-{i:03}")).collect();
    let created = portal.acme.update(|tx| {
        tx.group(group)?.assign("editor")?;
        keys.iter().try_for_each(|key| tx.create_user(key)?.join(group)?.done())
    });
    created.await.unwrap();
    // Another process, which reads the commits from the store.
    let other = rolecall::Authorizer::builder()
        .store(portal.store.clone())
        .catalog(rolecall_portal::catalog::Permission::catalog())
        .build();
    let there = other.tenant("acme-corp").await.unwrap();
    let check = async |expected: &[&String]| {
        there.refresh().await.unwrap();
        for tenant in [&portal.acme, &there] {
            let now = tenant.now();
            let members = now.members(group, &PageRequest::of(200)).items;
            assert!(
                members.iter().map(|member| member.record.key.as_str()).eq(expected.iter().map(|key| key.as_str()))
            );
            for key in &keys {
                assert_eq!(now.check(key.as_str(), "posts:read"), expected.contains(&key), "{key}");
                assert_eq!(now.groups_of(key.as_str()).len(), usize::from(expected.contains(&key)));
            }
        }
    };
    for step in [1, 2, 3, 50, 1] {
        let stay: Vec<&String> = keys.iter().step_by(step).collect();
        let set = portal.acme.update(|tx| {
            let stay = stay.iter().map(|key| key.as_str());
            tx.group(group)?.set_members(stay).map(drop)
        });
        set.await.unwrap();
        check(&stay).await;
    }
    // In one transaction with a change of one of the members, before and after.
    let deleted = portal.acme.update(|tx| {
        tx.group(group)?.remove_member("member-007")?;
        tx.group(group)?.add_member("member-007")?.add_member("alice")?;
        tx.delete_group(group)?;
        tx.user("member-007")?.set_name(Some("Seven"))?.done()
    });
    let deleted = deleted.await.unwrap();
    assert_eq!(deleted.changes.iter().filter(|change| change.kind() == RecordKind::Membership).count(), 150);
    there.refresh().await.unwrap();
    for tenant in [&portal.acme, &there] {
        assert!(
            tenant.now().group(group).is_none() && keys.iter().all(|key| !tenant.check(key.as_str(), "posts:read"))
        );
    }
}
