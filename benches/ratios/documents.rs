//! P12: importing a document, compared with parsing the same text into plain structs. P21: replacing a tenant by a document.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::Document;
use serde::Deserialize;

use super::common::Workload;
use super::common::fixed_store::{FixedStore, tenant_id};
use super::table::{Goal, Table};
use super::{nanos, pick};

pub(super) fn documents<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if !table.wants("P12") {
        return;
    }
    let text = workload.tenant.snapshot().export().unwrap().to_json();
    println!("     a document of {} bytes", text.len());
    let mut race = table.race("P12", &format!("import/{}", workload.size.name));
    race.enter("rolecall", || import(&text));
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

/// Measures P21: a tenant is replaced by a document in which ten users have other names. The JSON is read in the same turn,
/// as an application that receives the document does.
pub(super) fn replacing<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if workload.size.name == "L" || !table.wants("P21") {
        return;
    }
    let tenant = FixedStore::new(Arc::clone(&workload.records)).open(None);
    let text = tenant.snapshot().export().unwrap().to_json();
    // The turns alternate between the two, so that there are always ten differences.
    let mut documents = ["Ada", "Grace"].map(|name| with_ten_users_renamed(&text, name)).into_iter().cycle();
    let store = FixedStore::new(Arc::clone(&workload.records));
    let mut race = table.race("P21", &format!("replace/{}", workload.size.name));
    race.enter("replace", || {
        let text = documents.next().unwrap();
        let start = Instant::now();
        let document = Document::from_json(text.as_bytes()).unwrap();
        let updated = tenant.replace(&document).unwrap();
        let took = start.elapsed();
        assert_eq!(updated.changes.len(), 10);
        nanos(took)
    });
    race.enter("import", || import(&text));
    race.enter("read_json", || {
        let start = Instant::now();
        let document = black_box(Document::from_json(text.as_bytes()).unwrap());
        let took = start.elapsed();
        drop(document);
        nanos(took)
    });
    race.enter("load", || {
        let authorizer = store.clone().authorizer(None);
        let start = Instant::now();
        let loaded = authorizer.tenant_by_id(tenant_id(0)).unwrap();
        let took = start.elapsed();
        drop(loaded);
        nanos(took)
    });
    race.run(5);
    for other in ["import", "load", "read_json"] {
        race.ratio("P21", "replace", other, Goal::None);
    }
}

/// Imports a document into an empty store. Returns the nanoseconds, with reading the JSON.
fn import(text: &str) -> f64 {
    let authorizer = FixedStore::new(Arc::from([])).authorizer(None);
    let start = Instant::now();
    let document = Document::from_json(text.as_bytes()).unwrap();
    let tenant = authorizer.import(&document).unwrap();
    let took = start.elapsed();
    assert_eq!(tenant.now().users(&rolecall::PageRequest::of(1)).items.len(), 1);
    nanos(took)
}

/// The document, where ten users have this name.
pub(super) fn with_ten_users_renamed(text: &str, name: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
    let users = json["users"].as_array_mut().unwrap();
    let step = users.len() / 10;
    users.iter_mut().step_by(step).take(10).for_each(|user| user["name"] = name.into());
    json.to_string()
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
