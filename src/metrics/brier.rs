//! Squared errors of probabilities. The Brier score is their mean over rows.

/// Of a row with one label: the sum over all labels of the squared distance of the probability from 1 for the row's label and from 0 for
/// the others, 0 to 2; half of it with one or two labels, 0 to 1: scikit-learn's `brier_score_loss` with `scale_by_half="auto"`.
pub fn of_label(label: u32, probabilities: &[f32]) -> f64 {
    let sum = sum(probabilities, |id| id == label);
    if probabilities.len() < 3 { sum / 2.0 } else { sum }
}

/// Of a row with a set of labels: the mean over all labels, 0 to 1: the mean of scikit-learn's `brier_score_loss` of each label.
pub fn of_set(labels: &[u32], probabilities: &[f32]) -> f64 {
    sum(probabilities, |id| labels.contains(&id)) / probabilities.len() as f64
}

fn sum(probabilities: &[f32], has: impl Fn(u32) -> bool) -> f64 {
    let error = |(id, p): (u32, &f32)| (f64::from(*p) - f64::from(u8::from(has(id)))).powi(2);
    (0..).zip(probabilities).map(error).sum()
}
