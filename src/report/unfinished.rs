//! What values of runs without a result are.

use super::{
    input::{ReportInput, RunInput},
    language::tr,
};
use crate::{plan::Keep, store::RunState};

/// Which evaluation a value is of that is not final, where `are_best` says of each whether it is that of the best evaluation so far, and not of the
/// last one.
pub fn which_evaluation(are_best: impl Iterator<Item = bool> + Clone) -> &'static str {
    match (are_best.clone().any(|best| best), are_best.clone().all(|best| best)) {
        (true, true) => tr("the best evaluation of each run so far", "各次运行迄今最好的一次"),
        (true, false) => tr(
            "the best evaluation of each run so far, or the last one without `checkpoint.keep = \"best\"`",
            "各次运行迄今最好的一次；未设 `checkpoint.keep = \"best\"` 时为最近一次",
        ),
        (false, _) => tr("the last evaluation of each run so far", "各次运行迄今最近的一次"),
    }
}

/// The same for the runs of a report.
pub(super) fn of_report(input: &ReportInput) -> String {
    let open = || input.runs.iter().filter(|run| run.run.final_metrics.is_none());
    let keeps_best = |run: &RunInput| run.run.config.checkpoint.keep == Keep::Best;
    let which = which_evaluation(open().map(keeps_best));
    match open().any(keeps_best) && open().any(|run| run.run.state == RunState::Pruned) {
        true => tr!("{which}, not always the value that it was pruned by", "{which}，不一定是它被剪枝时所依据的值"),
        false => which.into(),
    }
}
