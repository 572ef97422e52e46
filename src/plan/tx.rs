//! The transaction that the closure of an update receives.

use std::cell::{RefCell, RefMut};
use std::fmt;

use smallvec::SmallVec;

use super::Plan;
use super::draft::Draft;
use super::guard::Guard;
use crate::model::error::{Asked, EntityKind, Error, ErrorKind, Quoted, Result};
use crate::model::records::{Actor, Change, ExternalId, Manager, Note, Record, Timestamp};
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::edge::FAR_END;
use crate::resolver::snapshot::entity_rows::{GroupRow, PermissionRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsPermission, AsRole, AsUser};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{AT_A_TIME, Row, Table};

/// A transaction in progress, which the closure of an update receives.
///
/// Each call is validated at once, against the snapshot that the transaction began with and the calls before
/// it. A call that returns an error changes nothing, and the transaction continues: if the closure ignores the
/// error, the rest is committed.
///
/// Calls that create or find an entity return an *edit* of it. Calls on edits can be chained, and several edits
/// can be open at once. An edit cannot leave the closure: end the closure with `Ok(())`, or a single chain with
/// `.done()`. Doing what is already done is not an error; naming what does not exist is.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.set_actor("ops@acme.com")?.set_note("the first team")?;
///     tx.create_permission("posts:write")?.set_name("Write posts")?;
///     tx.create_role("editor")?.grant("posts:*")?;
///     let engineering = tx.create_group("engineering")?;
///     for key in ["alice", "bob"] {
///         tx.create_user(key)?;
///         engineering.add_member(key)?;
///     }
///     engineering.assign("editor")?;
///     Ok(())
/// })?;
/// assert!(acme.check("bob", "posts:write"));
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Errors
/// Each call lists its own. A call that names a role or a permission by its slug returns
/// [`CatalogConflict`](crate::ErrorKind::CatalogConflict) if the slug belongs to the tenant and to the catalog (R9).
///
/// # Consistency
/// Nobody sees a change before the closure has returned and the commit has succeeded. If another writer commits
/// first, the closure runs again on the newer state, so keep it free of side effects.
pub struct Tx {
    draft: RefCell<Draft>,
}

impl Tx {
    /// Runs a closure on a draft, and returns its result with the plan.
    pub(crate) fn run<T, E: From<Error>>(draft: Draft, f: impl FnOnce(&Self) -> Result<T, E>) -> Result<(T, Plan), E> {
        let tx = Self::new(draft);
        let value = f(&tx)?;
        Ok((value, tx.finish()?))
    }

    fn new(draft: Draft) -> Self {
        Self { draft: RefCell::new(draft) }
    }

    fn finish(self) -> Result<Plan> {
        self.draft.into_inner().finish()
    }

    /// INVARIANT: no borrow outlives the call that took it, and no call runs code of the caller while it holds a borrow.
    pub(super) fn draft(&self) -> RefMut<'_, Draft> {
        self.draft.borrow_mut()
    }

    /// Returns the instant of the transaction by the tenant's clock. The commit carries it.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     let started = tx.instant();
    ///     tx.create_user("temp")?.suspend()?;
    ///     assert_eq!(tx.instant(), started);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn instant(&self) -> Timestamp {
        self.draft().instant()
    }

    /// Returns a snapshot of the state so far: the base of the transaction with its changes.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     assert!(tx.preview().at(tx.instant()).user("alice").is_some());
    ///     assert!(tx.base().at(tx.instant()).user("alice").is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Each call plans everything that the transaction has done so far.
    pub fn preview(&self) -> Snapshot {
        self.draft().preview()
    }

    /// Returns the snapshot that the transaction began with.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_user("alice")?;
    ///     assert!(tx.base().at(tx.instant()).user("alice").is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn base(&self) -> Snapshot {
        Snapshot(std::sync::Arc::clone(self.draft().base()))
    }

    /// Records the actor of the change in the application's words, for the history.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_actor("ops@acme.com")?.create_user("alice")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_actor(&self, actor: &str) -> Result<&Self> {
        self.draft().actor = Some(Actor::new(actor)?);
        Ok(self)
    }

    /// Records why the change is made, for the history.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_note("onboarding")?.create_user("alice")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_note(&self, note: &str) -> Result<&Self> {
        self.draft().note = Some(Note::new(note)?);
        Ok(self)
    }

    /// Acts for a directory from here on: the transaction may change the users and groups that this directory manages, and
    /// hand over others to it (R16). Another call replaces the directory.
    ///
    /// This does not protect against the application's own code, which may name any directory. It prevents local edits that
    /// the next synchronisation would silently undo.
    ///
    /// # Example
    /// ```
    /// use rolecall::{ErrorKind, blocking::Authorizer};
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice@acme.com")?.set_managed_by(Some("okta"))?;
    ///     Ok(())
    /// })?;
    /// let error = acme.update(|tx| tx.delete_user("alice@acme.com")).unwrap_err();
    /// assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")));
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.delete_user("alice@acme.com")
    /// })?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn set_manager(&self, manager: &str) -> Result<&Self> {
        self.draft().act_for(Manager::new(manager)?);
        Ok(self)
    }

    /// Guards the transaction. It then gives nobody a right that this user lacks (R13).
    ///
    /// The transaction is judged as a whole, when the closure has returned: the state before it against the state after it.
    /// So it does not matter where in the closure the call is, nor in which order the changes are made. A plan that is
    /// [rebased](crate::Tenant::rebase) is judged again.
    ///
    /// The actor is a user of the state that the transaction began with. A suspended or deleted user holds nothing, and neither
    /// does a name that nobody has. If the call is repeated, each of the actors must hold what is given.
    ///
    /// A guarded transaction loosens no [separation of duties](Tx::create_separation) (R14) and no binding
    /// [assertion](Tx::create_assertion) (R17), whatever its actor holds.
    ///
    /// The guard does not decide whether the actor may create groups or change their members. Ask that with [`Tenant::check`]
    /// first; [the cookbook](crate::docs::cookbook) has a recipe. It does not name the actor in the history either: that is
    /// [`Tx::set_actor`].
    ///
    /// [`Tenant::check`]: crate::Tenant::check
    ///
    /// # Example
    /// ```
    /// use rolecall::{ErrorKind, blocking::Authorizer};
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_permission("billing:pay")?;
    ///     tx.create_role("editor")?.grant("posts:*")?;
    ///     tx.create_role("accountant")?.grant("billing:pay")?;
    ///     tx.create_user("alice")?.assign("editor")?;
    ///     tx.create_user("bob")?.done()
    /// })?;
    /// acme.update(|tx| tx.set_guard("alice").user("bob")?.assign("editor")?.done())?;
    ///
    /// let error = acme.update(|tx| tx.set_guard("alice").user("bob")?.assign("accountant")?.done()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Escalation);
    /// assert_eq!(error.missing_rights()[0].right, "billing:pay");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None here. The update, or the plan, fails with [`Escalation`](crate::ErrorKind::Escalation), which lists each missing right
    /// and the change that would give it.
    ///
    /// # Complexity
    /// The groups and roles of the actor, and those above what the changes lead to, once each, with their relations and
    /// grants. Of users, only the actor and those that change are read. A transaction that only takes away costs nothing more,
    /// and neither does one without a guard.
    pub fn set_guard(&self, actor: impl AsUser) -> &Self {
        let base = std::sync::Arc::clone(self.draft().base());
        let guard = Guard::new(&base, actor.user(base.scope()), || actor.user_text());
        self.draft().guards.push(guard);
        self
    }

    /// Ends a chain of calls, so that the closure of an update can return its result.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.set_tenant_name("Acme Corporation")?.done())?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// None: every call before it has returned its own.
    pub fn done(&self) -> Result<()> {
        Ok(())
    }

    /// Checks that an entity may get an external id: it is managed, and no other entity of its kind and directory has the
    /// id (I12).
    pub(super) fn check_external_id<R: Row>(
        &self,
        number: u32,
        id: Option<&ExternalId>,
        manager: Option<&Manager>,
        table: fn(&State) -> &Table<R>,
    ) -> Result<()> {
        let Some(id) = id else { return Ok(()) };
        let Some(manager) = manager else {
            let name = table(&self.draft().next.state).name_at(number).to_owned();
            let expected = format!("a {} that a directory manages", R::ENTITY);
            let (subject, quoted) = (format!("{} {}", R::ENTITY, Quoted(&name)), Quoted(id.as_str()));
            let problem = format!("{subject} cannot have the external id {quoted}: no directory manages it");
            let error = Error::invalid("external id", id.as_str(), expected).about(R::ENTITY, name);
            return Err(error.in_words(problem).advise("use `set_managed_by` first"));
        };
        let draft = self.draft();
        match table(&draft.next.state).by_external((manager.as_str(), id.as_str())) {
            Some(other) if other != number => {
                Err(draft.exists(R::ENTITY, Asked::by_external_id(manager.as_str(), id.as_str())))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn apply(&self, change: Change) -> Result<()> {
        self.draft().apply(change)
    }

    /// Changes the record of an entity. Fails for an entry of the catalog; does nothing if the record stays the same.
    pub(super) fn change<R: Row>(
        &self,
        number: u32,
        table: fn(&State) -> &Table<R>,
        wrap: fn(R::Record) -> Record,
        change: impl FnOnce(&mut R::Record),
    ) -> Result<()> {
        let (before, after) = {
            let draft = self.draft();
            let row = table(&draft.next.state).row(number).ok_or_else(|| deleted(R::ENTITY))?;
            Draft::check_is_own(R::ENTITY, R::name_of(row.record()), row.origin())?;
            let mut after = row.record().clone();
            change(&mut after);
            if *row.record() == after {
                return Ok(());
            }
            (row.record().clone(), after)
        };
        self.replace(wrap(before), wrap(after))
    }

    /// Replaces a record by another with the same key.
    pub(super) fn replace(&self, before: Record, after: Record) -> Result<()> {
        let change = self.draft().change(before, after)?;
        self.apply(change)
    }

    /// Returns the other end of a relation, which must exist.
    pub(super) fn far_end<T>(&self, edge: Option<T>) -> Result<T> {
        self.draft().must(edge, FAR_END)
    }

    /// Removes existing records, in order, or none of them.
    pub(super) fn remove_all(&self, records: Vec<Record>) -> Result<()> {
        self.apply_all(records.into_iter().map(Change::removed).collect())
    }

    /// Applies validated changes, in order, or none of them. Only the rule about directories (R16) can refuse one, and it is
    /// checked before anything changes.
    pub(super) fn apply_all(&self, changes: Vec<Change>) -> Result<()> {
        self.draft().apply_all(changes)
    }

    /// Returns the number of an entity that was just created.
    pub(super) fn created(&self, entity: EntityKind, id: uuid::Uuid) -> Result<u32> {
        let mut draft = self.draft();
        let number = draft.next.state.number_of(entity, id);
        draft.must(number, "a created entity has a number")
    }

    /// Reads a row of the state so far.
    pub(super) fn with_permission<T>(&self, number: u32, look: impl FnOnce(&PermissionRow) -> T) -> Result<T> {
        self.draft().next.state.permissions.row(number).map(look).ok_or_else(|| deleted(EntityKind::Permission))
    }

    pub(super) fn with_role<T>(&self, number: u32, look: impl FnOnce(&RoleRow) -> T) -> Result<T> {
        self.draft().next.state.roles.row(number).map(look).ok_or_else(|| deleted(EntityKind::Role))
    }

    pub(super) fn with_group<T>(&self, number: u32, look: impl FnOnce(&GroupRow) -> T) -> Result<T> {
        self.draft().next.state.groups.row(number).map(look).ok_or_else(|| deleted(EntityKind::Group))
    }

    pub(super) fn with_user<T>(&self, number: u32, look: impl FnOnce(&UserRow) -> T) -> Result<T> {
        self.draft().next.state.users.row(number).map(look).ok_or_else(|| deleted(EntityKind::User))
    }

    /// Looks up a permission without creating the error for an unknown one, whose suggestions cost a search.
    ///
    /// # Errors
    /// `CatalogConflict` for a slug that belongs to the tenant and to the catalog (R9).
    pub(super) fn lookup_permission(&self, permission: &impl AsPermission) -> Result<Option<u32>> {
        let draft = self.draft();
        let found = permission.permission(draft.next.scope());
        check_conflict(&draft.next.state.permissions, found, || permission.permission_text())
    }

    /// As [`Tx::lookup_permission`].
    pub(super) fn lookup_role(&self, role: &impl AsRole) -> Result<Option<u32>> {
        let draft = self.draft();
        check_conflict(&draft.next.state.roles, role.role(draft.next.scope()), || role.role_text())
    }

    pub(super) fn lookup_group(&self, group: &impl AsGroup) -> Option<u32> {
        group.group(self.draft().next.scope())
    }

    pub(super) fn lookup_user(&self, user: &impl AsUser) -> Option<u32> {
        user.user(self.draft().next.scope())
    }

    pub(super) fn find_permission(&self, permission: &impl AsPermission) -> Result<u32> {
        let found = self.lookup_permission(permission)?;
        found.ok_or_else(|| self.draft().not_found(EntityKind::Permission, permission.permission_text()))
    }

    pub(super) fn find_role(&self, role: &impl AsRole) -> Result<u32> {
        let found = self.lookup_role(role)?;
        found.ok_or_else(|| self.draft().not_found(EntityKind::Role, role.role_text()))
    }

    pub(super) fn find_group(&self, group: &impl AsGroup) -> Result<u32> {
        let found = self.lookup_group(group);
        found.ok_or_else(|| self.draft().not_found(EntityKind::Group, group.group_text()))
    }

    pub(super) fn find_user(&self, user: &impl AsUser) -> Result<u32> {
        let found = self.lookup_user(user);
        found.ok_or_else(|| self.draft().not_found(EntityKind::User, user.user_text()))
    }

    /// Looks up several users. The index and the rows are seldom cached, so the processor waits for those of several users
    /// at a time.
    pub(super) fn find_users(&self, users: &[impl AsUser]) -> Result<Vec<u32>> {
        let mut found = Vec::with_capacity(users.len());
        for some in users.chunks(AT_A_TIME) {
            let draft = self.draft();
            let (scope, table) = (draft.next.scope(), &draft.next.state.users);
            let hashes: SmallVec<[_; AT_A_TIME]> = some.iter().map(|user| user.hash(scope)).collect();
            let likely = some.iter().zip(&hashes).map(|(user, hash)| user.likely(scope, (*hash)?));
            let likely: SmallVec<[_; AT_A_TIME]> = likely.collect();
            let rows = likely.iter().map(|number| number.and_then(|number| Some((number, table.row(number)?))));
            let rows: SmallVec<[_; AT_A_TIME]> = rows.collect();
            for (user, row) in some.iter().zip(rows) {
                let number = row.filter(|(_, row)| user.is(&row.record)).map(|(number, _)| number);
                let number = number.or_else(|| user.user(scope));
                found.push(number.ok_or_else(|| draft.not_found(EntityKind::User, user.user_text()))?);
            }
        }
        Ok(found)
    }
}

/// Refuses a slug that belongs to the tenant and to the catalog. An id, a handle or a variant is not ambiguous.
pub(super) fn check_conflict<R: Row>(
    table: &Table<R>,
    found: Option<u32>,
    asked: impl FnOnce() -> Asked,
) -> Result<Option<u32>> {
    let Some(row) = found.and_then(|number| table.row(number)).filter(|row| row.is_in_conflict()) else {
        return Ok(found);
    };
    if asked().name().is_none() {
        return Ok(found);
    }
    let own = table.sorted_from(row.name()).filter_map(|number| table.row(number)).find(|row| row.is_shadowed());
    Err(Error::catalog_conflict(R::ENTITY, row.name(), own.map_or(row.id(), Row::id)))
}

/// Returns the error of an edit whose entity was deleted in the same transaction.
pub(super) fn deleted(entity: EntityKind) -> Error {
    Error::new(ErrorKind::NotFound).about_a(entity).reason("it was deleted in this transaction")
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}
