//! Files that were cut short or altered: an error, or exactly the right answer, and never a hang or an abort.
//!
//! A12: a damaged file made an earlier redb follow pages in a circle until the stack was full.

use std::fs;
use std::path::Path;

use rolecall::records::{Change, Position, Record};
use rolecall::store::{Base, RedbError, RedbStore, Since, Store, StoreError};

use super::common::{Numbers, commit, created, found, loaded, membership, one_of_each, open, since, tenant_id, user};

/// What is right: each tenant with its slug, its records, and its commits since the creation.
type Truth = Vec<(String, Position, (Vec<Record>, Position), Since)>;

/// A file with several tenants that were changed, and one that ended.
fn filled(path: &Path) -> Truth {
    let store = open(path);
    let creations: Vec<Position> = (1..=5_u128)
        .map(|n| {
            let users = (0..40 * n).map(|u| user(100 + u, &format!("user{u}@{n}")));
            let members = (0..60 * n).map(|m| membership(100 + m / 2, 1 + m % 2, None));
            let others = one_of_each().into_iter().skip(1);
            created(&store, n, &format!("tenant-{n}"), &others.chain(users).chain(members).collect::<Vec<_>>())
        })
        .collect();
    for (n, creation) in (1..).zip(&creations) {
        let mut base = *creation;
        for id in 1000..1004 {
            let added: Vec<_> = (0..10).map(|u| Change::added(user(id * 100 + u, "new"))).collect();
            let revision = commit(&store, Base::At(base), n * 10_000 + id, &added).unwrap();
            base = super::common::at(base.tenant_id, revision.number(), n * 10_000 + id);
        }
    }
    commit(&store, Base::Create(tenant_id(99)), 99, &[]).unwrap();
    let truth = |(n, creation): (u32, &Position)| {
        let (slug, load) = (format!("tenant-{n}"), loaded(&store, creation.tenant_id).unwrap().unwrap());
        (slug, *creation, load, since(&store, *creation).unwrap())
    };
    (1..).zip(&creations).map(truth).collect()
}

/// Whether a damaged file reports its damage. Fails on a wrong answer.
fn reports_damage(path: &Path, truth: &Truth, what: &str) -> bool {
    let store = match RedbStore::open(path) {
        Ok(store) => store,
        Err(RedbError::Damaged(_) | RedbError::Foreign(_)) => return true,
        Err(other) => panic!("{what}: {other:?}"),
    };
    answers(&store, truth, what)
}

/// Whether an answer reports damage. Fails on a wrong answer.
fn answers(store: &RedbStore, truth: &Truth, what: &str) -> bool {
    let mut reported = false;
    let mut check = |right: Result<bool, StoreError>| match right {
        Ok(right) => assert!(right, "{what}: a wrong answer"),
        Err(StoreError::Corrupt(_)) => reported = true,
        Err(other) => panic!("{what}: {other:?}"),
    };
    for (slug, creation, load, commits) in truth {
        check(found(store, slug).map(|tenant_id| tenant_id == Some(creation.tenant_id)));
        check(loaded(store, creation.tenant_id).map(|found| found.as_ref() == Some(load)));
        check(since(store, *creation).map(|found| found == *commits));
    }
    check(pollster::block_on(store.list(None, 9)).map(|listed| listed.len() == truth.len()));
    check(loaded(store, tenant_id(99)).map(|found| found.is_none()));
    reported
}

#[test]
fn a_file_that_was_cut_short_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole");
    let truth = filled(&path);
    let whole = fs::read(&path).unwrap();
    assert!(!reports_damage(&path, &truth, "the whole file"));
    let cut = folder.path().join("cut");
    let mut numbers = Numbers(11);
    let random = (0..16).map(|_| numbers.below::<usize>(whole.len() as u64));
    let edges = [0, 1, 8, 9, 63, 64, 320, 4095, 4096, 4097, 8192, whole.len() - 1, whole.len() - 4096, whole.len() / 2];
    for length in edges.into_iter().chain(random) {
        fs::write(&cut, &whole[..length]).unwrap();
        assert!(
            reports_damage(&cut, &truth, &format!("cut to {length} of {}", whole.len())),
            "cut to {length}: not noticed"
        );
    }
}

fn flips(count: usize, seed: u64, only_pages: bool) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole");
    let truth = filled(&path);
    let whole = fs::read(&path).unwrap();
    let altered = folder.path().join("altered");
    let mut numbers = Numbers(seed);
    let mut noticed = 0;
    for flip in 0..count {
        // A third of them where a flip hits hardest: the header. The others in all that is not empty space.
        let within = if flip % 3 == 0 && !only_pages { 512 } else { whole.len() as u64 };
        let place = loop {
            let place = numbers.below::<usize>(within);
            let page = &whole[place / 4096 * 4096..][..4096];
            if page.iter().any(|byte| *byte != 0) {
                break place;
            }
        };
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << numbers.below::<u32>(8);
        fs::write(&altered, &bytes).unwrap();
        noticed += usize::from(reports_damage(&altered, &truth, &format!("flip {flip} at {place} of {}", whole.len())));
    }
    (noticed, count)
}

/// A disk that lies later: the file was whole when it was opened, and redb looks at no checksum after that.
fn flips_under_an_open_file(count: usize, seed: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole");
    let truth = filled(&path);
    let whole = fs::read(&path).unwrap();
    let altered = folder.path().join("altered");
    let mut numbers = Numbers(seed);
    let mut noticed = 0;
    for flip in 0..count {
        fs::write(&altered, &whole).unwrap();
        let store = open(&altered);
        let mut bytes = fs::read(&altered).unwrap();
        for _ in 0..20 {
            let place = numbers.below::<usize>(bytes.len() as u64);
            bytes[place] ^= 1 << numbers.below::<u32>(8);
        }
        // In place, past what redb has in memory.
        let mut file = fs::OpenOptions::new().write(true).open(&altered).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        if flip % 4 == 0 {
            // Writing to it must not end the process.
            for (_, _, (_, latest), _) in &truth {
                drop(commit(&store, Base::At(*latest), 7, &[Change::removed(membership(100, 1, None))]));
            }
            continue;
        }
        noticed += usize::from(answers(&store, &truth, &format!("flip {flip} under an open file")));
    }
    noticed
}

#[test]
fn a_file_that_is_altered_while_it_is_open_gives_an_error_or_the_right_answer() {
    let noticed = flips_under_an_open_file(20, 3);
    assert!(noticed > 7, "only {noticed} of 15 were noticed: all was in memory");
}

#[test]
fn a_file_with_a_flipped_bit_gives_an_error_or_the_right_answer() {
    let (noticed, count) = flips(60, 1, false);
    assert!(noticed * 3 > count, "only {noticed} of {count} flips were noticed: they hit nothing");
}

#[test]
#[ignore = "long"]
fn a_file_with_one_of_many_flipped_bits_gives_an_error_or_the_right_answer() {
    for seed in 2..6 {
        let (noticed, count) = flips(400, seed, seed % 2 == 0);
        println!("seed {seed}: {noticed} of {count} flips were noticed, the others changed no answer");
        let noticed_open = flips_under_an_open_file(60, seed);
        assert!(noticed_open > 22, "only {noticed_open} of 45 were noticed: all was in memory");
        assert!(noticed * 3 > count, "only {noticed} of {count} flips were noticed: they hit nothing");
    }
}
