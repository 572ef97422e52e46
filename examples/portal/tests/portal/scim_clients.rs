//! SCIM as Entra ID and Okta speak it: the shapes of their requests, in the order of a synchronisation.

use rolecall::records::Status;
use serde_json::{Value, json};

use crate::scim::{filtered, group, members, user};
use crate::support::{Answer, Portal};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn patch(portal: &Portal, path: &str, operations: Value) -> Answer {
    let body = json!({ "schemas": [PATCH], "Operations": operations });
    portal.scim("PATCH", path).scim_json(&body).send().await
}

#[tokio::test]
async fn entra_provisions_a_user_and_a_group() {
    let portal = Portal::start().await;
    // Is there such a user? A wrong answer would be an error, not an empty list.
    let found = filtered(&portal, "/Users", r#"userName eq "Zoe@Acme.com""#).await.is(200).json();
    assert_eq!((&found["totalResults"], &found["Resources"]), (&0.into(), &json!([])));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Zoe@Acme.com",
        "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "zoe@acme.com" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "Zoe Zander", "familyName": "Zander", "givenName": "Zoe" },
        "roles": [],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales", "manager": { "value": "1" } },
    });
    let created = portal.scim("POST", "/Users").json(&body).send().await.is(201).json();
    let zoe = created["id"].as_str().unwrap().to_owned();
    assert_eq!((&created["userName"], &created["displayName"]), (&"zoe@acme.com".into(), &"Zoe Zander".into()));
    let found = filtered(&portal, "/Users", r#"userName eq "Zoe@Acme.com""#).await.is(200).json();
    assert_eq!(found["Resources"][0]["id"], zoe);

    // Capitalised operations, paths into a profile that is not kept, and truth as text.
    let path = format!("/Users/{zoe}");
    let operations = json!([
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "zz@acme.com" },
        { "op": "Add", "path": "name.familyName", "value": "Zimmer" },
        { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "HR" },
        { "op": "Add", "path": "displayName", "value": "Zoe Zimmer" },
        { "op": "Replace", "path": "userName", "value": "Zoe.Zimmer@Acme.com" },
    ]);
    let json = patch(&portal, &path, operations).await.is(200).json();
    assert_eq!((&json["userName"], &json["displayName"]), (&"zoe.zimmer@acme.com".into(), &"Zoe Zimmer".into()));
    let status = || portal.acme.now().user("zoe.zimmer@acme.com").unwrap().status;
    patch(&portal, &path, json!([{ "op": "Replace", "path": "active", "value": "False" }])).await.is(200);
    assert_eq!(status(), Status::Suspended);
    patch(&portal, &path, json!([{ "op": "Replace", "path": "active", "value": "True" }])).await.is(200);
    assert_eq!(status(), Status::Active);
    // Without a path; attributes of a profile by their paths.
    let operations = json!([{ "op": "replace", "value": {
        "displayName": "Zoe", "name.givenName": "Z", "active": false, "externalId": "new",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "IT",
        "urn:ietf:params:scim:schemas:core:2.0:User": { "title": "Boss" },
    } }]);
    let json = patch(&portal, &path, operations).await.is(200).json();
    assert_eq!(
        (&json["displayName"], &json["active"], &json["externalId"]),
        (&"Zoe".into(), &false.into(), &"new".into())
    );

    // A group, whose members come one by one.
    let found = filtered(&portal, "/Groups", r#"displayName eq "Sales""#).await.is(200).json();
    assert_eq!(found["totalResults"], 0);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": "Sales", "meta": { "resourceType": "Group" },
    });
    let sales = portal.scim("POST", "/Groups").json(&body).send().await.is(201).id();
    let path = format!("/Groups/{sales}");
    let operations = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": zoe }] }]);
    patch(&portal, &path, operations.clone()).await.is(204);
    patch(&portal, &path, operations).await.is(204);
    let is_member = format!("id eq \"{sales}\" and members eq \"{zoe}\"");
    let found = portal.scim(
        "GET",
        &format!("/Groups?excludedAttributes=members&filter={}", is_member.replace(' ', "%20").replace('"', "%22")),
    );
    let found = found.send().await.is(200).json();
    assert_eq!((&found["totalResults"], found["Resources"][0].get("members")), (&1.into(), None));
    patch(&portal, &path, json!([{ "op": "Replace", "path": "displayName", "value": "Sales EU" }])).await.is(204);
    // Entra removes a member by value. That does not remove the others.
    let yan = user(&portal, "yan").await;
    patch(&portal, &path, json!([{ "op": "Add", "path": "members", "value": [{ "value": yan }] }])).await.is(204);
    let operations = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": zoe }] }]);
    patch(&portal, &path, operations).await.is(204);
    assert_eq!(members(&portal, &sales).await, std::slice::from_ref(&yan));
    patch(&portal, &path, json!([{ "op": "Remove", "path": "members", "value": [] }])).await.is(204);
    assert_eq!(members(&portal, &sales).await, [yan], "an empty list is not all of them");
    patch(&portal, &path, json!([{ "op": "Remove", "path": "members" }])).await.is(204);
    assert!(members(&portal, &sales).await.is_empty());
}

#[tokio::test]
async fn okta_provisions_a_user_and_pushes_a_group() {
    let portal = Portal::start().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "test.user@okta.local", "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq", "active": true,
    });
    let created = portal.scim("POST", "/Users").json(&body).send().await.is(201).json();
    let id = created["id"].as_str().unwrap().to_owned();
    portal.scim("POST", "/Users").json(&body).send().await.is_scim_error(409, "uniqueness");
    // Okta replaces what it has read, with changes, and without some attributes.
    let mut body = created.clone();
    body["name"] = json!({ "givenName": "Another", "familyName": "User" });
    body.as_object_mut().unwrap().remove("externalId");
    let json = portal.scim("PUT", &format!("/Users/{id}")).json(&body).send().await.is(200).json();
    assert_eq!(json["externalId"], "00ujl29u0le5T6Aj10h7");
    let operations = json!([{ "op": "replace", "value": { "active": false } }]);
    let json = patch(&portal, &format!("/Users/{id}"), operations).await.is(200).json();
    assert_eq!(json["active"], false);

    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Test SCIMv2", "members": [] });
    let pushed = portal.scim("POST", "/Groups").json(&body).send().await.is(201).id();
    // Sent again after an answer that was lost.
    portal.scim("POST", "/Groups").json(&body).send().await.is_scim_error(409, "uniqueness");
    let path = format!("/Groups/{pushed}");
    let yan = user(&portal, "yan").await;
    let zoe = user(&portal, "zoe").await;
    let operations = json!([
        { "op": "replace", "value": { "id": pushed, "displayName": "Renamed" } },
        { "op": "add", "path": "members", "value": [{ "value": id, "display": "test.user@okta.local" }, { "value": yan }] },
    ]);
    patch(&portal, &path, operations).await.is(204);
    let operations = json!([
        { "op": "remove", "path": format!("members[value eq \"{id}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": zoe }] },
    ]);
    let json = patch(&portal, &format!("{path}?attributes=displayName,members"), operations).await.is(200).json();
    assert_eq!((&json["displayName"], json["members"].as_array().unwrap().len()), (&"Renamed".into(), 2));
    let operations = json!([{ "op": "replace", "path": "members", "value": [{ "value": id }] }]);
    patch(&portal, &path, operations).await.is(204);
    assert_eq!(members(&portal, &pushed).await, std::slice::from_ref(&id));
    let either = format!("members[value eq \"{id}\" or value eq \"{yan}\"]");
    patch(&portal, &path, json!([{ "op": "REMOVE", "path": either }])).await.is(204);
    assert!(members(&portal, &pushed).await.is_empty());
    portal.scim("DELETE", &path).send().await.is(204);
}

#[tokio::test]
async fn operations_are_made_in_order_and_all_or_none() {
    let portal = Portal::start().await;
    let (zoe, yan) = (user(&portal, "zoe").await, user(&portal, "yan").await);
    let inner = group(&portal, "Inner", &[]).await;
    let staff = group(&portal, "Staff", &[&zoe]).await;
    let path = format!("/Groups/{staff}");
    let value = |id: &str| json!([{ "value": id }]);
    let operations = json!([
        { "op": "remove", "path": "members" },
        { "op": "add", "path": "members", "value": value(&yan) },
        { "op": "add", "path": "members", "value": { "value": inner } },
        { "op": "remove", "path": format!("members[value eq \"{inner}\"]") },
        { "op": "add", "value": { "members": value(&inner) } },
    ]);
    patch(&portal, &path, operations).await.is(204);
    assert_eq!(members(&portal, &staff).await, [yan.clone(), inner.clone()]);
    let before = portal.acme.revision();
    for (operation, scim_type) in [
        (json!({ "op": "add", "path": "members", "value": value("nobody") }), "invalidValue"),
        (json!({ "op": "add", "path": "members", "value": ["text"] }), "invalidValue"),
        (json!({ "op": "add", "path": "members", "value": [{ "value": 7 }] }), "invalidValue"),
        (json!({ "op": "add", "path": "members" }), "invalidValue"),
        (json!({ "op": "add", "path": "members", "value": value(&staff) }), "invalidValue"),
        (json!({ "op": "replace", "path": "members[value eq \"x\"]", "value": value(&zoe) }), "mutability"),
        (json!({ "op": "replace", "path": "members.value", "value": zoe }), "mutability"),
        (json!({ "op": "remove", "path": "members[type eq \"User\"]" }), "invalidFilter"),
        (json!({ "op": "remove", "path": "displayName" }), "mutability"),
        (json!({ "op": "replace", "path": "displayName", "value": null }), "invalidValue"),
        (json!({ "op": "replace", "path": "displayName", "value": "" }), "invalidValue"),
        (json!({ "op": "replace", "path": "displayName", "value": "\u{7}" }), "invalidValue"),
        (json!({ "op": "replace", "path": "displayName", "value": "x".repeat(300) }), "invalidValue"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "nothing", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "members[", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "displayName.x", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "value": "x" }), "invalidSyntax"),
        (json!({ "op": "replace" }), "invalidValue"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "move", "path": "members" }), "invalidSyntax"),
        (json!({ "path": "members" }), "invalidSyntax"),
        (json!("remove"), "invalidSyntax"),
    ] {
        let first = json!({ "op": "remove", "path": "members" });
        patch(&portal, &path, json!([first, operation.clone()])).await.is_scim_error(400, scim_type);
    }
    patch(&portal, &path, json!("x")).await.is_scim_error(400, "invalidSyntax");
    let many = vec![json!({ "op": "remove", "path": "members" }); 1_001];
    patch(&portal, &path, json!(many)).await.is_scim_error(400, "tooMany");
    for (operation, scim_type) in [
        (json!({ "op": "remove", "path": "active" }), "mutability"),
        (json!({ "op": "replace", "path": "active", "value": "maybe" }), "invalidValue"),
        (json!({ "op": "replace", "path": "active", "value": 1 }), "invalidValue"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "replace", "path": "userName", "value": "yan" }), "uniqueness"),
        (json!({ "op": "replace", "path": "userName", "value": "BOB" }), "uniqueness"),
        (json!({ "op": "add", "path": "groups", "value": value(&staff) }), "mutability"),
        (json!({ "op": "add", "value": { "activ": false } }), "invalidPath"),
        (json!({ "op": "add", "path": "members", "value": value(&zoe) }), "invalidPath"),
    ] {
        let first = json!({ "op": "replace", "path": "displayName", "value": "new" });
        let status = if scim_type == "uniqueness" { 409 } else { 400 };
        let operations = json!([first, operation.clone()]);
        patch(&portal, &format!("/Users/{zoe}"), operations).await.is_scim_error(status, scim_type);
    }
    assert_eq!(portal.acme.revision(), before, "nothing was changed in part");
}
