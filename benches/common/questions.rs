//! Draws the questions: step 5 of the workload.

use super::Workload;
use super::oracle::{Bits, count, has};
use super::organisation::Size;
use super::random::Random;

/// A question: may this user do this? And the expected answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) user: u32,
    pub(crate) permission: u32,
    pub(crate) allowed: bool,
}

/// The users that the questions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The same 64 users.
    Hot,
    /// All users.
    Mixed,
}

/// Draws questions, half of them allowed and half denied. Users who may do everything or nothing are left out.
pub(crate) fn draw<const N: usize>(workload: &Workload<N>, about: About) -> Vec<Question> {
    let (size, rows) = (workload.size, &workload.oracle.rows);
    let mut random = workload.random.clone();
    let askable = |random: &mut Random| loop {
        let user = random.below(size.users);
        if (1..size.permissions).contains(&count(&rows[user as usize])) {
            return user;
        }
    };
    let mut hot: Vec<u32> = Vec::new();
    while about == About::Hot && hot.len() < 64 {
        let user = askable(&mut random);
        if !hot.contains(&user) {
            hot.push(user);
        }
    }
    let mut one = || {
        let user = match about {
            About::Hot => hot[random.below(64) as usize],
            About::Mixed => askable(&mut random),
        };
        let row = &rows[user as usize];
        let allowed = random.below(2) == 0;
        let held = count(row);
        let place = random.below(if allowed { held } else { size.permissions - held });
        Question { user, permission: nth(row, size, allowed, place), allowed }
    };
    (0..size.questions).map(|_| one()).collect()
}

/// Returns the n-th of the permissions that the user has (`held`) or does not have.
fn nth<const N: usize>(row: &Bits<N>, size: &Size, held: bool, place: u32) -> u32 {
    let mut found = (0..size.permissions).filter(|permission| has(row, *permission) == held);
    found.nth(place as usize).unwrap()
}
