//! Changes of an organisation with one thing varied, each undone by the next commit.
//!
//! Each change is committed and undone once before it is timed, which warms the caches up. The bench fails if the second
//! commit does not undo the first. A change that affects nobody is not used. A change costs what it affects, so the affected
//! groups are counted. If one organisation has more of them, a second line gives the time for each.

use std::time::Instant;

use rolecall::blocking::Tenant;
use rolecall::moment::PermissionSet;
use rolecall::records::{Pattern, PermissionId, UserId};
use rolecall::{Moment, Result, Timestamp, Tx, Window};

use crate::common::organisation::{NOW, now};
use crate::common::random::Random;
use crate::common::records::{permission_id, role_id};
use crate::each;
use crate::varied::Varied;

/// How many changes a turn has at most, each with its opposite. Members are cheaper, so there are four times as many.
const CHANGES: usize = 16;

/// How many changes are drawn at most. Some affect nobody, because all who would get a permission have it already.
const MOST_DRAWS: u32 = 400;

type Call = Box<dyn Fn(&Tx) -> Result<()>>;

struct Change {
    make: Call,
    undo: Call,
    /// The groups or users that get other permissions.
    affected: usize,
}

/// The changes of one line.
pub(super) struct Changes<'a> {
    tenant: &'a Tenant,
    all: Vec<Change>,
    /// How many memberships one of them adds; 1 for changes that are timed as a whole.
    parts: usize,
}

impl Changes<'_> {
    /// Makes and undoes each change. Returns the average time of a commit, or of each of its parts.
    pub(super) fn turn(&self) -> f64 {
        let start = Instant::now();
        for change in &self.all {
            commit(self.tenant, &change.make);
            commit(self.tenant, &change.undo);
        }
        each(start, 2 * self.all.len() * self.parts)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many groups or users one change affects on average.
    pub(super) fn affected(&self) -> f64 {
        let all: usize = self.all.iter().map(|change| change.affected).sum();
        f64::from(u32::try_from(all).unwrap()) / f64::from(u32::try_from(self.all.len()).unwrap())
    }
}

fn commit(tenant: &Tenant, call: &Call) {
    let committed = tenant.update(call).unwrap();
    assert!(!committed.changes.is_empty(), "the commit changes nothing");
}

/// Who may get other permissions by a change.
enum Candidates {
    Groups(Vec<u32>),
    Users(Vec<UserId>),
}

impl Candidates {
    fn permissions(&self, moment: &Moment<'_>) -> Vec<PermissionSet> {
        match self {
            Self::Groups(groups) => groups.iter().map(|group| moment.effective_of_group(&*slug(*group))).collect(),
            Self::Users(users) => users.iter().map(|user| moment.effective(*user)).collect(),
        }
    }
}

/// Groups are named, because those that were created anew have other ids.
fn slug(group: u32) -> String {
    format!("group{group}")
}

/// Draws the changes of a tenant.
pub(super) struct ChangeSampler<'a> {
    tenant: &'a Tenant,
    varied: &'a Varied,
    draws: Random,
}

impl<'a> ChangeSampler<'a> {
    pub(super) fn new(tenant: &'a Tenant, varied: &'a Varied) -> Self {
        Self { tenant, varied, draws: Random::new(5) }
    }

    /// Commits a change and its opposite, and keeps it if it affects anybody.
    fn keep(&self, changes: &mut Changes<'a>, candidates: &Candidates, [make, undo]: [Call; 2]) {
        let permissions = || candidates.permissions(&self.tenant.snapshot().at(now()));
        let before = permissions();
        commit(self.tenant, &make);
        let after = permissions();
        commit(self.tenant, &undo);
        assert!(permissions() == before, "{}: a change was not undone", self.varied.variation.name);
        let affected = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        if affected > 0 {
            changes.all.push(Change { make, undo, affected });
        }
    }

    /// Draws until there are enough changes.
    fn draw(
        &mut self,
        count: usize,
        mut one: impl FnMut(&Self, &mut Random) -> Option<(Candidates, [Call; 2])>,
    ) -> Changes<'a> {
        let mut changes = Changes { tenant: self.tenant, all: Vec::new(), parts: 1 };
        let mut draws = self.draws.clone();
        for _ in 0..MOST_DRAWS {
            if let Some((candidates, calls)) = one(self, &mut draws) {
                self.keep(&mut changes, &candidates, calls);
            }
            if changes.all.len() == count {
                break;
            }
        }
        changes
    }

    /// A role that groups have grants one more of the permissions that exist.
    pub(super) fn grants(mut self) -> Changes<'a> {
        self.draw(CHANGES, |this, draws| {
            let (role, granted) = (draws.below(this.varied.variation.roles()), draws.below(this.varied.permissions()));
            let groups = this.varied.inheriting_roles(&[role]);
            if groups.is_empty() || this.varied.grants_of(role).0.contains(&granted) {
                return None;
            }
            let calls: [Call; 2] = [
                Box::new(move |tx| tx.role(role_id(role))?.grant(permission_id(granted))?.done()),
                Box::new(move |tx| tx.role(role_id(role))?.revoke(permission_id(granted))?.done()),
            ];
            Some((Candidates::Groups(groups), calls))
        })
    }

    /// A role that groups have gets twenty other grants. Those with about twenty grants and no pattern are drawn.
    pub(super) fn role_grants(mut self) -> Changes<'a> {
        let is_typical = |role: &u32| {
            let (grants, patterns) = self.varied.grants_of(*role);
            patterns.is_empty() && (12..=28).contains(&grants.len())
        };
        let roles: Vec<u32> = (0..self.varied.variation.roles()).filter(is_typical).collect();
        self.draw(CHANGES, |this, draws| {
            let role = roles[draws.below(u32::try_from(roles.len()).unwrap()) as usize];
            let groups = this.varied.inheriting_roles(&[role]);
            let ids = |numbers: &[u32]| numbers.iter().copied().map(permission_id).collect::<Vec<PermissionId>>();
            let other = ids(&draws.distinct(20, this.varied.permissions()));
            let own = ids(this.varied.grants_of(role).0);
            let set = |grants: Vec<PermissionId>| -> Call {
                Box::new(move |tx| tx.role(role_id(role))?.set_grants(grants.iter().copied()).map(drop))
            };
            (!groups.is_empty()).then(|| (Candidates::Groups(groups), [set(other), set(own)]))
        })
    }

    /// A group with subgroups gets another parent.
    pub(super) fn parents(mut self) -> Changes<'a> {
        self.draw(CHANGES, |this, draws| {
            let group = draws.below(this.varied.variation.groups());
            // A link that has ended cannot be added again.
            let (old, window) = this.varied.parent_of(group).filter(|(_, window)| !window.has_ended(now()))?;
            let new = draws.below(group);
            let groups = this.varied.inheriting(group);
            if new == old || groups.len() == 1 {
                return None;
            }
            let move_to = |from: u32, to: u32| -> Call {
                Box::new(move |tx| {
                    let group = tx.group(&*slug(group))?;
                    group.remove_parent(&*slug(from))?.add_parent_during(&*slug(to), window)?.done()
                })
            };
            Some((Candidates::Groups(groups), [move_to(old, new), move_to(new, old)]))
        })
    }

    /// A permission is created that a pattern of a role matches, and groups have the role. Returns none without patterns.
    pub(super) fn permissions(mut self) -> Changes<'a> {
        let patterns_of = |role| self.varied.grants_of(role).1.iter().map(move |pattern| (role, pattern.clone()));
        let patterns: Vec<(u32, String)> = (0..self.varied.variation.roles()).flat_map(patterns_of).collect();
        if patterns.is_empty() {
            return Changes { tenant: self.tenant, all: Vec::new(), parts: 1 };
        }
        self.draw(CHANGES, |this, draws| {
            let (_, pattern) = &patterns[draws.below(u32::try_from(patterns.len()).unwrap()) as usize];
            let created = pattern.replace('*', &format!("bench{}", draws.below(1 << 30)));
            let matching =
                patterns.iter().filter(|(_, other)| Pattern::new(other).is_ok_and(|pattern| pattern.matches(&created)));
            let roles: Vec<u32> = matching.map(|(role, _)| *role).collect();
            let groups = this.varied.inheriting_roles(&roles);
            let deleted = created.clone();
            let calls: [Call; 2] = [
                Box::new(move |tx| tx.create_permission(&created)?.done()),
                Box::new(move |tx| tx.delete_permission(&*deleted)),
            ];
            (!groups.is_empty()).then_some((Candidates::Groups(groups), calls))
        })
    }

    /// A user becomes a member of a group that has roles.
    pub(super) fn members(mut self) -> Changes<'a> {
        self.draw(4 * CHANGES, |this, draws| Some(this.new_members(draws, 1)))
    }

    /// A thousand users become members of groups that have roles, in one commit.
    pub(super) fn thousand_members(mut self) -> Changes<'a> {
        let mut changes = self.draw(2, |this, draws| Some(this.new_members(draws, 1_000)));
        changes.parts = 1_000;
        changes
    }

    fn new_members(&self, draws: &mut Random, count: usize) -> (Candidates, [Call; 2]) {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        while pairs.len() < count {
            let pair = (draws.below(self.varied.variation.users()), draws.below(self.varied.variation.groups()));
            if !self.varied.is_member(pair.0, pair.1) && !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        let end = || Timestamp::from_secs(NOW + 86_400).unwrap();
        let is_windowed = self.varied.variation.has_only_windowed_memberships();
        let window = if is_windowed { Window::until(end()) } else { Window::ALWAYS };
        let members: Vec<(UserId, String)> =
            pairs.iter().map(|(user, group)| (self.varied.user(*user), slug(*group))).collect();
        let (users, leaving) = (members.iter().map(|(user, _)| *user).collect(), members.clone());
        let calls: [Call; 2] = [
            Box::new(move |tx| {
                members
                    .iter()
                    .try_for_each(|(user, group)| tx.group(&**group)?.add_member_during(*user, window)?.done())
            }),
            Box::new(move |tx| {
                leaving.iter().try_for_each(|(user, group)| tx.group(&**group)?.remove_member(*user)?.done())
            }),
        ];
        (Candidates::Users(users), calls)
    }
}
