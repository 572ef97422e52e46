//! Random histories, checked against the reference model after every step.
//!
//! The advanced snapshot, one built from scratch and the reference model agree (A20). Lists, sets, explanations and
//! `who_can` agree with checks (A19).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::excesses::newly_broken;
use super::review;
use super::what_if::{self, Answers};
use crate::assertions::Assertion;
use crate::model::catalog::{Catalog, Definition, PermissionDef, PermissionEntry, RoleDef};
use crate::model::records::{
    AssertionRecord, Change, CommitId, Envelope, Granted, Holder, Name, PermissionRef, Position, Record, RecordKey,
    Revision, RoleId, Status, TenantId, TenantRecord, TenantSlug, UserId, UserKey, UserRecord,
};
use crate::model::reference::{Model, ModelPath, ModelStep};
use crate::plan::{CommitContext, Draft, Plan, RebaseConflict, Tx};
use crate::resolver::explain::{Path, PathStep};
use crate::resolver::moment::{PermissionSet, Via};
use crate::resolver::snapshot::advance::Unfit;
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::past::Undone;
use crate::resolver::snapshot::session::Session;
use crate::resolver::snapshot::state::RowBound;
use crate::resolver::snapshot::verify::{every_form_was_reached, verify};
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::{Decision, ErrorKind, PageRequest, Reason, Result, Timestamp, Window};

pub(super) const USERS: [&str; 5] = ["u0", "u1", "U1", "u2", "u3"];
const GROUPS: [&str; 6] = ["g0", "g1", "g2", "g3", "g4", "g5"];
const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "sys-viewer", "sys-all"];
pub(super) const PERMISSIONS: [&str; 8] = ["a:x", "a:y", "b:x", "b:y", "ab:x", "a:xx", "sys:read", "sys:write"];
pub(super) const GRANTS: [&str; 13] =
    ["a:x", "a:y", "b:x", "b:y", "ab:x", "a:xx", "sys:read", "sys:write", "a:*", "*", "*:x", "sys:*", "a*x"];
/// The keys that users are renamed to: mostly free, and sorted before and after the others.
const KEYS: [&str; 7] = ["U0", "a", "m", "u15", "z", "u1", "u2"];
const SLUGS: [&str; 6] = ["a:z", "b:*x", "g1", "r9", "zz", "sys:other"];
const MANAGERS: [&str; 2] = ["okta", "entra"];
const SEPARATIONS: [&str; 3] = ["s0", "s1", "s2"];
const ASSERTIONS: [&str; 3] = ["e0", "e1", "e2"];
pub(super) const INSTANTS: [i64; 7] = [5, 10, 15, 20, 25, 30, 35];

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) what: u8,
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) window: u8,
}

pub(super) fn call() -> impl Strategy<Value = Call> {
    (0..50_u8, 0..24_usize, 0..26_usize, 0..8_u8).prop_map(|(what, a, b, window)| Call { what, a, b, window })
}

fn calls() -> impl Strategy<Value = Vec<Vec<Call>>> {
    prop::collection::vec(prop::collection::vec(call(), 1..6), 1..14)
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn window(n: u8) -> Window {
    match n {
        0 => Window::from(at(10)),
        1 => Window::until(at(20)),
        2 => Window::between(at(10), at(30)).unwrap(),
        3 => Window::from(at(30)),
        4 => Window::until(at(10)),
        _ => Window::ALWAYS,
    }
}

fn pick<'a>(names: &[&'a str], n: usize) -> &'a str {
    names[n % names.len()]
}

/// Makes one call of a transaction. Most calls fail at first, and must leave everything as it was.
pub(super) fn make(tx: &Tx, call: &Call) -> Result<()> {
    let Call { what, a, b, window: w } = *call;
    let (user, group, role) = (pick(&USERS, a), pick(&GROUPS, a), pick(&ROLES, a));
    match what {
        0 => drop(tx.create_user(user)?),
        1 => drop(tx.create_group(group)?),
        2 => drop(tx.create_role(role)?),
        3 => drop(tx.create_permission(pick(&PERMISSIONS, a))?),
        4 | 5 => drop(tx.role(role)?.grant(pick(&GRANTS, b))?),
        6 => drop(tx.role(role)?.revoke(pick(&GRANTS, b))?),
        7 => drop(tx.role(role)?.include(pick(&ROLES, b))?),
        8 => drop(tx.role(role)?.exclude(pick(&ROLES, b))?),
        9 | 10 => drop(tx.group(group)?.assign_during(pick(&ROLES, b), window(w))?),
        11 => drop(tx.group(group)?.unassign(pick(&ROLES, b))?),
        12 => drop(tx.group(group)?.add_parent_during(pick(&GROUPS, b), window(w))?),
        13 => drop(tx.group(group)?.remove_parent(pick(&GROUPS, b))?),
        14 | 15 => drop(tx.user(user)?.join_during(pick(&GROUPS, b), window(w))?),
        16 => drop(tx.user(user)?.leave(pick(&GROUPS, b))?),
        17 => drop(tx.user(user)?.assign_during(pick(&ROLES, b), window(w))?),
        18 => drop(tx.user(user)?.unassign(pick(&ROLES, b))?),
        19 if w % 2 == 0 => drop(tx.user(user)?.suspend()?),
        19 => drop(tx.user(user)?.activate()?),
        20 => match b % 4 {
            0 => tx.delete_user(user)?,
            1 => tx.delete_group(group)?,
            2 => tx.delete_role(role)?,
            _ => tx.delete_permission(pick(&PERMISSIONS, a))?,
        },
        21 => match b % 4 {
            0 => drop(tx.user(user)?.set_key(pick(&KEYS, b / 4))?),
            1 => drop(tx.group(group)?.set_slug(pick(&SLUGS, b / 4))?),
            2 => drop(tx.role(role)?.set_slug(pick(&SLUGS, b / 4))?),
            _ => drop(tx.permission(pick(&PERMISSIONS, a))?.set_slug(pick(&PERMISSIONS, b / 4))?),
        },
        22 => drop(tx.user(user)?.set_membership_window(pick(&GROUPS, b), window(w))?),
        23 => drop(tx.group(group)?.set_assignment_window(pick(&ROLES, b), window(w))?),
        24 => drop(tx.group(group)?.set_parent_window(pick(&GROUPS, b), window(w))?),
        25 => drop(tx.group(group)?.ensure_parent(pick(&GROUPS, b), window(w))?),
        26 => drop(tx.group(group)?.set_parents([pick(&GROUPS, b), pick(&GROUPS, b / 3)])?),
        27 => drop(tx.role(role)?.set_grants([pick(&GRANTS, b), pick(&GRANTS, b + 5)])?),
        28 => drop(tx.group(group)?.set_roles([pick(&ROLES, b), pick(&ROLES, b / 3)])?),
        29 => drop(tx.group(group)?.set_members([pick(&USERS, b), pick(&USERS, b / 5)])?),
        30 => drop(tx.user(user)?.set_name((w % 2 == 0).then_some(pick(&KEYS, b)))?),
        31 => drop(tx.set_manager(pick(&MANAGERS, b))?),
        32 => drop(tx.user(user)?.set_managed_by((w % 3 > 0).then_some(pick(&MANAGERS, b)))?),
        33 => drop(tx.group(group)?.set_managed_by((w % 3 > 0).then_some(pick(&MANAGERS, b)))?),
        34 => drop(tx.user(user)?.ensure_membership(pick(&GROUPS, b), window(w))?),
        35 => drop(tx.group(group)?.ensure_assignment(pick(&ROLES, b), window(w))?),
        36 => drop(tx.user(user)?.extend_assignment(pick(&ROLES, b), at(30))?),
        37 => drop(tx.group(group)?.extend_parent(pick(&GROUPS, b), at(30))?),
        38 => drop(tx.user(user)?.set_groups([pick(&GROUPS, b), pick(&GROUPS, b / 3)])?),
        39 => drop(tx.user(user)?.set_roles([pick(&ROLES, b), pick(&ROLES, b / 3)])?),
        40 => drop(tx.merge_users(user, pick(&USERS, b))?),
        42 => drop(tx.create_separation(pick(&SEPARATIONS, a), 1 + u32::from(w % 3 == 0), separated(b))?),
        43 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_roles(separated(b))?),
        44 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_at_most(1 + u32::from(w))?),
        46 => drop(tx.create_assertion(pick(&ASSERTIONS, a), &asserted(b, w))?),
        47 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_binding(w % 3 > 0)?),
        48 if w % 2 == 0 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_expected(&asserted(b, w))?),
        48 => drop(tx.create_assertion(pick(&ASSERTIONS, a), &asserted(b, w))?.set_binding(true)?),
        49 if w == 0 => tx.delete_assertion(pick(&ASSERTIONS, a))?,
        49 => drop(tx.assertion(pick(&ASSERTIONS, a))?.set_slug(pick(&ASSERTIONS, b))?),
        45 if w == 0 => tx.delete_separation(pick(&SEPARATIONS, a))?,
        45 => drop(tx.separation(pick(&SEPARATIONS, a))?.set_slug(pick(&SEPARATIONS, b))?),
        _ if w % 2 == 0 => drop(tx.user(user)?.set_external_id((w > 0).then_some(pick(&KEYS, b)))?),
        _ => drop(tx.group(group)?.set_external_id((w > 1).then_some(pick(&KEYS, b)))?),
    }
    Ok(())
}

/// Two to four roles.
fn separated(n: usize) -> impl Iterator<Item = &'static str> {
    (0..2 + n % 3).map(move |more| pick(&ROLES, n + more * (1 + n / 9)))
}

/// An assertion of any kind, mostly about what few may do.
fn asserted(n: usize, kind: u8) -> Assertion {
    let (permission, users, groups) = (pick(&PERMISSIONS, n), [pick(&USERS, n)], [pick(&GROUPS, n / 2)]);
    match kind {
        0 => Assertion::allowed(permission).with_users(users),
        1 => Assertion::allowed(permission).with_groups(groups),
        2 => Assertion::denied(permission).with_users(users),
        3 => Assertion::denied(permission).with_groups(groups),
        4 => Assertion::only(permission).with_users(users).with_groups(groups),
        5 => Assertion::only(permission).with_groups(groups),
        _ => Assertion::separate(separated(n)),
    }
}

pub(super) fn catalog() -> Catalog {
    let permissions = &[PermissionDef::new("sys:read"), PermissionDef::new("sys:write")];
    let roles = &[
        RoleDef { grants: &["sys:read", "a:*"], ..RoleDef::new("sys-viewer") },
        RoleDef { grants: &["sys:*"], includes: &["sys-viewer"], ..RoleDef::new("sys-all") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

/// The catalog of the next release: one entry renamed, one role removed, another added.
pub(super) fn next_catalog() -> Catalog {
    let permissions = &[
        PermissionDef { renamed_from: &["sys:write"], ..PermissionDef::new("sys:change") },
        PermissionDef::new("sys:new"),
    ];
    let roles = &[RoleDef { grants: &["sys:new", "b:*"], ..RoleDef::new("sys-all") }];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

/// A catalog with slugs that the tenant uses: what an old process creates while the new one is open, and the reverse.
pub(super) fn conflicting_catalog() -> Catalog {
    let permissions = &["a:x", "b:y", "ab:x", "sys:read"].map(PermissionDef::new);
    let roles = &[
        RoleDef { grants: &["a:x", "a:*"], ..RoleDef::new("r0") },
        RoleDef { grants: &["*:x", "sys:read"], includes: &["r0"], ..RoleDef::new("r3") },
    ];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

pub(super) struct History {
    base: Arc<CompiledCatalog>,
    /// The same tenant, open in a process with another catalog, which follows the commits of this one.
    conflicting: Arc<CompiledTenant>,
    next_release: Arc<CompiledCatalog>,
    pub(super) session: Arc<Session>,
    pub(super) records: BTreeMap<RecordKey, Record>,
    pub(super) present: Arc<CompiledTenant>,
}

/// From none to the usual ones: sources walk, are paid for by the budget until it is used up, or have all their rows.
const BOUNDS: [RowBound; 5] = [
    RowBound { per_edge: 0, extra: 0 },
    RowBound { per_edge: 0, extra: 4 },
    RowBound { per_edge: 1, extra: 0 },
    RowBound { per_edge: 1, extra: 3 },
    RowBound::USUAL,
];

impl History {
    fn new(bound: RowBound) -> Self {
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
        Self { base, next_release, session, records, present: Arc::new(present), conflicting }
    }

    fn draft(&self) -> Draft {
        let origins = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
        Draft::new(Arc::clone(&self.present), origins)
    }

    /// Numbers that are given out and not used. The permissions after them are some words further on. Of the rows that
    /// span the gap, some are within a bound of one word per edge and some are not.
    fn leave_a_gap(&self) {
        let create = |tx: &Tx| (0..150).try_for_each(|n| tx.create_permission(&format!("gap:{n}"))?.done());
        Tx::run(self.draft(), create).unwrap();
    }

    fn plan(&self, calls: &[Call]) -> Plan {
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
    pub(super) fn follow(&mut self, calls: &[Call]) {
        let plan = self.plan(calls);
        self.records_after(&plan);
        self.present = plan.next;
    }

    /// Returns the records after these changes, or `None` if a change does not fit or the result is not a valid tenant.
    fn records_if_changed(&self, changes: &[Change]) -> Option<BTreeMap<RecordKey, Record>> {
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

    fn step(&mut self, calls: &[Call]) {
        let plan = self.plan(calls);
        if !calls.iter().any(|call| call.what == 31) {
            nothing_managed_changes(&plan);
        }
        let records_before: Vec<Record> = self.records.values().cloned().collect();
        self.records_after(&plan);
        let Plan { envelope, changes, next, .. } = &plan;
        let advanced = if changes.is_empty() {
            (*self.present).clone()
        } else {
            let step = (self.present.position.revision.next(), envelope, changes.as_slice());
            self.present.advance([step]).expect("a plan's changes fit on its base")
        };
        let rebuilt = build(&self.base, &self.session, &self.records, next.position);
        let seeded = {
            let build = Build::new(Arc::clone(&self.base), Arc::clone(&self.session));
            let build = push_all(build.keeping_numbers_of(&next.state), &self.records);
            build.finish(next.position).unwrap()
        };
        let all = [next, &Arc::new(advanced), &Arc::new(rebuilt), &Arc::new(seeded)];
        for compiled in all {
            assert_eq!(compiled.position, next.position);
            verify(&compiled.state);
            self.agrees_with_the_reference_model(compiled);
        }
        let (release, session) = (&self.next_release, Arc::new(self.next_release.open()));
        let released = build(release, &session, &self.records, next.position);
        verify(&released.state);
        let released = Arc::new(released);
        self.agrees_with_the_reference_model(&released);
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
        misfits_are_refused(&plan, &self.records);
        assert!(
            next.state.records().map(|record| record.key()).collect::<BTreeSet<_>>().iter().eq(self.records.keys())
        );
        past_is_rebuilt(&plan, &self.present);
        self.present = Arc::clone(next);
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
        for compiled in [present, &rebuilt] {
            verify(&compiled.state);
            self.agrees_with_the_reference_model(compiled);
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

    pub(super) fn records_after(&mut self, plan: &Plan) {
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

    fn agrees_with_the_reference_model(&self, compiled: &Arc<CompiledTenant>) {
        let records: Vec<Record> = self.records.values().cloned().collect();
        let reference = Model::new(&records, &compiled.catalog.definition);
        let snapshot = Snapshot(Arc::clone(compiled));
        for user in reference.users() {
            for instant in INSTANTS.map(at) {
                let moment = snapshot.at(instant);
                let groups: BTreeSet<_> = moment.all_groups_of(user.id).iter().map(|group| group.record.id).collect();
                assert_eq!(groups, reference.groups(user.id, instant));
                let roles: BTreeSet<_> = moment.all_roles_of(user.id).iter().map(|role| role.record.id()).collect();
                assert_eq!(roles, reference.roles(user.id, instant));
                let effective = reference.effective(user.id, instant);
                assert_eq!(moment.effective(user.id).slugs(), effective.iter().cloned().collect::<Vec<_>>());
                for permission in PERMISSIONS {
                    let expected = effective.iter().any(|slug| slug == permission);
                    assert_eq!(moment.check(user.id, permission), expected, "{user:?} {permission} at {instant}");
                    assert_eq!(moment.check(&user.key, permission), expected);
                }
                narrowed_agrees(&moment, &reference, user.id, instant);
                let expected = PERMISSIONS.map(|permission| effective.iter().any(|slug| slug == permission));
                let many = moment.check_many(PERMISSIONS.map(|permission| (user.id, permission)));
                assert!(many.eq(expected), "{user:?} at {instant}, all at once");
            }
        }
    }

    fn reasons_agree_with_the_reference_model(&self, compiled: &Arc<CompiledTenant>) {
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
        _ => {}
    }
    record
}

/// An explanation of a narrowed question has the decision, paths through the roles, and the roles that would give more.
fn narrowed_explanation_agrees(
    moment: &crate::Moment<'_>,
    user: UserId,
    roles: &[crate::records::RoleId],
    permission: &str,
) {
    let narrowed = moment.narrowed(user, roles.iter().copied());
    let explanation = narrowed.explain(permission);
    assert_eq!(explanation.decision(), narrowed.decide(permission));
    match explanation.decision() {
        Decision::Allowed => {
            let counting: Vec<_> = narrowed.roles().into_iter().map(|role| role.record.slug).collect();
            assert!(!explanation.paths().is_empty());
            let is_through = |path: &crate::explain::Path| path.names().any(|name| counting.contains(name));
            assert!(explanation.paths().iter().all(is_through), "{explanation} {counting:?}");
        }
        Decision::Denied(Reason::Narrowed) => {
            assert!(!explanation.roles().is_empty() && explanation.paths().is_empty());
            let gives = |role: &crate::explain::GrantingRole| moment.narrowed(user, [role.id]).check(permission);
            assert!(explanation.roles().iter().all(gives), "{explanation}");
        }
        Decision::Denied(_) => assert_eq!(explanation, moment.explain(user, permission)),
    }
}

/// A session is refused exactly if it activates more roles of a set than allowed. What is included counts (R15).
fn separated_rightly(
    moment: &crate::Moment<'_>,
    active: &BTreeSet<RoleId>,
    (user, roles): (UserId, &[RoleId]),
    all: &[RoleId],
) {
    let set: Vec<RoleId> = all.iter().copied().skip(roles.len() % 2).step_by(2).collect();
    let expected: BTreeSet<RoleId> = set.iter().copied().filter(|role| active.contains(role)).collect();
    for at_most in 1..set.len() {
        let session = moment.narrowed(user, roles.iter().copied());
        match session.separated("s", u32::try_from(at_most).unwrap(), set.iter().copied()) {
            Ok(_) => assert!(expected.len() <= at_most),
            Err(error) => {
                let violation = error.separation().unwrap();
                assert!(expected.len() > at_most && violation.roles.len() == expected.len(), "{error}");
            }
        }
    }
}

/// A user with some pairs of roles, with none, and with all of them (R15).
fn narrowed_agrees(moment: &crate::Moment<'_>, reference: &Model<'_>, user: UserId, instant: Timestamp) {
    let all: Vec<_> = moment.roles(&PageRequest::of(1_000)).items.iter().map(|role| role.record.id).collect();
    // Other pairs at other instants, because all of them at each would take most of the time of a history.
    let first = usize::try_from(instant.as_micros() / 5_000_000 % 4).unwrap();
    let pairs = all.iter().enumerate().skip(first).step_by(4).map(|(n, role)| vec![*role, all[n * 7 % all.len()]]);
    let decisions = PERMISSIONS.map(|permission| moment.decide(user, permission));
    for (turn, roles) in pairs.chain([Vec::new(), all.clone()]).enumerate() {
        let narrowed = moment.narrowed(user, roles.iter().copied());
        let expected = reference.narrowed(user, &roles, instant);
        assert_eq!(narrowed.effective().slugs(), expected.iter().cloned().collect::<Vec<_>>());
        assert!(narrowed.effective().is_subset(&moment.effective(user)), "never more");
        separated_rightly(moment, &reference.active(user, &roles, instant), (user, &roles), &all);
        for (permission, decision) in PERMISSIONS.into_iter().zip(decisions) {
            let is_allowed = expected.iter().any(|slug| slug == permission);
            assert_eq!(narrowed.check(permission), is_allowed);
            assert_eq!(
                narrowed.decide(permission),
                match decision {
                    Decision::Allowed if !is_allowed => Decision::Denied(Reason::Narrowed),
                    decision => decision,
                }
            );
        }
        // Another permission for each choice of roles, because an explanation costs more than all of the above.
        let permission = PERMISSIONS[(first + turn) % PERMISSIONS.len()];
        narrowed_explanation_agrees(moment, user, &roles, permission);
    }
    let everything = moment.narrowed(user, all.iter().copied()).effective();
    assert_eq!(everything, moment.effective(user), "with all its roles");
}

/// Reasons, paths and instants follow from the paths that the reference model finds.
fn reasons_agree(
    reference: &Model<'_>,
    timeless: &Model<'_>,
    snapshot: &Snapshot,
    user: &UserRecord,
    permission: &str,
) {
    let all = reference.paths(user.id, permission);
    let known = reference.permissions().any(|(_, slug)| slug == permission);
    let entries = snapshot.0.catalog.definition.permissions().iter();
    let renamed = !known && entries.flat_map(PermissionEntry::renamed_from).any(|slug| slug == permission);
    let active = user.status == Status::Active;
    // The length of a shortest path in whatever windows.
    let shortest = timeless.paths(user.id, permission).iter().map(|path| path.steps.len()).min();
    for instant in INSTANTS.map(at) {
        let moment = snapshot.at(instant);
        let contains = |instant| all.iter().any(|path| path.window.contains(instant));
        let begins = all.iter().filter_map(|path| path.window.start()).filter(|start| *start > instant).min();
        let ended = all.iter().filter_map(|path| path.window.end()).filter(|end| *end <= instant).max();
        let expected = match (begins, ended) {
            _ if renamed => Decision::Denied(Reason::PermissionRenamed),
            _ if !known => Decision::Denied(Reason::UnknownPermission),
            _ if !active => Decision::Denied(Reason::Suspended),
            _ if contains(instant) => Decision::Allowed,
            (Some(from), _) => Decision::Denied(Reason::NotYetActive { from }),
            (None, Some(until)) => Decision::Denied(Reason::Expired { until }),
            (None, None) if shortest.is_some() => Decision::Denied(Reason::NeverActive),
            (None, None) => Decision::Denied(Reason::NoPath),
        };
        let explanation = moment.explain(user.id, permission);
        assert_eq!(explanation.decision(), expected, "{user:?} {permission} at {instant}");
        let never_active = shortest.filter(|_| expected == Decision::Denied(Reason::NeverActive));
        assert_eq!(explanation.never_active().len(), never_active.unwrap_or(0));
        let expected: BTreeSet<ModelPath> = match expected {
            Decision::Allowed => all.iter().filter(|path| path.window.contains(instant)).cloned().collect(),
            Decision::Denied(Reason::Expired { .. } | Reason::NotYetActive { .. }) => all.iter().cloned().collect(),
            Decision::Denied(_) => BTreeSet::new(),
        };
        let found: BTreeSet<ModelPath> = explanation.paths().iter().map(|path| as_model_path(&moment, path)).collect();
        if explanation.has_more_paths() {
            assert!(found.is_subset(&expected) && found.len() == 64);
        } else {
            assert_eq!(found, expected, "{user:?} {permission} at {instant}");
        }
        let edges = all.iter().flat_map(|path| [path.window.start(), path.window.end()]).flatten();
        let change = edges.filter(|edge| *edge > instant && contains(*edge) != contains(instant)).min();
        assert_eq!(moment.valid_until(user.id, permission), change.filter(|_| active && known));
        let windows = moment.access_windows(user.id, permission).unwrap();
        assert_eq!(windows.contains(instant), active && known && contains(instant));
    }
}

fn as_model_path(moment: &crate::Moment<'_>, path: &Path) -> ModelPath {
    let group = |slug| moment.group(slug).unwrap().id;
    let role = |slug: &crate::model::records::Slug, origin, in_conflict| {
        let roles = if in_conflict { moment.roles(&PageRequest::of(1_000)).items } else { Vec::new() };
        let own = roles.into_iter().find(|role| role.slug() == slug && role.origin == origin);
        own.or_else(|| moment.role(slug)).unwrap().record.id
    };
    let steps = path.steps().iter().map(|step| match step {
        PathStep::Member { group: slug, .. } => ModelStep::Member(group(slug)),
        PathStep::Parent { group: slug, .. } => ModelStep::Parent(group(slug)),
        PathStep::Role { role: slug, origin, in_conflict, .. } => ModelStep::Role(role(slug, *origin, *in_conflict)),
        PathStep::Included { role: slug, origin, in_conflict } => {
            ModelStep::Included(role(slug, *origin, *in_conflict))
        }
    });
    ModelPath { steps: steps.collect(), window: path.window(), grant: path.grant().to_owned() }
}

/// A commit undone on its own state gives the state before it.
fn past_is_rebuilt(plan: &Plan, before: &CompiledTenant) {
    let mut undone = Undone::default();
    undone.undo(&plan.changes);
    let past = plan.next.rewound(&undone, before.position).expect("an earlier state breaks no invariant");
    verify(&past.state);
    let records = |compiled: &CompiledTenant| -> BTreeMap<_, _> {
        compiled.state.records().map(|record| (record.key(), record)).collect()
    };
    assert_eq!(records(&past), records(before));
}

/// Rejects every change that does not fit the state: adding a record that exists, removing or changing one that is
/// absent or different (I4), and leaving an edge dangling (I1).
fn misfits_are_refused(plan: &Plan, records: &BTreeMap<RecordKey, Record>) {
    let Position { revision, commit, .. } = plan.next.position;
    let follows = Envelope { previous: Some(commit), ..plan.envelope.clone() };
    let another = Envelope { previous: Some(CommitId::random()), ..plan.envelope.clone() };
    let outcome = |revision, envelope, change: &[Change]| plan.next.advance([(revision, envelope, change)]).map(drop);
    assert_eq!(outcome(revision, &follows, &[]), Err(Unfit::OutOfOrder));
    assert_eq!(outcome(revision.next(), &another, &[]), Err(Unfit::OutOfOrder));
    let assert_rejected = |change| assert_eq!(outcome(revision.next(), &follows, &[change]), Err(Unfit::Broken));
    for record in records.values() {
        assert_rejected(Change::added(record.clone()));
        if let Some(other) = with_other_content(record) {
            assert_rejected(Change::removed(other.clone()));
            assert_rejected(Change::new(Some(other), Some(record.clone())).unwrap());
        }
    }
    for entity in records.values().flat_map(named_by).filter_map(|key| records.get(&key)) {
        assert_rejected(Change::removed(entity.clone()));
    }
    for removed in plan.changes.iter().filter(|change| change.after().is_none()).filter_map(Change::before) {
        assert_rejected(Change::removed(removed.clone()));
        assert_rejected(Change::new(Some(removed.clone()), Some(removed.clone())).unwrap());
    }
}

/// Each change has one line, and every entity in it a name: both ends existed before or exist after.
fn changes_are_described(plan: &Plan) {
    assert_eq!(plan.described().count(), plan.changes.len());
    for (described, change) in plan.described().zip(&plan.changes) {
        let line = described.to_string();
        assert!(!line.contains("with the id") && !line.contains('\n') && !line.contains("``"), "{line}");
        let lists = ["permission", "users", "groups", "roles"];
        let fields = described.fields.iter().filter(|field| !lists.contains(&field.field)).cloned();
        assert_eq!((described.kind, fields.collect()), (change.kind(), change.fields()));
    }
}

/// R16, for a transaction that acts for no directory.
fn nothing_managed_changes(plan: &Plan) {
    let base = plan.base();
    let moment = base.at(at(0));
    for record in plan.changes.iter().flat_map(|change| [change.before(), change.after()]).flatten() {
        let managed = match record {
            Record::User(user) => user.managed_by().is_some(),
            Record::Group(group) => group.managed_by().is_some(),
            Record::Membership(edge) => moment.group(edge.group).is_some_and(|group| group.managed_by().is_some()),
            Record::Parent(edge) => moment.group(edge.group).is_some_and(|group| group.managed_by().is_some()),
            _ => false,
        };
        assert!(!managed, "{record:?}");
    }
}

/// A binding assertion that fails for a user at an instant after a plan and did not fail as much before, by the reference
/// model (R17).
fn newly_failed(
    base: &Snapshot,
    next: &Snapshot,
    records: &BTreeMap<RecordKey, Record>,
    plan: &Plan,
) -> Option<(String, String, Timestamp)> {
    let (before, mut after): (Vec<Record>, _) = (records.values().cloned().collect(), records.clone());
    for change in plan.changes() {
        match change.after() {
            Some(record) => after.insert(change.key(), record.clone()),
            None => after.remove(&change.key()),
        };
    }
    let after: Vec<Record> = after.into_values().collect();
    let before = Model::new(&before, &base.0.catalog.definition);
    let after = Model::new(&after, &next.0.catalog.definition);
    for assertion in after.assertions().filter(|assertion| assertion.binding) {
        let is_same = |other: &&AssertionRecord| {
            let about = |assertion: &AssertionRecord| assertion.expected.permission().map(PermissionRef::id);
            let same_kind = std::mem::discriminant(&other.expected) == std::mem::discriminant(&assertion.expected);
            other.id == assertion.id && other.binding && same_kind && about(other) == about(assertion)
        };
        let earlier = before.assertions().find(is_same);
        for (user, instant) in after.users().flat_map(|user| INSTANTS.map(|instant| (user, at(instant)))) {
            let was = earlier.zip(before.users().find(|earlier| earlier.id == user.id));
            let was = was.map_or(0, |(earlier, user)| before.failure(earlier, user, instant));
            if after.failure(assertion, user, instant) > was {
                return Some((assertion.slug.to_string(), user.key.to_string(), instant));
            }
        }
    }
    None
}

/// The entities that an edge refers to.
fn named_by(edge: &Record) -> Vec<RecordKey> {
    match edge {
        Record::Grant(edge) => match &edge.granted {
            Granted::Permission(permission) => vec![RecordKey::Role(edge.role), RecordKey::Permission(permission.id())],
            Granted::Pattern(_) => vec![RecordKey::Role(edge.role)],
        },
        Record::Inclusion(edge) => vec![RecordKey::Role(edge.role), RecordKey::Role(edge.included.id())],
        Record::Parent(edge) => vec![RecordKey::Group(edge.group), RecordKey::Group(edge.parent)],
        Record::Assignment(edge) => match edge.holder {
            Holder::User(user) => vec![RecordKey::Role(edge.role.id()), RecordKey::User(user)],
            Holder::Group(group) => vec![RecordKey::Role(edge.role.id()), RecordKey::Group(group)],
        },
        Record::Membership(edge) => vec![RecordKey::User(edge.user), RecordKey::Group(edge.group)],
        Record::Separation(separation) => separation.roles.iter().map(|role| RecordKey::Role(role.id())).collect(),
        Record::Assertion(AssertionRecord { expected, .. }) => {
            let permission = expected.permission().map(|permission| RecordKey::Permission(permission.id()));
            let users = expected.users().iter().map(|id| RecordKey::User(*id));
            let groups = expected.groups().iter().map(|id| RecordKey::Group(*id));
            let roles = expected.roles().iter().map(|role| RecordKey::Role(role.id()));
            permission.into_iter().chain(users).chain(groups).chain(roles).collect()
        }
        _ => Vec::new(),
    }
}

/// The same record with different content, if it has any beside its key.
fn with_other_content(record: &Record) -> Option<Record> {
    let (name, mut record) = (Name::new("another").unwrap(), record.clone());
    let other = |window| if window == Window::until(at(1)) { Window::ALWAYS } else { Window::until(at(1)) };
    match &mut record {
        Record::Tenant(tenant) => tenant.name = name,
        Record::Permission(permission) => permission.name = name,
        Record::Role(role) => role.name = name,
        Record::Group(group) => group.name = name,
        Record::User(user) => user.key = UserKey::new("another").unwrap(),
        Record::Separation(separation) => separation.slug = "another".parse().unwrap(),
        Record::Assertion(assertion) => assertion.binding = !assertion.binding,
        Record::Parent(edge) => edge.window = other(edge.window),
        Record::Assignment(edge) => edge.window = other(edge.window),
        Record::Membership(edge) => edge.window = other(edge.window),
        _ => return None,
    }
    Some(record)
}

pub(super) fn build(
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

/// Every form of a question gives the check's answer (R4, A9, A19).
fn lists_agree(compiled: &Arc<CompiledTenant>) {
    let snapshot = Snapshot(Arc::clone(compiled));
    for instant in INSTANTS.map(at) {
        let moment = snapshot.at(instant);
        let users: Vec<_> = moment.users(&PageRequest::of(1_000)).items;
        for permission in PERMISSIONS.map(|slug| moment.permission(slug)).into_iter().flatten() {
            let can = moment.who_can(permission.record.id);
            let mut listed = Vec::new();
            let mut page = PageRequest::of(2);
            loop {
                let part = can.page(&page);
                listed.extend(part.items.iter().map(|user| user.id));
                let Some(next) = part.next else { break };
                page = page.after(next);
            }
            let allowed: Vec<_> =
                users.iter().filter(|u| moment.check(u.id, permission.record.id)).map(|u| u.id).collect();
            assert_eq!(listed, allowed, "pages of `who_can`, in order of keys");
            assert_eq!(can.len(), allowed.len());
            for user in &users {
                let handle =
                    (moment.user_handle(user.id).unwrap(), moment.permission_handle(permission.record.id).unwrap());
                let check = moment.check(handle.0, handle.1);
                assert_eq!(can.contains(user.id), check);
                explanation_agrees(&snapshot, &user.key, &permission.record.slug, instant, check);
                valid_until_is_right(&snapshot, user.id, permission.record.id, instant, check);
            }
        }
        for user in &users {
            sources_agree(&moment, user.id);
            document_is_right(&snapshot, user.id, instant);
        }
    }
}

fn explanation_agrees(
    snapshot: &Snapshot,
    user: &crate::model::records::UserKey,
    permission: &crate::model::records::Slug,
    instant: Timestamp,
    check: bool,
) {
    let moment = snapshot.at(instant);
    let explanation = moment.explain(user, permission.as_str());
    assert_eq!(explanation.is_allowed(), check);
    assert_eq!(moment.decide(user, permission.as_str()), explanation.decision());
    let paths = explanation.paths();
    let (first, id) = (paths.first().filter(|_| check), moment.user(user).unwrap().id);
    assert_eq!(moment.first_path(user, permission.as_str()).as_ref(), first);
    assert_eq!(moment.first_path(id, permission.as_str()).as_ref(), first);
    assert!(paths.is_sorted_by_key(|path| path.steps().len()), "shortest first");
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len(), "distinct");
    match explanation.decision() {
        Decision::Allowed => {
            assert!(!paths.is_empty() && paths.iter().all(|p| p.window().contains(instant)));
        }
        Decision::Denied(Reason::Expired { .. } | Reason::NotYetActive { .. }) => assert!(!paths.is_empty()),
        Decision::Denied(_) => assert!(paths.is_empty()),
    }
}

/// No answer changes before the instant given, and if none is given it never changes (R3).
fn valid_until_is_right(
    snapshot: &Snapshot,
    user: crate::model::records::UserId,
    permission: crate::model::records::PermissionId,
    instant: Timestamp,
    check: bool,
) {
    let until = snapshot.at(instant).valid_until(user, permission);
    assert!(until.is_none_or(|until| until > instant));
    for later in INSTANTS.map(at).into_iter().filter(|later| *later > instant && until.is_none_or(|u| *later < u)) {
        assert_eq!(snapshot.at(later).check(user, permission), check);
    }
}

/// The document of a user has its effective permissions. They are the same until the instant given, and then others.
fn document_is_right(snapshot: &Snapshot, user: crate::model::records::UserId, instant: Timestamp) {
    let moment = snapshot.at(instant);
    let document = moment.permissions_document(user).unwrap();
    assert_eq!(document.permissions, moment.effective(user).slugs());
    assert_eq!((document.instant, document.position), (instant, snapshot.position()));
    let until = document.valid_until;
    assert!(until.is_none_or(|until| until > instant));
    for later in INSTANTS.map(at).into_iter().filter(|later| *later > instant && until.is_none_or(|u| *later < u)) {
        assert_eq!(snapshot.at(later).effective(user).slugs(), document.permissions);
    }
    if let Some(until) = until {
        assert_ne!(snapshot.at(until).effective(user).slugs(), document.permissions);
    }
}

/// The groups and roles of a user agree with the members of groups and the holders of roles, whether the user is suspended
/// or not (R4).
fn sources_agree(moment: &crate::Moment<'_>, user: crate::model::records::UserId) {
    let suspended = moment.user(user).unwrap().status == crate::model::records::Status::Suspended;
    let groups = moment.all_groups_of(user);
    let roles = moment.all_roles_of(user);
    let everyone = PageRequest::of(1_000);
    for slug in GROUPS {
        let is_in = groups.iter().any(|g| g.record.slug == slug);
        let members = moment.all_members(slug);
        assert_eq!(members.contains(user), is_in);
        assert_eq!(members.suspended().contains(user), is_in && suspended);
        let here = moment.groups_of(user).into_iter().find(|g| g.record.slug == slug);
        let there = moment.members(slug, &everyone).items.into_iter().find(|m| m.record.id == user);
        let here = here.map(|g| (g.window, g.active, g.suspended));
        assert_eq!(here, there.map(|m| (m.window, m.active, m.suspended)));
        assert!(here.is_none_or(|(_, active, mark)| mark == suspended && (suspended || !active || is_in)));
    }
    // By slug for those that are removed from the catalog, by id for the others: a slug may belong to two.
    let listed = moment.roles(&everyone).items;
    let unlisted = ROLES.into_iter().filter(|slug| listed.iter().all(|role| role.slug() != *slug));
    let unlisted: Vec<_> = unlisted.filter_map(|slug| moment.role(slug)).collect();
    for role in listed.iter().chain(&unlisted).map(|role| role.record.id) {
        let has = roles.iter().any(|r| r.record.id() == role);
        let holders = moment.all_holders(role);
        assert_eq!(holders.contains(user), has);
        assert_eq!(holders.suspended().contains(user), has && suspended);
        let here = moment.roles_of(user).into_iter().find(|r| r.record.id() == role);
        let there = moment.holders(role, &everyone).items.into_iter().find(|h| h.record.id == user);
        let here = here.map(|r| (r.window, r.active, r.suspended));
        assert_eq!(here, there.map(|h| (h.window, h.active, h.suspended)));
        assert!(here.is_none_or(|(_, _, mark)| mark == suspended));
    }
    let marks = groups.iter().map(|g| g.suspended).chain(roles.iter().map(|r| r.suspended));
    assert!(marks.into_iter().all(|mark| mark == suspended));
    let known: BTreeSet<_> = groups.iter().map(|g| &g.record.slug).collect();
    for via in groups.iter().map(|g| &g.via).chain(roles.iter().map(|r| &r.via)) {
        match via {
            Via::Direct => {}
            Via::Group(slug) => assert!(known.contains(slug)),
            Via::Role(slug) => assert!(roles.iter().any(|r| r.record.record.slug == *slug)),
        }
    }
    let union = roles
        .iter()
        .map(|r| moment.effective_of_role(r.record.record.id))
        .fold(None, |all: Option<PermissionSet>, set| Some(all.map_or_else(|| set.clone(), |all| all.union(&set))));
    if let Some(union) = union {
        let effective = moment.effective(user);
        assert!(if suspended { effective.is_empty() } else { effective == union });
    }
}

/// The access changes that a plan reports are those that its commit makes.
fn access_changes_agree(plan: &Plan) {
    for instant in [5, 15, 25, 35].map(at) {
        let access_changes: Vec<_> = plan.access_changes(instant).collect();
        let (before, after) = (plan.base(), plan.preview());
        let (before, after) = (before.at(instant), after.at(instant));
        let mut users: BTreeSet<_> = before.users(&PageRequest::of(1_000)).items.iter().map(|u| u.id).collect();
        users.extend(after.users(&PageRequest::of(1_000)).items.iter().map(|u| u.id));
        for user in users {
            let (had, has) = (before.effective(user), after.effective(user));
            match access_changes.iter().find(|d| d.user.id == user) {
                None => assert_eq!(had, has),
                Some(d) => assert!(d.gained == has.difference(&had) && d.lost == had.difference(&has)),
            }
        }
    }
}

/// A populated tenant, so that most calls have an effect.
pub(super) fn populated(bound: RowBound) -> History {
    let mut history = History::new(bound);
    let populate = |what, n| (0..n).map(move |a| Call { what, a, b: a, window: 7 });
    let start = populate(0, USERS.len()).chain(populate(1, GROUPS.len())).chain(populate(2, 5));
    history.follow(&start.chain(populate(3, 4)).collect::<Vec<_>>());
    let edges = populate(4, 4).chain(populate(9, 3)).chain(populate(14, 3)).chain(populate(17, 2));
    history.follow(&populate(3, 5).chain(edges).collect::<Vec<_>>());
    history
}

/// The users whose access two plans change differently are those whom a comparison at every instant finds. No window of a
/// history begins or ends between two of the instants.
fn access_differences_agree(one: &Plan, other: &Plan) {
    let of = |plan: &Plan, instant| -> BTreeMap<_, _> {
        let changes = plan.access_changes(instant);
        changes.map(|c| (c.user.id, (c.user.key.clone(), c.gained.slugs(), c.lost.slugs()))).collect()
    };
    let mut expected = BTreeMap::new();
    for instant in INSTANTS.map(at) {
        let (here, there) = (of(one, instant), of(other, instant));
        for user in here.keys().chain(there.keys()).filter(|user| here.get(user) != there.get(user)) {
            expected.entry(*user).or_insert(instant);
        }
    }
    let found = one.access_differences(other, INSTANTS.map(at)[0]);
    let found: BTreeMap<_, _> = found.map(|difference| (difference.user.id, difference.at)).collect();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 15 } else { 10_000 }))]
    /// A plan waits while others commit. Its rebase makes the same changes exactly if they fit on the records of that time
    /// and lead to a valid tenant, and then the state is that of the records. Some of the others make calls of the plan.
    #[test]
    fn f27_a_rebased_plan_makes_the_same_changes_or_none(
        before in prop::collection::vec(call(), 0..30),
        waiting in prop::collection::vec(call(), 1..10),
        meanwhile in prop::collection::vec((call(), any::<prop::sample::Index>(), 0..8_u8), 0..12),
    ) {
        let mut history = populated(RowBound::USUAL);
        for call in before {
            history.follow(&[call]);
        }
        let plan = history.plan(&waiting);
        for (call, index, copied) in meanwhile {
            let same = index.get(&waiting).clone();
            let call = match copied {
                0 => same,
                1 => Call { b: call.b, ..same },
                2 => Call { what: call.what, ..same },
                _ => call,
            };
            history.follow(&[call]);
        }
        let expected = history.records_if_changed(&plan.changes);
        let origins = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
        let base = Arc::clone(&history.present);
        match plan.rebase_onto(Arc::clone(&base), origins) {
            Ok(rebased) => {
                prop_assert_eq!(rebased.changes(), plan.changes());
                prop_assert_eq!(rebased.base.position, base.position);
                prop_assert!(rebased.is_empty() || rebased.next.position.revision == base.position.revision.next());
                history.records_after(&rebased);
                prop_assert_eq!(Some(&history.records), expected.as_ref());
                verify(&rebased.next.state);
                history.agrees_with_the_reference_model(&rebased.next);
                access_differences_agree(&rebased, &plan);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Managed | ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed
                ) => {}
            Err(error) => {
                prop_assert!(expected.is_none(), "{} is refused: {:?}", error, plan.changes);
                prop_assert!(RebaseConflict::of(&error).is_some(), "{}", error);
            }
        }
    }
}

#[test]
fn a20_advanced_rebuilt_and_reference_agree_after_every_step() {
    let cases = if cfg!(debug_assertions) { 3 } else { 1_000 };
    let config = ProptestConfig { source_file: Some(file!()), ..ProptestConfig::with_cases(cases) };
    let histories = (calls(), prop::sample::select(&BOUNDS[..]));
    let one = |(history, bound): (Vec<Vec<Call>>, RowBound)| {
        let mut present = History::new(bound);
        // Begins with a populated tenant, so that most calls have an effect.
        let populate = |what, n| (0..n).map(move |a| Call { what, a, b: a, window: 7 });
        let start = populate(0, USERS.len()).chain(populate(1, GROUPS.len())).chain(populate(2, 5));
        present.step(&start.chain(populate(3, 2)).collect::<Vec<_>>());
        present.leave_a_gap();
        let edges = populate(4, 4).chain(populate(9, 3)).chain(populate(14, 3)).chain(populate(17, 2));
        present.step(&populate(3, 5).chain(edges).collect::<Vec<_>>());
        if history.len() % 4 == 0 {
            // One user with more sources than a summary has.
            let every = |what, count| (0..count).map(move |b| Call { what, a: 4, b, window: 7 });
            present.step(&every(14, GROUPS.len()).chain(every(17, ROLES.len())).collect::<Vec<_>>());
        }
        for calls in history {
            present.step(&calls);
        }
        Ok(())
    };
    if let Err(error) = TestRunner::new(config).run(&histories, one) {
        panic!("{error}");
    }
    if !cfg!(debug_assertions) {
        every_form_was_reached();
    }
}
