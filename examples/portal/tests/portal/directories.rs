//! Users and groups that are handed to a directory, and released from it.

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
