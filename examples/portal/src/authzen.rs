//! The AuthZEN Authorization API 1.0 of the OpenID Foundation: a policy decision point for each tenant.
//!
//! Offered: access evaluation, access evaluations, subject search, action search, and the metadata. Not offered: resource
//! search, because a tenant's permissions do not list the resources of an application.
//!
//! The caller authenticates with a bearer token, and its user needs `access:read`. A denial is 200 with `decision: false`. A
//! request that does not fit the specification is 400. If only one of several questions does not fit, its answer is a denial
//! with the error in its `context`. Members that are not known are ignored, as the specification asks.
//!
//! The specification fixes the status of an error and asks for "an error message string" as its body, without a media type. The
//! bodies here are problem details, as those of all other calls: the message is in `title` and `detail`.

pub(crate) mod specific;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rolecall::records::TenantSlug;
use rolecall::{Decision, Moment, PageRequest};
use rolecall_axum::{Permitted, Problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::request::{MOST_ENTRIES, MOST_ITEMS, unreadable};
use crate::api::views::tag_of;
use crate::catalog::required::AccessRead;
use crate::state::PortalState;

/// The type of all subjects. Those of another type are nobody.
pub const SUBJECT_TYPE: &str = "user";

/// The calls of a tenant, without the tenant's path.
pub(crate) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(evaluation))
        .routes(routes!(evaluations))
        .routes(routes!(search_subject))
        .routes(routes!(search_action))
}

/// The metadata, which is public.
pub(crate) fn public_router() -> Router<PortalState> {
    Router::new().route("/.well-known/authzen-configuration/t/{tenant}", get(metadata))
}

/// Returns the permission that decides about an action on a resource. It is the first of `TYPE:ID:ACTION` and `TYPE:ACTION`
/// that is registered, in the tenant or in the catalog. `None` if neither is; the answer is then a denial.
///
/// So an application registers `record:write` for all records. If it registers `record:record-1:write` too, only that counts
/// for that record. To register it therefore takes access from those who hold only `record:write`. To delete or rename it gives
/// them access, so that requires to hold it (`authzen/specific.rs`).
///
/// A type or an action with a colon has no permission. Otherwise two resources could mean one permission: a `record` with
/// the id `a:b` and a `record:a` with the id `b`. An id may have colons.
pub fn permission_of(moment: &Moment<'_>, resource_type: &str, id: &str, action: &str) -> Option<String> {
    let is_plain = |text: &str| !text.is_empty() && !text.contains(':');
    if !is_plain(resource_type) || !is_plain(action) {
        return None;
    }
    let specific = Some(format!("{resource_type}:{id}:{action}")).filter(|_| !id.is_empty());
    let candidates = specific.into_iter().chain([format!("{resource_type}:{action}")]);
    candidates.into_iter().find(|slug| moment.permission(slug.as_str()).is_some())
}

/// The user who wants to do something.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AuthzenSubject {
    /// `user`.
    #[serde(rename = "type")]
    subject_type: String,
    /// The user's key.
    id: String,
    /// Not used to decide.
    #[serde(default)]
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

/// The action that the user wants.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AuthzenAction {
    /// The name of the action.
    name: String,
    /// Not used to decide.
    #[serde(default)]
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

/// The resource of the action.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AuthzenResource {
    /// The type of the resource.
    #[serde(rename = "type")]
    resource_type: String,
    /// The id of the resource.
    id: String,
    /// Not used to decide.
    #[serde(default)]
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

/// A question.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Evaluation {
    /// The subject.
    subject: AuthzenSubject,
    /// Does what.
    action: AuthzenAction,
    /// To what.
    resource: AuthzenResource,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[expect(dead_code, reason = "read only to be checked")]
    context: Map<String, Value>,
}

/// A question in a list. A missing member is that of the request.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct PartialEvaluation {
    /// The subject.
    subject: Option<AuthzenSubject>,
    /// Does what.
    action: Option<AuthzenAction>,
    /// To what.
    resource: Option<AuthzenResource>,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Map<String, Value>,
}

/// Questions, and defaults for their missing members.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Evaluations {
    /// The defaults of the questions.
    #[serde(flatten)]
    defaults: PartialEvaluation,
    /// The questions. Without any, the request is one question.
    #[serde(default, rename = "evaluations")]
    #[schema(value_type = Vec<PartialEvaluation>)]
    list: Vec<Value>,
    /// How they are answered.
    #[serde(default)]
    options: EvaluationOptions,
}

/// How a list of questions is answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
pub struct EvaluationOptions {
    /// Whether to stop early.
    #[serde(default)]
    evaluations_semantic: Semantic,
}

/// Whether to answer all questions, or to stop at the first denial or permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Answers all.
    #[default]
    ExecuteAll,
    /// Ends after the first denial.
    DenyOnFirstDeny,
    /// Ends after the first permit.
    PermitOnFirstPermit,
}

/// The answer to a question.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuthzenDecision {
    /// Whether it is allowed.
    decision: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
}

/// The answers to several questions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuthzenDecisions {
    /// In the order of the questions; fewer if the answer ended early.
    evaluations: Vec<AuthzenDecision>,
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "malformed request").with_detail(detail)
}

/// The error of one question of several, as in the example of the specification.
fn error_of(problem: &Problem) -> Value {
    json!({ "status": problem.status().as_u16(), "message": problem.member("detail") })
}

/// The body of a request. 400 if it does not fit, even if it is valid JSON.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection @ JsonRejection::BytesRejection(_)) => Err(unreadable(&rejection)),
            Err(rejection) => Err(malformed(rejection.body_text())),
        }
    }
}

impl Evaluation {
    /// Answers the question. Only an application's own permission decides; the reason is for its log.
    fn answer(&self, moment: &Moment<'_>) -> Result<AuthzenDecision, Problem> {
        let Self { subject, action, resource, .. } = self;
        let permission = permission_of(moment, &resource.resource_type, &resource.id, &action.name);
        let reason = match (permission, subject.subject_type == SUBJECT_TYPE) {
            (_, false) => json!("unknown_subject_type"),
            (None, true) => json!("unknown_permission"),
            (Some(permission), true) => match moment.decide(subject.id.as_str(), permission.as_str()) {
                Decision::Allowed => return Ok(AuthzenDecision { decision: true, context: None }),
                Decision::Denied(reason) if moment.unavailable().is_some() => {
                    return Err(Problem::denied(reason, permission));
                }
                Decision::Denied(reason) => serde_json::to_value(reason).unwrap_or_default(),
            },
        };
        Ok(AuthzenDecision { decision: false, context: Some(json!({ "reason": reason })) })
    }
}

impl PartialEvaluation {
    /// The question, with what it leaves out taken from the request.
    fn or(self, defaults: &Self) -> Result<Evaluation, Problem> {
        let missing = |what: &str| malformed(format!("`{what}` is missing"));
        Ok(Evaluation {
            subject: self.subject.or_else(|| defaults.subject.clone()).ok_or_else(|| missing("subject"))?,
            action: self.action.or_else(|| defaults.action.clone()).ok_or_else(|| missing("action"))?,
            resource: self.resource.or_else(|| defaults.resource.clone()).ok_or_else(|| missing("resource"))?,
            context: self.context,
        })
    }
}

/// Answers a question.
#[utoipa::path(post, path = "/evaluation", tag = "authzen", request_body = Evaluation,
    responses((status = 200, body = AuthzenDecision)))]
async fn evaluation(
    asking: Permitted<AccessRead>,
    Body(question): Body<Evaluation>,
) -> Result<Json<AuthzenDecision>, Problem> {
    Ok(Json(question.answer(&asking.moment())?))
}

/// Answers several questions about the same state.
#[utoipa::path(post, path = "/evaluations", tag = "authzen", request_body = Evaluations,
    responses((status = 200, body = AuthzenDecisions)))]
async fn evaluations(asking: Permitted<AccessRead>, Body(request): Body<Evaluations>) -> Result<Response, Problem> {
    let Evaluations { defaults, list, options } = request;
    let moment = asking.moment();
    if list.is_empty() {
        let question = defaults.clone().or(&defaults)?;
        return Ok(Json(question.answer(&moment)?).into_response());
    }
    if list.len() > MOST_ITEMS {
        return Err(malformed(format!("expected at most {MOST_ITEMS} evaluations, found {}", list.len())));
    }
    let read = |question: Value| {
        let question: PartialEvaluation =
            serde_json::from_value(question).map_err(|error| malformed(error.to_string()))?;
        question.or(&defaults)
    };
    let mut answers = Vec::with_capacity(list.len());
    for question in list {
        let answer = match read(question) {
            Ok(question) => question.answer(&moment)?,
            // A failure is a denial, with each semantic.
            Err(problem) => AuthzenDecision { decision: false, context: Some(json!({ "error": error_of(&problem) })) },
        };
        let decision = answer.decision;
        answers.push(answer);
        match options.evaluations_semantic {
            Semantic::DenyOnFirstDeny if !decision => break,
            Semantic::PermitOnFirstPermit if decision => break,
            _ => {}
        }
    }
    Ok(Json(AuthzenDecisions { evaluations: answers }).into_response())
}

/// Which part of the results.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct AuthzenPage {
    /// `next_token` of the answer before, with the same question and the same limit.
    token: Option<String>,
    /// At most this many results. Without it, the limit of the token, or 50.
    limit: Option<usize>,
}

/// A part of the results of one question.
#[derive(Debug)]
struct Part {
    /// The question, so that a token is not taken for another one.
    question: String,
    limit: usize,
    /// The name that the part begins after.
    after: String,
}

impl AuthzenPage {
    /// The part that is asked for. A token has the question, the limit, and where the part begins.
    fn part(&self, question: &impl Serialize) -> Result<Part, Problem> {
        let question = tag_of(question).trim_matches('"').to_owned();
        let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) else {
            let limit = self.limit.unwrap_or(50).min(MOST_ENTRIES);
            return Ok(Part { question, limit, after: String::new() });
        };
        let mut parts = token.splitn(3, '.');
        let (asked, limit, after) = (parts.next(), parts.next().and_then(|limit| limit.parse().ok()), parts.next());
        let (Some(limit), Some(after)) = (limit, after) else { return Err(malformed("`page.token` is not a token")) };
        let is_same =
            asked == Some(question.as_str()) && self.limit.is_none_or(|other| other.min(MOST_ENTRIES) == limit);
        if !is_same || limit > MOST_ENTRIES {
            return Err(malformed("`page.token` belongs to another question or limit"));
        }
        Ok(Part { question, limit, after: after.to_owned() })
    }
}

impl Part {
    /// The number of results to look for: at least one, to know whether there are any.
    fn wanted(&self) -> usize {
        self.limit.max(1)
    }

    /// The answer with these results. `next` is the name of the last one, if there are more.
    fn answer(&self, mut results: Vec<Value>, mut next: Option<String>) -> Json<SearchResults> {
        if self.limit == 0 {
            next = results.first().map(|_| self.after.clone());
            results.clear();
        }
        let next_token = next.map_or_else(String::new, |next| format!("{}.{}.{next}", self.question, self.limit));
        Json(SearchResults { page: NextPage { next_token, count: results.len() }, results })
    }
}

/// The type of the subjects that are searched for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SearchedSubject {
    /// `user`.
    #[serde(rename = "type")]
    subject_type: String,
}

/// Who may do this?
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct SubjectSearch {
    /// Which type of subjects.
    subject: SearchedSubject,
    /// May do what.
    action: AuthzenAction,
    /// To what.
    resource: AuthzenResource,
    /// Not used to decide.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// Which part of the results.
    #[serde(default)]
    page: AuthzenPage,
}

/// What may this user do to this?
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ActionSearch {
    /// The subject.
    subject: AuthzenSubject,
    /// To what.
    resource: AuthzenResource,
    /// Not used to decide.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// Which part of the results.
    #[serde(default)]
    page: AuthzenPage,
}

/// Results of a search.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SearchResults {
    /// Where the next part begins.
    page: NextPage,
    /// Subjects or actions.
    #[schema(value_type = Vec<Object>)]
    results: Vec<Value>,
}

/// Where the next part of the results begins.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NextPage {
    /// Empty at the end.
    next_token: String,
    /// How many results there are in this part.
    count: usize,
}

/// Finds the users who may do something, by key.
#[utoipa::path(post, path = "/search/subject", tag = "authzen", request_body = SubjectSearch,
    responses((status = 200, body = SearchResults)))]
async fn search_subject(
    asking: Permitted<AccessRead>,
    Body(search): Body<SubjectSearch>,
) -> Result<Json<SearchResults>, Problem> {
    let SubjectSearch { subject, action, resource, context, page } = &search;
    let part = page.part(&("subject", subject, action, resource, context))?;
    let moment = asking.moment();
    let permission = permission_of(&moment, &resource.resource_type, &resource.id, &action.name);
    let permission = permission.filter(|_| subject.subject_type == SUBJECT_TYPE);
    let Some(permission) = permission else { return Ok(part.answer(Vec::new(), None)) };
    let found = moment.who_can(permission).page(&PageRequest::of(part.wanted()).after(&part.after));
    let subject = |user: rolecall::records::UserRecord| json!({ "type": SUBJECT_TYPE, "id": user.key.as_str() });
    Ok(part.answer(found.items.into_iter().map(subject).collect(), found.next))
}

/// Finds the actions that a user may do to a resource, by name.
#[utoipa::path(post, path = "/search/action", tag = "authzen", request_body = ActionSearch,
    responses((status = 200, body = SearchResults)))]
async fn search_action(
    asking: Permitted<AccessRead>,
    Body(search): Body<ActionSearch>,
) -> Result<Json<SearchResults>, Problem> {
    let ActionSearch { subject, resource, context, page } = &search;
    let part = page.part(&("action", subject, resource, context))?;
    if subject.subject_type != SUBJECT_TYPE {
        return Ok(part.answer(Vec::new(), None));
    }
    let moment = asking.moment();
    let held = moment.effective(subject.id.as_str());
    let (general, specific) =
        (format!("{}:", resource.resource_type), format!("{}:{}:", resource.resource_type, resource.id));
    let mut actions: Vec<String> = Vec::new();
    for slug in held.slugs() {
        let slug = slug.as_str();
        let candidates = [slug.strip_prefix(&*specific), slug.strip_prefix(&*general)];
        // A general permission does not count where a specific one is registered that the user lacks.
        let named = candidates.into_iter().flatten().filter(|action| {
            permission_of(&moment, &resource.resource_type, &resource.id, action).as_deref() == Some(slug)
        });
        actions.extend(named.map(str::to_owned));
    }
    actions.sort_unstable();
    actions.dedup();
    let mut rest = actions.into_iter().filter(|action| *action > part.after);
    let found: Vec<String> = rest.by_ref().take(part.wanted()).collect();
    let next = rest.next().and(found.last().cloned());
    Ok(part.answer(found.iter().map(|action| json!({ "name": action })).collect(), next))
}

/// The metadata of a tenant's decision point. It is the same for every slug, so it tells nobody which tenants exist.
async fn metadata(State(state): State<PortalState>, Path(slug): Path<String>) -> Result<Response, Problem> {
    let slug: TenantSlug =
        slug.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, "not_found", "tenant not found"))?;
    let point = format!("{}/t/{slug}", state.base_url());
    let metadata = json!({
        "policy_decision_point": point,
        "access_evaluation_endpoint": format!("{point}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{point}/access/v1/evaluations"),
        "search_subject_endpoint": format!("{point}/access/v1/search/subject"),
        "search_action_endpoint": format!("{point}/access/v1/search/action"),
    });
    Ok(([(header::CACHE_CONTROL, "public, max-age=3600")], Json(metadata)).into_response())
}
