//! The number of steps of a run, and the learning rate of each.

use crate::plan::{Scheduler, TrainConfig, schedule};

/// Numbers of optimizer steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// In one epoch; the last step of an epoch can have fewer rows.
    pub per_epoch: u64,
    /// In the whole run.
    pub total: u64,
}

impl Steps {
    /// The steps of a run with `rows` training rows.
    pub fn new(train: &TrainConfig, rows: usize) -> Self {
        let rows = rows as u64;
        Self {
            per_epoch: schedule::steps_per_epoch(rows, train.batch_size, train.gradient_accumulation_steps),
            total: schedule::total_steps(train, rows),
        }
    }

    /// Epoch (from 1) of a step (from 1), and the index (from 0) of the step within the epoch.
    pub fn epoch_and_index(&self, step: u64) -> (u32, u64) {
        (((step - 1) / self.per_epoch) as u32 + 1, (step - 1) % self.per_epoch)
    }

    /// Whether the step (from 1) is the last of an epoch or of the run.
    pub fn ends_epoch(&self, step: u64) -> bool {
        step.is_multiple_of(self.per_epoch) || step == self.total
    }
}

/// Learning rate of a step (from 1): the values of transformers' `get_*_schedule_with_warmup`, which count steps from 0.
pub fn learning_rate(train: &TrainConfig, steps: Steps, step: u64) -> f64 {
    let warmup = schedule::warmup_steps(train, steps.total);
    let done = step - 1;
    if done < warmup {
        return train.lr * done as f64 / warmup as f64;
    }
    let progress = (done - warmup) as f64 / steps.total.saturating_sub(warmup).max(1) as f64;
    let factor = match train.scheduler {
        Scheduler::Constant => 1.0,
        Scheduler::Linear => (1.0 - progress).max(0.0),
        Scheduler::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
    };
    train.lr * factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::testing;

    /// Expected values: transformers 5.23 `get_linear_schedule_with_warmup(_, 3, 10)` and the cosine one.
    #[test]
    fn learning_rates_are_those_of_transformers() {
        let linear = [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 6.0 / 7.0, 5.0 / 7.0, 4.0 / 7.0, 3.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0];
        let cosine = [
            0.0,
            1.0 / 3.0,
            2.0 / 3.0,
            1.0,
            0.950_484_433_951_209_5,
            0.811_744_900_929_366_7,
            0.611_260_466_978_157_2,
            0.388_739_533_021_842_83,
            0.188_255_099_070_633_26,
            0.049_515_566_048_790_48,
        ];
        let steps = Steps { per_epoch: 5, total: 10 };
        for (scheduler, want) in [(Scheduler::Linear, linear), (Scheduler::Cosine, cosine)] {
            let by_steps = TrainConfig { scheduler, warmup_steps: 3, lr: 1.0, ..testing::train() };
            let by_ratio = TrainConfig { warmup_steps: 0, warmup_ratio: 0.25, ..by_steps.clone() };
            for (i, want) in want.iter().enumerate() {
                for train in [&by_steps, &by_ratio] {
                    assert!((learning_rate(train, steps, i as u64 + 1) - want).abs() < 1e-12, "{scheduler:?} step {i}");
                }
            }
        }
        let constant = TrainConfig { lr: 3e-5, ..testing::train() };
        assert_eq!([1, 5, 10].map(|s| learning_rate(&constant, steps, s)), [3e-5; 3]);
    }

    #[test]
    fn steps_count_the_short_last_batch_and_the_accumulation() {
        let train = TrainConfig { epochs: 3, batch_size: 4, gradient_accumulation_steps: 2, ..testing::train() };
        let steps = Steps::new(&train, 17);
        assert_eq!(steps, Steps { per_epoch: 3, total: 9 });
        assert_eq!([1, 3, 4, 9].map(|s| steps.epoch_and_index(s)), [(1, 0), (1, 2), (2, 0), (3, 2)]);
        assert_eq!([1, 2, 3, 9].map(|s| steps.ends_epoch(s)), [false, false, true, true]);
        assert_eq!(Steps::new(&TrainConfig { max_steps: Some(5), ..train }, 17).total, 5);
    }
}
