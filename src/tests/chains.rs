//! Tests that a chain of groups or roles, in which each gives something of its own, costs its length and not its square.
//!
//! Words of cached rows and recomputed rows are counted, not timed.

use std::sync::Arc;

use uuid::Uuid;

use super::histories::{at, build};
use crate::Result;
use crate::model::catalog::Catalog;
use crate::model::records::{
    CommitId, Name, Position, Record, RecordKey, Revision, TenantId, TenantRecord, TenantSlug,
};
use crate::plan::{CommitContext, Draft, Tx};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::row_cache::ROWS_RECOMPUTED;
use crate::resolver::snapshot::source::{CachedRow, Ever};
use crate::resolver::snapshot::state::{RowBound, State};
use crate::resolver::snapshot::{CompiledTenant, Snapshot};

/// A row has one word of its own for each edge and one more. The budget is a small part of what the chains would need.
const BOUND: RowBound = RowBound { per_edge: 1, extra: 200 };
/// Everything is cached.
const NO_BOUND: RowBound = RowBound { per_edge: usize::MAX >> 8, extra: 0 };

/// A tenant without anything.
fn empty(bound: RowBound) -> Arc<CompiledTenant> {
    let base = Arc::new(CompiledCatalog::with_bound(Catalog::empty(), bound));
    let session = Arc::new(base.open());
    let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new("T").unwrap() };
    let records = [(RecordKey::Tenant, Record::Tenant(tenant))].into();
    let position = Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
    Arc::new(build(&base, &session, &records, position))
}

/// Applies a change. Returns the new tenant, and how many rows the change recomputed.
fn apply(tenant: &Arc<CompiledTenant>, change: impl FnOnce(&Tx) -> Result<()>) -> (Arc<CompiledTenant>, u64) {
    let context = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
    ROWS_RECOMPUTED.set(0);
    let ((), plan) = Tx::run(Draft::new(Arc::clone(tenant), context), change).unwrap();
    assert!(!plan.changes.is_empty(), "the change must have an effect");
    (plan.next, ROWS_RECOMPUTED.get())
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Groups,
    Roles,
}

/// A chain of so many, the first one at the top. Each gives a permission of its own.
fn chain(kind: Kind, length: usize) -> impl FnOnce(&Tx) -> Result<()> {
    move |tx| {
        for n in 0..length {
            tx.create_permission(&format!("p:{n}"))?;
            let role = tx.create_role(&format!("r{n}"))?;
            role.grant(format!("p:{n}"))?;
            match kind {
                Kind::Groups => {
                    let group = tx.create_group(&format!("g{n}"))?;
                    group.assign(format!("r{n}"))?;
                    if n > 0 {
                        group.add_parent(format!("g{}", n - 1))?;
                    }
                }
                Kind::Roles if n > 0 => drop(role.include(format!("r{}", n - 1))?),
                Kind::Roles => {}
            }
        }
        for (user, place) in [("top", 0), ("middle", length / 2), ("bottom", length - 1)] {
            let user = tx.create_user(user)?;
            match kind {
                Kind::Groups => user.join(format!("g{place}"))?.done()?,
                Kind::Roles => user.assign(format!("r{place}"))?.done()?,
            }
        }
        tx.create_permission("p:new")?;
        tx.create_role("new")?.grant("p:new")?.done()
    }
}

/// The words of all cached rows.
fn cached_words(state: &State) -> usize {
    let rows = state.groups.all().filter_map(|n| state.group_rows.get(n));
    let rows = rows.chain(state.roles.all().filter_map(|n| state.role_rows.get(n)));
    let words = |row: &CachedRow| {
        row.always.word_count() + if let Ever::More(ever) = &row.ever { ever.word_count() } else { 0 }
    };
    rows.map(words).sum()
}

/// The costs of a chain.
#[derive(Debug)]
struct Costs {
    /// The most words of cached rows before or after a change.
    words: usize,
    /// Rows recomputed when it was created, and by a change at the bottom, in the middle and at the top.
    created: u64,
    changed: [u64; 3],
}

fn costs(kind: Kind, length: usize, bound: RowBound) -> Costs {
    let (tenant, created) = apply(&empty(bound), chain(kind, length));
    let mut words = cached_words(&tenant.state);
    let change = |place: usize| {
        let (next, recomputed) = apply(&tenant, |tx| match kind {
            Kind::Groups => tx.group(format!("g{place}"))?.assign("new")?.done(),
            Kind::Roles => tx.role(format!("r{place}"))?.grant("p:new")?.done(),
        });
        let snapshot = Snapshot(Arc::clone(&next));
        for (user, end) in [("top", 0), ("middle", length / 2), ("bottom", length - 1)] {
            let moment = snapshot.at(at(0));
            assert_eq!(moment.check(user, "p:new"), place <= end, "{kind:?}, {user}, changed at {place}");
            for n in [0, 1, length / 2, length - 1] {
                assert_eq!(moment.check(user, format!("p:{n}")), n <= end, "{kind:?}, {user}, changed at {place}");
            }
        }
        words = words.max(cached_words(&next.state));
        recomputed
    };
    let changed = [length - 1, length / 2, 0].map(change);
    Costs { words, created, changed }
}

#[test]
fn the_cost_of_a_chain_is_linear() {
    const LENGTH: usize = if cfg!(debug_assertions) { 600 } else { 3_000 };
    for kind in [Kind::Groups, Kind::Roles] {
        let [one, two] = [1, 2].map(|times| costs(kind, times * LENGTH, BOUND));
        // A group or role has at most two edges, so its row has at most three words of its own. There are at most two rows for
        // each place in the chain.
        assert!(one.words <= LENGTH * 6 + BOUND.extra as usize, "{kind:?}: {one:?}");
        assert!(two.words <= 2 * one.words, "{kind:?}: {one:?}, {two:?}");
        let most = LENGTH as u64;
        // Two rows for each pair of a group and a role, and that of the new role.
        assert!(one.created <= 2 * most + 1 && two.created <= 4 * most + 1, "{kind:?}: {one:?}, {two:?}");
        for (costs, length) in [(&one, most), (&two, 2 * most)] {
            let [bottom, middle, top] = costs.changed;
            assert!(bottom <= 2 && middle <= length / 2 + 2 && top <= length + 2, "{kind:?}: {costs:?}");
        }
    }
}

/// Tests the counter itself: without a bound, the words grow with the square, and every row below a change is recomputed.
#[test]
fn without_a_bound_the_cost_of_a_chain_is_quadratic() {
    const LENGTH: usize = 640;
    for kind in [Kind::Groups, Kind::Roles] {
        let [one, two] = [1, 2].map(|times| costs(kind, times * LENGTH, NO_BOUND));
        assert!(two.words > 3 * one.words, "{kind:?}: {one:?}, {two:?}");
        for (costs, length) in [(&one, LENGTH), (&two, 2 * LENGTH)] {
            let expected = [1, length / 2, length].map(|rows| rows as u64);
            assert_eq!(costs.changed, expected, "{kind:?}");
        }
    }
}
