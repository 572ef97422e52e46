//! S12: of two commits racing on one base, exactly one wins.
//!
//! Each case has a prize that can be won once (a base, a slug, a life), and racers that try for the present one. Whoever
//! wins goes on to the next; so do the others, once they have been told that they lost.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::any::Connection;
use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::concurrent::{Contest, Racer, locked};
use super::samples::{
    added, applied, by_key, changed, created, envelope, is_conflict, is_gone, loaded, present, send, since, slug,
    stands, tenant, tenant_id, unexpected, users,
};
use crate::model::records::{Change, CommitId, Envelope, Position, Revision};
use crate::store::{Base, Commit, StoreError};

cases! {
    S12: of_two_commits_on_one_base_one_wins,
        of_eight_commits_on_one_base_one_wins,
        a_commit_that_is_sent_twice_at_once_commits_once,
        of_two_creations_under_one_slug_one_wins,
        of_two_renames_to_one_slug_one_wins,
        of_a_creation_and_its_end_before_it_began_one_wins,
        of_a_commit_and_the_end_of_its_tenant_one_wins;
}

/// How many attempts the slowest racer makes at most.
const MOST: usize = 16_000;

/// How many users a racing commit writes: enough that it takes a while beside what lies between two commits.
const WIDTH: u128 = 40;

/// The chain of winners: where the tenant stands, and what each winner changed, by its revision.
struct Chain {
    latest: Position,
    won: BTreeMap<Revision, Vec<Change>>,
}

impl Chain {
    /// Somebody won on this base. Nobody else may have.
    fn win(&mut self, at: Position, changes: Vec<Change>) -> Verdict {
        let second = self.won.insert(at.revision, changes);
        holds(second.is_none(), || format!("two commits on one base succeeded: revision {}", at.revision))?;
        if at.revision > self.latest.revision {
            self.latest = at;
        }
        Ok(())
    }
}

/// One racer for each new base. With the same id as all the others, or one of its own.
async fn run_for_bases(
    store: Arc<dyn Connection>,
    contest: Arc<Contest>,
    chain: Arc<Mutex<Chain>>,
    by: usize,
    same_id: bool,
) -> Verdict {
    while contest.goes_on(by).await {
        let base = locked(&chain).latest;
        let revision = u128::from(base.revision.number());
        let mut envelope = envelope(Base::At(base));
        let number = if same_id { revision * 100 } else { revision * 100 + u128::try_from(by).unwrap_or(0) };
        if same_id {
            envelope.id = CommitId::from_uuid(Uuid::from_u128(number));
        }
        let changes = users(number * 100..number * 100 + WIDTH)?;
        let commit = Commit { base: Base::At(base), envelope: &envelope, changes: &changes };
        match contest.race(base.revision.number(), by, store.commit(commit)).await {
            Ok(won) => {
                same("the revision of a winner", &won, &base.revision.next())?;
                locked(&chain).win(Position { revision: won, commit: envelope.id, ..base }, changes)?;
            }
            Err(StoreError::Conflict { actual }) => {
                holds(actual > base.revision, || format!("a conflict on revision {} names {actual}", base.revision))?;
            }
            other => return Err(unexpected("a commit in a race", other, "success or conflict")),
        }
    }
    Ok(())
}

async fn of_many_one_wins(hand: &Hand<'_>, many: usize, same_id: bool) -> Verdict {
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let creation = created(&*first, tenant_id(1), "acme", &[]).await?;
    let (records, _) = present(&*first, tenant_id(1)).await?;
    let chain = Arc::new(Mutex::new(Chain { latest: creation, won: BTreeMap::new() }));
    let contest = Contest::of(many, MOST / many);
    let racer = |by: usize| -> Racer {
        let store = Arc::clone(if by % 2 == 0 { &first } else { &second });
        Box::pin(run_for_bases(store, Arc::clone(&contest), Arc::clone(&chain), by, same_id))
    };
    let held = hand.hold(&contest, (0..many).map(racer).collect()).await;
    if matches!(held, Err(Fail::Failed(_))) {
        return held;
    }
    let (latest, won) = {
        let mut chain = locked(&chain);
        (chain.latest, std::mem::take(&mut chain.won))
    };
    let all = won.values().fold(records, |records, changes| applied(records, changes));
    stands(&*second, latest, &all).await?;
    if let Some(commits) = since(&*first, creation).await? {
        same("the commits of a race", &commits.len(), &won.len())?;
        for told in &commits {
            let by_whom =
                format!("the changes that the history tells of revision {}, beside those that won", told.revision);
            same(&by_whom, &Some(by_key(&told.changes)), &won.get(&told.revision).map(|changes| by_key(changes)))?;
        }
    }
    held
}

async fn of_two_commits_on_one_base_one_wins(hand: &Hand<'_>) -> Verdict {
    of_many_one_wins(hand, 2, false).await
}

async fn of_eight_commits_on_one_base_one_wins(hand: &Hand<'_>) -> Verdict {
    of_many_one_wins(hand, 8, false).await
}

async fn a_commit_that_is_sent_twice_at_once_commits_once(hand: &Hand<'_>) -> Verdict {
    of_many_one_wins(hand, 2, true).await
}

/// Numbered prizes, and who won each.
#[derive(Default)]
struct Prizes {
    present: u64,
    won: BTreeMap<u64, usize>,
}

impl Prizes {
    fn win(&mut self, prize: u64, by: usize) -> Verdict {
        let second = self.won.insert(prize, by).is_some_and(|other| other != by);
        self.present = self.present.max(prize + 1);
        holds(!second, || "two commits won what one can win".to_owned())
    }
}

/// Two racers for numbered prizes. A round is told the prize and the racer; true if it won.
async fn run_for_prizes<R, W>(hand: &Hand<'_>, round: R) -> Verdict<BTreeMap<u64, usize>>
where
    R: Fn(Arc<dyn Connection>, Arc<Contest>, u64, usize, u128) -> W + Copy + Send + 'static,
    W: Future<Output = Verdict<bool>> + Send + 'static,
{
    let (first, second) = (Arc::clone(&hand.store), hand.second_or_same().await?);
    let (contest, prizes) = (Contest::of(2, MOST / 2), Arc::new(Mutex::new(Prizes::default())));
    let racer = |by: usize, store: &Arc<dyn Connection>| -> Racer {
        let (store, contest, prizes) = (Arc::clone(store), Arc::clone(&contest), Arc::clone(&prizes));
        Box::pin(async move {
            let mut attempts = 0;
            while contest.goes_on(by).await {
                attempts += 1;
                let prize = locked(&prizes).present;
                let unique = u128::try_from(attempts * 2 + by).unwrap_or(0);
                if round(Arc::clone(&store), Arc::clone(&contest), prize, by, unique).await? {
                    locked(&prizes).win(prize, by)?;
                }
            }
            Ok(())
        })
    };
    hand.hold(&contest, vec![racer(0, &first), racer(1, &second)]).await?;
    let won = std::mem::take(&mut locked(&prizes).won);
    Ok(won)
}

/// Whether a racer won a slug; the only other answer is that it is taken.
fn won_or_taken(what: &str, answer: Result<Revision, StoreError>) -> Verdict<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(StoreError::SlugTaken) => Ok(false),
        other => Err(unexpected(what, other, "success or taken")),
    }
}

async fn of_two_creations_under_one_slug_one_wins(hand: &Hand<'_>) -> Verdict {
    let lives = |prize: u64, by: usize| tenant_id(u128::from(prize) * 2 + u128::try_from(by).unwrap_or(0));
    let won = run_for_prizes(hand, move |store, contest, prize, by, _| async move {
        let base = Base::Create(lives(prize, by));
        let mut creation = users(0..WIDTH)?;
        creation.push(Change::added(tenant(&format!("acme-{prize}"))?));
        let (_, answer) = contest.race(prize, by, send(&*store, base, &creation)).await;
        won_or_taken("a birth in a race for its slug", answer)
    });
    for (prize, by) in won.await? {
        let found = hand.store.find(&slug(&format!("acme-{prize}"))?).await?;
        same("find of a slug after a race for it", &found, &Some(lives(prize, by)))?;
        let lost = loaded(&*hand.store, lives(prize, 1 - by)).await?;
        holds(lost.is_none(), || "the life that lost the race for its slug is there".to_owned())?;
    }
    Ok(())
}

async fn of_two_renames_to_one_slug_one_wins(hand: &Hand<'_>) -> Verdict {
    let won = run_for_prizes(hand, |store, contest, prize, by, unique| async move {
        let (own, goal) = (format!("own-{unique}"), format!("goal-{prize}"));
        let at = created(&*store, tenant_id(unique), &own, &[]).await?;
        let mut renaming = users(0..WIDTH)?;
        renaming.push(changed(tenant(&own)?, tenant(&goal)?)?);
        let (_, answer) = contest.race(prize, by, send(&*store, Base::At(at), &renaming)).await;
        let won = won_or_taken("a rename in a race for its slug", answer)?;
        let kept = if won { &goal } else { &own };
        same("find of the slug after a race", &store.find(&slug(kept)?).await?, &Some(tenant_id(unique)))?;
        Ok(won)
    });
    won.await.map(drop)
}

async fn of_a_creation_and_its_end_before_it_began_one_wins(hand: &Hand<'_>) -> Verdict {
    let won = run_for_prizes(hand, |store, contest, prize, by, _| async move {
        let base = Base::Create(tenant_id(u128::from(prize)));
        let mut changes = Vec::new();
        if by == 0 {
            changes = users(0..WIDTH)?;
            changes.push(Change::added(tenant(&format!("acme-{prize}"))?));
        }
        let (_, answer) = contest.race(prize, by, send(&*store, base, &changes)).await;
        match (answer, by) {
            (Ok(revision), _) => {
                same("the revision of a birth, or of its end", &revision, &Revision::FIRST).map(|()| true)
            }
            (lost, 0) => is_gone("a birth that lost", lost).map(|()| false),
            (lost, _) => is_conflict("an end before the beginning that lost", lost, Revision::FIRST).map(|()| false),
        }
    });
    for (prize, by) in won.await? {
        let tenant_id = tenant_id(u128::from(prize));
        let is_there = loaded(&*hand.store, tenant_id).await?.is_some();
        same("whether a life is there after its birth and its end raced", &is_there, &(by == 0))?;
        let found = hand.store.find(&slug(&format!("acme-{prize}"))?).await?;
        same("find of its slug", &found, &(by == 0).then_some(tenant_id))?;
    }
    Ok(())
}

/// A life for a commit and its end to race for, under an id that both know.
async fn prize_tenant(store: &dyn Connection, prize: u64) -> Verdict {
    let base = Base::Create(tenant_id(u128::from(prize)));
    let id = CommitId::from_uuid(Uuid::from_u128(u128::from(prize)));
    let creation = added([tenant(&format!("acme-{prize}"))?]);
    store.commit(Commit { base, envelope: &Envelope { id, ..envelope(base) }, changes: &creation }).await?;
    Ok(())
}

async fn of_a_commit_and_the_end_of_its_tenant_one_wins(hand: &Hand<'_>) -> Verdict {
    prize_tenant(&*hand.store, 0).await?;
    let won = run_for_prizes(hand, |store, contest, prize, by, _| async move {
        let commit = CommitId::from_uuid(Uuid::from_u128(u128::from(prize)));
        let base = Base::At(Position { tenant_id: tenant_id(u128::from(prize)), revision: Revision::FIRST, commit });
        let end = Change::removed(tenant(&format!("acme-{prize}"))?);
        let changes = if by == 0 { vec![end] } else { users(0..WIDTH)? };
        let (_, answer) = contest.race(prize, by, send(&*store, base, &changes)).await;
        let second = Revision::FIRST.next();
        match (answer, by) {
            (Ok(revision), _) => same("the revision of a commit, or of the end", &revision, &second)?,
            (lost, 0) => return is_conflict("an end that lost", lost, second).map(|()| false),
            (lost, _) => return is_gone("a commit that lost against the end", lost).map(|()| false),
        }
        prize_tenant(&*store, prize + 1).await.map(|()| true)
    });
    for (prize, by) in won.await? {
        let left = loaded(&*hand.store, tenant_id(u128::from(prize))).await?.map(|(records, _)| records.len());
        let all = 1 + users(0..WIDTH)?.len();
        same("what is left of a life after its end and a commit raced", &left, &(by == 1).then_some(all))?;
    }
    Ok(())
}
