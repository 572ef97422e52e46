//! What a preview shows: what a plan would change, and who would gain or lose what.

use maud::{Markup, html};
use rolecall::plan::AccessChange;
use rolecall::{Plan, Timestamp};

use super::edits::short_hash;

/// So many users at most whose access a preview shows.
const MOST_USERS: usize = 50;

/// So many lines of a preview at most.
const MOST_LINES: usize = 200;

/// What a plan would change, and who would gain and lose what.
pub(super) struct Effect {
    pub(super) lines: Vec<String>,
    access: Vec<(String, String, Vec<String>, Vec<String>)>,
    warnings: Vec<String>,
    more_warnings: bool,
    more_lines: bool,
    more_users: bool,
    at: Timestamp,
}

impl Effect {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut lines: Vec<String> = plan.described().take(MOST_LINES + 1).map(|change| change.to_string()).collect();
        let shown = |change: AccessChange| {
            let slugs = |set: rolecall::moment::PermissionSet| set.slugs().iter().map(ToString::to_string).collect();
            (change.user.key.to_string(), change.user.name().to_owned(), slugs(change.gained), slugs(change.lost))
        };
        let mut access: Vec<_> = plan.access_changes(plan.instant()).take(MOST_USERS + 1).map(shown).collect();
        let (more_lines, more_users) = (lines.len() > MOST_LINES, access.len() > MOST_USERS);
        lines.truncate(MOST_LINES);
        access.truncate(MOST_USERS);
        let warnings = plan.warnings();
        let more_warnings = warnings.len() > MOST_LINES;
        let warnings = warnings.iter().take(MOST_LINES).map(ToString::to_string).collect();
        Self { lines, access, warnings, more_warnings, more_lines, more_users, at: plan.instant() }
    }

    pub(super) fn digest(&self) -> String {
        let more = (self.more_warnings, self.more_lines, self.more_users);
        short_hash(&(&self.lines, &self.access, &self.warnings, more))
    }

    pub(super) fn shown(&self) -> Markup {
        html! {
            @if !self.warnings.is_empty() {
                div.warning {
                    h2 { "Warnings" }
                    ul { @for line in &self.warnings { li { (super::layout::capitalised(line)) } } }
                    @if self.more_warnings { p { "… and more." } }
                }
            }
            h2 { "What changes" }
            @if self.lines.is_empty() { p.empty { "Nothing: it is like this already." } }
            ul.lines { @for line in &self.lines { li { (with_names(line)) } } }
            @if self.more_lines { p.muted { "… and more." } }
            h2 #access { "Who gains or loses access" }
            p.hint { "At this instant, " (super::layout::instant(self.at)) "." }
            @if self.access.is_empty() { p.empty { "Nobody gains or loses a permission now." } }
            @else {
                table aria-labelledby="access" {
                    thead { tr { th scope="col" { "User" } th scope="col" { "Gains" } th scope="col" { "Loses" } } }
                    tbody {
                        @for (key, name, gained, lost) in &self.access {
                            tr {
                                th scope="row" { (name) @if name != key { " " span.muted { (key) } } }
                                td { (permissions(gained, "gain", "+ ")) }
                                td { (permissions(lost, "lose", "− ")) }
                            }
                        }
                    }
                }
                @if self.more_users { p.muted { "Only the first " (MOST_USERS) " users are shown. More are affected." } }
            }
        }
    }
}

/// A line with the names in it marked. They are between backticks, and have none themselves.
pub(super) fn with_names(line: &str) -> Markup {
    let line = super::layout::capitalised(line);
    html! {
        @for (i, part) in line.split('`').enumerate() { @if i % 2 == 1 { code { (part) } } @else { (part) } }
    }
}

/// So many permissions of one user at most in a preview.
const MOST_PERMISSIONS: usize = 20;

fn permissions(slugs: &[String], class: &str, sign: &str) -> Markup {
    html! {
        @if slugs.is_empty() { span.muted { "nothing" } }
        @else {
            ul.plain {
                @for slug in slugs.iter().take(MOST_PERMISSIONS) { li class=(class) { span aria-hidden="true" { (sign) } code { (slug) } } }
                @if let Some(more) = slugs.len().checked_sub(MOST_PERMISSIONS).filter(|more| *more > 0) {
                    li.muted { "… and " (more) " more" }
                }
            }
        }
    }
}
