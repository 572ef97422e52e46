//! P19: what would change. Two states and two catalogs are compared, and questions are replayed.
//!
//! Each figure is the time of a whole turn, divided by the number of users or of questions.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::records::{Record, UserId};
use rolecall::what_if::Question;

use super::common::Workload;
use super::common::enum_permission;
use super::common::fixed_store::{FixedStore, tenant_id};
use super::common::organisation::{key, now, slug};
use super::common::questions::{self, About};
use super::common::records::{self, Owner, permission_id, role_id};
use super::table::{Goal, Table};
use super::{nanos, per};

pub(super) fn what_if<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if table.wants("P19") {
        states(table, workload);
        catalogs(table, workload);
    }
}

/// Compares the tenant with a plan of it, in which a role loses a permission.
fn states<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let granted = permission_id(workload.organisation.roles[0].grants[0]);
    let ((), plan) = workload.tenant.plan(|tx| tx.role(role_id(0))?.revoke(granted)?.done()).unwrap();
    let (before, after, held) = (plan.base(), plan.preview(), workload.held());
    let changed = before.compare_access(&after, now()).count();
    // Some of them lose it later.
    assert!(changed >= plan.access_changes(now()).count());
    println!("P19 {}: {changed} users lose something", workload.size.name);
    let (ids, users) = (users(workload), workload.size.users);
    let mut race = table.race("P19", &format!("states/{}", workload.size.name));
    race.enter("effective", || each(users, || ids.iter().map(|user| held.effective(*user).len()).sum()));
    race.enter("compare_access", || each(users, || before.compare_access(&after, now()).count()));
    race.enter("access_changes", || each(users, || plan.access_changes(now()).count()));
    race.run(3);
    race.ratio("P19", "compare_access", "effective", Goal::None);
    race.ratio("P19", "access_changes", "compare_access", Goal::None);

    let drawn = questions::draw(workload, About::Mixed);
    let text = |q: &questions::Question| Question::new(key(q.user as usize), slug(q.permission));
    let asked: Vec<Question> = drawn.iter().take(1 << 14).map(text).collect();
    let count = u32::try_from(asked.len()).unwrap();
    let mut race = table.race("P19", &format!("replay/{}", workload.size.name));
    race.enter("check", || each(count, || asked.iter().filter(|q| held.check(&*q.user, &*q.permission)).count()));
    race.enter("replay", || each(count, || before.replay(&after, asked.iter().cloned(), now()).count()));
    race.run(11);
    race.ratio("P19", "replay", "check", Goal::None);
}

/// Compares the catalog with one that removes its last permission and adds another one, and with opening the tenant.
fn catalogs<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let size = workload.size;
    let mut slugs: Vec<String> = (0..size.permissions - 1).map(slug).collect();
    slugs.push("res0:new".to_owned());
    let permissions: Vec<PermissionDef<'_>> = slugs.iter().map(|slug| PermissionDef::new(slug)).collect();
    let next = Catalog::new(&Definition { permissions: &permissions, ..Definition::default() }).unwrap();
    let present = enum_permission::catalog::<N>(size.permissions);
    let records: Arc<[Record]> = records::of(&workload.organisation, Owner::Catalog(present)).into();
    let snapshot = workload.enumerated.snapshot();
    let reconciliation = snapshot.reconcile(&next, now()).unwrap();
    println!("P19 {}: {} findings, {:?}", size.name, reconciliation.findings().count(), reconciliation.count());
    let mut race = table.race("P19", &format!("catalogs/{}", size.name));
    race.enter("open", || {
        let authorizer = FixedStore::new(Arc::clone(&records)).authorizer(Some(present));
        each(size.users, || usize::from(authorizer.tenant_by_id(tenant_id(0)).is_ok()))
    });
    race.enter("reconcile", || each(size.users, || usize::from(snapshot.reconcile(&next, now()).is_ok())));
    race.enter("findings", || each(size.users, || reconciliation.findings().count()));
    race.enter("access_changes", || each(size.users, || reconciliation.access_changes().count()));
    race.run(3);
    race.ratio("P19", "reconcile", "open", Goal::None);
    race.ratio("P19", "findings", "open", Goal::None);
    race.ratio("P19", "access_changes", "open", Goal::None);
}

/// Measures P20: a user with the roles of its first group only, and the document for a front end.
pub(super) fn narrowed<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if !table.wants("P20") {
        return;
    }
    let (held, ids) = (workload.held(), users(workload));
    let drawn: Vec<_> = questions::draw(workload, About::Mixed).into_iter().take(1 << 14).collect();
    let roles: Vec<Vec<_>> = workload
        .organisation
        .users
        .iter()
        .map(|user| {
            workload.organisation.groups[user.groups[0].0 as usize].roles.iter().copied().map(role_id).collect()
        })
        .collect();
    let agent = |user: u32| held.narrowed(ids[user as usize], roles[user as usize].iter().copied());
    let agents: Vec<_> = drawn.iter().map(|question| agent(question.user)).collect();
    let permission = |n: usize| permission_id(drawn[n].permission);
    let count = u32::try_from(drawn.len()).unwrap();
    let ask = |check: &dyn Fn(usize) -> bool| {
        let mut allowed = 0;
        let took = per(count, |n| allowed += usize::from(check(n)));
        black_box(allowed);
        took
    };
    let mut race = table.race("P20", &format!("narrowed/{}", workload.size.name));
    race.enter("check", || ask(&|n| held.check(ids[drawn[n].user as usize], permission(n))));
    race.enter("narrow_and_check", || ask(&|n| agent(drawn[n].user).check(permission(n))));
    race.enter("narrowed_check", || ask(&|n| agents[n].check(permission(n))));
    // A user rarely has all of these roles.
    race.enter("narrow_and_separate", || {
        per(1 << 10, |n| drop(black_box(agent(drawn[n].user).separated("bench", 3, (0..4).map(role_id)))))
    });
    race.run(11);
    race.ratio("P20", "narrow_and_separate", "check", Goal::None);
    race.ratio("P20", "narrow_and_check", "check", Goal::None);
    race.ratio("P20", "narrowed_check", "check", Goal::None);

    let user = |n: usize| ids[drawn[n].user as usize];
    let mut race = table.race("P20", &format!("sets/{}", workload.size.name));
    race.enter("effective", || per(1 << 10, |n| drop(black_box(held.effective(user(n))))));
    race.enter("narrowed", || per(1 << 10, |n| drop(black_box(agents[n].effective()))));
    race.enter("slugs", || per(1 << 10, |n| drop(black_box(held.effective(user(n)).records()))));
    race.enter("document", || per(1 << 10, |n| drop(black_box(held.permissions_document(user(n))))));
    race.run(11);
    race.ratio("P20", "narrowed", "effective", Goal::None);
    race.ratio("P20", "document", "slugs", Goal::None);
}

fn users<const N: usize>(workload: &Workload<N>) -> Vec<UserId> {
    workload.organisation.users.iter().map(|user| UserId::from_uuid(user.id)).collect()
}

/// Returns the time of a turn, divided by `count`.
fn each(count: u32, turn: impl FnOnce() -> usize) -> f64 {
    let start = Instant::now();
    black_box(turn());
    nanos(start.elapsed()) / f64::from(count)
}
