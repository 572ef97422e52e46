//! Long explanations: the paths shown, the paths counted, and the limit of the search.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::{Decision, Reason};

/// A user `u` in a chain of groups `c0`, `c1`, …, the last of which has the roles `r00`, `r01`, …; each grants `p`.
fn chain(groups: usize, roles: usize) -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_user("u")?;
        for n in 0..groups {
            let group = tx.create_group(&format!("c{n}"))?;
            match n.checked_sub(1) {
                Some(before) => tx.group(format!("c{before}"))?.add_parent(format!("c{n}")).map(drop)?,
                None => group.add_member("u").map(drop)?,
            }
        }
        for n in 0..roles {
            let role = format!("r{n:02}");
            tx.create_role(&role)?.grant("p")?;
            match groups.checked_sub(1) {
                Some(last) => tx.group(format!("c{last}"))?.assign(role).map(drop)?,
                None => tx.user("u")?.assign(role).map(drop)?,
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
        let mut steps: Vec<String> = (1..count - 1).map(|n| format!(", a part of c{n}")).collect();
        steps.insert(0, "is in c0".into());
        steps.push(", which has the role r00".into());
        if hidden > 0 {
            steps.splice(12..12 + hidden, [format!(", … {hidden} more steps …")]);
        }
        let acme = chain(count - 1, 1);
        assert_eq!(acme.explain("u", "p").to_string(), format!("allowed: u {}, which grants p", steps.concat()));
        let explanation = acme.explain("u", "p");
        let path = &explanation.paths()[0];
        assert_eq!((path.steps().len(), path.names().count(), path.grant()), (count, count, "p"));
    }
}

#[test]
fn the_search_for_paths_is_bounded() {
    let table = [(8, 8, false, "r07, which grants p"), (9, 9, false, "1 more paths"), (64, 64, false, "56 more paths")];
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
            (1..patterns).try_for_each(|n| tx.role("r00")?.grant(format!("{}*", "p".repeat(n))).map(drop))
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
        (1..20).try_for_each(|n| tx.group(format!("b{}", n - 1))?.add_parent(format!("b{n}")).map(drop))?;
        tx.group("b19")?.assign("r00")?;
        tx.group("b0")?.add_member("u").map(drop)
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
        acme.update(|tx| tx.create_user("v").map(drop)).unwrap();
        let explanation = acme.explain("v", "p");
        let told = explanation.roles().len().max(explanation.groups().len());
        assert_eq!((told, explanation.has_more_holders()), (32, more));
        assert_eq!(explanation.to_string().ends_with("\n  and more"), more);
    }
    let unknown = Decision::Denied(Reason::UnknownUser);
    assert_eq!([Decision::Allowed, unknown].map(|d| d.to_string()), ["allowed", "denied: the user is unknown"]);
}

/// Paths of equal length are ordered by the names along them. If those are equal, because a group and a role have the same
/// slug, they are ordered by the kinds of the steps.
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
    acme.update(|tx| tx.user("u")?.suspend().map(drop)).unwrap();
    assert_eq!(acme.now().first_path("u", "p"), None);
}
