//! Plans that start from an excess (R14): a new release of the catalog lets users hold more of a separation than it
//! allows.
//!
//! A user who is in breach already, and gets no more, does not cause a refusal. Everything else that breaks a
//! separation does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::histories::{Call, INSTANTS, at, build, call, make, populated};
use crate::model::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use crate::model::records::{CommitId, Record, RecordKey, UserId};
use crate::moment::Separation;
use crate::plan::{CommitContext, Draft, Plan, Tx};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::{Error, ErrorKind, Moment, PageRequest, Result};

/// The numbers of the roles of a separation that begins with the fifth: `r0`, `r1`, `sys-viewer` and `sys-all`.
const WIDE: [usize; 4] = [0, 1, 5, 6];

/// The next release: users with `sys-viewer` have `sys-all`, too.
fn generous_catalog() -> Catalog {
    let permissions = &[PermissionDef::new("sys:read"), PermissionDef::new("sys:write")];
    let roles = &[
        RoleDef { grants: &["sys:*"], ..RoleDef::new("sys-all") },
        RoleDef { grants: &["sys:read", "a:*"], includes: &["sys-all"], ..RoleDef::new("sys-viewer") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

fn held(moment: &Moment<'_>, separation: &Separation, user: UserId) -> usize {
    let roles = moment.all_roles_of(user);
    separation.roles.iter().filter(|role| roles.iter().any(|held| held.record.id() == role.id())).count()
}

/// Returns a user who holds more of a separation than it allows, and more than before. All questions about separations
/// are left out: this is the rule by the roles that users have.
pub(super) fn newly_broken(before: &Snapshot, after: &Snapshot) -> Option<String> {
    INSTANTS.into_iter().find_map(|instant| {
        let (before, after) = (before.at(at(instant)), after.at(at(instant)));
        let users = after.users(&PageRequest::of(1_000)).items;
        let mut pairs =
            after.separations().into_iter().flat_map(|one| users.iter().map(move |user| (one.clone(), user)));
        let found = pairs.find(|(separation, user)| {
            let now = held(&after, separation, user.id);
            let earlier = before.separations().into_iter().find(|earlier| earlier.id == separation.id);
            let is_tolerated = earlier.is_some_and(|earlier| {
                let was = held(&before, &earlier, user.id);
                was > earlier.at_most as usize && now <= was
            });
            now > separation.at_most as usize && !is_tolerated
        });
        found.map(|(separation, user)| format!("{} breaks {separation:?} at {instant}", user.key))
    })
}

fn context() -> CommitContext {
    CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 }
}

/// The outcome of a transaction, and what its plan breaks.
fn outcome(base: &Arc<CompiledTenant>, calls: &[Call]) -> (Result<Plan>, Option<String>) {
    let mut breaks = None;
    let run = |tx: &Tx| -> Result<()> {
        for call in calls {
            drop(make(tx, call));
        }
        breaks = newly_broken(&tx.base(), &tx.preview());
        Ok(())
    };
    let outcome = Tx::run(Draft::new(Arc::clone(base), context()), run).map(|((), plan)| plan);
    (outcome, breaks)
}

fn is_right(outcome: &Result<Plan>, breaks: Option<&String>) {
    match outcome {
        Ok(_) => assert_eq!(breaks, None),
        // Separations are checked first.
        Err(error) if error.kind() == ErrorKind::AssertionFailed => assert_eq!(breaks, None, "{error}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::SeparationOfDuties, "{error}");
            assert!(breaks.is_some(), "{error}");
        }
    }
}

fn after(records: &mut BTreeMap<RecordKey, Record>, plan: &Plan) {
    for change in plan.changes() {
        match change.after() {
            Some(after) => drop(records.insert(change.key(), after.clone())),
            None => drop(records.remove(&change.key())),
        }
    }
}

/// Separations (their roles and how many), assignments, and the calls of each plan.
type History = (Vec<(usize, u8)>, Vec<(u8, Call)>, Vec<Vec<Call>>);

/// Calls that give or take roles, or change a separation, and a few others.
fn relevant() -> impl Strategy<Value = Vec<Call>> {
    const KINDS: [u8; 18] = [7, 8, 9, 11, 12, 14, 16, 17, 18, 19, 20, 22, 23, 28, 39, 43, 44, 45];
    let one = (prop::sample::select(&KINDS[..]), call()).prop_map(|(what, call)| Call { what, ..call });
    // Few users and the roles of the first separation, so that those in breach get and lose roles, or it allows less.
    let close = (prop::sample::select(&[17_u8, 18, 44][..]), 0..3_usize, prop::sample::select(&WIDE[..]), 0..8_u8);
    let close = close.prop_map(|(what, a, b, window)| match what {
        44 => Call { what, a: 0, b, window: window % 2 },
        _ => Call { what, a, b, window },
    });
    prop::collection::vec(prop_oneof![1 => call(), 4 => one, 6 => close], 1..4)
}

#[test]
fn r14_an_excess_that_a_release_causes_does_not_grow() {
    let (excesses, refused, tolerated) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let generous = Arc::new(CompiledCatalog::new(generous_catalog()));
    let cases = super::cases(25, 3_000);
    let separations = prop::collection::vec((0..26_usize, 0..8_u8), 3);
    // Assignments to users and groups, of any role and of `sys-viewer`.
    let roles = prop::collection::vec((prop_oneof![Just(17), Just(9)], call()), 3..9);
    let history = (separations, roles, prop::collection::vec(relevant(), 1..10));
    let run = |(separations, roles, steps): History| {
        let mut history = populated(RowBound::USUAL);
        for (a, (b, window)) in separations.into_iter().enumerate() {
            history.follow(&[Call { what: 42, a, b: if a == 0 { WIDE[2] } else { b }, window }]);
        }
        for (n, (what, call)) in roles.into_iter().enumerate() {
            let b = if n % 2 == 0 { 5 } else { call.b };
            history.follow(&[Call { what, b, ..call }]);
        }
        let session = Arc::new(generous.open());
        let mut records = history.records.clone();
        let mut present = Arc::new(build(&generous, &session, &records, history.present.position));
        for (n, calls) in steps.into_iter().enumerate() {
            let is_in_breach = !Snapshot(Arc::clone(&present)).at(at(0)).separation_violations().is_empty();
            excesses.fetch_add(usize::from(is_in_breach), Ordering::Relaxed);
            if n == 0 {
                // A plan of the release before, for the state as this one has it.
                let (plan, _) = outcome(&history.present, &calls);
                if let Ok(plan) = plan {
                    is_rebased_rightly(&plan, &present, &records, &generous);
                }
            }
            let (outcome, breaks) = outcome(&present, &calls);
            is_right(&outcome, breaks.as_ref());
            let Ok(plan) = outcome else {
                refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            is_rebased_rightly(&plan, &present, &records, &generous);
            after(&mut records, &plan);
            present = Arc::clone(&plan.next);
            let goes_on = !Snapshot(Arc::clone(&present)).at(at(0)).separation_violations().is_empty();
            tolerated.fetch_add(usize::from(goes_on && !plan.is_empty()), Ordering::Relaxed);
        }
        Ok(())
    };
    TestRunner::new(Config::with_cases(cases)).run(&history, run).unwrap();
    // The histories reach the situations that they are meant for.
    let least = usize::try_from(cases).unwrap() / 4;
    for count in [excesses, refused, tolerated].map(AtomicUsize::into_inner) {
        assert!(count > least, "{count}");
    }
}

/// A plan is rebased onto a state by the same rule.
fn is_rebased_rightly(
    plan: &Plan,
    base: &Arc<CompiledTenant>,
    records: &BTreeMap<RecordKey, Record>,
    catalog: &Arc<CompiledCatalog>,
) {
    let mut records = records.clone();
    after(&mut records, plan);
    let next = build(catalog, &Arc::new(catalog.open()), &records, plan.next.position);
    let breaks = newly_broken(&Snapshot(Arc::clone(base)), &Snapshot(Arc::new(next)));
    let is_about_something_else =
        |error: &Error| !matches!(error.kind(), ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed);
    let rebased = plan.rebase_onto(Arc::clone(base), context());
    if !rebased.as_ref().is_err_and(is_about_something_else) {
        is_right(&rebased, breaks.as_ref());
    }
}
