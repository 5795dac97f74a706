//! The curves of a run, and their names.

use crate::{
    event::{Split, StepCompleted, When},
    metrics::{Metric, Metrics},
};

/// What evaluations of the kept weights are called in front of their split: they are of an earlier step than the last of the curve.
const KEPT: &str = "kept/";

fn word(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    }
}

/// The name of the curve of a metric: `dev/accuracy` before and during training, `kept/dev/accuracy` of the kept weights.
pub fn tag(when: When, split: Split, metric: Metric) -> String {
    let kept = if when == When::After { KEPT } else { "" };
    format!("{kept}{}/{}", word(split), metric.info().id)
}

/// The name of a curve in two parts: `dev/` or `kept/dev/`, and the id of the metric, which may have slashes of its own.
pub fn split(tag: &str) -> (&str, &str) {
    let kept = if tag.starts_with(KEPT) { KEPT.len() } else { 0 };
    tag.split_at(tag[kept..].find('/').map_or(0, |slash| kept + slash + 1))
}

/// The values of a step.
pub fn of_step(step: &StepCompleted) -> [(&'static str, f64); 3] {
    [("train/loss", step.loss), ("train/lr", step.lr), ("train/grad_norm", step.grad_norm)]
}

/// The values of an evaluation, without those that are undefined.
pub fn of_metrics(when: When, split: Split, metrics: &Metrics) -> impl Iterator<Item = (String, f64)> {
    metrics.values().filter(|(_, value)| !value.is_nan()).map(move |(metric, value)| (tag(when, split, metric), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_curves_have_two_parts() {
        for (when, prefix) in [(When::Before, "dev/"), (When::During, "dev/"), (When::After, "kept/dev/")] {
            for metric in [Metric::Loss, Metric::f1_of("kept/dev/x")] {
                let tag = tag(when, Split::Dev, metric);
                assert_eq!(split(&tag), (prefix, metric.info().id));
            }
        }
        assert_eq!(split("train/loss"), ("train/", "loss"));
    }
}
