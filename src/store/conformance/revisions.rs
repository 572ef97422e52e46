//! S7: revisions rise by one and never repeat.

use super::case::{Hand, Verdict, cases, holds, same};
use super::samples::{
    added, applied, changed, created, end, go_on, is_conflict, is_done, is_gone, loaded, present, send, since, slug,
    stands, tenant, tenant_id, users,
};
use crate::model::records::{Position, Revision};
use crate::store::Base;

cases! {
    S7: each_commit_makes_the_next_revision_an_empty_one_too,
        a_refused_commit_makes_no_revision,
        a_reopened_store_goes_on_where_it_was,
        a_reopened_store_remembers_what_has_ended,
        revisions_of_different_tenants_have_nothing_to_do_with_each_other;
}

async fn each_commit_makes_the_next_revision_an_empty_one_too(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &users(0..3)?).await?;
    let (mut records, _) = present(store, tenant_id(1)).await?;
    for number in 0..30_u128 {
        let changes = if number % 3 == 0 { Vec::new() } else { users(100 + number..101 + number)? };
        at = go_on(store, at, &changes).await?;
        records = applied(records, &changes);
        stands(store, at, &records).await?;
    }
    same("the revision after a birth and thirty commits", &at.revision, &Revision::new(31))
}

async fn a_refused_commit_makes_no_revision(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(2), "other", &[]).await?;
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    let creation = at;
    for number in 0..5 {
        at = go_on(store, at, &users(number..number + 1)?).await?;
        is_conflict("a stale commit", send(store, Base::At(creation), &[]).await.1, at.revision)?;
        let taken = [changed(tenant("acme")?, tenant("other")?)?];
        super::samples::is_taken("a rename to a taken slug", send(store, Base::At(at), &taken).await.1)?;
        same("where the tenant stands after refusals", &present(store, tenant_id(1)).await?.1, &at)?;
    }
    Ok(())
}

async fn a_reopened_store_goes_on_where_it_was(hand: &Hand<'_>) -> Verdict {
    let mut store = hand.fresh().await?;
    let creation = created(&*store, tenant_id(1), "acme", &users(0..50)?).await?;
    let mut at = go_on(&*store, creation, &users(50..60)?).await?;
    let (mut records, _) = present(&*store, tenant_id(1)).await?;
    for number in 0..4_u128 {
        // What is refused just before the end must not move the counter either.
        is_conflict("a stale commit", send(&*store, Base::At(creation), &[]).await.1, at.revision)?;
        store = hand.reopened(store).await?;
        same("find after reopening", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
        stands(&*store, at, &records).await?;
        same("since the latest state, after reopening", &since(&*store, at).await?.map(|told| told.len()), &Some(0))?;
        is_conflict("a stale commit after reopening", send(&*store, Base::At(creation), &[]).await.1, at.revision)?;
        let changes = users(100 + number..101 + number)?;
        at = go_on(&*store, at, &changes).await?;
        records = applied(records, &changes);
        stands(&*store, at, &records).await?;
    }
    same("the revision after six commits and four times reopening", &at.revision, &Revision::new(6))
}

async fn a_reopened_store_remembers_what_has_ended(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let at = created(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
    end(&*store, at, tenant("acme")?).await?;
    is_done("an end before the beginning", send(&*store, Base::Create(tenant_id(2)), &[]).await.1)?;
    let store = hand.reopened(store).await?;
    for number in [1, 2] {
        holds(loaded(&*store, tenant_id(number)).await?.is_none(), || {
            "an ended life is back after reopening".to_owned()
        })?;
        let creation = added([tenant("acme")?]);
        let answer = send(&*store, Base::Create(tenant_id(number)), &creation).await.1;
        is_gone("a birth of an ended life, after reopening", answer)?;
    }
    is_gone("a commit on an ended life, after reopening", send(&*store, Base::At(at), &[]).await.1)?;
    created(&*store, tenant_id(3), "acme", &[]).await.map(drop)
}

async fn revisions_of_different_tenants_have_nothing_to_do_with_each_other(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut one = created(store, tenant_id(1), "one", &[]).await?;
    for number in 0..6_u128 {
        one = go_on(store, one, &users(number..number + 1)?).await?;
        let other: Position = created(store, tenant_id(10 + number), &format!("other-{number}"), &[]).await?;
        same("the revision of a second commit", &go_on(store, other, &[]).await?.revision, &Revision::new(2))?;
    }
    same("the revision after six commits", &one.revision, &Revision::new(7))
}
