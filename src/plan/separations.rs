//! Transaction calls for separations of duties (R14).

use std::num::NonZeroU32;

use super::lists::ListChanges;
use super::relations::without;
use super::tx::Tx;
use crate::model::error::{EntityKind, Error, ErrorKind, Quoted, Result};
use crate::model::records::{Change, Description, Record, RoleId, RoleRef, SeparationId, SeparationRecord, Slug};
use crate::resolver::separations::checked_number;
use crate::resolver::snapshot::entity_rows::{RoleRow, SeparationRow};
use crate::resolver::snapshot::names::AsRole;
use crate::resolver::snapshot::table::Row as _;

/// A separation of duties in a transaction. Its calls can be chained.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     for role in ["clerk", "approver", "auditor"] { tx.create_role(role)?; }
///     tx.create_separation("payments", 1, ["clerk", "approver"])?
///         .set_description("Whoever enters a payment does not approve it.")?
///         .done()
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SeparationEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// Creates a separation of duties: a user may hold at most `at_most` of these roles, at any instant, directly or
    /// through groups and inclusions (R14). A suspended user holds its roles, too.
    ///
    /// The standard for role-based access control, INCITS 359, calls this static separation of duty. The plan is
    /// refused if a user holds more of the roles already.
    ///
    /// ```
    /// use rolecall::ErrorKind;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_role("clerk")?;
    ///     tx.create_role("approver")?;
    ///     tx.create_user("alice")?.assign("clerk")?;
    ///     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// })?;
    /// let error = acme.update(|tx| tx.user("alice")?.assign("approver")?.done()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::SeparationOfDuties);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) (the slug, or a number that is not from 1 to one less than the roles),
    /// [`AlreadyExists`](ErrorKind::AlreadyExists), [`NotFound`](ErrorKind::NotFound) (a role),
    /// [`CatalogConflict`](ErrorKind::CatalogConflict). The update returns
    /// [`SeparationOfDuties`](ErrorKind::SeparationOfDuties) if a user holds too many of the roles after it.
    ///
    /// # Complexity
    /// O(users of the roles), when the update is planned.
    pub fn create_separation<R: AsRole>(
        &self,
        slug: &str,
        at_most: u32,
        roles: impl IntoIterator<Item = R>,
    ) -> Result<SeparationEdit<'_>> {
        let slug = Slug::new(slug)?;
        self.check_separation_slug(&slug)?;
        let roles = self.separated_roles(&self.separated_numbers(roles)?)?;
        let at_most = checked(at_most, &roles, &slug)?;
        let id = SeparationId::from_uuid(self.draft().new_id());
        let record = SeparationRecord { id, slug, description: Description::default(), at_most, roles };
        self.apply(Change::added(Record::Separation(record)))?;
        self.created(EntityKind::Separation, id.as_uuid()).map(|number| SeparationEdit { tx: self, number })
    }

    /// Finds a separation of duties by its slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver", "auditor"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// # })?;
    /// acme.update(|tx| tx.separation("payments")?.set_roles(["clerk", "approver", "auditor"]))?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub fn separation(&self, slug: &str) -> Result<SeparationEdit<'_>> {
        self.find_separation(slug).map(|number| SeparationEdit { tx: self, number })
    }

    /// Deletes a separation of duties. Its roles stay.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// # })?;
    /// acme.update(|tx| tx.delete_separation("payments"))?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub fn delete_separation(&self, slug: &str) -> Result<()> {
        let number = self.find_separation(slug)?;
        let record = self.with_separation(number, |row| row.record.clone())?;
        self.apply(Change::removed(Record::Separation(record)))
    }

    /// Checks that no separation names a role that is to be deleted (R8).
    pub(super) fn check_not_separated(&self, role: u32) -> Result<()> {
        let draft = self.draft();
        let state = &draft.next.state;
        let rows = state.separations.sorted().filter_map(|number| state.separations.row(number));
        let naming = rows.filter(|row| row.roles.binary_search(&role).is_ok()).map(SeparationRow::name).next();
        let Some(separation) = naming else { return Ok(()) };
        let slug = state.roles.name_at(role);
        let reason = format!("role {} cannot be deleted: separation {} names it", Quoted(slug), Quoted(separation));
        let error = Error::new(ErrorKind::Rejected).about(EntityKind::Role, slug).reason(reason);
        Err(error.advise("take the role out of the separation first, or delete the separation"))
    }

    fn find_separation(&self, slug: &str) -> Result<u32> {
        let draft = self.draft();
        let found = draft.next.state.separations.by_name(slug);
        found.ok_or_else(|| draft.not_found(EntityKind::Separation, slug.into()))
    }

    fn with_separation<T>(&self, number: u32, look: impl FnOnce(&SeparationRow) -> T) -> Result<T> {
        let draft = self.draft();
        draft.next.state.separations.row(number).map(look).ok_or_else(|| super::tx::deleted(EntityKind::Separation))
    }

    fn check_separation_slug(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        match draft.next.state.separations.by_name(slug.as_str()) {
            Some(_) => Err(draft.exists(EntityKind::Separation, slug.as_str())),
            None => Ok(()),
        }
    }

    /// The numbers of these roles, each once, ascending.
    fn separated_numbers<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<Vec<u32>> {
        let mut numbers = roles.into_iter().map(|role| self.find_role(&role)).collect::<Result<Vec<u32>>>()?;
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// The references of these roles, in the order of their ids.
    fn separated_roles(&self, numbers: &[u32]) -> Result<Vec<RoleRef>> {
        let references = numbers.iter().map(|number| self.with_role(*number, RoleRow::reference));
        let mut roles = references.collect::<Result<Vec<RoleRef>>>()?;
        roles.sort_by_key(RoleRef::id);
        Ok(roles)
    }
}

fn checked(at_most: u32, roles: &[RoleRef], slug: &Slug) -> Result<NonZeroU32> {
    checked_number(at_most, roles.len()).map_err(|expected| {
        Error::invalid("number of roles", &at_most.to_string(), expected).about(EntityKind::Separation, slug.as_str())
    })
}

impl SeparationEdit<'_> {
    /// Returns the id of the separation.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let id = acme.update(|tx| {
    ///     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    ///     tx.create_separation("payments", 1, ["clerk", "approver"])?.id()
    /// })?.value;
    /// assert_eq!(acme.now().separation("payments").map(|separation| separation.id), Some(id));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the separation was deleted in this transaction.
    pub fn id(&self) -> Result<SeparationId> {
        self.tx.with_separation(self.number, |row| row.record.id)
    }

    /// Changes the slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// # })?;
    /// acme.update(|tx| tx.separation("payments")?.set_slug("four-eyes")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), [`AlreadyExists`](ErrorKind::AlreadyExists).
    pub fn set_slug(&self, slug: &str) -> Result<&Self> {
        let slug = Slug::new(slug)?;
        if self.tx.with_separation(self.number, |row| row.record.slug != slug)? {
            self.tx.check_separation_slug(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Changes the description.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// # })?;
    /// acme.update(|tx| tx.separation("payments")?.set_description("Four eyes.")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid).
    pub fn set_description(&self, description: &str) -> Result<&Self> {
        let description = Description::new(description)?;
        self.change(|record| record.description = description)
    }

    /// Changes how many of the roles one user may hold at most.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver", "auditor"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 2, ["clerk", "approver", "auditor"])?.done()
    /// # })?;
    /// acme.update(|tx| tx.separation("payments")?.set_at_most(1)?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the number is not from 1 to one less than the roles.
    pub fn set_at_most(&self, at_most: u32) -> Result<&Self> {
        let record = self.tx.with_separation(self.number, |row| row.record.clone())?;
        let at_most = checked(at_most, &record.roles, &record.slug)?;
        self.change(|record| record.at_most = at_most)
    }

    /// Makes the separation name exactly these roles, and returns which were added and removed.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for role in ["clerk", "approver", "auditor"] { tx.create_role(role)?; }
    /// #     tx.create_separation("payments", 1, ["clerk", "approver", "auditor"])?.done()
    /// # })?;
    /// let changes = acme.update(|tx| {
    ///     let changes = tx.separation("payments")?.set_roles(["clerk", "approver"])?;
    ///     tx.delete_role("auditor")?;
    ///     Ok(changes)
    /// })?.value;
    /// assert_eq!((changes.added.len(), changes.removed[0].as_str()), (0, "auditor"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), [`CatalogConflict`](ErrorKind::CatalogConflict),
    /// [`Invalid`](ErrorKind::Invalid) if there are not more roles than one user may hold. Then nothing is changed.
    pub fn set_roles<R: AsRole>(&self, roles: impl IntoIterator<Item = R>) -> Result<ListChanges<Slug>> {
        let (record, present) = self.tx.with_separation(self.number, |row| (row.record.clone(), row.roles.clone()))?;
        let stored: std::collections::HashMap<RoleId, &RoleRef> = record.roles.iter().map(|r| (r.id(), r)).collect();
        let wanted = self.tx.separated_numbers(roles)?;
        let roles = self.tx.separated_roles(&wanted)?;
        checked(record.at_most.get(), &roles, &record.slug)?;
        // A reference that stays is kept as it is stored.
        let roles = roles.into_iter().map(|role| stored.get(&role.id()).map_or(role, |stored| (*stored).clone()));
        let roles: Vec<RoleRef> = roles.collect();
        let (added, removed): (Vec<u32>, Vec<u32>) =
            (without(&wanted, &present).collect(), without(&present, &wanted).collect());
        let listed = self.tx.roles_changed(&added, &removed)?;
        self.change(|record| record.roles = roles)?;
        Ok(listed)
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     for role in ["clerk", "approver"] { tx.create_role(role)?; }
    ///     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut SeparationRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.separations, Record::Separation, change)?;
        Ok(self)
    }
}
