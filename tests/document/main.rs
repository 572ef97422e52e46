//! The organisation document: its mistakes and their places, round trips, and replacing a tenant.

#![cfg(feature = "json")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod mistakes;
mod replace;
mod round_trips;
mod shape;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::records::Record;
use rolecall::store::{MemoryStore, Store as _};
use rolecall::{Document, Timestamp};
use serde_json::Value;

const ACME: &str = include_str!("../fixtures/acme.json");

fn document(json: &Value) -> Document {
    Document::from_json(json.to_string().as_bytes()).unwrap()
}

fn acme() -> Document {
    Document::from_json(ACME.as_bytes()).unwrap()
}

fn export(tenant: &Tenant) -> Document {
    tenant.snapshot().export().unwrap()
}

fn at(instant: &str) -> Timestamp {
    Timestamp::parse(instant).unwrap()
}

/// The catalog of an application's first release, with its retired slugs.
fn first_release() -> Catalog {
    let definition = Definition {
        permissions: &[PermissionDef::new("billing:read"), PermissionDef::new("billing:write")],
        roles: &[
            RoleDef { grants: &["billing:read"], ..RoleDef::new("clerk") },
            RoleDef { grants: &["billing:*"], includes: &["clerk"], ..RoleDef::new("accountant") },
        ],
        retired_permissions: &["billing:all"],
        retired_roles: &["bookkeeper"],
        reserved_permission_prefixes: &["invoices:"],
        reserved_role_prefixes: &["billing-"],
    };
    Catalog::new(&definition).unwrap()
}

/// The catalog of the next release: a permission and a role are removed, and a role is renamed.
fn second_release() -> Catalog {
    let definition = Definition {
        permissions: &[PermissionDef::new("billing:read")],
        roles: &[RoleDef { grants: &["billing:read"], renamed_from: &["clerk"], ..RoleDef::new("billing-clerk") }],
        ..Definition::default()
    };
    Catalog::new(&definition).unwrap()
}

fn authorizer(catalog: &Catalog) -> (Authorizer, MemoryStore) {
    let store = MemoryStore::default();
    (Authorizer::builder().store(store.clone()).catalog(catalog).build(), store)
}

/// The records in the store, in the order of kinds and keys.
fn stored(store: &MemoryStore, tenant: &Tenant) -> Vec<Record> {
    let mut records = Vec::new();
    pollster::block_on(store.load(tenant.tenant_id(), &mut records)).unwrap();
    records
}

/// Every decision for these users and permissions at an instant.
fn answers(tenant: &Tenant, instant: &str) -> Vec<String> {
    let snapshot = tenant.snapshot();
    let moment = snapshot.at(at(instant));
    let users = moment.users(&rolecall::PageRequest::of(usize::MAX)).items;
    let lines = users.iter().flat_map(|user| {
        let slugs = moment.effective(user.id).slugs();
        slugs.into_iter().map(|slug| format!("{}\t{slug}", user.key)).collect::<Vec<_>>()
    });
    lines.collect()
}
