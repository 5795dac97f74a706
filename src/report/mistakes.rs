//! The rows with a wrong prediction, or with a large error, the worst first.

use std::cmp::Ordering;

use super::{input::RunInput, terms::Terms};
use crate::{store::PredictionRecord, task::Task};

/// Probability of the predicted label, or the mean over the labels of the probability of what is predicted of each; 0 where none is stored.
pub fn confidence(p: &PredictionRecord) -> f32 {
    p.confidence().filter(|c| c.is_finite()).unwrap_or(0.0)
}

/// The mistakes of a run, the most confident first; of numbers the rows with an error, the largest first. Ties are in file order.
pub fn mistakes_of(run: &RunInput) -> Vec<&PredictionRecord> {
    let mut wrong: Vec<_> = run.predictions.iter().filter(|p| p.label != p.predicted).collect();
    match Terms::of_run(&run.run).task {
        Task::SingleLabel => sort(&mut wrong, |p| f64::from(confidence(p))),
        Task::MultiLabel => sort(&mut wrong, |p| f64::from(wrong_confidence(p).unwrap_or(0.0))),
        Task::Regression => sort(&mut wrong, |p| largest_error(p).map_or(f64::INFINITY, f64::abs)),
    }
    wrong
}

fn sort(rows: &mut [&PredictionRecord], by: impl Fn(&PredictionRecord) -> f64) {
    let order =
        |a: &&PredictionRecord, b: &&PredictionRecord| -> Ordering { by(b).total_cmp(&by(a)).then(a.row.cmp(&b.row)) };
    rows.sort_by(order);
}

/// How sure the model is of the surest of the labels that it misses or adds: the probability of what it predicts of that label. `None` if it
/// is not stored.
pub fn wrong_confidence(p: &PredictionRecord) -> Option<f32> {
    let (labels, predicted) = (p.label.ids(), p.predicted.ids());
    let missed = labels.iter().filter(|id| predicted.binary_search(id).is_err());
    let added = predicted.iter().filter(|id| labels.binary_search(id).is_err());
    let missed = missed.filter_map(|id| p.probabilities.get(*id)).map(|probability| 1.0 - probability);
    let added = added.filter_map(|id| p.probabilities.get(*id));
    missed.chain(added).filter(|sure| sure.is_finite()).reduce(f32::max)
}

/// Predicted minus true, of the column in which they differ most; `None` if one is not a number.
pub fn largest_error(p: &PredictionRecord) -> Option<f64> {
    let errors = p.label.numbers().iter().zip(p.predicted.numbers()).map(|(value, predicted)| predicted - value);
    let largest = |a: f64, b: f64| if a.is_nan() || a.abs() >= b.abs() { a } else { b };
    errors.reduce(largest).filter(|error| error.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Probabilities, Target};

    fn prediction(label: Target, predicted: Target, probabilities: Vec<f32>) -> PredictionRecord {
        let (text, text_pair, probabilities) = (String::new(), None, Probabilities::from(probabilities));
        PredictionRecord { row: 0, line: 1, text, text_pair, label, predicted, probabilities }
    }

    #[test]
    fn the_surest_error_of_a_set_counts() {
        let of = |labels: &[u32], predicted: &[u32], p: &[f32]| {
            wrong_confidence(&prediction(Target::labels(labels.into()), Target::labels(predicted.into()), p.to_vec()))
        };
        // Missed 0 with 1 − 0.25; added 2 with 0.5; 1 is right.
        assert_eq!(of(&[0, 1], &[1, 2], &[0.25, 0.875, 0.5]), Some(0.75));
        assert_eq!(of(&[1], &[1, 2], &[0.25, 0.875, 0.5]), Some(0.5));
        assert_eq!(of(&[1], &[1], &[0.25, 0.875, 0.5]), None);
        assert_eq!(of(&[0], &[], &[]), None);
    }

    #[test]
    fn the_largest_error_of_several_columns_counts() {
        let of = |values: &[f64], predicted: &[f64]| {
            largest_error(&prediction(Target::values(values.into()), Target::values(predicted.into()), Vec::new()))
        };
        assert_eq!(of(&[1.0, 2.0], &[1.5, 0.5]), Some(-1.5));
        assert_eq!(of(&[1.0], &[f64::NAN]), None);
    }
}
