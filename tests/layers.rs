//! Imports point down: the order of the `mod` lines in `lib.rs` is the order of the layers.

#![expect(clippy::string_slice, clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The paths named by `crate::…` in a line of code: at most two modules of each.
fn named(line: &str) -> Vec<Vec<&str>> {
    let code = line.split("//").next().unwrap();
    let is_name = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    let path = |rest: &'_ str| -> usize {
        rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len())
    };
    code.split("crate::")
        .skip(1)
        .map(|rest| rest[..path(rest)].split("::").take_while(is_name).take(2).collect())
        .collect()
}

/// The modules that a file declares, highest first.
fn declared(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let modules = text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    modules.map(str::to_owned).collect()
}

/// Imports point down: in `lib.rs`, and inside `model` and `resolver`, a module is above those that are declared after it.
#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers: HashMap<String, Vec<String>> = ["lib", "model", "resolver"]
        .map(|name| (name.to_owned(), declared(&root.join(name).with_extension("rs"))))
        .into();
    assert!(layers.values().map(Vec::len).sum::<usize>() > 20, "the order is read from the source");
    let rank = |layer: &str, module: &str| layers.get(layer)?.iter().position(|name| name == module);
    let (mut files, mut imports) = (Vec::new(), 0);
    sources(&root, &mut files);
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap().trim_end_matches(".rs");
        let own: Vec<&str> = inside.split(['/', '\\']).collect();
        // A test may look up: it is no part of the layer.
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (n, line) in code.lines().enumerate() {
            for path in named(line) {
                let (layer, from, to) = match (&own[..], &path[..]) {
                    ([first, second, ..], [to, below, ..]) if first == to => (*first, *second, *below),
                    ([first, ..], [to, ..]) => ("lib", *first, *to),
                    _ => continue,
                };
                let (Some(from_rank), Some(to_rank)) = (rank(layer, from), rank(layer, to)) else { continue };
                imports += 1;
                assert!(to_rank >= from_rank, "{inside}:{}: {from} looks up to {to}", n + 1);
            }
        }
    }
    assert!(imports > 100, "imports are found: {imports}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files {
        assert!(fs::read_to_string(&file).unwrap().starts_with("//!"), "{}", file.display());
    }
}

#[test]
fn a16_no_switch_turns_checking_off() {
    // Features only add, and none of them is about deciding.
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<&str> = features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    assert_eq!(names, ["default", "conformance", "json", "redb"]);
}

/// A table that names a test which is not there promises what nobody tries.
#[test]
fn every_test_that_the_table_of_failures_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("src/docs/security.md")).unwrap();
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let code: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for line in table.lines().filter(|line| line.starts_with("| A")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let (number, shown_by) = (cells[0].trim_start_matches("| "), cells[3]);
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{number} is shown by nothing");
        for test in named {
            // A function, or a row of a macro that makes one.
            let forms = [format!("fn {test}("), format!("    {test}: ")];
            let is_there = |text: &String| forms.iter().any(|form| text.contains(form));
            assert!(code.iter().any(is_there), "{number} names `{test}`, which is not there");
        }
        rows.push(number.to_owned());
    }
    let expected: Vec<String> = (1..=22).map(|n| format!("A{n}")).collect();
    assert_eq!(rows, expected);
}
