//! Rules about grants, inclusions and patterns, and about users who have everything.

use std::collections::HashMap as RandomHashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use hashbrown::HashMap;

use super::{Code, Finding, Findings};
use crate::model::clock::When;
use crate::model::error::Quoted;
use crate::model::internal_fault::must;
use crate::model::records::Pattern;
use crate::resolver::bits::Bits;
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::RoleRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::{reverse, walk};
use crate::review::EntityRef;

/// A pattern that matches at least this many permissions is reported, whatever the tenant has.
const MUCH: usize = 100;
/// In a tenant with at least this many permissions, a pattern that matches half of them is reported.
const ENOUGH: usize = 10;
/// An inclusion that leads to more roles than this is not judged.
const MOST_ROLES: usize = 100;
/// A role is compared with at most this many roles whose permissions are equal because they include each other.
const MOST_EQUAL: usize = 8;
/// A user with all permissions is reported only in a tenant with at least this many.
const SEVERAL: usize = 2;

/// The roles of the tenant, by slug, with their numbers.
pub(super) fn own_roles(state: &State) -> impl Iterator<Item = (u32, &RoleRow)> {
    let rows = state.roles.sorted().filter_map(|n| Some((n, state.roles.row(n)?)));
    rows.filter(|(_, row)| row.origin == Origin::Tenant)
}

/// The permissions that can be granted.
fn grantable(state: &State) -> Bits {
    state.permissions.sorted().filter(|n| state.permission_is_grantable(*n)).collect()
}

pub(super) fn all_permissions<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let (state, when) = (&moment.compiled().state, When::Chosen(moment.instant()));
    let all = grantable(state);
    // A user with all permissions has the rarest one, too.
    let rarest = all.iter().min_by_key(|permission| reverse::roles_giving(state, *permission).len());
    let candidates = rarest.filter(|_| all.len() >= SEVERAL).map(|permission| {
        let (roles, groups) = reverse::sources_giving(state, permission, &when);
        reverse::users_of(state, &roles, &groups, &when)
    });
    let candidates = candidates.unwrap_or_default();
    let is_candidate = move |n: &u32| candidates.contains(*n);
    let rows = state.users.sorted().filter(is_candidate).filter_map(|n| state.users.row(n));
    Box::new(rows.filter(|row| !row.is_suspended()).filter_map(move |row| {
        let count = all.len();
        all.is_subset(&walk::effective(state, row, &when)).then(|| {
            let place = EntityRef::of(row);
            let message = format!("{place} has all {count} permissions");
            Finding::new(Code::AllPermissions, place, message)
        })
    }))
}

pub(super) fn pattern_matches_nothing<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    // The pattern is right if a permission that it matches is in conflict, and gives it again when the conflict ends (R9).
    let state = &moment.compiled().state;
    let rows = state.permissions.sorted().filter_map(|n| state.permissions.row(n));
    let in_conflict: Vec<_> = rows.filter(|row| row.in_conflict).map(|row| &row.record.slug).collect();
    patterns(moment, Code::PatternMatchesNothing, move |pattern, matched, _| {
        matched == 0 && !in_conflict.iter().any(|slug| pattern.matches(slug.as_str()))
    })
}

pub(super) fn pattern_matches_much<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    patterns(moment, Code::PatternMatchesMuch, |_, matched, all| {
        matched >= MUCH || (all >= ENOUGH && matched.saturating_mul(2) >= all)
    })
}

/// `is_found` gets a pattern, how many permissions it matches, and how many there are.
fn patterns<'m>(
    moment: &'m Moment<'_>,
    code: Code,
    is_found: impl Fn(&Pattern, usize, usize) -> bool + 'm,
) -> Findings<'m> {
    let state = &moment.compiled().state;
    let all = grantable(state).len();
    // Many roles grant the same few patterns. They come from outside, so the hash has a random key.
    let mut counts: RandomHashMap<Pattern, usize> = RandomHashMap::new();
    let granted = own_roles(state).flat_map(|(_, row)| row.patterns.iter().map(move |pattern| (row, pattern)));
    Box::new(granted.filter_map(move |(row, pattern)| {
        let matched = *counts.entry(pattern.clone()).or_insert_with(|| state.matched(pattern).len());
        is_found(pattern, matched, all).then(|| {
            let (place, text) = (EntityRef::of(row), Quoted(pattern.as_str()));
            let message = match matched {
                0 => format!("{place} grants {text}, which matches no permission"),
                _ => format!("{place} grants {text}, which matches {matched} of {all} permissions"),
            };
            Finding::new(code, place, message).about_grant(pattern.as_str())
        })
    }))
}

/// The grants of some roles and of those that they include.
#[derive(Default)]
struct RoleRights<'s> {
    roles: Bits,
    names: Bits,
    patterns: Vec<&'s Pattern>,
}

impl<'s> RoleRights<'s> {
    /// Adds the grants of a role itself.
    fn add(&mut self, row: &'s RoleRow) {
        for permission in row.grants.iter() {
            self.names.insert(*permission);
        }
        self.patterns.extend(&row.patterns);
    }

    /// Adds a role and those that it includes. Returns `false` if they are too many.
    fn add_all(&mut self, state: &'s State, role: u32) -> bool {
        let mut todo = vec![role];
        let mut left = MOST_ROLES;
        while let Some(role) = todo.pop() {
            if !self.roles.insert(role) {
                continue;
            }
            let Some(next) = left.checked_sub(1) else { return false };
            left = next;
            if let Some(row) = must(state.roles.row(role), NEAR_END) {
                self.add(row);
                todo.extend(row.includes.iter().copied());
            }
        }
        true
    }

    fn has(&self, state: &State, permission: u32) -> bool {
        let matches = |pattern: &&Pattern| pattern.matches(state.permissions.name_at(permission));
        self.names.contains(permission) || self.patterns.iter().any(matches)
    }

    /// Whether they have everything that others have, today and later, and are kept apart from no more roles (R14).
    fn covers(&self, state: &State, other: &RoleRights<'_>) -> bool {
        other.names.iter().all(|permission| self.has(state, permission))
            && other.patterns.iter().all(|pattern| self.patterns.iter().any(|by| by.covers(pattern)))
            && other.roles.iter().all(|role| self.roles.contains(role) || !state.is_separated(role))
    }
}

/// The roles that a role includes, by slug: those that add something to the others and to what it grants itself, and those
/// that do not. The latter are left out one after the other, so all of them can be excluded together.
fn inclusions(state: &State, role: u32) -> (Vec<u32>, Vec<u32>) {
    let mut kept: Vec<u32> = state.includes(role).collect();
    kept.sort_unstable_by(|a, b| state.roles.name_at(*a).cmp(state.roles.name_at(*b)));
    let mut redundant = Vec::new();
    for included in kept.clone() {
        let others: Vec<u32> = kept.iter().copied().filter(|role| *role != included).collect();
        if adds_nothing(state, role, &others, included) {
            kept = others;
            redundant.push(included);
        }
    }
    (kept, redundant)
}

fn adds_nothing(state: &State, role: u32, others: &[u32], included: u32) -> bool {
    if gives_more(state, role, others, included) {
        return false;
    }
    let (mut above, mut rest) = (RoleRights::default(), RoleRights::default());
    state.roles.row(role).into_iter().for_each(|row| rest.add(row));
    above.add_all(state, included) && others.iter().all(|role| rest.add_all(state, *role)) && rest.covers(state, &above)
}

/// Whether cached rows tell at once that a role gives a permission that the others do not give. It is so for most.
fn gives_more(state: &State, role: u32, others: &[u32], included: u32) -> bool {
    let mut rest = Bits::new();
    walk::own_bits(state, role, &mut rest);
    for other in others {
        let Some(ever) = state.row_ever(Source::Role(*other)) else {
            return false;
        };
        rest.union_row(ever);
    }
    let included = state.row_always(Source::Role(included));
    included.is_some_and(|row| row.iter().any(|permission| !rest.contains(permission)))
}

pub(super) fn redundant_inclusions<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let state = &moment.compiled().state;
    Box::new(own_roles(state).flat_map(move |(role, row)| {
        let (_, redundant) = inclusions(state, role);
        redundant.into_iter().filter_map(move |included| {
            let (place, other) = (EntityRef::of(row), EntityRef::at(&state.roles, included)?);
            let message = format!("{place} includes {other}, which adds no permission to it");
            Some(Finding::new(Code::RedundantInclusion, place, message).with(other))
        })
    }))
}

pub(super) fn covered_grants<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let state = &moment.compiled().state;
    Box::new(own_roles(state).flat_map(move |(role, row)| covered(state, role, row)))
}

/// The grants of a role that another of its grants covers, or a role that it includes for more than that.
fn covered(state: &State, role: u32, row: &RoleRow) -> Vec<Finding> {
    let place = EntityRef::of(row);
    let finding = |grant: &str, by: String, other: Option<EntityRef>| {
        let message = format!("{place} grants {}, which {by}", Quoted(grant));
        let finding = Finding::new(Code::CoveredGrant, place.clone(), message).about_grant(grant);
        other.map_or(finding.clone(), |other| finding.with(other))
    };
    let by_pattern = |pattern: &Pattern| format!("is covered by its grant {}", Quoted(pattern.as_str()));
    let by_role = |role: &EntityRef| format!("is also granted by {role}, which it includes");
    let mut names: Vec<u32> = row.grants.iter().copied().filter(|n| state.permission_is_grantable(*n)).collect();
    names.sort_unstable_by(|a, b| state.permissions.name_at(*a).cmp(state.permissions.name_at(*b)));
    let rights = inclusions(state, role).0.into_iter().filter_map(|role| {
        let mut rights = RoleRights::default();
        rights.add_all(state, role).then_some((role, rights))
    });
    let rights: Vec<(u32, RoleRights<'_>)> = rights.collect();
    let mut findings = Vec::new();
    for permission in names {
        let slug = state.permissions.name_at(permission);
        if let Some(pattern) = row.patterns.iter().find(|pattern| pattern.matches(slug)) {
            findings.push(finding(slug, by_pattern(pattern), None));
        } else if let Some((role, _)) = rights.iter().find(|(_, rights)| rights.has(state, permission)) {
            let other = EntityRef::at(&state.roles, *role);
            findings.extend(other.map(|other| finding(slug, by_role(&other), Some(other))));
        }
    }
    for (at, pattern) in row.patterns.iter().enumerate() {
        let text = pattern.as_str();
        // Of two patterns that cover each other, the first one stays.
        let covers =
            |(n, other): &(usize, &Pattern)| *n != at && other.covers(pattern) && (*n < at || !pattern.covers(other));
        if let Some((_, other)) = row.patterns.iter().enumerate().find(covers) {
            findings.push(finding(text, by_pattern(other), None));
            continue;
        }
        let by = rights.iter().find(|(_, rights)| rights.patterns.iter().any(|by| by.covers(pattern)));
        if let Some(other) = by.and_then(|(role, _)| EntityRef::at(&state.roles, *role)) {
            findings.push(finding(text, by_role(&other), Some(other)));
        }
    }
    findings
}

pub(super) fn equal_roles<'m>(moment: &'m Moment<'_>) -> Findings<'m> {
    let (state, when) = (&moment.compiled().state, When::Chosen(moment.instant()));
    let given = move |role: u32| walk::effective_from(state, [Source::Role(role)].into_iter(), &when);
    let is_own = |role: &u32| state.roles.row(*role).is_some_and(|row| row.origin == Origin::Tenant);
    // Those of the catalog first, because they stay.
    let roles = state.roles.sorted().filter(move |role| !is_own(role)).chain(state.roles.sorted().filter(is_own));
    let (hasher, mut by_hash) = (RandomState::new(), HashMap::<u64, Vec<u32>>::new());
    Box::new(roles.filter_map(move |role| {
        let permissions = given(role);
        let mut hash = hasher.build_hasher();
        permissions.iter().for_each(|permission| hash.write_u32(permission));
        let same = by_hash.entry(hash.finish()).or_default();
        let is_equal = |other: &u32| given(*other) == permissions;
        // A role that includes another one to have the same is meant to.
        let is_apart = |other: &u32| !includes(state, role, *other) && !includes(state, *other, role);
        let equal = same.iter().copied().find(|other| is_equal(other) && is_apart(other));
        if equal.is_none() && same.len() < MOST_EQUAL {
            same.push(role);
        }
        let other = equal.filter(|_| is_own(&role) && !permissions.is_empty())?;
        let (place, other) = (EntityRef::at(&state.roles, role)?, EntityRef::at(&state.roles, other)?);
        let count = permissions.len();
        let what = if count == 1 { "permission".to_owned() } else { format!("{count} permissions") };
        let message = format!("{place} gives the same {what} as {other}");
        Some(Finding::new(Code::EqualRoles, place, message).with(other))
    }))
}

/// Whether a role includes another one, directly or through others.
fn includes(state: &State, role: u32, other: u32) -> bool {
    let mut rights = RoleRights::default();
    rights.add_all(state, role);
    rights.roles.contains(other)
}
