//! Imports point down: the order of the `mod` lines in `lib.rs`, and in the file of each folder, is the order of the
//! layers.

#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test says so by failing")]

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

/// The modules of the crate, by path: the source without comments and unit tests.
struct Modules {
    code: HashMap<Vec<String>, String>,
    /// The modules that each declares, highest first.
    declared: HashMap<Vec<String>, Vec<String>>,
    /// The re-exports of a module, with their origins.
    handed_on: HashMap<Vec<String>, Vec<String>>,
}

impl Modules {
    fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        sources(root, &mut files);
        let mut all = Self { code: HashMap::new(), declared: HashMap::new(), handed_on: HashMap::new() };
        let mut tests = Vec::new();
        for file in files {
            let inside = file.strip_prefix(root).unwrap().with_extension("");
            let module: Vec<String> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            let module = if module == ["lib"] { Vec::new() } else { module };
            let text = fs::read_to_string(&file).unwrap();
            // Tests may import from any layer.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
            let mut names = Vec::new();
            let mut is_test = false;
            for line in code.lines() {
                let rest = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
                if let Some(name) = rest.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                    names.push(name.to_owned());
                    if is_test {
                        tests.push([&module[..], &[name.to_owned()]].concat());
                    }
                }
                is_test = line == "#[cfg(test)]" || is_test && line.starts_with("#[");
            }
            all.declared.insert(module.clone(), names);
            all.code.insert(module, code);
        }
        all.code.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        for (module, code) in &all.code {
            for line in statements(code, "use ") {
                for path in paths(line.strip_prefix("self::").unwrap_or(line)) {
                    if path.len() > 1 && all.declared[module].contains(&path[0]) {
                        let name = [&module[..], &path[path.len() - 1..]].concat();
                        all.handed_on.insert(name, [&module[..], &path].concat());
                    }
                }
            }
        }
        all
    }

    /// The paths that a module names by `crate::`, `super::` and `self::`, from the root of the crate.
    fn named(&self, module: &[String]) -> Vec<Vec<String>> {
        let code = &self.code[module];
        let mut named = Vec::new();
        let starts = ["crate::", "super::", "self::"].into_iter().flat_map(|start| code.match_indices(start));
        for (at, start) in starts {
            let before = &code[..at];
            let is_inside_a_path = before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            let indented_use = before.rsplit('\n').next().unwrap().trim_start_matches("pub(crate) ") == "    use ";
            if is_inside_a_path || (indented_use && start == "self::") {
                continue;
            }
            let base = match start {
                "crate::" => Vec::new(),
                // For a module inside this file, `super` is this file.
                "super::" if indented_use => module.to_vec(),
                "super::" => module[..module.len().saturating_sub(1)].to_vec(),
                _ => module.to_vec(),
            };
            for path in paths(&code[at + start.len()..]) {
                let up = path.iter().take_while(|part| *part == "super").count();
                let kept = base.len() - up;
                named.push(self.resolved([&base[..kept], &path[up..]].concat()));
            }
        }
        named
    }

    /// The origin of a re-exported name.
    fn resolved(&self, mut path: Vec<String>) -> Vec<String> {
        let step = |path: &[String]| {
            let handed_on =
                |n: &usize| !self.declared.contains_key(&path[..*n]) && self.handed_on.contains_key(&path[..*n]);
            (1..=path.len()).find(handed_on).map(|n| [&self.handed_on[&path[..n]][..], &path[n..]].concat())
        };
        while let Some(next) = step(&path) {
            path = next;
        }
        path
    }
}

/// The text after a keyword at the start of a line, with any visibility.
fn statements<'a>(code: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(keyword).filter_map(move |(at, _)| {
        let before = code[..at].rsplit('\n').next().unwrap();
        ["", "pub ", "pub(crate) ", "pub(super) "].contains(&before).then(|| &code[at + keyword.len()..])
    })
}

/// The paths at the start of a text: of `a::{b, c::d} …`, `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Vec<String>> {
    fn tree(text: &str, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
        if let Some(group) = text.strip_prefix('{') {
            let mut at = 1;
            loop {
                at += text[at..].find(|c: char| !c.is_whitespace() && c != ',').unwrap();
                if group[at - 1..].starts_with('}') {
                    return at + 1;
                }
                at += tree(&text[at..], prefix, found).max(1);
            }
        }
        let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let path =
            if &text[..length] == "self" { prefix.to_vec() } else { [prefix, &[text[..length].to_owned()]].concat() };
        if text[length..].starts_with("::*") {
            found.push(path);
            return length + 3;
        }
        if text[length..].starts_with("::") {
            return length + 2 + tree(&text[length + 2..], &path, found);
        }
        if length == 0 {
            return 0;
        }
        found.push(path);
        let alias = text[length..].strip_prefix(" as ");
        alias.map_or(length, |alias| length + 4 + alias.find([',', '}', ';']).unwrap_or(alias.len()))
    }
    let mut found = Vec::new();
    tree(text, &[], &mut found);
    found
}

/// Imports point down in every folder: a module may import only modules declared after it. All files of a folder may use
/// the items that the file of the folder defines.
#[test]
fn imports_point_down() {
    let modules = Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let (mut imports, mut wrong) = (HashMap::new(), Vec::new());
    for module in modules.code.keys() {
        for path in modules.named(module) {
            let shared = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let folder = &modules.declared[&module[..shared]];
            let rank = |path: &[String]| folder.iter().position(|name| Some(name) == path.get(shared));
            let (Some(from), Some(to)) = (rank(module), rank(&path)) else { continue };
            *imports.entry(module[..shared].join("::")).or_insert(0) += 1;
            if to < from {
                wrong.push(format!("{} looks up to {}", module.join("::"), path.join("::")));
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let found = |folder: &str| imports.get(folder).copied().unwrap_or(0);
    let few = ["", "model", "resolver", "resolver::snapshot", "authorizer", "plan", "document", "store::redb"];
    assert!(few.iter().all(|folder| found(folder) > 10), "imports are found: {imports:?}");
}

/// Every form of import is found.
#[test]
fn imports_of_every_form_are_found() {
    let all = |text: &str| paths(text).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(all("a::b;"), ["a::b"]);
    assert_eq!(all("{\n    a::{b, c as d},\n    e,\n};"), ["a::b", "a::c", "e"]);
    assert_eq!(all("a::{self, b::*};"), ["a", "a::b"]);
    let modules = Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(modules.resolved(path("Tenant")), path("authorizer::tenant::Tenant"));
    assert_eq!(modules.resolved(path("plan::Tx")), path("plan::tx::Tx"));
    assert!(modules.named(&path("authorizer::builder")).contains(&path("authorizer::registry::Registry")));
    assert!(modules.named(&path("plan::tx")).contains(&path("plan::draft::Draft")));
}

#[test]
fn every_file_starts_with_its_purpose() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files {
        assert!(fs::read_to_string(&file).unwrap().starts_with("//!"), "{}", file.display());
    }
}

/// It is for someone with five minutes. Figures, recipes and rules have pages of their own.
#[test]
fn the_readme_has_at_most_150_lines() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 150, "{lines} lines");
    // Rows of tables cannot be broken.
    let long = readme.lines().find(|line| !line.starts_with('|') && line.chars().count() > 125);
    assert_eq!(long, None, "a line to break");
}

#[test]
fn a16_no_switch_turns_checking_off() {
    // Features are additive, and none of them changes a decision.
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<&str> = features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    assert_eq!(names, ["default", "confusables", "conformance", "json", "redb", "tokio", "tracing"]);
}

/// Every test that the table of attacks names exists.
#[test]
fn every_test_named_on_the_security_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("src/docs/security.md")).unwrap();
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    // The portal and the PostgreSQL store have tests of what concerns a service and a server.
    for folder in ["src", "tests", "examples/portal/tests", "crates/rolecall-postgres/tests"] {
        sources(&root.join(folder), &mut files);
    }
    let code: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for line in table.lines().filter(|line| line.starts_with("| A")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let (number, shown_by) = (cells[0].trim_start_matches("| "), cells[3]);
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{number} names no test");
        for test in named {
            // A function, or a row of a macro that generates one.
            let forms = [format!("fn {test}("), format!("    {test}: ")];
            let is_there = |text: &String| forms.iter().any(|form| text.contains(form));
            assert!(code.iter().any(is_there), "{number} names `{test}`, which does not exist");
        }
        rows.push(number.to_owned());
    }
    let expected: Vec<String> = (1..=32).map(|n| format!("A{n}")).collect();
    assert_eq!(rows, expected);
}
