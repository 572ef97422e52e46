//! Columns against rows.

use super::*;
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::source::Ever;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::HashMap;

fn cached_row(numbers: &[u32], incomplete: bool) -> CachedRow {
    let bits: Bits = numbers.iter().copied().collect();
    let always = BitRow::from_bits(&bits);
    let always = Given::These(always);
    CachedRow { ever: if incomplete { Ever::Unknown } else { Ever::Same }, always, extra: 0 }
}

fn row(cached: &CachedRow) -> &BitRow {
    cached.always.row(&BitRow::EMPTY)
}

/// Gives the sources their columns, group before role for each number.
fn with_sources(numbers: std::ops::Range<u32>) -> Columns {
    let mut columns = Columns::default();
    for source in numbers.flat_map(|n| [Source::Group(n), Source::Role(n)]) {
        columns.assign(source);
    }
    columns
}

#[test]
fn a_column_equals_its_row_and_older_clones_do_not_change() {
    let mut columns = with_sources(0..80);
    let (group, role) = (Source::Group(70), Source::Role(3));
    let both = [group, role].map(|source| u16::try_from(columns.column(source).unwrap()).unwrap());
    let first = cached_row(&[5, 700], false);
    columns.replace(group, None, &first, &BitRow::EMPTY);
    let older = columns.clone();
    columns.replace(role, None, &cached_row(&[5, 64], true), &BitRow::EMPTY);
    columns.replace(group, Some(&first), &cached_row(&[5, 6], false), &BitRow::EMPTY);
    let held = |columns: &Columns| (0..1_000).filter(|p| columns.any_of(&both, *p)).collect::<Vec<_>>();
    assert_eq!((held(&older), held(&columns)), (vec![5, 700], vec![5, 6, 64]));
    assert_eq!((older.are_complete(), columns.are_complete()), (true, false));
    assert_eq!(
        (older.any_incomplete(&both), columns.any_incomplete(&both), columns.any_incomplete(&[both[0], 0])),
        (false, true, false)
    );
    columns.replace(role, Some(&cached_row(&[5, 64], true)), &cached_row(&[], false), &BitRow::EMPTY);
    assert!(columns.are_complete() && !columns.any_incomplete(&both));
    assert!(!columns.any_of(&[0; 7], 64) && !columns.any_of(&both, u32::MAX));
}

#[test]
fn a_small_tenant_has_short_columns_and_keeps_their_contents_when_it_grows() {
    let mut columns = with_sources(0..9_001);
    columns.replace(Source::Group(0), None, &cached_row(&[5, 64, 128], false), &BitRow::EMPTY);
    let widths = |columns: &Columns| match &columns.pages {
        Pages::Few(pages) => pages.iter().map(|page| page.len()).collect::<Vec<_>>(),
        Pages::Many(pages) => pages.iter().map(|page| page.len() / PARTS * WIDTH).collect(),
    };
    assert_eq!(widths(&columns), [8, 8, 8]);
    let mut written = vec![(0, 5)];
    for (group, wide) in [(4, 128), (63, 128), (64, 256), (2_000, 4_096), (9_000, 18_048)] {
        let older = columns.clone();
        columns.replace(Source::Group(group), None, &cached_row(&[7], false), &BitRow::EMPTY);
        assert_eq!(widths(&columns), [wide; 3 * BLOCKS], "group {group}");
        let has = |columns: &Columns, (group, permission)| {
            columns.has(columns.column(Source::Group(group)).unwrap(), permission)
        };
        assert!(!has(&older, (group, 7)) && written.iter().all(|each| has(&columns, *each)));
        written.push((group, 7));
    }
    let Pages::Many(pages) = &columns.pages else { panic!("many columns are in tiles") };
    assert!(Arc::ptr_eq(&pages[1][9], &pages[2][9]), "empty tiles are shared");
}

#[test]
fn a_new_permission_is_in_the_columns_of_sources_that_give_everything() {
    for few in [true, false] {
        let mut columns = with_sources(0..if few { 3 } else { 2_000 });
        let all = CachedRow { always: Given::All, ever: Ever::Same, extra: 0 };
        let mut grantable = cached_row(&[3, 70], false);
        let [one, other, neither] = [Source::Group(1), Source::Role(if few { 2 } else { 1_999 }), Source::Group(0)];
        // The columns of one tile have two words, and each has a source that gives everything.
        let beside = if few { vec![] } else { vec![Source::Group(40)] };
        for source in [one, other].into_iter().chain(beside) {
            columns.replace(source, None, &all, row(&grantable));
        }
        columns.replace(neither, None, &cached_row(&[3], false), row(&grantable));
        assert_eq!(columns.ranges() > 0, !few);
        let older = columns.clone();
        columns.flip_for_all(&[70, 200]);
        grantable = cached_row(&[3, 200], false);
        let has = |columns: &Columns, source| {
            let column = columns.column(source).unwrap();
            (0..300).filter(|p| columns.has(column, *p)).collect::<Vec<_>>()
        };
        assert_eq!([one, other, neither].map(|s| has(&older, s)), [vec![3, 70], vec![3, 70], vec![3]]);
        assert_eq!([one, other, neither].map(|s| has(&columns, s)), [vec![3, 200], vec![3, 200], vec![3]]);
        columns.replace(one, Some(&all), &cached_row(&[200], false), row(&grantable));
        columns.flip_for_all(&[200]);
        assert_eq!([one, other].map(|s| has(&columns, s)), [vec![200], vec![3]]);
    }
}

/// The first permission comes when a source that gives everything already has a high column.
#[test]
fn the_first_permission_reaches_the_last_source_that_gives_everything() {
    let mut columns = with_sources(0..2_000);
    let all = CachedRow { always: Given::All, ever: Ever::Same, extra: 0 };
    let [first, last] = [Source::Group(0), Source::Role(1_999)];
    for source in [first, last] {
        columns.replace(source, None, &all, &BitRow::EMPTY);
    }
    columns.flip_for_all(&[5]);
    assert!([first, last].iter().all(|source| columns.has(columns.column(*source).unwrap(), 5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
    #[test]
    fn columns_equal_the_rows_that_were_written(
        steps in vec((any::<bool>(), 0..400u32, btree_set(0..200u32, 0..4), any::<bool>()), 1..60),
    ) {
        let mut columns = with_sources(0..400);
        let mut rows: HashMap<Source, CachedRow> = HashMap::new();
        for (is_group, number, numbers, incomplete) in steps {
            let source = if is_group { Source::Group(number) } else { Source::Role(number) };
            let after = cached_row(&numbers.into_iter().collect::<Vec<_>>(), incomplete);
            columns.replace(source, rows.get(&source), &after, &BitRow::EMPTY);
            rows.insert(source, after);
            prop_assert_eq!(columns.are_complete(), rows.values().all(|cached| !cached.is_incomplete()));
        }
        for (source, cached) in &rows {
            let column = columns.column(*source).unwrap();
            prop_assert_eq!(columns.is_incomplete(column), cached.is_incomplete());
            prop_assert!((0..256).all(|p| columns.has(column, p) == row(cached).contains(p)));
            let is_listed = |p| columns.sources_with(p).filter(|other| other == source).count() == 1;
            prop_assert!((0..256).all(|p| is_listed(p) == row(cached).contains(p)));
            prop_assert!((0..256).all(|p| columns.count_with(p) == columns.sources_with(p).count()));
            let short = [0, u16::try_from(column).unwrap()];
            prop_assert!((0..256).all(|p| columns.any_of(&short, p) == row(cached).contains(p)));
        }
        for ((one, ours), (other, theirs)) in rows.iter().zip(rows.iter().skip(1)) {
            let both = [*one, *other].map(|source| u16::try_from(columns.column(source).unwrap()).unwrap());
            let joined = |p| row(ours).contains(p) || row(theirs).contains(p);
            // Columns without a row, in front of the two and between them. Only padding is behind them.
            let row = [&[u16::MAX; 7][..], &both[..1], &[u16::MAX; 13], &both[1..], &[0; 8]].concat();
            prop_assert!((0..256).all(|p| columns.any_of(&row, p) == joined(p)), "{one:?} and {other:?}");
        }
        prop_assert!((0..256).all(|p| !columns.any_of(&[0, u16::MAX], p)), "columns of no source");
    }
}

/// Which of the first columns of a list have a permission. A short list is padded.
fn given<const N: usize>(columns: &Columns, list: &[u16], permission: u32) -> u64 {
    let mut first = [0; N];
    first.iter_mut().zip(list).for_each(|(place, column)| *place = *column);
    columns.given(&first, permission)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
    #[test]
    fn a_list_of_columns_is_answered_as_each_of_them(
        sources in prop::sample::select(&[3_u32, 40, 400][..]),
        rows in vec((0..400u32, btree_set(0..200u32, 0..40), any::<bool>()), 1..60),
        asked in vec(0..400u32, 1..55),
        padding in 0..9usize,
    ) {
        let mut columns = with_sources(0..sources);
        let mut before: HashMap<Source, CachedRow> = HashMap::new();
        for (number, numbers, incomplete) in rows {
            let source = Source::Group(number % sources);
            let after = cached_row(&numbers.into_iter().collect::<Vec<_>>(), incomplete);
            columns.replace(source, before.get(&source), &after, &BitRow::EMPTY);
            before.insert(source, after);
        }
        for (source, cached) in &before {
            let column = columns.column(*source).unwrap();
            prop_assert!((0..256).all(|p| columns.has(column, p) == row(cached).contains(p)));
        }
        let column = |number: &u32| u16::try_from(columns.column(Source::Group(number % sources)).unwrap()).unwrap();
        let asked: Vec<u16> = asked.iter().map(column).collect();
        let padded = [&asked[..], &vec![0; padding]].concat();
        for permission in 0..256 {
            let has = |column: &u16| columns.has(u32::from(*column), permission);
            let expected = (0..).zip(&asked).fold(0, |all, (at, column)| all | u64::from(has(column)) << at);
            prop_assert_eq!(given::<4>(&columns, &padded, permission), expected & 0xF);
            prop_assert_eq!(given::<5>(&columns, &padded, permission), expected & 0x1F);
            prop_assert_eq!(given::<CHUNK>(&columns, &padded, permission), expected & 0xFF);
            prop_assert_eq!(columns.any_of(&padded, permission), expected != 0);
            prop_assert_eq!(columns.count_with(permission), columns.sources_with(permission).count());
        }
        let is_incomplete = |column: &u16| columns.is_incomplete(u32::from(*column));
        prop_assert_eq!(columns.any_incomplete(&padded), asked.iter().any(is_incomplete));
    }
}
