//! One wrong store and more for each clause. Each is the memory store with one flaw that stores really have had.

use std::collections::BTreeSet;

use rolecall::records::{At, Life, Revision, TenantSlug};
use rolecall::store::conformance::{self, Clause, Fixture, Problem, Task, on_threads};
use rolecall::store::{Commit, Listed, MemoryStore, Since, Sink, Store, StoreError};

use super::flaws;

/// One flaw: what it does instead of the store's own call. A clone is made for a second connection.
pub(super) trait Flaw: Clone + Default + Send + Sync + 'static {
    fn find(
        &self,
        store: &MemoryStore,
        slug: &TenantSlug,
    ) -> impl Future<Output = Result<Option<Life>, StoreError>> + Send {
        store.find(slug)
    }

    fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Listed>, StoreError>> + Send {
        store.list(after, limit)
    }

    fn load(
        &self,
        store: &MemoryStore,
        life: Life,
        sink: &mut dyn Sink,
    ) -> impl Future<Output = Result<Option<At>, StoreError>> + Send {
        store.load(life, sink)
    }

    fn commit(
        &self,
        store: &MemoryStore,
        commit: Commit<'_>,
    ) -> impl Future<Output = Result<Revision, StoreError>> + Send {
        store.commit(commit)
    }

    fn since(&self, store: &MemoryStore, at: At) -> impl Future<Output = Result<Since, StoreError>> + Send {
        store.since(at)
    }

    /// What a second connection is.
    fn second(&self, store: &MemoryStore) -> (MemoryStore, Self) {
        (store.clone(), self.clone())
    }

    /// The store is closed and opened again.
    fn reopened(&self) {}
}

/// A store with a flaw.
pub(super) struct Wrong<F>(MemoryStore, F);

impl<F: Flaw> Store for Wrong<F> {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<Life>, StoreError> {
        self.1.find(&self.0, slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.1.list(&self.0, after, limit).await
    }

    async fn load(&self, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        self.1.load(&self.0, life, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.1.commit(&self.0, commit).await
    }

    async fn since(&self, at: At) -> Result<Since, StoreError> {
        self.1.since(&self.0, at).await
    }
}

struct Fixed<F>(std::marker::PhantomData<fn() -> F>);

impl<F: Flaw> Fixture for Fixed<F> {
    type Store = Wrong<F>;

    async fn fresh(&self) -> Result<Wrong<F>, Problem> {
        Ok(Wrong(MemoryStore::default(), F::default()))
    }

    async fn second_connection(&self, store: &Wrong<F>) -> Result<Option<Wrong<F>>, Problem> {
        let (second, flaw) = store.1.second(&store.0);
        Ok(Some(Wrong(second, flaw)))
    }

    async fn reopen(&self, store: Wrong<F>) -> Result<Option<Wrong<F>>, Problem> {
        store.1.reopened();
        Ok(Some(store))
    }

    async fn run_at_once(&self, tasks: Vec<Task>) -> Result<(), Problem> {
        on_threads(tasks)
    }
}

/// Fails unless the suite finds this clause broken, and no other but those that are declared beside it.
pub(super) fn is_caught(fixture: &impl Fixture, clause: Clause, beside: &[Clause]) {
    let report = conformance::run_blocking(fixture);
    let broken: BTreeSet<Clause> = report.failed().map(|case| case.clause).collect();
    assert!(broken.contains(&clause), "{clause} is broken, and is not found so:\n{report}");
    let undeclared: Vec<_> = broken.iter().filter(|found| **found != clause && !beside.contains(found)).collect();
    assert!(undeclared.is_empty(), "beside {clause}, these are found broken: {undeclared:?}\n{report}");
}

macro_rules! wrong_stores {
    ($($name:ident: $flaw:ident breaks $clause:ident $(and $($beside:ident),+)?;)+) => {$(
        #[test]
        fn $name() {
            let beside: &[Clause] = &[$($(Clause::$beside),+)?];
            is_caught(&Fixed::<flaws::$flaw>(std::marker::PhantomData), Clause::$clause, beside);
        }
    )+};
}

wrong_stores! {
    it_forgets_that_a_tenant_was_made_anew: KeepsTenantsBySlug breaks S1;
    it_loads_each_kind_from_a_state_of_its_own: LoadsKindByKind breaks S2 and S4;
    it_compares_the_revision_of_a_base_and_not_its_commit: ComparesRevisionsOnly breaks S3 and S1;
    it_leaves_behind_what_it_wrote_before_it_refused: WritesBeforeItRefuses breaks S4 and S7, S9, S12;
    it_splits_a_large_commit_in_two: SplitsLargeCommits breaks S4 and S15;
    it_reads_from_a_copy_that_lags: ReadsFromALaggingCopy breaks S5 and S2, S4, S12, S13;
    it_repeats_a_revision_after_reopening: RepeatsARevision breaks S7 and S14;
    it_compares_without_case: ComparesWithoutCase breaks S8;
    it_trims_a_space_at_the_end: TrimsSpaces breaks S8;
    it_normalises_unicode: NormalisesUnicode breaks S8;
    it_cuts_a_key_at_255_bytes: CutsAt255Bytes breaks S8;
    it_sorts_slugs_as_people_do: SortsLikePeople breaks S8;
    it_lets_a_rename_take_a_slug_that_is_taken: IgnoresATakenSlug breaks S9 and S4, S7, S12;
    it_updates_by_id_in_every_tenant: UpdatesEveryTenant breaks S9;
    it_drops_a_window: DropsWindows breaks S10;
    it_keeps_instants_to_the_second: RoundsInstants breaks S10;
    it_removes_all_of_a_holder_instead_of_one: RemovesTooMuch breaks S10;
    it_leaves_half_of_a_commit_whose_future_is_dropped: StopsHalfway breaks S11 and S2, S4;
    it_checks_the_base_and_then_writes: ChecksThenWrites breaks S12;
    it_gives_each_connection_tenants_of_its_own: SharesNothing breaks S13 and S2, S4, S5, S12;
    it_forgets_empty_commits: ForgetsEmptyCommits breaks S14 and S5, S8;
    it_says_that_nothing_happened_since_a_state_that_never_was: KnowsEveryState breaks S14 and S1;
    it_loses_who_made_a_commit_and_why: LosesEnvelopes breaks S14 and S8;
    it_swallows_an_error_after_65_535_parameters: SwallowsTheRest breaks S15;
}
