//! The bound on staleness: beyond it a tenant denies until the store has confirmed its state.

use super::*;

const LIMIT: Duration = Duration::from_secs(8);

fn bounded(world: &World, store: &MemoryStore) -> (Process, Tenant) {
    let process = Process::start_with(world, store, |builder| builder.max_staleness(LIMIT));
    let acme = process.acme(world);
    if acme.revision() == Revision::FIRST {
        set_up(world, &acme);
    }
    (process, acme)
}

#[test]
fn beyond_the_bound_a_tenant_denies_until_the_store_confirms_its_state() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    world.advance(60_000);
    assert!(may_write(&acme), "the polls confirm it");
    Link::set(&process.state().is_down, true);
    world.advance(5_900);
    assert!(may_write(&acme), "within the bound");
    let kept = acme.snapshot();
    world.advance(2_100);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed));
    assert!(!may_write(&acme) && acme.effective("alice").is_empty());
    assert!(kept.at(Timestamp::UNIX_EPOCH).check("alice", "posts:write"), "a snapshot was taken before");
    Link::set(&process.state().is_down, false);
    world.advance(10_010);
    assert!(may_write(&acme));
    assert_eq!(acme.lag().failed_refreshes, 0);
}

#[test]
fn a_late_answer_confirms_the_instant_of_the_question() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    world.advance(2_500);
    Link::set(&process.state().hangs, true);
    world.advance(6_000);
    Link::set(&process.state().hangs, false);
    world.run();
    Link::set(&process.state().is_down, true);
    assert!(may_write(&acme));
    world.advance(2_700);
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed), "the store was asked more than eight seconds ago");
}

#[test]
fn a_position_of_another_history_confirms_nothing() {
    let (world, _first, (second, _elsewhere)) = two(false);
    world.advance(2_000);
    assert_eq!(second.link.reads(), 1, "it was opened");
    Link::set(&second.state().went_back, true);
    world.advance(3_000);
    assert!(second.link.reads() >= 2, "it is refreshed at each poll, which finds out what happened");
}

#[test]
fn a_store_that_hangs_is_no_way_around_the_bound() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, true);
    Link::set(&process.state().hangs, true);
    // A call that has the turn in the tenant's queue, and does not end.
    let mut refresh = Box::pin(acme.refresh());
    assert!(poll(refresh.as_mut()).is_pending());
    world.advance(8_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    Link::set(&process.state().hangs, false);
    world.wait(refresh).unwrap();
    assert!(may_write(&acme));
}

#[test]
fn an_answer_that_takes_longer_than_the_bound_is_not_served() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    let elsewhere = Process::start(&world, &store);
    revoke(&world, &elsewhere.acme(&world));
    // A refresh with news, and one without.
    for news in [true, false] {
        Link::set(&process.state().hangs, true);
        let mut refresh = Box::pin(acme.refresh());
        assert!(poll(refresh.as_mut()).is_pending());
        world.advance(9_000);
        Link::set(&process.state().hangs, false);
        world.wait(refresh).unwrap();
        assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed), "{news}");
        assert_eq!(acme.revision(), Revision::new(3));
    }
    world.wait(acme.refresh()).unwrap();
    assert_eq!((acme.now().unavailable(), may_write(&acme)), (None, false));
}

#[test]
fn a_tenant_whose_load_takes_longer_than_the_bound_opens_unconfirmed() {
    let (world, store) = (World::default(), MemoryStore::default());
    let tenant_id = bounded(&world, &store).1.tenant_id();
    let process = Process::start_with(&world, &store, |builder| builder.max_staleness(LIMIT));
    Link::set(&process.state().hangs, true);
    let mut opening = Box::pin(process.authorizer.tenant_by_id(tenant_id));
    assert!(poll(opening.as_mut()).is_pending());
    world.advance(9_000);
    Link::set(&process.state().hangs, false);
    let acme = world.wait(opening).unwrap();
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed));
    world.wait(acme.refresh()).unwrap();
    assert!(may_write(&acme));
}

#[test]
fn a_plan_of_a_tenant_that_is_unconfirmed_says_what_it_would_change() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    world.advance(9_000);
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed));
    let ((), plan) = acme.plan(|tx| tx.user("alice")?.unassign("editor")?.done()).unwrap();
    let lost: Vec<_> = plan.access_changes(plan.instant()).map(|change| change.to_string()).collect();
    assert_eq!(lost, ["user `alice` loses `posts:write`"]);
    let ((), ending) = acme.plan(rolecall::Tx::delete_tenant).unwrap();
    assert_eq!(ending.access_changes(plan.instant()).count(), 1);
    let catalog = rolecall::catalog::Catalog::empty();
    let error = acme.snapshot().reconcile(&catalog, plan.instant()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "an empty list of findings would say that there are none");
    world.wait(acme.commit(plan)).unwrap();
    assert_eq!((acme.now().unavailable(), may_write(&acme)), (None, false));
    drop(process);
}

#[test]
fn without_a_follower_every_call_that_asks_the_store_confirms() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    for _ in 0..3 {
        world.advance(5_000);
        world.wait(acme.refresh()).unwrap();
        world.advance(5_000);
        // Without effect.
        world.wait(acme.update(|_| Ok(()))).unwrap();
        world.advance(5_000);
        revoke(&world, &acme);
        assign(&world, &acme);
    }
    assert!(may_write(&acme));
    world.advance(8_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    // The closure must see the tenant itself, although its checks are denied.
    let seen = world.wait(acme.update(|tx| Ok(tx.base().at(tx.instant()).check("alice", "posts:write")))).unwrap();
    assert!(seen.value && may_write(&acme));
    world.advance(8_000);
    Link::set(&process.state().is_down, true);
    let error = world.wait(acme.update(|tx| tx.create_user("bob")?.done())).unwrap_err();
    assert_eq!((error.kind(), acme.now().unavailable()), (ErrorKind::Unavailable, Some(Reason::Unconfirmed)));
}

#[test]
fn a_state_that_was_never_confirmed_again_is_denied_after_the_authorizer_is_dropped() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    drop(process);
    world.advance(10_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    drop(acme);
    world.advance(10_000);
    assert_eq!(world.tasks(), 0, "the task ends with the last tenant");
}

#[test]
fn lag_says_when_the_state_was_confirmed() {
    let (world, store) = (World::default(), MemoryStore::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(100).unwrap()));
    let process = Process::start_with(&world, &store, |builder| builder.clock(Arc::clone(&clock)));
    let acme = process.acme(&world);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(100).unwrap());
    clock.set(Timestamp::from_secs(200).unwrap());
    process.follow(&world, false);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(200).unwrap());
    Link::set(&process.state().is_down, true);
    clock.set(Timestamp::from_secs(300).unwrap());
    world.advance(5_000);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(200).unwrap());
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// How far time moves at once in a schedule, in milliseconds.
const STEP: u64 = 50;

/// Three processes, each with a follower and a bound, that write one tenant over links with random faults.
struct Schedule {
    world: World,
    store: MemoryStore,
    processes: Vec<(Process, Tenant)>,
    random: Random,
    /// When each revision was seen in the store, in order.
    made: Vec<(u64, u64)>,
    denied: u32,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let (world, store) = (World::default(), MemoryStore::default());
        let processes: Vec<_> = (0..3).map(|_| bounded(&world, &store)).collect();
        for (number, (process, _)) in processes.iter().enumerate() {
            process.follow(&world, number < 2);
        }
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { world, store, processes, random, made: Vec::new(), denied: 0 }
    }

    fn flags(state: &LinkState) -> [&AtomicBool; 7] {
        [
            &state.is_down,
            &state.hangs,
            &state.panics,
            &state.is_corrupt,
            &state.loses_hints,
            &state.cuts_hints,
            &state.loses_answers,
        ]
    }

    fn event(&mut self) {
        let some = usize::try_from(self.random.below(3)).unwrap();
        let (process, tenant) = self.processes.get(some).unwrap();
        match self.random.below(10) {
            0..4 => {
                let (tenant, is_member) = (tenant.clone(), self.random.below(2) == 0);
                self.world.spawn(Box::pin(async move {
                    let change = tenant.update(|tx| {
                        let alice = tx.user("alice")?;
                        if is_member { alice.assign("editor")?.done() } else { alice.unassign("editor")?.done() }
                    });
                    drop(change.await);
                }));
            }
            4..7 => Self::flags(process.state()).into_iter().for_each(|flag| Link::set(flag, false)),
            _ => {
                let flag = usize::try_from(self.random.below(7)).unwrap();
                Link::set(Self::flags(process.state()).get(flag).unwrap(), true);
            }
        }
    }

    /// Lets time pass. A process that answers has what was committed longer ago than the bound.
    fn check(&mut self, millis: u64) {
        for _ in 0..millis / STEP {
            self.world.0.now.fetch_add(STEP, Ordering::SeqCst);
            self.world.run();
            let tenant_id = self.processes.first().unwrap().1.tenant_id();
            let latest = pollster::block_on(self.store.positions(&[tenant_id])).unwrap();
            let latest = latest.first().unwrap().unwrap().revision.number();
            let now = self.world.now();
            if self.made.last().is_none_or(|(_, revision)| *revision < latest) {
                self.made.push((now, latest));
            }
            let bound = u64::try_from(LIMIT.as_millis()).unwrap() + 2 * STEP;
            let old = self.made.iter().rev().find(|(at, _)| at + bound <= now).map_or(0, |(_, revision)| *revision);
            for (_, tenant) in &self.processes {
                if tenant.now().unavailable().is_some() {
                    self.denied += 1;
                } else {
                    let found = tenant.revision().number();
                    assert!(found >= old, "revision {found} answers at {now} ms, and {old} is older than the bound");
                }
            }
        }
    }
}

#[test]
fn no_answer_is_older_than_the_bound_whatever_fails() {
    let (mut denied, mut made): (u32, usize) = (0, 0);
    let seeds = std::env::var("ROLECALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    for seed in 1..=seeds {
        let mut schedule = Schedule::new(u64::from(seed));
        for _ in 0..60 {
            schedule.event();
            let millis = STEP * (1 + schedule.random.below(30));
            schedule.check(millis);
        }
        for (process, _) in &schedule.processes {
            for flag in Schedule::flags(process.state()) {
                Link::set(flag, false);
            }
        }
        // A call that hung is given up after 30 seconds; a tenant with invalid content is read after 32 polls.
        schedule.check(90_000);
        for (_, tenant) in &schedule.processes {
            assert_eq!(tenant.now().unavailable(), None, "seed {seed}");
            assert_eq!(tenant.revision().number(), schedule.made.last().unwrap().1, "seed {seed}");
        }
        (denied, made) = (denied + schedule.denied, made + schedule.made.len());
    }
    assert!(denied > 100 * seeds && made > 5, "{denied} denied, {made} revisions: the schedules do too little");
}
