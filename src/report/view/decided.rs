//! The temperature and the thresholds of a run, beside its metrics without them.

use super::super::{format, input::RunInput};
use crate::{
    event::{Split, When},
    metrics::{Metric, Metrics},
    stats::wilson,
};

/// What was chosen on the dev rows.
#[derive(Debug, Clone)]
pub struct DecisionSection {
    /// Sentences about it.
    pub sentences: Vec<String>,
    /// The headings of `rows`.
    pub heads: Vec<String>,
    /// A metric, and its values without and with the decision on each split.
    pub rows: Vec<Vec<String>>,
}

/// That of a run; `None` if nothing was chosen.
pub fn section(run: &RunInput) -> Option<DecisionSection> {
    let (decided, data) = (run.run.decided.as_ref()?, &run.run.config.data);
    let mut sentences = Vec::new();
    if data.calibrate {
        let temperature = format::decimals(decided.decision.temperature, 3);
        sentences.push(format!(
            "Logits are divided by the temperature {temperature}, which has the least loss on the dev rows."
        ));
    }
    if let Some(metric) = decided.metric {
        let of_label = |(label, at): (&String, f64)| format!("“{label}” {}", format::decimals(at, 3));
        let all: Vec<String> = decided.decision.named(&run.run.labels).map(of_label).collect();
        sentences.push(format!(
            "Labels are predicted from these probabilities on, which have the best {} on the dev rows: {}.",
            metric.name(),
            all.join(", ")
        ));
    }
    sentences.push(
        "No test row has a part in the choice. All other numbers of this report are without it; `taper predict` and `taper eval` apply it."
            .into(),
    );
    let before = |split| {
        let of_split = |eval: &&crate::store::EvalRecord| eval.when == When::After && eval.split == split;
        run.evals.iter().rev().find(of_split).map(|eval| &eval.metrics)
    };
    let splits =
        [("dev", before(Split::Dev), Some(&decided.dev)), ("test", before(Split::Test), decided.test.as_ref())];
    let splits: Vec<(&str, &Metrics, &Metrics)> =
        splits.into_iter().filter_map(|(name, without, with)| Some((name, without?, with?))).collect();
    let mut metrics: Vec<Metric> = decided.metric.into_iter().collect();
    metrics.extend(data.task().headline());
    metrics.extend([Metric::SubsetAccuracy, Metric::Loss, Metric::CalibrationError]);
    let mut known = Vec::new();
    metrics.retain(|metric| {
        let is_new = !known.contains(metric) && !decided.dev.get(*metric).is_nan();
        known.push(*metric);
        is_new
    });
    let mut heads = vec!["Metric".to_owned()];
    heads.extend(splits.iter().flat_map(|(name, ..)| {
        [format!("{}, without", format::capital(name)), format!("{}, with", format::capital(name))]
    }));
    let row = |metric: &Metric| {
        let mut cells = vec![format::capital(metric.name())];
        cells.extend(splits.iter().flat_map(|(_, without, with)| [without, with].map(|m| value(*metric, m))));
        cells
    };
    Some(DecisionSection { sentences, heads, rows: metrics.iter().map(row).collect() })
}

/// A value, with Wilson's interval where it is a share of the rows.
fn value(metric: Metric, metrics: &Metrics) -> String {
    let value = metrics.get(metric);
    if !matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy) {
        return metric.text(value);
    }
    let interval = wilson(metrics.right(), metrics.rows);
    metric.text_with(value, (interval.low, interval.high))
}
