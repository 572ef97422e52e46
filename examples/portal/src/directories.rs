//! Handing an existing user or group to a directory, and releasing it (R16).
//!
//! It needs its own permission: after a release every manager of users or groups can change the entity; after a handover only the
//! directory can.
//!
//! Nobody gains a right at that moment. But the transactions of a directory are not guarded, so from then on it decides who is in
//! a group, and gives what the group gives. So the actor who hands a group over must hold all of that ([`may_hand_over`]).

use std::collections::{BTreeSet, HashSet};

use axum::http::StatusCode;
use rolecall::error::Quoted;
use rolecall::records::{GroupId, Manager, UserId, Window};
use rolecall::{ErrorKind, Moment, Result, Timestamp, Tx};
use rolecall_axum::Problem;

use crate::api::request::Update;

/// So many instants at most at which an actor's permissions are compared with those of a group.
const MOST_INSTANTS: usize = 1_000;

/// The user or group that is handed over or released.
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

/// The problem of a directory without a token. Nobody could change a user or group that is handed to it.
pub fn unknown(directory: &str) -> String {
    format!("no SCIM token belongs to {}: start the portal with `--scim-token DIRECTORY=TOKEN`", Quoted(directory))
}

/// Refuses to hand over a group that gives, now or later, a permission that the actor does not hold then.
///
/// # Errors
/// 403, without a word about the permissions.
pub fn may_hand_over(before: &Moment<'_>, actor: UserId, target: Target) -> std::result::Result<(), Problem> {
    let Target::Group(group) = target else { return Ok(()) };
    let snapshot = before.snapshot();
    let instants = later_instants(before, actor, group);
    let holds_all = |at: Timestamp| {
        let then = snapshot.at(at);
        then.effective_of_group(group).is_subset(&then.effective(actor))
    };
    if instants.len() <= MOST_INSTANTS && std::iter::once(before.instant()).chain(instants).all(holds_all) {
        return Ok(());
    }
    let problem = Problem::new(StatusCode::FORBIDDEN, ErrorKind::Escalation.code(), ErrorKind::Escalation.title());
    Err(problem.with_detail(
        "a directory decides who is in its groups, so only a user who holds everything that a group gives may hand it over",
    ))
}

/// The later instants at which the permissions of the actor or of the group can change. These are the ends of the windows of
/// all memberships, assignments and parent links on the way to a role.
fn later_instants(now: &Moment<'_>, actor: UserId, group: GroupId) -> BTreeSet<Timestamp> {
    let mut windows: Vec<Window> = now.roles_of(actor).iter().map(|held| held.window).collect();
    let mut next = vec![group];
    for membership in &now.groups_of(actor) {
        windows.push(membership.window);
        next.push(membership.record.id);
    }
    let mut met = HashSet::new();
    while let Some(group) = next.pop() {
        if !met.insert(group) {
            continue;
        }
        windows.extend(now.roles_of_group(group).iter().map(|held| held.window));
        for parent in &now.parents_of(group) {
            windows.push(parent.window);
            next.push(parent.record.id);
        }
    }
    let ends = windows.iter().flat_map(|window| [window.start(), window.end()]).flatten();
    ends.filter(|end| *end > now.instant()).collect()
}

/// Hands a user or group to a directory, with its id there. Without an id, that of one which the directory manages already
/// stays. One that another directory manages must be released first.
///
/// # Errors
/// [`NotFound`](rolecall::ErrorKind::NotFound), [`Invalid`](rolecall::ErrorKind::Invalid),
/// [`AlreadyExists`](rolecall::ErrorKind::AlreadyExists) if the directory has another one with this id,
/// [`Managed`](rolecall::ErrorKind::Managed) if another directory manages it.
pub fn hand_over(tx: &Tx, target: Target, directory: &str, external_id: &Update<String>) -> Result<()> {
    tx.set_manager(directory)?;
    match target {
        Target::User(id) => {
            let user = tx.user(id)?;
            user.set_managed_by(Some(directory))?;
            external_id.change().try_for_each(|id| user.set_external_id(id)?.done())
        }
        Target::Group(id) => {
            let group = tx.group(id)?;
            group.set_managed_by(Some(directory))?;
            external_id.change().try_for_each(|id| group.set_external_id(id)?.done())
        }
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
