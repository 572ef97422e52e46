//! Roles assigned to users and to groups: one set of calls, whoever the holder is.

use super::tx::{Tx, window_mismatch};
use crate::model::error::{EntityKind, Error, ErrorKind, Result};
use crate::model::records::{Assignment, Change, Holder, Record, Window};
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::AsRole;

/// Who holds a role, by number.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    User(u32),
    Group(u32),
}

impl Tx {
    pub(super) fn assign_to(&self, by: By, role: &impl AsRole, window: Window) -> Result<()> {
        let role = self.usable_role(role)?;
        match self.assigned(by, role)? {
            None => self.apply(Change::added(self.assignment(by, role, window)?)),
            Some(present) if present == window => Ok(()),
            Some(present) => {
                let name = self.with_role(role, |row| row.record.slug.to_string())?;
                Err(window_mismatch("assignment of", EntityKind::Role, &name, present))
            }
        }
    }

    /// An assignment without a window, whatever was there before.
    pub(super) fn assign_for_good(&self, by: By, role: u32) -> Result<()> {
        let after = self.assignment(by, role, Window::ALWAYS)?;
        match self.assigned(by, role)? {
            None => self.apply(Change::added(after)),
            Some(window) if window.is_always() => Ok(()),
            Some(window) => {
                let before = self.assignment(by, role, window)?;
                Change::new(Some(before), Some(after)).map_or(Ok(()), |change| self.apply(change))
            }
        }
    }

    pub(super) fn reassign_to(&self, by: By, role: &impl AsRole, window: Window) -> Result<()> {
        let number = self.find_role(role)?;
        let Some(present) = self.assigned(by, number)? else {
            let name = self.with_role(number, |row| row.record.slug.to_string())?;
            let holder = if matches!(by, By::User(_)) { "assigned to this user" } else { "assigned to this group" };
            return Err(Error::new(ErrorKind::NotFound).about(EntityKind::Role, name).detail(holder));
        };
        if present == window {
            return Ok(());
        }
        let (before, after) = (self.assignment(by, number, present)?, self.assignment(by, number, window)?);
        Change::new(Some(before), Some(after)).map_or(Ok(()), |change| self.apply(change))
    }

    pub(super) fn unassign_from(&self, by: By, role: u32) -> Result<()> {
        match self.assigned(by, role)? {
            Some(window) => self.apply(Change::removed(self.assignment(by, role, window)?)),
            None => Ok(()),
        }
    }

    /// The window of an assignment, if there is one.
    pub(super) fn assigned(&self, by: By, role: u32) -> Result<Option<Window>> {
        let window = |edges: Edges<'_>| edges.get(role).map(|edge| edge.window);
        match by {
            By::User(user) => self.with_user(user, |row| window(row.roles())),
            By::Group(group) => self.with_group(group, |row| window(row.roles())),
        }
    }

    pub(super) fn assignment(&self, by: By, role: u32, window: Window) -> Result<Record> {
        let holder = match by {
            By::User(user) => Holder::User(self.with_user(user, UserRow::id)?),
            By::Group(group) => Holder::Group(self.with_group(group, GroupRow::id)?),
        };
        Ok(Record::Assignment(Assignment { role: self.with_role(role, RoleRow::reference)?, holder, window }))
    }
}
