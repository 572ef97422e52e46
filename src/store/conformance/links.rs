//! S6: an error that may hide a success says *unknown*.

use super::LinkState;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::samples::{
    added, applied, created, go_on, loaded, present, send, since, slug, stands, tenant, tenant_id, unexpected, users,
};
use crate::model::records::{Position, Revision};
use crate::store::{Base, StoreError};

cases! {
    S6: a_commit_whose_answer_was_lost_is_unknown_if_it_may_have_committed,
        a_commit_whose_request_was_lost_never_commits_if_it_was_unavailable,
        a_creation_whose_answer_was_lost_is_unknown_if_it_may_have_committed,
        a_broken_link_answers_no_read_with_absence;
}

/// Whether an answer may hide a success. Anything but success, *unavailable*, *unknown* and a conflict is wrong here.
pub(super) fn may_hide_a_success(answer: &Result<Revision, StoreError>) -> Option<bool> {
    match answer {
        // A driver may have sent it once more by itself and met its own commit: allowed.
        Ok(_) | Err(StoreError::InDoubt(_) | StoreError::Conflict { .. }) => Some(true),
        Err(StoreError::Unavailable(_)) => Some(false),
        Err(_) => None,
    }
}

/// Sends a commit on a broken link, mends it, and looks whether the answer told the truth, also a commit later.
async fn is_told_truly(hand: &Hand<'_>, link: LinkState) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &[]).await?;
    let mut at = go_on(store, creation, &users(0..5)?).await?;
    for round in 1..=5_u128 {
        let (records, _) = present(store, tenant_id(1)).await?;
        let changes = users(round * 10..round * 10 + 5)?;
        hand.link(link).await?;
        let (envelope, answer) = send(store, Base::At(at), &changes).await;
        hand.link(LinkState::Whole).await?;
        let Some(may_have_committed) = may_hide_a_success(&answer) else {
            return Err(unexpected("a commit on a broken link", answer, "unknown, or unavailable"));
        };
        let committed = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let succeeded = answer.is_ok();
        // Whatever is still under way loses against this one, or has won.
        let (empty, next) = send(store, Base::At(at), &[]).await;
        at = match next {
            Ok(revision) => {
                let next = Position { revision, commit: empty.id, ..at };
                holds(!succeeded, || "a commit that succeeded on a broken link is lost".to_owned())?;
                stands(store, next, &records).await?;
                next
            }
            Err(StoreError::Conflict { actual }) => {
                same("the revision after a commit on a broken link", &actual, &committed.revision)?;
                holds(may_have_committed, || "a commit that was called *unavailable* has landed".to_owned())?;
                stands(store, committed, &applied(records, &changes)).await?;
                committed
            }
            other => return Err(unexpected("a commit after the link was mended", other, "success or conflict")),
        };
    }
    Ok(())
}

async fn a_commit_whose_answer_was_lost_is_unknown_if_it_may_have_committed(hand: &Hand<'_>) -> Verdict {
    is_told_truly(hand, LinkState::AnswersLost).await
}

async fn a_commit_whose_request_was_lost_never_commits_if_it_was_unavailable(hand: &Hand<'_>) -> Verdict {
    is_told_truly(hand, LinkState::RequestsLost).await
}

async fn a_creation_whose_answer_was_lost_is_unknown_if_it_may_have_committed(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    for (number, link) in [(1, LinkState::AnswersLost), (2, LinkState::RequestsLost)] {
        let name = format!("acme-{number}");
        hand.link(link).await?;
        let answer = send(store, Base::Create(tenant_id(number)), &added([tenant(&name)?])).await.1;
        hand.link(LinkState::Whole).await?;
        let Some(may_have_committed) = may_hide_a_success(&answer) else {
            return Err(unexpected("a birth on a broken link", answer, "unknown, or unavailable"));
        };
        // As an authorizer settles it: whatever is under way is ended before it began.
        let ended = send(store, Base::Create(tenant_id(number)), &[]).await.1;
        let is_there = loaded(store, tenant_id(number)).await?.is_some();
        match ended {
            Ok(_) => holds(!is_there && answer.is_err(), || "a life that ended before it began is there".to_owned())?,
            Err(StoreError::Conflict { .. }) => {
                holds(is_there, || "a birth is in conflict with a life that is not there".to_owned())?;
                holds(may_have_committed, || "a birth that was called *unavailable* has landed".to_owned())?;
            }
            other => return Err(unexpected("an end before the beginning", other, "success or conflict")),
        }
    }
    Ok(())
}

/// A living tenant is not absent because nobody could ask for it.
async fn a_broken_link_answers_no_read_with_absence(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let creation = created(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let at = go_on(store, creation, &users(5..9)?).await?;
    for link in [LinkState::AnswersLost, LinkState::RequestsLost] {
        hand.link(link).await?;
        let found = store.find(&slug("acme")?).await;
        let listed = store.list(None, 10).await;
        let loaded = loaded(store, tenant_id(1)).await;
        let told = since(store, creation).await;
        hand.link(LinkState::Whole).await?;
        let is_true = found.as_ref().is_ok_and(|found| *found == Some(tenant_id(1)));
        holds(found.is_err() || is_true, || format!("find on a broken link: {found:?}"))?;
        holds(listed.as_ref().map_or(true, |lives| lives.len() == 1), || format!("list on a broken link: {listed:?}"))?;
        if let Ok(loaded) = loaded {
            let (records, found) = loaded.ok_or_else(|| Fail::new("a load on a broken link found no such life"))?;
            same("a load on a broken link", &(records.len(), found), &(10, at))?;
        }
        if let Ok(Some(commits)) = told {
            same("how many commits since tells on a broken link", &commits.len(), &1)?;
        }
    }
    same("find after the link was mended", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))
}
