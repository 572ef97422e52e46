//! Tests that an error that nobody reads costs a look-up (report F1).
//!
//! Rows of users are counted, not timed. Suggestions read thousands of them, and only when somebody asks.

use crate::assertions::Assertion;
use crate::blocking::{Authorizer, Tenant};
use crate::resolver::snapshot::table::USERS_LOOKED_AT;
use crate::snapshot::External;
use crate::{Error, Result, Tx};

const USERS: usize = 5_000;

type Call = fn(&Tx) -> Result<()>;

fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("editor")?;
        tx.create_group("staff")?;
        (0..USERS).try_for_each(|n| tx.create_user(&format!("user{n}@acme.com"))?.done())
    })
    .unwrap();
    acme
}

/// How many rows of users this reads in a transaction.
fn looked_at<T>(acme: &Tenant, work: impl Fn(&Tx) -> T) -> u64 {
    let (count, _) = acme
        .plan(|tx| {
            USERS_LOOKED_AT.set(0);
            drop(work(tx));
            Ok(USERS_LOOKED_AT.get())
        })
        .unwrap();
    count
}

#[test]
fn f1_a_miss_costs_a_look_up() {
    let acme = acme();
    let hit = looked_at(&acme, |tx| tx.user("user7@acme.com").is_ok());
    let misses: [(&str, Call); 8] = [
        ("user", |tx| tx.user("user7@acme.con")?.done()),
        ("delete_user", |tx| tx.delete_user("user7@acme.con")),
        ("add_member", |tx| tx.group("staff")?.add_member("user7@acme.con")?.done()),
        ("remove_member", |tx| tx.group("staff")?.remove_member("user7@acme.con")?.done()),
        ("ensure_member", |tx| tx.group("staff")?.ensure_member("user7@acme.con", crate::Window::ALWAYS)?.done()),
        ("set_member_window", |tx| {
            tx.group("staff")?.set_member_window("user7@acme.con", crate::Window::ALWAYS)?.done()
        }),
        ("set_members", |tx| tx.group("staff")?.set_members(["user7@acme.con"]).map(drop)),
        ("create_user", |tx| tx.create_user("user7@acme.com")?.done()),
    ];
    for (call, miss) in misses {
        let count = looked_at(&acme, |tx| assert!(miss(tx).is_err(), "{call}"));
        assert!(count <= hit, "{call} reads {count} rows, a look-up {hit}");
    }
    // The text of an unknown user has no suggestions, so it costs no more. Asking for them does.
    let text = looked_at(&acme, |tx| tx.user("user7@acme.con").unwrap_err().to_string());
    let asked = looked_at(&acme, |tx| tx.user("user7@acme.con").unwrap_err().suggestions().len());
    assert!(text <= 2 * hit && asked > 1_000, "{text} and {asked} rows");
}

#[test]
fn f1_ensuring_costs_a_look_up_and_what_is_missing() {
    let acme = acme();
    let there = looked_at(&acme, |tx| tx.ensure_user("user7@acme.com").is_ok());
    assert_eq!(there, looked_at(&acme, |tx| tx.user("user7@acme.com").is_ok()));
    let created = looked_at(&acme, |tx| tx.create_user("new@acme.com").is_ok());
    let missing = looked_at(&acme, |tx| tx.ensure_user("new@acme.com").is_ok());
    assert!(missing <= 2 * created, "{missing} and {created} rows");
}

/// Counted in allocations, which are the same for every kind of entity and in every run.
#[test]
fn f1_ensuring_allocates_as_a_look_up_or_a_creation_does() {
    let okta = |id| External { manager: "okta", id };
    let acme = acme();
    let fill = |tx: &Tx| -> Result<()> {
        tx.create_permission("posts:read")?;
        tx.set_manager("okta")?.ensure_managed_user(okta("u"), "managed@acme.com")?;
        tx.ensure_managed_group(okta("g"), "Managed")?.done()
    };
    acme.update(fill).unwrap();
    let managed_user: Call = |tx| {
        let user = tx.set_manager("okta")?.create_user("new")?;
        user.set_managed_by(Some("okta"))?.set_external_id(Some("new"))?.done()
    };
    let managed_group: Call = |tx| {
        let group = tx.set_manager("okta")?.create_group_with_name("New")?;
        group.set_managed_by(Some("okta"))?.set_external_id(Some("new"))?.done()
    };
    // The look-up and the creation, and what ensures the same.
    let table: [(&str, [Call; 2], [Call; 2]); 6] = [
        (
            "user",
            [|tx| tx.user("user7@acme.com")?.done(), |tx| tx.ensure_user("user7@acme.com")?.done()],
            [|tx| tx.create_user("new")?.done(), |tx| tx.ensure_user("new")?.done()],
        ),
        (
            "group",
            [|tx| tx.group("staff")?.done(), |tx| tx.ensure_group("staff")?.done()],
            [|tx| tx.create_group("new")?.done(), |tx| tx.ensure_group("new")?.done()],
        ),
        (
            "role",
            [|tx| tx.role("editor")?.done(), |tx| tx.ensure_role("editor")?.done()],
            [|tx| tx.create_role("new")?.done(), |tx| tx.ensure_role("new")?.done()],
        ),
        (
            "permission",
            [|tx| tx.permission("posts:read")?.done(), |tx| tx.ensure_permission("posts:read")?.done()],
            [|tx| tx.create_permission("new")?.done(), |tx| tx.ensure_permission("new")?.done()],
        ),
        (
            "managed user",
            [
                |tx| tx.set_manager("okta")?.user(External { manager: "okta", id: "u" })?.done(),
                |tx| {
                    let external = External { manager: "okta", id: "u" };
                    tx.set_manager("okta")?.ensure_managed_user(external, "managed@acme.com")?.done()
                },
            ],
            [managed_user, |tx| {
                tx.set_manager("okta")?.ensure_managed_user(External { manager: "okta", id: "new" }, "new")?.done()
            }],
        ),
        (
            "managed group",
            [
                |tx| tx.set_manager("okta")?.group(External { manager: "okta", id: "g" })?.done(),
                |tx| {
                    tx.set_manager("okta")?
                        .ensure_managed_group(External { manager: "okta", id: "g" }, "Managed")?
                        .done()
                },
            ],
            [managed_group, |tx| {
                tx.set_manager("okta")?.ensure_managed_group(External { manager: "okta", id: "new" }, "New")?.done()
            }],
        ),
    ];
    let allocated = |call: Call| {
        let measured = |tx: &Tx| Ok(allocation_counter::measure(|| call(tx).unwrap()).count_total);
        acme.plan(measured).unwrap().0
    };
    for (kind, there, missing) in table {
        let [look_up, ensured] = there.map(allocated);
        assert!(ensured <= 2 * look_up, "{kind}: {ensured} allocations, a look-up has {look_up}");
        let [created, ensured] = missing.map(allocated);
        assert!(ensured <= 2 * created, "{kind}: {ensured} allocations, a creation has {created}");
    }
}

/// A directory's list, in which little has changed. Each key is looked up once.
#[test]
fn f6_a_list_of_members_costs_a_look_up_of_each_and_what_changes() {
    let acme = acme();
    let keys: Vec<String> = (0..USERS).map(|n| format!("user{n}@acme.com")).collect();
    acme.update(|tx| tx.group("staff")?.set_members(&keys[..4_000]).map(drop)).unwrap();
    let set = |tx: &Tx, listed: &[String]| {
        let changes = tx.group("staff").unwrap().set_members(listed).unwrap();
        changes.added.len() + changes.removed.len()
    };
    let same = looked_at(&acme, |tx| assert_eq!(set(tx, &keys[..4_000]), 0));
    let moved = looked_at(&acme, |tx| assert_eq!(set(tx, &keys[50..4_050]), 100));
    assert!(same <= 4_000 + 8, "{same} rows for 4000 look-ups");
    assert!(moved <= same + 100 * 40, "{moved} rows, and {same} if nothing changes");
}

/// The allocations of a miss depend neither on the number of entities nor on the earlier changes of the transaction. This
/// holds for every kind of entity and of call.
#[test]
fn f1_a_miss_allocates_little() {
    let misses: [(&str, Call); 12] = [
        ("user", |tx| tx.user("7@acme.con")?.done()),
        ("user, by external id", |tx| tx.user(External { manager: "okta", id: "7" })?.done()),
        ("group", |tx| tx.group("7@acme.con")?.done()),
        ("role", |tx| tx.role("7@acme.con")?.done()),
        ("permission", |tx| tx.permission("7@acme.con")?.done()),
        ("separation", |tx| tx.separation("7@acme.con")?.done()),
        ("assertion", |tx| tx.assertion("7@acme.con")?.done()),
        ("add_member", |tx| tx.group("7@acme.com")?.add_member("7@acme.con")?.done()),
        ("add_parent", |tx| tx.group("7@acme.com")?.add_parent("7@acme.con")?.done()),
        ("assign", |tx| tx.user("7@acme.com")?.assign("7@acme.con")?.done()),
        ("include", |tx| tx.role("7@acme.com")?.include("7@acme.con")?.done()),
        ("grant", |tx| tx.role("7@acme.com")?.grant("7@acme.con")?.done()),
    ];
    let allocated = |count: usize| {
        let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
        let (found, _) = acme
            .plan(|tx| {
                tx.create_role("a")?;
                tx.create_role("b")?;
                for n in 0..count {
                    let name = format!("{n}@acme.com");
                    tx.create_user(&name)?;
                    tx.create_permission(&name)?;
                    tx.create_role(&name)?.grant(&*name)?;
                    tx.create_group(&name)?;
                    tx.create_separation(&name, 1, ["a", "b"])?;
                    tx.create_assertion(&name, &Assertion::only(&*name))?;
                }
                let mut found = Vec::new();
                for (call, miss) in misses {
                    let mut errors = Vec::<Error>::with_capacity(1);
                    let info = allocation_counter::measure(|| errors.extend(miss(tx).err()));
                    let kinds: Vec<_> = errors.iter().map(Error::kind).collect();
                    assert_eq!(kinds, [crate::ErrorKind::NotFound], "{call}");
                    found.push((call, info.count_total, info.bytes_total));
                }
                Ok(found)
            })
            .unwrap();
        found
    };
    let (few, many) = (allocated(10), allocated(1_000));
    assert_eq!(few, many);
    for (call, count, bytes) in few {
        assert!(count <= 6 && bytes < 2_000, "{call}: {count} allocations, {bytes} bytes");
    }
}
