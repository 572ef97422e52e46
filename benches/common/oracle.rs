//! The expected answers: every user's effective permissions at `NOW` as bits, computed from the plain numbers.

use rolecall::catalog::Catalog;
use rolecall::records::{Record, UserId};
use rolecall::reference::Model;

use super::organisation::{Organisation, now, slug};
use super::records::{self, Owner};

/// A set of permissions as `N` words of bits.
pub(crate) type Bits<const N: usize> = [u64; N];

pub(crate) fn has<const N: usize>(bits: &Bits<N>, permission: u32) -> bool {
    bits[permission as usize / 64] >> (permission % 64) & 1 == 1
}

pub(crate) fn insert<const N: usize>(bits: &mut Bits<N>, permission: u32) {
    bits[permission as usize / 64] |= 1 << (permission % 64);
}

pub(crate) fn join<const N: usize>(bits: &mut Bits<N>, other: &Bits<N>) {
    bits.iter_mut().zip(other).for_each(|(mine, theirs)| *mine |= theirs);
}

pub(crate) fn count<const N: usize>(bits: &Bits<N>) -> u32 {
    bits.iter().map(|word| word.count_ones()).sum()
}

/// The effective permissions of each user.
pub(crate) struct Oracle<const N: usize> {
    pub(crate) rows: Vec<Bits<N>>,
}

impl<const N: usize> Oracle<N> {
    /// Computes all rows. One pass is enough: roles include earlier roles only, and the parents of a group are earlier
    /// groups. Every membership is active at `NOW`.
    pub(crate) fn new(organisation: &Organisation) -> Self {
        let mut roles: Vec<Bits<N>> = Vec::new();
        for role in &organisation.roles {
            let mut bits = [0; N];
            let matched = role.pattern.into_iter().flat_map(|res| res * 10..res * 10 + 10);
            role.grants.iter().copied().chain(matched).for_each(|permission| insert(&mut bits, permission));
            role.includes.iter().for_each(|included| join(&mut bits, &roles[*included as usize]));
            roles.push(bits);
        }
        let mut groups: Vec<Bits<N>> = Vec::new();
        for group in &organisation.groups {
            let mut bits = [0; N];
            group.roles.iter().for_each(|role| join(&mut bits, &roles[*role as usize]));
            group.parent.iter().for_each(|parent| join(&mut bits, &groups[*parent as usize]));
            groups.push(bits);
        }
        let mut rows = Vec::new();
        for user in &organisation.users {
            let mut bits = [0; N];
            if !user.suspended {
                user.groups.iter().for_each(|(group, _)| join(&mut bits, &groups[*group as usize]));
                user.role.iter().for_each(|role| join(&mut bits, &roles[*role as usize]));
            }
            rows.push(bits);
        }
        Self { rows }
    }

    /// Compares the rows of a few users with the reference model. The model reads every record many times, so it gets
    /// only the records of these users and those that belong to no user.
    pub(crate) fn compare_with_reference(&self, organisation: &Organisation) {
        let sample = match organisation.size.name {
            "S" => 16,
            _ => 2,
        };
        let step = organisation.users.len() / sample;
        let users: Vec<usize> = (0..sample).map(|n| n * step + n).collect();
        let ids: Vec<UserId> = users.iter().map(|user| UserId::from_uuid(organisation.users[*user].id)).collect();
        let all = records::of(organisation, Owner::Tenant);
        let records: Vec<Record> = all
            .into_iter()
            .filter(|record| match record {
                Record::User(user) => ids.contains(&user.id),
                Record::Membership(membership) => ids.contains(&membership.user),
                _ => true,
            })
            .collect();
        let catalog = Catalog::empty();
        let reference = Model::new(&records, &catalog);
        for (user, id) in users.iter().zip(ids) {
            let expected: Vec<String> = reference.effective(id, now()).iter().map(ToString::to_string).collect();
            let bits = &self.rows[*user];
            let mut ours: Vec<String> =
                (0..organisation.size.permissions).filter(|p| has(bits, *p)).map(slug).collect();
            ours.sort_unstable();
            assert_eq!(ours, expected, "the oracle is wrong about user {user}");
        }
    }

    pub(crate) fn print(&self, organisation: &Organisation) {
        let total: u64 = self.rows.iter().map(|row| u64::from(count(row))).sum();
        let none = self.rows.iter().filter(|row| count(row) == 0).count();
        let mut distinct = self.rows.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let users = u64::from(organisation.size.users);
        println!("  {} effective permissions a user on average, {none} users have none", total / users);
        println!("  {} distinct effective sets", distinct.len());
    }
}
