//! Evaluates a model on a split and on the probes.

use std::time::Instant;

use crate::{
    data::{self, Dataset, Tokens},
    engine::{EVALUATION_TOKENS, Engine},
    event::{Prediction, ProbeScore},
    metrics::{Metrics, Scored},
    plan::Probe,
    task::{Target, Task},
};

use super::TrainError;

/// Rows from which batches are formed at a time, so that the first batch does not wait for the tokens of the last row.
const WINDOW_ROWS: usize = 4096;

/// A probe sentence, tokenised.
#[derive(Debug, Clone)]
pub struct ProbeText {
    /// The sentence, or both, and the expected label.
    pub probe: Probe,
    /// Its token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Their token types; empty where all are 0.
    pub token_types: Vec<u32>,
}

/// The result of an evaluation on one split.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Its metrics.
    pub metrics: Metrics,
    /// One for each row, in file order.
    pub predictions: Vec<Prediction>,
    /// Duration in seconds.
    pub elapsed_s: f64,
}

/// Classifies the rows with the ids `rows` and computes their metrics. Rows are batched by length, up to [`EVALUATION_TOKENS`] tokens a
/// batch; predictions are in the order of the ids. After each batch `progress` is called with the number of rows done.
///
/// # Errors
/// If the tokenizer or the engine fails; any error of `progress`, which ends the evaluation.
pub fn evaluate(
    task: Task,
    engine: &mut dyn Engine,
    dataset: &Dataset,
    tokens: &Tokens,
    rows: &[u32],
    progress: &mut dyn FnMut(u64) -> Result<(), TrainError>,
) -> Result<Evaluation, TrainError> {
    let begin = Instant::now();
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut results: Vec<(Prediction, Scored)> = Vec::with_capacity(rows.len());
    for window in rows.chunks(WINDOW_ROWS) {
        for part in data::by_length(&tokens.lengths(window)?, EVALUATION_TOKENS) {
            let now: Vec<u32> = part.into_iter().map(|index| window[index]).collect();
            let batch = data::batch(dataset, tokens, &now)?;
            for (logits, &id) in engine.scores(&batch)?.iter().zip(&now) {
                let row = &dataset.rows[id as usize];
                let answer = task.answer(logits);
                let scored = answer.scored(row.target);
                let prediction = Prediction {
                    row: id,
                    line: row.line,
                    text: row.text.clone(),
                    text_pair: row.text_pair.clone(),
                    label: row.label(),
                    predicted: answer.label,
                    probabilities: answer.stored(Some(row.target)),
                };
                results.push((prediction, scored));
            }
            progress(results.len() as u64)?;
        }
    }
    results.sort_by_key(|(p, _)| p.row);
    let (predictions, scored): (Vec<Prediction>, Vec<Scored>) = results.into_iter().unzip();
    let metrics = task.measure(&dataset.labels, scored);
    Ok(Evaluation { metrics, predictions, elapsed_s: begin.elapsed().as_secs_f64() })
}

/// Classifies each probe sentence alone; the scores have the order of `probes`. `labels` are the names of the labels by id.
///
/// # Errors
/// If the engine fails.
pub fn score_probes(
    task: Task,
    engine: &mut dyn Engine,
    probes: &[ProbeText],
    labels: &[String],
) -> Result<Vec<ProbeScore>, TrainError> {
    let mut scores = Vec::with_capacity(probes.len());
    for (position, ProbeText { probe, ids, token_types }) in probes.iter().enumerate() {
        let logits = engine.scores(&data::Batch::of_tokens(&[(ids, token_types)]))?.remove(0);
        let answer = task.answer(&logits);
        let expected = probe.expect.as_ref().and_then(|name| labels.iter().position(|l| l == name));
        scores.push(ProbeScore {
            position: position as u32,
            text: probe.text.clone(),
            text_pair: probe.text_pair.clone(),
            expect: probe.expect.clone(),
            predicted: answer.predicted().shown(labels).to_owned(),
            probabilities: answer.stored(expected.map(|id| Target::Label(id as u32))),
        });
    }
    Ok(scores)
}
