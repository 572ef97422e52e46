//! When a right is held: the guard judges the newest state, and each instant by itself.

use super::*;

#[test]
fn a9_a_suspension_between_plan_and_commit_is_seen() {
    let acme = acme();
    let ((), plan) = acme.plan(|tx| tx.set_guard("alice").user("bob")?.assign("editor")?.done()).unwrap();
    let copy = plan.clone();
    acme.update(|tx| tx.user("alice")?.suspend()?.done()).unwrap();
    assert_eq!(acme.commit(plan).unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(acme.rebase(&copy).unwrap_err().kind(), ErrorKind::Escalation);
    acme.update(|tx| tx.user("alice")?.activate()?.done()).unwrap();
    acme.commit(acme.rebase(&copy).unwrap()).unwrap();
    assert!(acme.check("bob", "posts:write"));
}

#[test]
fn r13_a_rebased_plan_is_judged_on_the_newest_state() {
    let acme = acme();
    // The group gives more by now, and the actor does not hold that.
    let ((), plan) = acme.plan(|tx| tx.set_guard("alice").user("bob")?.join("team")?.done()).unwrap();
    acme.update(|tx| tx.group("team")?.assign("payer")?.done()).unwrap();
    let error = acme.rebase(&plan).unwrap_err();
    assert_eq!((error.kind(), error.missing_rights()[0].right.as_str()), (ErrorKind::Escalation, "billing:pay"));
    // Nobody stays nobody, even if somebody gets that name.
    let ((), plan) = acme.plan(|tx| tx.set_guard("zed").create_user("yan")?.done()).unwrap();
    acme.update(|tx| tx.create_user("zed")?.assign("admin")?.done()).unwrap();
    acme.commit(acme.rebase(&plan).unwrap()).unwrap();
}

#[test]
fn r13_only_what_is_held_at_each_instant_is_passed_on() {
    let clock = Arc::new(ManualClock::new(at(50)));
    let acme = acme_by(Arc::clone(&clock));
    acme.update(|tx| {
        tx.user("bob")?.assign_during("payer", Window::between(at(60), at(80))?)?;
        tx.create_group("other")?.assign_during("payer", Window::between(at(80), at(90))?)?.add_member("bob")?.done()
    })
    .unwrap();
    let give = |from: i64, to: i64| {
        let window = Window::between(at(from), at(to)).unwrap();
        acme.plan(move |tx| tx.set_guard("bob").user("alice")?.assign_during("payer", window)?.done())
            .map_err(|error| error.missing_rights()[0].windows.join(", "))
            .map(drop)
    };
    assert_eq!((give(60, 80), give(70, 75), give(60, 90), give(81, 85)), (Ok(()), Ok(()), Ok(()), Ok(())));
    assert_eq!(give(0, 70).unwrap_err(), "until 1970-01-01T00:01:00Z", "what is over does not count");
    assert_eq!(
        give(59, 91).unwrap_err(),
        "from 1970-01-01T00:00:59Z until 1970-01-01T00:01:00Z, from 1970-01-01T00:01:30Z until 1970-01-01T00:01:31Z"
    );
    clock.set(at(95));
    assert_eq!(give(0, 96).unwrap_err(), "until 1970-01-01T00:01:36Z");
}

#[test]
fn a18_expired_rights_of_the_actor_do_not_count() {
    let clock = Arc::new(ManualClock::new(at(50)));
    let acme = acme_by(Arc::clone(&clock));
    let give = || guarded(&acme, "temp", |tx| tx.user("bob")?.assign_during("payer", until(100))?.done());
    assert_eq!(
        acme.plan(|tx| tx.set_guard("temp").user("bob")?.assign("payer")?.done()).unwrap_err().kind(),
        ErrorKind::Escalation
    );
    let ((), waiting) =
        acme.plan(|tx| tx.set_guard("temp").user("bob")?.assign_during("payer", until(100))?.done()).unwrap();
    clock.set(at(100));
    assert_eq!(give().unwrap_err().kind(), ErrorKind::Invalid, "the window has ended");
    // A plan that waited gives for the instants that were judged, and they are over.
    acme.commit(waiting).unwrap();
    assert!(!acme.check("bob", "billing:pay"));
    let longer: Call = |tx| tx.user("temp")?.extend_assignment("payer", at(110))?.done();
    assert_eq!(guarded(&acme, "temp", longer).unwrap_err().kind(), ErrorKind::Escalation, "nobody renews what is over");
}
