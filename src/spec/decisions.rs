//! What is chosen on the dev rows about decisions, against the rest of the spec.

use super::{
    conflicts::{Conflict, conflict},
    schema::{Spec, Thresholds},
};
use crate::task::{Task, tune};

/// Contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Vec<Conflict> {
    let mut found = Vec::new();
    let data = &spec.data;
    let is_tuned = data.thresholds == Thresholds::Tuned;
    let chosen = [
        ("data.thresholds", "`data.thresholds` = \"tuned\"", is_tuned),
        ("data.calibrate", "`data.calibrate`", data.calibrate),
    ];
    let has_dev = !data.dev.is_none() || data.dev_value().is_some();
    for (key, what, _) in chosen.iter().filter(|(.., is_set)| *is_set) {
        if data.problem_type == Task::Regression {
            let message = format!("{what} applies to label probabilities, which regression does not have");
            found.push(conflict(&[key, "data.problem_type"], message, "remove it"));
        } else if !has_dev {
            let message = format!("{what} needs a dev split: choosing on the test split would bias its result");
            found.push(conflict(&[key, "data.dev"], message, "set `data.dev`, for example data.dev = 0.1"));
        }
    }
    if let Some(metric) = data.threshold_metric {
        let of_sets = data.problem_type == Task::MultiLabel;
        let id = metric.info().id;
        if !is_tuned {
            let message = "`data.threshold_metric` has no effect: `data.thresholds` is not \"tuned\"";
            found.push(conflict(&["data.threshold_metric"], message, "remove it, or set data.thresholds = \"tuned\""));
        } else if data.problem_type != Task::Regression && !tune::fits(metric, of_sets) {
            let fit = if of_sets { &tune::OF_SETS[..] } else { &tune::OF_TWO };
            let fit: Vec<&str> = fit.iter().map(|metric| metric.info().id).collect();
            let more = if of_sets { "" } else { ", or f1:LABEL" };
            let message = format!(
                "`data.threshold_metric` = \"{id}\" cannot be used to choose thresholds for {}",
                data.problem_type.name()
            );
            let help = format!("expected one of {}{more}", fit.join(", "));
            found.push(conflict(&["data.threshold_metric", "data.problem_type"], message, &help));
        }
    }
    found
}
