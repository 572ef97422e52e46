//! Checks the assertions of a document.

use smol_str::SmolStr;

use super::RecordBuilder;
use super::entities::{described, once};
use crate::document::ids::Named;
use crate::document::mistakes::{JsonPointer, Mistakes};
use crate::document::shape::{Assertion, Expect};
use crate::document::targets::Targets;
use crate::model::error::MistakeCode;
use crate::model::records::{AssertionId, AssertionRecord, Expectation, Record, RoleRef, Slug};
use crate::plan::as_stored;
use crate::resolver::snapshot::state::State;

impl RecordBuilder<'_> {
    pub(super) fn assertions(&mut self) {
        let Self { data, context, mistakes, records, permissions, roles, groups, users, assertions, .. } = self;
        for (at, entry) in data.assertions.iter().enumerate() {
            let place = JsonPointer::entry(Assertion::LIST, at);
            let slug = mistakes.check(place.field("slug"), Slug::new(&entry.slug));
            let description = described(entry.description.as_deref(), place, mistakes);
            once(assertions, entry, at, mistakes);
            let (has_permission, principals) = (entry.permission.is_some(), [entry.users.len(), entry.groups.len()]);
            // A role that is listed twice is a mistake below.
            let listed = 0..entry.roles.len();
            if let Some((field, message)) = entry.expect.mistake(has_permission, principals, listed) {
                mistakes.add(place.field(field), MistakeCode::Shape, || message);
                continue;
            }
            permissions.begin();
            let permission = entry.permission.as_ref();
            let permission = permission.map(|slug| permissions.take(slug, place.field("permission"), mistakes));
            let users = own(users, &entry.users, place, "users", mistakes);
            let groups = own(groups, &entry.groups, place, "groups", mistakes);
            roles.begin();
            let targets = entry.roles.iter().enumerate();
            let targets = targets.filter_map(|(n, role)| roles.take(role, place.part("roles", n), mistakes));
            let mut roles: Vec<RoleRef> = targets.map(|(_, role)| role).collect();
            roles.sort_by_key(RoleRef::id);
            let (Some(slug), Some(description), Some(id)) = (slug, description, assertions.own_at(at)) else {
                continue;
            };
            // An unknown name is a mistake already.
            if roles.len() < entry.roles.len() {
                continue;
            }
            let expected = match (entry.expect, permission) {
                (Expect::Separate, _) => Expectation::Separate { roles },
                (Expect::Allowed, Some(Some((_, permission)))) => Expectation::Allowed { permission, users, groups },
                (Expect::Denied, Some(Some((_, permission)))) => Expectation::Denied { permission, users, groups },
                (Expect::Only, Some(Some((_, permission)))) => Expectation::Only { permission, users, groups },
                (_, Some(None) | None) => continue,
            };
            let stored = context.present.and_then(|state| stored(state, *id));
            let expected = match stored {
                Some(stored) => as_stored(expected, stored),
                None => expected,
            };
            let record = AssertionRecord { id: *id, slug, description, binding: entry.binding, expected };
            records.push(Record::Assertion(record));
        }
    }
}

/// Resolves a list of names of the document's own entries, and returns their ids in order.
fn own<R: Copy + Ord>(
    targets: &mut Targets<'_, R>,
    list: &[SmolStr],
    place: JsonPointer,
    field: &'static str,
    mistakes: &mut Mistakes,
) -> Vec<R> {
    targets.begin();
    let found = list.iter().enumerate();
    let found = found.filter_map(|(n, name)| targets.take_own(name, place.part(field, n), mistakes));
    let mut ids: Vec<R> = found.map(|(_, id)| id).collect();
    ids.sort_unstable();
    ids
}

/// References that stay are kept as they are stored: the catalog may have given an entry another slug since.
fn stored(state: &State, id: AssertionId) -> Option<&Expectation> {
    let number = state.assertions.by_id(id.as_uuid())?;
    state.assertions.row(number).map(|row| &row.record.expected)
}
