//! The rule about patterns that match more than in an earlier state. A state alone does not know what they matched before.

use std::collections::HashMap;
use std::rc::Rc;

use super::grants::own_roles;
use super::{Code, Finding, Findings};
use crate::model::error::Quoted;
use crate::model::records::Pattern;
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Row as _;
use crate::review::EntityRef;

/// The most permissions that a sentence lists.
const MOST_LISTED: usize = 10;

/// Texts as a list for people.
pub(in crate::review) fn list(texts: &[String]) -> String {
    let (shown, more) = (texts.get(..MOST_LISTED).unwrap_or(texts), texts.len().saturating_sub(MOST_LISTED));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Patterns that a role grants in both states.
pub(super) fn patterns_that_have_grown<'m>(moment: &'m Moment<'_>, earlier: &'m Snapshot) -> Findings<'m> {
    let (state, before) = (&moment.compiled().state, &earlier.0.state);
    let granted = own_roles(state).flat_map(move |(_, row)| {
        let old = before.roles.by_id(row.id()).and_then(|number| before.roles.row(number));
        let kept = row
            .patterns
            .iter()
            .filter(move |pattern| old.is_some_and(|old| old.patterns.binary_search(pattern).is_ok()));
        kept.map(move |pattern| (row, pattern))
    });
    // Many roles grant the same few patterns. They come from outside, so the hash has a random key.
    let mut known: HashMap<Pattern, Option<Rc<str>>> = HashMap::new();
    Box::new(granted.filter_map(move |(row, pattern)| {
        let compare = || newly_matched(before, state, pattern);
        let permissions = known.entry(pattern.clone()).or_insert_with(compare).as_deref()?;
        let (place, text) = (EntityRef::of(row), Quoted(pattern.as_str()));
        let message = format!("{place} grants {text}, which now also matches {permissions}");
        Some(Finding::new(Code::PatternHasGrown, place, message).about_grant(pattern.as_str()))
    }))
}

/// Lists the permissions that a pattern matches now and did not match, by slug. `None` if there are none.
fn newly_matched(before: &State, now: &State, pattern: &Pattern) -> Option<Rc<str>> {
    let old = before.matched(pattern);
    let was_matched = |id| before.permissions.by_id(id).is_some_and(|number| old.contains(number));
    let rows = now.matched(pattern);
    let mut rows: Vec<_> = rows.iter().filter_map(|n| now.permissions.row(n)).collect();
    rows.retain(|row| !was_matched(row.id()));
    rows.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    let names: Vec<String> = rows.into_iter().map(|row| Quoted(row.name()).to_string()).collect();
    (!names.is_empty()).then(|| list(&names).into())
}
