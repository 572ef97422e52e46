//! The relations that end soon: memberships, assignments and parent links, the soonest first.

use std::time::Duration;

use axum::extract::Query;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::error::RelationKind;
use rolecall::records::{GroupId, RoleId, UserId};
use rolecall::review::{EntityRef, WindowChange};
use rolecall::{EntityKind, Moment, Window};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::PAGE_SIZE;
use super::layout::{Section, empty, instant, link, page, pager};
use super::visit::{Frame, Visit};
use crate::catalog::Permission;
use crate::catalog::required::GroupsRead;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    days: String,
    after: usize,
}

/// No further page begins later. A user who gets there chooses a shorter time.
const MOST_SKIPPED: usize = 10_000;

pub(super) async fn expiring(visit: Visit<GroupsRead>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    visit.require(&[Permission::UsersRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let days = asked.days.parse().ok().filter(|days| (1..=366).contains(days)).unwrap_or(30_u64);
    let (path, now, after) = (frame.path("expiring"), moment.instant(), asked.after.min(MOST_SKIPPED));
    let span = Window::between(now, now.saturating_add(Duration::from_secs(days * 24 * 60 * 60)))?;
    let mut found = moment.window_changes(span).ending().soonest(after + PAGE_SIZE + 1);
    let next = (found.len() > after + PAGE_SIZE && after < MOST_SKIPPED).then(|| (after + PAGE_SIZE).to_string());
    found.truncate(after + PAGE_SIZE);
    let days = days.to_string();
    let content = html! {
        h1 { "Expiring soon" }
        p.lead { "Memberships, roles and subgroups that end within the next days." }
        form.search method="get" action=(path) {
            label for="days" { "Within" }
            div.row {
                select #days name="days" {
                    @for (value, text) in [("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("366", "a year")] {
                        option value=(value) selected[value == days] { (text) }
                    }
                }
                button { "Show" }
            }
        }
        @if found.len() <= after { (empty("Nothing ends within this time.")) }
        @else {
            table {
                caption.visually-hidden { "What ends soon" }
                thead { tr { th scope="col" { "What" } th scope="col" { "Ends" } } }
                tbody { @for change in found.iter().skip(after) { tr { th scope="row" { (shown(frame, &moment, change)) } td { (instant(change.at)) } } } }
            }
        }
        (pager(&link(&path, &[("days", &days)]), after == 0,
            next.map(|next| link(&path, &[("days", &days), ("after", &next)]))))
    };
    Ok(page(frame, Section::Expiring, "Expiring soon", content))
}

/// The subject links to where the end can be changed.
fn shown(frame: &Frame, moment: &Moment<'_>, change: &WindowChange) -> Markup {
    let (subject, object) = (&change.subject, &change.object);
    let (own, words, other) = match (change.relation, subject.entity) {
        (RelationKind::Membership, _) => {
            (format!("groups/{}/members/{}", object.id, subject.id), " in the group ", "groups")
        }
        (RelationKind::Parent, _) => (format!("groups/{}/subgroups", subject.id), " as a subgroup of ", "groups"),
        (_, EntityKind::Group) => (format!("groups/{}/roles", subject.id), " with the role ", "roles"),
        (_, _) => (format!("users/{}", subject.id), " with the role ", "roles"),
    };
    html! {
        a.name href=(frame.path(&own)) { (display_name(moment, subject)) } (words)
        a href=(frame.path(&format!("{other}/{}", object.id))) { (display_name(moment, object)) }
    }
}

fn display_name(moment: &Moment<'_>, place: &EntityRef) -> String {
    let name = match place.entity {
        EntityKind::User => moment.user(UserId::from_uuid(place.id)).map(|user| user.name().to_owned()),
        EntityKind::Group => moment.group(GroupId::from_uuid(place.id)).map(|group| group.name.to_string()),
        EntityKind::Role => moment.role(RoleId::from_uuid(place.id)).map(|role| role.name().to_string()),
        _ => None,
    };
    name.unwrap_or_else(|| place.name.clone())
}
