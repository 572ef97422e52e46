//! A tenant with its records, which transactions change. Each step compares its snapshots with the reference model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::answers::{Narrowed, lists_agree, narrowed_agrees, reasons_agree};
use super::calls::{Call, GROUPS, INSTANTS, PERMISSIONS, USERS, at, catalog, conflicting_catalog, make, next_catalog};
use super::plans::{
    access_changes_agree, changes_are_described, mismatches_are_refused, newly_failed, nothing_managed_changes,
    past_is_rebuilt,
};
use crate::model::records::{
    Change, CommitId, Name, Position, Record, RecordKey, Revision, TenantId, TenantRecord, TenantSlug,
};
use crate::model::reference::Model;
use crate::plan::{CommitContext, Draft, Plan, Tx};
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::session::Session;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::user_index::Width;
use crate::resolver::snapshot::verify::{reach, reach_walk, verify};
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::tests::excesses::newly_broken;
use crate::tests::review;
use crate::tests::what_if::{self, Answers};
use crate::{Decision, ErrorKind, Reason, Result, Window};

pub(crate) struct History {
    base: Arc<CompiledCatalog>,
    /// The same tenant, open in a process with another catalog, which follows the commits of this one.
    conflicting: Arc<CompiledTenant>,
    next_release: Arc<CompiledCatalog>,
    pub(crate) session: Arc<Session>,
    pub(crate) records: BTreeMap<RecordKey, Record>,
    pub(crate) present: Arc<CompiledTenant>,
    /// Another process, which follows the commits and sometimes loads the tenant anew.
    follower: Arc<CompiledTenant>,
    /// The last source of each column.
    columns: BTreeMap<u32, Source>,
}

/// From none to the usual ones: sources walk, are paid for by the budget until it is used up, or have all their rows.
pub(super) const BOUNDS: [RowBound; 5] = [
    RowBound { per_edge: 0, extra: 0 },
    RowBound { per_edge: 0, extra: 4 },
    RowBound { per_edge: 1, extra: 0 },
    RowBound { per_edge: 1, extra: 3 },
    RowBound::USUAL,
];

impl History {
    pub(super) fn new(bound: RowBound) -> Self {
        let base = Arc::new(CompiledCatalog::with_bound(catalog(), bound));
        let session = Arc::new(base.open());
        let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new("T").unwrap() };
        let records = BTreeMap::from([(RecordKey::Tenant, Record::Tenant(tenant))]);
        let position =
            Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
        let present = build(&base, &session, &records, position);
        let next_release = Arc::new(CompiledCatalog::with_bound(next_catalog(), bound));
        let conflicting = Arc::new(CompiledCatalog::with_bound(conflicting_catalog(), bound));
        let conflicting = Arc::new(build(&conflicting, &Arc::new(conflicting.open()), &records, position));
        let (present, columns) = (Arc::new(present), BTreeMap::new());
        Self { base, next_release, session, records, follower: Arc::clone(&present), present, conflicting, columns }
    }

    fn draft(&self) -> Draft {
        let context = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
        Draft::new(Arc::clone(&self.present), context)
    }

    /// Numbers that are given out and not used. The permissions after them are some words further on. Of the rows that
    /// span the gap, some are within a bound of one word per edge and some are not.
    pub(super) fn leave_a_gap(&self) {
        let create = |tx: &Tx| (0..150).try_for_each(|n| tx.create_permission(&format!("gap:{n}"))?.done());
        let _ = Tx::run(self.draft(), create).unwrap();
    }

    /// Creates and deletes groups, so that their columns are free. The next groups and roles reuse them, the last one first.
    pub(super) fn leave_free_columns(&mut self, count: usize) {
        let create = |tx: &Tx| (0..count).try_for_each(|n| tx.create_group(&format!("gap:{n}"))?.done());
        let delete = |tx: &Tx| (0..count).try_for_each(|n| tx.delete_group(format!("gap:{n}")));
        for step in [&create as &dyn Fn(&Tx) -> Result<()>, &delete] {
            let ((), plan) = Tx::run(self.draft(), step).unwrap();
            let commit = (plan.next.position.revision, &plan.envelope, plan.changes.as_slice());
            self.conflicting = Arc::new(self.conflicting.advance([commit]).unwrap());
            self.records_after(&plan);
            self.present = plan.next;
            self.note_columns();
        }
    }

    /// Notes which source has which column.
    fn note_columns(&mut self) {
        let state = &self.present.state;
        let sources = state.groups.all().map(Source::Group).chain(state.roles.all().map(Source::Role));
        for source in sources {
            let column = state.columns.column(source).unwrap();
            if self.columns.insert(column, source).is_some_and(|earlier| earlier != source) {
                reach("a column that was used again");
            }
        }
    }

    pub(super) fn plan(&self, calls: &[Call]) -> Plan {
        let run = |tx: &Tx| -> Result<()> {
            for call in calls {
                drop(make(tx, call));
            }
            Ok(())
        };
        match Tx::run(self.draft(), run) {
            Ok(((), plan)) => {
                assert_eq!(newly_broken(&plan.base(), &plan.preview()), None);
                assert_eq!(newly_failed(&plan.base(), &plan.preview(), &self.records, &plan), None);
                plan
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::SeparationOfDuties => self.is_refused_rightly(calls, &error),
                    ErrorKind::AssertionFailed => self.has_failed_rightly(calls, &error),
                    _ => panic!("{error}"),
                }
                Tx::run(self.draft(), |_| Ok::<_, crate::Error>(())).unwrap().1
            }
        }
    }

    /// A plan was refused because of a separation (R14). The same calls give the user in the error the roles in it at that
    /// instant.
    fn is_refused_rightly(&self, calls: &[Call], error: &crate::Error) {
        let violation = error.separation().unwrap();
        let preview = Tx::run(self.draft(), |tx| -> Result<()> {
            for call in calls {
                drop(make(tx, call));
            }
            let (preview, instant) = (tx.preview(), violation.at.parse().unwrap());
            let moment = preview.at(instant);
            let held = moment.all_roles_of(violation.user.as_str());
            let separation = moment.separation(&violation.separation).unwrap();
            let names = separation.roles.iter().filter(|role| held.iter().any(|held| held.record.id() == role.id()));
            let names: BTreeSet<&str> = names.map(|role| role.slug().as_str()).collect();
            let listed: BTreeSet<&str> = violation.roles.iter().map(|held| held.role.as_str()).collect();
            assert_eq!(names, listed);
            assert!(violation.roles.len() > violation.at_most as usize);
            assert_eq!(violation.at_most, separation.at_most);
            assert!(!moment.separation_violations().is_empty());
            Ok(())
        });
        assert_eq!(preview.unwrap_err().kind(), ErrorKind::SeparationOfDuties);
    }

    /// A plan was refused because of an assertion (R17). The same calls let it fail for the user in the error.
    fn has_failed_rightly(&self, calls: &[Call], error: &crate::Error) {
        let violation = error.assertion().unwrap();
        let preview = Tx::run(self.draft(), |tx| -> Result<()> {
            for call in calls {
                drop(make(tx, call));
            }
            let (preview, instant) = (tx.preview(), violation.at.parse().unwrap());
            let moment = preview.at(instant);
            let all = moment.assertion_violations();
            let found =
                all.iter().find(|v| (&v.assertion, &v.user) == (&violation.assertion, &violation.user)).unwrap();
            assert_eq!(found.at, violation.at, "it fails at that instant");
            assert!(violation.binding && moment.assertion(&violation.assertion).unwrap().binding);
            Ok(())
        });
        assert_eq!(preview.unwrap_err().kind(), ErrorKind::AssertionFailed);
    }

    /// Commits a plan without comparing anything but its records.
    pub(crate) fn follow(&mut self, calls: &[Call]) {
        let plan = self.plan(calls);
        self.records_after(&plan);
        self.present = plan.next;
    }

    /// Returns the records after these changes, or `None` if a change does not fit or the result is not a valid tenant.
    pub(super) fn records_if_changed(&self, changes: &[Change]) -> Option<BTreeMap<RecordKey, Record>> {
        let mut records = self.records.clone();
        for change in changes {
            let present = match change.after() {
                Some(after) => records.insert(change.key(), after.clone()),
                None => records.remove(&change.key()),
            };
            (present.as_ref() == change.before()).then_some(())?;
        }
        let mut build = Build::new(Arc::clone(&self.base), Arc::new(self.base.open()));
        records.values().all(|record| build.push(record)).then_some(())?;
        build.finish(self.present.position).ok()?;
        Some(records)
    }

    pub(super) fn step(&mut self, calls: &[Call]) {
        let plan = self.plan(calls);
        if !calls.iter().any(|call| call.what == 31) {
            nothing_managed_changes(&plan);
        }
        let records_before: Vec<Record> = self.records.values().cloned().collect();
        self.records_after(&plan);
        let Plan { envelope, changes, next, .. } = &plan;
        if self.follower.position != self.present.position {
            // Steps that compare nothing leave it behind.
            self.follower = Arc::clone(&self.present);
        }
        let advanced = if changes.is_empty() {
            (*self.follower).clone()
        } else {
            match self.follower.state.user_index.width() {
                Width::HalfLine => {}
                Width::Line => reach("changes of a tenant with index entries of a line"),
                Width::TwoLines => reach("changes of a tenant with index entries of two lines"),
            }
            let step = (self.present.position.revision.next(), envelope, changes.as_slice());
            self.follower.advance([step]).expect("a plan's changes fit on its base")
        };
        let rebuilt = build(&self.base, &self.session, &self.records, next.position);
        let seeded = {
            let build = Build::new(Arc::clone(&self.base), Arc::clone(&self.session));
            let build = push_all(build.keeping_numbers_of(&next.state), &self.records);
            build.finish(next.position).unwrap()
        };
        let [advanced, rebuilt, seeded] = [advanced, rebuilt, seeded].map(Arc::new);
        let all = [next, &advanced, &rebuilt, &seeded];
        for compiled in all {
            assert_eq!(compiled.position, next.position);
            verify(&compiled.state);
        }
        self.agree_with_the_reference_model(&all);
        let (release, session) = (&self.next_release, Arc::new(self.next_release.open()));
        let released = build(release, &session, &self.records, next.position);
        verify(&released.state);
        let released = Arc::new(released);
        self.agree_with_the_reference_model(&[&released]);
        self.reasons_agree_with_the_reference_model(&released);
        self.reasons_agree_with_the_reference_model(next);
        self.violations_agree(&released);
        self.violations_agree(next);
        self.assertions_agree(&released);
        self.assertions_agree(next);
        let there = Snapshot(Arc::clone(next));
        assert!(there.at(at(0)).separation_violations().is_empty(), "no plan causes an excess (R14)");
        let failures = there.at(at(0)).assertion_violations();
        assert!(failures.iter().all(|failure| !failure.binding), "no binding assertion fails (R17)");
        self.follow_in_conflict(&plan);
        self.comparisons_agree(&records_before, &[next, &released, &self.conflicting]);
        lists_agree(next);
        access_changes_agree(&plan);
        changes_are_described(&plan);
        mismatches_are_refused(&plan, &self.records);
        assert!(
            next.state.records().map(|record| record.key()).collect::<BTreeSet<_>>().iter().eq(self.records.keys())
        );
        past_is_rebuilt(&plan, &self.present);
        self.present = Arc::clone(next);
        self.note_columns();
        // Now and then, another process opens the tenant, and its users are loaded all at once.
        self.follower = if next.position.revision.number() % 3 == 0 { seeded } else { advanced };
    }

    /// The state before a step compared with the one after it, and with that of other catalogs; and the access report.
    fn comparisons_agree(&self, before: &[Record], after: &[&Arc<CompiledTenant>]) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let (present, had) = (Snapshot(Arc::clone(&self.present)), Model::new(before, &self.base.definition));
        let had = Answers::of(&had);
        for next in after {
            let (next, model) = (Snapshot(Arc::clone(next)), Model::new(&records, &next.catalog.definition));
            what_if::agrees((&present, &had), (&next, &Answers::of(&model)));
            review::rows_agree(&next.at(at(15)), &model);
        }
    }

    /// The process with the other catalog follows a commit. Slugs of its catalog that the tenant gains or loses begin and
    /// end conflicts (R9).
    fn follow_in_conflict(&mut self, plan: &Plan) {
        if !plan.changes.is_empty() {
            let step = (plan.next.position.revision, &plan.envelope, plan.changes.as_slice());
            self.conflicting =
                Arc::new(self.conflicting.advance([step]).expect("no slug keeps a commit from being followed"));
        }
        let present = &self.conflicting;
        let rebuilt = Arc::new(build(&present.catalog, &present.session, &self.records, present.position));
        let records: Vec<Record> = self.records.values().cloned().collect();
        let slugs = Model::new(&records, &present.catalog.definition).permission_conflicts();
        self.agree_with_the_reference_model(&[present, &rebuilt]);
        for compiled in [present, &rebuilt] {
            verify(&compiled.state);
            let conflicts = Snapshot(Arc::clone(compiled)).conflicts();
            let permissions = conflicts.iter().filter(|conflict| conflict.entity == crate::EntityKind::Permission);
            assert!(permissions.clone().map(|conflict| conflict.slug.clone()).collect::<BTreeSet<_>>() == slugs);
            let snapshot = Snapshot(Arc::clone(compiled));
            for (conflict, user) in permissions.flat_map(|conflict| USERS.map(|user| (conflict, user))) {
                let moment = snapshot.at(at(15));
                for id in [conflict.own, conflict.catalog] {
                    assert!(!moment.check(user, id) && moment.who_can(id).is_empty());
                    let denied = Decision::Denied(Reason::CatalogConflict);
                    assert!(moment.user(user).is_none() || moment.decide(user, id) == denied);
                }
            }
        }
        lists_agree(&self.conflicting);
    }

    pub(crate) fn records_after(&mut self, plan: &Plan) {
        for change in &plan.changes {
            assert_ne!(change.before(), change.after(), "a change that was undone is left out");
            let old = match change.after() {
                Some(after) => self.records.insert(change.key(), after.clone()),
                None => self.records.remove(&change.key()),
            };
            assert_eq!(old.as_ref(), change.before(), "a change contains the record before it");
        }
    }

    /// The excesses that a snapshot lists are those of the reference model (R14).
    fn violations_agree(&self, compiled: &Arc<CompiledTenant>) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let reference = Model::new(&records, &compiled.catalog.definition);
        let snapshot = Snapshot(Arc::clone(compiled));
        for from in INSTANTS.map(at) {
            let listed = snapshot.at(from).separation_violations();
            let listed: BTreeSet<_> =
                listed.iter().map(|v| (v.separation.clone(), v.user.clone(), v.at.parse().unwrap())).collect();
            let mut expected = BTreeSet::new();
            for (separation, user) in reference.separations().flat_map(|s| reference.users().map(move |u| (s, u))) {
                // Windows begin and end at multiples of ten.
                let instants = [from].into_iter().chain([10, 20, 30].map(at).into_iter().filter(|later| *later > from));
                let held = |at| reference.held_of(separation, user.id, at).len();
                let first = instants.into_iter().find(|at| held(*at) > separation.at_most.get() as usize);
                expected.extend(first.map(|at| (separation.slug.to_string(), user.key.to_string(), at)));
            }
            assert_eq!(listed, expected);
        }
    }

    /// The assertions that fail are those of the reference model (R17).
    fn assertions_agree(&self, compiled: &Arc<CompiledTenant>) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let reference = Model::new(&records, &compiled.catalog.definition);
        let snapshot = Snapshot(Arc::clone(compiled));
        for from in [at(0), at(15)] {
            let listed = snapshot.at(from).assertion_violations();
            let listed: BTreeSet<_> =
                listed.iter().map(|v| (v.assertion.clone(), v.user.clone(), v.at.parse().unwrap())).collect();
            let mut expected = BTreeSet::new();
            for (assertion, user) in reference.assertions().flat_map(|s| reference.users().map(move |u| (s, u))) {
                let instants = [from].into_iter().chain([10, 20, 30].map(at).into_iter().filter(|later| *later > from));
                let first = instants.into_iter().find(|at| reference.failure(assertion, user, *at) > 0);
                expected.extend(first.map(|at| (assertion.slug.to_string(), user.key.to_string(), at)));
            }
            assert_eq!(listed, expected);
        }
    }

    /// The answers of snapshots under one catalog. The model, which is slow, is asked once for all of them.
    pub(super) fn agree_with_the_reference_model(&self, snapshots: &[&Arc<CompiledTenant>]) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let reference = Model::new(&records, &snapshots[0].catalog.definition);
        for (user, instant) in reference.users().flat_map(|user| INSTANTS.map(|instant| (user, at(instant)))) {
            let (groups, roles) = (reference.groups(user.id, instant), reference.roles(user.id, instant));
            let effective = reference.effective(user.id, instant);
            let expected = PERMISSIONS.map(|permission| effective.iter().any(|slug| slug == permission));
            let mut narrowed = Narrowed::new();
            for compiled in snapshots {
                assert!(Arc::ptr_eq(&compiled.catalog, &snapshots[0].catalog));
                let moment = Snapshot(Arc::clone(compiled)).at(instant);
                let found: BTreeSet<_> = moment.all_groups_of(user.id).iter().map(|group| group.record.id).collect();
                assert_eq!(found, groups);
                let found: BTreeSet<_> = moment.all_roles_of(user.id).iter().map(|role| role.record.id()).collect();
                assert_eq!(found, roles);
                assert_eq!(moment.effective(user.id).slugs(), effective.iter().cloned().collect::<Vec<_>>());
                for (permission, expected) in PERMISSIONS.into_iter().zip(expected) {
                    assert_eq!(moment.check(user.id, permission), expected, "{user:?} {permission} at {instant}");
                    assert_eq!(moment.check(&user.key, permission), expected);
                    if expected {
                        reach_walk(&compiled.state, user.id.as_uuid(), permission);
                    }
                }
                narrowed_agrees(&moment, &reference, &mut narrowed, user.id, instant);
                let many = moment.check_many(PERMISSIONS.map(|permission| (user.id, permission)));
                assert!(many.eq(expected), "{user:?} at {instant}, all at once");
            }
        }
    }

    pub(super) fn reasons_agree_with_the_reference_model(&self, compiled: &Arc<CompiledTenant>) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let reference = Model::new(&records, &compiled.catalog.definition);
        let without_windows: Vec<Record> = records.iter().cloned().map(without_window).collect();
        let timeless = Model::new(&without_windows, &compiled.catalog.definition);
        let snapshot = Snapshot(Arc::clone(compiled));
        for (user, permission) in reference.users().flat_map(|user| PERMISSIONS.map(|permission| (user, permission))) {
            reasons_agree(&reference, &timeless, &snapshot, user, permission);
        }
    }
}

fn without_window(mut record: Record) -> Record {
    match &mut record {
        Record::Membership(edge) => edge.window = Window::ALWAYS,
        Record::Assignment(edge) => edge.window = Window::ALWAYS,
        Record::Parent(edge) => edge.window = Window::ALWAYS,
        Record::Grant(_)
        | Record::Inclusion(_)
        | Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Separation(_)
        | Record::Assertion(_) => {}
    }
    record
}

pub(crate) fn build(
    base: &Arc<CompiledCatalog>,
    session: &Arc<Session>,
    records: &BTreeMap<RecordKey, Record>,
    position: Position,
) -> CompiledTenant {
    push_all(Build::new(Arc::clone(base), Arc::clone(session)), records).finish(position).unwrap()
}

fn push_all(mut build: Build, records: &BTreeMap<RecordKey, Record>) -> Build {
    for record in records.values() {
        assert!(build.push(record));
    }
    build
}

/// A populated tenant, so that most calls have an effect.
pub(crate) fn populated(bound: RowBound) -> History {
    let mut history = History::new(bound);
    let populate = |what, n| (0..n).map(move |a| Call { what, a, b: a, window: 7 });
    let start = populate(0, USERS.len()).chain(populate(1, GROUPS.len())).chain(populate(2, 5));
    history.follow(&start.chain(populate(3, 4)).collect::<Vec<_>>());
    let edges = populate(4, 4).chain(populate(9, 3)).chain(populate(14, 3)).chain(populate(17, 2));
    history.follow(&populate(3, 5).chain(edges).collect::<Vec<_>>());
    history
}
