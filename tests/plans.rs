//! Plans, previews, edits that are refused, and sets of two revisions.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]
use rolecall::blocking::Authorizer;
use rolecall::{Page, Timestamp};

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
fn the_preview_of_a_deletion_of_the_tenant_denies_as_the_tenant_will() {
    let (_a, acme) = acme();
    let ((), plan) = acme.plan(rolecall::Tx::delete_tenant).unwrap();
    let at = Timestamp::from_secs(0).unwrap();
    let previewed = plan.preview().at(at).check("alice", "posts:write");
    let lost = plan.differences(at).count();
    acme.commit(plan).unwrap();
    assert!(!acme.check("alice", "posts:write"));
    assert_eq!((previewed, lost), (false, 1), "what the preview allowed, and how many users lose something");
}

#[test]
fn set_includes_that_is_refused_changes_nothing() {
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
fn set_parents_that_is_refused_changes_nothing() {
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

#[test]
fn the_ids_of_a_set_are_ids_of_users() {
    let (_a, acme) = acme();
    let before = acme.now().who_can("posts:write");
    acme.update(|tx| tx.delete_user("alice")).unwrap();
    let after = acme.now().who_can("posts:write");
    let both = after.union(&before);
    assert!(both.ids().all(|id| !id.uuid().is_nil()), "{:?}", both.ids().collect::<Vec<_>>());
}

#[test]
fn the_forms_of_a_set_agree() {
    let (_a, acme) = acme();
    let before = acme.now().who_can("posts:write");
    acme.update(|tx| tx.create_user("bob")?.assign("editor").map(drop)).unwrap();
    let both = before.union(&acme.now().who_can("posts:write"));
    assert_eq!(
        (both.len(), both.len(), both.contains("bob")),
        (both.keys().len(), both.page(&Page::of(10)).items.len(), true)
    );
}
