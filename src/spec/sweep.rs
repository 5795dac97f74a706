//! Checks the `[sweep]` table of one layer: keys must be sweepable, and values valid for their key.

use std::collections::HashMap;

use super::{
    axis::is_axis,
    check::Check,
    keys::{self, Key},
    node::{Item, Node, Table},
    problem::{Fault, Help},
    suggest::key_like,
};
use crate::format::counted;

impl Check<'_> {
    /// `[sweep.axes]`.
    pub(super) fn axes(&mut self, node: &mut Node) -> bool {
        let key = keys::find("sweep.axes").expect("a key of the table");
        let Item::Table(axes) = &mut node.item else { return self.wrong_kind(key, node, "write `[sweep.axes]`") };
        self.flatten(axes);
        let before = axes.len();
        axes.retain(|path, values| self.axis(path, values));
        if axes.len() < before {
            self.invalid.insert(keys::UNKNOWN_AXES.into());
        }
        true
    }

    /// `[[sweep.zip]]`.
    pub(super) fn zip(&mut self, node: &mut Node) -> bool {
        self.tables("sweep.zip", node, |check, zip| {
            let lengths: Vec<_> = zip.iter().filter_map(|(path, node)| Some((path, node.list()?.len()))).collect();
            if let Some((first, length)) = lengths.first().copied() {
                for (path, other) in lengths.iter().filter(|(_, other)| *other != length) {
                    let message = format!(
                        "`{path}` has {} and `{first}` has {length}; the lists of a zip must have the same length",
                        counted(*other as u64, "value")
                    );
                    check.faults.push(Fault::new(zip[*path].span.clone(), message));
                }
                // In a shorter list there are no complete rows to compare; its length was already reported.
                let row = |i: usize| {
                    let values = zip.values().map(|node| node.list().and_then(|list| Some(list.get(i)?.identity())));
                    values.collect::<Option<Vec<_>>>()
                };
                let mut seen = HashMap::new();
                for i in 0..length {
                    let before = row(i).and_then(|row| seen.insert(row, i));
                    if let Some(before) = before {
                        let span = zip[first].list().expect("a list, as its length is known")[i].span.clone();
                        let message = format!("row {} of the zip is the same as row {}", i + 1, before + 1);
                        check.faults.push(Fault::new(span, message));
                    }
                }
            }
            zip.retain(|path, values| match check.swept(path, values) {
                Some(key) => {
                    check.values(key, values, false);
                    true
                }
                None => {
                    check.invalid.insert(keys::UNKNOWN_AXES.into());
                    false
                }
            });
        })
    }

    /// `[[sweep.exclude]]`.
    pub(super) fn exclude(&mut self, node: &mut Node) -> bool {
        self.tables("sweep.exclude", node, |check, exclude| {
            exclude.retain(|path, value| match check.swept(path, value) {
                Some(key) => {
                    let faults = key.kind.check(path, value, check.folder);
                    let fine = faults.is_empty();
                    check.faults.extend(faults);
                    fine
                }
                None => false,
            });
        })
    }

    /// A list of tables, each with its dotted keys flattened.
    fn tables(&mut self, path: &str, node: &mut Node, mut each: impl FnMut(&mut Self, &mut Table)) -> bool {
        let key = keys::find(path).expect("a key of the table");
        let help = format!("write `[[{path}]]`");
        let Item::List(nodes) = &mut node.item else { return self.wrong_kind(key, node, &help) };
        nodes.retain_mut(|node| {
            let mut help = help.as_str();
            let message = match &mut node.item {
                Item::Table(table) if !table.is_empty() => {
                    self.flatten(table);
                    each(self, table);
                    return true;
                }
                Item::Table(_) => {
                    help = match path {
                        "sweep.zip" => {
                            "write keys below it, each with a list of the same length: train.lr = [1e-4, 1e-5]"
                        }
                        _ => "write keys that the sweep varies below it, each with one of its values: train.lr = 1e-4",
                    };
                    format!("a `{path}` table is empty; expected keys")
                }
                _ => format!("`{path}` contains {}; expected a table", node.found()),
            };
            self.faults.push(Fault::new(node.span.clone(), message).help(help));
            false
        });
        true
    }

    /// The key, if a sweep can vary it.
    pub(super) fn swept(&mut self, path: &str, node: &Node) -> Option<&'static Key> {
        let fault = match keys::find(path) {
            Some(key) if key.sweepable() => return Some(key),
            Some(_) => {
                let help = "a sweep can vary keys of `model`, `data`, `train` and `checkpoint`, but not `data.labels`";
                Fault::new(node.key.clone(), format!("`{path}` cannot be swept")).help(help)
            }
            None => {
                let name = path.to_string();
                let help = move || Some(format!("did you mean `{}`?", key_like(&name, Key::sweepable)?));
                Fault::new(node.key.clone(), format!("unknown key `{path}`")).help(Help::later(help))
            }
        };
        self.faults.push(fault);
        None
    }

    /// `train.lr = […]`, which TOML parses as a table `train`, becomes the key `train.lr`. The table of an axis stays a table.
    pub(super) fn flatten(&mut self, table: &mut Table) {
        let mut flat = Table::new();
        let mut rest: Vec<_> = std::mem::take(table).into_iter().collect();
        while let Some((path, node)) = rest.pop() {
            match node.item {
                Item::Table(inner) if !inner.is_empty() && !path.contains('.') && !is_axis(&inner) => {
                    rest.extend(inner.into_iter().map(|(name, node)| (format!("{path}.{name}"), node)));
                }
                _ => {
                    if let Some(other) = flat.insert(path.clone(), node) {
                        self.faults.push(Fault::new(other.key, format!("`{path}` is listed twice")));
                    }
                }
            }
        }
        *table = flat;
    }
}

impl Node {
    fn list(&self) -> Option<&[Node]> {
        match &self.item {
            Item::List(nodes) => Some(nodes),
            _ => None,
        }
    }
}
