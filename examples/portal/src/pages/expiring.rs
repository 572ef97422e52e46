//! What ends soon: memberships of users, and roles of users and groups.
//!
//! Ends are not indexed. The page looks at so many users and groups at a time, in the order of their names, and offers to
//! go on.

use std::time::Duration;

use axum::extract::Query;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::records::{GroupId, RoleId, UserId};
use rolecall::{Moment, PageRequest, Timestamp, Window};
use rolecall_axum::{Permitted, Problem};
use serde::Deserialize;

use super::PAGE_SIZE;
use super::layout::{Section, empty, instant, link, page};
use super::visit::{Frame, Visit};
use crate::catalog::Permission;
use crate::catalog::required::GroupsRead;

/// So many users, and groups, at most are looked at for one page.
const MOST_LOOKED_AT: usize = 10_000;

/// So many are read at a time.
const STEP: usize = 500;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    days: String,
    after: String,
}

enum Ending {
    Member(UserId, String, GroupId, String),
    UserRole(UserId, String, RoleId, String),
    GroupRole(GroupId, String, RoleId, String),
}

pub(super) async fn expiring(visit: Visit<GroupsRead>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    permitted(&visit.asking)?;
    let days = asked.days.parse().ok().filter(|days| (1..=366).contains(days)).unwrap_or(30_u64);
    let path = frame.path("expiring");
    let (found, next) = endings(&moment, days, &asked.after);
    let content = html! {
        h1 { "Expiring soon" }
        p.lead { "Memberships and roles that end within the next days." }
        form.search method="get" action=(path) {
            label for="days" { "Within" }
            div.row {
                select #days name="days" {
                    @for (value, text) in [(1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (366, "a year")] {
                        option value=(value) selected[value == days] { (text) }
                    }
                }
                button { "Show" }
            }
        }
        @if found.is_empty() { (empty("Nothing of what was looked at ends within this time.")) }
        @else {
            table {
                caption.visually-hidden { "What ends soon" }
                thead { tr { th scope="col" { "What" } th scope="col" { "Ends" } } }
                tbody { @for (end, ending) in &found { tr { th scope="row" { (shown(frame, ending)) } td { (instant(*end)) } } } }
            }
        }
        @if let Some(next) = next {
            nav.pager aria-label="Pages of the list" {
                a rel="next" href=(link(&path, &[("days", &days.to_string()), ("after", &next)])) { "Look at more users" }
            }
        }
    };
    Ok(page(frame, Section::Expiring, "Expiring soon", content))
}

/// The page names users, so it needs the permission for them as well.
fn permitted(asking: &Permitted<GroupsRead>) -> Result<(), Problem> {
    match asking.subject().decide(&asking.moment(), Permission::UsersRead) {
        rolecall::Decision::Allowed => Ok(()),
        rolecall::Decision::Denied(reason) => Err(Problem::denied(reason, Permission::UsersRead)),
    }
}

fn shown(frame: &Frame, ending: &Ending) -> Markup {
    html! {
        @match ending {
            Ending::Member(user, name, group, group_name) => {
                a.name href=(frame.path(&format!("groups/{group}/members/{user}"))) { (name) } " in the group " a href=(frame.path(&format!("groups/{group}"))) { (group_name) }
            }
            Ending::UserRole(user, name, role, role_name) => {
                a.name href=(frame.path(&format!("users/{user}"))) { (name) } " with the role " a href=(frame.path(&format!("roles/{role}"))) { (role_name) }
            }
            Ending::GroupRole(group, name, role, role_name) => {
                a.name href=(frame.path(&format!("groups/{group}/roles"))) { (name) } " with the role " a href=(frame.path(&format!("roles/{role}"))) { (role_name) }
            }
        }
    }
}

/// What ends soon, the soonest first, and where to go on. Groups are on the first page.
fn endings(moment: &Moment<'_>, days: u64, after: &str) -> (Vec<(Timestamp, Ending)>, Option<String>) {
    let now = moment.instant();
    let limit = now.saturating_add(Duration::from_secs(days * 24 * 60 * 60));
    let soon = |window: Window| window.end().filter(|end| *end > now && *end <= limit);
    let mut found = Vec::new();
    if after.is_empty() {
        let (mut request, mut looked_at) = (PageRequest::of(STEP), 0);
        loop {
            let page = moment.groups(&request);
            looked_at += page.items.len();
            for group in page.items {
                for held in &moment.roles_of_group(group.id) {
                    let ending = || {
                        Ending::GroupRole(
                            group.id,
                            group.name.to_string(),
                            held.record.id(),
                            held.record.name().to_string(),
                        )
                    };
                    found.extend(soon(held.window).map(|end| (end, ending())));
                }
            }
            match page.next {
                Some(next) if looked_at < MOST_LOOKED_AT => request = PageRequest::of(STEP).after(next),
                _ => break,
            }
        }
    }
    let (mut request, mut looked_at) = (PageRequest::of(STEP).after(after), 0);
    let next = loop {
        let page = moment.users(&request);
        looked_at += page.items.len();
        for user in page.items {
            for entry in &moment.groups_of(user.id) {
                let ending =
                    || Ending::Member(user.id, user.name().to_owned(), entry.record.id, entry.record.name.to_string());
                found.extend(soon(entry.window).map(|end| (end, ending())));
            }
            for held in &moment.roles_of(user.id) {
                let ending = || {
                    Ending::UserRole(user.id, user.name().to_owned(), held.record.id(), held.record.name().to_string())
                };
                found.extend(soon(held.window).map(|end| (end, ending())));
            }
        }
        match page.next {
            Some(next) if looked_at < MOST_LOOKED_AT && found.len() < PAGE_SIZE * 4 => {
                request = PageRequest::of(STEP).after(next);
            }
            next => break next,
        }
    };
    found.sort_by_key(|(end, _)| *end);
    found.truncate(PAGE_SIZE * 20);
    (found, next)
}
