//! Warnings: changes that are valid, and that probably do not do what their author wanted.

use std::fmt;

use serde::Serialize;

use super::Plan;
use crate::model::error::Quoted;
use crate::model::records::{Change, Granted, Pattern, Record, Slug};
use crate::resolver::snapshot::state::State;

/// Something that a plan does and its author probably did not want.
///
/// [`Plan::warnings`] returns them before the commit, and [`Updated::warnings`](crate::Updated::warnings) after it.
///
/// # Example
/// ```
/// use rolecall::Warning;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let updated = acme.update(|tx| {
///     tx.create_permission("guests:invite")?;
///     tx.create_role("host")?.grant("gests:*")?.done()
/// })?;
/// assert_eq!(updated.warnings.len(), 1);
/// assert!(matches!(&updated.warnings[0], Warning::PatternMatchesNothing { role, .. } if role == "host"));
/// assert_eq!(updated.warnings[0].to_string(), "role `host` grants `gests:*`, which matches no permission");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// A new grant has a pattern that matches no permission of the tenant or the catalog. The pattern stays, and it will
    /// match permissions that are created later.
    PatternMatchesNothing {
        /// The role that grants it.
        role: Slug,
        /// The pattern.
        pattern: Pattern,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatternMatchesNothing { role, pattern } => {
                let (role, pattern) = (Quoted(role.as_str()), Quoted(pattern.as_str()));
                write!(f, "role {role} grants {pattern}, which matches no permission")
            }
        }
    }
}

impl Plan {
    /// Returns what the plan does and its author probably did not want, in the order of its changes.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let ((), plan) = acme.plan(|tx| tx.create_role("host")?.grant("gests:*")?.done())?;
    /// assert_eq!(plan.warnings().len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Each new grant of a pattern looks at the permissions that begin like the pattern, until one matches. Other changes
    /// cost nothing.
    pub fn warnings(&self) -> Vec<Warning> {
        let state = &self.next.state;
        self.changes.iter().filter_map(|change| unmatched(state, change)).collect()
    }
}

/// Returns the warning for a new grant of a pattern that matches nothing.
fn unmatched(state: &State, change: &Change) -> Option<Warning> {
    let (None, Some(Record::Grant(grant))) = (change.before(), change.after()) else { return None };
    let Granted::Pattern(pattern) = &grant.granted else { return None };
    let prefix = pattern.prefix();
    let permissions = &state.permissions;
    let mut like =
        permissions.sorted_from(prefix).map(|n| permissions.name_at(n)).take_while(|n| n.starts_with(prefix));
    if like.any(|name| pattern.matches(name)) {
        return None;
    }
    let role = state.roles.by_id(grant.role.as_uuid()).and_then(|number| state.roles.row(number))?;
    Some(Warning::PatternMatchesNothing { role: role.record.slug.clone(), pattern: pattern.clone() })
}
