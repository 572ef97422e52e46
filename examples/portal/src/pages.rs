//! The pages under `/t/{tenant}/portal`: plain HTML and forms.

use axum::Router;
use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use rolecall_axum::{Permitted, Problem};
use serde::Deserialize;

use crate::auth;
use crate::catalog::required::GroupsRead;
use crate::state::PortalState;

/// The pages that need a session.
pub fn router() -> Router<PortalState> {
    Router::new().route("/t/{tenant}/portal/access-management/groups", get(groups))
}

/// The pages that need none.
pub fn public_router() -> Router<PortalState> {
    Router::new()
        .route("/t/{tenant}/portal/login", get(login_form).post(login))
        .route("/t/{tenant}/portal/logout", post(logout))
}

/// Leads a browser without a session to the form, instead of an answer of the API.
pub fn guard(router: Router<PortalState>) -> Router<PortalState> {
    router.route_layer(middleware::from_fn(to_login))
}

async fn to_login(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_page = request.method() == Method::GET && path.split('/').nth(3) == Some("portal");
    let response = next.run(request).await;
    match path.split('/').nth(2) {
        Some(slug) if is_page && response.status() == StatusCode::UNAUTHORIZED => {
            Redirect::to(&format!("/t/{slug}/portal/login")).into_response()
        }
        _ => response,
    }
}

async fn groups(_: Permitted<GroupsRead>) -> Html<&'static str> {
    Html("<!doctype html><title>Groups</title><h1>Groups</h1>")
}

async fn login_form() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=en><title>Sign in</title><h1>Sign in</h1><form method=post>\
         <label>Token <input name=token type=password autocomplete=current-password required></label> \
         <button>Sign in</button></form>",
    )
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// Begins a session of the token's user. The token must belong to the tenant in the path.
async fn login(
    State(state): State<PortalState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<Response, Problem> {
    auth::same_origin(&headers)?;
    let refused = || Problem::unauthenticated(auth::CHALLENGE);
    let principal = state.principal(login.token.trim()).ok_or_else(refused)?;
    let tenant = state.authorizer().tenant_by_id(principal.tenant).await?;
    if tenant.slug().is_none_or(|own| own.as_str() != slug) {
        return Err(refused());
    }
    let secret = state.begin_session(principal);
    let to = Redirect::to(&format!("/t/{slug}/portal/access-management/groups"));
    Ok((auth::set_session(&state, &slug, &secret).map(|cookie| [cookie]), to).into_response())
}

/// Ends the session.
async fn logout(
    State(state): State<PortalState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    auth::same_origin(&headers)?;
    if let Some(secret) = auth::session_secret(&headers) {
        state.end_session(secret);
    }
    let to = Redirect::to(&format!("/t/{slug}/portal/login"));
    Ok((auth::clear_session(&slug).map(|cookie| [cookie]), to).into_response())
}
