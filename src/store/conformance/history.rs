//! S14: the commits since a position are complete and in order, or too old.

use std::sync::Arc;

use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::concurrent::{Race, Racer};
use super::dyn_fixture::Connection;
use super::samples::{
    changed, commit_on, commit_recorded, commits_since, create_tenant, delete_tenant, id, load_existing, sorted_by_key,
    suite_bug, tenant, tenant_id, user, users,
};
use crate::model::records::{Actor, Change, CommitId, Envelope, Fingerprint, Note, Position, Revision, Timestamp};
use crate::store::{Base, Commit, Since, StoredCommit};

cases! {
    S14: no_commits_follow_the_latest_position,
        the_commits_since_a_position_are_complete_and_in_order,
        the_history_keeps_envelopes_as_sent,
        a_position_outside_the_history_is_too_old,
        since_reports_a_deleted_tenant_as_deleted,
        after_reopening_the_history_is_complete_or_too_old,
        a_long_history_is_complete,
        the_history_is_complete_during_commits;
}

/// Makes commits of many shapes. Returns the position before each and the history that they should make.
pub(super) async fn written(
    store: &dyn Connection,
    tenant_id: crate::model::records::TenantId,
    name: &str,
) -> CaseResult<(Vec<Position>, Vec<StoredCommit>)> {
    let mut at = create_tenant(store, tenant_id, name, &users(0..3)?).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    let (before, after) = (user(0, "user-0")?, user(0, "renamed")?);
    let renamed = format!("{name}-renamed");
    let shapes = [
        users(10..12)?,
        Vec::new(),
        vec![changed(before, after.clone())?],
        Vec::new(),
        vec![changed(tenant(name)?, tenant(&renamed)?)?],
        vec![Change::removed(after), Change::added(user(20, "renamed")?)],
        users(30..300)?,
        vec![changed(tenant(&renamed)?, tenant(name)?)?],
    ];
    for changes in shapes {
        let (next, commit) = commit_recorded(store, at, &changes).await?;
        states.push(next);
        commits.push(commit);
        at = next;
    }
    Ok((states, commits))
}

async fn no_commits_follow_the_latest_position(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..4 {
        expect_eq("since the latest position", &store.since(at).await?, &Since::Commits(Vec::new()))?;
        at = commit_on(store, at, &users(number..number + 1)?).await?;
    }
    Ok(())
}

/// Fails unless every history is as written or too old. If one is known, all later ones must be.
pub(super) async fn expect_complete(
    store: &dyn Connection,
    states: &[Position],
    commits: &[StoredCommit],
) -> CaseResult<usize> {
    let mut told = 0;
    for (number, at) in states.iter().enumerate() {
        let expected: Vec<_> = commits.iter().skip(number).cloned().collect();
        match commits_since(store, *at).await? {
            Some(found) => {
                let revisions =
                    |commits: &[StoredCommit]| commits.iter().map(|c| c.revision.number()).collect::<Vec<_>>();
                expect_eq(&format!("the revisions since {}", at.revision), &revisions(&found), &revisions(&expected))?;
                for (found, expected) in found.iter().zip(&expected) {
                    expect_eq("an envelope in the history", &found.envelope, &expected.envelope)?;
                    expect_eq(
                        "the changes in the history",
                        &sorted_by_key(&found.changes),
                        &sorted_by_key(&expected.changes),
                    )?;
                }
                told += 1;
            }
            None => ensure(told == 0, || format!("{} is too old, but an older position is not", at.revision))?,
        }
    }
    ensure(told > 0, || "since the latest position is too old".to_owned())?;
    Ok(told)
}

async fn the_commits_since_a_position_are_complete_and_in_order(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let (states, commits) = written(store, tenant_id(1), "acme").await?;
    let (other_states, other_commits) = written(store, tenant_id(2), "other").await?;
    let told = expect_complete(store, &states, &commits).await?;
    expect_complete(store, &other_states, &other_commits).await?;
    if told == 1 { Err(CaseError::not_exercised("only the latest position is in the history")) } else { Ok(()) }
}

/// An envelope with every field set.
pub(super) fn full_envelope(base: Position) -> CaseResult<Envelope> {
    let mut envelope = super::samples::envelope(Base::At(base));
    envelope.actor = Some(Actor::new("Jos\u{e9} ").map_err(suite_bug)?);
    envelope.at = Timestamp::from_micros(1_700_000_000_000_001).map_err(suite_bug)?;
    envelope.note = Some(Note::new("why:\n\tbecause").map_err(suite_bug)?);
    envelope.catalog = Fingerprint::from_uuid(id(u128::MAX));
    Ok(envelope)
}

async fn the_history_keeps_envelopes_as_sent(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let envelope = full_envelope(creation)?;
    let revision = store.commit(Commit { base: Base::At(creation), envelope: &envelope, changes: &[] }).await?;
    let at = Position { revision, commit: envelope.id, ..creation };
    // An empty note differs from none.
    let bare = super::samples::envelope(Base::At(at));
    let next = Envelope { note: Some(Note::new("").map_err(suite_bug)?), actor: None, ..bare };
    store.commit(Commit { base: Base::At(at), envelope: &next, changes: &[] }).await?;
    let commits = commits_since(store, creation).await?;
    let commits = commits.ok_or_else(|| CaseError::not_exercised("the last commits are already too old"))?;
    expect_eq("the envelopes", &commits.into_iter().map(|told| told.envelope).collect(), &vec![envelope, next])
}

async fn a_position_outside_the_history_is_too_old(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let (states, _) = written(store, tenant_id(1), "acme").await?;
    let latest = states.last().copied().ok_or_else(|| CaseError::new("no state"))?;
    let (others, _) = written(store, tenant_id(2), "other").await?;
    for at in &states {
        let never = Position { commit: CommitId::random(), ..*at };
        expect_eq("since an unknown commit id", &store.since(never).await?, &Since::TooOld)?;
        let shifted = Position { revision: at.revision.next(), ..*at };
        expect_eq("since a position with the next revision", &store.since(shifted).await?, &Since::TooOld)?;
    }
    for number in [latest.revision.number() + 1, 1 << 40, (1 << 32) + latest.revision.number()] {
        let ahead = Position { revision: Revision::new(number), ..latest };
        expect_eq("since a revision ahead of the latest", &store.since(ahead).await?, &Since::TooOld)?;
    }
    for other in others {
        let mixed = Position { tenant_id: tenant_id(1), ..other };
        expect_eq("since a position of another tenant", &store.since(mixed).await?, &Since::TooOld)?;
    }
    Ok(())
}

async fn since_reports_a_deleted_tenant_as_deleted(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let (states, _) = written(store, tenant_id(1), "acme").await?;
    let latest = states.last().copied().ok_or_else(|| CaseError::new("no state"))?;
    let last = delete_tenant(store, latest, tenant("acme")?).await?;
    for at in states.into_iter().chain([last]) {
        expect_eq("since a position of a deleted tenant", &store.since(at).await?, &Since::Deleted)?;
    }
    Ok(())
}

async fn after_reopening_the_history_is_complete_or_too_old(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let (mut states, mut commits) = written(&*store, tenant_id(1), "acme").await?;
    let store = case.reopened(store).await?;
    expect_complete(&*store, &states, &commits).await?;
    let latest = states.last().copied().ok_or_else(|| CaseError::new("no state"))?;
    let (next, commit) = commit_recorded(&*store, latest, &users(500..502)?).await?;
    states.push(next);
    commits.push(commit);
    expect_complete(&*store, &states, &commits).await.map(drop)
}

/// The number of commits: above a hundred, where answers are often cut.
const LONG: u128 = 110;

async fn a_long_history_is_complete(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    for number in 0..LONG {
        let (next, commit) = commit_recorded(store, at, &users(number..number + 1)?).await?;
        states.push(next);
        commits.push(commit);
        at = next;
    }
    let told = expect_complete(store, &states, &commits).await?;
    if told == 1 { Err(CaseError::not_exercised("only the latest position is in the history")) } else { Ok(()) }
}

/// How many users each racing commit adds.
const WIDTH: u128 = 40;

/// The most commits and reads of a race.
const MOST: usize = 12_000;

async fn the_history_is_complete_during_commits(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let creation = create_tenant(&*first, tenant_id(1), "acme", &[]).await?;
    let race = Race::of(3, MOST);
    let writer: Racer = {
        let (store, race) = (Arc::clone(&first), Arc::clone(&race));
        Box::pin(async move {
            let mut at = creation;
            while race.next_attempt(0).await {
                at = race.call(0, 0, commit_on(&*store, at, &numbered(at.revision.next())?)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, race) = (Arc::clone(store), Arc::clone(&race));
        Box::pin(async move {
            let mut seen = creation;
            while race.next_attempt(by).await {
                match race.call(0, 1, commits_since(&*store, seen)).await? {
                    Some(commits) => follow(&mut seen, commits)?,
                    None => seen = load_existing(&*store, tenant_id(1)).await?.1,
                }
            }
            Ok(())
        })
    };
    case.run_race(&race, vec![reader(1, &first), writer, reader(2, &second)]).await
}

/// Users numbered by the revision.
fn numbered(revision: Revision) -> CaseResult<Vec<Change>> {
    let number = u128::from(revision.number()) * WIDTH;
    users(number..number + WIDTH)
}

/// Follows the commits from a position: each must continue the one before and have all of its changes.
fn follow(seen: &mut Position, commits: Vec<StoredCommit>) -> CaseResult {
    for told in commits {
        expect_eq("the next revision", &told.revision, &seen.revision.next())?;
        expect_eq("the commit before it", &told.envelope.previous, &Some(seen.commit))?;
        let expected = numbered(told.revision)?;
        expect_eq(
            "the changes of a commit during other commits",
            &sorted_by_key(&told.changes),
            &sorted_by_key(&expected),
        )?;
        *seen = Position { revision: told.revision, commit: told.envelope.id, ..*seen };
    }
    Ok(())
}
