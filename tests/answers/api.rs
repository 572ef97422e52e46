//! The API by the Rust API guidelines: threads, common traits, conversions, and a complete blocking API.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rolecall::authorizer::follow::Follower;
use rolecall::authorizer::runtime::Threads;
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::{ManualClock, SystemClock};
use rolecall::moment::{GroupPaths, Inherited, Origin, PermissionSet, UserSet, Via, WithOrigin, WithWindow};
use rolecall::plan::{ChangeKind, DescribedChange, MovedRelation, NamedEntity, UserMerge};
use rolecall::records::{
    Actor, AssertionId, AssertionRecord, Assignment, Change, CommitId, Description, Envelope, Expectation, FieldChange,
    Fingerprint, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Membership, Name, Note, Parent, Pattern,
    PermissionId, PermissionRecord, PermissionRef, Position, Record, RecordKey, RecordKind, Revision, RoleId,
    RoleRecord, RoleRef, SeparationId, SeparationRecord, Slug, Status, TenantId, TenantRecord, TenantSlug, UserId,
    UserKey, UserRecord,
};
use rolecall::reference::Model;
use rolecall::store::{Base, Commit, MemoryStore, StoreError, StoredCommit, TenantSummary};
use rolecall::{
    Authorizer, AuthorizerBuilder, Decision, EntityKind, Error, ErrorKind, Explanation, Moment, Page, PageRequest,
    Plan, Reason, Snapshot, Tenant, Timestamp, Window,
    authorizer::{Lag, Metrics, Outcome, Updated},
    blocking,
    snapshot::{PermissionHandle, SlugConflict, UserHandle},
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

fn sent<T: Send + Sync + Unpin>() {}
fn owned<T: Send + Sync + Unpin + Debug + 'static>() {}
fn value<T: Send + Sync + Unpin + Debug + Clone + Eq + Hash + 'static>() {}
fn data<T: Send + Sync + Unpin + Debug + Clone + Eq + Serialize + DeserializeOwned + 'static>() {}
fn text<T: Display + FromStr<Err = Error> + Ord + Hash + Clone + Debug + Serialize + DeserializeOwned>() {}
fn id<
    T: From<Uuid> + Into<Uuid> + Copy + Display + FromStr<Err = Error> + Ord + Hash + Serialize + DeserializeOwned,
>() {
}

macro_rules! all {
    ($check:ident: $($type:ty),* $(,)?) => { $($check::<$type>();)* };
}

#[test]
fn every_public_type_crosses_threads() {
    all!(owned: Authorizer, AuthorizerBuilder, Tenant, SlugConflict, Snapshot, Plan, PermissionSet, UserSet, Explanation);
    all!(owned: DescribedChange, NamedEntity, FieldChange, UserMerge, MovedRelation);
    all!(owned: blocking::Authorizer, blocking::AuthorizerBuilder, blocking::Tenant, blocking::Follower, Follower);
    all!(owned: Catalog, Definition<'static>, PermissionDef, RoleDef, SystemClock, ManualClock, MemoryStore);
    all!(owned: Error, StoreError, Updated<()>, Model<'static>, Commit<'static>);
    all!(sent: Decision, Page<UserRecord>);
}

/// A [`Moment`] cannot be shared between threads: it records without a lock whether it has read the clock.
#[test]
fn values_have_the_common_traits() {
    all!(value: Window, Timestamp, Revision, Position, PermissionHandle, UserHandle, PageRequest, Origin, Via, Outcome, Lag, Metrics);
    all!(value: Threads, ChangeKind);
    all!(value: ErrorKind, EntityKind, Status, Reason, SystemClock, RecordKind, RecordKey);
    all!(owned: Page<UserRecord>, WithOrigin<RoleRecord>, WithWindow<UserRecord>, Inherited<GroupRecord>, GroupPaths);
    all!(data: TenantRecord, PermissionRecord, RoleRecord, GroupRecord, UserRecord, Record, RecordKey, Change, Envelope);
    all!(data: AssertionRecord, Expectation, SeparationRecord, Assignment, Grant, Granted, Holder, Inclusion, Membership, Parent, PermissionRef, RoleRef, Status);
    all!(data: Position, Revision, Fingerprint, Timestamp, Window, Base, StoredCommit, TenantSummary);
    fn named<T: Debug>() {}
    named::<Moment<'_>>();
}

#[test]
fn texts_and_ids_are_parsed_from_what_they_display() {
    all!(text: Slug, TenantSlug, UserKey, Name, Description, Actor, Note, Pattern, Timestamp, Window, Revision);
    all!(id: TenantId, UserId, GroupId, RoleId, PermissionId, SeparationId, AssertionId, CommitId, Fingerprint);
    let by_slug = BTreeMap::from([(Slug::new("a").unwrap(), 1)]);
    assert_eq!(by_slug.get("a"), Some(&1), "a map is searched with a `&str`");
    assert!("a" == Slug::new("a").unwrap() && Slug::new("a").unwrap() == "a" && Slug::try_from("a b").is_err());
}

/// Binary formats contain the number, human-readable formats the text.
#[test]
fn instants_are_text_in_json_and_numbers_in_binary_formats() {
    let at = Timestamp::from_secs(5).unwrap();
    assert_eq!(serde_json::to_string(&at).unwrap(), r#""1970-01-01T00:00:05Z""#);
    assert_eq!(serde_json::from_str::<Timestamp>(r#""1970-01-01T01:00:05+01:00""#).unwrap(), at);
    for bad in ["5", "5000000", r#""5""#, "null", r#""1970-01-01T00:00:05""#] {
        assert!(serde_json::from_str::<Timestamp>(bad).is_err(), "{bad}");
    }
    let json = r#"{"from":"1970-01-01T00:00:05Z","until":null}"#;
    assert_eq!(serde_json::to_string(&Window::from(at)).unwrap(), json);
    assert_eq!(serde_json::from_str::<Window>(json).unwrap(), Window::from(at));
    assert!(serde_json::from_str::<Window>(r#"{"from":"1970-01-01T00:00:05Z","to":null}"#).is_err());
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The public methods of each type in these files, from their source.
fn methods(paths: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in paths {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
        for file in files(&path) {
            let mut type_name = None;
            for line in fs::read_to_string(file).unwrap().lines() {
                if let Some(rest) = line.strip_prefix("impl ") {
                    type_name = rest.strip_suffix(" {").filter(|name| !name.contains(' ')).map(str::to_owned);
                }
                let Some(signature) = line.strip_prefix("    pub ") else { continue };
                let signature = signature.trim_start_matches("async ").trim_start_matches("const ");
                let (Some(type_name), Some(rest)) = (&type_name, signature.strip_prefix("fn ")) else { continue };
                let method = rest.split(['(', '<']).next().unwrap().to_owned();
                found.entry(type_name.clone()).or_default().insert(method);
            }
        }
    }
    found
}

#[test]
fn the_blocking_types_have_every_method_of_the_asynchronous_ones() {
    let asynchronous = methods(&["authorizer.rs", "authorizer"]);
    let blocking = methods(&["blocking.rs", "blocking"]);
    for name in ["Authorizer", "AuthorizerBuilder", "Follower", "Tenant"] {
        let mut twin = blocking[name].clone();
        twin.remove("as_async");
        twin.remove("into_async");
        assert_eq!(twin, asynchronous[name], "{name}");
    }
    assert!(asynchronous["Tenant"].len() > 25 && asynchronous["Authorizer"].len() > 10, "methods are found");
}

#[test]
fn sets_have_operators_and_iterate_in_order() {
    let acme = blocking::Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        for slug in ["c", "a", "b"] {
            tx.create_permission(slug)?;
        }
        tx.create_role("ab")?.grant("a")?.grant("b")?;
        tx.create_role("bc")?.grant("b")?.grant("c")?;
        tx.create_user("zoe")?.assign("ab")?;
        tx.create_user("amy")?.assign("ab")?.done()
    })
    .unwrap();
    let now = acme.now();
    let (ab, bc) = (now.effective_of_role("ab"), now.effective_of_role("bc"));
    assert_eq!((&ab | &bc).slugs(), ["a", "b", "c"]);
    assert_eq!((&ab & &bc).slugs(), ["b"]);
    assert_eq!((&ab - &bc).slugs(), ["a"]);
    assert!((&ab - &bc).is_disjoint(&bc) && !ab.is_disjoint(&bc));
    assert_eq!((&ab | &bc).into_iter().collect::<Vec<Slug>>(), ["a", "b", "c"]);
    let users = now.who_can("a");
    assert_eq!((&users).into_iter().map(UserKey::as_str).collect::<Vec<_>>(), ["amy", "zoe"]);
    assert_eq!(serde_json::to_string(&users).unwrap(), r#"["amy","zoe"]"#);
    assert_eq!(serde_json::to_string(&bc).unwrap(), r#"["b","c"]"#);
    acme.close().unwrap();
    let unavailable = acme.effective("zoe");
    assert!(unavailable.unavailable().is_some() && unavailable.is_empty());
    assert!(
        !unavailable.is_subset(&ab) && !unavailable.is_disjoint(&bc),
        "an unavailable set is neither a subset nor disjoint"
    );
}
