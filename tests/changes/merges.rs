//! Merging two users: no time gets shorter, nothing comes alive, and all or nothing (F24).

#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::plan::UserMerge;
use rolecall::records::RecordKind;
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, Error, ErrorKind, Result, Timestamp, Tx, Window, error::RelationKind, snapshot::External};

const NOW: i64 = 50;

type Prepare = fn(&Tx) -> Result<()>;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn during(from: i64, until: i64) -> Window {
    Window::between(at(from), at(until)).unwrap()
}

/// Two users without anything. It is 50 by the clock.
fn acme() -> (Tenant, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(0)));
    let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("p")?;
        tx.create_role("r")?.grant("p")?;
        tx.create_role("s")?;
        tx.create_group("g")?.assign("r")?;
        tx.create_group("h")?;
        tx.create_user("from")?;
        tx.create_user("into")?.done()
    })
    .unwrap();
    clock.set(at(NOW));
    (acme, clock)
}

fn merge(acme: &Tenant) -> Result<UserMerge> {
    acme.update(|tx| tx.merge_users("from", "into")).map(|updated| updated.value)
}

/// The merge fails, and the tenant is as before. The transaction continues after the error.
fn fails(acme: &Tenant, with: impl Fn(&Tx) -> Result<()>) -> Error {
    let before = acme.snapshot().export().unwrap().to_json();
    let mut error = None;
    let updated = acme.update(|tx| {
        error = with(tx).err();
        Ok(())
    });
    assert!(updated.unwrap().changes.is_empty());
    assert_eq!(acme.snapshot().export().unwrap().to_json(), before);
    error.unwrap()
}

/// Writes these windows while the clock is at 0, so that a window may have ended by now.
fn give(acme: &Tenant, clock: &ManualClock, user: &str, window: Option<Window>) {
    let Some(window) = window else { return };
    clock.set(at(0));
    acme.update(|tx| tx.user(user)?.join_during("g", window)?.assign_during("r", window)?.done()).unwrap();
    clock.set(at(NOW));
}

#[test]
fn f24_no_window_gets_shorter_by_a_merge() {
    let ends = [None, Some(10), Some(40), Some(50), Some(60), Some(70), Some(80)].map(|end| end.map(at));
    let pairs = ends.iter().flat_map(|from| ends.iter().map(|until| Window::new(*from, *until)));
    let windows: Vec<Option<Window>> = std::iter::once(None).chain(pairs.filter_map(Result::ok).map(Some)).collect();
    let later = [50, 55, 60, 65, 70, 75, 80, 85].map(at);
    let mut gaps = 0;
    for (from, into) in windows.iter().flat_map(|from| windows.iter().map(move |into| (*from, *into))) {
        let (acme, clock) = acme();
        give(&acme, &clock, "from", from);
        give(&acme, &clock, "into", into);
        let contains = |window: Option<Window>, instant| window.is_some_and(|window| window.contains(instant));
        let before = later.map(|instant| contains(from, instant) || contains(into, instant));
        match merge(&acme) {
            Ok(merged) => {
                let now = acme.now();
                let (groups, roles) = (now.groups_of("into"), now.roles_of("into"));
                let window = groups.first().map(|group| group.window);
                assert_eq!(window, roles.first().map(|role| role.window));
                assert_eq!(later.map(|instant| contains(window, instant)), before, "{from:?} into {into:?}");
                let moved = (window != into).then(|| (into, window.unwrap()));
                let told = |list: &[rolecall::plan::MovedRelation]| {
                    assert!(list.len() < 2);
                    list.first().map(|moved| (moved.before, moved.after))
                };
                assert_eq!((told(&merged.memberships), told(&merged.assignments)), (moved, moved));
                assert!(now.user("from").is_none());
            }
            Err(error) => {
                gaps += 1;
                assert_eq!(error.kind(), ErrorKind::WindowMismatch, "{error}");
                let (from, into) = (from.unwrap(), into.unwrap());
                assert!(from.union(into).is_none() && !from.has_ended(at(NOW)) && !into.has_ended(at(NOW)));
            }
        }
    }
    assert!(gaps > 0);
}

#[test]
fn f24_every_relation_moves_and_the_first_user_is_deleted() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.user("from")?.join("g")?.join_during("h", during(60, 70))?.assign("s")?;
        tx.user("into")?.join_during("h", during(65, 80))?.assign("r")?.set_name(Some("Into"))?.done()
    })
    .unwrap();
    let (handle, id) = (acme.user_handle("from").unwrap(), acme.now().user("from").unwrap().id);
    let merged = merge(&acme).unwrap();
    assert_eq!(merged.deleted.id, id);
    let told: Vec<_> =
        merged.memberships.iter().map(|moved| (moved.slug.as_str(), moved.before, moved.after)).collect();
    assert_eq!(told, [("g", None, Window::ALWAYS), ("h", Some(during(65, 80)), during(60, 80))]);
    assert_eq!(merged.assignments.iter().map(|moved| moved.slug.as_str()).collect::<Vec<_>>(), ["s"]);
    assert!(acme.check("into", "p"));
    assert_eq!(acme.now().user("into").unwrap().name(), "Into", "the record of the other user stays");
    assert!(!acme.check(handle, "p") && !acme.check(id, "p") && !acme.check("from", "p"), "they name nobody");
    acme.update(|tx| tx.create_user("from")?.done()).unwrap();
    assert!(!acme.check(handle, "p") && acme.now().groups_of("from").is_empty(), "a new user under the old key");
    let json = serde_json::to_value(&merged).unwrap();
    assert_eq!(json["memberships"][0]["slug"], "g");
}

#[test]
fn f24_a_gap_is_an_error_that_names_the_relation() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.user("from")?.join("h")?.assign_during("r", during(60, 65))?;
        tx.user("into")?.assign_during("r", during(70, 80))?.done()
    })
    .unwrap();
    let error = fails(&acme, |tx| tx.merge_users("from", "into").map(drop));
    assert_eq!(
        (error.kind(), error.entity(), error.name()),
        (ErrorKind::WindowMismatch, Some(EntityKind::Role), Some("r"))
    );
    let relation = error.relation().unwrap();
    assert_eq!((relation.kind, relation.entity, &*relation.name), (RelationKind::Assignment, EntityKind::User, "into"));
    assert_eq!(error.found().unwrap().parse::<Window>().unwrap(), during(70, 80));
    assert_eq!(
        error.to_string(),
        "assignment of `r` to `into` already exists with another window (from 1970-01-01T00:01:10Z until \
         1970-01-01T00:01:20Z): there is a gap between it and the requested window (from 1970-01-01T00:01:00Z until \
         1970-01-01T00:01:05Z); give one of the two users a window that contains both, or remove it from one of them, and \
         merge again"
    );
    // As advised, in one transaction.
    acme.update(|tx| {
        tx.user("into")?.set_assignment_window("r", during(60, 80))?;
        tx.merge_users("from", "into")
    })
    .unwrap();
    assert_eq!(acme.now().roles_of("into")[0].window, during(60, 80));
}

#[test]
fn f24_suspended_access_does_not_become_active_and_active_access_is_not_suspended() {
    for (suspended, is, other) in [("from", "suspended", "active"), ("into", "active", "suspended")] {
        let (acme, _) = acme();
        acme.update(|tx| {
            tx.user("from")?.join("g")?;
            tx.user(suspended)?.suspend()?.done()
        })
        .unwrap();
        let error = fails(&acme, |tx| tx.merge_users("from", "into").map(drop));
        assert_eq!((error.kind(), error.found()), (ErrorKind::Invalid, Some("from")));
        assert_eq!(
            error.to_string(),
            format!(
                "user `from` cannot be merged into `into`: `from` is {is}, and `into` is {other}; \
                 activate, suspend or delete one of them first"
            )
        );
    }
    // Both are suspended: nothing is active before or after.
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.user("from")?.join("g")?.suspend()?;
        tx.user("into")?.suspend()?.done()
    })
    .unwrap();
    merge(&acme).unwrap();
    assert!(!acme.check("into", "p") && acme.now().groups_of("into").len() == 1);
}

#[test]
fn f24_a_user_is_not_merged_into_itself_and_both_must_exist() {
    let (acme, _) = acme();
    let id = acme.now().user("from").unwrap().id;
    let error = fails(&acme, |tx| tx.merge_users("from", id).map(drop));
    assert_eq!(error.to_string(), "user `from` cannot be merged into itself");
    for (from, into, missing) in [("from", "nobody", "nobody"), ("nobody", "into", "nobody")] {
        let error = fails(&acme, |tx| tx.merge_users(from, into).map(drop));
        assert_eq!((error.kind(), error.name()), (ErrorKind::NotFound, Some(missing)));
    }
    let error = acme.update(|tx| {
        tx.delete_user("into")?;
        tx.merge_users("from", "into")
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn f24_only_its_directory_merges_a_managed_user() {
    let prepare: [(&str, Prepare); 3] = [
        ("the first user", |tx| {
            tx.user("from")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?.join("h")?.done()
        }),
        ("a group of the first user", |tx| {
            tx.user("from")?.join("g")?.join("h")?;
            tx.group("h")?.set_managed_by(Some("okta"))?.done()
        }),
        ("a group of both", |tx| {
            tx.user("from")?.join("g")?.join("h")?;
            tx.user("into")?.join("h")?;
            tx.group("h")?.set_managed_by(Some("okta"))?.done()
        }),
    ];
    for (what, prepare) in prepare {
        let (acme, _) = acme();
        acme.update(|tx| {
            tx.set_manager("okta")?;
            prepare(tx)
        })
        .unwrap();
        for manager in [None, Some("entra")] {
            let error = fails(&acme, |tx| {
                manager.map_or(Ok(()), |manager| tx.set_manager(manager).map(drop))?;
                tx.merge_users("from", "into").map(drop)
            });
            assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")), "{what}");
        }
        let merged = acme.update(|tx| {
            tx.set_manager("okta")?;
            tx.merge_users("from", "into")
        });
        let deleted = merged.unwrap().value.deleted;
        assert!(acme.now().groups_of("into").iter().any(|group| group.record.slug == "h"), "{what}");
        // The link to the directory is not handed over, and is free for the application to do so.
        assert!(acme.now().user("into").unwrap().managed_by().is_none());
        let Some(id) = deleted.external_id() else { continue };
        acme.update(|tx| {
            tx.set_manager("okta")?;
            tx.user("into")?.set_managed_by(Some("okta"))?.set_external_id(Some(id.as_str()))?.done()
        })
        .unwrap();
        assert_eq!(acme.now().user(External { manager: "okta", id: "00u1" }).unwrap().key, "into");
    }
}

/// A local account is merged into a managed one without the directory: the record of the managed one stays.
#[test]
fn f24_a_managed_user_takes_over_a_local_one() {
    let (acme, _) = acme();
    acme.update(|tx| {
        tx.set_manager("okta")?;
        tx.user("from")?.set_name(Some("From"))?.join("g")?.assign("s")?;
        tx.user("into")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?.done()
    })
    .unwrap();
    let record = acme.now().user("into").unwrap();
    merge(&acme).unwrap();
    assert_eq!(acme.now().user("into").unwrap(), record);
    assert!(acme.check("into", "p"));
}

/// The role keeps its reference, and comes back with a catalog that has it again.
#[test]
fn f24_a_role_removed_from_the_catalog_moves() {
    let store = MemoryStore::default();
    let permissions = &[PermissionDef::new("p")];
    let roles = &[RoleDef { grants: &["p"], ..RoleDef::new("viewer") }];
    let catalog = Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap();
    let open = |catalog: &Catalog| Authorizer::builder().store(store.clone()).catalog(catalog).build();
    let first = open(&catalog).create_tenant("acme", "Acme").unwrap();
    first
        .update(|tx| {
            tx.create_user("from")?.assign("viewer")?;
            tx.create_user("into")?.done()
        })
        .unwrap();
    let without = Catalog::new(&Definition::default()).unwrap();
    let acme = open(&without).tenant("acme").unwrap();
    let merged = merge(&acme).unwrap();
    assert_eq!(merged.assignments[0].slug, "viewer");
    first.refresh().unwrap();
    assert!(first.check("into", "p") && first.now().roles_of("from").is_empty());
    assert!(open(&catalog).tenant("acme").unwrap().check("into", "p"));
}

#[test]
fn f24_a_plan_of_a_merge_shows_what_is_gained() {
    let (acme, _) = acme();
    acme.update(|tx| tx.user("from")?.join("g")?.done()).unwrap();
    let (_, plan) = acme.plan(|tx| tx.merge_users("from", "into")).unwrap();
    let count = plan.count(RecordKind::Membership);
    assert_eq!((count.added, count.changed, count.removed), (1, 0, 1));
    let access: Vec<_> = plan.access_changes(at(NOW)).collect();
    assert_eq!(access.len(), 2);
    assert_eq!((access[0].user.key.as_str(), access[0].lost.slugs()), ("from", vec!["p".parse().unwrap()]));
    assert_eq!((access[1].user.key.as_str(), access[1].gained.slugs()), ("into", vec!["p".parse().unwrap()]));
}

/// Provisioning that runs at every start, written with the additive calls, keeps what administrators added.
#[test]
fn f22_provisioning_at_every_start_keeps_what_administrators_added() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let additive = |tx: &Tx| {
        tx.ensure_permission("posts:read")?;
        tx.ensure_role("guest")?;
        tx.ensure_role("viewer")?.grant("posts:read")?.include("guest")?;
        tx.ensure_group("company")?;
        tx.ensure_group("staff")?.assign("viewer")?.add_parent("company")?;
        tx.ensure_user("admin")?.join("staff")?.assign("viewer")?.done()
    };
    let provision = || acme.update(additive).unwrap();
    assert!(!provision().changes.is_empty());
    acme.update(|tx| {
        tx.create_permission("posts:comment")?;
        tx.create_role("guide")?;
        tx.create_group("berlin")?;
        tx.create_user("bob")?;
        tx.role("viewer")?.grant("posts:comment")?.include("guide")?;
        tx.group("staff")?.assign("guide")?.add_parent("berlin")?.add_member("bob")?;
        tx.user("admin")?.assign("guide")?.join("berlin")?.done()
    })
    .unwrap();
    let before = acme.snapshot().export().unwrap().to_json();
    assert!(provision().changes.is_empty());
    assert_eq!(acme.snapshot().export().unwrap().to_json(), before);
    // The calls that replace a list take it away, and say so.
    let lost = acme.update(|tx| {
        Ok([
            tx.role("viewer")?.set_grants(["posts:read"])?.removed.len(),
            tx.role("viewer")?.set_includes(["guest"])?.removed.len(),
            tx.group("staff")?.set_roles(["viewer"])?.removed.len(),
            tx.group("staff")?.set_parents(["company"])?.removed.len(),
            tx.group("staff")?.set_members(["admin"])?.removed.len(),
            tx.user("admin")?.set_roles(["viewer"])?.removed.len(),
            tx.user("admin")?.set_groups(["staff"])?.removed.len(),
        ])
    });
    assert_eq!(lost.unwrap().value, [1; 7]);
}
