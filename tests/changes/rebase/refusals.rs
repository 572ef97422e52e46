//! Plans that do not apply any more: a table of what others did meanwhile, and what the error says.

use super::*;

/// The other writer's update, the waiting plan, and the answer.
struct Case {
    meanwhile: Run,
    plan: Run,
    kind: ErrorKind,
    text: &'static str,
    change: RecordKind,
    /// Whether there is a record with the key of the change now.
    present: bool,
}

const STALE: &str = "the tenant has changed since the plan was made: ";

fn later() -> Window {
    Window::until(Timestamp::from_secs(4_000_000_000).unwrap())
}

fn case(plan: Run, meanwhile: Run, kind: ErrorKind, text: &'static str, change: RecordKind, present: bool) -> Case {
    Case { meanwhile, plan, kind, text, change, present }
}

/// The record itself.
fn records() -> Vec<Case> {
    vec![
        case(
            |tx| tx.user("alice")?.suspend()?.done(),
            |tx| tx.user("alice")?.set_key("alice2")?.done(),
            ErrorKind::Stale,
            "user `alice` has changed; plan again",
            RecordKind::User,
            true,
        ),
        case(
            |tx| tx.user("alice")?.suspend()?.done(),
            |tx| tx.user("alice")?.suspend()?.done(),
            ErrorKind::Stale,
            "user `alice` has been changed in the same way; plan again",
            RecordKind::User,
            true,
        ),
        case(
            |tx| tx.user("alice")?.suspend()?.done(),
            |tx| tx.delete_user("alice"),
            ErrorKind::Stale,
            "user `alice` no longer exists; plan again",
            RecordKind::User,
            false,
        ),
        case(
            |tx| tx.delete_user("alice"),
            |tx| tx.delete_user("alice"),
            ErrorKind::Stale,
            "user `alice` no longer exists; plan again",
            RecordKind::User,
            false,
        ),
    ]
}

/// Relations that are there already, or no longer.
fn relations() -> Vec<Case> {
    vec![
        case(
            |tx| tx.user("alice")?.join("staff")?.done(),
            |tx| tx.user("alice")?.join("staff")?.done(),
            ErrorKind::Stale,
            "membership of `alice` in `staff` already exists; plan again",
            RecordKind::Membership,
            true,
        ),
        case(
            |tx| tx.user("alice")?.join("staff")?.done(),
            |tx| tx.user("alice")?.join_during("staff", later())?.done(),
            ErrorKind::Stale,
            "membership of `alice` in `staff` already exists with another window (until 2096-10-02T07:06:40Z); plan again",
            RecordKind::Membership,
            true,
        ),
        case(
            |tx| tx.group("engineering")?.set_assignment_window("editor", later())?.done(),
            |tx| tx.group("engineering")?.unassign("editor")?.done(),
            ErrorKind::Stale,
            "assignment of `editor` to `engineering` no longer exists; plan again",
            RecordKind::Assignment,
            false,
        ),
        case(
            |tx| tx.group("engineering")?.unassign("editor")?.done(),
            |tx| tx.group("engineering")?.set_assignment_window("editor", later())?.done(),
            ErrorKind::Stale,
            "assignment of `editor` to `engineering` has another window (until 2096-10-02T07:06:40Z); plan again",
            RecordKind::Assignment,
            true,
        ),
        case(
            |tx| tx.group("engineering")?.add_parent("staff")?.done(),
            |tx| tx.group("engineering")?.add_parent("staff")?.done(),
            ErrorKind::Stale,
            "parent link of `engineering` to `staff` already exists; plan again",
            RecordKind::Parent,
            true,
        ),
        case(
            |tx| tx.role("editor")?.revoke("posts:write")?.done(),
            |tx| tx.role("editor")?.revoke("posts:write")?.done(),
            ErrorKind::Stale,
            "grant of `posts:write` by role `editor` no longer exists; plan again",
            RecordKind::Grant,
            false,
        ),
        case(
            |tx| tx.role("editor")?.grant("posts:*")?.done(),
            |tx| tx.role("editor")?.grant("posts:*")?.done(),
            ErrorKind::Stale,
            "grant of `posts:*` by role `editor` already exists; plan again",
            RecordKind::Grant,
            true,
        ),
        case(
            |tx| tx.role("editor")?.include("viewer")?.done(),
            |tx| tx.role("editor")?.include("viewer")?.done(),
            ErrorKind::Stale,
            "inclusion of role `viewer` in role `editor` already exists; plan again",
            RecordKind::Inclusion,
            true,
        ),
    ]
}

/// Entities that are deleted, with what others have added to them.
fn deletions() -> Vec<Case> {
    vec![
        case(
            |tx| tx.delete_group("engineering"),
            |tx| tx.user("bob")?.join("engineering")?.done(),
            ErrorKind::Stale,
            "group `engineering` has gained relations, which the plan does not remove; plan again",
            RecordKind::Group,
            true,
        ),
        case(
            |tx| tx.delete_role("editor"),
            |tx| tx.user("bob")?.assign("editor")?.done(),
            ErrorKind::Stale,
            "role `editor` has gained relations, which the plan does not remove; plan again",
            RecordKind::Role,
            true,
        ),
        case(
            |tx| tx.delete_permission("posts:write"),
            |tx| tx.role("viewer")?.grant("posts:write")?.done(),
            ErrorKind::Stale,
            "permission `posts:write` has gained relations, which the plan does not remove; plan again",
            RecordKind::Permission,
            true,
        ),
        case(
            |tx| tx.delete_user("alice"),
            |tx| tx.user("alice")?.join("staff")?.done(),
            ErrorKind::Stale,
            "user `alice` has gained relations, which the plan does not remove; plan again",
            RecordKind::User,
            true,
        ),
        case(
            Tx::delete_tenant,
            |tx| tx.create_user("carol")?.done(),
            ErrorKind::Stale,
            "tenant `acme` has changed, and the plan deletes it with everything in it; plan again",
            RecordKind::Tenant,
            true,
        ),
    ]
}

/// The entities that a new relation refers to.
fn references() -> Vec<Case> {
    vec![
        case(
            |tx| tx.user("alice")?.join("staff")?.done(),
            |tx| tx.delete_group("staff"),
            ErrorKind::NotFound,
            "group `staff` not found: it was deleted after the plan was made",
            RecordKind::Membership,
            false,
        ),
        case(
            |tx| tx.create_user("carol")?.assign("editor")?.done(),
            |tx| tx.delete_role("editor"),
            ErrorKind::NotFound,
            "role `editor` not found: it was deleted after the plan was made",
            RecordKind::Assignment,
            false,
        ),
        case(
            |tx| tx.role("viewer")?.grant("posts:write")?.done(),
            |tx| tx.delete_permission("posts:write"),
            ErrorKind::NotFound,
            "permission `posts:write` not found: it was deleted after the plan was made",
            RecordKind::Grant,
            false,
        ),
    ]
}

/// Names and external ids.
fn names() -> Vec<Case> {
    vec![
        case(
            |tx| tx.create_user("carol")?.done(),
            |tx| tx.create_user("carol")?.done(),
            ErrorKind::AlreadyExists,
            "user `carol` already exists",
            RecordKind::User,
            false,
        ),
        case(
            |tx| tx.group("staff")?.set_slug("people")?.done(),
            |tx| tx.create_group("people")?.done(),
            ErrorKind::AlreadyExists,
            "group `people` already exists",
            RecordKind::Group,
            true,
        ),
        case(
            |tx| {
                tx.set_manager("okta")?;
                tx.create_user("carol")?.set_managed_by(Some("okta"))?.set_external_id(Some("7"))?.done()
            },
            |tx| {
                tx.set_manager("okta")?;
                tx.create_user("dave")?.set_managed_by(Some("okta"))?.set_external_id(Some("7"))?.done()
            },
            ErrorKind::AlreadyExists,
            "user with the external id `7` of `okta` already exists",
            RecordKind::User,
            false,
        ),
    ]
}

/// Cycles, of which each has made a half; and a directory takes over.
fn rules() -> Vec<Case> {
    vec![
        case(
            |tx| tx.group("engineering")?.add_parent("staff")?.done(),
            |tx| tx.group("staff")?.add_parent("engineering")?.done(),
            ErrorKind::Cycle,
            "cycle of groups: ",
            RecordKind::Parent,
            false,
        ),
        case(
            |tx| tx.role("editor")?.include("viewer")?.done(),
            |tx| tx.role("viewer")?.include("editor")?.done(),
            ErrorKind::Cycle,
            "cycle of roles: ",
            RecordKind::Inclusion,
            false,
        ),
        case(
            |tx| tx.user("alice")?.join("staff")?.done(),
            |tx| {
                tx.set_manager("okta")?;
                tx.group("staff")?.set_managed_by(Some("okta"))?.done()
            },
            ErrorKind::Managed,
            "group `staff` is managed by `okta`; plan again in a transaction that acts for that directory",
            RecordKind::Membership,
            false,
        ),
    ]
}

#[test]
fn f27_a_plan_that_does_not_apply_says_which_change_and_what_is_there() {
    let all = [records(), relations(), deletions(), references(), names(), rules()].into_iter().flatten();
    for Case { meanwhile, plan: waiting, kind, text, change, present } in all {
        let (_a, acme) = acme();
        let approved = plan(&acme, waiting);
        acme.update(meanwhile).unwrap();
        let error = acme.rebase(&approved).expect_err(text);
        assert!(error.to_string().starts_with(&format!("{STALE}{text}")), "{error}\n{text}");
        assert_eq!(error.kind(), kind, "{text}");
        let conflict = RebaseConflict::of(&error).expect(text);
        let json = serde_json::to_value(&error).unwrap()["conflict"].clone();
        assert_eq!(json, serde_json::to_value(conflict).unwrap());
        assert!(json["change"].is_object() && json["present"].is_null() != conflict.present.is_some(), "{json}");
        assert!(approved.changes().contains(&conflict.change), "{text}");
        assert_eq!((conflict.change.kind(), conflict.present.is_some()), (change, present), "{text}");
        assert!(error.source().unwrap().to_string().contains("does not apply to the newest state"));
        assert_eq!(acme.snapshot().revision(), approved.revision(), "nothing was committed: {text}");
    }
}

/// A directory takes over a group. The plan removes a parent link of the group, and the parent stays.
#[test]
fn f27_the_managed_group_is_named_whose_parent_link_is_removed() {
    let (_a, acme) = acme();
    acme.update(|tx| tx.group("engineering")?.add_parent("staff")?.done()).unwrap();
    let approved = plan(&acme, |tx| tx.group("engineering")?.remove_parent("staff")?.done());
    let deletes = plan(&acme, |tx| tx.delete_group("staff"));
    acme.update(|tx| tx.set_manager("okta")?.group("engineering")?.set_managed_by(Some("okta"))?.done()).unwrap();
    let error = acme.rebase(&approved).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::Managed, Some("engineering")), "{error}");
    let error = acme.rebase(&deletes).unwrap_err();
    assert_eq!((error.kind(), error.name()), (ErrorKind::Managed, Some("staff")), "the parent is deleted: {error}");
}

#[test]
fn f27_the_error_of_a_rebase_names_the_relation_as_data() {
    let (_a, acme) = acme();
    let approved = plan(&acme, |tx| tx.user("alice")?.join("staff")?.done());
    acme.update(|tx| tx.user("alice")?.join_during("staff", later())?.done()).unwrap();
    let error = acme.rebase(&approved).unwrap_err();
    let relation = error.relation().unwrap();
    assert_eq!(
        (relation.kind, relation.entity, &*relation.name),
        (RelationKind::Membership, EntityKind::User, "alice")
    );
    assert_eq!((error.entity(), error.name()), (Some(EntityKind::Group), Some("staff")));
    assert_eq!((error.found(), error.expected()), (Some("until 2096-10-02T07:06:40Z"), Some("always")));
    assert_eq!((error.revision(), error.is_retryable()), (Some(acme.revision()), false));
    let approved_too = plan(&acme, |tx| tx.user("bob")?.join("staff")?.done());
    acme.update(|tx| tx.user("bob")?.join("staff")?.done()).unwrap();
    let same = acme.rebase(&approved_too).unwrap_err();
    assert_eq!((same.found(), same.expected()), (None, None), "the window is the same");
    let Some(Record::Membership(present)) = &RebaseConflict::of(&error).unwrap().present else {
        panic!("a membership")
    };
    assert_eq!(present.window, later());
}
