//! **casbin 2.20.0**: the documented RBAC model with a permission for object and action, so that a rule has two texts
//! (as in its `basic_without_resources_model.conf`), and the comparison before the walk, so that only rules about the
//! permission walk. `enforce`, without the cache of answers (a Cargo feature).
//!
//! It was given: users in groups, groups in parents, groups and users in roles, roles in the roles that they include,
//! each a `g` rule, since its roles nest (its role manager with a depth of 64 instead of 10); each grant a `p` rule,
//! patterns as the permissions that they match. Whoever is suspended has no rule.
//!
//! Not documented, and so not the contestant: permissions as the deepest roles, no `p` rule, and a matcher that only
//! walks, `g(r.sub, r.act)`. It took 3.4 µs at S and 11.5 µs at M (107 times ours in that run, casbin as above about
//! 36,000 times), with the same answers.
//!
//! It cannot: let a membership end, tell a group from a role, or find a rule by its permission: a check tries every
//! `p` rule in turn. Its `get_implicit_users_for_permission` asks `enforce` about every user, and so does this file.

use casbin::rhai::ImmutableString;
use casbin::{CoreApi, DefaultModel, DefaultRoleManager, Enforcer, MgmtApi, NullAdapter};
use std::sync::Arc;
use uuid::Uuid;

use super::Peer;
use crate::common::organisation::slug;
use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::{Plain, group_name, role_name};
use crate::ready::ready;

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
    pub(crate) fn new<const N: usize>(plain: &Plain<'_, N>) -> Self {
        let model = ready(DefaultModel::from_str(MODEL)).unwrap();
        let mut enforcer = ready(Enforcer::new(model, NullAdapter)).unwrap();
        enforcer.enable_auto_build_role_links(false);
        let deep = DefaultRoleManager::new(64);
        enforcer.set_role_manager(Arc::new(parking_lot::RwLock::new(deep))).unwrap();
        assert!(ready(enforcer.add_grouping_policies(links(plain))).unwrap(), "every link is new");
        let grant = |role| plain.granted(role).map(move |permission| vec![role_name(role), slug(permission)]);
        assert!(ready(enforcer.add_policies(plain.roles().flat_map(grant).collect())).unwrap(), "every rule is new");
        enforcer.build_role_links().unwrap();
        enforcer.enable_auto_build_role_links(true);
        Self { enforcer }
    }

    fn check(&self, user: &ImmutableString, permission: &ImmutableString) -> bool {
        self.enforcer.enforce(vec![user.clone(), permission.clone()]).unwrap()
    }
}

fn links<const N: usize>(plain: &Plain<'_, N>) -> Vec<Vec<String>> {
    let mut links = Vec::new();
    for (number, role) in (0..).zip(&plain.organisation.roles) {
        links.extend(role.includes.map(|included| vec![role_name(number), role_name(included)]));
    }
    for (number, group) in (0..).zip(&plain.organisation.groups) {
        links.extend(group.parent.map(|parent| vec![group_name(number), group_name(parent)]));
        links.extend(group.roles.iter().map(|role| vec![group_name(number), role_name(*role)]));
    }
    for user in plain.users() {
        let name = || plain.uuid(user).to_string();
        links.extend(plain.groups_of(user).iter().map(|group| vec![name(), group_name(*group)]));
        links.extend(plain.direct_role(user).map(|role| vec![name(), role_name(role)]));
    }
    links
}

impl<const N: usize> Peer<N> for Casbin {
    fn name(&self) -> &'static str {
        "casbin"
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| -> (ImmutableString, ImmutableString) {
            (plain.uuid(q.user).to_string().into(), slug(q.permission).into())
        };
        Contestant::new("casbin", questions.iter().map(word).collect(), |(user, permission)| {
            self.check(user, permission)
        })
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        let rule = vec![plain.uuid(user).to_string(), group_name(group)];
        assert!(ready(self.enforcer.remove_grouping_policy(rule)).unwrap(), "it was a member");
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        let rule = vec![plain.uuid(user).to_string(), group_name(group)];
        assert!(ready(self.enforcer.add_grouping_policy(rule)).unwrap(), "it was no member");
    }

    fn revoke(&mut self, _: &Plain<'_, N>, role: u32, permission: u32) {
        let rule = vec![role_name(role), slug(permission)];
        assert!(ready(self.enforcer.remove_policy(rule)).unwrap(), "it was granted");
    }

    fn grant(&mut self, _: &Plain<'_, N>, role: u32, permission: u32) {
        let rule = vec![role_name(role), slug(permission)];
        assert!(ready(self.enforcer.add_policy(rule)).unwrap(), "it was not granted");
    }

    fn who_can(&self, plain: &Plain<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let permission: ImmutableString = slug(permission).into();
        let may = |user: &Uuid| self.check(&user.to_string().into(), &permission);
        users.map(|user| plain.uuid(user)).filter(may).collect()
    }
}
