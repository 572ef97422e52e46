//! A model of commits inside the application's own transaction, of which every reachable state is visited.
//!
//! One tenant, a store with row locks, and one of two worlds:
//!
//! - **one**: a process with an authorizer, its application with one transaction, and another writer that commits at any
//!   time. Every fault may happen twice.
//! - **two**: two such processes, each with a transaction of its own. One waits for the row that the other has locked,
//!   both are in doubt at once, and the empty commit of one decides for the other. A fault may happen once in all, and
//!   one update in all, so that every state can be visited.
//!
//! Answers get lost, connections break, processes die. `model.rs` has the steps and the rules, this file visits the states
//! and checks the promises. Each rule is then left out once in each world, and some promise must notice. The second world is
//! visited in release only.
//!
//! The model knows revisions and commit ids, no records. The simulation runs the real code against the same promises.

#![expect(clippy::indexing_slicing, reason = "a test says so by failing")]

mod model;

use std::collections::HashSet;

use model::{ALL_RULES, Availability, Known, Process, RULES, Rule, Transaction, World};

/// Everything that must hold in every state.
fn broken_promise(world: &World) -> Option<&'static str> {
    world.broken.or_else(|| world.processes.iter().find_map(|process| broken_for(world, process)))
}

fn broken_for(world: &World, process: &Process) -> Option<&'static str> {
    let authorizer = &process.authorizer;
    let serves = authorizer.availability == Availability::Serving;
    let is_committed = world.log.contains(&process.staged);
    if serves && !world.log.starts_with(&authorizer.snapshot) {
        return Some("a tenant answers from what the store never had");
    }
    if authorizer.told == Some(Known::Committed) && !is_committed {
        return Some("reported as committed, and the store does not have it");
    }
    if authorizer.told == Some(Known::Aborted) && is_committed {
        return Some("reported as not committed, and it is committed");
    }
    if authorizer.told == Some(Known::Committed) && serves && !authorizer.snapshot.contains(&process.staged) {
        return Some("finish has returned, and the tenant is behind it");
    }
    if is_committed != process.has_application_row {
        return Some("the application's row without the commit, or the commit without the row");
    }
    if serves && authorizer.is_dropped && world.is_undecided(process) {
        return Some("a tenant answers while the outcome of a dropped commit is unknown");
    }
    if !serves && authorizer.pending.is_none() {
        return Some("a tenant is out of service, and nobody will resolve it");
    }
    None
}

/// Whether the tenant serves again in each process, on a state of the store, once the store is well and every
/// transaction has ended.
fn recovers(world: &World) -> bool {
    let mut world = world.clone();
    world.quieten();
    for _ in 0..40 * world.processes.len() {
        if world.is_at_rest() {
            return world.processes.iter().all(|process| process.authorizer.availability == Availability::Serving);
        }
        let mut steps = world.steps();
        if steps.is_empty() {
            return false;
        }
        world = steps.swap_remove(0).1;
    }
    false
}

/// The steps to a state: the process of each, and its name.
type History = Vec<(usize, &'static str)>;

/// Visits every state. Returns their number, or the first promise that is broken, with a shortest history.
fn explore(start: World) -> Result<usize, (&'static str, History)> {
    let mut seen = HashSet::from([start.clone()]);
    let mut states: Vec<(World, usize, (usize, &'static str))> = vec![(start, 0, (0, "start"))];
    let mut next = 0;
    while next < states.len() {
        for (step, world) in states[next].0.steps() {
            if !seen.insert(world.clone()) {
                continue;
            }
            let broken = broken_promise(&world);
            let broken = broken.or_else(|| (!recovers(&world)).then_some("a tenant does not come back"));
            states.push((world, next, step));
            if let Some(promise) = broken {
                let (mut at, mut history) = (states.len() - 1, Vec::new());
                while at != 0 {
                    history.push(states[at].2);
                    at = states[at].1;
                }
                history.reverse();
                return Err((promise, history));
            }
        }
        next += 1;
    }
    Ok(states.len())
}

/// Both worlds, with the least number of states that they must have.
type Start = fn(u32) -> World;
const STARTS: [(&str, Start, usize); 2] = [("one", World::with_one, 10_000), ("two", World::with_two, 100_000)];

/// The worlds that are visited here: the second takes long without optimisation.
fn starts() -> impl Iterator<Item = (&'static str, Start, usize)> {
    STARTS.into_iter().take(if cfg!(debug_assertions) { 1 } else { 2 })
}

#[test]
fn every_promise_holds_in_every_state() {
    for (name, start, least) in starts() {
        match explore(start(ALL_RULES)) {
            Ok(states) => {
                println!("{name}: {states} states");
                assert!(states > least, "{name}: only {states} states");
            }
            Err((promise, history)) => panic!("{name}: {promise}: {history:#?}"),
        }
    }
}

#[test]
fn each_rule_is_needed() {
    let mut unnoticed = Vec::new();
    for (name, start, _) in starts() {
        for (rule, text) in RULES {
            match explore(start(ALL_RULES & !rule.bit())) {
                Ok(_) => unnoticed.push((name, *rule)),
                Err((promise, history)) => println!("{name}, without `{text}`: {promise} ({} steps)", history.len()),
            }
        }
    }
    assert_eq!(unnoticed, [] as [(&str, Rule); 0]);
}

/// Which of the situations any state is in. It stops when each was met.
fn reached<const N: usize>(start: World, situations: fn(&World) -> [bool; N]) -> [bool; N] {
    let (mut seen, mut stack) = (HashSet::from([start.clone()]), vec![start]);
    let mut reached = [false; N];
    while let Some(world) = stack.pop().filter(|_| reached != [true; N]) {
        reached.iter_mut().zip(situations(&world)).for_each(|(reached, now)| *reached |= now);
        stack.extend(world.steps().into_iter().map(|(_, world)| world).filter(|world| seen.insert(world.clone())));
    }
    reached
}

/// A model that cannot reach a situation proves nothing about it.
#[test]
fn every_situation_is_reached() {
    let of_one = |world: &World| {
        let process = &world.processes[0];
        let authorizer = &process.authorizer;
        [
            authorizer.told == Some(Known::Committed),
            authorizer.told == Some(Known::Aborted),
            authorizer.availability == Availability::InDoubt && process.transaction == Transaction::Open,
            authorizer.availability == Availability::InDoubt && world.log.contains(&process.staged),
            process.transaction == Transaction::Abandoned && authorizer.is_dropped,
            process.transaction == Transaction::Committing && authorizer.pending.is_some(),
            process.late_empty.is_some(),
            process.has_restarted && world.log.contains(&process.staged),
        ]
    };
    assert_eq!(reached(World::with_one(ALL_RULES), of_one), [true; 8]);
    let of_two = |world: &World| {
        let [one, two] = &world.processes[..] else { panic!("two processes") };
        let is_in_doubt = |process: &Process| process.authorizer.availability == Availability::InDoubt;
        let base = |process: &Process| process.authorizer.pending.map(|(_, base)| base);
        let found = |process: &Process, id: u8| base(process).and_then(|base| world.log.get(base)) == Some(&id);
        [
            is_in_doubt(one) && is_in_doubt(two) && base(one) == base(two),
            one.authorizer.stage.is_some() && two.transaction == Transaction::Open,
            is_in_doubt(one) && two.transaction == Transaction::Open,
            // The commit that makes the next revision for one process decides for the other, too.
            found(one, two.empty),
            found(one, two.staged),
            one.late_empty.is_some() && found(two, one.empty),
            one.authorizer.told == Some(Known::Committed) && two.authorizer.told == Some(Known::Committed),
        ]
    };
    assert_eq!(reached(World::with_two(ALL_RULES), of_two), [true; 7]);
}
