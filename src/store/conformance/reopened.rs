//! What is in the database, and not only in the memory of the process that wrote it: a store that answers from memory is
//! tested by nothing else.

use super::LinkState;
use super::any::Connection;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::content::{each_kind, window, windowed};
use super::history::{are_complete, full_envelope};
use super::links::may_hide_a_success;
use super::samples::{
    Records, added, applied, changed, created, go_on, is_done, present, send, since, stands, tenant, tenant_id, told,
    unexpected, user, users,
};
use super::similar_texts;
use crate::model::records::{Change, Position, Record, Status, Window};
use crate::store::{Base, Commit, StoreError};

cases! {
    S6: a_commit_on_a_broken_link_is_what_was_told_after_reopening,
        a_store_that_went_on_after_a_broken_link_is_whole_after_reopening;
    S8: a_reopened_store_keeps_every_byte;
    S10: a_reopened_store_has_every_record_as_it_was_written;
    S14: a_reopened_store_tells_an_envelope_as_it_was_sent;
    S15: a_reopened_store_has_the_whole_of_a_large_commit;
}

/// What a life has that was born with these.
fn with_tenant(name: &str, records: &[Record]) -> Verdict<Records> {
    Ok(applied(applied(Records::new(), &added([tenant(name)?])), &added(records.to_vec())))
}

async fn a_reopened_store_keeps_every_byte(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let (families, mut states) = (similar_texts::families()?, Vec::new());
    for (records, number) in families.iter().zip(0..) {
        states.push(created(&*store, tenant_id(number), &format!("acme-{number}"), &added(records.clone())).await?);
    }
    let store = hand.reopened(store).await?;
    for ((records, at), number) in families.iter().zip(states).zip(0..) {
        let name = format!("acme-{number}");
        stands(&*store, at, &with_tenant(&name, records)?).await?;
    }
    let listed = store.list(None, 100).await?;
    same("how many tenants there are after reopening", &listed.len(), &families.len())
}

async fn a_reopened_store_has_every_record_as_it_was_written(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let (first, later) =
        (each_kind("first", Status::Active, Window::ALWAYS)?, each_kind("later", Status::Suspended, window(1, 2)?)?);
    let windows = windowed()?;
    let written = created(&*store, tenant_id(1), "written", &added(later.clone())).await?;
    let windowed = created(&*store, tenant_id(2), "windowed", &added(windows.clone())).await?;
    let creation = created(&*store, tenant_id(3), "changed", &added(first.clone())).await?;
    let pairs = first.iter().zip(&later).filter(|(before, after)| before != after);
    let changes: Vec<_> =
        pairs.map(|(before, after)| changed(before.clone(), after.clone())).collect::<Verdict<_>>()?;
    let changed_at = go_on(&*store, creation, &changes).await?;
    let removed: Vec<_> = later.iter().skip(1).step_by(2).cloned().map(Change::removed).collect();
    let creation = created(&*store, tenant_id(4), "removed", &added(later.clone())).await?;
    let removed_at = go_on(&*store, creation, &removed).await?;
    let store = hand.reopened(store).await?;
    stands(&*store, written, &with_tenant("written", &later)?).await?;
    stands(&*store, windowed, &with_tenant("windowed", &windows)?).await?;
    stands(&*store, changed_at, &applied(with_tenant("changed", &first)?, &changes)).await?;
    stands(&*store, removed_at, &applied(with_tenant("removed", &later)?, &removed)).await
}

async fn a_reopened_store_tells_an_envelope_as_it_was_sent(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let creation = created(&*store, tenant_id(1), "acme", &[]).await?;
    let envelope = full_envelope(creation)?;
    store.commit(Commit { base: Base::At(creation), envelope: &envelope, changes: &[] }).await?;
    let store = hand.reopened(store).await?;
    match since(&*store, creation).await? {
        Some(commits) => {
            same("the envelopes after reopening", &commits.into_iter().map(|c| c.envelope).collect(), &vec![envelope])
        }
        None => Err(Fail::not_exercised("after reopening, the history of the last commit is too old")),
    }
}

async fn a_reopened_store_has_the_whole_of_a_large_commit(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let creation = created(&*store, tenant_id(1), "acme", &[]).await?;
    let (mut changes, mut at) = (users(0..200_000)?, creation);
    let (envelope, answer) = send(&*store, Base::At(creation), &changes).await;
    match answer {
        Ok(revision) => at = Position { revision, commit: envelope.id, ..creation },
        Err(StoreError::TooLarge(_)) => changes.clear(),
        Err(error) => return Err(Fail::from(error).while_("a commit of 200,000 changes")),
    }
    let store = hand.reopened(store).await?;
    stands(&*store, at, &applied(with_tenant("acme", &[])?, &changes)).await
}

/// A commit on a broken link: where it would lead, whether it may have landed, and whether it was told to have.
async fn sent_on(
    hand: &Hand<'_>,
    store: &dyn Connection,
    link: LinkState,
    at: Position,
    changes: &[Change],
) -> Verdict<(Position, bool, bool)> {
    hand.link_of(store, link).await?;
    let (envelope, answer) = send(store, Base::At(at), changes).await;
    hand.link_of(store, LinkState::Whole).await?;
    match may_hide_a_success(&answer) {
        Some(may) => Ok((Position { revision: at.revision.next(), commit: envelope.id, ..at }, may, answer.is_ok())),
        None => Err(unexpected("a commit on a broken link", answer, "unknown, or unavailable")),
    }
}

/// The process ends while it does not know what became of its commit, and the next one finds what there is.
async fn a_commit_on_a_broken_link_is_what_was_told_after_reopening(hand: &Hand<'_>) -> Verdict {
    for link in [LinkState::AnswersLost, LinkState::RequestsLost] {
        let store = hand.fresh().await?;
        let creation = created(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
        let at = go_on(&*store, creation, &users(5..9)?).await?;
        let (records, _) = present(&*store, tenant_id(1)).await?;
        let changes = users(100..140)?;
        let (committed, may_have_committed, succeeded) = sent_on(hand, &*store, link, at, &changes).await?;
        let store = hand.reopened(store).await?;
        let (_, found) = present(&*store, tenant_id(1)).await?;
        let at = if found == committed {
            holds(may_have_committed, || "a commit that was called *unavailable* is there after reopening".to_owned())?;
            stands(&*store, committed, &applied(records, &changes)).await?;
            committed
        } else {
            holds(!succeeded, || "a commit that succeeded on a broken link is lost after reopening".to_owned())?;
            stands(&*store, at, &records).await?;
            at
        };
        go_on(&*store, at, &[]).await?;
    }
    Ok(())
}

/// A half of a commit that was left behind must not be in the way of what is written after it.
async fn a_store_that_went_on_after_a_broken_link_is_whole_after_reopening(hand: &Hand<'_>) -> Verdict {
    let mut store = hand.fresh().await?;
    let mut at = created(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    for (link, number) in [LinkState::AnswersLost, LinkState::RequestsLost, LinkState::AnswersLost].into_iter().zip(1..)
    {
        let changes = users(number * 100..number * 100 + 40)?;
        let (committed, ..) = sent_on(hand, &*store, link, at, &changes).await?;
        // Settled as an authorizer does: an empty commit takes its place, unless it has landed.
        let (empty, answer) = send(&*store, Base::At(at), &[]).await;
        let is_committed = matches!(answer, Err(StoreError::Conflict { .. }));
        if is_committed {
            at = committed;
            commits.extend(since(&*store, states.last().copied().unwrap_or(at)).await?.into_iter().flatten());
        } else {
            at = Position { revision: is_done("a commit after the link was mended", answer)?, commit: empty.id, ..at };
            commits.push(crate::store::StoredCommit { revision: at.revision, envelope: empty, changes: Vec::new() });
        }
        states.push(at);
        let (next, commit) = told(&*store, at, &[Change::added(user(1_000 + number, "later")?)]).await?;
        let (renamed_at, renamed) = told(&*store, next, &[Change::removed(user(1_000 + number, "later")?)]).await?;
        states.extend([next, renamed_at]);
        commits.extend([commit, renamed]);
        at = renamed_at;
        let (records, _) = present(&*store, tenant_id(1)).await?;
        store = hand.reopened(store).await?;
        stands(&*store, at, &records).await?;
    }
    if commits.len() + 1 == states.len() {
        are_complete(&*store, &states, &commits).await?;
    }
    Ok(())
}
