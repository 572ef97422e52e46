//! A user who holds more roles of a separation of duties than it allows (R14).

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Quoted;

/// A user who holds more roles of a separation of duties than it allows (R14), with the paths.
///
/// [`Moment::separation_violations`](crate::Moment::separation_violations) lists those of a tenant. A refused plan has
/// the first one that it would cause: [`Error::separation`](crate::Error::separation).
///
/// # Example
/// ```
/// use rolecall::{ErrorKind, blocking::Authorizer};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_role("clerk")?;
///     tx.create_role("approver")?;
///     tx.create_separation("payments", 1, ["clerk", "approver"])?;
///     tx.create_group("office")?.assign("clerk")?;
///     tx.create_user("alice")?.assign("approver")?.done()
/// })?;
/// let error = acme.update(|tx| tx.user("alice")?.join("office")?.done()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::SeparationOfDuties);
/// let violation = error.separation().unwrap();
/// assert_eq!((&*violation.separation, &*violation.user), ("payments", "alice"));
/// assert_eq!(violation.roles[1].path, "is in `office`, which has the role `clerk`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct SeparationViolation {
    /// The slug of the separation.
    pub separation: String,
    /// How many of its roles one user may hold at most.
    pub at_most: u32,
    /// The key of the user.
    pub user: String,
    /// The first instant at which the user holds too many, as in RFC 3339.
    pub at: String,
    /// The roles that the user holds at that instant, each with a shortest path to it.
    pub roles: Vec<HeldRole>,
    /// Whether it is about a session. The roles are then those that the session activates, and
    /// [`NarrowedUser::separated`](crate::moment::NarrowedUser::separated) has refused it.
    pub in_session: bool,
}

/// A role that a user holds, and a path to it. See [`SeparationViolation`].
///
/// # Example
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # let error = acme.update(|tx| {
/// #     tx.create_role("clerk")?;
/// #     tx.create_role("approver")?;
/// #     tx.create_separation("payments", 1, ["clerk", "approver"])?;
/// #     tx.create_user("alice")?.assign("clerk")?.assign("approver")?.done()
/// # }).unwrap_err();
/// let held = &error.separation().unwrap().roles[1];
/// assert_eq!((&*held.role, &*held.path), ("clerk", "has the role `clerk`"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct HeldRole {
    /// The slug of the role.
    pub role: String,
    /// The path by which the user has the role, as text.
    pub path: String,
}

impl SeparationViolation {
    pub(crate) fn new(separation: String, at_most: u32, user: String, at: String, roles: Vec<HeldRole>) -> Self {
        Self { separation, at_most, user, at, roles, in_session: false }
    }

    pub(crate) fn in_session(self) -> Self {
        Self { in_session: true, ..self }
    }
}

impl HeldRole {
    pub(crate) fn new(role: String, path: String) -> Self {
        Self { role, path }
    }
}

/// How many roles a message shows.
const MOST_SHOWN: usize = 8;

impl Display for SeparationViolation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { separation, at_most, user, at, roles, in_session } = self;
        let most = if *at_most == 1 { "one".to_owned() } else { at_most.to_string() };
        let (whom, verb) = if *in_session { ("a session", "activates") } else { ("a user", "holds") };
        write!(f, "separation {} allows {whom} at most {most} of its roles", Quoted(separation))?;
        write!(f, "; at {at}, user {} {verb} more than {most} of them", Quoted(user))?;
        for (n, held) in roles.iter().take(MOST_SHOWN).enumerate() {
            write!(f, "{}{}", if n == 0 { ": " } else { "; " }, held.path)?;
        }
        match roles.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
