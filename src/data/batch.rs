//! Token streams: the rows of a data set, their lengths, and batches of them.

use std::ops::Range;

use super::{Batch, DataError, Dataset, Tokens};

impl Tokens {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Ids of row `row`.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The same rows with `max_length` tokens each at most. A row that is cut keeps its last token, which is `[SEP]`.
    pub fn cut(&self, max_length: usize) -> Self {
        let mut cut = Self { ids: Vec::new(), offsets: Vec::with_capacity(self.offsets.len()) };
        cut.offsets.push(0);
        for row in 0..self.rows() {
            match self.row(row) {
                [head @ .., last] if head.len() >= max_length => {
                    cut.ids.extend_from_slice(&head[..max_length.saturating_sub(1)]);
                    cut.ids.push(*last);
                }
                whole => cut.ids.extend_from_slice(whole),
            }
            cut.offsets.push(cut.ids.len() as u32); // shorter than self.ids, whose end is a u32
        }
        cut
    }

    /// Puts the rows of several parts one after the other.
    pub(super) fn concat(parts: Vec<Self>) -> Result<Self, DataError> {
        let ids = parts.iter().map(|part| part.ids.len()).sum();
        if u32::try_from(ids).is_err() {
            return Err(DataError::TooLarge { what: "tokens" });
        }
        let rows: usize = parts.iter().map(Self::rows).sum();
        let mut all = Self { ids: Vec::with_capacity(ids), offsets: Vec::with_capacity(rows + 1) };
        all.offsets.push(0);
        for part in parts {
            let base = all.ids.len() as u32;
            all.ids.extend_from_slice(&part.ids);
            all.offsets.extend(part.offsets.iter().skip(1).map(|end| base + end));
        }
        Ok(all)
    }
}

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
    /// Rows longer than `max_length`, which are cut.
    pub truncated: usize,
}

impl LengthStats {
    /// Lengths of rows that are not cut yet, against the `max_length` to which they will be. All 0 without rows.
    pub fn new(whole: &Tokens, max_length: usize) -> Self {
        let mut lengths: Vec<usize> = (0..whole.rows()).map(|row| whole.row(row).len()).collect();
        lengths.sort_unstable();
        let Some(&max) = lengths.last() else { return Self::default() };
        // Nearest rank: the smallest length that `percent` of the rows do not exceed.
        let percentile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100) - 1];
        Self {
            mean: whole.ids.len() as f64 / lengths.len() as f64,
            p50: percentile(50),
            p90: percentile(90),
            p99: percentile(99),
            max,
            truncated: lengths.len() - lengths.partition_point(|&length| length <= max_length),
        }
    }
}

/// Puts rows into one stream for a forward pass, in the order given. `tokens` are those of `dataset`.
///
/// # Panics
/// Where `rows` has an id that is not in the data set.
pub fn batch(dataset: &Dataset, tokens: &Tokens, rows: &[u32]) -> Batch {
    let total = rows.iter().map(|&row| tokens.row(row as usize).len()).sum();
    let mut batch = Batch {
        ids: Vec::with_capacity(total),
        positions: Vec::with_capacity(total),
        offsets: Vec::with_capacity(rows.len() + 1),
        labels: rows.iter().map(|&row| dataset.rows[row as usize].label).collect(),
        rows: rows.to_vec(),
        first_row: 0,
        first_token: 0,
    };
    batch.offsets.push(0);
    for &row in rows {
        let ids = tokens.row(row as usize);
        batch.ids.extend_from_slice(ids);
        batch.positions.extend(0..ids.len() as u32);
        batch.offsets.push(batch.ids.len() as u32);
    }
    batch
}

impl Batch {
    /// The same batch as a later part of an optimiser step: after `first_row` rows that have `first_token` tokens.
    #[must_use]
    pub fn placed(self, first_row: usize, first_token: usize) -> Self {
        Self { first_row, first_token, ..self }
    }
}
impl Batch {
    /// Texts that have no labels and stand in no data set.
    pub fn of_texts(texts: &[Vec<u32>]) -> Self {
        let lengths = texts.iter().map(|ids| ids.len() as u32);
        let ends = lengths.clone().scan(0, |end, n| {
            *end += n;
            Some(*end)
        });
        Self {
            offsets: std::iter::once(0).chain(ends).collect(),
            ids: texts.concat(),
            positions: lengths.flat_map(|n| 0..n).collect(),
            labels: Vec::new(),
            rows: Vec::new(),
            first_row: 0,
            first_token: 0,
        }
    }
}

/// Cuts a sequence of rows with these lengths into parts of at most `most` tokens each; a longer row stands alone.
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
