//! Rules for the sources. Each top module (directly below the crate's root) has a row in the table below with the modules that it is
//! allowed to import; the sources are read as text and every path into another top module is checked. No two files of a folder need
//! each other, no function has many parameters, a `mod.rs` holds no logic, and no file is long.

mod circles;
mod code;
mod functions;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use circles::circles;
use code::{Code, starts_with};
use functions::functions;

/// Top module → top modules that it is allowed to import, besides its own and [`FOR_ALL`].
const ALLOWED_IMPORTS: [(&str, &[&str]); 28] = [
    ("format", &[]),
    ("random", &[]),
    ("regular", &[]),
    ("warning", &[]),
    ("sniff", &[]),
    ("source", &[]),
    // Slurm's commands.
    ("cluster", &[]),
    ("spec", &["source", "metrics", "task", "cluster"]),
    ("plan", &["source", "spec", "metrics", "task"]),
    ("assets", &["source", "plan"]),
    ("data", &["event", "plan", "task"]),
    ("kernels", &[]),
    ("model", &["source", "kernels", "data", "plan", "task"]),
    ("engine", &["kernels", "model", "data", "plan", "task"]),
    ("metrics", &[]),
    ("task", &["metrics"]),
    ("stats", &[]),
    ("event", &["metrics"]),
    ("train", &["engine", "model", "data", "metrics", "task", "event", "plan"]),
    ("store", &["event", "metrics", "plan"]),
    ("tracker", &["event", "metrics", "plan", "store"]),
    ("observe", &["event", "metrics", "store", "plan", "tracker"]),
    // What builds a run and hands it to the engine.
    (
        "execute",
        &[
            "source", "plan", "event", "metrics", "task", "assets", "data", "kernels", "model", "engine", "train",
            "store", "observe", "cluster",
        ],
    ),
    ("export", &["execute", "kernels", "model", "event", "metrics", "plan", "store", "tracker"]),
    // Trained models over HTTP.
    ("serve", &["plan", "task", "assets", "data", "execute"]),
    // A spec from its file to its results.
    (
        "experiment",
        &["spec", "plan", "event", "metrics", "assets", "data", "model", "store", "observe", "execute", "cluster"],
    ),
    ("report", &["store", "stats", "event", "metrics", "task", "plan"]),
    // Arguments and exit codes: everything.
    ("cli", &["*"]),
];

/// Modules that every module is allowed to import: they import nothing, or one of these.
const FOR_ALL: [&str; 5] = ["random", "format", "regular", "warning", "sniff"];

/// Top module → crates that it must not name (nor beginnings of their names), tests included.
const FORBIDDEN_NAMES: [(&str, &[&str]); 6] = [
    ("engine", &["rusqlite", "indicatif", "plotters"]),
    ("train", &["rusqlite", "indicatif", "plotters"]),
    ("model", &["rusqlite", "indicatif", "plotters"]),
    ("kernels", &["rusqlite", "indicatif", "plotters"]),
    ("store", &["candle"]),
    ("report", &["candle"]),
];

/// Macros that print: allowed in `main.rs` and `cli` only.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// Lines of a file at most: an alarm, not an aim.
const MAX_LINES: usize = 600;

/// Parameters of a function at most, `self` among them.
const MAX_PARAMETERS: usize = 7;

/// Lines of a function's body in a `mod.rs` at most: what a type that is declared there says of itself.
const MAX_LINES_IN_MOD: usize = 5;

#[test]
fn the_sources_keep_to_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "too few sources below {}", root.display());
    let texts: Vec<Source> = files
        .iter()
        .map(|path| Source::new(path.strip_prefix(&root).unwrap(), fs::read_to_string(path).unwrap()))
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

/// A file of the crate.
struct Source {
    module: Vec<String>,
    /// Whether it is the `mod.rs` of its folder.
    is_mod: bool,
    /// How many lines it has.
    lines: usize,
    code: Code,
}

impl Source {
    /// `path` is below `src`.
    fn new(path: &Path, text: String) -> Self {
        let module = module(path);
        let code = Code::of(&module, &text);
        Self { is_mod: path.ends_with("mod.rs"), lines: text.lines().count(), module, code }
    }
}

/// All that is wrong with a crate.
fn faults(files: &[Source]) -> Vec<String> {
    let modules: BTreeSet<&str> = ALLOWED_IMPORTS.iter().map(|(top, _)| *top).collect();
    let tests: Vec<&Vec<String>> = files.iter().flat_map(|file| &file.code.test_modules).collect();
    let is_test = |module: &Vec<String>| tests.iter().any(|test| module.starts_with(test));
    let mut faults = circles(files.iter().filter(|file| !is_test(&file.module)).map(|file| (&file.module, &file.code)));
    for Source { module, is_mod, lines, code } in files {
        let (name, lines) = (if module.is_empty() { "the root".to_string() } else { module.join("::") }, *lines);
        if lines > MAX_LINES {
            faults.push(format!(
                "{name}: {lines} lines; at most {MAX_LINES} a file: give a part of it a file of its own"
            ));
        }
        for function in functions(code).iter().filter(|_| !is_test(module)) {
            if function.parameters > MAX_PARAMETERS {
                faults.push(format!(
                    "{name}: fn {} has {} parameters; at most {MAX_PARAMETERS}: give those that belong together a type",
                    function.name, function.parameters
                ));
            }
            if *is_mod && function.lines > MAX_LINES_IN_MOD {
                faults.push(format!(
                    "{name}: fn {} is {} lines of logic in a mod.rs, which holds declarations; move it to a file with \
                     a name",
                    function.name, function.lines
                ));
            }
        }
        let Some(top) = module.first().map(String::as_str).filter(|top| *top != "main") else { continue };
        let Some((_, allowed)) = ALLOWED_IMPORTS.iter().find(|(name, _)| *name == top) else {
            faults.push(format!("{name}: `{top}` is not in the table of tests/architecture; give it a row"));
            continue;
        };
        for (_, crates) in FORBIDDEN_NAMES.iter().filter(|(name, _)| *name == top) {
            for word in &code.all {
                if crates.iter().any(|forbidden| word.starts_with(forbidden)) {
                    faults.push(format!("{name} names `{word}`, which `{top}` must not use"));
                }
            }
        }
        if allowed.contains(&"*") || is_test(module) {
            continue;
        }
        for other in imports(module, &code.outside_tests) {
            if other != top
                && !FOR_ALL.contains(&other.as_str())
                && modules.contains(other.as_str())
                && !allowed.contains(&other.as_str())
            {
                faults.push(format!("{name} imports `{other}`; {top} is allowed to import {allowed:?}"));
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

/// The faults of a crate of the given files (path below `src`, text).
fn planted(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| Source::new(Path::new(path), text.to_string())).collect();
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
        ("kitchen/mod.rs", "", "`kitchen` is not in the table"),
        ("stats/mod.rs", &"\n".repeat(601), "601 lines"),
    ] {
        let faults = planted(&[(path, text)]);
        assert!(faults.len() == 1 && faults[0].contains(want), "{faults:?}");
    }
}

#[test]
fn circles_between_the_files_of_a_folder_are_found_however_long() {
    let declared = "mod a; mod b; mod c;";
    for (a, b, c, wanted) in [
        ("use super::b::B; struct A;", "use super::a::A; struct B;", "", "stats: a → b → a"),
        ("struct A; fn f() { super::b::g() }", "fn g() -> crate::stats::a::A {}", "", "stats: a → b → a"),
        (
            "use super::{b::B, c}; struct A;",
            "struct B;",
            "use super::{a::{self, A as X}}; fn f() {}",
            "stats: a → c → a",
        ),
        ("use super::b::*; struct A;", "use super::c; struct B;", "use super::a::A; fn f() {}", "stats: a → b → c → a"),
    ] {
        let faults = planted(&[("stats/mod.rs", declared), ("stats/a.rs", a), ("stats/b.rs", b), ("stats/c.rs", c)]);
        assert!(faults.len() == 1 && faults[0].starts_with(wanted), "{wanted}: {faults:?}");
    }
    // Through the names that the folder gives on, and through a folder.
    let given_on = "mod a; mod b; pub use a::A; pub use b::{B as Other, inner::*};";
    let files = [
        ("stats/mod.rs", given_on),
        ("stats/a.rs", "use super::Other; pub struct A;"),
        ("stats/b/mod.rs", "mod inner; pub struct B;"),
        ("stats/b/inner.rs", "use crate::stats::A; pub struct I;"),
    ];
    let faults = planted(&files);
    assert!(faults.len() == 1 && faults[0].starts_with("stats: a → b → a"), "{faults:?}");
    let one_way = [files[0], ("stats/a.rs", "pub struct A;"), files[2], files[3], ("stats/c.rs", "use super::I;")];
    assert_eq!(planted(&one_way), [""; 0]);
    let in_tests = [
        ("stats/mod.rs", "mod a; mod b;"),
        ("stats/a.rs", "pub struct A; #[cfg(test)] mod tests { use super::super::b::B; }"),
        ("stats/b.rs", "use super::a::A; struct B; // super::a::A"),
    ];
    assert_eq!(planted(&in_tests), [""; 0]);
}

#[test]
fn many_parameters_and_logic_in_a_mod_are_found() {
    let function =
        |parameters: &str| format!("impl X {{ fn f<F: Fn(u8, u8) -> u8>({parameters}) -> [u8; 2] {{ g() }} }}");
    let seven = "&self, a: u8, b: HashMap<u8, Vec<u8>>, c: (u8, u8), d: &dyn Fn(u8, u8) -> u8, e: F, f: u8";
    assert_eq!(planted(&[("stats/a.rs", &function(seven))]), [""; 0]);
    for eight in [format!("{seven}, g: u8"), format!("{seven}, g: u8,\n")] {
        let faults = planted(&[("stats/a.rs", &function(&eight))]);
        assert!(faults.len() == 1 && faults[0].starts_with("stats::a: fn f has 8 parameters"), "{faults:?}");
    }
    let body = |lines: usize| {
        format!("mod a;\nfn f(x: u8)\nwhere\n    u8: Copy,\n{{\n{}}}\nfn g() {{}}\n", "    if x {};\n".repeat(lines))
    };
    assert_eq!(planted(&[("stats/mod.rs", &body(5))]), [""; 0]);
    let faults = planted(&[("stats/mod.rs", &body(6))]);
    assert!(faults.len() == 1 && faults[0].starts_with("stats: fn f is 6 lines of logic"), "{faults:?}");
    for elsewhere in [("stats/a.rs", body(6)), ("stats/mod.rs", format!("#[cfg(test)]\nmod tests {{ {} }}", body(6)))] {
        assert_eq!(planted(&[(elsewhere.0, &elsewhere.1)]), [""; 0]);
    }
}
