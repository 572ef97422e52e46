//! A deletion that takes longer than its answer: a page that loads itself again until it is done. Then it is what the form would
//! have been answered: it leads to the list, or says why nothing was deleted.

use axum::extract::{Extension, Path, State};
use axum::http::HeaderValue;
use axum::http::header::REFRESH;
use axum::response::Response;
use maud::html;
use rolecall_axum::{Problem, RequestTenant};

use super::groups::not_found;
use super::layout::{Section, page};
use super::visit::Frame;
use crate::deletion::Deletion;
use crate::state::{PortalState, Principal};

/// Seconds until the page loads itself again.
const INTERVAL: HeaderValue = HeaderValue::from_static("1");

/// It requires no permission, which the deletion may have taken from its user. Nobody else finds it.
pub(super) async fn operation(
    State(state): State<PortalState>,
    Extension(principal): Extension<Principal>,
    request: RequestTenant,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let operation = state.operations().of(principal, &id).ok_or_else(|| not_found("operation"))?;
    if let Some(outcome) = operation.outcome {
        return Ok(outcome.answer());
    }
    let frame = Frame::of(&request.moment(), principal.user);
    let section = match operation.deletion {
        Deletion::Group(_) => Section::Groups,
        Deletion::Role(_) => Section::Roles,
    };
    let content = html! {
        h1 { (operation.title) }
        p role="status" { "Very many users have it, so this takes a moment. The page shows by itself when it is done." }
        p.muted { "If you leave this page, the deletion goes on." }
        p { a.button href=(frame.path(&format!("operations/{id}"))) { "Look again" } }
    };
    let mut page = page(&frame, section, &operation.title, content);
    page.headers_mut().insert(REFRESH, INTERVAL);
    Ok(page)
}
