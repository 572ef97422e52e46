//! All forms of a question give the same answer, with its reason.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::moment::{GroupPaths, Via};
use rolecall::{Decision, EntityKind, PageRequest, Reason, Timestamp, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn acme() -> (Tenant, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(800)));
    let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for slug in ["posts:read", "posts:write", "posts:writeable", "post:write", "audit:read"] {
            tx.create_permission(slug)?;
        }
        tx.create_role("viewer")?.grant("posts:read")?;
        tx.create_role("editor")?.grant("posts:write")?.include("viewer")?;
        tx.create_role("auditor")?.grant("audit:*")?;
        tx.create_group("staff")?.set_name("All staff")?;
        tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
        tx.create_group("backend")?.add_parent("engineering")?;
        tx.create_user("alice")?.join("backend")?.assign("auditor")?;
        tx.create_user("bob")?.join_during("engineering", Window::between(at(500), at(2_000)).unwrap_or_default())?;
        tx.create_user("carol")?.suspend()?.join("engineering")?.assign("auditor")?;
        tx.create_user("dave")?.join_during("staff", Window::until(at(900)))?;
        Ok(())
    })
    .unwrap();
    clock.set(at(1_000));
    (acme, clock)
}

#[test]
fn r1_permissions_come_from_roles_groups_and_parent_groups() {
    let (acme, _) = acme();
    let now = acme.now();
    assert_eq!(now.effective("alice").slugs(), ["audit:read", "posts:read", "posts:write"]);
    let groups: Vec<_> = now.all_groups_of("alice").into_iter().map(|g| (g.record.slug.to_string(), g.via)).collect();
    let via = |slug: &str| Via::Group(slug.parse().unwrap());
    assert_eq!(
        groups,
        [("backend".into(), Via::Direct), ("engineering".into(), via("backend")), ("staff".into(), via("engineering"))]
    );
    let roles: Vec<_> =
        now.all_roles_of("alice").into_iter().map(|r| (r.record.record.slug.to_string(), r.via)).collect();
    assert_eq!(
        roles,
        [
            ("auditor".into(), Via::Direct),
            ("editor".into(), via("engineering")),
            ("viewer".into(), Via::Role("editor".parse().unwrap()))
        ]
    );
    assert_eq!(now.who_can("posts:read").keys(), ["alice", "bob"]);
    assert_eq!(now.all_members("staff").keys(), ["alice", "bob", "carol"]);
    assert_eq!(now.all_holders("viewer").keys(), ["alice", "bob", "carol"]);
    let direct = now.members("staff", &PageRequest::of(10)).items;
    assert_eq!(direct.len(), 1);
    assert!(direct[0].record.key == "dave" && !direct[0].active && direct[0].window == Window::until(at(900)));
}

/// More than one byte can count.
#[test]
fn a_user_has_hundreds_of_memberships_within_windows() {
    let (acme, clock) = acme();
    acme.update(|tx| {
        let erin = tx.create_user("erin")?;
        for number in 0..300 {
            let group = tx.create_group(&format!("shift-{number}"))?;
            erin.join_during(group.id()?, Window::until(at(2_000 + number)))?;
            if number == 7 || number == 299 {
                group.assign(if number == 7 { "auditor" } else { "viewer" })?;
            }
        }
        Ok(())
    })
    .unwrap();
    let at_second = |secs| {
        clock.set(at(secs));
        ["audit:read", "posts:read", "posts:write"].map(|permission| acme.check("erin", permission))
    };
    assert_eq!(at_second(2_006), [true, true, false]);
    assert_eq!(at_second(2_007), [false, true, false]);
    assert_eq!(at_second(2_298), [false, true, false]);
    assert_eq!(at_second(2_299), [false, false, false]);
}

#[test]
fn r2_leaving_a_group_takes_only_what_came_through_it() {
    let (acme, _) = acme();
    acme.update(|tx| tx.user("alice")?.assign("viewer")?.leave("backend")?.done()).unwrap();
    assert_eq!(acme.effective("alice").slugs(), ["audit:read", "posts:read"]);
}

/// A18: on a held snapshot, through the tenant, and after reopening.
#[test]
fn a18_windows_end_on_time_without_a_clean_up() {
    let (acme, clock) = acme();
    let held = acme.snapshot();
    let table = [(499, false), (500, true), (1_999, true), (2_000, false)];
    for (secs, allowed) in table {
        clock.set(at(secs));
        assert_eq!(acme.check("bob", "posts:write"), allowed, "{secs}");
        assert_eq!(held.at(at(secs)).check("bob", "posts:write"), allowed, "{secs}");
        assert_eq!(held.now(&*clock).check("bob", "posts:write"), allowed, "{secs}");
    }
    let moment = acme.now();
    assert!(!moment.check("bob", "posts:write"));
    clock.set(at(1_000));
    assert!(!moment.check("bob", "posts:write"), "one moment has one instant");
    assert!(acme.check("bob", "posts:write"));
}

#[test]
fn r3_valid_until_is_the_next_change_of_the_answer() {
    let (acme, _) = acme();
    let until = |secs, user, permission| acme.snapshot().at(at(secs)).valid_until(user, permission);
    assert_eq!(until(0, "bob", "posts:write"), Some(at(500)));
    assert_eq!(until(500, "bob", "posts:write"), Some(at(2_000)));
    assert_eq!(until(2_000, "bob", "posts:write"), None);
    assert_eq!(until(1_000, "bob", "audit:read"), None, "no path has a window");
    assert_eq!(until(1_000, "alice", "posts:write"), None);
    assert_eq!(until(1_000, "nobody", "posts:write"), None);
    assert_eq!(until(0, "dave", "posts:write"), None, "the parent group has no role");
    acme.update(|tx| tx.user("bob")?.assign("viewer")?.done()).unwrap();
    assert_eq!(until(1_000, "bob", "posts:read"), None, "one path is permanent, although another has a window");
    assert_eq!(until(1_000, "bob", "posts:write"), Some(at(2_000)));
}

#[test]
fn a_denial_has_its_reason() {
    let (acme, _) = acme();
    let table = [
        ("alice", "posts:write", 1_000, Decision::Allowed),
        ("bob", "posts:write", 100, Decision::Denied(Reason::NotYetActive { from: at(500) })),
        ("bob", "posts:write", 3_000, Decision::Denied(Reason::Expired { until: at(2_000) })),
        ("bob", "audit:read", 1_000, Decision::Denied(Reason::NoPath)),
        ("carol", "posts:write", 1_000, Decision::Denied(Reason::Suspended)),
        ("eve", "posts:write", 1_000, Decision::Denied(Reason::UnknownUser)),
        ("alice", "posts:wirte", 1_000, Decision::Denied(Reason::UnknownPermission)),
        ("Alice", "posts:write", 1_000, Decision::Denied(Reason::UnknownUser)),
    ];
    for (user, permission, secs, expected) in table {
        let snapshot = acme.snapshot();
        let moment = snapshot.at(at(secs));
        assert_eq!(moment.decide(user, permission), expected, "{user} {permission}");
        assert_eq!(moment.explain(user, permission).decision(), expected);
        assert_eq!(moment.check(user, permission), expected.is_allowed());
    }
    let unknown = acme.explain("alice", "posts:wirte");
    assert_eq!(unknown.suggestions(), ["posts:write", "post:write"]);
    assert!(
        unknown
            .to_string()
            .starts_with("denied: permission `posts:wirte` not found; did you mean `posts:write` or `post:write`?")
    );
    let denied = acme.explain("dave", "posts:write");
    let roles: Vec<&str> = denied.roles().iter().map(|role| role.slug.as_str()).collect();
    let groups: Vec<&str> = denied.groups().iter().map(|group| group.slug.as_str()).collect();
    assert_eq!((&roles[..], &groups[..]), (&["editor"][..], &["backend", "engineering"][..]));
}

#[test]
fn explanations_read_as_sentences_and_as_data() {
    let (acme, _) = acme();
    assert_eq!(
        acme.explain("alice", "posts:read").to_string(),
        "allowed: `alice` is in `backend`, a part of `engineering`, which has the role `editor`, which includes `viewer`, \
         which grants `posts:read`"
    );
    assert_eq!(
        acme.explain("alice", "audit:read").to_string(),
        "allowed: `alice` has the role `auditor`, which grants `audit:*`"
    );
    assert!(acme.explain("bob", "posts:write").to_string().contains(
        "`bob` is in `engineering` (from 1970-01-01T00:08:20Z until 1970-01-01T00:33:20Z), which has the role `editor`"
    ));
    let json = serde_json::to_value(acme.explain("alice", "posts:read")).unwrap();
    assert_eq!(json["decision"], "allowed");
    assert_eq!(json["paths"][0]["steps"][3]["included"]["role"], "viewer");
    let json = serde_json::to_value(acme.explain("eve", "posts:read")).unwrap();
    assert_eq!(json["decision"]["denied"], "unknown_user");
}

/// R4, A9: every form of question about a suspended user.
#[test]
fn a9_a_suspended_user_is_denied_in_every_form_of_question() {
    let (acme, _) = acme();
    acme.update(|tx| tx.user("alice")?.suspend()?.done()).unwrap();
    let now = acme.now();
    let (user, permission) = (now.user_handle("alice").unwrap(), now.permission_handle("posts:write").unwrap());
    assert!(!now.check("alice", "posts:write") && !now.check(user, permission));
    assert!(!now.check_any("alice", ["posts:write", "audit:read"]) && !now.check_all("alice", ["posts:write"]));
    assert!(now.effective("alice").is_empty() && !now.who_can("posts:write").contains("alice"));
    assert!(now.who_can("posts:write").page(&PageRequest::of(10)).items.iter().all(|user| user.key != "alice"));
    assert!(now.all_groups_of("alice").len() == 3 && now.all_groups_of("alice").iter().all(|group| group.suspended));
    assert!(now.all_roles_of("alice").len() == 3 && now.all_roles_of("alice").iter().all(|role| role.suspended));
    let direct = now.roles_of("alice");
    assert!(direct.len() == 1 && !direct[0].active, "still listed, marked");
    assert!(now.groups_of("alice").iter().all(|group| !group.active));
    assert!(now.holders("auditor", &PageRequest::of(9)).items.iter().all(|user| !user.active));
    drop(now);
    acme.update(|tx| tx.user("alice")?.activate()?.done()).unwrap();
    assert!(acme.check("alice", "posts:write"));
}

/// A6: duplicates, unknown names and empty lists.
#[test]
fn a6_any_of_and_all_of() {
    let (acme, _) = acme();
    let any = |list: &[&str]| acme.check_any("alice", list.iter().copied());
    let all = |list: &[&str]| acme.check_all("alice", list.iter().copied());
    assert!(
        any(&["posts:write"]) && any(&["post:write", "posts:write", "post:write"]) && any(&["nope", "posts:write"])
    );
    assert!(!any(&[]) && !any(&["nope"]) && !any(&["post:write", "post:write"]));
    assert!(all(&["posts:write"]) && all(&["posts:write", "posts:write", "audit:read"]));
    assert!(!all(&[]) && !all(&["posts:write", "nope"]) && !all(&["posts:write", "post:write", "posts:write"]));
    assert!(!acme.check_any("eve", ["posts:write"]) && !acme.check_all("eve", ["posts:write"]));
}

#[test]
fn check_many_answers_in_order_and_like_single_checks() {
    let (acme, _) = acme();
    let users = ["alice", "bob", "nobody", "eve"];
    let permissions = ["posts:write", "audit:read", "post:write", "nope"];
    // More than one batch, with an incomplete last one.
    let questions = || (0..600).map(|n| (users[n % 4], permissions[n * 7 % 13 % 4]));
    let one_by_one: Vec<bool> = questions().map(|(user, permission)| acme.check(user, permission)).collect();
    assert!(one_by_one.contains(&true) && one_by_one.contains(&false));
    assert!(acme.check_many(questions()).eq(one_by_one.iter().copied()));
    let mut answers = acme.check_many(questions());
    assert_eq!((answers.size_hint(), answers.by_ref().take(70).count()), ((600, Some(600)), 70));
    assert_eq!(answers.size_hint(), (530, Some(530)));
    let ids = |user| acme.now().user(user).map(|user| user.id);
    let known = questions().filter_map(|(user, permission)| Some((ids(user)?, acme.permission_handle(permission)?)));
    let now = acme.now();
    let answers = known.clone().zip(now.check_many(known));
    assert!(answers.inspect(|((user, p), answer)| assert_eq!(now.check(user, *p), *answer)).count() > 64);
    assert_eq!(acme.check_many([("alice", "posts:write"); 0]).count(), 0);
    let mut questions = [("alice", "posts:write")].into_iter().cycle();
    assert_eq!(acme.check_many(questions.by_ref()).take(3).collect::<Vec<_>>(), [true; 3], "an endless list");
}

/// A5: holders of a pattern beside holders of exact grants, and names that are neighbours and prefixes of each other.
#[test]
fn a5_neither_a_pattern_nor_a_grant_widens_to_its_neighbours() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.create_role("exact")?.grant("posts:write")?;
        tx.create_role("pattern")?.grant("posts:write*")?;
        tx.create_user("exact")?.assign("exact")?;
        tx.create_user("pattern")?.assign("pattern")?.done()
    })
    .unwrap();
    assert_eq!(acme.effective("exact").slugs(), ["posts:write"]);
    assert_eq!(acme.effective("pattern").slugs(), ["posts:write", "posts:writeable"]);
    assert!(!acme.now().who_can("posts:writeable").contains("exact"));
    // A permission created later is covered by the pattern only.
    acme.update(|tx| tx.create_permission("posts:write2")?.done()).unwrap();
    assert!(acme.check("pattern", "posts:write2") && !acme.check("exact", "posts:write2"));
    // After a rename, another pattern covers it instead of the old one. A grant by name keeps it.
    acme.update(|tx| tx.permission("posts:write")?.set_slug("audit:write")?.done()).unwrap();
    assert!(acme.check("exact", "audit:write") && !acme.check("pattern", "audit:write"));
    assert!(acme.check("alice", "audit:write"), "auditor grants audit:*");
}

/// A1: identifiers that look alike.
#[test]
fn a1_names_are_compared_byte_for_byte_on_every_path() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let keys = ["Ann", "ann", "ann ", "e\u{301}", "é"];
    let slugs = ["Storage:Read", "storage:read"];
    acme.update(|tx| {
        for slug in slugs {
            tx.create_permission(slug)?;
            tx.create_role(slug)?.grant(slug)?;
            tx.create_group(slug)?.assign(slug)?;
        }
        for (n, key) in keys.iter().enumerate() {
            tx.create_user(key)?.join(slugs[n % 2])?;
        }
        Ok(())
    })
    .unwrap();
    for (n, key) in keys.iter().enumerate() {
        let own = [slugs[n % 2], slugs[1 - n % 2]];
        assert!(acme.check(*key, own[0]) && !acme.check(*key, own[1]), "{key:?}");
        assert_eq!(acme.effective(*key).slugs(), [own[0]]);
        assert!(acme.now().who_can(own[0]).contains(*key) && !acme.now().who_can(own[1]).contains(*key));
    }
    assert!(!acme.check("ANN", slugs[0]) && !acme.check(" ann", slugs[1]));
    assert_eq!(acme.now().users(&PageRequest::of(10)).items.len(), keys.len());
}

#[test]
fn pages_are_complete_ordered_and_searchable() {
    let (acme, _) = acme();
    let now = acme.now();
    let mut slugs = Vec::new();
    let mut page = PageRequest::of(2);
    loop {
        let listing = now.permissions(&page);
        slugs.extend(listing.items.iter().map(|p| p.record.slug.to_string()));
        let Some(next) = listing.next else { break };
        page = page.after(next);
    }
    assert_eq!(slugs, ["audit:read", "post:write", "posts:read", "posts:write", "posts:writeable"]);
    let found = |text: &str| {
        now.groups(&PageRequest::of(9).search(text)).items.iter().map(|g| g.slug.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found("ALL ST"), ["staff"], "names are searched, ASCII case ignored");
    assert_eq!(found("e"), ["backend", "engineering"]);
    assert!(found("é").is_empty());
    assert_eq!(now.roles(&PageRequest::of(0)).items.len(), 1, "a page has at least one");
    assert_eq!(now.subgroups("engineering", &PageRequest::of(9)).items[0].record.slug, "backend");
    assert_eq!(now.parents_of("engineering")[0].record.slug, "staff");
    assert_eq!(now.roles_of_group("engineering")[0].record.record.slug, "editor");
    assert_eq!(now.groups_with("editor", &PageRequest::of(9)).items[0].record.slug, "engineering");
    assert_eq!(now.includes_of("editor")[0].record.slug, "viewer");
    assert_eq!(now.grants_of("editor").len(), 1);
    assert_eq!(now.effective_of_role("editor").slugs(), ["posts:read", "posts:write"]);
    assert_eq!(now.all_members("staff").page(&PageRequest::of(2)).next.as_deref(), Some("bob"));
    let members = |page: &PageRequest| {
        let listing = now.members("engineering", page);
        (listing.items.iter().map(|m| m.record.key.to_string()).collect::<Vec<_>>(), listing.next)
    };
    assert_eq!(members(&PageRequest::of(1)), (vec!["bob".into()], Some("bob".into())));
    assert_eq!(members(&PageRequest::of(1).after("bob")), (vec!["carol".into()], None));
    assert_eq!(members(&PageRequest::of(9).after("bob").search("b")), (vec![], None));
    let (alice, bob) = (now.effective("alice"), now.effective("bob"));
    assert!(bob.is_subset(&alice) && alice.difference(&bob).slugs() == ["audit:read"] && alice.contains("posts:read"));
}

/// A3: varies one part of the question at a time; no answer is reused.
#[test]
fn a3_no_answer_is_cached_for_another_question() {
    let (acme, clock) = acme();
    assert!(acme.check("bob", "posts:write") && !acme.check("bob", "post:write"));
    clock.set(at(2_000));
    assert!(!acme.check("bob", "posts:write"));
    clock.set(at(1_000));
    assert!(acme.check("bob", "posts:write") && !acme.check("dave", "posts:write"));
    acme.update(|tx| tx.role("editor")?.revoke("posts:write")?.done()).unwrap();
    assert!(!acme.check("bob", "posts:write") && acme.check("bob", "posts:read"));
    acme.update(|tx| tx.role("editor")?.grant("posts:write")?.done()).unwrap();
    assert!(acme.check("bob", "posts:write"));
}

/// Records, ids and handles that the crate returns can be used to name their entity.
#[test]
fn every_form_of_a_name_finds_the_same_entity() {
    let (acme, _) = acme();
    let now = acme.now();
    let (user, role, group) = (now.user("alice").unwrap(), now.role("editor").unwrap(), now.group("backend").unwrap());
    let permission = now.permission("posts:write").unwrap();
    let (by_handle, what) = (now.user_handle(&user).unwrap(), now.permission_handle(&permission).unwrap());
    let id = &user.id;
    assert!(now.check(id, &permission.record.slug) && now.check(&user.key, permission.record.id));
    assert!(now.check(user.id.as_uuid(), permission.record.id.as_uuid()));
    assert!([(by_handle, what)].iter().all(|(user, permission)| now.check(user, permission)));
    assert!(["alice"].iter().all(|key| now.check(key, &permission)));
    assert!(now.check_any(&user, ["posts:write", "nope"].iter()) && now.check_all(&user, now.effective(&user).slugs()));
    assert_eq!(now.all_holders(&role.record.slug).len(), now.all_holders(&role).len());
    for via in now.all_groups_of(&user).into_iter().map(|found| found.via) {
        assert!(matches!(via, Via::Direct) || matches!(via, Via::Group(slug) if now.group(&slug).is_some()));
    }
    assert_eq!(
        now.members(&group.slug, &PageRequest::of(9)).items.len(),
        now.members(group.id, &PageRequest::of(9)).items.len()
    );
    drop(now);
    acme.update(|tx| {
        tx.role(&role.record.slug)?
            .grant(&permission.record.slug)?
            .grant(what)?
            .grant(permission.record.id)?
            .grant(permission.record.id.as_uuid())?;
        tx.group(&group)?.add_member(&user)?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_group_gives_what_its_parent_groups_give() {
    let (acme, _) = acme();
    let now = acme.now();
    assert!(now.roles_of_group("backend").is_empty());
    let roles: Vec<_> =
        now.all_roles_of_group("backend").into_iter().map(|r| (r.record.record.slug.to_string(), r.via)).collect();
    let via = |slug: &str| slug.parse().unwrap();
    assert_eq!(roles, [("editor".into(), Via::Group(via("engineering"))), ("viewer".into(), Via::Role(via("editor")))]);
    assert_eq!(now.effective_of_group("backend").slugs(), ["posts:read", "posts:write"]);
    assert!(now.effective_of_group("nothing").is_empty());
    assert_eq!(now.effective_of_group("backend").records()[0].record.slug, "posts:read");
}

/// Of two ways of one length, the one through a role of the group comes before the one through a parent group.
#[test]
fn a_role_that_is_reached_in_two_ways_comes_from_a_role_rather_than_a_parent_group() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.create_group("berlin")?.assign("viewer")?;
        tx.create_group("platform")?.assign("editor")?.add_parent("berlin")?.add_member("bob")?.done()
    })
    .unwrap();
    let now = acme.now();
    for roles in [now.all_roles_of("bob"), now.all_roles_of_group("platform")] {
        let viewer = roles.iter().find(|role| role.record.record.slug == "viewer").unwrap();
        assert_eq!(viewer.via, Via::Role("editor".parse().unwrap()));
    }
}

/// `ensure_*` adds a membership or makes its window longer.
#[test]
fn ensure_membership_lengthens_the_window() {
    let (acme, clock) = acme();
    let until = Window::until(at(5_000));
    acme.update(|tx| {
        tx.user("bob")?.ensure_membership("engineering", until)?.ensure_membership("backend", until)?;
        assert_eq!(tx.instant(), at(1_000));
        let so_far = tx.preview();
        assert!(so_far.at(at(4_999)).check("bob", "posts:write") && !so_far.at(at(5_000)).check("bob", "posts:write"));
        assert!(!tx.base().at(at(4_999)).check("bob", "posts:write"));
        tx.group("engineering")?.ensure_member("bob", Window::ALWAYS)?;
        Ok(())
    })
    .unwrap();
    clock.set(at(6_000));
    assert!(acme.check("bob", "posts:write"));
    let again = acme.update(|tx| tx.group("engineering")?.ensure_member("bob", Window::ALWAYS)?.done()).unwrap();
    assert!(again.changes.is_empty());
}

/// Lists sorted by key follow a changed key, and their users can still be removed.
#[test]
fn a_renamed_user_moves_in_every_list() {
    let (acme, _) = acme();
    let keys = |acme: &Tenant| -> Vec<String> {
        let items = acme.now().members("engineering", &PageRequest::of(9)).items;
        items.iter().map(|member| member.record.key.to_string()).collect()
    };
    acme.update(|tx| {
        tx.user("alice")?.join("engineering")?.assign("viewer")?;
        tx.user("bob")?.assign("viewer")?.done()
    })
    .unwrap();
    assert_eq!(keys(&acme), ["alice", "bob", "carol"]);
    acme.update(|tx| tx.user("alice")?.set_key("zoe")?.done()).unwrap();
    assert_eq!(keys(&acme), ["bob", "carol", "zoe"]);
    let holders: Vec<_> = acme.now().holders("viewer", &PageRequest::of(9)).items;
    assert_eq!(holders.iter().map(|held| held.record.key.as_str()).collect::<Vec<_>>(), ["bob", "zoe"]);
    // Two users swap their keys within one transaction.
    acme.update(|tx| {
        tx.user("bob")?.set_key("swap")?;
        tx.user("zoe")?.set_key("bob")?;
        tx.user("swap")?.set_key("zoe")?.done()
    })
    .unwrap();
    assert_eq!(keys(&acme), ["bob", "carol", "zoe"]);
    acme.update(|tx| tx.group("engineering")?.remove_member("zoe")?.remove_member("bob")?.done()).unwrap();
    assert_eq!(keys(&acme), ["carol"]);
}

/// Random groups and roles, with one user in each group who shows what the group gives.
fn random_hierarchy(seed: u64, groups: u64, roles: u64) -> (Tenant, Vec<rolecall::records::Record>) {
    let store = rolecall::store::MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let tenant = authorizer.create_tenant("acme", "Acme").unwrap();
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let window = |n| match n {
        0 => Window::ALWAYS,
        1 => Window::until(at(500)),
        _ => Window::from(at(500)),
    };
    tenant
        .update(|tx| {
            for role in 0..roles {
                let made = tx.create_role(&format!("r{role}"))?;
                if role > 0 {
                    made.include(&*format!("r{}", below(role)))?;
                }
            }
            for group in 0..groups {
                let made = tx.create_group(&format!("g{group}"))?;
                for _ in 0..below(3).min(group) {
                    made.add_parent(&*format!("g{}", below(group)))?;
                }
                if below(3) == 0 {
                    made.assign_during(&*format!("r{}", below(roles)), window(below(3)))?;
                }
                tx.create_user(&format!("u{group}"))?.join(&*format!("g{group}"))?;
            }
            Ok(())
        })
        .unwrap();
    let mut records = Vec::new();
    pollster::block_on(rolecall::store::Store::load(&store, tenant.tenant_id(), &mut records)).unwrap();
    (tenant, records)
}

/// R1 by the reference model: a group gives what a user has who is only in that group.
#[test]
fn groups_with_a_role_and_groups_below_a_group_are_those_of_the_reference_model() {
    for seed in 0..20 {
        let (tenant, records) = random_hierarchy(seed, 12, 4);
        let catalog = rolecall::catalog::Catalog::empty();
        let model = rolecall::reference::Model::new(&records, &catalog);
        for secs in [0, 1_000] {
            let (now, all) = (tenant.snapshot().at(at(secs)), PageRequest::of(100));
            let groups: Vec<_> =
                (0..12).map(|n| (now.group(format!("g{n}")).unwrap(), now.user(format!("u{n}")).unwrap().id)).collect();
            for role in (0..4).map(|n| now.role(format!("r{n}")).unwrap().record) {
                let having = now.all_groups_with(&role, &all).items;
                for (group, probe) in &groups {
                    let found = having.iter().find(|found| found.record == *group);
                    assert_eq!(found.is_some(), model.roles(*probe, at(secs)).contains(&role.id), "{seed} {group:?}");
                    let Some(found) = found else { continue };
                    match &found.via {
                        Via::Direct => {
                            assert!(now.groups_with(&role, &all).items.iter().any(|g| g.active && g.record == *group));
                        }
                        Via::Role(via) => assert!(
                            now.groups_with(via, &all).items.iter().any(|g| g.active && g.record == *group)
                                && now.effective_of_role(&role).is_subset(&now.effective_of_role(via))
                        ),
                        Via::Group(via) => assert!(having.iter().any(|found| found.record.slug == *via)),
                    }
                }
            }
            for (group, _) in &groups {
                let below: Vec<_> =
                    now.all_subgroups(group, &all).items.into_iter().map(|found| found.record.id).collect();
                for (other, probe) in &groups {
                    let is_below = other.id != group.id && model.groups(*probe, at(secs)).contains(&group.id);
                    assert_eq!(below.contains(&other.id), is_below, "{seed} {group:?} {other:?}");
                }
            }
        }
    }
}

#[test]
fn paths_of_a_group_lead_through_every_group_above_it() {
    for seed in 0..20 {
        let (tenant, records) = random_hierarchy(seed, 12, 2);
        let catalog = rolecall::catalog::Catalog::empty();
        let model = rolecall::reference::Model::new(&records, &catalog);
        let now = tenant.snapshot().at(at(0));
        for n in 0..12 {
            let group = now.group(format!("g{n}")).unwrap();
            let found = now.paths_of(&group);
            assert!(!found.more_paths && !found.paths.is_empty());
            let mut above = std::collections::BTreeSet::new();
            for path in &found.paths {
                assert_eq!(path.last(), Some(&group));
                assert!(now.parents_of(&path[0]).is_empty(), "the path begins at a group without parents");
                for pair in path.windows(2) {
                    assert!(
                        now.subgroups(&pair[0], &PageRequest::of(99)).items.iter().any(|found| found.record == pair[1])
                    );
                }
                above.extend(path.iter().map(|group| group.id));
            }
            let probe = now.user(format!("u{n}")).unwrap().id;
            assert_eq!(above, model.groups(probe, at(0)));
            let distinct: std::collections::BTreeSet<Vec<_>> =
                found.paths.iter().map(|path| path.iter().map(|group| group.id).collect()).collect();
            assert_eq!(distinct.len(), found.paths.len(), "every path is listed once");
        }
        let unknown = GroupPaths { unknown: Some(EntityKind::Group), ..GroupPaths::default() };
        assert_eq!(now.paths_of("nothing"), unknown);
    }
}

/// Ten layers of two groups, each below both of the layer above: 2^9 paths.
#[test]
fn paths_of_a_group_are_bounded_and_say_so() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for layer in 0..10 {
            for side in 0..2 {
                let group = tx.create_group(&format!("g{layer}-{side}"))?;
                if layer > 0 {
                    group.add_parent(&*format!("g{}-0", layer - 1))?.add_parent(&*format!("g{}-1", layer - 1))?;
                }
            }
        }
        Ok(())
    })
    .unwrap();
    let found = acme.now().paths_of("g9-0");
    assert_eq!((found.paths.len(), found.more_paths), (64, true));
    assert!(found.paths.iter().all(|path| path.len() == 10));
    let found = acme.now().paths_of("g6-0");
    assert_eq!((found.paths.len(), found.more_paths), (64, false), "exactly as many as are shown");
}

#[test]
fn subgroups_are_listed_by_page_and_searched() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_group("all")?;
        for n in 0..50 {
            tx.create_group(&format!("g{n:02}"))?.set_name(&format!("Team {n}"))?.add_parent("all")?;
        }
        tx.create_group("beside")?.done()
    })
    .unwrap();
    let now = acme.now();
    let (mut slugs, mut page) = (Vec::new(), PageRequest::of(7));
    loop {
        let found = now.subgroups("all", &page);
        assert!(found.items.len() <= 7);
        slugs.extend(found.items.iter().map(|group| group.record.slug.to_string()));
        let Some(next) = found.next else { break };
        page = page.after(next);
    }
    assert_eq!(slugs, (0..50).map(|n| format!("g{n:02}")).collect::<Vec<_>>());
    let found = now.subgroups("all", &PageRequest::of(7).search("team 4"));
    assert_eq!((found.items.len(), found.next.as_deref()), (7, Some("g45")));
    assert!(now.subgroups("beside", &PageRequest::of(7)).items.is_empty());
    assert!(now.subgroups("nothing", &PageRequest::of(7)).items.is_empty());
}
