//! Access reports of random tenants, compared with the reference model; window changes and lints, with naive twins.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::histories::{INSTANTS, PERMISSIONS, at, build, call, catalog, conflicting_catalog, next_catalog, populated};
use crate::model::catalog::Catalog;
use crate::model::records::{Assignment, Holder, Membership, ParentLink, Record, RecordKey, Status, Window};
use crate::model::reference::Model;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::review::{Bound, Code};
use crate::{Moment, Timestamp, error::RelationKind};

const GROUPS: [&str; 4] = ["g0", "g1", "g2", "g3"];
const ROLES: [&str; 6] = ["r0", "r1", "r2", "r3", "sys-viewer", "sys-all"];

/// Whether a user is allowed without a break between two instants.
fn is_held(model: &Model<'_>, user: &crate::records::UserRecord, slug: &str, window: Window, now: Timestamp) -> bool {
    let paths = model.paths(user.id, slug);
    let instants = INSTANTS.iter().map(|secs| at(*secs)).chain([now]);
    instants.filter(|at| window.contains(*at)).all(|at| paths.iter().any(|path| path.window.contains(at)))
}

/// Every row is a user and a permission that the reference model allows, each once, and none is missing.
pub(super) fn rows_agree(moment: &Moment<'_>, model: &Model<'_>) -> Vec<crate::review::AccessRow> {
    let now = moment.instant();
    let rows: Vec<_> = moment.access_report().rows().collect();
    let found: Vec<(String, String)> =
        rows.iter().map(|row| (row.user.to_string(), row.permission.to_string())).collect();
    assert!(found.is_sorted(), "{found:?}");
    let expected: BTreeSet<(String, String)> = model
        .users()
        .flat_map(|user| model.effective(user.id, now).into_iter().map(|slug| (user.key.to_string(), slug.to_string())))
        .collect();
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(found.len(), expected.len(), "each once");
    for row in &rows {
        let (user, slug) = (row.user.as_str(), row.permission.as_str());
        assert!(moment.check(user, slug) && moment.check(row.user_id, row.permission_id));
        assert_eq!(Some(&row.path), moment.first_path(user, slug).as_ref());
        assert!(row.window.contains(now) && row.path.window().contains(now) && row.window.covers(row.path.window()));
        let windows = moment.access_windows(user, slug).unwrap();
        assert!(windows.windows().contains(&row.window), "{} in {windows}", row.window);
        let record = model.users().find(|record| record.key == *user).unwrap();
        assert!(is_held(model, record, slug, row.window, now));
    }
    rows
}

fn report_agrees(moment: &Moment<'_>, model: &Model<'_>) {
    let rows = rows_agree(moment, model);
    every_path_agrees(moment);
    restrictions_agree(moment, &rows);
}

fn every_path_agrees(moment: &Moment<'_>) {
    let rows: Vec<_> = moment.access_report().every_path().rows().collect();
    let mut rest = &rows[..];
    while let Some(first) = rest.first() {
        let explanation = moment.explain(first.user_id, first.permission_id);
        let (these, after) = rest.split_at(explanation.paths().len());
        assert!(these.iter().all(|row| (row.user_id, row.permission_id) == (first.user_id, first.permission_id)));
        assert!(these.iter().map(|row| &row.path).eq(explanation.paths()));
        assert_eq!(first.more_paths, explanation.has_more_paths());
        rest = after;
    }
}

fn restrictions_agree(moment: &Moment<'_>, all: &[crate::review::AccessRow]) {
    for group in GROUPS.into_iter().filter(|group| moment.group(*group).is_some()) {
        let (members, given) = (moment.all_members(group), moment.effective_of_group(group));
        let expected = all.iter().filter(|row| members.contains(row.user_id) && given.contains(row.permission_id));
        assert!(moment.access_report().group(group).rows().eq(expected.cloned()), "{group}");
    }
    for role in ROLES.into_iter().filter(|role| moment.role(*role).is_some()) {
        let (holders, given) = (moment.all_holders(role), moment.effective_of_role(role));
        let expected = all.iter().filter(|row| holders.contains(row.user_id) && given.contains(row.permission_id));
        assert!(moment.access_report().role(role).rows().eq(expected.cloned()), "{role}");
    }
    for permission in PERMISSIONS {
        let expected = all.iter().filter(|row| row.permission == permission);
        assert!(moment.access_report().permission(permission).rows().eq(expected.cloned()), "{permission}");
    }
    for row in all {
        let expected = all.iter().filter(|other| other.user == row.user);
        assert!(moment.access_report().user(row.user_id).rows().eq(expected.cloned()));
        let expected = all.iter().filter(|other| other.permission == row.permission);
        assert!(moment.access_report().permission(row.permission_id).rows().eq(expected.cloned()));
        let expected = all.iter().filter(|other| other.user > row.user);
        assert!(moment.access_report().after(row.user.as_str()).rows().eq(expected.cloned()));
    }
}

/// Every window that begins or ends within the span is listed, and no other.
fn changes_agree(moment: &Moment<'_>, records: &[Record], span: Window) {
    let mut expected = Vec::new();
    for record in records {
        let (kind, window, subject, object) = match record {
            Record::Membership(Membership { user, group, window }) => {
                (RelationKind::Membership, window, user.as_uuid(), group.as_uuid())
            }
            Record::Assignment(Assignment { role, holder: Holder::User(user), window }) => {
                (RelationKind::Assignment, window, user.as_uuid(), role.id().as_uuid())
            }
            Record::Assignment(Assignment { role, holder: Holder::Group(group), window }) => {
                (RelationKind::Assignment, window, group.as_uuid(), role.id().as_uuid())
            }
            Record::Parent(ParentLink { group, parent, window }) => {
                (RelationKind::Parent, window, group.as_uuid(), parent.as_uuid())
            }
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => continue,
        };
        for (bound, end) in [(Bound::Begins, window.start()), (Bound::Ends, window.end())] {
            expected.extend(end.filter(|end| span.contains(*end)).map(|end| (end, bound, kind, subject, object)));
        }
    }
    expected.sort();
    let plain = |change: &crate::review::WindowChange| {
        (change.at, change.bound, change.relation, change.subject.id, change.object.id)
    };
    let mut found: Vec<_> = moment.window_changes(span).rows().map(|change| plain(&change)).collect();
    found.sort();
    assert_eq!(found, expected);
    let soonest = moment.window_changes(span).soonest(3);
    assert!(soonest.iter().map(|change| change.at).eq(expected.iter().map(|change| change.0).take(3)));
    let of = |id| expected.iter().filter(|change| change.3 == id || change.4 == id).count();
    for row in moment.access_report().rows() {
        assert_eq!(moment.window_changes(span).user(row.user_id).rows().count(), of(row.user_id.as_uuid()));
    }
    for group in GROUPS.into_iter().filter_map(|group| moment.group(group)) {
        assert_eq!(moment.window_changes(span).group(group.id).rows().count(), of(group.id.as_uuid()));
    }
    for role in ROLES.into_iter().filter_map(|role| moment.role(role)) {
        assert_eq!(moment.window_changes(span).role(role.id()).rows().count(), of(role.id().as_uuid()));
    }
}

/// The findings of the lint about users, groups, roles and inclusions agree with the reference model.
fn lint_agrees(moment: &Moment<'_>, records: &[Record], model: &Model<'_>) {
    let found = |code: Code| -> BTreeSet<uuid::Uuid> {
        moment.lint().filter(|finding| finding.code == code).map(|finding| finding.place.id).collect()
    };
    let later: Vec<Timestamp> =
        INSTANTS.iter().map(|secs| at(*secs)).filter(|at| *at > moment.instant()).chain([moment.instant()]).collect();
    let all: BTreeSet<_> = model.permissions().map(|(_, slug)| slug).collect();
    let everything = model.users().filter(|user| {
        all.len() > 1 && user.status == Status::Active && model.effective(user.id, moment.instant()) == all
    });
    assert_eq!(found(Code::AllPermissions), everything.map(|user| user.id.as_uuid()).collect());
    let (empty, unused) = (found(Code::EmptyGroup), found(Code::UnusedRole));
    for record in records {
        match record {
            // Windows on one way may have no common instant, so there may be nobody in a group that is not listed.
            Record::Group(group) if empty.contains(&group.id.as_uuid()) => {
                let is_member = |at| model.users().any(|user| model.groups(user.id, at).contains(&group.id));
                assert!(!later.iter().any(|at| is_member(*at)), "{}", group.slug);
            }
            Record::Role(role) if unused.contains(&role.id.as_uuid()) => {
                let is_holder = |at| model.users().any(|user| model.roles(user.id, at).contains(&role.id));
                assert!(!later.iter().any(|at| is_holder(*at)), "{}", role.slug);
            }
            Record::Membership(membership) if membership.window.is_always() => {
                assert!(!empty.contains(&membership.group.as_uuid()));
            }
            Record::Assignment(assignment) if assignment.window.is_always() => {
                let is_held = matches!(assignment.holder, Holder::User(_));
                assert!(!is_held || !unused.contains(&assignment.role.id().as_uuid()));
            }
            _ => {}
        }
    }
}

/// Following all advice of the lint to revoke and to exclude at once takes nothing from anybody.
fn advice_takes_nothing(moment: &Moment<'_>, records: &[Record], catalog: &Catalog) {
    let codes = [Code::CoveredGrant, Code::RedundantInclusion];
    let findings: Vec<_> = moment.lint().filter(|finding| codes.contains(&finding.code)).collect();
    let is_advised = |record: &Record| match record {
        Record::Grant(grant) => findings.iter().any(|finding| {
            let granted = match &grant.granted {
                crate::records::Granted::Pattern(pattern) => Some(pattern.to_string()),
                crate::records::Granted::Permission(reference) => {
                    moment.permission(reference.id()).map(|permission| permission.slug().to_string())
                }
            };
            finding.code == Code::CoveredGrant && finding.place.id == grant.role.as_uuid() && finding.grant == granted
        }),
        Record::Inclusion(inclusion) => findings.iter().any(|finding| {
            finding.code == Code::RedundantInclusion
                && finding.place.id == inclusion.role.as_uuid()
                && finding.other.as_ref().is_some_and(|other| other.id == inclusion.included.id().as_uuid())
        }),
        _ => false,
    };
    let left: Vec<Record> = records.iter().filter(|record| !is_advised(record)).cloned().collect();
    let advised = records.len() - left.len();
    assert_eq!(advised, findings.len(), "each finding is one record: {findings:?}");
    let (before, after) = (Model::new(records, catalog), Model::new(&left, catalog));
    for user in before.users() {
        for at in INSTANTS.map(at) {
            assert_eq!(before.effective(user.id, at), after.effective(user.id, at), "{} {findings:?}", user.key);
        }
    }
}

/// The records behind a row give the permission, without any other relation. Without any one of them they do not.
fn records_behind_agree(moment: &Moment<'_>, records: &[Record], catalog: &Catalog) {
    for row in moment.access_report().rows() {
        let behind = moment.records_behind(&row).unwrap();
        let is_allowed_without = |missing: Option<&RecordKey>| {
            let is_left = |record: &&Record| {
                let key = record.key();
                !record.kind().is_relation() || behind.contains(&key) && missing != Some(&key)
            };
            let left: Vec<Record> = records.iter().filter(is_left).cloned().collect();
            let effective = Model::new(&left, catalog).effective(row.user_id, moment.instant());
            effective.into_iter().any(|slug| slug == row.permission.as_str())
        };
        assert!(is_allowed_without(None), "{behind:?} of {row:?}");
        assert!(behind.iter().all(|key| !is_allowed_without(Some(key))), "{behind:?} of {row:?}");
    }
}

fn agree(compiled: &Arc<CompiledTenant>, records: &[Record], catalog: &Catalog) {
    let model = Model::new(records, catalog);
    for from in [0, 3, 5] {
        let moment = Snapshot(Arc::clone(compiled)).at(at(INSTANTS[from]));
        report_agrees(&moment, &model);
        lint_agrees(&moment, records, &model);
        if from == 3 {
            records_behind_agree(&moment, records, catalog);
        }
        let [start, end] = [from, from + 1].map(|n| at(INSTANTS[n]));
        for span in [Window::ALWAYS, Window::from(start), Window::between(start, end).unwrap()] {
            changes_agree(&moment, records, span);
        }
        advice_takes_nothing(&moment, records, catalog);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases(8, 2_000)))]
    #[test]
    fn reviews_say_what_the_reference_model_says(before in prop::collection::vec(call(), 0..50)) {
        let mut history = populated(RowBound::USUAL);
        for call in before {
            history.follow(&[call]);
        }
        let records: Vec<Record> = history.records.values().cloned().collect();
        for catalog in [catalog(), next_catalog(), conflicting_catalog()] {
            let compiled = Arc::new(CompiledCatalog::new(catalog.clone()));
            let session = Arc::new(compiled.open());
            let tenant = Arc::new(build(&compiled, &session, &history.records, history.present.position));
            agree(&tenant, &records, &catalog);
        }
    }
}
