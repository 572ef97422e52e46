//! The result of a call that replaces a whole list.

use serde::Serialize;

use super::tx::Tx;
use crate::model::error::Result;
use crate::model::records::{Slug, UserKey};

/// The added and removed entries of a call that replaces a whole list: the keys of users, the slugs of groups or roles,
/// or grants.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let changes = acme.update(|tx| {
///     tx.create_user("alice")?;
///     tx.create_group("staff")?.set_members(["alice"])
/// })?.value;
/// assert_eq!((changes.added[0].as_str(), changes.removed.len()), ("alice", 0));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListChanges<T> {
    /// The entries that were missing before, or whose window was replaced because it had ended or the call clears
    /// windows. In bytewise order of their names.
    pub added: Vec<T>,
    /// The entries that were removed, in bytewise order of their names.
    pub removed: Vec<T>,
}

impl<T> ListChanges<T> {
    /// Returns whether the list was as wanted before the call.
    ///
    /// ```
    /// assert!(rolecall::plan::ListChanges::<rolecall::records::Slug>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl<T> Default for ListChanges<T> {
    fn default() -> Self {
        Self { added: Vec::new(), removed: Vec::new() }
    }
}

/// The names in a list that changes. They are read before anything changes: a role that is removed from the catalog has
/// none once the last relation to it is removed.
impl Tx {
    pub(super) fn users_changed(&self, added: &[u32], removed: &[u32]) -> Result<ListChanges<UserKey>> {
        named(added, removed, |user| self.with_user(user, |row| row.key().clone()))
    }

    pub(super) fn groups_changed(&self, added: &[u32], removed: &[u32]) -> Result<ListChanges<Slug>> {
        named(added, removed, |group| self.with_group(group, |row| row.record.slug.clone()))
    }

    pub(super) fn roles_changed(&self, added: &[u32], removed: &[u32]) -> Result<ListChanges<Slug>> {
        named(added, removed, |role| self.with_role(role, |row| row.record.slug.clone()))
    }
}

fn named<T: Ord>(added: &[u32], removed: &[u32], name: impl Fn(u32) -> Result<T>) -> Result<ListChanges<T>> {
    let names = |numbers: &[u32]| -> Result<Vec<T>> {
        let mut names: Vec<T> = numbers.iter().map(|number| name(*number)).collect::<Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    };
    Ok(ListChanges { added: names(added)?, removed: names(removed)? })
}
