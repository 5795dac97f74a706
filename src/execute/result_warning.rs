//! The warning about a trained model that is no better than a constant classifier.

use crate::{
    event::Split,
    format::counted,
    metrics::{Degenerate, Metric, Metrics, majority, majority_words},
    warning::{Kind, Warning},
};

/// The warning about the metrics of the kept weights on a split, if they are degenerate. `train_rows` are the numbers of training rows by
/// label id.
///
/// The model is compared with always answering the most common label of the training rows; see [`Metrics::degenerate_beside`].
///
/// `is_random`: whether frozen weights are random, of which another warning says what to do.
pub(super) fn result_warning(
    metrics: &Metrics,
    split: Split,
    metric: Metric,
    train_rows: &[u64],
    is_random: bool,
) -> Option<Warning> {
    let split = match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    };
    let label = |class: u32| metrics.per_class.get(class as usize).map_or("", |c| c.label.as_str());
    let advice = match is_random {
        true => "so the model has learned nothing useful: train.freeze keeps its weights random",
        false => "so the model has learned nothing useful: try another train.lr or more epochs, or check the labels",
    };
    if let Some(set) = metrics.one_set() {
        let rows = counted(metrics.rows, &format!("{split} row"));
        let what = match &set[..] {
            [] => "no label at all is predicted for any of".to_owned(),
            ids => {
                let names: Vec<String> = ids.iter().map(|id| format!("`{}`", label(*id))).collect();
                format!("{} and no other label is predicted for each of", names.join(", "))
            }
        };
        let [shown, _] = metrics.headline();
        let value = shown.text(metrics.get(shown));
        return Some(Warning::new(Kind::Result, format!("{what} the {rows} ({} {value}), {advice}", shown.name())));
    }
    if metrics.is_no_better_than_mean() {
        let message = format!(
            "{split} R² {} is no better than always predicting the mean, {advice}",
            Metric::R2.text(metrics.get(Metric::R2))
        );
        return Some(Warning::new(Kind::Result, message));
    }
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
            majority_words(train_rows, "label"),
            metric.text(constant)
        ),
    };
    Some(Warning::new(Kind::Result, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    /// The message for rows with these labels and predictions; empty without a warning.
    fn message(labels: &[u32], predicted: &[u32], metric: Metric, train_rows: &[u64]) -> String {
        let names = ["negative", "positive", "neutral"].map(String::from);
        let row = |(&label, &predicted): (&u32, &u32)| Scored::of_label(label, (predicted, 0.8), &[], 0.5);
        let metrics = Metrics::new(&names, labels.iter().zip(predicted).map(row));
        let warning = result_warning(&metrics, Split::Test, metric, train_rows, false);
        assert!(warning.as_ref().is_none_or(|warning| warning.kind == Kind::Result));
        warning.map(|warning| warning.message).unwrap_or_default()
    }

    #[test]
    fn a_model_that_predicts_one_class_for_all_rows_gives_a_warning() {
        let text = message(&[0, 1, 1, 1], &[1, 1, 1, 1], Metric::Accuracy, &[5, 9, 0]);
        assert!(text.starts_with("all 4 test rows are predicted as `positive` (accuracy 75.0%), so "), "{text}");
        // Also for the rarer class, and for any metric.
        assert!(
            message(&[0, 1, 1, 1], &[0; 4], Metric::MacroF1, &[5, 9, 0]).contains("as `negative` (accuracy 25.0%)")
        );
        // With rows of one class only, predicting it is no better than the baseline.
        assert!(
            message(&[1, 1], &[1, 1], Metric::Accuracy, &[5, 9, 0])
                .contains("no better than always predicting `positive`")
        );
    }

    #[test]
    fn random_weights_that_are_frozen_get_no_advice_about_training() {
        let names = ["a", "b"].map(String::from);
        let scored = |label| Scored::of_label(label, (0, 0.8), &[], 0.5);
        let metrics = Metrics::new(&names, [0, 1].map(scored));
        let said = |is_random| {
            let warning = result_warning(&metrics, Split::Test, Metric::Accuracy, &[5, 5], is_random);
            warning.map(|warning| warning.message).unwrap_or_default()
        };
        assert!(said(true).ends_with("nothing useful: train.freeze keeps its weights random"), "{}", said(true));
        assert!(said(false).contains("train.lr") && !said(false).contains("freeze"), "{}", said(false));
    }

    #[test]
    fn a_model_no_better_than_the_majority_of_the_training_rows_gives_a_warning() {
        // Two of four correct; always answering `negative`, the majority of the training rows, also gives two of four.
        let text = message(&[0, 0, 1, 1], &[0, 1, 1, 0], Metric::Accuracy, &[9, 5, 1]);
        let want = "test accuracy 50.0% is no better than always predicting `negative`, the most common label in training (50.0%)";
        assert!(text.starts_with(want), "{text}");
        // The majority is that of the training rows, not of the evaluated rows.
        assert!(message(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::Accuracy, &[9, 5, 1]).is_empty(), "50% against 25%");
        assert!(!message(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::Accuracy, &[5, 9, 1]).is_empty(), "50% against 75%");
        // Macro-F1 of always `positive` is (2 · 0.75 / 1.75) / 2 = 0.429; this one has (0.5 + 0.5) / 2.
        assert!(message(&[0, 1, 1, 1], &[0, 1, 0, 0], Metric::MacroF1, &[5, 9, 1]).is_empty());
        assert!(message(&[0, 1, 1, 1], &[1, 0, 0, 1], Metric::MacroF1, &[5, 9, 1]).starts_with("test macro-F1 20.0%"));
    }

    #[test]
    fn of_labels_with_equally_many_training_rows_the_first_is_the_majority() {
        let text = message(&[0, 0, 0, 1], &[1, 0, 0, 0], Metric::Loss, &[7, 7, 7]);
        assert!(text.contains("`negative`, as common as every other label in training"), "{text}");
        assert!(message(&[0, 1, 2, 2], &[0, 1, 2, 2], Metric::Loss, &[7, 7, 7]).is_empty());
    }
}
