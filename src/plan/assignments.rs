//! Roles assigned to users and to groups: one set of calls, whoever the holder is.

use super::tx::{Tx, window_mismatch};
use crate::model::error::{EntityKind, Error, Result, shown};
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
                let (slug, relation) = self.assignment_text(by, role)?;
                let error = window_mismatch(EntityKind::Role, slug, relation, present, window);
                Err(error.advice("use `set_assignment_window` to change it"))
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
                self.replace(before, after)
            }
        }
    }

    pub(super) fn reassign_to(&self, by: By, role: &impl AsRole, window: Window) -> Result<()> {
        let number = self.find_role(role)?;
        let Some(present) = self.assigned(by, number)? else {
            let (slug, relation) = self.assignment_text(by, number)?;
            return Err(Error::not_found(EntityKind::Role, slug).relation(relation));
        };
        if present == window {
            return Ok(());
        }
        let (before, after) = (self.assignment(by, number, present)?, self.assignment(by, number, window)?);
        self.replace(before, after)
    }

    /// The slug of the role, and the assignment as a message names it.
    fn assignment_text(&self, by: By, role: u32) -> Result<(String, String)> {
        let slug = self.with_role(role, |row| row.record.slug.to_string())?;
        let holder = match by {
            By::User(user) => self.with_user(user, |row| shown(row.key().as_str()))?,
            By::Group(group) => self.with_group(group, |row| shown(row.record.slug.as_str()))?,
        };
        let relation = format!("assignment of `{}` to `{holder}`", shown(&slug));
        Ok((slug, relation))
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
