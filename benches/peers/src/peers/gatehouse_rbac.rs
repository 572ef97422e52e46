//! **gatehouse 0.6.0**: the built-in `RbacPolicy`, which tests whether the subject has a role that the action requires.
//!
//! Sessions, tracing and polling are as in `gatehouse.rs`.
//!
//! Input: the user with all roles (through groups, parent groups and inclusions), and the permission with the roles that
//! grant it. Both are found in tables of the application, as numbers. The policy needs both as new vectors.
//!
//! Not possible: storing an organisation. The tables, their memory and their changes are the application's.

use foldhash::fast::RandomState;
use gatehouse::{EvaluationSession, PermissionChecker, PolicyDomain, RbacPolicy};
use uuid::Uuid;

use super::Peer;
use crate::app_data::AppData;
use crate::common::oracle::has;
use crate::common::questions::Question;
use crate::common::timing::Contestant;
use crate::poll_once::poll_once;

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
    pub(crate) fn new<const N: usize>(app_data: &AppData<'_, N>) -> Self {
        let mut checker = PermissionChecker::new();
        checker.add_policy(RbacPolicy::new(|granting: &Vec<u32>, (): &()| granting.clone(), Vec::clone));
        let users = app_data.users().map(|user| (app_data.uuid(user), app_data.roles_of(user))).collect();
        let granting =
            |permission| app_data.roles().filter(|role| has(app_data.grants(*role), permission)).collect::<Vec<u32>>();
        Self { users, permissions: app_data.permissions().map(granting).collect(), checker }
    }

    fn check(&self, user: &Uuid, permission: u32) -> bool {
        let Some(roles) = self.users.get(user) else { return false };
        let granting = &self.permissions[permission as usize];
        let bound = self.checker.bind(EvaluationSession::shared_empty(), roles, granting, &());
        poll_once(bound.check(&())).is_granted()
    }

    fn member<const N: usize>(&mut self, app_data: &AppData<'_, N>, user: u32) {
        self.users.insert(app_data.uuid(user), app_data.roles_of(user));
    }
}

impl<const N: usize> Peer<N> for GatehouseRbac {
    fn name(&self) -> &'static str {
        "gatehouse_rbac"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (app_data.uuid(q.user), q.permission)).collect();
        Contestant::new("gatehouse_rbac", list, |(user, permission)| self.check(user, *permission))
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn revoke(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        self.permissions[permission as usize].retain(|other| *other != role);
    }

    fn grant(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        self.permissions[permission as usize].push(role);
    }

    fn who_can(&self, app_data: &AppData<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        users.map(|user| app_data.uuid(user)).filter(|user| self.check(user, permission)).collect()
    }
}
