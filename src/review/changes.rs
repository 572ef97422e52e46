//! The windows that begin or end within a span: memberships, assignments and parent links with windows.
//!
//! A group and a role know which of their members and holders have a window. So users without a window are not read.

use std::{fmt, iter};

use serde::Serialize;

use super::EntityRef;
use crate::model::error::{EntityKind, Quoted, RelationKind};
use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, Window};
use crate::resolver::explain::Reason;
use crate::resolver::moment::Moment;
use crate::resolver::moment::list::WhyEmpty;
use crate::resolver::snapshot::edge::{Edge, FAR_END, ReverseEdge};
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::{GroupRow, UserRow};
use crate::resolver::snapshot::names::{AsGroup, AsRole, AsUser};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// The beginning or the end of a membership, an assignment or a parent link.
///
/// It sorts by its instant. `Display` writes one line.
///
/// ```
/// use rolecall::{Timestamp, Window};
///
/// # let clock = rolecall::clock::ManualClock::new("2027-01-01T00:00:00Z".parse()?);
/// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
/// let end: Timestamp = "2027-02-01T00:00:00Z".parse()?;
/// acme.update(|tx| {
///     tx.create_group("project")?;
///     tx.create_user("alice")?.join_during("project", Window::until(end))?.done()
/// })?;
/// let now = acme.now();
/// let change = now.window_changes(Window::ALWAYS).rows().next().unwrap();
/// assert_eq!(change.to_string(), "2027-02-01T00:00:00Z: membership of user `alice` in group `project` ends");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct WindowChange {
    /// When. The relation is active from its beginning on, and is no longer active at its end.
    pub at: Timestamp,
    /// Whether it begins or ends then.
    pub bound: Bound,
    /// A membership, an assignment or a parent link.
    pub relation: RelationKind,
    /// The member, the holder of the role, or the subgroup.
    pub subject: EntityRef,
    /// The group, the role, or the parent group.
    pub object: EntityRef,
    /// The whole window.
    pub window: Window,
}

/// The beginning or the end of a window.
///
/// ```
/// use rolecall::review::Bound;
///
/// assert!(Bound::Begins < Bound::Ends);
/// assert_eq!(Bound::Begins.to_string(), "begins");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The relation begins to be active.
    Begins,
    /// The relation is no longer active.
    Ends,
}

/// Writes the bound as in JSON.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begins => "begins",
            Self::Ends => "ends",
        })
    }
}

impl fmt::Display for WindowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, object) = (Quoted(&self.subject.name), &self.object);
        write!(f, "{}: ", self.at)?;
        match self.relation {
            RelationKind::Assignment => write!(f, "assignment of {object} to {}", self.subject)?,
            RelationKind::Parent => write!(f, "parent link of group {subject} to {object}")?,
            RelationKind::Membership => write!(f, "membership of {} in {object}", self.subject)?,
            // These have no window.
            RelationKind::Grant => write!(f, "grant of {object} by {}", self.subject)?,
            RelationKind::Inclusion => write!(f, "inclusion of {object} in {}", self.subject)?,
        }
        write!(f, " {}", self.bound)
    }
}

impl Moment<'_> {
    /// Returns the memberships, assignments and parent links that begin or end within a span: from its beginning on, and
    /// before its end.
    ///
    /// The instant of the moment makes no difference. Roles that were removed from the catalog, and suspended users, count
    /// as all others do. A relation without a window neither begins nor ends.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// # let clock = rolecall::clock::ManualClock::new("2027-01-01T00:00:00Z".parse()?);
    /// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
    /// let (february, march): (Timestamp, Timestamp) = ("2027-02-01T00:00:00Z".parse()?, "2027-03-01T00:00:00Z".parse()?);
    /// acme.update(|tx| {
    ///     tx.create_role("auditor")?;
    ///     tx.create_user("alice")?.assign_during("auditor", Window::until(february))?;
    ///     tx.create_user("bob")?.assign_during("auditor", Window::between(february, march)?)?.done()
    /// })?;
    /// let now = acme.now();
    /// let span = Window::between(february, march)?;
    /// assert_eq!(now.window_changes(span).rows().count(), 2, "one ends, one begins");
    /// assert_eq!(now.window_changes(span).ending().rows().next().unwrap().subject.name, "alice");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn window_changes(&self, span: impl Into<Window>) -> WindowChanges<'_> {
        WindowChanges {
            moment: self,
            why: WhyEmpty::unavailable(self.unavailable()),
            span: span.into(),
            bound: None,
            user: None,
            group: None,
            role: None,
        }
    }
}

/// The beginnings and ends of windows within a span. [`Moment::window_changes`] returns them.
///
/// Several restrictions hold together: those of a user and of a group leave its membership.
///
/// ```
/// # use rolecall::Window;
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let now = acme.now();
/// let changes = now.window_changes(Window::ALWAYS);
/// assert_eq!(changes.rows().count(), 0);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "they are read with `rows` or `soonest`"]
pub struct WindowChanges<'m> {
    moment: &'m Moment<'m>,
    why: WhyEmpty,
    span: Window,
    bound: Option<Bound>,
    user: Option<u32>,
    group: Option<u32>,
    role: Option<u32>,
}

/// An example that restricts the changes.
macro_rules! example {
    ($call:literal, $count:literal) => {
        concat!(
            "\n```\n# use rolecall::{Timestamp, Window};\n",
            "# let clock = rolecall::clock::ManualClock::new(\"2027-01-01T00:00:00Z\".parse()?);\n",
            "# let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant(\"acme\", \"Acme\")?;\n",
            "# let (start, end): (Timestamp, Timestamp) = (\"2027-02-01T00:00:00Z\".parse()?, \"2027-03-01T00:00:00Z\".parse()?);\n",
            "# acme.update(|tx| {\n",
            "#     tx.create_role(\"auditor\")?;\n",
            "#     tx.create_group(\"project\")?.assign_during(\"auditor\", Window::between(start, end)?)?;\n",
            "#     tx.create_user(\"alice\")?.join_during(\"project\", Window::until(end))?.done()\n",
            "# })?;\n",
            "let now = acme.now();\n",
            "let changes = now.window_changes(Window::ALWAYS)",
            $call,
            ";\n",
            "assert_eq!(changes.rows().count(), ",
            $count,
            ");\n",
            "# Ok::<(), rolecall::Error>(())\n```"
        )
    };
}

impl<'m> WindowChanges<'m> {
    /// Keeps only the ends of windows.
    #[doc = example!(".ending()", "2")]
    pub fn ending(mut self) -> Self {
        self.bound = Some(Bound::Ends);
        self
    }

    /// Keeps only the beginnings of windows.
    #[doc = example!(".beginning()", "1")]
    pub fn beginning(mut self) -> Self {
        self.bound = Some(Bound::Begins);
        self
    }

    /// Restricts them to the memberships and direct assignments of a user.
    #[doc = example!(".user(\"alice\")", "1")]
    pub fn user(mut self, user: impl AsUser) -> Self {
        let snapshot = self.moment.compiled();
        let user = user.user(snapshot.scope());
        self.find(EntityKind::User, user.is_some());
        self.user = user;
        self
    }

    /// Restricts them to the direct relations of a group: its members, roles, parents and subgroups.
    #[doc = example!(".group(\"project\")", "3")]
    pub fn group(mut self, group: impl AsGroup) -> Self {
        let snapshot = self.moment.compiled();
        let group = group.group(snapshot.scope()).filter(|n| snapshot.state.groups.row(*n).is_some());
        self.find(EntityKind::Group, group.is_some());
        self.group = group;
        self
    }

    /// Restricts them to the assignments of a role.
    #[doc = example!(".role(\"auditor\")", "2")]
    pub fn role(mut self, role: impl AsRole) -> Self {
        let snapshot = self.moment.compiled();
        let role = role.role(snapshot.scope()).filter(|n| snapshot.state.roles.row(*n).is_some());
        self.find(EntityKind::Role, role.is_some());
        self.role = role;
        self
    }

    /// Returns why the tenant is unavailable. The iterators are then empty.
    #[doc = example!("", "3")]
    pub fn unavailable(&self) -> Option<Reason> {
        self.why.unavailable
    }

    /// Returns the kind of the user, group or role that they are restricted to, if it does not exist. The iterators are then
    /// empty.
    #[doc = example!(".role(\"auditro\")", "0")]
    pub fn unknown(&self) -> Option<EntityKind> {
        self.why.unknown
    }

    /// Returns the changes: group by group, by slug, with its members by key; then the assignments of roles to users. They are
    /// not sorted by their instants; see [`soonest`](Self::soonest).
    #[doc = example!("", "3")]
    ///
    /// # Complexity
    /// O(relations of groups, and of roles), without the members and holders that have no window: a bit of each is read. For one
    /// user, group or role: those of that one. Nothing is collected.
    pub fn rows(self) -> impl Iterator<Item = WindowChange> + use<'m> {
        let state = &self.moment.compiled().state;
        let relations = if self.why.is_some() { none() } else { self.relations(state) };
        relations.filter(move |relation| self.is_wanted(relation)).flat_map(move |relation| {
            let ends = [(Bound::Begins, relation.window.start()), (Bound::Ends, relation.window.end())];
            ends.into_iter().filter_map(move |(bound, at)| {
                let at = at.filter(|at| self.span.contains(*at) && self.bound.is_none_or(|only| only == bound))?;
                relation.change(state, at, bound)
            })
        })
    }

    /// Returns the first changes, by instant: at most this many.
    ///
    /// ```
    /// # use rolecall::{Timestamp, Window};
    /// # let clock = rolecall::clock::ManualClock::new("2027-01-01T00:00:00Z".parse()?);
    /// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
    /// # let (start, end): (Timestamp, Timestamp) = ("2027-02-01T00:00:00Z".parse()?, "2027-03-01T00:00:00Z".parse()?);
    /// # acme.update(|tx| {
    /// #     tx.create_group("project")?;
    /// #     tx.create_user("alice")?.join_during("project", Window::until(end))?;
    /// #     tx.create_user("bob")?.join_during("project", Window::until(start))?.done()
    /// # })?;
    /// let now = acme.now();
    /// for change in now.window_changes(now.instant()..).ending().soonest(50) {
    ///     println!("{change}");
    /// }
    /// # assert_eq!(now.window_changes(now.instant()..).soonest(1)[0].subject.name, "bob");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// As [`rows`](Self::rows), and O(n log k) for k of n changes. Memory: 2 k changes.
    pub fn soonest(self, most: usize) -> Vec<WindowChange> {
        let mut found = Vec::new();
        let keep = |found: &mut Vec<WindowChange>| {
            found.sort_unstable();
            found.truncate(most);
        };
        for change in self.rows() {
            found.push(change);
            if found.len() >= most.saturating_mul(2).max(64) {
                keep(&mut found);
            }
        }
        keep(&mut found);
        found
    }

    fn find(&mut self, entity: EntityKind, is_found: bool) {
        self.why = self.why.or(WhyEmpty::about(entity, is_found, self.why.unavailable));
    }

    /// The relations among which the wanted ones are.
    fn relations(&self, state: &'m State) -> Relations<'m> {
        match (self.user, self.group, self.role) {
            (Some(user), _, _) => {
                let row = state.users.row(user).into_iter();
                Box::new(
                    row.flat_map(UserRow::sources)
                        .map(move |(to, edge)| WindowedRelation::new(Subject::User(user), to, edge)),
                )
            }
            (None, Some(group), _) => Box::new(of_group(state, group).chain(subgroups(state, group))),
            (None, None, Some(role)) => Box::new(groups_of_role(state, role).chain(users_of_role(state, role))),
            (None, None, None) => {
                let of_groups = state.groups.sorted().flat_map(move |group| of_group(state, group));
                Box::new(of_groups.chain(state.roles.all().flat_map(move |role| users_of_role(state, role))))
            }
        }
    }

    fn is_wanted(&self, relation: &WindowedRelation) -> bool {
        let is_end = |wanted: Option<u32>, subject: fn(u32) -> Subject, to: fn(u32) -> Option<Source>| {
            wanted.is_none_or(|n| relation.subject == subject(n) || to(n).is_some_and(|to| relation.to == to))
        };
        !relation.window.is_always()
            && is_end(self.user, Subject::User, |_| None)
            && is_end(self.group, Subject::Group, |n| Some(Source::Group(n)))
            && self.role.is_none_or(|role| relation.to == Source::Role(role))
    }
}

type Relations<'m> = Box<dyn Iterator<Item = WindowedRelation> + Send + 'm>;

fn none<'m>() -> Relations<'m> {
    Box::new(iter::empty())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    User(u32),
    Group(u32),
}

/// A relation that may have a window.
#[derive(Clone, Copy)]
pub(super) struct WindowedRelation {
    subject: Subject,
    to: Source,
    pub(super) window: Window,
}

impl WindowedRelation {
    fn new(subject: Subject, to: Source, edge: Edge) -> Self {
        Self { subject, to, window: edge.window }
    }

    /// The kind of relation, and its two ends.
    pub(super) fn ends(&self, state: &State) -> Option<(RelationKind, EntityRef, EntityRef)> {
        let subject = match self.subject {
            Subject::User(n) => EntityRef::at(&state.users, n)?,
            Subject::Group(n) => EntityRef::at(&state.groups, n)?,
        };
        Some(match (self.subject, self.to) {
            (_, Source::Role(n)) => (RelationKind::Assignment, subject, EntityRef::at(&state.roles, n)?),
            (Subject::User(_), Source::Group(n)) => {
                (RelationKind::Membership, subject, EntityRef::at(&state.groups, n)?)
            }
            (Subject::Group(_), Source::Group(n)) => (RelationKind::Parent, subject, EntityRef::at(&state.groups, n)?),
        })
    }

    fn change(&self, state: &State, at: Timestamp, bound: Bound) -> Option<WindowChange> {
        let (relation, subject, object) = must(self.ends(state), FAR_END)?;
        Some(WindowChange { at, bound, relation, subject, object, window: self.window })
    }
}

/// All relations with a window: group by group, then role by role.
pub(super) fn all(state: &State) -> impl Iterator<Item = WindowedRelation> {
    let of_groups = state.groups.sorted().flat_map(move |group| of_group(state, group));
    let of_roles = state.roles.all().flat_map(move |role| users_of_role(state, role));
    of_groups.chain(of_roles).filter(|relation| !relation.window.is_always())
}

/// The members of a group that have a window, its parents and its roles.
fn of_group(state: &State, group: u32) -> Relations<'_> {
    let Some(row) = state.groups.row(group) else { return none() };
    let members = windowed(&row.members, Source::Group(group), Subject::User, |n| Some(state.users.row(n)?.groups()));
    let mut sources: Vec<(Source, Edge)> = row.sources().filter(|(_, edge)| !edge.window.is_always()).collect();
    sources.sort_by(|a, b| name(state, a.0).cmp(&name(state, b.0)));
    let above = sources.into_iter().map(move |(to, edge)| WindowedRelation::new(Subject::Group(group), to, edge));
    Box::new(members.chain(above))
}

fn name(state: &State, source: Source) -> (bool, &str) {
    match source {
        Source::Group(n) => (false, state.groups.name_at(n)),
        Source::Role(n) => (true, state.roles.name_at(n)),
    }
}

fn subgroups(state: &State, group: u32) -> Relations<'_> {
    let Some(row) = state.groups.row(group) else { return none() };
    Box::new(windowed(&row.children, Source::Group(group), Subject::Group, |n| Some(state.groups.row(n)?.parents())))
}

fn groups_of_role(state: &State, role: u32) -> Relations<'_> {
    let Some(row) = state.roles.row(role) else { return none() };
    Box::new(windowed(&row.groups, Source::Role(role), Subject::Group, |n| state.groups.row(n).map(GroupRow::roles)))
}

fn users_of_role(state: &State, role: u32) -> Relations<'_> {
    let Some(row) = state.roles.row(role) else { return none() };
    Box::new(windowed(&row.users, Source::Role(role), Subject::User, |n| state.users.row(n).map(UserRow::roles)))
}

fn windowed<'m>(
    reverse_edges: &'m SortedSeq<ReverseEdge>,
    to: Source,
    subject: fn(u32) -> Subject,
    edges: impl Fn(u32) -> Option<Edges<'m>> + Send + 'm,
) -> impl Iterator<Item = WindowedRelation> + Send + 'm {
    reverse_edges.iter().filter(|reverse| reverse.is_windowed()).filter_map(move |reverse| {
        let edge = must(edges(reverse.from()).and_then(|edges| edges.get(to.number())), FAR_END)?;
        Some(WindowedRelation::new(subject(reverse.from()), to, edge))
    })
}
