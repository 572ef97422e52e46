//! S1: how a life begins and ends.

use super::any::Connection;
use super::case::{Hand, Verdict, cases, holds, same};
use super::samples::{
    Records, added, applied, created, end, go_on, is_conflict, is_done, is_gone, loaded, present, send, slug, stands,
    tenant, tenant_id, user, users,
};
use crate::model::records::{Change, CommitId, Position, Revision, TenantId};
use crate::store::{Base, Since};

cases! {
    S1: an_unknown_slug_and_an_unknown_tenant_are_absent,
        a_creation_begins_a_tenant_at_revision_one,
        a_creation_of_a_living_tenant_is_a_conflict_before_its_slug_is_looked_at,
        an_ended_tenant_is_gone_for_good,
        a_tenant_that_ended_before_it_began_is_never_created,
        a_creation_that_committed_is_not_undone_by_its_end_before_it_began,
        a_tenant_ends_whatever_else_its_last_commit_changes,
        a_slug_is_free_after_the_end_of_its_tenant,
        a_new_tenant_under_an_old_slug_has_nothing_of_the_old_one;
}

/// Nothing is to be read of a life.
async fn is_absent(store: &dyn Connection, tenant_id: TenantId) -> Verdict {
    holds(loaded(store, tenant_id).await?.is_none(), || format!("a load found life {tenant_id}"))?;
    let at = Position { tenant_id, revision: Revision::FIRST, commit: CommitId::random() };
    let told = store.since(at).await?;
    same("since of a life that is not there", &told, &Since::Deleted)
}

async fn an_unknown_slug_and_an_unknown_tenant_are_absent(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(1), "acme", &[]).await?;
    same("find of a slug that nobody has", &store.find(&slug("acm")?).await?, &None)?;
    is_absent(store, tenant_id(2)).await?;
    let never = Position { tenant_id: tenant_id(2), revision: Revision::FIRST, commit: CommitId::random() };
    is_gone("a commit on a life that never began", send(store, Base::At(never), &[]).await.1)?;
    is_absent(store, tenant_id(2)).await
}

async fn a_creation_begins_a_tenant_at_revision_one(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let more = users(0..20)?;
    let at = created(store, tenant_id(1), "acme", &more).await?;
    same("find of a slug that was born", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
    let listed = store.list(None, 10).await?;
    same("the lives listed", &listed.iter().map(|listed| listed.tenant_id).collect(), &vec![tenant_id(1)])?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &more);
    stands(store, at, &all).await
}

async fn a_creation_of_a_living_tenant_is_a_conflict_before_its_slug_is_looked_at(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(2), "other", &[]).await?;
    let at = created(store, tenant_id(1), "acme", &[]).await?;
    let at = go_on(store, at, &users(0..1)?).await?;
    let before = present(store, tenant_id(1)).await?;
    for name in ["acme", "new", "other"] {
        let creation = added([tenant(name)?]);
        is_conflict(
            "a birth of a living life",
            send(store, Base::Create(tenant_id(1)), &creation).await.1,
            at.revision,
        )?;
    }
    let nothing = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    is_conflict("an empty commit against nothing, of a living life", nothing, at.revision)?;
    same("what the life has after that", &present(store, tenant_id(1)).await?, &before)?;
    same("find of a slug that was only tried", &store.find(&slug("new")?).await?, &None)
}

async fn an_ended_tenant_is_gone_for_good(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &users(0..3)?).await?;
    created(store, tenant_id(2), "other", &[]).await?;
    let last = end(store, creation, tenant("acme")?).await?;
    same("find of the slug of an ended life", &store.find(&slug("acme")?).await?, &None)?;
    is_absent(store, tenant_id(1)).await?;
    same("since the birth of an ended life", &store.since(creation).await?, &Since::Deleted)?;
    for (what, base) in
        [("birth", Base::Create(tenant_id(1))), ("old base", Base::At(creation)), ("end", Base::At(last))]
    {
        for changes in [vec![], added([tenant("acme")?]), added([tenant("other")?])] {
            is_gone(&format!("a commit on an ended life ({what})"), send(store, base, &changes).await.1)?;
        }
    }
    let left = store.list(None, 10).await?;
    same("the lives listed", &left.iter().map(|listed| listed.tenant_id).collect(), &vec![tenant_id(2)])
}

async fn a_tenant_that_ended_before_it_began_is_never_created(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(2), "other", &[]).await?;
    let answer = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    same(
        "the revision of an end before the beginning",
        &is_done("an end before the beginning", answer)?,
        &Revision::FIRST,
    )?;
    is_absent(store, tenant_id(1)).await?;
    is_gone("the same once more", send(store, Base::Create(tenant_id(1)), &[]).await.1)?;
    for name in ["acme", "other"] {
        let creation = added([tenant(name)?]);
        is_gone("a birth that comes after it", send(store, Base::Create(tenant_id(1)), &creation).await.1)?;
    }
    is_absent(store, tenant_id(1)).await?;
    same("find of the slug that it would have had", &store.find(&slug("acme")?).await?, &None)?;
    created(store, tenant_id(3), "acme", &[]).await.map(drop)
}

async fn a_creation_that_committed_is_not_undone_by_its_end_before_it_began(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let at = created(store, tenant_id(1), "acme", &users(0..3)?).await?;
    let before = present(store, tenant_id(1)).await?;
    let answer = send(store, Base::Create(tenant_id(1)), &[]).await.1;
    is_conflict("an empty commit against nothing, of a living life", answer, at.revision)?;
    same("what the life has after that", &present(store, tenant_id(1)).await?, &before)
}

async fn a_tenant_ends_whatever_else_its_last_commit_changes(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    for number in 1..=2 {
        let creation = created(store, tenant_id(number), "acme", &users(0..3)?).await?;
        // One user goes, one comes; the tenant record stands before them or behind.
        let mut changes = vec![Change::removed(user(0, "user-0")?), Change::added(user(9, "user-9")?)];
        changes.insert(if number == 1 { 0 } else { 2 }, Change::removed(tenant("acme")?));
        go_on(store, creation, &changes).await?;
        is_absent(store, tenant_id(number)).await?;
        same("find of the slug of an ended life", &store.find(&slug("acme")?).await?, &None)?;
        same("the lives listed", &store.list(None, 10).await?, &Vec::new())?;
        let creation = added([tenant("acme")?]);
        is_gone("a birth of an ended life", send(store, Base::Create(tenant_id(number)), &creation).await.1)?;
    }
    Ok(())
}

async fn a_slug_is_free_after_the_end_of_its_tenant(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    for number in 1..=5 {
        let at = created(store, tenant_id(number), "acme", &users(0..2)?).await?;
        same("find of the slug", &store.find(&slug("acme")?).await?, &Some(tenant_id(number)))?;
        end(store, at, tenant("acme")?).await?;
    }
    same("find of the slug at the end", &store.find(&slug("acme")?).await?, &None)
}

async fn a_new_tenant_under_an_old_slug_has_nothing_of_the_old_one(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let old_creation = created(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let old = go_on(store, old_creation, &users(5..8)?).await?;
    end(store, old, tenant("acme")?).await?;
    let new = created(store, tenant_id(2), "acme", &added([user(3, "another")?])).await?;
    let new = go_on(store, new, &[]).await?;
    let all = applied(Records::new(), &added([tenant("acme")?, user(3, "another")?]));
    stands(store, new, &all).await?;
    is_absent(store, tenant_id(1)).await?;
    same("since a state of the old life", &store.since(old).await?, &Since::Deleted)?;
    is_gone("a commit on the old life", send(store, Base::At(old), &users(9..10)?).await.1)?;
    let mixed = Position { tenant_id: tenant_id(2), ..old };
    same("since a commit of the old life, asked of the new one", &store.since(mixed).await?, &Since::TooOld)?;
    let answer = send(store, Base::At(mixed), &users(9..10)?).await.1;
    is_conflict("a commit on a state of the old life, sent to the new one", answer, new.revision)?;
    stands(store, new, &all).await
}
