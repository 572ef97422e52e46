//! S5 and S13: what one connection was told, every connection sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::any::Connection;
use super::case::{Hand, Verdict, cases, holds, same};
use super::concurrent::{Contest, Racer};
use super::samples::{
    changed, created, end, go_on, is_conflict, is_gone, is_taken, loaded, present, send, since, slug, stands, tenant,
    tenant_id, unexpected, users,
};
use crate::model::records::{Position, Revision, TenantSlug};
use crate::store::{Base, Since, StoreError, TenantSummary};

cases! {
    S5: a_success_is_seen_by_every_later_call_on_every_connection,
        a_conflict_names_a_revision_that_is_seen_from_then_on,
        what_one_read_has_shown_no_later_read_takes_back;
    S13: a_second_connection_sees_what_the_first_one_wrote,
        a_second_connection_writes_what_the_first_one_sees;
}

/// Fails unless every call on this connection sees a tenant at this state, under this slug.
async fn sees(store: &dyn Connection, before: Position, at: Position, name: &str) -> Verdict {
    same("find after a success", &store.find(&slug(name)?).await?, &Some(at.tenant_id))?;
    let listed = store.list(None, 100).await?;
    let entry = TenantSummary { tenant_id: at.tenant_id, slug: slug(name)? };
    same("list after a success", &listed, &vec![entry])?;
    same("where a load after a success stands", &present(store, at.tenant_id).await?.1, &at)?;
    if let Some(commits) = since(store, before).await? {
        same("the last of since after a success", &commits.last().map(|told| told.envelope.id), &Some(at.commit))?;
    }
    same("since the latest state", &store.since(at).await?, &Since::Commits(Vec::new()))
}

async fn a_success_is_seen_by_every_later_call_on_every_connection(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (&*hand.store, hand.second_or_same().await?);
    let second = &*second;
    let mut at = created(first, tenant_id(1), "acme-0", &[]).await?;
    for number in 0..12 {
        let (old, new) = (format!("acme-{number}"), format!("acme-{}", number + 1));
        let (before, renaming) = (at, [changed(tenant(&old)?, tenant(&new)?)?]);
        for store in [first, second] {
            same("find of a slug that nobody has yet", &store.find(&slug(&new)?).await?, &None)?;
        }
        // Both connections write in turns, and both read.
        at = if number % 2 == 0 { go_on(first, at, &renaming).await? } else { go_on(second, at, &renaming).await? };
        sees(second, before, at, &new).await?;
        sees(first, before, at, &new).await?;
        same("find of the slug before a rename", &second.find(&slug(&old)?).await?, &None)?;
    }
    let last = end(first, at, tenant("acme-12")?).await?;
    same("find after the end", &second.find(&slug("acme-12")?).await?, &None)?;
    holds(loaded(second, tenant_id(1)).await?.is_none(), || "a load after the end finds the life".to_owned())?;
    same("since after the end", &second.since(at).await?, &Since::Deleted)?;
    is_gone("a commit after the end", send(second, Base::At(last), &[]).await.1)
}

async fn a_conflict_names_a_revision_that_is_seen_from_then_on(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (&*hand.store, hand.second_or_same().await?);
    let second = &*second;
    let creation = created(first, tenant_id(1), "acme", &[]).await?;
    let mut at = creation;
    for number in 0..10 {
        at = go_on(first, at, &users(number..number + 1)?).await?;
        let answer = send(second, Base::At(creation), &[]).await.1;
        is_conflict("a stale commit on the other connection", answer, at.revision)?;
        same("where a load after the conflict stands", &present(second, tenant_id(1)).await?.1, &at)?;
        same("since after the conflict", &second.since(at).await?, &Since::Commits(Vec::new()))?;
    }
    Ok(())
}

/// How many commits and reads are made at most.
const MOST: usize = 40_000;

/// The newest revision that some read has shown, by all that have ended.
#[derive(Default)]
struct Shown(AtomicU64);

impl Shown {
    /// One read of the latest revision, which must not be older than what had been shown when it began. Asks from the
    /// state that this reader saw last.
    async fn read(&self, store: &dyn Connection, seen: &mut Position, by: usize) -> Verdict {
        let before = self.0.load(Ordering::SeqCst);
        let revision = match by {
            0 => {
                *seen = present(store, seen.tenant_id).await?.1;
                seen.revision
            }
            1 => match send(store, Base::Create(seen.tenant_id), &[]).await.1 {
                Err(StoreError::Conflict { actual }) => actual,
                other => {
                    return Err(unexpected("an empty commit against nothing, of a living life", other, "conflict"));
                }
            },
            _ => match since(store, *seen).await? {
                Some(commits) => commits.last().map_or(seen.revision, |told| told.revision),
                None => return Ok(()),
            },
        };
        self.0.fetch_max(revision.number(), Ordering::SeqCst);
        let taken_back = revision < Revision::new(before);
        holds(!taken_back, || format!("a read shows revision {revision} after another has shown {before}"))
    }
}

async fn what_one_read_has_shown_no_later_read_takes_back(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let creation = created(&*first, tenant_id(1), "acme", &users(0..50)?).await?;
    let start = go_on(&*first, creation, &[]).await?;
    let (shown, contest) = (Arc::new(Shown::default()), Contest::of(3, MOST));
    let writer: Racer = {
        let (store, contest) = (Arc::clone(&first), Arc::clone(&contest));
        Box::pin(async move {
            let mut at = start;
            while contest.goes_on(0).await {
                at = contest.race(0, 0, go_on(&*store, at, &[])).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, shown, contest) = (Arc::clone(store), Arc::clone(&shown), Arc::clone(&contest));
        Box::pin(async move {
            let (mut seen, mut reads) = (creation, 0);
            while contest.goes_on(by).await {
                reads += 1;
                contest.race(0, 1, shown.read(&*store, &mut seen, reads % 3)).await?;
            }
            Ok(())
        })
    };
    hand.hold(&contest, vec![reader(1, &first), writer, reader(2, &second)]).await
}

async fn a_second_connection_sees_what_the_first_one_wrote(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (&*hand.store, hand.second().await?);
    let creation = created(first, tenant_id(1), "acme", &users(0..10)?).await?;
    let at = go_on(first, creation, &users(10..20)?).await?;
    let (records, _) = present(first, tenant_id(1)).await?;
    stands(&*second, at, &records).await?;
    let third = hand.second().await?;
    stands(&*third, at, &records).await
}

async fn a_second_connection_writes_what_the_first_one_sees(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (&*hand.store, hand.second().await?);
    let second = &*second;
    let creation = created(first, tenant_id(1), "acme", &[]).await?;
    let at = go_on(second, creation, &users(0..10)?).await?;
    let (records, _) = present(second, tenant_id(1)).await?;
    stands(first, at, &records).await?;
    let other = created(second, tenant_id(2), "other", &[]).await?;
    let name: TenantSlug = slug("other")?;
    same("find of what the other connection began", &first.find(&name).await?, &Some(other.tenant_id))?;
    let creation = [crate::model::records::Change::added(tenant("other")?)];
    let answer = send(first, Base::Create(tenant_id(3)), &creation).await.1;
    is_taken("a birth under the slug that the other connection took", answer)?;
    end(first, other, tenant("other")?).await?;
    is_gone("a commit on what the first connection ended", send(second, Base::At(other), &[]).await.1)
}
