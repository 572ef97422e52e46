//! Handing an existing user or group to a directory, and releasing it (R16).
//!
//! It needs a permission of its own: who is released can be changed by everybody who manages users or groups, and who is handed
//! over by the directory alone. Nobody gains a right by either.

use rolecall::records::{GroupId, Manager, UserId};
use rolecall::{Result, Tx};

/// What is handed over or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user.
    User(UserId),
    /// A group.
    Group(GroupId),
}

impl Target {
    /// Returns the directory that manages it before the transaction.
    fn manager(self, tx: &Tx) -> Option<Manager> {
        let before = tx.base().at(tx.instant());
        match self {
            Self::User(id) => before.user(id)?.managed_by().cloned(),
            Self::Group(id) => before.group(id)?.managed_by().cloned(),
        }
    }
}

/// Hands a user or group to a directory, with its id there. One that another directory manages must be released first.
///
/// # Errors
/// [`NotFound`](rolecall::ErrorKind::NotFound), [`Invalid`](rolecall::ErrorKind::Invalid),
/// [`AlreadyExists`](rolecall::ErrorKind::AlreadyExists) if the directory has another one with this id,
/// [`Managed`](rolecall::ErrorKind::Managed) if another directory manages it.
pub fn hand_over(tx: &Tx, target: Target, directory: &str, external_id: Option<&str>) -> Result<()> {
    tx.set_manager(directory)?;
    match target {
        Target::User(id) => tx.user(id)?.set_managed_by(Some(directory))?.set_external_id(external_id)?.done(),
        Target::Group(id) => tx.group(id)?.set_managed_by(Some(directory))?.set_external_id(external_id)?.done(),
    }
}

/// Releases a user or group from the directory that manages it, if one does.
///
/// # Errors
/// [`NotFound`](rolecall::ErrorKind::NotFound).
pub fn release(tx: &Tx, target: Target) -> Result<()> {
    if let Some(manager) = target.manager(tx) {
        tx.set_manager(manager.as_str())?;
    }
    match target {
        Target::User(id) => tx.user(id)?.set_managed_by(None)?.done(),
        Target::Group(id) => tx.group(id)?.set_managed_by(None)?.done(),
    }
}
