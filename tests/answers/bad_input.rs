//! Bad input returns an error that names the input, changes nothing, and never panics.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::records::{GroupId, Revision, UserId};
use rolecall::{Error, ErrorKind, Timestamp, Tx, Window};
use uuid::Uuid;

fn acme() -> Tenant {
    let acme = Authorizer::builder()
        .clock(rolecall::clock::ManualClock::new(at(0)))
        .build()
        .create_tenant("acme", "Acme")
        .unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("viewer")?.grant("posts:read")?;
        tx.create_group("staff")?.assign("viewer")?;
        tx.create_group("engineering")?.add_parent("staff")?;
        tx.create_user("alice")?.join("engineering")?;
        Ok(())
    })
    .unwrap();
    acme
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

type Call = fn(&Tx) -> rolecall::Result<()>;

/// Every call that fails: the kind of its error, and that it changes nothing in the transaction or afterwards.
#[test]
fn a_refused_call_changes_nothing_and_the_transaction_goes_on() {
    use ErrorKind::{AlreadyExists, Cycle, Invalid, Managed, NotFound, WindowMismatch};
    let table: &[(ErrorKind, Call)] = &[
        (Invalid, |tx| tx.create_permission("")?.done()),
        (Invalid, |tx| tx.create_permission("posts:*")?.done()),
        (Invalid, |tx| tx.create_role("a b")?.done()),
        (Invalid, |tx| tx.create_role("*")?.done()),
        (Invalid, |tx| tx.create_role(&"r".repeat(256))?.done()),
        (Invalid, |tx| tx.create_group("naïve")?.done()),
        (Invalid, |tx| tx.create_group("g\0")?.done()),
        (Invalid, |tx| tx.create_group_with_name("---")?.done()),
        (Invalid, |tx| tx.create_role_with_name("\u{e000}")?.done()),
        (Invalid, |tx| tx.create_user("")?.done()),
        (Invalid, |tx| tx.create_user("a\nb")?.done()),
        (Invalid, |tx| tx.create_user(&"k".repeat(321))?.done()),
        (Invalid, |tx| tx.role("editor")?.set_name("")?.done()),
        (Invalid, |tx| tx.role("editor")?.set_description("\u{1b}[31m")?.done()),
        (Invalid, |tx| tx.role("editor")?.set_slug("*")?.done()),
        (Invalid, |tx| tx.permission("posts:read")?.set_category(Some(""))?.done()),
        (Invalid, |tx| tx.role("editor")?.grant("")?.done()),
        (Invalid, |tx| tx.role("editor")?.grant("posts: *")?.done()),
        (Invalid, |tx| tx.role("editor")?.grant("*********")?.done()),
        (Invalid, |tx| tx.set_actor("")?.done()),
        (Invalid, |tx| tx.set_note(&"n".repeat(4097))?.done()),
        (Invalid, |tx| tx.set_tenant_slug("Acme")?.done()),
        (Invalid, |tx| tx.set_tenant_name("\0")?.done()),
        (Invalid, |tx| tx.set_manager("")?.done()),
        (Invalid, |tx| tx.user("alice")?.set_name(Some("\n"))?.done()),
        (Invalid, |tx| tx.user("alice")?.set_external_id(Some("x"))?.done()),
        (Invalid, |tx| tx.group("staff")?.set_external_id(Some(""))?.done()),
        (Invalid, |tx| tx.user("alice")?.set_managed_by(Some(""))?.done()),
        (Managed, |tx| tx.user("alice")?.set_managed_by(Some("okta"))?.done()),
        (AlreadyExists, |tx| tx.create_permission("posts:read")?.done()),
        (AlreadyExists, |tx| tx.create_role("editor")?.done()),
        (AlreadyExists, |tx| tx.create_group("staff")?.done()),
        (AlreadyExists, |tx| tx.create_group_with_name("Staff")?.done()),
        (AlreadyExists, |tx| tx.create_user("alice")?.done()),
        (AlreadyExists, |tx| {
            let id = tx.user("alice")?.id()?;
            tx.create_user_with_id(id, "another")?.done()
        }),
        (AlreadyExists, |tx| tx.permission("posts:read")?.set_slug("posts:write")?.done()),
        (AlreadyExists, |tx| tx.role("editor")?.set_slug("viewer")?.done()),
        (AlreadyExists, |tx| tx.group("staff")?.set_slug("engineering")?.done()),
        (NotFound, |tx| tx.role("edtior")?.set_name("x")?.done()),
        (NotFound, |tx| tx.delete_role("nothing")),
        (NotFound, |tx| tx.delete_user(Uuid::nil())),
        (NotFound, |tx| tx.delete_group(GroupId::from_uuid(Uuid::nil()))),
        (NotFound, |tx| tx.role("editor")?.grant("posts:raed")?.done()),
        (NotFound, |tx| tx.role("editor")?.revoke("posts:raed")?.done()),
        (NotFound, |tx| tx.role("editor")?.include("nothing")?.done()),
        (NotFound, |tx| tx.role("editor")?.set_grants(["posts:read", "nothing"]).map(drop)),
        (NotFound, |tx| tx.group("staff")?.set_roles(["viewer", "nothing"]).map(drop)),
        (NotFound, |tx| tx.group("staff")?.add_member("nobody")?.done()),
        (NotFound, |tx| tx.group("staff")?.remove_member("nobody")?.done()),
        (NotFound, |tx| tx.group("staff")?.set_members(["alice", "nobody"]).map(drop)),
        (NotFound, |tx| tx.group("staff")?.set_member_window("alice", Window::ALWAYS)?.done()),
        (NotFound, |tx| tx.user("alice")?.set_assignment_window("editor", Window::ALWAYS)?.done()),
        (NotFound, |tx| tx.user("alice")?.join("nothing")?.done()),
        (Cycle, |tx| tx.group("staff")?.add_parent("staff")?.done()),
        (Cycle, |tx| tx.group("staff")?.add_parent("engineering")?.done()),
        (Cycle, |tx| tx.role("editor")?.include("editor")?.done()),
        (WindowMismatch, |tx| tx.user("alice")?.join_during("engineering", Window::until(Timestamp::MAX))?.done()),
        (WindowMismatch, |tx| tx.group("staff")?.assign_during("viewer", Window::from(Timestamp::MIN))?.done()),
    ];
    for (n, (kind, call)) in table.iter().enumerate() {
        let acme = acme();
        let before = acme.revision();
        let alone = acme.update(call).unwrap_err();
        assert_eq!(alone.kind(), *kind, "row {n}: {alone}");
        assert!(!alone.to_string().contains('\u{1b}') && alone.to_string().len() < 2_000, "row {n}");
        assert_eq!(acme.revision(), before);
        let done = acme.update(|tx| {
            drop(call(tx));
            tx.create_user("bob")?.done()
        });
        assert_eq!(done.unwrap().changes.len(), 1, "row {n}: only bob");
        let nothing = acme.update(|tx| {
            drop(call(tx));
            Ok(())
        });
        assert!(nothing.unwrap().changes.is_empty(), "row {n}");
    }
}

#[test]
fn r3_a_window_is_changed_by_a_separate_call() {
    let acme = acme();
    let (march, june) = (Window::until(at(1_000)), Window::until(at(2_000)));
    acme.update(|tx| tx.user("alice")?.join_during("staff", march)?.done()).unwrap();
    let error = acme.update(|tx| tx.group("staff")?.add_member("alice")?.done()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WindowMismatch);
    assert_eq!((error.expected(), error.found()), (Some("always"), Some("until 1970-01-01T00:16:40Z")));
    assert_eq!(
        error.to_string(),
        "membership of `alice` in `staff` already exists with another window (until 1970-01-01T00:16:40Z); \
         use `set_member_window` to change it"
    );
    let error = acme.update(|tx| tx.user("alice")?.join("staff")?.done()).unwrap_err();
    assert!(error.to_string().ends_with("; use `set_membership_window` to change it"), "{error}");
    let error = acme.update(|tx| tx.group("staff")?.assign_during("viewer", june)?.done()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "assignment of `viewer` to `staff` already exists with another window (always); \
         use `set_assignment_window` to change it"
    );
    let error = acme.update(|tx| tx.user("alice")?.set_assignment_window("viewer", june)?.done()).unwrap_err();
    assert_eq!(error.to_string(), "assignment of `viewer` to `alice` not found");
    let error = acme.update(|tx| tx.group("staff")?.remove_member("alice")?.set_member_window("alice", june)?.done());
    assert_eq!(error.unwrap_err().to_string(), "membership of `alice` in `staff` not found");
    let same = acme.update(|tx| tx.user("alice")?.join_during("staff", march)?.done()).unwrap();
    assert!(same.changes.is_empty());
    acme.update(|tx| tx.user("alice")?.set_membership_window("staff", june)?.done()).unwrap();
    assert_eq!(acme.now().groups_of("alice").iter().find(|g| g.record.slug == "staff").unwrap().window, june);
    for (from, until) in [(5, 5), (6, 5)] {
        assert_eq!(Window::between(at(from), at(until)).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn r6_not_found_names_the_entity_and_suggestions() {
    let acme = acme();
    let error = acme.update(|tx| tx.role("editor")?.grant("post:write")?.done()).unwrap_err();
    assert_eq!(
        (error.name(), error.suggestions(), error.revision()),
        (Some("post:write"), &["posts:write".to_owned()][..], Some(Revision::new(2)))
    );
    assert_eq!(error.to_string(), "permission `post:write` not found; did you mean `posts:write`?");
    let error = acme.update(|tx| tx.create_user("alice")?.done()).unwrap_err();
    assert_eq!(error.to_string(), "user `alice` already exists");
    let error = acme.update(|tx| tx.group("staff")?.add_parent("engineering")?.done()).unwrap_err();
    assert_eq!(error.cycle_names(), ["staff", "engineering", "staff"]);
}

#[test]
fn suggestions_for_a_user_are_neither_in_the_text_nor_in_the_data() {
    let acme = acme();
    let error = acme.update(|tx| tx.user("alcie")?.suspend()?.done()).unwrap_err();
    assert_eq!(error.suggestions(), ["alice"]);
    assert_eq!(error.to_string(), "user `alcie` not found");
    assert_eq!(format!("{error:?}"), "NotFound: user `alcie` not found");
    assert!(!serde_json::to_string(&error).unwrap().contains("alice"));
    let error = acme.update(|tx| tx.group("stuff")?.done()).unwrap_err();
    assert_eq!(serde_json::to_value(&error).unwrap()["suggestions"], serde_json::json!(["staff"]));
}

#[test]
fn an_error_says_what_is_wrong_then_why() {
    let acme = acme();
    let table: [(Call, &str); 6] = [
        (|tx| tx.role("edtior")?.done(), "role `edtior` not found; did you mean `editor`?"),
        (
            |tx| tx.create_role("a b")?.done(),
            "invalid slug `a b`: expected 1 to 255 visible ASCII characters other than `*`",
        ),
        (|tx| tx.set_actor("")?.done(), "invalid actor ``: expected 1 to 320 bytes without control characters"),
        (|tx| tx.create_group("staff")?.done(), "group `staff` already exists"),
        (|tx| tx.role("editor")?.include("editor")?.done(), "cycle of roles: `editor` includes `editor`"),
        (
            |tx| {
                let role = tx.role("editor")?;
                tx.delete_role("editor")?;
                role.id().map(drop)
            },
            "role not found: it was deleted in this transaction",
        ),
    ];
    for (call, text) in table {
        assert_eq!(acme.update(call).unwrap_err().to_string(), text);
    }
}

/// Edits of an entity that was deleted in the same transaction.
#[test]
fn editing_a_deleted_entity_is_an_error() {
    let acme = acme();
    let errors = acme.update(|tx| {
        let (role, group, user) = (tx.role("editor")?, tx.group("staff")?, tx.user("alice")?);
        let permission = tx.permission("posts:read")?;
        tx.delete_role("editor")?;
        tx.delete_group("staff")?;
        tx.delete_user("alice")?;
        tx.delete_permission("posts:read")?;
        let errors: Vec<Error> = vec![
            role.grant("*").unwrap_err(),
            role.include("viewer").unwrap_err(),
            role.id().unwrap_err(),
            group.assign("viewer").unwrap_err(),
            group.add_parent("engineering").unwrap_err(),
            group.remove_member("alice").unwrap_err(),
            user.suspend().unwrap_err(),
            user.join("engineering").unwrap_err(),
            user.unassign("viewer").unwrap_err(),
            permission.set_slug("x").unwrap_err(),
        ];
        tx.delete_tenant()?;
        assert_eq!(tx.create_user("zed").unwrap_err().kind(), ErrorKind::Deleted);
        assert_eq!(tx.delete_tenant().unwrap_err().kind(), ErrorKind::Deleted);
        Err::<(), _>(Error::rejected(format!("{}", errors.iter().all(|e| e.kind() == ErrorKind::NotFound))))
    });
    assert_eq!(errors.unwrap_err().to_string(), "true");
}

#[test]
fn an_id_of_a_deleted_entity_is_unknown_in_every_form() {
    let acme = acme();
    let alice = acme.now().user("alice").unwrap();
    acme.update(|tx| tx.delete_user("alice")).unwrap();
    let now = acme.now();
    assert!(!now.check(alice.id, "posts:read") && !now.check(&alice, "posts:read") && now.user(alice.id).is_none());
    assert!(now.effective(alice.id).is_empty() && now.groups_of(alice.id).is_empty());
    drop(now);
    // A user recreated with the same id gets none of the old memberships or assignments.
    acme.update(|tx| tx.create_user_with_id(alice.id, "alice")?.done()).unwrap();
    assert!(!acme.check(alice.id, "posts:read") && acme.now().groups_of(alice.id).is_empty());
    assert_eq!(acme.now().user("alice").unwrap().id, alice.id);
    let chosen = UserId::from_uuid(Uuid::from_u128(7));
    acme.update(|tx| tx.create_user_with_id(chosen, "bob")?.done()).unwrap();
    assert_eq!(acme.now().user(chosen).unwrap().key, "bob");
}

#[test]
fn tenants_with_bad_names_are_not_created() {
    let authorizer = Authorizer::in_memory();
    for (slug, name) in [("", "x"), ("Acme", "x"), ("a b", "x"), (&"a".repeat(64), "x"), ("acme", ""), ("acme", "a\0")]
    {
        assert_eq!(authorizer.create_tenant(slug, name).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(authorizer.tenant("no such/thing").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(authorizer.create_tenant_with_name("Acme Corp").unwrap().slug().unwrap(), "acme-corp");
    assert_eq!(authorizer.create_tenant_with_name("Ünï").unwrap().slug().unwrap(), "uni");
    assert_eq!(authorizer.create_tenant_with_name("---").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(authorizer.create_tenant_with_name("Uni").unwrap_err().kind(), ErrorKind::AlreadyExists);
}
