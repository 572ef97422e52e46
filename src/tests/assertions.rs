//! Assertions about random tenants, compared with the reference model (R17).

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::histories::{INSTANTS, USERS, at, build, call, catalog, conflicting_catalog, next_catalog, populated};
use crate::Timestamp;
use crate::assertions::{Assertion, Assertions, Problem};
use crate::model::records::{GroupId, Record, RoleId, UserRecord};
use crate::model::reference::Model;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};

const PERMISSIONS: [&str; 4] = ["a:x", "b:x", "ab:x", "sys:read"];
const GROUPS: [&str; 4] = ["g0", "g1", "g2", "g3"];
const ROLES: [&str; 6] = ["r0", "r1", "r2", "r3", "sys-viewer", "sys-all"];

fn some(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(names, 0..=most).prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn assertion() -> impl Strategy<Value = Assertion> {
    let permission = prop::sample::select(&PERMISSIONS[..]).prop_map(str::to_owned);
    let roles = prop::sample::subsequence(&ROLES[..], 2..4);
    let roles = roles.prop_map(|roles| roles.into_iter().map(str::to_owned).collect());
    (0..4_u8, permission, some(&USERS, 2), some(&GROUPS, 2), roles).prop_map(
        |(kind, permission, users, groups, roles)| match kind {
            0 => Assertion::Allowed { permission, users, groups },
            1 => Assertion::Denied { permission, users, groups },
            2 => Assertion::Only { permission, users, groups },
            _ => Assertion::Separate { roles },
        },
    )
}

/// The users who break an assertion by the text of R17, each with the first instant.
fn broken(
    moment: &crate::Moment<'_>,
    model: &Model<'_>,
    assertion: &Assertion,
    from: usize,
) -> BTreeSet<(String, Option<Timestamp>)> {
    let instants: Vec<Timestamp> = INSTANTS.into_iter().skip(from).map(at).collect();
    let ids = |groups: &[String]| -> BTreeSet<GroupId> {
        groups.iter().filter_map(|slug| Some(moment.group(slug.as_str())?.id)).collect()
    };
    let is_among = |user: &UserRecord, users: &[String], groups: &[String], at| {
        users.iter().any(|key| user.key == *key.as_str()) || !model.groups(user.id, at).is_disjoint(&ids(groups))
    };
    let breaks = |user: &UserRecord, at: Timestamp| match assertion {
        Assertion::Allowed { permission, users, groups } => {
            let is_named = users.iter().any(|key| user.key == *key.as_str());
            let is_active = user.status == crate::records::Status::Active;
            at == instants[0]
                && (is_named || is_active && is_among(user, users, groups, at))
                && !model.may(user.id, permission, at)
        }
        Assertion::Denied { permission, users, groups } => {
            is_among(user, users, groups, at) && model.may(user.id, permission, at)
        }
        Assertion::Only { permission, users, groups } => {
            !is_among(user, users, groups, at) && model.may(user.id, permission, at)
        }
        Assertion::Separate { roles } => {
            let ids: BTreeSet<RoleId> =
                roles.iter().filter_map(|slug| Some(moment.role(slug.as_str())?.record.id)).collect();
            model.roles(user.id, at).intersection(&ids).count() > 1
        }
    };
    let first = |user: &UserRecord| instants.iter().find(|at| breaks(user, **at)).copied();
    let found = model.users().filter_map(|user| Some((user.key.to_string(), first(user)?)));
    found.map(|(key, at)| (key, (at > instants[0]).then_some(at))).collect()
}

fn agree(compiled: &Arc<CompiledTenant>, model: &Model<'_>, assertion: &Assertion) {
    // A window begins or ends at each second of the instants, and never between two.
    for from in [0, 2] {
        let snapshot = Snapshot(Arc::clone(compiled));
        let moment = snapshot.at(at(INSTANTS[from]));
        let problems: Vec<Problem> =
            Assertions::new([assertion.clone()]).check(&moment).into_iter().map(|failure| failure.problem).collect();
        if problems.iter().any(|problem| matches!(problem, Problem::Unknown { .. })) {
            return;
        }
        let mut found = BTreeSet::new();
        for problem in problems {
            let user = match problem {
                Problem::Denied { user, .. } => (user, None),
                Problem::Allowed { user, from, path, .. } => {
                    assert!(path.window().contains(from.unwrap_or(moment.instant())));
                    (user, from)
                }
                Problem::Combined { user, from, roles } => {
                    assert!(roles.len() > 1);
                    (user, from)
                }
                Problem::Unknown { .. } | Problem::Unavailable { .. } => panic!("{problem}"),
            };
            assert!(found.insert((user.0.to_string(), user.1)), "each user once");
        }
        assert_eq!(found, broken(&moment, model, assertion, from), "{assertion:?} from {}", moment.instant());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases(16, 3_000)))]
    #[test]
    fn r17_assertions_fail_as_the_reference_model_says(
        before in prop::collection::vec(call(), 0..40),
        assertions in prop::collection::vec(assertion(), 8),
    ) {
        let mut history = populated(RowBound::USUAL);
        for call in before {
            history.follow(&[call]);
        }
        let records: Vec<Record> = history.records.values().cloned().collect();
        for catalog in [catalog(), next_catalog(), conflicting_catalog()] {
            let compiled = Arc::new(CompiledCatalog::new(catalog.clone()));
            let session = Arc::new(compiled.open());
            let tenant = Arc::new(build(&compiled, &session, &history.records, history.present.position));
            let model = Model::new(&records, &catalog);
            for assertion in &assertions {
                agree(&tenant, &model, assertion);
            }
        }
    }
}
