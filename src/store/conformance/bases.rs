//! S3: a commit is made against the latest state or not at all.

use super::any::Connection;
use super::case::{Hand, Verdict, cases, same};
use super::samples::{
    added, changed, created, end, go_on, is_conflict, is_done, is_gone, present, send, since, slug, tenant, tenant_id,
    user, users,
};
use crate::model::records::{Change, CommitId, Position, Revision};
use crate::store::{Base, Commit};

cases! {
    S3: a_commit_on_a_stale_base_changes_nothing,
        a_base_with_another_commit_id_is_stale,
        a_base_that_is_ahead_is_stale,
        a_commit_that_committed_is_stale_when_it_is_sent_again,
        conflict_and_gone_come_before_taken;
}

/// Sends this on a base that is not the latest; nothing may come of it.
async fn is_refused(store: &dyn Connection, what: &str, base: Position, latest: Position) -> Verdict {
    let before = present(store, latest.tenant_id).await?;
    let renamed = changed(tenant("acme")?, tenant("renamed")?)?;
    let mut many = users(100..110)?;
    many.push(renamed.clone());
    for changes in [many, vec![renamed], vec![Change::removed(tenant("acme")?)], Vec::new()] {
        let (_, answer) = send(store, Base::At(base), &changes).await;
        is_conflict(what, answer, latest.revision)?;
    }
    same("what the life has after that", &present(store, latest.tenant_id).await?, &before)?;
    same("find of a slug that was only tried", &store.find(&slug("renamed")?).await?, &None)?;
    same("find of the slug", &store.find(&slug("acme")?).await?, &Some(latest.tenant_id))
}

async fn a_commit_on_a_stale_base_changes_nothing(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut states = vec![created(store, tenant_id(1), "acme", &[]).await?];
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
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let latest = go_on(store, creation, &users(0..1)?).await?;
    for commit in [CommitId::random(), creation.commit] {
        is_refused(store, "a commit on a base with another commit id", Position { commit, ..latest }, latest).await?;
    }
    go_on(store, latest, &[]).await.map(drop)
}

async fn a_base_that_is_ahead_is_stale(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let latest = go_on(store, creation, &users(0..1)?).await?;
    // The last one is the right one, if four bytes are all that is looked at.
    for number in [3, 4, 1 << 40, (1 << 32) + 2] {
        let ahead = Position { revision: Revision::new(number), ..latest };
        is_refused(store, "a commit on a base that is ahead", ahead, latest).await?;
    }
    go_on(store, latest, &[]).await.map(drop)
}

async fn a_commit_that_committed_is_stale_when_it_is_sent_again(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let changes = users(0..3)?;
    let (envelope, answer) = send(store, Base::At(creation), &changes).await;
    let at = Position { revision: is_done("a commit on the latest state", answer)?, commit: envelope.id, ..creation };
    for _ in 0..2 {
        let again = Commit { base: Base::At(creation), envelope: &envelope, changes: &changes };
        is_conflict("a commit that landed, sent again", store.commit(again).await, at.revision)?;
    }
    if let Some(commits) = since(store, creation).await? {
        same("how many commits there are", &commits.len(), &1)?;
    }
    go_on(store, at, &[]).await.map(drop)
}

async fn conflict_and_gone_come_before_taken(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(2), "other", &[]).await?;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let latest = go_on(store, creation, &added([user(1, "alice")?])).await?;
    let renamed = [changed(tenant("acme")?, tenant("other")?)?];
    let answer = send(store, Base::At(creation), &renamed).await.1;
    is_conflict("a rename to a taken slug, on a stale base", answer, latest.revision)?;
    end(store, latest, tenant("acme")?).await?;
    is_gone("a rename to a taken slug, of an ended life", send(store, Base::At(latest), &renamed).await.1)
}
