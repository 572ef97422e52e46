//! The organisation as an application keeps it beside a library that does not store it.
//!
//! It contains memberships, roles and grants as numbers. It resolves nested groups, inclusions and patterns for libraries
//! that lack them. All memberships are active at `NOW`. Suspended users have no groups and no roles.

use uuid::Uuid;

use crate::common::oracle::{Bits, has, insert, join};
use crate::common::organisation::{Organisation, User, slug};

/// An organisation that can change. A set of permissions takes `N` words.
pub(crate) struct AppData<'o, const N: usize> {
    pub(crate) organisation: &'o Organisation,
    /// The direct grants of each role. Patterns are expanded.
    grants: Vec<Bits<N>>,
    /// All roles of each group: its own, those of its parents, and included roles.
    group_roles: Vec<Vec<u32>>,
    /// Each role and the roles that it includes.
    role_roles: Vec<Vec<u32>>,
    /// The groups of each user.
    members: Vec<Vec<u32>>,
}

impl<'o, const N: usize> AppData<'o, N> {
    pub(crate) fn new(organisation: &'o Organisation) -> Self {
        let mut role_roles: Vec<Vec<u32>> = Vec::new();
        for (number, role) in (0..).zip(&organisation.roles) {
            let included = role.includes.iter().flat_map(|other| role_roles[*other as usize].iter().copied());
            role_roles.push(sorted(included.chain([number])));
        }
        let mut group_roles: Vec<Vec<u32>> = Vec::new();
        for group in &organisation.groups {
            let own = group.roles.iter().flat_map(|role| role_roles[*role as usize].iter().copied());
            let above = group.parent.iter().flat_map(|parent| group_roles[*parent as usize].iter().copied());
            group_roles.push(sorted(own.chain(above)));
        }
        let mut grants = Vec::new();
        for role in &organisation.roles {
            let mut bits = [0; N];
            let matched = role.pattern.into_iter().flat_map(|res| res * 10..res * 10 + 10);
            role.grants.iter().copied().chain(matched).for_each(|permission| insert(&mut bits, permission));
            grants.push(bits);
        }
        let groups = |user: &User| user.groups.iter().map(|(group, _)| *group).collect();
        let users = organisation.users.iter();
        let members = users.map(|user| if user.suspended { Vec::new() } else { groups(user) }).collect();
        Self { organisation, grants, group_roles, role_roles, members }
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = u32> + use<'_, 'o, N> {
        0..self.organisation.size.users
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = u32> + use<'_, 'o, N> {
        0..self.organisation.size.roles
    }

    pub(crate) fn permissions(&self) -> impl Iterator<Item = u32> + use<'_, 'o, N> {
        0..self.organisation.size.permissions
    }

    pub(crate) fn uuid(&self, user: u32) -> Uuid {
        self.organisation.users[user as usize].id
    }

    pub(crate) fn groups_of(&self, user: u32) -> &[u32] {
        &self.members[user as usize]
    }

    /// Returns the role that is assigned to a user directly.
    pub(crate) fn direct_role(&self, user: u32) -> Option<u32> {
        let user = &self.organisation.users[user as usize];
        user.role.filter(|_| !user.suspended)
    }

    /// Returns all roles of a user: through groups, parent groups and inclusions.
    pub(crate) fn roles_of(&self, user: u32) -> Vec<u32> {
        let through = self.groups_of(user).iter().flat_map(|group| &self.group_roles[*group as usize]);
        let direct = self.direct_role(user).into_iter().flat_map(|role| &self.role_roles[role as usize]);
        sorted(through.chain(direct).copied())
    }

    /// Returns the roles that a user has through one group only.
    pub(crate) fn roles_through_only(&self, user: u32, group: u32) -> Vec<u32> {
        let others = self.groups_of(user).iter().filter(|other| **other != group);
        let others = others.flat_map(|other| &self.group_roles[*other as usize]);
        let direct = self.direct_role(user).into_iter().flat_map(|role| &self.role_roles[role as usize]);
        let kept = sorted(others.chain(direct).copied());
        let through = &self.group_roles[group as usize];
        through.iter().copied().filter(|role| kept.binary_search(role).is_err()).collect()
    }

    /// Returns the direct grants of a role.
    pub(crate) fn grants(&self, role: u32) -> &Bits<N> {
        &self.grants[role as usize]
    }

    pub(crate) fn granted(&self, role: u32) -> impl Iterator<Item = u32> {
        let grants = &self.grants[role as usize];
        self.permissions().filter(|permission| has(grants, *permission))
    }

    pub(crate) fn leave(&mut self, user: u32, group: u32) {
        self.members[user as usize].retain(|other| *other != group);
    }

    pub(crate) fn join(&mut self, user: u32, group: u32) {
        self.members[user as usize].push(group);
    }

    pub(crate) fn revoke(&mut self, role: u32, permission: u32) {
        self.grants[role as usize][permission as usize / 64] &= !(1 << (permission % 64));
    }

    pub(crate) fn grant(&mut self, role: u32, permission: u32) {
        insert(&mut self.grants[role as usize], permission);
    }

    /// Computes the permissions of each role with its inclusions, and of each group with its parents.
    pub(crate) fn derive(&self) -> (Vec<Bits<N>>, Vec<Bits<N>>) {
        let all = |roles: &Vec<u32>| {
            let mut bits = [0; N];
            for role in roles {
                join(&mut bits, &self.grants[*role as usize]);
            }
            bits
        };
        let mut groups: Vec<Bits<N>> = Vec::with_capacity(self.organisation.groups.len());
        let roles: Vec<Bits<N>> = self.role_roles.iter().map(all).collect();
        for group in &self.organisation.groups {
            let mut bits = [0; N];
            group.roles.iter().for_each(|role| join(&mut bits, &roles[*role as usize]));
            group.parent.iter().for_each(|parent| join(&mut bits, &groups[*parent as usize]));
            groups.push(bits);
        }
        (roles, groups)
    }

    /// Returns the effective permissions of a user, from the result of [`AppData::derive`].
    pub(crate) fn row(&self, user: u32, (roles, groups): &(Vec<Bits<N>>, Vec<Bits<N>>)) -> Bits<N> {
        let mut bits = [0; N];
        self.groups_of(user).iter().for_each(|group| join(&mut bits, &groups[*group as usize]));
        self.direct_role(user).iter().for_each(|role| join(&mut bits, &roles[*role as usize]));
        bits
    }
}

fn sorted(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The name of a role, for libraries that use texts.
pub(crate) fn role_name(role: u32) -> String {
    format!("role{role}")
}

pub(crate) fn group_name(group: u32) -> String {
    format!("group{group}")
}

/// Splits `res7:act3` into resource and action.
pub(crate) fn halves(permission: u32) -> (String, String) {
    let slug = slug(permission);
    let (resource, action) = slug.split_once(':').unwrap();
    (resource.to_owned(), action.to_owned())
}
