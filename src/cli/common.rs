//! Shared by several commands: loading specs, opening the store, signals.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::Result;
use clap::Args;
use taper::{
    event::FailureKind,
    execute::{self, DeviceChoice, ExecuteError, RunFolder},
    experiment::{Experiment, ExperimentError, Options, environment},
    format::{
        self,
        command::{shell_word, with_runs},
    },
    spec::{LoadOptions, LoadedSpec, misspelt},
    store::{PlanRecord, RunRecord, RunState, Store, StoreError},
    warning::{Kind, Warning},
};

use super::{Global, Unusable, downloads, nearest, output, reading, stop};

/// A spec file and what overrides it.
#[derive(Args, Clone)]
pub struct SpecArgs {
    /// The experiment's TOML file.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// Set a key, overriding the spec file, profiles and environment; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Compute engine: taper's own kernels, or candle (the reference; slower). Same as --set train.engine=…
    #[arg(long, value_name = "fused|candle", value_parser = ["fused", "candle"])]
    pub engine: Option<String>,
    /// Apply the profile `[profile.NAME]`, which overrides the file.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

impl SpecArgs {
    /// Opens the spec for runs on `devices`. `at_stop` is said at Ctrl-C.
    pub fn open(&self, global: &Global, devices: Vec<DeviceChoice>, at_stop: &'static str) -> Result<Experiment> {
        stop::end_at_once(at_stop)?;
        let engine = self.engine.iter().map(|engine| format!("train.engine={engine}"));
        let options = Options {
            runs: global.runs.clone(),
            devices,
            sets: self.sets.iter().cloned().chain(engine).collect(),
            profile: self.profile.clone(),
            variables: environment()?,
            offline: global.offline,
            downloads: downloads::listener(global.quiet || global.json),
            reading: reading::listener(global.quiet || global.json),
        };
        Experiment::open(&self.spec, options).map_err(|e| self.explained(e, global).into())
    }

    /// The error; if the spec does not exist, with the spec of the stored experiment of this name, or else with the nearest spec that exists.
    fn explained(&self, error: ExperimentError, global: &Global) -> ExperimentError {
        let ExperimentError::Spec(mut errors) = error else { return error };
        if !self.spec.exists()
            && let (Some(name), [problem]) = (self.spec.to_str(), &mut errors.problems[..])
        {
            let store = Store::is_there(&global.runs).then(|| Store::open_existing(&global.runs).ok()).flatten();
            let of_experiment = store.and_then(|store| store.experiment(name).ok()).map(|experiment| {
                format!("`{name}` is an experiment; its spec is {}", shell_word(&experiment.spec_path))
            });
            let meant = || Some(format!("did you mean {}?", shell_word(nearest::spec(&self.spec)?.to_str()?)));
            problem.help = of_experiment.or_else(meant).or_else(|| problem.help.take());
        }
        ExperimentError::Spec(errors)
    }
}

/// Warns on standard error of environment variables that have no effect.
pub fn warn_of_variables() {
    for warning in misspelt(&environment().unwrap_or_default()) {
        output::error(&format!("warning: {warning}"));
    }
}

/// Opens the store for reading; runs whose process is gone are first marked as interrupted.
pub fn open_existing(global: &Global) -> Result<Store> {
    // Nothing was started yet, whatever the error is.
    let mut store = Store::open_existing(&global.runs).map_err(|e| Unusable(e.into()))?;
    refresh(&mut store, global)?;
    Ok(store)
}

/// Marks runs whose process is gone as interrupted, and collects what was trained elsewhere.
pub fn refresh(store: &mut Store, global: &Global) -> Result<()> {
    store.interrupt_abandoned()?;
    collect_results(store, global)
}

/// Brings the results of runs that were trained elsewhere into the store. Does nothing if it cannot be written.
fn collect_results(store: &mut Store, global: &Global) -> Result<()> {
    match execute::collect(store, &global.runs) {
        Ok(collected) => {
            for (_, why) in &collected.damaged {
                output::error(&format!("warning: {why}"));
            }
            Ok(())
        }
        Err(ExecuteError::Store(e)) if e.is_about_writing() => Ok(()),
        // The folder of a colleague, for example: what is stored can be read.
        Err(e @ ExecuteError::Io { .. }) => {
            output::error(&format!("warning: results from the cluster were not collected: {e}"));
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

/// The experiment given by its name, or by the path of its spec file.
pub fn experiment(store: &Store, wanted: &str) -> Result<String> {
    let name = match store.experiment(wanted) {
        Err(StoreError::UnknownExperiment { .. }) if is_file(wanted) => named_by(Path::new(wanted))?,
        found => return Ok(found?.name),
    };
    let experiment = match store.experiment(&name) {
        Err(StoreError::UnknownExperiment { .. }) => {
            let why = format!(
                "the experiment `{name}` of {wanted} has no runs in this folder; `{}` trains them",
                run(store, wanted)
            );
            return Err(Unusable(anyhow::anyhow!(why)).into());
        }
        found => found?,
    };
    let plans = store.plans()?;
    let current: Vec<&PlanRecord> = plans.iter().filter(|plan| plan.is_current(&experiment)).collect();
    let Some(other) = current.first().filter(|_| current.iter().all(|plan| !plan.is_of(Path::new(wanted)))) else {
        return Ok(name);
    };
    let is_gone = current.iter().all(|plan| !plan.spec.is_file());
    // The file was renamed, or moved, and says what it said.
    if is_gone && std::fs::read_to_string(wanted).is_ok_and(|text| text == experiment.spec_text) {
        return Ok(name);
    }
    let (whose, both) = match is_gone {
        true => ("of a spec file that no longer exists", ""),
        false => ("of another spec file", "; to keep both, give one of the two specs another `name`"),
    };
    let why = format!(
        "`{name}` currently has the plan {whose}, {}: `{}` replaces it with that of {wanted}, training no run \
         twice{both}",
        other.spec_from_here().display(),
        run(store, wanted),
    );
    Err(Unusable(anyhow::anyhow!(why)).into())
}

/// Whether an experiment is stored, given by its name or by the path of its spec file.
pub fn is_there(store: &Store, wanted: &str) -> Result<bool> {
    let is_stored = |name: &str| match store.experiment(name) {
        Err(StoreError::UnknownExperiment { .. }) => Ok(false),
        found => found.map(|_| true),
    };
    Ok(is_stored(wanted)? || is_file(wanted) && is_stored(&named_by(Path::new(wanted))?)?)
}

/// The command that trains a spec file's runs into this store.
fn run(store: &Store, spec: &str) -> String {
    with_runs(&format!("taper run {}", shell_word(spec)), store.folder())
}

/// Other spec files whose experiment has this name, and whose runs are stored.
pub fn namesakes<'a>(plans: &'a [PlanRecord], name: &str, spec: &Path) -> Vec<&'a PlanRecord> {
    let mut found: Vec<&PlanRecord> = Vec::new();
    for plan in plans.iter().filter(|plan| plan.experiment == name && plan.spec.is_file() && !plan.is_of(spec)) {
        // A file that was renamed since no longer counts.
        let set = plan.arguments.iter().any(|argument| argument.starts_with("name="));
        let still = set || named_by(&plan.spec).is_ok_and(|now| now == name);
        if still && found.iter().all(|other| !other.is_of(&plan.spec)) {
            found.push(plan);
        }
    }
    found
}

/// The warning if other spec files give their experiment the same name.
pub fn namesake_warning(store: &Store, name: &str, spec: &Path) -> Result<Option<Warning>> {
    let plans = store.plans()?;
    let others = namesakes(&plans, name, spec);
    let files: Vec<String> = others.iter().map(|plan| plan.spec_from_here().display().to_string()).collect();
    let command = |what: &str| with_runs(&format!("taper {what} {}", shell_word(name)), store.folder());
    Ok((!files.is_empty()).then(|| {
        let text = format!(
            "another spec file also names its experiment `{name}`: {}; `{}` and `{}` show the plan of the spec that \
             was run last; give one of them a different name (name = \"…\", or --set name=…)",
            files.join(", "),
            command("report"),
            command("list")
        );
        Warning::new(Kind::Name, text)
    }))
}

/// The name that a spec file gives its experiment.
fn named_by(spec: &Path) -> Result<String> {
    let options = LoadOptions { env: environment()?, ..LoadOptions::default() };
    Ok(LoadedSpec::load(spec, &options).map_err(|e| Unusable(e.into()))?.spec().name.clone())
}

/// Whether it is a file.
pub fn is_file(path: &str) -> bool {
    Path::new(path).is_file()
}

/// The command that trains the plan of a run again, as it was last given; `taper run SPEC` where no plan has the run now.
pub fn run_again(store: &Store, run: &RunRecord) -> String {
    let experiment = run.experiment.as_ref().filter(|_| run.in_plan).and_then(|name| store.experiment(name).ok());
    experiment.map_or_else(|| "taper run SPEC".into(), |experiment| taper::report::run_again(&experiment))
}

/// What the next command does with a run that is not completed, and from which step it resumes. `spent`: the experiment whose budget
/// is spent, if it is; `again`: the command that trains its plan.
pub fn what_next(global: &Global, run: &RunRecord, spent: Option<&str>, again: &str) -> Option<String> {
    let retry = with_runs(&format!("{again} --retry"), &global.runs);
    let does = match resumes_at(&global.runs, run) {
        Some(step) if step == run.total_steps => "evaluates it: all its steps are trained".into(),
        Some(step) => format!("resumes it from step {}", format::count(step)),
        None => "starts it again from step 0: it has no checkpoint".into(),
    };
    let next = if run.in_plan { "the next `taper run`" } else { "a `taper run` with a spec that plans it" };
    match (run.state, run.failure) {
        (RunState::Waiting | RunState::Interrupted | RunState::Pending, _) if spent.is_some() => {
            let of = format::one_line(spent.unwrap_or_default());
            Some(format!("the budget of `{of}` is spent: `taper run` leaves it out unless the budget is raised"))
        }
        (RunState::Waiting, _) => Some(format!("{next} compares it with the runs that it waits for")),
        (RunState::Interrupted, _) => Some(format!("{next} {does}")),
        (RunState::Failed, Some(FailureKind::Diverged)) => Some(format!("`{retry}` trains it again")),
        (RunState::Failed, _) => Some(format!("{next} {does}")),
        (RunState::Pruned, _) => Some(format!("{next} leaves it pruned or, with --retry, trains it to the end")),
        (RunState::Pending | RunState::Running | RunState::Completed, _) => None,
    }
}

/// The step that a run resumes from: that of its newest usable checkpoint, if it has one.
pub fn resumes_at(runs: &Path, run: &RunRecord) -> Option<u64> {
    RunFolder::new(runs, &run.key).resume_step(run.steps)
}

/// Parses a number of threads, up to a useful limit.
pub fn threads(text: &str) -> Result<u16, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A few more threads than cores do no harm; thousands take minutes to start and wait for each other.
    let most = u16::try_from(4 * cores).unwrap_or(u16::MAX).max(64);
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| {
        let cores = format::counted(cores as u64, "core");
        format!(
            "expected a number from 1 to {most}: this machine has {cores}, and many more threads than cores only wait \
             for each other"
        )
    })
}

/// Set by the first Ctrl-C (or SIGTERM); the second ends the process.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the user has asked to stop.
pub fn stop_requested() -> bool {
    ended_by_signal() || stop::checkpoint_requested()
}

/// Whether the user has asked to stop in another way than by SIGUSR1.
pub fn ended_by_signal() -> bool {
    STOP.load(std::sync::atomic::Ordering::Relaxed)
}

/// Requests a stop; returns whether one was already requested.
pub fn request_stop() -> bool {
    STOP.swap(true, std::sync::atomic::Ordering::Relaxed)
}

/// Set when all work is done and only its result is left to print.
static WORK_DONE: AtomicBool = AtomicBool::new(false);

/// From now on there is nothing left to stop: Ctrl-C prints no message.
pub fn work_is_done() {
    WORK_DONE.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Turns Ctrl-C into a request to stop; a second one ends the process. `say` is called for each, with whether it is a repeated one, as long
/// as there is something to stop. SIGUSR1 is a request to stop too, for which `say` is not called and which may be repeated.
pub fn catch_signals(say: impl Fn(bool) + Send + 'static) -> Result<()> {
    stop::catch_checkpoint_signal();
    Ok(stop::on_signal(move || {
        let again = request_stop();
        if !WORK_DONE.load(std::sync::atomic::Ordering::Relaxed) {
            say(again);
        }
        if again {
            std::process::exit(130);
        }
    })?)
}
