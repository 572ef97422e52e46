//! Errors as SCIM has them (RFC 7644, section 3.12).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::{Error, ErrorKind};
use rolecall_axum::status_of;
use serde_json::{Value, json};

use crate::auth::CHALLENGE;
use crate::operations::Full;

/// The type of all bodies.
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// The schema of an error.
pub(crate) const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct ScimError {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: String,
    cause: Option<Error>,
}

impl ScimError {
    /// An error without a `scimType`.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), cause: None }
    }

    fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    pub(crate) fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    pub(crate) fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    pub(crate) fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    pub(crate) fn invalid_value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// The attribute is one that a client cannot change, or cannot remove.
    pub(crate) fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    pub(crate) fn no_target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// The answer would be too long.
    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::bad("tooMany", detail)
    }

    pub(crate) fn uniqueness(detail: impl Into<String>) -> Self {
        Self { scim_type: Some("uniqueness"), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found")
    }

    /// The request has no valid token of a directory.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication is required")
    }

    /// The tenant cannot answer at the moment.
    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the tenant is out of service")
    }
}

impl From<Full> for ScimError {
    fn from(full: Full) -> Self {
        let (status, _, text) = full.status();
        Self::new(status, text)
    }
}

/// A violation of the tenant's rules is described in general: a directory learns nothing about roles, other groups and other
/// directories. The log has the whole error.
impl From<Error> for ScimError {
    fn from(error: Error) -> Self {
        let own = |error: &Error| error.to_string();
        let mut answer = match error.kind() {
            ErrorKind::NotFound | ErrorKind::Deleted => Self::not_found(),
            ErrorKind::AlreadyExists => Self::uniqueness("another user or group of the tenant has this name or id"),
            ErrorKind::Invalid => Self::invalid_value(own(&error)),
            ErrorKind::Cycle => Self::invalid_value("a group cannot be a member of itself, directly or through others"),
            ErrorKind::Managed => Self::new(
                StatusCode::FORBIDDEN,
                "refused, because something else that this would change is managed elsewhere",
            ),
            ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed | ErrorKind::Rejected => {
                Self::new(StatusCode::CONFLICT, "a rule of the tenant forbids this change")
            }
            ErrorKind::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the change is too large"),
            // Others were faster, several times. Not 409: for a directory that would mean that the name is taken.
            ErrorKind::Conflict | ErrorKind::Stale => Self::new(StatusCode::SERVICE_UNAVAILABLE, "others were faster"),
            ErrorKind::InDoubt => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "it is not known whether the change was made: send it again")
            }
            kind => match status_of(kind) {
                StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(),
                _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
            },
        };
        answer.cause = Some(error);
        answer
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let Self { status, scim_type, detail, cause } = self;
        let mut body = json!({ "schemas": [ERROR], "status": status.as_u16().to_string(), "detail": detail });
        if let (Some(scim_type), Value::Object(members)) = (scim_type, &mut body) {
            members.insert("scimType".to_owned(), scim_type.into());
        }
        let mut response = (status, [(CONTENT_TYPE, MEDIA_TYPE)], Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
        match status {
            StatusCode::UNAUTHORIZED => drop(response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE)),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Some(error) = cause {
            response.extensions_mut().insert(error);
        }
        response
    }
}
