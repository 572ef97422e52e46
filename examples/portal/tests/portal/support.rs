//! A portal in memory, and clients of it.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use rolecall::records::UserId;
use rolecall::store::MemoryStore;
use rolecall::store::conformance::FaultyStore;
use rolecall::{Authorizer, Tenant, Tx};
use rolecall_portal::app;
use rolecall_portal::catalog::{Permission, SystemRole};
use rolecall_portal::history::Commits;
use rolecall_portal::state::PortalState;
use rolecall_portal::stores::OpenStore;
use serde_json::Value;
use tower::ServiceExt;

/// A portal with the tenants `acme-corp` and `globex`, over a store that can fail.
pub(crate) struct Portal {
    pub(crate) router: Router,
    pub(crate) store: FaultyStore<MemoryStore>,
    pub(crate) acme: Tenant,
    pub(crate) globex: Tenant,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// The answer is a problem with this status and code.
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!((&json["status"], &json["code"]), (&status.into(), &code.into()), "{self:?}");
        self
    }

    /// The answer is an error of SCIM with this status and type.
    pub(crate) fn is_scim_error(&self, status: u16, scim_type: &str) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/scim+json", "{self:?}");
        let json = self.json();
        assert_eq!(json["schemas"], serde_json::json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!((&json["status"], json["scimType"].as_str().unwrap_or("")), (&status.to_string().into(), scim_type));
        assert!(json["detail"].is_string(), "{self:?}");
        self
    }

    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// A request to be sent.
pub(crate) struct Call<'p> {
    portal: &'p Portal,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn by(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    pub(crate) fn text(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    pub(crate) fn scim_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/scim+json; charset=utf-8")
    }

    pub(crate) fn form(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path).header(header::HOST, "portal.test");
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = self.portal.router.clone().oneshot(request.body(Body::from(self.body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Portal {
    /// `root` is an administrator of each tenant, with the token `root` or `globex-root`. In `acme-corp`, `lead` manages
    /// groups and holds `posts:*`, `auditor` may only read, and `nobody` may do nothing; their tokens are their keys. The
    /// directories `okta` and `entra` have their names as tokens, and that of `globex` has `globex-okta`.
    pub(crate) async fn start() -> Self {
        let memory = MemoryStore::default();
        let store = FaultyStore::new(memory.clone());
        let authorizer = Authorizer::builder()
            .store(store.clone())
            .catalog(Permission::catalog())
            .runtime(tokio::runtime::Handle::current())
            .build();
        let open = OpenStore { authorizer: authorizer.clone(), history: Commits::of(memory) };
        let state = PortalState::over(open, "https://portal.test");
        let acme = authorizer.create_tenant("acme-corp", "Acme Corp").await.unwrap();
        let globex = authorizer.create_tenant("globex", "Globex").await.unwrap();
        acme.update(|tx: &Tx| {
            for permission in ["posts:read", "posts:write", "billing:pay"] {
                tx.create_permission(permission)?;
            }
            tx.create_role("editor")?.grant("posts:*")?;
            tx.create_role("payer")?.grant("billing:pay")?;
            tx.create_role("group-manager")?.grant(Permission::GroupsRead)?.grant(Permission::GroupsManage)?;
            tx.create_user("lead")?.assign("group-manager")?.assign("editor")?;
            tx.create_user("auditor")?.assign(SystemRole::Auditor)?;
            tx.create_user("nobody")?;
            tx.create_user("alice")?.set_name(Some("Alice"))?;
            tx.create_user("bob")?;
            tx.create_user("root")?.assign(SystemRole::Administrator)?.done()
        })
        .await
        .unwrap();
        globex
            .update(|tx| {
                tx.create_user("root")?.assign(SystemRole::Administrator)?;
                tx.create_role("editor")?;
                tx.create_group("staff")?.done()
            })
            .await
            .unwrap();
        for key in ["root", "lead", "auditor", "nobody"] {
            state.add_token(key, &acme, acme.now().user(key).unwrap().id);
        }
        for (token, tenant, directory) in
            [("okta", &acme, "okta"), ("entra", &acme, "entra"), ("globex-okta", &globex, "okta")]
        {
            state.add_scim_token(token, tenant, directory).unwrap();
        }
        state.add_token("globex-root", &globex, globex.now().user("root").unwrap().id);
        Self { router: app(state), store, acme, globex }
    }

    /// A request to a path of the API of `acme-corp`.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        self.at(method, &format!("/t/acme-corp/api/v1{path}"))
    }

    /// A request of the directory `okta` to a path of SCIM in `acme-corp`.
    pub(crate) fn scim(&self, method: &str, path: &str) -> Call<'_> {
        self.at(method, &format!("/t/acme-corp/scim/v2{path}")).by("okta")
    }

    /// A request to a path.
    pub(crate) fn at(&self, method: &str, path: &str) -> Call<'_> {
        let method = method.parse().unwrap();
        Call { portal: self, method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// The answer of an operation when it is done.
    pub(crate) async fn outcome(&self, location: &str, by: &str) -> Value {
        let answer =
            self.until(|| self.at("GET", location).by(by), |answer| answer.is(200).json()["status"] != "running");
        let answer = answer.await.json();
        assert_eq!(answer["status"], "done", "{answer}");
        answer
    }

    /// Sends this until the answer is so, for 30 seconds at most.
    pub(crate) async fn until<'p>(&'p self, call: impl Fn() -> Call<'p>, is_so: impl Fn(&Answer) -> bool) -> Answer {
        let poll = async {
            loop {
                let answer = call().send().await;
                if is_so(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), poll).await.unwrap()
    }

    /// Deletes as `root` what is there, and waits for the end if the deletion goes on after the answer.
    pub(crate) async fn delete(&self, path: &str) {
        let answer = self.call("DELETE", path).by("root").send().await;
        if answer.status == StatusCode::ACCEPTED {
            let outcome = self.outcome(&answer.header("location"), "root").await;
            assert_eq!(outcome["httpStatus"], 204, "{outcome}");
        } else {
            answer.is(204);
        }
    }

    /// Creates a group as `root`, and returns its id.
    pub(crate) async fn group(&self, slug: &str) -> String {
        let body = serde_json::json!({ "name": slug, "slug": slug });
        self.call("POST", "/groups").by("root").json(&body).send().await.is(201).id()
    }

    /// The id of a user of `acme-corp`.
    pub(crate) fn user(&self, key: &str) -> UserId {
        self.acme.now().user(key).unwrap().id
    }

    /// The id of a role of `acme-corp`.
    pub(crate) fn role(&self, slug: &str) -> String {
        self.acme.now().role(slug).unwrap().id().to_string()
    }
}
