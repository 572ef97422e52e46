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

    fn batch<U: AsUser, P: AsPermission>(&self, questions: impl Iterator<Item = (U, P)>) -> Answers {
        let snapshot = self.compiled();
        let scope = snapshot.scope();
        let sought: SmallVec<[_; BATCH]> =
            questions.map(|(user, permission)| (user.seek(scope), user, permission.met(scope))).collect();
        std::hint::black_box(sought.iter().fold(false, |all, (sought, _, _)| all ^ sought.touch()));
        let check = |(sought, user, permission)| match (U::settle(&user, sought), permission) {
            (Some(user), Some(permission)) => allows_found(&snapshot.state, user, permission, &self.when),
            _ => false,
        };
        let left = sought.len();
        let bits = (0..).zip(sought).fold(0, |bits, (at, one)| bits | (u64::from(check(one)) << at));
        Answers { bits: if self.answers() { bits } else { 0 }, left }
    }
}

/// The answers to a batch.
#[derive(Default)]
struct Answers {
    /// The next one in the lowest bit.
    bits: u64,
    left: usize,
}

impl Answers {
    /// The next one; where none is left, the first of another batch.
    fn next(&mut self, another: impl FnOnce() -> Self) -> Option<bool> {
        if self.left == 0 {
            *self = another();
        }
        self.left = self.left.checked_sub(1)?;
        let answer = self.bits & 1 == 1;
        self.bits >>= 1;
        Some(answer)
    }
}

/// The answers to many questions, all on one moment.
pub(crate) fn many<'a, U: AsUser, P: AsPermission>(
    moment: impl Borrow<Moment<'a>>,
    questions: impl IntoIterator<Item = (U, P)>,
) -> impl Iterator<Item = bool> {
    let (mut questions, mut answers) = (questions.into_iter(), Answers::default());
    std::iter::from_fn(move || answers.next(|| moment.borrow().batch(questions.by_ref().take(BATCH))))
}
