//! S4 and S15: the store applies a commit of any size as a whole or not at all.

use std::sync::Arc;

use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::concurrent::{Race, Racer};
use super::dyn_fixture::Connection;
use super::samples::{
    Records, added, applied, changed, commit_on, commits_since, create_tenant, envelope, expect_slug_taken,
    expect_state, expect_success, load, load_existing, send, slug, sorted_by_key, tenant, tenant_id, user, users,
};
use crate::model::records::{Change, Position};
use crate::store::{Base, Commit, StoreError};

cases! {
    S4: a_rejected_commit_changes_nothing,
        a_commit_is_never_partly_visible,
        a_large_commit_is_one_commit_in_the_history;
    S15: a_commit_of_200_000_changes_is_one_commit_or_too_large,
        a_creation_of_200_000_records_is_one_commit_or_too_large;
}

async fn a_rejected_commit_changes_nothing(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let at = create_tenant(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let before = load_existing(store, tenant_id(1)).await?;
    // The tenant record comes last, so that a store has written the other changes when it meets the used slug.
    let mut changes = users(10..60)?;
    changes.push(Change::removed(user(0, "user-0")?));
    changes.push(changed(tenant("acme")?, tenant("other")?)?);
    expect_slug_taken("a rename to a used slug, with other changes", send(store, Base::At(at), &changes).await.1)?;
    expect_eq("the records and position afterwards", &load_existing(store, tenant_id(1)).await?, &before)?;
    let mut creation = users(0..50)?;
    creation.push(Change::added(tenant("other")?));
    expect_slug_taken("a creation with a used slug", send(store, Base::Create(tenant_id(3)), &creation).await.1)?;
    ensure(load(store, tenant_id(3)).await?.is_none(), || "a load finds the tenant of a rejected creation".to_owned())?;
    let at = commit_on(store, at, &users(10..11)?).await?;
    create_tenant(store, tenant_id(3), "third", &users(0..1)?).await?;
    expect_state(store, at, &applied(before.0, &users(10..11)?)).await
}

/// How many changes each concurrently read commit has.
const MANY: u128 = 3_000;

/// The most commits and loads of a race.
const MOST: usize = 10_000;

async fn a_commit_is_never_partly_visible(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let creation = create_tenant(&*first, tenant_id(1), "acme", &[]).await?;
    let adding = users(0..MANY)?;
    let removing: Vec<_> = adding.iter().filter_map(|change| change.after().cloned().map(Change::removed)).collect();
    let race = Race::of(3, MOST);
    let writer: Racer = {
        let (store, race) = (Arc::clone(&first), Arc::clone(&race));
        Box::pin(async move {
            let (mut at, mut commits) = (creation, 0);
            while race.next_attempt(0).await {
                // Even revisions have all of the users, odd ones none.
                let changes = if commits % 2 == 0 { &adding } else { &removing };
                commits += 1;
                at = race.call(0, 0, commit_on(&*store, at, changes)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, race) = (Arc::clone(store), Arc::clone(&race));
        Box::pin(async move {
            while race.next_attempt(by).await {
                let seen = race.call(0, 1, load(&*store, tenant_id(1))).await?;
                let (records, at) = seen.ok_or_else(|| CaseError::new("a load finds no tenant during a commit"))?;
                let expected = if at.revision.number() % 2 == 0 { 1 + MANY } else { 1 };
                expect_eq(
                    "the number of records that a load during a commit reads",
                    &u128::try_from(records.len()).unwrap_or(0),
                    &expected,
                )?;
            }
            Ok(())
        })
    };
    case.run_race(&race, vec![reader(1, &second), writer, reader(2, &first)]).await
}

async fn a_large_commit_is_one_commit_in_the_history(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let changes = users(0..5_000)?;
    let (envelope, answer) = send(store, Base::At(creation), &changes).await;
    let at =
        Position { revision: expect_success("a commit of 5,000 changes", answer)?, commit: envelope.id, ..creation };
    expect_eq("the revision of a commit of 5,000 changes", &at.revision, &creation.revision.next())?;
    let Some(commits) = commits_since(store, creation).await? else {
        return Err(CaseError::not_exercised("the last commit is already too old"));
    };
    expect_eq("since the base of a large commit (S14): the number of commits", &commits.len(), &1)?;
    for commit in commits {
        expect_eq("its revision", &commit.revision, &at.revision)?;
        expect_eq("its envelope", &commit.envelope, &envelope)?;
        expect_eq("its number of changes", &commit.changes.len(), &changes.len())?;
        expect_eq("its changes", &sorted_by_key(&commit.changes), &sorted_by_key(&changes))?;
    }
    expect_state(store, at, &applied(applied(Records::new(), &added([tenant("acme")?])), &changes)).await
}

/// The number of changes of the largest commits.
const LARGE: u128 = 200_000;

/// A commit that changes 50,000 users, removes 50,000 and adds 100,000.
async fn a_commit_of_200_000_changes_is_one_commit_or_too_large(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let (half, quarter) = (LARGE / 2, LARGE / 4);
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in (0..half).step_by(1_000) {
        at = commit_on(store, at, &users(number..number + 1_000)?).await?;
    }
    let (records, _) = load_existing(store, tenant_id(1)).await?;
    let mut changes = Vec::new();
    for number in 0..half {
        let before = user(number, &format!("user-{number}"))?;
        let renamed = user(number, &format!("renamed-{number}"))?;
        changes.push(if number < quarter { changed(before, renamed)? } else { Change::removed(before) });
    }
    changes.extend(users(half..LARGE)?);
    let (envelope, answer) = send(store, Base::At(at), &changes).await;
    match answer {
        Ok(revision) => {
            expect_eq("the revision of a commit of 200,000 changes", &revision, &at.revision.next())?;
            expect_state(store, Position { revision, commit: envelope.id, ..at }, &applied(records, &changes)).await
        }
        Err(StoreError::TooLarge(_)) => {
            expect_state(store, at, &records).await?;
            commit_on(store, at, &[]).await.map(drop)
        }
        Err(error) => Err(CaseError::from(error).in_context("a commit of 200,000 changes")),
    }
}

async fn a_creation_of_200_000_records_is_one_commit_or_too_large(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut changes = added([tenant("acme")?]);
    changes.extend(users(0..LARGE)?);
    let base = Base::Create(tenant_id(1));
    let envelope = envelope(base);
    match store.commit(Commit { base, envelope: &envelope, changes: &changes }).await {
        Ok(revision) => {
            expect_state(
                store,
                Position { tenant_id: tenant_id(1), revision, commit: envelope.id },
                &applied(Records::new(), &changes),
            )
            .await
        }
        Err(StoreError::TooLarge(_)) => {
            ensure(load(store, tenant_id(1)).await?.is_none(), || {
                "a load finds a tenant that was too large".to_owned()
            })?;
            let found = store.find(&slug("acme")?).await?;
            expect_eq("find of the slug of a creation that was too large", &found, &None)
        }
        Err(error) => Err(CaseError::from(error).in_context("a creation of 200,000 records")),
    }
}
