//! Transaction calls for the parents of a group: links with windows (R3) and without cycles (R7).

use std::collections::HashSet;

use super::groups::GroupEdit;
use super::tx::{RelationTo, Tx, window_mismatch};
use crate::model::error::{EntityKind, Error, Relation, RelationKind, Result};
use crate::model::graph;
use crate::model::records::{Change, Parent, Record, Window};
use crate::resolver::snapshot::entity_rows::GroupRow;
use crate::resolver::snapshot::names::AsGroup;

impl Tx {
    /// Returns the window of a parent link, or `None` if it does not exist.
    pub(super) fn parent_window(&self, group: u32, parent: u32) -> Result<Option<Window>> {
        self.with_group(group, |row| row.parents().get(parent).map(|edge| edge.window))
    }

    pub(super) fn parent_link(&self, group: u32, parent: u32, window: Window) -> Result<Record> {
        let (group, parent) = (self.with_group(group, GroupRow::id)?, self.with_group(parent, GroupRow::id)?);
        Ok(Record::Parent(Parent { group, parent, window }))
    }
}

impl GroupEdit<'_> {
    /// Adds a parent group without a window: all members of this group are inherited members of the parent.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().parents_of("engineering").len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle);
    /// [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a parent with a window already (R3);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    pub fn add_parent(&self, parent: impl AsGroup) -> Result<&Self> {
        self.add_parent_during(parent, Window::ALWAYS)
    }

    /// Adds a parent group for a time: a team joins a project for a quarter, for example.
    ///
    /// Cycles are forbidden regardless of windows (R7).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle);
    /// [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a parent with another window, or without one (R3);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let quarter = Window::between(Timestamp::from_secs(1_798_761_600)?, Timestamp::from_secs(1_806_537_600)?)?;
    /// acme.update(|tx| {
    ///     tx.create_group("apollo")?;
    ///     tx.create_group("backend")?.add_parent_during("apollo", quarter)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, quarter);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn add_parent_during(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        match self.tx.parent_window(self.number, parent)? {
            None => self.link(parent, window)?,
            Some(present) if present == window => {}
            Some(present) => {
                let error = window_mismatch(self.link_to(parent)?, present, window);
                return Err(error.advise("use `set_parent_window` to change it"));
            }
        }
        Ok(self)
    }

    /// Makes another group a parent with this window: adds the link, or changes its window.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let until = Window::until(Timestamp::from_secs(1_806_537_600)?);
    /// acme.update(|tx| {
    ///     tx.create_group("apollo")?;
    ///     tx.create_group("backend")?.add_parent("apollo")?.ensure_parent("apollo", until)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, until);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn ensure_parent(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        match self.tx.parent_window(self.number, parent)? {
            None => self.link(parent, window)?,
            Some(present) => self.relink(parent, present, window)?,
        }
        Ok(self)
    }

    /// Changes the window of a parent link.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the other group is not a parent of this one;
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("apollo")?;
    /// #     tx.create_group("backend")?.add_parent("apollo").map(drop)
    /// # })?;
    /// let until = Window::until(Timestamp::from_secs(1_806_537_600)?);
    /// acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", until).map(drop))?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, until);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn set_parent_window(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        let Some(present) = self.tx.parent_window(self.number, parent)? else {
            return Err(self.tx.no_relation(self.link_to(parent)?));
        };
        self.relink(parent, present, window)?;
        Ok(self)
    }

    /// Removes a parent group. Does nothing if the group is not a parent.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?.remove_parent("staff")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the group does not exist; [`Managed`](crate::ErrorKind::Managed)
    /// if a directory manages this group (R16).
    pub fn remove_parent(&self, parent: impl AsGroup) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        self.unlink(parent)?;
        Ok(self)
    }

    /// Gives the group exactly these parents. A parent that stays keeps its window; a new one has none.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     for group in ["staff", "apollo"] {
    ///         tx.create_group(group)?;
    ///     }
    ///     tx.create_group("engineering")?.set_parents(["staff", "apollo"])?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().parents_of("engineering").len(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle), [`Managed`](crate::ErrorKind::Managed). Then nothing is
    /// changed.
    pub fn set_parents<G: AsGroup>(&self, parents: impl IntoIterator<Item = G>) -> Result<&Self> {
        let wanted: Vec<u32> = parents.into_iter().map(|parent| self.tx.find_group(&parent)).collect::<Result<_>>()?;
        let keep: HashSet<u32> = wanted.iter().copied().collect();
        let present: Vec<u32> =
            self.tx.with_group(self.number, |row| row.parents().iter().map(|edge| edge.to).collect())?;
        // A cycle leads through a new parent back to this group, never through its current parents. So every new parent can
        // be checked before anything changes.
        wanted.iter().try_for_each(|parent| self.acyclic(*parent))?;
        for parent in wanted {
            if self.tx.parent_window(self.number, parent)?.is_none() {
                self.link(parent, Window::ALWAYS)?;
            }
        }
        present.into_iter().filter(|parent| !keep.contains(parent)).try_for_each(|parent| self.unlink(parent))?;
        Ok(self)
    }

    /// Adds a parent link.
    fn link(&self, parent: u32, window: Window) -> Result<()> {
        self.acyclic(parent)?;
        self.tx.apply(Change::added(self.tx.parent_link(self.number, parent, window)?))
    }

    /// Changes the window of an existing parent link.
    fn relink(&self, parent: u32, present: Window, window: Window) -> Result<()> {
        if present == window {
            return Ok(());
        }
        let link = |window| self.tx.parent_link(self.number, parent, window);
        self.tx.replace(link(present)?, link(window)?)
    }

    /// Removes a parent link, if it exists.
    fn unlink(&self, parent: u32) -> Result<()> {
        match self.tx.parent_window(self.number, parent)? {
            Some(window) => self.tx.apply(Change::removed(self.tx.parent_link(self.number, parent, window)?)),
            None => Ok(()),
        }
    }

    fn acyclic(&self, parent: u32) -> Result<()> {
        let mut draft = self.tx.draft();
        let path = draft.watch(|draft| {
            let state = &draft.next.state;
            graph::path(parent, self.number, |n| state.parents(n), |n| state.subgroups(n))
        })?;
        let Some(path) = path else { return Ok(()) };
        let groups = &draft.next.state.groups;
        let names = [self.number].into_iter().chain(path).map(|n| groups.name_at(n).to_owned()).collect();
        Err(Error::cycle_of(EntityKind::Group, groups.name_at(self.number), names))
    }

    /// Returns the link to a parent, for an error.
    fn link_to(&self, parent: u32) -> Result<RelationTo> {
        let group = self.tx.with_group(self.number, |row| row.record.slug.to_string())?;
        let name = self.tx.with_group(parent, |row| row.record.slug.to_string())?;
        let relation = Relation::new(RelationKind::Parent, EntityKind::Group, group);
        Ok(RelationTo { entity: EntityKind::Group, name, relation })
    }
}
