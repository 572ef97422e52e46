//! The content of a preview: what a plan would change, and who would gain or lose what.
//!
//! It shows the first 200 lines and the first 50 users. A change beyond them is in the plan as well: the preview says that there is
//! more, and does not compare it when the change is saved. Without `access:read` and `users:read`, it only counts the users.

use maud::{Markup, html};
use rolecall::moment::PermissionSet;
use rolecall::plan::AccessChange;
use rolecall::{Plan, Timestamp};

use super::edits::short_hash;
use crate::authzen::specific;
use crate::deletion::LeftOut;

/// So many users at most whose access a preview shows or counts.
const MOST_USERS: usize = 50;

/// So many lines of a preview at most.
const MOST_LINES: usize = 200;

/// A user's key and name, and what the user gains and loses.
type UserEffect = (String, String, Vec<String>, Vec<String>);

/// The changes of a plan, and the users who would gain and lose permissions.
pub(super) struct Effect {
    pub(super) lines: Vec<String>,
    /// The users who gain and lose permissions. `None` for a reader who may not see that.
    access: Option<Vec<UserEffect>>,
    /// How many of the users gain a permission, and how many lose one.
    counts: (usize, usize),
    warnings: Vec<String>,
    more_warnings: bool,
    more_lines: bool,
    more_users: bool,
    at: Timestamp,
}

impl Effect {
    /// The effect of a plan, and the changes that it leaves out. `lists_access` says whether the reader may see which users
    /// may do what.
    pub(super) fn of(plan: &Plan, left_out: Option<&LeftOut>, lists_access: bool) -> Self {
        let mut lines: Vec<String> = plan.described().take(MOST_LINES + 1).map(|change| change.to_string()).collect();
        let shown = |change: &AccessChange| {
            let slugs = |set: &PermissionSet| set.slugs().iter().map(ToString::to_string).collect();
            (change.user.key.to_string(), change.user.name().to_owned(), slugs(&change.gained), slugs(&change.lost))
        };
        let mut affected: Vec<_> = plan.access_changes(plan.instant()).take(MOST_USERS + 1).collect();
        let mut warnings: Vec<String> = plan.warnings().iter().take(MOST_LINES + 1).map(ToString::to_string).collect();
        warnings.extend(specific::warnings(plan));
        let (more_lines, more_users) = (lines.len() > MOST_LINES, affected.len() > MOST_USERS);
        let more_warnings = warnings.len() > MOST_LINES;
        lines.truncate(MOST_LINES);
        if let Some(left_out) = left_out {
            left_out.complete(&mut lines);
        }
        affected.truncate(MOST_USERS);
        warnings.truncate(MOST_LINES);
        let count = |is_one: fn(&&AccessChange) -> bool| affected.iter().filter(is_one).count();
        let counts = (count(|change| !change.gained.is_empty()), count(|change| !change.lost.is_empty()));
        let access = lists_access.then(|| affected.iter().map(shown).collect());
        Self { lines, access, counts, warnings, more_warnings, more_lines, more_users, at: plan.instant() }
    }

    pub(super) fn digest(&self) -> String {
        let more = (self.more_warnings, self.more_lines, self.more_users);
        short_hash(&(&self.lines, &self.access, self.counts, &self.warnings, more))
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
            @if self.counts == (0, 0) { p.empty { "Nobody gains or loses a permission now." } }
            @else if let Some(access) = &self.access {
                table aria-labelledby="access" {
                    thead { tr { th scope="col" { "User" } th scope="col" { "Gains" } th scope="col" { "Loses" } } }
                    tbody {
                        @for (key, name, gained, lost) in access {
                            tr {
                                th scope="row" { (name) @if name != key { " " span.muted { (key) } } }
                                td { (permissions(gained, "gain", "+ ")) }
                                td { (permissions(lost, "lose", "− ")) }
                            }
                        }
                    }
                }
                @if self.more_users { p.muted { "Only the first " (MOST_USERS) " users are shown. More are affected." } }
            } @else { (self.counted()) }
        }
    }

    /// The numbers of users, for a reader who may not see who they are.
    fn counted(&self) -> Markup {
        let (gaining, losing) = self.counts;
        html! {
            @if self.more_users { p { "More than " (MOST_USERS) " users gain or lose a permission." } }
            @else {
                p {
                    (gaining) @if gaining == 1 { " user gains" } @else { " users gain" } " a permission, and "
                    (losing) @if losing == 1 { " user loses one." } @else { " users lose one." }
                }
            }
            p.hint { "Who they are is shown to readers with " code { "access:read" } " and " code { "users:read" } "." }
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
