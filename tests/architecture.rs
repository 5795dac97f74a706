//! Who may import whom. Each room (a module right below the crate's root) has a row in the table below; the sources are read
//! as text and every path into another room is checked against it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Room → rooms it may import, besides its own and [`FOR_ALL`].
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("format", &[]),
    ("random", &[]),
    ("regular", &[]),
    ("warning", &[]),
    ("sniff", &[]),
    ("source", &[]),
    ("spec", &["source", "metrics"]),
    ("plan", &["source", "spec", "metrics"]),
    ("assets", &["source", "plan"]),
    ("data", &["plan"]),
    ("kernels", &[]),
    ("model", &["source", "kernels", "data", "plan"]),
    ("engine", &["kernels", "model", "data", "plan"]),
    ("metrics", &[]),
    ("stats", &[]),
    ("event", &["metrics"]),
    ("train", &["engine", "model", "data", "metrics", "event", "plan"]),
    ("store", &["event", "metrics", "plan"]),
    ("observe", &["event", "metrics", "store", "plan"]),
    // What builds a run and hands it to the engine.
    (
        "execute",
        &[
            "source", "plan", "event", "metrics", "assets", "data", "kernels", "model", "engine", "train", "store",
            "observe",
        ],
    ),
    ("report", &["store", "stats", "event", "metrics", "plan"]),
    // Arguments and exit codes: everything.
    ("cli", &["*"]),
];

/// Imported by whoever likes: they need nothing themselves, or one of these.
const FOR_ALL: [&str; 5] = ["random", "format", "regular", "warning", "sniff"];

/// Room → crates whose names (or beginnings of names) it may not hold, tests included.
const MAY_NOT_NAME: [(&str, &[&str]); 6] = [
    ("engine", &["rusqlite", "indicatif", "plotters"]),
    ("train", &["rusqlite", "indicatif", "plotters"]),
    ("model", &["rusqlite", "indicatif", "plotters"]),
    ("kernels", &["rusqlite", "indicatif", "plotters"]),
    ("store", &["candle"]),
    ("report", &["candle"]),
];

/// What prints. Only `main.rs` and `cli` may.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// Lines of a file at most.
const MAX_LINES: usize = 600;

#[test]
fn the_sources_keep_to_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "too few sources below {}", root.display());
    let texts: Vec<(Vec<String>, String)> = files
        .iter()
        .map(|path| (module(path.strip_prefix(&root).unwrap()), fs::read_to_string(path).unwrap()))
        .collect();
    let faults = faults(&texts);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// The module that a file below `src` holds: `plan/key.rs` → `plan::key`, `plan/mod.rs` → `plan`, `lib.rs` → the root.
fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.len() == 1 && parts[0] == "lib" || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// All that is wrong with a crate, given as (module, text of its file).
fn faults(files: &[(Vec<String>, String)]) -> Vec<String> {
    let rooms: BTreeSet<&str> = MAY_IMPORT.iter().map(|(room, _)| *room).collect();
    let codes: Vec<Code> = files.iter().map(|(module, text)| Code::of(module, text)).collect();
    let tests: Vec<&Vec<String>> = codes.iter().flat_map(|code| &code.test_modules).collect();
    let mut faults = Vec::new();
    for ((module, text), code) in files.iter().zip(&codes) {
        let name = if module.is_empty() { "the root".to_string() } else { module.join("::") };
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!(
                "{name}: {lines} lines; at most {MAX_LINES} a file: give a part of it a file of its own"
            ));
        }
        let Some(room) = module.first().map(String::as_str).filter(|room| *room != "main") else { continue };
        let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            faults.push(format!("{name}: `{room}` is no room of the table in tests/architecture.rs; give it a row"));
            continue;
        };
        for (_, crates) in MAY_NOT_NAME.iter().filter(|(name, _)| *name == room) {
            for word in &code.all {
                if crates.iter().any(|forbidden| word.starts_with(forbidden)) {
                    faults.push(format!("{name} names `{word}`, which {room} may not know of"));
                }
            }
        }
        if may.contains(&"*") || tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        for other in imports(module, &code.outside_tests) {
            if other != room
                && !FOR_ALL.contains(&other.as_str())
                && rooms.contains(other.as_str())
                && !may.contains(&other.as_str())
            {
                faults.push(format!("{name} imports `{other}`; {room} may import {may:?}"));
            }
        }
        for pair in code.outside_tests.windows(2) {
            if pair[1] == "!" && PRINTING.contains(&pair[0].as_str()) {
                faults.push(format!("{name} calls {}!; only main.rs and cli print", pair[0]));
            }
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// The words and signs of a file.
struct Code {
    all: Vec<String>,
    /// Without the items under `#[cfg(test)]`.
    outside_tests: Vec<String>,
    /// Modules declared under `#[cfg(test)]` whose text is in files of their own.
    test_modules: Vec<Vec<String>>,
}

impl Code {
    fn of(module: &[String], text: &str) -> Self {
        let all = words(text);
        let mut outside_tests = Vec::new();
        let mut test_modules = Vec::new();
        let mut i = 0;
        while i < all.len() {
            if starts_with(&all[i..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
                let end = item_end(&all, i + 7);
                if let Some(at) = all[i..end].iter().position(|word| word == "mod")
                    && all[end - 1] == ";"
                {
                    test_modules.push(module.iter().chain([&all[i + at + 1]]).cloned().collect());
                }
                i = end;
            } else {
                outside_tests.push(all[i].clone());
                i += 1;
            }
        }
        Self { all, outside_tests, test_modules }
    }
}

fn starts_with(words: &[String], want: &[&str]) -> bool {
    words.len() >= want.len() && words.iter().zip(want).all(|(word, want)| word == want)
}

/// The end of the item that begins at `i`: after its `;`, or after its braces. `use a::{b};` ends with its `;`.
fn item_end(words: &[String], mut i: usize) -> usize {
    let is_use = words[i..].iter().take(5).any(|word| word == "use");
    let mut depth = 0;
    while i < words.len() {
        match words[i].as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && words[i] == "}" && !is_use {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
        i += 1;
    }
    i
}

/// First segments below the crate's root of all paths that begin with `crate` or climb there by `super`.
fn imports(module: &[String], words: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for i in 0..words.len() {
        let within_path = i > 0 && words[i - 1] == "::";
        let mut next = i;
        match words[i].as_str() {
            "crate" => next += 1,
            "super" if !within_path => {
                let mut climbed = 0;
                while starts_with(&words[next..], &["super"]) || starts_with(&words[next..], &["::", "super"]) {
                    next += if words[next] == "super" { 1 } else { 2 };
                    climbed += 1;
                }
                if climbed < module.len() {
                    continue;
                }
            }
            _ => continue,
        }
        if starts_with(&words[next..], &["::"]) {
            heads(&words[next + 1..], &mut found);
        }
    }
    found
}

/// The first segment of a path, or of each path of a group `{a::b, c}`.
fn heads(words: &[String], found: &mut BTreeSet<String>) {
    if words.first().is_none_or(|word| word != "{") {
        found.extend(words.first().cloned());
        return;
    }
    let mut depth = 0;
    for pair in words.windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
        if depth == 1 && (pair[0] == "{" || pair[0] == ",") && pair[1] != "}" {
            found.insert(pair[1].clone());
        }
    }
}

/// Splits Rust into words, `::` and single signs, without comments and without what stands in quotes.
fn words(text: &str) -> Vec<String> {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let mut words = Vec::new();
    let mut i = 0;
    while i < c.len() {
        if c[i].is_whitespace() {
            i += 1;
        } else if c[i] == '/' && at(i + 1) == '/' {
            while i < c.len() && c[i] != '\n' {
                i += 1;
            }
        } else if c[i] == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= c.len() {
                    break;
                }
            }
        } else if c[i] == '"' {
            i = string_end(&c, i + 1);
        } else if c[i] == '\'' {
            // A character, or a lifetime: only the first has a closing quote.
            i = match (at(i + 1), at(i + 2)) {
                ('\\', _) => (i + 3..c.len()).find(|end| c[*end] == '\'').map_or(c.len(), |end| end + 1),
                (_, '\'') => i + 3,
                _ => i + 1,
            };
        } else if c[i].is_alphanumeric() || c[i] == '_' {
            let start = i;
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            let word: String = c[start..i].iter().collect();
            let hashes = c[i..].iter().take_while(|sign| **sign == '#').count();
            if ["r", "br", "cr"].contains(&word.as_str()) && at(i + hashes) == '"' {
                let closing: String = format!("\"{}", "#".repeat(hashes));
                i += hashes + 1;
                while i < c.len() && !c[i..].iter().take(hashes + 1).collect::<String>().eq(&closing) {
                    i += 1;
                }
                i += hashes + 1;
            } else {
                words.push(word);
            }
        } else if c[i] == ':' && at(i + 1) == ':' {
            words.push("::".into());
            i += 2;
        } else {
            words.push(c[i].to_string());
            i += 1;
        }
    }
    words
}

fn string_end(c: &[char], mut i: usize) -> usize {
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The faults of a crate of the given files (path below `src`, text).
fn planted(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| (module(Path::new(path)), text.to_string())).collect();
    faults(&files)
}

#[test]
fn planted_imports_are_found_however_they_are_written() {
    for text in [
        "use crate::store::Store;",
        "pub(crate) use crate::{plan::RunConfig, store as s};",
        "use crate::{\n    event::{Event, Split},\n    store,\n};",
        "fn f() -> crate::store::RunRecord {}",
        "use super::super::store::X;",
        "use super::super::{plan, store};",
        "const A: char = '\"'; use crate::store; const B: &str = \"\";",
        "fn f<'a>(x: &'a str) -> &'a str { crate::store::f(x) }",
        "#[cfg(test)]\nuse crate::{report};\n#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::store;",
    ] {
        assert_eq!(planted(&[("train/fit.rs", text)]).len(), 1, "{text}");
        assert!(planted(&[("train/fit.rs", text)])[0].starts_with("train::fit imports `store`"), "{text}");
    }
    assert_eq!(planted(&[("spec/mod.rs", "use super::plan::X; use crate::random::Stream;")]).len(), 1);
    assert_eq!(planted(&[("event.rs", "use super::plan::X; use crate::metrics::M;")]).len(), 1);
}

#[test]
fn what_is_allowed_is_not_found() {
    for (path, text) in [
        (
            "train/fit.rs",
            "use crate::{plan::{RunConfig, store}, random, train::x}; use super::store; use self::store::X;",
        ),
        (
            "train/mod.rs",
            "// use crate::store;\n/* crate::store /* crate::report */ crate::store */ /// [`crate::store`]\nfn f() {}",
        ),
        ("train/mod.rs", r####"const A: &str = "\" crate::store"; const B: &str = r#"" crate::store "#; fn f() {}"####),
        ("train/mod.rs", "#[cfg(test)]\nmod tests { use crate::store::X; fn f() { println!(\"{}\", 1); } }"),
        ("train/mod.rs", "use candle_core::Tensor; fn f() -> Result<()> { crate::model::load() }"),
        ("cli/run.rs", "use crate::{store, train}; fn f() { println!(\"x\"); }"),
        ("main.rs", "use taper::store; fn main() { eprintln!(\"x\"); }"),
    ] {
        assert_eq!(planted(&[(path, text)]), [""; 0], "{text}");
    }
    let apart =
        [("train/mod.rs", "#[cfg(test)]\nmod checks;"), ("train/checks.rs", "use crate::store; fn f() { dbg!(1); }")];
    assert_eq!(planted(&apart), [""; 0]);
    assert_eq!(planted(&apart[1..]).len(), 2);
}

#[test]
fn other_planted_faults_are_found() {
    for (path, text, want) in [
        ("model/bert.rs", "use indicatif::ProgressBar;", "names `indicatif`"),
        ("kernels/mod.rs", "fn f() { rusqlite::open() }", "names `rusqlite`"),
        ("store/mod.rs", "use candle_core::Tensor;", "names `candle_core`"),
        ("report/html.rs", "#[cfg(test)] mod tests { use candle_nn::ops; }", "names `candle_nn`"),
        ("data/mod.rs", "fn f() { eprintln!(\"x\") }", "calls eprintln!"),
        ("kitchen/mod.rs", "", "`kitchen` is no room"),
        ("stats/mod.rs", &"\n".repeat(601), "601 lines"),
    ] {
        let faults = planted(&[(path, text)]);
        assert!(faults.len() == 1 && faults[0].contains(want), "{faults:?}");
    }
}
