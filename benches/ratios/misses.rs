//! P16: calls that find nothing, compared with calls that create or find something.
//!
//! Each turn makes a thousand calls in one transaction, whose plan is dropped.

use std::hint::black_box;
use std::time::Instant;

use rolecall::Tx;
use rolecall::blocking::{Authorizer, Tenant};

use super::nanos;
use super::table::{Goal, Table};

const USERS: usize = 20_000;
const CALLS: u32 = 1_000;

pub(super) fn misses(table: &mut Table) {
    if !table.wants("P16") {
        return;
    }
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_group("staff")?;
        (0..USERS).try_for_each(|n| {
            tx.create_user(&format!("user{n}@example.com"))?;
            tx.create_role(&format!("role{n}"))?.done()
        })
    })
    .unwrap();
    let there: Vec<String> = (0..CALLS).map(|n| format!("user{}@example.com", n * 17)).collect();
    let missing: Vec<String> = (0..CALLS).map(|n| format!("user{}@example.org", n * 17)).collect();
    let roles: Vec<String> = (0..CALLS).map(|n| format!("rolle{n}")).collect();

    let mut race = table.race("P16", "misses/20000");
    race.enter("create_user", turn(&acme, &missing, |tx, key| tx.create_user(key).is_ok()));
    race.enter("ensure_missing", turn(&acme, &missing, |tx, key| tx.ensure_user(key).is_ok()));
    race.enter("user_there", turn(&acme, &there, |tx, key| tx.user(key).is_ok()));
    race.enter("ensure_there", turn(&acme, &there, |tx, key| tx.ensure_user(key).is_ok()));
    race.enter("user_missing", turn(&acme, &missing, |tx, key| tx.user(key).is_err()));
    race.enter("member_missing", turn(&acme, &missing, |tx, key| tx.group("staff").unwrap().add_member(key).is_err()));
    race.enter(
        "miss_and_create",
        turn(&acme, &missing, |tx, key| tx.user(key).is_err() && tx.create_user(key).is_ok()),
    );
    race.enter("create_role", turn(&acme, &roles, |tx, slug| tx.create_role(slug).is_ok()));
    race.enter("role_missing", turn(&acme, &roles, |tx, slug| tx.role(slug).is_err()));
    race.run(11);
    race.ratio("P16", "ensure_missing", "create_user", Goal::AtMost(2.0));
    race.ratio("P16", "ensure_there", "user_there", Goal::AtMost(2.0));
    race.ratio("P16", "user_missing", "create_user", Goal::AtMost(1.0));
    race.ratio("P16", "member_missing", "create_user", Goal::AtMost(1.0));
    race.ratio("P16", "miss_and_create", "create_user", Goal::AtMost(2.0));
    race.ratio("P16", "role_missing", "create_role", Goal::AtMost(1.0));
    race.ratio("P16", "user_missing", "user_there", Goal::None);
}

fn turn<'a>(acme: &'a Tenant, names: &'a [String], call: impl Fn(&Tx, &str) -> bool + 'a) -> impl FnMut() -> f64 + 'a {
    move || {
        let all = |tx: &Tx| {
            let start = Instant::now();
            assert!(names.iter().all(|name| black_box(call(tx, name))));
            Ok(start.elapsed())
        };
        let (took, _) = acme.plan(all).unwrap();
        nanos(took) / f64::from(CALLS)
    }
}
