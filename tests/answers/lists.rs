//! Lists, sets, pages and counts: unknown names, suspended users, and the JSON.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::fmt::Debug;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::moment::{Inherited, List, PermissionSet, UserSet, Via};
use rolecall::records::{GroupRecord, UserId};
use rolecall::{EntityKind, Page, PageRequest, Reason, Timestamp, Window};
use serde_json::{Value, json, to_value};

/// `alice` and the suspended `sue` are in `backend`, below `engineering`, below `staff`, which has the role `editor`,
/// which includes `viewer`. Both have `auditor` themselves.
fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("viewer")?.grant("posts:read")?;
        tx.create_role("editor")?.grant("posts:*")?.include("viewer")?;
        tx.create_role("auditor")?;
        tx.create_group("staff")?.assign("editor")?;
        tx.create_group("engineering")?.add_parent("staff")?;
        tx.create_group("backend")?.add_parent("engineering")?;
        tx.create_user("alice")?.join("backend")?.assign("auditor")?;
        tx.create_user("sue")?.join("backend")?.assign("auditor")?.suspend()?.done()
    })
    .unwrap();
    acme
}

fn all() -> PageRequest {
    PageRequest::of(100_000)
}

/// Why an answer is empty, and how many entries it has.
trait Answer: Debug {
    fn why(&self) -> (Option<Reason>, Option<EntityKind>);
    fn count(&self) -> usize;
}

macro_rules! answers {
    ($($type:ty: |$answer:ident| $unavailable:expr, $unknown:expr, $count:expr, [$($generic:ident)?];)*) => {$(
        impl$(<$generic: Debug>)? Answer for $type {
            fn why(&self) -> (Option<Reason>, Option<EntityKind>) {
                let $answer = self;
                ($unavailable, $unknown)
            }

            fn count(&self) -> usize {
                let $answer = self;
                $count
            }
        }
    )*};
}

answers! {
    Page<T>: |page| page.unavailable, page.unknown, page.items.len(), [T];
    List<T>: |list| list.unavailable, list.unknown, list.len(), [T];
    PermissionSet: |set| set.unavailable(), set.unknown(), set.len(), [];
    UserSet: |set| set.unavailable(), set.unknown(), set.len(), [];
    rolecall::moment::GroupPaths: |found| found.unavailable, found.unknown, found.paths.len(), [];
}

/// Every question about one entity, with this name.
fn questions(acme: &Tenant, name: &str) -> Vec<(&'static str, EntityKind, Box<dyn Answer>)> {
    let now = acme.now();
    macro_rules! ask {
        ($($kind:ident: $($method:ident $(($page:ident))?),*;)*) => {
            vec![$($((stringify!($method), EntityKind::$kind, Box::new(now.$method(name $(, &$page())?)) as Box<dyn Answer>)),*),*]
        };
    }
    ask! {
        User: effective, groups_of, all_groups_of, roles_of, all_roles_of;
        Permission: who_can;
        Group: members(all), all_members, roles_of_group, all_roles_of_group, parents_of, subgroups(all),
            all_subgroups(all), paths_of, effective_of_group;
        Role: holders(all), all_holders, groups_with(all), all_groups_with(all), grants_of, includes_of, all_includes_of,
            includers_of, all_includers_of, effective_of_role;
    }
}

#[test]
fn f13_f30_an_answer_about_something_unknown_says_what_is_unknown() {
    let acme = acme();
    for (question, entity, answer) in questions(&acme, "typo") {
        assert_eq!((answer.count(), answer.why()), (0, (None, Some(entity))), "{question}");
        let shown = format!("{answer:?}").to_lowercase();
        assert!(shown.contains("unknown") && shown.contains(&entity.to_string()), "{question}: {shown}");
    }
    for name in ["alice", "posts:read", "backend", "staff", "viewer", "auditor"] {
        for (question, entity, answer) in questions(&acme, name) {
            let now = acme.now();
            let exists = match entity {
                EntityKind::User => now.user(name).is_some(),
                EntityKind::Permission => now.permission(name).is_some(),
                EntityKind::Group => now.group(name).is_some(),
                _ => now.role(name).is_some(),
            };
            assert_eq!(answer.why(), (None, (!exists).then_some(entity)), "{question} {name}");
        }
    }
    acme.close().unwrap();
    for (question, _, answer) in questions(&acme, "typo").into_iter().chain(questions(&acme, "alice")) {
        assert_eq!((answer.count(), answer.why()), (0, (Some(Reason::Closed), None)), "{question}");
    }
    let now = acme.now();
    assert_eq!(now.roles_removed_from_catalog().unavailable, Some(Reason::Closed));
    assert_eq!(now.permissions_removed_from_catalog().unavailable, Some(Reason::Closed));
    assert_eq!((now.users(&all()).unavailable, now.users(&all()).unknown), (Some(Reason::Closed), None));
}

/// However it is named: an id of nobody, a handle after the user was deleted.
#[test]
fn f13_ids_and_handles_of_nobody_are_unknown() {
    let acme = acme();
    let (id, handle) = (acme.now().user("alice").unwrap().id, acme.user_handle("alice").unwrap());
    acme.update(|tx| tx.delete_user("alice")).unwrap();
    let now = acme.now();
    for set in [now.effective(id), now.effective(handle), now.effective(UserId::random())] {
        assert_eq!(set.unknown(), Some(EntityKind::User));
    }
    assert_eq!(now.effective(now.user("sue").unwrap().id).unknown(), None, "a suspended user is known");
    assert_eq!(now.groups_of(id).unknown, Some(EntityKind::User));
}

/// The permissions of an unknown role are not a subset of those of alice.
#[test]
fn f13_an_unknown_set_is_no_subset_and_not_disjoint() {
    let acme = acme();
    let now = acme.now();
    let (alice, typo) = (now.effective("alice"), now.effective_of_role("editro"));
    assert!(now.effective_of_role("editor").is_subset(&alice) && now.effective_of_role("auditor").is_subset(&alice));
    assert!(!typo.is_subset(&alice) && !typo.is_disjoint(&alice) && !alice.is_disjoint(&typo));
    for set in [&alice | &typo, &typo | &alice, &alice - &typo, &alice & &typo] {
        assert_eq!((set.unknown(), set.is_known()), (Some(EntityKind::Role), false));
    }
    assert_eq!(format!("{typo:?}"), "PermissionSet(0, unknown role)");
    assert_eq!(format!("{alice:?}"), "PermissionSet(1)");
}

/// R4: suspension is a mark on the entry, and takes nothing out of a list.
#[test]
fn f14_lists_agree_about_a_suspended_user_and_mark_it() {
    let acme = acme();
    let now = acme.now();
    for (user, suspended) in [("alice", false), ("sue", true)] {
        let slugs = |groups: &[Inherited<GroupRecord>]| {
            assert!(groups.iter().all(|group| group.suspended == suspended));
            groups.iter().map(|group| group.record.slug.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(slugs(&now.all_groups_of(user)), ["backend", "engineering", "staff"]);
        for group in ["backend", "engineering", "staff"] {
            assert!(now.all_members(group).contains(user), "{user} {group}");
            assert_eq!(now.all_members(group).suspended().contains(user), suspended);
        }
        let roles = now.all_roles_of(user);
        assert!(roles.iter().map(|role| role.record.slug().as_str()).eq(["auditor", "editor", "viewer"]));
        assert!(
            roles.iter().all(|role| role.suspended == suspended && now.all_holders(role.record.id()).contains(user))
        );
        let direct = now.groups_of(user);
        assert_eq!(
            direct.iter().map(|group| (group.suspended, group.active)).collect::<Vec<_>>(),
            [(suspended, !suspended)]
        );
        let direct = now.roles_of(user);
        assert_eq!(
            direct.iter().map(|role| (role.suspended, role.active)).collect::<Vec<_>>(),
            [(suspended, !suspended)]
        );
        for listed in [now.members("backend", &all()), now.holders("auditor", &all())] {
            let entry = listed.items.into_iter().find(|entry| entry.record.key == user).unwrap();
            assert_eq!((entry.suspended, entry.active), (suspended, !suspended));
        }
        assert_eq!(now.effective(user).is_empty(), suspended);
        assert_eq!(now.who_can("posts:read").contains(user), !suspended);
    }
}

/// All entries of a list that comes in pages of some size.
fn gathered<T>(size: usize, ask: impl Fn(&PageRequest) -> Page<T>) -> Vec<T> {
    let (mut found, mut request) = (Vec::new(), PageRequest::of(size));
    loop {
        let page = ask(&request);
        assert!(page.items.len() <= size);
        found.extend(page.items);
        let Some(next) = page.next else { return found };
        request = request.after(next);
    }
}

/// 15,000 groups: a third directly below `all`, the others one level further down. `all` has a role that includes
/// another.
#[test]
fn f23_groups_that_have_a_role_and_subgroups_are_complete_and_paged() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("viewer")?;
        tx.create_role("editor")?.include("viewer")?;
        tx.create_group("all")?.assign("editor")?;
        for n in 0..15_000 {
            let group = tx.create_group(&format!("g{n:05}"))?;
            group.add_parent(if n < 5_000 { "all".to_owned() } else { format!("g{:05}", n % 5_000) })?;
            if n % 3 == 0 {
                group.assign("viewer")?;
            }
        }
        Ok(())
    })
    .unwrap();
    let now = acme.now();
    let slug = |n: usize| format!("g{n:05}");
    let slugs = |found: &[Inherited<GroupRecord>]| found.iter().map(|g| g.record.slug.to_string()).collect::<Vec<_>>();

    let below = gathered(4_000, |page| now.all_subgroups("all", page));
    assert_eq!(slugs(&below), (0..15_000).map(slug).collect::<Vec<_>>());
    for (n, group) in below.iter().enumerate() {
        let expected = if n < 5_000 { Via::Direct } else { Via::Group(slug(n % 5_000).parse().unwrap()) };
        assert_eq!(group.via, expected, "{n}");
    }
    let direct = gathered(999, |page| now.subgroups("all", page));
    assert!(direct.iter().map(|group| group.record.slug.to_string()).eq((0..5_000).map(slug)));
    assert_eq!((now.subgroup_count("all"), now.subgroup_count("g00000")), (Some(5_000), Some(2)));

    let having = gathered(4_000, |page| now.all_groups_with("viewer", page));
    assert_eq!(having.len(), 15_001);
    for (n, group) in having.iter().skip(1).enumerate() {
        let above = if n < 5_000 { "all".to_owned() } else { slug(n % 5_000) };
        let expected = if n % 3 == 0 { Via::Direct } else { Via::Group(above.parse().unwrap()) };
        assert_eq!(group.via, expected, "{n}");
    }
    assert_eq!(having[0].via, Via::Role("editor".parse().unwrap()));
    let direct = gathered(999, |page| now.groups_with("viewer", page));
    assert!(direct.iter().map(|group| group.record.slug.to_string()).eq((0..15_000).step_by(3).map(slug)));
    let found = now.all_subgroups("all", &PageRequest::of(2).search("G1499"));
    assert_eq!((slugs(&found.items), found.next.as_deref()), (vec![slug(14_990), slug(14_991)], Some("g14991")));
}

#[test]
fn f32_counts_are_those_of_the_lists() {
    let acme = acme();
    let now = acme.now();
    let counts = now.counts().unwrap();
    assert_eq!(counts.users, now.users(&all()).items.len());
    assert_eq!(counts.groups, now.groups(&all()).items.len());
    assert_eq!(counts.roles, now.roles(&all()).items.len());
    assert_eq!(counts.permissions, now.permissions(&all()).items.len());
    for group in ["staff", "engineering", "backend"] {
        assert_eq!(now.member_count(group), Some(now.members(group, &all()).items.len()), "{group}");
        assert_eq!(now.subgroup_count(group), Some(now.subgroups(group, &all()).items.len()), "{group}");
    }
    for role in ["viewer", "editor", "auditor"] {
        assert_eq!(now.holder_count(role), Some(now.holders(role, &all()).items.len()), "{role}");
    }
    assert_eq!((now.member_count("typo"), now.subgroup_count("typo"), now.holder_count("typo")), (None, None, None));
    acme.close().unwrap();
    let now = acme.now();
    assert_eq!((now.counts(), now.member_count("staff"), now.holder_count("editor")), (None, None, None));
}

/// The members of a record are beside those that a list adds, however deep the record is wrapped.
#[test]
fn f33_every_entry_of_a_list_is_one_flat_object() {
    let acme = acme();
    acme.update(|tx| {
        tx.group("backend")?.assign_during("auditor", Window::until(Timestamp::from_secs(1_900_000_000)?))?.done()
    })
    .unwrap();
    let now = acme.now();
    let (sue, auditor, backend) =
        (now.user("sue").unwrap(), now.role("auditor").unwrap(), now.group("backend").unwrap());
    let always = json!({"from": null, "until": null});
    let user = json!({
        "id": sue.id, "key": "sue", "name": null, "status": "suspended", "external_id": null, "managed_by": null,
        "window": always, "active": false, "suspended": true,
    });
    let members = to_value(now.members("backend", &PageRequest::of(1).after("alice"))).unwrap();
    assert_eq!(members, json!({"items": [user], "next": null, "unavailable": null, "unknown": null}));
    let role = json!({
        "id": auditor.id(), "slug": "auditor", "name": "auditor", "description": "", "origin": "tenant", "in_conflict": false,
    });
    assert_eq!(to_value(&auditor).unwrap(), role);
    let with = |more: Value| {
        let mut all = role.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    assert_eq!(
        to_value(now.roles_of_group("backend")).unwrap(),
        json!({
            "items": [with(json!({
                "window": {"from": null, "until": "2030-03-17T17:46:40Z"}, "active": true, "suspended": false,
            }))],
            "unavailable": null, "unknown": null,
        })
    );
    assert_eq!(to_value(&now.all_roles_of("sue")[0]).unwrap(), with(json!({"via": "direct", "suspended": true})));
    let group = to_value(&now.all_subgroups("staff", &all()).items[0]).unwrap();
    assert_eq!((&group["id"], &group["via"]), (&json!(backend.id), &json!({"group": "engineering"})));
    let unknown = to_value(now.groups_of("typo")).unwrap();
    assert_eq!(unknown, json!({"items": [], "unavailable": null, "unknown": "user"}));
    let paths = to_value(now.paths_of("typo")).unwrap();
    assert_eq!(paths, json!({"paths": [], "more_paths": false, "unavailable": null, "unknown": "group"}));
    assert_eq!(to_value(now.counts()).unwrap(), json!({"users": 2, "groups": 3, "roles": 3, "permissions": 1}));
}
