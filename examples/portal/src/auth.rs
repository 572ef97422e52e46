//! The subject of a request: a bearer token, or the session of the page. A change by a session must come from the portal's
//! own pages.

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use rolecall::records::TenantSlug;
use rolecall_axum::{Problem, Subject};

use crate::state::{PortalState, Principal, SESSION_LENGTH};

/// The name of the session's cookie.
const COOKIE_NAME: &str = "portal_session";

/// The value of `WWW-Authenticate`.
pub const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"rolecall-portal\"");

/// The middleware that finds out who asks. It adds the [`Principal`] and the [`Subject`] to the request.
///
/// It answers 401 without a valid token or session. A change with a session is 403 if it comes from another site. A tenant
/// in the path that is not the token's is 404, so nobody learns which other tenants exist.
pub async fn authenticate(
    State(state): State<PortalState>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let principal = identify(&state, request.method(), request.headers())?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", "tenant not found");
    // A parameter that is not UTF-8.
    let parameters = parameters.map_err(|_| missing())?;
    let slug = parameters.iter().find(|(name, _)| *name == "tenant").map(|(_, slug)| slug);
    let tenant = state.authorizer().tenant_by_id(principal.tenant).await?;
    if tenant.slug().as_ref().map(TenantSlug::as_str) != slug {
        return Err(missing());
    }
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(Subject::Id(principal.user));
    let mut response = next.run(request).await;
    // For the log.
    response.extensions_mut().insert(principal);
    Ok(response)
}

fn identify(state: &PortalState, method: &Method, headers: &HeaderMap) -> Result<Principal, Problem> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        // With two of them, a proxy may have judged the other one.
        let one = Some(authorization).filter(|_| authorizations.next().is_none());
        let principal = one.and_then(bearer_token).and_then(|token| state.principal(token));
        return principal.ok_or_else(unauthenticated);
    }
    let principal = session_secret(headers).and_then(|secret| state.session(secret)).ok_or_else(unauthenticated)?;
    if !method.is_safe() {
        same_origin(state, headers)?;
    }
    Ok(principal)
}

fn unauthenticated() -> Problem {
    Problem::unauthenticated(CHALLENGE)
}

/// The token in `Bearer TOKEN`. The scheme is compared without case (RFC 9110).
pub(crate) fn bearer_token(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Returns the secret of the session in the cookie.
pub fn session_secret(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, secret)| secret)
}

/// Refuses a request that another site has sent. A browser says where a request comes from, in `Sec-Fetch-Site`. Older ones do
/// not, nor does one over HTTP to another host than its own: then `Origin` must be that of the base URL. A request that says
/// neither is refused.
///
/// # Errors
/// 403.
pub fn same_origin(state: &PortalState, headers: &HeaderMap) -> Result<(), Problem> {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let is_own = match (headers.get(SEC_FETCH_SITE), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin.to_str().ok().and_then(origin_of).is_some_and(|origin| {
            // The scheme, too: a page over HTTP may come from anybody on the way.
            origin_of(state.base_url()).is_some_and(|own| own == origin)
        }),
        (None, None) => false,
    };
    if is_own {
        Ok(())
    } else {
        Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "the request comes from another site"))
    }
}

/// The origin of a URL: its scheme, host and port, as browsers write them.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let usual_port = if scheme == "https" { ":443" } else { ":80" };
    Some(format!("{scheme}://{}", host.strip_suffix(usual_port).unwrap_or(&host)))
}

/// Returns the header that gives a session to the browser. The cookie is sent only to this tenant's paths.
pub fn set_session(state: &PortalState, slug: &str, secret: &str) -> Option<(HeaderName, HeaderValue)> {
    let secure = if state.is_https() { "; Secure" } else { "" };
    let (path, age) = (format!("/t/{slug}/"), SESSION_LENGTH.as_secs());
    let cookie = format!("{COOKIE_NAME}={secret}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    Some((SET_COOKIE, HeaderValue::from_str(&cookie).ok()?))
}

/// Returns the header that takes the session from the browser.
pub fn clear_session(slug: &str) -> Option<(HeaderName, HeaderValue)> {
    let cookie = format!("{COOKIE_NAME}=; Path=/t/{slug}/; Max-Age=0; HttpOnly; SameSite=Strict");
    Some((SET_COOKIE, HeaderValue::from_str(&cookie).ok()?))
}
