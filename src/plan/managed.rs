//! Checks that only a transaction acting for a directory changes what that directory manages (R16).
//!
//! Every change of a transaction, a document or a rebased plan passes this check, whichever call made it.

use crate::model::error::{EntityKind, Error, ErrorKind, Relation, RelationKind, Result};
use crate::model::records::{Change, GroupId, GroupRecord, Manager, Record, RecordKey, UserRecord};
use crate::resolver::snapshot::entity_rows::{GroupRow, UserRow};
use crate::resolver::snapshot::state::State;

/// The author of the changes, and how it can act for a directory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Author {
    Transaction,
    #[cfg(feature = "json")]
    Document,
    /// A plan that is rebased.
    Plan,
}

impl Author {
    fn reason(self) -> &'static str {
        match self {
            Self::Transaction => "the transaction does not act for it",
            #[cfg(feature = "json")]
            Self::Document => "the document does not act for it",
            Self::Plan => "the plan does not act for it",
        }
    }

    /// The advice about an entity that a directory manages. Only the code that synchronises the directory acts for it, so
    /// it is not what another transaction should do.
    fn advice(self, entity: EntityKind) -> &'static str {
        match (self, entity) {
            (Self::Transaction, EntityKind::Group) => "change it in the directory, or use a local group",
            (Self::Transaction, _) => "change it in the directory",
            _ => self.advice_to_act(),
        }
    }

    /// The advice about an entity that would be given to a directory.
    fn advice_to_act(self) -> &'static str {
        match self {
            Self::Transaction => "use `set_manager` to act for that directory",
            #[cfg(feature = "json")]
            Self::Document => "use `act_for` to act for that directory",
            Self::Plan => "plan again in a transaction that acts for that directory",
        }
    }

    /// The advice about a relation that only the directory may remove.
    fn advice_to_remove(self) -> &'static str {
        if matches!(self, Self::Transaction) { "remove it in the directory" } else { self.advice_to_act() }
    }
}

/// Checks changes that are made together. The entities come first, then the removals: the error names the deleted entity
/// rather than a relation that goes with it or that a merge moves.
pub(super) fn check_all_managed(
    state: &State,
    changes: &[Change],
    author: Author,
    acts_for: impl Fn(&Manager) -> bool,
) -> Result<()> {
    let rank = |change: &Change| match (change.kind().is_relation(), change.after().is_none()) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    };
    let of_rank = |wanted| changes.iter().filter(move |change| rank(change) == wanted);
    // Nearly always the members of one group follow each other, and one look at the group is enough for all of them.
    let mut last_group = None;
    for change in (0..3).flat_map(of_rank) {
        let group = member_of(change);
        if group.is_none() || group != last_group {
            check_among(state, changes, change, author, &acts_for)?;
            last_group = group;
        }
    }
    Ok(())
}

/// The group of a membership.
fn member_of(change: &Change) -> Option<GroupId> {
    match change.before().or(change.after())? {
        Record::Membership(edge) => Some(edge.group),
        Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Grant(_)
        | Record::Inclusion(_)
        | Record::Parent(_)
        | Record::Assignment(_)
        | Record::Separation(_)
        | Record::Assertion(_) => None,
    }
}

/// Checks one of several changes that are made together.
pub(super) fn check_among(
    state: &State,
    changes: &[Change],
    change: &Change,
    author: Author,
    acts_for: impl Fn(&Manager) -> bool,
) -> Result<()> {
    check_managed(state, change, author, acts_for).map_err(|error| {
        match change.before().filter(|_| change.after().is_none()) {
            Some(removed) => deleting(state, changes, removed, author, error),
            None => error,
        }
    })
}

/// Checks that no directory manages the changed entity, or that the author acts for the directory that manages it before
/// and after the change. `state` is the state before the change.
pub(super) fn check_managed(
    state: &State,
    change: &Change,
    author: Author,
    acts_for: impl Fn(&Manager) -> bool,
) -> Result<()> {
    let judge = |entity, name: &str, manager: Option<&Manager>| match manager {
        Some(manager) if !acts_for(manager) => {
            let error = Error::new(ErrorKind::Managed).about(entity, name);
            Err(error.managed_by(manager.as_str()).advise(author.advice(entity)))
        }
        _ => Ok(()),
    };
    // The caller knows the entity by its name before the change.
    let group = |record: &GroupRecord, name: &str| judge(EntityKind::Group, name, record.managed_by());
    let user = |record: &UserRecord, name: &str| judge(EntityKind::User, name, record.managed_by());
    let end_of = |id: GroupId| {
        let row = group_row(state, id);
        row.map_or(Ok(()), |row| group(&row.record, row.record.slug.as_str()))
    };
    let given = |error: Error| error.given_to_manager().reason(author.reason()).advise(author.advice_to_act());
    match (change.before(), change.after()) {
        (Some(Record::Group(before)), Some(Record::Group(after))) => {
            group(before, before.slug.as_str())?;
            group(after, before.slug.as_str()).map_err(given)
        }
        (Some(Record::User(before)), Some(Record::User(after))) => {
            user(before, before.key.as_str())?;
            user(after, before.key.as_str()).map_err(given)
        }
        (None, Some(Record::Group(after))) => group(after, after.slug.as_str()).map_err(given),
        (None, Some(Record::User(after))) => user(after, after.key.as_str()).map_err(given),
        (Some(only), _) | (None, Some(only)) => match only {
            Record::Group(record) => group(record, record.slug.as_str()),
            Record::User(record) => user(record, record.key.as_str()),
            // Members and parent links belong to the group, not to the user or to the parent.
            Record::Membership(edge) => end_of(edge.group),
            Record::Parent(edge) => end_of(edge.group),
            Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Assignment(_)
            | Record::Separation(_)
            | Record::Assertion(_) => Ok(()),
        },
        (None, None) => Ok(()),
    }
}

/// Says that a deletion is the cause, if the user or the parent group of the removed relation is deleted with it. Other
/// errors do not name the members of a group: a caller who may change the list need not know them.
fn deleting(state: &State, changes: &[Change], removed: &Record, author: Author, error: Error) -> Error {
    let deletes = |key: RecordKey| changes.iter().any(|change| change.after().is_none() && change.key() == key);
    match removed {
        Record::Membership(edge) if deletes(RecordKey::User(edge.user)) => {
            let user = state.user_by_id(edge.user.as_uuid()).and_then(|number| state.users.row(number));
            let key = user.map(UserRow::key).map_or("", |key| key.as_str());
            error
                .of_relation(Relation::new(RelationKind::Membership, EntityKind::User, key))
                .advise(author.advice_to_remove())
        }
        Record::Parent(edge) if deletes(RecordKey::Group(edge.parent)) => {
            let slug = |id| group_row(state, id).map_or("", |row| row.record.slug.as_str());
            let relation = Relation::new(RelationKind::Parent, EntityKind::Group, slug(edge.group));
            error.about(EntityKind::Group, slug(edge.parent)).of_relation(relation).advise(author.advice_to_remove())
        }
        Record::Membership(_)
        | Record::Parent(_)
        | Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Grant(_)
        | Record::Inclusion(_)
        | Record::Assignment(_)
        | Record::Separation(_)
        | Record::Assertion(_) => error,
    }
}

fn group_row(state: &State, id: GroupId) -> Option<&GroupRow> {
    state.groups.by_id(id.as_uuid()).and_then(|number| state.groups.row(number))
}
