//! Random transactions on a small tenant, compared with the reference model after each one.
//!
//! Compared are the preview of the plan, the tenant, a second authorizer that refreshes, one that loads from scratch, and
//! one with the next release of the catalog. `transactions/calls.rs` turns bytes into calls, and
//! `transactions/reviews.rs` compares reports and states.

mod calls;
mod reviews;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::Catalog;
use rolecall::clock::ManualClock;
use rolecall::records::{Record, RecordKey, Slug, UserKey, UserRecord};
use rolecall::reference::Model;
use rolecall::review::Severity;
use rolecall::store::{MemoryStore, Store};
use rolecall::{Error, ErrorKind, PageRequest, Plan, Snapshot, Timestamp, Tx};
use uuid::Uuid;

use self::calls::{Call, GROUPS, INSTANTS, ROLES};
use super::catalogs;

/// Returns why plans were refused: the code of each error, and of a guard the kinds of rights that the actor
/// lacks.
pub(crate) fn run(bytes: &[u8]) -> BTreeSet<String> {
    let world = World::new();
    for calls in calls::transactions(bytes) {
        world.step(&calls);
    }
    world.refusals.into_inner()
}

struct World {
    store: MemoryStore,
    tenant: Tenant,
    /// The tenant in another process, which refreshes.
    follower: Tenant,
    refusals: RefCell<BTreeSet<String>>,
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).expect("the instant is in range")
}

fn open(store: &MemoryStore, catalog: &Catalog) -> Authorizer {
    let clock = ManualClock::new(at(0));
    Authorizer::builder().store(store.clone()).catalog(catalog).clock(clock).build()
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::default();
        let tenant = open(&store, &catalogs::first()).create_tenant("t", "T").expect("the slug is free");
        tenant.update(calls::populate).expect("the names are free");
        let follower = open(&store, &catalogs::first()).tenant("t").expect("the tenant exists");
        Self { store, tenant, follower, refusals: RefCell::default() }
    }

    fn note(&self, error: &Error) {
        let rights = error.missing_rights().iter().map(|missing| missing.kind.to_string());
        self.refusals.borrow_mut().extend(rights.chain([error.kind().to_string()]));
    }

    fn step(&self, calls: &[Call]) {
        let before = self.tenant.snapshot();
        let records_before = self.records();
        let makes = |tx: &Tx| {
            for call in calls {
                // A call that fails changes nothing. The next calls test that.
                drop(call.make(tx));
            }
            Ok(())
        };
        let plan = match self.tenant.plan(makes) {
            Ok(((), plan)) => plan,
            // The plan breaks a separation (R14), or a binding assertion fails after it (R17).
            Err(error) => {
                self.note(&error);
                match error.kind() {
                    ErrorKind::SeparationOfDuties => {
                        let violation = error.separation().expect("the error has it");
                        assert!(violation.roles.len() > violation.at_most as usize);
                    }
                    other => {
                        assert_eq!(other, ErrorKind::AssertionFailed, "the closure ignores errors of calls: {error}");
                        assert!(error.assertion().is_some_and(|violation| violation.binding));
                    }
                }
                return;
            }
        };
        let preview = plan.preview();
        access_changes_are_right(&plan);
        self.guards_are_right(&plan, makes);
        let fails = |tx: &Tx| makes(tx).and_then(|()| tx.role("no such role")?.done());
        assert!(self.tenant.update(fails).is_err());
        assert_eq!(
            self.tenant.snapshot().position(),
            before.position(),
            "a plan or a failed update has changed the tenant"
        );
        self.tenant.commit(plan).expect("there is no other writer");
        let after = self.tenant.snapshot();
        assert_eq!(after.position(), preview.position());

        self.follower.refresh().expect("the store is in memory");
        let loaded = open(&self.store, &catalogs::first()).tenant("t").expect("a committed tenant can be loaded");
        let records = self.records();
        let expected = Expected::new(&records, &catalogs::first());
        for snapshot in [&after, &preview, &self.follower.snapshot(), &loaded.snapshot()] {
            assert_eq!(snapshot.position(), after.position());
            expected.matches_checks_of(snapshot);
        }
        assert!(after.at(at(0)).separation_violations().is_empty(), "no plan causes an excess");
        let failures = after.at(at(0)).assertion_violations();
        assert!(failures.iter().all(|failure| !failure.binding), "no binding assertion fails");
        expected.matches_explanations_of(&after);
        lists_agree_with_checks(&after);
        #[cfg(feature = "json")]
        self.documents_agree(&before, &[preview, self.follower.snapshot(), loaded.snapshot()]);
        let released = open(&self.store, &catalogs::second()).tenant("t").expect("no slug keeps a tenant from opening");
        let in_release = Expected::new(&records, &catalogs::second());
        in_release.matches_checks_of(&released.snapshot());
        let had = Expected::new(&records_before, &catalogs::first());
        reviews::compared_rightly((&before, &had), (&after, &expected));
        reviews::compared_rightly((&before, &had), (&released.snapshot(), &in_release));
        expected.matches_reports_of(&after);
        assert_eq!(released.conflicts(), after.catalog_conflicts(&catalogs::second()));
        reconciliation_is_right(&after, &records);
        let begins = |slug: &Slug, prefixes: &[&str]| prefixes.iter().any(|prefix| slug.as_str().starts_with(prefix));
        let reserved = records.iter().filter(|record| match record {
            Record::Permission(permission) => begins(&permission.slug, &["sys:", "a"]),
            Record::Role(role) => begins(&role.slug, &["r"]),
            _ => false,
        });
        let listed = [&after, &released.snapshot()].map(|snapshot| snapshot.reserved_slugs(&catalogs::second()).len());
        assert_eq!(listed, [reserved.count(); 2]);
    }

    /// A guard refuses the transaction exactly if the reference model finds a gain that the actor lacks, or a loosened
    /// separation or binding assertion (R13).
    fn guards_are_right(&self, plan: &Plan, makes: impl Fn(&Tx) -> rolecall::Result<()>) {
        let records = self.records();
        let mut after: BTreeMap<RecordKey, Record> =
            records.iter().map(|record| (record.key(), record.clone())).collect();
        for change in plan.changes() {
            match change.after() {
                Some(record) => drop(after.insert(change.key(), record.clone())),
                None => drop(after.remove(&change.key())),
            }
        }
        // Deleting a tenant deletes all its records.
        after.retain(|_, _| plan.preview().slug().is_some());
        let after: Vec<Record> = after.into_values().collect();
        let catalog = catalogs::first();
        let (before, after) = (Model::new(&records, &catalog), Model::new(&after, &catalog));
        let loosened = (before.loosened(&after), before.weakened(&after));
        let is_loosened = !loosened.0.is_empty() || !loosened.1.is_empty();
        for actor in before.users() {
            let gains = INSTANTS.map(at).map(|instant| before.escalations(&after, actor.id, instant));
            let guarded = self.tenant.plan(|tx| makes(tx.set_guard(actor.id)));
            let is_refused = is_loosened || gains.iter().any(|gains| !gains.is_empty());
            let found = guarded.as_ref().err().inspect(|error| self.note(error)).map(Error::kind);
            let expected = is_refused.then_some(ErrorKind::Escalation);
            assert_eq!(found, expected, "{actor:?}: {gains:?}, {loosened:?}");
        }
    }

    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        pollster::block_on(self.store.load(self.tenant.tenant_id(), &mut records)).expect("the store is in memory");
        records
    }

    /// Equal snapshots have equal documents, and a document of the previous state restores it.
    #[cfg(feature = "json")]
    fn documents_agree(&self, before: &Snapshot, equal: &[Snapshot]) {
        let written = |snapshot: &Snapshot| snapshot.export().expect("the tenant is available").to_json();
        let document = self.tenant.snapshot().export().expect("the tenant is available");
        for snapshot in equal {
            assert_eq!(written(snapshot), document.to_json());
        }
        let old = before.export().expect("the tenant is available");
        if old.slug() == document.slug() {
            let mut old = old;
            for manager in calls::MANAGERS {
                old.act_for(manager).expect("the manager is valid");
            }
            let plan = self.tenant.plan_replace(&old).expect("the previous state is valid");
            assert_eq!(written(&plan.preview()), old.to_json());
        }
    }
}

/// The answers of the reference model.
struct Expected {
    permissions: Vec<Slug>,
    users: BTreeSet<UserKey>,
    effective: Vec<(UserRecord, Timestamp, BTreeSet<Slug>)>,
}

impl Expected {
    fn new(records: &[Record], catalog: &Catalog) -> Self {
        let reference = Model::new(records, catalog);
        let each = |user: &UserRecord| {
            let user = user.clone();
            INSTANTS.map(at).map(|instant| (user.clone(), instant, reference.effective(user.id, instant)))
        };
        Self {
            permissions: reference.permissions().map(|(_, slug)| slug).collect(),
            users: reference.users().map(|user| user.key.clone()).collect(),
            effective: reference.users().flat_map(each).collect(),
        }
    }

    fn matches_checks_of(&self, snapshot: &Snapshot) {
        for (user, instant, effective) in &self.effective {
            let moment = snapshot.at(*instant);
            assert!(moment.effective(user.id).slugs().iter().eq(effective), "{user:?} at {instant}");
            for slug in &self.permissions {
                let check = moment.check(&user.key, slug.as_str());
                assert_eq!(check, effective.contains(slug), "{user:?} {slug} at {instant}");
            }
        }
        let listed = snapshot.at(at(0)).users(&PageRequest::of(100)).items;
        assert!(listed.iter().map(|user| &user.key).eq(&self.users), "users are listed in order of keys");
    }

    fn matches_explanations_of(&self, snapshot: &Snapshot) {
        for (user, instant, effective) in &self.effective {
            for slug in &self.permissions {
                let explanation = snapshot.at(*instant).explain(user.id, slug.as_str());
                assert_eq!(explanation.is_allowed(), effective.contains(slug), "{explanation}");
            }
        }
    }
}

fn lists_agree_with_checks(snapshot: &Snapshot) {
    for instant in INSTANTS.map(at) {
        let moment = snapshot.at(instant);
        let users = moment.users(&PageRequest::of(100)).items;
        for permission in moment.permissions(&PageRequest::of(100)).items {
            let id = permission.record.id;
            let allowed: Vec<_> = users.iter().filter(|user| moment.check(user.id, id)).map(|user| user.id).collect();
            let can = moment.who_can(id);
            assert!(can.page(&PageRequest::of(100)).items.iter().map(|user| user.id).eq(allowed.iter().copied()));
            assert_eq!(can.len(), allowed.len());
        }
        for user in users.iter().filter(|user| user.status == rolecall::records::Status::Active) {
            let (groups, roles) = (moment.all_groups_of(user.id), moment.all_roles_of(user.id));
            for slug in GROUPS {
                let is_in = groups.iter().any(|group| group.record.slug == slug);
                assert_eq!(moment.all_members(slug).contains(user.id), is_in, "{user:?} in {slug} at {instant}");
            }
            for slug in ROLES {
                let has = roles.iter().any(|role| role.record.record.slug == slug);
                assert_eq!(moment.all_holders(slug).contains(user.id), has, "{user:?} has {slug} at {instant}");
            }
        }
    }
}

/// The access changes of a plan are those of its users.
fn access_changes_are_right(plan: &Plan) {
    let (base, preview) = (plan.base(), plan.preview());
    for instant in INSTANTS.map(at) {
        let (before, after) = (base.at(instant), preview.at(instant));
        let access_changes: Vec<_> = plan.access_changes(instant).collect();
        let mut users: BTreeSet<_> = before.users(&PageRequest::of(100)).items.iter().map(|user| user.id).collect();
        users.extend(after.users(&PageRequest::of(100)).items.iter().map(|user| user.id));
        for user in users {
            let (had, has) = (before.effective(user), after.effective(user));
            match access_changes.iter().find(|difference| difference.user.id == user) {
                None => assert_eq!(had, has),
                Some(d) => assert!(d.gained == has.difference(&had) && d.lost == had.difference(&has)),
            }
        }
    }
}

/// The next release affects exactly the users that the reference model names. None of them lacks a finding that
/// matters.
fn reconciliation_is_right(snapshot: &Snapshot, records: &[Record]) {
    let (first, second) = (catalogs::first(), catalogs::second());
    let reconciliation = match snapshot.reconcile(&second, at(INSTANTS[0])) {
        Ok(reconciliation) => reconciliation,
        Err(error) => return assert_eq!((error.kind(), snapshot.slug()), (ErrorKind::Deleted, None)),
    };
    Expected::new(records, &second).matches_checks_of(reconciliation.after());
    let (before, after) = (Model::new(records, &first), Model::new(records, &second));
    let own: BTreeMap<Slug, Uuid> = records
        .iter()
        .filter_map(|record| match record {
            Record::Permission(permission) => Some((permission.slug.clone(), permission.id.as_uuid())),
            _ => None,
        })
        .collect();
    // A slug that gives something belongs to one permission.
    let ids = |slugs: BTreeSet<Slug>, catalog: &Catalog| -> BTreeSet<Uuid> {
        let entry = |slug: &Slug| catalog.permissions().iter().find(|entry| entry.slug() == slug);
        slugs.iter().map(|slug| entry(slug).map_or_else(|| own[slug], |entry| entry.id().as_uuid())).collect()
    };
    let mut expected: BTreeMap<UserKey, [usize; 2]> = BTreeMap::new();
    for user in before.users() {
        let (mut gained, mut lost) = (BTreeSet::new(), BTreeSet::new());
        for instant in INSTANTS.map(at) {
            let old = ids(before.effective(user.id, instant), &first);
            let new = ids(after.effective(user.id, instant), &second);
            gained.extend(new.difference(&old).copied());
            lost.extend(old.difference(&new).copied());
        }
        if !gained.is_empty() || !lost.is_empty() {
            expected.insert(user.key.clone(), [gained.len(), lost.len()]);
        }
    }
    let changes = reconciliation.access_changes();
    let found: BTreeMap<UserKey, _> = changes.map(|c| (c.user, [c.gained.len(), c.lost.len()])).collect();
    assert_eq!(found, expected);
    let count = reconciliation.count();
    let users = |n: usize| expected.values().filter(|changes| changes[n] > 0).count();
    assert_eq!([count.gaining, count.losing], [users(0), users(1)]);
    let matters = reconciliation.findings().any(|finding| finding.severity > Severity::Info);
    assert!(matters || expected.is_empty(), "somebody is affected without a finding: {expected:?}");
    let same = snapshot.reconcile(&first, at(INSTANTS[0])).expect("the tenant is open with it");
    assert_eq!((same.findings().count(), same.access_changes().count()), (0, 0));
}
