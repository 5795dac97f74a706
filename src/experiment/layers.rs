//! A spec file and what overrides it.

use std::path::PathBuf;

use super::ExperimentError;
use crate::{
    assets::Use,
    plan::{self, Expansion, Part, PlanError, RunConfig, SearchHistory, Source},
    spec::{LoadOptions, LoadedSpec, Over, Problem, SpecErrors, Sweep, sets_a_key},
};

/// A source, how it is used, and what is read of a dataset.
pub type Wanted = (Use, Source, Part);

/// A spec file and what overrides it.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The file.
    pub spec: PathBuf,
    /// Keys that override all other layers, each `KEY=VALUE`.
    pub sets: Vec<String>,
    /// The profile to apply.
    pub profile: Option<String>,
    /// Environment variables; `TAPER_TRAIN__LR=1e-4` sets a key. See [`environment`].
    pub variables: Vec<(String, String)>,
}

/// Why a spec cannot be expanded into runs.
#[derive(Debug, thiserror::Error)]
enum Unexpanded {
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Layers {
    /// Reads and checks the spec.
    ///
    /// # Errors
    /// Every problem of the file, with its line.
    pub fn load(&self) -> Result<LoadedSpec, ExperimentError> {
        let (profile, sets, env) = (self.profile.clone(), self.sets.clone(), self.variables.clone());
        let spec = LoadedSpec::load(&self.spec, &LoadOptions { profile, sets, env });
        let spec = spec.map_err(SpecErrors::with_missing_files)?;
        self.check_sets(&spec.spec().sweep)?;
        Ok(spec)
    }

    /// Refuses to set a swept key: the sweep overrides every layer, so it would have no effect.
    fn check_sets(&self, sweep: &Sweep) -> Result<(), ExperimentError> {
        let swept = |key: &str| {
            let zipped = sweep.zip.iter().any(|table| table.contains_key(key));
            sweep.axes.contains_key(key) || zipped || (key == "train.seed" && !sweep.seeds.is_empty())
        };
        let keys = self.sets.iter().filter_map(|set| Some(set.split_once('=')?.0.trim()));
        let problems: Vec<String> = keys
            .filter(|key| swept(key))
            .map(|key| {
                let help = match key {
                    "train.seed" => "--set sweep.seeds=[…]".to_string(),
                    _ if sweep.axes.contains_key(key) => format!("--set 'sweep.axes.{key}=[…]'"),
                    _ => "edit [[sweep.zip]]".to_string(),
                };
                format!(
                    "--set {key} would have no effect, because the sweep varies this key; to vary it over other \
                     values: {help}"
                )
            })
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ExperimentError::refused(&problems, "\nerror: ")),
        }
    }

    /// The runs of a spec, given earlier results of its trials. Keys in [`Self::sets`] become part of their names, like swept keys, unless
    /// they set the name itself.
    ///
    /// # Errors
    /// All problems of all sweep points, each once.
    pub fn expand(&self, spec: &LoadedSpec, past: SearchHistory<'_>) -> Result<Expansion, ExperimentError> {
        let at = |point: &[(String, serde_json::Value)]| Ok::<_, Unexpanded>(spec.at(point)?);
        let mut expansion = plan::expand(spec.spec(), at, past).map_err(|errors| refused(spec, errors))?;
        let sets = self.sets_in_names();
        for run in expansion.runs.iter_mut().filter(|_| !sets.is_empty()) {
            let swept = if run.point.is_empty() { None } else { Some(run.name.as_str()) };
            run.name = sets.iter().map(String::as_str).chain(swept).collect::<Vec<_>>().join(" ");
        }
        Ok(expansion)
    }

    /// `lr=1e-4` for each `train.lr=1e-4` that changes runs; empty if the name is set.
    fn sets_in_names(&self) -> Vec<String> {
        let parts = self.sets.iter().filter_map(|set| set.split_once('='));
        let parts: Vec<(&str, &str)> = parts.map(|(key, value)| (key.trim(), value.trim())).collect();
        if parts.iter().any(|(key, _)| *key == "name") {
            return Vec::new();
        }
        let changes_runs = |key: &str| ["model.", "data.", "train.", "checkpoint."].iter().any(|t| key.starts_with(t));
        let short = |key: &str| key.split_once('.').map_or("", |(_, rest)| rest).to_string();
        let one_word = |value: &str| value.split_whitespace().collect::<Vec<_>>().join("_");
        let shown = parts.iter().filter(|(key, _)| changes_runs(key));
        shown.map(|(key, value)| format!("{}={}", short(key), one_word(value))).collect()
    }

    /// All sources that the runs of a spec may have, without duplicates; for a search, including those not proposed yet.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub fn sources(&self, spec: &LoadedSpec) -> Result<Vec<Wanted>, ExperimentError> {
        let mut configs: Vec<RunConfig> =
            self.expand(spec, SearchHistory::default())?.runs.into_iter().map(|run| run.config).collect();
        let sweep = &spec.spec().sweep;
        for key in ["model.source", "data.source", "data.file", "data.config", "data.dev", "data.test"] {
            let Some(Over::Values(values)) = sweep.axes.get(key).map(|axis| &axis.over) else { continue };
            for value in values {
                configs.push(plan::resolve(&spec.at(&[(key.to_string(), value.clone())])?)?);
            }
        }
        let mut found: Vec<Wanted> = Vec::new();
        for config in configs {
            let splits = config.data.files_of_splits().map(|(_, source)| (Use::Data, source.clone(), Part::File(None)));
            let mut wanted: Vec<Wanted> = splits.collect();
            wanted.insert(0, (Use::Model, config.model.source, Part::File(None)));
            wanted.insert(1, (Use::Data, config.data.source.clone(), config.data.part()));
            for wanted in wanted {
                if !found.contains(&wanted) {
                    found.push(wanted);
                }
            }
        }
        Ok(found)
    }

    /// Everything that overrides the file, as arguments of `taper`, including environment variables.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.profile.iter().flat_map(|p| ["--profile".to_string(), p.clone()]);
        let variable = |(name, value): &(String, String)| {
            let key = name.strip_prefix("TAPER_")?.replace("__", ".").to_lowercase();
            let spec_key = key.contains('.') || key == "name" || key == "description";
            spec_key.then(|| format!("{key}={value}"))
        };
        let mut environment: Vec<String> = self.variables.iter().filter_map(variable).collect();
        environment.sort();
        let sets = environment.into_iter().chain(self.sets.iter().cloned());
        profile.chain(sets.flat_map(|set| ["--set".to_string(), set])).collect()
    }
}

/// This process's environment variables. Those that are not UTF-8 are ignored, unless they set a key of the spec.
///
/// # Errors
/// A variable that sets a key is not UTF-8.
pub fn environment() -> Result<Vec<(String, String)>, ExperimentError> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => found.push((name, value)),
            (name, value) => {
                let is_text = name.is_ok();
                let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
                if sets_a_key(&name) {
                    let what = if is_text && value.is_err() { "its value" } else { "its name" };
                    return Err(ExperimentError::Refused(format!(
                        "environment variable {name}: {what} is not valid UTF-8; correct it, or unset the variable"
                    )));
                }
            }
        }
    }
    Ok(found)
}

/// All problems of all sweep points, without duplicates, each with the line that it is about.
fn refused(spec: &LoadedSpec, errors: Vec<Unexpanded>) -> ExperimentError {
    let mut problems: Vec<String> = Vec::new();
    for error in errors {
        let texts = match error {
            Unexpanded::Spec(SpecErrors { problems, .. }) => problems.iter().map(|p| p.to_string()).collect(),
            Unexpanded::Plan(error) => {
                let location = error.key().and_then(|key| spec.location_of(key, None));
                vec![Problem { location, message: error.to_string(), help: None }.to_string()]
            }
        };
        for text in texts {
            if !problems.contains(&text) {
                problems.push(text);
            }
        }
    }
    ExperimentError::refused(&problems, "\n\n")
}
