//! **cedar-policy 4.14.1**: `Authorizer::is_authorized`, in two documented designs.
//!
//! - `cedar`: the recommended role-based design. A role is a group of principals and a group of actions, and one policy
//!   for each role permits these actions to these principals. Each request evaluates every policy.
//! - `cedar_relation`: the relationship design. A permission is the resource, and its attribute `roles` contains the roles
//!   that grant it. One policy permits access to principals in one of them.
//!
//! Choosing the entities for each request is not a contestant. The documentation advises it where there are too many
//! entities. Then changes cost nothing in the library and the memory is the application's, but each check builds its
//! entities first.
//!
//! Input: users in groups, groups in parents, groups and users in roles, and roles in included roles, as entities, since
//! Cedar's entities nest. Patterns are expanded. Suspended users have no parents.
//!
//! Not possible: memberships that end (a policy can compare times, an edge has none), changing one entity without
//! computing the hierarchy again, and finding the users with a permission without asking about each.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use uuid::Uuid;

use super::Peer;
use crate::app_data::{AppData, group_name, role_name};
use crate::common::oracle::has;
use crate::common::organisation::slug;
use crate::common::questions::Question;
use crate::common::timing::Contestant;

/// How grants are represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Design {
    /// As groups of actions, with a policy for each role.
    RoleBased,
    /// As an attribute of the permission, with one policy for all.
    Relationship,
}

/// The types of entities, read once.
struct Types {
    user: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    permission: EntityTypeName,
}

pub(crate) struct Cedar {
    design: Design,
    types: Types,
    authorizer: Authorizer,
    policies: PolicySet,
    /// `None` only during a change.
    entities: Option<Entities>,
    /// The action or the resource, whichever is the same in every request.
    same: EntityUid,
}

impl Types {
    fn new() -> Self {
        let named = |name: &str| name.parse().unwrap();
        Self {
            user: named("User"),
            group: named("Group"),
            role: named("Role"),
            action: named("Action"),
            permission: named("Permission"),
        }
    }
}

fn uid(of: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(name))
}

impl Cedar {
    pub(crate) fn new<const N: usize>(app_data: &AppData<'_, N>, design: Design) -> Self {
        let types = Types::new();
        let (policies, same) = match design {
            Design::RoleBased => {
                let mut text = String::new();
                for role in app_data.roles().map(role_name) {
                    writeln!(text, r#"permit(principal in Role::"{role}", action in Action::"{role}", resource);"#)
                        .unwrap();
                }
                (text, uid(&types.permission, "all"))
            }
            Design::Relationship => {
                let text = "permit(principal, action, resource) when { principal in resource.roles };".to_owned();
                (text, uid(&types.action, "do"))
            }
        };
        let mut cedar = Self {
            design,
            types,
            authorizer: Authorizer::new(),
            policies: policies.parse().unwrap(),
            entities: None,
            same,
        };
        let users = app_data.users().map(|user| cedar.user(app_data, user));
        let permissions = app_data.permissions().map(|permission| cedar.permission(app_data, permission));
        let all: Vec<Entity> = users.chain(permissions).chain(cedar.entities(app_data)).collect();
        cedar.entities = Some(Entities::from_entities(all, None).unwrap());
        cedar
    }

    /// Groups and roles; and the roles as groups of actions.
    fn entities<const N: usize>(&self, app_data: &AppData<'_, N>) -> Vec<Entity> {
        let Types { group, role, action, .. } = &self.types;
        let mut all = Vec::new();
        for (number, one) in (0..).zip(&app_data.organisation.groups) {
            let parents = one.parent.iter().map(|parent| uid(group, &group_name(*parent)));
            let roles = one.roles.iter().map(|held| uid(role, &role_name(*held)));
            all.push(Entity::new_no_attrs(uid(group, &group_name(number)), parents.chain(roles).collect()));
        }
        for (number, one) in (0..).zip(&app_data.organisation.roles) {
            let included = one.includes.iter().map(|included| uid(role, &role_name(*included))).collect();
            all.push(Entity::new_no_attrs(uid(role, &role_name(number)), included));
            all.push(Entity::new_no_attrs(uid(action, &role_name(number)), HashSet::new()));
        }
        all
    }

    fn user<const N: usize>(&self, app_data: &AppData<'_, N>, user: u32) -> Entity {
        let groups = app_data.groups_of(user).iter().map(|group| uid(&self.types.group, &group_name(*group)));
        let role = app_data.direct_role(user).into_iter().map(|role| uid(&self.types.role, &role_name(role)));
        Entity::new_no_attrs(self.principal(app_data.uuid(user)), groups.chain(role).collect())
    }

    fn permission<const N: usize>(&self, app_data: &AppData<'_, N>, permission: u32) -> Entity {
        let granting = app_data.roles().filter(|role| has(app_data.grants(*role), permission)).map(role_name);
        let this = self.named(permission);
        match self.design {
            Design::RoleBased => {
                Entity::new_no_attrs(this, granting.map(|role| uid(&self.types.action, &role)).collect())
            }
            Design::Relationship => {
                let roles = granting.map(|role| RestrictedExpression::new_entity_uid(uid(&self.types.role, &role)));
                let roles = RestrictedExpression::new_set(roles);
                Entity::new(this, HashMap::from([("roles".to_owned(), roles)]), HashSet::new()).unwrap()
            }
        }
    }

    fn principal(&self, user: Uuid) -> EntityUid {
        uid(&self.types.user, &user.to_string())
    }

    /// Returns the entity that represents a permission: an action or a resource.
    fn named(&self, permission: u32) -> EntityUid {
        match self.design {
            Design::RoleBased => uid(&self.types.action, &slug(permission)),
            Design::Relationship => uid(&self.types.permission, &slug(permission)),
        }
    }

    fn check(&self, user: &EntityUid, permission: &EntityUid) -> bool {
        let (action, resource) = match self.design {
            Design::RoleBased => (permission, &self.same),
            Design::Relationship => (&self.same, permission),
        };
        let request = Request::new(user.clone(), action.clone(), resource.clone(), Context::empty(), None).unwrap();
        let entities = self.entities.as_ref().unwrap();
        self.authorizer.is_authorized(&request, &self.policies, entities).decision() == Decision::Allow
    }

    fn upsert(&mut self, entity: Entity) {
        let entities = self.entities.take().unwrap();
        self.entities = Some(entities.upsert_entities([entity], None).unwrap());
    }
}

impl<const N: usize> Peer<N> for Cedar {
    fn name(&self) -> &'static str {
        match self.design {
            Design::RoleBased => "cedar",
            Design::Relationship => "cedar_relation",
        }
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| (self.principal(app_data.uuid(q.user)), self.named(q.permission));
        let words = questions.iter().map(word).collect();
        Contestant::new(Peer::<N>::name(self), words, |(user, permission)| self.check(user, permission))
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.upsert(self.user(app_data, user));
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.upsert(self.user(app_data, user));
    }

    fn revoke(&mut self, app_data: &AppData<'_, N>, _: u32, permission: u32) {
        self.upsert(self.permission(app_data, permission));
    }

    fn grant(&mut self, app_data: &AppData<'_, N>, _: u32, permission: u32) {
        self.upsert(self.permission(app_data, permission));
    }

    fn who_can(&self, app_data: &AppData<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let permission = self.named(permission);
        let may = |user: &Uuid| self.check(&self.principal(*user), &permission);
        users.map(|user| app_data.uuid(user)).filter(may).collect()
    }
}
