//! Where a member, a group or a role comes from, with links to where it can be changed.

use maud::{Markup, html};
use rolecall::Moment;
use rolecall::moment::{Inherited, Via};
use rolecall::records::{GroupRecord, UserId};

use super::visit::Frame;

/// Longer chains are cut.
const MOST_LINKS: usize = 32;

/// The groups from the one that a user belongs to directly up to another one, both included. Empty if the user belongs to it
/// in no way.
pub(super) fn chain(groups: &[Inherited<GroupRecord>], group: &GroupRecord) -> Vec<GroupRecord> {
    let mut chain = Vec::new();
    let mut next = Some(group.slug.clone());
    while let Some(entry) = next.take().and_then(|slug| groups.iter().find(|entry| entry.record.slug == slug)) {
        chain.push(entry.record.clone());
        if let Via::Group(below) = &entry.via {
            next = Some(below.clone()).filter(|_| chain.len() < MOST_LINKS);
        }
    }
    chain.reverse();
    chain
}

/// Through which group somebody is a member of a group.
pub(super) fn membership(frame: &Frame, moment: &Moment<'_>, user: UserId, group: &GroupRecord) -> Markup {
    let groups = moment.all_groups_of(user);
    let chain = chain(&groups, group);
    html! {
        @match chain.as_slice() {
            [] => { span.muted { "unknown" } }
            [_] => { span.badge.direct { "direct" } " " a href=(member_path(frame, group, user)) { "Change" } }
            [first, above @ ..] => {
                span.badge.inherited { "inherited" } " from "
                a href=(member_path(frame, first, user)) { (first.name) }
                @if above.len() > 1 {
                    span.muted {
                        " via "
                        @for (i, step) in above.iter().take(above.len() - 1).enumerate() {
                            @if i > 0 { " → " } (step.name)
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn member_path(frame: &Frame, group: &GroupRecord, user: UserId) -> String {
    frame.path(&format!("groups/{}/members/{user}", group.id))
}

/// Where a role of a user or group comes from. `own` is the page where a direct assignment is changed.
pub(super) fn role(frame: &Frame, moment: &Moment<'_>, via: &Via, own: &str) -> Markup {
    html! {
        @match via {
            Via::Direct => { span.badge.direct { "direct" } " " a href=(own) { "Change" } }
            Via::Group(slug) => {
                span.badge.inherited { "inherited" } " from the group "
                @match moment.group(slug.as_str()) {
                    Some(group) => { a href=(frame.path(&format!("groups/{}/roles", group.id))) { (group.name) } }
                    None => { code { (slug) } }
                }
            }
            Via::Role(slug) => {
                span.badge.inherited { "included" } " in the role "
                @match moment.role(slug.as_str()) {
                    Some(role) => { a href=(frame.path(&format!("roles/{}", role.id()))) { (role.name()) } }
                    None => { code { (slug) } }
                }
            }
        }
    }
}

/// The names of the groups on a path, from the top down.
pub(super) fn group_path(path: &[GroupRecord]) -> Markup {
    html! {
        @for (i, group) in path.iter().enumerate() {
            @if i > 0 { span.sep aria-hidden="true" { " / " } span.visually-hidden { ", then " } }
            (group.name)
        }
    }
}
