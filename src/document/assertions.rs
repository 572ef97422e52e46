//! Assertions: what a tenant is expected to allow and to deny (R17).
//!
//! An application keeps them in a file beside the organisation document, and lets its continuous integration check them:
//! [`Assertions::check`] lists what fails, with the path that breaks it. The example program `inspect` does the same with its
//! command `test`.
//!
//! Deliberately absent: assertions that a tenant stores, and a commit that one of them refuses. A
//! [separation of duties](crate::Tx::create_separation) does that for roles.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::misshapen;
use super::mistakes::{Mistakes, Place};
use super::values::Format;
use crate::model::error::{EntityKind, HeldRole, MistakeCode, Quoted, Result};
use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, UserKey};
use crate::resolver::explain::{Path, Reason};
use crate::resolver::moment::Moment;
use crate::resolver::separations::{Below, count_held, count_reached, held_roles};
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::window_ends;

/// A list of assertions about a tenant (R17).
///
/// # The format
/// ```
/// # use rolecall::{assertions::Assertions, blocking::Authorizer};
/// let assertions = Assertions::from_json(br#"{
///   "format": 1,
///   "assertions": [
///     {"expect": "allowed",  "permission": "posts:write", "users": ["alice"], "groups": ["staff"]},
///     {"expect": "denied",   "permission": "billing:pay", "users": ["mallory"], "groups": ["contractors"]},
///     {"expect": "only",     "permission": "billing:pay", "groups": ["finance"]},
///     {"expect": "separate", "roles": ["clerk", "approver"]}
///   ]
/// }"#)?;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     for permission in ["posts:write", "billing:pay"] { tx.create_permission(permission)?; }
/// #     for group in ["staff", "contractors", "finance"] { tx.create_group(group)?; }
/// #     tx.create_role("clerk")?.grant("billing:pay")?;
/// #     tx.create_role("approver")?.grant("posts:*")?;
/// #     tx.create_user("mallory")?.join("contractors")?;
/// #     tx.create_user("alice")?.assign("approver")?.done()
/// # })?;
/// assert!(assertions.check(&acme.now()).is_empty());
///
/// acme.update(|tx| tx.group("contractors")?.assign("clerk")?.done())?;
/// let failures: Vec<String> = assertions.check(&acme.now()).iter().map(ToString::to_string).collect();
/// assert_eq!(failures[0], "assertion 2: user `mallory` may do `billing:pay`: is in `contractors`, which has the role \
///                          `clerk`, which grants `billing:pay`");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// [`Assertion`] says what each means. An unknown field is an error, and so is an assertion that nothing could break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertions(Vec<Assertion>);

/// What a tenant is expected to allow or to deny.
///
/// Users are named by their keys; groups, roles and permissions by their slugs. A name that the tenant does not have breaks
/// the assertion, so that a typing error is not taken for a denial.
///
/// ```
/// use rolecall::assertions::{Assertion, Assertions};
///
/// let (permission, groups) = ("billing:pay".to_owned(), vec!["finance".to_owned()]);
/// let assertions = Assertions::new([Assertion::Only { permission, users: Vec::new(), groups }]);
/// assert_eq!(assertions.list().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "expect", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Assertion {
    /// Each of these users, and each member of these groups, may do it at the instant of the check. A suspended member of a
    /// group does not count; a suspended user who is named does.
    Allowed {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// None of these users, and nobody while a member of one of these groups, may do it, at the instant of the check and at
    /// every later one.
    Denied {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// Everybody who may do it is one of these users, or a member of one of these groups at that time: at the instant of the check
    /// and at every later one. If there are neither, nobody may do it.
    Only {
        /// The permission.
        permission: String,
        /// Users.
        users: Vec<String>,
        /// Groups, with their subgroups.
        groups: Vec<String>,
    },
    /// Nobody holds two of these roles at one time, suspended or not: at the instant of the check and at every later one.
    Separate {
        /// The roles.
        roles: Vec<String>,
    },
}

/// An assertion that does not hold, and one case in which it does not.
///
/// ```
/// # use rolecall::{assertions::{Assertions, Problem}, blocking::Authorizer};
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let json = br#"{"format": 1, "assertions": [{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}]}"#;
/// let failures = Assertions::from_json(json)?.check(&acme.now());
/// assert_eq!(failures[0].number, 0);
/// assert!(matches!(&failures[0].problem, Problem::Unknown { name, .. } if name == "billing:pay"));
/// assert_eq!(failures[0].to_string(), "assertion 1: permission `billing:pay` not found");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The place of the assertion in the list, from 0. The text counts from 1.
    pub number: usize,
    /// The problem.
    pub problem: Problem,
}

/// Why an assertion does not hold.
///
/// ```
/// use rolecall::assertions::Problem;
/// use rolecall::explain::Reason;
///
/// let problem = Problem::Unavailable { reason: Reason::Deleted };
/// assert_eq!(problem.to_string(), "the tenant cannot be asked: the tenant was deleted");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The tenant has no entity with this name.
    Unknown {
        /// The kind of entity.
        entity: EntityKind,
        /// The name, as the assertion has it.
        name: String,
    },
    /// The user may not do it, and should be allowed.
    Denied {
        /// The user.
        user: UserKey,
        /// The permission.
        permission: String,
        /// Why not.
        reason: Reason,
    },
    /// The user may do it, and should not.
    Allowed {
        /// The user.
        user: UserKey,
        /// The permission.
        permission: String,
        /// The first instant at which the user may do it, if that is later than the check.
        from: Option<Timestamp>,
        /// A shortest path by which the user may do it then.
        path: Path,
    },
    /// The user holds roles that nobody combines.
    Combined {
        /// The user.
        user: UserKey,
        /// The first instant at which the user holds them together, if that is later than the check.
        from: Option<Timestamp>,
        /// The roles, each with a path.
        roles: Vec<HeldRole>,
    },
    /// Every question is denied, because the tenant is not in service or was deleted.
    Unavailable {
        /// Why.
        reason: Reason,
    },
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileData {
    #[serde(rename = "format")]
    _format: Format,
    assertions: Vec<AssertionData>,
}

/// An assertion as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssertionData {
    expect: Expectation,
    #[serde(default)]
    permission: Option<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expectation {
    Allowed,
    Denied,
    Only,
    Separate,
}

impl Assertions {
    /// Makes a list of assertions.
    ///
    /// ```
    /// # use rolecall::assertions::{Assertion, Assertions};
    /// let roles = vec!["clerk".to_owned(), "approver".to_owned()];
    /// assert_eq!(Assertions::new([Assertion::Separate { roles }]).list().len(), 1);
    /// ```
    pub fn new(assertions: impl IntoIterator<Item = Assertion>) -> Self {
        Self(assertions.into_iter().collect())
    }

    /// Reads assertions from JSON.
    ///
    /// ```
    /// # use rolecall::assertions::Assertions;
    /// let json = br#"{"format": 1, "assertions": [{"expect": "separate", "roles": ["clerk"]}]}"#;
    /// let error = Assertions::from_json(json).unwrap_err();
    /// assert_eq!(error.mistakes()[0].to_string(), "/assertions/0/roles: expected at least 2 roles, found 1");
    /// ```
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document), with the line and column of the first error, or with all assertions that say
    /// too little or too much.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        let file: FileData = serde_json::from_slice(json).map_err(|fault| misshapen(&fault))?;
        let mut mistakes = Mistakes::default();
        let entries = file.assertions.into_iter().enumerate();
        let assertions = entries.filter_map(|(n, entry)| entry.checked(Place::entry(LIST, n), &mut mistakes)).collect();
        mistakes.finish()?;
        Ok(Self(assertions))
    }

    /// Returns the assertions, in their order.
    ///
    /// ```
    /// # use rolecall::assertions::Assertions;
    /// assert!(Assertions::default().list().is_empty());
    /// ```
    pub fn list(&self) -> &[Assertion] {
        &self.0
    }

    /// Checks the assertions, and returns what breaks them: in the order of the list, then by user. An empty list means that
    /// all of them hold.
    ///
    /// Each user who breaks an assertion is listed once, with the first instant. If the tenant is not in service, no
    /// assertion holds.
    ///
    /// ```
    /// use rolecall::assertions::Assertions;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("billing:pay")?;
    /// #     tx.create_role("payer")?.grant("billing:pay")?;
    /// #     tx.create_group("finance")?;
    /// #     tx.create_user("bob")?.done()
    /// # })?;
    /// let json = br#"{"format": 1, "assertions": [{"expect": "only", "permission": "billing:pay", "groups": ["finance"]}]}"#;
    /// let assertions = Assertions::from_json(json)?;
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
    /// ends.
    pub fn check(&self, moment: &Moment<'_>) -> Vec<Failure> {
        let mut failures = Vec::new();
        // One instant for all questions.
        let moment = moment.snapshot().at(moment.instant());
        for (number, assertion) in self.0.iter().enumerate() {
            let problems = match moment.unavailable() {
                Some(reason) => vec![Problem::Unavailable { reason }],
                None => Check::new(&moment).problems(assertion),
            };
            failures.extend(problems.into_iter().map(|problem| Failure { number, problem }));
        }
        failures
    }
}

const LIST: &str = "assertions";

impl AssertionData {
    fn checked(self, place: Place, mistakes: &mut Mistakes) -> Option<Assertion> {
        let Self { expect, permission, users, groups, roles } = self;
        let mut refuse = |field, message: String| {
            mistakes.add(place.field(field), MistakeCode::Shape, || message);
            None
        };
        if expect == Expectation::Separate {
            let unused =
                [("permission", permission.is_some()), ("users", !users.is_empty()), ("groups", !groups.is_empty())];
            if let Some((field, _)) = unused.into_iter().find(|(_, is_there)| *is_there) {
                return refuse(field, "unexpected, because `separate` is about roles".to_owned());
            }
            let distinct = roles.iter().collect::<BTreeSet<_>>().len();
            if distinct < 2 || distinct < roles.len() {
                return refuse(
                    "roles",
                    match roles.len() - distinct {
                        0 => format!("expected at least 2 roles, found {distinct}"),
                        _ => "expected each role once".to_owned(),
                    },
                );
            }
            return Some(Assertion::Separate { roles });
        }
        if !roles.is_empty() {
            return refuse("roles", "unexpected, because only `separate` is about roles".to_owned());
        }
        let Some(permission) = permission else { return refuse("permission", "expected a permission".to_owned()) };
        let is_empty = users.is_empty() && groups.is_empty();
        match expect {
            Expectation::Allowed | Expectation::Denied if is_empty => {
                refuse("users", "expected a user or a group".to_owned())
            }
            Expectation::Allowed => Some(Assertion::Allowed { permission, users, groups }),
            Expectation::Denied => Some(Assertion::Denied { permission, users, groups }),
            Expectation::Only | Expectation::Separate => Some(Assertion::Only { permission, users, groups }),
        }
    }
}

/// A moment to which assertions are compared.
struct Check<'a> {
    moment: &'a Moment<'a>,
    state: &'a State,
    from: Timestamp,
}

impl<'a> Check<'a> {
    fn new(moment: &'a Moment<'a>) -> Self {
        Self { moment, state: &moment.compiled().state, from: moment.instant() }
    }

    fn problems(&self, assertion: &Assertion) -> Vec<Problem> {
        let unknown = self.unknown(assertion);
        if !unknown.is_empty() {
            return unknown;
        }
        match assertion {
            Assertion::Allowed { permission, users, groups } => {
                let (named, members) = (self.named(users), self.below(groups));
                self.each(named.union(&members).copied(), |number, user| {
                    let counts = named.contains(&number)
                        || !self.state.is_suspended(number) && self.is_member(user, groups, self.from);
                    match self.moment.decide(user.id(), permission.as_str()) {
                        crate::Decision::Denied(reason) if counts => {
                            Some(Problem::Denied { user: user.key().clone(), permission: permission.clone(), reason })
                        }
                        _ => None,
                    }
                })
            }
            Assertion::Denied { permission, users, groups } => {
                let named = self.named(users);
                self.each(named.union(&self.below(groups)).copied(), |number, user| {
                    let concerns = |at| named.contains(&number) || self.is_member(user, groups, at);
                    self.first_allowed(user, permission, concerns)
                })
            }
            Assertion::Only { permission, users, groups } => {
                let named = self.named(users);
                let others = self.ever_allowed(permission).into_iter().filter(|number| !named.contains(number));
                self.each(others, |_, user| {
                    self.first_allowed(user, permission, |at| !self.is_member(user, groups, at))
                })
            }
            Assertion::Separate { roles } => self.combined(roles),
        }
    }

    /// The names in an assertion that the tenant does not have.
    fn unknown(&self, assertion: &Assertion) -> Vec<Problem> {
        let moment = self.moment;
        let (permission, users, groups, roles): (_, &[String], &[String], &[String]) = match assertion {
            Assertion::Allowed { permission, users, groups }
            | Assertion::Denied { permission, users, groups }
            | Assertion::Only { permission, users, groups } => (Some(permission), users, groups, &[]),
            Assertion::Separate { roles } => (None, &[], &[], roles),
        };
        let of = |entity, name: &String| Problem::Unknown { entity, name: name.clone() };
        let permission = permission.into_iter().filter(|slug| moment.permission(slug.as_str()).is_none());
        let users = users.iter().filter(|key| moment.user(key.as_str()).is_none());
        let groups = groups.iter().filter(|slug| moment.group(slug.as_str()).is_none());
        let roles = roles.iter().filter(|slug| moment.role(slug.as_str()).is_none());
        let permission = permission.map(|name| of(EntityKind::Permission, name));
        let users = users.map(|name| of(EntityKind::User, name));
        let groups = groups.map(|name| of(EntityKind::Group, name));
        permission.chain(users).chain(groups).chain(roles.map(|name| of(EntityKind::Role, name))).collect()
    }

    fn named(&self, users: &[String]) -> BTreeSet<u32> {
        users.iter().filter_map(|key| self.state.users.by_name(key)).collect()
    }

    /// The users who are in one of these groups at any time.
    fn below(&self, groups: &[String]) -> BTreeSet<u32> {
        let mut below = Below::default();
        let numbers = groups.iter().filter_map(|slug| self.state.groups.by_name(slug));
        numbers.for_each(|group| below.insert(Source::Group(group)));
        below.all_users(self.state).iter().collect()
    }

    /// The users who have a role that grants the permission, at any time.
    fn ever_allowed(&self, permission: &str) -> BTreeSet<u32> {
        let mut below = Below::default();
        let ids = self.state.roles.rows().map(|row| row.record.id);
        let granting = ids.filter(|id| self.moment.effective_of_role(*id).contains(permission));
        let numbers = granting.filter_map(|id| must(self.state.roles.by_id(id.as_uuid()), NEAR_END));
        numbers.for_each(|role| below.insert(Source::Role(role)));
        below.all_users(self.state).iter().collect()
    }

    /// The problems of these users, by key.
    fn each(
        &self,
        users: impl IntoIterator<Item = u32>,
        problem: impl Fn(u32, &UserRow) -> Option<Problem>,
    ) -> Vec<Problem> {
        let rows = users.into_iter().filter_map(|number| Some((number, must(self.state.users.row(number), NEAR_END)?)));
        let mut found: Vec<(&UserKey, Problem)> =
            rows.filter_map(|(number, row)| Some((row.key(), problem(number, row)?))).collect();
        found.sort_by_key(|(key, _)| *key);
        found.into_iter().map(|(_, problem)| problem).collect()
    }

    fn is_member(&self, user: &UserRow, groups: &[String], at: Timestamp) -> bool {
        let moment = self.moment.snapshot().at(at);
        let all = moment.all_groups_of(user.id());
        all.iter().any(|group| groups.iter().any(|slug| group.record.slug.as_str() == slug))
    }

    /// This instant, and the later ones at which the answers about a user can change.
    fn instants(&self, user: &UserRow) -> BTreeSet<Timestamp> {
        let mut instants = BTreeSet::from([self.from]);
        window_ends(self.state, user, self.from, &mut instants);
        instants
    }

    fn later(&self, at: Timestamp) -> Option<Timestamp> {
        (at > self.from).then_some(at)
    }

    /// The first instant at which a user may do it, of those that the filter passes.
    fn first_allowed(&self, user: &UserRow, permission: &str, concerns: impl Fn(Timestamp) -> bool) -> Option<Problem> {
        self.instants(user).into_iter().find_map(|at| {
            let path = self.moment.snapshot().at(at).first_path(user.id(), permission)?;
            let from = self.later(at);
            concerns(at).then(|| Problem::Allowed {
                user: user.key().clone(),
                permission: permission.to_owned(),
                from,
                path,
            })
        })
    }

    fn combined(&self, roles: &[String]) -> Vec<Problem> {
        let ids = roles.iter().filter_map(|slug| Some(self.moment.role(slug.as_str())?.record.id));
        let numbers = ids.filter_map(|id| must(self.state.roles.by_id(id.as_uuid()), NEAR_END));
        let numbers: Vec<u32> = numbers.collect::<BTreeSet<u32>>().into_iter().collect();
        let mut below = Below::default();
        numbers.iter().map(|role| Source::Role(*role)).for_each(|role| below.insert(role));
        self.each(below.all_users(self.state).iter(), |_, user| {
            if count_reached(self.state, user, &numbers, self.from) < 2 {
                return None;
            }
            let mut instants = self.instants(user).into_iter();
            let at = instants.find(|at| count_held(self.state, user, &numbers, *at) > 1)?;
            let roles = held_roles(self.state, user, &numbers, at);
            Some(Problem::Combined { user: user.key().clone(), from: self.later(at), roles })
        })
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "assertion {}: {}", self.number + 1, self.problem)
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let from = |from: &Option<Timestamp>| from.map(|at| format!(" from {at}")).unwrap_or_default();
        match self {
            Self::Unknown { entity, name } => write!(f, "{entity} {} not found", Quoted(name)),
            Self::Denied { user, permission, reason } => {
                write!(f, "user {} may not do {}: {reason}", Quoted(user.as_str()), Quoted(permission))
            }
            Self::Allowed { user, permission, from: at, path } => {
                write!(f, "user {} may do {}{}: {path}", Quoted(user.as_str()), Quoted(permission), from(at))
            }
            Self::Combined { user, from: at, roles } => {
                write!(f, "user {} holds {} of the roles{}", Quoted(user.as_str()), roles.len(), from(at))?;
                let mut roles = roles.iter().enumerate();
                roles.try_for_each(|(n, held)| write!(f, "{}{}", if n == 0 { ": " } else { "; " }, held.path))
            }
            Self::Unavailable { reason } => write!(f, "the tenant cannot be asked: {reason}"),
        }
    }
}
