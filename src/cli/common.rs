//! What several commands do: load a spec, prepare its runs, open the store.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::Result;
use clap::Args;
use taper::{
    assets::{Library, Lock, Settings, Use},
    event::FailureKind,
    execute::RunFolder,
    format,
    model::ModelConfig,
    plan::{self, Expansion, Past, PlanError, RunConfig, Source},
    spec::{LoadOptions, LoadedSpec, Over, SpecErrors, Sweep, misspelt, sets_a_key},
    store::{PlanRecord, RunRecord, RunState, Store, StoreError, is_locked},
    warning::{Kind, Warning},
};

use super::{Global, Unusable, downloads, output};

/// A source, what it is used as, and `data.file`.
pub type Wanted = (Use, Source, Option<String>);

/// A spec file and what stands above it.
#[derive(Args, Clone)]
pub struct SpecArgs {
    /// The experiment's TOML file.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// Set a key, overriding all other layers; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// What computes: taper's own kernels, or candle (the reference; slower). Short for --set train.engine=…
    #[arg(long, value_name = "fused|candle", value_parser = ["fused", "candle"])]
    pub engine: Option<String>,
    /// Apply the profile `[profile.NAME]`, which overrides the file.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// Why a spec makes no runs.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl SpecArgs {
    /// What the command line sets, as `KEY=VALUE`.
    fn sets(&self) -> impl Iterator<Item = String> {
        let engine = self.engine.iter().map(|engine| format!("train.engine={engine}"));
        self.sets.iter().cloned().chain(engine)
    }

    /// Reads and checks the spec.
    pub fn load(&self) -> Result<LoadedSpec> {
        let options = LoadOptions { profile: self.profile.clone(), sets: self.sets().collect(), env: variables()? };
        let spec = LoadedSpec::load(&self.spec, &options).map_err(|e| Unusable(e.into()))?;
        self.check_sets(&spec.spec().sweep)?;
        Ok(spec)
    }

    /// Refuses `--set` of a key that the sweep varies: the sweep stands above every layer, so it would do nothing.
    fn check_sets(&self, sweep: &Sweep) -> Result<()> {
        let swept = |key: &str| {
            let zipped = sweep.zip.iter().any(|table| table.contains_key(key));
            sweep.axes.contains_key(key) || zipped || (key == "train.seed" && !sweep.seeds.is_empty())
        };
        let sets: Vec<String> = self.sets().collect();
        let keys = sets.iter().filter_map(|set| Some(set.split_once('=')?.0.trim()));
        let problems: Vec<String> = keys
            .filter(|key| swept(key))
            .map(|key| {
                let help = match key {
                    "train.seed" => "--set sweep.seeds=[…]".to_string(),
                    _ if sweep.axes.contains_key(key) => format!("--set 'sweep.axes.{key}=[…]'"),
                    _ => "edit [[sweep.zip]]".to_string(),
                };
                format!("--set {key} would do nothing: the sweep varies it; to vary it over other values: {help}")
            })
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Unusable(anyhow::anyhow!(problems.join("\nerror: "))).into()),
        }
    }

    /// The runs that a spec means, given what is known of its trials. What `--set` says is part of their names, as what a sweep
    /// says is; unless it says the name itself.
    pub fn expand(&self, spec: &LoadedSpec, past: Past<'_>) -> Result<Expansion> {
        let at = |point: &[(String, serde_json::Value)]| Ok::<_, Refused>(spec.at(point)?);
        let mut expansion = plan::expand(spec.spec(), at, past).map_err(refused)?;
        let sets = self.sets_in_names();
        for run in expansion.runs.iter_mut().filter(|_| !sets.is_empty()) {
            let swept = if run.point.is_empty() { None } else { Some(run.name.as_str()) };
            run.name = sets.iter().map(String::as_str).chain(swept).collect::<Vec<_>>().join(" ");
        }
        Ok(expansion)
    }

    /// `lr=1e-4` for each `--set train.lr=1e-4` that changes runs; nothing where they were given a name.
    fn sets_in_names(&self) -> Vec<String> {
        let sets: Vec<String> = self.sets().collect();
        let parts = sets.iter().filter_map(|set| set.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
        let parts: Vec<(&str, &str)> = parts.collect();
        if parts.iter().any(|(key, _)| *key == "name") {
            return Vec::new();
        }
        let changes_runs = |key: &str| ["model.", "data.", "train.", "checkpoint."].iter().any(|t| key.starts_with(t));
        let short = |key: &str| key.split_once('.').map_or("", |(_, rest)| rest).to_string();
        let one_word = |value: &str| value.split_whitespace().collect::<Vec<_>>().join("_");
        let shown = parts.iter().filter(|(key, _)| changes_runs(key));
        shown.map(|(key, value)| format!("{}={}", short(key), one_word(value))).collect()
    }

    /// All sources that the runs of a spec may have, each once; of a search, also those that it has not proposed yet.
    pub fn sources(&self, spec: &LoadedSpec) -> Result<Vec<Wanted>> {
        let mut configs: Vec<RunConfig> =
            self.expand(spec, Past::default())?.runs.into_iter().map(|run| run.config).collect();
        let sweep = &spec.spec().sweep;
        for key in ["model.source", "data.source", "data.file"] {
            let Some(Over::Values(values)) = sweep.axes.get(key).map(|axis| &axis.over) else { continue };
            for value in values {
                let at = spec.at(&[(key.to_string(), value.clone())]).map_err(|e| Unusable(e.into()))?;
                configs.push(plan::resolve(&at).map_err(|e| Unusable(e.into()))?);
            }
        }
        let mut found: Vec<Wanted> = Vec::new();
        for config in configs {
            let data = (Use::Data, config.data.source, config.data.file);
            for wanted in [(Use::Model, config.model.source, None), data] {
                if !found.contains(&wanted) {
                    found.push(wanted);
                }
            }
        }
        Ok(found)
    }

    /// Where models and data come from, pinned by the lock beside the spec.
    pub fn library(&self, global: &Global) -> Result<Library> {
        let lock = Lock::beside(&self.spec).map_err(|e| Unusable(e.into()))?;
        let library = Library::new(Settings::from_env(global.offline).map_err(|e| Unusable(e.into()))?).with_lock(lock);
        let suits = |config: &Path| ModelConfig::check_kind(config).map_err(|e| e.to_string());
        Ok(library.with_listener(downloads::listener(global.quiet || global.json)).with_look(suits))
    }

    /// What was laid over the file, as arguments that do it again: variables of the environment too.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.profile.iter().flat_map(|p| ["--profile".to_string(), p.clone()]);
        let variable = |(name, value): (String, String)| {
            let key = name.strip_prefix("TAPER_")?.replace("__", ".").to_lowercase();
            let spec_key = key.contains('.') || key == "name" || key == "description";
            spec_key.then(|| format!("{key}={value}"))
        };
        let mut environment: Vec<String> = variables().unwrap_or_default().into_iter().filter_map(variable).collect();
        environment.sort();
        let sets = environment.into_iter().chain(self.sets());
        profile.chain(sets.flat_map(|set| ["--set".to_string(), set])).collect()
    }
}

/// The variables of the environment. Those that are not UTF-8 are somebody else's, unless they set a key of the spec.
fn variables() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => found.push((name, value)),
            (name, value) => {
                let is_text = name.is_ok();
                let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
                if sets_a_key(&name) {
                    let what = if is_text && value.is_err() { "its value" } else { "its name" };
                    let why = format!(
                        "environment variable {name}: {what} is not UTF-8; write it again in UTF-8, or unset it"
                    );
                    return Err(Unusable(anyhow::anyhow!(why)).into());
                }
            }
        }
    }
    Ok(found)
}

/// Says on standard error which variables of the environment nobody reads.
pub fn warn_of_variables() {
    for warning in misspelt(&variables().unwrap_or_default()) {
        output::error(&format!("warning: {warning}"));
    }
}

/// All problems of all sweep points, each once.
fn refused(errors: Vec<Refused>) -> anyhow::Error {
    let mut problems: Vec<String> = Vec::new();
    for error in errors {
        let texts = match error {
            Refused::Spec(SpecErrors { problems, .. }) => problems.iter().map(|p| p.to_string()).collect(),
            Refused::Plan(error) => vec![error.to_string()],
        };
        for text in texts {
            if !problems.contains(&text) {
                problems.push(text);
            }
        }
    }
    Unusable(anyhow::anyhow!(problems.join("\n\n"))).into()
}

/// Whether there is a database to look into, or something else in its path that opening it complains of.
pub fn has_runs(global: &Global) -> bool {
    global.runs.is_file() || global.runs.join("taper.db").symlink_metadata().is_ok()
}

/// Opens the store for looking; runs whose process is gone are put right first.
pub fn open_existing(global: &Global) -> Result<Store> {
    // Nothing was started yet, whatever is wrong with it.
    let mut store = Store::open_existing(&global.runs).map_err(|e| Unusable(e.into()))?;
    settle(&mut store, global)?;
    Ok(store)
}

/// Marks runs whose process is gone as interrupted, as far as that can be written.
pub fn settle(store: &mut Store, global: &Global) -> Result<()> {
    match store.interrupt_dead(|key| is_locked(&global.runs, key)) {
        Err(e) if !e.is_about_writing() => Err(e.into()),
        _ => Ok(()),
    }
}

/// The run that is meant: by its key or the beginning of it, by its name, or as the one run of an experiment, which is named or
/// whose spec file is.
pub fn find(store: &Store, wanted: &str) -> Result<RunRecord> {
    match store.find(wanted) {
        Err(StoreError::UnknownRun { .. }) if is_file(wanted) => {
            let runs = store.runs_of(&experiment(store, wanted)?)?;
            match &runs[..] {
                [run] => Ok(run.clone()),
                runs => {
                    let lines: Vec<String> =
                        runs.iter().map(|run| format!("  {}  {}", format::short(&run.key), run.name)).collect();
                    let (wanted, count, candidates) = (wanted.into(), runs.len(), lines.join("\n"));
                    Err(StoreError::AmbiguousRun { wanted, count, candidates }.into())
                }
            }
        }
        found => Ok(found?),
    }
}

/// The experiment that is meant: by its name, or by the path of its spec file.
pub fn experiment(store: &Store, wanted: &str) -> Result<String> {
    let name = match store.experiment(wanted) {
        Err(StoreError::UnknownExperiment { .. }) if is_file(wanted) => named_by(Path::new(wanted))?,
        found => return Ok(found?.name),
    };
    let experiment = match store.experiment(&name) {
        Err(StoreError::UnknownExperiment { .. }) => {
            let why = format!("the experiment `{name}` of {wanted} has no runs here; `taper run {wanted}` makes them");
            return Err(Unusable(anyhow::anyhow!(why)).into());
        }
        found => found?,
    };
    let plans = store.plans()?;
    let plan = plans.iter().find(|p| {
        (&p.experiment, &p.arguments, &p.runs) == (&experiment.name, &experiment.arguments, &experiment.runs)
    });
    match plan.filter(|plan| !plan.is_of(Path::new(wanted))) {
        Some(other) => {
            let why = format!(
                "`{name}` is at present the plan of another spec file, {}: `taper run {wanted}` makes it that of {wanted} and \
                 trains nothing twice; a `name` of its own in one of them tells them apart",
                other.spec_from_here().display()
            );
            Err(Unusable(anyhow::anyhow!(why)).into())
        }
        None => Ok(name),
    }
}

/// Other spec files that give their experiment this name, as far as their runs are stored.
pub fn namesakes<'a>(plans: &'a [PlanRecord], name: &str, spec: &Path) -> Vec<&'a PlanRecord> {
    let mut found: Vec<&PlanRecord> = Vec::new();
    for plan in plans.iter().filter(|plan| plan.experiment == name && plan.spec.is_file() && !plan.is_of(spec)) {
        // One that was renamed since is none any more.
        let set = plan.arguments.iter().any(|argument| argument.starts_with("name="));
        let still = set || named_by(&plan.spec).is_ok_and(|now| now == name);
        if still && found.iter().all(|other| !other.is_of(&plan.spec)) {
            found.push(plan);
        }
    }
    found
}

/// What to say where other spec files give their experiment the same name.
pub fn namesake_warning(store: &Store, name: &str, spec: &Path) -> Result<Option<Warning>> {
    let plans = store.plans()?;
    let others = namesakes(&plans, name, spec);
    let files: Vec<String> = others.iter().map(|plan| plan.spec_from_here().display().to_string()).collect();
    Ok((!files.is_empty()).then(|| {
        let text = format!(
            "another spec file has the same name `{name}`: {}; `taper report {name}` and `taper list {name}` show the plan of the one \
             that was run last; give one of them a name of its own (name = \"…\", or --set name=…)",
            files.join(", ")
        );
        Warning::new(Kind::Name, text)
    }))
}

/// The name that a spec file gives its experiment.
fn named_by(spec: &Path) -> Result<String> {
    let options = LoadOptions { env: variables()?, ..LoadOptions::default() };
    Ok(LoadedSpec::load(spec, &options).map_err(|e| Unusable(e.into()))?.spec().name.clone())
}

fn is_file(path: &str) -> bool {
    Path::new(path).is_file()
}

/// What the next command makes of a run that is not completed, in words: from which step it is resumed, if from any.
pub fn what_next(global: &Global, run: &RunRecord) -> Option<String> {
    let again = match resumes_at(&global.runs, run) {
        Some(step) => format!("resumes it from step {step}"),
        None => "starts it again from step 0: it has no checkpoint".into(),
    };
    match (run.state, run.failure) {
        (RunState::Waiting, _) => Some("the next `taper run` compares it with the runs that it waits for".into()),
        (RunState::Interrupted, _) => Some(format!("the next `taper run` {again}")),
        (RunState::Failed, Some(FailureKind::Diverged)) => Some("`taper run --retry` trains it again".into()),
        (RunState::Failed, _) => Some(format!("the next `taper run` {again}")),
        (RunState::Pruned, _) => Some("the next `taper run` leaves it as it is; with --retry it trains it".into()),
        (RunState::Pending | RunState::Running | RunState::Completed, _) => None,
    }
}

/// The step that a run is resumed from: that of its newest checkpoint that can be used, if it has one.
pub fn resumes_at(runs: &Path, run: &RunRecord) -> Option<u64> {
    RunFolder::new(runs, &run.key).resume_step(run.steps)
}

/// The program that runs, also where its file was replaced since it began (a build, an update).
pub fn this_program() -> Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    Ok(if own.exists() { own } else { std::env::current_exe()? })
}

/// Raised by the first Ctrl-C (or SIGTERM); the second ends the process.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the user asked to stop.
pub fn stop_requested() -> bool {
    STOP.load(std::sync::atomic::Ordering::Relaxed)
}

/// Asks to stop; tells whether that was asked before.
pub fn request_stop() -> bool {
    STOP.swap(true, std::sync::atomic::Ordering::Relaxed)
}

/// Raised when all work is done and only its result is still printed.
static CONCLUDED: AtomicBool = AtomicBool::new(false);

/// From now on nothing is left to stop: Ctrl-C is answered with no word.
pub fn conclude() {
    CONCLUDED.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Makes Ctrl-C a request to stop; a second one ends the process. Each is answered by `say`, which is told whether it is not the
/// first, as long as there is something to stop.
pub fn catch_signals(say: impl Fn(bool) + Send + 'static) -> Result<()> {
    Ok(ctrlc::set_handler(move || {
        let again = request_stop();
        if !CONCLUDED.load(std::sync::atomic::Ordering::Relaxed) {
            say(again);
        }
        if again {
            std::process::exit(130);
        }
    })?)
}
