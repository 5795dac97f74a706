//! Whether a trained model does anything at all: what a person would take for a result and is none.

use crate::{
    event::Split,
    format::counted,
    metrics::{Degenerate, Metric, Metrics, majority, majority_words},
    warning::{Kind, Warning},
};

/// Warnings about what the kept weights do on a split, given the training rows of each label.
///
/// The label to be better than is the one that most training rows have; see [`Metrics::degenerate_beside`].
pub(super) fn judge(metrics: &Metrics, split: Split, metric: Metric, train_rows: &[u64]) -> Option<Warning> {
    let split = match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    };
    let label = |class: u32| metrics.per_class.get(class as usize).map_or("", |c| c.label.as_str());
    let advice = "so the model has learned nothing useful: try another train.lr or more epochs, or check the labels";
    let message = match metrics.degenerate_beside(majority(train_rows)?, metric)? {
        Degenerate::OneClass(class) => {
            let rows = counted(metrics.rows, &format!("{split} row"));
            let accuracy = Metric::Accuracy.text(metrics.get(Metric::Accuracy));
            format!("all {rows} are predicted as `{}` (accuracy {accuracy}), {advice}", label(class))
        }
        Degenerate::NoBetter { metric, value, constant } => format!(
            "{split} {} {} is no better than always predicting `{}`, {} in training ({}), {advice}",
            metric.name(),
            metric.text(value),
            label(majority(train_rows)?),
            majority_words(train_rows),
            metric.text(constant)
        ),
    };
    Some(Warning::new(Kind::Result, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    /// What is said of rows of these labels that are predicted as those.
    fn said(labels: &[u32], predicted: &[u32], metric: Metric, train_rows: &[u64]) -> String {
        let names = ["negative", "positive", "neutral"].map(String::from);
        let row = |(&label, &predicted): (&u32, &u32)| Scored { label, predicted, confidence: 0.8, loss: 0.5 };
        let metrics = Metrics::new(&names, labels.iter().zip(predicted).map(row));
        let warning = judge(&metrics, Split::Test, metric, train_rows);
        assert!(warning.as_ref().is_none_or(|warning| warning.kind == Kind::Result));
        warning.map(|warning| warning.message).unwrap_or_default()
    }

    #[test]
    fn one_class_for_all_rows_is_said() {
        let text = said(&[0, 1, 1, 1], &[1, 1, 1, 1], Metric::Accuracy, &[5, 9, 0]);
        assert!(text.starts_with("all 4 test rows are predicted as `positive` (accuracy 75.0%), so "), "{text}");
        // Also where it is the rarer class, and whatever chooses.
        assert!(said(&[0, 1, 1, 1], &[0; 4], Metric::MacroF1, &[5, 9, 0]).contains("as `negative` (accuracy 25.0%)"));
        // Rows of one class leave nothing else to predict: but that is no better than the baseline.
        assert!(
            said(&[1, 1], &[1, 1], Metric::Accuracy, &[5, 9, 0])
                .contains("no better than always predicting `positive`")
        );
    }

    #[test]
    fn no_better_than_the_majority_of_the_training_rows_is_said() {
        // Two of four right; always `negative`, which most training rows are, gives two of four too.
        let text = said(&[0, 0, 1, 1], &[0, 1, 1, 0], Metric::Accuracy, &[9, 5, 1]);
        let want = "test accuracy 50.0% is no better than always predicting `negative`, the most common label in training (50.0%)";
        assert!(text.starts_with(want), "{text}");
        // The training rows say which label that is, not the rows measured.
        assert!(said(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::Accuracy, &[9, 5, 1]).is_empty(), "50% against 25%");
        assert!(!said(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::Accuracy, &[5, 9, 1]).is_empty(), "50% against 75%");
        // Macro-F1 of always `positive` is (2 · 0.75 / 1.75) / 2 = 0.429; this one has (0.5 + 0.5) / 2.
        assert!(said(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::MacroF1, &[5, 9, 1]).is_empty());
        assert!(said(&[0, 1, 1, 1], &[1, 0, 0, 1], Metric::MacroF1, &[5, 9, 1]).starts_with("test macro-F1 20.0%"));
    }

    #[test]
    fn of_equally_many_training_rows_the_first_label_counts() {
        let text = said(&[0, 0, 0, 1], &[1, 0, 0, 0], Metric::Loss, &[7, 7, 7]);
        assert!(text.contains("`negative`, one of the most common labels in training"), "{text}");
        assert!(said(&[0, 1, 2, 2], &[0, 1, 2, 2], Metric::Loss, &[7, 7, 7]).is_empty());
    }
}
