//! Groups: the list, a new one, and what all tabs of one share. Its members are in `members.rs`, its roles in
//! `group_roles.rs`, its subgroups in `subgroups.rs`.

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::records::{GroupId, GroupRecord};
use rolecall::{Moment, PageRequest, Tx};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::change::Submitted;
use super::directory::directory_link;
use super::edits::{self, group_version};
use super::fields::Fields;
use super::layout::{
    Mistake, Section, breadcrumbs, danger_form, empty, error_summary, link, notice, page, page_with_status, pager,
    save_or_preview, search_form, tabs, text_field,
};
use super::tree::{self, Tree};
use super::visit::{Frame, Visit};
use super::{PAGE_SIZE, group_roles, members, sources};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::deletion::Deletion;
use crate::state::PortalState;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) q: String,
    pub(super) after: String,
    pub(super) open: String,
    pub(super) show: String,
    pub(super) done: String,
}

impl Asked {
    pub(super) fn page(&self) -> PageRequest {
        PageRequest::of(PAGE_SIZE).search(self.q.as_str()).after(self.after.as_str())
    }
}

pub(super) fn not_found(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
}

/// The group in the path.
pub(super) fn found(moment: &Moment<'_>, group: GroupId) -> Result<GroupRecord, Problem> {
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
    let tree = Tree::new(frame, moment, &open, &path);
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
                        @if paths.paths.len() > 3 { div.path { "… and " (paths.paths.len() - 3) " more " (if paths.paths.len() == 4 { "path" } else { "paths" }) } }
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
        (crumbs(frame, parent.as_ref(), "Create Group"))
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
    let groups = visit.frame.path("groups");
    let submitted = Submitted::new(&visit, Section::Groups, groups.clone(), groups.clone(), Fields(fields));
    let again = |status: StatusCode, mistakes: &[Mistake]| {
        Some(new_form(status, &visit.frame, &visit.moment(), &submitted.fields, mistakes))
    };
    submitted.answer(|tx, fields| edits::create_group(tx, fields, &groups), again).await
}

pub(super) async fn change(
    State(state): State<PortalState>,
    visit: Visit<GroupsManage>,
    Path((_, group)): Path<(String, GroupId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let groups = visit.frame.path("groups");
    let (own, fields) = (format!("{groups}/{group}"), Fields(fields));
    let tab = match fields.get("do") {
        "assign" | "unassign" => "/roles",
        "add-parent" | "remove-parent" => "/subgroups",
        "edit" | "delete" => "/settings",
        _ => "",
    };
    let submitted = Submitted::new(&visit, Section::Groups, own.clone(), format!("{own}{tab}"), fields.clone());
    let begun = submitted.long_deletion(Deletion::Group(group), &visit.moment());
    let again = move |status: StatusCode, mistakes: &[Mistake]| {
        let (moment, frame, fields) = (visit.moment(), &visit.frame, &fields);
        let group = moment.group(group)?;
        match fields.get("do") {
            "edit" => Some(settings_page(status, frame, &moment, &group, Some(fields), mistakes, "")),
            "add-members" if frame.rights.read_users => {
                Some(members::add_members_page(status, frame, &moment, &group, fields, mistakes))
            }
            "set-window" => members::member_page(status, frame, &moment, &group, fields, mistakes),
            "assign" => Some(group_roles::roles_page(status, frame, &moment, &group, fields, mistakes)),
            _ => None,
        }
    };
    let change = move |tx: &Tx, fields: &Fields| edits::change_group(tx, fields, group, &groups);
    submitted.answer_or_go_on(state.operations(), begun, change, again).await
}

/// The links back to the list, and to the group.
pub(super) fn crumbs(frame: &Frame, group: Option<&GroupRecord>, last: &str) -> Markup {
    let mut steps = vec![(frame.path("groups"), "Groups")];
    steps.extend(group.map(|group| (frame.path(&format!("groups/{}", group.id)), group.name.as_str())));
    breadcrumbs(&steps, last)
}

/// The head of all tabs of a group. `current` is the end of the path of the present one.
pub(super) fn head(frame: &Frame, moment: &Moment<'_>, group: &GroupRecord, current: &str, done: &str) -> Markup {
    let own = frame.path(&format!("groups/{}", group.id));
    let mut views = vec![
        ("", "Members", moment.member_count(group.id)),
        ("/roles", "Roles", Some(moment.roles_of_group(group.id).len())),
        ("/subgroups", "Subgroups", moment.subgroup_count(group.id)),
        ("/settings", "Settings", None),
    ];
    if frame.rights.read_history {
        views.push(("/history", "History", None));
    }
    let paths = moment.paths_of(group.id);
    html! {
        (notice(Some(done)))
        (crumbs(frame, None, group.name.as_str()))
        div.title { h1 { (group.name) } code.muted { (group.slug) } }
        @if !group.description.is_empty() { p.lead { (group.description) } }
        @for path in paths.paths.iter().filter(|path| path.len() > 1).take(3) {
            p.path { "Part of " (sources::group_path(path)) }
        }
        (lock(group))
        (tabs("Group", &own, current, &views))
    }
}

/// Says that a directory manages the group.
pub(super) fn lock(group: &GroupRecord) -> Markup {
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
pub(super) fn group_fields(moment: &Moment<'_>, group: &GroupRecord, action: &str) -> Markup {
    html! {
        input type="hidden" name="do" value=(action);
        input type="hidden" name="version" value=(group_version(moment, group.id));
    }
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
        (head(frame, moment, group, "/settings", done))
        (error_summary(mistakes))
        @if may_change {
            form.card method="post" action=(own) {
                h2 { "Details" }
                (group_fields(moment, group, "edit"))
                (text_field("name", "Name", "Display name", &value("name", group.name.as_str()), true, mistakes))
                (text_field("slug", "Slug", "Machine-readable identifier. Applications that use it must follow a change.", &value("slug", group.slug.as_str()), true, mistakes))
                (text_field("description", "Description", "Group purpose", &value("description", group.description.as_str()), false, mistakes))
                (save_or_preview("Save"))
            }
            (danger_form(&own, &group_fields(moment, group, "delete"), "Delete the group",
                "Its members lose what its roles give. Its subgroups stay.", "Delete group"))
        } @else {
            dl.facts {
                dt { "Name" } dd { (group.name) } dt { "Slug" } dd { code { (group.slug) } }
                @if !group.description.as_str().is_empty() { dt { "Description" } dd { (group.description) } }
                @if let Some(manager) = group.managed_by() { dt { "Managed by" } dd { (manager) } }
            }
        }
        (directory_link(frame, &own, group.managed_by().is_some()))
    };
    let title =
        if mistakes.is_empty() { format!("Settings of {}", group.name) } else { format!("Error: {}", group.name) };
    page_with_status(status, frame, Section::Groups, &title, content)
}
