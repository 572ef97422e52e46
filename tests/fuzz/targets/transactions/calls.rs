//! Converts bytes to calls of transactions.
//!
//! Four bytes make a call: the method, two arguments, and the window. A transaction has up to five calls.

use rolecall::assertions::Assertion;
use rolecall::{Result, Timestamp, Tx, Window};

const USERS: [&str; 4] = ["u0", "u1", "U1", "u2"];
pub(super) const GROUPS: [&str; 5] = ["g0", "g1", "g2", "g3", "g4"];
pub(super) const ROLES: [&str; 6] = ["r0", "r1", "r2", "r3", "sys-viewer", "sys-all"];
const PERMISSIONS: [&str; 7] = ["a:x", "a:y", "b:x", "ab:x", "a:xx", "sys:read", "sys:write"];
const GRANTS: [&str; 12] =
    ["a:x", "a:y", "b:x", "ab:x", "a:xx", "sys:read", "sys:write", "a:*", "*", "*:x", "sys:*", "a*x"];
const SEPARATIONS: [&str; 2] = ["s0", "s1"];
const ASSERTIONS: [&str; 2] = ["e0", "e1"];
/// New names for entities. Some are free, some are taken, and some are in a release of the catalog.
const NAMES: [&str; 8] = ["U0", "a", "u1", "g1", "r3", "b:y", "sys:new", "sys-viewer"];
pub(super) const MANAGERS: [&str; 2] = ["okta", "entra"];
pub(super) const INSTANTS: [i64; 5] = [5, 10, 20, 25, 30];

/// The most calls in one run. Bytes after them are ignored.
const MOST_CALLS: usize = 24;

#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    method: u8,
    a: u8,
    b: u8,
    window: u8,
}

/// An assertion of any kind.
fn asserted(a: u8, b: u8) -> Assertion {
    let (permission, users, groups) = (pick(&PERMISSIONS, b), [pick(&USERS, a / 2)], [pick(&GROUPS, a / 2)]);
    match a / 2 % 6 {
        0 => Assertion::allowed(permission).with_users(users),
        1 => Assertion::denied(permission).with_users(users),
        2 => Assertion::denied(permission).with_groups(groups),
        3 => Assertion::only(permission).with_users(users).with_groups(groups),
        4 => Assertion::only(permission).with_groups(groups),
        _ => Assertion::separate([pick(&ROLES, a), pick(&ROLES, b)]),
    }
}

pub(super) fn transactions(bytes: &[u8]) -> Vec<Vec<Call>> {
    let calls: Vec<Call> = bytes
        .chunks_exact(4)
        .take(MOST_CALLS)
        .map(|bytes| Call { method: bytes[0], a: bytes[1], b: bytes[2], window: bytes[3] })
        .collect();
    let mut transactions = Vec::new();
    let mut rest = calls.as_slice();
    while let Some(first) = rest.first() {
        let (now, later) = rest.split_at(rest.len().min(1 + usize::from(first.window / 8 % 5)));
        transactions.push(now.to_vec());
        rest = later;
    }
    transactions
}

/// Creates entities, so that most calls have an effect.
pub(super) fn populate(tx: &Tx) -> Result<()> {
    USERS.iter().try_for_each(|user| tx.create_user(user)?.done())?;
    GROUPS.iter().try_for_each(|group| tx.create_group(group)?.done())?;
    ROLES[..4].iter().try_for_each(|role| tx.create_role(role)?.done())?;
    PERMISSIONS[..5].iter().try_for_each(|permission| tx.create_permission(permission)?.done())
}

fn pick<'a>(names: &[&'a str], n: u8) -> &'a str {
    names[usize::from(n) % names.len()]
}

impl Call {
    fn window(self) -> Result<Window> {
        let at = |secs| Timestamp::from_secs(secs);
        Ok(match self.window % 8 {
            0 => Window::from(at(10)?),
            1 => Window::until(at(20)?),
            2 => Window::between(at(10)?, at(30)?)?,
            3 => Window::from(at(30)?),
            _ => Window::ALWAYS,
        })
    }

    pub(super) fn make(self, tx: &Tx) -> Result<()> {
        let Self { method, a, b, .. } = self;
        let (user, group, role, permission) =
            (pick(&USERS, a), pick(&GROUPS, a), pick(&ROLES, a), pick(&PERMISSIONS, a));
        let (in_group, other_role, grant, name) =
            (pick(&GROUPS, b), pick(&ROLES, b), pick(&GRANTS, b), pick(&NAMES, b));
        let window = self.window()?;
        match method % 62 {
            0 => tx.create_user(user)?.done(),
            1 => tx.create_group(group)?.done(),
            2 => tx.create_role(role)?.done(),
            3 => tx.create_permission(permission)?.done(),
            4 | 5 => tx.role(role)?.grant(grant)?.done(),
            6 => tx.role(role)?.revoke(grant)?.done(),
            7 | 8 => tx.role(role)?.include(other_role)?.done(),
            9 => tx.role(role)?.exclude(other_role)?.done(),
            10 | 11 => tx.group(group)?.assign_during(other_role, window)?.done(),
            12 => tx.group(group)?.unassign(other_role)?.done(),
            13 | 14 => tx.group(group)?.add_parent_during(in_group, window)?.done(),
            15 => tx.group(group)?.remove_parent(in_group)?.done(),
            16 | 17 => tx.user(user)?.join_during(in_group, window)?.done(),
            18 => tx.user(user)?.leave(in_group)?.done(),
            19 | 20 => tx.user(user)?.assign_during(other_role, window)?.done(),
            21 => tx.user(user)?.unassign(other_role)?.done(),
            22 => tx.user(user)?.suspend()?.done(),
            23 => tx.user(user)?.activate()?.done(),
            24 => tx.delete_user(user),
            25 => tx.delete_group(group),
            26 => tx.delete_role(role),
            27 => tx.delete_permission(permission),
            28 => tx.user(user)?.set_key(name)?.done(),
            29 => tx.group(group)?.set_slug(name)?.done(),
            30 => tx.role(role)?.set_slug(name)?.done(),
            31 => tx.permission(permission)?.set_slug(name)?.done(),
            32 => tx.user(user)?.ensure_membership(in_group, window)?.done(),
            33 => tx.group(group)?.set_assignment_window(other_role, window)?.done(),
            34 => tx.role(role)?.set_grants([grant, pick(&GRANTS, b / 12)]).map(drop),
            35 => tx.group(group)?.set_parent_window(in_group, window)?.done(),
            36 => tx.group(group)?.ensure_parent(in_group, window)?.done(),
            37 => tx.group(group)?.set_parents([in_group, pick(&GROUPS, b / 5)]).map(drop),
            38 => tx.group(group)?.set_members([pick(&USERS, b), pick(&USERS, b / 4)]).map(drop),
            39 => tx.user(user)?.set_name((b % 3 > 0).then_some(name))?.done(),
            40 => tx.set_manager(pick(&MANAGERS, b))?.done(),
            41 => tx.user(user)?.set_managed_by((b % 3 > 0).then_some(pick(&MANAGERS, b)))?.done(),
            42 => tx.group(group)?.set_managed_by((b % 3 > 0).then_some(pick(&MANAGERS, b)))?.done(),
            43 => tx.user(user)?.set_external_id((b % 3 > 0).then_some(name))?.done(),
            44 => tx.group(group)?.ensure_assignment(other_role, window)?.done(),
            45 => tx.user(user)?.ensure_assignment(other_role, window)?.done(),
            46 => tx.user(user)?.extend_membership(in_group, Timestamp::from_secs(20)?)?.done(),
            47 => tx.group(group)?.extend_parent(in_group, Timestamp::from_secs(20)?)?.done(),
            48 => tx.user(user)?.set_groups([in_group, pick(&GROUPS, b / 5)]).map(drop),
            49 => tx.user(user)?.set_roles([other_role, pick(&ROLES, b / 6)]).map(drop),
            50 => tx.merge_users(user, pick(&USERS, b)).map(drop),
            51 => tx.create_separation(pick(&SEPARATIONS, a), 1, [other_role, pick(&ROLES, b / 6)])?.done(),
            52 => {
                let roles = [other_role, pick(&ROLES, b / 6), pick(&ROLES, a / 2)];
                tx.separation(pick(&SEPARATIONS, a))?.set_roles(roles).map(drop)
            }
            53 => tx.separation(pick(&SEPARATIONS, a))?.set_slug(pick(&SEPARATIONS, b))?.done(),
            54 => tx.delete_separation(pick(&SEPARATIONS, a)),
            55 => tx.create_assertion(pick(&ASSERTIONS, a), &asserted(a, b))?.set_binding(b % 2 == 0)?.done(),
            56 => tx.assertion(pick(&ASSERTIONS, a))?.set_binding(b % 2 == 0)?.done(),
            57 => tx.assertion(pick(&ASSERTIONS, a))?.set_expected(&asserted(a, b))?.done(),
            58 => tx.assertion(pick(&ASSERTIONS, a))?.set_slug(pick(&ASSERTIONS, b))?.done(),
            59 => tx.delete_assertion(pick(&ASSERTIONS, a)),
            60 => tx.group(group)?.set_external_id((b % 3 > 0).then_some(name))?.done(),
            _ => tx.separation(pick(&SEPARATIONS, a))?.set_at_most(1 + u32::from(b % 2))?.done(),
        }
    }
}
