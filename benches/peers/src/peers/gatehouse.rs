//! **gatehouse 0.6.0**, as its notes on speed say: a hand-written `Policy` with a static name and static reasons, the
//! shared empty session for decisions without facts, and no tracing (a Cargo feature). The checker's future is polled
//! in place, without an executor.
//!
//! It was given: the user with the effective permissions as bits, found in the table of `by_hand_fast`. It stores
//! nothing, so this is that table with the library's decision (policy, trace, reason) on top, and its memory and
//! changes are the table's.
//!
//! Its built-in policy for roles is slower; see `gatehouse_rbac.rs`.
//!
//! It cannot: keep an organisation. Roles, groups, windows, changes and who can do something are the application's.

use std::borrow::Cow;

use async_trait::async_trait;
use gatehouse::{EvalCtx, EvaluationSession, GrantResult, PermissionChecker, Policy, PolicyDomain};
use uuid::Uuid;

use super::Peer;
use super::by_hand::Fast;
use crate::common::oracle::{Bits, has};
use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::Plain;
use crate::ready::ready;

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
    pub(crate) fn new(plain: &Plain<'_, N>) -> Self {
        let mut checker = PermissionChecker::new();
        checker.add_policy(MayDo);
        Self { table: Fast::new(plain), checker }
    }

    fn check(&self, user: &Uuid, permission: u32) -> bool {
        let Some(row) = self.table.row(user) else { return false };
        let bound = self.checker.bind(EvaluationSession::shared_empty(), row, &permission, &());
        ready(bound.check(&())).is_granted()
    }
}

impl<const N: usize> Peer<N> for Gatehouse<N> {
    fn name(&self) -> &'static str {
        "gatehouse"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (plain.uuid(q.user), q.permission)).collect();
        Contestant::new(self.name(), list, |(user, permission)| self.check(user, *permission))
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        self.table.leave(plain, user, group);
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, group: u32) {
        self.table.join(plain, user, group);
    }

    fn revoke(&mut self, plain: &Plain<'_, N>, role: u32, permission: u32) {
        self.table.revoke(plain, role, permission);
    }

    fn grant(&mut self, plain: &Plain<'_, N>, role: u32, permission: u32) {
        self.table.grant(plain, role, permission);
    }

    fn who_can(&self, plain: &Plain<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        users.map(|user| plain.uuid(user)).filter(|user| self.check(user, permission)).collect()
    }
}
