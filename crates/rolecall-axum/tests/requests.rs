//! Requests through the layers and extractors: which status each has, and that all checks of a request see one state.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use rolecall::store::MemoryStore;
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::{Authorizer, Error, ErrorKind, Reason};
use rolecall_axum::{
    Permitted, Problem, RequestTenant, RequirePermission, RequiredPermission, Subject, TenantLayer, TenantSource,
    status_of,
};
use serde_json::Value;
use tower::ServiceExt;

rolecall::catalog! {
    enum Permission { PostsRead = "posts:read", PostsWrite = "posts:write" }
}

struct PostsRead;

impl RequiredPermission for PostsRead {
    type Permission = Permission;
    const PERMISSION: Permission = Permission::PostsRead;
}

async fn authenticate(mut request: Request, next: Next) -> Response {
    let key = request.headers().get("x-user").and_then(|key| key.to_str().ok()).and_then(|key| key.parse().ok());
    if let Some(key) = key {
        request.extensions_mut().insert(Subject::Key(key));
    }
    next.run(request).await
}

struct Service {
    store: FaultyStore<MemoryStore>,
    authorizer: Authorizer,
}

/// In `acme`, alice may read and write posts, bob may read them, and sue could if she were not suspended.
async fn service() -> Service {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder()
        .store(store.clone())
        .catalog(Permission::catalog())
        .runtime(tokio::runtime::Handle::current())
        .build();
    let acme = authorizer.create_tenant("acme", "Acme").await.unwrap();
    acme.update(|tx| {
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("reader")?.grant(Permission::PostsRead)?;
        tx.create_user("alice")?.assign("editor")?;
        tx.create_user("bob")?.assign("reader")?;
        tx.create_user("sue")?.assign("editor")?.suspend()?.done()
    })
    .await
    .unwrap();
    authorizer.create_tenant("globex", "Globex").await.unwrap();
    Service { store, authorizer }
}

fn routes(source: TenantSource, prefix: &str, authorizer: &Authorizer) -> Router {
    let read = async |asking: Permitted<PostsRead>| {
        let name = asking.tenant().name().map(|name| name.to_string());
        Json(serde_json::json!({ "tenant": name, "may_write": asking.check(Permission::PostsWrite) }))
    };
    Router::new()
        .route(&format!("{prefix}/write"), get(async || "written"))
        .route_layer(RequirePermission::new(Permission::PostsWrite))
        .route(&format!("{prefix}/read"), get(read))
        .route_layer(TenantLayer::new(authorizer.clone(), source))
        .route_layer(middleware::from_fn(authenticate))
}

impl Service {
    fn by_path(&self) -> Router {
        routes(TenantSource::path("tenant"), "/t/{tenant}", &self.authorizer)
    }
}

async fn send(router: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Value, Response) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, serde_json::from_slice(&bytes).unwrap_or_default(), Response::from_parts(parts, Body::empty()))
}

#[tokio::test]
async fn each_subject_gets_the_status_that_the_tenant_decides() {
    let service = service().await;
    let router = service.by_path();
    for (user, path, expected) in [
        ("alice", "/t/acme/read", 200),
        ("alice", "/t/acme/write", 200),
        ("bob", "/t/acme/read", 200),
        ("bob", "/t/acme/write", 403),
        ("sue", "/t/acme/read", 403),
        ("mallory", "/t/acme/read", 403),
        ("alice", "/t/globex/read", 403),
        ("alice", "/t/initech/read", 404),
        ("alice", "/t/A%20B/read", 404),
        ("alice", "/t/%FF/read", 404),
        ("", "/t/acme/read", 401),
        ("", "/t/acme/write", 401),
        ("", "/t/initech/read", 401),
    ] {
        let (status, body, response) = send(&router, path, &[("x-user", user)]).await;
        assert_eq!(status, expected, "{user} {path}: {body}");
        if expected != 200 {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(body["status"], expected);
        }
        match expected {
            401 => assert_eq!(response.headers()["www-authenticate"], "Bearer"),
            403 => {
                let named = &body["permission"];
                assert!(named == "posts:read" || named == "posts:write", "{body}");
                assert!(response.extensions().get::<Reason>().is_some(), "the reason is for the log");
                assert!(body.get("reason").is_none(), "and not in the body");
            }
            _ => {}
        }
    }
    let (_, body, _) = send(&router, "/t/acme/read", &[("x-user", "bob")]).await;
    assert_eq!((&body["tenant"], &body["may_write"]), (&"Acme".into(), &false.into()));
}

#[tokio::test]
async fn nobody_makes_the_store_work() {
    let service = service().await;
    service.store.take_calls();
    let (status, ..) = send(&service.by_path(), "/t/initech/read", &[]).await;
    assert_eq!((status.as_u16(), service.store.take_calls()), (401, Vec::new()));
}

#[tokio::test]
async fn the_tenant_comes_from_a_header_or_from_the_host() {
    let service = service().await;
    let source = TenantSource::header(HeaderName::from_static("x-tenant"));
    let by_header = routes(source, "", &service.authorizer);
    for (tenant, expected) in [("acme", 200), ("globex", 403), ("initech", 404), ("ACME", 404), ("", 404)] {
        let (status, ..) = send(&by_header, "/read", &[("x-user", "bob"), ("x-tenant", tenant)]).await;
        assert_eq!(status, expected, "{tenant}");
    }
    let twice = [("x-user", "bob"), ("x-tenant", "acme"), ("x-tenant", "globex")];
    assert_eq!(send(&by_header, "/read", &twice).await.0, 404, "two tenants");
    let by_host = routes(TenantSource::host(".example.com"), "", &service.authorizer);
    for (host, expected) in [
        ("acme.example.com", 200),
        ("ACME.Example.com:8080", 200),
        ("example.com", 404),
        ("acme.example.com.evil.test", 404),
        ("acme.other.test", 404),
        ("a.acme.example.com", 404),
    ] {
        let (status, ..) = send(&by_host, "/read", &[("x-user", "bob"), ("host", host)]).await;
        assert_eq!(status, expected, "{host}");
    }
    let (status, ..) = send(&by_host, "/read", &[("x-user", "bob")]).await;
    assert_eq!(status, 404, "without a host");
}

#[tokio::test]
async fn all_checks_of_a_request_are_about_one_state() {
    let service = service().await;
    let asks_twice = async |asking: Permitted<PostsRead>, request: RequestTenant| {
        let before = asking.moment().snapshot().revision();
        let revoke = asking.tenant().update(|tx| tx.user("bob")?.unassign("reader")?.done()).await;
        revoke.unwrap();
        let same = asking.moment().snapshot().revision() == before && request.moment().snapshot().revision() == before;
        assert_eq!(asking.moment().instant(), request.moment().instant());
        let now = asking.tenant().check("bob", Permission::PostsRead);
        Json(serde_json::json!([same, asking.check(Permission::PostsRead), now]))
    };
    let router = Router::new()
        .route("/t/{tenant}", get(asks_twice))
        .route_layer(RequirePermission::new("posts:read"))
        .route_layer(TenantLayer::new(service.authorizer.clone(), TenantSource::path("tenant")))
        .route_layer(middleware::from_fn(authenticate));
    let (_, body, _) = send(&router, "/t/acme", &[("x-user", "bob")]).await;
    assert_eq!(body, serde_json::json!([true, true, false]));
    let (status, ..) = send(&router, "/t/acme", &[("x-user", "bob")]).await;
    assert_eq!(status, 403, "the next request sees it");
}

#[tokio::test]
async fn a_client_of_two_instances_sees_at_least_what_it_has_seen() {
    const HEADER: HeaderName = HeaderName::from_static("x-position");
    let store = MemoryStore::default();
    let instance = || {
        let authorizer = Authorizer::builder().store(store.clone()).catalog(Permission::catalog());
        authorizer.runtime(tokio::runtime::Handle::current()).build()
    };
    let (first, second) = (instance(), instance());
    let acme = first.create_tenant("acme", "Acme").await.unwrap();
    let globex = first.create_tenant("globex", "Globex").await.unwrap();
    acme.update(|tx| tx.create_user("alice")?.done()).await.unwrap();
    let routes = |authorizer: &Authorizer| {
        let layer = TenantLayer::new(authorizer.clone(), TenantSource::path("tenant")).position_header(HEADER);
        let read = async |_: Permitted<PostsRead>| "posts";
        Router::new().route("/t/{tenant}", get(read)).route_layer(layer).route_layer(middleware::from_fn(authenticate))
    };
    let (here, elsewhere) = (routes(&first), routes(&second));
    let position = |response: &Response| response.headers()[HEADER].to_str().unwrap().to_owned();
    let (status, _, old) = send(&elsewhere, "/t/acme", &[("x-user", "alice")]).await;
    assert_eq!((status.as_u16(), position(&old)), (403, acme.snapshot().position().to_string()));

    acme.update(|tx| {
        tx.create_role("reader")?.grant(Permission::PostsRead)?;
        tx.user("alice")?.assign("reader")?.done()
    })
    .await
    .unwrap();
    let (status, _, new) = send(&here, "/t/acme", &[("x-user", "alice")]).await;
    assert_eq!(status, 200);
    let seen = position(&new);
    assert_eq!(send(&elsewhere, "/t/acme", &[("x-user", "alice")]).await.0, 403, "nothing tells it to ask the store");
    // Of another tenant, not a position, and of a state that the store does not have.
    let ahead = rolecall::records::Position { revision: acme.revision().next(), ..acme.snapshot().position() };
    for (header, expected) in [
        (globex.snapshot().position().to_string(), 403),
        (String::new(), 400),
        (ahead.to_string(), 503),
        (seen.clone(), 200),
    ] {
        let headers = [("x-user", "alice"), ("x-position", header.as_str())];
        let (status, body, response) = send(&elsewhere, "/t/acme", &headers).await;
        assert_eq!(status, expected, "{header}: {body}");
        if expected == 400 {
            assert_eq!(body["title"], "the header `x-position` is not a position");
        }
        if expected == 503 {
            assert_eq!((&body["code"], body.get("detail")), (&"unavailable".into(), None));
            assert_eq!(response.extensions().get::<Error>().unwrap().kind(), ErrorKind::NotInHistory);
        }
    }
    assert_eq!(send(&elsewhere, "/t/acme", &[("x-position", "?")]).await.0, 401, "nobody makes it ask the store");
}

#[tokio::test]
async fn a_tenant_in_doubt_and_a_store_that_fails_are_503() {
    let service = service().await;
    let router = service.by_path();
    let acme = service.authorizer.tenant("acme").await.unwrap();
    service.store.fail_next(Call::Commit, Fault::ResponseLost);
    service.store.fail_every(Call::Since, Fault::Unavailable);
    let error = acme.update(|tx| tx.create_user("carol")?.done()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    for path in ["/t/acme/read", "/t/acme/write"] {
        let (status, body, response) = send(&router, path, &[("x-user", "alice")]).await;
        assert_eq!((status.as_u16(), &body["code"]), (503, &"unavailable".into()));
        assert_eq!(response.headers()["retry-after"], "1");
    }
    service.store.clear_faults();
    acme.refresh().await.unwrap();
    assert_eq!(send(&router, "/t/acme/read", &[("x-user", "alice")]).await.0, 200);

    // A tenant that is not open, while the store cannot be reached.
    service.store.fail_every(Call::Find, Fault::Unavailable);
    let (status, body, response) = send(&router, "/t/initech/read", &[("x-user", "alice")]).await;
    assert_eq!((status.as_u16(), &body["code"], body.get("detail")), (503, &"unavailable".into(), None));
    assert_eq!(response.headers()["retry-after"], "1", "the error is retryable");
    assert!(response.extensions().get::<Error>().is_some(), "the error is for the log");
}

#[tokio::test]
async fn anonymous_requests_reach_what_requires_nothing() {
    let service = service().await;
    let layer = TenantLayer::new(service.authorizer.clone(), TenantSource::path("tenant")).allow_anonymous();
    let router = Router::new()
        .route("/t/{tenant}/write", get(async || "written"))
        .route_layer(RequirePermission::new("posts:write"))
        .route("/t/{tenant}", get(async |request: RequestTenant| request.tenant().revision().to_string()))
        .route_layer(layer.challenge(HeaderValue::from_static("Basic realm=\"acme\"")));
    assert_eq!(send(&router, "/t/acme", &[]).await.0, 200);
    let (status, _, response) = send(&router, "/t/acme/write", &[]).await;
    assert_eq!(
        (status.as_u16(), &response.headers()["www-authenticate"]),
        (401, &"Basic realm=\"acme\"".parse().unwrap())
    );
}

#[tokio::test]
async fn a_forgotten_layer_is_an_error_and_no_permission() {
    let router = Router::new()
        .route("/layer", get(async || "reached"))
        .route_layer(RequirePermission::new("posts:read"))
        .route("/extractor", get(async |_: Permitted<PostsRead>| "reached"))
        .route_layer(middleware::from_fn(authenticate));
    for path in ["/layer", "/extractor"] {
        assert_eq!(send(&router, path, &[("x-user", "alice")]).await.0, 500, "{path}");
    }
}

#[test]
fn every_kind_of_error_has_a_status() {
    for kind in ErrorKind::ALL {
        let status = status_of(*kind);
        assert!(status.is_client_error() || status.is_server_error(), "{kind}");
        assert_eq!(
            status == StatusCode::INTERNAL_SERVER_ERROR,
            matches!(
                kind,
                ErrorKind::Internal
                    | ErrorKind::NestedUpdate
                    | ErrorKind::TooManyEntities
                    | ErrorKind::UnsupportedRecord
            ),
            "{kind}"
        );
    }
}

#[test]
fn a_problem_has_the_members_of_its_error_without_advice() {
    let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let id = rolecall::records::UserId::random().to_string();
    let error = acme.update(|tx| tx.user(&id)?.done()).unwrap_err();
    assert!(error.advice().is_some());
    let problem = Problem::from(error);
    assert_eq!((problem.member("advice"), problem.member("entity")), (None, Some(&"user".into())));
    let own = Problem::new(StatusCode::CONFLICT, "seats", "no seat").with_member("status", 200).with_member("left", 0);
    assert_eq!((own.status().as_u16(), own.to_string().as_str()), (409, "409: no seat"));
}
