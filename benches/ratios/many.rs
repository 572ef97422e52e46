//! P5: `check_many`, compared with the same questions asked one by one.

use std::hint::black_box;

use super::common::Workload;
use super::common::questions::{self, About};
use super::table::{Goal, Table};
use super::{per, pick};

/// The number of questions in one call.
const BATCH: usize = 64;

pub(super) fn many<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    let held = workload.held();
    let handles: Vec<_> = (0..workload.size.permissions)
        .map(|p| held.permission_handle(super::common::organisation::slug(p)).unwrap())
        .collect();
    let ids = &workload.organisation.users;
    let list: Vec<_> = questions.iter().map(|q| (ids[q.user as usize].id, handles[q.permission as usize])).collect();
    assert!(held.check_many(list.iter().copied()).eq(questions.iter().map(|question| question.allowed)));
    let batches = u32::try_from(list.len() / BATCH).unwrap();
    let question = f64::from(u32::try_from(BATCH).unwrap());
    let turn = |answer: &dyn Fn(&[_]) -> usize| {
        let mut allowed = 0;
        let took = per(batches, |n| allowed += answer(&list[n * BATCH..(n + 1) * BATCH]));
        black_box(allowed);
        took / question
    };
    let mut race = table.race("P5", &format!("check_many/{}/uuid/mixed/throughput", workload.size.name));
    race.enter("one_by_one", || turn(&|batch| batch.iter().filter(|(user, p)| held.check(*user, *p)).count()));
    race.enter("rolecall", || turn(&|batch| held.check_many(batch.iter().copied()).filter(|allowed| *allowed).count()));
    race.run(21);
    let goal = pick(workload.size.name, [Goal::None, Goal::None, Goal::AtLeast(2.0)]);
    race.ratio("P5", "one_by_one", "rolecall", goal);
}
