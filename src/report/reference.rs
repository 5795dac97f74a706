//! What a model is compared with: a prediction that needs no text. Of one label it is the majority class, of sets of labels all labels, of
//! numbers their mean.

use super::{baseline::Baseline, cells::label_name, format, input::RunInput, intervals::column_of, terms::Terms};
use crate::report::language::{target, tr};
use crate::{
    metrics::{Counts, Metric, Metrics, Target},
    task::Task,
};

/// The baseline of a run with a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// Always the most common label.
    Majority(Baseline),
    /// All labels for every row.
    AllLabels,
    /// For every row the mean of the evaluated rows, whose root mean squared error this is.
    Mean(f64),
}

impl Reference {
    /// That of the run's task.
    pub fn of(run: &RunInput) -> Option<Self> {
        let metrics = run.run.final_metrics.as_ref()?;
        match Terms::of_run(&run.run).task {
            Task::SingleLabel => Baseline::of(run).map(Self::Majority),
            Task::MultiLabel => (!metrics.per_class.is_empty()).then_some(Self::AllLabels),
            Task::Regression => error_of_mean(run).or_else(|| implied(metrics)).map(Self::Mean),
        }
    }

    /// Its value of the first metric on the rows of an evaluation; `None` if it is not known. `of_result`: these are the rows of the final
    /// evaluation.
    pub fn value(&self, metrics: &Metrics, of_result: bool) -> Option<f64> {
        let value = match self {
            Self::Majority(baseline) => baseline.accuracy(metrics),
            Self::AllLabels => f1_of_all(metrics),
            Self::Mean(error) if of_result => *error,
            Self::Mean(_) => implied(metrics)?,
        };
        value.is_finite().then_some(value)
    }

    /// What it is and its value on the rows of the result, as a sentence.
    pub fn sentence(&self, run: &RunInput, metrics: &Metrics) -> String {
        let value = self.value_text(run, metrics);
        match self {
            Self::Majority(baseline) => tr!(
                "The baseline always predicts “{}”, {}: {value} of these rows right.",
                "基线总是预测“{}”（{}）：这些行中 {value} 正确。",
                label_name(run, baseline.label),
                baseline.words
            ),
            Self::AllLabels => {
                tr!(
                    "The baseline predicts all labels for every row: macro-F1 {value} on these rows.",
                    "基线对每一行都预测所有标签：在这些行上宏平均 F1 值为 {value}。"
                )
            }
            Self::Mean(_) => tr!(
                "The baseline predicts the mean of these rows for every row: RMSE {value}.",
                "基线对每一行都预测这些行的平均值：均方根误差（RMSE）为 {value}。"
            ),
        }
    }

    /// Its value of the first metric, as text.
    pub fn value_text(&self, run: &RunInput, metrics: &Metrics) -> String {
        Terms::of_run(&run.run).first.text(self.value(metrics, true).unwrap_or(f64::NAN))
    }

    /// What always is predicted, after `of the baseline: `.
    pub fn words(&self, run: &RunInput) -> String {
        match self {
            Self::Majority(baseline) => {
                tr!("always predicting “{}”, {}", "总是预测“{}”（{}）", label_name(run, baseline.label), baseline.words)
            }
            Self::AllLabels => tr("predicting all labels for every row", "对每一行都预测所有标签").into(),
            Self::Mean(_) => {
                tr("predicting the mean of these rows for every row", "对每一行都预测这些行的平均值").into()
            }
        }
    }

    /// Compares a run with it, as a sentence. `what` is compared: `the best run`.
    pub fn verdict(&self, run: &RunInput, what: &str) -> String {
        let Some(metrics) = &run.run.final_metrics else { return String::new() };
        let terms = Terms::of_run(&run.run);
        let subject = format::capital(what);
        match self {
            Self::Majority(baseline) => baseline.against(metrics).sentence(what, |id| label_name(run, id)),
            Self::AllLabels => match one_set(metrics) {
                Some(ids) if ids.is_empty() => {
                    tr!("{subject} predicts no label for any row.", "{subject}对任何一行都不预测标签。")
                }
                Some(ids) => {
                    tr!(
                        "{subject} predicts “{}” for every row.",
                        "{subject}对每一行都预测“{}”。",
                        target(&Target::labels(ids), &run.run.labels)
                    )
                }
                None => against(&subject, terms, metrics.get(terms.first), f1_of_all(metrics)),
            },
            Self::Mean(_) => {
                let r2 = metrics.get(Metric::R2);
                let same = |rows: &[crate::store::PredictionRecord]| {
                    rows.len() > 1 && rows.windows(2).all(|pair| pair[0].predicted == pair[1].predicted)
                };
                match (same(&run.predictions), r2) {
                    (true, _) => {
                        tr!(
                            "{subject} predicts the same for every row, which is no better than the baseline.",
                            "{subject}对每一行的预测都相同，不比基线更好。"
                        )
                    }
                    (false, r2) if r2.is_nan() => String::new(),
                    (false, r2) if r2 <= 0.0 => {
                        tr!(
                            "{subject} is no better than predicting the mean: its R² is {}.",
                            "{subject}不比预测平均值更好：R² 为 {}。",
                            Metric::R2.text(r2)
                        )
                    }
                    (false, r2) => tr!(
                        "{subject} is better than the baseline: its R² is {}.",
                        "{subject}好于基线：R² 为 {}。",
                        Metric::R2.text(r2)
                    ),
                }
            }
        }
    }
}

/// Compares a value of the first metric with that of the baseline.
fn against(subject: &str, terms: Terms, value: f64, baseline: f64) -> String {
    match terms.is_better(value - baseline) {
        true => tr!("{subject} is {} the baseline.", "{subject}比基线{}。", above(terms, value - baseline)),
        false => tr!("{subject} is no better than the baseline.", "{subject}不比基线更好。"),
    }
}

/// `41.7 points above`; of errors `0.1234 below`.
pub fn above(terms: Terms, difference: f64) -> String {
    let where_it_is = if difference > 0.0 { tr("above", "高") } else { tr("below", "低") };
    match terms.is_share() {
        true => {
            tr!("{} points {where_it_is}", format::decimals(difference.abs() * 100.0, 1); "{1} {0} 个百分点", format::decimals(difference.abs() * 100.0, 1), where_it_is)
        }
        false => {
            tr!("{} {where_it_is}", Metric::R2.text(difference.abs()); "{1} {0}", Metric::R2.text(difference.abs()), where_it_is)
        }
    }
}

/// Macro-F1 of predicting all labels: all of them occur in the predictions.
fn f1_of_all(metrics: &Metrics) -> f64 {
    let all = |support| Counts { right: support, predicted: metrics.rows, support };
    let f1 = metrics.per_class.iter().map(|class| all(class.support).f1());
    f1.sum::<f64>() / metrics.per_class.len() as f64
}

/// The one set of labels that is predicted for every row, if the rows have several: each label is predicted for all rows or for none.
fn one_set(metrics: &Metrics) -> Option<Vec<u32>> {
    let given = |rows: u64| (rows == 0 || rows == metrics.rows).then_some(rows > 0);
    let sets = metrics.per_class.iter().map(|class| given(class.predicted?)).collect::<Option<Vec<bool>>>()?;
    let several = metrics.per_class.iter().any(|class| given(class.support).is_none());
    several.then(|| (0..).zip(sets).filter(|(_, has)| *has).map(|(id, _)| id).collect())
}

/// Root mean squared error of predicting the mean of each column: the mean over the columns.
fn error_of_mean(run: &RunInput) -> Option<f64> {
    let (rows, columns) = (&run.predictions, run.run.labels.len());
    let error = |column: usize| {
        let values = column_of(rows, column);
        let n = values.len() as f64;
        let first = values.first()?.0;
        let mean = values.iter().map(|(value, _)| value - first).sum::<f64>() / n;
        Some((values.iter().map(|(value, _)| (value - first - mean).powi(2)).sum::<f64>() / n).sqrt())
    };
    let errors = (0..columns).map(error).collect::<Option<Vec<f64>>>()?;
    (columns > 0).then(|| errors.iter().sum::<f64>() / columns as f64).filter(|error| error.is_finite())
}

/// The same from the metrics of one column: R² = 1 − RMSE² / variance.
fn implied(metrics: &Metrics) -> Option<f64> {
    let (rmse, mse, r2) = (metrics.get(Metric::Rmse), metrics.get(Metric::Mse), metrics.get(Metric::R2));
    // Of several columns both are means, from which this does not follow.
    let one = metrics.per_class.len() < 2 && (rmse * rmse - mse).abs() <= 1e-9 * mse;
    let error = rmse / (1.0 - r2).sqrt();
    (one && r2 < 1.0 && error.is_finite()).then_some(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Scored;

    fn sets(rows: &[(&[u32], &[u32])]) -> Metrics {
        let names = ["a", "b"].map(String::from);
        let row = |(labels, predicted): &(&[u32], &[u32])| Scored::Multi {
            labels: Arc::new(labels.to_vec()),
            predicted: predicted.to_vec(),
            probabilities: Vec::new(),
            loss: 0.5,
        };
        Metrics::new(&names, rows.iter().map(row))
    }

    /// Expected: scikit-learn's f1_score([[1,0],[1,1],[0,0],[1,0]], ones, average="macro") = (6/7 + 2/5) / 2.
    #[test]
    fn the_baseline_of_sets_predicts_all_labels() {
        let metrics = sets(&[(&[0], &[0]), (&[0, 1], &[0]), (&[], &[]), (&[0], &[0])]);
        assert!((f1_of_all(&metrics) - (6.0 / 7.0 + 2.0 / 5.0) / 2.0).abs() < 1e-15);
        assert_eq!(one_set(&metrics), None);
        assert_eq!(one_set(&sets(&[(&[0], &[1]), (&[0, 1], &[1])])), Some(vec![1]));
        assert_eq!(one_set(&sets(&[(&[0], &[]), (&[0, 1], &[])])), Some(vec![]));
        assert_eq!(one_set(&sets(&[(&[0], &[0]), (&[0], &[0])])), None, "the rows have one set, too");
    }

    /// Expected: numpy.std([1, 2, 4, 5]) = 1.5811388300841898.
    #[test]
    fn the_baseline_of_numbers_follows_from_the_metrics_of_one_column() {
        let names = ["x".to_owned()];
        let row = |(value, predicted): (f64, f64)| Scored::Values {
            values: Arc::new(vec![value]),
            predicted: vec![predicted],
            loss: (value - predicted).powi(2),
        };
        let rows = [(1.0, 1.5), (2.0, 2.0), (4.0, 3.0), (5.0, 5.5)].map(row);
        let error = implied(&Metrics::new(&names, rows)).unwrap();
        assert!((error - 1.5811388300841898).abs() < 1e-12, "{error}");
    }

    #[test]
    fn a_difference_says_its_direction() {
        assert_eq!(above(Terms::of_task(Task::MultiLabel), 0.417), "41.7 points above");
        assert_eq!(above(Terms::of_task(Task::Regression), -0.25), "0.2500 below");
    }
}
