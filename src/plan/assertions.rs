//! Transaction calls for the assertions that a tenant carries (R17).

use std::collections::BTreeSet;

use super::tx::Tx;
use crate::model::error::{EntityKind, Error, ErrorKind, Quoted, Result};
use crate::model::records::{
    AssertionId, AssertionRecord, Change, Description, Expectation, GroupId, PermissionRef, Record, RoleRef, Slug,
    UserId,
};
use crate::resolver::assertions::Assertion;
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{AssertionRow, GroupRow, PermissionRow, RoleRow, UserRow};
use crate::resolver::snapshot::table::Row as _;

/// An assertion in a transaction. Its calls can be chained.
///
/// ```
/// use rolecall::assertions::Assertion;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("billing:pay")?;
///     tx.create_group("finance")?;
///     tx.create_assertion("payments", &Assertion::only("billing:pay").with_groups(["finance"]))?
///         .set_description("Only the finance department pays.")?
///         .set_binding(true)?
///         .done()
/// })?;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AssertionEdit<'a> {
    tx: &'a Tx,
    number: u32,
}

impl Tx {
    /// Creates an assertion, which the tenant carries from then on (R17). It is not binding before
    /// [`set_binding`](AssertionEdit::set_binding).
    ///
    /// It refers to users, groups, roles and the permission by id, so a later rename does not change its meaning. None
    /// of them can be deleted while the assertion names it.
    ///
    /// ```
    /// use rolecall::{ErrorKind, assertions::Assertion};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("billing:pay")?;
    ///     tx.create_role("payer")?.grant("billing:pay")?;
    ///     tx.create_group("finance")?.assign("payer")?;
    ///     tx.create_user("bob")?;
    ///     tx.create_assertion("payments", &Assertion::only("billing:pay").with_groups(["finance"]))?.set_binding(true)?.done()
    /// })?;
    /// acme.update(|tx| tx.user("bob")?.join("finance")?.done())?;
    /// let error = acme.update(|tx| tx.user("bob")?.assign("payer")?.leave("finance")?.done()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::AssertionFailed);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) (the slug, no user or group where one is needed, or fewer than two roles),
    /// [`AlreadyExists`](ErrorKind::AlreadyExists), [`NotFound`](ErrorKind::NotFound) (an entity that it names),
    /// [`CatalogConflict`](ErrorKind::CatalogConflict).
    ///
    /// # Complexity
    /// O(entities that it names).
    pub fn create_assertion(&self, slug: &str, expected: &Assertion) -> Result<AssertionEdit<'_>> {
        let slug = Slug::new(slug)?;
        self.check_assertion_slug(&slug)?;
        let expected = self.expectation(expected, &slug)?;
        let id = AssertionId::from_uuid(self.draft().new_id());
        let record = AssertionRecord { id, slug, description: Description::default(), binding: false, expected };
        self.apply(Change::added(Record::Assertion(record)))?;
        self.created(EntityKind::Assertion, id.as_uuid()).map(|number| AssertionEdit { tx: self, number })
    }

    /// Finds an assertion by its slug.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("tenants:drop")?;
    /// #     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.done()
    /// # })?;
    /// acme.update(|tx| tx.assertion("nobody-drops")?.set_binding(true)?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub fn assertion(&self, slug: &str) -> Result<AssertionEdit<'_>> {
        self.find_assertion(slug).map(|number| AssertionEdit { tx: self, number })
    }

    /// Deletes an assertion. The users, groups, roles and permission that it names stay.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("tenants:drop")?;
    /// #     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.done()
    /// # })?;
    /// acme.update(|tx| tx.delete_assertion("nobody-drops"))?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub fn delete_assertion(&self, slug: &str) -> Result<()> {
        let number = self.find_assertion(slug)?;
        let record = self.with_assertion(number, |row| row.record.clone())?;
        self.apply(Change::removed(Record::Assertion(record)))
    }

    /// Checks that no assertion names an entity that is to be deleted (R8).
    pub(super) fn check_not_asserted(&self, entity: Asserted) -> Result<()> {
        let draft = self.draft();
        let state = &draft.next.state;
        let rows = state.assertions.sorted().filter_map(|number| state.assertions.row(number));
        let Some(assertion) = rows.filter(|row| row.names(entity)).map(AssertionRow::name).next() else {
            return Ok(());
        };
        let (kind, name) = match entity {
            Asserted::Permission(number) => (EntityKind::Permission, state.permissions.name_at(number)),
            Asserted::Role(number) => (EntityKind::Role, state.roles.name_at(number)),
            Asserted::Group(number) => (EntityKind::Group, state.groups.name_at(number)),
            Asserted::User(number) => (EntityKind::User, state.users.name_at(number)),
        };
        let reason = format!("{kind} {} cannot be deleted: assertion {} names it", Quoted(name), Quoted(assertion));
        let error = Error::new(ErrorKind::Rejected).about(kind, name).reason(reason);
        Err(error.advise(match entity {
            Asserted::Permission(_) => "change the assertion first, or delete it",
            Asserted::Role(_) => "take the role out of the assertion first, or delete the assertion",
            Asserted::Group(_) => "take the group out of the assertion first, or delete the assertion",
            Asserted::User(_) => "take the user out of the assertion first, or delete the assertion",
        }))
    }

    fn find_assertion(&self, slug: &str) -> Result<u32> {
        let draft = self.draft();
        let found = draft.next.state.assertions.by_name(slug);
        found.ok_or_else(|| draft.not_found(EntityKind::Assertion, slug.into()))
    }

    fn with_assertion<T>(&self, number: u32, look: impl FnOnce(&AssertionRow) -> T) -> Result<T> {
        let draft = self.draft();
        draft.next.state.assertions.row(number).map(look).ok_or_else(|| super::tx::deleted(EntityKind::Assertion))
    }

    fn check_assertion_slug(&self, slug: &Slug) -> Result<()> {
        let draft = self.draft();
        match draft.next.state.assertions.by_name(slug.as_str()) {
            Some(_) => Err(draft.exists(EntityKind::Assertion, slug.as_str())),
            None => Ok(()),
        }
    }

    /// Returns what an assertion expects, with ids in place of names: each once, in their order.
    fn expectation(&self, expected: &Assertion, slug: &Slug) -> Result<Expectation> {
        let invalid = |what, found: usize, expected: &str| {
            Error::invalid(what, &found.to_string(), expected).about(EntityKind::Assertion, slug.as_str())
        };
        let (permission, users, groups, roles) = expected.names();
        let Some(permission) = permission else {
            let roles = self.asserted_roles(roles)?;
            return match roles.len() {
                0 | 1 => Err(invalid("number of roles", roles.len(), "at least 2 roles")),
                _ => Ok(Expectation::Separate { roles }),
            };
        };
        let number = self.find_permission(&permission)?;
        let permission: PermissionRef = self.with_permission(number, PermissionRow::reference)?;
        let user = |key: &String| self.with_user(self.find_user(key)?, UserRow::id);
        let group = |slug: &String| self.with_group(self.find_group(slug)?, GroupRow::id);
        let users: Vec<UserId> = users.iter().map(user).collect::<Result<BTreeSet<_>>>()?.into_iter().collect();
        let groups: Vec<GroupId> = groups.iter().map(group).collect::<Result<BTreeSet<_>>>()?.into_iter().collect();
        let is_empty = users.is_empty() && groups.is_empty();
        match expected {
            Assertion::Allowed { .. } | Assertion::Denied { .. } if is_empty => {
                Err(invalid("number of users and groups", 0, "a user or a group"))
            }
            Assertion::Allowed { .. } => Ok(Expectation::Allowed { permission, users, groups }),
            Assertion::Denied { .. } => Ok(Expectation::Denied { permission, users, groups }),
            Assertion::Only { .. } | Assertion::Separate { .. } => Ok(Expectation::Only { permission, users, groups }),
        }
    }

    fn asserted_roles(&self, roles: &[String]) -> Result<Vec<RoleRef>> {
        let find = |role: &String| self.with_role(self.find_role(role)?, RoleRow::reference);
        let mut roles = roles.iter().map(find).collect::<Result<Vec<RoleRef>>>()?;
        roles.sort_by_key(RoleRef::id);
        roles.dedup_by_key(|role| role.id());
        Ok(roles)
    }
}

/// Returns the expectation with the references to the catalog as they are stored, where they stay.
pub(crate) fn as_stored(expected: Expectation, stored: &Expectation) -> Expectation {
    let permission = |permission: PermissionRef| match stored.permission() {
        Some(stored) if stored.id() == permission.id() => stored.clone(),
        _ => permission,
    };
    match expected {
        Expectation::Allowed { permission: p, users, groups } => {
            Expectation::Allowed { permission: permission(p), users, groups }
        }
        Expectation::Denied { permission: p, users, groups } => {
            Expectation::Denied { permission: permission(p), users, groups }
        }
        Expectation::Only { permission: p, users, groups } => {
            Expectation::Only { permission: permission(p), users, groups }
        }
        Expectation::Separate { roles } => {
            let of = |role: RoleRef| stored.roles().iter().find(|r| r.id() == role.id()).cloned().unwrap_or(role);
            Expectation::Separate { roles: roles.into_iter().map(of).collect() }
        }
    }
}

impl AssertionEdit<'_> {
    /// Returns the id of the assertion.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let id = acme.update(|tx| {
    ///     tx.create_permission("tenants:drop")?;
    ///     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.id()
    /// })?.value;
    /// assert_eq!(acme.now().assertion("nobody-drops").map(|assertion| assertion.id), Some(id));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the assertion was deleted in this transaction.
    pub fn id(&self) -> Result<AssertionId> {
        self.tx.with_assertion(self.number, |row| row.record.id)
    }

    /// Changes the slug.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("tenants:drop")?;
    /// #     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.done()
    /// # })?;
    /// acme.update(|tx| tx.assertion("nobody-drops")?.set_slug("no-drops")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), [`AlreadyExists`](ErrorKind::AlreadyExists).
    pub fn set_slug(&self, slug: &str) -> Result<&Self> {
        let slug = Slug::new(slug)?;
        if self.tx.with_assertion(self.number, |row| row.record.slug != slug)? {
            self.tx.check_assertion_slug(&slug)?;
        }
        self.change(|record| record.slug = slug)
    }

    /// Changes the description.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("tenants:drop")?;
    /// #     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.done()
    /// # })?;
    /// acme.update(|tx| tx.assertion("nobody-drops")?.set_description("The operators do that.")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid).
    pub fn set_description(&self, description: &str) -> Result<&Self> {
        let description = Description::new(description)?;
        self.change(|record| record.description = description)
    }

    /// Makes the assertion binding, or not. A commit after which a binding assertion fails is refused.
    ///
    /// ```
    /// use rolecall::{ErrorKind, assertions::Assertion};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_user("alice")?;
    ///     tx.create_assertion("alice-writes", &Assertion::allowed("posts:write").with_users(["alice"]))?.done()
    /// })?;
    /// let error = acme.update(|tx| tx.assertion("alice-writes")?.set_binding(true)?.done()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::AssertionFailed, "she may not do it now");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the assertion was deleted in this transaction. The update returns
    /// [`AssertionFailed`](ErrorKind::AssertionFailed) if the assertion fails after it.
    ///
    /// # Complexity
    /// When the update is planned: that of [`assertion_violations`](crate::Moment::assertion_violations) for this
    /// assertion.
    pub fn set_binding(&self, binding: bool) -> Result<&Self> {
        self.change(|record| record.binding = binding)
    }

    /// Changes the expectation.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("tenants:drop")?;
    /// #     tx.create_user("root")?;
    /// #     tx.create_assertion("drops", &Assertion::only("tenants:drop"))?.done()
    /// # })?;
    /// acme.update(|tx| tx.assertion("drops")?.set_expected(&Assertion::only("tenants:drop").with_users(["root"]))?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`create_assertion`](Tx::create_assertion) about the entities that it names.
    pub fn set_expected(&self, expected: &Assertion) -> Result<&Self> {
        let record = self.tx.with_assertion(self.number, |row| row.record.clone())?;
        let expected = self.tx.expectation(expected, &record.slug)?;
        // A reference that stays is kept as it is stored.
        let expected = as_stored(expected, &record.expected);
        self.change(|record| record.expected = expected)
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # use rolecall::assertions::Assertion;
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("tenants:drop")?;
    ///     tx.create_assertion("nobody-drops", &Assertion::only("tenants:drop"))?.done()
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut AssertionRecord)) -> Result<&Self> {
        self.tx.change(self.number, |state| &state.assertions, Record::Assertion, change)?;
        Ok(self)
    }
}
