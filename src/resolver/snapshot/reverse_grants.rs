//! Who grants what by name: the far ends of all grants, in one sorted set (I9).
//!
//! They lie beside the permissions and not in them, because a permission of the catalog is one row for all tenants: one
//! whose roles grant it would copy the row to say so. Ten thousand small tenants with 95 of 200 permissions granted cost
//! 38.5 KB each so, two thirds of it copies of the catalog; here a grant costs eight bytes and its part of a node.
//!
//! Deliberately absent: patterns, which name no permission. Next: `reverse.rs`, which asks.

use super::edge::FAR_END;
use crate::model::internal_fault::{must, must_hold};
use crate::resolver::tables::sorted_seq::SortedSeq;

#[derive(Clone, Debug, Default)]
pub(crate) struct ReverseGrants {
    /// Those of the catalog's roles, which every tenant shares: nothing is ever put in.
    catalog: SortedSeq<Granter>,
    own: SortedSeq<Granter>,
}

/// A permission, and a role that grants it.
type Granter = (u32, u32);

impl ReverseGrants {
    /// Those of the catalog's roles, in any order, none twice.
    pub(crate) fn of_catalog(mut grants: Vec<Granter>) -> Self {
        grants.sort_unstable();
        Self { catalog: SortedSeq::from_sorted(grants), own: SortedSeq::default() }
    }

    /// A role of the tenant's own grants it from now on.
    pub(crate) fn insert(&mut self, permission: u32, role: u32) {
        let new = self.own.insert((permission, role), |other| other.cmp(&(permission, role)));
        must_hold(new, "a new grant has no far end");
    }

    /// A role of the tenant's own grants it no more.
    pub(crate) fn remove(&mut self, permission: u32, role: u32) {
        must(self.own.remove(|other| other.cmp(&(permission, role))), FAR_END);
    }

    /// The roles that grant a permission, by number: the catalog's come before the tenant's own.
    pub(crate) fn of(&self, permission: u32) -> impl Iterator<Item = u32> + '_ {
        let parts = [&self.catalog, &self.own].into_iter();
        let from = parts.flat_map(move |part| {
            part.iter_from(move |other| other.0.cmp(&permission)).take_while(move |other| other.0 == permission)
        });
        from.map(|(_, role)| *role)
    }

    /// Whether no role grants it.
    pub(crate) fn is_empty(&self, permission: u32) -> bool {
        self.of(permission).next().is_none()
    }

    /// Gives back the room that one insertion after the other has left in the nodes. O(grants).
    pub(crate) fn pack(&mut self) {
        self.own = SortedSeq::from_sorted(self.own.iter().copied().collect());
    }
}
