//! Ranks the trials of an experiment. A trial is the runs that differ only in their seed and fold.

use serde::Serialize;

use super::{
    environment::run_again,
    fold_rows::FoldRows,
    folds::{OutOfFold, mean_over_folds},
    language::{Said, tr},
    means::{Mean, Tested, mean},
    missing::Missing,
    progress::Progress,
    terms::Terms,
    trials::{Criterion, grouped, trial},
    undefined::{UndefinedRun, undefined},
};
use crate::{
    event::{FailureKind, Split},
    format::{
        Span,
        command::with_runs,
        names::{common, distinct, replicate},
    },
    metrics::{Metric, Metrics, RankKey, better_first},
    plan::Keep,
    store::{EvalRecord, ExperimentRecord, RunRecord, RunState, Store, StoreError},
    warning::Kind,
};

/// The trials of an experiment, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaderboard {
    /// The experiment.
    pub experiment: String,
    /// The split that they are compared on: dev, or test if any has no dev split.
    pub split: Split,
    /// The metric that they are compared by.
    pub metric: Metric,
    /// The metric of [`Trial::test`]: the first one of the task.
    pub test_metric: Metric,
    /// Complete trials by rank, then incomplete, pruned (values of a later part of training first) and failed ones.
    pub trials: Vec<Trial>,
    /// A sentence about planned runs without a record, if there are any.
    pub missing: Option<String>,
    /// How much of the plan has ended: until all has, the first trial is only the best so far.
    #[serde(skip)]
    pub progress: Progress,
    /// The number of trials in the plan, those without any record included.
    #[serde(skip)]
    pub planned: usize,
}

/// Runs that differ only in their seed, and in a cross-validation in their fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Its rank, from 1; `None` until all its runs are complete.
    pub rank: Option<usize>,
    /// What the names of its runs have in common, without what all trials of the plan have in common.
    pub name: String,
    /// What its runs are (`seed`, `fold` or `run`) if `name` only says that it is all of them, in English.
    #[serde(skip)]
    pub is_all: Option<&'static str>,
    /// Keys of its runs, in the plan's order.
    pub runs: Vec<String>,
    /// Key of its best run: of the completed ones, that with the best value, and among equals the first of the plan.
    pub best_run: Option<String>,
    /// How many of its completed runs have the value of the best one, and how many of these its loss, too; it is counted.
    #[serde(skip)]
    pub equal_best: (usize, usize),
    /// How many of its planned runs have no record because they were removed.
    pub missing: usize,
    /// How many of its runs are complete.
    pub completed: usize,
    /// Completed, or the state that keeps it from being completed.
    pub state: RunState,
    /// The kind of failure of its failed runs, if they have the same.
    #[serde(skip)]
    pub failure: Option<FailureKind>,
    /// The message of one of its runs in that state.
    pub message: Option<String>,
    /// The value of the metric: the mean over its completed runs, or if none is completed, over the latest evaluations of the others. `None`
    /// if it is undefined for one of the completed runs.
    #[serde(rename = "figure")]
    pub value: Option<Mean>,
    /// Mean loss on the same rows, which breaks ties.
    pub loss: Option<f64>,
    /// Whether the value is that of completed runs; otherwise it comes from evaluations during training.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The earliest step that `value` was measured at among its runs, and the steps of a complete run.
    pub step: Option<(u64, u64)>,
    /// The latest step that `value` was measured at among its runs.
    pub last_step: Option<u64>,
    /// The fewest steps that any of its runs has trained.
    pub steps: u64,
    /// The first metric of the task on the test split; in a cross-validation on all folds together, once they are completed.
    #[serde(flatten)]
    pub test: Tested,
    /// The metric that ranks on the same rows, if it is another one than that of `test`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub test_of_rank: Option<Tested>,
    /// What the held-out folds say together, in a cross-validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_fold: Option<OutOfFold>,
    /// What its runs differ in: `seed`, `fold` or, if in both, `run`.
    #[serde(skip)]
    pub replicate: &'static str,
    /// How many of its runs were evaluated on the rows that rank.
    #[serde(skip)]
    pub measured: usize,
    /// Its completed runs for which the metric is undefined on these rows: the trial ranks below those without such a run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undefined: Vec<UndefinedRun>,
    /// Whether a value that is not final is that of each run's best evaluation so far, and not of the last one.
    #[serde(skip)]
    pub is_best_so_far: bool,
    /// How many of its runs have a warning that they predict one class or are no better than the majority class.
    pub warned: usize,
}

impl Trial {
    /// The number of runs that it has when complete: its seeds, or its seeds and folds.
    pub fn planned(&self) -> usize {
        self.runs.len() + self.missing
    }

    /// Its state in words: `failed (diverged)`; `no record` if nothing but removed runs keeps it from being completed.
    pub fn state_text(&self) -> String {
        match self.failure {
            Some(kind) if self.state == RunState::Failed => {
                tr!("{} ({})", "{}（{}）", self.state.said(), kind.said())
            }
            _ if self.missing > 0 && self.completed == self.runs.len() => tr("no record", "没有记录").into(),
            _ => self.state.said().into(),
        }
    }

    /// What it has its rank by, where `metric` ranks: the loss, if that is undefined for one of its runs.
    pub fn ranked_by(&self, metric: Metric) -> Metric {
        if self.undefined.is_empty() { metric } else { Metric::Loss }
    }

    /// What its best run is the best by, where `metric` ranks: the loss, if that is undefined for all its completed runs.
    pub fn best_run_by(&self, metric: Metric) -> Metric {
        let none = self.completed > 0 && self.undefined.len() == self.completed;
        if none { Metric::Loss } else { metric }
    }

    /// The steps at which a value that is not final was measured, which may differ between seeds.
    pub fn unfinished_at(&self) -> Option<Span> {
        let ((first, _), last) = self.step.filter(|_| !self.is_final).zip(self.last_step)?;
        Some(Span { low: first, high: last })
    }
}

/// What these trials are means over: `seed`, or `fold` or `run` in a cross-validation.
pub fn replicates<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> &'static str {
    let of =
        |trial: &Trial| if trial.replicate == "seed" && trial.out_of_fold.is_some() { "fold" } else { trial.replicate };
    trials.into_iter().map(of).find(|word| *word != "seed").unwrap_or("seed")
}

/// The leaderboard of an experiment's current plan.
///
/// # Errors
/// The experiment does not exist, or the database cannot be read.
pub fn leaderboard(store: &Store, experiment: &str) -> Result<Leaderboard, StoreError> {
    leaderboard_of(store, &store.experiment(experiment)?, &store.runs_of(experiment)?)
}

/// The leaderboard of these runs of an experiment, given in the plan's order.
///
/// # Errors
/// The database cannot be read.
pub fn leaderboard_of(
    store: &Store,
    experiment: &ExperimentRecord,
    runs: &[RunRecord],
) -> Result<Leaderboard, StoreError> {
    let warned = store.warned(Kind::Result)?;
    let missing = Missing::of(experiment, runs.iter().map(|run| run.key.as_str()));
    let mut measured = Vec::with_capacity(runs.len());
    for run in runs {
        measured.push((run, store.evals(&run.key)?));
    }
    let runs: Vec<(&RunRecord, &[EvalRecord])> = measured.iter().map(|(run, evals)| (*run, &evals[..])).collect();
    let mut board = Leaderboard::of(&experiment.name, &runs, &missing, &FoldRows::read(store, &runs)?);
    for trial in &mut board.trials {
        trial.warned = trial.runs.iter().filter(|key| warned.contains(*key)).count();
    }
    board.progress = Progress::of(experiment, runs.iter().map(|(run, _)| *run));
    board.missing = missing.note(&with_runs(&run_again(experiment), store.folder()));
    Ok(board)
}

impl Leaderboard {
    /// Whether the plan has several trials, of which the first is the best; those whose runs were removed may be trained again.
    pub fn has_several(&self) -> bool {
        self.planned > 1
    }

    /// Whether one of several trials was chosen by the test rows that it is measured on.
    pub fn is_chosen_on_test(&self) -> bool {
        self.split == Split::Test && self.has_several()
    }

    /// What the first trial is the best by: the loss, if the metric that ranks is undefined for each of them.
    pub fn chosen_by(&self) -> Metric {
        self.trials.first().map_or(self.metric, |best| best.ranked_by(self.metric))
    }

    /// That the metric that ranks is undefined for completed runs, and how their trials are ranked; `None` if it is defined for all.
    pub fn undefined(&self) -> Option<String> {
        let runs = self.trials.iter().flat_map(|trial| &trial.undefined);
        undefined(
            (self.split, self.metric),
            &runs.map(|run| run.name.as_str()).collect::<Vec<_>>(),
            self.trials.len() > 1,
        )
    }

    /// The leaderboard of these runs, given with their evaluations in the plan's order. Of folds, it has what follows from their metrics.
    pub fn new(experiment: &str, runs: &[(&RunRecord, &[EvalRecord])], missing: &Missing) -> Self {
        Self::of(experiment, runs, missing, &FoldRows::default())
    }

    /// The same with what their rows say of folds.
    fn of(experiment: &str, runs: &[(&RunRecord, &[EvalRecord])], missing: &Missing, rows: &FoldRows) -> Self {
        let (criterion, trials) = ranked(runs, missing, rows);
        let trials: Vec<Trial> = trials.into_iter().map(|(_, trial)| trial).collect();
        let planned = trials.len() + missing.whole_trials().len();
        let (experiment, gone, missing) = (experiment.into(), missing.all, missing.note("taper run SPEC"));
        let test_metric = Terms::of(runs.iter().map(|(run, _)| *run)).first;
        let mut progress = Progress::of_runs(runs.iter().map(|(run, _)| *run));
        progress.planned += gone;
        let Criterion { split, metric } = criterion;
        Self { experiment, split, metric, test_metric, trials, missing, progress, planned }
    }
}

/// The trials of these runs, best first, each with the positions of its runs; and the criterion that ranked them.
pub(super) fn ranked(
    runs: &[(&RunRecord, &[EvalRecord])],
    missing: &Missing,
    rows: &FoldRows,
) -> (Criterion, Vec<(Vec<usize>, Trial)>) {
    let criterion = Criterion::of(runs);
    let groups = grouped(runs.iter().map(|(run, _)| trial(&run.config)));
    let gone = missing.whole_trials();
    let several = groups.len() + gone.len() > 1;
    let of_group = |group: Vec<usize>| {
        let members: Vec<_> = group.iter().map(|&i| runs[i]).collect();
        // Finished seeds are not averaged with half-trained ones.
        let rank = |(run, evals): &(&RunRecord, &[EvalRecord])| criterion.rank(run, evals);
        let finished =
            |member: &&(&RunRecord, &[EvalRecord])| member.0.state == RunState::Completed && rank(member).is_some();
        let has_finished = members.iter().any(|member| finished(&member));
        let counted: Vec<_> = members.iter().filter(|member| !has_finished || finished(member)).collect();
        let is_undefined = |(run, evals): &&&(&RunRecord, &[EvalRecord])| criterion.measured(run, evals).is_none();
        let without: Vec<&RunRecord> =
            counted.iter().filter(|_| has_finished).filter(is_undefined).map(|(run, _)| *run).collect();
        // The mean over runs of which one has no value is undefined, too.
        let with_value = counted.iter().filter(|_| without.is_empty());
        let measured: Vec<&Metrics> = with_value.filter_map(|(run, evals)| criterion.measured(run, evals)).collect();
        let key = RankKey::mean(&counted.iter().filter_map(|member| rank(member)).collect::<Vec<_>>());
        let keys = || members.iter().map(|(run, _)| run.key.as_str());
        let mut trial = trial_of(&members, (missing, rows), criterion.metric, &measured, several);
        trial.measured = if has_finished { counted.len() } else { measured.len() };
        trial.undefined = without.iter().map(|run| UndefinedRun::of(run)).collect();
        // Its name comes from all its planned runs, including removed ones.
        if let Some(name) = missing.name(keys(), several) {
            (trial.name, trial.is_all) = (name.to_string(), name.all());
        }
        trial.is_final = has_finished;
        if trial.out_of_fold.is_some() && without.is_empty() {
            let measured: Vec<_> =
                counted.iter().filter_map(|(run, evals)| Some((*run, criterion.measured(run, evals)?))).collect();
            trial.value = mean_over_folds(&measured, criterion.metric);
        }
        let best = counted.iter().filter(|_| has_finished).min_by(|a, b| better_first(rank(a), rank(b)));
        trial.best_run = best.map(|(run, _)| run.key.clone());
        if let Some(best) = best.and_then(|best| rank(best)) {
            let ranks: Vec<RankKey> = counted.iter().filter_map(|member| rank(member)).collect();
            let same_value = |other: &&RankKey| other.score.rounded() == best.score.rounded();
            let same = ranks.iter().filter(|other| better_first(Some(**other), Some(best)).is_eq()).count();
            trial.equal_best = (ranks.iter().filter(same_value).count(), same);
        }
        let steps = || counted.iter().filter_map(|(run, evals)| criterion.step(run, evals));
        let total = members.iter().map(|(run, _)| run.total_steps).max().unwrap_or(0);
        trial.steps = members.iter().map(|(run, _)| run.steps).min().unwrap_or(0);
        trial.step = steps().min().map(|step| (step, total));
        trial.last_step = steps().max();
        trial.loss = key.map(|key| Metric::Loss.value(key.loss_score));
        (key, group, trial)
    };
    let mut trials: Vec<_> = groups.into_iter().map(of_group).collect();
    // A trial is named by what distinguishes it from all others of the plan.
    let all = trials.iter().map(|(_, _, trial)| &trial.name).chain(&gone).map(String::as_str);
    let names = distinct(&all.collect::<Vec<_>>());
    trials.iter_mut().zip(names).for_each(|((_, _, trial), name)| trial.name = name);
    let order = |x: &Trial, y: &Trial| sort_group(x).cmp(&sort_group(y)).then_with(|| further_first(x, y));
    trials.sort_by(|(a, _, x), (b, _, y)| order(x, y).then(better_first(*a, *b)));
    for (i, (_, _, trial)) in trials.iter_mut().enumerate().take_while(|(_, (_, _, t))| sort_group(t) == 0) {
        trial.rank = Some(i + 1);
    }
    (criterion, trials.into_iter().map(|(_, group, trial)| (group, trial)).collect())
}

/// The primary sort key, as in the live table.
fn sort_group(trial: &Trial) -> u8 {
    trial.state.class_of_trial(trial.completed, trial.measured, trial.planned())
}

/// Of pruned trials, those come first that were trained further, or whose value is of a later part of training: they were promoted further.
fn further_first(a: &Trial, b: &Trial) -> std::cmp::Ordering {
    let part = |trial: &Trial| match trial.step {
        _ if trial.is_final => (1, 1),
        Some((step, total)) => (u128::from(step.max(trial.steps)), u128::from(total.max(1))),
        None => (0, 1),
    };
    match a.state == RunState::Pruned && b.state == RunState::Pruned {
        true => {
            let ((a_at, a_of), (b_at, b_of)) = (part(a), part(b));
            (b_at * a_of).cmp(&(a_at * b_of))
        }
        false => std::cmp::Ordering::Equal,
    }
}

fn trial_of(
    members: &[(&RunRecord, &[EvalRecord])],
    (missing, rows): (&Missing, &FoldRows),
    metric: Metric,
    chosen: &[&Metrics],
    several: bool,
) -> Trial {
    let names: Vec<&str> = members.iter().map(|(run, _)| run.name.as_str()).collect();
    let records: Vec<&RunRecord> = members.iter().map(|(run, _)| *run).collect();
    let keys = || records.iter().map(|run| run.key.as_str());
    let has_folds = missing.has_folds(keys());
    let missing = missing.beside(keys());
    let out_of_fold = OutOfFold::of(&records, members.len() + missing, metric, rows).filter(|_| has_folds);
    let tested: Vec<&Metrics> = members
        .iter()
        .filter(|(run, _)| run.config.data.has_test())
        .filter_map(|(run, _)| run.final_metrics.as_ref())
        .collect();
    let name = common(&names, several);
    let test_metric = Terms::of(records.iter().copied()).first;
    // Runs without a record are pending.
    let to_come = std::iter::repeat_n(RunState::Pending, missing);
    let state = RunState::of_several(members.iter().map(|(run, _)| run.state).chain(to_come));
    let speaks = |run: &&&RunRecord| run.state == state && run.message.is_some();
    let mut kinds = records.iter().filter(|run| run.state == RunState::Failed).map(|run| run.failure);
    Trial {
        rank: None,
        name: name.to_string(),
        is_all: name.all(),
        runs: members.iter().map(|(run, _)| run.key.clone()).collect(),
        best_run: None,
        equal_best: (0, 0),
        missing,
        completed: members.iter().filter(|(run, _)| run.state == RunState::Completed).count(),
        is_best_so_far: records.iter().all(|run| run.config.checkpoint.keep == Keep::Best),
        state,
        failure: kinds.next().flatten().filter(|kind| kinds.all(|other| other == Some(*kind))),
        message: members.iter().map(|(run, _)| run).find(speaks).and_then(|run| run.message.clone()),
        value: mean(chosen, metric),
        measured: 0,
        undefined: Vec::new(),
        loss: None,
        is_final: false,
        step: None,
        last_step: None,
        steps: 0,
        warned: 0,
        test_of_rank: (metric != test_metric && (has_folds || !tested.is_empty())).then(|| Tested {
            metric,
            mean: match &out_of_fold {
                Some(folds) => folds.ranking.1,
                None => mean(&tested, metric),
            },
        }),
        test: Tested {
            metric: test_metric,
            mean: match &out_of_fold {
                Some(folds) => folds.first,
                None => mean(&tested, test_metric),
            },
        },
        replicate: replicate(&names),
        out_of_fold,
    }
}

#[cfg(test)]
mod tests;
