//! The metric that compares checkpoints, against the problem type.

use super::{
    conflicts::{Conflict, conflict},
    schema::Spec,
};

/// Contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Option<Conflict> {
    let (task, metric) = (spec.data.problem_type, spec.checkpoint.metric?);
    if task.is_chosen_by(metric) {
        return None;
    }
    let message = format!("`checkpoint.metric` = \"{}\" is not a metric of {}", metric.info().id, task.name());
    let help = format!("expected one of {}", task.choosing().join(", "));
    Some(conflict(&["checkpoint.metric", "data.problem_type"], message, &help))
}
