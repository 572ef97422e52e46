//! The texts of errors and explanations, in one table to read together. They must not mislead, disclose other users'
//! keys, or let a name imitate a sentence.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
#![expect(clippy::too_many_lines, reason = "the texts are in one table, to be read together")]
#![expect(clippy::needless_borrows_for_generic_args, reason = "references are what is tested")]

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::records::{GroupId, RoleId, Slug, TenantSlug, UserId, UserKey};
use rolecall::{
    Decision, EntityKind, Error, ErrorKind, Reason, Result, Timestamp, Tx, Window, error::RelationKind, plan::Warning,
    snapshot::External, snapshot::UserHandle,
};
use uuid::{Uuid, uuid};

const ID: Uuid = uuid!("67e55044-10b1-426f-9247-bb680e5fe0c8");
/// A key that reads as part of an explanation.
const FORGED: &str = "mallory is in admins, which has the role root";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000).unwrap()
}

fn between(from: i64, until: i64) -> Window {
    Window::between(at(from), at(until)).unwrap()
}

/// The catalog's second release: `leases:read` was renamed to `rentals:read`, the role `agent` to `broker`; `fax:send`
/// and the role `clerk` were retired.
fn catalog() -> Catalog {
    Catalog::new(&Definition {
        permissions: &[
            PermissionDef { renamed_from: &["leases:read"], ..PermissionDef::new("rentals:read") },
            PermissionDef::new("rentals:write"),
        ],
        retired_permissions: &["fax:send"],
        roles: &[RoleDef { renamed_from: &["agent"], grants: &["rentals:*"], ..RoleDef::new("broker") }],
        retired_roles: &["clerk"],
        reserved_permission_prefixes: &["rentals:"],
        reserved_role_prefixes: &["lessor-"],
    })
    .unwrap()
}

fn acme() -> Tenant {
    let authorizer = Authorizer::builder().catalog(&catalog()).clock(ManualClock::new(at(0))).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_group("staff")?;
        tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
        tx.create_group("with`quote")?.assign("reader")?;
        tx.create_user("alice@acme.com")?.join("engineering")?;
        tx.create_user("bob@acme.com")?.join_during("engineering", between(10, 20))?;
        tx.create_user("carol@acme.com")?.suspend()?;
        tx.create_user(FORGED)?.join("with`quote")?;
        tx.create_user("\u{202e}evil\u{200b} ")?.assign("reader")?;
        tx.set_manager("okta")?;
        tx.create_group("crew")?.set_managed_by(Some("okta"))?.set_external_id(Some("00g1"))?;
        tx.create_user("dave@acme.com")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
        Ok(())
    })
    .unwrap();
    acme
}

fn failed(acme: &Tenant, edit: impl Fn(&Tx) -> Result<()>) -> Error {
    acme.plan(edit).map(drop).unwrap_err()
}

type Edit = Box<dyn Fn(&Tx) -> Result<()>>;

fn edit<T>(edit: impl Fn(&Tx) -> Result<T> + 'static) -> Edit {
    Box::new(move |tx| edit(tx).map(drop))
}

/// The error of each edit, as a person reads it.
#[test]
fn errors_read_well() {
    let (acme, foreign) = (acme(), foreign());
    let table: Vec<(Edit, &str)> = vec![
        // Unknown names. Users' keys are never suggested in a text.
        (edit(|tx| tx.role("edtior")?.done()), "role `edtior` not found; did you mean `editor`?"),
        (edit(|tx| tx.group("stuff")?.done()), "group `stuff` not found; did you mean `staff`?"),
        (edit(|tx| tx.group("zzz")?.done()), "group `zzz` not found"),
        (
            edit(|tx| tx.permission("posts:wirte")?.done()),
            "permission `posts:wirte` not found; did you mean `posts:write`?",
        ),
        (edit(|tx| tx.user("alcie@acme.com")?.done()), "user `alcie@acme.com` not found"),
        (edit(|tx| tx.group("staff")?.add_member("bbo@acme.com")?.done()), "user `bbo@acme.com` not found"),
        (edit(|tx| tx.role("editar")?.grant("posts:read")?.done()), "role `editar` not found; did you mean `editor`?"),
        (
            edit(|tx| tx.role("reader")?.grant("post:read")?.done()),
            "permission `post:read` not found; did you mean `posts:read`?",
        ),
        // Ids, external ids and handles.
        (
            edit(|tx| tx.user(UserId::from_uuid(ID))?.done()),
            "user with the id `67e55044-10b1-426f-9247-bb680e5fe0c8` not found",
        ),
        (
            edit(|tx| tx.group(GroupId::from_uuid(ID))?.done()),
            "group with the id `67e55044-10b1-426f-9247-bb680e5fe0c8` not found",
        ),
        (
            edit(|tx| tx.role(RoleId::from_uuid(ID))?.done()),
            "role with the id `67e55044-10b1-426f-9247-bb680e5fe0c8` not found",
        ),
        (
            edit(|tx| tx.user(ID.to_string())?.done()),
            "user `67e55044-10b1-426f-9247-bb680e5fe0c8` not found; this text is a UUID and was looked up as a key; \
             to look up an id, pass a `UserId`",
        ),
        (
            edit(|tx| tx.group(ID.to_string())?.done()),
            "group `67e55044-10b1-426f-9247-bb680e5fe0c8` not found; this text is a UUID and was looked up as a slug; \
             to look up an id, pass a `GroupId`",
        ),
        (
            edit(|tx| tx.user(External { manager: "okta", id: "00u9" })?.done()),
            "user with the external id `00u9` of `okta` not found",
        ),
        (
            edit(move |tx| tx.user(foreign)?.done()),
            "user with this handle (deleted, or of another tenant or opening) not found",
        ),
        // Slugs of the catalog.
        (
            edit(|tx| tx.permission("leases:read")?.done()),
            "permission `leases:read` not found; the catalog has renamed it to `rentals:read`",
        ),
        (
            edit(|tx| tx.role("reader")?.grant("leases:read")?.done()),
            "permission `leases:read` not found; the catalog has renamed it to `rentals:read`",
        ),
        (edit(|tx| tx.role("agent")?.done()), "role `agent` not found; the catalog has renamed it to `broker`"),
        (edit(|tx| tx.role("clerk")?.done()), "role `clerk` not found; it was removed from the catalog"),
        (
            edit(|tx| tx.permission("fax:send")?.done()),
            "permission `fax:send` not found; it was removed from the catalog",
        ),
        (
            edit(|tx| tx.create_permission("leases:read")?.done()),
            "permission `leases:read` cannot be used: the catalog has renamed it to `rentals:read`",
        ),
        (
            edit(|tx| tx.create_permission("rentals:read")?.done()),
            "permission `rentals:read` already exists: the catalog defines it",
        ),
        (edit(|tx| tx.create_role("clerk")?.done()), "role `clerk` cannot be used: it was removed from the catalog"),
        (
            edit(|tx| tx.role("broker")?.grant("posts:read")?.done()),
            "role `broker` belongs to the catalog and cannot be changed by a tenant",
        ),
        (
            edit(|tx| tx.permission("posts:*")?.done()),
            "permission `posts:*` not found; this is a pattern, and only a grant can have one; name one permission",
        ),
        // What exists already.
        (edit(|tx| tx.create_user("alice@acme.com")?.done()), "user `alice@acme.com` already exists"),
        (edit(|tx| tx.create_group("staff")?.done()), "group `staff` already exists"),
        (
            edit(|tx| tx.create_group_with_name("Stäff")?.done()),
            "group `staff` already exists; the slug was derived from the name `Stäff`",
        ),
        (
            edit(|tx| tx.create_role_with_name("Édìtor")?.done()),
            "role `editor` already exists; the slug was derived from the name `Édìtor`",
        ),
        (
            edit(|tx| {
                tx.create_user_with_id(UserId::from_uuid(ID), "x")?;
                tx.create_user_with_id(UserId::from_uuid(ID), "y")?.done()
            }),
            "id `67e55044-10b1-426f-9247-bb680e5fe0c8` is already in use",
        ),
        // Relations.
        (
            edit(|tx| tx.user("alice@acme.com")?.join_during("engineering", between(1, 2))?.done()),
            "membership of `alice@acme.com` in `engineering` already exists with another window (always); \
             use `set_membership_window` to change it",
        ),
        (
            edit(|tx| tx.group("staff")?.set_member_window("alice@acme.com", Window::ALWAYS)?.done()),
            "membership of `alice@acme.com` in `staff` not found",
        ),
        (
            edit(|tx| tx.group("staff")?.set_assignment_window("editor", Window::ALWAYS)?.done()),
            "assignment of `editor` to `staff` not found",
        ),
        (
            edit(|tx| tx.group("staff")?.set_parent_window("engineering", Window::ALWAYS)?.done()),
            "parent link of `staff` to `engineering` not found",
        ),
        (
            edit(|tx| tx.group("staff")?.add_parent("engineering")?.done()),
            "cycle of groups: `staff` > `engineering` > `staff`",
        ),
        (edit(|tx| tx.role("reader")?.include("reader")?.done()), "cycle of roles: `reader` > `reader`"),
        // Directories.
        (
            edit(|tx| tx.delete_user("dave@acme.com")),
            "user `dave@acme.com` is managed by `okta`; use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| tx.group("crew")?.add_member("alice@acme.com")?.done()),
            "group `crew` is managed by `okta`; use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| {
                tx.set_manager("okta")?;
                tx.create_user("eve")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?.done()
            }),
            "user with the external id `00u1` of `okta` already exists",
        ),
        (
            edit(|tx| tx.user("alice@acme.com")?.set_external_id(Some("00u2"))?.done()),
            "user `alice@acme.com` cannot have the external id `00u2`: no directory manages it; use `set_managed_by` first",
        ),
        (
            edit(|tx| tx.user("alice@acme.com")?.set_managed_by(Some("okta"))?.done()),
            "user `alice@acme.com` cannot be given to `okta`: the transaction does not act for it; \
             use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| tx.ensure_managed_user(External { manager: "okta", id: "00u3" }, "eve")?.done()),
            "user `eve` cannot be given to `okta`: the transaction does not act for it; \
             use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.delete_user("bob@acme.com")),
            "user `bob@acme.com` is a member of group `crew`, which is managed by `okta`; \
             only a transaction that acts for `okta` may remove it; \
             use `set_manager` to act for that directory, or suspend the user",
        ),
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.merge_users("bob@acme.com", "alice@acme.com")),
            "user `bob@acme.com` is a member of group `crew`, which is managed by `okta`; \
             only a transaction that acts for `okta` may remove it; use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| {
                tx.set_manager("okta")?.group("crew")?.add_parent("staff")?;
                tx.set_manager("entra")?.delete_group("staff")
            }),
            "group `staff` is a parent of group `crew`, which is managed by `okta`; \
             only a transaction that acts for `okta` may remove it; use `set_manager` to act for that directory",
        ),
        // The group itself is managed, so its members are not the cause. Nor are they named to a caller who changes the
        // list.
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.delete_group("crew")),
            "group `crew` is managed by `okta`; use `set_manager` to act for that directory",
        ),
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.group("crew")?.set_members::<&str>([])),
            "group `crew` is managed by `okta`; use `set_manager` to act for that directory",
        ),
        // Merges.
        (
            edit(|tx| tx.merge_users("alice@acme.com", "alice@acme.com")),
            "user `alice@acme.com` cannot be merged into itself",
        ),
        (
            edit(|tx| tx.merge_users("alice@acme.com", "carol@acme.com")),
            "user `alice@acme.com` cannot be merged into `carol@acme.com`: `alice@acme.com` is active, \
             and `carol@acme.com` is suspended; activate, suspend or delete one of them first",
        ),
        // Long texts keep their end, and say how long they are.
        (
            edit(|tx| tx.create_user(&format!("{}z", "k".repeat(320)))?.done()),
            "invalid user key `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk`…`kkkkkkkkkkkkkkkkkkkkkkkkkkkkkz`: \
             expected 1 to 320 bytes without control characters, found 321 bytes",
        ),
        (
            edit(|tx| tx.group(format!("{}1", "g".repeat(200)))?.done()),
            "group `gggggggggggggggggggggggggggggggggggggggggggggggggg`…`ggggggggggggggggggggggggggggg1` not found",
        ),
        // Instants.
        (
            edit(|_| Timestamp::parse("2027-01-31T00:00:00")),
            "invalid instant `2027-01-31T00:00:00`: expected an offset at the end, like `Z` or `+01:00`",
        ),
        (
            edit(|_| Timestamp::parse("2027-02-30T00:00:00Z")),
            "invalid instant `2027-02-30T00:00:00Z`: expected a date and a time that exist",
        ),
        (
            edit(|_| Timestamp::parse("2027-01-31T00:00:00.0000001Z")),
            "invalid instant `2027-01-31T00:00:00.0000001Z`: \
             expected at most six digits of a second: instants are whole microseconds",
        ),
        (
            edit(|_| Timestamp::parse("0000-01-01T00:00:00+01:00")),
            "invalid instant `0000-01-01T00:00:00+01:00`: expected an instant in the years 0000 to 9999 in UTC",
        ),
        (
            edit(|_| Timestamp::parse("2027-01-31")),
            "invalid instant `2027-01-31`: expected RFC 3339 with an offset, like 2027-01-31T00:00:00Z",
        ),
        // Invalid texts.
        (
            edit(|tx| tx.create_group("a b")?.done()),
            "invalid slug `a b`: expected 1 to 255 visible ASCII characters other than `*`",
        ),
        (
            edit(|tx| tx.create_group(" ")?.done()),
            "invalid slug `\\u{20}`: expected 1 to 255 visible ASCII characters other than `*`",
        ),
        (
            edit(|tx| tx.create_user("a\nb")?.done()),
            "invalid user key `a\\nb`: expected 1 to 320 bytes without control characters",
        ),
        (
            edit(|tx| tx.create_group_with_name("…")?.done()),
            "invalid name to derive a slug from `…`: expected at least one letter or digit",
        ),
        (
            edit(|_| Window::between(at(2), at(1)).map(drop)),
            "invalid window `from 1970-01-01T00:00:02Z until 1970-01-01T00:00:01Z`: expected `from` before `until`",
        ),
        // Names that imitate a sentence, or that cannot be seen.
        (
            edit(|tx| tx.user("x` not found; did you mean `root")?.done()),
            "user `x\\u{60} not found; did you mean \\u{60}root` not found",
        ),
        (
            edit(|tx| tx.group("staff")?.set_member_window(FORGED, Window::ALWAYS)?.done()),
            "membership of `mallory is in admins, which has the role root` in `staff` not found",
        ),
        (
            edit(|tx| tx.create_user("\u{202e}evil\u{200b} ")?.done()),
            "user `\\u{202e}evil\\u{200b}\\u{20}` already exists",
        ),
        (edit(|tx| tx.user("alice@acme.com\u{a0}")?.done()), "user `alice@acme.com\\u{a0}` not found"),
        (edit(|tx| tx.group("with\u{2028}line")?.done()), "group `with\\u{2028}line` not found"),
        (edit(|_| Err::<(), _>(Error::rejected("the trial has ended"))), "the trial has ended"),
    ];
    for (edit, text) in &table {
        assert_eq!(failed(&acme, edit).to_string(), *text);
    }
    let unknown = Authorizer::in_memory().tenant("acme").unwrap_err();
    assert_eq!(unknown.to_string(), "tenant `acme` not found");
    let invalid = TenantSlug::new("Acme").unwrap_err();
    assert_eq!(invalid.to_string(), "invalid tenant slug `Acme`: expected 1 to 63 characters of a-z, 0-9 and `-`");
}

/// A member of the group `crew`, which a directory manages. The transaction does not act for the directory afterwards.
fn in_crew<'a>(tx: &'a Tx, user: &str) -> Result<&'a Tx> {
    tx.set_manager("okta")?.group("crew")?.add_member(user)?;
    tx.set_manager("entra")
}

/// A handle of another tenant.
fn foreign() -> UserHandle {
    let other = Authorizer::in_memory().create_tenant("other", "Other").unwrap();
    other.update(|tx| tx.create_user("zoe")?.done()).unwrap();
    other.user_handle("zoe").unwrap()
}

#[test]
fn explanations_read_well() {
    let acme = acme();
    let snapshot = acme.snapshot();
    let table: &[(&str, &str, i64, &str)] = &[
        (
            "alice@acme.com",
            "posts:write",
            0,
            "allowed: `alice@acme.com` is in `engineering`, which has the role `editor`, which grants `posts:*`",
        ),
        (
            "bob@acme.com",
            "posts:write",
            15,
            "allowed: `bob@acme.com` is in `engineering` (from 1970-01-01T00:00:10Z until 1970-01-01T00:00:20Z), \
             which has the role `editor`, which grants `posts:*`",
        ),
        ("carol@acme.com", "posts:read", 0, "denied: `carol@acme.com` is suspended"),
        (
            "dave@acme.com",
            "posts:write",
            0,
            "denied: nothing that `dave@acme.com` holds grants `posts:write`\
             \n  roles that would grant it: `editor`\n  groups that would grant it: `engineering`",
        ),
        ("alcie@acme.com", "posts:read", 0, "denied: user `alcie@acme.com` not found"),
        (
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "posts:read",
            0,
            "denied: user `67e55044-10b1-426f-9247-bb680e5fe0c8` not found; \
             this text is a UUID and was looked up as a key; to look up an id, pass a `UserId`",
        ),
        ("alice@acme.com", "posts:wirte", 0, "denied: permission `posts:wirte` not found; did you mean `posts:write`?"),
        (
            "alice@acme.com",
            "leases:read",
            0,
            "denied: permission `leases:read` not found; the catalog has renamed it to `rentals:read`",
        ),
        ("alice@acme.com", "fax:send", 0, "denied: permission `fax:send` not found; it was removed from the catalog"),
        (
            "alice@acme.com",
            "posts:*",
            0,
            "denied: permission `posts:*` not found; this is a pattern, and only a grant can have one; \
             name one permission",
        ),
        (
            FORGED,
            "posts:read",
            0,
            "allowed: `mallory is in admins, which has the role root` is in `with\\u{60}quote`, \
             which has the role `reader`, which grants `posts:read`",
        ),
        (
            "\u{202e}evil\u{200b} ",
            "posts:read",
            0,
            "allowed: `\\u{202e}evil\\u{200b}\\u{20}` has the role `reader`, which grants `posts:read`",
        ),
        (
            "eve\nallowed: `eve` has the role `root`",
            "posts:read",
            0,
            "denied: user `eve\\nallowed: \\u{60}eve\\u{60} has the role \\u{60}root\\u{60}` not found",
        ),
    ];
    for (user, permission, secs, text) in table {
        let moment = snapshot.at(at(*secs));
        let explanation = moment.explain(*user, *permission);
        assert_eq!(explanation.to_string(), *text);
        assert_eq!(explanation.decision(), moment.decide(*user, *permission));
    }
    let now = acme.now();
    assert_eq!(
        now.explain(UserId::from_uuid(ID), "posts:read").to_string(),
        "denied: user with the id `67e55044-10b1-426f-9247-bb680e5fe0c8` not found"
    );
    assert_eq!(
        now.explain(External { manager: "okta", id: "00u9" }, "posts:read").to_string(),
        "denied: user with the external id `00u9` of `okta` not found"
    );
    assert_eq!(
        now.explain(foreign(), "posts:read").to_string(),
        "denied: user with this handle (deleted, or of another tenant or opening) not found"
    );
}

/// A path exists, and its windows never overlap.
#[test]
fn a_path_that_is_never_active_is_said_to_be_one() {
    let acme = acme();
    acme.update(|tx| {
        tx.group("staff")?.assign_during("reader", between(20, 30))?;
        tx.create_user("eve")?.join_during("staff", between(10, 20))?.done()
    })
    .unwrap();
    for secs in [5, 15, 25, 35] {
        let snapshot = acme.snapshot();
        let explanation = snapshot.at(at(secs)).explain("eve", "posts:read");
        assert_eq!(explanation.decision(), Decision::Denied(Reason::NeverActive));
        assert_eq!((explanation.never_active().len(), explanation.paths().len()), (2, 0));
        let text = explanation.to_string();
        assert!(
            text.starts_with(
                "denied: no path from `eve` to `posts:read` is ever active: the windows on each have no common instant\
                 \n  a path that is never active: `eve` is in `staff` \
                 (from 1970-01-01T00:00:10Z until 1970-01-01T00:00:20Z), which has the role `reader` \
                 (from 1970-01-01T00:00:20Z until 1970-01-01T00:00:30Z), which grants `posts:read`\
                 \n  roles that would grant it: `editor`, `reader`"
            ),
            "{text}"
        );
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!((&json["decision"]["denied"], &json["paths"]), (&"never_active".into(), &serde_json::json!([])));
        assert_eq!(json["never_active"]["grant"], "posts:read");
    }
    let decision = acme.decide("eve", "posts:read");
    assert_eq!(
        decision.to_string(),
        "denied: no path of the user is ever active: the windows on each have no common instant"
    );
    assert_eq!(acme.decide("eve", "posts:write"), Decision::Denied(Reason::NoPath));
    // A path of which only a later step is never active, and one beside it that is.
    acme.update(|tx| tx.user("eve")?.assign_during("reader", between(40, 50))?.done()).unwrap();
    assert_eq!(acme.decide("eve", "posts:read"), Decision::Denied(Reason::NotYetActive { from: at(40) }));
    assert!(acme.explain("eve", "posts:read").never_active().is_empty());
}

/// The tenant and the catalog each have a role `editor`, which the names alone do not tell apart.
#[test]
fn roles_in_conflict_say_whose_they_are() {
    let store = rolecall::store::MemoryStore::default();
    let first = Authorizer::builder().store(store.clone()).clock(ManualClock::new(at(0))).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_role("lead")?.include("editor")?;
        tx.create_user("alice")?.assign("editor")?;
        tx.create_user("bob")?.assign("lead")?;
        tx.create_user("eve")?.done()
    })
    .unwrap();
    let permissions = &[PermissionDef::new("posts:read")];
    let roles = &[RoleDef { grants: &["posts:*"], ..RoleDef::new("editor") }];
    let catalog = Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap();
    let acme = Authorizer::builder().store(store).catalog(&catalog).build().tenant("acme").unwrap();
    let conflicts = acme.conflicts();
    let [permission, role] = &conflicts[..] else { panic!("two conflicts") };
    acme.update(|tx| tx.user("alice")?.assign(RoleId::from_uuid(role.catalog))?.done()).unwrap();

    let text = |user: &str| acme.explain(user, "posts:write").to_string();
    assert_eq!(
        text("alice"),
        "allowed: `alice` has the tenant's role `editor`, which grants `posts:write`\
         \n  also: `alice` has the catalog's role `editor`, which grants `posts:*`"
    );
    assert_eq!(
        text("bob"),
        "allowed: `bob` has the role `lead`, which includes the tenant's role `editor`, which grants `posts:write`"
    );
    assert_eq!(
        text("eve"),
        format!(
            "denied: nothing that `eve` holds grants `posts:write`\n  roles that would grant it: \
             `editor` (the tenant's role, with the id {}), `editor` (the catalog's role, with the id {}), `lead`",
            role.own, role.catalog
        )
    );
    let explanation = acme.explain("eve", "posts:write");
    for granting in explanation.roles() {
        let ((), plan) = acme.plan(|tx| tx.user("eve")?.assign(granting.id)?.done()).unwrap();
        assert!(plan.preview().at(at(0)).check("eve", "posts:write"), "{granting}");
    }
    assert_eq!(
        acme.now().first_path("alice", "posts:write").as_ref(),
        acme.explain("alice", "posts:write").paths().first()
    );

    // The permission in conflict: the id that the repair needs.
    let explanation = acme.explain("alice", "posts:read");
    assert_eq!(explanation.decision(), Decision::Denied(Reason::CatalogConflict));
    assert_eq!(explanation.conflict(), Some(permission));
    assert_eq!(
        explanation.to_string(),
        format!(
            "denied: `posts:read` is a permission of the tenant and one of the catalog; \
             rename or delete the tenant's own by its id, {}",
            permission.own
        )
    );
    // Nothing is suggested twice.
    let error = failed(&acme, |tx| tx.role("editro")?.done());
    assert_eq!(error.to_string(), "role `editro` not found; did you mean `editor`?");
}

/// Every listed role and group can be added. A group that the user is already in, from later on, cannot be joined again.
#[test]
fn what_would_grant_it_can_be_added() {
    let acme = acme();
    acme.update(|tx| {
        tx.group("crew")?.assign("editor")?;
        tx.create_group("sales")?.assign("editor")?;
        tx.create_group("night")?.assign("editor")?;
        tx.create_role("chief")?.include("editor")?;
        let eve = tx.create_user("eve")?;
        eve.join_during("sales", between(10, 20))?.join_during("night", between(0, 2))?;
        eve.assign_during("chief", between(30, 40))?.done()
    })
    .unwrap();
    let snapshot = acme.snapshot();
    let explanation = snapshot.at(at(5)).explain("eve", "posts:write");
    assert_eq!(explanation.decision(), Decision::Denied(Reason::NotYetActive { from: at(10) }));
    let text = explanation.to_string();
    assert!(
        text.ends_with(
            "\n  roles that would grant it: `editor`\
             \n  groups that would grant it: `crew` (managed by `okta`), `engineering`, `night`"
        ),
        "{text}"
    );
    assert_eq!(explanation.groups()[0].managed_by.as_ref().unwrap(), "okta");
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!((&json["groups"][0]["slug"], &json["groups"][0]["managed_by"]), (&"crew".into(), &"okta".into()));
    assert!(json["groups"][1]["managed_by"].is_null() && json["roles"][0]["origin"] == "tenant");
}

#[test]
fn a_refused_gift_is_data() {
    let acme = acme();
    let json = |error: &Error| serde_json::to_value(error).unwrap()["gives_to_manager"].clone();
    let gift = failed(&acme, |tx| tx.user("alice@acme.com")?.set_managed_by(Some("okta"))?.done());
    let taken = failed(&acme, |tx| tx.user("dave@acme.com")?.set_managed_by(None)?.done());
    for error in [&gift, &taken] {
        assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")));
    }
    assert_eq!((gift.gives_to_manager(), json(&gift)), (true, true.into()));
    assert_eq!((taken.gives_to_manager(), json(&taken)), (false, serde_json::Value::Null));
    let member = failed(&acme, |tx| in_crew(tx, "bob@acme.com")?.delete_user("bob@acme.com"));
    assert_eq!((member.entity(), member.name()), (Some(EntityKind::Group), Some("crew")));
    let relation = member.relation().unwrap();
    assert_eq!((relation.kind, &*relation.name), (RelationKind::Membership, "bob@acme.com"));
}

#[test]
fn f7_an_earlier_slug_of_the_catalog_names_the_present_one() {
    let acme = acme();
    assert_eq!(acme.decide("alice@acme.com", "leases:read"), Decision::Denied(Reason::PermissionRenamed));
    let explanation = acme.explain("alice@acme.com", "leases:read");
    assert_eq!(explanation.suggestions(), ["rentals:read"]);
    assert_eq!(explanation.did_you_mean().as_deref(), Some("did you mean `rentals:read`?"));
    let error = failed(&acme, |tx| tx.role("agent")?.done());
    assert_eq!(error.suggestions(), ["broker"]);
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!(
        (json["detail"].as_str(), json["advice"].as_str()),
        (Some("role `agent` not found"), Some("the catalog has renamed it to `broker`"),)
    );
    // The reason alone is a text as well.
    assert_eq!(explanation.decision().to_string(), "denied: the catalog has renamed the permission");
    // An assertion of a file that was written for an earlier release.
    let assertion = rolecall::assertions::Assertion::only("leases:read").with_groups(["stuff"]);
    let failures = rolecall::assertions::Assertions::new([assertion]).check(&acme.now());
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "assertion 1: permission `leases:read` not found; the catalog has renamed it to `rentals:read`",
            "assertion 1: group `stuff` not found; did you mean `staff`?",
        ]
    );
    // So does one that a tenant would carry.
    let carried =
        failed(&acme, |tx| tx.create_assertion("a", &rolecall::assertions::Assertion::only("leases:read"))?.done());
    assert_eq!(carried.to_string(), "permission `leases:read` not found; the catalog has renamed it to `rentals:read`");
}

/// A permission that the tenant still grants, and the catalog no longer has.
#[test]
fn f7_a_permission_that_left_the_catalog_says_so() {
    let store = rolecall::store::MemoryStore::default();
    let old = Catalog::new(&Definition { permissions: &[PermissionDef::new("fax:send")], ..Definition::default() });
    let first = Authorizer::builder().store(store.clone()).catalog(&old.unwrap()).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("sender")?.grant("fax:send")?;
        tx.create_user("alice")?.assign("sender")?.done()
    })
    .unwrap();
    let acme = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let explanation = acme.explain("alice", "fax:send");
    assert_eq!(explanation.to_string(), "denied: permission `fax:send` not found; it was removed from the catalog");
    let error = failed(&acme, |tx| tx.create_role("other")?.grant("fax:send")?.done());
    assert_eq!(error.to_string(), "permission `fax:send` not found: it was removed from the catalog");
}

#[test]
fn f8_f29_similar_users_are_offered_to_those_who_ask_and_are_in_no_text() {
    let acme = acme();
    let explanation = acme.explain("alcie@acme.com", "posts:read");
    let error = failed(&acme, |tx| tx.user("alcie@acme.com")?.done());
    assert_eq!(explanation.suggestions(), ["alice@acme.com", "dave@acme.com"]);
    assert_eq!(error.suggestions(), explanation.suggestions());
    assert_eq!(error.did_you_mean(), explanation.did_you_mean());
    let texts = [
        error.to_string(),
        format!("{error:?}"),
        serde_json::to_string(&error).unwrap(),
        explanation.to_string(),
        format!("{explanation:?}"),
        serde_json::to_string(&explanation).unwrap(),
    ];
    for text in texts {
        assert!(!text.contains("alice") && !text.contains("dave"), "{text}");
    }
}

/// An error describes the transaction that it was made in, also what that transaction has changed before it.
#[test]
fn f1_suggestions_are_those_of_the_moment_of_the_error() {
    let acme = acme();
    let kept = std::cell::RefCell::new(Vec::new());
    let result: Result<_> = acme.update(|tx| {
        tx.create_group("night-shift")?;
        let error = tx.group("night-shft").unwrap_err();
        tx.group("night-shift")?.set_slug("late-shift")?;
        kept.borrow_mut().push(error.clone());
        kept.borrow_mut().push(error);
        kept.borrow_mut().push(tx.group("night-shft").unwrap_err());
        Ok(())
    });
    result.unwrap();
    let suggestions: Vec<Vec<String>> = kept.borrow().iter().map(|error| error.suggestions().to_vec()).collect();
    assert_eq!(suggestions, [vec!["night-shift".to_owned()], vec!["night-shift".to_owned()], Vec::new()]);
}

#[test]
fn f9_a_user_whose_key_looks_the_same_is_shown_with_code_points() {
    let acme = acme();
    acme.update(|tx| tx.create_user("j\u{fc}rgen")?.done()).unwrap();
    let explanation = acme.explain("ju\u{308}rgen", "posts:read");
    assert_eq!(explanation.suggestions(), ["j\u{fc}rgen"]);
    let question = "did you mean `j\u{fc}rgen` (with U+00FC for U+0075 U+0308)?";
    assert_eq!(explanation.did_you_mean().as_deref(), Some(question));
}

#[test]
fn f11_a_derived_slug_that_exists_names_the_name() {
    let acme = acme();
    acme.update(|tx| tx.create_group_with_name("Café")?.done()).unwrap();
    for name in ["Cafè", "Cafe"] {
        let error = failed(&acme, |tx| tx.create_group_with_name(name)?.done());
        assert_eq!(
            (error.kind(), error.name(), error.derived_from()),
            (ErrorKind::AlreadyExists, Some("cafe"), Some(name))
        );
    }
    let authorizer = Authorizer::in_memory();
    authorizer.create_tenant_with_name("Café").unwrap();
    let error = authorizer.create_tenant_with_name("Cafè").unwrap_err();
    assert_eq!(error.to_string(), "tenant `cafe` already exists; the slug was derived from the name `Cafè`");
    assert_eq!(serde_json::to_value(&error).unwrap()["derived_from"], "Cafè");
}

#[test]
fn f20_names_are_accepted_in_every_type_of_text() {
    let acme = acme();
    let now = acme.now();
    let (alice, write) = ("alice@acme.com", "posts:write");
    assert!(now.check(alice, write) && now.check(&alice, &write) && now.check(&&alice, write));
    assert!(now.check(alice.to_owned(), write.to_owned()) && now.check(&alice.to_owned(), &write.to_owned()));
    assert!(now.check(Cow::Borrowed(alice), Cow::Borrowed(write)));
    assert!(now.check(&Cow::<str>::Owned(alice.to_owned()), &Cow::<str>::Owned(write.to_owned())));
    assert!(now.check(Arc::<str>::from(alice), Arc::<str>::from(write)));
    assert!(now.check(&Arc::<str>::from(alice), &Arc::<str>::from(write)));
    assert!(now.check(Rc::<str>::from(alice), Rc::<str>::from(write)));
    assert!(now.check(Box::<str>::from(alice), Box::<str>::from(write)));
    assert!(now.check(&Box::<str>::from(alice), &Box::<str>::from(write)));
    assert!(now.check(UserKey::new(alice).unwrap(), Slug::new(write).unwrap()));
    assert!(now.check(&&UserKey::new(alice).unwrap(), &Slug::new(write).unwrap()));
    assert!(now.group(Arc::<str>::from("staff")).is_some() && now.group(&&Cow::Borrowed("staff")).is_some());
    assert!(now.role(Box::<str>::from("editor")).is_some() && now.role(&Rc::<str>::from("editor")).is_some());
    acme.update(|tx| {
        let reader = tx.role(Cow::Borrowed("reader"))?;
        reader.grant(Cow::Borrowed("posts:*"))?.grant(Arc::<str>::from("posts:write"))?;
        reader
            .revoke(Box::<str>::from("posts:write"))?
            .revoke(&Cow::Borrowed("posts:*"))?
            .revoke(Rc::<str>::from("posts:*"))?;
        reader.grant(&"posts:read")?.done()
    })
    .unwrap();
}

/// The type decides, so an id as text is a key. The explanation says so, whether or not the id exists.
#[test]
fn f20_an_id_that_was_passed_as_text_is_noticed() {
    let acme = acme();
    let alice = acme.now().user("alice@acme.com").unwrap().id;
    for id in [alice.as_uuid(), ID] {
        let explanation = acme.explain(id.to_string(), "posts:write");
        assert_eq!(explanation.decision(), Decision::Denied(Reason::UnknownUser));
        assert!(explanation.advice().unwrap().ends_with("to look up an id, pass a `UserId`"));
        assert_eq!(serde_json::to_value(&explanation).unwrap()["advice"].as_str(), explanation.advice());
    }
    assert_eq!(acme.explain(alice, "posts:write").advice(), None);
    // A key may be a UUID.
    acme.update(|tx| tx.create_user(&ID.to_string())?.done()).unwrap();
    assert_eq!(acme.decide(ID.to_string(), "posts:write"), Decision::Denied(Reason::NoPath));
}

#[test]
fn f21_a_pattern_cannot_be_asked_and_one_that_matches_nothing_is_noticed() {
    let acme = acme();
    for pattern in ["posts:*", "gests.*", "*"] {
        let decision = acme.decide("alice@acme.com", pattern);
        assert_eq!(decision, Decision::Denied(Reason::PatternAsked));
        assert_eq!(decision.to_string(), "denied: a pattern was asked for, and only a grant can have one");
    }
    let grant = |pattern: &'static str| {
        let updated = acme.update(|tx| tx.role("reader")?.grant(pattern)?.done()).unwrap();
        updated.warnings
    };
    let warning = |pattern: &str| Warning::PatternMatchesNothing {
        role: "reader".parse().unwrap(),
        pattern: pattern.parse().unwrap(),
    };
    for (pattern, matches) in
        [("posts:*", true), ("*:read", true), ("rental*", true), ("gests.*", false), ("*:raed", false)]
    {
        assert_eq!(grant(pattern), if matches { vec![] } else { vec![warning(pattern)] }, "{pattern}");
    }
    assert_eq!(grant("gests.*"), [], "nothing was changed");
    // The order of calls does not matter: what counts is the state after the update.
    let updated = acme.update(|tx| {
        tx.role("reader")?.grant("guests.*")?;
        tx.create_permission("guests.invite")?.done()
    });
    assert_eq!(updated.unwrap().warnings, []);
    let ((), plan) = acme.plan(|tx| tx.create_role("host")?.grant("geusts.*")?.done()).unwrap();
    let [warning] = &plan.warnings()[..] else { panic!("one warning") };
    assert_eq!(warning.to_string(), "role `host` grants `geusts.*`, which matches no permission");
}

#[test]
fn a_removal_that_takes_nothing_away_is_noticed() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:read")?;
        tx.create_permission("posts:write")?;
        tx.create_role("reader")?.grant("posts:read")?.grant("drafts:*")?;
        tx.create_role("editor")?.grant("posts:*")?.grant("posts:read")?.include("reader")?;
        tx.create_role("owner")?.include("editor")?.include("reader")?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
        tx.create_group("backend")?.add_parent("engineering")?.add_parent("staff")?;
        tx.create_user("alice")?.join("engineering")?.assign("editor")?;
        tx.create_user("bob")?.join("staff")?.join("backend")?.done()
    })
    .unwrap();
    let warned = |call: &dyn Fn(&Tx) -> Result<()>| -> Vec<String> {
        let ((), plan) = acme.plan(call).unwrap();
        plan.warnings().iter().map(ToString::to_string).collect()
    };
    type Call = fn(&Tx) -> Result<()>;
    let table: &[(Call, &[&str])] = &[
        (
            |tx| tx.user("alice")?.leave("staff")?.done(),
            &["user `alice` is still a member of `staff`, through `engineering`"],
        ),
        (
            |tx| tx.group("staff")?.remove_member("bob")?.done(),
            &["user `bob` is still a member of `staff`, through `backend`"],
        ),
        (|tx| tx.user("bob")?.leave("staff")?.leave("backend")?.done(), &[]),
        (|tx| tx.user("bob")?.leave("staff")?.join("staff")?.done(), &[]),
        (|tx| tx.user("alice")?.leave("backend")?.done(), &[]),
        (
            |tx| tx.user("alice")?.unassign("editor")?.done(),
            &["user `alice` still has the role `editor`, through `engineering`"],
        ),
        (
            |tx| tx.user("alice")?.unassign("reader")?.done(),
            &["user `alice` still has the role `reader`, through `editor`"],
        ),
        (
            |tx| tx.group("engineering")?.unassign("reader")?.done(),
            &["group `engineering` still has the role `reader`, through `staff`"],
        ),
        (
            |tx| tx.group("backend")?.remove_parent("staff")?.done(),
            &["group `backend` is still a part of `staff`, through `engineering`"],
        ),
        (|tx| tx.role("owner")?.exclude("reader")?.done(), &["role `owner` still includes `reader`, through `editor`"]),
        (
            |tx| tx.role("editor")?.revoke("posts:read")?.done(),
            &["role `editor` still grants `posts:read`, through `posts:*`"],
        ),
        (
            |tx| tx.role("editor")?.revoke("posts:write")?.done(),
            &["role `editor` still grants `posts:write`, through `posts:*`"],
        ),
        (
            |tx| tx.role("owner")?.revoke("posts:write")?.done(),
            &["role `owner` still grants `posts:write`, through `editor`"],
        ),
        (
            |tx| tx.role("owner")?.revoke("drafts:*")?.done(),
            &["role `owner` still grants `drafts:*`, through `reader`"],
        ),
        (|tx| tx.role("editor")?.revoke("posts:*")?.done(), &[]),
        (|tx| tx.role("reader")?.revoke("posts:write")?.done(), &[]),
        (|tx| tx.delete_group("staff"), &[]),
        (|tx| tx.delete_user("bob"), &[]),
        (|tx| tx.delete_role("editor"), &[]),
    ];
    for (n, (call, expected)) in table.iter().enumerate() {
        assert_eq!(warned(call), *expected, "{n}");
    }
    // An update without effect has its warnings, too.
    let updated = acme.update(|tx| tx.user("alice")?.leave("staff")?.done()).unwrap();
    assert_eq!((updated.commit, updated.warnings.len()), (None, 1));
    let json = serde_json::to_value(&updated.warnings[0]).unwrap();
    assert_eq!(json["still_given"]["through"], "engineering");
}

#[test]
fn f34_an_error_carries_its_data() {
    let acme = acme();
    let json = |error: &Error| serde_json::to_value(error).unwrap();

    // The invalid value, as it was written.
    let error = failed(&acme, |tx| tx.create_group("a\nb")?.done());
    assert_eq!((error.found(), error.what()), (Some("a\nb"), Some("slug")));
    assert_eq!(json(&error)["found"], "a\nb");

    // Whose membership, and which windows.
    let error = failed(&acme, |tx| tx.user("alice@acme.com")?.join_during("engineering", between(1, 2))?.done());
    let relation = error.relation().unwrap();
    assert_eq!((relation.kind, relation.entity), (RelationKind::Membership, EntityKind::User));
    assert_eq!((relation.name.as_str(), error.name()), ("alice@acme.com", Some("engineering")));
    assert_eq!(
        json(&error)["relation"],
        serde_json::json!({"kind": "membership", "entity": "user", "name": "alice@acme.com"})
    );
    assert_eq!(json(&error)["advice"], "use `set_membership_window` to change it");
    assert!(!json(&error)["detail"].as_str().unwrap().contains("set_membership_window"));

    // "No such user" has no relation, "not a member" has one.
    let nobody = failed(&acme, |tx| tx.group("staff")?.set_member_window("nobody", Window::ALWAYS)?.done());
    let outside = failed(&acme, |tx| tx.group("staff")?.set_member_window("alice@acme.com", Window::ALWAYS)?.done());
    assert_eq!(
        (nobody.kind(), nobody.entity(), nobody.relation()),
        (ErrorKind::NotFound, Some(EntityKind::User), None)
    );
    assert_eq!((outside.kind(), outside.entity()), (ErrorKind::NotFound, Some(EntityKind::Group)));
    assert_eq!(outside.relation().map(|relation| relation.name.as_str()), Some("alice@acme.com"));
    assert_eq!(outside.suggestions(), <[&str; 0]>::default(), "the group was found");
    let role = failed(&acme, |tx| tx.group("staff")?.set_assignment_window("editor", Window::ALWAYS)?.done());
    let relation = role.relation().unwrap();
    assert_eq!(
        (relation.kind, relation.entity, &*relation.name),
        (RelationKind::Assignment, EntityKind::Group, "staff")
    );
    let link = failed(&acme, |tx| tx.group("staff")?.set_parent_window("engineering", Window::ALWAYS)?.done());
    assert_eq!(link.relation().unwrap().kind, RelationKind::Parent);

    assert!(!error.is_retryable() && !nobody.is_retryable());
}

#[test]
fn f34_an_external_id_is_data() {
    let acme = acme();
    let error = failed(&acme, |tx| tx.user(External { manager: "okta", id: "00u9" })?.done());
    assert_eq!((error.entity(), error.name(), error.manager()), (Some(EntityKind::User), Some("00u9"), Some("okta")));
}

/// A tenant that is out of service says what to do.
#[test]
fn reasons_of_a_tenant_out_of_service_have_advice() {
    let table = [
        (
            Reason::Unconfirmed,
            "denied: the store has not confirmed the tenant's state within the bound on staleness; refresh the tenant",
        ),
        (Reason::InDoubt, "denied: the tenant has a commit in doubt; refresh the tenant to resolve it"),
        (
            Reason::InvalidStoreContent,
            "denied: the content of the store is invalid; a refresh of the tenant lists what to repair",
        ),
        (Reason::InternalError, "denied: an internal invariant is broken; the tenant must be refreshed"),
    ];
    for (reason, text) in table {
        assert_eq!(Decision::Denied(reason).to_string(), text);
    }
}
