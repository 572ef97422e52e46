//! The changes of a plan, and their effect on a store or a past state.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{INSTANTS, at};
use crate::model::records::{
    AssertionRecord, Change, CommitId, Envelope, Granted, Holder, Name, PermissionRef, Position, Record, RecordKey,
    UserKey,
};
use crate::model::reference::Model;
use crate::plan::Plan;
use crate::resolver::snapshot::advance::Unfit;
use crate::resolver::snapshot::past::Undone;
use crate::resolver::snapshot::verify::verify;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::{PageRequest, Timestamp, Window};

/// A commit undone on its own state gives the state before it.
pub(super) fn past_is_rebuilt(plan: &Plan, before: &CompiledTenant) {
    let mut undone = Undone::default();
    undone.undo(&plan.changes);
    let past = plan.next.rewound(&undone, before.position).expect("an earlier state breaks no invariant");
    verify(&past.state);
    let records = |compiled: &CompiledTenant| -> BTreeMap<_, _> {
        compiled.state.records().map(|record| (record.key(), record)).collect()
    };
    assert_eq!(records(&past), records(before));
}

/// Rejects every change that does not fit the state. It must not add a record that exists, remove or change one that is
/// absent or different (I4), or leave an edge dangling (I1).
pub(super) fn mismatches_are_refused(plan: &Plan, records: &BTreeMap<RecordKey, Record>) {
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
        Record::Tenant(_) | Record::Permission(_) | Record::Role(_) | Record::Group(_) | Record::User(_) => Vec::new(),
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
        Record::Grant(_) | Record::Inclusion(_) => return None,
    }
    Some(record)
}

/// Each change has one line, and every entity in it a name: both ends existed before or exist after.
pub(super) fn changes_are_described(plan: &Plan) {
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
pub(super) fn nothing_managed_changes(plan: &Plan) {
    let base = plan.base();
    let moment = base.at(at(0));
    for record in plan.changes.iter().flat_map(|change| [change.before(), change.after()]).flatten() {
        let managed = match record {
            Record::User(user) => user.managed_by().is_some(),
            Record::Group(group) => group.managed_by().is_some(),
            Record::Membership(edge) => moment.group(edge.group).is_some_and(|group| group.managed_by().is_some()),
            Record::Parent(edge) => moment.group(edge.group).is_some_and(|group| group.managed_by().is_some()),
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Assignment(_)
            | Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Separation(_)
            | Record::Assertion(_) => false,
        };
        assert!(!managed, "{record:?}");
    }
}

/// A binding assertion that fails for a user at an instant after a plan and did not fail as much before, by the reference
/// model (R17).
pub(super) fn newly_failed(
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

/// The access changes that a plan reports are those that its commit makes.
pub(super) fn access_changes_agree(plan: &Plan) {
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

/// The users whose access two plans change differently are those whom a comparison at every instant finds. No window of a
/// history begins or ends between two of the instants.
pub(super) fn access_differences_agree(one: &Plan, other: &Plan) {
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
