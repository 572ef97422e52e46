//! The compiled catalog: every tenant's state begins as a clone of this one. Ten thousand tenants share one catalog.
//!
//! Permission numbers come in two ranges. Numbers below [`CompiledCatalog::first_permission`] belong to the catalog,
//! in the order of its entries (an enum variant is its bit). The tenant's own permissions begin at the next whole
//! word. A row stores only the words that it spans, so neither range costs the other anything.

use std::hash::RandomState;

use super::edge::NEAR_END;
use super::edit::Touched;
use super::entity_rows::{PermissionRow, RoleRow};
use super::reverse_grants::ReverseGrants;
use super::row_cache::{count_grantable, recompute_rows};
use super::session::Session;
use super::source::Source;
use super::state::{RowBound, State};
use super::table::{Hashers, Origin};
use crate::model::catalog::Catalog;
use crate::model::internal_fault::{InternalFault, must, watch};
use crate::model::records::{PermissionRecord, RoleRecord};

#[derive(Debug)]
pub(crate) struct CompiledCatalog {
    pub(crate) definition: Catalog,
    pub(crate) state: State,
    first_permission: u32,
    first_role: u32,
    /// If set, no tenant can be opened.
    pub(crate) fault: Option<InternalFault>,
}

impl CompiledCatalog {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self::with_bound(catalog, RowBound::USUAL)
    }

    /// The same with another bound on cached rows, for tests.
    pub(crate) fn with_bound(catalog: Catalog, bound: RowBound) -> Self {
        let state = State { bound, ..State::new(&Hashers::new(&RandomState::new())) };
        let mut compiled = Self { definition: catalog, state, first_permission: 0, first_role: 0, fault: None };
        compiled.fault = watch(|| compiled.compile()).err();
        compiled
    }

    fn compile(&mut self) {
        let Self { definition: catalog, state, .. } = self;
        let mut touched = Touched::default();
        let mut first_permission = 0;
        for (number, entry) in (0..).zip(catalog.permissions()) {
            let record = PermissionRecord {
                id: entry.id(),
                slug: entry.slug().clone(),
                name: entry.name().clone(),
                description: entry.description().clone(),
                category: entry.category().cloned(),
            };
            state.permissions.insert(number, PermissionRow::new(record, Origin::Catalog));
            first_permission = number + 1;
        }
        let mut first_role = 0;
        for (number, entry) in (0..).zip(catalog.roles()) {
            let record = RoleRecord {
                id: entry.id(),
                slug: entry.slug().clone(),
                name: entry.name().clone(),
                description: entry.description().clone(),
            };
            let mut row = RoleRow::new(record, Origin::Catalog);
            for permission in entry.grants() {
                row.grants.insert(*permission, |n| n.cmp(permission));
            }
            for included in entry.includes() {
                row.includes.insert(*included, |n| n.cmp(included));
            }
            row.patterns = entry.patterns().to_vec();
            row.patterns.sort_unstable();
            row.patterns.dedup();
            row.patterns.iter().for_each(|pattern| state.pattern_index.add(state.roles.hashers(), pattern, number));
            state.roles.insert(number, row);
            // Also for a role that grants nothing, whose row equals the empty one.
            state.columns.assign(Source::Role(number));
            touched.roles.insert(number);
            touched.patterns.insert(number);
            first_role = number + 1;
        }
        link(state, first_role);
        count_grantable(state, 0..first_permission);
        recompute_rows(state, &mut touched);
        (self.first_permission, self.first_role) = (first_permission.next_multiple_of(u64::BITS), first_role);
    }

    /// Whether a number is that of a catalog permission.
    #[inline]
    pub(crate) fn has_permission(&self, number: u32) -> bool {
        number < self.first_permission
    }

    /// Whether a number is that of a catalog role.
    pub(crate) fn has_role(&self, number: u32) -> bool {
        number < self.first_role
    }

    /// A new session of a tenant. The tenant's own numbers begin after those of the catalog.
    pub(crate) fn open(&self) -> Session {
        Session::new(self.first_permission, self.first_role)
    }
}

/// Writes the reverse edges of the catalog's edges (I9).
fn link(state: &mut State, roles: u32) {
    let mut reverse_grants = Vec::new();
    for number in 0..roles {
        let Some(row) = must(state.roles.row(number).cloned(), "a role of the catalog has a row") else { continue };
        reverse_grants.extend(row.grants.iter().map(|permission| (*permission, number)));
        for included in row.includes.iter() {
            if let Some(included) = must(state.roles.row_mut(*included), NEAR_END) {
                included.included_by.insert(number, |n| n.cmp(&number));
            }
        }
    }
    state.reverse_grants = ReverseGrants::of_catalog(reverse_grants);
}
