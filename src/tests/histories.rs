//! Random histories, checked against the reference model after every step.
//!
//! The advanced snapshot, one built from scratch and the reference model agree (A20). Lists, sets, explanations and
//! `who_can` agree with checks (A19).

mod answers;
mod calls;
mod history;
mod plans;

use std::cell::Cell;
use std::sync::Arc;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

pub(super) use self::calls::{
    Call, GRANTS, INSTANTS, PERMISSIONS, USERS, at, call, catalog, conflicting_catalog, make, next_catalog,
};
use self::calls::{GROUPS, ROLES, calls};
use self::history::BOUNDS;
pub(super) use self::history::{History, build, populated};
use self::plans::access_differences_agree;
use crate::model::records::CommitId;
use crate::plan::{CommitContext, RebaseConflict};
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::verify::{every_form_was_reached, verify};
use crate::{Decision, ErrorKind, Reason};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases(10, 10_000)))]
    /// A plan waits while others commit. Its rebase makes the same changes exactly if they fit on the records of that time
    /// and lead to a valid tenant. The state is then that of the records. Some of the others make calls of the plan.
    #[test]
    fn f27_a_rebased_plan_makes_the_same_changes_or_none(
        before in prop::collection::vec(call(), 0..30),
        waiting in prop::collection::vec(call(), 1..10),
        meanwhile in prop::collection::vec((call(), any::<prop::sample::Index>(), 0..8_u8), 0..12),
    ) {
        let mut history = populated(RowBound::USUAL);
        for call in before {
            history.follow(&[call]);
        }
        let plan = history.plan(&waiting);
        for (call, index, copied) in meanwhile {
            let same = index.get(&waiting).clone();
            let call = match copied {
                0 => same,
                1 => Call { b: call.b, ..same },
                2 => Call { what: call.what, ..same },
                _ => call,
            };
            history.follow(&[call]);
        }
        let expected = history.records_if_changed(&plan.changes);
        let context = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
        let base = Arc::clone(&history.present);
        match plan.rebase_onto(Arc::clone(&base), context) {
            Ok(rebased) => {
                prop_assert_eq!(rebased.changes(), plan.changes());
                prop_assert_eq!(rebased.base.position, base.position);
                prop_assert!(rebased.is_empty() || rebased.next.position.revision == base.position.revision.next());
                history.records_after(&rebased);
                prop_assert_eq!(Some(&history.records), expected.as_ref());
                verify(&rebased.next.state);
                history.agree_with_the_reference_model(&[&rebased.next]);
                access_differences_agree(&rebased, &plan);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Managed | ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed
                ) => {}
            Err(error) => {
                prop_assert!(expected.is_none(), "{} is refused: {:?}", error, plan.changes);
                prop_assert!(RebaseConflict::of(&error).is_some(), "{}", error);
            }
        }
    }
}

/// Explanations agree with the reference model about the past and the future of random organisations. Each kind of sentence
/// is met in many of them.
#[test]
fn f2_explanations_are_true_about_the_past_and_the_future() {
    let cases = super::cases(10, 10_000);
    let config = ProptestConfig { source_file: Some(file!()), ..ProptestConfig::with_cases(cases) };
    let met = Cell::new([0_u32; 4]);
    let one = |calls: Vec<Call>| {
        let mut history = populated(RowBound::USUAL);
        for call in calls {
            history.follow(&[call]);
        }
        history.reasons_agree_with_the_reference_model(&history.present);
        let snapshot = Snapshot(Arc::clone(&history.present));
        let mut found = [false; 4];
        for (user, permission) in USERS.iter().flat_map(|user| PERMISSIONS.map(|permission| (user, permission))) {
            for moment in INSTANTS.map(|instant| snapshot.at(at(instant))) {
                match moment.decide(*user, permission) {
                    Decision::Allowed => found[0] = true,
                    Decision::Denied(Reason::NotYetActive { .. }) => found[1] = true,
                    Decision::Denied(Reason::Expired { .. }) => found[2] = true,
                    Decision::Denied(Reason::NeverActive) => found[3] = true,
                    Decision::Denied(_) => {}
                }
            }
        }
        let before = met.get();
        met.set(std::array::from_fn(|n| before[n] + u32::from(found[n])));
        Ok(())
    };
    TestRunner::new(config).run(&prop::collection::vec(call(), 10..40), one).unwrap();
    println!("of {cases}: allowed, not yet, no longer, never: {:?}", met.get());
    assert!(cfg!(debug_assertions) || met.get().iter().all(|met| met * 100 >= cases), "{:?} of {cases}", met.get());
}

#[test]
fn a20_advanced_rebuilt_and_reference_agree_after_every_step() {
    // Not fewer in release: some forms are rare. Each of two threads tries half of them there.
    let cases = if cfg!(debug_assertions) { super::cases(1, 500) } else { 500 };
    let config = ProptestConfig { source_file: Some(file!()), ..ProptestConfig::with_cases(cases) };
    let histories = (calls(), prop::sample::select(&BOUNDS[..]));
    let one = |(history, bound): (Vec<Vec<Call>>, RowBound)| {
        let mut present = History::new(bound);
        match history.len() % 4 {
            // Above 128 columns, there are two ranges of tiles.
            1 => present.leave_free_columns(130),
            // Above column 255, a summary has no room.
            2 => present.leave_free_columns(257),
            _ => {}
        }
        // Begins with a populated tenant, so that most calls have an effect.
        let populate = |what, n| (0..n).map(move |a| Call { what, a, b: a, window: 7 });
        let start = populate(0, USERS.len()).chain(populate(1, GROUPS.len())).chain(populate(2, 5));
        present.step(&start.chain(populate(3, 2)).collect::<Vec<_>>());
        present.leave_a_gap();
        let edges = populate(4, 4).chain(populate(9, 3)).chain(populate(14, 3)).chain(populate(17, 2));
        present.step(&populate(3, 5).chain(edges).collect::<Vec<_>>());
        if history.len() % 4 == 0 {
            // One user with more sources than a summary has.
            let every = |what, count| (0..count).map(move |b| Call { what, a: 4, b, window: 7 });
            present.step(&every(14, GROUPS.len()).chain(every(17, ROLES.len())).collect::<Vec<_>>());
        }
        for calls in history {
            present.step(&calls);
        }
        Ok(())
    };
    let half = || TestRunner::new(config.clone()).run(&histories, one).unwrap();
    thread::scope(|scope| {
        let other = (!cfg!(debug_assertions)).then(|| scope.spawn(half));
        half();
        if let Some(other) = other {
            other.join().unwrap();
        }
    });
    if !cfg!(debug_assertions) {
        every_form_was_reached();
    }
}
