//! Circles between the files and folders of one folder: each needs the other, so neither can be read or changed alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, starts_with};

/// Path of a module below the crate's root, or of something in one.
type Path = Vec<String>;

/// What is known of a module.
#[derive(Default)]
struct Module {
    /// What it defines.
    items: BTreeSet<String>,
    /// Names that it takes from elsewhere, and whence.
    uses: BTreeMap<String, Path>,
    /// Modules of which it takes every name.
    globs: Vec<Path>,
    /// Every path that is written in it.
    paths: Vec<Path>,
}

/// Folder by folder, the circles between its parts. A folder's own `mod.rs` is no part of it.
pub fn circles<'a>(files: impl IntoIterator<Item = (&'a Path, &'a Code)>) -> Vec<String> {
    let modules: BTreeMap<&Path, Module> =
        files.into_iter().map(|(path, code)| (path, module(path, &code.outside_tests))).collect();
    let mut edges: BTreeMap<Path, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (&from, module) in &modules {
        for path in &module.paths {
            let Some(to) = resolve(&modules, path, 0) else { continue };
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
                let folder = edges.entry(from[..common].to_vec()).or_default();
                folder.entry(a.clone()).or_default().insert(b.clone());
            }
        }
    }
    let name = |folder: &Path| if folder.is_empty() { "the root".into() } else { folder.join("::") };
    edges
        .iter()
        .flat_map(|(folder, edges)| found(edges).into_iter().map(move |circle| format!("{}: {circle}", name(folder))))
        .collect()
}

/// One circle for each part that is in one with a part that comes after it by name.
fn found(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for start in edges.keys() {
        // The shortest way back to it.
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = vec![start.as_str()];
        let mut next = 0;
        while next < queue.len() && !before.contains_key(start.as_str()) {
            let at = queue[next];
            next += 1;
            for to in edges.get(at).into_iter().flatten() {
                if !before.contains_key(to.as_str()) {
                    before.insert(to, at);
                    queue.push(to);
                }
            }
        }
        if before.contains_key(start.as_str()) {
            let mut circle = vec![start.as_str()];
            let mut at = before[start.as_str()];
            while at != start {
                circle.push(at);
                at = before[at];
            }
            circle.push(start);
            circle.reverse();
            let parts: BTreeSet<&str> = circle.iter().copied().collect();
            if seen.insert(parts) {
                circles.push(format!("{} is a circle; move what both need to a file of its own", circle.join(" → ")));
            }
        }
    }
    circles
}

/// The module that a path leads to, through names that modules take from each other.
fn resolve(modules: &BTreeMap<&Path, Module>, path: &[String], depth: usize) -> Option<Path> {
    const DEEPEST: usize = 20;
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length].to_vec()))?;
    let at = path[..length].to_vec();
    let (Some(name), true) = (path.get(length), depth < DEEPEST) else { return Some(at) };
    let module = &modules[&at];
    if module.items.contains(name) {
        return Some(at);
    }
    if let Some(elsewhere) = module.uses.get(name) {
        return resolve(modules, elsewhere, depth + 1);
    }
    let has = |glob: &&Path| modules.get(*glob).is_some_and(|module| module.items.contains(name));
    Some(module.globs.iter().find(has).cloned().unwrap_or(at))
}

fn module(at: &Path, words: &[String]) -> Module {
    let mut module = Module::default();
    for i in 0..words.len() {
        let (word, before) = (words[i].as_str(), i.checked_sub(1).map(|i| words[i].as_str()));
        if ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"].contains(&word) {
            let name = words[i + 1..].iter().find(|word| *word != "!" && *word != "mut");
            module.items.extend(name.cloned());
        }
        // `use a::b` begins in this module where `a` is one of it.
        let is_use = before == Some("use");
        if before == Some("::") || !(is_use || ["crate", "super", "self"].contains(&word)) {
            continue;
        }
        let mut leaves = Vec::new();
        tree(words, i, &[], &mut leaves);
        for (path, alias) in leaves {
            let Some(path) = absolute(at, &path) else { continue };
            if is_use {
                match path.last().map(String::as_str) {
                    Some("*") => module.globs.push(path[..path.len() - 1].to_vec()),
                    _ => _ = module.uses.insert(alias, path.clone()),
                }
            }
            module.paths.push(path);
        }
    }
    // What is taken from a module of its own is not a path to itself.
    module.uses.retain(|name, path| *path != [at.clone(), vec![name.clone()]].concat());
    module
}

/// From the crate's root; none for another crate's, which begins with a name that is no module here.
fn absolute(at: &Path, path: &[String]) -> Option<Path> {
    let mut base = at.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (base, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {}
        _ => {}
    }
    while rest.first().is_some_and(|word| word == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// The paths of a tree such as `a::{b, c as d}`, each with the name that it gives; gives back where the tree ends.
fn tree(words: &[String], mut i: usize, prefix: &[String], leaves: &mut Vec<(Path, String)>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match words.get(i).map(String::as_str) {
            Some("{") => {
                i += 1;
                while words.get(i).is_some_and(|word| word != "}") {
                    let end = tree(words, i, &path, leaves);
                    i = if words.get(end).is_some_and(|word| word == ",") { end + 1 } else { end };
                    if end == i && words.get(i).is_some_and(|word| word != "}") {
                        return i; // no tree after all
                    }
                }
                return i + 1;
            }
            Some(word) if word == "*" || word.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
                path.push(word.into());
                i += 1;
            }
            _ => return i,
        }
        if words.get(i).is_none_or(|word| word != "::") {
            break;
        }
        i += 1;
    }
    // `a::{self}` is `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let mut alias = path.last().cloned().unwrap_or_default();
    if starts_with(&words[i..], &["as"]) {
        alias = words.get(i + 1).cloned().unwrap_or_default();
        i += 2;
    }
    leaves.push((path, alias));
    i
}
