//! What a transaction can do to groups.

use std::collections::HashSet;

use super::assignments::By;
use super::cycle::{self, shortened};
use super::tx::{Tx, window_mismatch};
use crate::model::error::{EntityKind, Error, ErrorKind, Result};
use crate::model::records::{
    Assignment, Change, Description, GroupId, GroupRecord, Holder, Membership, Name, Parent, Record, Slug, Window,
};
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow};
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser};

/// A group in a transaction.
#[derive(Clone, Copy, Debug)]
pub struct GroupEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// Creates a group. Its name is its slug until it is given another.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_group(&self, slug: &str) -> Result<GroupEdit<'_>> {
        self.new_group(Slug::new(slug)?, Name::of_slug(slug))
    }

    /// Creates a group with this name, and the slug that is made from it (R10).
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn create_group_with_name(&self, name: &str) -> Result<GroupEdit<'_>> {
        self.new_group(Slug::from_name(name)?, Name::new(name)?)
    }

    /// The group with this slug, which is created if it is not there.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn ensure_group(&self, slug: &str) -> Result<GroupEdit<'_>> {
        if let Ok(number) = self.find_group(&slug) {
            return Ok(GroupEdit::new(self, number));
        }
        self.create_group(slug)
    }

    /// Deletes a group: members lose what it gave, its sub-groups lose that parent (R8).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn delete_group(&self, group: impl AsGroup) -> Result<()> {
        let number = self.find_group(&group)?;
        let row = self.with_group(number, GroupRow::clone)?;
        let id = row.id();
        let mut records = Vec::new();
        for parent in row.parents.iter() {
            records.push(Record::Parent(Parent { group: id, parent: self.with_group(*parent, GroupRow::id)? }));
        }
        for child in row.children.iter() {
            records.push(Record::Parent(Parent { group: self.with_group(*child, GroupRow::id)?, parent: id }));
        }
        for edge in row.roles.iter() {
            let role = self.with_role(edge.to, RoleRow::reference)?;
            records.push(Record::Assignment(Assignment { role, holder: Holder::Group(id), window: edge.window }));
        }
        for back in row.members.iter() {
            let (user, edge) = self.with_user(back.from(), |user| (user.id(), user.groups().get(number)))?;
            let window = edge.map(|edge| edge.window).unwrap_or_default();
            records.push(Record::Membership(Membership { user, group: id, window }));
        }
        records.push(Record::Group(row.record));
        self.remove_all(records)
    }

    fn new_group(&self, slug: Slug, name: Name) -> Result<GroupEdit<'_>> {
        self.free_group(&slug)?;
        let id = GroupId::from_uuid(self.draft().new_id());
        let record = GroupRecord { id, slug, name, description: Description::default() };
        self.apply(Change::added(Record::Group(record)))?;
        self.created(EntityKind::Group, id.as_uuid()).map(|number| GroupEdit::new(self, number))
    }

    fn free_group(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        match draft.next.state.groups.by_name(slug.as_str()) {
            None => Ok(()),
            Some(_) => Err(draft.exists(EntityKind::Group, slug.as_str())),
        }
    }

    /// Makes a user a member of a group, from whichever side it was asked.
    pub(super) fn add_membership(&self, user: u32, group: u32, window: Window) -> Result<()> {
        match self.member_during(user, group)? {
            None => self.apply(Change::added(self.membership(user, group, window)?)),
            Some(present) if present == window => Ok(()),
            Some(present) => {
                let name = self.with_group(group, |row| row.record.slug.to_string())?;
                Err(window_mismatch(EntityKind::Group, &name, present))
            }
        }
    }

    pub(super) fn remove_membership(&self, user: u32, group: u32) -> Result<()> {
        match self.member_during(user, group)? {
            Some(window) => self.apply(Change::removed(self.membership(user, group, window)?)),
            None => Ok(()),
        }
    }

    pub(super) fn set_membership(&self, user: u32, group: u32, window: Window) -> Result<()> {
        let Some(present) = self.member_during(user, group)? else {
            let key = self.with_user(user, |row| row.key().to_string())?;
            let slug = self.with_group(group, |row| row.record.slug.clone())?;
            return Err(Error::new(ErrorKind::NotFound)
                .about(EntityKind::User, key)
                .detail(format!("in the group `{slug}`")));
        };
        if present == window {
            return Ok(());
        }
        let (before, after) = (self.membership(user, group, present)?, self.membership(user, group, window)?);
        Change::new(Some(before), Some(after)).map_or(Ok(()), |change| self.apply(change))
    }

    /// A membership during this window, whatever was there before.
    pub(super) fn ensure_membership(&self, user: u32, group: u32, window: Window) -> Result<()> {
        match self.member_during(user, group)? {
            None => self.add_membership(user, group, window),
            Some(_) => self.set_membership(user, group, window),
        }
    }

    /// The window of a membership, if there is one.
    fn member_during(&self, user: u32, group: u32) -> Result<Option<Window>> {
        self.with_group(group, GroupRow::id)?;
        self.with_user(user, |row| row.groups().get(group).map(|edge| edge.window))
    }

    fn membership(&self, user: u32, group: u32, window: Window) -> Result<Record> {
        let user = self.with_user(user, super::super::snapshot::entity_rows::UserRow::id)?;
        Ok(Record::Membership(Membership { user, group: self.with_group(group, GroupRow::id)?, window }))
    }
}

impl<'a> GroupEdit<'a> {
    pub(super) fn new(tx: &'a Tx, number: u32) -> Self {
        Self { tx, number }
    }

    /// Its id.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it was deleted in this transaction.
    pub fn id(&self) -> Result<GroupId> {
        self.tx.with_group(self.number, GroupRow::id)
    }

    /// Gives it another slug.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub fn set_slug(&self, slug: &str) -> Result<&Self> {
        let slug = Slug::new(slug)?;
        if self.tx.with_group(self.number, |row| row.record.slug != slug)? {
            self.tx.free_group(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Gives it a display name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_name(&self, name: &str) -> Result<&Self> {
        let name = Name::new(name)?;
        self.change(|record| record.name = name)
    }

    /// Says what it is for.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_description(&self, description: &str) -> Result<&Self> {
        let description = Description::new(description)?;
        self.change(|record| record.description = description)
    }

    /// Adds a member for good.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is a member
    /// for a time (R3).
    pub fn add_member(&self, user: impl AsUser) -> Result<&Self> {
        self.add_member_during(user, Window::ALWAYS)
    }

    /// Adds a member for a time.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if the user is a member
    /// for another time, or for good (R3).
    pub fn add_member_during(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.add_membership(user, self.number, window)?;
        Ok(self)
    }

    /// Makes the user a member during this window, whatever it was before: added, or its window changed.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn ensure_member(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.ensure_membership(user, self.number, window)?;
        Ok(self)
    }

    /// Changes when a membership counts.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the user is no member.
    pub fn set_member_window(&self, user: impl AsUser, window: Window) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.tx.set_membership(user, self.number, window)?;
        Ok(self)
    }

    /// Removes a member, who loses what came through this group unless it also comes another way (R2).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such user; none if it is no member.
    pub fn remove_member(&self, user: impl AsUser) -> Result<&Self> {
        let user = self.tx.find_user(&user)?;
        self.id()?;
        self.tx.remove_membership(user, self.number)?;
        Ok(self)
    }

    /// Assigns a role to the group: all its members have it.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is assigned for a
    /// time (R3).
    pub fn assign(&self, role: impl AsRole) -> Result<&Self> {
        self.assign_during(role, Window::ALWAYS)
    }

    /// Assigns a role to the group for a time.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if it is assigned for
    /// another time, or for good (R3).
    pub fn assign_during(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.assign_to(By::Group(self.number), &role, window)?;
        Ok(self)
    }

    /// Changes when an assignment counts.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), also if the role is not assigned to the group.
    pub fn set_assignment_window(&self, role: impl AsRole, window: Window) -> Result<&Self> {
        self.tx.reassign_to(By::Group(self.number), &role, window)?;
        Ok(self)
    }

    /// Takes a role from the group.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such role; none if it is not assigned.
    pub fn unassign(&self, role: impl AsRole) -> Result<&Self> {
        let role = self.tx.find_role(&role)?;
        self.tx.unassign_from(By::Group(self.number), role)?;
        Ok(self)
    }

    /// Assigns exactly these roles to the group, for good. One that is assigned for a time is assigned for good, and one
    /// that somebody else has assigned is taken away.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); then nothing is changed.
    pub fn set_roles<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<&Self> {
        let wanted: Vec<u32> = roles.into_iter().map(|role| self.tx.usable_role(&role)).collect::<Result<_>>()?;
        let by = By::Group(self.number);
        let keep: HashSet<u32> = wanted.iter().copied().collect();
        let present: Vec<_> = self.tx.with_group(self.number, |row| row.roles.iter().copied().collect())?;
        // What is refused is refused here, before anything is taken away.
        wanted.iter().try_for_each(|role| self.tx.assign_for_good(by, *role))?;
        for edge in present.into_iter().filter(|edge| !keep.contains(&edge.to)) {
            self.tx.unassign_from(by, edge.to)?;
        }
        Ok(self)
    }

    /// Makes the group a part of a wider one: its members count as members of that one, too.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Cycle`](crate::ErrorKind::Cycle).
    pub fn add_parent(&self, parent: impl AsGroup) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        self.set_parent(parent, true)
    }

    /// Makes the group no part of the wider one any more.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such group; none if it is no parent.
    pub fn remove_parent(&self, parent: impl AsGroup) -> Result<&Self> {
        let parent = self.tx.find_group(&parent)?;
        self.set_parent(parent, false)
    }

    /// Makes the group a part of exactly these.
    ///
    /// # Errors
    /// Those of [`GroupEdit::add_parent`]; then nothing is changed.
    pub fn set_parents<G: AsGroup>(&self, parents: impl IntoIterator<Item = G>) -> Result<&Self> {
        let wanted: Vec<u32> = parents.into_iter().map(|parent| self.tx.find_group(&parent)).collect::<Result<_>>()?;
        let keep: HashSet<u32> = wanted.iter().copied().collect();
        let present: Vec<u32> = self.tx.with_group(self.number, |row| row.parents.iter().copied().collect())?;
        // A cycle goes through what is wanted and back, never through this group's own parents: so each can be judged
        // before any is changed.
        wanted.iter().try_for_each(|parent| self.acyclic(*parent))?;
        wanted.iter().try_for_each(|parent| self.set_parent(*parent, true).map(drop))?;
        for parent in present.into_iter().filter(|parent| !keep.contains(parent)) {
            self.set_parent(parent, false)?;
        }
        Ok(self)
    }

    fn set_parent(&self, parent: u32, wanted: bool) -> Result<&Self> {
        let (group, has) =
            self.tx.with_group(self.number, |row| (row.id(), row.parents.contains(|n| n.cmp(&parent))))?;
        if wanted == has {
            return Ok(self);
        }
        if wanted {
            self.acyclic(parent)?;
        }
        let record = Record::Parent(Parent { group, parent: self.tx.with_group(parent, GroupRow::id)? });
        self.tx.apply(if wanted { Change::added(record) } else { Change::removed(record) })?;
        Ok(self)
    }

    fn acyclic(&self, parent: u32) -> Result<()> {
        let draft = self.tx.draft();
        let groups = &draft.next.state.groups;
        let up = |n| groups.row(n).into_iter().flat_map(|row| row.parents.iter().copied());
        let down = |n| groups.row(n).into_iter().flat_map(|row| row.children.iter().copied());
        let Some(path) = cycle::path(parent, self.number, up, down) else { return Ok(()) };
        let names = [self.number].into_iter().chain(path).map(|n| groups.name_at(n).to_owned()).collect();
        Err(Error::new(ErrorKind::Cycle)
            .about(EntityKind::Group, groups.name_at(self.number))
            .details_of(shortened(names)))
    }

    fn change(&self, change: impl FnOnce(&mut GroupRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.groups, Record::Group, change)?;
        Ok(self)
    }
}
