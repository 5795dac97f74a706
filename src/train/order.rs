//! Which rows a step trains on, into which parts a batch is cut, and in which order rows are read.

use super::schedule::Steps;
use crate::{
    data::{self, Batch, DataError, Dataset, Splits, Tokens},
    plan::TrainConfig,
};

/// Those of an epoch's examples, which have the order `order`, that the optimizer step with this index (from 0) trains on.
pub fn step_examples<'a>(train: &TrainConfig, order: &'a [u32], index: u64) -> &'a [u32] {
    let size = train.batch_size * train.gradient_accumulation_steps;
    let begin = (index as usize).saturating_mul(size).min(order.len());
    &order[begin..begin.saturating_add(size).min(order.len())]
}

/// The batches of the optimizer step with this index (from 0) in an epoch whose rows (their windows, if long texts are read in windows) have
/// the order `order`, each cut between rows into parts of at most `micro_batch_tokens` tokens (a longer row is a part of its own). The
/// gradients of the parts add up to that of the step.
///
/// # Errors
/// If the tokenizer fails on a row.
pub fn step_batches(
    train: &TrainConfig,
    dataset: &Dataset,
    tokens: &Tokens,
    order: &[u32],
    index: u64,
) -> Result<Vec<Batch>, DataError> {
    let rows = step_examples(train, order, index);
    let mut batches = Vec::new();
    let (mut first_row, mut first_token) = (0, 0);
    for rows in rows.chunks(train.batch_size) {
        for part in data::by_tokens(tokens.lengths(rows)?, train.micro_batch_tokens) {
            let batch = data::batch(dataset, tokens, &rows[part])?.at_offset(first_row, first_token);
            (first_row, first_token) = (first_row + batch.rows.len(), first_token + batch.ids.len());
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// Number of tokens of the largest part of a batch that a run on these rows computes at a time, in its first ten epochs: later epochs
/// hardly ever have a larger one. `rows` are their windows, if long texts are read in windows.
///
/// # Errors
/// If the tokenizer fails on a row.
pub fn largest_part(train: &TrainConfig, rows: &[u32], tokens: &Tokens) -> Result<usize, DataError> {
    let steps = Steps::new(train, rows.len());
    let mut largest = 0;
    for epoch in 1..=steps.total.div_ceil(steps.per_epoch.max(1)).min(10) as u32 {
        let lengths = tokens.lengths(&data::epoch_order(rows, train.order_seed, epoch))?;
        for batch in lengths.chunks(train.batch_size) {
            let parts = data::by_tokens(batch.iter().copied(), train.micro_batch_tokens);
            largest = parts.into_iter().map(|part| batch[part].iter().sum()).fold(largest, usize::max);
        }
    }
    Ok(largest)
}

/// Ids of the rows in the order in which a run that has done `step` steps needs their tokens: each row once, and without rows that it
/// does not reach before its last step. Not for rows that are read in windows: those are tokenised before training.
pub fn reading_order(train: &TrainConfig, splits: &Splits, step: u64) -> Vec<u32> {
    let steps = Steps::new(train, splits.train.len());
    let size = train.batch_size * train.gradient_accumulation_steps;
    let (epoch, index) = steps.epoch_and_index(step + 1);
    let mut order = data::epoch_order(&splits.train, train.order_seed, epoch);
    let begin = (index as usize * size).min(order.len());
    order.rotate_left(begin);
    order.truncate((steps.total.saturating_sub(step) as usize).saturating_mul(size));
    // Splits are evaluated in file order: before the first step, or after this epoch's rows.
    let mut measured = [splits.dev.clone(), splits.test.clone()];
    measured.iter_mut().for_each(|rows| rows.sort_unstable());
    let measured = measured.concat();
    match step {
        0 => [measured, order].concat(),
        _ => [order, measured].concat(),
    }
}
