//! Who can do something, collected as UUIDs: the library's own question where it has one, else every user is asked.

use std::hint::black_box;
use std::time::Duration;

use uuid::Uuid;

use crate::common::oracle::{Oracle, has};
use crate::peers::Peer;
use crate::plain::Plain;
use crate::race::{Effort, Lane, nanos, once};

const TURN: Duration = Duration::from_millis(40);
/// The longest shot at a peer that is asked about each user; if all users take longer, every n-th is asked.
const SHOT: Duration = Duration::from_millis(1_500);

/// Times looks at 16 permissions of the whole range; the first answer of each peer is compared.
pub(crate) fn race<const N: usize>(
    peers: &[&mut dyn Peer<N>],
    plain: &Plain<'_, N>,
    oracle: &Oracle<N>,
    effort: Effort,
) -> Vec<Lane> {
    let step = plain.organisation.size.permissions / 16;
    let mut lanes: Vec<(Lane, usize)> = peers.iter().map(|peer| lane(&**peer, plain, oracle, step)).collect();
    for round in 0..effort.rounds {
        for ((lane, every), peer) in lanes.iter_mut().zip(peers) {
            let shot = |number: u32| {
                let permission = (u32::try_from(round).unwrap() + number) % 16 * step;
                drop(black_box(ask(&**peer, plain, permission, *every)));
            };
            lane.turn(round, |turn| {
                // The others have been in the cache meanwhile.
                (1..turn).take(1).for_each(shot);
                nanos(once(|| (0..turn).for_each(shot))) / f64::from(turn) * *every as f64
            });
        }
    }
    let told = |(mut lane, every): (Lane, usize)| {
        lane.how = match every {
            1 => format!("median of {} turns of {}", lane.turn_count(), lane.turn),
            _ => format!("median of {} turns of 1; one user in {every} asked about; multiplied", lane.turn_count()),
        };
        lane
    };
    lanes.into_iter().map(told).collect()
}

fn ask<const N: usize>(peer: &dyn Peer<N>, plain: &Plain<'_, N>, permission: u32, every: usize) -> Vec<Uuid> {
    peer.who_can(plain, permission, &mut plain.users().step_by(every))
}

fn lane<const N: usize>(
    peer: &dyn Peer<N>,
    plain: &Plain<'_, N>,
    oracle: &Oracle<N>,
    permission: u32,
) -> (Lane, usize) {
    let users = plain.organisation.users.len();
    let every = if peer.answers_at_once() {
        1
    } else {
        let some = users / 64;
        let took = once(|| drop(peer.who_can(plain, permission, &mut plain.users().step_by(64))));
        let all = took.as_secs_f64() / some as f64 * users as f64;
        (all / SHOT.as_secs_f64()).ceil().max(1.0) as usize
    };
    let mut told = Vec::new();
    let took = once(|| told = ask(peer, plain, permission, every));
    let mut right: Vec<Uuid> = (plain.users().step_by(every))
        .filter(|user| has(&oracle.rows[*user as usize], permission))
        .map(|user| plain.uuid(user))
        .collect();
    told.sort_unstable();
    right.sort_unstable();
    assert!(told == right, "{} is wrong about who can do {permission}", peer.name());
    (Lane::new(peer.name(), took, TURN, 16), every)
}
