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
    plan::{
        Keep,
        sanity::{CHOSEN_ON_DEV, CHOSEN_ON_TEST},
    },
    report::{Leaderboard, Missing, kept_at, leaderboard, run_again},
    store::{EvalRecord, ExperimentRecord, RunRecord, RunState, Store, unix_time},
    task::Task,
    warning::Kind,
};

use columns::{Column, LEAST, arranged};
use outside::Plan;

use super::{
    Global, common, leaderboard as board,
    listed::{Best, keep_among_the_last, left_behind, more_runs, no_store, nothing_listed, of_no_experiment},
    marks::{mark, not_final_mark},
    on_cluster::OnCluster,
    output::{self, Output, marked},
    states, watch,
};

/// Runs shown on a terminal by default: for a named experiment, and for each of several.
const NAMED: usize = 40;
const EACH: usize = 6;
/// The position after the columns `run` and `name`.
const AFTER_NAME: usize = 2;
/// Terminal width from which a table is wide.
const WIDE: usize = 110;

/// List runs and compare trials.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper list\n  taper list quickstart --json\n  \
    taper list rbt3-waimai-sweep --sort accuracy --limit 5\n  taper list --state failed --state interrupted\n  \
    taper list rbt3-waimai-sweep --leaderboard      trials, best first\n  \
    taper list --watch                              in another terminal, while runs train")]
pub struct List {
    /// Show only this experiment's runs, and runs from earlier versions of its spec.
    experiment: Option<String>,
    /// Sort runs by this key. `date` (the default): oldest first, by start time (runs not yet started: by the time they were planned); `name`: alphabetically;
    /// `accuracy`, `loss`: best first, on the dev split or else the test split, with unfinished runs last; `time`: longest first.
    #[arg(long, value_enum, value_name = "KEY", conflicts_with_all = ["leaderboard", "watch"])]
    sort: Option<Sort>,
    /// Show at most N runs of each experiment: the latest ones if sorted by date, else the first ones; 0 shows all. Default: 6 on a
    /// terminal (40 with EXPERIMENT), else all.
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
    /// Rank the trials of EXPERIMENT by their mean over seeds or folds, with its 95% interval. A trial consists of the runs that
    /// differ only in `train.seed` and in the fold of a cross-validation.
    #[arg(long, requires = "experiment")]
    leaderboard: bool,
}

/// Explains the column of training losses.
const TRAIN_LOSS: &str = "train loss: of the last step, a single batch";

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
                false => output::error(&no_store(&global.runs, out)),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let store = common::open_existing(global)?;
        match &self.experiment {
            Some(wanted) if self.leaderboard => {
                let experiment = store.experiment(&common::experiment(&store, wanted)?)?;
                let board = leaderboard(&store, &experiment.name)?;
                board::print(&board, None, out)?;
                if !out.json {
                    board::print_best_run(&board, out)?;
                    warnings(&experiment, out)?;
                }
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

    /// The options that choose and order, as they were given: ` --sort name --state failed`.
    fn options(&self) -> String {
        let sort = self.sort.and_then(|sort| Some(format!(" --sort {}", sort.to_possible_value()?.get_name())));
        let states = self.state.iter().map(|state| format!(" --state {}", state.word()));
        sort.into_iter().chain(states).collect()
    }

    fn print(&self, store: &Store, mut experiments: Vec<Listed>, out: &mut Output) -> Result<()> {
        let keys = || experiments.iter().flat_map(Listed::runs).map(|run| run.key.as_str());
        // JSON records do not include dev accuracy.
        let shows_dev = !out.json || matches!(self.sort, Some(Sort::Accuracy | Sort::Loss));
        let mut evals = if shows_dev { store.evals_on(keys(), Split::Dev)? } else { HashMap::new() };
        if shows_dev {
            let runs =
                experiments.iter().flat_map(Listed::runs).filter(|run| !run.config.data.has_dev() && !is_final(run));
            evals.extend(store.evals_on(runs.map(|run| run.key.as_str()), Split::Test)?);
        }
        let (seconds, warned) = (store.training_seconds(keys())?, store.warned(Kind::Result)?);
        let seen = Seen { evals, seconds, warned, cluster: OnCluster::of(store)? };
        let sort = self.sort.unwrap_or(Sort::Date);
        // The best trial is shown for whole plans only.
        let tells_best = !out.json && self.state.is_empty();
        let best: Vec<Option<Best>> = experiments
            .iter()
            .map(|listed| if tells_best { seen.best(listed, self.experiment.is_none()) } else { None })
            .collect();
        // Of the runs outside a plan, JSON has the configs themselves.
        let plan = |listed: &Listed| match out.json || listed.earlier.is_empty() {
            true => Plan::default(),
            false => Plan::of(&listed.planned),
        };
        let plans: Vec<Plan> = experiments.iter().map(plan).collect();
        for listed in &mut experiments {
            for runs in [&mut listed.planned, &mut listed.earlier] {
                runs.retain(|run| states::any(&self.state, run));
                runs.sort_by(|a, b| seen.order(sort, a, b));
            }
        }
        // By date the last ones are of interest, otherwise the first ones.
        let last = sort == Sort::Date;
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
        if last && self.limit.is_none() && limit < usize::MAX {
            for (listed, best) in experiments.iter_mut().zip(&best) {
                let of_best = |run: &RunRecord| best.as_ref().is_some_and(|best| best.runs.contains(&run.key));
                keep_among_the_last(&mut listed.planned, of_best, limit);
            }
        }
        if out.json {
            // A run of several experiments has one entry, which names them all: that of the first that plans it.
            let parts = experiments.iter().map(|l| &l.planned).chain(experiments.iter().map(|l| &l.earlier));
            let mut entries = HashSet::new();
            let runs = parts.flat_map(|runs| &runs[shown(runs).1]);
            let mut runs: Vec<&RunRecord> = runs.filter(|run| entries.insert(run.key.as_str())).collect();
            runs.sort_by(|a, b| seen.order(sort, a, b));
            let runs: Vec<_> = runs.into_iter().map(|run| seen.cluster.with_job(run)).collect();
            return out.document(&runs);
        }
        // An experiment is listed though all of its runs were removed, unless some of them are asked for.
        let is_empty = |listed: &Listed| listed.runs().next().is_none();
        let whole = self.experiment.is_none() && self.state.is_empty();
        let found =
            experiments.iter().zip(best.into_iter().zip(plans)).filter(|(listed, _)| whole || !is_empty(listed));
        let whole_plans = self.state.is_empty();
        let (mut marked, mut unfinished, mut shows_loss) = (None, Vec::new(), false);
        for (i, (listed, (best, plan))) in found.enumerate() {
            if i > 0 {
                out.line("")?;
            }
            out.wrapped(&heading(listed, &seen.cluster, best.map(|best| best.text)))?;
            let mut rows = |runs: &[RunRecord], names: &[String], plan: Option<&Plan>, out: &mut Output| {
                let (more, range) = shown(runs);
                let rest = more_runs(more, (listed.experiment.as_deref(), &self.options()), out);
                if more > 0 && last {
                    out.wrapped(&rest)?;
                }
                for run in runs[range.clone()].iter().filter(|run| seen.warned.contains(&run.key)) {
                    let is_of_label = run.config.data.task() == Task::SingleLabel;
                    marked = Some(marked.unwrap_or(true) && is_of_label);
                }
                shows_loss |= is_wide(out) && runs[range.clone()].iter().any(|run| run.last_loss.is_some());
                let open = runs[range.clone()].iter().filter(|run| !is_final(run) && seen.kept(run).is_some());
                unfinished
                    .extend(open.map(|run| (run.config.checkpoint.keep == Keep::Best, run.state == RunState::Pruned)));
                let unlike = plan.and_then(|plan| plan.differences(&runs[range.clone()]));
                seen.table(&runs[range], (names, unlike), sort, out)?;
                if more > 0 && !last {
                    out.wrapped(&rest)?;
                }
                Ok::<_, anyhow::Error>(())
            };
            if !listed.planned.is_empty() {
                rows(&listed.planned, &listed.names, None, out)?;
            }
            let missing = listed.missing.note(&out.command(&listed.again)).filter(|_| self.state.is_empty());
            missing.iter().try_for_each(|note| out.wrapped(note))?;
            let experiment = listed.experiment.as_deref();
            let notes = seen.cluster.notes(experiment.unwrap_or_default(), listed.planned.iter());
            notes.iter().try_for_each(|note| out.wrapped(note))?;
            if listed.experiment.is_none() && whole_plans {
                out.wrapped(&of_no_experiment(out))?;
            }
            if !listed.earlier.is_empty() {
                out.wrapped(&format!(
                    "not in the plan of the last `taper run`: {}",
                    format::counted(listed.earlier.len() as u64, "run")
                ))?;
                rows(&listed.earlier, &listed.ever, Some(&plan), out)?;
                left_behind(&listed.earlier, out).iter().try_for_each(|note| out.wrapped(note))?;
            }
        }
        // Once for all tables.
        out.say_what_is_left_out()?;
        seen.cluster.unknown().map_or(Ok(()), |why| out.wrapped(why))?;
        if shows_loss {
            out.wrapped(TRAIN_LOSS)?;
        }
        if !unfinished.is_empty() {
            let is_pruned = unfinished.iter().any(|(_, is_pruned)| *is_pruned);
            out.wrapped(&not_final_mark(unfinished.iter().map(|(best, _)| *best), is_pruned))?;
        }
        if let Some(of_label) = marked {
            out.wrapped(&mark("a run", of_label))?;
        }
        if (experiments.is_empty() || !whole) && experiments.iter().all(is_empty) {
            let again = experiments.first().map_or("", |listed| listed.again.as_str());
            output::error(&nothing_listed(whole_plans, self.experiment.as_deref().zip(Some(again)), out));
        }
        match &self.experiment {
            Some(wanted) => warnings(&store.experiment(&common::experiment(store, wanted)?)?, out),
            None => Ok(()),
        }
    }
}

/// The warnings of an experiment's sweep.
fn warnings(experiment: &ExperimentRecord, out: &mut Output) -> Result<()> {
    experiment.warnings.iter().try_for_each(|w| out.wrapped(&format!("warning: {}", format::one_line(&w.message))))
}

/// The listed runs of an experiment, or of none.
struct Listed {
    experiment: Option<String>,
    /// Those of the last plan.
    planned: Vec<RunRecord>,
    /// Those of earlier plans and variants that are not in it.
    earlier: Vec<RunRecord>,
    /// Names of all runs of the plan, and of those that it ever had, whether listed or not: the keys that they differ in are the columns.
    names: Vec<String>,
    ever: Vec<String>,
    /// Number of stored runs of the plan, whether listed or not.
    stored: usize,
    /// Number of runs that its search has yet to propose.
    to_come: usize,
    /// The planned runs without a record.
    missing: Missing,
    /// The command that trains its plan.
    again: String,
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
    let of_plan = experiment.runs.iter().map(|(_, name)| name.clone());
    let names: Vec<String> = planned.iter().map(|run| run.name.clone()).chain(of_plan).collect();
    let ever = names.iter().cloned().chain(earlier.iter().map(|run| run.name.clone())).collect();
    let (stored, to_come) = (planned.len(), experiment.to_come);
    let (experiment, again) = (Some(experiment.name.clone()), run_again(experiment));
    Ok(Listed { experiment, planned, earlier, names, ever, stored, to_come, missing, again })
}

/// Every experiment with all of its runs, those that it shares with others too, and the runs of none.
fn all(store: &Store) -> Result<Vec<Listed>> {
    let mut all = store.experiments()?.iter().map(|e| listed(store, e)).collect::<Result<Vec<_>>>()?;
    let planned = store.runs_of_none()?;
    if !planned.is_empty() {
        let (stored, missing) = (planned.len(), Missing::default());
        let names = planned.iter().map(|run| run.name.clone()).collect();
        all.push(Listed {
            experiment: None,
            planned,
            earlier: Vec::new(),
            names,
            ever: Vec::new(),
            stored,
            to_come: 0,
            missing,
            again: String::new(),
        });
    }
    Ok(all)
}

/// `quickstart-search: 81 runs, 6 completed, 75 pruned; best dev accuracy 88.9% (mean of 3 seeds): lr=3e-4`; if only some of the runs
/// are shown, `quickstart-search: 75 of 81 runs, 75 pruned`.
fn heading(listed: &Listed, cluster: &OnCluster, best: Option<String>) -> String {
    // If only earlier plans have runs in the requested states, those are counted.
    let of_plan = !listed.planned.is_empty();
    let runs = if of_plan { &listed.planned } else { &listed.earlier };
    let mut counts = RunState::counted(runs.iter().map(|run| cluster.counted_as(run)));
    // As `taper run` counts them, whether or not the search has proposed them.
    let to_come = if of_plan { listed.to_come } else { 0 };
    let (shown, all) = (runs.len(), (if of_plan { listed.stored } else { runs.len() }) + to_come);
    let mut many = format::counted(all as u64, "run");
    if of_plan && shown < listed.stored {
        many = format!("{shown} of {many}");
    } else if to_come > 0 {
        counts += &format!(", {to_come} not yet proposed");
    }
    let counts = if counts.is_empty() { counts } else { format!(", {counts}") };
    let best = best.map_or(String::new(), |best| format!("; {best}"));
    format!("{}: {many}{counts}{best}", listed.experiment.as_deref().unwrap_or("runs of no experiment"))
}

/// Data about runs in addition to their records.
struct Seen {
    /// Their evaluations on the dev split, or of unfinished runs without one on the test split.
    evals: HashMap<String, Vec<EvalRecord>>,
    /// Seconds of training.
    seconds: HashMap<String, f64>,
    /// Keys of runs whose model does nothing useful.
    warned: HashSet<String>,
    /// The jobs of runs that were submitted to a cluster.
    cluster: OnCluster,
}

impl Seen {
    /// The evaluation of the weights that are kept, or would be now, on the rows by which the leaderboard shows the run: dev rows, or without
    /// them, until it has a result, test rows.
    fn kept(&self, run: &RunRecord) -> Option<&EvalRecord> {
        let (split, by) = rows_of(run);
        kept_at(&run.config, self.evals.get(&run.key)?, split, by)
    }

    /// The value of a run on a split as text; if it is not its result, with the step and marked as not final.
    fn text(&self, run: &RunRecord, split: Split, metric: Metric) -> String {
        let value = |eval: &EvalRecord| metric.text(eval.metrics.get(metric));
        let result = Self::test(run, metric).filter(|_| split == Split::Test).map(|value| metric.text(value));
        match (result, self.kept(run).filter(|_| rows_of(run).0 == split)) {
            (Some(result), _) => result,
            (None, None) => format::NOTHING.into(),
            (None, Some(eval)) if is_final(run) => value(eval),
            (None, Some(eval)) => board::not_final(&value(eval), Some(&format::count(eval.step))),
        }
    }

    /// The best trial of a plan, as on the leaderboard; with `alone`, no warning below says that it was chosen on the rows it is measured on.
    fn best(&self, listed: &Listed, alone: bool) -> Option<Best> {
        let experiment = listed.experiment.as_ref().filter(|_| listed.planned.len() + listed.missing.all > 1)?;
        let evals = |run: &RunRecord| self.evals.get(&run.key).map_or(&[][..], |evals| &evals[..]);
        let runs: Vec<(&RunRecord, &[EvalRecord])> = listed.planned.iter().map(|run| (run, evals(run))).collect();
        let mut board = Leaderboard::new(experiment, &runs, &listed.missing);
        board.progress.planned += listed.to_come;
        let trial = board.trials.first().filter(|trial| trial.rank.is_some())?;
        let over = if trial.out_of_fold.is_some() { "fold" } else { trial.replicate };
        let mean = trial.value.filter(|mean| mean.n > 1);
        let seeds = mean.map_or(String::new(), |mean| format!(" (mean of {} {over}s)", mean.n));
        // The metric of a complete trial can be undefined.
        let value = trial.value.map_or(format::NOTHING.into(), |mean| board.metric.text(mean.mean));
        let (split, metric) = (board::word(&board.split), board.metric.name());
        let chosen = match (board.is_chosen_on_test(), trial.test.mean) {
            (true, _) => format!(" ({CHOSEN_ON_TEST})"),
            (false, None) if alone && board.has_several() => format!(" ({CHOSEN_ON_DEV})"),
            _ => String::new(),
        };
        let what = match board.progress.has_all() {
            true => board.progress.mark().to_string(),
            // As on the leaderboard.
            false => board.progress.heading() + ":",
        };
        let text = format!("{what} {split} {metric} {value}{seeds}: {}{chosen}", trial.name);
        Some(Best { text, runs: trial.runs.clone() })
    }

    fn test(run: &RunRecord, metric: Metric) -> Option<f64> {
        run.final_metrics.as_ref().filter(|_| run.config.data.has_test()).map(|m| m.get(metric))
    }

    /// The order of two runs by a metric on the dev split, or else on the test split: as on the leaderboard, values that are not final come
    /// after those that are.
    fn by(&self, metric: Metric, a: &RunRecord, b: &RunRecord) -> Ordering {
        let value = |run: &RunRecord| match run.config.data.has_dev() {
            false if is_final(run) => Self::test(run, metric),
            _ => self.kept(run).map(|eval| eval.metrics.get(metric)),
        };
        let key = |run: &RunRecord| {
            let score = value(run).map(|value| metric.score(value)).filter(|score| score.is_finite());
            let completed = usize::from(is_final(run));
            // The value of a completed run can be undefined: it is the worst of them.
            let measured = completed.max(usize::from(score.is_some()));
            (run.state.class_of_trial(completed, measured, 1), score.unwrap_or(Score::WORST))
        };
        let ((class, score), (other_class, other)) = (key(a), key(b));
        class.cmp(&other_class).then(other.total_cmp(&score))
    }

    fn order(&self, sort: Sort, a: &RunRecord, b: &RunRecord) -> Ordering {
        let date = |run: &RunRecord| run.started_at.unwrap_or(run.created_at);
        let seconds = |run: &RunRecord| self.seconds.get(&run.key).copied().unwrap_or(f64::NEG_INFINITY);
        match sort {
            Sort::Date => date(a).total_cmp(&date(b)),
            Sort::Name => a.name.cmp(&b.name),
            Sort::Accuracy => self.by(shown([a, b]), a, b),
            Sort::Loss => self.by(Metric::Loss, a, b),
            Sort::Time => seconds(b).total_cmp(&seconds(a)),
        }
    }

    /// The table of these runs, with the columns that runs of these `names` differ in, and in what they are unlike the plan.
    fn table(
        &self,
        runs: &[RunRecord],
        (names, unlike): (&[String], Option<Vec<String>>),
        sort: Sort,
        out: &mut Output,
    ) -> Result<()> {
        let mut columns = self.columns(runs, sort, is_wide(out));
        let unlike = unlike.map(|cells| Column { heading: outside::HEADING.into(), cells });
        unlike.into_iter().for_each(|column| columns.insert(AFTER_NAME, column));
        let (columns, left_out) = match out.width() {
            None => (columns, Vec::new()),
            Some(width) => arranged(columns, names, width),
        };
        left_out.iter().for_each(|heading| out.leave_out(heading));
        if !is_wide(out) {
            only_wide(runs).for_each(|heading| out.leave_out(heading));
        }
        let rows = (0..runs.len()).map(|row| columns.iter().map(|column| column.cells[row].clone()).collect());
        let headings: Vec<&str> = columns.iter().map(|column| column.heading.as_str()).collect();
        // Of two columns the one of the metric that chooses comes first and is left out last.
        let measured: Vec<&str> =
            headings.iter().rev().copied().filter(|heading| heading.starts_with("test")).collect();
        out.fitted(&headings, rows, &[&LEAST[..], &measured[..], &["state"][..]].concat())
    }

    fn columns(&self, runs: &[RunRecord], sort: Sort, wide: bool) -> Vec<Column> {
        let has = |part: fn(&RunRecord) -> bool| runs.iter().any(part);
        let (has_dev, has_test) = (has(|run| run.config.data.has_dev()), has(|run| run.config.data.has_test()));
        // The metric that sorts, or else the one that chooses.
        let mut chosen = runs.iter().map(|run| run.config.checkpoint.metric);
        let chosen = chosen.next().filter(|first| chosen.all(|other| other == *first)).unwrap_or(Metric::Accuracy);
        let shown = shown(runs);
        let (dev, test) = match sort {
            Sort::Accuracy => (shown, shown),
            Sort::Loss => (Metric::Loss, if has_dev { shown } else { Metric::Loss }),
            Sort::Date | Sort::Name | Sort::Time => (chosen, shown),
        };
        // What chooses among runs is shown on both splits.
        let also = Some(dev).filter(|dev| has_dev && has_test && *dev != test);
        let heading = |split: &str, metric: Metric| match (wide, (dev, test)) {
            (true, _) => format!("{split} {}", metric.name()),
            (false, (Metric::Accuracy, Metric::Accuracy)) => split.into(),
            (false, _) => format!("{split} {}", metric.info().short),
        };
        let dash = || format::NOTHING.to_string();
        let column = |heading: String, cell: &dyn Fn(&RunRecord) -> String| Column {
            heading,
            cells: runs.iter().map(cell).collect(),
        };
        let state = |run: &RunRecord| {
            let state = match run.state {
                // Its value tells the step.
                RunState::Pruned if wide && self.kept(run).is_none() => {
                    format!("{} at step {}", run.state_text(), format::count(run.steps))
                }
                // There is no column of steps; its value may be of an earlier one, or of this one in other rows.
                RunState::Pruned | RunState::Interrupted | RunState::Waiting | RunState::Failed
                    if !wide && run.steps > 0 =>
                {
                    output::last_two_unbroken(&format!("{} @{}", run.state_text(), format::count(run.steps)))
                }
                RunState::Completed if run.early_stop().is_some() => format!("{} early", run.state_text()),
                _ => run.state_text(),
            };
            let state = self.cluster.state(run).unwrap_or(state);
            if self.warned.contains(&run.key) { marked(&state) } else { state }
        };
        let on_test = |run: &RunRecord, of: Metric| self.text(run, Split::Test, of);
        let time = |run: &RunRecord| self.seconds.get(&run.key).map_or_else(dash, |s| format::duration(*s));
        let mut columns = vec![
            column("run".into(), &|run| format::short(&run.key).to_string()),
            column("name".into(), &|run| run.name.clone()),
            column("state".into(), &state),
        ];
        if wide {
            columns.push(column("steps".into(), &|run| {
                format!("{}/{}", format::count(run.steps), format::count(run.total_steps))
            }));
            columns.push(column("train loss".into(), &|run| run.last_loss.map_or_else(dash, format::loss)));
        }
        columns.extend(has_dev.then(|| column(heading("dev", dev), &|run| self.text(run, Split::Dev, dev))));
        columns.extend(also.map(|also| column(heading("test", also), &|run| on_test(run, also))));
        columns.extend(has_test.then(|| column(heading("test", test), &|run| on_test(run, test))));
        columns.push(column("started".into(), &|run| run.started_at.map_or_else(dash, started)));
        columns.push(column("time".into(), &time));
        columns
    }
}

/// The metric by which the results of these runs are shown: accuracy, unless all of them are of another problem type.
fn shown<'a>(runs: impl IntoIterator<Item = &'a RunRecord>) -> Metric {
    let mut metrics = runs.into_iter().map(|run| run.config.data.task().headline()[0]);
    metrics.next().filter(|first| metrics.all(|other| other == *first)).unwrap_or(Metric::Accuracy)
}

/// Whether steps, training losses and full headings are shown.
fn is_wide(out: &Output) -> bool {
    out.width().is_none_or(|width| width >= WIDE)
}

/// The split and the metric by which a run is shown that has no result yet, as on the leaderboard.
fn rows_of(run: &RunRecord) -> (Split, Metric) {
    match run.config.data.has_dev() {
        true => (Split::Dev, run.config.checkpoint.metric),
        false => (Split::Test, run.config.data.task().headline()[0]),
    }
}

/// The columns of these runs that only a wide table has.
fn only_wide(runs: &[RunRecord]) -> impl Iterator<Item = &'static str> {
    let trained = runs.iter().any(|run| run.last_loss.is_some());
    ["steps"].into_iter().chain(trained.then_some("train loss"))
}

/// Whether a run's value is its final result.
fn is_final(run: &RunRecord) -> bool {
    run.state == RunState::Completed
}

/// When a run started, to the minute; the day alone if that was in another year.
fn started(unix: f64) -> String {
    let (year, now) = (date(unix, "%Y"), date(unix_time(), "%Y"));
    if year == now { date(unix, "%m-%d %H:%M") } else { date(unix, "%Y-%m-%d") }
}

/// Unix seconds in local time, such as `03-01 12:00`.
pub fn date(unix: f64, pattern: &str) -> String {
    match jiff::Timestamp::from_second(unix as i64) {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::system()).strftime(pattern).to_string(),
        Err(_) => format::NOTHING.into(),
    }
}

mod columns;
mod outside;
#[cfg(test)]
mod tests;
