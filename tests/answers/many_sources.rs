//! Users with few and with many sources, and tenants with few and with many groups: a check by id, by key and by handle
//! has the same answer as the windows of the user's memberships. The numbers are around those at which the cached forms
//! change, after a load and after changes.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::records::UserId;
use rolecall::store::MemoryStore;
use rolecall::{Timestamp, Tx, Window};

const PERMISSIONS: usize = 40;
const USERS: usize = 12;

/// The beginning of a day in 2027 or later.
fn at(day: i64) -> Timestamp {
    Timestamp::from_secs(1_800_057_600 + day * 86_400).unwrap()
}

/// The window of a user's membership: most are always active, the others begin or end at 20.
fn window(user: usize, n: usize) -> Window {
    match (user % 4, (user + n) % 7) {
        (0, _) | (_, 3..) => Window::ALWAYS,
        (_, 0) => Window::until(at(20)),
        (_, 1) => Window::from(at(20)),
        _ => Window::between(at(10), at(30)).unwrap(),
    }
}

/// The groups of each user, by number, each with the window of the membership.
type Memberships = Vec<Vec<(usize, Window)>>;

/// Group `n` gives permission `n % PERMISSIONS`.
fn populate(tx: &Tx, groups: usize, memberships: &Memberships) -> rolecall::Result<()> {
    for p in 0..PERMISSIONS {
        tx.create_permission(&format!("p:{p}"))?;
        tx.create_role(&format!("r{p}"))?.grant(&*format!("p:{p}"))?;
    }
    for n in 0..groups {
        tx.create_group(&format!("g{n}"))?.assign(&*format!("r{}", n % PERMISSIONS))?;
    }
    for (user, held) in memberships.iter().enumerate() {
        let user = tx.create_user(&format!("u{user}"))?;
        held.iter().try_for_each(|(group, window)| user.join_during(&*format!("g{group}"), *window).map(drop))?;
    }
    Ok(())
}

fn compare(tenant: &Tenant, memberships: &Memberships, suspended: Option<usize>, about: &str) {
    for instant in [5, 15, 25, 35].map(at) {
        let moment = tenant.snapshot().at(instant);
        for (user, held) in memberships.iter().enumerate() {
            let key = format!("u{user}");
            let id: UserId = moment.user(&key).unwrap().id;
            let handle = moment.user_handle(id).unwrap();
            for p in 0..PERMISSIONS {
                let gives = |(group, window): &(usize, Window)| group % PERMISSIONS == p && window.contains(instant);
                let expected = suspended != Some(user) && held.iter().any(gives);
                let permission = format!("p:{p}");
                let answers = [
                    moment.check(id, &permission),
                    moment.check(key.as_str(), &permission),
                    moment.check(handle, &permission),
                    moment.check_any(id, [&permission]),
                    moment.check_all(id, [&permission]),
                    moment.effective(id).contains(&permission),
                ];
                assert_eq!(answers, [expected; 6], "{about}: {key}, {permission} at {instant}");
            }
        }
        assert!(!moment.check(UserId::random(), "p:0"));
    }
}

/// Every user has about so many sources.
fn users_with(sources: usize, groups: usize) {
    let store = MemoryStore::default();
    let authorizer = || Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let spread = |user: usize, n: usize| (user * 31 + n * (groups / sources).max(1)) % groups;
    let held = |user: usize| (0..sources).map(|n| (spread(user, n), window(user, n))).collect();
    let mut memberships: Memberships = (0..USERS).map(held).collect();
    memberships[USERS - 1].truncate(1);
    let created = authorizer().create_tenant("acme", "Acme").unwrap();
    created.update(|tx| populate(tx, groups, &memberships)).unwrap();
    let about = format!("{sources} of {groups} groups");
    compare(&created, &memberships, None, &format!("{about}, created"));

    let loaded = authorizer().tenant("acme").unwrap();
    compare(&loaded, &memberships, None, &format!("{about}, loaded"));

    let (left, _) = memberships[1].remove(sources / 2);
    let joined = (0..groups).find(|n| memberships[2].iter().all(|(group, _)| group != n)).unwrap_or(left);
    memberships[2].retain(|(group, _)| *group != joined);
    memberships[2].push((joined, Window::until(at(30))));
    memberships[3].clear();
    let change = |tx: &Tx| {
        tx.user("u1")?.leave(&*format!("g{left}"))?;
        tx.user("u2")?.ensure_membership(&*format!("g{joined}"), Window::ALWAYS)?;
        tx.user("u2")?.set_membership_window(&*format!("g{joined}"), Window::until(at(30)))?;
        tx.user("u3")?.set_groups::<&str>([])?;
        tx.user("u4")?.suspend()?.done()
    };
    loaded.update(change).unwrap();
    compare(&loaded, &memberships, Some(4), &format!("{about}, changed"));

    let id = loaded.now().user("u5").unwrap().id;
    loaded.update(|tx| tx.delete_user("u5")).unwrap();
    assert!((0..PERMISSIONS).all(|p| !loaded.snapshot().at(at(15)).check(id, format!("p:{p}"))), "{about}: deleted");
}

#[test]
fn every_form_of_a_check_agrees_whatever_number_of_sources_a_user_has() {
    for sources in [1, 6, 7, 22, 23, 54, 55, 127] {
        users_with(sources, 140);
    }
}

#[test]
fn every_form_of_a_check_agrees_in_a_tenant_with_many_groups() {
    users_with(7, 600);
    users_with(30, if cfg!(debug_assertions) { 700 } else { 4_200 });
}
