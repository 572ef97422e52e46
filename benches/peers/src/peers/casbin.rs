//! **casbin 2.20.0**: `enforce` on the documented RBAC model, without the cache of answers (a Cargo feature).
//!
//! The model has one permission text, as in its `basic_without_resources_model.conf`. The matcher compares the permission
//! before it walks the roles, so only the rules of the permission cause walks.
//!
//! Input: users in groups, groups in parents, groups and users in roles, and roles in included roles. Each is a `g` rule,
//! since casbin's roles nest (the role manager has a depth of 64 instead of 10). Each grant is a `p` rule; patterns are
//! expanded. Suspended users have no rules.
//!
//! A model that is not documented is not a contestant: permissions as the deepest roles, no `p` rules, and the matcher
//! `g(r.sub, r.act)`. It took 3.4 µs at S and 11.5 µs at M, with the same answers. That was 107 times as long as rolecall
//! in that run; the documented model took about 36,000 times as long.
//!
//! Not possible: memberships that end, telling groups from roles, and finding a rule by its permission: a check tries all
//! `p` rules. Its `get_implicit_users_for_permission` calls `enforce` for every user, and so does this file.

use casbin::rhai::ImmutableString;
use casbin::{CoreApi, DefaultModel, DefaultRoleManager, Enforcer, MgmtApi, NullAdapter};
use std::sync::Arc;
use uuid::Uuid;

use super::Peer;
use crate::app_data::{AppData, group_name, role_name};
use crate::common::organisation::slug;
use crate::common::questions::Question;
use crate::common::timing::Contestant;
use crate::poll_once::poll_once;

const MODEL: &str = "
[request_definition]
r = sub, act
[policy_definition]
p = sub, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub, p.sub)
";

pub(crate) struct Casbin {
    enforcer: Enforcer,
}

impl Casbin {
    pub(crate) fn new<const N: usize>(app_data: &AppData<'_, N>) -> Self {
        let model = poll_once(DefaultModel::from_str(MODEL)).unwrap();
        let mut enforcer = poll_once(Enforcer::new(model, NullAdapter)).unwrap();
        enforcer.enable_auto_build_role_links(false);
        let deep = DefaultRoleManager::new(64);
        enforcer.set_role_manager(Arc::new(parking_lot::RwLock::new(deep))).unwrap();
        assert!(poll_once(enforcer.add_grouping_policies(links(app_data))).unwrap(), "every link is new");
        let grant = |role| app_data.granted(role).map(move |permission| vec![role_name(role), slug(permission)]);
        assert!(
            poll_once(enforcer.add_policies(app_data.roles().flat_map(grant).collect())).unwrap(),
            "every rule is new"
        );
        enforcer.build_role_links().unwrap();
        enforcer.enable_auto_build_role_links(true);
        Self { enforcer }
    }

    fn check(&self, user: &ImmutableString, permission: &ImmutableString) -> bool {
        self.enforcer.enforce(vec![user.clone(), permission.clone()]).unwrap()
    }
}

fn links<const N: usize>(app_data: &AppData<'_, N>) -> Vec<Vec<String>> {
    let mut links = Vec::new();
    for (number, role) in (0..).zip(&app_data.organisation.roles) {
        links.extend(role.includes.map(|included| vec![role_name(number), role_name(included)]));
    }
    for (number, group) in (0..).zip(&app_data.organisation.groups) {
        links.extend(group.parent.map(|parent| vec![group_name(number), group_name(parent)]));
        links.extend(group.roles.iter().map(|role| vec![group_name(number), role_name(*role)]));
    }
    for user in app_data.users() {
        let name = || app_data.uuid(user).to_string();
        links.extend(app_data.groups_of(user).iter().map(|group| vec![name(), group_name(*group)]));
        links.extend(app_data.direct_role(user).map(|role| vec![name(), role_name(role)]));
    }
    links
}

impl<const N: usize> Peer<N> for Casbin {
    fn name(&self) -> &'static str {
        "casbin"
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| -> (ImmutableString, ImmutableString) {
            (app_data.uuid(q.user).to_string().into(), slug(q.permission).into())
        };
        Contestant::new("casbin", questions.iter().map(word).collect(), |(user, permission)| {
            self.check(user, permission)
        })
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        let rule = vec![app_data.uuid(user).to_string(), group_name(group)];
        assert!(poll_once(self.enforcer.remove_grouping_policy(rule)).unwrap(), "it was a member");
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        let rule = vec![app_data.uuid(user).to_string(), group_name(group)];
        assert!(poll_once(self.enforcer.add_grouping_policy(rule)).unwrap(), "it was not a member");
    }

    fn revoke(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        let rule = vec![role_name(role), slug(permission)];
        assert!(poll_once(self.enforcer.remove_policy(rule)).unwrap(), "it was granted");
    }

    fn grant(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        let rule = vec![role_name(role), slug(permission)];
        assert!(poll_once(self.enforcer.add_policy(rule)).unwrap(), "it was not granted");
    }

    fn who_can(&self, app_data: &AppData<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let permission: ImmutableString = slug(permission).into();
        let may = |user: &Uuid| self.check(&user.to_string().into(), &permission);
        users.map(|user| app_data.uuid(user)).filter(may).collect()
    }
}
