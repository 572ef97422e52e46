//! Times "who can do this", collected as UUIDs. Where a library has no such question, it is asked about every user.

use std::hint::black_box;
use std::time::Duration;

use uuid::Uuid;

use crate::app_data::AppData;
use crate::common::oracle::{Oracle, has};
use crate::peers::Peer;
use crate::race::{Effort, Timings, nanos, once};

const TURN: Duration = Duration::from_millis(40);
/// The longest time for asking a peer about each user. If all users take longer, it is asked about every n-th.
const LONGEST_CALL: Duration = Duration::from_millis(1_500);

/// Times the question for 16 permissions of the whole range. Compares the first answer of each peer.
pub(crate) fn race<const N: usize>(
    peers: &[&mut dyn Peer<N>],
    app_data: &AppData<'_, N>,
    oracle: &Oracle<N>,
    effort: Effort,
) -> Vec<Timings> {
    let step = app_data.organisation.size.permissions / 16;
    let mut all_timings: Vec<(Timings, usize)> =
        peers.iter().map(|peer| timings(&**peer, app_data, oracle, step)).collect();
    for round in 0..effort.rounds {
        for ((timings, every), peer) in all_timings.iter_mut().zip(peers) {
            let call = |number: u32| {
                let permission = (u32::try_from(round).unwrap() + number) % 16 * step;
                drop(black_box(who_can(&**peer, app_data, permission, *every)));
            };
            timings.turn(round, |turn| {
                // Warm up: the other contestants have used the cache.
                (1..turn).take(1).for_each(call);
                nanos(once(|| (0..turn).for_each(call))) / f64::from(turn) * *every as f64
            });
        }
    }
    let described = |(mut timings, every): (Timings, usize)| {
        timings.how = match every {
            1 => format!("median of {} turns of {}", timings.turn_count(), timings.turn),
            _ => format!("median of {} turns of 1; one user in {every} asked about; multiplied", timings.turn_count()),
        };
        timings
    };
    all_timings.into_iter().map(described).collect()
}

fn who_can<const N: usize>(peer: &dyn Peer<N>, app_data: &AppData<'_, N>, permission: u32, every: usize) -> Vec<Uuid> {
    peer.who_can(app_data, permission, &mut app_data.users().step_by(every))
}

fn timings<const N: usize>(
    peer: &dyn Peer<N>,
    app_data: &AppData<'_, N>,
    oracle: &Oracle<N>,
    permission: u32,
) -> (Timings, usize) {
    let users = app_data.organisation.users.len();
    let every = if peer.answers_for_all() {
        1
    } else {
        let some = users / 64;
        let took = once(|| drop(peer.who_can(app_data, permission, &mut app_data.users().step_by(64))));
        let all = took.as_secs_f64() / some as f64 * users as f64;
        (all / LONGEST_CALL.as_secs_f64()).ceil().max(1.0) as usize
    };
    let mut found = Vec::new();
    let took = once(|| found = who_can(peer, app_data, permission, every));
    let mut right: Vec<Uuid> = (app_data.users().step_by(every))
        .filter(|user| has(&oracle.rows[*user as usize], permission))
        .map(|user| app_data.uuid(user))
        .collect();
    found.sort_unstable();
    right.sort_unstable();
    assert!(found == right, "{} is wrong about who can do {permission}", peer.name());
    (Timings::new(peer.name(), took, TURN, 16), every)
}
