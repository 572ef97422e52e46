//! S2: a load is one consistent state.

use std::sync::Arc;

use super::any::Connection;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::concurrent::{Contest, Racer};
use super::samples::{
    Records, added, changed, created, go_on, group, is_done, loaded, present, send, tenant_id, user, users,
};
use crate::model::records::{Change, Position, Record, Revision, TenantId};
use crate::store::{Base, Sink, Stop, StoreError};

cases! {
    S2: a_load_says_where_the_state_stands,
        a_load_during_commits_is_one_state,
        a_sink_that_wants_no_more_ends_the_load;
}

async fn a_load_says_where_the_state_stands(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut at = created(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..10_u128 {
        at = go_on(store, at, &users(number..number + 1)?).await?;
        let (records, found) = present(store, tenant_id(1)).await?;
        same("where a load says that the tenant stands", &found, &at)?;
        same("how many records a load pushes", &records.len(), &usize::try_from(number + 2).unwrap_or(0))?;
    }
    Ok(())
}

/// How many commits and loads are made at most.
const MOST: usize = 12_000;

/// How many users and groups bear the number of the revision.
const WIDTH: u128 = 150;

/// Every record bears the number of the commit that wrote it, so a load that mixes two states shows two numbers.
fn numbered(number: u64) -> Verdict<Vec<Record>> {
    let users = (0..WIDTH).map(|n| user(n, &format!("{n}-{number}")));
    let groups = (0..WIDTH).map(|n| group(n, &format!("{n}-{number}")));
    users.chain(groups).collect()
}

fn renumbered(number: u64) -> Verdict<Vec<Change>> {
    let pairs = numbered(number)?.into_iter().zip(numbered(number + 1)?);
    pairs.map(|(before, after)| changed(before, after)).collect()
}

async fn a_load_during_commits_is_one_state(hand: &Hand<'_>) -> Verdict {
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let creation = created(&*first, tenant_id(1), "acme", &added(numbered(1)?)).await?;
    let contest = Contest::of(3, MOST);
    let writer: Racer = {
        let (store, contest) = (Arc::clone(&first), Arc::clone(&contest));
        Box::pin(async move {
            let mut at = creation;
            while contest.goes_on(0).await {
                let changes = renumbered(at.revision.number())?;
                at = contest.race(0, 0, go_on(&*store, at, &changes)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, contest) = (Arc::clone(store), Arc::clone(&contest));
        Box::pin(async move {
            while contest.goes_on(by).await {
                is_whole(contest.race(0, 1, loaded(&*store, tenant_id(1))).await?)?;
            }
            Ok(())
        })
    };
    hand.hold(&contest, vec![writer, reader(1, &second), reader(2, &first)]).await
}

/// The records all bear the number of the revision that the load says it is.
fn is_whole(found: Option<(Records, Position)>) -> Verdict {
    let (records, at) = found.ok_or_else(|| Fail::new("a load found no such life, while it was written to"))?;
    let numbered = numbered(at.revision.number())?;
    same("how many records a load pushed while they were changed", &records.len(), &(numbered.len() + 1))?;
    let torn = numbered.iter().find(|record| records.get(&record.key()) != Some(record));
    holds(torn.is_none(), || format!("a load that says revision {} has a record of another one", at.revision))
}

/// Takes this many records, and no more.
struct Few(usize);

impl Sink for Few {
    fn push(&mut self, _: Record) -> Result<(), Stop> {
        self.0 = self.0.checked_sub(1).ok_or(Stop)?;
        Ok(())
    }
}

async fn a_sink_that_wants_no_more_ends_the_load(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let at = created(store, tenant_id(1), "acme", &users(0..500)?).await?;
    for wanted in [0, 1, 250, 500] {
        let answer = store.load(tenant_id(1), &mut Few(wanted)).await;
        let stopped = matches!(answer, Err(StoreError::Stopped));
        holds(stopped, || {
            format!(
                "a load whose sink stopped after {wanted} of 501 records answered {answer:?}, expected Err(Stopped)"
            )
        })?;
    }
    same("a load whose sink took all", &store.load(tenant_id(1), &mut Few(501)).await?, &Some(at))?;
    let unknown: TenantId = tenant_id(2);
    same("a load of nothing", &store.load(unknown, &mut Few(0)).await?, &None)?;
    let (_, answer) = send(store, Base::At(at), &[]).await;
    same("the revision of a commit after it", &is_done("a commit after loads that stopped", answer)?, &Revision::new(2))
}
