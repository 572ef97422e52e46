//! S1: how tenants are created and deleted.

use super::case::{CaseContext, CaseResult, cases, ensure, expect_eq};
use super::dyn_fixture::Connection;
use super::samples::{
    Records, added, applied, commit_on, create_tenant, delete_tenant, expect_conflict, expect_deleted, expect_state,
    expect_success, load, load_existing, send, slug, tenant, tenant_id, user, users,
};
use crate::model::records::{Change, CommitId, Position, Revision, TenantId};
use crate::store::{Base, Since};

cases! {
    S1: unknown_slugs_and_tenant_ids_are_absent,
        creating_a_tenant_makes_revision_one,
        creating_an_existing_tenant_conflicts_whatever_the_slug,
        a_deleted_tenant_stays_deleted,
        an_empty_creation_prevents_the_creation,
        an_empty_creation_does_not_delete_an_existing_tenant,
        removing_the_tenant_record_deletes_the_tenant_whatever_else_changes,
        deleting_a_tenant_frees_its_slug,
        a_new_tenant_with_a_reused_slug_starts_empty;
}

/// Fails unless nothing can be read of a tenant.
async fn expect_absent(store: &dyn Connection, tenant_id: TenantId) -> CaseResult {
    ensure(load(store, tenant_id).await?.is_none(), || format!("a load finds tenant {tenant_id}"))?;
    let at = Position { tenant_id, revision: Revision::FIRST, commit: CommitId::random() };
    let told = store.since(at).await?;
    expect_eq("since of an absent tenant", &told, &Since::Deleted)
}

async fn unknown_slugs_and_tenant_ids_are_absent(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(1), "acme", &[]).await?;
    expect_eq("find of an unknown slug", &store.find(&slug("acm")?).await?, &None)?;
    expect_absent(store, tenant_id(2)).await?;
    let never = Position { tenant_id: tenant_id(2), revision: Revision::FIRST, commit: CommitId::random() };
    expect_deleted("a commit on a tenant that was never created", send(store, Base::At(never), &[]).await.1)?;
    expect_absent(store, tenant_id(2)).await
}

async fn creating_a_tenant_makes_revision_one(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let more = users(0..20)?;
    let at = create_tenant(store, tenant_id(1), "acme", &more).await?;
    expect_eq("find of the slug of a new tenant", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
    let listed = store.list(None, 10).await?;
    expect_eq("the tenants listed", &listed.iter().map(|listed| listed.tenant_id).collect(), &vec![tenant_id(1)])?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &more);
    expect_state(store, at, &all).await
}

async fn creating_an_existing_tenant_conflicts_whatever_the_slug(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let at = commit_on(store, at, &users(0..1)?).await?;
    let before = load_existing(store, tenant_id(1)).await?;
    for name in ["acme", "new", "other"] {
        let creation = added([tenant(name)?]);
        expect_conflict(
            "a creation of an existing tenant",
            send(store, Base::Create(tenant_id(1)), &creation).await.1,
            at.revision,
        )?;
    }
    let nothing = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    expect_conflict("an empty creation of an existing tenant", nothing, at.revision)?;
    expect_eq("the records and position afterwards", &load_existing(store, tenant_id(1)).await?, &before)?;
    expect_eq("find of a slug of a rejected creation", &store.find(&slug("new")?).await?, &None)
}

async fn a_deleted_tenant_stays_deleted(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &users(0..3)?).await?;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let last = delete_tenant(store, creation, tenant("acme")?).await?;
    expect_eq("find of the slug of a deleted tenant", &store.find(&slug("acme")?).await?, &None)?;
    expect_absent(store, tenant_id(1)).await?;
    expect_eq("since the creation of a deleted tenant", &store.since(creation).await?, &Since::Deleted)?;
    for (what, base) in
        [("creation", Base::Create(tenant_id(1))), ("old base", Base::At(creation)), ("end", Base::At(last))]
    {
        for changes in [vec![], added([tenant("acme")?]), added([tenant("other")?])] {
            expect_deleted(&format!("a commit on a deleted tenant ({what})"), send(store, base, &changes).await.1)?;
        }
    }
    let left = store.list(None, 10).await?;
    expect_eq("the tenants listed", &left.iter().map(|listed| listed.tenant_id).collect(), &vec![tenant_id(2)])
}

async fn an_empty_creation_prevents_the_creation(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    let answer = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    expect_eq("the revision of an empty creation", &expect_success("an empty creation", answer)?, &Revision::FIRST)?;
    expect_absent(store, tenant_id(1)).await?;
    expect_deleted("a second empty creation", send(store, Base::Create(tenant_id(1)), &[]).await.1)?;
    for name in ["acme", "other"] {
        let creation = added([tenant(name)?]);
        expect_deleted("a prevented creation", send(store, Base::Create(tenant_id(1)), &creation).await.1)?;
    }
    expect_absent(store, tenant_id(1)).await?;
    expect_eq("find of the slug of a prevented creation", &store.find(&slug("acme")?).await?, &None)?;
    create_tenant(store, tenant_id(3), "acme", &[]).await.map(drop)
}

async fn an_empty_creation_does_not_delete_an_existing_tenant(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let at = create_tenant(store, tenant_id(1), "acme", &users(0..3)?).await?;
    let before = load_existing(store, tenant_id(1)).await?;
    let answer = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    expect_conflict("an empty creation of an existing tenant", answer, at.revision)?;
    expect_eq("the records and position afterwards", &load_existing(store, tenant_id(1)).await?, &before)
}

async fn removing_the_tenant_record_deletes_the_tenant_whatever_else_changes(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    for number in 1..=2 {
        let creation = create_tenant(store, tenant_id(number), "acme", &users(0..3)?).await?;
        // One user is removed and one added. The tenant record comes before or after them.
        let mut changes = vec![Change::removed(user(0, "user-0")?), Change::added(user(9, "user-9")?)];
        changes.insert(if number == 1 { 0 } else { 2 }, Change::removed(tenant("acme")?));
        commit_on(store, creation, &changes).await?;
        expect_absent(store, tenant_id(number)).await?;
        expect_eq("find of the slug of a deleted tenant", &store.find(&slug("acme")?).await?, &None)?;
        expect_eq("the tenants listed", &store.list(None, 10).await?, &Vec::new())?;
        let creation = added([tenant("acme")?]);
        expect_deleted(
            "a creation of a deleted tenant",
            send(store, Base::Create(tenant_id(number)), &creation).await.1,
        )?;
    }
    Ok(())
}

async fn deleting_a_tenant_frees_its_slug(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    for number in 1..=5 {
        let at = create_tenant(store, tenant_id(number), "acme", &users(0..2)?).await?;
        expect_eq("find of the slug", &store.find(&slug("acme")?).await?, &Some(tenant_id(number)))?;
        delete_tenant(store, at, tenant("acme")?).await?;
    }
    expect_eq("find of the slug after the last deletion", &store.find(&slug("acme")?).await?, &None)
}

async fn a_new_tenant_with_a_reused_slug_starts_empty(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let old_creation = create_tenant(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let old = commit_on(store, old_creation, &users(5..8)?).await?;
    delete_tenant(store, old, tenant("acme")?).await?;
    let new = create_tenant(store, tenant_id(2), "acme", &added([user(3, "another")?])).await?;
    let new = commit_on(store, new, &[]).await?;
    let all = applied(Records::new(), &added([tenant("acme")?, user(3, "another")?]));
    expect_state(store, new, &all).await?;
    expect_absent(store, tenant_id(1)).await?;
    expect_eq("since a position of the old tenant", &store.since(old).await?, &Since::Deleted)?;
    expect_deleted("a commit on the old tenant", send(store, Base::At(old), &users(9..10)?).await.1)?;
    let mixed = Position { tenant_id: tenant_id(2), ..old };
    expect_eq("since a commit of the old tenant, under the new id", &store.since(mixed).await?, &Since::TooOld)?;
    let answer = send(store, Base::At(mixed), &users(9..10)?).await.1;
    expect_conflict("a commit on a position of the old tenant, under the new id", answer, new.revision)?;
    expect_state(store, new, &all).await
}
