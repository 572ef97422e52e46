//! Questions about access: check one, many, any and all; explain; and the export of the whole tenant.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use rolecall::{Decision, Moment};
use rolecall_axum::{Permitted, Problem, Subject};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::request::{Body, at_most, id, invalid};
use super::views::{at, tag_of_revision};
use crate::catalog::required::{AccessRead, TenantExport};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(check))
        .routes(routes!(check_many))
        .routes(routes!(check_any))
        .routes(routes!(check_all))
        .routes(routes!(explain))
        .routes(routes!(export))
}

/// May this user do this? The user is named by `userId` or by `userKey`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// The user's id.
    user_id: Option<String>,
    /// The user's key.
    user_key: Option<String>,
    /// The slug of the permission.
    #[schema(example = "posts:write")]
    permission: String,
}

/// Many questions at once, all about the same state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// The questions, at most 1,000.
    checks: Vec<Question>,
}

/// A question about several permissions of one user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SetQuestion {
    /// The user's id.
    user_id: Option<String>,
    /// The user's key.
    user_key: Option<String>,
    /// The slugs of the permissions, at most 1,000.
    permissions: Vec<String>,
}

/// The answer to a question.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// Whether it is allowed.
    allowed: bool,
    /// Why it is denied, as a code or as a code with an instant. Missing if it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    reason: Option<Value>,
}

/// The answers to many questions.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedMany {
    /// The answers, in the order of the questions.
    results: Vec<Checked>,
}

/// A decision with its paths.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explained {
    /// Whether it is allowed.
    allowed: bool,
    /// The explanation as text.
    #[schema(example = "allowed: `alice` is in `engineering`, which has the role `editor`, which grants `posts:*`")]
    text: String,
    /// The same as data: the decision, the paths, and what would grant it.
    #[schema(value_type = Object)]
    explanation: Value,
}

fn subject(user_id: Option<&String>, user_key: Option<&String>) -> Result<Subject, Problem> {
    match (user_id, user_key) {
        (Some(user), None) => id(user).map(Subject::Id),
        (None, Some(key)) => id(key).map(Subject::Key),
        _ => Err(invalid("invalid body", "expected either `userId` or `userKey`")),
    }
}

impl Question {
    fn subject(&self) -> Result<Subject, Problem> {
        subject(self.user_id.as_ref(), self.user_key.as_ref())
    }

    fn answer(&self, moment: &Moment<'_>) -> Result<Checked, Problem> {
        Ok(match self.subject()?.decide(moment, self.permission.as_str()) {
            Decision::Allowed => Checked { allowed: true, reason: None },
            Decision::Denied(reason) => Checked { allowed: false, reason: serde_json::to_value(reason).ok() },
        })
    }
}

/// Checks whether a user may do something. A denial is 200 with `allowed: false`.
#[utoipa::path(post, path = "/access/check", tag = "access", request_body = Question,
    responses((status = 200, body = Checked)))]
async fn check(asking: Permitted<AccessRead>, Body(question): Body<Question>) -> Answer {
    let moment = asking.moment();
    Ok(at(&moment, question.answer(&moment)?))
}

/// Answers many questions about the same state.
#[utoipa::path(post, path = "/access/check-many", tag = "access", request_body = Questions,
    responses((status = 200, body = CheckedMany)))]
async fn check_many(asking: Permitted<AccessRead>, Body(questions): Body<Questions>) -> Answer {
    at_most(questions.checks.len())?;
    let moment = asking.moment();
    let results = questions.checks.iter().map(|question| question.answer(&moment)).collect::<Result<_, _>>()?;
    Ok(at(&moment, CheckedMany { results }))
}

/// Checks whether a user may do at least one of several things. `false` for an empty list.
#[utoipa::path(post, path = "/access/check-any", tag = "access", request_body = SetQuestion,
    responses((status = 200, body = Checked)))]
async fn check_any(asking: Permitted<AccessRead>, Body(question): Body<SetQuestion>) -> Answer {
    let moment = asking.moment();
    at_most(question.permissions.len())?;
    let allowed = match subject(question.user_id.as_ref(), question.user_key.as_ref())? {
        Subject::Id(user) => moment.check_any(user, &question.permissions),
        Subject::Key(key) => moment.check_any(key, &question.permissions),
    };
    Ok(at(&moment, Checked { allowed, reason: None }))
}

/// Checks whether a user may do all of several things. `false` for an empty list.
#[utoipa::path(post, path = "/access/check-all", tag = "access", request_body = SetQuestion,
    responses((status = 200, body = Checked)))]
async fn check_all(asking: Permitted<AccessRead>, Body(question): Body<SetQuestion>) -> Answer {
    let moment = asking.moment();
    at_most(question.permissions.len())?;
    let allowed = match subject(question.user_id.as_ref(), question.user_key.as_ref())? {
        Subject::Id(user) => moment.check_all(user, &question.permissions),
        Subject::Key(key) => moment.check_all(key, &question.permissions),
    };
    Ok(at(&moment, Checked { allowed, reason: None }))
}

/// Explains a decision: the paths that allow it, or what would.
#[utoipa::path(post, path = "/access/explain", tag = "access", request_body = Question,
    responses((status = 200, body = Explained)))]
async fn explain(asking: Permitted<AccessRead>, Body(question): Body<Question>) -> Answer {
    let moment = asking.moment();
    let explanation = question.subject()?.explain(&moment, question.permission.as_str());
    let explained = Explained {
        allowed: explanation.is_allowed(),
        text: explanation.to_string(),
        explanation: serde_json::to_value(&explanation).unwrap_or_default(),
    };
    Ok(at(&moment, explained))
}

/// Exports the whole tenant as a document. `--document` of the command reads it.
#[utoipa::path(get, path = "/document", tag = "document",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object)))]
async fn export(asking: Permitted<TenantExport>) -> Answer {
    let snapshot = asking.moment().snapshot();
    let document = snapshot.export()?.to_json();
    let tag = HeaderValue::from_str(&tag_of_revision(snapshot.revision()));
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (json, document).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
