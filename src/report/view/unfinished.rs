//! What values of runs without a result are.

use crate::{
    plan::Keep,
    report::{
        input::{ReportInput, RunInput},
        language::tr,
    },
    store::RunState,
};

/// Which evaluation a value is of that is not final: the one whose weights would be kept.
pub(super) fn which_evaluation(input: &ReportInput) -> String {
    let open = || input.runs.iter().filter(|run| run.run.final_metrics.is_none());
    let keeps_best = |run: &RunInput| run.run.config.checkpoint.keep == Keep::Best;
    let (some, all) = (open().any(keeps_best), open().all(keeps_best));
    let which = match (some, all) {
        (true, true) => tr("the best one of each run so far", "各次运行迄今最好的一次"),
        (true, false) => tr(
            "the best one so far, or without `checkpoint.keep = \"best\"` the last one",
            "迄今最好的一次；未设 `checkpoint.keep = \"best\"` 时为最近一次",
        ),
        (false, _) => tr("the last one of each run so far", "各次运行迄今最近的一次"),
    };
    match some && open().any(|run| run.run.state == RunState::Pruned) {
        true => tr!("{which}, not always the value that it was pruned by", "{which}，不一定是它被剪枝时所依据的值"),
        false => which.into(),
    }
}
