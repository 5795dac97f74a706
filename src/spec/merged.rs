//! The layers merged by figment, with the location of each value.

use std::collections::BTreeSet;

use figment::{Figment, Profile, value::Value};

use super::{
    conflicts::{Conflict, KeyPath, key},
    folds, keys,
    layer::{CHOSEN, Layer, Origin},
    long_texts,
    node::{Item, Node},
    problem::{Location, NamedFile, Problem, Problems, SpecErrors},
    schema::Spec,
    search, targets,
};
use crate::source::Source;

/// Keys that say the same as others, each with those of lower layers that it overrides: the other key, and what belongs to that alone.
const EITHER: [(&str, &[&str]); 4] = [
    ("data.text_columns", &["data.text_column"]),
    ("data.text_column", &["data.text_columns", "data.separator"]),
    ("data.label_columns", &["data.label_column", "data.label_separator"]),
    ("data.label_column", &["data.label_columns"]),
];

/// A swept key.
struct Swept {
    key: String,
    /// The path of its axis.
    axis: KeyPath,
    /// The path of its list of values, or of the ends of its range.
    list: KeyPath,
    /// Its values; empty for a range.
    values: Vec<Value>,
}

impl Swept {
    /// From an axis as layers hold it: a list of values, or a list with a single table.
    fn new(key: String, axis: KeyPath, value: &Value) -> Self {
        let list = value.as_array().unwrap_or_default();
        let form = match list {
            [Value::Dict(_, table)] => table.iter().find(|(form, _)| *form != "when"),
            _ => None,
        };
        let Some((form, inner)) = form else { return Self { key, list: axis.clone(), axis, values: list.to_vec() } };
        let values = if form == "values" { inner.as_array().unwrap_or_default().to_vec() } else { Vec::new() };
        Self { key, list: [axis.clone(), vec!["0".into(), form.clone()]].concat(), axis, values }
    }
}

/// All layers, and their merged values.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// Lowest first.
    pub layers: Vec<Layer>,
    figment: Figment,
    value: Value,
}

impl Merged {
    pub fn new(layers: Vec<Layer>) -> Result<Self, SpecErrors> {
        let mut merged = Self::of(layers)?;
        match merged.forget_overridden() {
            true => Self::of(merged.layers),
            false => Ok(merged),
        }
    }

    /// Removes keys that a higher layer overrides by the other key for the same setting; whether there were any.
    fn forget_overridden(&mut self) -> bool {
        let mut overridden = Vec::new();
        for (winner, losers) in EITHER {
            // An empty list is as good as none.
            let is_set = |value: &Value| value.as_array().is_none_or(|list| !list.is_empty());
            let rank = self.rank(winner).filter(|rank| *rank > (0, 0) && self.value(&key(winner)).is_some_and(is_set));
            if let Some(rank) = rank {
                overridden.extend(losers.iter().map(|loser| (key(loser), rank)));
            }
        }
        let ranks: Vec<_> =
            self.layers.iter().map(|layer| [false, true].map(|in_profile| self.rank_in(layer, in_profile))).collect();
        let mut any = false;
        for (layer, [outside, in_profile]) in self.layers.iter_mut().zip(ranks) {
            for (path, winner) in &overridden {
                any |= outside > (0, 0) && outside < *winner && layer.forget(false, path);
                any |= in_profile > (0, 0) && in_profile < *winner && layer.forget(true, path);
            }
        }
        any
    }

    fn of(layers: Vec<Layer>) -> Result<Self, SpecErrors> {
        let figment = layers.iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
        let figment = figment.select(Profile::new(CHOSEN));
        let value = figment.find_value("").map_err(|error| internal(&error))?;
        Ok(Self { layers, figment, value })
    }

    pub fn spec(&self) -> Result<Spec, SpecErrors> {
        self.figment.extract().map_err(|error| internal(&error))
    }

    /// The merged value at a path.
    pub fn value(&self, path: &[impl AsRef<str>]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, part| match value {
            Value::Dict(_, dict) => dict.get(part.as_ref()),
            Value::Array(_, values) => values.get(part.as_ref().parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The layer that the value comes from (by figment's tag), and whether it comes from the layer's profile.
    pub fn layer(&self, value: &Value) -> Option<(&Layer, bool)> {
        let metadata = self.figment.get_metadata(value.tag())?;
        Some((Layer::by_metadata(&self.layers, metadata)?, value.tag().profile().is_none()))
    }

    /// The value's node in the layer that it comes from.
    fn node(&self, path: &[String]) -> Option<(&Layer, &Node)> {
        let (layer, profile) = self.layer(self.value(path)?)?;
        Some((layer, layer.find(profile, path)?))
    }

    /// A number as it was written: `1e-3`, not `0.001`; `None` for other values.
    pub fn written_number(&self, value: &Value, path: &[String]) -> Option<String> {
        let (layer, profile) = self.layer(value)?;
        let node = layer.find(profile, path).filter(|node| matches!(node.item, Item::Integer(_) | Item::Float(_)))?;
        let text = layer.text.get(node.span.clone())?.trim();
        Some(text.to_string()).filter(|text| !text.is_empty())
    }

    /// Where the value was written; `None` for built-in defaults.
    pub fn location(&self, path: &[String]) -> Option<Location> {
        let (layer, node) = self.node(path)?;
        (layer.origin != Origin::Default).then(|| layer.location(node.span.clone()))
    }

    /// Sorts problems by layer and line; those without a position come last.
    pub fn sort(&self, problems: &mut [Problem]) {
        let sources: Vec<_> = self.layers.iter().map(Layer::source).collect();
        problems.sort_by_key(|problem| match &problem.location {
            Some(location) => (sources.iter().position(|source| *source == location.source), location.position),
            None => (Some(usize::MAX), None),
        });
    }

    pub fn problem(&self, conflict: Conflict) -> Problem {
        let written = conflict.keys.iter().filter_map(|path| Some((self.rank_of(path)?, self.location(path)?, path)));
        let mut written: Vec<_> = written.collect();
        // The layer that overrides the others brought the contradiction: its line first.
        let last = written.iter().map(|(rank, ..)| *rank).max();
        let first = written.iter().position(|(rank, ..)| Some(*rank) == last);
        let location = first.map(|first| written.remove(first).1);
        let elsewhere =
            written.iter().filter(|(_, other, _)| location.as_ref().is_some_and(|l| l.source != other.source));
        let elsewhere: Vec<String> =
            elsewhere.map(|(_, other, path)| format!("`{}` is set at {}", path.join("."), other.line())).collect();
        let mut message = conflict.message;
        if !elsewhere.is_empty() {
            message += &format!(" ({})", elsewhere.join(", "));
        }
        Problem { location, message, help: conflict.help.text() }
    }

    /// The same order for conflicts, of which not all may be shown.
    pub fn in_order(&self, mut conflicts: Vec<Conflict>) -> Vec<Conflict> {
        let position = |path: &KeyPath| {
            let (layer, node) = self.node(path)?;
            let index = self.layers.iter().position(|other| std::ptr::eq(other, layer))?;
            (layer.origin != Origin::Default).then_some((index, node.span.start))
        };
        let first = |conflict: &Conflict| conflict.keys.iter().find_map(position).unwrap_or((usize::MAX, 0));
        conflicts.sort_by_cached_key(first);
        conflicts
    }

    /// Required keys that no layer sets get the first value of their axis; others are reported and get a stand-in. Returns the swept
    /// keys.
    pub fn fill_required(
        &mut self,
        problems: &mut Problems,
        spoilt: &mut BTreeSet<String>,
    ) -> Result<BTreeSet<String>, SpecErrors> {
        let swept = self.swept();
        let required =
            keys::KEYS.iter().filter(|key| key.default == keys::Fallback::Required && key.section() != "probes");
        for missing in required {
            let path = key(missing.path);
            if self.value(&path).is_some() {
                continue;
            }
            let first = swept.iter().find(|swept| swept.key == missing.path).and_then(|swept| swept.values.first());
            if first.is_none() && !spoilt.contains(missing.path) {
                let message = format!("`{}` is missing; expected {}", missing.path, missing.kind.expects());
                problems.add(|| Problem { location: self.header(missing.section()), message, help: None });
            }
            if first.is_none() {
                spoilt.insert(missing.path.into());
            }
            let stand_in = missing.kind.stand_in(first.and_then(Value::as_str));
            let defaults = &mut self.layers[0];
            let node = Node::new(0..0, Item::Text(stand_in));
            let section =
                defaults.root.entry(path[0].clone()).or_insert_with(|| Node::new(0..0, Item::Table([].into())));
            if let Item::Table(table) = &mut section.item {
                table.insert(path[1].clone(), node);
            }
        }
        *self = Self::new(std::mem::take(&mut self.layers))?;
        Ok(self.swept().into_iter().map(|swept| swept.key).collect())
    }

    /// All swept keys.
    fn swept(&self) -> Vec<Swept> {
        let sweep = |part: &str| self.value(&["sweep", part]);
        let axes = sweep("axes").and_then(Value::as_dict).into_iter().map(|axes| (key("sweep.axes"), axes));
        let zips = sweep("zip").and_then(Value::as_array).unwrap_or_default().iter().enumerate();
        let zips = zips.filter_map(|(i, zip)| Some((key(&format!("sweep.zip.{i}")), zip.as_dict()?)));
        let tables = axes.chain(zips).flat_map(|(table, dict)| {
            dict.iter().map(move |(path, values)| (path.clone(), [table.clone(), vec![path.clone()]].concat(), values))
        });
        let seeds = sweep("seeds").map(|values| ("train.seed".to_string(), key("sweep.seeds"), values));
        let seeds = seeds.filter(|(.., values)| values.as_array().is_some_and(|values| !values.is_empty()));
        let folds = sweep("folds").map(|value| ("data.fold".to_string(), key("sweep.folds"), value));
        tables.chain(seeds).chain(folds).map(|(key, axis, value)| Swept::new(key, axis, value)).collect()
    }

    /// The keys of axes and zips in the order in which they are written, those of lower layers first.
    pub fn written_axes(&self) -> Vec<String> {
        let first = |swept: &Swept| {
            let tables = self.layers.iter().enumerate().flat_map(|(at, layer)| {
                layer.tables().filter_map(move |(profile, _)| Some((at, layer.find(profile, &swept.axis)?.key.start)))
            });
            tables.min()
        };
        let mut axes: Vec<Swept> =
            self.swept().into_iter().filter(|swept| ["axes", "zip"].contains(&swept.axis[1].as_str())).collect();
        axes.sort_by_key(|swept| first(swept).unwrap_or((usize::MAX, 0)));
        axes.into_iter().map(|swept| swept.key).collect()
    }

    /// The values of a swept key: their layer, whether they are in its profile, and the list or table.
    pub fn swept_values(&self, path: &str) -> Option<(&Layer, bool, &Node)> {
        let swept = self.swept().into_iter().find(|swept| swept.key == path)?;
        let (layer, profile) = self.layer(self.value(&swept.axis)?)?;
        Some((layer, profile, layer.find(profile, &swept.axis)?))
    }

    /// The location of `value` among the swept values of a key, or of the range that it was drawn from.
    pub fn swept_at(&self, path: &str, value: &serde_json::Value) -> Option<Location> {
        let wanted = Node::from_json(value)?;
        let swept = self.swept().into_iter().find(|swept| swept.key == path)?;
        let found = (0..swept.values.len()).map(|i| [swept.list.clone(), vec![i.to_string()]].concat());
        let value = found.filter_map(|path| self.node(&path)).find(|(_, node)| node.same(&wanted));
        let (layer, node) = value.or_else(|| self.node(&swept.list))?;
        Some(layer.location(node.span.clone()))
    }

    /// The local files and folders that a key with a source, or its axis, names.
    pub fn files(&self, path: &'static str) -> Vec<NamedFile> {
        let values = match self.swept().into_iter().find(|swept| swept.key == path) {
            Some(swept) => {
                (0..swept.values.len()).map(|i| [swept.list.clone(), vec![i.to_string()]].concat()).collect()
            }
            None => vec![key(path)],
        };
        let file = |path: &KeyPath| match self.value(path)?.as_str()?.parse() {
            Ok(Source::Path(file)) => Some((file, self.location(path)?)),
            _ => None,
        };
        values.iter().filter_map(file).map(|(file, location)| NamedFile { key: path, path: file, location }).collect()
    }

    /// The header of a table in the highest file that has one, or the file.
    fn header(&self, section: &str) -> Option<Location> {
        let files = || self.layers.iter().rev().filter(|layer| matches!(layer.origin, Origin::File(_)));
        let header = files().find_map(|layer| layer.root.get(section).map(|node| layer.location(node.key.clone())));
        header.or_else(|| {
            files().next().map(|layer| Location { position: None, text: String::new(), ..layer.location(0..0) })
        })
    }

    /// The rank of the layer that sets a key: profiles rank above files, a file above the files that it extends, variables and arguments above
    /// both. Built-in defaults are lowest.
    pub fn rank(&self, path: &str) -> Option<(u8, usize)> {
        self.rank_of(&key(path))
    }

    /// Whether a layer below the one that sets a key sets it, too; built-in defaults do not count.
    pub fn overrides(&self, path: &str) -> bool {
        let (path, own) = (key(path), self.rank(path));
        let set = |layer: &Layer, profile: bool| layer.find(profile, &path).map(|_| Some(self.rank_in(layer, profile)));
        let below = |rank: Option<(u8, usize)>| rank > Some((0, 0)) && rank < own;
        self.layers.iter().flat_map(|layer| [set(layer, false), set(layer, true)]).flatten().any(below)
    }

    fn rank_of(&self, path: &[String]) -> Option<(u8, usize)> {
        let (layer, profile) = self.layer(self.value(path)?)?;
        Some(self.rank_in(layer, profile))
    }

    fn rank_in(&self, layer: &Layer, profile: bool) -> (u8, usize) {
        match &layer.origin {
            Origin::Default => (0, 0),
            Origin::File(_) if profile => (2, 0),
            Origin::File(_) => (1, self.layers.iter().position(|other| other.origin == layer.origin).unwrap_or(0)),
            Origin::Variable(_) => (3, 0),
            Origin::Set(_) => (4, 0),
        }
    }

    /// Whether the sweep varies a key.
    pub fn is_swept(&self, path: &str) -> bool {
        self.swept().iter().any(|swept| swept.key == path)
    }

    /// Contradictions that depend on which layer set which key.
    pub fn of_layers(&self, spec: &Spec) -> Vec<Conflict> {
        let mut found = Vec::new();
        let rank = |path: &str| self.rank(path);
        // A vocabulary size in a lower layer than the source belongs to a source that was overridden.
        let (size, source) = (rank("model.vocab_size"), rank("model.source"));
        let swept = self.is_swept("model.source");
        if !spec.model.source.builds_vocabulary() && size > Some((0, 0)) && size >= source && !swept {
            found.push(Conflict {
                keys: vec![key("model.vocab_size"), key("model.source")],
                message: format!(
                    "`model.vocab_size` applies only to `scratch:` models without a vocabulary, but the source is `{}`",
                    spec.model.source
                ),
                help: "remove it: a pretrained model comes with its vocabulary".into(),
            });
        }
        // Likewise a key whose rule was replaced in a higher layer.
        let said = |owned: &search::Owned| {
            let said = rank(owned.key);
            self.is_swept(owned.key) || (said > Some((0, 0)) && owned.rules.iter().all(|rule| said >= rank(rule)))
        };
        let unread = search::unread(spec).into_iter().chain(long_texts::unread(spec, |key| self.is_swept(key)));
        let unread = unread.chain(targets::unread(spec, |key| self.is_swept(key)));
        found.extend(unread.filter(said).map(|owned| Conflict {
            keys: [owned.key].iter().chain(owned.rules).map(|path| key(path)).collect(),
            message: owned.message,
            help: format!("remove it, or change `{}`", owned.rules.join("` or `")).into(),
        }));
        let data = &spec.data;
        let says_test = rank("data.test") > Some((0, 0)) && !self.is_swept("data.test");
        match (data.test_value(), &data.splits) {
            (Some(_), _) if says_test && !data.test.is_none() => found.push(Conflict {
                keys: vec![key("data.test"), key("data.splits")],
                message: "`data.test` and `data.splits.test` both say which rows are the test split".into(),
                help: "remove one of them".into(),
            }),
            // The default would take a share of the training rows of a dataset that has its own splits.
            (None, Some(_)) if !says_test && !self.is_swept("data.test") && !spec.has_folds() => found.push(Conflict {
                keys: vec![key("data.splits"), key("data.test")],
                message: "`data.splits` names no test rows, and `data.test` is not set".into(),
                help:
                    "add the value of the test rows, or set data.test: 0 for none, a share of the training rows, or a \
                     file"
                        .into(),
            }),
            _ => {}
        }
        found.extend(folds::of_layers(spec, says_test || self.is_swept("data.test"), rank("data.fold").is_some()));
        let says_column = rank("data.text_column") > Some((0, 0)) || self.is_swept("data.text_column");
        if says_column && !data.text_columns.is_empty() {
            found.push(Conflict {
                keys: vec![key("data.text_columns"), key("data.text_column")],
                message: "`data.text_columns` and `data.text_column` both say which columns hold the text".into(),
                help: "remove one of them".into(),
            });
        }
        let says_label = rank("data.label_column") > Some((0, 0)) || self.is_swept("data.label_column");
        if says_label && !data.label_columns.is_empty() {
            found.push(Conflict {
                keys: vec![key("data.label_columns"), key("data.label_column")],
                message: "`data.label_columns` and `data.label_column` both say which columns hold the labels".into(),
                help: "remove one of them".into(),
            });
        }
        found
    }
}

impl Conflict {
    /// Whether one of the dotted keys is involved.
    pub fn touches(&self, keys: &BTreeSet<String>) -> bool {
        self.keys.iter().any(|path| {
            let dotted = path.join(".");
            keys.iter()
                .any(|key| dotted == *key || dotted.strip_prefix(key.as_str()).is_some_and(|r| r.starts_with('.')))
        })
    }
}

/// An error that the checks should have prevented.
pub(super) fn internal(error: &dyn std::error::Error) -> SpecErrors {
    SpecErrors::new([Problem::new(format!("the spec contradicts itself: {error}"), None)])
}
