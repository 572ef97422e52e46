//! Followers: when they see a change, what they cost, and when they end.

use super::*;

#[test]
fn a_second_process_sees_a_revocation_at_the_next_poll() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    world.advance(100);
    revoke(&world, &acme);
    world.advance(890);
    assert!(may_write(&elsewhere), "not before the poll");
    world.advance(20);
    assert!(!may_write(&elsewhere));
    second.link.reads();
    second.link.polls();
    world.advance(5_000);
    assert_eq!(second.link.reads(), 0, "nothing has changed, so nothing is read");
    assert!((4..=6).contains(&second.link.polls()));
}

#[test]
fn with_hints_a_revocation_is_seen_at_once_and_a_lost_hint_costs_one_interval() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    revoke(&world, &acme);
    world.run();
    assert!(!may_write(&elsewhere), "without a pause");
    assign(&world, &acme);
    world.run();
    assert!(may_write(&elsewhere));
    Link::set(&second.state().loses_hints, true);
    revoke(&world, &acme);
    world.advance(900);
    assert!(may_write(&elsewhere), "the hint was lost");
    world.advance(110);
    assert!(!may_write(&elsewhere));
}

#[test]
fn a_false_hint_costs_a_call_and_changes_no_number() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().exaggerates, true);
    revoke(&world, &acme);
    world.run();
    assert!(!may_write(&elsewhere));
    assert_eq!((elsewhere.lag().revisions, second.authorizer.metrics().revisions_behind), (0, 0));
    second.link.reads();
    world.advance(5_000);
    assert_eq!(second.link.reads(), 0, "nobody waits for that revision");
}

#[test]
fn own_commits_cost_no_call_more() {
    let (world, _first, (second, elsewhere)) = two(true);
    second.link.reads();
    for _ in 0..5 {
        revoke(&world, &elsewhere);
        assign(&world, &elsewhere);
    }
    world.advance(3_000);
    assert_eq!(second.link.reads(), 0);
}

#[test]
fn a_link_that_is_cut_is_watched_again() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().cuts_hints, true);
    revoke(&world, &acme);
    world.run();
    assert!(second.errors.lock().unwrap().contains(&ErrorKind::Unavailable));
    Link::set(&second.state().cuts_hints, false);
    world.advance(1_010);
    assert!(!may_write(&elsewhere), "by the poll");
    assert_eq!(second.state().watches.load(Ordering::SeqCst), 2);
    assign(&world, &acme);
    world.run();
    assert!(may_write(&elsewhere), "by a hint");
}

#[test]
fn a_follower_goes_on_while_a_store_fails() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().loses_hints, true);
    Link::set(&second.state().is_down, true);
    world.advance(1_000);
    second.link.polls();
    revoke(&world, &acme);
    world.advance(60_000);
    let polls = second.link.polls();
    assert!((6..=10).contains(&polls), "the pauses grow to ten seconds: {polls} polls in a minute");
    assert!(may_write(&elsewhere) && elsewhere.lag().failed_refreshes > 5);
    assert!(second.errors.lock().unwrap().iter().all(|kind| *kind == ErrorKind::Unavailable));
    Link::set(&second.state().is_down, false);
    world.advance(10_020);
    assert!(!may_write(&elsewhere));
    assert_eq!(elsewhere.lag().failed_refreshes, 0);
    assign(&world, &acme);
    world.advance(1_010);
    assert!(may_write(&elsewhere), "at the usual interval again");
}

#[test]
fn a_follower_outlives_a_store_that_hangs_or_panics() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    Link::set(&second.state().hangs, true);
    world.advance(2_000);
    revoke(&world, &acme);
    second.link.polls();
    // The call that hangs is given up; the next one is answered.
    world.advance(31_000);
    Link::set(&second.state().hangs, false);
    world.advance(3_000);
    assert!(!may_write(&elsewhere));
    assign(&world, &acme);
    Link::set(&second.state().panics, true);
    world.advance(3_000);
    Link::set(&second.state().panics, false);
    world.advance(10_000);
    assert!(may_write(&elsewhere));
}

#[test]
fn a_tenant_that_is_stuck_does_not_hold_up_the_others() {
    let (world, (first, acme), (second, elsewhere)) = two(false);
    let globex = world.wait(first.authorizer.create_tenant("globex", "Globex")).unwrap();
    let globex_elsewhere = world.wait(second.authorizer.tenant("globex")).unwrap();
    second.state().stuck.lock().unwrap().insert(acme.tenant_id());
    revoke(&world, &acme);
    world.wait(globex.update(|tx| tx.create_user("bob")?.done())).unwrap();
    world.advance(2_000);
    assert_eq!((globex_elsewhere.revision(), may_write(&elsewhere)), (globex.revision(), true));
    second.state().stuck.lock().unwrap().clear();
    world.run();
    assert!(!may_write(&elsewhere));
}

#[test]
fn a_tenant_that_another_process_deletes_is_denied() {
    let (world, (_first, acme), (_second, elsewhere)) = two(false);
    world.wait(acme.delete()).unwrap();
    world.advance(1_010);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::Deleted));
}

#[test]
fn invalid_content_is_read_again_at_growing_intervals_until_it_is_repaired() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    Link::set(&second.state().is_corrupt, true);
    revoke(&world, &acme);
    world.advance(1_010);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::InvalidStoreContent));
    second.link.reads();
    world.advance(60_000);
    let reads = second.link.reads();
    assert!((3..=8).contains(&reads), "{reads} reads in a minute");
    Link::set(&second.state().is_corrupt, false);
    world.advance(33_000);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::NoPath));
}

#[test]
fn a_follower_ends_with_the_authorizer_and_holds_no_tenant_open() {
    let (world, _first, (second, elsewhere)) = two(true);
    assert_eq!(world.tasks(), 1);
    drop(elsewhere);
    assert_eq!(second.authorizer.close_idle(Duration::ZERO), 1);
    second.link.polls();
    world.advance(3_000);
    assert_eq!(second.link.polls(), 0, "no tenant is open, so the store is not asked");
    let link = second.link.clone();
    drop(second);
    world.advance(1_010);
    assert_eq!((world.tasks(), link.polls()), (0, 0));
}

/// Nothing is under way then, so nothing would wake the follower later.
#[test]
fn a_follower_that_starts_after_its_authorizer_was_dropped_ends() {
    let (world, store) = (World::default(), MemoryStore::default());
    let process = Process::start(&world, &store);
    let mut follower = Box::pin(process.authorizer.follow(process.link.clone()).run());
    drop(process);
    assert!(poll(follower.as_mut()).is_ready());
}

#[test]
fn dropping_the_future_of_a_follower_ends_it() {
    let (world, store) = (World::default(), MemoryStore::default());
    let process = Process::start(&world, &store);
    let _acme = process.acme(&world);
    let mut follower = Box::pin(process.authorizer.follow(process.link.clone()).watch(process.link.clone()).run());
    assert!(poll(follower.as_mut()).is_pending());
    drop(follower);
    process.link.polls();
    world.advance(5_000);
    assert_eq!((process.link.polls(), world.tasks()), (0, 0));
}

#[test]
fn a28_a_position_is_a_token_for_another_process() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (first, second) = (Process::start(&world, &store), Process::start(&world, &store));
    let (acme, elsewhere) = (first.acme(&world), second.acme(&world));
    set_up(&world, &acme);
    let token = acme.snapshot().position().to_string();
    assert!(!may_write(&elsewhere));
    second.link.reads();
    let position: Position = token.parse().unwrap();
    let mut calls: Vec<_> = (0..5).map(|_| Box::pin(elsewhere.at_least(position))).collect();
    let pending = calls.iter_mut().map(|call| poll(call.as_mut())).filter(Poll::is_pending).count();
    assert_eq!(pending, 5);
    for call in calls {
        assert_eq!(world.wait(call).unwrap(), acme.revision());
    }
    assert_eq!(second.link.reads(), 1, "one of the calls asked the store");
    assert!(may_write(&elsewhere));
    world.wait(elsewhere.at_least(position)).unwrap();
    assert_eq!(second.link.reads(), 0, "it is there");

    let other = world.wait(first.authorizer.create_tenant("globex", "Globex")).unwrap();
    let error = world.wait(elsewhere.at_least(other.snapshot().position())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let ahead = Position { revision: Revision::new(99), ..position };
    assert_eq!(world.wait(elsewhere.at_least(ahead)).unwrap_err().kind(), ErrorKind::NotInHistory);
    let another = Position { commit: CommitId::random(), ..position };
    assert_eq!(world.wait(elsewhere.at_least(another)).unwrap_err().kind(), ErrorKind::NotInHistory);
    Link::set(&second.state().is_down, true);
    assert_eq!(world.wait(elsewhere.at_least(ahead)).unwrap_err().kind(), ErrorKind::Unavailable);
    world.wait(elsewhere.close()).unwrap();
    assert_eq!(world.wait(elsewhere.at_least(position)).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_blocking_follower_follows_on_its_thread() {
    let store = MemoryStore::default();
    let first = blocking::Authorizer::builder().store(store.clone()).build();
    let second = blocking::Authorizer::builder().store(store.clone()).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    let elsewhere = second.tenant("acme").unwrap();
    let follower = second.follow(store.clone()).watch(store).every(Duration::from_millis(5));
    let thread = std::thread::spawn(|| follower.run());
    acme.update(|tx| tx.create_user("alice")?.done()).unwrap();
    for _ in 0..2_000 {
        if elsewhere.now().user("alice").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(elsewhere.now().user("alice").is_some());
    drop(second);
    thread.join().unwrap().unwrap();
}
