//! Imports bytes as an organisation document. They are rejected with a place, or make a tenant whose export is the same.

use std::collections::BTreeMap;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::records::{Record, RecordKey};
use rolecall::store::{MemoryStore, Store};
use rolecall::{Document, ErrorKind, error::Mistake};
use serde_json::Value;

use super::catalogs;

pub(crate) fn run(bytes: &[u8]) {
    let document = match Document::from_json(bytes) {
        Ok(document) => document,
        Err(error) => {
            assert_eq!((error.kind(), error.mistakes().len()), (ErrorKind::Document, 1));
            assert!(error.mistakes()[0].message.starts_with("line "), "{error:?}");
            return;
        }
    };
    let read = Document::from_json(document.to_json().as_bytes()).expect("the output can be parsed");
    assert_eq!(read.to_json(), document.to_json());
    let (tenant, records) = match import(&document) {
        Ok(tenant) => tenant,
        Err(error) => {
            if matches!(error.kind(), ErrorKind::SeparationOfDuties | ErrorKind::AssertionFailed) {
                return;
            }
            assert_eq!(error.kind(), ErrorKind::Document);
            each_mistake_has_a_place(error.mistakes(), &serde_json::from_slice(bytes).expect("a document is JSON"));
            return;
        }
    };
    assert!(tenant.plan_replace(&document).expect("the document is valid").is_empty(), "the document changes nothing");
    let exported = tenant.snapshot().export().expect("the tenant is available");
    let (again, same_records) = import(&exported).expect("an export is valid");
    assert_eq!(same_records, records);
    assert_eq!(again.snapshot().export().expect("the tenant is available").to_json(), exported.to_json());
    assert!(tenant.plan_replace(&exported).expect("the document is valid").is_empty(), "the document changes nothing");
}

/// Imports a document. Returns the tenant and its records in the store.
fn import(document: &Document) -> rolecall::Result<(Tenant, BTreeMap<RecordKey, Record>)> {
    let store = MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).catalog(&catalogs::first()).build();
    let tenant = authorizer.import(document)?;
    let mut records: Vec<Record> = Vec::new();
    pollster::block_on(store.load(tenant.tenant_id(), &mut records)).expect("the store is in memory");
    Ok((tenant, records.into_iter().map(|record| (record.key(), record)).collect()))
}

/// Every pointer leads to a value. At most a hundred mistakes are listed.
fn each_mistake_has_a_place(mistakes: &[Mistake], json: &Value) {
    assert!((1..=100).contains(&mistakes.len()));
    for mistake in mistakes {
        assert!(json.pointer(&mistake.pointer).is_some() && !mistake.message.is_empty(), "{mistake}");
    }
}
