//! The history: who changed what, and when. Of the whole tenant, or of one group, user, role or permission.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use rolecall::Moment;
use rolecall::records::{GroupId, PermissionId, RoleId, UserId};
use rolecall_axum::Problem;
use serde::Deserialize;
use uuid::Uuid;

use super::effect::with_names;
use super::layout::{Section, empty, instant, link, page, pager};
use super::visit::{Frame, Visit};
use super::{groups, permissions, roles, users};
use crate::catalog::Permission;
use crate::catalog::required::HistoryRead;
use crate::history::{self, Entry, Shown};
use crate::state::PortalState;

/// So many commits on one page.
const MOST_COMMITS: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    actor: String,
    after: String,
}

type Answer = Result<Response, Problem>;

/// The history of the tenant.
pub(super) async fn tenant(
    visit: Visit<HistoryRead>,
    State(state): State<PortalState>,
    Query(asked): Query<Asked>,
) -> Answer {
    let shown = read(&state, &visit, None, &asked).await?;
    let (frame, own) = (&visit.frame, visit.frame.path("history"));
    let content = html! {
        h1 { "History" }
        p.lead { "Who changed what in this tenant, the latest change first." }
        form.search method="get" action=(own) {
            label for="actor" { "Only changes of" }
            div.row {
                input #actor name="actor" type="search" value=(asked.actor) autocomplete="off";
                button { "Show" }
                @if !asked.actor.is_empty() { a href=(own) { "Clear" } }
            }
        }
        (entries(frame, &visit.moment(), &shown, &own, &asked))
    };
    Ok(page(frame, Section::History, "History", content))
}

/// The history of a group.
pub(super) async fn group(
    visit: Visit<HistoryRead>,
    State(state): State<PortalState>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.require(&[Permission::GroupsRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let record = moment.group(group).ok_or_else(|| groups::not_found("group"))?;
    let head = groups::head(frame, &moment, &record, "/history", "");
    let own = frame.path(&format!("groups/{group}/history"));
    one(&state, &visit, &asked, Section::Groups, record.name.as_str(), group.as_uuid(), &head, &own).await
}

/// The history of a user.
pub(super) async fn user(
    visit: Visit<HistoryRead>,
    State(state): State<PortalState>,
    Path((_, user)): Path<(String, UserId)>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.require(&[Permission::UsersRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let record = moment.user(user).ok_or_else(|| groups::not_found("user"))?;
    let head = users::head(frame, &record, "/history", "");
    let own = frame.path(&format!("users/{user}/history"));
    one(&state, &visit, &asked, Section::Users, record.name(), user.as_uuid(), &head, &own).await
}

/// The history of a role.
pub(super) async fn role(
    visit: Visit<HistoryRead>,
    State(state): State<PortalState>,
    Path((_, role)): Path<(String, RoleId)>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.require(&[Permission::RolesRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let record = moment.role(role).ok_or_else(|| groups::not_found("role"))?;
    let head = roles::head(frame, &record, "/history", "");
    let own = frame.path(&format!("roles/{role}/history"));
    one(&state, &visit, &asked, Section::Roles, record.name().as_str(), role.as_uuid(), &head, &own).await
}

/// The history of a permission.
pub(super) async fn permission(
    visit: Visit<HistoryRead>,
    State(state): State<PortalState>,
    Path((_, permission)): Path<(String, PermissionId)>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.require(&[Permission::PermissionsRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let record = moment.permission(permission).ok_or_else(|| groups::not_found("permission"))?;
    let head = permissions::head(frame, &record, "/history", "");
    let own = frame.path(&format!("permissions/{permission}/history"));
    let name = record.name().as_str();
    one(&state, &visit, &asked, Section::Permissions, name, permission.as_uuid(), &head, &own).await
}

/// The page about one entity.
#[expect(clippy::too_many_arguments, reason = "what differs between the kinds of entities")]
async fn one(
    state: &PortalState,
    visit: &Visit<HistoryRead>,
    asked: &Asked,
    section: Section,
    name: &str,
    id: Uuid,
    head: &Markup,
    own: &str,
) -> Answer {
    let shown = read(state, visit, Some(id), asked).await?;
    let content = html! {
        (head)
        h2 { "History" }
        (entries(&visit.frame, &visit.moment(), &shown, own, asked))
    };
    Ok(page(&visit.frame, section, &format!("History of {name}"), content))
}

async fn read(
    state: &PortalState,
    visit: &Visit<HistoryRead>,
    about: Option<Uuid>,
    asked: &Asked,
) -> Result<Shown, Problem> {
    let before = Some(asked.after.as_str()).filter(|after| !after.is_empty()).map(str::parse).transpose()?;
    let actor = Some(asked.actor.trim()).filter(|actor| !actor.is_empty()).map(str::parse).transpose()?;
    history::read(state, visit.asking.tenant(), &history::Asked { limit: MOST_COMMITS, before, about, actor }).await
}

fn entries(frame: &Frame, moment: &Moment<'_>, shown: &Shown, own: &str, asked: &Asked) -> Markup {
    let first = link(own, &[("actor", &asked.actor)]);
    let next = shown.next.map(|next| link(own, &[("actor", &asked.actor), ("after", &next.to_string())]));
    html! {
        @if shown.entries.is_empty() {
            (empty(if next.is_some() { "Nothing among the latest changes. There are older ones." } else { "Nothing has changed." }))
        } @else { ol.history { @for entry in &shown.entries { (one_entry(frame, moment, entry)) } } }
        (pager(&first, asked.after.is_empty(), next))
    }
}

fn one_entry(frame: &Frame, moment: &Moment<'_>, entry: &Entry) -> Markup {
    let user = entry.actor.as_ref().and_then(|actor| moment.user(actor.as_str()));
    html! {
        li {
            p.when {
                (instant(entry.at)) " by "
                @match (&user, &entry.actor) {
                    (Some(user), _) if frame.rights.read_users => { a href=(frame.path(&format!("users/{}", user.id))) { (user.name()) } }
                    (_, Some(actor)) => { strong { (actor) } }
                    (_, None) => { span.muted { "nobody named" } }
                }
                " " span.muted { "revision " (entry.revision) }
            }
            @if let Some(note) = &entry.note { p.note { "“" (note) "”" } }
            ul.lines {
                @for line in &entry.lines { li { (with_names(&line.described.to_string())) " " span.event { (line.event) } } }
            }
            @if let Some(more) = entry.total.checked_sub(entry.lines.len()).filter(|more| *more > 0) {
                p.muted { "… and " (more) " more " (if more == 1 { "change" } else { "changes" }) }
            }
        }
    }
}
