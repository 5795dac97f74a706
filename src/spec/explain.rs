//! `--explain`: what a key is, which layer decided it, and what the layers below had said.

use std::fmt;

use figment::value::Value;
use serde::Serialize;

use super::{
    keys::{self, Fallback, Key},
    layer::{Layer, Writer},
    load::LoadedSpec,
    node::{Item, Node},
    problem::{Problem, SpecErrors},
    related,
    suggest::key_like,
};

/// Why a key has its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Dotted path.
    pub key: String,
    /// One line on what it is.
    pub doc: &'static str,
    /// What it takes, with its unit.
    pub expects: String,
    /// The value that holds, in TOML with paths resolved; `None` where the key is absent, and where a sweep gives each point its own.
    pub value: Option<String>,
    /// What absence means, where the key may be absent.
    pub absent: Option<&'static str>,
    /// What each layer says, highest first. Empty where none says anything.
    pub said: Vec<Said>,
    /// The values that a sweep puts above all layers, and where they stand.
    pub swept: Option<Said>,
    /// Keys that change what this one does, or that it changes.
    pub related: Vec<Related>,
}

/// A key that another one has to do with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Its dotted path.
    pub key: &'static str,
    /// Its value now; `None` where it is absent, and where it is swept.
    pub value: Option<String>,
    /// Whether a sweep varies it.
    pub swept: bool,
    /// What the two have to do with each other, a sentence about both.
    pub how: &'static str,
}

/// What one layer says about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// `built-in default`, `file`, ``profile `fast` ``, `environment`, `--set`, `sweep`.
    pub layer: String,
    /// `FILE:LINE`, the variable's name, or the argument; empty for defaults.
    pub place: String,
    /// As it is written there.
    pub value: String,
    /// Whether this is what holds. Of a table, every layer holds that is not overridden key by key.
    pub holds: bool,
}

impl LoadedSpec {
    /// Where the value of a dotted key comes from.
    ///
    /// # Errors
    /// A key that there is not, with what may have been meant.
    pub fn explain(&self, key: &str) -> Result<Explanation, SpecErrors> {
        let (row, path) = locate(key)?;
        let merged = &self.merged;
        let value = merged.value(&path);
        let deciding = value.and_then(|value| merged.layer(value));
        let is_table = value.is_some_and(|value| matches!(value, Value::Dict(..)));
        // What stands in for a required key that is only swept is nobody's word.
        let stand_in = |layer: &Layer| layer.writer == Writer::Default && row.default == Fallback::Required;
        let swept = merged.swept_values(row.path).filter(|_| row.path == key);
        // Where an axis has a condition, the points that do not meet it have the value of the layers.
        let always = swept.is_some_and(|(.., node)| node.unboxed().find(&["when"]).is_none());
        let mut said = Vec::new();
        // As figment puts them: arguments and variables above profiles, and those above what files say outside them.
        for profile in [true, false] {
            for layer in merged.layers.iter().rev().filter(|layer| !stand_in(layer)) {
                if let Some(node) = layer.find(profile, &path).filter(|node| !node.is_empty_table()) {
                    let decides = is_table || deciding.is_some_and(|(by, p)| by.writer == layer.writer && p == profile);
                    let holds = decides && !always;
                    said.push((rank(layer, profile), layer.said(profile, node, holds)));
                }
            }
        }
        said.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        Ok(Explanation {
            key: key.to_string(),
            doc: row.doc,
            expects: match row.unit {
                "" => row.kind.expects(),
                unit => format!("{} ({unit})", row.kind.expects()),
            },
            value: value
                .filter(|_| swept.is_none())
                .and_then(|value| serde_json::to_value(value).ok())
                .and_then(|json| Node::from_json(&json))
                .map(|node| as_written(row, node).to_string()),
            absent: match row.default {
                Fallback::Absent(meaning) => Some(meaning),
                Fallback::Is(_) | Fallback::Required => None,
            },
            said: said.into_iter().map(|(_, said)| said).collect(),
            related: related::of(row.path).map(|(key, how)| self.related(key, how)).collect(),
            swept: swept
                .map(|(layer, profile, node)| Said { layer: "sweep".into(), ..layer.said(profile, node, true) }),
        })
    }
}

impl LoadedSpec {
    fn related(&self, key: &'static str, how: &'static str) -> Related {
        let path: Vec<String> = key.split('.').map(str::to_string).collect();
        let swept = self.merged.swept_values(key).is_some();
        let value = self.merged.value(&path).filter(|_| !swept);
        let node = value.and_then(|value| serde_json::to_value(value).ok()).and_then(|json| Node::from_json(&json));
        Related { key, value: node.map(|node| node.to_string()), swept, how }
    }
}

/// A value of the merged spec, with axes that layers hold as lists of one table as those tables.
fn as_written(row: &Key, mut node: Node) -> Node {
    if row.path == "sweep.axes" {
        match &mut node.item {
            Item::Table(axes) => axes.values_mut().for_each(|axis| *axis = axis.unboxed().clone()),
            _ => node = node.unboxed().clone(),
        }
    }
    node
}

/// Precedence of what a layer says in or outside its profile. Layers of one rank keep their order.
fn rank(layer: &Layer, profile: bool) -> u8 {
    match layer.writer {
        Writer::Default => 0,
        Writer::File(_) => 1 + u8::from(profile),
        Writer::Variable(_) => 3,
        Writer::Set(_) => 4,
    }
}

/// The row of the table for a key, and the parts of its path. What stands below `data.labels` and `sweep.axes` is one
/// part, whatever dots it has.
fn locate(key: &str) -> Result<(&'static Key, Vec<String>), SpecErrors> {
    let refuse = |message: String, help: Option<String>| Err(SpecErrors::new([Problem::new(message, help)]));
    if let Some(row) = keys::find(key).filter(|row| row.section() != "probes" || row.path == "probes") {
        return Ok((row, key.split('.').map(str::to_string).collect()));
    }
    for table in ["data.labels", "sweep.axes"] {
        if let (Some(entry), Some(row)) =
            (key.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')), keys::find(table))
        {
            let parts = table.split('.').chain([entry.trim_matches('"')]).map(str::to_string);
            return Ok((row, parts.collect()));
        }
    }
    if key.starts_with("probes.") {
        return refuse(format!("`{key}` is a key of each probe"), Some("explain `probes`".into()));
    }
    if keys::is_section(key) {
        let names = keys::KEYS.iter().filter(|row| row.section() == key).map(|row| row.path);
        let help = format!("name one of its keys: {}", names.collect::<Vec<_>>().join(", "));
        return refuse(format!("`{key}` is a table"), Some(help));
    }
    let help = key_like(key, |row| row.section() != "probes").map(|close| format!("did you mean `{close}`?"));
    refuse(format!("unknown key `{key}`"), help)
}

impl Layer {
    fn said(&self, profile: bool, node: &Node, holds: bool) -> Said {
        let place = self.place(node.span.clone());
        let (layer, place) = match (&self.writer, &self.chosen) {
            (Writer::Default, _) => ("built-in default".to_string(), String::new()),
            (Writer::File(_), Some(name)) if profile => (format!("profile `{name}`"), place.line()),
            (Writer::File(_), _) => ("file".into(), place.line()),
            (Writer::Variable(name), _) => ("environment".into(), name.clone()),
            (Writer::Set(argument), _) => ("--set".into(), argument.clone()),
        };
        let node = node.unboxed();
        // As written, paths unresolved; a table has no text of its own unless it stands on one line.
        let own = |text: &&str| !matches!(node.item, Item::Table(_)) || text.starts_with('{');
        let written = self.text.get(node.span.clone()).filter(own);
        let value =
            written.map_or_else(|| node.to_string(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        Said { layer, place, value, holds }
    }
}

impl Node {
    /// The one table of a list that holds nothing else: an axis that is more than a list.
    fn unboxed(&self) -> &Self {
        match &self.item {
            Item::List(list) if matches!(list[..], [Self { item: Item::Table(_), .. }]) => &list[0],
            _ => self,
        }
    }

    fn is_empty_table(&self) -> bool {
        matches!(&self.item, Item::Table(table) if table.is_empty())
    }
}

/// On several lines, for a terminal.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (&self.swept, &self.value, self.absent) {
            (Some(swept), ..) => writeln!(f, "{} is swept over {}", self.key, swept.value)?,
            (_, Some(value), _) => writeln!(f, "{} = {value}", self.key)?,
            (.., Some(meaning)) => writeln!(f, "{} is not set: {meaning}", self.key)?,
            (..) => writeln!(f, "{} is not set", self.key)?,
        }
        writeln!(f, "  {}", self.doc)?;
        write!(f, "  takes {}", self.expects)?;
        for said in self.swept.iter().chain(&self.said) {
            let mark = if said.holds { "→" } else { " " };
            let place = if said.place.is_empty() { String::new() } else { format!(" ({})", said.place) };
            write!(f, "\n{mark} {}{place}: {}", said.layer, said.value)?;
        }
        for Related { key, value, swept, how } in &self.related {
            let value = match (swept, value) {
                (true, _) => " (swept)".to_string(),
                (false, Some(value)) => format!(" = {value}"),
                (false, None) => " (not set)".into(),
            };
            write!(f, "\n  see also {key}{value}: {how}")?;
        }
        Ok(())
    }
}
