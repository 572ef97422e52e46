//! A change: a guarded transaction of the token's user, committed or only previewed.

use std::fmt;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rolecall::authorizer::Updated;
use rolecall::plan::DescribedChange;
use rolecall::{Decision, ErrorKind, Plan, Tx};
use rolecall_axum::{Permitted, Problem, RequiredPermission, Subject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::operations::accepted;
use super::preview::{MOST_LINES, Preview};
use super::request::{Parameters, TenantPath, invalid};
use super::views::{tag_of, tag_of_revision, tagged};
use crate::catalog::Permission;
use crate::deletion::{Deletion, LeftOut};
use crate::operations::{LongDeletion, Operations, Progress, internal_error, joined};
use crate::state::Principal;

/// A request that changes something: who asks, on which condition, and whether it is only a preview.
#[derive(Debug)]
pub struct Changing<R, Q = PreviewParameter> {
    asking: Permitted<R>,
    principal: Principal,
    condition: Condition,
    query: Q,
}

/// The query of a call that changes something. It refuses parameters that it does not know: a mistyped `preview` would commit.
pub trait ChangeQuery: DeserializeOwned {
    /// Whether the change is only a preview.
    fn is_preview(&self) -> bool;
}

/// The parameters of calls that change something, unless they have others, too.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PreviewParameter {
    /// Commit nothing, and answer with what would change.
    #[serde(default)]
    #[param(required = false)]
    pub preview: bool,
}

impl ChangeQuery for PreviewParameter {
    fn is_preview(&self) -> bool {
        self.preview
    }
}

impl<R: RequiredPermission, Q: ChangeQuery, S: Send + Sync> FromRequestParts<S> for Changing<R, Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asking = Permitted::from_request_parts(parts, state).await?;
        let principal = parts.extensions.get::<Principal>().copied();
        let principal = principal.ok_or_else(|| Problem::unauthenticated(crate::auth::CHALLENGE))?;
        let Parameters(query) = Parameters::from_request_parts(parts, state).await?;
        Ok(Self { asking, principal, condition: Condition::of(&parts.headers)?, query })
    }
}

/// The version that `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The header is missing.
    None,
    /// Anything that exists: `*`.
    Exists,
    /// One of these tags.
    Tags(Vec<String>),
}

impl Condition {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            let value = value.to_str().map_err(|_| invalid("invalid `If-Match`", "expected entity tags"))?;
            tags.extend(value.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
        }
        Ok(match tags.as_slice() {
            // A client that sends an empty one believes that it has sent a condition.
            [] if headers.contains_key(header::IF_MATCH) => {
                return Err(invalid("invalid `If-Match`", "expected entity tags"));
            }
            [] => Self::None,
            [any] if any == "*" => Self::Exists,
            _ => Self::Tags(tags),
        })
    }

    /// Requires a condition, for calls that replace what another client may have changed.
    pub(crate) fn required(&self) -> Result<(), Problem> {
        if *self != Self::None {
            return Ok(());
        }
        let status = StatusCode::PRECONDITION_REQUIRED;
        let problem = Problem::new(status, "precondition_required", "`If-Match` is required");
        Err(problem
            .with_detail("read the entity, and send its `ETag` in `If-Match`, or `*` to overwrite whatever is there"))
    }

    /// Judges the state that the transaction changes: the entity as it is before, or the whole tenant by its revision.
    pub(crate) fn judge(&self, tx: &Tx, entity: Option<&impl Serialize>) -> Result<(), Problem> {
        let Self::Tags(tags) = self else { return Ok(()) };
        let current = [Some(tag_of_revision(tx.base().revision())), entity.map(tag_of)];
        if tags.iter().any(|tag| current.iter().flatten().any(|current| current == tag)) {
            return Ok(());
        }
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "changed", "somebody else has changed it");
        Err(problem.with_detail("read it again, and decide again"))
    }
}

/// How many entries of a list were added and removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted {
    /// How many were added.
    pub(super) added: usize,
    /// How many were removed.
    pub(super) removed: usize,
}

impl Counted {
    /// Counts what is not there of what is to be added, and what is there of what is to be removed.
    pub(super) fn of<T>(add: &[T], remove: &[T], is_there: impl Fn(&T) -> bool) -> Self {
        let there = |list: &[T]| list.iter().filter(|item| is_there(item)).count();
        Self { added: add.len() - there(add), removed: there(remove) }
    }
}

/// The outcome of a change.
#[derive(Debug)]
pub enum Applied<T> {
    /// It is committed, as this revision.
    Committed(T, String),
    /// It is not: the preview.
    Previewed(Box<Preview>),
}

impl<R: RequiredPermission + 'static, Q: ChangeQuery + 'static> Changing<R, Q> {
    /// Returns the condition of the request.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Returns who asks.
    pub fn principal(&self) -> Principal {
        self.principal
    }

    /// Returns the query.
    pub(crate) fn query(&self) -> &Q {
        &self.query
    }

    /// Requires another permission, too: for a call whose answer contains what that permission is for.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Problem> {
        match self.asking.subject().decide(&self.asking.moment(), permission) {
            Decision::Allowed => Ok(()),
            Decision::Denied(reason) => Err(Problem::denied(reason, permission)),
        }
    }

    /// Plans the change and commits it, or previews it.
    ///
    /// The transaction is guarded by the token's user: it gives nobody a right that this user lacks (R13). The permission is
    /// checked again on the state that is changed, because a commit of somebody else may have taken it away. With a commit
    /// goes a task that logs it, so that a client which hangs up leaves no change without a line in the log.
    ///
    /// A preview tells only what its reader may also ask for: who may do what needs `access:read` and `users:read`.
    ///
    /// # Errors
    /// Those of the closure and of the update. A refusal by the guard names the missing rights to readers with `roles:read` only.
    pub async fn apply<T: Send + 'static>(
        self,
        change: impl FnMut(&Tx, &Condition) -> Result<T, Problem> + Send + 'static,
    ) -> Result<Applied<T>, Problem> {
        if self.query.is_preview() {
            return Ok(Applied::Previewed(self.preview(change, |_| None)?));
        }
        joined(tokio::spawn(self.commit(change))).await.unwrap_or_else(|| Err(internal_error()))
    }

    /// Deletes a group or a role, or previews that, after this judgement. Answers without a body: 204.
    ///
    /// If very many users have it, a preview does not plan what happens to each of them. A deletion that takes long then is an
    /// operation: 202.
    ///
    /// # Errors
    /// As [`Changing::apply`]. 429 or 503 if too many large changes have not ended yet.
    pub(crate) async fn delete(
        self,
        operations: &Operations,
        path: &TenantPath,
        deletion: Deletion,
        judge: impl Fn(&Tx, &Condition) -> Result<(), Problem> + Send + 'static,
    ) -> Answer {
        if self.query.is_preview() {
            let preview = move |tx: &Tx, condition: &Condition| {
                judge(tx, condition)?;
                Ok(deletion.preview(tx)?)
            };
            return Ok(Json(self.preview(preview, Option::as_ref)?).into_response());
        }
        let delete = move |tx: &Tx, condition: &Condition| {
            judge(tx, condition)?;
            Ok(deletion.make(tx)?)
        };
        let Some(begun) = LongDeletion::of(self.principal, deletion, &self.asking.moment()) else {
            return Ok(self.apply(delete).await?.removed());
        };
        let title = begun.title.clone();
        let commit = self.commit(delete);
        let answer = async move { commit.await.map_or_else(IntoResponse::into_response, Applied::removed) };
        Ok(match operations.run(begun, answer).await {
            Progress::Finished(answer) => answer,
            Progress::Running(id) => accepted(path, id, title),
        })
    }

    fn preview<T>(
        self,
        change: impl FnMut(&Tx, &Condition) -> Result<T, Problem>,
        left_out: impl Fn(&T) -> Option<&LeftOut>,
    ) -> Result<Box<Preview>, Problem> {
        let lists_access = self.asking.check(Permission::AccessRead) && self.asking.check(Permission::UsersRead);
        let reads_roles = self.asking.check(Permission::RolesRead);
        let tenant = self.asking.tenant().clone();
        let planned = tenant.try_plan(self.guarded(change));
        let (value, plan) = planned.map_err(|problem| redacted(problem, reads_roles))?;
        let preview = Box::new(Preview::new(&plan, left_out(&value), lists_access));
        discard(plan);
        Ok(preview)
    }

    fn commit<T: Send + 'static>(
        self,
        change: impl FnMut(&Tx, &Condition) -> Result<T, Problem> + Send + 'static,
    ) -> impl Future<Output = Result<Applied<T>, Problem>> + Send + 'static {
        let (tenant, user) = (self.asking.tenant().clone(), self.principal.user);
        let reads_roles = self.asking.check(Permission::RolesRead);
        let mut guarded = self.guarded(change);
        async move {
            let updated = tenant.try_update(&mut guarded).await.map_err(|problem| redacted(problem, reads_roles))?;
            log(user, &updated);
            Ok(Applied::Committed(updated.value, tag_of_revision(updated.revision)))
        }
    }

    /// The change as the transaction of the token's user.
    fn guarded<T>(
        self,
        mut change: impl FnMut(&Tx, &Condition) -> Result<T, Problem>,
    ) -> impl FnMut(&Tx) -> Result<T, Problem> {
        let (user, condition) = (self.principal.user, self.condition);
        move |tx| {
            let before = tx.base().at(tx.instant());
            if let Decision::Denied(reason) = Subject::Id(user).decide(&before, R::PERMISSION) {
                return Err(Problem::denied(reason, R::PERMISSION));
            }
            if let Some(actor) = before.user(user) {
                tx.set_actor(actor.key.as_str())?;
            }
            tx.set_guard(user);
            change(tx, &condition)
        }
    }
}

/// Takes the missing rights out of a refusal by the guard, for those who may not read roles.
fn redacted(problem: Problem, reads_roles: bool) -> Problem {
    let is_of_the_guard = problem.error().is_some_and(|error| error.kind() == ErrorKind::Escalation);
    if reads_roles || !is_of_the_guard {
        return problem;
    }
    Problem::new(problem.status(), problem.code(), ErrorKind::Escalation.title())
}

/// Frees a plan that was only previewed. One of 100,000 changes takes a fifth of the preview's time to free, and its client
/// does not wait for that.
pub(crate) fn discard(plan: Plan) {
    if plan.changes().len() > MOST_LINES {
        drop(tokio::task::spawn_blocking(move || drop(plan)));
    }
}

/// So many changes of one commit at most have a line in the log.
const MOST_LOGGED: usize = 200;

/// Writes a line for each change of a commit. If there are more than 200, the others have one line with their number: the
/// history has each of them under the same revision.
pub(crate) fn log<T>(by: impl fmt::Display, updated: &Updated<T>) {
    let revision = updated.revision;
    for change in updated.described().take(MOST_LOGGED) {
        tracing::info!(%by, %revision, change = line(&change), "changed");
    }
    if let Some(more) = updated.changes.len().checked_sub(MOST_LOGGED).filter(|more| *more > 0) {
        tracing::info!(%by, %revision, more, "changed");
    }
}

/// A change by ids: a log with keys would be personal data. The names are in the tenant, as long as it has them.
fn line(change: &DescribedChange) -> String {
    let object = change.object.as_ref().map_or_else(String::new, |object| format!(" {} {}", object.entity, object.id));
    let (kind, subject) = (super::views::word(&change.kind), &change.subject);
    format!("{} {kind}: {} {}{object}", super::views::word(&change.change), subject.entity, subject.id)
}

const LOCATION: HeaderName = header::LOCATION;

impl<T> Applied<T> {
    fn answer(self, committed: impl FnOnce(T, &str) -> Response) -> Response {
        match self {
            Self::Committed(value, revision) => committed(value, &revision),
            Self::Previewed(preview) => Json(preview).into_response(),
        }
    }
}

impl<T: Serialize> Applied<T> {
    /// Answers with the entity and its tag: 200.
    pub fn changed(self) -> Response {
        self.answer(|entity, _| tagged(&tag_of(&entity), entity))
    }

    /// Answers with the tag of the tenant's revision: 200.
    pub fn done(self) -> Response {
        self.answer(|value, revision| tagged(revision, value))
    }

    /// Answers with the new entity, its tag and its path: 201.
    pub fn created(self, path: impl FnOnce(&T) -> String) -> Response {
        self.answer(|entity, _| {
            let location = HeaderValue::from_str(&path(&entity));
            let mut response = tagged(&tag_of(&entity), entity);
            *response.status_mut() = StatusCode::CREATED;
            if let Ok(location) = location {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        })
    }
}

impl<T: Serialize> Applied<(T, bool)> {
    /// Answers 201 with a new relation and its path, or 200 with one that was there already.
    pub fn ensured(self, path: impl FnOnce(&T) -> String) -> Response {
        self.answer(|(value, is_new), revision| {
            let location = HeaderValue::from_str(&path(&value));
            let mut response = tagged(revision, value);
            if is_new {
                *response.status_mut() = StatusCode::CREATED;
            }
            if let Ok(location) = location {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        })
    }
}

impl Applied<()> {
    /// Answers without a body: 204.
    pub fn removed(self) -> Response {
        self.answer(|(), _| StatusCode::NO_CONTENT.into_response())
    }
}

#[cfg(test)]
mod tests {
    use rolecall::blocking::Authorizer;

    use super::*;
    use crate::logged::logged;

    #[test]
    fn a_large_commit_has_a_line_for_each_of_the_first_changes_and_one_for_the_others() -> rolecall::Result<()> {
        let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
        for (members, lines, last) in
            [(199, 200, "removed membership: user"), (200, 201, "more=1"), (250, 201, "more=51")]
        {
            acme.update(|tx| {
                tx.create_group("staff")?;
                for n in 0..members {
                    tx.ensure_user(&format!("user-{members}-{n:03}"))?.join("staff")?;
                }
                Ok(())
            })?;
            let group = acme.now().group("staff").unwrap().id;
            let deleted = acme.update(|tx| tx.delete_group("staff"))?;
            let text = logged(|| log("root", &deleted));
            let found: Vec<&str> = text.lines().collect();
            assert!(found.len() == lines && found.iter().all(|line| line.contains("by=root")), "{text}");
            assert!(found.first().unwrap().contains(&format!("removed group: group {group}")), "{text}");
            assert!(found.last().unwrap().contains(last), "{text}");
        }
        Ok(())
    }
}
