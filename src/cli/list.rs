//! `taper list`

use std::{cmp::Ordering, collections::HashMap, process::ExitCode};

use anyhow::Result;
use clap::{Args, ValueEnum};
use taper::{
    event::Split,
    format,
    metrics::{Metric, Score},
    report::leaderboard,
    store::{RunRecord, RunState, Store},
};

use super::{
    Global, common, leaderboard as board,
    output::{self, Output},
    watch,
};

/// Runs of an experiment that a terminal shows unless it is asked for more: of one that is named, and of each of several.
const NAMED: usize = 40;
const EACH: usize = 6;
/// Columns of a terminal from which steps and losses are shown too; dates and times; the test split.
const WIDE: usize = 110;
const USUAL: usize = 76;
const NARROW: usize = 50;

/// List runs by experiment, oldest first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper list\n  taper list quickstart --json\n  \
    taper list rbt3-waimai-sweep --sort accuracy --limit 5\n  taper list --state failed --state interrupted\n  \
    taper list rbt3-waimai-sweep --leaderboard      trials, best first\n  \
    taper list --watch                              from another terminal while runs go on")]
pub struct List {
    /// Runs of this experiment only, those of its earlier plans too.
    experiment: Option<String>,
    /// Order of the runs: by date and by name upwards, by accuracy (dev, else test) and by loss the best first, by time
    /// the longest first.
    #[arg(long, value_enum, value_name = "KEY", conflicts_with_all = ["leaderboard", "watch"])]
    sort: Option<Sort>,
    /// Runs shown of each experiment at most, by date the newest; 0 for all of them. A terminal shows 6, or 40 of an
    /// experiment that is named.
    #[arg(long, value_name = "N", conflicts_with_all = ["leaderboard", "watch"])]
    limit: Option<usize>,
    /// Runs in this state only; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = state, conflicts_with_all = ["leaderboard", "watch"])]
    state: Vec<RunState>,
    /// Show the trials of an experiment until none is at work any more; ends with Ctrl-C too. Without a name: of the one at
    /// work.
    #[arg(long, conflicts_with_all = ["leaderboard", "json"])]
    watch: bool,
    /// Show the experiment's trials, best first: runs that differ in their seed only, with their mean and its 95 % interval.
    #[arg(long, requires = "experiment")]
    leaderboard: bool,
}

/// What runs are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Date,
    Name,
    Accuracy,
    Loss,
    Time,
}

/// A state by the word that it is stored as.
fn state(word: &str) -> Result<RunState, String> {
    serde_json::from_value(word.into())
        .map_err(|_| "expected one of pending, running, completed, failed, interrupted, pruned".to_string())
}

impl List {
    /// Prints a table, or with `--json` an array of runs or of trials.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.watch {
            return watch::watch(global, self.experiment.as_deref(), out);
        }
        if out.json && self.experiment.is_none() && !global.runs.join("taper.db").exists() {
            out.document(&[(); 0])?;
            return Ok(ExitCode::SUCCESS);
        }
        let store = common::open_existing(global)?;
        match &self.experiment {
            Some(wanted) if self.leaderboard => {
                board::print(&leaderboard(&store, &common::experiment(&store, wanted)?)?, None, out)?
            }
            experiment => self.print(&store, runs(&store, experiment.as_deref())?, out)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, store: &Store, mut runs: Vec<RunRecord>, out: &mut Output) -> Result<()> {
        if !self.state.is_empty() {
            runs.retain(|run| self.state.contains(&run.state));
        }
        let keys = || runs.iter().map(|run| run.key.as_str());
        let dev = store.latest(keys(), Split::Dev, Metric::Accuracy)?;
        let seen = Seen { dev, seconds: store.training_seconds(keys())? };
        if let Some(sort) = self.sort {
            runs.sort_by(|a, b| seen.order(sort, a, b));
        }
        // By date those at the end are of interest, else those at the beginning.
        let last = matches!(self.sort, None | Some(Sort::Date));
        let limit = match (self.limit, out.terminal && !out.json) {
            (Some(0), _) | (None, false) => usize::MAX,
            (Some(limit), _) => limit,
            (None, true) if self.experiment.is_some() => NAMED,
            (None, true) => EACH,
        };
        if out.json && limit == usize::MAX {
            return out.document(&runs);
        }
        let mut experiments: Vec<(String, Vec<RunRecord>)> = Vec::new();
        for run in runs {
            match experiments.iter_mut().find(|(name, _)| *name == run.experiment) {
                Some((_, members)) => members.push(run),
                None => experiments.push((run.experiment.clone(), vec![run])),
            }
        }
        let shown = |runs: &[RunRecord]| match (runs.len().saturating_sub(limit), last) {
            (more, true) => (more, more..runs.len()),
            (more, false) => (more, 0..runs.len() - more),
        };
        if out.json {
            let runs: Vec<&RunRecord> = experiments.iter().flat_map(|(_, runs)| &runs[shown(runs).1]).collect();
            return out.document(&runs);
        }
        if experiments.is_empty() {
            output::error(if self.state.is_empty() { "no runs" } else { "no runs in such a state" });
        }
        for (i, (name, runs)) in experiments.iter().enumerate() {
            if i > 0 {
                out.line("")?;
            }
            out.wrapped(&seen.heading(name, runs))?;
            let (more, range) = shown(runs);
            let rest = match last {
                true => format!("… and {more} earlier ones (--limit 0 shows all)"),
                false => format!("… and {more} more (--limit 0 shows all)"),
            };
            if more > 0 && last {
                out.line(&rest)?;
            }
            seen.table(&runs[range], out)?;
            if more > 0 && !last {
                out.line(&rest)?;
            }
        }
        if let Some(wanted) = &self.experiment {
            for warning in store.experiment(&common::experiment(store, wanted)?)?.warnings {
                out.line(format!("warning: {}", format::one_line(&warning.message)))?;
            }
        }
        Ok(())
    }
}

/// All runs, or those of an experiment, which is named or whose spec file is.
fn runs(store: &Store, experiment: Option<&str>) -> Result<Vec<RunRecord>> {
    Ok(match experiment {
        None => store.runs()?,
        Some(wanted) => store.runs_ever_of(&common::experiment(store, wanted)?)?,
    })
}

/// What is known of runs beside their records.
struct Seen {
    /// Accuracy on the dev split, and the step that it is of.
    dev: HashMap<String, (f64, u64)>,
    /// Seconds of training.
    seconds: HashMap<String, f64>,
}

impl Seen {
    fn dev(&self, run: &RunRecord) -> Option<f64> {
        self.dev.get(&run.key).map(|(accuracy, _)| *accuracy)
    }

    fn test(run: &RunRecord) -> Option<f64> {
        run.final_metrics.as_ref().filter(|_| run.config.data.test > 0.0).map(|m| m.get(Metric::Accuracy))
    }

    /// The accuracy that runs are compared by: that on the dev split where there is one.
    fn accuracy(&self, run: &RunRecord) -> Option<f64> {
        if run.config.data.dev > 0.0 { self.dev(run) } else { Self::test(run) }
    }

    fn order(&self, sort: Sort, a: &RunRecord, b: &RunRecord) -> Ordering {
        let score = |metric: Metric, value: Option<f64>| {
            value.map(|value| metric.score(value)).filter(|score| score.is_finite()).unwrap_or(Score::WORST)
        };
        let accuracy = |run: &RunRecord| score(Metric::Accuracy, self.accuracy(run));
        // Loss on the rows measured at the end, the last step's where there is none.
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

    /// `quickstart-search: 81 runs, 6 completed, 75 pruned; best dev 90.0%: lr=3e-4 seed=2`.
    fn heading(&self, name: &str, runs: &[RunRecord]) -> String {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for run in runs {
            let state = common::state(run);
            match counts.iter_mut().find(|(known, _)| *known == state) {
                Some((_, n)) => *n += 1,
                None => counts.push((state, 1)),
            }
        }
        let counts: Vec<String> = counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
        let mut text = format!("{name}: {}, {}", format::counted(runs.len() as u64, "run"), counts.join(", "));
        let completed = runs.iter().filter(|run| run.state == RunState::Completed && runs.len() > 1);
        let best = completed.filter_map(|run| Some((self.accuracy(run)?, run)));
        if let Some((accuracy, run)) = best.reduce(|best, other| if other.0 > best.0 { other } else { best }) {
            let split = if run.config.data.dev > 0.0 { "dev" } else { "test" };
            text += &format!("; best {split} {}: {}", format::percent(accuracy), run.name);
        }
        text
    }

    fn table(&self, runs: &[RunRecord], out: &mut Output) -> Result<()> {
        let at_least = |least: usize| out.width().is_none_or(|width| width >= least);
        let (wide, usual) = (at_least(WIDE), at_least(USUAL));
        let has_dev = runs.iter().any(|run| run.config.data.dev > 0.0);
        let has_test = runs.iter().any(|run| run.config.data.test > 0.0) && (at_least(NARROW) || !has_dev);
        let dash = || format::NOTHING.to_string();
        let percent = |value: Option<f64>| value.map_or_else(dash, format::percent);
        let rows = runs.iter().map(|run| {
            // Its figure is of that step.
            let state = match run.state {
                RunState::Pruned if usual => format!("{} at step {}", common::state(run), run.steps),
                _ => common::state(run),
            };
            let mut row = vec![format::short(&run.key).to_string(), run.name.clone(), state];
            if wide {
                row.push(format!("{}/{}", run.steps, run.total_steps));
                row.push(run.last_loss.map_or_else(dash, |loss| format!("{loss:.4}")));
            }
            row.extend(has_dev.then(|| percent(self.dev(run))));
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
            header.extend(["begun", "time"]);
        }
        out.table(&header, rows)
    }
}

/// Unix seconds as `03-01 12:00`, in this place's time.
fn date(unix: f64) -> String {
    match jiff::Timestamp::from_second(unix as i64) {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M").to_string(),
        Err(_) => format::NOTHING.into(),
    }
}
