//! Questions about separations of duties (R14).

use serde::Serialize;

use super::list::{List, WhyEmpty};
use super::{Moment, WithOrigin};
use crate::model::error::SeparationViolation;
use crate::model::internal_fault::must;
use crate::model::records::{Description, RoleRecord, SeparationId, Slug};
use crate::resolver::separations::{Below, first_excess, violation};
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::SeparationRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;

/// A separation of duties, with the records of its roles (R14).
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_role("clerk")?;
///     tx.create_role("approver")?;
///     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
/// })?;
/// let separation = acme.now().separation("payments").expect("it exists");
/// assert_eq!((separation.at_most, separation.roles[0].slug().as_str()), (1, "approver"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Separation {
    /// The id, which never changes.
    pub id: SeparationId,
    /// The slug.
    pub slug: Slug,
    /// The description, which may be empty.
    pub description: Description,
    /// How many of the roles one user may hold at most.
    pub at_most: u32,
    /// The roles, by slug. One that was removed from the catalog is marked by its origin, and still counts.
    pub roles: Vec<WithOrigin<RoleRecord>>,
}

impl Separation {
    fn of(state: &State, row: &SeparationRow) -> Self {
        let roles = row.roles.iter().filter_map(|role| must(state.roles.row(*role), NEAR_END));
        let mut roles: Vec<WithOrigin<RoleRecord>> = roles.map(WithOrigin::from).collect();
        roles.sort_by(|a, b| (&a.record.slug, a.record.id).cmp(&(&b.record.slug, b.record.id)));
        let record = row.record.clone();
        let (id, slug, description) = (record.id, record.slug, record.description);
        Self { id, slug, description, at_most: record.at_most.get(), roles }
    }
}

impl Moment<'_> {
    /// Returns a separation of duties by its slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().separation("payments").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn separation(&self, slug: &str) -> Option<Separation> {
        let state = &self.compiled().state;
        let row = state.separations.by_name(slug).and_then(|number| state.separations.row(number));
        row.filter(|_| self.answers()).map(|row| Separation::of(state, row))
    }

    /// Returns all separations of duties, by slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_role("clerk")?;
    /// #     tx.create_role("approver")?;
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    /// # })?;
    /// assert_eq!(acme.now().separations()[0].slug, "payments");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn separations(&self) -> List<Separation> {
        let state = &self.compiled().state;
        List::about(Some(state), WhyEmpty::unavailable(self.unavailable()), |state| {
            let rows = state.separations.sorted().filter_map(|number| state.separations.row(number));
            rows.map(|row| Separation::of(state, row)).collect()
        })
    }

    /// Returns the users who hold more roles of a separation than it allows, at this moment or at any later instant (R14).
    /// They are sorted by separation, then by key. Suspended users count.
    ///
    /// No plan causes an excess. One comes from stored data that breaks a separation, or from a new catalog in which a role
    /// includes another. The tenant still opens and refreshes: call this after a release, and take the roles away.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().separation_violations().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(users of the roles that separations name, and the groups and roles of each). For a user who reaches too many of
    /// the roles, also a walk at each instant at which a window around the user begins or ends.
    pub fn separation_violations(&self) -> List<SeparationViolation> {
        let state = &self.compiled().state;
        List::about(Some(state), WhyEmpty::unavailable(self.unavailable()), |state| {
            let rows = state.separations.sorted().filter_map(|number| state.separations.row(number));
            rows.flat_map(|row| self.violations_of(state, row)).collect()
        })
    }

    fn violations_of(&self, state: &State, separation: &SeparationRow) -> Vec<SeparationViolation> {
        let from = self.instant();
        let mut below = Below::default();
        separation.roles.iter().for_each(|role| below.insert(Source::Role(*role)));
        let users = below.all_users(state);
        let rows = users.iter().filter_map(|user| must(state.users.row(user), NEAR_END));
        let mut found: Vec<SeparationViolation> = rows
            .filter_map(|user| {
                let at = first_excess(state, user, separation, from)?;
                Some(violation(state, user, separation, at))
            })
            .collect();
        found.sort_by(|a, b| a.user.cmp(&b.user));
        found
    }
}
