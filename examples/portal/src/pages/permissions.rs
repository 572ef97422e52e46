//! Permissions: the list, and one with the roles that grant it and the users who have it.

use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::WithOrigin;
use rolecall::records::{PermissionId, PermissionRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::PAGE_SIZE;
use super::groups::{not_found, role_cell};
use super::layout::{Section, empty, link, origin, page, pager, search_form};
use super::visit::{Frame, Visit};
use crate::catalog::required::PermissionsRead;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: String,
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
        h1 { "Permissions" }
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
        nav.breadcrumbs aria-label="Breadcrumb" {
            ol { li { a href=(frame.path("permissions")) { "Permissions" } } li { span aria-current="page" { (permission.slug()) } } }
        }
        div.title { h1 { (permission.name()) } code.muted { (permission.slug()) } (origin(permission.origin)) }
        @if !permission.record.description.is_empty() { p.lead { (permission.record.description) } }
        (roles_with(frame, &moment, &permission))
        @if frame.rights.read_access && frame.rights.read_users { (users_with(frame, &moment, &permission, &asked)) }
    };
    Ok(page(frame, Section::Permissions, permission.slug().as_str(), content))
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
