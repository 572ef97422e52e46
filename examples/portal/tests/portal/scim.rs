//! SCIM: each operation on users and groups, lists and filters, and the entities that a directory does not see.

use rolecall::Tx;
use rolecall::records::Status;
use serde_json::{Value, json};

use crate::support::{Answer, Portal};

/// Creates a user, and returns its id.
pub(crate) async fn user(portal: &Portal, name: &str) -> String {
    portal.scim("POST", "/Users").json(&json!({ "userName": name })).send().await.is(201).id()
}

/// Creates a group with these members, and returns its id.
pub(crate) async fn group(portal: &Portal, name: &str, members: &[&String]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({ "displayName": name, "members": members });
    portal.scim("POST", "/Groups").json(&body).send().await.is(201).id()
}

/// The ids of a group's members.
pub(crate) async fn members(portal: &Portal, group: &str) -> Vec<String> {
    let json = portal.scim("GET", &format!("/Groups/{group}")).send().await.is(200).json();
    let members = json["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

/// The text in a query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

pub(crate) async fn filtered(portal: &Portal, path: &str, filter: &str) -> Answer {
    portal.scim("GET", &format!("{path}?filter={}", encoded(filter))).send().await
}

#[tokio::test]
async fn a_user_is_created_read_replaced_and_deleted() {
    let portal = Portal::start().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": "00u1", "userName": "Zoe@Acme.com", "displayName": "Zoe", "active": true,
        "emails": [{ "value": "zoe@acme.com", "primary": true }], "password": "secret",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales" },
    });
    let created = portal.scim("POST", "/Users").json(&body).send().await;
    let (id, json) = (created.is(201).id(), created.json());
    let location = format!("https://portal.test/t/acme-corp/scim/v2/Users/{id}");
    assert_eq!(created.header("location"), location);
    assert_eq!(created.header("content-type"), "application/scim+json");
    let version = created.header("etag");
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": id, "externalId": "00u1", "userName": "zoe@acme.com", "displayName": "Zoe", "active": true,
        "meta": { "resourceType": "User", "location": location, "version": version },
    });
    assert_eq!(json, expected, "a profile is not kept");
    let now = portal.acme.now();
    let record = now.user("zoe@acme.com").unwrap();
    assert_eq!((record.managed_by().unwrap().as_str(), record.external_id().unwrap().as_str()), ("okta", "00u1"));

    let path = format!("/Users/{id}");
    assert_eq!(portal.scim("GET", &path).send().await.is(200).json(), json);
    let unchanged = portal.scim("GET", &path).header("if-none-match", &*version).send().await;
    assert_eq!((unchanged.is(304).body.as_str(), unchanged.header("etag")), ("", version.clone()));

    let body = json!({ "userName": "zoe@acme.com", "displayName": "Zoe Z.", "active": false });
    let replaced = portal.scim("PUT", &path).header("if-match", &*version).json(&body).send().await;
    let json = replaced.is(200).json();
    assert_eq!(
        (&json["displayName"], &json["active"], &json["externalId"]),
        (&"Zoe Z.".into(), &false.into(), &"00u1".into())
    );
    assert_eq!(portal.acme.now().user("zoe@acme.com").unwrap().status, Status::Suspended);
    // An attribute that a body omits stays. A suspended user does not become active by the omission.
    let body = json!({ "userName": "zoe@acme.com" });
    assert_eq!(portal.scim("PUT", &path).json(&body).send().await.is(200).json()["active"], false);
    // Somebody who has not seen the change.
    let late = portal.scim("PUT", &path).header("if-match", &*version).json(&body).send().await;
    late.is_scim_error(412, "");
    portal.scim("DELETE", &path).header("if-match", version).send().await.is_scim_error(412, "");

    let deleted = portal.scim("DELETE", &path).send().await;
    assert_eq!(deleted.is(204).body, "");
    portal.scim("GET", &path).send().await.is_scim_error(404, "");
    portal.scim("DELETE", &path).send().await.is_scim_error(404, "");
    portal.scim("PUT", &path).json(&body).send().await.is_scim_error(404, "");
}

#[tokio::test]
async fn a_group_has_users_and_groups_as_members() {
    let portal = Portal::start().await;
    let (zoe, yan) = (user(&portal, "zoe").await, user(&portal, "yan").await);
    let inner = group(&portal, "Backend", &[&yan]).await;
    let outer = group(&portal, "Engineering", &[&zoe, &inner]).await;
    let json = portal.scim("GET", &format!("/Groups/{outer}")).send().await.is(200).json();
    let base = "https://portal.test/t/acme-corp/scim/v2";
    let expected = json!([
        { "value": zoe, "$ref": format!("{base}/Users/{zoe}"), "type": "User" },
        { "value": inner, "$ref": format!("{base}/Groups/{inner}"), "type": "Group" },
    ]);
    assert_eq!(json["members"], expected);
    let now = portal.acme.now();
    assert_eq!(now.all_members("engineering").keys(), ["yan", "zoe"]);
    drop(now);
    let json = portal.scim("GET", &format!("/Users/{yan}")).send().await.is(200).json();
    let groups = json!([
        { "value": inner, "$ref": format!("{base}/Groups/{inner}"), "display": "Backend", "type": "direct" },
    ]);
    assert_eq!(json["groups"], groups, "direct groups");

    // The whole list is replaced; another name does not change the slug.
    let path = format!("/Groups/{outer}");
    let body = json!({ "displayName": "All of us", "members": [{ "value": yan, "type": "User" }] });
    let json = portal.scim("PUT", &path).json(&body).send().await.is(200).json();
    assert_eq!((&json["displayName"], json["members"].as_array().unwrap().len()), (&"All of us".into(), 1));
    assert_eq!(portal.acme.now().all_members("engineering").keys(), ["yan"]);
    // A group that was read without its members does not lose them by being written.
    let json = portal.scim("PUT", &path).json(&json!({ "displayName": "All" })).send().await.is(200).json();
    assert_eq!(json["members"].as_array().unwrap().len(), 1);
    let body = json!({ "displayName": "All", "members": [] });
    assert_eq!(portal.scim("PUT", &path).json(&body).send().await.is(200).json().get("members"), None);
    // A cycle is refused, and so is somebody unknown.
    let cycle = json!({ "displayName": "Backend", "members": [{ "value": outer }] });
    portal
        .scim("PUT", &path)
        .json(&json!({ "displayName": "All", "members": [{ "value": inner }] }))
        .send()
        .await
        .is(200);
    portal.scim("PUT", &format!("/Groups/{inner}")).json(&cycle).send().await.is_scim_error(400, "invalidValue");
    assert_eq!(members(&portal, &inner).await, [yan], "nothing was changed");
    let nobody = json!({ "displayName": "All", "members": [{ "value": "00000000-0000-4000-8000-000000000000" }] });
    portal.scim("PUT", &path).json(&nobody).send().await.is_scim_error(400, "invalidValue");

    portal.scim("DELETE", &path).send().await.is(204);
    portal.scim("GET", &path).send().await.is_scim_error(404, "");
    portal.scim("GET", &format!("/Groups/{inner}")).send().await.is(200);
}

#[tokio::test]
async fn the_version_of_a_user_changes_with_its_groups() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let path = format!("/Users/{zoe}");
    let old = portal.scim("GET", &path).send().await.header("etag");
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let read = portal.scim("GET", &path).header("if-none-match", &*old).send().await;
    assert_eq!(read.is(200).json()["groups"][0]["value"], staff.as_str());
    assert_eq!(read.json()["meta"]["version"], read.header("etag"));
    portal.scim("DELETE", &path).header("if-match", old).send().await.is_scim_error(412, "");
    portal.scim("GET", &path).header("if-none-match", read.header("etag")).send().await.is(304);
}

#[tokio::test]
async fn a_role_of_a_managed_group_comes_and_goes_with_its_members() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let writers = group(&portal, "Writers", &[&zoe]).await;
    portal.acme.update(|tx| tx.group("writers")?.assign("editor")?.done()).await.unwrap();
    let may_write = || portal.acme.check("zoe", "posts:write");
    assert!(may_write());
    let patch = async |path: String, operations: Value| {
        portal.scim("PATCH", &path).json(&json!({ "Operations": operations })).send().await
    };
    // A9: suspended users may do nothing.
    patch(format!("/Users/{zoe}"), json!([{ "op": "replace", "path": "active", "value": false }])).await.is(200);
    assert!(!may_write());
    patch(format!("/Users/{zoe}"), json!([{ "op": "replace", "path": "active", "value": true }])).await.is(200);
    assert!(may_write());
    let removal = json!([{ "op": "remove", "path": format!("members[value eq \"{zoe}\"]") }]);
    patch(format!("/Groups/{writers}"), removal.clone()).await.is(204);
    assert!(!may_write());
    // One who is not a member is removed already.
    patch(format!("/Groups/{writers}"), removal).await.is(204);
}

#[tokio::test]
async fn lists_come_in_parts_and_say_how_many_there_are() {
    let portal = Portal::start().await;
    for n in 1..=5 {
        user(&portal, &format!("user-{n}")).await;
    }
    let list = async |query: &str| portal.scim("GET", &format!("/Users?{query}")).send().await.is(200).json();
    let names = |json: &Value| -> Vec<String> {
        let resources = json["Resources"].as_array().unwrap();
        resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
    };
    let all = list("").await;
    assert_eq!(all["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    assert_eq!((&all["totalResults"], &all["startIndex"], &all["itemsPerPage"]), (&5.into(), &1.into(), &5.into()));
    for (query, expected, start) in [
        ("startIndex=2&count=2", vec!["user-2", "user-3"], 2),
        ("startIndex=5&count=2", vec!["user-5"], 5),
        ("startIndex=9", vec![], 9),
        ("startIndex=0&count=1", vec!["user-1"], 1),
        ("startIndex=-7&count=1", vec!["user-1"], 1),
        ("count=0", vec![], 1),
        ("count=-1", vec![], 1),
        ("count=100000", vec!["user-1", "user-2", "user-3", "user-4", "user-5"], 1),
        ("startindex=5", vec!["user-5"], 5),
        ("sortBy=userName&unknown=1&count=1", vec!["user-1"], 1),
    ] {
        let json = list(query).await;
        assert_eq!(
            (names(&json), &json["startIndex"], &json["totalResults"]),
            (expected.into_iter().map(str::to_owned).collect(), &start.into(), &5.into(),)
        );
    }
    for query in ["count=x", "startIndex=1.5", "count=99999999999999999999"] {
        portal.scim("GET", &format!("/Users?{query}")).send().await.is_scim_error(400, "invalidValue");
    }
    // With the parameters in a body; at the top, users and groups.
    group(&portal, "Staff", &[]).await;
    let search = json!({ "startIndex": 5, "count": 2, "attributes": ["userName", "displayName"] });
    let found = portal.scim("POST", "/.search").json(&search).send().await.is(200).json();
    assert_eq!((&found["totalResults"], &found["Resources"][1]["displayName"]), (&6.into(), &"Staff".into()));
    let search = json!({ "filter": "userName sw \"user-\"", "count": 2 });
    for path in ["/Users/.search", "/.search"] {
        let found = portal.scim("POST", path).json(&search).send().await.is(200).json();
        assert_eq!((&found["totalResults"], &found["itemsPerPage"]), (&5.into(), &2.into()), "{path}");
    }
    portal.scim("POST", "/Groups/.search").json(&search).send().await.is_scim_error(400, "invalidFilter");
}

#[tokio::test]
async fn filters_find_users_and_groups() {
    let portal = Portal::start().await;
    let body =
        json!({ "userName": "zoe@acme.com", "displayName": "Zoe Zander", "externalId": "00u\"1", "active": false });
    let zoe = portal.scim("POST", "/Users").json(&body).send().await.is(201).id();
    let yan = user(&portal, "yan@acme.com").await;
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let count = async |path: &str, filter: &str| {
        filtered(&portal, path, filter).await.is(200).json()["totalResults"].as_u64().unwrap()
    };
    for (filter, expected) in [
        (r#"userName eq "zoe@acme.com""#, 1),
        (r#"username EQ "ZOE@ACME.COM""#, 1),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "zoe@acme.com""#, 1),
        (r#"userName eq "zoe""#, 0),
        (r#"userName sw "zoe" and active eq false"#, 1),
        (r#"userName co "ACME" and active eq "True""#, 1),
        (r#"userName ew "acme.com" and not (active eq true)"#, 1),
        (r#"userName ne "zoe@acme.com""#, 1),
        (r#"userName gt "yan@acme.com""#, 1),
        (r#"externalId eq "00u\"1""#, 1),
        (r#"externalId eq "00U\"1""#, 0),
        ("externalId pr", 1),
        ("externalId eq null", 1),
        (r#"displayName eq "zoe zander" or userName eq "yan@acme.com""#, 2),
        (r#"externalId eq "00u\"1" or externalId eq "00u\"1""#, 1),
        ("active eq true", 1),
        (&format!("id eq \"{zoe}\""), 1),
        (&format!("id eq \"{staff}\""), 0),
        (r#"id eq "*""#, 0),
        (&format!("groups eq \"{staff}\""), 1),
        (&format!("groups.value eq \"{staff}\" and active eq true"), 0),
        (&format!("groups[value eq \"{staff}\"]"), 1),
        ("groups pr", 1),
    ] {
        assert_eq!(count("/Users", filter).await, expected, "{filter}");
    }
    for (filter, expected) in [
        (r#"displayName eq "staff""#, 1),
        // Entra asks in this way whether somebody is a member.
        (&format!("id eq \"{staff}\" and members eq \"{zoe}\""), 1),
        (&format!("id eq \"{staff}\" and members eq \"{yan}\""), 0),
        (&format!("members[value eq \"{zoe}\"]"), 1),
        (&format!("members.value eq \"{yan}\""), 0),
        ("members pr", 1),
    ] {
        assert_eq!(count("/Groups", filter).await, expected, "{filter}");
    }
    let terms = vec!["userName pr"; 1_100].join(" or ");
    let deep = format!("{}userName pr{}", "(".repeat(5_000), ")".repeat(5_000));
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName eq zoe",
        "eq",
        "\"",
        "(",
        "userName eq \"a\" and",
        "userName = \"a\"",
        "emails eq \"a\"",
        "emails[type eq \"work\"]",
        "nothing eq \"a\"",
        "meta.version eq \"1\"",
        "active gt true",
        "active eq \"maybe\"",
        "userName eq 7",
        "groups co \"a\"",
        "displayName.first eq \"a\"",
        "password eq \"a\"",
        &terms,
        &deep,
    ] {
        filtered(&portal, "/Users", filter).await.is_scim_error(400, "invalidFilter");
    }
    portal.scim("GET", "/Users?filter=active%20pr&filter=active%20pr").send().await.is_scim_error(400, "invalidFilter");
}

#[tokio::test]
async fn answers_have_the_attributes_that_were_asked_for() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let keys = async |path: &str| -> Vec<String> {
        let json = portal.scim("GET", path).send().await.is(200).json();
        // Their order depends on a feature of the parser that another package may ask for.
        let mut keys: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let path = format!("/Groups/{staff}");
    assert_eq!(keys(&path).await, ["displayName", "id", "members", "meta", "schemas"]);
    assert_eq!(keys(&format!("{path}?excludedAttributes=members")).await, ["displayName", "id", "meta", "schemas"]);
    assert_eq!(keys(&format!("{path}?excludedAttributes=MEMBERS,id,meta")).await, ["displayName", "id", "schemas"]);
    assert_eq!(keys(&format!("{path}?attributes=members")).await, ["id", "members", "schemas"]);
    let name = "urn:ietf:params:scim:schemas:core:2.0:Group:displayName";
    assert_eq!(keys(&format!("{path}?attributes={name}")).await, ["displayName", "id", "schemas"]);
    let json = portal.scim("GET", &format!("{path}?attributes=members.value")).send().await.is(200).json();
    assert_eq!(json["members"], json!([{ "value": zoe }]));
    let json =
        portal.scim("GET", &format!("{path}?excludedAttributes=members.%24ref,members.type")).send().await.json();
    assert_eq!(json["members"], json!([{ "value": zoe }]));
    let json = portal.scim("GET", "/Groups?excludedAttributes=members").send().await.is(200).json();
    assert!(json["Resources"][0].get("members").is_none() && json["Resources"][0]["displayName"] == "Staff");
    let both = portal.scim("GET", &format!("{path}?attributes=id&excludedAttributes=members")).send().await;
    both.is_scim_error(400, "invalidValue");
}

#[tokio::test]
async fn a_directory_sees_and_changes_only_what_it_manages() {
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let as_entra = |method: &str, path: &str| portal.at(method, &format!("/t/acme-corp/scim/v2{path}")).by("entra");
    let body = json!({ "displayName": "Entra's", "members": [] });
    let entras = as_entra("POST", "/Groups").json(&body).send().await.is(201).id();
    let (alice, local) = (portal.user("alice").to_string(), portal.group("local").await);
    // A local group below a managed one is not a member, and keeps its place.
    portal
        .acme
        .update(|tx: &Tx| {
            tx.group("local")?.add_parent("staff")?.add_member("zoe")?;
            tx.set_manager("entra")?.group("entra-s")?.add_member("zoe")?.done()
        })
        .await
        .unwrap();
    let before = portal.acme.revision();
    for (path, name) in [
        (format!("/Users/{zoe}"), "userName"),
        (format!("/Groups/{staff}"), "displayName"),
        (format!("/Users/{alice}"), "userName"),
        (format!("/Groups/{local}"), "displayName"),
    ] {
        as_entra("GET", &path).send().await.is_scim_error(404, "");
        as_entra("DELETE", &path).send().await.is_scim_error(404, "");
        as_entra("PUT", &path).json(&json!({ name: "mine", "active": true })).send().await.is_scim_error(404, "");
        let patch = json!({ "Operations": [{ "op": "replace", "path": name, "value": "mine" }] });
        as_entra("PATCH", &path).json(&patch).send().await.is_scim_error(404, "");
    }
    // Neither in lists, nor as a member, nor through a filter.
    assert_eq!(as_entra("GET", "/Users").send().await.json()["totalResults"], 0);
    assert_eq!(as_entra("GET", "/Groups").send().await.json()["totalResults"], 1);
    for member in [&zoe, &alice, &staff, &local, &portal.user("root").to_string()] {
        let body = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": member }] }] });
        let answer = as_entra("PATCH", &format!("/Groups/{entras}")).json(&body).send().await;
        // zoe is a member already, so entra may list her. All other users are unknown to it.
        if member == &zoe {
            answer.is(204)
        } else {
            answer.is_scim_error(400, "invalidValue")
        };
    }
    assert_eq!(portal.acme.revision(), before, "nothing was changed");
    assert_eq!(filtered(&portal, "/Users", &format!("groups eq \"{entras}\"")).await.json()["totalResults"], 0);
    assert_eq!(filtered(&portal, "/Users", &format!("groups eq \"{local}\"")).await.json()["totalResults"], 0);
    assert_eq!(filtered(&portal, "/Groups", &format!("members eq \"{local}\"")).await.json()["totalResults"], 0);
    let json = portal.scim("GET", &format!("/Users/{zoe}")).send().await.json();
    assert_eq!(json["groups"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(members(&portal, &staff).await, std::slice::from_ref(&zoe));
    let body = json!({ "displayName": "Staff", "members": [] });
    portal.scim("PUT", &format!("/Groups/{staff}")).json(&body).send().await.is(200);
    assert_eq!(portal.acme.now().parents_of("local").items.len(), 1);

    // A23: deleting the user would change entra's group. The error does not say whose it is.
    let locked = portal.scim("DELETE", &format!("/Users/{zoe}")).send().await;
    assert!(!locked.is_scim_error(403, "").body.contains("entra"), "{locked:?}");
    // Names are taken by everybody.
    for (name, token) in [("alice", "okta"), ("Alice", "okta"), ("ALICE", "entra"), ("zoe", "entra")] {
        let call = portal.at("POST", "/t/acme-corp/scim/v2/Users").by(token).json(&json!({ "userName": name }));
        call.send().await.is_scim_error(409, "uniqueness");
    }
}

#[tokio::test]
async fn a23_managed_users_and_groups_are_locked_for_everybody_but_their_directory() {
    // A23: a member removed locally came back at the next synchronisation.
    let portal = Portal::start().await;
    let zoe = user(&portal, "zoe").await;
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let before = portal.acme.revision();
    let member = portal.call("DELETE", &format!("/groups/{staff}/members/{zoe}")).by("root").send().await;
    member.is_problem(403, "managed");
    assert!(member.body.contains("okta"), "{member:?}");
    portal.call("DELETE", &format!("/groups/{staff}")).by("root").send().await.is_problem(403, "managed");
    let rename = portal.call("PATCH", &format!("/users/{zoe}")).by("root").header("if-match", "*");
    rename.json(&json!({ "suspended": true })).send().await.is_problem(403, "managed");
    assert_eq!(portal.acme.revision(), before);
    // Roles are assigned locally.
    let role = json!({ "roleId": portal.role("editor") });
    portal.call("POST", &format!("/groups/{staff}/roles")).by("root").json(&role).send().await.is(201);
}

#[tokio::test]
async fn the_service_provider_configuration_lists_the_supported_features() {
    let portal = Portal::start().await;
    let config = portal.scim("GET", "/ServiceProviderConfig").send().await.is(200).json();
    assert_eq!((&config["patch"]["supported"], &config["filter"]["maxResults"]), (&true.into(), &200.into()));
    assert_eq!((&config["bulk"]["supported"], &config["etag"]["supported"]), (&false.into(), &true.into()));
    let types = portal.scim("GET", "/ResourceTypes").send().await.is(200).json();
    assert_eq!((&types["totalResults"], &types["Resources"][0]["endpoint"]), (&2.into(), &"/Users".into()));
    let schema = "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group";
    assert_eq!(portal.scim("GET", schema).send().await.is(200).json()["name"], "Group");
    portal.scim("GET", "/Schemas/other").send().await.is_scim_error(404, "");
    portal.scim("GET", "/Schemas?filter=id%20pr").send().await.is_scim_error(403, "");
    portal.scim("POST", "/Bulk").json(&json!({})).send().await.is_scim_error(501, "");
    portal.scim("GET", "/Me").send().await.is_scim_error(501, "");
}
