//! Windows that calls add, ensure, extend and set (R3), and whole lists that say what they changed.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::{ErrorKind, Result, Timestamp, Tx, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn during(from: i64, until: i64) -> Window {
    Window::between(at(from), at(until)).unwrap()
}

/// It is 50 by the clock. `u` is in no group and has no role; `g` has no parent and no role.
fn acme() -> (Tenant, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(50)));
    let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for group in ["g", "h", "p"] {
            tx.create_group(group)?;
        }
        tx.create_role("r")?;
        tx.create_role("s")?;
        tx.create_user("u")?;
        tx.create_user("v")?.done()
    })
    .unwrap();
    (acme, clock)
}

type Put = fn(&Tx, Window) -> Result<()>;
type Extend = fn(&Tx, Timestamp) -> Result<()>;
type Look = fn(&Tenant) -> Option<Window>;

/// The calls on one relation, and its window.
struct Calls {
    what: &'static str,
    add: Put,
    ensure: Put,
    set: Put,
    extend: Extend,
    window: Look,
}

const RELATIONS: &[Calls] = &[
    Calls {
        what: "a user in a group",
        add: |tx, window| tx.user("u")?.join_during("g", window)?.done(),
        ensure: |tx, window| tx.user("u")?.ensure_membership("g", window)?.done(),
        set: |tx, window| tx.user("u")?.set_membership_window("g", window)?.done(),
        extend: |tx, until| tx.user("u")?.extend_membership("g", until)?.done(),
        window: |acme| acme.now().groups_of("u").first().map(|group| group.window),
    },
    Calls {
        what: "a group with a member",
        add: |tx, window| tx.group("g")?.add_member_during("u", window)?.done(),
        ensure: |tx, window| tx.group("g")?.ensure_member("u", window)?.done(),
        set: |tx, window| tx.group("g")?.set_member_window("u", window)?.done(),
        extend: |tx, until| tx.group("g")?.extend_member("u", until)?.done(),
        window: |acme| acme.now().groups_of("u").first().map(|group| group.window),
    },
    Calls {
        what: "a user with a role",
        add: |tx, window| tx.user("u")?.assign_during("r", window)?.done(),
        ensure: |tx, window| tx.user("u")?.ensure_assignment("r", window)?.done(),
        set: |tx, window| tx.user("u")?.set_assignment_window("r", window)?.done(),
        extend: |tx, until| tx.user("u")?.extend_assignment("r", until)?.done(),
        window: |acme| acme.now().roles_of("u").first().map(|role| role.window),
    },
    Calls {
        what: "a group with a role",
        add: |tx, window| tx.group("g")?.assign_during("r", window)?.done(),
        ensure: |tx, window| tx.group("g")?.ensure_assignment("r", window)?.done(),
        set: |tx, window| tx.group("g")?.set_assignment_window("r", window)?.done(),
        extend: |tx, until| tx.group("g")?.extend_assignment("r", until)?.done(),
        window: |acme| acme.now().roles_of_group("g").first().map(|role| role.window),
    },
    Calls {
        what: "a group with a parent",
        add: |tx, window| tx.group("g")?.add_parent_during("p", window)?.done(),
        ensure: |tx, window| tx.group("g")?.ensure_parent("p", window)?.done(),
        set: |tx, window| tx.group("g")?.set_parent_window("p", window)?.done(),
        extend: |tx, until| tx.group("g")?.extend_parent("p", until)?.done(),
        window: |acme| acme.now().parents_of("g").first().map(|parent| parent.window),
    },
];

/// Runs a test on each kind of relation.
fn each(test: impl Fn(&Calls, &Tenant, &ManualClock)) {
    for calls in RELATIONS {
        let (acme, clock) = acme();
        println!("{}", calls.what);
        test(calls, &acme, &clock);
    }
}

#[test]
fn f5_ensuring_never_shortens() {
    each(|calls, acme, _| {
        acme.update(|tx| (calls.add)(tx, Window::ALWAYS)).unwrap();
        let done = acme.update(|tx| (calls.ensure)(tx, Window::until(at(60)))).unwrap();
        assert!(done.changes.is_empty());
        assert_eq!((calls.window)(acme), Some(Window::ALWAYS));
    });
}

#[test]
fn f5_ensuring_covers_both_windows_unless_there_is_a_gap() {
    each(|calls, acme, _| {
        acme.update(|tx| (calls.ensure)(tx, during(60, 70))).unwrap();
        acme.update(|tx| (calls.ensure)(tx, during(70, 80))).unwrap();
        assert_eq!((calls.window)(acme), Some(during(60, 80)));
        let error = acme.update(|tx| (calls.ensure)(tx, during(90, 95))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WindowMismatch);
        assert!(
            error.to_string().contains("until 1970-01-01T00:01:35Z); a relation has one window: set one"),
            "{error}"
        );
        // Adding it has the same hint if there is a gap, and otherwise names the call that changes the window.
        let added = |window| acme.update(|tx| (calls.add)(tx, window)).unwrap_err().to_string();
        assert_eq!(added(during(90, 95)), error.to_string());
        assert!(added(during(70, 95)).contains("; use `set_"), "{}", added(during(70, 95)));
        assert_eq!((calls.window)(acme), Some(during(60, 80)));
    });
}

#[test]
fn f5_ensuring_an_expired_window_is_an_error_even_if_it_overlaps() {
    each(|calls, acme, _| {
        acme.update(|tx| (calls.add)(tx, during(45, 60))).unwrap();
        let error = acme.update(|tx| (calls.ensure)(tx, during(40, 48))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!((calls.window)(acme), Some(during(45, 60)));
    });
}

#[test]
fn f5_setting_a_window_gives_exactly_this() {
    each(|calls, acme, _| {
        let missing = acme.update(|tx| (calls.set)(tx, during(60, 70))).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        acme.update(|tx| (calls.add)(tx, Window::ALWAYS)).unwrap();
        for window in [during(60, 70), during(90, 95), Window::until(at(51))] {
            acme.update(|tx| (calls.set)(tx, window)).unwrap();
            assert_eq!((calls.window)(acme), Some(window));
        }
    });
}

#[test]
fn f5_extending_only_lengthens() {
    each(|calls, acme, clock| {
        let missing = acme.update(|tx| (calls.extend)(tx, at(70))).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        acme.update(|tx| (calls.add)(tx, during(55, 60))).unwrap();
        for (until, end) in [(70, 70), (65, 70), (40, 70), (71, 71)] {
            acme.update(|tx| (calls.extend)(tx, at(until))).unwrap();
            assert_eq!((calls.window)(acme), Some(during(55, end)));
        }
        clock.set(at(80));
        assert_eq!(acme.update(|tx| (calls.extend)(tx, at(75))).unwrap_err().kind(), ErrorKind::Invalid);
        acme.update(|tx| (calls.extend)(tx, at(90))).unwrap();
        assert_eq!((calls.window)(acme), Some(during(55, 90)), "one that has ended is active again");
        acme.update(|tx| (calls.set)(tx, Window::from(at(55)))).unwrap();
        assert!(acme.update(|tx| (calls.extend)(tx, at(99))).unwrap().changes.is_empty());
    });
}

#[test]
fn f5_an_expired_relation_is_added_again() {
    each(|calls, acme, clock| {
        for put in [calls.add, calls.ensure] {
            let now = acme.now().instant().as_micros() / 1_000_000;
            acme.update(|tx| put(tx, during(now, now + 10))).unwrap();
            clock.set(at(now + 9));
            let error = acme.update(|tx| (calls.add)(tx, during(now + 20, now + 30))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WindowMismatch, "it has not ended yet");
            clock.set(at(now + 10));
            acme.update(|tx| put(tx, during(now + 20, now + 30))).unwrap();
            assert_eq!((calls.window)(acme), Some(during(now + 20, now + 30)));
            clock.set(at(now + 30));
        }
        acme.update(|tx| (calls.add)(tx, Window::ALWAYS)).unwrap();
        assert_eq!((calls.window)(acme), Some(Window::ALWAYS));
    });
}

#[test]
fn f5_a_window_in_the_past_is_invalid() {
    each(|calls, acme, _| {
        for put in [calls.add, calls.ensure] {
            let error = acme.update(|tx| put(tx, during(10, 50))).unwrap_err();
            assert_eq!((error.kind(), error.what()), (ErrorKind::Invalid, Some("window")));
            assert!(error.to_string().ends_with("; choose a later end"), "{error}");
        }
        acme.update(|tx| (calls.add)(tx, during(10, 60))).unwrap();
        assert_eq!(acme.update(|tx| (calls.set)(tx, during(10, 50))).unwrap_err().kind(), ErrorKind::Invalid);
        let done = acme.update(|tx| (calls.ensure)(tx, during(10, 50))).unwrap();
        assert!(done.changes.is_empty(), "a change without effect is not an error (R11)");
        assert_eq!((calls.window)(acme), Some(during(10, 60)));
    });
}

#[test]
fn f6_whole_lists_say_what_they_added_and_removed() {
    let (acme, _) = acme();
    let texts = |list: Vec<String>| list.join(" ");
    macro_rules! set {
        ($call:expr) => {{
            let changes = acme.update($call).unwrap().value;
            let names = |list: &[_]| texts(list.iter().map(ToString::to_string).collect());
            (names(&changes.added), names(&changes.removed))
        }};
    }
    let is = |added: &str, removed: &str| (added.to_owned(), removed.to_owned());
    assert_eq!(set!(|tx| tx.group("g")?.set_members(["v", "u", "v"])), is("u v", ""));
    assert_eq!(set!(|tx| tx.group("g")?.set_members(["v"])), is("", "u"));
    assert_eq!(set!(|tx| tx.user("v")?.set_groups(["p", "h"])), is("h p", "g"));
    assert_eq!(set!(|tx| tx.user("v")?.set_groups(["h", "p"])), is("", ""));
    assert_eq!(set!(|tx| tx.user("v")?.set_roles(["r"])), is("r", ""));
    assert_eq!(set!(|tx| tx.user("v")?.set_roles(["s"])), is("s", "r"));
    assert_eq!(set!(|tx| tx.group("g")?.set_roles(["s", "r"])), is("r s", ""));
    assert_eq!(set!(|tx| tx.group("g")?.set_roles(["s"])), is("", "r"));
    assert_eq!(set!(|tx| tx.group("g")?.set_parents(["p", "h"])), is("h p", ""));
    assert_eq!(set!(|tx| tx.group("g")?.set_parents(["h"])), is("", "p"));
    assert_eq!(set!(|tx| tx.role("r")?.set_includes(["s"])), is("s", ""));
    assert_eq!(set!(|tx| tx.role("r")?.set_includes::<&str>([])), is("", "s"));
    let grants = |list: &'static [&'static str]| {
        let changes = acme.update(|tx| tx.role("r")?.set_grants(list.iter().copied())).unwrap().value;
        (changes.added.len(), changes.removed.len())
    };
    assert_eq!(grants(&["a*", "b*", "a*"]), (2, 0));
    assert_eq!(grants(&["b*", "c*"]), (1, 1));
}

#[test]
fn f6_a_listed_member_who_has_ended_is_a_member_again() {
    let (acme, clock) = acme();
    acme.update(|tx| {
        tx.group("g")?.add_member_during("u", during(40, 60))?.add_member_during("v", during(70, 80))?.done()
    })
    .unwrap();
    clock.set(at(65));
    let changes = acme.update(|tx| tx.group("g")?.set_members(["u", "v"])).unwrap().value;
    assert!(changes.added.len() == 1 && changes.added[0].as_str() == "u" && changes.removed.is_empty());
    let windows = ["u", "v"].map(|user| acme.now().groups_of(user)[0].window);
    assert_eq!(windows, [Window::ALWAYS, during(70, 80)]);
}

#[test]
fn f6_a_refused_set_of_groups_changes_nothing() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.user("u")?.join("g")?.join("h")?;
        tx.set_manager("okta")?.group("p")?.set_managed_by(Some("okta"))?.done()
    })
    .unwrap();
    let done = acme.update(|tx| {
        let error = tx.user("u")?.set_groups(["g", "p"]).unwrap_err();
        assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")));
        assert_eq!(tx.user("u")?.set_groups(["nothing"]).unwrap_err().kind(), ErrorKind::NotFound);
        Ok(())
    });
    assert!(done.unwrap().changes.is_empty());
    let changes = acme.update(|tx| tx.set_manager("okta")?.user("u")?.set_groups(["g", "p"])).unwrap().value;
    assert_eq!((changes.added.len(), changes.removed.len()), (1, 1));
}

/// The nightly run of a directory: nearly nothing has changed.
#[test]
fn f6_a_list_of_many_members_changes_only_those_that_differ() {
    let (acme, _) = acme();
    let keys: Vec<String> = (0..5_000).map(|n| format!("user-{n}")).collect();
    acme.update(|tx| {
        keys.iter().try_for_each(|key| tx.create_user(key)?.done())?;
        tx.group("g")?.set_members(&keys[..4_900])
    })
    .unwrap();
    let (changes, plan) = acme.plan(|tx| tx.group("g")?.set_members(&keys[100..])).unwrap();
    assert_eq!((changes.added.len(), changes.removed.len(), plan.changes().len()), (100, 100, 200));
    acme.commit(plan).unwrap();
    assert_eq!(acme.now().all_members("g").len(), 4_900);
}

#[test]
fn f28_a_chain_of_calls_can_end_a_closure() {
    let (acme, _) = acme();
    acme.update(|tx| tx.user("u")?.join("g")?.assign("r")?.done()).unwrap();
    acme.update(|tx| tx.group("g")?.add_parent("p")?.done()).unwrap();
    acme.update(|tx| tx.role("r")?.grant("a*")?.done()).unwrap();
    acme.update(|tx| tx.create_permission("a:x")?.set_name("X")?.done()).unwrap();
    acme.update(|tx| tx.set_tenant_name("Acme Corporation")?.done()).unwrap();
    assert!(acme.check("u", "a:x"));
    acme.update(|tx| tx.user("u")?.leave("g")?.done()).unwrap();
    assert!(acme.now().groups_of("u").is_empty());
}
