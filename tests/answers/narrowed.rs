//! Narrowed questions (R15): a user with only some of its roles, and never with more than it has.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::ManualClock;
use rolecall::records::RoleId;
use rolecall::{Decision, EntityKind, ErrorKind, Reason, Timestamp, Window};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

/// It is 50 by the clock. `alice` reads through a group and its parent, edits through a role that includes another one,
/// and pays from 100 on.
fn acme() -> (Tenant, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(50)));
    let acme = Authorizer::builder().clock(Arc::clone(&clock)).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for permission in ["posts:read", "posts:write", "posts:publish", "billing:pay", "audit:read"] {
            tx.create_permission(permission)?;
        }
        tx.create_role("reader")?.grant("posts:read")?;
        tx.create_role("writer")?.grant("posts:write")?;
        tx.create_role("editor")?.grant("posts:p*")?.include("writer")?;
        tx.create_role("payer")?.grant("billing:pay")?;
        tx.create_role("auditor")?.grant("audit:read")?;
        tx.create_group("staff")?.assign("reader")?;
        tx.create_group("team")?.add_parent("staff")?;
        tx.create_user("alice")?.join("team")?.assign("editor")?.assign_during("payer", Window::from(at(100)))?.done()
    })
    .unwrap();
    (acme, clock)
}

const ALL: [&str; 5] = ["posts:read", "posts:write", "posts:publish", "billing:pay", "audit:read"];

fn allowed(acme: &Tenant, roles: &[&str]) -> Vec<&'static str> {
    let now = acme.now();
    let narrowed = now.narrowed("alice", roles);
    let allowed: Vec<_> = ALL.into_iter().filter(|permission| narrowed.check(*permission)).collect();
    let mut slugs = allowed.clone();
    slugs.sort_unstable();
    assert_eq!(narrowed.effective().slugs(), slugs);
    assert_eq!(narrowed.check_any(ALL), !allowed.is_empty());
    assert_eq!(narrowed.check_all(allowed.iter().copied()), !allowed.is_empty());
    assert!(!narrowed.check_all(ALL) && !narrowed.check_any([""; 0]) && !narrowed.check_all([""; 0]));
    assert!(ALL.into_iter().all(|p| narrowed.decide(p).is_allowed() == allowed.contains(&p)));
    allowed
}

#[test]
fn r15_a_narrowed_user_has_only_these_of_its_roles() {
    let (acme, clock) = acme();
    let table: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&["reader"], &["posts:read"]),
        (&["editor"], &["posts:write", "posts:publish"]),
        (&["writer"], &["posts:write"]),
        (&["reader", "writer", "reader"], &["posts:read", "posts:write"]),
        (&["payer"], &[]),
        (&["auditor"], &[]),
        (&["auditor", "reader"], &["posts:read"]),
        (&["no-such-role"], &[]),
        (&["*", "reader*", ""], &[]),
    ];
    for (roles, expected) in table {
        assert_eq!(allowed(&acme, roles), *expected, "{roles:?}");
    }
    clock.set(at(100));
    assert_eq!(allowed(&acme, &["payer"]), ["billing:pay"]);
    let user = acme.effective("alice").slugs();
    let everything = ["reader", "writer", "editor", "payer", "auditor"];
    assert_eq!(acme.now().narrowed("alice", everything).effective().slugs(), user, "all its roles: no more");
}

#[test]
fn r15_the_reason_is_the_users_own_or_that_the_question_is_narrowed() {
    let (acme, _) = acme();
    let now = acme.now();
    let narrowed = now.narrowed("alice", ["reader"]);
    assert_eq!(narrowed.decide("posts:read"), Decision::Allowed);
    assert_eq!(narrowed.decide("posts:write"), Decision::Denied(Reason::Narrowed));
    assert_eq!(narrowed.decide("billing:pay"), Decision::Denied(Reason::NotYetActive { from: at(100) }));
    assert_eq!(narrowed.decide("audit:read"), Decision::Denied(Reason::NoPath));
    assert_eq!(narrowed.decide("posts:raed"), Decision::Denied(Reason::UnknownPermission));
    assert_eq!(narrowed.decide("posts:*"), Decision::Denied(Reason::PatternAsked));
    let text = narrowed.decide("posts:write").to_string();
    assert_eq!(text, "denied: the roles to which the question is narrowed do not grant it");
    let nobody = now.narrowed("nobody", ["reader"]);
    assert_eq!(nobody.decide("posts:read"), Decision::Denied(Reason::UnknownUser));
    assert_eq!(nobody.effective().unknown(), Some(EntityKind::User));
    assert_eq!(now.narrowed("alice", ["reader"]).effective().unknown(), None);
}

#[test]
fn a9_a_suspended_user_is_denied_narrowed_too() {
    let (acme, _) = acme();
    let handle = acme.user_handle("alice").unwrap();
    acme.update(|tx| tx.user("alice")?.suspend()?.done()).unwrap();
    let now = acme.now();
    let narrowed = now.narrowed(handle, ["reader", "editor"]);
    assert!(!narrowed.check("posts:read") && narrowed.effective().is_empty());
    assert_eq!(narrowed.decide("posts:read"), Decision::Denied(Reason::Suspended));
    acme.delete().unwrap();
    let now = acme.now();
    let narrowed = now.narrowed("alice", ["reader"]);
    assert!(!narrowed.check("posts:read"));
    assert_eq!(narrowed.decide("posts:read"), Decision::Denied(Reason::Deleted));
    assert_eq!(narrowed.effective().unavailable(), Some(Reason::Deleted));
}

/// One of tenant, revision, instant and roles varies, the others stay.
#[test]
fn a3_a_narrowed_answer_is_never_that_of_another_question() {
    let (acme, clock) = acme();
    let old = acme.snapshot();
    let old_moment = old.at(at(50));
    let reader = old_moment.narrowed("alice", ["reader"]);
    assert!(reader.check("posts:read"));
    acme.update(|tx| tx.user("alice")?.leave("team")?.done()).unwrap();
    assert!(
        reader.check("posts:read") && !acme.now().narrowed("alice", ["reader"]).check("posts:read"),
        "the revision"
    );
    assert!(!old_moment.narrowed("alice", ["editor"]).check("posts:read"), "the roles");
    assert!(!acme.now().narrowed("alice", ["payer"]).check("billing:pay"));
    clock.set(at(100));
    assert!(acme.now().narrowed("alice", ["payer"]).check("billing:pay"), "the instant");
    let (other, _) = self::acme();
    let role = other.now().role("payer").unwrap().record.id;
    assert!(!acme.now().narrowed("alice", [role]).check("billing:pay"), "a role of another tenant");
    assert!(!acme.now().narrowed("alice", [RoleId::random()]).check("billing:pay"));
    let own = acme.now().role("payer").unwrap().record.id;
    assert!(acme.now().narrowed("alice", [own]).check("billing:pay"));
}

#[test]
fn r15_a_session_does_not_activate_too_many_roles_of_a_set() {
    type Case<'a> = (&'a [&'a str], u32, &'a [&'a str], &'a [&'a str]);
    let (acme, clock) = acme();
    let all: &[&str] = &["reader", "writer", "payer", "auditor"];
    // The roles that are given, how many may be active, those of which set; and what the refusal says.
    let table: &[Case<'_>] = &[
        (&["reader", "writer"], 2, all, &[]),
        (&["reader", "writer"], 1, all, &["activates the role `reader`", "activates the role `writer`"]),
        // Included roles are active, too.
        (
            &["editor"],
            1,
            &["editor", "writer"],
            &["activates the role `editor`", "activates the role `editor`, which includes `writer`"],
        ),
        (
            &["reader", "editor"],
            1,
            &["reader", "writer"],
            &["activates the role `reader`", "activates the role `editor`, which includes `writer`"],
        ),
        // A role that the user does not have is not active, nor is one that is not given.
        (&["reader", "auditor"], 1, all, &[]),
        (&["reader"], 1, all, &[]),
        (&[], 1, all, &[]),
        (&["reader", "payer"], 1, all, &[]),
    ];
    for (given, at_most, set, refused) in table {
        let now = acme.now();
        let outcome = now.narrowed("alice", *given).separated("payments", *at_most, *set);
        let error = outcome.as_ref().err();
        let paths =
            error.map(|error| error.separation().unwrap().roles.iter().map(|held| &*held.path).collect::<Vec<_>>());
        assert_eq!(paths.unwrap_or_default(), *refused, "{given:?}");
        // A suspended or unknown user activates nothing.
        assert!(now.narrowed("nobody", *given).separated("payments", *at_most, *set).is_ok());
    }
    // She gets the other role while the session lasts: it is refused from then on.
    clock.set(at(100));
    let now = acme.now();
    let error = now.narrowed("alice", ["reader", "payer"]).separated("payments", 1, all).unwrap_err();
    assert_eq!(
        error.to_string(),
        "separation `payments` allows a session at most one of its roles; at 1970-01-01T00:01:40Z, user `alice` activates more \
         than one of them: activates the role `payer`; activates the role `reader`; \
         activate fewer of these roles at once"
    );
    assert!(error.separation().unwrap().in_session);
    acme.update(|tx| tx.user("alice")?.suspend()?.done()).unwrap();
    assert!(acme.now().narrowed("alice", ["reader", "payer"]).separated("payments", 1, all).is_ok());
    // A typing error or a limit that limits nothing is an error and not a session.
    let now = acme.now();
    let refuses =
        |at_most, set: &[&str]| now.narrowed("alice", ["reader"]).separated("p", at_most, set).unwrap_err().kind();
    assert_eq!(refuses(1, &["reader", "raeder"]), ErrorKind::NotFound);
    for (at_most, set) in
        [(0, &["reader", "payer"][..]), (2, &["reader", "payer"]), (1, &["reader", "reader"]), (1, &[])]
    {
        assert_eq!(refuses(at_most, set), ErrorKind::Invalid);
    }
}
