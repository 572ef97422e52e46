//! One wrong store and more for each clause. Each is the memory store with one flaw that stores really have had.

use std::collections::BTreeSet;

use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{self, Clause, Fixture, FixtureError, Report, Task, run_on_threads};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

use super::{flaws, report_of};

/// One flaw, which replaces a call of the store. A clone is made for a second connection.
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

    /// The kind of the second connection.
    fn second(&self, store: &MemoryStore) -> (MemoryStore, Self) {
        (store.clone(), self.clone())
    }

    /// The store is closed and opened again.
    fn reopened(&self) {}
}

/// A store with a flaw.
pub(super) struct FlawedStore<F>(MemoryStore, F);

impl<F: Flaw> Store for FlawedStore<F> {
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

struct FlawFixture<F>(std::marker::PhantomData<fn() -> F>);

impl<F: Flaw> Fixture for FlawFixture<F> {
    type Store = FlawedStore<F>;

    async fn fresh(&self) -> Result<FlawedStore<F>, FixtureError> {
        Ok(FlawedStore(MemoryStore::default(), F::default()))
    }

    async fn second_connection(&self, store: &FlawedStore<F>) -> Result<Option<FlawedStore<F>>, FixtureError> {
        let (second, flaw) = store.1.second(&store.0);
        Ok(Some(FlawedStore(second, flaw)))
    }

    async fn reopen(&self, store: FlawedStore<F>) -> Result<Option<FlawedStore<F>>, FixtureError> {
        store.1.reopened();
        Ok(Some(store))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        run_on_threads(tasks)
    }
}

/// Fails unless the suite finds this clause broken by these cases, and no other clause but those that are declared
/// beside.
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
                is_caught(&FlawFixture::<flaws::$flaw>(std::marker::PhantomData), Clause::$clause, by, beside);
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
    it_confuses_a_new_tenant_with_the_old_one_of_its_slug: AddressesTenantsBySlug breaks S1 =>
            a_new_tenant_with_a_reused_slug_starts_empty;
    it_checks_the_slug_before_the_tenant: ChecksTheSlugFirst breaks S1 and S3 =>
            creating_an_existing_tenant_conflicts_whatever_the_slug, a_deleted_tenant_stays_deleted,
            conflict_and_deleted_are_reported_before_slug_taken;
    it_omits_new_tenants_from_lists: OmitsNewTenants breaks S1 and S5, S8, S9 =>
            creating_a_tenant_makes_revision_one;
    it_deletes_an_existing_tenant_on_an_empty_creation: DeletesOnEmptyCreation breaks S1 and S5, S11, S12 =>
            an_empty_creation_does_not_delete_an_existing_tenant;
    it_forgets_that_a_creation_was_prevented: ForgetsPreventedCreations breaks S1 and S7, S12 =>
            an_empty_creation_prevents_the_creation, a_reopened_store_remembers_deleted_tenants,
            either_a_creation_or_its_prevention_wins;
    it_keeps_the_slug_of_a_deleted_tenant: NeverFreesSlugs breaks S1 and S5, S7, S9 =>
            deleting_a_tenant_frees_its_slug;
    it_reports_a_deleted_tenant_as_a_conflict: ReportsDeletedAsConflict breaks S1 and S3, S5, S7, S12, S13 =>
            unknown_slugs_and_tenant_ids_are_absent, the_first_connection_reads_what_a_second_wrote;
    it_loads_each_kind_in_its_own_transaction: LoadsKindByKind breaks S2 and S4 =>
            a_load_during_commits_is_one_consistent_state;
    it_ignores_a_sink_that_stops: IgnoresStop breaks S2 =>
            a_load_stops_when_the_sink_stops;
    it_caches_positions_forever: CachesPositions breaks S2 and S3, S4, S5, S7, S8, S9, S10, S11, S12, S13, S15 =>
            a_load_returns_the_position_of_its_records, every_commit_makes_the_next_revision;
    it_loads_an_unknown_tenant_as_empty: LoadsUnknownTenantsAsEmpty breaks S1 and S2, S4, S5, S7, S11, S12 =>
            unknown_slugs_and_tenant_ids_are_absent, a_rejected_commit_changes_nothing;
    it_ignores_the_commit_id_of_a_base: ComparesRevisionsOnly breaks S3 and S1 =>
            a_base_with_another_commit_id_is_stale;
    it_lets_the_last_writer_win: AcceptsStaleBases breaks S3 and S5, S7, S11, S12 =>
            a_commit_on_a_stale_base_changes_nothing, a_revision_named_by_a_conflict_is_visible;
    it_accepts_a_base_ahead_of_the_latest_revision: AcceptsFutureBases breaks S3 =>
            a_base_ahead_of_the_latest_revision_is_stale;
    it_reports_a_repeated_commit_as_a_success: ReportsRepeatsAsSuccess breaks S3 and S11, S12 =>
            a_repeated_commit_conflicts, a_commit_sent_twice_concurrently_is_applied_once;
    it_keeps_the_writes_of_a_rejected_commit: KeepsWritesOfRejectedCommits breaks S4 and S7, S9, S12 =>
            a_rejected_commit_changes_nothing, a_rejected_commit_makes_no_revision;
    it_splits_a_large_commit_in_two: SplitsLargeCommits breaks S4 and S15 =>
            a_large_commit_is_one_commit_in_the_history, a_commit_is_never_partly_visible;
    it_reads_from_a_lagging_replica: ReadsFromALaggingReplica breaks S5 and S2, S4, S12, S13 =>
            a_commit_is_visible_on_every_connection, a_second_connection_reads_what_the_first_wrote;
    it_repeats_a_revision_after_reopening: RepeatsARevision breaks S7 and S8, S9, S10, S14, S15 =>
            a_reopened_store_continues_at_its_latest_revision, after_reopening_the_history_is_complete_or_too_old;
    it_skips_empty_commits: SkipsEmptyCommits breaks S7 and S1, S2, S3, S5, S6, S8, S9, S10, S11, S12, S13, S14, S15 =>
            every_commit_makes_the_next_revision,
            a_dropped_commit_is_not_applied_after_another_commit;
    it_shares_one_revision_counter_between_tenants: SharesOneRevisionCounter breaks S7 and S1, S8, S9, S10, S12, S13, S14 =>
            each_tenant_counts_its_own_revisions;
    it_ignores_case: IgnoresCase breaks S8 =>
            identifiers_differing_in_case_are_distinct, patterns_are_compared_byte_for_byte;
    it_trims_trailing_spaces: TrimsSpaces breaks S8 =>
            identifiers_differing_in_a_trailing_space_are_distinct;
    it_normalises_unicode: NormalisesUnicode breaks S8 =>
            identifiers_differing_in_unicode_form_are_distinct;
    it_truncates_keys_at_255_bytes: TruncatesAt255Bytes breaks S8 =>
            the_longest_texts_are_kept_whole;
    it_sorts_slugs_by_locale: SortsByLocale breaks S8 =>
            tenant_slugs_are_compared_and_sorted_byte_for_byte;
    it_ignores_a_taken_slug_on_rename: IgnoresTakenSlugsOnRename breaks S9 and S4, S7, S12 =>
            renaming_a_tenant_takes_one_slug_and_frees_the_other, one_of_two_renames_to_the_same_slug_wins;
    it_updates_by_id_in_every_tenant: UpdatesEveryTenant breaks S9 =>
            the_same_identifiers_in_two_tenants_are_separate;
    it_gives_a_taken_slug_to_the_newest_tenant: UpsertsSlugs breaks S9 and S1, S4, S12, S13 =>
            creating_a_tenant_with_a_used_slug_is_rejected, one_of_two_creations_with_the_same_slug_wins;
    it_rejects_a_tenants_own_slug: RejectsItsOwnSlug breaks S9 =>
            a_tenant_keeps_its_slug_when_its_name_changes;
    it_drops_windows: DropsWindows breaks S10 =>
            every_kind_of_record_is_kept_as_written;
    it_drops_the_windows_of_parent_links: DropsWindowsOfParents breaks S10 =>
            every_kind_of_record_is_kept_as_written, both_ends_of_a_window_are_kept;
    it_rounds_instants_to_seconds: RoundsInstants breaks S10 =>
            both_ends_of_a_window_are_kept;
    it_removes_every_assignment_of_a_holder: RemovesAllOfAHolder breaks S10 =>
            a_removal_removes_only_its_record;
    it_updates_only_some_columns: UpdatesSomeColumns breaks S10 =>
            a_change_replaces_the_whole_record;
    it_compares_the_slug_that_a_reference_remembers: ComparesRememberedSlugs breaks S10 =>
            a_removal_matches_a_reference_by_id_whatever_its_slug;
    it_never_frees_a_user_key: NeverFreesKeys breaks S10 and S4 =>
            a_removed_record_can_be_added_again;
    it_applies_half_of_a_dropped_commit: AppliesHalfWhenDropped breaks S11 and S2, S4 =>
            a_dropped_commit_leaves_the_state_before_or_after, a_dropped_creation_creates_the_whole_tenant_or_nothing;
    it_keeps_a_lock_when_a_read_is_dropped: KeepsALockWhenDropped breaks S11 and S2, S4, S5 =>
            a_dropped_read_has_no_effect;
    it_checks_the_base_and_writes_later: ChecksThenWrites breaks S12 =>
            one_of_two_commits_on_the_same_base_wins, one_of_eight_commits_on_the_same_base_wins;
    it_gives_each_connection_its_own_tenants: SharesNothing breaks S13 and S2, S4, S5, S12, S14 =>
            a_second_connection_reads_what_the_first_wrote;
    it_omits_empty_commits_from_the_history: OmitsEmptyCommits breaks S14 and S5, S8 =>
            the_commits_since_a_position_are_complete_and_in_order, reads_never_go_back;
    it_accepts_unknown_positions_in_since: AcceptsUnknownPositions breaks S14 and S1, S12 =>
            a_position_outside_the_history_is_too_old;
    it_loses_the_actor_and_note_of_a_commit: LosesActorsAndNotes breaks S14 and S4, S8 =>
            the_history_keeps_envelopes_as_sent;
    it_reports_the_history_of_a_deleted_tenant_as_too_old: ReportsDeletedAsTooOld breaks S14 and S1, S5 =>
            since_reports_a_deleted_tenant_as_deleted;
    it_includes_the_commit_of_the_base: IncludesTheBaseCommit breaks S14 and S5, S7, S8 =>
            no_commits_follow_the_latest_position;
    it_deletes_a_tenant_only_by_a_separate_commit: DeletesOnlyByASeparateCommit breaks S1 =>
            removing_the_tenant_record_deletes_the_tenant_whatever_else_changes;
    it_deletes_a_tenant_on_any_base: DeletesOnAnyBase breaks S3 and S12 =>
            a_commit_on_a_stale_base_changes_nothing, a_base_with_another_commit_id_is_stale;
    it_keeps_32_bits_of_a_revision: Keeps32BitsOfARevision breaks S3 and S14 =>
            a_base_ahead_of_the_latest_revision_is_stale, a_position_outside_the_history_is_too_old;
    it_caches_that_a_slug_is_free: CachesAbsence breaks S5 =>
            a_commit_is_visible_on_every_connection;
    it_reads_numeric_texts_as_numbers: ReadsTextsAsNumbers breaks S8 =>
            texts_that_look_like_numbers_or_escapes_are_kept;
    it_reads_backslashes_as_escapes: ReadsEscapes breaks S8 =>
            texts_that_look_like_numbers_or_escapes_are_kept;
    it_decodes_html_entities: DecodesEntities breaks S8 =>
            texts_that_look_like_numbers_or_escapes_are_kept;
    it_keeps_half_of_an_id: KeepsHalfOfAnId breaks S8 =>
            ids_differing_in_one_byte_are_distinct;
    it_lists_former_slugs_as_well: ListsOldSlugs breaks S5 and S9 =>
            a_commit_is_visible_on_every_connection, a_reopened_store_has_the_same_slugs;
    it_stores_records_under_the_first_slug: NamesFoldersByFirstSlug breaks S9 =>
            renaming_a_tenant_takes_one_slug_and_frees_the_other;
    it_rebuilds_slugs_from_creations_on_reopening: RebuildsSlugsFromCreations breaks S9 and S7 =>
            a_reopened_store_has_the_same_slugs;
    it_lists_at_most_100_tenants: ListsAtMost100 breaks S9 =>
            a_list_is_as_long_as_its_limit;
    it_includes_the_slug_to_list_after: IncludesTheSlugAfter breaks S9 and S8 =>
            a_list_begins_after_the_given_slug;
    it_casts_the_limit_to_a_signed_number: CastsLimitToSigned breaks S9 =>
            a_list_is_as_long_as_its_limit;
    it_mixes_up_holders: MixesUpHolders breaks S10 =>
            every_kind_of_record_is_kept_as_written;
    it_removes_grants_by_slug: RemovesGrantsBySlug breaks S10 =>
            a_removal_matches_a_reference_by_id_whatever_its_slug;
    it_checks_uniqueness_per_statement: ChecksUniquenessPerStatement breaks S10 =>
            names_can_be_swapped_in_one_commit;
    it_expects_rows_that_a_cascade_removed: ExpectsRowsAfterACascade breaks S10 =>
            entities_and_their_relations_can_be_removed_in_one_commit;
    it_forgets_windows_on_reopening: ForgetsWindowsOnReopening breaks S10 =>
            a_reopened_store_keeps_every_record_as_written;
    it_checks_the_base_and_deletes_later: ChecksThenDeletes breaks S12 =>
            either_a_commit_or_the_deletion_of_its_tenant_wins;
    it_forgets_envelopes_on_reopening: ForgetsEnvelopesOnReopening breaks S14 =>
            after_reopening_the_history_is_complete_or_too_old;
    it_reads_empty_notes_as_none: ReadsEmptyNotesAsNone breaks S14 =>
            the_history_keeps_envelopes_as_sent;
    it_sorts_commits_by_time: SortsCommitsByTime breaks S14 and S5, S12 =>
            the_commits_since_a_position_are_complete_and_in_order;
    it_returns_at_most_100_commits: ReturnsAtMost100Commits breaks S14 and S5, S12 =>
            a_long_history_is_complete;
    it_reads_half_a_commit: ReadsHalfACommit breaks S14 =>
            the_history_is_complete_during_commits;
    it_ignores_an_error_after_65_535_parameters: IgnoresTheParameterLimit breaks S15 =>
            a_commit_of_200_000_changes_is_one_commit_or_too_large,
            a_creation_of_200_000_records_is_one_commit_or_too_large;
    it_does_not_persist_status: DoesNotPersistStatus breaks S10 => a_reopened_store_keeps_every_record_as_written;
    it_writes_no_profile: WritesNoProfile breaks S10 and S8 => a_reopened_store_keeps_every_record_as_written;
    it_trims_persisted_texts: TrimsPersistedTexts breaks S8 => a_reopened_store_keeps_every_byte;
    it_counts_persisted_records_in_16_bits: CountsIn16Bits breaks S15 =>
            a_reopened_store_keeps_a_large_commit_whole;
    it_does_not_persist_envelopes: DoesNotPersistEnvelopes breaks S14 => a_reopened_store_keeps_envelopes_as_sent;
}
