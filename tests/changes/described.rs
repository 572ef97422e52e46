//! Changes with names, as text and as data, before a commit and after it (F31).

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::plan::{ChangeKind, DescribedChange};
use rolecall::records::{
    Assignment, Change, Grant, Granted, Holder, Membership, PermissionId, PermissionRef, Record, RecordKind, RoleId,
    RoleRef, UserId,
};
use rolecall::store::MemoryStore;
use rolecall::{Result, Timestamp, Tx, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn catalog() -> Catalog {
    let permissions = &[PermissionDef::new("sys:read")];
    let roles = &[RoleDef { grants: &["sys:read"], ..RoleDef::new("sys-viewer") }];
    Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap()
}

fn acme() -> Tenant {
    let clock = Arc::new(ManualClock::new(at(0)));
    let acme = Authorizer::builder().clock(clock).catalog(&catalog()).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_role("editor")?;
        tx.create_group("engineering")?.set_name("Engineering")?;
        tx.create_group("staff")?.set_name("Staff")?;
        tx.create_user("alice")?;
        tx.create_user("bob")?.done()
    })
    .unwrap();
    acme
}

/// The lines of an update. Those of its plan are the same.
fn lines(acme: &Tenant, make: impl Fn(&Tx) -> Result<()>) -> Vec<String> {
    let ((), plan) = acme.plan(&make).unwrap();
    let planned: Vec<DescribedChange> = plan.described().collect();
    assert_eq!(planned.len(), plan.changes().len());
    let updated = acme.commit(plan).unwrap();
    assert_eq!(updated.described().collect::<Vec<_>>(), planned);
    planned.iter().map(DescribedChange::to_string).collect()
}

#[test]
fn the_window_of_each_relation_that_has_one_is_described() {
    let (acme, until) = (acme(), Window::until(at(60)));
    let relate = |tx: &Tx| {
        tx.role("editor")?.grant("posts:read")?.include("sys-viewer")?;
        tx.group("engineering")?.add_parent_during("staff", until)?.assign_during("editor", until)?;
        tx.user("alice")?.join_during("staff", until)?.done()
    };
    let ((), plan) = acme.plan(relate).unwrap();
    let mut found: Vec<_> = plan.described().map(|change| (change.kind, change.window_after)).collect();
    found.sort();
    let without = [RecordKind::Grant, RecordKind::Inclusion].map(|kind| (kind, None));
    let with = [RecordKind::Parent, RecordKind::Assignment, RecordKind::Membership].map(|kind| (kind, Some(until)));
    assert_eq!(found, [&without[..], &with].concat());
}

type Make = fn(&Tx) -> Result<()>;

/// Every kind of record, added, changed and removed, one update after the other.
const STORY: &[(Make, &[&str])] = &[
    (|tx| tx.create_permission("posts:write")?.done(), &["created permission `posts:write`"]),
    (
        |tx| tx.permission("posts:write")?.set_slug("posts:edit")?.set_category(Some("Posts"))?.done(),
        &["changed permission `posts:write`: slug `posts:write` → `posts:edit`, category none → `Posts`"],
    ),
    (|tx| tx.delete_permission("posts:edit"), &["deleted permission `posts:edit`"]),
    (|tx| tx.create_role("reader")?.done(), &["created role `reader`"]),
    (
        |tx| tx.role("reader")?.set_description("May read.")?.done(),
        &["changed role `reader`: description none → `May read.`"],
    ),
    (|tx| tx.role("reader")?.set_slug("viewer")?.done(), &["renamed role `reader` to `viewer`"]),
    (|tx| tx.role("viewer")?.grant("posts:read")?.done(), &["added grant of `posts:read` to role `viewer`"]),
    (|tx| tx.role("viewer")?.grant("sys:*")?.done(), &["added grant of `sys:*` to role `viewer`"]),
    (|tx| tx.role("viewer")?.revoke("sys:*")?.done(), &["removed grant of `sys:*` to role `viewer`"]),
    (|tx| tx.role("viewer")?.grant("sys:read")?.done(), &["added grant of `sys:read` to role `viewer`"]),
    (|tx| tx.role("editor")?.include("viewer")?.done(), &["added inclusion of `viewer` in `editor`"]),
    (|tx| tx.role("editor")?.include("sys-viewer")?.done(), &["added inclusion of `sys-viewer` in `editor`"]),
    (|tx| tx.role("editor")?.exclude("viewer")?.done(), &["removed inclusion of `viewer` in `editor`"]),
    (|tx| tx.user("alice")?.assign("editor")?.done(), &["added assignment of `editor` to user `alice`"]),
    (
        |tx| tx.group("staff")?.assign_during("sys-viewer", Window::from(at(60)))?.done(),
        &["added assignment of `sys-viewer` to group `staff` from 1970-01-01T00:01:00Z"],
    ),
    (
        |tx| tx.group("staff")?.set_assignment_window("sys-viewer", Window::until(at(60)))?.done(),
        &[
            "changed assignment of `sys-viewer` to group `staff`: from 1970-01-01T00:01:00Z → until 1970-01-01T00:01:00Z",
        ],
    ),
    (
        |tx| tx.group("staff")?.unassign("sys-viewer")?.done(),
        &["removed assignment of `sys-viewer` to group `staff` (until 1970-01-01T00:01:00Z)"],
    ),
    (|tx| tx.group("engineering")?.add_parent("staff")?.done(), &["added parent link of `engineering` to `staff`"]),
    (|tx| tx.group("staff")?.set_name("Everyone")?.done(), &["changed group `staff`: name `Staff` → `Everyone`"]),
    (
        |tx| tx.user("alice")?.join_during("engineering", Window::until(at(60)))?.done(),
        &["added membership of `alice` in `engineering` until 1970-01-01T00:01:00Z"],
    ),
    (
        |tx| tx.user("alice")?.set_membership_window("engineering", Window::ALWAYS)?.done(),
        &["changed membership of `alice` in `engineering`: until 1970-01-01T00:01:00Z → always"],
    ),
    (|tx| tx.user("alice")?.set_key("alice@acme.com")?.done(), &["renamed user `alice` to `alice@acme.com`"]),
    (
        |tx| tx.user("bob")?.set_name(Some("Bob"))?.suspend()?.done(),
        &["changed user `bob`: name none → `Bob`, status `active` → `suspended`"],
    ),
    (
        |tx| {
            tx.set_manager("okta")?;
            tx.user("bob")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?.done()
        },
        &["changed user `bob`: external id none → `00u1`, managed by none → `okta`"],
    ),
    // Both ends of a relation have one name in a line: the one after, or else the last one.
    (
        |tx| {
            tx.group("engineering")?.set_slug("eng")?;
            tx.user("alice@acme.com")?.set_membership_window("eng", Window::until(at(60)))?.done()
        },
        &[
            "renamed group `engineering` to `eng`",
            "changed membership of `alice@acme.com` in `eng`: always → until 1970-01-01T00:01:00Z",
        ],
    ),
    (
        |tx| tx.delete_group("eng"),
        &[
            "deleted group `eng`",
            "removed parent link of `eng` to `staff`",
            "removed membership of `alice@acme.com` in `eng` (until 1970-01-01T00:01:00Z)",
        ],
    ),
    (
        |tx| tx.delete_user("alice@acme.com"),
        &["deleted user `alice@acme.com`", "removed assignment of `editor` to user `alice@acme.com`"],
    ),
    (|tx| tx.set_tenant_name("Acme Corp")?.done(), &["changed tenant `acme`: name `Acme` → `Acme Corp`"]),
    (|tx| tx.set_tenant_slug("acme-corp")?.done(), &["renamed tenant `acme` to `acme-corp`"]),
    (Tx::delete_tenant, &["deleted tenant `acme-corp`"]),
];

#[test]
fn f31_each_change_is_one_line_with_names() {
    let acme = acme();
    for (make, expected) in STORY {
        assert_eq!(lines(&acme, make), *expected);
    }
}

#[test]
fn f31_the_data_has_the_names_before_and_after() {
    let acme = acme();
    acme.update(|tx| tx.user("alice")?.join("engineering")?.done()).unwrap();
    let updated = acme.update(|tx| {
        tx.user("alice")?.set_key("alice@acme.com")?;
        tx.create_group("g")?.add_member("alice@acme.com")?;
        tx.delete_group("engineering")
    });
    let described: Vec<_> = updated.unwrap().described().collect();
    let membership = |change| {
        described
            .iter()
            .find(|described| described.kind.to_string() == "membership" && described.change == change)
            .unwrap()
    };
    let (added, removed) = (membership(ChangeKind::Added), membership(ChangeKind::Removed));
    for change in [added, removed] {
        assert_eq!(change.subject.before.as_deref(), Some("alice"));
        assert_eq!(change.subject.after.as_deref(), Some("alice@acme.com"));
    }
    let (group, gone) = (added.object.as_ref().unwrap(), removed.object.as_ref().unwrap());
    assert_eq!((group.before.as_deref(), group.after.as_deref()), (None, Some("g")));
    assert_eq!((gone.before.as_deref(), gone.after.as_deref()), (Some("engineering"), None));
    assert_eq!((added.window_before, added.window_after), (None, Some(Window::ALWAYS)));
    // A removed relation has the name that its ends had.
    assert_eq!(removed.to_string(), "removed membership of `alice` in `engineering`");
    let json = serde_json::to_value(added).unwrap();
    assert_eq!((&json["change"], &json["kind"]), (&"added".into(), &"membership".into()));
    assert_eq!((&json["subject"]["entity"], &json["object"]["after"]), (&"user".into(), &"g".into()));
}

#[test]
fn f31_an_update_without_effect_describes_nothing() {
    let acme = acme();
    let updated = acme.update(|tx| tx.ensure_user("alice")?.done()).unwrap();
    assert_eq!((updated.described().count(), updated.changes.len()), (0, 0));
}

/// Names are those of the update, whatever happens to the tenant later.
#[test]
fn f31_later_updates_do_not_change_the_names() {
    let acme = acme();
    let updated = acme.update(|tx| tx.user("alice")?.join("staff")?.done()).unwrap();
    acme.update(|tx| {
        tx.user("alice")?.set_key("eve")?;
        tx.group("staff")?.set_slug("other")?.done()
    })
    .unwrap();
    assert_eq!(updated.described().next().unwrap().to_string(), "added membership of `alice` in `staff`");
}

#[test]
fn f31_no_name_can_forge_a_line() {
    let acme = acme();
    let key = "x` in `admins`\u{2028}deleted user `alice";
    let lines = lines(&acme, |tx| {
        tx.create_user(key)?.join("staff")?;
        tx.group("staff")?.set_description("a\nadded membership of `eve` in `root`")?.set_name("\u{202e}x")?.done()
    });
    assert_eq!(
        lines,
        [
            r"changed group `staff`: name `Staff` → `\u{202e}x`, description none → `a\nadded membership of \u{60}eve\u{60} in \u{60}root\u{60}`",
            r"created user `x\u{60} in \u{60}admins\u{60}\u{2028}deleted user \u{60}alice`",
            r"added membership of `x\u{60} in \u{60}admins\u{60}\u{2028}deleted user \u{60}alice` in `staff`",
        ]
    );
    let ((), plan) = acme
        .plan(|tx| {
            tx.create_permission("forged:p")?;
            tx.create_permission("forged:q")?;
            tx.create_role("forger")?.grant("forged:*")?;
            tx.create_user("y` gains `root\u{2028}")?.assign("forger")?.done()
        })
        .unwrap();
    let change = plan.access_changes(acme.now().instant()).next().unwrap();
    assert_eq!(change.to_string(), r"user `y\u{60} gains \u{60}root\u{2028}` gains `forged:p`, `forged:q`");
}

#[test]
fn f31_entries_removed_from_the_catalog_have_their_last_names() {
    let store = MemoryStore::default();
    let open = |catalog: &Catalog| Authorizer::builder().store(store.clone()).catalog(catalog).build();
    let acme = open(&catalog()).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("own")?.grant("sys:read")?.include("sys-viewer")?;
        tx.create_user("alice")?.assign("sys-viewer")?.done()
    })
    .unwrap();
    let acme = open(&Catalog::new(&Definition::default()).unwrap()).tenant("acme").unwrap();
    let lines = lines(&acme, |tx| {
        tx.delete_role("own")?;
        tx.user("alice")?.set_roles::<&str>([]).map(drop)
    });
    assert_eq!(
        lines,
        [
            "deleted role `own`",
            "removed grant of `sys:read` to role `own`",
            "removed inclusion of `sys-viewer` in `own`",
            "removed assignment of `sys-viewer` to user `alice`",
        ]
    );
}

/// A commit of the history, and snapshots that have nothing to do with it.
#[test]
fn f31_an_entity_without_a_known_name_is_shown_by_its_id() {
    let snapshot = acme().snapshot();
    let shown = |record: Record| {
        let changes = [Change::added(record.clone()), Change::removed(record)];
        changes.map(|change| DescribedChange::new(&change, &snapshot, &snapshot).to_string())
    };
    let (user, role, permission) = (UserId::random(), RoleId::random(), PermissionId::random());
    let group = snapshot.at(at(0)).group("staff").unwrap().id;
    let membership = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    let what = format!("membership of user with the id `{user}` in `staff`");
    assert_eq!(shown(membership), [format!("added {what}"), format!("removed {what}")]);
    let window = Window::until(at(60));
    let assigned = |role| Record::Assignment(Assignment { role, holder: Holder::User(user), window });
    assert_eq!(
        shown(assigned(RoleRef::Own(role)))[0],
        format!(
            "added assignment of role with the id `{role}` to user with the id `{user}` until 1970-01-01T00:01:00Z"
        )
    );
    // A reference to the catalog has a slug of its own.
    let entry = RoleRef::Catalog { id: role, slug: "gone".parse().unwrap() };
    let [_, removed] = shown(assigned(entry));
    assert_eq!(
        removed,
        format!("removed assignment of `gone` to user with the id `{user}` (until 1970-01-01T00:01:00Z)")
    );
    let reference = PermissionRef::Catalog { id: permission, slug: "gone:x".parse().unwrap() };
    let grant = Record::Grant(Grant { role, granted: Granted::Permission(reference) });
    assert_eq!(shown(grant)[0], format!("added grant of `gone:x` to role with the id `{role}`"));
    // The reference itself changes: the entry was renamed.
    let reference = |slug: &str| RoleRef::Catalog { id: role, slug: slug.parse().unwrap() };
    let change = Change::new(Some(assigned(reference("a"))), Some(assigned(reference("b")))).unwrap();
    assert_eq!(
        DescribedChange::new(&change, &snapshot, &snapshot).to_string(),
        format!("changed assignment of `b` to user with the id `{user}`: slug `a` → `b`")
    );
}
