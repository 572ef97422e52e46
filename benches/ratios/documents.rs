//! P12: a tenant from a document, beside what it takes to read the same text into plain structs.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::Document;
use serde::Deserialize;

use super::common::Bed;
use super::common::shelf::Shelf;
use super::table::{Goal, Table};
use super::{nanos, pick};

pub(super) fn documents<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    if !table.wants("P12") {
        return;
    }
    let text = bed.tenant.snapshot().export().unwrap().to_json();
    println!("     a document of {} bytes", text.len());
    let mut race = table.race("P12", &format!("import/{}", bed.size.name));
    race.enter("rolecall", || {
        let authorizer = Shelf::new(Arc::from([])).authorizer(None);
        let start = Instant::now();
        let document = Document::from_json(text.as_bytes()).unwrap();
        let tenant = authorizer.import(&document).unwrap();
        let took = start.elapsed();
        assert_eq!(tenant.now().users(&rolecall::PageRequest::of(1)).items.len(), 1);
        nanos(took)
    });
    race.enter("serde_json", || {
        let start = Instant::now();
        let plain: Plain = black_box(serde_json::from_str(&text).unwrap());
        let took = start.elapsed();
        assert_eq!(plain.users.len(), bed.organisation.users.len());
        nanos(took)
    });
    race.run(if bed.size.name == "L" { 3 } else { 5 });
    race.ratio("P12", "rolecall", "serde_json", pick(bed.size.name, [Goal::None, Goal::None, Goal::AtMost(3.0)]));
}

/// What an application would write for itself.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read into it is what is timed")]
struct Plain {
    tenant: Named,
    permissions: Vec<Named>,
    roles: Vec<Role>,
    groups: Vec<Group>,
    users: Vec<User>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Named {
    slug: String,
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Role {
    slug: String,
    id: Option<String>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    includes: Vec<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Group {
    slug: String,
    id: Option<String>,
    #[serde(default)]
    parents: Vec<String>,
    #[serde(default)]
    roles: Vec<Holding>,
    #[serde(default)]
    members: Vec<Holding>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct User {
    key: String,
    id: Option<String>,
    status: Option<String>,
    #[serde(default)]
    roles: Vec<Holding>,
}

/// A plain name, or one with a window.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "as above")]
enum Holding {
    Plain(String),
    In { from: Option<String>, until: Option<String> },
}
