//! S14: the commits since a state are complete and in order, or too old.

use std::sync::Arc;

use super::any::Connection;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::concurrent::{Contest, Racer};
use super::samples::{
    by_key, changed, created, end, go_on, id, own_fault, present, since, tenant, tenant_id, told, user, users,
};
use crate::model::records::{Actor, Change, CommitId, Envelope, Fingerprint, Note, Position, Revision, Timestamp};
use crate::store::{Base, Commit, Since, StoredCommit};

cases! {
    S14: the_latest_state_has_no_commits_since,
        the_commits_since_a_state_are_complete_and_in_order,
        an_envelope_is_told_as_it_was_sent,
        a_state_that_is_not_in_the_history_is_too_old,
        the_history_of_an_ended_tenant_is_gone,
        the_history_is_complete_or_too_old_after_reopening,
        a_long_history_is_told_whole,
        a_commit_is_told_whole_while_others_are_made;
}

/// A birth and commits of many shapes: where it stood before each, and what the history should tell.
pub(super) async fn written(
    store: &dyn Connection,
    tenant_id: crate::model::records::TenantId,
    name: &str,
) -> Verdict<(Vec<Position>, Vec<StoredCommit>)> {
    let mut at = created(store, tenant_id, name, &users(0..3)?).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    let (before, after) = (user(0, "user-0")?, user(0, "renamed")?);
    let renamed = format!("{name}-renamed");
    let shapes = [
        users(10..12)?,
        Vec::new(),
        vec![changed(before, after.clone())?],
        Vec::new(),
        vec![changed(tenant(name)?, tenant(&renamed)?)?],
        vec![Change::removed(after), Change::added(user(20, "renamed")?)],
        users(30..300)?,
        vec![changed(tenant(&renamed)?, tenant(name)?)?],
    ];
    for changes in shapes {
        let (next, commit) = told(store, at, &changes).await?;
        states.push(next);
        commits.push(commit);
        at = next;
    }
    Ok((states, commits))
}

async fn the_latest_state_has_no_commits_since(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..4 {
        same("since the latest state", &store.since(at).await?, &Since::Commits(Vec::new()))?;
        at = go_on(store, at, &users(number..number + 1)?).await?;
    }
    Ok(())
}

/// Each history is what was written, or too old; and if one is told, so are all that begin later.
pub(super) async fn are_complete(
    store: &dyn Connection,
    states: &[Position],
    commits: &[StoredCommit],
) -> Verdict<usize> {
    let mut told = 0;
    for (number, at) in states.iter().enumerate() {
        let expected: Vec<_> = commits.iter().skip(number).cloned().collect();
        match since(store, *at).await? {
            Some(found) => {
                let revisions =
                    |commits: &[StoredCommit]| commits.iter().map(|c| c.revision.number()).collect::<Vec<_>>();
                same(&format!("the revisions since {}", at.revision), &revisions(&found), &revisions(&expected))?;
                for (found, expected) in found.iter().zip(&expected) {
                    same("an envelope in the history", &found.envelope, &expected.envelope)?;
                    same("the changes in the history", &by_key(&found.changes), &by_key(&expected.changes))?;
                }
                told += 1;
            }
            None => holds(told == 0, || format!("{} is too old, and an older state is not", at.revision))?,
        }
    }
    holds(told > 0, || "since the latest state is too old".to_owned())?;
    Ok(told)
}

async fn the_commits_since_a_state_are_complete_and_in_order(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let (states, commits) = written(store, tenant_id(1), "acme").await?;
    let (other_states, other_commits) = written(store, tenant_id(2), "other").await?;
    let told = are_complete(store, &states, &commits).await?;
    are_complete(store, &other_states, &other_commits).await?;
    if told == 1 { Err(Fail::not_exercised("every state but the latest is too old")) } else { Ok(()) }
}

/// An envelope that says all that one can say.
pub(super) fn full_envelope(base: Position) -> Verdict<Envelope> {
    let mut envelope = super::samples::envelope(Base::At(base));
    envelope.actor = Some(Actor::new("Jos\u{e9} ").map_err(own_fault)?);
    envelope.at = Timestamp::from_micros(1_700_000_000_000_001).map_err(own_fault)?;
    envelope.note = Some(Note::new("why:\n\tbecause").map_err(own_fault)?);
    envelope.catalog = Fingerprint::from_uuid(id(u128::MAX));
    Ok(envelope)
}

async fn an_envelope_is_told_as_it_was_sent(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let envelope = full_envelope(creation)?;
    let revision = store.commit(Commit { base: Base::At(creation), envelope: &envelope, changes: &[] }).await?;
    let at = Position { revision, commit: envelope.id, ..creation };
    // An empty note is a note, and none is none.
    let bare = super::samples::envelope(Base::At(at));
    let next = Envelope { note: Some(Note::new("").map_err(own_fault)?), actor: None, ..bare };
    store.commit(Commit { base: Base::At(at), envelope: &next, changes: &[] }).await?;
    let commits = since(store, creation).await?;
    let commits = commits.ok_or_else(|| Fail::not_exercised("the history of the last commits is too old already"))?;
    same("the envelopes", &commits.into_iter().map(|told| told.envelope).collect(), &vec![envelope, next])
}

async fn a_state_that_is_not_in_the_history_is_too_old(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let (states, _) = written(store, tenant_id(1), "acme").await?;
    let latest = states.last().copied().ok_or_else(|| Fail::new("no state"))?;
    let (others, _) = written(store, tenant_id(2), "other").await?;
    for at in &states {
        let never = Position { commit: CommitId::random(), ..*at };
        same("since a state that never was", &store.since(never).await?, &Since::TooOld)?;
        let shifted = Position { revision: at.revision.next(), ..*at };
        same("since a state under the next one's number", &store.since(shifted).await?, &Since::TooOld)?;
    }
    for number in [latest.revision.number() + 1, 1 << 40, (1 << 32) + latest.revision.number()] {
        let ahead = Position { revision: Revision::new(number), ..latest };
        same("since a state that is ahead", &store.since(ahead).await?, &Since::TooOld)?;
    }
    for other in others {
        let mixed = Position { tenant_id: tenant_id(1), ..other };
        same("since a state of another life", &store.since(mixed).await?, &Since::TooOld)?;
    }
    Ok(())
}

async fn the_history_of_an_ended_tenant_is_gone(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let (states, _) = written(store, tenant_id(1), "acme").await?;
    let latest = states.last().copied().ok_or_else(|| Fail::new("no state"))?;
    let last = end(store, latest, tenant("acme")?).await?;
    for at in states.into_iter().chain([last]) {
        same("since a state of an ended life", &store.since(at).await?, &Since::Deleted)?;
    }
    Ok(())
}

async fn the_history_is_complete_or_too_old_after_reopening(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let (mut states, mut commits) = written(&*store, tenant_id(1), "acme").await?;
    let store = hand.reopened(store).await?;
    are_complete(&*store, &states, &commits).await?;
    let latest = states.last().copied().ok_or_else(|| Fail::new("no state"))?;
    let (next, commit) = told(&*store, latest, &users(500..502)?).await?;
    states.push(next);
    commits.push(commit);
    are_complete(&*store, &states, &commits).await.map(drop)
}

/// How many commits there are: more than the hundred at which answers are often cut.
const LONG: u128 = 110;

async fn a_long_history_is_told_whole(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    for number in 0..LONG {
        let (next, commit) = told(store, at, &users(number..number + 1)?).await?;
        states.push(next);
        commits.push(commit);
        at = next;
    }
    let told = are_complete(store, &states, &commits).await?;
    if told == 1 { Err(Fail::not_exercised("every state but the latest is too old")) } else { Ok(()) }
}

/// How many users each of the racing commits has.
const WIDTH: u128 = 40;

/// How many commits and reads are made at most.
const MOST: usize = 12_000;

async fn a_commit_is_told_whole_while_others_are_made(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let creation = created(&*first, tenant_id(1), "acme", &[]).await?;
    let contest = Contest::of(3, MOST);
    let writer: Racer = {
        let (store, contest) = (Arc::clone(&first), Arc::clone(&contest));
        Box::pin(async move {
            let mut at = creation;
            while contest.goes_on(0).await {
                at = contest.race(0, 0, go_on(&*store, at, &numbered(at.revision.next())?)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, contest) = (Arc::clone(store), Arc::clone(&contest));
        Box::pin(async move {
            let mut seen = creation;
            while contest.goes_on(by).await {
                match contest.race(0, 1, since(&*store, seen)).await? {
                    Some(commits) => follow(&mut seen, commits)?,
                    None => seen = present(&*store, tenant_id(1)).await?.1,
                }
            }
            Ok(())
        })
    };
    hand.hold(&contest, vec![reader(1, &first), writer, reader(2, &second)]).await
}

/// Users who bear the number of the revision.
fn numbered(revision: Revision) -> Verdict<Vec<Change>> {
    let number = u128::from(revision.number()) * WIDTH;
    users(number..number + WIDTH)
}

/// Goes on from a state by the commits after it: each begins where the one before ended, and has all of its changes.
fn follow(seen: &mut Position, commits: Vec<StoredCommit>) -> Verdict {
    for told in commits {
        same("the revision that is told next", &told.revision, &seen.revision.next())?;
        same("the commit before it", &told.envelope.previous, &Some(seen.commit))?;
        let expected = numbered(told.revision)?;
        same("the changes of a commit told while others are made", &by_key(&told.changes), &by_key(&expected))?;
        *seen = Position { revision: told.revision, commit: told.envelope.id, ..*seen };
    }
    Ok(())
}
