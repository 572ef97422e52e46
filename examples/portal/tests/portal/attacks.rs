//! Known failures of other systems that concern a service. `src/docs/security.md` has the list.

use std::collections::BTreeSet;

use rolecall::Tx;
use serde_json::{Value, json};

use crate::support::Portal;

/// A24: a form did not show what a wildcard granted, and saving it revoked that. Requests send changes, so what they do
/// not mention stays; and the preview of a removal says who loses what.
#[tokio::test]
async fn a24_a_change_of_a_role_keeps_the_pattern_that_it_does_not_mention() {
    let portal = Portal::start().await;
    let grants = format!("/roles/{}/grants", portal.role("editor"));
    for change in [json!({ "add": ["billing:pay", "posts:read"] }), json!({ "remove": ["billing:pay", "posts:read"] })]
    {
        portal.call("PATCH", &grants).by("root").json(&change).send().await.is(200);
        assert!(portal.acme.check("lead", "posts:read") && portal.acme.check("lead", "posts:write"));
    }
    let removal = json!({ "remove": ["posts:*"] });
    let preview = portal.call("PATCH", &format!("{grants}?preview=true")).by("root").json(&removal).send().await;
    let access = preview.is(200).json()["access"].clone();
    assert_eq!((&access[0]["key"], &access[0]["lost"]), (&"lead".into(), &json!(["posts:read", "posts:write"])));
}

/// All keys of a list, page by page.
async fn gathered(portal: &Portal, path: &str, limit: usize) -> BTreeSet<String> {
    let (mut keys, mut after) = (BTreeSet::new(), String::new());
    loop {
        let page = portal.call("GET", &format!("{path}?limit={limit}{after}")).by("root").send().await.is(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        keys.extend(items.iter().map(|item| item["key"].as_str().unwrap().to_owned()));
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return keys,
        }
    }
}

/// Users who have `posts:write` by name, by a pattern, by an included role, through a group and through its parent.
async fn holders(portal: &Portal) {
    let filled = portal.acme.update(|tx: &Tx| {
        tx.create_role("writer")?.grant("posts:write")?;
        tx.create_role("chief")?.include("writer")?;
        tx.create_group("authors")?.assign("chief")?;
        tx.create_group("interns")?.add_parent("authors")?;
        for i in 0..400 {
            let user = tx.create_user(&format!("user-{i:03}"))?;
            match i % 6 {
                0 => drop(user.assign("writer")?.id()?),
                1 => drop(user.assign("editor")?.id()?),
                2 => drop(user.assign("chief")?.id()?),
                3 => drop(user.join("authors")?.id()?),
                4 => drop(user.join("interns")?.id()?),
                _ => {}
            }
        }
        Ok(())
    });
    filled.await.unwrap();
}

/// A25: a list was cut off silently. A26: it missed those who have a permission by a wildcard or through groups. The
/// lists of the API and of AuthZEN, in parts of any size, are all those whom the check allows.
#[tokio::test]
async fn a25_a26_lists_of_who_may_do_it_are_whole_and_equal_to_the_check() {
    let portal = Portal::start().await;
    holders(&portal).await;
    let now = portal.acme.now();
    let everybody = now.users(&rolecall::PageRequest::of(1_000)).items;
    let allowed: BTreeSet<String> =
        everybody.iter().filter(|user| now.check(user.id, "posts:write")).map(|user| user.key.to_string()).collect();
    assert!(allowed.len() > 330 && allowed.len() < everybody.len());
    let permission = now.permission("posts:write").unwrap().id();
    drop(now);
    let path = format!("/permissions/{permission}/users");
    for limit in [200, 7] {
        assert_eq!(gathered(&portal, &path, limit).await, allowed, "{limit}");
    }
    let mut body = json!({
        "subject": { "type": "user" }, "action": { "name": "write" }, "resource": { "type": "posts", "id": "1" },
    });
    let mut found = BTreeSet::new();
    loop {
        let call = portal.at("POST", "/t/acme-corp/access/v1/search/subject").by("root").json(&body);
        let part = call.send().await.is(200).json();
        found.extend(part["results"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        let next = part["page"]["next_token"].clone();
        if next == "" {
            break;
        }
        body["page"] = json!({ "token": next });
    }
    assert_eq!(found, allowed);
}

/// A25: a list of SCIM says how many there are, and its parts are all of them.
#[tokio::test]
async fn a25_the_parts_of_a_directory_are_the_whole() {
    let portal = Portal::start().await;
    let filled = portal.acme.update(|tx: &Tx| {
        tx.set_manager("okta")?;
        tx.create_group("all")?.set_managed_by(Some("okta"))?;
        for i in 0..450 {
            tx.create_user(&format!("user-{i:03}"))?.set_managed_by(Some("okta"))?.join("all")?;
        }
        Ok(())
    });
    filled.await.unwrap();
    let all = portal.acme.now().group("all").unwrap().id;
    for filter in [String::new(), format!("&filter=groups%20eq%20%22{all}%22")] {
        let (mut names, mut start) = (BTreeSet::new(), 1);
        loop {
            let part = portal.scim("GET", &format!("/Users?count=1000&startIndex={start}{filter}")).send().await;
            let part = part.is(200).json();
            assert_eq!(part["totalResults"], 450);
            let resources = part["Resources"].as_array().unwrap();
            if resources.is_empty() {
                break;
            }
            start += resources.len();
            names.extend(resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()));
        }
        assert_eq!(names.len(), 450);
    }
    let members = portal.scim("GET", &format!("/Groups/{all}")).send().await.is(200).json()["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 450);
}
