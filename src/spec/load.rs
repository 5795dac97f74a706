//! Loads the layers into a checked [`Spec`], and resolves the points of its sweep.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    assign, conflicts, decisions, doubts,
    files::Files,
    keys,
    kind::Kind,
    layer::{Layer, Origin},
    long_texts,
    merged::{Merged, internal},
    metric,
    node::{Node, table_from_toml},
    problem::{Location, Problem, Problems, SpecErrors},
    schema::{Spec, Sweep},
    search, slurm,
    suggest::{choice_help, key_like},
    targets, texts,
    value::is_name,
};
use crate::warning::Warning;

/// The stand-in for a missing name.
const NAMELESS: &str = "unnamed";

/// Settings other than the file.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The chosen `[profile.NAME]`.
    pub profile: Option<String>,
    /// `KEY=VALUE` of each `--set`, in order.
    pub sets: Vec<String>,
    /// All environment variables; those that set no key are ignored.
    pub env: Vec<(String, String)>,
}

/// A valid spec that still knows where each value comes from.
#[derive(Debug, Clone)]
pub struct LoadedSpec {
    path: PathBuf,
    pub(super) merged: Merged,
    spec: Spec,
    /// The spec without swept values: the base of every point.
    ground: Spec,
    /// Its sweepable tables, as JSON.
    tables: serde_json::Value,
    warnings: Vec<Warning>,
}

impl LoadedSpec {
    /// Reads the file and all files that it extends, applies profile, environment and arguments, and checks everything.
    ///
    /// # Errors
    /// All problems at once (if there are many, the first): unreadable files, invalid TOML, unknown keys, wrong types, values out of range,
    /// contradicting keys. Whether the files and models that a spec names exist is not checked: see [`SpecErrors::with_missing_files`].
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
        let mut spec = merged.spec()?;
        spec.sweep.written = merged.written_axes();
        let conflicts = within_run(&spec).filter(|conflict| !conflict.touches(&swept));
        let conflicts =
            conflicts.chain(search::of_sweep(&spec)).chain(slurm::of_jobs(&spec)).chain(merged.of_layers(&spec));
        let conflicts = conflicts.filter(|conflict| !conflict.touches(&spoilt)).collect();
        for conflict in merged.in_order(conflicts) {
            problems.add(|| merged.problem(conflict));
        }
        if !problems.is_empty() {
            merged.sort(&mut problems.shown);
            let sources = ["data.source", "data.dev", "data.test", "model.source"]
                .into_iter()
                .filter(|key| !spoilt.contains(*key));
            return Err(SpecErrors {
                files: sources.flat_map(|key| merged.files(key)).collect(),
                ..problems.into_errors()
            });
        }
        let rules = Sweep { axes: [].into(), zip: vec![], exclude: vec![], seeds: vec![], ..spec.sweep.clone() };
        let ground = Spec { sweep: rules, ..spec.clone() };
        let tables = serde_json::to_value(&ground).map_err(|error| internal(&error))?;
        let warnings = doubts::of_spec(&merged, &spec, &options.env);
        Ok(Self { path: path.to_path_buf(), merged, spec, ground, tables, warnings })
    }

    /// The spec without regard to its sweep. A required key that is only swept has its first value.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Settings that are legal but probably a mistake, as far as the spec itself shows.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The file's path, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        let file = self.merged.layers.iter().find(|layer| layer.origin == Origin::File(self.path.clone()));
        file.map_or("", |layer| &layer.text)
    }

    /// Path and text of each file that it extends, directly or indirectly, in order of precedence.
    pub fn extends(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.merged.layers.iter().filter_map(|layer| match &layer.origin {
            Origin::File(path) if *path != self.path => Some((path.as_path(), layer.text.as_str())),
            _ => None,
        })
    }

    /// Where the value of a key, or the value that a sweep gives it, was written: `a.toml:7`, `--set train.lr=1e-4`, a variable's name.
    /// `None` for built-in defaults.
    pub fn written_at(&self, path: &str, swept: Option<&serde_json::Value>) -> Option<String> {
        let swept = swept.and_then(|value| self.merged.swept_at(path, value));
        swept.map(|location| location.line()).or_else(|| self.merged.written(path))
    }

    /// The location of the same, with its text.
    pub fn location_of(&self, path: &str, swept: Option<&serde_json::Value>) -> Option<Location> {
        let swept = swept.and_then(|value| self.merged.swept_at(path, value));
        swept.or_else(|| self.merged.location(&conflicts::key(path)))
    }

    /// The spec at one point of its sweep: `overrides`, pairs of dotted key and value, take precedence over all layers. Its own `sweep` has no
    /// axes, zips, exclusions or seeds.
    ///
    /// # Errors
    /// Unknown keys, invalid values and contradictions, each at the location of the swept value.
    pub fn at(&self, overrides: &[(String, serde_json::Value)]) -> Result<Spec, SpecErrors> {
        let point = || {
            let toml = |value| Node::from_json(value).map_or_else(|| value.to_string(), |node| node.to_string());
            let names: Vec<_> = overrides.iter().map(|(path, value)| format!("{path}={}", toml(value))).collect();
            format!(" (in the sweep point {})", names.join(" "))
        };
        let mut problems = Problems::default();
        let mut changed: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
        for (path, value) in overrides {
            let location = || self.merged.swept_at(path, value);
            let problem =
                |message: &str, help| Problem { location: location(), message: format!("{message}{}", point()), help };
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
        for conflict in within_run(&spec) {
            let swept = overrides.iter().find(|(path, _)| conflict.touches(&BTreeSet::from([path.clone()])));
            let location = swept.and_then(|(path, value)| self.merged.swept_at(path, value));
            let mut problem = self.merged.problem(conflict);
            problem.message.push_str(&point());
            problem.location = location.or(problem.location);
            problems.add(|| problem);
        }
        if problems.is_empty() { Ok(spec) } else { Err(problems.into_errors()) }
    }
}

/// All contradictions within one run.
fn within_run(spec: &Spec) -> impl Iterator<Item = conflicts::Conflict> {
    let found = conflicts::of_run(spec).into_iter().chain(targets::of_run(spec)).chain(metric::of_run(spec));
    let found = found.chain(decisions::of_run(spec));
    found.chain(texts::of_run(spec)).chain(long_texts::of_run(spec))
}

/// The file's name without its extension: the default name of the experiment, if it is valid.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The problem if no name is set and the file's own is not valid.
fn nameless(merged: &Merged, path: &Path) -> Option<Problem> {
    let stem = stem(path);
    let is_written = merged.rank("name") > Some((0, 0));
    (!is_written && !is_name(&stem)).then(|| {
        let expected = Kind::Name.expects();
        let message =
            format!("the experiment has no name: `{stem}`, from the file's name, cannot be used; expected {expected}");
        let help = "write name = \"…\" at the top of the file, or rename the file".to_string();
        let source = path.display().to_string();
        let location = Location { position: None, text: String::new(), ..Location::new(source, "", 0..0, true) };
        Problem { location: Some(location), message, help: Some(help) }
    })
}

/// The lowest layer.
fn defaults(path: &Path) -> Layer {
    let stem = Some(stem(path)).filter(|stem| is_name(stem)).unwrap_or_else(|| NAMELESS.into());
    let text = keys::defaults(&stem);
    let root = toml::de::DeTable::parse(&text).map(|table| table_from_toml(table.get_ref(), 0));
    Layer::new(Origin::Default, text.clone(), root.unwrap_or_default())
}

/// Chooses the profile in every file that has it, or reports that none has.
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
