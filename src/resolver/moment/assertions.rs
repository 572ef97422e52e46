//! Questions about assertions (R17).

use serde::Serialize;

use super::Moment;
use super::list::{List, WhyEmpty};
use crate::model::error::{AssertionViolation, DidYouMean, EntityKind};
use crate::model::internal_fault::must;
use crate::model::records::{AssertionId, Description, Slug, Timestamp, UserKey};
use crate::resolver::assertions::judge::{Expected, Judge};
use crate::resolver::assertions::{Assertion, Assertions, Failure, Problem};
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::{AssertionNumbers, AssertionRow, UserRow};
use crate::resolver::snapshot::state::State;

/// A stored assertion of the tenant, with the present names of the entities that it names (R17).
///
/// ```
/// use rolecall::assertions::Assertion;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("billing:pay")?;
///     tx.create_group("finance")?;
///     tx.create_assertion("payments", &Assertion::only("billing:pay").with_groups(["finance"]))?.done()
/// })?;
/// acme.update(|tx| tx.group("finance")?.set_slug("accounting")?.done())?;
/// let stored = acme.now().assertion("payments").expect("it exists");
/// assert_eq!(stored.expected, Assertion::only("billing:pay").with_groups(["accounting"]));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoredAssertion {
    /// The id, which never changes.
    pub id: AssertionId,
    /// The slug.
    pub slug: Slug,
    /// The description, which may be empty.
    pub description: Description,
    /// Whether a commit that would break the assertion is refused.
    pub binding: bool,
    /// The expectation, with users by key, and groups, roles and the permission by slug.
    pub expected: Assertion,
}

impl StoredAssertion {
    fn of(state: &State, row: &AssertionRow) -> Self {
        let permission = row.named.permission.map(|n| state.permissions.name_at(n).to_owned()).unwrap_or_default();
        let sorted = |mut names: Vec<String>| {
            names.sort_unstable();
            names
        };
        let users = sorted(row.named.users.iter().map(|n| state.users.name_at(*n).to_owned()).collect());
        let groups = sorted(row.named.groups.iter().map(|n| state.groups.name_at(*n).to_owned()).collect());
        let expected = match row.expected() {
            Expected::Allowed => Assertion::Allowed { permission, users, groups },
            Expected::Denied => Assertion::Denied { permission, users, groups },
            Expected::Only => Assertion::Only { permission, users, groups },
            Expected::Separate => {
                let roles = row.named.roles.iter().map(|n| state.roles.name_at(*n).to_owned()).collect();
                Assertion::Separate { roles: sorted(roles) }
            }
        };
        let record = &row.record;
        let (slug, description) = (record.slug.clone(), record.description.clone());
        Self { id: record.id, slug, description, binding: record.binding, expected }
    }
}

impl Moment<'_> {
    /// Returns an assertion that the tenant carries, by its slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().assertion("payments").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn assertion(&self, slug: &str) -> Option<StoredAssertion> {
        let state = &self.compiled().state;
        let row = state.assertions.by_name(slug).and_then(|number| state.assertions.row(number));
        row.filter(|_| self.answers()).map(|row| StoredAssertion::of(state, row))
    }

    /// Returns all assertions that the tenant carries, by slug.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().assertions().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn assertions(&self) -> List<StoredAssertion> {
        let state = &self.compiled().state;
        List::about(Some(state), WhyEmpty::unavailable(self.unavailable()), |state| {
            rows(state).map(|row| StoredAssertion::of(state, row)).collect()
        })
    }

    /// Returns the violations of the tenant's stored assertions, binding or not, at this moment or at any later instant
    /// (R17). They are sorted by assertion, then by user. Each user is listed once for an assertion, with the first instant.
    ///
    /// No plan lets a binding assertion fail. One can fail because of stored data that breaks it, or because of a new catalog.
    /// The tenant still opens and refreshes: call this after a release to find out.
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_user("alice")?;
    ///     tx.create_assertion("alice-writes", &Assertion::allowed("posts:write").with_users(["alice"]))?.done()
    /// })?;
    /// let violations = acme.now().assertion_violations();
    /// assert_eq!((&*violations[0].assertion, &*violations[0].user), ("alice-writes", "alice"));
    /// assert!(!violations[0].binding, "nothing is refused because of it");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For each assertion: the users that it names, the members of its groups, or the users of the roles that it names or
    /// that grant its permission. For each of them, the groups and roles above, at each later instant at which a window on
    /// the way begins or ends.
    pub fn assertion_violations(&self) -> List<AssertionViolation> {
        let state = &self.compiled().state;
        let from = self.instant();
        List::about(Some(state), WhyEmpty::unavailable(self.unavailable()), |state| {
            rows(state)
                .flat_map(|row| {
                    let judge = row.judge(state);
                    let first = move |user, user_row: &UserRow| judge.first_failure(user, user_row, from);
                    let found = each(judge, judge.candidates().iter(), first);
                    found.into_iter().filter_map(move |(user, key, at)| {
                        let problem = judge.problem(self.compiled(), user, from, at)?;
                        Some(violation(row, &key, at, &problem))
                    })
                })
                .collect()
        })
    }
}

/// Describes a user for whom an assertion fails.
pub(crate) fn violation(row: &AssertionRow, user: &UserKey, at: Timestamp, problem: &Problem) -> AssertionViolation {
    let (slug, user) = (row.record.slug.to_string(), user.as_str().to_owned());
    AssertionViolation::new(slug, row.record.binding, user, at.to_string(), problem.to_string())
}

fn rows(state: &State) -> impl Iterator<Item = &AssertionRow> {
    state.assertions.sorted().filter_map(|number| state.assertions.row(number))
}

impl Assertions {
    /// Checks the assertions, and returns the violations, in the order of the list, then by user. An empty list means that
    /// all of them hold.
    ///
    /// Each user who breaks an assertion is listed once, with the first instant. If the tenant is not in service, no
    /// assertion holds.
    ///
    /// ```
    /// use rolecall::assertions::{Assertion, Assertions};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("billing:pay")?;
    /// #     tx.create_role("payer")?.grant("billing:pay")?;
    /// #     tx.create_group("finance")?;
    /// #     tx.create_user("bob")?.done()
    /// # })?;
    /// let assertions = Assertions::new([Assertion::only("billing:pay").with_groups(["finance"])]);
    /// // What would the assertions say about a change? Ask before it is committed.
    /// let (_, plan) = acme.plan(|tx| tx.user("bob")?.assign("payer")?.done())?;
    /// let failures = assertions.check(&plan.preview().now(&rolecall::clock::SystemClock));
    /// assert_eq!(
    ///     failures[0].to_string(),
    ///     "assertion 1: user `bob` may do `billing:pay`: has the role `payer`, which grants `billing:pay`"
    /// );
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For each assertion: the users that it names, the members of its groups, and the users of the roles that grant its
    /// permission. For each of them, the groups and roles above, at each later instant at which a window on the way begins or
    /// ends. Each name that does not exist costs a search for similar ones, unless it is a user's.
    #[must_use = "failures that nobody reads protect nothing"]
    pub fn check(&self, moment: &Moment<'_>) -> Vec<Failure> {
        let mut failures = Vec::new();
        // One instant for all questions.
        let moment = moment.snapshot().at(moment.instant());
        for (number, assertion) in self.list().iter().enumerate() {
            let problems = match moment.unavailable() {
                Some(reason) => vec![Problem::Unavailable { reason }],
                None => problems(&moment, assertion),
            };
            failures.extend(problems.into_iter().map(|problem| Failure { number, problem }));
        }
        failures
    }
}

/// The violations of an assertion of a file.
fn problems(moment: &Moment<'_>, assertion: &Assertion) -> Vec<Problem> {
    let unknown = unknown(moment, assertion);
    if !unknown.is_empty() {
        return unknown;
    }
    let (compiled, from) = (moment.compiled(), moment.instant());
    let named = numbers(&compiled.state, assertion);
    let expected = match assertion {
        Assertion::Allowed { .. } => Expected::Allowed,
        Assertion::Denied { .. } => Expected::Denied,
        Assertion::Only { .. } => Expected::Only,
        Assertion::Separate { .. } => Expected::Separate,
    };
    let judge = Judge { state: &compiled.state, expected, named: &named };
    let first = |user, row: &UserRow| match expected {
        // A file expects it at the instant of the check alone.
        Expected::Allowed => (judge.failure_at(user, row, from) > 0).then_some(from),
        _ => judge.first_failure(user, row, from),
    };
    let found = each(judge, judge.candidates().iter(), first);
    found.into_iter().filter_map(|(user, _, at)| judge.problem(compiled, user, from, at)).collect()
}

/// The users for whom an assertion fails, by key, each with the first instant.
fn each(
    judge: Judge<'_>,
    users: impl IntoIterator<Item = u32>,
    first: impl Fn(u32, &UserRow) -> Option<Timestamp>,
) -> Vec<(u32, UserKey, Timestamp)> {
    let rows = users.into_iter().filter_map(|user| Some((user, must(judge.state.users.row(user), NEAR_END)?)));
    let found = rows.filter_map(|(user, row)| Some((user, row.key().clone(), first(user, row)?)));
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
    found
}

/// The names in an assertion that the tenant does not have.
fn unknown(moment: &Moment<'_>, assertion: &Assertion) -> Vec<Problem> {
    let (permission, users, groups, roles) = assertion.names();
    let of = |entity, name: &str| Problem::Unknown { entity, name: name.to_owned(), hint: hint(moment, entity, name) };
    let permission = permission.into_iter().filter(|slug| moment.permission(*slug).is_none());
    let users = users.iter().filter(|key| moment.user(key.as_str()).is_none());
    let groups = groups.iter().filter(|slug| moment.group(slug.as_str()).is_none());
    let roles = roles.iter().filter(|slug| moment.role(slug.as_str()).is_none());
    let permission = permission.map(|name| of(EntityKind::Permission, name));
    let users = users.map(|name| of(EntityKind::User, name));
    let groups = groups.map(|name| of(EntityKind::Group, name));
    permission.chain(users).chain(groups).chain(roles.map(|name| of(EntityKind::Role, name))).collect()
}

/// Returns the probable meaning of an unknown name. It has no keys of other users: not everyone who may ask about a user may see them.
fn hint(moment: &Moment<'_>, entity: EntityKind, asked: &str) -> Option<String> {
    let suggestions = moment.compiled().suggestions(entity);
    if let Some(advice) = suggestions.advice(asked) {
        return Some(advice.to_owned());
    }
    let names = if entity == EntityKind::User { &[] } else { suggestions.names(asked) };
    (!names.is_empty()).then(|| DidYouMean { asked, names }.to_string())
}

/// The numbers of the entities that an assertion names.
fn numbers(state: &State, assertion: &Assertion) -> AssertionNumbers {
    fn sorted(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
    let (permission, users, groups, roles) = assertion.names();
    AssertionNumbers {
        permission: permission.and_then(|slug| state.permissions.by_name(slug)),
        users: sorted(users.iter().filter_map(|key| state.users.by_name(key))),
        groups: sorted(groups.iter().filter_map(|slug| state.groups.by_name(slug))),
        roles: sorted(roles.iter().filter_map(|slug| state.roles.by_name(slug))),
    }
}
