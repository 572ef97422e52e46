//! Tests checks of users whose groups have columns above the highest that a summary can hold: 65,535, and 255 in unit tests.

use crate::blocking::{Authorizer, Tenant};
use crate::model::clock::ManualClock;
use crate::resolver::snapshot::user_summaries::UserSummary;
use crate::store::MemoryStore;
use crate::{Result, Timestamp, Tx, Window};

const GROUPS: usize = 160;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

/// Group `n` gives permission `n`. Each has a role of its own, so that there are twice as many columns as groups.
fn create_group(tx: &Tx, n: usize) -> Result<()> {
    tx.create_permission(&format!("p:{n}"))?;
    tx.create_role(&format!("r{n}"))?.grant(format!("p:{n}"))?;
    tx.create_group(&format!("g{n}"))?.assign(format!("r{n}"))?.done()
}

/// The groups of each user, each with the window of the membership.
type Memberships = Vec<Vec<(usize, Window)>>;

/// The users whose summaries say what they hold, and the others.
fn summaries(tenant: &Tenant) -> (Vec<u32>, Vec<u32>) {
    let snapshot = tenant.snapshot();
    let state = &snapshot.0.state;
    let held = |n: &u32| matches!(state.summaries.read(*n), UserSummary::Held(_));
    state.users.all().partition(held)
}

fn compare(tenant: &Tenant, memberships: &Memberships, suspended: Option<usize>, about: &str) {
    for instant in [5, 15].map(at) {
        let moment = tenant.snapshot().at(instant);
        for (user, held) in memberships.iter().enumerate() {
            let key = format!("u{user}");
            let id = moment.user(&key).unwrap().id;
            let handle = moment.user_handle(id).unwrap();
            let near = held.iter().flat_map(|(group, _)| [*group, (group + 1) % GROUPS, (group + GROUPS - 1) % GROUPS]);
            let mut allowed = 0;
            for n in near.chain([0, GROUPS - 1]).collect::<std::collections::BTreeSet<_>>() {
                let gives = |(group, window): &(usize, Window)| *group == n && window.contains(instant);
                let expected = suspended != Some(user) && held.iter().any(gives);
                allowed += usize::from(expected);
                let permission = format!("p:{n}");
                let answers = [
                    moment.check(id, &permission),
                    moment.check(&key, &permission),
                    moment.check(handle, &permission),
                    moment.check_any(id, [&permission]),
                    moment.check_all(id, [&permission]),
                    moment.who_can(&permission).contains(id),
                    moment.explain(id, &permission).is_allowed(),
                ];
                assert_eq!(answers, [expected; 7], "{about}: {key}, {permission} at {instant}");
            }
            assert_eq!(moment.effective(id).len(), allowed, "{about}: {key} at {instant}");
        }
    }
}

#[test]
fn checks_are_right_for_users_with_columns_beyond_a_summary() {
    let store = MemoryStore::default();
    let open = || Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let grown = open().create_tenant("acme", "Acme").unwrap();
    let window = |user: usize| if user % 2 == 0 { Window::until(at(10)) } else { Window::from(at(10)) };
    let groups_of = |user| vec![(user * 7 % GROUPS, Window::ALWAYS), ((user * 7 + 90) % GROUPS, window(user))];
    let mut memberships: Memberships = (0..GROUPS / 2).map(groups_of).collect();
    let create = |tx: &Tx| {
        (0..GROUPS).try_for_each(|n| create_group(tx, n))?;
        for (user, held) in memberships.iter().enumerate() {
            let user = tx.create_user(&format!("u{user}"))?;
            held.iter().try_for_each(|(group, window)| user.join_during(format!("g{group}"), *window).map(drop))?;
        }
        Ok(())
    };
    grown.update(create).unwrap();
    let loaded = open().tenant("acme").unwrap();
    for (tenant, how) in [(&grown, "grown"), (&loaded, "loaded")] {
        let (held, others) = summaries(tenant);
        assert!(held.len() > 5 && others.len() > 5, "{how}: {held:?} and {others:?}");
        compare(tenant, &memberships, None, how);
    }

    // Every user leaves its first group and joins another one. So summaries begin and cease to say what is held.
    let before = summaries(&loaded);
    for (user, held) in memberships.iter_mut().enumerate() {
        held[0].0 = (user * 7 + 41) % GROUPS;
    }
    let change = |tx: &Tx| {
        for (user, held) in memberships.iter().enumerate() {
            let (first, _) = held[0];
            tx.user(format!("u{user}"))?.leave(format!("g{}", user * 7 % GROUPS))?.join(format!("g{first}"))?;
        }
        tx.user("u7")?.suspend()?.done()
    };
    loaded.update(change).unwrap();
    compare(&loaded, &memberships, Some(7), "moved");
    assert_ne!(summaries(&loaded), before);

    // Groups are deleted and others created, which have their columns.
    let is_deleted = |n: usize| n % 3 == 0;
    let delete = |tx: &Tx| {
        (0..GROUPS).filter(|n| is_deleted(*n)).try_for_each(|n| {
            tx.delete_group(format!("g{n}"))?;
            tx.delete_role(format!("r{n}"))
        })
    };
    loaded.update(delete).unwrap();
    for held in &mut memberships {
        held.retain(|(group, _)| !is_deleted(*group));
    }
    compare(&loaded, &memberships, Some(7), "deleted");
    loaded
        .update(|tx| {
            for n in (0..GROUPS).filter(|n| is_deleted(*n)) {
                tx.create_role(&format!("r{n}"))?.grant(format!("p:{n}"))?;
                tx.create_group(&format!("g{n}"))?.assign(format!("r{n}"))?;
            }
            Ok(())
        })
        .unwrap();
    compare(&loaded, &memberships, Some(7), "created again");
    compare(&open().tenant("acme").unwrap(), &memberships, Some(7), "loaded again");
}
