//! Users and groups that a directory manages (R16), their external ids, and whole lists of members.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::atomic::{AtomicUsize, Ordering};

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::clock::{Clock, SystemClock};
use rolecall::records::{Status, UserKey};
use rolecall::store::MemoryStore;
use rolecall::{ErrorKind, PageRequest, Result, Timestamp, Tx, Window, snapshot::External};

const OKTA: External<'_> = External { manager: "okta", id: "00u1" };

/// Okta manages `alice`, `eng` and `sub`, Entra `eve` and `ent`; the rest is the tenant's own.
fn populate(tx: &Tx) -> Result<()> {
    tx.create_role("reader")?;
    tx.create_role("writer")?;
    for group in ["wide", "local", "own", "eng", "sub", "ent"] {
        tx.create_group(group)?;
    }
    for user in ["alice", "bob", "carol", "eve", "dave"] {
        tx.create_user(user)?;
    }
    tx.group("eng")?.add_parent("wide")?.add_member("alice")?.add_member("bob")?.assign("reader")?;
    tx.group("sub")?.add_parent("eng")?;
    tx.group("own")?.add_member("alice")?;
    tx.group("ent")?.add_member("dave")?;
    tx.set_manager("okta")?;
    tx.user("alice")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
    tx.user("dave")?.set_managed_by(Some("okta"))?;
    tx.group("eng")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
    tx.group("sub")?.set_managed_by(Some("okta"))?;
    tx.set_manager("entra")?;
    tx.user("eve")?.set_managed_by(Some("entra"))?.set_external_id(Some("00u1"))?;
    tx.group("ent")?.set_managed_by(Some("entra"))?;
    Ok(())
}

fn acme_in(store: &MemoryStore) -> Tenant {
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    acme.update(populate).unwrap();
    acme
}

fn acme() -> Tenant {
    acme_in(&MemoryStore::default())
}

fn until(secs: i64) -> Window {
    Window::until(Timestamp::from_secs(4_000_000_000 + secs).unwrap())
}

fn until_end(secs: i64) -> Timestamp {
    Timestamp::from_secs(4_000_000_000 + secs).unwrap()
}

type Call = fn(&Tx) -> Result<()>;

/// Every call that only Okta may make, on the user and on the group.
const DOORS: &[(&str, Call)] = &[
    ("a key", |tx| tx.user("alice")?.set_key("alicia")?.done()),
    ("a display name", |tx| tx.user("alice")?.set_name(Some("Alice"))?.done()),
    ("a suspension", |tx| tx.user("alice")?.suspend()?.done()),
    ("an external id", |tx| tx.user("alice")?.set_external_id(Some("00u2"))?.done()),
    ("no external id", |tx| tx.user("alice")?.set_external_id(None)?.done()),
    ("a user taken back", |tx| tx.user("alice")?.set_managed_by(None)?.done()),
    ("a user given", |tx| tx.user("carol")?.set_managed_by(Some("okta"))?.done()),
    ("a deleted user", |tx| tx.delete_user("alice")),
    ("a deleted user, by external id", |tx| tx.delete_user(OKTA)),
    ("a slug", |tx| tx.group("eng")?.set_slug("engineering")?.done()),
    ("a group's name", |tx| tx.group("eng")?.set_name("Engineering")?.done()),
    ("a description", |tx| tx.group("eng")?.set_description("builds")?.done()),
    ("a group's external id", |tx| tx.group("eng")?.set_external_id(Some("00g2"))?.done()),
    ("a group taken back", |tx| tx.group("eng")?.set_managed_by(None)?.done()),
    ("a group given", |tx| tx.group("local")?.set_managed_by(Some("okta"))?.done()),
    ("a deleted group", |tx| tx.delete_group("eng")),
    ("a member added", |tx| tx.group("eng")?.add_member("carol")?.done()),
    ("a member for a time", |tx| tx.group("eng")?.add_member_during("carol", until(9))?.done()),
    ("a member ensured", |tx| tx.group("eng")?.ensure_member("carol", Window::ALWAYS)?.done()),
    ("a member's window ensured", |tx| tx.group("eng")?.ensure_member("carol", until(9))?.done()),
    ("a member's window", |tx| tx.group("eng")?.set_member_window("bob", until(9))?.done()),
    ("a member removed", |tx| tx.group("eng")?.remove_member("bob")?.done()),
    ("all members", |tx| tx.group("eng")?.set_members(["carol"]).map(drop)),
    ("a member's window extended", |tx| {
        tx.group("eng")?.set_member_window("bob", until(9))?.extend_member("bob", until_end(10))?.done()
    }),
    ("all groups of a user", |tx| tx.user("bob")?.set_groups(["local"]).map(drop)),
    ("no members", |tx| tx.group("eng")?.set_members::<&str>([]).map(drop)),
    ("a user who joins", |tx| tx.user("carol")?.join("eng")?.done()),
    ("a user who joins for a time", |tx| tx.user("carol")?.join_during("eng", until(9))?.done()),
    ("a membership ensured", |tx| tx.user("carol")?.ensure_membership("eng", Window::ALWAYS)?.done()),
    ("a membership's window ensured", |tx| tx.user("carol")?.ensure_membership("eng", until(9))?.done()),
    ("a membership's window", |tx| tx.user("bob")?.set_membership_window("eng", until(9))?.done()),
    ("a user who leaves", |tx| tx.user("bob")?.leave("eng")?.done()),
    ("a local member deleted", |tx| tx.delete_user("bob")),
    ("a parent", |tx| tx.group("eng")?.add_parent("own")?.done()),
    ("no parent", |tx| tx.group("eng")?.remove_parent("wide")?.done()),
    ("all parents", |tx| tx.group("eng")?.set_parents(["own"]).map(drop)),
    ("a local parent deleted", |tx| tx.delete_group("wide")),
    ("a local member merged", |tx| tx.merge_users("bob", "carol").map(drop)),
    ("a new managed user", |tx| tx.ensure_managed_user(External { manager: "okta", id: "9" }, "zoe")?.done()),
    ("a new managed group", |tx| tx.ensure_managed_group(External { manager: "okta", id: "9" }, "Zoe")?.done()),
];

/// The calls that need no directory.
const FREE: &[(&str, Call)] = &[
    ("a role assigned to a managed group", |tx| tx.group("eng")?.assign("writer")?.done()),
    ("a role taken from a managed group", |tx| tx.group("eng")?.unassign("reader")?.done()),
    ("all roles of a managed group", |tx| tx.group("eng")?.set_roles(["writer"]).map(drop)),
    ("a role that a managed group has, deleted", |tx| tx.delete_role("reader")),
    ("a role assigned to a managed user", |tx| tx.user("alice")?.assign("writer")?.done()),
    ("a managed user who joins a local group", |tx| tx.user("alice")?.join("local")?.done()),
    ("a managed user who leaves a local group", |tx| tx.user("alice")?.leave("own")?.done()),
    ("a managed user added to a local group", |tx| tx.group("local")?.add_member("alice")?.done()),
    ("a managed user removed from a local group", |tx| tx.group("own")?.remove_member("alice")?.done()),
    ("all members of a local group", |tx| tx.group("own")?.set_members(["eve"]).map(drop)),
    ("a local group with managed members deleted", |tx| tx.delete_group("own")),
    ("a local group inside a managed one", |tx| tx.group("local")?.add_parent("eng")?.done()),
    ("a local group with parents of its own", |tx| tx.group("local")?.add_parent("own")?.done()),
    ("a local user", |tx| tx.user("carol")?.set_key("caroline")?.set_name(Some("C"))?.suspend()?.done()),
    ("a suspended local member", |tx| tx.user("bob")?.suspend()?.done()),
    ("a local user deleted", |tx| tx.delete_user("carol")),
    ("a local group", |tx| tx.group("wide")?.set_slug("w")?.set_name("W")?.set_description("w")?.done()),
    ("the tenant", |tx| tx.rename_tenant("acme2")?.name_tenant("Acme 2")?.done()),
    ("the end of the tenant", Tx::delete_tenant),
];

#[test]
fn r16_only_the_directory_changes_what_it_manages_by_every_door() {
    for (what, call) in DOORS {
        let acme = acme();
        for others in [None, Some("entra"), Some("Okta")] {
            let refused = |tx: &Tx| {
                others.map(|manager| tx.set_manager(manager)).transpose()?;
                call(tx)
            };
            let error = acme.update(refused).unwrap_err();
            assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")), "{what} {others:?}");
            let text = error.to_string();
            // A text says that the directory manages the entity only if it does. The data agrees.
            let advice = "; use `set_manager` to act for that directory";
            let gives = " cannot be given to `okta`: the transaction does not act for it";
            let member = "`, which is managed by `okta`; only a transaction that acts for `okta` may remove it";
            assert_eq!(error.gives_to_manager(), text.contains(&format!("{gives}{advice}")), "{text}");
            assert_eq!(error.relation().is_some(), text.contains(&format!("{member}{advice}")), "{text}");
            let plain = text.contains(&format!(" is managed by `okta`{advice}")) && !text.contains(member);
            assert!(error.gives_to_manager() || error.relation().is_some() || plain, "{text}");
            let done = acme.update(|tx| {
                assert!(refused(tx).is_err());
                tx.create_user("zed")?.done()
            });
            assert_eq!(done.unwrap().changes.len(), 1, "{what}: nothing but the new user");
            acme.update(|tx| tx.delete_user("zed")).unwrap();
        }
        let done = acme.update(|tx| {
            tx.set_manager("okta")?;
            call(tx)
        });
        assert!(!done.unwrap().changes.is_empty(), "{what}");
    }
}

#[test]
fn r16_roles_and_local_groups_stay_free() {
    for (what, call) in FREE {
        let done = acme().update(call);
        assert!(!done.unwrap_or_else(|error| panic!("{what}: {error}")).changes.is_empty(), "{what}");
    }
}

/// R11 also holds for managed users and groups.
#[test]
fn r16_what_is_done_already_is_no_change_and_no_error() {
    let done = acme().update(|tx| {
        tx.user("alice")?.activate()?.join("eng")?.set_managed_by(Some("okta"))?.set_external_id(Some("00u1"))?;
        tx.group("eng")?
            .add_member("bob")?
            .remove_member("carol")?
            .add_parent("wide")?
            .set_members(["bob", "alice"])?;
        Ok(())
    });
    assert!(done.unwrap().changes.is_empty());
}

#[test]
fn r16_a_handover_takes_from_the_one_and_gives_to_the_other() {
    let acme = acme();
    let directly = acme.update(|tx| tx.set_manager("okta")?.user("alice")?.set_managed_by(Some("entra"))?.done());
    assert_eq!(directly.unwrap_err().manager(), Some("entra"), "the transaction does not act for the new directory");
    acme.update(|tx| {
        tx.set_manager("okta")?.user("alice")?.set_managed_by(None)?;
        tx.set_manager("entra")?.user("alice")?.set_managed_by(Some("entra"))?;
        Ok(())
    })
    .unwrap();
    let alice = acme.now().user("alice").unwrap();
    assert_eq!(
        (alice.managed_by().unwrap().as_str(), alice.external_id()),
        ("entra", None),
        "the external id belonged to Okta"
    );
    assert!(acme.now().user(OKTA).is_none());
}

#[test]
fn r16_a_deletion_touches_what_other_directories_manage() {
    let acme = acme();
    let error = acme.update(|tx| tx.set_manager("okta")?.delete_user("dave")).unwrap_err();
    assert_eq!((error.kind(), error.name(), error.manager()), (ErrorKind::Managed, Some("ent"), Some("entra")));
    acme.update(|tx| {
        tx.set_manager("entra")?.group("ent")?.remove_member("dave")?;
        tx.set_manager("okta")?.delete_user("dave")
    })
    .unwrap();
}

#[test]
fn an_external_id_is_one_users_and_one_groups_for_each_directory() {
    let store = MemoryStore::default();
    let acme = acme_in(&store);
    let follower = Authorizer::builder().store(store.clone()).build().tenant("acme").unwrap();
    let key_of = |id| acme.now().user(External { manager: "okta", id }).map(|user| user.key.to_string());
    let set = |user: &'static str, id: Option<&'static str>| {
        acme.update(move |tx| tx.set_manager("okta")?.user(user)?.set_external_id(id)?.done())
    };
    assert_eq!(key_of("00u1").unwrap(), "alice");
    assert_eq!(acme.now().group(OKTA).unwrap().slug, "eng", "a group may have the same id");
    assert_eq!(
        acme.now().user(External { manager: "entra", ..OKTA }).unwrap().key,
        "eve",
        "and another directory's user"
    );
    assert!(acme.now().user(External { manager: "Okta", ..OKTA }).is_none() && acme.now().group(OKTA).is_some());

    let error = set("dave", Some("00u1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!((error.name(), error.manager()), (Some("00u1"), Some("okta")));
    let unmanaged = acme.update(|tx| tx.user("carol")?.set_external_id(Some("x"))?.done()).unwrap_err();
    assert_eq!(unmanaged.kind(), ErrorKind::Invalid, "{unmanaged}");

    // A rename keeps the external id. Another id or a deletion frees it.
    acme.update(|tx| tx.set_manager("okta")?.user(OKTA)?.set_key("zoe")?.done()).unwrap();
    assert_eq!(key_of("00u1").unwrap(), "zoe");
    set("zoe", Some("00u2")).unwrap();
    assert_eq!((key_of("00u1"), key_of("00u2").unwrap()), (None, "zoe".to_owned()));
    set("dave", Some("00u1")).unwrap();
    acme.update(|tx| tx.set_manager("okta")?.delete_user("zoe")).unwrap();
    assert_eq!((key_of("00u2"), key_of("00u1").unwrap()), (None, "dave".to_owned()));
    set("dave", Some("00u2")).unwrap();
    acme.update(|tx| tx.set_manager("okta")?.create_user("new")?.set_managed_by(Some("okta"))?.done()).unwrap();
    set("new", Some("00u1")).unwrap();

    // A process that follows the commits and one that loads the tenant find the same user.
    follower.refresh().unwrap();
    let loaded = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    for tenant in [&acme, &follower, &loaded] {
        let found = ["00u1", "00u2"].map(|id| tenant.now().user(External { manager: "okta", id }).unwrap().key);
        assert_eq!(found, ["new", "dave"]);
        assert!(tenant.effective(OKTA).is_empty() && !tenant.check(OKTA, "nothing"));
    }
}

#[test]
fn set_members_gives_a_group_exactly_these_and_says_who_came_and_went() {
    let acme = acme();
    acme.update(|tx| tx.group("local")?.add_member("alice")?.add_member_during("bob", until(9))?.done()).unwrap();
    let keys = |keys: &[&str]| keys.iter().map(|key| key.parse().unwrap()).collect::<Vec<UserKey>>();
    let set = |members: &'static [&'static str]| acme.update(move |tx| tx.group("local")?.set_members(members));

    let changes = set(&["eve", "bob", "carol", "bob"]).unwrap().value;
    assert_eq!((changes.added, changes.removed), (keys(&["carol", "eve"]), keys(&["alice"])));
    let members = acme.now().members("local", &PageRequest::of(9)).items;
    let shown: Vec<_> = members.iter().map(|member| (member.record.key.as_str(), member.window)).collect();
    let always = Window::ALWAYS;
    assert_eq!(shown, [("bob", until(9)), ("carol", always), ("eve", always)], "a member who stays keeps the window");

    let again = set(&["carol", "eve", "bob"]).unwrap();
    assert!(again.changes.is_empty() && again.value == rolecall::plan::ListChanges::default());
    assert_eq!(set(&["alice", "nobody"]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(acme.now().members("local", &PageRequest::of(9)).items.len(), 3);
    assert_eq!(set(&[]).unwrap().value.removed, keys(&["bob", "carol", "eve"]));
}

#[test]
fn a_user_is_shown_and_found_by_its_name() {
    let acme = acme();
    acme.update(|tx| tx.user("bob")?.set_name(Some("Jürgen Groß"))?.done()).unwrap();
    let bob = acme.now().user("bob").unwrap();
    assert_eq!((bob.name(), bob.status), ("Jürgen Groß", Status::Active));
    acme.update(|tx| tx.group("own")?.add_member("bob")?.done()).unwrap();
    let found = |text: &str| {
        let page = PageRequest::of(9).search(text);
        let keys = acme.now().users(&page).items.into_iter().map(|user| user.key.to_string()).collect::<Vec<_>>();
        let members = acme.now().members("own", &page).items.into_iter().map(|member| member.record.key.to_string());
        assert!(members.eq(keys.iter().filter(|key| ["alice", "bob"].contains(&key.as_str())).cloned()));
        assert_eq!(acme.now().all_members("own").page(&page).items.len(), keys.iter().filter(|k| *k != "eve").count());
        keys
    };
    assert_eq!(found("JÜRGEN"), ["bob"]);
    assert_eq!(found("gross"), ["bob"]);
    assert_eq!(found("BO"), ["bob"], "a search by key finds it as well");
    assert_eq!(found("Ali"), ["alice"]);
    acme.update(|tx| tx.user("bob")?.set_name(None)?.done()).unwrap();
    assert_eq!(acme.now().user("bob").unwrap().name(), "bob");
    assert!(found("jürgen").is_empty());
    for bad in ["", "a\0", &"n".repeat(256)] {
        let error = acme.update(|tx| tx.user("bob")?.set_name(Some(bad))?.done()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// The recipe of the cookbook.
#[path = "../../examples/directory/synchronise.rs"]
mod synchronise;
#[path = "../../examples/directory/csv.rs"]
mod csv;
#[path = "../../examples/directory/scim.rs"]
mod scim;

use synchronise::{Department, Directory, Person, synchronise as synchronise_with};

/// `people` in ten departments `d0` to `d9`; `d1` to `d9` are part of `d0`.
fn company(people: usize) -> Directory {
    let person = |n: usize| {
        let (id, mail, name) = (format!("u{n}"), format!("p{n:03}@acme.com"), format!("Person {n}"));
        Person { id, mail, name, active: true }
    };
    let department = |n: usize| Department {
        id: format!("d{n}"),
        name: format!("Department {n}"),
        parents: if n == 0 { Vec::new() } else { vec!["d0".to_owned()] },
        members: (0..people).filter(|at| at % 10 == n).map(|at| format!("u{at}")).collect(),
    };
    Directory { people: (0..people).map(person).collect(), departments: (0..10).map(department).collect() }
}

/// A tenant in step with a company of 400, whose whole staff may read and whose `d3` may write.
fn staffed() -> (Tenant, Directory) {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let company = company(400);
    synchronise_with(&acme, &company).unwrap();
    acme.update(|tx| {
        for role in ["reader", "writer"] {
            tx.create_permission(role)?;
            tx.create_role(role)?.grant(role)?;
        }
        tx.group("department-0")?.assign("reader")?;
        tx.group("department-3")?.assign("writer")?;
        Ok(())
    })
    .unwrap();
    (acme, company)
}

fn leave(company: &mut Directory, ids: &[&str]) {
    company.people.retain(|person| !ids.contains(&person.id.as_str()));
    for department in &mut company.departments {
        department.members.retain(|id| !ids.contains(&id.as_str()));
    }
}

#[test]
fn f06_a_directory_is_followed_through_joiners_leavers_movers_and_renames() {
    let (acme, mut company) = staffed();
    assert!(acme.check("p003@acme.com", "writer") && acme.check("p003@acme.com", "reader"));
    assert!(synchronise_with(&acme, &company).unwrap().is_empty(), "the same list changes nothing");
    let revision = acme.revision();

    // A joiner, a leaver, a mover, a new name and address, and a new name of a department.
    let before = company.clone();
    leave(&mut company, &["u13"]);
    company.people.push(Person { id: "new".into(), mail: "new@acme.com".into(), name: "New".into(), active: true });
    company.departments[3].members.push("new".into());
    company.departments[3].members.retain(|id| id != "u23");
    company.departments[4].members.push("u23".into());
    company.people[3].mail = "adams@acme.com".into();
    company.departments[3].name = "Writers".into();
    let mut log = synchronise_with(&acme, &company).unwrap();
    // Changes of one kind are in the order of ids, which are random.
    log[4..8].sort();
    assert_eq!(
        log,
        [
            "`Writers`: added `new@acme.com`",
            "`Writers`: removed `p013@acme.com`",
            "`Writers`: removed `p023@acme.com`",
            "`Department 4`: added `p023@acme.com`",
            "changed group `department-3`: name `Department 3` → `Writers`",
            "changed user `p013@acme.com`: status `active` → `suspended`",
            "created user `new@acme.com`",
            "renamed user `p003@acme.com` to `adams@acme.com`",
            "user `p013@acme.com` loses `reader`, `writer`",
            "user `p023@acme.com` loses `writer`",
            "user `new@acme.com` gains `reader`, `writer`",
        ]
    );
    assert_eq!(acme.revision(), revision.next(), "one commit");
    assert!(acme.check("adams@acme.com", "writer") && acme.now().user("p003@acme.com").is_none());
    let writers = acme.now().group(External { manager: "okta", id: "d3" }).unwrap();
    assert_eq!((writers.slug.as_str(), writers.name.as_str()), ("department-3", "Writers"), "found by external id");
    assert_eq!(acme.now().user("p013@acme.com").unwrap().status, Status::Suspended);

    // The leaver comes back, with the local assignments.
    synchronise_with(&acme, &before).unwrap();
    assert!(acme.check("p013@acme.com", "writer") && !acme.check("new@acme.com", "reader"));

    // A new department, later dissolved.
    company = before;
    company.departments.push(Department {
        id: "t".into(),
        name: "Tiny".into(),
        parents: vec!["d3".into()],
        members: vec!["u1".into()],
    });
    synchronise_with(&acme, &company).unwrap();
    assert!(acme.check("p001@acme.com", "writer"));
    company.departments.pop();
    synchronise_with(&acme, &company).unwrap();
    assert!(!acme.check("p001@acme.com", "writer") && acme.now().group("tiny").is_none());
}

#[test]
fn f06_a_list_without_the_links_between_departments_is_refused() {
    let (acme, mut company) = staffed();
    let revision = acme.revision();
    for department in &mut company.departments {
        department.parents.clear();
    }
    let refused = synchronise_with(&acme, &company).unwrap_err();
    assert!(refused.to_string().ends_with("is the list complete?"), "{refused}");
    assert_eq!(acme.revision(), revision);
}

#[test]
fn addresses_and_parents_change_places_in_one_transaction() {
    let (acme, mut company) = staffed();
    let id = |tenant: &Tenant, id| tenant.now().user(External { manager: "okta", id }).unwrap();
    let (one, two) = (id(&acme, "u1"), id(&acme, "u2"));
    company.people[1].mail = two.key.to_string();
    company.people[2].mail = one.key.to_string();
    // d3 was part of d0; now d0 is part of d3. Nobody loses access.
    acme.update(|tx| tx.group("department-3")?.assign("reader")?.done()).unwrap();
    company.departments[3].parents.clear();
    company.departments[0].parents.push("d3".into());
    synchronise_with(&acme, &company).unwrap();
    assert_eq!((id(&acme, "u1").key, id(&acme, "u2").key), (two.key, one.key));
    let parents = acme.now().parents_of("department-0");
    assert_eq!(parents.iter().map(|parent| parent.record.slug.as_str()).collect::<Vec<_>>(), ["department-3"]);
    assert!(synchronise_with(&acme, &company).unwrap().is_empty());
}

#[test]
fn an_address_of_a_leaver_never_gives_away_its_roles() {
    let (acme, mut company) = staffed();
    acme.update(|tx| tx.user("p013@acme.com")?.assign("writer")?.done()).unwrap();
    leave(&mut company, &["u13"]);
    company.people.push(Person { id: "b".into(), mail: "p013@acme.com".into(), name: "B".into(), active: true });
    company.departments[0].members.push("b".into());
    synchronise_with(&acme, &company).unwrap();
    assert!(acme.check("p013@acme.com", "reader") && !acme.check("p013@acme.com", "writer"), "the new person");
    let former = acme.now().user(External { manager: "okta", id: "u13" }).unwrap();
    assert!(former.status == Status::Suspended && former.key.as_str().starts_with("p013@acme.com ("), "{former:?}");

    // A local user is not adopted either: the error names the address, and nothing is changed.
    let revision = acme.update(|tx| tx.create_user("local@acme.com")?.done()).unwrap().revision;
    company.people.push(Person { id: "l".into(), mail: "local@acme.com".into(), name: "L".into(), active: true });
    let error = synchronise_with(&acme, &company).unwrap_err().to_string();
    assert!(error.contains("local@acme.com") && acme.revision() == revision, "{error}");
}

#[test]
fn f06_an_incomplete_or_contradictory_list_changes_nothing() {
    type Damage = fn(&mut Directory);
    let cases: &[(&str, Damage)] = &[
        ("refused: the directory lists nobody", |company| *company = Directory::default()),
        ("refused: 799 removals, more than 10", |company| {
            company.people.truncate(1);
            company.departments.iter_mut().for_each(|department| department.members.clear());
        }),
        ("refused: 400 removals, more than 10", |company| {
            let half: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
            leave(company, &half.iter().map(String::as_str).collect::<Vec<_>>());
        }),
        ("refused: 200 removals, more than 10", |company| company.people.truncate(200)),
        ("refused: 205 removals, more than 20", |company| company.departments.truncate(5)),
        ("refused: the directory lists `u7` twice", |company| company.people.push(company.people[7].clone())),
        ("refused: the directory lists `d7` twice", |company| company.departments.push(company.departments[7].clone())),
        ("user `p007@acme.com` already exists", |company| company.people[8].mail = "p007@acme.com".into()),
        ("invalid user key ``", |company| company.people[7].mail.clear()),
        ("user with the external id `unknown` of `okta` not found", |company| {
            company.departments[1].members.push("unknown".into());
        }),
        ("group with the external id `unknown` of `okta` not found", |company| {
            company.departments[1].parents.push("unknown".into());
        }),
    ];
    let (acme, company) = staffed();
    let revision = acme.revision();
    for (expected, damage) in cases {
        let mut damaged = company.clone();
        damage(&mut damaged);
        let error = synchronise_with(&acme, &damaged).unwrap_err().to_string();
        assert!(error.starts_with(expected), "expected {expected}, found {error}");
        assert_eq!(acme.revision(), revision);
    }
}

/// A name of the directory cannot imitate a line of the log, or the end of an error.
#[test]
fn f10_no_name_of_a_directory_can_forge_a_line() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let mut company = company(2);
    company.departments[0].name = "Sales`: added `root@acme.com\u{202e}".into();
    company.people[0].mail = "eve@acme.com` gains `billing:pay".into();
    let mut log = synchronise_with(&acme, &company).unwrap();
    log.retain(|line| !line.starts_with("created "));
    assert!(
        log.contains(
            &r"`Sales\u{60}: added \u{60}root@acme.com\u{202e}`: added `eve@acme.com\u{60} gains \u{60}billing:pay`"
                .to_owned()
        ),
        "{log:?}"
    );
    company.people[1].id = "1` twice; refused: `2\n".into();
    company.people.push(company.people[1].clone());
    let error = synchronise_with(&acme, &company).unwrap_err().to_string();
    assert_eq!(error, r"refused: the directory lists `1\u{60} twice; refused: \u{60}2\n` twice");
}

/// Another process commits between each plan and its commit. The recipe gives up, and has changed nothing.
#[test]
fn f04_a_directory_beside_a_process_that_commits_all_the_time_ends() {
    struct Busy(Tenant, AtomicUsize);
    impl Clock for Busy {
        fn now(&self) -> Timestamp {
            let n = self.1.fetch_add(1, Ordering::Relaxed);
            self.0.update(|tx| tx.create_user(&format!("busy-{n}"))?.done()).unwrap();
            SystemClock.now()
        }
    }
    let store = MemoryStore::default();
    let elsewhere = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    let clock = Busy(elsewhere.clone(), AtomicUsize::new(0));
    let here = Authorizer::builder().store(store).clock(clock).build().tenant("acme").unwrap();
    let error = synchronise_with(&here, &company(20)).unwrap_err().to_string();
    assert!(error.starts_with("others commit all the time"), "{error}");
    elsewhere.refresh().unwrap();
    let now = elsewhere.now();
    assert!(now.user("busy-9").is_some() && now.users_managed_by("okta").count() == 0);
}

#[test]
fn an_empty_list_is_refused_in_a_small_company_too() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    synchronise_with(&acme, &company(2)).unwrap();
    let revision = acme.revision();
    assert!(synchronise_with(&acme, &Directory::default()).is_err());
    assert_eq!(acme.revision(), revision);
}

#[test]
fn a_directory_is_read_from_csv_and_from_scim() {
    let departments = "id,name,parent-id\ne,Engineering,\nb,\"Backend, Platform\",e\n";
    let people =
        "id,email,name,department-id,manager-id\n1,Alice@acme.com,\"Adams, Alice\",b,\n2,bob@acme.com,Bob,e,1\n";
    let json = r#"{
        "users": [
            { "id": "1", "userName": "Alice@acme.com", "displayName": "Adams, Alice", "active": true },
            { "id": "2", "userName": "bob@acme.com", "displayName": "Bob", "active": true }
        ],
        "groups": [
            { "id": "e", "displayName": "Engineering", "members": [
                { "value": "2", "type": "User" }, { "value": "b", "type": "Group" }] },
            { "id": "b", "displayName": "Backend, Platform", "members": [{ "value": "1" }] }
        ]
    }"#;
    let (from_csv, from_scim) = (csv::read(people, departments).unwrap(), scim::read(json).unwrap());
    assert_eq!(format!("{from_csv:?}"), format!("{from_scim:?}"));
    let with_mark = scim::read(&format!("\u{feff}{json}")).unwrap();
    assert_eq!(format!("{with_mark:?}"), format!("{from_scim:?}"));
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    synchronise_with(&acme, &from_csv).unwrap();
    assert_eq!(acme.now().all_members("engineering").keys(), ["alice@acme.com", "bob@acme.com"]);
    assert_eq!(acme.now().user("alice@acme.com").unwrap().name(), "Adams, Alice");

    let inactive = scim::read(&json.replacen("true", "false", 1)).unwrap();
    synchronise_with(&acme, &inactive).unwrap();
    assert_eq!(acme.now().user("alice@acme.com").unwrap().status, Status::Suspended);

    let table = [
        ("3,,No Mail,b,", "people: `3` (``) has no id or no e-mail address"),
        (",c@acme.com,C,b,", "people: `` (`c@acme.com`) has no id or no e-mail address"),
        ("3,,No Mail,b", "people: CSV error: record 3 (line: 4, "),
        ("3,c@acme.com", "people: CSV error: record 3 (line: 4, "),
        ("3,c@acme.com,C,nowhere,", "people: `3`: no department `nowhere`"),
    ];
    for (bad, expected) in table {
        let error = csv::read(&format!("{people}{bad}\n"), departments).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(scim::read(&json.replacen("\"userName\"", "\"user\"", 1)).is_err());
}

#[test]
fn the_cookbook_shows_the_recipe_that_is_tested() {
    let recipe = include_str!("../../examples/directory/synchronise.rs").replace("pub(crate) ", "");
    let (_, code) = recipe.split_once("\n\n").unwrap();
    assert!(include_str!("../../src/docs/cookbook.md").contains(code.trim()), "examples/directory/synchronise.rs");
}

#[test]
fn managed_users_and_groups_are_created_once_and_never_taken_from_others() {
    let acme = acme();
    let person = External { manager: "okta", id: "p" };
    let refused = acme.update(|tx| tx.ensure_managed_user(person, "p").map(drop)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Managed);
    acme.update(|tx| {
        tx.set_manager("okta")?;
        assert_eq!(tx.ensure_managed_user(person, "bob").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(tx.ensure_managed_user(person, "").unwrap_err().kind(), ErrorKind::Invalid);
        let user = tx.ensure_managed_user(person, "pat")?.id()?;
        assert_eq!(tx.ensure_managed_user(person, "bob")?.id()?, user, "an existing user keeps its key");
        let groups = ["1", "2", "2"].map(|id| External { manager: "okta", id });
        let ids = groups.map(|group| tx.ensure_managed_group(group, "Local").and_then(|edit| edit.id()).unwrap());
        assert!(ids[0] != ids[1] && ids[1] == ids[2]);
        Ok(())
    })
    .unwrap();
    let now = acme.now();
    let slugs: Vec<_> = now.groups_managed_by("okta").map(|group| group.slug.to_string()).collect();
    assert_eq!(slugs, ["eng", "local-1", "local-2", "sub"]);
    let keys: Vec<_> = now.users_managed_by("okta").map(|user| user.key.to_string()).collect();
    assert_eq!(keys, ["alice", "dave", "pat"]);
    assert!(now.group("local").unwrap().managed_by().is_none() && now.users_managed_by("Okta").count() == 0);
    acme.update(|tx| {
        let staff = tx.create_group("mixed")?;
        for user in ["pat", "bob", "alice", "dave"] {
            staff.add_member(user)?;
        }
        let until = tx.instant().saturating_add(std::time::Duration::from_secs(1));
        staff.set_member_window("dave", rolecall::Window::until(until))?;
        tx.create_group("mixed-sub")?.add_parent("mixed")?.done()
    })
    .unwrap();
    let later = acme.now().instant().saturating_add(std::time::Duration::from_secs(9));
    let (snapshot, mut found) = (acme.snapshot(), Vec::new());
    for (group, manager) in [("mixed", "okta"), ("mixed", "Okta"), ("mixed-sub", "okta"), ("nothing", "okta")] {
        let members = snapshot.at(later);
        found.push(members.members_managed_by(group, manager).map(|user| user.key.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(found, [vec!["alice".to_owned(), "dave".to_owned(), "pat".to_owned()], vec![], vec![], vec![]]);
}

#[test]
fn f06_two_sources_of_one_membership_do_not_take_from_each_other() {
    let acme = acme();
    acme.update(|tx| {
        tx.create_group("vpn")?.assign("reader")?;
        tx.create_group("vpn-payroll")?.add_parent("vpn")?.set_members(["bob", "carol"])?;
        tx.create_group("vpn-projects")?.add_parent("vpn")?.set_members(["bob"])?;
        tx.group("vpn-payroll")?.set_members(["carol"])?;
        Ok(())
    })
    .unwrap();
    assert_eq!(acme.now().all_members("vpn").keys(), ["bob", "carol"]);
}

#[test]
fn changes_are_counted_by_kind() {
    use rolecall::records::RecordKind;
    let acme = acme();
    let ((), plan) = acme
        .plan(|tx| {
            tx.create_user("new")?.join("local")?;
            tx.user("carol")?.suspend()?;
            tx.user("bob")?.join("local")?;
            tx.group("own")?.remove_member("alice")?.done()
        })
        .unwrap();
    let counts = |kind| {
        let count = plan.count(kind);
        (count.added, count.changed, count.removed)
    };
    assert_eq!(counts(RecordKind::User), (1, 1, 0));
    assert_eq!(counts(RecordKind::Membership), (2, 0, 1));
    assert_eq!(counts(RecordKind::Group), (0, 0, 0));
}
