//! The baselines: the code that a program would have without the crate, and two limits set by the memory.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use foldhash::fast::RandomState;
use rolecall::Timestamp;
use rolecall::records::{Granted, Holder, Record, Status};
use uuid::Uuid;

use super::oracle::{Bits, Oracle, has, insert, join};
use super::organisation::{Organisation, slug};
use super::random::Random;

/// `by_hand_flat`: the usual way. A set of strings for each user, from the standard library.
pub(crate) struct Flat(HashMap<Uuid, HashSet<String>>);

impl Flat {
    pub(crate) fn new<const N: usize>(organisation: &Organisation, oracle: &Oracle<N>) -> Self {
        let set = |bits| (0..organisation.size.permissions).filter(|p| has(bits, *p)).map(slug).collect();
        let users = organisation.users.iter().zip(&oracle.rows);
        Self(users.map(|(user, bits)| (user.id, set(bits))).collect())
    }

    pub(crate) fn check(&self, user: &Uuid, permission: &str) -> bool {
        self.0.get(user).is_some_and(|held| held.contains(permission))
    }
}

/// `by_hand_fast`: the fastest way. A row of bits for each user. Two versions of an organisation cannot share rows, and
/// windows are evaluated once, when it is built.
pub(crate) struct Fast<const N: usize>(hashbrown::HashMap<Uuid, Bits<N>, RandomState>);

type Numbers<T> = hashbrown::HashMap<T, usize, RandomState>;

impl<const N: usize> Fast<N> {
    /// Computes the effective permissions from records. Permissions are numbered in the order of their records.
    pub(crate) fn from_records(records: &[Record], at: Timestamp) -> Self {
        let (mut slugs, mut permissions, mut roles) = (Vec::new(), Numbers::default(), Numbers::default());
        let (mut groups, mut users) = (Numbers::default(), hashbrown::HashMap::<Uuid, Bits<N>, RandomState>::default());
        let mut suspended = Vec::new();
        let (mut role_bits, mut group_bits): (Vec<Bits<N>>, Vec<Bits<N>>) = (Vec::new(), Vec::new());
        let (mut inclusions, mut parents, mut direct) = (Vec::new(), Vec::new(), Vec::new());
        let (mut assigned, mut joined) = (Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Permission(permission) => {
                    permissions.insert(permission.id, slugs.len());
                    slugs.push(permission.slug.as_str());
                }
                Record::Role(role) => number(&mut roles, role.id, &mut role_bits),
                Record::Group(group) => number(&mut groups, group.id, &mut group_bits),
                Record::User(user) => {
                    if users.is_empty() {
                        users.reserve(records.len() / 4);
                    }
                    users.insert(user.id.as_uuid(), [0; N]);
                    if user.status == Status::Suspended {
                        suspended.push(user.id.as_uuid());
                    }
                }
                Record::Grant(grant) => {
                    let bits = &mut role_bits[roles[&grant.role]];
                    match &grant.granted {
                        Granted::Permission(reference) => insert(bits, small(permissions[&reference.id()])),
                        Granted::Pattern(pattern) => {
                            let matched = (0..).zip(&slugs).filter(|(_, slug)| pattern.matches(slug));
                            matched.for_each(|(permission, _)| insert(bits, permission));
                        }
                    }
                }
                Record::Inclusion(edge) => inclusions.push((roles[&edge.role], roles[&edge.included.id()])),
                Record::Parent(edge) if edge.window.contains(at) => {
                    parents.push((groups[&edge.group], groups[&edge.parent]));
                }
                Record::Assignment(edge) if edge.window.contains(at) => match edge.holder {
                    Holder::Group(group) => assigned.push((groups[&group], roles[&edge.role.id()])),
                    Holder::User(user) => direct.push((user.as_uuid(), roles[&edge.role.id()])),
                },
                Record::Membership(edge) if edge.window.contains(at) => {
                    joined.push((edge.user.as_uuid(), groups[&edge.group]));
                }
                _ => {}
            }
        }
        resolve(&mut role_bits, &inclusions);
        for (group, role) in assigned {
            join(&mut group_bits[group], &role_bits[role]);
        }
        resolve(&mut group_bits, &parents);
        let edges = direct.iter().map(|(user, role)| (user, &role_bits[*role]));
        for (user, bits) in edges.chain(joined.iter().map(|(user, group)| (user, &group_bits[*group]))) {
            join(users.get_mut(user).unwrap(), bits);
        }
        for user in &suspended {
            users.insert(*user, [0; N]);
        }
        Self(users)
    }

    #[inline]
    pub(crate) fn check(&self, user: &Uuid, permission: u32) -> bool {
        self.0.get(user).is_some_and(|bits| has(bits, permission))
    }

    /// Returns all users who have a permission. Looks at every user.
    pub(crate) fn who_can(&self, permission: u32) -> Vec<Uuid> {
        self.0.iter().filter(|(_, bits)| has(bits, permission)).map(|(user, _)| *user).collect()
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

fn number<T: Eq + Hash, const N: usize>(numbers: &mut Numbers<T>, id: T, bits: &mut Vec<Bits<N>>) {
    numbers.insert(id, bits.len());
    bits.push([0; N]);
}

/// Joins bits along the edges until nothing changes.
fn resolve<const N: usize>(bits: &mut [Bits<N>], edges: &[(usize, usize)]) {
    let mut changes = true;
    while changes {
        changes = false;
        for (from, to) in edges {
            let (before, more) = (bits[*from], bits[*to]);
            join(&mut bits[*from], &more);
            changes |= bits[*from] != before;
        }
    }
}

/// The limits: one random read of memory, and two that depend on each other. A structure with fewer bytes for each user
/// can be faster than the second one, since more of it stays in the cache.
pub(crate) struct Limits {
    /// 8 bytes for each user.
    folded: Vec<u64>,
    /// The place of each user's row. Shuffled, so that the processor cannot predict the second read.
    places: Vec<u64>,
    /// 128 bytes for each user.
    rows: Vec<[u64; 16]>,
}

impl Limits {
    pub(crate) fn new<const N: usize>(oracle: &Oracle<N>) -> Self {
        let mut places: Vec<u64> = (0..).take(oracle.rows.len()).collect();
        let mut random = Random::new(2);
        for last in (1..places.len()).rev() {
            places.swap(last, random.below(small(last + 1)) as usize);
        }
        let mut rows = vec![[0; 16]; places.len()];
        let mut folded = Vec::new();
        for (bits, place) in oracle.rows.iter().zip(&places) {
            let row: &mut [u64; 16] = &mut rows[usize::try_from(*place).unwrap()];
            (0..).zip(bits).for_each(|(at, word): (usize, _)| row[at % 16] |= word);
            folded.push(bits.iter().fold(0, |all, word| all | word));
        }
        Self { folded, places, rows }
    }

    /// `limit_one`: one read. The result is not the answer, but takes as long.
    #[inline]
    pub(crate) fn one(&self, user: u32, permission: u32) -> bool {
        self.folded[user as usize] >> (permission % 64) & 1 == 1
    }

    /// `limit_two`: a read of a place, and a read at that place. The result is the answer up to 1,024 permissions.
    #[inline]
    pub(crate) fn two(&self, user: u32, permission: u32) -> bool {
        let place = usize::try_from(self.places[user as usize]).unwrap();
        self.rows[place][permission as usize / 64 % 16] >> (permission % 64) & 1 == 1
    }
}
