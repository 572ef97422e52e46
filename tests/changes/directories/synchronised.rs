//! The recipe of the cookbook that follows a directory.

use super::*;

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
fn f6_a_directory_is_followed_through_joiners_leavers_movers_and_renames() {
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
    let log = synchronise_with(&acme, &company).unwrap();
    assert_eq!(
        log,
        [
            "joiners: 1, leavers: 1, renamed: 1, movers: 1; departments created: 0, renamed: 1, no longer listed: 0",
            "`Department 4`: added `p023@acme.com`",
            "`Writers`: added `new@acme.com`",
            "`Writers`: removed `p013@acme.com`",
            "`Writers`: removed `p023@acme.com`",
            "changed group `department-3`: name `Department 3` → `Writers`",
            "changed user `p013@acme.com`: status `active` → `suspended`",
            "created user `new@acme.com`",
            "renamed user `p003@acme.com` to `adams@acme.com`",
            "user `new@acme.com` gains `reader`, `writer`",
            "user `p013@acme.com` loses `reader`, `writer`",
            "user `p023@acme.com` loses `writer`",
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
}

#[test]
fn f6_a_department_that_is_not_listed_keeps_its_roles() {
    let (acme, mut company) = staffed();
    company.departments.push(Department {
        id: "t".into(),
        name: "Tiny".into(),
        parents: vec!["d3".into()],
        members: vec!["u1".into()],
    });
    synchronise_with(&acme, &company).unwrap();
    acme.update(|tx| {
        tx.create_permission("tiny")?;
        tx.create_role("tiny")?.grant("tiny")?;
        tx.group("tiny")?.assign("tiny")?.done()
    })
    .unwrap();
    assert!(acme.check("p001@acme.com", "writer") && acme.check("p001@acme.com", "tiny"));

    // One bad answer.
    let tiny = company.departments.pop().unwrap();
    let log = synchronise_with(&acme, &company).unwrap();
    assert_eq!(
        log,
        [
            "joiners: 0, leavers: 0, renamed: 0, movers: 1; departments created: 0, renamed: 0, no longer listed: 1",
            "`Tiny`: no longer listed, keeps its roles; an administrator may delete it",
            "`Tiny`: removed `p001@acme.com`",
            "removed parent link of `tiny` to `department-3`",
            "user `p001@acme.com` loses `tiny`, `writer`",
        ]
    );
    assert!(acme.now().parents_of("tiny").is_empty() && acme.now().member_count("tiny") == Some(0));
    assert!(synchronise_with(&acme, &company).unwrap().is_empty(), "it is said once");

    // A department of the same name does not get its roles.
    company.departments.push(Department { id: "t2".into(), ..tiny.clone() });
    synchronise_with(&acme, &company).unwrap();
    assert!(acme.check("p001@acme.com", "writer") && !acme.check("p001@acme.com", "tiny"));

    // The next answer has it again.
    company.departments.pop();
    company.departments.push(tiny);
    synchronise_with(&acme, &company).unwrap();
    assert!(acme.check("p001@acme.com", "writer") && acme.check("p001@acme.com", "tiny"));

    // It was dissolved indeed: an administrator deletes it.
    company.departments.pop();
    synchronise_with(&acme, &company).unwrap();
    acme.update(|tx| tx.set_manager("okta")?.delete_group("tiny")).unwrap();
    assert!(synchronise_with(&acme, &company).unwrap().is_empty());
}

/// A leaver counts once, whatever they lose, and so does somebody who moves. A refused plan can be looked
/// at and committed.
#[test]
fn a_limit_counts_people_and_a_refused_plan_can_be_committed() {
    let (acme, mut company) = staffed();
    // 3.5 % of the people on one day: seven leave the company, and seven move from one department to another.
    let leavers: Vec<String> = (0..7).map(|n| format!("u{}", n * 10 + 3)).collect();
    let movers: Vec<String> = (10..17).map(|n| format!("u{}", n * 10 + 3)).collect();
    leave(&mut company, &leavers.iter().map(String::as_str).collect::<Vec<_>>());
    company.departments[3].members.retain(|id| !movers.contains(id));
    company.departments[4].members.extend(movers);

    // Everybody else in `d3` loses only access: its link is missing.
    let mut broken = company.clone();
    broken.departments[3].parents.clear();
    // All of `d5` move to `d6`.
    let fifth = std::mem::take(&mut broken.departments[5].members);
    broken.departments[6].members.extend(fifth);
    let refused = preview(&acme, &broken, usual_limit(&broken)).unwrap();
    assert_eq!(
        refused.refusal.unwrap(),
        "refused: 80 people and 1 department would lose something (7 suspended, 47 leave a department, 26 lose only \
         access, 1 department all members), more than 19; is the list complete?"
    );
    assert_eq!(
        refused.lines[0],
        "joiners: 0, leavers: 7, renamed: 0, movers: 47; departments created: 0, renamed: 0, no longer listed: 0"
    );

    let limits =
        [(14, None), (13, Some("refused: 14 people would lose something (7 suspended, 7 leave a department), "))];
    for (limit, expected) in limits {
        let refusal = preview(&acme, &company, limit).unwrap().refusal;
        assert_eq!(refusal.is_some(), expected.is_some());
        assert!(refusal.is_none_or(|text| text.starts_with(expected.unwrap())));
    }
    assert!(synchronise(&acme, &company, 13).is_err());
    let (confirmed, other) = (preview(&acme, &company, 13).unwrap(), preview(&acme, &company, 13).unwrap());
    acme.commit(confirmed.plan).unwrap();
    assert!(!acme.check("p003@acme.com", "reader"));
    assert_eq!(acme.commit(other.plan).unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn f6_a_list_without_the_links_between_departments_is_refused() {
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
fn f6_an_incomplete_or_contradictory_list_changes_nothing() {
    type Damage = fn(&mut Directory);
    let cases: &[(&str, Damage)] = &[
        ("refused: the directory lists nobody", |company| *company = Directory::default()),
        (
            "refused: 400 people and 10 departments would lose something (399 suspended, 1 leaves a department, 10 departments all members), \
             more than 10;",
            |company| {
                company.people.truncate(1);
                company.departments.iter_mut().for_each(|department| department.members.clear());
            },
        ),
        ("refused: 200 people would lose something (200 suspended, 0 leave a department), more than 10;", |company| {
            let half: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
            leave(company, &half.iter().map(String::as_str).collect::<Vec<_>>());
        }),
        ("refused: `Department 0` has the member `u200`, which is not listed; is the list complete?", |company| {
            company.people.truncate(200);
        }),
        (
            "refused: 200 people and 5 departments would lose something (0 suspended, 200 leave a department, 5 departments \
             all members), more than 20;",
            |company| company.departments.truncate(5),
        ),
        ("refused: the directory lists `u7` twice", |company| company.people.push(company.people[7].clone())),
        ("refused: the directory lists `d7` twice", |company| company.departments.push(company.departments[7].clone())),
        ("refused: the directory lists `p007@acme.com` twice", |company| {
            company.people[8].mail = "p007@acme.com".into();
        }),
        ("invalid user key ``", |company| company.people[7].mail.clear()),
        ("refused: `Department 1` has the member `unknown`, which is not listed", |company| {
            company.departments[1].members.push("unknown".into());
        }),
        ("refused: `Department 1` has the member `u399`, which is not listed", |company| {
            company.people.pop();
            company.departments[1].members.push("u399".into());
        }),
        ("refused: `Department 1` has the parent `unknown`, which is not listed", |company| {
            company.departments[1].parents.push("unknown".into());
        }),
        ("refused: `Department 1` has the parent `d0`, which is not listed", |company| {
            company.departments.remove(0);
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
fn f4_a_synchronisation_beside_a_busy_process_ends() {
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
    let recipe = include_str!("../../../examples/directory/synchronise.rs").replace("pub(crate) ", "");
    let (_, code) = recipe.split_once("\n\n").unwrap();
    assert!(include_str!("../../../src/docs/cookbook.md").contains(code.trim()), "examples/directory/synchronise.rs");
}
