//! axum for [rolecall](https://docs.rs/rolecall): who asks, in which tenant, and may they?
//!
//! ```
//! use axum::extract::Request;
//! use axum::middleware::{self, Next};
//! use axum::response::Response;
//! use axum::routing::get;
//! use axum::{Router, http::StatusCode};
//! use rolecall::Authorizer;
//! use rolecall_axum::{Permitted, RequirePermission, RequiredPermission, Subject, TenantLayer, TenantSource};
//!
//! /// The application's own authentication. Here it believes a header, which yours must not.
//! async fn authenticate(mut request: Request, next: Next) -> Response {
//!     let key = request.headers().get("x-user").and_then(|key| key.to_str().ok());
//!     if let Some(subject) = key.and_then(|key| key.parse().ok()).map(Subject::Key) {
//!         request.extensions_mut().insert(subject);
//!     }
//!     next.run(request).await
//! }
//!
//! struct PostsRead;
//!
//! impl RequiredPermission for PostsRead {
//!     type Permission = &'static str;
//!     const PERMISSION: &'static str = "posts:read";
//! }
//!
//! /// The permission is in the signature. All further questions of the request are about the same state.
//! async fn list(asking: Permitted<PostsRead>) -> String {
//!     let may_write = asking.check("posts:write");
//!     format!("{may_write} at revision {}", asking.moment().snapshot().revision())
//! }
//!
//! fn app(authorizer: Authorizer) -> Router {
//!     Router::new()
//!         .route("/t/{tenant}/posts/{post}", get(|| async { "a post" }))
//!         .route_layer(RequirePermission::new("posts:read"))
//!         .route("/t/{tenant}/posts", get(list))
//!         .route_layer(TenantLayer::new(authorizer, TenantSource::path("tenant")))
//!         .route_layer(middleware::from_fn(authenticate))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower::ServiceExt;
//! let authorizer = Authorizer::builder().runtime(tokio::runtime::Handle::current()).build();
//! let acme = authorizer.create_tenant("acme", "Acme").await?;
//! acme.update(|tx| {
//!     tx.create_permission("posts:read")?;
//!     tx.create_role("reader")?.grant("posts:*")?;
//!     tx.create_user("alice")?.assign("reader")?;
//!     tx.create_user("bob")?.done()
//! })
//! .await?;
//!
//! for (user, path, expected) in [
//!     (Some("alice"), "/t/acme/posts", StatusCode::OK),
//!     (Some("alice"), "/t/acme/posts/1", StatusCode::OK),
//!     (Some("bob"), "/t/acme/posts", StatusCode::FORBIDDEN),
//!     (Some("bob"), "/t/acme/posts/1", StatusCode::FORBIDDEN),
//!     (None, "/t/acme/posts", StatusCode::UNAUTHORIZED),
//!     (Some("alice"), "/t/globex/posts", StatusCode::NOT_FOUND),
//! ] {
//!     let request = Request::get(path).header("x-user", user.unwrap_or_default()).body(axum::body::Body::empty())?;
//!     assert_eq!(app(authorizer.clone()).oneshot(request).await?.status(), expected, "{user:?} {path}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a request
//!
//! | step | done by | adds |
//! |---|---|---|
//! | authentication | the application, in a middleware outside of the rest | [`Subject`] in the request's extensions |
//! | tenant | [`TenantLayer`]: from the path, a header or the host ([`TenantSource`]) | [`RequestTenant`]: the open tenant and one moment |
//! | permission | [`RequirePermission`] around routes, or [`Permitted`] in a handler's arguments | |
//! | errors | [`Problem`]: `application/problem+json` (RFC 9457) | |
//!
//! Layers that are added later run earlier, so add authentication last.
//!
//! # Statuses
//!
//! | status | when |
//! |---|---|
//! | 401 | the request has no [`Subject`] |
//! | 403 | the permission is denied |
//! | 404 | the tenant does not exist |
//! | 503 | the tenant is in doubt, out of service or closed; its state is older than `max_staleness`; the store cannot be reached |
//!
//! [`status_of`] has those of all errors.
//!
//! # Consistency
//! [`TenantLayer`] takes one [`Moment`](rolecall::Moment) for each request. Every layer, every extractor and every
//! question of the handler uses it. So a request sees one revision and one instant, whatever is committed meanwhile.
//! The commits of the handler itself are in `tenant().now()`, not in this moment. Where a client talks to several instances,
//! [`TenantLayer::position_header`] lets each of them show at least what the client has seen.
//!
//! # Security
//! Nothing here authenticates. A request without a [`Subject`] is refused before the store is asked for a tenant, so
//! that nobody without an account learns which tenants exist. An error that is the server's has no details in its body;
//! they are in the extensions of the response, for a log.
#![forbid(unsafe_code)]

mod permission;
mod problem;
mod subject;
mod tenant;

pub use self::permission::{Permitted, RequirePermission, RequirePermissionService, RequiredPermission};
pub use self::problem::{Problem, status_of};
pub use self::subject::Subject;
pub use self::tenant::{RequestTenant, TenantLayer, TenantService, TenantSource};
