//! Reads a spec file and the files it extends.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    string::FromUtf8Error,
};

use toml::de::DeTable;

use super::{
    hint,
    layer::{Layer, Origin},
    limits::{self, MAX_BYTES, MAX_FILES},
    node::{Item, Node, Span, Table, quoted_key, table_from_toml},
    problem::{Fault, Help, Location, Problem, Problems},
};
use crate::{regular, source::beside};

/// Profile names that figment reserves, in any case.
const RESERVED: &[&str] = &["default", "global"];

/// The files read so far. A file that several others extend counts once, at its lowest position.
#[derive(Default)]
pub(super) struct Files {
    /// Lowest first.
    pub layers: Vec<Layer>,
    pub problems: Problems,
    /// Whether a file is missing or incomplete: then missing keys are not reported.
    pub incomplete: bool,
    /// Real paths of the files that were read.
    read: Vec<PathBuf>,
    /// Real paths of the files whose `extends` is being followed, with the paths they were named by.
    open: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    /// Reads `path` and, before it, all files that it extends. `named` is the location that names it.
    pub fn read(&mut self, path: &Path, named: Option<Location>) {
        if path.to_str().is_none() {
            // Paths of data and models are resolved against it, as text.
            let message = format!("the path `{}` is not valid UTF-8", path.display());
            return self.unreadable(
                named,
                message,
                "rename the file, or go to its folder and use a relative path".into(),
            );
        }
        if self.read.len() >= MAX_FILES {
            let message = format!("a spec consists of at most {MAX_FILES} files");
            return self.unreadable(named, message, Help::None);
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if let Some(first) = self.open.iter().position(|(open, _)| *open == real) {
            let chain = self.open[first..].iter().map(|(_, path)| path.as_path()).chain([path]);
            let chain: Vec<_> = chain.map(|path| format!("`{}`", path.display())).collect();
            let message = format!("`extends` is circular: {}", chain.join(" → "));
            return self.unreadable(named, message, Help::None);
        }
        if self.read.contains(&real) {
            return;
        }
        self.read.push(real.clone());
        let Some(text) = self.text(path, named.clone()) else {
            return;
        };
        let (document, errors) = DeTable::parse_recoverable(&text);
        if is_no_spec(path, &text, errors.len()) {
            let message = format!("`{}` is not a spec: it is not TOML", path.display());
            return self.unreadable(
                named,
                message,
                "a spec is a TOML file, which names its data with `data.source`".into(),
            );
        }
        let mut layer = Layer::new(Origin::File(path.to_path_buf()), String::new(), Table::new());
        let mut faults: Vec<_> = errors
            .iter()
            .map(|error| {
                let end = text.trim_end().len();
                let span = error.span().unwrap_or(end..end);
                hint::syntax(&text, span, error.message())
            })
            .collect();
        faults.sort_by_key(|fault| fault.span.start);
        faults.dedup_by(|next, fault| next.span == fault.span && next.message == fault.message);
        // After a syntax error the tree is a guess, and its other errors would only confuse.
        if faults.is_empty() {
            layer.root = table_from_toml(document.get_ref(), 0);
            faults = limits::too_large(&layer.root);
        }
        if !faults.is_empty() {
            layer.root = Table::new();
            self.incomplete = true;
        }
        let (extends, wrong) = take_extends(&mut layer.root);
        // The keys of a file that was not read are not missing.
        self.incomplete |= !wrong.is_empty();
        faults.extend(wrong);
        let (profiles, wrong) = take_profiles(&mut layer.root);
        faults.extend(wrong);
        faults.sort_by_key(|fault| fault.span.start);
        layer.text = text;
        layer.profiles = profiles;
        faults.into_iter().for_each(|fault| self.problems.add(|| layer.problem(fault)));

        self.open.push((real, path.to_path_buf()));
        for (name, span) in extends {
            self.read(&beside(path.parent().unwrap_or(Path::new("")), Path::new(&name)), Some(layer.location(span)));
        }
        self.open.pop();
        self.layers.push(layer);
    }

    /// The text of the file.
    fn text(&mut self, path: &Path, named: Option<Location>) -> Option<String> {
        match regular::read(path, MAX_BYTES).map(String::from_utf8) {
            Ok(Ok(text)) if !text.contains('\0') => return Some(text),
            Ok(bytes)
                if let Some(encoding) =
                    encoding(bytes.as_ref().map_or_else(FromUtf8Error::as_bytes, String::as_bytes)) =>
            {
                let source = path.display().to_string();
                let location =
                    Location { position: None, text: String::new(), ..Location::new(source, "", 0..0, true) };
                let message = format!("is {encoding} and not UTF-8");
                let help = format!(
                    "save the file as UTF-8, or convert it: iconv -f {encoding} -t UTF-8 '{}' > utf8.toml",
                    path.display()
                );
                self.unreadable(Some(location), message, help.into());
            }
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                let location = Location::new(path.display().to_string(), &text, at..at + 1, true);
                self.unreadable(Some(location), "is not valid UTF-8".into(), "save the file as UTF-8".into());
            }
            Err(error) => {
                let what = if named.is_some() { "" } else { "the spec " };
                let message = format!("cannot read {what}`{}`: {}", path.display(), why_unreadable(&error));
                self.unreadable(named, message, Help::None);
            }
        };
        None
    }

    /// Records a file that could not be read.
    fn unreadable(&mut self, location: Option<Location>, message: String, help: Help) {
        self.incomplete = true;
        self.problems.add(|| Problem { location, message, help: help.text() });
    }
}

/// Whether a file is something else than TOML with mistakes, such as the data: its name does not say that it is TOML, and neither do half
/// of its lines.
fn is_no_spec(path: &Path, text: &str, errors: usize) -> bool {
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    path.extension().is_some_and(|ending| !ending.eq_ignore_ascii_case("toml")) && 2 * errors >= lines
}

/// The encoding that bytes which are no spec in UTF-8 seem to have, by iconv's name.
fn encoding(bytes: &[u8]) -> Option<&'static str> {
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    // Half of the bytes of ASCII characters are zero.
    let most = bytes.len() / 4;
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        _ if zeros(1) > most => Some("UTF-16LE"),
        _ if zeros(0) > most => Some("UTF-16BE"),
        _ => {
            let (text, _, is_wrong) = encoding_rs::GB18030.decode(bytes);
            let is_chinese =
                |c: &char| matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}');
            // Texts of other encodings are read as rare characters, among others.
            let (chinese, others) = text.chars().filter(|c| !c.is_ascii()).partition::<Vec<char>, _>(is_chinese);
            let is_gb18030 = !is_wrong && !chinese.is_empty() && others.is_empty() && are_common(bytes);
            is_gb18030.then_some("GB18030")
        }
    }
}

/// Whether all characters beyond ASCII are of GB2312, most of them of its punctuation and common characters (rows 1 to 3 and 16 to 55). In
/// a European encoding such as Latin-1 a letter of ASCII comes after most others (`Zürich`), and a pair of others has a small letter first
/// (`größe`), where GB2312 has its rare characters.
fn are_common(bytes: &[u8]) -> bool {
    let (mut all, mut common, mut rest) = (0, 0, bytes);
    while let [first, after @ ..] = rest {
        rest = after;
        if first.is_ascii() {
            continue;
        }
        let Some((0xA1.., after)) = after.split_first() else { return false };
        rest = after;
        all += 1;
        common += usize::from(matches!(first, 0xA1..=0xA3 | 0xB0..=0xD7));
    }
    2 * common > all
}

fn why_unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Removes `extends = ["FILE", …]` from the tree.
fn take_extends(root: &mut Table) -> (Vec<(String, Span)>, Vec<Fault>) {
    let expected = |node: &Node| {
        let message = format!("`extends` is {}; expected a list of files", node.found());
        let help = matches!(node.item, Item::Text(_)).then(|| format!("write extends = [{node}]"));
        Fault::new(node.span.clone(), message).help(help)
    };
    let Some(node) = root.remove("extends") else { return Default::default() };
    let Item::List(nodes) = &node.item else { return (vec![], vec![expected(&node)]) };
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for node in nodes {
        match &node.item {
            Item::Text(file) if !file.trim().is_empty() => files.push((file.clone(), node.span.clone())),
            _ => {
                let message = format!("`extends` contains {}; expected the path of a file", node.found());
                faults.push(Fault::new(node.span.clone(), message));
            }
        }
    }
    (files, faults)
}

/// Removes `[profile.NAME]` from the tree.
fn take_profiles(root: &mut Table) -> (BTreeMap<String, Node>, Vec<Fault>) {
    let Some(node) = root.remove("profile") else { return Default::default() };
    let help = "write `[profile.NAME.train]` and keys below it";
    let found = node.found();
    let Item::Table(profiles) = node.item else {
        let message = format!("`profile` is {found}; expected tables");
        return (BTreeMap::new(), vec![Fault::new(node.span, message).help(help)]);
    };
    let mut faults = Vec::new();
    let fine = |(name, node): &(String, Node)| {
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            let message = format!("the profile name `{name}` is reserved");
            faults.push(Fault::new(node.key.clone(), message).help("choose another name"));
            return false;
        }
        let table = matches!(node.item, Item::Table(_));
        if !table {
            let message = format!("`profile.{}` is {}; expected a table", quoted_key(name), node.found());
            faults.push(Fault::new(node.key.clone(), message).help(help));
        }
        table
    };
    (profiles.into_iter().filter(fine).collect(), faults)
}
