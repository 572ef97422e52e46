//! Signing in with a token, and signing out.

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use rolecall::records::TenantSlug;
use rolecall_axum::Problem;
use serde::Deserialize;

use super::layout::{bare_page, link, page_answer};
use crate::auth;
use crate::state::PortalState;

#[derive(Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// The page to go to: one of this tenant's own, or the groups.
    fn path(&self, slug: &str) -> String {
        let own = format!("/t/{slug}/portal/");
        // Browsers take a backslash for a slash. Other characters than visible ASCII cannot be in a header.
        let is_plain = self.next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if self.next.starts_with(&own) && is_plain {
            self.next.clone()
        } else {
            format!("{own}access-management/groups")
        }
    }
}

pub(super) async fn login_form(Path(slug): Path<String>, Query(next): Query<Next>) -> Response {
    form(StatusCode::OK, &slug, &next, None)
}

fn form(status: StatusCode, slug: &str, next: &Next, error: Option<&str>) -> Response {
    let action = link(&format!("/t/{slug}/portal/login"), &[("next", &next.next)]);
    let content = html! {
        main.card.narrow #content tabindex="-1" {
            h1 { "Sign in" }
            @if let Some(error) = error {
                div.errors role="alert" { h2 { "There is a problem" } ul { li { a href="#token" { (error) } } } }
            }
            form method="post" action=(action) {
                div.field {
                    label for="token" { "Token" }
                    p.hint #token-hint { "The server prints the token of an administrator when it starts." }
                    input #token name="token" type="password" autocomplete="current-password" required
                        aria-describedby="token-hint" aria-invalid=[error.map(|_| "true")];
                }
                button.primary { "Sign in" }
            }
        }
    };
    let title = if error.is_some() { "Error: Sign in" } else { "Sign in" };
    page_answer(status, bare_page(title, content))
}

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
}

/// Begins a session of the token's user. The token must belong to the tenant in the path.
pub(super) async fn login(
    State(state): State<PortalState>,
    Path(slug): Path<String>,
    Query(next): Query<Next>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<Response, Problem> {
    auth::same_origin(&state, &headers)?;
    // As a page and not as 401, which leads here.
    let refused = || form(StatusCode::UNPROCESSABLE_ENTITY, &slug, &next, Some("This is not a token of this tenant"));
    let Some(principal) = state.principal(login.token.trim()) else { return Ok(refused()) };
    let tenant = state.authorizer().tenant_by_id(principal.tenant).await?;
    if tenant.slug().is_none_or(|own| own.as_str() != slug) {
        return Ok(refused());
    }
    let secret = state.begin_session(principal);
    let to = Redirect::to(&next.path(&slug));
    Ok((auth::set_session(&state, &slug, &secret).map(|cookie| [cookie]), to).into_response())
}

/// Ends the session.
pub(super) async fn logout(
    State(state): State<PortalState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    auth::same_origin(&state, &headers)?;
    if let Some(secret) = auth::session_secret(&headers) {
        state.end_session(secret);
    }
    if TenantSlug::new(&slug).is_err() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "tenant not found"));
    }
    let to = Redirect::to(&format!("/t/{slug}/portal/login"));
    Ok((auth::clear_session(&slug).map(|cookie| [cookie]), to).into_response())
}
