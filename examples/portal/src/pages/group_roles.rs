//! The roles of a group, direct and inherited, and the form that assigns roles to a group or a user.

use std::collections::HashSet;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::{Via, WithOrigin};
use rolecall::records::{GroupId, GroupRecord, RoleId, RoleRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;

use super::fields::Fields;
use super::groups::{found, group_fields, head};
use super::layout::{
    Mistake, Section, empty, error_summary, origin, page_with_status, save_or_preview, window, window_fields,
};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, sources};
use crate::catalog::required::GroupsRead;

/// The roles of a group: direct and inherited.
pub(super) async fn roles(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let group = found(&moment, group)?;
    Ok(roles_page(StatusCode::OK, &visit.frame, &moment, &group, &Fields(fields), &[]))
}

pub(super) fn roles_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    group: &GroupRecord,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("groups/{}", group.id));
    let (path, may_change) = (format!("{own}/roles"), frame.rights.manage_groups);
    let direct = moment.roles_of_group(group.id);
    let all = moment.all_roles_of_group(group.id);
    // A role that is assigned to the group itself comes from this group.
    let own_role = Via::Group(group.slug.clone());
    let inherited: Vec<_> = all.iter().filter(|role| role.via != Via::Direct && role.via != own_role).collect();
    let held: HashSet<RoleId> = direct.iter().map(|role| role.record.id()).collect();
    let content = html! {
        (head(frame, moment, group, "/roles", fields.get("done")))
        (error_summary(mistakes))
        h2 { "Direct roles" }
        @if direct.is_empty() { (empty("No role is assigned to this group directly.")) }
        @else {
            @let table = html! {
                table {
                    caption.visually-hidden { "Roles assigned to " (group.name) }
                    thead { tr {
                        @if may_change { td.tick { span.visually-hidden { "Chosen" } } }
                        th scope="col" { "Role" } th scope="col" { "Assignment" }
                    } }
                    tbody {
                        @for entry in direct.iter().take(PAGE_SIZE * 4) {
                            tr {
                                @if may_change {
                                    td.tick {
                                        input type="checkbox" name="role" value=(entry.record.id())
                                            aria-label=(format!("Choose {}", entry.record.name()));
                                    }
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
                    (group_fields(moment, group, "unassign"))
                    (table)
                    div.actions { button name="step" value="preview" { "Remove chosen roles" } }
                }
            } @else { (table) }
        }
        h2 { "Inherited roles" }
        @if inherited.is_empty() { (empty("No role comes from elsewhere.")) }
        @else {
            table {
                caption.visually-hidden { "Roles that " (group.name) " inherits" }
                thead { tr { th scope="col" { "Role" } th scope="col" { "Source" } } }
                tbody {
                    @for entry in inherited.iter().take(PAGE_SIZE * 4) {
                        tr {
                            th scope="row" { (role_cell(frame, &entry.record)) }
                            td { (sources::role(frame, moment, &entry.via, &path)) }
                        }
                    }
                }
            }
        }
        @if may_change && frame.rights.read_roles {
            (assign_form(moment, &own, &path, &group_fields(moment, group, "assign"), fields, &held, mistakes, "Add roles that all group members should inherit"))
        }
    };
    page_with_status(status, frame, Section::Groups, &format!("Roles of {}", group.name), content)
}

pub(super) fn role_cell(frame: &Frame, role: &WithOrigin<RoleRecord>) -> Markup {
    html! {
        @if frame.rights.read_roles { a.name href=(frame.path(&format!("roles/{}", role.id()))) { (role.name()) } }
        @else { span.name { (role.name()) } }
        " " code.muted { (role.slug()) }
    }
}

/// Searching and choosing roles to assign, to a group or a user.
#[expect(clippy::too_many_arguments, reason = "a form has many parts")]
pub(super) fn assign_form(
    moment: &Moment<'_>,
    action: &str,
    search: &str,
    hidden: &Markup,
    fields: &Fields,
    held: &HashSet<RoleId>,
    mistakes: &[Mistake],
    legend: &str,
) -> Markup {
    let found = moment.roles(&PageRequest::of(PAGE_SIZE).search(fields.get("q")));
    let chosen: Vec<_> =
        fields.all("role").take(500).filter_map(|id| moment.role(id.parse::<RoleId>().ok()?)).collect();
    let ids: HashSet<RoleId> = chosen.iter().map(WithOrigin::<RoleRecord>::id).collect();
    let choice = |role: &WithOrigin<RoleRecord>, is_chosen: bool| {
        let field = format!("role-{}", role.id());
        html! {
            li {
                input type="checkbox" id=(field) name="role" value=(role.id()) checked[is_chosen];
                label for=(field) { span.name { (role.name()) } " " code.muted { (role.slug()) } }
            }
        }
    };
    html! {
        form.card #assign method="post" action=(action) data-choose=(search) {
            (hidden)
            fieldset {
                legend { (legend) }
                div.field {
                    label for="q" { "Search roles" }
                    div.row {
                        input #q type="search" name="q" value=(fields.get("q")) autocomplete="off" aria-controls="found";
                        button formmethod="get" formaction=(format!("{search}#assign")) formnovalidate { "Search" }
                    }
                }
                div #chosen aria-live="polite" {
                    h3 { "Chosen" }
                    ul.choices { @for role in &chosen { (choice(role, true)) } }
                    p.empty data-none hidden[!chosen.is_empty()] { "No role is chosen yet." }
                }
                div #found aria-live="polite" {
                    h3 { "Roles" }
                    ul.choices {
                        @for role in found.items.iter().filter(|role| !ids.contains(&role.id()) && !held.contains(&role.id())) {
                            (choice(role, false))
                        }
                    }
                    @if found.items.is_empty() { (empty("No role has this in the name or slug.")) }
                    @if found.next.is_some() { p.muted { "There are more. Search to narrow the list." } }
                }
            }
            (window_fields(fields.get("from"), fields.get("until"), mistakes))
            (save_or_preview("Add roles"))
        }
    }
}
