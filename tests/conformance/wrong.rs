//! One wrong store and more for each clause. Each is the memory store with one flaw that stores really have had.

use std::collections::BTreeSet;

use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{self, Clause, Fixture, Problem, Report, Task, on_threads};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

use super::{flaws, report_of};

/// One flaw: what it does instead of the store's own call. A clone is made for a second connection.
pub(super) trait Flaw: Clone + Default + Send + Sync + 'static {
    fn find(
        &self,
        store: &MemoryStore,
        slug: &TenantSlug,
    ) -> impl Future<Output = Result<Option<TenantId>, StoreError>> + Send {
        store.find(slug)
    }

    fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TenantSummary>, StoreError>> + Send {
        store.list(after, limit)
    }

    fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send {
        store.load(tenant_id, sink)
    }

    fn commit(
        &self,
        store: &MemoryStore,
        commit: Commit<'_>,
    ) -> impl Future<Output = Result<Revision, StoreError>> + Send {
        store.commit(commit)
    }

    fn since(&self, store: &MemoryStore, at: Position) -> impl Future<Output = Result<Since, StoreError>> + Send {
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
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.1.find(&self.0, slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.1.list(&self.0, after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.1.load(&self.0, tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.1.commit(&self.0, commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
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

/// Fails unless the suite finds this clause broken by these cases, and no other clause but those that are declared beside.
pub(super) fn is_caught(fixture: &impl Fixture, clause: Clause, by: &[&str], beside: &[Clause]) {
    let finds = |report: &Report, case: &str| report.failed().any(|failed| failed.name == case);
    let report = report_of(fixture, |report| by.iter().all(|case| finds(report, case)));
    for case in by {
        assert!(finds(&report, case), "{clause} is broken, and `{case}` does not find it:\n{report}");
    }
    let broken: BTreeSet<Clause> = report.failed().map(|case| case.clause).collect();
    assert!(broken.contains(&clause), "{clause} is broken, and is not found so:\n{report}");
    let undeclared: Vec<_> = broken.iter().filter(|found| **found != clause && !beside.contains(found)).collect();
    assert!(undeclared.is_empty(), "beside {clause}, these are found broken: {undeclared:?}\n{report}");
}

macro_rules! wrong_stores {
    ($($name:ident: $flaw:ident breaks $clause:ident $(and $($beside:ident),+)? => $($case:ident),+;)+) => {
        $(
            #[test]
            #[cfg_attr(debug_assertions, ignore = "long: run in release")]
            fn $name() {
                let beside: &[Clause] = &[$($(Clause::$beside),+)?];
                let by: &[&str] = &[$(stringify!($case)),+];
                is_caught(&Fixed::<flaws::$flaw>(std::marker::PhantomData), Clause::$clause, by, beside);
            }
        )+

        /// The cases that a wrong store above is found by.
        const FOUND_BY: &[&str] = &[$($(stringify!($case)),+),+];
    };
}

/// A case that no wrong store fails has never been seen to fail.
#[test]
fn every_case_is_failed_by_a_wrong_store() {
    let proven: BTreeSet<&str> = FOUND_BY.iter().chain(super::links::FOUND_BY).copied().collect();
    let unproven: Vec<_> = conformance::cases().into_iter().filter(|(_, case)| !proven.contains(case)).collect();
    assert!(unproven.is_empty(), "{unproven:?}");
}

// A name, the flaw, the clause that it breaks, those that it breaks beside, and the cases that find it.
wrong_stores! {
    it_forgets_that_a_tenant_was_made_anew: KeepsTenantsBySlug breaks S1 =>
            a_new_tenant_under_an_old_slug_has_nothing_of_the_old_one;
    it_looks_at_the_slug_before_it_looks_at_the_tenant: LooksAtTheSlugFirst breaks S1 and S3 =>
            a_creation_of_a_living_tenant_is_a_conflict_before_its_slug_is_looked_at, an_ended_tenant_is_gone_for_good,
            conflict_and_gone_come_before_taken;
    it_lists_no_tenant_that_is_new: ListsNoNewTenants breaks S1 and S5, S8, S9 =>
            a_creation_begins_a_tenant_at_revision_one;
    it_ends_a_tenant_that_tenants: EndsWhatTenants breaks S1 and S5, S11, S12 =>
            a_creation_that_committed_is_not_undone_by_its_end_before_it_began;
    it_forgets_a_tenant_that_never_began: ForgetsWhatNeverBegan breaks S1 and S7, S12 =>
            a_tenant_that_ended_before_it_began_is_never_created, a_reopened_store_remembers_what_has_ended,
            of_a_creation_and_its_end_before_it_began_one_wins;
    it_keeps_the_slug_of_an_ended_tenant: KeepsSlugsForEver breaks S1 and S5, S7, S9 =>
            a_slug_is_free_after_the_end_of_its_tenant;
    it_says_conflict_where_nothing_is: SaysConflictOfTheGone breaks S1 and S3, S5, S7, S12, S13 =>
            an_unknown_slug_and_an_unknown_tenant_are_absent, a_second_connection_writes_what_the_first_one_sees;
    it_loads_each_kind_from_a_state_of_its_own: LoadsKindByKind breaks S2 and S4 =>
            a_load_during_commits_is_one_state;
    it_goes_on_when_the_sink_wants_no_more: GoesOnPushing breaks S2 =>
            a_sink_that_wants_no_more_ends_the_load;
    it_remembers_where_a_tenant_stood: RemembersWhereItStood breaks S2 and S3, S4, S5, S7, S8, S9, S10, S11, S12, S13, S15 =>
            a_load_says_where_the_state_stands, each_commit_makes_the_next_revision_an_empty_one_too;
    it_loads_a_tenant_that_is_not_there: LoadsWhatIsNotThere breaks S1 and S2, S4, S5, S7, S11, S12 =>
            an_unknown_slug_and_an_unknown_tenant_are_absent, a_refused_commit_leaves_nothing_behind;
    it_compares_the_revision_of_a_base_and_not_its_commit: ComparesRevisionsOnly breaks S3 and S1 =>
            a_base_with_another_commit_id_is_stale;
    it_lets_the_last_writer_win: TakesAnyOlderBase breaks S3 and S5, S7, S11, S12 =>
            a_commit_on_a_stale_base_changes_nothing, a_conflict_names_a_revision_that_is_seen_from_then_on;
    it_takes_a_base_that_is_ahead: TakesABaseThatIsAhead breaks S3 =>
            a_base_that_is_ahead_is_stale;
    it_answers_as_before_what_is_sent_again: AnswersAgain breaks S3 and S11, S12 =>
            a_commit_that_committed_is_stale_when_it_is_sent_again, a_commit_that_is_sent_twice_at_once_commits_once;
    it_leaves_behind_what_it_wrote_before_it_refused: WritesBeforeItRefuses breaks S4 and S7, S9, S12 =>
            a_refused_commit_leaves_nothing_behind, a_refused_commit_makes_no_revision;
    it_splits_a_large_commit_in_two: SplitsLargeCommits breaks S4 and S15 =>
            a_commit_is_one_commit_in_the_history, a_commit_is_never_seen_in_part;
    it_reads_from_a_copy_that_lags: ReadsFromALaggingCopy breaks S5 and S2, S4, S12, S13 =>
            a_success_is_seen_by_every_later_call_on_every_connection, a_second_connection_sees_what_the_first_one_wrote;
    it_repeats_a_revision_after_reopening: RepeatsARevision breaks S7 and S8, S9, S10, S14, S15 =>
            a_reopened_store_goes_on_where_it_was, the_history_is_complete_or_too_old_after_reopening;
    it_skips_empty_commits: SkipsEmptyCommits breaks S7 and S1, S2, S3, S5, S6, S8, S9, S10, S11, S12, S13, S14, S15 =>
            each_commit_makes_the_next_revision_an_empty_one_too,
            a_commit_that_is_dropped_commits_no_more_once_another_has_won;
    it_counts_the_commits_of_all_tenants_together: CountsAllTenantsTogether breaks S7 and S1, S8, S9, S10, S12, S13, S14 =>
            revisions_of_different_tenants_have_nothing_to_do_with_each_other;
    it_compares_without_case: ComparesWithoutCase breaks S8 =>
            identifiers_that_differ_in_case_are_two, patterns_are_told_apart_byte_for_byte;
    it_trims_a_space_at_the_end: TrimsSpaces breaks S8 =>
            identifiers_that_differ_in_a_space_at_the_end_are_two;
    it_normalises_unicode: NormalisesUnicode breaks S8 =>
            identifiers_that_differ_in_unicode_form_are_two;
    it_cuts_a_key_at_255_bytes: CutsAt255Bytes breaks S8 =>
            the_longest_identifiers_and_texts_are_kept_whole;
    it_sorts_slugs_as_people_do: SortsLikePeople breaks S8 =>
            tenant_slugs_are_told_apart_and_listed_byte_for_byte;
    it_lets_a_rename_take_a_slug_that_is_taken: IgnoresATakenSlug breaks S9 and S4, S7, S12 =>
            a_slug_is_taken_and_freed_by_rename, of_two_renames_to_one_slug_one_wins;
    it_updates_by_id_in_every_tenant: UpdatesEveryTenant breaks S9 =>
            the_same_ids_and_names_in_two_tenants_are_two_things;
    it_gives_a_taken_slug_to_the_newest: TakesSlugsOver breaks S9 and S1, S4, S12, S13 =>
            a_slug_of_a_living_tenant_is_taken, of_two_creations_under_one_slug_one_wins;
    it_finds_itself_in_the_way: FindsItselfInTheWay breaks S9 =>
            a_tenant_may_keep_its_own_slug;
    it_drops_a_window: DropsWindows breaks S10 =>
            a_record_of_each_kind_is_kept_as_it_was_written;
    it_drops_the_window_of_a_parent_link: DropsWindowsOfParents breaks S10 =>
            a_record_of_each_kind_is_kept_as_it_was_written, a_window_keeps_both_its_ends;
    it_keeps_instants_to_the_second: RoundsInstants breaks S10 =>
            a_window_keeps_both_its_ends;
    it_removes_all_of_a_holder_instead_of_one: RemovesTooMuch breaks S10 =>
            a_removal_removes_one_record_and_none_beside_it;
    it_updates_some_of_the_columns: UpdatesSomeColumns breaks S10 =>
            a_change_replaces_the_whole_record;
    it_compares_what_a_reference_remembers: ComparesReferences breaks S10 =>
            a_reference_may_remember_another_slug_than_the_one_it_is_removed_by;
    it_never_forgets_a_key: NeverForgetsAKey breaks S10 and S4 =>
            what_is_removed_and_added_again_is_new;
    it_leaves_half_of_a_commit_whose_future_is_dropped: StopsHalfway breaks S11 and S2, S4 =>
            a_commit_that_is_dropped_leaves_the_state_before_or_after, a_creation_that_is_dropped_leaves_nothing_or_the_whole;
    it_leaves_a_lock_when_a_read_is_dropped: LeavesALock breaks S11 and S2, S4, S5 =>
            a_read_that_is_dropped_does_no_harm;
    it_checks_the_base_and_then_writes: ChecksThenWrites breaks S12 =>
            of_two_commits_on_one_base_one_wins, of_eight_commits_on_one_base_one_wins;
    it_gives_each_connection_tenants_of_its_own: SharesNothing breaks S13 and S2, S4, S5, S12, S14 =>
            a_second_connection_sees_what_the_first_one_wrote;
    it_forgets_empty_commits: ForgetsEmptyCommits breaks S14 and S5, S8 =>
            the_commits_since_a_state_are_complete_and_in_order, what_one_read_has_shown_no_later_read_takes_back;
    it_says_that_nothing_happened_since_a_state_that_never_was: KnowsEveryState breaks S14 and S1, S12 =>
            a_state_that_is_not_in_the_history_is_too_old;
    it_loses_who_made_a_commit_and_why: LosesEnvelopes breaks S14 and S4, S8 =>
            an_envelope_is_told_as_it_was_sent;
    it_says_too_old_where_nothing_is: EndsAreTooOld breaks S14 and S1, S5 =>
            the_history_of_an_ended_tenant_is_gone;
    it_tells_the_base_as_well: TellsTheBaseToo breaks S14 and S5, S7, S8 =>
            the_latest_state_has_no_commits_since;
    it_ends_a_tenant_only_by_a_commit_of_its_own: EndsByACommitOfItsOwn breaks S1 =>
            a_tenant_ends_whatever_else_its_last_commit_changes;
    it_ends_a_tenant_on_any_base: EndsOnAnyBase breaks S3 and S12 =>
            a_commit_on_a_stale_base_changes_nothing, a_base_with_another_commit_id_is_stale;
    it_keeps_32_bits_of_a_revision: Keeps32BitsOfARevision breaks S3 and S14 =>
            a_base_that_is_ahead_is_stale, a_state_that_is_not_in_the_history_is_too_old;
    it_remembers_that_a_slug_was_free: RemembersAbsence breaks S5 =>
            a_success_is_seen_by_every_later_call_on_every_connection;
    it_reads_numbers: ReadsNumbers breaks S8 =>
            texts_that_could_be_read_as_something_else_are_kept;
    it_reads_escapes: ReadsEscapes breaks S8 =>
            texts_that_could_be_read_as_something_else_are_kept;
    it_reads_entities: ReadsEntities breaks S8 =>
            texts_that_could_be_read_as_something_else_are_kept;
    it_keeps_half_of_an_id: KeepsHalfOfAnId breaks S8 =>
            ids_that_differ_in_any_byte_are_two;
    it_lists_the_slugs_of_before_as_well: ListsOldSlugs breaks S5 and S9 =>
            a_success_is_seen_by_every_later_call_on_every_connection, slugs_after_reopening_are_those_of_before;
    it_keeps_records_by_the_first_slug: KeepsFoldersByFirstSlug breaks S9 =>
            a_slug_is_taken_and_freed_by_rename;
    it_indexes_slugs_of_creations_when_reopened: IndexesCreations breaks S9 and S7 =>
            slugs_after_reopening_are_those_of_before;
    it_lists_a_hundred_at_most: ListsAHundred breaks S9 =>
            a_page_of_tenants_is_as_long_as_was_asked_for;
    it_takes_a_limit_for_a_signed_number: CastsTheLimit breaks S9 =>
            a_page_of_tenants_is_as_long_as_was_asked_for;
    it_mixes_up_holders: MixesUpHolders breaks S10 =>
            a_record_of_each_kind_is_kept_as_it_was_written;
    it_removes_grants_by_slug: RemovesGrantsBySlug breaks S10 =>
            a_reference_may_remember_another_slug_than_the_one_it_is_removed_by;
    it_checks_each_statement: ChecksEachStatement breaks S10 =>
            names_may_be_swapped_within_one_commit;
    it_counts_rows_after_a_cascade: CountsRowsAfterACascade breaks S10 =>
            what_goes_together_may_go_in_one_commit;
    it_forgets_windows_when_reopened: ForgetsWindows breaks S10 =>
            a_reopened_store_has_every_record_as_it_was_written;
    it_checks_the_base_of_an_end_and_then_ends: EndsLater breaks S12 =>
            of_a_commit_and_the_end_of_its_tenant_one_wins;
    it_forgets_envelopes_when_reopened: ForgetsEnvelopes breaks S14 =>
            the_history_is_complete_or_too_old_after_reopening;
    it_tells_no_empty_note: TellsNoEmptyNote breaks S14 =>
            an_envelope_is_told_as_it_was_sent;
    it_sorts_commits_by_time: SortsByTime breaks S14 and S5, S12 =>
            the_commits_since_a_state_are_complete_and_in_order;
    it_tells_a_hundred_commits_at_most: TellsAHundred breaks S14 and S5, S12 =>
            a_long_history_is_told_whole;
    it_tells_half_a_commit: TellsHalfACommit breaks S14 =>
            a_commit_is_told_whole_while_others_are_made;
    it_swallows_an_error_after_65_535_parameters: SwallowsTheRest breaks S15 =>
            a_commit_of_200_000_changes_is_one_commit_or_too_large,
            a_creation_of_200_000_records_is_one_commit_or_too_large;
    it_writes_no_status: WritesNoStatus breaks S10 => a_reopened_store_has_every_record_as_it_was_written;
    it_writes_no_profile: WritesNoProfile breaks S10 and S8 => a_reopened_store_has_every_record_as_it_was_written;
    it_trims_what_it_writes: TrimsWhatItWrites breaks S8 => a_reopened_store_keeps_every_byte;
    it_counts_what_it_writes_in_16_bits: CountsIn16Bits breaks S15 =>
            a_reopened_store_has_the_whole_of_a_large_commit;
    it_writes_no_envelopes: WritesNoEnvelopes breaks S14 => a_reopened_store_tells_an_envelope_as_it_was_sent;
}
