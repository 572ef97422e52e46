//! The lint: what probably nobody wants in the tenant, how much it matters, where it is, and what to do.

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use rolecall::EntityKind;
use rolecall::review::{Code, EntityRef, Finding, Severity};
use rolecall_axum::Problem;
use serde::Deserialize;

use super::PAGE_SIZE;
use super::effect::with_names;
use super::layout::{Section, capitalised, empty, instant, link, page, pager};
use super::visit::{Frame, Visit};
use crate::catalog::Permission;
use crate::catalog::required::AccessRead;
use crate::lint_runs::MOST_FINDINGS;
use crate::state::PortalState;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    code: String,
    after: usize,
}

pub(super) async fn lint(
    visit: Visit<AccessRead>,
    State(state): State<PortalState>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    visit.require(&[Permission::GroupsRead, Permission::UsersRead, Permission::RolesRead])?;
    let (moment, frame) = (visit.moment(), &visit.frame);
    let path = frame.path("lint");
    let code: Option<Code> = asked.code.parse().ok();
    let (tenant, snapshot, at) = (visit.asking.tenant().tenant_id(), moment.snapshot(), moment.instant());
    let latest = state.lint_runs().latest(tenant, snapshot, at).await;
    let findings = latest.iter().flat_map(|latest| &latest.findings);
    let findings = findings.filter(|finding| code.is_none_or(|code| finding.code == code));
    let mut found: Vec<&Finding> = findings.skip(asked.after).take(PAGE_SIZE + 1).collect();
    let next = (found.len() > PAGE_SIZE).then(|| (asked.after + PAGE_SIZE).to_string());
    found.truncate(PAGE_SIZE);
    let content = html! {
        h1 { "Lint" }
        p.lead { "What is unused, covered, expired or easy to mistake for something else." }
        form.search method="get" action=(path) {
            label for="code" { "Kind of finding" }
            div.row {
                select #code name="code" {
                    option value="" { "All" }
                    @for each in Code::ALL { option value=(each.code()) selected[code == Some(*each)] { (words(*each)) } }
                }
                button { "Show" }
            }
        }
        @match &latest {
            None => { p role="status" { "The lint is running. " a href=(path) { "Look again" } " in a moment." } }
            Some(latest) => {
                p.muted {
                    "Of revision " (latest.revision) ", " (instant(latest.at))
                    @if latest.revision != moment.snapshot().revision() { ". The tenant has changed since. " a href=(path) { "Look again" } " in a moment" }
                    @if latest.findings.len() == MOST_FINDINGS { ". Only the first " (MOST_FINDINGS) " findings are shown" }
                    "."
                }
                @if found.is_empty() { (empty("Nothing was found.")) }
            }
        }
        @if !found.is_empty() {
            ul.history { @for finding in &found { (row(frame, finding)) } }
        }
        (pager(&link(&path, &[("code", &asked.code)]), asked.after == 0,
            next.map(|next| link(&path, &[("code", &asked.code), ("after", &next)]))))
    };
    Ok(page(frame, Section::Lint, "Lint", content))
}

fn row(frame: &Frame, finding: &Finding) -> Markup {
    html! {
        li {
            p.when {
                @match finding.severity {
                    Severity::Error => { span.badge.error { "error" } }
                    Severity::Warning => { span.badge.soon { "warning" } }
                    Severity::Info => { span.badge { "info" } }
                }
                " " (with_names(&finding.message)) " " span.event { (finding.code) }
            }
            p.hint {
                "At " (place(frame, &finding.place))
                @if let Some(other) = &finding.other { " and " (place(frame, other)) }
                ": " (finding.advice) "."
            }
        }
    }
}

/// A link to where it can be changed.
fn place(frame: &Frame, place: &EntityRef) -> Markup {
    let (list, is_readable) = match place.entity {
        EntityKind::User => ("users", frame.rights.read_users),
        EntityKind::Group => ("groups", frame.rights.read_groups),
        EntityKind::Role => ("roles", frame.rights.read_roles),
        EntityKind::Permission => ("permissions", frame.rights.read_permissions),
        _ => ("", false),
    };
    html! {
        (place.entity) " "
        @if is_readable { a href=(frame.path(&format!("{list}/{}", place.id))) { (place.name) } } @else { code { (place.name) } }
    }
}

/// The code as words: `Unused role`.
fn words(code: Code) -> String {
    capitalised(&code.code().replace('_', " "))
}
