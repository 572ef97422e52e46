//! P13: readers on two threads, and a reader beside a writer that never pauses, both through the `Tenant`.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::common::Workload;
use super::common::contestants::{Baselines, Form, QuestionTexts};
use super::common::questions::{self, About, Question};
use super::common::timing::{Contestant, TimingMode};
use super::common::writer::Writer;
use super::table::{Goal, Table};
use super::{named, nanos};

pub(super) fn threads<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    // The second thread starts half a list later. Otherwise each would find in the cache what the other just fetched.
    let mut away = questions.clone();
    away.rotate_left(questions.len() / 2);
    let (words, baselines) = (QuestionTexts::new(&[]), Baselines::new(workload, false));
    let ours = |questions| named(workload.ours(Form::Uuid, questions, &words), ["rolecall_tenant"]);
    let theirs = |questions| named(workload.baselines(Form::Uuid, questions, &baselines), ["by_hand_fast"]);
    let [mut one, mut two] = [(); 2].map(|()| ours(&questions).into_iter().chain(ours(&away)).collect::<Vec<_>>());
    let [mut hand_one, mut hand_two] =
        [(); 2].map(|()| theirs(&questions).into_iter().chain(theirs(&away)).collect::<Vec<_>>());
    let (mut beside, mut commits) = (ours(&questions), (0, 0.0));
    let mut race = table.race("P13", &format!("check/{}/uuid/mixed/throughput", workload.size.name));
    race.enter("tenant_1", || one_by_one(&mut one, &questions));
    race.enter("tenant_2", || on_threads(&mut two, &questions));
    race.enter("by_hand_1", || one_by_one(&mut hand_one, &questions));
    race.enter("by_hand_2", || on_threads(&mut hand_two, &questions));
    race.enter("beside_writer", || beside_a_writer(workload, &mut beside, &questions, &mut commits));
    race.run(15);
    race.gains("P13", ["tenant_1", "tenant_2"], ["by_hand_1", "by_hand_2"], Goal::AtLeast(0.95));
    race.ratio("P13", "tenant_1", "beside_writer", Goal::AtLeast(0.85));
    drop(race);
    let (made, took) = commits;
    if made > 0 {
        println!("     the writer made {made} commits, one every {:.2} µs", took / f64::from(made) / 1e3);
    }
}

/// Runs the contestants one after the other. Two threads are compared with this.
fn one_by_one(contestants: &mut [Contestant<'_>], questions: &[Question]) -> f64 {
    let times = contestants.chunks_mut(1).map(|contestant| on_threads(contestant, questions));
    times.sum::<f64>() / 2.0
}

/// Runs each contestant on its own thread with the whole list. Returns the time divided by the number of all questions.
fn on_threads(contestants: &mut [Contestant<'_>], questions: &[Question]) -> f64 {
    let (count, start) = (contestants.len(), Barrier::new(contestants.len()));
    let run = |contestant: &mut Contestant<'_>| {
        // Warm up with the whole list, so that the cache contains as much for every contestant.
        contestant.run(TimingMode::Throughput, questions.len() as u64);
        start.wait();
        nanos(contestant.run(TimingMode::Throughput, questions.len() as u64))
    };
    let times: Vec<f64> = std::thread::scope(|scope| {
        let spawn = |contestant| scope.spawn(|| run(contestant));
        let threads: Vec<_> = contestants.iter_mut().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let slowest = times.into_iter().fold(0.0, f64::max);
    slowest / f64::from(u32::try_from(questions.len() * count).unwrap())
}

/// Runs a reader while a writer commits one member at a time. After every sixteen, the writer removes them in one more
/// commit. Adds the number of commits and their time in nanoseconds to `commits`.
fn beside_a_writer<const N: usize>(
    workload: &Workload<N>,
    reader: &mut [Contestant<'_>],
    questions: &[Question],
    commits: &mut (u32, f64),
) -> f64 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut writer = Writer::new(&workload.tenant, &workload.organisation);
            let (mut made, start) = (0, Instant::now());
            while !over.load(Ordering::Relaxed) {
                writer.members(16);
                made += 16 + 1;
            }
            (made, nanos(start.elapsed()))
        });
        let took = on_threads(reader, questions);
        over.store(true, Ordering::Relaxed);
        let (made, busy) = writing.join().unwrap();
        assert!(made > 0, "the writer made no commit");
        *commits = (commits.0 + made, commits.1 + busy);
        took
    })
}
