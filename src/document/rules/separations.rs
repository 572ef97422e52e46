//! Checks the separations of duties of a document.

use super::RecordBuilder;
use super::entities::{described, once};
use crate::document::ids::Named;
use crate::document::mistakes::JsonPointer;
use crate::document::shape::Separation;
use crate::model::error::MistakeCode;
use crate::model::records::{Record, RoleRef, SeparationId, SeparationRecord, Slug};
use crate::resolver::separations::checked_number;
use crate::resolver::snapshot::state::State;

impl RecordBuilder<'_> {
    pub(super) fn separations(&mut self) {
        let Self { data, context, mistakes, records, roles, separations, .. } = self;
        for (at, entry) in data.separations.iter().enumerate() {
            let place = JsonPointer::entry(Separation::LIST, at);
            let slug = mistakes.check(place.field("slug"), Slug::new(&entry.slug));
            let description = described(entry.description.as_deref(), place, mistakes);
            once(separations, entry, at, mistakes);
            roles.begin();
            let targets = entry.roles.iter().enumerate();
            let mut named: Vec<RoleRef> = targets
                .filter_map(|(n, role)| roles.take(role, place.part("roles", n), mistakes))
                .map(|(_, role)| role)
                .collect();
            let (Some(slug), Some(description), Some(id)) = (slug, description, separations.own_at(at)) else {
                continue;
            };
            // An unknown role is a mistake already.
            if named.len() < entry.roles.len() {
                continue;
            }
            named.sort_by_key(RoleRef::id);
            match checked_number(entry.at_most, named.len()) {
                Ok(at_most) => {
                    let roles = context.present.map_or_else(|| named.clone(), |state| as_stored(state, *id, &named));
                    let record = SeparationRecord { id: *id, slug, description, at_most, roles };
                    records.push(Record::Separation(record));
                }
                Err(expected) => mistakes.add(place.field("at_most"), MistakeCode::Invalid, || {
                    format!("invalid number of roles `{}`: expected {expected}", entry.at_most)
                }),
            }
        }
    }
}

/// References that stay are kept as they are stored: the catalog may have given the role another slug since.
fn as_stored(state: &State, id: SeparationId, roles: &[RoleRef]) -> Vec<RoleRef> {
    let row = state.separations.by_id(id.as_uuid()).and_then(|number| state.separations.row(number));
    let stored = |role: &RoleRef| row.and_then(|row| row.record.roles.iter().find(|stored| stored.id() == role.id()));
    roles.iter().map(|role| stored(role).unwrap_or(role).clone()).collect()
}
