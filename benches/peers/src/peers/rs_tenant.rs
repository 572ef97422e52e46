//! **rs-tenant 0.4.0**: `Engine::can_tenant` on a custom source, as its notes on production recommend.
//!
//! The source consists of maps in memory behind a lock. The library's `MemorySource` is meant for examples and cannot
//! remove anything. The cache of answers, the inheritance of roles and wildcards are off, which is the default.
//!
//! Input: all roles of each user (through groups, parent groups and inclusions), so that the library does not need its own
//! inheritance. Patterns are expanded. Suspended users are inactive members.
//!
//! Not possible: nested groups, memberships that end, and finding the users with a permission without asking about each.
//! The source copies all permissions of all roles of the user in each check.

use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use foldhash::fast::RandomState;
use rs_tenant::{
    AccessDecision, AuthSubject, AuthorizationSource, Engine, EngineBuilder, GrantScope, MembershipStatus, Permission,
    PrincipalId, RoleAssignment, RoleId, SourceError, TenantAccessRequest, TenantId, TenantStatus,
};
use uuid::Uuid;

use super::Peer;
use crate::app_data::{AppData, role_name};
use crate::common::organisation::slug;
use crate::common::questions::Question;
use crate::common::timing::Contestant;
use crate::poll_once::poll_once;

/// The same fast tables as `by_hand_fast`.
type Map<K, V> = hashbrown::HashMap<K, V, RandomState>;

type Told<T> = Result<T, SourceError>;

#[derive(Default)]
struct Records {
    members: Map<PrincipalId, (MembershipStatus, Vec<RoleAssignment>)>,
    permissions: Map<RoleId, hashbrown::HashSet<Permission, RandomState>>,
}

/// The data of the tenant, shared by the engine and the code that changes it.
#[derive(Clone, Default)]
struct Source(Arc<RwLock<Records>>);

#[async_trait]
impl AuthorizationSource for Source {
    async fn tenant_status(&self, _: &TenantId) -> Told<TenantStatus> {
        Ok(TenantStatus::Active)
    }

    async fn membership_status(&self, subject: &AuthSubject) -> Told<MembershipStatus> {
        let kept = self.0.read().unwrap();
        Ok(kept.members.get(&subject.principal).map_or(MembershipStatus::Inactive, |(status, _)| *status))
    }

    async fn role_assignments(&self, subject: &AuthSubject) -> Told<Vec<RoleAssignment>> {
        let kept = self.0.read().unwrap();
        Ok(kept.members.get(&subject.principal).map(|(_, assigned)| assigned.clone()).unwrap_or_default())
    }

    async fn role_permissions(&self, _: &TenantId, role: &RoleId) -> Told<Vec<Permission>> {
        let kept = self.0.read().unwrap();
        Ok(kept.permissions.get(role).map(|all| all.iter().cloned().collect()).unwrap_or_default())
    }

    async fn parent_roles(&self, _: &TenantId, _: &RoleId) -> Told<Vec<RoleId>> {
        Ok(Vec::new())
    }
}

pub(crate) struct RsTenant {
    engine: Engine<Source>,
    source: Source,
    tenant: TenantId,
}

fn role(number: u32) -> RoleId {
    RoleId::parse(role_name(number)).unwrap()
}

fn permission(number: u32) -> Permission {
    Permission::parse(slug(number)).unwrap()
}

fn principal(user: Uuid) -> PrincipalId {
    PrincipalId::parse(user.to_string()).unwrap()
}

fn assignments(roles: Vec<u32>) -> Vec<RoleAssignment> {
    roles.into_iter().map(|number| RoleAssignment::new(role(number), GrantScope::tenant())).collect()
}

impl RsTenant {
    pub(crate) fn new<const N: usize>(app_data: &AppData<'_, N>) -> Self {
        let member = |user| {
            let suspended = app_data.organisation.users[user as usize].suspended;
            let status = if suspended { MembershipStatus::Inactive } else { MembershipStatus::Active };
            (principal(app_data.uuid(user)), (status, assignments(app_data.roles_of(user))))
        };
        let granted = |number| (role(number), app_data.granted(number).map(permission).collect());
        let kept = Records {
            members: app_data.users().map(member).collect(),
            permissions: app_data.roles().map(granted).collect(),
        };
        let source = Source(Arc::new(RwLock::new(kept)));
        let engine = EngineBuilder::new(source.clone()).build();
        Self { engine, source, tenant: TenantId::parse("tenant").unwrap() }
    }

    fn check(&self, subject: &AuthSubject, permission: &Permission) -> bool {
        let request = TenantAccessRequest { subject: subject.clone(), permission: permission.clone() };
        poll_once(self.engine.can_tenant(request)).unwrap() == AccessDecision::Allow
    }

    fn subject(&self, user: Uuid) -> AuthSubject {
        AuthSubject::new(self.tenant.clone(), principal(user))
    }

    fn reassign<const N: usize>(&self, app_data: &AppData<'_, N>, user: u32) {
        let mut kept = self.source.0.write().unwrap();
        let (_, assigned) = kept.members.get_mut(&principal(app_data.uuid(user))).unwrap();
        *assigned = assignments(app_data.roles_of(user));
    }
}

impl<const N: usize> Peer<N> for RsTenant {
    fn name(&self) -> &'static str {
        "rs_tenant"
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let word = |q: &Question| (self.subject(app_data.uuid(q.user)), permission(q.permission));
        let words = questions.iter().map(word).collect();
        Contestant::new("rs_tenant", words, |(subject, permission)| self.check(subject, permission))
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.reassign(app_data, user);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.reassign(app_data, user);
    }

    fn revoke(&mut self, _: &AppData<'_, N>, number: u32, lost: u32) {
        let mut kept = self.source.0.write().unwrap();
        assert!(kept.permissions.get_mut(&role(number)).unwrap().remove(&permission(lost)), "it was granted");
    }

    fn grant(&mut self, _: &AppData<'_, N>, number: u32, new: u32) {
        let mut kept = self.source.0.write().unwrap();
        assert!(kept.permissions.get_mut(&role(number)).unwrap().insert(permission(new)), "it was not granted");
    }

    fn who_can(&self, app_data: &AppData<'_, N>, number: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let permission = permission(number);
        let may = |user: &Uuid| self.check(&self.subject(*user), &permission);
        users.map(|user| app_data.uuid(user)).filter(may).collect()
    }
}
