//! Warnings: changes that are valid, and that probably do not do what their author wanted.

use std::fmt;

use serde::Serialize;

use super::Plan;
use crate::model::clock::When;
use crate::model::error::{EntityKind, Quoted, RelationKind};
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::{Change, Granted, GroupId, Holder, Pattern, Record, RecordKey, RoleId, Slug, UserId};
use crate::resolver::snapshot::edge::{Edge, NEAR_END};
use crate::resolver::snapshot::entity_rows::RoleRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Row as _;
use crate::resolver::snapshot::walk::{edges_of, is_active};

/// Something that a plan does and its author probably did not want.
///
/// [`Plan::warnings`] returns them before the commit, and [`Updated::warnings`](crate::authorizer::Updated::warnings)
/// after it.
///
/// # Example
/// ```
/// use rolecall::plan::Warning;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let updated = acme.update(|tx| {
///     tx.create_permission("guests:invite")?;
///     tx.create_role("host")?.grant("gests:*")?.done()
/// })?;
/// assert_eq!(updated.warnings.len(), 1);
/// assert!(matches!(&updated.warnings[0], Warning::PatternMatchesNothing { role, .. } if role == "host"));
/// assert_eq!(updated.warnings[0].to_string(), "role `host` grants `gests:*`, which matches no permission");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// A new grant has a pattern that matches no permission of the tenant or the catalog. The pattern stays, and it will
    /// match permissions that are created later.
    PatternMatchesNothing {
        /// The role that grants it.
        role: Slug,
        /// The pattern.
        pattern: Pattern,
    },
    /// A relation was removed, or was not there to be removed, and something else still gives the same. Somebody who
    /// leaves a group may still be an inherited member, for example. A role may still grant a permission by a pattern.
    StillGiven {
        /// The kind of the relation.
        relation: RelationKind,
        /// The kind of the entity that still has it.
        entity: EntityKind,
        /// Its slug or key: the member, the holder of the role, the subgroup, the role that grants or includes.
        name: String,
        /// The slug of the group, the role or the permission, or the pattern.
        still: String,
        /// The source that gives it: the slug of a group or a role, or a pattern.
        through: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatternMatchesNothing { role, pattern } => {
                let (role, pattern) = (Quoted(role.as_str()), Quoted(pattern.as_str()));
                write!(f, "role {role} grants {pattern}, which matches no permission")
            }
            Self::StillGiven { relation, entity, name, still, through } => {
                let (name, still, through) = (Quoted(name), Quoted(still), Quoted(through));
                let has = match relation {
                    RelationKind::Membership => "is still a member of",
                    RelationKind::Assignment => "still has the role",
                    RelationKind::Parent => "is still a part of",
                    RelationKind::Grant => "still grants",
                    RelationKind::Inclusion => "still includes",
                };
                write!(f, "{entity} {name} {has} {still}, through {through}")
            }
        }
    }
}

impl Plan {
    /// Returns effects of the plan that its author probably did not want. First come new patterns that match nothing,
    /// in the order of its changes, then removals that take nothing away at the instant of the plan.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?;
    ///     tx.create_user("alice")?.join("engineering")?.done()
    /// })?;
    /// let ((), plan) = acme.plan(|tx| tx.user("alice")?.leave("staff")?.done())?;
    /// let warnings = plan.warnings();
    /// assert_eq!(warnings[0].to_string(), "user `alice` is still a member of `staff`, through `engineering`");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Each new grant of a pattern looks at the permissions that begin like the pattern, until one matches. Each
    /// removed relation between two entities that stay costs a walk over the groups and roles above it. Other changes
    /// cost nothing.
    pub fn warnings(&self) -> Vec<Warning> {
        let state = &self.next.state;
        let mut warnings: Vec<Warning> = self.changes.iter().filter_map(|change| unmatched(state, change)).collect();
        let is_removed = |change: &&Change| change.after().is_none() && change.kind().is_relation();
        let removed = self.changes.iter().filter(is_removed).map(Change::key);
        let mut removed: Vec<RecordKey> = removed.chain(self.removed_in_vain.iter().cloned()).collect();
        // The changes are in order already, so this costs one pass over them.
        removed.sort();
        removed.dedup();
        let when = When::Chosen(self.envelope.at);
        warnings.extend(removed.iter().filter_map(|key| still_given(state, key, &when)));
        warnings
    }
}

/// Returns the warning for a removed relation, if both ends exist and another relation gives the same.
fn still_given(state: &State, removed: &RecordKey, when: &When<'_>) -> Option<Warning> {
    let State { users, groups, roles, permissions, .. } = state;
    let user = |id: UserId| state.user_by_id(id.as_uuid());
    let group = |id: GroupId| groups.by_id(id.as_uuid());
    let role = |id: RoleId| roles.by_id(id.as_uuid());
    let name_of = |source: Source| match source {
        Source::Group(n) => groups.name_at(n).to_owned(),
        Source::Role(n) => roles.name_at(n).to_owned(),
    };
    let still = |relation, entity, name: &str, target: Source, from: Vec<Source>| {
        let through = name_of(reached_from(state, from, target, when)?);
        Some(Warning::StillGiven { relation, entity, name: name.to_owned(), still: name_of(target), through })
    };
    match removed {
        RecordKey::Membership(member, of) => {
            let target = Source::Group(group(*of)?);
            let row = users.row(user(*member)?)?;
            still(RelationKind::Membership, EntityKind::User, row.key().as_str(), target, active(row.sources(), when))
        }
        RecordKey::Assignment(assigned, Holder::User(holder)) => {
            let target = Source::Role(role(*assigned)?);
            let row = users.row(user(*holder)?)?;
            still(RelationKind::Assignment, EntityKind::User, row.key().as_str(), target, active(row.sources(), when))
        }
        RecordKey::Assignment(assigned, Holder::Group(holder)) => {
            let target = Source::Role(role(*assigned)?);
            let row = groups.row(group(*holder)?)?;
            still(RelationKind::Assignment, EntityKind::Group, row.name(), target, active(row.sources(), when))
        }
        RecordKey::Parent(below, parent) => {
            let target = Source::Group(group(*parent)?);
            let row = groups.row(group(*below)?)?;
            still(RelationKind::Parent, EntityKind::Group, row.name(), target, active(row.sources(), when))
        }
        RecordKey::Inclusion(above, included) => {
            let (target, number) = (Source::Role(role(*included)?), role(*above)?);
            let from = state.includes(number).map(Source::Role).collect();
            still(RelationKind::Inclusion, EntityKind::Role, roles.name_at(number), target, from)
        }
        RecordKey::Grant(granting, permission) => {
            let permission = permissions.by_id(permission.as_uuid()).filter(|n| state.permission_is_grantable(*n))?;
            let (row, slug) = (roles.row(role(*granting)?)?, permissions.name_at(permission));
            if row.grants.contains(|n| n.cmp(&permission)) {
                return None;
            }
            let pattern = row.patterns.iter().find(|pattern| pattern.matches(slug)).map(Pattern::to_string);
            let included = || first_above(state, row, |row| state.role_grants(row, permission));
            Some(still_granted(row, slug, pattern.or_else(included)?))
        }
        RecordKey::GrantPattern(granting, pattern) => {
            let row = roles.row(role(*granting)?)?;
            if row.patterns.contains(pattern) {
                return None;
            }
            let covering = |row: &RoleRow| row.patterns.iter().find(|by| by.covers(pattern)).map(Pattern::to_string);
            let through = covering(row).or_else(|| first_above(state, row, |row| covering(row).is_some()))?;
            Some(still_granted(row, pattern.as_str(), through))
        }
        RecordKey::Tenant
        | RecordKey::Permission(_)
        | RecordKey::Role(_)
        | RecordKey::Group(_)
        | RecordKey::User(_)
        | RecordKey::Separation(_)
        | RecordKey::Assertion(_) => None,
    }
}

fn still_granted(role: &RoleRow, still: &str, through: String) -> Warning {
    let (relation, entity) = (RelationKind::Grant, EntityKind::Role);
    Warning::StillGiven { relation, entity, name: role.name().to_owned(), still: still.to_owned(), through }
}

/// The slug of the first role that a role includes, directly or through others, for which this is true.
fn first_above(state: &State, role: &RoleRow, is_it: impl Fn(&RoleRow) -> bool) -> Option<String> {
    let row = |role| must(state.roles.row(role), NEAR_END);
    let includes = |role| row(role).into_iter().flat_map(|row| row.includes.iter().copied());
    graph::nearest(role.includes.iter().copied(), includes, |role, _| {
        row(role).filter(|row| is_it(row)).map(|row| row.name().to_owned())
    })
}

fn active(sources: impl Iterator<Item = (Source, Edge)>, when: &When<'_>) -> Vec<Source> {
    sources.filter(|(_, edge)| is_active(*edge, when)).map(|(source, _)| source).collect()
}

/// The group or role from which a target is reached on a shortest way from these, which it is not one of.
fn reached_from(state: &State, from: Vec<Source>, target: Source, when: &When<'_>) -> Option<Source> {
    if from.contains(&target) {
        return None;
    }
    let next = |source| active(edges_of(state, source), when);
    graph::nearest(from, next, |source, before| before.filter(|_| source == target))
}

/// Returns the warning for a new grant of a pattern that matches nothing.
fn unmatched(state: &State, change: &Change) -> Option<Warning> {
    let (None, Some(Record::Grant(grant))) = (change.before(), change.after()) else { return None };
    let Granted::Pattern(pattern) = &grant.granted else { return None };
    let prefix = pattern.prefix();
    let permissions = &state.permissions;
    let mut like =
        permissions.sorted_from(prefix).map(|n| permissions.name_at(n)).take_while(|n| n.starts_with(prefix));
    if like.any(|name| pattern.matches(name)) {
        return None;
    }
    let role = state.roles.by_id(grant.role.as_uuid()).and_then(|number| state.roles.row(number))?;
    Some(Warning::PatternMatchesNothing { role: role.record.slug.clone(), pattern: pattern.clone() })
}
