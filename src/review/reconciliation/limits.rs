//! Rules about separations and assertions, which another catalog may break. A load does not refuse them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Reconciliation};
use crate::model::error::{AssertionViolation, HeldRole, Quoted};
use crate::model::internal_fault::must;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::review::EntityRef;
use crate::review::lint::{Code, Finding};

pub(super) fn assertions_that_fail(reconciliation: &Reconciliation) -> Findings<'_> {
    let [before, after] = [&reconciliation.before, &reconciliation.after]
        .map(|snapshot| snapshot.at(reconciliation.from).assertion_violations());
    let key = |violation: &AssertionViolation| (violation.assertion.clone(), violation.user.clone());
    let known: BTreeSet<(String, String)> = before.iter().map(key).collect();
    let new = after.items.into_iter().filter(move |violation| !known.contains(&key(violation)));
    Box::new(new.filter_map(|violation| {
        let state = &reconciliation.before.0.state;
        let assertion =
            EntityRef::at(&state.assertions, must(state.assertions.by_name(&violation.assertion), NEAR_END)?)?;
        let message = format!("{} would not hold any more: {}", assertion, violation.problem);
        let finding = Finding::new(Code::AssertionFails, assertion, message);
        Some(match state.users.by_name(&violation.user).and_then(|user| EntityRef::at(&state.users, user)) {
            Some(user) => finding.with(user),
            None => finding,
        })
    }))
}

pub(super) fn separations_exceeded(reconciliation: &Reconciliation) -> Findings<'_> {
    let [before, after] = [&reconciliation.before, &reconciliation.after]
        .map(|snapshot| snapshot.at(reconciliation.from).separation_violations());
    let known: BTreeMap<_, usize> =
        before.items.into_iter().map(|excess| ((excess.separation, excess.user), excess.roles.len())).collect();
    let new = after.items.into_iter().filter(move |excess| {
        let key = (excess.separation.clone(), excess.user.clone());
        known.get(&key).is_none_or(|roles| *roles < excess.roles.len())
    });
    Box::new(new.filter_map(|excess| {
        let state = &reconciliation.before.0.state;
        let user = EntityRef::at(&state.users, must(state.users.by_name(&excess.user), NEAR_END)?)?;
        let number = must(state.separations.by_name(&excess.separation), NEAR_END)?;
        let separation = EntityRef::at(&state.separations, number)?;
        let roles: Vec<String> = excess.roles.iter().map(|held: &HeldRole| Quoted(&held.role).to_string()).collect();
        let (most, roles) = (excess.at_most, roles.join(", "));
        let message = format!("{user} would hold {roles}, of which {separation} allows {most}");
        Some(Finding::new(Code::SeparationExceeded, user, message).with(separation))
    }))
}
