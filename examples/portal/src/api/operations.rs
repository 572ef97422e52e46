//! Operations: what became of a deletion that took longer than its answer.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall_axum::RequestTenant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::request::{Ids, TenantPath};
use crate::state::{PortalState, Principal};

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new().routes(routes!(read))
}

/// A deletion that takes longer than its answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// The id.
    id: String,
    /// The description, for people to read.
    #[schema(example = "Deleting the group `Staff`")]
    title: String,
    /// The path to ask for it again.
    path: String,
    /// Whether it is finished.
    status: OperationStatus,
    /// The status that the call would have answered, once it is finished: 204, or that of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    /// The problem details, if it was refused. They tell no more than their kind if the user has lost a permission since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// Whether an operation is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OperationStatus {
    /// It is running.
    Running,
    /// It is finished. Nothing was changed if it has a problem, except as the problem says.
    Done,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationPath {
    operation_id: String,
}

fn path_of(tenant: &TenantPath, id: &str) -> String {
    format!("{}/operations/{id}", tenant.base())
}

/// Answers that a deletion goes on, and where to ask for it: 202.
pub(super) fn accepted(tenant: &TenantPath, id: String, title: String) -> Response {
    let path = path_of(tenant, &id);
    let location = HeaderValue::from_str(&path);
    let operation =
        OperationView { id, title, path, status: OperationStatus::Running, http_status: None, problem: None };
    let mut response = (StatusCode::ACCEPTED, running(operation)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn running(operation: OperationView) -> impl IntoResponse {
    ([(RETRY_AFTER, HeaderValue::from_static("1"))], Json(operation))
}

/// Reads what became of a deletion that was answered with 202. Only its user finds it, while the user is active, and only for
/// some minutes after its end.
#[utoipa::path(get, path = "/operations/{operationId}", tag = "operations", params(("operationId" = String, Path)),
    responses((status = 200, body = OperationView,
        headers(("Retry-After" = u32, description = "In seconds, while it is running.")))))]
async fn read(
    State(state): State<PortalState>,
    Extension(principal): Extension<Principal>,
    request: RequestTenant,
    Path(tenant): Path<TenantPath>,
    Ids(asked): Ids<OperationPath>,
) -> Answer {
    let (id, moment) = (asked.operation_id, request.moment());
    let operation = state.operations().find(principal, &moment, &id)?;
    let (path, title) = (path_of(&tenant, &id), operation.begun.title.clone());
    let Some(answer) = &operation.answer else {
        let operation =
            OperationView { id, title, path, status: OperationStatus::Running, http_status: None, problem: None };
        return Ok(running(operation).into_response());
    };
    let problem = answer.problem(operation.tells_details(&moment)).map(Value::Object);
    let (status, http_status) = (OperationStatus::Done, Some(answer.status.as_u16()));
    Ok(Json(OperationView { id, title, path, status, http_status, problem }).into_response())
}
