//! Depth and width: right answers and explanations, no stack overflow, nothing quadratic. A quadratic
//! algorithm would not finish; the benches measure times.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::store::MemoryStore;
use rolecall::{PageRequest, Timestamp, Tx, Window};

/// A test build is slow; `.ci/run` takes the full size, in release.
const LONG: usize = if cfg!(debug_assertions) { 8_000 } else { 100_000 };

fn acme() -> Tenant {
    Authorizer::in_memory().create_tenant("acme", "Acme").unwrap()
}

/// A tenant, and a function that loads it from its store with another authorizer.
fn acme_with_loads() -> (Tenant, impl Fn() -> Tenant) {
    let store = MemoryStore::default();
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    (acme, move || Authorizer::builder().store(store.clone()).build().tenant("acme").unwrap())
}

/// Every kind of question about a user at the end of a long chain.
fn answers(acme: &Tenant, user: &str, granted: &str, denied: &str, steps: usize) {
    assert!(acme.check(user, granted) && !acme.check(user, denied));
    let explanation = acme.explain(user, granted);
    assert!(explanation.is_allowed());
    assert_eq!(explanation.paths().first().unwrap().steps().len(), steps);
    assert!(explanation.to_string().len() < 10_000, "the text of a long path is cut");
    assert!(!acme.explain(user, denied).is_allowed());
    assert!(acme.effective(user).contains(granted) && !acme.effective(user).contains(denied));
    assert!(acme.now().who_can(granted).contains(user) && !acme.now().who_can(denied).contains(user));
    assert_eq!(acme.now().valid_until(user, denied), None);
}

#[test]
fn a_long_chain_of_groups_takes_linear_time() {
    let (acme, load) = acme_with_loads();
    acme.update(|tx| {
        tx.create_permission("p:top")?;
        tx.create_permission("p:none")?;
        tx.create_role("r")?.grant("p:top")?;
        tx.create_group("g0")?.assign("r")?;
        for n in 1..LONG {
            tx.create_group(&format!("g{n}"))?.add_parent(format!("g{}", n - 1))?;
        }
        tx.create_user("deep")?.join(format!("g{}", LONG - 1))?;
        Ok(())
    })
    .unwrap();
    answers(&acme, "deep", "p:top", "p:none", LONG + 1);
    assert_eq!(acme.now().all_groups_of("deep").len(), LONG);
    assert_eq!(acme.now().all_members("g0").len(), 1);
    let cycle = acme.update(|tx| tx.group("g0")?.add_parent(format!("g{}", LONG - 1))?.done()).unwrap_err();
    assert!(!cycle.cycle_names().is_empty() && cycle.to_string().len() < 1_000);

    // The top loses the role: everything below is recomputed.
    acme.update(|tx| tx.group("g0")?.unassign("r")?.done()).unwrap();
    assert!(!acme.check("deep", "p:top") && !load().check("deep", "p:top"));
    acme.update(|tx| tx.group("g0")?.assign("r")?.done()).unwrap();
    assert!(acme.check("deep", "p:top") && load().check("deep", "p:top"));
}

/// The length of a chain in which every group or role gives a permission of its own. In release, unbounded rows would take
/// many times the words of the budget.
const CHAIN: usize = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
const MIDDLE: usize = CHAIN / 2;
const LAST: usize = CHAIN - 1;

/// The users, and the place of each in the chain. Place `n` gives permission `n` and everything above it.
const PLACES: [(&str, usize); 3] = [("top", 0), ("middle", MIDDLE), ("bottom", LAST)];

/// Compares the answers for these users with `expected(place, permission)`.
fn assert_chain(tenant: &Tenant, expected: impl Fn(usize, usize) -> bool) {
    for (user, place) in PLACES {
        for n in [0, 1, MIDDLE - 1, MIDDLE, MIDDLE + 1, LAST - 1, LAST] {
            let (permission, expected) = (format!("p:{n}"), expected(place, n));
            assert_eq!(tenant.check(user, &permission), expected, "{user}, {permission}");
        }
        assert!(!tenant.check(user, "p:none"), "{user}");
        assert_eq!(tenant.effective(user).len(), (0..CHAIN).filter(|n| expected(place, *n)).count(), "{user}");
    }
    assert_eq!(tenant.explain("bottom", "p:0").is_allowed(), expected(LAST, 0));
}

/// Checks the tenant, and the same tenant loaded by another authorizer.
fn assert_chain_also_loaded(acme: &Tenant, load: impl Fn() -> Tenant, expected: impl Fn(usize, usize) -> bool) {
    assert_chain(acme, &expected);
    assert_chain(&load(), &expected);
}

fn create_permissions_and_roles(tx: &Tx) -> rolecall::Result<()> {
    tx.create_permission("p:none")?;
    for n in 0..CHAIN {
        tx.create_permission(&format!("p:{n}"))?;
        tx.create_role(&format!("r{n}"))?.grant(format!("p:{n}"))?;
    }
    PLACES.iter().try_for_each(|(user, _)| tx.create_user(user).map(drop))
}

#[test]
fn checks_on_a_long_chain_of_groups_are_right_before_and_after_changes() {
    let (acme, load) = acme_with_loads();
    acme.update(|tx| {
        create_permissions_and_roles(tx)?;
        for n in 0..CHAIN {
            let group = tx.create_group(&format!("g{n}"))?;
            group.assign(format!("r{n}"))?;
            if n > 0 {
                group.add_parent(format!("g{}", n - 1))?;
            }
        }
        PLACES.iter().try_for_each(|(user, place)| tx.user(*user)?.join(format!("g{place}"))?.done())
    })
    .unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| n <= place);
    acme.update(|tx| tx.group("g0")?.unassign("r0")?.done()).unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| (1..=place).contains(&n));
    let split = |tx: &Tx| tx.group(format!("g{MIDDLE}"))?.remove_parent(format!("g{}", MIDDLE - 1))?.done();
    acme.update(split).unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| n <= place && n >= MIDDLE);
}

#[test]
fn checks_on_a_long_chain_of_roles_are_right_before_and_after_changes() {
    let (acme, load) = acme_with_loads();
    acme.update(|tx| {
        create_permissions_and_roles(tx)?;
        (1..CHAIN).try_for_each(|n| tx.role(format!("r{n}"))?.include(format!("r{}", n - 1))?.done())?;
        PLACES.iter().try_for_each(|(user, place)| tx.user(*user)?.assign(format!("r{place}"))?.done())
    })
    .unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| n <= place);
    acme.update(|tx| tx.role("r0")?.revoke("p:0")?.done()).unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| (1..=place).contains(&n));
    acme.update(|tx| tx.role(format!("r{MIDDLE}"))?.exclude(format!("r{}", MIDDLE - 1))?.done()).unwrap();
    assert_chain_also_loaded(&acme, &load, |place, n| n <= place && n >= MIDDLE);
}

#[test]
fn a_long_chain_of_roles_with_a_grant_each_takes_linear_time() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_permission("p:none")?;
        for n in 0..LONG {
            tx.create_permission(&format!("p:{n}"))?;
            let role = tx.create_role(&format!("r{n}"))?;
            role.grant(format!("p:{n}"))?;
            if n > 0 {
                role.include(format!("r{}", n - 1))?;
            }
        }
        tx.create_user("deep")?.assign(format!("r{}", LONG - 1))?;
        Ok(())
    })
    .unwrap();
    answers(&acme, "deep", "p:0", "p:none", LONG);
    assert_eq!(acme.effective("deep").len(), LONG);
    assert_eq!(acme.now().all_roles_of("deep").len(), LONG);
}

/// As above, but each assignment has a window, so no row can be cached.
#[test]
fn a_chain_of_windows_is_walked() {
    let acme = acme();
    let until = Window::until(Timestamp::MAX);
    acme.update(|tx| {
        tx.create_permission("p:none")?;
        for n in 0..2_000 {
            tx.create_permission(&format!("p:{n}"))?;
            tx.create_role(&format!("r{n}"))?.grant(format!("p:{n}"))?;
            let group = tx.create_group(&format!("g{n}"))?;
            group.assign_during(format!("r{n}"), until)?;
            if n > 0 {
                group.add_parent(format!("g{}", n - 1))?;
            }
        }
        tx.create_user("deep")?.join("g1999")?;
        Ok(())
    })
    .unwrap();
    assert!(acme.check("deep", "p:0") && !acme.check("deep", "p:none"));
    assert_eq!(acme.effective("deep").len(), 2_000);
    assert_eq!(acme.now().valid_until("deep", "p:0"), Some(Timestamp::MAX));
    assert!(!acme.snapshot().at(Timestamp::MAX).check("deep", "p:0"));
}

#[test]
fn in_thousands_of_groups_two_paths_to_a_permission_allow_like_one() {
    let acme = acme();
    let id = acme
        .update(|tx| {
            tx.create_permission("p:one")?;
            tx.create_permission("p:none")?;
            tx.create_role("r")?.grant("p:one")?;
            for n in 0..2_000 {
                tx.create_group(&format!("g{n}"))?.assign("r")?;
            }
            tx.create_user("twice")?.join("g700")?.join("g1999")?.id()
        })
        .unwrap()
        .value;
    for left in ["g700", "g1999"] {
        answers(&acme, "twice", "p:one", "p:none", 2);
        assert!(acme.check(id, "p:one") && acme.now().check_many([(id, "p:one"), (id, "p:none")]).eq([true, false]));
        acme.update(|tx| tx.group(left)?.remove_member("twice")?.done()).unwrap();
    }
    assert!(!acme.check("twice", "p:one") && !acme.check(id, "p:one"), "the last path is removed");
}

#[test]
fn a_group_with_many_members_is_paged_and_left() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("r")?.grant("p")?;
        let all = tx.create_group("all")?;
        all.assign("r")?;
        for n in 0..LONG {
            tx.create_user(&format!("u{n:06}"))?.join("all")?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(acme.now().who_can("p").len(), LONG);
    let moment = acme.now();
    let first = moment.members("all", &PageRequest::of(50));
    assert_eq!(first.items.first().unwrap().record.key, "u000000");
    let next = moment.members("all", &PageRequest::of(50).after(first.next.unwrap()));
    assert_eq!(next.items.first().unwrap().record.key, "u000050");
    let page = moment.who_can("p").page(&PageRequest::of(3).after(format!("u{:06}", LONG - 4)));
    assert_eq!(page.items.len(), 3);
    assert_eq!(page.next, None);
    let found = moment.users(&PageRequest::of(10).search(format!("{:06}", LONG - 1)));
    assert_eq!(found.items.len(), 1);
    drop(moment);

    let ((), plan) = acme.plan(|tx| tx.group("all")?.unassign("r")?.done()).unwrap();
    assert_eq!(plan.access_changes(Timestamp::MIN).take(3).count(), 3, "computed on demand");
    acme.update(|tx| tx.delete_group("all")).unwrap();
    assert!(acme.now().who_can("p").is_empty());
}

#[test]
fn a_role_with_many_permissions_and_a_commit_of_many_changes() {
    let acme = acme();
    let done = acme
        .update(|tx| {
            let role = tx.create_role("everything")?;
            for n in 0..LONG / 10 {
                tx.create_permission(&format!("res{}:act{}", n / 10, n % 10))?;
                role.grant(format!("res{}:act{}", n / 10, n % 10))?;
            }
            for n in 0..LONG / 10 * 4 {
                tx.create_user(&format!("u{n}"))?.assign("everything")?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(done.changes.len(), LONG + 1, "A2: whole");
    assert_eq!(acme.effective(format!("u{}", LONG / 10 * 4 - 1)).len(), LONG / 10);
    assert!(acme.check("u0", "res79:act9"));
    acme.update(|tx| tx.delete_role("everything")).unwrap();
    assert!(!acme.check("u0", "res79:act9"));
}

/// A11: 2^40 paths.
#[test]
fn a11_a_lattice_of_40_diamonds() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_permission("p:bottom")?;
        tx.create_permission("p:none")?;
        tx.create_role("r")?.grant("p:bottom")?;
        tx.create_group("d0")?.assign("r")?;
        for n in 1..=40 {
            for side in ["left", "right"] {
                tx.create_group(&format!("{side}{n}"))?.add_parent(format!("d{}", n - 1))?;
            }
            tx.create_group(&format!("d{n}"))?.add_parent(format!("left{n}"))?.add_parent(format!("right{n}"))?;
        }
        tx.create_user("u")?.join("d40")?;
        // A shortcut makes one path shorter than all others.
        tx.group("d40")?.add_parent("d1")?;
        Ok(())
    })
    .unwrap();
    answers(&acme, "u", "p:bottom", "p:none", 5);
    let explanation = acme.explain("u", "p:bottom");
    assert_eq!(explanation.paths().len(), 64);
    assert!(explanation.has_more_paths());
    assert!(explanation.paths().is_sorted_by_key(|path| path.steps().len()));
}

#[test]
fn a_cycle_of_1_000_is_refused_and_shown() {
    let acme = acme();
    acme.update(|tx| {
        for n in 0..1_000 {
            tx.create_group(&format!("g{n}"))?;
            tx.create_role(&format!("r{n}"))?;
        }
        // Every other edge first, so the search finds separate pieces of chains.
        for n in (0..999).step_by(2).chain((1..999).step_by(2)) {
            tx.group(format!("g{n}"))?.add_parent(format!("g{}", n + 1))?;
            tx.role(format!("r{n}"))?.include(format!("r{}", n + 1))?;
        }
        let groups = tx.group("g999")?.add_parent("g0").unwrap_err();
        let roles = tx.role("r999")?.include("r0").unwrap_err();
        let (groups, roles) = (groups.cycle_names(), roles.cycle_names());
        assert_eq!(groups.first(), groups.last());
        assert_eq!((groups[0].as_str(), roles[0].as_str()), ("g999", "r999"));
        Ok(())
    })
    .unwrap();
}
