//! The memory per user, and of questions about all users, in bytes. This is a separate test program because it counts
//! memory with its own allocator.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use allocation_counter::measure;
use rolecall::blocking::Authorizer;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::clock::ManualClock;
use rolecall::review::Reconciliation;
use rolecall::store::MemoryStore;
use rolecall::{Snapshot, Timestamp, Window};

const USERS: usize = if cfg!(debug_assertions) { 10_000 } else { 20_000 };
const GROUPS: usize = 400;

/// The memory after a load, without the store. It is about 229 bytes per user, and up to 235 depending on the hash
/// keys. A new field in the row of a user takes eight bytes, and a new table with an entry per user takes more.
#[test]
fn a_user_with_three_groups_and_a_key_of_22_bytes_costs_at_most_240_bytes() {
    let store = MemoryStore::default();
    let authorizer = || Authorizer::builder().store(store.clone()).build();
    let fill = |tx: &rolecall::Tx| {
        for n in 0..GROUPS {
            tx.create_group(&format!("g{n}"))?;
        }
        for n in 0..USERS {
            let user = tx.create_user(&format!("user{n:06}@example.com"))?;
            for step in [1, 7, 43] {
                user.join(format!("g{}", n * step % (GROUPS - step)))?;
            }
        }
        Ok(())
    };
    authorizer().create_tenant("acme", "Acme").unwrap().update(fill).unwrap();
    let mut tenant = None;
    let info = measure(|| tenant = Some(authorizer().tenant("acme").unwrap()));
    let each = info.bytes_current / i64::try_from(USERS).unwrap();
    assert!((150..=240).contains(&each), "{each} bytes a user");
}

/// A tenant, the state that a plan leads to, and the same tenant under another catalog.
struct States {
    present: Snapshot,
    planned: Snapshot,
    released: Reconciliation,
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

/// The users are of the same few kinds, however many they are. Each is in two groups and has two permissions, by three paths.
/// One in four has a membership that ends, and one in forty is in the group `few`.
fn states(users: usize) -> States {
    let acme = Authorizer::builder().clock(ManualClock::new(at(50))).build().create_tenant("acme", "Acme").unwrap();
    let fill = |tx: &rolecall::Tx| {
        for n in 0..20 {
            let (permission, role, group) = (format!("p{n}:x"), format!("r{n}"), format!("g{n}"));
            tx.create_permission(&permission)?;
            tx.create_role(&role)?.grant(&permission)?.grant("new:*")?;
            tx.create_group(&group)?.assign(&role)?;
        }
        tx.create_group("few")?.assign("r0")?;
        for n in 0..users {
            let user = tx.create_user(&format!("user{n:06}@example.com"))?;
            let window = if n % 4 == 0 { Window::until(at(90)) } else { Window::ALWAYS };
            user.join(format!("g{}", n % 19))?.join_during(format!("g{}", n % 19 + 1), window)?;
            user.assign(format!("r{}", n % 19))?;
            if n % 40 == 0 {
                user.join("few")?;
            }
        }
        Ok(())
    };
    acme.update(fill).unwrap();
    let ((), plan) = acme.plan(|tx| (0..20).try_for_each(|n| tx.delete_permission(format!("p{n}:x")))).unwrap();
    let next = Definition { permissions: &[PermissionDef::new("new:x")], ..Definition::default() };
    let released = acme.snapshot().reconcile(&Catalog::new(&next).unwrap(), at(50)).unwrap();
    States { present: acme.snapshot(), planned: plan.preview(), released }
}

type Question = fn(&States) -> usize;

/// Questions about all users. The docs say of each what it holds: one user at a time.
const BOUNDED: &[(&str, Question)] = &[
    ("report", |s| s.present.at(at(50)).access_report().rows().count()),
    ("every path", |s| s.present.at(at(50)).access_report().every_path().rows().count()),
    ("what ends", |s| s.present.at(at(50)).window_changes(Window::ALWAYS).rows().count()),
    ("what ends first", |s| s.present.at(at(50)).window_changes(Window::ALWAYS).soonest(50).len()),
    ("comparison", |s| s.present.compare_access(&s.planned, at(50)).count()),
    ("access changes of a release", |s| s.released.access_changes().count()),
];

/// Reports that are restricted hold a few bits for each user of the tenant, too.
const RESTRICTED: &[(&str, Question)] = &[
    ("of a group", |s| s.present.at(at(50)).access_report().group("g1").rows().count()),
    ("of a small group", |s| s.present.at(at(50)).access_report().group("few").rows().count()),
    ("of a role", |s| s.present.at(at(50)).access_report().role("r1").rows().count()),
    ("of a permission", |s| s.present.at(at(50)).access_report().permission("p1:x").rows().count()),
];

/// How many items the answer has, and the most bytes that the question holds at a time.
fn most((name, ask): &(&str, Question), states: &States) -> (usize, u64) {
    let mut items = 0;
    let most = measure(|| items = ask(states)).bytes_max;
    println!("{name}: {items} items, {most} bytes");
    (items, most)
}

#[test]
fn questions_about_all_users_hold_one_user_at_a_time() {
    let users = [400, 4_000];
    let ([few, many], more_users) = (users.map(states), (users[1] - users[0]) as u64);
    for question in BOUNDED {
        let ((items, held), (more_items, more_held)) = (most(question, &few), most(question, &many));
        assert!(more_items >= 9 * items || items == 50, "{more_items} and {items} items");
        assert!(more_held < held + 400, "{}: {more_held} and {held} bytes", question.0);
    }
    for question in RESTRICTED {
        let ((items, held), (more_items, more_held)) = (most(question, &few), most(question, &many));
        assert!(more_items >= 9 * items, "{more_items} and {items} items");
        assert!(more_held < held + 400 + more_users * 3 / 4, "{}: {more_held} and {held} bytes", question.0);
    }
    let lint: (&str, Question) = ("lint", |s| s.present.at(at(50)).lint().count());
    let ((_, held), (_, more_held)) = (most(&lint, &few), most(&lint, &many));
    assert!(more_held < held + 13 * more_users, "lint: {more_held} and {held} bytes");
}
