//! The status of each kind of request, and the body of an error.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::middleware::from_fn;
use actix_web::{App, test, web};
use rolecall::store::MemoryStore;
use rolecall::store::conformance::{Call as StoreCall, Fault, FaultyStore};
use rolecall::{Authorizer, Tenant};
use rolecall_with_actix::{authenticate, routes};
use serde_json::Value;

async fn acme(authorizer: &Authorizer) -> Tenant {
    let acme = authorizer.create_tenant("acme", "Acme").await.unwrap();
    let filled = acme.update(|tx| {
        tx.create_permission("groups:read")?;
        tx.create_permission("groups:manage")?;
        tx.create_role("administrator")?.grant("groups:*")?;
        tx.create_role("reader")?.grant("groups:read")?;
        tx.create_user("alice")?.assign("administrator")?;
        tx.create_user("bob")?.assign("reader")?;
        tx.create_user("carol")?.done()
    });
    filled.await.unwrap();
    acme
}

/// Status, content type, challenge and body of the answer.
async fn ask(authorizer: &Authorizer, method: Method, path: &str, user: &str) -> (u16, String, String, Value) {
    let app = App::new().app_data(web::Data::new(authorizer.clone())).configure(routes).wrap(from_fn(authenticate));
    let app = test::init_service(app).await;
    let mut request = test::TestRequest::with_uri(path).method(method);
    if !user.is_empty() {
        request = request.insert_header(("x-user", user));
    }
    let answer = test::call_service(&app, request.to_request()).await;
    let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, kind, challenge) = (answer.status().as_u16(), header(CONTENT_TYPE), header(WWW_AUTHENTICATE));
    let body = serde_json::from_slice(&test::read_body(answer).await).unwrap_or_default();
    (status, kind, challenge, body)
}

#[actix_web::test]
async fn each_request_has_the_status_that_fits() {
    let authorizer = Authorizer::in_memory();
    let acme = acme(&authorizer).await;
    let (get, put) = (Method::GET, Method::PUT);
    for (method, path, user, status) in [
        (&get, "/t/acme/groups", "alice", 200),
        (&get, "/t/acme/groups", "bob", 200),
        (&get, "/t/acme/groups", "carol", 403),
        (&get, "/t/acme/groups", "nobody", 403),
        (&get, "/t/acme/groups", "", 401),
        (&get, "/t/globex/groups", "alice", 404),
        (&get, "/t/acme/help", "bob", 200),
        (&get, "/t/acme/help", "carol", 403),
        (&get, "/t/acme/help", "", 401),
        (&get, "/t/globex/help", "alice", 404),
        (&get, "/t/acme/nothing", "carol", 403),
        (&get, "/t/acme/nothing", "alice", 404),
        (&put, "/t/acme/groups/staff", "bob", 403),
        (&put, "/t/acme/groups/staff", "alice", 201),
        (&put, "/t/acme/groups/staff", "alice", 409),
        (&put, "/t/acme/groups/a%20b", "alice", 422),
    ] {
        let (found, kind, challenge, body) = ask(&authorizer, method.clone(), path, user).await;
        assert_eq!(found, status, "{method} {path} {user}: {body}");
        assert_eq!(kind == "application/problem+json", status >= 400, "{method} {path} {user}");
        assert_eq!(challenge.is_empty(), status != 401);
        assert!(status < 400 || body["status"] == status && body["code"].is_string(), "{body}");
    }
    let (_, _, _, body) = ask(&authorizer, get, "/t/acme/groups", "bob").await;
    assert_eq!(body, serde_json::json!({ "groups": ["staff"], "mayManage": false }));
    assert!(acme.now().group("staff").is_some());
}

#[actix_web::test]
async fn a_tenant_in_doubt_answers_503() {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(store.clone()).build();
    acme(&authorizer).await;
    store.fail_next(StoreCall::Commit, Fault::ResponseLost);
    store.fail_every(StoreCall::Since, Fault::Unavailable);
    let (status, _, _, body) = ask(&authorizer, Method::PUT, "/t/acme/groups/staff", "alice").await;
    assert_eq!((status, body.get("detail")), (503, None), "{body}");
    let (status, _, _, body) = ask(&authorizer, Method::GET, "/t/acme/groups", "alice").await;
    assert_eq!((status, &body["code"]), (503, &"unavailable".into()));
}
