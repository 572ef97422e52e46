//! Checks a document and builds its records, or reports every mistake at once.
//!
//! The order is: the texts and ids of entities, entries removed from the catalog, then each kind of relation, with its
//! cycles. A document with any mistake yields no records.
//!
//! Deliberately absent: the store, and the comparison with existing records (`difference.rs`).

mod separations;
mod assertions;
mod relations;
mod entities;

use uuid::Uuid;

use super::difference::Difference;
use super::entry::Entry;
use super::ids::{Ids, ImportContext, Named};
use super::mistakes::{JsonPointer, Mistakes};
use super::shape::{Assertion, DocumentData, Group, Permission, Role, Separation, User};
use super::targets::{CatalogRef, Targets};
use super::values::RemovedKind;
use crate::model::error::{MistakeCode, Quoted, Result};
use crate::model::internal_fault::watch;
use crate::model::records::{AssertionId, Change, GroupId, PermissionRef, Record, RoleRef, SeparationId, Slug, UserId};

/// Builds the records of a document.
struct RecordBuilder<'a> {
    data: &'a DocumentData,
    context: ImportContext<'a>,
    mistakes: Mistakes,
    records: Output<'a>,
    permissions: Targets<'a, PermissionRef>,
    roles: Targets<'a, RoleRef>,
    groups: Targets<'a, GroupId>,
    users: Targets<'a, UserId>,
    separations: Targets<'a, SeparationId>,
    assertions: Targets<'a, AssertionId>,
    /// For a replacement, the number in the tenant of each group and user of the document.
    group_numbers: Vec<Option<u32>>,
    user_numbers: Vec<Option<u32>>,
}

/// The use of the records that are built.
enum Output<'a> {
    /// An import adds all of them, in the order of kinds. A creation takes changes, so millions of records are never
    /// copied.
    Additions(Vec<Change>),
    /// A replacement compares each with those of the tenant.
    Difference(Box<Difference<'a>>),
}

impl Output<'_> {
    fn push(&mut self, record: Record) {
        match self {
            Self::Additions(changes) => changes.push(Change::added(record)),
            Self::Difference(difference) => difference.push(record),
        }
    }

    fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        records.into_iter().for_each(|record| self.push(record));
    }
}

/// Returns the changes that a document makes. For an import, these are the additions in the order of kinds. For a
/// replacement, they are the difference from the present tenant, by key.
///
/// # Complexity
/// O(the document and the present tenant), and O(n log n) for n changes. For each of the first hundred mistakes, also a
/// search for similar names.
pub(super) fn changes(data: &DocumentData, context: ImportContext<'_>) -> Result<Vec<Change>> {
    watch(|| build(data, context))?
}

fn build(data: &DocumentData, context: ImportContext<'_>) -> Result<Vec<Change>> {
    let mut reading = RecordBuilder::new(data, context);
    reading.tenant();
    reading.permissions();
    reading.roles();
    reading.groups();
    reading.users();
    reading.grants();
    reading.inclusions();
    reading.parents();
    reading.assignments();
    reading.memberships();
    reading.separations();
    reading.assertions();
    reading.mistakes.finish()?;
    Ok(match reading.records {
        Output::Additions(changes) => changes,
        Output::Difference(difference) => difference.finish(),
    })
}

impl<'a> RecordBuilder<'a> {
    fn new(data: &'a DocumentData, context: ImportContext<'a>) -> Self {
        let (mut ids, mut mistakes) = (Ids::new(context), Mistakes::default());
        let permissions = ids.of(&data.permissions, |state| &state.permissions, &mut mistakes);
        let roles = ids.of(&data.roles, |state| &state.roles, &mut mistakes);
        let groups = ids.of(&data.groups, |state| &state.groups, &mut mistakes);
        let users = ids.of(&data.users, |state| &state.users, &mut mistakes);
        let separations = ids.of(&data.separations, |state| &state.separations, &mut mistakes);
        let number = |id: &Uuid, entity| context.present.and_then(|state| state.number_of(entity, *id));
        let numbers = |ids: &[Uuid], entity| match context.present {
            Some(_) => ids.iter().map(|id| number(id, entity)).collect(),
            None => Vec::new(),
        };
        let (group_numbers, user_numbers) = (numbers(&groups, Group::ENTITY), numbers(&users, User::ENTITY));
        let separations = separations.into_iter().map(SeparationId::from_uuid).collect();
        let assertions = ids.of(&data.assertions, |state| &state.assertions, &mut mistakes);
        let assertions = assertions.into_iter().map(AssertionId::from_uuid).collect();
        let (group_ids, user_ids) =
            (groups.into_iter().map(GroupId::from_uuid), users.into_iter().map(UserId::from_uuid));
        let mut reading = Self {
            data,
            context,
            mistakes,
            records: match context.present {
                Some(state) => Output::Difference(Box::new(Difference::new(state))),
                None => Output::Additions(Vec::with_capacity(most_records(data))),
            },
            permissions: Targets::with_catalog(context.catalog, names(&data.permissions), &permissions),
            roles: Targets::with_catalog(context.catalog, names(&data.roles), &roles),
            groups: Targets::own(Group::ENTITY, names(&data.groups), group_ids.collect()),
            users: Targets::own(User::ENTITY, names(&data.users), user_ids.collect()),
            separations: Targets::own(Separation::ENTITY, names(&data.separations), separations),
            assertions: Targets::own(Assertion::ENTITY, names(&data.assertions), assertions),
            group_numbers,
            user_numbers,
        };
        reading.removed_from_catalog(&mut ids);
        reading
    }

    fn removed_from_catalog(&mut self, ids: &mut Ids<'a>) {
        for (at, entry) in self.data.removed_from_catalog.iter().enumerate() {
            let place = JsonPointer::entry("removed_from_catalog", at);
            let slug = self.mistakes.check(place.field("slug"), Slug::new(&entry.slug));
            let entity = match entry.kind {
                RemovedKind::Permission => Permission::ENTITY,
                RemovedKind::Role => Role::ENTITY,
            };
            let id = ids.removed_from_catalog(&entry.id, entity, at, &mut self.mistakes);
            let (Some(slug), Some(id)) = (slug, id) else { continue };
            // An entry that the tenant already refers to keeps its stored slug.
            let added = match entry.kind {
                RemovedKind::Permission => {
                    let last = self.context.present.and_then(|state| PermissionRef::last_slug(state, id));
                    self.permissions.add_removed(&entry.slug, id, last.unwrap_or(slug))
                }
                RemovedKind::Role => {
                    let last = self.context.present.and_then(|state| RoleRef::last_slug(state, id));
                    self.roles.add_removed(&entry.slug, id, last.unwrap_or(slug))
                }
            };
            if !added {
                self.mistakes.add(place.field("slug"), MistakeCode::SlugTaken, || {
                    format!("slug {} belongs to another {entity} of the document or the catalog", Quoted(&entry.slug))
                });
            }
        }
    }
}

/// Returns the number of records of a document without mistakes.
fn most_records(data: &DocumentData) -> usize {
    let DocumentData { permissions, roles, groups, users, separations, assertions, .. } = data;
    let of_roles = roles.iter().map(|role| 1 + role.permissions.len() + role.includes.len());
    let of_groups = groups.iter().map(|group| 1 + group.parents.len() + group.roles.len() + group.members.len());
    let of_users = users.iter().map(|user| 1 + user.roles.len());
    let others = permissions.len() + separations.len() + assertions.len();
    1 + others + of_roles.chain(of_groups).chain(of_users).sum::<usize>()
}

fn names<T: Named>(entries: &[Entry<T>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name()).collect()
}
