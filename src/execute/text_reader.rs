//! From a text to the tokens that a classifier reads, on any thread.

use std::sync::Arc;

use super::ExecuteError;
use crate::{
    data::{Encoded, RowText, Tokenizer},
    plan::LongTexts,
};

/// What turns texts into the tokens of a classifier.
#[derive(Debug, Clone)]
pub struct TextReader {
    tokenizer: Arc<Tokenizer>,
    long: LongTexts,
    /// Rows of the embedding.
    rows: usize,
    /// The tokens of a text without words; none if it has no tokens, or such as the model has no row for.
    companion: Option<Vec<u32>>,
}

impl TextReader {
    pub(super) fn new(tokenizer: Tokenizer, long: LongTexts, rows: usize) -> Self {
        let ids = tokenizer.encode("", long.max_length).ok();
        let companion = ids.filter(|ids| !ids.is_empty() && ids.iter().all(|&id| (id as usize) < rows));
        Self { tokenizer: Arc::new(tokenizer), long, rows, companion }
    }

    /// How long texts are read.
    pub fn long(&self) -> LongTexts {
        self.long
    }

    /// A short row for batches that have but one.
    pub(super) fn companion(&self) -> Option<&[u32]> {
        self.companion.as_deref()
    }

    /// Whether no text is refused.
    pub fn takes_any_text(&self) -> bool {
        self.tokenizer.takes_any_text() && self.tokenizer.vocab_size() <= self.rows
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// If the tokenizer fails on it, or gives an id that the model has no row for.
    pub fn encode(&self, text: RowText<'_>) -> Result<Encoded, ExecuteError> {
        let tokens = self.tokenizer.encode_long(text, self.long)?;
        match tokens.ids.iter().find(|&&id| id as usize >= self.rows) {
            None => Ok(tokens),
            Some(&id) => Err(ExecuteError::Setting(format!(
                "the text {:?} has the token `{}` with the id {id}, but the model's vocabulary has {}: tokenizer and model do not match",
                beginning(text.text),
                self.tokenizer.tokens(&[id]).concat(),
                self.rows
            ))),
        }
    }
}

/// The beginning of a text, for a message.
fn beginning(text: &str) -> String {
    const CHARS: usize = 40;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
