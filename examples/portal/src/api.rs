//! The JSON calls under `/t/{tenant}/api/v1`.
//!
//! `api/request.rs` reads requests, and `api/views.rs` has the content of answers. `api/change.rs` commits or previews a
//! change, `api/preview.rs` has the content of a preview, and `api/operations.rs` the outcome of a deletion that took long.
//! Each other file has the calls about one kind of thing; `api/assignments.rs` has those that users and groups share. The
//! description for clients is made from the handlers (`api/openapi.rs`).

pub mod access;
pub mod assignments;
pub mod change;
pub mod directories;
pub mod groups;
pub mod history;
pub mod openapi;
pub mod operations;
pub mod permissions;
pub mod preview;
pub mod request;
pub mod roles;
pub mod users;
pub mod views;

use axum::Router;
use axum::response::Response;
use rolecall_axum::Problem;
use utoipa_axum::router::OpenApiRouter;

use crate::state::PortalState;

/// The result of a handler.
pub(crate) type Answer = Result<Response, Problem>;

fn documented() -> OpenApiRouter<PortalState> {
    let calls = groups::router()
        .merge(users::router())
        .merge(roles::router())
        .merge(permissions::router())
        .merge(directories::router())
        .merge(access::router())
        .merge(history::router())
        .merge(operations::router());
    OpenApiRouter::new().nest("/t/{tenant}/api/v1", calls).nest("/t/{tenant}/access/v1", crate::authzen::router())
}

/// The calls. Each requires a permission of the tenant, except the one about an operation, which only its user finds.
pub fn router() -> Router<PortalState> {
    documented().split_for_parts().0
}

/// The calls without authentication: the description of all others.
pub fn public_router() -> Router<PortalState> {
    openapi::router().merge(crate::authzen::public_router())
}
