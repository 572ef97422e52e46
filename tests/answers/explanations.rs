//! Explanations: long ones, the limit of the search, and what they say about windows.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::{Decision, Reason, Result, Timestamp, Tx, Window};

/// A user `u` in a chain of groups `c0`, `c1`, …, the last of which has the roles `r00`, `r01`, …; each grants `p`.
fn chain(groups: usize, roles: usize) -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_user("u")?;
        for n in 0..groups {
            let group = tx.create_group(&format!("c{n}"))?;
            match n.checked_sub(1) {
                Some(before) => tx.group(format!("c{before}"))?.add_parent(format!("c{n}"))?.done()?,
                None => group.add_member("u")?.done()?,
            }
        }
        for n in 0..roles {
            let role = format!("r{n:02}");
            tx.create_role(&role)?.grant("p")?;
            match groups.checked_sub(1) {
                Some(last) => tx.group(format!("c{last}"))?.assign(role)?.done()?,
                None => tx.user("u")?.assign(role)?.done()?,
            }
        }
        Ok(())
    })
    .unwrap();
    acme
}

#[test]
fn the_middle_of_a_long_path_is_left_out() {
    for (count, hidden) in [(24, 0), (25, 1), (30, 6)] {
        let mut steps: Vec<String> = (1..count - 1).map(|n| format!(", a part of `c{n}`")).collect();
        steps.insert(0, "is in `c0`".into());
        steps.push(", which has the role `r00`".into());
        if hidden > 0 {
            steps.splice(12..12 + hidden, [format!(", … {hidden} more step{} …", if hidden == 1 { "" } else { "s" })]);
        }
        let acme = chain(count - 1, 1);
        assert_eq!(acme.explain("u", "p").to_string(), format!("allowed: `u` {}, which grants `p`", steps.concat()));
        let explanation = acme.explain("u", "p");
        let path = &explanation.paths()[0];
        assert_eq!((path.steps().len(), path.names().count(), path.grant()), (count, count, "p"));
    }
}

#[test]
fn the_search_for_paths_is_bounded() {
    let table =
        [(8, 8, false, "`r07`, which grants `p`"), (9, 9, false, "by 1 more path"), (64, 64, false, "56 more paths")];
    for (roles, paths, more, end) in table.into_iter().chain([(65, 64, true, "by more paths")]) {
        let explanation = chain(0, roles).explain("u", "p");
        assert_eq!((explanation.paths().len(), explanation.has_more_paths()), (paths, more));
        assert!(explanation.to_string().ends_with(end), "{explanation}");
    }
    // Each path costs its length, and the search ends after 10,000 steps.
    let explanation = chain(199, 60).explain("u", "p");
    assert_eq!((explanation.paths().len(), explanation.has_more_paths()), (49, true));
    // A role can grant a permission in many ways.
    for (patterns, more) in [(64, false), (65, true)] {
        let acme = chain(0, 1);
        acme.update(|tx| {
            tx.permission("p")?.set_slug(&"p".repeat(99))?;
            (1..patterns).try_for_each(|n| tx.role("r00")?.grant(format!("{}*", "p".repeat(n)))?.done())
        })
        .unwrap();
        let explanation = acme.explain("u", "p".repeat(99));
        assert_eq!((explanation.paths().len(), explanation.has_more_paths()), (64, more));
    }
}

/// If there are more paths than the limit, the shortest ones are kept.
#[test]
fn the_shortest_of_many_paths_are_found() {
    let acme = chain(90, 1);
    acme.update(|tx| {
        for n in 0..89 {
            tx.group(format!("c{n}"))?.assign("r00")?;
        }
        for n in 0..20 {
            tx.create_group(&format!("b{n}"))?;
        }
        (1..20).try_for_each(|n| tx.group(format!("b{}", n - 1))?.add_parent(format!("b{n}"))?.done())?;
        tx.group("b19")?.assign("r00")?;
        tx.group("b0")?.add_member("u")?.done()
    })
    .unwrap();
    let explanation = acme.explain("u", "p");
    assert!(explanation.paths().iter().any(|path| path.names().nth(19).is_some_and(|name| name == "b19")));
    assert_eq!(explanation.paths().last().map(|path| path.steps().len()), Some(64));
}

#[test]
fn a_denial_lists_what_would_grant_it_up_to_a_bound() {
    for (groups, roles, more) in [(1, 32, false), (1, 33, true), (32, 1, false), (33, 1, true)] {
        let acme = chain(groups, roles);
        acme.update(|tx| tx.create_user("v")?.done()).unwrap();
        let explanation = acme.explain("v", "p");
        let told = explanation.roles().len().max(explanation.groups().len());
        assert_eq!((told, explanation.has_more_holders()), (32, more));
        assert_eq!(explanation.to_string().ends_with("\n  and more"), more);
    }
    let unknown = Decision::Denied(Reason::UnknownUser);
    assert_eq!([Decision::Allowed, unknown].map(|d| d.to_string()), ["allowed", "denied: the user is unknown"]);
}

/// Many roles and groups give the permission, between others that do not, and some that the user will have.
#[test]
fn only_holders_that_would_help_are_listed_among_many() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("nothing")?;
        for n in 0..300 {
            tx.create_role(&format!("a-role{n:03}"))?;
            tx.create_role(&format!("role{n:03}"))?.grant("p")?;
            tx.create_group(&format!("a-group{n:03}"))?.assign("nothing")?;
            tx.create_group(&format!("group{n:03}"))?.assign("role000")?;
        }
        let later = Window::from(at(4_000_000_000));
        let alice = tx.create_user("alice")?;
        alice.join("a-group003")?.join_during("group001", later)?.assign_during("role002", later)?.done()
    })
    .unwrap();
    let explanation = acme.explain("alice", "p");
    let roles: Vec<_> = explanation.roles().iter().map(|role| role.slug.to_string()).collect();
    let groups: Vec<_> = explanation.groups().iter().map(|group| group.slug.to_string()).collect();
    let names = |kind: &str, held: usize| {
        (0..).filter(|n| *n != held).map(|n| format!("{kind}{n:03}")).take(32).collect::<Vec<_>>()
    };
    assert_eq!((roles, groups), (names("role", 2), names("group", 1)));
    assert!(explanation.has_more_holders());
}

/// Few roles give the permission, and their names come after those of many others.
#[test]
fn few_holders_are_found_behind_many_other_names() {
    for (giving, more) in [(32, false), (33, true), (40, true)] {
        let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
        acme.update(|tx| {
            tx.create_permission("p")?;
            tx.create_user("alice")?;
            (0..700).try_for_each(|n| tx.create_role(&format!("a{n}"))?.done())?;
            (0..giving).rev().try_for_each(|n| tx.create_role(&format!("z{n:02}"))?.grant("p")?.done())
        })
        .unwrap();
        let explanation = acme.explain("alice", "p");
        let roles: Vec<_> = explanation.roles().iter().map(|role| role.slug.to_string()).collect();
        assert_eq!(roles, (0..32).map(|n| format!("z{n:02}")).collect::<Vec<_>>());
        assert_eq!(explanation.has_more_holders(), more, "{giving}");
    }
}

/// Two explanations are equal only if all of their parts are equal.
#[test]
fn explanations_that_differ_in_one_part_are_not_equal() {
    let tenant = |more: &dyn Fn(&Tx) -> Result<()>| {
        let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
        acme.update(|tx| {
            tx.create_permission("posts:read")?;
            tx.create_permission("posts:write")?;
            tx.create_user("alice")?;
            tx.create_user("bob")?;
            more(tx)
        })
        .unwrap();
        acme
    };
    let plain = tenant(&|_| Ok(()));
    let same = tenant(&|tx| tx.create_user("carol")?.done());
    let denied = plain.explain("alice", "posts:read");
    assert_eq!(denied, plain.explain("alice", "posts:read"));
    assert_ne!(denied, plain.explain("bob", "posts:read"));
    assert_ne!(denied, plain.explain("alice", "posts:write"));
    // The ids of entities differ from tenant to tenant, so the rest is compared where nothing is known of them.
    assert_eq!(plain.explain("eve", "posts:read"), same.explain("eve", "posts:read"));
    let (near, far) =
        (plain.explain("bobb", "posts:read"), tenant(&|tx| tx.delete_user("bob")).explain("bobb", "posts:read"));
    assert_ne!(near, far, "the suggestions differ");
    // On one tenant, the paths differ and the roles that would grant it.
    let role = |name: &'static str| move |tx: &Tx| tx.create_role(name)?.grant("posts:read")?.done();
    plain.update(role("reader")).unwrap();
    let grantable = plain.explain("alice", "posts:read");
    assert_ne!(denied, grantable, "the roles that would grant it differ");
    plain.update(|tx| tx.user("alice")?.assign("reader")?.done()).unwrap();
    let allowed = plain.explain("alice", "posts:read");
    plain.update(role("other")).unwrap();
    assert_eq!(allowed, plain.explain("alice", "posts:read"), "only a denial lists roles");
    plain.update(|tx| tx.user("alice")?.assign("other")?.done()).unwrap();
    assert_ne!(allowed, plain.explain("alice", "posts:read"), "the paths differ");
}

/// Paths of equal length are ordered by the names along them. If those are equal, because a group and a role have the
/// same slug, they are ordered by the kinds of the steps.
#[test]
fn paths_of_one_length_are_ordered_by_the_names_along_them() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_user("u")?;
        for permission in ["p", "q", "r", "s"] {
            tx.create_permission(permission)?;
        }
        for (name, role) in [("x", "b"), ("y", "a")] {
            tx.create_role(role)?.grant("p")?;
            tx.create_role(name)?.grant("q")?.include(role)?;
            tx.create_group(name)?.assign(role)?.add_member("u")?;
            tx.user("u")?.assign(name)?;
        }
        // Two paths have the names x, x: the one through the group comes first. The longer path has the smallest name.
        tx.group("x")?.assign("x")?;
        tx.create_group("a")?.add_parent("x")?.add_member("u")?;
        // The names after x order the path through the role first, although the group comes before the role at x.
        tx.create_role("aa")?.grant("r")?;
        tx.create_role("bb")?.grant("r")?;
        tx.role("x")?.include("aa")?;
        tx.group("x")?.assign("bb")?;
        tx.role("y")?.grant("s*")?.grant("s")?.grant("*s")?;
        Ok(())
    })
    .unwrap();
    for (permission, names) in [("p", "x b"), ("q", "x"), ("r", "x aa"), ("s", "y")] {
        let explanation = acme.explain("u", permission);
        let first = explanation.paths().first().unwrap();
        let along: Vec<&str> = first.names().map(rolecall::records::Slug::as_str).collect();
        assert_eq!(along.join(" "), names);
        assert_eq!(acme.now().first_path("u", permission).as_ref(), Some(first));
    }
    assert_eq!(acme.now().first_path("u", "t"), None);
    acme.update(|tx| tx.user("u")?.suspend()?.done()).unwrap();
    assert_eq!(acme.now().first_path("u", "p"), None);
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn during(from: i64, until: i64) -> Window {
    Window::between(at(from), at(until)).unwrap()
}

/// The user `u` is in the group `g`, which has the role `r`, in these windows. The user `v` also has the role directly.
fn temporary(member: Window, assigned: Window, direct: Window) -> Tenant {
    let acme = Authorizer::builder()
        .clock(rolecall::clock::ManualClock::new(at(0)))
        .build()
        .create_tenant("acme", "Acme")
        .unwrap();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("r")?.grant("p")?;
        tx.create_group("g")?.assign_during("r", assigned)?;
        tx.create_user("u")?.join_during("g", member)?;
        tx.create_user("v")?.join_during("g", member)?.assign_during("r", direct)?;
        Ok(())
    })
    .unwrap();
    acme
}

#[test]
fn f2_a_path_whose_windows_have_no_common_instant_was_never_allowed() {
    let acme = temporary(during(0, 10), during(20, 30), Window::until(at(5)));
    let snapshot = acme.snapshot();
    for instant in [-1, 5, 15, 25, 35] {
        let moment = snapshot.at(at(instant));
        assert_eq!(moment.decide("u", "p"), Decision::Denied(Reason::NeverActive), "at {instant}");
        assert!(moment.explain("u", "p").paths().is_empty() && moment.valid_until("u", "p").is_none());
        assert!(moment.access_windows("u", "p").unwrap().is_empty());
    }
    let denied = snapshot.at(at(15)).explain("v", "p");
    assert_eq!(denied.decision(), Decision::Denied(Reason::Expired { until: at(5) }));
    assert_eq!(denied.paths().len(), 1, "the path that was active");
    assert_eq!(denied.paths()[0].window(), Window::until(at(5)));
}

/// What a person waits for comes first, whatever the names of the groups.
#[test]
fn a_denial_lists_the_path_that_begins_next_first() {
    let clock = rolecall::clock::ManualClock::new(at(0));
    let acme = Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme").unwrap();
    let windows = [
        ("a", during(0, 10)),
        ("b", during(60, 70)),
        ("c", during(0, 20)),
        ("d", during(50, 80)),
        ("e", during(40, 45)),
        ("f", during(5, 20)),
    ];
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("r")?.grant("p")?;
        tx.create_user("u")?;
        windows.into_iter().try_for_each(|(group, window)| {
            tx.create_group(group)?.assign("r")?;
            tx.user("u")?.join_during(group, window)?.done()
        })
    })
    .unwrap();
    let snapshot = acme.snapshot();
    let order = |instant| {
        let explanation = snapshot.at(at(instant)).explain("u", "p");
        explanation.paths().iter().filter_map(|path| path.names().next()).map(ToString::to_string).collect::<String>()
    };
    assert_eq!([-1, 30, 46, 90].map(order), ["acfedb", "edbcfa", "dbecfa", "dbecfa"]);
}

#[test]
fn f2_a_path_that_begins_later_names_the_instant_from_which_it_really_allows() {
    let acme = temporary(during(10, 40), during(20, 30), during(50, 60));
    let decide = |user: &str, instant| acme.snapshot().at(at(instant)).decide(user, "p");
    let from = |secs| Decision::Denied(Reason::NotYetActive { from: at(secs) });
    let until = |secs| Decision::Denied(Reason::Expired { until: at(secs) });
    for instant in [0, 10, 19] {
        assert_eq!((decide("u", instant), decide("v", instant)), (from(20), from(20)), "at {instant}");
    }
    assert_eq!((decide("u", 20), decide("v", 29)), (Decision::Allowed, Decision::Allowed));
    assert_eq!((decide("u", 30), decide("v", 30)), (until(30), from(50)), "what begins later is said first");
    assert_eq!((decide("u", 60), decide("v", 60)), (until(30), until(60)));
}

#[test]
fn f12_an_answer_is_valid_until_it_changes() {
    let acme = temporary(Window::until(at(14)), Window::ALWAYS, during(12, 16));
    let snapshot = acme.snapshot();
    let valid = |user: &str, instant| snapshot.at(at(instant)).valid_until(user, "p");
    assert_eq!((valid("u", 0), valid("v", 0)), (Some(at(14)), Some(at(16))));
    assert_eq!((valid("u", 14), valid("v", 15), valid("v", 16)), (None, Some(at(16)), None));
    assert_eq!(snapshot.at(at(20)).access_windows("v", "p").unwrap().windows(), [Window::until(at(16))]);
}

/// A chain of 700 groups that ends in 700 windows: each level combines all of them, which is more than the bound.
#[test]
fn f12_too_many_windows_are_not_combined_and_nothing_false_is_said() {
    let acme = Authorizer::builder()
        .clock(rolecall::clock::ManualClock::new(at(0)))
        .build()
        .create_tenant("acme", "Acme")
        .unwrap();
    let many = 700;
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("r")?.grant("p")?;
        tx.create_group("top")?;
        for n in 0..many {
            tx.create_group(&format!("g{n}"))?.add_parent_during("top", during(4 * n, 4 * n + 2))?;
        }
        tx.group("top")?.assign("r")?;
        // Each of these leads there in all of the windows.
        for n in 0..many {
            let mid = tx.create_group(&format!("mid{n}"))?;
            if n == 0 {
                for group in 0..many {
                    mid.add_parent(format!("g{group}"))?;
                }
            } else {
                mid.add_parent_during(format!("mid{}", n - 1), Window::from(at(-n)))?;
            }
        }
        tx.create_user("u")?.join(format!("mid{}", many - 1))?;
        Ok(())
    })
    .unwrap();
    let snapshot = acme.snapshot();
    let moment = snapshot.at(at(3));
    assert_eq!(moment.access_windows("u", "p"), None);
    assert_eq!(moment.decide("u", "p"), Decision::Denied(Reason::OutsideWindows));
    assert_eq!(moment.valid_until("u", "p"), Some(at(4)), "the answer does not change before");
    let text = moment.explain("u", "p").to_string();
    assert!(text.starts_with("denied: no path of the user is active at this time"), "{text}");
    assert!(snapshot.at(at(5)).check("u", "p"));
}
