//! Guarded transactions (R13): an actor gives nobody what it does not hold, whichever way it tries.
//!
//! Names that begin with `a` and a number are the failures of other systems in `src/docs/security.md`.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

mod instants;
mod separated;

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::records::PermissionId;
#[cfg(feature = "json")]
use rolecall::snapshot::External;
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, Error, ErrorKind, PageRequest, Timestamp, Tx, Window, error::RightKind};

type Call = fn(&Tx) -> rolecall::Result<()>;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn until(secs: i64) -> Window {
    Window::until(at(secs))
}

/// It is 50 by the clock. `alice` holds `posts:*`, `root` holds `*`, and `sue` would hold `*` if she were not suspended.
fn acme_by(clock: Arc<ManualClock>) -> Tenant {
    let acme = Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for permission in ["posts:read", "posts:write", "billing:pay", "users:invite"] {
            tx.create_permission(permission)?;
        }
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("payer")?.grant("billing:pay")?;
        tx.create_role("admin")?.grant("*")?;
        tx.create_role("idle")?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_group("finance")?.assign("payer")?;
        tx.create_group("treasury")?.add_parent("finance")?;
        tx.create_group("team")?;
        tx.create_user("alice")?.assign("editor")?;
        tx.create_user("bob")?;
        tx.create_user("eve")?.join("finance")?;
        tx.create_user("root")?.assign("admin")?;
        tx.create_user("sue")?.assign("admin")?.suspend()?;
        // Temporary access, which somebody could make longer.
        tx.create_user("temp")?.assign_during("payer", until(100))?.join_during("treasury", until(100))?;
        tx.create_group("project")?.add_parent_during("finance", until(100))?.assign_during("payer", until(100))?;
        tx.set_manager("okta")?;
        tx.create_user("olga")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?.join("finance")?.done()
    })
    .unwrap();
    acme
}

fn acme() -> Tenant {
    acme_by(Arc::new(ManualClock::new(at(50))))
}

/// `acme` with a separation of three of its roles, of which nobody has two.
fn separated() -> Tenant {
    let acme = acme();
    acme.update(|tx| tx.create_separation("duties", 1, ["payer", "reader", "idle"])?.done()).unwrap();
    acme
}

/// Ways in which somebody gains a right that `alice` does not hold.
const DOORS: &[(&str, Call)] = &[
    ("an assignment to a user", |tx| tx.user("bob")?.assign("payer")?.done()),
    ("an assignment to oneself", |tx| tx.user("alice")?.assign("payer")?.done()),
    ("an assignment for a time", |tx| tx.user("bob")?.assign_during("payer", until(60))?.done()),
    ("an assignment that begins later", |tx| tx.user("bob")?.assign_during("payer", Window::from(at(900)))?.done()),
    ("an assignment to a suspended user", |tx| tx.user("bob")?.suspend()?.assign("payer")?.done()),
    ("an assignment to a group", |tx| tx.group("team")?.assign("payer")?.done()),
    ("an assignment that is ensured", |tx| tx.user("bob")?.ensure_assignment("payer", until(60))?.done()),
    ("all roles of a user", |tx| tx.user("bob")?.set_roles(["payer"]).map(drop)),
    ("all roles of a group", |tx| tx.group("team")?.set_roles(["payer"]).map(drop)),
    ("a membership", |tx| tx.user("bob")?.join("finance")?.done()),
    ("a membership of a subgroup", |tx| tx.user("bob")?.join("treasury")?.done()),
    ("a new member", |tx| tx.group("finance")?.add_member("bob")?.done()),
    ("all members of a group", |tx| tx.group("finance")?.set_members(["bob"]).map(drop)),
    ("all groups of a user", |tx| tx.user("bob")?.set_groups(["treasury"]).map(drop)),
    ("a parent", |tx| tx.group("team")?.add_parent("treasury")?.done()),
    ("all parents of a group", |tx| tx.group("team")?.set_parents(["finance"]).map(drop)),
    ("an inclusion", |tx| tx.role("idle")?.include("payer")?.done()),
    ("all inclusions of a role", |tx| tx.role("reader")?.set_includes(["payer"]).map(drop)),
    ("a grant", |tx| tx.role("idle")?.grant("billing:pay")?.done()),
    ("a grant of a pattern", |tx| tx.role("idle")?.grant("billing:*")?.done()),
    ("a grant of a wider pattern", |tx| tx.role("idle")?.grant("posts*")?.done()),
    ("a grant of everything", |tx| tx.role("editor")?.grant("*")?.done()),
    ("all grants of a role", |tx| tx.role("editor")?.set_grants(["posts:*", "users:*"]).map(drop)),
    ("a new role for oneself", |tx| {
        tx.create_role("mine")?.grant("users:invite")?;
        tx.user("alice")?.assign("mine")?.done()
    }),
    ("a new permission for oneself", |tx| {
        tx.create_permission("mine:all")?;
        tx.create_role("mine")?.grant("mine:all")?;
        tx.user("alice")?.assign("mine")?.done()
    }),
    ("a new user", |tx| tx.create_user("zed")?.join("finance")?.done()),
    ("a longer assignment", |tx| tx.user("temp")?.extend_assignment("payer", at(101))?.done()),
    ("a longer assignment to a group", |tx| tx.group("project")?.extend_assignment("payer", at(101))?.done()),
    ("another window of an assignment", |tx| tx.user("temp")?.set_assignment_window("payer", Window::ALWAYS)?.done()),
    ("a longer membership", |tx| tx.user("temp")?.extend_membership("treasury", at(101))?.done()),
    ("a longer parent link", |tx| tx.group("project")?.extend_parent("finance", at(101))?.done()),
    ("the end of a suspension", |tx| tx.user("sue")?.activate()?.done()),
    ("the slug of a permission", |tx| tx.permission("posts:read")?.set_slug("billing:close")?.done()),
    ("a slug that was free a moment ago", |tx| {
        tx.delete_permission("users:invite")?;
        tx.permission("posts:read")?.set_slug("users:invite")?.done()
    }),
    ("the key of a user", |tx| tx.user("eve")?.set_key("mallory")?.done()),
    ("the key of a suspended user", |tx| tx.user("sue")?.set_key("mallory")?.done()),
    ("the external id of a user", |tx| tx.set_manager("okta")?.user("olga")?.set_external_id(Some("00u2"))?.done()),
    ("a merge", |tx| tx.merge_users("eve", "bob").map(drop)),
];

/// Changes that `alice` may make, because nobody gains a right that she does not hold.
const FREE: &[(&str, Call)] = &[
    ("to give what one holds", |tx| tx.user("bob")?.assign("editor")?.done()),
    ("to give a part of it", |tx| tx.user("bob")?.assign("reader")?.join("staff")?.done()),
    ("to grant a part of it", |tx| tx.role("idle")?.grant("posts:w*")?.grant("posts:read")?.grant("posts:*:*")?.done()),
    ("to create a group", |tx| tx.create_group("new")?.add_member("bob")?.add_member("eve")?.done()),
    ("to create a role, a user, a permission", |tx| {
        tx.create_role("new")?;
        tx.create_user("new")?;
        tx.create_permission("new:thing")?.done()
    }),
    ("to create a permission that her pattern covers, and to grant it", |tx| {
        tx.create_permission("posts:delete")?;
        tx.role("idle")?.grant("posts:delete")?.done()
    }),
    ("to rename a permission within her pattern", |tx| tx.permission("posts:read")?.set_slug("posts:view")?.done()),
    ("to rename a permission that nobody has by name", |tx| {
        tx.permission("users:invite")?.set_slug("users:ask")?.done()
    }),
    ("to rename groups and roles", |tx| {
        tx.group("finance")?.set_slug("money")?;
        tx.role("payer")?.set_slug("treasurer")?.done()
    }),
    ("to rename a user without rights", |tx| tx.user("bob")?.set_key("robert")?.done()),
    ("to take away", |tx| {
        tx.user("eve")?.leave("finance")?;
        tx.role("admin")?.revoke("*")?;
        tx.delete_group("staff")
    }),
    ("to suspend", |tx| tx.user("root")?.suspend()?.done()),
    ("to make a window shorter", |tx| tx.user("temp")?.set_assignment_window("payer", until(70))?.done()),
    ("to move access from one way to another", |tx| tx.user("eve")?.leave("finance")?.assign("payer")?.done()),
    ("to join what gives nothing more", |tx| tx.user("eve")?.join("treasury")?.done()),
    ("to include what a role has", |tx| {
        tx.role("payer")?.grant("billing:pay")?;
        tx.role("admin")?.include("payer")?.done()
    }),
    ("to clear an external id", |tx| tx.set_manager("okta")?.user("olga")?.set_external_id(None)?.done()),
    ("to merge into somebody who has more", |tx| tx.merge_users("bob", "root").map(drop)),
    ("to delete the tenant", Tx::delete_tenant),
    ("to do nothing", |tx| tx.user("eve")?.join("finance")?.done()),
];

fn guarded(tenant: &Tenant, actor: &str, call: Call) -> Result<usize, Error> {
    tenant.update(|tx| call(tx.set_guard(actor))).map(|updated| updated.changes.len())
}

#[test]
fn r13_no_call_gives_a_right_that_the_actor_lacks() {
    for (what, call) in DOORS {
        let acme = acme();
        let before = acme.revision();
        for actor in ["alice", "bob", "sue", "nobody"] {
            let error = guarded(&acme, actor, *call).unwrap_err();
            assert_eq!(
                (error.kind(), error.entity(), error.name()),
                (ErrorKind::Escalation, Some(EntityKind::User), Some(actor))
            );
            assert!(!error.missing_rights().is_empty() && error.unlisted() == 0, "{what}");
            for missing in error.missing_rights() {
                assert!(!missing.right.is_empty() && !missing.windows.is_empty(), "{what}: {missing:?}");
                assert!(!missing.name.is_empty() && !missing.change.is_empty(), "{what}: {missing:?}");
                assert!(error.to_string().contains(&missing.to_string()), "{what}: {error}");
            }
            let suspended = error.to_string().contains("`sue` (who is suspended) cannot give rights");
            let unknown = error.to_string().contains("`nobody` (who does not exist) cannot give rights");
            assert_eq!((suspended, unknown), (actor == "sue", actor == "nobody"), "{error}");
            // A plan is judged alike.
            assert_eq!(acme.plan(|tx| call(tx.set_guard(actor))).unwrap_err().kind(), ErrorKind::Escalation);
            assert_eq!(acme.revision(), before, "{what}: nothing has changed");
        }
        assert!(guarded(&acme, "root", *call).unwrap() > 0, "{what}: root holds everything");
        assert!(acme_by(Arc::new(ManualClock::new(at(50)))).update(*call).is_ok(), "{what}: without a guard");
    }
}

#[test]
fn r13_changes_that_give_nothing_more_are_allowed() {
    for (what, call) in FREE {
        guarded(&acme(), "alice", *call).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    // Nobody and a suspended user may still do what gives nothing.
    for actor in ["sue", "nobody"] {
        guarded(&acme(), actor, |tx| tx.user("eve")?.leave("finance")?.done()).unwrap();
        guarded(&acme(), actor, |tx| tx.create_group("new")?.add_member("bob")?.done()).unwrap();
    }
}

#[test]
fn r13_the_refusal_lists_each_missing_right_and_its_change() {
    let acme = acme();
    let error = acme
        .update(|tx| {
            tx.set_guard("alice");
            tx.role("reader")?.grant("users:*")?.grant("posts:write")?;
            tx.group("staff")?.add_member_during("bob", until(60))?.assign_during("payer", until(70))?;
            tx.user("sue")?.activate()?.done()
        })
        .unwrap_err();
    let listed: Vec<String> = error.missing_rights().iter().map(ToString::to_string).collect();
    assert_eq!(
        listed,
        [
            "`*` to user `sue` (changed user `sue`: status `suspended` → `active`)",
            "`users:*` to role `reader` (added grant of `users:*` to role `reader`)",
            "`billing:pay` to group `staff` until 1970-01-01T00:01:10Z \
             (added assignment of `payer` to group `staff` until 1970-01-01T00:01:10Z)",
            "`billing:pay` to user `bob` until 1970-01-01T00:01:00Z \
             (added membership of `bob` in `staff` until 1970-01-01T00:01:00Z)",
            "`users:*` to user `bob` until 1970-01-01T00:01:00Z \
             (added membership of `bob` in `staff` until 1970-01-01T00:01:00Z)",
        ]
    );
}

#[test]
fn r13_a_new_name_of_a_permission_gives_nothing() {
    let missing = |call: Call| guarded(&acme(), "alice", call).map_err(|error| error.missing_rights().len());
    assert_eq!(missing(|tx| tx.permission("billing:pay")?.set_description("Pays")?.done()), Ok(1));
    let with_a_grant: Call = |tx| {
        tx.permission("billing:pay")?.set_description("Pays")?;
        tx.role("idle")?.grant("billing:pay")?.done()
    };
    assert_eq!(missing(with_a_grant), Err(1), "the grant alone");
}

#[cfg(feature = "json")]
#[test]
fn r13_the_refusal_is_data() {
    let error = guarded(&acme(), "alice", |tx| tx.user("bob")?.assign_during("payer", until(60))?.done()).unwrap_err();
    let data = serde_json::to_value(&error).unwrap();
    let change = "added assignment of `payer` to user `bob` until 1970-01-01T00:01:00Z";
    assert_eq!(
        (&data["code"], &data["entity"], &data["name"]),
        (&"escalation".into(), &"user".into(), &"alice".into())
    );
    assert_eq!(
        data["missing_rights"],
        serde_json::json!([{
            "right": "billing:pay",
            "kind": "permission",
            "windows": ["until 1970-01-01T00:01:00Z"],
            "entity": "user",
            "name": "bob",
            "change": change,
        }])
    );
}

#[test]
fn r13_a_long_refusal_lists_a_hundred_rights_and_counts_the_others() {
    // A separation that is loosened counts, too.
    let acme = separated();
    let error = acme
        .update(|tx| {
            tx.set_guard("alice");
            for n in 0..130 {
                tx.create_permission(&format!("res:{n}"))?;
                tx.role("idle")?.grant(format!("res:{n}"))?;
            }
            tx.delete_separation("duties")
        })
        .unwrap_err();
    assert_eq!((error.missing_rights().len(), error.unlisted()), (100, 31));
    assert!(error.to_string().ends_with("; and 123 more"), "{error}");
}

#[cfg(feature = "json")]
#[test]
fn a7_an_import_and_a_replacement_are_guarded() {
    let acme = acme();
    for (what, call) in DOORS {
        let after = self::acme();
        after.update(*call).unwrap();
        // The ids differ between the two tenants, so entries match by their names.
        let mut document = after.snapshot().export().unwrap().without_ids();
        let document = document.act_for("okta").unwrap();
        for actor in ["alice", "sue", "nobody"] {
            let error = acme.replace(document.clone().set_guard(actor)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Escalation, "{what}");
            assert_eq!(acme.plan_replace(document.clone().set_guard(actor)).unwrap_err().kind(), ErrorKind::Escalation);
        }
    }
    let id = acme.now().user("alice").unwrap().id;
    let mut document = acme.snapshot().export().unwrap();
    acme.update(|tx| tx.role("payer")?.revoke("billing:pay")?.done()).unwrap();
    for actor in [id, rolecall::records::UserId::random()] {
        let error = acme.replace(document.clone().act_for("okta").unwrap().set_guard(actor)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Escalation);
    }
    let root = acme.now().user("root").unwrap().id;
    acme.replace(document.act_for("okta").unwrap().set_guard(root)).unwrap();

    // An import creates a tenant, and there is nobody in it before.
    let authorizer = Authorizer::in_memory();
    let error = authorizer.import(acme.snapshot().export().unwrap().set_guard("root")).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::Escalation, Some("root")));
    assert!(authorizer.tenant("acme").is_err(), "nothing was created");
    let mut empty = authorizer.create_tenant("empty", "Empty").unwrap().snapshot().export().unwrap();
    Authorizer::in_memory().import(empty.set_guard("root")).unwrap();
}

/// A directory names the actor of a document by the id that it gave it.
#[cfg(feature = "json")]
#[test]
fn a7_the_actor_of_a_document_is_found_by_its_external_id() {
    let acme = acme();
    acme.update(|tx| tx.user("bob")?.join("finance")?.done()).unwrap();
    let document = acme.snapshot().export().unwrap();
    acme.update(|tx| tx.user("bob")?.leave("finance")?.done()).unwrap();
    let replace = |id: &str| {
        let mut document = document.clone();
        acme.replace(document.act_for("okta").unwrap().set_guard(External { manager: "okta", id }))
    };
    assert_eq!(replace("00u9").unwrap_err().kind(), ErrorKind::Escalation, "nobody has this id");
    replace("00u1").unwrap();
    assert!(acme.check("bob", "billing:pay"), "olga is in that group");
}

#[test]
fn a8_a_plan_is_judged_as_one_delta() {
    let acme = acme();
    // A right that is given and taken back is not given.
    let back: Call = |tx| tx.user("bob")?.assign("payer")?.unassign("payer")?.join("finance")?.leave("finance")?.done();
    assert_eq!(guarded(&acme, "alice", back).unwrap(), 0);
    // A right that is gained in the transaction is not held before it, in any order.
    let first: Call = |tx| {
        tx.user("alice")?.assign("payer")?;
        tx.user("bob")?.assign("payer")?.done()
    };
    assert_eq!(guarded(&acme, "alice", first).unwrap_err().missing_rights().len(), 2);
    // Two changes of which each alone gives nothing.
    let both: Call = |tx| {
        tx.role("idle")?.grant("billing:pay")?;
        tx.group("team")?.assign("idle")?.add_member("bob")?.done()
    };
    assert_eq!(guarded(&acme, "alice", both).unwrap_err().kind(), ErrorKind::Escalation);
    // The guard counts wherever it is set, even if the closure ignores errors.
    let late = acme.update(|tx| {
        tx.user("bob")?.assign("payer")?;
        drop(tx.user("nobody"));
        tx.set_guard("alice");
        Ok(())
    });
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Escalation);
    // An actor with a hidden name: it is the user of the state before.
    let named = acme.update(|tx| {
        tx.user("root")?.set_key("root2")?;
        tx.user("alice")?.set_key("root")?;
        tx.set_guard("root");
        tx.user("bob")?.assign("payer")?.done()
    });
    assert!(named.is_ok(), "the user who was `root` holds everything");
}

#[test]
fn r13_each_of_several_actors_must_hold_what_is_given() {
    for order in [["alice", "root"], ["root", "alice"], ["root", "nobody"]] {
        let acme = acme();
        let error = acme.update(|tx| {
            tx.set_guard(order[0]).set_guard(order[1]);
            tx.user("bob")?.assign("payer")?.done()
        });
        assert_ne!(error.unwrap_err().name(), Some("root"));
        acme.update(|tx| tx.set_guard("alice").set_guard("root").user("bob")?.assign("editor")?.done()).unwrap();
    }
}

#[test]
fn a5_a_pattern_is_compared_as_a_pattern() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_permission("posts")?;
        tx.create_permission("posts-old:read")?;
        tx.create_role("each")?.set_grants(["posts:read", "posts:write"])?;
        tx.create_role("reads")?.grant("*:read")?;
        tx.create_user("each")?.assign("each")?;
        tx.create_user("reads")?.assign("reads")?.done()
    })
    .unwrap();
    let may = |actor: &str, what: &'static str| {
        acme.plan(move |tx| tx.set_guard(actor).role("idle")?.grant(what)?.done()).map_err(|error| error.kind()).is_ok()
    };
    // To hold all that a pattern matches today is not to hold the pattern.
    assert!(may("each", "posts:read") && may("each", "posts:write") && !may("each", "posts:*"));
    assert!(
        may("alice", "posts:*") && may("alice", "posts:r*d") && may("alice", "posts:**") && may("alice", "posts:read")
    );
    for neighbour in ["posts*", "post*", "*", "*posts:*", "posts", "posts-old:read", "posts-*", "*:read", "*:*"] {
        assert!(!may("alice", neighbour), "{neighbour}");
    }
    assert!(
        may("reads", "*:read") && may("reads", "posts*:read") && may("reads", "a*b:read") && may("reads", "posts:read")
    );
    assert!(!may("reads", "posts:*") && !may("reads", "*read") && !may("reads", "posts:read*"));
    acme.update(|tx| tx.role("each")?.grant("a*")?.grant("*b")?.done()).unwrap();
    assert!(may("each", "a*b") && may("each", "*a*b") && !may("each", "*a*") && !may("each", "*b*"));
}

#[test]
fn a11_a_long_chain_is_judged_in_linear_time() {
    const LENGTH: usize = 5_000;
    let acme = acme();
    acme.update(|tx| {
        for n in 0..LENGTH {
            let group = tx.create_group(&format!("g{n}"))?;
            if n > 0 {
                group.add_parent(format!("g{}", n - 1))?;
            }
        }
        tx.group("g0")?.assign("payer")?.done()
    })
    .unwrap();
    // Every link of the chain is judged, and what each group gives is computed once.
    let clear: Call =
        |tx| (1..LENGTH).try_for_each(|n| tx.group(format!("g{n}"))?.remove_parent(format!("g{}", n - 1))?.done());
    acme.update(clear).unwrap();
    let link: Call =
        |tx| (1..LENGTH).try_for_each(|n| tx.group(format!("g{n}"))?.add_parent(format!("g{}", n - 1))?.done());
    let error = acme.plan(|tx| link(tx.set_guard("alice"))).unwrap_err();
    assert_eq!(error.missing_rights().len() + error.unlisted(), LENGTH - 1, "each group would give it");
    assert!(acme.plan(|tx| link(tx.set_guard("root"))).is_ok());
    assert!(acme.plan(|tx| link(tx.set_guard("eve"))).is_ok());
}

#[test]
fn a22_a_permission_created_under_an_old_slug_is_another_permission() {
    let acme = acme();
    let again: Call = |tx| {
        tx.delete_permission("billing:pay")?;
        tx.create_permission("billing:pay")?;
        tx.role("payer")?.grant("billing:pay")?.done()
    };
    assert_eq!(guarded(&acme, "eve", again).unwrap_err().kind(), ErrorKind::Escalation);
    let again: Call = |tx| {
        tx.delete_user("eve")?;
        tx.create_user("eve")?.join("finance")?.done()
    };
    assert_eq!(guarded(&acme, "alice", again).unwrap_err().kind(), ErrorKind::Escalation);
    guarded(&acme, "eve", again).unwrap();
    assert_eq!(guarded(&acme, "eve", |tx| tx.user("bob")?.join("finance")?.done()).map_err(|e| e.kind()), Ok(1));
}

#[test]
fn a13_the_guard_is_no_ambient_state() {
    let acme = acme();
    assert!(guarded(&acme, "alice", |tx| tx.user("bob")?.assign("payer")?.done()).is_err());
    acme.update(|tx| tx.user("bob")?.assign("payer")?.done()).unwrap();
    let other = self::acme();
    let handle = other.user_handle("root").unwrap();
    let foreign = acme.update(|tx| tx.set_guard(handle).user("bob")?.assign("admin")?.done());
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Escalation, "a handle of another tenant is nobody");
    let id = other.now().user("root").unwrap().id;
    assert!(acme.update(|tx| tx.set_guard(id).user("bob")?.assign("admin")?.done()).is_err(), "and so is an id");
}

/// Catalogs that define a permission and a role, lack them, and define what the tenant has.
fn release(n: u8) -> Catalog {
    let old = [PermissionDef::new("sys:read"), PermissionDef::new("sys:audit")];
    let clash = [PermissionDef::new("sys:read"), PermissionDef::new("billing:pay")];
    let roles = [RoleDef { grants: &["sys:audit"], ..RoleDef::new("auditor") }];
    let definition = match n {
        0 => Definition { permissions: &old, roles: &roles, ..Definition::default() },
        1 => Definition { permissions: &old[..1], ..Definition::default() },
        _ => Definition { permissions: &clash, ..Definition::default() },
    };
    Catalog::new(&definition).unwrap()
}

#[test]
fn r13_an_entry_that_the_catalog_lacks_is_a_right_that_nobody_holds() {
    let store = MemoryStore::default();
    let open = |n| Authorizer::builder().store(store.clone()).catalog(&release(n)).build();
    let old = open(0).create_tenant("acme", "Acme").unwrap();
    old.update(|tx| {
        tx.create_role("by-name")?.grant("sys:audit")?;
        tx.create_role("admin")?.grant("*")?;
        tx.create_group("named")?.assign("by-name")?;
        tx.create_group("audit")?.assign("auditor")?;
        tx.create_user("root")?.assign("admin")?.join("named")?.join("audit")?;
        tx.create_user("bob")?.done()
    })
    .unwrap();
    old.update(|tx| {
        tx.set_guard("root").user("bob")?.join("named")?.join("audit")?.leave("named")?.leave("audit")?.done()
    })
    .unwrap();
    let acme = open(1).tenant("acme").unwrap();
    let join =
        |group: &'static str| acme.plan(move |tx| tx.set_guard("root").user("bob")?.join(group)?.done()).unwrap_err();
    let (named, audit) = (join("named"), join("audit"));
    let kinds =
        [&named, &audit].map(|error| (error.missing_rights()[0].kind, error.missing_rights()[0].right.as_str()));
    assert_eq!(kinds, [(RightKind::UnavailablePermission, "sys:audit"), (RightKind::UnavailableRole, "auditor")]);
    // Those who have it already gain nothing.
    acme.update(|tx| tx.set_guard("bob").user("root")?.leave("named")?.assign("by-name")?.done()).unwrap();
}

#[test]
fn r13_the_end_of_a_conflict_is_a_gain_for_those_who_have_the_entry_by_name() {
    let store = MemoryStore::default();
    let open = |n| Authorizer::builder().store(store.clone()).catalog(&release(n)).build();
    let acme = open(1).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("billing:pay")?;
        tx.create_role("payer")?.grant("billing:pay")?;
        tx.create_role("reader")?.grant("sys:read")?;
        tx.create_role("admin")?.grant("*")?;
        tx.create_user("root")?.assign("admin")?;
        tx.create_user("eve")?.assign("payer")?;
        tx.create_user("alice")?.assign("reader")?.done()
    })
    .unwrap();
    let own = acme.now().permission("billing:pay").unwrap().record.id;
    let acme = open(2).tenant("acme").unwrap();
    let entry = acme
        .now()
        .permissions(&PageRequest::of(100))
        .items
        .iter()
        .find(|p| p.slug() == "billing:pay")
        .unwrap()
        .record
        .id;
    acme.update(|tx| tx.create_role("catalogs")?.grant(entry)?.done()).unwrap();
    assert!(!acme.check("eve", own) && own != entry);
    let end = |actor: &'static str, how: fn(&Tx, PermissionId) -> rolecall::Result<()>| {
        acme.plan(move |tx| how(tx.set_guard(actor), own))
    };
    let rename = |tx: &Tx, own: PermissionId| tx.permission(own)?.set_slug("acme:pay")?.done();
    let delete = |tx: &Tx, own: PermissionId| tx.delete_permission(own);
    let gains = |error: Error| -> Vec<(String, String)> {
        error.missing_rights().iter().map(|missing| (missing.name.clone(), missing.right.clone())).collect()
    };
    let gain = |name: &str, right: &str| (name.to_owned(), right.to_owned());
    assert_eq!(
        gains(end("alice", rename).unwrap_err()),
        [gain("payer", "acme:pay"), gain("catalogs", "billing:pay")],
        "each gives something again"
    );
    assert_eq!(gains(end("alice", delete).unwrap_err()), [gain("catalogs", "billing:pay")]);
    assert!(end("root", rename).is_ok() && end("root", delete).is_ok(), "a pattern covers both");
}
