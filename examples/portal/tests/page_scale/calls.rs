//! The calls: every one that reads, questions of the largest size, and a saved change of each kind.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use rolecall::{PageRequest, Tenant};
use serde_json::{Value, json};

use crate::{ROUNDS, Times, USERS, ask, key};

const API: &str = "/t/{tenant}/api/v1";
const AUTHZEN: &str = "/t/{tenant}/access/v1";

/// The ids in the place of parameters.
struct Ids {
    group: String,
    user: String,
    role: String,
    role_of_group: String,
    role_of_user: String,
    permission: String,
}

impl Ids {
    fn of(large: &Tenant, [group, user, role, permission]: [&str; 4], [of_group, of_user]: [&str; 2]) -> Self {
        let now = large.now();
        let role_of = |slug: &str| now.role(slug).unwrap().id().to_string();
        Self {
            group: now.group(group).unwrap().id.to_string(),
            user: now.user(user).unwrap().id.to_string(),
            role: role_of(role),
            role_of_group: role_of(of_group),
            role_of_user: role_of(of_user),
            permission: now.permission(permission).unwrap().id().to_string(),
        }
    }

    fn fill(&self, template: &str) -> String {
        let role = match () {
            () if template.contains("{groupId}") => &self.role_of_group,
            () if template.contains("{userId}") => &self.role_of_user,
            () => &self.role,
        };
        let path = template.replace("{tenant}", "large").replace("{groupId}", &self.group);
        let path = path.replace("{userId}", &self.user).replace("{roleId}", role);
        path.replace("{permissionId}", &self.permission)
    }
}

/// Every call that reads, by the description: about what everybody has, and about what few have.
fn reads(description: &Value, large: &Tenant) -> BTreeSet<String> {
    let sets = [
        Ids::of(large, ["everybody", &key(50_000), "role-001", "area1:read"], ["role-001", "direct"]),
        Ids::of(large, ["everybody", &key(50_000), "direct", "area7:read"], ["role-001", "direct"]),
        Ids::of(large, ["group-09996", &key(9_996), "role-196", "area196:read"], ["role-196", "direct"]),
    ];
    let mut paths = BTreeSet::new();
    for (template, item) in description["paths"].as_object().unwrap() {
        // The test of deletions asks for their outcome, and the document is measured apart.
        let is_apart = template.contains("/operations/") || template.ends_with("/document");
        let Some(get) = item.get("get").filter(|_| !is_apart) else { continue };
        let takes =
            |name| get["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == name);
        for ids in &sets {
            let path = ids.fill(template);
            assert!(!path.contains('{'), "{path}");
            if takes("limit") {
                paths.insert(format!("{path}?limit=200"));
            }
            if takes("search") {
                paths.extend([format!("{path}?search=9999"), format!("{path}?search=nothing-has-this")]);
                paths.insert(format!("{path}?limit=200&after={}", key(99_700)));
            }
            if takes("actor") {
                paths.insert(format!("{path}?actor=nobody"));
            }
            paths.insert(path);
        }
    }
    assert!(paths.len() > 100, "{}", paths.len());
    paths
}

/// Questions of the largest size: the call, a name for the question, and the body.
fn questions() -> Vec<(String, &'static str, Value)> {
    let subject = |user: usize| json!({ "type": "user", "id": key(user) });
    let about = |area: usize| json!({ "type": format!("area{area}"), "id": "1" });
    let read = json!({ "name": "read" });
    let all: Vec<String> = (0..200).flat_map(|i| [format!("area{i}:read"), format!("area{i}:write")]).collect();
    let users = (0..1_000).map(|i| i * (USERS / 1_000));
    let checks: Vec<_> =
        users.clone().map(|i| json!({ "userKey": key(i), "permission": format!("area{}:read", i % 200) })).collect();
    let evaluations: Vec<_> =
        users.map(|i| json!({ "subject": subject(i), "action": read, "resource": about(i % 200) })).collect();
    let search = |area| json!({ "subject": { "type": "user" }, "action": read, "resource": about(area), "page": { "limit": 200 } });
    let check = |user: usize, permission: &str| json!({ "userKey": key(user), "permission": permission });
    let set = json!({ "userKey": key(50_000), "permissions": all });
    let (api, authzen) = (|path: &str| format!("{API}{path}"), |path: &str| format!("{AUTHZEN}{path}"));
    vec![
        (api("/access/check"), "one", check(50_000, "area1:read")),
        (api("/access/check-many"), "1,000 users", json!({ "checks": checks })),
        (api("/access/check-any"), "all permissions", set.clone()),
        (api("/access/check-all"), "all permissions", set),
        (api("/access/explain"), "allowed", check(50_000, "area1:read")),
        (api("/access/explain"), "denied", check(50_000, "area2:write")),
        (authzen("/evaluation"), "one", json!({ "subject": subject(50_000), "action": read, "resource": about(1) })),
        (authzen("/evaluations"), "1,000 users", json!({ "evaluations": evaluations })),
        (authzen("/search/subject"), "everybody, through a group", search(1)),
        (authzen("/search/subject"), "everybody, directly", search(7)),
        (authzen("/search/subject"), "few", search(196)),
        (authzen("/search/action"), "one", json!({ "subject": subject(50_000), "resource": about(1) })),
    ]
}

/// Measures every call, and shows that no call is left out.
pub(crate) async fn measure(router: &Router, times: &mut Times, large: &Tenant) {
    let description = ask(router, "GET", "/openapi.json", "").await;
    let description: Value = serde_json::from_str(&description.body).unwrap();
    for path in reads(&description, large) {
        times.best(router, "JSON call that reads", &path, "GET", &path, "").await;
    }
    let mut covered = BTreeSet::new();
    for (template, what, mut body) in questions() {
        let kind = if template.starts_with(AUTHZEN) { "AuthZEN call" } else { "JSON question" };
        let path = template.replace("{tenant}", "large");
        let answer = times.best(router, kind, &format!("{path}: {what}"), "POST", &path, &body.to_string()).await;
        // The last part of a search, too.
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let token = answer["page"]["next_token"].as_str().unwrap_or_default();
        if let Some((before, _)) = token.rsplit_once(".user-") {
            body["page"]["token"] = format!("{before}.{}", key(USERS - 100)).into();
            let name = format!("{path}: {what}, the last part");
            times.best(router, kind, &name, "POST", &path, &body.to_string()).await;
        }
        covered.insert(("post".to_owned(), template));
    }
    let mut changes = Changes { router, round: 0, covered, times: Vec::new() };
    for round in 0..ROUNDS {
        changes.round = round;
        changes.make_each(large).await;
    }
    for (name, best) in changes.times {
        times.note("saved change by a call", name, best, 0);
    }
    let mut described = BTreeSet::new();
    for (template, item) in description["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|method| ["post", "put", "patch", "delete"].contains(&method.as_str()));
        described.extend(methods.map(|method| (method.clone(), template.clone())));
    }
    assert_eq!(changes.covered, described);
}

/// Changes, each of them made once in a round. The last ones of a round undo the first ones.
struct Changes<'a> {
    router: &'a Router,
    round: usize,
    covered: BTreeSet<(String, String)>,
    /// The best time of each change.
    times: Vec<(String, Duration)>,
}

impl Changes<'_> {
    /// Makes a change by the call with this path, these ids in the place of its parameters, and returns the id in the answer.
    async fn make(&mut self, method: &str, template: &str, ids: &[&str], body: &Value) -> String {
        let mut path = format!("/t/large/api/v1{template}");
        for id in ids {
            let (before, rest) = path.split_once('{').unwrap();
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{id}{after}");
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ask(self.router, method, &path, &body).await;
        assert!(
            [200, 201, 204].contains(&answer.status.as_u16()),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        let template = template.split('?').next().unwrap();
        self.covered.insert((method.to_lowercase(), format!("{API}{template}")));
        let size = if body.len() > 10_000 { " with 1,000 members" } else { "" };
        let name = format!("{method} {template}{size}");
        match self.times.iter_mut().find(|(known, _)| *known == name) {
            Some((_, best)) => *best = answer.time.min(*best),
            None => self.times.push((name, answer.time)),
        }
        let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        answer["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A change of each kind: of the group or a role of everybody, where there is one.
    async fn make_each(&mut self, large: &Tenant) {
        let now = large.now();
        let everybody = now.group("everybody").unwrap().id;
        let role_of = |slug: &str| now.role(slug).unwrap().id().to_string();
        let (common, first, second) = (role_of("role-001"), role_of("role-100"), role_of("role-101"));
        let old = now.user(key(self.round).as_str()).unwrap().id.to_string();
        let many = now.members(everybody, &PageRequest::of(1_000).after(key(20_000))).items;
        let many: Vec<String> = many.iter().map(|member| member.record.id.to_string()).collect();
        let everybody = &*everybody.to_string();
        drop(now);
        let (empty, round) = (Value::Null, self.round);
        let note = json!({ "description": format!("Round {round}") });

        let group = &*self.make("POST", "/groups", &[], &json!({ "name": "New", "slug": "new" })).await;
        let user = &*self.make("POST", "/users", &[], &json!({ "key": format!("new-{round}@large.example") })).await;
        let role = &*self.make("POST", "/roles", &[], &json!({ "name": "New", "slug": "new" })).await;
        let permission = &*self.make("POST", "/permissions", &[], &json!({ "slug": "new:read" })).await;
        self.make("PATCH", "/groups/{groupId}", &[everybody], &note).await;
        self.make("PATCH", "/users/{userId}", &[user], &json!({ "name": "New" })).await;
        self.make("PATCH", "/roles/{roleId}", &[&common], &note).await;
        self.make("PATCH", "/permissions/{permissionId}", &[permission], &note).await;

        self.make("POST", "/groups/{groupId}/members", &[everybody], &json!({ "userId": user })).await;
        let window = json!({ "until": "2999-01-01T00:00:00Z" });
        self.make("PUT", "/groups/{groupId}/members/{userId}", &[everybody, user], &window).await;
        self.make("DELETE", "/groups/{groupId}/members/{userId}", &[everybody, user], &empty).await;
        self.make("PATCH", "/groups/{groupId}/members", &[everybody], &json!({ "remove": many })).await;
        self.make("PATCH", "/groups/{groupId}/members", &[everybody], &json!({ "add": many })).await;
        self.make("POST", "/groups/{groupId}/subgroups", &[everybody], &json!({ "groupId": group })).await;
        self.make("DELETE", "/groups/{groupId}/subgroups/{subgroupId}", &[everybody, group], &empty).await;

        let (assign, exchange) = (json!({ "roleId": first }), json!({ "add": [second], "remove": [first] }));
        for (kind, holder) in [("/groups/{groupId}", everybody), ("/users/{userId}", user)] {
            let roles = format!("{kind}/roles");
            self.make("POST", &roles, &[holder], &assign).await;
            self.make("PATCH", &roles, &[holder], &exchange).await;
            self.make("DELETE", &format!("{roles}/{{roleId}}"), &[holder, &second], &empty).await;
        }
        self.make("POST", "/roles/{roleId}/grants", &[&common], &json!({ "grant": "area50:*" })).await;
        let exchange = json!({ "add": ["area51:*"], "remove": ["area50:*"] });
        self.make("PATCH", "/roles/{roleId}/grants", &[&common], &exchange).await;
        self.make("DELETE", "/roles/{roleId}/grants?grant=area51:*", &[&common], &empty).await;
        self.make("POST", "/roles/{roleId}/includes", &[&common], &json!({ "roleId": role })).await;
        self.make("DELETE", "/roles/{roleId}/includes/{includedId}", &[&common, role], &empty).await;

        let okta = json!({ "directory": "okta" });
        for (path, id) in [("/groups/{groupId}/directory", everybody), ("/users/{userId}/directory", user)] {
            self.make("PUT", path, &[id], &okta).await;
            self.make("DELETE", path, &[id], &empty).await;
        }
        self.make("DELETE", "/permissions/{permissionId}", &[permission], &empty).await;
        self.make("DELETE", "/roles/{roleId}", &[role], &empty).await;
        self.make("DELETE", "/users/{userId}", &[&old], &empty).await;
        self.make("DELETE", "/groups/{groupId}", &[group], &empty).await;
    }
}
