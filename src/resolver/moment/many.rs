//! Bulk checks: many questions, all on one moment.

use super::Moment;
use crate::resolver::snapshot::names::{AsPermission, AsUser};

impl Moment<'_> {
    /// Many checks, answered in the order of the questions, each as [`check`](Moment::check) answers it.
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
    /// Answers are matched to questions only by their order, so make exactly one question of each item. If you leave
    /// out a question, leave out its item, too. Each answer is computed when it is taken from the iterator, on the
    /// revision and at the instant of this moment, whatever is committed meanwhile.
    ///
    /// # Complexity
    /// That of each check. Allocates nothing beyond what the checks do.
    #[must_use = "answers come as they are asked for, and one that is not looked at protects nothing"]
    pub fn check_many<U: AsUser, P: AsPermission>(
        &self,
        questions: impl IntoIterator<Item = (U, P)>,
    ) -> impl Iterator<Item = bool> {
        questions.into_iter().map(|(user, permission)| self.check(user, permission))
    }
}
