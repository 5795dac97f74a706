//! Chooses the runs whose curves are drawn: a chart with the curves of hundreds of runs shows nothing, and reading their steps takes most of
//! the time of a report.

use std::collections::BTreeSet;

use super::super::{
    analysis::Analysis,
    fold_rows::FoldRows,
    input::ReportInput,
    leaderboard::ranked,
    missing::Missing,
    trials::{grouped, trial},
};
use crate::format::by_number;
use crate::report::language::{counted, tr};
use crate::store::{EvalRecord, ExperimentRecord, RunRecord, RunState};

/// Trials that are drawn: those ranked first.
pub const MOST_TRIALS: usize = 12;
/// Runs that are drawn of each of them: the first of the plan.
pub const MOST_RUNS: usize = 10;
/// Failed runs of other trials that are drawn: the first of the plan.
pub const MOST_FAILED: usize = 6;

/// The runs whose curves are drawn, by their positions in the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawn {
    /// The runs of each trial, the best trial first.
    pub trials: Vec<Vec<usize>>,
    /// Failed runs of other trials.
    pub failed: Vec<usize>,
    /// Trials with steps that are left out.
    pub more_trials: usize,
    /// Runs with steps that are left out of the trials that are drawn.
    pub more_runs: usize,
    /// Failed runs with steps that are left out; they are not counted as trials.
    pub more_failed: usize,
}

impl Drawn {
    /// Those of an analysed experiment.
    pub fn of(input: &ReportInput, analysis: &Analysis) -> Self {
        let runs: Vec<&RunRecord> = input.runs.iter().map(|run| &run.run).collect();
        Self::choose(&runs, analysis.order.iter().map(|&group| &analysis.groups[group].runs[..]))
    }

    /// Those of these runs, whose trials are given in the order of the ranking. A run without steps has no curve.
    fn choose<'a>(runs: &[&RunRecord], ranked: impl Iterator<Item = &'a [usize]>) -> Self {
        let mut drawn = Self::default();
        for trial in ranked {
            let with_steps: Vec<usize> = trial.iter().copied().filter(|&i| runs[i].steps > 0).collect();
            let failed = with_steps.iter().all(|&i| runs[i].state == RunState::Failed);
            if with_steps.is_empty() {
                continue;
            }
            if drawn.trials.len() < MOST_TRIALS {
                drawn.more_runs += with_steps.len().saturating_sub(MOST_RUNS);
                drawn.trials.push(with_steps.into_iter().take(MOST_RUNS).collect());
            } else if failed {
                drawn.failed.extend(with_steps);
            } else {
                drawn.more_trials += 1;
            }
        }
        drawn.failed.sort_unstable();
        drawn.more_failed = drawn.failed.len().saturating_sub(MOST_FAILED);
        drawn.failed.truncate(MOST_FAILED);
        drawn
    }

    /// All of them, in no particular order.
    pub fn runs(&self) -> impl Iterator<Item = usize> + '_ {
        self.trials.iter().flatten().chain(&self.failed).copied()
    }

    /// What is left out, as sentences that begin with a space; empty if nothing is.
    pub fn left_out(&self) -> String {
        let mut said = String::new();
        if self.more_trials > 0 {
            said += &tr!(
                " The first {} trials are drawn, but not the {} behind them.",
                "画出的是前 {} 个试验，其后的 {} 个没有画出。",
                self.trials.len(),
                self.more_trials
            );
        }
        if self.more_runs > 0 {
            let are = by_number(self.more_runs as u64, "is", "are");
            said += &tr!(" Of each trial, at most {MOST_RUNS} runs are drawn; {} {are} not.", self.more_runs; "每个试验至多画 {MOST_RUNS} 次运行；{} 次没有画出。", self.more_runs);
        }
        if self.more_failed > 0 {
            let are = by_number(self.more_failed as u64, "is", "are");
            said += &tr!(" {} of other trials {are} not drawn.", counted(self.more_failed as u64, "failed run"); "其他试验的 {}没有画出。", counted(self.more_failed as u64, "failed run"));
        }
        said
    }
}

/// Whether all runs with steps are drawn, and all predictions read.
pub fn is_whole(input: &ReportInput) -> bool {
    let trials = grouped(input.runs.iter().map(|run| trial(&run.run.config)));
    trials.len() <= MOST_TRIALS && trials.iter().all(|runs| runs.len() <= MOST_RUNS)
}

/// The runs of which a report needs the largest records, by their positions.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Those whose steps it needs. Of other runs it needs the last [`LAST_STEPS`](super::super::LAST_STEPS) only.
    pub curves: BTreeSet<usize>,
    /// Those whose predictions it needs: all runs of the first [`MOST_TRIALS`] trials, those with a result before those without.
    pub predictions: BTreeSet<usize>,
}

/// Chooses them among all runs of an experiment, given with their evaluations.
pub fn chosen(experiment: &ExperimentRecord, runs: &[(&RunRecord, &[EvalRecord])]) -> Chosen {
    let missing = Missing::of(experiment, runs.iter().map(|(run, _)| run.key.as_str()));
    let (_, trials) = ranked(runs, &missing, &FoldRows::default());
    let records: Vec<&RunRecord> = runs.iter().map(|(run, _)| *run).collect();
    let has_result = |run: &RunRecord| run.state == RunState::Completed && run.final_metrics.is_some();
    // A trial of which a run failed ranks behind those that have not begun, and yet it may be the only one with a result.
    let (with, without): (Vec<&[usize]>, Vec<&[usize]>) =
        trials.iter().map(|(of, _)| &of[..]).partition(|of| of.iter().any(|&run| has_result(records[run])));
    Chosen {
        curves: Drawn::choose(&records, trials.iter().map(|(runs, _)| &runs[..])).runs().collect(),
        predictions: with.into_iter().chain(without).take(MOST_TRIALS).flatten().copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Store,
        testing::{experiment, metrics, store_with_run},
    };

    fn record(steps: u64, state: RunState) -> RunRecord {
        let folder = tempfile::tempdir().unwrap();
        let store: Store = store_with_run(folder.path());
        RunRecord { steps, state, ..store.run("k").unwrap() }
    }

    /// Of 16 trials of 3 seeds, only the first has results, and a run of it failed.
    #[test]
    fn the_predictions_of_the_only_trial_with_a_result_are_read() {
        let (result, pending) = (record(5, RunState::Completed), record(0, RunState::Pending));
        let runs: Vec<RunRecord> = (0u64..48)
            .map(|i| {
                let (trial, seed) = (i / 3, i % 3);
                let mut run = if trial == 0 { result.clone() } else { pending.clone() };
                if i == 2 {
                    (run.state, run.final_metrics) = (RunState::Failed, None);
                }
                run.final_metrics = (i < 2).then(|| metrics(3));
                let train = &mut run.config.train;
                (train.seed, train.init_seed, train.order_seed) = (seed, seed, seed);
                train.lr = 1e-5 * (trial + 1) as f64;
                run.key = format!("k{i:02}");
                run
            })
            .collect();
        let with_evals: Vec<(&RunRecord, &[EvalRecord])> = runs.iter().map(|run| (run, &[][..])).collect();
        let keys: Vec<&str> = runs.iter().map(|run| run.key.as_str()).collect();
        let chosen = chosen(&experiment("e", &keys), &with_evals);
        assert!((0..3).all(|run| chosen.predictions.contains(&run)), "{chosen:?}");
        assert_eq!(chosen.predictions.len(), 3 * MOST_TRIALS);
    }

    #[test]
    fn the_first_trials_and_some_failed_runs_are_drawn() {
        let (done, failed, pending) =
            (record(5, RunState::Completed), record(5, RunState::Failed), record(0, RunState::Pending));
        // 20 trials of 12 runs, 10 failed trials of one, and one that has not begun; the ranking is the plan's order reversed.
        let mut trials: Vec<Vec<usize>> = (0..20).map(|t| (12 * t..12 * (t + 1)).collect()).collect();
        trials.extend((240..250).map(|i| vec![i]));
        trials.push(vec![250]);
        let runs: Vec<&RunRecord> = (0..251)
            .map(|i| {
                if i < 240 {
                    &done
                } else if i < 250 {
                    &failed
                } else {
                    &pending
                }
            })
            .collect();
        let drawn = Drawn::choose(&runs, trials.iter().map(|trial| &trial[..]));
        assert_eq!((drawn.trials.len(), drawn.trials[0].clone()), (12, (0..10).collect()));
        assert_eq!(drawn.failed, (240..246).collect::<Vec<_>>());
        assert_eq!((drawn.more_trials, drawn.more_runs, drawn.more_failed), (8, 24, 4));
        assert_eq!(
            drawn.left_out(),
            " The first 12 trials are drawn, but not the 8 behind them. Of each trial, at most 10 runs are drawn; 24 are not. 4 failed runs of \
             other trials are not drawn."
        );
        let few = Drawn::choose(&runs[240..], [&[0usize, 1][..], &[10]].into_iter());
        assert_eq!((few.trials.clone(), few.left_out()), (vec![vec![0, 1]], String::new()));
    }
}
