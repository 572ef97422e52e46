//! Many questions at once. The same check; what differs is the order of the reads: first it is worked out where the users
//! of a batch lie, then a word is read at each of these places, so that their cache lines come at the same time, then
//! each question is decided.

use std::borrow::Borrow;
use std::marker::PhantomData;

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
    /// An answer belongs to a question by its place alone, so make exactly one question of each item: what is left out of
    /// the questions must be left out of the items, too. Answers are worked out as they are taken, all on the revision
    /// and at the instant of this moment, whatever is committed meanwhile.
    ///
    /// # Complexity
    /// That of each check, and no allocation beside theirs. Questions are taken from the iterator 64 at a time. Users by
    /// id are fetched from memory together: at a million users that halves the time of a question, at a hundred thousand
    /// it makes no difference, and where a tenant fits in the nearest cache a question takes a quarter longer.
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
    Many { moment, questions: questions.into_iter(), answers: Answers::default(), of: PhantomData }
}

struct Many<'a, M, Q> {
    moment: M,
    questions: Q,
    answers: Answers,
    of: PhantomData<&'a ()>,
}

impl<'a, M, Q, U, P> Iterator for Many<'a, M, Q>
where
    M: Borrow<Moment<'a>>,
    Q: Iterator<Item = (U, P)>,
    U: AsUser,
    P: AsPermission,
{
    type Item = bool;

    fn next(&mut self) -> Option<bool> {
        let Self { moment, questions, answers, .. } = self;
        answers.next(|| (*moment).borrow().batch(questions.by_ref().take(BATCH)))
    }

    /// As exact as that of the questions.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.questions.size_hint();
        (least.saturating_add(self.answers.left), most.and_then(|most| most.checked_add(self.answers.left)))
    }
}
