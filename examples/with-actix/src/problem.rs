//! Problem details (RFC 9457): the body of every answer that is an error.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use rolecall::{Error, Reason};
use serde_json::json;

/// An answer that is an error. It is made from an [`Error`], so `?` does it in a handler.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    is_retryable: bool,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, detail: None, is_retryable: false }
    }

    /// The request has no valid token: 401.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "authentication is required")
    }

    /// The path or the tenant does not exist: 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "not found")
    }

    /// A denial: 403, or 503 if the tenant cannot answer.
    pub fn denied(reason: Reason, permission: &str) -> Self {
        match reason {
            Reason::Deleted => Self::not_found(),
            Reason::Unconfirmed
            | Reason::InDoubt
            | Reason::InvalidStoreContent
            | Reason::InternalError
            | Reason::Closed => {
                let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the tenant is out of service");
                Self { is_retryable: reason == Reason::InDoubt, ..problem }
            }
            _ => {
                let problem = Self::new(StatusCode::FORBIDDEN, "forbidden", "permission denied");
                Self { detail: Some(format!("requires {permission}")), ..problem }
            }
        }
    }

    /// The application has no authorizer, or the route no parameter `tenant`: 500.
    pub(crate) fn misconfigured() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error")
    }
}

/// An error of the server says nothing about its store.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let status = StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = (!status.is_server_error()).then(|| error.to_string());
        Self { status, code: kind.code(), title: kind.title(), detail, is_retryable: error.is_retryable() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({ "status": self.status.as_u16(), "code": self.code, "title": self.title });
        if let (Some(detail), Some(members)) = (&self.detail, body.as_object_mut()) {
            members.insert("detail".to_owned(), detail.as_str().into());
        }
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE && self.is_retryable {
            answer.insert_header((RETRY_AFTER, "1"));
        }
        answer.content_type("application/problem+json").body(body.to_string())
    }
}
