//! The content of previews and refusals: no more than their reader may ask for.

use rolecall::Tx;
use rolecall_portal::catalog::Permission;
use serde_json::{Value, json};

use crate::support::Portal;

/// Gives `lead` a role with this permission.
async fn give(portal: &Portal, permission: Permission) {
    let slug = format!("lead-{permission}");
    let given = portal.acme.update(|tx: &Tx| {
        tx.create_role(&slug)?.grant(permission)?;
        tx.user("lead")?.assign(slug.as_str())?.done()
    });
    given.await.unwrap();
}

#[tokio::test]
async fn a_preview_names_users_only_to_those_who_may_ask_who_may_do_what() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    portal.acme.update(|tx| tx.group("staff")?.assign("editor")?.done()).await.unwrap();
    let path = format!("/groups/{group}/members?preview=true");
    let body = json!({ "userId": portal.user("alice") });
    let preview = || portal.call("POST", &path).by("lead").json(&body).send();
    // `lead` manages groups, and may ask neither.
    for permission in [Permission::AccessRead, Permission::UsersRead] {
        let answer = preview().await;
        let json = answer.is(200).json();
        assert_eq!((&json["access"], &json["usersGaining"], &json["usersLosing"]), (&json!([]), &json!(1), &json!(0)));
        assert!(!answer.body.contains("posts:"), "{answer:?}");
        give(&portal, permission).await;
    }
    let json = preview().await.is(200).json();
    assert_eq!((&json["access"][0]["key"], &json["usersGaining"]), (&json!("alice"), &json!(1)));
    assert_eq!(json["access"][0]["gained"], json!(["posts:read", "posts:write"]));
}

#[tokio::test]
async fn a_refusal_names_missing_rights_only_to_readers_of_roles() {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let body = json!({ "roleId": portal.role("payer") });
    let page = format!("/t/acme-corp/portal/access-management/groups/{group}");
    let form = format!("do=assign&role={}&version=any&step=preview", portal.role("payer"));
    for reads_roles in [false, true] {
        for query in ["", "?preview=true"] {
            let path = format!("/groups/{group}/roles{query}");
            let refused = portal.call("POST", &path).by("lead").json(&body).send().await;
            let json = refused.is_problem(403, "escalation").json();
            assert_eq!(json.get("missing_rights").is_some_and(Value::is_array), reads_roles, "{json}");
            assert_eq!(refused.body.contains("billing:pay"), reads_roles, "{json}");
        }
        let refused = portal.at("POST", &page).by("lead").form(&form).send().await;
        assert_eq!(refused.is(403).body.contains("billing:pay"), reads_roles, "{refused:?}");
        assert_eq!(refused.body.contains("rights that you do not hold"), !reads_roles, "{refused:?}");
        if !reads_roles {
            give(&portal, Permission::RolesRead).await;
        }
    }
}
