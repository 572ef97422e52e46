//! Rules about what nobody uses, and what has ended or is gone.

use super::{Code, Finding, Findings, Severity};
use crate::model::error::{EntityKind, Quoted, RelationKind};
use crate::model::graph::follow;
use crate::model::internal_fault::must;
use crate::model::records::Timestamp;
use crate::resolver::bits::Bits;
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::SlugConflict;
use crate::resolver::snapshot::edge::{FAR_END, ReverseEdge};
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::tables::sorted_seq::SortedSeq;
use crate::review::{EntityRef, changes};

pub(super) fn catalog_conflicts<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    Box::new(moment.snapshot().conflicts().into_iter().map(|found| conflict(&found)))
}

/// The finding about a slug in conflict.
pub(crate) fn conflict(conflict: &SlugConflict) -> Finding {
    let slug = Quoted(conflict.slug.as_str()).to_string();
    let (entity, own) = (conflict.entity, conflict.own);
    let place = EntityRef { entity, id: own, name: conflict.slug.to_string() };
    let id = own.to_string();
    let message = format!("{entity} {slug} belongs to the tenant, with the id {}, and to the catalog", Quoted(&id));
    let mut finding = Finding::new(Code::CatalogConflict, place, message);
    if entity == EntityKind::Role {
        finding.severity = Severity::Warning;
    }
    finding
}

pub(super) fn removed_from_catalog<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let state = &moment.compiled().state;
    let is_removed = |origin| origin == Origin::RemovedFromCatalog;
    let roles = state.roles.all().filter_map(|n| state.roles.row(n));
    let roles = roles.filter(move |row| is_removed(row.origin)).map(EntityRef::of);
    let permissions = state.permissions.all().filter_map(|n| state.permissions.row(n));
    let permissions = permissions.filter(move |row| is_removed(row.origin)).map(EntityRef::of);
    Box::new(permissions.chain(roles).map(|place| {
        let message = format!("{place} was removed from the catalog, and something still refers to it");
        Finding::new(Code::RemovedFromCatalog, place, message)
    }))
}

pub(super) fn unused_roles<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let (state, from) = (&moment.compiled().state, moment.instant());
    // In a tenant without users, which is a list of roles for example, this says nothing.
    if state.users.len() == 0 {
        return Box::new(std::iter::empty());
    }
    let groups = populated(state, from);
    let mut used = Bits::new();
    for row in groups.iter().filter_map(|n| state.groups.row(n)) {
        for edge in row.roles().iter().filter(|edge| !edge.window.has_ended(from)) {
            used.insert(edge.to);
        }
    }
    for role in state.roles.all() {
        let row = state.roles.row(role);
        let edges = |n| Some(state.users.row(n)?.roles());
        if row.is_some_and(|row| has_any(&row.users, role, from, edges)) {
            used.insert(role);
        }
    }
    follow(used.clone().iter(), |role| state.includes(role), |role| used.insert(role));
    let own = state.roles.sorted().filter(move |n| !used.contains(*n)).filter_map(|n| state.roles.row(n));
    Box::new(own.filter(|row| row.origin == Origin::Tenant).map(|row| {
        let place = EntityRef::of(row);
        let message = if row.is_unused() {
            format!("nothing assigns or includes {place}")
        } else {
            format!("{place} is assigned or included, but no user has it")
        };
        Finding::new(Code::UnusedRole, place, message)
    }))
}

pub(super) fn empty_groups<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let state = &moment.compiled().state;
    if state.users.len() == 0 {
        return Box::new(std::iter::empty());
    }
    let populated = populated(state, moment.instant());
    let empty = state.groups.sorted().filter(move |n| !populated.contains(*n)).filter_map(|n| state.groups.row(n));
    Box::new(empty.map(|row| {
        let place = EntityRef::of(row);
        let message = format!("{place} has no members, neither direct nor inherited ones");
        Finding::new(Code::EmptyGroup, place, message)
    }))
}

/// The groups that have a direct or inherited member at some instant, from this one on. Suspended users count.
fn populated(state: &State, from: Timestamp) -> Bits {
    let has_members = |group: &u32| {
        let edges = |n| Some(state.users.row(n)?.groups());
        state.groups.row(*group).is_some_and(|row| has_any(&row.members, *group, from, edges))
    };
    let mut groups: Bits = state.groups.sorted().filter(has_members).collect();
    let parents = |group| {
        let edges = state.groups.row(group).into_iter().flat_map(|row| row.parents().iter());
        edges.filter(|edge| !edge.window.has_ended(from)).map(|edge| edge.to)
    };
    follow(groups.clone().iter(), parents, |group| groups.insert(group));
    groups
}

/// Whether one of these relations has not ended.
fn has_any<'s>(
    reverse_edges: &SortedSeq<ReverseEdge>,
    to: u32,
    from: Timestamp,
    edges: impl Fn(u32) -> Option<Edges<'s>>,
) -> bool {
    let window = |reverse: ReverseEdge| must(edges(reverse.from()).and_then(|edges| edges.get(to)), FAR_END);
    reverse_edges
        .iter()
        .any(|reverse| !reverse.is_windowed() || window(*reverse).is_some_and(|edge| !edge.window.has_ended(from)))
}

pub(super) fn expired_memberships<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    expired(moment, RelationKind::Membership, Code::ExpiredMembership)
}

pub(super) fn expired_assignments<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    expired(moment, RelationKind::Assignment, Code::ExpiredAssignment)
}

pub(super) fn expired_parent_links<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    expired(moment, RelationKind::Parent, Code::ExpiredParentLink)
}

fn expired<'m>(moment: &'m Moment<'_>, kind: RelationKind, code: Code) -> Findings<'m> {
    let (state, now) = (&moment.compiled().state, moment.instant());
    let ended = changes::all(state).filter(move |relation| relation.window.has_ended(now));
    Box::new(ended.filter_map(move |relation| {
        let (_, subject, object) = relation.ends(state).filter(|(found, ..)| *found == kind)?;
        let end = relation.window.end().map_or_else(String::new, |end| end.to_string());
        let message = match kind {
            RelationKind::Assignment => format!("assignment of {object} to {subject} ended at {end}"),
            RelationKind::Parent => format!("parent link of {subject} to {object} ended at {end}"),
            RelationKind::Membership => format!("membership of {subject} in {object} ended at {end}"),
            // These have no window.
            RelationKind::Grant | RelationKind::Inclusion => return None,
        };
        Some(Finding::new(code, subject, message).with(object))
    }))
}
