//! Parent links with windows (R3): a group is temporarily inside another.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::explain::PathStep;
use rolecall::store::MemoryStore;
use rolecall::{Decision, ErrorKind, PageRequest, Reason, Timestamp, Tx, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn page() -> PageRequest {
    PageRequest::of(50)
}

fn during(from: i64, until: i64) -> Window {
    Window::between(at(from), at(until)).unwrap()
}

/// The last instant before this one.
fn before(secs: i64) -> Timestamp {
    Timestamp::from_micros(at(secs).as_micros() - 1).unwrap()
}

/// Alice and the suspended Sue are in `backend`. Members of `apollo` may `deploy`, and members of its parent `program`
/// may `report`. `backend` has no parent yet.
fn populate(tx: &Tx) -> rolecall::Result<()> {
    for (group, permission) in [("apollo", "deploy"), ("program", "report")] {
        tx.create_permission(permission)?;
        tx.create_role(permission)?.grant(permission)?;
        tx.create_group(group)?.assign(permission)?;
    }
    tx.group("apollo")?.add_parent("program")?;
    tx.create_group("backend")?;
    tx.create_user("alice")?.join("backend")?;
    tx.create_user("sue")?.join("backend")?.suspend()?.done()
}

fn acme(more: impl Fn(&Tx) -> rolecall::Result<()>) -> Tenant {
    let acme = Authorizer::builder().clock(ManualClock::new(at(0))).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        populate(tx)?;
        more(tx)
    })
    .unwrap();
    acme
}

/// `backend` is inside `apollo` from 10 until 20.
fn joined(tx: &Tx) -> rolecall::Result<()> {
    tx.group("backend")?.add_parent_during("apollo", during(10, 20))?.done()
}

/// Checks in every form of question whether Alice and the suspended Sue have the permissions that come through `apollo`.
fn answers_are(acme: &Tenant, instant: Timestamp, expected: bool) {
    let now = acme.snapshot().at(instant);
    let (alice, sue) = (now.user("alice").unwrap(), now.user("sue").unwrap());
    for permission in ["deploy", "report"] {
        let handles = (now.user_handle("alice").unwrap(), now.permission_handle(permission).unwrap());
        assert_eq!(now.check("alice", permission), expected, "{permission} at {instant}");
        assert_eq!(now.check(&alice, permission), expected, "{permission} at {instant}, by id");
        assert_eq!(now.check(handles.0, handles.1), expected, "{permission} at {instant}, by handle");
        assert_eq!(now.check_many([("alice", permission)]).collect::<Vec<_>>(), [expected]);
        assert_eq!(now.decide("alice", permission).is_allowed(), expected);
        assert_eq!(now.explain("alice", permission).is_allowed(), expected);
        assert_eq!(now.effective("alice").contains(permission), expected);
        assert_eq!(now.effective_of_group("backend").contains(permission), expected);
        assert_eq!(now.who_can(permission).contains("alice"), expected);
        assert!(!now.check("sue", permission) && !now.who_can(permission).contains("sue"), "r4: suspended");
    }
    for group in ["apollo", "program"] {
        let groups = now.all_groups_of("alice");
        assert_eq!(groups.iter().any(|found| found.record.slug == group), expected, "{group} at {instant}");
        let members = now.all_members(group);
        assert_eq!([members.contains(alice.id), members.contains(sue.id)], [expected; 2], "{group} at {instant}");
    }
    let groups =
        |user| now.all_groups_of(user).into_iter().map(|group| (group.record.slug, group.via)).collect::<Vec<_>>();
    assert_eq!(groups("sue"), groups("alice"), "r4: a suspended user is listed");
    assert!(now.all_groups_of("sue").iter().all(|group| group.suspended) && now.all_members("backend").len() == 2);
    assert_eq!(now.all_holders("report").contains("alice"), expected);
    assert_eq!(now.all_roles_of("alice").iter().any(|found| found.record.record.slug == "report"), expected);
    assert_eq!(now.all_roles_of_group("backend").len(), if expected { 2 } else { 0 });
}

#[test]
fn f16_r3_a_parent_link_counts_inside_its_window() {
    let acme = acme(joined);
    let table = [
        (Timestamp::MIN, false),
        (before(10), false),
        (at(10), true),
        (before(20), true),
        (at(20), false),
        (Timestamp::MAX, false),
    ];
    for (instant, expected) in table {
        answers_are(&acme, instant, expected);
    }
}

#[test]
fn r3_a_parent_link_may_have_one_end_only() {
    for (window, early, late) in [(Window::from(at(10)), false, true), (Window::until(at(10)), true, false)] {
        let acme = acme(|tx| tx.group("backend")?.add_parent_during("apollo", window)?.done());
        answers_are(&acme, before(10), early);
        answers_are(&acme, at(10), late);
    }
}

#[test]
fn r3_all_windows_on_a_path_must_be_active() {
    let acme = acme(|tx| {
        tx.create_user("bob")?.join_during("backend", during(5, 15))?;
        tx.group("backend")?.add_parent_during("apollo", during(10, 20))?;
        tx.group("apollo")?.set_parent_window("program", during(12, 30))?;
        Ok(())
    });
    let snapshot = acme.snapshot();
    let table = [(9, false, false), (10, true, false), (12, true, true), (14, true, true), (15, false, false)];
    for (instant, deploys, reports) in table {
        let now = snapshot.at(at(instant));
        assert_eq!(["deploy", "report"].map(|what| now.check("bob", what)), [deploys, reports], "at {instant}");
        assert_eq!(["apollo", "program"].map(|group| now.all_members(group).contains("bob")), [deploys, reports]);
    }
    // Alice is a permanent member of `backend`: only the two links have windows.
    for (instant, reports) in [(11, false), (12, true), (19, true), (20, false), (29, false)] {
        assert_eq!(snapshot.at(at(instant)).check("alice", "report"), reports, "at {instant}");
    }
}

#[test]
fn r3_an_expired_parent_takes_nothing_that_comes_another_way() {
    let acme = acme(|tx| {
        joined(tx)?;
        tx.create_group("frontend")?.add_parent("apollo")?.add_member("alice")?;
        Ok(())
    });
    for instant in [5, 15, 25].map(at) {
        let now = acme.snapshot().at(instant);
        assert!(now.check("alice", "deploy") && now.check("alice", "report"));
        assert!(now.all_members("apollo").contains("alice") && now.who_can("deploy").contains("alice"));
        assert_eq!(now.valid_until("alice", "deploy"), None, "one path is permanent");
        assert_eq!(now.explain("alice", "deploy").paths().len(), if instant == at(15) { 2 } else { 1 });
        assert!(!now.check("sue", "deploy"));
    }
}

#[test]
fn r2_a_link_that_is_removed_gives_nothing_in_its_window() {
    let acme = acme(joined);
    acme.update(|tx| tx.group("backend")?.remove_parent("apollo")?.done()).unwrap();
    for instant in [5, 15, 25].map(at) {
        answers_are(&acme, instant, false);
    }
    assert!(acme.now().parents_of("backend").is_empty());
    acme.update(|tx| tx.group("backend")?.add_parent("apollo")?.done()).unwrap();
    answers_are(&acme, at(25), true);
}

#[test]
fn r8_a_deleted_group_takes_its_links_along_on_both_sides() {
    let acme = acme(|tx| {
        joined(tx)?;
        tx.group("apollo")?.set_parent_window("program", during(10, 20))?;
        Ok(())
    });
    let committed = acme.update(|tx| tx.delete_group("apollo")).unwrap();
    assert_eq!(committed.changes.len(), 4, "the group, an assignment, and a link on each side");
    let now = acme.now();
    assert!(now.parents_of("backend").is_empty() && now.subgroups("program", &page()).items.is_empty());
    assert!(!acme.snapshot().at(at(15)).check("alice", "report"));
}

#[test]
fn r3_the_same_link_with_another_window_is_an_error_and_changes_nothing() {
    let acme = acme(joined);
    let refused = |edit: fn(&Tx) -> rolecall::Result<()>| {
        let error = acme.update(edit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WindowMismatch);
        assert!(error.suggestions().is_empty());
        error.to_string()
    };
    let text = "parent link of `backend` to `apollo` already exists with another window \
                (from 1970-01-01T00:00:10Z until 1970-01-01T00:00:20Z); use `set_parent_window` to change it";
    assert_eq!(refused(|tx| tx.group("backend")?.add_parent("apollo")?.done()), text);
    assert_eq!(refused(|tx| tx.group("backend")?.add_parent_during("apollo", during(10, 21))?.done()), text);
    let always = refused(|tx| tx.group("apollo")?.add_parent_during("program", during(1, 2))?.done());
    assert!(always.starts_with("parent link of `apollo` to `program`") && always.contains("(always)"), "{always}");
    // Other links keep their words.
    let member = refused(|tx| tx.group("backend")?.add_member_during("alice", during(1, 2))?.done());
    assert!(member.starts_with("membership of `alice` in `backend` already exists with another window"), "{member}");
    let role = refused(|tx| tx.group("apollo")?.assign_during("deploy", during(1, 2))?.done());
    assert!(role.starts_with("assignment of `deploy` to"), "{role}");
    // R11: a call that changes nothing succeeds and makes no revision.
    let before = acme.revision();
    acme.update(joined).unwrap();
    acme.update(|tx| tx.group("apollo")?.add_parent("program")?.done()).unwrap();
    assert_eq!(acme.revision(), before);
}

#[test]
fn r3_the_window_of_a_link_is_changed_by_a_call_of_its_own() {
    let acme = acme(joined);
    let changed = acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", during(30, 40))?.done()).unwrap();
    assert_eq!(changed.changes.len(), 1);
    answers_are(&acme, at(15), false);
    answers_are(&acme, at(35), true);
    acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", Window::ALWAYS)?.done()).unwrap();
    answers_are(&acme, at(15), true);
    let kept = acme.update(|tx| tx.group("backend")?.ensure_parent("apollo", during(10, 20))?.done()).unwrap();
    assert!(kept.changes.is_empty(), "ensuring never shortens");
    answers_are(&acme, at(20), true);
    acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", during(10, 20))?.done()).unwrap();
    answers_are(&acme, at(20), false);
    acme.update(|tx| tx.group("backend")?.ensure_parent("program", during(50, 60))?.done()).unwrap();
    let now = acme.snapshot().at(at(55));
    assert_eq!(["deploy", "report"].map(|what| now.check("alice", what)), [false, true]);
    let again = acme.update(|tx| {
        tx.group("backend")?.ensure_parent("program", during(50, 60))?.set_parent_window("apollo", during(10, 20))?;
        Ok(())
    });
    assert!(again.unwrap().changes.is_empty());
    let missing = acme.update(|tx| tx.group("program")?.set_parent_window("backend", Window::ALWAYS)?.done());
    let missing = missing.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(missing.to_string(), "parent link of `program` to `backend` not found");
}

#[test]
fn r3_setting_the_parents_keeps_the_windows_of_those_that_stay() {
    let acme = acme(joined);
    acme.update(|tx| tx.create_group("gemini")?.done()).unwrap();
    acme.update(|tx| tx.group("backend")?.set_parents(["apollo", "gemini", "apollo"]).map(drop)).unwrap();
    let parents = |acme: &Tenant| -> Vec<(String, Window)> {
        let parents = acme.now().parents_of("backend");
        parents.into_iter().map(|parent| (parent.record.slug.to_string(), parent.window)).collect()
    };
    assert_eq!(parents(&acme), [("apollo".into(), during(10, 20)), ("gemini".into(), Window::ALWAYS)]);
    acme.update(|tx| tx.group("backend")?.set_parents(["gemini"]).map(drop)).unwrap();
    assert_eq!(parents(&acme), [("gemini".into(), Window::ALWAYS)]);
    acme.update(|tx| tx.group("backend")?.set_parents::<&str>([]).map(drop)).unwrap();
    assert!(parents(&acme).is_empty());
}

#[test]
fn r7_a_cycle_is_one_whatever_the_windows_are() {
    let acme = acme(joined);
    let edits: [fn(&Tx) -> rolecall::Result<()>; 6] = [
        |tx| tx.group("apollo")?.add_parent("backend")?.done(),
        |tx| tx.group("apollo")?.add_parent_during("backend", during(30, 40))?.done(),
        |tx| tx.group("program")?.add_parent_during("backend", during(30, 40))?.done(),
        |tx| tx.group("program")?.ensure_parent("backend", during(30, 40))?.done(),
        |tx| tx.group("program")?.set_parents(["backend"]).map(drop),
        |tx| tx.group("backend")?.add_parent_during("backend", during(30, 40))?.done(),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let error = acme.update(edit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cycle, "{n}");
        assert_eq!(error.cycle_names().first(), error.cycle_names().last(), "{n}");
    }
}

#[test]
fn r3_lists_show_links_out_of_their_window_marked() {
    let acme = acme(joined);
    for (instant, active) in [(9, false), (10, true), (20, false)] {
        let now = acme.snapshot().at(at(instant));
        let [parent] = &now.parents_of("backend")[..] else { panic!("one parent") };
        let [child] = &now.subgroups("apollo", &page()).items[..] else { panic!("one sub-group") };
        assert_eq!((parent.record.slug.as_str(), parent.window, parent.active), ("apollo", during(10, 20), active));
        assert_eq!((child.record.slug.as_str(), child.window, child.active), ("backend", during(10, 20), active));
        let [always] = &now.subgroups("program", &page()).items[..] else { panic!("one sub-group") };
        assert_eq!((always.record.slug.as_str(), always.window, always.active), ("apollo", Window::ALWAYS, true));
    }
    assert!(acme.now().parents_of("nothing").is_empty() && acme.now().subgroups("nothing", &page()).items.is_empty());
}

#[test]
fn r3_explanations_show_the_window_of_a_link() {
    let acme = acme(joined);
    let explain = |instant| acme.snapshot().at(at(instant)).explain("alice", "report");
    let path = "`alice` is in `backend`, a part of `apollo` (from 1970-01-01T00:00:10Z until 1970-01-01T00:00:20Z), \
                a part of `program`, which has the role `report`, which grants `report`";
    assert_eq!(explain(10).to_string(), format!("allowed: {path}"));
    let link = PathStep::Parent { group: "apollo".parse().unwrap(), window: during(10, 20) };
    assert_eq!(explain(10).paths()[0].steps()[1], link);
    let early = format!(
        "denied: the next window that allows it begins at 1970-01-01T00:00:10Z\n  a path that is not active at this time: {path}"
    );
    assert!(explain(9).to_string().starts_with(&early), "{}", explain(9));
    let groups: Vec<String> = explain(9).groups().iter().map(|group| group.slug.to_string()).collect();
    assert_eq!(groups, ["apollo", "program"]);
    assert_eq!(explain(10).groups().len(), 0, "nothing is missing");
    let late = format!(
        "denied: the last window that allows it ended at 1970-01-01T00:00:20Z\n  a path that is not active at this time: {path}"
    );
    assert!(explain(20).to_string().starts_with(&late), "{}", explain(20));
}

#[test]
fn r3_the_reason_of_a_denial_considers_links() {
    let acme = acme(|tx| {
        tx.create_user("bob")?.join_during("backend", during(5, 15))?;
        tx.group("backend")?
            .add_parent_during("apollo", during(10, 20))?
            .add_parent_during("program", during(40, 50))?;
        Ok(())
    });
    let decide = |user: &str, what: &str, instant| acme.snapshot().at(at(instant)).decide(user, what);
    let from = |secs| Decision::Denied(Reason::NotYetActive { from: at(secs) });
    let until = |secs| Decision::Denied(Reason::Expired { until: at(secs) });
    let table = [
        ("alice", "deploy", 9, from(10)),
        ("alice", "deploy", 10, Decision::Allowed),
        ("alice", "deploy", 20, until(20)),
        // Later, through the parent group directly.
        ("alice", "report", 30, from(40)),
        ("alice", "report", 49, Decision::Allowed),
        ("alice", "report", 50, until(50)),
        // Of two windows on a path, the one that begins later or ends earlier decides.
        ("bob", "deploy", 4, from(10)),
        ("bob", "deploy", 17, until(15)),
        ("bob", "deploy", 30, until(15)),
        ("sue", "deploy", 15, Decision::Denied(Reason::Suspended)),
    ];
    for (user, what, instant, expected) in table {
        assert_eq!(decide(user, what, instant), expected, "{user} {what} at {instant}");
    }
}

#[test]
fn r3_an_answer_is_valid_until_a_link_begins_or_ends() {
    let acme = acme(|tx| {
        joined(tx)?;
        tx.group("apollo")?.set_parent_window("program", Window::from(at(15)))?;
        Ok(())
    });
    let valid = |what: &str, instant| acme.snapshot().at(at(instant)).valid_until("alice", what);
    for (what, instant, expected) in [
        ("deploy", 0, Some(10)),
        ("deploy", 10, Some(20)),
        ("deploy", 20, None),
        ("report", 12, Some(15)),
        ("report", 15, Some(20)),
        ("report", 20, None),
    ] {
        assert_eq!(valid(what, instant), expected.map(at), "{what} at {instant}");
    }
    assert_eq!(acme.snapshot().at(at(0)).valid_until("sue", "deploy"), None);
}

#[test]
fn r3_a_window_in_the_middle_of_a_long_chain_is_kept() {
    let acme = acme(|tx| {
        // One of many parents has an active link.
        for n in 0..40 {
            tx.create_group(&format!("wide{n}"))?;
            tx.group("backend")?.add_parent(format!("wide{n}"))?;
        }
        for n in 0..60 {
            let group = tx.create_group(&format!("c{n}"))?;
            let wider = if n == 0 { "apollo".to_owned() } else { format!("c{}", n - 1) };
            let window = if n == 30 { during(10, 20) } else { Window::ALWAYS };
            group.add_parent_during(wider, window)?;
        }
        tx.group("wide20")?.add_parent("c59")?;
        Ok(())
    });
    for (instant, expected) in [(before(10), false), (at(10), true), (before(20), true), (at(20), false)] {
        answers_are(&acme, instant, expected);
    }
    // A change above a link with a window affects the groups below it.
    acme.update(|tx| tx.role("report")?.revoke("report")?.done()).unwrap();
    assert!(!acme.snapshot().at(at(15)).check("alice", "report"));
    acme.update(|tx| tx.role("report")?.grant("report")?.done()).unwrap();
    acme.update(|tx| tx.group("c30")?.set_parent_window("c29", Window::ALWAYS)?.done()).unwrap();
    answers_are(&acme, at(25), true);
}

#[test]
fn r3_a_plan_says_who_gains_and_loses_through_a_link() {
    let acme = acme(|_| Ok(()));
    let gained = |plan: &rolecall::Plan, instant| {
        let changes: Vec<_> = plan.access_changes(at(instant)).collect();
        changes.iter().map(|c| (c.user.key.to_string(), c.gained.len(), c.lost.len())).collect::<Vec<_>>()
    };
    let ((), plan) = acme.plan(joined).unwrap();
    assert!(gained(&plan, 9).is_empty() && gained(&plan, 20).is_empty());
    assert_eq!(gained(&plan, 15), [("alice".into(), 2, 0)]);
    assert!(plan.preview().at(at(15)).check("alice", "report") && !plan.base().at(at(15)).check("alice", "report"));
    acme.commit(plan).unwrap();
    let shorter = |tx: &Tx| tx.group("backend")?.set_parent_window("apollo", during(16, 20))?.done();
    let ((), plan) = acme.plan(shorter).unwrap();
    assert_eq!(gained(&plan, 15), [("alice".into(), 0, 2)]);
    assert!(gained(&plan, 17).is_empty());
}

#[test]
fn r3_another_process_sees_a_link_begin_and_end_by_its_own_clock() {
    let store = MemoryStore::default();
    let clock = Arc::new(ManualClock::new(at(9)));
    let writer = Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let acme = writer.create_tenant("acme", "Acme").unwrap();
    acme.update(populate).unwrap();
    let reader = Authorizer::builder().store(store).clock(clock.clone()).build();
    let there = reader.tenant("acme").unwrap();
    acme.update(joined).unwrap();
    clock.set(at(15));
    assert!(!there.check("alice", "deploy"));
    there.refresh().unwrap();
    for (instant, expected) in [(9, false), (10, true), (19, true), (20, false)] {
        clock.set(at(instant));
        assert_eq!(there.check("alice", "deploy"), expected, "at {instant}");
        assert_eq!(there.now().members("backend", &PageRequest::of(9)).items.len(), 2);
    }
    acme.update(|tx| tx.group("backend")?.set_parent_window("apollo", during(10, 30))?.done()).unwrap();
    there.refresh().unwrap();
    assert!(there.check("alice", "deploy"));
}
