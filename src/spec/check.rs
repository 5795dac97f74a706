//! Checks one layer against the table of keys: unknown keys, wrong types, values out of range.

use std::{collections::BTreeSet, path::Path};

use super::{
    Kind, hint,
    keys::{self, Key},
    node::{Item, Node, Table},
    problem::{Fault, Help},
    suggest::{key_like, section_like},
};

/// The check of one layer. Invalid values are removed from the tree, so that the rest has the types of the schema.
pub(super) struct Check<'a> {
    /// The folder that paths of sources are relative to.
    pub folder: Option<&'a Path>,
    /// How the layer writes a key: `train.lr`, `TAPER_TRAIN__LR`.
    pub spell: fn(&str) -> String,
    /// The problems found.
    pub faults: Vec<Fault>,
    /// Keys whose value was removed: contradictions of the merged spec that involve them are not reported.
    pub invalid: BTreeSet<String>,
}

impl Check<'_> {
    /// Checks all tables of a layer, or of a profile within one.
    pub fn root(&mut self, root: &mut Table) {
        root.retain(|name, node| {
            if let Some(key) = keys::find(name) {
                return self.key(key, node);
            }
            if !keys::is_section(name) {
                self.faults.push(self.unknown_table(name, node));
                return false;
            }
            match &mut node.item {
                Item::Table(table) => {
                    self.section(name, table);
                    true
                }
                other => {
                    let help = match other {
                        Item::List(_) => Some(format!("write `[{name}]`")),
                        _ => key_like(name, |_| true).map(|close| did_you_mean(self.spell, close)),
                    };
                    let message = format!("`{name}` is {}; expected a table", node.found());
                    self.faults.push(Fault::new(node.span.clone(), message).help(help));
                    self.invalid.extend(keys::KEYS.iter().filter(|k| k.section() == name).map(|k| k.path.to_string()));
                    false
                }
            }
        });
    }

    fn section(&mut self, section: &str, table: &mut Table) {
        table.retain(|name, node| {
            let path = format!("{section}.{name}");
            match keys::find(&path) {
                Some(key) => self.key(key, node),
                None => {
                    self.faults.push(self.unknown(path, node, |path| key_like(path, |_| true)));
                    false
                }
            }
        });
    }

    /// Returns whether the value stays.
    fn key(&mut self, key: &'static Key, node: &mut Node) -> bool {
        let fine = match key.kind {
            Kind::Labels => self.labels(key, node),
            Kind::Splits => self.splits(key, node),
            Kind::Probes => self.probes(node),
            Kind::Axes => self.axes(node),
            Kind::Zip => self.zip(node),
            Kind::Exclude => self.exclude(node),
            _ => {
                let faults = key.kind.check(key.path, node, self.folder);
                let fine = faults.is_empty();
                self.faults.extend(faults);
                fine
            }
        };
        if !fine {
            self.invalid.insert(key.path.to_string());
        }
        fine
    }

    fn labels(&mut self, key: &Key, node: &mut Node) -> bool {
        let Item::Table(labels) = &mut node.item else { return self.wrong_kind(key, node, "write `[data.labels]`") };
        let before = self.faults.len();
        labels.retain(|value, name| {
            let fine = matches!(&name.item, Item::Text(text) if !text.trim().is_empty()) && !value.trim().is_empty();
            if value.trim().is_empty() {
                let message = "`data.labels` has an empty key; expected a value of the label column";
                self.faults.push(Fault::new(name.key.clone(), message));
            } else if !fine {
                let message =
                    format!("`data.labels.{value}` is {}; expected the label's name, a non-empty string", name.found());
                self.faults.push(Fault::new(name.span.clone(), message));
            }
            fine
        });
        if self.faults.len() > before {
            self.invalid.insert(key.path.to_string());
        }
        true
    }

    fn splits(&mut self, key: &Key, node: &mut Node) -> bool {
        let example = "write splits = { train = \"train\", dev = \"validation\", test = \"test\" }";
        let Item::Table(splits) = &mut node.item else { return self.wrong_kind(key, node, example) };
        let before = self.faults.len();
        splits.retain(|split, value| {
            let known = ["train", "dev", "test"].contains(&split.as_str());
            let fine = matches!(&value.item, Item::Text(text) if !text.trim().is_empty());
            if !known {
                let message = format!("unknown key `data.splits.{split}`; the splits are `train`, `dev` and `test`");
                self.faults.push(Fault::new(value.key.clone(), message).help(example));
            } else if !fine {
                let message = format!(
                    "`data.splits.{split}` is {}; expected its value in `data.split_column`, a non-empty string",
                    value.found()
                );
                self.faults.push(Fault::new(value.span.clone(), message));
            }
            known && fine
        });
        if self.faults.len() > before {
            self.invalid.insert(key.path.to_string());
        }
        true
    }

    fn probes(&mut self, node: &mut Node) -> bool {
        let key = keys::find("probes").expect("a key of the table");
        let Item::List(probes) = &mut node.item else { return self.wrong_kind(key, node, "write `[[probes]]`") };
        let mut seen = BTreeSet::new();
        let pair = |table: &Table| match table.get("text_pair") {
            Some(Node { item: Item::Text(text), .. }) => Some(text.clone()),
            _ => None,
        };
        probes.retain_mut(|probe| {
            let span = probe.span.clone();
            let Item::Table(table) = &mut probe.item else {
                let message = format!("`probes` contains {}; expected a table with `text`", probe.found());
                self.faults.push(Fault::new(span, message).help("write `[[probes]]` and `text = \"…\"` below it"));
                return false;
            };
            let before = self.faults.len();
            let wrote_text = table.contains_key("text");
            self.section("probes", table);
            match table.get("text") {
                Some(Node { span, item: Item::Text(text), .. }) if !seen.insert((text.clone(), pair(table))) => {
                    self.faults.push(Fault::new(span.clone(), format!("the probe {} is listed twice", table["text"])));
                }
                None if !wrote_text => self.faults.push(Fault::new(span, "a probe has no `text`; expected a sentence")),
                _ => {}
            }
            self.faults.len() == before
        });
        true
    }

    /// Adds a fault for a value of the wrong type.
    pub(super) fn wrong_kind(&mut self, key: &Key, node: &Node, help: &str) -> bool {
        let message = format!("`{}` is {}; expected {}", key.path, node.found(), key.kind.expects());
        self.faults.push(Fault::new(node.span.clone(), message).help(help));
        false
    }

    /// An unknown top-level key. A table with a single key is reported together with it: for `TAPER_TRIAN__LR` that is the whole
    /// name.
    fn unknown_table(&self, name: &str, node: &Node) -> Fault {
        let Item::Table(table) = &node.item else {
            return self.unknown(name.to_string(), node, |path| key_like(path, |_| true));
        };
        match table.iter().next().filter(|_| table.len() == 1) {
            Some((only, _)) => {
                let (name, only) = (name.to_string(), only.clone());
                self.unknown(format!("{name}.{only}"), node, move |_| {
                    let section = section_like(&name);
                    let meant = format!("{}.{only}", section.unwrap_or(&name));
                    let close = keys::find(&meant).map(|key| key.path).or_else(|| key_like(&meant, |_| true));
                    close.or(section)
                })
            }
            None => self.unknown(name.to_string(), node, section_like),
        }
    }

    /// An unknown key; `close` finds a suggestion.
    fn unknown(&self, path: String, node: &Node, close: impl Fn(&str) -> Option<&'static str> + 'static) -> Fault {
        let spell = self.spell;
        let message = format!("unknown key `{}`", spell(&path));
        Fault::new(node.key.clone(), message).help(Help::later(move || {
            Some(hint::unsupported(&path).or_else(|| two_meant(spell, &path)).unwrap_or_else(|| match close(&path) {
                Some(close) => did_you_mean(spell, close),
                None => available_keys(&path),
            }))
        }))
    }
}

fn did_you_mean(spell: fn(&str) -> String, path: &str) -> String {
    format!("did you mean `{}`?", spell(path))
}

/// The suggestion for a key that may mean either of two.
fn two_meant(spell: fn(&str) -> String, path: &str) -> Option<String> {
    (path == "sweep.seed").then(|| {
        let [points, runs] = ["sweep.search_seed", "sweep.seeds"].map(spell);
        format!("did you mean `{points}`, from which a search draws its points, or `{runs}`, with a run for each seed?")
    })
}

/// All keys that are valid in the position of an unknown one.
fn available_keys(path: &str) -> String {
    let section = path.rsplit_once('.').map_or("", |(section, _)| section);
    let within = if keys::is_section(section) { section } else { "" };
    let names = || keys::KEYS.iter().filter(|key| key.section() == within && key.path != within).map(Key::name);
    match keys::is_section(section) {
        true => format!("the keys of `{section}` are: {}", names().collect::<Vec<_>>().join(", ")),
        false => {
            let sections = keys::SECTIONS.iter().filter(|name| !name.is_empty()).copied();
            format!("the keys and tables of a spec are: {}", names().chain(sections).collect::<Vec<_>>().join(", "))
        }
    }
}
