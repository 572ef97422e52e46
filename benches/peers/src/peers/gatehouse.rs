//! **gatehouse 0.6.0**: a policy written by hand, as its notes on performance recommend.
//!
//! The `Policy` has a static name and static reasons. Decisions without facts share the empty session, and tracing (a
//! Cargo feature) is off. The checker's future is polled once, without an executor.
//!
//! Input: the user with the effective permissions as bits, found in the table of `by_hand_fast`. gatehouse stores nothing,
//! so this contestant is that table with the library's decision (policy, trace, reason) on top. The memory and the changes
//! are those of the table. Its built-in policy for roles is slower; see `gatehouse_rbac.rs`.
//!
//! Not possible: storing an organisation. Roles, groups, windows, changes and finding the users with a permission are left
//! to the application.

use std::borrow::Cow;

use async_trait::async_trait;
use gatehouse::{EvalCtx, EvaluationSession, GrantResult, PermissionChecker, Policy, PolicyDomain};
use uuid::Uuid;

use super::Peer;
use super::by_hand::Fast;
use crate::app_data::AppData;
use crate::common::oracle::{Bits, has};
use crate::common::questions::Question;
use crate::common::timing::Contestant;
use crate::poll_once::poll_once;

struct Domain<const N: usize>;

impl<const N: usize> PolicyDomain for Domain<N> {
    type Subject = Bits<N>;
    type Action = u32;
    type Resource = ();
    type Context = ();
}

struct MayDo;

#[async_trait]
impl<const N: usize> Policy<Domain<N>> for MayDo {
    async fn evaluate(&self, ctx: &EvalCtx<'_, Domain<N>>) -> GrantResult {
        if has(ctx.subject, *ctx.action) {
            ctx.grant("a role grants it")
        } else {
            ctx.not_applicable("no role grants it")
        }
    }

    fn policy_type(&self) -> Cow<'static, str> {
        Cow::Borrowed("MayDo")
    }
}

pub(crate) struct Gatehouse<const N: usize> {
    table: Fast<N>,
    checker: PermissionChecker<Domain<N>>,
}

impl<const N: usize> Gatehouse<N> {
    pub(crate) fn new(app_data: &AppData<'_, N>) -> Self {
        let mut checker = PermissionChecker::new();
        checker.add_policy(MayDo);
        Self { table: Fast::new(app_data), checker }
    }

    fn check(&self, user: &Uuid, permission: u32) -> bool {
        let Some(row) = self.table.row(user) else { return false };
        let bound = self.checker.bind(EvaluationSession::shared_empty(), row, &permission, &());
        poll_once(bound.check(&())).is_granted()
    }
}

impl<const N: usize> Peer<N> for Gatehouse<N> {
    fn name(&self) -> &'static str {
        "gatehouse"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (app_data.uuid(q.user), q.permission)).collect();
        Contestant::new(self.name(), list, |(user, permission)| self.check(user, *permission))
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        self.table.leave(app_data, user, group);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32) {
        self.table.join(app_data, user, group);
    }

    fn revoke(&mut self, app_data: &AppData<'_, N>, role: u32, permission: u32) {
        self.table.revoke(app_data, role, permission);
    }

    fn grant(&mut self, app_data: &AppData<'_, N>, role: u32, permission: u32) {
        self.table.grant(app_data, role, permission);
    }

    fn who_can(&self, app_data: &AppData<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        users.map(|user| app_data.uuid(user)).filter(|user| self.check(user, permission)).collect()
    }
}
