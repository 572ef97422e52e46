//! Groups: the list, a new one, and the tabs of one: its members, roles, subgroups and settings.

use std::collections::HashSet;

use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rolecall::moment::{Via, WithOrigin, WithWindow};
use rolecall::records::{GroupId, GroupRecord, RoleId, RoleRecord, UserId, UserRecord};
use rolecall::{Moment, PageRequest};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::change::{self, Fields, Outcome, Refusal, Submitted, group_version, last_day};
use super::layout::{
    Mistake, Section, empty, error_summary, link, notice, origin, page, page_with_status, pager, search_form,
    text_field, until_field, window,
};
use super::tree::{self, Tree};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, sources};
use crate::catalog::Permission;
use crate::catalog::required::{GroupsManage, GroupsRead};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: String,
    open: String,
    show: String,
    done: String,
}

impl Asked {
    fn page(&self) -> PageRequest {
        PageRequest::of(PAGE_SIZE).search(self.q.as_str()).after(self.after.as_str())
    }
}

pub(super) fn not_found(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
}

/// The group in the path.
fn found(moment: &Moment<'_>, group: GroupId) -> Result<GroupRecord, Problem> {
    moment.group(group).ok_or_else(|| not_found("group"))
}

/// All groups: as a tree, or those that a search finds, with their full paths.
pub(super) async fn list(visit: Visit<GroupsRead>, Query(asked): Query<Asked>) -> Response {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let path = frame.path("groups");
    let total = moment.counts().map_or(0, |counts| counts.groups);
    let content = html! {
        (notice(Some(&asked.done)))
        div.title {
            h1 { "Groups" }
            @if frame.rights.manage_groups { a.button.primary href=(frame.path("groups/new")) { "Create Group" } }
        }
        p.lead { "Roles assigned to a group are inherited by all its members." }
        (search_form(&path, "Search groups on all levels", &asked.q, &[]))
        @if asked.q.is_empty() { (tree_of_groups(frame, &moment, &asked, total)) }
        @else { (found_groups(frame, &moment, &asked)) }
    };
    page(frame, Section::Groups, "Groups", content)
}

fn tree_of_groups(frame: &Frame, moment: &Moment<'_>, asked: &Asked, total: usize) -> Markup {
    let path = frame.path("groups");
    let open = tree::opened(&asked.open);
    let (roots, next) = tree::roots(moment, &asked.after);
    let tree = Tree { frame, moment, open: &open, page: &path };
    html! {
        p.muted { (total) @if total == 1 { " group" } @else { " groups" } " on all levels" }
        @if roots.is_empty() { (empty("Nobody has created a group yet.")) }
        @else { ul.tree.top { @for group in &roots { (tree.node(group, None, 0)) } } }
        (pager(&path, asked.after.is_empty(), next.map(|next| link(&path, &[("after", &next)]))))
    }
}

fn found_groups(frame: &Frame, moment: &Moment<'_>, asked: &Asked) -> Markup {
    let path = frame.path("groups");
    let found = moment.groups(&asked.page());
    html! {
        h2 { "Groups with “" (asked.q) "”" }
        @if found.items.is_empty() { (empty("No group has this in its name or slug.")) }
        @else {
            ul.results {
                @for group in &found.items {
                    @let paths = moment.paths_of(group.id);
                    li {
                        div { (tree::group_line(frame, moment, group)) }
                        @for path in paths.paths.iter().take(3) {
                            @if path.len() > 1 { div.path { span.visually-hidden { "Path: " } (sources::group_path(path)) } }
                        }
                        @if paths.paths.len() > 3 { div.path { "… and " (paths.paths.len() - 3) " more paths" } }
                    }
                }
            }
        }
        (pager(&link(&path, &[("q", &asked.q)]), asked.after.is_empty(),
            found.next.map(|next| link(&path, &[("q", &asked.q), ("after", &next)]))))
    }
}

/// The form for a new group.
pub(super) async fn new(visit: Visit<GroupsManage>, Query(fields): Query<Vec<(String, String)>>) -> Response {
    new_form(StatusCode::OK, &visit.frame, &visit.moment(), &Fields(fields), &[])
}

fn new_form(status: StatusCode, frame: &Frame, moment: &Moment<'_>, fields: &Fields, mistakes: &[Mistake]) -> Response {
    let parent = fields.get("parent").parse::<GroupId>().ok().and_then(|parent| moment.group(parent));
    let content = html! {
        (breadcrumbs(frame, parent.as_ref(), "Create Group"))
        h1 { "Create Group" }
        (error_summary(mistakes))
        @if let Some(parent) = &parent {
            p { "It becomes a subgroup of " strong { (parent.name) } " and its members inherit the roles of that group." }
        }
        form.card method="post" action=(frame.path("groups")) {
            @if let Some(parent) = &parent { input type="hidden" name="parent" value=(parent.id); }
            (text_field("name", "Name", "Display name, for example Engineering", fields.get("name"), true, mistakes))
            (text_field("slug", "Slug", "Machine-readable identifier, for example engineering. Derived from the name if it is empty.",
                fields.get("slug"), false, mistakes))
            (text_field("description", "Description", "Group purpose, for example Engineering team members",
                fields.get("description"), false, mistakes))
            div.actions {
                button.primary name="step" value="save" { "Create Group" }
                a.button href=(frame.path("groups")) { "Cancel" }
            }
        }
    };
    let title = if mistakes.is_empty() { "Create Group" } else { "Error: Create Group" };
    page_with_status(status, frame, Section::Groups, title, content)
}

pub(super) async fn create(
    visit: Visit<GroupsManage>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let frame = visit.frame.clone();
    let submitted = Submitted {
        tenant: visit.asking.tenant().clone(),
        section: Section::Groups,
        permission: Permission::GroupsManage,
        action: frame.path("groups"),
        back: frame.path("groups"),
        fields: Fields(fields),
        frame,
    };
    let outcome = submitted.apply(change::create_group).await;
    match outcome {
        Outcome::Done(id) => {
            let path = submitted.frame.path(&format!("groups/{id}"));
            Ok(Redirect::to(&change::with_notice(&path, "created")).into_response())
        }
        Outcome::Page(page) => Ok(page),
        Outcome::Refused(Refusal::Mistakes(status, mistakes)) => {
            Ok(new_form(status, &submitted.frame, &visit.moment(), &submitted.fields, &mistakes))
        }
        Outcome::Refused(refusal) => submitted.refused(refusal),
    }
}

pub(super) async fn change(
    visit: Visit<GroupsManage>,
    Path((_, group)): Path<(String, GroupId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let frame = visit.frame.clone();
    let own = frame.path(&format!("groups/{group}"));
    let fields = Fields(fields);
    let tab = match fields.get("do") {
        "assign" | "unassign" => "/roles",
        "add-parent" | "remove-parent" => "/subgroups",
        "edit" | "delete" => "/settings",
        _ => "",
    };
    let submitted = Submitted {
        tenant: visit.asking.tenant().clone(),
        section: Section::Groups,
        permission: Permission::GroupsManage,
        action: own.clone(),
        back: format!("{own}{tab}"),
        fields,
        frame,
    };
    let groups = submitted.frame.path("groups");
    let outcome = submitted.apply(|tx, fields| change::change_group(tx, fields, group, &groups)).await;
    match outcome {
        Outcome::Done(to) => Ok(Redirect::to(&to).into_response()),
        Outcome::Page(page) => Ok(page),
        Outcome::Refused(Refusal::Mistakes(status, mistakes)) => again(&visit, group, &submitted, status, &mistakes),
        Outcome::Refused(refusal) => submitted.refused(refusal),
    }
}

/// The page with the form, with what was entered and what is wrong with it.
fn again(
    visit: &Visit<GroupsManage>,
    group: GroupId,
    submitted: &Submitted,
    status: StatusCode,
    mistakes: &[Mistake],
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let group = found(&moment, group)?;
    match submitted.fields.get("do") {
        "edit" => Ok(settings_page(status, frame, &moment, &group, Some(&submitted.fields), mistakes, "")),
        "add-members" => Ok(add_members_page(status, frame, &moment, &group, &submitted.fields, mistakes)),
        "assign" => Ok(roles_page(status, frame, &moment, &group, &submitted.fields, mistakes)),
        _ => submitted.refused(Refusal::Mistakes(status, mistakes.to_vec())),
    }
}

fn breadcrumbs(frame: &Frame, group: Option<&GroupRecord>, last: &str) -> Markup {
    html! {
        nav.breadcrumbs aria-label="Breadcrumb" {
            ol {
                li { a href=(frame.path("groups")) { "Groups" } }
                @if let Some(group) = group { li { a href=(frame.path(&format!("groups/{}", group.id))) { (group.name) } } }
                li { span aria-current="page" { (last) } }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Members,
    Roles,
    Subgroups,
    Settings,
}

/// What all tabs of a group show above.
fn head(frame: &Frame, moment: &Moment<'_>, group: &GroupRecord, current: Tab, done: &str) -> Markup {
    let own = frame.path(&format!("groups/{}", group.id));
    let tabs = [
        (Tab::Members, String::new(), "Members", moment.member_count(group.id)),
        (Tab::Roles, "/roles".to_owned(), "Roles", Some(moment.roles_of_group(group.id).len())),
        (Tab::Subgroups, "/subgroups".to_owned(), "Subgroups", moment.subgroup_count(group.id)),
        (Tab::Settings, "/settings".to_owned(), "Settings", None),
    ];
    let paths = moment.paths_of(group.id);
    html! {
        (notice(Some(done)))
        (breadcrumbs(frame, None, group.name.as_str()))
        div.title { h1 { (group.name) } code.muted { (group.slug) } }
        @if !group.description.is_empty() { p.lead { (group.description) } }
        @for path in paths.paths.iter().filter(|path| path.len() > 1).take(3) {
            p.path { "Part of " (sources::group_path(path)) }
        }
        (lock(group))
        nav.tabs aria-label="Group" {
            ul {
                @for (tab, path, name, count) in tabs {
                    li {
                        a href=(format!("{own}{path}")) aria-current=[(tab == current).then_some("page")] {
                            (name) @if let Some(count) = count { " " span.count { (count) } }
                        }
                    }
                }
            }
        }
    }
}

/// Says that a directory manages the group.
fn lock(group: &GroupRecord) -> Markup {
    html! {
        @if let Some(manager) = group.managed_by() {
            div.locked {
                strong { "This group is managed by " (manager) "." }
                " Its name, its members and its parent groups can only be changed there. Roles can be assigned here."
            }
        }
    }
}

/// The fields that every form about a group has.
fn group_fields(moment: &Moment<'_>, group: &GroupRecord, action: &str) -> Markup {
    html! {
        input type="hidden" name="do" value=(action);
        input type="hidden" name="version" value=(group_version(moment, group.id));
    }
}

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
        (head(frame, &moment, &group, Tab::Members, &asked.done))
        div.title {
            h2 { @if is_all { "All members" } @else { "Direct members" } }
            @if may_change { a.button.primary href=(format!("{own}/add-members")) { "Add Members" } }
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

fn user_cell(frame: &Frame, user: &UserRecord) -> Markup {
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

/// One direct membership: its end, and removing it.
pub(super) async fn member(
    visit: Visit<GroupsRead>,
    Path((_, group, user)): Path<(String, GroupId, UserId)>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let group = found(&moment, group)?;
    let user = moment.user(user).ok_or_else(|| not_found("user"))?;
    let groups = moment.groups_of(user.id);
    let entry = groups.iter().find(|entry| entry.record.id == group.id).ok_or_else(|| not_found("membership"))?;
    let own = frame.path(&format!("groups/{}", group.id));
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let content = html! {
        (breadcrumbs(frame, Some(&group), user.name()))
        h1 { (user.name()) " in " (group.name) }
        (lock(&group))
        dl.facts { dt { "User" } dd { (user_cell(frame, &user)) } dt { "Membership" } dd { (window(entry.window, moment.instant())) } }
        @if may_change {
            form.card method="post" action=(own) {
                h2 { "Change the end" }
                (group_fields(&moment, &group, "set-window"))
                input type="hidden" name="user" value=(user.id);
                input type="hidden" name="was" value=(entry.window);
                (until_field(&last_day(entry.window), &[]))
                div.actions {
                    button.primary name="step" value="save" { "Save" }
                    button name="step" value="preview" { "Preview" }
                }
            }
            form.card method="post" action=(own) {
                h2 { "Remove from the group" }
                p.hint { "The user loses what the group's roles give, unless something else gives it, too." }
                (group_fields(&moment, &group, "remove-members"))
                input type="hidden" name="user" value=(user.id);
                div.actions { button.danger name="step" value="preview" { "Remove member" } }
            }
        }
    };
    Ok(page(frame, Section::Groups, user.name(), content))
}

/// Searching and choosing users to add. The chosen ones stay chosen when another text is searched.
pub(super) async fn add_members(
    visit: Visit<GroupsManage>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let group = found(&moment, group)?;
    if let Some(manager) = group.managed_by() {
        let problem = Problem::new(StatusCode::FORBIDDEN, "managed", "a directory manages this group");
        return Err(problem
            .with_detail(format!("members can only be changed in {}", rolecall::error::Quoted(manager.as_str()))));
    }
    Ok(add_members_page(StatusCode::OK, &visit.frame, &moment, &group, &Fields(fields), &[]))
}

fn add_members_page(
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
        (breadcrumbs(frame, Some(group), "Add Members"))
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
            (until_field(fields.get("until"), mistakes))
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

fn roles_page(
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
        (head(frame, moment, group, Tab::Roles, fields.get("done")))
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
                        @for entry in direct.iter().take(super::PAGE_SIZE * 4) {
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
                    @for entry in inherited.iter().take(super::PAGE_SIZE * 4) {
                        tr {
                            th scope="row" { (role_cell(frame, &entry.record)) }
                            td { (sources::role(frame, moment, &entry.via, &path)) }
                        }
                    }
                }
            }
        }
        @if may_change {
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
            (until_field(fields.get("until"), mistakes))
            div.actions {
                button.primary name="step" value="save" { "Add roles" }
                button name="step" value="preview" { "Preview" }
            }
        }
    }
}

/// The subgroups and the parents.
pub(super) async fn subgroups(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let group = found(&moment, group)?;
    let own = frame.path(&format!("groups/{}", group.id));
    let path = format!("{own}/subgroups");
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let parents = moment.parents_of(group.id);
    let open = tree::opened(&asked.open);
    let tree = Tree { frame, moment: &moment, open: &open, page: &path };
    let found = moment.subgroups(group.id, &asked.page());
    let content = html! {
        (head(frame, &moment, &group, Tab::Subgroups, &asked.done))
        div.title {
            h2 { "Subgroups" }
            @if frame.rights.manage_groups {
                a.button href=(link(&frame.path("groups/new"), &[("parent", &group.id.to_string())])) { "Create subgroup" }
            }
        }
        p.hint { "Members of subgroups are members of this group, too, and inherit its roles." }
        @if found.items.is_empty() { (empty("This group has no subgroups.")) }
        @else {
            ul.tree.top {
                @for entry in &found.items {
                    @let shown = (!entry.window.is_always()).then(|| html! { " " (window(entry.window, moment.instant())) });
                    (tree.node(&entry.record, shown, 0))
                }
            }
        }
        (pager(&path, asked.after.is_empty(), found.next.map(|next| link(&path, &[("after", &next)]))))
        h2 { "Parent groups" }
        @if parents.is_empty() { (empty("This group is part of no other group.")) }
        @else {
            ul.results {
                @for entry in parents.iter() {
                    li.row {
                        div { (tree::group_line(frame, &moment, &entry.record)) " " @if !entry.window.is_always() { (window(entry.window, moment.instant())) } }
                        @if may_change {
                            form method="post" action=(own) {
                                (group_fields(&moment, &group, "remove-parent"))
                                input type="hidden" name="parent" value=(entry.record.id);
                                button name="step" value="preview" aria-label=(format!("Remove from {}", entry.record.name)) { "Remove" }
                            }
                        }
                    }
                }
            }
        }
        @if may_change {
            form.card method="post" action=(own) {
                (group_fields(&moment, &group, "add-parent"))
                (text_field("parent", "Add a parent group", "Its slug, for example staff. Members of this group inherit its roles.", "", true, &[]))
                div.actions { button name="step" value="preview" { "Preview" } }
            }
        }
    };
    Ok(page(frame, Section::Groups, &format!("Subgroups of {}", group.name), content))
}

/// Name, slug, description, and deleting the group.
pub(super) async fn settings(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let group = found(&moment, group)?;
    Ok(settings_page(StatusCode::OK, &visit.frame, &moment, &group, None, &[], &asked.done))
}

fn settings_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    group: &GroupRecord,
    fields: Option<&Fields>,
    mistakes: &[Mistake],
    done: &str,
) -> Response {
    let own = frame.path(&format!("groups/{}", group.id));
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let value =
        |name: &str, stored: &str| fields.map_or_else(|| stored.to_owned(), |fields| fields.get(name).to_owned());
    let content = html! {
        (head(frame, moment, group, Tab::Settings, done))
        (error_summary(mistakes))
        @if may_change {
            form.card method="post" action=(own) {
                h2 { "Details" }
                (group_fields(moment, group, "edit"))
                (text_field("name", "Name", "Display name", &value("name", group.name.as_str()), true, mistakes))
                (text_field("slug", "Slug", "Machine-readable identifier. Applications that use it must follow a change.", &value("slug", group.slug.as_str()), true, mistakes))
                (text_field("description", "Description", "Group purpose", &value("description", group.description.as_str()), false, mistakes))
                div.actions {
                    button.primary name="step" value="save" { "Save" }
                    button name="step" value="preview" { "Preview" }
                }
            }
            form.card method="post" action=(own) {
                h2 { "Delete the group" }
                p.hint { "Its members lose what its roles give. Its subgroups stay." }
                (group_fields(moment, group, "delete"))
                div.actions { button.danger name="step" value="preview" { "Delete group" } }
            }
        } @else {
            dl.facts {
                dt { "Name" } dd { (group.name) } dt { "Slug" } dd { code { (group.slug) } }
                dt { "Description" } dd { (group.description) }
                @if let Some(manager) = group.managed_by() { dt { "Managed by" } dd { (manager) } }
            }
        }
    };
    let title =
        if mistakes.is_empty() { format!("Settings of {}", group.name) } else { format!("Error: {}", group.name) };
    page_with_status(status, frame, Section::Groups, &title, content)
}
