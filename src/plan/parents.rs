//! Transaction calls for the parents of a group: links with windows (R3) and without cycles (R7).

use super::groups::GroupEdit;
use super::lists::ListChanges;
use super::relations::{NumberedRelation, PresentEnd, Windows, Wish};
use super::tx::Tx;
use crate::model::error::Result;
use crate::model::records::{Slug, Timestamp, Window};
use crate::resolver::snapshot::names::AsGroup;

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
    /// [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a parent with a window that has not ended (R3);
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    pub fn add_parent(&self, parent: impl AsGroup) -> Result<&Self> {
        self.add_parent_during(parent, Window::ALWAYS)
    }

    /// Adds a parent group for a time: a team joins a project for a quarter, for example.
    ///
    /// Cycles are forbidden regardless of windows (R7).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle).
    /// [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is a parent with another window that has not ended
    /// (R3). [`Invalid`](crate::ErrorKind::Invalid) if the window has ended. [`Managed`](crate::ErrorKind::Managed) if
    /// a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let quarter = Window::between(Timestamp::from_secs(4_000_000_000)?, Timestamp::from_secs(4_007_776_000)?)?;
    /// acme.update(|tx| {
    ///     tx.create_group("apollo")?;
    ///     tx.create_group("backend")?.add_parent_during("apollo", quarter)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, quarter);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn add_parent_during(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish(&parent, Wish::Add(window))
    }

    /// Makes sure that another group is a parent during this window: adds the link, or makes its window longer. It never
    /// makes a window shorter, so a parent without a window stays one.
    ///
    /// A link that has ended gets this window. If there is a gap between the two windows, one window cannot contain both:
    /// then it is an error.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle).
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended and the link would have to change.
    /// [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between the two windows.
    /// [`Managed`](crate::ErrorKind::Managed) if a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let until = Window::until(Timestamp::from_secs(4_000_000_000)?);
    /// acme.update(|tx| {
    ///     tx.create_group("apollo")?;
    ///     tx.create_group("backend")?.ensure_parent("apollo", until)?.ensure_parent("apollo", Window::ALWAYS)?;
    ///     tx.group("backend")?.ensure_parent("apollo", until)?.done()
    /// })?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, Window::ALWAYS);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn ensure_parent(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish(&parent, Wish::Ensure(window))
    }

    /// Makes a parent link end at `until` or later. A link that ends later, or never, stays as it is. One that has
    /// ended is active again.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the other group is not a parent of this one.
    /// [`Invalid`](crate::ErrorKind::Invalid) if the link would end in the past. [`Managed`](crate::ErrorKind::Managed)
    /// if a directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let [june, july] = [Timestamp::from_secs(4_000_000_000)?, Timestamp::from_secs(4_002_592_000)?];
    /// acme.update(|tx| {
    ///     tx.create_group("apollo")?;
    ///     let backend = tx.create_group("backend")?;
    ///     backend.add_parent_during("apollo", Window::until(june))?.extend_parent("apollo", july)?.done()
    /// })?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, Window::until(july));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn extend_parent(&self, parent: impl AsGroup, until: Timestamp) -> Result<&Self> {
        self.wish(&parent, Wish::Extend(until))
    }

    /// Changes the window of a parent link to exactly this one, which may be shorter.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also when the other group is not a parent of this one.
    /// [`Invalid`](crate::ErrorKind::Invalid) if the window has ended. [`Managed`](crate::ErrorKind::Managed) if a
    /// directory manages this group (R16).
    ///
    /// # Example
    /// ```
    /// # use rolecall::{Timestamp, Window, blocking::Authorizer};
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("apollo")?;
    /// #     tx.create_group("backend")?.add_parent("apollo")?.done()
    /// # })?;
    /// let until = Window::until(Timestamp::from_secs(4_007_776_000)?);
    /// acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", until)?.done())?;
    /// assert_eq!(acme.now().parents_of("backend")[0].window, until);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn set_parent_window(&self, parent: impl AsGroup, window: Window) -> Result<&Self> {
        self.wish(&parent, Wish::Set(window))
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
        self.tx.remove(self.link(parent))?;
        Ok(self)
    }

    /// Gives the group exactly these parents, and returns which links it added and removed. A parent that stays keeps its
    /// window, unless it has ended; a new one has none.
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
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle),
    /// [`Managed`](crate::ErrorKind::Managed). Then nothing is changed.
    pub fn set_parents<G: AsGroup>(&self, parents: impl IntoIterator<Item = G>) -> Result<ListChanges<Slug>> {
        let wanted = parents.into_iter().map(|parent| self.tx.find_group(&parent)).collect::<Result<_>>()?;
        let present = self.tx.with_group(self.number, |row| row.parents().iter().map(PresentEnd::from).collect())?;
        self.tx.set_relations(present, wanted, Windows::Keep, |parent| self.link(parent), Tx::groups_changed)
    }

    fn link(&self, parent: u32) -> NumberedRelation {
        NumberedRelation::Parent { group: self.number, parent }
    }

    fn wish(&self, parent: &impl AsGroup, wish: Wish) -> Result<&Self> {
        let parent = self.tx.find_group(parent)?;
        self.tx.wish(self.link(parent), wish, "use `set_parent_window` to change it")?;
        Ok(self)
    }
}
