//! `taper list`

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Args, ValueEnum};
use taper::{
    event::Split,
    format,
    metrics::{Metric, Score},
    plan::sanity::CHOSEN_ON_TEST,
    report::{Leaderboard, Missing, kept_at, leaderboard},
    store::{EvalRecord, ExperimentRecord, RunRecord, RunState, Store},
    warning::Kind,
};

use super::{
    Global, common, leaderboard as board,
    output::{self, Output},
    states, watch,
};

/// Runs shown on a terminal by default: for a named experiment, and for each of several.
const NAMED: usize = 40;
const EACH: usize = 6;
/// Terminal widths from which more is shown: steps and losses; dates and times; the test split.
const WIDE: usize = 110;
const USUAL: usize = 76;
const NARROW: usize = 50;

/// List runs and compare trials.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper list\n  taper list quickstart --json\n  \
    taper list rbt3-waimai-sweep --sort accuracy --limit 5\n  taper list --state failed --state interrupted\n  \
    taper list rbt3-waimai-sweep --leaderboard      trials, best first\n  \
    taper list --watch                              in another terminal, while runs train")]
pub struct List {
    /// Show only the runs of this experiment, including those of earlier versions of its spec.
    experiment: Option<String>,
    /// Sort runs by date (oldest first, the default), name, accuracy (dev, else test; best first), loss (best first) or time (longest
    /// first).
    #[arg(long, value_enum, value_name = "KEY", conflicts_with_all = ["leaderboard", "watch"])]
    sort: Option<Sort>,
    /// Show at most N runs of each experiment (sorted by date: the newest); 0 shows all. Default: 6 on a terminal (40 with EXPERIMENT),
    /// else all.
    #[arg(long, value_name = "N", conflicts_with_all = ["leaderboard", "watch"])]
    limit: Option<usize>,
    /// Show only runs in this state (completed, failed, interrupted, …), or runs that failed for this reason (diverged, oom,
    /// crashed); can be repeated.
    #[arg(long, value_name = "STATE", value_parser = states::parse, conflicts_with_all = ["leaderboard", "watch"])]
    state: Vec<states::Chosen>,
    /// Watch the trials of EXPERIMENT until none is training (default: the experiment being trained now, else the one trained
    /// last).
    #[arg(long, conflicts_with_all = ["leaderboard", "json"])]
    watch: bool,
    /// Rank the trials of EXPERIMENT by their mean over seeds, with its 95% interval. A trial consists of the runs that
    /// differ only in `train.seed`.
    #[arg(long, requires = "experiment")]
    leaderboard: bool,
}

/// The order of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Date,
    Name,
    Accuracy,
    Loss,
    Time,
}

impl List {
    /// Prints a table, or with `--json` an array of runs or of trials.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.watch {
            return watch::watch(global, self.experiment.as_deref(), out);
        }
        if self.experiment.is_none() && !Store::is_there(&global.runs) {
            match out.json {
                true => out.document(&[(); 0])?,
                false => {
                    let (folder, run) = (global.runs.display().to_string(), out.command("taper run SPEC"));
                    output::error(&format!("no runs in {}; start some with `{run}`", format::one_line(&folder)))
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        let store = common::open_existing(global)?;
        match &self.experiment {
            Some(wanted) if self.leaderboard => {
                board::print(&leaderboard(&store, &common::experiment(&store, wanted)?)?, None, out)?
            }
            Some(wanted) => self.print(
                &store,
                vec![listed(&store, &store.experiment(&common::experiment(&store, wanted)?)?)?],
                out,
            )?,
            None => self.print(&store, all(&store)?, out)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, store: &Store, mut experiments: Vec<Listed>, out: &mut Output) -> Result<()> {
        let keys = || experiments.iter().flat_map(Listed::runs).map(|run| run.key.as_str());
        // JSON records do not include dev accuracy.
        let shows_dev = !out.json || matches!(self.sort, Some(Sort::Accuracy));
        let dev = if shows_dev { store.evals_on(keys(), Split::Dev)? } else { HashMap::new() };
        let seen = Seen { dev, seconds: store.training_seconds(keys())?, warned: store.warned(Kind::Result)? };
        // The best trial is shown for whole plans only.
        let tells_best = !out.json && self.state.is_empty();
        let best: Vec<Option<String>> =
            experiments.iter().map(|listed| if tells_best { seen.best(listed) } else { None }).collect();
        for listed in &mut experiments {
            for runs in [&mut listed.planned, &mut listed.earlier] {
                runs.retain(|run| states::any(&self.state, run));
                if let Some(sort) = self.sort {
                    runs.sort_by(|a, b| seen.order(sort, a, b));
                }
            }
        }
        // By date the last ones are of interest, otherwise the first ones.
        let last = matches!(self.sort, None | Some(Sort::Date));
        let limit = match (self.limit, out.terminal && !out.json) {
            (Some(0), _) | (None, false) => usize::MAX,
            (Some(limit), _) => limit,
            (None, true) if self.experiment.is_some() => NAMED,
            (None, true) => EACH,
        };
        let shown = |runs: &[RunRecord]| match (runs.len().saturating_sub(limit), last) {
            (more, true) => (more, more..runs.len()),
            (more, false) => (more, 0..runs.len() - more),
        };
        if out.json {
            // A run of several experiments has one entry, which names them all: that of the first that plans it.
            let parts = experiments.iter().map(|l| &l.planned).chain(experiments.iter().map(|l| &l.earlier));
            let mut entries = HashSet::new();
            let runs = parts.flat_map(|runs| &runs[shown(runs).1]);
            let mut runs: Vec<&RunRecord> = runs.filter(|run| entries.insert(run.key.as_str())).collect();
            let sort = self.sort.unwrap_or(Sort::Date);
            runs.sort_by(|a, b| seen.order(sort, a, b));
            return out.document(&runs);
        }
        // An experiment is listed though all of its runs were removed, unless some of them are asked for.
        let is_empty = |listed: &Listed| listed.runs().next().is_none();
        let whole = self.experiment.is_none() && self.state.is_empty();
        let found = experiments.iter().zip(best).filter(|(listed, _)| whole || !is_empty(listed));
        let (mut marked, mut unfinished) = (false, false);
        for (i, (listed, best)) in found.enumerate() {
            if i > 0 {
                out.line("")?;
            }
            out.wrapped(&heading(listed, best))?;
            let mut rows = |runs: &[RunRecord], out: &mut Output| {
                let (more, range) = shown(runs);
                let rest = match last {
                    true => format!("… and {more} earlier ones (--limit 0 shows all)"),
                    false => format!("… and {more} more (--limit 0 shows all)"),
                };
                if more > 0 && last {
                    out.line(&rest)?;
                }
                marked |= runs[range.clone()].iter().any(|run| seen.warned.contains(&run.key));
                unfinished |= runs[range.clone()].iter().any(|run| !is_final(run) && seen.dev(run).is_some());
                seen.table(&runs[range], out)?;
                if more > 0 && !last {
                    out.line(&rest)?;
                }
                Ok::<_, anyhow::Error>(())
            };
            if !listed.planned.is_empty() {
                rows(&listed.planned, out)?;
            }
            let missing = listed.missing.note(&out.command("taper run SPEC")).filter(|_| self.state.is_empty());
            missing.iter().try_for_each(|note| out.wrapped(note))?;
            if listed.experiment.is_none() && self.state.is_empty() {
                out.wrapped(&format!(
                    "the experiments that planned them were removed: `{}` removes a run, and `taper run` with a spec that has it takes \
                     it in again",
                    out.command("taper rm KEY")
                ))?;
            }
            if !listed.earlier.is_empty() {
                out.wrapped(&format!(
                    "not in the plan of the last `taper run`: {}",
                    format::counted(listed.earlier.len() as u64, "run")
                ))?;
                rows(&listed.earlier, out)?;
            }
        }
        if unfinished {
            out.wrapped(board::NOT_FINAL)?;
        }
        if marked {
            out.wrapped(board::MARK)?;
        }
        if (experiments.is_empty() || !whole) && experiments.iter().all(is_empty) {
            output::error(&match (self.state.is_empty(), &self.experiment) {
                (false, _) => "no runs in that state".to_string(),
                (true, Some(wanted)) => format!("no runs: those of `{}` were removed", format::one_line(wanted)),
                (true, None) => "no runs".into(),
            });
        }
        if let Some(wanted) = &self.experiment {
            for warning in store.experiment(&common::experiment(store, wanted)?)?.warnings {
                out.wrapped(&format!("warning: {}", format::one_line(&warning.message)))?;
            }
        }
        Ok(())
    }
}

/// The listed runs of an experiment, or of none.
struct Listed {
    experiment: Option<String>,
    /// Those of the last plan.
    planned: Vec<RunRecord>,
    /// Those of earlier plans and variants that are not in it.
    earlier: Vec<RunRecord>,
    /// Number of stored runs of the plan, whether listed or not.
    stored: usize,
    /// The planned runs without a record.
    missing: Missing,
}

impl Listed {
    fn runs(&self) -> impl Iterator<Item = &RunRecord> {
        self.planned.iter().chain(&self.earlier)
    }
}

/// The runs of one experiment, with the names of its plan.
fn listed(store: &Store, experiment: &ExperimentRecord) -> Result<Listed> {
    let (mut planned, earlier): (Vec<RunRecord>, Vec<_>) =
        store.runs_ever_of(&experiment.name)?.into_iter().partition(|run| run.in_plan);
    let order: HashMap<&str, usize> =
        experiment.runs.iter().enumerate().map(|(i, (key, _))| (key.as_str(), i)).collect();
    planned.sort_by_key(|run| order.get(run.key.as_str()));
    let missing = Missing::of(experiment, planned.iter().map(|run| run.key.as_str()));
    Ok(Listed { experiment: Some(experiment.name.clone()), stored: planned.len(), planned, earlier, missing })
}

/// Every experiment with all of its runs, those that it shares with others too, and the runs of none.
fn all(store: &Store) -> Result<Vec<Listed>> {
    let mut all = store.experiments()?.iter().map(|e| listed(store, e)).collect::<Result<Vec<_>>>()?;
    let planned = store.runs_of_none()?;
    if !planned.is_empty() {
        let (stored, missing) = (planned.len(), Missing::default());
        all.push(Listed { experiment: None, planned, earlier: Vec::new(), stored, missing });
    }
    Ok(all)
}

/// `quickstart-search: 81 runs, 6 completed, 75 pruned; best dev accuracy 88.9% (mean of 3 seeds): lr=3e-4`; if only some of the runs
/// are shown, `quickstart-search: 75 of 81 runs, 75 pruned`.
fn heading(listed: &Listed, best: Option<String>) -> String {
    // If only earlier plans have runs in the requested states, those are counted.
    let of_plan = !listed.planned.is_empty();
    let runs = if of_plan { &listed.planned } else { &listed.earlier };
    let counts = RunState::counted(runs.iter().map(|run| run.state));
    let mut many = format::counted(runs.len() as u64, "run");
    if of_plan && runs.len() < listed.stored {
        many = format!("{} of {}", runs.len(), format::counted(listed.stored as u64, "run"));
    }
    let counts = if counts.is_empty() { counts } else { format!(", {counts}") };
    let best = best.map_or(String::new(), |best| format!("; {best}"));
    format!("{}: {many}{counts}{best}", listed.experiment.as_deref().unwrap_or("runs of no experiment"))
}

/// Data about runs in addition to their records.
struct Seen {
    /// Their evaluations on the dev split, if these choose the kept weights.
    dev: HashMap<String, Vec<EvalRecord>>,
    /// Seconds of training.
    seconds: HashMap<String, f64>,
    /// Keys of runs whose model does nothing useful.
    warned: HashSet<String>,
}

impl Seen {
    /// Dev accuracy of the weights that are kept, or would be now: what the leaderboard shows for the run.
    fn dev(&self, run: &RunRecord) -> Option<f64> {
        self.dev_at(run).map(|(accuracy, _)| accuracy)
    }

    /// The same, with the step of its evaluation.
    fn dev_at(&self, run: &RunRecord) -> Option<(f64, u64)> {
        let evals = self.dev.get(&run.key)?;
        let kept = kept_at(&run.config, evals, Split::Dev, run.config.checkpoint.metric)?;
        Some((kept.metrics.get(Metric::Accuracy), kept.step))
    }

    /// The same as text; for a run that is not completed, with the step and marked as not final.
    fn dev_text(&self, run: &RunRecord) -> String {
        match self.dev_at(run) {
            None => format::NOTHING.into(),
            Some((accuracy, _)) if is_final(run) => format::percent(accuracy),
            Some((accuracy, step)) => board::not_final(&format::percent(accuracy), Some(&step.to_string())),
        }
    }

    /// The best trial of a plan, as on the leaderboard.
    fn best(&self, listed: &Listed) -> Option<String> {
        let experiment = listed.experiment.as_ref().filter(|_| listed.planned.len() > 1)?;
        let evals = |run: &RunRecord| self.dev.get(&run.key).map_or(&[][..], |evals| &evals[..]);
        let runs: Vec<(&RunRecord, &[EvalRecord])> = listed.planned.iter().map(|run| (run, evals(run))).collect();
        let board = Leaderboard::new(experiment, &runs, &listed.missing);
        let trial = board.trials.first().filter(|trial| trial.rank.is_some())?;
        let mean = trial.value?;
        let seeds = if mean.n > 1 { format!(" (mean of {} seeds)", mean.n) } else { String::new() };
        let value = board.metric.text(mean.mean);
        let (split, metric) = (board::word(&board.split), board.metric.name());
        let chosen = if board.is_chosen_on_test() { format!(" ({CHOSEN_ON_TEST})") } else { String::new() };
        Some(format!("best {split} {metric} {value}{seeds}: {}{chosen}", trial.name))
    }

    fn test(run: &RunRecord) -> Option<f64> {
        run.final_metrics.as_ref().filter(|_| run.config.data.test > 0.0).map(|m| m.get(Metric::Accuracy))
    }

    /// The accuracy that runs are compared by: on the dev split if there is one.
    fn accuracy(&self, run: &RunRecord) -> Option<f64> {
        if run.config.data.dev > 0.0 { self.dev(run) } else { Self::test(run) }
    }

    fn order(&self, sort: Sort, a: &RunRecord, b: &RunRecord) -> Ordering {
        let score = |metric: Metric, value: Option<f64>| {
            value.map(|value| metric.score(value)).filter(|score| score.is_finite()).unwrap_or(Score::WORST)
        };
        let accuracy = |run: &RunRecord| score(Metric::Accuracy, self.accuracy(run));
        // The final evaluation's loss, or without one the last step's.
        let loss = |run: &RunRecord| {
            score(Metric::Loss, run.final_metrics.as_ref().map(|m| m.get(Metric::Loss)).or(run.last_loss))
        };
        let seconds = |run: &RunRecord| self.seconds.get(&run.key).copied().unwrap_or(f64::NEG_INFINITY);
        match sort {
            Sort::Date => a.created_at.total_cmp(&b.created_at),
            Sort::Name => a.name.cmp(&b.name),
            Sort::Accuracy => accuracy(b).total_cmp(&accuracy(a)),
            Sort::Loss => loss(b).total_cmp(&loss(a)),
            Sort::Time => seconds(b).total_cmp(&seconds(a)),
        }
    }

    fn table(&self, runs: &[RunRecord], out: &mut Output) -> Result<()> {
        let at_least = |least: usize| out.width().is_none_or(|width| width >= least);
        let (wide, usual) = (at_least(WIDE), at_least(USUAL));
        let has_dev = runs.iter().any(|run| run.config.data.dev > 0.0);
        let has_test = runs.iter().any(|run| run.config.data.test > 0.0) && (at_least(NARROW) || !has_dev);
        let dash = || format::NOTHING.to_string();
        let percent = |value: Option<f64>| value.map_or_else(dash, format::percent);
        let rows = runs.iter().map(|run| {
            // The value was measured at that step.
            let state = match run.state {
                RunState::Pruned if usual => format!("{} at step {}", run.state_text(), run.steps),
                RunState::Completed if usual && run.early_stop().is_some() => format!("{} early", run.state_text()),
                _ => run.state_text(),
            };
            let state = if self.warned.contains(&run.key) { format!("{state} !") } else { state };
            let mut row = vec![format::short(&run.key).to_string(), run.name.clone(), state];
            if wide {
                row.push(format!("{}/{}", run.steps, run.total_steps));
                row.push(run.last_loss.map_or_else(dash, |loss| format!("{loss:.4}")));
            }
            row.extend(has_dev.then(|| self.dev_text(run)));
            row.extend(has_test.then(|| percent(Self::test(run))));
            if usual {
                row.push(run.started_at.map_or_else(dash, date));
                row.push(self.seconds.get(&run.key).map_or_else(dash, |s| format::duration(*s)));
            }
            row
        });
        let mut header = vec!["run", "name", "state"];
        if wide {
            header.extend(["steps", "last step's loss"]);
        }
        header.extend(has_dev.then_some(if wide { "dev accuracy" } else { "dev" }));
        header.extend(has_test.then_some(if wide { "test accuracy" } else { "test" }));
        if usual {
            header.extend(["started", "time"]);
        }
        let least = ["time", "started", "last step's loss", "steps", "test accuracy", "test", "state"];
        out.fitted(&header, rows, &least).map(drop)
    }
}

/// Whether a run's value is its final result.
fn is_final(run: &RunRecord) -> bool {
    run.state == RunState::Completed
}

/// Unix seconds as `03-01 12:00`, in local time.
fn date(unix: f64) -> String {
    match jiff::Timestamp::from_second(unix as i64) {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M").to_string(),
        Err(_) => format::NOTHING.into(),
    }
}
