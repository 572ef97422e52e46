//! An assertion of a tenant that fails, and one user for whom it does (R17).

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Quoted;

/// An assertion that a tenant carries and that fails, with a user for whom it does (R17).
///
/// [`Moment::assertion_violations`](crate::Moment::assertion_violations) lists those of a tenant. A refused plan has
/// the first one that it would cause: [`Error::assertion`](crate::Error::assertion).
///
/// ```
/// use rolecall::{ErrorKind, assertions::Assertion};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("billing:pay")?;
///     tx.create_role("payer")?.grant("billing:pay")?;
///     tx.create_group("finance")?;
///     tx.create_user("bob")?;
///     tx.create_assertion("payments", &Assertion::only("billing:pay").with_groups(["finance"]))?.set_binding(true)?.done()
/// })?;
/// let error = acme.update(|tx| tx.user("bob")?.assign("payer")?.done()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::AssertionFailed);
/// let violation = error.assertion().unwrap();
/// assert_eq!((&*violation.assertion, &*violation.user), ("payments", "bob"));
/// assert_eq!(violation.problem, "user `bob` may do `billing:pay`: has the role `payer`, which grants `billing:pay`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct AssertionViolation {
    /// The slug of the assertion.
    pub assertion: String,
    /// Whether the assertion is binding.
    pub binding: bool,
    /// The key of the user.
    pub user: String,
    /// The first instant at which the assertion fails for the user, as in RFC 3339.
    pub at: String,
    /// The failure, with the path, for people to read.
    pub problem: String,
}

impl AssertionViolation {
    pub(crate) fn new(assertion: String, binding: bool, user: String, at: String, problem: String) -> Self {
        Self { assertion, binding, user, at, problem }
    }
}

impl Display for AssertionViolation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { assertion, problem, .. } = self;
        write!(f, "assertion {} does not hold: {problem}", Quoted(assertion))
    }
}
