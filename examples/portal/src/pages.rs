//! The pages under `/t/{tenant}/portal`: HTML from the server, and forms that work without a script.
//!
//! `pages/layout.rs` has the layout of all pages, and `pages/visit.rs` the user who visits one. `pages/change.rs` turns a
//! form into a guarded transaction, previewed or committed. For it, `fields.rs` reads the form, `edits.rs` makes the
//! changes, `effect.rs` shows the preview, and `operation.rs` shows the outcome of a deletion that took long. Each other
//! file has the pages about one kind of thing. The style sheet and the script are in `static`.

mod assets;
mod change;
mod directory;
mod edits;
mod effect;
mod expiring;
mod fields;
mod group_roles;
mod groups;
mod history;
mod layout;
mod lint;
mod members;
mod operation;
mod permissions;
mod role_settings;
mod roles;
mod session;
mod sources;
mod subgroups;
mod tester;
mod tree;
mod users;
mod visit;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use rolecall_axum::Problem;

use crate::state::PortalState;

/// So many entries of a list on one page.
pub(crate) const PAGE_SIZE: usize = 50;

/// The pages that need a session.
pub fn router() -> Router<PortalState> {
    let access = Router::new()
        .route("/groups", get(groups::list).post(groups::create))
        .route("/groups/new", get(groups::new))
        .route("/groups/{group}", get(members::members).post(groups::change))
        .route("/groups/{group}/add-members", get(members::add_members))
        .route("/groups/{group}/members/{user}", get(members::member))
        .route("/groups/{group}/roles", get(group_roles::roles))
        .route("/groups/{group}/subgroups", get(subgroups::subgroups))
        .route("/groups/{group}/settings", get(groups::settings))
        .route("/groups/{group}/directory", get(directory::group).post(directory::change_group))
        .route("/groups/{group}/history", get(history::group))
        .route("/groups/{group}/children", get(tree::children))
        .route("/users", get(users::list).post(users::create))
        .route("/users/new", get(users::new))
        .route("/users/{user}", get(users::user).post(users::change))
        .route("/users/{user}/settings", get(users::settings))
        .route("/users/{user}/directory", get(directory::user).post(directory::change_user))
        .route("/users/{user}/history", get(history::user))
        .route("/roles", get(roles::list).post(role_settings::create))
        .route("/roles/new", get(role_settings::new))
        .route("/roles/{role}", get(roles::role).post(role_settings::change))
        .route("/roles/{role}/settings", get(role_settings::settings))
        .route("/roles/{role}/history", get(history::role))
        .route("/permissions", get(permissions::list).post(permissions::create))
        .route("/permissions/new", get(permissions::new))
        .route("/permissions/{permission}", get(permissions::permission).post(permissions::change))
        .route("/permissions/{permission}/settings", get(permissions::settings))
        .route("/permissions/{permission}/history", get(history::permission))
        .route("/tester", get(tester::tester))
        .route("/expiring", get(expiring::expiring))
        .route("/lint", get(lint::lint))
        .route("/history", get(history::tenant))
        .route("/operations/{operation}", get(operation::operation));
    Router::new()
        .nest("/t/{tenant}/portal/access-management", access)
        .route("/t/{tenant}/portal", get(start))
        .route("/t/{tenant}/portal/{*rest}", get(nothing).post(nothing))
}

/// The pages that need none, and the files that they load.
pub fn public_router() -> Router<PortalState> {
    Router::new()
        .route("/t/{tenant}/portal/login", get(session::login_form).post(session::login))
        .route("/t/{tenant}/portal/logout", post(session::logout))
        .merge(assets::router())
}

async fn start(Path(slug): Path<String>) -> Redirect {
    Redirect::to(&format!("/t/{slug}/portal/access-management/groups"))
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "no such page")
}

/// The largest body of problem details that is made a page.
const MOST_PROBLEM_BYTES: usize = 256 * 1024;

/// Makes pages of errors under the path of the pages, and leads a browser without a session to the form.
pub(crate) async fn as_page(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let is_read = request.method().is_safe();
    let mut parts = path.split('/').skip(2);
    let (slug, is_page) = (parts.next().unwrap_or_default().to_owned(), parts.next() == Some("portal"));
    let response = next.run(request).await;
    if !is_page || (!response.status().is_client_error() && !response.status().is_server_error()) {
        return response;
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        // The fields of a form are lost with its session, so the way back is to a page.
        let back = if is_read { format!("{path}{query}") } else { String::new() };
        let to = layout::link(&format!("/t/{slug}/portal/login"), &[("next", &back)]);
        return Redirect::to(&to).into_response();
    }
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    // Problem details, or the text in which axum says that a path or form cannot be read.
    let (mut parts, body) = response.into_parts();
    let problem = to_bytes(body, MOST_PROBLEM_BYTES).await.ok().and_then(|json| serde_json::from_slice(&json).ok());
    let page = layout::problem_page(&slug, parts.status, &problem.unwrap_or_default());
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(page.into_string()))
}
