//! Subgroups as a tree. Each level is loaded when it is opened: by the script as a part of a page, or without it as a new page.

use std::cell::Cell;
use std::collections::HashSet;

use axum::extract::{Path, Query};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use rolecall::records::{GroupId, GroupRecord};
use rolecall::{Moment, PageRequest};
use serde::Deserialize;

use super::PAGE_SIZE;
use super::layout::{link, window};
use super::visit::{Frame, Visit};
use crate::catalog::required::GroupsRead;

/// So many levels of a tree at most on one page.
const MOST_LEVELS: usize = 12;

/// After so many nodes of a tree, the others of the page are closed. A group is shown below each of its parents, so without this
/// limit a few groups could become very many nodes.
const MOST_NODES: usize = 500;

/// So many groups at a time when the list is searched for those without parents.
const STEP: usize = 500;

/// The groups without parents, and where the next page begins.
pub(super) fn roots(moment: &Moment<'_>, after: &str) -> (Vec<GroupRecord>, Option<String>) {
    let mut found: Vec<GroupRecord> = Vec::new();
    let mut request = PageRequest::of(STEP).after(after);
    loop {
        let page = moment.groups(&request);
        for group in page.items {
            if !moment.parents_of(group.id).is_empty() {
                continue;
            }
            if found.len() == PAGE_SIZE {
                let next = found.last().map(|last| last.slug.to_string());
                return (found, next);
            }
            found.push(group);
        }
        let Some(next) = page.next else { return (found, None) };
        request = PageRequest::of(STEP).after(next);
    }
}

/// Which nodes are open, and where a click leads without the script.
pub(super) struct Tree<'a> {
    frame: &'a Frame,
    moment: &'a Moment<'a>,
    open: &'a HashSet<GroupId>,
    /// The path of the page that shows the tree.
    page: &'a str,
    /// How many nodes can still be open.
    room: Cell<usize>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(frame: &'a Frame, moment: &'a Moment<'a>, open: &'a HashSet<GroupId>, page: &'a str) -> Self {
        Self { frame, moment, open, page, room: Cell::new(MOST_NODES) }
    }

    pub(super) fn node(&self, group: &GroupRecord, link_window: Option<Markup>, level: usize) -> Markup {
        let below = self.moment.subgroup_count(group.id).unwrap_or_default();
        let room = self.room.get();
        self.room.set(room.saturating_sub(1));
        let is_open = room > 0 && level < MOST_LEVELS && self.open.contains(&group.id);
        let id = format!("below-{}", group.id);
        html! {
            li {
                div.node {
                    @if below > 0 {
                        a.toggle role="button" href=(self.toggled(group.id)) aria-expanded=(if is_open { "true" } else { "false" })
                            aria-controls=(id) data-children=(self.frame.path(&format!("groups/{}/children", group.id)))
                            aria-label=(format!("Subgroups of {}", group.name)) { span aria-hidden="true" {} }
                    } @else { span.toggle.leaf aria-hidden="true" {} }
                    (group_line(self.frame, self.moment, group))
                    @if let Some(window) = link_window { (window) }
                }
                div id=(id) { @if is_open { (self.level(group.id, "", level + 1)) } }
            }
        }
    }

    /// The subgroups of a group.
    fn level(&self, group: GroupId, after: &str, level: usize) -> Markup {
        let page = self.moment.subgroups(group, &PageRequest::of(PAGE_SIZE).after(after));
        html! {
            ul.tree {
                @for entry in &page.items {
                    @let shown = (!entry.window.is_always()).then(|| html! { " " (window(entry.window, self.moment.instant())) });
                    (self.node(&entry.record, shown, level))
                }
                @if let Some(next) = page.next {
                    li.more {
                        a href=(link(&self.frame.path(&format!("groups/{group}/subgroups")), &[("after", &next)]))
                            data-more=(link(&self.frame.path(&format!("groups/{group}/children")), &[("after", &next)])) {
                            "More subgroups"
                        }
                    }
                }
            }
        }
    }

    /// The page with this node opened, or closed.
    fn toggled(&self, group: GroupId) -> String {
        let mut open: Vec<String> = self.open.iter().filter(|id| **id != group).map(ToString::to_string).collect();
        if !self.open.contains(&group) {
            open.push(group.to_string());
        }
        open.sort_unstable();
        link(self.page, &[("open", &open.join(","))])
    }
}

/// The name of a group as a link, its number of members, and whether a directory manages it.
pub(super) fn group_line(frame: &Frame, moment: &Moment<'_>, group: &GroupRecord) -> Markup {
    let members = moment.member_count(group.id).unwrap_or_default();
    html! {
        a.name href=(frame.path(&format!("groups/{}", group.id))) { (group.name) }
        " " code.muted { (group.slug) }
        " " span.muted { (members) @if members == 1 { " member" } @else { " members" } }
        @if let Some(manager) = group.managed_by() { " " span.badge.lock { "managed by " (manager) } }
    }
}

/// The ids in a list that is separated by commas.
pub(super) fn opened(list: &str) -> HashSet<GroupId> {
    list.split(',').take(200).filter_map(|id| id.parse().ok()).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct After {
    after: String,
}

/// One level, for the script.
pub(super) async fn children(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(After { after }): Query<After>,
) -> Response {
    let (moment, open) = (visit.moment(), HashSet::new());
    let page = visit.frame.path("groups");
    let tree = Tree::new(&visit.frame, &moment, &open, &page);
    Html(tree.level(group, &after, 1).into_string()).into_response()
}
