//! Ranks the trials of an experiment. A trial is the runs that differ only in their seed and fold.

use serde::Serialize;

use super::{
    fold_rows::FoldRows,
    folds::{OutOfFold, mean_over_folds},
    means::{Mean, Tested, mean},
    missing::Missing,
    progress::Progress,
    terms::Terms,
    trials::{Criterion, common_name, grouped, trial},
    undefined::{UndefinedRun, undefined},
};
use crate::{
    event::Split,
    format::{
        command::with_runs,
        count,
        names::{distinct, replicate},
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
}

/// Runs that differ only in their seed, and in a cross-validation in their fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Its rank, from 1; `None` until all its runs are complete.
    pub rank: Option<usize>,
    /// What the names of its runs have in common, without what all trials of the plan have in common.
    pub name: String,
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

    /// The steps at which a value that is not final was measured: `225`, or `90–135` where they differ between seeds.
    pub fn unfinished_at(&self) -> Option<String> {
        let ((first, _), last) = self.step.filter(|_| !self.is_final).zip(self.last_step)?;
        Some(if first == last { count(first) } else { format!("{}–{}", count(first), count(last)) })
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
    board.missing = missing.note(&with_runs("taper run SPEC", store.folder()));
    Ok(board)
}

impl Leaderboard {
    /// Whether one of several trials was chosen by the test rows that it is measured on.
    pub fn is_chosen_on_test(&self) -> bool {
        self.split == Split::Test && self.trials.len() > 1
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
        let trials = trials.into_iter().map(|(_, trial)| trial).collect();
        let (experiment, gone, missing) = (experiment.into(), missing.all, missing.note("taper run SPEC"));
        let test_metric = Terms::of(runs.iter().map(|(run, _)| *run)).first;
        let mut progress = Progress::of_runs(runs.iter().map(|(run, _)| *run));
        progress.planned += gone;
        Self { experiment, split: criterion.split, metric: criterion.metric, test_metric, trials, missing, progress }
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
        trial.name = missing.name(keys(), several).unwrap_or(trial.name);
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
    let test_metric = Terms::of(records.iter().copied()).first;
    // Runs without a record are pending.
    let to_come = std::iter::repeat_n(RunState::Pending, missing);
    let state = RunState::of_several(members.iter().map(|(run, _)| run.state).chain(to_come));
    let speaks = |run: &&&RunRecord| run.state == state && run.message.is_some();
    Trial {
        rank: None,
        name: common_name(&names, several),
        runs: members.iter().map(|(run, _)| run.key.clone()).collect(),
        best_run: None,
        equal_best: (0, 0),
        missing,
        completed: members.iter().filter(|(run, _)| run.state == RunState::Completed).count(),
        is_best_so_far: records.iter().all(|run| run.config.checkpoint.keep == Keep::Best),
        state,
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
mod tests {
    mod undefined;

    use super::{super::means::interval_notes, *};
    use crate::{
        event::{Event, FailureKind, Outcome, When},
        plan::RunConfig,
        store::{Environment, NewRun, testing},
    };

    /// A store with the runs of one experiment: (learning rate, seed, rows out of four right on dev and on test after training,
    /// or during training, outcome).
    fn board(change: fn(&mut RunConfig), runs: &[(f64, u64, Option<usize>, Outcome)]) -> Leaderboard {
        board_at(|_| 9, change, runs)
    }

    /// The same with the step of the evaluation during training, by seed.
    fn board_at(
        at: fn(u64) -> u64,
        change: fn(&mut RunConfig),
        runs: &[(f64, u64, Option<usize>, Outcome)],
    ) -> Leaderboard {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let mut planned = Vec::new();
        for (lr, seed, right, outcome) in runs {
            let mut config = testing::config();
            (config.train.lr, config.data.dev, config.data.test) = (*lr, 0.1.into(), 0.1.into());
            (config.train.seed, config.train.init_seed, config.train.order_seed) = (*seed, *seed, *seed);
            change(&mut config);
            let (key, name) = (format!("{lr}/{seed}"), format!("lr={lr} seed={seed}"));
            let labels = ["negative", "positive"].map(String::from);
            let new = NewRun {
                key: &key,
                name: &name,
                experiment: "e",
                config: &config,
                labels: &labels,
                total_steps: 9,
                audit: None,
            };
            store.register(&new).unwrap();
            store.start(&key, &Environment::default(), None).unwrap();
            if *outcome == pruned() {
                store.append(&key, &[1, 2, 3].map(|i| testing::step(i, 0.5))).unwrap();
            }
            if let Some(right) = right {
                let when = if *outcome == Outcome::Completed { When::After } else { When::During };
                let step = if when == When::During { at(*seed) } else { 9 };
                store.append(&key, &[testing::eval(when, step, Split::Dev, *right)]).unwrap();
                if when == When::After {
                    store.append(&key, &[testing::eval(when, 9, Split::Test, 2)]).unwrap();
                }
            }
            store.append(&key, &[Event::RunFinished(outcome.clone())]).unwrap();
            planned.push((key, name));
        }
        let trials = super::super::trials::trial_numbers(store.runs().unwrap().iter());
        let experiment = ExperimentRecord { trials, runs: planned, ..testing::experiment("e", &[]) };
        store.save_experiment(&experiment).unwrap();
        leaderboard(&store, "e").unwrap()
    }

    fn pruned() -> Outcome {
        Outcome::Pruned { reason: "9th of 9".into(), at: None }
    }

    fn diverged() -> Outcome {
        Outcome::Failed { kind: FailureKind::Diverged, message: "NaN".into() }
    }

    #[test]
    fn trials_are_ranked_by_their_mean_and_incomplete_ones_come_last() {
        let done = Outcome::Completed;
        let board = board(
            |_| (),
            &[
                (1e-1, 1, Some(4), diverged()),
                (1e-2, 1, Some(4), pruned()),
                (1e-3, 1, Some(4), done.clone()),
                (1e-3, 2, None, Outcome::Interrupted),
                (1e-4, 1, Some(2), done.clone()),
                (1e-4, 2, Some(3), done.clone()),
                (1e-5, 1, Some(3), done.clone()),
                (1e-5, 2, Some(3), done.clone()),
                (1e-1, 2, Some(4), done),
            ],
        );
        assert_eq!((board.split, board.metric), (Split::Dev, Metric::Accuracy));
        let seen: Vec<_> = board
            .trials
            .iter()
            .map(|t| (t.rank, t.name.as_str(), t.runs.len(), t.completed, t.state, t.message.as_deref()))
            .collect();
        let want = [
            (Some(1), "lr=0.00001", 2, 2, RunState::Completed, None),
            (Some(2), "lr=0.0001", 2, 2, RunState::Completed, None),
            (None, "lr=0.001", 2, 1, RunState::Interrupted, None),
            (None, "lr=0.01 seed=1", 1, 0, RunState::Pruned, Some("9th of 9")),
            (None, "lr=0.1", 2, 1, RunState::Failed, Some("NaN")),
        ];
        assert_eq!(seen, want);
        // Values 0.5 and 0.75: mean 0.625, sd 0.1768, Student's t of one degree 12.706, so 0.625 ± 1.588.
        let second = board.trials[1].value.unwrap();
        assert_eq!((second.n, second.mean), (2, 0.625));
        assert_eq!((second.low, second.high), (Some(0.0), Some(1.0)), "clamped to [0, 1]");
        // One run with 4 of 4 rows right: Wilson.
        let third = board.trials[2].value.unwrap();
        assert_eq!((third.n, third.mean, third.high), (1, 1.0, Some(1.0)));
        assert!((third.low.unwrap() - 0.5101).abs() < 1e-4, "{third:?}");
        assert_eq!(board.trials[0].test.mean.unwrap().mean, 0.5);
        assert_eq!(board.trials[3].test.mean, None);
        // Its progress is its number of steps, not the step of the evaluation that ranks it.
        assert_eq!((board.trials[3].steps, board.trials[3].step), (3, Some((9, 9))));
    }

    /// A value of an early step says less than one of a later step: only those of one step are compared.
    #[test]
    fn of_pruned_trials_those_that_got_further_come_first() {
        let runs = [
            (1e-1, 3, Some(4), pruned()),
            (1e-2, 9, Some(2), pruned()),
            (1e-3, 9, Some(3), pruned()),
            (1e-4, 3, None, pruned()),
        ];
        let board = board_at(|seed| seed, |_| (), &runs);
        let seen: Vec<_> = board.trials.iter().map(|trial| (trial.runs[0].as_str(), trial.unfinished_at())).collect();
        let at = |step: u64| Some(step.to_string());
        assert_eq!(seen, [("0.001/9", at(9)), ("0.01/9", at(9)), ("0.1/3", at(3)), ("0.0001/3", None)]);
        // The best of its weights can be earlier than the rung at which it was pruned.
        let [mut early, mut late] = [board.trials[0].clone(), board.trials[1].clone()];
        (early.step, early.steps, late.step, late.steps) = (Some((3, 9)), 3, Some((3, 9)), 6);
        assert_eq!(further_first(&early, &late), std::cmp::Ordering::Greater);
    }

    #[test]
    fn half_trained_seeds_are_not_averaged_with_finished_ones_and_come_after_them() {
        let (done, stopped) = (Outcome::Completed, Outcome::Interrupted);
        let board = board(
            |_| (),
            &[
                (1e-1, 1, Some(4), stopped.clone()),
                (1e-1, 2, None, stopped.clone()),
                (1e-2, 1, Some(2), done.clone()),
                (1e-2, 2, Some(4), stopped.clone()),
                (1e-3, 1, Some(2), done.clone()),
                (1e-3, 2, Some(3), done.clone()),
                (1e-3, 3, Some(0), stopped.clone()),
                (1e-4, 1, Some(1), done),
            ],
        );
        let seen: Vec<_> = board
            .trials
            .iter()
            .map(|t| (t.rank, t.runs[0].as_str(), t.completed, t.value.map(|f| (f.n, f.mean)), !t.is_final))
            .collect();
        let want = [
            // Complete trials first, then by the mean of finished runs; trials with values from unfinished runs come last.
            (Some(1), "0.0001/1", 1, Some((1, 0.25)), false),
            (None, "0.001/1", 2, Some((2, 0.625)), false),
            (None, "0.01/1", 1, Some((1, 0.5)), false),
            (None, "0.1/1", 0, Some((1, 1.0)), true),
        ];
        assert_eq!(seen, want);
    }

    #[test]
    fn interval_notes_name_the_metric_they_apply_to() {
        let of = |by: Metric, rights: &[usize]| {
            let measured: Vec<Metrics> = rights.iter().map(|&right| testing::metrics(right)).collect();
            mean(&measured.iter().collect::<Vec<_>>(), by).unwrap()
        };
        let accuracies = [of(Metric::Accuracy, &[2]), of(Metric::Accuracy, &[2, 3]), of(Metric::Accuracy, &[2, 2, 2])];
        let notes = interval_notes(accuracies.iter().map(|mean| (Metric::Accuracy, mean)), "seed");
        assert_eq!(notes.len(), 3);
        assert!(
            notes.iter().all(|note| note.starts_with("intervals in parentheses, ") && note.contains("Wilson")),
            "{notes:?}"
        );
        // Equal seeds show no spread, and macro-F1 has no interval for the number of rows.
        let equal = of(Metric::MacroF1, &[2, 2, 2]);
        assert_eq!((equal.shown(), of(Metric::MacroF1, &[2]).shown()), (None, None));
        assert!(!equal.text(Metric::MacroF1).contains('('));
        let f1 = of(Metric::MacroF1, &[2, 3]);
        let both = [(Metric::Accuracy, &accuracies[1]), (Metric::MacroF1, &f1), (Metric::MacroF1, &equal)];
        let notes = interval_notes(both.into_iter(), "seed");
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("intervals of accuracy in parentheses, two seeds: "), "{notes:?}");
        assert!(notes[1].starts_with("intervals of macro-F1 use only the seeds") && !notes[1].contains("Wilson"));
    }

    #[test]
    fn a_lower_loss_ranks_first_and_without_a_dev_split_test_accuracy_decides() {
        let runs = [(1e-4, 1, Some(2), Outcome::Completed), (1e-5, 1, Some(3), Outcome::Completed)];
        let by_loss = board(|config| config.checkpoint.metric = Metric::Loss, &runs);
        // Both have the same loss, so they stay in the plan's order; the loss of one run has no interval.
        assert_eq!(by_loss.trials[0].name, "lr=0.0001");
        assert_eq!(
            by_loss.trials[0].value,
            Some(Mean { n: 1, mean: 0.625, sd: None, low: None, high: None, range: (0.625, 0.625), rows: None })
        );
        let by_test = board(|config| (config.data.dev, config.checkpoint.metric) = (0.0.into(), Metric::Loss), &runs);
        assert_eq!((by_test.split, by_test.metric), (Split::Test, Metric::Accuracy));
        assert_eq!(by_test.trials[1].value.unwrap().mean, 0.5);
        let none = board(|_| (), &[]);
        assert!(none.trials.is_empty());
    }

    /// Two of four test rows are right, so that accuracy and macro-F1 differ.
    #[test]
    fn the_metric_that_ranks_is_also_measured_on_test_rows() {
        let runs = [(1e-4, 1, Some(2), Outcome::Completed), (1e-5, 1, Some(3), Outcome::Completed)];
        let by = |metric: Metric| match metric {
            Metric::MacroF1 => board(|config| config.checkpoint.metric = Metric::MacroF1, &runs),
            _ => board(|_| (), &runs),
        };
        let test = testing::metrics(2);
        let trial = &by(Metric::MacroF1).trials[0];
        let also = trial.test_of_rank.expect("another metric than that of the test split");
        assert_eq!((also.metric, also.mean.map(|of| of.mean)), (Metric::MacroF1, Some(test.get(Metric::MacroF1))));
        assert_eq!((trial.test.metric, trial.test.mean.map(|of| of.mean)), (Metric::Accuracy, Some(0.5)));
        let json = serde_json::to_value(trial).unwrap();
        assert!(json["test_macro_f1"]["mean"].is_number() && json["test_accuracy"]["mean"] == 0.5, "{json}");
        let usual = &by(Metric::Accuracy).trials[0];
        assert_eq!(usual.test_of_rank, None, "it is there already");
        assert!(serde_json::to_value(usual).unwrap().get("test_macro_f1").is_none());
    }

    /// Metrics of an evaluation of `rows` rows, `right` of which are right.
    fn rows(right: u64, rows: u64) -> Metrics {
        let mut metrics = testing::metrics(2);
        metrics.rows = rows;
        metrics.set(Metric::Accuracy, right as f64 / rows as f64);
        metrics
    }

    /// Expected: statsmodels 0.15 `proportion_confint(115, 120, method="wilson")`, scipy 1.17 `stats.t.interval`.
    #[test]
    fn equal_seeds_show_the_interval_for_the_number_of_rows() {
        let shown = |rights: &[u64]| {
            let measured: Vec<Metrics> = rights.iter().map(|&right| rows(right, 120)).collect();
            mean(&measured.iter().collect::<Vec<_>>(), Metric::Accuracy).unwrap().shown().unwrap()
        };
        let near =
            |(low, high): (f64, f64), want: (f64, f64)| (low - want.0).abs() < 1e-5 && (high - want.1).abs() < 1e-5;
        let wilson = (0.906159, 0.982073);
        assert!(near(shown(&[115, 115, 115]), wilson) && near(shown(&[115, 115]), wilson));
        // Seeds that differ more than the rows explain: Student's t, clamped to [0, 1].
        assert!(near(shown(&[60, 90, 119]), (0.136509, 1.0)), "{:?}", shown(&[60, 90, 119]));
        // Two seeds: from one to the other.
        assert!(near(shown(&[110, 60]), (0.5, 110.0 / 120.0)));
    }
}
