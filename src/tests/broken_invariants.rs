//! Tests that a broken internal invariant is never silent (A32).
//!
//! A fault that is injected in any layer stops the commit or takes the tenant out of service, and a refresh repairs
//! it.

use crate::assertions::Assertion;
use crate::authorizer::PUBLISHED;
use crate::blocking::{Authorizer, Tenant};
use crate::model::internal_fault::injection::{fail_nth, is_armed};
use crate::plan::{FAILURE, JUDGED};
use crate::records::Revision;
use crate::resolver::separations::VISITED;
use crate::resolver::snapshot::columns::WORD;
use crate::resolver::snapshot::edge::{FAR_END, NEAR_END};
use crate::resolver::snapshot::row_cache::ROW;
use crate::resolver::timeline::STEP;
use crate::store::MemoryStore;
use crate::{Decision, ErrorKind, Reason, Result, Timestamp, Tx};

type Call = fn(&Tx) -> Result<()>;

/// Two processes over one store, with the tenant open in both.
fn two_processes() -> [Tenant; 2] {
    let store = MemoryStore::default();
    let open = || Authorizer::builder().store(store.clone()).build();
    let first = open().create_tenant("acme", "Acme").unwrap();
    first.update(set_up).unwrap();
    [first, open().tenant("acme").unwrap()]
}

/// Creates enough users and permissions for every table to have more than one node.
fn set_up(tx: &Tx) -> Result<()> {
    (0..100).try_for_each(|n| tx.create_permission(&format!("posts:{n}"))?.done())?;
    tx.create_role("reader")?.grant("posts:1")?;
    tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    tx.create_role("owner")?.grant("*")?;
    tx.create_group("everybody")?;
    tx.create_group("staff")?.assign("editor")?.add_parent("everybody")?;
    (0..100).try_for_each(|n| tx.create_user(&format!("user{n}"))?.join("staff")?.assign("reader")?.done())?;
    tx.create_user("alice")?.join("staff")?.done()
}

fn leave(tx: &Tx) -> Result<()> {
    tx.user("alice")?.leave("staff")?.done()
}

fn create_user(tx: &Tx) -> Result<()> {
    tx.create_user("bob")?.done()
}

fn grant(tx: &Tx) -> Result<()> {
    tx.role("reader")?.grant("posts:2")?.done()
}

/// Each invariant that guards against a lost write, and a call that depends on it.
const LOST_WRITES: [(&str, Call); 19] = [
    // The tables.
    ("a vector reaches the index that is set", create_user),
    ("a path leads to a place in a sequence", unassign_all),
    ("every address of an index has a bucket", create_user),
    ("every address of a hash table has a leaf", create_user),
    ("a joined row spans every number", grant),
    // A snapshot's edit.
    (FAR_END, leave),
    (NEAR_END, |tx| tx.user("alice")?.join("everybody")?.done()),
    ("few edges fit in the short form", leave),
    ("an edge that is known can be changed", |tx| {
        let until = crate::Window::until(crate::Timestamp::from_secs(4_000_000_000).unwrap());
        tx.user("alice")?.set_membership_window("staff", until)?.done()
    }),
    ("a name that is listed was free", create_user),
    ("a user has an id at its number", create_user),
    ("an entity is found by its name and by its external id, or by neither", |tx| {
        tx.user("alice")?.set_key("alicia")?.done()
    }),
    ("a user that was put has a row", |tx| tx.user("alice")?.set_key("alicia")?.done()),
    // The cached rows.
    (WORD, grant),
    (WORD, |tx| tx.create_permission("reports:read")?.done()),
    (ROW, |tx| tx.role("editor")?.grant("posts:3")?.done()),
    // The plan.
    ("the two sides of a change are one record", |tx| tx.group("staff")?.set_name("Staff")?.done()),
    ("a created entity has a number", create_user),
    (FAR_END, |tx| tx.delete_group("staff")),
];

/// Removes enough members to merge the nodes of the list.
/// Members who leave together get a new list. These are removed from theirs one by one.
fn unassign_all(tx: &Tx) -> Result<()> {
    (0..99).try_for_each(|n| tx.user(format!("user{n}"))?.unassign("reader")?.done())
}

#[test]
fn a_fault_in_a_plan_stops_the_commit_and_nothing_has_happened() {
    for (what, call) in LOST_WRITES {
        let [acme, other] = two_processes();
        fail_nth(what, 1);
        let error = acme.update(call).unwrap_err();
        assert!(!is_armed(), "{what}: the call depends on it");
        assert_eq!(error.kind(), ErrorKind::Internal, "{what}: {error}");
        assert!(error.to_string().contains(what) && error.to_string().contains("nothing was committed"), "{error}");
        assert_eq!((acme.revision(), other.refresh().unwrap()), (Revision::FIRST.next(), Revision::FIRST.next()));
        assert!(acme.check("alice", "posts:1") && acme.check("alice", "posts:99"), "{what}");
        acme.update(call).unwrap();
        assert_eq!(other.refresh().unwrap(), acme.revision(), "{what}: the same update commits without the fault");
    }
}

#[test]
fn a_transaction_that_ignores_a_fault_commits_nothing() {
    let [acme, _] = two_processes();
    fail_nth(FAR_END, 1);
    let error = acme
        .update(|tx| {
            assert_eq!(leave(tx).unwrap_err().kind(), ErrorKind::Internal);
            assert!(!tx.preview().at(crate::Timestamp::MIN).check("alice", "posts:1"));
            assert_eq!(grant(tx).unwrap_err().kind(), ErrorKind::Internal, "the transaction cannot be used any more");
            Ok(())
        })
        .unwrap_err();
    assert_eq!((error.kind(), acme.revision()), (ErrorKind::Internal, Revision::FIRST.next()));
}

#[test]
fn a_preview_with_a_fault_denies() {
    let [acme, _] = two_processes();
    acme.update(|tx| {
        grant(tx)?;
        fail_nth(WORD, 1);
        let preview = tx.preview();
        let decision = preview.at(crate::Timestamp::MIN).decide("alice", "posts:1");
        assert_eq!(decision, Decision::Denied(Reason::InternalError));
        Ok(())
    })
    .unwrap();
    assert!(acme.check("alice", "posts:1"));
}

/// The tenant denies every check with the reason, rejects writes, and answers again after the next refresh.
fn is_out_of_service_until_a_refresh(acme: &Tenant, what: &str) {
    assert_eq!(acme.decide("alice", "posts:1"), Decision::Denied(Reason::InternalError), "{what}");
    assert!(acme.effective("alice").is_empty() && !acme.check("user99", "posts:1"), "{what}");
    for error in [acme.update(create_user).unwrap_err(), acme.plan(create_user).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Internal, "{what}");
    }
    acme.refresh().unwrap();
    assert!(acme.check("user99", "posts:1"), "{what}");
}

#[test]
fn a_fault_while_advancing_takes_the_tenant_out_of_service() {
    for (what, call) in LOST_WRITES.into_iter().take(14) {
        let [acme, other] = two_processes();
        acme.update(call).unwrap();
        fail_nth(what, 1);
        let error = other.refresh().unwrap_err();
        assert_eq!((error.kind(), is_armed()), (ErrorKind::Internal, false), "{what}: {error}");
        is_out_of_service_until_a_refresh(&other, what);
        assert_eq!(other.revision(), acme.revision());
        assert_eq!(other.effective("alice").slugs(), acme.effective("alice").slugs(), "{what}");
    }
}

#[test]
fn a_fault_while_loading_opens_nothing_and_publishes_nothing() {
    let users = ["a user that is loaded has a place", "the edges of a user are contiguous", NEAR_END, WORD, ROW];
    for what in users {
        let store = MemoryStore::default();
        let authorizer = Authorizer::builder().store(store.clone()).build();
        authorizer.create_tenant("acme", "Acme").unwrap().update(set_up).unwrap();
        authorizer.close_idle(std::time::Duration::ZERO);
        fail_nth(what, 1);
        let error = authorizer.tenant("acme").unwrap_err();
        assert_eq!((error.kind(), is_armed()), (ErrorKind::Internal, false), "{what}: {error}");
        let acme = authorizer.tenant("acme").unwrap();
        assert!(acme.check("alice", "posts:1"));

        // If the load that should repair it has a fault, too, the tenant stays out of service.
        let other = Authorizer::builder().store(store).build().tenant("acme").unwrap();
        other.update(grant).unwrap();
        fail_nth(WORD, 1);
        acme.refresh().unwrap_err();
        fail_nth(what, 1);
        assert_eq!(acme.refresh().unwrap_err().kind(), ErrorKind::Internal, "{what}");
        is_out_of_service_until_a_refresh(&acme, what);
    }
}

#[test]
fn a_fault_while_publishing_takes_the_tenant_out_of_service_and_the_error_names_the_commit() {
    let [acme, _] = two_processes();
    fail_nth(PUBLISHED, 1);
    let error = acme.update(leave).unwrap_err();
    assert_eq!((error.kind(), error.commit().is_some()), (ErrorKind::Internal, true), "{error}");
    assert!(error.to_string().contains("the commit is in the store"), "{error}");
    // Neither is it reviewed.
    let (snapshot, next) = (acme.snapshot(), super::histories::catalog());
    let moment = snapshot.at(Timestamp::MIN);
    assert_eq!((moment.lint().count(), moment.access_report().rows().count()), (0, 0));
    assert_eq!(snapshot.reconcile(&next, Timestamp::MIN).unwrap_err().kind(), ErrorKind::Internal);
    is_out_of_service_until_a_refresh(&acme, PUBLISHED);
    assert!(!acme.check("alice", "posts:1"), "the commit is in force");
}

#[test]
fn a_fault_in_the_compiled_catalog_opens_no_tenant() {
    fail_nth("a vector reaches the index that is set", 1);
    let authorizer = Authorizer::builder().catalog(&super::histories::catalog()).build();
    assert_eq!(authorizer.create_tenant("acme", "Acme").unwrap_err().kind(), ErrorKind::Internal);
}

/// Adds a separation of duties and a binding assertion that hold.
fn set_up_limits(tx: &Tx) -> Result<()> {
    set_up(tx)?;
    tx.create_role("clerk")?;
    tx.create_role("approver")?;
    tx.create_separation("four-eyes", 1, ["clerk", "approver"])?;
    tx.create_assertion("staff-only", &Assertion::only("posts:2").with_groups(["staff"]))?.set_binding(true)?;
    tx.create_user("carol")?.assign("clerk")?.done()
}

#[test]
fn a_fault_while_a_plan_is_judged_does_not_let_it_pass() {
    let breaks_separation: Call = |tx| tx.user("carol")?.assign("approver")?.done();
    let breaks_assertion: Call = |tx| tx.user("carol")?.assign("editor")?.done();
    let breaks_guard: Call = |tx| {
        tx.set_guard("carol");
        tx.create_user("dave")?.assign("reader")?.done()
    };
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(set_up_limits).unwrap();
    let before = acme.revision();
    for (what, kind, call) in [
        (JUDGED, ErrorKind::SeparationOfDuties, breaks_separation),
        (JUDGED, ErrorKind::AssertionFailed, breaks_assertion),
        (FAILURE, ErrorKind::AssertionFailed, breaks_assertion),
        ("every right has a number", ErrorKind::Escalation, breaks_guard),
        (VISITED, ErrorKind::SeparationOfDuties, breaks_separation),
        (STEP, ErrorKind::Escalation, breaks_guard),
    ] {
        assert_eq!(acme.update(call).unwrap_err().kind(), kind, "{what}");
        fail_nth(what, 1);
        let error = acme.update(call).unwrap_err();
        assert_eq!((error.kind(), is_armed()), (ErrorKind::Internal, false), "{what}: {error}");
        assert_eq!(acme.revision(), before);
    }
}

#[cfg(feature = "json")]
#[test]
fn a_fault_while_an_import_is_judged_creates_nothing() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(set_up_limits).unwrap();
    let document = acme.snapshot().export().unwrap();
    let other = Authorizer::in_memory();
    fail_nth(JUDGED, 1);
    let error = other.import(&document).unwrap_err();
    assert_eq!((error.kind(), is_armed()), (ErrorKind::Internal, false), "{error}");
    assert_eq!(other.tenant("acme").unwrap_err().kind(), ErrorKind::NotFound);
    other.import(&document).unwrap();
}

#[cfg(feature = "json")]
#[test]
fn a_fault_in_a_document_exports_imports_and_replaces_nothing() {
    const TARGET: &str = "a resolved name in a document has a target";
    let [acme, _] = two_processes();
    let document = acme.snapshot().export().unwrap();
    // Only what a replacement removes leads to other rows.
    acme.update(|tx| tx.create_user("bob")?.join("staff")?.done()).unwrap();
    let before = acme.revision();

    fail_nth(FAR_END, 1);
    assert_eq!(acme.snapshot().export().unwrap_err().kind(), ErrorKind::Internal);
    for what in [NEAR_END, TARGET] {
        fail_nth(what, 1);
        assert_eq!(acme.replace(&document).unwrap_err().kind(), ErrorKind::Internal, "{what}");
        assert_eq!((acme.revision(), is_armed()), (before, false), "{what}");
    }
    fail_nth(TARGET, 1);
    assert_eq!(Authorizer::in_memory().import(&document).unwrap_err().kind(), ErrorKind::Internal);
    acme.replace(&document).unwrap();
    assert!(acme.now().user("bob").is_none());
}
