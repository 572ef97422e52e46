//! S11: a dropped future leaves the state before or the state after.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::case::{CaseContext, CaseResult, cases, ensure, expect_eq};
use super::dyn_fixture::Connection;
use super::samples::{
    Records, added, applied, commit_on, create_tenant, envelope, expect_conflict, expect_state, load, load_existing,
    send, slug, tenant, tenant_id, unexpected, users,
};
use crate::model::records::{Position, Record, Revision};
use crate::store::{Base, Commit, Sink, Stop, StoreError};

cases! {
    S11: a_dropped_commit_leaves_the_state_before_or_after,
        a_dropped_commit_is_not_applied_after_another_commit,
        a_dropped_creation_creates_the_whole_tenant_or_nothing,
        a_dropped_read_has_no_effect;
}

/// Polls a future at most this many times, whenever it is woken, and drops it. Returns its output if it was ready.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(next) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = next;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // This was the last poll: do not wait for a wake.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The most polls before a future is dropped.
const MOST_POLLS: usize = 12;

/// Ends a dropped commit: an empty commit on its base wins or loses against it. Returns the position then, and whether
/// the dropped commit was applied.
async fn resolved(store: &dyn Connection, base: Position, dropped: Position) -> CaseResult<(Position, bool)> {
    let (empty, answer) = send(store, Base::At(base), &[]).await;
    match answer {
        Ok(revision) => Ok((Position { revision, commit: empty.id, ..base }, false)),
        Err(StoreError::Conflict { actual }) => {
            expect_eq("the revision after a dropped commit", &actual, &dropped.revision)?;
            Ok((dropped, true))
        }
        other => Err(unexpected("a commit after a dropped one", other, "success or conflict")),
    }
}

async fn a_dropped_commit_leaves_the_state_before_or_after(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let (mut records, _) = load_existing(store, tenant_id(1)).await?;
    for polls in 0..MOST_POLLS {
        let number = 1_000 * (1 + u128::try_from(polls).unwrap_or(0));
        let changes = users(number..number + 300)?;
        let envelope = envelope(Base::At(at));
        let commit = Commit { base: Base::At(at), envelope: &envelope, changes: &changes };
        let answer = dropped_after(polls, store.commit(commit)).await;
        let dropped = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let (found, _) = load_existing(store, tenant_id(1)).await?;
        let after = applied(records.clone(), &changes);
        ensure(found == records || found == after, || {
            format!("a commit dropped after {polls} polls is partly applied: {} records", found.len())
        })?;
        let (next, committed) = resolved(store, at, dropped).await?;
        ensure(committed || !matches!(answer, Some(Ok(_))), || "a commit that succeeded is lost".to_owned())?;
        if committed {
            records = after;
        }
        at = next;
        expect_state(store, at, &records).await?;
    }
    Ok(())
}

async fn a_dropped_commit_is_not_applied_after_another_commit(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for polls in 0..MOST_POLLS {
        let number = 1_000 * (1 + u128::try_from(polls).unwrap_or(0));
        let (changes, envelope) = (users(number..number + 50)?, envelope(Base::At(at)));
        let commit = Commit { base: Base::At(at), envelope: &envelope, changes: &changes };
        drop(dropped_after(polls, store.commit(commit)).await);
        let dropped = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let (resolved, _) = resolved(store, at, dropped).await?;
        let (records, _) = load_existing(store, tenant_id(1)).await?;
        // A commit that is still running has time to arrive during these commits.
        let mut next = resolved;
        for _ in 0..3 {
            expect_conflict("the dropped commit, sent again", store.commit(commit).await, next.revision)?;
            next = commit_on(store, next, &[]).await?;
            expect_state(store, next, &records).await?;
        }
        at = next;
    }
    Ok(())
}

async fn a_dropped_creation_creates_the_whole_tenant_or_nothing(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    for polls in 0..MOST_POLLS {
        let (tenant_id, name) = (tenant_id(u128::try_from(polls).unwrap_or(0)), format!("acme-{polls}"));
        let mut changes = added([tenant(&name)?]);
        changes.extend(users(0..300)?);
        let base = Base::Create(tenant_id);
        let envelope = envelope(base);
        drop(dropped_after(polls, store.commit(Commit { base, envelope: &envelope, changes: &changes })).await);
        match send(store, base, &[]).await.1 {
            Ok(_) => {
                ensure(load(store, tenant_id).await?.is_none(), || "a load finds a prevented tenant".to_owned())?;
                expect_eq("find of the slug of a prevented tenant", &store.find(&slug(&name)?).await?, &None)?;
            }
            Err(StoreError::Conflict { .. }) => {
                let at = Position { tenant_id, revision: Revision::FIRST, commit: envelope.id };
                expect_state(store, at, &applied(Records::new(), &changes)).await?;
            }
            other => return Err(unexpected("an empty creation", other, "success or conflict")),
        }
    }
    Ok(())
}

async fn a_dropped_read_has_no_effect(case: &CaseContext<'_>) -> CaseResult {
    /// Counts records.
    struct CountingSink(usize);
    impl Sink for CountingSink {
        fn push(&mut self, _: Record) -> Result<(), Stop> {
            self.0 += 1;
            Ok(())
        }
    }
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &users(0..3_000)?).await?;
    let mut at = commit_on(store, creation, &[]).await?;
    let (records, _) = load_existing(store, tenant_id(1)).await?;
    let name = slug("acme")?;
    for polls in 0..MOST_POLLS {
        drop(dropped_after(polls, store.load(tenant_id(1), &mut CountingSink(0))).await);
        drop(dropped_after(polls, store.since(creation)).await);
        drop(dropped_after(polls, store.find(&name)).await);
        drop(dropped_after(polls, store.list(None, 10)).await);
        at = commit_on(store, at, &[]).await?;
        expect_state(store, at, &records).await?;
        expect_eq("find after dropped reads", &store.find(&name).await?, &Some(tenant_id(1)))?;
    }
    Ok(())
}
