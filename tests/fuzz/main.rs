//! Runs the bodies of the fuzz targets on stable Rust, on the corpus and on seeded mutations of it.
//!
//! `fuzz/` runs the same bodies under libFuzzer, which searches for new paths. Its README explains how.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod mutate;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use self::mutate::Random;
#[cfg(feature = "json")]
use self::targets::document;
use self::targets::{pattern, transactions};

struct Target {
    name: &'static str,
    /// Returns why something was refused.
    run: fn(&[u8]) -> BTreeSet<String>,
    /// Every reason for which the corpus must be refused somewhere.
    reasons: &'static [&'static str],
    /// The texts that mutations insert.
    words: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target {
        name: "pattern",
        run: |bytes| {
            pattern::run(bytes);
            BTreeSet::new()
        },
        reasons: &[],
        words: &["*", "**", "a", "ab", ":", "/", "\n", "é", "*a*b"],
    },
    Target { name: "transactions", run: transactions::run, reasons: REASONS, words: CALLS },
    #[cfg(feature = "json")]
    Target {
        name: "document",
        run: |bytes| {
            document::run(bytes);
            BTreeSet::new()
        },
        reasons: &[],
        words: WORDS,
    },
];

/// Why plans are refused, and what a guard refuses: everything that its oracle must foresee.
const REASONS: &[&str] = &[
    "separation_of_duties",
    "assertion_failed",
    "escalation",
    "permission",
    "pattern",
    "looser_separation",
    "looser_assertion",
];

/// Bytes, and whole calls about separations and assertions, which need one another.
const CALLS: &[&str] = &[
    "\0",
    "\u{1}",
    "\u{1c}\u{2}",
    "\u{8}\u{4}",
    "3\0\u{6}\u{4}",
    "4\0\u{8}\u{4}",
    "5\0\u{1}\u{4}",
    "6\0\0\u{4}",
    "7\0\0\u{4}",
    "7\u{2}\0\u{4}",
    "8\0\u{1}\u{4}",
    "9\0\0\u{4}",
    ";\0\0\u{4}",
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
fn run(target: &Target, bytes: &[u8]) -> BTreeSet<String> {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).unwrap_or_else(|panic| {
        println!("{} on b\"{}\"", target.name, bytes.escape_ascii());
        panic::resume_unwind(panic)
    })
}

fn mutations(seed: u64, of_each: usize) {
    for target in TARGETS {
        let (corpus, mut random) = (corpus(target), Random(seed));
        for _ in 0..of_each {
            drop(run(target, &random.mutant(&corpus, target.words)));
        }
    }
}

#[test]
fn the_corpus_passes_and_is_refused_for_every_reason() {
    for target in TARGETS {
        let found: BTreeSet<String> = corpus(target).iter().flat_map(|bytes| run(target, bytes)).collect();
        for reason in target.reasons {
            assert!(found.contains(*reason), "nothing is refused because of {reason}: {found:?}");
        }
    }
}

#[test]
fn a_few_mutations_of_the_corpus() {
    mutations(1, if cfg!(debug_assertions) { 8 } else { 30 });
}

#[test]
#[ignore = "long"]
fn many_mutations_of_the_corpus() {
    mutations(2, 4_000);
}
