//! A model of commits inside the application's own transaction, of which every reachable state is visited.
//!
//! One tenant, one authorizer, the application with one transaction, another process, and a store with row locks. The
//! other process commits, answers get lost, connections break, processes die. `model.rs` has the steps and the rules,
//! this file visits the states and checks the promises. Each rule is then left out once, and some promise must notice.
//!
//! The model knows revisions and commit ids, no records. The simulation runs the real code against the same promises.

#![expect(clippy::indexing_slicing, reason = "a test says so by failing")]

mod model;

use std::collections::HashSet;

use model::{ALL_RULES, Availability, Known, RULES, Rule, STAGED, Transaction, World};

/// Everything that must hold in every state.
fn broken_promise(world: &World) -> Option<&'static str> {
    let authorizer = &world.authorizer;
    let serves = authorizer.availability == Availability::Serving;
    if let Some(promise) = world.broken {
        return Some(promise);
    }
    if serves && !world.log.starts_with(&authorizer.snapshot) {
        return Some("a tenant answers from what the store never had");
    }
    if authorizer.told == Some(Known::Committed) && !world.log.contains(&STAGED) {
        return Some("reported as committed, and the store does not have it");
    }
    if authorizer.told == Some(Known::Aborted) && world.log.contains(&STAGED) {
        return Some("reported as not committed, and it is committed");
    }
    if authorizer.told == Some(Known::Committed) && serves && !authorizer.snapshot.contains(&STAGED) {
        return Some("finish has returned, and the tenant is behind it");
    }
    if world.log.contains(&STAGED) != world.has_application_row {
        return Some("the application's row without the commit, or the commit without the row");
    }
    if serves && authorizer.is_dropped && world.is_undecided() {
        return Some("a tenant answers while the outcome of a dropped commit is unknown");
    }
    if !serves && authorizer.pending.is_none() {
        return Some("a tenant is out of service, and nobody will resolve it");
    }
    None
}

/// Whether a tenant serves again, on the latest state, once the store is well and every transaction has ended.
fn recovers(world: &World) -> bool {
    let mut world = world.clone();
    world.quieten();
    for _ in 0..40 {
        if world.is_at_rest() {
            return world.authorizer.availability == Availability::Serving;
        }
        let mut steps = world.steps();
        if steps.is_empty() {
            return false;
        }
        world = steps.swap_remove(0).1;
    }
    false
}

/// Visits every state. Returns their number, or the first promise that is broken, with a shortest history.
fn explore(rules: u32) -> Result<usize, (&'static str, Vec<&'static str>)> {
    let start = World::new(rules);
    let mut seen = HashSet::from([start.clone()]);
    let mut states: Vec<(World, usize, &'static str)> = vec![(start, 0, "start")];
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

#[test]
fn every_promise_holds_in_every_state() {
    match explore(ALL_RULES) {
        Ok(states) => {
            println!("{states} states");
            assert!(states > 10_000, "only {states} states");
        }
        Err((promise, history)) => panic!("{promise}: {history:#?}"),
    }
}

#[test]
fn each_rule_is_needed() {
    let mut unnoticed = Vec::new();
    for (rule, text) in RULES {
        match explore(ALL_RULES & !rule.bit()) {
            Ok(_) => unnoticed.push(*rule),
            Err((promise, history)) => println!("without `{text}`: {promise} ({} steps)", history.len()),
        }
    }
    assert_eq!(unnoticed, [] as [Rule; 0]);
}

/// A model that cannot reach a situation proves nothing about it.
#[test]
fn every_situation_is_reached() {
    let start = World::new(ALL_RULES);
    let (mut seen, mut stack) = (HashSet::from([start.clone()]), vec![start]);
    let mut reached = [false; 8];
    while let Some(world) = stack.pop() {
        let authorizer = &world.authorizer;
        let situations = [
            authorizer.told == Some(Known::Committed),
            authorizer.told == Some(Known::Aborted),
            authorizer.availability == Availability::InDoubt && world.transaction == Transaction::Open,
            authorizer.availability == Availability::InDoubt && world.log.contains(&STAGED),
            world.transaction == Transaction::Abandoned && authorizer.is_dropped,
            world.transaction == Transaction::Committing && authorizer.pending.is_some(),
            world.late_empty.is_some(),
            world.has_restarted && world.log.contains(&STAGED),
        ];
        reached.iter_mut().zip(situations).for_each(|(reached, now)| *reached |= now);
        stack.extend(world.steps().into_iter().map(|(_, world)| world).filter(|world| seen.insert(world.clone())));
    }
    assert_eq!(reached, [true; 8]);
}
