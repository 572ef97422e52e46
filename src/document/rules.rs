//! From a document to records: every rule that a document can break, and every mistake at once.
//!
//! First the nouns: each entry's texts and id, then what has left the catalog. Then the references, one kind of edge
//! after the other, in the order of kinds; then cycles. Where there is any mistake, there are no records.
//!
//! Deliberately absent: the store, and what the records would change (`replace.rs`).

mod relations;
mod entities;

use super::ids::{Ground, Ids, Named};
use super::mistakes::{Mistakes, Place};
use super::shape::{Group, Permission, Role, User, Whole};
use super::targets::{Shared, Targets};
use super::values::RemovedKind;
use super::written::Entry;
use crate::model::error::{MistakeCode, Result, shown};
use crate::model::internal_fault::watch;
use crate::model::records::{Change, GroupId, PermissionRef, Record, RoleRef, Slug, UserId};

/// A document on its way to records.
struct Reading<'a> {
    whole: &'a Whole,
    ground: Ground<'a>,
    mistakes: Mistakes,
    records: Made,
    permissions: Targets<'a, PermissionRef>,
    roles: Targets<'a, RoleRef>,
    groups: Targets<'a, GroupId>,
    users: Targets<'a, UserId>,
}

/// The records that were made so far, each as what is added: a tenant is born of that, and millions need not be moved.
struct Made(Vec<Change>);

impl Made {
    fn push(&mut self, record: Record) {
        self.0.push(Change::added(record));
    }

    fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        self.0.extend(records.into_iter().map(Change::added));
    }
}

/// The records of a document, each as it is added, in the order of kinds.
///
/// # Complexity
/// O(the document), and for each of the first hundred mistakes a search for similar names.
pub(super) fn additions(whole: &Whole, ground: Ground<'_>) -> Result<Vec<Change>> {
    watch(|| judged(whole, ground))?
}

fn judged(whole: &Whole, ground: Ground<'_>) -> Result<Vec<Change>> {
    let mut reading = Reading::new(whole, ground);
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
    reading.mistakes.finish()?;
    Ok(reading.records.0)
}

impl<'a> Reading<'a> {
    fn new(whole: &'a Whole, ground: Ground<'a>) -> Self {
        let (mut ids, mut mistakes) = (Ids::new(ground), Mistakes::default());
        let permissions = ids.of(&whole.permissions, |state| &state.permissions, &mut mistakes);
        let roles = ids.of(&whole.roles, |state| &state.roles, &mut mistakes);
        let groups = ids.of(&whole.groups, |state| &state.groups, &mut mistakes);
        let users = ids.of(&whole.users, |state| &state.users, &mut mistakes);
        let (group_ids, user_ids) =
            (groups.into_iter().map(GroupId::from_uuid), users.into_iter().map(UserId::from_uuid));
        let mut reading = Self {
            whole,
            ground,
            mistakes,
            records: Made(Vec::with_capacity(most_records(whole))),
            permissions: Targets::with_catalog(ground.catalog, names(&whole.permissions), &permissions),
            roles: Targets::with_catalog(ground.catalog, names(&whole.roles), &roles),
            groups: Targets::own(Group::ENTITY, names(&whole.groups), group_ids.collect()),
            users: Targets::own(User::ENTITY, names(&whole.users), user_ids.collect()),
        };
        reading.removed_from_catalog(&mut ids);
        reading
    }

    fn removed_from_catalog(&mut self, ids: &mut Ids<'a>) {
        for (at, entry) in self.whole.removed_from_catalog.iter().enumerate() {
            let place = Place::entry("removed_from_catalog", at);
            let slug = self.mistakes.judge(place.field("slug"), Slug::new(&entry.slug));
            let entity = match entry.kind {
                RemovedKind::Permission => Permission::ENTITY,
                RemovedKind::Role => Role::ENTITY,
            };
            let id = ids.removed_from_catalog(&entry.id, entity, place.field("id"), &mut self.mistakes);
            let (Some(slug), Some(id)) = (slug, id) else { continue };
            // What is remembered already goes on being remembered as it was.
            let added = match entry.kind {
                RemovedKind::Permission => {
                    let last = self.ground.present.and_then(|state| PermissionRef::last_slug(state, id));
                    self.permissions.add_removed(&entry.slug, id, last.unwrap_or(slug))
                }
                RemovedKind::Role => {
                    let last = self.ground.present.and_then(|state| RoleRef::last_slug(state, id));
                    self.roles.add_removed(&entry.slug, id, last.unwrap_or(slug))
                }
            };
            if !added {
                self.mistakes.add(place.field("slug"), MistakeCode::SlugTaken, || {
                    format!("slug `{}` belongs to another {entity} of the document or the catalog", shown(&entry.slug))
                });
            }
        }
    }
}

/// As many as a document without mistakes has.
fn most_records(whole: &Whole) -> usize {
    let Whole { permissions, roles, groups, users, .. } = whole;
    let of_roles = roles.iter().map(|role| 1 + role.permissions.len() + role.includes.len());
    let of_groups = groups.iter().map(|group| 1 + group.parents.len() + group.roles.len() + group.members.len());
    let of_users = users.iter().map(|user| 1 + user.roles.len());
    1 + permissions.len() + of_roles.chain(of_groups).chain(of_users).sum::<usize>()
}

fn names<T: Named>(entries: &[Entry<T>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name()).collect()
}
