//! Which evaluation of each run is compared.

use std::collections::BTreeSet;

use super::{
    error::CompareError,
    side::{Side, letter},
};
use crate::{
    event::Split,
    format::one_line,
    metrics::{Metric, Metrics},
    report::{
        folds::mean_over_folds,
        input::{RunInput, split_name},
        terms::Terms,
        trials::kept,
    },
    store::{RunRecord, RunState},
};

/// The sides with the evaluations that are compared, all on the same split.
pub struct Measured<'a> {
    /// The split.
    pub split: Split,
    /// The metrics and words of the task.
    pub terms: Terms,
    /// The sides, in their order.
    pub sides: Vec<MeasuredSide<'a>>,
}

/// A side with its evaluations.
pub struct MeasuredSide<'a> {
    /// Its letter.
    pub letter: char,
    /// The side.
    pub side: &'a Side,
    /// Its runs that have metrics: the completed ones or, if none is completed, all of them with their latest ones.
    pub runs: Vec<(&'a RunInput, &'a Metrics)>,
    /// Whether these are metrics of completed runs.
    pub is_final: bool,
    /// Completed runs that are not among these: of folds that another side has not completed.
    pub left_out: usize,
}

impl<'a> Measured<'a> {
    /// Chooses the split: test, if all sides have metrics on it, else dev.
    pub fn of(sides: &'a [Side]) -> Result<Self, CompareError> {
        let terms = Terms::of(sides.iter().flat_map(Side::records));
        let on = |split: Split| -> Vec<MeasuredSide<'a>> {
            sides.iter().enumerate().map(|(i, side)| measured(letter(i), side, split, terms.first)).collect()
        };
        let is_whole = |sides: &[MeasuredSide<'_>]| sides.iter().all(|side| !side.runs.is_empty());
        let by_split = [Split::Test, Split::Dev].map(|split| (split, on(split)));
        // Before a side without any metrics, the splits that the others have do not matter.
        if let Some(i) = (0..sides.len()).find(|&i| by_split.iter().all(|(_, sides)| sides[i].runs.is_empty())) {
            let (side, name) = (letter(i), one_line(&sides[i].name));
            return Err(CompareError::NoResult { side, name, why: why_not(&sides[i]) });
        }
        let split_of = |i: usize| by_split.iter().find(|(_, sides)| !sides[i].runs.is_empty()).map(|(split, _)| *split);
        let splits: Vec<Option<Split>> = (0..sides.len()).map(split_of).collect();
        match by_split.into_iter().find(|(_, sides)| is_whole(sides)) {
            Some((split, mut sides)) => {
                keep_common_folds(&mut sides);
                Ok(Self { split, terms, sides })
            }
            None => {
                let other = splits.iter().position(|split| *split != splits[0]).unwrap_or(1);
                let name = |split: Option<Split>| split.map_or("train", split_name);
                Err(CompareError::OtherSplit {
                    first: letter(0),
                    other: letter(other),
                    of_first: name(splits[0]),
                    of_other: name(splits[other]),
                })
            }
        }
    }
}

/// The evaluations of a side on a split.
fn measured<'a>(letter: char, side: &'a Side, split: Split, by: Metric) -> MeasuredSide<'a> {
    let all = || side.runs.iter().filter_map(|run| Some((run, metrics_of(run, split, by)?)));
    let finished = |(run, _): &(&RunInput, &Metrics)| run.run.state == RunState::Completed;
    let completed: Vec<_> = all().filter(finished).collect();
    let is_final = !completed.is_empty();
    MeasuredSide { letter, side, runs: if is_final { completed } else { all().collect() }, is_final, left_out: 0 }
}

/// Leaves in the first side and in the others with as many folds only those folds that all of them have completed: folds are of other rows,
/// some of which are harder. Sides without any fold in common keep theirs.
fn keep_common_folds(sides: &mut [MeasuredSide<'_>]) {
    let Some(of) = sides.first().and_then(|first| first.side.folds()) else { return };
    let mut sides: Vec<_> = sides.iter_mut().filter(|side| side.is_final && side.side.folds() == Some(of)).collect();
    let common: BTreeSet<u32> = (1..=of).filter(|fold| sides.iter().all(|side| side.folds().contains(fold))).collect();
    if common.is_empty() {
        return;
    }
    for side in &mut sides {
        let all = side.runs.len();
        side.runs.retain(|(run, _)| run.run.config.data.fold.is_some_and(|fold| common.contains(&fold.number())));
        side.left_out = all - side.runs.len();
    }
}

/// The metrics of a run on a split: the final ones, or else the best or the latest during training.
fn metrics_of(run: &RunInput, split: Split, by: Metric) -> Option<&Metrics> {
    let own = run.run.final_metrics.as_ref().filter(|_| run.measured_on() == split);
    own.or_else(|| kept(&run.run.config, &run.evals, split, by))
}

/// Why a side has no metrics, and what to do.
fn why_not(side: &Side) -> String {
    let state = RunState::of_several(side.records().map(|run| run.state));
    let message = side.records().find_map(|run| run.message.as_deref()).and_then(|message| message.lines().next());
    match (state, message) {
        (RunState::Failed, Some(message)) => format!("it failed: {}", one_line(message)),
        (RunState::Failed, None) => "it failed".into(),
        (RunState::Running, _) => "it is training, and was not evaluated yet".into(),
        (RunState::Completed, _) => "its evaluations are not stored".into(),
        (RunState::Pending, _) => format!("it was not trained yet: `{}` trains it", side.again),
        (RunState::Pruned, _) => "it was pruned before its first evaluation".into(),
        (RunState::Interrupted | RunState::Waiting, _) => {
            format!("it is {} before its first evaluation: `{}` continues it", state.word(), side.again)
        }
    }
}

impl MeasuredSide<'_> {
    /// The mean of a metric over its runs; over folds, each with the mean over its seeds. NaN if no run has it.
    pub fn mean(&self, metric: Metric) -> f64 {
        if self.side.folds().is_some() {
            let runs: Vec<(&RunRecord, &Metrics)> =
                self.runs.iter().map(|(run, metrics)| (&run.run, *metrics)).collect();
            return mean_over_folds(&runs, metric).map_or(f64::NAN, |mean| mean.mean);
        }
        let values = self.values(metric);
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// The finite values of a metric.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.runs.iter().map(|(_, metrics)| metrics.get(metric)).filter(|value| value.is_finite()).collect()
    }

    /// The numbers of the folds of its runs.
    pub fn folds(&self) -> BTreeSet<u32> {
        self.runs.iter().filter_map(|(run, _)| Some(run.run.config.data.fold?.number())).collect()
    }

    /// Each value with the number of its fold.
    pub fn by_fold(&self, metric: Metric) -> Vec<(u32, f64)> {
        let value =
            |(run, metrics): &(&RunInput, &Metrics)| Some((run.run.config.data.fold?.number(), metrics.get(metric)));
        self.runs.iter().filter_map(value).filter(|(_, value)| value.is_finite()).collect()
    }

    /// Each value with its seed.
    pub fn by_seed(&self, metric: Metric) -> Vec<(u64, f64)> {
        let value = |(run, metrics): &(&RunInput, &Metrics)| (run.run.config.train.seed, metrics.get(metric));
        self.runs.iter().map(value).filter(|(_, value)| value.is_finite()).collect()
    }

    /// Its only run, if it has one, and is not a fold of several.
    pub fn only(&self) -> Option<(&RunInput, &Metrics)> {
        match self.runs[..] {
            [only] if self.side.folds().is_none() => Some(only),
            _ => None,
        }
    }
}
