//! S2: a load reads one consistent state.

use std::sync::Arc;

use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::concurrent::{Race, Racer};
use super::dyn_fixture::Connection;
use super::samples::{
    Records, added, changed, commit_on, create_tenant, expect_success, group, load, load_existing, send, tenant_id,
    user, users,
};
use crate::model::records::{Change, Position, Record, Revision, TenantId};
use crate::store::{Base, Sink, Stop, StoreError};

cases! {
    S2: a_load_returns_the_position_of_its_records,
        a_load_during_commits_is_one_consistent_state,
        a_load_stops_when_the_sink_stops;
}

async fn a_load_returns_the_position_of_its_records(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..10_u128 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        let (records, found) = load_existing(store, tenant_id(1)).await?;
        expect_eq("the position that a load returns", &found, &at)?;
        expect_eq("the number of records of a load", &records.len(), &usize::try_from(number + 2).unwrap_or(0))?;
    }
    Ok(())
}

/// The most commits and loads of a race.
const MOST: usize = 12_000;

/// How many users and groups are numbered by the revision.
const WIDTH: u128 = 150;

/// Each commit numbers every record, so a load that mixes two states returns two numbers.
fn numbered(number: u64) -> CaseResult<Vec<Record>> {
    let users = (0..WIDTH).map(|n| user(n, &format!("{n}-{number}")));
    let groups = (0..WIDTH).map(|n| group(n, &format!("{n}-{number}")));
    users.chain(groups).collect()
}

fn renumbered(number: u64) -> CaseResult<Vec<Change>> {
    let pairs = numbered(number)?.into_iter().zip(numbered(number + 1)?);
    pairs.map(|(before, after)| changed(before, after)).collect()
}

async fn a_load_during_commits_is_one_consistent_state(case: &CaseContext<'_>) -> CaseResult {
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let creation = create_tenant(&*first, tenant_id(1), "acme", &added(numbered(1)?)).await?;
    let race = Race::of(3, MOST);
    let writer: Racer = {
        let (store, race) = (Arc::clone(&first), Arc::clone(&race));
        Box::pin(async move {
            let mut at = creation;
            while race.next_attempt(0).await {
                let changes = renumbered(at.revision.number())?;
                at = race.call(0, 0, commit_on(&*store, at, &changes)).await?;
            }
            Ok(())
        })
    };
    let reader = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, race) = (Arc::clone(store), Arc::clone(&race));
        Box::pin(async move {
            while race.next_attempt(by).await {
                is_whole(race.call(0, 1, load(&*store, tenant_id(1))).await?)?;
            }
            Ok(())
        })
    };
    case.run_race(&race, vec![writer, reader(1, &second), reader(2, &first)]).await
}

/// Fails unless every record has the number of the load's revision.
fn is_whole(found: Option<(Records, Position)>) -> CaseResult {
    let (records, at) = found.ok_or_else(|| CaseError::new("a load during commits found no tenant"))?;
    let numbered = numbered(at.revision.number())?;
    expect_eq("the number of records of a load during commits", &records.len(), &(numbered.len() + 1))?;
    let torn = numbered.iter().find(|record| records.get(&record.key()) != Some(record));
    ensure(torn.is_none(), || format!("a load of revision {} returned a record of another revision", at.revision))
}

/// A sink that takes this many records.
struct LimitedSink(usize);

impl Sink for LimitedSink {
    fn push(&mut self, _: Record) -> Result<(), Stop> {
        self.0 = self.0.checked_sub(1).ok_or(Stop)?;
        Ok(())
    }
}

async fn a_load_stops_when_the_sink_stops(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let at = create_tenant(store, tenant_id(1), "acme", &users(0..500)?).await?;
    for wanted in [0, 1, 250, 500] {
        let answer = store.load(tenant_id(1), &mut LimitedSink(wanted)).await;
        let stopped = matches!(answer, Err(StoreError::Stopped));
        ensure(stopped, || {
            format!(
                "a load whose sink stopped after {wanted} of 501 records returned {answer:?}, expected Err(Stopped)"
            )
        })?;
    }
    expect_eq(
        "a load whose sink took every record",
        &store.load(tenant_id(1), &mut LimitedSink(501)).await?,
        &Some(at),
    )?;
    let unknown: TenantId = tenant_id(2);
    expect_eq("a load of an unknown tenant", &store.load(unknown, &mut LimitedSink(0)).await?, &None)?;
    let (_, answer) = send(store, Base::At(at), &[]).await;
    expect_eq(
        "the revision of a commit after it",
        &expect_success("a commit after stopped loads", answer)?,
        &Revision::new(2),
    )
}
