//! Users with few and with many sources, and tenants with few and with many groups: a check by id, by key and by handle
//! has the same answer as the windows of the user's memberships. The numbers are around those at which the cached forms
//! change, after a load and after changes. In the last tests, each source gives a permission of its own, so that an error
//! about one place in a long list is seen.

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

/// Numbers at which a part of an entry, or a chunk of eight columns in it, is full, is not, or has one column too few.
#[test]
fn every_form_of_a_check_agrees_where_a_list_of_sources_ends_within_a_chunk() {
    for sources in [4, 5, 13, 14, 15, 20, 21, 31, 40, 52, 53] {
        users_with(sources, 140);
    }
}

#[test]
fn every_form_of_a_check_agrees_in_a_tenant_with_many_groups() {
    users_with(7, 600);
    users_with(30, if cfg!(debug_assertions) { 700 } else { 4_200 });
}

/// How the memberships of a user are spread over time.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    Always,
    /// Only this place has a window.
    OneWindow(usize),
    /// Two in five have windows.
    FewWindows,
    /// All but one in five have windows. Between the days 10 and 30, all are active except for three, which have
    /// expired or are not yet active.
    MostWindows,
    /// The same with windows for all, of which one is not active.
    EveryWindow,
    /// On day 20, a third each has expired, is active, or is not yet active.
    Thirds,
}

const SCHEDULES: [Schedule; 6] = [
    Schedule::Always,
    Schedule::OneWindow(11),
    Schedule::FewWindows,
    Schedule::MostWindows,
    Schedule::EveryWindow,
    Schedule::Thirds,
];

impl Schedule {
    /// Returns the window of source `n` of `sources` for a user.
    fn window(self, user: usize, n: usize, sources: usize) -> Window {
        let begins = at(1 + i64::try_from(n * 5 % 8).unwrap());
        let ends = at(32 + i64::try_from(n * 3 % 7).unwrap());
        let active = Window::between(begins, ends).unwrap();
        let (expired, not_yet_active) = (Window::until(at(5)), Window::from(at(35)));
        // The inactive sources are at another place for each user.
        let place = user * 7 % sources;
        let inactive = |count: usize| (0..count).find(|k| (place + k * (sources / 3).max(1)) % sources == n);
        match self {
            Self::Always => Window::ALWAYS,
            Self::OneWindow(first) if n != (first + place) % sources => Window::ALWAYS,
            Self::OneWindow(_) => [active, expired, not_yet_active][user % 3],
            Self::FewWindows if (n + user) % 5 > 1 => Window::ALWAYS,
            Self::FewWindows | Self::Thirds => [active, expired, not_yet_active][(n + user) % 3],
            Self::MostWindows | Self::EveryWindow => {
                match inactive(if matches!(self, Self::MostWindows) { 3 } else { 1 }) {
                    Some(k) if k % 2 == 0 => expired,
                    Some(_) => not_yet_active,
                    None if matches!(self, Self::MostWindows) && (n + user) % 5 == 0 => Window::ALWAYS,
                    None => active,
                }
            }
        }
    }
}

/// Group `n` gives permission `n`. Others follow, which give something else, so that there are many columns.
const OWN: usize = 60;

/// The memberships of one user for each number of sources and each schedule. Users are different in where their groups begin.
fn one_permission_each(numbers: &[usize]) -> Memberships {
    let users = numbers.iter().flat_map(|sources| SCHEDULES.map(|schedule| (*sources, schedule)));
    let held = |(user, (sources, schedule)): (usize, (usize, Schedule))| {
        // 7 and the number of groups have no common divisor.
        (0..sources).map(|n| ((user * 11 + n * 7) % OWN, schedule.window(user, n, sources))).collect()
    };
    users.enumerate().map(held).collect()
}

fn populate_one_permission_each(tx: &Tx, memberships: &Memberships, more: usize) -> rolecall::Result<()> {
    for n in 0..OWN + more {
        if n <= OWN {
            tx.create_permission(&format!("own:{n}"))?;
            tx.create_role(&format!("r{n}"))?.grant(&*format!("own:{n}"))?;
        }
        tx.create_group(&format!("g{n}"))?.assign(&*format!("r{}", n.min(OWN)))?;
    }
    for (user, held) in memberships.iter().enumerate() {
        let user = tx.create_user(&format!("u{user}"))?;
        held.iter().try_for_each(|(group, window)| user.join_during(&*format!("g{group}"), *window).map(drop))?;
    }
    Ok(())
}

/// Asks for each permission of each user in every form: on day 20, when most windows are active, around the days 5 and 35,
/// when the inactive ones end and begin, and on the days 0 and 50.
fn compare_one_permission_each(tenant: &Tenant, memberships: &Memberships, about: &str) {
    let slugs: Vec<String> = (0..OWN).map(|n| format!("own:{n}")).collect();
    let handles: Vec<_> = slugs.iter().map(|slug| tenant.now().permission_handle(slug).unwrap()).collect();
    for instant in [0, 4, 5, 20, 34, 35, 50].map(at) {
        let moment = tenant.snapshot().at(instant);
        for (user, held) in memberships.iter().enumerate() {
            let key = format!("u{user}");
            let id: UserId = moment.user(&key).unwrap().id;
            let handle = moment.user_handle(id).unwrap();
            let mut expected = [false; OWN];
            for (group, window) in held {
                expected[*group] |= window.contains(instant);
            }
            let effective = moment.effective(id);
            let many: Vec<bool> = moment.check_many(slugs.iter().map(|slug| (id, slug))).collect();
            for (p, expected) in expected.into_iter().enumerate() {
                let permission = &slugs[p];
                let answers = [
                    moment.check(id, handles[p]),
                    moment.check(key.as_str(), handles[p]),
                    moment.check(handle, handles[p]),
                    moment.check_any(id, [permission]),
                    moment.check_all(id, [permission]),
                    effective.contains(permission),
                    many[p],
                ];
                assert_eq!(answers, [expected; 7], "{about}: {key}, {permission} at {instant}: {held:?}");
            }
            let [given, others] = [true, false].map(|allowed| {
                let permissions = slugs.iter().zip(expected).filter(move |(_, expected)| *expected == allowed);
                permissions.map(|(slug, _)| slug).collect::<Vec<_>>()
            });
            assert!(!moment.check_any(id, others.iter().copied()), "{about}: {key} at {instant}");
            assert_eq!(moment.check_any(id, &slugs), !given.is_empty(), "{about}: {key} at {instant}");
            assert!(moment.check_all(id, given.iter().copied()) != given.is_empty(), "{about}: {key} at {instant}");
            assert!(!moment.check_all(id, given.into_iter().chain(others.first().copied())), "{about}: {key}");
        }
    }
}

/// One user for each of these numbers of sources and each schedule, in a tenant with so many more groups.
fn each_permission_is_decided(numbers: &[usize], more: usize) {
    let store = MemoryStore::default();
    let authorizer = || Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let mut memberships = one_permission_each(numbers);
    let grown = authorizer().create_tenant("acme", "Acme").unwrap();
    grown.update(|tx| populate_one_permission_each(tx, &memberships, more)).unwrap();
    compare_one_permission_each(&grown, &memberships, "grown");
    let loaded = authorizer().tenant("acme").unwrap();
    compare_one_permission_each(&loaded, &memberships, "loaded");

    // The lists become shorter by one, and then longer than before.
    for round in 0..2 {
        let change = |tx: &Tx| {
            for (user, held) in memberships.iter_mut().enumerate() {
                let user = tx.user(format!("u{user}"))?;
                if round == 0 {
                    let (group, _) = held.remove(held.len() / 2);
                    user.leave(&*format!("g{group}"))?;
                    continue;
                }
                let window = held.first().map_or(Window::ALWAYS, |(_, window)| *window);
                for group in (0..OWN).filter(|n| held.iter().all(|(group, _)| group != n)).take(2).collect::<Vec<_>>() {
                    user.join_during(&*format!("g{group}"), window)?;
                    held.push((group, window));
                }
            }
            Ok(())
        };
        loaded.update(change).unwrap();
        compare_one_permission_each(&loaded, &memberships, if round == 0 { "left" } else { "joined" });
    }
}

/// A load chooses entries of a line: at most one user in eight needs more than 22 places.
#[test]
fn each_permission_of_users_with_up_to_22_sources_is_decided_by_its_own_window() {
    each_permission_is_decided(&[4, 5, 6, 13, 14, 15, 20, 21, 21, 22], 0);
}

/// A load chooses entries of two lines.
#[test]
fn each_permission_of_users_with_up_to_40_sources_is_decided_by_its_own_window() {
    each_permission_is_decided(&[4, 5, 13, 14, 15, 20, 21, 31, 40], 0);
}

/// Two lines are nearly full, full, or lack a place.
#[test]
fn each_permission_of_users_with_up_to_55_sources_is_decided_by_its_own_window() {
    each_permission_is_decided(&[52, 53, 54, 55], 0);
}

/// The same where there are so many groups that one array does not hold all columns.
#[test]
fn each_permission_is_decided_by_its_own_window_in_a_tenant_with_many_groups() {
    each_permission_is_decided(&[13, 21], 500);
    each_permission_is_decided(&[22, 55], 500);
}

#[test]
fn who_can_finds_a_user_with_two_memberships_whose_windows_are_active() {
    let tenant = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let populate = |tx: &Tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        for group in ["one", "other"] {
            tx.create_group(group)?.assign("reader")?;
        }
        tx.create_user("alice")?
            .join_during("one", Window::until(at(20)))?
            .join_during("other", Window::from(at(10)))?;
        tx.create_user("bob")?.join_during("one", Window::until(at(10)))?.join_during("other", Window::from(at(20)))?;
        Ok(())
    };
    tenant.update(populate).unwrap();
    for (day, expected) in [(5, ["alice", "bob"].as_slice()), (15, &["alice"]), (25, &["alice", "bob"])] {
        let moment = tenant.snapshot().at(at(day));
        assert_eq!(moment.who_can("posts:read").keys(), expected, "on day {day}");
    }
}
