//! Reopened stores, which answer from the database and not from the memory of the process that wrote it.

use super::LinkState;
use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::content::{each_kind, window, windowed};
use super::dyn_fixture::Connection;
use super::history::{expect_complete, full_envelope};
use super::links::may_have_committed;
use super::samples::{
    Records, added, applied, changed, commit_on, commit_recorded, commits_since, create_tenant, expect_state,
    expect_success, load_existing, send, slug, tenant, tenant_id, unexpected, user, users,
};
use super::similar_texts;
use crate::model::records::{Change, Position, Record, Status, Window};
use crate::store::{Base, Commit, StoreError};

cases! {
    S6: after_reopening_a_commit_over_a_broken_link_is_as_reported,
        after_reopening_commits_made_since_a_broken_link_are_intact,
        after_reopening_a_slug_in_doubt_belongs_to_one_tenant;
    S8: a_reopened_store_keeps_every_byte;
    S10: a_reopened_store_keeps_every_record_as_written;
    S14: a_reopened_store_keeps_envelopes_as_sent;
    S15: a_reopened_store_keeps_a_large_commit_whole;
}

/// The records of a tenant that was created with these.
fn with_tenant(name: &str, records: &[Record]) -> CaseResult<Records> {
    Ok(applied(applied(Records::new(), &added([tenant(name)?])), &added(records.to_vec())))
}

async fn a_reopened_store_keeps_every_byte(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let (families, mut states) = (similar_texts::families()?, Vec::new());
    for (records, number) in families.iter().zip(0..) {
        states
            .push(create_tenant(&*store, tenant_id(number), &format!("acme-{number}"), &added(records.clone())).await?);
    }
    let store = case.reopened(store).await?;
    for ((records, at), number) in families.iter().zip(states).zip(0..) {
        let name = format!("acme-{number}");
        expect_state(&*store, at, &with_tenant(&name, records)?).await?;
    }
    let listed = store.list(None, 100).await?;
    expect_eq("the number of tenants after reopening", &listed.len(), &families.len())
}

async fn a_reopened_store_keeps_every_record_as_written(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let (first, later) =
        (each_kind("first", Status::Active, Window::ALWAYS)?, each_kind("later", Status::Suspended, window(1, 2)?)?);
    let windows = windowed()?;
    let written = create_tenant(&*store, tenant_id(1), "written", &added(later.clone())).await?;
    let windowed = create_tenant(&*store, tenant_id(2), "windowed", &added(windows.clone())).await?;
    let creation = create_tenant(&*store, tenant_id(3), "changed", &added(first.clone())).await?;
    let pairs = first.iter().zip(&later).filter(|(before, after)| before != after);
    let changes: Vec<_> =
        pairs.map(|(before, after)| changed(before.clone(), after.clone())).collect::<CaseResult<_>>()?;
    let changed_at = commit_on(&*store, creation, &changes).await?;
    let removed: Vec<_> = later.iter().skip(1).step_by(2).cloned().map(Change::removed).collect();
    let creation = create_tenant(&*store, tenant_id(4), "removed", &added(later.clone())).await?;
    let removed_at = commit_on(&*store, creation, &removed).await?;
    let store = case.reopened(store).await?;
    expect_state(&*store, written, &with_tenant("written", &later)?).await?;
    expect_state(&*store, windowed, &with_tenant("windowed", &windows)?).await?;
    expect_state(&*store, changed_at, &applied(with_tenant("changed", &first)?, &changes)).await?;
    expect_state(&*store, removed_at, &applied(with_tenant("removed", &later)?, &removed)).await
}

async fn a_reopened_store_keeps_envelopes_as_sent(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let creation = create_tenant(&*store, tenant_id(1), "acme", &[]).await?;
    let envelope = full_envelope(creation)?;
    store.commit(Commit { base: Base::At(creation), envelope: &envelope, changes: &[] }).await?;
    let store = case.reopened(store).await?;
    match commits_since(&*store, creation).await? {
        Some(commits) => expect_eq(
            "the envelopes after reopening",
            &commits.into_iter().map(|c| c.envelope).collect(),
            &vec![envelope],
        ),
        None => Err(CaseError::not_exercised("after reopening, the last commit is too old")),
    }
}

async fn a_reopened_store_keeps_a_large_commit_whole(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let creation = create_tenant(&*store, tenant_id(1), "acme", &[]).await?;
    let (mut changes, mut at) = (users(0..200_000)?, creation);
    let (envelope, answer) = send(&*store, Base::At(creation), &changes).await;
    match answer {
        Ok(revision) => at = Position { revision, commit: envelope.id, ..creation },
        Err(StoreError::TooLarge(_)) => changes.clear(),
        Err(error) => return Err(CaseError::from(error).in_context("a commit of 200,000 changes")),
    }
    let store = case.reopened(store).await?;
    expect_state(&*store, at, &applied(with_tenant("acme", &[])?, &changes)).await
}

/// Commits over a broken link. Returns the position it would produce, whether it may have been applied, and whether it
/// succeeded.
async fn commit_over_link(
    case: &CaseContext<'_>,
    store: &dyn Connection,
    link: LinkState,
    at: Position,
    changes: &[Change],
) -> CaseResult<(Position, bool, bool)> {
    case.link_of(store, link).await?;
    let (envelope, answer) = send(store, Base::At(at), changes).await;
    case.link_of(store, LinkState::Connected).await?;
    match may_have_committed(&answer) {
        Some(may) => Ok((Position { revision: at.revision.next(), commit: envelope.id, ..at }, may, answer.is_ok())),
        None => Err(unexpected("a commit over a broken link", answer, "in doubt or unavailable")),
    }
}

/// The process ends while its commit is in doubt, and the next process reads what there is.
async fn after_reopening_a_commit_over_a_broken_link_is_as_reported(case: &CaseContext<'_>) -> CaseResult {
    for link in [LinkState::ResponsesLost, LinkState::RequestsLost] {
        let store = case.fresh().await?;
        let creation = create_tenant(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
        let at = commit_on(&*store, creation, &users(5..9)?).await?;
        let (records, _) = load_existing(&*store, tenant_id(1)).await?;
        let changes = users(100..140)?;
        let (committed, may_have_committed, succeeded) = commit_over_link(case, &*store, link, at, &changes).await?;
        let store = case.reopened(store).await?;
        let (_, found) = load_existing(&*store, tenant_id(1)).await?;
        let at = if found == committed {
            ensure(may_have_committed, || "a commit reported as unavailable is there after reopening".to_owned())?;
            expect_state(&*store, committed, &applied(records, &changes)).await?;
            committed
        } else {
            ensure(!succeeded, || "a commit that succeeded over a broken link is lost after reopening".to_owned())?;
            expect_state(&*store, at, &records).await?;
            at
        };
        commit_on(&*store, at, &[]).await?;
    }
    Ok(())
}

/// A rename in doubt may hold a slug, and another tenant wants it.
async fn after_reopening_a_slug_in_doubt_belongs_to_one_tenant(case: &CaseContext<'_>) -> CaseResult {
    for link in [LinkState::ResponsesLost, LinkState::RequestsLost] {
        let store = case.fresh().await?;
        let at = create_tenant(&*store, tenant_id(1), "one", &[]).await?;
        let renamed = [changed(tenant("one")?, tenant("wanted")?)?];
        let (_, may_have_committed, succeeded) = commit_over_link(case, &*store, link, at, &renamed).await?;
        let creation = added([tenant("wanted")?]);
        let (_, answer) = send(&*store, Base::Create(tenant_id(2)), &creation).await;
        let is_created = match answer {
            Ok(_) => Some(true),
            Err(StoreError::SlugTaken | StoreError::Unavailable(_)) => Some(false),
            Err(StoreError::InDoubt(_)) => None,
            other => {
                return Err(unexpected("a creation with a slug in doubt", other, "success, slug taken or unavailable"));
            }
        };
        let store = case.reopened(store).await?;
        let listed = store.list(None, 10).await?;
        let holders: Vec<_> = listed.iter().filter(|t| t.slug == "wanted").map(|t| t.tenant_id).collect();
        ensure(holders.len() <= 1, || "list after reopening: two tenants have a slug that was in doubt".to_owned())?;
        expect_eq("find of a slug that was in doubt", &store.find(&slug("wanted")?).await?, &holders.first().copied())?;
        let holds = |number| holders.contains(&tenant_id(number));
        ensure(!holds(1) || may_have_committed, || "a rename reported as unavailable was applied".to_owned())?;
        ensure(holds(1) || !succeeded, || "a rename that succeeded over a broken link is lost".to_owned())?;
        ensure(is_created != Some(!holds(2)), || {
            format!(
                "after reopening, the tenant that got a slug in doubt is {}",
                if holds(2) { "there" } else { "lost" }
            )
        })?;
    }
    Ok(())
}

/// A half-written commit must not be in the way of later ones.
async fn after_reopening_commits_made_since_a_broken_link_are_intact(case: &CaseContext<'_>) -> CaseResult {
    let mut store = case.fresh().await?;
    let mut at = create_tenant(&*store, tenant_id(1), "acme", &users(0..5)?).await?;
    let (mut states, mut commits) = (vec![at], Vec::new());
    for (link, number) in
        [LinkState::ResponsesLost, LinkState::RequestsLost, LinkState::ResponsesLost].into_iter().zip(1..)
    {
        let changes = users(number * 100..number * 100 + 40)?;
        let (committed, ..) = commit_over_link(case, &*store, link, at, &changes).await?;
        // As an authorizer resolves it: an empty commit takes its place, unless it was applied.
        let (empty, answer) = send(&*store, Base::At(at), &[]).await;
        let is_committed = matches!(answer, Err(StoreError::Conflict { .. }));
        if is_committed {
            at = committed;
            commits.extend(commits_since(&*store, states.last().copied().unwrap_or(at)).await?.into_iter().flatten());
        } else {
            at = Position {
                revision: expect_success("a commit after the link was restored", answer)?,
                commit: empty.id,
                ..at
            };
            commits.push(crate::store::StoredCommit { revision: at.revision, envelope: empty, changes: Vec::new() });
        }
        states.push(at);
        let (next, commit) = commit_recorded(&*store, at, &[Change::added(user(1_000 + number, "later")?)]).await?;
        let (renamed_at, renamed) =
            commit_recorded(&*store, next, &[Change::removed(user(1_000 + number, "later")?)]).await?;
        states.extend([next, renamed_at]);
        commits.extend([commit, renamed]);
        at = renamed_at;
        let (records, _) = load_existing(&*store, tenant_id(1)).await?;
        store = case.reopened(store).await?;
        expect_state(&*store, at, &records).await?;
    }
    if commits.len() + 1 == states.len() {
        expect_complete(&*store, &states, &commits).await?;
    }
    Ok(())
}
