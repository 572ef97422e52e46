//! The data of an error or an answer, beside its text.

use super::*;

/// Every listed role and group can be added. A group that the user is already in, from later on, cannot be joined again.
#[test]
fn every_suggested_role_and_group_can_be_added() {
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
        (Reason::InternalError, "denied: an internal invariant is broken; refresh the tenant to load it again"),
    ];
    for (reason, text) in table {
        assert_eq!(Decision::Denied(reason).to_string(), text);
    }
}
