//! Assignments of roles, with one implementation for users and groups.

use super::tx::{RelationTo, Tx, window_mismatch};
use crate::model::error::{EntityKind, Relation, RelationKind, Result};
use crate::model::records::{Assignment, Change, Holder, Record, Window};
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::AsRole;

/// The holder of a role, by number.
#[derive(Clone, Copy, Debug)]
pub(super) enum HolderNumber {
    User(u32),
    Group(u32),
}

impl Tx {
    pub(super) fn assign_to(&self, holder: HolderNumber, role: &impl AsRole, window: Window) -> Result<()> {
        let role = self.usable_role(role)?;
        match self.assigned(holder, role)? {
            None => self.apply(Change::added(self.assignment(holder, role, window)?)),
            Some(present) if present == window => Ok(()),
            Some(present) => {
                let error = window_mismatch(self.assignment_to(holder, role)?, present, window);
                Err(error.advise("use `set_assignment_window` to change it"))
            }
        }
    }

    /// Assigns a role without a window: adds the assignment, or removes its window.
    pub(super) fn assign_without_window(&self, holder: HolderNumber, role: u32) -> Result<()> {
        let after = self.assignment(holder, role, Window::ALWAYS)?;
        match self.assigned(holder, role)? {
            None => self.apply(Change::added(after)),
            Some(window) if window.is_always() => Ok(()),
            Some(window) => {
                let before = self.assignment(holder, role, window)?;
                self.replace(before, after)
            }
        }
    }

    pub(super) fn set_assignment(&self, holder: HolderNumber, role: &impl AsRole, window: Window) -> Result<()> {
        let number = self.find_role(role)?;
        let Some(present) = self.assigned(holder, number)? else {
            return Err(self.no_relation(self.assignment_to(holder, number)?));
        };
        if present == window {
            return Ok(());
        }
        let (before, after) = (self.assignment(holder, number, present)?, self.assignment(holder, number, window)?);
        self.replace(before, after)
    }

    /// Returns the assignment of a role to a holder, for an error.
    fn assignment_to(&self, holder: HolderNumber, role: u32) -> Result<RelationTo> {
        let name = self.with_role(role, |row| row.record.slug.to_string())?;
        let (entity, holder) = match holder {
            HolderNumber::User(user) => (EntityKind::User, self.with_user(user, |row| row.key().to_string())?),
            HolderNumber::Group(group) => {
                (EntityKind::Group, self.with_group(group, |row| row.record.slug.to_string())?)
            }
        };
        let relation = Relation::new(RelationKind::Assignment, entity, holder);
        Ok(RelationTo { entity: EntityKind::Role, name, relation })
    }

    pub(super) fn unassign_from(&self, holder: HolderNumber, role: u32) -> Result<()> {
        match self.assigned(holder, role)? {
            Some(window) => self.apply(Change::removed(self.assignment(holder, role, window)?)),
            None => Ok(()),
        }
    }

    /// Returns the window of an assignment, or `None` if it does not exist.
    pub(super) fn assigned(&self, holder: HolderNumber, role: u32) -> Result<Option<Window>> {
        let window = |edges: Edges<'_>| edges.get(role).map(|edge| edge.window);
        match holder {
            HolderNumber::User(user) => self.with_user(user, |row| window(row.roles())),
            HolderNumber::Group(group) => self.with_group(group, |row| window(row.roles())),
        }
    }

    pub(super) fn assignment(&self, holder: HolderNumber, role: u32, window: Window) -> Result<Record> {
        let holder = match holder {
            HolderNumber::User(user) => Holder::User(self.with_user(user, UserRow::id)?),
            HolderNumber::Group(group) => Holder::Group(self.with_group(group, GroupRow::id)?),
        };
        Ok(Record::Assignment(Assignment { role: self.with_role(role, RoleRow::reference)?, holder, window }))
    }
}
