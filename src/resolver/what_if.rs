//! What if: two states of a tenant, or a tenant and a document, compared user by user and answer by answer.
//!
//! Users are matched by key and permissions by slug, because that is how an application asks. So the two snapshots may
//! belong to different tenants. One is imported from a document, and the other is the tenant that it would replace.
//!
//! Deliberately absent: what one plan does beside another, which
//! [`Plan::access_differences`](crate::Plan::access_differences) compares by id.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::iter::Peekable;

use serde::Serialize;
use uuid::Uuid;

use super::bits::Bits;
use super::explain::Decision;
use super::snapshot::Snapshot;
use super::snapshot::entity_rows::UserRow;
use super::snapshot::walk::window_ends;
use crate::model::error::Quoted;
use crate::model::records::{PermissionRecord, Slug, Timestamp, UserId, UserKey, Window};

/// The permissions that a user has in only one of two states, and when. See [`Snapshot::compare_access`].
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:write")?;
/// #     tx.create_user("alice")?.assign("editor")?.done()
/// # })?;
/// let (_, plan) = acme.plan(|tx| tx.delete_role("editor"))?;
/// let (before, after) = (plan.base(), plan.preview());
/// let lines: Vec<String> = before.compare_access(&after, plan.instant()).map(|change| change.to_string()).collect();
/// assert_eq!(lines, ["user `alice` loses `posts:write`"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserAccessChange {
    /// The key of the user.
    pub user: UserKey,
    /// The permissions that the user has in the second state only.
    pub gained: Vec<PermissionWindows>,
    /// The permissions that the user has in the first state only.
    pub lost: Vec<PermissionWindows>,
}

/// A permission, and when it is gained or lost. See [`UserAccessChange`].
///
/// ```
/// use rolecall::{Timestamp, Window};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:write")?;
/// #     tx.create_user("alice")?.done()
/// # })?;
/// let end: Timestamp = "2999-01-01T00:00:00Z".parse()?;
/// let (_, plan) = acme.plan(|tx| tx.user("alice")?.assign_during("editor", Window::until(end))?.done())?;
/// let change = plan.base().compare_access(&plan.preview(), plan.instant()).next().expect("alice gains something");
/// let gained = &change.gained[0];
/// assert_eq!((gained.permission.as_str(), &gained.windows[..]), ("posts:write", &[Window::until(end)][..]));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PermissionWindows {
    /// The slug of the permission.
    pub permission: Slug,
    /// When, in order. The time before the comparison does not count, so a first window without a beginning is one that
    /// has begun.
    pub windows: Vec<Window>,
}

/// A question of the past: may this user do this? See [`Snapshot::replay`].
///
/// ```
/// use rolecall::what_if::Question;
///
/// let question = Question::new("alice", "posts:write");
/// assert_eq!((&*question.user, question.at), ("alice", None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Question {
    /// The key of the user.
    pub user: String,
    /// The slug of the permission.
    pub permission: String,
    /// The instant. `None` for the one that the replay is given.
    pub at: Option<Timestamp>,
}

impl Question {
    /// Makes a question about the instant that the replay is given.
    ///
    /// ```
    /// # use rolecall::what_if::Question;
    /// assert_eq!(Question::new("alice", "posts:write").permission, "posts:write");
    /// ```
    pub fn new(user: impl Into<String>, permission: impl Into<String>) -> Self {
        Self { user: user.into(), permission: permission.into(), at: None }
    }

    /// Makes a question about an instant.
    ///
    /// ```
    /// # use rolecall::{Timestamp, what_if::Question};
    /// let question = Question::new("alice", "posts:write").at(Timestamp::UNIX_EPOCH);
    /// assert_eq!(question.at, Some(Timestamp::UNIX_EPOCH));
    /// ```
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }
}

/// A question that two states answer differently. See [`Snapshot::replay`].
///
/// ```
/// use rolecall::what_if::Question;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:write")?;
/// #     tx.create_user("alice")?.assign("editor")?.done()
/// # })?;
/// let (_, plan) = acme.plan(|tx| tx.user("alice")?.suspend()?.done())?;
/// let (before, after) = (plan.base(), plan.preview());
/// let changed = before.replay(&after, [Question::new("alice", "posts:write")], plan.instant()).next();
/// assert_eq!(
///     changed.expect("the answer differs").to_string(),
///     "user `alice`, permission `posts:write`: allowed, would be denied: the user is suspended"
/// );
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedAnswer {
    /// The question.
    pub question: Question,
    /// The answer in the first state.
    pub before: Decision,
    /// The answer in the second state.
    pub after: Decision,
}

impl Snapshot {
    /// Returns which users may do other things in another state than in this one, at `from` or later: by key. The
    /// iterator compares each user when it is asked, so it needs memory for one user only.
    ///
    /// Users are matched by key and permissions by slug. A user who is in one of the states only has nothing in the
    /// other. The states may be of different tenants. In a state that is [unavailable](crate::Moment::unavailable), every
    /// check is denied, so everybody gains or loses everything.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use rolecall::{Document, blocking::Authorizer};
    ///
    /// # let acme = Authorizer::in_memory().import(&Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"},
    /// #     "permissions": ["posts:write"], "users": ["alice"]}"#)?)?;
    /// let proposed = Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}, "permissions": ["posts:write"],
    ///     "roles": [{"slug": "editor", "permissions": ["posts:*"]}], "users": [{"key": "alice", "roles": ["editor"]}]}"#)?;
    /// let proposed = Authorizer::in_memory().import(&proposed)?;
    /// let (before, after) = (acme.snapshot(), proposed.snapshot());
    /// let changes: Vec<String> = before.compare_access(&after, acme.now().instant()).map(|c| c.to_string()).collect();
    /// assert_eq!(changes, ["user `alice` gains `posts:write`"]);
    /// # }
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Two effective sets for each user, at each instant at which a window around the user begins or ends in one of the
    /// states. O(n log n) for n permissions at first, to match those of the two states.
    pub fn compare_access<'a>(
        &'a self,
        after: &'a Self,
        from: Timestamp,
    ) -> impl Iterator<Item = UserAccessChange> + 'a {
        // Two permissions of one tenant that can be given never have the same slug.
        let by_slug = |permission: &PermissionRecord| (permission.slug.clone(), Uuid::nil());
        access_changes(self, after, from, by_slug)
    }

    /// Returns the questions that another state answers differently than this one, in the order of the questions. A
    /// question without an instant is asked about `at`.
    ///
    /// Pass the questions that an application has logged, and the state that a change would lead to. The result is
    /// which of the answers would differ. The iterator answers each question when it is asked.
    ///
    /// ```
    /// use rolecall::what_if::Question;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("editor")?.grant("posts:write")?;
    /// #     tx.create_user("alice")?.assign("editor")?.done()
    /// # })?;
    /// let (_, plan) = acme.plan(|tx| tx.role("editor")?.revoke("posts:write")?.done())?;
    /// let log = ["alice", "bob"].map(|user| Question::new(user, "posts:write"));
    /// let (before, after) = (plan.base(), plan.preview());
    /// let changed: Vec<_> = before.replay(&after, log, plan.instant()).collect();
    /// assert_eq!((changed.len(), &*changed[0].question.user), (1, "alice"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Two checks for each question, and a reason where one of them is denied and the other is not.
    pub fn replay<'a>(
        &'a self,
        after: &'a Self,
        questions: impl IntoIterator<Item = Question> + 'a,
        at: Timestamp,
    ) -> impl Iterator<Item = ChangedAnswer> + 'a {
        questions.into_iter().filter_map(move |question| {
            let (user, permission) = (question.user.as_str(), question.permission.as_str());
            let instant = question.at.unwrap_or(at);
            let (before, after) = (self.at(instant), after.at(instant));
            if before.check(user, permission) == after.check(user, permission) {
                return None;
            }
            let (before, after) = (before.decide(user, permission), after.decide(user, permission));
            Some(ChangedAnswer { question, before, after })
        })
    }
}

/// As [`Snapshot::compare_access`], of one tenant with two catalogs. Permissions are matched by id, and shown with the
/// slug that they have afterwards.
pub(crate) fn access_changes_by_id<'a>(
    before: &'a Snapshot,
    after: &'a Snapshot,
    from: Timestamp,
) -> impl Iterator<Item = UserAccessChange> + 'a {
    let by_id = move |permission: &PermissionRecord| {
        let (permissions, id) = (&after.0.state.permissions, permission.id.as_uuid());
        let present = permissions.by_id(id).and_then(|number| permissions.row(number));
        (present.map_or(&permission.slug, |row| &row.record.slug).clone(), id)
    };
    access_changes(before, after, from, by_id)
}

fn access_changes<'a>(
    before: &'a Snapshot,
    after: &'a Snapshot,
    from: Timestamp,
    key: impl Fn(&PermissionRecord) -> Key + 'a,
) -> impl Iterator<Item = UserAccessChange> + 'a {
    let pairs = Pairs { before: rows(before).peekable(), after: rows(after).peekable() };
    let compared = Compared::new(before, after, key);
    pairs.filter_map(move |(old, new)| compared.change((before, old), (after, new), from))
}

fn rows(snapshot: &Snapshot) -> impl Iterator<Item = &UserRow> {
    let users = &snapshot.0.state.users;
    users.sorted().filter_map(|number| users.row(number))
}

/// The users of two states, matched by key.
struct Pairs<A: Iterator, B: Iterator> {
    before: Peekable<A>,
    after: Peekable<B>,
}

impl<'a, A: Iterator<Item = &'a UserRow>, B: Iterator<Item = &'a UserRow>> Iterator for Pairs<A, B> {
    type Item = (Option<&'a UserRow>, Option<&'a UserRow>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.before.peek(), self.after.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.key().cmp(after.key()),
        };
        let before = if order.is_le() { self.before.next() } else { None };
        let after = if order.is_ge() { self.after.next() } else { None };
        Some((before, after))
    }
}

/// A user in a state, if the state has it.
type Side<'a> = (&'a Snapshot, Option<&'a UserRow>);

/// A permission, to be matched with those of the other state: its slug, and its id where that matters.
type Key = (Slug, Uuid);

/// The permissions of two states. They are matched once for all users, so that equal sets are compared by number.
struct Compared<F> {
    /// For each permission of the first state, its number in the second, if that has one with the same key.
    matching: Vec<Option<u32>>,
    key: F,
}

impl<F: Fn(&PermissionRecord) -> Key> Compared<F> {
    fn new(before: &Snapshot, after: &Snapshot, key: F) -> Self {
        let others = &after.0.state.permissions;
        let others = others.sorted().filter_map(|number| others.row(number).map(|row| (key(&row.record), number)));
        let numbers: BTreeMap<Key, u32> = others.collect();
        let permissions = &before.0.state.permissions;
        let count = permissions.sorted().max().map_or(0, |last| last + 1);
        let rows = (0..count).map(|number| permissions.row(number));
        let matching = rows.map(|row| numbers.get(&key(&row?.record)).copied()).collect();
        Self { matching, key }
    }

    fn change(&self, before: Side<'_>, after: Side<'_>, from: Timestamp) -> Option<UserAccessChange> {
        let mut instants = BTreeSet::from([from]);
        for (snapshot, row) in [before, after] {
            if let Some(row) = row {
                window_ends(&snapshot.0.state, row, from, &mut instants);
            }
        }
        let (mut gained, mut lost) = (Collected::default(), Collected::default());
        let mut instants = instants.into_iter().peekable();
        while let Some(at) = instants.next() {
            let (old, new) = (effective(before, at), effective(after, at));
            let matched: Bits = old.iter().filter_map(|number| self.matched(number)).collect();
            let is_kept = |number: &u32| self.matched(*number).is_some_and(|matched| new.contains(matched));
            let step = (Some(at).filter(|at| *at > from), instants.peek().copied());
            gained.add(self.keys(after, new.iter().filter(|number| !matched.contains(*number))), step);
            lost.add(self.keys(before, old.iter().filter(|number| !is_kept(number))), step);
        }
        let (gained, lost) = (gained.finish(), lost.finish());
        let user = before.1.or(after.1)?.key().clone();
        (!gained.is_empty() || !lost.is_empty()).then_some(UserAccessChange { user, gained, lost })
    }

    fn matched(&self, number: u32) -> Option<u32> {
        self.matching.get(number as usize).copied().flatten()
    }

    fn keys(&self, (snapshot, _): Side<'_>, numbers: impl Iterator<Item = u32>) -> impl Iterator<Item = Key> {
        numbers.filter_map(|number| snapshot.0.state.permissions.row(number)).map(|row| (self.key)(&row.record))
    }
}

fn effective((snapshot, row): Side<'_>, at: Timestamp) -> Bits {
    let id: Option<UserId> = row.map(UserRow::id);
    id.map(|id| snapshot.at(at).effective(id).into_bits()).unwrap_or_default()
}

/// The time from one instant until before another. The first and the last step have no limit.
type Step = (Option<Timestamp>, Option<Timestamp>);

/// Permissions, each with the steps during which it is gained or lost.
#[derive(Default)]
struct Collected(BTreeMap<Key, Vec<Step>>);

impl Collected {
    fn add(&mut self, keys: impl Iterator<Item = Key>, step: Step) {
        for key in keys {
            let steps = self.0.entry(key).or_default();
            match steps.last_mut() {
                Some(last) if last.1.is_some() && last.1 == step.0 => last.1 = step.1,
                _ => steps.push(step),
            }
        }
    }

    fn finish(self) -> Vec<PermissionWindows> {
        let windows = |steps: Vec<Step>| steps.into_iter().filter_map(|(from, until)| Window::new(from, until).ok());
        let all = self.0.into_iter();
        all.map(|((permission, _), steps)| PermissionWindows { permission, windows: windows(steps).collect() })
            .collect()
    }
}

impl Display for UserAccessChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", Quoted(self.user.as_str()))?;
        let mut separator = "";
        for (verb, permissions) in [("gains", &self.gained), ("loses", &self.lost)] {
            for (n, permission) in permissions.iter().enumerate() {
                match n {
                    0 => write!(f, "{separator} {verb} {permission}")?,
                    _ => write!(f, ", {permission}")?,
                }
                separator = ";";
            }
        }
        Ok(())
    }
}

impl Display for PermissionWindows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.permission.as_str()))?;
        let limited = self.windows.iter().filter(|window| !window.is_always());
        limited.enumerate().try_for_each(|(n, window)| write!(f, "{}{window}", if n == 0 { " " } else { " and " }))
    }
}

impl Display for ChangedAnswer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { question: Question { user, permission, at }, before, after } = self;
        write!(f, "user {}, permission {}", Quoted(user), Quoted(permission))?;
        at.map_or(Ok(()), |at| write!(f, ", at {at}"))?;
        write!(f, ": {before}, would be {after}")
    }
}
