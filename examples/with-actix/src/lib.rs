//! rolecall in actix-web: what `crates/rolecall-axum` does for axum, in the few lines that an application needs.
//!
//! | step | here | adds |
//! |---|---|---|
//! | authentication | [`authenticate`], which yours replaces | [`Subject`] in the request's extensions |
//! | tenant and permission | [`Permitted`], an argument of the handler | the open tenant and one moment |
//! | a permission for all routes of a scope | [`require_permission`], around the scope | the same |
//! | errors | [`Problem`]: `application/problem+json` (RFC 9457) | |
//!
//! The tenant is the parameter `tenant` of the path. If yours is in a header or in the host, change the one function that reads
//! it, `request_tenant` in `permitted.rs`.
#![forbid(unsafe_code)]

mod permitted;
mod problem;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpMessage, HttpResponse};
use rolecall::records::UserKey;

pub use permitted::{Permitted, RequiredPermission};
pub use problem::Problem;

/// The user who asks. The application's own authentication puts it into the extensions of a request.
#[derive(Clone, Debug)]
pub struct Subject(pub UserKey);

/// The application's own authentication. Here it believes a header, which yours must not.
///
/// # Errors
/// Those of the handlers.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let key = request.headers().get("x-user").and_then(|key| key.to_str().ok()?.parse().ok());
    if let Some(key) = key {
        request.extensions_mut().insert(Subject(key));
    }
    next.call(request).await
}

/// Requires a permission for all routes of a scope, so that a route which is added later needs it, too. A handler that also has
/// [`Permitted`] asks about the same moment.
///
/// # Errors
/// Those of the handlers. A denial is an answer.
pub async fn require_permission<R: RequiredPermission + 'static>(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match request.extract::<Permitted<R>>().await {
        Ok(_) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// `groups:read`.
#[derive(Debug)]
pub struct GroupsRead;

impl RequiredPermission for GroupsRead {
    const PERMISSION: &'static str = "groups:read";
}

/// `groups:manage`.
#[derive(Debug)]
pub struct GroupsManage;

impl RequiredPermission for GroupsManage {
    const PERMISSION: &'static str = "groups:manage";
}

/// The routes. The application has an [`Authorizer`](rolecall::Authorizer) as `web::Data`, and is wrapped in
/// [`authenticate`].
pub fn routes(config: &mut ServiceConfig) {
    let scope = web::scope("/t/{tenant}")
        .wrap(from_fn(require_permission::<GroupsRead>))
        .route("/groups", web::get().to(list))
        .route("/groups/{slug}", web::put().to(create))
        .route("/help", web::get().to(help));
    config.service(scope).default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::not_found()) }));
}

/// The permission is in the signature. All further questions of the request are about the same state.
async fn list(asking: Permitted<GroupsRead>) -> HttpResponse {
    let groups = asking.moment().groups(&rolecall::PageRequest::of(50)).items;
    let slugs: Vec<String> = groups.iter().map(|group| group.slug.to_string()).collect();
    HttpResponse::Ok().json(serde_json::json!({ "groups": slugs, "mayManage": asking.check(GroupsManage::PERMISSION) }))
}

/// No permission in the signature: the scope requires one.
async fn help() -> &'static str {
    "PUT /t/{tenant}/groups/{slug} creates a group."
}

/// A guarded change: nobody gives a right that they lack.
async fn create(asking: Permitted<GroupsManage>, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (user, (_, slug)) = (asking.subject().0.clone(), path.into_inner());
    let created = asking.tenant().update(move |tx| {
        tx.set_actor(user.as_str())?;
        tx.set_guard(&user);
        tx.create_group(&slug)?.id()
    });
    Ok(HttpResponse::Created().json(serde_json::json!({ "id": created.await?.value.to_string() })))
}
