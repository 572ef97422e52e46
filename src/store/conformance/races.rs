//! S12: of concurrent commits on one base, exactly one succeeds.
//!
//! Each case has targets that one commit can win (a base, a slug, a tenant). All racers try for the current target and go
//! on to the next one once it is won.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::concurrent::{Race, Racer, locked};
use super::dyn_fixture::Connection;
use super::samples::{
    added, applied, changed, commits_since, create_tenant, envelope, expect_conflict, expect_deleted, expect_state,
    load, load_existing, send, slug, sorted_by_key, tenant, tenant_id, unexpected, users,
};
use crate::model::records::{Change, CommitId, Envelope, Position, Revision};
use crate::store::{Base, Commit, StoreError};

cases! {
    S12: one_of_two_commits_on_the_same_base_wins,
        one_of_eight_commits_on_the_same_base_wins,
        a_commit_sent_twice_concurrently_is_applied_once,
        one_of_two_creations_with_the_same_slug_wins,
        one_of_two_renames_to_the_same_slug_wins,
        either_a_creation_or_its_prevention_wins,
        either_a_commit_or_the_deletion_of_its_tenant_wins;
}

/// The most attempts of the slowest racer.
const MOST: usize = 16_000;

/// How many users a racing commit writes, so that it takes long enough to overlap.
const WIDTH: u128 = 40;

/// The winning commits: the latest position, and the changes of each winner by its revision.
struct Chain {
    latest: Position,
    won: BTreeMap<Revision, Vec<Change>>,
}

impl Chain {
    /// Records a winner. Fails if this revision already has one.
    fn win(&mut self, at: Position, changes: Vec<Change>) -> CaseResult {
        let second = self.won.insert(at.revision, changes);
        ensure(second.is_none(), || format!("two commits on one base succeeded: revision {}", at.revision))?;
        if at.revision > self.latest.revision {
            self.latest = at;
        }
        Ok(())
    }
}

/// Races for each new base, with a commit id shared by all racers or one of its own.
async fn race_for_bases(
    store: Arc<dyn Connection>,
    race: Arc<Race>,
    chain: Arc<Mutex<Chain>>,
    by: usize,
    same_id: bool,
) -> CaseResult {
    while race.next_attempt(by).await {
        let base = locked(&chain).latest;
        let revision = u128::from(base.revision.number());
        let mut envelope = envelope(Base::At(base));
        let number = if same_id { revision * 100 } else { revision * 100 + u128::try_from(by).unwrap_or(0) };
        if same_id {
            envelope.id = CommitId::from_uuid(Uuid::from_u128(number));
        }
        let changes = users(number * 100..number * 100 + WIDTH)?;
        let commit = Commit { base: Base::At(base), envelope: &envelope, changes: &changes };
        match race.call_together(base.revision.number(), by, store.commit(commit)).await {
            Ok(won) => {
                expect_eq("the revision of a winner", &won, &base.revision.next())?;
                locked(&chain).win(Position { revision: won, commit: envelope.id, ..base }, changes)?;
            }
            Err(StoreError::Conflict { actual }) => {
                ensure(actual > base.revision, || {
                    format!(
                        "a conflict on revision {} names revision {actual}, expected {} or later",
                        base.revision,
                        base.revision.next()
                    )
                })?;
            }
            other => return Err(unexpected("a commit in a race", other, "success or conflict")),
        }
    }
    Ok(())
}

async fn race_commits(case: &CaseContext<'_>, many: usize, same_id: bool) -> CaseResult {
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let creation = create_tenant(&*first, tenant_id(1), "acme", &[]).await?;
    let (records, _) = load_existing(&*first, tenant_id(1)).await?;
    let chain = Arc::new(Mutex::new(Chain { latest: creation, won: BTreeMap::new() }));
    let race = Race::of(many, MOST / many);
    let racer = |by: usize| -> Racer {
        let store = Arc::clone(if by % 2 == 0 { &first } else { &second });
        Box::pin(race_for_bases(store, Arc::clone(&race), Arc::clone(&chain), by, same_id))
    };
    let held = case.run_race(&race, (0..many).map(racer).collect()).await;
    if matches!(held, Err(CaseError::Failed(_))) {
        return held;
    }
    let (latest, won) = {
        let mut chain = locked(&chain);
        (chain.latest, std::mem::take(&mut chain.won))
    };
    let all = won.values().fold(records, |records, changes| applied(records, changes));
    expect_state(&*second, latest, &all).await?;
    if let Some(commits) = commits_since(&*first, creation).await? {
        expect_eq("since the creation, after a race (S14): the number of commits", &commits.len(), &won.len())?;
        for told in &commits {
            let by_whom =
                format!("the changes of revision {} in the history, compared with the winner's", told.revision);
            expect_eq(
                &by_whom,
                &Some(sorted_by_key(&told.changes)),
                &won.get(&told.revision).map(|changes| sorted_by_key(changes)),
            )?;
        }
    }
    held
}

async fn one_of_two_commits_on_the_same_base_wins(case: &CaseContext<'_>) -> CaseResult {
    race_commits(case, 2, false).await
}

async fn one_of_eight_commits_on_the_same_base_wins(case: &CaseContext<'_>) -> CaseResult {
    race_commits(case, 8, false).await
}

async fn a_commit_sent_twice_concurrently_is_applied_once(case: &CaseContext<'_>) -> CaseResult {
    race_commits(case, 2, true).await
}

/// Numbered targets, and the winner of each.
#[derive(Default)]
struct Targets {
    present: u64,
    won: BTreeMap<u64, usize>,
}

impl Targets {
    fn win(&mut self, target: u64, by: usize) -> CaseResult {
        let second = self.won.insert(target, by).is_some_and(|other| other != by);
        self.present = self.present.max(target + 1);
        ensure(!second, || "two commits won the same target".to_owned())
    }
}

/// Two racers for numbered targets. A round receives the target and the racer, and returns whether it won.
async fn race_for_targets<R, W>(case: &CaseContext<'_>, round: R) -> CaseResult<BTreeMap<u64, usize>>
where
    R: Fn(Arc<dyn Connection>, Arc<Race>, u64, usize, u128) -> W + Copy + Send + 'static,
    W: Future<Output = CaseResult<bool>> + Send + 'static,
{
    let (first, second) = (Arc::clone(&case.store), case.second_or_same().await?);
    let (race, targets) = (Race::of(2, MOST / 2), Arc::new(Mutex::new(Targets::default())));
    let racer = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, race, targets) = (Arc::clone(store), Arc::clone(&race), Arc::clone(&targets));
        Box::pin(async move {
            let mut attempts = 0;
            while race.next_attempt(by).await {
                attempts += 1;
                let target = locked(&targets).present;
                let unique = u128::try_from(attempts * 2 + by).unwrap_or(0);
                if round(Arc::clone(&store), Arc::clone(&race), target, by, unique).await? {
                    locked(&targets).win(target, by)?;
                }
            }
            Ok(())
        })
    };
    case.run_race(&race, vec![racer(0, &first), racer(1, &second)]).await?;
    let won = std::mem::take(&mut locked(&targets).won);
    Ok(won)
}

/// Whether a racer won a slug. The only other valid answer is `SlugTaken`.
fn won_or_taken(what: &str, answer: Result<Revision, StoreError>) -> CaseResult<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(StoreError::SlugTaken) => Ok(false),
        other => Err(unexpected(what, other, "success or slug taken")),
    }
}

async fn one_of_two_creations_with_the_same_slug_wins(case: &CaseContext<'_>) -> CaseResult {
    let tenants = |target: u64, by: usize| tenant_id(u128::from(target) * 2 + u128::try_from(by).unwrap_or(0));
    let won = race_for_targets(case, move |store, race, target, by, _| async move {
        let base = Base::Create(tenants(target, by));
        let mut creation = users(0..WIDTH)?;
        creation.push(Change::added(tenant(&format!("acme-{target}"))?));
        let (_, answer) = race.call_together(target, by, send(&*store, base, &creation)).await;
        won_or_taken("a creation in a race for its slug", answer)
    });
    for (target, by) in won.await? {
        let found = case.store.find(&slug(&format!("acme-{target}"))?).await?;
        expect_eq("find of a slug after a race for it", &found, &Some(tenants(target, by)))?;
        let lost = load(&*case.store, tenants(target, 1 - by)).await?;
        ensure(lost.is_none(), || "a load finds the tenant that lost the race for its slug".to_owned())?;
    }
    Ok(())
}

async fn one_of_two_renames_to_the_same_slug_wins(case: &CaseContext<'_>) -> CaseResult {
    let won = race_for_targets(case, |store, race, target, by, unique| async move {
        let (own, goal) = (format!("own-{unique}"), format!("goal-{target}"));
        let at = create_tenant(&*store, tenant_id(unique), &own, &[]).await?;
        let mut renaming = users(0..WIDTH)?;
        renaming.push(changed(tenant(&own)?, tenant(&goal)?)?);
        let (_, answer) = race.call_together(target, by, send(&*store, Base::At(at), &renaming)).await;
        let won = won_or_taken("a rename in a race for its slug", answer)?;
        let kept = if won { &goal } else { &own };
        expect_eq("find of the slug after a race", &store.find(&slug(kept)?).await?, &Some(tenant_id(unique)))?;
        Ok(won)
    });
    won.await.map(drop)
}

async fn either_a_creation_or_its_prevention_wins(case: &CaseContext<'_>) -> CaseResult {
    let won = race_for_targets(case, |store, race, target, by, _| async move {
        let base = Base::Create(tenant_id(u128::from(target)));
        let mut changes = Vec::new();
        if by == 0 {
            changes = users(0..WIDTH)?;
            changes.push(Change::added(tenant(&format!("acme-{target}"))?));
        }
        let (_, answer) = race.call_together(target, by, send(&*store, base, &changes)).await;
        match (answer, by) {
            (Ok(revision), _) => {
                expect_eq("the revision of a creation, or of its prevention", &revision, &Revision::FIRST)
                    .map(|()| true)
            }
            (lost, 0) => expect_deleted("a creation that lost", lost).map(|()| false),
            (lost, _) => expect_conflict("an empty creation that lost", lost, Revision::FIRST).map(|()| false),
        }
    });
    for (target, by) in won.await? {
        let tenant_id = tenant_id(u128::from(target));
        let is_there = load(&*case.store, tenant_id).await?.is_some();
        expect_eq("whether a tenant exists after the race", &is_there, &(by == 0))?;
        let found = case.store.find(&slug(&format!("acme-{target}"))?).await?;
        expect_eq("find of its slug", &found, &(by == 0).then_some(tenant_id))?;
    }
    Ok(())
}

/// Creates a tenant for a commit and its deletion to race for, with a commit id that both know.
async fn create_target(store: &dyn Connection, target: u64) -> CaseResult {
    let base = Base::Create(tenant_id(u128::from(target)));
    let id = CommitId::from_uuid(Uuid::from_u128(u128::from(target)));
    let creation = added([tenant(&format!("acme-{target}"))?]);
    store.commit(Commit { base, envelope: &Envelope { id, ..envelope(base) }, changes: &creation }).await?;
    Ok(())
}

async fn either_a_commit_or_the_deletion_of_its_tenant_wins(case: &CaseContext<'_>) -> CaseResult {
    create_target(&*case.store, 0).await?;
    let won = race_for_targets(case, |store, race, target, by, _| async move {
        let commit = CommitId::from_uuid(Uuid::from_u128(u128::from(target)));
        let base = Base::At(Position { tenant_id: tenant_id(u128::from(target)), revision: Revision::FIRST, commit });
        let end = Change::removed(tenant(&format!("acme-{target}"))?);
        let changes = if by == 0 { vec![end] } else { users(0..WIDTH)? };
        let (_, answer) = race.call_together(target, by, send(&*store, base, &changes)).await;
        let second = Revision::FIRST.next();
        match (answer, by) {
            (Ok(revision), _) => expect_eq("the revision of a commit, or of the deletion", &revision, &second)?,
            (lost, 0) => return expect_conflict("a deletion that lost", lost, second).map(|()| false),
            (lost, _) => return expect_deleted("a commit that lost against the deletion", lost).map(|()| false),
        }
        create_target(&*store, target + 1).await.map(|()| true)
    });
    for (target, by) in won.await? {
        let left = load(&*case.store, tenant_id(u128::from(target))).await?.map(|(records, _)| records.len());
        let all = 1 + users(0..WIDTH)?.len();
        expect_eq("the number of records after the race", &left, &(by == 1).then_some(all))?;
    }
    Ok(())
}
