//! P18: guarded commits, and commits in tenants with separations of duties and with binding assertions, compared with
//! commits without any.
//!
//! Each separation and each assertion is about a role of its own, which one of the first groups has. So a drawn member
//! is mostly about none of them, as in a tenant of people. A contestant that is called `concerned` adds members to a
//! group that is.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::assertions::{Assertion, Assertions};
use rolecall::blocking::Tenant;
use rolecall::records::UserId;
use rolecall::{Result, Tx};

use super::common::Workload;
use super::common::fixed_store::FixedStore;
use super::common::records::{group_id, role_id};
use super::common::writer::Writer;
use super::table::{Goal, Table};
use super::{nanos, per};

/// Creates this many separations. A group has one of the two roles of each, and nobody has the other one.
pub(super) fn separate(tx: &Tx, groups: u32, count: u32) -> Result<()> {
    for n in 0..count {
        let roles = [format!("separated{n}"), format!("other{n}")];
        roles.iter().try_for_each(|role| tx.create_role(role).map(drop))?;
        tx.group(&*format!("group{}", n % groups))?.assign(&roles[0])?;
        tx.create_separation(&format!("separation{n}"), 1, &roles)?;
    }
    Ok(())
}

/// Creates this many binding assertions. Only the members of a group may do something, and the group gives it.
pub(super) fn bind(tx: &Tx, groups: u32, count: u32) -> Result<()> {
    for n in 0..count {
        let (permission, role) = (format!("bound:{n}"), format!("bound{n}"));
        tx.create_permission(&permission)?;
        tx.create_role(&role)?.grant(&permission)?;
        tx.group(&*format!("group{}", n % groups))?.assign(&role)?;
        tx.create_assertion(&format!("assertion{n}"), &expected(groups, n))?.set_binding(true)?;
    }
    Ok(())
}

/// The assertion with this number, of those that [`bind`] creates.
fn expected(groups: u32, n: u32) -> Assertion {
    Assertion::only(format!("bound:{n}")).with_groups([format!("group{}", n % groups)])
}

/// The actors of the guarded commits. One may do everything by a role; the other is in a hundred groups, too.
const ACTORS: [&str; 2] = ["narrow-actor", "wide-actor"];

fn create_actors(tx: &Tx, groups: u32) -> Result<()> {
    tx.create_role("everything")?.grant("*")?;
    ACTORS.iter().try_for_each(|actor| tx.create_user(actor)?.assign("everything")?.done())?;
    (0..groups.min(100)).try_for_each(|n| tx.group(group_id(groups - 1 - n))?.add_member(ACTORS[1])?.done())
}

pub(super) fn restrictions<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if !table.wants("P18") {
        return;
    }
    let tenant = |restrict: &dyn Fn(&Tx) -> Result<()>| {
        let tenant = FixedStore::new(Arc::clone(&workload.records)).open(None);
        tenant.update(restrict).unwrap();
        tenant
    };
    let groups = workload.size.groups;
    let none = FixedStore::new(Arc::clone(&workload.records)).open(None);
    let separations = [10, 100].map(|count| tenant(&|tx| separate(tx, groups, count)));
    let assertions = [10, 100].map(|count| tenant(&|tx| bind(tx, groups, count)));
    let guarded = tenant(&|tx| create_actors(tx, groups));
    let actors = ACTORS.map(|actor| guarded.now().user(actor).unwrap().id);
    let (separated, asserted) = (separations[1].now(), assertions[1].now());
    let mut race = table.race("P18", &format!("commit/{}", workload.size.name));
    let all = [&none, &separations[0], &separations[1], &assertions[0], &assertions[1]];
    let names = ["none", "separations_10", "separations_100", "assertions_10", "assertions_100"];
    for (name, tenant) in names.into_iter().zip(all) {
        let mut writer = Writer::new(tenant, &workload.organisation);
        race.enter(name, move || nanos(writer.members(64)));
    }
    for (name, actor) in ["guarded", "guarded_wide"].into_iter().zip(actors) {
        let mut writer = Writer::new(&guarded, &workload.organisation);
        writer.guard = Some(actor);
        race.enter(name, move || nanos(writer.members(64)));
    }
    for (name, tenant) in [
        ("none_concerned", &none),
        ("separations_concerned", &separations[1]),
        ("assertions_concerned", &assertions[1]),
    ] {
        let mut joining = Joining::new(tenant, workload);
        race.enter(name, move || joining.turn());
    }
    race.run(11);
    for name in names[1..].iter().chain(&["guarded", "guarded_wide"]) {
        race.ratio("P18", name, "none", Goal::None);
    }
    race.ratio("P18", "separations_concerned", "none_concerned", Goal::None);
    race.ratio("P18", "assertions_concerned", "none_concerned", Goal::None);

    // The same assertions as those of the tenant.
    let file = Assertions::new((0..100).map(|n| expected(groups, n)));
    let mut race = table.race("P18", &format!("violations/{}", workload.size.name));
    race.enter("separations_100", || per(1, |_| assert!(black_box(separated.separation_violations()).is_empty())));
    race.enter("assertions_100", || per(1, |_| assert!(black_box(asserted.assertion_violations()).is_empty())));
    race.enter("file_100", || per(1, |_| assert!(black_box(file.check(&asserted)).is_empty())));
    race.run(3);
    race.ratio("P18", "file_100", "assertions_100", Goal::None);
    over_existing_data(table, workload, &none);
}

/// Plans that are judged with what everybody has already, because a restriction is new. They are not committed.
fn over_existing_data<const N: usize>(table: &Table, workload: &Workload<N>, none: &Tenant) {
    // The first group has the most members. Nobody has the other role.
    let role = role_id(workload.organisation.groups[0].roles[0]);
    let asserted = FixedStore::new(Arc::clone(&workload.records)).open(None);
    let not_binding = |tx: &Tx| {
        bind(tx, workload.size.groups, 1)?;
        tx.assertion("assertion0")?.set_binding(false)?.done()
    };
    asserted.update(not_binding).unwrap();
    let plan =
        |tenant: &Tenant, calls: &dyn Fn(&Tx) -> Result<()>| per(8, |_| drop(black_box(tenant.plan(calls).unwrap())));
    let mut race = table.race("P18", &format!("restrict/{}", workload.size.name));
    race.enter("create_role", || plan(none, &|tx| tx.create_role("other")?.done()));
    race.enter("create_separation", || {
        plan(none, &|tx| {
            let other = tx.create_role("other")?.id()?;
            tx.create_separation("separation", 1, [role, other])?.done()
        })
    });
    race.enter("set_binding", || plan(&asserted, &|tx| tx.assertion("assertion0")?.set_binding(true)?.done()));
    race.run(5);
    race.ratio("P18", "create_separation", "create_role", Goal::None);
    race.ratio("P18", "set_binding", "create_role", Goal::None);
}

/// Adds users to the first group, one in each commit, and takes them away.
struct Joining<'a> {
    tenant: &'a Tenant,
    users: Vec<UserId>,
}

impl<'a> Joining<'a> {
    fn new<const N: usize>(tenant: &'a Tenant, workload: &Workload<N>) -> Self {
        let users = workload.organisation.users.iter().filter(|user| user.groups.iter().all(|(group, _)| *group != 0));
        Self { tenant, users: users.map(|user| UserId::from_uuid(user.id)).take(64).collect() }
    }

    fn turn(&mut self) -> f64 {
        let start = Instant::now();
        for user in &self.users {
            self.tenant.update(|tx| tx.group(group_id(0))?.add_member(*user)?.done()).unwrap();
        }
        let took = nanos(start.elapsed());
        let leave =
            |tx: &Tx| self.users.iter().try_for_each(|user| tx.group(group_id(0))?.remove_member(*user)?.done());
        self.tenant.update(leave).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "there are 64 users")]
        let count = self.users.len() as f64;
        took / count
    }
}
