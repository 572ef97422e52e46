//! When a tenant whose refresh failed is refreshed again: after one poll, then after two, four, up to 32.
//!
//! A tenant with invalid content would otherwise be loaded as a whole at every poll.

use std::collections::HashMap;

use crate::model::records::TenantId;

/// The most polls between two attempts.
const MOST_ROUNDS: u64 = 32;

#[derive(Debug, Default)]
pub(super) struct Retries {
    round: u64,
    failed: HashMap<TenantId, Retry>,
}

#[derive(Debug)]
struct Retry {
    pause: u64,
    not_before: u64,
}

impl Retries {
    pub(super) fn next_round(&mut self) {
        self.round += 1;
        // A tenant that was closed meanwhile is never refreshed again.
        let round = self.round;
        self.failed.retain(|_, retry| round <= retry.not_before + MOST_ROUNDS);
    }

    pub(super) fn may_try(&self, tenant_id: TenantId) -> bool {
        self.failed.get(&tenant_id).is_none_or(|retry| retry.not_before <= self.round)
    }

    pub(super) fn failed(&mut self, tenant_id: TenantId) {
        let retry = self.failed.entry(tenant_id).or_insert(Retry { pause: 0, not_before: 0 });
        retry.pause = (retry.pause * 2).clamp(1, MOST_ROUNDS);
        retry.not_before = self.round + retry.pause;
    }

    pub(super) fn succeeded(&mut self, tenant_id: TenantId) {
        self.failed.remove(&tenant_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_until_an_attempt_succeeds() {
        let (mut retries, tenant_id) = (Retries::default(), TenantId::random());
        let mut attempts = Vec::new();
        for round in 0..200 {
            if retries.may_try(tenant_id) {
                attempts.push(round);
                retries.failed(tenant_id);
            }
            retries.next_round();
        }
        assert_eq!(attempts, [0, 1, 3, 7, 15, 31, 63, 95, 127, 159, 191]);
        retries.succeeded(tenant_id);
        assert!(retries.may_try(tenant_id));
    }
}
