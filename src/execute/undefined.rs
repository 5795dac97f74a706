//! Whether the metric that chooses can have a value on the dev rows.

use std::sync::Arc;

use super::{ExecuteError, SettingProblem};
use crate::{
    data::{Dataset, Splits},
    format::{and, by_number},
    metrics::{Metrics, Scored},
    plan::{Keep, RunConfig},
    task::{Target, Task},
    warning::{Kind, Warning},
};

/// The most labels that a message names.
const NAMED: usize = 5;

/// Checks that `checkpoint.metric` has a value on the dev rows if every prediction is right. If it has none, it cannot choose a checkpoint or the
/// end of training, and a sweep can rank its trials by their dev loss only.
///
/// # Errors
/// The run chooses by this metric.
pub(super) fn check(config: &RunConfig, dataset: &Dataset, splits: &Splits) -> Result<Option<Warning>, ExecuteError> {
    let metric = config.checkpoint.metric;
    if splits.dev.is_empty() || perfect(dataset, &splits.dev).get(metric).is_finite() {
        return Ok(None);
    }
    let message = format!(
        "checkpoint.metric = \"{}\" is undefined on the dev rows even if every prediction is right{}",
        metric.info().id,
        why(config.data.task(), dataset, &splits.dev)
    );
    const ADVICE: &str = "choose another metric, or other dev rows";
    let choices = [
        (config.checkpoint.keep == Keep::Best, "checkpoint.keep = \"best\""),
        (config.train.early_stopping_patience > 0, "train.early_stopping_patience"),
    ];
    let choosers: Vec<String> = choices.into_iter().filter(|(is, _)| *is).map(|(_, key)| key.into()).collect();
    match choosers.is_empty() {
        true => Ok(Some(Warning::new(Kind::Training, format!("{message}; {ADVICE}")))),
        false => {
            let has = by_number(choosers.len() as u64, "has", "have");
            let message = format!("{message}, so {} {has} nothing to choose by; {ADVICE}", and(&choosers));
            Err(ExecuteError::Settings(vec![SettingProblem { key: "checkpoint.metric".into(), message }]))
        }
    }
}

/// The metrics of these rows with predictions that are all right.
fn perfect(dataset: &Dataset, rows: &[u32]) -> Metrics {
    let labels = dataset.labels.len();
    let sure = |ids: &[u32]| {
        let mut probabilities = vec![0.0; labels];
        ids.iter().for_each(|id| probabilities[*id as usize] = 1.0);
        Scored::kept(&probabilities)
    };
    let right = |row: &u32| match &dataset.rows[*row as usize].target {
        Target::Label(id) => {
            Scored::Single { label: *id, predicted: *id, confidence: 1.0, probabilities: sure(&[*id]), loss: 0.0 }
        }
        Target::Labels(ids) => {
            Scored::Multi { labels: Arc::clone(ids), predicted: ids.to_vec(), probabilities: sure(ids), loss: 0.0 }
        }
        Target::Values(values) => Scored::Values { values: Arc::clone(values), predicted: values.to_vec(), loss: 0.0 },
    };
    Metrics::new(&dataset.labels, rows.iter().map(right))
}

/// What the rows lack, as the end of a sentence.
fn why(task: Task, dataset: &Dataset, rows: &[u32]) -> String {
    if task == Task::Regression {
        return ": the values of a column are all the same".into();
    }
    let counts = dataset.class_counts(rows);
    let those = |has: &dyn Fn(u64) -> bool| {
        let named = dataset.labels.iter().zip(&counts).filter(|(_, n)| has(**n));
        named.map(|(label, _)| format!("`{}`", crate::format::one_line(label))).collect::<Vec<_>>()
    };
    let (none, all) = (those(&|n| n == 0), those(&|n| n == rows.len() as u64));
    let several = |of: &[String]| match of.len() {
        n if n > NAMED => format!("{} and {} more", of[..NAMED].join(", "), n - NAMED),
        _ => and(of),
    };
    match (none.is_empty(), all.is_empty()) {
        (_, false) => format!(": all of them have {}", several(&all)),
        (false, true) => format!(": none has {}", several(&none)),
        (true, true) => String::new(),
    }
}
