//! The permission tester: may this user do this, and why? The answer is drawn as paths from the user to the permission.

use axum::extract::Query;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::explain::{Path, PathStep, Reason};
use rolecall::{Decision, Explanation, Moment, PageRequest, Timestamp, Window};
use serde::Deserialize;

use super::layout::{Mistake, Section, capitalised, error_summary, instant, page, text_field, window};
use super::visit::{Frame, Visit};
use crate::catalog::required::AccessRead;

/// So many permissions at most are offered while somebody types.
const MOST_OFFERS: usize = 200;

/// So many paths, and similar names, at most.
const MOST_PATHS: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    user: String,
    permission: String,
    at: String,
}

pub(super) async fn tester(visit: Visit<AccessRead>, Query(asked): Query<Asked>) -> Response {
    let (mut moment, frame) = (visit.moment(), &visit.frame);
    let (user, permission, day) = (asked.user.trim(), asked.permission.trim(), asked.at.trim());
    let is_asked = !(user.is_empty() && permission.is_empty());
    let mut mistakes = Vec::new();
    let mut mistake = |field, text: &str| mistakes.push(Mistake { field: Some(field), text: text.to_owned() });
    if is_asked && user.is_empty() {
        mistake("user", "Enter the key of a user");
    }
    if is_asked && permission.is_empty() {
        mistake("permission", "Enter the slug of a permission");
    }
    if !day.is_empty() {
        match Timestamp::parse(&format!("{day}T12:00:00Z")) {
            Ok(at) => moment = moment.snapshot().at(at),
            Err(_) => mistake("at", "Enter a day as 2027-01-31"),
        }
    }
    let offers = moment.permissions(&PageRequest::of(MOST_OFFERS));
    let content = html! {
        h1 { "Permission tester" }
        p.lead { "May a user do this, and why?" }
        (error_summary(&mistakes))
        form.card method="get" action=(frame.path("tester")) {
            (text_field("user", "User", "The key, for example alice@acme.com", user, true, &mistakes))
            div.field {
                label for="permission" { "Permission" }
                p.hint #permission-hint { "The slug, for example posts:read" }
                input #permission name="permission" type="text" list="permissions" value=(permission) required autocomplete="off" aria-describedby="permission-hint";
                datalist #permissions { @for offer in &offers.items { option value=(offer.slug()) { (offer.name()) } } }
            }
            div.field {
                label for="at" { "Day (optional)" }
                p.hint #at-hint { "Noon UTC of that day. Leave it empty for now." }
                input #at name="at" type="date" value=(day) aria-describedby="at-hint";
            }
            div.actions { button.primary { "Test" } }
        }
        @if is_asked && mistakes.is_empty() { (answer(frame, &moment, user, permission)) }
    };
    page(frame, Section::Tester, "Permission tester", content)
}

fn answer(frame: &Frame, moment: &Moment<'_>, user: &str, permission: &str) -> Markup {
    let explanation = moment.explain(user, permission);
    let name = moment.user(user).map_or_else(|| user.to_owned(), |user| user.name().to_owned());
    html! {
        section aria-labelledby="answer" {
            @match explanation.decision() {
                Decision::Allowed => { h2 #answer.allowed { "Allowed" } p { bdi { (name) } " has " code { (permission) } " at " (instant(moment.instant())) "." } }
                Decision::Denied(reason) => { h2 #answer.denied { "Denied" } p { (reason_text(reason)) " " span.muted { "At " (instant(moment.instant())) "." } } }
            }
            @if !explanation.paths().is_empty() {
                h3 { @if explanation.is_allowed() { "Why" } @else { "What would allow it at another time" } }
                @for path in explanation.paths().iter().take(MOST_PATHS) { (path_of(frame, moment, &name, path, permission)) }
                @if explanation.has_more_paths() || explanation.paths().len() > MOST_PATHS { p.muted { "There are more paths." } }
            }
            @if !explanation.is_allowed() { (what_would_help(frame, &explanation)) }
        }
    }
}

fn reason_text(reason: Reason) -> Markup {
    html! {
        @match reason {
            Reason::UnknownUser => { "No user has this key." }
            Reason::UuidAsKey => { "No user has this key, which looks like an id." }
            Reason::UuidAsSlug => { "No permission has this slug, which looks like an id." }
            Reason::UnknownPermission => { "No permission has this slug." }
            Reason::CatalogConflict => { "The slug belongs to a permission of the tenant and to one of the application, so neither gives anything." }
            Reason::PermissionRenamed => { "The application has renamed this permission." }
            Reason::PatternAsked => { "A pattern can be granted, but not asked for." }
            Reason::Suspended => { "The user is suspended." }
            Reason::Expired { until } => { "The access has ended at " (instant(until)) "." }
            Reason::NotYetActive { from } => { "The access begins at " (instant(from)) "." }
            Reason::NoPath => { "Nothing that the user holds grants it." }
            Reason::NeverActive => { "On each path, the windows have no common instant." }
            Reason::OutsideWindows => { "What grants it is not active now." }
            _ => { "The tenant is out of service." }
        }
    }
}

/// Draws one path: user → group → parent group → role → permission.
fn path_of(frame: &Frame, moment: &Moment<'_>, user: &str, path: &Path, permission: &str) -> Markup {
    html! {
        ol.why aria-label=(capitalised(&path.to_string())) {
            li.node-user { span.kind { "User" } span.what { (user) } }
            @for step in path.steps() { (step_of(frame, moment, step)) }
            li.node-permission {
                span.kind { @if path.grant() == permission { "grants" } @else { "grants the pattern" } }
                span.what { code { (path.grant()) } }
            }
            @if path.grant() != permission {
                li.node-permission { span.kind { "which has the permission" } span.what { code { (permission) } } }
            }
        }
    }
}

fn step_of(frame: &Frame, moment: &Moment<'_>, step: &PathStep) -> Markup {
    let group = |slug: &rolecall::records::Slug| {
        let found = moment.group(slug.as_str());
        html! {
            @match found {
                Some(group) => { a href=(frame.path(&format!("groups/{}", group.id))) { (group.name) } }
                None => { (slug) }
            }
        }
    };
    let role = |slug: &rolecall::records::Slug| {
        let found = moment.role(slug.as_str());
        html! {
            @match found {
                Some(role) => { a href=(frame.path(&format!("roles/{}", role.id()))) { (role.name()) } }
                None => { (slug) }
            }
        }
    };
    let when = |limits: Window| html! { @if !limits.is_always() { span.when { (window(limits, moment.instant())) } } };
    html! {
        @match step {
            PathStep::Member { group: slug, window } => { li.node-group { span.kind { "is in the group" } span.what { (group(slug)) } (when(*window)) } }
            PathStep::Parent { group: slug, window } => { li.node-group { span.kind { "part of the group" } span.what { (group(slug)) } (when(*window)) } }
            PathStep::Role { role: slug, window, .. } => { li.node-role { span.kind { "has the role" } span.what { (role(slug)) } (when(*window)) } }
            PathStep::Included { role: slug, .. } => { li.node-role { span.kind { "includes the role" } span.what { (role(slug)) } } }
            _ => {}
        }
    }
}

/// For a denial: similar names, and roles and groups that would allow it.
fn what_would_help(frame: &Frame, explanation: &Explanation) -> Markup {
    let is_unknown_user = matches!(explanation.decision(), Decision::Denied(Reason::UnknownUser | Reason::UuidAsKey));
    // Similar keys are those of other users.
    let suggestions = if is_unknown_user && !frame.rights.read_users { &[] } else { explanation.suggestions() };
    html! {
        @if let Some(advice) = explanation.advice() { p { (capitalised(advice)) "." } }
        @if !suggestions.is_empty() {
            p { "Similar names: " @for (i, name) in suggestions.iter().take(MOST_PATHS).enumerate() { @if i > 0 { ", " } code { (name) } } }
        }
        @if !explanation.roles().is_empty() {
            h3 { "Roles that would grant it" }
            ul.results {
                @for role in explanation.roles().iter().take(MOST_PATHS) { li { a href=(frame.path(&format!("roles/{}", role.id))) { (role.slug) } } }
            }
        }
        @if !explanation.groups().is_empty() {
            h3 { "Groups that would grant it" }
            ul.results {
                @for group in explanation.groups().iter().take(MOST_PATHS) {
                    li {
                        a href=(frame.path(&format!("groups/{}", group.id))) { (group.slug) }
                        @if let Some(manager) = &group.managed_by { " " span.badge.lock { "managed by " (manager) } }
                    }
                }
            }
        }
        @if explanation.has_more_holders() { p.muted { "There are more." } }
    }
}
