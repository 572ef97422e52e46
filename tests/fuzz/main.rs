//! Runs the bodies of the fuzz targets on stable Rust, on the corpus and on seeded mutations of it.
//!
//! `fuzz/` runs the same bodies under libFuzzer, which searches for new paths. Its README explains how.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod mutate;
mod targets;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use self::mutate::Random;
#[cfg(feature = "json")]
use self::targets::document;
use self::targets::{pattern, transactions};

struct Target {
    name: &'static str,
    run: fn(&[u8]),
    /// The texts that mutations insert.
    words: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target { name: "pattern", run: pattern::run, words: &["*", "**", "a", "ab", ":", "/", "\n", "é", "*a*b"] },
    Target { name: "transactions", run: transactions::run, words: &["\0", "\u{1}", "\u{1c}\u{2}", "\u{8}\u{4}"] },
    #[cfg(feature = "json")]
    Target { name: "document", run: document::run, words: WORDS },
];

#[cfg(feature = "json")]
const WORDS: &[&str] = &[
    "\"slug\":\"a:x\",",
    "\"id\":\"00000000-0000-0000-0000-000000000001\",",
    "\"name\":\"\",",
    "\"description\":\"\\u0000\",",
    "\"category\":\"c\",",
    "\"permissions\":[\"*\"],",
    "\"includes\":[\"sys-all\"],",
    "\"parents\":[\"staff\"],",
    "{\"group\":\"staff\",\"until\":\"2027-01-01T00:00:00Z\"}",
    "\"roles\":[\"viewer\"],",
    "\"members\":[\"alice\"],",
    "\"status\":\"suspended\",",
    "\"external_id\":\"1\",",
    "\"managed_by\":\"okta\",",
    "\"from\":\"2027-01-01T00:00:00Z\",",
    "\"until\":\"2027-01-01T00:00:00.1234567+14:00\",",
    "\"removed_from_catalog\":[{\"kind\":\"role\",\"slug\":\"old\",\"id\":\"00000000-0000-0000-0000-000000000002\"}],",
    "\"sys-viewer\"",
    "\"staff\"",
    "null",
    "{}",
    "[",
    "]",
    ",",
    "\\ud800",
];

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let files = fs::read_dir(folder).expect("the corpus exists").map(|file| file.expect("the file is readable").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!((6..=40).contains(&files.len()), "a small corpus of {}: {}", target.name, files.len());
    files.iter().map(|file| fs::read(file).expect("the file is readable")).collect()
}

/// Runs a target. Prints the bytes if it fails.
fn run(target: &Target, bytes: &[u8]) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        println!("{} on b\"{}\"", target.name, bytes.escape_ascii());
        panic::resume_unwind(panic);
    }
}

fn mutations(seed: u64, of_each: usize) {
    for target in TARGETS {
        let (corpus, mut random) = (corpus(target), Random(seed));
        for _ in 0..of_each {
            run(target, &random.mutant(&corpus, target.words));
        }
    }
}

#[test]
fn the_corpus_passes() {
    for target in TARGETS {
        for bytes in corpus(target) {
            run(target, &bytes);
        }
    }
}

#[test]
fn a_few_mutations_of_the_corpus() {
    mutations(1, 30);
}

#[test]
#[ignore = "long"]
fn many_mutations_of_the_corpus() {
    mutations(2, 4_000);
}
