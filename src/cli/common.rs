//! What several commands do: load a spec, prepare its runs, open the store.

use std::{path::PathBuf, sync::atomic::AtomicBool};

use anyhow::Result;
use clap::Args;
use taper::{
    execute::{DeviceChoice, ExecuteError, Prepared, Workbench, check_precision},
    plan::{self, PlanError, PlannedRun},
    spec::{LoadOptions, LoadedSpec, SpecErrors},
    store::{RunRecord, Store, is_locked},
};

use super::{Global, Unusable};

/// A spec file and what stands above it.
#[derive(Args, Clone)]
pub struct SpecArgs {
    /// The experiment's TOML file.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// Set a key over everything the file says; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Lay `[profile.NAME]` of the file over it.
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
    /// Reads and checks the spec.
    pub fn load(&self) -> Result<LoadedSpec> {
        let options =
            LoadOptions { profile: self.profile.clone(), sets: self.sets.clone(), env: std::env::vars().collect() };
        LoadedSpec::load(&self.spec, &options).map_err(|e| Unusable(e.into()).into())
    }

    /// The runs that a spec means. What `--set` says is part of their names, as what a sweep says is.
    pub fn expand(&self, spec: &LoadedSpec) -> Result<Vec<PlannedRun>> {
        let expansion = plan::expand(spec.spec(), |point| Ok::<_, Refused>(spec.at(point)?), &[]).map_err(refused)?;
        let mut runs = expansion.runs;
        let changes_runs =
            |set: &&String| ["model.", "data.", "train.", "checkpoint."].iter().any(|t| set.starts_with(t));
        let sets: Vec<&str> =
            self.sets.iter().filter(changes_runs).map(|set| set.split_once('.').map_or("", |(_, rest)| rest)).collect();
        for run in runs.iter_mut().filter(|_| !sets.is_empty()) {
            let swept = if run.point.is_empty() { None } else { Some(run.name.as_str()) };
            run.name = sets.iter().copied().chain(swept).collect::<Vec<_>>().join(" ");
        }
        Ok(runs)
    }

    /// What was laid over the file, as arguments that do it again: variables of the environment too.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.profile.iter().flat_map(|p| ["--profile".to_string(), p.clone()]);
        let variable = |(name, value): (String, String)| {
            let key = name.strip_prefix("TAPER_")?.replace("__", ".").to_lowercase();
            let spec_key = key.contains('.') || key == "name" || key == "description";
            spec_key.then(|| format!("{key}={value}"))
        };
        let mut environment: Vec<String> = std::env::vars().filter_map(variable).collect();
        environment.sort();
        let sets = environment.into_iter().chain(self.sets.iter().cloned());
        profile.chain(sets.flat_map(|set| ["--set".to_string(), set])).collect()
    }
}

/// All problems of all sweep points, each once.
fn refused(errors: Vec<Refused>) -> anyhow::Error {
    let mut problems: Vec<String> = Vec::new();
    for error in errors {
        let texts = match error {
            Refused::Spec(SpecErrors(problems)) => problems.iter().map(|p| p.to_string()).collect(),
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

/// Reads data and models of all runs and checks everything that can be checked; all problems at once. The runs are to be
/// made on `device`.
pub fn prepare(planned: &[PlannedRun], device: DeviceChoice) -> Result<Vec<Prepared>> {
    let mut bench = Workbench::default();
    let mut problems: Vec<(String, Vec<&str>)> = Vec::new();
    let mut prepared = Vec::new();
    for run in planned {
        if let Err(e) = check_precision(&run.config, device) {
            note(&mut problems, &e, &run.name);
        }
        match bench.prepare(run) {
            Ok(run) => prepared.push(run),
            Err(e) => note(&mut problems, &e, &run.name),
        }
    }
    if problems.is_empty() {
        return Ok(prepared);
    }
    let shared = |names: &[&str]| match names.len() == planned.len() {
        true => String::new(),
        false => format!(" (runs: {})", names.join("; ")),
    };
    let text: Vec<String> = problems.iter().map(|(message, names)| format!("{message}{}", shared(names))).collect();
    Err(Unusable(anyhow::anyhow!(text.join("\nerror: "))).into())
}

/// Keeps a message once, with the runs that have it.
fn note<'a>(problems: &mut Vec<(String, Vec<&'a str>)>, e: &ExecuteError, run: &'a str) {
    let message = e.to_string();
    match problems.iter_mut().find(|(m, _)| *m == message) {
        Some((_, names)) => names.push(run),
        None => problems.push((message, vec![run])),
    }
}

/// Opens the store for looking; runs whose process is gone are put right first.
pub fn open_existing(global: &Global) -> Result<Store> {
    let mut store = Store::open_existing(&global.runs)?;
    settle(&mut store, global)?;
    Ok(store)
}

/// Marks runs whose process is gone as interrupted.
pub fn settle(store: &mut Store, global: &Global) -> Result<()> {
    store.interrupt_dead(|key| is_locked(&global.runs, key))?;
    Ok(())
}

/// A state in words.
pub fn state(run: &RunRecord) -> String {
    let json = |value: serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let state = json(serde_json::to_value(run.state).unwrap_or_default());
    match run.failure {
        Some(kind) => format!("{state} ({})", json(serde_json::to_value(kind).unwrap_or_default())),
        None => state,
    }
}

/// Raised by the first Ctrl-C (or SIGTERM); the second ends the process.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the user asked to stop.
pub fn stop_requested() -> bool {
    STOP.load(std::sync::atomic::Ordering::Relaxed)
}

/// Makes Ctrl-C a request to stop after the current step.
pub fn catch_signals() -> Result<()> {
    Ok(ctrlc::set_handler(|| {
        use std::io::Write;
        if STOP.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::process::exit(130);
        }
        let _ = writeln!(
            std::io::stderr(),
            "\nstopping after this step, with a checkpoint; once more to stop at once (`taper run` goes on either way)"
        );
    })?)
}
