//! Applying changes of edges to a state, at both ends of each edge (I9).

use super::{Edit, Result};
use crate::model::error::EntityKind;
use crate::model::internal_fault::{must, must_hold};
use crate::model::invariants::Violation;
use crate::model::records::{
    Assignment, Change, Grant, Granted, Holder, Inclusion, Membership, ParentLink, PermissionRef, Record, RoleId,
    RoleRef, Window,
};
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::edge::{FAR_END, NEAR_END, ReverseEdge};
use crate::resolver::snapshot::entity_rows::Asserted;
use crate::resolver::snapshot::entity_rows::{PermissionRow, RoleRow};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::table::Origin;

const UNLISTED: &str = "an entity removed from the catalog is found by its name";

impl Edit<'_> {
    pub(super) fn put_edge(&mut self, record: &Record, before: Option<&Record>) -> Result {
        let (new, window) = (before.is_none(), before.and_then(window_of));
        let done = match record {
            Record::Grant(edge) => new && self.put_grant(edge, record)?,
            Record::Inclusion(edge) => new && self.put_inclusion(edge, record)?,
            Record::Parent(edge) => self.put_parent(edge, record, window)?,
            Record::Assignment(edge) => self.put_assignment(edge, record, window)?,
            Record::Membership(edge) => self.put_membership(edge, record, window)?,
            Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => return Err(Violation::UnknownKind),
        };
        if done { Ok(()) } else { Err(Violation::Mismatch { key: record.key() }) }
    }

    pub(super) fn remove_edge(&mut self, record: &Record) -> Result {
        let done = match record {
            Record::Grant(edge) => self.remove_grant(edge),
            Record::Inclusion(edge) => self.remove_inclusion(edge),
            Record::Parent(edge) => self.remove_parent(edge),
            Record::Assignment(edge) => self.remove_assignment(edge),
            Record::Membership(edge) => self.remove_membership(edge),
            Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => return Err(Violation::UnknownKind),
        };
        if done.is_some() { Ok(()) } else { Err(Violation::Mismatch { key: record.key() }) }
    }

    /// The number of a role of the tenant. Only those may grant and include (I6).
    fn own_role(&self, id: RoleId, whole: &Record) -> Result<u32> {
        let dangling = || Violation::Dangling { edge: whole.key(), entity: EntityKind::Role };
        let number = self.state.roles.by_id(id.as_uuid()).ok_or_else(dangling)?;
        match self.state.roles.row(number).map(|row| row.origin) {
            Some(Origin::Tenant) => Ok(number),
            _ => Err(Violation::NotOwn { key: whole.key() }),
        }
    }

    /// The role that a reference names. A role of the catalog that the current catalog lacks is added as removed from
    /// the catalog.
    pub(in crate::resolver::snapshot) fn role(&mut self, reference: &RoleRef, whole: &Record) -> Result<u32> {
        let (id, slug) = match reference {
            RoleRef::Own(id) => return self.own_role(*id, whole),
            RoleRef::Catalog { id, slug } => (*id, slug),
        };
        match self.state.roles.by_id(id.as_uuid()) {
            Some(number) if self.state.roles.row(number).is_some_and(|row| row.origin != Origin::Tenant) => Ok(number),
            Some(_) => Err(Violation::NotOwn { key: whole.key() }),
            None => {
                let number = self.number(EntityKind::Role, id.as_uuid())?;
                self.state.roles.insert(number, RoleRow::removed_from_catalog(id, slug));
                self.state.columns.assign(Source::Role(number));
                self.touched.roles.insert(number);
                Ok(number)
            }
        }
    }

    pub(super) fn permission(&mut self, reference: &PermissionRef, whole: &Record) -> Result<u32> {
        let number = self.state.permissions.by_id(reference.id().as_uuid());
        let origin = number.and_then(|n| self.state.permissions.row(n)).map(|row| row.origin);
        match (reference, number, origin) {
            (PermissionRef::Own(_), Some(number), Some(Origin::Tenant))
            | (PermissionRef::Catalog { .. }, Some(number), Some(Origin::Catalog | Origin::RemovedFromCatalog)) => {
                Ok(number)
            }
            (PermissionRef::Catalog { id, slug }, None, _) => {
                let number = self.number(EntityKind::Permission, id.as_uuid())?;
                self.state.permissions.insert(number, PermissionRow::removed_from_catalog(*id, slug));
                Ok(number)
            }
            (PermissionRef::Own(_), None, _) => {
                Err(Violation::Dangling { edge: whole.key(), entity: EntityKind::Permission })
            }
            _ => Err(Violation::NotOwn { key: whole.key() }),
        }
    }

    fn put_grant(&mut self, edge: &Grant, whole: &Record) -> Result<bool> {
        let role = self.own_role(edge.role, whole)?;
        self.touched.roles.insert(role);
        match &edge.granted {
            Granted::Permission(reference) => {
                let permission = self.permission(reference, whole)?;
                let Some(row) = self.state.roles.row_mut(role) else { return Ok(false) };
                let new = row.grants.insert(permission, |n| n.cmp(&permission));
                if new {
                    self.state.reverse_grants.insert(permission, role);
                }
                Ok(new)
            }
            Granted::Pattern(pattern) => {
                let State { roles, pattern_index, .. } = &mut *self.state;
                let Some(row) = roles.row_mut(role) else { return Ok(false) };
                let Err(place) = row.patterns.binary_search(pattern) else { return Ok(false) };
                self.touched.patterns.insert(role);
                row.patterns.insert(place, pattern.clone());
                pattern_index.add(roles.hashers(), pattern, role);
                Ok(true)
            }
        }
    }

    fn remove_grant(&mut self, edge: &Grant) -> Option<()> {
        let role = self.state.roles.by_id(edge.role.as_uuid())?;
        self.touched.roles.insert(role);
        match &edge.granted {
            Granted::Permission(reference) => {
                let permission = self.state.permissions.by_id(reference.id().as_uuid())?;
                self.state.roles.row_mut(role)?.grants.remove(|n| n.cmp(&permission))?;
                self.state.reverse_grants.remove(permission, role);
                self.forget_removed_permission(permission);
            }
            Granted::Pattern(pattern) => {
                let State { roles, pattern_index, .. } = &mut *self.state;
                let hashers = roles.hashers().clone();
                let row = roles.row_mut(role)?;
                let place = row.patterns.binary_search(pattern).ok()?;
                self.touched.patterns.insert(role);
                row.patterns.remove(place);
                pattern_index.remove(&hashers, pattern, role, &row.patterns);
            }
        }
        Some(())
    }

    fn put_inclusion(&mut self, edge: &Inclusion, whole: &Record) -> Result<bool> {
        let role = self.own_role(edge.role, whole)?;
        let included = self.role(&edge.included, whole)?;
        self.touched.roles.insert(role);
        let Some(row) = self.state.roles.row_mut(role) else { return Ok(false) };
        if !row.includes.insert(included, |n| n.cmp(&included)) {
            return Ok(false);
        }
        if let Some(row) = must(self.state.roles.row_mut(included), NEAR_END) {
            must_hold(row.included_by.insert(role, |n| n.cmp(&role)), FAR_END);
        }
        Ok(true)
    }

    fn remove_inclusion(&mut self, edge: &Inclusion) -> Option<()> {
        let role = self.state.roles.by_id(edge.role.as_uuid())?;
        let included = self.state.roles.by_id(edge.included.id().as_uuid())?;
        self.touched.roles.insert(role);
        self.state.roles.row_mut(role)?.includes.remove(|n| n.cmp(&included))?;
        let far = self.state.roles.row_mut(included).and_then(|row| row.included_by.remove(|n| n.cmp(&role)));
        must(far, FAR_END)?;
        self.forget_removed_role(included);
        Some(())
    }

    fn put_parent(&mut self, edge: &ParentLink, whole: &Record, before: Option<Window>) -> Result<bool> {
        let dangling = || Violation::Dangling { edge: whole.key(), entity: EntityKind::Group };
        let group = self.state.groups.by_id(edge.group.as_uuid()).ok_or_else(dangling)?;
        let parent = self.state.groups.by_id(edge.parent.as_uuid()).ok_or_else(dangling)?;
        self.touched.groups.insert(group);
        if !self.put_group_edge(group, Source::Group(parent), edge.window, before) {
            return Ok(false);
        }
        if let Some(row) = must(self.state.groups.row_mut(parent), NEAR_END) {
            set_reverse(&mut row.children, ReverseEdge::new(group, edge.window), before.is_none(), |reverse| {
                reverse.from().cmp(&group)
            });
        }
        Ok(true)
    }

    fn remove_parent(&mut self, edge: &ParentLink) -> Option<()> {
        let group = self.state.groups.by_id(edge.group.as_uuid())?;
        let parent = self.state.groups.by_id(edge.parent.as_uuid())?;
        self.touched.groups.insert(group);
        self.state.groups.row_mut(group)?.edges.take(Source::Group(parent), edge.window).then_some(())?;
        let far =
            self.state.groups.row_mut(parent).and_then(|row| row.children.remove(|reverse| reverse.from().cmp(&group)));
        must(far, FAR_END)?;
        Some(())
    }

    /// Adds an edge of a group, or changes its window from `before`. Returns `false` if the present window is not
    /// `before` (I4).
    fn put_group_edge(&mut self, group: u32, source: Source, window: Window, before: Option<Window>) -> bool {
        self.state.groups.row_mut(group).is_some_and(|row| row.edges.set(source, window, before))
    }

    fn put_assignment(&mut self, edge: &Assignment, whole: &Record, before: Option<Window>) -> Result<bool> {
        let role = self.role(&edge.role, whole)?;
        match edge.holder {
            Holder::User(id) => {
                let dangling = || Violation::Dangling { edge: whole.key(), entity: EntityKind::User };
                let user = self.state.user_by_id(id.as_uuid()).ok_or_else(dangling)?;
                let State { users, roles, .. } = &mut *self.state;
                if !users.row_mut(user).is_some_and(|row| row.edges.set(Source::Role(role), edge.window, before)) {
                    return Ok(false);
                }
                let key = users.name_at(user);
                if let Some(row) = must(roles.row_mut(role), NEAR_END) {
                    let order = |reverse: &ReverseEdge| users.name_at(reverse.from()).cmp(key);
                    set_reverse(&mut row.users, ReverseEdge::new(user, edge.window), before.is_none(), order);
                }
                self.summary(user);
                Ok(true)
            }
            Holder::Group(id) => {
                let dangling = || Violation::Dangling { edge: whole.key(), entity: EntityKind::Group };
                let group = self.state.groups.by_id(id.as_uuid()).ok_or_else(dangling)?;
                self.touched.groups.insert(group);
                if !self.put_group_edge(group, Source::Role(role), edge.window, before) {
                    return Ok(false);
                }
                if let Some(row) = must(self.state.roles.row_mut(role), NEAR_END) {
                    set_reverse(&mut row.groups, ReverseEdge::new(group, edge.window), before.is_none(), |reverse| {
                        reverse.from().cmp(&group)
                    });
                }
                Ok(true)
            }
        }
    }

    fn remove_assignment(&mut self, edge: &Assignment) -> Option<()> {
        let role = self.state.roles.by_id(edge.role.id().as_uuid())?;
        match edge.holder {
            Holder::User(id) => {
                let user = self.state.user_by_id(id.as_uuid())?;
                let State { users, roles, .. } = &mut *self.state;
                users.row_mut(user)?.edges.take(Source::Role(role), edge.window).then_some(())?;
                let key = users.name_at(user);
                let far = roles.row_mut(role)?.users.remove(|reverse| users.name_at(reverse.from()).cmp(key));
                must(far, FAR_END)?;
                self.summary(user);
            }
            Holder::Group(id) => {
                let group = self.state.groups.by_id(id.as_uuid())?;
                self.touched.groups.insert(group);
                self.state.groups.row_mut(group)?.edges.take(Source::Role(role), edge.window).then_some(())?;
                must(self.state.roles.row_mut(role)?.groups.remove(|reverse| reverse.from().cmp(&group)), FAR_END)?;
            }
        }
        self.forget_removed_role(role);
        Some(())
    }

    fn put_membership(&mut self, edge: &Membership, whole: &Record, before: Option<Window>) -> Result<bool> {
        let dangling = |entity| Violation::Dangling { edge: whole.key(), entity };
        let user = self.state.user_by_id(edge.user.as_uuid()).ok_or_else(|| dangling(EntityKind::User))?;
        let group = self.state.groups.by_id(edge.group.as_uuid()).ok_or_else(|| dangling(EntityKind::Group))?;
        let State { users, groups, .. } = &mut *self.state;
        if !users.row_mut(user).is_some_and(|row| row.edges.set(Source::Group(group), edge.window, before)) {
            return Ok(false);
        }
        let key = users.name_at(user);
        if let Some(row) = must(groups.row_mut(group), NEAR_END) {
            let order = |reverse: &ReverseEdge| users.name_at(reverse.from()).cmp(key);
            set_reverse(&mut row.members, ReverseEdge::new(user, edge.window), before.is_none(), order);
        }
        self.summary(user);
        Ok(true)
    }

    fn remove_membership(&mut self, edge: &Membership) -> Option<()> {
        let user = self.state.user_by_id(edge.user.as_uuid())?;
        let group = self.state.groups.by_id(edge.group.as_uuid())?;
        let State { users, groups, .. } = &mut *self.state;
        users.row_mut(user)?.edges.take(Source::Group(group), edge.window).then_some(())?;
        let key = users.name_at(user);
        must(groups.row_mut(group)?.members.remove(|reverse| users.name_at(reverse.from()).cmp(key)), FAR_END)?;
        self.summary(user);
        Some(())
    }

    /// Removes the memberships that come first, if they are of one group and a good part of its members. Returns their number.
    ///
    /// The list of the members that stay is made anew. To remove the others one by one is a search for each, by its key.
    pub(super) fn leave_together(&mut self, changes: &[Change]) -> Result<Option<usize>> {
        let of_group = |change: &Change| match (change.before(), change.after()) {
            (Some(Record::Membership(edge)), None) => Some(edge.group),
            _ => None,
        };
        let Some(id) = changes.first().and_then(of_group) else { return Ok(None) };
        let Some(group) = self.state.groups.by_id(id.as_uuid()) else { return Ok(None) };
        let members = self.state.groups.row(group).map_or(0, |row| row.members.len());
        let leaving = changes.iter().take(members).take_while(|change| of_group(change) == Some(id)).count();
        if leaving < 2 || leaving.saturating_mul(MOST_STAYING) < members {
            return Ok(None);
        }
        let mut users = Bits::new();
        for change in changes.iter().take(leaving) {
            let user = self.leave(group, change).ok_or_else(|| Violation::Mismatch { key: change.key() })?;
            users.insert(user);
        }
        if let Some(row) = must(self.state.groups.row_mut(group), NEAR_END) {
            let staying: Vec<ReverseEdge> =
                row.members.iter().filter(|reverse| !users.contains(reverse.from())).copied().collect();
            must_hold(staying.len() + leaving == members, FAR_END);
            row.members = ReverseEdges::from_sorted(staying);
        }
        Ok(Some(leaving))
    }

    /// Removes the edge of a user who leaves a group, and not the one back. Returns the user.
    fn leave(&mut self, group: u32, change: &Change) -> Option<u32> {
        let Some(Record::Membership(edge)) = change.before() else { return None };
        let user = self.state.user_by_id(edge.user.as_uuid())?;
        self.state.users.row_mut(user)?.edges.take(Source::Group(group), edge.window).then_some(())?;
        self.summary(user);
        Some(user)
    }

    /// A role that was removed from the catalog is stored only as long as the tenant refers to it.
    pub(super) fn forget_removed_role(&mut self, number: u32) {
        let roles = &self.state.roles;
        let is_unused =
            roles.row(number).is_some_and(|row| row.origin == Origin::RemovedFromCatalog && row.is_unused());
        if is_unused && !self.state.is_separated(number) && !self.state.is_asserted(Asserted::Role(number)) {
            must(self.state.roles.remove(number), UNLISTED);
            self.touched.roles.insert(number);
        }
    }

    pub(super) fn forget_removed_permission(&mut self, number: u32) {
        let removed_from_catalog =
            self.state.permissions.row(number).is_some_and(|row| row.origin == Origin::RemovedFromCatalog);
        let is_granted = !self.state.reverse_grants.is_empty(number);
        if removed_from_catalog && !is_granted && !self.state.is_asserted(Asserted::Permission(number)) {
            must(self.state.permissions.remove(number), UNLISTED);
        }
    }
}

/// If one of so many members leaves a group, the list of the others is made anew.
const MOST_STAYING: usize = 16;

type ReverseEdges = crate::resolver::tables::sorted_seq::SortedSeq<ReverseEdge>;

fn set_reverse(
    reverse_edges: &mut ReverseEdges,
    reverse: ReverseEdge,
    new: bool,
    order: impl Fn(&ReverseEdge) -> std::cmp::Ordering,
) {
    let done = if new { reverse_edges.insert(reverse, order) } else { reverse_edges.replace(reverse, order) };
    must_hold(done, FAR_END);
}
