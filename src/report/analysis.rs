//! Ranks configurations and runs, and tests whether the best is distinguishable from the next. Pure functions of the input.

use super::{
    fold_rows::{FoldRows, complete, is_measured},
    folds::{OutOfFold, as_one, mean_over_folds},
    input::{ReportInput, RunInput},
    intervals::{Intervals, over_rows},
    leaderboard::{ranked, replicates},
    means::{Mean, mean},
    missing::Missing,
    progress::Progress,
    same_rows::{OnSameRows, compared},
    terms::Terms,
    trials::Criterion,
    with_decision::{folds_with_decision, with_decision},
};
use crate::report::language::{counted, tr, trial_name};
use crate::{
    format::Span,
    metrics::{Metric, Metrics, RankKey, better_first},
    stats::{MeansDiffer, Sample, welch},
    store::{EvalRecord, RunRecord, RunState},
    warning::Kind,
};

/// The analysis of the records. Runs are identified by their position in the input, configurations by theirs in `groups`.
pub struct Analysis {
    /// The metrics and words of the task.
    pub terms: Terms,
    /// 95% intervals of the metrics of each run over its rows.
    pub intervals: Vec<Intervals>,
    /// The metric and split that rank runs and configurations.
    pub criterion: Criterion,
    /// Completed runs with a result, best first.
    pub ranked: Vec<usize>,
    /// The score of each run; `None` without a result.
    pub scores: Vec<Option<RankKey>>,
    /// The configurations, which are the leaderboard's trials, in the plan's order.
    pub groups: Vec<Group>,
    /// The configurations, best first, as the leaderboard has them.
    pub order: Vec<usize>,
    /// The best configuration against the next.
    pub comparison: Option<Comparison>,
    /// In a cross-validation, the folds of the best configuration as if they were one run, once all are completed: of several seeds those
    /// of the first one that is complete.
    pub together: Option<RunInput>,
    /// What the result is shown of, with the temperature and the thresholds that were chosen on dev rows; `None` without any.
    pub with_decision: Option<RunInput>,
    /// What the runs of a configuration differ in: `seed`, `fold` or, if in both, `run`.
    pub replicate: &'static str,
    /// Planned runs that have no record.
    pub missing: Missing,
    /// How much of the plan has ended.
    pub progress: Progress,
}

/// A configuration: runs that are the same but for `train.seed` and, in a cross-validation, for their fold.
pub struct Group {
    /// What their names have in common.
    pub name: String,
    /// The runs, in the plan's order.
    pub runs: Vec<usize>,
    /// The number of planned runs, including those without a record.
    pub planned: usize,
    /// Its state in words, with the kind of a failure.
    pub state_text: String,
    /// Whether one of its runs has a warning that its model does nothing useful.
    pub warned: bool,
    /// Those of them with a result, best first; folds, of which none is the best, in the plan's order.
    pub finished: Vec<usize>,
    /// Completed, or the state that keeps it from being completed.
    pub state: RunState,
    /// Its rank on the leaderboard; `None` until all its seeds are completed.
    pub rank: Option<usize>,
    /// The value that ranks it.
    pub chosen: Option<Mean>,
    /// The metric that ranks it: the loss, if that of the criterion is undefined for one of its completed runs.
    pub ranked_by: Metric,
    /// The metric by which the first of `finished` is the best: the loss, if that of the criterion is undefined for all of them.
    pub best_run_by: Metric,
    /// The names of its completed runs for which that metric is undefined.
    pub undefined: Vec<String>,
    /// The steps at which it was measured, if it is not final.
    pub unfinished_at: Option<Span>,
    /// In a cross-validation, what the held-out folds say together.
    pub out_of_fold: Option<OutOfFold>,
    /// The runs of each seed whose folds are all completed.
    pub complete: Vec<Vec<usize>>,
    /// The first metric at the end of those with a result.
    pub first: Option<Mean>,
    /// Likewise the second metric.
    pub second: Option<Mean>,
}

/// The best configuration against the next.
pub enum Comparison {
    /// Compares the seeds of both.
    Means {
        /// The better configuration.
        first: usize,
        /// The next.
        second: usize,
        /// The difference of their means of the first metric; `None` where the seeds of neither differ.
        differ: Option<MeansDiffer>,
    },
    /// Compares the best run of each on the same rows; in a cross-validation all folds of each.
    Runs {
        /// The better run, or the runs of its folds.
        first: Vec<usize>,
        /// The other.
        second: Vec<usize>,
        /// What the rows say, or why this is not known.
        paired: Result<OnSameRows, &'static str>,
    },
}

impl Analysis {
    /// Analyses the input.
    pub fn new(input: &ReportInput) -> Self {
        let runs = &input.runs;
        let terms = Terms::of(runs.iter().map(|run| &run.run));
        let intervals: Vec<Intervals> = runs.iter().map(over_rows).collect();
        let records: Vec<(&RunRecord, &[EvalRecord])> = runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
        let missing = Missing::of(&input.experiment, runs.iter().map(|r| r.run.key.as_str()));
        let rows = input.folds.and(&runs.iter().map(|run| (&run.run, &run.predictions[..])).collect::<Vec<_>>());
        let (criterion, trials) = ranked(&records, &missing, &rows);
        let replicate = replicates(trials.iter().map(|(_, trial)| trial));
        let score = |run: &RunInput| criterion.rank(&run.run, &run.evals).filter(|_| has_result(run));
        let scores: Vec<Option<RankKey>> = runs.iter().map(score).collect();
        let best_first = |mut some: Vec<usize>| {
            some.retain(|&i| has_result(&runs[i]));
            some.sort_by(|&a, &b| better_first(scores[a], scores[b]).then(a.cmp(&b)));
            some
        };
        let group = |(members, trial): (Vec<usize>, super::Trial)| {
            let results: Vec<(&RunRecord, &Metrics)> = members
                .iter()
                .filter(|&&i| has_result(&runs[i]))
                .filter_map(|&i| Some((&runs[i].run, runs[i].run.final_metrics.as_ref()?)))
                .collect();
            let of_seeds = complete(&members.iter().map(|&i| &runs[i].run).collect::<Vec<_>>());
            let one = members.iter().copied().find(|&i| has_result(&runs[i]));
            let mean = |by, which: usize| match trial.out_of_fold {
                Some(_) => mean_over_folds(&results, by),
                None => {
                    let mean = mean(&results.iter().map(|(_, metrics)| *metrics).collect::<Vec<_>>(), by);
                    // The leaderboard, which has no rows, has no such interval for one run.
                    let of_one = one.and_then(|i| intervals[i][which]);
                    mean.map(|mean| match of_one.filter(|_| mean.n == 1 && mean.low.is_none()) {
                        Some(interval) => Mean { low: Some(interval.low), high: Some(interval.high), ..mean },
                        None => mean,
                    })
                }
            };
            let finished = match trial.out_of_fold {
                Some(_) => members.iter().copied().filter(|&i| has_result(&runs[i])).collect(),
                None => best_first(members.clone()),
            };
            Group {
                complete: of_seeds.into_iter().map(|set| set.into_iter().map(|at| members[at]).collect()).collect(),
                planned: trial.planned(),
                state_text: trial.state_text(),
                warned: members.iter().any(|&i| runs[i].warnings.iter().any(|warning| warning.kind == Kind::Result)),
                ranked_by: trial.ranked_by(criterion.metric),
                best_run_by: trial.best_run_by(criterion.metric),
                rank: trial.rank,
                unfinished_at: trial.unfinished_at(),
                name: trial_name(&trial.name, trial.is_all),
                finished,
                state: trial.state,
                runs: members,
                chosen: trial.value,
                undefined: trial.undefined.into_iter().map(|run| run.name).collect(),
                first: mean(terms.first, 0),
                second: mean(terms.second, 1),
                out_of_fold: trial.out_of_fold,
            }
        };
        let groups: Vec<Group> = trials.into_iter().map(group).collect();
        // Converts positions in the leaderboard's order to the plan's, and back.
        let mut planned: Vec<usize> = (0..groups.len()).collect();
        planned.sort_by_key(|&g| groups[g].runs.first().copied());
        let order = (0..groups.len()).map(|g| planned.iter().position(|&p| p == g).unwrap_or(g)).collect();
        let mut by_plan: Vec<(usize, Group)> = groups.into_iter().enumerate().collect();
        by_plan.sort_by_key(|(_, group)| group.runs.first().copied());
        let groups: Vec<Group> = by_plan.into_iter().map(|(_, group)| group).collect();
        let ranked = best_first((0..runs.len()).collect());
        let (comparison, together, with_decision) = (None, None, None);
        let mut analysis = Self {
            terms,
            intervals,
            criterion,
            ranked,
            scores,
            groups,
            order,
            comparison,
            together,
            with_decision,
            replicate,
            missing,
            progress: Progress::of(&input.experiment, runs.iter().map(|run| &run.run)),
        };
        analysis.comparison = analysis.compare(runs, &rows);
        analysis.together = analysis.folds_of_best(runs);
        analysis.with_decision = analysis.decided(runs);
        analysis
    }

    /// Whether the plan has several configurations, those whose runs were removed included.
    pub fn has_several(&self) -> bool {
        self.planned() > 1
    }

    /// The number of configurations in the plan, those whose runs were removed included.
    pub fn planned(&self) -> usize {
        self.groups.len() + self.missing.whole_trials().len()
    }

    /// The configurations with a result, best first.
    fn measured(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().copied().filter(|&g| !self.groups[g].finished.is_empty())
    }

    /// The best configuration.
    pub fn best_group(&self) -> Option<usize> {
        self.measured().next()
    }

    /// The metric by which the best configuration, or the best run of the only one, is the best.
    pub fn chosen_by(&self) -> Metric {
        match self.best_group().map(|best| &self.groups[best]) {
            Some(best) if self.has_several() => best.ranked_by,
            Some(best) => best.best_run_by,
            None => self.criterion.metric,
        }
    }

    /// Whether any configuration has a rank: one with all its seeds completed.
    pub fn has_rank(&self) -> bool {
        self.groups.iter().any(|group| group.rank.is_some())
    }

    /// The best run of the best configuration. In a cross-validation, where none is the best because each is tested on other rows, the first
    /// fold of the first seed whose folds are all completed.
    pub fn best(&self) -> Option<usize> {
        let group = &self.groups[self.best_group()?];
        group.complete.first().and_then(|folds| folds.first()).or(group.finished.first()).copied()
    }

    /// The runs with a result, in the order of the ranking.
    pub fn in_rank_order(&self) -> impl Iterator<Item = usize> + '_ {
        self.measured().flat_map(|g| self.groups[g].finished.iter().copied())
    }

    /// The runs that the result is shown of: the best run, or all folds of one seed of the best configuration.
    pub fn shown_runs(&self) -> Vec<usize> {
        match (&self.together, self.has_folds()) {
            (Some(_), _) => {
                self.best_group().and_then(|g| self.groups[g].complete.first().cloned()).unwrap_or_default()
            }
            (None, true) => Vec::new(),
            (None, false) => self.best().into_iter().collect(),
        }
    }

    /// The configuration that a run belongs to.
    pub fn group_of(&self, run: usize) -> usize {
        self.groups.iter().position(|g| g.runs.contains(&run)).unwrap_or(0)
    }

    /// Whether the runs are those of a cross-validation.
    pub fn has_folds(&self) -> bool {
        self.groups.iter().any(|group| group.out_of_fold.is_some())
    }

    /// What the means of a configuration are over: with folds, each has the mean over its seeds.
    pub fn averaged_over(&self) -> &'static str {
        if self.has_folds() { "fold" } else { self.replicate }
    }

    /// The folds of the best configuration as one run.
    fn folds_of_best(&self, runs: &[RunInput]) -> Option<RunInput> {
        let (group, best) = (&self.groups[self.best_group()?], self.best()?);
        let set = group.complete.first()?;
        let folds = counted(set.len() as u64, "fold");
        let name = match (self.groups.len(), group.complete.len()) {
            (1, 1) => folds,
            (1, _) => tr!("{folds}, seed {}", "{folds}，种子 {}", runs[set[0]].run.config.train.seed),
            (_, 1) => tr!("{}, {folds}", "{}，{folds}", group.name),
            _ => tr!("{}, {folds}, seed {}", "{}，{folds}，种子 {}", group.name, runs[set[0]].run.config.train.seed),
        };
        as_one(name, &set.iter().map(|&i| &runs[i]).collect::<Vec<_>>(), &runs[best])
    }

    /// What the result is shown of: the best run, or all folds together.
    pub fn shown<'a>(&'a self, runs: &'a [RunInput]) -> Option<&'a RunInput> {
        self.together.as_ref().or_else(|| self.best().map(|i| &runs[i]))
    }

    /// What the predictions are shown of, as people use the model: the result with its decision, if it has one.
    pub fn predicted<'a>(&'a self, runs: &'a [RunInput]) -> Option<&'a RunInput> {
        self.with_decision.as_ref().or_else(|| self.shown(runs))
    }

    /// The same, whose single rows are shown: without the decision where those with it are not known.
    pub fn predicted_rows<'a>(&'a self, runs: &'a [RunInput]) -> Option<&'a RunInput> {
        let with = self.with_decision.as_ref().filter(|run| !run.predictions.is_empty());
        with.or_else(|| self.shown(runs))
    }

    fn decided(&self, runs: &[RunInput]) -> Option<RunInput> {
        match (&self.together, &self.shown_runs()[..]) {
            (Some(together), folds) => {
                let folds: Vec<&RunInput> = folds.iter().map(|&i| &runs[i]).collect();
                folds_with_decision(together.run.name.clone(), &folds, folds.first()?)
            }
            (None, &[run]) => with_decision(&runs[run]),
            (None, _) => None,
        }
    }

    /// The intervals of what the result is shown of.
    pub fn intervals_of(&self, shown: &RunInput) -> Intervals {
        match self.together.is_some() {
            true => over_rows(shown),
            false => self.best().map_or([None; 2], |i| self.intervals[i]),
        }
    }

    /// Whether any configuration was planned with more than one seed or fold.
    pub fn has_seeds(&self) -> bool {
        self.groups.iter().any(|g| g.planned > 1)
    }

    /// Whether the best run was chosen, from several, by the rows that it is evaluated on.
    pub fn is_optimistic(&self, runs: &[RunInput]) -> bool {
        let chosen = if self.has_folds() { self.has_several() } else { self.ranked.len() > 1 };
        chosen && self.best().is_some_and(|best| runs[best].measured_on() == self.criterion.split)
    }

    fn compare(&self, runs: &[RunInput], rows: &FoldRows) -> Option<Comparison> {
        let mut measured = self.measured();
        let (first, second) = (measured.next()?, measured.next()?);
        let finished = |g: usize| &self.groups[g].finished;
        let folds = |g: usize| &self.groups[g].complete;
        if self.has_folds() {
            if let ([a], [b]) = (&folds(first)[..], &folds(second)[..]) {
                let of = |set: &[usize]| set.iter().map(|&i| &runs[i]).collect::<Vec<_>>();
                let paired = compared(&of(a), &of(b));
                return Some(Comparison::Runs { first: a.clone(), second: b.clone(), paired });
            }
            let both = folds(first).len() > 1 && folds(second).len() > 1;
            if !both {
                let (first, second) = (finished(first).clone(), finished(second).clone());
                return Some(Comparison::Runs {
                    first,
                    second,
                    paired: Err(tr("not all folds of both are completed", "两者的折没有全部完成")),
                });
            }
            let sample = |g: usize| {
                let of =
                    |set: &Vec<usize>| Some(rows.together(set.iter().map(|&i| &runs[i].run))?.get(self.terms.first));
                Sample::new(&folds(g).iter().filter_map(of).collect::<Vec<_>>())
            };
            let differ = sample(first).zip(sample(second)).and_then(|(a, b)| welch(&a, &b));
            return Some(Comparison::Means { first, second, differ });
        }
        if finished(first).len() > 1 && finished(second).len() > 1 {
            let sample = |g: usize| {
                let of = |&i: &usize| runs[i].run.final_metrics.as_ref().map(|m| m.get(self.terms.first));
                Sample::new(&finished(g).iter().filter_map(of).collect::<Vec<_>>())
            };
            let differ = sample(first).zip(sample(second)).and_then(|(a, b)| welch(&a, &b));
            return Some(Comparison::Means { first, second, differ });
        }
        let (first, second) = (finished(first)[0], finished(second)[0]);
        let paired = compared(&[&runs[first]], &[&runs[second]]);
        Some(Comparison::Runs { first: vec![first], second: vec![second], paired })
    }
}

fn has_result(run: &RunInput) -> bool {
    run.run.state == RunState::Completed && run.run.final_metrics.as_ref().is_some_and(|m| is_measured(&run.run, m))
}
