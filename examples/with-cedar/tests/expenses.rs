//! A role of rolecall and attributes of the expense decide together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::{Timestamp, Window};
use rolecall_with_cedar::{Expense, Expenses, Permission, SystemRole};

const NOON: &str = "2099-01-31T12:00:00Z";

fn acme() -> Tenant {
    let authorizer = Authorizer::builder().catalog(Permission::catalog()).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let noon: Timestamp = NOON.parse().unwrap();
    let update = acme.update(|tx| {
        tx.create_group("world")?;
        tx.create_group("emea")?.add_parent("world")?;
        tx.create_group("apac")?.add_parent("world")?.assign(SystemRole::Approver)?;
        tx.create_role("helper")?.include(SystemRole::Approver)?;
        tx.create_role("boss")?.grant(Permission::ExpensesApprove)?;
        tx.create_user("ann")?.join("emea")?.assign(SystemRole::Approver)?;
        tx.create_user("ben")?.join("emea")?.assign(SystemRole::Director)?;
        tx.create_user("cid")?.join("apac")?;
        tx.create_user("dot")?.join("emea")?;
        tx.create_user("eve")?.join("emea")?.assign("helper")?;
        tx.create_user("fay")?.join("emea")?.assign_during(SystemRole::Approver, Window::until(noon))?;
        tx.create_user("gil")?.join("emea")?.assign(SystemRole::Director)?.suspend()?;
        tx.create_user("hal")?.join("emea")?.assign("boss")?.done()
    });
    update.unwrap();
    acme
}

fn expense(region: &str, amount: i64) -> Expense {
    Expense { id: "e1".to_owned(), region: region.to_owned(), amount, submitted_by: "ann".to_owned() }
}

#[test]
fn a_policy_needs_a_role_and_attributes_of_the_resource() {
    let (acme, expenses) = (acme(), Expenses::new().unwrap());
    let (noon, morning): (Timestamp, Timestamp) = (NOON.parse().unwrap(), "2099-01-31T08:00:00Z".parse().unwrap());
    for (user, region, amount, before, after) in [
        ("ann", "emea", 900, false, false), // her own
        ("ben", "emea", 10_000, true, true),
        ("ben", "emea", 1_000_000, true, true),
        ("ben", "apac", 900, false, false),
        ("cid", "apac", 900, true, true),
        ("cid", "world", 900, true, true), // through the parent group
        ("cid", "apac", 10_001, false, false),
        ("dot", "emea", 900, false, false), // no role
        ("eve", "emea", 900, true, true),   // through a role that includes it
        ("fay", "emea", 900, true, false),  // until noon
        ("gil", "emea", 900, false, false), // suspended
        ("hal", "emea", 900, false, false), // the permission alone, and no role that a policy names
        ("nobody", "emea", 900, false, false),
    ] {
        let expense = expense(region, amount);
        let may = |instant| expenses.may_approve(&acme.snapshot().at(instant), user, &expense);
        assert_eq!((may(morning), may(noon)), (before, after), "{user} {region} {amount}");
    }
}

#[test]
fn policies_that_do_not_fit_the_schema_are_refused() {
    for policy in ["permit (principal, action, resource) when { resource.colour == 1 };", "permit (principal)"] {
        assert!(Expenses::with_policies(policy).is_err(), "{policy}");
    }
}

/// Cedar leaves out a policy that fails, and would allow here.
#[test]
fn a_policy_that_fails_denies() {
    let acme = acme();
    let fails = "permit (principal, action, resource);
                 forbid (principal, action, resource) when { resource.amount + 9223372036854775807 > 0 };";
    let expenses = Expenses::with_policies(fails).unwrap();
    assert!(!expenses.may_approve(&acme.now(), "ben", &expense("emea", 900)));
    assert!(!expenses.may_approve(&acme.now(), "ben", &expense("emea", 0)), "forbidden");
}
