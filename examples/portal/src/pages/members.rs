//! The members of a group: the lists, one membership, and adding users.

use std::collections::HashSet;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::WithWindow;
use rolecall::records::{GroupId, GroupRecord, UserId, UserRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;

use super::fields::{Fields, first_day, last_day};
use super::groups::{Asked, crumbs, found, group_fields, head, lock, not_found};
use super::layout::{
    Mistake, Section, danger_form, empty, error_summary, link, page, page_with_status, pager, save_or_preview,
    search_form, window, window_fields,
};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, sources};
use crate::catalog::Permission;
use crate::catalog::required::{GroupsManage, GroupsRead};

/// The members: the direct ones with their windows, or all with where each comes from.
pub(super) async fn members(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let group = found(&moment, group)?;
    let own = frame.path(&format!("groups/{}", group.id));
    let is_all = asked.show == "all";
    let has_subgroups = moment.subgroup_count(group.id).unwrap_or_default() > 0;
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let content = html! {
        (head(frame, &moment, &group, "", &asked.done))
        div.title {
            h2 { @if is_all { "All members" } @else { "Direct members" } }
            @if may_change && frame.rights.read_users { a.button.primary href=(format!("{own}/add-members")) { "Add Members" } }
        }
        @if has_subgroups || is_all {
            nav.switch aria-label="Which members" {
                a href=(own) aria-current=[(!is_all).then_some("page")] { "Direct" }
                a href=(link(&own, &[("show", "all")])) aria-current=[is_all.then_some("page")] { "Including subgroups" }
            }
        }
        (search_form(&own, "Search members", &asked.q, &[("show", &asked.show)]))
        @if is_all { (all_members(frame, &moment, &group, &asked)) }
        @else { (direct_members(frame, &moment, &group, &asked, may_change)) }
    };
    Ok(page(frame, Section::Groups, group.name.as_str(), content))
}

pub(super) fn user_cell(frame: &Frame, user: &UserRecord) -> Markup {
    html! {
        @if frame.rights.read_users { a.name href=(frame.path(&format!("users/{}", user.id))) { (user.name()) } }
        @else { span.name { (user.name()) } }
        @if user.name() != user.key.as_str() { " " span.muted.key { (user.key) } }
        @if user.status == rolecall::records::Status::Suspended { " " span.badge.off { "suspended" } }
        @if let Some(manager) = user.managed_by() { " " span.badge.lock { "managed by " (manager) } }
    }
}

fn direct_members(frame: &Frame, moment: &Moment<'_>, group: &GroupRecord, asked: &Asked, may_change: bool) -> Markup {
    let own = frame.path(&format!("groups/{}", group.id));
    let found = moment.members(group.id, &asked.page());
    html! {
        @if found.items.is_empty() {
            (empty(if asked.q.is_empty() { "This group has no direct members." } else { "No direct member has this in the name or key." }))
        } @else {
            @let table = html! {
                table {
                    caption.visually-hidden { "Direct members of " (group.name) }
                    thead { tr {
                        @if may_change { td.tick { span.visually-hidden { "Chosen" } } }
                        th scope="col" { "Member" } th scope="col" { "Membership" }
                        @if may_change { th scope="col" { "Actions" } }
                    } }
                    tbody { @for entry in &found.items { (direct_member(frame, moment, group, entry, may_change)) } }
                }
            };
            @if may_change {
                form method="post" action=(own) {
                    (group_fields(moment, group, "remove-members"))
                    (table)
                    div.actions { button name="step" value="preview" { "Remove chosen members" } }
                }
            } @else { (table) }
        }
        (pager(&link(&own, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&own, &[("q", &asked.q), ("after", &next)]))))
    }
}

fn direct_member(
    frame: &Frame,
    moment: &Moment<'_>,
    group: &GroupRecord,
    entry: &WithWindow<UserRecord>,
    may_change: bool,
) -> Markup {
    let user = &entry.record;
    html! {
        tr {
            @if may_change {
                td.tick { input type="checkbox" name="user" value=(user.id) aria-label=(format!("Choose {}", user.name())); }
            }
            th scope="row" { (user_cell(frame, user)) }
            td { (window(entry.window, moment.instant())) }
            @if may_change {
                td {
                    a href=(sources::member_path(frame, group, user.id)) aria-label=(format!("Change the membership of {}", user.name())) {
                        "Change"
                    }
                }
            }
        }
    }
}

fn all_members(frame: &Frame, moment: &Moment<'_>, group: &GroupRecord, asked: &Asked) -> Markup {
    let own = frame.path(&format!("groups/{}", group.id));
    let set = moment.all_members(group.id);
    let total = set.len();
    let found = set.page(&asked.page());
    html! {
        p.muted { (total) @if total == 1 { " active member" } @else { " active members" } ", direct and inherited from subgroups" }
        @if found.items.is_empty() { (empty("No member matches.")) }
        @else {
            table {
                caption.visually-hidden { "All members of " (group.name) }
                thead { tr { th scope="col" { "Member" } th scope="col" { "Source" } } }
                tbody {
                    @for user in &found.items {
                        tr {
                            th scope="row" { (user_cell(frame, user)) }
                            td { (sources::membership(frame, moment, user.id, group)) }
                        }
                    }
                }
            }
        }
        (pager(&link(&own, &[("show", "all"), ("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&own, &[("show", "all"), ("q", &asked.q), ("after", &next)]))))
    }
}

/// One direct membership: its window, and removing it.
pub(super) async fn member(
    visit: Visit<GroupsRead>,
    Path((_, group, user)): Path<(String, GroupId, UserId)>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let group = found(&moment, group)?;
    let fields = Fields(vec![("user".to_owned(), user.to_string())]);
    member_page(StatusCode::OK, &visit.frame, &moment, &group, &fields, &[]).ok_or_else(|| not_found("membership"))
}

/// The page about the membership of the user in the field `user`, or `None` if there is none.
pub(super) fn member_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    group: &GroupRecord,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Option<Response> {
    let user = moment.user(fields.get("user").parse::<UserId>().ok()?)?;
    let groups = moment.groups_of(user.id);
    let entry = groups.iter().find(|entry| entry.record.id == group.id)?;
    let own = frame.path(&format!("groups/{}", group.id));
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let user_field = html! { input type="hidden" name="user" value=(user.id); };
    let (from, until) = if mistakes.is_empty() {
        (first_day(entry.window), last_day(entry.window))
    } else {
        (fields.get("from").to_owned(), fields.get("until").to_owned())
    };
    let content = html! {
        (crumbs(frame, Some(group), user.name()))
        h1 { bdi { (user.name()) } " in " bdi { (group.name) } }
        (lock(group))
        (error_summary(mistakes))
        dl.facts { dt { "User" } dd { (user_cell(frame, &user)) } dt { "Membership" } dd { (window(entry.window, moment.instant())) } }
        @if may_change {
            form.card method="post" action=(own) {
                h2 { "Change when it is active" }
                (group_fields(moment, group, "set-window"))
                (user_field)
                input type="hidden" name="was" value=(entry.window);
                (window_fields(&from, &until, mistakes))
                (save_or_preview("Save"))
            }
            (danger_form(&own, &html! { (group_fields(moment, group, "remove-members")) (user_field) }, "Remove from the group",
                "The user loses what the group's roles give, unless something else gives it, too.", "Remove member"))
        }
    };
    Some(page_with_status(status, frame, Section::Groups, user.name(), content))
}

/// Searching and choosing users to add. The chosen ones stay chosen when another text is searched. The page lists users of the
/// whole tenant, so it requires `users:read`, too.
pub(super) async fn add_members(
    visit: Visit<GroupsManage>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    visit.require(&[Permission::UsersRead])?;
    let moment = visit.moment();
    let group = found(&moment, group)?;
    if let Some(manager) = group.managed_by() {
        let problem = Problem::new(StatusCode::FORBIDDEN, "managed", "a directory manages this group");
        return Err(problem
            .with_detail(format!("members can only be changed in {}", rolecall::error::Quoted(manager.as_str()))));
    }
    Ok(add_members_page(StatusCode::OK, &visit.frame, &moment, &group, &Fields(fields), &[]))
}

pub(super) fn add_members_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    group: &GroupRecord,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("groups/{}", group.id));
    let add = format!("{own}/add-members");
    let chosen: Vec<UserRecord> =
        fields.all("user").take(500).filter_map(|id| moment.user(id.parse::<UserId>().ok()?)).collect();
    let ids: HashSet<UserId> = chosen.iter().map(|user| user.id).collect();
    let found = moment.users(&PageRequest::of(PAGE_SIZE).search(fields.get("q")).after(fields.get("after")));
    let is_member = |user: &UserRecord| moment.groups_of(user.id).iter().any(|entry| entry.record.id == group.id);
    let choice = |user: &UserRecord, is_chosen: bool| {
        let (id, is_member) = (format!("user-{}", user.id), is_member(user));
        html! {
            li {
                input type="checkbox" id=(id) name="user" value=(user.id) checked[is_chosen] disabled[is_member];
                label for=(id) {
                    span.name { (user.name()) } @if user.name() != user.key.as_str() { " " span.muted.key { (user.key) } }
                    @if is_member { " " span.badge { "already a member" } }
                }
            }
        }
    };
    let content = html! {
        (crumbs(frame, Some(group), "Add Members"))
        h1 { "Add Members" }
        p.lead { "They get the roles of " strong { (group.name) } " and of the groups that it is part of." }
        (error_summary(mistakes))
        form.card method="post" action=(own) data-choose=(add) {
            (group_fields(moment, group, "add-members"))
            fieldset {
                legend { "Users" }
                div.field {
                    label for="q" { "Search users by name or key" }
                    div.row {
                        input #q type="search" name="q" value=(fields.get("q")) autocomplete="off" aria-controls="found";
                        button formmethod="get" formaction=(add) formnovalidate { "Search" }
                    }
                }
                div #chosen aria-live="polite" {
                    h2 { "Chosen" }
                    ul.choices { @for user in &chosen { (choice(user, true)) } }
                    p.empty data-none hidden[!chosen.is_empty()] { "Nobody is chosen yet." }
                }
                div #found aria-live="polite" {
                    h2 { "Users" }
                    ul.choices { @for user in found.items.iter().filter(|user| !ids.contains(&user.id)) { (choice(user, false)) } }
                    @if found.items.is_empty() { (empty("No user has this in the name or key.")) }
                    @if found.next.is_some() { p.muted { "There are more. Search to narrow the list." } }
                }
            }
            (window_fields(fields.get("from"), fields.get("until"), mistakes))
            div.actions {
                button.primary name="step" value="save" { "Add members" }
                button name="step" value="preview" { "Preview" }
                a.button href=(own) { "Cancel" }
            }
        }
    };
    let title = if mistakes.is_empty() { "Add Members" } else { "Error: Add Members" };
    page_with_status(status, frame, Section::Groups, title, content)
}
