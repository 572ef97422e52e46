//! Plans, previews, edits that are rejected, and sets of two revisions.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
use rolecall::blocking::Authorizer;
use rolecall::records::{Change, RecordKind};
use rolecall::{PageRequest, Timestamp, Window};

fn acme() -> (Authorizer, rolecall::blocking::Tenant) {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?;
        Ok(())
    })
    .unwrap();
    (authorizer, acme)
}

#[test]
fn a_plan_shows_the_effect_of_its_commit() {
    let (_a, acme) = acme();
    let ((), nothing) = acme.plan(|tx| tx.ensure_user("alice")?.done()).unwrap();
    assert_eq!((nothing.is_empty(), nothing.changes(), nothing.revision()), (true, &[][..], acme.revision()));
    let ((), plan) = acme.plan(|tx| tx.create_user("bob").and(tx.create_group("staff")).map(drop)).unwrap();
    let kinds: Vec<RecordKind> = plan.changes().iter().map(Change::kind).collect();
    assert_eq!(
        (plan.is_empty(), kinds),
        (false, vec![RecordKind::Group, RecordKind::User]),
        "by the keys of their records"
    );
    let (changes, revision) = (plan.changes().to_vec(), plan.revision());
    let done = acme.commit(plan).unwrap();
    assert_eq!((done.changes, done.revision, acme.revision()), (changes, revision, revision));
}

#[test]
fn changes_that_cancel_out_make_no_revision() {
    let (_a, acme) = acme();
    let done = acme.update(|tx| {
        tx.user("alice")?.suspend()?.activate()?.unassign("editor")?.assign("editor")?;
        tx.role("editor")?.set_slug("writer")?.set_slug("editor")?;
        tx.create_user("bob")?;
        tx.delete_user("bob")
    });
    assert_eq!(done.unwrap().changes, []);
}

#[test]
fn previewing_a_tenant_deletion_denies_every_check() {
    let (_a, acme) = acme();
    let ((), plan) = acme.plan(rolecall::Tx::delete_tenant).unwrap();
    let at = Timestamp::from_secs(0).unwrap();
    let previewed = plan.preview().at(at).check("alice", "posts:write");
    let lost = plan.access_changes(at).count();
    acme.commit(plan).unwrap();
    assert!(!acme.check("alice", "posts:write"));
    assert_eq!((previewed, lost), (false, 1), "the answer of the preview, and how many users lose access");
}

#[test]
fn a_refused_set_includes_changes_nothing() {
    let (_a, acme) = acme();
    acme.update(|tx| {
        tx.create_role("viewer")?;
        tx.create_role("wide")?.include("editor")?;
        tx.role("editor")?.include("viewer")?;
        Ok(())
    })
    .unwrap();
    let done = acme
        .update(|tx| {
            assert!(tx.role("editor")?.set_includes(["wide"]).is_err(), "a cycle");
            Ok(())
        })
        .unwrap();
    assert_eq!(done.changes, [], "the refused call has removed an inclusion");
}

#[test]
fn a_refused_set_parents_changes_nothing() {
    let (_a, acme) = acme();
    acme.update(|tx| {
        tx.create_group("top")?;
        tx.create_group("mid")?.add_parent("top")?;
        tx.create_group("low")?.add_parent("mid")?;
        Ok(())
    })
    .unwrap();
    let done = acme
        .update(|tx| {
            assert!(tx.group("mid")?.set_parents(["low"]).is_err(), "a cycle");
            Ok(())
        })
        .unwrap();
    assert_eq!(done.changes, [], "the refused call has removed a parent");
}

/// Each call that changes a text or replaces a list, compared with the answers afterwards.
#[test]
fn every_edit_has_its_effect() {
    let (_a, acme) = acme();
    acme.update(|tx| {
        for slug in ["low", "mid", "top"] {
            tx.create_group(slug)?.add_member("alice")?;
            tx.create_role(&format!("{slug}-role"))?;
        }
        tx.group("low")?.assign("mid-role")?.assign("low-role")?.set_parents(["mid"])?;
        tx.role("low-role")?.set_name("Low")?.set_includes(["mid-role"])?;
        tx.permission("posts:write")?.set_name("Write")?.set_category(Some("Posts"))?.set_slug("posts:write")?;
        Ok(())
    })
    .unwrap();
    acme.update(|tx| {
        let (low, mid, role) = (tx.group("low")?, tx.group("mid")?, tx.role("mid-role")?);
        low.unassign("low-role")?.set_name("Low")?.set_description("of groups")?.set_parents(["mid", "top"])?;
        mid.set_parents(["top"])?;
        mid.set_parents::<&str>([])?;
        mid.remove_member("alice")?;
        tx.role("low-role")?.set_description("of roles")?.set_includes(["mid-role", "top-role"])?;
        role.set_includes(["top-role"])?;
        role.set_includes::<&str>([])?;
        tx.permission("posts:write")?.set_description("of permissions")?.set_category(None)?;
        Ok(())
    })
    .unwrap();
    let now = acme.now();
    let (group, role) = (now.group("low").unwrap(), now.role("low-role").unwrap());
    let permission = now.permission("posts:write").unwrap();
    assert_eq!([group.name.as_str(), group.description.as_str()], ["Low", "of groups"]);
    assert_eq!([role.record.name.as_str(), role.record.description.as_str()], ["Low", "of roles"]);
    assert_eq!([permission.record.name.as_str(), permission.record.description.as_str()], ["Write", "of permissions"]);
    assert_eq!(permission.record.category, None);
    let parents = |group| now.parents_of(group).into_iter().map(|g| g.record.slug.to_string()).collect::<Vec<_>>();
    let included = |role| now.includes_of(role).into_iter().map(|r| r.record.slug.to_string()).collect::<Vec<_>>();
    assert_eq!((parents("low"), parents("mid")), (vec!["mid".into(), "top".into()], vec![]));
    assert_eq!((included("low-role"), included("mid-role")), (vec!["mid-role".into(), "top-role".into()], vec![]));
    assert_eq!(now.roles_of_group("low").len(), 1);
    assert_eq!(now.groups_of("alice").len(), 2);
}

/// Excluding a role that is not included does nothing, even where including it would close a cycle.
#[test]
fn excluding_a_role_that_is_not_included_does_nothing() {
    let (_a, acme) = acme();
    acme.update(|tx| tx.create_role("owner")?.include("editor")?.done()).unwrap();
    let done = acme.update(|tx| tx.role("editor")?.exclude("owner")?.done()).unwrap();
    assert!(done.changes.is_empty());
}

/// There is a warning for a relation that is removed, and none for one that is added.
#[test]
fn only_removed_relations_are_said_to_be_still_given() {
    let (_a, acme) = acme();
    acme.update(|tx| {
        tx.create_group("staff")?;
        tx.create_group("engineering")?.add_parent("staff")?.add_member("alice")?.done()
    })
    .unwrap();
    let ((), adds) = acme.plan(|tx| tx.user("alice")?.join("staff")?.done()).unwrap();
    assert_eq!(adds.warnings(), []);
    acme.commit(adds).unwrap();
    let ((), removes) = acme.plan(|tx| tx.user("alice")?.leave("staff")?.done()).unwrap();
    assert_eq!(removes.warnings().len(), 1);
}

/// A role that a group gets later gives its members something, although nothing of it is active yet.
#[test]
fn a_preview_finds_the_members_of_a_group_whose_role_begins_later() {
    let (_a, acme) = acme();
    acme.update(|tx| {
        tx.create_group("staff")?.done()?;
        (0..40).try_for_each(|n| tx.create_user(&format!("user{n}"))?.done())?;
        tx.create_user("bob")?.join("staff")?.done()
    })
    .unwrap();
    let start = Timestamp::from_secs(4_000_000_000).unwrap();
    let ((), plan) = acme.plan(|tx| tx.group("staff")?.assign_during("editor", Window::from(start))?.done()).unwrap();
    let changed = |at| plan.access_changes(at).map(|change| change.user.key.to_string()).collect::<Vec<_>>();
    assert_eq!((changed(Timestamp::from_secs(0).unwrap()), changed(start)), (vec![], vec!["bob".to_owned()]));
}

#[test]
fn set_roles_assigns_without_a_window() {
    let (_a, acme) = acme();
    let until = Window::until(Timestamp::from_secs(4_000_000_000).unwrap());
    acme.update(|tx| tx.create_group("staff")?.assign_during("editor", until)?.done()).unwrap();
    acme.update(|tx| tx.group("staff")?.set_roles(["editor"]).map(drop)).unwrap();
    assert_eq!(acme.now().roles_of_group("staff")[0].window, Window::ALWAYS);
}

#[test]
fn the_ids_of_a_set_are_ids_of_users() {
    let (_a, acme) = acme();
    let before = acme.now().who_can("posts:write");
    acme.update(|tx| tx.delete_user("alice")).unwrap();
    let after = acme.now().who_can("posts:write");
    let both = after.union(&before);
    assert!(both.ids().all(|id| !id.as_uuid().is_nil()), "{:?}", both.ids().collect::<Vec<_>>());
    acme.update(|tx| tx.create_user("bob")?.assign("editor")?.done()).unwrap();
    let now = acme.now();
    assert!(now.who_can("posts:write").ids().eq(now.user("bob").map(|bob| bob.id)));
}

#[test]
fn all_forms_of_a_set_agree() {
    let (_a, acme) = acme();
    let before = acme.now().who_can("posts:write");
    acme.update(|tx| tx.create_user("bob")?.assign("editor")?.done()).unwrap();
    let both = before.union(&acme.now().who_can("posts:write"));
    assert_eq!(
        (both.len(), both.len(), both.contains("bob")),
        (both.keys().len(), both.page(&PageRequest::of(10)).items.len(), true)
    );
}
