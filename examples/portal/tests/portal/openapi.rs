//! The description fits the handlers, and every call that it describes is guarded.

use serde_json::Value;

use crate::support::Portal;

/// The methods and paths of the description, with ids in the place of parameters.
async fn calls(portal: &Portal) -> Vec<(String, String)> {
    let description = portal.at("GET", "/openapi.json").send().await.is(200).json();
    let paths = description["paths"].as_object().unwrap();
    let mut calls = Vec::new();
    for (path, item) in paths {
        let mut path = path.replace("{tenant}", "acme-corp");
        for parameter in ["groupId", "userId", "roleId", "subgroupId", "includedId", "permissionId", "operationId"] {
            path = path.replace(&format!("{{{parameter}}}"), "7b0c4f0e-0000-4000-8000-000000000000");
        }
        assert!(!path.contains('{'), "{path}");
        let methods = ["get", "post", "put", "patch", "delete"];
        let described = methods.iter().filter(|method| item.get(**method).is_some());
        calls.extend(described.map(|method| (method.to_uppercase(), path.clone())));
    }
    calls
}

#[tokio::test]
async fn every_call_needs_a_token_and_a_permission() {
    let portal = Portal::start().await;
    let before = portal.acme.revision();
    let calls = calls(&portal).await;
    assert!(calls.len() > 55, "{}", calls.len());
    for (method, path) in &calls {
        portal.at(method, path).send().await.is_problem(401, "unauthenticated");
        portal.at(method, path).by("guessed").send().await.is_problem(401, "unauthenticated");
        let denied = portal.at(method, path).by("nobody").text("{}").send().await;
        if path.contains("/operations/") {
            // It is its user's own, and nobody has this one.
            denied.is_problem(404, "not_found");
        } else {
            denied.is_problem(403, "forbidden");
            assert!(denied.json()["permission"].is_string(), "{method} {path}: {denied:?}");
        }
        // A token of another tenant: the same answer as for a tenant that does not exist.
        let other = portal.at(method, path).by("globex-root").text("{}").send().await;
        let missing =
            portal.at(method, &path.replace("acme-corp", "initech")).by("globex-root").text("{}").send().await;
        other.is_problem(404, "not_found");
        assert_eq!((other.status, other.body), (missing.status, missing.body), "{method} {path}");
    }
    assert_eq!(portal.acme.revision(), before);
}

#[tokio::test]
async fn changes_need_more_than_reading() {
    let portal = Portal::start().await;
    for (method, path) in calls(&portal).await {
        let answer = portal.at(&method, &path).by("auditor").header("if-match", "*").text("{}").send().await;
        let is_question = method == "GET" || path.contains("/access/");
        let expected = !is_question || path.ends_with("/document");
        assert_eq!(answer.status == 403, expected, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_description_is_complete() {
    let portal = Portal::start().await;
    let description = portal.at("GET", "/openapi.json").send().await.is(200).json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let in_path = |parameters: Option<&Value>| -> Vec<String> {
            let parameters = parameters.and_then(Value::as_array).into_iter().flatten();
            let named = parameters.filter(|parameter| parameter["in"] == "path");
            named.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let mut named = in_path(item.get("parameters"));
            named.extend(in_path(operation.get("parameters")));
            let needed = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            for name in needed {
                assert_eq!(named.iter().filter(|other| *other == name).count(), 1, "{method} {path}: {name}");
            }
            assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{method} {path}");
            for status in ["401", "403", "404", "503"] {
                assert!(operation["responses"][status]["content"]["application/problem+json"].is_object(), "{path}");
            }
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "the ids of operations are unique");
    // Every schema that is referred to exists.
    let text = description.to_string();
    for (at, _) in text.match_indices("#/components/schemas/") {
        let rest = text.get(at + "#/components/schemas/".len()..).unwrap();
        let name: String = rest.chars().take_while(|c| *c != '"').collect();
        assert!(description["components"]["schemas"].get(&name).is_some(), "{name}");
    }
}
