//! The calls of random transactions, and the catalogs under which they are made.

use proptest::prelude::*;

use crate::assertions::Assertion;
use crate::model::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use crate::plan::Tx;
use crate::{Result, Timestamp, Window};

pub(crate) const USERS: [&str; 5] = ["u0", "u1", "U1", "u2", "u3"];
pub(super) const GROUPS: [&str; 6] = ["g0", "g1", "g2", "g3", "g4", "g5"];
pub(super) const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "sys-viewer", "sys-all"];
pub(crate) const PERMISSIONS: [&str; 8] = ["a:x", "a:y", "b:x", "b:y", "ab:x", "a:xx", "sys:read", "sys:write"];
pub(crate) const GRANTS: [&str; 13] =
    ["a:x", "a:y", "b:x", "b:y", "ab:x", "a:xx", "sys:read", "sys:write", "a:*", "*", "*:x", "sys:*", "a*x"];
/// The keys that users are renamed to: mostly free, and sorted before and after the others.
const KEYS: [&str; 7] = ["U0", "a", "m", "u15", "z", "u1", "u2"];
const SLUGS: [&str; 6] = ["a:z", "b:*x", "g1", "r9", "zz", "sys:other"];
const MANAGERS: [&str; 2] = ["okta", "entra"];
const SEPARATIONS: [&str; 3] = ["s0", "s1", "s2"];
const ASSERTIONS: [&str; 3] = ["e0", "e1", "e2"];
pub(crate) const INSTANTS: [i64; 7] = [5, 10, 15, 20, 25, 30, 35];

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) what: u8,
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) window: u8,
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    (0..50_u8, 0..24_usize, 0..26_usize, 0..8_u8).prop_map(|(what, a, b, window)| Call { what, a, b, window })
}

pub(super) fn calls() -> impl Strategy<Value = Vec<Vec<Call>>> {
    let steps = if cfg!(debug_assertions) { 1..5 } else { 1..14 };
    prop::collection::vec(prop::collection::vec(call(), 1..6), steps)
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn window(n: u8) -> Window {
    match n {
        0 => Window::from(at(10)),
        1 => Window::until(at(20)),
        2 => Window::between(at(10), at(30)).unwrap(),
        3 => Window::from(at(30)),
        4 => Window::until(at(10)),
        _ => Window::ALWAYS,
    }
}

fn pick<'a>(names: &[&'a str], n: usize) -> &'a str {
    names[n % names.len()]
}

/// Makes one call of a transaction. Most calls fail at first, and must leave everything as it was.
pub(crate) fn make(tx: &Tx, call: &Call) -> Result<()> {
    let Call { what, a, b, window: w } = *call;
    let (user, group, role) = (pick(&USERS, a), pick(&GROUPS, a), pick(&ROLES, a));
    match what {
        0 => drop(tx.create_user(user)?),
        1 => drop(tx.create_group(group)?),
        2 => drop(tx.create_role(role)?),
        3 => drop(tx.create_permission(pick(&PERMISSIONS, a))?),
        4 | 5 => drop(tx.role(role)?.grant(pick(&GRANTS, b))?),
        6 => drop(tx.role(role)?.revoke(pick(&GRANTS, b))?),
        7 => drop(tx.role(role)?.include(pick(&ROLES, b))?),
        8 => drop(tx.role(role)?.exclude(pick(&ROLES, b))?),
        9 | 10 => drop(tx.group(group)?.assign_during(pick(&ROLES, b), window(w))?),
        11 => drop(tx.group(group)?.unassign(pick(&ROLES, b))?),
        12 => drop(tx.group(group)?.add_parent_during(pick(&GROUPS, b), window(w))?),
        13 => drop(tx.group(group)?.remove_parent(pick(&GROUPS, b))?),
        14 | 15 => drop(tx.user(user)?.join_during(pick(&GROUPS, b), window(w))?),
        16 => drop(tx.user(user)?.leave(pick(&GROUPS, b))?),
        17 => drop(tx.user(user)?.assign_during(pick(&ROLES, b), window(w))?),
        18 => drop(tx.user(user)?.unassign(pick(&ROLES, b))?),
        19 if w % 2 == 0 => drop(tx.user(user)?.suspend()?),
        19 => drop(tx.user(user)?.activate()?),
        20 => match b % 4 {
            0 => tx.delete_user(user)?,
            1 => tx.delete_group(group)?,
            2 => tx.delete_role(role)?,
            _ => tx.delete_permission(pick(&PERMISSIONS, a))?,
        },
        21 => match b % 4 {
            0 => drop(tx.user(user)?.set_key(pick(&KEYS, b / 4))?),
            1 => drop(tx.group(group)?.set_slug(pick(&SLUGS, b / 4))?),
            2 => drop(tx.role(role)?.set_slug(pick(&SLUGS, b / 4))?),
            _ => drop(tx.permission(pick(&PERMISSIONS, a))?.set_slug(pick(&PERMISSIONS, b / 4))?),
        },
        22 => drop(tx.user(user)?.set_membership_window(pick(&GROUPS, b), window(w))?),
        23 => drop(tx.group(group)?.set_assignment_window(pick(&ROLES, b), window(w))?),
        24 => drop(tx.group(group)?.set_parent_window(pick(&GROUPS, b), window(w))?),
        25 => drop(tx.group(group)?.ensure_parent(pick(&GROUPS, b), window(w))?),
        26 => drop(tx.group(group)?.set_parents([pick(&GROUPS, b), pick(&GROUPS, b / 3)])?),
        27 => drop(tx.role(role)?.set_grants([pick(&GRANTS, b), pick(&GRANTS, b + 5)])?),
        28 => drop(tx.group(group)?.set_roles([pick(&ROLES, b), pick(&ROLES, b / 3)])?),
        29 => drop(tx.group(group)?.set_members([pick(&USERS, b), pick(&USERS, b / 5)])?),
        30 => drop(tx.user(user)?.set_name((w % 2 == 0).then_some(pick(&KEYS, b)))?),
        31 => drop(tx.set_manager(pick(&MANAGERS, b))?),
        32 => drop(tx.user(user)?.set_managed_by((w % 3 > 0).then_some(pick(&MANAGERS, b)))?),
        33 => drop(tx.group(group)?.set_managed_by((w % 3 > 0).then_some(pick(&MANAGERS, b)))?),
        34 => drop(tx.user(user)?.ensure_membership(pick(&GROUPS, b), window(w))?),
        35 => drop(tx.group(group)?.ensure_assignment(pick(&ROLES, b), window(w))?),
        36 => drop(tx.user(user)?.extend_assignment(pick(&ROLES, b), at(30))?),
        37 => drop(tx.group(group)?.extend_parent(pick(&GROUPS, b), at(30))?),
        38 => drop(tx.user(user)?.set_groups([pick(&GROUPS, b), pick(&GROUPS, b / 3)])?),
        39 => drop(tx.user(user)?.set_roles([pick(&ROLES, b), pick(&ROLES, b / 3)])?),
        40 => drop(tx.merge_users(user, pick(&USERS, b))?),
        42 => drop(tx.create_separation(pick(&SEPARATIONS, a), 1 + u32::from(w % 3 == 0), separated(b))?),
        43 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_roles(separated(b))?),
        44 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_at_most(1 + u32::from(w))?),
        46 => drop(tx.create_assertion(pick(&ASSERTIONS, a), &asserted(b, w))?),
        47 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_binding(w % 3 > 0)?),
        48 if w % 2 == 0 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_expected(&asserted(b, w))?),
        48 => drop(tx.create_assertion(pick(&ASSERTIONS, a), &asserted(b, w))?.set_binding(true)?),
        49 if w == 0 => tx.delete_assertion(pick(&ASSERTIONS, a))?,
        49 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_slug(pick(&ASSERTIONS, b))?),
        45 if w == 0 => tx.delete_separation(pick(&SEPARATIONS, a))?,
        45 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_slug(pick(&SEPARATIONS, b))?),
        _ if w % 2 == 0 => drop(tx.user(user)?.set_external_id((w > 0).then_some(pick(&KEYS, b)))?),
        _ => drop(tx.group(group)?.set_external_id((w > 1).then_some(pick(&KEYS, b)))?),
    }
    Ok(())
}

/// Two to four roles.
fn separated(n: usize) -> impl Iterator<Item = &'static str> {
    (0..2 + n % 3).map(move |more| pick(&ROLES, n + more * (1 + n / 9)))
}

/// An assertion of any kind, mostly about what few may do.
fn asserted(n: usize, kind: u8) -> Assertion {
    let (permission, users, groups) = (pick(&PERMISSIONS, n), [pick(&USERS, n)], [pick(&GROUPS, n / 2)]);
    match kind {
        0 => Assertion::allowed(permission).with_users(users),
        1 => Assertion::allowed(permission).with_groups(groups),
        2 => Assertion::denied(permission).with_users(users),
        3 => Assertion::denied(permission).with_groups(groups),
        4 => Assertion::only(permission).with_users(users).with_groups(groups),
        5 => Assertion::only(permission).with_groups(groups),
        _ => Assertion::separate(separated(n)),
    }
}

pub(crate) fn catalog() -> Catalog {
    let permissions = &[PermissionDef::new("sys:read"), PermissionDef::new("sys:write")];
    let roles = &[
        RoleDef { grants: &["sys:read", "a:*"], ..RoleDef::new("sys-viewer") },
        RoleDef { grants: &["sys:*"], includes: &["sys-viewer"], ..RoleDef::new("sys-all") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

/// The catalog of the next release: one entry renamed, one role removed, another added.
pub(crate) fn next_catalog() -> Catalog {
    let permissions = &[
        PermissionDef { renamed_from: &["sys:write"], ..PermissionDef::new("sys:change") },
        PermissionDef::new("sys:new"),
    ];
    let roles = &[RoleDef { grants: &["sys:new", "b:*"], ..RoleDef::new("sys-all") }];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

/// A catalog with slugs that the tenant uses: what an old process creates while the new one is open, and the reverse.
pub(crate) fn conflicting_catalog() -> Catalog {
    let permissions = &["a:x", "b:y", "ab:x", "sys:read"].map(PermissionDef::new);
    let roles = &[
        RoleDef { grants: &["a:x", "a:*"], ..RoleDef::new("r0") },
        RoleDef { grants: &["*:x", "sys:read"], includes: &["r0"], ..RoleDef::new("r3") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}
