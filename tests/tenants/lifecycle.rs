//! Tenants: opened once, found by slug, renamed, closed, deleted, kept apart.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rolecall::blocking::Authorizer;
use rolecall::store::MemoryStore;
use rolecall::{Decision, ErrorKind, PageRequest, Reason, Window};

fn populate(tenant: &rolecall::blocking::Tenant) {
    tenant
        .update(|tx| {
            tx.create_permission("p")?;
            tx.create_role("r")?.grant("p")?;
            tx.create_user("alice")?.assign("r")?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_tenant_is_opened_once() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let again = authorizer.tenant("acme").unwrap();
    populate(&acme);
    assert!(again.check("alice", "p"), "both refer to the same tenant");
    assert_eq!(again.user_handle("alice"), acme.user_handle("alice"));
    assert_eq!(authorizer.open_tenant_count(), 1);
    assert_eq!(authorizer.tenant_by_id(acme.tenant_id()).unwrap().slug().unwrap(), "acme");
    assert_eq!(authorizer.create_tenant("acme", "Other").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(authorizer.tenant("globex").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(authorizer.open_or_create("acme", "Acme").unwrap().tenant_id(), acme.tenant_id());
    assert_eq!(authorizer.open_or_create("globex", "Globex").unwrap().name().unwrap(), "Globex");
    let slugs: Vec<String> = authorizer.tenants(None, 10).unwrap().iter().map(|t| t.slug.to_string()).collect();
    assert_eq!(slugs, ["acme", "globex"]);
    assert_eq!(authorizer.tenants(Some("acme"), 10).unwrap().len(), 1);
}

#[test]
fn a_renamed_tenant_is_found_by_its_new_slug_alone() {
    let store = MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let other = Authorizer::builder().store(store).build();
    let elsewhere = other.tenant("acme").unwrap();
    acme.update(|tx| tx.set_tenant_slug("acme-corp")?.set_tenant_name("Acme Corp")?.done()).unwrap();
    assert_eq!(authorizer.tenant("acme").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(authorizer.tenant("acme-corp").unwrap().tenant_id(), acme.tenant_id());
    // An open tenant is found by the slug in its current snapshot.
    assert_eq!(other.tenant("acme").unwrap().tenant_id(), acme.tenant_id());
    elsewhere.refresh().unwrap();
    assert_eq!(other.tenant("acme").unwrap_err().kind(), ErrorKind::NotFound);
    // The slug is free for another tenant, which is a different entity.
    let new = authorizer.create_tenant("acme", "New").unwrap();
    assert_ne!(new.tenant_id(), acme.tenant_id());
}

#[test]
fn a_deleted_tenant_denies_and_its_slug_can_be_reused() {
    let store = MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let other = Authorizer::builder().store(store).build();
    let elsewhere = other.tenant("acme").unwrap();
    let held = acme.snapshot();
    acme.delete().unwrap();
    assert_eq!(acme.decide("alice", "p"), Decision::Denied(Reason::Deleted));
    assert!(held.now(&rolecall::clock::SystemClock).check("alice", "p"), "an earlier snapshot still answers");
    assert_eq!(acme.update(|_| Ok(())).unwrap_err().kind(), ErrorKind::Deleted);
    assert_eq!(acme.refresh().unwrap_err().kind(), ErrorKind::Deleted);
    assert_eq!(authorizer.tenant("acme").unwrap_err().kind(), ErrorKind::NotFound);
    let new = authorizer.create_tenant("acme", "Acme").unwrap();
    assert!(new.tenant_id() != acme.tenant_id() && !new.check("alice", "p") && new.now().user("alice").is_none());
    assert!(elsewhere.check("alice", "p"), "it has not been refreshed");
    assert_eq!(elsewhere.refresh().unwrap_err().kind(), ErrorKind::Deleted);
    assert!(!elsewhere.check("alice", "p"));
    assert_eq!(other.tenant("acme").unwrap().tenant_id(), new.tenant_id());
}

#[test]
fn a_closed_tenant_denies_and_its_handles_are_unknown_afterwards() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let (user, permission) = (acme.user_handle("alice").unwrap(), acme.permission_handle("p").unwrap());
    assert!(acme.check(user, permission));
    acme.close().unwrap();
    assert_eq!(acme.decide("alice", "p"), Decision::Denied(Reason::Closed));
    assert_eq!((authorizer.open_tenant_count(), acme.update(|_| Ok(())).unwrap_err().kind()), (0, ErrorKind::Closed));
    let again = authorizer.tenant("acme").unwrap();
    assert!(again.check("alice", "p"));
    assert_eq!(again.decide(user, "p"), Decision::Denied(Reason::UnknownUser));
    assert_eq!(again.decide("alice", permission), Decision::Denied(Reason::UnknownPermission));
    acme.close().unwrap();
    assert!(again.check("alice", "p"), "closing the old one twice does not touch the new one");
}

#[test]
fn only_tenants_that_nobody_holds_are_closed_to_make_room() {
    let authorizer = Authorizer::builder().max_open_tenants(2).build();
    let held = authorizer.create_tenant("held", "Held").unwrap();
    for n in 0..5 {
        populate(&authorizer.create_tenant(&format!("t{n}"), "T").unwrap());
    }
    assert_eq!(authorizer.open_tenant_count(), 2);
    assert!(held.refresh().is_ok());
    assert!(authorizer.tenant("t0").unwrap().check("alice", "p"), "opened again on first use");
    let holds: Vec<_> = (0..4).map(|n| authorizer.tenant(&format!("t{n}")).unwrap()).collect();
    assert!(holds.iter().all(|tenant| tenant.check("alice", "p")));
}

/// R12 with small tenants; `datasets.rs` has the real organisations.
#[test]
fn r12_nothing_of_one_tenant_does_anything_in_another() {
    let authorizer = Authorizer::in_memory();
    let (acme, globex) =
        (authorizer.create_tenant("acme", "Acme").unwrap(), authorizer.create_tenant("globex", "Globex").unwrap());
    populate(&acme);
    populate(&globex);
    let now = acme.now();
    let user = now.user("alice").unwrap();
    let (permission, role) = (now.permission("p").unwrap(), now.role("r").unwrap());
    assert!(
        !globex.check(user.id, "p")
            && !globex.check(user.id.as_uuid(), "p")
            && !globex.check("alice", permission.record.id)
    );
    assert!(!globex.check(acme.user_handle("alice").unwrap(), "p"));
    assert!(!globex.check("alice", acme.permission_handle("p").unwrap()));
    assert!(globex.check("alice", "p"), "the same names refer to other entities in each tenant");
    assert!(globex.now().role(role.record.id).is_none() && globex.now().user(user.id).is_none());
    let refused = |error: rolecall::Error| assert_eq!(error.kind(), ErrorKind::NotFound);
    refused(globex.update(|tx| tx.user(user.id)?.suspend()?.done()).unwrap_err());
    refused(globex.update(|tx| tx.user("alice")?.unassign(role.record.id)?.done()).unwrap_err());
    refused(globex.update(|tx| tx.role("r")?.grant(permission.record.id)?.done()).unwrap_err());
    refused(globex.update(|tx| tx.delete_user(acme.user_handle("alice").unwrap())).unwrap_err());
    // Sets of two tenants have no elements in common.
    let (ours, theirs) = (acme.effective("alice"), globex.effective("alice"));
    assert!(ours.intersection(&theirs).is_empty() && ours != theirs && ours.union(&theirs) == ours);
}

/// A plan of another tenant or of an older state is rejected.
#[test]
fn a_plan_is_committed_on_its_own_base_or_not_at_all() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let globex = authorizer.create_tenant("globex", "Globex").unwrap();
    let bob = |tx: &rolecall::Tx| tx.create_user("bob")?.done();
    let ((), plan) = acme.plan(bob).unwrap();
    assert!(acme.now().user("bob").is_none() && plan.preview().at(rolecall::Timestamp::MIN).user("bob").is_some());
    assert_eq!(globex.commit(plan).unwrap_err().kind(), ErrorKind::ForeignPlan);
    let ((), plan) = acme.plan(bob).unwrap();
    let ((), late) = acme.plan(bob).unwrap();
    let preview = plan.preview();
    let done = acme.commit(plan).unwrap();
    assert_eq!((done.revision, acme.snapshot().position()), (preview.revision(), preview.position()));
    assert_eq!(acme.commit(late).unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn a_panicking_or_failing_closure_changes_nothing() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let revision = acme.revision();
    let tenant = acme.clone();
    let panicked = std::thread::spawn(move || {
        tenant.update(|tx| {
            tx.delete_user("alice")?;
            tx.user("bob").unwrap();
            Ok(())
        })
    });
    assert!(panicked.join().is_err());
    let error = acme.update(|tx| {
        tx.delete_user("alice")?;
        Err::<(), _>(rolecall::Error::rejected("second thoughts"))
    });
    assert_eq!(error.unwrap_err().to_string(), "second thoughts");
    assert!(acme.check("alice", "p") && acme.revision() == revision && acme.in_doubt().is_none());

    #[derive(Debug, PartialEq)]
    enum Own {
        Mine,
        Theirs(ErrorKind),
    }
    impl From<rolecall::Error> for Own {
        fn from(error: rolecall::Error) -> Self {
            Self::Theirs(error.kind())
        }
    }
    assert_eq!(acme.try_update(|_| Err::<(), _>(Own::Mine)).unwrap_err(), Own::Mine);
    let missing = acme.try_update(|tx| Ok::<_, Own>(tx.delete_user("nobody")?));
    assert_eq!(missing.unwrap_err(), Own::Theirs(ErrorKind::NotFound));
}

#[test]
fn an_update_inside_an_update_is_an_error_and_not_a_deadlock() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let inner = acme.clone();
    acme.update(|tx| {
        assert_eq!(inner.update(|_| Ok(())).unwrap_err().kind(), ErrorKind::NestedUpdate);
        assert_eq!(inner.refresh().unwrap_err().kind(), ErrorKind::NestedUpdate);
        assert_eq!(authorizer.tenant("acme").unwrap_err().kind(), ErrorKind::NestedUpdate);
        let _ = inner.plan(|tx| tx.create_user("bob")?.done())?;
        tx.create_user("alice")?.done()
    })
    .unwrap();
    assert!(acme.now().user("alice").is_some() && acme.update(|_| Ok(())).is_ok());
}

/// Provisioning code that runs at every start of an application.
#[test]
fn ensuring_an_existing_entity_makes_no_revision() {
    let authorizer = Authorizer::in_memory();
    let provision = || {
        let acme = authorizer.open_or_create("acme", "Acme").unwrap();
        acme.update(|tx| {
            tx.ensure_permission("posts:read")?.set_name("Read posts")?.set_category(Some("Posts"))?;
            tx.ensure_role("viewer")?.set_grants(["posts:read"])?;
            let editor = tx.ensure_role("editor")?;
            editor.set_grants(["posts:*"])?;
            editor.set_includes(["viewer"])?;
            tx.ensure_group("staff")?.set_roles(["viewer"])?;
            tx.ensure_user("admin")?.assign("editor")?;
            Ok(())
        })
        .unwrap()
    };
    assert_eq!(provision().changes.len(), 10);
    let again = provision();
    assert!(again.changes.is_empty() && again.commit.is_none() && again.revision.number() == 2);
    let acme = authorizer.tenant("acme").unwrap();
    acme.update(|tx| tx.role("editor")?.grant("posts:read")?.revoke("posts:*")?.done()).unwrap();
    assert_eq!(provision().changes.len(), 2, "restored to the ensured state");
}

/// A commit changes two relations together. No reader sees one change without the other, and no reader goes back.
#[test]
fn readers_see_whole_revisions_that_never_go_back() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for side in ["left", "right"] {
            tx.create_permission(side)?;
            tx.create_role(side)?.grant(side)?;
        }
        tx.create_user("u")?.assign("left")?.done()
    })
    .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reads: u64 = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut reads) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        let moment = acme.now();
                        let revision = moment.snapshot().revision().number();
                        assert!(revision >= last, "never backwards");
                        last = revision;
                        let both = (moment.check("u", "left"), moment.check("u", "right"));
                        assert_ne!(both.0, both.1, "exactly one at every revision");
                        assert_eq!(moment.effective("u").len(), 1);
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        for n in 0..2_000 {
            let (from, to) = if n % 2 == 0 { ("left", "right") } else { ("right", "left") };
            acme.update(|tx| tx.user("u")?.unassign(from)?.assign(to)?.done()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert!(reads > 2_000, "too few reads to show anything: {reads}");
}

/// A handle never refers to another entity, even after deletions and creations (R8, A22).
#[test]
fn a22_a_handle_never_comes_to_mean_something_else() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let (user, permission) = (acme.user_handle("alice").unwrap(), acme.permission_handle("p").unwrap());
    acme.update(|tx| {
        tx.delete_permission("p")?;
        tx.delete_user("alice")
    })
    .unwrap();
    acme.update(|tx| {
        tx.create_role("all")?.grant("*")?;
        for n in 0..10_000 {
            tx.create_permission(&format!("p{n}"))?;
        }
        tx.create_permission("p")?;
        tx.create_user("alice")?.assign("all")?.done()
    })
    .unwrap();
    assert!(acme.check("alice", "p"));
    assert_eq!(acme.decide("alice", permission), Decision::Denied(Reason::UnknownPermission));
    assert_eq!(acme.decide(user, "p"), Decision::Denied(Reason::UnknownUser));
    assert_eq!(acme.now().user_handle(user), None);

    // The numbers that a dropped plan has used are not given to other entities.
    let ((), plan) = acme.plan(|tx| tx.create_user("ghost")?.done()).unwrap();
    let ghost = plan.preview().at(rolecall::Timestamp::MIN).user_handle("ghost").unwrap();
    drop(plan);
    acme.update(|tx| tx.create_user("bob")?.assign("all")?.done()).unwrap();
    assert!(acme.check("bob", "p") && !acme.check(ghost, "p"));
    assert_ne!(acme.user_handle("bob"), Some(ghost));
}

/// A22: an entity that is deleted and created again, in one transaction or in two, inherits nothing.
#[test]
fn a22_an_entity_created_under_an_old_name_is_a_new_entity() {
    for together in [true, false] {
        let store = MemoryStore::default();
        let authorizer = Authorizer::builder().store(store.clone()).build();
        let acme = authorizer.create_tenant("acme", "Acme").unwrap();
        populate(&acme);
        acme.update(|tx| {
            tx.create_group("g")?.assign("r")?;
            tx.user("alice")?.unassign("r")?.join_during("g", Window::ALWAYS)?.done()
        })
        .unwrap();
        assert!(acme.check("alice", "p"));
        let (old_role, old_group) = (acme.now().role("r").unwrap().record.id, acme.now().group("g").unwrap().id);
        let delete = |tx: &rolecall::Tx| {
            tx.delete_role("r")?;
            tx.delete_group("g")
        };
        let create = |tx: &rolecall::Tx| {
            tx.create_role("r")?.grant("p")?;
            tx.create_group("g")?.assign("r")?.done()
        };
        if together {
            acme.update(|tx| delete(tx).and_then(|()| create(tx))).unwrap();
        } else {
            acme.update(delete).unwrap();
            acme.update(create).unwrap();
        }
        let reopened = Authorizer::builder().store(store).build().tenant("acme").unwrap();
        for tenant in [&acme, &reopened] {
            let now = tenant.now();
            assert!(!now.check("alice", "p") && now.groups_of("alice").is_empty());
            assert!(now.members("g", &PageRequest::of(10)).items.is_empty());
            assert!(now.role(old_role).is_none() && now.group(old_group).is_none());
            assert!(now.role("r").unwrap().record.id != old_role);
        }
    }
}
