//! Reviews: the functions of the RBAC standard (`src/docs/review.md` maps them), the access report, and the lint.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
#![expect(clippy::too_many_lines, reason = "the rules of the lint are in one table")]

mod lint;

use std::collections::BTreeSet;
use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::moment::Via;
use rolecall::review::{Accepted, AccessRow, Bound, Code, Severity};
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, PageRequest, Reason, Timestamp, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn all() -> PageRequest {
    PageRequest::of(1_000)
}

fn slugs<T: ToString>(slugs: impl IntoIterator<Item = T>) -> Vec<String> {
    slugs.into_iter().map(|slug| slug.to_string()).collect()
}

/// It is 50 by the clock.
fn empty() -> Tenant {
    let clock = Arc::new(ManualClock::new(at(50)));
    Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme").unwrap()
}

/// Alice is an owner. Owners are editors, and editors are readers. Bob reads through a group. Nobody is both a clerk
/// and an approver.
fn acme() -> Tenant {
    let acme = empty();
    acme.update(|tx| {
        for permission in ["posts:read", "posts:write", "billing:pay"] {
            tx.create_permission(permission)?;
        }
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_role("editor")?.grant("posts:write")?.include("reader")?;
        tx.create_role("owner")?.grant("billing:*")?.include("editor")?;
        tx.create_role("clerk")?;
        tx.create_role("approver")?;
        tx.create_separation("payments", 1, ["clerk", "approver"])?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_user("alice")?.assign("owner")?;
        tx.create_user("bob")?.join("staff")?.done()
    })
    .unwrap();
    acme
}

#[test]
fn assigned_users_are_the_direct_holders() {
    let acme = acme();
    let holders = |role: &str| slugs(acme.now().holders(role, &all()).items.iter().map(|user| &user.record.key));
    assert_eq!((holders("owner"), holders("reader")), (vec!["alice".to_owned()], vec![]));
}

#[test]
fn authorized_users_are_all_holders() {
    let acme = acme();
    assert_eq!(slugs(acme.now().all_holders("reader").keys()), ["alice", "bob"]);
    assert_eq!(slugs(acme.now().all_holders("editor").keys()), ["alice"]);
}

#[test]
fn assigned_roles_are_the_direct_roles() {
    let acme = acme();
    assert_eq!(slugs(acme.now().roles_of("alice").iter().map(|role| role.record.slug())), ["owner"]);
    assert!(acme.now().roles_of("bob").is_empty());
}

#[test]
fn authorized_roles_are_all_roles() {
    let acme = acme();
    let roles = |user: &str| slugs(acme.now().all_roles_of(user).iter().map(|role| role.record.slug()));
    assert_eq!((roles("alice"), roles("bob")), (slugs(["editor", "owner", "reader"]), slugs(["reader"])));
}

#[test]
fn role_permissions_are_the_grants_or_with_those_of_included_roles() {
    let acme = acme();
    assert_eq!(acme.now().grants_of("owner").len(), 1);
    assert_eq!(slugs(acme.now().effective_of_role("owner").slugs()), ["billing:pay", "posts:read", "posts:write"]);
    assert_eq!(slugs(acme.now().effective_of_role("reader").slugs()), ["posts:read"]);
}

#[test]
fn user_permissions_are_the_effective_permissions() {
    let acme = acme();
    assert_eq!(slugs(acme.effective("alice").slugs()), ["billing:pay", "posts:read", "posts:write"]);
    assert_eq!(slugs(acme.effective("bob").slugs()), ["posts:read"]);
}

#[test]
fn operations_on_an_object_are_the_permissions_that_match_a_pattern() {
    let acme = acme();
    let posts = "posts:*".parse().unwrap();
    assert_eq!(slugs(acme.effective("alice").matching(&posts).slugs()), ["posts:read", "posts:write"]);
    assert_eq!(slugs(acme.now().effective_of_role("reader").matching(&posts).slugs()), ["posts:read"]);
    let nobody = acme.effective("mallory").matching(&posts);
    assert_eq!((nobody.len(), nobody.unknown()), (0, Some(EntityKind::User)));
}

#[test]
fn session_roles_and_permissions_are_those_of_a_narrowed_user() {
    let acme = acme();
    let now = acme.now();
    let session = now.narrowed("alice", ["editor", "clerk"]);
    assert_eq!(slugs(session.roles().iter().map(|role| &role.record.slug)), ["editor"]);
    assert_eq!(slugs(session.effective().slugs()), ["posts:read", "posts:write"]);
    assert!(session.check("posts:read") && !session.check("billing:pay"));
    let unknown = now.narrowed("mallory", ["editor"]);
    assert_eq!((unknown.roles().unknown, unknown.roles().len()), (Some(EntityKind::User), 0));
    assert!(unknown.explain("posts:read").to_string().contains("user `mallory` not found"));
}

#[test]
fn a_narrowed_explanation_has_a_path_through_the_roles_also_among_thousands() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_role("late")?.include("reader")?;
        tx.create_user("alice")?.done()?;
        for n in 0..80 {
            tx.create_group(&format!("g{n}"))?.assign("reader")?;
            tx.user("alice")?.join(format!("g{n}"))?;
        }
        tx.create_group("z")?.assign("late")?;
        tx.create_group("y")?.add_parent("z")?;
        tx.user("alice")?.join("y")?.done()
    })
    .unwrap();
    let now = acme.now();
    let explanation = now.narrowed("alice", ["late"]).explain("posts:read");
    assert_eq!(
        explanation.paths()[0].to_string(),
        "is in `y`, a part of `z`, which has the role `late`, which includes `reader`, which grants `posts:read`"
    );
    assert!(explanation.is_allowed() && explanation.has_more_paths());
}

#[test]
fn the_role_hierarchy_is_listed_in_both_directions() {
    let acme = acme();
    let now = acme.now();
    assert_eq!(slugs(now.includes_of("owner").iter().map(|role| &role.record.slug)), ["editor"]);
    assert_eq!(slugs(now.includers_of("reader").iter().map(|role| &role.record.slug)), ["editor"]);
    let below = now.all_includes_of("owner");
    assert_eq!(
        below.iter().map(|role| &role.via).collect::<Vec<_>>(),
        [&Via::Direct, &Via::Role("editor".parse().unwrap())]
    );
    assert_eq!(slugs(now.all_includers_of("reader").iter().map(|role| role.record.slug())), ["editor", "owner"]);
    assert!(now.all_includes_of("reader").is_empty() && now.all_includes_of("reader").is_known());
    assert_eq!(now.all_includers_of("redaer").unknown, Some(EntityKind::Role));
    assert_eq!(now.includers_of("redaer").unknown, Some(EntityKind::Role));
}

#[test]
fn separations_are_listed_with_their_roles_and_number() {
    let acme = acme();
    let listed = acme.now().separations();
    assert_eq!((listed.len(), listed[0].at_most), (1, 1));
    let found = acme.now().separation("payments").unwrap();
    assert_eq!(slugs(found.roles.iter().map(|role| &role.record.slug)), ["approver", "clerk"]);
}

#[test]
fn a_report_says_through_what_and_until_when_by_all_paths_together() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_group("team")?.add_parent_during("staff", Window::until(at(90)))?;
        let alice = tx.create_user("alice")?;
        alice.assign_during("reader", Window::between(at(40), at(60))?)?.join("team")?;
        tx.create_user("bob")?.join_during("staff", Window::between(at(40), at(60))?)?;
        tx.create_user("carol")?.join_during("staff", Window::from(at(60)))?;
        tx.create_user("dave")?.join("staff")?.suspend()?.done()
    })
    .unwrap();
    let now = acme.now();
    let rows: Vec<AccessRow> = now.access_report().rows().collect();
    let lines: Vec<String> = rows.iter().map(AccessRow::to_csv).collect();
    assert_eq!(
        lines,
        [
            "alice,posts:read,,1970-01-01T00:01:30Z,\"has the role `reader` (from 1970-01-01T00:00:40Z until \
             1970-01-01T00:01:00Z), which grants `posts:read`\"",
            "bob,posts:read,1970-01-01T00:00:40Z,1970-01-01T00:01:00Z,\"is in `staff` (from 1970-01-01T00:00:40Z until \
             1970-01-01T00:01:00Z), which has the role `reader`, which grants `posts:read`\"",
        ]
    );
    let json = serde_json::to_value(&rows[1]).unwrap();
    assert_eq!((&json["user"], &json["window"]["until"]), (&"bob".into(), &"1970-01-01T00:01:00Z".into()));
    assert_eq!(json["path"]["steps"][0]["member"]["group"], "staff");

    let report = || now.access_report();
    assert_eq!(report().every_path().rows().count(), 3);
    for (report, unknown) in [
        (report().user("alcie"), EntityKind::User),
        (report().group("saff"), EntityKind::Group),
        (report().role("redaer"), EntityKind::Role),
        (report().permission("posts:raed"), EntityKind::Permission),
    ] {
        assert_eq!((report.unknown(), report.rows().count()), (Some(unknown), 0));
    }
    assert_eq!(report().group("staff").user("bob").rows().count(), 1);
    assert_eq!(report().user("alice").user("bob").rows().count(), 0, "restrictions hold together");
    assert_eq!(report().group("team").rows().map(|row| row.user.to_string()).collect::<Vec<_>>(), ["alice"]);
    let snapshot = acme.snapshot();
    acme.delete().unwrap();
    assert_eq!(acme.now().access_report().rows().count(), 0);
    assert!(acme.now().access_report().unavailable().is_some() && acme.now().lint().next().is_none());
    assert_eq!(acme.now().lint().unavailable(), acme.now().unavailable());
    assert_eq!(snapshot.at(at(60)).access_report().rows().count(), 2, "alice and carol");
}

#[test]
fn a_report_has_the_window_that_contains_its_instant() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_group("staff")?.assign("reader")?;
        let alice = tx.create_user("alice")?;
        alice.assign_during("reader", Window::until(at(60)))?;
        alice.join_during("staff", Window::between(at(70), at(80))?)?.done()
    })
    .unwrap();
    let snapshot = acme.snapshot();
    let window = |instant| snapshot.at(at(instant)).access_report().rows().next().map(|row| row.window);
    assert_eq!(window(50), Some(Window::until(at(60))));
    assert_eq!(window(65), None);
    assert_eq!(window(75), Some(Window::between(at(70), at(80)).unwrap()));
}

#[test]
fn a_deleted_user_is_unknown_to_reports_by_handle_also() {
    let acme = empty();
    acme.update(|tx| tx.create_user("alice")?.done()).unwrap();
    let handle = acme.now().user_handle("alice").unwrap();
    let unknown = || {
        let now = acme.now();
        (now.access_report().user(handle).unknown(), now.window_changes(..).user(handle).unknown())
    };
    assert_eq!(unknown(), (None, None));
    acme.update(|tx| tx.delete_user("alice")).unwrap();
    assert_eq!(unknown(), (Some(EntityKind::User), Some(EntityKind::User)));
}

#[test]
fn a_field_of_csv_is_quoted_and_no_formula() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("reader")?.grant("posts:read")?;
        for key in ["=1+1", "a,\"b\"", "+49 30", "-1", "@SUM(1)", "plain"] {
            tx.create_user(key)?.assign("reader")?;
        }
        Ok(())
    })
    .unwrap();
    let now = acme.now();
    let lines: Vec<String> = now.access_report().rows().map(|row| row.to_csv()).collect();
    let starts: Vec<&str> = lines.iter().map(|line| line.split_once(",posts:read").unwrap().0).collect();
    assert_eq!(starts, ["'+49 30", "'-1", "'=1+1", "'@SUM(1)", "\"a,\"\"b\"\"\"", "plain"]);
}

#[test]
fn a_page_of_a_report_continues_after_a_user() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("a")?;
        tx.create_permission("b")?;
        tx.create_role("r")?.grant("*")?;
        tx.create_role("few")?.grant("a")?;
        tx.create_group("g")?.assign("r")?;
        (0..100).rev().try_for_each(|n| tx.create_user(&format!("u{n:02}"))?.join("g")?.done())?;
        ["u10", "u50", "u90"].into_iter().try_for_each(|key| tx.user(key)?.assign("few")?.done())
    })
    .unwrap();
    let now = acme.now();
    let whole: Vec<AccessRow> = now.access_report().group("g").rows().collect();
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page: Vec<AccessRow> = now.access_report().group("g").after(after).rows().take(10).collect();
        let Some(last) = page.last() else { break };
        after = last.user.to_string();
        pages.extend(page);
    }
    assert_eq!((whole.len(), pages), (200, whole));
    // A few among many users.
    let few = |after: &str| slugs(now.access_report().role("few").after(after).rows().map(|row| row.user));
    assert_eq!((few(""), few("u10")), (slugs(["u10", "u50", "u90"]), slugs(["u50", "u90"])));
}

#[test]
fn window_changes_are_found_by_user_group_and_role() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_role("reader")?;
        tx.create_group("staff")?;
        tx.create_group("team")?
            .add_parent_during("staff", Window::until(at(70)))?
            .assign_during("reader", Window::from(at(60)))?;
        tx.create_user("alice")?.join_during("team", Window::between(at(60), at(80))?)?;
        tx.create_user("bob")?.assign_during("reader", Window::until(at(90)))?.join("team")?.done()
    })
    .unwrap();
    let now = acme.now();
    let lines: Vec<String> = now.window_changes(Window::ALWAYS).soonest(10).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "1970-01-01T00:01:00Z: membership of user `alice` in group `team` begins",
            "1970-01-01T00:01:00Z: assignment of role `reader` to group `team` begins",
            "1970-01-01T00:01:10Z: parent link of group `team` to group `staff` ends",
            "1970-01-01T00:01:20Z: membership of user `alice` in group `team` ends",
            "1970-01-01T00:01:30Z: assignment of role `reader` to user `bob` ends",
        ]
    );
    let span = Window::between(at(60), at(80)).unwrap();
    let count = |changes: rolecall::review::WindowChanges<'_>| changes.rows().count();
    assert_eq!(count(now.window_changes(span)), 3, "the end of a span is not in it");
    assert_eq!(count(now.window_changes(span).ending()), 1);
    assert_eq!(count(now.window_changes(..).user("alice").group("team")), 2);
    assert_eq!(count(now.window_changes(..).user("bob").group("team")), 0);
    assert_eq!(count(now.window_changes(..).group("staff")), 1);
    assert_eq!(count(now.window_changes(..).role("reader").group("team")), 1);
    let unknown = now.window_changes(..).user("alcie");
    assert_eq!((unknown.unknown(), count(unknown)), (Some(EntityKind::User), 0));
    let json = serde_json::to_value(now.window_changes(..).soonest(1)).unwrap();
    assert_eq!((&json[0]["bound"], &json[0]["subject"]["entity"]), (&"begins".into(), &"user".into()));
    assert_eq!(now.window_changes(..).soonest(1)[0].bound, Bound::Begins);
}

#[test]
fn a_report_of_every_path_says_that_there_are_more_than_64() {
    let acme = empty();
    acme.update(|tx| {
        tx.create_permission("a")?;
        tx.create_role("r")?.grant("a")?;
        tx.create_user("alice")?.assign("r")?;
        tx.create_user("bob")?;
        (0..65).try_for_each(|n| {
            tx.create_group(&format!("g{n}"))?.assign("r")?;
            tx.user("bob")?.join(format!("g{n}"))?.done()
        })
    })
    .unwrap();
    let now = acme.now();
    let rows: Vec<(String, bool)> =
        now.access_report().every_path().rows().map(|row| (row.user.to_string(), row.more_paths)).collect();
    assert_eq!((rows.len(), &rows[0]), (65, &("alice".to_owned(), false)));
    assert!(rows[1..].iter().all(|row| *row == ("bob".to_owned(), true)));
}

/// The first changes may be anywhere in the order of names, and rows are in the order of names.
#[test]
fn the_soonest_changes_are_found_among_many() {
    let acme = empty();
    let until = |secs| Window::until(at(secs));
    acme.update(|tx| {
        tx.create_group("g")?;
        (0..200).try_for_each(|n: i64| {
            tx.create_user(&format!("u{n:03}"))?.join_during("g", until(100 + (n - 30).abs()))?.done()
        })?;
        for slug in ["z", "a"] {
            tx.create_group(slug)?;
            tx.create_role(slug)?;
        }
        let team = tx.create_group("team")?;
        team.add_parent_during("z", until(900))?.add_parent_during("a", until(900))?;
        team.assign_during("z", until(900))?.assign_during("a", until(900))?.done()
    })
    .unwrap();
    let now = acme.now();
    let soonest = now.window_changes(..).soonest(3);
    assert_eq!(soonest.iter().map(|change| change.at).collect::<Vec<_>>(), [100, 101, 101].map(at));
    assert_eq!(soonest[0].subject.name, "u030");
    let rows = now.window_changes(..).group("team").rows().map(|change| change.object.to_string());
    assert_eq!(slugs(rows), ["group `a`", "group `z`", "role `a`", "role `z`"]);
}
