//! The API by the Rust API guidelines: threads, common traits, conversions, and a complete blocking API.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rolecall::assertions::Assertions;
use rolecall::authorizer::follow::Follower;
use rolecall::authorizer::history::PastState;
use rolecall::authorizer::runtime::Threads;
use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
use rolecall::clock::{ManualClock, SystemClock};
use rolecall::explain::PathStep;
use rolecall::moment::{
    GroupPaths, Inherited, List, NarrowedUser, Origin, PermissionSet, PermissionsDocument, Separation, StoredAssertion,
    UserSet, Via, WithOrigin, WithWindow,
};
use rolecall::plan::{
    AccessChange, AccessDifference, ChangeKind, DescribedChange, ListChanges, MovedRelation, NamedEntity,
    RebaseConflict, UserMerge, Warning,
};
use rolecall::records::{
    Actor, AssertionId, AssertionRecord, Assignment, Change, CommitId, Description, Envelope, Expectation, ExternalId,
    FieldChange, Fingerprint, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Manager, Membership, Name, Note,
    ParentLink, Pattern, PermissionId, PermissionRecord, PermissionRef, Position, Record, RecordKey, RecordKind,
    Revision, RoleId, RoleRecord, RoleRef, SeparationId, SeparationRecord, Slug, Status, TenantId, TenantRecord,
    TenantSlug, UserId, UserKey, UserRecord,
};
use rolecall::reference::Model;
use rolecall::review::{AccessReport, AccessRow, Bound, Finding, Lint, Reconciliation, WindowChange};
use rolecall::store::{Base, Commit, CommitPage, MemoryStore, Since, Stop, StoreError, StoredCommit, TenantSummary};
use rolecall::{
    Authorizer, AuthorizerBuilder, Decision, EntityKind, Error, ErrorKind, Explanation, Moment, Page, PageRequest,
    Plan, Reason, Snapshot, Tenant, Timestamp, Window,
    authorizer::{Lag, Metrics, Outcome, Staged, Updated},
    blocking,
    snapshot::{PermissionHandle, SlugConflict, UserHandle},
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

fn sent<T: Send + Sync + Unpin>() {}
fn owned<T: Send + Sync + Unpin + Debug + 'static>() {}
fn value<T: Send + Sync + Unpin + Debug + Clone + Eq + Hash + 'static>() {}
fn equal<T: Send + Sync + Unpin + Debug + Clone + Eq + 'static>() {}
fn answer<T: Send + Sync + Unpin + Debug + Clone + Eq + Serialize + 'static>() {}
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
    all!(owned: Staged<()>, blocking::Staged<()>, PastState, Reconciliation, Assertions, AccessChange, AccessDifference);
    #[cfg(feature = "json")]
    all!(owned: rolecall::Document);
    #[cfg(feature = "redb")]
    all!(owned: rolecall::store::RedbStore);
    all!(sent: Decision, Page<UserRecord>);
}

/// A [`Moment`] cannot be shared between threads: it records without a lock whether it has read the clock. Values that
/// borrow one stay on its thread.
#[test]
fn values_have_the_common_traits() {
    all!(value: Window, Timestamp, Revision, Position, PermissionHandle, UserHandle, PageRequest, Origin, Via, Outcome, Lag, Metrics);
    all!(value: Threads, ChangeKind, Bound, Stop, PathStep, WindowChange);
    #[cfg(feature = "conformance")]
    all!(value: rolecall::store::conformance::Call, rolecall::store::conformance::Fault, rolecall::store::conformance::LinkState);
    all!(equal: Since, CommitPage, Assertions);
    all!(value: ErrorKind, EntityKind, Status, Reason, SystemClock, RecordKind, RecordKey);
    all!(answer: Page<UserRecord>, List<UserRecord>, WithOrigin<RoleRecord>, WithWindow<UserRecord>, Inherited<GroupRecord>, GroupPaths);
    all!(answer: Outcome, Lag, Metrics, Separation, StoredAssertion, AccessRow, Finding, WindowChange, PathStep);
    all!(answer: Warning, ListChanges<Slug>, RebaseConflict);
    all!(data: TenantRecord, PermissionRecord, RoleRecord, GroupRecord, UserRecord, Record, RecordKey, Change, Envelope);
    all!(data: AssertionRecord, Expectation, SeparationRecord, Assignment, Grant, Granted, Holder, Inclusion, Membership, ParentLink, PermissionRef, RoleRef, Status);
    all!(data: Position, Revision, Fingerprint, Timestamp, Window, Base, StoredCommit, TenantSummary, PermissionsDocument);
    fn named<T: Debug>() {}
    all!(named: Moment<'_>, AccessReport<'_>, Lint<'_>, NarrowedUser<'_>);
    fn moved<T: Send>() {}
    moved::<Moment<'_>>();
}

#[test]
fn texts_and_ids_are_parsed_from_what_they_display() {
    all!(text: Slug, TenantSlug, UserKey, Name, Description, Actor, Note, Pattern, ExternalId, Manager);
    all!(text: Timestamp, Window, Revision, Status);
    all!(id: TenantId, UserId, GroupId, RoleId, PermissionId, SeparationId, AssertionId, CommitId, Fingerprint);
    let by_slug = BTreeMap::from([(Slug::new("a").unwrap(), 1)]);
    assert_eq!(by_slug.get("a"), Some(&1), "a map is searched with a `&str`");
    assert!("a" == Slug::new("a").unwrap() && Slug::new("a").unwrap() == "a" && Slug::try_from("a b").is_err());
}

/// One word in a log, in JSON and in an application's own table.
#[test]
fn small_enums_display_as_in_json() {
    fn are_shown<T: Display + Serialize>(values: &[T], words: &[&str]) {
        assert_eq!(values.iter().map(ToString::to_string).collect::<Vec<_>>(), words);
        assert_eq!(serde_json::to_value(values).unwrap(), serde_json::json!(words));
    }
    are_shown(&[Status::Active, Status::Suspended], &["active", "suspended"]);
    let origins = [Origin::Tenant, Origin::Catalog, Origin::RemovedFromCatalog];
    are_shown(&origins, &["tenant", "catalog", "removed_from_catalog"]);
    are_shown(&[ChangeKind::Added, ChangeKind::Changed, ChangeKind::Removed], &["added", "changed", "removed"]);
    are_shown(&[Bound::Begins, Bound::Ends], &["begins", "ends"]);
    for status in [Status::Active, Status::Suspended] {
        assert_eq!(status.to_string().parse::<Status>().unwrap(), status);
    }
    for bad in ["", "Active", " active", "suspended\n"] {
        assert_eq!(bad.parse::<Status>().unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
    }
    let error = "Active".parse::<Status>().unwrap_err();
    assert_eq!(error.to_string(), "invalid status `Active`: expected `active` or `suspended`");
}

#[test]
fn outcomes_metrics_and_lag_are_serialised() {
    let outcomes = [Outcome::Committed(Revision::new(5)), Outcome::Aborted, Outcome::InDoubt, Outcome::Unknown];
    let json = serde_json::to_string(&outcomes).unwrap();
    assert_eq!(json, r#"[{"committed":5},"aborted","in_doubt","unknown"]"#);
    assert_eq!(
        outcomes.map(|outcome| outcome.to_string()),
        ["committed as revision 5", "aborted", "in doubt", "unknown"]
    );
    let clock = ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap());
    let authorizer = blocking::Authorizer::builder().clock(clock).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let lag = r#"{"revisions":0,"failed_refreshes":0,"confirmed_at":"2027-01-01T00:00:00Z"}"#;
    assert_eq!(serde_json::to_string(&acme.lag()).unwrap(), lag);
    let metrics = serde_json::to_value(authorizer.metrics()).unwrap();
    assert_eq!(
        (&metrics["open_tenants"], &metrics["commits"], &metrics["conflicts"]),
        (&1.into(), &1.into(), &0.into())
    );
    // One member for each number of the text.
    let numbers = authorizer.metrics().to_prometheus().lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(metrics.as_object().unwrap().len(), numbers);
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

/// A public method, as its source has it.
struct Method {
    is_async: bool,
    has_example: bool,
}

/// The type of an `impl` without a trait.
fn type_of_impl(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.strip_prefix(' ')? };
    let name = rest.strip_suffix(" {").filter(|name| !name.contains(' '))?;
    name.split('<').next()
}

/// The public methods of each type in these files, from their source.
fn methods(paths: &[&str]) -> BTreeMap<String, BTreeMap<String, Method>> {
    let mut found: BTreeMap<String, BTreeMap<String, Method>> = BTreeMap::new();
    for path in paths {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
        for file in files(&path) {
            let (mut type_name, mut has_example) = (None, false);
            for line in fs::read_to_string(file).unwrap().lines().map(str::trim_start) {
                if line.starts_with("impl") && line.ends_with('{') {
                    type_name = type_of_impl(line).map(str::to_owned);
                }
                let is_doc = line.starts_with("///") || line.starts_with("#[doc");
                has_example = !line.is_empty() && line != "}" && (has_example || is_doc && shows_an_example(line));
                let Some(signature) = line.strip_prefix("pub ") else { continue };
                let is_async = signature.starts_with("async ");
                let signature = signature.trim_start_matches("async ").trim_start_matches("const ");
                let (Some(type_name), Some(rest)) = (&type_name, signature.strip_prefix("fn ")) else { continue };
                let method = rest.split(['(', '<']).next().unwrap().to_owned();
                found.entry(type_name.clone()).or_default().insert(method, Method { is_async, has_example });
                has_example = false;
            }
        }
    }
    found
}

/// Whether this line of a comment begins an example, or is a macro that has one.
fn shows_an_example(line: &str) -> bool {
    line.contains("```") || line.contains("example!(")
}

/// Everything but the blocking twins, whose comments lead to the methods here.
const MAIN: [&str; 8] =
    ["authorizer.rs", "authorizer", "document.rs", "document", "plan.rs", "plan", "resolver", "review"];

#[test]
fn every_method_of_the_main_types_has_an_example() {
    let all = methods(&MAIN);
    let edits = ["UserEdit", "GroupEdit", "RoleEdit", "PermissionEdit", "SeparationEdit", "AssertionEdit"];
    // `$set` is what the two sets share, from a macro.
    let others =
        ["Authorizer", "AuthorizerBuilder", "Tenant", "Staged", "Follower", "Moment", "NarrowedUser", "Snapshot"];
    let (mut count, mut without) = (0, Vec::new());
    for name in edits.into_iter().chain(others).chain(["Tx", "Plan", "Document", "PermissionSet", "UserSet", "$set"]) {
        assert!(!all[name].is_empty(), "the methods of {name} are found");
        count += all[name].len();
        let missing = all[name].iter().filter(|(_, method)| !method.has_example);
        without.extend(missing.map(|(method, _)| format!("{name}::{method}")));
    }
    assert!(without.is_empty() && count > 200, "{count} methods, without an example: {without:?}");
}

fn sent_to_another_thread<F: Future + Send>(_: F) {}

/// So a runtime with several threads can run each. None is polled here.
#[test]
fn every_future_is_send() {
    use sent_to_another_thread as check;
    let store = MemoryStore::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = pollster::block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    let position = acme.snapshot().position();
    check(authorizer.create_tenant("beta", "Beta"));
    check(authorizer.create_tenant_with_name("Beta"));
    check(authorizer.open_or_create("beta", "Beta"));
    check(authorizer.tenant("acme"));
    check(authorizer.tenant_by_id(position.tenant_id));
    check(authorizer.tenants(None, 10));
    check(acme.update(|tx| tx.create_user("alice")?.done()));
    check(acme.try_update(|tx| tx.create_user("alice")?.done()));
    check(acme.stage(|tx| tx.create_user("alice")?.done()));
    check(acme.try_stage(|tx| tx.create_user("alice")?.done()));
    let plan = acme.plan(|tx| tx.create_user("alice")?.done()).unwrap().1;
    check(acme.rebase(&plan));
    check(acme.commit(plan));
    check(acme.as_of(&store, position.revision));
    check(acme.last_change(&store, &RecordKey::Tenant));
    check(acme.refresh());
    check(acme.at_least(position));
    check(acme.close());
    check(acme.delete());
    #[cfg(feature = "json")]
    {
        let document = rolecall::Document::from_json(br#"{"format": 1, "tenant": {"slug": "acme"}}"#).unwrap();
        check(authorizer.import(&document));
        check(acme.replace(&document));
    }
    let staged = pollster::block_on(acme.stage(|tx| tx.create_user("alice")?.done())).unwrap();
    check(staged.finish());
    let follower = authorizer.follow(store);
    check(follower.run());
    let (here, all) = (include_str!("api.rs"), methods(&MAIN));
    let receivers = [("Authorizer", "authorizer"), ("Tenant", "acme"), ("Staged", "staged"), ("Follower", "follower")];
    for (name, receiver) in receivers {
        for (method, _) in all[name].iter().filter(|(_, method)| method.is_async) {
            assert!(here.contains(&format!("check({receiver}.{method}(")), "{name}::{method}");
        }
    }
}

#[test]
fn the_blocking_types_have_every_method_of_the_asynchronous_ones() {
    let asynchronous = methods(&["authorizer.rs", "authorizer"]);
    let blocking = methods(&["blocking.rs", "blocking"]);
    for name in ["Authorizer", "AuthorizerBuilder", "Follower", "Staged", "Tenant"] {
        let mut twin: BTreeSet<&String> = blocking[name].keys().collect();
        twin.retain(|method| !["as_async", "into_async"].contains(&method.as_str()));
        assert_eq!(twin, asynchronous[name].keys().collect(), "{name}");
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
