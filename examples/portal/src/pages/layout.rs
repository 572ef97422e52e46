//! The layout of all pages: the document around them, pages of lists, and how names, instants and windows are shown.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use rolecall::moment::Origin;
use rolecall::{Timestamp, Window};
use serde_json::{Map, Value};

use super::assets;
use super::visit::Frame;

/// The entries of the navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Groups,
    Users,
    Roles,
    Permissions,
    Tester,
    Expiring,
    Lint,
    History,
}

/// A path with a query, encoded. Empty values are left out.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        encoded.append_pair(name, value);
    }
    let encoded = encoded.finish();
    if encoded.is_empty() { path.to_owned() } else { format!("{path}?{encoded}") }
}

pub(super) fn page_answer(status: StatusCode, page: Markup) -> Response {
    (status, Html(page.into_string())).into_response()
}

/// A page with the navigation.
pub(super) fn page(frame: &Frame, section: Section, title: &str, content: Markup) -> Response {
    page_with_status(StatusCode::OK, frame, section, title, content)
}

pub(super) fn page_with_status(
    status: StatusCode,
    frame: &Frame,
    section: Section,
    title: &str,
    content: Markup,
) -> Response {
    let rights = frame.rights;
    let entries = [
        (Section::Groups, "groups", "Groups", rights.read_groups),
        (Section::Users, "users", "Users", rights.read_users),
        (Section::Roles, "roles", "Roles", rights.read_roles),
        (Section::Permissions, "permissions", "Permissions", rights.read_permissions),
        (Section::Tester, "tester", "Permission tester", rights.read_access),
        (Section::Expiring, "expiring", "Expiring soon", rights.read_groups && rights.read_users),
        (Section::Lint, "lint", "Lint", rights.lint()),
        (Section::History, "history", "History", rights.read_history),
    ];
    let body = html! {
        a.skip href="#content" { "Skip to content" }
        header.top {
            div.brand { strong { (frame.tenant) } span.muted { "Access management" } }
            form.signout method="post" action=(format!("{}/logout", frame.root)) {
                a href="/api-docs/" { "API" }
                span.muted { "Signed in as " } span { (frame.user_name) }
                button { "Sign out" }
            }
        }
        div.frame {
            nav aria-label="Access management" {
                ul {
                    @for (entry, path, name, is_shown) in entries {
                        @if is_shown {
                            li { a href=(frame.path(path)) aria-current=[(entry == section).then_some("page")] { (name) } }
                        }
                    }
                }
            }
            main #content tabindex="-1" { (content) }
        }
    };
    page_answer(status, document(&format!("{title} – {}", frame.tenant), body))
}

/// A page without the navigation.
pub(super) fn bare_page(title: &str, content: Markup) -> Markup {
    document(title, content)
}

fn document(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(assets::style_path());
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                script src=(assets::script_path()) defer {}
            }
            body { (body) }
        }
    }
}

/// The page of an answer that is an error.
pub(super) fn problem_page(slug: &str, status: StatusCode, problem: &Map<String, Value>) -> Markup {
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let title = match (status, text("code")) {
        (StatusCode::FORBIDDEN, "cross_site") => "This request came from another site",
        (StatusCode::PAYLOAD_TOO_LARGE, _) => "This form is too large",
        (StatusCode::REQUEST_TIMEOUT, _) => "This form took too long",
        (StatusCode::FORBIDDEN, "forbidden") => "You may not see or change this",
        (StatusCode::NOT_FOUND, _) => "Not found",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "Out of service",
        (_, _) if status.is_server_error() => "Something went wrong",
        _ => "This cannot be done",
    };
    bare_page(
        title,
        html! {
            main.card.narrow #content tabindex="-1" {
                h1 { (title) }
                @if !text("title").is_empty() { p { (capitalised(text("title"))) "." } }
                @if !text("detail").is_empty() { p { (capitalised(text("detail"))) "." } }
                @if !text("permission").is_empty() { p { "It requires the permission " code { (text("permission")) } "." } }
                @if status == StatusCode::SERVICE_UNAVAILABLE { p { "Try again in a moment." } }
                p.muted { "Status " (status.as_u16()) @if !text("code").is_empty() { ", " code { (text("code")) } } }
                p { a href=(format!("/t/{slug}/portal/access-management/groups")) { "To the groups" } }
                form method="post" action=(format!("/t/{slug}/portal/logout")) { button { "Sign out" } }
            }
        },
    )
}

pub(super) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Links to other pages of a list.
pub(super) fn pager(first: &str, is_first: bool, next: Option<String>) -> Markup {
    html! {
        @if !is_first || next.is_some() {
            nav.pager aria-label="Pages of the list" {
                @if !is_first { a href=(first) { "First page" } }
                @if let Some(next) = next { a rel="next" href=(next) { "Next page" } }
            }
        }
    }
}

/// A search form that answers with the same page.
pub(super) fn search_form(action: &str, label: &str, text: &str, hidden: &[(&str, &str)]) -> Markup {
    html! {
        form.search role="search" method="get" action=(action) {
            @for (name, value) in hidden { @if !value.is_empty() { input type="hidden" name=(name) value=(value); } }
            label for="q" { (label) }
            div.row {
                input #q name="q" type="search" value=(text) autocomplete="off";
                button { "Search" }
                @if !text.is_empty() { a href=(link(action, hidden)) { "Clear" } }
            }
        }
    }
}

/// An instant, to the minute.
pub(super) fn instant(at: Timestamp) -> Markup {
    let full = at.to_string();
    let (day, time) = full.split_once('T').unwrap_or((&full, ""));
    let minute: String = time.chars().take(5).collect();
    html! { time datetime=(full) { (day) " " (minute) " UTC" } }
}

/// When a relation is active, and whether it is now.
pub(super) fn window(window: Window, now: Timestamp) -> Markup {
    html! {
        @if let Some(start) = window.start() { "from " (instant(start)) " " }
        @if let Some(end) = window.end() { "until " (instant(end)) " " } @else { span.muted { "no end" } " " }
        @if window.has_ended(now) {
            span.badge.off { "ended" }
        } @else if !window.contains(now) {
            span.badge.off { "not yet active" }
        } @else if window.end().is_some() {
            span.badge.soon { "temporary" }
        }
    }
}

/// The origin of a role or permission.
pub(super) fn origin(origin: Origin) -> Markup {
    html! {
        @match origin {
            Origin::Tenant => {},
            Origin::Catalog => { span.badge { "defined by the application" } },
            _ => { span.badge.off { "removed from the application" } },
        }
    }
}

/// The views of one thing: the end of the path of each, its name, and how many entries it has. `current` is one of the ends.
pub(super) fn tabs(label: &str, own: &str, current: &str, views: &[(&str, &str, Option<usize>)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            ul {
                @for (end, name, count) in views {
                    li {
                        a href=(format!("{own}{end}")) aria-current=[(*end == current).then_some("page")] {
                            (name) @if let Some(count) = count { " " span.count { (count) } }
                        }
                    }
                }
            }
        }
    }
}

/// The links back to a list.
pub(super) fn breadcrumbs(steps: &[(String, &str)], last: &str) -> Markup {
    html! {
        nav.breadcrumbs aria-label="Breadcrumb" {
            ol {
                @for (path, name) in steps { li { a href=(path) { (name) } } }
                li { span aria-current="page" { (last) } }
            }
        }
    }
}

/// A button that begins a change which is previewed first.
pub(super) fn danger_form(action: &str, hidden: &Markup, title: &str, hint: &str, button: &str) -> Markup {
    html! {
        form.card method="post" action=(action) {
            h2 { (title) }
            p.hint { (hint) }
            (hidden)
            div.actions { button.danger name="step" value="preview" { (button) } }
        }
    }
}

/// Buttons that save and preview a form.
pub(super) fn save_or_preview(save: &str) -> Markup {
    html! {
        div.actions {
            button.primary name="step" value="save" { (save) }
            button name="step" value="preview" { "Preview" }
        }
    }
}

/// The text of an empty list.
pub(super) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// The message after a change.
pub(super) fn notice(done: Option<&str>) -> Markup {
    let text = match done {
        Some("created") => "The group was created.",
        Some("user-created") => "The user was created.",
        Some("role-created") => "The role was created. Now grant it permissions.",
        Some("permission-created") => "The permission was created.",
        Some("saved") => "The change was saved.",
        Some("deleted") => "The group was deleted.",
        Some("user-deleted") => "The user was deleted.",
        Some("role-deleted") => "The role was deleted.",
        Some("permission-deleted") => "The permission was deleted.",
        Some("nothing") => "There was nothing to change.",
        _ => return html! {},
    };
    html! { p.notice role="status" { (text) } }
}

/// A mistake in a form: the id of the field, if it is one field's, and what is wrong.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) field: Option<&'static str>,
    pub(super) text: String,
}

/// The summary of what is wrong with a form, each with a link to its field.
pub(super) fn error_summary(mistakes: &[Mistake]) -> Markup {
    html! {
        @if !mistakes.is_empty() {
            div.errors role="alert" tabindex="-1" data-focus {
                h2 { "There is a problem" }
                ul {
                    @for mistake in mistakes {
                        li {
                            @if let Some(field) = mistake.field { a href=(format!("#{field}")) { (mistake.text) } }
                            @else { (mistake.text) }
                        }
                    }
                }
            }
        }
    }
}

/// A field of text, with its hint and its mistake.
pub(super) fn text_field(
    id: &'static str,
    label: &str,
    hint: &str,
    value: &str,
    is_required: bool,
    mistakes: &[Mistake],
) -> Markup {
    let mistake = mistakes.iter().find(|mistake| mistake.field == Some(id));
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    let described = if mistake.is_some() { format!("{hint_id} {error_id}") } else { hint_id.clone() };
    html! {
        div.field {
            label for=(id) { (label) }
            p.hint id=(hint_id) { (hint) }
            @if let Some(mistake) = mistake { p.mistake id=(error_id) { (mistake.text) } }
            input id=(id) name=(id) type="text" value=(value) required[is_required] aria-describedby=(described)
                aria-invalid=[mistake.map(|_| "true")] autocomplete="off";
        }
    }
}

/// The fields for the first and the last day of something temporary.
pub(super) fn window_fields(from: &str, until: &str, mistakes: &[Mistake]) -> Markup {
    html! {
        (day_field("from", "First day (optional)", "It begins at midnight UTC before this day. Leave it empty to begin at once.", from, mistakes))
        (day_field("until", "Last day (optional)", "It ends at midnight UTC after this day. Leave it empty for no end.", until, mistakes))
    }
}

fn day_field(id: &'static str, label: &str, hint: &str, value: &str, mistakes: &[Mistake]) -> Markup {
    let mistake = mistakes.iter().find(|mistake| mistake.field == Some(id));
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    let described = if mistake.is_some() { format!("{hint_id} {error_id}") } else { hint_id.clone() };
    html! {
        div.field {
            label for=(id) { (label) }
            p.hint id=(hint_id) { (hint) }
            @if let Some(mistake) = mistake { p.mistake id=(error_id) { (mistake.text) } }
            input id=(id) name=(id) type="date" value=(value) aria-describedby=(described)
                aria-invalid=[mistake.map(|_| "true")];
        }
    }
}
