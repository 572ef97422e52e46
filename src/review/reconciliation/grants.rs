//! Rules about what the roles of a tenant would give: by name, by pattern, by inclusion and by assignment.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use uuid::Uuid;

use super::{Findings, Reconciliation};
use crate::model::error::Quoted;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::{Pattern, RoleId};
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::{PermissionRow, RoleRow};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Origin, Row};
use crate::review::EntityRef;
use crate::review::lint::{Code, Finding, list};

/// Whether something gives less or more than before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Lost,
    Regained,
}

impl Way {
    /// Whether this happens to something that gives, or not, before and after.
    fn is_met(self, gives: [bool; 2]) -> bool {
        gives
            == match self {
                Self::Lost => [true, false],
                Self::Regained => [false, true],
            }
    }
}

/// The roles of the tenant, by slug. Both states have the same ones.
fn own_roles(state: &State) -> impl Iterator<Item = &RoleRow> {
    let rows = state.roles.sorted().filter_map(|number| state.roles.row(number));
    rows.filter(|row| row.origin == Origin::Tenant)
}

/// The permissions of these numbers, by id.
fn by_id(state: &State, numbers: impl Iterator<Item = u32>) -> BTreeMap<Uuid, &PermissionRow> {
    numbers.filter_map(|number| state.permissions.row(number)).map(|row| (row.id(), row)).collect()
}

/// The permissions of the first set that the second has not, by slug, as a list for people.
fn missing(
    reconciliation: &Reconciliation,
    these: &BTreeMap<Uuid, &PermissionRow>,
    others: &BTreeMap<Uuid, &PermissionRow>,
) -> Vec<String> {
    let mut rows: Vec<&PermissionRow> =
        these.iter().filter(|(id, _)| !others.contains_key(id)).map(|(_, row)| *row).collect();
    rows.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    rows.into_iter().map(|row| shown(reconciliation, row)).collect()
}

/// The slug that a permission has, with the slug that it has on the other side if that is another one.
fn shown(reconciliation: &Reconciliation, row: &PermissionRow) -> String {
    let slug = Quoted(row.name());
    match reconciliation.permission(row.record.id) {
        [_, Some(after)] if after.name() != row.name() => format!("{slug} (then {})", Quoted(after.name())),
        [Some(before), _] if before.name() != row.name() => format!("{slug} (now {})", Quoted(before.name())),
        _ => slug.to_string(),
    }
}

pub(super) fn roles_changed(reconciliation: &Reconciliation) -> Findings<'_> {
    let [before, _] = reconciliation.states();
    let roles = before.roles.sorted().filter_map(|number| before.roles.row(number));
    Box::new(roles.filter_map(move |row| {
        let [old, new] = reconciliation.states().map(|state| given(state, row.record.id));
        let (old, new) = (old?, new?);
        let (lost, gained) = (missing(reconciliation, &old, &new), missing(reconciliation, &new, &old));
        let sentence = match (gained.is_empty(), lost.is_empty()) {
            (true, true) => return None,
            (false, true) => format!("would also give {}", list(&gained)),
            (true, false) => format!("would no longer give {}", list(&lost)),
            (false, false) => format!("would also give {}, and no longer {}", list(&gained), list(&lost)),
        };
        let place = EntityRef::of(row);
        let message = format!("{place} of the catalog {sentence}");
        Some(Finding::new(Code::RoleChanged, place, message))
    }))
}

/// The permissions of a role of the catalog in a state, with those of the roles that it includes. `None` if the catalog does
/// not have it.
fn given(state: &State, role: RoleId) -> Option<BTreeMap<Uuid, &PermissionRow>> {
    let number = state.roles.by_id(role.as_uuid())?;
    state.roles.row(number).filter(|row| row.origin == Origin::Catalog)?;
    let row = |role| must(state.roles.row(role), NEAR_END);
    let (mut roles, mut permissions) = (Bits::from_iter([number]), Bits::new());
    let includes = |role| row(role).into_iter().flat_map(|row| row.includes.iter().copied());
    graph::follow([number], includes, |role| roles.insert(role));
    for row in roles.iter().filter_map(row) {
        for permission in row.grants.iter().filter(|permission| state.permission_is_grantable(**permission)) {
            permissions.insert(*permission);
        }
        row.patterns.iter().for_each(|pattern| permissions.union_with(&state.matched(pattern)));
    }
    Some(by_id(state, permissions.iter()))
}

pub(super) fn lost_grants(reconciliation: &Reconciliation) -> Findings<'_> {
    grants(reconciliation, Code::LostGrant, Way::Lost)
}

pub(super) fn regained_grants(reconciliation: &Reconciliation) -> Findings<'_> {
    grants(reconciliation, Code::RegainedGrant, Way::Regained)
}

fn grants(reconciliation: &Reconciliation, code: Code, way: Way) -> Findings<'_> {
    let [before, _] = reconciliation.states();
    let named = own_roles(before).flat_map(move |role| {
        let permissions = role.grants.iter().filter_map(|number| before.permissions.row(*number));
        permissions.map(move |permission| (role, permission))
    });
    Box::new(named.filter_map(move |(role, permission)| {
        let rows: [Option<&PermissionRow>; 2] = reconciliation.permission(permission.record.id);
        way.is_met(rows.map(|row| row.is_some_and(PermissionRow::is_grantable))).then(|| {
            let (place, slug) = (EntityRef::of(role), shown(reconciliation, permission));
            let gone = |row: Option<&PermissionRow>| row.is_none_or(|row| row.origin == Origin::RemovedFromCatalog);
            let [old, new] = rows;
            let what = match way {
                Way::Lost if gone(new) => "would give nothing: it is removed from the catalog",
                Way::Lost => "would give nothing: its slug belongs to the tenant and to the catalog",
                Way::Regained if gone(old) => "would give it again: it is added to the catalog again",
                Way::Regained => {
                    "would give it again: its slug no longer belongs both to the tenant and to the catalog"
                }
            };
            let message = format!("{place} grants {slug} by name, which {what}");
            Finding::new(code, place, message).about_grant(permission.name())
        })
    }))
}

/// Whether a role gives anything before and after.
fn is_given(reconciliation: &Reconciliation, role: Uuid) -> [bool; 2] {
    reconciliation.states().map(|state| {
        let row = state.roles.by_id(role).and_then(|number| state.roles.row(number));
        row.is_some_and(|row| row.origin != Origin::RemovedFromCatalog)
    })
}

pub(super) fn lost_inclusions(reconciliation: &Reconciliation) -> Findings<'_> {
    inclusions(reconciliation, Code::LostInclusion, Way::Lost)
}

pub(super) fn regained_inclusions(reconciliation: &Reconciliation) -> Findings<'_> {
    inclusions(reconciliation, Code::RegainedInclusion, Way::Regained)
}

fn inclusions(reconciliation: &Reconciliation, code: Code, way: Way) -> Findings<'_> {
    let [before, _] = reconciliation.states();
    let included = own_roles(before).flat_map(move |role| {
        let others = role.includes.iter().filter_map(|number| before.roles.row(*number));
        others.map(move |other| (role, other))
    });
    Box::new(included.filter(move |(_, other)| way.is_met(is_given(reconciliation, other.id()))).map(
        move |(role, other)| {
            let (place, other) = (EntityRef::of(role), EntityRef::of(other));
            let what = match way {
                Way::Lost => "is removed from the catalog, and would give nothing",
                Way::Regained => "is added to the catalog again, and would give something again",
            };
            let message = format!("{place} includes {other}, which {what}");
            Finding::new(code, place, message).with(other)
        },
    ))
}

pub(super) fn lost_assignments(reconciliation: &Reconciliation) -> Findings<'_> {
    assignments(reconciliation, Code::LostAssignment, Way::Lost)
}

pub(super) fn regained_assignments(reconciliation: &Reconciliation) -> Findings<'_> {
    assignments(reconciliation, Code::RegainedAssignment, Way::Regained)
}

fn assignments(reconciliation: &Reconciliation, code: Code, way: Way) -> Findings<'_> {
    let [before, _] = reconciliation.states();
    let roles = before.roles.all().filter_map(|number| before.roles.row(number));
    let changed = roles.filter(move |role| way.is_met(is_given(reconciliation, role.id())));
    Box::new(changed.flat_map(move |role| {
        let groups = role.groups.iter().filter_map(|reverse| EntityRef::at(&before.groups, reverse.from()));
        let users = role.users.iter().filter_map(|reverse| EntityRef::at(&before.users, reverse.from()));
        groups.chain(users).map(move |holder| {
            let (other, what) = match way {
                Way::Lost => (EntityRef::of(role), "is removed from the catalog, and would give nothing"),
                Way::Regained => (EntityRef::of(role), "is added to the catalog again, and would give something again"),
            };
            let message = format!("{holder} has {other}, which {what}");
            Finding::new(code, holder, message).with(other)
        })
    }))
}

pub(super) fn patterns_that_match_less(reconciliation: &Reconciliation) -> Findings<'_> {
    patterns(reconciliation, Code::PatternMatchesLess, |matched| &matched.lost, "would no longer match")
}

pub(super) fn patterns_that_match_more(reconciliation: &Reconciliation) -> Findings<'_> {
    patterns(reconciliation, Code::PatternMatchesMore, |matched| &matched.gained, "would also match")
}

/// The permissions that a pattern would no longer match, and those that it would match as well.
struct Matched {
    lost: Vec<String>,
    gained: Vec<String>,
}

impl Matched {
    fn new(reconciliation: &Reconciliation, pattern: &Pattern) -> Self {
        let [old, new] = reconciliation.states().map(|state| by_id(state, state.matched(pattern).iter()));
        Self { lost: missing(reconciliation, &old, &new), gained: missing(reconciliation, &new, &old) }
    }
}

fn patterns<'r>(
    reconciliation: &'r Reconciliation,
    code: Code,
    found: fn(&Matched) -> &Vec<String>,
    what: &'static str,
) -> Findings<'r> {
    let [before, _] = reconciliation.states();
    // Many roles grant the same few patterns. They come from outside, so the hash has a random key.
    let mut known: HashMap<Pattern, Rc<Matched>> = HashMap::new();
    let granted = own_roles(before).flat_map(|role| role.patterns.iter().map(move |pattern| (role, pattern)));
    Box::new(granted.filter_map(move |(role, pattern)| {
        let compare = || Rc::new(Matched::new(reconciliation, pattern));
        let matched = Rc::clone(known.entry(pattern.clone()).or_insert_with(compare));
        let permissions = found(&matched);
        (!permissions.is_empty()).then(|| {
            let (place, text) = (EntityRef::of(role), Quoted(pattern.as_str()));
            let message = format!("{place} grants {text}, which {what} {}", list(permissions));
            Finding::new(code, place, message).about_grant(pattern.as_str())
        })
    }))
}
