//! Evaluates a model on a split and on the probes.

use std::time::Instant;

use crate::{
    data::{self, Dataset, Encoded, Tokens, Window},
    engine::Engine,
    event::{Prediction, ProbeScore},
    metrics::{Metrics, Tally},
    plan::Probe,
    task::{Answer, Decision, Target, Task},
};

use super::{
    TrainError,
    answers::{Windows, answers},
};

/// Rows from which batches are formed at a time, so that the first batch does not wait for the tokens of the last row.
const ROWS_AT_ONCE: usize = 4096;

/// A probe sentence, tokenised.
#[derive(Debug, Clone)]
pub struct ProbeText {
    /// The sentence, or both, and what is expected.
    pub probe: Probe,
    /// What is expected.
    pub expected: Option<Target>,
    /// Its tokens.
    pub tokens: Encoded,
}

/// The result of an evaluation on one split.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Its metrics.
    pub metrics: Metrics,
    /// One for each row, in file order.
    pub predictions: Vec<Prediction>,
    /// What the model says of each row, with its target; empty unless they are kept.
    pub answers: Vec<(Answer, Target)>,
    /// Duration in seconds.
    pub elapsed_s: f64,
}

/// Classifies the rows with the ids `rows` and computes their metrics: see [`answers`]. The probabilities of a row with several windows are
/// the mean of theirs, and all metrics are those of rows; predictions are in the order of the ids. `keep` asks for the answers. After each batch `progress` is called
/// with the number of rows done.
///
/// # Errors
/// If the tokenizer or the engine fails; any error of `progress`, which ends the evaluation.
pub fn evaluate(
    task: Task,
    engine: &mut dyn Engine,
    dataset: &Dataset,
    tokens: &Tokens,
    (rows, keep): (&[u32], bool),
    progress: &mut dyn FnMut(u64) -> Result<(), TrainError>,
) -> Result<Evaluation, TrainError> {
    let begin = Instant::now();
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut predictions: Vec<Prediction> = Vec::with_capacity(rows.len());
    let (mut tally, mut kept) = (Tally::new(dataset.labels.len()), Vec::new());
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let windows = tokens.windows(rows);
        let of_texts: Vec<usize> = rows.iter().map(|&row| tokens.count_windows(&[row])).collect();
        let lengths = tokens.lengths(&windows)?;
        let batch = |part: &[usize]| {
            let now: Vec<u32> = part.iter().map(|&index| windows[index]).collect();
            Ok::<_, TrainError>(data::batch(dataset, tokens, &now)?)
        };
        let before = predictions.len() as u64;
        let mut progress = |done: usize| progress(before + done as u64);
        let windows = Windows { of_texts: &of_texts, lengths: &lengths };
        for (answer, &id) in answers(task, engine, windows, &batch, &mut progress)?.into_iter().zip(rows) {
            let row = &dataset.rows[id as usize];
            tally.add(answer.scored(&row.target));
            if keep {
                kept.push((answer.clone(), row.target.clone()));
            }
            predictions.push(Prediction {
                row: id,
                line: row.line,
                text: row.text.to_string(),
                text_pair: row.text_pair.as_deref().map(String::from),
                label: row.target.clone(),
                predicted: answer.predicted().clone(),
                probabilities: answer.stored(Some(&row.target)),
            });
        }
    }
    let metrics = tally.metrics(&dataset.labels);
    Ok(Evaluation { metrics, predictions, answers: kept, elapsed_s: begin.elapsed().as_secs_f64() })
}

/// Classifies each probe sentence by itself; the scores have the order of `probes`. `labels` are the names of the labels by id.
///
/// # Errors
/// If the engine fails.
pub fn score_probes(
    task: Task,
    engine: &mut dyn Engine,
    probes: &[ProbeText],
    labels: &[String],
    decision: &Decision,
) -> Result<Vec<ProbeScore>, TrainError> {
    let mut scores = Vec::with_capacity(probes.len());
    for (position, ProbeText { probe, expected, tokens }) in probes.iter().enumerate() {
        let read: Vec<Window<'_>> = tokens.windows().collect();
        let lengths: Vec<usize> = read.iter().map(Window::tokens).collect();
        let batch = |part: &[usize]| {
            let now: Vec<Window<'_>> = part.iter().map(|&index| read[index]).collect();
            Ok::<_, TrainError>(data::Batch::of_windows(&now))
        };
        let windows = Windows { of_texts: &[read.len()], lengths: &lengths };
        let answer = answers(task, engine, windows, &batch, &mut |_| Ok(()))?.remove(0).decided(decision);
        let right = expected.as_ref().filter(|_| task != Task::Regression);
        let one = match answer.predicted() {
            Target::Label(label) => Some(*label),
            Target::Labels(labels) => <[u32; 1]>::try_from(&labels[..]).ok().map(|[label]| label),
            Target::Values(_) => None,
        };
        scores.push(ProbeScore {
            position: position as u32,
            text: probe.text.clone(),
            text_pair: probe.text_pair.clone(),
            expect: probe.expect.clone(),
            predicted: answer.predicted().shown(labels),
            // Labels can be written in any order.
            right: right.map(|expected| expected == answer.predicted()),
            confidence: one.and_then(|label| answer.probabilities().get(label as usize).copied()),
            probabilities: answer.stored(expected.as_ref()),
        });
    }
    Ok(scores)
}
