//! How a form becomes a change: a guarded transaction of the signed-in user, previewed or committed.
//!
//! A form sends what to add, remove or set, never a whole list, so it cannot undo what somebody else has changed. It carries
//! the version of the group or user that its page showed. If there is another version by now, nothing is saved and the page
//! says so. A form that was previewed also carries what the preview showed; if the change would have another effect by now, it
//! is previewed again.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::plan::AccessChange;
use rolecall::records::{GroupId, RoleId, UserId};
use rolecall::{Decision, Error, ErrorKind, Moment, Plan, Tenant, Timestamp, Tx, Window, authorizer::Updated};
use rolecall_axum::{Problem, Subject};
use serde::Serialize;

use super::layout::{Mistake, Section, page_with_status};
use super::visit::Frame;
use crate::api::views::tag_of;
use crate::catalog::Permission;

/// So many users at most whose access a preview shows.
const MOST_USERS: usize = 50;

/// So many lines of a preview at most.
const MOST_LINES: usize = 200;

/// So many users, or roles, at most in one form.
const MOST_CHOSEN: usize = 500;

/// So often a plan is made again if somebody else commits meanwhile.
const MOST_ATTEMPTS: usize = 5;

/// What a form has sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The ids in all fields with this name. The same id twice counts once.
    fn ids<T: std::str::FromStr<Err = Error> + PartialEq>(&self, name: &str) -> Result<Vec<T>, Refusal> {
        let mut ids = Vec::new();
        for text in self.all(name) {
            let id = text.parse()?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.len() > MOST_CHOSEN {
            return Err(Refusal::mistake(None, format!("Choose at most {MOST_CHOSEN} at once")));
        }
        Ok(ids)
    }

    /// The window that ends with the day in the field `until`.
    fn window(&self, now: Timestamp) -> Result<Window, Refusal> {
        let day = self.get("until");
        if day.is_empty() {
            return Ok(Window::default());
        }
        let wrong = |text: &str| Refusal::mistake(Some("until"), text);
        let begin = Timestamp::parse(&format!("{day}T00:00:00Z")).map_err(|_| wrong("Enter a day as 2027-01-31"))?;
        let end = begin.saturating_add(Duration::from_secs(24 * 60 * 60));
        if end <= now {
            return Err(wrong("The last day is in the past"));
        }
        Ok(Window::until(end))
    }
}

/// The last day of a window, as the field `until` has it.
pub(super) fn last_day(window: Window) -> String {
    let last = window.end().map(|end| end.saturating_sub(Duration::from_micros(1)).to_string());
    last.and_then(|last| last.split_once('T').map(|(day, _)| day.to_owned())).unwrap_or_default()
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The form has mistakes, or a rule forbids the change.
    Mistakes(StatusCode, Vec<Mistake>),
    /// Somebody else has changed it meanwhile.
    Conflict(String),
    /// Another answer.
    Problem(Problem),
}

impl Refusal {
    pub(super) fn mistake(field: Option<&'static str>, text: impl Into<String>) -> Self {
        Self::Mistakes(StatusCode::UNPROCESSABLE_ENTITY, vec![Mistake { field, text: text.into() }])
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = rolecall_axum::status_of(error.kind());
        if status.is_server_error() || error.kind() == ErrorKind::Deleted {
            return Self::Problem(error.into());
        }
        let text = super::layout::capitalised(&error.to_string());
        match error.kind() {
            ErrorKind::NotFound => Self::Conflict(text),
            kind => {
                let field = match (kind, error.what().unwrap_or_default()) {
                    (ErrorKind::AlreadyExists, _) if error.relation().is_none() => Some("slug"),
                    (ErrorKind::Invalid, what) if what.contains("slug") => Some("slug"),
                    (ErrorKind::Invalid, what) if what.contains("description") => Some("description"),
                    (ErrorKind::Invalid, what) if what.contains("name") => Some("name"),
                    _ => None,
                };
                Self::Mistakes(status, vec![Mistake { field, text }])
            }
        }
    }
}

/// A form, who sent it, and what it needs.
pub(super) struct Submitted {
    pub(super) tenant: Tenant,
    pub(super) frame: Frame,
    pub(super) section: Section,
    pub(super) permission: Permission,
    /// Where the form is sent to.
    pub(super) action: String,
    /// Where to go if the change is given up.
    pub(super) back: String,
    pub(super) fields: Fields,
}

/// What a form leads to.
pub(super) enum Outcome {
    /// It is committed: the page to go to.
    Done(String),
    /// Something else, which is shown.
    Page(Response),
    /// It was refused.
    Refused(Refusal),
}

impl Submitted {
    /// Plans the change, and previews or commits it. The closure returns the page to go to.
    ///
    /// With a commit goes a task that logs it, so that a client which hangs up leaves no change without a line in the log.
    pub(super) async fn apply(
        &self,
        change: impl Fn(&Tx, &Fields) -> Result<String, Refusal> + Send + Sync,
    ) -> Outcome {
        let mut attempts = 0;
        loop {
            let (to, plan) = match self.plan(&change) {
                Ok(planned) => planned,
                Err(refusal) => return Outcome::Refused(refusal),
            };
            let effect = Effect::of(&plan);
            if self.fields.get("step") == "preview" {
                return Outcome::Page(self.preview(StatusCode::OK, &effect, false));
            }
            let seen = self.fields.get("seen");
            if !seen.is_empty() && seen != effect.digest() {
                return Outcome::Page(self.preview(StatusCode::CONFLICT, &effect, true));
            }
            if plan.is_empty() {
                return Outcome::Done(with_notice(&self.back, "nothing"));
            }
            drop(effect);
            let (tenant, user) = (self.tenant.clone(), self.frame.user);
            let task = tokio::spawn(async move {
                let updated = tenant.commit(plan).await?;
                log(user, &updated);
                Ok::<_, Error>(())
            });
            attempts += 1;
            match task.await {
                Ok(Ok(())) => return Outcome::Done(to),
                Ok(Err(error)) if error.kind() == ErrorKind::Stale && attempts < MOST_ATTEMPTS => {}
                Ok(Err(error)) if error.kind() == ErrorKind::Stale => {
                    return Outcome::Refused(Refusal::Conflict(
                        "Others are changing this tenant all the time".to_owned(),
                    ));
                }
                Ok(Err(error)) => return Outcome::Refused(error.into()),
                Err(_) => {
                    let (status, code) = (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.code());
                    return Outcome::Refused(Refusal::Problem(Problem::new(status, code, "internal error")));
                }
            }
        }
    }

    /// The permission is decided again on the state that is changed. The guard refuses to give anybody a right that the
    /// user lacks (R13).
    fn plan(&self, change: impl Fn(&Tx, &Fields) -> Result<String, Refusal>) -> Result<(String, Plan), Refusal> {
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
            change(tx, &self.fields)
        })
    }

    /// The answer to what was refused: a page about it.
    pub(super) fn refused(&self, refusal: Refusal) -> Result<Response, Problem> {
        match refusal {
            Refusal::Mistakes(status, mistakes) => Ok(self.not_saved(status, &mistakes)),
            Refusal::Conflict(text) => Ok(self.conflict(&text)),
            Refusal::Problem(problem) => Err(problem),
        }
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

    /// Somebody else was faster. What the form wanted can be previewed on the present state.
    fn conflict(&self, text: &str) -> Response {
        let content = html! {
            h1 { "Somebody has changed this meanwhile" }
            div.errors role="alert" tabindex="-1" data-focus {
                h2 { "Nothing was saved" }
                p { (text) "." }
                p { "Your change was made for a state that is not there any more, so it has overwritten nothing." }
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
                    h2 { "The effect is another one now" }
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
    matches!(name, "name" | "slug" | "description" | "until")
}

/// The fields as hidden ones of another form.
pub(super) fn hidden(fields: &Fields, without: &[&str]) -> Markup {
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

/// A line for each change, with ids only: names would be personal data.
fn log(user: UserId, updated: &Updated<()>) {
    for change in updated.described() {
        let object =
            change.object.as_ref().map_or_else(String::new, |object| format!(" {} {}", object.entity, object.id));
        let subject = format!("{} {}", change.subject.entity, change.subject.id);
        let (kind, record) = (change.change, change.kind);
        tracing::info!(by = %user, revision = %updated.revision, change = format!("{kind:?} {record:?}: {subject}{object}"), "changed");
    }
}

/// What a plan would change, and who would gain and lose what.
struct Effect {
    lines: Vec<String>,
    access: Vec<(String, String, Vec<String>, Vec<String>)>,
    warnings: Vec<String>,
    more_lines: bool,
    more_users: bool,
    at: Timestamp,
}

impl Effect {
    fn of(plan: &Plan) -> Self {
        let mut lines: Vec<String> = plan.described().take(MOST_LINES + 1).map(|change| change.to_string()).collect();
        let shown = |change: AccessChange| {
            let slugs = |set: rolecall::moment::PermissionSet| set.slugs().iter().map(ToString::to_string).collect();
            (change.user.key.to_string(), change.user.name().to_owned(), slugs(change.gained), slugs(change.lost))
        };
        let mut access: Vec<_> = plan.access_changes(plan.instant()).take(MOST_USERS + 1).map(shown).collect();
        let (more_lines, more_users) = (lines.len() > MOST_LINES, access.len() > MOST_USERS);
        lines.truncate(MOST_LINES);
        access.truncate(MOST_USERS);
        let warnings = plan.warnings().iter().map(ToString::to_string).collect();
        Self { lines, access, warnings, more_lines, more_users, at: plan.instant() }
    }

    fn digest(&self) -> String {
        short_hash(&(&self.lines, &self.access, &self.warnings, self.more_lines, self.more_users))
    }

    fn shown(&self) -> Markup {
        html! {
            @if !self.warnings.is_empty() {
                div.warning { h2 { "Warnings" } ul { @for line in &self.warnings { li { (super::layout::capitalised(line)) } } } }
            }
            h2 { "What changes" }
            @if self.lines.is_empty() { p.empty { "Nothing: it is like this already." } }
            ul.lines { @for line in &self.lines { li { (with_names(line)) } } }
            @if self.more_lines { p.muted { "… and more." } }
            h2 #access { "Who gains or loses access" }
            p.hint { "At this instant, " (super::layout::instant(self.at)) "." }
            @if self.access.is_empty() { p.empty { "Nobody gains or loses a permission now." } }
            @else {
                table aria-labelledby="access" {
                    thead { tr { th scope="col" { "User" } th scope="col" { "Gains" } th scope="col" { "Loses" } } }
                    tbody {
                        @for (key, name, gained, lost) in &self.access {
                            tr {
                                th scope="row" { (name) @if name != key { " " span.muted { (key) } } }
                                td { (permissions(gained, "gain", "+ ")) }
                                td { (permissions(lost, "lose", "− ")) }
                            }
                        }
                    }
                }
                @if self.more_users { p.muted { "Only the first " (MOST_USERS) " users are shown. More are affected." } }
            }
        }
    }
}

/// A line with the names in it marked. They are between backticks, and have none themselves.
fn with_names(line: &str) -> Markup {
    let line = super::layout::capitalised(line);
    html! {
        @for (i, part) in line.split('`').enumerate() { @if i % 2 == 1 { code { (part) } } @else { (part) } }
    }
}

/// So many permissions of one user at most in a preview.
const MOST_PERMISSIONS: usize = 20;

fn permissions(slugs: &[String], class: &str, sign: &str) -> Markup {
    html! {
        @if slugs.is_empty() { span.muted { "nothing" } }
        @else {
            ul.plain {
                @for slug in slugs.iter().take(MOST_PERMISSIONS) { li class=(class) { span aria-hidden="true" { (sign) } code { (slug) } } }
                @if let Some(more) = slugs.len().checked_sub(MOST_PERMISSIONS).filter(|more| *more > 0) {
                    li.muted { "… and " (more) " more" }
                }
            }
        }
    }
}

fn short_hash(value: &impl Serialize) -> String {
    tag_of(value).trim_matches('"').to_owned()
}

/// The version of a group: its record, its direct roles and its parents. Members are not part of it, because a form adds and
/// removes each of them by itself.
pub(super) fn group_version(moment: &Moment<'_>, group: GroupId) -> String {
    let roles: Vec<_> = moment.roles_of_group(group).iter().map(|role| (role.record.id(), role.window)).collect();
    let parents: Vec<_> = moment.parents_of(group).iter().map(|parent| (parent.record.id, parent.window)).collect();
    short_hash(&(moment.group(group), roles, parents))
}

/// The version of a user: its record and its direct roles.
pub(super) fn user_version(moment: &Moment<'_>, user: UserId) -> String {
    let roles: Vec<_> = moment.roles_of(user).iter().map(|role| (role.record.id(), role.window)).collect();
    short_hash(&(moment.user(user), roles))
}

/// Compares the version in the form with the present one.
fn judge(fields: &Fields, current: &str, what: &str) -> Result<(), Refusal> {
    match fields.get("version") {
        // Only the button of a conflict's page sends it, and only with a preview, whose result is judged by `seen`.
        "any" if fields.get("step") == "preview" || !fields.get("seen").is_empty() => Ok(()),
        version if version == current => Ok(()),
        _ => Err(Refusal::Conflict(format!("The {what} is another one than the page has shown"))),
    }
}

/// Creates a group.
pub(super) fn create_group(tx: &Tx, fields: &Fields) -> Result<String, Refusal> {
    let name = fields.get("name");
    if name.is_empty() {
        return Err(Refusal::mistake(Some("name"), "Enter a name"));
    }
    let group = match fields.get("slug") {
        "" => tx.create_group_with_name(name)?,
        slug => tx.create_group(slug)?,
    };
    let id = group.set_name(name)?.set_description(fields.get("description"))?.id()?;
    if let Ok(parent) = fields.get("parent").parse::<GroupId>() {
        tx.group(id)?.add_parent(parent)?;
    }
    Ok(id.to_string())
}

/// Makes the change that the field `do` names, on a group or on a user.
fn group_change(tx: &Tx, fields: &Fields, group: GroupId) -> Result<&'static str, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.group(group)?;
    judge(fields, &group_version(&moment, group), "group")?;
    let chosen = |is_empty: bool, text: &str| if is_empty { Err(Refusal::mistake(None, text)) } else { Ok(()) };
    Ok(match fields.get("do") {
        "edit" => {
            if fields.get("name").is_empty() {
                return Err(Refusal::mistake(Some("name"), "Enter a name"));
            }
            edit.set_name(fields.get("name"))?.set_slug(fields.get("slug"))?;
            edit.set_description(fields.get("description"))?;
            "/settings"
        }
        "add-members" => {
            let users: Vec<UserId> = fields.ids("user")?;
            chosen(users.is_empty(), "Choose at least one user")?;
            let window = fields.window(tx.instant())?;
            for user in users {
                edit.add_member_during(user, window)?;
            }
            ""
        }
        "remove-members" => {
            let users: Vec<UserId> = fields.ids("user")?;
            chosen(users.is_empty(), "Choose at least one member")?;
            for user in users {
                edit.remove_member(user)?;
            }
            ""
        }
        "set-window" => {
            let (user, window) = (fields.get("user").parse::<UserId>()?, fields.window(tx.instant())?);
            let before = moment.groups_of(user).iter().find(|entry| entry.record.id == group).map(|entry| entry.window);
            match before {
                Some(before) if before.to_string() == fields.get("was") => {}
                _ => return Err(Refusal::Conflict("The membership is another one than the page has shown".to_owned())),
            }
            let start = before.and_then(Window::start);
            edit.set_member_window(user, Window::new(start, window.end())?)?;
            ""
        }
        "assign" => {
            let roles: Vec<RoleId> = fields.ids("role")?;
            chosen(roles.is_empty(), "Choose at least one role")?;
            let window = fields.window(tx.instant())?;
            for role in roles {
                edit.assign_during(role, window)?;
            }
            "/roles"
        }
        "unassign" => {
            let roles: Vec<RoleId> = fields.ids("role")?;
            chosen(roles.is_empty(), "Choose at least one role")?;
            for role in roles {
                edit.unassign(role)?;
            }
            "/roles"
        }
        "add-parent" => {
            let slug = fields.get("parent");
            let parent = moment.group(slug).map(|parent| parent.id);
            let parent = parent.ok_or_else(|| Refusal::mistake(Some("parent"), "No group has this slug"))?;
            edit.add_parent(parent)?;
            "/subgroups"
        }
        "remove-parent" => {
            edit.remove_parent(fields.get("parent").parse::<GroupId>()?)?;
            "/subgroups"
        }
        "delete" => {
            tx.delete_group(group)?;
            "deleted"
        }
        _ => return Err(Refusal::mistake(None, "The form says not what to do")),
    })
}

/// Changes a group. Returns the page to go to. `groups` is the path of the list of groups.
pub(super) fn change_group(tx: &Tx, fields: &Fields, group: GroupId, groups: &str) -> Result<String, Refusal> {
    Ok(match group_change(tx, fields, group)? {
        "deleted" => with_notice(groups, "deleted"),
        tab => with_notice(&format!("{groups}/{group}{tab}"), "saved"),
    })
}

/// Changes a user. Returns the page to go to, which is the user's.
pub(super) fn change_user(tx: &Tx, fields: &Fields, user: UserId, own: &str) -> Result<String, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.user(user)?;
    judge(fields, &user_version(&moment, user), "user")?;
    let roles: Vec<RoleId> = fields.ids("role")?;
    match fields.get("do") {
        "assign" | "unassign" if roles.is_empty() => return Err(Refusal::mistake(None, "Choose at least one role")),
        "assign" => {
            let window = fields.window(tx.instant())?;
            for role in roles {
                edit.assign_during(role, window)?;
            }
        }
        "unassign" => {
            for role in roles {
                edit.unassign(role)?;
            }
        }
        "suspend" => drop(edit.suspend()?),
        "activate" => drop(edit.activate()?),
        _ => return Err(Refusal::mistake(None, "The form says not what to do")),
    }
    Ok(with_notice(own, "saved"))
}
