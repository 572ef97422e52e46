//! Times two changes: a user leaves a group, and a role loses a grant.
//!
//! Each change is undone after the measurement. After the first change of each kind, and after undoing it, the answers
//! are compared with the expected ones.

use std::time::Duration;

use crate::app_data::AppData;
use crate::common::oracle::{Bits, has};
use crate::common::questions::Question;
use crate::common::random::Random;
use crate::peers::Peer;
use crate::race::{Effort, Timings, nanos, once};

/// The kind of a change.
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

/// Times all contestants in turns. All make the same changes.
pub(crate) fn race<const N: usize>(
    peers: &mut [&mut dyn Peer<N>],
    app_data: &mut AppData<'_, N>,
    kind: ChangeKind,
    effort: Effort,
) -> Vec<Timings> {
    let mut all_timings: Vec<(Timings, Random)> = Vec::new();
    for peer in &mut *peers {
        let took = verified(&mut **peer, app_data, kind);
        all_timings.push((Timings::new(peer.name(), took, TURN, 64), Random::new(5)));
    }
    for round in 0..effort.rounds {
        for ((timings, draws), peer) in all_timings.iter_mut().zip(&mut *peers) {
            timings.turn(round, |turn| {
                let took = (0..turn).map(|_| {
                    let change = kind.draw(app_data, draws);
                    let took = kind.make(&mut **peer, app_data, change);
                    kind.undo(&mut **peer, app_data, change);
                    nanos(took)
                });
                took.sum::<f64>() / f64::from(turn)
            });
        }
    }
    let described = |(mut timings, _): (Timings, Random)| {
        timings.how = format!("median of {} turns of {}", timings.turn_count(), timings.turn);
        timings
    };
    all_timings.into_iter().map(described).collect()
}

impl ChangeKind {
    /// Draws a membership of an active user, or a grant that no pattern of the role covers.
    fn draw<const N: usize>(self, app_data: &AppData<'_, N>, draws: &mut Random) -> Change {
        let size = app_data.organisation.size;
        let one_of = |draws: &mut Random, list: &[u32]| list[draws.below(u32::try_from(list.len()).unwrap()) as usize];
        match self {
            Self::Leave => loop {
                let user = draws.below(size.users);
                if !app_data.groups_of(user).is_empty() {
                    return (user, one_of(draws, app_data.groups_of(user)));
                }
            },
            Self::Revoke => loop {
                let number = draws.below(size.roles);
                let role = &app_data.organisation.roles[number as usize];
                let permission = one_of(draws, &role.grants);
                if role.pattern != Some(permission / 10) {
                    return (number, permission);
                }
            },
        }
    }

    fn make<const N: usize>(self, peer: &mut dyn Peer<N>, app_data: &mut AppData<'_, N>, (a, b): Change) -> Duration {
        match self {
            Self::Leave => {
                app_data.leave(a, b);
                once(|| peer.leave(app_data, a, b))
            }
            Self::Revoke => {
                app_data.revoke(a, b);
                once(|| peer.revoke(app_data, a, b))
            }
        }
    }

    fn undo<const N: usize>(self, peer: &mut dyn Peer<N>, app_data: &mut AppData<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => {
                app_data.join(a, b);
                peer.join(app_data, a, b);
            }
            Self::Revoke => {
                app_data.grant(a, b);
                peer.grant(app_data, a, b);
            }
        }
    }
}

/// Makes the first change by which a user loses a permission, and compares the answers. Returns the time of the next
/// change.
fn verified<const N: usize>(peer: &mut dyn Peer<N>, app_data: &mut AppData<'_, N>, kind: ChangeKind) -> Duration {
    let mut draws = Random::new(4);
    let before = rows(app_data);
    loop {
        let change = kind.draw(app_data, &mut draws);
        kind.make_in_app(app_data, change);
        let after = rows(app_data);
        kind.undo_in_app(app_data, change);
        if before == after {
            continue;
        }
        kind.make(peer, app_data, change);
        compare(peer, app_data, &about(&before, &after, kind, change));
        kind.undo(peer, app_data, change);
        compare(peer, app_data, &about(&after, &before, kind, change));
        let change = kind.draw(app_data, &mut draws);
        let took = kind.make(peer, app_data, change);
        kind.undo(peer, app_data, change);
        return took;
    }
}

impl ChangeKind {
    fn make_in_app<const N: usize>(self, app_data: &mut AppData<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => app_data.leave(a, b),
            Self::Revoke => app_data.revoke(a, b),
        }
    }

    fn undo_in_app<const N: usize>(self, app_data: &mut AppData<'_, N>, (a, b): Change) {
        match self {
            Self::Leave => app_data.join(a, b),
            Self::Revoke => app_data.grant(a, b),
        }
    }
}

fn rows<const N: usize>(app_data: &AppData<'_, N>) -> Vec<Bits<N>> {
    let derived = app_data.derive();
    app_data.users().map(|user| app_data.row(user, &derived)).collect()
}

/// Returns 16 questions whose answers have changed and 16 whose answers have not.
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

fn compare<const N: usize>(peer: &dyn Peer<N>, app_data: &AppData<'_, N>, questions: &[Question]) {
    assert_eq!(questions.len(), 32, "some answers change and some do not");
    peer.asked(app_data, questions).verify(questions, 1);
}
