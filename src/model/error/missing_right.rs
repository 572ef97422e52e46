//! The rights that a guarded transaction would give and its actor does not hold (R13).

use std::fmt;

use serde::Serialize;

use super::codes::codes;
use super::{EntityKind, Quoted};

codes! {
    /// A kind of right that a guarded transaction can give (R13).
    ///
    /// # Example
    /// ```
    /// use rolecall::error::RightKind;
    ///
    /// assert_eq!(RightKind::Pattern.code(), "pattern");
    /// ```
    RightKind {
        /// A permission, by name.
        Permission = "permission",
        /// A pattern of permissions.
        Pattern = "pattern",
        /// A permission that the catalog lacks, or whose slug belongs to the tenant and to the catalog (R9). Nobody
        /// holds it.
        UnavailablePermission = "unavailable_permission",
        /// A role that the catalog lacks (R9). Nobody knows what it would grant, so nobody holds it.
        UnavailableRole = "unavailable_role",
        /// A separation of duties that would forbid less (R14). Nobody may do that in a guarded transaction.
        LooserSeparation = "looser_separation",
        /// A binding assertion that would no longer be binding or would expect less (R17). Nobody may do that in a
        /// guarded transaction.
        LooserAssertion = "looser_assertion",
    }
}

/// The text of a window without ends.
const ALWAYS: &str = "always";

/// A right that a guarded transaction would give although its actor does not hold it (R13). Or a separation of duties
/// (R14) or binding assertion (R17) that it would loosen, which counts as a right that nobody holds.
///
/// [`Error::missing_rights`](crate::Error::missing_rights) lists them.
///
/// # Example
/// ```
/// use rolecall::{EntityKind, ErrorKind, blocking::Authorizer, error::RightKind};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:read")?;
///     tx.create_role("reader")?.grant("posts:read")?;
///     tx.create_role("editor")?.grant("posts:*")?;
///     tx.create_user("alice")?.assign("reader")?;
///     tx.create_user("bob")?.done()
/// })?;
/// let error = acme.update(|tx| tx.set_guard("alice").user("bob")?.assign("editor")?.done()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Escalation);
/// let [missing] = error.missing_rights() else { panic!("one right") };
/// assert_eq!((missing.kind, missing.right.as_str()), (RightKind::Pattern, "posts:*"));
/// assert_eq!((missing.entity, missing.name.as_str()), (EntityKind::User, "bob"));
/// assert_eq!(missing.windows, ["always"]);
/// assert_eq!(
///     error.to_string(),
///     "user `alice` cannot give rights that they do not hold: `posts:*` to user `bob` \
///      (added assignment of `editor` to user `bob`)"
/// );
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MissingRight {
    /// The slug of the permission, the pattern, or the slug of the role that the catalog lacks. For a separation or an
    /// assertion, the slug that it had before the transaction.
    pub right: String,
    /// The kind of right.
    pub kind: RightKind,
    /// The windows in which the actor does not hold the right, as [`Window`](crate::Window) writes and parses them. The time
    /// before the transaction does not count, so a window that begins with the transaction has no beginning.
    pub windows: Vec<String>,
    /// The kind of the entity that would gain the right: a user, a group or a role. Or the kind that would be loosened: a
    /// separation or an assertion.
    pub entity: EntityKind,
    /// The key or slug of the entity that would gain the right, as after the transaction. A separation or assertion that
    /// would be deleted has the slug that it had before.
    pub name: String,
    /// The change that would give the right, as [`DescribedChange`](crate::plan::DescribedChange) writes it.
    pub change: String,
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, name) = (Quoted(&self.right), Quoted(&self.name));
        match self.kind {
            RightKind::Permission | RightKind::Pattern => write!(f, "{right} to {} {name}", self.entity)?,
            RightKind::UnavailablePermission => write!(f, "unavailable permission {right} to {} {name}", self.entity)?,
            RightKind::UnavailableRole => write!(f, "unavailable role {right} to {} {name}", self.entity)?,
            RightKind::LooserSeparation => write!(f, "looser separation {right}")?,
            RightKind::LooserAssertion => write!(f, "looser assertion {right}")?,
        }
        if self.windows != [ALWAYS] {
            write!(f, " {}", self.windows.join(", "))?;
        }
        write!(f, " ({})", self.change)
    }
}
