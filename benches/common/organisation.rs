//! Draws the organisation as plain numbers: steps 1 to 4 of the workload.

use rolecall::Timestamp;
use uuid::{Builder, Uuid};

use super::random::Random;

/// The instant of every question, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(NOW).unwrap()
}

/// The size of an organisation.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) users: u32,
    pub(crate) groups: u32,
    pub(crate) roles: u32,
    pub(crate) permissions: u32,
    /// The length of each list of questions. Caches and the branch predictor would learn a short list.
    pub(crate) questions: usize,
    /// The expected [`Organisation::hash`].
    pub(crate) hash: u64,
}

pub(crate) const S: Size = Size {
    name: "S",
    users: 1_000,
    groups: 50,
    roles: 30,
    permissions: 200,
    questions: 1 << 18,
    hash: 0x39b6_229c_50b8_95fd,
};
pub(crate) const M: Size = Size {
    name: "M",
    users: 100_000,
    groups: 2_000,
    roles: 500,
    permissions: 1_000,
    questions: 1 << 18,
    hash: 0x27bf_8599_b0e6_f233,
};
pub(crate) const L: Size = Size {
    name: "L",
    users: 1_000_000,
    groups: 10_000,
    roles: 1_000,
    permissions: 2_000,
    questions: 1 << 19,
    hash: 0x7861_7470_2cc6_77e8,
};

/// Whether `ROLECALL_SIZES` selects a size. It is a list separated by commas, `S,M` by default.
pub(crate) fn is_wanted(size: &Size) -> bool {
    let wanted = std::env::var("ROLECALL_SIZES").unwrap_or_else(|_| "S,M".to_owned());
    wanted.split(',').any(|name| name.trim() == size.name)
}

#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) grants: Vec<u32>,
    /// The resource of the pattern `res{…}:*`.
    pub(crate) pattern: Option<u32>,
    /// An earlier role.
    pub(crate) includes: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Group {
    /// An earlier group.
    pub(crate) parent: Option<u32>,
    pub(crate) roles: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    /// Each group, and the seconds from `NOW` to the end of the membership.
    pub(crate) groups: Vec<(u32, Option<u32>)>,
    pub(crate) role: Option<u32>,
    pub(crate) suspended: bool,
}

#[derive(Debug)]
pub(crate) struct Organisation {
    pub(crate) size: &'static Size,
    pub(crate) roles: Vec<Role>,
    pub(crate) groups: Vec<Group>,
    pub(crate) users: Vec<User>,
}

pub(crate) fn slug(permission: u32) -> String {
    format!("res{}:act{}", permission / 10, permission % 10)
}

pub(crate) fn key(user: usize) -> String {
    format!("user{user}@example.com")
}

impl Organisation {
    /// Draws the organisation of this size. Also returns the generator for the next draws.
    pub(crate) fn draw(size: &'static Size) -> (Self, Random) {
        let mut random = Random::new(1);
        let roles = (0..size.roles).map(|r| Role::draw(&mut random, size, r)).collect();
        let groups = (0..size.groups).map(|g| Group::draw(&mut random, size, g)).collect();
        let users = (0..size.users).map(|_| User::draw(&mut random, size)).collect();
        let organisation = Self { size, roles, groups, users };
        assert_eq!(organisation.hash(), size.hash, "the workload has changed: its hash is not the expected one");
        (organisation, random)
    }

    /// Returns the FNV-1a hash of all numbers, with each list preceded by its length.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = Fnv::default();
        for role in &self.roles {
            hash.list(&role.grants);
            hash.option(role.pattern);
            hash.option(role.includes);
        }
        for group in &self.groups {
            hash.option(group.parent);
            hash.list(&group.roles);
        }
        for user in &self.users {
            hash.bytes(user.id.as_bytes());
            hash.number(u32::try_from(user.groups.len()).unwrap());
            for (group, end) in &user.groups {
                hash.number(*group);
                hash.option(*end);
            }
            hash.option(user.role);
            hash.number(u32::from(user.suspended));
        }
        hash.0
    }

    pub(crate) fn print(&self) {
        let Size { name, users, groups, roles, permissions, questions, .. } = self.size;
        let windowed = self.users.iter().flat_map(|user| &user.groups).filter(|(_, end)| end.is_some()).count();
        let suspended = self.users.iter().filter(|user| user.suspended).count();
        let direct = self.users.iter().filter(|user| user.role.is_some()).count();
        let grants: usize = self.roles.iter().map(|role| role.grants.len()).sum();
        let patterns = self.roles.iter().filter(|role| role.pattern.is_some()).count();
        println!("workload {name}: {users} users, {groups} groups, {roles} roles, {permissions} permissions");
        let memberships: usize = self.users.iter().map(|user| user.groups.len()).sum();
        println!("  {memberships} memberships ({windowed} end), {direct} direct roles, {suspended} suspended");
        println!("  {grants} grants, {patterns} patterns; {questions} questions a list; hash {:#018x}", self.hash());
    }
}

impl Role {
    fn draw(random: &mut Random, size: &Size, number: u32) -> Self {
        let count = 5 + random.below(36);
        let grants = random.distinct(count, size.permissions);
        let pattern = (random.below(50) == 0).then(|| random.below(size.permissions / 10));
        let includes = (number > 0 && random.below(4) == 0).then(|| random.below(number));
        Self { grants, pattern, includes }
    }
}

impl Group {
    fn draw(random: &mut Random, size: &Size, number: u32) -> Self {
        let parent = (number > 0 && random.below(10) < 7).then(|| random.below(number));
        let count = 1 + random.below(3);
        Self { parent, roles: random.distinct(count, size.roles) }
    }
}

impl User {
    fn draw(random: &mut Random, size: &Size) -> Self {
        let wide = (u128::from(random.next()) << 64) | u128::from(random.next());
        let id = Builder::from_random_bytes(wide.to_be_bytes()).into_uuid();
        let mut groups: Vec<(u32, Option<u32>)> = Vec::new();
        for _ in 0..=random.below(5) {
            let group = random.below(size.groups).min(random.below(size.groups));
            let end = (random.below(100) == 0).then(|| 1 + random.below(2_592_000));
            if groups.iter().all(|(other, _)| *other != group) {
                groups.push((group, end));
            }
        }
        let role = (random.below(10) == 0).then(|| random.below(size.roles));
        let suspended = random.below(100) == 0;
        Self { id, groups, role, suspended }
    }
}

/// An FNV-1a hash.
pub(crate) struct Fnv(pub(crate) u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn option(&mut self, number: Option<u32>) {
        self.number(number.map_or(0, |number| number + 1));
    }

    pub(crate) fn list(&mut self, numbers: &[u32]) {
        self.number(u32::try_from(numbers.len()).unwrap());
        for number in numbers {
            self.number(*number);
        }
    }
}
