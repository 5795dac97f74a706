//! How a prepared run reads its texts: what it trains on, and how much of them is cut.

use super::{ExecuteError, Prepared};
use crate::{
    data::{Ahead, LengthStats, Splits},
    event::{Split, SplitTexts},
    plan::{Digests, run_key, sanity},
    train::{NUMERICS, reading_order},
};

impl Prepared {
    /// Number of training examples: of the training rows, or of their windows if long texts are read in windows.
    pub fn examples(&self) -> usize {
        self.tokens.count_windows(&self.splits.train)
    }

    /// An identity of what it computes if no text is too long for it: that of all runs which differ from it only in settings without effect.
    /// Unlike [`Prepared::key`] it is never stored.
    pub fn effective_key(&self) -> String {
        let vocabulary = self.config.model.source.builds_vocabulary().then(|| self.tokenizer.vocab_size());
        let config = sanity::without_effect(&self.config, self.examples() as u64, vocabulary, true);
        let digests = Digests { data: self.dataset.digest.clone(), model: self.model_digest.clone() };
        run_key(&config, &digests, NUMERICS, false)
    }

    /// The same if they are windows, and more than rows.
    pub(super) fn windows(&self) -> Option<u64> {
        Some(self.examples()).filter(|&n| n != self.splits.train.len()).map(|n| n as u64)
    }

    /// Statistics of the lengths of all rows, in tokens, before they are cut. Tokenises all of them.
    ///
    /// # Errors
    /// If the tokenizer fails on a row.
    pub fn lengths(&self) -> Result<LengthStats, ExecuteError> {
        let mut lengths = LengthStats::new(self.tokens.whole_lengths()?, self.config.data.max_length);
        lengths.longer_than_counted = self.tokens.rows_longer_than_counted()?;
        if self.config.data.long_texts().has_windows() {
            lengths.truncated = 0;
        }
        Ok(lengths)
    }

    /// How much of the texts is cut, of each split that has rows. Tokenises all of them.
    ///
    /// # Errors
    /// If the tokenizer fails on a row.
    pub fn texts(&self) -> Result<Vec<SplitTexts>, ExecuteError> {
        self.rows_of_splits().map(|(split, rows)| Ok(self.tokens.texts(split, rows)?)).collect()
    }

    /// The same of the rows that are tokenised by now.
    pub(super) fn texts_so_far(&self) -> Vec<SplitTexts> {
        self.rows_of_splits().map(|(split, rows)| self.tokens.texts_so_far(split, rows)).collect()
    }

    fn rows_of_splits(&self) -> impl Iterator<Item = (Split, &[u32])> {
        let Splits { train, dev, test, .. } = &*self.splits;
        let splits = [(Split::Train, train), (Split::Dev, dev), (Split::Test, test)];
        splits.into_iter().map(|(split, rows)| (split, &rows[..])).filter(|(_, rows)| !rows.is_empty())
    }

    /// Tokenises the rows that are needed after `step` steps, on `threads` threads, for as long as the value returned lives.
    pub(super) fn read_ahead(&self, step: u64, threads: usize) -> Ahead {
        let order = match self.config.data.long_texts().has_windows() {
            true => Vec::new(), // all are tokenised
            false => reading_order(&self.config.train, &self.splits, step),
        };
        self.tokens.ahead(order, threads)
    }
}
