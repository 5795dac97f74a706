//! Packed batches, and which rows share one.

use std::ops::Range;

use super::{Batch, DataError, Dataset, Tokens, Window};
use crate::event::TextLengths;

/// How long rows are, in tokens, special tokens included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LengthStats {
    /// Mean.
    pub mean: f64,
    /// Half of the rows are at most this long.
    pub p50: usize,
    /// Nine rows in ten are at most this long.
    pub p90: usize,
    /// 99 rows in a hundred are at most this long.
    pub p99: usize,
    /// The longest.
    pub max: usize,
    /// Rows longer than `max_length`.
    pub truncated: usize,
    /// Rows that are longer than was counted: very long texts, of which only the beginning is looked at. Above 0, `mean` and
    /// `max` are less than they would be.
    pub longer_than_counted: usize,
}

impl LengthStats {
    /// From the lengths of rows that are not cut yet and the `max_length` to which they will be. All 0 without rows.
    pub fn new(mut lengths: Vec<usize>, max_length: usize) -> Self {
        lengths.sort_unstable();
        let Some(&max) = lengths.last() else { return Self::default() };
        let percentile = |percent| nearest_rank(&lengths, percent);
        Self {
            mean: lengths.iter().sum::<usize>() as f64 / lengths.len() as f64,
            p50: percentile(50),
            p90: percentile(90),
            p99: percentile(99),
            max,
            truncated: lengths.len() - lengths.partition_point(|&length| length <= max_length),
            longer_than_counted: 0,
        }
    }
}

/// The smallest of these lengths, which are sorted and not none, that `percent` of them do not exceed.
fn nearest_rank(lengths: &[usize], percent: usize) -> usize {
    lengths[(lengths.len() * percent).div_ceil(100) - 1]
}

impl TextLengths {
    /// Those of texts with these numbers of tokens; `None` without texts.
    pub(super) fn of(mut tokens: Vec<usize>) -> Option<Self> {
        tokens.sort_unstable();
        let longest = *tokens.last()? as u64;
        let [median, p95] = [50, 95].map(|percent| nearest_rank(&tokens, percent) as u64);
        Some(Self { median, p95, longest })
    }
}

/// Packs windows of rows (see [`Tokens::windows`]) into one stream of tokens for a forward pass, in the given order. `tokens` are those of
/// `dataset`; rows without tokens are tokenised first, in parallel.
///
/// # Errors
/// If the tokenizer fails on a row.
///
/// # Panics
/// If `windows` has an id that there is not.
pub fn batch(dataset: &Dataset, tokens: &Tokens, windows: &[u32]) -> Result<Batch, DataError> {
    tokens.encode_windows(windows)?;
    let read = windows.iter().map(|&window| tokens.window(window)).collect::<Result<Vec<_>, DataError>>()?;
    let rows: Vec<u32> = windows.iter().map(|&window| tokens.row_of(window)).collect();
    let targets = rows.iter().map(|&row| dataset.rows[row as usize].target.clone()).collect();
    Ok(Batch { targets, rows, ..Batch::of_windows(&read) })
}

impl Batch {
    /// The same batch as a later part of an optimizer step: after `first_row` rows with `first_token` tokens.
    #[must_use]
    pub fn at_offset(self, first_row: usize, first_token: usize) -> Self {
        Self { first_row, first_token, ..self }
    }

    /// The batch of texts without labels that belong to no dataset, given as token ids. All token types are 0.
    pub fn of_texts<T: AsRef<[u32]>>(texts: &[T]) -> Self {
        Self::of_tokens(&texts.iter().map(|ids| (ids.as_ref(), &[][..])).collect::<Vec<_>>())
    }

    /// The same, given as token ids and token types; a text without any has type 0 throughout.
    ///
    /// # Panics
    /// As [`Self::of_windows`].
    pub fn of_tokens(texts: &[(&[u32], &[u32])]) -> Self {
        Self::of_windows(&texts.iter().map(|(ids, types)| Window::whole(ids, types)).collect::<Vec<_>>())
    }

    /// The batch of windows of texts that belong to no dataset.
    ///
    /// # Panics
    /// If a window has some token types, but not one for each id.
    pub fn of_windows(windows: &[Window<'_>]) -> Self {
        let total = windows.iter().map(Window::tokens).sum();
        let mut batch = Self {
            ids: Vec::with_capacity(total),
            positions: Vec::with_capacity(total),
            token_types: Vec::with_capacity(total),
            offsets: Vec::with_capacity(windows.len() + 1),
            targets: Vec::new(),
            rows: Vec::new(),
            first_row: 0,
            first_token: 0,
        };
        batch.offsets.push(0);
        for window in windows {
            let (length, types) = (window.tokens(), window.token_types);
            assert!(types.is_empty() || types.len() == length, "a token type for each id");
            window.ids.iter().for_each(|part| batch.ids.extend_from_slice(part));
            batch.token_types.extend_from_slice(types);
            batch.token_types.resize(batch.ids.len(), 0);
            batch.positions.extend(0..length as u32);
            batch.offsets.push(batch.ids.len() as u32);
        }
        batch
    }
}

/// Splits a sequence of rows with these lengths into parts of at most `most` tokens each; a longer row is a part of its own.
pub fn by_tokens(lengths: impl IntoIterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (row, length) in lengths.into_iter().enumerate() {
        match parts.last_mut() {
            Some(part) if tokens + length <= most => part.end = row + 1,
            _ => {
                parts.push(row..row + 1);
                tokens = 0;
            }
        }
        tokens += length;
    }
    parts
}

/// Batches of rows with these lengths, of at most `most` tokens each: indices into `lengths`, each of them once.
///
/// Rows of similar length share a batch, so that attention's work is evenly distributed over threads. A model's output for a row does
/// not depend on the other rows.
pub fn by_length(lengths: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| lengths[index]); // stable: ties in their order
    let parts = by_tokens(order.iter().map(|&index| lengths[index]), most);
    parts.into_iter().map(|part| order[part].to_vec()).collect()
}
