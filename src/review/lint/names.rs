//! Rules about names that are easy to mistake for others.
//!
//! Names are compared within a kind: keys of users, slugs of groups, roles and permissions. Slugs are visible ASCII (R10), so
//! only keys and display names can have hidden characters.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use hashbrown::HashTable;

use super::{Code, Finding, Findings};
use crate::model::error::{Quoted, is_hidden};
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Origin, Row, Table};
use crate::review::EntityRef;

pub(super) fn hidden_characters<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let state = &moment.compiled().state;
    let keys = rows(&state.users).filter(|row| has_hidden(row.key().as_str(), false)).map(|row| {
        let place = EntityRef::of(row);
        let message = format!("the key of {place} has characters that cannot be seen");
        Finding::new(Code::HiddenCharacters, place, message)
    });
    let users =
        rows(&state.users).filter_map(|row| hidden_name(EntityRef::of(row), row.record.display_name()?.as_str()));
    let groups = rows(&state.groups).filter_map(|row| hidden_name(EntityRef::of(row), row.record.name.as_str()));
    let roles = rows(&state.roles).filter(|row| row.origin == Origin::Tenant);
    let roles = roles.filter_map(|row| hidden_name(EntityRef::of(row), row.record.name.as_str()));
    let permissions = rows(&state.permissions).filter(|row| row.origin == Origin::Tenant);
    let permissions = permissions.filter_map(|row| hidden_name(EntityRef::of(row), row.record.name.as_str()));
    Box::new(keys.chain(users).chain(groups).chain(roles).chain(permissions))
}

fn rows<R: Row>(table: &Table<R>) -> impl Iterator<Item = &R> {
    table.sorted().filter_map(|n| table.row(n))
}

fn hidden_name(place: EntityRef, name: &str) -> Option<Finding> {
    has_hidden(name, true).then(|| {
        let message = format!("the name of {place}, {}, has characters that cannot be seen", Quoted(name));
        Finding::new(Code::HiddenCharacters, place, message)
    })
}

/// Whether a text has characters that cannot be seen, spaces other than the usual one, or spaces at its ends. In a display
/// name, the joiners and selectors of scripts and emoji are usual.
fn has_hidden(text: &str, is_display_name: bool) -> bool {
    let is_usual = |c: char| is_display_name && matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    text.starts_with(' ') || text.ends_with(' ') || text.chars().any(|c| is_hidden(c) && !is_usual(c))
}

pub(super) fn case_variants<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    alike(moment, Code::CaseVariants, |name| fold(name.chars()), |_, _| true)
}

pub(super) fn confusable_names<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    // Those that differ in case only are the other rule's.
    alike(moment, Code::ConfusableNames, skeleton, |a, b| fold(a.chars()) != fold(b.chars()))
}

/// Folds the case of a text, by Unicode's full mappings.
fn fold(text: impl Iterator<Item = char>) -> String {
    text.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Returns a text that is equal for two names that look alike. Case is folded afterwards: `I` looks like `l`, and `i` does not.
fn skeleton(name: &str) -> String {
    if name.is_ascii() { fold(ascii_skeleton(name).chars()) } else { fold(unicode_skeleton(name).chars()) }
}

/// The prototypes of UTS 39 for ASCII, of which every name of a usual tenant consists.
fn ascii_skeleton(name: &str) -> String {
    let mut skeleton = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '1' | 'I' | '|' => skeleton.push('l'),
            '0' => skeleton.push('O'),
            'm' => skeleton.push_str("rn"),
            '"' => skeleton.push_str("''"),
            '`' => skeleton.push('\''),
            '%' => skeleton.push_str("\u{b0}/\u{2080}"),
            c => skeleton.push(c),
        }
    }
    skeleton
}

#[cfg(feature = "confusables")]
fn unicode_skeleton(name: &str) -> String {
    unicode_security::confusable_detection::skeleton(name).collect()
}

#[cfg(not(feature = "confusables"))]
fn unicode_skeleton(name: &str) -> String {
    ascii_skeleton(name)
}

fn alike<'m>(
    moment: &'m Moment<'_>,
    code: Code,
    of: fn(&str) -> String,
    is_meant: fn(&str, &str) -> bool,
) -> Findings<'m> {
    let State { users, groups, roles, permissions, .. } = &moment.compiled().state;
    let users = in_table(users, code, of, is_meant);
    let groups = in_table(groups, code, of, is_meant);
    let (roles, permissions) = (in_table(roles, code, of, is_meant), in_table(permissions, code, of, is_meant));
    Box::new(users.chain(groups).chain(roles).chain(permissions))
}

/// The entities of a table, each of whose names has the same form as that of an earlier one.
fn in_table<R: Row>(
    table: &Table<R>,
    code: Code,
    of: fn(&str) -> String,
    is_meant: fn(&str, &str) -> bool,
) -> impl Iterator<Item = Finding> {
    // Only numbers are kept, and there is room for all of them, so no name is hashed again.
    let (hasher, mut first_of) = (RandomState::new(), None);
    table.sorted().filter_map(move |number| {
        let row = table.row(number)?;
        let name = row.name();
        let form = of(name);
        let is_same = |other: &u32| table.row(*other).is_some_and(|other| of(other.name()) == form);
        let rehash = |other: &u32| table.row(*other).map_or(0, |other| hasher.hash_one(of(other.name())));
        let first_of = first_of.get_or_insert_with(|| HashTable::<u32>::with_capacity(table.len()));
        let first = *first_of.entry(hasher.hash_one(&form), is_same, rehash).or_insert(number).get();
        let other = table.row(first).filter(|_| first != number)?;
        // Both are the catalog's: no administrator of the tenant can mend it. Or both have one slug, which is a conflict.
        let is_ours = row.origin() == Origin::Tenant || other.origin() == Origin::Tenant;
        if !is_ours || other.name() == name || !is_meant(name, other.name()) {
            return None;
        }
        let (row, other) = if row.origin() == Origin::Tenant { (row, other) } else { (other, row) };
        let (place, other) = (EntityRef::of(row), EntityRef::of(other));
        let how = if code == Code::CaseVariants { "differs only in case from" } else { "looks like" };
        let message = format!("{place} {how} {}", Quoted(&other.name));
        Some(Finding::new(code, place, message).with(other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let table = [
            ("paypal", "paypa1", true),
            ("paypal", "paypaI", true),
            ("admin", "adrnin", true),
            ("r00t", "rOOt", true),
            ("Editor", "editor", true),
            ("reader", "header", false),
            ("a-b", "a_b", false),
            ("info", "lnfo", false),
            #[cfg(feature = "confusables")]
            ("admin", "\u{430}dmin", true),
            #[cfg(feature = "confusables")]
            ("scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}", true),
            ("j\u{fc}rgen", "jurgen", false),
            #[cfg(feature = "confusables")]
            ("j\u{fc}rgen", "ju\u{308}rgen", true),
        ];
        for (a, b, alike) in table {
            assert_eq!(skeleton(a) == skeleton(b), alike, "{a} {b}");
        }
    }

    /// The short way for ASCII gives what the table of Unicode gives.
    #[cfg(feature = "confusables")]
    #[test]
    fn the_skeleton_of_ascii_is_that_of_unicode() {
        for c in (0x20..0x7f_u8).map(char::from) {
            let text = c.to_string();
            assert_eq!(ascii_skeleton(&text), unicode_skeleton(&text), "{text}");
        }
    }

    #[test]
    fn characters_that_cannot_be_seen_are_hidden() {
        for (text, key, name) in [
            ("alice", false, false),
            ("J\u{fc}rgen M\u{fc}ller", false, false),
            ("\u{5c71}\u{7530}", false, false),
            ("alice\u{200b}", true, true),
            ("a\u{202e}b", true, true),
            ("a\u{a0}b", true, true),
            (" alice", true, true),
            ("alice ", true, true),
            ("e\u{301}", false, false),
            ("\u{1f469}\u{200d}\u{1f680}", true, false),
            ("\u{2764}\u{fe0f}", true, false),
        ] {
            assert_eq!((has_hidden(text, false), has_hidden(text, true)), (key, name), "{text:?}");
        }
    }
}
