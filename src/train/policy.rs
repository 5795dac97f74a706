//! When to evaluate, save and stop, and which evaluation is the best: pure functions of settings and past scores.

use serde::{Deserialize, Serialize};

use super::schedule::Steps;
use crate::{
    metrics::{Metric, Score, is_new_best},
    plan::{CheckpointConfig, TrainConfig},
    warning::{Kind, Warning},
};

/// Whether an evaluation follows the step (from 1).
pub fn evaluates(train: &TrainConfig, steps: Steps, step: u64) -> bool {
    match train.eval_steps {
        0 => steps.ends_epoch(step),
        every => step.is_multiple_of(every) || step == steps.total,
    }
}

/// Bytes a second that a slow disk writes.
const SLOW_DISK: f64 = 200e6;

/// Whether a checkpoint of `bytes` bytes is written after the step (from 1), `since_s` seconds after the last one.
///
/// The end of an epoch is a reason only if repeating the steps since the last checkpoint would take five times as long as writing one, or
/// if writing takes less than 0.1 s. Otherwise a fast GPU would spend more time on checkpoints than on training.
pub fn saves(checkpoint: &CheckpointConfig, steps: Steps, step: u64, bytes: u64, since_s: f64) -> bool {
    let cost_s = bytes as f64 / SLOW_DISK;
    (steps.ends_epoch(step) && (cost_s < 0.1 || since_s >= 5.0 * cost_s))
        || (checkpoint.every_steps > 0 && step.is_multiple_of(checkpoint.every_steps))
        || (checkpoint.every_minutes > 0.0 && since_s >= 60.0 * checkpoint.every_minutes)
}

/// The best evaluation so far, and the number of evaluations since the last progress.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Best {
    /// Its score; `None` until one is defined (in states of earlier versions it can be undefined).
    #[serde(rename = "figure")] // as the first version wrote it
    pub score: Option<Score>,
    /// Its step.
    pub step: u64,
    /// Evaluations since the last one whose score exceeded the best before it by more than `early_stopping_min_delta`. Before the first defined
    /// score there is nothing to exceed, and none counts.
    pub without_progress: u32,
}

impl Best {
    /// Adds the score of an evaluation after `step`; returns whether it is the best so far.
    ///
    /// Progress is defined as in transformers' `EarlyStoppingCallback`: a score more than `min_delta` above the best so far, even if that
    /// best score was itself no progress. (Keras compares with the last score that was progress.) `min_delta` is in the unit of the metric.
    pub fn update(&mut self, score: Score, step: u64, min_delta: f64) -> bool {
        let better = is_new_best(self.score, score);
        match self.defined() {
            Some(best) if !(score > best && score.above(best) > min_delta) => self.without_progress += 1,
            _ => self.without_progress = 0,
        }
        if better {
            (self.score, self.step) = (Some(score), step);
        }
        better
    }

    /// Its score, if one was defined.
    pub fn defined(&self) -> Option<Score> {
        self.score.filter(|score| !score.is_undefined())
    }

    /// Whether training stops early; never with a patience of 0.
    pub fn stops(&self, train: &TrainConfig) -> bool {
        train.early_stopping_patience > 0 && self.without_progress >= train.early_stopping_patience
    }
}

/// That no evaluation of a run had a value by which it could be the best.
pub fn no_best(metric: Metric) -> Warning {
    let message = format!("dev {} was never defined, so the last weights were kept", metric.name());
    Warning::new(Kind::Training, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Scored};
    use crate::train::testing;

    #[test]
    fn early_stopping_counts_evaluations_without_enough_progress() {
        let train = TrainConfig { early_stopping_patience: 2, ..testing::train() };
        let mut best = Best::default();
        // 0.805 is the best so far but no progress of 0.01: it is kept, and it counts towards stopping.
        let seen =
            [(0.80, true, false), (0.805, true, false), (0.82, true, false), (0.81, false, false), (0.82, false, true)];
        for (step, (accuracy, better, stops)) in (1..).zip(seen) {
            assert_eq!((best.update(score(accuracy), step, 0.01), best.stops(&train)), (better, stops), "step {step}");
        }
        assert_eq!((best.score, best.step), (Some(score(0.82)), 3));
        assert!(!best.stops(&testing::train()), "patience 0 never stops");
    }

    fn score(accuracy: f64) -> Score {
        Metric::Accuracy.score(accuracy)
    }

    /// The evaluation (from 1) after which training stops, if it does.
    fn stops_after(values: &[f64], patience: u32, min_delta: f64) -> Option<usize> {
        let train = TrainConfig { early_stopping_patience: patience, ..testing::train() };
        let mut best = Best::default();
        let stops = |value: &f64| {
            best.update(score(*value), 1, min_delta);
            best.stops(&train)
        };
        values.iter().position(stops).map(|i| i + 1)
    }

    /// A metric that is undefined at first, such as the MCC of a model that predicts one label, is worse than any value.
    #[test]
    fn the_first_defined_score_is_progress() {
        let mut best = Best::default();
        let undefined = Metric::Mcc.score(f64::NAN);
        let mcc = |value| Metric::Mcc.score(value);
        let scores = [undefined, undefined, mcc(-0.5), undefined, mcc(-0.25)];
        let better: Vec<bool> = (1..).zip(scores).map(|(step, score)| best.update(score, step, 0.0)).collect();
        assert_eq!((better, best.step, best.without_progress), (vec![false, false, true, false, true], 5, 0));
    }

    #[test]
    fn undefined_scores_stop_training_only_after_a_defined_one() {
        let nan = f64::NAN;
        assert_eq!(stops_after(&[nan; 9], 1, 0.0), None);
        assert_eq!(stops_after(&[nan, nan, 0.5, nan, nan], 2, 0.0), Some(5));
        assert_eq!(stops_after(&[nan, nan, 0.5, nan, 0.75, nan], 2, 0.0), None);
        // A state of an earlier version took the first evaluation for the best.
        let mut earlier = Best { score: Some(score(nan)), step: 1, without_progress: 3 };
        assert_eq!(earlier.defined(), None);
        assert!(!earlier.update(score(nan), 2, 0.0) && earlier.without_progress == 0);
        assert!(earlier.update(score(0.5), 3, 0.0) && (earlier.step, earlier.without_progress) == (3, 0));
    }

    /// Expected values: `EarlyStoppingCallback(patience, threshold)` of transformers 5.23 with `Trainer`'s `best_metric`
    /// (`tests/fixtures/early_stopping.py`).
    #[test]
    fn training_stops_where_transformers_stops() {
        // A loss that falls steadily by less than the threshold: from the best value no evaluation is ever progress.
        let steady: Vec<f64> = (0..12).map(|i| -0.75 + 0.0625 * f64::from(i)).collect();
        assert_eq!(stops_after(&steady, 2, 0.1), Some(3));
        assert_eq!(stops_after(&steady, 3, 0.15), Some(4));
        assert_eq!(stops_after(&steady, 2, 0.03125), None);
        // A change of exactly the threshold is no progress.
        assert_eq!(stops_after(&steady, 2, 0.0625), Some(3));
        assert_eq!(stops_after(&steady, 2, 0.0), None);
        // A small step raises what the next one is measured from.
        let steps = [0.5, 0.75, 0.8125, 0.875, 1.0, 1.0625, 1.125];
        assert_eq!(stops_after(&steps, 2, 0.1), Some(4));
        assert_eq!(stops_after(&steps, 3, 0.1), None);
        assert_eq!(stops_after(&[0.5, 0.5, 0.5, 0.75], 2, 0.0), Some(3));
        assert_eq!(stops_after(&[0.5, 0.25, 0.75, 0.5, 0.25], 2, 0.125), Some(5));
    }

    #[test]
    fn every_metric_has_a_score_of_its_own_that_grows_with_quality() {
        let names = ["a", "b"].map(String::from);
        // Two of three rows right, all taken for `a`: F1 is 0.8 and 0.
        let metrics = Metrics::new(&names, [0, 0, 1].map(|label| Scored::new(label, &[0.8, 0.2], 0.5)));
        for (metric, want) in [(Metric::Accuracy, 2.0 / 3.0), (Metric::MacroF1, 0.4), (Metric::Loss, 0.5)] {
            assert!(metrics.score(metric).above(metric.score(want)).abs() < 1e-12, "{metric:?}");
        }
    }

    #[test]
    fn equal_scores_are_no_progress_even_with_a_min_delta_of_0() {
        let mut best = Best::default();
        assert!(best.update(score(0.5), 1, 0.0) && !best.update(score(0.5), 2, 0.0));
        assert_eq!(best.without_progress, 1);
    }

    #[test]
    fn evaluations_and_checkpoints_follow_their_settings() {
        let steps = Steps { per_epoch: 4, total: 10 };
        let at = |f: &dyn Fn(u64) -> bool| (1..=10).filter(|s| f(*s)).collect::<Vec<u64>>();
        let mut train = testing::train();
        assert_eq!(at(&|s| evaluates(&train, steps, s)), [4, 8, 10]);
        train.eval_steps = 3;
        assert_eq!(at(&|s| evaluates(&train, steps, s)), [3, 6, 9, 10]);
        let mut checkpoint = testing::checkpoint();
        assert_eq!(at(&|s| saves(&checkpoint, steps, s, 0, 1e9)), [4, 8, 10]);
        checkpoint.every_steps = 5;
        assert_eq!(at(&|s| saves(&checkpoint, steps, s, 0, 1e9)), [4, 5, 8, 10]);
        // The checkpoints at 4 and 8 reset the time.
        (checkpoint.every_steps, checkpoint.every_minutes) = (0, 1.5);
        assert_eq!(at(&|s| saves(&checkpoint, steps, s, 0, (s % 4) as f64 * 45.0)), [2, 3, 4, 6, 7, 8, 10]);
    }

    #[test]
    fn a_large_state_is_not_written_after_a_short_epoch() {
        let (checkpoint, steps) = (testing::checkpoint(), Steps { per_epoch: 4, total: 10 });
        let (small, large) = (15 << 20, 440 << 20);
        assert!(saves(&checkpoint, steps, 4, small, 0.0) && !saves(&checkpoint, steps, 4, large, 1.0));
        assert!(saves(&checkpoint, steps, 4, large, 12.0) && !saves(&checkpoint, steps, 3, large, 1e9));
        let asked = CheckpointConfig { every_steps: 2, ..checkpoint };
        assert!(saves(&asked, steps, 2, large, 0.0), "every_steps is obeyed");
    }
}
