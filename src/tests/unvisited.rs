//! Tests that the cost of a change of roles and groups does not depend on the number of users. Neither does the cost of
//! a new permission depend on the number of permissions.
//!
//! Visits are counted, not timed. The change reads no row of a user, and the next snapshot shares all per-user data
//! with the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::histories::{at, build};
use crate::blocking::{Authorizer, Tenant};
use crate::model::catalog::Catalog;
use crate::model::records::pattern::MATCHES;
use crate::model::records::{
    CommitId, Name, Position, Record, RecordKey, Revision, TenantId, TenantRecord, TenantSlug,
};
use crate::plan::{CommitContext, Draft, Plan, UserEdit};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::index_entry::EntryRef;
use crate::resolver::snapshot::source::{Ever, Given};
use crate::resolver::snapshot::state::{RowBound, State};
use crate::resolver::snapshot::table::USERS_LOOKED_AT;
use crate::resolver::snapshot::user_index::Width;
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::{Result, Tx, Window};

const USERS: usize = 2_000;
const GROUPS: usize = 60;
const ROLES: usize = 30;
const PERMISSIONS: usize = 200;

/// A tenant in which every group has members and roles, every role has holders, and groups have subgroups.
fn acme() -> Tenant {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| populate(tx, USERS)).unwrap();
    acme
}

fn populate(tx: &Tx, users: usize) -> Result<()> {
    for n in 0..PERMISSIONS {
        tx.create_permission(&format!("res{}:act{}", n / 10, n % 10))?;
    }
    for n in 0..ROLES {
        let role = tx.create_role(&format!("r{n}"))?;
        (0..10).try_for_each(|k| role.grant(permission(n * 7 + k * 3))?.done())?;
        if n % 5 == 1 {
            role.include(format!("r{}", n - 1))?.grant(format!("res{n}:*"))?;
        }
    }
    for n in 0..GROUPS {
        let group = tx.create_group(&format!("g{n}"))?;
        group.assign(format!("r{}", n % ROLES))?;
        if n > 0 {
            group.add_parent(format!("g{}", n / 2))?;
        }
    }
    for n in 0..users {
        let user = tx.create_user(&format!("user{n}"))?;
        user.join(format!("g{}", n % GROUPS))?.join(format!("g{}", n * 7 % GROUPS))?;
        user.assign(format!("r{}", n % ROLES))?;
    }
    Ok(())
}

fn permission(n: usize) -> String {
    let n = n % PERMISSIONS;
    format!("res{}:act{}", n / 10, n % 10)
}

/// How many users an update reads, and whether it shares all per-user data with the state before.
fn looked_at(acme: &Tenant, change: impl Fn(&Tx) -> Result<()>) -> (u64, bool) {
    let before = acme.snapshot();
    USERS_LOOKED_AT.set(0);
    assert!(!acme.update(&change).unwrap().changes.is_empty(), "the change must have an effect");
    let count = USERS_LOOKED_AT.get();
    (count, shares_users(&before.0.state, &acme.snapshot().0.state))
}

fn shares_users(a: &State, b: &State) -> bool {
    let members = |n: u32| match (a.groups.row(n), b.groups.row(n)) {
        (Some(a), Some(b)) => a.members.is_same(&b.members),
        (a, b) => a.is_none() && b.is_none(),
    };
    let holders = |n: u32| match (a.roles.row(n), b.roles.row(n)) {
        (Some(a), Some(b)) => a.users.is_same(&b.users),
        (a, b) => a.is_none() && b.is_none(),
    };
    let by_user = a.users.is_same(&b.users) && a.summaries.is_same(&b.summaries) && a.user_index.is_same(&b.user_index);
    by_user && (0..1_000).all(|n| members(n) && holders(n))
}

#[test]
fn r13_a_guard_visits_only_the_actor_and_the_users_that_change() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_role("all")?.grant("*")?;
        tx.create_user("root")?.assign("all")?.done()
    })
    .unwrap();
    let table: &[(&str, Change)] = &[
        ("a grant", |tx| tx.role("r3")?.grant("res3:act4")?.grant("res4:*")?.done()),
        ("a revocation", |tx| tx.role("r0")?.revoke(permission(0))?.done()),
        ("an inclusion", |tx| tx.role("r0")?.include("r3")?.done()),
        ("a role of a group", |tx| tx.group("g0")?.assign("r9")?.done()),
        ("a parent", |tx| tx.group("g9")?.add_parent("g5")?.done()),
        ("a rename", |tx| tx.permission("res0:act0")?.set_slug("res0:first")?.done()),
    ];
    // Makes the same changes without a guard.
    let unguarded = self::acme();
    for (what, change) in table {
        let (before, _) = looked_at(&unguarded, change);
        let (with_guard, shares_users) = looked_at(&acme, |tx| change(tx.set_guard("root")));
        assert!(shares_users && with_guard <= before + 8, "{what}: {with_guard} instead of {before} users");
    }
    // Each new member is one user whose row is read a few times more.
    let join = |tx: &Tx| (0..50).try_for_each(|n| tx.group("g1")?.add_member(format!("user{}", n * 7))?.done());
    let (before, _) = looked_at(&unguarded, join);
    let (with_guard, _) = looked_at(&acme, |tx| join(tx.set_guard("root")));
    assert!(with_guard <= before + 8 + 4 * 50, "{with_guard} instead of {before} users");
}

type Change = fn(&Tx) -> Result<()>;

/// Changes of roles, groups and permissions, one after the other.
const CHANGES: [(&str, Change); 10] = [
    ("one grant", |tx| tx.role("r0")?.grant("res19:act9")?.done()),
    ("taken back", |tx| tx.role("r0")?.revoke("res19:act9")?.done()),
    ("a role's grants replaced", |tx| tx.role("r3")?.set_grants((0..20).map(|k| permission(1 + k * 11))).map(drop)),
    ("a group with subgroups moved to another parent", |tx| {
        tx.group("g2")?.remove_parent("g1")?.add_parent("g0")?.done()
    }),
    ("a role assigned to a group", |tx| tx.group("g1")?.assign("r7")?.done()),
    ("a role included", |tx| tx.role("r9")?.include("r4")?.done()),
    ("a pattern granted", |tx| tx.role("r2")?.grant("res1*")?.done()),
    ("everything granted", |tx| tx.role("r5")?.grant("*")?.done()),
    ("a permission under a pattern", |tx| tx.create_permission("res1:new")?.done()),
    ("a permission that roles grant", |tx| tx.delete_permission("res1:act1")),
];

#[test]
fn a_change_of_roles_and_groups_visits_no_user() {
    let acme = acme();
    for (what, change) in CHANGES {
        assert_eq!(looked_at(&acme, change), (0, true), "{what}");
    }
    assert!(acme.check("user0", "res1:new") == acme.now().who_can("res1:new").contains("user0"));
}

/// A tenant that differs from the usual one in one thing.
struct Variant {
    name: &'static str,
    bound: RowBound,
    /// Applied to the usual content.
    change: Change,
    /// Whether the tenant has this form, when it has grown by updates and after a load.
    has_form: [fn(&State) -> bool; 2],
}

const VARIANT_USERS: usize = 300;

fn until() -> Window {
    Window::until(at(30))
}

fn each_user(tx: &Tx, mut call: impl FnMut(usize, UserEdit<'_>) -> Result<()>) -> Result<()> {
    (0..VARIANT_USERS).try_for_each(|n| call(n, tx.user(format!("user{n}"))?))
}

const fn variant(name: &'static str, change: Change, has_form: [fn(&State) -> bool; 2]) -> Variant {
    Variant { name, bound: RowBound::USUAL, change, has_form }
}

fn count_entries(state: &State, of: impl Fn(EntryRef<'_>) -> bool) -> usize {
    state.users.all().filter(|n| state.index_entry(state.users.id_at(*n).unwrap()).is_some_and(&of)).count()
}

fn has_incomplete(state: &State) -> bool {
    !state.columns.are_complete()
}

fn variants() -> [Variant; 8] {
    let windowed: [fn(&State) -> bool; 2] = [
        |state| count_entries(state, |entry| entry.windowed().is_some()) > 100,
        |state| count_entries(state, |entry| entry.windowed().is_some() && entry.has_parts()) > 100,
    ];
    let steady: [fn(&State) -> bool; 2] = [
        |state| count_entries(state, |entry| entry.steady().is_some()) > 100,
        |state| count_entries(state, |entry| entry.steady().is_some() && entry.has_parts()) > 100,
    ];
    let half_lines = |state: &State| state.user_index.width() == Width::HalfLine;
    let gives_all = |state: &State| state.groups.all().all(|n| state.group_rows.get(n).unwrap().always == Given::All);
    let used_up = |state: &State| {
        let unknown = state.groups.all().filter(|n| state.group_rows.get(*n).unwrap().ever == Ever::Unknown);
        unknown.count() > GROUPS / 2 && state.extra_words > state.bound.extra / 2
    };
    let small = RowBound { per_edge: 0, extra: 20 };
    [
        variant(
            "one membership of each user has a window",
            |tx| each_user(tx, |n, user| user.set_membership_window(format!("g{}", n % GROUPS), until()).map(drop)),
            windowed,
        ),
        variant(
            "all memberships have windows",
            |tx| {
                each_user(tx, |n, user| {
                    user.set_membership_window(format!("g{}", n % GROUPS), until())?;
                    user.set_membership_window(format!("g{}", n * 7 % GROUPS), until()).map(drop)
                })
            },
            steady,
        ),
        variant("entries of a line", |_| Ok(()), [half_lines, |state| state.user_index.width() == Width::Line]),
        variant(
            "entries of two lines",
            |tx| {
                each_user(tx, |n, user| user.set_groups((0..8).map(|k| format!("g{}", (n + k * 7) % GROUPS))).map(drop))
            },
            [half_lines, |state| state.user_index.width() == Width::TwoLines],
        ),
        variant(
            "a role that grants everything",
            |tx| {
                tx.create_role("all")?.grant("*")?;
                tx.group("g0")?.assign("all")?.done()
            },
            [gives_all; 2],
        ),
        Variant { bound: small, ..variant("a budget that is used up", |_| Ok(()), [used_up; 2]) },
        variant(
            "roles of groups with windows",
            |tx| {
                (0..GROUPS).step_by(3).try_for_each(|n| {
                    tx.group(format!("g{n}"))?.set_assignment_window(format!("r{}", n % ROLES), until())?.done()
                })
            },
            [has_incomplete; 2],
        ),
        variant(
            "parents with windows",
            |tx| {
                (1..GROUPS).step_by(3).try_for_each(|n| {
                    tx.group(format!("g{n}"))?.set_parent_window(format!("g{}", n / 2), until())?.done()
                })
            },
            [has_incomplete; 2],
        ),
    ]
}

fn plan(present: &Arc<CompiledTenant>, change: impl FnOnce(&Tx) -> Result<()>) -> Plan {
    let context = CommitContext { commit: CommitId::random(), at: at(0), new_id: Uuid::new_v4 };
    let ((), plan) = Tx::run(Draft::new(Arc::clone(present), context), change).unwrap();
    assert!(!plan.changes.is_empty(), "the change must have an effect");
    plan
}

#[test]
fn a_change_of_roles_and_groups_visits_no_user_in_any_variant() {
    for Variant { name, bound, change, has_form } in variants() {
        let catalog = Arc::new(CompiledCatalog::with_bound(Catalog::empty(), bound));
        let load = |records: &BTreeMap<RecordKey, Record>, position| {
            Arc::new(build(&catalog, &Arc::new(catalog.open()), records, position))
        };
        let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new("T").unwrap() };
        let position =
            Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
        let empty = load(&[(RecordKey::Tenant, Record::Tenant(tenant))].into(), position);
        let populated = |tx: &Tx| populate(tx, VARIANT_USERS).and_then(|()| change(tx));
        let grown = plan(&empty, populated).next;
        let records = grown.state.records().map(|record| (record.key(), record)).collect();
        let loaded = load(&records, grown.position);
        for ((mut present, has_form), how) in [grown, loaded].into_iter().zip(has_form).zip(["grown", "loaded"]) {
            assert!(has_form(&present.state), "{name}, {how}");
            for (what, change) in CHANGES {
                USERS_LOOKED_AT.set(0);
                let next = plan(&present, change).next;
                let found = (USERS_LOOKED_AT.get(), shares_users(&present.state, &next.state));
                assert_eq!(found, (0, true), "{name}, {how}: {what}");
                present = next;
            }
            let snapshot = Snapshot(present);
            let moment = snapshot.at(at(0));
            assert_eq!(
                moment.check("user0", "res1:new"),
                moment.who_can("res1:new").contains("user0"),
                "{name}, {how}"
            );
        }
    }
}

/// R14: only users below a changed edge are looked at, and only if a separation names a role above it.
#[test]
fn a_separation_visits_no_user_whom_a_change_cannot_concern() {
    let acme = acme();
    acme.update(|tx| {
        for role in ["clerk", "approver"] {
            tx.create_role(role)?;
        }
        for group in ["office", "bank"] {
            tx.create_group(group)?;
        }
        for n in 0..10 {
            tx.user(format!("user{n}"))?.join("office")?;
        }
        tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
    })
    .unwrap();
    let none = (0, true);
    assert_eq!(looked_at(&acme, |tx| tx.group("g2")?.remove_parent("g1")?.add_parent("g0")?.done()), none, "a parent");
    assert_eq!(looked_at(&acme, |tx| tx.group("g1")?.assign("r7")?.done()), none, "a role of a group");
    assert_eq!(looked_at(&acme, |tx| tx.role("r9")?.include("r4")?.done()), none, "an inclusion");
    assert_eq!(looked_at(&acme, |tx| tx.role("clerk")?.grant("res1*")?.done()), none, "a grant");
    assert_eq!(looked_at(&acme, |tx| tx.group("office")?.add_parent("bank")?.done()), none, "nothing above");
    let ten = |(count, shares): (u64, bool)| assert!((10..100).contains(&count) && shares, "{count}");
    ten(looked_at(&acme, |tx| tx.group("office")?.assign("clerk")?.done()));
    ten(looked_at(&acme, |tx| tx.group("bank")?.assign("clerk")?.done()));
    assert_eq!(looked_at(&acme, |tx| tx.group("office")?.unassign("clerk")?.done()), none, "a removal");
}

/// Tests the counter itself: a change of one user reads that user, and those that the search for its place by key
/// compares.
#[test]
fn adding_a_member_reads_few_other_users() {
    let acme = acme();
    let (count, shares) = looked_at(&acme, |tx| tx.group("g5")?.add_member("user7")?.done());
    assert!((1..100).contains(&count) && !shares, "{count}");
    let before = acme.snapshot();
    assert!(shares_users(&before.0.state, &acme.snapshot().0.state) && Arc::ptr_eq(&before.0, &acme.snapshot().0));
}

/// Each pattern is matched with the new slug, twice if it matches, and none with the slugs that were there before.
#[test]
fn f19_a_permission_beside_many_patterns_matches_each_with_its_own_slug_only() {
    const ROLES: u32 = 300;
    let roles = u64::from(ROLES);
    let slug = |n: usize| format!("{:a>249}:{n:04}", "");
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for n in 0..200 {
            tx.create_permission(&slug(n))?;
        }
        for n in 0..ROLES {
            // A third of them match nothing, and the role includes the one before.
            let pattern = format!("*{}*{}", "a".repeat(1 + (n % 200) as usize), if n % 3 == 0 { "b" } else { ":*" });
            let role = tx.create_role(&format!("r{n:03}"))?;
            role.grant(&*pattern)?;
            if n > 0 {
                role.include(format!("r{:03}", n - 1))?;
            }
        }
        tx.create_user("alice")?.assign("r000")?;
        tx.create_user("bob")?.assign("r299")?.done()
    })
    .unwrap();
    let matched = |change: &dyn Fn(&Tx) -> Result<()>| {
        MATCHES.set(0);
        acme.update(change).unwrap();
        MATCHES.get()
    };
    assert_eq!(matched(&|tx| tx.create_permission(&slug(200))?.done()), roles + roles * 2 / 3);
    assert!(acme.check("bob", slug(200)) && !acme.check("alice", slug(200)));
    assert_eq!(matched(&|tx| tx.permission(slug(200))?.set_slug(&slug(201))?.done()), roles * 4 / 3 + roles * 2 / 3);
    assert_eq!(matched(&|tx| tx.delete_permission(slug(201))), roles);
    assert!(!acme.check("bob", slug(201)));
    assert_eq!(matched(&|tx| tx.create_role("another")?.done()), 0);
    assert_eq!(matched(&|tx| tx.role("r000")?.grant(slug(0))?.done()), 0, "included by all, and no pattern changed");
}

/// 3,000 roles, each with a pattern that begins with a star, and slugs of 254 characters that each pattern fits for 200 of
/// them at least. One update registers several permissions. Each is matched once with each pattern, whatever other
/// permissions there are, and a role that matches is looked at once more.
#[test]
fn f19_permissions_with_long_slugs_are_matched_once_with_each_of_3_000_patterns() {
    const ROLES: u64 = 3_000;
    const NEW: u64 = 5;
    // Of the patterns, each tenth matches. The others end in a letter that no slug has.
    let slug = |n: u64| format!("{}b:{n:03}", "a".repeat(249));
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        (0..100).try_for_each(|n| tx.create_permission(&slug(n))?.done())?;
        for n in 0..ROLES {
            let piece = "a".repeat(200 + (n % 49) as usize);
            let pattern = format!("*{piece}{}*", if n % 10 == 0 { "b" } else { "c" });
            tx.create_role(&format!("r{n}"))?.grant(&*pattern)?;
        }
        tx.create_user("alice")?.assign("r0")?.done()
    })
    .unwrap();
    assert_eq!(slug(0).len(), 254);
    MATCHES.set(0);
    acme.update(|tx| (0..NEW).try_for_each(|n| tx.create_permission(&slug(500 + n))?.done())).unwrap();
    assert_eq!(MATCHES.get(), NEW * ROLES + ROLES / 10);
    assert!((0..NEW).all(|n| acme.check("alice", slug(500 + n))));
    MATCHES.set(0);
    acme.update(|tx| tx.create_user("bob")?.done()).unwrap();
    assert_eq!(MATCHES.get(), 0);
}
