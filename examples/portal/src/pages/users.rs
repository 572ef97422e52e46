//! Users: the list, a new one, and one with groups, roles and permissions, each with where it comes from.

use std::collections::HashSet;

use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::Via;
use rolecall::records::{RoleId, Status, UserId, UserRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::change::Submitted;
use super::directory::directory_link;
use super::edits::{self, user_version};
use super::fields::Fields;
use super::group_roles::{assign_form, role_cell};
use super::groups::not_found;
use super::layout::{
    Mistake, Section, breadcrumbs, danger_form, empty, error_summary, link, notice, origin, page, page_with_status,
    pager, save_or_preview, search_form, tabs, text_field, window,
};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, sources};
use crate::catalog::required::{UsersManage, UsersRead};

/// So many entries of a list at most that is not paged, such as the groups of one user.
const MOST_ENTRIES: usize = 200;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: String,
    done: String,
}

pub(super) async fn list(visit: Visit<UsersRead>, Query(asked): Query<Asked>) -> Response {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let path = frame.path("users");
    let found = moment.users(&PageRequest::of(PAGE_SIZE).search(asked.q.as_str()).after(asked.after.as_str()));
    let total = moment.counts().map_or(0, |counts| counts.users);
    let content = html! {
        (notice(Some(&asked.done)))
        div.title {
            h1 { "Users" }
            @if frame.rights.manage_users { a.button.primary href=(frame.path("users/new")) { "Create User" } }
        }
        (search_form(&path, "Search users by name or key", &asked.q, &[]))
        p.muted { (total) @if total == 1 { " user" } @else { " users" } }
        @if found.items.is_empty() { (empty("No user matches.")) }
        @else {
            table {
                caption.visually-hidden { "Users" }
                thead { tr { th scope="col" { "User" } th scope="col" { "Direct groups" } th scope="col" { "Direct roles" } } }
                tbody {
                    @for user in &found.items {
                        tr {
                            th scope="row" { a.name href=(frame.path(&format!("users/{}", user.id))) { (user.name()) } " " (about(user)) }
                            td { (moment.groups_of(user.id).len()) }
                            td { (moment.roles_of(user.id).len()) }
                        }
                    }
                }
            }
        }
        (pager(&link(&path, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&path, &[("q", &asked.q), ("after", &next)]))))
    };
    page(frame, Section::Users, "Users", content)
}

fn about(user: &UserRecord) -> Markup {
    html! {
        @if user.name() != user.key.as_str() { span.muted.key { (user.key) } " " }
        @if user.status == Status::Suspended { span.badge.off { "suspended" } " " }
        @if let Some(manager) = user.managed_by() { span.badge.lock { "managed by " (manager) } }
    }
}

pub(super) async fn user(
    visit: Visit<UsersRead>,
    Path((_, user)): Path<(String, UserId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let user = moment.user(user).ok_or_else(|| not_found("user"))?;
    Ok(user_page(StatusCode::OK, &visit.frame, &moment, &user, &Fields(fields), &[]))
}

fn user_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    user: &UserRecord,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("users/{}", user.id));
    let content = html! {
        (head(frame, user, "", fields.get("done")))
        (error_summary(mistakes))
        (groups_of(frame, moment, user))
        (roles_of(frame, moment, user, &own))
        @if frame.rights.read_access { (permissions_of(frame, moment, user)) }
        @if frame.rights.manage_users && frame.rights.read_roles {
            @let held: HashSet<RoleId> = moment.roles_of(user.id).iter().map(|role| role.record.id()).collect();
            (assign_form(moment, &own, &own, &user_fields(moment, user, "assign"), fields, &held, mistakes, "Add roles to this user alone"))
        }
    };
    page_with_status(status, frame, Section::Users, user.name(), content)
}

/// The head of all tabs of a user. `current` is the end of the path of the present one.
pub(super) fn head(frame: &Frame, user: &UserRecord, current: &str, done: &str) -> Markup {
    let own = frame.path(&format!("users/{}", user.id));
    let mut views = vec![("", "Access", None), ("/settings", "Settings", None)];
    if frame.rights.read_history {
        views.push(("/history", "History", None));
    }
    html! {
        (notice(Some(done)))
        (breadcrumbs(&[(frame.path("users"), "Users")], user.name()))
        div.title { h1 { (user.name()) } (about(user)) }
        @if user.status == Status::Suspended { div.locked { strong { "This user is suspended." } " No group and no role gives anything now." } }
        (tabs("User", &own, current, &views))
    }
}

/// Key, name, suspending and deleting.
pub(super) async fn settings(
    visit: Visit<UsersRead>,
    Path((_, user)): Path<(String, UserId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let user = moment.user(user).ok_or_else(|| not_found("user"))?;
    Ok(settings_page(StatusCode::OK, &visit.frame, &moment, &user, &Fields(fields), &[]))
}

fn settings_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    user: &UserRecord,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("users/{}", user.id));
    let (key, name) = if mistakes.is_empty() {
        (user.key.as_str(), user.display_name().map_or("", |name| name.as_str()))
    } else {
        (fields.get("key"), fields.get("name"))
    };
    let content = html! {
        (head(frame, user, "/settings", fields.get("done")))
        (error_summary(mistakes))
        @if !frame.rights.manage_users {
            dl.facts { dt { "Key" } dd { code { (user.key) } } dt { "Name" } dd { (user.name()) } }
        } @else if let Some(manager) = user.managed_by() {
            div.locked { strong { "This user is managed by " (manager) "." } " It can only be changed there. Roles can be assigned here." }
        } @else {
            form.card method="post" action=(own) {
                h2 { "Details" }
                (user_fields(moment, user, "edit"))
                (text_field("key", "Key", "What the application calls the user, such as an e-mail address", key, true, mistakes))
                (text_field("name", "Name", "Display name. The key is shown if it is empty.", name, false, mistakes))
                (save_or_preview("Save"))
            }
            @if user.status == Status::Suspended {
                form.card method="post" action=(own) {
                    h2 { "Let the user in again" }
                    p.hint { "Everything that groups and roles give counts again." }
                    (user_fields(moment, user, "activate"))
                    div.actions { button name="step" value="preview" { "Reactivate user" } }
                }
            } @else {
                (danger_form(&own, &user_fields(moment, user, "suspend"), "Suspend the user",
                    "The user may do nothing, and keeps groups and roles for later.", "Suspend user"))
            }
            (danger_form(&own, &user_fields(moment, user, "delete"), "Delete the user",
                "Memberships and roles go with the user.", "Delete user"))
        }
        (directory_link(frame, &own, user.managed_by().is_some()))
    };
    page_with_status(status, frame, Section::Users, &format!("Settings of {}", user.name()), content)
}

/// The form for a new user.
pub(super) async fn new(visit: Visit<UsersManage>) -> Response {
    new_form(StatusCode::OK, &visit.frame, &Fields::default(), &[])
}

fn new_form(status: StatusCode, frame: &Frame, fields: &Fields, mistakes: &[Mistake]) -> Response {
    let list = frame.path("users");
    let content = html! {
        (breadcrumbs(&[(list.clone(), "Users")], "Create User"))
        h1 { "Create User" }
        (error_summary(mistakes))
        form.card method="post" action=(list) {
            (text_field("key", "Key", "What the application calls the user, for example alice@acme.com", fields.get("key"), true, mistakes))
            (text_field("name", "Name", "Display name, for example Alice Ngô. The key is shown if it is empty.", fields.get("name"), false, mistakes))
            div.actions {
                button.primary name="step" value="save" { "Create User" }
                a.button href=(list) { "Cancel" }
            }
        }
    };
    let title = if mistakes.is_empty() { "Create User" } else { "Error: Create User" };
    page_with_status(status, frame, Section::Users, title, content)
}

pub(super) async fn create(
    visit: Visit<UsersManage>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let users = visit.frame.path("users");
    let submitted = Submitted::new(&visit, Section::Users, users.clone(), users.clone(), Fields(fields));
    let again =
        |status: StatusCode, mistakes: &[Mistake]| Some(new_form(status, &visit.frame, &submitted.fields, mistakes));
    submitted.answer(|tx, fields| edits::create_user(tx, fields, &users), again).await
}

fn user_fields(moment: &Moment<'_>, user: &UserRecord, action: &str) -> Markup {
    html! {
        input type="hidden" name="do" value=(action);
        input type="hidden" name="version" value=(user_version(moment, user.id));
    }
}

fn groups_of(frame: &Frame, moment: &Moment<'_>, user: &UserRecord) -> Markup {
    let direct = moment.groups_of(user.id);
    let all = moment.all_groups_of(user.id);
    let inherited: Vec<_> = all.iter().filter(|entry| entry.via != Via::Direct).collect();
    html! {
        h2 #groups { "Groups" }
        @if direct.is_empty() { (empty("This user is in no group.")) }
        @else {
            table aria-labelledby="groups" {
                thead { tr { th scope="col" { "Group" } th scope="col" { "Source" } th scope="col" { "Membership" } } }
                tbody {
                    @for entry in direct.iter().take(MOST_ENTRIES) {
                        tr {
                            th scope="row" { a.name href=(frame.path(&format!("groups/{}", entry.record.id))) { (entry.record.name) } }
                            td { span.badge.direct { "direct" } " " a href=(sources::member_path(frame, &entry.record, user.id)) aria-label=(format!("Change the membership in {}", entry.record.name)) { "Change" } }
                            td { (window(entry.window, moment.instant())) }
                        }
                    }
                    @for entry in inherited.iter().take(MOST_ENTRIES) {
                        tr {
                            th scope="row" { a.name href=(frame.path(&format!("groups/{}", entry.record.id))) { (entry.record.name) } }
                            td { (sources::membership(frame, moment, user.id, &entry.record)) }
                            td {}
                        }
                    }
                }
            }
            @if direct.len() > MOST_ENTRIES || inherited.len() > MOST_ENTRIES { p.muted { "Only the first " (MOST_ENTRIES) " of each are shown." } }
        }
    }
}

fn roles_of(frame: &Frame, moment: &Moment<'_>, user: &UserRecord, own: &str) -> Markup {
    let direct = moment.roles_of(user.id);
    let all = moment.all_roles_of(user.id);
    let inherited: Vec<_> = all.iter().filter(|entry| entry.via != Via::Direct).collect();
    let may_change = frame.rights.manage_users;
    html! {
        h2 #roles { "Roles" }
        @if direct.is_empty() && inherited.is_empty() { (empty("This user has no role.")) }
        @if !direct.is_empty() {
            @let table = html! {
                table {
                    caption { "Direct roles" }
                    thead { tr {
                        @if may_change { td.tick { span.visually-hidden { "Chosen" } } }
                        th scope="col" { "Role" } th scope="col" { "Assignment" }
                    } }
                    tbody {
                        @for entry in direct.iter().take(MOST_ENTRIES) {
                            tr {
                                @if may_change {
                                    td.tick { input type="checkbox" name="role" value=(entry.record.id()) aria-label=(format!("Choose {}", entry.record.name())); }
                                }
                                th scope="row" { (role_cell(frame, &entry.record)) " " (origin(entry.record.origin)) }
                                td { (window(entry.window, moment.instant())) }
                            }
                        }
                    }
                }
            };
            @if may_change {
                form method="post" action=(own) {
                    (user_fields(moment, user, "unassign"))
                    (table)
                    div.actions { button name="step" value="preview" { "Remove chosen roles" } }
                }
            } @else { (table) }
        }
        @if !inherited.is_empty() {
            table {
                caption { "Inherited roles" }
                thead { tr { th scope="col" { "Role" } th scope="col" { "Source" } } }
                tbody {
                    @for entry in inherited.iter().take(MOST_ENTRIES) {
                        tr {
                            th scope="row" { (role_cell(frame, &entry.record)) }
                            td { (sources::role(frame, moment, &entry.via, own)) }
                        }
                    }
                }
            }
        }
    }
}

fn permissions_of(frame: &Frame, moment: &Moment<'_>, user: &UserRecord) -> Markup {
    let set = moment.effective(user.id);
    let (total, slugs) = (set.len(), set.slugs());
    html! {
        h2 { "Effective permissions" }
        @if slugs.is_empty() { (empty("This user may do nothing.")) }
        @else {
            p.muted { (total) @if total == 1 { " permission" } @else { " permissions" } @if total > MOST_ENTRIES { ", the first " (MOST_ENTRIES) " are shown" } }
            ul.chips {
                @for slug in slugs.iter().take(MOST_ENTRIES) {
                    li { a href=(link(&frame.path("tester"), &[("user", user.key.as_str()), ("permission", slug.as_str())])) title="Why?" { (slug) } }
                }
            }
        }
    }
}

pub(super) async fn change(
    visit: Visit<UsersManage>,
    Path((_, user)): Path<(String, UserId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let users = visit.frame.path("users");
    let (own, fields) = (format!("{users}/{user}"), Fields(fields));
    let is_assignment = matches!(fields.get("do"), "assign" | "unassign");
    let back = if is_assignment { own.clone() } else { format!("{own}/settings") };
    let submitted = Submitted::new(&visit, Section::Users, own, back, fields);
    let again = |status: StatusCode, mistakes: &[Mistake]| {
        let moment = visit.moment();
        let user = moment.user(user)?;
        let form = if is_assignment { user_page } else { settings_page };
        Some(form(status, &visit.frame, &moment, &user, &submitted.fields, mistakes))
    };
    submitted.answer(|tx, fields| edits::change_user(tx, fields, user, &users), again).await
}
