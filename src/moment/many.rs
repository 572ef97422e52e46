//! Many questions at once. The same check; what differs is the order of the reads: first it is worked out where the users
//! of a batch lie, then a word is read at each of these places, so that their cache lines come at the same time, then
//! each question is decided.

use std::borrow::Borrow;

use smallvec::SmallVec;

use super::Moment;
use crate::check::allows_found;
use crate::snapshot::names::{AsPermission, AsUser};

/// How many questions are looked at together: their answers are the bits of a word.
const BATCH: usize = 64;

impl Moment<'_> {
    /// Many checks, answered in the order in which they are asked, each as [`check`](Moment::check) answers it.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let users = ["alice", "bob"];
    /// let now = acme.now();
    /// let answers = now.check_many(users.map(|user| (user, "posts:read")));
    /// let may_read: Vec<&str> = users.into_iter().zip(answers).filter(|(_, may)| *may).map(|(user, _)| user).collect();
    /// assert_eq!(may_read, ["alice"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// That of each check, and no allocation beside theirs. Questions are taken from the iterator 64 at a time. Users by
    /// id are fetched from memory together, which pays where a tenant does not fit in the cache.
    #[must_use = "answers come as they are asked for, and one that is not looked at protects nothing"]
    pub fn check_many<U: AsUser, P: AsPermission>(
        &self,
        questions: impl IntoIterator<Item = (U, P)>,
    ) -> impl Iterator<Item = bool> {
        many(self, questions)
    }

    /// The answers to a batch, the first in the lowest bit, and how many they are.
    fn batch<U: AsUser, P: AsPermission>(&self, questions: impl Iterator<Item = (U, P)>) -> (u64, usize) {
        let snapshot = self.compiled();
        let scope = snapshot.scope();
        let sought: SmallVec<[_; BATCH]> =
            questions.map(|(user, permission)| (user.seek(scope), user, permission.met(scope))).collect();
        std::hint::black_box(sought.iter().fold(false, |all, (sought, _, _)| all ^ sought.touch()));
        let check = |(sought, user, permission)| match (U::settle(&user, sought), permission) {
            (Some(user), Some(permission)) => allows_found(&snapshot.state, user, permission, &self.when),
            _ => false,
        };
        let count = sought.len();
        let answers = (0..).zip(sought).fold(0, |answers, (at, one)| answers | (u64::from(check(one)) << at));
        (if self.answers() { answers } else { 0 }, count)
    }
}

/// The answers to many questions, all on one moment.
pub(crate) fn many<'a, U: AsUser, P: AsPermission>(
    moment: impl Borrow<Moment<'a>>,
    questions: impl IntoIterator<Item = (U, P)>,
) -> impl Iterator<Item = bool> {
    let mut questions = questions.into_iter();
    let (mut answers, mut left) = (0_u64, 0);
    std::iter::from_fn(move || {
        if left == 0 {
            (answers, left) = moment.borrow().batch(questions.by_ref().take(BATCH));
        }
        left = left.checked_sub(1)?;
        let answer = answers & 1 == 1;
        answers >>= 1;
        Some(answer)
    })
}
