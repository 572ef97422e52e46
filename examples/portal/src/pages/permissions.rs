//! Permissions: the list, a new one, and one with the roles that grant it and the users who have it.

use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::{Origin, WithOrigin};
use rolecall::records::{PermissionId, PermissionRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::PAGE_SIZE;
use super::change::Submitted;
use super::edits::{self, permission_version};
use super::fields::Fields;
use super::group_roles::role_cell;
use super::groups::not_found;
use super::layout::{
    Mistake, Section, breadcrumbs, danger_form, empty, error_summary, link, notice, origin, page, page_with_status,
    pager, save_or_preview, search_form, tabs, text_field,
};
use super::visit::{Frame, Visit};
use crate::catalog::required::{PermissionsManage, PermissionsRead};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: String,
    done: String,
}

impl Asked {
    fn page(&self) -> PageRequest {
        PageRequest::of(PAGE_SIZE).search(self.q.as_str()).after(self.after.as_str())
    }
}

pub(super) async fn list(visit: Visit<PermissionsRead>, Query(asked): Query<Asked>) -> Response {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let path = frame.path("permissions");
    let found = moment.permissions(&asked.page());
    let content = html! {
        (notice(Some(&asked.done)))
        div.title {
            h1 { "Permissions" }
            @if frame.rights.manage_permissions { a.button.primary href=(frame.path("permissions/new")) { "Create Permission" } }
        }
        (search_form(&path, "Search permissions", &asked.q, &[]))
        @if found.items.is_empty() { (empty("No permission matches.")) }
        @else {
            table {
                caption.visually-hidden { "Permissions" }
                thead { tr { th scope="col" { "Permission" } th scope="col" { "Name" } th scope="col" { "Category" } } }
                tbody {
                    @for permission in &found.items {
                        tr {
                            th scope="row" {
                                a.name href=(frame.path(&format!("permissions/{}", permission.id()))) { code { (permission.slug()) } } " " (origin(permission.origin))
                            }
                            td { (permission.name()) }
                            td { @if let Some(category) = &permission.record.category { (category) } }
                        }
                    }
                }
            }
        }
        (pager(&link(&path, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&path, &[("q", &asked.q), ("after", &next)]))))
    };
    page(frame, Section::Permissions, "Permissions", content)
}

pub(super) async fn permission(
    visit: Visit<PermissionsRead>,
    Path((_, permission)): Path<(String, PermissionId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let permission = moment.permission(permission).ok_or_else(|| not_found("permission"))?;
    let content = html! {
        (head(frame, &permission, "", &asked.done))
        @if frame.rights.read_roles { (roles_with(frame, &moment, &permission)) }
        @if frame.rights.list_access() { (users_with(frame, &moment, &permission, &asked)) }
    };
    Ok(page(frame, Section::Permissions, permission.slug().as_str(), content))
}

/// The head of all tabs of a permission. `current` is the end of the path of the present one.
pub(super) fn head(frame: &Frame, permission: &WithOrigin<PermissionRecord>, current: &str, done: &str) -> Markup {
    let own = frame.path(&format!("permissions/{}", permission.id()));
    let mut views = vec![("", "Who has it", None), ("/settings", "Settings", None)];
    if frame.rights.read_history {
        views.push(("/history", "History", None));
    }
    html! {
        (notice(Some(done)))
        (breadcrumbs(&[(frame.path("permissions"), "Permissions")], permission.slug().as_str()))
        div.title { h1 { (permission.name()) } code.muted { (permission.slug()) } (origin(permission.origin)) }
        @if !permission.record.description.is_empty() { p.lead { (permission.record.description) } }
        (tabs("Permission", &own, current, &views))
    }
}

/// So many roles at a time when they are searched for those that grant a permission.
const STEP: usize = 200;

fn roles_with(frame: &Frame, moment: &Moment<'_>, permission: &WithOrigin<PermissionRecord>) -> Markup {
    let (mut found, mut request) = (Vec::new(), PageRequest::of(STEP));
    loop {
        let page = moment.roles(&request);
        found.extend(
            page.items.into_iter().filter(|role| moment.effective_of_role(role.id()).contains(permission.id())),
        );
        match page.next {
            Some(next) if found.len() <= PAGE_SIZE => request = PageRequest::of(STEP).after(next),
            _ => break,
        }
    }
    html! {
        h2 { "Roles that grant it" }
        @if found.is_empty() { (empty("No role grants it.")) }
        @else { ul.results { @for role in found.iter().take(PAGE_SIZE) { li { (role_cell(frame, role)) } } } }
        @if found.len() > PAGE_SIZE { p.muted { "Only the first " (PAGE_SIZE) " are shown." } }
    }
}

fn users_with(frame: &Frame, moment: &Moment<'_>, permission: &WithOrigin<PermissionRecord>, asked: &Asked) -> Markup {
    let own = frame.path(&format!("permissions/{}", permission.id()));
    let set = moment.who_can(permission.id());
    let total = set.len();
    let found = set.page(&asked.page());
    html! {
        h2 { "Users who have it" }
        (search_form(&own, "Search users", &asked.q, &[]))
        p.muted { (total) @if total == 1 { " user" } @else { " users" } }
        @if found.items.is_empty() { (empty("No user matches.")) }
        @else {
            table {
                caption.visually-hidden { "Users who have " (permission.slug()) }
                thead { tr { th scope="col" { "User" } th scope="col" { "Why" } } }
                tbody {
                    @for user in &found.items {
                        tr {
                            th scope="row" {
                                a.name href=(frame.path(&format!("users/{}", user.id))) { (user.name()) }
                                @if user.name() != user.key.as_str() { " " span.muted.key { (user.key) } }
                            }
                            td {
                                a href=(link(&frame.path("tester"), &[("user", user.key.as_str()), ("permission", permission.slug().as_str())]))
                                    aria-label=(format!("Why does {} have it?", user.name())) { "Why?" }
                            }
                        }
                    }
                }
            }
        }
        (pager(&link(&own, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&own, &[("q", &asked.q), ("after", &next)]))))
    }
}

/// The names of a permission, and deleting it.
pub(super) async fn settings(
    visit: Visit<PermissionsRead>,
    Path((_, permission)): Path<(String, PermissionId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let permission = moment.permission(permission).ok_or_else(|| not_found("permission"))?;
    Ok(settings_page(StatusCode::OK, &visit.frame, &moment, &permission, &Fields(fields), &[]))
}

fn settings_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    permission: &WithOrigin<PermissionRecord>,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("permissions/{}", permission.id()));
    let record = &permission.record;
    let may_change = frame.rights.manage_permissions && permission.origin == Origin::Tenant;
    let value =
        |name: &str, stored: &str| if mistakes.is_empty() { stored.to_owned() } else { fields.get(name).to_owned() };
    let hidden = |action: &str| {
        html! {
            input type="hidden" name="do" value=(action);
            input type="hidden" name="version" value=(permission_version(moment, permission.id()));
        }
    };
    let content = html! {
        (head(frame, permission, "/settings", fields.get("done")))
        (error_summary(mistakes))
        @if may_change {
            form.card method="post" action=(own) {
                h2 { "Details" }
                (hidden("edit"))
                (text_field("name", "Name", "Display name", &value("name", record.name.as_str()), true, mistakes))
                (text_field("slug", "Slug", "Machine-readable identifier. Applications that check it must follow a change.", &value("slug", record.slug.as_str()), true, mistakes))
                (text_field("description", "Description", "What the permission allows", &value("description", record.description.as_str()), false, mistakes))
                (text_field("category", "Category", "The heading under which lists show it", &value("category", record.category.as_ref().map_or("", |category| category.as_str())), false, mistakes))
                (save_or_preview("Save"))
            }
            (danger_form(&own, &hidden("delete"), "Delete the permission",
                "Roles that grant it lose the grant, and every check of it is denied. If it is about one resource, AuthZEN asks for the general permission instead.", "Delete permission"))
        } @else {
            @if permission.origin == Origin::Catalog { div.locked { strong { "The application defines this permission." } " It can only be changed there." } }
            dl.facts {
                dt { "Name" } dd { (record.name) } dt { "Slug" } dd { code { (record.slug) } }
                @if let Some(category) = &record.category { dt { "Category" } dd { (category) } }
            }
        }
    };
    let title =
        if mistakes.is_empty() { format!("Settings of {}", record.slug) } else { format!("Error: {}", record.slug) };
    page_with_status(status, frame, Section::Permissions, &title, content)
}

/// The form for a new permission.
pub(super) async fn new(visit: Visit<PermissionsManage>) -> Response {
    new_form(StatusCode::OK, &visit.frame, &Fields::default(), &[])
}

fn new_form(status: StatusCode, frame: &Frame, fields: &Fields, mistakes: &[Mistake]) -> Response {
    let list = frame.path("permissions");
    let content = html! {
        (breadcrumbs(&[(list.clone(), "Permissions")], "Create Permission"))
        h1 { "Create Permission" }
        (error_summary(mistakes))
        form.card method="post" action=(list) {
            (text_field("slug", "Slug", "Machine-readable identifier, for example posts:write", fields.get("slug"), true, mistakes))
            (text_field("name", "Name", "Display name, for example Write posts. The slug is shown if it is empty.", fields.get("name"), false, mistakes))
            (text_field("description", "Description", "What the permission allows", fields.get("description"), false, mistakes))
            (text_field("category", "Category", "The heading under which lists show it, for example Posts", fields.get("category"), false, mistakes))
            div.actions {
                button.primary name="step" value="save" { "Create Permission" }
                a.button href=(list) { "Cancel" }
            }
        }
    };
    let title = if mistakes.is_empty() { "Create Permission" } else { "Error: Create Permission" };
    page_with_status(status, frame, Section::Permissions, title, content)
}

pub(super) async fn create(
    visit: Visit<PermissionsManage>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let list = visit.frame.path("permissions");
    let submitted = Submitted::new(&visit, Section::Permissions, list.clone(), list.clone(), Fields(fields));
    let again =
        |status: StatusCode, mistakes: &[Mistake]| Some(new_form(status, &visit.frame, &submitted.fields, mistakes));
    submitted.answer(|tx, fields| edits::create_permission(tx, fields, &list), again).await
}

pub(super) async fn change(
    visit: Visit<PermissionsManage>,
    Path((_, permission)): Path<(String, PermissionId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let list = visit.frame.path("permissions");
    let own = format!("{list}/{permission}");
    let back = format!("{own}/settings");
    let submitted = Submitted::new(&visit, Section::Permissions, own, back, Fields(fields));
    let again = |status: StatusCode, mistakes: &[Mistake]| {
        let moment = visit.moment();
        let permission = moment.permission(permission)?;
        Some(settings_page(status, &visit.frame, &moment, &permission, &submitted.fields, mistakes))
    };
    let actor = visit.frame.user;
    submitted.answer(|tx, fields| edits::change_permission(tx, fields, actor, permission, &list), again).await
}
