//! **role-system 1.3.0**: `RoleSystem::check_permission` on its store in memory.
//!
//! `enable_caching` is off, since the cache keeps serving elevations that have expired. So is the log of each check (a
//! Cargo feature).
//!
//! Input: all roles of each user (through groups, parent groups and inclusions), so that the library does not need its own
//! inheritance of roles. Grants are an action and a resource type; patterns are expanded.
//!
//! Not possible: nested groups, and memberships that end at an instant (an elevation ends some time after the call).
//! Finding the users with a permission takes two queries: the roles with the permission, and the subjects with a role.

use role_system::core::RoleSystemConfig;
use role_system::query::RoleSystemQuery;
use role_system::{Permission, Resource, Role, RoleSystem, Subject};
use uuid::Uuid;

use super::Peer;
use crate::app_data::{AppData, halves, role_name};
use crate::common::questions::Question;
use crate::common::timing::Contestant;

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
    pub(crate) fn new<const N: usize>(app_data: &AppData<'_, N>) -> Self {
        let config = RoleSystemConfig { enable_caching: false, enable_audit: false, ..RoleSystemConfig::default() };
        let mut system = RoleSystem::with_config(config);
        for role in app_data.roles() {
            let granted = app_data.granted(role).map(permission);
            system.register_role(Role::new(role_name(role)).add_permissions(granted)).unwrap();
        }
        for user in app_data.users() {
            let subject = subject(app_data.uuid(user));
            for role in app_data.roles_of(user) {
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

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| {
            let (resource, action) = halves(q.permission);
            (subject(app_data.uuid(q.user)), action, Resource::new("", resource))
        };
        let words = questions.iter().map(word).collect();
        Contestant::new("role_system", words, |(subject, action, resource)| {
            self.system.check_permission(subject, action, resource).unwrap()
        })
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        let subject = subject(app_data.uuid(user));
        for role in app_data.roles_through_only(user, group) {
            self.system.remove_role(&subject, &role_name(role)).unwrap();
        }
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        let subject = subject(app_data.uuid(user));
        for role in app_data.roles_through_only(user, group) {
            self.system.assign_role(&subject, &role_name(role)).unwrap();
        }
    }

    fn revoke(&mut self, _: &AppData<'_, N>, role: u32, number: u32) {
        self.regrant(role, |mut role| {
            role.remove_permission(&permission(number));
            role
        });
    }

    fn grant(&mut self, _: &AppData<'_, N>, role: u32, number: u32) {
        self.regrant(role, |role| role.add_permission(permission(number)));
    }

    fn who_can(&self, _: &AppData<'_, N>, number: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let query = self.system.query();
        let roles = query.roles_with_permission(&permission(number)).unwrap();
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        let subjects = query.subjects_with_any_role(&roles).unwrap();
        subjects.iter().map(|subject| Uuid::parse_str(subject).unwrap()).collect()
    }

    fn answers_for_all(&self) -> bool {
        true
    }
}
