//! S7: every commit raises the revision by one, and none repeats.

use super::case::{CaseContext, CaseResult, cases, ensure, expect_eq};
use super::samples::{
    added, applied, changed, commit_on, commits_since, create_tenant, delete_tenant, expect_conflict, expect_deleted,
    expect_state, expect_success, load, load_existing, send, slug, tenant, tenant_id, users,
};
use crate::model::records::{Position, Revision};
use crate::store::Base;

cases! {
    S7: every_commit_makes_the_next_revision,
        a_rejected_commit_makes_no_revision,
        a_reopened_store_continues_at_its_latest_revision,
        a_reopened_store_remembers_deleted_tenants,
        each_tenant_counts_its_own_revisions;
}

async fn every_commit_makes_the_next_revision(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &users(0..3)?).await?;
    let (mut records, _) = load_existing(store, tenant_id(1)).await?;
    for number in 0..30_u128 {
        let changes = if number % 3 == 0 { Vec::new() } else { users(100 + number..101 + number)? };
        at = commit_on(store, at, &changes).await?;
        records = applied(records, &changes);
        expect_state(store, at, &records).await?;
    }
    expect_eq("the revision after a creation and thirty commits", &at.revision, &Revision::new(31))
}

async fn a_rejected_commit_makes_no_revision(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let creation = at;
    for number in 0..5 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        expect_conflict("a stale commit", send(store, Base::At(creation), &[]).await.1, at.revision)?;
        let taken = [changed(tenant("acme")?, tenant("other")?)?];
        super::samples::expect_slug_taken("a rename to a used slug", send(store, Base::At(at), &taken).await.1)?;
        expect_eq("the position after rejected commits", &load_existing(store, tenant_id(1)).await?.1, &at)?;
    }
    Ok(())
}

async fn a_reopened_store_continues_at_its_latest_revision(case: &CaseContext<'_>) -> CaseResult {
    let mut store = case.fresh().await?;
    let creation = create_tenant(&*store, tenant_id(1), "acme", &users(0..50)?).await?;
    let mut at = commit_on(&*store, creation, &users(50..60)?).await?;
    let (mut records, _) = load_existing(&*store, tenant_id(1)).await?;
    for number in 0..4_u128 {
        // A commit that is rejected just before closing must not count either.
        expect_conflict("a stale commit", send(&*store, Base::At(creation), &[]).await.1, at.revision)?;
        store = case.reopened(store).await?;
        expect_eq("find after reopening", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
        expect_state(&*store, at, &records).await?;
        expect_eq(
            "since the latest position, after reopening (S14): the number of commits",
            &commits_since(&*store, at).await?.map(|told| told.len()),
            &Some(0),
        )?;
        expect_conflict("a stale commit after reopening", send(&*store, Base::At(creation), &[]).await.1, at.revision)?;
        let changes = users(100 + number..101 + number)?;
        at = commit_on(&*store, at, &changes).await?;
        records = applied(records, &changes);
        expect_state(&*store, at, &records).await?;
    }
    expect_eq("the revision after six commits and four reopenings", &at.revision, &Revision::new(6))
}

async fn a_reopened_store_remembers_deleted_tenants(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let at = create_tenant(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
    delete_tenant(&*store, at, tenant("acme")?).await?;
    expect_success("an empty creation", send(&*store, Base::Create(tenant_id(2)), &[]).await.1)?;
    let store = case.reopened(store).await?;
    for number in [1, 2] {
        ensure(load(&*store, tenant_id(number)).await?.is_none(), || {
            "a deleted tenant is back after reopening".to_owned()
        })?;
        let creation = added([tenant("acme")?]);
        let answer = send(&*store, Base::Create(tenant_id(number)), &creation).await.1;
        expect_deleted("a creation of a deleted tenant, after reopening", answer)?;
    }
    expect_deleted("a commit on a deleted tenant, after reopening", send(&*store, Base::At(at), &[]).await.1)?;
    create_tenant(&*store, tenant_id(3), "acme", &[]).await.map(drop)
}

async fn each_tenant_counts_its_own_revisions(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut one = create_tenant(store, tenant_id(1), "one", &[]).await?;
    for number in 0..6_u128 {
        one = commit_on(store, one, &users(number..number + 1)?).await?;
        let other: Position = create_tenant(store, tenant_id(10 + number), &format!("other-{number}"), &[]).await?;
        expect_eq("the revision of a second commit", &commit_on(store, other, &[]).await?.revision, &Revision::new(2))?;
    }
    expect_eq("the revision after six commits", &one.revision, &Revision::new(7))
}
