//! Problem details (RFC 9457): the body of every answer that is an error.

use std::fmt;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::{Error, ErrorKind, Reason};
use serde::Serialize;
use serde_json::{Map, Value};

/// An answer that is an error: `application/problem+json` (RFC 9457).
///
/// It is made from an [`Error`], so `?` does it in a handler that returns `Result<_, Problem>`. Applications make their
/// own with [`Problem::new`].
///
/// ```
/// use axum::http::StatusCode;
/// use rolecall_axum::Problem;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let problem = Problem::from(acme.update(|tx| tx.group("staff")?.done()).unwrap_err());
/// assert_eq!((problem.status(), problem.code()), (StatusCode::NOT_FOUND, "not_found"));
/// assert_eq!(problem.member("detail").unwrap(), "group `staff` not found");
///
/// let problem = Problem::new(StatusCode::PAYMENT_REQUIRED, "trial_ended", "the trial has ended");
/// assert_eq!(problem.to_string(), "402: the trial has ended");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Members
/// `status`, `code` and `title` always. `code` is stable and meant for programs. For an [`Error`], also `detail` and
/// what its kind carries, such as `name`, `mistakes` or `missing_rights`. The member `advice` is left out, because it
/// is for developers.
///
/// # Security
/// An error that is the server's (5xx) has neither `detail` nor a member that describes the store. The whole error is
/// in the extensions of the response, and a denial has its [`Reason`] there, so that a middleware can log them.
///
/// The `detail` of a refused separation of duties (R14) or assertion (R17) names users and groups. For people who must not see
/// them, create a problem from the code and the title.
///
/// # Retries
/// A 503 has `Retry-After: 1` if it can pass by itself. The error is then [retryable](Error::is_retryable), the tenant is in
/// doubt, or its state is older than [`max_staleness`](rolecall::AuthorizerBuilder::max_staleness).
#[derive(Clone)]
pub struct Problem(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    code: String,
    title: String,
    members: Map<String, Value>,
    cause: Option<Error>,
    reason: Option<Reason>,
    challenge: Option<HeaderValue>,
}

/// Returns the status that an error of this kind has.
///
/// ```
/// use rolecall::ErrorKind;
/// use rolecall_axum::status_of;
///
/// assert_eq!(status_of(ErrorKind::NotFound), 404);
/// assert_eq!(status_of(ErrorKind::AlreadyExists), 409);
/// assert_eq!(status_of(ErrorKind::Escalation), 403);
/// assert_eq!(status_of(ErrorKind::InDoubt), 503);
/// ```
///
/// [`ErrorKind::http_status`] has the table.
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match StatusCode::from_u16(kind.http_status()) {
        Ok(status) => status,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// Creates a problem of the application: a code for programs, and a short constant text for people.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use rolecall_axum::Problem;
    ///
    /// assert_eq!(Problem::new(StatusCode::CONFLICT, "seats", "no seat is left").status(), 409);
    /// ```
    pub fn new(status: StatusCode, code: impl Into<String>, title: impl Into<String>) -> Self {
        let (code, title, members) = (code.into(), title.into(), Map::new());
        Self(Box::new(Inner { status, code, title, members, cause: None, reason: None, challenge: None }))
    }

    /// Adds the mistake of this particular request.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use rolecall_axum::Problem;
    ///
    /// let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_json", "malformed JSON").with_detail("line 1");
    /// assert_eq!(problem.member("detail").unwrap(), "line 1");
    /// ```
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        self.with_member("detail", detail.into())
    }

    /// Adds a member. A value that cannot be serialised as JSON is left out. `status`, `code` and `title` stay what
    /// they are.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use rolecall_axum::Problem;
    ///
    /// let problem = Problem::new(StatusCode::CONFLICT, "seats", "no seat is left").with_member("seats", 50);
    /// assert_eq!(problem.member("seats").unwrap(), 50);
    /// ```
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.members.insert(name.to_owned(), value);
        }
        self
    }

    /// Creates the problem of a request without a [`Subject`](crate::Subject): 401, with this value of
    /// `WWW-Authenticate`.
    ///
    /// ```
    /// use axum::http::HeaderValue;
    /// use rolecall_axum::Problem;
    ///
    /// assert_eq!(Problem::unauthenticated(HeaderValue::from_static("Bearer")).status(), 401);
    /// ```
    pub fn unauthenticated(challenge: HeaderValue) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "authentication is required");
        problem.0.challenge = Some(challenge);
        problem
    }

    /// Creates the problem of a denial: 403 with the permission that is required, or 503 if the tenant cannot answer.
    ///
    /// ```
    /// use rolecall::Reason;
    /// use rolecall_axum::Problem;
    ///
    /// let problem = Problem::denied(Reason::NoPath, "posts:read");
    /// assert_eq!((problem.status().as_u16(), problem.code()), (403, "forbidden"));
    /// assert_eq!(problem.member("permission").unwrap(), "posts:read");
    /// assert_eq!(Problem::denied(Reason::InDoubt, "posts:read").status(), 503);
    /// assert_eq!(Problem::denied(Reason::Deleted, "posts:read").status(), 404);
    /// ```
    pub fn denied(reason: Reason, permission: impl fmt::Display) -> Self {
        let mut problem = match reason {
            Reason::Deleted => Self::new(StatusCode::NOT_FOUND, "not_found", "tenant not found"),
            Reason::Unconfirmed
            | Reason::InDoubt
            | Reason::InvalidStoreContent
            | Reason::InternalError
            | Reason::Closed => Self::unavailable(),
            _ => Self::new(StatusCode::FORBIDDEN, "forbidden", "permission denied")
                .with_member("permission", permission.to_string()),
        };
        problem.0.reason = Some(reason);
        problem
    }

    /// The tenant cannot answer at the moment.
    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the tenant is out of service")
    }

    /// This process does not have the state that the client has seen, and must not answer from an older one.
    pub(crate) fn behind(error: Error) -> Self {
        let mut problem = Self::unavailable();
        problem.0.cause = Some(error);
        problem
    }

    /// Returns the status.
    ///
    /// ```
    /// let problem = rolecall_axum::Problem::from(rolecall::Error::rejected("no"));
    /// assert_eq!(problem.status(), 422);
    /// ```
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the code, which is stable.
    ///
    /// ```
    /// let problem = rolecall_axum::Problem::from(rolecall::Error::rejected("no"));
    /// assert_eq!(problem.code(), "rejected");
    /// ```
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns a member other than `status`, `code` and `title`.
    ///
    /// ```
    /// let problem = rolecall_axum::Problem::from(rolecall::Error::rejected("no"));
    /// assert_eq!(problem.member("detail").unwrap(), "no");
    /// ```
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.get(name)
    }

    /// Returns the error that the problem was made from, for a log. It may say what the body leaves out.
    ///
    /// ```
    /// let problem = rolecall_axum::Problem::from(rolecall::Error::rejected("no"));
    /// assert_eq!(problem.error().unwrap().to_string(), "no");
    /// ```
    pub fn error(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (kind, status) = (error.kind(), status_of(error.kind()));
        let mut problem = Self::new(status, kind.code(), kind.title());
        if !status.is_server_error() {
            if let Ok(Value::Object(members)) = serde_json::to_value(&error) {
                let is_own = |name: &str| matches!(name, "status" | "code" | "title" | "advice");
                problem.0.members = members.into_iter().filter(|(name, _)| !is_own(name)).collect();
            }
        } else if let Some(commit) = error.commit() {
            problem = problem.with_member("commit", commit);
        }
        problem.0.cause = Some(error);
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status.as_u16(), self.0.title)?;
        let detail = self.member("detail").and_then(Value::as_str);
        detail.map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").field("status", &self.0.status).field("code", &self.0.code).finish_non_exhaustive()
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { status, code, title, members, cause, reason, challenge } = *self.0;
        let mut body = Map::new();
        body.insert("status".to_owned(), status.as_u16().into());
        body.insert("code".to_owned(), code.into());
        body.insert("title".to_owned(), title.into());
        body.extend(members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "status" | "code" | "title")));
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        let mut response = (status, json, Value::Object(body).to_string()).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        let is_retryable = cause.as_ref().is_some_and(Error::is_retryable)
            || matches!(reason, Some(Reason::InDoubt | Reason::Unconfirmed));
        if status == StatusCode::SERVICE_UNAVAILABLE && is_retryable {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(error) = cause {
            response.extensions_mut().insert(error);
        }
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}
