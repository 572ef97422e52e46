//! Imports point down: the order of the `mod` lines in `lib.rs` is the order of the layers.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

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

/// The modules named by `crate::…` in a line of code, the nested ones of a braced list included.
fn named(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap();
    code.split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .collect()
}

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(root.join("lib.rs")).unwrap();
    let is_module = |line: &&str| line.starts_with("mod ") || line.starts_with("pub mod ");
    let modules: Vec<&str> =
        lib.lines().filter(is_module).map(|line| line.split("mod ").nth(1).unwrap().trim_end_matches(';')).collect();
    let rank: HashMap<&str, usize> = modules.iter().enumerate().map(|(n, module)| (*module, n)).collect();
    assert!(rank.len() > 12, "the order is read from lib.rs");
    let (mut files, mut imports) = (Vec::new(), 0);
    sources(&root, &mut files);
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap();
        let own = inside.split(['/', '\\']).next().unwrap().trim_end_matches(".rs");
        let Some(from) = rank.get(own) else { continue };
        // A test may look up: it is no part of the layer.
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (n, line) in code.lines().enumerate() {
            for to in named(line).into_iter().filter_map(|module| rank.get(module)) {
                imports += 1;
                assert!(to >= from, "{inside}:{}: {} looks up to {}", n + 1, own, modules[*to]);
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
