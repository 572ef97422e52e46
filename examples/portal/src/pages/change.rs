//! How a form becomes a change: a guarded transaction of the signed-in user, previewed or committed.
//!
//! A form sends what to add, remove or set, never a whole list, so it cannot undo what somebody else has changed. It carries
//! the version of the group or user that its page showed. If there is another version by now, nothing is saved and the page
//! says so. A form that was previewed also carries what the preview showed; if it would show something else by now, it is shown
//! again. Changes that a preview does not show (`effect.rs`) are not compared.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rolecall::{Decision, Error, ErrorKind, Moment, Plan, Tenant, Tx};
use rolecall_axum::{Problem, RequiredPermission, Subject};

use super::effect::Effect;
use super::fields::{Fields, Refusal, escalation};
use super::layout::{Mistake, Section, page_with_status};
use super::visit::{Frame, Visit};
use crate::api::change::{discard, log};
use crate::catalog::Permission;
use crate::deletion::{Deletion, LeftOut};
use crate::operations::{LongDeletion, Operations, Progress, internal_error, joined};
use crate::state::Principal;

/// So often a plan is made again if somebody else commits meanwhile.
const MOST_ATTEMPTS: usize = 5;

/// A form, who sent it, and what it needs.
pub(super) struct Submitted {
    tenant: Tenant,
    frame: Frame,
    section: Section,
    permission: Permission,
    /// Where the form is sent to.
    action: String,
    /// Where to go if the change is given up.
    back: String,
    pub(super) fields: Fields,
}

/// The result of the transaction of a form.
pub(super) struct Planned {
    /// The page to go to.
    pub(super) to: String,
    /// The changes that its plan leaves out, because it was made for a preview.
    pub(super) left_out: Option<LeftOut>,
}

impl From<String> for Planned {
    fn from(to: String) -> Self {
        Self { to, left_out: None }
    }
}

/// The result of a form.
enum Outcome {
    /// It is committed: the page to go to.
    Done(String),
    /// Something else, which is shown.
    Page(Response),
    /// It was refused.
    Refused(Refusal),
}

impl Submitted {
    /// A form that was sent to `action`, and begins at `back`.
    pub(super) fn new<R: RequiredPermission<Permission = Permission>>(
        visit: &Visit<R>,
        section: Section,
        action: String,
        back: String,
        fields: Fields,
    ) -> Self {
        let (tenant, frame) = (visit.asking.tenant().clone(), visit.frame.clone());
        Self { tenant, frame, section, permission: R::PERMISSION, action, back, fields }
    }

    /// Plans the change, previews or commits it, and answers: with the next page, with a preview, or with what is wrong.
    /// `again` is the form with its mistakes, if they have a place in it.
    pub(super) async fn answer<T: Into<Planned>>(
        &self,
        change: impl Fn(&Tx, &Fields) -> Result<T, Refusal> + Send + Sync,
        again: impl FnOnce(StatusCode, &[Mistake]) -> Option<Response> + Send,
    ) -> Result<Response, Problem> {
        let (status, mistakes) = match self.apply(change).await {
            Outcome::Done(to) => return Ok(Redirect::to(&to).into_response()),
            Outcome::Page(page) => return Ok(page),
            Outcome::Refused(Refusal::Conflict(text)) => return Ok(self.conflict(&text)),
            Outcome::Refused(Refusal::Problem(problem)) => return Err(problem),
            Outcome::Refused(Refusal::Mistakes(status, mistakes)) => (status, mistakes),
            Outcome::Refused(Refusal::Escalation(error)) => escalation(&error, self.frame.rights.read_roles),
        };
        Ok(again(status, &mistakes).unwrap_or_else(|| self.not_saved(status, &mistakes)))
    }

    /// The deletion of a group or a role, if the form saves it and very many users have it. `moment` is that of the request.
    pub(super) fn long_deletion(&self, deletion: Deletion, moment: &Moment<'_>) -> Option<LongDeletion> {
        let is_saved = self.fields.get("do") == "delete" && !self.fields.is_preview();
        let principal = Principal { tenant: self.tenant.tenant_id(), user: self.frame.user };
        is_saved.then(|| LongDeletion::of(principal, deletion, moment)).flatten()
    }

    /// As [`Submitted::answer`], for a form that may delete a group or a role. If the deletion takes long, it is an operation, and
    /// the answer leads to its page.
    pub(super) async fn answer_or_go_on<T: Into<Planned>>(
        self,
        operations: &Operations,
        begun: Option<LongDeletion>,
        change: impl Fn(&Tx, &Fields) -> Result<T, Refusal> + Send + Sync + 'static,
        again: impl FnOnce(StatusCode, &[Mistake]) -> Option<Response> + Send + 'static,
    ) -> Result<Response, Problem> {
        let Some(begun) = begun else { return self.answer(change, again).await };
        let list = self.frame.path("operations");
        let answer = async move { self.answer(change, again).await.into_response() };
        Ok(match operations.run(begun, answer).await {
            Progress::Finished(answer) => answer,
            Progress::Running(id) => Redirect::to(&format!("{list}/{id}")).into_response(),
        })
    }

    /// Plans the change, and previews or commits it. The closure returns the page to go to.
    ///
    /// With a commit goes a task that logs it, so that a client which hangs up leaves no change without a line in the log.
    async fn apply<T: Into<Planned>>(
        &self,
        change: impl Fn(&Tx, &Fields) -> Result<T, Refusal> + Send + Sync,
    ) -> Outcome {
        let seen = self.fields.get("seen");
        let mut attempts = 0;
        loop {
            let (Planned { to, left_out }, plan) = match self.plan(&change, &self.fields) {
                Ok(planned) => planned,
                Err(refusal) => return Outcome::Refused(refusal),
            };
            if self.fields.is_preview() {
                let effect = self.effect(&plan, left_out.as_ref());
                discard(plan);
                return Outcome::Page(self.preview(StatusCode::OK, &effect, false));
            }
            if !seen.is_empty() {
                let effect = match self.effect_now(&change, &plan) {
                    Ok(effect) => effect,
                    Err(refusal) => return Outcome::Refused(refusal),
                };
                if seen != effect.digest() {
                    return Outcome::Page(self.preview(StatusCode::CONFLICT, &effect, true));
                }
            }
            if plan.is_empty() {
                return Outcome::Done(with_notice(&self.back, "nothing"));
            }
            let (tenant, user) = (self.tenant.clone(), self.frame.user);
            let task = tokio::spawn(async move {
                let updated = tenant.commit(plan).await?;
                log(user, &updated);
                // The caller frees it, on a thread of its own if it is large.
                Ok::<_, Error>(updated)
            });
            attempts += 1;
            match joined(task).await {
                Some(Ok(_)) => return Outcome::Done(to),
                Some(Err(error)) if error.kind() == ErrorKind::Stale && attempts < MOST_ATTEMPTS => {}
                Some(Err(error)) if error.kind() == ErrorKind::Stale => {
                    return Outcome::Refused(Refusal::Conflict(
                        "Others are changing this tenant all the time".to_owned(),
                    ));
                }
                Some(Err(error)) => return Outcome::Refused(error.into()),
                None => return Outcome::Refused(Refusal::Problem(internal_error())),
            }
        }
    }

    fn effect(&self, plan: &Plan, left_out: Option<&LeftOut>) -> Effect {
        Effect::of(plan, left_out, self.frame.rights.list_access())
    }

    /// The preview of this plan now. The preview of a deletion has a plan of its own. It is planned after the other one. If
    /// somebody commits between the two, the other one is stale, and both are planned again.
    fn effect_now<T: Into<Planned>>(
        &self,
        change: impl Fn(&Tx, &Fields) -> Result<T, Refusal>,
        plan: &Plan,
    ) -> Result<Effect, Refusal> {
        if self.fields.get("do") != "delete" {
            return Ok(self.effect(plan, None));
        }
        let (planned, preview) = self.plan(change, &self.fields.previewed())?;
        Ok(self.effect(&preview, planned.left_out.as_ref()))
    }

    /// The permission is decided again on the state that is changed. The guard refuses to give anybody a right that the
    /// user lacks (R13).
    fn plan<T: Into<Planned>>(
        &self,
        change: impl Fn(&Tx, &Fields) -> Result<T, Refusal>,
        fields: &Fields,
    ) -> Result<(Planned, Plan), Refusal> {
        let (user, permission) = (self.frame.user, self.permission);
        self.tenant.try_plan(|tx| {
            let before = tx.base().at(tx.instant());
            if let Decision::Denied(reason) = Subject::Id(user).decide(&before, permission) {
                return Err(Problem::denied(reason, permission).into());
            }
            if let Some(actor) = before.user(user) {
                tx.set_actor(actor.key.as_str())?;
            }
            tx.set_guard(user);
            Ok(change(tx, fields)?.into())
        })
    }

    fn not_saved(&self, status: StatusCode, mistakes: &[Mistake]) -> Response {
        let content = html! {
            h1 { "Nothing was saved" }
            div.errors role="alert" tabindex="-1" data-focus {
                h2 { "There is a problem" }
                ul { @for mistake in mistakes { li { (mistake.text) } } }
            }
            p { a.button href=(self.back) { "Back" } }
        };
        page_with_status(status, &self.frame, self.section, "Error: nothing was saved", content)
    }

    /// Somebody else was faster. The change of the form can be previewed on the present state.
    fn conflict(&self, text: &str) -> Response {
        let content = html! {
            h1 { "Somebody has changed this meanwhile" }
            div.errors role="alert" tabindex="-1" data-focus {
                h2 { "Nothing was saved" }
                p { (text) "." }
                p { "Your change was based on an older state, so it was not saved." }
            }
            @let wanted: Vec<_> = self.fields.0.iter().filter(|(name, value)| is_entered(name) && !value.is_empty()).collect();
            @if !wanted.is_empty() {
                h2 { "What you entered" }
                dl.facts { @for (name, value) in wanted { dt { (super::layout::capitalised(name)) } dd { (value) } } }
            }
            div.actions {
                form method="post" action=(self.action) {
                    (hidden(&self.fields, &["step", "seen", "version"]))
                    input type="hidden" name="version" value="any";
                    button.primary name="step" value="preview" { "Preview it on the present state" }
                }
                a.button href=(self.back) { "See the present state" }
            }
        };
        page_with_status(StatusCode::CONFLICT, &self.frame, self.section, "Conflict: nothing was saved", content)
    }

    fn preview(&self, status: StatusCode, effect: &Effect, has_changed: bool) -> Response {
        let content = html! {
            h1 { "Preview" }
            @if has_changed {
                div.errors role="alert" tabindex="-1" data-focus {
                    h2 { "The effect has changed since the preview" }
                    p { "Somebody has changed something since the preview. Nothing was saved. Please look again." }
                }
            }
            p { "Nothing is saved yet." }
            (effect.shown())
            div.actions {
                @if !effect.lines.is_empty() {
                    form method="post" action=(self.action) {
                        (hidden(&self.fields, &["step", "seen"]))
                        input type="hidden" name="seen" value=(effect.digest());
                        button.primary name="step" value="save" { "Save this change" }
                    }
                }
                a.button href=(self.back) { "Cancel" }
            }
        };
        page_with_status(status, &self.frame, self.section, "Preview", content)
    }
}

/// The fields that a person has typed.
fn is_entered(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "slug"
            | "key"
            | "description"
            | "category"
            | "grant"
            | "include"
            | "from"
            | "until"
            | "directory"
            | "external-id"
    )
}

/// The fields as hidden ones of another form.
fn hidden(fields: &Fields, without: &[&str]) -> Markup {
    html! {
        @for (name, value) in &fields.0 {
            @if !without.contains(&name.as_str()) { input type="hidden" name=(name) value=(value); }
        }
    }
}

pub(super) fn with_notice(path: &str, done: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}done={done}")
}
