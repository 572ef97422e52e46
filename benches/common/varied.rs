//! The organisation of size M with one thing varied, to find slow cases outside the workload.
//!
//! Each variation is drawn from its own generator, so that the plain organisation is always the same. The parts of an
//! organisation stay small enough to read: numbers, and the window of each relation that can have one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rolecall::records::{
    Assignment, Grant, Granted, Holder, Inclusion, Membership, ParentLink, Pattern, PermissionRef, Record, RoleRef,
    UserId,
};
use rolecall::{Timestamp, Window};
use uuid::{Builder, Uuid};

use crate::common::organisation::{Fnv, NOW, slug};
use crate::common::random::Random;
use crate::common::records::{
    group_id, group_record, permission_id, permission_record, role_id, role_record, user_record,
};

/// A variation of the organisation. [`Variation::ALL`] has the plain organisation and everything that is compared with
/// it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variation {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The goal: at most this many times as long as the plain organisation.
    pub(crate) most: f64,
    users: u32,
    groups: u32,
    roles: u32,
    permissions: u32,
    /// A user is in 1 to this many groups.
    memberships: u32,
    /// One of so many memberships has a window, and likewise assignments to groups and parent links. 0 is none.
    windowed_memberships: u32,
    windowed_roles: u32,
    windowed_parents: u32,
    /// Whether each group's parent is the group before it, for chains of a hundred.
    chains: bool,
    /// Whether one role grants `*`.
    star: bool,
    /// Groups that are created and deleted before.
    pub(crate) churn: u32,
}

const PLAIN: Variation = Variation {
    name: "plain",
    what: "100,000 users, 2,000 groups, 500 roles, 1,000 permissions",
    most: 1.0,
    users: 100_000,
    groups: 2_000,
    roles: 500,
    permissions: 1_000,
    memberships: 5,
    windowed_memberships: 100,
    windowed_roles: 0,
    windowed_parents: 0,
    chains: false,
    star: false,
    churn: 0,
};

impl Variation {
    pub(crate) const PLAIN: Self = PLAIN;

    /// The same with a tenth of the users, for a short run.
    pub(crate) fn short(self) -> Self {
        Self { users: self.users / 10, ..self }
    }

    pub(crate) fn users(&self) -> u32 {
        self.users
    }

    /// Whether one role gives every permission. Then its holders may do everything, so no assertion that only others may do
    /// something holds.
    pub(crate) fn has_star(&self) -> bool {
        self.star
    }

    pub(crate) fn groups(&self) -> u32 {
        self.groups
    }

    pub(crate) fn roles(&self) -> u32 {
        self.roles
    }

    /// Whether every membership has a window.
    pub(crate) fn has_only_windowed_memberships(&self) -> bool {
        self.windowed_memberships == 1
    }

    /// The bytes of a user in the index by id: half a cache line, one or two, of which nine of ten places are used.
    pub(crate) fn entry_bytes(&self) -> usize {
        match self.memberships {
            0..=6 => 40,
            7..=22 => 76,
            _ => 147,
        }
    }

    /// The name of the variation of a document: `V9` for `gcp-roles.json`, and with the first letter of any other file, such as
    /// `V9k` for `kubernetes.json`.
    pub(crate) fn name_of_document(path: &Path) -> &'static str {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        match stem.chars().next() {
            Some(first) if stem != "gcp-roles" => format!("V9{first}").leak(),
            _ => "V9",
        }
    }

    pub(crate) const ALL: [Self; 12] = [
        Self {
            name: "V1",
            what: "a role of one group in a hundred in a window",
            most: 1.5,
            windowed_roles: 200,
            ..PLAIN
        },
        Self {
            name: "V1p",
            what: "one parent link in a hundred in a window",
            most: 1.5,
            windowed_parents: 100,
            ..PLAIN
        },
        Self { name: "V2", what: "one membership in ten in a window", most: 1.5, windowed_memberships: 10, ..PLAIN },
        Self { name: "V3", what: "every membership in a window", most: 2.0, windowed_memberships: 1, ..PLAIN },
        Self { name: "V4", what: "1 to 12 groups a user", most: 1.5, memberships: 12, ..PLAIN },
        Self { name: "V5", what: "1 to 40 groups a user", most: 2.0, memberships: 40, ..PLAIN },
        Self { name: "V6", what: "4,000 permissions", most: 1.5, permissions: 4_000, ..PLAIN },
        Self { name: "V7", what: "20,000 permissions", most: 1.5, permissions: 20_000, ..PLAIN },
        Self { name: "V8", what: "40,000 groups", most: 1.5, groups: 40_000, ..PLAIN },
        Self { name: "V10", what: "a role that grants `*`", most: 1.5, star: true, ..PLAIN },
        Self { name: "V11", what: "groups in chains of a hundred", most: 1.5, chains: true, ..PLAIN },
        Self { name: "V12", what: "after 100,000 groups came and went", most: 1.5, churn: 100_000, ..PLAIN },
    ];
}

#[derive(Debug)]
struct Role {
    grants: Vec<u32>,
    patterns: Vec<String>,
    includes: Vec<u32>,
}

#[derive(Debug)]
struct Group {
    parent: Option<(u32, Window)>,
    roles: Vec<(u32, Window)>,
}

#[derive(Debug)]
struct User {
    id: Uuid,
    suspended: bool,
    groups: Vec<(u32, Window)>,
    role: Option<u32>,
}

/// A question and the right answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) user: UserId,
    pub(crate) permission: u32,
    pub(crate) allowed: bool,
}

#[derive(Debug)]
pub(crate) struct Varied {
    pub(crate) variation: Variation,
    slugs: Vec<String>,
    roles: Vec<Role>,
    groups: Vec<Group>,
    users: Vec<User>,
    random: Random,
}

/// One relation in `one_of` has a window. Nine of ten of these are active at `NOW`.
fn window(random: &mut Random, one_of: u32) -> Window {
    if one_of == 0 || random.below(one_of) > 0 {
        return Window::ALWAYS;
    }
    let at = |secs: i64| Timestamp::from_secs(secs).unwrap();
    let (past, future) = (i64::from(1 + random.below(2_592_000)), i64::from(1 + random.below(2_592_000)));
    match random.below(10) {
        0 => Window::between(at(NOW - 2 * past), at(NOW - past)).unwrap(),
        1..=3 => Window::between(at(NOW - past), at(NOW + future)).unwrap(),
        _ => Window::until(at(NOW + future)),
    }
}

impl Varied {
    pub(crate) fn draw(variation: Variation) -> Self {
        let Variation { roles, permissions, .. } = variation;
        let mut random = Random::new(4);
        let draw_role = |random: &mut Random, number: u32| {
            let count = 5 + random.below(36);
            let grants = random.distinct(count, permissions);
            let pattern = (random.below(50) == 0).then(|| format!("res{}:*", random.below(permissions / 10)));
            let includes = (number > 0 && random.below(4) == 0).then(|| random.below(number));
            let pattern = pattern.filter(|_| !(variation.star && number == 0));
            Role { grants, patterns: pattern.into_iter().collect(), includes: includes.into_iter().collect() }
        };
        let mut drawn: Vec<Role> = (0..roles).map(|number| draw_role(&mut random, number)).collect();
        if variation.star {
            drawn[0].patterns = vec!["*".to_owned()];
        }
        Self::around(variation, random, (0..permissions).map(slug).collect(), drawn)
    }

    /// Draws groups and users around the permissions and roles of an organisation document, such as those of a cloud.
    pub(crate) fn of_document(path: &Path, users: u32) -> Self {
        #[derive(serde::Deserialize)]
        struct Document {
            permissions: Vec<Slugged>,
            roles: Vec<Granting>,
        }
        #[derive(serde::Deserialize)]
        struct Granting {
            slug: String,
            #[serde(default)]
            permissions: Vec<String>,
            #[serde(default)]
            includes: Vec<String>,
        }
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Slugged {
            Short(String),
            Long { slug: String },
        }
        let document: Document = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let slugs: Vec<String> = document
            .permissions
            .into_iter()
            .map(|permission| match permission {
                Slugged::Short(slug) | Slugged::Long { slug } => slug,
            })
            .collect();
        let permissions: HashMap<&str, u32> = slugs.iter().map(String::as_str).zip(0..).collect();
        let roles: HashMap<&str, u32> = document.roles.iter().map(|role| role.slug.as_str()).zip(0..).collect();
        // Panics on an undefined name: a role that gives less is another workload.
        let role = |role: &Granting| {
            let (patterns, named): (Vec<&String>, Vec<&String>) =
                role.permissions.iter().partition(|granted| granted.contains('*'));
            Role {
                grants: named.into_iter().map(|slug| permissions[slug.as_str()]).collect(),
                patterns: patterns.into_iter().cloned().collect(),
                includes: role.includes.iter().map(|slug| roles[slug.as_str()]).collect(),
            }
        };
        let roles: Vec<Role> = document.roles.iter().map(role).collect();
        let variation = Variation {
            name: Variation::name_of_document(path),
            what: "the permissions and roles of a document, 1,000 groups",
            most: 2.0,
            users,
            groups: 1_000,
            roles: u32::try_from(roles.len()).unwrap(),
            permissions: u32::try_from(slugs.len()).unwrap(),
            ..PLAIN
        };
        let mut varied = Self::around(variation, Random::new(4), slugs, roles);
        let all = |bits: &Vec<u64>| bits.iter().map(|word| word.count_ones()).sum::<u32>() == variation.permissions;
        varied.variation.star = varied.permissions_of_roles().iter().any(all);
        varied
    }

    fn around(variation: Variation, mut random: Random, slugs: Vec<String>, roles_of: Vec<Role>) -> Self {
        let Variation { users, groups, roles, .. } = variation;
        let draw_group = |random: &mut Random, number: u32| {
            let drawn = (number > 0 && random.below(10) < 7).then(|| random.below(number));
            let parent = if variation.chains { (!number.is_multiple_of(100)).then(|| number - 1) } else { drawn };
            let count = 1 + random.below(3);
            let drawn = random.distinct(count, roles);
            Group {
                parent: parent.map(|parent| (parent, window(random, variation.windowed_parents))),
                roles: drawn.into_iter().map(|role| (role, window(random, variation.windowed_roles))).collect(),
            }
        };
        let groups_of = (0..groups).map(|number| draw_group(&mut random, number)).collect();
        let draw_user = |random: &mut Random| {
            let wide = (u128::from(random.next()) << 64) | u128::from(random.next());
            let mut joined: Vec<(u32, Window)> = Vec::new();
            for _ in 0..=random.below(variation.memberships) {
                let group = random.below(groups).min(random.below(groups));
                let window = window(random, variation.windowed_memberships);
                if joined.iter().all(|(other, _)| *other != group) {
                    joined.push((group, window));
                }
            }
            User {
                id: Builder::from_random_bytes(wide.to_be_bytes()).into_uuid(),
                suspended: random.below(100) == 0,
                groups: joined,
                role: (random.below(10) == 0).then(|| random.below(roles)),
            }
        };
        let users_of = (0..users).map(|_| draw_user(&mut random)).collect();
        Self { variation, slugs, roles: roles_of, groups: groups_of, users: users_of, random }
    }

    pub(crate) fn permissions(&self) -> u32 {
        self.variation.permissions
    }

    pub(crate) fn source_count(&self) -> usize {
        self.roles.len() + self.groups.len()
    }

    /// Returns the sources of each user, as numbers: first the roles, then the groups.
    pub(crate) fn sources(&self) -> HashMap<UserId, Vec<u32>> {
        let sources = |user: &User| {
            let groups = user.groups.iter().map(|(group, _)| self.variation.roles + group);
            user.role.into_iter().chain(groups).collect()
        };
        self.users.iter().map(|user| (UserId::from_uuid(user.id), sources(user))).collect()
    }

    /// Returns the groups that inherit what a group has, itself included.
    pub(crate) fn inheriting(&self, from: u32) -> Vec<u32> {
        self.below(|number, _| number == from)
    }

    /// Returns the groups that inherit one of these roles. Roles that include one of them count, too.
    pub(crate) fn inheriting_roles(&self, roles: &[u32]) -> Vec<u32> {
        let mut wanted = vec![false; self.roles.len()];
        for role in roles {
            wanted[*role as usize] = true;
        }
        let mut grows = true;
        while grows {
            grows = false;
            for (number, role) in self.roles.iter().enumerate() {
                let more = !wanted[number] && role.includes.iter().any(|included| wanted[*included as usize]);
                wanted[number] |= more;
                grows |= more;
            }
        }
        self.below(|_, group| group.roles.iter().any(|(role, _)| wanted[*role as usize]))
    }

    /// Returns the chosen groups and all that are below them. A parent has a lower number than its subgroups.
    fn below(&self, is_chosen: impl Fn(u32, &Group) -> bool) -> Vec<u32> {
        let mut inherits = vec![false; self.groups.len()];
        for (number, group) in (0..).zip(&self.groups) {
            let above = group.parent.is_some_and(|(parent, _)| inherits[parent as usize]);
            inherits[number as usize] = above || is_chosen(number, group);
        }
        (0..).zip(inherits).filter(|(_, inherits)| *inherits).map(|(number, _)| number).collect()
    }

    /// The permissions that a role grants by name, and its patterns.
    pub(crate) fn grants_of(&self, role: u32) -> (&[u32], &[String]) {
        let role = &self.roles[role as usize];
        (&role.grants, &role.patterns)
    }

    pub(crate) fn parent_of(&self, group: u32) -> Option<(u32, Window)> {
        self.groups[group as usize].parent
    }

    pub(crate) fn user(&self, number: u32) -> UserId {
        UserId::from_uuid(self.users[number as usize].id)
    }

    pub(crate) fn is_member(&self, user: u32, group: u32) -> bool {
        self.users[user as usize].groups.iter().any(|(other, _)| *other == group)
    }

    /// Prints what was drawn, with the FNV-1a hash of all of it. Each list is preceded by its length.
    pub(crate) fn print(&self) {
        let Variation { name, what, users, groups, roles, permissions, .. } = self.variation;
        let memberships: usize = self.users.iter().map(|user| user.groups.len()).sum();
        println!("{name}: {what}");
        println!(
            "  {users} users, {groups} groups, {roles} roles, {permissions} permissions, {memberships} memberships"
        );
        println!("  hash {:#018x}", self.hash());
    }

    fn hash(&self) -> u64 {
        let mut hash = Fnv::default();
        let text = |hash: &mut Fnv, text: &str| {
            hash.number(u32::try_from(text.len()).unwrap());
            hash.bytes(text.as_bytes());
        };
        let held = |hash: &mut Fnv, list: &[(u32, Window)]| {
            hash.number(u32::try_from(list.len()).unwrap());
            for (number, window) in list {
                hash.number(*number);
                for bound in [window.start(), window.end()] {
                    hash.bytes(&bound.map_or(0, Timestamp::as_micros).to_le_bytes());
                }
            }
        };
        self.slugs.iter().for_each(|slug| text(&mut hash, slug));
        for role in &self.roles {
            hash.list(&role.grants);
            role.patterns.iter().for_each(|pattern| text(&mut hash, pattern));
            hash.list(&role.includes);
        }
        for group in &self.groups {
            held(&mut hash, group.parent.as_slice());
            held(&mut hash, &group.roles);
        }
        for user in &self.users {
            hash.bytes(user.id.as_bytes());
            held(&mut hash, &user.groups);
            hash.option(user.role);
            hash.number(u32::from(user.suspended));
        }
        hash.0
    }

    /// Returns the permissions that each role gives, as bits. A role may include a later one.
    fn permissions_of_roles(&self) -> Vec<Vec<u64>> {
        let words = self.variation.permissions as usize / 64 + 1;
        let mut roles: Vec<Vec<u64>> = Vec::new();
        for role in &self.roles {
            let mut bits = vec![0; words];
            role.grants.iter().for_each(|p| insert(&mut bits, *p));
            for pattern in &role.patterns {
                let pattern = Pattern::new(pattern).unwrap();
                let matched = (0..).zip(&self.slugs).filter(|(_, slug)| pattern.matches(slug));
                matched.for_each(|(p, _)| insert(&mut bits, p));
            }
            roles.push(bits);
        }
        let mut grows = true;
        while grows {
            grows = false;
            for (number, role) in self.roles.iter().enumerate() {
                for included in &role.includes {
                    let (mut bits, more) = (roles[number].clone(), &roles[*included as usize]);
                    join(&mut bits, more);
                    grows |= bits != roles[number];
                    roles[number] = bits;
                }
            }
        }
        roles
    }

    /// Returns all records except the tenant record, ordered by kind.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> =
            (0..).zip(&self.slugs).map(|(number, slug)| permission_record(number, slug)).collect();
        records.extend((0..self.variation.roles).map(role_record));
        records.extend((0..self.variation.groups).map(group_record));
        records.extend((0..).zip(&self.users).map(|(number, user)| user_record(number, user.id, user.suspended)));
        for (number, role) in (0..).zip(&self.roles) {
            let grant = |granted| Record::Grant(Grant { role: role_id(number), granted });
            let by_name = |p: &u32| Granted::Permission(PermissionRef::Own(permission_id(*p)));
            records.extend(role.grants.iter().map(by_name).map(grant));
            records.extend(role.patterns.iter().map(|p| grant(Granted::Pattern(Pattern::new(p).unwrap()))));
        }
        for (number, role) in (0..).zip(&self.roles) {
            let inclusion = |to| Inclusion { role: role_id(number), included: RoleRef::Own(role_id(to)) };
            records.extend(role.includes.iter().copied().map(inclusion).map(Record::Inclusion));
        }
        for (number, group) in (0..).zip(&self.groups) {
            let link = |(to, window)| ParentLink { group: group_id(number), parent: group_id(to), window };
            records.extend(group.parent.map(link).map(Record::Parent));
        }
        let assignment =
            |role, holder, window| Record::Assignment(Assignment { role: RoleRef::Own(role_id(role)), holder, window });
        for (number, group) in (0..).zip(&self.groups) {
            let holder = Holder::Group(group_id(number));
            records.extend(group.roles.iter().map(|(role, window)| assignment(*role, holder, *window)));
        }
        for user in &self.users {
            let holder = Holder::User(UserId::from_uuid(user.id));
            records.extend(user.role.map(|role| assignment(role, holder, Window::ALWAYS)));
        }
        for user in &self.users {
            let membership = |(group, window): &(u32, Window)| Membership {
                user: UserId::from_uuid(user.id),
                group: group_id(*group),
                window: *window,
            };
            records.extend(user.groups.iter().map(membership).map(Record::Membership));
        }
        records
    }

    /// Draws questions about all users, half of them allowed and half denied.
    pub(crate) fn questions(&self, count: usize) -> Vec<Asked> {
        let (now, words) = (Timestamp::from_secs(NOW).unwrap(), self.variation.permissions as usize / 64 + 1);
        let roles = self.permissions_of_roles();
        let mut groups: Vec<Vec<u64>> = Vec::new();
        for group in &self.groups {
            let mut bits = vec![0; words];
            let active = group.roles.iter().filter(|(_, window)| window.contains(now));
            active.for_each(|(role, _)| join(&mut bits, &roles[*role as usize]));
            let parent = group.parent.filter(|(_, window)| window.contains(now));
            if let Some((parent, _)) = parent {
                join(&mut bits, &groups[parent as usize]);
            }
            groups.push(bits);
        }
        let mut random = self.random.clone();
        let mut asked = Vec::new();
        while asked.len() < count {
            let user = &self.users[random.below(self.variation.users) as usize];
            let mut bits = vec![0; words];
            if !user.suspended {
                let active = user.groups.iter().filter(|(_, window)| window.contains(now));
                active.for_each(|(group, _)| join(&mut bits, &groups[*group as usize]));
                user.role.iter().for_each(|role| join(&mut bits, &roles[*role as usize]));
            }
            let held: u32 = bits.iter().map(|word| word.count_ones()).sum();
            if !(1..self.variation.permissions).contains(&held) {
                continue;
            }
            let allowed = random.below(2) == 0;
            let permission = loop {
                let drawn = random.below(self.variation.permissions);
                if (bits[drawn as usize / 64] >> (drawn % 64) & 1 == 1) == allowed {
                    break drawn;
                }
            };
            asked.push(Asked { user: UserId::from_uuid(user.id), permission, allowed });
        }
        asked
    }
}

/// The organisation documents that `ROLECALL_ROLES` names, separated as in `PATH`.
pub(crate) fn documents() -> Vec<PathBuf> {
    std::env::var_os("ROLECALL_ROLES").map_or_else(Vec::new, |paths| std::env::split_paths(&paths).collect())
}

fn insert(bits: &mut [u64], permission: u32) {
    bits[permission as usize / 64] |= 1 << (permission % 64);
}

fn join(bits: &mut [u64], other: &[u64]) {
    bits.iter_mut().zip(other).for_each(|(one, more)| *one |= more);
}
