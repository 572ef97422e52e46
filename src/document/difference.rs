//! The difference between the records of a tenant and those of a document, found while the document is read.
//!
//! A record that stays is neither stored nor sorted: it is looked up and marked. So a document that differs little
//! costs one comparison of each record, and no copies. Records of the tenant that the document lacks are found by
//! counting. If as many edges of an entity were marked as leave it, none of them is missing.

use hashbrown::HashSet;

use crate::model::internal_fault::must;
use crate::model::records::{
    Assignment, Change, Grant, Granted, GroupId, Holder, Inclusion, Membership, ParentLink, Record, RoleId, UserId,
    UserRecord, Window,
};
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::table::{Origin, Row, Table};

/// An end of an edge: an entity by its number, or a pattern of a role by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Node {
    Permission(u32),
    Pattern(u32),
    Role(u32),
    Group(u32),
    User(u32),
}

/// An edge of the tenant, by its ends.
type NodePair = (Node, Node);

pub(super) struct Difference<'a> {
    state: &'a State,
    changes: Vec<Change>,
    permissions: Bits,
    roles: Marked,
    groups: Marked,
    users: Marked,
    separations: Bits,
    assertions: Bits,
    /// The edges that the document has, too.
    edges: Vec<NodePair>,
    /// The members of one group: see [`Difference::begin_members`].
    members: Vec<u32>,
    round: u32,
}

/// The entities of one kind that the document has, and how many edges that leave each of them were not seen yet.
#[derive(Default)]
struct Marked {
    seen: Bits,
    left: Vec<u32>,
}

impl Marked {
    fn new(numbers: u32) -> Self {
        Self { seen: Bits::new(), left: vec![0; numbers as usize] }
    }

    fn mark_seen(&mut self, number: u32, edges: usize) {
        self.seen.insert(number);
        let count = self.left.get_mut(number as usize).zip(u32::try_from(edges).ok());
        if let Some((left, edges)) = must(count, COUNTED) {
            *left = edges;
        }
    }

    fn mark_edge_seen(&mut self, number: u32) {
        if let Some(left) = must(self.left.get_mut(number as usize), COUNTED) {
            *left = left.saturating_sub(1);
        }
    }

    /// The entities that the document has without all edges that leave them.
    fn incomplete(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.left).filter(|(_, left)| **left > 0).map(|(number, _)| number)
    }
}

const COUNTED: &str = "each entity has a count of the edges that are left";
const SAME_KEY: &str = "both sides of a change have the same key";

impl<'a> Difference<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        let State { roles, groups, users, .. } = state;
        Self {
            state,
            changes: Vec::new(),
            permissions: Bits::new(),
            roles: Marked::new(roles.numbers_in_use()),
            groups: Marked::new(groups.numbers_in_use()),
            users: Marked::new(users.numbers_in_use()),
            separations: Bits::new(),
            assertions: Bits::new(),
            edges: Vec::new(),
            members: vec![0; users.numbers_in_use() as usize],
            round: 0,
        }
    }

    /// Compares a record of the document. Entities come before the edges that leave them.
    pub(super) fn push(&mut self, record: Record) {
        let before = self.mark_seen(&record);
        if before.as_ref() != Some(&record) {
            self.changes.extend(must(Change::new(before, Some(record)), SAME_KEY));
        }
    }

    /// Returns whether the tenant has a user as the document has it, which `same` decides, and marks the user if so.
    pub(super) fn has_user(&mut self, number: Option<u32>, same: impl FnOnce(&UserRecord) -> bool) -> bool {
        let state = self.state;
        let Some((number, row)) = number.and_then(|number| Some((number, state.users.row(number)?))) else {
            return false;
        };
        let is_same = same(&row.record);
        if is_same {
            self.users.mark_seen(number, row.edges.len());
        }
        is_same
    }

    /// Prepares to compare the members of a group: marks those who have no window.
    pub(super) fn begin_members(&mut self, group: Option<u32>) {
        self.round += 1;
        let row = group.and_then(|group| self.state.groups.row(group));
        for reverse in row.into_iter().flat_map(|row| row.members.iter()).filter(|reverse| !reverse.is_windowed()) {
            if let Some(member) = must(self.members.get_mut(reverse.from() as usize), COUNTED) {
                *member = self.round;
            }
        }
    }

    /// Returns whether a user is a member of the group that was begun last, without a window, and marks the membership if
    /// so.
    pub(super) fn has_member(&mut self, user: Option<u32>, group: Option<u32>) -> bool {
        let Some((user, group)) = user.zip(group) else { return false };
        let is_member = self.members.get(user as usize) == Some(&self.round);
        if is_member {
            self.mark_edge_seen((Node::User(user), Node::Group(group)));
        }
        is_member
    }

    /// Returns all changes, ordered by key.
    pub(super) fn finish(mut self) -> Vec<Change> {
        let (state, mut removed) = (self.state, Vec::new());
        removed.extend(unseen(&state.permissions, &self.permissions).map(|row| Record::Permission(row.record.clone())));
        removed.extend(unseen(&state.separations, &self.separations).map(|row| Record::Separation(row.record.clone())));
        removed.extend(unseen(&state.assertions, &self.assertions).map(|row| Record::Assertion(row.record.clone())));
        for row in unseen(&state.roles, &self.roles.seen) {
            removed.push(Record::Role(row.record.clone()));
            edges_of_role(state, row, |_, record| removed.push(record));
        }
        for row in unseen(&state.groups, &self.groups.seen) {
            removed.push(Record::Group(row.record.clone()));
            edges_of_group(state, row, |_, record| removed.push(record));
        }
        for row in unseen(&state.users, &self.users.seen) {
            removed.push(Record::User(row.record.clone()));
            edges_of_user(state, row, |_, record| removed.push(record));
        }
        self.removed_edges(&mut removed);
        self.changes.extend(removed.into_iter().map(Change::removed));
        self.changes.sort_by_cached_key(Change::key);
        self.changes
    }

    /// Adds the edges that leave entities of the document and are not in it.
    fn removed_edges(&self, removed: &mut Vec<Record>) {
        let (state, roles) = (self.state, self.roles.incomplete().map(Node::Role));
        let groups = self.groups.incomplete().map(Node::Group);
        let incomplete: HashSet<Node> = roles.chain(groups).chain(self.users.incomplete().map(Node::User)).collect();
        if incomplete.is_empty() {
            return;
        }
        let seen: HashSet<NodePair> =
            self.edges.iter().filter(|(from, _)| incomplete.contains(from)).copied().collect();
        for from in incomplete {
            let add = |to, record| {
                if !seen.contains(&(from, to)) {
                    removed.push(record);
                }
            };
            let found = match from {
                Node::Role(number) => state.roles.row(number).map(|row| edges_of_role(state, row, add)),
                Node::Group(number) => state.groups.row(number).map(|row| edges_of_group(state, row, add)),
                Node::User(number) => state.users.row(number).map(|row| edges_of_user(state, row, add)),
                Node::Permission(_) | Node::Pattern(_) => None,
            };
            must(found, NEAR_END);
        }
    }

    /// Marks the entity of a record, and returns the record that the tenant has of it.
    fn mark_seen(&mut self, record: &Record) -> Option<Record> {
        fn own<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<(u32, &R)> {
            let number = number?;
            // The number of an entity that was deleted has no row.
            table.row(number).filter(|row| row.origin() == Origin::Tenant).map(|row| (number, row))
        }
        let state = self.state;
        match record {
            Record::Tenant(_) => state.tenant.clone().map(Record::Tenant),
            Record::Permission(record) => {
                let (number, row) = own(&state.permissions, state.permissions.by_id(record.id.as_uuid()))?;
                self.permissions.insert(number);
                Some(Record::Permission(row.record.clone()))
            }
            Record::Role(record) => {
                let (number, row) = own(&state.roles, state.roles.by_id(record.id.as_uuid()))?;
                self.roles.mark_seen(number, row.grants.len() + row.patterns.len() + row.includes.len());
                Some(Record::Role(row.record.clone()))
            }
            Record::Group(record) => {
                let (number, row) = own(&state.groups, state.groups.by_id(record.id.as_uuid()))?;
                self.groups.mark_seen(number, row.edges.len());
                Some(Record::Group(row.record.clone()))
            }
            Record::User(record) => {
                let (number, row) = own(&state.users, state.user_by_id(record.id.as_uuid()))?;
                self.users.mark_seen(number, row.edges.len());
                Some(Record::User(row.record.clone()))
            }
            Record::Separation(record) => {
                let (number, row) = own(&state.separations, state.separations.by_id(record.id.as_uuid()))?;
                self.separations.insert(number);
                Some(Record::Separation(row.record.clone()))
            }
            Record::Assertion(record) => {
                let (number, row) = own(&state.assertions, state.assertions.by_id(record.id.as_uuid()))?;
                self.assertions.insert(number);
                Some(Record::Assertion(row.record.clone()))
            }
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Parent(_)
            | Record::Assignment(_)
            | Record::Membership(_) => {
                let (edge, window) = self.edge(record)?;
                self.mark_edge_seen(edge);
                // Two edges with the same ends and the same window are the same record.
                if window == window_of(record) { Some(record.clone()) } else { state.record(&record.key()) }
            }
        }
    }

    fn mark_edge_seen(&mut self, edge: NodePair) {
        match edge.0 {
            Node::Role(number) => self.roles.mark_edge_seen(number),
            Node::Group(number) => self.groups.mark_edge_seen(number),
            Node::User(number) => self.users.mark_edge_seen(number),
            Node::Permission(_) | Node::Pattern(_) => return,
        }
        self.edges.push(edge);
    }

    /// Returns the edge of the tenant with the ends of this record, and its window, if its kind has one.
    fn edge(&self, record: &Record) -> Option<(NodePair, Option<Window>)> {
        let State { permissions, roles, groups, users, .. } = self.state;
        let role = |id: RoleId| roles.by_id(id.as_uuid());
        let group = |id: GroupId| groups.by_id(id.as_uuid());
        let user = |id: UserId| self.state.user_by_id(id.as_uuid());
        match record {
            Record::Grant(Grant { role: id, granted }) => {
                let from = role(*id)?;
                let row = roles.row(from)?;
                let to = match granted {
                    Granted::Permission(permission) => {
                        let number = permissions.by_id(permission.id().as_uuid())?;
                        row.grants.contains(|n| n.cmp(&number)).then_some(Node::Permission(number))?
                    }
                    Granted::Pattern(pattern) => pattern_at(row.patterns.binary_search(pattern).ok()?),
                };
                Some(((Node::Role(from), to), None))
            }
            Record::Inclusion(Inclusion { role: id, included }) => {
                let (from, to) = (role(*id)?, role(included.id())?);
                roles.row(from)?.includes.contains(|n| n.cmp(&to)).then_some(((Node::Role(from), Node::Role(to)), None))
            }
            Record::Parent(ParentLink { group: id, parent, .. }) => {
                let (from, to) = (group(*id)?, group(*parent)?);
                let window = groups.row(from)?.parents().get(to)?.window;
                Some(((Node::Group(from), Node::Group(to)), Some(window)))
            }
            Record::Assignment(Assignment { role: id, holder, .. }) => {
                let to = role(id.id())?;
                let (from, roles) = match holder {
                    Holder::User(id) => user(*id).and_then(|n| Some((Node::User(n), users.row(n)?.roles())))?,
                    Holder::Group(id) => group(*id).and_then(|n| Some((Node::Group(n), groups.row(n)?.roles())))?,
                };
                Some(((from, Node::Role(to)), Some(roles.get(to)?.window)))
            }
            Record::Membership(Membership { user: id, group: to, .. }) => {
                let (from, to) = (user(*id)?, group(*to)?);
                let window = users.row(from)?.groups().get(to)?.window;
                Some(((Node::User(from), Node::Group(to)), Some(window)))
            }
            Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => None,
        }
    }
}

/// Returns the tenant's own entities that the document has not.
fn unseen<'t, R: Row>(table: &'t Table<R>, seen: &'t Bits) -> impl Iterator<Item = &'t R> {
    let is_unseen = |(number, row): &(u32, &R)| row.origin() == Origin::Tenant && !seen.contains(*number);
    table.numbered_rows().filter(is_unseen).map(|(_, row)| row)
}

fn pattern_at(place: usize) -> Node {
    Node::Pattern(u32::try_from(place).unwrap_or(u32::MAX))
}

fn edges_of_role(state: &State, row: &RoleRow, mut each: impl FnMut(Node, Record)) {
    let role = row.record.id;
    for number in row.grants.iter() {
        if let Some(permission) = must(state.permissions.row(*number), NEAR_END) {
            let granted = Granted::Permission(permission.reference());
            each(Node::Permission(*number), Record::Grant(Grant { role, granted }));
        }
    }
    for (place, pattern) in row.patterns.iter().enumerate() {
        let granted = Granted::Pattern(pattern.clone());
        each(pattern_at(place), Record::Grant(Grant { role, granted }));
    }
    for number in row.includes.iter() {
        if let Some(included) = must(state.roles.row(*number), NEAR_END) {
            each(Node::Role(*number), Record::Inclusion(Inclusion { role, included: included.reference() }));
        }
    }
}

fn edges_of_group(state: &State, row: &GroupRow, mut each: impl FnMut(Node, Record)) {
    let group = row.id();
    for edge in row.parents().iter() {
        if let Some(parent) = must(state.groups.row(edge.to), NEAR_END).map(GroupRow::id) {
            each(Node::Group(edge.to), Record::Parent(ParentLink { group, parent, window: edge.window }));
        }
    }
    edges_of_holder(state, row.roles(), Holder::Group(group), each);
}

fn edges_of_user(state: &State, row: &UserRow, mut each: impl FnMut(Node, Record)) {
    let user = row.id();
    for edge in row.groups().iter() {
        if let Some(group) = must(state.groups.row(edge.to), NEAR_END).map(GroupRow::id) {
            each(Node::Group(edge.to), Record::Membership(Membership { user, group, window: edge.window }));
        }
    }
    edges_of_holder(state, row.roles(), Holder::User(user), each);
}

fn edges_of_holder(state: &State, roles: Edges<'_>, holder: Holder, mut each: impl FnMut(Node, Record)) {
    for edge in roles.iter() {
        if let Some(role) = must(state.roles.row(edge.to), NEAR_END).map(RoleRow::reference) {
            each(Node::Role(edge.to), Record::Assignment(Assignment { role, holder, window: edge.window }));
        }
    }
}
