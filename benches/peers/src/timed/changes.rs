//! A user leaves a group, or a role loses a grant: what that costs whoever answers about it. Each change is taken back
//! afterwards, outside the measurement. The first of each kind is compared with the right answers, before and after it
//! is taken back.

use std::time::Duration;

use crate::common::oracle::{Bits, has};
use crate::common::questions::Question;
use crate::common::stream::Stream;
use crate::peers::Peer;
use crate::plain::Plain;
use crate::race::{Effort, Lane, nanos, once};

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// A user leaves a group.
    Leave,
    /// A role loses one grant.
    Revoke,
}

/// A user and a group, or a role and a permission.
type Change = (u32, u32);

const TURN: Duration = Duration::from_millis(10);

/// Times all in turns; everybody makes the same changes.
pub(crate) fn race<const N: usize>(
    peers: &mut [&mut dyn Peer<N>],
    plain: &mut Plain<'_, N>,
    kind: ChangeKind,
    effort: Effort,
) -> Vec<Lane> {
    let mut lanes: Vec<(Lane, Stream)> = Vec::new();
    for peer in &mut *peers {
        let took = proven(&mut **peer, plain, kind);
        lanes.push((Lane::new(peer.name(), took, TURN, 64), Stream::new(5)));
    }
    for round in 0..effort.rounds {
        for ((lane, draws), peer) in lanes.iter_mut().zip(&mut *peers) {
            lane.turn(round, |turn| {
                let took = (0..turn).map(|_| {
                    let change = kind.draw(plain, draws);
                    let took = kind.make(&mut **peer, plain, change);
                    kind.take_back(&mut **peer, plain, change);
                    nanos(took)
                });
                took.sum::<f64>() / f64::from(turn)
            });
        }
    }
    let told = |(mut lane, _): (Lane, Stream)| {
        lane.how = format!("median of {} turns of {}", lane.turn_count(), lane.turn);
        lane
    };
    lanes.into_iter().map(told).collect()
}

impl ChangeKind {
    /// A membership of an active user, or a grant that no pattern of the role repeats.
    fn draw<const N: usize>(self, plain: &Plain<'_, N>, draws: &mut Stream) -> Change {
        let size = plain.organisation.size;
        let one_of = |draws: &mut Stream, list: &[u32]| list[draws.below(u32::try_from(list.len()).unwrap()) as usize];
        match self {
            Self::Leave => loop {
                let user = draws.below(size.users);
                if !plain.groups_of(user).is_empty() {
                    return (user, one_of(draws, plain.groups_of(user)));
                }
            },
            Self::Revoke => loop {
                let number = draws.below(size.roles);
                let role = &plain.organisation.roles[number as usize];
                let permission = one_of(draws, &role.grants);
                if role.pattern != Some(permission / 10) {
                    return (number, permission);
                }
            },
        }
    }

    fn make<const N: usize>(self, peer: &mut dyn Peer<N>, plain: &mut Plain<'_, N>, (a, b): Change) -> Duration {
        match self {
            Self::Leave => {
                plain.leave(a, b);
                once(|| peer.leave(plain, a, b))
            }
            Self::Revoke => {
                plain.revoke(a, b);
                once(|| peer.revoke(plain, a, b))
            }
        }
    }

    fn take_back<const N: usize>(self, peer: &mut dyn Peer<N>, plain: &mut Plain<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => {
                plain.join(a, b);
                peer.join(plain, a, b);
            }
            Self::Revoke => {
                plain.grant(a, b);
                peer.grant(plain, a, b);
            }
        }
    }
}

/// Makes the first change by which somebody loses a permission, and asks about it. How long the next one takes.
fn proven<const N: usize>(peer: &mut dyn Peer<N>, plain: &mut Plain<'_, N>, kind: ChangeKind) -> Duration {
    let mut draws = Stream::new(4);
    let before = rows(plain);
    loop {
        let change = kind.draw(plain, &mut draws);
        kind.plainly(plain, change);
        let after = rows(plain);
        kind.plainly_back(plain, change);
        if before == after {
            continue;
        }
        kind.make(peer, plain, change);
        compare(peer, plain, &about(&before, &after, kind, change));
        kind.take_back(peer, plain, change);
        compare(peer, plain, &about(&after, &before, kind, change));
        let change = kind.draw(plain, &mut draws);
        let took = kind.make(peer, plain, change);
        kind.take_back(peer, plain, change);
        return took;
    }
}

impl ChangeKind {
    fn plainly<const N: usize>(self, plain: &mut Plain<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => plain.leave(a, b),
            Self::Revoke => plain.revoke(a, b),
        }
    }

    fn plainly_back<const N: usize>(self, plain: &mut Plain<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => plain.join(a, b),
            Self::Revoke => plain.grant(a, b),
        }
    }
}

fn rows<const N: usize>(plain: &Plain<'_, N>) -> Vec<Bits<N>> {
    let derived = plain.derive();
    plain.users().map(|user| plain.row(user, &derived)).collect()
}

/// 16 questions whose answers are others now, and 16 whose answers are the same, of the user or of the permission.
fn about<const N: usize>(before: &[Bits<N>], now: &[Bits<N>], kind: ChangeKind, (a, b): Change) -> Vec<Question> {
    let ask = |user: u32, permission: u32| {
        let (was_allowed, is_allowed) = (has(&before[user as usize], permission), has(&now[user as usize], permission));
        (Question { user, permission, allowed: is_allowed }, was_allowed != is_allowed)
    };
    let all: Vec<(Question, bool)> = match kind {
        ChangeKind::Leave => (0..u32::try_from(64 * N).unwrap()).map(|permission| ask(a, permission)).collect(),
        ChangeKind::Revoke => (0..u32::try_from(now.len()).unwrap()).map(|user| ask(user, b)).collect(),
    };
    let some = |other: bool| {
        let wanted = all.iter().filter(move |(_, differs)| *differs == other).map(|(question, _)| *question);
        wanted.collect::<Vec<_>>().into_iter().cycle().take(16)
    };
    some(true).chain(some(false)).collect()
}

fn compare<const N: usize>(peer: &dyn Peer<N>, plain: &Plain<'_, N>, questions: &[Question]) {
    assert_eq!(questions.len(), 32, "some answers change and some do not");
    peer.asked(plain, questions).verify(questions, 1);
}
