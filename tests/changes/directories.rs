//! Users and groups that a directory manages (R16), their external ids, and whole lists of members.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

mod synchronised;

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
    ("the tenant", |tx| tx.set_tenant_slug("acme2")?.set_tenant_name("Acme 2")?.done()),
    ("the end of the tenant", Tx::delete_tenant),
];

#[test]
fn r16_every_call_lets_only_the_directory_change_its_users_and_groups() {
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
            // Only a gift is a matter of the code that acts for the directory.
            assert_eq!(error.gives_to_manager(), text.contains("`set_manager`"), "{text}");
            let gives = " cannot be given to `okta`: the transaction does not act for it; use `set_manager` to act for that directory";
            let relation = if text.contains(" is a parent of ") { "parent link" } else { "membership" };
            let member = &format!(
                "`, which is managed by `okta`; only a change that acts for `okta` may remove this {relation}"
            );
            assert_eq!(error.gives_to_manager(), text.contains(gives), "{text}");
            assert_eq!(
                error.relation().is_some(),
                text.contains(&format!("{member}; remove it in the directory")),
                "{text}"
            );
            let plain = text.contains(" is managed by `okta`; change it in the directory") && !text.contains(member);
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
fn r16_a_repeated_change_has_no_effect_and_is_not_an_error() {
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
    // If a parent link is removed, the error names the managed group. If the parent is deleted, the error names the parent,
    // and the group in the relation.
    let error = acme.update(|tx| tx.group("eng")?.remove_parent("wide")?.done()).unwrap_err();
    assert_eq!((error.name(), error.relation().is_none()), (Some("eng"), true));
    let error = acme.update(|tx| tx.delete_group("wide")).unwrap_err();
    assert_eq!((error.name(), error.relation().unwrap().name.as_str()), (Some("wide"), "eng"));
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

use synchronise::{Department, Directory, Person, preview, synchronise, usual_limit};

/// A synchronisation on a usual day.
fn synchronise_with(
    tenant: &Tenant,
    directory: &Directory,
) -> std::result::Result<Vec<String>, Box<dyn std::error::Error>> {
    synchronise(tenant, directory, usual_limit(directory))
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
fn f6_two_sources_of_one_membership_do_not_take_from_each_other() {
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
