//! S6: a commit that may have been applied is in doubt, never unavailable.

use super::LinkState;
use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::samples::{
    added, applied, commit_on, commits_since, create_tenant, expect_state, load, load_existing, send, slug, tenant,
    tenant_id, unexpected, users,
};
use crate::model::records::{Position, Revision};
use crate::store::{Base, StoreError};

cases! {
    S6: a_commit_whose_response_is_lost_is_in_doubt,
        an_unavailable_commit_is_never_applied,
        a_creation_whose_response_is_lost_is_in_doubt,
        a_read_over_a_broken_link_never_reports_absence;
}

/// Whether a commit with this answer may have been applied. `None` for an answer that a broken link does not allow.
pub(super) fn may_have_committed(answer: &Result<Revision, StoreError>) -> Option<bool> {
    match answer {
        // A driver may have sent the commit again and met its own commit, which is allowed.
        Ok(_) | Err(StoreError::InDoubt(_) | StoreError::Conflict { .. }) => Some(true),
        Err(StoreError::Unavailable(_)) => Some(false),
        Err(_) => None,
    }
}

/// Sends commits over a broken link, restores it, and checks that the answers were true, even one commit later.
async fn expect_honest_answers(case: &CaseContext<'_>, link: LinkState) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let mut at = commit_on(store, creation, &users(0..5)?).await?;
    for round in 1..=5_u128 {
        let (records, _) = load_existing(store, tenant_id(1)).await?;
        let changes = users(round * 10..round * 10 + 5)?;
        case.link(link).await?;
        let (envelope, answer) = send(store, Base::At(at), &changes).await;
        case.link(LinkState::Connected).await?;
        let Some(may_have_committed) = may_have_committed(&answer) else {
            return Err(unexpected("a commit over a broken link", answer, "in doubt or unavailable"));
        };
        let committed = Position { revision: at.revision.next(), commit: envelope.id, ..at };
        let succeeded = answer.is_ok();
        // A commit that is still under way loses against this one, or has won.
        let (empty, next) = send(store, Base::At(at), &[]).await;
        at = match next {
            Ok(revision) => {
                let next = Position { revision, commit: empty.id, ..at };
                ensure(!succeeded, || "a commit that succeeded over a broken link is lost".to_owned())?;
                expect_state(store, next, &records).await?;
                next
            }
            Err(StoreError::Conflict { actual }) => {
                expect_eq("the revision after a commit over a broken link", &actual, &committed.revision)?;
                ensure(may_have_committed, || "a commit reported as unavailable was applied".to_owned())?;
                expect_state(store, committed, &applied(records, &changes)).await?;
                committed
            }
            other => return Err(unexpected("a commit after the link was restored", other, "success or conflict")),
        };
    }
    Ok(())
}

async fn a_commit_whose_response_is_lost_is_in_doubt(case: &CaseContext<'_>) -> CaseResult {
    expect_honest_answers(case, LinkState::ResponsesLost).await
}

async fn an_unavailable_commit_is_never_applied(case: &CaseContext<'_>) -> CaseResult {
    expect_honest_answers(case, LinkState::RequestsLost).await
}

async fn a_creation_whose_response_is_lost_is_in_doubt(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    for (number, link) in [(1, LinkState::ResponsesLost), (2, LinkState::RequestsLost)] {
        let name = format!("acme-{number}");
        case.link(link).await?;
        let answer = send(store, Base::Create(tenant_id(number)), &added([tenant(&name)?])).await.1;
        case.link(LinkState::Connected).await?;
        let Some(may_have_committed) = may_have_committed(&answer) else {
            return Err(unexpected("a creation over a broken link", answer, "in doubt or unavailable"));
        };
        // As an authorizer resolves it: an empty creation prevents one that is still under way.
        let ended = send(store, Base::Create(tenant_id(number)), &[]).await.1;
        let is_there = load(store, tenant_id(number)).await?.is_some();
        match ended {
            Ok(_) => ensure(!is_there && answer.is_err(), || "a load finds a prevented tenant".to_owned())?,
            Err(StoreError::Conflict { .. }) => {
                ensure(is_there, || "a creation conflicts with an absent tenant".to_owned())?;
                ensure(may_have_committed, || "a creation reported as unavailable was applied".to_owned())?;
            }
            other => return Err(unexpected("an empty creation", other, "success or conflict")),
        }
    }
    Ok(())
}

/// An existing tenant must not be reported as absent because the store could not look.
async fn a_read_over_a_broken_link_never_reports_absence(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let creation = create_tenant(store, tenant_id(1), "acme", &users(0..5)?).await?;
    let at = commit_on(store, creation, &users(5..9)?).await?;
    for link in [LinkState::ResponsesLost, LinkState::RequestsLost] {
        case.link(link).await?;
        let found = store.find(&slug("acme")?).await;
        let listed = store.list(None, 10).await;
        let loaded = load(store, tenant_id(1)).await;
        let told = commits_since(store, creation).await;
        case.link(LinkState::Connected).await?;
        let is_true = found.as_ref().is_ok_and(|found| *found == Some(tenant_id(1)));
        ensure(found.is_err() || is_true, || format!("find over a broken link: {found:?}"))?;
        ensure(listed.as_ref().map_or(true, |tenants| tenants.len() == 1), || {
            format!("list over a broken link: {listed:?}")
        })?;
        if let Ok(loaded) = loaded {
            let (records, found) =
                loaded.ok_or_else(|| CaseError::new("a load over a broken link found no such tenant"))?;
            expect_eq("a load over a broken link", &(records.len(), found), &(10, at))?;
        }
        if let Ok(Some(commits)) = told {
            expect_eq("since a position, over a broken link (S14): the number of commits", &commits.len(), &1)?;
        }
    }
    expect_eq("find after the link was restored", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))
}
