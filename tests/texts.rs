//! The texts of errors and explanations, in one table to read together, and what they must not do: mislead, disclose other
//! users' keys, or let a name imitate a sentence.

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
    Decision, EntityKind, Error, ErrorKind, External, Reason, RelationKind, Result, Timestamp, Tx, UserHandle, Warning,
    Window,
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

/// The catalog's second release: `leases:read` was renamed to `rentals:read`, the role `agent` to `broker`; `fax:send` and
/// the role `clerk` were retired.
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
        (edit(|tx| tx.role("clerk")?.done()), "role `clerk` not found; the catalog has retired it"),
        (edit(|tx| tx.permission("fax:send")?.done()), "permission `fax:send` not found; the catalog has retired it"),
        (
            edit(|tx| tx.create_permission("leases:read")?.done()),
            "permission `leases:read` already exists: the catalog has renamed it to `rentals:read`",
        ),
        (
            edit(|tx| tx.create_permission("rentals:read")?.done()),
            "permission `rentals:read` already exists: the catalog defines it",
        ),
        (edit(|tx| tx.create_role("clerk")?.done()), "role `clerk` already exists: the catalog has retired it"),
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
            "invalid external id `00u2` of user `alice@acme.com`: expected a user that a directory manages; \
             use `set_managed_by` first",
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
        ("alice@acme.com", "fax:send", 0, "denied: permission `fax:send` not found; the catalog has retired it"),
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
