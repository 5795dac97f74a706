//! `taper rm`

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use taper::{
    execute::{ExecuteError, remove_runs, run_bytes},
    format::{
        self,
        command::{shell_word, with_runs},
        one_line,
    },
    report,
    store::{ExperimentRecord, PlanRecord, RunRecord, Store, StoreError},
};

use super::{
    Global, Unusable, ask, common,
    named::best_run,
    on_cluster::OnCluster,
    output::{self, Output},
    states,
};

/// Remove runs: their records and their folders. Asks first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper rm 3f2a 77c1\n  taper rm --experiment quickstart --yes\n  \
    taper rm --state failed --state interrupted")]
pub struct Rm {
    /// Runs to remove: their keys, prefixes of their keys, or their names. If a name is also a prefix of another run's
    /// key, give the key instead.
    #[arg(value_name = "RUN", required_unless_present_any = ["experiment", "state"])]
    wanted: Vec<String>,
    /// Remove this experiment (name or spec file) and its runs that belong to no other experiment. Its report is kept.
    #[arg(long, value_name = "NAME", conflicts_with = "wanted")]
    experiment: Option<String>,
    /// Remove only runs in this state (failed, interrupted, pruned, …), or runs that failed for this reason (diverged, oom, crashed);
    /// can be repeated. Applies to the experiment given by --experiment, or, without it, to all experiments.
    #[arg(long, value_name = "STATE", value_parser = states::parse, conflicts_with = "wanted")]
    state: Vec<states::Chosen>,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
}

/// What is to be removed.
#[derive(Default)]
struct Chosen {
    runs: Vec<RunRecord>,
    /// The experiment, if its current plan is removed too.
    experiment: Option<String>,
    plans: Vec<PlanRecord>,
    /// Sentences about what is kept although users may expect otherwise.
    stays: Vec<String>,
}

impl Chosen {
    /// Without the runs that another experiment plans, too, and a sentence about these: as an experiment that is removed leaves them.
    fn without_shared(mut self, name: &str, folder: &Path) -> (Self, Option<String>) {
        let is_shared = |run: &mut RunRecord| run.experiments.iter().any(|other| other != name);
        let shared: Vec<RunRecord> = self.runs.extract_if(.., is_shared).collect();
        let n = shared.len() as u64;
        let others: BTreeSet<String> = shared
            .iter()
            .flat_map(|run| &run.experiments)
            .filter(|other| *other != name)
            .map(|other| format!("`{}`", one_line(other)))
            .collect();
        let said = (n > 0).then(|| {
            let others: Vec<String> = others.into_iter().collect();
            format!(
                "{} in that state {}, because {} to {}: `{}` removes {}",
                format::counted(n, "run"),
                format::by_number(n, "stays", "stay"),
                format::by_number(n, "it also belongs", "they also belong"),
                format::and(&others),
                with_runs("taper rm RUN", folder),
                format::by_number(n, "it", "each of them"),
            )
        });
        (self, said)
    }
}

impl Rm {
    /// Asks for confirmation and removes.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut store = common::open_existing(global)?;
        let mut chosen = match &self.experiment {
            Some(wanted) if self.state.is_empty() => of_experiment(&store, wanted)?,
            Some(wanted) => {
                let name = common::experiment(&store, wanted)?;
                let (own, shared) = self.in_states(store.runs_ever_of(&name)?).without_shared(&name, store.folder());
                Chosen { stays: shared.into_iter().collect(), ..own }
            }
            None if !self.state.is_empty() => self.in_states(store.runs()?),
            None => Chosen { runs: self.runs(&store)?, ..Chosen::default() },
        };
        if !self.state.is_empty() && chosen.runs.is_empty() && !out.json {
            match &chosen.stays[..] {
                [] => output::error("no runs in that state"),
                stays => stays.iter().try_for_each(|line| out.wrapped(line))?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        // A job would train a run that nobody knows.
        if let Some((run, job)) = OnCluster::of(&store)?.first_underway(chosen.runs.iter()) {
            let cancel = with_runs(&format!("taper cancel {}", format::short(&run.key)), store.folder());
            return Err(Unusable(anyhow!("the job of `{}` {job}: end it first with `{cancel}`", run.name)).into());
        }
        let bytes: u64 = chosen.runs.iter().map(|run| run_bytes(&global.runs, &run.key)).sum();
        let many = format::counted(chosen.runs.len() as u64, "run");
        if !self.yes {
            if out.json || !ask::can_ask() {
                let why =
                    if out.json { "--json does not ask for confirmation" } else { "confirmation needs a terminal" };
                return Err(Unusable(anyhow!("{many} would be removed, but {why}: add --yes")).into());
            }
            if !chosen.runs.is_empty() {
                list(&chosen.runs, out)?;
            }
            chosen.stays.iter().try_for_each(|line| out.wrapped(line))?;
            let what = match (&chosen.experiment, chosen.runs.len()) {
                (Some(name), 0) => format!("the experiment `{name}`, but none of its runs"),
                (Some(name), _) => {
                    format!(
                        "the experiment `{name}` and {many} with all metrics, {} of disk space",
                        format::bytes(bytes)
                    )
                }
                (None, _) => format!("{many} with all metrics, {} of disk space", format::bytes(bytes)),
            };
            if !ask::confirm(&format!("remove {what}?"))? {
                out.line("nothing removed")?;
                return Ok(ExitCode::from(1));
            }
        }
        let removed: HashSet<&str> = chosen.runs.iter().map(|run| run.key.as_str()).collect();
        let holds = |e: &ExperimentRecord| e.runs.iter().any(|(key, _)| removed.contains(key.as_str()));
        let prunes = store.experiments()?.iter().any(|e| e.prunes && holds(e));
        let bar = progress(chosen.runs.len(), global);
        let mut gone = 0;
        let left = remove_runs(&mut store, &global.runs, &chosen.runs, &mut |more| {
            gone += more;
            bar.inc(more as u64);
        });
        let left = left.map_err(|e| match e {
            ExecuteError::Store(StoreError::Unwritable { .. }) | ExecuteError::Setting(_) if gone == 0 => {
                Unusable(e.into()).into()
            }
            e => anyhow::Error::from(e),
        })?;
        bar.finish_and_clear();
        chosen.stays.extend(
            left.iter().map(|folder| format!("{} stays: it holds files that taper did not write", folder.display())),
        );
        if self.experiment.is_some() && self.state.is_empty() {
            store.make_writable()?;
            store.remove_plans(&chosen.plans)?;
        }
        if let Some(name) = &chosen.experiment {
            store.remove_experiment(name)?;
        }
        if out.json {
            let keys: Vec<&str> = chosen.runs.iter().map(|run| run.key.as_str()).collect();
            let (experiment, stays) = (&chosen.experiment, &chosen.stays);
            out.document(&json!({ "removed": keys, "experiment": experiment, "bytes": bytes, "stays": stays }))?;
        } else if !global.quiet {
            let experiment =
                chosen.experiment.as_ref().map_or(String::new(), |name| format!("the experiment `{name}` and "));
            out.line(format!("removed {experiment}{many}, {} of disk space", format::bytes(bytes)))?;
            if chosen.experiment.is_none() && !chosen.runs.is_empty() {
                let them = format::by_number(chosen.runs.len() as u64, "it", "them");
                let again = report::trained_again(chosen.runs.len(), prunes);
                out.wrapped(&format!("`taper run` with a spec that plans {them} {again}"))?;
            }
            chosen.stays.iter().try_for_each(|line| out.wrapped(line))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Those of these runs that are in a requested state; plans are kept.
    fn in_states(&self, mut runs: Vec<RunRecord>) -> Chosen {
        runs.retain(|run| states::any(&self.state, run));
        Chosen { runs, ..Chosen::default() }
    }

    /// The requested runs, without duplicates.
    fn runs(&self, store: &Store) -> Result<Vec<RunRecord>> {
        let mut records: Vec<RunRecord> = Vec::new();
        for wanted in &self.wanted {
            let run = store.find_surely(wanted).map_err(|e| self.meant_as_an_experiment(store, wanted, e))?;
            if records.iter().all(|other| other.key != run.key) {
                records.push(run);
            }
        }
        Ok(records)
    }
}

impl Rm {
    /// The error for a text that does not name one run; if it names an experiment, how to remove that.
    fn meant_as_an_experiment(&self, store: &Store, wanted: &str, error: StoreError) -> anyhow::Error {
        let means_no_run = matches!(error, StoreError::UnknownRun { .. } | StoreError::AmbiguousRun { .. });
        match common::experiment(store, wanted) {
            Ok(name) if means_no_run => Unusable(anyhow!(
                "{error}\n`{name}` is an experiment: `{}` removes it with its runs",
                with_runs(&format!("taper rm --experiment {}", shell_word(wanted)), store.folder())
            ))
            .into(),
            _ if means_no_run => match best_run(store, wanted) {
                // Ranks change with every run that completes, so that the same command would remove another run.
                Ok(Some((run, runs))) => Unusable(anyhow!(
                    "`{}` is a rank or a trial, and only keys and names of runs can be removed: `{}` removes its {}",
                    one_line(wanted),
                    with_runs(&format!("taper rm {}", format::short(&run.key)), store.folder()),
                    if runs == 1 { "run" } else { "best run" }
                ))
                .into(),
                Ok(None) => error.into(),
                Err(why) => why,
            },
            _ => error.into(),
        }
    }
}

/// A progress bar on a terminal, if removal takes a while.
fn progress(runs: usize, global: &Global) -> ProgressBar {
    const MANY: usize = 200;
    if runs < MANY || global.quiet || global.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("removing runs {wide_bar} {pos}/{len} {eta}");
    ProgressBar::new(runs as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// An experiment with its runs, including those of its variants (`--set`), except runs that other experiments or spec files
/// plan.
fn of_experiment(store: &Store, wanted: &str) -> Result<Chosen> {
    let plans = store.plans()?;
    let (name, spec) = meant(store, &plans, wanted)?;
    let present = store.experiments()?.into_iter().find(|e| e.name == name);
    // Runs of the experiment whose plan was not stored by any known file. A file that is gone cannot be named any more.
    let is_of = |plan: &PlanRecord| spec.as_ref().is_none_or(|spec| plan.is_of(spec)) || !plan.spec.is_file();
    let is_own = |plan: &&PlanRecord| plan.experiment == name && is_of(plan);
    let (own, others): (Vec<&PlanRecord>, Vec<&PlanRecord>) = plans.iter().partition(is_own);
    let is_present = |e: &ExperimentRecord| own.iter().any(|plan| plan.is_current(e));
    let present = present.filter(|e| own.is_empty() || is_present(e));
    let mut keys: HashSet<&str> = own.iter().flat_map(|plan| &plan.runs).map(|(key, _)| key.as_str()).collect();
    keys.extend(present.iter().flat_map(|e| &e.runs).map(|(key, _)| key.as_str()));
    let (mut runs, mut shared, mut earlier) = (Vec::new(), 0, 0);
    for run in store.runs()? {
        match (keys.contains(run.key.as_str()), others.iter().any(|plan| plan.holds(&run.key))) {
            (true, false) => runs.push(run),
            (true, true) => shared += 1,
            (false, false) if run.experiment.as_ref() == Some(&name) => earlier += 1,
            _ => {}
        }
    }
    let mut stays = Vec::new();
    if shared > 0 {
        let mut names: Vec<String> = Vec::new();
        for plan in others.iter().filter(|plan| plan.runs.iter().any(|(key, _)| keys.contains(key.as_str()))) {
            let shown = format!("`{}` ({})", plan.experiment, plan.spec_from_here().display());
            if !names.contains(&shown) {
                names.push(shown);
            }
        }
        let (stay, belong) = (
            format::by_number(shared, "stays", "stay"),
            format::by_number(shared, "it also belongs", "they also belong"),
        );
        stays.push(format!("{shared} of its runs {stay}, because {belong} to {}", names.join(", ")));
    }
    let mut namesakes: Vec<String> = Vec::new();
    for plan in others.iter().filter(|plan| plan.experiment == name) {
        let shown = plan.spec_from_here().display().to_string();
        if !namesakes.contains(&shown) {
            namesakes.push(shown);
        }
    }
    if !namesakes.is_empty() {
        let files = namesakes.join(", ");
        stays.push(format!(
            "another spec file also names its experiment `{name}`: the runs of {files} stay; `{}` removes those of \
             one file",
            with_runs("taper rm --experiment FILE", store.folder())
        ));
    }
    if earlier > 0 {
        stays.push(format!(
            "{} of earlier versions of `{name}` {}: `{}` shows {them}, `{}` removes {them}",
            format::counted(earlier as u64, "run"),
            format::by_number(earlier as u64, "stays", "stay"),
            with_runs("taper list", store.folder()),
            with_runs("taper rm RUN", store.folder()),
            them = format::by_number(earlier as u64, "it", "them"),
        ));
    }
    let plans = own.into_iter().cloned().collect();
    Ok(Chosen { runs, experiment: present.map(|e| e.name), plans, stays })
}

/// The name of the experiment and its spec file: the last one that was run, if only the name is given.
fn meant(store: &Store, plans: &[PlanRecord], wanted: &str) -> Result<(String, Option<std::path::PathBuf>)> {
    if let Ok(experiment) = store.experiment(wanted) {
        let current = plans.iter().filter(|plan| plan.is_current(&experiment));
        // Of a file that was renamed and one that is there, the one that is there.
        let spec = current.max_by_key(|plan| plan.spec.is_file()).map(|plan| plan.spec.clone());
        return Ok((experiment.name, spec));
    }
    let path = Path::new(wanted);
    match plans.iter().find(|plan| path.is_file() && plan.is_of(path)) {
        Some(plan) => Ok((plan.experiment.clone(), Some(plan.spec.clone()))),
        // Reports the error.
        None => Ok((common::experiment(store, wanted)?, None)),
    }
}

fn list(records: &[RunRecord], out: &mut Output) -> Result<()> {
    out.table(
        &["run", "experiment", "name", "state", "steps"],
        records.iter().map(|run| {
            let key = format::short(&run.key).into();
            let belongs = run.experiments.join(", ");
            let experiments = if belongs.is_empty() { run.experiment.clone().unwrap_or_default() } else { belongs };
            vec![key, experiments, run.name.clone(), run.state_text(), format::count(run.steps)]
        }),
    )
}
