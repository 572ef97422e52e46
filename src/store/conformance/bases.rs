//! S3: a commit is made against the latest state or not at all.

use super::any::Connection;
use super::case::{Hand, Verdict, cases, same};
use super::samples::{
    added, born, changed, end, go_on, is_conflict, is_done, is_gone, life, present, send, since, slug, tenant, user,
    users,
};
use crate::records::{At, Change, CommitId, Revision};
use crate::store::{Base, Commit};

cases! {
    S3: a_commit_on_a_stale_base_changes_nothing,
        a_base_with_another_commit_id_is_stale,
        a_base_that_is_ahead_is_stale,
        a_commit_that_landed_is_stale_when_it_is_sent_again,
        conflict_and_gone_come_before_taken;
}

/// Sends this on a base that is not the latest; nothing may come of it.
async fn is_refused(store: &dyn Connection, what: &str, base: At, latest: At) -> Verdict {
    let before = present(store, latest.life).await?;
    let renamed = changed(tenant("acme")?, tenant("renamed")?)?;
    let mut many = users(100..110)?;
    many.push(renamed.clone());
    for changes in [many, vec![renamed], vec![Change::removed(tenant("acme")?)], Vec::new()] {
        let (_, answer) = send(store, Base::State(base), &changes).await;
        is_conflict(what, answer, latest.revision)?;
    }
    same("what the life has after that", &present(store, latest.life).await?, &before)?;
    same("find of a slug that was only tried", &store.find(&slug("renamed")?).await?, &None)?;
    same("find of the slug", &store.find(&slug("acme")?).await?, &Some(latest.life))
}

async fn a_commit_on_a_stale_base_changes_nothing(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut states = vec![born(store, life(1), "acme", &[]).await?];
    let mut latest = states.first().copied().ok_or_else(|| super::case::Fail::new("no state"))?;
    for number in 0..5 {
        latest = go_on(store, latest, &users(number..number + 1)?).await?;
        states.push(latest);
    }
    states.pop();
    for stale in states {
        is_refused(store, "a commit on a stale base", stale, latest).await?;
    }
    go_on(store, latest, &[]).await.map(drop)
}

/// As after a backup was restored: another commit made the state of that number.
async fn a_base_with_another_commit_id_is_stale(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let birth = born(store, life(1), "acme", &[]).await?;
    let latest = go_on(store, birth, &users(0..1)?).await?;
    for commit in [CommitId::random(), birth.commit] {
        is_refused(store, "a commit on a base with another commit id", At { commit, ..latest }, latest).await?;
    }
    go_on(store, latest, &[]).await.map(drop)
}

async fn a_base_that_is_ahead_is_stale(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let birth = born(store, life(1), "acme", &[]).await?;
    let latest = go_on(store, birth, &users(0..1)?).await?;
    // The last one is the right one, if four bytes are all that is looked at.
    for number in [3, 4, 1 << 40, (1 << 32) + 2] {
        let ahead = At { revision: Revision::new(number), ..latest };
        is_refused(store, "a commit on a base that is ahead", ahead, latest).await?;
    }
    go_on(store, latest, &[]).await.map(drop)
}

async fn a_commit_that_landed_is_stale_when_it_is_sent_again(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let birth = born(store, life(1), "acme", &[]).await?;
    let changes = users(0..3)?;
    let (envelope, answer) = send(store, Base::State(birth), &changes).await;
    let at = At { revision: is_done("a commit on the latest state", answer)?, commit: envelope.id, ..birth };
    for _ in 0..2 {
        let again = Commit { base: Base::State(birth), envelope: &envelope, changes: &changes };
        is_conflict("a commit that landed, sent again", store.commit(again).await, at.revision)?;
    }
    if let Some(commits) = since(store, birth).await? {
        same("how many commits there are", &commits.len(), &1)?;
    }
    go_on(store, at, &[]).await.map(drop)
}

async fn conflict_and_gone_come_before_taken(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    born(store, life(2), "other", &[]).await?;
    let birth = born(store, life(1), "acme", &[]).await?;
    let latest = go_on(store, birth, &added([user(1, "alice")?])).await?;
    let renamed = [changed(tenant("acme")?, tenant("other")?)?];
    let answer = send(store, Base::State(birth), &renamed).await.1;
    is_conflict("a rename to a taken slug, on a stale base", answer, latest.revision)?;
    end(store, latest, tenant("acme")?).await?;
    is_gone("a rename to a taken slug, of an ended life", send(store, Base::State(latest), &renamed).await.1)
}
