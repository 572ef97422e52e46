//! **gatehouse 0.6.0**, its built-in `RbacPolicy`: whether the subject has one of the roles that the action requires.
//! Sessions, tracing and polling are as in `gatehouse.rs`.
//!
//! It was given: the user with all roles, groups with their parents and inclusions followed, and the permission with
//! the roles that grant it, both found in tables of the application's, as numbers. The policy wants both as new
//! vectors.
//!
//! It cannot: keep an organisation; the tables, their memory and their changes are the application's.

use foldhash::fast::RandomState;
use gatehouse::{EvaluationSession, PermissionChecker, PolicyDomain, RbacPolicy};
use uuid::Uuid;

use super::Peer;
use crate::common::oracle::has;
use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::Plain;
use crate::ready::ready;

struct Domain;

impl PolicyDomain for Domain {
    /// The user's roles.
    type Subject = Vec<u32>;
    /// The roles that grant it.
    type Action = Vec<u32>;
    type Resource = ();
    type Context = ();
}

pub(crate) struct GatehouseRbac {
    users: hashbrown::HashMap<Uuid, Vec<u32>, RandomState>,
    permissions: Vec<Vec<u32>>,
    checker: PermissionChecker<Domain>,
}

impl GatehouseRbac {
    pub(crate) fn new<const N: usize>(plain: &Plain<'_, N>) -> Self {
        let mut checker = PermissionChecker::new();
        checker.add_policy(RbacPolicy::new(|granting: &Vec<u32>, (): &()| granting.clone(), Vec::clone));
        let users = plain.users().map(|user| (plain.uuid(user), plain.roles_of(user))).collect();
        let granting =
            |permission| plain.roles().filter(|role| has(plain.grants(*role), permission)).collect::<Vec<u32>>();
        Self { users, permissions: plain.permissions().map(granting).collect(), checker }
    }

    fn check(&self, user: &Uuid, permission: u32) -> bool {
        let Some(roles) = self.users.get(user) else { return false };
        let granting = &self.permissions[permission as usize];
        let bound = self.checker.bind(EvaluationSession::shared_empty(), roles, granting, &());
        ready(bound.check(&())).is_granted()
    }

    fn member<const N: usize>(&mut self, plain: &Plain<'_, N>, user: u32) {
        self.users.insert(plain.uuid(user), plain.roles_of(user));
    }
}

impl<const N: usize> Peer<N> for GatehouseRbac {
    fn name(&self) -> &'static str {
        "gatehouse_rbac"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (plain.uuid(q.user), q.permission)).collect();
        Contestant::new("gatehouse_rbac", list, |(user, permission)| self.check(user, *permission))
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn revoke(&mut self, _: &Plain<'_, N>, role: u32, permission: u32) {
        self.permissions[permission as usize].retain(|other| *other != role);
    }

    fn grant(&mut self, _: &Plain<'_, N>, role: u32, permission: u32) {
        self.permissions[permission as usize].push(role);
    }

    fn who_can(&self, plain: &Plain<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        users.map(|user| plain.uuid(user)).filter(|user| self.check(user, permission)).collect()
    }
}
