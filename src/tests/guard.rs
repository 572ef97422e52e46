//! Random histories of guarded transactions, compared with the reference model's definition of R13.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::histories::{
    Call, GRANTS, INSTANTS, USERS, at, build, call, catalog, conflicting_catalog, make, next_catalog, populated,
};
use crate::model::catalog::Catalog;
use crate::model::records::{AssertionId, CommitId, Record, RecordKey, SeparationId, Status, UserId, Window};
use crate::model::reference::{Model, ModelGainer, ModelRight, covers};
use crate::plan::{CommitContext, Draft, Plan, Tx};
use crate::resolver::snapshot::CompiledTenant;
#[cfg(feature = "json")]
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::state::{RowBound, State};
use crate::{EntityKind, Error, ErrorKind, Result, error::RightKind};

fn context() -> CommitContext {
    CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 }
}

fn plan(base: &Arc<CompiledTenant>, calls: &[Call], guard: Option<&str>) -> Result<Plan> {
    let run = |tx: &Tx| -> Result<()> {
        if let Some(actor) = guard {
            tx.set_guard(actor);
        }
        for call in calls {
            drop(make(tx, call));
        }
        Ok(())
    };
    Tx::run(Draft::new(Arc::clone(base), context()), run).map(|((), plan)| plan)
}

fn after(records: &BTreeMap<RecordKey, Record>, plan: &Plan) -> Vec<Record> {
    let mut records = records.clone();
    for change in plan.changes() {
        match change.after() {
            Some(after) => drop(records.insert(change.key(), after.clone())),
            None => drop(records.remove(&change.key())),
        }
    }
    records.into_values().collect()
}

/// A right and what gains it, by the names after the plan: what an error has, too.
type Gain = (EntityKind, String, RightKind, String);

fn named(plan: &Plan, gainer: ModelGainer, right: ModelRight) -> Gain {
    let state = &plan.next.state;
    let role = |id: Uuid| state.roles.name_at(state.roles.by_id(id).unwrap()).to_owned();
    let (entity, name) = match gainer {
        ModelGainer::User(id) => {
            (EntityKind::User, state.users.name_at(state.user_by_id(id.as_uuid()).unwrap()).to_owned())
        }
        ModelGainer::Group(id) => {
            (EntityKind::Group, state.groups.name_at(state.groups.by_id(id.as_uuid()).unwrap()).to_owned())
        }
        ModelGainer::Role(id) => (EntityKind::Role, role(id.as_uuid())),
    };
    let (kind, right) = match right {
        ModelRight::Permission(_, slug) => (RightKind::Permission, slug.to_string()),
        ModelRight::Pattern(pattern) => (RightKind::Pattern, pattern.to_string()),
        ModelRight::UnavailablePermission(id) => {
            let number = state.permissions.by_id(id.as_uuid()).unwrap();
            (RightKind::UnavailablePermission, state.permissions.name_at(number).to_owned())
        }
        ModelRight::UnavailableRole(id) => (RightKind::UnavailableRole, role(id.as_uuid())),
    };
    (entity, name, kind, right)
}

fn loosened(plan: &Plan, id: SeparationId) -> Gain {
    let name = |state: &State| {
        state.separations.row(state.separations.by_id(id.as_uuid())?).map(|row| row.record.slug.to_string())
    };
    let before = name(&plan.base.state).unwrap();
    let after = name(&plan.next.state).unwrap_or_else(|| before.clone());
    (EntityKind::Separation, after, RightKind::LooserSeparation, before)
}

fn weakened(plan: &Plan, id: AssertionId) -> Gain {
    let name = |state: &State| {
        state.assertions.row(state.assertions.by_id(id.as_uuid())?).map(|row| row.record.slug.to_string())
    };
    let before = name(&plan.base.state).unwrap();
    let after = name(&plan.next.state).unwrap_or_else(|| before.clone());
    (EntityKind::Assertion, after, RightKind::LooserAssertion, before)
}

/// How many plans were refused and accepted, so that the histories are known to reach what they are meant for.
#[derive(Default)]
struct Met {
    accepted: AtomicUsize,
    gains: AtomicUsize,
    looser_separations: AtomicUsize,
    looser_assertions: AtomicUsize,
}

impl Met {
    fn add(&self, expected: &[BTreeSet<Gain>], twin: &Plan) {
        let has = |meant: &dyn Fn(RightKind) -> bool| expected.iter().flatten().any(|(_, _, kind, _)| meant(*kind));
        let looser = [RightKind::LooserSeparation, RightKind::LooserAssertion];
        let count = |counter: &AtomicUsize, is_met| counter.fetch_add(usize::from(is_met), Ordering::Relaxed);
        count(&self.accepted, !twin.changes.is_empty() && !has(&|_| true));
        count(&self.gains, has(&|kind| !looser.contains(&kind)));
        count(&self.looser_separations, has(&|kind| kind == looser[0]));
        count(&self.looser_assertions, has(&|kind| kind == looser[1]));
    }
}

/// The guard refuses a plan exactly if the reference model finds a gain that the actor does not hold, or a separation
/// or assertion that is loosened. It lists the right and the instants of each. A plan that breaks a separation is
/// refused before that.
fn agrees(
    base: &Arc<CompiledTenant>,
    records: &BTreeMap<RecordKey, Record>,
    catalog: &Catalog,
    calls: &[Call],
    actor: &str,
    met: &Met,
) -> Option<Plan> {
    let twin = match plan(base, calls, None) {
        Ok(twin) => twin,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed), "{error}");
            assert_eq!(plan(base, calls, Some(actor)).unwrap_err().kind(), error.kind());
            return None;
        }
    };
    let id = base.state.users.by_name(actor).and_then(|n| base.state.users.id_at(n)).unwrap_or_else(Uuid::new_v4);
    let (before, later): (Vec<Record>, _) = (records.values().cloned().collect(), after(records, &twin));
    let (before, later) = (Model::new(&before, catalog), Model::new(&later, catalog));
    let expected: Vec<BTreeSet<Gain>> = INSTANTS
        .map(|instant| {
            let gains = before.escalations(&later, UserId::from_uuid(id), at(instant));
            let gains = gains.into_iter().map(|(gainer, right)| named(&twin, gainer, right));
            let separations = before.loosened(&later).into_iter().map(|id| loosened(&twin, id));
            let assertions = before.weakened(&later).into_iter().map(|id| weakened(&twin, id));
            gains.chain(separations).chain(assertions).collect()
        })
        .into();
    let refused = expected.iter().any(|gains| !gains.is_empty());
    let check = |outcome: &Result<Plan>| match outcome {
        Ok(_) => assert!(!refused, "{actor} may not: {expected:?}"),
        Err(error) => {
            assert!(refused, "nothing is gained: {error}");
            lists_all(error, &expected);
        }
    };
    met.add(&expected, &twin);
    check(&plan(base, calls, Some(actor)));
    #[cfg(feature = "json")]
    replaced(base, &twin, actor).iter().for_each(check);
    // The same changes, judged again.
    let mut same = twin.clone();
    same.guards.clone_from(&guards_of(base, actor));
    let again = same.rebase_onto(Arc::clone(base), context());
    check(&again);
    again.ok()
}

/// The same changes by a document, which makes the tenant what it is after the plan. A document cannot have conflicts (R9).
#[cfg(feature = "json")]
fn replaced(base: &Arc<CompiledTenant>, twin: &Plan, actor: &str) -> Option<Result<Plan>> {
    let after = Snapshot(Arc::clone(&twin.next));
    if !after.conflicts().is_empty() {
        return None;
    }
    let mut document = after.export().unwrap();
    for manager in ["okta", "entra"] {
        document.act_for(manager).unwrap();
    }
    let plan = document.set_guard(actor).plan_on(Arc::clone(base), context());
    assert!(plan.iter().all(|plan| plan.changes == twin.changes));
    Some(plan)
}

fn guards_of(base: &Arc<CompiledTenant>, actor: &str) -> Vec<crate::plan::Guard> {
    plan(base, &[], Some(actor)).unwrap().guards
}

fn lists_all(error: &Error, expected: &[BTreeSet<Gain>]) {
    assert_eq!(error.kind(), ErrorKind::Escalation, "{error}");
    let missing = error.missing_rights();
    if error.unlisted() > 0 {
        return;
    }
    for (instant, gains) in INSTANTS.into_iter().zip(expected) {
        let listed = missing.iter().filter(|missing| {
            missing.windows.iter().any(|window| window.parse::<Window>().unwrap().contains(at(instant)))
        });
        let mut rights = BTreeSet::new();
        for missing in listed {
            let gain = (missing.entity, missing.name.clone(), missing.kind, missing.right.clone());
            assert!(gains.contains(&gain), "{missing} is not among the gains at {instant}: {gains:?}");
            rights.insert((missing.kind, missing.right.clone()));
        }
        let all: BTreeSet<_> = gains.iter().map(|(_, _, kind, right)| (*kind, right.clone())).collect();
        assert_eq!(rights, all, "{error} at {instant}");
    }
}

/// The rights that everybody can use at each instant: what somebody has by its key, and no rights for those who are
/// suspended.
fn usable(model: &Model<'_>, user: UserId, instant: i64) -> BTreeSet<ModelRight> {
    let is_active = model.users().any(|record| record.id == user && record.status == Status::Active);
    if is_active { model.rights(ModelGainer::User(user), at(instant)) } else { BTreeSet::new() }
}

/// Mostly calls that may give something, some of them for the directory that manages a user.
fn giving() -> impl Strategy<Value = Vec<Call>> {
    const KINDS: [u8; 25] =
        [4, 5, 7, 9, 12, 14, 17, 19, 19, 21, 21, 22, 23, 24, 34, 36, 40, 41, 43, 44, 45, 47, 47, 48, 49];
    let one = (prop::sample::select(&KINDS[..]), call()).prop_map(|(what, call)| Call { what, ..call });
    let calls = prop::collection::vec(prop_oneof![1 => call(), 3 => one], 1..5);
    (any::<bool>(), calls).prop_map(|(for_directory, mut calls)| {
        if for_directory {
            calls.insert(0, Call { what: 31, a: 0, b: 0, window: 0 });
        }
        calls
    })
}

fn steps() -> impl Strategy<Value = Vec<(usize, Vec<Call>)>> {
    prop::collection::vec((0..3_usize, giving()), 1..10)
}

/// The calls before, the actors, the roles they are given, the suspended and the managed user, a separation, and the calls
/// of each actor.
type Case = (Vec<Call>, Vec<&'static str>, Vec<(usize, u8)>, (usize, usize), u8, Vec<(usize, Vec<Call>)>);

#[test]
fn r13_guarded_transactions_give_nobody_what_no_actor_has() {
    let met = Met::default();
    let cases = super::cases(6, 3_000);
    let actors = prop::sample::subsequence(&USERS[..], 3);
    let powers = prop::collection::vec((0..GRANTS.len(), 0..8_u8), 3);
    let before = prop::collection::vec(call(), 0..40);
    let histories = (before, actors, powers, (0..USERS.len(), 0..USERS.len()), 0..8_u8, steps());
    let run = |(before, actors, powers, (suspended, managed), separation, steps): Case| {
        let mut history = populated(RowBound::USUAL);
        for call in before {
            history.follow(&[call]);
        }
        // Actors who hold something, some of them for a time only.
        for (role, (actor, (grant, window))) in [2, 3, 4].into_iter().zip(actors.iter().zip(powers)) {
            let user = USERS.iter().position(|user| user == actor).unwrap();
            let call = |what, a, b| Call { what, a, b, window };
            history.follow(&[call(2, role, 0), call(4, role, grant), call(17, user, role)]);
        }
        let call = |what, a, window| Call { what, a, b: 0, window };
        history.follow(&[call(19, suspended, 0)]);
        history.follow(&[call(31, 0, 0), call(32, managed, 1), call(41, managed, 2)]);
        history
            .follow(&[call(42, 0, separation), call(42, 1, separation + 1)].map(|call| Call { b: suspended, ..call }));
        let asserted = |a, window| call(48, a, window * 2 + 1);
        history.follow(
            &[asserted(0, separation % 4), asserted(1, separation / 2)].map(|call| Call { b: managed, ..call }),
        );
        let (catalog, next, conflicting) = (catalog(), next_catalog(), conflicting_catalog());
        let others = [next, conflicting].map(|other| (Arc::new(CompiledCatalog::new(other.clone())), other));
        let start: Vec<Record> = history.records.values().cloned().collect();
        let start = Model::new(&start, &catalog);
        // The actors are users, whatever they are called later.
        let mut ids = BTreeSet::new();
        for (actor, calls) in steps {
            let actor = actors[actor];
            for (compiled, other) in &others {
                let session = Arc::new(compiled.open());
                let base = Arc::new(build(compiled, &session, &history.records, history.present.position));
                agrees(&base, &history.records, other, &calls, actor, &met);
            }
            let base = Arc::clone(&history.present);
            let Some(plan) = agrees(&base, &history.records, &catalog, &calls, actor, &met) else { continue };
            ids.extend(base.state.users.by_name(actor).and_then(|n| base.state.users.id_at(n)).map(UserId::from_uuid));
            history.records_after(&plan);
            history.present = Arc::clone(&plan.next);
            let end: Vec<Record> = history.records.values().cloned().collect();
            let end = Model::new(&end, &catalog);
            assert_eq!(start.loosened(&end), BTreeSet::new());
            assert_eq!(start.weakened(&end), BTreeSet::new());
            for instant in INSTANTS {
                let of_actors: BTreeSet<ModelRight> =
                    ids.iter().flat_map(|actor| usable(&start, *actor, instant)).collect();
                for user in end.users() {
                    let was = start.users().find(|was| was.id == user.id && was.key == user.key);
                    let had = was.map(|was| usable(&start, was.id, instant)).unwrap_or_default();
                    for right in usable(&end, user.id, instant) {
                        let is_held = |rights: &BTreeSet<ModelRight>| {
                            rights.contains(&right) || rights.iter().any(|other| covers(other, &right))
                        };
                        assert!(is_held(&had) || is_held(&of_actors), "{} has {right:?} at {instant}", user.key);
                    }
                }
            }
        }
        Ok(())
    };
    TestRunner::new(ProptestConfig { source_file: Some(file!()), ..ProptestConfig::with_cases(cases) })
        .run(&histories, run)
        .unwrap();
    // The histories reach what they are meant for. In a short run, the two last ones may be missing.
    let cases = usize::try_from(cases).unwrap();
    let Met { accepted, gains, looser_separations, looser_assertions } = met;
    for (count, least) in
        [(accepted, cases / 2), (gains, cases / 2), (looser_separations, cases / 20), (looser_assertions, cases / 10)]
    {
        let count = count.into_inner();
        assert!(count >= least, "{count} of {cases}");
    }
}
