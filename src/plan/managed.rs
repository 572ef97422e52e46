//! Checks that only a transaction acting for a directory changes what that directory manages (R16).
//!
//! Every change of a transaction or document passes this check, whichever call made it.

use crate::model::error::{EntityKind, Error, ErrorKind, Result};
use crate::model::records::{Change, GroupId, GroupRecord, Manager, Record, UserRecord};
use crate::resolver::snapshot::state::State;

/// Returns `Ok` if no directory manages the changed entity, or if the transaction acts for the directory that manages it
/// before and after the change. `state` is the state before the change.
pub(super) fn check_managed(state: &State, change: &Change, acts_for: impl Fn(&Manager) -> bool) -> Result<()> {
    let judge = |entity, name: &str, manager: Option<&Manager>| match manager {
        Some(manager) if !acts_for(manager) => {
            Err(Error::new(ErrorKind::Managed).about(entity, name).managed_by(manager.as_str()))
        }
        _ => Ok(()),
    };
    // The caller knows the entity by its name before the change.
    let group = |record: &GroupRecord, name: &str| judge(EntityKind::Group, name, record.managed_by());
    let user = |record: &UserRecord, name: &str| judge(EntityKind::User, name, record.managed_by());
    let end_of = |id: GroupId| {
        let row = state.groups.by_id(id.as_uuid()).and_then(|number| state.groups.row(number));
        row.map_or(Ok(()), |row| group(&row.record, row.record.slug.as_str()))
    };
    // A refused gift: the directory does not manage the entity yet.
    let not_given = |error: Error| error.reason("the transaction does not act for it");
    match (change.before(), change.after()) {
        (Some(Record::Group(before)), Some(Record::Group(after))) => {
            group(before, before.slug.as_str())?;
            group(after, before.slug.as_str()).map_err(not_given)
        }
        (Some(Record::User(before)), Some(Record::User(after))) => {
            user(before, before.key.as_str())?;
            user(after, before.key.as_str()).map_err(not_given)
        }
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
            | Record::Separation(_) => Ok(()),
        },
        (None, None) => Ok(()),
    }
}
