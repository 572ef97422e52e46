//! Roles: the list, and one with what it grants, and who has it through what. `role_settings.rs` changes it.

use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::{Via, WithOrigin};
use rolecall::records::{Granted, RoleId, RoleRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::groups::not_found;
use super::layout::{Section, breadcrumbs, empty, link, notice, origin, page, pager, search_form, tabs, window};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, sources};
use crate::catalog::required::RolesRead;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: String,
    show: String,
    done: String,
}

impl Asked {
    fn page(&self) -> PageRequest {
        PageRequest::of(PAGE_SIZE).search(self.q.as_str()).after(self.after.as_str())
    }
}

pub(super) async fn list(visit: Visit<RolesRead>, Query(asked): Query<Asked>) -> Response {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let path = frame.path("roles");
    let found = moment.roles(&asked.page());
    let content = html! {
        (notice(Some(&asked.done)))
        div.title {
            h1 { "Roles" }
            @if frame.rights.manage_roles { a.button.primary href=(frame.path("roles/new")) { "Create Role" } }
        }
        (search_form(&path, "Search roles", &asked.q, &[]))
        @if found.items.is_empty() { (empty("No role matches.")) }
        @else {
            table {
                caption.visually-hidden { "Roles" }
                thead { tr { th scope="col" { "Role" } th scope="col" { "Direct users" } th scope="col" { "Permissions" } } }
                tbody {
                    @for role in &found.items {
                        tr {
                            th scope="row" {
                                a.name href=(frame.path(&format!("roles/{}", role.id()))) { (role.name()) } " " code.muted { (role.slug()) } " " (origin(role.origin))
                            }
                            td { (moment.holder_count(role.id()).unwrap_or_default()) }
                            td { (moment.effective_of_role(role.id()).len()) }
                        }
                    }
                }
            }
        }
        (pager(&link(&path, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&path, &[("q", &asked.q), ("after", &next)]))))
    };
    page(frame, Section::Roles, "Roles", content)
}

pub(super) async fn role(
    visit: Visit<RolesRead>,
    Path((_, role)): Path<(String, RoleId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let role = moment.role(role).ok_or_else(|| not_found("role"))?;
    let own = frame.path(&format!("roles/{}", role.id()));
    let content = html! {
        (head(frame, &role, "", &asked.done))
        (grants(frame, &moment, &role))
        h2 { "Who has this role, and through what" }
        nav.switch aria-label="Holders" {
            @for (show, name) in [("", "Users"), ("groups", "Groups")] {
                a href=(link(&own, &[("show", show)])) aria-current=[(asked.show == show).then_some("page")] { (name) }
            }
        }
        (search_form(&own, "Search holders", &asked.q, &[("show", &asked.show)]))
        @if asked.show == "groups" { (groups_with(frame, &moment, &role, &own, &asked)) }
        @else { (users_with(frame, &moment, &role, &own, &asked)) }
    };
    Ok(page(frame, Section::Roles, role.name().as_str(), content))
}

/// The head of all tabs of a role. `current` is the end of the path of the present one.
pub(super) fn head(frame: &Frame, role: &WithOrigin<RoleRecord>, current: &str, done: &str) -> Markup {
    let own = frame.path(&format!("roles/{}", role.id()));
    let mut views = vec![("", "Holders", None), ("/settings", "Settings", None)];
    if frame.rights.read_history {
        views.push(("/history", "History", None));
    }
    html! {
        (notice(Some(done)))
        (breadcrumbs(&[(frame.path("roles"), "Roles")], role.name().as_str()))
        div.title { h1 { (role.name()) } code.muted { (role.slug()) } (origin(role.origin)) }
        @if !role.record.description.is_empty() { p.lead { (role.record.description) } }
        (tabs("Role", &own, current, &views))
    }
}

/// So many grants of a role at most.
pub(super) const MOST_GRANTS: usize = 200;

pub(super) fn grants(frame: &Frame, moment: &Moment<'_>, role: &WithOrigin<RoleRecord>) -> Markup {
    let (grants, includes) = (moment.grants_of(role.id()), moment.includes_of(role.id()));
    html! {
        h2 { "Grants" }
        @if grants.is_empty() && includes.is_empty() { (empty("This role grants nothing.")) }
        ul.chips {
            @for granted in grants.iter().take(MOST_GRANTS) {
                @match granted {
                    Granted::Permission(permission) => {
                        @if let Some(permission) = moment.permission(permission.id()) {
                            li {
                                @if frame.rights.read_permissions { a href=(frame.path(&format!("permissions/{}", permission.id()))) { (permission.slug()) } }
                                @else { code { (permission.slug()) } }
                            }
                        }
                    }
                    Granted::Pattern(pattern) => { li { code { (pattern) } span.visually-hidden { " (pattern)" } } }
                }
            }
        }
        @if grants.len() > MOST_GRANTS { p.muted { "Only the first " (MOST_GRANTS) " are shown." } }
        @if !includes.is_empty() {
            p {
                "Includes "
                @for (i, included) in includes.iter().take(MOST_GRANTS).enumerate() {
                    @if i > 0 { ", " }
                    a href=(frame.path(&format!("roles/{}", included.id()))) { (included.name()) }
                }
            }
        }
    }
}

fn users_with(frame: &Frame, moment: &Moment<'_>, role: &WithOrigin<RoleRecord>, own: &str, asked: &Asked) -> Markup {
    let set = moment.all_holders(role.id());
    let total = set.len();
    let found = set.page(&asked.page());
    let via = |user| {
        moment.all_roles_of(user).iter().find(|entry| entry.record.id() == role.id()).map(|entry| entry.via.clone())
    };
    html! {
        p.muted { (total) @if total == 1 { " active user" } @else { " active users" } ", directly, through groups and through roles that include it" }
        @if found.items.is_empty() { (empty("No user matches.")) }
        @else {
            table {
                caption.visually-hidden { "Users with the role " (role.name()) }
                thead { tr { th scope="col" { "User" } th scope="col" { "Source" } } }
                tbody {
                    @for user in &found.items {
                        @let path = frame.path(&format!("users/{}", user.id));
                        tr {
                            th scope="row" {
                                @if frame.rights.read_users { a.name href=(path) { (user.name()) } } @else { span.name { (user.name()) } }
                                @if user.name() != user.key.as_str() { " " span.muted.key { (user.key) } }
                            }
                            td { @if let Some(via) = via(user.id) { (sources::role(frame, moment, &via, &path)) } }
                        }
                    }
                }
            }
        }
        (pager(&link(own, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(own, &[("q", &asked.q), ("after", &next)]))))
    }
}

fn groups_with(frame: &Frame, moment: &Moment<'_>, role: &WithOrigin<RoleRecord>, own: &str, asked: &Asked) -> Markup {
    let found = moment.all_groups_with(role.id(), &asked.page());
    html! {
        @if found.items.is_empty() { (empty("No group has this role.")) }
        @else {
            table {
                caption.visually-hidden { "Groups with the role " (role.name()) }
                thead { tr { th scope="col" { "Group" } th scope="col" { "Source" } th scope="col" { "Assignment" } } }
                tbody {
                    @for entry in &found.items {
                        @let path = frame.path(&format!("groups/{}/roles", entry.record.id));
                        @let direct = moment.roles_of_group(entry.record.id).iter().find(|held| held.record.id() == role.id()).map(|held| held.window);
                        tr {
                            th scope="row" { a.name href=(path) { (entry.record.name) } }
                            td { (sources::role(frame, moment, &entry.via, &path)) }
                            td { @if let Some(direct) = direct.filter(|_| entry.via == Via::Direct) { (window(direct, moment.instant())) } }
                        }
                    }
                }
            }
        }
        (pager(&link(own, &[("show", "groups"), ("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(own, &[("show", "groups"), ("q", &asked.q), ("after", &next)]))))
    }
}
