//! **role-system 1.3.0**: `RoleSystem::check_permission` over its store in memory, with `enable_caching` off (its cache
//! goes on serving an elevation that has expired) and without the log of each check (a Cargo feature).
//!
//! It was given: each user's roles, groups with their parents and inclusions followed, which spares it its own
//! inheritance of roles; grants as action and resource type, patterns as the permissions that they match.
//!
//! It cannot: nest groups, or end a membership at an instant (an elevation ends after a while, counted from the call).
//! Who can do something is two of its queries: the roles that have the permission, and the subjects that have a role.

use role_system::core::RoleSystemConfig;
use role_system::query::RoleSystemQuery;
use role_system::{Permission, Resource, Role, RoleSystem, Subject};
use uuid::Uuid;

use super::Peer;
use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::{Plain, halves, role_name};

pub(crate) struct Roles {
    system: RoleSystem,
}

fn permission(number: u32) -> Permission {
    let (resource, action) = halves(number);
    Permission::new(action, resource)
}

fn subject(user: Uuid) -> Subject {
    Subject::user(user.to_string())
}

impl Roles {
    pub(crate) fn new<const N: usize>(plain: &Plain<'_, N>) -> Self {
        let config = RoleSystemConfig { enable_caching: false, enable_audit: false, ..RoleSystemConfig::default() };
        let mut system = RoleSystem::with_config(config);
        for role in plain.roles() {
            let granted = plain.granted(role).map(permission);
            system.register_role(Role::new(role_name(role)).add_permissions(granted)).unwrap();
        }
        for user in plain.users() {
            let subject = subject(plain.uuid(user));
            for role in plain.roles_of(user) {
                system.assign_role(&subject, &role_name(role)).unwrap();
            }
        }
        Self { system }
    }

    fn regrant(&mut self, role: u32, change: impl FnOnce(Role) -> Role) {
        let role = self.system.get_role(&role_name(role)).unwrap().unwrap();
        self.system.update_role(change(role)).unwrap();
    }
}

impl<const N: usize> Peer<N> for Roles {
    fn name(&self) -> &'static str {
        "role_system"
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| {
            let (resource, action) = halves(q.permission);
            (subject(plain.uuid(q.user)), action, Resource::new("", resource))
        };
        let words = questions.iter().map(word).collect();
        Contestant::new("role_system", words, |(subject, action, resource)| {
            self.system.check_permission(subject, action, resource).unwrap()
        })
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        let subject = subject(plain.uuid(user));
        for role in plain.roles_through_only(user, group) {
            self.system.remove_role(&subject, &role_name(role)).unwrap();
        }
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        let subject = subject(plain.uuid(user));
        for role in plain.roles_through_only(user, group) {
            self.system.assign_role(&subject, &role_name(role)).unwrap();
        }
    }

    fn revoke(&mut self, _: &Plain<'_, N>, role: u32, number: u32) {
        self.regrant(role, |mut role| {
            role.remove_permission(&permission(number));
            role
        });
    }

    fn grant(&mut self, _: &Plain<'_, N>, role: u32, number: u32) {
        self.regrant(role, |role| role.add_permission(permission(number)));
    }

    fn who_can(&self, _: &Plain<'_, N>, number: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let query = self.system.query();
        let roles = query.roles_with_permission(&permission(number)).unwrap();
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        let subjects = query.subjects_with_any_role(&roles).unwrap();
        subjects.iter().map(|subject| Uuid::parse_str(subject).unwrap()).collect()
    }

    fn answers_at_once(&self) -> bool {
        true
    }
}
