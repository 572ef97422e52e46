//! Changes the organisation and measures the time.
//!
//! Each change is undone after the measurement, so the organisation stays as it was drawn. But a created user or
//! permission keeps its number until the tenant is closed. So benches that create some use a separate tenant.

use std::time::{Duration, Instant};

use rolecall::blocking::Tenant;
use rolecall::records::{GroupId, PermissionId, RoleId, UserId};
use rolecall::{Result, Tx};

use super::organisation::Organisation;
use super::random::Random;
use super::records::{group_id, permission_id, role_id};

/// Draws changes and commits them, one change in each commit unless stated otherwise. The methods return the average time
/// of one commit.
pub(crate) struct Writer<'a> {
    tenant: &'a Tenant,
    organisation: &'a Organisation,
    draws: Random,
    /// Guards each commit: it gives nobody what this user does not have.
    pub(crate) guard: Option<UserId>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(tenant: &'a Tenant, organisation: &'a Organisation) -> Self {
        Self { tenant, organisation, draws: Random::new(3), guard: None }
    }

    fn commit(&self, mut f: impl FnMut(&Tx) -> Result<()>) {
        let guarded = |tx: &Tx| {
            if let Some(actor) = self.guard {
                tx.set_guard(actor);
            }
            f(tx)
        };
        let committed = self.tenant.update(guarded).unwrap();
        assert!(!committed.changes.is_empty(), "a commit that changes nothing measures nothing");
    }

    #[inline(never)]
    fn timed<T>(&self, each: &[T], todo: impl Fn(&Tx, &T) -> Result<()>) -> Duration {
        let start = Instant::now();
        for one in each {
            self.commit(|tx| todo(tx, one));
        }
        start.elapsed()
    }

    fn undo<T>(&self, each: &[T], todo: impl Fn(&Tx, &T) -> Result<()>) {
        self.commit(|tx| each.iter().try_for_each(|one| todo(tx, one)));
    }

    /// Draws this many memberships that do not exist.
    fn new_members(&mut self, count: usize) -> Vec<(UserId, GroupId)> {
        let size = self.organisation.size;
        let mut drawn: Vec<(u32, u32)> = Vec::new();
        while drawn.len() < count {
            let (user, group) = (self.draws.below(size.users), self.draws.below(size.groups));
            let there = self.organisation.users[user as usize].groups.iter().any(|(other, _)| *other == group);
            if !there && !drawn.contains(&(user, group)) {
                drawn.push((user, group));
            }
        }
        let ids =
            |(user, group): (u32, u32)| (UserId::from_uuid(self.organisation.users[user as usize].id), group_id(group));
        drawn.into_iter().map(ids).collect()
    }

    /// Adds users to groups.
    pub(crate) fn members(&mut self, count: usize) -> Duration {
        let members = self.new_members(count);
        let took = self.timed(&members, |tx, (user, group)| tx.group(*group)?.add_member(*user)?.done());
        self.undo(&members, |tx, (user, group)| tx.group(*group)?.remove_member(*user)?.done());
        average(took, members.len())
    }

    /// Adds a thousand users to groups in each commit.
    pub(crate) fn thousand_members(&mut self, count: usize) -> Duration {
        let members: Vec<_> = (0..count).map(|_| self.new_members(1_000)).collect();
        let mut took = Duration::ZERO;
        for members in &members {
            took += self.timed(std::slice::from_ref(members), |tx, members| {
                members.iter().try_for_each(|(user, group)| tx.group(*group)?.add_member(*user)?.done())
            });
            self.undo(members, |tx, (user, group)| tx.group(*group)?.remove_member(*user)?.done());
        }
        average(took, count)
    }

    /// Creates a thousand users in each commit, each a member of two groups.
    pub(crate) fn thousand_new_users(&mut self, count: usize) -> Duration {
        let groups = self.organisation.size.groups;
        let mut took = Duration::ZERO;
        for _ in 0..count {
            let drawn = |draws: &mut Random| draws.distinct(2, groups).into_iter().map(group_id).collect::<Vec<_>>();
            let users: Vec<(String, Vec<GroupId>)> =
                (0..1_000).map(|n| (format!("new{n}@example.com"), drawn(&mut self.draws))).collect();
            took += self.timed(std::slice::from_ref(&users), |tx, users| {
                users.iter().try_for_each(|(key, groups)| {
                    let user = tx.create_user(key)?;
                    groups.iter().try_for_each(|group| user.join(*group)?.done())
                })
            });
            self.undo(&users, |tx, (key, _)| tx.delete_user(key));
        }
        average(took, count)
    }

    /// Replaces the whole tenant with a document that has a thousand more members.
    pub(crate) fn thousand_by_document(&mut self, count: usize) -> Duration {
        let before = self.tenant.snapshot().export().unwrap();
        let members = self.new_members(1_000);
        self.undo(&members, |tx, (user, group)| tx.group(*group)?.add_member(*user)?.done());
        let after = self.tenant.snapshot().export().unwrap();
        self.undo(&members, |tx, (user, group)| tx.group(*group)?.remove_member(*user)?.done());
        let mut took = Duration::ZERO;
        for _ in 0..count {
            let start = Instant::now();
            assert_eq!(self.tenant.replace(&after).unwrap().changes.len(), 1_000);
            took += start.elapsed();
            assert_eq!(self.tenant.replace(&before).unwrap().changes.len(), 1_000);
        }
        average(took, count)
    }

    /// Draws this many different roles.
    fn roles(&mut self, count: usize) -> Vec<u32> {
        let all = self.organisation.size.roles;
        self.draws.distinct(u32::try_from(count).unwrap().min(all), all)
    }

    /// Grants roles one more permission each.
    pub(crate) fn grant(&mut self, count: usize) -> Duration {
        let mut grants: Vec<(RoleId, PermissionId)> = Vec::new();
        for role in self.roles(count) {
            let granted = &self.organisation.roles[role as usize].grants;
            let permission = loop {
                let drawn = self.draws.below(self.organisation.size.permissions);
                if !granted.contains(&drawn) {
                    break drawn;
                }
            };
            grants.push((role_id(role), permission_id(permission)));
        }
        let took = self.timed(&grants, |tx, (role, permission)| tx.role(*role)?.grant(*permission)?.done());
        self.undo(&grants, |tx, (role, permission)| tx.role(*role)?.revoke(*permission)?.done());
        average(took, grants.len())
    }

    /// Replaces all grants of roles.
    pub(crate) fn role(&mut self, count: usize) -> Duration {
        let permissions = self.organisation.size.permissions;
        let mut changes: Vec<(RoleId, Vec<PermissionId>)> = Vec::new();
        for role in self.roles(count) {
            let wanted = 5 + self.draws.below(36);
            let wanted = self.draws.distinct(wanted, permissions).into_iter().map(permission_id).collect();
            changes.push((role_id(role), wanted));
        }
        let took =
            self.timed(&changes, |tx, (role, wanted)| tx.role(*role)?.set_grants(wanted.iter().copied()).map(drop));
        let before = |role: RoleId| {
            let drawn = (0..).zip(&self.organisation.roles).find(|(number, _)| role_id(*number) == role).unwrap().1;
            let patterns = drawn.pattern.map(|res| format!("res{res}:*"));
            (drawn.grants.iter().copied().map(permission_id).collect::<Vec<_>>(), patterns)
        };
        self.undo(&changes, |tx, (role, _)| {
            let (grants, pattern) = before(*role);
            let edit = tx.role(*role)?;
            edit.set_grants(grants)?;
            pattern.map_or(Ok(()), |pattern| edit.grant(pattern.as_str())?.done())
        });
        average(took, changes.len())
    }

    /// Gives groups another parent.
    pub(crate) fn reparent(&mut self, count: usize) -> Duration {
        let groups = self.organisation.size.groups;
        let mut moves: Vec<(GroupId, Option<GroupId>, GroupId)> = Vec::new();
        for group in self.draws.distinct(u32::try_from(count).unwrap().min(groups / 2), groups - 2) {
            let group = group + 2;
            let old = self.organisation.groups[group as usize].parent;
            let new = loop {
                let drawn = self.draws.below(group);
                if Some(drawn) != old {
                    break drawn;
                }
            };
            moves.push((group_id(group), old.map(group_id), group_id(new)));
        }
        let took = self.timed(&moves, |tx, (group, old, new)| {
            let group = tx.group(*group)?;
            old.map_or(Ok(()), |old| group.remove_parent(old)?.done())?;
            group.add_parent(*new)?.done()
        });
        self.undo(&moves, |tx, (group, old, new)| {
            let group = tx.group(*group)?;
            group.remove_parent(*new)?;
            old.map_or(Ok(()), |old| group.add_parent(old)?.done())
        });
        average(took, moves.len())
    }

    /// Creates permissions of existing resources. Patterns may match them.
    pub(crate) fn permission(&mut self, count: usize) -> Duration {
        let resources = self.organisation.size.permissions / 10;
        let slugs: Vec<String> = (0..count).map(|n| format!("res{}:new{n}", self.draws.below(resources))).collect();
        let took = self.timed(&slugs, |tx, slug| tx.create_permission(slug)?.done());
        self.undo(&slugs, |tx, slug| tx.delete_permission(slug));
        average(took, slugs.len())
    }
}

fn average(took: Duration, count: usize) -> Duration {
    took / u32::try_from(count).unwrap()
}
