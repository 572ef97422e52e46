//! A deletion that takes longer than its answer: a page that loads itself again until it is done. Then it is what the form would
//! have been answered: it leads to the list, or says why nothing was deleted.

use axum::extract::{Extension, Path, State};
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use maud::html;
use rolecall_axum::{Problem, RequestTenant};

use super::layout::{Section, page, page_with_status};
use super::visit::Frame;
use crate::deletion::Deletion;
use crate::state::{PortalState, Principal};

/// Seconds until the page loads itself again.
const INTERVAL: HeaderValue = HeaderValue::from_static("1");

/// It requires no permission, which the deletion may have taken from its user. Nobody else finds it. It shows details of a refusal
/// only while its user has the permissions that have chosen them.
pub(super) async fn operation(
    State(state): State<PortalState>,
    Extension(principal): Extension<Principal>,
    request: RequestTenant,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let moment = request.moment();
    let operation = state.operations().find(principal, &moment, &id)?;
    let frame = Frame::of(&moment, principal.user);
    let section = match operation.begun.deletion {
        Deletion::Group(_) => Section::Groups,
        Deletion::Role(_) => Section::Roles,
    };
    if let Some(answer) = &operation.answer {
        if operation.tells_details(&moment) {
            return Ok(answer.answer());
        }
        return Ok(answer.answer_without_details().unwrap_or_else(|| refused(answer.status, &frame, section)));
    }
    let content = html! {
        h1 { (operation.begun.title) }
        p role="status" { "Very many users have it, so this takes a moment. This page shows the outcome when it is done." }
        p.muted { "If you leave this page, the deletion goes on." }
        p { a.button href=(frame.path(&format!("operations/{id}"))) { "Look again" } }
    };
    let mut page = page(&frame, section, &operation.begun.title, content);
    page.headers_mut().insert(REFRESH, INTERVAL);
    Ok(page)
}

/// A refusal without its details.
fn refused(status: StatusCode, frame: &Frame, section: Section) -> Response {
    let content = html! {
        h1 { "Nothing was deleted" }
        p { "You have lost a permission since you began this deletion, so the reason is not shown." }
    };
    page_with_status(status, frame, section, "Error: nothing was deleted", content)
}
