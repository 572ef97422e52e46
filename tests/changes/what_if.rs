//! What if: two states compared user by user, and past questions replayed.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::clock::ManualClock;
use rolecall::store::MemoryStore;
use rolecall::what_if::Question;
use rolecall::{Snapshot, Timestamp, Window};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

type Change = fn(&rolecall::Tx) -> rolecall::Result<()>;

fn tenant() -> Tenant {
    let clock = ManualClock::new(at("2027-01-01T00:00:00Z"));
    let acme = Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("pay")?;
        tx.create_permission("read")?;
        tx.create_role("payer")?.grant("pay")?;
        tx.create_role("reader")?.grant("read")?;
        tx.create_group("finance")?.assign("payer")?;
        tx.create_user("alice")?.join_during("finance", Window::until(at("2027-06-01T00:00:00Z")))?;
        tx.create_user("bob")?.assign("reader")?.done()
    })
    .unwrap();
    acme
}

fn lines(acme: &Tenant, change: impl Fn(&rolecall::Tx) -> rolecall::Result<()>) -> Vec<String> {
    let ((), plan) = acme.plan(change).unwrap();
    plan.base().compare_access(&plan.preview(), plan.instant()).map(|change| change.to_string()).collect()
}

#[test]
fn each_user_who_gains_or_loses_is_listed_with_the_time() {
    let acme = tenant();
    let table: [(Change, &[&str]); 9] = [
        (|tx| tx.create_user("carol")?.done(), &[]),
        (|tx| tx.delete_group("finance"), &["user `alice` loses `pay` until 2027-06-01T00:00:00Z"]),
        (
            |tx| tx.user("alice")?.set_membership_window("finance", Window::ALWAYS)?.done(),
            &["user `alice` gains `pay` from 2027-06-01T00:00:00Z"],
        ),
        (
            |tx| tx.group("finance")?.unassign("payer")?.assign("reader")?.done(),
            &["user `alice` gains `read` until 2027-06-01T00:00:00Z; loses `pay` until 2027-06-01T00:00:00Z"],
        ),
        (
            |tx| {
                let (july, august) = (at("2027-07-01T00:00:00Z"), at("2027-08-01T00:00:00Z"));
                tx.user("bob")?.assign_during("payer", Window::until(july))?;
                tx.user("bob")?.join_during("finance", Window::from(august))?.done()
            },
            &["user `bob` gains `pay` until 2027-07-01T00:00:00Z and from 2027-08-01T00:00:00Z"],
        ),
        // The end of another right divides no time.
        (
            |tx| {
                let july = Window::until(at("2027-07-01T00:00:00Z"));
                tx.user("bob")?.assign_during("payer", july)?.unassign("reader")?.done()
            },
            &["user `bob` gains `pay` until 2027-07-01T00:00:00Z; loses `read`"],
        ),
        (|tx| tx.user("bob")?.suspend()?.done(), &["user `bob` loses `read`"]),
        // An application asks by key and slug.
        (|tx| tx.user("bob")?.set_key("robert")?.done(), &["user `bob` loses `read`", "user `robert` gains `read`"]),
        (|tx| tx.permission("read")?.set_slug("view")?.done(), &["user `bob` gains `view`; loses `read`"]),
    ];
    for (change, expected) in table {
        assert_eq!(lines(&acme, change), expected);
    }
}

/// Two permissions have the slug then, and neither gives anything (R9).
#[test]
fn a_slug_in_conflict_with_the_catalog_is_lost_until_the_conflict_ends() {
    let store = MemoryStore::default();
    let under = |permissions: &[PermissionDef<'_>]| {
        let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
        Authorizer::builder().store(store.clone()).catalog(&catalog).build()
    };
    let acme = under(&[]).create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("read")?;
        tx.create_role("all")?.grant("*")?;
        tx.create_user("alice")?.assign("all")?.done()
    })
    .unwrap();
    let before = acme.snapshot();
    let after = under(&[PermissionDef::new("read")]).tenant("acme").unwrap().snapshot();
    let changes = |one: &Snapshot, other: &Snapshot| {
        one.compare_access(other, at("2027-01-01T00:00:00Z")).map(|change| change.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(changes(&before, &after), ["user `alice` loses `read`"]);
    assert_eq!(changes(&after, &after), [""; 0]);
    assert_eq!(changes(&after, &before), ["user `alice` gains `read`"]);
}

#[test]
fn questions_are_replayed_at_their_instants() {
    let acme = tenant();
    let ((), plan) =
        acme.plan(|tx| tx.user("alice")?.set_membership_window("finance", Window::ALWAYS)?.done()).unwrap();
    let july = at("2027-07-01T00:00:00Z");
    let log = [
        Question::new("alice", "pay"),
        Question::new("alice", "pay").at(july),
        Question::new("alice", "read").at(july),
        Question::new("nobody", "pay").at(july),
    ];
    let (before, after) = (plan.base(), plan.preview());
    let changed: Vec<_> = before.replay(&after, log.clone(), plan.instant()).collect();
    assert_eq!(changed.iter().map(|answer| &answer.question).collect::<Vec<_>>(), [&log[1]]);
    let text = changed[0].to_string();
    assert!(text.starts_with("user `alice`, permission `pay`, at 2027-07-01T00:00:00Z: denied"), "{text}");
    assert!(text.ends_with("would be allowed"), "{text}");
}
