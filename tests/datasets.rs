//! Real organisations and catalogues (`../shared/datasets`), compared with independent answers. The Rust project's own
//! program prints these decisions. The hashes of the whole matrix are from a slow program that shares no code with this
//! crate.
//!
//! The files are not in this repository, so `cargo test` leaves this out:
//! `cargo test --release --test datasets -- --ignored` runs it.

#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::moment::Page;
use rolecall::records::{PermissionRecord, Record, Slug, UserRecord};
use rolecall::reference::Model;
use rolecall::store::{MemoryStore, Store as _};
use rolecall::{Document, PageRequest, Timestamp};
use sha2::{Digest as _, Sha256};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/datasets")).join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn load(authorizer: &Authorizer, name: &str) -> Tenant {
    authorizer.import(&Document::from_json(&read(name)).unwrap()).unwrap()
}

fn organisations() -> Vec<String> {
    let files = std::fs::read_dir(path("github-orgs")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| format!("github-orgs/{}", file.unwrap().file_name().into_string().unwrap())).collect();
    names.sort();
    assert_eq!(names.len(), 14);
    names
}

/// None of the documents has a window, so any instant will do.
fn instant() -> Timestamp {
    Timestamp::parse("2026-10-01T00:00:00Z").unwrap()
}

fn all<T>(list: impl Fn(&PageRequest) -> Page<T>) -> Vec<T> {
    let listing = list(&PageRequest::of(1_000_000));
    assert_eq!(listing.next, None);
    listing.items
}

fn users(tenant: &Tenant) -> Vec<UserRecord> {
    all(|page| tenant.now().users(page))
}

fn permissions(tenant: &Tenant) -> Vec<PermissionRecord> {
    all(|page| tenant.now().permissions(page)).into_iter().map(|owned| owned.record).collect()
}

/// Every `user<TAB>permission` that is held, sorted bytewise.
fn matrix(tenant: &Tenant) -> Vec<String> {
    let snapshot = tenant.snapshot();
    let moment = snapshot.at(instant());
    let mut lines = Vec::new();
    for user in users(tenant) {
        lines.extend(moment.effective(user.id).slugs().iter().map(|slug| format!("{}\t{slug}\n", user.key)));
    }
    lines.sort_unstable();
    lines
}

#[test]
#[ignore = "needs ../shared"]
fn every_document_loads_and_comes_back() {
    for name in DOCUMENTS.map(str::to_owned).into_iter().chain(organisations()) {
        let tenant = load(&Authorizer::in_memory(), &name);
        let exported = tenant.snapshot().export().unwrap();
        let read = Document::from_json(exported.to_json().as_bytes()).unwrap();
        let again = Authorizer::in_memory().import(&read).unwrap();
        assert_eq!(again.snapshot().export().unwrap().to_json(), exported.to_json(), "{name}");
        assert_eq!(tenant.replace(&read).unwrap().commit, None, "{name}");
        assert_eq!(tenant.replace(&Document::from_json(&self::read(&name)).unwrap()).unwrap().commit, None, "{name}");
    }
}

#[test]
#[ignore = "needs ../shared"]
fn the_rust_team_decides_as_its_own_program_does() {
    let tenant = load(&Authorizer::in_memory(), "rust-team.json");
    let expected = String::from_utf8(read("rust-team.expected.csv")).unwrap();
    let (mut decisions, mut allowed, mut wrong) = (0, 0, Vec::new());
    for line in expected.lines().skip(1) {
        let [user, permission, expected] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let found = tenant.check(user, permission);
        assert_eq!(found, tenant.explain(user, permission).is_allowed());
        decisions += 1;
        allowed += usize::from(found);
        if found != (expected == "true") {
            wrong.push(line);
        }
    }
    assert_eq!((decisions, allowed, wrong), (5_994, 809, Vec::<&str>::new()));
}

#[test]
#[ignore = "needs ../shared"]
fn the_matrices_have_the_hashes_that_a_slow_program_found() {
    let expected = String::from_utf8(read("matrix.sha256")).unwrap();
    let rows = expected.lines().filter(|line| !line.starts_with('#'));
    let mut seen = 0;
    for row in rows {
        let [hash, count, name] = row.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        let lines = matrix(&load(&Authorizer::in_memory(), name));
        let found = format!("{:x}", Sha256::digest(lines.concat()));
        assert_eq!((found.as_str(), lines.len().to_string().as_str()), (hash, count), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
#[ignore = "needs ../shared"]
fn the_reference_by_the_book_agrees_on_the_rust_team() {
    let store = MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let tenant = load(&authorizer, "rust-team.json");
    let mut records: Vec<Record> = Vec::new();
    pollster::block_on(store.load(tenant.tenant_id(), &mut records)).unwrap();
    let reference = Model::new(&records, authorizer.catalog());
    for user in users(&tenant) {
        let found: BTreeSet<Slug> = tenant.effective(user.id).slugs().into_iter().collect();
        assert_eq!(found, reference.effective(user.id, instant()), "{}", user.key);
    }
}

/// The table of findings on the page about reviews, by code: a number for each of these documents, and one for all
/// organisations of GitHub.
const DOCUMENTS: [&str; 4] = ["gcp-roles.json", "kubernetes.json", "luci.json", "rust-team.json"];

#[test]
#[ignore = "needs ../shared"]
fn the_lint_finds_as_many_of_each_code_as_the_page_says() {
    let page = include_str!("../src/docs/review.md");
    let (_, table) = page.split_once("| code | Google Cloud | Kubernetes | LUCI | Rust | GitHub |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim_matches([' ', '`'])).collect::<Vec<_>>());
    let expected: BTreeMap<&str, Vec<usize>> =
        cells.map(|row| (row[1], row[2..7].iter().map(|count| count.parse().unwrap()).collect())).collect();
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let columns = DOCUMENTS.map(|name| vec![name.to_owned()]).into_iter().chain([organisations()]);
    for (column, names) in columns.enumerate() {
        for name in names {
            for finding in load(&Authorizer::in_memory(), &name).snapshot().at(instant()).lint() {
                println!("{name}\t{}", finding.key());
                found.entry(finding.code.code()).or_insert_with(|| vec![0; 5])[column] += 1;
            }
        }
    }
    assert_eq!(found, expected);
}

/// Fourteen tenants of one authorizer, many of whose people and slugs are called alike.
#[test]
#[ignore = "needs ../shared"]
fn r12_nothing_of_one_organisation_does_anything_in_another() {
    let authorizer = Authorizer::in_memory();
    let together: Vec<Tenant> = organisations().iter().map(|name| load(&authorizer, name)).collect();
    let mut bearers: BTreeMap<String, usize> = BTreeMap::new();
    for (tenant, name) in together.iter().zip(organisations()) {
        assert_eq!(matrix(tenant), matrix(&load(&Authorizer::in_memory(), &name)), "{name} alone and beside others");
        for user in users(tenant) {
            *bearers.entry(user.key.to_string()).or_default() += 1;
        }
    }
    assert!(bearers.values().filter(|tenants| **tenants > 1).count() > 100, "people are in several organisations");
    for (a, tenant) in together.iter().enumerate() {
        for (b, other) in together.iter().enumerate().filter(|(b, _)| *b != a) {
            foreign(tenant, other);
            let document = tenant.snapshot().export().unwrap();
            assert!(other.plan_replace(&document).is_err(), "{a} is not a document of {b}");
        }
    }
}

/// By id and by handle, nothing of another tenant is known.
fn foreign(tenant: &Tenant, other: &Tenant) {
    let moment = tenant.now();
    let permissions = permissions(other);
    for user in users(other).iter().step_by(7) {
        let handle = other.user_handle(user.id).unwrap();
        assert!(moment.user(user.id).is_none() && moment.user(handle).is_none());
        assert!(moment.effective(user.id).is_empty() && moment.effective(handle).is_empty());
        // Perhaps there is a user of that key here, too: ask with a handle of the other tenant.
        for permission in permissions.iter().step_by(5) {
            let foreign = other.permission_handle(permission.id).unwrap();
            assert!(!moment.check(handle, permission.slug.as_str()));
            assert!(!moment.check(user.key.as_str(), foreign) && !moment.check(user.key.as_str(), permission.id));
        }
    }
}

/// 13,790 permissions and 165,179 grants: read, imported, exported, compared.
#[test]
#[ignore = "needs ../shared"]
fn googles_roles_come_back_whole() {
    let document = Document::from_json(&read("gcp-roles.json")).unwrap();
    let tenant = Authorizer::in_memory().import(&document).unwrap();
    assert_eq!(permissions(&tenant).len(), 13_790);
    let exported = tenant.snapshot().export().unwrap();
    assert!(tenant.plan_replace(&exported).unwrap().is_empty());
}
