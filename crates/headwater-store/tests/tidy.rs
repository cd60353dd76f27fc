//! The mechanical half of STYLE.md, so that nobody has to say it in review.

use std::fs;
use std::path::{Path, PathBuf};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;
const LINE_CHARACTERS_MAX: usize = 100;
const BANNED_MODULES: [&str; 8] =
    ["utils", "util", "helpers", "common", "misc", "manager", "impl", "base"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file of ours, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 20, "the sources are somewhere else");
    found
}

#[test]
fn files_and_lines_are_short() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
        for (at, line) in text.lines().enumerate() {
            let length = line.chars().count();
            let place = format!("{}:{}", path.display(), at + 1);
            assert!(length <= LINE_CHARACTERS_MAX, "{place} has {length} characters");
            assert!(!line.ends_with([' ', '\t']), "{place} ends with a blank");
        }
    }
}

#[test]
fn functions_are_short() {
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            let words = ["pub(crate) ", "pub ", "const ", "async "];
            let name = words.iter().fold(code, |code, word| code.trim_start_matches(word));
            let is_function = name.starts_with("fn ");
            if !is_function || code.ends_with(';') {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|line| *line == end).unwrap_or(0);
            let place = format!("{}:{}", path.display(), at + 1);
            assert!(length <= FUNCTION_LINES_MAX, "the function at {place} has {length} lines");
        }
    }
}

#[test]
fn modules_are_named_by_what_they_hold() {
    for (path, _) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!BANNED_MODULES.contains(&name), "{}", path.display());
    }
}

#[test]
fn databases_are_named_in_their_own_files_only() {
    let store = root().join("crates/headwater-store/src");
    for (path, text) in sources() {
        let allowed = path.starts_with(store.join("backend")) || path.ends_with("url.rs");
        if !path.starts_with(&store) || allowed {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap().to_lowercase();
            let names = ["sqlite", "postgres", "mysql"];
            // The store chooses a backend by its URL in one place.
            let chooses = path.ends_with("store.rs") && code.contains("sqlite");
            let exports = path.ends_with("sql/mod.rs");
            assert!(
                chooses || exports || !names.iter().any(|name| code.contains(name)),
                "{}:{} names a database",
                path.display(),
                at + 1
            );
        }
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut checked = 0;
    for quoted in text.split('`').skip(1).step_by(2) {
        let is_path = quoted.contains('/') && !quoted.contains([' ', '<', '{', ':', '*']);
        if is_path && !quoted.starts_with('/') {
            let store = root().join("crates/headwater-store");
            let places = [root(), store.join("src"), store];
            let exists = places.iter().any(|place| place.join(quoted).exists());
            assert!(exists, "ARCHITECTURE.md names `{quoted}`");
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} paths");
}

#[test]
fn every_limit_is_used() {
    let limits = fs::read_to_string(root().join("crates/headwater-store/src/limits.rs")).unwrap();
    let sources = sources();
    for line in limits.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let name = line.split(':').next().unwrap();
        let uses = sources
            .iter()
            .filter(|(path, text)| !path.ends_with("limits.rs") && text.contains(name));
        assert!(uses.count() > 0, "nothing uses {name}");
    }
}
