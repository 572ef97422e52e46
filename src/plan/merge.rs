//! Merges one user into another: moves the groups and roles of the first to the second, and deletes the first.
//!
//! Everything is decided before anything changes. Deliberately absent: a merge of the records of the two users. A key, a
//! name or a link to a directory says who a person is, and only the application knows which one is right.

use serde::Serialize;

use super::relations::{HolderNumber, NumberedRelation, Wish};
use super::tx::Tx;
use crate::model::error::{Error, Quoted, Result};
use crate::model::records::{Change, Record, Slug, UserRecord, Window};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::names::AsUser;

const GAP_ADVICE: &str =
    "give one of the two users a window that contains both, or remove it from one of them, and merge again";

/// The result of [`Tx::merge_users`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let merged = acme.update(|tx| {
///     tx.create_group("staff")?;
///     tx.create_user("alice")?;
///     tx.create_user("alice.adams")?.join("staff")?;
///     tx.merge_users("alice.adams", "alice")
/// })?.value;
/// assert_eq!(merged.deleted.key, "alice.adams");
/// assert_eq!(merged.memberships[0].slug, "staff");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserMerge {
    /// The user that was deleted, as it was before: its key, display name, external id and the directory that managed it.
    pub deleted: UserRecord,
    /// The groups that the other user has joined, or is a member of for a longer time than before. In bytewise order of
    /// slugs.
    pub memberships: Vec<MovedRelation>,
    /// The roles that the other user has now, or has for a longer time than before. In bytewise order of slugs.
    pub assignments: Vec<MovedRelation>,
}

/// A membership or an assignment that a merge has given to a user, or whose window it has made longer.
///
/// A role of the tenant and one of the catalog can have the same slug (R9).
///
/// ```
/// use rolecall::Window;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let merged = acme.update(|tx| {
///     tx.create_role("editor")?;
///     tx.create_user("old")?.assign("editor")?;
///     tx.create_user("new")?;
///     tx.merge_users("old", "new")
/// })?.value;
/// assert_eq!((merged.assignments[0].before, merged.assignments[0].after), (None, Window::ALWAYS));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MovedRelation {
    /// The group or the role.
    pub slug: Slug,
    /// The window that the user had before. `None` if the user did not have the group or role.
    pub before: Option<Window>,
    /// The window that the user has after the merge.
    pub after: Window,
}

impl Tx {
    /// Moves all memberships and direct assignments of one user to another, and deletes the first.
    ///
    /// Use it if one person has two accounts. The other user keeps everything that it has, and no window gets
    /// shorter:
    ///
    /// | the first user has | the other user | result |
    /// |---|---|---|
    /// | a group or role | does not | it moves with its window |
    /// | the same one | has it, and its time contains the first one's | nothing changes |
    /// | the same one | has it, and the two times overlap or touch | one window with both |
    /// | the same one | has it, with a gap between the two times | an error: a relation has one window |
    /// | the same one | had it, and that has ended | the window of the first user |
    /// | one that has ended | | it is deleted with its user, not moved |
    ///
    /// Both users must have the same status. A merge never makes suspended access active, and never suspends active
    /// access; activate, suspend or delete one of them first.
    ///
    /// The record of the other user stays as it is: key, display name, external id and the directory that manages it.
    /// The result has the record of the deleted user, so that the application can take over what it wants in the same
    /// transaction. From then on, the handles, the id and the key of the deleted user refer to nobody (R8).
    ///
    /// # Example
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// # let clock = rolecall::clock::ManualClock::new("2027-01-01T00:00:00Z".parse()?);
    /// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("engineering")?;
    /// #     tx.create_group("on-call")?;
    /// #     tx.create_user("alice@gmail.com")?;
    /// #     tx.create_user("alice@acme.com")?.done()
    /// # })?;
    /// let friday: Timestamp = "2027-01-08T17:00:00Z".parse()?;
    /// acme.update(|tx| {
    ///     tx.user("alice@gmail.com")?.join("engineering")?.join("on-call")?;
    ///     tx.user("alice@acme.com")?.join_during("on-call", Window::until(friday))?.done()
    /// })?;
    /// let merged = acme.update(|tx| tx.merge_users("alice@gmail.com", "alice@acme.com"))?.value;
    /// let on_call = &merged.memberships[1];
    /// assert_eq!((on_call.before, on_call.after), (Some(Window::until(friday)), Window::ALWAYS));
    /// assert_eq!(acme.now().groups_of("alice@acme.com").len(), 2);
    /// assert!(acme.now().user("alice@gmail.com").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Nothing is changed if it fails.
    ///
    /// - [`NotFound`](crate::ErrorKind::NotFound) if one of the users does not exist.
    /// - [`Invalid`](crate::ErrorKind::Invalid) if both are the same user, or only one of them is suspended.
    /// - [`WindowMismatch`](crate::ErrorKind::WindowMismatch) if there is a gap between the windows of a relation that
    ///   both have. [`Error::relation`](crate::Error::relation) names it.
    /// - [`Rejected`](crate::ErrorKind::Rejected) if an assertion names the first user (R17).
    /// - [`Managed`](crate::ErrorKind::Managed) if the transaction does not act for the directory that manages the
    ///   first user, or a group that the first user is a direct member of (R16).
    ///
    /// # Security
    /// Everybody who can sign in as the other user has all access of both from then on. Merge accounts only after the
    /// person has proved that both are theirs. Two accounts with similar keys, or with the same display name, may be
    /// two people. [`Plan::access_changes`](crate::Plan::access_changes) shows what the other user gains.
    ///
    /// # Complexity
    /// O(relations of the first user), one change each.
    pub fn merge_users(&self, from: impl AsUser, into: impl AsUser) -> Result<UserMerge> {
        let (source, target) = (self.find_user(&from)?, self.find_user(&into)?);
        let row = self.with_user(source, UserRow::clone)?;
        if source == target {
            let key = row.key().as_str();
            let problem = format!("user {} cannot be merged into itself", Quoted(key));
            return Err(Error::invalid("user to merge", key, "two different users").in_words(problem));
        }
        self.check_same_status(&row, target)?;
        self.check_not_asserted(Asserted::User(source))?;
        let membership = |user, group| NumberedRelation::Membership { user, group };
        let assignment = |user, role| NumberedRelation::Assignment { role, holder: HolderNumber::User(user) };
        let mut plan = Moves { tx: self, source, target, added: Vec::new(), removed: Vec::new() };
        let (mut memberships, mut assignments) = (Vec::new(), Vec::new());
        for edge in row.groups().iter() {
            if let Some((before, after)) = plan.take_over(|user| membership(user, edge.to), edge.window)? {
                let slug = self.with_group(edge.to, |row: &GroupRow| row.record.slug.clone())?;
                memberships.push(MovedRelation { slug, before, after });
            }
        }
        for edge in row.roles().iter() {
            if let Some((before, after)) = plan.take_over(|user| assignment(user, edge.to), edge.window)? {
                let slug = self.with_role(edge.to, |row: &RoleRow| row.record.slug.clone())?;
                assignments.push(MovedRelation { slug, before, after });
            }
        }
        // Additions come first: an entry that is removed from the catalog stays while a relation refers to it.
        let Moves { mut added, removed, .. } = plan;
        added.extend(removed.into_iter().map(Change::removed));
        added.push(Change::removed(Record::User(row.record.clone())));
        self.apply_all(added)?;
        memberships.sort_by(|a, b| a.slug.cmp(&b.slug));
        assignments.sort_by(|a, b| a.slug.cmp(&b.slug));
        Ok(UserMerge { deleted: row.record, memberships, assignments })
    }

    /// Checks that a merge neither makes suspended access active nor suspends active access.
    fn check_same_status(&self, source: &UserRow, target: u32) -> Result<()> {
        let (into, other) = self.with_user(target, |row| (row.key().to_string(), row.record.status))?;
        let is = source.record.status;
        if is == other {
            return Ok(());
        }
        let (from, into) = (Quoted(source.key().as_str()), Quoted(&into));
        let problem = format!("user {from} cannot be merged into {into}: {from} is {is}, and {into} is {other}");
        let error = Error::invalid("user to merge", source.key().as_str(), "a user with the status of the other one");
        Err(error.in_words(problem).advise("activate, suspend or delete one of them first"))
    }
}

/// The changes of a merge.
struct Moves<'a> {
    tx: &'a Tx,
    source: u32,
    target: u32,
    added: Vec<Change>,
    removed: Vec<Record>,
}

impl Moves<'_> {
    /// Takes a relation with this window from the one user and gives it to the other. Returns the window of the other
    /// user before and after, or `None` if it stays as it is.
    fn take_over(
        &mut self,
        relation: impl Fn(u32) -> NumberedRelation,
        window: Window,
    ) -> Result<Option<(Option<Window>, Window)>> {
        let (tx, own) = (self.tx, relation(self.target));
        self.removed.push(tx.relation_record(relation(self.source), window)?);
        if window.has_ended(tx.instant()) {
            return Ok(None);
        }
        let present = tx.window_of(own)?;
        let Some(after) = tx.decide(own, present, Wish::Ensure(window), [GAP_ADVICE; 2])? else { return Ok(None) };
        self.added.extend(tx.window_change(own, present, after)?);
        Ok(Some((present, after)))
    }
}
