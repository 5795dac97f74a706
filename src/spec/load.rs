//! From layers to a checked [`Spec`], and from there to each point of its sweep.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    assign, conflicts, doubts,
    files::Files,
    keys,
    kind::Kind,
    layer::{Layer, Writer},
    merged::{Merged, internal},
    node::{Node, table_from_toml},
    problem::{Place, Problem, Problems, SpecErrors},
    schema::{Spec, Sweep},
    search,
    suggest::{choice_help, key_like},
    value::is_name,
};
use crate::warning::Warning;

/// What an experiment is called while it has no name.
const NAMELESS: &str = "unnamed";

/// What there is besides the file.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The `[profile.NAME]` that counts.
    pub profile: Option<String>,
    /// `KEY=VALUE` of each `--set`, in their order.
    pub sets: Vec<String>,
    /// All environment variables; those that set no key are passed over.
    pub env: Vec<(String, String)>,
}

/// A spec without a known problem, which still knows where each value comes from.
#[derive(Debug, Clone)]
pub struct LoadedSpec {
    path: PathBuf,
    pub(super) merged: Merged,
    spec: Spec,
    /// The spec without what is swept: what points start from.
    ground: Spec,
    /// Its tables that can be swept, as JSON.
    tables: serde_json::Value,
    warnings: Vec<Warning>,
}

impl LoadedSpec {
    /// Reads the file and all that it extends, puts profile, environment and arguments above, and checks everything.
    ///
    /// # Errors
    /// All problems at once, of many the first: unreadable files, invalid TOML, unknown keys, wrong types, values out of range, keys that
    /// contradict each other. Whether the files and models that a spec names exist is not looked at.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, SpecErrors> {
        let mut files = Files::default();
        files.read(path, None);
        let Files { layers, mut problems, incomplete, .. } = files;
        let mut layers: Vec<_> = std::iter::once(defaults(path)).chain(layers).collect();
        let unknown_profile = choose_profile(&mut layers, options.profile.as_deref()).filter(|_| !incomplete);
        unknown_profile.into_iter().for_each(|problem| problems.add(|| problem));
        for (more, wrong) in [assign::from_environment(&options.env), assign::from_arguments(&options.sets)] {
            layers.extend(more);
            wrong.into_iter().for_each(|problem| problems.add(|| problem));
        }
        if incomplete {
            return Err(problems.into_errors());
        }
        let mut spoilt = BTreeSet::new();
        for layer in &mut layers {
            let (faults, keys) = layer.check();
            faults.into_iter().for_each(|fault| problems.add(|| layer.problem(fault)));
            spoilt.extend(keys);
        }
        let mut merged = Merged::new(layers)?;
        nameless(&merged, path).into_iter().for_each(|problem| problems.add(|| problem));
        let swept = merged.fill_required(&mut problems, &mut spoilt)?;
        let spec = merged.spec()?;
        let conflicts = conflicts::of_run(&spec).into_iter().filter(|conflict| !conflict.touches(&swept));
        let conflicts = conflicts.chain(search::of_sweep(&spec)).chain(merged.of_layers(&spec));
        let conflicts = conflicts.filter(|conflict| !conflict.touches(&spoilt)).collect();
        for conflict in merged.in_order(conflicts) {
            problems.add(|| merged.problem(conflict));
        }
        if !problems.is_empty() {
            merged.sort(&mut problems.shown);
            return Err(problems.into_errors());
        }
        let rules = Sweep { axes: [].into(), zip: vec![], exclude: vec![], seeds: vec![], ..spec.sweep.clone() };
        let ground = Spec { sweep: rules, ..spec.clone() };
        let tables = serde_json::to_value(&ground).map_err(|error| internal(&error))?;
        let warnings = doubts::of_spec(&merged, &spec, &options.env);
        Ok(Self { path: path.to_path_buf(), merged, spec, ground, tables, warnings })
    }

    /// The spec, without regard to its sweep. Where a required key is only swept, it has the first of its values.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What is legal and probably a mistake, as far as the spec itself shows it.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The file, as it was called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says.
    pub fn text(&self) -> &str {
        let file = self.merged.layers.iter().find(|layer| layer.writer == Writer::File(self.path.clone()));
        file.map_or("", |layer| &layer.text)
    }

    /// Path and text of each file that it extends, those of others among them, in the order in which they count.
    pub fn extends(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.merged.layers.iter().filter_map(|layer| match &layer.writer {
            Writer::File(path) if *path != self.path => Some((path.as_path(), layer.text.as_str())),
            _ => None,
        })
    }

    /// Where somebody wrote the value of a key, or the value that a sweep gives it, as they can find it: `a.toml:7`,
    /// `--set train.lr=1e-4`, a variable's name. None for built-in defaults.
    pub fn written_at(&self, path: &str, swept: Option<&serde_json::Value>) -> Option<String> {
        let swept = swept.and_then(|value| self.merged.swept_at(path, value));
        swept.map(|place| place.line()).or_else(|| self.merged.written(path))
    }

    /// The spec at one point of its sweep: `overrides`, pairs of dotted key and value, take precedence over all layers. Its
    /// own sweep is empty: axes, zips, exclusions and seeds are those of the whole.
    ///
    /// # Errors
    /// Keys and values that the table of keys refuses, and contradictions, each where the swept value is in the file.
    pub fn at(&self, overrides: &[(String, serde_json::Value)]) -> Result<Spec, SpecErrors> {
        let point = || {
            let toml = |value| Node::from_json(value).map_or_else(|| value.to_string(), |node| node.to_string());
            let names: Vec<_> = overrides.iter().map(|(path, value)| format!("{path}={}", toml(value))).collect();
            format!(" (in the sweep point {})", names.join(" "))
        };
        let mut problems = Problems::default();
        let mut changed: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
        for (path, value) in overrides {
            let place = || self.merged.swept_at(path, value);
            let problem =
                |message: &str, help| Problem { place: place(), message: format!("{message}{}", point()), help };
            match (keys::find(path).filter(|key| key.sweepable()), Node::from_json(value)) {
                (None, _) => {
                    let help = key_like(path, keys::Key::sweepable).map(|close| format!("did you mean `{close}`?"));
                    problems.add(|| problem(&format!("`{path}` cannot be swept"), help));
                }
                (_, None) => problems.add(|| problem(&format!("`{path}` is null; expected a value"), None)),
                (Some(key), Some(mut node)) => {
                    let faults = key.kind.check(path, &mut node, None);
                    faults.iter().for_each(|fault| problems.add(|| problem(&fault.message, fault.help.text())));
                    let (section, name) = path.split_once('.').unwrap_or(("", path));
                    let table = changed.entry(section).or_insert_with(|| self.tables[section].clone());
                    table[name] = node.to_json();
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems.into_errors());
        }
        let mut spec = self.ground.clone();
        for (section, table) in changed {
            let read = match section {
                "model" => serde_json::from_value(table).map(|table| spec.model = table),
                "data" => serde_json::from_value(table).map(|table| spec.data = table),
                "train" => serde_json::from_value(table).map(|table| spec.train = table),
                _ => serde_json::from_value(table).map(|table| spec.checkpoint = table),
            };
            read.map_err(|error| internal(&error))?;
        }
        for conflict in conflicts::of_run(&spec) {
            let swept = overrides.iter().find(|(path, _)| conflict.touches(&BTreeSet::from([path.clone()])));
            let place = swept.and_then(|(path, value)| self.merged.swept_at(path, value));
            let mut problem = self.merged.problem(conflict);
            problem.message.push_str(&point());
            problem.place = place.or(problem.place);
            problems.add(|| problem);
        }
        if problems.is_empty() { Ok(spec) } else { Err(problems.into_errors()) }
    }
}

/// The file's name without its ending: the experiment's name where none is given and this can be one.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What to say where nobody gives a name and the file's own cannot be one.
fn nameless(merged: &Merged, path: &Path) -> Option<Problem> {
    let stem = stem(path);
    let is_written = merged.rank("name") > Some((0, 0));
    (!is_written && !is_name(&stem)).then(|| {
        let expected = Kind::Name.expects();
        let message =
            format!("the experiment has no name: `{stem}`, from the file's name, cannot be one; expected {expected}");
        let help = "write name = \"…\" at the top of the file, or rename the file".to_string();
        let source = path.display().to_string();
        let place = Place { position: None, text: String::new(), ..Place::new(source, "", 0..0, true) };
        Problem { place: Some(place), message, help: Some(help) }
    })
}

/// The lowest layer.
fn defaults(path: &Path) -> Layer {
    let stem = Some(stem(path)).filter(|stem| is_name(stem)).unwrap_or_else(|| NAMELESS.into());
    let text = keys::defaults(&stem);
    let root = toml::de::DeTable::parse(&text).map(|table| table_from_toml(table.get_ref(), 0));
    Layer::new(Writer::Default, text.clone(), root.unwrap_or_default())
}

/// Marks the profile in every file that has it, or says that none has.
fn choose_profile(layers: &mut [Layer], wanted: Option<&str>) -> Option<Problem> {
    let wanted = wanted?;
    let mut names = BTreeSet::new();
    let mut found = false;
    for layer in layers.iter_mut() {
        names.extend(layer.profiles.keys().cloned());
        if layer.profiles.contains_key(wanted) {
            layer.chosen = Some(wanted.to_string());
            found = true;
        }
    }
    let help = match names.is_empty() {
        true => "no file has a `[profile.NAME]` table".to_string(),
        false => choice_help(wanted, names.iter().map(String::as_str)),
    };
    (!found).then(|| Problem::new(format!("there is no profile `{wanted}`"), Some(help)))
}
