//! S4 and S15: a commit is all or nothing, however large.

use std::sync::Arc;

use super::any::Connection;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::concurrent::{Contest, Racer};
use super::samples::{
    Records, added, applied, by_key, changed, created, envelope, go_on, is_done, is_taken, loaded, present, send,
    since, slug, stands, tenant, tenant_id, user, users,
};
use crate::model::records::{Change, Position};
use crate::store::{Base, Commit, StoreError};

cases! {
    S4: a_refused_commit_leaves_nothing_behind,
        a_commit_is_never_seen_in_part,
        a_commit_is_one_commit_in_the_history;
    S15: a_commit_of_200_000_changes_is_one_commit_or_too_large,
        a_creation_of_200_000_records_is_one_commit_or_too_large;
}

async fn a_refused_commit_leaves_nothing_behind(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(2), "other", &[]).await?;
    let at = created(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let before = present(store, tenant_id(1)).await?;
    // The tenant record stands last, so that the rest has been written when the slug turns out to be taken.
    let mut changes = users(10..60)?;
    changes.push(Change::removed(user(0, "user-0")?));
    changes.push(changed(tenant("acme")?, tenant("other")?)?);
    is_taken("a rename to a taken slug, with other changes", send(store, Base::At(at), &changes).await.1)?;
    same("what the life has after that", &present(store, tenant_id(1)).await?, &before)?;
    let mut creation = users(0..50)?;
    creation.push(Change::added(tenant("other")?));
    is_taken("a birth under a taken slug", send(store, Base::Create(tenant_id(3)), &creation).await.1)?;
    holds(loaded(store, tenant_id(3)).await?.is_none(), || "a birth that was refused is there".to_owned())?;
    let at = go_on(store, at, &users(10..11)?).await?;
    created(store, tenant_id(3), "third", &users(0..1)?).await?;
    stands(store, at, &applied(before.0, &users(10..11)?)).await
}

/// How many changes the commits have that others watch.
const MANY: u128 = 3_000;

/// How many commits and loads are made at most.
const MOST: usize = 10_000;

async fn a_commit_is_never_seen_in_part(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let creation = created(&*first, tenant_id(1), "acme", &[]).await?;
    let adding = users(0..MANY)?;
    let removing: Vec<_> = adding.iter().filter_map(|change| change.after().cloned().map(Change::removed)).collect();
    let contest = Contest::of(3, MOST);
    let writer: Racer = {
        let (store, contest) = (Arc::clone(&first), Arc::clone(&contest));
        Box::pin(async move {
            let (mut at, mut commits) = (creation, 0);
            while contest.goes_on(0).await {
                // So every even revision has all of the users, and every odd one has none.
                let changes = if commits % 2 == 0 { &adding } else { &removing };
                commits += 1;
                at = contest.race(0, 0, go_on(&*store, at, changes)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, contest) = (Arc::clone(store), Arc::clone(&contest));
        Box::pin(async move {
            while contest.goes_on(by).await {
                let seen = contest.race(0, 1, loaded(&*store, tenant_id(1))).await?;
                let (records, at) = seen.ok_or_else(|| Fail::new("the life is not seen while it is written to"))?;
                let expected = if at.revision.number() % 2 == 0 { 1 + MANY } else { 1 };
                same(
                    "how many records a load during a commit sees",
                    &u128::try_from(records.len()).unwrap_or(0),
                    &expected,
                )?;
            }
            Ok(())
        })
    };
    hand.hold(&contest, vec![reader(1, &second), writer, reader(2, &first)]).await
}

async fn a_commit_is_one_commit_in_the_history(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let changes = users(0..5_000)?;
    let (envelope, answer) = send(store, Base::At(creation), &changes).await;
    let at = Position { revision: is_done("a commit of 5,000 changes", answer)?, commit: envelope.id, ..creation };
    same("the revision of a commit of 5,000 changes", &at.revision, &creation.revision.next())?;
    let Some(commits) = since(store, creation).await? else {
        return Err(Fail::not_exercised("the history of the last commit is too old already"));
    };
    same("how many commits a commit of 5,000 changes is told as", &commits.len(), &1)?;
    for told in commits {
        same("its revision", &told.revision, &at.revision)?;
        same("its envelope", &told.envelope, &envelope)?;
        same("how many changes it is told with", &told.changes.len(), &changes.len())?;
        same("its changes", &by_key(&told.changes), &by_key(&changes))?;
    }
    stands(store, at, &applied(applied(Records::new(), &added([tenant("acme")?])), &changes)).await
}

/// How many changes the largest commits have.
const LARGE: u128 = 200_000;

/// A commit that changes 50,000 users, removes 50,000 and adds 100,000.
async fn a_commit_of_200_000_changes_is_one_commit_or_too_large(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let (half, quarter) = (LARGE / 2, LARGE / 4);
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    for number in (0..half).step_by(1_000) {
        at = go_on(store, at, &users(number..number + 1_000)?).await?;
    }
    let (records, _) = present(store, tenant_id(1)).await?;
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
            same("the revision of a commit of 200,000 changes", &revision, &at.revision.next())?;
            stands(store, Position { revision, commit: envelope.id, ..at }, &applied(records, &changes)).await
        }
        Err(StoreError::TooLarge(_)) => {
            stands(store, at, &records).await?;
            go_on(store, at, &[]).await.map(drop)
        }
        Err(error) => Err(Fail::from(error).while_("a commit of 200,000 changes")),
    }
}

async fn a_creation_of_200_000_records_is_one_commit_or_too_large(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut changes = added([tenant("acme")?]);
    changes.extend(users(0..LARGE)?);
    let base = Base::Create(tenant_id(1));
    let envelope = envelope(base);
    match store.commit(Commit { base, envelope: &envelope, changes: &changes }).await {
        Ok(revision) => {
            stands(
                store,
                Position { tenant_id: tenant_id(1), revision, commit: envelope.id },
                &applied(Records::new(), &changes),
            )
            .await
        }
        Err(StoreError::TooLarge(_)) => {
            holds(loaded(store, tenant_id(1)).await?.is_none(), || "a birth that was too large is there".to_owned())?;
            let found = store.find(&slug("acme")?).await?;
            same("find of the slug of a birth that was too large", &found, &None)
        }
        Err(error) => Err(Fail::from(error).while_("a birth of 200,000 records")),
    }
}
