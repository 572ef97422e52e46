//! A portal on rolecall: groups, users, roles and permissions of a tenant over HTTP, as pages and as an API.
//!
//! [`app`] is the whole application as a router.
//!
//! | file | contents |
//! |---|---|
//! | `main.rs`, `serve.rs` | the command and the server |
//! | `state.rs` | everything that all requests share |
//! | `auth.rs`, `catalog.rs` | the user of a request, and the portal's own permissions |
//! | `api`, `pages` | the JSON calls under `/t/{tenant}/api/v1`, and the pages under `/t/{tenant}/portal` |
//! | `authzen.rs`, `scim` | the calls of AuthZEN, and those for directories |
//! | `stores.rs`, `history.rs` | the stores of the tenants, and the history of their changes |
//! | `operations.rs` | the deletions that go on after their answer |
#![forbid(unsafe_code)]

pub mod api;
pub mod auth;
pub mod authzen;
pub mod catalog;
mod deletion;
pub mod directories;
pub mod history;
pub mod lint_runs;
#[cfg(test)]
mod logged;
mod operations;
pub mod pages;
pub mod scim;
pub mod serve;
pub mod state;
pub mod stores;
pub mod tenant;

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rolecall_axum::{Problem, TenantLayer, TenantSource};

use crate::state::{PortalState, Principal};

/// The largest body of a request.
pub const MOST_BYTES: usize = 1024 * 1024;

/// The longest time of a request, its body included. A commit that it has begun goes on.
pub const MOST_TIME: Duration = Duration::from_secs(30);

/// Returns the whole application.
///
/// ```
/// use rolecall_portal::{app, state::PortalState, stores::StoreChoice};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await?;
/// let acme = rolecall_portal::tenant::open_or_create_sample(&store.authorizer, "acme-corp").await?;
/// let state = PortalState::over(store, "http://localhost:8080");
/// state.add_token("secret", &acme, rolecall_portal::tenant::ensure_administrator(&acme).await?);
/// let router = app(state);
/// # let _ = router;
/// # Ok(())
/// # }
/// ```
pub fn app(state: PortalState) -> Router {
    let tenant = TenantLayer::new(state.authorizer().clone(), TenantSource::path("tenant")).challenge(auth::CHALLENGE);
    let guarded = api::router()
        .merge(pages::router())
        .route_layer(tenant)
        .route_layer(middleware::from_fn_with_state(state.clone(), auth::authenticate));
    Router::new()
        .merge(guarded)
        .merge(pages::public_router())
        .merge(api::public_router())
        .merge(scim::router(state.clone()))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not_found", "no such page or call") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path has no such method")
        })
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn(within_time))
        .layer(middleware::from_fn(pages::as_page))
        .layer(middleware::from_fn(protect))
        .layer(middleware::from_fn(log))
        .with_state(state)
}

/// Ends a request that takes too long.
async fn within_time(request: Request, next: Next) -> Response {
    serve::within(MOST_TIME, request, next).await.unwrap_or_else(|late| {
        let (status, code, title) = late.status();
        Problem::new(status, code, title).into_response()
    })
}

/// Returns the caller's id of the request. Adds the headers that keep browsers from guessing types, from
/// loading what is not the portal's, and from keeping answers.
async fn protect(request: Request, next: Next) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: browsers would then send `Origin: null` with the portal's own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let request_id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = request_id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Writes a line for each request: the route but not its parameters, and the user's id but not the key. For an error of the
/// server, also the error, which the answer does not show.
async fn log(request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let user = response.extensions().get::<Principal>().map_or_else(String::new, |by| by.user.to_string());
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    match response.extensions().get::<rolecall::Error>() {
        Some(error) if response.status().is_server_error() => {
            tracing::error!(%method, route, status, ?took, user, %error, "failed");
        }
        _ => tracing::info!(%method, route, status, ?took, user, "answered"),
    }
    response
}
