//! **rolecall**: a held snapshot (`rolecall`) and the tenant (`rolecall_tenant`).
//!
//! Both are asked by the UUID of the user and the handle of the permission.
//!
//! Input: the organisation with nested groups, inclusions, patterns and windows, on a store that keeps nothing, as in the
//! crate's own benches. Each change is one commit.

use rolecall::Moment;
use rolecall::blocking::Tenant;
use rolecall::records::UserId;
use rolecall::snapshot::PermissionHandle;
use uuid::Uuid;

use super::Peer;
use crate::app_data::AppData;
use crate::common::organisation::{Organisation, now, slug};
use crate::common::questions::Question;
use crate::common::records::{group_id, permission_id, role_id};
use crate::common::timing::Contestant;

pub(crate) struct Rolecall {
    tenant: Tenant,
}

impl Rolecall {
    pub(crate) fn new(tenant: Tenant) -> Self {
        Self { tenant }
    }

    fn words(held: &Moment<'_>, organisation: &Organisation, questions: &[Question]) -> Vec<(Uuid, PermissionHandle)> {
        let handles: Vec<PermissionHandle> =
            (0..organisation.size.permissions).map(|p| held.permission_handle(slug(p)).unwrap()).collect();
        let word = |q: &Question| (organisation.users[q.user as usize].id, handles[q.permission as usize]);
        questions.iter().map(word).collect()
    }

    /// Asks through the tenant, which loads the newest snapshot in each check.
    pub(crate) fn asked_of_tenant<'a>(&'a self, organisation: &Organisation, questions: &[Question]) -> Contestant<'a> {
        let words = Self::words(&self.tenant.snapshot().at(now()), organisation, questions);
        let tenant = &self.tenant;
        Contestant::new("rolecall_tenant", words, |(user, permission)| tenant.check(*user, *permission))
    }

    fn member(&self, plain_user: Uuid, group: u32, joins: bool) {
        let (user, group) = (UserId::from_uuid(plain_user), group_id(group));
        let committed = self.tenant.update(|tx| {
            let group = tx.group(group)?;
            if joins { group.add_member(user)?.done() } else { group.remove_member(user)?.done() }
        });
        assert!(!committed.unwrap().changes.is_empty(), "a commit that changes nothing measures nothing");
    }

    fn role(&self, role: u32, permission: u32, grants: bool) {
        let (role, permission) = (role_id(role), permission_id(permission));
        let committed = self.tenant.update(|tx| {
            let role = tx.role(role)?;
            if grants { role.grant(permission)?.done() } else { role.revoke(permission)?.done() }
        });
        assert!(!committed.unwrap().changes.is_empty(), "a commit that changes nothing measures nothing");
    }
}

impl<const N: usize> Peer<N> for Rolecall {
    fn name(&self) -> &'static str {
        "rolecall"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let held = self.tenant.snapshot().at(now());
        let words = Self::words(&held, app_data.organisation, questions);
        Contestant::new("rolecall", words, move |(user, permission)| held.check(*user, *permission))
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        self.member(app_data.uuid(user), group, false);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        self.member(app_data.uuid(user), group, true);
    }

    fn revoke(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        self.role(role, permission, false);
    }

    fn grant(&mut self, _: &AppData<'_, N>, role: u32, permission: u32) {
        self.role(role, permission, true);
    }

    fn who_can(&self, _: &AppData<'_, N>, permission: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let held = self.tenant.snapshot().at(now());
        held.who_can(permission_id(permission)).ids().map(UserId::as_uuid).collect()
    }

    fn answers_for_all(&self) -> bool {
        true
    }
}
