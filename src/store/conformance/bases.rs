//! S3: a commit on a stale base changes nothing.

use super::case::{CaseContext, CaseResult, cases, expect_eq};
use super::dyn_fixture::Connection;
use super::samples::{
    added, changed, commit_on, commits_since, create_tenant, delete_tenant, expect_conflict, expect_deleted,
    expect_success, load_existing, send, slug, tenant, tenant_id, user, users,
};
use crate::model::records::{Change, CommitId, Position, Revision};
use crate::store::{Base, Commit};

cases! {
    S3: a_commit_on_a_stale_base_changes_nothing,
        a_base_with_another_commit_id_is_stale,
        a_base_ahead_of_the_latest_revision_is_stale,
        a_repeated_commit_conflicts,
        conflict_and_deleted_are_reported_before_slug_taken;
}

/// Fails unless commits on a stale base conflict and change nothing.
async fn expect_rejected(store: &dyn Connection, what: &str, base: Position, latest: Position) -> CaseResult {
    let before = load_existing(store, latest.tenant_id).await?;
    let renamed = changed(tenant("acme")?, tenant("renamed")?)?;
    let mut many = users(100..110)?;
    many.push(renamed.clone());
    for changes in [many, vec![renamed], vec![Change::removed(tenant("acme")?)], Vec::new()] {
        let (_, answer) = send(store, Base::At(base), &changes).await;
        expect_conflict(what, answer, latest.revision)?;
    }
    expect_eq("the records and position afterwards", &load_existing(store, latest.tenant_id).await?, &before)?;
    expect_eq("find of a slug of a rejected rename", &store.find(&slug("renamed")?).await?, &None)?;
    expect_eq("find of the slug", &store.find(&slug("acme")?).await?, &Some(latest.tenant_id))
}

async fn a_commit_on_a_stale_base_changes_nothing(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut states = vec![create_tenant(store, tenant_id(1), "acme", &[]).await?];
    let mut latest = states.first().copied().ok_or_else(|| super::case::CaseError::new("no state"))?;
    for number in 0..5 {
        latest = commit_on(store, latest, &users(number..number + 1)?).await?;
        states.push(latest);
    }
    states.pop();
    for stale in states {
        expect_rejected(store, "a commit on a stale base", stale, latest).await?;
    }
    commit_on(store, latest, &[]).await.map(drop)
}

/// As after the restore of a backup: another commit produced that revision.
async fn a_base_with_another_commit_id_is_stale(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let latest = commit_on(store, creation, &users(0..1)?).await?;
    for commit in [CommitId::random(), creation.commit] {
        expect_rejected(store, "a commit on a base with another commit id", Position { commit, ..latest }, latest)
            .await?;
    }
    commit_on(store, latest, &[]).await.map(drop)
}

async fn a_base_ahead_of_the_latest_revision_is_stale(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let latest = commit_on(store, creation, &users(0..1)?).await?;
    // The last one is right in its lower four bytes.
    for number in [3, 4, 1 << 40, (1 << 32) + 2] {
        let ahead = Position { revision: Revision::new(number), ..latest };
        expect_rejected(store, "a commit on a base that is ahead", ahead, latest).await?;
    }
    commit_on(store, latest, &[]).await.map(drop)
}

async fn a_repeated_commit_conflicts(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let changes = users(0..3)?;
    let (envelope, answer) = send(store, Base::At(creation), &changes).await;
    let at = Position {
        revision: expect_success("a commit on the latest position", answer)?,
        commit: envelope.id,
        ..creation
    };
    for _ in 0..2 {
        let again = Commit { base: Base::At(creation), envelope: &envelope, changes: &changes };
        expect_conflict("a commit that was applied, sent again", store.commit(again).await, at.revision)?;
    }
    if let Some(commits) = commits_since(store, creation).await? {
        expect_eq("since the base of a repeated commit (S14): the number of commits", &commits.len(), &1)?;
    }
    commit_on(store, at, &[]).await.map(drop)
}

async fn conflict_and_deleted_are_reported_before_slug_taken(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let latest = commit_on(store, creation, &added([user(1, "alice")?])).await?;
    let renamed = [changed(tenant("acme")?, tenant("other")?)?];
    let answer = send(store, Base::At(creation), &renamed).await.1;
    expect_conflict("a rename to a used slug, on a stale base", answer, latest.revision)?;
    delete_tenant(store, latest, tenant("acme")?).await?;
    expect_deleted("a rename to a used slug, of a deleted tenant", send(store, Base::At(latest), &renamed).await.1)
}
