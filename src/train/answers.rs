//! What a model says of texts, from what it says of their windows.

use crate::{
    data::{self, Batch},
    engine::{EVALUATION_TOKENS, Engine},
    task::{Answer, Task},
};

/// Texts by the windows that they are read in.
pub struct Windows<'a> {
    /// How many windows each text has.
    pub of_texts: &'a [usize],
    /// Tokens of each window, text by text.
    pub lengths: &'a [usize],
}

/// The answer for each text, in their order. Windows are batched as by [`logits`].
///
/// # Errors
/// As [`logits`].
pub fn answers<E: From<crate::model::ModelError>>(
    task: Task,
    engine: &mut dyn Engine,
    windows: Windows<'_>,
    batch: &dyn Fn(&[usize]) -> Result<Batch, E>,
    progress: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Vec<Answer>, E> {
    let of_texts = windows.of_texts;
    let logits = logits(engine, windows, batch, progress)?;
    Ok(by_text(&logits, of_texts).map(|own| task.answer_of_windows(own)).collect())
}

/// The logits of each window, in their order. Windows are batched by length, up to [`EVALUATION_TOKENS`] tokens a batch: `batch` builds the one
/// of the windows with these indices. After each batch `progress` is called with the number of texts done; a text whose windows are
/// in several batches counts in parts.
///
/// # Errors
/// If the engine fails; any error of `batch` and of `progress`, which end it.
pub fn logits<E: From<crate::model::ModelError>>(
    engine: &mut dyn Engine,
    windows: Windows<'_>,
    batch: &dyn Fn(&[usize]) -> Result<Batch, E>,
    progress: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Vec<Vec<f32>>, E> {
    let Windows { of_texts, lengths } = windows;
    let mut logits = vec![Vec::new(); lengths.len()];
    let mut done = 0;
    for part in data::by_length(lengths, EVALUATION_TOKENS) {
        for (&window, scores) in part.iter().zip(engine.scores(&batch(&part)?)?) {
            logits[window] = scores;
        }
        done += part.len();
        progress((done as u128 * of_texts.len() as u128 / lengths.len() as u128) as usize)?;
    }
    Ok(logits)
}

/// The logits of the windows of each text.
pub fn by_text<'a>(logits: &'a [Vec<f32>], of_texts: &[usize]) -> impl Iterator<Item = &'a [Vec<f32>]> {
    let mut rest = logits;
    of_texts.iter().map(move |&windows| {
        let (own, others) = rest.split_at(windows);
        rest = others;
        own
    })
}
