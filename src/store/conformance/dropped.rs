//! S11: a future that is dropped leaves the state before or the state after.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::any::Connection;
use super::case::{Hand, Verdict, cases, holds, same};
use super::samples::{
    Records, added, applied, created, envelope, go_on, is_conflict, loaded, present, send, slug, stands, tenant,
    tenant_id, unexpected, users,
};
use crate::model::records::{Position, Record, Revision};
use crate::store::{Base, Commit, Sink, Stop, StoreError};

cases! {
    S11: a_commit_that_is_dropped_leaves_the_state_before_or_after,
        a_commit_that_is_dropped_commits_no_more_once_another_has_won,
        a_creation_that_is_dropped_leaves_nothing_or_the_whole,
        a_read_that_is_dropped_does_no_harm;
}

/// Polls a future so many times, whenever it is woken, and drops it. What it came to, if it came to anything.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(next) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = next;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // The last poll was made: nobody waits for a wake.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// How many polls a future is given at most before it is dropped.
const MOST_POLLS: usize = 12;

/// Ends whatever a dropped commit may still do: an empty commit on its base wins, or has lost against it. Where the
/// tenant stands then, and whether the dropped one landed.
async fn resolved(store: &dyn Connection, base: Position, dropped: Position) -> Verdict<(Position, bool)> {
    let (empty, answer) = send(store, Base::At(base), &[]).await;
    match answer {
        Ok(revision) => Ok((Position { revision, commit: empty.id, ..base }, false)),
        Err(StoreError::Conflict { actual }) => {
            same("the revision after a commit that was dropped", &actual, &dropped.revision)?;
            Ok((dropped, true))
        }
        other => Err(unexpected("a commit after one that was dropped", other, "success or conflict")),
    }
}

async fn a_commit_that_is_dropped_leaves_the_state_before_or_after(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let (mut records, _) = present(store, tenant_id(1)).await?;
    for polls in 0..MOST_POLLS {
        let number = 1_000 * (1 + u128::try_from(polls).unwrap_or(0));
        let changes = users(number..number + 300)?;
        let envelope = envelope(Base::At(at));
        let commit = Commit { base: Base::At(at), envelope: &envelope, changes: &changes };
        let answer = dropped_after(polls, store.commit(commit)).await;
        let dropped = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let (found, _) = present(store, tenant_id(1)).await?;
        let after = applied(records.clone(), &changes);
        holds(found == records || found == after, || {
            format!("a commit that was dropped after {polls} polls is there in part: {} records", found.len())
        })?;
        let (next, committed) = resolved(store, at, dropped).await?;
        holds(committed || !matches!(answer, Some(Ok(_))), || "a commit that succeeded is lost".to_owned())?;
        if committed {
            records = after;
        }
        at = next;
        stands(store, at, &records).await?;
    }
    Ok(())
}

async fn a_commit_that_is_dropped_commits_no_more_once_another_has_won(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    for polls in 0..MOST_POLLS {
        let number = 1_000 * (1 + u128::try_from(polls).unwrap_or(0));
        let (changes, envelope) = (users(number..number + 50)?, envelope(Base::At(at)));
        let commit = Commit { base: Base::At(at), envelope: &envelope, changes: &changes };
        drop(dropped_after(polls, store.commit(commit)).await);
        let dropped = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let (resolved, _) = resolved(store, at, dropped).await?;
        let (records, _) = present(store, tenant_id(1)).await?;
        // Whatever is under way has time to arrive while these commits are made.
        let mut next = resolved;
        for _ in 0..3 {
            is_conflict("the dropped commit, sent again", store.commit(commit).await, next.revision)?;
            next = go_on(store, next, &[]).await?;
            stands(store, next, &records).await?;
        }
        at = next;
    }
    Ok(())
}

async fn a_creation_that_is_dropped_leaves_nothing_or_the_whole(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    for polls in 0..MOST_POLLS {
        let (tenant_id, name) = (tenant_id(u128::try_from(polls).unwrap_or(0)), format!("acme-{polls}"));
        let mut changes = added([tenant(&name)?]);
        changes.extend(users(0..300)?);
        let base = Base::Create(tenant_id);
        let envelope = envelope(base);
        drop(dropped_after(polls, store.commit(Commit { base, envelope: &envelope, changes: &changes })).await);
        match send(store, base, &[]).await.1 {
            Ok(_) => {
                holds(loaded(store, tenant_id).await?.is_none(), || "a birth that lost is there".to_owned())?;
                same("find of the slug of a birth that lost", &store.find(&slug(&name)?).await?, &None)?;
            }
            Err(StoreError::Conflict { .. }) => {
                let at = Position { tenant_id, revision: Revision::FIRST, commit: envelope.id };
                stands(store, at, &applied(Records::new(), &changes)).await?;
            }
            other => return Err(unexpected("an end before the beginning", other, "success or conflict")),
        }
    }
    Ok(())
}

async fn a_read_that_is_dropped_does_no_harm(hand: &Hand<'_>) -> Verdict {
    /// Takes whatever comes.
    struct Anything(usize);
    impl Sink for Anything {
        fn push(&mut self, _: Record) -> Result<(), Stop> {
            self.0 += 1;
            Ok(())
        }
    }
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &users(0..3_000)?).await?;
    let mut at = go_on(store, creation, &[]).await?;
    let (records, _) = present(store, tenant_id(1)).await?;
    let name = slug("acme")?;
    for polls in 0..MOST_POLLS {
        drop(dropped_after(polls, store.load(tenant_id(1), &mut Anything(0))).await);
        drop(dropped_after(polls, store.since(creation)).await);
        drop(dropped_after(polls, store.find(&name)).await);
        drop(dropped_after(polls, store.list(None, 10)).await);
        at = go_on(store, at, &[]).await?;
        stands(store, at, &records).await?;
        same("find after reads that were dropped", &store.find(&name).await?, &Some(tenant_id(1)))?;
    }
    Ok(())
}
