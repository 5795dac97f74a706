//! The number of optimizer steps of a run.

use super::TrainConfig;

/// Optimizer steps of one pass over `rows`: the last batch may be smaller, and the last step may have fewer batches.
///
/// 0 without rows. A batch size or accumulation of 0 counts as 1.
pub fn steps_per_epoch(rows: u64, batch_size: usize, gradient_accumulation_steps: usize) -> u64 {
    let rows_per_step = (batch_size.max(1) as u64).saturating_mul(gradient_accumulation_steps.max(1) as u64);
    rows.div_ceil(rows_per_step)
}

/// Optimizer steps of the whole run on `train_rows`: `max_steps` if given, else `epochs` passes, without early stopping.
pub fn total_steps(train: &TrainConfig, train_rows: u64) -> u64 {
    let per_epoch = steps_per_epoch(train_rows, train.batch_size, train.gradient_accumulation_steps);
    match train.max_steps {
        // Without rows there are no steps, whatever the settings.
        Some(steps) if per_epoch > 0 => steps,
        _ => per_epoch.saturating_mul(train.epochs.into()),
    }
}

/// The warmup steps of a run of `total` steps.
pub fn warmup_steps(train: &TrainConfig, total: u64) -> u64 {
    match train.warmup_ratio > 0.0 {
        true => (train.warmup_ratio * total as f64).ceil() as u64,
        false => train.warmup_steps,
    }
}

/// Evaluations during training: every `eval_steps` steps, or at the end of each epoch if that is 0. The end of training always has
/// one.
pub fn evaluations(train: &TrainConfig, train_rows: u64) -> u64 {
    let per_epoch = steps_per_epoch(train_rows, train.batch_size, train.gradient_accumulation_steps);
    let every = if train.eval_steps > 0 { train.eval_steps } else { per_epoch };
    if every == 0 { 0 } else { total_steps(train, train_rows).div_ceil(every) }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::full_config, *};

    #[test]
    fn the_last_batch_and_the_last_step_can_be_smaller() {
        assert_eq!(steps_per_epoch(9590, 32, 1), 300);
        assert_eq!(steps_per_epoch(64, 32, 1), 2);
        assert_eq!(steps_per_epoch(65, 32, 1), 3);
        assert_eq!(steps_per_epoch(65, 32, 2), 2); // batches of 32, 32 | 1
        assert_eq!(steps_per_epoch(1, 32, 8), 1);
        assert_eq!(steps_per_epoch(0, 32, 1), 0);
        assert_eq!(steps_per_epoch(5, usize::MAX, 9), 1);
    }

    #[test]
    fn max_steps_overrides_epochs() {
        let mut train = full_config().train;
        (train.epochs, train.max_steps) = (3, None);
        assert_eq!((total_steps(&train, 9590), evaluations(&train, 9590)), (900, 3));
        train.max_steps = Some(1000);
        assert_eq!((total_steps(&train, 9590), evaluations(&train, 9590)), (1000, 4));
        train.eval_steps = 50;
        assert_eq!(evaluations(&train, 9590), 20);
        assert_eq!((total_steps(&train, 0), evaluations(&train, 0)), (0, 0));
    }
}
