//! A plan that waits while others commit: rebased with the same changes and ids, or refused with the reason.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

mod refusals;

use std::error::Error as _;
use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::ManualClock;
use rolecall::plan::RebaseConflict;
use rolecall::records::{Change, Record, RecordKind};
use rolecall::store::MemoryStore;
use rolecall::{EntityKind, Error, ErrorKind, Plan, Result, Timestamp, Tx, Window, error::RelationKind};

type Run = fn(&Tx) -> Result<()>;

fn populate(acme: &Tenant) {
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_role("viewer")?;
        for group in ["staff", "engineering", "backend"] {
            tx.create_group(group)?;
        }
        for user in ["alice", "bob"] {
            tx.create_user(user)?;
        }
        tx.group("engineering")?.assign("editor")?.done()
    })
    .unwrap();
}

fn acme() -> (Authorizer, Tenant) {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    (authorizer, acme)
}

fn plan(acme: &Tenant, f: impl FnMut(&Tx) -> Result<()>) -> Plan {
    acme.plan(f).unwrap().1
}

fn now() -> Timestamp {
    Timestamp::from_secs(0).unwrap()
}

#[test]
fn f27_a_plan_is_rebased_with_the_same_changes_and_ids() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| {
        tx.set_actor("alice@acme.com")?.set_note("ticket 7")?;
        let carol = tx.create_user("carol")?;
        carol.join("engineering")?;
        tx.create_role("writer")?.grant("posts:*")?.include("viewer")?;
        tx.user("bob")?.suspend()?.done()
    });
    acme.update(|tx| tx.create_user("dave")?.join("staff")?.done()).unwrap();
    assert_eq!(acme.commit(approved.clone()).unwrap_err().kind(), ErrorKind::Stale);
    let rebased = acme.rebase(&approved).unwrap();
    assert_eq!(rebased.changes(), approved.changes());
    assert_eq!((rebased.changes_not_in(&approved).count(), approved.changes_not_in(&rebased).count()), (0, 0));
    assert_eq!(rebased.access_differences(&approved, now()).count(), 0);
    assert_eq!((rebased.base().revision(), rebased.revision()), (acme.revision(), acme.revision().next()));
    let id = approved.preview().at(now()).user("carol").unwrap().id;
    let done = acme.commit(rebased).unwrap();
    assert_eq!(done.changes, approved.changes());
    assert_eq!(acme.now().user("carol").unwrap().id, id);
    assert!(acme.check("carol", "posts:write") && acme.now().user("dave").is_some());
}

/// The commit of a rebased plan has an id of its own, the same actor and note, and the present instant.
#[test]
fn f27_a_rebased_plan_keeps_its_actor_and_note_and_gets_a_new_commit() {
    use rolecall::store::{Since, Store};
    let store = MemoryStore::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000).unwrap()));
    let authorizer = Authorizer::builder().store(store.clone()).clock(Arc::clone(&clock)).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let approved = plan(&acme, |tx| tx.set_actor("alice")?.set_note("ticket 7")?.create_user("carol")?.done());
    assert_eq!((approved.actor().unwrap().as_str(), approved.note().unwrap().as_str()), ("alice", "ticket 7"));
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let before = acme.snapshot().position();
    clock.set(Timestamp::from_secs(2_000).unwrap());
    let (one, two) = (acme.rebase(&approved).unwrap(), acme.rebase(&approved).unwrap());
    assert_ne!(one.preview().position().commit, two.preview().position().commit);
    assert_ne!(one.preview().position().commit, approved.preview().position().commit);
    acme.commit(one).unwrap();
    let Ok(Since::Commits(commits)) = pollster::block_on(store.since(before)) else { panic!("one commit") };
    let envelope = &commits[0].envelope;
    assert_eq!(envelope.actor.as_ref().unwrap(), "alice");
    assert_eq!((envelope.note.as_ref().unwrap().as_str(), envelope.at.as_micros()), ("ticket 7", 2_000_000_000));
    assert_eq!(envelope.catalog, Catalog::empty().fingerprint());
    assert_eq!(acme.commit(two).unwrap_err().kind(), ErrorKind::Stale, "one of the two is committed");
}

/// A process that has not refreshed takes in the commits of the others first.
#[test]
fn f27_a_rebase_takes_in_the_commits_of_other_processes() {
    let store = MemoryStore::default();
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let other = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let approved = plan(&acme, |tx| tx.user("alice")?.join("staff")?.done());
    other.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let rebased = acme.rebase(&approved).unwrap();
    assert_eq!(rebased.base().revision(), other.revision());
    acme.commit(rebased).unwrap();
}

/// R3: a plan is judged at the instant at which it is made, whether it is committed or rebased afterwards.
#[test]
fn r3_a_window_that_has_ended_meanwhile_is_stored_and_has_no_effect() {
    let at = |secs| Timestamp::from_secs(secs).unwrap();
    let edits: [Run; 3] = [
        |tx| tx.user("alice")?.join_during("staff", Window::until(Timestamp::from_secs(2_000)?))?.done(),
        |tx| tx.user("alice")?.assign_during("editor", Window::until(Timestamp::from_secs(2_000)?))?.done(),
        |tx| tx.group("staff")?.add_parent_during("backend", Window::until(Timestamp::from_secs(2_000)?))?.done(),
    ];
    for (edit, rebased) in edits.into_iter().flat_map(|edit| [(edit, false), (edit, true)]) {
        let clock = Arc::new(ManualClock::new(at(1_000)));
        let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
        populate(&acme);
        let approved = plan(&acme, edit);
        assert_eq!(approved.instant(), at(1_000));
        if rebased {
            acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
        }
        clock.set(at(2_000));
        assert_eq!(acme.plan(edit).map(drop).unwrap_err().what(), Some("window"), "a new plan is refused");
        let late = if rebased { acme.rebase(&approved).unwrap() } else { approved.clone() };
        assert_eq!(late.changes(), approved.changes());
        let before = acme.now().effective("alice").slugs();
        acme.commit(late).unwrap();
        assert_eq!(acme.now().effective("alice").slugs(), before);
    }
}

/// A late refusal could keep access: here the plan ends a membership that had no end.
#[test]
fn r3_a_late_plan_that_ends_access_ends_it() {
    let at = |secs| Timestamp::from_secs(secs).unwrap();
    for rebased in [false, true] {
        let clock = Arc::new(ManualClock::new(at(1_000)));
        let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
        populate(&acme);
        acme.update(|tx| tx.user("bob")?.join("staff")?.done()).unwrap();
        let until = Window::until(at(2_000));
        let approved = plan(&acme, |tx| {
            tx.user("bob")?.set_membership_window("staff", Window::until(Timestamp::from_secs(2_000)?))?.done()
        });
        if rebased {
            acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
        }
        clock.set(at(3_000));
        assert!(acme.now().all_members("staff").contains("bob"));
        acme.commit(if rebased { acme.rebase(&approved).unwrap() } else { approved }).unwrap();
        assert!(!acme.now().all_members("staff").contains("bob"));
        assert!(acme.now().groups_of("bob").into_iter().any(|group| group.window == until));
    }
}

/// Two processes with two catalogs. The plan is of the process with the old one.
#[test]
fn f27_a_rebase_onto_an_entry_that_moved_to_the_catalog_is_refused() {
    let (permissions, roles) = (&[PermissionDef::new("billing:read")], &[RoleDef::new("auditor")]);
    let catalog = Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap();
    let store = MemoryStore::default();
    let old = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    populate(&old);
    let creates = plan(&old, |tx| tx.create_permission("billing:read")?.done());
    let creates_role = plan(&old, |tx| tx.create_role("auditor")?.done());
    let new = Authorizer::builder().store(store).catalog(&catalog).build().tenant("acme").unwrap();
    let refused = |plan: &Plan| new.rebase(plan).unwrap_err();
    for (plan, text) in [(&creates, "permission `billing:read`"), (&creates_role, "role `auditor`")] {
        let error = refused(plan);
        let why = "the plan was made with another catalog";
        assert_eq!(error.to_string(), format!("{why}: {text} already exists: the catalog defines it"));
        assert_eq!(RebaseConflict::of(&error).unwrap().change, plan.changes()[0]);
    }
    // The tenant's own is there already when the catalog defines the slug.
    old.update(|tx| tx.create_permission("billing:read")?.done()).unwrap();
    let grants = plan(&old, |tx| tx.role("editor")?.grant("billing:read")?.done());
    assert_eq!(refused(&grants).kind(), ErrorKind::CatalogConflict);
    old.commit(grants).unwrap();
}

/// The plan refers to the catalog's entry, and another process with an old catalog creates one with that slug.
#[test]
fn f27_a_slug_that_comes_into_conflict_is_refused_as_a_write_by_the_slug() {
    let permissions = &[PermissionDef::new("billing:read")];
    let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
    let store = MemoryStore::default();
    let old = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    populate(&old);
    let new = Authorizer::builder().store(store).catalog(&catalog).build().tenant("acme").unwrap();
    let approved = plan(&new, |tx| tx.role("editor")?.grant("billing:read")?.done());
    old.refresh().unwrap();
    old.update(|tx| tx.create_permission("billing:read")?.done()).unwrap();
    let error = new.rebase(&approved).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::CatalogConflict, Some("billing:read")));
    assert_eq!(RebaseConflict::of(&error).unwrap().change, approved.changes()[0]);
    // The plan that repairs it is free: it was made while the slug was in conflict.
    let own = new.conflicts()[0].own;
    let own = rolecall::records::PermissionId::from_uuid(own);
    let repair = plan(&new, |tx| tx.permission(own)?.set_slug("own-billing:read")?.done());
    new.update(|tx| tx.create_user("dave")?.done()).unwrap();
    new.commit(new.rebase(&repair).unwrap()).unwrap();
    assert!(new.conflicts().is_empty());
    new.commit(new.rebase(&approved).unwrap()).unwrap();
}

/// A reference to an entry that the next catalog lacks.
#[test]
fn f27_an_entry_that_the_catalog_has_removed_is_not_found() {
    let permissions = &[PermissionDef::new("billing:read")];
    let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
    let store = MemoryStore::default();
    let old =
        Authorizer::builder().store(store.clone()).catalog(&catalog).build().create_tenant("acme", "Acme").unwrap();
    populate(&old);
    let approved = plan(&old, |tx| tx.role("editor")?.grant("billing:read")?.done());
    let new = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let error = new.rebase(&approved).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan was made with another catalog: permission `billing:read` not found: it was removed from the catalog"
    );
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn f27_a_plan_of_another_opening_can_be_rebased_and_one_of_another_tenant_cannot() {
    let (authorizer, acme) = acme();
    let approved = plan(&acme, |tx| tx.create_user("carol")?.join("engineering")?.done());
    acme.close().unwrap();
    assert_eq!(acme.rebase(&approved).unwrap_err().kind(), ErrorKind::Closed);
    let again = authorizer.tenant("acme").unwrap();
    let error = again.commit(approved.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignPlan);
    assert!(error.to_string().contains("use `rebase` for a plan of this tenant"), "{error}");
    let rebased = again.rebase(&approved).unwrap();
    assert_eq!(rebased.changes(), approved.changes());
    assert_eq!(rebased.access_differences(&approved, now()).count(), 0, "compared by ids, not by numbers");
    again.commit(rebased).unwrap();
    let globex = authorizer.create_tenant("globex", "Globex").unwrap();
    assert_eq!(globex.rebase(&approved).unwrap_err().kind(), ErrorKind::ForeignPlan);
    again.delete().unwrap();
    assert_eq!(again.rebase(&approved).unwrap_err().kind(), ErrorKind::Deleted);
    let successor = authorizer.create_tenant("acme", "Acme").unwrap();
    assert_eq!(
        successor.rebase(&approved).unwrap_err().kind(),
        ErrorKind::ForeignPlan,
        "another tenant with this slug"
    );
}

/// Nothing is done twice: a plan that has been committed does not apply again, and neither does its clone.
#[test]
fn f27_a_committed_plan_cannot_be_rebased() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| tx.create_user("carol")?.join("staff")?.done());
    acme.commit(approved.clone()).unwrap();
    assert_eq!(acme.commit(approved.clone()).unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(acme.rebase(&approved).unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn f27_an_empty_plan_and_a_plan_on_the_newest_state_are_rebased() {
    let (_a, acme) = acme();
    let nothing = plan(&acme, |tx| tx.ensure_user("alice")?.done());
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let rebased = acme.rebase(&nothing).unwrap();
    assert!(rebased.is_empty() && rebased.revision() == acme.revision());
    assert!(acme.commit(rebased).unwrap().commit.is_none());
    let ends = plan(&acme, Tx::delete_tenant);
    acme.commit(acme.rebase(&ends).unwrap()).unwrap();
    assert!(!acme.check("alice", "posts:write"));
}

/// Entities that swap their names, an entity that takes the name of one that is deleted, and the end of a handover.
#[test]
fn f27_changes_that_only_fit_together_are_rebased_together() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| {
        tx.group("staff")?.set_slug("tmp")?;
        tx.group("engineering")?.set_slug("staff")?;
        tx.group("tmp")?.set_slug("engineering")?;
        tx.delete_user("alice")?;
        tx.create_user("alice")?.join("backend")?;
        tx.set_manager("okta")?;
        tx.group("backend")?.set_managed_by(Some("okta"))?.set_managed_by(None)?;
        tx.user("bob")?.set_managed_by(Some("okta"))?;
        tx.set_manager("entra")?;
        Ok(())
    });
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let rebased = acme.rebase(&approved).unwrap();
    assert_eq!(rebased.changes(), approved.changes());
    acme.commit(rebased).unwrap();
    assert!(!acme.now().roles_of_group("staff").is_empty(), "the former engineering");
}

/// A rebase does not act for a directory that the transaction did not act for, and does for the one that it did.
#[test]
fn f27_a_rebased_plan_acts_for_the_directories_of_its_transaction() {
    let (_a, acme) = acme();
    let managed = |tx: &Tx| {
        tx.set_manager("okta")?;
        tx.group("staff")?.set_managed_by(Some("okta"))?.done()
    };
    acme.update(managed).unwrap();
    let approved = plan(&acme, |tx| {
        tx.set_manager("okta")?;
        tx.group("staff")?.add_member("alice")?.done()
    });
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let rebased = acme.rebase(&approved).unwrap();
    acme.update(|tx| tx.create_user("erin")?.done()).unwrap();
    let twice = acme.rebase(&rebased).unwrap();
    assert_eq!(twice.changes(), approved.changes(), "a rebased plan can be rebased");
    acme.update(|tx| {
        tx.set_manager("okta")?;
        tx.group("staff")?.set_managed_by(None)?;
        tx.set_manager("entra")?;
        tx.group("staff")?.set_managed_by(Some("entra"))?.done()
    })
    .unwrap();
    let error = acme.rebase(&twice).unwrap_err();
    assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("entra")));
}

/// The changes are the same, and their effect is not: the comparison finds it, even if it begins later.
#[test]
fn f27_another_effect_on_access_is_found_at_every_instant() {
    let at = |secs| Timestamp::from_secs(secs).unwrap();
    let join = |tx: &Tx| tx.user("alice")?.join("staff")?.done();
    let effects: [(Run, Option<i64>); 9] = [
        (|tx| tx.create_user("dave")?.done(), None),
        (|tx| tx.user("bob")?.join("staff")?.done(), None),
        (|tx| tx.group("staff")?.assign("viewer")?.done(), None),
        (|tx| tx.group("staff")?.assign("editor")?.done(), Some(0)),
        (|tx| tx.group("staff")?.add_parent("engineering")?.done(), Some(0)),
        // From an instant far ahead, and behind a parent link.
        (
            |tx| tx.group("staff")?.assign_during("editor", Window::from(Timestamp::from_secs(4_000_000_000)?))?.done(),
            Some(4_000_000_000),
        ),
        (
            |tx| {
                let window = Window::from(Timestamp::from_secs(4_000_000_000)?);
                tx.group("staff")?.add_parent_during("engineering", window)?.done()
            },
            Some(4_000_000_000),
        ),
        // For the same user another key, and no access: nothing that she gains or loses.
        (|tx| tx.group("staff")?.set_name("People")?.done(), None),
        (|tx| tx.user("alice")?.assign("editor")?.done(), None),
    ];
    for (n, (meanwhile, differs)) in effects.into_iter().enumerate() {
        let (_a, acme) = acme();
        let approved = plan(&acme, join);
        acme.update(meanwhile).unwrap();
        let rebased = acme.rebase(&approved).unwrap();
        let differences: Vec<_> = rebased.access_differences(&approved, at(0)).collect();
        let found = differences.first().map(|difference| difference.at);
        assert_eq!(found, differs.map(at), "case {n}");
        assert!(differences.iter().all(|difference| difference.user.key == "alice"));
        if let [difference] = &differences[..] {
            assert_eq!(difference.this.as_ref().unwrap().gained.slugs(), ["posts:write"]);
            assert!(difference.other.is_none());
            let back = approved.access_differences(&rebased, at(0)).next().unwrap();
            assert!(back.this.is_none() && back.other.is_some() && back.at == difference.at);
        }
    }
}

/// A permission, a user and a role that others rename or extend meanwhile.
#[test]
fn f27_a_renamed_permission_or_user_is_another_effect() {
    let effects: [Run; 4] = [
        |tx| tx.permission("posts:write")?.set_slug("admin:all")?.done(),
        |tx| tx.user("alice")?.set_key("mallory")?.done(),
        |tx| tx.user("alice")?.suspend()?.done(),
        |tx| {
            tx.create_permission("admin:all")?;
            tx.role("editor")?.grant("admin:*")?.done()
        },
    ];
    for meanwhile in effects {
        let (_a, acme) = acme();
        let approved = plan(&acme, |tx| tx.user("alice")?.join("engineering")?.done());
        acme.update(meanwhile).unwrap();
        let rebased = acme.rebase(&approved).unwrap();
        assert_eq!(rebased.changes(), approved.changes());
        assert_eq!(rebased.access_differences(&approved, now()).count(), 1);
    }
    // A new holder of a role that the plan widens.
    let (_a, acme) = acme();
    acme.update(|tx| tx.create_permission("admin:all")?.done()).unwrap();
    let approved = plan(&acme, |tx| tx.role("viewer")?.grant("admin:all")?.done());
    acme.update(|tx| tx.user("bob")?.assign("viewer")?.done()).unwrap();
    let rebased = acme.rebase(&approved).unwrap();
    let who: Vec<String> =
        rebased.access_differences(&approved, now()).map(|difference| difference.user.key.to_string()).collect();
    assert_eq!(who, ["bob"]);
    // The user who gained by the approved plan is gone, so the rebased one gives less.
    let (_a, acme) = self::acme();
    acme.update(|tx| tx.user("bob")?.assign("viewer")?.done()).unwrap();
    let approved = plan(&acme, |tx| tx.role("viewer")?.grant("posts:write")?.done());
    acme.update(|tx| tx.delete_user("bob")).unwrap();
    let difference = acme.rebase(&approved).unwrap().access_differences(&approved, now()).next().unwrap();
    assert!(difference.user.key == "bob" && difference.this.is_none() && difference.other.is_some());
}

#[test]
fn f27_two_plans_for_one_purpose_compare() {
    let (_a, acme) = acme();
    let suspend = |tx: &Tx| tx.user("alice")?.suspend()?.done();
    let (one, two) = (plan(&acme, suspend), plan(&acme, suspend));
    assert_eq!(one.changes(), two.changes());
    let more = plan(&acme, |tx| {
        tx.user("alice")?.suspend()?;
        tx.create_user("carol")?.done()
    });
    let keys: Vec<RecordKind> = more.changes_not_in(&one).map(Change::kind).collect();
    assert_eq!((keys, one.changes_not_in(&more).count()), (vec![RecordKind::User], 0));
    let create = |tx: &Tx| tx.create_user("carol")?.done();
    assert_eq!(plan(&acme, create).changes_not_in(&plan(&acme, create)).count(), 1, "another id");
}

/// A commit between a rebase and its commit makes the plan stale again. So does one of another process.
#[test]
fn f27_a_rebased_plan_is_committed_on_its_base_or_not_at_all() {
    let store = MemoryStore::default();
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    populate(&acme);
    let other = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let approved = plan(&acme, |tx| tx.user("alice")?.join("staff")?.done());
    for (n, tenant) in [&acme, &other, &acme].into_iter().enumerate() {
        let rebased = acme.rebase(&approved).unwrap();
        tenant.update(|tx| tx.create_user(&format!("user{n}"))?.done()).unwrap();
        assert_eq!(acme.commit(rebased).unwrap_err().kind(), ErrorKind::Stale);
    }
    acme.commit(acme.rebase(&approved).unwrap()).unwrap();
    assert_eq!(acme.now().groups_of("alice").len(), 1);
}

#[test]
fn f27_a_rebase_inside_an_update_is_refused() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| tx.user("alice")?.join("staff")?.done());
    let nested: Result<Error> = acme.update(|_| Ok(acme.rebase(&approved).unwrap_err())).map(|done| done.value);
    assert_eq!(nested.unwrap().kind(), ErrorKind::NestedUpdate);
}

/// The asynchronous form, whose future can be sent to another thread.
#[test]
fn f27_the_asynchronous_rebase_can_be_spawned() {
    fn sent<T: Send>(future: T) -> T {
        future
    }
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| tx.user("alice")?.join("staff")?.done());
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let tenant = acme.as_async();
    let rebased = pollster::block_on(sent(tenant.rebase(&approved))).unwrap();
    assert_eq!(rebased.changes(), approved.changes());
}

#[test]
fn f27_a_commit_that_is_refused_names_the_rebase() {
    let (authorizer, acme) = acme();
    let approved = plan(&acme, |tx| tx.create_user("carol")?.done());
    acme.update(|tx| tx.create_user("dave")?.done()).unwrap();
    let text = |tenant: &Tenant| tenant.commit(approved.clone()).unwrap_err().to_string();
    assert_eq!(text(&acme), "the tenant has changed since the plan was made; use `rebase`, or plan again");
    assert_eq!(
        text(&authorizer.create_tenant("globex", "Globex").unwrap()),
        "the plan was made by another tenant, or before this tenant was closed and opened again; use `rebase` for a plan of \
         this tenant, otherwise plan again on this one"
    );
}

#[test]
fn f27_a_plan_that_renames_says_which_of_its_changes_closes_a_cycle() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_group("one")?;
        tx.create_group("two")?.done()
    })
    .unwrap();
    let ((), plan) = acme.plan(|tx| tx.group("one")?.add_parent("two")?.set_slug("first")?.done()).unwrap();
    acme.update(|tx| tx.group("two")?.add_parent("one")?.done()).unwrap();
    let error = acme.rebase(&plan).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cycle);
    let conflict = RebaseConflict::of(&error).expect("a change of the plan closes the cycle");
    assert!(matches!(conflict.change.after(), Some(Record::Parent(_))), "{conflict:?}");
}

/// Besides the link that closes a cycle, the plan adds links that begin at the same group or end there. Their order is
/// that of random ids.
#[test]
fn f27_of_several_links_the_one_that_closes_a_cycle_is_named() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| {
        tx.group("engineering")?.add_parent("staff")?;
        (0..8).try_for_each(|n| {
            let (above, below) = (format!("above{n}"), format!("below{n}"));
            tx.create_group(&above)?;
            tx.group("engineering")?.add_parent(&*above)?;
            tx.create_group(&below)?.add_parent("staff")?.done()
        })
    });
    acme.update(|tx| tx.group("staff")?.add_parent("engineering")?.done()).unwrap();
    let error = acme.rebase(&approved).unwrap_err();
    let change = RebaseConflict::of(&error).unwrap().change.clone();
    let id = |group| acme.now().group(group).unwrap().id;
    let Some(Record::Parent(link)) = change.after() else { panic!("a parent link") };
    assert_eq!((link.group, link.parent), (id("engineering"), id("staff")));
}

/// Besides the group that takes the external id, the plan creates two with other ids.
#[test]
fn f27_the_group_is_named_whose_external_id_another_one_has() {
    let (_a, acme) = acme();
    let external = |tx: &Tx, slug: &str, id: &str| {
        tx.create_group(slug)?.set_managed_by(Some("okta"))?.set_external_id(Some(id))?.done()
    };
    let approved = plan(&acme, |tx| {
        tx.set_manager("okta")?;
        external(tx, "sales", "8")?;
        external(tx, "support", "7")?;
        external(tx, "training", "9")
    });
    acme.update(|tx| external(tx.set_manager("okta")?, "people", "7")).unwrap();
    let error = acme.rebase(&approved).unwrap_err();
    let text = "group with the external id `7` of `okta` already exists";
    assert!(error.kind() == ErrorKind::AlreadyExists && error.to_string().contains(text), "{error}");
    let change = RebaseConflict::of(&error).unwrap().change.clone();
    let Some(Record::Group(group)) = change.after() else { panic!("a group") };
    assert_eq!(group.slug, "support");
}

/// A plan of a process with an old catalog gives an entry the slug that the new catalog has for another one.
#[test]
fn f27_a_rename_to_a_slug_of_the_next_catalog_is_refused() {
    let (permissions, roles) = (&[PermissionDef::new("billing:read")], &[RoleDef::new("auditor")]);
    let catalog = Catalog::new(&Definition { permissions, roles, ..Definition::default() }).unwrap();
    let store = MemoryStore::default();
    let old = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    populate(&old);
    let renames: [(Run, &str); 2] = [
        (|tx| tx.permission("posts:write")?.set_slug("billing:read")?.done(), "permission `billing:read`"),
        (|tx| tx.role("viewer")?.set_slug("auditor")?.done(), "role `auditor`"),
    ];
    let names: [Run; 2] = [
        |tx| tx.permission("posts:write")?.set_name("Write")?.done(),
        |tx| tx.role("viewer")?.set_name("Viewer")?.done(),
    ];
    let (renames, names) = (renames.map(|(run, text)| (plan(&old, run), text)), names.map(|run| plan(&old, run)));
    let new = Authorizer::builder().store(store).catalog(&catalog).build().tenant("acme").unwrap();
    for (plan, text) in renames {
        let error = new.rebase(&plan).unwrap_err();
        let why = "the plan was made with another catalog";
        assert_eq!(error.to_string(), format!("{why}: {text} already exists: the catalog defines it"));
    }
    for plan in names {
        assert_eq!(new.rebase(&plan).unwrap().changes(), plan.changes());
    }
}

/// The plan takes the last assignment of a role away that the catalog has removed, and creates one with its slug.
#[test]
fn f27_a_plan_may_use_the_slug_that_it_frees() {
    let roles = &[RoleDef::new("auditor")];
    let catalog = Catalog::new(&Definition { roles, ..Definition::default() }).unwrap();
    let store = MemoryStore::default();
    let old =
        Authorizer::builder().store(store.clone()).catalog(&catalog).build().create_tenant("acme", "Acme").unwrap();
    populate(&old);
    old.update(|tx| tx.user("alice")?.assign("auditor")?.done()).unwrap();
    let new = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let approved = plan(&new, |tx| {
        tx.user("alice")?.unassign("auditor")?;
        tx.create_role("auditor")?.done()
    });
    new.update(|tx| tx.create_user("dave")?.done()).unwrap();
    new.commit(new.rebase(&approved).unwrap()).unwrap();
    assert!(new.now().role("auditor").is_some() && new.now().roles_of("alice").is_empty());
}

/// Others have created the user that the plan creates, and renamed it.
#[test]
fn f27_a_user_that_is_there_under_another_key_is_refused() {
    let (_a, acme) = acme();
    let id = rolecall::records::UserId::random();
    let approved = plan(&acme, |tx| tx.create_user_with_id(id, "carol")?.done());
    acme.update(|tx| tx.create_user_with_id(id, "carol")?.done()).unwrap();
    let text = || acme.rebase(&approved).unwrap_err().to_string();
    let changed = "the tenant has changed since the plan was made";
    assert_eq!(text(), format!("{changed}: user `carol` already exists; plan again"));
    acme.update(|tx| tx.user("carol")?.set_key("dave")?.done()).unwrap();
    assert_eq!(text(), format!("{changed}: user `carol` already exists with the key `dave`; plan again"));
}

/// A group that others have created by a document has the id of the user that the plan creates.
#[cfg(feature = "json")]
#[test]
fn f27_an_id_that_an_entity_of_another_kind_has_is_refused() {
    let (_a, acme) = acme();
    let id = rolecall::records::UserId::random();
    let approved = plan(&acme, |tx| tx.create_user_with_id(id, "carol")?.done());
    let mut document: serde_json::Value = serde_json::from_str(&acme.snapshot().export().unwrap().to_json()).unwrap();
    document["groups"].as_array_mut().unwrap().push(serde_json::json!({ "slug": "people", "id": id.as_uuid() }));
    acme.replace(&rolecall::Document::from_json(document.to_string().as_bytes()).unwrap()).unwrap();
    let error = acme.rebase(&approved).unwrap_err();
    assert_eq!((error.kind(), error.entity()), (ErrorKind::AlreadyExists, Some(EntityKind::User)), "{error}");
    let changed = "the tenant has changed since the plan was made";
    assert_eq!(error.to_string(), format!("{changed}: id `{id}` is already in use"));
}
