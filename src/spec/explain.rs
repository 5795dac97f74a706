//! `--explain`: what a key means, which layer sets it, and the values of the lower layers.

use std::fmt;

use figment::value::Value;
use serde::Serialize;

use super::{
    keys::{self, Fallback, Key},
    layer::{Layer, Origin},
    load::LoadedSpec,
    node::{Item, Node},
    problem::{Problem, SpecErrors},
    related,
    suggest::key_like,
};
use crate::format::setting;

/// The origin of a key's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Dotted path.
    pub key: String,
    /// One line of documentation.
    pub doc: &'static str,
    /// What values it takes, with its unit.
    pub expects: String,
    /// The effective value, in TOML with resolved paths; `None` if the key is absent, or if a sweep varies it.
    pub value: Option<String>,
    /// The key that decides instead of it, and how: `data.splits.test = "test" (the rows with this value in column "part")`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The meaning of absence, if the key may be absent.
    pub absent: Option<String>,
    /// The value in each layer that sets it, highest first.
    #[serde(rename = "said")]
    pub layers: Vec<LayerValue>,
    /// The values of a sweep, which override all layers, and their location.
    pub swept: Option<LayerValue>,
    /// Keys that affect this one, or are affected by it.
    pub related: Vec<Related>,
}

/// A related key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Its dotted path.
    pub key: &'static str,
    /// Its current value; `None` if it is absent or swept.
    pub value: Option<String>,
    /// Whether a sweep varies it.
    pub swept: bool,
    /// How the two keys are related: a sentence about both.
    pub how: &'static str,
}

/// The value of a key in one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerValue {
    /// `built-in default`, `file`, ``profile `fast` ``, `environment`, `--set`, `sweep`.
    pub layer: String,
    /// `FILE:LINE`, the variable's name, or the argument; empty for defaults.
    #[serde(rename = "place")]
    pub location: String,
    /// The value as that layer writes it.
    pub value: String,
    /// Whether this value is effective. Tables are merged key by key, so several layers may be.
    pub holds: bool,
}

impl LoadedSpec {
    /// Where the value of a dotted key comes from.
    ///
    /// # Errors
    /// An unknown key, with suggestions.
    pub fn explain(&self, key: &str) -> Result<Explanation, SpecErrors> {
        let (row, path) = locate(key)?;
        let merged = &self.merged;
        let value = merged.value(&path);
        let deciding = value.and_then(|value| merged.layer(value));
        let is_table = value.is_some_and(|value| matches!(value, Value::Dict(..)));
        // The stand-in for a required key that is only swept comes from no layer.
        let stand_in = |layer: &Layer| layer.origin == Origin::Default && row.default == Fallback::Required;
        let swept = merged.swept_values(row.path).filter(|_| row.path == key);
        // If an axis has a condition, points that do not meet it have the value of the layers.
        let decided_by = self.decided_by(row.path);
        let swept_everywhere = swept.is_some_and(|(.., node)| node.unboxed().find(&["when"]).is_none());
        let mut layers = Vec::new();
        // In figment's order: arguments and variables override profiles, which override files.
        for profile in [true, false] {
            for layer in merged.layers.iter().rev().filter(|layer| !stand_in(layer)) {
                if let Some(node) = layer.find(profile, &path).filter(|node| !node.is_empty_table()) {
                    let decides = is_table || deciding.is_some_and(|(by, p)| by.origin == layer.origin && p == profile);
                    let holds = decides && !swept_everywhere && decided_by.is_none();
                    layers.push((rank(layer, profile), layer.value_of(profile, node, holds)));
                }
            }
        }
        layers.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        Ok(Explanation {
            key: key.to_string(),
            doc: row.doc,
            expects: row.kind.expects_in(row.unit),
            value: value.filter(|_| swept.is_none() && decided_by.is_none()).and_then(|value| {
                merged.written_number(value, &path).or_else(|| Some(as_written(row, node_of(value)?).to_string()))
            }),
            decided_by,
            absent: match row.default {
                Fallback::Absent(meaning) => Some(meaning.into()),
                Fallback::SameAs(other) => Some(format!("`{other}`")),
                Fallback::Is(_) | Fallback::Required => None,
            },
            layers: layers.into_iter().map(|(_, value)| value).collect(),
            related: related::of(row.path).map(|(key, how)| self.related(key, how)).collect(),
            swept: swept.map(|(layer, profile, node)| LayerValue {
                layer: "sweep".into(),
                ..layer.value_of(profile, node, true)
            }),
        })
    }
}

impl LoadedSpec {
    /// What decides instead of a key that names a split: a value of `data.splits`.
    fn decided_by(&self, key: &str) -> Option<String> {
        let (spec, data) = (self.spec(), &self.spec().data);
        if key == "data.test" && spec.has_folds() {
            return Some(format!("{} (each fold is the test split of a run)", spec.folds_key()));
        }
        let value = match key {
            "data.dev" => data.dev_value()?,
            "data.test" => data.test_value()?,
            _ => return None,
        };
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let split = key.strip_prefix("data.")?;
        let column = text(data.split_column.as_deref()?);
        Some(format!("data.splits.{split} = {} (the rows with this value in column {column})", text(value)))
    }

    fn related(&self, key: &'static str, how: &'static str) -> Related {
        let path: Vec<String> = key.split('.').map(str::to_string).collect();
        let swept = self.merged.swept_values(key).is_some();
        let value = self.merged.value(&path).filter(|_| !swept && self.decided_by(key).is_none());
        let text = |value| self.merged.written_number(value, &path).or_else(|| Some(node_of(value)?.to_string()));
        Related { key, value: value.and_then(text), swept, how }
    }
}

fn node_of(value: &Value) -> Option<Node> {
    Node::from_json(&serde_json::to_value(value).ok()?)
}

/// A value of the merged spec; axes, which layers hold as lists of one table, as those tables.
fn as_written(row: &Key, mut node: Node) -> Node {
    if row.path == "sweep.axes" {
        match &mut node.item {
            Item::Table(axes) => axes.values_mut().for_each(|axis| *axis = axis.unboxed().clone()),
            _ => node = node.unboxed().clone(),
        }
    }
    node
}

/// Precedence of a layer's values inside or outside its profile. Layers of equal rank keep their order.
fn rank(layer: &Layer, profile: bool) -> u8 {
    match layer.origin {
        Origin::Default => 0,
        Origin::File(_) => 1 + u8::from(profile),
        Origin::Variable(_) => 3,
        Origin::Set(_) => 4,
    }
}

/// The row of a key in the table of keys, and the parts of its path. The part below `data.labels` and `sweep.axes` is a single one, even
/// if it contains dots.
fn locate(key: &str) -> Result<(&'static Key, Vec<String>), SpecErrors> {
    let refuse = |message: String, help: Option<String>| Err(SpecErrors::new([Problem::new(message, help)]));
    if let Some(row) = keys::find(key).filter(|row| row.section() != "probes" || row.path == "probes") {
        return Ok((row, key.split('.').map(str::to_string).collect()));
    }
    for table in ["data.labels", "data.splits", "sweep.axes"] {
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
    fn value_of(&self, profile: bool, node: &Node, holds: bool) -> LayerValue {
        let location = self.location(node.span.clone());
        let (layer, location) = match (&self.origin, &self.chosen) {
            (Origin::Default, _) => ("built-in default".to_string(), String::new()),
            (Origin::File(_), Some(name)) if profile => (format!("profile `{name}`"), location.line()),
            (Origin::File(_), _) => ("file".into(), location.line()),
            (Origin::Variable(name), _) => ("environment".into(), name.clone()),
            (Origin::Set(argument), _) => ("--set".into(), argument.clone()),
        };
        let node = node.unboxed();
        // As written, with unresolved paths; a table has its own text only if it is on one line.
        let own = |text: &&str| !matches!(node.item, Item::Table(_)) || text.starts_with('{');
        let written = self.text.get(node.span.clone()).filter(own);
        let value =
            written.map_or_else(|| node.to_string(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        LayerValue { layer, location, value, holds }
    }
}

impl Node {
    /// The table in a list of one table: an axis that is more than a list of values.
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

/// A number, or the numbers of a list, as names of runs have them, so that equal values of several layers look equal: `5e-5`, not `0.00005`.
/// Other values as they are.
fn one_notation(value: &str) -> String {
    let number = |text: &str| {
        let is_real = text.contains(['.', 'e', 'E']);
        let number = text.replace('_', "").parse::<f64>().ok().filter(|number| is_real && number.is_finite())?;
        Some(match setting(number) {
            // TOML's integers have neither a point nor an exponent.
            whole if !whole.contains(['.', 'e']) => format!("{whole}.0"),
            text => text,
        })
    };
    match value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(list) => {
            let parts: Option<Vec<String>> = list.split(", ").map(number).collect();
            parts.map_or_else(|| value.to_string(), |parts| format!("[{}]", parts.join(", ")))
        }
        None => number(value).unwrap_or_else(|| value.to_string()),
    }
}

/// Formatted for a terminal.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (&self.swept, &self.value, &self.absent) {
            _ if self.decided_by.is_some() => {
                writeln!(f, "{} has no effect: {} overrides it", self.key, self.decided_by.as_deref().unwrap_or(""))?;
            }
            (Some(swept), ..) => writeln!(f, "{} is swept over {}", self.key, one_notation(&swept.value))?,
            (_, Some(value), _) => writeln!(f, "{} = {}", self.key, one_notation(value))?,
            (.., Some(meaning)) => writeln!(f, "{} is not set: {meaning}", self.key)?,
            (..) => writeln!(f, "{} is not set", self.key)?,
        }
        writeln!(f, "  {}", self.doc)?;
        write!(f, "  takes {}", self.expects)?;
        if let Some(meaning) = self.absent.as_ref().filter(|_| self.value.is_some() || self.swept.is_some()) {
            write!(f, "; if the key is left out: {meaning}")?;
        }
        for value in self.swept.iter().chain(&self.layers) {
            let mark = if value.holds { "→" } else { " " };
            let location = if value.location.is_empty() { String::new() } else { format!(" ({})", value.location) };
            write!(f, "\n{mark} {}{location}: {}", value.layer, one_notation(&value.value))?;
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

#[cfg(test)]
mod tests {
    use super::one_notation;

    #[test]
    fn equal_numbers_look_equal_whatever_their_layer_has_written() {
        let of = ["0.00005", "5e-5", "5.0E-5", "0.5", "1.0", "1e0", "1_000.5"].map(one_notation);
        assert_eq!(of, ["5e-5", "5e-5", "5e-5", "0.5", "1.0", "1.0", "1000.5"]);
        assert_eq!(one_notation("[0.0001, 5e-5]"), "[1e-4, 5e-5]");
        let others = ["3", "true", "\"0.00005\"", "[1, 2]", "[]", "{ log = [1e-4, 0.1] }", "\"a, 1.5\"", "inf"];
        assert_eq!(others.map(one_notation), others);
    }
}
