//! What is asked. Step 5 of the workload.

use super::Bed;
use super::oracle::{Bits, count, has};
use super::organisation::Size;
use super::stream::Stream;

/// May this user do this? And the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) user: u32,
    pub(crate) permission: u32,
    pub(crate) allowed: bool,
}

/// Whom the questions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The same 64 users.
    Hot,
    /// All users.
    Mixed,
}

/// Half of the questions are allowed and half denied, so who may do everything or nothing is not asked about.
pub(crate) fn draw<const N: usize>(bed: &Bed<N>, about: About) -> Vec<Question> {
    let (size, rows) = (bed.size, &bed.oracle.rows);
    let mut stream = bed.stream.clone();
    let askable = |stream: &mut Stream| loop {
        let user = stream.below(size.users);
        if (1..size.permissions).contains(&count(&rows[user as usize])) {
            return user;
        }
    };
    let mut hot: Vec<u32> = Vec::new();
    while about == About::Hot && hot.len() < 64 {
        let user = askable(&mut stream);
        if !hot.contains(&user) {
            hot.push(user);
        }
    }
    let mut one = || {
        let user = match about {
            About::Hot => hot[stream.below(64) as usize],
            About::Mixed => askable(&mut stream),
        };
        let row = &rows[user as usize];
        let allowed = stream.below(2) == 0;
        let held = count(row);
        let place = stream.below(if allowed { held } else { size.permissions - held });
        Question { user, permission: nth(row, size, allowed, place), allowed }
    };
    (0..size.questions).map(|_| one()).collect()
}

/// The permission at this place among those that the user has, or has not.
fn nth<const N: usize>(row: &Bits<N>, size: &Size, held: bool, place: u32) -> u32 {
    let mut found = (0..size.permissions).filter(|permission| has(row, *permission) == held);
    found.nth(place as usize).unwrap()
}
