//! H1 to H7: the optional capability [`History`](crate::store::History).

use super::case::{CaseError, CaseResult, cases_of, ensure, expect_eq};
use super::history::{full_envelope, written};
use super::samples::{
    commit_on, create_tenant, delete_tenant, id, load_existing, sorted_by_key, suite_bug, tenant, tenant_id, users,
};
use super::{Clause, Fixture, Report};
use crate::model::records::{Actor, Position, RecordKey, Revision, TenantId, Timestamp, UserId};
use crate::store::{Base, Commit, CommitQuery, History, Store, StoredCommit};

/// Runs the cases of the optional capability [`History`], each on an empty store.
///
/// ```
/// # use rolecall::store::MemoryStore;
/// # use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
/// # struct InMemory;
/// # impl Fixture for InMemory {
/// #     type Store = MemoryStore;
/// #     async fn fresh(&self) -> Result<MemoryStore, FixtureError> { Ok(MemoryStore::default()) }
/// #     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
/// #         Ok(Some(store.clone()))
/// #     }
/// #     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> { Ok(Some(store)) }
/// #     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> { conformance::run_on_threads(tasks) }
/// # }
/// # pollster::block_on(async {
/// let report = conformance::run_history(&InMemory).await;
/// assert!(report.passed(), "{report}");
/// # });
/// ```
///
/// # Complexity
/// Less than a hundred commits. One of them has 3,000 changes.
pub async fn run_history<F: Fixture<Store: History>>(fixture: &F) -> Report {
    cases_of! { fixture:
        H1: commits_are_newest_first_and_whole;
        H1: a_large_commit_is_whole;
        H2: pages_skip_nothing;
        H2: conditions_select_commits;
        H3: the_last_page_has_no_next;
        H4: the_history_starts_at_a_position;
        H5: a_commit_is_in_the_history_at_once;
        H6: the_history_has_no_gap;
        H7: an_unknown_tenant_has_no_history;
    }
}

/// Every commit that a query selects, newest first, read in pages.
async fn all(store: &impl History, tenant_id: TenantId, query: &CommitQuery) -> CaseResult<Vec<StoredCommit>> {
    const MOST_PAGES: usize = 1_000;
    let (mut found, mut query) = (Vec::new(), query.clone());
    for _ in 0..MOST_PAGES {
        let page = store.commits(tenant_id, &query).await?;
        let page = page.ok_or_else(|| CaseError::new("found no history, expected that of an existing tenant"))?;
        ensure(page.commits.len() <= query.limit(), || {
            format!("a page has {} commits, expected at most {}", page.commits.len(), query.limit())
        })?;
        found.extend(page.commits);
        let Some(next) = page.next else { return Ok(found) };
        ensure(query.ends_before().is_none_or(|before| next < before), || {
            format!("the next page begins before revision {next}, not before that of this page")
        })?;
        query = query.before(next);
    }
    Err(CaseError::new(format!("the history did not end after {MOST_PAGES} pages")))
}

/// Fails unless these are the newest commits, newest first, with their envelopes and changes.
fn expect_commits(what: &str, found: &[StoredCommit], oldest_first: &[StoredCommit]) -> CaseResult {
    let revisions = |commits: &mut dyn Iterator<Item = &StoredCommit>| -> Vec<u64> {
        commits.map(|commit| commit.revision.number()).collect()
    };
    expect_eq(what, &revisions(&mut found.iter()), &revisions(&mut oldest_first.iter().rev()))?;
    for (found, expected) in found.iter().zip(oldest_first.iter().rev()) {
        expect_eq("an envelope in the history", &found.envelope, &expected.envelope)?;
        expect_eq("the changes in the history", &sorted_by_key(&found.changes), &sorted_by_key(&expected.changes))?;
    }
    Ok(())
}

/// The commits that the history has, of those that were made after the creation.
async fn kept(
    store: &impl History,
    states: &[Position],
    commits: Vec<StoredCommit>,
) -> CaseResult<(Position, Vec<StoredCommit>)> {
    let page = store.commits(tenant_id(1), &CommitQuery::newest(1)).await?;
    let start = page.ok_or_else(|| CaseError::new("found no history, expected that of an existing tenant"))?.start;
    ensure(states.contains(&start) || start.revision < Revision::FIRST, || {
        format!("the history starts at {start}, which was never the position of the tenant")
    })?;
    let kept: Vec<_> = commits.into_iter().filter(|commit| commit.revision > start.revision).collect();
    if kept.len() < 2 {
        Err(CaseError::not_exercised("the history has less than two commits"))
    } else {
        Ok((start, kept))
    }
}

async fn made<S: History>(store: &S) -> CaseResult<(Position, Vec<StoredCommit>)> {
    let (states, commits) = written(store, tenant_id(1), "acme").await?;
    kept(store, &states, commits).await
}

async fn commits_are_newest_first_and_whole<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let (_, commits) = made(store).await?;
    written(store, tenant_id(2), "other").await?;
    let found = all(store, tenant_id(1), &CommitQuery::newest(100)).await?;
    let newer: Vec<_> = found.into_iter().filter(|commit| commit.revision > Revision::FIRST).collect();
    expect_commits("the revisions of the history", &newer, &commits)
}

async fn a_large_commit_is_whole<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let changes = users(0..3_000)?;
    let at = commit_on(store, at, &changes).await?;
    commit_on(store, at, &[]).await?;
    let found = all(store, tenant_id(1), &CommitQuery::newest(100)).await?;
    let large = found.iter().find(|commit| commit.revision == at.revision);
    match large {
        None => Err(CaseError::not_exercised("the history does not keep a commit of 3,000 changes")),
        Some(commit) => {
            expect_eq("the changes of a large commit", &sorted_by_key(&commit.changes), &sorted_by_key(&changes))
        }
    }
}

async fn pages_skip_nothing<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    made(store).await?;
    let whole = all(store, tenant_id(1), &CommitQuery::newest(100)).await?;
    for limit in 1..=whole.len() + 1 {
        let paged = all(store, tenant_id(1), &CommitQuery::newest(limit)).await?;
        expect_eq(&format!("the history in pages of {limit}"), &paged, &whole)?;
    }
    for commit in &whole {
        let older: Vec<_> = whole.iter().filter(|other| other.revision < commit.revision).cloned().collect();
        let found = all(store, tenant_id(1), &CommitQuery::newest(100).before(commit.revision)).await?;
        expect_eq(&format!("the history before revision {}", commit.revision), &found, &older)?;
    }
    Ok(())
}

async fn conditions_select_commits<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let mut at = creation;
    for number in 0..6_u128 {
        let mut envelope = full_envelope(at)?;
        envelope.id = crate::model::records::CommitId::random();
        let actor = if number % 2 == 0 { "even" } else { "odd" };
        envelope.actor = Some(Actor::new(actor).map_err(suite_bug)?);
        let micros = i64::try_from(number).unwrap_or_default() * 1_000_000;
        envelope.at = Timestamp::from_micros(micros).map_err(suite_bug)?;
        let changes = users(number..number + 1)?;
        let commit = Commit { base: Base::At(at), envelope: &envelope, changes: &changes };
        let revision = store.commit(commit).await?;
        at = Position { revision, commit: envelope.id, ..at };
    }
    let whole = all(store, tenant_id(1), &CommitQuery::newest(100)).await?;
    let instant = |seconds| Timestamp::from_secs(seconds).map_err(suite_bug);
    let third = UserId::from_uuid(id(3));
    let queries = [
        CommitQuery::newest(100).by(Actor::new("even").map_err(suite_bug)?),
        CommitQuery::newest(100).by(Actor::new("EVEN").map_err(suite_bug)?),
        CommitQuery::newest(100).about(third),
        CommitQuery::newest(100).of_record(RecordKey::User(third)),
        CommitQuery::newest(100).from(instant(2)?),
        CommitQuery::newest(100).until(instant(2)?),
        CommitQuery::newest(1).from(instant(1)?).until(instant(5)?).by(Actor::new("odd").map_err(suite_bug)?),
    ];
    for query in queries {
        let expected: Vec<_> = whole.iter().filter(|commit| query.matches(commit)).cloned().collect();
        expect_eq(&format!("the commits of {query:?}"), &all(store, tenant_id(1), &query).await?, &expected)?;
    }
    Ok(())
}

async fn the_last_page_has_no_next<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    made(store).await?;
    let page = store.commits(tenant_id(1), &CommitQuery::newest(1)).await?;
    let Some(start) = page.map(|page| page.start) else { return Err(CaseError::new("found no history")) };
    let mut query = CommitQuery::newest(2);
    let mut oldest = None;
    loop {
        let page = store.commits(tenant_id(1), &query).await?;
        let Some(page) = page else { return Err(CaseError::new("found no history")) };
        oldest = page.commits.last().map(|commit| commit.revision).or(oldest);
        let Some(next) = page.next else { break };
        query = query.before(next);
    }
    expect_eq("the oldest revision of the history", &oldest, &Some(start.revision.next()))
}

async fn the_history_starts_at_a_position<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let page = store.commits(tenant_id(1), &CommitQuery::newest(10)).await?;
    let page = page.ok_or_else(|| CaseError::new("found no history of a new tenant"))?;
    let is_creation = page.commits.iter().all(|commit| commit.revision == Revision::FIRST);
    ensure(is_creation, || "a new tenant has a commit that was not made".to_owned())?;
    if page.commits.is_empty() {
        expect_eq("the start of the history of a new tenant", &page.start, &creation)?;
    }
    made_positions(store, creation).await
}

/// The start stays a position that the tenant once had.
async fn made_positions(store: &impl History, creation: Position) -> CaseResult {
    let mut positions = vec![creation];
    let mut at = creation;
    for number in 0..5 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        positions.push(at);
        kept(store, &positions, Vec::new()).await.or_else(|error| match error {
            CaseError::NotExercised(_) => Ok((at, Vec::new())),
            failed @ CaseError::Failed(_) => Err(failed),
        })?;
    }
    Ok(())
}

async fn a_commit_is_in_the_history_at_once<F: Fixture<Store: History>>(fixture: &F, store: &F::Store) -> CaseResult {
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let second = fixture.second_connection(store).await?;
    for number in 0..4 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        for connection in [Some(store), second.as_ref()].into_iter().flatten() {
            let page = connection.commits(tenant_id(1), &CommitQuery::newest(1)).await?;
            let Some(page) = page else { return Err(CaseError::new("found no history")) };
            let newest = page.commits.first().map_or(page.start.revision, |commit| commit.revision);
            expect_eq("the newest revision of the history", &newest, &at.revision)?;
        }
    }
    Ok(())
}

async fn the_history_has_no_gap<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let (start, commits) = made(store).await?;
    let found = all(store, tenant_id(1), &CommitQuery::newest(3)).await?;
    let revisions: Vec<u64> = found.iter().map(|commit| commit.revision.number()).collect();
    let (_, latest) = load_existing(store, tenant_id(1)).await?;
    let expected: Vec<u64> = (start.revision.number() + 1..=latest.revision.number()).rev().collect();
    expect_eq("the revisions of the history", &revisions, &expected)?;
    ensure(commits.len() <= found.len(), || "the history lacks commits".to_owned())
}

async fn an_unknown_tenant_has_no_history<F: Fixture<Store: History>>(_: &F, store: &F::Store) -> CaseResult {
    let query = CommitQuery::newest(10);
    expect_eq("the history of an unknown tenant", &store.commits(tenant_id(9), &query).await?, &None)?;
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let at = commit_on(store, at, &users(0..1)?).await?;
    delete_tenant(store, at, tenant("acme")?).await?;
    expect_eq("the history of a deleted tenant", &store.commits(tenant_id(1), &query).await?, &None)
}
