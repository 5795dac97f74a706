//! Reading a file and those it extends.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    layer::{Layer, Writer},
    node::{Item, Node, Span, Table, quoted_key, table_from_toml},
    problem::{Fault, Place, Problem},
    source::beside,
};

/// Names that figment keeps for itself, in whatever case.
const RESERVED: &[&str] = &["default", "global"];

/// Files read so far. A file that several others extend counts once, at its lowest place.
#[derive(Default)]
pub(super) struct Files {
    /// Lowest first.
    pub layers: Vec<Layer>,
    pub problems: Vec<Problem>,
    /// Whether a file is missing in whole or in part: then nothing can be said about keys.
    pub incomplete: bool,
    /// Real paths of the files that were read.
    read: Vec<PathBuf>,
    /// Real paths of those whose extended files are being read, and how each is called.
    open: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    /// Reads `path` and, before it, all that it extends. `named` is where another file names it.
    pub fn read(&mut self, path: &Path, named: Option<Place>) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if let Some(first) = self.open.iter().position(|(open, _)| *open == real) {
            let chain = self.open[first..].iter().map(|(_, path)| path.as_path()).chain([path]);
            let chain: Vec<_> = chain.map(|path| format!("`{}`", path.display())).collect();
            self.incomplete = true;
            self.problems.push(Problem {
                place: named,
                message: format!("`extends` goes in a circle: {}", chain.join(" → ")),
                help: None,
            });
            return;
        }
        if self.read.contains(&real) {
            return;
        }
        self.read.push(real.clone());
        let Some(text) = self.text(path, named) else {
            self.incomplete = true;
            return;
        };
        let (document, errors) = DeTable::parse_recoverable(&text);
        let mut layer = Layer::new(Writer::File(path.to_path_buf()), String::new(), Table::new());
        let mut faults: Vec<_> = errors
            .iter()
            .map(|error| {
                let end = text.trim_end().len();
                Fault::new(error.span().unwrap_or(end..end), format!("no valid TOML: {}", error.message()))
            })
            .collect();
        // After an error the tree is a guess; what it says would only confuse.
        match faults.is_empty() {
            true => layer.root = table_from_toml(document.get_ref(), 0),
            false => self.incomplete = true,
        }
        let (extends, wrong) = take_extends(&mut layer.root);
        faults.extend(wrong);
        let (profiles, wrong) = take_profiles(&mut layer.root);
        faults.extend(wrong);
        faults.sort_by_key(|fault| fault.span.start);
        layer.text = text;
        layer.profiles = profiles;
        self.problems.extend(faults.into_iter().map(|fault| layer.problem(fault)));

        self.open.push((real, path.to_path_buf()));
        for (name, span) in extends {
            self.read(Path::new(&beside(path.parent(), &name)), Some(layer.place(span)));
        }
        self.open.pop();
        self.layers.push(layer);
    }

    /// What the file says.
    fn text(&mut self, path: &Path, named: Option<Place>) -> Option<String> {
        let problem = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                Problem {
                    place: Some(Place::new(path.display().to_string(), &text, at..at + 1, true)),
                    message: "is no UTF-8".into(),
                    help: Some("save the file as UTF-8".into()),
                }
            }
            Err(error) => {
                let what = if named.is_some() { "" } else { "the spec " };
                let message = format!("cannot read {what}`{}`: {}", path.display(), why_unreadable(&error, path));
                Problem { place: named, message, help: None }
            }
        };
        self.problems.push(problem);
        None
    }
}

fn why_unreadable(error: &io::Error, path: &Path) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        _ if path.is_dir() => "it is a folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Takes `extends = ["FILE", …]` out of the tree.
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
                let message = format!("`extends` holds {}; expected a file", node.found());
                faults.push(Fault::new(node.span.clone(), message));
            }
        }
    }
    (files, faults)
}

/// Takes `[profile.NAME]` out of the tree.
fn take_profiles(root: &mut Table) -> (BTreeMap<String, Node>, Vec<Fault>) {
    let Some(node) = root.remove("profile") else { return Default::default() };
    let help = "write `[profile.NAME.train]` and below it keys".to_string();
    let found = node.found();
    let Item::Table(profiles) = node.item else {
        let message = format!("`profile` is {found}; expected tables");
        return (BTreeMap::new(), vec![Fault::new(node.span, message).help(help)]);
    };
    let mut faults = Vec::new();
    let fine = |(name, node): &(String, Node)| {
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            let message = format!("a profile cannot be called `{name}`");
            faults.push(Fault::new(node.key.clone(), message).help("choose another name".to_string()));
            return false;
        }
        let table = matches!(node.item, Item::Table(_));
        if !table {
            let message = format!("`profile.{}` is {}; expected a table", quoted_key(name), node.found());
            faults.push(Fault::new(node.key.clone(), message).help(help.clone()));
        }
        table
    };
    (profiles.into_iter().filter(fine).collect(), faults)
}
