//! P12: importing a document, compared with parsing the same text into plain structs.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::Document;
use serde::Deserialize;

use super::common::Workload;
use super::common::fixed_store::FixedStore;
use super::table::{Goal, Table};
use super::{nanos, pick};

pub(super) fn documents<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if !table.wants("P12") {
        return;
    }
    let text = workload.tenant.snapshot().export().unwrap().to_json();
    println!("     a document of {} bytes", text.len());
    let mut race = table.race("P12", &format!("import/{}", workload.size.name));
    race.enter("rolecall", || {
        let authorizer = FixedStore::new(Arc::from([])).authorizer(None);
        let start = Instant::now();
        let document = Document::from_json(text.as_bytes()).unwrap();
        let tenant = authorizer.import(&document).unwrap();
        let took = start.elapsed();
        assert_eq!(tenant.now().users(&rolecall::PageRequest::of(1)).items.len(), 1);
        nanos(took)
    });
    race.enter("serde_json", || {
        let start = Instant::now();
        let parsed: PlainDocument = black_box(serde_json::from_str(&text).unwrap());
        let took = start.elapsed();
        assert_eq!(parsed.users.len(), workload.organisation.users.len());
        nanos(took)
    });
    race.run(if workload.size.name == "L" { 3 } else { 5 });
    race.ratio("P12", "rolecall", "serde_json", pick(workload.size.name, [Goal::None, Goal::None, Goal::AtMost(3.0)]));
}

/// The structs that an application would write.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the bench times parsing it")]
struct PlainDocument {
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

/// A name, or a name with a window.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "as above")]
enum Holding {
    Plain(String),
    In { from: Option<String>, until: Option<String> },
}
