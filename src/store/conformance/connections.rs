//! S5 and S13: all connections share one state, and it never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::case::{CaseContext, CaseResult, cases, ensure, expect_eq};
use super::concurrent::{Race, Racer};
use super::dyn_fixture::Connection;
use super::samples::{
    changed, commit_on, commits_since, create_tenant, delete_tenant, expect_conflict, expect_deleted,
    expect_slug_taken, expect_state, load, load_existing, send, slug, tenant, tenant_id, unexpected, users,
};
use crate::model::records::{Position, Revision, TenantSlug};
use crate::store::{Base, Since, StoreError, TenantSummary};

cases! {
    S5: a_commit_is_visible_on_every_connection,
        a_revision_named_by_a_conflict_is_visible,
        reads_never_go_back;
    S13: a_second_connection_reads_what_the_first_wrote,
        the_first_connection_reads_what_a_second_wrote;
}

/// Fails unless every call on this connection sees the tenant at this position and with this slug.
async fn sees(store: &dyn Connection, before: Position, at: Position, name: &str) -> CaseResult {
    expect_eq("find after a success", &store.find(&slug(name)?).await?, &Some(at.tenant_id))?;
    let listed = store.list(None, 100).await?;
    let entry = TenantSummary { tenant_id: at.tenant_id, slug: slug(name)? };
    expect_eq("list after a success", &listed, &vec![entry])?;
    expect_eq("the position of a load after a success", &load_existing(store, at.tenant_id).await?.1, &at)?;
    if let Some(commits) = commits_since(store, before).await? {
        expect_eq(
            "the last of since after a success",
            &commits.last().map(|commit| commit.envelope.id),
            &Some(at.commit),
        )?;
    }
    expect_eq("since the latest position", &store.since(at).await?, &Since::Commits(Vec::new()))
}

async fn a_commit_is_visible_on_every_connection(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (&*case.store, case.second_or_same().await?);
    let second = &*second;
    let mut at = create_tenant(first, tenant_id(1), "acme-0", &[]).await?;
    for number in 0..12 {
        let (old, new) = (format!("acme-{number}"), format!("acme-{}", number + 1));
        let (before, renaming) = (at, [changed(tenant(&old)?, tenant(&new)?)?]);
        for store in [first, second] {
            expect_eq("find of an unused slug", &store.find(&slug(&new)?).await?, &None)?;
        }
        // Both connections write in turns, and both read.
        at = if number % 2 == 0 {
            commit_on(first, at, &renaming).await?
        } else {
            commit_on(second, at, &renaming).await?
        };
        sees(second, before, at, &new).await?;
        sees(first, before, at, &new).await?;
        expect_eq("find of the slug before a rename", &second.find(&slug(&old)?).await?, &None)?;
    }
    let last = delete_tenant(first, at, tenant("acme-12")?).await?;
    expect_eq("find after the deletion", &second.find(&slug("acme-12")?).await?, &None)?;
    ensure(load(second, tenant_id(1)).await?.is_none(), || "a load after the deletion finds the tenant".to_owned())?;
    expect_eq("since after the deletion", &second.since(at).await?, &Since::Deleted)?;
    expect_deleted("a commit after the deletion", send(second, Base::At(last), &[]).await.1)
}

async fn a_revision_named_by_a_conflict_is_visible(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (&*case.store, case.second_or_same().await?);
    let second = &*second;
    let creation = create_tenant(first, tenant_id(1), "acme", &[]).await?;
    let mut at = creation;
    for number in 0..10 {
        at = commit_on(first, at, &users(number..number + 1)?).await?;
        let answer = send(second, Base::At(creation), &[]).await.1;
        expect_conflict("a stale commit on the other connection", answer, at.revision)?;
        expect_eq("the position of a load after the conflict", &load_existing(second, tenant_id(1)).await?.1, &at)?;
        expect_eq("since after the conflict", &second.since(at).await?, &Since::Commits(Vec::new()))?;
    }
    Ok(())
}

/// The most commits and reads of a race.
const MOST: usize = 40_000;

/// The newest revision that any finished read returned.
#[derive(Default)]
struct Shown(AtomicU64);

impl Shown {
    /// Reads the latest revision, which must be at least the newest one returned when the read began. Starts from the
    /// position that this reader saw last.
    async fn read(&self, store: &dyn Connection, seen: &mut Position, by: usize) -> CaseResult {
        let before = self.0.load(Ordering::SeqCst);
        let revision = match by {
            0 => {
                *seen = load_existing(store, seen.tenant_id).await?.1;
                seen.revision
            }
            1 => match send(store, Base::Create(seen.tenant_id), &[]).await.1 {
                Err(StoreError::Conflict { actual }) => actual,
                other => {
                    return Err(unexpected("an empty creation of an existing tenant", other, "conflict"));
                }
            },
            _ => match commits_since(store, *seen).await? {
                Some(commits) => commits.last().map_or(seen.revision, |commit| commit.revision),
                None => return Ok(()),
            },
        };
        self.0.fetch_max(revision.number(), Ordering::SeqCst);
        let taken_back = revision < Revision::new(before);
        ensure(!taken_back, || format!("a read returned revision {revision} after another returned {before}"))
    }
}

async fn reads_never_go_back(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let creation = create_tenant(&*first, tenant_id(1), "acme", &users(0..50)?).await?;
    let start = commit_on(&*first, creation, &[]).await?;
    let (shown, race) = (Arc::new(Shown::default()), Race::of(3, MOST));
    let writer: Racer = {
        let (store, race) = (Arc::clone(&first), Arc::clone(&race));
        Box::pin(async move {
            let mut at = start;
            while race.next_attempt(0).await {
                at = race.call(0, 0, commit_on(&*store, at, &[])).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, shown, race) = (Arc::clone(store), Arc::clone(&shown), Arc::clone(&race));
        Box::pin(async move {
            let (mut seen, mut reads) = (creation, 0);
            while race.next_attempt(by).await {
                reads += 1;
                race.call(0, 1, shown.read(&*store, &mut seen, reads % 3)).await?;
            }
            Ok(())
        })
    };
    case.run_race(&race, vec![reader(1, &first), writer, reader(2, &second)]).await
}

async fn a_second_connection_reads_what_the_first_wrote(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (&*case.store, case.second().await?);
    let creation = create_tenant(first, tenant_id(1), "acme", &users(0..10)?).await?;
    let at = commit_on(first, creation, &users(10..20)?).await?;
    let (records, _) = load_existing(first, tenant_id(1)).await?;
    expect_state(&*second, at, &records).await?;
    let third = case.second().await?;
    expect_state(&*third, at, &records).await
}

async fn the_first_connection_reads_what_a_second_wrote(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (&*case.store, case.second().await?);
    let second = &*second;
    let creation = create_tenant(first, tenant_id(1), "acme", &[]).await?;
    let at = commit_on(second, creation, &users(0..10)?).await?;
    let (records, _) = load_existing(second, tenant_id(1)).await?;
    expect_state(first, at, &records).await?;
    let other = create_tenant(second, tenant_id(2), "other", &[]).await?;
    let name: TenantSlug = slug("other")?;
    expect_eq("find of a tenant created on the other connection", &first.find(&name).await?, &Some(other.tenant_id))?;
    let creation = [crate::model::records::Change::added(tenant("other")?)];
    let answer = send(first, Base::Create(tenant_id(3)), &creation).await.1;
    expect_slug_taken("a creation with the slug that the other connection took", answer)?;
    delete_tenant(first, other, tenant("other")?).await?;
    expect_deleted("a commit on a tenant deleted on the first connection", send(second, Base::At(other), &[]).await.1)
}
