//! Each row with what was predicted for it before and after training.

use super::super::{input::RunInput, mistakes::largest_error};
use crate::{event::PredictionBefore, metrics::Target, store::PredictionRecord};

/// A row of the final evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What was predicted before training.
    pub before: &'a PredictionBefore,
    /// What the kept weights predict, with its text and target.
    pub after: &'a PredictionRecord,
}

/// The rows of a run, in their order; `None` if what was predicted before training is not stored, or not of the same rows.
pub fn joined(run: &RunInput) -> Option<Vec<Row<'_>>> {
    let same = run.before.len() == run.predictions.len() && !run.before.is_empty();
    let pairs = || run.before.iter().zip(&run.predictions);
    let rows = pairs().map(|(before, after)| Row { before, after }).collect();
    (same && pairs().all(|(before, after)| before.row == after.row)).then_some(rows)
}

impl Row<'_> {
    /// Whether the prediction was right: the label, or the whole set of labels.
    pub fn was_right(&self) -> bool {
        self.before.predicted == self.after.label
    }

    /// Whether it is right after training.
    pub fn is_right(&self) -> bool {
        self.after.predicted == self.after.label
    }

    /// The probability of the row's own label before and after training, where a row has one label.
    pub fn own(&self) -> Option<(f64, f64)> {
        let id = self.after.label.label()?;
        let (before, after) = (self.before.probabilities.get(id)?, self.after.probabilities.get(id)?);
        (before.is_finite() && after.is_finite()).then(|| (f64::from(before), f64::from(after)))
    }

    /// How much better the prediction became: the rise of the probability of the row's own label; of sets by how many labels fewer are
    /// wrong; of numbers by how much the error became smaller. 0 if it is not known.
    pub fn gain(&self) -> f64 {
        match &self.after.label {
            Target::Label(_) => self.own().map_or(0.0, |(before, after)| after - before),
            Target::Labels(ids) => {
                let wrong = |predicted: &Target| {
                    let predicted = predicted.ids();
                    let only = |a: &[u32], b: &[u32]| a.iter().filter(|id| b.binary_search(id).is_err()).count();
                    (only(ids, predicted) + only(predicted, ids)) as f64
                };
                wrong(&self.before.predicted) - wrong(&self.after.predicted)
            }
            Target::Values(_) => self.errors().map_or(0.0, |(before, after)| before.abs() - after.abs()),
        }
    }

    /// The errors of a row with numbers, predicted minus true, before and after; of several columns the largest of each.
    pub fn errors(&self) -> Option<(f64, f64)> {
        let before = PredictionRecord { predicted: self.before.predicted.clone(), ..self.after.clone() };
        Some((largest_error(&before)?, largest_error(self.after)?))
    }
}
