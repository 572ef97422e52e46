//! The texts of errors and explanations, in one table to read together. They must not mislead, disclose other users'
//! keys, or let a name imitate a sentence.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
#![expect(clippy::too_many_lines, reason = "the texts are in one table, to be read together")]
#![expect(clippy::needless_borrows_for_generic_args, reason = "references are what is tested")]

mod data;
mod names;

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
            "user with this handle (of a deleted user, of another tenant, or from before this tenant was \
             opened again) not found",
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
            "permission `posts:*` not found; this is a pattern, which only a grant accepts; name one permission",
        ),
        // Entities that exist already.
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
            "cycle of groups: `staff` is a part of `engineering`, which is a part of `staff`",
        ),
        (edit(|tx| tx.role("reader")?.include("reader")?.done()), "cycle of roles: `reader` includes `reader`"),
        // Directories.
        (
            edit(|tx| tx.delete_user("dave@acme.com")),
            "user `dave@acme.com` is managed by `okta`; change it in the directory",
        ),
        (
            edit(|tx| tx.group("crew")?.add_member("alice@acme.com")?.done()),
            "group `crew` is managed by `okta`; change it in the directory, or use a local group",
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
             only a change that acts for `okta` may remove this membership; \
             remove it in the directory, or suspend the user",
        ),
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.merge_users("bob@acme.com", "alice@acme.com")),
            "user `bob@acme.com` is a member of group `crew`, which is managed by `okta`; \
             only a change that acts for `okta` may remove this membership; remove it in the directory",
        ),
        (
            edit(|tx| {
                tx.set_manager("okta")?.group("crew")?.add_parent("staff")?;
                tx.set_manager("entra")?.delete_group("staff")
            }),
            "group `staff` is a parent of group `crew`, which is managed by `okta`; \
             only a change that acts for `okta` may remove this parent link; remove it in the directory",
        ),
        // The group itself is managed, so its members are not the cause. Nor are they named to a caller who changes the
        // list.
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.delete_group("crew")),
            "group `crew` is managed by `okta`; change it in the directory, or use a local group",
        ),
        (
            edit(|tx| in_crew(tx, "bob@acme.com")?.group("crew")?.set_members::<&str>([])),
            "group `crew` is managed by `okta`; change it in the directory, or use a local group",
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
            "denied: permission `posts:*` not found; this is a pattern, which only a grant accepts; \
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
        "denied: user with this handle (of a deleted user, of another tenant, or from before this tenant was \
             opened again) not found"
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
