//! Keeps a tenant in step with a company's directory: joiners, leavers, movers, renamed people and departments.
//!
//! ```text
//! cargo run --example directory                                   # a small company, on two days
//! cargo run --example directory -- PEOPLE.csv DEPARTMENTS.csv     # what a first synchronisation would do
//! cargo run --release --example directory -- measure              # 100,000 people in 500 departments
//! ```

#[path = "directory/csv.rs"]
mod csv;
#[path = "directory/scim.rs"]
mod scim;
#[path = "directory/synchronise.rs"]
mod synchronise;

use std::error::Error;
use std::time::Instant;

use rolecall::blocking::{Authorizer, Tenant};
use synchronise::{Department, Directory, Person, preview, synchronise, usual_limit};

const MONDAY: &str = r#"{
  "users": [
    { "id": "1", "userName": "alice@acme.com", "displayName": "Alice Adams", "active": true },
    { "id": "2", "userName": "bob@acme.com", "displayName": "Bob Brown", "active": true }
  ],
  "groups": [
    { "id": "g1", "displayName": "Engineering", "members": [{ "value": "g2", "type": "Group" }] },
    { "id": "g2", "displayName": "Backend", "members": [{ "value": "1" }, { "value": "2" }] }
  ]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    match args.as_slice() {
        [] => two_days(&acme),
        [word] if word == "measure" => measure(&acme),
        [people, departments] => {
            let directory = csv::read(&std::fs::read_to_string(people)?, &std::fs::read_to_string(departments)?)?;
            let preview = preview(&acme, &directory, usual_limit(&directory))?;
            show(&preview.lines);
            preview.refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
        }
        _ => Err("usage: directory [measure | PEOPLE.csv DEPARTMENTS.csv]".into()),
    }
}

fn show(log: &[String]) {
    for line in log {
        println!("  {line}");
    }
}

fn two_days(acme: &Tenant) -> Result<(), Box<dyn Error>> {
    println!("Monday:");
    let monday = scim::read(MONDAY)?;
    show(&synchronise(acme, &monday, usual_limit(&monday))?);
    // Roles are assigned locally, once.
    acme.update(|tx| {
        tx.create_permission("code:push")?;
        tx.create_role("developer")?.grant("code:*")?;
        tx.group("engineering")?.assign("developer")?;
        Ok(())
    })?;
    println!("Tuesday: Bob has left, and Backend is called Platform.");
    let mut tuesday = scim::read(&MONDAY.replace("Backend", "Platform"))?;
    tuesday.people.retain(|person| person.id != "2");
    tuesday.departments.iter_mut().for_each(|department| department.members.retain(|id| id != "2"));
    show(&synchronise(acme, &tuesday, usual_limit(&tuesday))?);
    assert!(acme.check("alice@acme.com", "code:push") && !acme.check("bob@acme.com", "code:push"));
    Ok(())
}

fn measure(acme: &Tenant) -> Result<(), Box<dyn Error>> {
    let mut company = Directory::default();
    for n in 0..500 {
        let parents = if n < 20 { Vec::new() } else { vec![format!("g{}", n % 20)] };
        company.departments.push(Department {
            id: format!("g{n}"),
            name: format!("Department {n}"),
            parents,
            members: Vec::new(),
        });
    }
    for n in 0..100_000 {
        let (id, mail, name) = (format!("00u{n}"), format!("person{n:06}@company.example"), format!("Person {n}"));
        company.people.push(Person { id, mail, name, active: true });
        let at = n % company.departments.len();
        if let Some(department) = company.departments.get_mut(at) {
            department.members.push(format!("00u{n}"));
        }
    }
    println!("first: {:?}", timed(acme, &company)?);
    acme.update(|tx| {
        tx.create_permission("code:push")?;
        tx.create_role("developer")?.grant("code:*")?;
        tx.group(rolecall::snapshot::External { manager: "okta", id: "g1" })?.assign("developer")?;
        Ok(())
    })?;
    let mut times = Vec::new();
    for _ in 0..5 {
        // 200 people move to another department.
        for n in 0..200 {
            let moving = company.departments.get_mut(n).and_then(|department| department.members.pop());
            if let Some((id, next)) = moving.zip(company.departments.get_mut((n + 250) % 500)) {
                next.members.push(id);
            }
        }
        let (lines, time) = timed(acme, &company)?;
        println!("200 people move: {lines} lines, {time:?}");
        times.push(time);
    }
    times.sort();
    println!("200 people move: {:?} in the median", times.get(times.len() / 2).copied().unwrap_or_default());
    println!("no change: {:?}", timed(acme, &company)?);
    Ok(())
}

/// Returns the number of log lines and the time.
fn timed(acme: &Tenant, company: &Directory) -> Result<(usize, std::time::Duration), Box<dyn Error>> {
    let start = Instant::now();
    let lines = synchronise(acme, company, usual_limit(company))?.len();
    Ok((lines, start.elapsed()))
}
